//! Congestion control: slow start, Reno, CUBIC, reduction in recovery, idle restart.
//!
//! The window counts segments, as in Linux: tcp_cong.c, tcp_cubic.c, tcp_input.c
//! `tcp_cwnd_reduction` (RFC 6937), tcp_output.c `tcp_cwnd_validate`, `tcp_cwnd_restart`.

use crate::kernel::SimTime;
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::acks::{AckFlags, AckWork};
use crate::model::tcp::stack::profile::{Congestion, Profile};
use crate::model::tcp::stack::recovery::Phase;

/// No threshold yet. Linux `TCP_INFINITE_SSTHRESH`, in 31 bits.
pub const NO_THRESHOLD: u32 = u32::MAX;
/// A window no rule goes above.
const MAX_WINDOW: u32 = 1 << 20;
/// CUBIC's unit: 1024 of them are one. Linux `BICTCP_BETA_SCALE`.
const SCALE: u64 = 1024;
/// Window after a loss, of 1024. RFC 9438 section 4.6: 0.7.
const BETA: u64 = 717;
/// CUBIC's time is in 1/1024 s. Linux `BICTCP_HZ`.
const CUBIC_HZ: u32 = 10;
/// CUBIC's C of 0.4 in its units. Linux `bic_scale * 10`.
const CUBIC_C: u64 = 410;
/// Reno's slope under CUBIC's reduction, of 8: 8 * (1024 + 717) / 3 / (1024 - 717).
const FRIENDLY: u64 = 8 * (SCALE + BETA) / 3 / (SCALE - BETA);
/// HyStart acts from this window on. Linux `hystart_low_window`.
const HYSTART_LOW_WINDOW: u32 = 16;
/// Acknowledgements closer than this belong to one train, in us. Linux `hystart_ack_delta_us`.
const TRAIN_GAP_US: u64 = 2_000;
/// Samples of a round before its delay is believed. Linux `HYSTART_MIN_SAMPLES`.
const ROUND_SAMPLES: u8 = 8;
/// Allowance for burst delays in a train, in us. Linux `hystart_ack_delay`, at most.
const TRAIN_DELAY_US: u64 = 1_000;

/// The congestion window and what its rules remember.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cong {
    /// The window in segments.
    pub window: u32,
    /// The window at the start and after idling.
    pub initial: u32,
    /// Slow-start threshold in segments.
    pub ssthresh: u32,
    /// Segments acknowledged toward the next step of congestion avoidance.
    pub count: u32,
    /// Window before the reduction.
    pub prior: u32,
    /// Threshold before the reduction; 0 = not to be restored.
    pub prior_ssthresh: u32,
    /// Segments delivered, and sent, since the reduction began. RFC 6937.
    pub prr_delivered: u32,
    /// See `prr_delivered`.
    pub prr_sent: u32,
    /// The window was the limit lately.
    pub is_limit: bool,
    /// Most segments under way in the current window.
    pub most_out: u32,
    /// End of the window in which use is measured.
    pub use_end: u64,
    /// Tick of the last change or full use.
    pub stamp: u64,
    /// Most segments used since then.
    pub used: u32,
    /// CUBIC's memory.
    pub cubic: Cubic,
}

/// What CUBIC remembers. Linux `struct bictcp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cubic {
    /// Acknowledged segments per step.
    pub count: u32,
    /// Window before the last loss.
    pub last_max: u32,
    /// Window at the last update.
    pub last_window: u32,
    /// Tick of the last update.
    pub last_tick: u64,
    /// The plateau.
    pub origin: u32,
    /// Time to the plateau in 1/1024 s.
    pub k: u64,
    /// Least round-trip time in us; 0 = none yet.
    pub delay_min: u64,
    /// Tick at which this epoch began; 0 = not begun.
    pub epoch: u64,
    /// Segments acknowledged in it.
    pub n_acked: u32,
    /// What Reno's window would be.
    pub reno_window: u32,
    /// HyStart: whether slow start is over.
    pub found: bool,
    /// HyStart: samples in this round.
    pub n_samples: u8,
    /// HyStart: when this round began.
    pub round_start: SimTime,
    /// HyStart: the last acknowledgement of the train.
    pub last_ack: SimTime,
    /// HyStart: end of this round.
    pub round_end: u64,
    /// HyStart: least round-trip time of this round in us.
    pub round_rtt: u64,
}

