//! The super-loop that serves a stack: when it comes round, and what one pass does.
//!
//! Without an operating system lwIP runs when the main loop calls it. An idle loop serves at
//! once; a loop with a period serves only at its multiples; while something blocks the loop
//! nothing is served at all. A receive ring in front of it holds what arrives meanwhile.

use crate::kernel::{SimSpan, SimTime};

/// Most stalls that are looked at; more are our own mistake.
const MAX_STALLS: usize = 10_000;

/// What a pass serves, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Frames that wait.
    Frames,
    /// Timers that are due: `sys_check_timeouts`.
    Timers,
    /// What the application wants to do.
    App,
}

/// A super-loop.
#[derive(Clone, PartialEq, Debug)]
pub struct MainLoop {
    /// Time from one pass to the next; zero = it comes round whenever there is something to do.
    pub period: SimSpan,
    /// From when until when the loop is blocked, in order; a pass follows at the end at once.
    pub stalls: Vec<(SimTime, SimTime)>,
    /// Frames served in a pass; 0 = all that wait.
    pub rx_per_pass: u32,
    /// Frames that may wait; 0 = any number.
    pub rx_ring: u32,
    /// The order of a pass.
    pub order: [Duty; 3],
}

impl Default for MainLoop {
    /// An idle loop: everything is served at once.
    fn default() -> MainLoop {
        MainLoop {
            period: SimSpan::ZERO,
            stalls: Vec::new(),
            rx_per_pass: 0,
            rx_ring: 0,
            order: [Duty::Frames, Duty::Timers, Duty::App],
        }
    }
}

impl MainLoop {
    /// The first pass that begins at `t` or later.
    pub fn pass_at(&self, t: SimTime) -> SimTime {
        assert!(self.stalls.len() <= MAX_STALLS, "stalls are bounded");
        let mut at = self.round_up(t);
        for &(from, until) in &self.stalls {
            if from <= at && at < until {
                at = until;
            }
        }
        at
    }

    /// The first pass after one that began at `t`, if something is left to do at once.
    pub fn pass_after(&self, t: SimTime) -> SimTime {
        if self.period.is_zero() { self.pass_at(t) } else { self.pass_at(t + SimSpan::ns(1)) }
    }

    /// Whether one more frame finds a place in the ring.
    pub fn has_room(&self, n_waiting: u32) -> bool {
        self.rx_ring == 0 || n_waiting < self.rx_ring
    }

    /// How many of the waiting frames a pass serves.
    pub fn frames_in_pass(&self, n_waiting: u32) -> u32 {
        if self.rx_per_pass == 0 { n_waiting } else { n_waiting.min(self.rx_per_pass) }
    }

    fn round_up(&self, t: SimTime) -> SimTime {
        let period = self.period.as_ns();
        if period == 0 { t } else { SimTime::from_ns(t.ns().div_ceil(period) * period) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> SimTime {
        SimTime::ZERO + SimSpan::ms(n)
    }

    #[test]
    fn a_loop_of_10_ms_serves_at_its_multiples() {
        let main_loop = MainLoop { period: SimSpan::ms(10), ..MainLoop::default() };
        assert_eq!(main_loop.pass_at(ms(10)), ms(10));
        assert_eq!(main_loop.pass_at(ms(11)), ms(20));
        assert_eq!(main_loop.pass_after(ms(20)), ms(30));
    }

    #[test]
    fn a_blocked_loop_serves_when_it_is_free_again() {
        let stalls = vec![(ms(5), ms(50)), (ms(50), ms(70))];
        let main_loop = MainLoop { stalls, rx_ring: 4, ..MainLoop::default() };
        assert_eq!(main_loop.pass_at(ms(4)), ms(4));
        assert_eq!(main_loop.pass_at(ms(5)), ms(70));
        assert!(main_loop.has_room(3));
        assert!(!main_loop.has_room(4));
    }
}
