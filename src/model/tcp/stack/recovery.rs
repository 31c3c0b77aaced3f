//! Loss recovery: from duplicate acknowledgements to recovery and back, undo, F-RTO.
//!
//! Follows Linux tcp_input.c `tcp_fastretrans_alert` and what it calls; RFC 5681, 6582 (without
//! SACK), 6675, 6937 (window reduction), 5682 (F-RTO), 3522 (undo by timestamps).

use crate::kernel::SimTime;
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::acks::{AckFlags, AckWork};
use crate::model::tcp::stack::scoreboard::{MAX_REORDERING, REORDER_PERSIST};
use crate::model::tcp::stack::send::Marks;

/// The state of congestion control. Linux `TCP_CA_*`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Phase {
    /// Nothing unusual.
    #[default]
    Open,
    /// Duplicate acknowledgements or SACK blocks were seen.
    Disorder,
    /// The window is being reduced without a loss.
    Cwr,
    /// Fast recovery.
    Recovery,
    /// After a timeout.
    Loss,
}

/// What may be sent after an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Resend {
    /// Nothing special.
    #[default]
    None,
    /// Lost segments, then new ones.
    Lost,
    /// New segments first, to see whether the timeout was needless. RFC 5682.
    New,
}

/// What a sender remembers of losses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Where it stands.
    pub phase: Phase,
    /// Recovery ends when this position is acknowledged. Linux `high_seq`.
    pub high: u64,
    /// Segments selectively acknowledged; without SACK: duplicate acknowledgements.
    pub n_sacked: u32,
    /// Segments taken for lost.
    pub n_lost: u32,
    /// Segments sent again and under way.
    pub n_resent_out: u32,
    /// Segments sent again ever.
    pub n_resent: u32,
    /// Segments that arrived ever.
    pub n_delivered: u64,
    /// Segments taken for lost ever.
    pub n_lost_ever: u64,
    /// First unacknowledged position when the window was reduced: a needless reduction is undone.
    pub undo_from: Option<u64>,
    /// Resends since then that no duplicate was reported for; -1: none was made.
    pub undo_left: i64,
    /// Time of the first resend of this recovery.
    pub resent_since: Option<SimTime>,
    /// Position of the end of the loss probe, while its fate is open. Linux `tlp_high_seq`.
    pub probe_end: Option<u64>,
    /// The probe sent old data again.
    pub probe_is_copy: bool,
    /// Looking whether the timeout was needless.
    pub frto: bool,
    /// Segments that may overtake one before it is taken for lost.
    pub reordering: u32,
    /// How often reordering was seen.
    pub n_reorderings: u32,
    /// Duplicates that were reported.
    pub n_dsacks: u32,
    /// Lowest position that may be lost and not sent again.
    pub hint: u64,
    /// Timeouts in a row.
    pub n_timeouts: u32,
    /// Timeouts of the SYN.
    pub n_syn_timeouts: u32,
    /// Doublings of the persist timer.
    pub backoff: u32,
    /// Probes of a closed window without an answer.
    pub n_probes: u32,
}

impl Default for Loss {
    fn default() -> Loss {
        Loss {
            phase: Phase::Open,
            high: 0,
            n_sacked: 0,
            n_lost: 0,
            n_resent_out: 0,
            n_resent: 0,
            n_delivered: 0,
            n_lost_ever: 0,
            undo_from: None,
            undo_left: 0,
            resent_since: None,
            probe_end: None,
            probe_is_copy: false,
            frto: false,
            reordering: DUP_ACK_THRESHOLD,
            n_reorderings: 0,
            n_dsacks: 0,
            hint: u64::MAX,
            n_timeouts: 0,
            n_syn_timeouts: 0,
            backoff: 0,
            n_probes: 0,
        }
    }
}

/// Duplicate acknowledgements that mean a loss. RFC 5681 section 3.2.
pub const DUP_ACK_THRESHOLD: u32 = 3;

impl Socket {
    /// Segments under way by what is known. RFC 6675 `pipe`; Linux `tcp_packets_in_flight`.
    #[inline]
    pub(super) fn in_flight(&self) -> u32 {
        let gone = self.loss.n_sacked + self.loss.n_lost;
        (self.send.n_sent + self.loss.n_resent_out).saturating_sub(gone)
    }

