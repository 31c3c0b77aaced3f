//! Pull consumers of a stream: deliveries, acknowledgements, and deliveries again.

use std::collections::{BTreeMap, VecDeque};

use super::Text;
use super::stream::{MsgKey, Published, Refused, Retention, Stored, Stream, StreamConfig};
use super::subject::{subject_matches, subjects_overlap};
use crate::kernel::{SimSpan, SimTime};

/// Most consumers of a stream.
pub const CONSUMERS_LIMIT: u32 = 1 << 16;
/// Most requests that wait at a consumer (`MaxWaiting`).
pub const WAITING_LIMIT: u32 = 512;

/// A consumer's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerNo(pub u32);

/// A consumer's configuration, with explicit acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerConfig {
    /// Only these subjects; `None` for all.
    pub filter: Option<Text>,
    /// How long a delivery may be unacknowledged.
    pub ack_wait: SimSpan,
    /// Most deliveries of one message; `None` for any number.
    pub max_deliver: Option<u32>,
    /// Most unacknowledged messages at a time.
    pub max_ack_pending: u32,
}

impl Default for ConsumerConfig {
    /// The server's defaults: 30 s, any number of deliveries, 1000 unacknowledged.
    fn default() -> ConsumerConfig {
        ConsumerConfig {
            filter: None,
            ack_wait: SimSpan::s(30),
            max_deliver: None,
            max_ack_pending: 1000,
        }
    }
}

/// A message that is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// How often it was delivered.
    pub deliveries: u32,
    /// When it is to be delivered again; `None` while it waits in line for that.
    pub due: Option<SimTime>,
}

/// A pull request that is not filled.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Request {
    n_left: u32,
    until: SimTime,
}

#[derive(Clone, Debug, PartialEq)]
struct Consumer {
    config: ConsumerConfig,
    /// The first sequence that was never looked at.
    next: u64,
    outstanding: BTreeMap<u64, Outstanding>,
    /// Due messages, the longest due first.
    again: VecDeque<u64>,
    requests: VecDeque<Request>,
}

/// A delivered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it is in the stream.
    pub seq: u64,
    /// What it carries.
    pub body: u64,
    /// This is the how-manieth delivery, from 1.
    pub n: u32,
}

/// What the client of a consumer receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A message.
    Deliver(ConsumerNo, Delivery),
    /// A request's time is over (`408 Request Timeout`).
    RequestOver(ConsumerNo),
    /// A message was delivered as often as allowed and will not come again.
    GivenUp(ConsumerNo, u64),
}

/// A refusal of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JetStreamError {
    /// A second consumer of a work queue could get the same messages.
    NotUnique,
    /// A second consumer of a work queue, one of them without a filter.
    MultipleUnfiltered,
    /// Too many consumers.
    TooManyConsumers,
}

impl std::fmt::Display for JetStreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            JetStreamError::NotUnique => {
                "code=400 err_code=10100 description='filtered consumer not unique on workqueue \
                 stream'"
            }
            JetStreamError::MultipleUnfiltered => {
                "code=400 err_code=10099 description='multiple non-filtered consumers not allowed \
                 on workqueue stream'"
            }
            JetStreamError::TooManyConsumers => {
                "code=400 err_code=10026 description='maximum consumers limit reached'"
            }
        })
    }
}

/// What a reading of the state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Messages in the stream.
    pub n_messages: u64,
    /// Unacknowledged messages of all consumers.
    pub n_outstanding: u64,
    /// Requests that wait.
    pub n_requests: u32,
}

/// A stream with its consumers.
#[derive(Clone, Debug, PartialEq)]
pub struct JetStream {
    stream: Stream,
    consumers: Vec<Consumer>,
}

impl JetStream {
    /// An empty stream without consumers.
    pub fn new(config: StreamConfig) -> JetStream {
        JetStream { stream: Stream::new(config), consumers: Vec::new() }
    }

