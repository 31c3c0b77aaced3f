//! What a partition remembers of its producers: the last five batches of each, whose sequence
//! numbers tell a repeated batch from a lost one, and open transactions.
//!
//! Source: KIP-98, `ProducerStateManager`, `ProducerStateEntry`, `ProducerAppendInfo`.
//! Left out: the check with the transaction coordinator before the first write of a transaction.

use crate::kernel::{SimSpan, SimTime};

/// Batches remembered per producer (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const BATCHES_RETAINED: u32 = 5;
/// Most producers that a partition remembers; the one idle for longest is forgotten first.
pub const PRODUCERS_LIMIT: u32 = 4096;
/// Most aborted transactions that a partition remembers, the newest.
pub const ABORTED_LIMIT: u32 = 65_536;
/// The last sequence number; 0 follows.
const LAST_SEQUENCE: u32 = i32::MAX as u32;

/// A producer's id; given once, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u64);

/// What an idempotent producer writes on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Who wrote it.
    pub producer: ProducerId,
    /// Which incarnation; a higher one fences the lower.
    pub epoch: u16,
    /// Sequence number of the batch's first record.
    pub sequence: u32,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnEnd {
    /// Its records count.
    Commit,
    /// Its records are skipped by `read_committed`.
    Abort,
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerError {
    /// A newer incarnation of this producer has written.
    InvalidProducerEpoch,
    /// A batch before this one is missing, or this one is an old one forgotten.
    OutOfOrderSequence,
    /// A batch outside the transaction that is open.
    InvalidTxnState,
}

/// What a batch is to the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// To be appended.
    Fresh,
    /// One of the last five, stored already from `base` to `last`.
    Duplicate {
        /// Offset of its first record.
        base: u64,
        /// Offset of its last record.
        last: u64,
    },
}

/// One remembered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    first: u32,
    last: u32,
    base: u64,
    last_offset: u64,
}

/// The last batches of a producer, newest first.
type LastBatches = [Seen; BATCHES_RETAINED as usize];

/// What is remembered of one producer.
#[derive(Clone, Debug, PartialEq)]
struct Producer {
    id: ProducerId,
    epoch: u16,
    /// The last batches, newest first; only the first `n_seen` count.
    seen: LastBatches,
    n_seen: u8,
    /// First offset of its open transaction.
    txn_first: Option<u64>,
    last_at: SimTime,
}

/// A transaction that ended by an abort, or one whose end is not replicated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedTxn {
    /// Who wrote it.
    pub producer: ProducerId,
    /// Offset of its first record.
    pub first: u64,
    /// Offset of its marker.
    pub last: u64,
    /// How it ended.
    pub end: TxnEnd,
    /// Last stable offset once this end is replicated.
    pub stable_then: u64,
}

/// A partition's producers.
#[derive(Clone, Debug, PartialEq)]
pub struct Producers {
    /// A producer idle for so long is forgotten (`producer.id.expiration.ms`).
    pub expiration: SimSpan,
    /// By rising id.
    producers: Vec<Producer>,
    /// Aborted transactions by rising marker.
    aborted: Vec<EndedTxn>,
    /// Ended transactions whose marker is not below the high watermark.
    unreplicated: Vec<EndedTxn>,
    n_open: u32,
}

impl Seen {
    const NONE: Seen = Seen { first: 0, last: 0, base: 0, last_offset: 0 };
}

/// The sequence number `n` after another.
const fn sequence_after(sequence: u32, n: u32) -> u32 {
    ((sequence as u64 + n as u64) % (LAST_SEQUENCE as u64 + 1)) as u32
}

impl Producer {
    fn new(id: ProducerId, epoch: u16, now: SimTime) -> Producer {
        let seen = [Seen::NONE; BATCHES_RETAINED as usize];
        Producer { id, epoch, seen, n_seen: 0, txn_first: None, last_at: now }
    }

    fn seen(&self) -> &[Seen] {
        &self.seen[..usize::from(self.n_seen)]
    }

    fn next_sequence(&self) -> u32 {
        self.seen().first().map_or(0, |seen| sequence_after(seen.last, 1))
    }

    fn remember(&mut self, seen: Seen) {
        self.seen.rotate_right(1);
        self.seen[0] = seen;
        self.n_seen = (self.n_seen + 1).min(BATCHES_RETAINED as u8);
    }

    fn set_epoch(&mut self, epoch: u16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.n_seen = 0;
        }
    }
}

impl Producers {
    /// Nobody known.
    pub const fn new(expiration: SimSpan) -> Producers {
        Producers {
            expiration,
            producers: Vec::new(),
            aborted: Vec::new(),
            unreplicated: Vec::new(),
            n_open: 0,
        }
    }

