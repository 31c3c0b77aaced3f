//! Replays wall-clock records of a real broker: a burst through a slow consumer, and work shared
//! by a fast and a slow consumer. Every recorded figure must be met within 15 %.
//!
//! The recorded system adds time that the nominal service does not have; two constants stand for
//! it, the same in all six runs. [`OVERHEAD`] is the client's own time per message: the record's
//! `effective_service_rate` of 185.4/s and 184.1/s for 5 ms of work is 0.39 ms and 0.43 ms more.
//! [`HOP`] is one way between client and broker over loopback. It is not recorded; with 0.2 ms a
//! message costs 5.8 ms when only one may be unacknowledged, or 172/s: in the record 174 messages
//! were gone when the backlog of 226 stood after 1 s of 400/s, and 170/s in the second run.

use serde_json::{Value, json};

use super::queueing::worlds::{Draft, ns, rate, span};
use super::{Case, Verdict};
use crate::kernel::SimTime;
use crate::model::{ActorId, Fact};
use crate::world::World;

/// The schema of records that are replayed here.
pub const SCHEMA: &str = "timing-real/1";

/// How far a figure may be from the recorded one.
const TOLERANCE: f64 = 0.15;
/// Client time per message beyond the nominal work, in seconds.
const OVERHEAD: f64 = 0.000_4;
/// One way between a client and the broker, in seconds.
const HOP: f64 = 0.000_2;
/// Longest replay.
const END: f64 = 60.0;
/// Most messages of a run.
const MOST_MESSAGES: u64 = 100_000;

/// Replays all runs of a record.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    for (key, runs) in record.as_object().into_iter().flatten() {
        let Some(runs) = runs.as_array() else { continue };
        for (index, run) in runs.iter().enumerate() {
            let mut case = Case::new(
                format!("{key}/{}", index + 1),
                format!("timing-real {key}"),
                Verdict::Passed,
            );
            match replay_run(key, run) {
                Ok(Some(figures)) => judge(&mut case, &figures),
                Ok(None) => {
                    case.verdict = Verdict::NotCovered("nothing here replays such runs".into());
                }
                Err(why) => case.verdict = Verdict::Failed(why),
            }
            cases.push(case);
        }
    }
    if cases.is_empty() {
        let why = "the record has no list of runs".to_owned();
        cases.push(Case::new("-", "timing-real", Verdict::Failed(why)));
    }
    cases
}

