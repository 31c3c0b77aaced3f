//! The producer: makes messages and hands them to its channels, with or without confirmation.
//!
//! It models arrival processes, sizes, keys, publisher confirms with a window, a timeout and
//! retries, and an application that waits while its channel is full. It leaves out batching and
//! compression. Read `docs/models/producer.md` before editing.

use std::collections::VecDeque;

use crate::kernel::random::sample;
use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::arrivals::{Arrivals, BatchLaw, Source, batch, next_arrival};
use crate::model::actor::broker::topology::{self, Marks};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Purpose};
use crate::model::message::{Message, MsgId, Parcel};
use crate::model::spread::Spread;
use crate::param::{Amount, Bytes, Lines, Ppm, Rate, Reason, Spans, Value, Words};

choices! {
    /// Which of several channels a message takes.
    pub enum Split {
        /// One after the other.
        RoundRobin = "round-robin" ("round robin", "轮流"),
        /// Any, with equal chance.
        Random = "random" ("random", "随机"),
        /// By the message's key.
        Key = "key" ("by key", "按键"),
        /// Every channel gets a copy.
        Copy = "copy" ("a copy to each", "各发一份"),
    }
}

params! {
    /// What a producer does.
    pub struct ProducerParams for "producer" {
        /// Mean number of messages per second.
        rate: Rate = Rate::per_s(30), range Rate(0) => Rate::per_s(1_000_000), scale log,
            slider Rate::per_s(1) => Rate::per_s(1_000), applies live,
            name ("Rate", "速率"),
            help ("Messages per second, on average.", "平均每秒的消息数。"),
            source "arrival rate, Kendall's notation";
        /// How arrivals follow each other.
        arrivals: Arrivals = Arrivals::Poisson, choice, applies live,
            name ("Arrivals", "到达方式"),
            help ("Whether messages come at random, evenly, or in bursts.", "消息随机、均匀还是成批到来。"),
            source "arrival process, Kendall's notation";
        /// The law of the gaps, for `renewal` arrivals.
        gaps: Spread = Spread::Erlang, choice, applies live,
            name ("Gaps", "间隔分布"),
            help ("The law of the gaps, with arrivals set to other gaps.", "到达方式为“其他间隔”时，间隔服从的分布。"),
            source "renewal process, G in G/M/1";
        /// Standard deviation of the gaps divided by their mean.
        gap_variation: Ppm = Ppm(500_000), range Ppm(0) => Ppm(10_000_000), step Ppm(10_000),
            slider Ppm(0) => Ppm(2_000_000), applies live,
            name ("Variation of gaps", "间隔变异"),
            help ("Standard deviation / mean of the gaps.", "间隔的标准差除以均值。"),
            source "coefficient of variation";
        /// How many messages come together.
        burst: Amount = Amount(1), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Messages at once", "每批条数"),
            help ("How many messages each arrival brings, on average.", "每次到达平均带来的消息数。"),
            source "batch arrivals, M^X/M/1";
        /// Whether that number varies.
        burst_law: BatchLaw = BatchLaw::Fixed, choice, applies live,
            name ("Batch size", "批量分布"),
            help ("Whether every batch has the same size.", "每批大小是否相同。"),
            source "batch arrivals, M^X/M/1";
        /// Time between bursts.
        period: SimSpan = SimSpan::s(1), range SimSpan::us(1) => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Time between bursts", "突发间隔"),
            help ("With arrivals set to bursts: one burst each period.", "到达方式为“突发”时，每个周期一批。"),
            source "our own model of periodic load";
        /// Length of the sending phase.
        on: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("On for", "发送时长"),
            help ("With arrivals set to on and off: how long it sends.", "到达方式为“时通时断”时，持续发送的时长。"),
            source "on/off source";
        /// Length of the silent phase.
        off: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Off for", "静默时长"),
            help ("With arrivals set to on and off: how long it is silent.", "到达方式为“时通时断”时，静默的时长。"),
            source "on/off source";
        /// Times of arrival since the start.
        times: Spans = Spans::NONE, spans 100_000, applies restart,
            name ("Recorded times", "录制的时刻"),
            help ("With arrivals set to recorded times: when each message comes.",
                "到达方式为“录制的时刻”时，每条消息到来的时刻。"),
            source "trace-driven simulation";
        /// How many messages it sends at the very start.
        initial: Amount = Amount(0), range Amount(0) => Amount(1_000_000), scale log,
            slider Amount(0) => Amount(10_000), applies restart,
            name ("At the start", "初始条数"),
            help ("Messages sent at time zero, besides the arrivals.", "零时刻额外发送的消息数。"),
            source "initial backlog";
        /// After how many messages it stops.
        limit: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(100_000), applies live,
            name ("Stop after", "总条数"),
            help ("It sends no more than this.", "最多发送这么多条。"),
            source "our own model";
        /// Mean size of a body.
        size: Bytes = Bytes(256), range Bytes(1) => Bytes(16_777_216), scale log,
            slider Bytes(1) => Bytes(1_048_576), applies live,
            name ("Size", "大小"),
            help ("Bytes of a message, on average.", "消息的平均字节数。"),
            source "our own model";
        /// How sizes spread.
        size_spread: Spread = Spread::Constant, choice, applies live,
            name ("Spread of sizes", "大小分布"),
            help ("The law of the sizes.", "消息大小服从的分布。"),
            source "our own model";
        /// Standard deviation of the sizes divided by their mean.
        size_variation: Ppm = Ppm(500_000), range Ppm(0) => Ppm(10_000_000), step Ppm(10_000),
            slider Ppm(0) => Ppm(2_000_000), applies live,
            name ("Variation of sizes", "大小变异"),
            help ("Standard deviation / mean of the sizes.", "大小的标准差除以均值。"),
            source "coefficient of variation";
        /// How many different keys there are.
        keys: Amount = Amount(1), range Amount(1) => Amount(1_000_000), scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Keys", "键的个数"),
            help ("Messages draw one of so many keys, with equal chance.", "每条消息等概率取其中一个键。"),
            source "our own model";
        /// To which queue it addresses its messages; empty takes the broker's first.
        queue: Words = Words::NONE, words 1, applies restart,
            name ("Routing key", "路由键"),
            help ("The queue that a direct exchange chooses.", "直连交换机据此选择队列。"),
            source "AMQP 0-9-1, basic.publish routing-key";
        /// Which of several channels a message takes.
        split: Split = Split::RoundRobin, choice, applies live,
            name ("Between channels", "多通道分配"),
            help ("With several channels: which one a message takes.", "有多个通道时，消息走哪一个。"),
            source "random and round-robin splitting";
        /// Whether it waits to hear that a message was taken.
        confirm: bool = false, switch, applies restart,
            name ("Confirms", "发布确认"),
            help ("Keep each message until the receiver has confirmed it.", "在对方确认之前保留每条消息。"),
            source "RabbitMQ publisher confirms";
        /// How many messages may be unconfirmed at once.
        window: Amount = Amount(100), range Amount(1) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Unconfirmed, at most", "未确认上限"),
            help ("With confirms: how many may be under way.", "启用确认时，最多同时在途的条数。"),
            source "RabbitMQ publisher confirms, windowed";
        /// How long it waits for a confirmation.
        confirm_timeout: SimSpan = SimSpan::s(1),
            range SimSpan::us(1) => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(1) => SimSpan::s(60), applies live,
            name ("Retry after", "重试间隔"),
            help ("With confirms: how long it waits before it sends again.", "启用确认时，多久未确认就重发。"),
            source "our own model of an at-least-once publisher";
        /// How often it tries again.
        retries: Amount = Amount(5), range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(0) => Amount(20), applies live,
            name ("Retries", "重试次数"),
            help ("With confirms: how often it sends again before it gives up.", "启用确认时，放弃之前最多重发几次。"),
            source "our own model of an at-least-once publisher";
        /// Priority of its messages.
        priority: Amount = Amount(0), range Amount(0) => Amount(255), step Amount(1),
            slider Amount(0) => Amount(10), applies live,
            name ("Priority", "优先级"),
            help ("Counts only in queues that have priorities.", "只在带优先级的队列中有意义。"),
            source "AMQP 0-9-1, basic property priority";
        /// How long its messages may wait in a queue, one after the other.
        expiration: Spans = Spans::NONE, lasting 1_000, applies restart,
            name ("Expiration", "消息有效期"),
            help ("How long each message may wait in a queue, in turn; 0 s, or none: for ever.",
                "各条消息依次在队列中最多等待多久；0 s 或不写表示不限。"),
            source "AMQP 0-9-1, basic property expiration";
        /// Which of its messages no work can be done on.
        bad: Amount = Amount(0), range Amount(0) => Amount(1_000_000), scale log,
            slider Amount(0) => Amount(100), applies restart,
            name ("Bad message", "坏消息"),
            help ("Its n-th message cannot be worked on; 0: none.", "它的第几条消息无法处理；0 表示没有。"),
            source "poison message";
        /// The exchange that it publishes to.
        exchange: Words = Words::NONE, words 1, applies restart,
            name ("Exchange", "交换机"),
            help ("To which exchange of the broker it publishes; none: straight to the queue.",
                "发布到代理的哪个交换机；不写则直接进队列。"),
            source "AMQP 0-9-1, basic.publish exchange";
        /// Routing keys and headers of its messages, one after the other.
        routes: Lines = Lines::NONE, lines topology::check_routes, applies restart,
            name ("Routes", "路由"),
            help ("Routing key and headers of each message in turn: order.paid region=eu.",
                "各条消息依次使用的路由键和头部：order.paid region=eu。"),
            source "AMQP 0-9-1, basic.publish routing-key, property headers";
    }
}

