//! Small drawings inside the page: icons of controls, glyphs of message states, swatches of causes.

use yew::prelude::*;

use crate::model::Cause;
use crate::view::cause_fill::fill_of;
use crate::view::draw::{Glyph, Pattern};

/// An icon of a control, on a 16 x 16 field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icon {
    /// Back to the start.
    ToStart,
    /// One event back.
    Back,
    /// Play.
    Play,
    /// Pause.
    Pause,
    /// One event on.
    Forward,
    /// All scenarios.
    Grid,
    /// Share.
    Share,
    /// Light, dark, auto.
    Theme,
    /// Help and keys.
    Help,
    /// Close.
    Close,
    /// Write or edit a document.
    Pen,
    /// Opens in a page of its own.
    Out,
    /// Back to the default.
    Undo,
    /// In order.
    Check,
    /// The side column.
    Knobs,
    /// Closer.
    Plus,
    /// Farther.
    Minus,
    /// All of it.
    Fit,
    /// Onto the reader's disk.
    Download,
}

impl Icon {
    /// Whether it is drawn with lines, and its path.
    const fn path(self) -> (bool, &'static str) {
        match self {
            Icon::ToStart => (false, "M13 3.2v9.6L8 8zM8 3.2v9.6L3 8z"),
            Icon::Back => (false, "M12.5 3.2v9.6L6 8zM3.2 3H5v10H3.2z"),
            Icon::Play => (false, "M5 3.2v9.6L13 8z"),
            Icon::Pause => (false, "M4 3h3v10H4zM9 3h3v10H9z"),
            Icon::Forward => (false, "M3.5 3.2v9.6L10 8zM11 3h1.8v10H11z"),
            Icon::Grid => {
                (true, "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z")
            }
            Icon::Share => (true, "M8 10V2.5M5 5l3-3 3 3M3 8.5V13h10V8.5"),
            Icon::Theme => (true, "M8 2.8a5.2 5.2 0 1 0 0 10.4a5.2 5.2 0 1 0 0-10.4z"),
            Icon::Help => (
                true,
                "M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6zM6.2 6.4a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.6-.8 1.2M8 11.3v.2",
            ),
            Icon::Close => (true, "m4 4 8 8M12 4l-8 8"),
            Icon::Pen => (true, "M3 13l.6-2.8 7-7 2.2 2.2-7 7zM9.4 4.4l2.2 2.2"),
            Icon::Out => (true, "M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5"),
            Icon::Undo => (true, "M5.5 3.5 3 6l2.5 2.5M3.2 6h5.6a3.6 3.6 0 0 1 0 7.2H6"),
            Icon::Check => (true, "m3.5 8.5 3 3 6-7"),
            Icon::Plus => (true, "M8 3v10M3 8h10"),
            Icon::Minus => (true, "M3 8h10"),
            Icon::Fit => (true, "M3 6V3h3M13 6V3h-3M3 10v3h3M13 10v3h-3"),
            Icon::Download => (true, "M8 2.5V10M5 7.2l3 3 3-3M3 13h10"),
            Icon::Knobs => (
                true,
                "M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M8.5 5a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0M4.5 11a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0",
            ),
        }
    }
}

/// Draws an icon; it says nothing to a screen reader, its control does.
pub fn icon(icon: Icon) -> Html {
    sized(icon, "16", classes!("ic"))
}

/// Draws an icon of another size, with more classes.
pub fn sized(icon: Icon, size: &'static str, class: Classes) -> Html {
    let (lined, path) = icon.path();
    let half = (icon == Icon::Theme).then(|| {
        html! {
            <path d="M8 2.8a5.2 5.2 0 0 1 0 10.4z" fill="currentColor" />
        }
    });
    let body = match lined {
        true => html! {
            <path d={path} fill="none" stroke="currentColor" stroke-width="1.5"
                stroke-linecap="round" stroke-linejoin="round" />
        },
        false => html! { <path d={path} fill="currentColor" /> },
    };
    html! {
        <svg {class} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
            { body }{ half }
        </svg>
    }
}

