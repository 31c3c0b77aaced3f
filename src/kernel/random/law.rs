//! Laws of service times, gaps and sizes, each given by its mean and its spread.
//!
//! The spread is the coefficient of variation (standard deviation over mean) in parts per
//! million: 1,000,000 is the spread of the exponential law. Results are rounded to whole
//! nanoseconds; the floats on the way come from `libm`, so they are the same everywhere.

use super::{MILLION, Stream, scaled, ziggurat};
use crate::kernel::SimSpan;

/// The most stages an Erlang law has.
const MAX_STAGES: u32 = 64;

/// How a random span is distributed around its mean.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Law {
    /// Always the mean.
    #[default]
    Constant,
    /// Without memory: Poisson arrivals. The spread is 1 whatever is asked for.
    Exponential,
    /// Evenly around the mean; the spread is at most 1/sqrt(3), where the least span is zero.
    Uniform,
    /// The exponential of a normal: many shorter, a few much longer.
    LogNormal,
    /// A power law with a heavy tail; its variance is finite at every spread.
    Pareto,
    /// A sum of equal exponential stages: the spread is 1/sqrt(k) for a whole k up to 64.
    Erlang,
    /// One of two exponentials with equal shares of the total: the spread is at least 1.
    HyperExponential,
}

impl Law {
    /// All laws, in the order of their declaration.
    pub const ALL: [Law; 7] = [
        Law::Constant,
        Law::Exponential,
        Law::Uniform,
        Law::LogNormal,
        Law::Pareto,
        Law::Erlang,
        Law::HyperExponential,
    ];
}

/// Draws a span from `law` with this mean and this coefficient of variation in ppm.
///
/// A spread that the law cannot have becomes the nearest one that it can. The number of draws
/// taken from the stream depends on the law and on the stream.
#[inline]
pub fn sample(law: Law, mean: SimSpan, cv_ppm: u32, stream: &mut Stream) -> SimSpan {
    // Computed only where it is used: a division costs as much as a draw.
    let cv = || f64::from(cv_ppm) / f64::from(MILLION);
    let factor = match law {
        Law::Constant => return mean,
        Law::Exponential => ziggurat::exponential(stream),
        Law::Uniform => uniform(cv(), stream),
        Law::LogNormal => log_normal(cv(), stream),
        Law::Pareto => pareto(cv(), stream),
        Law::Erlang => erlang(cv(), stream),
        Law::HyperExponential => hyper_exponential(cv(), stream),
    };
    scaled(mean, factor)
}

/// The variance of a uniform law of half-width h is h^2/3.
fn uniform(cv: f64, stream: &mut Stream) -> f64 {
    let half_width = (libm::sqrt(3.0) * cv).min(1.0);
    1.0 + half_width * (2.0 * stream.unit() - 1.0)
}

/// With s^2 = ln(1 + cv^2) the law exp(N(-s^2/2, s^2)) has mean 1 and this spread.
fn log_normal(cv: f64, stream: &mut Stream) -> f64 {
    let variance = libm::log1p(cv * cv);
    libm::exp(libm::sqrt(variance) * normal(stream) - variance / 2.0)
}

/// A standard normal, by Marsaglia's polar method; its twin is not kept.
fn normal(stream: &mut Stream) -> f64 {
    loop {
        let (x, y) = (2.0 * stream.unit() - 1.0, 2.0 * stream.unit() - 1.0);
        let square = x * x + y * y;
        if square < 1.0 {
            return x * libm::sqrt(-2.0 * libm::log(square) / square);
        }
    }
}

/// The shape a solves cv^2 = 1 / (a (a - 2)), so a > 2; the least span is (a - 1)/a of the mean.
fn pareto(cv: f64, stream: &mut Stream) -> f64 {
    if cv == 0.0 {
        return 1.0;
    }
    let shape = 1.0 + libm::sqrt(1.0 + 1.0 / (cv * cv));
    (shape - 1.0) / shape * libm::pow(stream.unit(), -1.0 / shape)
}

/// The spread of k stages is 1/sqrt(k).
fn erlang(cv: f64, stream: &mut Stream) -> f64 {
    // A cast from a float saturates, so no spread at all asks for the most stages.
    let stages = ((1.0 / (cv * cv) + 0.5) as u32).clamp(1, MAX_STAGES);
    let sum: f64 = (0..stages).map(|_| ziggurat::exponential(stream)).sum();
    sum / f64::from(stages)
}

