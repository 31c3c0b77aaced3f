//! Receiving: data in and out of order, reads, and what arriving data tells about the other end.
//!
//! Follows Linux tcp_input.c `tcp_data_queue`, `tcp_data_queue_ofo`, `tcp_event_data_recv`,
//! `tcp_measure_rcv_mss`, tcp.c `tcp_recvmsg_locked`, `__tcp_cleanup_rbuf`.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::delayed_ack::{ATO_MIN, MAX_QUICK};
use crate::model::tcp::stack::profile::AckPolicy;
use crate::model::tcp::stack::send::{DEFAULT_MSS, MIN_MSS};
use crate::model::tcp::{Errno, Flags, Outbox, Sack, Segment, Signal};

/// Invalid segments are answered at most this often. Linux `tcp_invalid_ratelimit`.
pub const INVALID_GAP: SimSpan = SimSpan::ms(500);
/// Shorter segments in order do not open the window. Linux `tcp_event_data_recv`.
const SHORT: u32 = 128;
/// Most segments held out of order.
pub const MAX_HELD: usize = 1_000_000;

/// A segment in the receive buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Position of its first byte.
    pub from: u64,
    /// One past its last.
    pub to: u64,
    /// Memory it takes.
    pub memory: u32,
}

/// The receiving side.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Receive {
    /// Next position expected. Linux `rcv_nxt`.
    pub next: u64,
    /// Next position that the application reads. Linux `copied_seq`.
    pub read: u64,
    /// `next` when the window was last offered. Linux `rcv_wup`.
    pub window_at: u64,
    /// The window then. Linux `rcv_wnd`.
    pub window: u64,
    /// Received in order and unread.
    pub queue: VecDeque<Held>,
    /// Received out of order, by position, without overlap.
    pub held: VecDeque<Held>,
    /// Position of a FIN that came out of order.
    pub fin: Option<u64>,
    /// Bytes in `held`.
    pub held_bytes: u64,
    /// Memory of all that, where memory counts. Linux `sk_rmem_alloc`.
    pub memory: u64,
    /// The receive buffer. Linux `sk_rcvbuf`.
    pub capacity: u64,
    /// The application set it.
    pub capacity_is_set: bool,
    /// Largest window that the buffer stands for. Linux `window_clamp`.
    pub clamp: u64,
    /// Largest window offered for now; grows with data. Linux `rcv_ssthresh`.
    pub threshold: u64,
    /// Payload per memory, of 256. Linux `scaling_ratio`.
    pub ratio: u64,
    /// Largest payload offered to the other end, without timestamps. Linux `advmss`.
    pub advertised_mss: u32,
    /// Linux `SO_RCVLOWAT`.
    pub low_water: u64,
    /// When something was last heard.
    pub heard: SimTime,
    /// The other end's newest timestamp. Linux `ts_recent`.
    pub stamp: u32,
    /// Buffer tuning; see [`super::window`].
    pub tuning: super::window::Tuning,
}

impl Receive {
    /// What is left of the window last offered. Linux `tcp_receive_window`.
    #[inline]
    pub fn offered(&self) -> u64 {
        (self.window_at + self.window).saturating_sub(self.next)
    }
}

impl Socket {
    /// Received in order and unread, in bytes.
    #[inline]
    pub(super) fn unread(&self) -> u64 {
        let fin = u64::from(self.recv.fin.is_some_and(|fin| fin < self.recv.next));
        self.recv.next - fin - self.recv.read
    }

    /// Takes up to `max` bytes out of the receive buffer. Linux `tcp_recvmsg_locked`.
    ///
    /// `Ok(0)`: the end of the stream. `Err(Again)`: nothing there for now.
    pub fn read(&mut self, now: SimTime, max: u32, out: &mut Outbox) -> Result<u32, Errno> {
        let n = self.unread().min(u64::from(max)) as u32;
        if n == 0 {
            return self.read_nothing(now, max, out);
        }
        self.recv.read += u64::from(n);
        while let Some(front) = self.recv.queue.front() {
            if self.recv.read < front.to {
                break;
            }
            self.recv.memory -= u64::from(front.memory);
            self.recv.queue.pop_front();
        }
        self.tune_buffer(now);
        self.after_read(now, n, out);
        Ok(n)
    }

