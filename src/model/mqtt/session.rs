//! A client's session: what is under way to it, what waits, and which of its QoS 2 messages
//! are not released.

use std::collections::BTreeMap;

use super::outgoing::Outgoing;
use super::packet::{Mid, Payload, Publish};
use super::{Qos, Text};

/// Most messages under way to a client (`max_inflight_messages` of mosquitto).
pub const INFLIGHT_LIMIT: u32 = 20;
/// Most messages that wait behind them (`max_queued_messages`).
pub const QUEUED_LIMIT: u32 = 1000;
/// Most messages of a client that wait for their PUBREL.
pub const UNRELEASED_LIMIT: u32 = 1000;

/// A subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Which topics.
    pub filter: Text,
    /// The best quality.
    pub qos: Qos,
}

/// The half of a session that receives: QoS 2 messages that are not released.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming<P> {
    unreleased: BTreeMap<Mid, Publish<P>>,
}

/// What became of a QoS 2 message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept<P> {
    /// It is kept until its PUBREL.
    New,
    /// One of its number is kept already.
    Known(P),
    /// Too many are kept: it gets no answer.
    Full(P),
}

impl<P: Payload> Default for Incoming<P> {
    fn default() -> Incoming<P> {
        Incoming { unreleased: BTreeMap::new() }
    }
}

impl<P: Payload> Incoming<P> {
    /// Keeps a QoS 2 message until it is released; the first of a number counts.
    pub fn keep(&mut self, message: Publish<P>) -> Kept<P> {
        if self.unreleased.contains_key(&message.mid) {
            return Kept::Known(message.payload);
        }
        if UNRELEASED_LIMIT <= self.unreleased.len() as u32 {
            return Kept::Full(message.payload);
        }
        self.unreleased.insert(message.mid, message);
        Kept::New
    }

    /// PUBREL: the message of that number, if it is one that is kept.
    pub fn release(&mut self, mid: Mid) -> Option<Publish<P>> {
        self.unreleased.remove(&mid)
    }

    /// The session is over.
    pub fn clear(&mut self) -> Vec<P> {
        std::mem::take(&mut self.unreleased).into_values().map(|message| message.payload).collect()
    }

    /// Messages that are kept, by number.
    pub fn unreleased(&self) -> impl ExactSizeIterator<Item = &P> {
        self.unreleased.values().map(|message| &message.payload)
    }
}

/// A session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session<P> {
    /// Its client is there.
    pub is_connected: bool,
    /// It ends with the connection.
    pub is_clean: bool,
    /// What its client subscribes to.
    pub subscriptions: Vec<Subscription>,
    /// Messages to the client.
    pub outgoing: Outgoing<P>,
    /// Messages of the client.
    pub incoming: Incoming<P>,
}

impl<P: Payload> Session<P> {
    /// A new session of a connected client.
    pub(super) fn new(is_clean: bool, outgoing: Outgoing<P>) -> Session<P> {
        let (subscriptions, incoming) = (Vec::new(), Incoming::default());
        Session { is_connected: true, is_clean, subscriptions, outgoing, incoming }
    }

    /// Copies of messages that it holds.
    pub fn n_held(&self) -> u64 {
        self.outgoing.n_held() + self.incoming.unreleased().len() as u64
    }
}
