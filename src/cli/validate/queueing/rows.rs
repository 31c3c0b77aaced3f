//! From rows of the tables to experiments: systems in their steady state.

use serde_json::Value;

use super::collect::{N_LEVELS, N_STATES, Noise, ScopeSpec, Sums, WatchSpec};
use super::estimate::{Figure, NS, Quantity, Ratio};
use super::runs::{BATCHES, Experiment};
use super::worlds::{Draft, Settings, ns, ppm, rate, span, watch_over};

/// Shares of the table's percentiles.
pub const SHARES: [f64; N_LEVELS] = [0.5, 0.9, 0.95, 0.99, 0.999];
/// Numbers in system of the list `P_N_ge`.
const N_GE: [usize; 5] = [1, 2, 5, 10, 20];
/// Shares of time smaller than this are not compared: they are rare events of their own.
const LEAST_SHARE: f64 = 0.02;
/// Losses rarer than this are compared through the throughput only.
const LEAST_LOSS: f64 = 0.01;
/// Fewest messages of a batch.
const LEAST_BATCH: f64 = 5_000.0;
/// Most messages of a batch.
const LONGEST_BATCH: f64 = 1e7;

/// A row: what is given, and what theory says.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// `params`.
    pub params: &'a Value,
    /// `results`.
    pub results: &'a Value,
}

impl Row<'_> {
    /// A given number.
    pub fn given(&self, key: &str) -> Result<f64, String> {
        number(self.params, key)
    }

    /// A number that theory gives.
    pub fn result(&self, key: &str) -> Result<f64, String> {
        number(self.results, key)
    }

    /// A given word.
    pub fn word(&self, key: &str) -> Result<&str, String> {
        let word = self.params.get(key).and_then(Value::as_str);
        word.ok_or_else(|| format!("`{key}` is missing or no text"))
    }
}

/// A number of an object.
pub fn number(object: &Value, key: &str) -> Result<f64, String> {
    let value = object.get(key).and_then(Value::as_f64);
    let value = value.filter(|v| v.is_finite() && v.abs() < 1e15);
    value.ok_or_else(|| format!("`{key}` is missing or no number below 1e15"))
}

/// A whole number of an object, within a range that a world can have.
pub fn count(object: &Value, key: &str, most: u64) -> Result<u64, String> {
    let value = object.get(key).and_then(Value::as_u64).filter(|n| (1..=most).contains(n));
    value.ok_or_else(|| format!("`{key}` is missing or no whole number from 1 to {most}"))
}

/// How long a span is and how it spreads, as settings of a consumer.
pub fn work(mean: f64, spread: &str, cv: f64) -> Settings {
    vec![("service", span(mean)), ("spread", spread.to_owned()), ("variation", ppm(cv))]
}

/// One kind of station: `producer -> consumer` without delay.
pub struct Station {
    /// Settings of the producer.
    pub producer: Settings,
    /// Settings of every consumer.
    pub consumer: Settings,
    /// How many consumers.
    pub n_consumers: u64,
    /// Messages per second.
    pub arrivals: f64,
    /// Mean time of work.
    pub service: f64,
    /// Load of the busiest place, for the length of batches.
    pub load: f64,
    /// How many messages the queue remembers, about.
    pub memory: f64,
    /// Whether gaps are independent draws of mean `n_consumers / arrivals`.
    pub free_gaps: bool,
}

impl Station {
    /// One server or several, fed at random.
    pub fn poisson(arrivals: f64, service: f64, servers: u64) -> Station {
        let load = arrivals * service / servers as f64;
        Station {
            producer: vec![("rate", rate(arrivals))],
            consumer: [
                work(service, "exponential", 1.0),
                vec![("parallelism", servers.to_string())],
            ]
            .concat(),
            n_consumers: 1,
            arrivals,
            service,
            load,
            memory: libm::pow(1.0 - load, -2.0),
            free_gaps: true,
        }
    }

    /// The experiment that compares these quantities, all of scope 0.
    pub fn experiment(&self, quantities: Vec<Quantity>) -> Result<Experiment, String> {
        let mut draft = Draft::default();
        draft.actor("producer", "producer", &self.producer);
        draft.group("consumer", "consumer", self.n_consumers, &self.consumer);
        draft.channel("producer", "consumer", 0.0);
        let plan = draft.plan()?;
        let mean_wait = quantities.iter().find(|q| q.name.starts_with("Wq"));
        let mean_wait = mean_wait.map_or(self.service / (1.0 - self.load).abs(), |q| q.theory);
        let noise = Noise {
            service: ns(self.service) as f64,
            gap: if self.free_gaps { self.n_consumers as f64 / self.arrivals * NS } else { 0.0 },
            decay: self.load.min(1.0) / mean_wait.max(1e-9) / NS,
        };
        let mut scope = scope_for(&quantities, 0);
        scope.noise = Some(noise);
        let batch = (25.0 * self.memory).max(LEAST_BATCH) * self.n_consumers as f64;
        if !(0.0 < self.arrivals && batch < LONGEST_BATCH) {
            return Err("no arrivals, or a load too near 1".to_owned());
        }
        let watch = WatchSpec { scopes: vec![scope], ..watch_over(&plan, &["consumer"]) };
        let experiment = Experiment { plan, watch, quantities, ..Experiment::default() };
        Ok(timed(experiment, batch, self.arrivals))
    }
}

