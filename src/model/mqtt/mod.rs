//! An MQTT 3.1.1 broker: three qualities of service, sessions, retained messages, shared
//! subscriptions.
//!
//! A sans-I/O machine: packets in, packets out. It has no timers: when something is sent again is
//! the caller's choice. Its two halves of a session, [`Outgoing`] and [`Incoming`], are also a
//! client's. The rules and what is left out are in `docs/models/mqtt.md`.

mod filter;
mod outgoing;
mod packet;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use filter::{TOPIC_LIMIT, check_filter, check_topic, shared, topic_matches};
pub use outgoing::Outgoing;
pub use packet::{ClientNo, FromClient, Mid, Payload, Publish, ToClient};
pub use session::{
    INFLIGHT_LIMIT, Incoming, Kept, QUEUED_LIMIT, Session, Subscription, UNRELEASED_LIMIT,
};

use crate::kernel::{SimSpan, SimTime};

/// A topic, a filter, a payload of a record: shared, not copied.
pub type Text = std::sync::Arc<str>;

/// Most sessions of a broker.
pub const SESSIONS_LIMIT: u32 = 1 << 16;
/// Most retained messages.
pub const RETAINED_LIMIT: u32 = 1 << 20;

/// Quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// 0: sent once, answered never.
    AtMostOnce,
    /// 1: answered by PUBACK; a resend is a second message.
    AtLeastOnce,
    /// 2: answered by PUBREC, PUBREL, PUBCOMP; a resend before PUBREL is no second message.
    ExactlyOnce,
}

impl Qos {
    /// 0, 1 or 2.
    pub fn from_number(n: u64) -> Option<Qos> {
        [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce].get(usize::try_from(n).ok()?).copied()
    }

    /// 0, 1 or 2.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// Why the broker lets a message go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// QoS 0, and the client is away.
    Away,
    /// Too many wait.
    Full,
    /// Nobody subscribes to its topic.
    Unwanted,
    /// It was retained, nobody had got it, and a later one takes its place.
    Replaced,
    /// The session that held it is over.
    SessionOver,
    /// A QoS 2 message of its number is here already.
    Known,
}

/// What happens to clients and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<P = Text> {
    /// A packet to a connected client.
    Send(ClientNo, ToClient<P>),
    /// A message waits in a client's session.
    Waits(ClientNo, P),
    /// A QoS 2 message of a client is kept until its PUBREL.
    Kept(P),
    /// The client has a message of QoS 1 or 2, and the broker forgets it.
    Taken(P),
    /// A message is kept for who subscribes later. `waits`: nobody has got it yet.
    Retained {
        /// Which.
        payload: P,
        /// Nobody has got it yet.
        waits: bool,
    },
    /// A copy goes away; if it was in a session, in whose.
    Dropped(Option<ClientNo>, Loss, P),
}

/// Makes the payload of a further copy of a message; true: of one that is retained, and that
/// somebody got before.
pub type Copier<'a, P> = &'a mut dyn FnMut(&P, bool) -> P;

/// Copies that are equal: for payloads without an identity.
pub fn clones<P: Clone>(payload: &P, _is_retained: bool) -> P {
    payload.clone()
}

/// A group that shares the messages of a filter.
#[derive(Clone, Debug, PartialEq)]
struct Share {
    group: Text,
    filter: Text,
    /// Its members; the next one to be served stands first.
    members: Vec<(ClientNo, Qos)>,
}

/// The last message of a topic, kept for who subscribes later.
#[derive(Clone, Debug, PartialEq)]
pub struct Retained<P> {
    /// The message.
    pub message: Publish<P>,
    /// Nobody has got it yet.
    pub waits: bool,
}

/// The broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt<P = Text> {
    /// Most messages under way to a client.
    pub window: u32,
    /// Most messages that wait behind them.
    pub queued_limit: u32,
    /// The present instant: set it before each call.
    pub now: SimTime,
    sessions: BTreeMap<ClientNo, Session<P>>,
    shares: Vec<Share>,
    retained: BTreeMap<Text, Retained<P>>,
}

/// What a reading of the broker's state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Sessions, connected or not.
    pub n_sessions: u32,
    /// Copies under way, waiting or unreleased in all sessions.
    pub n_held: u64,
    /// Topics with a retained message.
    pub n_retained: u32,
    /// Of these, messages that nobody has got yet.
    pub n_retained_waiting: u32,
}

