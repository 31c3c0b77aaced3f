//! What the inside of a board looks like at an instant: plain numbers for whoever draws it.

use super::article::Claim;
use super::board::Load;
use super::driver::Path;
use super::mac::Slot;
use super::node::{BoardNode, Leaving};
use crate::kernel::{SimSpan, SimTime};
use crate::model::message::ChannelId;
use crate::model::tcp::lwip::memory::{PoolKind, Usage};

/// A block of lwIP's heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapBlock {
    /// Where it begins, in bytes from the start of the heap.
    pub at: u32,
    /// Its size in bytes, header included.
    pub bytes: u32,
    /// Whether it is in use.
    pub is_used: bool,
}

/// One of the pools.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolSight {
    /// Its name, as lwIP's statistics give it.
    pub name: &'static str,
    /// What there is, is in use, was in use at most, and how often it was empty.
    pub usage: Usage,
}

/// Where a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// In the PHY or the receive FIFO.
    RxFifo,
    /// The DMA moves it into the buffer of this descriptor.
    RxDma(u32),
    /// Complete behind this descriptor: it waits for the loop or the thread.
    RxRing(u32),
    /// lwIP works on it.
    Stack,
    /// The driver or the DMA has it.
    TxDma,
    /// It leaves through FIFO and PHY.
    TxFifo,
}

/// A frame inside the board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameSight {
    /// Its number over all wires; 0 for one that has not left.
    pub number: u64,
    /// The channel that it belongs to; none for one of a connection that is over.
    pub channel: Option<ChannelId>,
    /// Bytes of its IP packet.
    pub bytes: u32,
    /// Payload in bytes.
    pub len: u32,
    /// Where it is.
    pub stage: Stage,
}

/// A receive descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RxCell {
    /// `OWN`: the DMA may fill it.
    pub own: bool,
    /// It has a frame, complete or not.
    pub has_frame: bool,
    /// Neither has it a buffer nor the DMA.
    pub is_bare: bool,
}

/// A FIFO of the MAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fifo {
    /// Bytes in it.
    pub used: u32,
    /// Bytes that it holds.
    pub limit: u32,
}

/// Counters of driver and MAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames without a descriptor: `DMAMFBOCR` bits 15 to 0.
    pub missed: u32,
    /// Frames that the FIFO had no room for: bits 27 to 17.
    pub overflows: u32,
    /// How often the receive process was suspended.
    pub suspensions: u32,
    /// Frames that the driver refused to send.
    pub tx_refused: u32,
    /// Frames that found no `PBUF_POOL` buffer.
    pub no_pbuf: u32,
    /// Writes that lwIP refused: `ERR_MEM`.
    pub err_mem: u32,
}

/// A board at an instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The instant.
    pub at: SimTime,
    /// Core clock in Hz.
    pub clock_hz: u64,
    /// Whether it has a super-loop, and no threads.
    pub is_loop: bool,
    /// The processor works until then; it is idle if that is past.
    pub busy_until: SimTime,
    /// When the last pass began.
    pub last_pass: SimTime,
    /// When the next one begins that has something to do.
    pub next_pass: Option<SimTime>,
    /// Where the processor's time went since the run began.
    pub load: Load,
    /// Heap, by place.
    pub heap: Vec<HeapBlock>,
    /// Its statistics, in bytes.
    pub heap_usage: Usage,
    /// Pools of lwIP and of the driver.
    pub pools: Vec<PoolSight>,
    /// The receive ring.
    pub rx_ring: Vec<RxCell>,
    /// The descriptor that the DMA fills next, and the one that the program takes next.
    pub rx_next: (u32, u32),
    /// `OWN` of the transmit descriptors, in the order of use.
    pub tx_ring: Vec<bool>,
    /// The receive FIFO.
    pub rx_fifo: Fifo,
    /// The transmit FIFO.
    pub tx_fifo: Fifo,
    /// The receive process is suspended (`RBUS`).
    pub is_rx_suspended: bool,
    /// The driver's receive buffers are all taken: nothing is read.
    pub is_reading_stopped: bool,
    /// Receive buffers of a zero-copy driver that the ring has; 0 for a driver that copies.
    pub n_attached: u32,
    /// Frames inside, those that came first.
    pub frames: Vec<FrameSight>,
    /// What was counted.
    pub counters: Counters,
    /// The latency shown is an article's claim, looked up and not simulated.
    pub claim: Option<Claim>,
}

impl Snapshot {
    /// Part of the time since the run began that the processor worked, in ppm; waiting for a frame
    /// to be sent is no work.
    pub fn load_ppm(&self) -> u64 {
        share(self.load.total().saturating_sub(self.load.tx_wait), self.at - SimTime::ZERO)
    }

