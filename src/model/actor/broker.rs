//! The queue broker as an actor: connections, back-pressure and facts around the machine in
//! [`crate::model::broker`].
//!
//! A crash empties its queues unless they are durable. What a document says of it is in
//! `broker/params.rs` and `broker/topology.rs`, what it needs of a machine in
//! `broker/resources.rs`. Read `docs/models/broker.md` before editing.

pub mod declare;
pub mod params;
pub mod resources;
pub mod topology;

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::SimTime;
use crate::model::broker::{
    AckMode, Broker, ChannelNo, ConsumeSpec, ConsumerId, DropReason, Effect, Headers, Name,
    Publish, QueueId, Stop, Taken,
};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Lane};
use crate::model::message::{Message, Parcel};
use crate::param::{Reason, Value};

use declare::{Rules, Topology};
pub use params::{BrokerParams, QueueType, Routing, SyncPolicy, WhenFull};
use resources::Resources;
use topology::{Marks, QueueLine};

/// What the actor at a port asks of its broker; kept over a restart.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Client {
    /// The queue that it names; empty: the broker's first.
    pub queue: String,
    /// The exchange that it publishes to; empty: straight to the queue.
    pub exchange: String,
    /// The keys and fields of its messages, one after the other.
    pub routes: Vec<Marks>,
    /// Hash of its id.
    pub path: u64,
    /// Hash of its group's id, or of its own.
    pub group: u64,
}

/// Who is at a port.
#[derive(Clone, PartialEq, Debug)]
pub struct Peer {
    /// Its channel inside the broker.
    pub channel: ChannelNo,
    /// How many channels this port had before.
    pub epoch: u32,
    /// The place of the queue that it consumes, or publishes to.
    pub queue: u16,
    /// The exchange that it publishes to; `None`: as the broker routes.
    pub exchange: Option<Name>,
    /// The place of that exchange in the document.
    pub exchange_index: u16,
    /// Key and headers of its routes.
    pub routes: Vec<(Name, Headers)>,
    /// Its consumer, when it subscribed.
    pub consumer: Option<ConsumerId>,
    /// Whether delivering counts as acknowledging.
    pub auto_ack: bool,
    /// Whether it asks for its messages one by one.
    pub pulls: bool,
    /// Its channel was closed, and it has not answered that it knows: what it says until then was
    /// said to the channel that is gone.
    pub is_deaf: bool,
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
    /// Its queues, in the order of `params.queues`; `None`: gone with its last consumer.
    pub queues: Vec<Option<QueueId>>,
    /// Exchanges and bindings of the document.
    pub topology: Topology,
    /// Its peers, by port.
    pub peers: Vec<Peer>,
    /// What it needs of its machine.
    pub resources: Resources,
    /// What single queues have for themselves, in the same order.
    lines: Vec<QueueLine>,
    /// What queues demand of their users, in the same order.
    rules: Vec<Rules>,
    /// Everybody may use every queue.
    is_open: bool,
    /// What peers ask for, by port.
    clients: Vec<Client>,
    /// How many channels were opened for each port, also before crashes.
    n_opened: Vec<u32>,
    /// Whose turn it is to try again when there is room.
    next_waiting: u16,
    /// From which port it read last.
    last_port: u16,
    /// Copies that it stored: each gets the next number, also after a crash.
    pub n_stored: u32,
    /// Its process is dead: nothing happens in it until it starts anew.
    is_down: bool,
    pub(super) effects: Vec<Effect<Message>>,
    /// Room for routing; empty between calls.
    targets: Vec<QueueId>,
}

impl BrokerActor {
    /// A broker with empty queues.
    pub fn new(params: BrokerParams) -> BrokerActor {
        let mut actor = BrokerActor {
            params,
            broker: Broker::new(),
            queues: Vec::new(),
            topology: Topology::default(),
            peers: Vec::new(),
            resources: Resources::default(),
            lines: Vec::new(),
            rules: Vec::new(),
            is_open: true,
            clients: Vec::new(),
            n_opened: Vec::new(),
            next_waiting: 0,
            last_port: 0,
            n_stored: 0,
            is_down: false,
            effects: Vec::new(),
            targets: Vec::new(),
        };
        actor.read_lines();
        actor.declare();
        actor
    }

