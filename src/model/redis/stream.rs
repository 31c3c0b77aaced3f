//! A stream: entries by rising id, with the groups that read it.

use std::collections::BTreeMap;

use super::command::Trim;
use super::group::Group;
use super::reply::Error;
use super::{ITEMS_LIMIT, Text};
use crate::kernel::SimTime;

/// Nanoseconds in a millisecond.
const NS_PER_MS: u64 = 1_000_000;

/// An entry's id, written `ms-seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EntryId {
    /// Milliseconds, or whatever the producer takes for them.
    pub ms: u64,
    /// Counts within a millisecond.
    pub seq: u64,
}

impl EntryId {
    /// Before all entries.
    pub const ZERO: EntryId = EntryId { ms: 0, seq: 0 };
    /// After all entries.
    pub const MAX: EntryId = EntryId { ms: u64::MAX, seq: u64::MAX };

    /// The id after this one; `None` after the greatest.
    pub fn next(self) -> Option<EntryId> {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Some(EntryId { seq, ..self }),
            (None, Some(ms)) => Some(EntryId { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The id before this one; `None` before the least.
    pub fn previous(self) -> Option<EntryId> {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Some(EntryId { seq, ..self }),
            (None, Some(ms)) => Some(EntryId { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }
}

/// Which id a new entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddId {
    /// `*`: the server's clock, which here is the simulation's.
    Auto,
    /// `ms-*`: the next within that millisecond.
    AutoSeq(u64),
    /// `ms-seq`.
    Exact(EntryId),
}

/// An entry: names and values by turns.
pub type Entry = Vec<Text>;

/// Entries by id.
pub(super) type Entries = BTreeMap<EntryId, Entry>;

/// A stream. It stays when it is empty.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Stream {
    entries: Entries,
    /// The greatest id ever given.
    last: EntryId,
    /// Its groups by name.
    pub(super) groups: BTreeMap<Text, Group>,
}

impl Stream {
    /// XADD: the id must grow.
    pub(super) fn add(&mut self, now: SimTime, id: AddId, fields: Entry) -> Result<EntryId, Error> {
        if self.last == EntryId::MAX {
            return Err(Error::IdsExhausted);
        }
        if ITEMS_LIMIT <= self.len() {
            return Err(Error::OutOfMemory);
        }
        let id = self.choose(now, id)?;
        self.last = id;
        self.entries.insert(id, fields);
        Ok(id)
    }

    /// The id that a new entry gets (`streamAppendItem`).
    fn choose(&self, now: SimTime, id: AddId) -> Result<EntryId, Error> {
        let ms = now.ns() / NS_PER_MS;
        // Not the greatest: that was refused.
        let following = self.last.next().unwrap_or(EntryId::MAX);
        let id = match id {
            AddId::Auto if self.last.ms < ms => EntryId { ms, seq: 0 },
            AddId::Auto => following,
            AddId::AutoSeq(ms) if ms == self.last.ms && self.last == EntryId::ZERO => following,
            AddId::AutoSeq(ms) if ms == self.last.ms => {
                let seq = self.last.seq.checked_add(1).ok_or(Error::IdTooSmall)?;
                EntryId { ms, seq }
            }
            AddId::AutoSeq(ms) => EntryId { ms, seq: 0 },
            AddId::Exact(EntryId::ZERO) => return Err(Error::IdZero),
            AddId::Exact(id) => id,
        };
        if id <= self.last { Err(Error::IdTooSmall) } else { Ok(id) }
    }

    /// XDEL: whether it was there. Pending deliveries of it stay pending.
    pub(super) fn delete(&mut self, id: EntryId) -> bool {
        self.entries.remove(&id).is_some()
    }

    /// XTRIM: how many entries went. Pending deliveries of them stay pending.
    pub(super) fn trim(&mut self, trim: Trim) -> u32 {
        let n_before = self.len();
        match trim {
            Trim::MinId(id) => self.entries = self.entries.split_off(&id),
            Trim::MaxLen(n) => {
                while n < u64::from(self.len()) {
                    self.entries.pop_first();
                }
            }
        }
        n_before - self.len()
    }

    /// A group to change, with the entries to look at.
    pub(super) fn group_mut(&mut self, name: &Text) -> Option<(&Entries, &mut Group)> {
        Some((&self.entries, self.groups.get_mut(name)?))
    }

    /// How many entries.
    pub fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The greatest id ever given.
    pub fn last(&self) -> EntryId {
        self.last
    }

    /// One entry, if it was not deleted.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Entries from one id to another, both included.
    pub fn range(
        &self,
        first: EntryId,
        last: EntryId,
    ) -> impl DoubleEndedIterator<Item = (EntryId, &Entry)> {
        // A map's range may not be inverted; here it holds nothing.
        let is_inverted = last < first;
        let last = last.max(first);
        let entries = self.entries.range(first..=last).map(|(id, entry)| (*id, entry));
        entries.filter(move |_| !is_inverted)
    }

    /// Entries after an id.
    pub fn after(&self, id: EntryId) -> impl Iterator<Item = (EntryId, &Entry)> {
        let first = id.next().unwrap_or(EntryId::MAX);
        let is_past = id == EntryId::MAX;
        self.range(first, EntryId::MAX).filter(move |_| !is_past)
    }

    /// Deliveries of all groups that nobody has acknowledged.
    pub(super) fn n_pending(&self) -> u64 {
        self.groups.values().map(|group| group.pending().len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> EntryId {
        EntryId { ms, seq }
    }

    fn add(stream: &mut Stream, at_ms: u64, id: AddId) -> Result<EntryId, Error> {
        stream.add(SimTime::from_ns(at_ms * NS_PER_MS), id, vec![])
    }

    #[test]
    fn ids_only_grow() {
        let mut stream = Stream::default();
        assert_eq!(add(&mut stream, 0, AddId::Exact(EntryId::ZERO)), Err(Error::IdZero));
        assert_eq!(add(&mut stream, 0, AddId::AutoSeq(0)), Ok(id(0, 1)));
        assert_eq!(add(&mut stream, 0, AddId::Exact(id(5, 1))), Ok(id(5, 1)));
        assert_eq!(add(&mut stream, 0, AddId::Exact(id(5, 1))), Err(Error::IdTooSmall));
        assert_eq!(add(&mut stream, 0, AddId::AutoSeq(4)), Err(Error::IdTooSmall));
        assert_eq!(add(&mut stream, 0, AddId::AutoSeq(5)), Ok(id(5, 2)));
        assert_eq!(add(&mut stream, 3, AddId::Auto), Ok(id(5, 3)), "a clock that is behind");
        assert_eq!(add(&mut stream, 9, AddId::Auto), Ok(id(9, 0)));
        stream.delete(id(9, 0));
        assert_eq!(add(&mut stream, 0, AddId::Exact(id(9, 0))), Err(Error::IdTooSmall));
        assert_eq!(add(&mut stream, 0, AddId::Exact(EntryId::MAX)), Ok(EntryId::MAX));
        assert_eq!(add(&mut stream, 0, AddId::Auto), Err(Error::IdsExhausted));
        assert_eq!(stream.after(EntryId::MAX).count(), 0);
    }

    #[test]
    fn trimming_cuts_the_oldest() {
        let mut stream = Stream::default();
        for ms in 1..=5 {
            add(&mut stream, 0, AddId::Exact(id(ms, 0))).expect("it grows");
        }
        assert_eq!(stream.trim(Trim::MaxLen(3)), 2);
        assert_eq!(stream.trim(Trim::MaxLen(9)), 0);
        assert_eq!(stream.trim(Trim::MinId(id(4, 1))), 2);
        assert_eq!(stream.range(EntryId::ZERO, EntryId::MAX).count(), 1);
        assert_eq!(stream.last(), id(5, 0));
    }

    #[test]
    fn an_inverted_range_is_empty() {
        let mut stream = Stream::default();
        add(&mut stream, 0, AddId::Exact(id(3, 0))).expect("it grows");
        assert_eq!(stream.range(id(3, 0), id(2, 0)).count(), 0);
        assert_eq!(stream.range(id(3, 0), id(3, 0)).count(), 1);
    }
}
