//! The consumer: takes messages from a queue or straight from a sender, works on them,
//! acknowledges.
//!
//! It models parallel workers with one memory in front, acknowledgement after the work or on
//! delivery, and passing a message on; `effect.rs` has what guarantees hang on. It leaves out
//! batches, polling and the cost of acknowledging. Read `docs/models/consumer.md` before editing.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::dedupe::{DedupeBy, Record, RecordWhen};
use crate::model::actor::effect::{Pendings, WhenBad};
use crate::model::actor::workers::{By, Job, Service, Workers};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Lane};
use crate::model::message::Parcel;
use crate::model::spread::Spread;
use crate::param::{Amount, Ppm, Reason, Spans, Value, Words};

choices! {
    /// When a consumer acknowledges.
    pub enum AckMode {
        /// When the work is done.
        AfterWork = "after-work" ("after work", "处理后"),
        /// The broker forgets the message as it delivers it.
        OnDelivery = "on-delivery" ("on delivery", "投递即确认"),
        /// When the work begins.
        BeforeWork = "before-work" ("before work", "处理前"),
    }
}

choices! {
    /// What a full consumer does with what its sender offers.
    pub enum WhenFull {
        /// It stops reading; the sender waits.
        Block = "block" ("block", "阻塞"),
        /// It drops the message.
        Drop = "drop" ("drop", "丢弃"),
    }
}

params! {
    /// What a consumer does.
    pub struct ConsumerParams for "consumer" {
        /// The broker's queue that it consumes; empty takes the broker's first.
        queue: Words = Words::NONE, words 1, applies restart,
            name ("Queue", "队列"),
            help ("Which of the broker's queues it consumes.", "消费代理的哪个队列。"),
            source "AMQP 0-9-1, basic.consume";
        /// Mean time of the work on one message.
        service: SimSpan = SimSpan::ms(50), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::us(100) => SimSpan::s(10), applies live,
            name ("Work per message", "每条处理时间"),
            help ("How long one message takes, on average.", "处理一条消息平均所需的时间。"),
            source "service time, Kendall's notation";
        /// How that time spreads.
        spread: Spread = Spread::Exponential, choice, applies live,
            name ("Spread of work", "处理时间分布"),
            help ("The law of the work's duration.", "处理时间服从的分布。"),
            source "service-time distribution, Kendall's notation";
        /// Standard deviation of that time divided by its mean.
        variation: Ppm = Ppm(450_000), range Ppm(0) => Ppm(10_000_000), step Ppm(10_000),
            slider Ppm(0) => Ppm(2_000_000), applies live,
            name ("Variation of work", "处理时间变异"),
            help ("Standard deviation / mean; constant and exponential ignore it.", "标准差除以均值；固定与指数分布忽略此项。"),
            source "coefficient of variation";
        /// How many messages are worked on at once.
        parallelism: Amount = Amount(1), range Amount(1) => Amount(1_000), scale log,
            slider Amount(1) => Amount(64), applies live,
            name ("Workers", "并行数"),
            help ("Messages worked on at the same time.", "同时处理的消息数。"),
            source "servers c in M/M/c";
        /// When it acknowledges.
        ack: AckMode = AckMode::AfterWork, choice, applies restart,
            name ("Acknowledge", "确认方式"),
            help ("On delivery is faster, and loses messages in a crash.", "投递即确认更快，但崩溃时丢消息。"),
            source "AMQP 0-9-1, basic.consume no-ack";
        /// How many deliveries may be unacknowledged at once.
        prefetch: Amount = Amount(10), range Amount(1) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Prefetch", "预取数"),
            help ("Deliveries that may wait unacknowledged at this consumer.", "该消费者最多可持有的未确认消息数。"),
            source "AMQP 0-9-1, basic.qos; RabbitMQ: per consumer";
        /// How many messages wait in its own memory, when they come straight from a sender.
        buffer: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(0) => Amount(1_000), applies live,
            name ("Own memory", "自身缓冲"),
            help ("Messages that wait here when a sender is connected directly.", "与发送方直连时，最多在此等待的消息数。"),
            source "K in M/M/c/K";
        /// What happens when that memory is full.
        when_full: WhenFull = WhenFull::Block, choice, applies live,
            name ("When full", "满时"),
            help ("Whether a direct sender waits or loses the message.", "直连的发送方是等待，还是丢失消息。"),
            source "loss and blocking systems, Kleinrock 1975";
        /// How long the first, the second, ... work takes, whatever the spread.
        recorded: Spans = Spans::NONE, lasting 100_000, applies restart,
            name ("Recorded work", "录制的处理时间"),
            help ("How long each message takes, in the order of starting; then as set above.",
                "按开始顺序，每条消息的处理时间；用完后按上面的设置。"),
            source "trace-driven simulation";
        /// Time from the effect to the acknowledgement.
        ack_delay: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::us(100) => SimSpan::s(10), applies live,
            name ("Acknowledge later by", "确认滞后"),
            help ("Time from the end of the work to its acknowledgement; a crash in it repeats the work.",
                "处理结束到发出确认之间的时间；其间崩溃会导致重做。"),
            source "our own model of the gap between effect and acknowledgement";
        /// By which id it knows a message again.
        dedupe: DedupeBy = DedupeBy::None, choice, applies restart,
            name ("Known again by", "去重依据"),
            help ("A message whose id was recorded is acknowledged and not worked on.",
                "编号已登记的消息直接确认，不再处理。"),
            source "idempotent consumer";
        /// When that id is recorded.
        record: RecordWhen = RecordWhen::SameTransaction, choice, applies restart,
            name ("Recorded", "登记时机"),
            help ("Before the effect a crash loses it; after it, a crash repeats it.",
                "先登记，崩溃会丢失；后登记，崩溃会重复。"),
            source "idempotent consumer";
        /// What it does with a message that it cannot work on.
        when_bad: WhenBad = WhenBad::Requeue, choice, applies live,
            name ("A bad message", "坏消息"),
            help ("What becomes of a message that no work can be done on.", "无法处理的消息如何处置。"),
            source "AMQP 0-9-1, basic.reject; returning it: our own";
    }
}

