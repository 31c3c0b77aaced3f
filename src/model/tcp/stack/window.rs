//! The receive buffer: memory of packets, the window offered, its growth, silly windows.
//!
//! Follows Linux tcp_output.c `__tcp_select_window`, `tcp_select_window`, tcp_input.c
//! `tcp_grow_window`, `tcp_rcv_space_adjust`, `tcp_measure_rcv_mss`; RFC 9293 section 3.8.6.2.2.
//! Leaves out memory pressure of the whole machine and coalescing of packets in the buffer.

use std::collections::VecDeque;

use crate::kernel::SimTime;
use crate::model::tcp::stack::receive::Held;
use crate::model::tcp::stack::{Options, Socket};
use crate::model::tcp::{
    Segment,
    stack::send::{DEFAULT_MSS, MIN_MSS},
};

/// Linux `tcp_rmem[1]`.
const DEFAULT_BUFFER: u64 = 131_072;
/// Linux `tcp_rmem[2]`.
pub const MAX_BUFFER: u64 = 33_554_432;
/// Linux `tcp_wmem[1]`, until the connection stands.
const DEFAULT_SEND_BUFFER: u64 = 16_384;
/// Linux `SOCK_MIN_RCVBUF`.
const MIN_BUFFER: u64 = 2_304;
/// Linux `SOCK_MIN_SNDBUF`.
const MIN_SEND_BUFFER: u64 = 4_608;
/// Payload per memory at first, of 256. Linux `tcp_adv_win_scale` 1.
const FIRST_RATIO: u64 = 128;
/// Largest window without scaling.
const MAX_PLAIN_WINDOW: u64 = 65_535;
/// Headroom before a packet's data. Linux `NET_SKB_PAD`.
const HEADROOM: u32 = 64;
/// Linux `struct skb_shared_info`, aligned.
const SHARED_INFO: u32 = 320;
/// Linux `struct sk_buff`, aligned.
const DESCRIPTOR: u32 = 256;

/// Payload of a packet that small ones are packed into. Linux `SKB_MAX_ORDER(0, 0)`.
const PACKED_BYTES: u64 = 3_776;
/// Its memory: a page and a descriptor.
const PACKED_MEMORY: u32 = 4_352;

/// What buffer tuning remembers. Linux `rcvq_space`, `rcv_rtt_est`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tuning {
    /// Bytes read in the last round trip.
    pub space: u64,
    /// Position read when this round began.
    pub from: u64,
    /// When it began.
    pub since: SimTime,
    /// Eight times the round trip as the receiver sees it, in us; 0 = none.
    pub rtt: u64,
    /// A window was offered up to this position.
    pub rtt_end: u64,
    /// At this time.
    pub rtt_since: Option<SimTime>,
    /// The last echo measured.
    pub last_echo: u32,
}

impl Tuning {
    /// The round trip as the receiver sees it in us.
    pub fn rtt_us(&self) -> u64 {
        self.rtt >> 3
    }

    /// Linux `tcp_rcv_rtt_update`.
    fn sample(&mut self, us: u64, by_window: bool) {
        if self.rtt == 0 || us << 3 < self.rtt {
            self.rtt = us << 3;
        } else if !by_window {
            self.rtt = self.rtt - (self.rtt >> 3) + us;
        }
    }
}

impl Socket {
    /// Buffers as the profile sets them.
    pub(super) fn set_up_buffers(&mut self) {
        let (send, receive) = (self.profile.send_buffer, self.profile.receive_buffer);
        self.recv.low_water = 1;
        self.recv.ratio = FIRST_RATIO;
        if !self.profile.truesize {
            (self.send.capacity, self.recv.capacity) = (send.max(1), receive.max(1));
            (self.send.capacity_is_set, self.recv.capacity_is_set) = (true, true);
            return;
        }
        (self.send.capacity, self.recv.capacity) = (DEFAULT_SEND_BUFFER, DEFAULT_BUFFER);
        if send != 0 {
            self.set_send_buffer(u32::try_from(send).unwrap_or(u32::MAX));
        }
        if receive != 0 {
            self.set_receive_buffer(u32::try_from(receive).unwrap_or(u32::MAX));
        }
    }

    /// `SO_SNDBUF`; Linux doubles it. socket(7).
    pub(super) fn set_send_buffer(&mut self, bytes: u32) {
        self.send.capacity_is_set = true;
        self.send.capacity = match self.profile.truesize {
            true => (2 * u64::from(bytes)).max(MIN_SEND_BUFFER),
            false => u64::from(bytes.max(1)),
        };
    }

