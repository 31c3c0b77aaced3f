//! What an arriving acknowledgement does: window, queue, round-trip time, then loss and congestion.
//!
//! Follows Linux tcp_input.c `tcp_ack`, `tcp_clean_rtx_queue`, `tcp_rtt_estimator`; RFC 5681,
//! RFC 6298, RFC 9293 section 3.10.7.4.

use crate::kernel::SimTime;
use crate::model::tcp::stack::recovery::{Phase, Resend};
use crate::model::tcp::stack::send::{Marks, Packet};
use crate::model::tcp::stack::timers::SendAlarm;
use crate::model::tcp::stack::{Socket, State};
use crate::model::tcp::{Flags, Outbox, Segment};

/// Round-trip time and timeout. RFC 6298; Linux keeps multiples.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rtt {
    /// Eight times the smoothed round-trip time, in us; 0 before the first sample.
    pub srtt: u32,
    /// Four times its mean deviation, in us.
    pub mdev: u32,
    /// The largest of them in this round trip.
    pub mdev_max: u32,
    /// What the timeout adds to the smoothed round-trip time, in us.
    pub rttvar: u32,
    /// End of this round trip.
    pub round_end: u64,
    /// Least round-trip time seen, in us; 0 before the first.
    pub least: u32,
    /// Timeout in ticks, back-off included.
    pub rto: u64,
}

/// What an acknowledgement brought. Linux `FLAG_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AckFlags(pub u16);

impl AckFlags {
    /// The segment has data.
    pub const DATA: AckFlags = AckFlags(1);
    /// It updates the window.
    pub const WINDOW: AckFlags = AckFlags(2);
    /// It acknowledges data.
    pub const DATA_ACKED: AckFlags = AckFlags(4);
    /// Some of which was sent again.
    pub const RESENT_ACKED: AckFlags = AckFlags(8);
    /// It acknowledges the SYN.
    pub const SYN_ACKED: AckFlags = AckFlags(16);
    /// It selectively acknowledges something new.
    pub const DATA_SACKED: AckFlags = AckFlags(32);
    /// The lost copy of a lost segment was found.
    pub const LOST_AGAIN: AckFlags = AckFlags(64);
    /// Something arrived that was never sent again.
    pub const ORIG_SACKED: AckFlags = AckFlags(128);
    /// It advances the first unacknowledged position.
    pub const ADVANCED: AckFlags = AckFlags(256);
    /// It reports a duplicate.
    pub const DSACKING: AckFlags = AckFlags(512);
    /// The sender's timer is to be set anew.
    pub const SET_TIMER: AckFlags = AckFlags(1024);
    /// The duplicate is the loss probe.
    pub const DSACK_PROBE: AckFlags = AckFlags(2048);

    /// Sets bits.
    #[inline]
    pub fn set(&mut self, other: AckFlags) {
        self.0 |= other.0;
    }

    /// Clears bits.
    #[inline]
    pub fn clear(&mut self, other: AckFlags) {
        self.0 &= !other.0;
    }

    /// Whether any bit of `other` is set.
    #[inline]
    pub fn has(self, other: AckFlags) -> bool {
        self.0 & other.0 != 0
    }
}

/// Data, window or acknowledgement: no duplicate. Linux `FLAG_NOT_DUP`.
const NOT_DUP: AckFlags = AckFlags(1 | 2 | 4 | 16);
/// Reason to look for losses. Linux `FLAG_CA_ALERT`.
const ALERT: AckFlags = AckFlags(32 | 512);

/// What is found out while one acknowledgement is worked on.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct AckWork {
    /// What it brought.
    pub flags: AckFlags,
    /// First unacknowledged position before it.
    pub prior_una: u64,
    /// Highest selectively acknowledged position before it.
    pub prior_highest: u64,
    /// When the first and last never resent segment was sent that it selectively acknowledges.
    pub first_sacked: Option<SimTime>,
    /// See `first_sacked`.
    pub last_sacked: Option<SimTime>,
    /// Lowest position that filled a hole.
    pub reorder_from: u64,
    /// Duplicate acknowledgements it stands for.
    pub n_dup: u32,
    /// What may be sent after it.
    pub resend: Resend,
    /// The other end's echo of our clock, in ms.
    pub echo: Option<u32>,
}

