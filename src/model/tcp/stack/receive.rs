//! Receiving: data in and out of order, and when an acknowledgement leaves.
//!
//! Follows Linux tcp_input.c `tcp_data_queue`, `tcp_event_data_recv`, `__tcp_ack_snd_check`,
//! tcp_output.c `tcp_send_delayed_ack`, tcp.c `__tcp_cleanup_rbuf`, tcp_timer.c
//! `tcp_delack_timer_handler`; the RFC's rules (RFC 9293 section 3.8.6.3) are policies beside it.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::profile::AckPolicy;
use crate::model::tcp::stack::send::{DEFAULT_MSS, MIN_MSS};
use crate::model::tcp::stack::timers::Alarm;
use crate::model::tcp::{Errno, Flags, Outbox, Sack, Segment, Signal};

/// First timeout of a delayed acknowledgement. Linux `TCP_ATO_MIN`, `TCP_DELACK_MIN`.
pub const ATO_MIN: SimSpan = SimSpan::ms(40);
/// Longest. Linux `TCP_DELACK_MAX`.
pub const DELACK_MAX: SimSpan = SimSpan::ms(200);
/// Longest outside of ping-pong mode. Linux `HZ / 2`.
pub const DELACK_MAX_ONE_WAY: SimSpan = SimSpan::ms(500);
/// Quick acknowledgements at the start. Linux `TCP_MAX_QUICKACKS`.
pub const MAX_QUICK: u32 = 16;
/// Acknowledgements of out-of-order data before they are compressed. `TCP_FASTRETRANS_THRESH`.
pub const DUP_ACKS_AT_ONCE: u32 = 3;
/// Most that are compressed into one. Linux `tcp_comp_sack_nr`.
pub const MAX_COMPRESSED: u32 = 44;
/// Longest wait of a compressed acknowledgement. Linux `tcp_comp_sack_delay_ns`.
pub const MAX_COMPRESSION: SimSpan = SimSpan::ms(1);
/// Invalid segments are answered at most this often. Linux `tcp_invalid_ratelimit`.
pub const INVALID_GAP: SimSpan = SimSpan::ms(500);
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
    /// Memory of all that. Linux `sk_rmem_alloc`.
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

    /// Bytes held out of order.
    pub fn out_of_order_bytes(&self) -> u64 {
        self.held.iter().map(|held| held.to - held.from).sum()
    }
}

/// What is due to be acknowledged, and how. Linux `icsk_ack`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Acks {
    /// An acknowledgement is due, at once or later.
    pub is_due: bool,
    /// The rules demand it at once.
    pub is_urgent: bool,
    /// A short segment came since the last acknowledgement.
    pub one_short: bool,
    /// Two did.
    pub two_short: bool,
    /// Acknowledgements that leave at once.
    pub quick: u32,
    /// Data flows both ways: acknowledgements wait for data.
    pub ping_pong: bool,
    /// Timeout of a delayed acknowledgement in ticks; 0 before the first data.
    pub ato: u64,
    /// Tick of the last data received.
    pub last_data: u64,
    /// Estimate of the other end's full segment. Linux `rcv_mss`.
    pub peer_mss: u32,
    /// The last short segment's length. Linux `last_seg_size`.
    pub last_len: u32,
    /// Acknowledgements waiting as one.
    pub n_compressed: u32,
    /// Duplicate acknowledgements sent at once.
    pub n_dup: u32,
    /// Position that they were for.
    pub dup_at: u64,
    /// A duplicate to be reported.
    pub dsack: Option<(u64, u64)>,
    /// Ranges held out of order, the latest first.
    pub sacks: Sack,
    /// When an invalid segment was last answered.
    pub last_invalid: Option<SimTime>,
}

