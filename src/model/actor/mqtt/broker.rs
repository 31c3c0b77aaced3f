//! An MQTT broker as an actor: connections, resends and facts around the machine in
//! [`crate::model::mqtt`].
//!
//! A session's number is the port of its client. A crash loses everything unless the broker is
//! durable; then sessions and retained messages stay, connections do not. Read
//! `docs/models/mqtt.md` before editing.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::mqtt::link::{Pending, answer};
use crate::model::actor::mqtt::{MqttClient, topic_bytes};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::message::{Message, MsgId, Parcel};
use crate::model::mqtt::{ClientNo, Effect, FromClient, Loss, Mid, Mqtt, Publish, Qos, ToClient};
use crate::model::mqtt_parcel::{Answer, MqttPacket, MqttParcel};
use crate::param::{Amount, Reason, Value};

params! {
    /// What an MQTT broker does.
    pub struct MqttBrokerParams for "mqtt-broker" {
        /// How many messages may be unanswered by one client.
        in_flight: Amount = Amount(20), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(100), applies live,
            name ("In flight, at most", "在途上限"),
            help ("Messages of QoS 1 and 2 that one client may have unanswered.",
                "每个客户端未应答的 QoS 1、2 消息数。"),
            source "mosquitto max_inflight_messages";
        /// How many messages wait behind them.
        queued: Amount = Amount(1_000), range Amount(0) => Amount(100_000), scale log,
            slider Amount(0) => Amount(10_000), applies live,
            name ("Waiting, at most", "排队上限"),
            help ("Messages of QoS 1 and 2 that wait in one session; one more is dropped.",
                "每个会话中排队的 QoS 1、2 消息数，再多则丢弃。"),
            source "mosquitto max_queued_messages";
        /// When what is not answered is sent again.
        resend: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Resend after", "重发间隔"),
            help ("How long it waits for an answer; 0 s: it sends again only when a client comes back.",
                "等待应答多久后重发；0 s 表示只在客户端重新连接时重发。"),
            source "mosquitto 1.4 retry_interval; MQTT 3.1.1 section 4.4 resends on connecting only";
        /// Whether a crash leaves its sessions.
        durable: bool = false, switch, applies restart,
            name ("Durable", "持久化"),
            help ("A crash leaves sessions and retained messages.", "崩溃后会话与保留消息仍在。"),
            source "mosquitto persistence, as if it wrote at once";
    }
}

/// Who is at a port.
#[derive(Clone, PartialEq, Debug)]
pub struct Peer {
    /// What it asks for.
    pub client: MqttClient,
    /// Which of its connections it is, or was last.
    pub connection: u32,
    /// Packets that its channel did not take yet.
    pub pending: Pending,
}

/// An MQTT broker.
#[derive(Clone, PartialEq, Debug)]
pub struct MqttBrokerActor {
    /// Its settings.
    pub params: MqttBrokerParams,
    /// The machine.
    pub broker: Mqtt<Message>,
    /// Its peers, by port.
    pub peers: Vec<Peer>,
    /// The message that is being spoken of: the answers to it are about it.
    current: MsgId,
    /// No later than this something is to be sent again.
    next_resend: Option<SimTime>,
    effects: Vec<Effect<Message>>,
}

impl MqttBrokerActor {
    /// A broker without sessions.
    pub fn new(params: MqttBrokerParams) -> MqttBrokerActor {
        MqttBrokerActor {
            broker: machine(&params),
            params,
            peers: Vec::new(),
            current: MsgId(0),
            next_resend: None,
            effects: Vec::new(),
        }
    }

