//! The Ethernet MAC: FIFOs, its DMA with descriptor rings, and the wire's pace.
//!
//! A frame arrives in the receive FIFO, the DMA moves it into the buffer of the next descriptor
//! that it owns and clears `OWN`. Without such a descriptor the receive process is suspended
//! (`RBUS`). Register behaviour: RM0090, RM0433, and texts of the same Synopsys cores.

use std::collections::VecDeque;

use super::part::Resume;
use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::Segment;
use crate::model::tcp::lwip::Addr;

/// Bytes around an IP packet in memory: the Ethernet header.
const HEADER_BYTES: u64 = 14;
/// Least payload of a frame in bytes.
const LEAST_PAYLOAD: u64 = 46;
/// Bytes around the payload on the wire: preamble 8, header 14, check sum 4, gap 12.
const WIRE_BYTES: u64 = 38;

choices! {
    /// How fast the wire is.
    pub enum Rate {
        /// 100 Mbit/s: 80 ns a byte.
        M100 = "100" ("100 Mbit/s", "100 Mbit/s"),
        /// 10 Mbit/s: 800 ns a byte.
        M10 = "10" ("10 Mbit/s", "10 Mbit/s"),
        /// No time at all: whoever carries the frames has a pace of its own.
        Instant = "instant" ("instant", "无耗时"),
    }
}

/// Times of the MAC and the PHY.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// The wire.
    pub rate: Rate,
    /// Bus and DMA for any frame. Estimated.
    pub dma: SimSpan,
    /// And for each byte, in ps. Estimated.
    pub dma_ps_per_byte: u64,
    /// Bytes after which a FIFO passes a frame on; 0 = store and forward.
    pub threshold_bytes: u32,
    /// PHY, sending. Assumed.
    pub phy_tx: SimSpan,
    /// PHY, receiving. Assumed.
    pub phy_rx: SimSpan,
}

impl Pace {
    /// 100 Mbit/s, store and forward, a typical RMII PHY.
    pub const TYPICAL: Pace = Pace {
        rate: Rate::M100,
        dma: SimSpan::ns(600),
        dma_ps_per_byte: 5_000,
        threshold_bytes: 0,
        phy_tx: SimSpan::ns(100),
        phy_rx: SimSpan::ns(400),
    };
    /// Nothing takes time.
    pub const ZERO: Pace = Pace {
        rate: Rate::Instant,
        dma: SimSpan::ZERO,
        dma_ps_per_byte: 0,
        threshold_bytes: 0,
        phy_tx: SimSpan::ZERO,
        phy_rx: SimSpan::ZERO,
    };

    /// How long a packet occupies the wire, gap included.
    pub fn wire(&self, ip_bytes: u32) -> SimSpan {
        let ns_per_byte = match self.rate {
            Rate::M100 => 80,
            Rate::M10 => 800,
            Rate::Instant => 0,
        };
        SimSpan::ns((u64::from(ip_bytes).max(LEAST_PAYLOAD) + WIRE_BYTES) * ns_per_byte)
    }

    /// How long the DMA holds a packet up.
    pub fn dma(&self, ip_bytes: u32) -> SimSpan {
        let frame = u64::from(ip_bytes).max(LEAST_PAYLOAD) + HEADER_BYTES;
        let waited = match u64::from(self.threshold_bytes) {
            0 => frame,
            threshold => frame.min(threshold),
        };
        self.dma + SimSpan::ns(waited * self.dma_ps_per_byte / 1_000)
    }
}

/// A frame on its way up.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RxFrame {
    /// Between whom.
    pub addr: Addr,
    /// The segment in it.
    pub segment: Segment,
    /// Whatever its carrier knows it by.
    pub tag: u64,
}

/// Why the MAC lost a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// No descriptor, and frames are flushed: `DMAMFBOCR` bits 15 to 0.
    Missed,
    /// The FIFO was full: `DMAMFBOCR` bits 27 to 17.
    Overflow,
}

/// A receive descriptor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Slot {
    /// `OWN` is set: it has a buffer and waits for a frame.
    Dma,
    /// It holds a frame, complete at this time; the program owns it.
    Filled(SimTime, RxFrame),
    /// The program owns it and has not given it a buffer.
    Bare,
}