/// Balanced means: p1 m1 = p2 m2 = 1/2, with p1 = (1 + sqrt((cv^2 - 1) / (cv^2 + 1))) / 2.
fn hyper_exponential(cv: f64, stream: &mut Stream) -> f64 {
    let square = (cv * cv).max(1.0);
    let often = (1.0 + libm::sqrt((square - 1.0) / (square + 1.0))) / 2.0;
    let share = if stream.unit() < often { often } else { 1.0 - often };
    ziggurat::exponential(stream) / (2.0 * share)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a check within a tolerance, not a run")]

    use super::super::Streams;
    use super::*;

    const MEAN: SimSpan = SimSpan::ms(10);

    fn draws(law: Law, cv_ppm: u32, n: u32) -> Vec<f64> {
        let mut stream = Streams::new(5).stream(u64::from(cv_ppm), law as u32);
        (0..n).map(|_| sample(law, MEAN, cv_ppm, &mut stream).as_ns() as f64).collect()
    }

    /// Sample mean and coefficient of variation.
    fn moments(draws: &[f64]) -> (f64, f64) {
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt() / mean)
    }

    /// The spread that a law has when `cv` is asked for.
    fn spread_of(law: Law, cv: f64) -> f64 {
        match law {
            Law::Constant => 0.0,
            Law::Exponential => 1.0,
            Law::Uniform => cv.min(1.0 / 3f64.sqrt()),
            Law::LogNormal | Law::Pareto => cv,
            Law::Erlang => 1.0 / (1.0 / (cv * cv)).round().clamp(1.0, 64.0).sqrt(),
            Law::HyperExponential => cv.max(1.0),
        }
    }

    #[test]
    fn means_and_spreads_are_those_asked_for() {
        let n = 200_000;
        for law in Law::ALL {
            for cv_ppm in [0, 50_000, 125_000, 300_000, 500_000, 1_000_000, 1_500_000, 3_000_000] {
                let (mean, cv) = moments(&draws(law, cv_ppm, n));
                let spread = spread_of(law, f64::from(cv_ppm) / 1e6);
                let off = (mean / MEAN.as_ns() as f64 - 1.0).abs();
                let bound = 5.0 * spread / f64::from(n).sqrt() + 1e-9;
                assert!(off <= bound, "{law:?} {cv_ppm}: mean {mean}");
                // A heavy tail hides its own variance from samples of any size: its quantiles
                // are tested below instead.
                let heavy = law == Law::Pareto && cv_ppm > 125_000
                    || law == Law::LogNormal && cv_ppm > 1_000_000;
                if !heavy {
                    let off = (cv - spread).abs();
                    assert!(off <= 0.02 * spread + 1e-9, "{law:?} {cv_ppm}: cv {cv}");
                }
            }
        }
    }

    #[test]
    fn heavy_tails_have_the_quantiles_of_their_law() {
        let n = 200_000;
        for cv_ppm in [300_000, 1_000_000, 3_000_000] {
            let cv = f64::from(cv_ppm) / 1e6;
            let shape = 1.0 + (1.0 + 1.0 / (cv * cv)).sqrt();
            let least = (shape - 1.0) / shape;
            let s2 = (1.0 + cv * cv).ln();
            let pareto = draws(Law::Pareto, cv_ppm, n);
            let log_normal = draws(Law::LogNormal, cv_ppm, n);
            // Standard normal quantiles for the tail shares.
            for (tail, z) in
                [(0.5, 0.0), (0.1, 1.281_551_6), (0.01, 2.326_347_9), (0.001, 3.090_232_3)]
            {
                let above = |draws: &[f64], factor: f64| {
                    let limit = factor * MEAN.as_ns() as f64;
                    draws.iter().filter(|&&x| x > limit).count() as f64 / f64::from(n)
                };
                let bound = 5.0 * (tail * (1.0 - tail) / f64::from(n)).sqrt();
                let got = above(&pareto, least * f64::powf(tail, -1.0 / shape));
                assert!((got - tail).abs() < bound, "Pareto {cv}: {got} above {tail}");
                let got = above(&log_normal, (z * s2.sqrt() - s2 / 2.0).exp());
                assert!((got - tail).abs() < bound, "LogNormal {cv}: {got} above {tail}");
            }
        }
    }

    #[test]
    fn extreme_settings_stay_spans() {
        let mut stream = Streams::new(1).stream(1, 1);
        for law in Law::ALL {
            for cv_ppm in [0, 1, u32::MAX] {
                for mean in [SimSpan::ZERO, SimSpan::ns(1), SimSpan::MAX] {
                    let draw = sample(law, mean, cv_ppm, &mut stream);
                    assert!(draw.is_zero() || !mean.is_zero(), "{law:?} {cv_ppm} {mean:?}");
                }
            }
        }
    }

    /// A change of any bit here changes every run with random numbers: bump the links' version.
    #[test]
    fn draws_never_change() {
        let golden: [[u64; 8]; 7] = [
            [
                10_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000,
                10_000_000,
            ],
            [
                12_265_083, 9_637_832, 4_811_535, 3_017_709, 13_356_504, 19_224_831, 27_510_234,
                8_987_933,
            ],
            [
                11_335_095, 7_577_993, 12_094_148, 17_518_869, 5_362_136, 5_224_205, 2_792_887,
                5_531_144,
            ],
            [
                11_586_606, 17_726_344, 8_022_100, 6_922_075, 2_265_322, 7_843_948, 7_098_445,
                9_648_504,
            ],
            [
                8_613_476, 15_735_286, 8_264_969, 8_377_971, 38_441_583, 7_095_867, 12_235_566,
                11_728_265,
            ],
            [
                10_988_606, 7_904_866, 9_804_045, 8_949_331, 7_085_579, 9_698_547, 2_601_314,
                6_548_659,
            ],
            [
                5_552_192, 1_160_488, 3_034_519, 3_388_556, 5_915_979, 1_051_643, 12_661_662,
                7_269_295,
            ],
        ];
        for (law, golden) in Law::ALL.into_iter().zip(golden) {
            let cv_ppm = if law == Law::HyperExponential { 2_000_000 } else { 500_000 };
            let mut stream = Streams::new(42).stream(1, law as u32);
            let draws = [(); 8].map(|()| sample(law, MEAN, cv_ppm, &mut stream).as_ns());
            assert_eq!(draws, golden, "{law:?}");
        }
    }
}
