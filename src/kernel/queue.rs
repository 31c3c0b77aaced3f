//! The event queue: a total order by (time, sequence number), so what happens at one instant
//! happens in the order in which it was scheduled.
//!
//! Two tiers. The *near* part is a sorted array of the entries up to the end of a window; the
//! *far* part keeps the others in coarse buckets ([`far`]). When the near part runs empty, the
//! earliest bucket is loaded; when it grows past its limit, the window shrinks and the later
//! entries go to the far part. Entries for the current instant wait in a ring. Events lie in
//! slots, entries are 16 bytes ([`key`]). The steady state allocates nothing, and a copy of the
//! queue is a few copies of memory.
//!
//! Two traps, for those who edit this. The window may shrink only around the time of the last
//! pop, never around the earliest entry: another may still be put before that one. And a pop
//! with a horizon must not move the window's start past the horizon, for the same reason.
//!
//! Timers that are set again and again have a cheaper way in: [`super::timer`].

mod far;
mod key;

use std::collections::VecDeque;
use std::fmt;

use super::SimTime;
use far::{Far, WHOLE, ceiling, digits, floor};
pub(super) use key::Key;
pub use key::MAX_PENDING;

/// A near part longer than this is split, if it spans more than one instant.
const MAX_NEAR: usize = 64;
/// A bucket of at most this many entries is loaded whole.
const MAX_LOAD: usize = 32;
/// The events of this many entries stay in the cache until they are popped.
const MAX_CACHED: usize = 1_024;
/// This many dead entries are let be, however few others there are.
const MIN_SWEEP: u64 = 64;

/// A queue of events, taken by time and, at the same time, in order of scheduling.
///
/// Holds at most [`MAX_PENDING`] entries at once.
#[derive(Clone)]
pub struct EventQueue<E> {
    /// The entries up to `last`, latest first; those at the current instant may be in the ring.
    near: Vec<Key>,
    /// Entries at the time of the last pop, in order.
    ring: VecDeque<Key>,
    /// The entries after `last`.
    far: Far,
    /// The last instant of the near window.
    last: u64,
    /// The window spans 64^level ns, or less when `level` is 0.
    level: u32,
    /// The events by slot; a queued entry whose slot is empty is dead.
    slots: Vec<Option<E>>,
    /// The slots that no entry uses.
    free: Vec<u32>,
    /// The number of dead entries.
    dead: u64,
    /// The entry popped last.
    current: Key,
    sequence: u64,
}

impl<E> EventQueue<E> {
    /// An empty queue at time zero.
    pub fn new() -> EventQueue<E> {
        EventQueue {
            near: Vec::with_capacity(MAX_NEAR + 1),
            ring: VecDeque::new(),
            far: Far::new(),
            last: u64::MAX,
            level: WHOLE,
            slots: Vec::new(),
            free: Vec::new(),
            dead: 0,
            current: Key::FIRST,
            sequence: 0,
        }
    }

    /// Adds an event, after all that are already scheduled for the same time.
    ///
    /// Panics when `at` is before the last pop or the queue [is full](Self::is_full).
    #[inline]
    pub fn schedule(&mut self, at: SimTime, event: E) {
        let rank = self.next_rank(at);
        self.push(rank, event);
    }

