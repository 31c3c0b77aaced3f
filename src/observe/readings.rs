//! What the ends of tcp channels showed over time: windows, round trips, goodput.
//!
//! Readings are not facts: an end shows them to whoever asks, and the fingerprint knows nothing of
//! them. Bounded: so many buckets of equal length for each end.

use std::collections::BTreeMap;

use crate::kernel::{SimSpan, SimTime};
use crate::model::message::ChannelId;
use crate::model::tcp::Gauges;

/// Buckets of a run.
pub const BUCKETS: u64 = 512;
/// Most ends that are read.
const MAX_ENDS: usize = 64;

/// An end in one bucket of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// When it was last read; zero: never in this bucket.
    pub at: SimTime,
    /// Congestion window in bytes, at last.
    pub cwnd: u64,
    /// Slow-start threshold in bytes, at last.
    pub ssthresh: u64,
    /// The other end's window in bytes, at last.
    pub peer_window: u64,
    /// Most bytes in flight.
    pub in_flight: u64,
    /// Smoothed round-trip time in ns, at last.
    pub srtt: u64,
    /// Retransmission timeout in ns, at last.
    pub rto: u64,
    /// Stream position up to which the other end had acknowledged, at last.
    pub acked: u64,
    /// Segments sent again so far.
    pub n_retransmitted: u64,
}

/// The readings of all ends.
#[derive(Clone, PartialEq, Debug)]
pub struct Readings {
    /// Length of a bucket.
    pub bucket: SimSpan,
    ends: BTreeMap<(ChannelId, bool), Vec<Reading>>,
}

impl Readings {
    /// For a run that ends at `until`.
    pub fn new(until: SimTime) -> Readings {
        let bucket = SimSpan::ns(until.ns().div_ceil(BUCKETS).max(1));
        Readings { bucket, ends: BTreeMap::new() }
    }

    /// An end (`at_to`: at the channel's `to`) was read.
    pub fn take(&mut self, at: SimTime, channel: ChannelId, at_to: bool, gauges: &Gauges) {
        let is_new = !self.ends.contains_key(&(channel, at_to));
        if is_new && MAX_ENDS <= self.ends.len() {
            return;
        }
        let rows = self.ends.entry((channel, at_to)).or_default();
        let place = (at.ns() / self.bucket.as_ns()).min(BUCKETS) as usize;
        if rows.len() <= place {
            rows.resize(place + 1, Reading::default());
        }
        let most = rows[place].in_flight;
        rows[place] = Reading {
            at,
            cwnd: gauges.cwnd,
            ssthresh: gauges.ssthresh,
            peer_window: gauges.peer_window,
            in_flight: most.max(gauges.nxt.saturating_sub(gauges.una)),
            srtt: gauges.srtt,
            rto: gauges.rto,
            acked: gauges.una,
            n_retransmitted: gauges.n_retransmitted,
        };
    }

    /// The buckets of an end, from the run's beginning.
    pub fn of(&self, channel: ChannelId, at_to: bool) -> &[Reading] {
        self.ends.get(&(channel, at_to)).map_or(&[], Vec::as_slice)
    }

    /// Bytes acknowledged a second in a bucket: what came through.
    pub fn goodput(&self, channel: ChannelId, at_to: bool, bucket: usize) -> u64 {
        let rows = self.of(channel, at_to);
        let Some(here) = rows.get(bucket).filter(|row| row.at != SimTime::ZERO) else { return 0 };
        let before = rows[..bucket].iter().rfind(|row| row.at != SimTime::ZERO);
        let gained = here.acked.saturating_sub(before.map_or(0, |row| row.acked));
        let per_second = u128::from(gained) * 1_000_000_000 / u128::from(self.bucket.as_ns());
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }

    /// The ends that were read.
    pub fn ends(&self) -> impl Iterator<Item = (ChannelId, bool)> {
        self.ends.keys().copied()
    }

    /// Rough size in bytes.
    pub fn weight(&self) -> u64 {
        let rows: usize = self.ends.values().map(Vec::len).sum();
        (rows * size_of::<Reading>()) as u64
    }
}
