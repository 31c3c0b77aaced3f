//! Runs a world in independent replications until every interval is narrow enough.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::collect::{Watch, WatchSpec};
use super::estimate::{CLOSE, Estimate, Figure, Pool, Quantity, estimate, plain, worst_control};
use crate::kernel::SimTime;
use crate::world::{Plan, World};

/// Replications of the first round; each round brings as many as all before.
const FIRST_ROUND: u32 = 8;
/// Batches of one replication.
pub const BATCHES: u64 = 8;
/// Most messages of one experiment, over all replications, before it gives up.
const MESSAGES_LIMIT: f64 = 4e8;
/// A control whose mean is so many standard errors from zero is not noise. Among some thousands
/// of controls one beyond this has a chance of about 1 %.
const CONTROL_LIMIT: f64 = 4.7;
/// So many half-widths of its 99 % interval may an estimate without regression be off.
const PLAIN_LIMIT: f64 = 1.9;

/// A world, what is watched in it, and what is compared.
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    /// The world; every replication has a seed of its own.
    pub plan: Plan,
    /// What is watched.
    pub watch: WatchSpec,
    /// Messages per replication, about.
    pub n_messages: f64,
    /// What is compared.
    pub quantities: Vec<Quantity>,
}

/// What an experiment gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The compared values.
    pub estimates: Vec<(Quantity, Estimate)>,
    /// Why the row fails whatever the values are.
    pub objections: Vec<String>,
    /// Messages that ran, warm-up not included.
    pub n_messages: u64,
}

/// Runs replications until the intervals are narrow.
pub fn run(experiment: &Experiment, seed: u64) -> Result<Outcome, String> {
    let mut pools = vec![Pool::default(); experiment.watch.scopes.len()];
    let mut n_done = 0;
    loop {
        let n = if n_done == 0 { FIRST_ROUND } else { n_done };
        for scopes in round(experiment, seed, n_done, n)? {
            for (pool, scope) in pools.iter_mut().zip(scopes.scopes) {
                pool.batches.extend(scope.batches);
                pool.waits.merge(&scope.waits);
                pool.sojourns.merge(&scope.sojourns);
            }
        }
        n_done += n;
        let of = |q: &Quantity| (q.clone(), measure(&pools, q));
        let estimates: Vec<(Quantity, Estimate)> = experiment.quantities.iter().map(of).collect();
        let n_next = 2.0 * f64::from(n_done) * experiment.n_messages;
        if estimates.iter().all(|(q, e)| q.is_settled(e)) || MESSAGES_LIMIT < n_next {
            let objections = objections(&pools, experiment);
            let n_messages = pools[0].batches.iter().map(|b| b.n_entered).sum();
            return Ok(Outcome { estimates, objections, n_messages });
        }
    }
}

/// A value that theory says to be zero must be zero. A percentile of zero may sit at the very edge
/// of the atom there: the atom must hold at least 98 % of that share.
fn measure(pools: &[Pool], quantity: &Quantity) -> Estimate {
    if quantity.theory != 0.0 {
        return estimate(pools, quantity);
    }
    let mut quantity = quantity.clone();
    if let Figure::Wait { share, .. } = &mut quantity.figure {
        *share *= 1.0 - CLOSE;
    }
    Estimate { half: 0.0, ..plain(pools, &quantity) }
}

/// What must hold besides: the noise is what it is said to be, and no estimate without regression
/// contradicts the theory.
fn objections(pools: &[Pool], experiment: &Experiment) -> Vec<String> {
    let mut found = Vec::new();
    for pool in pools {
        let worst = worst_control(pool);
        if CONTROL_LIMIT < worst {
            found.push(format!("gaps or services are {worst:.1} standard errors off"));
        }
    }
    for quantity in experiment.quantities.iter().filter(|q| q.theory != 0.0) {
        let plain = plain(pools, quantity);
        let off = (plain.value - quantity.theory).abs();
        if PLAIN_LIMIT * plain.half < off && 0.02 * quantity.theory.abs() < off {
            let Quantity { name, theory, .. } = quantity;
            let (value, half) = (plain.value, plain.half);
            found.push(format!("{name}: {value:.6} +- {half:.6} by batches, theory {theory}"));
        }
    }
    found
}

/// Replications `from .. from + n`, in their order.
fn round(experiment: &Experiment, seed: u64, from: u32, n: u32) -> Result<Vec<Watch>, String> {
    parallel(n, |turn| replicate(experiment, seed ^ u64::from(from + turn) << 32))
}

/// Does turns 0 .. n on all processors; answers in the order of turns.
pub fn parallel<T: Send>(
    n: u32,
    turn: impl Fn(u32) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let next = AtomicU32::new(0);
    let done = Mutex::new(Vec::new());
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(n as usize);
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if n <= place {
                        return;
                    }
                    let answer = turn(place);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((place, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, answer)| answer).collect()
}

fn replicate(experiment: &Experiment, seed: u64) -> Result<Watch, String> {
    let mut plan = experiment.plan.clone();
    plan.seed = seed;
    let end = experiment.watch.warm_up + BATCHES * experiment.watch.batch;
    let mut watch = Watch::new(experiment.watch.clone());
    observe(&mut World::new(&plan, true), end, &mut watch)?;
    watch.finish(end)?;
    Ok(watch)
}

/// Runs a world to an instant and shows all facts to the watch.
pub fn observe(world: &mut World, end: u64, watch: &mut Watch) -> Result<(), String> {
    let horizon = SimTime::from_ns(end);
    loop {
        let more = world.step(horizon);
        for (at, fact) in &world.ground.facts.fresh {
            watch.see(*at, fact);
        }
        world.ground.facts.fresh.clear();
        if !more {
            return world.stopped().map_or(Ok(()), |stop| Err(stop.text().en.to_owned()));
        }
    }
}
