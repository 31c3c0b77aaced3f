//! A client that publishes: makes messages, and sends each as surely as its quality asks.
//!
//! It models arrivals, topics, three qualities with a window and resends, retained messages, and a
//! connection that comes and goes. Its memory is its process's: a crash loses what was not
//! answered. It leaves out wills and keep-alive. Read `docs/models/mqtt.md` before editing.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::arrivals::{Arrivals, batch, next_arrival};
use crate::model::actor::mqtt::link::{Link, Pending, Turn, answer};
use crate::model::actor::mqtt::{MqttClient, MqttPublisherParams, SessionKind, texts, topic_bytes};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::message::{Message, MsgId, Parcel};
use crate::model::mqtt::{Outgoing, Publish, Qos, Text, ToClient};
use crate::model::mqtt_parcel::{Answer, MqttPacket};
use crate::param::{Amount, Reason, Value};

/// Most messages that wait in a publisher's memory.
pub const MAX_WAITING: u32 = 100_000;

/// A client that publishes.
#[derive(Clone, PartialEq, Debug)]
pub struct MqttPublisher {
    /// Its settings.
    pub params: MqttPublisherParams,
    /// The topics of its messages, one after the other.
    pub topics: Vec<Text>,
    /// Its connection.
    pub link: Link,
    /// Messages of QoS 1 and 2 that are not answered.
    pub outgoing: Outgoing<Message>,
    /// Packets that the channel did not take yet.
    pub pending: Pending,
    /// When the next message comes.
    pub next_at: Option<SimTime>,
    /// How many messages it made.
    pub n_made: u64,
    n_arrivals: u64,
    is_blocked: bool,
}

impl MqttPublisher {
    /// A publisher that has not begun.
    pub fn new(params: MqttPublisherParams) -> MqttPublisher {
        MqttPublisher {
            topics: texts(&params.topics, "data"),
            link: Link::new(params.connected),
            outgoing: Outgoing::new(params.in_flight.0, MAX_WAITING),
            params,
            pending: Pending::default(),
            next_at: None,
            n_made: 0,
            n_arrivals: 0,
            is_blocked: false,
        }
    }

    /// What its broker knows of it.
    pub fn client(&self) -> MqttClient {
        MqttClient {
            topics: self.topics.clone(),
            filters: Vec::new(),
            clean: self.is_clean(),
            connected: self.params.connected,
        }
    }