    fn read_nothing(&mut self, now: SimTime, max: u32, out: &mut Outbox) -> Result<u32, Errno> {
        if max == 0 {
            return Ok(0);
        }
        if self.read_is_shut && self.error.is_none() {
            return Ok(0);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if !self.is_synchronised() {
            let is_new = self.state != super::State::Closed;
            return Err(if is_new { Errno::Again } else { Errno::NotConn });
        }
        self.after_read(now, 0, out);
        Err(Errno::Again)
    }

    /// After the application read: an acknowledgement or a window update may be due.
    ///
    /// Linux `__tcp_cleanup_rbuf`.
    fn after_read(&mut self, now: SimTime, n: u32, out: &mut Outbox) {
        if self.profile.ack != AckPolicy::Adaptive {
            if 0 < n && !self.read_is_shut && self.window_grew_enough() {
                self.send_ack(now, out);
            }
            return;
        }
        let unacked = self.recv.next - self.recv.window_at;
        let is_empty = self.recv.memory == 0;
        let is_due = self.acks.is_due;
        let two_full = u64::from(self.acks.peer_mss) < unacked;
        let short = self.acks.two_short || (self.acks.one_short && !self.acks.ping_pong);
        if is_due && (two_full || (0 < n && short && is_empty)) {
            self.send_ack(now, out);
            return;
        }
        if n == 0 || self.read_is_shut {
            return;
        }
        let left = self.recv.offered();
        if 2 * left <= self.recv.clamp {
            let window = self.window_to_offer();
            if 0 < window && 2 * left <= window {
                self.send_ack(now, out);
            }
        }
    }

    /// Takes in a segment's data and FIN. Linux `tcp_data_queue`.
    pub(super) fn take_data(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        let end = seg.end();
        if seg.seq == end {
            return;
        }
        self.acks.dsack = None;
        let (next, offered) = (self.recv.next, self.recv.offered());
        if end <= next {
            self.report_duplicate(seg.seq, end);
            self.refuse();
        } else if next + offered <= seg.seq && 0 < seg.len {
            self.refuse();
        } else if next < seg.seq {
            self.keep_ahead(seg);
        } else {
            if seg.seq < next {
                self.report_duplicate(seg.seq, next);
            }
            if offered == 0 && 0 < seg.len {
                self.refuse();
            } else {
                self.take_in_order(now, seg, out);
            }
        }
    }

    /// Nothing of a segment is taken: the other end must learn where we are.
    fn refuse(&mut self) {
        self.enter_quick_mode();
        self.acks.is_due = true;
        // RFC 9293 section 3.10.7.4: a segment that is not acceptable is answered at once.
        self.acks.is_urgent |= self.profile.ack != AckPolicy::Adaptive;
    }

    fn take_in_order(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        let from = self.recv.next;
        let data_end = seg.seq + u64::from(seg.len);
        let memory = self.memory_of(seg);
        if from < data_end {
            if !self.make_room(true) {
                self.acks.is_due = true;
                self.acks.is_urgent = true;
                return;
            }
            self.recv.queue.push_back(Held { from, to: data_end, memory });
            self.recv.memory += u64::from(memory);
            self.recv.next = data_end;
            self.note_data(now, seg);
        }
        let mut has_fin = seg.flags.has(Flags::FIN);
        if !self.recv.held.is_empty() {
            has_fin |= self.take_held();
            // RFC 5681 section 4.2: at once, when a gap is filled.
            if self.recv.held.is_empty() {
                self.acks.is_urgent = true;
            }
        }
        self.forget_sacks();
        has_fin |= self.recv.fin == Some(self.recv.next);
        if from < self.recv.next && self.recv.low_water <= self.unread() {
            out.signals.push(Signal::Readable);
        }
        if has_fin {
            self.recv.fin = Some(self.recv.next);
            self.recv.next += 1;
            self.take_fin(now, out);
        }
    }

    /// Keeps a segment that is ahead of what is expected. Linux `tcp_data_queue_ofo`.
    fn keep_ahead(&mut self, seg: &Segment) {
        let memory = self.memory_of(seg);
        if !self.make_room(false) || MAX_HELD <= self.recv.held.len() {
            self.acks.is_due = true;
            return;
        }
        self.measure_peer_mss(seg);
        self.acks.is_due = true;
        let (mut from, mut to) = (seg.seq, seg.seq + u64::from(seg.len));
        if seg.flags.has(Flags::FIN) {
            self.recv.fin = Some(to);
        }
        let place = self.recv.held.partition_point(|held| held.from < from);
        if let Some(before) = place.checked_sub(1).map(|place| self.recv.held[place])
            && from < before.to
        {
            self.report_duplicate(from, to.min(before.to));
            from = before.to;
        }
        while from < to && self.recv.held.get(place).is_some_and(|held| held.to <= to) {
            // It covers a held one: the newcomer takes its place.
            let old = self.recv.held.remove(place).unwrap_or_default();
            self.recv.memory -= u64::from(old.memory);
            self.recv.held_bytes -= old.to - old.from;
            self.report_duplicate(old.from, old.to);
        }
        if let Some(after) = self.recv.held.get(place).copied() {
            if after.from < to {
                self.report_duplicate(after.from.max(from), to);
            }
            to = to.min(after.from);
        }
        if from < to {
            self.recv.held.insert(place, Held { from, to, memory });
            self.recv.held_bytes += to - from;
            if self.options.sack {
                self.note_sack(from, to);
                // Without SACK the window stays: only equal acknowledgements count as duplicates.
                self.grow_window_threshold(seg);
            }
            self.recv.memory += u64::from(memory);
        }
    }

    /// Takes what has become in order; whether the FIN is next. Linux `tcp_ofo_queue`.
    fn take_held(&mut self) -> bool {
        while let Some(&front) = self.recv.held.front() {
            if self.recv.next < front.from {
                break;
            }
            self.recv.held.pop_front();
            self.recv.held_bytes -= front.to - front.from;
            if front.to <= self.recv.next {
                self.recv.memory -= u64::from(front.memory);
                continue;
            }
            let from = self.recv.next;
            self.recv.queue.push_back(Held { from, ..front });
            self.recv.next = front.to;
        }
        self.recv.fin == Some(self.recv.next)
    }

    /// The list of ranges for SACK, the latest first. Linux `tcp_sack_new_ofo_skb`.
    fn note_sack(&mut self, from: u64, to: u64) {
        let (mut low, mut high) = (from, to);
        let old = self.acks.sacks;
        for &(a, b) in old.blocks() {
            if a <= high && low <= b {
                (low, high) = (low.min(a), high.max(b));
            }
        }
        let mut sacks = Sack::default();
        sacks.push(low, high);
        for &(a, b) in old.blocks() {
            if high < a || b < low {
                sacks.push(a, b);
            }
        }
        self.acks.sacks = sacks;
    }

    /// Drops ranges that are in order now. Linux `tcp_sack_remove`.
    fn forget_sacks(&mut self) {
        if self.acks.sacks.blocks().is_empty() {
            return;
        }
        let mut sacks = Sack::default();
        if !self.recv.held.is_empty() {
            for &(a, b) in self.acks.sacks.blocks() {
                if self.recv.next < a {
                    sacks.push(a, b);
                }
            }
        }
        self.acks.sacks = sacks;
    }

    /// RFC 2883: the next acknowledgement reports a duplicate. Linux `tcp_dsack_set`.
    pub(super) fn report_duplicate(&mut self, from: u64, to: u64) {
        self.acks.dsack = self.options.sack.then_some((from, to));
    }

    /// SACK blocks that the next segment carries.
    pub(super) fn sack_blocks_to_send(&self) -> u32 {
        let n = self.acks.sacks.blocks().len() as u32 + u32::from(self.acks.dsack.is_some());
        n.min(if self.options.timestamps { 3 } else { 4 })
    }

    /// What arrived tells about the other end. Linux `tcp_event_data_recv`.
    fn note_data(&mut self, now: SimTime, seg: &Segment) {
        self.acks.is_due = true;
        self.acks.n_segments = self.acks.n_segments.saturating_add(1);
        self.measure_peer_mss(seg);
        self.measure_receive_rtt(now);
        let clock = self.profile.clock;
        let ticks = clock.ticks(now);
        let ato_min = clock.ticks_of(ATO_MIN);
        if self.acks.ato == 0 {
            self.add_quick(MAX_QUICK);
            self.acks.ato = ato_min;
        } else {
            let gap = ticks - self.acks.last_data;
            if gap <= ato_min / 2 {
                self.acks.ato = (self.acks.ato >> 1) + ato_min / 2;
            } else if gap < self.acks.ato {
                self.acks.ato = ((self.acks.ato >> 1) + gap).min(self.rtt.rto);
            } else if self.rtt.rto < gap {
                self.add_quick(MAX_QUICK);
            }
        }
        self.acks.last_data = ticks;
        if SHORT <= seg.len {
            self.grow_window_threshold(seg);
        }
    }

    /// Linux `tcp_measure_rcv_mss`.
    fn measure_peer_mss(&mut self, seg: &Segment) {
        let last = std::mem::take(&mut self.acks.last_len);
        let mut len = seg.len;
        if self.acks.peer_mss <= len {
            if len != self.acks.peer_mss {
                self.measure_ratio(seg);
            }
            self.acks.peer_mss = len.min(self.recv.advertised_mss);
            self.acks.one_short |= seg.flags.has(Flags::PSH);
            return;
        }
        // Length with header and options, then without those that every segment has: SACK blocks
        // make no difference.
        let stamps = if self.options.timestamps { 12 } else { 0 };
        let header = 20 + seg.option_bytes();
        len += header;
        let is_plain = !seg.flags.has(Flags::PSH) && !seg.flags.has(Flags::FIN);
        if DEFAULT_MSS + 20 <= len || (MIN_MSS + 20 <= len && is_plain) {
            len -= 20 + stamps;
            self.acks.last_len = len;
            if len == last {
                self.acks.peer_mss = len;
                return;
            }
        }
        self.acks.two_short |= self.acks.one_short;
        self.acks.one_short = true;
    }
}
