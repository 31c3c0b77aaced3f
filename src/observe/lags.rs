//! How far the groups of a log broker were behind, over time.
//!
//! Lags are no facts: a broker shows them to whoever listens. Bounded: so many buckets of equal
//! length for each partition of each group.

use std::collections::BTreeMap;

use crate::kernel::{SimSpan, SimTime};
use crate::model::fact::Lag;
use crate::model::message::ActorId;

/// Buckets of a run.
pub const BUCKETS: u64 = 256;
/// Most partitions, over all groups, that are followed.
const MAX_ROWS: usize = 1_024;

/// A partition of a group: broker, group, partition.
type Place = (ActorId, u8, u8);

/// The lags of all groups.
#[derive(Clone, PartialEq, Debug)]
pub struct Lags {
    /// Length of a bucket.
    pub bucket: SimSpan,
    /// What the groups are called, in their order.
    pub names: Vec<String>,
    /// Records behind at the end of each bucket, from the run's beginning.
    rows: BTreeMap<Place, Vec<u32>>,
}

impl Lags {
    /// For a run that ends at `until`.
    pub fn new(until: SimTime) -> Lags {
        let bucket = SimSpan::ns(until.ns().div_ceil(BUCKETS).max(1));
        Lags { bucket, names: Vec::new(), rows: BTreeMap::new() }
    }

    /// A group is so far behind in a partition from now on.
    pub fn take(&mut self, at: SimTime, lag: &Lag) {
        let key = (lag.at, lag.group, lag.partition);
        if MAX_ROWS <= self.rows.len() && !self.rows.contains_key(&key) {
            return;
        }
        let place = (at.ns() / self.bucket.as_ns()).min(BUCKETS) as usize;
        let rows = self.rows.entry(key).or_default();
        // What nobody spoke of stayed as it was.
        let before = rows.last().copied().unwrap_or(0);
        if rows.len() <= place {
            rows.resize(place + 1, before);
        }
        rows[place] = lag.records;
    }

    /// The groups that were behind at some time.
    pub fn groups(&self) -> Vec<(ActorId, u8)> {
        let mut groups: Vec<(ActorId, u8)> = self.rows.keys().map(|(at, g, _)| (*at, *g)).collect();
        groups.dedup();
        groups
    }

    /// The partitions of a group.
    pub fn partitions(&self, at: ActorId, group: u8) -> impl Iterator<Item = u8> {
        self.rows.keys().filter(move |key| (key.0, key.1) == (at, group)).map(|key| key.2)
    }

    /// Records behind at the end of each bucket up to one: of a partition, or of all together.
    pub fn of(&self, at: ActorId, group: u8, partition: Option<u8>, until: usize) -> Vec<u64> {
        let mut sum = vec![0; until + 1];
        for ((_, _, number), rows) in
            self.rows.iter().filter(|(key, _)| (key.0, key.1) == (at, group))
        {
            if partition.is_some_and(|wanted| wanted != *number) {
                continue;
            }
            let last = rows.last().copied().unwrap_or(0);
            for (place, total) in sum.iter_mut().enumerate() {
                *total += u64::from(rows.get(place).copied().unwrap_or(last));
            }
        }
        sum
    }

    /// Rough size in bytes.
    pub fn weight(&self) -> u64 {
        let rows: usize = self.rows.values().map(Vec::len).sum();
        (rows * size_of::<u32>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_that_nobody_speaks_of_stays_as_it_was() {
        let mut lags = Lags::new(SimTime::from_ns(BUCKETS * 10));
        let lag = |partition, records| Lag { at: ActorId(1), group: 0, partition, records };
        lags.take(SimTime::from_ns(5), &lag(0, 3));
        lags.take(SimTime::from_ns(35), &lag(0, 1));
        lags.take(SimTime::from_ns(15), &lag(1, 2));
        assert_eq!(lags.of(ActorId(1), 0, Some(0), 4), [3, 3, 3, 1, 1]);
        assert_eq!(lags.of(ActorId(1), 0, None, 4), [3, 5, 5, 3, 3]);
        assert_eq!(lags.groups(), [(ActorId(1), 0)]);
        assert_eq!(lags.partitions(ActorId(1), 0).collect::<Vec<_>>(), [0, 1]);
    }
}
