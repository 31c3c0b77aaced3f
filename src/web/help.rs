//! The help sheet: every key, and what the shapes mean.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::view::draw::Glyph;
use crate::web::act::Act;
use crate::web::icons::{Icon, glyph, icon};
use crate::web::lab::LabHandle;
use crate::web::sheet::SheetFrame;
use crate::web::shell::{Sheet, Theme};
use crate::web::top::ThemeButton;

const HELP: Text = Text::new("Keys and shapes", "按键与图形");
const SHAPES: Text = Text::new("A message, by its shape", "消息的形状");
const KEYS: Text = Text::new("Keys", "按键");
const LETTERS: Text = Text::new("Single letters are keys", "启用单字母按键");
const EDIT: Text = Text::new("Edit the scenario", "编辑场景");
const ABOUT: Text = Text::new(
    "Every run is exact and repeatable: the same scenario and seed give the same fingerprint, \
     here and on the command line.",
    "每次运行都精确可重现：场景和种子相同，指纹就相同，网页与命令行一致。",
);

/// Each key and what it does.
const TABLE: [(&[&str], Text); 13] = [
    (&["Space"], Text::new("play or pause", "播放或暂停")),
    (
        &[".", ","],
        Text::new("one event on, one back; ten with Shift", "前进、后退一个事件；加 Shift 十个"),
    ),
    (&["←", "→"], Text::new("scrub", "移动时间")),
    (&["Home", "End"], Text::new("to the start, to the end", "到开头、到结尾")),
    (&["[", "]"], Text::new("slower, faster", "减速、加速")),
    (&["Tab"], Text::new("walk the stage; Enter chooses", "在舞台上移动；Enter 选中")),
    (&["C"], Text::new("crash or restart what is chosen", "让选中者崩溃或重启")),
    (&["N"], Text::new("send one message now", "立即发送一条")),
    (
        &["W", "S", "A", "D", "F"],
        Text::new(
            "ladder: closer, farther, earlier, later, all",
            "时序图：放大、缩小、前移、后移、全程",
        ),
    ),
    (&["G"], Text::new("all scenarios", "全部场景")),
    (&["K"], Text::new("knobs", "参数")),
    (&["L"], Text::new("language", "语言")),
    (&["?", "Esc"], Text::new("this sheet, back", "本页、返回")),
];

/// Each state of a message.
const STATES: [(Glyph, Text); 7] = [
    (Glyph::New, Text::new("new: created, not yet handed over", "新建：已创建，尚未交出")),
    (Glyph::Flight, Text::new("in flight: between two nodes", "在途：在两个节点之间")),
    (Glyph::Wait, Text::new("waiting: in a queue or a buffer", "等待：在队列或缓冲区里")),
    (Glyph::Done, Text::new("delivered: processed and acknowledged", "已送达：处理完并已确认")),
    (Glyph::Again, Text::new("redelivered: on its way once more", "重新投递：再次上路")),
    (Glyph::Twice, Text::new("duplicated: took effect twice", "重复：生效了两次")),
    (Glyph::Lost, Text::new("lost: will never arrive", "丢失：永远不会到达")),
];

/// Properties of [`Help`].
#[derive(Properties, PartialEq)]
pub struct HelpProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// Whether single letters are keys.
    pub letters: bool,
    /// The chosen colours.
    pub theme: Theme,
}

/// The help sheet.
#[component]
pub fn Help(props: &HelpProps) -> Html {
    let HelpProps { lab, lang, letters, .. } = props;
    let lang = *lang;
    let lab2 = lab.clone();
    let onchange = Callback::from(move |event: Event| {
        let input = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok());
        lab2.act(Act::Letters(input.is_some_and(|input| input.checked())));
    });
    let lab3 = lab.clone();
    let edit = Callback::from(move |_: MouseEvent| lab3.act(Act::Sheet(Sheet::Editor)));
    html! {
        <SheetFrame lab={lab.clone()} {lang} title={HELP}>
            <p>{ ABOUT.get(lang) }</p>
            <div class="acts narrow">
                <button type="button" class="btn line" onclick={edit}>
                    { icon(Icon::Pen) }{ EDIT.get(lang) }
                </button>
                <ThemeButton lab={lab.clone()} {lang} theme={props.theme} />
            </div>
            <h3>{ KEYS.get(lang) }</h3>
            <dl class="keys">
                { for TABLE.iter().map(|(keys, what)| html! {
                    <div>
                        <dt>{ for keys.iter().map(|key| html! { <><kbd>{ *key }</kbd>{ " " }</> }) }</dt>
                        <dd>{ what.get(lang) }</dd>
                    </div>
                }) }
            </dl>
            <label class="check">
                <input type="checkbox" checked={*letters} {onchange} />{ LETTERS.get(lang) }
            </label>
            <h3>{ SHAPES.get(lang) }</h3>
            <ul class="shapes">
                { for STATES.iter().map(|(state, words)| html! {
                    <li>{ glyph(*state, "18") }{ " " }{ words.get(lang) }</li>
                }) }
            </ul>
        </SheetFrame>
    }
}
