//! The coordinator's side of one producer's transactions: which partitions are in the open one,
//! and the two steps in which it ends.
//!
//! First the decision is logged: *prepare*. Then every partition gets a marker; when all markers
//! are on the replicas in sync the transaction is over: *complete*. Whoever asked is answered then.
//! Every end makes the producer another incarnation, as in KIP-890: what was sent for an earlier
//! one is refused, so nothing late begins a transaction that nobody ends.
//! Source: KIP-98, KIP-890, `TransactionCoordinator`, `TransactionStateManager`.
//! Left out: the coordinator's own log and failover; that a partition is named to the coordinator
//! before the first write into it (the write itself names it, as since version 4.0).

use super::producers::{ProducerError, ProducerId, TxnEnd};
use crate::kernel::{SimSpan, SimTime};

/// Epochs of one producer id; after them it gets another id.
const EPOCHS: u32 = i16::MAX as u32;

/// A marker that was written and is not yet on all replicas in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The partition, at most 63.
    pub partition: u8,
    /// The marker's offset.
    pub offset: u64,
    /// Offset of the transaction's first record, if there is one.
    pub first: Option<u64>,
}

/// Where a transaction is. Partitions are bits.
#[derive(Clone, Debug, PartialEq)]
pub enum TxnState {
    /// None is open.
    Empty,
    /// Something was written.
    Open {
        /// When it is given up.
        due: SimTime,
        /// Into these partitions.
        partitions: u64,
    },
    /// How it ends is decided.
    Ending {
        /// How.
        end: TxnEnd,
        /// When the decision is logged and markers are written; `None`: it is.
        logged_at: Option<SimTime>,
        /// Partitions that have no marker.
        unmarked: u64,
        /// Markers that are not yet final.
        marks: Vec<Mark>,
    },
}

/// What the coordinator says to the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnReply {
    /// To its beginning: it is this incarnation.
    Begun {
        /// Number of the request.
        number: u32,
        /// The incarnation.
        incarnation: u32,
    },
    /// The transaction has ended as asked; the next one is of this incarnation.
    Ended {
        /// The incarnation.
        incarnation: u32,
    },
    /// It is no longer the one whose word counts.
    Fenced,
}

/// One producer's transactions.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// Where it is.
    pub state: TxnState,
    /// Which incarnation of the producer may write: raised by every beginning and every end.
    pub incarnation: u32,
    /// How long one may be open.
    timeout: SimSpan,
    /// The producer's last request to begin.
    asked: u32,
    /// How the last one ended.
    last_end: Option<TxnEnd>,
    /// What is said when the one that ends is over.
    owed: Owed,
}

/// Who waits for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Nobody,
    Beginner,
    Ender,
}

/// Producer id and epoch of an incarnation. `base`: the producer's own, below 2^16.
pub fn identity(base: u64, incarnation: u32) -> (ProducerId, u16) {
    let id = base | u64::from(incarnation / EPOCHS) << 16;
    (ProducerId(id), (incarnation % EPOCHS) as u16)
}

impl Default for Transaction {
    fn default() -> Transaction {
        Transaction {
            state: TxnState::Empty,
            incarnation: 0,
            timeout: SimSpan::s(60),
            asked: 0,
            last_end: None,
            owed: Owed::Nobody,
        }
    }
}

impl Transaction {
    /// A producer begins, or begins anew: an open transaction of its predecessor is aborted.
    ///
    /// `logged_at`: when a decision made now is logged. Without an answer it comes with
    /// [`Transaction::complete`].
    pub fn begin(&mut self, number: u32, timeout: SimSpan, logged_at: SimTime) -> Option<TxnReply> {
        let is_again = std::mem::replace(&mut self.asked, number) == number;
        self.timeout = timeout;
        match self.state {
            TxnState::Empty => {
                self.incarnation += u32::from(!is_again);
                Some(self.begun())
            }
            // It has begun, and its answer was late.
            TxnState::Open { .. } if is_again => Some(self.begun()),
            TxnState::Open { .. } => {
                self.decide(TxnEnd::Abort, logged_at);
                self.owed = Owed::Beginner;
                None
            }
            TxnState::Ending { .. } => {
                self.owed = Owed::Beginner;
                None
            }
        }
    }

    /// An incarnation writes into a partition: its transaction is open from then on.
    pub fn write(
        &mut self,
        now: SimTime,
        incarnation: u32,
        partition: u8,
    ) -> Result<(), ProducerError> {
        if incarnation != self.incarnation {
            return Err(ProducerError::InvalidProducerEpoch);
        }
        let bit = 1_u64 << partition;
        match &mut self.state {
            TxnState::Empty => {
                let due = now.saturating_add(self.timeout);
                self.state = TxnState::Open { due, partitions: bit };
            }
            TxnState::Open { partitions, .. } => *partitions |= bit,
            TxnState::Ending { .. } => return Err(ProducerError::InvalidTxnState),
        }
        Ok(())
    }

    /// An incarnation asks for the end.
    pub fn end(&mut self, incarnation: u32, end: TxnEnd, logged_at: SimTime) -> Option<TxnReply> {
        let is_present = incarnation == self.incarnation;
        // The answer was lost, or is late.
        let is_repeated = incarnation + 1 == self.incarnation && self.last_end == Some(end);
        match self.state {
            TxnState::Open { .. } if is_present => {
                self.decide(end, logged_at);
                self.owed = Owed::Ender;
                None
            }
            // Nothing of it was ever written.
            TxnState::Empty if is_present => {
                self.incarnation += 1;
                self.last_end = Some(end);
                Some(TxnReply::Ended { incarnation: self.incarnation })
            }
            TxnState::Ending { .. } if is_repeated => {
                if self.owed == Owed::Nobody {
                    self.owed = Owed::Ender;
                }
                None
            }
            TxnState::Empty if is_repeated => {
                Some(TxnReply::Ended { incarnation: self.incarnation })
            }
            _ => Some(TxnReply::Fenced),
        }
    }

