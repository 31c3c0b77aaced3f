//! Systems without chance, and systems that have not settled: a peak through a queue, a window of
//! unacknowledged deliveries, a queue that fills or empties, a recorded trace.

use serde_json::Value;

use super::Answer;
use super::collect::Watch;
use super::estimate::{Estimate, Figure, Method, NS, Quantity, mean};
use super::rows::{AT_WORK, LEFT, Row, count, number, work};
use super::runs::{Outcome, observe, parallel};
use super::worlds::{Draft, ns, rate, span, watch_over};
use crate::kernel::SimTime;
use crate::model::Fact;
use crate::world::{Plan, World};

/// Longest run of one of these, in seconds.
const LONGEST: f64 = 1e6;
/// Replications of the first round of a transient.
const FIRST_ROUND: u32 = 8_192;
/// Most replications of a transient.
const MOST_RUNS: u32 = 1 << 20;
/// A chance below this is not compared in a transient: it would take too many replications.
const LEAST_CHANCE: f64 = 0.2;

fn exact(name: &str, theory: f64, value: f64) -> (Quantity, Estimate) {
    let figure = Figure::Mean(LEFT, 1.0);
    let quantity = Quantity { name: name.to_owned(), theory, scope: 0, figure };
    (quantity, Estimate { value, half: 0.0, method: Method::Exact })
}

/// `prefetch_window`: a saturated consumer behind a round trip.
pub fn prefetch(row: Row<'_>) -> Result<Answer, String> {
    let (service, trip) = (row.given("service_s")?, row.given("rtt_s")?);
    let window = count(row.params, "window", 10_000)?;
    let cycle = service + trip;
    let n_cycles = 200.0;
    let n_needed = 2.0 * n_cycles * (cycle / service).min(window as f64) + 10.0 * window as f64;
    if !(n_needed < 1e6 && n_cycles * cycle < LONGEST) {
        return Err("`service_s` is too small beside `rtt_s`".to_owned());
    }
    let mut draft = Draft::default();
    let producer = [("rate", "0/s".to_owned()), ("initial", n_needed.ceil().to_string())];
    draft.actor("producer", "producer", &producer);
    draft.actor("broker", "broker", &[]);
    let mut consumer = work(service, "constant", 0.0);
    consumer.push(("prefetch", window.to_string()));
    draft.actor("consumer", "consumer", &consumer);
    draft.channel("producer", "broker", 0.0);
    draft.channel("broker", "consumer", trip / 2.0);
    let plan = draft.plan()?;
    let mut spec = watch_over(&plan, &["consumer"]);
    spec.warm_up = ns(10.0 * cycle);
    spec.batch = ns(n_cycles * cycle);
    let end = spec.warm_up + spec.batch;
    let mut watch = Watch::new(spec);
    observe(&mut World::new(&plan, true), end, &mut watch)?;
    watch.finish(end)?;
    let sums = watch.scopes[0].batches.first().ok_or("no batch")?;
    let ((n, time), (busy, all)) = (LEFT(sums), AT_WORK(sums));
    let estimates = vec![
        exact("throughput", row.result("throughput")?, n / time),
        exact("utilisation", row.result("utilisation")?, busy / all),
    ];
    let n_messages = sums.n_left;
    Ok(Answer::Measured(Outcome { estimates, n_messages, ..Outcome::default() }))
}

/// What a peak did to a queue.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    n_waiting: u64,
    most_waiting: u64,
    n_in: u64,
    n_delayed: u64,
    delays: u64,
    most_delay: u64,
    n_done: u64,
    over_at: Option<u64>,
}

