//! Sending again: the retransmission timeout, tail loss probes, lost segments, persist probes.
//!
//! Follows Linux tcp_timer.c and tcp_output.c `tcp_xmit_retransmit_queue`, `tcp_send_loss_probe`,
//! `tcp_write_wakeup`; RFC 6298, RFC 8985 section 7, RFC 9293 section 3.8.6.1.

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::stack::profile::Resends;
use crate::model::tcp::stack::recovery::{DUP_ACK_THRESHOLD, Phase, Resend};
use crate::model::tcp::stack::scoreboard::TIMEOUT_MIN_US;
use crate::model::tcp::stack::send::{Go, Marks, NoNagle, Packet};
use crate::model::tcp::stack::timers::SendAlarm;
use crate::model::tcp::stack::{Socket, State};
use crate::model::tcp::{Errno, Flags, Outbox};

/// Longest timeout. RFC 6298 section 2.5 allows 60 s or more; Linux `TCP_RTO_MAX`.
pub const RTO_MAX: SimSpan = SimSpan::s(120);
/// Timeouts of a SYN before giving up. Linux `tcp_syn_retries`.
pub const SYN_RETRIES: u32 = 6;
/// Timeouts in a row before giving up. Linux `tcp_retries2`.
pub const RETRIES: u32 = 15;
/// Timeouts in a row of a socket that nobody holds. Linux `tcp_orphan_retries`, as used for 0.
pub const ORPHAN_RETRIES: u32 = 8;

impl Socket {
    /// The sender's timer went off.
    pub(super) fn on_send_alarm(&mut self, now: SimTime, what: SendAlarm, out: &mut Outbox) {
        match what {
            SendAlarm::Retransmission => self.on_timeout(now, out),
            SendAlarm::LossProbe => self.on_loss_probe(now, out),
            SendAlarm::Reordering => self.on_reordering_alarm(now, out),
            SendAlarm::Persist => self.on_persist(now, out),
        }
    }

    /// The retransmission timer. RFC 6298 section 5; Linux `tcp_retransmit_timer`.
    fn on_timeout(&mut self, now: SimTime, out: &mut Outbox) {
        if self.send.n_sent == 0 {
            return;
        }
        let is_syn = self.state == State::SynSent;
        let most = match (is_syn, self.is_orphan) {
            (true, _) => SYN_RETRIES,
            (false, true) => ORPHAN_RETRIES,
            (false, false) => RETRIES,
        };
        if most <= self.loss.n_timeouts {
            self.break_off(Errno::TimedOut, out);
            return;
        }
        self.enter_loss(now);
        self.resend(now, 0, out);
        self.loss.n_timeouts += 1;
        self.loss.n_syn_timeouts += 1;
        // RFC 6298 section 5.5; Linux doubles a SYN's only after some linear ones.
        if !is_syn || self.profile.linear_syns < self.loss.n_syn_timeouts {
            let most = self.profile.clock.ticks_of(RTO_MAX);
            self.rtt.rto = (self.rtt.rto * 2).min(most);
        }
        let rto = self.rtt.rto;
        self.set_send_alarm(now, SendAlarm::Retransmission, rto);
    }

    /// Everything under way is taken for lost. Linux `tcp_enter_loss`; RFC 5681 section 3.1.
    fn enter_loss(&mut self, now: SimTime) {
        let is_new = self.loss.phase < Phase::Recovery;
        self.mark_after_timeout(now);
        let is_first = self.loss.phase <= Phase::Disorder
            || self.loss.high <= self.send.una
            || (self.loss.phase == Phase::Loss && self.loss.n_timeouts == 0);
        if is_first {
            self.cong.prior_ssthresh = self.current_ssthresh();
            self.cong.prior = self.cong.window;
            self.cong.ssthresh = self.threshold_after_loss();
            self.begin_undo();
        }
        self.cong.window = self.in_flight() + 1;
        self.cong.count = 0;
        self.cong.stamp = self.profile.clock.ticks(now);
        if self.loss.phase <= Phase::Disorder && DUP_ACK_THRESHOLD <= self.loss.n_sacked {
            self.loss.reordering = self.loss.reordering.min(DUP_ACK_THRESHOLD);
        }
        self.loss.phase = Phase::Loss;
        self.loss.high = self.send.nxt;
        self.loss.probe_end = None;
        self.cubic_reset(now);
        self.loss.frto = self.profile.frto && (is_new || 0 < self.loss.n_timeouts);
    }

