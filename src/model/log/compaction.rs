//! Compaction: of the records below the active segment only the last of each key is kept.
//!
//! Source: `LogCleaner`, `Cleaner.shouldRetainRecord`. Left out: when the cleaner runs (its
//! dirty ratio), and that it removes the records of aborted transactions.

use super::record::{Content, Key};
use super::store::{Log, Segment};
use crate::kernel::SimTime;

impl<M: Copy> Log<M> {
    /// Compacts; answers how many records went.
    ///
    /// A tombstone that stays gets its horizon, `delete_retention` from now; a compaction at or
    /// after it removes the tombstone. Records without key go: they cannot be kept by key.
    pub fn compact(&mut self, now: SimTime) -> u32 {
        let active = self.segments.back().map_or(self.end, |segment| segment.base);
        let n_before = self.len();
        let last_of = self.last_offsets(active);
        let horizon = now.saturating_add(self.config.delete_retention);
        let batches = &mut self.batches;
        let mut batch = 0;
        self.records.retain(|record| {
            if active <= record.offset || record.content.is_marker() {
                return true;
            }
            let Some(key) = record.key else { return false };
            let last = last_of.binary_search_by_key(&key, |(key, _)| *key);
            // Every key below the active segment is in the list.
            let is_last = last.is_ok_and(|index| last_of[index].1 == record.offset);
            if !is_last || record.content != Content::Tombstone {
                return is_last;
            }
            while batches[batch].end() <= record.offset {
                batch += 1;
            }
            let until = batches[batch].delete_horizon.get_or_insert(horizon);
            now < *until
        });
        self.measure_segments();
        n_before - self.len()
    }

    /// The offset of each key's last record before another offset, by rising key.
    fn last_offsets(&self, before: u64) -> Vec<(Key, u64)> {
        let keyed = |record: &super::record::Record<M>| record.key.map(|k| (k, record.offset));
        let mut all: Vec<(Key, u64)> = self.read(self.start, before).filter_map(keyed).collect();
        all.sort_unstable_by_key(|(key, offset)| (*key, std::cmp::Reverse(*offset)));
        all.dedup_by_key(|(key, _)| *key);
        all
    }

    /// Counts every segment again; one without records stays as an empty place.
    fn measure_segments(&mut self) {
        for segment in &mut self.segments {
            *segment = Segment { n: 0, bytes: 0, newest: segment.newest, ..*segment };
        }
        let mut index = 0;
        for record in &self.records {
            while self.segments.get(index + 1).is_some_and(|next| next.base <= record.offset) {
                index += 1;
            }
            let segment = &mut self.segments[index];
            segment.n += 1;
            segment.bytes += u64::from(record.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::NewRecord;
    use super::super::store::LogConfig;
    use super::*;

    fn record(key: u32, content: Content) -> NewRecord<()> {
        let at = SimTime::ZERO;
        NewRecord { at, bytes: 10, key: Some(Key(key)), content, message: () }
    }

    fn offsets(log: &Log<()>) -> Vec<u64> {
        log.read(0, log.end()).map(|record| record.offset).collect()
    }

    #[test]
    fn a_tombstone_hides_its_key_at_once_and_goes_only_after_its_time() {
        let mut log = Log::new(LogConfig::default());
        for (key, content) in [(1, Content::Value), (2, Content::Value), (1, Content::Tombstone)] {
            log.append(0, None, &[record(key, content)]);
        }
        log.roll();
        log.append(0, None, &[record(2, Content::Value)]);
        assert_eq!(log.compact(SimTime::ZERO), 1);
        assert_eq!(offsets(&log), [1, 2, 3], "the active segment is not looked at");
        let later = SimTime::ZERO.saturating_add(log.config.delete_retention);
        assert_eq!(log.compact(later), 1);
        assert_eq!(offsets(&log), [1, 3]);
        assert_eq!(log.bytes(), 20);
    }
}
