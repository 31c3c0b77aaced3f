//! The producer's batches: records wait for company, at most `linger`, at most a batch's bytes.
//!
//! Source: `RecordAccumulator` (`append`, `ready`, `drain`), `MemoryRecordsBuilder`. All leaders
//! are on one node. Left out: the buffer's pool and compression. Back-off is in `sender.rs`.

use std::collections::VecDeque;

use super::record::NewRecord;
use super::size::{BATCH_OVERHEAD, RecordShape};
use super::sticky::StickyPartitioner;
use crate::kernel::{SimSpan, SimTime};

/// Most batches that wait for one partition; beyond it the oldest must be drained first.
pub const QUEUE_LIMIT: u32 = 65_536;
/// Record lists kept for use again.
const SPARES_LIMIT: usize = 64;
/// Nanoseconds of a millisecond, the unit of time in a batch.
const NS_PER_MS: u64 = 1_000_000;

/// A batch in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending<M> {
    /// Its records, each with its size in this batch.
    pub records: Vec<NewRecord<M>>,
    /// Bytes so far, with the batch's own 61.
    pub bytes: u32,
    /// When it was begun.
    pub since: SimTime,
    /// Most bytes that fit.
    limit: u32,
    /// A record did not fit: nothing more comes in.
    is_closed: bool,
    /// How many of its records [`Accumulator::show_held`] has shown.
    n_shown: u32,
}

impl<M> Pending<M> {
    /// Whether nothing more is expected.
    pub fn is_full(&self) -> bool {
        self.is_closed || (!self.records.is_empty() && self.limit <= self.bytes)
    }
}

/// Where a record was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appending {
    /// The partition.
    pub partition: u32,
    /// Whether something can be sent now that could not be sent before.
    pub is_ready: bool,
}

/// A batch that leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Drained<M> {
    /// Its partition.
    pub partition: u32,
    /// The batch; give it back with `recycle`.
    pub batch: Pending<M>,
}

/// The batches of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Accumulator<M> {
    /// How long a batch waits for company (`linger.ms`).
    pub linger: SimSpan,
    /// Most bytes of one request (`max.request.size`).
    pub request_bytes: u32,
    /// Where records without a partition go; its `batch_bytes` is `batch.size`.
    pub partitioner: StickyPartitioner,
    queues: Vec<VecDeque<Pending<M>>>,
    /// The partition that is drained first next time.
    turn: u32,
    n_records: u32,
    spares: Vec<Vec<NewRecord<M>>>,
}

impl<M: Copy> Accumulator<M> {
    /// No batches for `n_partitions`, each of `batch_bytes`.
    pub fn new(n_partitions: u32, batch_bytes: u32, linger: SimSpan) -> Accumulator<M> {
        Accumulator {
            linger,
            request_bytes: 1 << 20,
            partitioner: StickyPartitioner::new(n_partitions, batch_bytes),
            queues: (0..n_partitions).map(|_| VecDeque::new()).collect(),
            turn: 0,
            n_records: 0,
            spares: Vec::new(),
        }
    }

    /// Puts a record into a batch; `to` is its partition if it is known, by its key or by wish.
    ///
    /// `draw` is asked for a random number when the sticky partitioner moves on. Panics when the
    /// partition does not exist. The record's `bytes` are computed here.
    #[inline]
    pub fn append(
        &mut self,
        now: SimTime,
        to: Option<u32>,
        shape: RecordShape,
        record: NewRecord<M>,
        draw: &mut impl FnMut() -> u32,
    ) -> Appending {
        loop {
            let partition = match to {
                Some(partition) => partition,
                None => match self.settled_partition(draw) {
                    Some(partition) => partition,
                    None => continue,
                },
            };
            if let Some(bytes) = self.append_to_last(partition, shape, record) {
                return self.appended(partition, bytes, to.is_none(), draw);
            }
            // A switch that waited for this batch to fill up happens now: the record goes along.
            if to.is_none() && self.settled_partition(draw) != Some(partition) {
                continue;
            }
            let bytes = self.begin(now, partition, shape, record);
            return self.appended(partition, bytes, to.is_none(), draw);
        }
    }

    /// Takes one batch of every partition that has one, if any partition is ready.
    pub fn drain(&mut self, now: SimTime, out: &mut Vec<Drained<M>>) {
        self.drain_unless(now, |_| false, out);
    }

