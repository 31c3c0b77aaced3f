//! The search for the smallest safe memory, a little in every frame.
//!
//! The search itself is `world/sizing.rs`; here it is started, driven, given up and read.

use std::rc::Rc;

use crate::kernel::SimTime;
use crate::param::{Lang, Said};
use crate::web::dom;
use crate::world::link::{Link, Source};
use crate::world::scenario::Scenario;
use crate::world::sizing::{Progress, Sized, Sizing};

/// Events between two looks at the wall clock.
const CHUNK: u64 = 1_000;
/// Milliseconds of a frame that it may take.
const BUDGET_MS: f64 = 8.0;

/// A search, if one was started.
#[derive(Default)]
pub enum Sizes {
    /// None.
    #[default]
    None,
    /// Under way: trials done, and about how many there will be.
    Running(Box<Sizing>, (u32, u32)),
    /// Over: what was found, and the link of the run that proves it.
    Done(Rc<Found>),
    /// It ended without a result.
    Failed(Said),
}

/// What a search found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// Each option of each board.
    pub options: Vec<Sized>,
    /// How many runs it took.
    pub n_trials: u32,
    /// The fragment of the address of the run with these values.
    pub link: String,
    /// The values as parameters.
    pub changes: Vec<(String, String)>,
}

impl Found {
    /// Bytes that the least values save in all; negative: the scenario has too little.
    pub fn saved_bytes(&self) -> i64 {
        self.options.iter().map(Sized::saved_bytes).sum()
    }
}

/// A search as the sheet shows it.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum SizesSight {
    /// None was started.
    #[default]
    None,
    /// Trials done, and about how many there will be.
    Running(u32, u32),
    /// What was found.
    Done(Rc<Found>),
    /// Why there is no result.
    Failed(String),
}

impl Sizes {
    /// Starts anew for this scenario.
    pub fn start(scenario: &Scenario) -> Sizes {
        match Sizing::new(scenario) {
            Ok(sizing) => Sizes::Running(Box::new(sizing), (0, 1)),
            Err(why) => Sizes::Failed(why.said()),
        }
    }

    /// Works for a part of a frame; true: there is more to do.
    pub fn work(&mut self, source: &Source) -> bool {
        let Sizes::Running(sizing, progress) = self else { return false };
        let began = dom::wall_ms();
        while dom::wall_ms() - began < BUDGET_MS {
            match sizing.step(CHUNK) {
                Ok(Progress::Running(done, all)) => *progress = (done, all),
                Ok(Progress::Done) => {
                    *self = Sizes::Done(Rc::new(found(sizing, progress.0, source)));
                    return true;
                }
                Err(why) => {
                    *self = Sizes::Failed(why.said());
                    return true;
                }
            }
        }
        true
    }

    /// What the sheet shows.
    pub fn sight(&self, lang: Lang) -> SizesSight {
        match self {
            Sizes::None => SizesSight::None,
            Sizes::Running(_, (done, all)) => SizesSight::Running(*done, *all),
            Sizes::Done(found) => SizesSight::Done(found.clone()),
            Sizes::Failed(why) => SizesSight::Failed(why.get(lang).to_owned()),
        }
    }
}

fn found(sizing: &Sizing, n_trials: u32, source: &Source) -> Found {
    let scenario = sizing.scenario();
    let options = sizing.options().to_vec();
    let value = |option: &Sized| match option.key {
        "mem-size" => format!("{}B", option.least),
        _ => option.least.to_string(),
    };
    let differs = options.iter().filter(|option| option.least != option.before);
    let changes = differs.map(|option| (option.path(), value(option))).collect();
    let mut link = Link::of(source.clone(), scenario, &[], SimTime::ZERO, 0);
    // The run is shown at its end; nobody has run it to know its fingerprint.
    link.shown = Some(scenario.until);
    link.fingerprint = None;
    Found { options, n_trials, link: link.write(), changes }
}
