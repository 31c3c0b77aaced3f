//! Channels and consumers: delivery tags, what is not yet acknowledged, limits of prefetch.

use std::collections::VecDeque;

use super::line::{Line, Rotation};
use super::publish::Publish;
use super::queue::Entry;
use super::slab::Slab;
use super::stream::StreamOffset;
use super::tx::Tx;
use super::{ChannelNo, ConnectionNo, ConsumerId, QueueId};

/// Most channels open at once: the lower half of a [`ChannelNo`] is the slot.
pub(super) const CHANNELS_LIMIT: u32 = 1 << 16;

/// Whether a consumer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AckMode {
    /// A delivered message stays with the channel until it is acknowledged.
    #[default]
    Manual,
    /// Delivered is gone; such a consumer is never limited.
    Auto,
}

/// What a client asks for when it starts to consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConsumeSpec {
    /// Whether it will acknowledge.
    pub ack: AckMode,
    /// Consumers of higher priority are served first (`x-priority`).
    pub priority: i32,
    /// Asks to be the only consumer.
    pub exclusive: bool,
    /// Where it begins to read a stream (`x-stream-offset`); other queues do not look at it.
    pub offset: StreamOffset,
}

/// A consumer of one queue on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its channel.
    pub channel: ChannelNo,
    /// Its queue.
    pub queue: QueueId,
    /// What it asked for.
    pub spec: ConsumeSpec,
    /// Most unacknowledged messages; 0: no limit. Set when it started.
    pub prefetch: u32,
    /// Messages delivered to it and not yet acknowledged.
    pub unacked: u32,
    /// The offset that it gets next from a stream.
    pub cursor: u64,
    /// Who stands behind it in its line.
    pub(super) behind: Option<ConsumerId>,
}

impl Consumer {
    /// Whether its own window takes another message.
    #[inline]
    pub(super) fn has_window(&self) -> bool {
        self.prefetch == 0 || self.unacked < self.prefetch
    }
}

/// Who holds a message that is not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A running consumer, whose window it fills.
    Consumer(ConsumerId),
    /// A consumer that was cancelled: the message stays with the channel.
    Cancelled,
    /// Fetched with a `get`.
    Get,
}

/// A message that a client has and has not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unacked<M> {
    /// Its delivery tag.
    pub tag: u64,
    /// Where it came from; `None` when that queue is deleted.
    pub queue: Option<QueueId>,
    /// Who got it.
    pub holder: Holder,
    /// The message with its place in the queue.
    pub entry: Entry<M>,
}

impl<M> Unacked<M> {
    /// Whether it fills the window of a consumer.
    pub fn is_held_by(&self, consumer: ConsumerId) -> bool {
        self.holder == Holder::Consumer(consumer)
    }
}

/// What kind of publishing a channel was switched to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mode<M> {
    /// Published and forgotten.
    Plain,
    /// Every publish is numbered and answered.
    Confirm {
        /// The number of the last publish.
        last_seq: u64,
    },
    /// Publishes and acknowledgements wait for a commit.
    Tx(Tx<M>),
}

/// A channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel<M> {
    pub(super) number: ChannelNo,
    pub(super) connection: ConnectionNo,
    pub(super) mode: Mode<M>,
    last_tag: u64,
    /// Ordered by tag.
    pub(super) unacked: VecDeque<Unacked<M>>,
    /// Unacknowledged messages that went to consumers: what the channel's own limit counts.
    pub(super) n_consumed: u32,
    /// Prefetch of consumers that start from now on; 0: no limit.
    pub(super) prefetch: u32,
    /// Limit for all of the channel's consumers together; 0: no limit.
    pub(super) global_prefetch: u32,
    /// Consumers found at their limit, in the order in which they were found so.
    pub(super) blocked: Line,
    /// All consumers in the order of registration.
    pub(super) consumers: Vec<ConsumerId>,
}

impl<M: Copy> Channel<M> {
    pub(super) fn new(number: ChannelNo, connection: ConnectionNo) -> Channel<M> {
        Channel {
            number,
            connection,
            mode: Mode::Plain,
            last_tag: 0,
            unacked: VecDeque::new(),
            n_consumed: 0,
            prefetch: 0,
            global_prefetch: 0,
            blocked: Line::default(),
            consumers: Vec::new(),
        }
    }