    /// `SO_RCVBUF`; Linux doubles it. socket(7).
    pub(super) fn set_receive_buffer(&mut self, bytes: u32) {
        self.recv.capacity_is_set = true;
        self.recv.capacity = match self.profile.truesize {
            true => (2 * u64::from(bytes)).max(MIN_BUFFER),
            false => u64::from(bytes.max(1)),
        };
    }

    /// `SO_RCVLOWAT`: an automatic buffer grows so that as much fits. Linux `tcp_set_rcvlowat`.
    pub(super) fn set_low_water(&mut self, bytes: u32) {
        let bytes = u64::from(bytes.max(1));
        let most = if self.recv.capacity_is_set { self.recv.capacity } else { MAX_BUFFER };
        self.recv.low_water = bytes.min((most >> 1).max(1));
        if self.recv.capacity_is_set {
            return;
        }
        let wanted = (self.recv.low_water << 8) / self.recv.ratio.max(1);
        if self.recv.capacity < wanted {
            self.recv.capacity = wanted;
            self.recv.clamp = self.recv.low_water;
        }
    }

    /// Memory that a packet takes in the receive buffer.
    ///
    /// Linux `skb->truesize` of a packet in one piece: a descriptor and a power of two for
    /// headroom, packet and shared info; 2304 for 1500 bytes.
    pub(super) fn memory_of(&self, seg: &Segment) -> u32 {
        if !self.profile.truesize {
            return 0;
        }
        let data = (HEADROOM + seg.ip_bytes()).next_multiple_of(64) + SHARED_INFO;
        data.next_power_of_two() + DESCRIPTOR
    }

    /// Linux `tcp_win_from_space`.
    fn window_of(&self, memory: u64) -> u64 {
        if self.profile.truesize { (memory * self.recv.ratio) >> 8 } else { memory }
    }

    /// Free memory as a window. Linux `tcp_space`.
    fn free_window(&self) -> u64 {
        self.window_of(self.recv.capacity.saturating_sub(self.recv.memory))
    }

    /// Whether a packet can be taken: a full buffer grows, is packed, and gives up what is ahead.
    ///
    /// Linux `tcp_try_rmem_schedule`, `tcp_prune_queue`. `in_order`: the packet is the next one.
    pub(super) fn make_room(&mut self, in_order: bool) -> bool {
        if !self.profile.truesize || self.recv.memory <= self.recv.capacity {
            return true;
        }
        // Linux `tcp_clamp_window`.
        if !self.recv.capacity_is_set && self.recv.capacity < MAX_BUFFER {
            self.recv.capacity = self.recv.memory.min(MAX_BUFFER);
        }
        if self.recv.capacity < self.recv.memory {
            let least = 2 * u64::from(self.recv.advertised_mss);
            self.recv.threshold = self.recv.clamp.min(least);
            self.pack_queue();
        }
        while in_order && self.recv.capacity < self.recv.memory {
            let Some(last) = self.recv.held.pop_back() else { break };
            self.recv.held_bytes -= last.to - last.from;
            self.recv.memory -= u64::from(last.memory);
            self.acks.sacks = crate::model::tcp::Sack::default();
        }
        let is_next = in_order && self.recv.queue.is_empty();
        is_next || self.recv.memory <= self.recv.capacity
    }

    /// Packs the bytes of small packets into few. Linux `tcp_collapse`.
    fn pack_queue(&mut self) {
        let mut packed: VecDeque<Held> = VecDeque::new();
        for held in self.recv.queue.drain(..) {
            match packed.back_mut() {
                Some(last) if held.to - last.from <= PACKED_BYTES => {
                    last.to = held.to;
                    last.memory = (last.memory + held.memory).min(PACKED_MEMORY);
                }
                _ => packed.push_back(held),
            }
        }
        let before = self.recv.memory;
        let queued: u64 = packed.iter().map(|held| u64::from(held.memory)).sum();
        let ahead: u64 = self.recv.held.iter().map(|held| u64::from(held.memory)).sum();
        self.recv.queue = packed;
        self.recv.memory = (queued + ahead).min(before);
    }

    /// The first window and its scale. Linux `tcp_select_initial_window`.
    pub(super) fn first_window(&mut self, mss: u32, may_scale: bool) {
        let mut space = self.window_of(self.recv.capacity);
        let mss = u64::from(mss);
        let mut clamp = MAX_PLAIN_WINDOW << 14;
        if self.recv.capacity_is_set {
            clamp = space;
        }
        self.options.own_shift = 0;
        if may_scale {
            let most = if self.profile.truesize { MAX_BUFFER.max(space) } else { space };
            let bits = most.min(clamp).max(1).ilog2();
            self.options.own_shift = match self.profile.truesize {
                true => bits.saturating_sub(15).min(14) as u8,
                false => (bits + 1).saturating_sub(16).min(14) as u8,
            };
        }
        if mss < space && self.profile.truesize {
            space -= space % mss;
        }
        let most = MAX_PLAIN_WINDOW << self.options.own_shift;
        self.recv.clamp = clamp.min(most);
        self.recv.window = space.min(clamp).min(MAX_PLAIN_WINDOW);
        self.recv.threshold = self.recv.window;
    }