impl Cong {
    /// At the start of a connection.
    pub fn new(profile: &Profile) -> Cong {
        Cong {
            window: profile.initial_window,
            initial: profile.initial_window,
            ssthresh: NO_THRESHOLD,
            count: 0,
            prior: 0,
            prior_ssthresh: 0,
            prr_delivered: 0,
            prr_sent: 0,
            is_limit: false,
            most_out: 0,
            use_end: 0,
            stamp: 0,
            used: 0,
            cubic: Cubic { round_rtt: u64::MAX, ..Cubic::default() },
        }
    }

    fn in_slow_start(&self) -> bool {
        self.window < self.ssthresh
    }

    /// RFC 5681 section 3.1: one more for each acknowledged; what is left over is given back.
    fn slow_start(&mut self, n_acked: u32) -> u32 {
        let window = (self.window + n_acked).min(self.ssthresh);
        let left = n_acked - (window - self.window);
        self.window = window.min(MAX_WINDOW);
        left
    }

    /// One more for each `per` acknowledged. Linux `tcp_cong_avoid_ai`.
    fn avoid(&mut self, per: u32, n_acked: u32) {
        if per <= self.count {
            self.count = 0;
            self.window += 1;
        }
        self.count += n_acked;
        if per <= self.count {
            let n = self.count / per;
            self.count -= n * per;
            self.window += n;
        }
        self.window = self.window.min(MAX_WINDOW);
    }
}

impl Socket {
    /// The congestion window in segments.
    #[inline]
    pub(super) fn cwnd(&self) -> u32 {
        self.cong.window
    }

    /// Segments that may be sent now. Linux `tcp_cwnd_test`.
    #[inline]
    pub(super) fn congestion_quota(&self) -> u32 {
        self.cong.window.saturating_sub(self.in_flight())
    }

    /// Whether the window is what limits the sender. Linux `tcp_is_cwnd_limited`.
    fn is_cwnd_limited(&self) -> bool {
        self.cong.is_limit
            || (self.cong.in_slow_start() && self.cong.window < 2 * self.cong.most_out)
    }

    /// Remembers how much of the window is used. Linux `tcp_cwnd_validate`; RFC 2861.
    pub(super) fn note_cwnd_use(&mut self, now: SimTime, is_limit: bool) {
        let n_sent = self.send.n_sent;
        let is_new_window = self.cong.use_end <= self.send.una;
        if is_new_window || is_limit || (!self.cong.is_limit && self.cong.most_out < n_sent) {
            self.cong.is_limit = is_limit;
            self.cong.most_out = n_sent;
            self.cong.use_end = self.send.nxt;
        }
        let ticks = self.profile.clock.ticks(now);
        if self.is_cwnd_limited() {
            self.cong.used = 0;
            self.cong.stamp = ticks;
            return;
        }
        self.cong.used = self.cong.used.max(n_sent);
        let is_long = self.rtt.rto <= ticks.saturating_sub(self.cong.stamp);
        if self.profile.idle_restart && is_long {
            self.shrink_unused(ticks);
        }
    }

    /// Linux `tcp_cwnd_application_limited`.
    fn shrink_unused(&mut self, ticks: u64) {
        if self.loss.phase == Phase::Open && !self.send.refused {
            let used = self.cong.used.max(self.cong.initial);
            if used < self.cong.window {
                self.cong.ssthresh = self.current_ssthresh();
                self.cong.window = (self.cong.window + used) >> 1;
            }
            self.cong.used = 0;
        }
        self.cong.stamp = ticks;
    }

