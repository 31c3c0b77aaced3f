//! A long list of which the oldest part goes; clones share what does not change any more.

use std::collections::VecDeque;
use std::sync::Arc;

/// Entries of a piece.
const PIECE: usize = 512;

/// Entries by their number from the beginning of the run. A clone costs a pointer for each piece.
#[derive(Clone, PartialEq, Debug)]
pub struct Ring<T> {
    pieces: VecDeque<Arc<Vec<T>>>,
    /// Number of the first entry kept.
    first: u64,
    /// Entries kept.
    len: u64,
}

impl<T> Default for Ring<T> {
    fn default() -> Ring<T> {
        Ring { pieces: VecDeque::new(), first: 0, len: 0 }
    }
}

impl<T: Clone> Ring<T> {
    /// Adds an entry; of more than `most` the oldest go. Answers with its number.
    pub fn push(&mut self, entry: T, most: u64) -> u64 {
        let place = self.first + self.len;
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE => Arc::make_mut(piece).push(entry),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(entry);
                self.pieces.push_back(Arc::new(piece));
            }
        }
        self.len += 1;
        self.keep(most);
        place
    }

    /// Lets the oldest pieces go until no more than `most` entries and a piece are left.
    pub fn keep(&mut self, most: u64) {
        while most + PIECE as u64 <= self.len && 1 < self.pieces.len() {
            if let Some(piece) = self.pieces.pop_front() {
                self.first += piece.len() as u64;
                self.len -= piece.len() as u64;
            }
        }
    }

    /// The entry of that number, if it is kept, to be changed.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Arc::make_mut(self.pieces.get_mut(place / PIECE)?).get_mut(place % PIECE)
    }

    /// The entry of that number, if it is kept.
    pub fn get(&self, number: u64) -> Option<&T> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.pieces.get(place / PIECE)?.get(place % PIECE)
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Entries kept.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of the first entry kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Rough size in bytes.
    pub fn weight(&self) -> u64 {
        self.len * size_of::<T>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_numbers_stay() {
        let mut ring = Ring::default();
        for n in 0..5_000_u64 {
            assert_eq!(ring.push(n, 1_000), n);
        }
        assert!(1_000 <= ring.len() && ring.len() < 1_000 + PIECE as u64);
        assert_eq!(ring.get(4_321), Some(&4_321));
        assert_eq!(ring.get(0), None);
        assert_eq!(ring.iter().next_back(), Some(&4_999));
    }

    #[test]
    fn a_clone_keeps_what_it_had() {
        let mut ring = Ring::default();
        (0..600_u64).for_each(|n| assert_eq!(ring.push(n, 10_000), n));
        let before = ring.clone();
        *ring.get_mut(3).expect("kept") = 7;
        assert_eq!((before.get(3), ring.get(3)), (Some(&3), Some(&7)));
    }
}
