//! What the queue orders: time, sequence number and slot in one 16-byte number.

use crate::kernel::SimTime;

const SLOT_BITS: u32 = 24;
/// The most entries that can be queued at once.
pub const MAX_PENDING: u64 = 1 << SLOT_BITS;
/// The most entries that one queue can ever be given.
const MAX_SEQUENCE: u64 = 1 << (64 - SLOT_BITS);

/// Time, then sequence number, then the slot that holds the event.
///
/// No two entries share a sequence number, so the slot never decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(u128);

impl Key {
    /// Before every entry.
    pub const FIRST: Key = Key(0);
    /// After every entry: stands for no entry at all.
    pub const NEVER: Key = Key(u128::MAX);

    /// Panics when the sequence numbers are used up.
    #[inline]
    pub fn new(at: SimTime, sequence: u64) -> Key {
        assert!(sequence < MAX_SEQUENCE - 1, "a queue takes at most 2^40 events");
        Key(u128::from(at.ns()) << 64 | u128::from(sequence << SLOT_BITS))
    }

    #[inline]
    pub fn with_slot(self, slot: u32) -> Key {
        Key(self.0 | u128::from(slot))
    }

    /// The key without its slot: what decides the order.
    #[inline]
    pub fn rank(self) -> Key {
        Key(self.0 & !u128::from(MAX_PENDING - 1))
    }

    /// Nanoseconds since the start.
    #[inline]
    pub fn ns(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    pub fn time(self) -> SimTime {
        SimTime::from_ns(self.ns())
    }

    #[inline]
    pub fn slot(self) -> usize {
        (self.0 as u64 & (MAX_PENDING - 1)) as usize
    }
}
