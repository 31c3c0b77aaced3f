//! A sheet over the page: the browser's own modal dialog, which keeps focus and Escape right.

use wasm_bindgen::JsCast;
use web_sys::HtmlDialogElement;
use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::web::act::Act;
use crate::web::icons::{Icon, icon};
use crate::web::lab::LabHandle;
use crate::web::shell::Sheet;

const CLOSE: Text = Text::new("Close", "关闭");

/// Properties of [`SheetFrame`].
#[derive(Properties, PartialEq)]
pub struct SheetProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// Its title.
    pub title: Text,
    /// More classes.
    #[prop_or_default]
    pub class: Classes,
    /// What it holds.
    pub children: Html,
}

/// The frame of a sheet: title, close, body.
#[component]
pub fn SheetFrame(props: &SheetProps) -> Html {
    let place = use_node_ref();
    let dialog = place.clone();
    use_effect_with((), move |()| {
        // Fails only for a dialog that is open already or not in the page.
        if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
            let _ = dialog.show_modal();
        }
    });
    let lab = props.lab.clone();
    let close = Callback::from(move |_: MouseEvent| lab.act(Act::Sheet(Sheet::None)));
    let lab = props.lab.clone();
    let oncancel = Callback::from(move |_: Event| lab.act(Act::Sheet(Sheet::None)));
    let (lab, ground) = (props.lab.clone(), place.clone());
    // A click on the dialog itself is a click beside its content.
    let onclick = Callback::from(move |event: MouseEvent| {
        let hit = event.target().and_then(|t| t.dyn_into::<HtmlDialogElement>().ok());
        if hit.is_some() && hit == ground.cast::<HtmlDialogElement>() {
            lab.act(Act::Sheet(Sheet::None));
        }
    });
    html! {
        <dialog class={classes!("sheet", props.class.clone())} ref={place} {oncancel} {onclick}
            aria-labelledby="sheet-title">
            <header>
                <h2 id="sheet-title">{ props.title.get(props.lang) }</h2>
                <span class="grow"></span>
                <button type="button" class="btn icon" onclick={close}
                    aria-label={CLOSE.get(props.lang)} title={CLOSE.get(props.lang)}>
                    { icon(Icon::Close) }
                </button>
            </header>
            <div class="body">{ props.children.clone() }</div>
        </dialog>
    }
}
