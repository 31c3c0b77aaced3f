//! Publishing: routing, limits, confirms, returns.

use super::channel::Mode;
use super::effect::{ChannelError, DropReason, Effect};
use super::envelope::Envelope;
use super::exchange::Map;
use super::names::Name;
use super::queue::{Entry, Overflow, QueueKind};
use super::{Broker, ChannelNo, QueueId};

/// A message on its way into the broker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publish<M> {
    /// What is written on it.
    pub envelope: Envelope,
    /// Comes back when no queue gets it.
    pub mandatory: bool,
    /// Size of the body in bytes.
    pub bytes: u32,
    /// The message itself.
    pub message: M,
}

impl<M> Publish<M> {
    /// A transient message to an exchange, without headers, priority or expiration.
    pub fn new(exchange: Name, key: Name, bytes: u32, message: M) -> Publish<M> {
        let envelope = Envelope { exchange, key, ..Envelope::default() };
        Publish { envelope, mandatory: false, bytes, message }
    }
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
    /// It waits for the channel to commit.
    Pending,
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
        let name = publish.envelope.exchange;
        let Some(exchange) = self.names.exchange(name) else {
            self.fail(channel, ChannelError::NoExchange(name), out);
            return Taken::Closed;
        };
        if self.exchange(exchange).is_some_and(|exchange| exchange.spec.internal) {
            self.fail(channel, ChannelError::InternalExchange(name), out);
            return Taken::Closed;
        }
        let mut targets = std::mem::take(&mut self.targets);
        let Broker { exchanges, names, tables, asked, .. } = self;
        Map { exchanges, names, tables }.route(exchange, &publish.envelope, &mut targets, asked);
        let taken = self.accept(channel, publish, &targets, out);
        targets.clear();
        self.targets = targets;
        self.deliver_letters(out);
        taken
    }

    /// The queues that a message with this envelope would go to, appended to `targets`; `false`:
    /// there is no such exchange.
    pub fn find_targets(&mut self, envelope: &Envelope, targets: &mut Vec<QueueId>) -> bool {
        let Some(exchange) = self.names.exchange(envelope.exchange) else { return false };
        let Broker { exchanges, names, tables, asked, .. } = self;
        Map { exchanges, names, tables }.route(exchange, envelope, targets, asked);
        true
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
        let key = self.queue(queue).map(|queue| queue.name);
        let publish = Publish::new(Name::EMPTY, key.unwrap_or(Name::EMPTY), bytes, message);
        self.put(channel, queue, &publish, out)
    }

    /// Publishes a message straight to one queue, whatever is written on it.
    #[inline]
    pub fn put(
        &mut self,
        channel: ChannelNo,
        queue: QueueId,
        publish: &Publish<M>,
        out: &mut Vec<Effect<M>>,
    ) -> Taken {
        if self.clients.channel(channel).is_none() {
            return Taken::Closed;
        }
        let targets = if self.queue(queue).is_some() { &[queue][..] } else { &[] };
        let taken = self.accept(channel, publish, targets, out);
        self.deliver_letters(out);
        taken
    }

    /// Switches a channel to confirms: every publish from now on is numbered and answered.
    ///
    /// A channel with transactions is closed instead.
    pub fn confirm_select(&mut self, number: ChannelNo, out: &mut Vec<Effect<M>>) {
        let Some(channel) = self.clients.channel_mut(number) else { return };
        match channel.mode {
            Mode::Plain => channel.mode = Mode::Confirm { last_seq: 0 },
            Mode::Confirm { .. } => {}
            Mode::Tx(_) => self.fail(number, ChannelError::TxToConfirm, out),
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

    /// Takes a message for the queues it was routed to, unless one of them lets publishers wait.
    #[inline]
    fn accept(
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
        if self.wait_for_commit(channel, publish, targets) {
            return Taken::Pending;
        }
        self.offer(channel, publish, targets, out)
    }

    /// Offers a message to the queues it was routed to and answers the publisher.
    #[inline]
    pub(super) fn offer(
        &mut self,
        channel: ChannelNo,
        publish: &Publish<M>,
        targets: &[QueueId],
        out: &mut Vec<Effect<M>>,
    ) -> Taken {
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

    /// Takes a new message into a queue: straight to a consumer if one is free. `false`: refused.
    #[inline]
    pub(super) fn enter(
        &mut self,
        id: QueueId,
        publish: &Publish<M>,
        out: &mut Vec<Effect<M>>,
    ) -> bool {
        let Publish { envelope, bytes, message, .. } = *publish;
        let Broker { queues, clients, post, .. } = self;
        let Some(queue) = queues.get_mut(id.0.into()) else { return true };
        let mut entry = Entry {
            position: queue.next_position(),
            bytes,
            envelope,
            expires_at: queue.expiry(post.now, envelope.expiration_ms),
            n_failed: 0,
            priority: envelope.priority.min(queue.spec.max_priority),
            redelivered: false,
            message,
        };
        // Refused before anyone looks at the consumers.
        if queue.refuses() && !queue.has_room(bytes) {
            let dies = queue.spec.overflow == Overflow::RejectPublishDlx;
            let why = if dies { DropReason::MaxLength } else { DropReason::QueueFull };
            post.refuse(id, queue, entry, why, out);
            return false;
        }
        entry.position = queue.take_position();
        // While something is ready nobody is free: the dispatch before this one saw to it.
        if queue.n_ready() == 0
            && queue.spec.kind != QueueKind::Stream
            && let Some(taker) = clients.next_taker(queue)
        {
            clients.deliver(id, queue, taker, entry, out);
            return true;
        }
        queue.push(entry);
        out.push(Effect::Queued { queue: id, ready: queue.n_ready(), message });
        let has_dropped = post.drop_excess(id, queue, out);
        if has_dropped || queue.n_ready() == 1 {
            post.expire(id, queue, out);
        }
        if queue.spec.kind == QueueKind::Stream {
            self.serve_stream(id, out);
        }
        true
    }
}