    /// Takes the next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        self.pop_until(SimTime::MAX)
    }

    /// Takes the next event if it is due at `horizon` or before.
    ///
    /// After a `None`, events may still be scheduled at any time since the last pop.
    #[inline]
    pub fn pop_until(&mut self, horizon: SimTime) -> Option<(SimTime, E)> {
        loop {
            let Some(key) = self.head() else {
                if self.refill(horizon.ns()) {
                    continue;
                }
                return None;
            };
            if key.time() > horizon {
                return None;
            }
            if self.near.last() == Some(&key) {
                self.near.pop();
            } else {
                self.ring.pop_front();
            }
            if let Some(event) = self.vacate(key) {
                self.current = key;
                return Some((key.time(), event));
            }
        }
    }

    /// Removes all entries and starts again at time zero; the memory stays.
    ///
    /// Timers that were armed must be reset too.
    pub fn clear(&mut self) {
        self.near.clear();
        self.ring.clear();
        self.far.clear();
        self.slots.clear();
        self.free.clear();
        (self.dead, self.sequence, self.current) = (0, 0, Key::FIRST);
        self.open_window();
    }

    /// The time of the next entry; none comes before it.
    ///
    /// It may be an entry of a timer that has since been armed for later or disarmed.
    pub fn next_time(&self) -> Option<SimTime> {
        if let Some(key) = self.head() {
            return Some(key.time());
        }
        let place = self.far.first()?;
        self.far.keys_of(place).min().map(Key::time)
    }

    /// The number of entries, at most two for each timer.
    pub fn len(&self) -> u64 {
        self.n_taken() - self.dead
    }

    /// Whether no entry is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room for another entry.
    pub fn is_full(&self) -> bool {
        self.n_taken() == MAX_PENDING
    }

    fn n_taken(&self) -> u64 {
        (self.slots.len() - self.free.len()) as u64
    }

    /// The earliest entry of the ring and the near part.
    #[inline]
    fn head(&self) -> Option<Key> {
        match (self.ring.front(), self.near.last()) {
            (None, near) => near.copied(),
            (Some(&ring), Some(&near)) if near < ring => Some(near),
            (Some(&ring), _) => Some(ring),
        }
    }

    /// Puts an event where its slot and its place in the order are; gives its key.
    #[inline]
    pub(super) fn push(&mut self, rank: Key, event: E) -> Key {
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(event);
            slot
        } else {
            assert!(!self.is_full(), "a queue holds at most 2^24 entries");
            self.slots.push(Some(event));
            self.slots.len() as u32 - 1
        };
        let key = rank.with_slot(slot);
        if self.last < key.ns() {
            self.far.put(key);
        } else if key.ns() == self.current.ns() && self.ring.back().is_none_or(|&back| back < key) {
            self.ring.push_back(key);
        } else {
            self.insert_near(key);
        }
        key
    }

    /// The place in the order of what is scheduled now for `at`.
    #[inline]
    pub(super) fn next_rank(&mut self, at: SimTime) -> Key {
        assert!(self.current.time() <= at, "nothing is scheduled in the past");
        self.sequence += 1;
        Key::new(at, self.sequence)
    }

    /// The entry popped last.
    pub(super) fn current(&self) -> Key {
        self.current
    }

    /// Makes a queued entry dead: it will be dropped, not popped.
    pub(super) fn kill(&mut self, key: Key) {
        assert!(self.current < key, "only what is queued can be taken back");
        self.slots[key.slot()] = None;
        self.dead += 1;
        // Each sweep is paid for by as many kills as it finds entries.
        if self.len().max(MIN_SWEEP) < self.dead {
            self.sweep();
        }
    }

    #[inline]
    fn insert_near(&mut self, key: Key) {
        self.near.push(key);
        let near = self.near.as_mut_slice();
        let mut at = near.len() - 1;
        while at > 0 && near[at - 1] < key {
            near[at] = near[at - 1];
            at -= 1;
        }
        near[at] = key;
        if self.near.len() > MAX_NEAR && self.level > 0 {
            self.shrink_window();
        }
    }

    /// Frees the slot of an entry that left the queue; none if the entry was dead.
    #[inline]
    fn vacate(&mut self, key: Key) -> Option<E> {
        self.free.push(key.slot() as u32);
        let event = self.slots[key.slot()].take();
        self.dead -= u64::from(event.is_none());
        event
    }

    /// Loads the earliest entries, if they may be due at `horizon` or before.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, horizon: u64) -> bool {
        assert!(self.near.is_empty());
        while let Some(place) = self.far.first() {
            if horizon < place.start {
                return false;
            }
            self.far.take(place, &mut self.near);
            if self.near.len() <= MAX_CACHED {
                self.drop_dead();
            }
            let first = self.near.first().map_or(0, |key| key.ns());
            let difference = self.near.iter().fold(0, |all, key| all | (key.ns() ^ first));
            if MAX_LOAD < self.near.len() && difference > 0 {
                // Straight to the digit in which the times differ, unless that passes the horizon.
                let common = floor(first, digits(difference));
                self.deal(if common <= horizon { common } else { place.start });
                continue;
            }
            (self.far.base, self.level) = (place.start, place.level);
            self.last = ceiling(place.start, place.level);
            self.near.sort_unstable_by(|a, b| b.cmp(a));
            if self.far.is_empty() && self.near.len() <= MAX_NEAR {
                self.open_window();
            }
            if !self.near.is_empty() {
                return true;
            }
        }
        self.open_window();
        false
    }

    /// Puts the near part, which is one large bucket, back as finer buckets from `base` on.
    fn deal(&mut self, base: u64) {
        self.far.base = base;
        // What is scheduled before the new base belongs to the near part. The base is not zero:
        // times that differ are above level 0, where a digit is greater than that of the old base.
        (self.last, self.level) = (base - 1, 0);
        for key in self.near.drain(..) {
            self.far.put(key);
        }
    }

    /// Moves the later part of an overfull near part to the far one.
    #[cold]
    #[inline(never)]
    fn shrink_window(&mut self) {
        let now = self.current.ns();
        while self.near.len() > MAX_NEAR && self.level > 0 {
            if self.level == WHOLE {
                // The far part is empty, so any digit will do: the highest that differs from now.
                let difference = self.near.iter().fold(0, |all, key| all | (key.ns() ^ now));
                self.level = digits(difference);
            }
            self.level -= 1;
            // A horizon may have let the window start after the last pop.
            self.far.base = floor(now.max(self.far.base), self.level);
            self.last = ceiling(self.far.base, self.level);
            let n_later = self.near.partition_point(|key| self.last < key.ns());
            for key in self.near.drain(..n_later) {
                self.far.put(key);
            }
        }
    }

    /// The near part takes everything: there are few entries.
    fn open_window(&mut self) {
        (self.far.base, self.last, self.level) = (0, u64::MAX, WHOLE);
    }

    /// Drops the dead entries of the near part.
    ///
    /// Looking at many slots in a row also brings the events into the cache, much faster than
    /// one by one at each pop.
    fn drop_dead(&mut self) {
        let (slots, free) = (&self.slots, &mut self.free);
        let n_dead = self.near.iter().filter(|key| slots[key.slot()].is_none()).count();
        if n_dead > 0 {
            self.near.retain(|&key| keep(slots, free, key));
            self.dead -= n_dead as u64;
        }
    }

    /// Drops all dead entries.
    #[cold]
    fn sweep(&mut self) {
        let n_near = self.near.len();
        while let Some(place) = self.far.first() {
            self.far.take(place, &mut self.near);
        }
        for key in self.near.drain(n_near..) {
            if keep(&self.slots, &mut self.free, key) {
                self.far.put(key);
            }
        }
        self.drop_dead();
        self.ring.retain(|&key| keep(&self.slots, &mut self.free, key));
        self.dead = 0;
    }

    /// All live entries in their order.
    fn sorted(&self) -> Vec<(Key, &E)> {
        let keys = self.near.iter().chain(&self.ring).copied().chain(self.far.keys());
        let live = |key: Key| Some((key.rank(), self.slots[key.slot()].as_ref()?));
        let mut entries: Vec<_> = keys.filter_map(live).collect();
        entries.sort_unstable_by_key(|&(rank, _)| rank);
        entries
    }
}

