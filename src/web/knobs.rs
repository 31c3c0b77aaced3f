//! The knobs: every parameter's control comes from its declaration, grouped by node.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::web::act::Act;
use crate::web::icons::{Icon, icon};
use crate::web::lab::LabHandle;
use crate::web::part::Range;
use crate::web::readout::{Control, Group, Knob, Knobs};
use crate::web::steppers::steppers;

const KNOBS: Text = Text::new("Knobs", "可调参数");
const RESET: Text = Text::new("Reset", "还原");
const MORE: Text = Text::new("All parameters", "全部参数");

/// Choices up to this many stand side by side when their words are short; more become a list.
const SIDE_BY_SIDE: usize = 3;

/// Properties of [`KnobsPanel`].
#[derive(Properties, PartialEq)]
pub struct KnobsProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// What to show.
    pub knobs: Rc<Knobs>,
}

/// The panel of knobs.
#[component]
pub fn KnobsPanel(props: &KnobsProps) -> Html {
    let KnobsProps { lab, lang, knobs } = props;
    let reset = {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.act(Act::Reset))
    };
    let changed = match lang {
        Lang::En => format!("changed: {}", knobs.changed),
        Lang::Zh => format!("已改 {} 项", knobs.changed),
    };
    let groups = |groups: &[Group]| -> Html {
        groups
            .iter()
            .map(|group| {
                html! {
                    <GroupView key={group.title.clone()} lab={lab.clone()} lang={*lang}
                        group={group.clone()} />
                }
            })
            .collect()
    };
    html! {
        <section class="panel knobs" id="knobs" aria-labelledby="knobs-title">
            <header>
                <h2 id="knobs-title">{ KNOBS.get(*lang) }</h2>
                <span class="grow"></span>
                if 0 < knobs.changed {
                    <span class="dim">{ changed }</span>
                    <button type="button" class="link" onclick={reset}>{ RESET.get(*lang) }</button>
                }
            </header>
            { groups(&knobs.front) }
            if !knobs.steppers.is_empty() { { steppers(lab, &knobs.steppers, "knobs") } }
            if !knobs.more.is_empty() {
                <details class="more">
                    <summary>{ MORE.get(*lang) }</summary>
                    { groups(&knobs.more) }
                </details>
            }
        </section>
    }
}

/// Properties of [`GroupView`].
#[derive(Properties, PartialEq)]
struct GroupProps {
    lab: LabHandle,
    lang: Lang,
    group: Group,
}

/// The knobs of one node.
#[component]
fn GroupView(props: &GroupProps) -> Html {
    html! {
        <>
            <h3>{ &props.group.title }</h3>
            { for props.group.knobs.iter().map(|knob| html! {
                <KnobView key={knob.path.clone()} lab={props.lab.clone()} lang={props.lang}
                    knob={knob.clone()} />
            }) }
        </>
    }
}

/// Properties of [`KnobView`].
#[derive(Properties, PartialEq)]
struct KnobProps {
    lab: LabHandle,
    lang: Lang,
    knob: Knob,
}

/// One knob: label, control, value, and the way back to the default.
#[component]
fn KnobView(props: &KnobProps) -> Html {
    let KnobProps { lab, lang, knob } = props;
    let id = format!("knob-{}", knob.path.replace('.', "-"));
    let row = !matches!(knob.control, Control::Slider { .. });
    let class = classes!("knob", knob.changed.then_some("changed"), row.then_some("row"));
    let label = html! {
        <label class="name" for={id.clone()} title={knob.help.clone()}>{ &knob.name }</label>
    };
    let undo = knob.changed.then(|| undo(lab, *lang, knob));
    match &knob.control {
        Control::Slider { position, default } => html! {
            <div {class}>
                { label }
                <output for={id.clone()}>{ &knob.value }</output>
                { undo }
                <Range {id} value={*position} max=1000 tick={*default} text={knob.value.clone()}
                    oninput={slide(lab, &knob.path)} onstep={nudge(lab, &knob.path)} />
            </div>
        },
        Control::Switch(on) => html! {
            <div {class}>
                { label }
                <input {id} type="checkbox" role="switch" class="switch" checked={*on}
                    onchange={switch(lab, &knob.path)} />
                { undo }
            </div>
        },
        Control::Choice(options, chosen) => choice(lab, knob, class, id, options, *chosen, undo),
        Control::List(text) => html! {
            <div {class}>
                { label }
                { undo }
                <input {id} class="field list" type="text" value={text.clone()} spellcheck="false"
                    autocomplete="off" onchange={typed(lab, &knob.path)} />
            </div>
        },
    }
}

