//! lwIP's heap (`mem.c`): first fit from the lowest free block, neighbours merged when freed.
//!
//! Blocks lie side by side from offset 0 to `MEM_SIZE`. Each begins with a header of its own; a
//! request is rounded up to the alignment and to at least [`MIN_SIZE`]. A block is split when the
//! rest holds a header and a smallest block; otherwise the whole is handed out.

use super::aligned;
use super::memp::Usage;

/// Least payload of a block in bytes. `mem.c:MIN_SIZE`.
pub const MIN_SIZE: u32 = 12;
/// From this size on, offsets need 32 bits and headers are larger. `mem.h:mem_size_t`.
const LARGE_HEAP: u32 = 64_000;
/// Bytes of a block's header in a small heap: two offsets of 16 bits and a flag, aligned.
const SMALL_HEADER: u32 = 8;
/// Bytes of a block's header in a large heap.
const LARGE_HEADER: u32 = 12;

/// A block, header included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Where it begins, in bytes from the start of the heap.
    pub at: u32,
    /// Whether it is in use.
    pub used: bool,
}

/// The heap of one host.
#[derive(Clone, PartialEq, Debug)]
pub struct Heap {
    /// Statistics in bytes, headers included.
    pub usage: Usage,
    /// Bytes of a block's header.
    pub header: u32,
    /// Blocks that searches passed over: work for the processor.
    pub passed: u64,
    /// By place; never empty, and the first begins at 0.
    blocks: Vec<Block>,
    /// Index of the lowest free block; `blocks.len()` if all are in use. `mem.c:lfree`.
    lowest_free: u32,
}

impl Heap {
    /// A heap of so many bytes (`MEM_SIZE`), all free.
    pub fn new(mem_size: u32) -> Heap {
        let header = if LARGE_HEAP < mem_size { LARGE_HEADER } else { SMALL_HEADER };
        Heap {
            usage: Usage { avail: aligned(mem_size), ..Usage::default() },
            header,
            passed: 0,
            blocks: vec![Block { at: 0, used: false }],
            lowest_free: 0,
        }
    }

    /// Takes a block for so many bytes and says where its payload begins. `mem.c:mem_malloc`.
    ///
    /// A search begins at a block only where its offset is below `MEM_SIZE` less the request.
    pub fn malloc(&mut self, bytes: u32) -> Option<u32> {
        let size = aligned(bytes).max(MIN_SIZE);
        let end = self.usage.avail;
        if bytes == 0 || end < size {
            return None;
        }
        for index in self.lowest_free as usize..self.blocks.len() {
            let Block { at, used } = self.blocks[index];
            if end - size <= at {
                break;
            }
            let room = self.end_of(index) - at - self.header;
            if used || room < size {
                self.passed += 1;
                continue;
            }
            if size + self.header + MIN_SIZE <= room {
                let rest = Block { at: at + self.header + size, used: false };
                self.blocks.insert(index + 1, rest);
            }
            self.blocks[index].used = true;
            self.usage.add(self.end_of(index) - at);
            if index == self.lowest_free as usize {
                self.find_lowest_free(index);
            }
            return Some(at + self.header);
        }
        self.usage.err += 1;
        None
    }

    /// Gives a block back and merges it with free neighbours. `mem.c:mem_free`, `plug_holes`.
    ///
    /// # Panics
    /// If no used block has its payload there.
    pub fn free(&mut self, payload: u32) {
        let mut index = self.index_of(payload);
        self.blocks[index].used = false;
        self.usage.used -= self.end_of(index) - self.blocks[index].at;
        if self.blocks.get(index + 1).is_some_and(|next| !next.used) {
            self.blocks.remove(index + 1);
        }
        if 0 < index && !self.blocks[index - 1].used {
            self.blocks.remove(index);
            index -= 1;
        }
        // What lies in front of the lowest free block is in use, and stays where it is.
        self.lowest_free = self.lowest_free.min(index as u32);
    }