    /// Works out what an unusual acknowledgement means. Linux `tcp_fastretrans_alert`.
    pub(super) fn look_for_losses(&mut self, now: SimTime, work: &mut AckWork) {
        if self.send.n_sent == 0 {
            self.loss.n_sacked = 0;
        }
        if self.loss.phase == Phase::Open {
            self.loss.resent_since = None;
        } else if self.loss.high <= self.send.una && self.is_over(work) {
            return;
        }
        match self.loss.phase {
            Phase::Recovery => self.go_on_recovering(now, work),
            Phase::Loss => {
                if self.after_timeout(now, work) {
                    self.disorder(now, work);
                }
            }
            _ => self.disorder(now, work),
        }
    }

    /// All that was out when recovery began is acknowledged; whether nothing is left to do.
    fn is_over(&mut self, work: &AckWork) -> bool {
        match self.loss.phase {
            Phase::Cwr if self.send.una != self.loss.high => {
                self.end_reduction();
                self.loss.phase = Phase::Open;
                false
            }
            Phase::Recovery => {
                if !self.options.sack {
                    self.loss.n_sacked = 0;
                }
                if self.undo_recovery(work) {
                    return true;
                }
                self.end_reduction();
                false
            }
            _ => false,
        }
    }

    /// The states open, disorder and window reduction (and loss, when it may be left).
    fn disorder(&mut self, now: SimTime, work: &mut AckWork) {
        if !self.options.sack {
            if work.flags.has(AckFlags::ADVANCED) {
                self.loss.n_sacked = 0;
            }
            self.add_dup_acks(work.n_dup);
        }
        if self.loss.phase <= Phase::Disorder {
            self.undo_by_dsack();
        }
        self.find_losses(now, work);
        if !self.is_time_to_recover() {
            self.stay_open();
            return;
        }
        self.enter_recovery();
        work.resend = Resend::Lost;
    }

    /// In recovery: more may be lost, or it was all needless.
    fn go_on_recovering(&mut self, now: SimTime, work: &mut AckWork) {
        if !work.flags.has(AckFlags::ADVANCED) {
            if !self.options.sack {
                self.add_dup_acks(work.n_dup);
            }
        } else if self.undo_partly(work) {
            return;
        }
        if self.undo_by_dsack() {
            self.stay_open();
        }
        self.find_losses(now, work);
        if self.loss.phase != Phase::Recovery {
            if !self.is_time_to_recover() {
                return;
            }
            self.enter_recovery();
        }
        work.resend = Resend::Lost;
    }

    /// After a timeout: was it needless, is it over? RFC 5682; Linux `tcp_process_loss`.
    ///
    /// Whether the state was left, or a copy was lost again.
    fn after_timeout(&mut self, now: SimTime, work: &mut AckWork) -> bool {
        self.process_loss(work);
        self.find_losses(now, work);
        self.loss.phase == Phase::Open || work.flags.has(AckFlags::LOST_AGAIN)
    }

    fn process_loss(&mut self, work: &mut AckWork) {
        let is_over = self.loss.high <= self.send.una;
        if work.flags.has(AckFlags::ADVANCED) && self.undo_loss(false, work) {
            return;
        }
        if self.loss.frto {
            if work.flags.has(AckFlags::ORIG_SACKED) && self.undo_loss(true, work) {
                return;
            }
            if self.loss.high < self.send.nxt {
                if work.flags.has(AckFlags::DATA_SACKED) || 0 < work.n_dup {
                    self.loss.frto = false;
                }
            } else if work.flags.has(AckFlags::ADVANCED) && !is_over {
                self.loss.high = self.send.nxt;
                let has_new = self.send.n_sent < self.send.queue.len() as u32;
                if has_new && self.send.nxt < self.window_end() {
                    work.resend = Resend::New;
                    return;
                }
                self.loss.frto = false;
            }
        }
        if is_over {
            self.undo_recovery(work);
            return;
        }
        if !self.options.sack {
            if self.loss.high < self.send.nxt && 0 < work.n_dup {
                self.add_dup_acks(work.n_dup);
            } else if work.flags.has(AckFlags::ADVANCED) {
                self.loss.n_sacked = 0;
            }
        }
        work.resend = Resend::Lost;
    }

