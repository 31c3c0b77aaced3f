//! The sheet `lwipopts.h` of a host: a file in, what was understood of it, whether it builds, and
//! the same file with the scenario's values out.
//!
//! What is pasted is read as text and shown as text: nothing of it becomes markup.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::model::host::HostParams;
use crate::model::stm32::lwipopts::{FILE_LIMIT, File, samples};
use crate::model::stm32::{BoardParams, Part};
use crate::param::{Lang, Param, Text};
use crate::view::build_check::{self, Checked};
use crate::view::lwipopts::{self as words, Other, Row};
use crate::web::act::Act;
use crate::web::lab::{Lab, LabHandle};
use crate::web::options_memory::{ClaimsPanel, SizesPanel};
use crate::web::options_parts::{built, others, rows};
use crate::web::readout::Knobs;
use crate::web::sheet::SheetFrame;
use crate::web::sizes::SizesSight;
use crate::web::{capture, dom};
use crate::world::lwipopts::{self, Import};

const TITLE: Text = Text::new("lwipopts.h", "lwipopts.h");
const HELP: Text = Text::new(
    "Paste your lwipopts.h, drop it here or choose it, or start from a sample. Its options become \
     the parameters of this host; nothing leaves your browser.",
    "粘贴、拖入或选择你的 lwipopts.h，或从样例开始。其中的选项会成为此主机的参数；文件不会离开浏览器。",
);
const SAMPLE: Text = Text::new("Start from", "样例");
const OWN: Text = Text::new("the host's values now", "此主机当前的值");
const OPEN: Text = Text::new("Choose a file", "选择文件");
const FIELD: Text = Text::new("lwipopts.h", "lwipopts.h");
const APPLY: Text = Text::new("Use these options", "采用这些选项");
const SAME: Text =
    Text::new("The scenario has these values: nothing to change.", "场景已是这些值：无需改动。");
const CHANGES: Text = Text::new("Options that change: {0}", "将改变的选项：{0}");
const EXPORT: Text = Text::new("Write the host's values into it", "写入此主机的值");
const COPY: Text = Text::new("Copy", "复制");
const DOWNLOAD: Text = Text::new("Download", "下载");
const COPIED: Text = Text::new("Copied.", "已复制。");
const BY_HAND: Text = Text::new("The text is selected: press Ctrl+C.", "文字已选中：请按 Ctrl+C。");
const WRITTEN: Text = Text::new(
    "The host's values stand in the text; its comments stayed.",
    "此主机的值已写入文中，注释保持不变。",
);

/// Where one can start from: the name, and the part that an article's row is for.
const SAMPLES: [(Text, Option<Part>); 7] = [
    (Text::new("CubeMX's defaults", "CubeMX 默认值"), None),
    (Text::new("the article's \"default\"", "文章的“默认”"), None),
    (Text::new("the article's \"optimised\"", "文章的“优化”"), None),
    (Text::new("the article's row: F407", "文章的行：F407"), Some(Part::F407)),
    (Text::new("the article's row: F767", "文章的行：F767"), Some(Part::F767)),
    (Text::new("the article's row: H743", "文章的行：H743"), Some(Part::H743)),
    (Text::new("the article's row: L476", "文章的行：L476"), Some(Part::L476)),
];

fn sample(n: usize) -> String {
    match n {
        0 => samples::CUBEMX.to_owned(),
        1 => samples::ARTICLE_DEFAULT.to_owned(),
        2 => samples::ARTICLE_OPTIMISED.to_owned(),
        n => samples::ROWS.get(n - 3).map_or_else(String::new, |row| row.text()),
    }
}

/// What the field holds, and for which part, if a sample says so.
#[derive(Clone, PartialEq)]
struct Held {
    text: String,
    part: Option<Part>,
}

/// Properties of [`OptionsSheet`].
#[derive(Properties, PartialEq)]
pub struct OptionsProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// The host's place among the scenario's.
    pub host: u16,
    /// The parameters as they are: the sheet is made anew when they change.
    pub knobs: Rc<Knobs>,
    /// The search for the least memory.
    pub sizes: SizesSight,
}

/// What is made of the text.
struct Found {
    /// The file, or why it cannot be read.
    file: Result<File, String>,
    import: Option<Import>,
    checked: Option<Checked>,
    /// Paths and values that would be set.
    changes: Vec<(String, String)>,
}

impl Found {
    fn of(lab: &Lab, host: u16, held: &Held, lang: Lang) -> Found {
        let scenario = lab.session.scenario();
        let id = scenario.hosts.get(usize::from(host)).map_or("", |host| host.id.as_str());
        let file = File::read(&held.text).map_err(|error| error.say(lang));
        let mut found = Found { file, import: None, checked: None, changes: Vec::new() };
        let Ok(file) = &found.file else { return found };
        found.import = lwipopts::import(scenario, id, file).ok();
        found.changes = found.import.as_ref().map(Import::changes).unwrap_or_default();
        let board = lwipopts::board_of(scenario, id);
        if let (Some(part), Some(now)) = (held.part, &board)
            && part != now.part
        {
            let part = Part::CHOICES[usize::from(part as u8)].word;
            found.changes.insert(0, (format!("{id}.part"), part.to_owned()));
        }
        let board = match held.part {
            Some(part) => Some(BoardParams { part, ..board.unwrap_or_default() }),
            None => board,
        };
        found.checked = board.map(|board| build_check::check(file, &board, lang));
        // A part without Ethernet cannot be this host.
        if held.part.is_some_and(|part| part.silicon().is_err()) {
            found.changes.clear();
        }
        found
    }

