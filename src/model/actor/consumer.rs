//! The consumer: takes messages from a queue or straight from a sender, works on them,
//! acknowledges.
//!
//! It models parallel workers with one memory in front, acknowledgement after the work or on
//! delivery, and passing a message on; `effect.rs` has what guarantees hang on. It leaves out
//! batches, polling and the cost of acknowledging. Read `docs/models/consumer.md` before editing.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::dedupe::{DedupeBy, Record, RecordWhen};
use crate::model::actor::effect::{Pendings, WhenBad, tell};
use crate::model::actor::parts::Parts;
use crate::model::actor::shares;
use crate::model::actor::workers::{By, Job, Order, Service, Workers};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Lane, Purpose};
use crate::model::message::Parcel;
use crate::model::spread::Spread;
use crate::param::{Amount, Lines, Ppm, Reason, Spans, Value, Words};

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
        /// Further work for each KiB of a message.
        per_kib: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::us(1) => SimSpan::s(1), applies live,
            name ("Work per KiB", "每 KiB 处理时间"),
            help ("How much longer a message takes for each KiB of its body.",
                "消息体每 KiB 额外所需的时间。"),
            source "our own model";
        /// The part of messages that take another time.
        rare_share: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000), applies live,
            name ("Rare work: share", "少数消息占比"),
            help ("Which part of the messages takes the time below instead.",
                "这部分消息改用下面的处理时间。"),
            source "service time of two values, M/G/1";
        /// How long these take.
        rare_service: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::us(100) => SimSpan::s(60), applies live,
            name ("Rare work: takes", "少数消息耗时"),
            help ("How long these take, always.", "这些消息固定的处理时间。"),
            source "service time of two values, M/G/1";
        /// Who is served first of what waits in its own memory.
        order: Order = Order::AsTheyCome, choice, applies live,
            name ("Order of work", "处理顺序"),
            help ("Who is served first of what waits in its own memory.",
                "自身缓冲中的消息谁先处理。"),
            source "head-of-line and preemptive-resume priority, Kleinrock 1976";
        /// How many copies of a message it waits for.
        join: Amount = Amount(1), range Amount(1) => Amount(64), step Amount(1), applies restart,
            name ("Parts to wait for", "等待份数"),
            help ("How many copies of a message must be here before their work begins.",
                "同一消息的几份副本到齐后才开始处理。"),
            source "fork-join queue, Flatto and Hahn 1984";
        /// Which part of its messages goes on by each of its ways out.
        shares: Lines = Lines::NONE, lines shares::check, applies restart,
            name ("Shares of ways out", "各出口占比"),
            help ("Parts by channel, in their order; the rest ends here. None: one after the other.",
                "按通路顺序的占比，余下的在此结束；不写则轮流。"),
            source "routing probabilities, Jackson 1957";
        /// Chance that the work on a message fails.
        fail: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000), applies live,
            name ("Work fails", "处理失败率"),
            help ("Chance that work fails when it ends; then it is treated as a bad message.",
                "处理结束时失败的概率；失败者按坏消息处置。"),
            source "retries with feedback, Jackson 1957";
        /// How often it asks for a message, instead of being sent them.
        pull: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(1) => SimSpan::s(60), applies restart,
            name ("Asks every", "拉取间隔"),
            help ("It asks its broker for one message each time; 0 s: the broker sends them.",
                "每隔这么久向代理要一条消息；0 s 表示由代理推送。"),
            source "AMQP 0-9-1, basic.get";
        /// Whether it takes messages from its broker.
        joined: bool = true, switch, applies live,
            name ("Subscribed", "已订阅"),
            help ("On: it consumes its queue; off: it cancels, and works off what it has.",
                "开：订阅队列；关：取消订阅，并处理完手头的消息。"),
            source "AMQP 0-9-1, basic.consume, basic.cancel";
        /// How often it says that it still works.
        touch: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(100) => SimSpan::s(60), applies live,
            name ("Touches every", "续期间隔"),
            help ("How often it tells a work queue that it still has its jobs; 0 s: never.",
                "每隔这么久告诉工作队列任务仍在处理；0 s 表示从不。"),
            source "beanstalkd 1.12 doc/protocol.txt, touch";
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
    /// Parts of messages that are worked on together.
    pub parts: Parts,
    /// The parts of `params.shares` in millionths.
    shares: Vec<u32>,
    /// The way out that was drawn for the next message, until it is taken.
    drawn: Option<Option<u16>>,
    /// When it asks for the next message.
    pub(super) next_pull: Option<SimTime>,
    /// When it touches its jobs.
    pub(super) next_touch: Option<SimTime>,
    n_drawn: u64,
}

