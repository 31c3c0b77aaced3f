//! Everything over time, in equal buckets from the start to the end of the run.
//!
//! Percentiles of a bucket are those of the deliveries in a window that ends with it, so that a
//! slow stream of messages has percentiles too.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::fact::Cause;
use crate::observe::Parts;
use crate::observe::account::Place;

/// Buckets of a run.
pub const BUCKETS: u64 = 480;
/// Buckets whose deliveries make a bucket's percentiles.
const WINDOW: u32 = 40;
/// Most deliveries of a window that are kept; the older ones go first.
const SAMPLES: usize = 1_024;

/// One bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Messages and copies made.
    pub sent: u32,
    /// Messages delivered.
    pub delivered: u32,
    /// Messages lost.
    pub lost: u32,
    /// Deliveries in the window of the percentiles below.
    pub n_window: u32,
    /// Median latency, in ns.
    pub p50: u64,
    /// 95th percentile, in ns.
    pub p95: u64,
    /// 99th percentile, in ns.
    pub p99: u64,
    /// Greatest, in ns.
    pub max: u64,
    /// Messages ready in brokers' queues, and waiting in consumers' memory, at the bucket's end.
    pub depth: u32,
    /// The greatest such number within the bucket.
    pub depth_max: u32,
    /// Latency of the delivered by cause, in ns.
    pub parts: Parts,
}

impl Default for Row {
    /// A bucket in which nothing happened.
    fn default() -> Row {
        let parts = [0; Cause::COUNT];
        let (sent, delivered, lost, n_window, depth, depth_max) = (0, 0, 0, 0, 0, 0);
        let (p50, p95, p99, max) = (0, 0, 0, 0);
        Row { sent, delivered, lost, n_window, p50, p95, p99, max, depth, depth_max, parts }
    }
}

/// Buckets over time.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Length of a bucket.
    pub bucket: SimSpan,
    /// Complete buckets.
    pub rows: Vec<Row>,
    current: Row,
    ends: SimTime,
    depth: u32,
    recent: VecDeque<(u32, u64)>,
    sorted: Vec<u64>,
}

impl Series {
    /// Buckets for a run that ends at `until`.
    pub fn new(until: SimTime) -> Series {
        let bucket = SimSpan::ns(until.ns().div_ceil(BUCKETS).max(1));
        Series {
            bucket,
            rows: Vec::new(),
            current: Row::default(),
            ends: SimTime::ZERO + bucket,
            depth: 0,
            recent: VecDeque::new(),
            sorted: Vec::new(),
        }
    }

    /// Time goes on: closes the buckets that end by `now`.
    pub fn roll(&mut self, now: SimTime) {
        while self.ends <= now {
            let row = self.close(self.rows.len() as u32);
            self.rows.push(row);
            self.ends = self.ends.saturating_add(self.bucket);
            self.current.depth_max = self.depth;
        }
    }

    /// The bucket under way, as it stands.
    pub fn open_row(&self) -> Row {
        let mut copy = Series {
            rows: Vec::new(),
            current: self.current.clone(),
            recent: self.recent.clone(),
            sorted: Vec::new(),
            ..*self
        };
        copy.close(self.rows.len() as u32)
    }

    /// A message was made.
    pub fn on_sent(&mut self) {
        self.current.sent += 1;
    }

    /// A message was delivered.
    pub fn on_delivered(&mut self, latency: SimSpan, parts: &Parts) {
        self.current.delivered += 1;
        for (sum, part) in self.current.parts.iter_mut().zip(parts) {
            *sum += part;
        }
        if self.recent.len() == SAMPLES {
            self.recent.pop_front();
        }
        self.recent.push_back((self.rows.len() as u32, latency.as_ns()));
    }

    /// A message was lost from where it waited.
    pub fn on_lost(&mut self, place: Place) {
        self.current.lost += 1;
        self.on_place(place, Place::Elsewhere);
    }

    /// A message moved.
    pub fn on_place(&mut self, from: Place, to: Place) {
        let waits = |place| place != Place::Elsewhere;
        match (waits(from), waits(to)) {
            (false, true) => self.depth += 1,
            (true, false) => self.depth = self.depth.saturating_sub(1),
            _ => return,
        }
        self.current.depth_max = self.current.depth_max.max(self.depth);
    }

    /// Messages that wait now.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Mean time by cause of the deliveries in a row, in ns.
    pub fn mean_parts(row: &Row) -> Option<[u64; Cause::COUNT]> {
        let n = u64::from(row.delivered);
        (n != 0).then(|| row.parts.map(|part| part / n))
    }

    fn close(&mut self, bucket: u32) -> Row {
        while self.recent.front().is_some_and(|(b, _)| *b + WINDOW <= bucket) {
            self.recent.pop_front();
        }
        self.sorted.clear();
        self.sorted.extend(self.recent.iter().map(|(_, latency)| *latency));
        self.sorted.sort_unstable();
        let mut row = std::mem::take(&mut self.current);
        row.depth = self.depth;
        row.n_window = self.sorted.len() as u32;
        row.p50 = quantile(&self.sorted, 500);
        row.p95 = quantile(&self.sorted, 950);
        row.p99 = quantile(&self.sorted, 990);
        row.max = self.sorted.last().copied().unwrap_or(0);
        row
    }
}

/// The value below or at which so many thousandths lie.
fn quantile(sorted: &[u64], per_mille: usize) -> u64 {
    let rank = (sorted.len() * per_mille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}
