//! One queue: ready messages in order, consumers in turn, limits.
//!
//! Every message gets a *position* when it first enters and keeps it for life in this queue, so a
//! returned message goes back to where it stood.
//! Knows nothing of channels; `dispatch.rs` brings queue and channels together.

use std::collections::VecDeque;

use super::line::{Line, Rotation};
use super::names::Name;
use super::{ConnectionNo, ConsumerId};

/// Most messages that one queue holds ready.
pub const READY_LIMIT: u32 = 50_000_000;

/// A batch of returned messages up to this size is inserted one by one, a larger one merged.
const INSERT_BATCH: usize = 8;

/// What happens to a message that a full queue cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The oldest ready messages are dropped until the queue is within its limit.
    #[default]
    DropHead,
    /// The new message is refused; a publisher with confirms gets a negative one.
    RejectPublish,
    /// The publisher waits: our own policy, which RabbitMQ does not have for single queues.
    Block,
}

/// How a queue was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct QueueSpec {
    /// Most ready messages (`x-max-length`).
    pub max_length: Option<u32>,
    /// Most bytes of ready bodies (`x-max-length-bytes`).
    pub max_bytes: Option<u64>,
    /// What happens at the limit (`x-overflow`).
    pub overflow: Overflow,
    /// Highest message priority (`x-max-priority`); 0: an ordinary queue.
    pub max_priority: u8,
    /// Only the first consumer gets messages, the others wait (`x-single-active-consumer`).
    pub single_active: bool,
    /// Deleted with its last consumer, never before the first.
    pub auto_delete: bool,
    /// Only the declaring connection may use it, and it goes with that connection.
    pub exclusive: bool,
    /// Survives a restart of the broker.
    pub durable: bool,
}

/// A message in a queue, ready or delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<M> {
    /// Given once, at the first entry; smaller is older.
    pub position: u64,
    /// Size of the body in bytes.
    pub bytes: u32,
    /// The exchange it was published to.
    pub exchange: Name,
    /// The routing key it was published with.
    pub key: Name,
    /// Effective priority in this queue.
    pub priority: u8,
    /// Was delivered before; never taken back.
    pub redelivered: bool,
    /// The message itself.
    pub message: M,
}

/// Ready messages: higher priority first, then by position.
#[derive(Clone, Debug, PartialEq)]
struct Ready<M> {
    /// One lane per priority, lowest first; each ordered by position.
    lanes: Vec<VecDeque<Entry<M>>>,
    n: u32,
    bytes: u64,
}

impl<M: Copy> Ready<M> {
    fn new(max_priority: u8) -> Ready<M> {
        let lanes = (0..=max_priority).map(|_| VecDeque::new()).collect();
        Ready { lanes, n: 0, bytes: 0 }
    }

    #[inline]
    fn push(&mut self, entry: Entry<M>) {
        assert!(self.n < READY_LIMIT, "a queue holds at most {READY_LIMIT} ready messages");
        self.n += 1;
        self.bytes += u64::from(entry.bytes);
        self.lanes[usize::from(entry.priority)].push_back(entry);
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry<M>> {
        let entry = self.lanes.iter_mut().rev().find_map(VecDeque::pop_front)?;
        self.n -= 1;
        self.bytes -= u64::from(entry.bytes);
        Some(entry)
    }

    /// Puts messages of one lane back where they stood. `batch` is in the order of positions.
    fn put_back(&mut self, batch: &[Entry<M>]) {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return };
        let lane = &mut self.lanes[usize::from(first.priority)];
        let all_older = lane.front().is_none_or(|front| last.position < front.position);
        if all_older {
            batch.iter().rev().for_each(|entry| lane.push_front(*entry));
        } else if batch.len() <= INSERT_BATCH {
            for entry in batch {
                let place = lane.partition_point(|other| other.position < entry.position);
                lane.insert(place, *entry);
            }
        } else {
            // Two ordered runs: the stable sort merges them in linear time.
            lane.extend(batch);
            lane.make_contiguous().sort_by_key(|entry| entry.position);
        }
        self.n += batch.len() as u32;
        self.bytes += batch.iter().map(|entry| u64::from(entry.bytes)).sum::<u64>();
    }
}

/// A queue: what is ready, who is served next, what was declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue<M> {
    /// Its name.
    pub name: Name,
    /// How it was declared.
    pub spec: QueueSpec,
    /// The connection that owns an exclusive queue.
    pub(super) owner: Option<ConnectionNo>,
    ready: Ready<M>,
    next_position: u64,
    pub(super) active: Rotation,
    /// Consumers that wait behind a single active one, in the order of registration.
    pub(super) waiting: Line,
    pub(super) n_consumers: u32,
    pub(super) n_unacked: u32,
    /// The consumer that shuts all others out.
    pub(super) exclusive_consumer: Option<ConsumerId>,
    /// A publisher was told to wait, and must be told when there is room.
    pub(super) publisher_waits: bool,
}

