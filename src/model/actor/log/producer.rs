//! The producer of a log broker: makes messages, gathers them in batches, sends these, again if
//! need be.
//!
//! It models arrivals, keys, the partitioner, `linger.ms` and `batch.size`, `acks`, retries,
//! idempotence and, in `committing.rs`, transactions. It leaves out its own memory's limit,
//! compression and metadata requests: it knows the topic before the clock starts.
//! Read `docs/models/log-broker.md` before editing.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::arrivals::{Arrivals, batch, next_arrival};
use crate::model::actor::log::committing::Txn;
use crate::model::actor::log::producer_params::{AckWish, LogProducerParams};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Purpose};
use crate::model::log::{
    Acks, Content, Key, NewRecord, Produce, ProduceError, ProducerId, Sender, SenderConfig,
    Sending, Stamp, partition_of_key,
};
use crate::model::log_parcel::{LogParcel, MAX_PARTITIONS, ProduceRecord, shape_of};
use crate::model::message::{Message, Parcel};
use crate::param::{Amount, Reason, Value};

/// Most messages in a producer's memory; one more is dropped.
pub const MAX_BUFFERED: u32 = 1_000_000;

/// A producer of a log broker.
#[derive(Clone, PartialEq, Debug)]
pub struct LogProducer {
    /// Its settings.
    pub params: LogProducerParams,
    /// Its batches.
    pub sender: Sender<Message>,
    /// When the next message comes.
    pub next_at: Option<SimTime>,
    /// How many messages it made.
    pub n_made: u64,
    /// Records that wait for the channel to take them.
    pub outgoing: VecDeque<ProduceRecord>,
    /// Messages in its memory.
    pub n_held: u32,
    /// Its transactions, if it has any.
    pub txn: Option<Box<Txn>>,
    n_arrivals: u64,
    n_draws: u64,
    n_partitions: u32,
    is_connected: bool,
    is_blocked: bool,
    sendings: Vec<Sending>,
}

impl LogProducer {
    /// A producer that has not begun.
    pub fn new(params: LogProducerParams) -> LogProducer {
        let sender = new_sender(&params, 1, None);
        LogProducer {
            params,
            sender,
            next_at: None,
            n_made: 0,
            outgoing: VecDeque::new(),
            n_held: 0,
            txn: None,
            n_arrivals: 0,
            n_draws: 0,
            n_partitions: 1,
            is_connected: true,
            is_blocked: false,
            sendings: Vec::new(),
        }
    }

    /// It knows the topic before the clock starts.
    pub fn told_topic(&mut self, n_partitions: u32) {
        self.n_partitions = n_partitions;
    }

