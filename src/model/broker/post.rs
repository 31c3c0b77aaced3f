//! Time to live, length limits, and dead letters on their way.
//!
//! Only the *head* of a queue is ever examined: when the timer set for it fires, after a fetch,
//! after a publish that made the queue's length 1 or overflowed it, and after a requeue
//! (`rabbit_amqqueue_process.erl`, `drop_expired_msgs`). So what expired behind a live head still
//! counts as ready, but nobody gets it.

use std::collections::VecDeque;

use super::death::Death;
use super::effect::{DropReason, Effect};
use super::envelope::Envelope;
use super::exchange::Map;
use super::names::Name;
use super::publish::Publish;
use super::queue::{DeadLetter, Entry, Overflow, Queue};
use super::{Broker, ChannelNo, QueueId};
use crate::kernel::SimTime;

/// A dead letter on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Letter<M> {
    /// The queue that it left.
    from: Name,
    why: DropReason,
    to: DeadLetter,
    entry: Entry<M>,
}

/// The time, and what queues throw out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Post<M> {
    /// What the caller said last.
    pub(super) now: SimTime,
    /// No timer of a queue is due before; may be too early, because timers are also forgotten.
    pub(super) next_timer: Option<SimTime>,
    /// Dead letters in the order of their deaths; empty between calls.
    letters: VecDeque<Letter<M>>,
}

impl<M: Copy> Post<M> {
    pub(super) fn new() -> Post<M> {
        Post { now: SimTime::ZERO, next_timer: None, letters: VecDeque::new() }
    }

    /// A timer was set.
    #[inline]
    pub(super) fn expect(&mut self, at: SimTime) {
        self.next_timer = Some(self.next_timer.map_or(at, |next| next.min(at)));
    }

    /// Throws out heads whose time is up, and sets the timer for the one that stays.
    #[inline]
    pub(super) fn expire(&mut self, id: QueueId, queue: &mut Queue<M>, out: &mut Vec<Effect<M>>) {
        while let Some(expires_at) = queue.head().and_then(|head| head.expires_at) {
            if self.now < expires_at {
                if queue.ttl_timer.is_none_or(|timer| expires_at < timer) {
                    queue.ttl_timer = Some(expires_at);
                    self.expect(expires_at);
                }
                return;
            }
            let entry = queue.pop().expect("it has a head");
            self.throw_out(id, queue, entry, DropReason::Expired, out);
        }
    }

    /// Throws out heads until the queue is within its limit; says whether there was one.
    #[inline]
    pub(super) fn drop_excess(
        &mut self,
        id: QueueId,
        queue: &mut Queue<M>,
        out: &mut Vec<Effect<M>>,
    ) -> bool {
        if !queue.is_over_limit() || queue.spec.overflow != Overflow::DropHead {
            return false;
        }
        while queue.is_over_limit() {
            let entry = queue.pop().expect("a queue over its limit is not empty");
            self.throw_out(id, queue, entry, DropReason::MaxLength, out);
        }
        true
    }

    /// A message leaves its queue: as a dead letter if the queue has an address for them.
    pub(super) fn throw_out(
        &mut self,
        id: QueueId,
        queue: &mut Queue<M>,
        entry: Entry<M>,
        why: DropReason,
        out: &mut Vec<Effect<M>>,
    ) {
        // A dead letter is written where it goes and leaves here in one step.
        if queue.spec.dead_letter.is_none() || why.death_word().is_none() {
            queue.note_removal(self.now, &entry);
        }
        self.refuse(id, queue, entry, why, out);
    }

    /// The same for a message that never was in the queue.
    pub(super) fn refuse(
        &mut self,
        id: QueueId,
        queue: &Queue<M>,
        entry: Entry<M>,
        why: DropReason,
        out: &mut Vec<Effect<M>>,
    ) {
        let message = entry.message;
        if let Some(to) = queue.spec.dead_letter
            && why.death_word().is_some()
        {
            out.push(Effect::DeadLettered { queue: id, why, message });
            self.letters.push_back(Letter { from: queue.name, why, to, entry });
        } else {
            out.push(Effect::Dropped { queue: Some(id), why, message });
        }
    }
}

impl<M: Copy> Broker<M> {
    /// Tells the time. Everything that clients do from now on happens then.
    ///
    /// What is due by then happens in [`Broker::on_wake`]; a caller that is punctual calls that
    /// first. Time never goes back: an earlier time changes nothing.
    #[inline]
    pub fn set_now(&mut self, now: SimTime) {
        self.post.now = self.post.now.max(now);
    }

