//! Simulated time: whole nanoseconds since the start of a run.
//!
//! All arithmetic is checked: a run that leaves the 584 years of `u64` nanoseconds is our own
//! mistake, because every duration that people can enter has a limit.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub, SubAssign};

/// An instant: nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(u64);

/// A span of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimSpan(u64);

impl SimTime {
    /// The start of the run.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than anything that happens.
    pub const MAX: SimTime = SimTime(u64::MAX);

    /// The instant `ns` nanoseconds after the start.
    pub const fn from_ns(ns: u64) -> SimTime {
        SimTime(ns)
    }

    /// Nanoseconds since the start.
    pub const fn ns(self) -> u64 {
        self.0
    }

    /// `self + span`, or `None` past the end of time.
    pub const fn checked_add(self, span: SimSpan) -> Option<SimTime> {
        match self.0.checked_add(span.0) {
            Some(ns) => Some(SimTime(ns)),
            None => None,
        }
    }

    /// `self + span`, at most [`SimTime::MAX`].
    pub const fn saturating_add(self, span: SimSpan) -> SimTime {
        SimTime(self.0.saturating_add(span.0))
    }

    /// The span since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: SimTime) -> SimSpan {
        SimSpan(self.0.saturating_sub(earlier.0))
    }
}

impl SimSpan {
    /// No time at all.
    pub const ZERO: SimSpan = SimSpan(0);
    /// Longer than any run.
    pub const MAX: SimSpan = SimSpan(u64::MAX);

    /// `ns` nanoseconds.
    pub const fn ns(ns: u64) -> SimSpan {
        SimSpan(ns)
    }

    /// `us` microseconds.
    pub const fn us(us: u64) -> SimSpan {
        SimSpan(us * 1_000)
    }

    /// `ms` milliseconds.
    pub const fn ms(ms: u64) -> SimSpan {
        SimSpan(ms * 1_000_000)
    }

    /// `s` seconds.
    pub const fn s(s: u64) -> SimSpan {
        SimSpan(s * 1_000_000_000)
    }

    /// Nanoseconds.
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// Seconds, for display and statistics only: the model never computes with it.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self + other`, at most [`SimSpan::MAX`].
    pub const fn saturating_add(self, other: SimSpan) -> SimSpan {
        SimSpan(self.0.saturating_add(other.0))
    }

    /// `self - other`, at least zero.
    pub const fn saturating_sub(self, other: SimSpan) -> SimSpan {
        SimSpan(self.0.saturating_sub(other.0))
    }
}

impl Add<SimSpan> for SimTime {
    type Output = SimTime;
    fn add(self, span: SimSpan) -> SimTime {
        SimTime(self.0.checked_add(span.0).expect("the run stays inside 584 years"))
    }
}

impl AddAssign<SimSpan> for SimTime {
    fn add_assign(&mut self, span: SimSpan) {
        *self = *self + span;
    }
}

impl Sub for SimTime {
    type Output = SimSpan;
    /// Panics when `earlier` is later: time never goes back.
    fn sub(self, earlier: SimTime) -> SimSpan {
        SimSpan(self.0.checked_sub(earlier.0).expect("time never goes back"))
    }
}

impl Add for SimSpan {
    type Output = SimSpan;
    fn add(self, other: SimSpan) -> SimSpan {
        SimSpan(self.0.checked_add(other.0).expect("a span stays inside 584 years"))
    }
}

impl AddAssign for SimSpan {
    fn add_assign(&mut self, other: SimSpan) {
        *self = *self + other;
    }
}

impl Sub for SimSpan {
    type Output = SimSpan;
    fn sub(self, other: SimSpan) -> SimSpan {
        SimSpan(self.0.checked_sub(other.0).expect("a span is never negative"))
    }
}

impl SubAssign for SimSpan {
    fn sub_assign(&mut self, other: SimSpan) {
        *self = *self - other;
    }
}

impl Mul<u64> for SimSpan {
    type Output = SimSpan;
    fn mul(self, n: u64) -> SimSpan {
        SimSpan(self.0.checked_mul(n).expect("a span stays inside 584 years"))
    }
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ns", self.0)
    }
}

impl fmt::Debug for SimSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ns", self.0)
    }
}
