//! Packet buffers (`pbuf.c`): chains of pieces from the heap, the receive pool or elsewhere.
//!
//! A piece knows how many bytes it holds and how much room lies in front of them; the bytes
//! themselves are not kept. A [`PbufId`] is the head of a chain, or any piece of it.

use super::{Memory, aligned};

/// Bytes of `struct pbuf` on a 32-bit machine.
pub const STRUCT_PBUF: u32 = 16;

/// How much room a new buffer keeps for headers. `pbuf.h:pbuf_layer`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// Link, IP and TCP headers: 14 + 20 + 20 bytes.
    Transport,
    /// Link and IP headers.
    Ip,
    /// A link header.
    Link,
    /// No header.
    Raw,
}

impl Layer {
    /// Room in bytes.
    pub const fn offset(self) -> u32 {
        match self {
            Layer::Transport => 54,
            Layer::Ip => 34,
            Layer::Link => 14,
            Layer::Raw => 0,
        }
    }
}

/// Where a piece's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PbufKind {
    /// `PBUF_RAM`: descriptor and bytes in one block of the heap.
    Ram {
        /// Where the block's payload begins in the heap.
        at: u32,
        /// Bytes from there to the piece's data.
        room: u32,
    },
    /// `PBUF_ROM`: a descriptor of the pool `PBUF_REF/ROM`; the bytes stay with the application.
    Rom {
        /// Where they are; only whether two pieces touch matters.
        address: u64,
    },
    /// `PBUF_POOL`: a receive buffer.
    Pool,
    /// `pbuf_custom`: a buffer of the driver, which gets it back when it is freed.
    Custom,
}

/// One piece of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pbuf {
    /// Where its bytes are.
    pub kind: PbufKind,
    /// How many bytes it holds.
    pub len: u32,
    /// The next piece.
    pub next: Option<PbufId>,
    /// How many hold it; 0 = free.
    pub refs: u8,
}

/// A piece's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PbufId(u32);

impl Memory {
    /// A new buffer of the heap. `pbuf.c:pbuf_alloc(PBUF_RAM)`.
    pub fn alloc_ram(&mut self, layer: Layer, bytes: u32) -> Option<PbufId> {
        let room = aligned(STRUCT_PBUF + layer.offset());
        let block = aligned(STRUCT_PBUF) + aligned(layer.offset()) + aligned(bytes);
        let at = self.heap.malloc(block)?;
        Some(self.put(PbufKind::Ram { at, room }, bytes))
    }

    /// A descriptor of bytes elsewhere. `pbuf.c:pbuf_alloc(PBUF_ROM)`.
    pub fn alloc_rom(&mut self, address: u64, bytes: u32) -> Option<PbufId> {
        let is_there = self.pbuf.take();
        is_there.then(|| self.put(PbufKind::Rom { address }, bytes))
    }

    /// A chain of receive buffers, or none at all. `pbuf.c:pbuf_alloc(PBUF_POOL)`.
    ///
    /// When the pool is empty, data out of order will be freed at the next check of timers.
    pub fn alloc_pool(&mut self, layer: Layer, bytes: u32) -> Option<PbufId> {
        let mut head: Option<PbufId> = None;
        let mut last: Option<PbufId> = None;
        let mut rest = bytes;
        let mut offset = aligned(layer.offset());
        loop {
            if !self.pbuf_pool.take() {
                self.free_ooseq_pending = true;
                if let Some(head) = head {
                    self.free(head);
                }
                return None;
            }
            let len = rest.min(self.pool_bufsize.saturating_sub(offset));
            let piece = self.put(PbufKind::Pool, len);
            match last {
                Some(last) => self.piece_mut(last).next = Some(piece),
                None => head = Some(piece),
            }
            last = Some(piece);
            rest -= len;
            offset = 0;
            if rest == 0 {
                return head;
            }
        }
    }

    /// Makes a packet of a driver's buffer that was taken from [`Memory::custom`] before.
    /// `pbuf.c:pbuf_alloced_custom`.
    pub fn adopt_custom(&mut self, bytes: u32) -> PbufId {
        self.put(PbufKind::Custom, bytes)
    }

    /// Holds a chain once more. `pbuf.c:pbuf_ref`.
    pub fn hold(&mut self, chain: PbufId) {
        self.piece_mut(chain).refs += 1;
    }

    /// Gives a chain back, up to the first piece that somebody else holds; says how many pieces
    /// that freed. `pbuf.c:pbuf_free`.
    pub fn free(&mut self, chain: PbufId) -> u32 {
        let mut next = Some(chain);
        let mut n_freed = 0;
        while let Some(id) = next {
            let piece = self.piece_mut(id);
            piece.refs -= 1;
            if 0 < piece.refs {
                break;
            }
            next = piece.next.take();
            match piece.kind {
                PbufKind::Ram { at, .. } => self.heap.free(at),
                PbufKind::Rom { .. } => self.pbuf.give(),
                PbufKind::Pool => self.pbuf_pool.give(),
                PbufKind::Custom => self.custom.give(),
            }
            self.free.push(id.0);
            n_freed += 1;
        }
        n_freed
    }

    /// Joins two chains; the second belongs to the first from now on. `pbuf.c:pbuf_cat`.
    pub fn cat(&mut self, head: PbufId, tail: PbufId) {
        let last = self.last(head);
        self.piece_mut(last).next = Some(tail);
    }

