//! One replica's log: records in segments, appended at the end, deleted at the start, cut back
//! when it contradicts its leader.
//!
//! Offsets of records rise; they are dense until a compaction. Nothing is allocated per record
//! while the log keeps its length.
//! Read `record.rs` first; compaction is in `compaction.rs`, leader epochs in `epochs.rs`.
//! Source: `UnifiedLog`, `LogSegment`. Left out: indexes, files, the time a disk takes.

use std::collections::VecDeque;

use super::epochs::Epochs;
use super::producers::Stamp;
use super::record::{Batch, NewRecord, Record};
use crate::kernel::{SimSpan, SimTime};

/// Most records in one log; an append beyond it deletes the oldest segment.
pub const RECORDS_LIMIT: u32 = 1 << 24;

/// When a segment is closed, and what is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Bytes after which a new segment begins (`log.segment.bytes`).
    pub segment_bytes: u64,
    /// Bytes that are kept, whole segments (`log.retention.bytes`); `None` keeps all.
    pub retention_bytes: Option<u64>,
    /// How long a segment is kept after its newest record (`log.retention.ms`); `None` for ever.
    pub retention: Option<SimSpan>,
    /// How long a compaction keeps tombstones (`delete.retention.ms`).
    pub delete_retention: SimSpan,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            retention_bytes: None,
            retention: Some(SimSpan::s(168 * 3600)),
            delete_retention: SimSpan::s(86_400),
        }
    }
}

/// A run of records that is deleted as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset at which it begins.
    pub base: u64,
    /// How many records it holds.
    pub n: u32,
    /// Their bytes.
    pub bytes: u64,
    /// The latest time of any of its records.
    pub newest: SimTime,
}

