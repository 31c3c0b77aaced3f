//! Sinks: what observers make of facts.
//!
//! A sink reads facts and changes nothing; a run without sinks has the same fingerprint. All state
//! here is bounded, except the accounts of messages that are under way.

pub mod account;
pub mod book;
pub mod dense;
pub mod guarantees;
pub mod histogram;
pub mod lags;
pub mod ledger;
pub mod pcapng;
pub mod readings;
pub mod ring;
pub mod segments;
pub mod series;
pub mod trace;

use crate::kernel::{SimSpan, SimTime};
use crate::model::fact::{Cause, Fact};
use crate::model::message::{ActorId, MsgId};
use crate::model::tcp::Segment;

pub use account::{Account, Accounts};
pub use book::Book;
pub use dense::Dense;
pub use guarantees::{Guarantee, Guarantees, Verdict};
pub use histogram::Histogram;
pub use lags::Lags;
pub use ledger::{Entry, Ledger};
pub use readings::Readings;
pub use segments::Segments;
pub use series::{Row, Series};
pub use trace::Trace;

/// Time by cause, in ns.
pub type Parts = [u64; Cause::COUNT];

/// Where the time of the messages that were delivered went.
#[derive(Clone, PartialEq, Debug)]
pub struct Budget {
    /// Time by cause over all delivered messages, in ns.
    pub by_cause: [u128; Cause::COUNT],
    /// How many messages that is.
    pub count: u64,
}

impl Default for Budget {
    /// Nothing was delivered.
    fn default() -> Budget {
        Budget { by_cause: [0; Cause::COUNT], count: 0 }
    }
}

impl Budget {
    /// Mean time by cause, rounded down.
    pub fn mean(&self, cause: Cause) -> SimSpan {
        let n = u128::from(self.count.max(1));
        SimSpan::ns(u64::try_from(self.by_cause[cause.index()] / n).unwrap_or(u64::MAX))
    }

    /// The sum over all causes, in ns: the sum of all latencies.
    pub fn total(&self) -> u128 {
        self.by_cause.iter().sum()
    }
}

/// All sinks of a session.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// Messages under way.
    pub accounts: Accounts,
    /// Sent, delivered, lost, and what went wrong.
    pub ledger: Ledger,
    /// Which guarantees hold so far, and the account book.
    pub guarantees: Guarantees,
    /// Latencies of delivered messages.
    pub latency: Histogram,
    /// Their parts by cause.
    pub budget: Budget,
    /// All of that over time.
    pub series: Series,
    /// The newest facts.
    pub trace: Trace,
    /// Segments, and what holds them.
    pub segments: Segments,
    /// What the ends of tcp channels showed over time.
    pub readings: Readings,
    /// How far the groups of log brokers were behind over time.
    pub lags: Lags,
}

impl Seen {
    /// Sinks for a run that ends at `until`.
    pub fn new(until: SimTime) -> Seen {
        Seen {
            accounts: Accounts::default(),
            ledger: Ledger::default(),
            guarantees: Guarantees::default(),
            latency: Histogram::default(),
            budget: Budget::default(),
            series: Series::new(until),
            trace: Trace::default(),
            segments: Segments::default(),
            readings: Readings::new(until),
            lags: Lags::new(until),
        }
    }

    /// Takes in a fact.
    pub fn take(&mut self, at: SimTime, fact: Fact) {
        self.take_with(at, fact, None);
    }

    /// Takes in a fact with the segment that belongs to it: of a [`Fact::SegmentDeparted`].
    pub fn take_with(&mut self, at: SimTime, fact: Fact, segment: Option<&Segment>) {
        self.segments.take(at, &fact, segment);
        self.guarantees.take(at, &fact);
        self.trace.take(at, fact);
        self.pass(at);
        match fact {
            Fact::Sent { msg, by, key, .. } => self.open(at, msg, Account::new(at, by, key)),
            Fact::Copied { msg, of, .. } => {
                if let Some(account) = self.accounts.copy_of(of, at) {
                    self.open(at, msg, account);
                }
            }
            _ => {
                if let Some(msg) = fact.msg() {
                    self.follow(at, msg, fact);
                }
            }
        }
    }

    /// Time goes on to `to` without a fact.
    pub fn pass(&mut self, to: SimTime) {
        self.series.roll(to);
        self.ledger.pass_time(to);
    }

    /// A copy for a checkpoint.
    pub fn for_checkpoint(&self) -> Seen {
        let mut copy = self.clone();
        copy.segments = copy.segments.for_checkpoint();
        copy
    }

    /// Rough size in bytes, to keep checkpoints within their budget.
    pub fn weight(&self) -> u64 {
        let tcp = self.segments.weight() + self.readings.weight() + self.lags.weight();
        let accounts = self.accounts.weight() + self.guarantees.weight();
        accounts + self.trace.weight() + tcp + 200_000
    }

    fn open(&mut self, at: SimTime, msg: MsgId, account: Account) {
        self.accounts.open(msg, account);
        self.ledger.on_sent(at);
        self.series.on_sent();
    }

    fn follow(&mut self, at: SimTime, msg: MsgId, fact: Fact) {
        let Some(account) = self.accounts.get_mut(msg) else { return };
        let before = account.place;
        account.charge(at, &fact);
        self.series.on_place(before, account.place);
        account.holders = account.holders.saturating_add_signed(fact.holders());
        match fact {
            Fact::Dispatched { redelivered: true, .. } => {
                self.ledger.on_redelivered(at, msg);
            }
            Fact::Done { at: actor, .. } => self.on_effect(at, msg, actor, &fact),
            Fact::Answered { at: actor, .. } => self.on_effect(at, msg, actor, &fact),
            _ => account.note_end(&fact),
        }
        self.close_if_gone(at, msg);
    }

    /// The effect of a message happened, or its answer came.
    fn on_effect(&mut self, at: SimTime, msg: MsgId, _actor: ActorId, fact: &Fact) {
        let Some(account) = self.accounts.get_mut(msg) else { return };
        let Fact::Done { answers, .. } = fact else {
            self.deliver(at, msg);
            return;
        };
        account.n_effects += 1;
        if account.n_effects > 1 {
            self.ledger.on_duplicated(at, msg);
        } else if !answers {
            self.deliver(at, msg);
        }
    }

    /// Closes the message's latency, once.
    fn deliver(&mut self, at: SimTime, msg: MsgId) {
        let Some(account) = self.accounts.get_mut(msg) else { return };
        if account.delivered.is_some() {
            return;
        }
        account.delivered = Some(at);
        account.settle();
        let latency = at - account.born;
        let parts = account.parts;
        assert_eq!(parts.iter().sum::<u64>(), latency.as_ns(), "the parts make the whole");
        for (sum, part) in self.budget.by_cause.iter_mut().zip(parts) {
            *sum += u128::from(part);
        }
        self.budget.count += 1;
        self.latency.record(latency.as_ns());
        let order = (account.by, account.copy);
        self.ledger.on_delivered(at, msg, order);
        self.series.on_delivered(latency, &parts);
    }

    fn close_if_gone(&mut self, at: SimTime, msg: MsgId) {
        let Some(account) = self.accounts.get_mut(msg) else { return };
        if account.holders > 0 {
            return;
        }
        if account.delivered.is_none() {
            let why = account.last_drop;
            self.ledger.on_lost(at, msg, why);
            self.series.on_lost(account.place);
        } else {
            self.series.on_place(account.place, account::Place::Elsewhere);
        }
        self.accounts.close(msg);
    }
}
