//! A client's session: what is under way to it, what waits, and which of its QoS 2 messages
//! are not released.

use std::collections::{BTreeMap, VecDeque};

use super::packet::{Mid, Publish, ToClient};
use super::{Qos, Text};

/// Most messages under way to a client (`max_inflight_messages` of mosquitto).
pub const INFLIGHT_LIMIT: u32 = 20;
/// Most messages that wait behind them (`max_queued_messages`).
pub const QUEUED_LIMIT: u32 = 1000;
/// Most messages of a client that wait for their PUBREL.
pub const UNRELEASED_LIMIT: u32 = 1000;

/// How far a message to a client has come.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// Its PUBACK or PUBREC is awaited.
    Published(Publish),
    /// Its PUBCOMP is awaited.
    Released,
}

/// A message under way to a client.
#[derive(Clone, Debug, PartialEq)]
struct Inflight {
    mid: Mid,
    step: Step,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subscription {
    pub(super) filter: Text,
    pub(super) qos: Qos,
}

/// A session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) is_connected: bool,
    /// It ends with the connection.
    pub(super) is_clean: bool,
    pub(super) subscriptions: Vec<Subscription>,
    last_mid: Mid,
    inflight: Vec<Inflight>,
    waiting: VecDeque<Publish>,
    unreleased: BTreeMap<Mid, Publish>,
}

impl Session {
    /// A new session of a connected client.
    pub(super) fn new(is_clean: bool) -> Session {
        Session {
            is_connected: true,
            is_clean,
            subscriptions: Vec::new(),
            last_mid: 0,
            inflight: Vec::new(),
            waiting: VecDeque::new(),
            unreleased: BTreeMap::new(),
        }
    }

    /// Takes a message for the client: what is sent now, or false when it is dropped.
    ///
    /// Somebody away misses QoS 0; the rest waits, up to the limit.
    pub(super) fn take(&mut self, message: Publish, out: &mut Vec<ToClient>) -> bool {
        if message.qos == Qos::AtMostOnce {
            if self.is_connected {
                out.push(ToClient::Publish(message));
            }
            return self.is_connected;
        }
        if QUEUED_LIMIT <= self.waiting.len() as u32 {
            return false;
        }
        self.waiting.push_back(message);
        self.fill(out);
        true
    }

    /// Sends again what was not answered, in its order, then what waits.
    pub(super) fn resume(&mut self, out: &mut Vec<ToClient>) {
        self.is_connected = true;
        for inflight in &self.inflight {
            out.push(match &inflight.step {
                Step::Published(message) => {
                    ToClient::Publish(Publish { dup: true, ..message.clone() })
                }
                Step::Released => ToClient::PubRel(inflight.mid),
            });
        }
        self.fill(out);
    }

    /// A message arrived (PUBACK) or is done (PUBCOMP): another may follow.
    pub(super) fn finish(&mut self, mid: Mid, qos: Qos, out: &mut Vec<ToClient>) {
        self.inflight.retain(|inflight| {
            let is_this = inflight.mid == mid
                && match &inflight.step {
                    Step::Published(message) => message.qos == qos && qos == Qos::AtLeastOnce,
                    Step::Released => qos == Qos::ExactlyOnce,
                };
            !is_this
        });
        self.fill(out);
    }

    /// A QoS 2 message arrived: it is forgotten but for its number, and released.
    pub(super) fn release(&mut self, mid: Mid, out: &mut Vec<ToClient>) {
        let found = self.inflight.iter_mut().find(|inflight| inflight.mid == mid);
        if let Some(inflight) = found {
            match &inflight.step {
                Step::Published(message) if message.qos == Qos::ExactlyOnce => {
                    inflight.step = Step::Released;
                }
                Step::Released => {}
                Step::Published(_) => return,
            }
        }
        out.push(ToClient::PubRel(mid));
    }

    /// Keeps a client's QoS 2 message until it is released; the first of a number counts.
    ///
    /// False when there are too many.
    pub(super) fn keep(&mut self, message: Publish) -> bool {
        if UNRELEASED_LIMIT <= self.unreleased.len() as u32 {
            return self.unreleased.contains_key(&message.mid);
        }
        self.unreleased.entry(message.mid).or_insert(message);
        true
    }

    /// The client releases a message, if it is one that was kept.
    pub(super) fn released(&mut self, mid: Mid) -> Option<Publish> {
        self.unreleased.remove(&mid)
    }

    /// Messages that are not answered, and those that wait.
    pub(super) fn n_held(&self) -> u64 {
        self.inflight.len() as u64 + self.waiting.len() as u64
    }

    /// Sends what waits, as far as the window reaches.
    fn fill(&mut self, out: &mut Vec<ToClient>) {
        while self.is_connected
            && (self.inflight.len() as u32) < INFLIGHT_LIMIT
            && let Some(message) = self.waiting.pop_front()
        {
            let mid = self.next_mid();
            let message = Publish { mid, ..message };
            self.inflight.push(Inflight { mid, step: Step::Published(message.clone()) });
            out.push(ToClient::Publish(message));
        }
    }

    /// The next number that is not under way; far fewer are than there are numbers.
    fn next_mid(&mut self) -> Mid {
        loop {
            self.last_mid = self.last_mid.checked_add(1).unwrap_or(1);
            if self.inflight.iter().all(|inflight| inflight.mid != self.last_mid) {
                return self.last_mid;
            }
        }
    }
}
