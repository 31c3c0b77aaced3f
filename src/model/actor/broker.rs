//! The queue broker as an actor: connections, back-pressure and facts around the machine in
//! [`crate::model::broker`].
//!
//! A crash empties its queues unless they are durable. It leaves out the time that a broker itself
//! needs, and of the machine what scenarios cannot say yet.
//! Read `docs/models/broker.md` before editing.

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::{SimSpan, SimTime};
use crate::model::broker::{
    AckMode, Broker, ChannelNo, ConnectionNo, ConsumeSpec, ConsumerId, DeadLetter, DropReason,
    Effect, Name, Overflow, Publish, QueueId, QueueKind, QueueSpec, Stop, Taken,
};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Lane};
use crate::model::message::{Message, Parcel};
use crate::param::{Amount, Reason, Spans, Value, Words};

choices! {
    /// To which queues a message goes.
    pub enum Routing {
        /// To the queue that its routing key names.
        Direct = "direct" ("direct", "直连"),
        /// To every queue.
        Fanout = "fanout" ("fanout", "广播"),
    }
}

choices! {
    /// What a full queue does.
    pub enum WhenFull {
        /// It takes nothing more: senders wait.
        Block = "block" ("block the sender", "阻塞发送方"),
        /// It refuses what is new.
        Reject = "reject" ("reject the new", "拒绝新消息"),
        /// It drops what is oldest.
        DropOldest = "drop-oldest" ("drop the oldest", "丢弃最旧"),
    }
}

choices! {
    /// What queues are built on.
    pub enum QueueType {
        /// What comes back goes to where it stood.
        Classic = "classic" ("classic", "经典"),
        /// Failed deliveries are counted; what comes back goes in front.
        Quorum = "quorum" ("quorum", "仲裁"),
    }
}

params! {
    /// What a queue broker does.
    pub struct BrokerParams for "broker" {
        /// The names of its queues.
        queues: Words = Words::of(&["queue"]), words 16, applies restart,
            name ("Queues", "队列"),
            help ("The names of its queues.", "各队列的名称。"),
            source "AMQP 0-9-1, queue.declare";
        /// To which queues a message goes.
        routing: Routing = Routing::Direct, choice, applies restart,
            name ("Routing", "路由"),
            help ("Direct: to the queue of the routing key. Fanout: a copy to every queue.",
                "直连：送往路由键对应的队列。广播：每个队列一份。"),
            source "AMQP 0-9-1, exchange types";
        /// How many messages a queue holds ready.
        capacity: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(10_000), applies live,
            name ("Queue length, at most", "队列长度上限"),
            help ("Ready messages that one queue holds.", "一个队列最多保存的就绪消息数。"),
            source "RabbitMQ x-max-length";
        /// What a full queue does.
        when_full: WhenFull = WhenFull::Block, choice, applies live,
            name ("When full", "队列满时"),
            help ("Block the sender, reject the new message or drop the oldest.",
                "阻塞发送方、拒绝新消息，或丢弃最旧的消息。"),
            source "RabbitMQ x-overflow; block: our own policy";
        /// How long messages may wait, queue by queue; no time at all: for ever.
        ttl: Spans = Spans::NONE, lasting 16, applies restart,
            name ("Time to live", "消息存活时间"),
            help ("How long a message may wait, in the order of the queues; 0 s, or none: for ever.",
                "消息在各队列中最多等待多久，按队列顺序；0 s 或不写表示不限。"),
            source "RabbitMQ x-message-ttl";
        /// The queue that gets the dead letters of all others.
        dead_letters: Words = Words::NONE, words 1, applies restart,
            name ("Dead letters to", "死信队列"),
            help ("The queue that gets what expired or was dropped in the others; none: it is lost.",
                "接收其他队列中过期或被丢弃的消息的队列；不写则丢失。"),
            source "RabbitMQ x-dead-letter-exchange (default), x-dead-letter-routing-key";
        /// Whether queues and what is in them survive a crash.
        durable: bool = false, switch, applies restart,
            name ("Durable", "持久化"),
            help ("Queues and messages survive a crash of the broker.", "代理崩溃后队列和消息仍在。"),
            source "RabbitMQ durable queues, delivery_mode 2";
        /// The highest priority that its queues know.
        max_priority: Amount = Amount(0), range Amount(0) => Amount(255), step Amount(1),
            slider Amount(0) => Amount(10), applies restart,
            name ("Highest priority", "最高优先级"),
            help ("Messages of higher priority go first, up to this; 0: none does.",
                "优先级高者先出，以此为上限；0 表示不分优先级。"),
            source "RabbitMQ x-max-priority";
        /// What its queues are built on.
        queue_type: QueueType = QueueType::Classic, choice, applies restart,
            name ("Queue type", "队列类型"),
            help ("Quorum queues count failed deliveries and have no priorities.",
                "仲裁队列统计投递失败次数，且不分优先级。"),
            source "RabbitMQ x-queue-type";
        /// How many failed deliveries of a message a quorum queue forgives.
        delivery_limit: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(0) => Amount(20), applies restart,
            name ("Delivery limit", "投递次数上限"),
            help ("Quorum queues: after more failures a message is a dead letter.",
                "仲裁队列：失败次数超过此值，消息成为死信。"),
            source "RabbitMQ x-delivery-limit";
        /// How long a delivery may stay unacknowledged.
        ack_timeout: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(3_600), applies restart,
            name ("Acknowledge within", "确认期限"),
            help ("After it the consumer's channel is closed and its messages come again; 0 s: it waits for ever.",
                "超过期限则关闭消费者的通道，消息重新投递；0 s 表示一直等待。"),
            source "RabbitMQ consumer_timeout (default 30 min)";
    }
}