    /// Does what is due at `now`: messages whose time is up, queues unused for too long.
    ///
    /// Coming early or late does no harm.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Effect<M>>) {
        self.set_now(now);
        while self.post.next_timer.is_some_and(|next| next <= self.post.now) {
            let due = |queue: &Queue<M>| {
                let timers = [queue.ttl_timer, queue.unused_until];
                timers.into_iter().flatten().min()
            };
            let timers = self.queues().filter_map(|(id, queue)| Some((due(queue)?, id)));
            let first = timers.min();
            self.post.next_timer = first.map(|(at, _)| at);
            if let Some((at, id)) = first
                && at <= self.post.now
            {
                self.on_timer(id, out);
            }
        }
    }

    /// Earliest time at which [`Broker::on_wake`] may have something to do.
    ///
    /// May change with every call. `None`: only a client can wake this broker.
    #[inline]
    pub fn next_wake(&self) -> Option<SimTime> {
        self.post.next_timer
    }

    /// The time that was told last.
    pub fn now(&self) -> SimTime {
        self.post.now
    }

    /// A client asks whether a queue is there and how full it is, as a passive declaration does:
    /// that counts as use. `false`: another connection owns it, the channel is closed.
    pub fn look(&mut self, number: ChannelNo, id: QueueId, out: &mut Vec<Effect<M>>) -> bool {
        let may_use = self.may_use(number, id, out);
        if may_use {
            self.use_queue(id);
        }
        may_use
    }

    /// A queue is used: the time after which it would be deleted begins anew. Publishing and
    /// waiting messages are no use; a consumer keeps it for as long as it stays.
    pub(super) fn use_queue(&mut self, id: QueueId) {
        let Broker { queues, post, .. } = self;
        let Some(queue) = queues.get_mut(id.0.into()) else { return };
        if let Some(expires) = queue.spec.expires {
            let until = (queue.n_consumers == 0).then(|| post.now.saturating_add(expires));
            queue.unused_until = until;
            until.into_iter().for_each(|until| post.expect(until));
        }
    }

    fn on_timer(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) {
        let Broker { queues, post, .. } = self;
        let queue = queues.get_mut(id.0.into()).expect("a queue with a timer exists");
        if queue.unused_until.is_some_and(|until| until <= post.now) {
            self.remove_queue(id, out);
            return;
        }
        queue.ttl_timer = None;
        post.expire(id, queue, out);
        self.tell_room(id, out);
        self.deliver_letters(out);
    }

    /// Brings dead letters to where they go, and what that throws out in turn.
    #[inline]
    pub(super) fn deliver_letters(&mut self, out: &mut Vec<Effect<M>>) {
        while let Some(letter) = self.post.letters.pop_front() {
            self.deliver_letter(&letter, out);
        }
    }

    /// Publishes a dead letter. A missing exchange, no route, or a circle that no client closed:
    /// it is lost without a word (`rabbit_dead_letter.erl`).
    fn deliver_letter(&mut self, letter: &Letter<M>, out: &mut Vec<Effect<M>>) {
        let Letter { why, to, entry, .. } = *letter;
        let message = entry.message;
        let mut lost = |why| out.push(Effect::Dropped { queue: None, why, message });
        let Some(exchange) = self.names.exchange(to.exchange) else {
            return lost(DropReason::Unroutable);
        };
        let Some(history) = self.histories.with(entry.envelope.history, self.death(letter)) else {
            return lost(why);
        };
        let headers = match to.key {
            Some(_) => self.tables.without_copies(entry.envelope.headers),
            None => entry.envelope.headers,
        };
        let envelope = Envelope {
            exchange: to.exchange,
            key: to.key.unwrap_or(entry.envelope.key),
            headers,
            history,
            expiration_ms: None,
            ..entry.envelope
        };
        let mut targets = std::mem::take(&mut self.targets);
        let Broker { exchanges, names, tables, histories, queues, asked, .. } = self;
        Map { exchanges, names, tables }.route(exchange, &envelope, &mut targets, asked);
        if targets.is_empty() {
            lost(DropReason::Unroutable);
        } else if why != DropReason::Rejected {
            targets.retain(|id| {
                let queue = queues.get(id.0.into()).expect("routing finds queues that exist");
                !histories.is_circle(history, queue.name)
            });
            if targets.is_empty() {
                lost(DropReason::Circle);
            }
        }
        let publish = Publish { envelope, mandatory: false, bytes: entry.bytes, message };
        for id in targets.drain(..) {
            self.enter(id, &publish, out);
        }
        self.targets = targets;
    }

    fn death(&self, letter: &Letter<M>) -> Death {
        let Envelope { exchange, key, headers, expiration_ms, .. } = letter.entry.envelope;
        let copies = self.tables.texts(headers, Name::CC).iter().copied();
        let keys = std::iter::once(key).chain(copies).collect();
        Death { queue: letter.from, reason: letter.why, count: 1, exchange, keys, expiration_ms }
    }
}
