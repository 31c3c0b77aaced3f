//! What the components show: small, plain, comparable, in the language of the page.
//!
//! The frame loop makes a readout at most ten times a second and hands it on only when it
//! differs. Components get their own part of it and nothing else.

use std::rc::Rc;

use crate::kernel::SimTime;
use crate::observe::Verdict;
use crate::view::inspect::{Inspection, Step};
use crate::view::members::Stepper;
use crate::web::act::Act;
use crate::web::bench::Shown;
use crate::web::shell::Shell;
use crate::web::sizes::SizesSight;

/// Everything that the components show.
#[derive(Clone, PartialEq, Debug)]
pub struct Readout {
    /// The page's own state.
    pub shell: Shell,
    /// Title, story, question.
    pub story: Rc<Story>,
    /// The transport bar.
    pub clock: Clock,
    /// The scrubber's marks.
    pub marks: Rc<[Mark]>,
    /// The sliders.
    pub knobs: Rc<Knobs>,
    /// What is chosen.
    pub chosen: Rc<Inspection>,
    /// It is shown though nothing is chosen: the message that waited longest.
    pub offered: bool,
    /// Changes that would have helped it: path, value, what they are called, what they give.
    pub cures: Rc<[Try]>,
    /// The search for the least memory.
    pub sizes: SizesSight,
    /// The ledger line.
    pub ledger: Ledger,
    /// Which guarantees hold.
    pub guarantees: Rc<Guarantees>,
    /// Whether there is a ladder.
    pub ladder: bool,
    /// Whether there is a log broker with groups.
    pub log: bool,
    /// Seed and fingerprint.
    pub run: Run,
    /// What has to be said, one by one.
    pub notices: Rc<[Notice]>,
    /// The newest events, newest first.
    pub events: Rc<[Step]>,
    /// The newest sentence for the status line of screen readers.
    pub status: String,
    /// The newest fault or end, for screen readers.
    pub alert: String,
    /// Changes when tables and labels of the canvases should be made anew.
    pub tick: u64,
}

/// Title, story, question.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Story {
    /// Its title.
    pub title: String,
    /// Two sentences.
    pub story: String,
    /// One question.
    pub question: String,
}

/// The transport bar.
#[derive(Clone, PartialEq, Debug)]
pub struct Clock {
    /// The shown instant.
    pub now: SimTime,
    /// The end of the run.
    pub until: SimTime,
    /// Whether time passes.
    pub playing: bool,
    /// Whether nothing more happens.
    pub finished: bool,
    /// Whether Play steps from event to event.
    pub steps: bool,
    /// The place on the list of speeds.
    pub speed: u8,
    /// The next event: what, and in how long.
    pub next: Option<(String, String)>,
}

/// The kind of a mark on the scrubber.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkKind {
    /// Something broke.
    Fault,
    /// A message is lost on purpose.
    Drop,
    /// A parameter changes, or something is mended.
    Change,
}

/// A mark on the scrubber.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// Its place, in hundred-thousandths of the run.
    pub place: u32,
    /// Its shape.
    pub kind: MarkKind,
    /// What happens.
    pub words: String,
}

/// The sliders, by node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Knobs {
    /// What the author puts in front of the reader.
    pub front: Vec<Group>,
    /// Consumers and partitions of brokers.
    pub steppers: Vec<Stepper>,
    /// Every other parameter.
    pub more: Vec<Group>,
    /// How many differ from the document.
    pub changed: usize,
}

/// The parameters of one node.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// The node's name.
    pub title: String,
    /// The parameters.
    pub knobs: Vec<Knob>,
}

/// One parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Knob {
    /// Its path, as in a link.
    pub path: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub help: String,
    /// Its value with its unit.
    pub value: String,
    /// Whether it differs from the document.
    pub changed: bool,
    /// How it is set.
    pub control: Control,
}

/// How a parameter is set.
#[derive(Clone, PartialEq, Debug)]
pub enum Control {
    /// A slider from 0 to 1000.
    Slider {
        /// Where it stands.
        position: u32,
        /// Where it stands by the document.
        default: u32,
    },
    /// On or off.
    Switch(bool),
    /// One of a few: key and word of each, and which.
    Choice(Vec<(String, String)>, usize),
    /// Words or times in a row, as written.
    List(String),
}

/// The ledger: every message is in exactly one of delivered, lost, in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    /// Made.
    pub sent: u64,
    /// Took effect.
    pub delivered: u64,
    /// Will never arrive.
    pub lost: u64,
    /// The rest.
    pub in_flight: u64,
    /// Took effect more than once.
    pub duplicated: u64,
    /// Delivered once more.
    pub redelivered: u64,
    /// Overtaken.
    pub reordered: u64,
}

/// The promises of the document, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InShort {
    /// How many there are.
    pub n_promises: u32,
    /// How many are broken.
    pub n_broken: u32,
    /// Whether only the end will tell of one.
    pub is_open: bool,
}

/// One guarantee at the shown instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Promise {
    /// Its name.
    pub name: String,
    /// Whether the document promises it.
    pub is_promised: bool,
    /// Whether it holds.
    pub verdict: Verdict,
    /// The same in words.
    pub words: String,
}

/// Messages of one kind.
#[derive(Clone, PartialEq, Debug)]
pub struct IdList {
    /// What they have in common.
    pub title: String,
    /// The newest: number, and when and why.
    pub ids: Vec<(u64, String)>,
    /// How many there were before.
    pub n_before: u64,
}

/// Everything on the sheet of guarantees; empty but for `in_short` while it is closed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Guarantees {
    /// For the ledger bar.
    pub in_short: InShort,
    /// All guarantees.
    pub all: Vec<Promise>,
    /// The account book: name and coins.
    pub book: Vec<(String, u64)>,
    /// Lost, duplicated, reordered, redelivered.
    pub lists: Vec<IdList>,
    /// The search for what breaks them.
    pub search: Shown,
}

/// A change that was tried.
#[derive(Clone, PartialEq, Debug)]
pub struct Try {
    /// The parameter's path.
    pub path: String,
    /// Its new value, as a document writes it.
    pub text: String,
    /// What it is called.
    pub label: String,
    /// The latency that it gives.
    pub value: String,
}

/// Seed and fingerprint.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Run {
    /// The seed.
    pub seed: String,
    /// The fingerprint, in groups.
    pub fingerprint: String,
    /// Whether it is the one that the link carried, if it carried one for this instant.
    pub matches: Option<bool>,
}

/// How grave a notice is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Something was left out.
    Warn,
    /// Something stopped.
    Bad,
}

/// Something that has to be said, and stays until it is dismissed.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// Its number.
    pub id: u64,
    /// How grave it is.
    pub tone: Tone,
    /// What it is.
    pub title: String,
    /// The place, the value, what is allowed.
    pub text: String,
    /// One way on.
    pub way: Option<(String, Act)>,
}