/// A figure: its name, what was recorded, what the model gives.
type Figure = (&'static str, f64, f64);

fn judge(case: &mut Case, figures: &[Figure]) {
    let said = |(name, real, model): &Figure| {
        let off = 100.0 * (model / real - 1.0);
        format!("{name} {model:.3} for {real:.3} ({off:+.1} %)")
    };
    let is_met = |(_, real, model): &Figure| (model - real).abs() <= TOLERANCE * real.abs();
    let bad: Vec<String> = figures.iter().filter(|f| !is_met(f)).map(said).collect();
    if !bad.is_empty() {
        case.verdict = Verdict::Failed(bad.join(", "));
    }
    case.note = figures.iter().map(said).collect::<Vec<_>>().join(", ");
    let values = figures
        .iter()
        .map(|(name, real, model)| json!({ "name": name, "recorded": real, "measured": model }));
    case.details = json!({ "values": values.collect::<Vec<_>>() });
}

fn replay_run(key: &str, run: &Value) -> Result<Option<Vec<Figure>>, String> {
    match key {
        "funnel" => funnel(run).map(Some),
        "fair_dispatch" => fair_dispatch(run).map(Some),
        _ => Ok(None),
    }
}

fn number(run: &Value, key: &str) -> Result<f64, String> {
    let value = run.pointer(key).and_then(Value::as_f64).filter(|v| v.abs() < 1e9);
    value.ok_or_else(|| format!("`{key}` is missing or no number below 1e9"))
}

fn count(run: &Value, key: &str) -> Result<u64, String> {
    let value = run.pointer(key).and_then(Value::as_u64).filter(|n| *n <= MOST_MESSAGES);
    value.ok_or_else(|| format!("`{key}` is missing or no whole number up to {MOST_MESSAGES}"))
}

fn consumer(service: f64, prefetch: u64) -> Vec<(&'static str, String)> {
    let prefetch = if prefetch == 0 { "unlimited".to_owned() } else { prefetch.to_string() };
    vec![
        ("service", span(service + OVERHEAD)),
        ("spread", "constant".to_owned()),
        ("prefetch", prefetch),
    ]
}

/// A second or less at the peak rate, then the base rate, into one consumer.
fn funnel(run: &Value) -> Result<Vec<Figure>, String> {
    let (peak, peak_s) = (number(run, "/params/peak")?, number(run, "/params/peak_s")?);
    let n = count(run, "/n")?;
    let mut draft = Draft::default();
    let producer =
        [("rate", rate(peak)), ("arrivals", "constant".to_owned()), ("limit", n.to_string())];
    draft.actor("producer", "producer", &producer);
    draft.actor("broker", "broker", &[]);
    draft.actor("consumer", "consumer", &consumer(number(run, "/params/service_s")?, 1));
    draft.channel("producer", "broker", HOP);
    draft.channel("broker", "consumer", HOP);
    draft.set_at(peak_s, "producer.rate", &rate(number(run, "/params/base")?));
    let mut sent = Vec::new();
    let (mut most, mut drained, mut delay, mut n_done) = (0_u32, None, 0_u64, 0_u64);
    watch(&draft, |at, fact| match fact {
        Fact::Sent { .. } => sent.push(at),
        Fact::Queued { depth, .. } => most = most.max(*depth),
        Fact::Dispatched { depth: 0, .. } if ns(peak_s) < at && drained.is_none() => {
            drained = Some(at);
        }
        Fact::Done { msg, .. } => {
            delay = delay.max(at - sent[msg.0 as usize - 1]);
            n_done += 1;
        }
        _ => {}
    })?;
    Ok(vec![
        ("n", n as f64, n_done as f64),
        ("max_backlog", number(run, "/max_backlog")?, f64::from(most)),
        ("drained_at_s", number(run, "/drained_at_s")?, seconds(drained.unwrap_or(u64::MAX))),
        ("max_delay_s", number(run, "/max_delay_s")?, seconds(delay)),
    ])
}

/// Messages in a queue, a fast and a slow consumer.
fn fair_dispatch(run: &Value) -> Result<Vec<Figure>, String> {
    let prefetch = count(run, "/params/prefetch")?;
    let n = count(run, "/params/messages")?;
    let mut draft = Draft::default();
    let producer = [("rate", "0/s".to_owned()), ("initial", n.to_string())];
    draft.actor("producer", "producer", &producer);
    draft.actor("broker", "broker", &[]);
    draft.actor("fast", "consumer", &consumer(number(run, "/params/fast_s")?, prefetch));
    draft.actor("slow", "consumer", &consumer(number(run, "/params/slow_s")?, prefetch));
    draft.channel("producer", "broker", HOP);
    draft.channel("broker", "fast", HOP);
    draft.channel("broker", "slow", HOP);
    let (mut fast, mut slow, mut last) = (0_u32, 0_u32, 0);
    watch(&draft, |at, fact| {
        if let Fact::Done { at: actor, .. } = fact {
            *if *actor == ActorId(2) { &mut fast } else { &mut slow } += 1;
            last = at;
        }
    })?;
    Ok(vec![
        ("fast", number(run, "/fast")?, f64::from(fast)),
        ("slow", number(run, "/slow")?, f64::from(slow)),
        ("makespan_s", number(run, "/makespan_s")?, seconds(last)),
    ])
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn watch(draft: &Draft, mut see: impl FnMut(u64, &Fact)) -> Result<(), String> {
    let mut world = World::new(&draft.plan()?, true);
    let mut more = true;
    while more {
        more = world.step(SimTime::from_ns(ns(END)));
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            see(at.ns(), &fact);
        }
    }
    world.stopped().map_or(Ok(()), |stop| Err(stop.text().en.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = include_str!("../../../tests/truth/broker/timing_real.json");

    #[test]
    fn the_model_meets_what_a_real_broker_did_within_fifteen_percent() {
        let cases = replay(&serde_json::from_str(RECORD).expect("the record is JSON"));
        assert_eq!(cases.len(), 6);
        for case in &cases {
            assert_eq!(case.verdict, Verdict::Passed, "{case:?}");
        }
    }

    #[test]
    fn a_recorded_time_a_third_longer_is_noticed() {
        let mut record: Value = serde_json::from_str(RECORD).expect("the record is JSON");
        let drained = record["funnel"][0]["drained_at_s"].as_f64().expect("a number");
        record["funnel"][0]["drained_at_s"] = json!(drained * 1.33);
        record["fair_dispatch"][1]["slow"] = json!(20);
        let failed = replay(&record).into_iter().filter(|case| case.verdict != Verdict::Passed);
        let failed: Vec<String> = failed.map(|case| case.id).collect();
        assert_eq!(failed, ["fair_dispatch/2", "funnel/1"]);
    }
}
