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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SimSpan;
    use crate::model::broker::{AckMode, ConnectionNo, ConsumeSpec, QueueSpec};

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + SimSpan::ms(ms)
    }

    /// A broker with a queue `dead` and a queue `q` that sends its dead letters there.
    fn bench(spec: QueueSpec) -> (Broker<u64>, [QueueId; 2], ChannelNo) {
        let mut broker = Broker::new();
        let dead = broker.add_queue("dead", QueueSpec::default());
        let key = Some(broker.name("dead"));
        let dead_letter = Some(DeadLetter { exchange: Name::EMPTY, key });
        let q = broker.add_queue("q", QueueSpec { dead_letter, ..spec });
        let channel = broker.open_channel(ConnectionNo(0));
        (broker, [q, dead], channel)
    }

    fn publish(broker: &mut Broker<u64>, channel: ChannelNo, ttl_ms: Option<u32>, message: u64) {
        let mut publish = Publish::new(Name::EMPTY, broker.name("q"), 1, message);
        publish.envelope.expiration_ms = ttl_ms;
        broker.publish(channel, &publish, &mut Vec::new());
    }

    fn ready(broker: &Broker<u64>, id: QueueId) -> Vec<u64> {
        let queue = broker.queue(id).expect("not deleted");
        queue.ready().map(|entry| entry.message).collect()
    }

    #[test]
    fn what_expired_behind_a_live_head_goes_when_it_becomes_the_head() {
        let (mut broker, [q, dead], channel) = bench(QueueSpec::default());
        for (message, ttl_ms) in [(1, 600), (2, 200), (3, 400)] {
            publish(&mut broker, channel, Some(ttl_ms), message);
        }
        let mut out = Vec::new();
        assert_eq!(broker.next_wake(), Some(at(600)));
        broker.on_wake(at(599), &mut out);
        assert_eq!(ready(&broker, q), [1, 2, 3]);
        broker.on_wake(at(600), &mut out);
        assert_eq!(ready(&broker, dead), [1, 2, 3]);
        assert_eq!(broker.next_wake(), None);
    }

    #[test]
    fn a_fetch_throws_out_what_stands_expired_behind_it() {
        let (mut broker, [q, dead], channel) = bench(QueueSpec::default());
        publish(&mut broker, channel, None, 1);
        publish(&mut broker, channel, Some(100), 2);
        broker.set_now(at(300));
        let got = broker.get(channel, q, AckMode::Auto, &mut Vec::new()).expect("1 is there");
        assert_eq!((got.message, got.remaining), (1, 0));
        assert_eq!(ready(&broker, dead), [2]);
    }

    #[test]
    fn a_ttl_of_zero_reaches_a_free_consumer_and_nobody_else() {
        let spec = QueueSpec { message_ttl: Some(SimSpan::ZERO), ..QueueSpec::default() };
        let (mut broker, [q, dead], channel) = bench(spec);
        publish(&mut broker, channel, None, 1);
        assert_eq!((ready(&broker, q), ready(&broker, dead)), (vec![], vec![1]));
        broker.consume(channel, q, ConsumeSpec::default(), &mut Vec::new());
        publish(&mut broker, channel, None, 2);
        assert_eq!(broker.channel(channel).map(|channel| channel.unacked().count()), Some(1));
    }

    #[test]
    fn a_requeue_does_not_restart_the_time() {
        let spec = QueueSpec { message_ttl: Some(SimSpan::ms(100)), ..QueueSpec::default() };
        let (mut broker, [q, dead], channel) = bench(spec);
        publish(&mut broker, channel, None, 1);
        let mut out = Vec::new();
        let tag = broker.get(channel, q, AckMode::Manual, &mut out).expect("1 is there").tag;
        broker.on_wake(at(150), &mut out);
        assert!(ready(&broker, dead).is_empty());
        broker.nack(channel, tag, false, true, &mut out);
        assert_eq!(ready(&broker, dead), [1]);
    }

    #[test]
    fn a_letter_that_comes_back_by_itself_is_lost() {
        let spec = QueueSpec { message_ttl: Some(SimSpan::ms(100)), ..QueueSpec::default() };
        let (mut broker, _, channel) = bench(spec);
        // Dead letters of `dead` go back to `q`.
        let dead = broker.queue_named("dead").expect("declared above");
        let key = Some(broker.name("q"));
        let queue = broker.queue_mut(dead).expect("declared above");
        let dead_letter = Some(DeadLetter { exchange: Name::EMPTY, key });
        queue.spec = QueueSpec { dead_letter, ..spec };
        publish(&mut broker, channel, None, 1);
        let mut out = Vec::new();
        broker.on_wake(at(100), &mut out);
        assert_eq!(ready(&broker, dead), [1]);
        broker.on_wake(at(200), &mut out);
        let lost = Effect::Dropped { queue: None, why: DropReason::Circle, message: 1 };
        assert_eq!(out.last(), Some(&lost));
    }

    #[test]
    fn an_unused_queue_goes_after_its_time_and_a_used_one_does_not() {
        let spec = QueueSpec { expires: Some(SimSpan::ms(400)), ..QueueSpec::default() };
        let (mut broker, [q, _], channel) = bench(spec);
        let mut out = Vec::new();
        broker.on_wake(at(300), &mut out);
        assert!(broker.look(channel, q, &mut out));
        // Publishing is no use.
        broker.on_wake(at(600), &mut out);
        publish(&mut broker, channel, None, 1);
        broker.on_wake(at(699), &mut out);
        assert!(broker.queue(q).is_some());
        let consumer = broker.consume(channel, q, ConsumeSpec::default(), &mut out);
        broker.on_wake(at(2_000), &mut out);
        assert!(broker.queue(q).is_some());
        broker.cancel(channel, consumer.expect("a free queue"), &mut out);
        broker.on_wake(at(2_400), &mut out);
        assert!(broker.queue(q).is_none());
    }
}