    /// The same, but muted partitions are neither ready nor drained.
    pub fn drain_unless(
        &mut self,
        now: SimTime,
        is_muted: impl Fn(u32) -> bool,
        out: &mut Vec<Drained<M>>,
    ) {
        if self.next_ready_unless(&is_muted).is_none_or(|at| now < at) {
            return;
        }
        let n = self.queues.len() as u32;
        let first = self.turn;
        let mut bytes = 0_u64;
        let n_before = out.len();
        for step in 0..n {
            let partition = (first + step) % n;
            let Some(batch) = self.queues[partition as usize].front() else { continue };
            if is_muted(partition) {
                continue;
            }
            let is_too_much = u64::from(self.request_bytes) < bytes + u64::from(batch.bytes);
            if is_too_much && n_before < out.len() {
                break;
            }
            self.turn = (partition + 1) % n;
            bytes += u64::from(batch.bytes);
            let Some(batch) = self.queues[partition as usize].pop_front() else { continue };
            self.n_records -= batch.records.len() as u32;
            out.push(Drained { partition, batch });
        }
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        self.queues.iter_mut().for_each(VecDeque::clear);
        self.n_records = 0;
    }

    /// The topic has more partitions now.
    pub fn grow(&mut self, n_partitions: u32) {
        while (self.queues.len() as u32) < n_partitions {
            self.queues.push(VecDeque::new());
        }
        self.partitioner.grow(n_partitions);
    }

    /// Its process stood still for so long: batches are younger by it.
    pub fn postpone(&mut self, span: SimSpan) {
        for batch in self.queues.iter_mut().flatten() {
            batch.since += span;
        }
    }

    /// Shows the records of every batch that is ready, and has not been shown, because it may not
    /// leave yet.
    pub fn show_held(&mut self, now: SimTime, mut see: impl FnMut(&NewRecord<M>)) {
        let linger = self.linger;
        for queue in &mut self.queues {
            let n = queue.len();
            for (place, batch) in queue.iter_mut().enumerate() {
                let is_old = batch.since.saturating_add(linger) <= now;
                if place + 1 == n && !batch.is_full() && !is_old {
                    break;
                }
                batch.records[batch.n_shown as usize..].iter().for_each(&mut see);
                batch.n_shown = batch.records.len() as u32;
            }
        }
    }

    /// When the next batch is old enough to leave that has not been shown.
    pub fn next_held(&self) -> Option<SimTime> {
        let last = self.queues.iter().filter_map(VecDeque::back);
        let young = last.filter(|batch| batch.n_shown < batch.records.len() as u32);
        young.map(|batch| batch.since.saturating_add(self.linger)).min()
    }

    /// Every record that waits.
    pub fn records(&self) -> impl Iterator<Item = &NewRecord<M>> {
        self.queues.iter().flatten().flat_map(|batch| &batch.records)
    }

    /// Gives a sent batch back, so that its memory is used again.
    pub fn recycle(&mut self, batch: Pending<M>) {
        if self.spares.len() < SPARES_LIMIT {
            let mut records = batch.records;
            records.clear();
            self.spares.push(records);
        }
    }

    /// The earliest time at which `drain` gives something; may be in the past.
    #[inline]
    pub fn next_ready(&self) -> Option<SimTime> {
        self.next_ready_unless(|_| false)
    }

    /// The same without muted partitions.
    #[inline]
    pub fn next_ready_unless(&self, is_muted: impl Fn(u32) -> bool) -> Option<SimTime> {
        let ready_at = |(partition, queue): (usize, &VecDeque<Pending<M>>)| {
            let first = queue.front().filter(|_| !is_muted(partition as u32))?;
            let is_ready = 1 < queue.len() || first.is_full();
            Some(if is_ready { SimTime::ZERO } else { first.since.saturating_add(self.linger) })
        };
        self.queues.iter().enumerate().filter_map(ready_at).min()
    }

    /// How many records wait.
    pub fn n_records(&self) -> u32 {
        self.n_records
    }

    /// The batches that wait for a partition, oldest first.
    pub fn queue(&self, partition: u32) -> impl Iterator<Item = &Pending<M>> {
        self.queues[partition as usize].iter()
    }

    /// The sticky partition; `None` when it has just moved on because its last batch is full.
    fn settled_partition(&mut self, draw: &mut impl FnMut() -> u32) -> Option<u32> {
        let partition = self.partitioner.peek(&mut *draw);
        if !self.last_is_full(partition) {
            return Some(partition);
        }
        let mut has_moved = false;
        self.partitioner.appended(0, true, || {
            has_moved = true;
            draw()
        });
        (!has_moved).then_some(partition)
    }