    /// Shrinks a block, if that leaves a block or makes the free one behind it larger.
    /// `mem.c:mem_trim`.
    ///
    /// # Panics
    /// If no used block has its payload there, or it has fewer bytes.
    pub fn trim(&mut self, payload: u32, bytes: u32) {
        let index = self.index_of(payload);
        let new_size = aligned(bytes).max(MIN_SIZE);
        let size = self.end_of(index) - payload;
        assert!(new_size <= size, "a block shrinks only");
        if new_size == size {
            return;
        }
        let rest = Block { at: payload + new_size, used: false };
        if self.blocks.get(index + 1).is_some_and(|next| !next.used) {
            self.blocks[index + 1] = rest;
        } else if new_size + self.header + MIN_SIZE <= size {
            self.blocks.insert(index + 1, rest);
            self.lowest_free =
                if (index as u32) < self.lowest_free { index as u32 + 1 } else { self.lowest_free };
        } else {
            return;
        }
        self.usage.used -= size - new_size;
    }

    /// The blocks by place, each with its bytes (header included).
    pub fn blocks(&self) -> impl Iterator<Item = (Block, u32)> + '_ {
        self.blocks.iter().enumerate().map(|(i, block)| (*block, self.end_of(i) - block.at))
    }

    fn end_of(&self, index: usize) -> u32 {
        self.blocks.get(index + 1).map_or(self.usage.avail, |next| next.at)
    }

    fn index_of(&self, payload: u32) -> usize {
        let at = payload - self.header;
        let found = self.blocks.binary_search_by_key(&at, |block| block.at);
        let index = found.expect("a block begins where it was handed out");
        assert!(self.blocks[index].used, "a block is freed once");
        index
    }

    fn find_lowest_free(&mut self, from: usize) {
        let rest = &self.blocks[from..];
        let skip = rest.iter().position(|block| !block.used).unwrap_or(rest.len());
        self.lowest_free = (from + skip) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_grow_with_the_heap() {
        assert_eq!(Heap::new(1600).malloc(1), Some(8));
        assert_eq!(Heap::new(65_536).malloc(1), Some(12));
    }

    #[test]
    fn a_search_does_not_begin_near_the_end() {
        // 40 B: a block of 8 + 12 leaves 20 B at offset 20, and 12 B would fit into them;
        // with 28 B requested nothing begins at 12 or above.
        let mut heap = Heap::new(40);
        assert_eq!(heap.malloc(12), Some(8));
        assert_eq!(heap.malloc(12), Some(28));
        assert_eq!(heap.usage.used, 40);
        let mut heap = Heap::new(40);
        heap.malloc(4);
        assert_eq!(heap.malloc(20), None);
        assert_eq!(heap.usage.err, 1);
    }

    #[test]
    fn the_lowest_hole_that_fits_is_taken() {
        let mut heap = Heap::new(400);
        let places: Vec<u32> = (0..5).map(|_| heap.malloc(40).unwrap()).collect();
        heap.free(places[1]);
        heap.free(places[3]);
        assert_eq!(heap.malloc(100), Some(248));
        assert_eq!(heap.malloc(20), Some(places[1]));
        assert_eq!(heap.malloc(40), Some(places[3]));
    }

    proptest! {
        #[test]
        fn all_freed_is_one_block_again(
            ops in prop::collection::vec((0u32..300, any::<prop::sample::Index>(), 0u8..3), 1..200)
        ) {
            let mut heap = Heap::new(1600);
            let mut held: Vec<(u32, u32)> = Vec::new();
            for (bytes, which, op) in ops {
                if op < 2 {
                    held.extend(heap.malloc(bytes).map(|at| (at, bytes)));
                } else if !held.is_empty() {
                    let index = which.index(held.len());
                    let (at, bytes) = held[index];
                    if bytes % 2 == 0 {
                        held.remove(index);
                        heap.free(at);
                    } else {
                        heap.trim(at, bytes / 2);
                        held[index].1 = bytes / 2;
                    }
                }
                let blocks: Vec<(Block, u32)> = heap.blocks().collect();
                let used: u32 = blocks.iter().filter(|(b, _)| b.used).map(|(_, n)| n).sum();
                prop_assert_eq!(used, heap.usage.used);
                prop_assert!(blocks.windows(2).all(|w| w[0].0.used || w[1].0.used));
            }
            for (at, _) in held {
                heap.free(at);
            }
            prop_assert_eq!(heap.blocks().count(), 1);
            prop_assert_eq!(heap.usage.used, 0);
        }
    }
}