    /// The same since an earlier instant, of which the load is known.
    pub fn load_since_ppm(&self, before: SimTime, load: Load) -> u64 {
        let worked = |load: Load| load.total().saturating_sub(load.tx_wait);
        share(worked(self.load).saturating_sub(worked(load)), self.at.since(before))
    }
}

/// In ppm, at most all.
fn share(part: SimSpan, whole: SimSpan) -> u64 {
    let ppm = u128::from(part.as_ns()) * 1_000_000 / u128::from(whole.as_ns().max(1));
    ppm.min(1_000_000) as u64
}

impl BoardNode {
    /// The board as it is at `now`.
    pub fn snapshot(&self, now: SimTime) -> Snapshot {
        let board = &self.board;
        let memory = &board.stack.core.memory;
        let silicon = &board.config.silicon;
        let blocks = memory.heap.blocks();
        let heap = blocks.map(|(block, bytes)| {
            let (at, is_used) = (block.at, block.used);
            HeapBlock { at, bytes, is_used }
        });
        let kinds = PoolKind::ALL.iter();
        let mut pools: Vec<PoolSight> = kinds
            .map(|kind| PoolSight { name: kind.name(), usage: memory.pool(*kind).usage })
            .collect();
        let is_zero_copy = board.config.driver.rx == Path::ZeroCopy;
        if is_zero_copy {
            pools.push(PoolSight { name: "RX_POOL", usage: memory.custom.usage });
        }
        let n_own = board.tx.n - board.tx.n_free(now);
        Snapshot {
            at: now,
            clock_hz: silicon.clock_hz,
            is_loop: self.is_loop(),
            busy_until: board.busy_until,
            last_pass: board.last_pass,
            next_pass: self.next_wake(),
            load: board.load,
            heap: heap.collect(),
            heap_usage: memory.heap.usage,
            pools,
            rx_ring: board.rx.slots.iter().map(|slot| rx_cell(slot, now)).collect(),
            rx_next: board.rx.next(),
            tx_ring: (0..board.tx.n).map(|n| n < n_own).collect(),
            rx_fifo: Fifo { used: board.rx.fifo_bytes(now), limit: silicon.rx_fifo_bytes },
            tx_fifo: Fifo { used: board.tx.fifo_bytes(now), limit: silicon.tx_fifo_bytes },
            is_rx_suspended: board.rx.is_suspended,
            is_reading_stopped: board.is_reading_stopped,
            n_attached: if is_zero_copy { board.n_attached() } else { 0 },
            frames: self.frames(now),
            counters: Counters {
                missed: board.rx.missed,
                overflows: board.rx.overflows,
                suspensions: board.rx.suspensions,
                tx_refused: board.tx_refused,
                no_pbuf: self.n_no_pbuf,
                err_mem: self.n_err_mem,
            },
            claim: self.claim,
        }
    }

    fn frames(&self, now: SimTime) -> Vec<FrameSight> {
        let coming = self.inside.iter().map(|inside| FrameSight {
            number: inside.frame.tag.number,
            channel: Some(inside.frame.channel),
            bytes: inside.frame.segment.ip_bytes(),
            len: inside.frame.segment.len,
            stage: self.stage_of(inside.tag, now),
        });
        let going = self.leaving.iter().map(|Leaving { departure, .. }| FrameSight {
            number: 0,
            channel: Some(ChannelId(departure.frame.addr.peer as u16)),
            bytes: departure.frame.segment.ip_bytes(),
            len: departure.frame.segment.len,
            stage: match () {
                () if now < departure.handed_at => Stage::Stack,
                () if now < departure.handed_at + departure.dma => Stage::TxDma,
                () => Stage::TxFifo,
            },
        });
        coming.chain(going).collect()
    }

    fn stage_of(&self, tag: u64, now: SimTime) -> Stage {
        for (n, slot) in self.board.rx.slots.iter().enumerate() {
            if let Slot::Filled(done, frame) = slot
                && frame.tag == tag
            {
                let n = n as u32;
                return if now < *done { Stage::RxDma(n) } else { Stage::RxRing(n) };
            }
        }
        match self.board.rx.tags().contains(&tag) {
            true => Stage::RxFifo,
            false => Stage::Stack,
        }
    }
}

fn rx_cell(slot: &Slot, now: SimTime) -> RxCell {
    match slot {
        Slot::Dma => RxCell { own: true, has_frame: false, is_bare: false },
        Slot::Filled(done, _) => RxCell { own: now < *done, has_frame: true, is_bare: false },
        Slot::Bare => RxCell { own: false, has_frame: false, is_bare: true },
    }
}
