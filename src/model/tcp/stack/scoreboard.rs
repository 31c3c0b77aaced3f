//! The scoreboard: which sent segments arrived, which are lost, by SACK and by time (RACK).
//!
//! Follows Linux tcp_input.c `tcp_sacktag_*` and tcp_recovery.c; RFC 2018, 2883, 6675, 8985.
//! A block that covers a segment only in part does not acknowledge it, as in Linux.

use std::collections::VecDeque;

use crate::kernel::SimTime;
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::acks::{AckFlags, AckWork};
use crate::model::tcp::stack::recovery::Phase;
use crate::model::tcp::stack::send::{Marks, Packet};
use crate::model::tcp::stack::timers::SendAlarm;
use crate::model::tcp::{Outbox, Sack, Segment};

/// Least timeout of a probe or a reordering window beyond the measured, in us.
/// Linux `TCP_TIMEOUT_MIN_US`.
pub const TIMEOUT_MIN_US: u64 = 2_000;
/// Rounds for which a wider reordering window lasts. Linux `TCP_RACK_RECOVERY_THRESH`.
pub const REORDER_PERSIST: u8 = 16;
/// Most segments that reordering is believed to span. Linux `tcp_max_reordering`.
pub const MAX_REORDERING: u32 = 300;

/// What RACK knows. RFC 8985 section 5.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rack {
    /// When the most recently sent segment that arrived was sent.
    pub sent: SimTime,
    /// Its end.
    pub end: u64,
    /// Its round-trip time in us.
    pub rtt: u64,
    /// Something newer arrived since the last search for losses.
    pub advanced: bool,
    /// A duplicate was reported: losses were no losses.
    pub dsack_seen: bool,
    /// The reordering window in quarters of the least round trip.
    pub steps: u8,
    /// Recoveries for which `steps` stay.
    pub persist: u8,
    /// Count of delivered segments when `steps` last grew.
    pub last_delivered: u64,
    /// Sent segments in order of their last transmission: position and time. Stale entries stay
    /// until they come to the front.
    pub order: VecDeque<(u64, SimTime)>,
    /// The blocks of the last acknowledgement: all segments in them are marked.
    pub seen: Sack,
    /// End of the highest segment that was selectively acknowledged.
    pub highest: u64,
}

/// Whether a transmission came after another one. Linux `tcp_rack_sent_after`.
fn is_sent_after(a: (SimTime, u64), b: (SimTime, u64)) -> bool {
    b.0 < a.0 || (a.0 == b.0 && b.1 < a.1)
}

impl Socket {
    /// End of the highest segment known to have arrived. Linux `tcp_highest_sack_seq`.
    pub(super) fn highest_sacked(&self) -> u64 {
        if self.loss.n_sacked == 0 { self.send.una } else { self.rack.highest }
    }