    /// Marks losses by the rule in force. Linux `tcp_identify_packet_loss`.
    fn find_losses(&mut self, now: SimTime, work: &mut AckWork) {
        if self.send.n_sent == 0 {
            return;
        }
        if !self.options.sack {
            self.find_first_lost(work);
        } else if self.profile.rack {
            let before = self.loss.n_resent_out;
            if self.rack_mark(now) {
                work.flags.clear(AckFlags::SET_TIMER);
            }
            if self.loss.n_resent_out < before {
                work.flags.set(AckFlags::LOST_AGAIN);
            }
        } else {
            self.mark_lost_by_count();
        }
    }

    /// Without SACK the first segment is lost. RFC 6582; Linux `tcp_newreno_mark_lost`.
    fn find_first_lost(&mut self, work: &AckWork) {
        let has_begun = self.loss.phase == Phase::Recovery && work.flags.has(AckFlags::ADVANCED);
        let begins =
            self.loss.phase < Phase::Recovery && self.loss.reordering <= self.loss.n_sacked;
        let is_marked = self.send.queue[0].marks.any(Marks::LOST);
        if (has_begun || begins) && !is_marked {
            self.mark_lost(0);
        }
    }

    fn is_time_to_recover(&self) -> bool {
        0 < self.loss.n_lost
    }

    /// Begins fast recovery. RFC 5681 section 3.2; Linux `tcp_enter_recovery`.
    pub(super) fn enter_recovery(&mut self) {
        self.cong.prior_ssthresh = 0;
        self.begin_undo();
        if !self.is_reducing() {
            self.cong.prior_ssthresh = self.current_ssthresh();
            self.begin_reduction();
        }
        self.loss.phase = Phase::Recovery;
    }

    /// From here on a needless reduction can be undone. Linux `tcp_init_undo`.
    pub(super) fn begin_undo(&mut self) {
        self.loss.undo_from = Some(self.send.una);
        let probe = u32::from(self.loss.probe_end.is_some() && self.loss.probe_is_copy);
        let n = i64::from(self.loss.n_resent_out + probe);
        self.loss.undo_left = if n == 0 { -1 } else { n };
    }

    /// Whether the window is being reduced. Linux `tcp_in_cwnd_reduction`.
    #[inline]
    pub(super) fn is_reducing(&self) -> bool {
        matches!(self.loss.phase, Phase::Cwr | Phase::Recovery)
    }

    /// Nothing is lost now. Linux `tcp_try_to_open`.
    fn stay_open(&mut self) {
        if !self.any_resent() {
            self.loss.resent_since = None;
        }
        if self.loss.phase != Phase::Cwr {
            self.keep_open();
        }
    }

    /// Linux `tcp_try_keep_open`.
    pub(super) fn keep_open(&mut self) {
        let is_disordered = 0 < self.loss.n_sacked + self.loss.n_lost || self.any_resent();
        let phase = if is_disordered { Phase::Disorder } else { Phase::Open };
        if self.loss.phase != phase {
            self.loss.phase = phase;
            self.loss.high = self.send.nxt;
        }
    }

    /// Whether a sent segment was ever resent: some copy may be under way.
    /// Linux `tcp_any_retrans_done`.
    fn any_resent(&self) -> bool {
        let first = self.send.queue.front().filter(|_| 0 < self.send.n_sent);
        0 < self.loss.n_resent_out
            || first.is_some_and(|packet| packet.marks.any(Marks::EVER_RESENT))
    }

    /// The window was reduced for nothing. Linux `tcp_may_undo`.
    fn may_undo(&self, work: &AckWork) -> bool {
        self.loss.undo_from.is_some() && (self.loss.undo_left == 0 || self.was_late(work))
    }

    /// What was acknowledged was the original, only late. Linux `tcp_packet_delayed`.
    fn was_late(&self, work: &AckWork) -> bool {
        match self.loss.resent_since {
            Some(since) => self.echo_is_before(work.echo, since),
            None => true,
        }
    }

    /// Linux `tcp_undo_cwnd_reduction`.
    fn undo_reduction(&mut self, now_lost_none: bool) {
        if now_lost_none {
            for index in 0..self.send.n_sent as usize {
                let before = self.send.queue[index].marks;
                let mut after = before;
                after.clear(Marks::LOST);
                self.send.queue[index].marks = after;
                self.count_marks(before, -1);
                self.count_marks(after, 1);
            }
            self.loss.hint = u64::MAX;
        }
        self.restore_window();
        self.loss.undo_from = None;
        self.rack.advanced = true;
    }

