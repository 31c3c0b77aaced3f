//! The editor: the scenario as a document. Paste or change it, and run it.

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::model::actor::ProducerParams;
use crate::param::{Lang, Param, Said, Spans, Text};
use crate::web::act::Act;
use crate::web::lab::LabHandle;
use crate::web::sheet::SheetFrame;
use crate::web::shell::Sheet;
use crate::world::problem::Problem;
use crate::world::scenario::Scenario;

const TITLE: Text = Text::new("The scenario as a document", "场景文档");
const HELP: Text = Text::new(
    "Everything on the screen is in this text. Change it or paste your own, then run it; \
     the link of the page carries it.",
    "屏幕上的一切都写在这段文字里。改它，或粘贴你自己的，然后运行；页面链接会带上它。",
);
const DOCUMENT: Text = Text::new("Document (TOML)", "文档（TOML）");
const RUN: Text = Text::new("Run it", "运行");
const OPEN: Text = Text::new("Open a TOML file, or a CSV of times", "打开 TOML 文件，或时刻表 CSV");
const PROBLEMS: Text = Text::new("Problems", "问题");
const BIG: Text = Text::new("The file is larger than 256 KiB.", "文件超过 256 KiB。");

/// A document may have this many bytes.
const LARGEST: f64 = 262_144.0;

/// Properties of [`Editor`].
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
}

/// The editor sheet.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let EditorProps { lab, lang } = props;
    let lang = *lang;
    let first = use_memo((), |()| lab.document_text());
    let field = use_node_ref();
    let problems = use_state_eq(Vec::<Problem>::new);
    let wrong = use_state_eq(|| None::<&'static str>);

    let (from, found, run_lab) = (field.clone(), problems.clone(), lab.clone());
    let run = Callback::from(move |_: MouseEvent| {
        let Some(field) = from.cast::<HtmlTextAreaElement>() else { return };
        match Scenario::parse(&field.value()) {
            Ok(_) => {
                found.set(Vec::new());
                run_lab.act(Act::Apply(field.value()));
                run_lab.act(Act::Sheet(Sheet::None));
            }
            Err(list) => found.set(list),
        }
    });
    let (to, refuse, found, file_lab) =
        (field.clone(), wrong.clone(), problems.clone(), lab.clone());
    let onchange = Callback::from(move |event: Event| {
        let input = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok());
        let file = input.and_then(|i| i.files()).and_then(|files| files.get(0));
        let Some(file) = file else { return };
        if LARGEST < file.size() {
            refuse.set(Some(BIG.get(lang)));
            return;
        }
        refuse.set(None);
        read_file(file, to.clone(), found.clone(), file_lab.clone());
    });
    html! {
        <SheetFrame lab={lab.clone()} {lang} title={TITLE} class="wide editor">
            <p>{ HELP.get(lang) }</p>
            <label class="visually-hidden" for="document">{ DOCUMENT.get(lang) }</label>
            <textarea id="document" class="field" ref={field} spellcheck="false" rows="18"
                autocomplete="off" wrap="off" defaultvalue={(*first).clone()} />
            <div role="alert" class="problems" tabindex="0" aria-label={PROBLEMS.get(lang)}
                hidden={problems.is_empty() && wrong.is_none()}>
                if let Some(words) = *wrong {
                    <div class="notice bad"><div>{ words }</div></div>
                }
                { for problems.iter().map(|problem| view(problem, lang)) }
            </div>
            <div class="acts">
                <button type="button" class="btn primary" onclick={run}>{ RUN.get(lang) }</button>
                <label class="check">
                    { OPEN.get(lang) }
                    <input type="file" accept=".toml,.txt,.csv,text/plain,text/csv" {onchange} />
                </label>
            </div>
        </SheetFrame>
    }
}

/// Puts a chosen file into the field: a document as it is, a list of times into the scenario shown.
fn read_file(
    file: web_sys::File,
    to: NodeRef,
    found: UseStateHandle<Vec<Problem>>,
    lab: LabHandle,
) {
    spawn_local(async move {
        let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
        let (Some(text), Some(field)) = (text, to.cast::<HtmlTextAreaElement>()) else {
            return;
        };
        let document = match file.name().to_ascii_lowercase().ends_with(".csv") {
            true => lab.with(|lab| with_times(lab.session.scenario(), &text)),
            false => Ok(text),
        };
        match document {
            Ok(text) => {
                found.set(Vec::new());
                field.set_value(&text);
            }
            Err(problem) => found.set(vec![problem]),
        }
    });
}

/// The scenario with its first producer sending at the recorded times of a CSV file.
fn with_times(scenario: &Scenario, csv: &str) -> Result<String, Problem> {
    let mut scenario = scenario.clone();
    let producer = scenario.actors.iter().find(|a| a.params.kind() == ProducerParams::KIND);
    let missing = || Problem::missing(None, "producer", Said::new("a producer", "一个生产者"));
    let id = producer.map(|a| a.id.clone()).ok_or_else(missing)?;
    let times = Spans::from_csv(csv).map_err(|why| Problem::refused(None, "CSV", why))?;
    scenario.set(&format!("{id}.times"), &times.show())?;
    scenario.set(&format!("{id}.arrivals"), "times")?;
    Ok(scenario.to_toml())
}

/// One problem: where, and what is allowed.
fn view(problem: &Problem, lang: Lang) -> Html {
    html! { <div class="notice bad"><div>{ problem.say(lang) }</div></div> }
}
