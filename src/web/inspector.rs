//! The inspector: what is chosen, why it waits, its budget, its story, what can be done to it;
//! and below it the newest events.

use std::rc::Rc;

use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::view::Chosen;
use crate::view::inspect::{Inspection, Part, Step};
use crate::view::inspect_chain::{Chain, Link};
use crate::web::act::Act;
use crate::web::icons::{Icon, colour_of, glyph, icon, pattern_of, swatch};
use crate::web::lab::LabHandle;
use crate::web::readout::Try;
use crate::web::shell::Sheet;
use crate::web::steppers::steppers;

const CHOSEN: Text = Text::new("Chosen", "已选中");
const NONE: Text = Text::new(
    "Nothing is chosen. Click a message, a node or a channel, and ask why it waits.",
    "还没有选中任何东西。点一条消息、一个节点或一条信道，问它为什么在等。",
);
const WHY: Text = Text::new("Why so late?", "为什么这么晚？");
const STORY: Text = Text::new("Its story", "它的经历");
const CLOSE: Text = Text::new("Choose nothing", "取消选择");
const TRY: Text = Text::new("Try:", "试试：");
const BUDGET: Text = Text::new("Latency by cause", "延迟构成");
const OPTIONS: Text = Text::new("lwipopts.h and memory", "lwipopts.h 与内存");
const EVENTS: Text = Text::new("Last events", "最近事件");
const NO_EVENTS: Text = Text::new(
    "Nothing has happened yet. Press Space, or step one event with the point key.",
    "还没有任何事情发生。按空格播放，按句点键走一步。",
);

/// Properties of [`Inspector`].
#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// What to show.
    pub chosen: Rc<Inspection>,
    /// The page shows it by itself: the reader chose nothing.
    #[prop_or_default]
    pub offered: bool,
    /// Changes that were tried for it.
    #[prop_or_default]
    pub cures: Rc<[Try]>,
    /// Whether sheets can lie over the page: not in a frame.
    #[prop_or(true)]
    pub sheets: bool,
}

/// The panel of what is chosen.
#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let InspectorProps { lab, lang, chosen, .. } = props;
    if chosen.chosen == Chosen::Nothing {
        return html! {
            <section class="panel insp empty" aria-labelledby="chosen-title">
                <header><h2 id="chosen-title">{ CHOSEN.get(*lang) }</h2></header>
                <p class="none">{ NONE.get(*lang) }</p>
            </section>
        };
    }
    let close = does(lab, Act::Choose(Chosen::Nothing));
    html! {
        <section class="panel insp" aria-labelledby="chosen-title">
            <header>
                if let (Some(state), None) = (chosen.glyph, &chosen.chain) {
                    { glyph(state, "18") }
                }
                if let Some(chain) = &chosen.chain {
                    <h2 id="chosen-title">{ &chain.title }</h2>
                    <span class="grow"></span>
                    <b class="tot">{ &chain.total }</b>
                } else {
                    <h2 id="chosen-title">{ &chosen.title }</h2>
                    <span class="dim">{ &chosen.state }</span>
                    <span class="grow"></span>
                }
                if !props.offered {
                    <button type="button" class="btn icon small" onclick={close}
                        aria-label={CLOSE.get(*lang)} title={CLOSE.get(*lang)}>
                        { icon(Icon::Close) }
                    </button>
                }
            </header>
            if chosen.chain.is_none() { <p>{ &chosen.sentence }</p> }
            if let Some(chain) = &chosen.chain { { reasons(chain) } }
            if !props.cures.is_empty() { { cures(lab, *lang, &props.cures) } }
            if !chosen.parts.is_empty() { { budget(*lang, chosen) } }
            if !chosen.figures.is_empty() {
                <table class="rows"><tbody>
                    { for chosen.figures.iter().map(|(name, value)| html! {
                        <tr><th scope="row">{ name }</th><td>{ value }</td></tr>
                    }) }
                </tbody></table>
            }
            if !chosen.steppers.is_empty() { { steppers(lab, &chosen.steppers, "chosen") } }
            if let (Some(host), true) = (chosen.lwip, props.sheets) {
                <div class="acts">
                    <button type="button" class="btn line small options"
                        onclick={does(lab, Act::Sheet(Sheet::Options(host)))}>
                        { OPTIONS.get(*lang) }</button>
                </div>
            }
            if !chosen.actions.is_empty() {
                <div class="acts">
                    { for chosen.actions.iter().map(|action| html! {
                        <button type="button" class="btn line small"
                            onclick={does(lab, Act::Do(action.command.clone()))}>
                            { action.label.get(*lang) }</button>
                    }) }
                </div>
            }
            if !chosen.story.is_empty() { { story(*lang, &chosen.story, chosen.chain.is_none()) } }
        </section>
    }
}

/// The chain of causes: the whole as a bar, below it what the longest wait was made of, and each
/// wait in a sentence.
fn reasons(chain: &Chain) -> Html {
    let inner: Vec<&Link> = chain.links.iter().filter(|link| link.inside).collect();
    let from: u32 = chain.links.iter().take_while(|link| !link.inside).map(|link| link.share).sum();
    html! {
        <div class="reasons">
            { whole_bar(chain) }
            <p class="lab"><b>{ &chain.held }</b><span>{ &chain.then }</span></p>
            { link_bar(&inner, from) }
            <ol class="chain">
                { for chain.links.iter().map(|link| html! {
                    <li class={(!link.inside).then_some("dim")}>
                        { swatch(link.look) }
                        <span>{ &link.words }</span>
                        <span class="v">{ &link.value }</span>
                    </li>
                }) }
            </ol>
        </div>
    }
}

