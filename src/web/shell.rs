//! The page's own state: language, theme, what is open. No word about the simulation.

use std::rc::Rc;

use crate::param::Lang;
use crate::web::dom;

/// Where the choices of the reader are kept, where storage may be used.
const KEY_LANG: &str = "inflight.lang";
const KEY_THEME: &str = "inflight.theme";
const KEY_LETTERS: &str = "inflight.letters";

/// Which colours the page wears.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The two places of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Place {
    /// One scenario, running.
    #[default]
    Lab,
    /// All scenarios.
    Gallery,
}

/// What lies over the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sheet {
    /// Nothing.
    #[default]
    None,
    /// The link of this run and the code to embed it.
    Share,
    /// Keys and words.
    Help,
    /// The scenario as a document.
    Editor,
    /// The `lwipopts.h` of the host at this place of the scenario's.
    Options(u16),
    /// Which guarantees hold, and what breaks them.
    Guarantees,
}

/// What a narrow screen shows below the stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tab {
    /// Tracks.
    #[default]
    Charts,
    /// The ladder, where there is one.
    Ladder,
    /// Knobs.
    Knobs,
    /// What is chosen.
    Chosen,
    /// The full ledger and the last events.
    Ledger,
}

impl Tab {
    /// Its name in the style sheet.
    pub const fn key(self) -> &'static str {
        match self {
            Tab::Charts => "charts",
            Tab::Ladder => "ladder",
            Tab::Knobs => "knobs",
            Tab::Chosen => "chosen",
            Tab::Ledger => "ledger",
        }
    }
}

/// The parts that a host page asked for, when this page stands in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Embed {
    /// Cards, channels, moving messages.
    pub stage: bool,
    /// Play, step, scrubber.
    pub transport: bool,
    /// Sliders.
    pub knobs: bool,
    /// Tracks.
    pub charts: bool,
    /// Sent = delivered + lost + in flight.
    pub ledger: bool,
    /// Two sentences and a question.
    pub story: bool,
    /// What is chosen, and why it waits.
    pub chosen: bool,
    /// The ladder of segments, where there is one.
    pub ladder: bool,
}

impl Embed {
    /// The names of the parts, as `show=` writes them.
    pub const PARTS: [&'static str; 8] =
        ["stage", "transport", "knobs", "charts", "ledger", "story", "chosen", "ladder"];

    /// What a frame shows that names nothing.
    pub const PLAIN: Embed = Embed {
        stage: true,
        transport: true,
        knobs: false,
        charts: false,
        ledger: false,
        story: false,
        chosen: false,
        ladder: false,
    };

    /// The parts that a list names; what it does not know is answered too.
    pub fn of(show: &str) -> (Embed, Vec<String>) {
        let nothing = Embed { stage: false, transport: false, ..Embed::PLAIN };
        let mut embed = nothing;
        let mut unknown = Vec::new();
        for part in show.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match Embed::PARTS.iter().position(|name| *name == part) {
                Some(index) => *embed.part(index) = true,
                None => unknown.push(part.to_string()),
            }
        }
        match embed == nothing {
            true => (Embed::PLAIN, unknown),
            false => (embed, unknown),
        }
    }

    /// The switch of a part, in the order of [`Embed::PARTS`].
    pub fn part(&mut self, index: usize) -> &mut bool {
        match index {
            0 => &mut self.stage,
            1 => &mut self.transport,
            2 => &mut self.knobs,
            3 => &mut self.charts,
            4 => &mut self.ledger,
            5 => &mut self.story,
            6 => &mut self.chosen,
            _ => &mut self.ladder,
        }
    }

    /// The parts as `show=` writes them.
    pub fn show(mut self) -> String {
        let named = (0..Embed::PARTS.len()).filter(|index| *self.part(*index));
        named.map(|index| Embed::PARTS[index]).collect::<Vec<_>>().join(",")
    }
}

