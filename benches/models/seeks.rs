//! Going anywhere in a long run: what a reader's drag of the scrubber costs.

use inflight::kernel::SimTime;
use inflight::kernel::random::Streams;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

/// A queue broker and three consumers with every sink, as the page has it: a million events.
const RUN: &str = r#"
format = 1
id = "seeks"
title = { en = "A long run", zh = "长时间运行" }
seed = 5
until = "3000s"

[[actor]]
id = "producer"
kind = "producer"
rate = "125/s"

[[actor]]
id = "broker"
kind = "broker"
queues = ["work"]

[[actor]]
id = "consumer"
kind = "consumer"
count = 3
queue = "work"
service = "20ms"
prefetch = 10

[[channel]]
from = "producer"
to = "broker"
delay = "5ms"

[[channel]]
from = "broker"
to = "consumer"
delay = "5ms"
"#;

/// A session that has been at the end of its run.
pub struct Seeks {
    session: Session,
    draws: Streams,
    n_drawn: u64,
}

impl Seeks {
    /// Runs the scenario to its end; asserts that it is long enough.
    pub fn new() -> Seeks {
        let scenario = Scenario::parse(RUN).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut session = Session::new(scenario, Watch::All);
        session.seek(session.until());
        assert!(1_000_000 <= session.world().n_events(), "a million events");
        Seeks { session, draws: Streams::new(9), n_drawn: 0 }
    }

    /// One seek to anywhere.
    pub fn seek(&mut self) {
        let mut draw = self.draws.stream_at(1, 1, self.n_drawn);
        self.n_drawn += 1;
        let until = self.session.until().ns();
        self.session.seek(SimTime::from_ns(draw.below(until)));
    }
}