    /// A new consumer, from the oldest message on. No wait at all means the default one.
    pub fn add_consumer(
        &mut self,
        mut config: ConsumerConfig,
    ) -> Result<ConsumerNo, JetStreamError> {
        if config.ack_wait.is_zero() {
            config.ack_wait = ConsumerConfig::default().ack_wait;
        }
        if CONSUMERS_LIMIT <= self.consumers.len() as u32 {
            return Err(JetStreamError::TooManyConsumers);
        }
        if self.stream.config.retention == Retention::WorkQueue {
            for other in &self.consumers {
                match (&config.filter, &other.config.filter) {
                    (None, _) => return Err(JetStreamError::MultipleUnfiltered),
                    (Some(_), None) => return Err(JetStreamError::NotUnique),
                    (Some(a), Some(b)) if subjects_overlap(a, b) => {
                        return Err(JetStreamError::NotUnique);
                    }
                    _ => {}
                }
            }
        }
        let no = ConsumerNo(self.consumers.len() as u32);
        self.consumers.push(Consumer {
            config,
            next: 1,
            outstanding: BTreeMap::new(),
            again: VecDeque::new(),
            requests: VecDeque::new(),
        });
        Ok(no)
    }

    /// Stores a message and delivers it to who waits.
    pub fn publish(
        &mut self,
        now: SimTime,
        key: Option<MsgKey>,
        message: Stored,
        out: &mut Vec<Effect>,
    ) -> Result<Published, Refused> {
        self.on_wake(now, out);
        let published = self.stream.publish(now, key, message)?;
        self.turn(now, out);
        Ok(published)
    }

    /// Asks for messages: what is there comes at once, the rest until the time is over.
    ///
    /// Too many waiting requests: the new one is over at once. Panics when the consumer is not
    /// known.
    pub fn fetch(
        &mut self,
        now: SimTime,
        no: ConsumerNo,
        n: u32,
        expires: SimSpan,
        out: &mut Vec<Effect>,
    ) {
        self.on_wake(now, out);
        let requests = &mut self.consumers[no.0 as usize].requests;
        if WAITING_LIMIT <= requests.len() as u32 {
            out.push(Effect::RequestOver(no));
        } else if 0 < n {
            requests.push_back(Request { n_left: n, until: now.saturating_add(expires) });
        }
        self.turn(now, out);
    }

    /// A message is done; false when it was not outstanding. A work queue removes it.
    pub fn ack(&mut self, now: SimTime, no: ConsumerNo, seq: u64, out: &mut Vec<Effect>) -> bool {
        let was_there = self.consumers[no.0 as usize].drop_outstanding(seq);
        if was_there && self.stream.config.retention == Retention::WorkQueue {
            self.stream.remove(seq);
        }
        // Its place may go to another.
        self.on_wake(now, out);
        was_there
    }

    /// A message failed: it comes again after a delay.
    pub fn nak(
        &mut self,
        now: SimTime,
        no: ConsumerNo,
        seq: u64,
        delay: SimSpan,
        out: &mut Vec<Effect>,
    ) -> bool {
        let is_there = self.consumers[no.0 as usize].put_off(seq, now.saturating_add(delay));
        self.on_wake(now, out);
        is_there
    }

    /// A message is being worked on: its wait begins again (`+WPI`).
    pub fn in_progress(&mut self, now: SimTime, no: ConsumerNo, seq: u64) -> bool {
        let consumer = &mut self.consumers[no.0 as usize];
        consumer.put_off(seq, now.saturating_add(consumer.config.ack_wait))
    }

    /// Puts what was not acknowledged in time in line again, delivers, and ends requests.
    ///
    /// A late wake does all of it at its own time, one after the other.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        // Each turn makes something due later or ends a request.
        while let Some(at) = self.next_wake().filter(|at| *at <= now) {
            self.turn(at, out);
        }
        self.turn(now, out);
    }

    /// Earliest time at which a message is due again or a request ends.
    pub fn next_wake(&self) -> Option<SimTime> {
        let of = |consumer: &Consumer| {
            let due = consumer.outstanding.values().filter_map(|o| o.due).min();
            let request = consumer.requests.iter().map(|request| request.until).min();
            [due, request].into_iter().flatten().min()
        };
        self.consumers.iter().filter_map(of).min()
    }

    /// Reads the state.
    pub fn gauges(&self) -> Gauges {
        let mut gauges = Gauges { n_messages: self.stream.len(), ..Gauges::default() };
        for consumer in &self.consumers {
            gauges.n_outstanding += consumer.outstanding.len() as u64;
            gauges.n_requests += consumer.requests.len() as u32;
        }
        gauges
    }

    /// The stream.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    fn turn(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        for (index, consumer) in self.consumers.iter_mut().enumerate() {
            let no = ConsumerNo(index as u32);
            consumer.line_up(now, no, out);
            consumer.deliver(now, no, &self.stream, out);
            let n_before = consumer.requests.len();
            consumer.requests.retain(|request| now < request.until);
            let n_over = n_before - consumer.requests.len();
            out.extend((0..n_over).map(|_| Effect::RequestOver(no)));
        }
    }
}