    /// Place of the first sent segment that ends after a position.
    pub(super) fn index_of(&self, position: u64) -> u32 {
        let n = self.send.n_sent as usize;
        let (mut low, mut high) = (0, n);
        while low < high {
            let middle = (low + high) / 2;
            if self.send.queue[middle].end() <= position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low as u32
    }

    /// Takes in the SACK blocks of an acknowledgement. Linux `tcp_sacktag_write_queue`.
    pub(super) fn take_sacks(&mut self, now: SimTime, seg: &Segment, work: &mut AckWork) {
        let blocks = seg.sack;
        let has_dsack = self.note_dsack(seg, work);
        let is_too_old = seg.ack + self.send.max_window < work.prior_una;
        if is_too_old || self.send.n_sent == 0 {
            return;
        }
        work.reorder_from = self.send.nxt;
        for (i, &(from, to)) in blocks.blocks().iter().enumerate() {
            let is_dup = i == 0 && has_dsack;
            if to <= work.prior_una || self.send.nxt < to || to <= from {
                continue;
            }
            if is_dup {
                self.mark_range(now, from, to, true, work);
            } else {
                self.mark_new_parts(now, from, to, work);
            }
        }
        self.rack.seen = blocks;
        let may_tell = self.loss.phase != Phase::Loss || self.loss.undo_from.is_some();
        if may_tell && work.reorder_from != self.send.nxt {
            self.note_reordering(work.reorder_from);
        }
        work.reorder_from = self.send.nxt;
    }

    /// Marks what the last acknowledgement did not cover.
    fn mark_new_parts(&mut self, now: SimTime, from: u64, to: u64, work: &mut AckWork) {
        let seen = self.rack.seen;
        let inside = seen.blocks().iter().find(|(a, b)| from <= *a && *b <= to && a < b);
        match inside {
            Some(&(a, b)) => {
                self.mark_range(now, from, a, false, work);
                self.mark_range(now, b, to, false, work);
            }
            None => self.mark_range(now, from, to, false, work),
        }
    }

    fn mark_range(&mut self, now: SimTime, from: u64, to: u64, is_dup: bool, work: &mut AckWork) {
        let mut index = self.index_of(from);
        while index < self.send.n_sent {
            let packet = self.send.queue[index as usize];
            if to <= packet.seq {
                break;
            }
            if from <= packet.seq && packet.end() <= to {
                self.mark_sacked(now, index, is_dup, work);
            }
            index += 1;
        }
    }

    /// One segment is reported as received. Linux `tcp_sacktag_one`.
    fn mark_sacked(&mut self, now: SimTime, index: u32, is_dup: bool, work: &mut AckWork) {
        let Packet { seq, marks, sent, .. } = self.send.queue[index as usize];
        let end = self.send.queue[index as usize].end();
        let was_resent = marks.any(Marks(Marks::RESENT.0 | Marks::EVER_RESENT.0));
        if is_dup && was_resent {
            self.note_needless_resend(end);
            if marks.any(Marks::SACKED) && seq < work.reorder_from {
                work.reorder_from = seq;
            }
        }
        if end <= self.send.una {
            return;
        }
        let mut left = marks;
        if !marks.any(Marks::SACKED) {
            self.rack_advance(now, marks, end, sent);
            if marks.any(Marks::RESENT) {
                if marks.any(Marks::LOST) {
                    left.clear(Marks(Marks::LOST.0 | Marks::RESENT.0));
                }
            } else {
                if !was_resent {
                    if seq < self.highest_sacked() && seq < work.reorder_from {
                        work.reorder_from = seq;
                    }
                    if end <= self.loss.high {
                        work.flags.set(AckFlags::ORIG_SACKED);
                    }
                    work.first_sacked.get_or_insert(sent);
                    work.last_sacked = Some(sent);
                }
                left.clear(Marks::LOST);
            }
            left.set(Marks::SACKED);
            work.flags.set(AckFlags::DATA_SACKED);
            self.loss.n_delivered += 1;
            if self.loss.n_sacked == 0 || self.rack.highest < end {
                self.rack.highest = end;
            }
        }
        if is_dup && left.any(Marks::RESENT) {
            left.clear(Marks::RESENT);
        }
        self.count_marks(marks, -1);
        self.count_marks(left, 1);
        self.send.queue[index as usize].marks = left;
    }

    /// Keeps the counts of marked segments.
    pub(super) fn count_marks(&mut self, marks: Marks, by: i32) {
        let add = |count: &mut u32, mark| {
            if marks.any(mark) {
                *count = count.saturating_add_signed(by);
            }
        };
        add(&mut self.loss.n_sacked, Marks::SACKED);
        add(&mut self.loss.n_lost, Marks::LOST);
        add(&mut self.loss.n_resent_out, Marks::RESENT);
    }

    /// A duplicate-SACK (RFC 2883): the first block reports data that had arrived before.
    ///
    /// Linux `tcp_check_dsack`, `tcp_dsack_seen`.
    fn note_dsack(&mut self, seg: &Segment, work: &mut AckWork) -> bool {
        let blocks = seg.sack.blocks();
        let Some(&(from, to)) = blocks.first() else { return false };
        let is_below = from < seg.ack;
        let is_inside = blocks.get(1).is_some_and(|(a, b)| *a <= from && to <= *b);
        if !is_below && !is_inside {
            return false;
        }
        let n = (to.saturating_sub(from)).div_ceil(u64::from(self.send.mss.max(1))).max(1) as u32;
        if n == 1 && self.loss.probe_is_copy && self.loss.probe_end == Some(to) {
            work.flags.set(AckFlags::DSACK_PROBE);
        }
        self.loss.n_dsacks += n;
        if self.loss.n_resent < self.loss.n_dsacks {
            return true;
        }
        if 0 < self.loss.n_reorderings && !work.flags.has(AckFlags::DSACK_PROBE) {
            self.rack.dsack_seen = true;
        }
        work.flags.set(AckFlags::DSACKING);
        if to <= work.prior_una {
            for _ in 0..n {
                self.note_needless_resend(to);
            }
        }
        true
    }

    fn note_needless_resend(&mut self, end: u64) {
        if self.loss.undo_from.is_some_and(|from| from < end) && 0 < self.loss.undo_left {
            self.loss.undo_left -= 1;
        }
    }

    /// A hole was filled by what was never sent again: reordering. `tcp_check_sack_reordering`.
    pub(super) fn note_reordering(&mut self, low: u64) {
        let highest = self.highest_sacked();
        if highest <= low || !self.options.sack {
            return;
        }
        let mss = u64::from(self.send.mss.max(1));
        let span = highest - low;
        if u64::from(self.loss.reordering) * mss < span {
            self.loss.reordering = (span.div_ceil(mss) as u32).min(MAX_REORDERING);
        }
        self.loss.n_reorderings += 1;
    }

    /// Something arrived. RFC 8985 section 6.2 step 2; Linux `tcp_rack_advance`.
    pub(super) fn rack_advance(&mut self, now: SimTime, marks: Marks, end: u64, sent: SimTime) {
        let rtt = now.since(sent).as_ns() / 1_000;
        let was_resent = marks.any(Marks(Marks::RESENT.0 | Marks::EVER_RESENT.0));
        // It might be the original that arrived: then the round trip is too short.
        if was_resent && (self.rtt.least == 0 || rtt < u64::from(self.rtt.least)) {
            return;
        }
        self.rack.advanced = true;
        self.rack.rtt = rtt;
        if is_sent_after((sent, end), (self.rack.sent, self.rack.end)) {
            (self.rack.sent, self.rack.end) = (sent, end);
        }
    }

    /// The reordering window in us. RFC 8985 section 6.2 step 4; Linux `tcp_rack_reo_wnd`.
    fn reordering_window(&self) -> u64 {
        if self.loss.n_reorderings == 0 {
            let is_recovering = Phase::Recovery <= self.loss.phase;
            if is_recovering || self.loss.reordering <= self.loss.n_sacked {
                return 0;
            }
        }
        let quarter = u64::from(self.rtt.least >> 2);
        (quarter * u64::from(self.rack.steps.max(1))).min(u64::from(self.rtt.srtt >> 3))
    }

    /// Widens the reordering window after needless resends. Linux `tcp_rack_update_reo_wnd`.
    pub(super) fn rack_adapt(&mut self, prior_delivered: u64) {
        if prior_delivered < self.rack.last_delivered {
            self.rack.dsack_seen = false;
        }
        if self.rack.dsack_seen {
            self.rack.steps = self.rack.steps.max(1).saturating_add(1);
            self.rack.dsack_seen = false;
            self.rack.last_delivered = self.loss.n_delivered;
            self.rack.persist = REORDER_PERSIST;
        } else if self.rack.persist == 0 {
            self.rack.steps = 1;
        }
    }

    /// What remains of a segment's time to arrive, in us; `None` when it is over.
    pub(super) fn rack_time_left(&self, now: SimTime, sent: SimTime, window: u64) -> Option<u64> {
        let age = now.since(sent).as_ns() / 1_000;
        (self.rack.rtt + window).checked_sub(age).filter(|left| 0 < *left)
    }

    /// Marks segments sent well before one that arrived. Linux `tcp_rack_detect_loss`.
    ///
    /// The time until the next could be lost, in us.
    pub(super) fn rack_detect(&mut self, now: SimTime) -> Option<u64> {
        let window = self.reordering_window();
        let newest = (self.rack.sent, self.rack.end);
        let mut wait = None;
        let mut place = 0;
        while let Some(&(seq, sent)) = self.rack.order.get(place) {
            let Some(index) = self.current_transmission(seq, sent) else {
                if place == 0 {
                    self.rack.order.pop_front();
                } else {
                    place += 1;
                }
                continue;
            };
            let end = self.send.queue[index as usize].end();
            if !is_sent_after(newest, (sent, end)) {
                break;
            }
            match self.rack_time_left(now, sent, window) {
                Some(left) => {
                    wait = wait.max(Some(left));
                    place += 1;
                }
                None => self.mark_lost(index),
            }
        }
        wait
    }

    /// The place of a segment if that transmission is its last and its fate is open.
    fn current_transmission(&self, seq: u64, sent: SimTime) -> Option<u32> {
        if seq < self.send.una {
            return None;
        }
        let index = self.index_of(seq);
        let packet = self.send.queue.get(index as usize)?;
        let marks = packet.marks;
        let is_lost = marks.any(Marks::LOST) && !marks.any(Marks::RESENT);
        let is_it = packet.seq == seq && packet.sent == sent && index < self.send.n_sent;
        (is_it && !marks.any(Marks::SACKED) && !is_lost).then_some(index)
    }

    /// Marks losses and sets the timer of the reordering window. Linux `tcp_rack_mark_lost`.
    pub(super) fn rack_mark(&mut self, now: SimTime) -> bool {
        if !self.rack.advanced {
            return false;
        }
        self.rack.advanced = false;
        let Some(wait) = self.rack_detect(now) else { return false };
        let delay = self.profile.clock.ticks_of_us(wait + TIMEOUT_MIN_US).min(self.rtt.rto);
        self.set_send_alarm(now, SendAlarm::Reordering, delay);
        true
    }

    /// Takes one segment for lost. Linux `tcp_mark_skb_lost`.
    pub(super) fn mark_lost(&mut self, index: u32) {
        let packet = &mut self.send.queue[index as usize];
        let (before, seq) = (packet.marks, packet.seq);
        if before.any(Marks::SACKED) {
            return;
        }
        let mut after = before;
        if before.any(Marks::LOST) {
            if !before.any(Marks::RESENT) {
                return;
            }
            // The copy is lost, too.
            after.clear(Marks::RESENT);
        }
        after.set(Marks::LOST);
        packet.marks = after;
        self.count_marks(before, -1);
        self.count_marks(after, 1);
        self.loss.n_lost_ever += 1;
        self.loss.hint = self.loss.hint.min(seq);
    }

    /// Losses by count (RFC 6675 `IsLost`): three later segments arrived.
    pub(super) fn mark_lost_by_count(&mut self) {
        let mut n_above = 0;
        for index in (0..self.send.n_sent).rev() {
            let marks = self.send.queue[index as usize].marks;
            if marks.any(Marks::SACKED) {
                n_above += 1;
            } else if self.loss.reordering <= n_above && !marks.any(Marks::LOST) {
                self.mark_lost(index);
            }
        }
    }

    /// Notes a transmission for the search by time.
    #[inline]
    pub(super) fn note_transmission(&mut self, index: usize) {
        if self.profile.rack && self.options.sack {
            let Packet { seq, sent, .. } = self.send.queue[index];
            self.rack.order.push_back((seq, sent));
        }
    }

    /// Forgets transmissions of what is acknowledged.
    #[inline]
    pub(super) fn forget_transmissions(&mut self) {
        while self.rack.order.front().is_some_and(|(seq, _)| *seq < self.send.una) {
            self.rack.order.pop_front();
        }
    }

    /// The reordering window ended. Linux `tcp_rack_reo_timeout`.
    pub(super) fn on_reordering_alarm(&mut self, now: SimTime, out: &mut Outbox) {
        let (in_flight, lost_before) = (self.in_flight(), self.loss.n_lost_ever);
        self.rack_detect(now);
        if in_flight != self.in_flight() {
            if self.loss.phase != Phase::Recovery {
                self.enter_recovery();
                let n_lost = (self.loss.n_lost_ever - lost_before) as u32;
                self.reduce_window(1, n_lost, false);
            }
            self.resend_lost(now, out);
        }
        if !matches!(self.timers.send, Some((SendAlarm::Retransmission, _))) {
            self.rearm_retransmission(now);
        }
    }
}
