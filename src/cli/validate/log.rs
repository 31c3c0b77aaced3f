//! Replays what a real log broker's own classes gave, and what its source's rules say: hashes,
//! batching, sequence checks, leader epochs, replication, retention, compaction, long polls.
//!
//! Each function takes one schema. All of it runs on the machines of `model::log`.

use serde_json::{Map, Value, json};

use super::read::{Stop, count, each, list, same, text, verdict};
use super::{Case, Verdict};
use crate::model::log::{Epochs, defaults, murmur2, partition_of_key};

mod producer;
mod replication;
mod rules;

pub use producer::replay as replay_producer;
pub use replication::replay as replay_replication;
pub use rules::replay as replay_rules;

/// Keys and their partitions.
pub const HASH_SCHEMA: &str = "kafka-hash/1";
/// Partitioner, batches and sequence checks.
pub const PRODUCER_SCHEMA: &str = "kafka-producer/1";
/// Leader epochs.
pub const EPOCHS_SCHEMA: &str = "kafka-epochs/1";
/// Replication.
pub const REPLICATION_SCHEMA: &str = "kafka-replication/1";
/// Compaction, retention and long polls.
pub const RULES_SCHEMA: &str = "kafka-log-rules/1";
/// Default values.
pub const DEFAULTS_SCHEMA: &str = "kafka-defaults/1";

/// Replays keys and their partitions.
pub fn replay_hash(record: &Value) -> Vec<Case> {
    each("kafka hash", "vectors", &record["vectors"], |vector| {
        let key = key_bytes(vector)?;
        let hash = murmur2(&key);
        same("murmur2", &vector["murmur2"], &json!(hash as i32))?;
        same("positive", &vector["positive"], &json!(hash & 0x7fff_ffff))?;
        let mut partitions = Map::new();
        for n in list(vector, "partitions")? {
            let n = n.as_u64().filter(|n| 0 < *n && *n <= 1 << 31);
            let n = n.ok_or_else(|| "`partitions` holds no count".to_owned())?;
            partitions.insert(n.to_string(), json!(partition_of_key(&key, n as u32)));
        }
        Ok(same("partition", &vector["partition"], &Value::Object(partitions))?)
    })
}

/// A key: a text, or bytes as hexadecimal digits.
fn key_bytes(vector: &Value) -> Result<Vec<u8>, String> {
    if vector["key_hex"].is_null() {
        return Ok(text(vector, "key")?.as_bytes().to_vec());
    }
    let digits = text(vector, "key_hex")?;
    let digit = |c: char| c.to_digit(16).map(|digit| digit as u8);
    let digits: Option<Vec<u8>> = digits.chars().map(digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0);
    let digits = digits.ok_or_else(|| "`key_hex` is no hexadecimal text".to_owned())?;
    Ok(digits.chunks_exact(2).map(|two| two[0] << 4 | two[1]).collect())
}

/// Replays leader epochs.
pub fn replay_epochs(record: &Value) -> Vec<Case> {
    each("kafka epochs", "cases", &record["cases"], replay_epoch_case)
}

fn replay_epoch_case(case: &Value) -> Result<(), Stop> {
    let mut epochs = Epochs::default();
    for entry in list(case, "epochs")? {
        let [epoch, start] = [&entry[0], &entry[1]].map(Value::as_u64);
        let (Some(epoch), Some(start)) = (epoch, start) else {
            return Err(Stop::Differs(format!("`epochs` holds {entry}")));
        };
        epochs.assign(epoch as u32, start);
    }
    if !case["truncate_from_end"].is_null() {
        epochs.truncate_end(count(case, "truncate_from_end")?);
    }
    if !case["truncate_from_start"].is_null() {
        epochs.truncate_start(count(case, "truncate_from_start")?);
    }
    let log_end = count(case, "log_end_offset")?;
    let mut answers = Vec::new();
    for asked in list(case, "ask")? {
        let epoch = asked.as_u64().ok_or_else(|| format!("`ask` holds {asked}"))?;
        let answer = epochs.end_of(epoch as u32, log_end);
        let (epoch, end) = answer.map_or((-1, -1), |a| (i64::from(a.epoch), a.end as i64));
        answers.push(json!({ "requested_epoch": asked, "epoch": epoch, "end_offset": end }));
    }
    same("answers", &case["answers"], &json!(answers))?;
    let entries = epochs.entries().iter().map(|entry| json!([entry.epoch, entry.start]));
    Ok(same("entries", &case["entries"], &json!(entries.collect::<Vec<_>>()))?)
}

/// Compares default values; one case for all of them.
pub fn replay_defaults(record: &Value) -> Vec<Case> {
    vec![Case::new("defaults", "kafka defaults", verdict(compare_defaults(record)))]
}

fn compare_defaults(record: &Value) -> Result<(), Stop> {
    let mut n_compared = 0;
    for (side, table) in defaults::ALL {
        let Some(recorded) = record[*side].as_object() else {
            return Err(Stop::Differs(format!("`{side}` is no object")));
        };
        for (key, value) in recorded {
            let known = table.iter().find(|(name, _)| name == key);
            let Some((_, known)) = known else {
                return Err(Stop::NotCovered(format!("{side}: no default of `{key}` is known")));
            };
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            same(&format!("{side} {key}"), &json!(value), &json!(known))?;
            n_compared += 1;
        }
    }
    if n_compared == 0 {
        return Err(Stop::Differs("no default is recorded".into()));
    }
    Ok(())
}

/// A section that is not there at all is no case; one of the wrong kind is.
fn section(
    record: &Value,
    group: &str,
    key: &str,
    replay: impl Fn(&Value) -> Result<(), Stop>,
) -> Vec<Case> {
    match &record[key] {
        Value::Null => Vec::new(),
        section => each(group, key, section, replay),
    }
}

/// A record without any known section has failed.
fn or_empty(cases: Vec<Case>, group: &str) -> Vec<Case> {
    if !cases.is_empty() {
        return cases;
    }
    vec![Case::new("-", group, Verdict::Failed("the record has no known section".into()))]
}