impl<M: Copy> Queue<M> {
    pub(super) fn new(name: Name, spec: QueueSpec, owner: Option<ConnectionNo>) -> Queue<M> {
        Queue {
            name,
            spec,
            owner,
            ready: Ready::new(spec.max_priority),
            next_position: 0,
            active: Rotation::default(),
            waiting: Line::default(),
            n_consumers: 0,
            n_unacked: 0,
            exclusive_consumer: None,
            publisher_waits: false,
        }
    }

    /// The position of the next new message.
    #[inline]
    pub(super) fn take_position(&mut self) -> u64 {
        let position = self.next_position;
        self.next_position += 1;
        position
    }

    /// Puts a new message behind all others of its priority.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<M>) {
        self.ready.push(entry);
    }

    /// Takes the head: the oldest message of the highest priority.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Entry<M>> {
        self.ready.pop()
    }

    /// Puts messages back where they stood, marked as redelivered. Reorders `batch`.
    pub(super) fn put_back(&mut self, batch: &mut [Entry<M>]) {
        batch.iter_mut().for_each(|entry| entry.redelivered = true);
        batch.sort_unstable_by_key(|entry| (entry.priority, entry.position));
        for lane in batch.chunk_by(|a, b| a.priority == b.priority) {
            self.ready.put_back(lane);
        }
    }

    /// Ready messages.
    #[inline]
    pub fn n_ready(&self) -> u32 {
        self.ready.n
    }

    /// Bytes of ready bodies.
    pub fn ready_bytes(&self) -> u64 {
        self.ready.bytes
    }

    /// Messages delivered from this queue and not yet acknowledged.
    pub fn n_unacked(&self) -> u32 {
        self.n_unacked
    }

    /// Consumers: active, blocked and waiting.
    pub fn n_consumers(&self) -> u32 {
        self.n_consumers
    }

    /// The connection that owns an exclusive queue.
    pub fn owner(&self) -> Option<ConnectionNo> {
        self.owner
    }

    /// Ready messages, the head first.
    pub fn ready(&self) -> impl Iterator<Item = &Entry<M>> {
        self.ready.lanes.iter().rev().flatten()
    }

    /// Whether one more ready message of this size would stay within the limits.
    #[inline]
    pub fn has_room(&self, bytes: u32) -> bool {
        let count_fits = self.spec.max_length.is_none_or(|max| self.ready.n < max);
        let bytes_fit =
            self.spec.max_bytes.is_none_or(|max| self.ready.bytes + u64::from(bytes) <= max);
        count_fits && bytes_fit
    }

    /// Whether the ready messages exceed a limit.
    #[inline]
    pub(super) fn is_over_limit(&self) -> bool {
        let too_many = self.spec.max_length.is_some_and(|max| max < self.ready.n);
        let too_large = self.spec.max_bytes.is_some_and(|max| max < self.ready.bytes);
        too_many || too_large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(position: u64, priority: u8) -> Entry<u64> {
        Entry {
            position,
            bytes: 1,
            exchange: Name::EMPTY,
            key: Name::EMPTY,
            priority,
            redelivered: false,
            message: position,
        }
    }

    fn queue(max_priority: u8, positions: impl IntoIterator<Item = u64>) -> Queue<u64> {
        let spec = QueueSpec { max_priority, ..QueueSpec::default() };
        let mut queue = Queue::new(Name::EMPTY, spec, None);
        positions.into_iter().for_each(|position| queue.push(entry(position, 0)));
        queue
    }

    fn order(queue: &Queue<u64>) -> Vec<u64> {
        queue.ready().map(|entry| entry.message).collect()
    }

    #[test]
    fn returned_messages_stand_where_they_stood() {
        let mut queue = queue(0, [2, 5, 6]);
        queue.put_back(&mut [entry(4, 0), entry(1, 0), entry(3, 0)]);
        assert_eq!(order(&queue), [1, 2, 3, 4, 5, 6]);
        assert_eq!(queue.n_ready(), 6);
        assert_eq!(queue.ready().filter(|entry| entry.redelivered).count(), 3);
    }

    #[test]
    fn a_large_batch_is_merged_in_the_same_order() {
        let mut queue = queue(0, (0..200).filter(|n| n % 3 == 0));
        let mut batch: Vec<_> = (0..200).filter(|n| n % 3 != 0).map(|n| entry(n, 0)).collect();
        batch.reverse();
        queue.put_back(&mut batch);
        assert_eq!(order(&queue), (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_returned_message_keeps_its_place_inside_its_priority() {
        let mut queue = queue(5, []);
        for (position, priority) in [(0, 1), (1, 5), (3, 5), (4, 1)] {
            queue.push(entry(position, priority));
        }
        queue.put_back(&mut [entry(2, 1), entry(2, 5)]);
        assert_eq!(order(&queue), [1, 2, 3, 0, 2, 4]);
    }
}