    /// Judges a batch of `n` records; appends nothing.
    pub fn judge(&mut self, now: SimTime, stamp: &Stamp, n: u32) -> Result<Judged, ProducerError> {
        let index = self.find_live(now, stamp.producer);
        let Some(index) = index else { return Ok(Judged::Fresh) };
        let known = &self.producers[index];
        if stamp.epoch == known.epoch {
            let last = sequence_after(stamp.sequence, n.saturating_sub(1));
            let is_same = |seen: &&Seen| seen.first == stamp.sequence && seen.last == last;
            if let Some(seen) = known.seen().iter().find(is_same) {
                return Ok(Judged::Duplicate { base: seen.base, last: seen.last_offset });
            }
        }
        if stamp.epoch < known.epoch {
            return Err(ProducerError::InvalidProducerEpoch);
        }
        let expected = if stamp.epoch == known.epoch { known.next_sequence() } else { 0 };
        if stamp.sequence != expected {
            return Err(ProducerError::OutOfOrderSequence);
        }
        if known.txn_first.is_some() && !stamp.is_transactional {
            return Err(ProducerError::InvalidTxnState);
        }
        Ok(Judged::Fresh)
    }

    /// Notes a batch of `n` records that was appended at `base`.
    pub fn appended(&mut self, now: SimTime, stamp: &Stamp, n: u32, base: u64) {
        let index = self.find_or_add(now, stamp.producer, stamp.epoch);
        let known = &mut self.producers[index];
        known.set_epoch(stamp.epoch);
        known.last_at = now;
        let more = n.saturating_sub(1);
        known.remember(Seen {
            first: stamp.sequence,
            last: sequence_after(stamp.sequence, more),
            base,
            last_offset: base + u64::from(more),
        });
        if stamp.is_transactional && known.txn_first.is_none() {
            known.txn_first = Some(base);
            self.n_open += 1;
        }
    }

    /// Whether a transaction's end from this incarnation is accepted.
    pub fn judge_end(
        &mut self,
        now: SimTime,
        producer: ProducerId,
        epoch: u16,
    ) -> Result<(), ProducerError> {
        match self.find_live(now, producer) {
            Some(index) if epoch < self.producers[index].epoch => {
                Err(ProducerError::InvalidProducerEpoch)
            }
            _ => Ok(()),
        }
    }

    /// Notes a transaction's end whose marker was appended at `offset`; says which one it ended.
    pub fn ended(
        &mut self,
        now: SimTime,
        producer: ProducerId,
        epoch: u16,
        end: TxnEnd,
        offset: u64,
    ) -> Option<EndedTxn> {
        let index = self.find_or_add(now, producer, epoch);
        let known = &mut self.producers[index];
        known.set_epoch(epoch);
        known.last_at = now;
        let first = known.txn_first.take()?;
        self.n_open -= 1;
        let stable_then = self.first_open().unwrap_or(offset + 1);
        let ended = EndedTxn { producer, first, last: offset, end, stable_then };
        self.unreplicated.push(ended);
        if end == TxnEnd::Abort {
            if self.aborted.len() as u32 == ABORTED_LIMIT {
                self.aborted.remove(0);
            }
            self.aborted.push(ended);
        }
        Some(ended)
    }

