//! Small parts that several components share.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

use crate::web::dom;

/// Properties of [`Range`].
#[derive(Properties, PartialEq)]
pub struct RangeProps {
    /// The id that a label names.
    pub id: AttrValue,
    /// Where it stands.
    pub value: u32,
    /// The last position.
    pub max: u32,
    /// Where the default stands, when it should be marked.
    #[prop_or_default]
    pub tick: Option<u32>,
    /// The value with its unit, for screen readers.
    pub text: AttrValue,
    /// Called with the new position.
    pub oninput: Callback<u32>,
    /// Called by arrow keys with steps up or down; without it the browser moves the slider.
    #[prop_or_default]
    pub onstep: Option<Callback<i32>>,
}

/// A native slider whose filled part and default tick are drawn by custom properties.
#[component]
pub fn Range(props: &RangeProps) -> Html {
    let place = use_node_ref();
    let share = |value: u32| format!("{:.4}", f64::from(value) / f64::from(props.max.max(1)));
    let (v, d) = (share(props.value), props.tick.map(share));
    let ground = place.clone();
    use_effect_with((v, d), move |(v, d)| {
        if let Some(element) = ground.cast::<Element>() {
            dom::css_var(&element, "--v", v);
            dom::css_var(&element, "--d", d.as_deref().unwrap_or("0"));
        }
    });
    let call = props.oninput.clone();
    let oninput = Callback::from(move |event: InputEvent| {
        if let Some(position) = number(&event) {
            call.emit(position);
        }
    });
    let step = props.onstep.clone();
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        if let (Some(step), Some(steps)) = (&step, steps_of(&event.key())) {
            event.prevent_default();
            step.emit(steps);
        }
    });
    html! {
        <span class="range" ref={place}>
            if props.tick.is_some_and(|tick| tick != props.value) {
                <i class="tick"></i>
            }
            <input type="range" id={props.id.clone()} min="0" max={props.max.to_string()} step="1"
                value={props.value.to_string()} aria-valuetext={props.text.clone()}
                {oninput} {onkeydown} />
        </span>
    }
}

/// Steps that an arrow key moves a slider by.
fn steps_of(key: &str) -> Option<i32> {
    match key {
        "ArrowRight" | "ArrowUp" => Some(1),
        "ArrowLeft" | "ArrowDown" => Some(-1),
        "PageUp" => Some(10),
        "PageDown" => Some(-10),
        _ => None,
    }
}

/// The whole number that a slider stands at.
pub fn number(event: &impl AsRef<Event>) -> Option<u32> {
    let input: HtmlInputElement = event.as_ref().target()?.dyn_into().ok()?;
    let value = input.value_as_number();
    (value.is_finite() && 0.0 <= value).then_some(value as u32)
}
