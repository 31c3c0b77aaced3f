//! The whole world: scenario, actors, channels, facts and their digest, without a sink or with
//! all of them.

use inflight::kernel::{Digest, SimTime};
use inflight::observe::Seen;
use inflight::world::World;
use inflight::world::scenario::Scenario;

use super::Model;

/// One server at load 0.9, mean service 1 s, as [`super::stations`] has it on the bare kernel.
const MM1: &str = r#"
format = 1
id = "mm1"
title = { en = "One queue, one server", zh = "单队列单服务台" }
seed = 777

[[actor]]
id = "producer"
kind = "producer"
rate = "0.9/s"

[[actor]]
id = "server"
kind = "consumer"
service = "1s"

[[channel]]
from = "producer"
to = "server"
delay = "0ms"
"#;

/// Longer than any measurement: 104 days.
const UNTIL: SimTime = SimTime::from_ns(1 << 53);

pub struct Whole {
    world: World,
    seen: Option<Seen>,
}

impl Whole {
    pub fn mm1(watched: bool) -> Whole {
        let scenario = Scenario::parse(MM1).unwrap_or_else(|problems| panic!("{problems:?}"));
        let seen = watched.then(|| Seen::new(UNTIL));
        Whole { world: World::new(&scenario.plan(), watched), seen }
    }
}

impl Model for Whole {
    /// An event is a change of the model, arrival or departure, whatever the world does inside.
    fn run(&mut self, n: u64) -> u64 {
        let last = self.world.ground.newest.0 + n / 2;
        while self.world.ground.newest.0 < last {
            assert!(self.world.step(UNTIL), "arrivals go on");
            if let Some(seen) = &mut self.seen {
                self.world.ground.facts.fresh.drain(..).for_each(|(at, fact)| seen.take(at, fact));
            }
        }
        n / 2 * 2
    }

    fn check(&self) -> u64 {
        let mut digest = Digest::default();
        digest.absorb3(self.world.fingerprint(), self.world.n_events(), self.world.now().ns());
        digest.value()
    }

    /// The mean latency in seconds.
    fn theory(&self) -> Option<(f64, f64)> {
        let mean = self.seen.as_ref()?.latency.mean()?;
        Some((mean as f64 / 1e9, 10.0))
    }
}
