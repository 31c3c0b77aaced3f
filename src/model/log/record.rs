//! Records and batches as they lie in a log.

use super::producers::Stamp;
use crate::kernel::SimTime;

/// A key, as a number that stands for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u32);

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A value.
    Value,
    /// No value: "forget this key" in a compacted log.
    Tombstone,
    /// The end of a transaction: all of it counts. Never shown to consumers.
    Commit,
    /// The end of a transaction: none of it counts. Never shown to consumers.
    Abort,
}

impl Content {
    /// Whether it ends a transaction.
    pub const fn is_marker(self) -> bool {
        matches!(self, Content::Commit | Content::Abort)
    }
}

/// A record before it has an offset. `M` is whatever the caller calls a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewRecord<M> {
    /// When it was made, by the producer's clock.
    pub at: SimTime,
    /// Its size in the log, in bytes.
    pub bytes: u32,
    /// Its key, if it has one.
    pub key: Option<Key>,
    /// What it holds.
    pub content: Content,
    /// The message.
    pub message: M,
}

impl<M> NewRecord<M> {
    /// A value without key.
    pub const fn value(at: SimTime, bytes: u32, message: M) -> NewRecord<M> {
        NewRecord { at, bytes, key: None, content: Content::Value, message }
    }
}

/// A record at its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<M> {
    /// Its number in the partition.
    pub offset: u64,
    /// When it was made, by the producer's clock.
    pub at: SimTime,
    /// Its size in the log, in bytes.
    pub bytes: u32,
    /// Its key, if it has one.
    pub key: Option<Key>,
    /// What it holds.
    pub content: Content,
    /// The message.
    pub message: M,
}

/// Records that were appended together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of the first record.
    pub base: u64,
    /// How many offsets it takes; compaction may have removed some of its records.
    pub n: u32,
    /// Epoch of the leader that wrote it.
    pub epoch: u32,
    /// What its idempotent producer wrote on it.
    pub stamp: Option<Stamp>,
    /// From when on its tombstones may be removed, once a compaction has seen them.
    pub delete_horizon: Option<SimTime>,
}

impl Batch {
    /// Offset after its last record.
    pub const fn end(&self) -> u64 {
        self.base + self.n as u64
    }
}