impl Consumer {
    /// Messages that are due get in line; who was delivered often enough is given up.
    fn line_up(&mut self, now: SimTime, no: ConsumerNo, out: &mut Vec<Effect>) {
        let is_due = |o: &Outstanding| o.due.is_some_and(|due| due <= now);
        let due = self.outstanding.iter().filter(|(_, o)| is_due(o));
        let mut due: Vec<(Option<SimTime>, u64)> = due.map(|(seq, o)| (o.due, *seq)).collect();
        due.sort_unstable();
        for (_, seq) in due {
            let Some(outstanding) = self.outstanding.get_mut(&seq) else { continue };
            outstanding.due = None;
            if self.config.max_deliver.is_some_and(|most| most <= outstanding.deliveries) {
                self.outstanding.remove(&seq);
                out.push(Effect::GivenUp(no, seq));
            } else {
                self.again.push_back(seq);
            }
        }
    }

    /// Fills requests: first what comes again, then what is new.
    fn deliver(&mut self, now: SimTime, no: ConsumerNo, stream: &Stream, out: &mut Vec<Effect>) {
        while !self.requests.is_empty()
            && let Some(seq) = self.choose(stream)
            && let Some(message) = stream.message(seq)
        {
            let due = Some(now.saturating_add(self.config.ack_wait));
            let deliveries = self.outstanding.get(&seq).map_or(0, |o| o.deliveries) + 1;
            self.outstanding.insert(seq, Outstanding { deliveries, due });
            let delivery = Delivery { seq, body: message.body, n: deliveries };
            out.push(Effect::Deliver(no, delivery));
            let request = &mut self.requests[0];
            request.n_left -= 1;
            if request.n_left == 0 {
                self.requests.pop_front();
            }
        }
    }

    /// The next message to deliver, taken out of its line.
    fn choose(&mut self, stream: &Stream) -> Option<u64> {
        while let Some(seq) = self.again.pop_front() {
            if stream.message(seq).is_some() {
                return Some(seq);
            }
            // It left the stream meanwhile.
            self.outstanding.remove(&seq);
        }
        if self.config.max_ack_pending <= self.outstanding.len() as u32 {
            return None;
        }
        let filter = self.config.filter.as_deref();
        let wanted = |m: &Stored| filter.is_none_or(|filter| subject_matches(filter, &m.subject));
        let next = stream.from(self.next).find(|(_, message)| wanted(message));
        self.next = next.map_or(stream.last() + 1, |(seq, _)| seq + 1);
        next.map(|(seq, _)| seq)
    }

    fn drop_outstanding(&mut self, seq: u64) -> bool {
        self.again.retain(|waiting| *waiting != seq);
        self.outstanding.remove(&seq).is_some()
    }

