//! The share sheet: the link of this run, and the code that embeds it in a course page.

use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::web::dom;
use crate::web::lab::LabHandle;
use crate::web::sheet::SheetFrame;
use crate::web::shell::Embed;

const SHARE: Text = Text::new("Share this run", "分享这次运行");
const LINK: Text = Text::new("Link", "链接");
const LINK_HELP: Text = Text::new(
    "Opens the same scenario, changes, seed, interventions and instant.",
    "打开同样的场景、改动、种子、操作和时刻。",
);
const EMBED: Text = Text::new("Code to embed it", "嵌入代码");
const EMBED_HELP: Text = Text::new(
    "For a course page or a blog. It runs in a sandboxed frame and needs no rights.",
    "用于课程页面或博客。它在沙箱框架里运行，不需要任何权限。",
);
const COPY: Text = Text::new("Copy", "复制");
const COPIED: Text = Text::new("Copied.", "已复制。");
const BY_HAND: Text = Text::new(
    "This browser does not let the page copy: the text is selected, press Ctrl+C.",
    "浏览器不允许网页复制：文字已选中，请按 Ctrl+C。",
);
const PARTS: Text = Text::new("Parts to show", "显示哪些部分");
const LANGUAGE: Text = Text::new("Language", "语言");
const THEME: Text = Text::new("Theme", "主题");
const AUTOPLAY: Text = Text::new("Play at once", "自动播放");
const HEIGHT: Text = Text::new("Height", "高度");

/// The names of the parts, in the order of [`Embed::PARTS`].
const PART_NAMES: [Text; Embed::PARTS.len()] = [
    Text::new("Stage", "舞台"),
    Text::new("Transport", "播放控制"),
    Text::new("Knobs", "参数"),
    Text::new("Charts", "图表"),
    Text::new("Ledger", "账目"),
    Text::new("Story", "故事"),
    Text::new("Inspector", "检视"),
    Text::new("Ladder", "时序图"),
];

/// Properties of [`Share`].
#[derive(Properties, PartialEq)]
pub struct ShareProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
}

/// What the embed code asks for.
#[derive(Clone, PartialEq)]
struct Wish {
    parts: Embed,
    lang: &'static str,
    theme: &'static str,
    autoplay: bool,
    height: u32,
}

impl Wish {
    /// The code: a frame with the page's own address, this run's fragment and the wishes.
    fn code(&self, page: &str, link: &str, title: &str) -> String {
        let mut query = format!("?embed=1&show={}", self.parts.show());
        if !self.lang.is_empty() {
            query += &format!("&lang={}", self.lang);
        }
        if !self.theme.is_empty() {
            query += &format!("&theme={}", self.theme);
        }
        if self.autoplay {
            query += "&autoplay=1";
        }
        let address = escape(&format!("{page}{query}{link}"));
        format!(
            "<iframe src=\"{address}\" title=\"{}\" width=\"100%\" height=\"{}\" \
             sandbox=\"allow-scripts\" loading=\"lazy\"></iframe>",
            escape(title),
            self.height
        )
    }
}

/// For text inside a double-quoted attribute of the code that is shown.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The share sheet.
#[component]
pub fn Share(props: &ShareProps) -> Html {
    let ShareProps { lab, lang } = props;
    let lang = *lang;
    let wish = use_state_eq(|| Wish {
        parts: Embed { story: true, ..Embed::PLAIN },
        lang: "",
        theme: "",
        autoplay: false,
        height: 420,
    });
    let page = lab.page_address();
    let link = lab.link_text();
    let title = lab.with(|lab| lab.title().get(lang).to_string());
    html! {
        <SheetFrame lab={lab.clone()} {lang} title={SHARE}>
            <p>{ LINK_HELP.get(lang) }</p>
            <Output {lang} id="share-link" name={LINK} text={format!("{page}{link}")} rows=2 />
            <h3>{ EMBED.get(lang) }</h3>
            <p>{ EMBED_HELP.get(lang) }</p>
            { parts(lang, &wish) }
            { choices(lang, &wish) }
            <Output {lang} id="share-embed" name={EMBED} rows=4
                text={wish.code(&page, &link, &format!("Inflight: {title}"))} />
        </SheetFrame>
    }
}

/// The switches of the parts.
fn parts(lang: Lang, wish: &UseStateHandle<Wish>) -> Html {
    let part = |index: usize| {
        let mut parts = wish.parts;
        let checked = *parts.part(index);
        let wish = wish.clone();
        let onchange = Callback::from(move |_: Event| {
            let mut next = (*wish).clone();
            *next.parts.part(index) = !checked;
            wish.set(next);
        });
        html! {
            <label class="check">
                <input type="checkbox" {checked} {onchange} />{ PART_NAMES[index].get(lang) }
            </label>
        }
    };
    html! {
        <fieldset>
            <legend>{ PARTS.get(lang) }</legend>
            { for (0..PART_NAMES.len()).map(part) }
        </fieldset>
    }
}