impl<P: Payload> Default for Mqtt<P> {
    fn default() -> Mqtt<P> {
        Mqtt {
            window: INFLIGHT_LIMIT,
            queued_limit: QUEUED_LIMIT,
            now: SimTime::ZERO,
            sessions: BTreeMap::new(),
            shares: Vec::new(),
            retained: BTreeMap::new(),
        }
    }
}

impl<P: Payload> Mqtt<P> {
    /// A broker without sessions.
    pub fn new() -> Mqtt<P> {
        Mqtt::default()
    }

    /// CONNECT: a known session goes on unless it is to be clean. False when there are too many.
    ///
    /// A connection of the same client before it is closed.
    pub fn connect(&mut self, client: ClientNo, clean: bool, out: &mut Vec<Effect<P>>) -> bool {
        self.disconnect(client, out);
        if clean {
            self.forget(client, out);
        }
        let is_full = SESSIONS_LIMIT <= self.sessions.len() as u32;
        let mut packets = Vec::new();
        match self.sessions.get_mut(&client) {
            Some(session) => {
                packets.push(ToClient::ConnAck { session_present: true });
                session.is_connected = true;
                session.outgoing.repeat(self.now, SimSpan::ZERO, &mut packets);
                session.outgoing.fill(self.now, &mut packets);
            }
            None if is_full => return false,
            None => {
                packets.push(ToClient::ConnAck { session_present: false });
                let outgoing = Outgoing::new(self.window, self.queued_limit);
                self.sessions.insert(client, Session::new(clean, outgoing));
            }
        }
        out.extend(packets.into_iter().map(|packet| Effect::Send(client, packet)));
        true
    }

    /// DISCONNECT, or the connection is lost: a clean session is forgotten.
    pub fn disconnect(&mut self, client: ClientNo, out: &mut Vec<Effect<P>>) {
        match self.sessions.get_mut(&client) {
            Some(session) if session.is_clean => self.forget(client, out),
            Some(session) => session.is_connected = false,
            None => {}
        }
    }

