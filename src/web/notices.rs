//! Notices: what has to be said, one by one, until it is dismissed.

use std::rc::Rc;

use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::web::act::Act;
use crate::web::icons::{Icon, icon};
use crate::web::lab::LabHandle;
use crate::web::readout::{Notice, Tone};

const NOTICES: Text = Text::new("Notices", "提示");
const DISMISS: Text = Text::new("Dismiss", "知道了");

/// Properties of [`Notices`].
#[derive(Properties, PartialEq)]
pub struct NoticesProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// What has to be said.
    pub notices: Rc<[Notice]>,
}

/// All notices; in the page from the start, so that screen readers hear what comes.
#[component]
pub fn Notices(props: &NoticesProps) -> Html {
    let NoticesProps { lab, lang, notices } = props;
    let does = |act: Act| {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.act(act.clone()))
    };
    html! {
        <div class="notices" role="alert" aria-label={NOTICES.get(*lang)}>
            { for notices.iter().map(|notice| html! {
                <div key={notice.id} class={classes!("notice", tone(notice.tone))}>
                    <div>
                        <b>{ &notice.title }</b>
                        <p>{ &notice.text }</p>
                        if let Some((word, act)) = &notice.way {
                            <button type="button" class="btn line small"
                                onclick={does(act.clone())}>{ word }</button>
                        }
                    </div>
                    <button type="button" class="btn icon small" onclick={does(Act::Dismiss(notice.id))}
                        aria-label={DISMISS.get(*lang)} title={DISMISS.get(*lang)}>
                        { icon(Icon::Close) }
                    </button>
                </div>
            }) }
        </div>
    }
}

const fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Warn => "warn",
        Tone::Bad => "bad",
    }
}
