//! An MQTT 3.1.1 broker: three qualities of service, sessions, retained messages, shared
//! subscriptions.
//!
//! A sans-I/O machine: packets in, packets out. It has no timers: resends come from clients,
//! and from the broker only when a client comes back. The rules and what is left out are in
//! `docs/models/mqtt.md`.

mod filter;
mod packet;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use filter::{shared, topic_matches};
pub use packet::{FromClient, Mid, Publish, ToClient};
pub use session::{INFLIGHT_LIMIT, QUEUED_LIMIT, UNRELEASED_LIMIT};

use session::{Session, Subscription};

/// A topic, a client's name, a payload: shared, not copied.
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

/// What happens to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A packet to a connected client.
    Send(Text, ToClient),
    /// A message that a client will not get: it is away, or too many wait for it.
    Dropped(Text, Text),
}

/// A group that shares the messages of a filter.
#[derive(Clone, Debug, PartialEq)]
struct Share {
    group: Text,
    filter: Text,
    /// Its members; the next one to be served stands first.
    members: Vec<(Text, Qos)>,
}

/// The broker.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Mqtt {
    sessions: BTreeMap<Text, Session>,
    shares: Vec<Share>,
    retained: BTreeMap<Text, Publish>,
}

/// What a reading of the broker's state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Sessions, connected or not.
    pub n_sessions: u32,
    /// Messages under way or waiting in all sessions.
    pub n_held: u64,
    /// Retained messages.
    pub n_retained: u32,
}

impl Mqtt {
    /// A broker without sessions.
    pub fn new() -> Mqtt {
        Mqtt::default()
    }

    /// CONNECT: a known session goes on unless it is to be clean. False when there are too many.
    ///
    /// A connection of the same name before it is closed.
    pub fn connect(&mut self, client: Text, is_clean: bool, out: &mut Vec<Effect>) -> bool {
        self.disconnect(&client);
        if is_clean {
            self.forget(&client);
        }
        let is_full = SESSIONS_LIMIT <= self.sessions.len() as u32;
        let mut packets = Vec::new();
        match self.sessions.get_mut(&client) {
            Some(session) => {
                packets.push(ToClient::ConnAck { session_present: true });
                session.resume(&mut packets);
            }
            None if is_full => return false,
            None => {
                packets.push(ToClient::ConnAck { session_present: false });
                self.sessions.insert(client.clone(), Session::new(is_clean));
            }
        }
        out.extend(packets.into_iter().map(|packet| Effect::Send(client.clone(), packet)));
        true
    }

    /// DISCONNECT, or the connection is lost: a clean session is forgotten.
    pub fn disconnect(&mut self, client: &Text) {
        match self.sessions.get_mut(client) {
            Some(session) if session.is_clean => self.forget(client),
            Some(session) => session.is_connected = false,
            None => {}
        }
    }

    /// Takes a packet of a client. One of a client that is not connected is ignored.
    pub fn on_message(&mut self, client: &Text, packet: FromClient, out: &mut Vec<Effect>) {
        if !self.is_connected(client) {
            return;
        }
        match packet {
            FromClient::Subscribe(mid, filters) => self.subscribe(client, mid, filters, out),
            FromClient::Unsubscribe(mid, filters) => {
                for filter in filters {
                    self.unsubscribe(client, &filter);
                }
                out.push(Effect::Send(client.clone(), ToClient::UnsubAck(mid)));
            }
            FromClient::Publish(message) => self.publish(client, message, out),
            FromClient::PubAck(mid) => {
                self.on_session(client, out, |s, out| s.finish(mid, Qos::AtLeastOnce, out));
            }
            FromClient::PubRec(mid) => self.on_session(client, out, |s, out| s.release(mid, out)),
            FromClient::PubComp(mid) => {
                self.on_session(client, out, |s, out| s.finish(mid, Qos::ExactlyOnce, out));
            }
            FromClient::PubRel(mid) => {
                out.push(Effect::Send(client.clone(), ToClient::PubComp(mid)));
                let kept = self.sessions.get_mut(client).and_then(|s| s.released(mid));
                if let Some(message) = kept {
                    self.route(message, out);
                }
            }
        }
    }

