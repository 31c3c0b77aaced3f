//! What one partition owes to each group: the copies of its records that are not done.
//!
//! A record is stored once, and delivered once to every group. The first group that reads it gets
//! the message itself; for every other one a copy is made, so that each delivery is accounted for.
//! The broker holds a copy until the group has committed it: a commit is the log's
//! acknowledgement.

use std::collections::VecDeque;

use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::log::Isolation;
use crate::model::message::{Message, MsgId};

/// No message: an offset of a transaction's marker, or one that is gone.
const NONE: MsgId = MsgId(0);

/// What one group has to do yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery {
    /// Everything below is done: the offset of `ids[0]`.
    pub committed: u64,
    /// The group's copy of each record from there to the log's end.
    pub ids: VecDeque<MsgId>,
    /// Everything below was handed to the partition's present owner.
    pub handed_to: u64,
    /// Everything below was handed out before, to whomever.
    pub seen_to: u64,
    /// The port of the consumer that reads it.
    pub owner: Option<u16>,
    /// What that one, or the last one, sees.
    pub isolation: Isolation,
    /// What waits below `told_to` was told to wait for this.
    told: Cause,
    told_to: u64,
    /// What waits for a transaction's end below this was told so.
    told_open_to: u64,
}

/// All that a partition owes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Shelf {
    /// By group; `None`: it has not begun with this partition.
    pub deliveries: Vec<Option<Delivery>>,
    /// Records that no group has begun with, from this offset on.
    pub unclaimed_from: u64,
    /// Their messages.
    pub unclaimed: VecDeque<MsgId>,
}

/// What keeps a partition's records from being handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    /// Consumers see what is below.
    pub visible: u64,
    /// Those who read committed records see what is below: the last stable offset.
    pub stable: u64,
    /// Why they do not see the rest.
    pub hidden: Cause,
    /// From here on the records are new in this handler.
    pub fresh: u64,
}

impl Delivery {
    /// Where its records end.
    pub fn end(&self) -> u64 {
        self.committed + self.ids.len() as u64
    }

    /// The group's copy of the record at an offset.
    pub fn id(&self, offset: u64) -> Option<MsgId> {
        let place = usize::try_from(offset.checked_sub(self.committed)?).ok()?;
        self.ids.get(place).copied().filter(|id| *id != NONE)
    }