    /// Says what the peer at the next port asks for.
    pub fn attach(&mut self, client: Client) {
        self.clients.push(client);
        self.n_opened.push(0);
        let port = self.clients.len() - 1;
        let peer = self.peer(port);
        self.peers.push(peer);
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        self.broker.set_now(cx.now());
        match parcel {
            Parcel::Publish { seq, message } => {
                self.last_port = port;
                self.begin(cx, port, seq, message);
            }
            Parcel::Ack { tag, .. } => self.settle(cx, port, tag, None),
            Parcel::Reject { tag, how, .. } => self.settle(cx, port, tag, Some(how)),
            Parcel::Subscribe { prefetch, auto_ack } => {
                self.subscribe(cx, port, prefetch, auto_ack);
            }
            Parcel::Cancel => self.on_cancel(port),
            Parcel::Get { auto_ack } => self.on_get(cx, port, auto_ack),
            Parcel::Closed => self.on_closed(cx, port),
            Parcel::Opened => self.peers[usize::from(port)].is_deaf = false,
            _ => {}
        }
        self.carry_out(cx);
    }

    /// A message's or a queue's time is up, or the broker has done what it was busy with.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        self.time_out(cx);
        self.broker.on_wake(cx.now(), &mut self.effects);
        self.carry_out(cx);
        self.go_on(cx);
    }

    /// Earliest time at which `on_wake` may have something to do.
    #[inline]
    pub fn next_wake(&self) -> Option<SimTime> {
        if self.is_down {
            return None;
        }
        let own = [self.next_resource(), self.next_timeout()].into_iter().flatten().min();
        match (self.broker.next_wake(), own) {
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

    /// Its process dies, and its queues with it unless they are durable.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        let mut lose = |msg| cx.fact(Fact::Dropped { msg, at, why: Why::Crash });
        if !self.is_any_durable() {
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
        if let Some(message) = self.resources.in_hand() {
            lose(message.id);
        }
        self.peers.clear();
        if self.is_any_durable() {
            self.broker.set_now(cx.now());
            self.lose_unwritten();
            self.broker.restart(Stop::Killed, &mut self.effects);
        } else {
            self.broker = Broker::new();
            self.queues.clear();
        }
        let gone = |id: &QueueId, broker: &Broker<Message>| broker.queue(*id).is_none();
        for queue in &mut self.queues {
            *queue = queue.filter(|id| !gone(id, &self.broker));
        }
        self.recount();
        self.declare();
        self.peers = (0..self.clients.len()).map(|port| self.peer(port)).collect();
        self.carry_out(cx);
        self.is_down = true;
    }

    /// Whether a queue survives a crash.
    fn is_any_durable(&self) -> bool {
        self.broker.queues().any(|(_, queue)| queue.spec.durable)
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
            let Some(queue) = self.queues[index] else { continue };
            self.broker.limit(queue, spec.max_length, spec.overflow, &mut self.effects);
        }
        self.carry_out(cx);
        self.retry_waiting(cx);
        self.check_alarm(cx);
        Ok(())
    }

    /// Whose delivery goes to which port.
    fn port_of(&self, channel: ChannelNo) -> Option<u16> {
        let port = self.peers.iter().position(|p| p.channel == channel)?;
        Some(port as u16)
    }

    /// Subscribes, or subscribes anew with another window: what was delivered stays delivered.
    fn subscribe(&mut self, cx: &mut Ctx<'_>, port: u16, prefetch: u32, auto_ack: bool) {
        let queue = self.peers[usize::from(port)].queue;
        if self.refuses(cx, port, queue, true) {
            return;
        }
        if self.queues[usize::from(queue)].is_none() {
            self.declare_queue(usize::from(queue));
        }
        let peer = &mut self.peers[usize::from(port)];
        if let Some(consumer) = peer.consumer.take() {
            self.broker.cancel(peer.channel, consumer, &mut self.effects);
        }
        peer.auto_ack = auto_ack;
        let ack = if auto_ack { AckMode::Auto } else { AckMode::Manual };
        self.broker.qos(peer.channel, prefetch, false, &mut self.effects);
        let spec = ConsumeSpec { ack, ..ConsumeSpec::default() };
        let Some(id) = self.queues[usize::from(queue)] else { return };
        peer.consumer = self.broker.consume(peer.channel, id, spec, &mut self.effects);
    }

    /// Fetches one message for a client that asks for it, whatever consumers do.
    fn on_get(&mut self, cx: &mut Ctx<'_>, port: u16, auto_ack: bool) {
        let peer = &mut self.peers[usize::from(port)];
        if peer.is_deaf {
            return;
        }
        (peer.auto_ack, peer.pulls) = (auto_ack, true);
        let (channel, queue) = (peer.channel, peer.queue);
        if self.refuses(cx, port, queue, true) {
            return;
        }
        let Some(id) = self.queues[usize::from(queue)] else { return };
        let ack = if auto_ack { AckMode::Auto } else { AckMode::Manual };
        if let Some(got) = self.broker.get(channel, id, ack, &mut self.effects) {
            self.deliver(cx, port, (got.tag, got.redelivered, got.remaining), got.message);
        }
    }

    /// Whether the client at a port may not use a queue; then that is a fact.
    fn refuses(&self, cx: &mut Ctx<'_>, port: u16, queue: u16, reads: bool) -> bool {
        let client = &self.clients[usize::from(port)];
        let refused = !self.is_open && !self.rules[usize::from(queue)].allow(client, reads);
        if refused {
            let by = cx.seat.ports[usize::from(port)].peer;
            cx.fact(Fact::Denied { by, at: cx.me, queue, reads });
        }
        refused
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
        let peer = self.peer(usize::from(port));
        self.peers[usize::from(port)] = Peer { waiting, ..peer };
    }

    fn on_publish(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, message: Message) {
        if !self.take(cx, port, seq, message) {
            self.peers[usize::from(port)].waiting = Some((seq, message));
            cx.fact(Fact::Held { msg: message.id, cause: Cause::BackPressure });
        }
    }

    /// Routes a message; `false`: a queue is full and lets senders wait.
    fn take(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, message: Message) -> bool {
        let peer = &self.peers[usize::from(port)];
        let (channel, exchange) = (peer.channel, peer.exchange);
        let route = usize::from(message.route).checked_sub(1).and_then(|n| peer.routes.get(n));
        let mut publish = Publish::new(exchange.unwrap_or(Name::EMPTY), Name::EMPTY, 0, message);
        publish.bytes = message.bytes;
        publish.envelope.persistent = true;
        publish.envelope.priority = message.priority;
        publish.envelope.expiration_ms = message.expiration_ms;
        let mut targets = std::mem::take(&mut self.targets);
        if let Some((key, headers)) = route {
            (publish.envelope.key, publish.envelope.headers) = (*key, *headers);
        }
        if route.is_some() || exchange.is_some() {
            self.broker.find_targets(&publish.envelope, &mut targets);
        } else if self.params.routing == Routing::Fanout {
            targets.extend(self.queues.iter().flatten());
        } else if let Some(id) = self.queues[usize::from(peer.queue)] {
            let queue = self.broker.queue(id);
            publish.envelope.key = queue.map_or(Name::EMPTY, |queue| queue.name);
            targets.push(id);
        }
        let n_found = targets.len();
        if !self.is_open {
            targets.retain(|id| !self.refuses(cx, port, self.place_of(*id), false));
        }
        let taken = match targets.len() {
            0 if n_found == 0 => Taken::Unroutable,
            0 => Taken::Closed,
            _ => self.put(cx, (port, channel), &publish, &targets),
        };
        targets.clear();
        self.targets = targets;
        let why = match taken {
            Taken::Blocked(_) => return false,
            Taken::Unroutable => Some(Why::Unroutable),
            Taken::Closed => Some(Why::Forbidden),
            _ => None,
        };
        if let Some(why) = why {
            cx.fact(Fact::Dropped { msg: message.id, at: Node::Actor(cx.me), why });
        }
        let accepted = !matches!(taken, Taken::Refused | Taken::Closed);
        self.confirm(cx, port, (seq, message.id), accepted);
        true
    }

    /// The place of a queue among those of the document.
    fn place_of(&self, id: QueueId) -> u16 {
        self.queues.iter().position(|other| *other == Some(id)).unwrap_or(0) as u16
    }

    /// Puts a message into queues: the first takes the message itself, each other one a copy with a
    /// number of its own.
    fn put(
        &mut self,
        cx: &mut Ctx<'_>,
        (port, channel): (u16, ChannelNo),
        publish: &Publish<Message>,
        targets: &[QueueId],
    ) -> Taken {
        let Publish { bytes, message, .. } = *publish;
        if let Some(full) = targets.iter().find(|id| !self.broker.can_take(**id, bytes)) {
            // Asking the full queue makes it tell when there is room.
            return self.broker.put(channel, *full, publish, &mut self.effects);
        }
        let mut taken = Taken::Unroutable;
        for (n, id) in targets.iter().enumerate() {
            let mut copy = *publish;
            if n != 0 {
                copy.message.id = cx.new_message(message.key, bytes).id;
                let (msg, of) = (copy.message.id, message.id);
                cx.fact(Fact::Copied { msg, of, at: cx.me });
            }
            copy.message.stored = self.n_stored + 1;
            self.note_write(cx, port, *id, &copy.message);
            let one = self.broker.put(channel, *id, &copy, &mut self.effects);
            if one == Taken::Routed {
                self.n_stored = self.n_stored.saturating_add(1).min(u32::MAX - 1);
            }
            taken = if taken == Taken::Refused { taken } else { one };
        }
        taken
    }

    /// What is to be noted of a message that enters a queue.
    fn note_write(&mut self, cx: &mut Ctx<'_>, port: u16, id: QueueId, message: &Message) {
        let is_durable = self.broker.queue(id).is_some_and(|queue| queue.spec.durable);
        self.note_bytes(message.bytes, is_durable, true);
        if is_durable {
            self.note_change(cx.now());
        }
        let (peer, msg) = (&self.peers[usize::from(port)], message.id);
        if peer.exchange.is_some() {
            let (exchange, queue) = (peer.exchange_index, self.place_of(id));
            cx.fact(Fact::Routed { msg, at: cx.me, exchange, queue });
        }
        if self.is_audited(usize::from(self.place_of(id))) {
            let by = cx.seat.ports[usize::from(port)].peer;
            cx.fact(Fact::Audited { msg, by, at: cx.me, reads: false });
        }
    }

    /// Turns what the machine did into parcels and facts.
    fn carry_out(&mut self, cx: &mut Ctx<'_>) {
        let mut room = false;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Deliver { channel, queue, tag, redelivered, ready, message, .. } => {
                    let Some(port) = self.port_of(channel) else { continue };
                    self.note_read(cx, port, queue, &message);
                    self.deliver(cx, port, (tag, redelivered, ready), message);
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
                Effect::Acked { queue, message, .. } => {
                    self.note_end(cx.now(), queue, message.bytes);
                    cx.fact(Fact::Acked { msg: message.id, at: cx.me });
                }
                Effect::Dropped { queue, why, message } => {
                    self.note_end(cx.now(), queue, message.bytes);
                    let why = why_of(why);
                    cx.fact(Fact::Dropped { msg: message.id, at: Node::Actor(cx.me), why });
                }
                Effect::Room { .. } => room = true,
                Effect::QueueDeleted { queue, .. } => {
                    let gone = self.queues.iter_mut().filter(|id| **id == Some(queue));
                    gone.for_each(|id| *id = None);
                }
                _ => {}
            }
        }
        self.effects = effects;
        if room {
            self.retry_waiting(cx);
        }
        self.check_alarm(cx);
    }

    /// What is to be noted of a message that goes to a client.
    fn note_read(&mut self, cx: &mut Ctx<'_>, port: u16, id: QueueId, message: &Message) {
        if self.peers[usize::from(port)].auto_ack {
            self.note_end(cx.now(), Some(id), message.bytes);
        }
        if self.is_audited(usize::from(self.place_of(id))) {
            let by = cx.seat.ports[usize::from(port)].peer;
            cx.fact(Fact::Audited { msg: message.id, by, at: cx.me, reads: true });
        }
    }

    /// What is to be noted of a message that the broker forgets.
    fn note_end(&mut self, now: SimTime, id: Option<QueueId>, bytes: u32) {
        let queue = id.and_then(|id| self.broker.queue(id));
        let is_durable = queue.is_some_and(|queue| queue.spec.durable);
        self.note_bytes(bytes, is_durable, false);
        if is_durable {
            self.note_change(now);
        }
    }

    fn deliver(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        (tag, redelivered, depth): (u64, bool, u32),
        message: Message,
    ) {
        let over = cx.seat.ports[usize::from(port)].channel;
        let msg = message.id;
        cx.fact(Fact::Dispatched { msg, at: cx.me, channel: over, redelivered, depth });
        let peer = &mut self.peers[usize::from(port)];
        let parcel = Parcel::Deliver { tag: peer.tag_outside(tag), message, redelivered };
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
        DropReason::Unroutable | DropReason::Circle | DropReason::QueueDeleted => Why::Unroutable,
        DropReason::Expired => Why::Expired,
        DropReason::DeliveryLimit => Why::TooOften,
        DropReason::Restarted => Why::Crash,
        DropReason::Rejected => Why::Bad,
        DropReason::Purged | DropReason::RolledBack => Why::Refused,
    }
}
