//! Acknowledging, requeueing, fetching, and the loss of a client.
//!
//! The order of the steps decides who gets a requeued message: first the acknowledged are taken
//! away, then consumers whose window opened go to the end of their class, then messages come
//! back, then the queue is dispatched.

use super::channel::{AckMode, Holder, Unacked};
use super::clients::Clients;
use super::effect::{ChannelError, DropReason, Effect};
use super::publish::drop_excess;
use super::{Broker, ChannelNo, ConnectionNo, QueueId};

/// What a client says about messages that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Done with it.
    Ack,
    /// Not done: back to its place in the queue.
    Requeue,
    /// Not done, and not to be tried again.
    Reject,
}

/// What a `get` fetched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Got<M> {
    /// What the client acknowledges with.
    pub tag: u64,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// Messages that stay ready.
    pub remaining: u32,
    /// The message.
    pub message: M,
}

impl<M: Copy> Broker<M> {
    /// Acknowledges one message, or with `multiple` all up to a tag (tag 0: all).
    #[inline]
    pub fn ack(&mut self, channel: ChannelNo, tag: u64, multiple: bool, out: &mut Vec<Effect<M>>) {
        self.settle(channel, tag, multiple, Settle::Ack, out);
    }

    /// Gives messages back, to be requeued or not.
    pub fn nack(
        &mut self,
        channel: ChannelNo,
        tag: u64,
        multiple: bool,
        requeue: bool,
        out: &mut Vec<Effect<M>>,
    ) {
        let how = if requeue { Settle::Requeue } else { Settle::Reject };
        self.settle(channel, tag, multiple, how, out);
    }

    /// Settles one message, or with `multiple` all up to a tag (tag 0: all).
    ///
    /// A tag that is not outstanding closes the channel.
    pub fn settle(
        &mut self,
        number: ChannelNo,
        tag: u64,
        multiple: bool,
        how: Settle,
        out: &mut Vec<Effect<M>>,
    ) {
        let Clients { channels, consumers, .. } = &mut self.clients;
        let channel = channels.get_mut(number.slot()).filter(|channel| channel.number == number);
        let Some(channel) = channel else { return };
        // A limit for the whole channel may have held back consumers of other queues.
        let is_shared = channel.global_prefetch != 0;
        if !multiple {
            let Some(unacked) = channel.take_one(tag) else {
                return self.fail(number, ChannelError::UnknownTag(tag), out);
            };
            channel.release(consumers, &unacked);
            self.settle_group(number, std::slice::from_ref(&unacked), how, out);
        } else if channel.take_up_to(tag, &mut self.taken) {
            self.taken.iter().for_each(|unacked| channel.release(consumers, unacked));
            self.settle_taken(number, how, out);
        } else {
            return self.fail(number, ChannelError::UnknownTag(tag), out);
        }
        if is_shared {
            self.wake_blocked(number, out);
        }
    }

    /// Requeues everything that the channel has not acknowledged.
    pub fn recover(&mut self, channel: ChannelNo, out: &mut Vec<Effect<M>>) {
        self.settle(channel, 0, true, Settle::Requeue, out);
    }

    /// Fetches the head of a queue, whatever its consumers do. `None`: nothing ready.
    pub fn get(
        &mut self,
        number: ChannelNo,
        id: QueueId,
        ack: AckMode,
        out: &mut Vec<Effect<M>>,
    ) -> Option<Got<M>> {
        if !self.may_use(number, id, out) {
            return None;
        }
        let queue = self.queues.get_mut(u32::from(id.0))?;
        let channel = self.clients.channel_mut(number)?;
        let entry = queue.pop()?;
        let tag = channel.take_tag();
        if ack == AckMode::Manual {
            queue.n_unacked += 1;
            channel.unacked.push_back(Unacked { tag, queue: Some(id), holder: Holder::Get, entry });
        }
        let remaining = queue.n_ready();
        self.tell_room(id, out);
        Some(Got { tag, redelivered: entry.redelivered, remaining, message: entry.message })
    }

    /// Closes a channel: its consumers end, what it has not acknowledged is requeued.
    pub fn close_channel(&mut self, channel: ChannelNo, out: &mut Vec<Effect<M>>) {
        if self.clients.channel(channel).is_some() {
            self.close(&[channel], out);
        }
    }

    /// Closes a connection, or notices that it is lost: all its channels close together, and its
    /// exclusive queues are deleted.
    pub fn close_connection(&mut self, connection: ConnectionNo, out: &mut Vec<Effect<M>>) {
        let of_it = |(number, channel): (ChannelNo, &super::Channel<M>)| {
            (channel.connection == connection).then_some(number)
        };
        let numbers: Vec<ChannelNo> = self.channels().filter_map(of_it).collect();
        self.close(&numbers, out);
        let owned: Vec<QueueId> = self
            .queues()
            .filter_map(|(id, queue)| (queue.owner == Some(connection)).then_some(id))
            .collect();
        for id in owned {
            self.remove_queue(id, out);
        }
    }