    /// The copies from one offset up to before another.
    fn ids_in(&self, from: u64, to: u64) -> impl Iterator<Item = MsgId> + '_ {
        let place = |offset: u64| {
            let place = offset.saturating_sub(self.committed).min(self.ids.len() as u64);
            place as usize
        };
        let first = place(from);
        self.ids.range(first..place(to).max(first)).copied().filter(|id| *id != NONE)
    }

    /// Copies that the broker holds.
    pub fn n_held(&self) -> u64 {
        self.ids.iter().filter(|id| **id != NONE).count() as u64
    }

    /// Offsets without a message need not be committed by anybody, once all replicas in sync have
    /// them.
    fn skip_gaps(&mut self, visible: u64) {
        while self.committed < visible && self.ids.front() == Some(&NONE) {
            self.ids.pop_front();
            self.committed += 1;
        }
        self.handed_to = self.handed_to.max(self.committed);
    }

    /// Records from one offset up to before another go away if they were aborted.
    fn drop_aborted(
        &mut self,
        cx: &mut Ctx<'_>,
        (from, to): (u64, u64),
        is_aborted: &impl Fn(u64) -> bool,
    ) {
        let at = Node::Actor(cx.me);
        for offset in from.max(self.committed)..to.min(self.end()) {
            let msg = &mut self.ids[(offset - self.committed) as usize];
            if *msg != NONE && is_aborted(offset) {
                cx.fact(Fact::Dropped { msg: *msg, at, why: Why::Aborted });
                *msg = NONE;
            }
        }
    }

    /// Everything below an offset is done; consumers see what is below `visible`.
    fn commit(&mut self, cx: &mut Ctx<'_>, offset: u64, visible: u64) {
        while self.committed < offset {
            let Some(msg) = self.ids.pop_front() else { break };
            self.committed += 1;
            if msg != NONE {
                cx.fact(Fact::Acked { msg, at: cx.me });
            }
        }
        self.handed_to = self.handed_to.max(self.committed);
        self.skip_gaps(visible);
    }

    /// A consumer reads from `offset` on: what was handed out above it comes again.
    fn hand_over(&mut self, cx: &mut Ctx<'_>, port: u16, offset: u64) {
        self.owner = Some(port);
        self.rewind(cx, offset);
    }

    fn rewind(&mut self, cx: &mut Ctx<'_>, offset: u64) {
        let offset = offset.max(self.committed);
        let depth = self.ids.len() as u32;
        let at = cx.me;
        for msg in self.ids_in(offset, self.handed_to) {
            cx.fact(Fact::Requeued { msg, at, depth });
        }
        self.handed_to = offset;
        self.told_to = self.told_to.min(offset);
        self.told_open_to = self.told_open_to.min(offset);
        self.told = Cause::BrokerQueue;
    }

    /// States what its records wait for, where that has changed. `has_asked`: its owner's fetch
    /// waits.
    fn settle(&mut self, cx: &mut Ctx<'_>, sight: Sight, has_asked: bool) {
        let Sight { visible, stable, hidden, fresh } = sight;
        self.skip_gaps(visible);
        let seen = if self.isolation == Isolation::Committed { stable } else { visible };
        let cause = match self.owner {
            None => Cause::Unowned,
            Some(_) if has_asked => Cause::FetchWait,
            Some(_) => Cause::BrokerQueue,
        };
        let from = if cause == self.told { self.told_to } else { 0 }.max(self.handed_to);
        // A record that was put here just now waits in the queue already.
        let known = if cause == Cause::BrokerQueue { seen.min(fresh.max(from)) } else { seen };
        for msg in self.ids_in(from, known) {
            cx.fact(Fact::Held { msg, cause });
        }
        if seen < visible {
            for msg in self.ids_in(seen.max(self.told_open_to), visible) {
                cx.fact(Fact::Held { msg, cause: Cause::OpenTransaction });
            }
            self.told_open_to = visible;
        }
        for msg in self.ids_in(visible.max(fresh), self.end().max(visible)) {
            cx.fact(Fact::Held { msg, cause: hidden });
        }
        self.told = cause;
        self.told_to = seen;
    }
}

impl Shelf {
    /// For so many groups, none of which has begun.
    pub fn new(n_groups: u32) -> Shelf {
        Shelf { deliveries: (0..n_groups).map(|_| None).collect(), ..Shelf::default() }
    }

    /// A record was stored at `offset`, the end of all deliveries.
    pub fn store(&mut self, cx: &mut Ctx<'_>, offset: u64, message: &Message) {
        let at = cx.me;
        let mut is_first = true;
        for delivery in self.deliveries.iter_mut().flatten() {
            let mut msg = message.id;
            if !std::mem::take(&mut is_first) {
                msg = cx.new_message(message.key, message.bytes).id;
                cx.fact(Fact::Copied { msg, of: message.id, at });
            }
            debug_assert_eq!(delivery.end(), offset);
            delivery.ids.push_back(msg);
            cx.fact(Fact::Queued { msg, at, depth: delivery.ids.len() as u32 });
        }
        if is_first {
            if self.unclaimed.is_empty() {
                self.unclaimed_from = offset;
            }
            while self.unclaimed_from + (self.unclaimed.len() as u64) < offset {
                self.unclaimed.push_back(NONE);
            }
            self.unclaimed.push_back(message.id);
            let depth = self.unclaimed.len() as u32;
            cx.fact(Fact::Queued { msg: message.id, at, depth });
            cx.fact(Fact::Held { msg: message.id, cause: Cause::Unowned });
        }
    }