    /// Reads the state.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            n_sessions: self.sessions.len() as u32,
            n_held: self.sessions.values().map(Session::n_held).sum(),
            n_retained: self.retained.len() as u32,
        }
    }

    /// Whether a client is connected.
    pub fn is_connected(&self, client: &Text) -> bool {
        self.sessions.get(client).is_some_and(|session| session.is_connected)
    }

    /// A PUBLISH: QoS 0 and 1 are handed on at once, QoS 2 when it is released.
    fn publish(&mut self, client: &Text, message: Publish, out: &mut Vec<Effect>) {
        let mid = message.mid;
        match message.qos {
            Qos::AtMostOnce => self.route(message, out),
            Qos::AtLeastOnce => {
                out.push(Effect::Send(client.clone(), ToClient::PubAck(mid)));
                self.route(message, out);
            }
            Qos::ExactlyOnce => {
                // Without an answer the client will send it again.
                if self.sessions.get_mut(client).is_some_and(|session| session.keep(message)) {
                    out.push(Effect::Send(client.clone(), ToClient::PubRec(mid)));
                }
            }
        }
    }

    /// Hands a message on: to every plain subscription, and to one member of each share.
    fn route(&mut self, message: Publish, out: &mut Vec<Effect>) {
        if message.retain {
            self.retain(&message);
        }
        let message = Publish { retain: false, dup: false, mid: 0, ..message };
        let mut receivers: Vec<(Text, Qos)> = Vec::new();
        for (client, session) in &self.sessions {
            let matching = session.subscriptions.iter();
            let matching = matching.filter(|s| topic_matches(&s.filter, &message.topic));
            receivers.extend(matching.map(|s| (client.clone(), s.qos)));
        }
        for share in &mut self.shares {
            if !topic_matches(&share.filter, &message.topic) {
                continue;
            }
            // Somebody who is there, else the next one: it waits in that session.
            let is_there = |(client, _): &(Text, Qos)| {
                self.sessions.get(client).is_some_and(|session| session.is_connected)
            };
            let chosen = share.members.iter().position(is_there).unwrap_or(0);
            let member = share.members.remove(chosen);
            share.members.push(member.clone());
            receivers.push(member);
        }
        for (client, qos) in receivers {
            self.hand(&client, Publish { qos: qos.min(message.qos), ..message.clone() }, out);
        }
    }

    fn retain(&mut self, message: &Publish) {
        if message.payload.is_empty() {
            self.retained.remove(&message.topic);
        } else if (self.retained.len() as u32) < RETAINED_LIMIT
            || self.retained.contains_key(&message.topic)
        {
            let kept = Publish { dup: false, mid: 0, ..message.clone() };
            self.retained.insert(message.topic.clone(), kept);
        }
    }

    /// Gives a message to a session.
    fn hand(&mut self, client: &Text, message: Publish, out: &mut Vec<Effect>) {
        let topic = message.topic.clone();
        let mut is_taken = true;
        self.on_session(client, out, |session, out| is_taken = session.take(message, out));
        if !is_taken {
            out.push(Effect::Dropped(client.clone(), topic));
        }
    }

    fn on_session(
        &mut self,
        client: &Text,
        out: &mut Vec<Effect>,
        act: impl FnOnce(&mut Session, &mut Vec<ToClient>),
    ) {
        let Some(session) = self.sessions.get_mut(client) else { return };
        let mut packets = Vec::new();
        act(session, &mut packets);
        out.extend(packets.into_iter().map(|packet| Effect::Send(client.clone(), packet)));
    }

    /// SUBSCRIBE: the same filter again replaces the old one; retained messages follow.
    fn subscribe(
        &mut self,
        client: &Text,
        mid: Mid,
        filters: Vec<(Text, Qos)>,
        out: &mut Vec<Effect>,
    ) {
        let granted = filters.iter().map(|(_, qos)| *qos).collect();
        out.push(Effect::Send(client.clone(), ToClient::SubAck(mid, granted)));
        for (filter, qos) in filters {
            self.unsubscribe(client, &filter);
            if let Some((group, filter)) = shared(&filter) {
                self.join(client, group, filter, qos);
                continue;
            }
            let fits = |message: &&Publish| topic_matches(&filter, &message.topic);
            let kept: Vec<Publish> = self.retained.values().filter(fits).cloned().collect();
            if let Some(session) = self.sessions.get_mut(client) {
                session.subscriptions.push(Subscription { filter, qos });
            }
            for message in kept {
                let qos = qos.min(message.qos);
                self.hand(client, Publish { qos, ..message }, out);
            }
        }
    }

    fn join(&mut self, client: &Text, group: &str, filter: &str, qos: Qos) {
        let member = (client.clone(), qos);
        let mut shares = self.shares.iter_mut();
        match shares.find(|share| (&*share.group, &*share.filter) == (group, filter)) {
            Some(share) => share.members.push(member),
            None => {
                let (group, filter) = (group.into(), filter.into());
                self.shares.push(Share { group, filter, members: vec![member] });
            }
        }
    }

    fn unsubscribe(&mut self, client: &Text, filter: &str) {
        match shared(filter) {
            Some((group, filter)) => {
                for share in &mut self.shares {
                    if (&*share.group, &*share.filter) == (group, filter) {
                        share.members.retain(|(member, _)| member != client);
                    }
                }
                self.shares.retain(|share| !share.members.is_empty());
            }
            None => {
                if let Some(session) = self.sessions.get_mut(client) {
                    session.subscriptions.retain(|s| &*s.filter != filter);
                }
            }
        }
    }

    /// A session ends with all that it had.
    fn forget(&mut self, client: &Text) {
        self.sessions.remove(client);
        for share in &mut self.shares {
            share.members.retain(|(member, _)| member != client);
        }
        self.shares.retain(|share| !share.members.is_empty());
    }
}
