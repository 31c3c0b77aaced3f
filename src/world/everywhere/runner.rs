//! A world with a log, run for its guarantees alone: a session without checkpoints and charts.
//!
//! Invariant: what was done at an instant comes after all events of that instant, as in a
//! [`Session`](crate::world::session::Session), so that a link opens the same run.

use crate::kernel::{SimSpan, SimTime};
use crate::model::command::Command;
use crate::model::ground::Lane;
use crate::observe::Guarantees;
use crate::world::arena::World;
use crate::world::everywhere::{Harm, Placement};
use crate::world::scenario::Scenario;
use crate::world::session::Logged;

/// A run that only its guarantees are asked about.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    pub world: World,
    pub seen: Guarantees,
    log: Vec<Logged>,
    n_applied: u32,
    until: SimTime,
}

impl Runner {
    /// The run at its start.
    pub fn new(scenario: &Scenario, log: &[Logged]) -> Runner {
        let world = World::new(&scenario.plan(), true);
        let until = scenario.until;
        let seen = Guarantees::default();
        let mut runner = Runner { world, seen, log: log.to_vec(), n_applied: 0, until };
        runner.drain();
        runner
    }

    /// When the next event or entry of the log comes.
    pub fn next(&self) -> Option<SimTime> {
        let entry = self.log.get(self.n_applied as usize).map(|entry| entry.at);
        let next = match (self.world.next_event(), entry) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        next.filter(|at| *at <= self.until && self.world.stopped().is_none())
    }

    /// Whether everything of this instant has happened.
    pub fn is_between(&self) -> bool {
        self.next().is_none_or(|next| self.world.now() < next)
    }

    /// Runs one event or one entry of the log; `false`: nothing comes before the end.
    pub fn step(&mut self) -> bool {
        let next = self.world.next_event();
        let due = self
            .log
            .get(self.n_applied as usize)
            .filter(|entry| entry.at <= self.until && next.is_none_or(|next| entry.at < next));
        if let Some(entry) = due {
            self.world.stand_at(entry.at);
            // What cannot be done any more does nothing, as in a session.
            let _ = self.world.apply(&entry.command);
            self.n_applied += 1;
        } else if !self.world.step(self.until) {
            return false;
        }
        self.drain();
        true
    }

    /// The same run, harmed now.
    pub fn harmed(&self, placement: &Placement, restart: SimSpan) -> Runner {
        let mut run = self.clone();
        run.log.truncate(self.n_applied as usize);
        let rest = self.log[self.n_applied as usize..].to_vec();
        let mut all = placement.commands(restart);
        all.extend(rest);
        crate::kernel::settle(&mut all, |a, b| a.at < b.at);
        run.log.extend(all);
        run
    }

    /// Everything that was and will be done to it.
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// Parcels written so far to each lane, two lanes a channel.
    pub fn written(&self, into: &mut Vec<u64>) {
        into.clear();
        for channel in &self.world.ground.channels {
            into.extend([Lane::Forth, Lane::Back].map(|lane| channel.machine.n_losable(lane)));
        }
    }

    fn drain(&mut self) {
        let facts = &mut self.world.ground.facts;
        facts.readings.clear();
        facts.fresh_segments.clear();
        for (at, fact) in facts.fresh.drain(..) {
            self.seen.take(at, &fact);
        }
    }
}

impl Placement {
    /// What is done, and when.
    pub fn commands(&self, restart: SimSpan) -> Vec<Logged> {
        let at = self.at;
        match self.harm {
            Harm::Crash(actor) => vec![
                Logged { at, command: Command::Crash(actor) },
                Logged { at: at.saturating_add(restart), command: Command::Restart(actor) },
            ],
            Harm::Lose { channel, back, nth } => {
                vec![Logged { at, command: Command::LoseNth { channel, back, nth } }]
            }
        }
    }
}