/// A consumer.
#[derive(Clone, PartialEq, Debug)]
pub struct Consumer {
    /// Its settings.
    pub params: ConsumerParams,
    /// Its workers and their memory.
    pub workers: Workers,
    /// Worked on, and waiting for the next place to take it: back-pressure.
    pub outgoing: VecDeque<Job>,
    /// Done, and not acknowledged yet.
    pub pending: Pendings,
    /// What it knows again; on disk, so it outlives a crash.
    pub record: Record,
    next_output: u16,
}

impl Consumer {
    /// An idle consumer.
    pub fn new(params: ConsumerParams) -> Consumer {
        let workers = Workers::new(params.parallelism.0);
        Consumer {
            params,
            workers,
            outgoing: VecDeque::new(),
            pending: Pendings::new(),
            record: Record::default(),
            next_output: 0,
        }
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        match parcel {
            Parcel::Publish { seq, message } => {
                let job = Job { message, port, by: By::Sender, tag: seq, redelivered: false };
                self.take_from_sender(cx, job);
            }
            Parcel::Deliver { tag, message, redelivered } => {
                let tag = if self.params.ack == AckMode::OnDelivery { 0 } else { tag };
                let job = Job { message, port, by: By::Broker, tag, redelivered };
                self.take(cx, job);
            }
            Parcel::Opened => self.subscribe(cx, port),
            Parcel::Closed => {
                self.workers.forget_connection(port);
                let pending = self.pending.iter_mut().filter(|p| p.job.port == port);
                pending.for_each(|pending| pending.job.tag = 0);
            }
            _ => {}
        }
    }

