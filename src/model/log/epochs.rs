//! Leader epochs: which leader wrote from which offset on, and where two logs part.
//!
//! Source: KIP-101 and KIP-279, `LeaderEpochFileCache`.

/// Most epochs that a replica remembers; older ones are merged into the first.
pub const EPOCHS_LIMIT: u32 = 4096;

/// One leader's reign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader's epoch.
    pub epoch: u32,
    /// Offset of the first record that it wrote.
    pub start: u64,
}

/// Answer to "where does epoch e end": the largest epoch not above the asked one, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch that the answer is about.
    pub epoch: u32,
    /// Offset after its last record.
    pub end: u64,
}

/// The reigns of a replica's log; epochs and starts both rise strictly.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Epochs {
    entries: Vec<EpochStart>,
}

impl Epochs {
    /// Notes that `epoch` writes from `start` on.
    ///
    /// What contradicts the newer fact is removed: entries with a higher or equal epoch or start.
    pub fn assign(&mut self, epoch: u32, start: u64) {
        if self.entries.last().is_some_and(|last| last.epoch == epoch) {
            return;
        }
        self.entries.retain(|entry| entry.epoch < epoch && entry.start < start);
        if self.entries.len() as u32 == EPOCHS_LIMIT {
            self.entries.remove(1);
        }
        self.entries.push(EpochStart { epoch, start });
    }

    /// Where an epoch ends in a log that ends at `log_end`; `None` for one never heard of.
    pub fn end_of(&self, epoch: u32, log_end: u64) -> Option<EpochEnd> {
        let latest = self.latest()?;
        if latest < epoch {
            return None;
        }
        if latest == epoch {
            return Some(EpochEnd { epoch, end: log_end });
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        // `epoch` is below the latest, so some entry is above it.
        let end = self.entries[after].start;
        let floor = self.entries[..after].last().map_or(epoch, |entry| entry.epoch);
        Some(EpochEnd { epoch: floor, end })
    }

    /// Forgets what begins at or after the log's new end.
    pub fn truncate_end(&mut self, end: u64) {
        self.entries.retain(|entry| entry.start < end);
    }

    /// The log now begins at `start`: the reign that covers it begins there.
    pub fn truncate_start(&mut self, start: u64) {
        let n_before = self.entries.partition_point(|entry| entry.start <= start);
        if let Some(covering) = n_before.checked_sub(1) {
            self.entries.drain(..covering);
            self.entries[0].start = start;
        }
    }

    /// The epoch of the last record.
    pub fn latest(&self) -> Option<u32> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// All reigns, oldest first.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, start) in [(0, 0), (1, 5), (3, 12)] {
            epochs.assign(epoch, start);
        }
        epochs
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_begins() {
        let epochs = three();
        assert_eq!(epochs.end_of(1, 20), Some(EpochEnd { epoch: 1, end: 12 }));
        assert_eq!(epochs.end_of(2, 20), Some(EpochEnd { epoch: 1, end: 12 }));
        assert_eq!(epochs.end_of(3, 20), Some(EpochEnd { epoch: 3, end: 20 }));
        assert_eq!(epochs.end_of(4, 20), None);
    }

    #[test]
    fn a_reign_without_records_leaves_no_trace() {
        let mut epochs = three();
        epochs.assign(4, 12);
        assert_eq!(epochs.entries()[2], EpochStart { epoch: 4, start: 12 });
        assert_eq!(epochs.entries().len(), 3);
    }

    #[test]
    fn a_log_that_lost_its_head_keeps_the_reign_that_covers_the_new_start() {
        let mut epochs = three();
        epochs.truncate_start(7);
        assert_eq!(epochs.entries()[0], EpochStart { epoch: 1, start: 7 });
        assert_eq!(epochs.entries().len(), 2);
    }
}