    fn problems(&self, lang: Lang) -> Vec<String> {
        match (&self.file, &self.import) {
            (Err(error), _) => vec![error.clone()],
            (_, Some(import)) => import.problems.iter().map(|problem| problem.say(lang)).collect(),
            _ => Vec::new(),
        }
    }
}

/// CubeMX's file with the values of the host, or what was pasted for it before.
fn first_text(lab: &Lab, host: u16) -> Held {
    let kept = lab.pasted.borrow();
    match kept.as_ref().filter(|(of, _)| *of == host) {
        Some((_, text)) => Held { text: text.clone(), part: None },
        None => Held { text: with_values(lab, host, samples::CUBEMX), part: None },
    }
}

/// The text with the host's values; as it was, if it cannot be read.
fn with_values(lab: &Lab, host: u16, text: &str) -> String {
    let scenario = lab.session.scenario();
    let Some(host) = scenario.hosts.get(usize::from(host)) else { return text.to_owned() };
    let Ok(mut file) = File::read(text) else { return text.to_owned() };
    match lwipopts::export(scenario, &host.id, &mut file) {
        Ok(()) => file.text().to_owned(),
        Err(_) => text.to_owned(),
    }
}

/// The sheet.
#[component]
pub fn OptionsSheet(props: &OptionsProps) -> Html {
    let OptionsProps { lab, lang, host, .. } = props;
    let (lang, host) = (*lang, *host);
    let held = use_state_eq(|| lab.with(|lab| first_text(lab, host)));
    let first = use_memo((), |()| held.text.clone());
    let said = use_state_eq(|| None::<Text>);
    let field = use_node_ref();
    let ondragover = Callback::from(|event: DragEvent| event.prevent_default());
    let put = {
        let (held, said, field, lab) = (held.clone(), said.clone(), field.clone(), lab.clone());
        Callback::from(move |next: Held| {
            if let Some(field) = field.cast::<HtmlTextAreaElement>()
                && field.value() != next.text
            {
                field.set_value(&next.text);
            }
            let kept = Some((host, next.text.clone()));
            lab.with(|lab| lab.pasted.replace(kept));
            said.set(None);
            held.set(next);
        })
    };
    let found = lab.with(|lab| Found::of(lab, host, &held, lang));
    let problems = found.problems(lang);
    let (name, is_board) = lab.with(|lab| {
        let hosts = &lab.session.scenario().hosts;
        let machine = hosts.get(usize::from(host));
        let name = machine.map_or_else(String::new, |host| host.name.get(lang).to_owned());
        (name, machine.is_some_and(|host| matches!(host.params, HostParams::Stm32(_))))
    });
    html! {
        <SheetFrame lab={lab.clone()} {lang} title={TITLE} class="wide editor options">
            <p><b>{ name }</b>{ " " }{ HELP.get(lang) }</p>
            { sources(lab, lang, host, &put) }
            <label class="visually-hidden" for="lwipopts">{ FIELD.get(lang) }</label>
            <textarea id="lwipopts" class="field" ref={field.clone()} spellcheck="false" rows="12"
                autocomplete="off" wrap="off" defaultvalue={(*first).clone()}
                oninput={typed(&put)} {ondragover} ondrop={dropped(&put)} />
            <div role="alert" class="problems" tabindex="0" hidden={problems.is_empty()}>
                { for problems.iter().map(|problem| html! {
                    <div class="notice bad"><div>{ problem }</div></div>
                }) }
            </div>
            { deeds(lab, lang, host, &put, &found, (&field, &said)) }
            if let Some(checked) = &found.checked { { built(checked, lang) } }
            if let Some(import) = &found.import { { understood(import, lang) } }
            if is_board {
                <SizesPanel lab={lab.clone()} {lang} sizes={props.sizes.clone()} />
                <ClaimsPanel {lang} />
            }
        </SheetFrame>
    }
}

/// What was understood, explained and listed.
fn understood(import: &Import, lang: Lang) -> Html {
    let of: Vec<Row> = words::understood(import, lang);
    let invented: Vec<Other> = words::invented(import, lang);
    let listed: Vec<Other> = words::listed(import, lang);
    html! {
        <>
            { others(&invented, lang, true) }
            { rows(&of, lang) }
            { others(&listed, lang, false) }
        </>
    }
}

