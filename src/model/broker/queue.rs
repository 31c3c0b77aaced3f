//! One queue: ready messages in order, consumers in turn, limits.
//!
//! Every message gets a *position* when it first enters and keeps it for life in this queue, so a
//! returned message goes back to where it stood. Quorum queues give a returned message a new one.
//! Knows nothing of channels (`clients.rs`) and of the time only what it is told (`post.rs`).

use std::collections::VecDeque;

use super::envelope::Envelope;
use super::line::{Line, Rotation};
use super::names::Name;
use super::{ConnectionNo, ConsumerId};
use crate::kernel::{SimSpan, SimTime};

/// Most messages that one queue holds ready.
pub const READY_LIMIT: u32 = 50_000_000;

/// A batch of returned messages up to this size is inserted one by one, a larger one merged.
const INSERT_BATCH: usize = 8;

/// A queue on disk writes what left it at the latest after this time
/// (`rabbit_variable_queue.erl`, `SYNC_INTERVAL`), ...
pub const SYNC_INTERVAL: SimSpan = SimSpan::ms(200);

/// ... or when so many are waiting (`queue_index_max_journal_entries`).
const JOURNAL_LIMIT: usize = 32_768;

/// What happens to a message that a full queue cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The oldest ready messages are dropped until the queue is within its limit.
    #[default]
    DropHead,
    /// The new message is refused; a publisher with confirms gets a negative one.
    RejectPublish,
    /// The same, and the new message is dead-lettered.
    RejectPublishDlx,
    /// The publisher waits: our own policy, which RabbitMQ does not have for single queues.
    Block,
}

/// What a queue is built on (`x-queue-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum QueueKind {
    /// A returned message goes back to where it stood.
    #[default]
    Classic,
    /// Replicated; counts failed deliveries, and returned messages lose their place.
    Quorum,
    /// A log: reading removes nothing.
    Stream,
}

/// Where a queue's dead letters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The exchange (`x-dead-letter-exchange`).
    pub exchange: Name,
    /// The key (`x-dead-letter-routing-key`); `None`: the message's own ones.
    pub key: Option<Name>,
}

/// How a queue was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct QueueSpec {
    /// What it is built on (`x-queue-type`).
    pub kind: QueueKind,
    /// Most ready messages (`x-max-length`).
    pub max_length: Option<u32>,
    /// Most bytes of ready bodies (`x-max-length-bytes`).
    pub max_bytes: Option<u64>,
    /// What happens at the limit (`x-overflow`).
    pub overflow: Overflow,
    /// Highest message priority (`x-max-priority`); 0: an ordinary queue.
    pub max_priority: u8,
    /// Longest that a message waits here (`x-message-ttl`).
    pub message_ttl: Option<SimSpan>,
    /// The queue is deleted after so long without use (`x-expires`).
    pub expires: Option<SimSpan>,
    /// Where dead letters go; `None`: they are lost.
    pub dead_letter: Option<DeadLetter>,
    /// Most failed deliveries of a message (`x-delivery-limit`); only for quorum queues.
    pub delivery_limit: Option<u32>,
    /// Only the first consumer gets messages, the others wait (`x-single-active-consumer`).
    pub single_active: bool,
    /// Deleted with its last consumer, never before the first.
    pub auto_delete: bool,
    /// Only the declaring connection may use it, and it goes with that connection.
    pub exclusive: bool,
    /// Survives a restart of the broker.
    pub durable: bool,
}

impl QueueSpec {
    /// Whether a message survives a restart here: quorum queues and streams keep all.
    #[inline]
    pub(super) fn stores(&self, is_persistent: bool) -> bool {
        self.durable && (is_persistent || self.kind != QueueKind::Classic)
    }
}

/// A message in a queue, ready or delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<M> {
    /// Given once, at the first entry; smaller is older.
    pub position: u64,
    /// Size of the body in bytes.
    pub bytes: u32,
    /// What is written on it.
    pub envelope: Envelope,
    /// When its time here is up.
    pub expires_at: Option<SimTime>,
    /// Deliveries that failed; counted by quorum queues only.
    pub n_failed: u32,
    /// Effective priority in this queue; in a quorum queue 1 for what came back, else 0.
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

/// What a returned message becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    /// A client said that it is not done with it.
    Nacked,
    /// The client went.
    Lost,
}