    /// Linux `tcp_timeout_mark_lost`.
    fn mark_after_timeout(&mut self, now: SimTime) {
        // The first segment arrived, says the other end, but it does not acknowledge it: it has
        // thrown the segment away. RFC 2018 section 8.
        let is_taken_back = self.send.queue[0].marks.any(Marks::SACKED);
        if is_taken_back || !self.options.sack {
            self.loss.n_sacked = 0;
            self.rack.seen = crate::model::tcp::Sack::default();
        }
        let n_lost = match self.profile.rto_resends {
            Resends::All => self.send.n_sent,
            Resends::Oldest => self.send.n_sent.min(1),
        };
        for index in 0..n_lost {
            let packet = &mut self.send.queue[index as usize];
            if is_taken_back {
                packet.marks.clear(Marks::SACKED);
            } else if self.profile.rack && index != 0 && self.options.sack {
                let sent = packet.sent;
                if self.rack_time_left(now, sent, 0).is_some() {
                    continue;
                }
            }
            self.mark_lost(index);
        }
    }

    /// Sends lost segments again, as far as the window allows.
    ///
    /// Linux `tcp_xmit_retransmit_queue`.
    pub(super) fn resend_lost(&mut self, now: SimTime, out: &mut Outbox) {
        let mut rearm = false;
        if self.loss.n_lost == 0 || self.loss.hint == u64::MAX {
            return;
        }
        let mut index = self.index_of(self.loss.hint);
        while index < self.send.n_sent {
            let Packet { seq, marks, .. } = self.send.queue[index as usize];
            self.loss.hint = seq;
            if self.congestion_quota() == 0 {
                break;
            }
            let is_open =
                marks.any(Marks::LOST) && !marks.any(Marks(Marks::SACKED.0 | Marks::RESENT.0));
            if is_open {
                if !self.resend(now, index, out) {
                    break;
                }
                self.note_sent_in_recovery(1);
                let waits = matches!(self.timers.send, Some((SendAlarm::Reordering, _)));
                rearm |= index == 0 && !waits;
            }
            index += 1;
        }
        if index == self.send.n_sent {
            self.loss.hint = u64::MAX;
        }
        if rearm {
            let rto = self.rtt.rto;
            self.set_send_alarm(now, SendAlarm::Retransmission, rto);
        }
    }

    /// Sends one segment again; whether the window allowed it. Linux `__tcp_retransmit_skb`.
    pub(super) fn resend(&mut self, now: SimTime, index: u32, out: &mut Outbox) -> bool {
        self.trim_head(index);
        let mss = self.current_mss();
        let packet = self.send.queue[index as usize];
        let room = self.window_end().saturating_sub(packet.seq);
        if room == 0 && packet.seq != self.send.una {
            return false;
        }
        // In a closed window one resend serves as a probe.
        let room = if room == 0 { mss } else { room.min(u64::from(mss)) as u32 };
        if room < packet.len {
            self.split(index, room);
        } else if packet.len < room && !packet.flags.has(Flags::SYN) {
            self.merge_following(index, room);
        }
        self.transmit(now, index as usize, out);
        let packet = &mut self.send.queue[index as usize];
        let before = packet.marks;
        packet.marks.set(Marks(Marks::RESENT.0 | Marks::EVER_RESENT.0));
        let after = packet.marks;
        self.count_marks(before, -1);
        self.count_marks(after, 1);
        self.note_transmission(index as usize);
        self.loss.n_resent += 1;
        self.loss.resent_since.get_or_insert(now);
        self.loss.undo_left = self.loss.undo_left.max(0) + 1;
        true
    }

    /// Takes off what is acknowledged of the first segment. Linux `tcp_trim_head`.
    fn trim_head(&mut self, index: u32) {
        let una = self.send.una;
        let packet = &mut self.send.queue[index as usize];
        if una <= packet.seq || packet.flags.has(Flags::SYN) {
            return;
        }
        let n = (una - packet.seq).min(u64::from(packet.len)) as u32;
        packet.seq += u64::from(n);
        packet.len -= n;
        packet.memory -= n;
        self.send.memory -= u64::from(n);
    }

    /// A short segment takes following ones with it. Linux `tcp_retrans_try_collapse`.
    fn merge_following(&mut self, index: u32, room: u32) {
        if !self.profile.truesize {
            return;
        }
        let mut left = room - self.send.queue[index as usize].len;
        while index + 1 < self.send.n_sent {
            let next = self.send.queue[index as usize + 1];
            let fits = next.len <= left && next.end() <= self.window_end();
            if !fits || next.marks.any(Marks::SACKED) || next.flags.has(Flags::SYN) {
                break;
            }
            left -= next.len;
            self.count_marks(next.marks, -1);
            self.send.queue.remove(index as usize + 1);
            self.send.n_sent -= 1;
            let packet = &mut self.send.queue[index as usize];
            packet.len += next.len;
            packet.memory += next.len;
            packet.flags = packet.flags.with(next.flags);
            if next.marks.any(Marks::EVER_RESENT) {
                packet.marks.set(Marks::EVER_RESENT);
            }
            self.send.memory -= u64::from(next.memory - next.len);
            if !self.options.sack {
                // It stood for an arrived segment, perhaps. Linux `tcp_adjust_pcount`.
                self.loss.n_sacked = self.loss.n_sacked.saturating_sub(1);
            }
        }
    }