    /// Idle longer than the timeout: the window halves with each. RFC 5681 section 4.1.
    ///
    /// Linux `tcp_slow_start_after_idle_check`, `tcp_cwnd_restart`.
    pub(super) fn restart_after_idle(&mut self, now: SimTime) {
        if !self.profile.idle_restart || 0 < self.send.n_sent || !self.is_synchronised() {
            return;
        }
        let ticks = self.profile.clock.ticks(now);
        let mut idle = ticks.saturating_sub(self.send.last_data);
        if idle <= self.rtt.rto {
            return;
        }
        self.cong.ssthresh = self.current_ssthresh();
        let floor = self.cong.initial.min(self.cong.window);
        let mut window = self.cong.window;
        while self.rtt.rto < idle && floor < window {
            idle -= self.rtt.rto;
            window >>= 1;
        }
        self.cong.window = window.max(floor);
        self.cong.stamp = ticks;
        self.cong.used = 0;
    }

    /// Linux `tcp_current_ssthresh`: three quarters of the window are known to work.
    pub(super) fn current_ssthresh(&self) -> u32 {
        if self.is_reducing() {
            return self.cong.ssthresh;
        }
        let window = self.cong.window;
        match self.cong.ssthresh {
            NO_THRESHOLD => NO_THRESHOLD,
            threshold => threshold.max((window >> 1) + (window >> 2)),
        }
    }

    /// The threshold after a loss. RFC 5681 equation 4, RFC 9438 section 4.6.
    pub(super) fn threshold_after_loss(&mut self) -> u32 {
        let window = self.cong.window;
        match self.profile.congestion {
            Congestion::Reno => (window >> 1).max(2),
            Congestion::Cubic => {
                let cubic = &mut self.cong.cubic;
                cubic.epoch = 0;
                // Fast convergence, RFC 9438 section 4.7.
                cubic.last_max = match window < cubic.last_max {
                    true => (u64::from(window) * (SCALE + BETA) / (2 * SCALE)) as u32,
                    false => window,
                };
                ((u64::from(window) * BETA / SCALE) as u32).max(2)
            }
        }
    }

    /// Linux `tcp_init_cwnd_reduction`.
    pub(super) fn begin_reduction(&mut self) {
        self.loss.high = self.send.nxt;
        self.loss.probe_end = None;
        self.cong.count = 0;
        self.cong.prior = self.cong.window;
        self.cong.prr_delivered = 0;
        self.cong.prr_sent = 0;
        self.cong.ssthresh = self.threshold_after_loss();
    }

    /// Proportional rate reduction. RFC 6937; Linux `tcp_cwnd_reduction`.
    pub(super) fn reduce_window(&mut self, n_delivered: u32, n_lost: u32, has_advanced: bool) {
        if n_delivered == 0 || self.cong.prior == 0 {
            return;
        }
        let in_flight = self.in_flight();
        let cong = &mut self.cong;
        cong.prr_delivered += n_delivered;
        let (delivered, sent) = (u64::from(cong.prr_delivered), u64::from(cong.prr_sent));
        let n = if cong.ssthresh < in_flight {
            let share = u64::from(cong.ssthresh) * delivered + u64::from(cong.prior) - 1;
            (share / u64::from(cong.prior)).saturating_sub(sent)
        } else {
            let mut n = delivered.saturating_sub(sent).max(u64::from(n_delivered));
            if has_advanced && n_lost == 0 {
                n += 1;
            }
            n.min(u64::from(cong.ssthresh - in_flight))
        };
        // The first resend leaves at once.
        let n = n.max(u64::from(cong.prr_sent == 0)) as u32;
        cong.window = in_flight + n;
    }