    /// The run begins.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        self.sender = new_sender(&self.params, self.n_partitions, Some(u64::from(cx.me.0) + 1));
        self.schedule(cx, cx.now());
        self.begin_transactions(cx);
    }

    /// A parcel came back.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, parcel: Parcel) {
        let now = cx.now();
        match parcel {
            Parcel::Log(LogParcel::Produced { ticket, result }) => {
                self.on_answer(cx, ticket, result);
            }
            Parcel::Log(LogParcel::Txn(reply)) => self.on_txn_reply(cx, reply),
            Parcel::Log(LogParcel::Topic { n_partitions }) => {
                self.n_partitions = u32::from(n_partitions).min(MAX_PARTITIONS);
                self.sender.grow(self.n_partitions);
            }
            Parcel::Closed => {
                self.is_connected = false;
                self.outgoing_of_the_dead(cx);
                let mut out = std::mem::take(&mut self.sendings);
                self.sender.on_disconnect(now, &mut out);
                self.sendings = out;
                self.carry_out(cx);
            }
            Parcel::Opened => {
                let was_connected = std::mem::replace(&mut self.is_connected, true);
                if !was_connected {
                    self.ask_coordinator(cx);
                }
                self.drive(cx);
            }
            _ => {}
        }
    }

    /// A message comes, or a batch is ready, late or too old.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while self.next_at.is_some_and(|at| at <= cx.now()) {
            let n = batch(cx, &self.params.source(), self.n_arrivals);
            for _ in 0..n {
                self.make(cx);
            }
            self.n_arrivals += 1;
            self.schedule(cx, cx.now());
        }
        self.drive(cx);
    }

    /// The channel takes records again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>) {
        if std::mem::take(&mut self.is_blocked) {
            cx.fact(Fact::Unblocked { actor: cx.me });
        }
        self.flush(cx);
        self.drive(cx);
    }

    /// The next arrival, or the sender's next deed.
    pub fn next_wake(&self) -> Option<SimTime> {
        let held = if self.may_send() { None } else { self.sender.accumulator().next_held() };
        let sends = self.sender.next_wake().filter(|_| self.is_connected);
        let asks = self.txn.as_ref().and_then(|txn| txn.due()).filter(|_| self.is_connected);
        [self.next_at, sends, held, asks].into_iter().flatten().min()
    }

    /// Sends one message now, by hand.
    pub fn send(&mut self, cx: &mut Ctx<'_>) {
        self.make(cx);
        self.drive(cx);
    }

    /// Its process dies: what it had not sent, or not heard of, is gone with it.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        let waiting = self.sender.accumulator().records().chain(self.sender.unsettled());
        for record in waiting {
            cx.fact(Fact::Dropped { msg: record.message.id, at, why: Why::Crash });
        }
        self.crash_transaction(cx);
        self.outgoing_of_the_dead(cx);
        self.n_held = 0;
        self.next_at = None;
        self.is_blocked = false;
        // Its next incarnation begins anew at the broker, too.
        let epoch = self.sender.epoch().wrapping_add(1);
        let id = u64::from(cx.me.0) + 1;
        self.sender = new_sender(&self.params, self.n_partitions, Some(id));
        self.sender.begin_epoch(epoch);
    }

    /// It starts anew; recorded arrivals that it missed are missed.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.is_connected = true;
        if self.params.arrivals == Arrivals::Times {
            let now = SimSpan::ns(cx.now().ns());
            self.n_arrivals = self.params.times.0.partition_point(|at| *at < now) as u64;
        } else {
            self.n_arrivals += 1;
        }
        self.schedule(cx, cx.now());
        self.begin_transactions(cx);
    }

    /// All its times move by `span`: the process stood still for so long.
    pub fn postpone(&mut self, span: SimSpan) {
        if let Some(at) = &mut self.next_at {
            *at += span;
        }
        self.sender.postpone(span);
        if let Some(txn) = &mut self.txn {
            txn.postpone(span);
        }
    }

    /// Changes a live parameter; the wait for the next arrival shrinks or grows with the rate.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = (self.params.rate, self.params.arrivals, self.params.limit);
        self.params.set(index, value)?;
        self.sender.config = config(&self.params, self.sender.config.idempotent);
        self.sender.accumulator_mut().linger = self.linger();
        if before != (self.params.rate, self.params.arrivals, self.params.limit) {
            self.schedule(cx, cx.now());
        }
        self.drive(cx);
        Ok(())
    }

    fn batch_of(&self, partition: u32, request: &Produce) -> Batch {
        let incarnation = self.txn.as_ref().map(|txn| txn.incarnation);
        let stamp = |stamp: Stamp| (incarnation.unwrap_or(u32::from(stamp.epoch)), stamp.sequence);
        Batch {
            partition: partition as u8,
            ticket: request.ticket as u32,
            acks: request.acks,
            stamp: request.stamp.map(stamp),
            is_transactional: incarnation.is_some(),
        }
    }

    fn may_send(&self) -> bool {
        self.is_connected && self.outgoing.is_empty() && self.sender.has_room()
    }

    fn schedule(&mut self, cx: &Ctx<'_>, last: SimTime) {
        let limit = self.params.limit;
        let over = limit != Amount::UNLIMITED && u64::from(limit.0) <= self.n_made;
        let next = next_arrival(cx, &self.params.source(), last, self.n_arrivals);
        self.next_at = if over { None } else { next };
    }

    /// Makes one message and puts it into a batch.
    fn make(&mut self, cx: &mut Ctx<'_>) {
        let limit = self.params.limit;
        if limit != Amount::UNLIMITED && u64::from(limit.0) <= self.n_made {
            return;
        }
        let bytes = u32::try_from(self.params.size.0).unwrap_or(u32::MAX);
        let message = cx.new_message(self.key(cx), bytes);
        self.n_made += 1;
        cx.fact(Fact::Sent { msg: message.id, by: cx.me, key: message.key, bytes });
        if MAX_BUFFERED <= self.n_held || cx.n_ports() == 0 {
            let why = if cx.n_ports() == 0 { Why::Unroutable } else { Why::OutboxFull };
            cx.fact(Fact::Dropped { msg: message.id, at: Node::Actor(cx.me), why });
            return;
        }
        self.n_held += 1;
        if self.admits(cx, &message) {
            self.put(cx, message);
        }
    }

    /// Puts a message into a batch.
    pub(super) fn put(&mut self, cx: &mut Ctx<'_>, message: Message) {
        let key = (message.key != 0).then_some(Key(message.key));
        let record = NewRecord { at: cx.now(), bytes: 0, key, content: Content::Value, message };
        let to = key.map(|key| partition_of_number(key.0, self.n_partitions));
        let n_draws = &mut self.n_draws;
        let mut draw = || {
            *n_draws += 1;
            cx.draw(Purpose::Route, *n_draws).below(1 << 31) as u32
        };
        self.sender.append(cx.now(), to, shape_of(&message), record, &mut draw);
        let cause = if self.may_send() { Cause::Linger } else { Cause::InFlight };
        if cause == Cause::InFlight || !self.params.linger.is_zero() {
            cx.fact(Fact::Held { msg: message.id, cause });
        }
    }

    fn key(&self, cx: &Ctx<'_>) -> u32 {
        let hot = u64::from(self.params.hot.0);
        if 0 < hot && cx.draw(Purpose::Batch, self.n_made).below(1_000_000) < hot {
            return 1;
        }
        match u64::from(self.params.keys.0) {
            0 => 0,
            n => cx.draw(Purpose::Key, self.n_made).below(n) as u32 + 1,
        }
    }

    /// Lets the sender do what is due, and carries it out.
    pub(super) fn drive(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now();
        while self.is_connected && self.sender.next_wake().is_some_and(|at| at <= now) {
            let mut out = std::mem::take(&mut self.sendings);
            self.sender.on_wake(now, &mut out);
            self.sendings = out;
            self.carry_out(cx);
        }
        self.drive_transaction(cx);
        if !self.may_send() {
            let held = |record: &NewRecord<Message>| {
                cx.fact(Fact::Held { msg: record.message.id, cause: Cause::InFlight });
            };
            self.sender.accumulator_mut().show_held(now, held);
        }
    }

    fn on_answer(&mut self, cx: &mut Ctx<'_>, ticket: u32, result: Result<(), ProduceError>) {
        if self.is_fencing(ticket, result) {
            self.on_fenced(cx);
            return self.drive(cx);
        }
        let mut out = std::mem::take(&mut self.sendings);
        self.sender.on_message(cx.now(), u64::from(ticket), result, &mut out);
        self.sendings = out;
        self.carry_out(cx);
        self.drive(cx);
    }

    /// Turns what the sender says into parcels and facts.
    fn carry_out(&mut self, cx: &mut Ctx<'_>) {
        let mut sendings = std::mem::take(&mut self.sendings);
        let mut settled = std::mem::take(&mut self.sender.settled);
        let mut place = 0;
        // Without acknowledgements a batch is settled as it is sent: its records stand there.
        let mut believed: VecDeque<Batch> = VecDeque::new();
        for sending in sendings.drain(..) {
            match sending {
                Sending::Send { partition, request, is_again } => {
                    let batch = self.batch_of(partition, &request);
                    if request.acks == Acks::None {
                        believed.push_back(batch);
                        continue;
                    }
                    let records = self.sender.batch(request.ticket);
                    for record in records.iter().filter(|_| is_again) {
                        cx.fact(Fact::Retried { msg: record.message.id, by: cx.me });
                    }
                    let messages = records.iter().map(|record| record.message);
                    batch.queue(&mut self.outgoing, records.len(), messages);
                }
                Sending::Delayed { ticket } => {
                    for record in self.sender.batch(ticket) {
                        let cause = Cause::Retry;
                        cx.fact(Fact::Held { msg: record.message.id, cause });
                    }
                }
                Sending::Acked { n, .. } => {
                    let messages = &settled[place..place + n as usize];
                    place += n as usize;
                    match believed.pop_front() {
                        Some(batch) => {
                            let n = messages.len();
                            batch.queue(&mut self.outgoing, n, messages.iter().copied());
                        }
                        None if self.txn.is_some() => self.note_written(messages),
                        None => self.release(cx, messages),
                    }
                }
                Sending::Failed { n, .. } => {
                    let at = Node::Actor(cx.me);
                    for message in &settled[place..place + n as usize] {
                        cx.fact(Fact::Dropped { msg: message.id, at, why: Why::GaveUp });
                    }
                    place += n as usize;
                    self.n_held -= n;
                    self.doom();
                }
            }
        }
        settled.clear();
        self.sender.settled = settled;
        self.sendings = sendings;
        self.flush(cx);
    }

    /// A batch is acknowledged: it need not be kept any more.
    fn release(&mut self, cx: &mut Ctx<'_>, messages: &[Message]) {
        for message in messages {
            cx.fact(Fact::Confirmed { msg: message.id, by: cx.me, accepted: true });
            cx.fact(Fact::Released { msg: message.id, by: cx.me });
        }
        self.n_held -= messages.len() as u32;
    }

    /// Writes what the channel takes.
    fn flush(&mut self, cx: &mut Ctx<'_>) {
        let mut worth = None;
        while let Some(record) = self.outgoing.front().copied() {
            let keeps = record.acks != Acks::None;
            // A batch that was given up meanwhile, or has been stored, is not worth sending.
            let ticket = u64::from(record.ticket);
            if worth == Some(ticket) || !keeps || !self.sender.batch(ticket).is_empty() {
                worth = Some(ticket);
                if self.is_blocked {
                    return;
                }
                if !cx.write(0, Parcel::Log(LogParcel::Produce(record)), keeps) {
                    self.is_blocked = true;
                    cx.fact(Fact::Blocked { actor: cx.me });
                    return;
                }
                if !keeps {
                    self.n_held -= 1;
                }
            }
            self.outgoing.pop_front();
        }
    }

    /// Its connection is gone: records of which it keeps no copy are lost with it.
    fn outgoing_of_the_dead(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        for record in self.outgoing.drain(..) {
            if record.acks == Acks::None {
                self.n_held = self.n_held.saturating_sub(1);
                cx.fact(Fact::Dropped { msg: record.message.id, at, why: Why::Gone });
            }
        }
    }
}

