//! Estimates with 99 % confidence intervals, from batches.
//!
//! Every figure is a ratio of sums over batches, so its error follows from how the batches differ
//! (batch means). Where that interval is too wide after the shortest run, the noise that was drawn
//! is subtracted by linear regression (control variates): the sums `shape(wait) x (span - mean)`
//! over gaps and services have mean zero whatever the queue does, because a wait does not know the
//! draws that come after it. Read S. Henderson, P. Glynn, "Approximating martingales for variance
//! reduction in Markov process simulation", Math. Oper. Res. 27, 2002.
//!
//! Such an estimate would forgive a wrong mean of the draws, so each control is tested to have
//! mean zero on its own; shape 1 tests the means of gaps and services themselves.

use super::collect::{N_SHAPES, Spans, Sums};
use super::runs::BATCHES;

/// A value within this part of theory is good enough whatever its interval.
pub const CLOSE: f64 = 0.02;

/// A figure as a quotient of two sums over a batch.
pub type Ratio = fn(&Sums) -> (f64, f64);

/// What is estimated.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// A quotient of sums, times a factor.
    Mean(Ratio, f64),
    /// A quotient of sums, to be met within this part of a theory that is itself no nearer.
    Near(Ratio, f64),
    /// The chance of something so rare that its interval need not be narrow.
    Rare,
    /// The share of time with so many in system.
    At(usize),
    /// The share of time with at least so many in system.
    AtLeast(usize),
    /// The wait below which a share lies; `level` is its place among the watched levels.
    Wait { level: usize, share: f64 },
    /// The sojourn below which a share lies.
    Sojourn { level: usize, share: f64 },
}

/// One compared value of a row.
#[derive(Clone, Debug)]
pub struct Quantity {
    /// Its name in the table.
    pub name: String,
    /// The exact value: in seconds where it is a time.
    pub theory: f64,
    /// In which scope.
    pub scope: usize,
    /// What is estimated.
    pub figure: Figure,
}

impl Quantity {
    /// Whether the value lies in its interval or close to theory.
    pub fn is_met(&self, estimate: &Estimate) -> bool {
        let off = (estimate.value - self.theory).abs();
        let close = if let Figure::Near(_, part) = self.figure { part } else { CLOSE };
        off <= estimate.half.max(close * self.theory.abs())
    }

    /// Whether the interval is narrow enough to judge the value.
    ///
    /// One value in a hundred lies outside its interval by chance. Such a value is measured on
    /// until the interval is much narrower than asked, or the contradiction beyond doubt.
    pub fn is_settled(&self, estimate: &Estimate) -> bool {
        let (half, limit) = (estimate.half, self.limit() * self.theory.abs());
        let beyond_doubt = 2.5 * half < (estimate.value - self.theory).abs();
        let judged = self.is_met(estimate) || beyond_doubt || half <= 0.4 * limit;
        self.theory == 0.0 || (half <= limit && judged)
    }

    /// How wide the interval may be on either side, as a part of the theory.
    pub fn limit(&self) -> f64 {
        match self.figure {
            Figure::Wait { share, .. } | Figure::Sojourn { share, .. } if 0.99 <= share => 0.04,
            Figure::Rare => f64::INFINITY,
            _ => 0.02,
        }
    }
}

/// How an interval came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Batch means.
    Batches,
    /// Batch means after subtracting the noise that was drawn.
    Controls,
    /// Independent replications.
    Replications,
    /// A sum of estimates, and of their intervals.
    Sum,
    /// Nothing is random.
    Exact,
}

impl Method {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Method::Batches => "batch means",
            Method::Controls => "batch means with control variates",
            Method::Replications => "replications",
            Method::Sum => "a sum of estimates",
            Method::Exact => "deterministic",
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Half the width of its 99 % interval.
    pub half: f64,
    /// How.
    pub method: Method,
}

/// All batches of one scope, over all replications.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// The batches.
    pub batches: Vec<Sums>,
    /// All waits.
    pub waits: Spans,
    /// All sojourns.
    pub sojourns: Spans,
}

/// Nanoseconds in a second.
pub const NS: f64 = 1e9;

/// Estimates one quantity both ways, and returns the first that is narrow enough.
pub fn estimate(pools: &[Pool], quantity: &Quantity) -> Estimate {
    let plain = with(pools, quantity, &[]);
    if plain.half <= quantity.limit() * quantity.theory.abs() {
        return plain;
    }
    let shapes = controls_for(quantity.figure);
    let scopes = 0..pools.len();
    let controls: Vec<(usize, usize)> =
        scopes.flat_map(|scope| shapes.iter().map(move |shape| (scope, *shape))).collect();
    let controlled = with(pools, quantity, &controls);
    if controlled.half < plain.half { controlled } else { plain }
}