    /// Linux `tcp_end_cwnd_reduction`.
    pub(super) fn end_reduction(&mut self) {
        let is_due = self.loss.phase == Phase::Cwr || self.loss.undo_from.is_some();
        if self.cong.ssthresh < NO_THRESHOLD && is_due {
            self.cong.window = self.cong.ssthresh;
        }
    }

    /// New segments sent in recovery count against the reduction.
    pub(super) fn note_sent_in_recovery(&mut self, n: u32) {
        if self.is_reducing() {
            self.cong.prr_sent += n;
        }
    }

    /// The reduction was needless. Linux `tcp_reno_undo_cwnd`.
    pub(super) fn restore_window(&mut self) {
        if self.cong.prior_ssthresh != 0 {
            self.cong.window = self.cong.window.max(self.cong.prior);
            if self.cong.ssthresh < self.cong.prior_ssthresh {
                self.cong.ssthresh = self.cong.prior_ssthresh;
            }
        }
    }

    /// Grows or reduces the window after an acknowledgement. Linux `tcp_cong_control`.
    pub(super) fn control_congestion(
        &mut self,
        now: SimTime,
        n_delivered: u32,
        n_lost: u32,
        work: &AckWork,
    ) {
        if self.is_reducing() {
            self.reduce_window(n_delivered, n_lost, work.flags.has(AckFlags::ADVANCED));
            return;
        }
        let progress = if 3 < self.loss.reordering {
            AckFlags(AckFlags::DATA_ACKED.0 | AckFlags::SYN_ACKED.0 | AckFlags::DATA_SACKED.0)
        } else {
            AckFlags::DATA_ACKED
        };
        if work.flags.has(progress) {
            self.grow_window(now, n_delivered);
            self.cong.stamp = self.profile.clock.ticks(now);
        }
    }

    fn grow_window(&mut self, now: SimTime, n_acked: u32) {
        if !self.is_cwnd_limited() {
            return;
        }
        let mut n = n_acked;
        if self.cong.in_slow_start() {
            n = self.cong.slow_start(n);
            if n == 0 {
                return;
            }
        }
        let per = match self.profile.congestion {
            Congestion::Reno => self.cong.window,
            Congestion::Cubic => self.cubic_step(now, n),
        };
        self.cong.avoid(per, n);
    }

    /// Acknowledged segments per step of the cubic curve. RFC 9438 section 4.2;
    /// Linux `bictcp_update`.
    fn cubic_step(&mut self, now: SimTime, n_acked: u32) -> u32 {
        let clock = self.profile.clock;
        let ticks = clock.ticks(now).max(1);
        let hz = 1_000_000_000 / clock.tick_ns;
        let window = self.cong.window;
        let c = &mut self.cong.cubic;
        c.n_acked += n_acked;
        if c.last_window == window && ticks - c.last_tick <= hz / 32 {
            return c.count.max(2);
        }
        if c.epoch == 0 || ticks != c.last_tick {
            c.last_window = window;
            c.last_tick = ticks;
            if c.epoch == 0 {
                c.epoch = ticks;
                c.n_acked = n_acked;
                c.reno_window = window;
                c.origin = c.last_max.max(window);
                let below = u64::from(c.origin - window);
                c.k = cube_root((1_u64 << (10 + 3 * CUBIC_HZ)) / CUBIC_C * below);
            }
            let age = ticks - c.epoch + clock.ticks_of_us(c.delay_min);
            let t = (age << CUBIC_HZ) / hz.max(1);
            let off = t.abs_diff(c.k);
            let cube = u128::from(CUBIC_C) * u128::from(off).pow(3);
            let delta = u64::try_from(cube >> (10 + 3 * CUBIC_HZ)).unwrap_or(u64::MAX);
            let origin = u64::from(c.origin);
            let target =
                if t < c.k { origin.saturating_sub(delta) } else { origin.saturating_add(delta) };
            let wide = u64::from(window);
            let per = if wide < target { wide / (target - wide) } else { 100 * wide };
            c.count = per.min(u64::from(u32::MAX)) as u32;
            if c.last_max == 0 {
                c.count = c.count.min(20);
            }
        }
        self.cubic_be_friendly();
        self.cong.cubic.count.max(2)
    }

