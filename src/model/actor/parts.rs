//! Parts of one message that come by different ways and are worked on together: fork and join.
//!
//! It leaves out what becomes of a message whose other parts are lost: it waits on.

use std::collections::BTreeMap;

use crate::model::actor::workers::{Job, MAX_BUFFERED};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::message::MsgId;

/// Parts that wait for others, and wholes that are being worked on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parts {
    /// By the message that they are copies of.
    waiting: BTreeMap<MsgId, Vec<Job>>,
    /// The part that stands for a whole, and the others.
    wholes: Vec<(Job, Vec<Job>)>,
    n_waiting: u32,
}

impl Parts {
    /// A part came: answers the one that stands for all once `n` of a message are there.
    pub fn take(&mut self, cx: &mut Ctx<'_>, job: Job, n: u32) -> Option<Job> {
        let msg = job.message.id;
        if n <= 1 {
            return Some(job);
        }
        if self.n_waiting >= MAX_BUFFERED {
            cx.fact(Fact::Dropped { msg, at: Node::Actor(cx.me), why: Why::Refused });
            return None;
        }
        let group = self.waiting.entry(job.message.root).or_default();
        if (group.len() as u32) + 1 < n {
            group.push(job);
            self.n_waiting += 1;
            cx.fact(Fact::Held { msg, cause: Cause::OtherParts });
            return None;
        }
        let others = self.waiting.remove(&job.message.root).unwrap_or_default();
        self.n_waiting -= others.len() as u32;
        for other in &others {
            cx.fact(Fact::Held { msg: other.message.id, cause: Cause::Processing });
        }
        self.wholes.push((job, others));
        Some(job)
    }

    /// The other parts of the whole that this one stood for; they are done with it.
    pub fn done(&mut self, job: &Job) -> Vec<Job> {
        let same = |whole: &(Job, Vec<Job>)| {
            (whole.0.message.id, whole.0.port) == (job.message.id, job.port)
        };
        let place = self.wholes.iter().position(same);
        place.map_or(Vec::new(), |place| self.wholes.swap_remove(place).1)
    }

    /// Everything here is gone; the part that stood for a whole is told of by its worker.
    pub fn crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        let waiting = std::mem::take(&mut self.waiting);
        let wholes = std::mem::take(&mut self.wholes);
        let parts = waiting.into_values().chain(wholes.into_iter().map(|(_, others)| others));
        for job in parts.flatten() {
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Crash });
        }
        self.n_waiting = 0;
    }

    /// The connection at a port is gone: nobody there waits to hear any more.
    pub fn forget_connection(&mut self, port: u16) {
        let others =
            self.wholes.iter_mut().flat_map(|(first, others)| std::iter::once(first).chain(others));
        for job in self.waiting.values_mut().flatten().chain(others) {
            if job.port == port {
                job.tag = 0;
            }
        }
    }

    /// How many parts wait or are being worked on with another.
    pub fn n_held(&self) -> u64 {
        let merged: usize = self.wholes.iter().map(|(_, others)| others.len()).sum();
        u64::from(self.n_waiting) + merged as u64
    }

    /// How many parts wait for others.
    pub fn n_waiting(&self) -> u32 {
        self.n_waiting
    }
}