/// A choice: side by side when it is short, else a list.
fn choice(
    lab: &LabHandle,
    knob: &Knob,
    class: Classes,
    id: String,
    options: &[(String, String)],
    chosen: usize,
    undo: Option<Html>,
) -> Html {
    let width: usize = options.iter().map(|(_, word)| width_of(word) + 2).sum();
    let tall = 22 < width + width_of(&knob.name);
    if SIDE_BY_SIDE < options.len() || 36 < width {
        return html! {
            <div {class}>
                <label class="name" for={id.clone()} title={knob.help.clone()}>{ &knob.name }</label>
                { undo }
                <select {id} class="field" onchange={picked(lab, &knob.path)}>
                    { for options.iter().enumerate().map(|(index, (key, word))| html! {
                        <option value={key.clone()} selected={index == chosen}>{ word }</option>
                    }) }
                </select>
            </div>
        };
    }
    let class = classes!(class, tall.then_some("tall"));
    let option = |(index, (key, word)): (usize, &(String, String))| {
        let (lab, path, text) = (lab.clone(), knob.path.clone(), key.clone());
        let onclick = Callback::from(move |_: MouseEvent| {
            lab.act(Act::Set { path: path.clone(), text: text.clone() });
        });
        let pressed = if index == chosen { "true" } else { "false" };
        html! { <button type="button" aria-pressed={pressed} {onclick}>{ word }</button> }
    };
    html! {
        <div {class}>
            <span class="name" id={id.clone()} title={knob.help.clone()}>{ &knob.name }</span>
            { undo }
            <span class="seg" role="group" aria-labelledby={id}>
                { for options.iter().enumerate().map(option) }
            </span>
        </div>
    }
}

/// The width of a word in half characters, roughly: a Chinese character counts two.
fn width_of(word: &str) -> usize {
    word.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

fn undo(lab: &LabHandle, lang: Lang, knob: &Knob) -> Html {
    let (lab, path) = (lab.clone(), knob.path.clone());
    let onclick = Callback::from(move |_: MouseEvent| lab.act(Act::Unset(path.clone())));
    let words = match lang {
        Lang::En => format!("{}: back to the default", knob.name),
        Lang::Zh => format!("{}：还原", knob.name),
    };
    html! {
        <button type="button" class="btn icon small undo" aria-label={words.clone()} title={words}
            {onclick}>{ icon(Icon::Undo) }</button>
    }
}

fn slide(lab: &LabHandle, path: &str) -> Callback<u32> {
    let (lab, path) = (lab.clone(), path.to_string());
    Callback::from(move |position| lab.act(Act::Slide { path: path.clone(), position }))
}

fn nudge(lab: &LabHandle, path: &str) -> Callback<i32> {
    let (lab, path) = (lab.clone(), path.to_string());
    Callback::from(move |steps| lab.act(Act::Nudge { path: path.clone(), steps }))
}

fn switch(lab: &LabHandle, path: &str) -> Callback<Event> {
    set(lab, path, |event| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        Some(if input.checked() { "on" } else { "off" }.to_string())
    })
}

fn typed(lab: &LabHandle, path: &str) -> Callback<Event> {
    set(lab, path, |event| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        Some(input.value())
    })
}

fn picked(lab: &LabHandle, path: &str) -> Callback<Event> {
    set(lab, path, |event| {
        let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
        Some(select.value())
    })
}

fn set(
    lab: &LabHandle,
    path: &str,
    read: impl Fn(&Event) -> Option<String> + 'static,
) -> Callback<Event> {
    let (lab, path) = (lab.clone(), path.to_string());
    Callback::from(move |event: Event| {
        if let Some(text) = read(&event) {
            lab.act(Act::Set { path: path.clone(), text });
        }
    })
}