impl Socket {
    /// Works on the acknowledgement of a segment; whether the segment is acceptable.
    ///
    /// Linux `tcp_ack`.
    pub(super) fn take_ack(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) -> bool {
        let mut work = AckWork {
            prior_una: self.send.una,
            prior_highest: self.highest_sacked(),
            echo: seg.stamps.filter(|_| self.options.timestamps).map(|s| s.echo),
            reorder_from: self.send.nxt,
            ..AckWork::default()
        };
        if self.send.nxt < seg.ack {
            return false;
        }
        if seg.ack < self.send.una {
            self.take_old_ack(now, seg, &mut work, out);
            return true;
        }
        if self.send.una < seg.ack {
            work.flags.set(AckFlags::ADVANCED);
            self.loss.n_timeouts = 0;
        }
        let (delivered, lost) = (self.loss.n_delivered, self.loss.n_lost_ever);
        let was_empty = self.send.n_sent == 0;
        if 0 < seg.len {
            work.flags.set(AckFlags::DATA);
        }
        self.update_window(now, seg, &mut work);
        if !seg.sack.blocks().is_empty() && self.options.sack {
            self.take_sacks(now, seg, &mut work);
        }
        self.loss.n_probes = 0;
        self.keep_alive.n_probes = 0;
        if was_empty {
            if work.flags.has(AckFlags::DSACKING) {
                self.look_for_losses(now, &mut work);
            }
            self.answer_persist(now);
            return true;
        }
        self.clean_queue(now, &mut work);
        self.rack_adapt(delivered);
        if self.loss.probe_end.is_some() {
            self.take_probe_ack(seg.ack, work.flags);
        }
        let is_dubious =
            !work.flags.has(NOT_DUP) || work.flags.has(ALERT) || self.loss.phase != Phase::Open;
        if is_dubious {
            let is_no_dup = work.flags.has(NOT_DUP)
                || work.flags.has(AckFlags::ADVANCED)
                || work.flags.has(AckFlags::DSACKING);
            work.n_dup = u32::from(!is_no_dup);
            self.look_for_losses(now, &mut work);
        }
        if work.flags.has(AckFlags::SET_TIMER) {
            self.set_timer_after_ack(now);
        }
        let n_new = (self.loss.n_delivered - delivered) as u32;
        let n_lost = (self.loss.n_lost_ever - lost) as u32;
        self.control_congestion(now, n_new, n_lost, &work);
        self.send_in_recovery(now, work.resend, out);
        true
    }

    /// An acknowledgement older than others may still bring SACK blocks.
    fn take_old_ack(&mut self, now: SimTime, seg: &Segment, work: &mut AckWork, out: &mut Outbox) {
        if seg.sack.blocks().is_empty() || !self.options.sack {
            return;
        }
        self.take_sacks(now, seg, work);
        self.look_for_losses(now, work);
        if work.flags.has(AckFlags::SET_TIMER) {
            self.set_timer_after_ack(now);
        }
        self.send_in_recovery(now, work.resend, out);
    }

    /// RFC 9293 section 3.10.7.4; Linux `tcp_ack_update_window`.
    fn update_window(&mut self, now: SimTime, seg: &Segment, work: &mut AckWork) {
        let window = u64::from(seg.window);
        let is_newer = self.send.una < seg.ack
            || self.send.wl1 < seg.seq
            || (self.send.wl1 == seg.seq && (self.send.window < window || window == 0));
        if is_newer {
            work.flags.set(AckFlags::WINDOW);
            self.send.wl1 = seg.seq;
            if self.send.window != window {
                self.send.window = window;
                if self.send.n_sent < self.send.queue.len() as u32 {
                    self.restart_after_idle(now);
                }
                if self.send.max_window < window {
                    self.send.max_window = window;
                    self.sync_mss();
                }
            }
        }
        self.send.una = seg.ack;
    }

