//! When an acknowledgement leaves: quick, ping-pong, delayed, compressed.
//!
//! Follows Linux tcp_input.c `__tcp_ack_snd_check`, tcp_output.c `tcp_send_delayed_ack`,
//! tcp_timer.c `tcp_delack_timer_handler`; the rules of RFC 9293 section 3.8.6.3 (a fixed time),
//! BSD's heartbeat and none at all are policies beside it.

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::profile::{AckEvery, AckPolicy};
use crate::model::tcp::stack::timers::Alarm;
use crate::model::tcp::{Outbox, Sack};

/// Longest. Linux `TCP_DELACK_MAX`.
pub const DELACK_MAX: SimSpan = SimSpan::ms(200);
/// Longest outside of ping-pong mode. Linux `HZ / 2`.
pub const DELACK_MAX_ONE_WAY: SimSpan = SimSpan::ms(500);
/// Acknowledgements of out-of-order data before they are compressed. `TCP_FASTRETRANS_THRESH`.
pub const DUP_ACKS_AT_ONCE: u32 = 3;
/// Most that are compressed into one. Linux `tcp_comp_sack_nr`.
pub const MAX_COMPRESSED: u32 = 44;
/// Longest wait of a compressed acknowledgement. Linux `tcp_comp_sack_delay_ns`.
pub const MAX_COMPRESSION: SimSpan = SimSpan::ms(1);
/// How much later its timer goes off. Linux `tcp_comp_sack_slack_ns`.
pub const COMPRESSION_SLACK: SimSpan = SimSpan::us(100);
/// First timeout of a delayed acknowledgement. Linux `TCP_ATO_MIN`, `TCP_DELACK_MIN`.
pub const ATO_MIN: SimSpan = SimSpan::ms(40);
/// Quick acknowledgements at the start. Linux `TCP_MAX_QUICKACKS`.
pub const MAX_QUICK: u32 = 16;

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
    /// Segments with data since the last acknowledgement.
    pub n_segments: u32,
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
    /// So many acknowledgements leave at once. Linux `tcp_incr_quickack`.
    pub(super) fn add_quick(&mut self, most: u32) {
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
            let second_any = self.profile.ack_every == AckEvery::Any && 2 <= self.acks.n_segments;
            let second_full = 2 * peer_mss <= unacked || second_any;
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
        let due = now + delay + COMPRESSION_SLACK;
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
        self.acks.n_segments = 0;
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
