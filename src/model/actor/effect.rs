//! What a consumer does besides the work: when it records, when it acknowledges, and what becomes
//! of a message that it cannot work on.
//!
//! The order is: known? - record (before) - acknowledge (before the work) - work - effect, with the
//! record in the same transaction - `ack_delay` - record (after) - acknowledge. Whatever lies
//! between two of these is where a crash decides. Read `docs/models/guarantees.md` before editing.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::consumer::{AckMode, Consumer};
use crate::model::actor::dedupe::{DedupeBy, RecordWhen};
use crate::model::actor::workers::{By, Job};
use crate::model::fact::Fact;
use crate::model::ground::{Ctx, Purpose};
use crate::model::message::{Parcel, Rejection};

choices! {
    /// What a consumer does with a message that it cannot work on.
    pub enum WhenBad {
        /// Back to its place in the queue: it comes again.
        Requeue = "requeue" ("requeue", "放回队列"),
        /// It is a dead letter.
        DeadLetter = "dead-letter" ("dead letter", "转入死信"),
        /// Back to who sent it.
        Return = "return" ("return to sender", "退回发送方"),
    }
}

/// Done, and still to be recorded or acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// When.
    pub due: SimTime,
    /// What.
    pub job: Job,
}

/// What is done and not acknowledged yet, by time; a crash forgets it.
pub type Pendings = VecDeque<Pending>;

impl Consumer {
    /// Whether nothing is asked for before the work: the common case.
    pub(super) fn is_plain(&self) -> bool {
        self.params.dedupe == DedupeBy::None && self.params.ack != AckMode::BeforeWork
    }

    /// What comes before the work. `None`: it is known, and nothing is done.
    pub(super) fn begin(&mut self, cx: &mut Ctx<'_>, mut job: Job) -> Option<Job> {
        let by = self.params.dedupe;
        if self.record.knows(by, &job.message) {
            self.skip(cx, &job);
            return None;
        }
        if self.params.record == RecordWhen::Before {
            self.record.note(by, &job.message);
        }
        if self.params.ack == AckMode::BeforeWork {
            tell(cx, &job);
            job.tag = 0;
        }
        Some(job)
    }

    /// Whether the work takes effect: in one transaction with the record, only if that is new.
    pub(super) fn takes_effect(&mut self, job: &Job) -> bool {
        self.params.record != RecordWhen::SameTransaction
            || self.record.note(self.params.dedupe, &job.message)
    }

    /// It came again: nothing is done, and it is acknowledged.
    pub(super) fn skip(&mut self, cx: &mut Ctx<'_>, job: &Job) {
        cx.fact(Fact::Skipped { msg: job.message.id, at: cx.me });
        tell(cx, job);
    }

    /// Whether the work on a message failed by chance: each attempt anew.
    pub(super) fn fails(&self, cx: &Ctx<'_>, job: &Job) -> bool {
        let chance = self.params.fail.0;
        let attempt = job.tag.wrapping_mul(2) | u64::from(job.by == By::Sender);
        chance != 0 && cx.draw_for(Purpose::Fail, job.message.id, attempt).chance(chance)
    }

    /// The work on a bad message failed: says what is to become of it.
    pub(super) fn fail(&mut self, cx: &mut Ctx<'_>, job: &Job) {
        let msg = job.message.id;
        cx.fact(Fact::Failed { msg, at: cx.me });
        if job.tag == 0 {
            return;
        }
        let how = match self.params.when_bad {
            WhenBad::Requeue => Rejection::Requeue,
            WhenBad::DeadLetter => Rejection::DeadLetter,
            WhenBad::Return => Rejection::Return,
        };
        let parcel = match job.by {
            By::Broker => Parcel::Reject { tag: job.tag, msg, how },
            By::Sender => Parcel::Confirm { seq: job.tag, msg, accepted: false },
        };
        cx.write(job.port, parcel, false);
    }

    /// The effect happened: records and acknowledges, now or after the delay.
    pub(super) fn conclude(&mut self, cx: &mut Ctx<'_>, job: Job) {
        if self.params.ack_delay.is_zero() {
            return self.settle_one(cx, &job);
        }
        let due = cx.now().saturating_add(self.params.ack_delay);
        let place = self.pending.partition_point(|pending| pending.due <= due);
        self.pending.insert(place, Pending { due, job });
    }

    /// Records and acknowledges what is due.
    pub(super) fn settle_due(&mut self, cx: &mut Ctx<'_>) {
        while let Some(pending) = self.pending.pop_front() {
            if cx.now() < pending.due {
                self.pending.push_front(pending);
                return;
            }
            self.settle_one(cx, &pending.job);
        }
    }

    /// The process stood still for `span`.
    pub fn postpone(&mut self, span: SimSpan) {
        self.pending.iter_mut().for_each(|pending| pending.due += span);
        self.next_pull.iter_mut().for_each(|at| *at += span);
    }

    fn settle_one(&mut self, cx: &mut Ctx<'_>, job: &Job) {
        if self.params.record == RecordWhen::After {
            self.record.note(self.params.dedupe, &job.message);
        }
        tell(cx, job);
    }
}

/// Tells whoever waits to hear that the job is done.
pub(super) fn tell(cx: &mut Ctx<'_>, job: &Job) {
    if job.tag == 0 {
        return;
    }
    let msg = job.message.id;
    let parcel = match job.by {
        By::Broker => Parcel::Ack { tag: job.tag, msg },
        By::Sender => Parcel::Confirm { seq: job.tag, msg, accepted: true },
    };
    cx.write(job.port, parcel, false);
}
