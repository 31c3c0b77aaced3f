//! The clock and the timers of an end: ticks, the kernel's timer wheel, one alarm per purpose.
//!
//! Linux counts time in jiffies and keeps timers in a wheel whose far slots are coarse, so a timer
//! never fires early and fires late by a rule. A profile without wheel counts in small ticks and
//! fires exactly. Leaves out: slack of high-resolution timers, load of the machine.

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::{Running, TimerKind};

/// Slots of one level of the wheel. Linux kernel/time/timer.c `LVL_SIZE`.
const LEVEL_SLOTS: u64 = 64;
/// Each level is this many bits coarser than the one before. `LVL_CLK_SHIFT`.
const LEVEL_SHIFT: u32 = 3;
/// Levels of the wheel at HZ of 100 and more. `LVL_DEPTH`.
const LEVELS: u32 = 9;

/// What counts the time of an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Length of a tick in ns; not 0.
    pub tick_ns: u64,
    /// How long before the start of the run the last tick was, in ns.
    pub phase_ns: u64,
    /// Whether timers go off at ticks only, the later the coarser.
    pub wheel: bool,
}

impl Clock {
    /// Ticks so far. Linux `jiffies`.
    #[inline]
    pub fn ticks(&self, now: SimTime) -> u64 {
        (now.ns() + self.phase_ns) / self.tick_ns
    }

    /// A span in ticks, rounded up. Linux `usecs_to_jiffies`.
    #[inline]
    pub fn ticks_of_us(&self, us: u64) -> u64 {
        (us * 1_000).div_ceil(self.tick_ns)
    }

    /// A span in ticks, rounded up.
    #[inline]
    pub fn ticks_of(&self, span: SimSpan) -> u64 {
        span.as_ns().div_ceil(self.tick_ns)
    }

    /// Ticks in us.
    #[inline]
    pub fn us_of_ticks(&self, ticks: u64) -> u64 {
        ticks * self.tick_ns / 1_000
    }

    /// An alarm `delay` ticks from now.
    ///
    /// Linux kernel/time/timer.c `calc_index`: the expiry is rounded up to the next slot of its
    /// level, so that the timer never goes off early.
    pub fn alarm(&self, now: SimTime, delay: u64) -> Alarm {
        let expires = self.ticks(now) + delay;
        if !self.wheel {
            let due = now.saturating_add(SimSpan::ns(delay * self.tick_ns));
            return Alarm { since: now, expires, due };
        }
        let mut level = 0;
        while level + 1 < LEVELS && (LEVEL_SLOTS - 1) << (LEVEL_SHIFT * level) <= delay {
            level += 1;
        }
        let shift = LEVEL_SHIFT * level;
        let fires = ((expires >> shift) + 1) << shift;
        Alarm { since: now, expires, due: self.tick_at(fires) }
    }

    /// When a tick happens.
    fn tick_at(&self, tick: u64) -> SimTime {
        SimTime::from_ns((tick * self.tick_ns).saturating_sub(self.phase_ns))
    }
}

/// A running timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// When it was set.
    pub since: SimTime,
    /// The tick it was set for.
    pub expires: u64,
    /// When it goes off.
    pub due: SimTime,
}

/// What the one timer of the sender waits for. Linux `icsk_pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendAlarm {
    /// An acknowledgement: else the first segment is sent again. `ICSK_TIME_RETRANS`.
    Retransmission,
    /// An acknowledgement: else the last segment is sent again. `ICSK_TIME_LOSS_PROBE`.
    LossProbe,
    /// The end of RACK's reordering window. `ICSK_TIME_REO_TIMEOUT`.
    Reordering,
    /// A window: else a probe is sent. `ICSK_TIME_PROBE0`.
    Persist,
}

impl SendAlarm {
    /// What people call it.
    pub fn kind(self) -> TimerKind {
        match self {
            SendAlarm::Retransmission => TimerKind::Retransmission,
            SendAlarm::LossProbe => TimerKind::LossProbe,
            SendAlarm::Reordering => TimerKind::Reordering,
            SendAlarm::Persist => TimerKind::Persist,
        }
    }
}

