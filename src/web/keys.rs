//! The keyboard: what a key does. Controls and text fields keep their own keys.

use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};

use crate::param::Lang;
use crate::view::Chosen;
use crate::web::act::Act;
use crate::web::dom;
use crate::web::shell::{Place, Sheet, Shell, Tab};

/// Events of a long step, with Shift.
const LONG: u32 = 10;
/// Thousandths of the run that an arrow key scrubs, and with Shift.
const SCRUB: (i32, i32) = (5, 50);

/// What a key does, or nothing.
pub fn act_of(event: &KeyboardEvent, shell: &Shell) -> Option<Act> {
    if event.is_composing() || event.ctrl_key() || event.alt_key() || event.meta_key() {
        return None;
    }
    let target = event.target().and_then(|t| t.dyn_into::<Element>().ok());
    let scrubber = target.as_ref().is_some_and(|t| t.has_attribute("data-scrub"));
    let control = !scrubber && target.as_ref().is_some_and(dom::is_control);
    if target.as_ref().is_some_and(dom::is_text_field) {
        return None;
    }
    let key = Key { name: event.key(), shift: event.shift_key(), control };
    act(&key, shell)
}

/// The share of a ladder's height that a key moves it by.
const PAN: f64 = 0.25;

/// A key as the table below reads it.
struct Key {
    name: String,
    shift: bool,
    /// Whether it was pressed on a control that has keys of its own.
    control: bool,
}

fn act(key: &Key, shell: &Shell) -> Option<Act> {
    if shell.sheet != Sheet::None {
        // The dialog itself closes on Escape; everything else belongs to what it holds.
        return None;
    }
    if shell.place == Place::Gallery {
        return match key.name.as_str() {
            "Escape" => Some(Act::Place(Place::Lab)),
            _ => letter(key, shell),
        };
    }
    let steps = if key.shift { LONG } else { 1 };
    let scrub = if key.shift { SCRUB.1 } else { SCRUB.0 };
    match key.name.as_str() {
        "." | ">" => return Some(Act::Step(steps)),
        "," | "<" => return Some(Act::StepBack(steps)),
        "[" => return Some(Act::Faster(-1)),
        "]" => return Some(Act::Faster(1)),
        "Escape" => return Some(Act::Choose(Chosen::Nothing)),
        _ => {}
    }
    if !key.control {
        match key.name.as_str() {
            " " => return Some(Act::Toggle),
            "Home" => return Some(Act::ToStart),
            "End" => return Some(Act::ToEnd),
            "ArrowLeft" => return Some(Act::Scrub(-scrub)),
            "ArrowRight" => return Some(Act::Scrub(scrub)),
            _ => {}
        }
    }
    letter(key, shell)
}

/// Single letters, which the reader can switch off.
fn letter(key: &Key, shell: &Shell) -> Option<Act> {
    if !shell.letters {
        return None;
    }
    let other_lang = match shell.lang {
        Lang::En => Lang::Zh,
        Lang::Zh => Lang::En,
    };
    let lab = shell.place == Place::Lab;
    match key.name.to_ascii_lowercase().as_str() {
        "?" | "？" => Some(Act::Sheet(Sheet::Help)),
        "l" => Some(Act::Lang(other_lang)),
        "g" if shell.embed.is_none() => {
            Some(Act::Place(if lab { Place::Gallery } else { Place::Lab }))
        }
        "k" if lab => Some(Act::Tab(Tab::Knobs)),
        "c" if lab => Some(Act::CrashChosen),
        "n" if lab => Some(Act::SendOne),
        "w" | "+" | "=" if lab => Some(Act::Zoom { steps: 1.0, around: None }),
        "s" | "-" if lab => Some(Act::Zoom { steps: -1.0, around: None }),
        "a" if lab => Some(Act::Pan(-PAN)),
        "d" if lab => Some(Act::Pan(PAN)),
        "f" if lab => Some(Act::Fit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::web::shell::Theme;

    fn shell() -> Shell {
        Shell {
            lang: Lang::En,
            theme: Theme::Auto,
            dark: false,
            steps: false,
            letters: true,
            place: Place::Lab,
            sheet: Sheet::None,
            tab: Tab::Charts,
            drawer: false,
            embed: None,
            autoplay: false,
            unknown: Rc::new([]),
        }
    }

    fn press(name: &str, shift: bool, control: bool, shell: &Shell) -> Option<Act> {
        act(&Key { name: name.to_string(), shift, control }, shell)
    }

    #[test]
    fn the_point_steps_one_event_and_ten_with_shift() {
        let shell = shell();
        assert_eq!(press(".", false, false, &shell), Some(Act::Step(1)));
        assert_eq!(press(">", true, false, &shell), Some(Act::Step(10)));
        assert_eq!(press("<", true, true, &shell), Some(Act::StepBack(10)));
    }

    #[test]
    fn a_control_keeps_its_own_keys() {
        let shell = shell();
        assert_eq!(press(" ", false, false, &shell), Some(Act::Toggle));
        for name in [" ", "Home", "End", "ArrowLeft", "ArrowRight"] {
            assert_eq!(press(name, false, true, &shell), None, "{name}");
        }
    }

    #[test]
    fn letters_can_be_switched_off_and_a_sheet_has_its_own_keys() {
        let quiet = Shell { letters: false, ..shell() };
        assert_eq!(press("l", false, false, &quiet), None);
        assert_eq!(press(".", false, false, &quiet), Some(Act::Step(1)));
        let sheet = Shell { sheet: Sheet::Share, ..shell() };
        assert_eq!(press(" ", false, false, &sheet), None);
        assert_eq!(press("l", false, false, &shell()), Some(Act::Lang(Lang::Zh)));
    }
}