    /// Takes acknowledged segments out of the queue. Linux `tcp_clean_rtx_queue`.
    fn clean_queue(&mut self, now: SimTime, work: &mut AckWork) {
        let (mut first, mut last) = (None, None);
        let (mut n_acked, mut reorder_from) = (0, self.send.nxt);
        let had_sacked = 0 < self.loss.n_sacked;
        while 0 < self.send.n_sent {
            let packet = self.send.queue[0];
            let Packet { seq, marks, sent, memory, .. } = packet;
            if self.send.una < packet.end() {
                break;
            }
            let was_resent = marks.any(Marks(Marks::RESENT.0 | Marks::EVER_RESENT.0));
            if was_resent {
                work.flags.set(AckFlags::RESENT_ACKED);
            } else if !marks.any(Marks::SACKED) {
                last = Some(sent);
                first = first.or(last);
                reorder_from = reorder_from.min(seq);
                if packet.end() <= self.loss.high {
                    work.flags.set(AckFlags::ORIG_SACKED);
                }
            }
            if !marks.any(Marks::SACKED) && self.options.sack {
                self.loss.n_delivered += 1;
                let is_spurious = was_resent && self.echo_is_before(work.echo, sent);
                if !is_spurious {
                    self.rack_advance(now, marks, packet.end(), sent);
                }
            }
            self.count_marks(marks, -1);
            n_acked += 1;
            self.send.memory -= u64::from(memory);
            self.send.n_sent -= 1;
            self.send.queue.pop_front();
            if packet.flags.has(Flags::SYN) {
                work.flags.set(AckFlags::SYN_ACKED);
                self.loss.resent_since = None;
            } else {
                work.flags.set(AckFlags::DATA_ACKED);
            }
        }
        self.forget_transmissions();
        let rtt = first.filter(|_| !work.flags.has(AckFlags::RESENT_ACKED));
        let sampled = self.sample_rtt(now, rtt, last, work);
        if 0 < n_acked {
            work.flags.set(AckFlags::SET_TIMER);
            self.forget_sacked(n_acked, reorder_from, work);
        } else if sampled
            && let Some(sent) = work.first_sacked
            && let Some(head) = self.send.queue.front()
            && sent < head.sent
        {
            // The sample is of data sent before the first was last sent: the timer may move.
            work.flags.set(AckFlags::SET_TIMER);
        }
        let newest = if rtt.is_some() { last } else { None };
        let sample = work.last_sacked.or(newest).map(|sent| now.since(sent).as_ns() / 1_000);
        self.cubic_sample(now, sample);
        if self.loss.n_sacked == 0 && had_sacked {
            self.rack.seen = crate::model::tcp::Sack::default();
        }
    }

    /// After segments left the queue: counts of duplicates (without SACK), reordering (with it).
    fn forget_sacked(&mut self, n_acked: u32, reorder_from: u64, work: &mut AckWork) {
        if self.options.sack {
            if reorder_from < work.prior_highest {
                self.note_reordering_below(reorder_from, work.prior_highest);
            }
            return;
        }
        self.forget_dup_acks(n_acked);
        if work.flags.has(AckFlags::RESENT_ACKED) {
            work.flags.clear(AckFlags::ORIG_SACKED);
        }
    }

    /// Reordering found by an acknowledgement that passed the highest selective one.
    fn note_reordering_below(&mut self, low: u64, highest: u64) {
        let mss = u64::from(self.send.mss.max(1));
        let span = highest.max(self.highest_sacked()) - low;
        if u64::from(self.loss.reordering) * mss < span {
            let most = crate::model::tcp::stack::scoreboard::MAX_REORDERING;
            self.loss.reordering = (span.div_ceil(mss) as u32).min(most);
        }
        self.loss.n_reorderings += 1;
    }

    /// Whether the other end's echo is older than a transmission. `tcp_tsopt_ecr_before`.
    pub(super) fn echo_is_before(&self, echo: Option<u32>, sent: SimTime) -> bool {
        echo.is_some_and(|echo| echo != 0 && echo < self.stamp(sent))
    }