    /// Cuts a chain down to so many bytes. `pbuf.c:pbuf_realloc`.
    pub fn realloc(&mut self, chain: PbufId, bytes: u32) {
        if self.total(chain) <= bytes {
            return;
        }
        let mut id = chain;
        let mut rest = bytes;
        while self.piece(id).len < rest {
            rest -= self.piece(id).len;
            id = self.piece(id).next.expect("the chain is longer than the rest");
        }
        let piece = self.piece_mut(id);
        let (kind, len) = (piece.kind, piece.len);
        piece.len = rest;
        let tail = piece.next.take();
        if let (PbufKind::Ram { at, room }, true) = (kind, len != rest) {
            self.heap.trim(at, room + rest);
        }
        if let Some(tail) = tail {
            self.free(tail);
        }
    }

    /// Takes bytes off the front; pieces stay, empty if need be. As `tcp_in.c:tcp_receive` does.
    pub fn trim_front(&mut self, chain: PbufId, bytes: u32) {
        let mut next = Some(chain);
        let mut rest = bytes;
        while let (Some(id), true) = (next, 0 < rest) {
            let piece = self.piece_mut(id);
            let cut = piece.len.min(rest);
            piece.len -= cut;
            if let PbufKind::Ram { room, .. } = &mut piece.kind {
                *room += cut;
            }
            rest -= cut;
            next = piece.next;
        }
    }

    /// Frees bytes from the front and says what is left. `pbuf.c:pbuf_free_header`.
    pub fn free_front(&mut self, chain: PbufId, bytes: u32) -> Option<PbufId> {
        let mut head = Some(chain);
        let mut rest = bytes;
        while let (Some(id), true) = (head, 0 < rest) {
            let len = self.piece(id).len;
            if rest < len {
                self.trim_front(id, rest);
                return head;
            }
            rest -= len;
            head = self.piece_mut(id).next.take();
            self.free(id);
        }
        head
    }

    /// A piece.
    pub fn piece(&self, id: PbufId) -> &Pbuf {
        &self.pbufs[id.0 as usize]
    }

    /// The pieces of a chain, in order.
    pub fn chain(&self, head: PbufId) -> impl Iterator<Item = &Pbuf> + '_ {
        let first = Some(self.piece(head));
        std::iter::successors(first, |piece| piece.next.map(|next| self.piece(next)))
    }

    /// Bytes in a chain. `tot_len` of its head.
    pub fn total(&self, head: PbufId) -> u32 {
        self.chain(head).map(|piece| piece.len).sum()
    }

    /// Pieces in a chain. `pbuf.c:pbuf_clen`.
    pub fn count(&self, head: PbufId) -> u32 {
        self.chain(head).count() as u32
    }

    /// The last piece of a chain.
    pub fn last(&self, head: PbufId) -> PbufId {
        let mut id = head;
        while let Some(next) = self.piece(id).next {
            id = next;
        }
        id
    }

    /// A piece, to change it.
    pub(in crate::model::tcp::lwip) fn piece_mut(&mut self, id: PbufId) -> &mut Pbuf {
        let piece = &mut self.pbufs[id.0 as usize];
        assert!(0 < piece.refs, "a freed buffer is not touched");
        piece
    }

    fn put(&mut self, kind: PbufKind, len: u32) -> PbufId {
        let piece = Pbuf { kind, len, next: None, refs: 1 };
        if let Some(place) = self.free.pop() {
            self.pbufs[place as usize] = piece;
            return PbufId(place);
        }
        self.pbufs.push(piece);
        PbufId(self.pbufs.len() as u32 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp::lwip::Options;

    fn memory() -> Memory {
        Memory::new(&Options { pbuf_pool_size: 4, pbuf_pool_bufsize: 592, ..Options::default() })
    }

    #[test]
    fn a_full_frame_takes_a_chain_of_three_small_buffers() {
        let mut memory = memory();
        let chain = memory.alloc_pool(Layer::Raw, 1500).unwrap();
        let lens: Vec<u32> = memory.chain(chain).map(|piece| piece.len).collect();
        assert_eq!(lens, [592, 592, 316]);
        // The second frame finds one buffer, and leaves it.
        assert_eq!(memory.alloc_pool(Layer::Raw, 1500), None);
        assert!(memory.free_ooseq_pending);
        assert_eq!(memory.pbuf_pool.usage.used, 3);
        assert_eq!(memory.free(chain), 3);
        assert!(memory.is_all_free());
    }

    #[test]
    fn eating_the_front_frees_whole_buffers_at_once() {
        let mut memory = memory();
        let chain = memory.alloc_pool(Layer::Raw, 1500).unwrap();
        let rest = memory.free_front(chain, 600).unwrap();
        assert_eq!((memory.total(rest), memory.count(rest)), (900, 2));
        assert_eq!(memory.free_front(rest, 900), None);
        assert!(memory.is_all_free());
    }

    #[test]
    fn a_held_chain_is_freed_by_its_last_holder() {
        let mut memory = memory();
        let chain = memory.alloc_ram(Layer::Transport, 100).unwrap();
        memory.hold(chain);
        assert_eq!(memory.free(chain), 0);
        assert_eq!(memory.free(chain), 1);
        assert!(memory.is_all_free());
    }
}
