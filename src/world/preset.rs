//! The presets: scenarios that ship with the project, in the order in which they are best met.
//!
//! One document each in `scenarios/`; a test holds that every document there is listed here.

use crate::world::scenario::Scenario;

/// A preset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preset {
    /// Its id, which is also the file's name and the link's.
    pub id: &'static str,
    /// Its document.
    pub text: &'static str,
}

macro_rules! presets {
    ($($id:literal),* $(,)?) => {
        &[$(Preset { id: $id, text: include_str!(concat!("../../scenarios/", $id, ".toml")) }),*]
    };
}

/// All presets.
pub const ALL: &[Preset] = presets![
    "first-message",
    "mm1",
    "funnel",
    "pipeline",
    "request-reply",
    "competing-consumers",
    "slow-consumer-prefetch",
    "full-queue",
    "prefetch-fairness",
    "peak-shaving",
    "offline-consumer",
    "async-order",
    "fanout-copies",
    "topic-exchange",
    "consumer-crash-redelivery",
    "lost-and-retried",
    "head-of-line-ttl",
    "delay-levels",
    "dead-letter",
    "priority-starvation",
    "at-most-once",
    "at-least-once-duplicate",
    "exactly-once-consumer-dedupe",
    "exactly-once-producer-id",
    "poison-message",
    "nagle-stall",
    "four-quadrants",
    "nodelay-small-writes",
    "odd-even-segments",
    "cork",
    "small-window",
    "one-lost-segment",
    "tmr-interval",
    "two-lwip-boards",
    "broker-over-tcp",
    "idempotent-producer",
    "acks-and-failover",
    "transactions",
    "group-and-broadcast",
    "rebalance-stop-the-world",
    "rebalance-cooperative",
    "max-poll-interval",
    "offset-commit-before-after",
    "hot-partition",
    "lag-and-catch-up",
    "ten-ms-to-one-ms",
    "same-latency-three-configs",
    "slow-super-loop",
    "write-write-read-board",
    "two-boards",
    "tmr-10-spurious-retransmit",
    "lost-request",
    "hal-delay-loop",
    "err-mem",
    "four-descriptors-hang",
    "bulk-100k",
    "pool-exhausted",
    "rx-stall",
    "sensor-to-broker",
    "memory-alarm",
];

/// The preset of that id.
pub fn find(id: &str) -> Option<&'static Preset> {
    ALL.iter().find(|preset| preset.id == id)
}

/// All ids.
pub fn ids() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|preset| preset.id)
}

impl Preset {
    /// The scenario.
    ///
    /// # Panics
    /// Never: a test parses every preset.
    pub fn open(&self) -> Scenario {
        Scenario::parse(self.text).unwrap_or_else(|problems| panic!("{}: {problems:?}", self.id))
    }
}
