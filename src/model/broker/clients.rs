//! Channels and consumers together, and how they meet a queue: whose turn it is, who is blocked.
//!
//! RabbitMQ's `rabbit_queue_consumers.erl` is the source of the order of every step here.

use super::channel::{AckMode, Channel, Consumer, Holder, Unacked};
use super::effect::{Effect, Mark};
use super::queue::{Entry, Queue, QueueKind};
use super::slab::Slab;
use super::{ChannelNo, ConsumerId, QueueId};

/// All clients of a broker.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clients<M> {
    pub(super) channels: Slab<Channel<M>>,
    pub(super) consumers: Slab<Consumer>,
    /// Channels opened so far: makes the numbers of closed channels stale.
    pub(super) n_opened: u32,
}

impl<M: Copy> Clients<M> {
    pub(super) fn new() -> Clients<M> {
        Clients { channels: Slab::new(), consumers: Slab::new(), n_opened: 0 }
    }

    /// The channel of a number; `None` when it is closed.
    #[inline]
    pub(super) fn channel(&self, number: ChannelNo) -> Option<&Channel<M>> {
        self.channels.get(number.slot()).filter(|channel| channel.number == number)
    }

    /// The channel of a number, to change it.
    #[inline]
    pub(super) fn channel_mut(&mut self, number: ChannelNo) -> Option<&mut Channel<M>> {
        self.channels.get_mut(number.slot()).filter(|channel| channel.number == number)
    }

    /// Whether a consumer may get one more message now.
    #[inline]
    fn has_window(&self, consumer: &Consumer) -> bool {
        if consumer.spec.ack == AckMode::Auto {
            return true;
        }
        let channel = self.channels.get(consumer.channel.slot());
        consumer.has_window() && channel.is_some_and(Channel::has_window)
    }

    /// Whether some active consumer of a queue could take a message now.
    pub(super) fn anyone_free(&self, queue: &Queue<M>) -> bool {
        queue
            .active
            .iter(&self.consumers)
            .any(|id| self.consumers.get(id.0).is_some_and(|c| self.has_window(c)))
    }

    /// The consumer whose turn it is and who has room; it goes to the end of its class.
    ///
    /// Consumers before it whose window is full become blocked.
    #[inline]
    pub(super) fn next_taker(&mut self, queue: &mut Queue<M>) -> Option<ConsumerId> {
        while let Some(id) = queue.active.first() {
            let consumer = self.consumers.get(id.0).expect("an active consumer exists");
            if self.has_window(consumer) {
                queue.active.rotate(&mut self.consumers);
                return Some(id);
            }
            let slot = consumer.channel.slot();
            queue.active.pop(&self.consumers);
            let channel = self.channels.get_mut(slot).expect("its channel is open");
            channel.blocked.push(&mut self.consumers, id);
        }
        None
    }

    /// Hands a message to a consumer under its channel's next tag; says how it acknowledges.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        id: QueueId,
        queue: &mut Queue<M>,
        taker: ConsumerId,
        entry: Entry<M>,
        out: &mut Vec<Effect<M>>,
    ) -> AckMode {
        let consumer = self.consumers.get_mut(taker.0).expect("a taker exists");
        let slot = consumer.channel.slot();
        let channel = self.channels.get_mut(slot).expect("its channel is open");
        let tag = channel.take_tag();
        out.push(Effect::Deliver {
            channel: channel.number,
            consumer: taker,
            queue: id,
            tag,
            redelivered: entry.redelivered,
            ready: queue.n_ready(),
            envelope: entry.envelope,
            mark: mark(queue.spec.kind, &entry),
            message: entry.message,
        });
        if consumer.spec.ack == AckMode::Manual {
            consumer.unacked += 1;
            channel.n_consumed += 1;
            queue.n_unacked += 1;
            let holder = Holder::Consumer(taker);
            channel.unacked.push_back(Unacked { tag, queue: Some(id), holder, entry });
        }
        consumer.spec.ack
    }

    /// Adds the queues for which a channel has blocked consumers, each once, in blocked order.
    pub(super) fn blocked_queues(&self, number: ChannelNo, queues: &mut Vec<QueueId>) {
        let blocked = self.channel(number).into_iter().map(|channel| &channel.blocked);
        let blocked = blocked.flat_map(|line| line.iter(&self.consumers));
        for consumer in blocked.filter_map(|id| self.consumers.get(id.0)) {
            if !queues.contains(&consumer.queue) {
                queues.push(consumer.queue);
            }
        }
    }

    /// Forgets a consumer that stands in no line of its queue; its messages stay with the
    /// channel. `None` when there is no such.
    pub(super) fn forget(&mut self, id: ConsumerId) -> Option<Consumer> {
        let consumer = *self.consumers.get(id.0)?;
        let channel = self.channels.get_mut(consumer.channel.slot());
        let channel = channel.expect("a consumer's channel is open");
        channel.blocked.remove(&mut self.consumers, id);
        channel.consumers.retain(|other| *other != id);
        for unacked in channel.all_unacked_mut() {
            if unacked.holder == Holder::Consumer(id) {
                unacked.holder = Holder::Cancelled;
            }
        }
        self.consumers.remove(id.0)
    }
}

/// What a queue adds to the headers of a message.
pub(super) fn mark<M>(kind: QueueKind, entry: &Entry<M>) -> Mark {
    match kind {
        QueueKind::Quorum if 0 < entry.n_failed => Mark::Failed(entry.n_failed),
        QueueKind::Stream => Mark::Offset(entry.position),
        QueueKind::Classic | QueueKind::Quorum => Mark::None,
    }
}
