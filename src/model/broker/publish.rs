//! Publishing: routing, limits, confirms, returns.

use super::channel::Mode;
use super::effect::{ChannelError, DropReason, Effect};
use super::exchange::route;
use super::names::Name;
use super::queue::{Entry, Overflow, Queue};
use super::{Broker, ChannelNo, QueueId};

/// A message on its way into the broker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publish<M> {
    /// The exchange; [`Name::EMPTY`] is the default one.
    pub exchange: Name,
    /// The routing key.
    pub key: Name,
    /// Comes back when no queue gets it.
    pub mandatory: bool,
    /// Its priority; counts only in queues with `max_priority`.
    pub priority: u8,
    /// Size of the body in bytes.
    pub bytes: u32,
    /// The message itself.
    pub message: M,
}

/// What became of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Every queue that it was routed to has it.
    Routed,
    /// It was routed, but a full queue refused it.
    Refused,
    /// No queue wanted it: lost or returned.
    Unroutable,
    /// Nothing happened: this queue is full and lets publishers wait. [`Effect::Room`] says when
    /// to try again.
    Blocked(QueueId),
    /// The channel is closed, before or by this.
    Closed,
}

impl<M: Copy> Broker<M> {
    /// Publishes a message through an exchange.
    pub fn publish(
        &mut self,
        channel: ChannelNo,
        publish: &Publish<M>,
        out: &mut Vec<Effect<M>>,
    ) -> Taken {
        if self.clients.channel(channel).is_none() {
            return Taken::Closed;
        }
        let Some(exchange) = self.names.exchange(publish.exchange) else {
            self.fail(channel, ChannelError::NoExchange(publish.exchange), out);
            return Taken::Closed;
        };
        if self.exchange(exchange).is_some_and(|exchange| exchange.spec.internal) {
            self.fail(channel, ChannelError::InternalExchange(publish.exchange), out);
            return Taken::Closed;
        }
        let mut targets = std::mem::take(&mut self.targets);
        route(&self.exchanges, &self.names, exchange, publish.key, &mut targets);
        let taken = self.offer(channel, publish, &targets, out);
        targets.clear();
        self.targets = targets;
        taken
    }

    /// Publishes a message straight to one queue, as through the default exchange.
    #[inline]
    pub fn publish_to(
        &mut self,
        channel: ChannelNo,
        queue: QueueId,
        bytes: u32,
        message: M,
        out: &mut Vec<Effect<M>>,
    ) -> Taken {
        if self.clients.channel(channel).is_none() {
            return Taken::Closed;
        }
        let key = self.queue(queue).map(|queue| queue.name);
        let targets = if key.is_some() { &[queue][..] } else { &[] };
        let publish = Publish {
            exchange: Name::EMPTY,
            key: key.unwrap_or(Name::EMPTY),
            mandatory: false,
            priority: 0,
            bytes,
            message,
        };
        self.offer(channel, &publish, targets, out)
    }

    /// Switches a channel to confirms: every publish from now on is numbered and answered.
    pub fn confirm_select(&mut self, channel: ChannelNo) {
        if let Some(channel) = self.clients.channel_mut(channel)
            && channel.mode == Mode::Plain
        {
            channel.mode = Mode::Confirm { last_seq: 0 };
        }
    }

    /// Whether a queue would take a message of this size now, without letting the publisher wait.
    pub fn can_take(&self, id: QueueId, bytes: u32) -> bool {
        let Some(queue) = self.queue(id) else { return true };
        if queue.spec.overflow != Overflow::Block || queue.has_room(bytes) {
            return true;
        }
        if 0 < queue.n_ready() {
            return false;
        }
        // Nothing is ready: what can pass through may, and a body that is larger than the limit
        // must, or its publisher would wait for ever.
        queue.spec.max_length != Some(0) || self.clients.anyone_free(queue)
    }

    /// Offers a message to the queues it was routed to and answers the publisher.
    #[inline]
    fn offer(
        &mut self,
        channel: ChannelNo,
        publish: &Publish<M>,
        targets: &[QueueId],
        out: &mut Vec<Effect<M>>,
    ) -> Taken {
        if let Some(id) = targets.iter().find(|id| !self.can_take(**id, publish.bytes)) {
            self.queue_mut(*id).expect("a full queue exists").publisher_waits = true;
            return Taken::Blocked(*id);
        }
        let mut taken = Taken::Routed;
        for id in targets {
            if !self.enter(*id, publish, out) {
                taken = Taken::Refused;
            }
        }
        if targets.is_empty() {
            taken = Taken::Unroutable;
            out.push(match publish.mandatory {
                true => Effect::Return { channel, message: publish.message },
                false => Effect::Dropped {
                    queue: None,
                    why: DropReason::Unroutable,
                    message: publish.message,
                },
            });
        }
        if let Some(publisher) = self.clients.channel_mut(channel)
            && let Mode::Confirm { last_seq } = &mut publisher.mode
        {
            *last_seq += 1;
            // What cannot be routed is confirmed too: the broker has done all it can.
            out.push(Effect::Confirm { channel, seq: *last_seq, ack: taken != Taken::Refused });
        }
        taken
    }

    /// Takes a new message into a queue: straight to a consumer if one is free.
    #[inline]
    fn enter(&mut self, id: QueueId, publish: &Publish<M>, out: &mut Vec<Effect<M>>) -> bool {
        let message = publish.message;
        let Some(queue) = self.queues.get_mut(u32::from(id.0)) else { return true };
        // Refused before anyone looks at the consumers.
        if queue.spec.overflow == Overflow::RejectPublish && !queue.has_room(publish.bytes) {
            out.push(Effect::Dropped { queue: Some(id), why: DropReason::QueueFull, message });
            return false;
        }
        let entry = Entry {
            position: queue.take_position(),
            bytes: publish.bytes,
            exchange: publish.exchange,
            key: publish.key,
            priority: publish.priority.min(queue.spec.max_priority),
            redelivered: false,
            message,
        };
        // While something is ready nobody is free: the dispatch before this one saw to it.
        if queue.n_ready() == 0
            && let Some(taker) = self.clients.next_taker(queue)
        {
            self.clients.deliver(id, queue, taker, entry, out);
            return true;
        }
        queue.push(entry);
        out.push(Effect::Queued { queue: id, ready: queue.n_ready(), message });
        drop_excess(id, queue, out);
        true
    }
}

/// Drops heads until the queue is within its limit.
#[inline]
pub(super) fn drop_excess<M: Copy>(id: QueueId, queue: &mut Queue<M>, out: &mut Vec<Effect<M>>) {
    if !queue.is_over_limit() || queue.spec.overflow != Overflow::DropHead {
        return;
    }
    while queue.is_over_limit() {
        let entry = queue.pop().expect("a queue over its limit is not empty");
        let why = DropReason::MaxLength;
        out.push(Effect::Dropped { queue: Some(id), why, message: entry.message });
    }
}