impl Acks {
    /// Whether acknowledgements leave at once. Linux `tcp_in_quickack_mode`.
    fn is_quick(&self) -> bool {
        0 < self.quick && !self.ping_pong
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
        if !self.profile.truesize {
            self.recv.memory = self.unread() + self.recv.out_of_order_bytes();
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
    }

    fn take_in_order(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        let from = self.recv.next;
        let data_end = seg.seq + u64::from(seg.len);
        let memory = self.memory_of(seg);
        if from < data_end {
            if !self.make_room(memory) {
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
        self.acks.is_due = true;
        if !self.make_room(memory) || MAX_HELD <= self.recv.held.len() {
            return;
        }
        let (mut from, mut to) = (seg.seq, seg.seq + u64::from(seg.len));
        if seg.flags.has(Flags::FIN) {
            self.recv.fin = Some(to);
        }
        let held = &mut self.recv.held;
        let place = held.partition_point(|held| held.from < from);
        if 0 < place && from < held[place - 1].to {
            self.acks.dsack = self.options.sack.then_some((from, to.min(held[place - 1].to)));
            from = held[place - 1].to;
        }
        while from < to && place < held.len() && held[place].to <= to {
            // It covers a held one: the newcomer takes its place.
            let old = held.remove(place).unwrap_or_default();
            self.recv.memory -= u64::from(old.memory);
            self.acks.dsack = self.options.sack.then_some((old.from, old.to));
        }
        if place < held.len() {
            if held[place].from < to {
                self.acks.dsack = self.options.sack.then_some((held[place].from.max(from), to));
            }
            to = to.min(held[place].from);
        }
        if from < to {
            held.insert(place, Held { from, to, memory });
            self.recv.memory += u64::from(memory);
            self.note_sack(from, to);
        }
    }

    /// Takes what has become in order; whether the FIN is next. Linux `tcp_ofo_queue`.
    fn take_held(&mut self) -> bool {
        while let Some(&front) = self.recv.held.front() {
            if self.recv.next < front.from {
                break;
            }
            self.recv.held.pop_front();
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
        self.grow_window_threshold(seg);
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

    /// So many acknowledgements leave at once. Linux `tcp_incr_quickack`.
    fn add_quick(&mut self, most: u32) {
        let n = self.recv.window / (2 * u64::from(self.acks.peer_mss.max(1)));
        let n = (if n == 0 { 2 } else { n }).min(u64::from(most)) as u32;
        self.acks.quick = self.acks.quick.max(n);
    }

    /// Linux `tcp_enter_quickack_mode`.
    pub(super) fn enter_quick_mode(&mut self) {
        self.add_quick(MAX_QUICK);
        self.acks.ping_pong = false;
        self.acks.ato = self.profile.clock.ticks_of(ATO_MIN);
    }

    /// `TCP_QUICKACK`. Linux `__tcp_sock_set_quickack`.
    pub(super) fn set_quickack(&mut self, now: SimTime, on: bool, out: &mut Outbox) {
        self.acks.ping_pong = !on;
        if on && self.is_synchronised() && self.acks.is_due {
            self.acks.one_short = true;
            let unacked = self.recv.next - self.recv.window_at;
            // Linux calls `__tcp_cleanup_rbuf(1)`.
            let is_empty = self.recv.memory == 0;
            if u64::from(self.acks.peer_mss) < unacked || is_empty {
                self.send_ack(now, out);
            }
        }
    }

    /// After a segment was taken in: acknowledge now, later, or not at all.
    ///
    /// Linux `__tcp_ack_snd_check`; RFC 9293 section 3.8.6.3.
    pub(super) fn decide_ack(&mut self, now: SimTime, out: &mut Outbox) {
        if !self.acks.is_due {
            return;
        }
        let has_holes = !self.recv.held.is_empty();
        let unacked = self.recv.next - self.recv.window_at;
        let peer_mss = u64::from(self.acks.peer_mss);
        if self.profile.ack != AckPolicy::Adaptive {
            let second_full = 2 * peer_mss <= unacked;
            let at_once = self.acks.is_urgent
                || has_holes
                || self.acks.dsack.is_some()
                || self.profile.ack == AckPolicy::Immediate
                || 0 < self.acks.quick && unacked == 0;
            if at_once || second_full {
                self.send_ack(now, out);
            } else {
                self.delay_ack_by_rule(now);
            }
            return;
        }
        let more_than_one = peer_mss < unacked
            && (self.recv.next - self.recv.read < self.recv.low_water
                || self.recv.window <= self.window_to_offer());
        if more_than_one || self.acks.is_quick() || self.acks.is_urgent {
            self.send_ack(now, out);
        } else if has_holes {
            self.compress_ack(now, out);
        } else {
            self.delay_ack(now, out);
        }
    }

    /// A fixed time, or the next beat.
    fn delay_ack_by_rule(&mut self, now: SimTime) {
        if self.timers.ack.is_some() {
            return;
        }
        let due = match self.profile.ack {
            AckPolicy::Heartbeat(period) => {
                let period = period.as_ns().max(1);
                SimTime::from_ns((now.ns() / period + 1) * period)
            }
            AckPolicy::Fixed(delay) => now.saturating_add(delay),
            AckPolicy::Adaptive | AckPolicy::Immediate => now,
        };
        self.timers.ack = Some(Alarm { since: now, expires: self.profile.clock.ticks(due), due });
    }

    /// Out-of-order data beyond the third: one acknowledgement for many.
    fn compress_ack(&mut self, now: SimTime, out: &mut Outbox) {
        let can_wait = self.options.sack && self.profile.compress_acks;
        if !can_wait || MAX_COMPRESSED <= self.acks.n_compressed {
            self.send_ack(now, out);
            return;
        }
        if self.acks.dup_at != self.recv.next {
            self.acks.dup_at = self.recv.next;
            self.acks.n_dup = 0;
        }
        if self.acks.n_dup < DUP_ACKS_AT_ONCE {
            self.acks.n_dup += 1;
            self.send_ack(now, out);
            return;
        }
        self.acks.n_compressed += 1;
        if self.timers.compressed.is_some() {
            return;
        }
        // 5 % of the round trip.
        let own = u64::from(self.rtt.srtt >> 3);
        let heard = self.recv.tuning.rtt_us();
        let rtt = if own != 0 && (heard == 0 || own < heard) { own } else { heard };
        let delay = SimSpan::ns(rtt * 1_000 / 20).min(MAX_COMPRESSION);
        let due = now + delay;
        self.timers.compressed = Some(Alarm { since: now, expires: 0, due });
    }

    /// The timer of compressed acknowledgements. Linux `tcp_compressed_ack_kick`.
    pub(super) fn on_compressed_ack(&mut self, now: SimTime, out: &mut Outbox) {
        if 0 < self.acks.n_compressed {
            self.send_ack(now, out);
        }
    }

    /// Sets the timer of a delayed acknowledgement. Linux `tcp_send_delayed_ack`.
    pub(super) fn delay_ack(&mut self, now: SimTime, out: &mut Outbox) {
        let clock = self.profile.clock;
        let (least, most) = (clock.ticks_of(ATO_MIN), clock.ticks_of(DELACK_MAX));
        let mut ato = self.acks.ato;
        if least < ato {
            let is_interactive = self.acks.ping_pong || self.acks.one_short;
            let one_way = clock.ticks_of(DELACK_MAX_ONE_WAY);
            let mut cap = if is_interactive { most } else { one_way };
            if self.rtt.srtt != 0 {
                let rtt = clock.ticks_of_us(u64::from(self.rtt.srtt >> 3)).max(least);
                cap = cap.min(rtt);
            }
            ato = ato.min(cap);
        }
        let below_rto = clock.ticks_of(self.profile.rto_min).saturating_sub(1);
        ato = ato.min(most).min(below_rto.max(1));
        let mut expires = clock.ticks(now) + ato;
        if let Some(running) = self.timers.ack {
            // About to go off: now.
            if running.expires <= clock.ticks(now) + (ato >> 2) {
                self.send_ack(now, out);
                return;
            }
            expires = expires.min(running.expires);
        }
        let delay = expires - clock.ticks(now);
        self.timers.ack = Some(clock.alarm(now, delay));
    }

    /// The timer of a delayed acknowledgement. Linux `tcp_delack_timer_handler`.
    pub(super) fn on_ack_alarm(&mut self, now: SimTime, out: &mut Outbox) {
        if !self.acks.is_due {
            return;
        }
        if self.acks.ping_pong {
            self.acks.ping_pong = false;
            self.acks.ato = self.profile.clock.ticks_of(ATO_MIN);
        } else {
            self.acks.ato = (self.acks.ato << 1).min(self.rtt.rto);
        }
        self.send_ack(now, out);
    }

    /// An acknowledgement left, alone or with data. Linux `tcp_event_ack_sent`.
    #[inline]
    pub(super) fn note_ack_sent(&mut self) {
        if 0 < self.acks.n_compressed {
            self.acks.n_compressed = 0;
            self.timers.compressed = None;
        }
        if 0 < self.acks.quick && self.acks.is_due {
            self.acks.quick -= 1;
            if self.acks.quick == 0 {
                self.acks.ato = self.profile.clock.ticks_of(ATO_MIN);
            }
        }
        self.acks.is_due = false;
        self.acks.is_urgent = false;
        self.acks.one_short = false;
        self.acks.two_short = false;
        self.acks.dsack = None;
        self.timers.ack = None;
    }

    /// Data left soon after data came: the flow goes both ways. Linux `tcp_event_data_sent`.
    #[inline]
    pub(super) fn note_data_sent(&mut self, now: SimTime) {
        let ticks = self.profile.clock.ticks(now);
        self.send.last_data = ticks;
        if ticks.saturating_sub(self.acks.last_data) < self.acks.ato {
            self.acks.ping_pong = true;
        }
    }
}