    /// Karn's rule: only what was sent once is measured. Linux `tcp_ack_update_rtt`.
    fn sample_rtt(
        &mut self,
        now: SimTime,
        first: Option<SimTime>,
        last: Option<SimTime>,
        work: &AckWork,
    ) -> bool {
        let us = |sent: SimTime| now.since(sent).as_ns() / 1_000;
        let acked = AckFlags(AckFlags::DATA_ACKED.0 | AckFlags::SYN_ACKED.0);
        let sample = first.or(work.first_sacked).map(us);
        let echoed = work.echo.filter(|echo| *echo != 0 && work.flags.has(acked));
        let from_stamps = || {
            let echo = echoed?;
            Some(u64::from(self.stamp(now).saturating_sub(echo).max(1)) * 1_000)
        };
        let Some(rtt) = sample.or_else(from_stamps) else {
            let is_new = work.flags.has(AckFlags::DATA_ACKED);
            if !self.profile.rto_holds && is_new && self.rtt.srtt != 0 {
                self.loss.backoff = 0;
                self.set_rto();
            }
            return false;
        };
        let newest = work.last_sacked.or(first.and(last)).map_or(rtt, us);
        let least = u32::try_from(newest.max(1)).unwrap_or(u32::MAX - 1);
        self.rtt.least = if self.rtt.least == 0 { least } else { self.rtt.least.min(least) };
        self.estimate(u32::try_from(rtt.max(1)).unwrap_or(u32::MAX >> 4));
        self.loss.backoff = 0;
        true
    }

    /// RFC 6298 section 2 as Linux `tcp_rtt_estimator` does it, then the timeout.
    pub(super) fn estimate(&mut self, sample_us: u32) {
        let floor = match self.profile.rto_floor_is_variance {
            true => (self.profile.rto_min.as_ns() / 1_000) as u32,
            false => 1,
        };
        let (una, nxt) = (self.send.una, self.send.nxt);
        let rtt = &mut self.rtt;
        let mut m = i64::from(sample_us);
        if rtt.srtt == 0 {
            rtt.srtt = sample_us << 3;
            rtt.mdev = sample_us << 1;
            rtt.rttvar = rtt.mdev.max(floor);
            rtt.mdev_max = rtt.rttvar;
            rtt.round_end = nxt;
        } else {
            m -= i64::from(rtt.srtt >> 3);
            rtt.srtt = (i64::from(rtt.srtt) + m).max(1) as u32;
            if m < 0 {
                m = -m - i64::from(rtt.mdev >> 2);
                if 0 < m {
                    m >>= 3;
                }
            } else {
                m -= i64::from(rtt.mdev >> 2);
            }
            rtt.mdev = (i64::from(rtt.mdev) + m).max(0) as u32;
            if rtt.mdev_max < rtt.mdev {
                rtt.mdev_max = rtt.mdev;
                rtt.rttvar = rtt.rttvar.max(rtt.mdev_max);
            }
            if rtt.round_end < una {
                if rtt.mdev_max < rtt.rttvar {
                    rtt.rttvar -= (rtt.rttvar - rtt.mdev_max) >> 2;
                }
                rtt.round_end = nxt;
                rtt.mdev_max = floor;
            }
        }
        rtt.srtt = rtt.srtt.max(1);
        self.set_rto();
    }

    /// Linux `tcp_set_rto`; RFC 6298 section 2.4.
    pub(super) fn set_rto(&mut self) {
        let clock = self.profile.clock;
        let mut us = u64::from(self.rtt.srtt >> 3) + u64::from(self.rtt.rttvar);
        if !self.profile.rto_floor_is_variance {
            us = us.max(self.profile.rto_min.as_ns() / 1_000);
        }
        let most = clock.ticks_of(crate::model::tcp::stack::retransmit::RTO_MAX);
        self.rtt.rto = clock.ticks_of_us(us).min(most);
    }

    /// An acknowledgement while nothing is under way: may what waits go? `tcp_ack_probe`.
    fn answer_persist(&mut self, now: SimTime) {
        let Some(head) = self.send.queue.front() else { return };
        if head.end() <= self.window_end() {
            self.loss.backoff = 0;
            self.loss.n_probes = 0;
            if matches!(self.timers.send, Some((SendAlarm::Persist, _))) {
                self.timers.send = None;
            }
            return;
        }
        let delay = self.persist_delay();
        self.set_send_alarm(now, SendAlarm::Persist, delay);
    }

    /// Counts the time in which data could be acknowledged only while connected.
    pub(super) fn is_synchronised(&self) -> bool {
        !matches!(self.state, State::Closed | State::Listen | State::SynSent | State::SynReceived)
    }
}