impl ProducerParams {
    /// What decides when messages come.
    pub fn source(&self) -> Source<'_> {
        Source {
            rate: self.rate,
            arrivals: self.arrivals,
            gaps: self.gaps,
            gap_variation: self.gap_variation,
            burst: self.burst,
            burst_law: self.burst_law,
            period: self.period,
            on: self.on,
            off: self.off,
            times: &self.times.0,
        }
    }
}

/// Most messages that wait in a producer's memory.
pub const MAX_OUTBOX: u32 = 100_000;

/// A message that is not confirmed yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unconfirmed {
    /// Number of the latest publish that carried it.
    pub seq: u64,
    /// The message.
    pub message: Message,
    /// When it is sent again.
    pub due: SimTime,
    /// How often it was sent again.
    pub retries: u32,
}

/// One of a producer's channels, as it sees it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outlet {
    /// What waits to be written.
    pub outbox: VecDeque<Message>,
    /// What is written and not confirmed, by number.
    pub unconfirmed: VecDeque<Unconfirmed>,
    /// Whether the channel refused the last write.
    pub blocked: bool,
    next_seq: u64,
}

/// A producer.
#[derive(Clone, PartialEq, Debug)]
pub struct Producer {
    /// Its settings.
    pub params: ProducerParams,
    /// When the next message comes.
    pub next_at: Option<SimTime>,
    /// Its channels, by port.
    pub outlets: Vec<Outlet>,
    /// How many messages it made.
    pub n_made: u64,
    /// Keys and headers of its messages, one after the other.
    pub routes: Vec<Marks>,
    n_arrivals: u64,
    n_turns: u64,
    next_due: Option<SimTime>,
}