/// The estimate without any regression.
pub fn plain(pools: &[Pool], quantity: &Quantity) -> Estimate {
    with(pools, quantity, &[])
}

/// The greatest deviation from zero of any control's mean, in standard errors.
pub fn worst_control(pool: &Pool) -> f64 {
    let n = pool.batches.len() as f64;
    let deviation = |place: usize| {
        let values = pool.batches.iter().map(|b| b.controls[place]);
        let mean = values.clone().sum::<f64>() / n;
        let square: f64 = values.map(|v| (v - mean) * (v - mean)).sum();
        let error = (square / (n - 1.0) / n).sqrt();
        if error == 0.0 { 0.0 } else { (mean / error).abs() }
    };
    (0..2 * N_SHAPES).map(deviation).fold(0.0, f64::max)
}

fn controls_for(figure: Figure) -> Vec<usize> {
    let shapes = match figure {
        Figure::Wait { level, .. } | Figure::Sojourn { level, .. } => vec![0, 1, 2 + level],
        Figure::Mean(..) | Figure::Near(..) | Figure::Rare => vec![0, 1],
        Figure::At(_) | Figure::AtLeast(_) => (0..N_SHAPES).collect(),
    };
    shapes.iter().flat_map(|shape| [*shape, N_SHAPES + *shape]).collect()
}

/// Fewest units of an estimate with controls, where batches are joined.
const LEAST_UNITS: usize = 64;

/// Controls by unit of so many batches.
#[derive(Clone, Copy)]
struct Controls<'a> {
    columns: &'a [Vec<f64>],
    unit: usize,
}

/// Sums of a batch to a quotient.
type Reader<'a> = &'a dyn Fn(&Sums) -> (f64, f64);

fn with(pools: &[Pool], quantity: &Quantity, controls: &[(usize, usize)]) -> Estimate {
    let pool = &pools[quantity.scope];
    // What a batch leaves to the next is not in its controls: with enough batches, the eight of a
    // replication make one.
    let n_batches = pool.batches.len();
    let many = !controls.is_empty() && LEAST_UNITS * BATCHES as usize <= n_batches;
    let unit = if many { BATCHES as usize } else { 1 };
    let column = |(scope, place): &(usize, usize)| {
        let units = pools[*scope].batches.chunks(unit);
        units.map(|unit| unit.iter().map(|b| b.controls[*place]).sum()).collect()
    };
    let columns: Vec<Vec<f64>> = controls.iter().map(column).collect();
    let controls = Controls { columns: &columns, unit };
    let method = if controls.columns.is_empty() { Method::Batches } else { Method::Controls };
    let (value, half) = match quantity.figure {
        Figure::Mean(ratio, factor) => {
            let (value, half) = ratio_with(pool, &ratio, controls);
            (value * factor, half * factor)
        }
        Figure::Near(ratio, _) => ratio_with(pool, &ratio, controls),
        // Counted by whoever asks, never over batches.
        Figure::Rare => (0.0, f64::INFINITY),
        Figure::At(n) => ratio_with(pool, &|b| (b.at[n] as f64, b.span as f64), controls),
        Figure::AtLeast(n) => {
            let ratio = |b: &Sums| {
                let fewer: u64 = b.at[..n].iter().sum();
                ((b.span - fewer) as f64, b.span as f64)
            };
            ratio_with(pool, &ratio, controls)
        }
        Figure::Wait { level, share } => {
            let above = |b: &Sums| (b.wait_above[level] as f64, b.n_started as f64);
            quantile(pool, &pool.waits, quantity, share, &above, controls)
        }
        Figure::Sojourn { level, share } => {
            let above = |b: &Sums| (b.sojourn_above[level] as f64, b.n_left as f64);
            quantile(pool, &pool.sojourns, quantity, share, &above, controls)
        }
    };
    Estimate { value, half, method }
}

/// A percentile from the share above its theoretical value: the tail there falls as
/// exp(-hazard x span), so a share that is off by a factor f shifts the percentile by
/// ln(f) / hazard. Without controls the value itself is read from the counted spans.
fn quantile(
    pool: &Pool,
    spans: &Spans,
    quantity: &Quantity,
    share: f64,
    above: Reader<'_>,
    controls: Controls<'_>,
) -> (f64, f64) {
    let level = quantity.theory * NS;
    let (got, half) = ratio_with(pool, above, controls);
    let beyond = level * 1.05;
    let (here, there) = (spans.share_above(level), spans.share_above(beyond));
    let hazard = libm::log(here / there) / (beyond - level);
    if got <= 0.0 || !hazard.is_finite() || hazard <= 0.0 {
        return (spans.quantile(share) / NS, f64::INFINITY);
    }
    let half = half / got / hazard / NS;
    if controls.columns.is_empty() {
        return (spans.quantile(share) / NS, half);
    }
    (quantity.theory + libm::log(got / (1.0 - share)) / hazard / NS, half)
}

