//! What a responder asks of others before it answers: services one after the other, and brokers
//! that take a message for later.
//!
//! To a responder it sends the request on and waits for its answer; to a broker it publishes the
//! message and waits until the broker has confirmed it. It goes through its ways out in the order
//! of the document. It leaves out retries and timeouts: the requester has those.

use std::collections::VecDeque;

use crate::model::actor::workers::Job;
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Lane};
use crate::model::message::{Message, MsgId, Parcel};

/// A request whose own work is done, and what it waits for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Call {
    /// The request, and whom to answer.
    pub job: Job,
    /// Which of the ways out is asked now.
    way: u16,
    /// The copy that is to go there.
    copy: Message,
    /// Whether it went; the channel may be full.
    is_sent: bool,
}

/// All requests that wait for others.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Calls {
    open: VecDeque<Call>,
    next_seq: u64,
    /// Numbers of publishes that are not confirmed yet, and their copies.
    published: VecDeque<(u64, MsgId)>,
}

impl Calls {
    /// Begins with a request; answers it when nobody is to be asked.
    pub fn begin(&mut self, cx: &mut Ctx<'_>, job: Job, is_broker: &[bool]) -> Option<Job> {
        if ways(cx).next().is_none() {
            return Some(job);
        }
        cx.fact(Fact::Held { msg: job.message.id, cause: Cause::Downstream });
        let copy = copy_of(cx, &job);
        self.open.push_back(Call { job, way: 0, copy, is_sent: false });
        self.ask(cx, self.open.len() - 1, is_broker);
        None
    }

    /// An answer or a confirmation came: answers the request whose last one it was.
    pub fn on_answer(&mut self, cx: &mut Ctx<'_>, copy: MsgId, is_broker: &[bool]) -> Option<Job> {
        let place = self.open.iter().position(|call| call.is_sent && call.copy.id == copy)?;
        let call = &mut self.open[place];
        call.way += 1;
        if usize::from(call.way) < ways(cx).count() {
            (call.copy, call.is_sent) = (copy_of(cx, &call.job), false);
            self.ask(cx, place, is_broker);
            return None;
        }
        self.open.remove(place).map(|call| call.job)
    }

    /// A broker confirmed a publish: the copy that it carried.
    pub fn confirmed(&mut self, seq: u64) -> Option<MsgId> {
        let place = self.published.iter().position(|(number, _)| *number == seq)?;
        self.published.remove(place).map(|(_, copy)| copy)
    }

    /// A channel takes messages again: asks what was refused.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, is_broker: &[bool]) {
        for place in 0..self.open.len() {
            if !self.open[place].is_sent {
                self.ask(cx, place, is_broker);
            }
        }
    }

    /// The process at a port died: what was asked of it will not be answered.
    pub fn on_closed(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let ports: Vec<u16> = ways(cx).collect();
        let at = Node::Actor(cx.me);
        self.open.retain(|call| {
            let waits = ports.get(usize::from(call.way)) == Some(&port);
            if waits {
                cx.fact(Fact::Dropped { msg: call.job.message.id, at, why: Why::Gone });
                if !call.is_sent {
                    cx.fact(Fact::Dropped { msg: call.copy.id, at, why: Why::Gone });
                }
            }
            !waits
        });
    }

    /// Everything here is gone.
    pub fn crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        for call in self.open.drain(..) {
            cx.fact(Fact::Dropped { msg: call.job.message.id, at, why: Why::Crash });
            if !call.is_sent {
                cx.fact(Fact::Dropped { msg: call.copy.id, at, why: Why::Crash });
            }
        }
        self.published.clear();
    }

    /// Requests that wait for others, and copies that wait for their channel.
    pub fn n_held(&self) -> u64 {
        let unsent = self.open.iter().filter(|call| !call.is_sent).count();
        (self.open.len() + unsent) as u64
    }

    /// Sends a copy of the request to the way that it is to go now.
    fn ask(&mut self, cx: &mut Ctx<'_>, place: usize, is_broker: &[bool]) {
        let Call { way, copy, .. } = self.open[place];
        let Some(port) = ways(cx).nth(usize::from(way)) else { return };
        let to_broker = is_broker.get(usize::from(port)).copied().unwrap_or(false);
        let seq = self.next_seq + u64::from(to_broker);
        let parcel = match to_broker {
            true => Parcel::Publish { seq, message: copy },
            false => Parcel::Request { message: copy },
        };
        if !cx.write(port, parcel, false) {
            cx.fact(Fact::Held { msg: copy.id, cause: Cause::BackPressure });
            return;
        }
        self.next_seq = seq;
        self.open[place].is_sent = true;
        if to_broker {
            self.published.push_back((seq, copy.id));
        }
    }
}

/// A copy of a request for somebody else.
fn copy_of(cx: &mut Ctx<'_>, job: &Job) -> Message {
    let of = job.message;
    let copy = Message { id: cx.new_message(of.key, of.bytes).id, ..of };
    cx.fact(Fact::Copied { msg: copy.id, of: of.id, at: cx.me });
    copy
}

/// Ports that lead on, in the order of the document.
fn ways(cx: &Ctx<'_>) -> impl Iterator<Item = u16> {
    let ports = cx.seat.ports.iter().enumerate();
    ports.filter(|(_, port)| port.out == Lane::Forth).map(|(n, _)| n as u16)
}