/// Who is at a port.
#[derive(Clone, PartialEq, Debug)]
pub struct Peer {
    /// Its channel inside the broker.
    pub channel: ChannelNo,
    /// The queue it consumes, or publishes to.
    pub queue: QueueId,
    /// Its consumer, when it subscribed.
    pub consumer: Option<ConsumerId>,
    /// Whether delivering counts as acknowledging.
    pub auto_ack: bool,
    /// A publish that waits for room; nothing more is read from this port until then.
    pub waiting: Option<(u64, Message)>,
    /// Deliveries that wait for the channel to take them.
    pub outgoing: VecDeque<Parcel>,
    /// When each unacknowledged delivery went out, if there is a limit for that.
    pub since: BTreeMap<u64, SimTime>,
}

/// A queue broker.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerActor {
    /// Its settings.
    pub params: BrokerParams,
    /// The machine.
    pub broker: Broker<Message>,
    /// Its queues, in the order of `params.queues`.
    pub queues: Vec<QueueId>,
    /// Its peers, by port.
    pub peers: Vec<Peer>,
    /// Names that peers use, by port; kept over a restart.
    names: Vec<String>,
    /// Whose turn it is to try again when there is room.
    next_waiting: u16,
    /// Copies that it stored: each gets the next number, also after a crash.
    pub n_stored: u32,
    /// Its process is dead: nothing happens in it until it starts anew.
    is_down: bool,
    pub(super) effects: Vec<Effect<Message>>,
}

impl BrokerActor {
    /// A broker with empty queues.
    pub fn new(params: BrokerParams) -> BrokerActor {
        let mut actor = BrokerActor {
            params,
            broker: Broker::new(),
            queues: Vec::new(),
            peers: Vec::new(),
            names: Vec::new(),
            next_waiting: 0,
            n_stored: 0,
            is_down: false,
            effects: Vec::new(),
        };
        actor.declare();
        actor
    }

    /// Says which queue the peer at the next port names; an empty name takes the first queue.
    pub fn attach(&mut self, name: &str) {
        self.names.push(name.to_owned());
        let port = self.names.len() - 1;
        let peer = self.peer(port);
        self.peers.push(peer);
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        self.broker.set_now(cx.now());
        match parcel {
            Parcel::Publish { seq, message } => self.on_publish(cx, port, seq, message),
            Parcel::Ack { tag, .. } => self.settle(cx, port, tag, None),
            Parcel::Reject { tag, how, .. } => self.settle(cx, port, tag, Some(how)),
            Parcel::Subscribe { prefetch, auto_ack } => self.subscribe(port, prefetch, auto_ack),
            Parcel::Closed => self.on_closed(cx, port),
            _ => {}
        }
        self.carry_out(cx);
    }