    /// After an acknowledgement in recovery. Linux `tcp_xmit_recovery`.
    pub(super) fn send_in_recovery(&mut self, now: SimTime, what: Resend, out: &mut Outbox) {
        if what == Resend::None || self.state == State::SynSent {
            return;
        }
        if what == Resend::New {
            let mss = self.current_mss();
            self.push_pending(now, mss, NoNagle::OFF, out);
            if self.loss.high < self.send.nxt {
                return;
            }
            self.loss.frto = false;
        }
        self.resend_lost(now, out);
    }

    /// Sets the timer after an acknowledgement. Linux `tcp_set_xmit_timer`.
    pub(super) fn set_timer_after_ack(&mut self, now: SimTime) {
        if !self.schedule_loss_probe(now, true) {
            self.rearm_retransmission(now);
        }
    }

    /// Sets or stops the retransmission timer. RFC 6298 section 5; Linux `tcp_rearm_rto`.
    pub(super) fn rearm_retransmission(&mut self, now: SimTime) {
        if self.send.n_sent == 0 {
            self.timers.send = None;
            return;
        }
        let mut delay = self.rtt.rto;
        if let Some((SendAlarm::Reordering | SendAlarm::LossProbe, _)) = self.timers.send {
            let left = self.time_to_timeout_us(now).max(1);
            delay = self.profile.clock.ticks_of_us(left);
        }
        self.set_send_alarm(now, SendAlarm::Retransmission, delay);
    }

    /// Time until the first segment's timeout, in us. Linux `tcp_rto_delta_us`.
    fn time_to_timeout_us(&self, now: SimTime) -> u64 {
        let rto_us = self.profile.clock.us_of_ticks(self.rtt.rto);
        let age = now.since(self.send.queue[0].sent).as_ns() / 1_000;
        rto_us.saturating_sub(age)
    }

    /// Sets the loss probe's timer, if one is due; whether it did.
    ///
    /// RFC 8985 section 7.2; Linux `tcp_schedule_loss_probe`.
    pub(super) fn schedule_loss_probe(&mut self, now: SimTime, after_ack: bool) -> bool {
        let is_calm = matches!(self.loss.phase, Phase::Open | Phase::Cwr);
        if !self.profile.loss_probe || self.send.n_sent == 0 || !self.options.sack || !is_calm {
            return false;
        }
        let clock = self.profile.clock;
        let mut delay = if self.rtt.srtt == 0 {
            clock.ticks_of(SimSpan::s(1))
        } else {
            let alone = self.send.n_sent == 1;
            let floor = self.profile.rto_min.as_ns() / 1_000;
            let slack = if alone { floor } else { TIMEOUT_MIN_US };
            clock.ticks_of_us(u64::from(self.rtt.srtt >> 2) + slack)
        };
        let timeout = match after_ack {
            true => clock.us_of_ticks(self.rtt.rto),
            false => self.time_to_timeout_us(now),
        };
        if 0 < timeout {
            delay = delay.min(clock.ticks_of_us(timeout));
        }
        self.set_send_alarm(now, SendAlarm::LossProbe, delay);
        true
    }

    /// Sends new data, or the last segment again, to draw an acknowledgement.
    ///
    /// RFC 8985 section 7.3; Linux `tcp_send_loss_probe`.
    fn on_loss_probe(&mut self, now: SimTime, out: &mut Outbox) {
        if self.loss.probe_end.is_none() && 0 < self.send.n_sent {
            self.loss.probe_is_copy = false;
            if self.send_probe(now, out) {
                self.loss.probe_end = Some(self.send.nxt);
                let rto = self.rtt.rto;
                self.set_send_alarm(now, SendAlarm::Retransmission, rto);
                return;
            }
        }
        if self.send.n_sent == 0 {
            return;
        }
        let left = self.time_to_timeout_us(now).max(1);
        let delay = self.profile.clock.ticks_of_us(left);
        self.set_send_alarm(now, SendAlarm::Retransmission, delay);
    }

