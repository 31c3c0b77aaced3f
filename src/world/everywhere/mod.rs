//! *Crash everywhere*: a scenario is run once for every place in it at which something can go
//! wrong, with one crash or one loss there, and each run is asked which guarantees it kept.
//!
//! The places are the instants of the undisturbed run. After each, every actor crashes once and
//! starts anew some time later; of the parcels written at the next instant, each is lost once. The
//! undisturbed run is the trunk: at each instant it is cloned, and the clones are the branches.
//! Harm falls between instants, never between two events of one: a link knows only times.
//!
//! It is done in steps, so that a page stays smooth and a command can show how far it is; parts of
//! it can be done on several cores and put together. Read `docs/models/guarantees.md` first.

mod report;
mod runner;
mod shrink;
mod survey;

use crate::kernel::{SimSpan, SimTime};
use crate::model::message::{ActorId, ChannelId};
use crate::observe::{Guarantee, Verdict};
use crate::world::scenario::Scenario;
use crate::world::session::Logged;

pub use report::{Report, Row, What};
pub use shrink::{Counterexample, Shrink};

use runner::Runner;
use survey::Survey;

/// How long a crashed actor stays away when nobody says.
pub const RESTART: SimSpan = SimSpan::ms(100);
/// Most events of all runs together when nobody says: some ten seconds of one core.
pub const MOST_EVENTS: u64 = 30_000_000;

/// How it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// A crashed actor starts anew after this time.
    pub restart: SimSpan,
    /// About so many events are simulated, in all runs together; a larger scenario is harmed only
    /// at every so-manieth instant, and the report says so.
    pub most_events: u64,
    /// The search ends with the first run that breaks this one.
    pub until_broken: Option<Guarantee>,
}

impl Default for Options {
    fn default() -> Options {
        Options { restart: RESTART, most_events: MOST_EVENTS, until_broken: None }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harm {
    /// A process dies, and starts anew later.
    Crash(ActorId),
    /// The `nth` parcel written to a lane from now on is lost.
    Lose {
        /// The channel.
        channel: ChannelId,
        /// Against its direction.
        back: bool,
        /// Counted from 1.
        nth: u32,
    },
}

/// What goes wrong, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// Its number in the order of time.
    pub index: u64,
    /// After everything that happens at this instant.
    pub at: SimTime,
    /// What.
    pub harm: Harm,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Runs that are done.
    pub done: u64,
    /// Runs in all; 0 while they are being counted.
    pub total: u64,
}

/// A share of all runs, in progress.
#[derive(Clone, Debug)]
pub struct Everywhere {
    options: Options,
    survey: Survey,
    /// Which of how many shares this is.
    share: (u64, u64),
    trunk: Runner,
    /// Events and entries of the log that the trunk has done.
    n_steps: u64,
    /// The place under way.
    n_moments: u64,
    /// Runs still to be made at this place.
    todo: Vec<Placement>,
    branch: Option<(Placement, Box<Runner>)>,
    next_index: u64,
    report: Report,
    is_done: bool,
}

impl Everywhere {
    /// All runs of a scenario, on top of what a person did to it.
    pub fn new(scenario: &Scenario, log: &[Logged], options: Options) -> Everywhere {
        Everywhere::share(scenario, log, options, (0, 1))
    }

    /// The share `part.0` of `part.1`: shares together are all runs.
    pub fn share(
        scenario: &Scenario,
        log: &[Logged],
        options: Options,
        part: (u64, u64),
    ) -> Everywhere {
        let trunk = Runner::new(scenario, log);
        Everywhere {
            options,
            survey: Survey::new(scenario, log),
            share: part,
            trunk,
            n_steps: 0,
            n_moments: 0,
            todo: Vec::new(),
            branch: None,
            next_index: 0,
            report: Report::default(),
            is_done: false,
        }
    }