/// Where a batch goes.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Batch {
    partition: u8,
    ticket: u32,
    acks: Acks,
    stamp: Option<(u32, u32)>,
    is_transactional: bool,
}

impl Batch {
    /// Puts its `n` records behind what is to be written.
    fn queue(
        self,
        outgoing: &mut VecDeque<ProduceRecord>,
        n: usize,
        messages: impl Iterator<Item = Message>,
    ) {
        let Batch { partition, ticket, acks, stamp, is_transactional } = self;
        let n = n as u16;
        outgoing.extend(messages.zip(0..n).map(|(message, index)| ProduceRecord {
            ticket,
            index,
            n,
            partition,
            acks,
            stamp,
            is_transactional,
            message,
        }));
    }
}

/// The partition of key number `key`: the text `order-<key>` is hashed.
fn partition_of_number(key: u32, n_partitions: u32) -> u32 {
    let mut text = *b"order-0000000000";
    let mut digits = [0_u8; 10];
    let (mut rest, mut n) = (key, 0);
    while n == 0 || rest != 0 {
        digits[n] = b'0' + (rest % 10) as u8;
        rest /= 10;
        n += 1;
    }
    for (place, digit) in digits[..n].iter().rev().enumerate() {
        text[6 + place] = *digit;
    }
    partition_of_key(&text[..6 + n], n_partitions)
}