/// `fluid_peak`: even arrivals at a peak rate, then at a lower one, into even work.
///
/// The fluid's backlog is what waits; its delay ends when the work begins. What is at work counts
/// by the part that is left: over even work that is half a message on average.
pub fn fluid_peak(row: Row<'_>) -> Result<Answer, String> {
    let peak_seconds = row.given("peak_seconds")?;
    let service = 1.0 / row.given("service_rate")?;
    let busy = row.result("busy_from_start")?;
    if LONGEST < busy {
        return Err("the busy period is too long".to_owned());
    }
    let mut draft = Draft::default();
    let even = ("arrivals", "constant".to_owned());
    draft.actor("producer", "producer", &[("rate", rate(row.given("peak_rate")?)), even]);
    draft.actor("consumer", "consumer", &work(service, "constant", 0.0));
    draft.channel("producer", "consumer", 0.0);
    draft.set_at(peak_seconds, "producer.rate", &rate(row.given("base_rate")?));
    let plan = draft.plan()?;
    let end = ns(1.1 * busy + 10.0 * service);
    let mut watch = Watch::new(watch_over(&plan, &["consumer"]).one_batch(end));
    let (mut peak, mut area) = (Peak::default(), 0_u128);
    let mut since = 0;
    let mut world = World::new(&plan, true);
    let mut sent = Vec::new();
    while world.step(SimTime::from_ns(end)) {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            watch.see(at, &fact);
            area += u128::from(peak.n_waiting) * u128::from(at.ns() - since);
            since = at.ns();
            peak.see(at.ns(), &fact, &mut sent, ns(peak_seconds));
        }
    }
    watch.finish(end)?;
    let over_at = peak.over_at.ok_or("the queue did not drain")? as f64 / NS;
    let of = |key: &str, value: f64| Ok(exact(key, row.result(key)?, value));
    let estimates: Result<Vec<_>, String> = [
        ("peak_backlog", peak.most_waiting as f64),
        ("drain_time_after_peak", over_at - peak_seconds),
        ("busy_from_start", over_at),
        ("max_delay", peak.most_delay as f64 / NS),
        ("messages_delayed", peak.n_delayed as f64),
        ("mean_delay_of_delayed", peak.delays as f64 / NS / peak.n_delayed as f64),
        ("area_message_seconds", area as f64 / NS + peak.n_done as f64 * service / 2.0),
    ]
    .into_iter()
    .map(|(key, value)| of(key, value))
    .collect();
    let outcome =
        Outcome { estimates: estimates?, n_messages: sent.len() as u64, ..Outcome::default() };
    Ok(Answer::Measured(outcome))
}

impl Peak {
    fn see(&mut self, at: u64, fact: &Fact, sent: &mut Vec<u64>, peak_end: u64) {
        match *fact {
            Fact::Sent { .. } => {
                sent.push(at);
                self.n_in += 1;
            }
            Fact::Buffered { depth, .. } => {
                self.n_waiting = u64::from(depth);
                self.most_waiting = self.most_waiting.max(self.n_waiting);
            }
            Fact::Started { msg, depth, .. } => {
                self.n_waiting = u64::from(depth);
                let delay = at - sent[msg.0 as usize - 1];
                self.n_delayed += u64::from(delay != 0);
                self.delays += delay;
                self.most_delay = self.most_delay.max(delay);
            }
            Fact::Done { .. } => {
                self.n_done += 1;
                self.n_in -= 1;
                if self.n_in == 0 && peak_end < at && self.over_at.is_none() {
                    self.over_at = Some(at);
                }
            }
            _ => {}
        }
    }
}

/// `mm1_transient`: the mean number in system at given times, over replications.
pub fn transient(params: &Value, results: &Value, seed: u64) -> Result<Answer, String> {
    let (plan, times) = (transient_plan(params)?, results.as_array().ok_or("no results")?);
    let times: Result<Vec<f64>, String> = times.iter().map(|at| number(at, "t")).collect();
    let times = times?;
    if times.is_empty() || !times.is_sorted() || times.iter().any(|t| 10_000.0 < *t) {
        return Err("`t` does not ascend, or is beyond 10000".to_owned());
    }
    let mut sums = vec![[0.0_f64; 3]; times.len()];
    let mut outcome = Outcome::default();
    let mut n_done = 0;
    loop {
        let n = if n_done == 0 { FIRST_ROUND } else { n_done };
        for numbers in
            parallel(n, |turn| once(&plan, seed ^ u64::from(n_done + turn) << 32, &times))?
        {
            for (sum, number) in sums.iter_mut().zip(&numbers.0) {
                let n = *number as f64;
                *sum = [sum[0] + n, sum[1] + n * n, sum[2] + f64::from(*number == 0)];
            }
            outcome.n_messages += numbers.1;
        }
        n_done += n;
        outcome.estimates.clear();
        for ((at, sum), t) in results.as_array().into_iter().flatten().zip(&sums).zip(&times) {
            let runs = f64::from(n_done);
            let figure = Figure::Mean(LEFT, 1.0);
            let of = |name, theory| Quantity { name, theory, scope: 0, figure };
            let in_system = of(format!("EN({t})"), number(at, "EN")?);
            outcome.estimates.push((in_system, mean(sum[0], sum[1], runs)));
            let empty = of(format!("p0({t})"), number(at, "p0")?);
            if LEAST_CHANCE <= empty.theory {
                outcome.estimates.push((empty, mean(sum[2], sum[2], runs)));
            }
        }
        if outcome.estimates.iter().all(|(q, e)| q.is_settled(e)) || MOST_RUNS <= n_done {
            return Ok(Answer::Measured(outcome));
        }
    }
}

