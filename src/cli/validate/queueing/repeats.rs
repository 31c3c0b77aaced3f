//! Messages that are sent, or worked on, until it succeeds: how often, and how many copies that
//! leaves. Counted per message, over independent runs.

use super::Answer;
use super::estimate::{Estimate, Figure, Quantity, mean};
use super::rows::{LEFT, Row, count, work};
use super::runs::{Outcome, parallel};
use super::worlds::{Draft, ppm};
use crate::kernel::SimTime;
use crate::model::{Fact, Node};
use crate::world::{Plan, World};

/// Messages of one run.
const N_MESSAGES: u32 = 100_000;
/// Runs of the first round; each round brings as many as all before.
const FIRST_ROUND: u32 = 4;
/// Most runs.
const MOST_RUNS: u32 = 512;
/// A chance below this is met within three standard errors, however wide those are.
const RARE: f64 = 0.01;

/// What happened to one message.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    n_sends: u32,
    n_copies: u32,
    n_starts: u32,
    is_done: bool,
    is_dead: bool,
}

/// Sum, sum of squares and number of what was counted.
type Sums = [f64; 3];

/// A name in the table, and what of a message counts for it; `None`: this message does not.
type Count = (&'static str, fn(&Tally) -> Option<f64>);

/// Runs until every mean is known well enough.
fn repeat(plan: &Plan, row: Row<'_>, seed: u64, counts: &[Count]) -> Result<Answer, String> {
    let mut sums = vec![[0.0; 3]; counts.len()];
    let mut n_done = 0;
    loop {
        let n = if n_done == 0 { FIRST_ROUND } else { n_done };
        let once = |turn| once(plan, seed ^ u64::from(n_done + turn) << 32, counts);
        for run in parallel(n, once)? {
            for (sum, more) in sums.iter_mut().zip(run) {
                sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        n_done += n;
        let n_messages = u64::from(n_done) * u64::from(N_MESSAGES);
        let mut outcome = Outcome { n_messages, ..Outcome::default() };
        for ((name, _), sum) in counts.iter().zip(&sums) {
            outcome.estimates.push(judged(name, row.result(name)?, *sum));
        }
        let settled = outcome.estimates.iter().all(|(q, e)| q.is_settled(e));
        if settled || MOST_RUNS <= n_done {
            return Ok(Answer::Measured(outcome));
        }
    }
}

fn judged(name: &str, theory: f64, [sum, square, n]: Sums) -> (Quantity, Estimate) {
    let mut estimate = mean(sum, square, n);
    let is_rare = name.starts_with("p_") && theory < RARE;
    if is_rare {
        // Three standard errors of a share, as theory has it: none seen is no certainty.
        estimate.half = 3.0 * (theory * (1.0 - theory) / n).sqrt();
    }
    let figure = if is_rare { Figure::Rare } else { Figure::Mean(LEFT, 1.0) };
    (Quantity { name: name.to_owned(), theory, scope: 0, figure }, estimate)
}

/// Runs until nothing is left to do, and counts.
fn once(plan: &Plan, seed: u64, counts: &[Count]) -> Result<Vec<Sums>, String> {
    let plan = Plan { seed, ..plan.clone() };
    let mut world = World::new(&plan, true);
    let mut tallies = vec![Tally::default(); N_MESSAGES as usize];
    let mut see = |fact: &Fact| {
        let of = fact.msg().and_then(|msg| tallies.get_mut(usize::try_from(msg.0).ok()? - 1));
        let Some(tally) = of else { return };
        match *fact {
            Fact::Departed { channel, back: false, .. } if channel.0 == 0 => tally.n_sends += 1,
            Fact::Arrived { channel, .. } if channel.0 == 0 => tally.n_copies += 1,
            Fact::Started { .. } => tally.n_starts += 1,
            Fact::Done { .. } => tally.is_done = true,
            Fact::Dropped { at: Node::Actor(_), .. } => tally.is_dead = true,
            _ => {}
        }
    };
    loop {
        let more = world.step(SimTime::MAX);
        for (_, fact) in world.ground.facts.fresh.drain(..) {
            see(&fact);
        }
        if !more {
            break;
        }
    }
    if let Some(stop) = world.stopped() {
        return Err(stop.text().en.to_owned());
    }
    let sum = |(_, count): &Count| {
        let add = |[sum, square, n]: Sums, x: f64| [sum + x, square + x * x, n + 1.0];
        tallies.iter().filter_map(count).fold([0.0; 3], add)
    };
    Ok(counts.iter().map(sum).collect())
}

/// `at_least_once_duplicates`: a publisher that sends again until it hears a confirmation.
pub fn duplicates(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let mut draft = Draft::default();
    let producer = [
        ("arrivals", "constant".to_owned()),
        ("rate", "1000/s".to_owned()),
        ("limit", N_MESSAGES.to_string()),
        ("confirm", "on".to_owned()),
        ("confirm-timeout", "5ms".to_owned()),
        ("retries", "unlimited".to_owned()),
    ];
    draft.actor("producer", "producer", &producer);
    draft.actor("broker", "broker", &[]);
    let mut consumer = work(0.0, "constant", 0.0);
    consumer.push(("ack", "on-delivery".to_owned()));
    draft.actor("consumer", "consumer", &consumer);
    let losses =
        [("loss", ppm(row.given("p_lose_message")?)), ("ack-loss", ppm(row.given("p_lose_ack")?))];
    draft.channel_with("producer", "broker", 0.001, &losses);
    draft.channel("broker", "consumer", 0.0);
    let counts: [Count; 4] = [
        ("mean_sends", |t| Some(f64::from(t.n_sends))),
        ("mean_copies_stored", |t| Some(f64::from(t.n_copies))),
        ("mean_duplicates", |t| Some(f64::from(t.n_copies) - 1.0)),
        ("p_at_least_one_duplicate", |t| Some(f64::from(u8::from(1 < t.n_copies)))),
    ];
    repeat(&draft.plan()?, row, seed, &counts)
}

/// `retry_limit`: work that fails by chance, in a queue that forgives only so many failures.
pub fn limit(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let attempts = count(row.params, "max_attempts", 1_000)?;
    let mut draft = Draft::default();
    let producer = [
        ("arrivals", "constant".to_owned()),
        ("rate", "1000/s".to_owned()),
        ("limit", N_MESSAGES.to_string()),
    ];
    draft.actor("producer", "producer", &producer);
    let broker =
        [("queue-type", "quorum".to_owned()), ("delivery-limit", (attempts - 1).to_string())];
    draft.actor("broker", "broker", &broker);
    let mut consumer = work(0.0, "constant", 0.0);
    consumer.push(("fail", ppm(row.given("p_fail")?)));
    consumer.push(("prefetch", "1".to_owned()));
    draft.actor("consumer", "consumer", &consumer);
    draft.channel("producer", "broker", 0.0);
    draft.channel("broker", "consumer", 0.0);
    let counts: [Count; 3] = [
        ("p_dead", |t| Some(f64::from(u8::from(t.is_dead)))),
        ("mean_attempts", |t| Some(f64::from(t.n_starts))),
        ("mean_attempts_given_success", |t| t.is_done.then_some(f64::from(t.n_starts))),
    ];
    repeat(&draft.plan()?, row, seed, &counts)
}
