//! The address bar: what it opens, and how it follows what the reader does.
//!
//! A fragment names a preset or carries a document; [`crate::world::link`] reads and writes it.
//! Here stands when it is written: replaced when input rests, pushed for what Back should undo,
//! never when it would be the same. Nothing here throws: in a frame the browser may refuse.

use wasm_bindgen::JsValue;

use crate::kernel::SimTime;
use crate::param::{Lang, Said};
use crate::web::dom;
use crate::web::lab::Lab;
use crate::web::shell::Place;
use crate::world::link::{Link, Opened, Source};
use crate::world::preset;
use crate::world::scenario::Scenario;

/// The fragment of the gallery.
pub const GALLERY: &str = "#gallery";

/// What an address, a preset or a document leads to.
pub struct Visit {
    /// The run.
    pub opened: Opened,
    /// The scenario or the gallery.
    pub place: Place,
    /// What was not understood, sentence by sentence.
    pub notices: Vec<Said>,
}

impl Visit {
    /// The lab with a scenario as it is.
    fn plain(source: Source, scenario: Scenario) -> Visit {
        let opened = Opened {
            scenario,
            source,
            log: Vec::new(),
            shown: SimTime::ZERO,
            engine: None,
            fingerprint: None,
            notices: Vec::new(),
        };
        Visit { opened, place: Place::Lab, notices: Vec::new() }
    }

    /// The first preset.
    fn first() -> Visit {
        let preset = &preset::ALL[0];
        Visit::plain(Source::Preset(preset.id.to_string()), preset.open())
    }
}

/// What a source opens to; the first preset, and notices, when it cannot be opened.
pub fn visit_source(source: &Source) -> Visit {
    visit_link(&Link::to(source.clone()), Vec::new())
}

/// What a fragment names; bad parts become notices, an empty one opens the first preset.
pub fn visit_fragment(fragment: &str) -> Visit {
    match fragment {
        "" | "#" => Visit::first(),
        GALLERY => Visit { place: Place::Gallery, ..Visit::first() },
        _ => {
            let (link, notices) = Link::parse(fragment);
            let said = notices.iter().map(|n| Said::new(n.say(Lang::En), n.say(Lang::Zh)));
            visit_link(&link, said.collect())
        }
    }
}

fn visit_link(link: &Link, mut notices: Vec<Said>) -> Visit {
    match link.open() {
        Ok(opened) => {
            let more = opened.notices.iter();
            notices.extend(more.map(|n| Said::new(n.say(Lang::En), n.say(Lang::Zh))));
            Visit { opened, place: Place::Lab, notices }
        }
        Err(more) => {
            notices.extend(more.iter().map(|n| Said::new(n.say(Lang::En), n.say(Lang::Zh))));
            Visit { notices, ..Visit::first() }
        }
    }
}

/// The fragment of the run at the shown instant.
pub fn link_of(lab: &Lab) -> String {
    let session = &lab.session;
    let log: Vec<_> = session.log().iter().map(|e| (e.at, e.command.clone())).collect();
    let mut link = Link::of(
        lab.source.clone(),
        session.scenario(),
        &log,
        session.now(),
        session.fingerprint(),
    );
    // Before the first event there is nothing to compare; between two events of one instant
    // there is no name for where the run stands.
    let between = session.next_event() == Some(session.now());
    if between || session.events() == 0 {
        link.fingerprint = None;
    }
    link.write()
}

/// The document of the running scenario: as it was written, unless it was changed.
pub fn document_of(lab: &Lab) -> String {
    let scenario = lab.session.scenario();
    let written = match &lab.source {
        Source::Document(text) => Some(text.as_str()),
        Source::Preset(id) => preset::find(id).map(|preset| preset.text),
        Source::Nothing => None,
    };
    match written {
        Some(text) if scenario.changes().is_empty() => text.to_string(),
        _ => scenario.to_toml(),
    }
}

/// The address bar as this page last left it.
#[derive(Default)]
pub struct Address {
    written: String,
    /// Writes that the browser did not take in a row.
    n_refused: u32,
}

/// Writes that are tried in a row before the address is left as it is.
const TRIES: u32 = 40;

impl Address {
    /// The address at the start.
    pub fn of(_lab: &Lab) -> Address {
        Address { written: hash(), n_refused: 0 }
    }

    /// Whether the address is another than the one written here: Back, Forward, or by hand.
    pub fn is_elsewhere(&self) -> bool {
        hash() != self.written
    }

    /// What the address names was opened.
    pub fn arrived(&mut self) {
        self.written = hash();
    }

    /// Puts this run in place of what the address names. `false`: the browser did not take it.
    pub fn replace(&mut self, lab: &Lab) -> bool {
        let fragment = fragment_of(lab);
        if fragment == self.written {
            return true;
        }
        let Ok(history) = dom::window().history() else { return true };
        let asked = history.replace_state_with_url(&JsValue::NULL, "", Some(&fragment));
        self.settle(fragment, asked.is_ok())
    }

    /// Puts this run after what the address names, so that Back leads there.
    pub fn push(&mut self, lab: &Lab) {
        let fragment = fragment_of(lab);
        if fragment == self.written {
            return;
        }
        let Ok(history) = dom::window().history() else { return };
        let asked = history.push_state_with_url(&JsValue::NULL, "", Some(&fragment));
        self.settle(fragment, asked.is_ok());
    }

    /// Some browsers drop an address without a word: only what stands there counts.
    fn settle(&mut self, fragment: String, asked: bool) -> bool {
        let there = hash();
        let taken = there == fragment;
        self.written = there;
        self.n_refused = if taken { 0 } else { self.n_refused + 1 };
        // A browser that throws (a frame made from text) will throw again: leave it.
        taken || !asked || TRIES <= self.n_refused
    }
}

fn hash() -> String {
    dom::window().location().hash().unwrap_or_default()
}

fn fragment_of(lab: &Lab) -> String {
    match lab.shell.place {
        Place::Gallery => GALLERY.to_string(),
        Place::Lab => link_of(lab),
    }
}