/// The receiving half.
#[derive(Clone, PartialEq, Debug)]
pub struct Rx {
    /// The ring.
    pub slots: Vec<Slot>,
    /// The receive process is suspended (`RBUS`).
    pub is_suspended: bool,
    /// How often it was.
    pub suspensions: u32,
    /// Frames lost for want of a descriptor.
    pub missed: u32,
    /// Frames lost for want of room in the FIFO.
    pub overflows: u32,
    /// Frames lost since somebody took the list away.
    pub lost: Vec<(RxFrame, Loss)>,
    resume: Resume,
    flush: bool,
    fifo_limit: u32,
    /// Frames in the FIFO: since when.
    fifo: VecDeque<(SimTime, RxFrame)>,
    /// Frames that leave the FIFO: until when, bytes.
    draining: VecDeque<(SimTime, u32)>,
    /// The DMA's next descriptor, and the program's.
    dma_next: u32,
    cpu_next: u32,
    /// The DMA is busy, or suspended, until then.
    dma_free: SimTime,
}

impl Rx {
    /// A ring of `n` descriptors, all the DMA's.
    pub fn new(n: u32, fifo_limit: u32, resume: Resume, flush: bool) -> Rx {
        assert!(0 < n, "a ring has descriptors");
        Rx {
            slots: vec![Slot::Dma; n as usize],
            is_suspended: false,
            suspensions: 0,
            missed: 0,
            overflows: 0,
            lost: Vec::new(),
            resume,
            flush,
            fifo_limit,
            fifo: VecDeque::new(),
            draining: VecDeque::new(),
            dma_next: 0,
            cpu_next: 0,
            dma_free: SimTime::ZERO,
        }
    }

    /// The last bit of a frame has come in.
    pub fn arrive(&mut self, now: SimTime, frame: RxFrame, pace: &Pace) {
        self.settle(now, pace);
        let wakes = self.resume == Resume::SelfOrPoll && self.next_is_free();
        if self.is_suspended && wakes {
            self.wake(now);
        }
        if self.fifo_limit < self.fifo_bytes(now) + bytes_of(&frame) {
            self.overflows += 1;
            self.lost.push((frame, Loss::Overflow));
            return;
        }
        self.fifo.push_back((now, frame));
        self.settle(now, pace);
    }

    /// What the DMA has done until `now`.
    pub fn settle(&mut self, now: SimTime, pace: &Pace) {
        self.draining.retain(|(done, _)| now < *done);
        while let Some((since, frame)) = self.fifo.front().copied() {
            let start = since.max(self.dma_free);
            if self.is_suspended || !self.next_is_free() {
                // Until the DMA gets to this frame a descriptor may come.
                if now < start {
                    return;
                }
                self.suspensions += u32::from(!self.is_suspended);
                self.is_suspended = true;
                if !self.flush {
                    return;
                }
                self.fifo.pop_front();
                self.missed += 1;
                self.lost.push((frame, Loss::Missed));
                continue;
            }
            let done = start + pace.dma(frame.segment.ip_bytes());
            self.slots[self.dma_next as usize] = Slot::Filled(done, frame);
            self.dma_next = self.after(self.dma_next);
            self.dma_free = done;
            self.draining.push_back((done, bytes_of(&frame)));
            self.fifo.pop_front();
        }
    }

    /// Takes the program's next frame, if it is complete, with the time at which it was; its
    /// descriptor is bare then.
    pub fn take(&mut self, now: SimTime) -> Option<(SimTime, RxFrame)> {
        let slot = &mut self.slots[self.cpu_next as usize];
        let Slot::Filled(done, frame) = *slot else { return None };
        if now < done {
            return None;
        }
        *slot = Slot::Bare;
        self.cpu_next = self.after(self.cpu_next);
        Some((done, frame))
    }

    /// Gives the oldest bare descriptor a buffer and the DMA; false if none is bare.
    pub fn give_back(&mut self) -> bool {
        let n = self.slots.len();
        let order = (0..n).map(|step| (self.cpu_next as usize + step) % n);
        let mut bare = order.filter(|index| self.slots[*index] == Slot::Bare);
        let Some(index) = bare.next() else { return false };
        self.slots[index] = Slot::Dma;
        true
    }

    /// The program clears `RBUS` and writes the poll demand or the tail pointer.
    pub fn demand(&mut self, now: SimTime, pace: &Pace) {
        if self.is_suspended {
            self.wake(now);
        }
        self.settle(now, pace);
    }