    /// Work ended.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while let Some(job) = self.workers.finish(cx.now()) {
            self.on_worked(cx, job);
        }
        self.settle_due(cx);
        self.go_on(cx);
    }

    /// The next place takes messages again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>) {
        while let Some(job) = self.outgoing.pop_front() {
            if !self.pass_on(cx, &job) {
                self.outgoing.push_front(job);
                return;
            }
        }
        self.go_on(cx);
        Self::read_all(cx);
    }

    /// When the next work ends, or the next acknowledgement is due.
    pub fn next_wake(&self) -> Option<SimTime> {
        match (self.workers.next_wake(), self.pending.front().map(|pending| pending.due)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether it reads from the port.
    pub fn wants(&self, cx: &Ctx<'_>, port: u16) -> bool {
        let from_sender = cx.seat.ports[usize::from(port)].out == Lane::Back;
        let full = self.params.when_full == WhenFull::Block && self.is_full();
        !from_sender || (self.outgoing.is_empty() && !full)
    }

    /// Its process dies.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.workers.crash(cx);
        // What was done and not acknowledged is forgotten; the record is not.
        self.pending.clear();
        let at = Node::Actor(cx.me);
        for job in self.outgoing.drain(..) {
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Crash });
        }
    }

    /// It starts anew and subscribes again.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        for port in 0..cx.n_ports() {
            self.subscribe(cx, port);
        }
    }

    /// What it asks its broker for.
    pub fn subscription(&self) -> Parcel {
        let prefetch = match self.params.prefetch {
            Amount::UNLIMITED => 0,
            Amount(n) => n,
        };
        Parcel::Subscribe { prefetch, auto_ack: self.params.ack == AckMode::OnDelivery }
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = (self.params.prefetch, self.params.parallelism);
        self.params.set(index, value)?;
        if before.0 != self.params.prefetch {
            self.on_restart(cx);
        }
        if before.1 != self.params.parallelism {
            self.workers.resize(self.params.parallelism.0);
        }
        self.go_on(cx);
        Ok(())
    }

    fn subscribe(&self, cx: &mut Ctx<'_>, port: u16) {
        if cx.seat.ports[usize::from(port)].out == Lane::Back {
            cx.write(port, self.subscription(), false);
        }
    }

    fn is_full(&self) -> bool {
        let all_busy = self.workers.n_busy() as usize >= self.workers.busy.len();
        all_busy && self.params.buffer.0 <= self.workers.buffer.len() as u32
    }

    fn take_from_sender(&mut self, cx: &mut Ctx<'_>, job: Job) {
        if self.params.when_full == WhenFull::Drop && self.is_full() {
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Refused });
            if job.tag != 0 {
                let confirm =
                    Parcel::Confirm { seq: job.tag, msg: job.message.id, accepted: false };
                cx.write(job.port, confirm, false);
            }
            return;
        }
        self.take(cx, job);
    }

    /// Starts on the job, or keeps it for later.
    fn take(&mut self, cx: &mut Ctx<'_>, job: Job) {
        let begun = if self.is_plain() || !self.workers.starts_now() {
            Some(job)
        } else {
            self.begin(cx, job)
        };
        if let Some(job) = begun {
            self.workers.take(cx, job, service(&self.params));
        }
    }

    /// The work on one message ended: its effect happens here, or it goes on to the next place.
    fn on_worked(&mut self, cx: &mut Ctx<'_>, job: Job) {
        let msg = job.message.id;
        if job.message.is_bad {
            return self.fail(cx, &job);
        }
        if !self.takes_effect(&job) {
            return self.skip(cx, &job);
        }
        if self.has_output(cx) {
            cx.fact(Fact::Worked { msg, at: cx.me });
            if !self.outgoing.is_empty() || !self.pass_on(cx, &job) {
                cx.fact(Fact::Held { msg, cause: Cause::BackPressure });
                self.outgoing.push_back(job);
            }
        } else {
            cx.fact(Fact::Done { msg, at: cx.me, answers: false });
            self.conclude(cx, job);
        }
    }

    fn has_output(&self, cx: &Ctx<'_>) -> bool {
        cx.seat.ports.iter().any(|p| p.out == Lane::Forth)
    }

    /// Writes the message to the next output in turn; acknowledges when it was taken.
    fn pass_on(&mut self, cx: &mut Ctx<'_>, job: &Job) -> bool {
        let outputs = cx.seat.ports.iter().filter(|p| p.out == Lane::Forth).count() as u16;
        let turn = usize::from(self.next_output % outputs);
        let port = (0..cx.n_ports())
            .filter(|p| cx.seat.ports[usize::from(*p)].out == Lane::Forth)
            .nth(turn);
        let Some(port) = port else { return false };
        if !cx.write(port, Parcel::Publish { seq: 0, message: job.message }, false) {
            return false;
        }
        self.next_output = (self.next_output + 1) % outputs;
        self.conclude(cx, *job);
        true
    }

    /// Starts on what waits, and reads again what a full memory had left on the channel.
    fn go_on(&mut self, cx: &mut Ctx<'_>) {
        if !self.outgoing.is_empty() {
            return;
        }
        if self.is_plain() {
            self.workers.start_waiting(cx, service(&self.params));
        } else {
            while let Some(job) = self.workers.pop_waiting() {
                if let Some(job) = self.begin(cx, job) {
                    self.workers.start(cx, job, service(&self.params));
                }
            }
        }
        if self.params.buffer != Amount::UNLIMITED {
            Self::read_all(cx);
        }
    }

    fn read_all(cx: &mut Ctx<'_>) {
        for port in 0..cx.n_ports() {
            cx.read_again(port);
        }
    }
}

fn service(params: &ConsumerParams) -> Service<'_> {
    Service {
        mean: params.service,
        spread: params.spread,
        variation_ppm: params.variation.0,
        recorded: &params.recorded.0,
    }
}