    /// The run begins.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        self.schedule(cx, cx.now());
    }

    /// A parcel came back.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, parcel: Parcel) {
        match self.link.on_message(cx, &parcel, (self.params.connected, self.is_clean())) {
            Turn::Up => self.on_up(cx),
            Turn::Down => self.on_down(cx, Why::Gone),
            Turn::Same => self.on_packet(cx, &parcel),
        }
    }

    /// A message comes, or something is sent again.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while self.next_at.is_some_and(|at| at <= cx.now()) {
            let n = batch(cx, &self.params.source(), self.n_arrivals);
            for _ in 0..n {
                self.make(cx);
            }
            self.n_arrivals += 1;
            self.schedule(cx, cx.now());
        }
        self.link.on_wake(cx, self.is_clean());
        if self.next_resend().is_some_and(|due| due <= cx.now()) {
            let mut packets = Vec::new();
            self.outgoing.repeat(cx.now(), self.params.resend, &mut packets);
            self.send_all(cx, packets);
        }
    }

    /// The next arrival, resend or try to connect.
    pub fn next_wake(&self) -> Option<SimTime> {
        let all = [self.next_at, self.link.next_wake(), self.next_resend()];
        all.into_iter().flatten().min()
    }

    /// The channel takes messages again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>) {
        let outgoing = &self.outgoing;
        let holds = |mid| outgoing.holds(mid).map(|message| message.id);
        self.pending.flush(cx, (0, self.link.number), &holds);
        if self.pending.is_empty() && std::mem::take(&mut self.is_blocked) {
            cx.fact(Fact::Unblocked { actor: cx.me });
        }
    }

    /// Sends one message now, by hand.
    pub fn send(&mut self, cx: &mut Ctx<'_>) {
        self.make(cx);
    }

    /// Its process dies, and its memory with it.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.pending.clear(cx, Why::Crash);
        for message in self.outgoing.clear(true) {
            cx.fact(Fact::Dropped { msg: message.id, at: Node::Actor(cx.me), why: Why::Crash });
        }
        self.link.crash();
        self.is_blocked = false;
        self.next_at = None;
    }

    /// It starts anew and connects; recorded arrivals that it missed are missed.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        if self.params.arrivals == Arrivals::Times {
            let now = SimSpan::ns(cx.now().ns());
            self.n_arrivals = self.params.times.0.partition_point(|at| *at < now) as u64;
        } else {
            self.n_arrivals += 1;
        }
        self.schedule(cx, cx.now());
        self.link.restart(cx, (self.params.connected, self.is_clean()));
    }

    /// The next arrival moves by `span`: the process stood still for so long.
    pub fn postpone(&mut self, span: SimSpan) {
        self.next_at.iter_mut().for_each(|at| *at += span);
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = self.params.clone();
        self.params.set(index, value)?;
        let law = |p: &MqttPublisherParams| (p.rate, p.arrivals, p.limit, p.burst, p.period);
        if law(&before) != law(&self.params) {
            self.schedule(cx, cx.now());
        }
        match (before.connected, self.params.connected) {
            (false, true) => self.link.connect(cx, self.is_clean()),
            (true, false) => {
                let was_up = self.link.is_up();
                self.link.disconnect(cx);
                if was_up {
                    self.on_down(cx, Why::NotConnected);
                }
            }
            _ => {}
        }
        self.outgoing.window = self.params.in_flight.0;
        self.fill(cx);
        Ok(())
    }

    /// Copies of messages that it holds.
    pub fn n_held(&self) -> u64 {
        self.outgoing.n_held() + self.pending.held().count() as u64
    }

    fn is_clean(&self) -> bool {
        self.params.session == SessionKind::Clean
    }

    fn schedule(&mut self, cx: &Ctx<'_>, last: SimTime) {
        let limit = self.params.limit;
        let over = limit != Amount::UNLIMITED && u64::from(limit.0) <= self.n_made;
        let next = next_arrival(cx, &self.params.source(), last, self.n_arrivals);
        self.next_at = if over { None } else { next };
    }

    /// When something is to be sent again.
    fn next_resend(&self) -> Option<SimTime> {
        let may = self.link.is_up() && self.pending.is_empty() && !self.params.resend.is_zero();
        self.outgoing.next_due(self.params.resend).filter(|_| may)
    }

    /// Makes one message, and sends it when it may go now.
    fn make(&mut self, cx: &mut Ctx<'_>) {
        let limit = self.params.limit;
        if limit != Amount::UNLIMITED && u64::from(limit.0) <= self.n_made {
            return;
        }
        let place = self.n_made % self.topics.len() as u64;
        let bytes = u32::try_from(self.params.size.0).unwrap_or(u32::MAX);
        let made = cx.new_message(place as u32, bytes);
        let message = Message { route: place as u16 + 1, ..made };
        self.n_made += 1;
        let msg = message.id;
        cx.fact(Fact::Sent { msg, by: cx.me, key: message.key, bytes });
        let at = Node::Actor(cx.me);
        if cx.n_ports() == 0 {
            return cx.fact(Fact::Dropped { msg, at, why: Why::Unroutable });
        }
        let (topic, qos) = (self.topics[place as usize].clone(), self.params.qos.qos());
        let retain = self.params.retain;
        let publish = Publish { topic, payload: message, qos, dup: false, retain, mid: 0 };
        if qos == Qos::AtMostOnce {
            if self.link.is_up() {
                self.send_all(cx, vec![ToClient::Publish(publish)]);
            } else {
                cx.fact(Fact::Dropped { msg, at, why: Why::NotConnected });
            }
        } else if self.outgoing.push(publish).is_some() {
            cx.fact(Fact::Dropped { msg, at, why: Why::OutboxFull });
        } else {
            self.fill(cx);
            if self.outgoing.waiting().any(|waiting| waiting.id == msg) {
                let cause = if self.link.is_up() { Cause::InFlight } else { Cause::Away };
                cx.fact(Fact::Held { msg, cause });
            }
        }
    }

    /// An answer of the broker.
    fn on_packet(&mut self, cx: &mut Ctx<'_>, parcel: &Parcel) {
        let Some(MqttPacket::Answer { answer, mid, .. }) = self.link.packet(parcel) else {
            return;
        };
        let mut packets = Vec::new();
        let taken = match answer {
            Answer::PubAck => self.outgoing.on_ack(mid),
            Answer::PubRec => self.outgoing.on_rec(cx.now(), mid, &mut packets),
            Answer::PubComp => {
                self.outgoing.on_comp(mid);
                None
            }
            Answer::PubRel => None,
        };
        if let Some(Message { id: msg, .. }) = taken {
            cx.fact(Fact::Confirmed { msg, by: cx.me, accepted: true });
            cx.fact(Fact::Released { msg, by: cx.me });
        }
        self.send_all(cx, packets);
        self.fill(cx);
    }

    /// The connection stands: what was not answered goes again, then what waits.
    fn on_up(&mut self, cx: &mut Ctx<'_>) {
        let mut packets = Vec::new();
        self.outgoing.repeat(cx.now(), SimSpan::ZERO, &mut packets);
        self.send_all(cx, packets);
        self.fill(cx);
        for message in self.outgoing.waiting() {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::InFlight });
        }
    }

    /// The connection is over: a clean session forgets what was under way.
    fn on_down(&mut self, cx: &mut Ctx<'_>, why: Why) {
        self.pending.clear(cx, why);
        self.is_blocked = false;
        if self.is_clean() {
            let at = Node::Actor(cx.me);
            for message in self.outgoing.clear(false) {
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::SessionOver });
            }
        }
        for message in self.outgoing.unanswered().chain(self.outgoing.waiting()) {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::Away });
        }
    }

    fn fill(&mut self, cx: &mut Ctx<'_>) {
        if self.link.is_up() {
            let mut packets = Vec::new();
            self.outgoing.fill(cx.now(), &mut packets);
            self.send_all(cx, packets);
        }
    }

    fn send_all(&mut self, cx: &mut Ctx<'_>, packets: Vec<ToClient<Message>>) {
        for packet in packets {
            let packet = match packet {
                ToClient::Publish(publish) => {
                    let Publish { topic, payload: message, qos, dup, retain, mid } = publish;
                    if dup {
                        cx.fact(Fact::Retried { msg: message.id, by: cx.me });
                    }
                    let topic = topic_bytes(&topic);
                    MqttPacket::Publish { mid, qos, dup, retain, topic, message }
                }
                ToClient::PubRel(mid) => {
                    let msg = self.outgoing.about(mid).map_or(MsgId(0), |message| message.id);
                    answer(Answer::PubRel, mid, msg)
                }
                _ => continue,
            };
            let is_taken = self.pending.write(cx, (0, self.link.number), packet);
            if !is_taken && !std::mem::replace(&mut self.is_blocked, true) {
                cx.fact(Fact::Blocked { actor: cx.me });
            }
        }
    }
}