    fn last_is_full(&self, partition: u32) -> bool {
        self.queues[partition as usize].back().is_none_or(Pending::is_full)
    }

    /// Bytes added, or `None` when the last batch has no room and is closed now.
    #[inline]
    fn append_to_last(
        &mut self,
        partition: u32,
        shape: RecordShape,
        record: NewRecord<M>,
    ) -> Option<u32> {
        let batch = self.queues[partition as usize].back_mut()?;
        let first_ms = batch.records.first().map_or(0, |first| first.at.ns() / NS_PER_MS);
        let after_ms = (record.at.ns() / NS_PER_MS) as i64 - first_ms as i64;
        let bytes = shape.bytes_in_batch(after_ms, batch.records.len() as u32);
        if batch.is_closed || batch.limit < batch.bytes + bytes {
            batch.is_closed = true;
            return None;
        }
        batch.bytes += bytes;
        batch.records.push(NewRecord { bytes, ..record });
        Some(bytes)
    }

    /// Begins a batch with a record; one larger than a batch gets a batch of its own size.
    fn begin(
        &mut self,
        now: SimTime,
        partition: u32,
        shape: RecordShape,
        record: NewRecord<M>,
    ) -> u32 {
        let queue = &mut self.queues[partition as usize];
        assert!((queue.len() as u32) < QUEUE_LIMIT, "batches are drained");
        let own = shape.bytes_in_batch(0, 0);
        let bytes = BATCH_OVERHEAD + own;
        let limit = self.partitioner.batch_bytes.max(shape.reserved_bytes());
        let mut records = self.spares.pop().unwrap_or_default();
        records.push(NewRecord { bytes: own, ..record });
        queue.push_back(Pending {
            records,
            bytes,
            since: now,
            limit,
            is_closed: false,
            n_shown: 0,
        });
        bytes
    }

    #[inline]
    fn appended(
        &mut self,
        partition: u32,
        bytes: u32,
        is_sticky: bool,
        draw: &mut impl FnMut() -> u32,
    ) -> Appending {
        self.n_records += 1;
        let is_full = self.last_is_full(partition);
        if is_sticky {
            self.partitioner.appended(bytes, is_full, draw);
        }
        let is_ready = is_full || 1 < self.queues[partition as usize].len();
        Appending { partition, is_ready }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(accumulator: &mut Accumulator<u32>, ms: u64, to: Option<u32>, value: u32) -> u32 {
        let now = SimTime::from_ns(ms * NS_PER_MS);
        let shape = RecordShape { key: None, value: Some(value) };
        let mut next = 0;
        let mut draw = || {
            next += 1;
            next
        };
        accumulator.append(now, to, shape, NewRecord::value(now, 0, 0), &mut draw).partition
    }

    fn drain(accumulator: &mut Accumulator<u32>, ms: u64) -> Vec<(u32, usize)> {
        let mut out = Vec::new();
        accumulator.drain(SimTime::from_ns(ms * NS_PER_MS), &mut out);
        out.iter().map(|drained| (drained.partition, drained.batch.records.len())).collect()
    }

    #[test]
    fn one_ready_partition_takes_the_half_full_batches_of_all_others_along() {
        let mut accumulator = Accumulator::new(2, 1000, SimSpan::ms(10));
        append(&mut accumulator, 0, Some(0), 100);
        append(&mut accumulator, 8, Some(1), 100);
        assert_eq!(drain(&mut accumulator, 9), []);
        assert_eq!(drain(&mut accumulator, 10), [(0, 1), (1, 1)]);
    }

    #[test]
    fn a_record_larger_than_a_batch_waits_its_time_like_any_other() {
        let mut accumulator = Accumulator::new(1, 300, SimSpan::ms(30));
        append(&mut accumulator, 0, Some(0), 1000);
        assert_eq!(drain(&mut accumulator, 29), []);
        assert_eq!(drain(&mut accumulator, 30), [(0, 1)]);
    }

    #[test]
    fn the_partition_changes_when_a_record_does_not_fit_and_not_earlier() {
        let mut accumulator = Accumulator::new(2, 500, SimSpan::ms(20));
        let partitions: Vec<u32> =
            (0..9).map(|i| append(&mut accumulator, 2 * i, None, 80)).collect();
        let first = partitions[0];
        assert!(partitions[..5].iter().all(|p| *p == first), "{partitions:?}");
        assert_eq!(accumulator.queue(first).next().map(|batch| batch.records.len()), Some(4));
    }
}