    /// When the connection stands. Linux `tcp_init_buffer_space`.
    pub(super) fn start_tuning(&mut self, now: SimTime) {
        if !self.send.capacity_is_set {
            self.send.capacity = self.wanted_send_buffer();
        }
        let most = self.window_of(self.recv.capacity);
        let mss = u64::from(self.recv.advertised_mss);
        self.recv.tuning.space = self.recv.threshold.min(self.recv.window).min(10 * mss);
        self.recv.tuning.since = now;
        self.recv.tuning.from = self.recv.read;
        if most <= self.recv.clamp {
            self.recv.clamp = most;
        }
        // One segment is kept back.
        if self.profile.truesize && 2 * mss < self.recv.clamp && most < self.recv.clamp + mss {
            self.recv.clamp = (2 * mss).max(most.saturating_sub(mss));
        }
        self.recv.threshold = self.recv.threshold.min(self.recv.clamp);
    }

    /// First guess of the other end's segments. Linux `tcp_initialize_rcv_mss`.
    pub(super) fn guess_peer_mss(&mut self) {
        let half = u32::try_from(self.recv.window / 2).unwrap_or(u32::MAX);
        let mss = self.recv.advertised_mss.min(self.send.mss);
        self.acks.peer_mss = mss.min(half).clamp(MIN_MSS, DEFAULT_MSS);
    }

    /// Payload per memory changes with the size of segments. Linux `tcp_measure_rcv_mss`.
    pub(super) fn measure_ratio(&mut self, seg: &Segment) {
        if !self.profile.truesize {
            return;
        }
        let ratio = ((u64::from(seg.len) << 8) / u64::from(self.memory_of(seg))).max(1);
        if ratio == self.recv.ratio {
            return;
        }
        self.recv.ratio = ratio;
        let clamp = self.window_of(self.recv.capacity).max(MIN_BUFFER / 2);
        self.set_clamp(clamp);
        self.recv.tuning.space = self.recv.tuning.space.min(self.recv.clamp);
    }

    /// Linux `tcp_set_window_clamp`.
    fn set_clamp(&mut self, clamp: u64) {
        if clamp < self.recv.clamp {
            self.recv.threshold = self.recv.threshold.min(clamp);
        } else {
            let offered = self.recv.window.min(clamp);
            self.recv.threshold = self.recv.threshold.max(offered);
        }
        self.recv.clamp = clamp;
    }

    /// Data of good size lets the window grow, acknowledged at once. Linux `tcp_grow_window`.
    pub(super) fn grow_window_threshold(&mut self, seg: &Segment) {
        if !self.profile.truesize {
            return;
        }
        let most = self.recv.clamp.min(self.free_window());
        let Some(room) = most.checked_sub(self.recv.threshold).filter(|room| 0 < *room) else {
            return;
        };
        let memory = self.window_of(u64::from(self.memory_of(seg)));
        let len = u64::from(seg.len);
        let step = if memory <= len {
            2 * u64::from(self.recv.advertised_mss)
        } else {
            self.step_for_wasteful(memory, len)
        };
        if 0 < step {
            self.recv.threshold += step.max(2 * len).min(room);
            self.acks.quick |= 1;
        }
    }

    /// Packets that take much more memory than payload. Linux `__tcp_grow_window`.
    fn step_for_wasteful(&self, memory: u64, len: u64) -> u64 {
        let mut memory = memory >> 1;
        let mut window = self.window_of(MAX_BUFFER) >> 1;
        while self.recv.threshold <= window {
            if memory <= len {
                return 2 * u64::from(self.acks.peer_mss);
            }
            memory >>= 1;
            window >>= 1;
        }
        0
    }

    /// The window that can be offered now. Linux `__tcp_select_window`.
    pub(super) fn window_to_offer(&mut self) -> u64 {
        if !self.profile.truesize {
            return self.plain_window();
        }
        let all = self.window_of(self.recv.capacity);
        let full = self.recv.clamp.min(all);
        let mss = u64::from(self.acks.peer_mss).min(full);
        if mss == 0 {
            return 0;
        }
        let Options { own_shift, .. } = self.options;
        let mut free = self.free_window();
        if free < full >> 1 {
            self.acks.quick = 0;
            free = free >> own_shift << own_shift;
            if free < all >> 4 || free < mss {
                return 0;
            }
        }
        free = free.min(self.recv.threshold);
        if 0 < own_shift {
            // Rounded up, else scaling would lose it.
            return free.next_multiple_of(1 << own_shift);
        }
        let window = self.recv.window;
        if window + mss <= free || free < window {
            free - free % mss
        } else if mss == full && window + (full >> 1) < free {
            free
        } else {
            window
        }
    }