    /// Linux `tcp_try_undo_recovery`; whether the old state stays until more is acknowledged.
    fn undo_recovery(&mut self, work: &AckWork) -> bool {
        if self.may_undo(work) {
            self.undo_reduction(false);
        } else if 0 < self.rack.persist {
            self.rack.persist -= 1;
        }
        // RFC 6582: without SACK, hold the state until something above `high` is acknowledged,
        // else late duplicates would start a second recovery.
        if !self.options.sack && self.send.una == self.loss.high {
            if !self.any_resent() {
                self.loss.resent_since = None;
            }
            return true;
        }
        self.loss.phase = Phase::Open;
        false
    }

    /// All resends were reported as duplicates. Linux `tcp_try_undo_dsack`.
    fn undo_by_dsack(&mut self) -> bool {
        let may = self.loss.undo_from.is_some() && self.loss.undo_left == 0;
        if may {
            self.rack.persist = (self.rack.persist + 1).min(REORDER_PERSIST);
            self.undo_reduction(false);
        }
        may
    }

    /// Linux `tcp_try_undo_loss`.
    fn undo_loss(&mut self, by_frto: bool, work: &AckWork) -> bool {
        if !by_frto && !self.may_undo(work) {
            return false;
        }
        self.undo_reduction(true);
        self.loss.n_timeouts = 0;
        if !self.options.sack && self.send.una == self.loss.high {
            return true;
        }
        if by_frto || self.options.sack {
            self.loss.phase = Phase::Open;
        }
        true
    }

    /// A partial acknowledgement that only the original explains. Linux `tcp_try_undo_partial`.
    fn undo_partly(&mut self, work: &AckWork) -> bool {
        if self.loss.undo_from.is_none() || !self.was_late(work) {
            return false;
        }
        self.note_reordering(work.prior_una);
        if 0 < self.loss.n_resent_out {
            return true;
        }
        if !self.any_resent() {
            self.loss.resent_since = None;
        }
        self.undo_reduction(true);
        self.keep_open();
        false
    }

    /// Without SACK a duplicate acknowledgement stands for a segment that arrived.
    ///
    /// Linux `tcp_add_reno_sack`, `tcp_check_reno_reordering`.
    fn add_dup_acks(&mut self, n: u32) {
        if n == 0 {
            return;
        }
        let before = self.loss.n_sacked;
        self.loss.n_sacked += n;
        self.limit_dup_acks(0);
        self.loss.n_delivered += u64::from(self.loss.n_sacked.saturating_sub(before));
    }

    /// One of the acknowledged segments was the hole, the others the duplicates.
    ///
    /// Linux `tcp_remove_reno_sacks`.
    pub(super) fn forget_dup_acks(&mut self, n_acked: u32) {
        self.loss.n_delivered += u64::from(n_acked.saturating_sub(self.loss.n_sacked).max(1));
        self.loss.n_sacked = self.loss.n_sacked.saturating_sub(n_acked - 1);
        self.limit_dup_acks(n_acked);
    }

    /// More duplicates than segments mean reordering. Linux `tcp_limit_reno_sacked`.
    fn limit_dup_acks(&mut self, n_acked: u32) {
        let holes = self.loss.n_lost.max(1).min(self.send.n_sent);
        if self.loss.n_sacked + holes <= self.send.n_sent {
            return;
        }
        self.loss.n_sacked = self.send.n_sent - holes;
        self.loss.reordering = (self.send.n_sent + n_acked).clamp(1, MAX_REORDERING);
        self.loss.n_reorderings += 1;
    }

    /// An acknowledgement beyond a loss probe. RFC 8985 section 7.4; Linux `tcp_process_tlp_ack`.
    pub(super) fn take_probe_ack(&mut self, ack: u64, flags: AckFlags) {
        let Some(end) = self.loss.probe_end else { return };
        if ack < end {
            return;
        }
        if !self.loss.probe_is_copy || flags.has(AckFlags::DSACK_PROBE) {
            self.loss.probe_end = None;
        } else if end < ack {
            self.begin_reduction();
            self.loss.phase = Phase::Cwr;
            self.end_reduction();
            self.keep_open();
        } else {
            let is_progress = AckFlags(
                AckFlags::ADVANCED.0
                    | AckFlags::DATA.0
                    | AckFlags::WINDOW.0
                    | AckFlags::DATA_ACKED.0
                    | AckFlags::DATA_SACKED.0,
            );
            if !flags.has(is_progress) {
                self.loss.probe_end = None;
            }
        }
    }
}