    /// Never slower than Reno would be. RFC 9438 section 4.3.
    fn cubic_be_friendly(&mut self) {
        let window = self.cong.window;
        let c = &mut self.cong.cubic;
        let per = ((u64::from(window) * FRIENDLY) >> 3).max(1) as u32;
        while per < c.n_acked {
            c.n_acked -= per;
            c.reno_window += 1;
        }
        if window < c.reno_window {
            c.count = c.count.min(window / (c.reno_window - window));
        }
        c.count = c.count.max(2);
    }

    /// A round-trip sample for CUBIC and HyStart. Linux `cubictcp_acked`.
    pub(super) fn cubic_sample(&mut self, now: SimTime, rtt_us: Option<u64>) {
        if self.profile.congestion != Congestion::Cubic {
            return;
        }
        let Some(rtt) = rtt_us.map(|rtt| rtt.max(1)) else { return };
        let clock = self.profile.clock;
        let c = &mut self.cong.cubic;
        let hz = 1_000_000_000 / clock.tick_ns;
        if c.epoch != 0 && clock.ticks(now).saturating_sub(c.epoch) < hz {
            return;
        }
        if c.delay_min == 0 || rtt < c.delay_min {
            c.delay_min = rtt;
        }
        if !c.found && self.cong.in_slow_start() {
            self.hystart(now, rtt);
        }
    }

    /// Leaves slow start before losses. Linux `hystart_update`; RFC 9406 is its successor.
    fn hystart(&mut self, now: SimTime, rtt: u64) {
        if self.cong.cubic.round_end < self.send.una {
            self.hystart_round(now);
        }
        let window = self.cong.window;
        let c = &mut self.cong.cubic;
        if window < HYSTART_LOW_WINDOW {
            return;
        }
        let mut found = false;
        if now.since(c.last_ack).as_ns() / 1_000 <= TRAIN_GAP_US {
            c.last_ack = now;
            let threshold = (c.delay_min + TRAIN_DELAY_US) >> 1;
            found = threshold < now.since(c.round_start).as_ns() / 1_000;
        }
        c.round_rtt = c.round_rtt.min(rtt);
        if c.n_samples < ROUND_SAMPLES {
            c.n_samples += 1;
        } else {
            found |= c.delay_min + (c.delay_min >> 3).clamp(4_000, 16_000) < c.round_rtt;
        }
        if found {
            c.found = true;
            self.cong.ssthresh = window;
        }
    }

    /// Begins a round of HyStart. Linux `bictcp_hystart_reset`.
    pub(super) fn hystart_round(&mut self, now: SimTime) {
        let c = &mut self.cong.cubic;
        c.round_start = now;
        c.last_ack = now;
        c.round_end = self.send.nxt;
        c.round_rtt = u64::MAX;
        c.n_samples = 0;
    }

    /// A timeout forgets all that CUBIC knew. Linux `cubictcp_state`.
    pub(super) fn cubic_reset(&mut self, now: SimTime) {
        self.cong.cubic = Cubic::default();
        self.hystart_round(now);
    }
}

/// The whole part of a cube root, by bisection.
fn cube_root(n: u64) -> u64 {
    // 2642245 cubed is the last cube below 2^64.
    let (mut low, mut high) = (0_u64, 2_642_246);
    while low + 1 < high {
        let middle = (low + high) / 2;
        if middle.pow(3) <= n {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots_are_whole_parts() {
        for (n, root) in [(0, 0), (1, 1), (7, 1), (8, 2), (26, 2), (27, 3), (u64::MAX, 2_642_245)] {
            assert_eq!(cube_root(n), root, "{n}");
        }
    }
}