impl<M: Copy> Ready<M> {
    fn new(spec: &QueueSpec) -> Ready<M> {
        let top = if spec.kind == QueueKind::Quorum { RETURNED } else { spec.max_priority };
        let lanes = (0..=top).map(|_| VecDeque::new()).collect();
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

/// The lane of a quorum queue for what came back: served first, in the order of coming back
/// (`rabbit_fifo.erl`, `returns`).
const RETURNED: u8 = 1;

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
    /// When the head is looked at again. Once set it stays until it fires, unless a head comes
    /// that is due earlier.
    pub(super) ttl_timer: Option<SimTime>,
    /// When an unused queue is deleted.
    pub(super) unused_until: Option<SimTime>,
    /// What left since the disk was last written: a hard stop brings it back.
    unwritten: VecDeque<Entry<M>>,
    /// When all that is unwritten will be written.
    written_at: SimTime,
    /// What entered from this position on is not on disk: a restart loses it.
    pub(super) lost_from: Option<u64>,
}

impl<M: Copy> Queue<M> {
    pub(super) fn new(name: Name, spec: QueueSpec, owner: Option<ConnectionNo>) -> Queue<M> {
        Queue {
            name,
            spec,
            owner,
            ready: Ready::new(&spec),
            next_position: 0,
            active: Rotation::default(),
            waiting: Line::default(),
            n_consumers: 0,
            n_unacked: 0,
            exclusive_consumer: None,
            publisher_waits: false,
            ttl_timer: None,
            unused_until: None,
            unwritten: VecDeque::new(),
            written_at: SimTime::ZERO,
            lost_from: None,
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

    /// Puts messages back where they stood. Reorders `batch`.
    pub(super) fn put_back(&mut self, batch: &mut [Entry<M>]) {
        batch.sort_unstable_by_key(|entry| (entry.priority, entry.position));
        for lane in batch.chunk_by(|a, b| a.priority == b.priority) {
            self.ready.put_back(lane);
        }
    }

    /// Puts back a message whose delivery failed: in front, or to the end if the client gave it
    /// back and nobody counts (`rabbit_fifo.erl`, `return_one` and `requeue`).
    pub(super) fn take_back(&mut self, entry: Entry<M>, how: Return) {
        let to_the_end = how == Return::Nacked && self.spec.delivery_limit.is_none();
        let priority = if to_the_end { 0 } else { RETURNED };
        let position = self.take_position();
        self.ready.push(Entry { priority, position, ..entry });
    }

    /// Takes out all messages that `keep` does not want.
    pub(super) fn retain(
        &mut self,
        keep: impl Fn(&Entry<M>) -> bool,
        mut gone: impl FnMut(Entry<M>),
    ) {
        for lane in &mut self.ready.lanes {
            lane.iter().filter(|entry| !keep(entry)).for_each(|entry| gone(*entry));
            lane.retain(&keep);
        }
        let all = || self.ready.lanes.iter().flatten();
        self.ready.n = all().count() as u32;
        self.ready.bytes = all().map(|entry| u64::from(entry.bytes)).sum();
    }

    /// Marks everything that is ready as delivered before.
    pub(super) fn mark_redelivered(&mut self) {
        let all = self.ready.lanes.iter_mut().flatten();
        all.for_each(|entry| entry.redelivered = true);
    }

    /// Notes that a stored message is gone: a hard stop forgets what was not yet written.
    #[inline]
    pub(super) fn note_removal(&mut self, now: SimTime, entry: &Entry<M>) {
        let is_journalled = self.spec.kind == QueueKind::Classic;
        if !is_journalled || !self.spec.stores(entry.envelope.persistent) {
            return;
        }
        if self.written_at <= now || JOURNAL_LIMIT <= self.unwritten.len() {
            self.unwritten.clear();
            self.written_at = now.saturating_add(SYNC_INTERVAL);
        }
        self.unwritten.push_back(*entry);
    }

    /// What left and was not yet written, the earliest first; nothing is unwritten afterwards.
    pub(super) fn take_unwritten(&mut self, now: SimTime) -> Vec<Entry<M>> {
        let unwritten = std::mem::take(&mut self.unwritten);
        if self.written_at <= now { Vec::new() } else { unwritten.into() }
    }

    /// The message that a fetch would take.
    #[inline]
    pub(super) fn head(&self) -> Option<&Entry<M>> {
        self.ready.lanes.iter().rev().find_map(VecDeque::front)
    }

    /// The message at an offset of a stream, or the first one behind it that is still there.
    pub(super) fn at_offset(&self, offset: u64) -> Option<&Entry<M>> {
        let log = &self.ready.lanes[0];
        // Nothing leaves a log but its oldest part, so offsets are without gaps.
        let skipped = offset.saturating_sub(log.front()?.position);
        log.get(usize::try_from(skipped).ok()?)
    }

    /// The position of the next new message: in a stream the offset behind its end.
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// When a message that enters now will be too old.
    #[inline]
    pub(super) fn expiry(&self, now: SimTime, expiration_ms: Option<u32>) -> Option<SimTime> {
        let own = expiration_ms.map(|ms| SimSpan::ms(ms.into()));
        let span = match (self.spec.message_ttl, own) {
            (Some(queue), Some(own)) => queue.min(own),
            (queue, own) => queue.or(own)?,
        };
        Some(now.saturating_add(span))
    }

    /// Whether it refuses what it has no room for.
    #[inline]
    pub(super) fn refuses(&self) -> bool {
        matches!(self.spec.overflow, Overflow::RejectPublish | Overflow::RejectPublishDlx)
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
            envelope: Envelope::default(),
            expires_at: None,
            n_failed: 0,
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