impl Consumer {
    /// An idle consumer.
    pub fn new(params: ConsumerParams) -> Consumer {
        let workers = Workers::new(params.parallelism.0);
        Consumer {
            shares: shares::parse(&params.shares.0.join("\n")).unwrap_or_default(),
            params,
            workers,
            outgoing: VecDeque::new(),
            pending: Pendings::new(),
            record: Record::default(),
            next_output: 0,
            parts: Parts::default(),
            drawn: None,
            next_pull: None,
            next_touch: None,
            n_drawn: 0,
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
                if let Some(job) = self.parts.take(cx, job, self.params.join.0) {
                    self.take(cx, job);
                }
            }
            Parcel::Opened if self.subscription().is_some() => self.subscribe(cx, port),
            Parcel::Opened => {
                cx.write(port, Parcel::Opened, false);
            }
            Parcel::Closed => {
                self.workers.forget_connection(port);
                self.parts.forget_connection(port);
                let pending = self.pending.iter_mut().filter(|p| p.job.port == port);
                pending.for_each(|pending| pending.job.tag = 0);
            }
            _ => {}
        }
        self.touch_due(cx);
    }

    /// Work ended.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while let Some(job) = self.workers.finish(cx.now()) {
            self.on_worked(cx, job);
        }
        self.settle_due(cx);
        self.pull_due(cx);
        self.go_on(cx);
        self.touch_due(cx);
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
        let due = self.pending.front().map(|pending| pending.due);
        let own = [due, self.next_pull, self.next_touch].into_iter().flatten().min();
        match (self.workers.next_wake(), own) {
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
        self.parts.crash(cx);
        (self.next_pull, self.next_touch) = (None, None);
        self.drawn = None;
        // What was done and not acknowledged is forgotten; the record is not.
        self.pending.clear();
        let at = Node::Actor(cx.me);
        for job in self.outgoing.drain(..) {
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Crash });
        }
    }

    /// It starts anew and subscribes again.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.begin_pulling(cx.now());
        for port in 0..cx.n_ports() {
            self.subscribe(cx, port);
        }
    }

    /// What it asks its broker for; `None`: it will ask for each message, or takes none.
    pub fn subscription(&self) -> Option<Parcel> {
        if !self.params.pull.is_zero() || !self.params.joined {
            return None;
        }
        let prefetch = match self.params.prefetch {
            Amount::UNLIMITED => 0,
            Amount(n) => n,
        };
        Some(Parcel::Subscribe { prefetch, auto_ack: self.params.ack == AckMode::OnDelivery })
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = (self.params.prefetch, self.params.parallelism, self.params.joined);
        self.params.set(index, value)?;
        if before.2 && !self.params.joined {
            self.cancel(cx);
        } else if (before.0, before.2) != (self.params.prefetch, self.params.joined) {
            self.on_restart(cx);
        }
        if before.1 != self.params.parallelism {
            self.workers.resize(self.params.parallelism.0);
        }
        self.go_on(cx);
        Ok(())
    }

    fn subscribe(&self, cx: &mut Ctx<'_>, port: u16) {
        if cx.seat.ports[usize::from(port)].out == Lane::Back
            && let Some(hello) = self.subscription()
        {
            cx.write(port, hello, false);
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
        if let Some(job) = self.parts.take(cx, job, self.params.join.0) {
            self.take(cx, job);
        }
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
        if job.message.is_bad || self.fails(cx, &job) {
            return self.fail(cx, &job);
        }
        if !self.takes_effect(&job) {
            return self.skip(cx, &job);
        }
        for other in self.parts.done(&job) {
            cx.fact(Fact::Done { msg: other.message.id, at: cx.me, answers: false });
            self.conclude(cx, other);
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

    /// Writes the message to the next output in turn, or to the one that is drawn; acknowledges
    /// when it was taken.
    fn pass_on(&mut self, cx: &mut Ctx<'_>, job: &Job) -> bool {
        let outputs = cx.seat.ports.iter().filter(|p| p.out == Lane::Forth).count() as u16;
        let turn = match self.way(cx) {
            Way::Ends => {
                self.drawn = None;
                cx.fact(Fact::Done { msg: job.message.id, at: cx.me, answers: false });
                tell(cx, job);
                return true;
            }
            Way::Drawn(way) => usize::from(way.min(outputs - 1)),
            Way::InTurn => usize::from(self.next_output % outputs),
        };
        let port = (0..cx.n_ports())
            .filter(|p| cx.seat.ports[usize::from(*p)].out == Lane::Forth)
            .nth(turn);
        let Some(port) = port else { return false };
        let mut message = job.message;
        message.hops = message.hops.saturating_add(u16::from(self.drawn.is_some()));
        if !cx.write(port, Parcel::Publish { seq: 0, message }, false) {
            return false;
        }
        self.drawn = None;
        self.next_output = (self.next_output + 1) % outputs;
        self.conclude(cx, *job);
        true
    }

    /// Which way out the next message takes: drawn once for each, and kept while that is full.
    fn way(&mut self, cx: &Ctx<'_>) -> Way {
        if self.shares.is_empty() {
            return Way::InTurn;
        }
        let drawn = self.drawn.unwrap_or_else(|| {
            let mut draw = cx.draw(Purpose::Route, self.n_drawn);
            self.n_drawn += 1;
            shares::draw(&self.shares, &mut draw)
        });
        self.drawn = Some(drawn);
        drawn.map_or(Way::Ends, Way::Drawn)
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
        recorded: &params.recorded.0,
        per_byte_ps: params.per_kib.as_ns().saturating_mul(1_000) / 1_024,
        rare_ppm: params.rare_share.0,
        rare: params.rare_service,
        order: params.order,
        renews: params.fail.0 != 0,
        ..Service::new(params.service, params.spread, params.variation.0)
    }
}

/// Where a message goes when the work on it is done.
enum Way {
    /// To the next way out in turn.
    InTurn,
    /// To this one.
    Drawn(u16),
    /// Nowhere: it is done.
    Ends,
}