    /// Closes a channel because its client broke a rule, and tells the client so.
    pub fn fail(&mut self, channel: ChannelNo, error: ChannelError, out: &mut Vec<Effect<M>>) {
        if self.clients.channel(channel).is_some() {
            out.push(Effect::ChannelClosed { channel, error });
            self.close(&[channel], out);
        }
    }

    /// Settles what stands in `self.taken`, queue by queue.
    fn settle_taken(&mut self, number: ChannelNo, how: Settle, out: &mut Vec<Effect<M>>) {
        let mut taken = std::mem::take(&mut self.taken);
        // Stable: inside a queue the order of the tags stays.
        taken.sort_by_key(|unacked| unacked.queue);
        for group in taken.chunk_by(|a, b| a.queue == b.queue) {
            self.settle_group(number, group, how, out);
        }
        taken.clear();
        self.taken = taken;
    }

    /// Settles messages of one queue.
    #[inline]
    fn settle_group(
        &mut self,
        number: ChannelNo,
        group: &[Unacked<M>],
        how: Settle,
        out: &mut Vec<Effect<M>>,
    ) {
        let id = group[0].queue;
        if let Some(id) = id {
            let queue = self.queues.get_mut(u32::from(id.0)).expect("a deleted queue is unnamed");
            queue.n_unacked -= group.len() as u32;
            let Clients { channels, consumers, .. } = &mut self.clients;
            let channel = channels.get_mut(number.slot()).expect("settling on an open channel");
            channel.unblock(consumers, id, &mut queue.active);
        }
        for Unacked { entry, .. } in group {
            let (queue, message) = (id, entry.message);
            match (how, queue) {
                (Settle::Ack, _) => out.push(Effect::Acked { channel: number, queue, message }),
                (Settle::Reject, _) => {
                    out.push(Effect::Dropped { queue, why: DropReason::Rejected, message });
                }
                (Settle::Requeue, Some(_)) => self.batch.push(*entry),
                (Settle::Requeue, None) => {
                    out.push(Effect::Dropped { queue, why: DropReason::QueueDeleted, message });
                }
            }
        }
        let Some(id) = id else { return };
        if !self.batch.is_empty() {
            self.put_back(id, out);
        }
        self.dispatch(id, out);
    }

    /// Puts what stands in `self.batch` back into its queue.
    fn put_back(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) {
        let queue = self.queues.get_mut(u32::from(id.0)).expect("a deleted queue is unnamed");
        queue.put_back(&mut self.batch);
        let ready = queue.n_ready();
        for entry in self.batch.drain(..) {
            out.push(Effect::Requeued { queue: id, ready, message: entry.message });
        }
        drop_excess(id, queue, out);
    }

    /// Lets every queue look again at the blocked consumers of a channel.
    pub(super) fn wake_blocked(&mut self, number: ChannelNo, out: &mut Vec<Effect<M>>) {
        let mut queues = std::mem::take(&mut self.targets);
        self.clients.blocked_queues(number, &mut queues);
        for id in queues.drain(..) {
            let Clients { channels, consumers, .. } = &mut self.clients;
            let queue = self.queues.get_mut(u32::from(id.0));
            if let (Some(queue), Some(channel)) = (queue, channels.get_mut(number.slot())) {
                channel.unblock(consumers, id, &mut queue.active);
            }
            self.dispatch(id, out);
        }
        self.targets = queues;
    }

    /// Closes channels together: first their consumers end, then all their messages come back in
    /// the order of positions, then the queues are dispatched.
    fn close(&mut self, numbers: &[ChannelNo], out: &mut Vec<Effect<M>>) {
        let mut left: Vec<QueueId> = Vec::new();
        let mut taken = std::mem::take(&mut self.taken);
        for number in numbers {
            let consumers = self.clients.channel(*number).map(|channel| channel.consumers.clone());
            for consumer in consumers.into_iter().flatten() {
                left.extend(self.end_consumer(consumer).map(|ended| ended.queue));
            }
            let closed = self.clients.channels.remove(number.slot());
            taken.extend(closed.into_iter().flat_map(|channel| channel.unacked));
        }
        taken.sort_by_key(|unacked| unacked.queue);
        let mut touched = left.clone();
        for group in taken.chunk_by(|a, b| a.queue == b.queue) {
            let Some(id) = group[0].queue else { continue };
            touched.push(id);
            let queue = self.queue_mut(id).expect("a deleted queue is unnamed");
            queue.n_unacked -= group.len() as u32;
            self.batch.extend(group.iter().map(|unacked| unacked.entry));
            self.put_back(id, out);
        }
        taken.clear();
        self.taken = taken;
        touched.sort_unstable();
        touched.dedup();
        for id in touched {
            self.dispatch(id, out);
        }
        left.iter().for_each(|id| self.delete_if_unused(*id, out));
    }
}