    /// RFC 9293 section 3.8.6.2.2: the edge moves by half the buffer or a segment, or not.
    fn plain_window(&self) -> u64 {
        let taken = self.unread() + self.recv.held_bytes;
        let free = self.recv.capacity.saturating_sub(taken);
        let most = MAX_PLAIN_WINDOW << self.options.own_shift;
        let free = free.min(most);
        let left = self.recv.offered();
        let step = (self.recv.capacity / 2).min(u64::from(self.recv.advertised_mss));
        if left + step <= free { free } else { left }
    }

    /// After a read without Linux's rules: whether the other end must hear of the new window.
    ///
    /// RFC 9293 section 3.8.6.2.2 says when the edge may move, not when to say so; as in Linux,
    /// when what can be offered has doubled.
    pub(super) fn window_grew_enough(&self) -> bool {
        let (window, left) = (self.plain_window(), self.recv.offered());
        left < window && 2 * left <= window
    }

    /// The window of a segment that leaves now; never shrinks the edge. Linux `tcp_select_window`.
    pub(super) fn offer_window(&mut self) -> u64 {
        let old = self.recv.offered();
        let Options { own_shift, .. } = self.options;
        let mut window = self.window_to_offer();
        if window < old {
            window = old.next_multiple_of(1 << own_shift);
        }
        window = window.min(MAX_PLAIN_WINDOW << own_shift);
        self.recv.window = window;
        self.recv.window_at = self.recv.next;
        window >> own_shift << own_shift
    }

    /// The round trip as the receiver sees it. Linux `tcp_rcv_rtt_measure`.
    pub(super) fn measure_receive_rtt(&mut self, now: SimTime) {
        let recv = &mut self.recv;
        if let Some(since) = recv.tuning.rtt_since {
            if recv.next < recv.tuning.rtt_end {
                return;
            }
            let us = (now.since(since).as_ns() / 1_000).max(1);
            recv.tuning.sample(us, true);
        }
        recv.tuning.rtt_end = recv.next + recv.window;
        recv.tuning.rtt_since = Some(now);
    }

    /// The same by timestamps. Linux `tcp_rcv_rtt_measure_ts`.
    pub(super) fn measure_receive_rtt_by_stamps(&mut self, now: SimTime, seg: &Segment) {
        let Some(stamps) = seg.stamps.filter(|_| self.options.timestamps) else { return };
        let is_news = stamps.echo != 0 && stamps.echo != self.recv.tuning.last_echo;
        if seg.len == 0 || !is_news {
            return;
        }
        self.recv.tuning.last_echo = stamps.echo;
        // A reader that is behind would make it too long.
        let is_read = self.recv.read == self.recv.next || self.recv.tuning.rtt == 0;
        if self.acks.peer_mss <= seg.len && is_read {
            let ms = self.stamp(now).saturating_sub(stamps.echo).max(1);
            self.recv.tuning.sample(u64::from(ms) * 1_000, false);
        }
    }

    /// A buffer that is read fast grows. Linux `tcp_rcv_space_adjust`, `tcp_rcvbuf_grow`.
    pub(super) fn tune_buffer(&mut self, now: SimTime) {
        let tuning = self.recv.tuning;
        let round = tuning.rtt_us();
        let age = now.since(tuning.since).as_ns() / 1_000;
        if !self.profile.truesize || round == 0 || age < round {
            return;
        }
        let copied = self.recv.read - tuning.from;
        if tuning.space < copied {
            self.grow_buffer(copied);
        }
        self.recv.tuning.from = self.recv.read;
        self.recv.tuning.since = now;
    }

    fn grow_buffer(&mut self, copied: u64) {
        let old = self.recv.tuning.space.max(1);
        self.recv.tuning.space = copied;
        if self.recv.capacity_is_set {
            return;
        }
        let mut window = copied << 1;
        window += (window * (copied - old) / old) << 1;
        if let Some(last) = self.recv.held.back() {
            window += last.to - self.recv.next;
        }
        let wanted = ((window << 8) / self.recv.ratio.max(1)).min(MAX_BUFFER);
        if self.recv.capacity < wanted {
            self.recv.capacity = wanted;
            self.recv.clamp = self.window_of(wanted);
        }
    }
}
