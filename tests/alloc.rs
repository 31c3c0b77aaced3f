//! After their warm-up kernel and brokers allocate nothing, and the models it is measured with are
//! right.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

#[path = "../benches/models/mod.rs"]
mod models;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::broker::{
    Broker, ChannelNo, ConnectionNo, ConsumeSpec, Effect, QueueId, QueueSpec,
};
use inflight::model::log::{
    Acks, BrokerConfig, FetchLimits, LogBroker, LogConfig, NewRecord, PartitionConfig, PartitionNo,
    RecordShape, Reply, Sender, SenderConfig, Sending, SessionNo,
};
use models::{CASES, make};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    let before = CALLS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(CALLS.get() - before, 1);
}

#[test]
fn a_warm_kernel_allocates_nothing() {
    for case in CASES {
        let mut model = make(case);
        // When a high digit of the time changes, a bucket may be larger than all before.
        model.run(2_000_000);
        let before = CALLS.get();
        model.run(1_000_000);
        // A batch of a log is allocated when it is put together; its records are not.
        let most = if case.name == "logs" { 40_000 } else { 0 };
        assert!(CALLS.get() - before <= most, "{case:?}: {}", CALLS.get() - before);
    }
}

/// Publishes one message and settles the oldest delivery, `n` times.
fn run_broker(
    broker: &mut Broker<u64>,
    publisher: ChannelNo,
    pending: &mut VecDeque<(ChannelNo, u64)>,
    out: &mut Vec<Effect<u64>>,
    n: u64,
) {
    let queue = broker.queue_named("q").unwrap_or(QueueId(0));
    for i in 0..n {
        broker.publish_to(publisher, queue, 100, i, out);
        if 20 <= i
            && let Some((channel, tag)) = pending.pop_front()
        {
            match i % 7 {
                0 => broker.nack(channel, tag, false, true, out),
                1 => broker.nack(channel, tag, false, false, out),
                _ => broker.ack(channel, tag, false, out),
            }
        }
        for effect in out.drain(..) {
            if let Effect::Deliver { channel, tag, .. } = effect {
                pending.push_back((channel, tag));
            }
        }
    }
}

#[test]
fn a_warm_broker_allocates_nothing() {
    for (n_consumers, prefetch, global) in [(1, 1, 0), (4, 3, 0), (3, 0, 2)] {
        let mut broker = Broker::new();
        let (mut pending, mut out) = (VecDeque::new(), Vec::new());
        let spec = QueueSpec { max_length: Some(100), ..QueueSpec::default() };
        let queue = broker.add_queue("q", spec);
        let publisher = broker.open_channel(ConnectionNo(0));
        broker.confirm_select(publisher, &mut out);
        for consumer in 0..n_consumers {
            let channel = broker.open_channel(ConnectionNo(1 + consumer));
            broker.qos(channel, prefetch, false, &mut out);
            broker.qos(channel, global, true, &mut out);
            broker.consume(channel, queue, ConsumeSpec::default(), &mut out);
        }
        run_broker(&mut broker, publisher, &mut pending, &mut out, 10_000);
        let before = CALLS.get();
        run_broker(&mut broker, publisher, &mut pending, &mut out, 100_000);
        assert_eq!(CALLS.get() - before, 0, "{n_consumers} consumers, prefetch {prefetch}");
    }
}

#[test]
fn the_models_agree_with_theory() {
    for case in CASES {
        let mut model = make(case);
        model.run(3_000_000);
        if let Some((simulated, exact)) = model.theory() {
            assert!((simulated / exact - 1.0).abs() < 0.06, "{case:?}: {simulated} for {exact}");
        }
    }
}

/// A sender, 16 partitions, and a group of 8 that polls.
struct Pipeline {
    sender: Sender<u64>,
    broker: LogBroker<u64>,
    sessions: Vec<SessionNo>,
    sendings: Vec<Sending>,
    replies: Vec<Reply>,
    n_sent: u64,
    n_read: u64,
}

impl Pipeline {
    fn new() -> Pipeline {
        let log = LogConfig {
            segment_bytes: 20_000,
            retention_bytes: Some(100_000),
            ..LogConfig::default()
        };
        let mut broker = LogBroker::new(BrokerConfig {
            n_partitions: 16,
            partition: PartitionConfig { log, ..PartitionConfig::default() },
            retention_check: SimSpan::ms(1),
            ..BrokerConfig::default()
        });
        let mut replies = Vec::new();
        let mut open = |first: u32| {
            let session = broker.open_session(FetchLimits::default());
            let positions = [first, first + 1].map(|partition| (PartitionNo(partition), 0));
            broker.assign(session, positions.into_iter());
            broker.fetch(SimTime::ZERO, session, &mut replies);
            session
        };
        let sessions = (0..8).map(|member| open(2 * member)).collect();
        let config = SenderConfig { acks: Acks::Leader, ..SenderConfig::default() };
        let sender = Sender::new(config, 16, 4096, SimSpan::ms(1));
        let sendings = Vec::new();
        Pipeline { sender, broker, sessions, sendings, replies, n_sent: 0, n_read: 0 }
    }

    fn run(&mut self, n: u64) {
        let shape = RecordShape { key: None, value: Some(100) };
        for _ in 0..n {
            let now = SimTime::from_ns(self.n_sent * 500);
            let random = (self.n_sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u32;
            let record = NewRecord::value(now, 0, self.n_sent);
            let appended = self.sender.append(now, None, shape, record, &mut || random);
            self.n_sent += 1;
            if appended.is_ready {
                self.flush(now);
            }
        }
    }

    fn flush(&mut self, now: SimTime) {
        self.sender.on_wake(now, &mut self.sendings);
        while let Some(sending) = self.sendings.pop() {
            let Sending::Send { partition, request, .. } = sending else { continue };
            let records = self.sender.batch(request.ticket);
            let partition = PartitionNo(partition);
            let produced =
                self.broker.produce(now, partition, &request, records, &mut self.replies);
            let answer = produced.map(|_| ());
            self.sender.on_message(now, request.ticket, answer, &mut self.sendings);
        }
        self.broker.on_wake(now, &mut self.replies);
        while let Some(reply) = self.replies.pop() {
            let Reply::Fetched { session, .. } = reply else { continue };
            let n_read = &mut self.n_read;
            self.broker.take(session, |_, _| *n_read += 1);
            self.broker.fetch(now, session, &mut self.replies);
        }
    }
}

#[test]
fn a_warm_log_broker_allocates_nothing() {
    let mut pipeline = Pipeline::new();
    pipeline.run(1_000_000);
    let before = CALLS.get();
    pipeline.run(500_000);
    assert_eq!(CALLS.get() - before, 0);
    assert!(1_490_000 < pipeline.n_read, "{}", pipeline.n_read);
    assert_eq!(pipeline.sessions.len(), 8);
    assert!(pipeline.broker.gauges().n_records < 30_000);
}