/// The page's own state.
#[derive(Clone, PartialEq, Debug)]
pub struct Shell {
    /// The language of every word.
    pub lang: Lang,
    /// The chosen colours.
    pub theme: Theme,
    /// Whether the page is dark now.
    pub dark: bool,
    /// Whether the reader asked for no motion: Play becomes "next event".
    pub steps: bool,
    /// Whether single letters are keys.
    pub letters: bool,
    /// The scenario or the gallery.
    pub place: Place,
    /// What lies over it.
    pub sheet: Sheet,
    /// What a narrow screen shows.
    pub tab: Tab,
    /// Whether the side column is out, on middle screens.
    pub drawer: bool,
    /// The parts to show, in a frame.
    pub embed: Option<Embed>,
    /// Whether the frame starts by itself.
    pub autoplay: bool,
    /// What the address asks for and this page does not know.
    pub unknown: Rc<[String]>,
}

impl Shell {
    /// The state at the start: address first, then what is stored, then what the browser says.
    pub fn at_start() -> Shell {
        let params = dom::search_params();
        let param = |key: &str| params.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        let on = |key: &str| param(key).is_some_and(|v| v != "0" && v != "off" && v != "false");
        let (mut embed, mut unknown) = (None, Vec::new());
        if on("embed") {
            let (parts, strange) = Embed::of(param("show").unwrap_or_default());
            embed = Some(parts);
            unknown.extend(strange.into_iter().map(|part| format!("show={part}")));
        }
        let theme = match param("theme").map(str::to_string).or_else(|| dom::stored(KEY_THEME)) {
            Some(name) if name == "light" => Theme::Light,
            Some(name) if name == "dark" => Theme::Dark,
            _ => Theme::Auto,
        };
        let mut shell = Shell {
            lang: language(param("lang")),
            theme,
            dark: false,
            steps: dom::matches("(prefers-reduced-motion: reduce)"),
            letters: dom::stored(KEY_LETTERS).as_deref() != Some("off"),
            place: Place::Lab,
            sheet: Sheet::None,
            tab: Tab::Charts,
            drawer: false,
            embed,
            autoplay: on("autoplay"),
            unknown: unknown.into(),
        };
        shell.look();
        shell
    }

    /// Changes the language and remembers it.
    pub fn set_lang(&mut self, lang: Lang) {
        self.lang = lang;
        dom::store(KEY_LANG, lang.tag());
        self.look();
    }

    /// Changes the colours and remembers them.
    pub fn set_theme(&mut self, theme: Theme) {
        self.theme = theme;
        let name = match theme {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        dom::store(KEY_THEME, name);
        self.look();
    }

    /// Switches single-letter keys and remembers it.
    pub fn set_letters(&mut self, letters: bool) {
        self.letters = letters;
        dom::store(KEY_LETTERS, if letters { "on" } else { "off" });
    }

    /// Puts language and colours on the `<html>` element.
    pub fn look(&mut self) {
        self.dark = match self.theme {
            Theme::Auto => dom::matches("(prefers-color-scheme: dark)"),
            Theme::Light => false,
            Theme::Dark => true,
        };
        let root = dom::root();
        let tag = match self.lang {
            Lang::En => "en",
            Lang::Zh => "zh-Hans",
        };
        let _ = root.set_attribute("lang", tag);
        let _ = match self.theme {
            Theme::Auto => root.remove_attribute("data-theme"),
            Theme::Light => root.set_attribute("data-theme", "light"),
            Theme::Dark => root.set_attribute("data-theme", "dark"),
        };
    }
}

/// The language: of the link, else stored, else the first of the browser's that we speak.
fn language(link: Option<&str>) -> Lang {
    let stored = dom::stored(KEY_LANG);
    link.and_then(Lang::of_tag)
        .or_else(|| stored.as_deref().and_then(Lang::of_tag))
        .or_else(|| dom::languages().iter().find_map(|tag| Lang::of_tag(tag)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_shows_what_it_names_and_says_what_it_does_not_know() {
        let (embed, unknown) = Embed::of("stage, charts,ladder,memory");
        assert!(embed.stage && embed.charts && embed.ladder && !embed.transport);
        assert_eq!(unknown, ["memory"]);
        assert_eq!(embed.show(), "stage,charts,ladder");
    }

    #[test]
    fn a_frame_that_names_nothing_shows_stage_and_transport() {
        assert_eq!(Embed::of("").0, Embed::PLAIN);
        assert_eq!(Embed::of("nothing-we-know").0, Embed::PLAIN);
    }
}
