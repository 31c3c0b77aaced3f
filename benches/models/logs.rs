//! Messages through a producer, a log broker with 16 partitions and a group of 8 consumers, from a
//! scenario document and without sinks. An event is a message whose work is done.
//!
//! Old segments are deleted after a second, so that memory stays as it is however long it runs.

use inflight::kernel::{Digest, SimTime};
use inflight::model::actor::Actor;
use inflight::world::World;
use inflight::world::scenario::Scenario;

use super::Model;

const LOGS: &str = r#"
format = 1
id = "logs"

[[actor]]
id = "producer"
kind = "log-producer"
arrivals = "bursts"
burst = 1000
period = "1ms"
size = "100B"
batch-size = "16KiB"

[[actor]]
id = "log"
kind = "log-broker"
partitions = 16
retention = "1s"
segment = "1MiB"
retention-check = "500ms"
initial-delay = "0s"

[[actor]]
id = "consumer"
kind = "log-consumer"
count = 8
group = "orders"
service = "0s"
start = "earliest"

[[channel]]
from = "producer"
to = "log"
delay = "1ms"

[[channel]]
from = "log"
to = "consumer"
delay = "1ms"
"#;

/// Longer than any measurement: 104 days.
const UNTIL: SimTime = SimTime::from_ns(1 << 53);

pub struct Logs {
    world: World,
}

impl Logs {
    pub fn new() -> Logs {
        let scenario = Scenario::parse(LOGS).unwrap_or_else(|problems| panic!("{problems:?}"));
        Logs { world: World::new(&scenario.plan(), false) }
    }

    /// Messages that the producer has made.
    fn made(&self) -> u64 {
        match &self.world.actors[0].machine {
            Actor::LogProducer(producer) => producer.n_made,
            _ => 0,
        }
    }

    /// Copies in all memories: how far the consumers are behind.
    pub fn held(&self) -> u64 {
        self.world.actors.iter().map(|node| node.machine.n_held()).sum()
    }
}

impl Model for Logs {
    fn run(&mut self, n: u64) -> u64 {
        let before = self.made();
        while self.made() < before + n {
            assert!(self.world.step(UNTIL), "the producer goes on");
        }
        // Ten seconds' worth of messages at most are under way.
        assert!(self.held() < 10_000_000, "the consumers keep up");
        self.made() - before
    }

    fn check(&self) -> u64 {
        let mut digest = Digest::default();
        digest.absorb3(self.world.fingerprint(), self.world.n_events(), self.world.now().ns());
        digest.value()
    }

    fn theory(&self) -> Option<(f64, f64)> {
        None
    }
}