/// The timers of an end, by purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timers {
    /// The sender's.
    pub send: Option<(SendAlarm, Alarm)>,
    /// A delayed acknowledgement.
    pub ack: Option<Alarm>,
    /// A compressed acknowledgement (a high-resolution timer: no ticks).
    pub compressed: Option<Alarm>,
    /// A SYN-ACK to be sent again.
    pub syn_ack: Option<Alarm>,
    /// Keep-alive.
    pub keep_alive: Option<Alarm>,
    /// The end of `TIME-WAIT`, or of an orphan's `FIN-WAIT-2`.
    pub time_wait: Option<Alarm>,
}

impl Timers {
    /// The earliest.
    #[inline]
    pub fn next(&self) -> Option<SimTime> {
        let send = self.send.map(|(_, alarm)| alarm.due);
        let rest = [self.ack, self.compressed, self.syn_ack, self.keep_alive, self.time_wait];
        rest.iter().flatten().map(|alarm| alarm.due).chain(send).min()
    }

    /// Which kinds run, as bits by [`TimerKind`], and since when an acknowledgement is delayed.
    #[inline]
    pub fn marks(&self) -> (u8, Option<SimTime>) {
        let bit = |kind: TimerKind, runs: bool| u8::from(runs) << kind as u8;
        let ack = self.ack.or(self.compressed);
        let kinds = self.send.map_or(0, |(what, _)| 1 << what.kind() as u8)
            | bit(TimerKind::DelayedAck, ack.is_some())
            | bit(TimerKind::Retransmission, self.syn_ack.is_some())
            | bit(TimerKind::KeepAlive, self.keep_alive.is_some())
            | bit(TimerKind::TimeWait, self.time_wait.is_some());
        (kinds, ack.map(|alarm| alarm.since))
    }

    /// All that run, for people.
    pub fn running(&self) -> impl Iterator<Item = Running> {
        let of = |kind, alarm: Option<Alarm>| {
            alarm.map(|Alarm { since, due, .. }| Running { kind, since, due })
        };
        let send = self.send.map(|(what, Alarm { since, due, .. })| Running {
            kind: what.kind(),
            since,
            due,
        });
        let ack = self.ack.or(self.compressed);
        let all = [
            send,
            of(TimerKind::DelayedAck, ack),
            of(TimerKind::Retransmission, self.syn_ack),
            of(TimerKind::KeepAlive, self.keep_alive),
            of(TimerKind::TimeWait, self.time_wait),
        ];
        all.into_iter().flatten()
    }

    /// Takes an alarm whose time has come.
    pub fn take_due(alarm: &mut Option<Alarm>, now: SimTime) -> bool {
        let is_due = alarm.is_some_and(|alarm| alarm.due <= now);
        if is_due {
            *alarm = None;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: Clock = Clock { tick_ns: 4_000_000, phase_ns: 0, wheel: true };

    fn late_ms(armed_us: u64, delay_ms: u64) -> f64 {
        let now = SimTime::from_ns(armed_us * 1_000);
        let alarm = LINUX.alarm(now, delay_ms / 4);
        (alarm.due.ns() - now.ns()) as f64 / 1e6 - delay_ms as f64
    }

    #[test]
    fn a_delay_below_252_ms_fires_within_one_tick_after_it() {
        for armed in [1, 1_999, 3_999, 4_001, 123_456] {
            let late = late_ms(armed, 40);
            assert!(0.0 < late && late <= 4.0, "{armed}: {late}");
        }
    }

    #[test]
    fn a_second_fires_within_32_ms_and_eight_within_256() {
        for armed in [1, 3_999, 17_000, 123_456] {
            let late = late_ms(armed, 1_000);
            assert!((0.0..=36.0).contains(&late), "{armed}: {late}");
            let late = late_ms(armed, 8_000);
            assert!((0.0..=260.0).contains(&late), "{armed}: {late}");
        }
    }

    #[test]
    fn without_a_wheel_a_timer_is_exact() {
        let clock = Clock { tick_ns: 1_000, phase_ns: 0, wheel: false };
        let alarm = clock.alarm(SimTime::from_ns(123), clock.ticks_of(SimSpan::ms(200)));
        assert_eq!(alarm.due.ns(), 200_000_123);
    }
}