    fn send_probe(&mut self, now: SimTime, out: &mut Outbox) -> bool {
        let mss = self.current_mss();
        let next = self.send.queue.get(self.send.n_sent as usize).copied();
        if let Some(next) = next
            && self.window_allows(&next, mss)
        {
            let before = self.send.n_sent;
            self.send_queue(now, mss, NoNagle::OFF, Go::Probe, out);
            return before < self.send.n_sent;
        }
        let last = self.send.n_sent - 1;
        let is_sent = self.resend(now, last, out);
        self.loss.probe_is_copy = is_sent;
        is_sent
    }

    /// First delay of the persist timer in ticks. Linux `tcp_probe0_base`.
    pub(super) fn persist_base(&self) -> u64 {
        self.rtt.rto.max(self.profile.clock.ticks_of(self.profile.rto_min))
    }

    /// The next delay: it doubles. RFC 9293 section 3.8.6.1; Linux `tcp_probe0_when`.
    pub(super) fn persist_delay(&self) -> u64 {
        let most = self.profile.clock.ticks_of(RTO_MAX);
        let base = self.persist_base();
        base.checked_shl(self.loss.backoff.min(32)).unwrap_or(most).min(most)
    }

    /// The persist timer. Linux `tcp_probe_timer`, `tcp_send_probe0`.
    fn on_persist(&mut self, now: SimTime, out: &mut Outbox) {
        if 0 < self.send.n_sent || self.send.queue.is_empty() {
            self.loss.n_probes = 0;
            return;
        }
        if RETRIES <= self.loss.n_probes && self.is_orphan {
            self.break_off(Errno::TimedOut, out);
            return;
        }
        self.send_persist_probe(now, out);
        if 0 < self.send.n_sent || self.send.queue.is_empty() {
            self.loss.n_probes = 0;
            self.loss.backoff = 0;
            return;
        }
        self.loss.n_probes += 1;
        if self.loss.backoff < RETRIES {
            self.loss.backoff += 1;
        }
        let delay = self.persist_delay();
        self.set_send_alarm(now, SendAlarm::Persist, delay);
    }

    /// Sends what the window allows of the next segment, else an old position without data.
    ///
    /// Linux `tcp_write_wakeup`.
    fn send_persist_probe(&mut self, now: SimTime, out: &mut Outbox) {
        let head = self.send.queue[0];
        let room = self.window_end().saturating_sub(head.seq);
        if room == 0 {
            self.send_empty_probe(now, out);
            return;
        }
        let mss = self.current_mss();
        let room = room.min(u64::from(mss)) as u32;
        self.send.pushed = self.send.pushed.max(head.end());
        if room < head.len {
            self.split(0, room);
        }
        let head = &mut self.send.queue[0];
        head.flags = head.flags.with(Flags::PSH);
        self.send_head(now, out);
    }

    /// An acknowledgement from before the window: the other end answers it.
    ///
    /// Linux `tcp_xmit_probe_skb`.
    pub(super) fn send_empty_probe(&mut self, now: SimTime, out: &mut Outbox) {
        let seq = self.send.una - 1;
        self.send_control(now, Flags::ACK, seq, out);
    }

    /// Starts the keep-alive timer, if it is on.
    pub(super) fn start_keep_alive(&mut self, now: SimTime) {
        self.timers.keep_alive = None;
        let is_open = matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait1 | State::FinWait2
        );
        if self.keep_alive.on && is_open {
            let delay = self.profile.clock.ticks_of(self.keep_alive.idle);
            self.timers.keep_alive = Some(self.profile.clock.alarm(now, delay));
        }
    }

    /// The keep-alive timer. RFC 9293 section 3.8.4; Linux `tcp_keepalive_timer`.
    pub(super) fn on_keep_alive(&mut self, now: SimTime, out: &mut Outbox) {
        let clock = self.profile.clock;
        if !self.keep_alive.on || !self.is_synchronised() {
            return;
        }
        let idle = clock.ticks_of(self.keep_alive.idle);
        let is_busy = 0 < self.send.n_sent || !self.send.queue.is_empty();
        let heard = clock.ticks(self.recv.heard).max(self.acks.last_data);
        let elapsed = clock.ticks(now).saturating_sub(heard);
        let delay = if is_busy {
            idle
        } else if elapsed < idle {
            idle - elapsed
        } else if self.keep_alive.count <= self.keep_alive.n_probes {
            self.abort(now, out);
            self.error = Some(Errno::TimedOut);
            return;
        } else {
            self.send_empty_probe(now, out);
            self.keep_alive.n_probes += 1;
            clock.ticks_of(self.keep_alive.interval)
        };
        self.timers.keep_alive = Some(clock.alarm(now, delay));
    }
}