/// Whether an entry is alive; if not, its slot is freed.
fn keep<E>(slots: &[Option<E>], free: &mut Vec<u32>, key: Key) -> bool {
    let alive = slots[key.slot()].is_some();
    if !alive {
        free.push(key.slot() as u32);
    }
    alive
}

impl<E> Default for EventQueue<E> {
    fn default() -> EventQueue<E> {
        EventQueue::new()
    }
}

/// Queues are equal when they will pop the same events in the same order and give the same
/// sequence numbers, however their memory is arranged.
impl<E: PartialEq> PartialEq for EventQueue<E> {
    fn eq(&self, other: &EventQueue<E>) -> bool {
        self.current.rank() == other.current.rank()
            && self.sequence == other.sequence
            && self.sorted() == other.sorted()
    }
}

impl<E: Eq> Eq for EventQueue<E> {}

impl<E: fmt::Debug> fmt::Debug for EventQueue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.sorted().into_iter().map(|(key, event)| (key.time(), event));
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Stream, Streams};

    impl EventQueue<u64> {
        /// What the two tiers promise each other.
        fn check(&self) {
            let now = self.current.ns();
            assert!(self.near.is_sorted_by(|a, b| a > b));
            assert!(self.near.first().is_none_or(|key| key.ns() <= self.last));
            assert!(self.near.last().is_none_or(|key| now <= key.ns()));
            assert!(self.ring.iter().is_sorted());
            assert!(self.ring.iter().all(|key| key.ns() == now));
            assert!(self.far.keys().all(|key| self.last < key.ns() && self.far.base <= key.ns()));
            self.far.check();
            // Long near parts would be slow to insert into.
            let one_instant = self.near.first().map(|k| k.ns()) == self.near.last().map(|k| k.ns());
            assert!(self.near.len() <= MAX_NEAR || one_instant);
        }
    }

    /// Times ahead: near, far, in clusters, at one instant.
    fn ahead(stream: &mut Stream) -> u64 {
        let bits = stream.below(36);
        match stream.below(4) {
            0 => stream.below(1 << bits),
            1 => 3 << bits,
            2 => 5 << bits | stream.below(200),
            _ => 7 << bits | stream.below(1 << bits.min(16)),
        }
    }

    /// As the world does it: pops up to a time, then schedules from that time on.
    #[test]
    fn the_tiers_keep_their_promises() {
        for seed in 0..200 {
            let mut stream = Streams::new(seed).stream(0, 0);
            let mut queue = EventQueue::new();
            let mut now = 0;
            for _ in 0..40 {
                let offset = ahead(&mut stream);
                for i in 0..stream.below(150) {
                    let bits = stream.below(20);
                    let spread = stream.below(1 << bits);
                    queue.schedule(SimTime::from_ns(now + offset + spread), i);
                }
                queue.check();
                now += ahead(&mut stream);
                let mut n_popped = 0;
                while let Some((at, _)) = queue.pop_until(SimTime::from_ns(now)) {
                    n_popped += 1;
                    if n_popped == 100 {
                        now = at.ns();
                        break;
                    }
                }
                queue.check();
            }
        }
    }

    /// Many events far ahead; a page then draws frame after frame and schedules in between.
    #[test]
    fn what_lies_far_ahead_does_not_slow_down_the_present() {
        let mut queue = EventQueue::new();
        for i in 0..1_000 {
            queue.schedule(SimTime::from_ns(100_000_000_000 + i * 1_000), i);
        }
        for frame in 1..100 {
            let now = frame * 1_000_000;
            while queue.pop_until(SimTime::from_ns(now)).is_some() {}
            for i in 0..200 {
                queue.schedule(SimTime::from_ns(now + i * 10_000), i);
            }
            queue.check();
        }
    }
}
