//! Flows with a timer each: an acknowledgement sets its timer anew, so 80% never go off.

use inflight::kernel::{Digest, EventQueue, SimSpan, SimTime, Stream, Streams, Timer};

use super::Model;

const TIMEOUT: SimSpan = SimSpan::ms(200);
/// 200 ms / ln 5: one acknowledgement in five comes after the timeout.
const ACK: SimSpan = SimSpan::ns(124_266_987);

#[derive(Clone, Copy)]
enum Event {
    Ack { flow: u32 },
    Wake { flow: u32 },
}

pub struct Flows {
    queue: EventQueue<Event>,
    timers: Vec<Timer>,
    stream: Stream,
    n_acks: u64,
    n_timeouts: u64,
    digest: Digest,
}

impl Flows {
    pub fn new(n: u32) -> Flows {
        let mut flows = Flows {
            queue: EventQueue::new(),
            timers: vec![Timer::default(); n as usize],
            stream: Streams::new(4_242).stream(0, 0),
            n_acks: 0,
            n_timeouts: 0,
            digest: Digest::default(),
        };
        (0..n).for_each(|flow| flows.start(SimTime::ZERO, flow));
        flows
    }

    fn start(&mut self, now: SimTime, flow: u32) {
        self.queue.schedule(now + self.stream.exponential(ACK), Event::Ack { flow });
        let timer = &mut self.timers[flow as usize];
        self.queue.arm(timer, now + TIMEOUT, Event::Wake { flow });
    }
}

impl Model for Flows {
    fn run(&mut self, n: u64) -> u64 {
        let mut left = n;
        while left > 0 {
            let (now, event) = self.queue.pop().expect("each flow waits for something");
            match event {
                Event::Ack { flow } => {
                    self.digest.absorb(now.ns() ^ u64::from(flow) << 40);
                    self.n_acks += 1;
                    left -= 1;
                    self.start(now, flow);
                }
                Event::Wake { flow } => {
                    if self.queue.fired(&mut self.timers[flow as usize], event) {
                        self.digest.absorb(!now.ns() ^ u64::from(flow) << 40);
                        self.n_timeouts += 1;
                        left -= 1;
                    }
                }
            }
        }
        n
    }

    fn check(&self) -> u64 {
        self.digest.value()
    }

    /// The share of acknowledgements that came after the timeout.
    fn theory(&self) -> Option<(f64, f64)> {
        Some((self.n_timeouts as f64 / self.n_acks as f64, 0.2))
    }
}