/// Sets the lengths of warm-up and batches: `batch` messages at `arrivals` per second.
pub fn timed(mut experiment: Experiment, batch: f64, arrivals: f64) -> Experiment {
    experiment.watch.batch = ns(batch / arrivals);
    experiment.watch.warm_up = experiment.watch.batch / 2;
    experiment.n_messages = batch * BATCHES as f64;
    experiment
}

/// A scope that counts what its percentiles need.
pub fn scope_for(quantities: &[Quantity], scope: usize) -> ScopeSpec {
    let mut spec = ScopeSpec::default();
    for quantity in quantities.iter().filter(|q| q.scope == scope) {
        match quantity.figure {
            Figure::Wait { level, .. } => spec.wait_levels[level] = ns(quantity.theory),
            Figure::Sojourn { level, .. } => spec.sojourn_levels[level] = ns(quantity.theory),
            _ => {}
        }
    }
    if spec.wait_levels == [0; N_LEVELS] {
        spec.wait_levels = spec.sojourn_levels;
    }
    spec
}

/// Integral of the number in system over time.
pub const IN_SYSTEM: Ratio = |b: &Sums| (b.area as f64, b.span as f64);
/// Integral of the number that waits.
pub const WAITING: Ratio = |b| ((b.area - b.area_busy) as f64, b.span as f64);
/// Integral of the number at work.
pub const AT_WORK: Ratio = |b| (b.area_busy as f64, b.span as f64);
/// Mean time in system.
pub const SOJOURN: Ratio = |b| (b.sojourn as f64 / NS, b.n_left as f64);
/// Mean time until work begins.
pub const WAIT: Ratio = |b| (b.wait as f64 / NS, b.n_started as f64);
/// Share that had to wait.
pub const WAITED: Ratio = |b| (b.n_waited as f64, b.n_started as f64);
/// Share that was refused.
pub const REFUSED: Ratio = |b| (b.n_refused as f64, b.n_entered as f64);
/// Messages that left, per second.
pub const LEFT: Ratio = |b| (b.n_left as f64, b.span as f64 / NS);
/// Mean length of a busy period.
pub const BUSY_PERIOD: Ratio = |b| (b.busy_periods as f64 / NS, b.n_busy_periods as f64);

/// Which entries of a row's results are compared, and with what.
pub const STEADY: &[(&str, Ratio)] = &[
    ("L", IN_SYSTEM),
    ("Lq", WAITING),
    ("W", SOJOURN),
    ("Wq", WAIT),
    ("W_accepted", SOJOURN),
    ("Wq_accepted", WAIT),
    ("prob_wait", WAITED),
    ("erlang_C", WAITED),
    ("offered_load", AT_WORK),
    ("p_loss", REFUSED),
    ("throughput", LEFT),
    ("busy_period_mean", BUSY_PERIOD),
];

/// The quantities of a row in its steady state, of scope 0.
pub fn steady(row: Row<'_>, servers: u64) -> Vec<Quantity> {
    let mut found = Vec::new();
    let mut add = |name: String, theory: f64, figure| {
        found.push(Quantity { name, theory, scope: 0, figure });
    };
    for (key, ratio) in STEADY {
        let theory = row.results.get(key).and_then(Value::as_f64);
        if let Some(theory) = theory.filter(|t| *key != "p_loss" || LEAST_LOSS <= *t) {
            add((*key).to_owned(), theory, Figure::Mean(*ratio, 1.0));
        }
    }
    if let Some(theory) = row.results.get("utilisation").and_then(Value::as_f64) {
        add("utilisation".to_owned(), theory, Figure::Mean(AT_WORK, 1.0 / servers as f64));
    }
    for (n, theory) in list(row.results, "p_n").take(N_STATES - 1).enumerate() {
        if LEAST_SHARE <= theory {
            add(format!("p_n[{n}]"), theory, Figure::At(n));
        }
    }
    for (n, theory) in N_GE.into_iter().zip(list(row.results, "P_N_ge")) {
        if LEAST_SHARE <= theory {
            add(format!("P(N>={n})"), theory, Figure::AtLeast(n));
        }
    }
    found.extend(percentiles(row.results, "wait_percentiles", 0, |level, share| Figure::Wait {
        level,
        share,
    }));
    found.extend(percentiles(row.results, "sojourn_percentiles", 0, |level, share| {
        Figure::Sojourn { level, share }
    }));
    found
}

/// A row's list of percentiles.
///
/// A percentile between 0 and 1 ns sits at the very edge of the atom at zero, where the estimate
/// is 0 or not by the last bit: such are left out.
pub fn percentiles(
    results: &Value,
    key: &str,
    scope: usize,
    figure: fn(usize, f64) -> Figure,
) -> Vec<Quantity> {
    let found = list(results, key).zip(SHARES).enumerate();
    let found = found.filter(|(_, (theory, _))| *theory == 0.0 || 1e-9 < *theory);
    let quantity = |(level, (theory, share))| {
        let name = format!("{} {}", key.trim_end_matches("_percentiles"), share * 100.0);
        Quantity { name: name + " %", theory, scope, figure: figure(level, share) }
    };
    found.map(quantity).collect()
}

/// The numbers of a list.
pub fn list<'a>(results: &'a Value, key: &str) -> impl Iterator<Item = f64> + 'a {
    results.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64)
}