/// The shape of a state around the origin, 12 across.
pub fn shape(state: Glyph) -> Html {
    match state {
        Glyph::New => html! {
            <circle r="4.4" fill="var(--paper)" stroke="var(--state-new)" stroke-width="1.6" />
        },
        Glyph::Flight => html! { <circle r="5.2" fill="var(--state-flight)" /> },
        Glyph::Wait => html! {
            <rect x="-4.8" y="-4.8" width="9.6" height="9.6" rx="1.5" fill="var(--state-wait)" />
        },
        Glyph::Done => html! { <>
            <circle r="5.6" fill="var(--state-done)" />
            <path d="m-2.7 .2 1.9 1.9 3.5-4" fill="none" stroke="var(--paper)" stroke-width="1.6"
                stroke-linecap="round" stroke-linejoin="round" />
        </> },
        Glyph::Again => html! { <>
            <circle r="3.1" fill="var(--state-again)" />
            <circle r="5.6" fill="none" stroke="var(--state-again)" stroke-width="1.5" />
        </> },
        Glyph::Twice => html! { <>
            <circle cx="2" r="3.9" fill="var(--paper)" stroke="var(--state-dup)" stroke-width="1.5" />
            <circle cx="-2" r="3.9" fill="var(--state-dup)" stroke="var(--paper)" stroke-width="1" />
        </> },
        Glyph::Ack => html! { <circle r="2.6" fill="var(--state-done)" /> },
        Glyph::Fault => html! {
            <path d="M1 -6 -4 1.2h3.2L-1.4 6.4 4 -1h-3.4z" fill="var(--bad-ink)" />
        },
        Glyph::Lost => html! {
            <path d="M-4-4 4 4M4-4-4 4" stroke="var(--state-lost)" stroke-width="2.4"
                stroke-linecap="round" />
        },
    }
}

/// Draws the glyph of a state, 14 or more pixels wide.
pub fn glyph(state: Glyph, size: &'static str) -> Html {
    html! {
        <svg class="gl" width={size} height={size} viewBox="-7 -7 14 14" aria-hidden="true">
            { shape(state) }
        </svg>
    }
}

/// The mark of the project.
pub fn brand() -> Html {
    html! {
        <svg width="22" height="16" viewBox="0 0 22 16" aria-hidden="true">
            <path d="M1 8h20" stroke="var(--line-strong)" stroke-width="1.4" />
            <circle cx="5" cy="8" r="2.2" fill="var(--paper)" stroke="var(--accent)"
                stroke-width="1.4" />
            <circle cx="14.5" cy="8" r="3.6" fill="var(--accent)" />
        </svg>
    }
}

/// The patterns that tell causes of one group apart; once per page.
pub fn patterns() -> Html {
    html! {
        <svg width="0" height="0" class="visually-hidden" aria-hidden="true"><defs>
            <pattern id="p-hatch" width="6" height="6" patternUnits="userSpaceOnUse"
                patternTransform="rotate(45)">
                <rect width="1.8" height="6" fill="var(--paper)" />
            </pattern>
            <pattern id="p-dots" width="6" height="6" patternUnits="userSpaceOnUse">
                <circle cx="3" cy="3" r="1.25" fill="var(--paper)" />
            </pattern>
            <pattern id="p-lines" width="6" height="5" patternUnits="userSpaceOnUse">
                <rect width="6" height="1.6" fill="var(--paper)" />
            </pattern>
        </defs></svg>
    }
}

/// A cause's colour as a presentation attribute.
pub fn colour_of(cause: Cause) -> String {
    format!("var(--{})", fill_of(cause).0.name())
}

/// The pattern over a cause's colour as a presentation attribute; nothing when it is solid.
pub const fn pattern_of(cause: Cause) -> Option<&'static str> {
    match fill_of(cause).1 {
        Pattern::Solid => None,
        Pattern::Hatch => Some("url(#p-hatch)"),
        Pattern::Dots => Some("url(#p-dots)"),
        Pattern::Lines => Some("url(#p-lines)"),
    }
}

/// A small square in the fill of a cause.
pub fn swatch(cause: Cause) -> Html {
    html! {
        <svg class="sw" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
            <rect width="12" height="12" rx="2" fill={colour_of(cause)} />
            if let Some(pattern) = pattern_of(cause) {
                <rect width="12" height="12" rx="2" fill={pattern} opacity=".75" />
            }
        </svg>
    }
}
