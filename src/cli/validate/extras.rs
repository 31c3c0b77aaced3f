//! Replays small records of three more brokers: an MQTT broker, NATS, a work queue.
//!
//! The record tells steps in sentences. A sentence that is not understood is not covered.

use serde_json::{Map, Value};

use super::Case;
use super::read::{Stop, each};

mod mqtt;
mod nats;
mod sentence;
mod workqueue;

/// Three brokers.
pub const SCHEMA: &str = "extras/1";
/// What says which systems were recorded.
const SYSTEMS: &str = "systems";

/// Replays the cases of each system.
pub fn replay(record: &Value) -> Vec<Case> {
    let nothing = Map::new();
    let lists = record.as_object().unwrap_or(&nothing).iter();
    let lists = lists.filter(|(name, list)| *name != SYSTEMS && !list.is_string());
    let replay_list = |(name, cases): (&String, &Value)| {
        let replay_case: fn(&Value) -> Result<(), Stop> = match name.as_str() {
            "mqtt" => mqtt::replay,
            "nats" => nats::replay,
            "beanstalk" => workqueue::replay,
            _ => |_| Err(Stop::NotCovered("another system".into())),
        };
        each(name, name, cases, replay_case)
    };
    let cases: Vec<Case> = lists.flat_map(replay_list).collect();
    if cases.is_empty() { each("extras", "cases", &Value::Null, |_| Ok(())) } else { cases }
}
