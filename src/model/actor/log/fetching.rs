//! How a consumer gets records: one fetch at a time, whose answer counts when it is whole.
//!
//! A partition's place is known once its first record is here: the broker begins where the group
//! has committed. When an answer does not come, or only a part of it, the consumer says where it
//! stands and asks again.

use std::collections::{BTreeSet, VecDeque};

use crate::kernel::SimTime;
use crate::model::actor::log::consumer::LogConsumer;
use crate::model::actor::log::consumer_params::Start;
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::group::Committer;
use crate::model::log_parcel::{Assembly, Fetch, FetchedRecord, LogParcel};
use crate::model::message::Parcel;

/// A partition that a consumer owns.
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    /// Which.
    pub partition: u8,
    /// The offset after the last record that has come; `None`: none has come.
    pub position: Option<u64>,
    /// Its commits, once its place is known.
    pub committer: Option<Committer>,
    /// Offsets of the polled batch that are not done, rising.
    pub open: VecDeque<u64>,
    /// Those of them that were done out of turn.
    pub early: BTreeSet<u64>,
}

/// What a consumer has asked for and got.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fetching {
    /// Records that have come and are not polled.
    pub fetched: VecDeque<FetchedRecord>,
    /// The answer that is coming in.
    pub coming: Option<Assembly<FetchedRecord>>,
    /// When the fetch that is under way is given up.
    pub due: Option<SimTime>,
    /// Whether the broker must be told where it stands.
    must_seek: bool,
    number: u32,
}

impl Reading {
    /// A partition of which nothing has come.
    pub fn new(partition: u8) -> Reading {
        Reading {
            partition,
            position: None,
            committer: None,
            open: VecDeque::new(),
            early: BTreeSet::new(),
        }
    }
}

