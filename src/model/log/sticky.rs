//! Where a producer sends records without a key: it stays with one partition for a batch's worth
//! of bytes, then chooses the next, preferring short queues.
//!
//! Source: KIP-794, `BuiltInPartitioner`. Racks and the availability timeout are left out.

/// Most partitions of one topic.
pub const PARTITIONS_LIMIT: u32 = 65_536;

/// The partitioner of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct StickyPartitioner {
    /// Bytes after which it moves on: the producer's `batch.size`, in bytes.
    pub batch_bytes: u32,
    /// How many partitions the topic has.
    n_partitions: u32,
    /// The partitions that have a leader, rising; empty means that none has.
    available: Vec<u32>,
    /// Running sums of the partitions' weights; empty without load figures.
    cumulative: Vec<u64>,
    /// The partition in use and the bytes given to it since it was chosen.
    current: Option<(u32, u64)>,
}

impl StickyPartitioner {
    /// A partitioner for a topic whose partitions all have a leader.
    pub fn new(n_partitions: u32, batch_bytes: u32) -> StickyPartitioner {
        assert!(0 < n_partitions && n_partitions <= PARTITIONS_LIMIT);
        StickyPartitioner {
            batch_bytes,
            n_partitions,
            available: (0..n_partitions).collect(),
            cumulative: Vec::new(),
            current: None,
        }
    }

    /// Says which partitions have a leader now.
    pub fn set_available(&mut self, is_available: impl Fn(u32) -> bool) {
        self.available.clear();
        self.available.extend((0..self.n_partitions).filter(|p| is_available(*p)));
    }

    /// The topic has more partitions now, all with a leader.
    pub fn grow(&mut self, n_partitions: u32) {
        if self.n_partitions < n_partitions {
            self.available.extend(self.n_partitions..n_partitions);
            self.n_partitions = n_partitions;
            self.cumulative.clear();
        }
    }

    /// Takes the lengths of the partitions' queues; a short queue is chosen more often.
    ///
    /// Equal lengths, or fewer than two, are as good as none. Source: `updatePartitionLoadStats`.
    pub fn set_queue_sizes(&mut self, sizes: &[u32]) {
        self.cumulative.clear();
        let longest = sizes.iter().copied().max().unwrap_or(0);
        let all_equal = sizes.iter().all(|size| *size == longest);
        if all_equal || sizes.len() as u64 != u64::from(self.n_partitions) {
            return;
        }
        let mut sum = 0;
        for size in sizes {
            sum += u64::from(longest - size) + 1;
            self.cumulative.push(sum);
        }
    }

    /// The partition for the next record; `draw` is asked for a random number when one is chosen.
    #[inline]
    pub fn peek(&mut self, draw: impl FnOnce() -> u32) -> u32 {
        match self.current {
            Some((partition, _)) => partition,
            None => self.choose(draw),
        }
    }

    /// Counts bytes given to the current partition and moves on when it had enough.
    ///
    /// `may_switch` says that its last batch is full: moving on earlier would leave a batch
    /// half full. At twice the batch size it moves on anyway.
    #[inline]
    pub fn appended(&mut self, bytes: u32, may_switch: bool, draw: impl FnOnce() -> u32) {
        let Some((_, sum)) = &mut self.current else { return };
        *sum += u64::from(bytes);
        let (sum, enough) = (*sum, u64::from(self.batch_bytes));
        if (enough <= sum && may_switch) || 2 * enough <= sum {
            self.choose(draw);
        }
    }

    fn choose(&mut self, draw: impl FnOnce() -> u32) -> u32 {
        let random = draw() & 0x7fff_ffff;
        let partition = match self.cumulative.last() {
            Some(total) => {
                let x = u64::from(random) % total;
                self.cumulative.partition_point(|sum| *sum <= x) as u32
            }
            None if self.available.is_empty() => random % self.n_partitions,
            None => self.available[random as usize % self.available.len()],
        };
        self.current = Some((partition, 0));
        partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_until_a_batch_is_full_and_no_longer_than_two_batches() {
        let mut partitioner = StickyPartitioner::new(3, 100);
        let mut n_drawn = 0;
        let mut next = |partitioner: &mut StickyPartitioner, bytes, may_switch| {
            let partition = partitioner.peek(|| {
                n_drawn += 1;
                n_drawn - 1
            });
            partitioner.appended(bytes, may_switch, || {
                n_drawn += 1;
                n_drawn - 1
            });
            partition
        };
        assert_eq!([60, 60].map(|bytes| next(&mut partitioner, bytes, true)), [0, 0]);
        assert_eq!([60, 60, 60, 60].map(|b| next(&mut partitioner, b, false)), [1; 4]);
        assert_eq!(next(&mut partitioner, 1, false), 2);
    }

    #[test]
    fn the_longest_queue_is_still_chosen_once_in_a_while() {
        let mut partitioner = StickyPartitioner::new(2, 1);
        partitioner.set_queue_sizes(&[3, 0]);
        let mut counts = [0, 0];
        for random in 0..5 {
            partitioner.current = None;
            counts[partitioner.peek(|| random) as usize] += 1;
        }
        assert_eq!(counts, [1, 4]);
    }
}
