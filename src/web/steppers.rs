//! Consumers and partitions: how many, and a button for one less and one for one more.

use yew::prelude::*;

use crate::view::members::{Doing, Step, Stepper};
use crate::web::act::Act;
use crate::web::icons::{Icon, icon};
use crate::web::inspector::does;
use crate::web::lab::LabHandle;

/// The rows. Why a button cannot be pressed stands below it; `place` tells one list of rows on the
/// page from another.
pub fn steppers(lab: &LabHandle, all: &[Stepper], place: &str) -> Html {
    let rows = all.iter().enumerate().map(|(n, stepper)| {
        let id = |sign: &str| format!("{place}-{n}-{sign}");
        let why = |step: &Step, sign: &str| {
            let why = step.deed.is_none().then_some(&step.words);
            why.map(|words| html! { <p class="dim" id={id(sign)}>{ words }</p> })
        };
        html! {
            <div class="stepper" role="group" aria-label={stepper.name.clone()}>
                <span class="name">{ &stepper.name }</span>
                { button(lab, &stepper.less, Icon::Minus, id("less")) }
                <output>{ &stepper.value }</output>
                { button(lab, &stepper.more, Icon::Plus, id("more")) }
                { why(&stepper.less, "less") }
                { why(&stepper.more, "more") }
            </div>
        }
    });
    html! { <div class="steppers">{ for rows }</div> }
}

fn button(lab: &LabHandle, step: &Step, sign: Icon, why: String) -> Html {
    let act = step.deed.as_ref().map(|deed| match deed.clone() {
        Doing::Set(path, text) => Act::Set { path, text },
        Doing::Grow(group) => Act::Grow(group),
    });
    let disabled = act.is_none();
    html! {
        <button type="button" class="btn line icon small" {disabled} title={step.words.clone()}
            aria-label={step.words.clone()} aria-describedby={disabled.then_some(why)}
            onclick={act.map(|act| does(lab, act))}>
            { icon(sign) }
        </button>
    }
}