impl LogConsumer {
    /// Asks for records, unless it has asked, has enough, or owns nothing.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let is_idle = self.fetching.due.is_none() && self.is_connected;
        if !is_idle || self.readings.is_empty() || !self.fetching.fetched.is_empty() {
            return;
        }
        if std::mem::take(&mut self.fetching.must_seek) {
            let mut unknown = 0;
            for reading in &self.readings {
                let partition = reading.partition;
                match reading.position {
                    Some(offset) => {
                        let seek = LogParcel::Seek { partition, offset };
                        cx.write(0, Parcel::Log(seek), false);
                    }
                    None => unknown |= 1 << partition,
                }
            }
            if unknown != 0 {
                let forget = LogParcel::Forget { partitions: unknown };
                cx.write(0, Parcel::Log(forget), false);
            }
        }
        self.fetching.number += 1;
        let wanted = self.readings.iter().fold(0, |set, reading| set | 1 << reading.partition);
        let micros = self.params.fetch_wait.as_ns() / 1_000;
        let fetch = Fetch {
            number: self.fetching.number,
            wanted,
            min_bytes: u32::try_from(self.params.fetch_min.0).unwrap_or(u32::MAX),
            max_bytes: u32::try_from(self.params.fetch_max.0).unwrap_or(u32::MAX),
            max_wait_us: u32::try_from(micros).unwrap_or(u32::MAX),
            earliest: self.params.start == Start::Earliest,
            isolation: self.params.isolation.limit(),
        };
        cx.write(0, Parcel::Log(LogParcel::Fetch(fetch)), false);
        let wait = self.params.fetch_wait.saturating_add(self.params.request_timeout);
        self.fetching.due = Some(cx.now().saturating_add(wait));
    }

    /// A record of an answer came.
    pub(super) fn on_fetched(&mut self, cx: &mut Ctx<'_>, record: FetchedRecord) {
        let FetchedRecord { number, index, n, .. } = record;
        if self.fetching.due.is_none() || number != self.fetching.number {
            self.refuse(cx, record.message.id, Why::Incomplete);
            return;
        }
        let coming = self.fetching.coming.get_or_insert_with(|| Assembly::new(number, n));
        let before = coming.take(index, record);
        let is_whole = coming.is_whole();
        if let Some(before) = before {
            self.refuse(cx, before.message.id, Why::Incomplete);
        }
        if is_whole {
            self.fetching.due = None;
            self.take_in(cx);
            self.on_answered(cx);
        }
    }

    /// The answer is empty.
    pub(super) fn on_nothing(&mut self, cx: &mut Ctx<'_>, number: u32, again: bool) {
        if number == self.fetching.number && self.fetching.due.take().is_some() {
            self.fetching.must_seek |= again;
            self.give_up_coming(cx);
            self.on_answered(cx);
        }
    }

    /// The answer does not come any more.
    pub(super) fn on_fetch_lost(&mut self, cx: &mut Ctx<'_>) {
        self.fetching.due = None;
        self.fetching.must_seek = true;
        self.give_up_coming(cx);
    }

    /// Whether the fetch is overdue.
    pub(super) fn fetch_is_lost(&self, now: SimTime) -> bool {
        self.fetching.due.is_some_and(|due| due <= now)
    }

    /// Drops what has come of partitions that it does not own any more.
    pub(super) fn forget_fetched(&mut self, cx: &mut Ctx<'_>) {
        let readings = &self.readings;
        let owns = |partition: u8| readings.iter().any(|reading| reading.partition == partition);
        let at = Node::Actor(cx.me);
        self.fetching.fetched.retain(|record| {
            let stays = owns(record.partition);
            if !stays {
                let msg = record.message.id;
                cx.fact(Fact::Dropped { msg, at, why: Why::Revoked });
            }
            stays
        });
    }

    /// Its memory is gone.
    pub(super) fn crash_fetching(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        let coming = self.fetching.coming.take();
        let coming = coming.into_iter().flat_map(|coming| coming.got).map(|(_, record)| record);
        for record in self.fetching.fetched.drain(..).chain(coming) {
            cx.fact(Fact::Dropped { msg: record.message.id, at, why: Why::Crash });
        }
        // An answer to an earlier incarnation is not taken for one to the next.
        let number = self.fetching.number.wrapping_add(1 << 16);
        self.fetching = Fetching { number, ..Fetching::default() };
    }

    /// A whole answer: records of partitions that it still owns, in order, go into its memory.
    fn take_in(&mut self, cx: &mut Ctx<'_>) {
        let Some(coming) = self.fetching.coming.take() else { return };
        let at = Node::Actor(cx.me);
        let policy = self.params.policy();
        let is_busy = self.is_working();
        for (_, record) in &coming.got {
            let FetchedRecord { partition, offset, message, .. } = *record;
            let reading = self.readings.iter_mut().find(|reading| reading.partition == partition);
            let Some(reading) = reading.filter(|r| r.position.is_none_or(|p| p <= offset)) else {
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Revoked });
                continue;
            };
            if reading.position.is_none() {
                reading.committer = Some(Committer::new(policy, cx.now(), offset));
            }
            reading.position = Some(offset + 1);
            self.fetching.fetched.push_back(*record);
            let depth = self.fetching.fetched.len() as u32;
            cx.fact(Fact::Buffered { msg: message.id, at: cx.me, depth });
            if !is_busy && !self.params.poll.is_zero() {
                cx.fact(Fact::Held { msg: message.id, cause: Cause::PollWait });
            }
        }
    }

    fn give_up_coming(&mut self, cx: &mut Ctx<'_>) {
        let Some(coming) = self.fetching.coming.take() else { return };
        for (_, record) in coming.got {
            self.refuse(cx, record.message.id, Why::Incomplete);
        }
    }

    fn refuse(&self, cx: &mut Ctx<'_>, msg: crate::model::message::MsgId, why: Why) {
        cx.fact(Fact::Dropped { msg, at: Node::Actor(cx.me), why });
    }
}