    /// A message's or a queue's time is up.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        self.time_out(cx);
        self.broker.on_wake(cx.now(), &mut self.effects);
        self.carry_out(cx);
    }

    /// Earliest time at which `on_wake` may have something to do.
    #[inline]
    pub fn next_wake(&self) -> Option<SimTime> {
        if self.is_down {
            return None;
        }
        match (self.broker.next_wake(), self.next_timeout()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The channel takes deliveries again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let peer = &mut self.peers[usize::from(port)];
        while let Some(parcel) = peer.outgoing.front().copied() {
            if !cx.write(port, parcel, !peer.auto_ack) {
                return;
            }
            peer.outgoing.pop_front();
        }
    }

    /// Whether it reads from the port: not while a publish of that port waits for room.
    pub fn wants(&self, port: u16) -> bool {
        self.peers[usize::from(port)].waiting.is_none()
    }

    /// Its process dies, and its queues with it unless they are durable.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        let mut lose = |msg| cx.fact(Fact::Dropped { msg, at, why: Why::Crash });
        if !self.params.durable {
            for (_, queue) in self.broker.queues() {
                queue.ready().for_each(|entry| lose(entry.message.id));
            }
            for (_, channel) in self.broker.channels() {
                channel.unacked().for_each(|unacked| lose(unacked.entry.message.id));
            }
        }
        for peer in &self.peers {
            if let Some((_, message)) = peer.waiting {
                lose(message.id);
            }
            if peer.auto_ack {
                // The broker had already forgotten these; only the parcel held them.
                peer.outgoing.iter().filter_map(Parcel::message).for_each(|m| lose(m.id));
            }
        }
        self.peers.clear();
        if self.params.durable {
            self.broker.set_now(cx.now());
            // Every acknowledgement was written when it came.
            self.broker.sync();
            self.broker.restart(Stop::Killed, &mut self.effects);
        } else {
            self.broker = Broker::new();
            self.queues.clear();
            self.declare();
        }
        self.peers = (0..self.names.len()).map(|port| self.peer(port)).collect();
        self.carry_out(cx);
        self.is_down = true;
    }

    /// Its process starts anew; what came due meanwhile happens now.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.is_down = false;
        self.on_wake(cx);
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        self.params.set(index, value)?;
        self.broker.set_now(cx.now());
        for index in 0..self.queues.len() {
            let spec = self.spec(index);
            let queue = self.queues[index];
            self.broker.limit(queue, spec.max_length, spec.overflow, &mut self.effects);
        }
        self.carry_out(cx);
        self.retry_waiting(cx);
        Ok(())
    }

    /// Whose delivery goes to which port.
    fn port_of(&self, channel: ChannelNo) -> Option<u16> {
        let port = self.peers.iter().position(|p| p.channel == channel)?;
        Some(port as u16)
    }

    /// How the queue of that place in the list is declared.
    fn spec(&mut self, index: usize) -> QueueSpec {
        let overflow = match self.params.when_full {
            WhenFull::Block => Overflow::Block,
            WhenFull::Reject => Overflow::RejectPublish,
            WhenFull::DropOldest => Overflow::DropHead,
        };
        let limit = self.params.capacity;
        let max_length = (limit != Amount::UNLIMITED).then_some(limit.0);
        let ttl = self.params.ttl.0.get(index).copied();
        let own = &self.params.queues.0[index];
        // A queue that dead-letters to itself would only turn round.
        let letters = self.params.dead_letters.0.first().filter(|to| *to != own);
        let dead_letter =
            letters.map(|to| DeadLetter { exchange: Name::EMPTY, key: Some(self.broker.name(to)) });
        let (kind, max_priority) = match self.params.queue_type {
            QueueType::Classic => (QueueKind::Classic, self.params.max_priority.0),
            QueueType::Quorum => (QueueKind::Quorum, 0),
        };
        let limit = self.params.delivery_limit;
        let is_counting = kind == QueueKind::Quorum && limit != Amount::UNLIMITED;
        QueueSpec {
            kind,
            max_length,
            overflow,
            max_priority: u8::try_from(max_priority).unwrap_or(u8::MAX),
            delivery_limit: is_counting.then_some(limit.0),
            message_ttl: ttl.filter(|ttl| !ttl.is_zero()),
            dead_letter,
            durable: self.params.durable,
            ..QueueSpec::default()
        }
    }

    fn declare(&mut self) {
        for index in 0..self.params.queues.0.len() {
            let spec = self.spec(index);
            let queue = self.broker.add_queue(&self.params.queues.0[index], spec);
            self.queues.push(queue);
        }
    }

    fn peer(&mut self, port: usize) -> Peer {
        let channel = self.broker.open_channel(ConnectionNo(port as u32));
        let first = self.queues.first().copied().unwrap_or(QueueId(0));
        let queue = self.broker.queue_named(&self.names[port]).unwrap_or(first);
        Peer {
            channel,
            queue,
            consumer: None,
            auto_ack: false,
            waiting: None,
            outgoing: VecDeque::new(),
            since: BTreeMap::new(),
        }
    }

    /// Subscribes, or subscribes anew with another window: what was delivered stays delivered.
    fn subscribe(&mut self, port: u16, prefetch: u32, auto_ack: bool) {
        let peer = &mut self.peers[usize::from(port)];
        if let Some(consumer) = peer.consumer.take() {
            self.broker.cancel(peer.channel, consumer, &mut self.effects);
        }
        peer.auto_ack = auto_ack;
        let ack = if auto_ack { AckMode::Auto } else { AckMode::Manual };
        self.broker.qos(peer.channel, prefetch, false, &mut self.effects);
        let spec = ConsumeSpec { ack, ..ConsumeSpec::default() };
        peer.consumer = self.broker.consume(peer.channel, peer.queue, spec, &mut self.effects);
    }

    /// The peer's process died: what it had not acknowledged comes back.
    pub(super) fn on_closed(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let peer = &mut self.peers[usize::from(port)];
        for parcel in peer.outgoing.drain(..) {
            if let (true, Some(m)) = (peer.auto_ack, parcel.message()) {
                cx.fact(Fact::Dropped { msg: m.id, at: Node::Actor(cx.me), why: Why::Gone });
            }
        }
        self.broker.close_channel(peer.channel, &mut self.effects);
        let waiting = peer.waiting.take();
        self.peers[usize::from(port)] = Peer { waiting, ..self.peer(usize::from(port)) };
    }

    fn on_publish(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, message: Message) {
        if !self.take(cx, port, seq, message) {
            self.peers[usize::from(port)].waiting = Some((seq, message));
            cx.fact(Fact::Held { msg: message.id, cause: Cause::BackPressure });
        }
    }

    /// Routes a message; `false`: a queue is full and lets senders wait.
    fn take(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, message: Message) -> bool {
        let Peer { channel, queue, .. } = self.peers[usize::from(port)];
        let taken = match self.params.routing {
            Routing::Direct => self.put(channel, queue, message),
            Routing::Fanout => self.fan_out(cx, channel, message),
        };
        if matches!(taken, Taken::Blocked(_)) {
            return false;
        }
        if seq != 0 {
            let accepted = taken != Taken::Refused;
            cx.write(port, Parcel::Confirm { seq, msg: message.id, accepted }, false);
        }
        true
    }

    /// Publishes a message to one queue.
    fn put(&mut self, channel: ChannelNo, queue: QueueId, message: Message) -> Taken {
        let key = self.broker.queue(queue).map_or(Name::EMPTY, |queue| queue.name);
        let message = Message { stored: self.n_stored + 1, ..message };
        let mut publish = Publish::new(Name::EMPTY, key, message.bytes, message);
        publish.envelope.persistent = self.params.durable;
        publish.envelope.priority = message.priority;
        publish.envelope.expiration_ms = message.expiration_ms;
        let taken = self.broker.put(channel, queue, &publish, &mut self.effects);
        if taken == Taken::Routed {
            self.n_stored = self.n_stored.saturating_add(1).min(u32::MAX - 1);
        }
        taken
    }

    /// A copy to every queue: the first takes the message itself, each other one a copy with a
    /// number of its own.
    fn fan_out(&mut self, cx: &mut Ctx<'_>, channel: ChannelNo, message: Message) -> Taken {
        let bytes = message.bytes;
        if let Some(full) = self.queues.iter().find(|q| !self.broker.can_take(**q, bytes)) {
            // Asking the full queue makes it tell when there is room.
            let full = *full;
            return self.put(channel, full, message);
        }
        let mut taken = Taken::Unroutable;
        for n in 0..self.queues.len() {
            let mut copy = message;
            if n != 0 {
                copy.id = cx.new_message(message.key, bytes).id;
                cx.fact(Fact::Copied { msg: copy.id, of: message.id, at: cx.me });
            }
            let one = self.put(channel, self.queues[n], copy);
            taken = if taken == Taken::Refused { taken } else { one };
        }
        taken
    }

    /// Turns what the machine did into parcels and facts.
    fn carry_out(&mut self, cx: &mut Ctx<'_>) {
        let mut room = false;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Deliver { channel, tag, redelivered, ready, message, .. } => {
                    self.deliver(cx, channel, tag, redelivered, ready, message);
                }
                Effect::Queued { ready, message, .. } => {
                    cx.fact(Fact::Queued { msg: message.id, at: cx.me, depth: ready });
                }
                Effect::Requeued { ready, message, .. } => {
                    cx.fact(Fact::Requeued { msg: message.id, at: cx.me, depth: ready });
                }
                Effect::DeadLettered { why, message, .. } => {
                    let why = why_of(why);
                    cx.fact(Fact::DeadLettered { msg: message.id, at: cx.me, why });
                }
                Effect::Acked { message, .. } => {
                    cx.fact(Fact::Acked { msg: message.id, at: cx.me });
                }
                Effect::Dropped { why, message, .. } => {
                    let why = why_of(why);
                    cx.fact(Fact::Dropped { msg: message.id, at: Node::Actor(cx.me), why });
                }
                Effect::Room { .. } => room = true,
                _ => {}
            }
        }
        self.effects = effects;
        if room {
            self.retry_waiting(cx);
        }
    }

    fn deliver(
        &mut self,
        cx: &mut Ctx<'_>,
        channel: ChannelNo,
        tag: u64,
        redelivered: bool,
        depth: u32,
        message: Message,
    ) {
        let Some(port) = self.port_of(channel) else { return };
        let over = cx.seat.ports[usize::from(port)].channel;
        let msg = message.id;
        cx.fact(Fact::Dispatched { msg, at: cx.me, channel: over, redelivered, depth });
        let parcel = Parcel::Deliver { tag, message, redelivered };
        let peer = &mut self.peers[usize::from(port)];
        if !peer.auto_ack && !self.params.ack_timeout.is_zero() {
            peer.since.insert(tag, cx.now());
        }
        let first = peer.outgoing.is_empty();
        if !first || !cx.write(port, parcel, !peer.auto_ack) {
            peer.outgoing.push_back(parcel);
            cx.fact(Fact::Held { msg, cause: Cause::BackPressure });
        }
    }

    /// Tries what waits for room, port after port, beginning where the last round stopped.
    fn retry_waiting(&mut self, cx: &mut Ctx<'_>) {
        let n = cx.n_ports();
        for turn in 0..n {
            let port = (self.next_waiting + turn) % n;
            let Some((seq, message)) = self.peers[usize::from(port)].waiting else { continue };
            if !self.take(cx, port, seq, message) {
                self.next_waiting = port;
                return;
            }
            self.peers[usize::from(port)].waiting = None;
            self.carry_out(cx);
            cx.read_again(port);
            self.next_waiting = (port + 1) % n;
        }
    }

    /// Whether the peer at a port consumes.
    pub fn is_consumer(&self, cx: &Ctx<'_>, port: u16) -> bool {
        cx.seat.ports[usize::from(port)].out == Lane::Forth
    }
}

fn why_of(why: DropReason) -> Why {
    match why {
        DropReason::MaxLength => Why::Oldest,
        DropReason::QueueFull => Why::Refused,
        DropReason::Unroutable | DropReason::Circle => Why::Unroutable,
        DropReason::Expired => Why::Expired,
        DropReason::DeliveryLimit => Why::TooOften,
        DropReason::Restarted => Why::Crash,
        DropReason::Rejected => Why::Bad,
        DropReason::Purged | DropReason::QueueDeleted | DropReason::RolledBack => Why::Refused,
    }
}