    /// A group begins to read at `start` of a log that ends at `end`. `message` tells what the log
    /// has at an offset.
    pub fn begin(
        &mut self,
        cx: &mut Ctx<'_>,
        group: u8,
        (start, end): (u64, u64),
        message: impl Fn(u64) -> Option<Message>,
    ) {
        let mut ids = VecDeque::new();
        for offset in start..end {
            ids.push_back(match message(offset) {
                Some(message) => self.copy_for_newcomer(cx, offset, &message),
                None => NONE,
            });
        }
        let delivery = Delivery {
            committed: start,
            ids,
            handed_to: start,
            seen_to: start,
            owner: None,
            isolation: Isolation::Uncommitted,
            told: Cause::BrokerQueue,
            told_to: start,
            told_open_to: start,
        };
        self.deliveries[usize::from(group)] = Some(delivery);
    }

    /// The message itself if nobody has it; a copy of what another group has yet to do; what all
    /// others have done is sent anew.
    fn copy_for_newcomer(&mut self, cx: &mut Ctx<'_>, offset: u64, message: &Message) -> MsgId {
        let at = cx.me;
        let place = offset.checked_sub(self.unclaimed_from).and_then(|n| usize::try_from(n).ok());
        let unclaimed = place.and_then(|place| self.unclaimed.get_mut(place));
        if let Some(msg) = unclaimed.filter(|msg| **msg != NONE) {
            return std::mem::replace(msg, NONE);
        }
        let open = self.deliveries.iter().flatten().find_map(|delivery| delivery.id(offset));
        let Message { key, bytes, .. } = *message;
        let msg = cx.new_message(key, bytes).id;
        match open {
            Some(of) => cx.fact(Fact::Copied { msg, of, at }),
            None => cx.fact(Fact::Sent { msg, by: at, key, bytes }),
        }
        cx.fact(Fact::Queued { msg, at, depth: 1 });
        msg
    }

    /// A consumer of a group reads from `offset` on, which may be lower than before. `reader`: its
    /// port, and what it sees.
    pub fn hand_over(
        &mut self,
        cx: &mut Ctx<'_>,
        group: u8,
        reader: (u16, Isolation),
        offset: u64,
        is_aborted: impl Fn(u64) -> bool,
    ) {
        let Some(delivery) = self.delivery_mut(group) else { return };
        delivery.hand_over(cx, reader.0, offset);
        if std::mem::replace(&mut delivery.isolation, reader.1) != reader.1 {
            delivery.told_open_to = delivery.committed;
            if reader.1 == Isolation::Committed {
                delivery.drop_aborted(cx, (0, u64::MAX), &is_aborted);
            }
        }
    }

    /// The marker of a transaction was stored at `offset`, the end of all deliveries.
    pub fn store_marker(&mut self, offset: u64) {
        for delivery in self.deliveries.iter_mut().flatten() {
            debug_assert_eq!(delivery.end(), offset);
            delivery.ids.push_back(NONE);
        }
    }

    /// A transaction from one offset up to before another was aborted: its records go to no group
    /// that reads committed ones.
    pub fn drop_aborted(
        &mut self,
        cx: &mut Ctx<'_>,
        span: (u64, u64),
        is_aborted: impl Fn(u64) -> bool,
    ) {
        for delivery in self.deliveries.iter_mut().flatten() {
            if delivery.isolation == Isolation::Committed {
                delivery.drop_aborted(cx, span, &is_aborted);
            }
        }
    }

    /// A consumer goes on elsewhere.
    pub fn seek(&mut self, cx: &mut Ctx<'_>, group: u8, offset: u64) {
        if let Some(delivery) = self.delivery_mut(group) {
            delivery.rewind(cx, offset);
        }
    }

    /// A group has done everything below an offset; consumers see what is below `visible`.
    pub fn commit(&mut self, cx: &mut Ctx<'_>, group: u8, offset: u64, visible: u64) {
        if let Some(delivery) = self.delivery_mut(group) {
            delivery.commit(cx, offset, visible);
        }
    }