/// Samples, and a file of one's own.
fn sources(lab: &LabHandle, lang: Lang, host: u16, put: &Callback<Held>) -> Html {
    let (to, from) = (put.clone(), lab.clone());
    let pick = Callback::from(move |event: Event| {
        let select = event.target().and_then(|t| t.dyn_into::<HtmlSelectElement>().ok());
        let Some(select) = select else { return };
        match select.value().parse::<usize>() {
            Ok(n) => to.emit(Held { text: sample(n), part: SAMPLES.get(n).and_then(|s| s.1) }),
            Err(_) => {
                let text = from.with(|lab| with_values(lab, host, samples::CUBEMX));
                to.emit(Held { text, part: None });
            }
        }
    });
    let to = put.clone();
    let choose = Callback::from(move |event: Event| {
        let input = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok());
        let file = input.and_then(|i| i.files()).and_then(|files| files.get(0));
        if let Some(file) = file {
            read(file, to.clone());
        }
    });
    html! {
        <div class="acts">
            <label class="check">
                { SAMPLE.get(lang) }
                <select class="field" id="lwipopts-sample" onchange={pick}>
                    <option value="">{ OWN.get(lang) }</option>
                    { for SAMPLES.iter().enumerate().map(|(n, (name, _))| html! {
                        <option value={n.to_string()}>{ name.get(lang) }</option>
                    }) }
                </select>
            </label>
            <label class="check">
                { OPEN.get(lang) }
                <input type="file" accept=".h,.txt,text/plain,text/x-chdr" onchange={choose} />
            </label>
        </div>
    }
}

/// Reads a file into the field; of one that is too large only as much as shows that it is.
fn read(file: web_sys::File, to: Callback<Held>) {
    let most = FILE_LIMIT as f64 + 1.0;
    let Ok(part) = file.slice_with_f64_and_f64(0.0, most) else { return };
    spawn_local(async move {
        let text = JsFuture::from(part.text()).await.ok().and_then(|text| text.as_string());
        if let Some(text) = text {
            to.emit(Held { text, part: None });
        }
    });
}

fn typed(put: &Callback<Held>) -> Callback<InputEvent> {
    let put = put.clone();
    Callback::from(move |event: InputEvent| {
        let field = event.target().and_then(|t| t.dyn_into::<HtmlTextAreaElement>().ok());
        if let Some(field) = field {
            put.emit(Held { text: field.value(), part: None });
        }
    })
}

fn dropped(put: &Callback<Held>) -> Callback<DragEvent> {
    let put = put.clone();
    Callback::from(move |event: DragEvent| {
        let file = event.data_transfer().and_then(|data| data.files()).and_then(|all| all.get(0));
        if let Some(file) = file {
            event.prevent_default();
            read(file, put.clone());
        }
    })
}

/// Use, write back, copy, download.
fn deeds(
    lab: &LabHandle,
    lang: Lang,
    host: u16,
    put: &Callback<Held>,
    found: &Found,
    (field, said): (&NodeRef, &UseStateHandle<Option<Text>>),
) -> Html {
    let (to, changes) = (lab.clone(), found.changes.clone());
    let apply = Callback::from(move |_: MouseEvent| to.act(Act::SetAll(changes.clone())));
    let text = found.file.as_ref().map_or_else(|_| String::new(), |file| file.text().to_owned());
    let (from, to, told, own) = (lab.clone(), put.clone(), said.clone(), text.clone());
    let export = Callback::from(move |_: MouseEvent| {
        let text = from.with(|lab| with_values(lab, host, &own));
        to.emit(Held { text, part: None });
        told.set(Some(WRITTEN));
    });
    let (from, told) = (field.clone(), said.clone());
    let copy = Callback::from(move |_: MouseEvent| {
        if let Some(field) = from.cast::<HtmlTextAreaElement>() {
            told.set(Some(if dom::copy_from(&field) { COPIED } else { BY_HAND }));
        }
    });
    let download = Callback::from(move |_: MouseEvent| {
        let _ = capture::download("lwipopts.h", text.as_bytes());
    });
    let n = found.changes.len();
    let words = match **said {
        Some(text) => text.get(lang).to_owned(),
        None if found.import.is_none() => String::new(),
        None if n == 0 => SAME.get(lang).to_owned(),
        None => crate::view::words::fill(CHANGES, lang, &[&n.to_string()]),
    };
    let bad = found.file.is_err();
    html! {
        <div class="deeds">
            <div class="acts">
                <button type="button" class="btn primary" id="lwipopts-use" disabled={n == 0}
                    onclick={apply}>{ APPLY.get(lang) }</button>
                <button type="button" class="btn line" id="lwipopts-write" disabled={bad}
                    onclick={export}>{ EXPORT.get(lang) }</button>
                <button type="button" class="btn line" onclick={copy}>{ COPY.get(lang) }</button>
                <button type="button" class="btn line" disabled={bad} onclick={download}>
                    { DOWNLOAD.get(lang) }</button>
            </div>
            <p class="copied" role="status">{ words }</p>
        </div>
    }
}
