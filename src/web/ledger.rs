//! The ledger: sent = delivered + lost + in flight, always balanced; seed and fingerprint.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::view::draw::Glyph;
use crate::view::numbers;
use crate::web::act::Act;
use crate::web::icons::{Icon, glyph, sized};
use crate::web::lab::LabHandle;
use crate::web::readout::{InShort, Ledger, Run};

const LEDGER: Text = Text::new("Ledger", "账目");
const SENT: Text = Text::new("sent", "已发送");
const DELIVERED: Text = Text::new("delivered", "已送达");
const LOST: Text = Text::new("lost", "丢失");
const IN_FLIGHT: Text = Text::new("in flight", "在途");
const DUPLICATED: Text = Text::new("duplicated", "重复");
const REDELIVERED: Text = Text::new("redelivered", "重新投递");
const REORDERED: Text = Text::new("reordered", "乱序");
const SEED: Text = Text::new("seed", "种子");
const FINGERPRINT: Text = Text::new("fingerprint", "指纹");
const SAME: Text = Text::new("the same as in the link", "与链接一致");
const DIFFERS: Text = Text::new("differs from the link", "与链接不同");
const WHAT: Text = Text::new(
    "A digest of everything that happened so far: the same scenario and seed give the same figures.",
    "到此刻为止一切事件的摘要：场景和种子相同，指纹就相同。",
);

/// Properties of [`LedgerBar`].
#[derive(Properties, PartialEq)]
pub struct LedgerProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// The counts.
    pub ledger: Ledger,
    /// The promises, in short.
    pub promises: InShort,
    /// Seed and fingerprint.
    pub run: Run,
}

/// The ledger bar.
#[component]
pub fn LedgerBar(props: &LedgerProps) -> Html {
    let LedgerProps { lab, lang, ledger, promises, run } = props;
    let lang = *lang;
    let sign = |sign: &'static str| html! { <span class="sign" aria-hidden="true">{ sign }</span> };
    let entry = |before: Html, shape: Option<Glyph>, word: Text, n: u64| {
        html! {
            <div>
                <dt>{ before }{ shape.map(|shape| glyph(shape, "14")) }{ word.get(lang) }</dt>
                <dd>{ numbers::count(n) }</dd>
            </div>
        }
    };
    let none = Html::default;
    html! {
        <footer class="ledger" aria-label={LEDGER.get(lang)}>
            <dl class="main">
                { entry(none(), None, SENT, ledger.sent) }
                { entry(sign("="), Some(Glyph::Done), DELIVERED, ledger.delivered) }
                { entry(sign("+"), Some(Glyph::Lost), LOST, ledger.lost) }
                { entry(sign("+"), Some(Glyph::Flight), IN_FLIGHT, ledger.in_flight) }
            </dl>
            <dl class="minor">
                { entry(none(), Some(Glyph::Twice), DUPLICATED, ledger.duplicated) }
                { entry(none(), Some(Glyph::Again), REDELIVERED, ledger.redelivered) }
                { entry(none(), None, REORDERED, ledger.reordered) }
            </dl>
            { crate::web::guarantees::button(lab, lang, *promises) }
            <span class="grow"></span>
            <div class="run">
                <Seed lab={lab.clone()} {lang} seed={run.seed.clone()} />
                <span class="fp" title={WHAT.get(lang)}>
                    { FINGERPRINT.get(lang) }<code>{ &run.fingerprint }</code>
                    { matching(lang, run.matches) }
                </span>
            </div>
        </footer>
    }
}

/// The sign that the run is, or is not, the one of the link.
fn matching(lang: Lang, matches: Option<bool>) -> Html {
    let (shape, class, words) = match matches {
        None => return Html::default(),
        Some(true) => (Icon::Check, "ok", SAME),
        Some(false) => (Icon::Close, "no", DIFFERS),
    };
    html! {
        <span title={words.get(lang)}>
            { sized(shape, "14", classes!("ic", class)) }
            <span class="visually-hidden">{ words.get(lang) }</span>
        </span>
    }
}

/// Properties of [`Seed`].
#[derive(Properties, PartialEq)]
struct SeedProps {
    lab: LabHandle,
    lang: Lang,
    seed: String,
}

/// The seed, editable.
#[component]
fn Seed(props: &SeedProps) -> Html {
    let lab = props.lab.clone();
    let onchange = Callback::from(move |event: Event| {
        let input = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok());
        if let Some(input) = input {
            lab.act(Act::Seed(input.value()));
        }
    });
    html! {
        <label>
            { SEED.get(props.lang) }
            <input class="field" type="text" inputmode="numeric" autocomplete="off" maxlength="20"
                spellcheck="false" value={props.seed.clone()} {onchange} />
        </label>
    }
}