    /// Says who is at the next port; who is connected then has its session and subscriptions.
    pub fn attach(&mut self, client: MqttClient) {
        let number = ClientNo(self.peers.len() as u32);
        let connected = client.connected;
        let connection = u32::from(connected);
        if connected {
            self.broker.connect(number, client.clean, &mut self.effects);
            let hello = FromClient::Subscribe(0, client.filters.clone());
            // Nothing is retained yet, so nothing is copied.
            self.broker.on_message(number, hello, &mut |message, _| *message, &mut self.effects);
            self.effects.clear();
        }
        self.peers.push(Peer { client, connection, pending: Pending::default() });
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        self.broker.now = cx.now();
        match parcel {
            Parcel::Closed => self.on_gone(cx, port),
            Parcel::Mqtt(MqttParcel { connection, packet }) => match packet {
                MqttPacket::Connect { clean } => self.on_connect(cx, port, connection, clean),
                _ if connection != self.peers[usize::from(port)].connection
                    || !self.broker.is_connected(client_at(port)) =>
                {
                    // It is of a connection that is over.
                    if let Some(message) = packet.message() {
                        let at = Node::Actor(cx.me);
                        cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Gone });
                    }
                }
                MqttPacket::Disconnect => self.on_gone(cx, port),
                _ => self.on_packet(cx, port, packet),
            },
            _ => {}
        }
    }

    /// Sends again what was not answered for too long.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        if self.next_resend.is_none_or(|at| cx.now() < at) {
            return;
        }
        self.broker.now = cx.now();
        for port in 0..self.peers.len() as u16 {
            if self.peers[usize::from(port)].pending.is_empty() {
                self.broker.repeat(client_at(port), self.params.resend, &mut self.effects);
            }
        }
        self.carry_out(cx);
        self.reckon();
    }

    /// When something may have to be sent again.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.next_resend
    }

    /// The channel takes packets again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let peer = &mut self.peers[usize::from(port)];
        let session = self.broker.session(client_at(port));
        let holds = |mid: Mid| Some(session?.outgoing.holds(mid)?.id);
        peer.pending.flush(cx, (port, peer.connection), &holds);
        self.reckon();
    }

    /// Its process dies, and everything with it unless it is durable.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.broker.now = cx.now();
        if self.params.durable {
            for port in 0..self.peers.len() as u16 {
                self.on_gone(cx, port);
            }
        } else {
            let at = Node::Actor(cx.me);
            let mut lose = |message: &Message| {
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Crash });
            };
            for (_, session) in self.broker.sessions() {
                let outgoing = &session.outgoing;
                let all = outgoing.unanswered().chain(outgoing.waiting());
                all.chain(session.incoming.unreleased()).for_each(&mut lose);
            }
            let waiting = self.broker.retained().filter(|kept| kept.waits);
            waiting.for_each(|kept| lose(&kept.message.payload));
            for peer in &mut self.peers {
                peer.pending.clear(cx, Why::Crash);
            }
            self.broker = machine(&self.params);
        }
        self.next_resend = None;
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        self.params.set(index, value)?;
        self.broker.now = cx.now();
        let (window, queued) = (self.params.in_flight.0, self.params.queued.0);
        self.broker.limit(window, queued, &mut self.effects);
        self.carry_out(cx);
        self.reckon();
        Ok(())
    }

    /// Copies of messages that it holds.
    pub fn n_held(&self) -> u64 {
        let gauges = self.broker.gauges();
        let pending: usize = self.peers.iter().map(|peer| peer.pending.held().count()).sum();
        gauges.n_held + u64::from(gauges.n_retained_waiting) + pending as u64
    }

    /// A client connects: it subscribes unless its session is known.
    fn on_connect(&mut self, cx: &mut Ctx<'_>, port: u16, connection: u32, clean: bool) {
        if connection <= self.peers[usize::from(port)].connection {
            return;
        }
        self.on_gone(cx, port);
        let client = client_at(port);
        self.peers[usize::from(port)].connection = connection;
        let is_kept = !clean && self.broker.session(client).is_some();
        let by = cx.seat.ports[usize::from(port)].peer;
        cx.fact(Fact::SessionTurned { at: cx.me, by, is_there: true, is_kept });
        if !self.broker.connect(client, clean, &mut self.effects) {
            return;
        }
        if !is_kept {
            let filters = self.peers[usize::from(port)].client.filters.clone();
            self.say(cx, client, FromClient::Subscribe(0, filters));
        }
        self.carry_out(cx);
        let Some(session) = self.broker.session(client) else { return };
        for message in session.outgoing.waiting() {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::InFlight });
        }
    }

    /// A client is gone: what it had not answered waits for it again, or is forgotten.
    fn on_gone(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let client = client_at(port);
        let peer = &mut self.peers[usize::from(port)];
        peer.pending.clear(cx, Why::Gone);
        if !self.broker.is_connected(client) {
            return;
        }
        let by = cx.seat.ports[usize::from(port)].peer;
        let is_kept = self.broker.session(client).is_some_and(|session| !session.is_clean);
        cx.fact(Fact::SessionTurned { at: cx.me, by, is_there: false, is_kept });
        self.broker.disconnect(client, &mut self.effects);
        self.carry_out(cx);
        let Some(session) = self.broker.session(client) else { return };
        let depth = session.outgoing.n_held() as u32;
        for message in session.outgoing.unanswered() {
            cx.fact(Fact::Requeued { msg: message.id, at: cx.me, depth });
        }
        for message in session.outgoing.unanswered().chain(session.outgoing.waiting()) {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::Away });
        }
    }

    /// A packet of a client that is connected.
    fn on_packet(&mut self, cx: &mut Ctx<'_>, port: u16, packet: MqttPacket) {
        self.current = packet.about().unwrap_or_default();
        let said = match packet {
            MqttPacket::Publish { mid, qos, dup, retain, message, .. } => {
                let topics = &self.peers[usize::from(port)].client.topics;
                let place = usize::from(message.route.max(1) - 1);
                let Some(topic) = topics.get(place).cloned() else { return };
                FromClient::Publish(Publish { topic, payload: message, qos, dup, retain, mid })
            }
            MqttPacket::Answer { answer, mid, .. } => match answer {
                Answer::PubAck => FromClient::PubAck(mid),
                Answer::PubRec => FromClient::PubRec(mid),
                Answer::PubRel => FromClient::PubRel(mid),
                Answer::PubComp => FromClient::PubComp(mid),
            },
            _ => return,
        };
        self.say(cx, client_at(port), said);
        self.carry_out(cx);
    }

    /// Tells the machine what a client says. Each further receiver of a message gets a copy with a
    /// number of its own; one of a retained message is a message that the broker makes.
    fn say(&mut self, cx: &mut Ctx<'_>, client: ClientNo, said: FromClient<Message>) {
        let mut copies = |of: &Message, is_retained: bool| {
            let made = cx.new_message(of.key, of.bytes);
            let (msg, by) = (made.id, cx.me);
            if is_retained {
                cx.fact(Fact::Sent { msg, by, key: of.key, bytes: of.bytes });
                return Message { route: of.route, ..made };
            }
            cx.fact(Fact::Copied { msg, of: of.id, at: by });
            Message { id: msg, ..*of }
        };
        self.broker.on_message(client, said, &mut copies, &mut self.effects);
    }

    /// Turns what the machine did into packets and facts.
    fn carry_out(&mut self, cx: &mut Ctx<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        let at = cx.me;
        for effect in effects.drain(..) {
            match effect {
                Effect::Send(client, packet) => self.send(cx, client, packet),
                Effect::Waits(client, message) => {
                    let session = self.broker.session(client);
                    let depth = session.map_or(0, |session| session.outgoing.n_waiting());
                    let is_there = session.is_some_and(|session| session.is_connected);
                    cx.fact(Fact::Queued { msg: message.id, at, depth });
                    let cause = if is_there { Cause::InFlight } else { Cause::Away };
                    cx.fact(Fact::Held { msg: message.id, cause });
                }
                Effect::Kept(message) => {
                    cx.fact(Fact::Held { msg: message.id, cause: Cause::Unreleased });
                }
                Effect::Taken(message) => cx.fact(Fact::Acked { msg: message.id, at }),
                Effect::Retained { payload, waits } => {
                    cx.fact(Fact::Retained { msg: payload.id, at, waits });
                    if waits {
                        cx.fact(Fact::Held { msg: payload.id, cause: Cause::Away });
                    }
                }
                Effect::Dropped(_, loss, message) => {
                    let (at, why) = (Node::Actor(at), why_of(loss));
                    cx.fact(Fact::Dropped { msg: message.id, at, why });
                    if loss == Loss::Known {
                        // The one that is here waits on.
                        cx.fact(Fact::Held { msg: message.id, cause: Cause::Unreleased });
                    }
                }
            }
        }
        self.effects = effects;
    }

    /// Writes a packet of the machine.
    fn send(&mut self, cx: &mut Ctx<'_>, client: ClientNo, packet: ToClient<Message>) {
        let port = client.0 as u16;
        let session = self.broker.session(client);
        let about = |mid: Mid| Some(session?.outgoing.about(mid)?.id);
        let packet = match packet {
            ToClient::ConnAck { .. } => MqttPacket::ConnAck,
            ToClient::SubAck(..) | ToClient::UnsubAck(_) => return,
            ToClient::PubAck(mid) => answer(Answer::PubAck, mid, self.current),
            ToClient::PubRec(mid) => answer(Answer::PubRec, mid, self.current),
            ToClient::PubComp(mid) => answer(Answer::PubComp, mid, self.current),
            ToClient::PubRel(mid) => {
                answer(Answer::PubRel, mid, about(mid).unwrap_or(self.current))
            }
            ToClient::Publish(Publish { topic, payload: message, qos, dup, retain, mid }) => {
                let channel = cx.seat.ports[usize::from(port)].channel;
                let depth = session.map_or(0, |session| session.outgoing.n_waiting());
                let (msg, at) = (message.id, cx.me);
                cx.fact(Fact::Dispatched { msg, at, channel, redelivered: dup, depth });
                let topic = topic_bytes(&topic);
                MqttPacket::Publish { mid, qos, dup, retain, topic, message }
            }
        };
        let waits = match packet {
            MqttPacket::Publish { qos, .. } => qos != Qos::AtMostOnce,
            MqttPacket::Answer { answer, .. } => answer == Answer::PubRel,
            _ => false,
        };
        if waits && !self.params.resend.is_zero() {
            let due = cx.now().saturating_add(self.params.resend);
            self.next_resend = Some(self.next_resend.map_or(due, |next| next.min(due)));
        }
        let peer = &mut self.peers[usize::from(port)];
        peer.pending.write(cx, (port, peer.connection), packet);
    }

    /// When something is to be sent again, exactly. What waits for its channel counts from when it
    /// has left.
    fn reckon(&mut self) {
        let wait = self.params.resend;
        let due = self.broker.sessions().filter_map(|(client, session)| {
            let may = session.is_connected && self.peers[client.0 as usize].pending.is_empty();
            if may { session.outgoing.next_due(wait) } else { None }
        });
        self.next_resend = due.min().filter(|_| !wait.is_zero());
    }
}

fn machine(params: &MqttBrokerParams) -> Mqtt<Message> {
    let mut broker = Mqtt::new();
    (broker.window, broker.queued_limit) = (params.in_flight.0, params.queued.0);
    broker
}

/// The client at a port.
pub fn client_at(port: u16) -> ClientNo {
    ClientNo(u32::from(port))
}

fn why_of(loss: Loss) -> Why {
    match loss {
        Loss::Away => Why::NotConnected,
        Loss::Full => Why::Refused,
        Loss::Unwanted => Why::Unwanted,
        Loss::Replaced => Why::Replaced,
        Loss::SessionOver => Why::SessionOver,
        Loss::Known => Why::KnownNumber,
    }
}