    /// Goes on for about so many events; `true`: all runs are done.
    pub fn step(&mut self, n_events: u64) -> bool {
        let mut left = n_events;
        while 0 < left && !self.is_done {
            if !self.survey.is_done() {
                left -= self.survey.step(left).min(left);
                if self.survey.is_done() {
                    self.begin();
                }
                continue;
            }
            left -= self.go_on(left).clamp(1, left);
        }
        self.is_done
    }

    /// Whether all runs are done.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let total = if self.survey.is_done() { self.n_runs() } else { 0 };
        Progress { done: self.report.n_runs, total }
    }

    /// What was found so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What was found, in the end.
    pub fn into_report(self) -> Report {
        self.report
    }

    /// Everything is counted: the undisturbed run is judged, and the branches begin.
    fn begin(&mut self) {
        self.report = Report::of_base(&self.survey, self.options.most_events);
        if let Some(guarantee) = self.options.until_broken {
            self.is_done = self.report.base[guarantee.index()].is_broken();
        }
    }

    /// Runs of this share.
    fn n_runs(&self) -> u64 {
        let (part, parts) = self.share;
        let mine = self.survey.moments.iter().enumerate().filter(|(n, _)| {
            let turn = *n as u64 / self.report.every.max(1);
            (*n as u64).is_multiple_of(self.report.every.max(1)) && turn % parts == part
        });
        mine.map(|(_, moment)| self.survey.n_harms(moment)).sum()
    }

    /// One piece of work; answers with the events that it took.
    fn go_on(&mut self, left: u64) -> u64 {
        if let Some((placement, mut run)) = self.branch.take() {
            let before = run.world.n_events();
            let mut goes_on = true;
            while goes_on && run.world.n_events() - before < left {
                goes_on = run.step();
            }
            let n = run.world.n_events() - before;
            if goes_on {
                self.branch = Some((placement, run));
            } else {
                self.judge(&placement, &run);
            }
            return n.max(1);
        }
        if let Some(placement) = self.todo.pop() {
            let run = self.trunk.harmed(&placement, self.options.restart);
            self.branch = Some((placement, Box::new(run)));
            return 1;
        }
        self.reach_next_moment()
    }

    /// Brings the trunk to the next place and lists what can go wrong there.
    fn reach_next_moment(&mut self) -> u64 {
        let Some(moment) = self.survey.moments.get(self.n_moments as usize) else {
            self.is_done = true;
            return 1;
        };
        let before = self.trunk.world.n_events();
        while self.n_steps < moment.n_steps && self.trunk.step() {
            self.n_steps += 1;
        }
        let n = self.n_moments;
        self.n_moments += 1;
        let (part, parts) = self.share;
        let every = self.report.every;
        let first = self.next_index;
        self.next_index += self.survey.n_harms(moment);
        if n.is_multiple_of(every) && (n / every) % parts == part {
            self.todo = self.survey.placements(n as usize, first);
            // The last one is taken first.
            self.todo.reverse();
        }
        (self.trunk.world.n_events() - before).max(1)
    }

    fn judge(&mut self, placement: &Placement, run: &Runner) {
        let verdicts = Guarantee::ALL.map(|guarantee| run.seen.verdict(guarantee, true));
        let what = self.survey.what(&placement.harm);
        self.report.note(placement, what, &verdicts);
        if let Some(guarantee) = self.options.until_broken {
            self.is_done |= verdicts[guarantee.index()].is_broken();
        }
    }
}

/// The run that a placement makes: what is done to it, and how it ends.
fn rerun(
    scenario: &Scenario,
    log: &[Logged],
    placement: Option<&Placement>,
    options: &Options,
    guarantee: Guarantee,
) -> (Vec<Logged>, Verdict) {
    let mut all = log.to_vec();
    all.extend(placement.into_iter().flat_map(|placement| placement.commands(options.restart)));
    crate::kernel::settle(&mut all, |a, b| a.at < b.at);
    let mut run = Runner::new(scenario, &all);
    while run.step() {}
    (run.log().to_vec(), run.seen.verdict(guarantee, true))
}
