//! Slots with stable numbers: what leaves frees its slot, what comes takes the last one freed.
//!
//! Plain data, no allocation while the number of things stays within its former maximum.

/// Things under stable `u32` slots.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// No slots yet.
    pub(super) const fn new() -> Slab<T> {
        Slab { items: Vec::new(), free: Vec::new() }
    }

    /// The slot that the next `insert` will use.
    pub(super) fn next_slot(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.items.len() as u32)
    }

    /// Puts a thing into a free slot and says which.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.items[slot as usize] = Some(item);
                slot
            }
            None => {
                self.items.push(Some(item));
                (self.items.len() - 1) as u32
            }
        }
    }

    /// Takes a thing out; `None` when the slot is empty.
    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let item = self.items.get_mut(slot as usize)?.take();
        if item.is_some() {
            self.free.push(slot);
        }
        item
    }

    /// The thing in a slot.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.items.get(slot as usize)?.as_ref()
    }

    /// The thing in a slot, to change it.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.items.get_mut(slot as usize)?.as_mut()
    }

    /// All things by rising slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.items.iter().enumerate();
        slots.filter_map(|(slot, item)| Some((slot as u32, item.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_used_again_before_a_new_one() {
        let mut slab = Slab::new();
        let a = slab.insert('a');
        let b = slab.insert('b');
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.next_slot(), a);
        assert_eq!(slab.insert('c'), a);
        assert_eq!(
            slab.iter().map(|(slot, c)| (slot, *c)).collect::<Vec<_>>(),
            [(a, 'c'), (b, 'b')]
        );
    }
}