fn config(params: &LogProducerParams, idempotent: Option<ProducerId>) -> SenderConfig {
    SenderConfig {
        is_transactional: params.is_transactional(),
        acks: match params.acks {
            _ if params.is_transactional() => Acks::All,
            AckWish::None => Acks::None,
            AckWish::Leader => Acks::Leader,
            AckWish::All => Acks::All,
        },
        idempotent,
        max_in_flight: params.in_flight.0,
        retries: params.retries.0.min(i32::MAX as u32),
        request_timeout: params.request_timeout,
        delivery_timeout: params.delivery_timeout,
        backoff: params.backoff,
        ..SenderConfig::default()
    }
}

fn new_sender(params: &LogProducerParams, n_partitions: u32, id: Option<u64>) -> Sender<Message> {
    // Idempotence needs the answers of all replicas in sync.
    let is_idempotent = params.idempotence && params.acks == AckWish::All;
    let is_idempotent = is_idempotent || params.is_transactional();
    let id = id.filter(|_| is_idempotent).map(ProducerId);
    let batch_bytes = u32::try_from(params.batch_size.0).unwrap_or(u32::MAX);
    let mut sender = Sender::new(config(params, id), n_partitions, batch_bytes, params.linger);
    sender.keeps_settled = true;
    sender
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::log::partition_of_key;

    #[test]
    fn keys_are_hashed_as_their_texts() {
        for key in [1, 7, 10, 21, 99, 1_000_000, u32::MAX] {
            let text = format!("order-{key}");
            assert_eq!(partition_of_number(key, 8), partition_of_key(text.as_bytes(), 8));
        }
        assert_eq!([partition_of_number(1, 4), partition_of_number(1, 8)], [2, 6]);
    }
}