    /// Takes a packet of a client. One of a client that is not connected is ignored.
    pub fn on_message(
        &mut self,
        client: ClientNo,
        packet: FromClient<P>,
        copies: Copier<'_, P>,
        out: &mut Vec<Effect<P>>,
    ) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&client).filter(|s| s.is_connected) else {
            return;
        };
        let mut packets = Vec::new();
        match packet {
            FromClient::Subscribe(mid, filters) => {
                return self.subscribe(client, mid, filters, copies, out);
            }
            FromClient::Unsubscribe(mid, filters) => {
                for filter in filters {
                    self.unsubscribe(client, &filter);
                }
                packets.push(ToClient::UnsubAck(mid));
            }
            FromClient::Publish(message) => return self.publish(client, message, copies, out),
            FromClient::PubAck(mid) => {
                out.extend(session.outgoing.on_ack(mid).map(Effect::Taken));
                session.outgoing.fill(now, &mut packets);
            }
            FromClient::PubRec(mid) => {
                let taken = session.outgoing.on_rec(now, mid, &mut packets);
                out.extend(taken.map(Effect::Taken));
            }
            FromClient::PubComp(mid) => {
                session.outgoing.on_comp(mid);
                session.outgoing.fill(now, &mut packets);
            }
            FromClient::PubRel(mid) => {
                out.push(Effect::Send(client, ToClient::PubComp(mid)));
                if let Some(message) = session.incoming.release(mid) {
                    self.route(message, copies, out);
                }
            }
        }
        out.extend(packets.into_iter().map(|packet| Effect::Send(client, packet)));
    }

    /// Sends again what a connected client has not answered for so long.
    pub fn repeat(&mut self, client: ClientNo, wait: SimSpan, out: &mut Vec<Effect<P>>) {
        let Some(session) = self.sessions.get_mut(&client).filter(|s| s.is_connected) else {
            return;
        };
        let mut packets = Vec::new();
        session.outgoing.repeat(self.now, wait, &mut packets);
        out.extend(packets.into_iter().map(|packet| Effect::Send(client, packet)));
    }

    /// Sets how many messages may be under way to each client, and wait behind them.
    pub fn limit(&mut self, window: u32, queued: u32, out: &mut Vec<Effect<P>>) {
        (self.window, self.queued_limit) = (window, queued);
        for (client, session) in &mut self.sessions {
            (session.outgoing.window, session.outgoing.limit) = (window, queued);
            let mut packets = Vec::new();
            if session.is_connected {
                session.outgoing.fill(self.now, &mut packets);
            }
            out.extend(packets.into_iter().map(|packet| Effect::Send(*client, packet)));
        }
    }

    /// Reads the state.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            n_sessions: self.sessions.len() as u32,
            n_held: self.sessions.values().map(Session::n_held).sum(),
            n_retained: self.retained.len() as u32,
            n_retained_waiting: self.retained.values().filter(|kept| kept.waits).count() as u32,
        }
    }

    /// Whether a client is connected.
    pub fn is_connected(&self, client: ClientNo) -> bool {
        self.sessions.get(&client).is_some_and(|session| session.is_connected)
    }

    /// A client's session.
    pub fn session(&self, client: ClientNo) -> Option<&Session<P>> {
        self.sessions.get(&client)
    }

    /// All sessions, by client.
    pub fn sessions(&self) -> impl Iterator<Item = (ClientNo, &Session<P>)> {
        self.sessions.iter().map(|(client, session)| (*client, session))
    }

    /// Retained messages, by topic.
    pub fn retained(&self) -> impl Iterator<Item = &Retained<P>> {
        self.retained.values()
    }

    /// A PUBLISH: QoS 0 and 1 are handed on at once, QoS 2 when it is released.
    fn publish(
        &mut self,
        client: ClientNo,
        message: Publish<P>,
        copies: Copier<'_, P>,
        out: &mut Vec<Effect<P>>,
    ) {
        let mid = message.mid;
        match message.qos {
            Qos::AtMostOnce => self.route(message, copies, out),
            Qos::AtLeastOnce => {
                out.push(Effect::Send(client, ToClient::PubAck(mid)));
                self.route(message, copies, out);
            }
            Qos::ExactlyOnce => {
                let Some(session) = self.sessions.get_mut(&client) else { return };
                let payload = message.payload.clone();
                out.push(match session.incoming.keep(message) {
                    Kept::New => Effect::Kept(payload),
                    Kept::Known(payload) => Effect::Dropped(None, Loss::Known, payload),
                    Kept::Full(payload) => {
                        // Without an answer the client will send it again.
                        return out.push(Effect::Dropped(None, Loss::Full, payload));
                    }
                });
                out.push(Effect::Send(client, ToClient::PubRec(mid)));
            }
        }
    }

    /// Hands a message on: to every plain subscription, and to one member of each share. The first
    /// gets the message itself, each other one a copy.
    fn route(&mut self, message: Publish<P>, copies: Copier<'_, P>, out: &mut Vec<Effect<P>>) {
        let receivers = self.receivers(&message.topic);
        for (nth, (client, qos)) in receivers.iter().enumerate() {
            let payload = match nth {
                0 => message.payload.clone(),
                _ => copies(&message.payload, false),
            };
            let (topic, qos) = (message.topic.clone(), message.qos.min(*qos));
            let copy = Publish { topic, payload, qos, dup: false, retain: false, mid: 0 };
            self.hand(*client, copy, out);
        }
        let waits = receivers.is_empty();
        if !message.retain {
            let unwanted = waits.then_some(Effect::Dropped(None, Loss::Unwanted, message.payload));
            return out.extend(unwanted);
        }
        self.retain(message, waits, out);
    }

    /// Who gets a message of that topic, with the best quality each wants.
    fn receivers(&mut self, topic: &str) -> Vec<(ClientNo, Qos)> {
        let mut receivers: Vec<(ClientNo, Qos)> = Vec::new();
        for (client, session) in &self.sessions {
            let matching = session.subscriptions.iter();
            let matching = matching.filter(|s| topic_matches(&s.filter, topic));
            receivers.extend(matching.map(|s| (*client, s.qos)));
        }
        for share in &mut self.shares {
            if !topic_matches(&share.filter, topic) {
                continue;
            }
            // Somebody who is there, else the next one: it waits in that session.
            let is_there = |(client, _): &(ClientNo, Qos)| {
                self.sessions.get(client).is_some_and(|session| session.is_connected)
            };
            let chosen = share.members.iter().position(is_there).unwrap_or(0);
            let member = share.members.remove(chosen);
            share.members.push(member);
            receivers.push(member);
        }
        receivers
    }

    fn retain(&mut self, message: Publish<P>, waits: bool, out: &mut Vec<Effect<P>>) {
        let replace = |old: Option<Retained<P>>, out: &mut Vec<Effect<P>>| {
            let old = old.filter(|old| old.waits);
            out.extend(old.map(|old| Effect::Dropped(None, Loss::Replaced, old.message.payload)));
        };
        let payload = message.payload.clone();
        if payload.is_empty() {
            replace(self.retained.remove(&message.topic), out);
            out.extend(waits.then_some(Effect::Dropped(None, Loss::Unwanted, payload)));
        } else if (self.retained.len() as u32) < RETAINED_LIMIT
            || self.retained.contains_key(&message.topic)
        {
            let kept = Publish { dup: false, mid: 0, ..message };
            let kept = Retained { message: kept, waits };
            replace(self.retained.insert(kept.message.topic.clone(), kept), out);
            out.push(Effect::Retained { payload, waits });
        } else {
            out.extend(waits.then_some(Effect::Dropped(None, Loss::Full, payload)));
        }
    }

    /// Gives a message to a session. Somebody away misses QoS 0; the rest waits, up to the limit.
    fn hand(&mut self, client: ClientNo, message: Publish<P>, out: &mut Vec<Effect<P>>) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        if message.qos == Qos::AtMostOnce {
            out.push(match session.is_connected {
                true => Effect::Send(client, ToClient::Publish(message)),
                false => Effect::Dropped(Some(client), Loss::Away, message.payload),
            });
            return;
        }
        let payload = message.payload.clone();
        let outgoing = &mut session.outgoing;
        if let Some(message) = outgoing.push(message) {
            return out.push(Effect::Dropped(Some(client), Loss::Full, message.payload));
        }
        let mut packets = Vec::new();
        if session.is_connected {
            outgoing.fill(self.now, &mut packets);
        }
        if packets.is_empty() {
            out.push(Effect::Waits(client, payload));
        }
        out.extend(packets.into_iter().map(|packet| Effect::Send(client, packet)));
    }

    /// SUBSCRIBE: the same filter again replaces the old one; retained messages follow.
    fn subscribe(
        &mut self,
        client: ClientNo,
        mid: Mid,
        filters: Vec<(Text, Qos)>,
        copies: Copier<'_, P>,
        out: &mut Vec<Effect<P>>,
    ) {
        let granted = filters.iter().map(|(_, qos)| *qos).collect();
        out.push(Effect::Send(client, ToClient::SubAck(mid, granted)));
        for (filter, qos) in filters {
            self.unsubscribe(client, &filter);
            if let Some((group, filter)) = shared(&filter) {
                self.join(client, group, filter, qos);
                continue;
            }
            let mut fitting = Vec::new();
            for kept in self.retained.values_mut() {
                if topic_matches(&filter, &kept.message.topic) {
                    let own = kept.message.clone();
                    // The first who comes gets what nobody has got.
                    let payload = match std::mem::take(&mut kept.waits) {
                        true => own.payload,
                        false => copies(&own.payload, true),
                    };
                    fitting.push(Publish { payload, qos: qos.min(own.qos), ..own });
                }
            }
            if let Some(session) = self.sessions.get_mut(&client) {
                session.subscriptions.push(Subscription { filter, qos });
            }
            for message in fitting {
                self.hand(client, message, out);
            }
        }
    }

    fn join(&mut self, client: ClientNo, group: &str, filter: &str, qos: Qos) {
        let member = (client, qos);
        let mut shares = self.shares.iter_mut();
        match shares.find(|share| (&*share.group, &*share.filter) == (group, filter)) {
            Some(share) => share.members.push(member),
            None => {
                let (group, filter) = (group.into(), filter.into());
                self.shares.push(Share { group, filter, members: vec![member] });
            }
        }
    }

    fn unsubscribe(&mut self, client: ClientNo, filter: &str) {
        match shared(filter) {
            Some((group, filter)) => {
                for share in &mut self.shares {
                    if (&*share.group, &*share.filter) == (group, filter) {
                        share.members.retain(|(member, _)| *member != client);
                    }
                }
                self.shares.retain(|share| !share.members.is_empty());
            }
            None => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    session.subscriptions.retain(|s| &*s.filter != filter);
                }
            }
        }
    }

    /// A session ends with all that it had.
    fn forget(&mut self, client: ClientNo, out: &mut Vec<Effect<P>>) {
        if let Some(mut session) = self.sessions.remove(&client) {
            let mut gone = session.outgoing.clear(true);
            gone.extend(session.incoming.clear());
            let gone = gone.into_iter();
            out.extend(gone.map(|p| Effect::Dropped(Some(client), Loss::SessionOver, p)));
        }
        for share in &mut self.shares {
            share.members.retain(|(member, _)| *member != client);
        }
        self.shares.retain(|share| !share.members.is_empty());
    }
}