/// A quotient of sums and half the width of its interval, after regression on the columns.
fn ratio_with(pool: &Pool, ratio: Reader<'_>, controls: Controls<'_>) -> (f64, f64) {
    let Controls { columns, unit } = controls;
    let add = |sum: (f64, f64), pair: (f64, f64)| (sum.0 + pair.0, sum.1 + pair.1);
    let units = pool.batches.chunks(unit);
    let pairs: Vec<(f64, f64)> =
        units.map(|unit| unit.iter().map(ratio).fold((0.0, 0.0), add)).collect();
    let below: f64 = pairs.iter().map(|p| p.1).sum();
    let value = pairs.iter().map(|p| p.0).sum::<f64>() / below;
    let n = pairs.len() as f64;
    let residuals: Vec<f64> = pairs.iter().map(|(x, y)| x - value * y).collect();
    let means: Vec<f64> = columns.iter().map(|c| c.iter().sum::<f64>() / n).collect();
    let slopes = regress(&residuals, columns, &means);
    let left = |i: usize| {
        let explained = columns.iter().zip(&means).zip(&slopes).map(|((c, m), s)| (c[i] - m) * s);
        residuals[i] - explained.sum::<f64>()
    };
    let square: f64 = (0..residuals.len()).map(&left).map(|off| off * off).sum();
    let q = slopes.iter().filter(|s| **s != 0.0).count() as f64;
    if n - q < 4.0 {
        return (value, f64::INFINITY);
    }
    // The slopes are themselves estimates: Lavenberg and Welch 1981 give the factor.
    let loss = (n - 2.0) / (n - q - 2.0);
    let error = (square / (n - q - 1.0) * n * loss).sqrt() / below;
    let shift: f64 = means.iter().zip(&slopes).map(|(m, s)| m * s).sum::<f64>() * n / below;
    (value - shift, t_99(n - q - 1.0) * error)
}

/// Least squares on centred columns; a column that adds nothing new gets slope 0.
fn regress(y: &[f64], columns: &[Vec<f64>], means: &[f64]) -> Vec<f64> {
    let q = columns.len();
    let dot = |a: &[f64], am: f64, b: &[f64], bm: f64| -> f64 {
        a.iter().zip(b).map(|(x, z)| (x - am) * (z - bm)).sum()
    };
    let mut rows: Vec<Vec<f64>> = (0..q)
        .map(|i| {
            let products = (0..q).map(|j| dot(&columns[i], means[i], &columns[j], means[j]));
            let mut row: Vec<f64> = products.collect();
            row.push(dot(&columns[i], means[i], y, 0.0));
            row
        })
        .collect();
    let scale: Vec<f64> = (0..q).map(|i| rows[i][i]).collect();
    let mut used = vec![false; q];
    for i in 0..q {
        if rows[i][i] <= 1e-9 * scale[i] || scale[i] == 0.0 {
            continue;
        }
        used[i] = true;
        let pivot = rows[i].clone();
        for (k, row) in rows.iter_mut().enumerate() {
            let factor = row[i] / pivot[i];
            if k != i && factor != 0.0 {
                row.iter_mut().zip(&pivot).for_each(|(a, b)| *a -= factor * b);
            }
        }
    }
    (0..q).map(|i| if used[i] { rows[i][q] / rows[i][i] } else { 0.0 }).collect()
}

/// The 99.5 % quantile of Student's law: Cornish-Fisher expansion about the normal's 2.5758.
pub fn t_99(freedom: f64) -> f64 {
    let z = 2.575_829_3_f64;
    let (z3, z5) = (z * z * z, z * z * z * z * z);
    let first = (z3 + z) / 4.0;
    let second = (5.0 * z5 + 16.0 * z3 + 3.0 * z) / 96.0;
    z + first / freedom + second / (freedom * freedom)
}

/// The mean of independent values and half the width of its interval.
pub fn mean(sum: f64, square: f64, n: f64) -> Estimate {
    let value = sum / n;
    let variance = ((square / n - value * value) * n / (n - 1.0)).max(0.0);
    let half = t_99(n - 1.0) * (variance / n).sqrt();
    Estimate { value, half, method: Method::Replications }
}
