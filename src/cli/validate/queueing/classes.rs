//! One station behind a broker's queue: classes of priority, a time to live, work that fails and
//! comes back.

use super::Answer;
use super::collect::{ScopeSpec, WatchSpec};
use super::estimate::{Estimate, Figure, Method, NS, Quantity, Ratio};
use super::rows::{AT_WORK, IN_SYSTEM, LEFT, REFUSED, Row, SOJOURN, WAIT, list, timed, work};
use super::runs::{Experiment, Outcome, run};
use super::worlds::{Draft, Settings, ppm, rate, span, watch_over};
use crate::world::Plan;

/// Most classes of a row.
const MOST_CLASSES: usize = 16;
/// Bytes of a message of the class with the shortest work.
const LEAST_BYTES: f64 = 1_024.0;

fn quantity(name: impl Into<String>, theory: f64, scope: usize, ratio: Ratio) -> Quantity {
    Quantity { name: name.into(), theory, scope, figure: Figure::Mean(ratio, 1.0) }
}

/// Producers of the classes of a row, then what serves them.
struct Classes {
    /// Arrivals per second of each, the most urgent first.
    rates: Vec<f64>,
    /// Mean work of each.
    means: Vec<f64>,
}

impl Classes {
    fn of(row: Row<'_>) -> Result<Classes, String> {
        let rates: Vec<f64> = list(row.params, "lambdas").collect();
        let means: Vec<f64> = list(row.params, "mus").map(|mu| 1.0 / mu).collect();
        let fits = rates.len() == means.len() && (1..=MOST_CLASSES).contains(&rates.len());
        let load: f64 = rates.iter().zip(&means).map(|(rate, mean)| rate * mean).sum();
        if !(fits && load < 1.0 && rates.iter().all(|rate| 0.0 < *rate)) {
            return Err("`lambdas` and `mus` do not fit together".to_owned());
        }
        Ok(Classes { rates, means })
    }

    /// Work grows with the size of a message, and each class has a size of its own.
    fn draft(&self) -> (Draft, Settings) {
        let mut draft = Draft::default();
        let least = self.means.iter().copied().fold(f64::INFINITY, f64::min);
        for (n, (arrivals, mean)) in self.rates.iter().zip(&self.means).enumerate() {
            let urgency = self.rates.len() - 1 - n;
            let settings = [
                ("rate", rate(*arrivals)),
                ("priority", urgency.to_string()),
                ("size", format!("{:.0}B", LEAST_BYTES * mean / least)),
            ];
            draft.actor(&format!("class-{n}"), "producer", &settings);
        }
        let mut consumer = work(0.0, "exponential", 1.0);
        consumer.push(("per-kib", span(least)));
        consumer.push(("prefetch", "1".to_owned()));
        (draft, consumer)
    }

    /// Every class in front of one server, by a broker with so many priorities.
    fn behind_broker(&self, max_priority: usize) -> Result<Plan, String> {
        let (mut draft, consumer) = self.draft();
        draft.actor("broker", "broker", &[("max-priority", max_priority.to_string())]);
        draft.actor("server", "consumer", &consumer);
        for n in 0..self.rates.len() {
            draft.channel(&format!("class-{n}"), "broker", 0.0);
        }
        draft.channel("broker", "server", 0.0);
        draft.plan()
    }

    /// Every class straight to a server whose work can be interrupted.
    fn interrupting(&self) -> Result<Plan, String> {
        let (mut draft, mut consumer) = self.draft();
        consumer.push(("order", "interrupting".to_owned()));
        draft.actor("server", "consumer", &consumer);
        for n in 0..self.rates.len() {
            draft.channel(&format!("class-{n}"), "server", 0.0);
        }
        draft.plan()
    }

    /// Each class a scope of its own, at this actor.
    fn experiment(
        &self,
        plan: Plan,
        at: &str,
        quantities: Vec<Quantity>,
        together: bool,
    ) -> Experiment {
        let n = self.rates.len();
        let class_of = if together { Vec::new() } else { (0..n as u8).collect() };
        let watch = WatchSpec {
            scopes: vec![ScopeSpec::default(); n],
            class_of,
            ..watch_over(&plan, &[at])
        };
        let load: f64 = self.rates.iter().zip(&self.means).map(|(rate, mean)| rate * mean).sum();
        let batch = (50.0 * libm::pow(1.0 - load, -2.0)).max(20_000.0);
        let experiment = Experiment { plan, watch, quantities, ..Experiment::default() };
        timed(experiment, batch, self.rates.iter().sum())
    }
}

/// `priority`: classes in one queue, without and with interruption, and as they come.
pub fn priority(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let classes = Classes::of(row)?;
    let n = classes.rates.len();
    let each = |key: &str, ratio: Ratio| -> Vec<Quantity> {
        let all = list(row.results, key).take(n).enumerate();
        all.map(|(n, theory)| quantity(format!("{key}[{n}]"), theory, n, ratio)).collect()
    };
    let mut queued = each("nonpreemptive_Wq", WAIT);
    queued.extend(each("nonpreemptive_W", SOJOURN));
    let by_class = classes.behind_broker(n - 1)?;
    let mut all = run(&classes.experiment(by_class, "broker", queued, false), seed)?;
    let conserved = conserved(&classes, &all, row.result("conservation_sum_rho_Wq")?);
    let interrupted = each("preemptive_W", SOJOURN);
    let plan = classes.interrupting()?;
    let experiment = classes.experiment(plan, "server", interrupted, false);
    let second = run(&experiment, seed ^ 1 << 24)?;
    let in_order = vec![
        quantity("fifo_Wq", row.result("fifo_Wq")?, 0, WAIT),
        quantity("rho_total", row.result("rho_total")?, 0, AT_WORK),
    ];
    let plan = classes.behind_broker(0)?;
    let third = run(&classes.experiment(plan, "broker", in_order, true), seed ^ 2 << 24)?;
    all.estimates.push(conserved);
    for outcome in [second, third] {
        all.estimates.extend(outcome.estimates);
        all.objections.extend(outcome.objections);
        all.n_messages += outcome.n_messages;
    }
    Ok(Answer::Measured(all))
}

