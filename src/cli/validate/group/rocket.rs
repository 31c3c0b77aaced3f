//! RocketMQ: allocation, delay levels, the retries of a failed message, asking back.

use serde_json::{Value, json};

use super::super::Case;
use super::super::read::{Stop, count, count_to, each, same, text, verdict};
use crate::kernel::{SimSpan, SimTime};
use crate::model::group::{
    Allocation, CheckBack, DELAY_LEVELS, Failed, HalfMessage, QueueNames, RETRIES, Tick,
    after_failure,
};

/// The names that the allocations were made with. The record does not say them: of the usual ones
/// they are those whose hashes give what was recorded.
const NAMES: QueueNames<'static> = QueueNames { topic: "topic", broker: "broker-a" };
const NS_PER_S: f64 = 1e9;

/// Replays all sections.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = each("rocketmq delay levels", "delay_levels", &record["delay_levels"], level);
    let key = "retry_schedule_concurrent";
    cases.extend(each("rocketmq retries", key, &record[key], retry));
    let dead = verdict(dead_letter(record).map_err(Stop::from));
    cases.push(Case::new("after_retry_16", "rocketmq retries", dead));
    let key = "transaction_check_schedule";
    let ask = |row: &Value| ask_back(row, &record["defaults"]);
    cases.extend(each("rocketmq transactions", key, &record[key], ask));
    let allocations = &record["allocation"];
    cases.extend(each("rocketmq allocation", "allocation", allocations, allocation));
    cases
}

fn level(row: &Value) -> Result<(), Stop> {
    let level = count_to(row, "level", DELAY_LEVELS.len() as u64)?;
    let index = level.checked_sub(1).ok_or_else(|| "levels begin at 1".to_owned())?;
    let seconds = DELAY_LEVELS[index as usize].as_ns() / 1_000_000_000;
    same("seconds", &row["seconds"], &json!(seconds))?;
    let text = match seconds {
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    };
    Ok(same("text", &row["text"], &json!(text))?)
}

fn retry(row: &Value) -> Result<(), Stop> {
    let n_before = count_to(row, "reconsume_times_before", 1000)? as u32;
    let mut total = SimSpan::ZERO;
    for n in 0..n_before {
        if let Failed::Retry { delay, .. } = after_failure(n, RETRIES) {
            total = total.saturating_add(delay);
        }
    }
    let Failed::Retry { level, delay } = after_failure(n_before, RETRIES) else {
        return Err(Stop::Differs("the model makes it a dead letter".into()));
    };
    let seconds = |span: SimSpan| json!(span.as_ns() / 1_000_000_000);
    same("delay_level", &row["delay_level"], &json!(level))?;
    same("delay_s", &row["delay_s"], &seconds(delay))?;
    Ok(same("cumulative_s", &row["cumulative_s"], &seconds(total.saturating_add(delay)))?)
}

/// What follows the last retry.
fn dead_letter(record: &Value) -> Result<(), String> {
    let target = match after_failure(RETRIES, RETRIES) {
        Failed::DeadLetter => "%DLQ%<group>",
        Failed::Retry { .. } => "%RETRY%<group>",
    };
    same("after_retry_16", &record["after_retry_16"], &json!(target))
}

fn ask_back(row: &Value, defaults: &Value) -> Result<(), Stop> {
    let check = CheckBack {
        immunity: SimSpan::ms(count(defaults, "transactionTimeOut_ms")?),
        period: SimSpan::ms(count(defaults, "transactionCheckInterval_ms")?),
        most_checks: count_to(defaults, "transactionCheckMax", 1_000_000)? as u32,
    };
    let born = row["born_after_tick_s"].as_f64().filter(|s| (0.0..1e9).contains(s));
    let born = born.ok_or_else(|| "`born_after_tick_s` is no time".to_owned())?;
    let mut half = HalfMessage::new(check, SimTime::from_ns((born * NS_PER_S).round() as u64));
    let (mut checks, mut discarded) = (Vec::new(), None);
    while let Some(now) = half.next_wake() {
        let seconds = now.ns() as f64 / NS_PER_S;
        match half.on_wake(check, now) {
            Tick::Ask => checks.push(seconds),
            Tick::Discard => discarded = Some(seconds),
            Tick::Wait => return Err(Stop::Differs("the model never asks".into())),
        }
    }
    same("first_check_s", &row["first_check_s"], &json!(checks.first()))?;
    same("checks_at_s", &row["checks_at_s"], &json!(checks))?;
    Ok(same("discarded_at_s", &row["discarded_at_s"], &json!(discarded))?)
}

fn allocation(row: &Value) -> Result<(), Stop> {
    let strategy = match text(row, "strategy")? {
        "AVG" => Allocation::Average,
        "AVG_BY_CIRCLE" => Allocation::Circle,
        "CONSISTENT_HASH" => Allocation::ConsistentHash,
        other => return Err(Stop::NotCovered(format!("strategy `{other}`"))),
    };
    let assigned = row["assigned"].as_object();
    let assigned = assigned.ok_or_else(|| "`assigned` is no object".to_owned())?;
    let n = count(row, "consumers")?;
    if n != assigned.len() as u64 {
        return Err(Stop::Differs(format!("{n} consumers, {} of them named", assigned.len())));
    }
    let mut consumers: Vec<&str> = assigned.keys().map(String::as_str).collect();
    consumers.sort_unstable();
    let n_queues = count_to(row, "queues", 100_000)? as u32;
    let allocated = strategy.allocate(n_queues, &consumers, NAMES);
    for (consumer, queues) in consumers.iter().zip(allocated) {
        same(consumer, &assigned[*consumer], &json!(queues))?;
    }
    Ok(())
}