    /// Gives up a transaction that was open for too long; whether it did.
    pub fn on_wake(&mut self, now: SimTime, logged_at: SimTime) -> bool {
        let is_late = matches!(self.state, TxnState::Open { due, .. } if due <= now);
        if is_late {
            self.decide(TxnEnd::Abort, logged_at);
        }
        is_late
    }

    /// Earliest time at which something is due: the open one is given up, or markers are written.
    pub fn next_wake(&self) -> Option<SimTime> {
        match self.state {
            TxnState::Empty => None,
            TxnState::Open { due, .. } => Some(due),
            TxnState::Ending { logged_at, .. } => logged_at,
        }
    }

    /// All markers are final: how it ended, and what is said to whom asked.
    pub fn complete(&mut self) -> Option<(TxnEnd, Option<TxnReply>)> {
        let TxnState::Ending { end, unmarked: 0, ref marks, .. } = self.state else { return None };
        if !marks.is_empty() {
            return None;
        }
        self.state = TxnState::Empty;
        let reply = match std::mem::replace(&mut self.owed, Owed::Nobody) {
            Owed::Nobody => None,
            Owed::Beginner => Some(self.begun()),
            Owed::Ender => Some(TxnReply::Ended { incarnation: self.incarnation }),
        };
        Some((end, reply))
    }

    /// Producer id and epoch that the markers of the transaction that ends carry: the epoch is one
    /// more than that of its records.
    pub fn marker(&self, base: u64) -> (ProducerId, u16) {
        let (id, epoch) = identity(base, self.incarnation.saturating_sub(1));
        (id, epoch + 1)
    }

    fn begun(&self) -> TxnReply {
        TxnReply::Begun { number: self.asked, incarnation: self.incarnation }
    }

    fn decide(&mut self, end: TxnEnd, logged_at: SimTime) {
        let TxnState::Open { partitions: unmarked, .. } = self.state else { return };
        self.incarnation += 1;
        self.last_end = Some(end);
        let logged_at = Some(logged_at);
        self.state = TxnState::Ending { end, logged_at, unmarked, marks: Vec::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SimTime = SimTime::ZERO;

    fn open() -> Transaction {
        let mut txn = Transaction::default();
        let begun = TxnReply::Begun { number: 1, incarnation: 1 };
        assert_eq!(txn.begin(1, SimSpan::s(5), NOW), Some(begun));
        assert_eq!(txn.write(NOW, 1, 3), Ok(()));
        txn
    }

    /// All markers are written, and final.
    fn mark(txn: &mut Transaction) {
        let TxnState::Ending { unmarked, .. } = &mut txn.state else { panic!("it ends") };
        *unmarked = 0;
    }

    #[test]
    fn whoever_asks_for_the_end_hears_of_it_when_all_markers_are_final() {
        let mut txn = open();
        assert_eq!(txn.end(1, TxnEnd::Commit, NOW), None);
        assert_eq!(txn.complete(), None);
        assert_eq!(txn.write(NOW, 1, 3), Err(ProducerError::InvalidProducerEpoch));
        assert_eq!(txn.write(NOW, 2, 3), Err(ProducerError::InvalidTxnState));
        mark(&mut txn);
        let reply = TxnReply::Ended { incarnation: 2 };
        assert_eq!(txn.complete(), Some((TxnEnd::Commit, Some(reply))));
        assert_eq!(txn.end(1, TxnEnd::Commit, NOW), Some(reply), "the answer was lost");
        assert_eq!(txn.end(1, TxnEnd::Abort, NOW), Some(TxnReply::Fenced));
        assert_eq!(txn.write(NOW, 2, 0), Ok(()));
    }

    #[test]
    fn whoever_begins_anew_aborts_what_its_predecessor_left_open() {
        let mut txn = open();
        assert_eq!(txn.begin(2, SimSpan::s(5), NOW), None);
        mark(&mut txn);
        let begun = TxnReply::Begun { number: 2, incarnation: 2 };
        assert_eq!(txn.complete(), Some((TxnEnd::Abort, Some(begun))));
        assert_eq!(txn.begin(2, SimSpan::s(5), NOW), Some(begun), "the answer was lost");
        assert_eq!(txn.end(1, TxnEnd::Commit, NOW), Some(TxnReply::Fenced), "the predecessor");
    }

    #[test]
    fn one_that_is_open_for_too_long_is_aborted_and_its_producer_fenced() {
        let mut txn = open();
        let due = NOW + SimSpan::s(5);
        assert_eq!(txn.next_wake(), Some(due));
        assert!(!txn.on_wake(NOW + SimSpan::s(4), NOW));
        assert!(txn.on_wake(due, due));
        mark(&mut txn);
        assert_eq!(txn.complete(), Some((TxnEnd::Abort, None)));
        assert_eq!(txn.end(1, TxnEnd::Commit, NOW), Some(TxnReply::Fenced));
        assert_eq!(txn.next_wake(), None);
    }

    #[test]
    fn after_its_last_epoch_a_producer_gets_another_id() {
        assert_eq!(identity(7, EPOCHS - 1), (ProducerId(7), 32_766));
        assert_eq!(identity(7, EPOCHS), (ProducerId(7 | 1 << 16), 0));
        let txn = Transaction { incarnation: EPOCHS, ..Transaction::default() };
        assert_eq!(txn.marker(7), (ProducerId(7), 32_767), "it ends what the old id wrote");
    }
}