    /// The high watermark rose: ends below it are final.
    pub fn replicated_to(&mut self, high_watermark: u64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|txn| high_watermark <= txn.last);
        }
    }

    /// Forgets everything; the log is told again from its start after a truncation.
    pub fn clear(&mut self) {
        *self = Producers::new(self.expiration);
    }

    /// The log begins later: aborted transactions before it are of no use.
    pub fn drop_before(&mut self, log_start: u64) {
        self.aborted.retain(|txn| log_start <= txn.last);
    }

    /// The last stable offset: nothing undecided lies below it.
    #[inline]
    pub fn last_stable(&self, high_watermark: u64) -> u64 {
        if self.n_open == 0 && self.unreplicated.is_empty() {
            return high_watermark;
        }
        let undecided = self.unreplicated.iter().map(|txn| txn.first).min();
        let first = self.first_open().into_iter().chain(undecided).min();
        first.unwrap_or(high_watermark).min(high_watermark)
    }

    /// Aborted transactions, by rising marker.
    pub fn aborted(&self) -> &[EndedTxn] {
        &self.aborted
    }

    /// Whether a transactional record of this producer at this offset was aborted.
    pub fn is_aborted(&self, producer: ProducerId, offset: u64) -> bool {
        let covers =
            |txn: &EndedTxn| txn.producer == producer && txn.first <= offset && offset <= txn.last;
        self.aborted.iter().any(covers)
    }

    /// Whether a transactional record of this producer at this offset is in an open transaction.
    pub fn is_open(&self, producer: ProducerId, offset: u64) -> bool {
        let index = self.producers.binary_search_by_key(&producer, |known| known.id);
        let first = index.ok().and_then(|index| self.producers[index].txn_first);
        first.is_some_and(|first| first <= offset)
    }

    /// How many transactions are open.
    pub fn n_open(&self) -> u32 {
        self.n_open
    }

    /// How many producers are remembered.
    pub fn n_producers(&self) -> u32 {
        self.producers.len() as u32
    }

    fn first_open(&self) -> Option<u64> {
        if self.n_open == 0 {
            return None;
        }
        self.producers.iter().filter_map(|known| known.txn_first).min()
    }

    fn find_live(&mut self, now: SimTime, id: ProducerId) -> Option<usize> {
        let index = self.producers.binary_search_by_key(&id, |known| known.id).ok()?;
        let known = &self.producers[index];
        let is_expired = known.txn_first.is_none() && self.expiration <= now.since(known.last_at);
        if is_expired {
            self.producers.remove(index);
            return None;
        }
        Some(index)
    }

    fn find_or_add(&mut self, now: SimTime, id: ProducerId, epoch: u16) -> usize {
        if let Some(index) = self.find_live(now, id) {
            return index;
        }
        if self.producers.len() as u32 == PRODUCERS_LIMIT {
            let idle = self.producers.iter().enumerate().filter(|(_, p)| p.txn_first.is_none());
            let oldest = idle.min_by_key(|(_, known)| known.last_at).map(|(index, _)| index);
            self.producers.remove(oldest.unwrap_or(0));
        }
        let index = self.producers.partition_point(|known| known.id < id);
        self.producers.insert(index, Producer::new(id, epoch, now));
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SimSpan = SimSpan::s(86_400);

    fn stamp(epoch: u16, sequence: u32) -> Stamp {
        Stamp { producer: ProducerId(1), epoch, sequence, is_transactional: false }
    }

    /// Five batches of one record, sequences 0 to 4, at offsets 0 to 4.
    fn five() -> Producers {
        let mut producers = Producers::new(DAY);
        for sequence in 0..5 {
            let stamp = stamp(0, sequence);
            assert_eq!(producers.judge(SimTime::ZERO, &stamp, 1), Ok(Judged::Fresh));
            producers.appended(SimTime::ZERO, &stamp, 1, u64::from(sequence));
        }
        producers
    }

    #[test]
    fn a_duplicate_older_than_five_batches_is_an_error_and_not_a_second_copy() {
        let mut producers = five();
        let known = Judged::Duplicate { base: 0, last: 0 };
        assert_eq!(producers.judge(SimTime::ZERO, &stamp(0, 0), 1), Ok(known));
        producers.appended(SimTime::ZERO, &stamp(0, 5), 1, 5);
        let error = Err(ProducerError::OutOfOrderSequence);
        assert_eq!(producers.judge(SimTime::ZERO, &stamp(0, 0), 1), error);
    }

    #[test]
    fn a_new_incarnation_begins_at_zero_and_fences_the_old_one() {
        let mut producers = five();
        let error = Err(ProducerError::OutOfOrderSequence);
        assert_eq!(producers.judge(SimTime::ZERO, &stamp(1, 5), 1), error);
        assert_eq!(producers.judge(SimTime::ZERO, &stamp(1, 0), 1), Ok(Judged::Fresh));
        producers.appended(SimTime::ZERO, &stamp(1, 0), 1, 5);
        let fenced = Err(ProducerError::InvalidProducerEpoch);
        assert_eq!(producers.judge(SimTime::ZERO, &stamp(0, 4), 1), fenced);
    }

    #[test]
    fn zero_follows_the_last_sequence_number() {
        let mut producers = Producers::new(DAY);
        producers.appended(SimTime::ZERO, &stamp(0, LAST_SEQUENCE), 1, 0);
        assert_eq!(producers.judge(SimTime::ZERO, &stamp(0, 0), 1), Ok(Judged::Fresh));
        assert_eq!(sequence_after(LAST_SEQUENCE - 1, 3), 1);
    }

    #[test]
    fn whoever_is_forgotten_may_store_the_same_batch_again() {
        let mut producers = five();
        let later = SimTime::ZERO.saturating_add(DAY);
        assert_eq!(producers.judge(later, &stamp(0, 4), 1), Ok(Judged::Fresh));
        assert_eq!(producers.n_producers(), 0);
    }

    #[test]
    fn an_open_transaction_holds_back_what_others_wrote_after_it() {
        let mut producers = five();
        let open = Stamp { producer: ProducerId(7), is_transactional: true, ..stamp(0, 0) };
        producers.appended(SimTime::ZERO, &open, 1, 5);
        producers.appended(SimTime::ZERO, &stamp(0, 5), 1, 6);
        assert_eq!(producers.last_stable(7), 5);
        let ended = producers.ended(SimTime::ZERO, ProducerId(7), 0, TxnEnd::Abort, 7);
        assert_eq!(ended.map(|txn| txn.stable_then), Some(8));
        assert_eq!(producers.last_stable(7), 5, "the marker is not replicated yet");
        producers.replicated_to(8);
        assert_eq!(producers.last_stable(8), 8);
        assert!(producers.is_aborted(ProducerId(7), 5));
        assert!(!producers.is_aborted(ProducerId(1), 6));
    }
}
