//! What is known of a message's former deaths: the header `x-death`.
//!
//! Histories go by number as headers do; those that differ only in the message share one.
//! The clock time that RabbitMQ writes into each entry is left out.

use super::effect::DropReason;
use super::envelope::Pool;
use super::names::Name;

/// Most different histories in one broker; a message that would need one more is lost.
const HISTORIES_LIMIT: u32 = 1 << 20;

/// Where a message died before; number 0: nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct History(pub u32);

impl History {
    /// It never died.
    pub const NONE: History = History(0);
}

/// One entry of `x-death`: all deaths in one queue for one reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Death {
    /// The queue.
    pub queue: Name,
    /// Why it left that queue.
    pub reason: DropReason,
    /// How often.
    pub count: u32,
    /// The exchange it had come through the first time.
    pub exchange: Name,
    /// The keys it had come with the first time: its own and those of `CC`.
    pub keys: Vec<Name>,
    /// The expiration that it had, in ms.
    pub expiration_ms: Option<u32>,
}

/// All deaths of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Record {
    /// The latest first.
    pub deaths: Vec<Death>,
    /// Queue, reason and exchange of the very first one (`x-first-death-...`).
    pub first: Option<(Name, DropReason, Name)>,
}

impl Record {
    /// The record with one more death. An entry of the same queue and reason counts on and moves
    /// to the front (`rabbit_dead_letter.erl`, `update_x_death_header`).
    fn with(&self, death: Death) -> Record {
        let is_same = |old: &Death| old.queue == death.queue && old.reason == death.reason;
        let first = self.first.unwrap_or((death.queue, death.reason, death.exchange));
        let mut deaths = self.deaths.clone();
        let again = deaths.iter().position(is_same).map(|place| deaths.remove(place));
        let front = match again {
            Some(old) => Death { count: old.count.saturating_add(1), ..old },
            None => death,
        };
        deaths.insert(0, front);
        Record { deaths, first: Some(first) }
    }

    /// Whether going into `queue` closes a circle in which nobody rejected the message.
    fn is_circle(&self, queue: Name) -> bool {
        let Some(last) = self.deaths.iter().position(|death| death.queue == queue) else {
            return false;
        };
        self.deaths[..=last].iter().all(|death| death.reason != DropReason::Rejected)
    }
}

/// All histories.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histories(Pool<Record>);

impl Histories {
    /// Only the empty one.
    pub(super) fn new() -> Histories {
        Histories(Pool::new(Record::default()))
    }

    /// The history after one more death; `None`: no room for another one.
    pub(super) fn with(&mut self, history: History, death: Death) -> Option<History> {
        let record = self.record(history).with(death);
        self.0.intern(record, HISTORIES_LIMIT).map(History)
    }

    /// The deaths behind a number.
    pub(super) fn record(&self, history: History) -> &Record {
        self.0.get(history.0)
    }

    /// Whether going into `queue` closes a circle in which nobody rejected the message.
    pub(super) fn is_circle(&self, history: History, queue: Name) -> bool {
        self.record(history).is_circle(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(queue: u32, reason: DropReason) -> Death {
        let keys = vec![Name(queue)];
        let queue = Name(queue);
        Death { queue, reason, count: 1, exchange: Name::EMPTY, keys, expiration_ms: None }
    }

    fn record(deaths: &[(u32, DropReason)]) -> Record {
        let add = |record: Record, &(queue, reason): &_| record.with(death(queue, reason));
        deaths.iter().fold(Record::default(), add)
    }

    #[test]
    fn the_same_death_counts_on_and_moves_to_the_front() {
        use DropReason::{Expired, Rejected};
        let record = record(&[(7, Rejected), (8, Expired), (7, Rejected)]);
        let seen: Vec<_> = record.deaths.iter().map(|d| (d.queue.0, d.reason, d.count)).collect();
        assert_eq!(seen, [(7, Rejected, 2), (8, Expired, 1)]);
        assert_eq!(record.first, Some((Name(7), Rejected, Name::EMPTY)));
    }

    #[test]
    fn a_circle_without_a_rejection_is_one() {
        use DropReason::{Expired, Rejected};
        assert!(record(&[(7, Expired), (8, Expired)]).is_circle(Name(7)));
        assert!(!record(&[(7, Rejected), (8, Expired)]).is_circle(Name(7)));
        assert!(!record(&[(7, Expired), (8, Expired)]).is_circle(Name(9)));
        // The rejection lies further back than the circle.
        assert!(record(&[(6, Rejected), (7, Expired), (8, Expired)]).is_circle(Name(7)));
    }
}