    fn put_off(&mut self, seq: u64, due: SimTime) -> bool {
        let Some(outstanding) = self.outstanding.get_mut(&seq) else { return false };
        outstanding.due = Some(due);
        self.again.retain(|waiting| *waiting != seq);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SimTime {
        SimTime::from_ns(ms * 1_000_000)
    }

    fn stream(n: u64, config: StreamConfig) -> JetStream {
        let mut stream = JetStream::new(config);
        for body in 0..n {
            let message = Stored { subject: "s".into(), body };
            stream.publish(at(0), None, message, &mut Vec::new()).expect("there is room");
        }
        stream
    }

    fn quick() -> ConsumerConfig {
        let ack_wait = SimSpan::ms(400);
        ConsumerConfig { ack_wait, max_deliver: Some(2), ..ConsumerConfig::default() }
    }

    fn deliver(no: ConsumerNo, seq: u64, n: u32) -> Effect {
        Effect::Deliver(no, Delivery { seq, body: seq - 1, n })
    }

    #[test]
    fn an_unacknowledged_message_comes_again_and_then_no_more() {
        let mut stream = stream(2, StreamConfig::default());
        let no = stream.add_consumer(quick()).expect("it is the first");
        let mut out = Vec::new();
        stream.fetch(at(0), no, 9, SimSpan::s(10), &mut out);
        assert_eq!(out, [deliver(no, 1, 1), deliver(no, 2, 1)]);
        assert!(stream.ack(at(10), no, 2, &mut out));
        assert!(!stream.ack(at(10), no, 2, &mut out));
        out.clear();
        assert_eq!(stream.next_wake(), Some(at(400)));
        stream.on_wake(at(399), &mut out);
        assert!(out.is_empty());
        stream.on_wake(at(400), &mut out);
        assert_eq!(out, [deliver(no, 1, 2)]);
        out.clear();
        stream.on_wake(at(800), &mut out);
        assert_eq!(out, [Effect::GivenUp(no, 1)]);
        assert_eq!(stream.gauges().n_outstanding, 0);
        assert_eq!(stream.gauges().n_messages, 2, "limits keep it");
    }

    #[test]
    fn work_in_progress_begins_the_wait_again_and_a_nak_ends_it() {
        let mut stream = stream(1, StreamConfig::default());
        let no = stream.add_consumer(quick()).expect("it is the first");
        let mut out = Vec::new();
        stream.fetch(at(0), no, 2, SimSpan::s(10), &mut out);
        assert!(stream.in_progress(at(300), no, 1));
        assert_eq!(stream.next_wake(), Some(at(700)));
        out.clear();
        assert!(stream.nak(at(300), no, 1, SimSpan::ms(0), &mut out));
        assert_eq!(out, [deliver(no, 1, 2)]);
    }

    #[test]
    fn too_many_outstanding_messages_stop_new_ones_only() {
        let mut stream = stream(3, StreamConfig::default());
        let config = ConsumerConfig { max_ack_pending: 1, ..quick() };
        let no = stream.add_consumer(config).expect("it is the first");
        let mut out = Vec::new();
        stream.fetch(at(0), no, 9, SimSpan::s(10), &mut out);
        assert_eq!(out, [deliver(no, 1, 1)]);
        out.clear();
        stream.on_wake(at(400), &mut out);
        assert_eq!(out, [deliver(no, 1, 2)]);
        out.clear();
        stream.ack(at(410), no, 1, &mut out);
        assert_eq!(out, [deliver(no, 2, 1)]);
    }

    #[test]
    fn a_work_queue_has_one_consumer_per_subject() {
        let config = StreamConfig { retention: Retention::WorkQueue, ..StreamConfig::default() };
        let mut stream = stream(2, config);
        let filtered = |filter: &str| ConsumerConfig { filter: Some(filter.into()), ..quick() };
        let no = stream.add_consumer(filtered("s")).expect("it is the first");
        assert_eq!(stream.add_consumer(filtered(">")), Err(JetStreamError::NotUnique));
        assert_eq!(stream.add_consumer(quick()), Err(JetStreamError::MultipleUnfiltered));
        assert!(stream.add_consumer(filtered("t")).is_ok());
        let mut out = Vec::new();
        stream.fetch(at(0), no, 1, SimSpan::s(1), &mut out);
        stream.ack(at(0), no, 1, &mut out);
        assert_eq!(stream.gauges().n_messages, 1);
    }

    #[test]
    fn a_late_wake_gives_nothing_to_a_request_that_was_over() {
        let mut stream = stream(1, StreamConfig::default());
        let no = stream.add_consumer(quick()).expect("it is the first");
        let mut out = Vec::new();
        stream.fetch(at(0), no, 9, SimSpan::ms(300), &mut out);
        out.clear();
        stream.on_wake(at(900), &mut out);
        assert_eq!(out, [Effect::RequestOver(no)]);
        stream.fetch(at(900), no, 9, SimSpan::ms(300), &mut out);
        assert_eq!(out[1..], [deliver(no, 1, 2)]);
    }
}
