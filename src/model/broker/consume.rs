//! Channels open, consumers start and end, windows are set.

use super::channel::{AckMode, CHANNELS_LIMIT, Channel, ConsumeSpec, Consumer};
use super::effect::{ChannelError, Effect};
use super::names::Name;
use super::queue::QueueKind;
use super::{Broker, ChannelNo, ConnectionNo, ConsumerId, QueueId};

impl<M: Copy> Broker<M> {
    /// Opens a channel on a connection.
    pub fn open_channel(&mut self, connection: ConnectionNo) -> ChannelNo {
        let slot = self.clients.channels.next_slot();
        assert!(slot < CHANNELS_LIMIT, "at most {CHANNELS_LIMIT} channels are open at once");
        // The upper half makes the number differ from the former ones of this slot.
        let number = ChannelNo(slot | self.clients.n_opened.wrapping_mul(CHANNELS_LIMIT));
        self.clients.n_opened = self.clients.n_opened.wrapping_add(1);
        self.clients.channels.insert(Channel::new(number, connection));
        number
    }

    /// Sets the window: for consumers that start later on the channel, or with `global` one
    /// limit for all of the channel, at once. 0 means no limit.
    pub fn qos(
        &mut self,
        number: ChannelNo,
        prefetch: u32,
        global: bool,
        out: &mut Vec<Effect<M>>,
    ) {
        let Some(channel) = self.clients.channel_mut(number) else { return };
        if global {
            channel.global_prefetch = prefetch;
            self.wake_blocked(number, out);
        } else {
            channel.prefetch = prefetch;
        }
    }

    /// Starts a consumer. `None`: refused, the channel is closed.
    ///
    /// It stands behind the others of its class, and a backlog flows to it at once.
    pub fn consume(
        &mut self,
        number: ChannelNo,
        id: QueueId,
        spec: ConsumeSpec,
        out: &mut Vec<Effect<M>>,
    ) -> Option<ConsumerId> {
        if !self.may_use(number, id, out) {
            return None;
        }
        let queue = self.queues.get_mut(u32::from(id.0))?;
        let shut_out = queue.exclusive_consumer.is_some();
        let not_alone = spec.exclusive && 0 < queue.n_consumers;
        if shut_out || not_alone {
            let error = ChannelError::ExclusiveConsumer(queue.name);
            self.fail(number, error, out);
            return None;
        }
        let channel = self.clients.channels.get_mut(number.slot())?;
        let prefetch = channel.prefetch;
        if queue.spec.kind == QueueKind::Stream
            && let Some(error) = stream_refusal(queue.name, prefetch, &spec)
        {
            self.fail(number, error, out);
            return None;
        }
        let consumer = Consumer {
            channel: number,
            queue: id,
            spec,
            prefetch,
            unacked: 0,
            cursor: spec.offset.cursor(queue),
            behind: None,
        };
        let consumer_id = ConsumerId(self.clients.consumers.insert(consumer));
        channel.consumers.push(consumer_id);
        if spec.exclusive {
            queue.exclusive_consumer = Some(consumer_id);
        }
        if queue.spec.single_active && 0 < queue.n_consumers {
            queue.waiting.push(&mut self.clients.consumers, consumer_id);
        } else {
            queue.active.push(&mut self.clients.consumers, consumer_id, spec.priority);
        }
        queue.n_consumers += 1;
        queue.unused_until = None;
        self.dispatch(id, out);
        Some(consumer_id)
    }

    /// Ends a consumer. What it was given stays with the channel and can still be acknowledged.
    pub fn cancel(&mut self, number: ChannelNo, consumer: ConsumerId, out: &mut Vec<Effect<M>>) {
        let is_its_own = self.consumer(consumer).is_some_and(|c| c.channel == number);
        if !is_its_own {
            return;
        }
        if let Some(ended) = self.end_consumer(consumer) {
            self.dispatch(ended.queue, out);
            self.delete_if_unused(ended.queue, out);
        }
    }

    /// Takes a consumer out of its channel and queue; the next waiting one takes over.
    pub(super) fn end_consumer(&mut self, id: ConsumerId) -> Option<Consumer> {
        let ended = *self.consumer(id)?;
        let consumers = &mut self.clients.consumers;
        let queue =
            self.queues.get_mut(u32::from(ended.queue.0)).expect("a deleted queue has none");
        queue.n_consumers -= 1;
        if queue.exclusive_consumer == Some(id) {
            queue.exclusive_consumer = None;
        }
        let was_waiting = queue.waiting.remove(consumers, id);
        if !was_waiting {
            queue.active.remove(consumers, id);
            if let Some(next) = queue.waiting.pop(consumers) {
                let priority = consumers.get(next.0).map_or(0, |c| c.spec.priority);
                queue.active.push(consumers, next, priority);
            }
        }
        let is_last = queue.n_consumers == 0;
        if is_last {
            self.use_queue(ended.queue);
        }
        self.clients.forget(id)
    }

    /// Whether a channel may use a queue; if another connection owns it, the channel is closed.
    pub(super) fn may_use(
        &mut self,
        number: ChannelNo,
        id: QueueId,
        out: &mut Vec<Effect<M>>,
    ) -> bool {
        let Some(channel) = self.clients.channel(number) else { return false };
        let Some(queue) = self.queue(id) else { return false };
        if queue.owner.is_none_or(|owner| owner == channel.connection) {
            return true;
        }
        let error = ChannelError::LockedQueue(queue.name);
        self.fail(number, error, out);
        false
    }
}

/// Why a stream refuses a consumer: it needs a window, and acknowledgements to move it
/// (`rabbit_stream_queue.erl`, `consume`).
fn stream_refusal(name: Name, prefetch: u32, spec: &ConsumeSpec) -> Option<ChannelError> {
    match (prefetch, spec.ack) {
        (0, _) => Some(ChannelError::NoPrefetch(name)),
        (_, AckMode::Auto) => Some(ChannelError::StreamAutoAck(name)),
        _ => None,
    }
}
