//! When a producer's messages come: renewal processes, periodic bursts, on and off, or a recording.

use crate::kernel::random::sample;
use crate::kernel::{SimSpan, SimTime};
use crate::model::ground::{Ctx, Purpose};
use crate::model::spread::Spread;
use crate::param::{Amount, Ppm, Rate};

choices! {
    /// How arrivals follow each other.
    pub enum Arrivals {
        /// Independent, at random: exponential gaps.
        Poisson = "poisson" ("Poisson", "泊松"),
        /// Equal gaps.
        Constant = "constant" ("constant", "等间隔"),
        /// Independent gaps of the law set as `gaps`.
        Renewal = "renewal" ("other gaps", "其他间隔"),
        /// So many at once, every `period`.
        Bursts = "bursts" ("bursts", "突发"),
        /// At the rate for `on`, then nothing for `off`, and so on.
        OnOff = "on-off" ("on and off", "时通时断"),
        /// At the times listed as `times`.
        Times = "times" ("recorded times", "录制的时刻"),
    }
}

choices! {
    /// How many messages come together.
    pub enum BatchLaw {
        /// Always the same number.
        Fixed = "fixed" ("fixed", "固定"),
        /// Geometric with that mean, at least 1.
        Geometric = "geometric" ("geometric", "几何分布"),
    }
}

/// What decides when messages come: the parameters that producers of all kinds have for it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Source<'a> {
    /// Mean number of messages per second.
    pub rate: Rate,
    /// How arrivals follow each other.
    pub arrivals: Arrivals,
    /// The law of the gaps of a renewal process.
    pub gaps: Spread,
    /// Its coefficient of variation.
    pub gap_variation: Ppm,
    /// How many messages come together.
    pub burst: Amount,
    /// Whether that number varies.
    pub burst_law: BatchLaw,
    /// Time between bursts.
    pub period: SimSpan,
    /// Length of the sending phase.
    pub on: SimSpan,
    /// Length of the silent phase.
    pub off: SimSpan,
    /// Recorded times since the start.
    pub times: &'a [SimSpan],
}

/// When the arrival after `last` comes; `None`: never. `index` counts arrivals from 0.
pub fn next_arrival(
    cx: &Ctx<'_>,
    params: &Source<'_>,
    last: SimTime,
    index: u64,
) -> Option<SimTime> {
    match params.arrivals {
        Arrivals::Times => {
            let place = usize::try_from(index).ok()?;
            params.times.get(place).map(|at| SimTime::ZERO.saturating_add(*at))
        }
        Arrivals::Bursts => {
            let first = index == 0;
            Some(if first { last } else { last.saturating_add(params.period) })
        }
        Arrivals::OnOff => on_off(params, last),
        Arrivals::Poisson => renewal(cx, params, Spread::Exponential, last, index),
        Arrivals::Constant => renewal(cx, params, Spread::Constant, last, index),
        Arrivals::Renewal => renewal(cx, params, params.gaps, last, index),
    }
}

/// How many messages come with arrival `index`.
pub fn batch(cx: &Ctx<'_>, params: &Source<'_>, index: u64) -> u32 {
    let mean = params.burst.0.max(1);
    if params.arrivals == Arrivals::Bursts || params.burst_law == BatchLaw::Fixed || mean == 1 {
        return mean;
    }
    // Geometric on 1, 2, ...: each further message with chance 1 - 1/mean.
    let mut draw = cx.draw(Purpose::Batch, index);
    let mut n = 1;
    while n < MAX_BATCH && draw.below(u64::from(mean)) != 0 {
        n += 1;
    }
    n
}

/// Most messages of one arrival.
pub const MAX_BATCH: u32 = 100_000;

fn renewal(
    cx: &Ctx<'_>,
    params: &Source<'_>,
    spread: Spread,
    last: SimTime,
    index: u64,
) -> Option<SimTime> {
    let mean = batch_interval(params)?;
    let mut draw = cx.draw(Purpose::Arrival, index);
    let gap = sample(spread.law(), mean, params.gap_variation.0, &mut draw);
    Some(last.saturating_add(gap))
}

/// Mean gap between arrivals: the rate counts messages, and `burst` come together.
fn batch_interval(params: &Source<'_>) -> Option<SimSpan> {
    let micro = u128::from(params.rate.0);
    let ns = u128::from(params.burst.0.max(1)) * 1_000_000_000_000_000;
    let mean = (micro != 0).then(|| (ns + micro / 2) / micro)?;
    Some(SimSpan::ns(u64::try_from(mean).unwrap_or(u64::MAX >> 1)))
}

fn on_off(params: &Source<'_>, last: SimTime) -> Option<SimTime> {
    let gap = batch_interval(params)?;
    let cycle = params.on.saturating_add(params.off).as_ns();
    if params.on.is_zero() {
        return None;
    }
    let next = last.saturating_add(gap);
    let into = next.ns() % cycle;
    let silent = into >= params.on.as_ns();
    Some(if silent { SimTime::from_ns(next.ns() - into + cycle) } else { next })
}