    /// When the program's next frame is complete.
    pub fn ready_at(&self) -> Option<SimTime> {
        match self.slots[self.cpu_next as usize] {
            Slot::Filled(done, _) => Some(done),
            _ => None,
        }
    }

    /// How many frames the program could take now.
    pub fn n_ready(&self, now: SimTime) -> u32 {
        let is_ready = |slot: &&Slot| matches!(slot, Slot::Filled(done, _) if *done <= now);
        self.slots.iter().filter(is_ready).count() as u32
    }

    /// Bytes in the FIFO.
    pub fn fifo_bytes(&self, now: SimTime) -> u32 {
        let waiting: u32 = self.fifo.iter().map(|(_, frame)| bytes_of(frame)).sum();
        let leaving = self.draining.iter().filter(|(done, _)| now < *done);
        waiting + leaving.map(|(_, bytes)| bytes).sum::<u32>()
    }

    /// The descriptor that the DMA fills next, and the one that the program takes next.
    pub fn next(&self) -> (u32, u32) {
        (self.dma_next, self.cpu_next)
    }

    /// Tags of the frames that are in the FIFO or in descriptors.
    pub fn tags(&self) -> Vec<u64> {
        let filled = self.slots.iter().filter_map(|slot| match slot {
            Slot::Filled(_, frame) => Some(frame.tag),
            _ => None,
        });
        filled.chain(self.fifo.iter().map(|(_, frame)| frame.tag)).collect()
    }

    fn wake(&mut self, now: SimTime) {
        self.is_suspended = false;
        self.dma_free = self.dma_free.max(now);
    }

    fn next_is_free(&self) -> bool {
        self.slots[self.dma_next as usize] == Slot::Dma
    }

    fn after(&self, index: u32) -> u32 {
        (index + 1) % self.slots.len() as u32
    }
}

fn bytes_of(frame: &RxFrame) -> u32 {
    frame.segment.ip_bytes().max(LEAST_PAYLOAD as u32) + HEADER_BYTES as u32
}

/// The sending half.
#[derive(Clone, PartialEq, Debug)]
pub struct Tx {
    /// Descriptors of the ring.
    pub n: u32,
    /// Frames under way.
    in_flight: VecDeque<Sending>,
    wire_free: SimTime,
}

/// A frame that is being sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sending {
    /// When the DMA has moved it into the FIFO.
    moved: SimTime,
    /// When its last bit is out, and its descriptors are the program's again.
    done: SimTime,
    n_descriptors: u32,
    bytes: u32,
}

impl Tx {
    /// A ring of `n` descriptors, all the program's.
    pub fn new(n: u32) -> Tx {
        Tx { n, in_flight: VecDeque::new(), wire_free: SimTime::ZERO }
    }

    /// Descriptors that the program owns.
    pub fn n_free(&self, now: SimTime) -> u32 {
        let held = self.in_flight.iter().filter(|frame| now < frame.done);
        self.n.saturating_sub(held.map(|frame| frame.n_descriptors).sum())
    }

    /// Bytes in the FIFO.
    pub fn fifo_bytes(&self, now: SimTime) -> u32 {
        let inside = self.in_flight.iter().filter(|f| f.moved <= now && now < f.done);
        inside.map(|frame| frame.bytes).sum()
    }

    /// Sends a packet from `n_descriptors`; says when its first and last bit leave the PHY, and
    /// when its descriptors are the program's again.
    pub fn send(
        &mut self,
        now: SimTime,
        n_descriptors: u32,
        ip_bytes: u32,
        pace: &Pace,
    ) -> (SimTime, SimTime, SimTime) {
        self.in_flight.retain(|frame| now < frame.done);
        // A frame is moved when those before it are out: the FIFO holds little more than one.
        let start = (now + pace.dma(ip_bytes)).max(self.wire_free);
        let moved = now + pace.dma(ip_bytes);
        let moved = if moved < self.wire_free { self.wire_free } else { moved };
        let end = start + pace.wire(ip_bytes);
        self.wire_free = end;
        let bytes = ip_bytes.max(LEAST_PAYLOAD as u32) + HEADER_BYTES as u32;
        self.in_flight.push_back(Sending { moved, done: end, n_descriptors, bytes });
        (start + pace.phy_tx, end + pace.phy_tx, end)
    }
}