/// Language, theme, autoplay, height.
fn choices(lang: Lang, wish: &UseStateHandle<Wish>) -> Html {
    let auto = Text::new("as the reader's", "随读者").get(lang);
    let (light, dark) = (Text::new("light", "浅色").get(lang), Text::new("dark", "深色").get(lang));
    let pick = |change: fn(&mut Wish, &str)| {
        let wish = wish.clone();
        Callback::from(move |event: Event| {
            let value = value_of(&event);
            let mut next = (*wish).clone();
            change(&mut next, &value);
            wish.set(next);
        })
    };
    let list = |name: Text, now: &str, options: [(&'static str, &'static str); 3], onchange| {
        html! {
            <label class="check">
                { name.get(lang) }
                <select class="field" {onchange}>
                    { for options.map(|(key, word)| html! {
                        <option value={key} selected={key == now}>{ word }</option>
                    }) }
                </select>
            </label>
        }
    };
    let languages = [("", auto), ("en", "English"), ("zh", "中文")];
    let themes = [("", auto), ("light", light), ("dark", dark)];
    let set_lang = pick(|wish, value| wish.lang = one_of(value, ["en", "zh"]));
    let set_theme = pick(|wish, value| wish.theme = one_of(value, ["light", "dark"]));
    let set_autoplay = pick(|wish, _| wish.autoplay = !wish.autoplay);
    let set_height = pick(|wish, value| {
        wish.height = value.parse().map_or(wish.height, |height: u32| height.clamp(200, 2_000));
    });
    html! {
        <fieldset>
            <legend class="visually-hidden">{ EMBED.get(lang) }</legend>
            { list(LANGUAGE, wish.lang, languages, set_lang) }
            { list(THEME, wish.theme, themes, set_theme) }
            <label class="check">
                { HEIGHT.get(lang) }
                <input class="field" type="number" min="200" max="2000" step="20"
                    value={wish.height.to_string()} onchange={set_height} />
            </label>
            <label class="check">
                <input type="checkbox" checked={wish.autoplay} onchange={set_autoplay} />
                { AUTOPLAY.get(lang) }
            </label>
        </fieldset>
    }
}

/// The option that a value names, or none of them.
fn one_of(value: &str, options: [&'static str; 2]) -> &'static str {
    options.into_iter().find(|option| *option == value).unwrap_or("")
}

fn value_of(event: &Event) -> String {
    let Some(target) = event.target() else { return String::new() };
    match target.dyn_into::<HtmlSelectElement>() {
        Ok(select) => select.value(),
        Err(other) => other.dyn_into::<HtmlInputElement>().map_or(String::new(), |i| i.value()),
    }
}

/// Properties of [`Output`].
#[derive(Properties, PartialEq)]
struct OutputProps {
    lang: Lang,
    id: &'static str,
    name: Text,
    text: String,
    rows: u32,
}

/// A text to take away: a field that selects itself, and a button that copies.
#[component]
fn Output(props: &OutputProps) -> Html {
    let field = use_node_ref();
    let said = use_state_eq(|| None::<(bool, String)>);
    let (from, answer, text) = (field.clone(), said.clone(), props.text.clone());
    let copy = Callback::from(move |_: MouseEvent| {
        if let Some(field) = from.cast::<HtmlTextAreaElement>() {
            answer.set(Some((dom::copy_from(&field), text.clone())));
        }
    });
    let select = Callback::from(|event: FocusEvent| {
        let field = event.target().and_then(|t| t.dyn_into::<HtmlTextAreaElement>().ok());
        if let Some(field) = field {
            field.select();
        }
    });
    let words = match &*said {
        Some((true, text)) if *text == props.text => COPIED.get(props.lang),
        Some((false, text)) if *text == props.text => BY_HAND.get(props.lang),
        _ => "",
    };
    html! {
        <div>
            <label class="visually-hidden" for={props.id}>{ props.name.get(props.lang) }</label>
            <div class="out">
                <textarea id={props.id} class="field" ref={field} readonly=true spellcheck="false"
                    rows={props.rows.to_string()} value={props.text.clone()} onfocus={select} />
                <button type="button" class="btn line" onclick={copy}>
                    { COPY.get(props.lang) }
                </button>
            </div>
            <p class="copied" role="status">{ words }</p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_holds_what_was_asked_for_and_nothing_breaks_out() {
        let wish = Wish {
            parts: Embed { charts: true, ..Embed::PLAIN },
            lang: "zh",
            theme: "dark",
            autoplay: true,
            height: 420,
        };
        let code = wish.code("https://a.test/x/", "#v1/mm1?seed=7&t=1s", "\"><script>");
        assert!(code.contains(
            "?embed=1&amp;show=stage,transport,charts&amp;lang=zh&amp;theme=dark&amp;autoplay=1#v1/mm1"
        ));
        assert!(code.contains("sandbox=\"allow-scripts\""));
        assert!(!code.contains("<script>"));
        assert!(!code.contains("allow-same-origin"));
    }
}