/// The waits weighed by load: the same whoever is served first, as long as nobody is interrupted.
fn conserved(classes: &Classes, outcome: &Outcome, theory: f64) -> (Quantity, Estimate) {
    let loads = classes.rates.iter().zip(&classes.means).map(|(rate, mean)| rate * mean);
    let waits = loads.zip(&outcome.estimates);
    let sum = |part: fn(&Estimate) -> f64| waits.clone().map(|(load, (_, e))| load * part(e)).sum();
    let estimate = Estimate { value: sum(|e| e.value), half: sum(|e| e.half), method: Method::Sum };
    (quantity("conservation_sum_rho_Wq", theory, 0, WAIT), estimate)
}

/// A producer, a broker with one queue and one server that takes one message at a time.
fn behind_queue(
    arrivals: f64,
    broker: &[(&'static str, String)],
    consumer: Settings,
) -> Result<Plan, String> {
    let mut draft = Draft::default();
    draft.actor("producer", "producer", &[("rate", rate(arrivals))]);
    draft.actor("broker", "broker", broker);
    let mut consumer = consumer;
    consumer.push(("prefetch", "1".to_owned()));
    draft.actor("server", "consumer", &consumer);
    draft.channel("producer", "broker", 0.0);
    draft.channel("broker", "server", 0.0);
    draft.plan()
}

fn single(plan: Plan, quantities: Vec<Quantity>, batch: f64, arrivals: f64) -> Experiment {
    let watch = watch_over(&plan, &["broker"]);
    let experiment = Experiment { plan, watch, quantities, ..Experiment::default() };
    timed(experiment, batch, arrivals)
}

/// `mm1_ttl`: a queue that gives up what waited too long.
pub fn ttl(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let (arrivals, service) = (row.given("lambda_")?, 1.0 / row.given("mu")?);
    let ttl = row.given("ttl")?;
    if !(0.0 < arrivals && 0.0 < ttl && service.is_finite()) {
        return Err("`lambda_`, `mu` or `ttl` is not above 0".to_owned());
    }
    let plan = behind_queue(arrivals, &[("ttl", span(ttl))], work(service, "exponential", 1.0))?;
    let idle = Quantity {
        name: "p_idle".to_owned(),
        theory: row.result("p_idle")?,
        scope: 0,
        figure: Figure::At(0),
    };
    let quantities = vec![
        quantity("p_expired", row.result("p_expired")?, 0, REFUSED),
        quantity("throughput", row.result("throughput")?, 0, LEFT),
        quantity("utilisation", row.result("utilisation")?, 0, AT_WORK),
        quantity("Wq_served", row.result("Wq_served")?, 0, WAIT),
        idle,
    ];
    let experiment = single(plan, quantities, 20_000.0, arrivals);
    run(&experiment, seed).map(Answer::Measured)
}

/// Time in system per visit: of all that were there, by how often work began.
const PER_VISIT: Ratio = |b| (b.area as f64 / NS, b.n_started as f64);
/// How often work began, per second.
const VISITS: Ratio = |b| (b.n_started as f64, b.span as f64 / NS);
/// How often work began for each message that left.
const ATTEMPTS: Ratio = |b| (b.n_started as f64, b.n_left as f64);
/// Messages that left for each second of work: no more can come than these.
const STABLE: Ratio = |b| (b.n_left as f64, b.area_busy as f64 / NS);

/// `retry_feedback`: work that fails by chance and is done again.
pub fn feedback(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let (arrivals, service) = (row.given("lambda_")?, 1.0 / row.given("mu")?);
    let load = row.result("rho")?;
    if !(0.0 < arrivals && 0.0 < load && load < 1.0 && service.is_finite()) {
        return Err("`lambda_`, `mu` and `p_fail` make no stable queue".to_owned());
    }
    let mut consumer = work(service, "exponential", 1.0);
    consumer.push(("fail", ppm(row.given("p_fail")?)));
    let plan = behind_queue(arrivals, &[], consumer)?;
    let of = |key: &str, ratio| Ok(quantity(key, row.result(key)?, 0, ratio));
    let quantities: Result<Vec<Quantity>, String> = [
        ("effective_lambda", VISITS),
        ("rho", AT_WORK),
        ("L", IN_SYSTEM),
        ("W_total", SOJOURN),
        ("W_per_visit", PER_VISIT),
        ("mean_attempts", ATTEMPTS),
        ("max_stable_lambda", STABLE),
    ]
    .into_iter()
    .map(|(key, ratio)| of(key, ratio))
    .collect();
    let batch = (50.0 * libm::pow(1.0 - load, -2.0)).max(20_000.0);
    run(&single(plan, quantities?, batch, arrivals), seed).map(Answer::Measured)
}
