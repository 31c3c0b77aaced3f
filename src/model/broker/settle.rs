//! Acknowledging, requeueing, fetching, and the loss of a client.
//!
//! The order of the steps decides who gets a requeued message: first the acknowledged are taken
//! away, then consumers whose window opened go to the end of their class, then messages come
//! back, then the queue is dispatched.

use super::channel::{AckMode, Holder, Mode, Unacked};
use super::clients::{Clients, mark};
use super::effect::{ChannelError, DropReason, Effect, Mark};
use super::envelope::Envelope;
use super::queue::{QueueKind, Return};
use super::tx::drop_publishes;
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
    /// What is written on it.
    pub envelope: Envelope,
    /// What the queue adds to its headers.
    pub mark: Mark,
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
            if let Mode::Tx(tx) = &mut channel.mode {
                return tx.note(unacked, how);
            }
            channel.release(consumers, &unacked);
            self.settle_group(number, std::slice::from_ref(&unacked), how, out);
        } else if channel.take_up_to(tag, &mut self.taken) {
            if let Mode::Tx(tx) = &mut channel.mode {
                return self.taken.drain(..).for_each(|unacked| tx.note(unacked, how));
            }
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
        self.use_queue(id);
        let Broker { queues, clients, post, .. } = self;
        let queue = queues.get_mut(id.0.into())?;
        if queue.spec.kind == QueueKind::Stream {
            let error = ChannelError::StreamGet(queue.name);
            self.fail(number, error, out);
            return None;
        }
        let channel = clients.channel_mut(number)?;
        let entry = queue.pop()?;
        let tag = channel.take_tag();
        match ack {
            AckMode::Manual => {
                queue.n_unacked += 1;
                let queue = Some(id);
                channel.unacked.push_back(Unacked { tag, queue, holder: Holder::Get, entry });
            }
            AckMode::Auto => queue.note_removal(post.now, &entry),
        }
        post.expire(id, queue, out);
        let got = Got {
            tag,
            redelivered: entry.redelivered,
            remaining: queue.n_ready(),
            envelope: entry.envelope,
            mark: mark(queue.spec.kind, &entry),
            message: entry.message,
        };
        self.tell_room(id, out);
        self.deliver_letters(out);
        Some(got)
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
    pub(super) fn settle_taken(
        &mut self,
        number: ChannelNo,
        how: Settle,
        out: &mut Vec<Effect<M>>,
    ) {
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
        let Some(id) = group[0].queue else {
            return settle_orphans(number, group, how, out);
        };
        let Broker { queues, clients, post, batch, .. } = self;
        let queue = queues.get_mut(id.0.into()).expect("a deleted queue is unnamed");
        queue.n_unacked -= group.len() as u32;
        let Clients { channels, consumers, .. } = clients;
        let channel = channels.get_mut(number.slot()).expect("settling on an open channel");
        channel.unblock(consumers, id, &mut queue.active);
        // A stream keeps its messages whatever is said about them.
        let settled = if queue.spec.kind == QueueKind::Stream { &[] } else { group };
        for Unacked { entry, .. } in settled {
            match how {
                Settle::Ack => {
                    queue.note_removal(post.now, entry);
                    let (queue, message) = (Some(id), entry.message);
                    out.push(Effect::Acked { channel: number, queue, message });
                }
                Settle::Reject => post.throw_out(id, queue, *entry, DropReason::Rejected, out),
                Settle::Requeue => batch.push(*entry),
            }
        }
        if !self.batch.is_empty() {
            self.put_back(id, Return::Nacked, out);
        }
        self.dispatch(id, out);
    }

    /// Puts what stands in `self.batch` back into its queue.
    pub(super) fn put_back(&mut self, id: QueueId, how: Return, out: &mut Vec<Effect<M>>) {
        let Broker { queues, post, batch, .. } = self;
        let queue = queues.get_mut(id.0.into()).expect("a deleted queue is unnamed");
        batch.iter_mut().for_each(|entry| entry.redelivered = true);
        if queue.spec.kind == QueueKind::Quorum {
            let limit = queue.spec.delivery_limit.unwrap_or(u32::MAX);
            for entry in batch.drain(..) {
                let n_failed = entry.n_failed.saturating_add(1);
                if limit < n_failed {
                    post.throw_out(id, queue, entry, DropReason::DeliveryLimit, out);
                    continue;
                }
                queue.take_back(super::Entry { n_failed, ..entry }, how);
                let ready = queue.n_ready();
                out.push(Effect::Requeued { queue: id, ready, message: entry.message });
            }
        } else {
            queue.put_back(batch);
            let ready = queue.n_ready();
            for entry in batch.drain(..) {
                out.push(Effect::Requeued { queue: id, ready, message: entry.message });
            }
        }
        post.drop_excess(id, queue, out);
        post.expire(id, queue, out);
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
            let Some(closed) = self.clients.channels.remove(number.slot()) else { continue };
            taken.extend(closed.unacked);
            // Losing a channel rolls back.
            if let Mode::Tx(tx) = closed.mode {
                drop_publishes(&tx, out);
                taken.extend(tx.settled.iter().map(|(unacked, _)| *unacked));
            }
        }
        taken.sort_by_key(|unacked| unacked.queue);
        let mut touched = left.clone();
        for group in taken.chunk_by(|a, b| a.queue == b.queue) {
            let Some(id) = group[0].queue else {
                drop_orphans(group, out);
                continue;
            };
            touched.push(id);
            let queue = self.queue_mut(id).expect("a deleted queue is unnamed");
            queue.n_unacked -= group.len() as u32;
            if queue.spec.kind != QueueKind::Stream {
                self.batch.extend(group.iter().map(|unacked| unacked.entry));
                self.put_back(id, Return::Lost, out);
            }
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

/// Settles messages whose queue is deleted: requeueing them loses them.
fn settle_orphans<M: Copy>(
    channel: ChannelNo,
    group: &[Unacked<M>],
    how: Settle,
    out: &mut Vec<Effect<M>>,
) {
    if how != Settle::Ack {
        return drop_orphans(group, out);
    }
    let messages = group.iter().map(|unacked| unacked.entry.message);
    out.extend(messages.map(|message| Effect::Acked { channel, queue: None, message }));
}

fn drop_orphans<M: Copy>(group: &[Unacked<M>], out: &mut Vec<Effect<M>>) {
    let why = DropReason::QueueDeleted;
    let messages = group.iter().map(|unacked| unacked.entry.message);
    out.extend(messages.map(|message| Effect::Dropped { queue: None, why, message }));
}