impl Producer {
    /// A producer that has not begun.
    pub fn new(params: ProducerParams) -> Producer {
        Producer {
            routes: topology::routes(&params.routes.0.join("\n")).unwrap_or_default(),
            params,
            next_at: None,
            outlets: Vec::new(),
            n_made: 0,
            n_arrivals: 0,
            n_turns: 0,
            next_due: None,
        }
    }

    /// The run begins.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        self.outlets = vec![Outlet::default(); usize::from(cx.n_ports())];
        for _ in 0..self.params.initial.0 {
            self.make(cx);
        }
        self.schedule(cx, cx.now());
    }

    /// A parcel came back.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        match parcel {
            Parcel::Confirm { seq, msg, accepted } => {
                self.on_confirm(cx, port, seq, msg, accepted);
            }
            Parcel::Returned { message } => {
                let at = Node::Actor(cx.me);
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Returned });
            }
            _ => {}
        }
    }

    /// A message comes, or one is due again.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while self.next_at.is_some_and(|at| at <= cx.now()) {
            let n = batch(cx, &self.params.source(), self.n_arrivals);
            for _ in 0..n {
                self.make(cx);
            }
            self.n_arrivals += 1;
            self.schedule(cx, cx.now());
        }
        if self.next_due.is_some_and(|due| due <= cx.now()) {
            for port in 0..cx.n_ports() {
                self.retry_due(cx, port);
            }
            self.reckon_due();
        }
    }

    /// The channel takes messages again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, port: u16) {
        if !std::mem::take(&mut self.outlets[usize::from(port)].blocked) {
            return;
        }
        cx.fact(Fact::Unblocked { actor: cx.me });
        self.flush(cx, port);
        self.reckon_due();
    }

    /// The next arrival or retry, whichever comes first.
    pub fn next_wake(&self) -> Option<SimTime> {
        match (self.next_at, self.next_due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Sends one message now, by hand.
    pub fn send(&mut self, cx: &mut Ctx<'_>) {
        self.make(cx);
        self.reckon_due();
    }

    /// Its process dies: what it had not handed over, or not heard of, is gone with it.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        for outlet in &mut self.outlets {
            for message in outlet.outbox.drain(..) {
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Crash });
            }
            for kept in outlet.unconfirmed.drain(..) {
                cx.fact(Fact::Dropped { msg: kept.message.id, at, why: Why::Crash });
            }
            outlet.blocked = false;
        }
        self.next_at = None;
        self.next_due = None;
    }

    /// It starts anew; recorded arrivals that it missed are missed.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        if self.params.arrivals == Arrivals::Times {
            let now = SimSpan::ns(cx.now().ns());
            self.n_arrivals = self.params.times.0.partition_point(|at| *at < now) as u64;
        } else {
            self.n_arrivals += 1;
        }
        self.schedule(cx, cx.now());
    }

    /// All its times move by `span`: the process stood still for so long.
    pub fn postpone(&mut self, span: SimSpan) {
        if let Some(at) = &mut self.next_at {
            *at += span;
        }
        for kept in self.outlets.iter_mut().flat_map(|o| o.unconfirmed.iter_mut()) {
            kept.due += span;
        }
        self.reckon_due();
    }

    /// Changes a live parameter; the wait for the next arrival shrinks or grows with the rate.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = (self.params.rate, self.params.arrivals);
        self.params.set(index, value)?;
        if before.1 != self.params.arrivals || before.0.0 == 0 {
            self.schedule(cx, cx.now());
        } else if before.0 != self.params.rate {
            self.rescale(cx.now(), before.0);
        }
        for port in 0..cx.n_ports() {
            self.flush(cx, port);
        }
        self.reckon_due();
        Ok(())
    }

    fn rescale(&mut self, now: SimTime, before: Rate) {
        let Some(at) = self.next_at else { return };
        if self.params.rate.0 == 0 {
            self.next_at = None;
            return;
        }
        let left = u128::from(at.since(now).as_ns()) * u128::from(before.0);
        let left = u64::try_from(left / u128::from(self.params.rate.0)).unwrap_or(u64::MAX >> 1);
        self.next_at = Some(now.saturating_add(SimSpan::ns(left)));
    }

    fn schedule(&mut self, cx: &Ctx<'_>, last: SimTime) {
        let over = self.params.limit.0 != u32::MAX && u64::from(self.params.limit.0) <= self.n_made;
        let next = next_arrival(cx, &self.params.source(), last, self.n_arrivals);
        self.next_at = if over { None } else { next };
    }

    /// Makes one message and hands it to the channel, or channels, it takes.
    fn make(&mut self, cx: &mut Ctx<'_>) {
        let limit = self.params.limit;
        if limit != Amount::UNLIMITED && u64::from(limit.0) <= self.n_made {
            return;
        }
        let (key, bytes) = self.shape(cx);
        let expiration_ms = self.expiration_ms();
        let priority = u8::try_from(self.params.priority.0).unwrap_or(u8::MAX);
        let route = self.n_made.checked_rem(self.routes.len() as u64).map_or(0, |turn| turn + 1);
        let route = u16::try_from(route).unwrap_or(0);
        self.n_made += 1;
        let is_bad = u64::from(self.params.bad.0) == self.n_made;
        let made = cx.new_message(key, bytes);
        let message = Message { expiration_ms, priority, is_bad, route, ..made };
        cx.fact(Fact::Sent { msg: message.id, by: cx.me, key, bytes });
        let n_ports = u64::from(cx.n_ports());
        if n_ports == 0 {
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Unroutable });
            return;
        }
        let turn = self.n_turns;
        self.n_turns += 1;
        let port = match self.params.split {
            Split::RoundRobin => turn % n_ports,
            Split::Random => cx.draw(Purpose::Route, turn).below(n_ports),
            Split::Key => u64::from(key) % n_ports,
            Split::Copy => 0,
        };
        self.hand_over(cx, port as u16, message);
        if self.params.split == Split::Copy {
            for port in 1..cx.n_ports() {
                let copy = Message { id: cx.new_message(key, bytes).id, ..message };
                cx.fact(Fact::Copied { msg: copy.id, of: message.id, at: cx.me });
                self.hand_over(cx, port, copy);
            }
        }
    }

    fn shape(&self, cx: &Ctx<'_>) -> (u32, u32) {
        let keys = u64::from(self.params.keys.0);
        let key = if keys <= 1 { 0 } else { cx.draw(Purpose::Key, self.n_made).below(keys) };
        let mean = SimSpan::ns(self.params.size.0);
        let bytes = if self.params.size_spread == Spread::Constant {
            mean
        } else {
            let mut draw = cx.draw(Purpose::Size, self.n_made);
            let law = self.params.size_spread.law();
            sample(law, mean, self.params.size_variation.0, &mut draw)
        };
        let bytes = u32::try_from(bytes.as_ns()).unwrap_or(u32::MAX).clamp(1, 1 << 24);
        (key as u32, bytes)
    }

    /// How long the next message may wait in a queue: whole milliseconds, as the protocol has them.
    fn expiration_ms(&self) -> Option<u32> {
        let spans = &self.params.expiration.0;
        let turn = self.n_made.checked_rem(spans.len() as u64)?;
        let span = spans.get(usize::try_from(turn).ok()?).filter(|span| !span.is_zero())?;
        Some(u32::try_from(span.as_ns().div_ceil(1_000_000)).unwrap_or(u32::MAX))
    }

    /// Writes the message if it may go now; else keeps it.
    fn hand_over(&mut self, cx: &mut Ctx<'_>, port: u16, message: Message) {
        let outlet = &mut self.outlets[usize::from(port)];
        if outlet.outbox.is_empty() && self.publish(cx, port, message, 0) {
            return;
        }
        let outlet = &mut self.outlets[usize::from(port)];
        if outlet.outbox.len() as u32 >= MAX_OUTBOX {
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg: message.id, at, why: Why::OutboxFull });
            return;
        }
        outlet.outbox.push_back(message);
        cx.fact(Fact::Held { msg: message.id, cause: Cause::BackPressure });
    }

    fn flush(&mut self, cx: &mut Ctx<'_>, port: u16) {
        while let Some(message) = self.outlets[usize::from(port)].outbox.front().copied() {
            if !self.publish(cx, port, message, 0) {
                return;
            }
            self.outlets[usize::from(port)].outbox.pop_front();
        }
    }

    /// Writes the message; `false`: the window or the channel is full.
    fn publish(&mut self, cx: &mut Ctx<'_>, port: u16, message: Message, retries: u32) -> bool {
        let outlet = &mut self.outlets[usize::from(port)];
        if outlet.blocked {
            return false;
        }
        if !self.params.confirm {
            let taken = cx.write(port, Parcel::Publish { seq: 0, message }, false);
            self.note_refusal(cx, port, taken);
            return taken;
        }
        if self.params.window.0 <= outlet.unconfirmed.len() as u32 {
            return false;
        }
        let seq = outlet.next_seq + 1;
        let first = retries == 0;
        let taken = cx.write(port, Parcel::Publish { seq, message }, true);
        self.note_refusal(cx, port, taken);
        if taken {
            let due = cx.now() + self.params.confirm_timeout;
            let outlet = &mut self.outlets[usize::from(port)];
            outlet.next_seq = seq;
            outlet.unconfirmed.push_back(Unconfirmed { seq, message, due, retries });
            if first {
                self.next_due = Some(self.next_due.map_or(due, |d| d.min(due)));
            }
        }
        taken
    }

    fn note_refusal(&mut self, cx: &mut Ctx<'_>, port: u16, taken: bool) {
        if !taken {
            self.outlets[usize::from(port)].blocked = true;
            cx.fact(Fact::Blocked { actor: cx.me });
        }
    }

    fn on_confirm(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, msg: MsgId, accepted: bool) {
        let retries = self.params.retries;
        let wait = self.params.confirm_timeout;
        let outlet = &mut self.outlets[usize::from(port)];
        let Ok(place) = outlet.unconfirmed.binary_search_by_key(&seq, |u| u.seq) else {
            return;
        };
        cx.fact(Fact::Confirmed { msg, by: cx.me, accepted });
        if accepted {
            outlet.unconfirmed.remove(place);
            cx.fact(Fact::Released { msg, by: cx.me });
        } else if retries != Amount::UNLIMITED && retries.0 <= outlet.unconfirmed[place].retries {
            outlet.unconfirmed.remove(place);
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg, at, why: Why::GaveUp });
        } else {
            outlet.unconfirmed[place].due = cx.now() + wait;
            cx.fact(Fact::Held { msg, cause: Cause::Retry });
        }
        self.flush(cx, port);
        self.reckon_due();
    }

    fn retry_due(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let n = self.outlets[usize::from(port)].unconfirmed.len();
        let mut place = 0;
        for _ in 0..n {
            let outlet = &mut self.outlets[usize::from(port)];
            let Some(kept) = outlet.unconfirmed.get(place).copied() else { return };
            if cx.now() < kept.due {
                place += 1;
                continue;
            }
            let msg = kept.message.id;
            if self.params.retries != Amount::UNLIMITED && self.params.retries.0 <= kept.retries {
                outlet.unconfirmed.remove(place);
                cx.fact(Fact::Dropped { msg, at: Node::Actor(cx.me), why: Why::GaveUp });
                continue;
            }
            if outlet.blocked {
                outlet.unconfirmed[place].due = cx.now() + self.params.confirm_timeout;
                place += 1;
                continue;
            }
            // The new publish carries a number of its own and takes the place of the old one.
            outlet.unconfirmed.remove(place);
            cx.fact(Fact::Retried { msg, by: cx.me });
            if !self.publish(cx, port, kept.message, kept.retries + 1) {
                let outlet = &mut self.outlets[usize::from(port)];
                let due = cx.now() + self.params.confirm_timeout;
                outlet.unconfirmed.insert(place, Unconfirmed { due, ..kept });
                place += 1;
            }
        }
        self.flush(cx, port);
    }

    fn reckon_due(&mut self) {
        if self.params.confirm {
            let kept = self.outlets.iter().flat_map(|o| o.unconfirmed.iter());
            self.next_due = kept.map(|u| u.due).min();
        }
    }
}
