//! The far part of the queue: entries beyond the near window, in buckets that get finer towards
//! the present.
//!
//! A bucket is named by the highest base-64 digit in which its times differ from `base`, and by
//! that digit's value: the lower the digit and the value, the earlier. Entries within a bucket
//! are in no order. Chunks come from one pool, so the steady state allocates nothing.

use super::key::Key;

const DIGIT_BITS: u32 = 6;
const LEVELS: usize = 11;
const KEYS_PER_CHUNK: usize = 15;
/// No chunk.
const NONE: u32 = u32::MAX;

/// The level above all: a window that holds every time.
pub const WHOLE: u32 = LEVELS as u32;

/// The lowest number of digits after which `difference` is zero.
pub fn digits(difference: u64) -> u32 {
    (63 - (difference | 1).leading_zeros()) / DIGIT_BITS + 1
}

/// `ns` with its lowest `level` digits zero.
pub fn floor(ns: u64, level: u32) -> u64 {
    let shift = level * DIGIT_BITS;
    if shift < u64::BITS { ns >> shift << shift } else { 0 }
}

/// `ns` with its lowest `level` digits at their greatest.
pub fn ceiling(ns: u64, level: u32) -> u64 {
    let shift = level * DIGIT_BITS;
    if shift < u64::BITS { ns | ((1 << shift) - 1) } else { u64::MAX }
}

#[derive(Clone, Copy)]
struct Chunk {
    keys: [Key; KEYS_PER_CHUNK],
    len: u32,
    next: u32,
}

/// Where a bucket is and what it spans.
#[derive(Clone, Copy)]
pub struct Place {
    pub level: u32,
    /// The earliest time that belongs here.
    pub start: u64,
    index: usize,
}

#[derive(Clone)]
pub struct Far {
    /// No entry is earlier. May only change so that every entry keeps its bucket.
    pub base: u64,
    /// The first chunk of each bucket; only that may have room.
    heads: Vec<u32>,
    /// For each level, which of its buckets hold something.
    filled: [u64; LEVELS],
    /// Which levels hold something.
    levels: u32,
    chunks: Vec<Chunk>,
    /// The first unused chunk.
    free: u32,
}

impl Far {
    pub fn new() -> Far {
        Far {
            base: 0,
            heads: vec![NONE; LEVELS * 64],
            filled: [0; LEVELS],
            levels: 0,
            chunks: Vec::new(),
            free: NONE,
        }
    }

    #[inline]
    pub fn put(&mut self, key: Key) {
        let level = digits(key.ns() ^ self.base) - 1;
        let digit = key.ns() >> (level * DIGIT_BITS) & 63;
        let head = self.heads[level as usize * 64 + digit as usize];
        if let Some(chunk) = self.chunks.get_mut(head as usize)
            && let Some(free) = chunk.keys.get_mut(chunk.len as usize)
        {
            *free = key;
            chunk.len += 1;
            return;
        }
        self.levels |= 1 << level;
        self.filled[level as usize] |= 1 << digit;
        self.put_in_new_chunk(level as usize * 64 + digit as usize, key);
    }

    #[inline(never)]
    fn put_in_new_chunk(&mut self, index: usize, key: Key) {
        let next = self.heads[index];
        if let Some(unused) = self.chunks.get_mut(self.free as usize) {
            self.heads[index] = self.free;
            self.free = unused.next;
            unused.keys[0] = key;
            (unused.len, unused.next) = (1, next);
        } else {
            // There are at most 2^24 entries, so the number fits.
            self.heads[index] = self.chunks.len() as u32;
            self.chunks.push(Chunk { keys: [key; KEYS_PER_CHUNK], len: 1, next });
        }
    }

    /// Moves all entries of a bucket to the end of `keys`.
    pub fn take(&mut self, place: Place, keys: &mut Vec<Key>) {
        let mut at = std::mem::replace(&mut self.heads[place.index], NONE);
        while let Some(chunk) = self.chunks.get_mut(at as usize) {
            // A copy of fixed length is much faster than one of the length needed.
            let len = keys.len() + chunk.len as usize;
            keys.extend_from_slice(&chunk.keys);
            keys.truncate(len);
            let next = std::mem::replace(&mut chunk.next, self.free);
            self.free = at;
            at = next;
        }
        let level = place.index / 64;
        self.filled[level] &= !(1 << (place.index % 64));
        if self.filled[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Removes every entry; the chunks stay.
    pub fn clear(&mut self) {
        let mut keys = Vec::new();
        while let Some(place) = self.first() {
            self.take(place, &mut keys);
            keys.clear();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.levels == 0
    }

    /// The bucket of the earliest entry.
    pub fn first(&self) -> Option<Place> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        let digit = u64::from(self.filled[level as usize].trailing_zeros());
        let start = floor(self.base, level + 1) | digit << (level * DIGIT_BITS);
        Some(Place { level, start, index: level as usize * 64 + digit as usize })
    }

    /// The entries of a bucket, in no order.
    pub fn keys_of(&self, place: Place) -> impl Iterator<Item = Key> {
        let mut at = self.heads[place.index];
        std::iter::from_fn(move || {
            let chunk = self.chunks.get(at as usize)?;
            at = chunk.next;
            Some(&chunk.keys[..chunk.len as usize])
        })
        .flatten()
        .copied()
    }

    /// All entries, in no order.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        (0..self.heads.len())
            .map(|index| Place { level: 0, start: 0, index })
            .flat_map(|place| self.keys_of(place))
    }

    /// Every entry is in the bucket that its time and the base name.
    #[cfg(test)]
    pub fn check(&self) {
        for index in 0..self.heads.len() {
            let place = Place { level: 0, start: 0, index };
            assert!(self.keys_of(place).all(|key| {
                let level = digits(key.ns() ^ self.base) - 1;
                let digit = key.ns() >> (level * DIGIT_BITS) & 63;
                index as u64 == u64::from(level) * 64 + digit
            }));
            let any = self.keys_of(place).next().is_some();
            assert_eq!(self.filled[index / 64] >> (index % 64) & 1, u64::from(any));
        }
        for (level, filled) in self.filled.iter().enumerate() {
            assert_eq!(self.levels >> level & 1, u32::from(*filled > 0));
        }
    }
}