/// One replica's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Log<M> {
    /// Its limits.
    pub config: LogConfig,
    pub(super) records: VecDeque<Record<M>>,
    pub(super) batches: VecDeque<Batch>,
    /// Oldest first; the last one is active. Never empty.
    pub(super) segments: VecDeque<Segment>,
    pub(super) epochs: Epochs,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl<M: Copy> Log<M> {
    /// An empty log.
    pub fn new(config: LogConfig) -> Log<M> {
        let segment = Segment { base: 0, n: 0, bytes: 0, newest: SimTime::ZERO };
        Log {
            config,
            records: VecDeque::new(),
            batches: VecDeque::new(),
            segments: VecDeque::from([segment]),
            epochs: Epochs::default(),
            start: 0,
            end: 0,
        }
    }

    /// Appends a batch under a leader's epoch; answers its first offset.
    pub fn append(&mut self, epoch: u32, stamp: Option<Stamp>, records: &[NewRecord<M>]) -> u64 {
        let base = self.end;
        if records.is_empty() {
            return base;
        }
        self.make_room(records.len() as u32, records.iter().map(|r| u64::from(r.bytes)).sum());
        for record in records {
            let NewRecord { at, bytes, key, content, message } = *record;
            self.push(Record { offset: self.end, at, bytes, key, content, message });
            self.end += 1;
        }
        let n = records.len() as u32;
        self.epochs.assign(epoch, base);
        self.batches.push_back(Batch { base, n, epoch, stamp, delete_horizon: None });
        base
    }

    /// Copies the leader's log from this one's end on.
    ///
    /// A leader that has deleted what would come next makes the copy begin at the leader's start.
    pub fn copy_from(&mut self, leader: &Log<M>) {
        if self.end < leader.start {
            self.restart_at(leader.start);
        }
        for batch in leader.batches_from(self.end) {
            let base = batch.base.max(self.end);
            let records = leader.indexes(base, batch.end());
            let bytes = leader.records.range(records.clone()).map(|r| u64::from(r.bytes)).sum();
            self.make_room(records.len() as u32, bytes);
            for record in leader.records.range(records) {
                self.push(*record);
            }
            self.epochs.assign(batch.epoch, base);
            let n = (batch.end() - base) as u32;
            self.batches.push_back(Batch { base, n, ..*batch });
            self.end = batch.end();
        }
    }

    /// Closes the active segment; the next record begins a new one.
    pub fn roll(&mut self) {
        if self.active().n != 0 {
            let newest = SimTime::ZERO;
            self.segments.push_back(Segment { base: self.end, n: 0, bytes: 0, newest });
        }
    }

    /// Deletes old segments by size and age, none that reaches above the high watermark; answers
    /// how many.
    ///
    /// By size the active segment stays; by age it may go, a new one is begun first.
    pub fn retain(&mut self, now: SimTime, high_watermark: u64) -> u32 {
        let mut n_deleted = 0;
        if let Some(limit) = self.config.retention_bytes {
            let mut excess = self.bytes().saturating_sub(limit);
            while 1 < self.segments.len()
                && self.segments[0].bytes <= excess
                && self.segments[1].base <= high_watermark
            {
                excess -= self.segments[0].bytes;
                self.delete_oldest();
                n_deleted += 1;
            }
        }
        if let Some(retention) = self.config.retention {
            let is_old = |segment: &Segment| retention < now.since(segment.newest);
            while self.segments[0].n != 0 && is_old(&self.segments[0]) {
                if self.segments.len() == 1 {
                    self.roll();
                }
                if high_watermark < self.segments[1].base {
                    break;
                }
                self.delete_oldest();
                n_deleted += 1;
            }
        }
        n_deleted
    }

    /// Cuts the log back so that it ends at `end`; does nothing when it ends before.
    pub fn truncate(&mut self, end: u64) {
        let end = end.max(self.start);
        if self.end <= end {
            return;
        }
        while self.records.back().is_some_and(|record| end <= record.offset) {
            self.records.pop_back();
        }
        while self.batches.back().is_some_and(|batch| end <= batch.base) {
            self.batches.pop_back();
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.n = batch.n.min((end - batch.base) as u32);
        }
        while 1 < self.segments.len() && end <= self.active().base {
            self.segments.pop_back();
        }
        self.end = end;
        self.epochs.truncate_end(end);
        self.measure_active();
    }

    /// Empties the log; it goes on at `offset`.
    fn restart_at(&mut self, offset: u64) {
        let epochs = Epochs::default();
        *self = Log { start: offset, end: offset, epochs, ..Log::new(self.config) };
        self.segments[0].base = offset;
    }

    /// The offset of the oldest record that may still be read.
    #[inline]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The offset that the next record gets.
    #[inline]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of all records.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// How many records there are.
    pub fn len(&self) -> u32 {
        self.records.len() as u32
    }

    /// Whether no record is left.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The segments, oldest first; the last one is active.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// The leaders that wrote this log.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// All batches, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter()
    }

    /// The batches that end after an offset. Searched from the end: mostly they are few.
    #[inline]
    pub fn batches_from(&self, offset: u64) -> impl Iterator<Item = &Batch> {
        let newer = self.batches.iter().rev().take_while(|batch| offset < batch.end());
        self.batches.range(self.batches.len() - newer.count()..)
    }

    /// The batch that holds an offset.
    pub fn batch_of(&self, offset: u64) -> Option<&Batch> {
        let index = self.batches.partition_point(|batch| batch.end() <= offset);
        self.batches.get(index).filter(|batch| batch.base <= offset)
    }

    /// Records from one offset up to before another, in order.
    #[inline]
    pub fn read(&self, from: u64, before: u64) -> impl Iterator<Item = &Record<M>> {
        self.records.range(self.indexes(from, before))
    }

    /// Places of the records from one offset up to before another.
    #[inline]
    fn indexes(&self, from: u64, before: u64) -> std::ops::Range<usize> {
        let first = self.index_of(from);
        first..self.index_of(before).max(first)
    }

    /// Place of the first record at or after an offset.
    #[inline]
    fn index_of(&self, offset: u64) -> usize {
        if self.end <= offset {
            return self.records.len();
        }
        // Without gaps the place follows from the offset.
        let guess = offset.saturating_sub(self.records.front().map_or(0, |r| r.offset)) as usize;
        match self.records.get(guess) {
            Some(record) if record.offset == offset => guess,
            _ => self.records.partition_point(|record| record.offset < offset),
        }
    }

    #[inline]
    fn active(&self) -> &Segment {
        self.segments.back().expect("a log has a segment")
    }

    /// Begins a new segment when these bytes do not fit; deletes the oldest at the limit.
    #[inline]
    fn make_room(&mut self, n: u32, bytes: u64) {
        assert!(n <= RECORDS_LIMIT / 2, "a batch is far smaller than a log");
        let is_full = self.config.segment_bytes < self.active().bytes + bytes;
        if is_full || RECORDS_LIMIT / 4 < self.active().n {
            self.roll();
        }
        while RECORDS_LIMIT < self.len() + n && 1 < self.segments.len() {
            self.delete_oldest();
        }
    }

    #[inline]
    fn push(&mut self, record: Record<M>) {
        let segment = self.segments.back_mut().expect("a log has a segment");
        segment.n += 1;
        segment.bytes += u64::from(record.bytes);
        segment.newest = segment.newest.max(record.at);
        self.records.push_back(record);
    }

    /// Drops the oldest segment; another one follows it.
    fn delete_oldest(&mut self) {
        assert!(1 < self.segments.len());
        self.segments.pop_front();
        self.start = self.segments[0].base;
        let gone = self.records.partition_point(|record| record.offset < self.start);
        self.records.drain(..gone);
        while self.batches.front().is_some_and(|batch| batch.end() <= self.start) {
            self.batches.pop_front();
        }
        self.epochs.truncate_start(self.start);
    }

    /// Counts the active segment again after records were removed from it.
    fn measure_active(&mut self) {
        let base = self.active().base;
        let mut segment = Segment { base, n: 0, bytes: 0, newest: SimTime::ZERO };
        for record in self.read(base, self.end) {
            segment.n += 1;
            segment.bytes += u64::from(record.bytes);
            segment.newest = segment.newest.max(record.at);
        }
        *self.segments.back_mut().expect("a log has a segment") = segment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(n: u64) -> Log<u64> {
        let mut log = Log::new(LogConfig { segment_bytes: 30, ..LogConfig::default() });
        for i in 0..n {
            log.append(0, None, &[NewRecord::value(SimTime::from_ns(i), 10, i)]);
        }
        log
    }

    #[test]
    fn a_full_segment_is_closed_and_the_active_one_is_never_deleted_for_its_size() {
        let mut log = log_of(7);
        assert_eq!(log.segments().map(|s| s.n).collect::<Vec<_>>(), [3, 3, 1]);
        log.config.retention_bytes = Some(0);
        assert_eq!(log.retain(SimTime::ZERO, 7), 2);
        assert_eq!([log.start(), log.end()], [6, 7]);
    }

    #[test]
    fn by_age_even_the_active_segment_goes_but_nothing_above_the_high_watermark() {
        let mut log = log_of(7);
        log.config.retention = Some(SimSpan::ns(5));
        let later = SimTime::from_ns(100);
        assert_eq!(log.retain(later, 4), 1);
        assert_eq!(log.retain(later, 7), 2);
        assert!(log.is_empty());
        assert_eq!([log.start(), log.end()], [7, 7]);
    }

    #[test]
    fn what_is_cut_off_is_not_counted_any_more() {
        let mut log = log_of(8);
        log.truncate(4);
        assert_eq!([log.end(), log.bytes(), u64::from(log.len())], [4, 40, 4]);
        log.append(1, None, &[NewRecord::value(SimTime::ZERO, 10, 99)]);
        assert_eq!(log.read(3, 5).map(|r| r.message).collect::<Vec<_>>(), [3, 99]);
        assert_eq!(log.epochs().latest(), Some(1));
    }

    #[test]
    fn a_follower_whose_next_record_is_deleted_begins_at_the_leaders_start() {
        let mut leader = log_of(7);
        leader.config.retention_bytes = Some(0);
        leader.retain(SimTime::ZERO, 7);
        let mut follower = log_of(2);
        follower.copy_from(&leader);
        assert_eq!([follower.start(), follower.end()], [6, 7]);
        assert_eq!(follower.read(0, 7).count(), 1);
    }
}
