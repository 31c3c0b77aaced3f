//! What was found: how many runs broke which guarantee, by what went wrong.

use crate::model::actor::Role;
use crate::model::message::ActorId;
use crate::observe::{Guarantee, Verdict};
use crate::world::everywhere::Placement;
use crate::world::everywhere::survey::Survey;

/// Number of guarantees.
pub const COLUMNS: usize = Guarantee::ALL.len();

/// What went wrong, for a row of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// A process died.
    Crash(ActorId),
    /// What a sender sent was lost.
    Request,
    /// What a sender was told was lost: a confirmation, or an answer.
    Reply,
    /// What a broker handed over was lost.
    Delivery,
    /// What a broker was told by a consumer was lost.
    Acknowledgement,
    /// Something between two brokers, or two of another kind.
    Between,
}

impl What {
    /// What is lost on a lane from one role to another.
    pub(super) fn lost(from: Role, to: Role) -> What {
        match (from, to) {
            (Role::Source, _) => What::Request,
            (_, Role::Source) => What::Reply,
            (Role::Middle, Role::Sink) => What::Delivery,
            (Role::Sink, Role::Middle) => What::Acknowledgement,
            // A stage that hands on what it has worked on sends it.
            (Role::Sink, Role::Sink) => What::Request,
            _ => What::Between,
        }
    }
}

/// One row: runs in which the same kind of thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// What went wrong.
    pub what: What,
    /// Runs.
    pub n_runs: u64,
    /// Of these, how many broke each guarantee.
    pub broken: [u64; COLUMNS],
}

/// All that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the undisturbed run kept.
    pub base: [Verdict; COLUMNS],
    /// Its events.
    pub n_events: u64,
    /// Instants at which something can go wrong.
    pub n_moments: u64,
    /// Every so-manieth of them was harmed: 1 is all.
    pub every: u64,
    /// Whether the run has more instants than were looked at.
    pub is_cut: bool,
    /// Runs.
    pub n_runs: u64,
    /// Runs that broke each guarantee.
    pub broken: [u64; COLUMNS],
    /// By what went wrong.
    pub rows: Vec<Row>,
    /// The first placement that broke each guarantee.
    pub first: [Option<Placement>; COLUMNS],
}

impl Default for Report {
    fn default() -> Report {
        Report {
            base: [Verdict::Open; COLUMNS],
            n_events: 0,
            n_moments: 0,
            every: 1,
            is_cut: false,
            n_runs: 0,
            broken: [0; COLUMNS],
            rows: Vec::new(),
            first: [None; COLUMNS],
        }
    }
}

impl Report {
    /// A report before the first run; plans for about so many events.
    pub(super) fn of_base(survey: &Survey, most_events: u64) -> Report {
        let whole = survey.n_events();
        let cost = survey.moments.iter().map(|moment| {
            let rest = whole.saturating_sub(moment.n_events) + 1;
            u128::from(survey.n_harms(moment)) * u128::from(rest)
        });
        let every = cost.sum::<u128>().div_ceil(u128::from(most_events.max(1)));
        Report {
            base: Guarantee::ALL.map(|guarantee| survey.seen().verdict(guarantee, true)),
            n_events: whole,
            n_moments: survey.moments.len() as u64,
            every: u64::try_from(every).unwrap_or(u64::MAX).max(1),
            is_cut: survey.is_cut,
            ..Report::default()
        }
    }

    /// Takes in one run.
    pub(super) fn note(
        &mut self,
        placement: &Placement,
        what: What,
        verdicts: &[Verdict; COLUMNS],
    ) {
        self.n_runs += 1;
        let place = self.row(what);
        self.rows[place].n_runs += 1;
        for n in (0..COLUMNS).filter(|n| verdicts[*n].is_broken()) {
            self.broken[n] += 1;
            self.rows[place].broken[n] += 1;
            self.first[n] = earlier(self.first[n], Some(*placement));
        }
    }

    /// Puts another share to this one.
    pub fn merge(&mut self, other: &Report) {
        self.n_runs += other.n_runs;
        for row in &other.rows {
            let place = self.row(row.what);
            self.rows[place].n_runs += row.n_runs;
            for n in 0..COLUMNS {
                self.rows[place].broken[n] += row.broken[n];
            }
        }
        for n in 0..COLUMNS {
            self.broken[n] += other.broken[n];
            self.first[n] = earlier(self.first[n], other.first[n]);
        }
    }

    /// Runs that broke a guarantee; the undisturbed one counts for nothing here.
    pub fn broken(&self, guarantee: Guarantee) -> u64 {
        self.broken[guarantee.index()]
    }

    /// Whether a guarantee was broken in any run, the undisturbed one included.
    pub fn is_broken(&self, guarantee: Guarantee) -> bool {
        self.base[guarantee.index()].is_broken() || 0 < self.broken(guarantee)
    }

    /// Where the row is; rows stay in order.
    fn row(&mut self, what: What) -> usize {
        match self.rows.binary_search_by_key(&what, |row| row.what) {
            Ok(place) => place,
            Err(place) => {
                self.rows.insert(place, Row { what, n_runs: 0, broken: [0; COLUMNS] });
                place
            }
        }
    }
}

fn earlier(a: Option<Placement>, b: Option<Placement>) -> Option<Placement> {
    a.into_iter().chain(b).min_by_key(|placement| placement.index)
}