    /// The next delivery tag: 1, 2, 3, never used again.
    #[inline]
    pub(super) fn take_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Whether the channel's own limit leaves room.
    #[inline]
    pub(super) fn has_window(&self) -> bool {
        self.global_prefetch == 0 || self.n_consumed < self.global_prefetch
    }

    /// Takes one message out by its tag.
    #[inline]
    pub(super) fn take_one(&mut self, tag: u64) -> Option<Unacked<M>> {
        if self.unacked.front()?.tag == tag {
            return self.unacked.pop_front();
        }
        let index = self.unacked.binary_search_by_key(&tag, |unacked| unacked.tag).ok()?;
        self.unacked.remove(index)
    }

    /// Moves all messages up to a tag to `taken`; tag 0 means all. Says whether the tag was good.
    pub(super) fn take_up_to(&mut self, tag: u64, taken: &mut Vec<Unacked<M>>) -> bool {
        let n = match tag {
            0 => self.unacked.len(),
            _ => self.unacked.partition_point(|unacked| unacked.tag <= tag),
        };
        taken.extend(self.unacked.drain(..n));
        tag == 0 || 0 < n
    }

    /// Gives back the place that a message took in the windows of its consumer and of the channel.
    #[inline]
    pub(super) fn release(&mut self, consumers: &mut Slab<Consumer>, unacked: &Unacked<M>) {
        if let Holder::Consumer(id) = unacked.holder {
            consumers.get_mut(id.0).expect("a holder is a running consumer").unacked -= 1;
        }
        if unacked.holder != Holder::Get {
            self.n_consumed -= 1;
        }
    }

    /// Moves the blocked consumers of a queue that have room again to the end of their class, in
    /// the order in which they were blocked.
    #[inline]
    pub(super) fn unblock(
        &mut self,
        consumers: &mut Slab<Consumer>,
        id: QueueId,
        active: &mut Rotation,
    ) {
        if self.blocked.is_empty() || !self.has_window() {
            return;
        }
        let mut blocked = std::mem::take(&mut self.blocked);
        while let Some(next) = blocked.pop(consumers) {
            let consumer = consumers.get(next.0).expect("a blocked consumer exists");
            if consumer.queue == id && consumer.has_window() {
                let priority = consumer.spec.priority;
                active.push(consumers, next, priority);
            } else {
                self.blocked.push(consumers, next);
            }
        }
    }

    /// All that its client holds, also what an open transaction has settled.
    pub(super) fn all_unacked_mut(&mut self) -> impl Iterator<Item = &mut Unacked<M>> {
        let settled = match &mut self.mode {
            Mode::Tx(tx) => tx.settled.as_mut_slice(),
            _ => &mut [],
        };
        self.unacked.iter_mut().chain(settled.iter_mut().map(|(unacked, _)| unacked))
    }

    /// The connection that it belongs to.
    pub fn connection(&self) -> ConnectionNo {
        self.connection
    }

    /// Most unacknowledged messages of all its consumers together; 0: no limit.
    pub fn global_prefetch(&self) -> u32 {
        self.global_prefetch
    }

    /// Unacknowledged messages by rising tag.
    pub fn unacked(&self) -> impl Iterator<Item = &Unacked<M>> {
        self.unacked.iter()
    }

    /// What an open transaction has settled: it still counts as unacknowledged.
    pub fn uncommitted(&self) -> impl Iterator<Item = &Unacked<M>> {
        let settled = match &self.mode {
            Mode::Tx(tx) => tx.settled.as_slice(),
            _ => &[],
        };
        settled.iter().map(|(unacked, _)| unacked)
    }

    /// What an open transaction will publish.
    pub fn pending(&self) -> impl Iterator<Item = &Publish<M>> {
        let publishes = match &self.mode {
            Mode::Tx(tx) => tx.publishes.as_slice(),
            _ => &[],
        };
        publishes.iter().map(|(publish, _)| publish)
    }

    /// Its consumers in the order of registration.
    pub fn consumers(&self) -> impl Iterator<Item = ConsumerId> {
        self.consumers.iter().copied()
    }
}
