//! One bulk transfer over tcp between two hosts: 100 Mbit/s, 1 ms each way, as the study of other
//! simulators has it. An event is a segment or an acknowledgement put on the wire.

use inflight::kernel::{Digest, SimTime};
use inflight::world::World;
use inflight::world::scenario::Scenario;

use super::Model;

const BULK: &str = r#"
format = 1
id = "bulk"
title = { en = "A bulk transfer", zh = "大块传输" }

[[wire]]
id = "wire"
from = "client"
to = "server"
delay = "1ms"
rate = "100Mbit/s"

[[actor]]
id = "client"
kind = "script"
do = "repeat 1000000000 { write 1000000 }"

[[actor]]
id = "server"
kind = "script"
do = "drain"

[[channel]]
from = "client"
to = "server"
kind = "tcp"
"#;

/// Longer than any measurement: 104 days.
const UNTIL: SimTime = SimTime::from_ns(1 << 53);

pub struct Bulk {
    world: World,
}

impl Bulk {
    pub fn new() -> Bulk {
        let scenario = Scenario::parse(BULK).unwrap_or_else(|problems| panic!("{problems:?}"));
        Bulk { world: World::new(&scenario.plan(), false) }
    }
}

impl Model for Bulk {
    fn run(&mut self, n: u64) -> u64 {
        let before = self.world.ground.net.frames;
        while self.world.ground.net.frames < before + n {
            assert!(self.world.step(UNTIL), "the transfer goes on");
        }
        self.world.ground.net.frames - before
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