/// Changes that were tried, each with the latency that it gives; a click makes it.
fn cures(lab: &LabHandle, lang: Lang, tries: &[Try]) -> Html {
    html! {
        <div class="cures">
            <span>{ TRY.get(lang) }</span>
            { for tries.iter().map(|cure| {
                let act = Act::Set { path: cure.path.clone(), text: cure.text.clone() };
                html! {
                    <button type="button" class="btn line small" onclick={does(lab, act)}>
                        { &cure.label }{ " " }
                        <b>{ &cure.value }</b>
                    </button>
                }
            }) }
        </div>
    }
}

/// The whole latency: what belongs to the longest wait in one colour.
fn whole_bar(chain: &Chain) -> Html {
    let hold = chain.hold;
    let mut parts: Vec<Part> = Vec::new();
    for link in &chain.links {
        let cause = if link.inside { hold } else { link.look };
        match parts.last_mut() {
            Some(last) if last.cause == cause => last.share += link.share,
            _ => parts.push(Part { cause, value: String::new(), share: link.share }),
        }
    }
    bar(&parts)
}

/// The links of the longest wait, below their part of the whole.
fn link_bar(links: &[&Link], from: u32) -> Html {
    let percent = |share: u32| format!("{:.3}%", f64::from(share) / 1_000.0);
    let mut at = from;
    let parts = links.iter().map(|link| {
        let (x, width) = (percent(at), percent(link.share));
        at += link.share;
        html! {
            <>
                <rect x={x.clone()} width={width.clone()} height="10" fill={colour_of(link.look)} />
                if let Some(pattern) = pattern_of(link.look) {
                    <rect {x} {width} height="10" fill={pattern} opacity=".75" />
                }
            </>
        }
    });
    html! { <svg class="budget thin" aria-hidden="true">{ for parts }</svg> }
}

/// A button that does something.
pub fn does(lab: &LabHandle, act: Act) -> Callback<MouseEvent> {
    let lab = lab.clone();
    Callback::from(move |_: MouseEvent| lab.act(act.clone()))
}

/// The bar and the table of a latency; the table sums.
fn budget(lang: Lang, chosen: &Inspection) -> Html {
    html! {
        <>
            if chosen.chain.is_none() {
                <h3>{ WHY.get(lang) }</h3>
                { bar(&chosen.parts) }
            }
            <table class="rows">
                <caption class="visually-hidden">{ BUDGET.get(lang) }</caption>
                <tbody>
                    { for chosen.parts.iter().map(|part| html! {
                        <tr>
                            <th scope="row">{ swatch(part.cause) }{ part.cause.text().get(lang) }</th>
                            <td>{ &part.value }</td>
                        </tr>
                    }) }
                    if let Some((name, value)) = &chosen.total {
                        <tr class="sum"><th scope="row">{ name }</th><td>{ value }</td></tr>
                    }
                </tbody>
            </table>
        </>
    }
}

/// The bar: parts to scale, a hair of ground between them.
fn bar(parts: &[Part]) -> Html {
    let percent = |share: u32| format!("{:.3}%", f64::from(share) / 1_000.0);
    let mut from = 0;
    let parts = parts.iter().map(|part| {
        let x = percent(from);
        from += part.share;
        let width = percent(part.share);
        html! {
            <>
                <rect x={x.clone()} width={width.clone()} height="16" fill={colour_of(part.cause)} />
                if let Some(pattern) = pattern_of(part.cause) {
                    <rect x={x.clone()} width={width} height="16" fill={pattern} opacity=".75" />
                }
                <line x1={x.clone()} x2={x} y1="0" y2="16" stroke="var(--paper)" />
            </>
        }
    });
    html! { <svg class="budget" aria-hidden="true">{ for parts }</svg> }
}

fn story(lang: Lang, steps: &[Step], open: bool) -> Html {
    let count = match lang {
        Lang::En => format!("{}, steps: {}", STORY.en, steps.len()),
        Lang::Zh => format!("{}，{} 步", STORY.zh, steps.len()),
    };
    html! {
        <details class="more" {open}>
            <summary>{ count }</summary>
            { list(steps) }
        </details>
    }
}

fn list(steps: &[Step]) -> Html {
    html! {
        <ol class="steps">
            { for steps.iter().map(|step| html! {
                <li><time>{ &step.time }</time><span>{ &step.words }</span></li>
            }) }
        </ol>
    }
}

/// Properties of [`Events`].
#[derive(Properties, PartialEq)]
pub struct EventsProps {
    /// The language.
    pub lang: Lang,
    /// The newest events, newest first.
    pub events: Rc<[Step]>,
}

/// The newest events, as a list that can be read at one's own pace.
#[component]
pub fn Events(props: &EventsProps) -> Html {
    let lang = props.lang;
    html! {
        <section class="panel happened" aria-labelledby="events-title">
            <header><h2 id="events-title">{ EVENTS.get(lang) }</h2></header>
            if props.events.is_empty() {
                <p class="dim">{ NO_EVENTS.get(lang) }</p>
            } else {
                <div class="events" tabindex="0" role="group" aria-labelledby="events-title">
                    { list(&props.events) }
                </div>
            }
        </section>
    }
}