fn transient_plan(params: &Value) -> Result<Plan, String> {
    let steps = params.get("lambda_steps").and_then(Value::as_array).ok_or("no `lambda_steps`")?;
    let step = |step: &Value| Some((step.get(0)?.as_f64()?, step.get(1)?.as_f64()?));
    let steps: Option<Vec<(f64, f64)>> = steps.iter().map(step).collect();
    let steps = steps.filter(|s| !s.is_empty()).ok_or("`lambda_steps` are no pairs")?;
    let n0 = number(params, "n0")?;
    let mut draft = Draft::default();
    let producer = [("rate", rate(steps[0].1)), ("initial", format!("{n0:.0}"))];
    draft.actor("producer", "producer", &producer);
    draft.actor("consumer", "consumer", &work(1.0 / number(params, "mu")?, "exponential", 1.0));
    draft.channel("producer", "consumer", 0.0);
    for pair in steps.windows(2) {
        draft.set_at(pair[0].0, "producer.rate", &rate(pair[1].1));
    }
    draft.plan()
}

/// The numbers in system at the times, and the number of messages, in one run.
fn once(plan: &Plan, seed: u64, times: &[f64]) -> Result<(Vec<u64>, u64), String> {
    let plan = Plan { seed, ..plan.clone() };
    let mut watch = Watch::new(watch_over(&plan, &["consumer"]).one_batch(u64::MAX));
    let mut world = World::new(&plan, true);
    let mut numbers = Vec::with_capacity(times.len());
    for t in times {
        observe(&mut world, ns(*t), &mut watch)?;
        numbers.push(watch.scopes[0].n);
    }
    watch.finish(ns(times[times.len() - 1]))?;
    Ok((numbers, world.ground.newest.0))
}

/// `little_trace`: recorded arrivals and services, row by row, to the ns.
pub fn trace(row: Row<'_>) -> Result<Answer, String> {
    let spans = |key: &str| -> Result<Vec<String>, String> {
        let list = row.params.get(key).and_then(Value::as_array);
        let list = list.ok_or_else(|| format!("`{key}` is no list"))?;
        let one = |v: &Value| v.as_f64().map(span).ok_or_else(|| format!("`{key}`: {v}"));
        list.iter().map(one).collect()
    };
    let mut draft = Draft::default();
    let times = ("times", spans("arrivals")?.join(","));
    draft.actor("producer", "producer", &[("arrivals", "times".to_owned()), times]);
    let recorded = ("recorded", spans("services")?.join(","));
    draft.actor("consumer", "consumer", &[recorded]);
    draft.channel("producer", "consumer", 0.0);
    let plan = draft.plan()?;
    let end = ns(row.result("horizon")?);
    let mut watch = Watch::new(watch_over(&plan, &["consumer"]).one_batch(end));
    let mut world = World::new(&plan, true);
    let mut got: Vec<[u64; 3]> = Vec::new();
    while world.step(SimTime::from_ns(end)) {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            watch.see(at, &fact);
            match fact {
                Fact::Sent { .. } => got.push([at.ns(), 0, 0]),
                Fact::Started { msg, .. } => got[msg.0 as usize - 1][1] = at.ns(),
                Fact::Done { msg, .. } => got[msg.0 as usize - 1][2] = at.ns(),
                _ => {}
            }
        }
    }
    watch.finish(end)?;
    let rows = row.results.get("rows_arrival_service_start_end").and_then(Value::as_array);
    let mut outcome = Outcome { n_messages: got.len() as u64, ..Outcome::default() };
    let wanted = rows.ok_or("no rows")?.iter().map(|r| {
        let place = |n: usize| r.get(n).and_then(Value::as_f64).map(ns);
        Some([place(0)?, place(2)?, place(3)?])
    });
    let wanted: Vec<[u64; 3]> = wanted.collect::<Option<_>>().ok_or("rows are no numbers")?;
    if wanted != got {
        outcome.objections.push(format!("arrival, start, end in ns: {got:?}, theory {wanted:?}"));
    }
    let area = watch.scopes[0].batches.first().map_or(0.0, |b| b.area as f64 / NS);
    let n = got.len() as f64;
    let horizon = end as f64 / NS;
    outcome.estimates = vec![
        exact("area", row.result("area")?, area),
        exact("L_time_average", row.result("L_time_average")?, area / horizon),
        exact("lambda_", row.result("lambda_")?, n / horizon),
        exact("W_mean", row.result("W_mean")?, area / n),
    ];
    Ok(Answer::Measured(outcome))
}
