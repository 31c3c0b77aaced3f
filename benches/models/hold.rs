//! HOLD: take the earliest event, schedule it again an exponential time later.

use inflight::kernel::{Digest, EventQueue, SimSpan, SimTime, Stream, Streams};

use super::Model;

const MEAN: SimSpan = SimSpan::s(1);

pub struct Hold {
    queue: EventQueue<u32>,
    stream: Stream,
    digest: Digest,
}

impl Hold {
    pub fn new(n: u32) -> Hold {
        let mut stream = Streams::new(12_345).stream(0, 0);
        let mut queue = EventQueue::new();
        for event in 0..n {
            queue.schedule(SimTime::ZERO + stream.exponential(MEAN), event);
        }
        Hold { queue, stream, digest: Digest::default() }
    }
}

impl Model for Hold {
    fn run(&mut self, n: u64) -> u64 {
        let mut digest = self.digest;
        for _ in 0..n {
            let (now, event) = self.queue.pop().expect("each event is scheduled again");
            digest.absorb(now.ns() ^ u64::from(event) << 40);
            self.queue.schedule(now + self.stream.exponential(MEAN), event);
        }
        self.digest = digest;
        n
    }

    fn check(&self) -> u64 {
        self.digest.value()
    }

    fn theory(&self) -> Option<(f64, f64)> {
        None
    }
}
