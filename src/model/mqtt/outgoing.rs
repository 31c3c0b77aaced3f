//! The half of a session that sends: what is under way with QoS 1 and 2, and what waits behind it.
//!
//! A broker has one for every client, and a client that publishes has one for its broker.
//! MQTT 3.1.1 sections 4.3 and 4.4.

use std::collections::VecDeque;

use super::Qos;
use super::packet::{Mid, Payload, Publish, ToClient};
use crate::kernel::{SimSpan, SimTime};

/// How far a message has come.
#[derive(Clone, Debug, PartialEq)]
enum Step<P> {
    /// Its PUBACK or PUBREC is awaited.
    Published(Publish<P>),
    /// Its PUBCOMP is awaited; of the message only what tells it from others counts.
    Released(P),
}

/// A message under way.
#[derive(Clone, Debug, PartialEq)]
struct Inflight<P> {
    mid: Mid,
    /// When it, or its PUBREL, was sent last.
    sent: SimTime,
    step: Step<P>,
}

/// What is under way, and what waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing<P> {
    /// Most messages under way.
    pub window: u32,
    /// Most messages that wait behind them.
    pub limit: u32,
    last_mid: Mid,
    inflight: Vec<Inflight<P>>,
    waiting: VecDeque<Publish<P>>,
}

impl<P: Payload> Outgoing<P> {
    /// Nothing yet.
    pub fn new(window: u32, limit: u32) -> Outgoing<P> {
        let (inflight, waiting) = (Vec::new(), VecDeque::new());
        Outgoing { window, limit, last_mid: 0, inflight, waiting }
    }

    /// Takes a message of QoS 1 or 2 in; gives it back when too many wait.
    pub fn push(&mut self, message: Publish<P>) -> Option<Publish<P>> {
        if self.limit <= self.waiting.len() as u32 {
            return Some(message);
        }
        self.waiting.push_back(message);
        None
    }

    /// Sends what waits, as far as the window reaches.
    pub fn fill(&mut self, now: SimTime, out: &mut Vec<ToClient<P>>) {
        while (self.inflight.len() as u32) < self.window
            && let Some(message) = self.waiting.pop_front()
        {
            let mid = self.next_mid();
            let message = Publish { mid, ..message };
            let step = Step::Published(message.clone());
            self.inflight.push(Inflight { mid, sent: now, step });
            out.push(ToClient::Publish(message));
        }
    }

    /// Sends again what was not answered for so long, in its order: PUBLISH with DUP, or PUBREL.
    pub fn repeat(&mut self, now: SimTime, wait: SimSpan, out: &mut Vec<ToClient<P>>) {
        for inflight in &mut self.inflight {
            if now < inflight.sent.saturating_add(wait) {
                continue;
            }
            inflight.sent = now;
            out.push(match &inflight.step {
                Step::Published(message) => {
                    ToClient::Publish(Publish { dup: true, ..message.clone() })
                }
                Step::Released(_) => ToClient::PubRel(inflight.mid),
            });
        }
    }

    /// PUBACK: the message of that number arrived.
    pub fn on_ack(&mut self, mid: Mid) -> Option<P> {
        let is_this = |inflight: &Inflight<P>| {
            inflight.mid == mid
                && matches!(&inflight.step, Step::Published(m) if m.qos == Qos::AtLeastOnce)
        };
        let place = self.inflight.iter().position(is_this)?;
        match self.inflight.remove(place).step {
            Step::Published(message) => Some(message.payload),
            Step::Released(_) => None,
        }
    }

    /// PUBREC: the message of that number arrived; it is forgotten but for its number, which is
    /// released. One that nobody knows is released, too.
    pub fn on_rec(&mut self, now: SimTime, mid: Mid, out: &mut Vec<ToClient<P>>) -> Option<P> {
        let mut arrived = None;
        if let Some(inflight) = self.inflight.iter_mut().find(|inflight| inflight.mid == mid) {
            match &inflight.step {
                Step::Published(message) if message.qos == Qos::ExactlyOnce => {
                    let payload = message.payload.clone();
                    arrived = Some(payload.clone());
                    (inflight.step, inflight.sent) = (Step::Released(payload), now);
                }
                Step::Released(_) => inflight.sent = now,
                Step::Published(_) => return None,
            }
        }
        out.push(ToClient::PubRel(mid));
        arrived
    }

    /// PUBCOMP: the number is free again.
    pub fn on_comp(&mut self, mid: Mid) {
        self.inflight.retain(|i| !(i.mid == mid && matches!(i.step, Step::Released(_))));
    }

    /// The session is over: what was under way, and, if `all`, what waits.
    pub fn clear(&mut self, all: bool) -> Vec<P> {
        let mut gone: Vec<P> = self.unanswered().cloned().collect();
        self.inflight.clear();
        if all {
            gone.extend(self.waiting.drain(..).map(|message| message.payload));
        }
        gone
    }

    /// When something is to be sent again, if that is done after `wait`.
    pub fn next_due(&self, wait: SimSpan) -> Option<SimTime> {
        self.inflight.iter().map(|inflight| inflight.sent.saturating_add(wait)).min()
    }

    /// Messages under way that the other end is not known to have, in their order.
    pub fn unanswered(&self) -> impl Iterator<Item = &P> {
        self.inflight.iter().filter_map(|inflight| match &inflight.step {
            Step::Published(message) => Some(&message.payload),
            Step::Released(_) => None,
        })
    }

    /// The message under way with that number, if the other end is not known to have it.
    pub fn holds(&self, mid: Mid) -> Option<&P> {
        let found = self.inflight.iter().find(|inflight| inflight.mid == mid)?;
        match &found.step {
            Step::Published(message) => Some(&message.payload),
            Step::Released(_) => None,
        }
    }

    /// The message that a number in use is about.
    pub fn about(&self, mid: Mid) -> Option<&P> {
        let found = self.inflight.iter().find(|inflight| inflight.mid == mid)?;
        match &found.step {
            Step::Published(message) => Some(&message.payload),
            Step::Released(payload) => Some(payload),
        }
    }

    /// Messages that wait, in their order.
    pub fn waiting(&self) -> impl Iterator<Item = &P> {
        self.waiting.iter().map(|message| &message.payload)
    }

    /// How many numbers are in use.
    pub fn n_inflight(&self) -> u32 {
        self.inflight.len() as u32
    }

    /// How many messages wait.
    pub fn n_waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    /// Copies of messages that it holds.
    pub fn n_held(&self) -> u64 {
        self.unanswered().count() as u64 + self.waiting.len() as u64
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
