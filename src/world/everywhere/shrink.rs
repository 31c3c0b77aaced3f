//! The smallest counterexample: with as few messages and actors as still break the guarantee, the
//! earliest harm that does.
//!
//! Tried are growing numbers of messages, from one on; then, with the number that was enough,
//! groups of one member. Each try is a small *crash everywhere* that ends with its first find.

use crate::kernel::SimTime;
use crate::observe::{Entry, Guarantee, Verdict};
use crate::world::everywhere::{Everywhere, Options, Placement, rerun};
use crate::world::link::{Link, Source};
use crate::world::scenario::Scenario;
use crate::world::session::{Logged, Session, Watch};

/// Numbers of messages that are tried, for every sender.
const LIMITS: [u32; 9] = [1, 2, 3, 5, 8, 13, 20, 50, 100];
/// Most events of one try.
const MOST_EVENTS: u64 = 3_000_000;

/// A run that breaks a guarantee.
#[derive(Clone, PartialEq, Debug)]
pub struct Counterexample {
    /// What it breaks.
    pub guarantee: Guarantee,
    /// The scenario, made small.
    pub scenario: Scenario,
    /// What is done to it: nothing, when it breaks by itself.
    pub log: Vec<Logged>,
    /// The harm.
    pub placement: Option<Placement>,
    /// When it broke; the end, when only that told.
    pub at: SimTime,
    /// The message, if it was one.
    pub entry: Option<Entry>,
}

/// A search in steps.
#[derive(Clone, Debug)]
pub struct Shrink {
    guarantee: Guarantee,
    options: Options,
    log: Vec<Logged>,
    /// What is tried next, the last one first.
    todo: Vec<Scenario>,
    /// What is being tried.
    trial: Option<(Scenario, Box<Everywhere>)>,
    /// The smallest find so far.
    found: Option<(Scenario, Option<Placement>)>,
    /// Whether groups were shrunk already.
    has_shrunk_groups: bool,
}

impl Shrink {
    /// Looks for a smaller one than `first`, the placement that broke the whole scenario; `None`:
    /// it broke undisturbed.
    pub fn new(
        scenario: &Scenario,
        log: &[Logged],
        options: Options,
        guarantee: Guarantee,
        first: Option<Placement>,
    ) -> Shrink {
        let options = Options {
            until_broken: Some(guarantee),
            most_events: MOST_EVENTS.min(options.most_events),
            ..options
        };
        let todo = LIMITS.iter().rev().filter_map(|limit| limited(scenario, *limit)).collect();
        Shrink {
            guarantee,
            options,
            log: log.to_vec(),
            todo,
            trial: None,
            found: Some((scenario.clone(), first)),
            has_shrunk_groups: false,
        }
    }

    /// Goes on for about so many events; `true`: it is over.
    pub fn step(&mut self, n_events: u64) -> bool {
        let Some((scenario, trial)) = &mut self.trial else {
            let Some(next) = self.todo.pop() else { return true };
            let trial = Everywhere::new(&next, &self.log, self.options);
            self.trial = Some((next, Box::new(trial)));
            return false;
        };
        if !trial.step(n_events) {
            return false;
        }
        let place = self.guarantee.index();
        let report = trial.report();
        if report.is_broken(self.guarantee) {
            let by_itself = report.base[place].is_broken();
            let first = if by_itself { None } else { report.first[place] };
            let scenario = scenario.clone();
            self.todo = if self.has_shrunk_groups { Vec::new() } else { alone(&scenario) };
            self.has_shrunk_groups = true;
            self.found = Some((scenario, first));
        }
        self.trial = None;
        self.todo.is_empty()
    }

    /// The smallest one.
    pub fn found(&self) -> Option<Counterexample> {
        let (scenario, placement) = self.found.clone()?;
        let guarantee = self.guarantee;
        let (log, verdict) =
            rerun(&scenario, &self.log, placement.as_ref(), &self.options, guarantee);
        let Verdict::Broken { first, .. } = verdict else { return None };
        let at = first.map_or(scenario.until, |entry| entry.at);
        Some(Counterexample { guarantee, scenario, log, placement, at, entry: first })
    }
}

impl Counterexample {
    /// The link that opens it at the instant at which the guarantee breaks.
    pub fn link(&self, source: Source) -> Link {
        let mut session =
            Session::with_log(self.scenario.clone(), Watch::Nothing, self.log.clone());
        session.seek(self.at);
        let log: Vec<_> = self.log.iter().map(|l| (l.at, l.command.clone())).collect();
        Link::of(source, &self.scenario, &log, self.at, session.fingerprint())
    }
}

/// The scenario with so many messages of every sender, if that is fewer than it allows.
fn limited(scenario: &Scenario, limit: u32) -> Option<Scenario> {
    let mut small = scenario.clone();
    let mut is_smaller = false;
    for setting in scenario.params() {
        if !setting.path.ends_with(".limit") {
            continue;
        }
        let is_less = setting.value.ordinal() > u64::from(limit);
        is_smaller |= is_less && small.set(&setting.path, &limit.to_string()).is_ok();
    }
    is_smaller.then_some(small)
}

/// The scenario with groups of one, tried one after the other and all together.
fn alone(scenario: &Scenario) -> Vec<Scenario> {
    let groups: Vec<String> = scenario
        .params()
        .into_iter()
        .filter(|setting| setting.path.ends_with(".count") && 1 < setting.value.ordinal())
        .map(|setting| setting.path)
        .collect();
    let one = |path: &String| {
        let mut small = scenario.clone();
        small.set(path, "1").ok().map(|()| small)
    };
    let mut all = scenario.clone();
    let together = groups.iter().all(|path| all.set(path, "1").is_ok());
    let mut todo: Vec<Scenario> = groups.iter().filter_map(one).collect();
    if 1 < groups.len() && together {
        todo.push(all);
    }
    todo
}