    /// Everything from an offset on is gone: its leader died with it.
    pub fn truncate(&mut self, cx: &mut Ctx<'_>, end: u64) {
        let at = Node::Actor(cx.me);
        let mut lose = |msg: MsgId| {
            if msg != NONE {
                cx.fact(Fact::Dropped { msg, at, why: Why::Truncated });
            }
        };
        for delivery in self.deliveries.iter_mut().flatten() {
            while end < delivery.end() {
                let Some(msg) = delivery.ids.pop_back() else { break };
                lose(msg);
            }
            // What was done and is gone: the group goes on where the log ends.
            delivery.committed = delivery.committed.min(end);
            delivery.handed_to = delivery.handed_to.min(end);
            delivery.seen_to = delivery.seen_to.min(end);
            delivery.told_to = delivery.told_to.min(end);
            delivery.told_open_to = delivery.told_open_to.min(end);
        }
        while end < self.unclaimed_from + self.unclaimed.len() as u64 {
            let Some(msg) = self.unclaimed.pop_back() else { break };
            lose(msg);
        }
    }

    /// Everything below an offset was deleted.
    pub fn delete_before(&mut self, cx: &mut Ctx<'_>, start: u64) {
        let at = Node::Actor(cx.me);
        let mut lose = |msg: MsgId| {
            if msg != NONE {
                cx.fact(Fact::Dropped { msg, at, why: Why::Retention });
            }
        };
        for delivery in self.deliveries.iter_mut().flatten() {
            while delivery.committed < start {
                let Some(msg) = delivery.ids.pop_front() else { break };
                delivery.committed += 1;
                lose(msg);
            }
            delivery.handed_to = delivery.handed_to.max(delivery.committed);
        }
        while self.unclaimed_from < start {
            let Some(msg) = self.unclaimed.pop_front() else { break };
            self.unclaimed_from += 1;
            lose(msg);
        }
    }

    /// Records whose offsets are not in the log any more were replaced by later ones.
    pub fn compact(&mut self, cx: &mut Ctx<'_>, is_there: impl Fn(u64) -> bool) {
        let at = Node::Actor(cx.me);
        let mut lose = |offset: u64, msg: &mut MsgId| {
            if *msg != NONE && !is_there(offset) {
                cx.fact(Fact::Dropped { msg: *msg, at, why: Why::Compacted });
                *msg = NONE;
            }
        };
        for delivery in self.deliveries.iter_mut().flatten() {
            let first = delivery.committed;
            for (msg, offset) in delivery.ids.iter_mut().zip(first..) {
                lose(offset, msg);
            }
        }
        for (msg, offset) in self.unclaimed.iter_mut().zip(self.unclaimed_from..) {
            lose(offset, msg);
        }
    }

    /// States why consumers do not see what they do not see.
    pub fn tell_hidden(&self, cx: &mut Ctx<'_>, sight: Sight) {
        for delivery in self.deliveries.iter().flatten() {
            for msg in delivery.ids_in(sight.visible.max(delivery.handed_to), delivery.end()) {
                cx.fact(Fact::Held { msg, cause: sight.hidden });
            }
        }
    }

    /// States what records wait for, where that has changed. `has_asked` tells of a port whether
    /// its fetch waits.
    pub fn settle(&mut self, cx: &mut Ctx<'_>, sight: Sight, has_asked: impl Fn(u16) -> bool) {
        for delivery in self.deliveries.iter_mut().flatten() {
            let asked = delivery.owner.is_some_and(&has_asked);
            delivery.settle(cx, sight, asked);
        }
    }

    /// What a group has to do.
    pub fn delivery(&self, group: u8) -> Option<&Delivery> {
        self.deliveries.get(usize::from(group))?.as_ref()
    }

    /// The same, to be changed.
    pub fn delivery_mut(&mut self, group: u8) -> Option<&mut Delivery> {
        self.deliveries.get_mut(usize::from(group))?.as_mut()
    }

    /// Copies that the broker holds.
    pub fn n_held(&self) -> u64 {
        let unclaimed = self.unclaimed.iter().filter(|id| **id != NONE).count() as u64;
        unclaimed + self.deliveries.iter().flatten().map(Delivery::n_held).sum::<u64>()
    }
}
