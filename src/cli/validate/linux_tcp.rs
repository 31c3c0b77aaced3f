//! Replays segment traces of the real Linux kernel, schema `linux-tcp-truth/1`: two ends and a
//! wire run both application scripts, then segments, returns and times are compared.
//!
//! Three levels, by how stable the recording is. *Exact*: the segments of each direction, the
//! returns of calls, `TCP_INFO`, and every segment's time after its cause. *Data*: the same for
//! data segments; acknowledgements by count. *Totals*: counts, and the recorded latencies.
//!
//! The cause of a segment is what the model says: the arrival of a segment, a step of a script,
//! or a timer that one of these set. The recording must show the same delay after the same cause,
//! within 0.6 ms or 1.5 %. Where a timer made the delay, the recorded one is a draw from the
//! timer's late slots: within 8 ms, or an eighth from 252 ms on. See [`judge`].

mod host;
mod judge;
mod record;
mod run;

use serde_json::{Value, json};

use super::{Case, Verdict};

/// The schema of records that are replayed here.
pub const SCHEMA: &str = "linux-tcp-truth/1";

/// Replays one record: one case.
pub fn replay(record: &Value) -> Vec<Case> {
    let id = record.get("id").and_then(Value::as_str).unwrap_or("-").to_owned();
    let group = record.get("group").and_then(Value::as_str).unwrap_or("-").to_owned();
    let mut case = Case::new(id, format!("linux-tcp {group}"), Verdict::Passed);
    match record::Record::parse(record) {
        Ok(record) => {
            let traced = run::run(&record);
            let judgement = judge::judge(&record, &traced);
            case.note = judgement.note;
            case.details = json!({ "level": judgement.level });
            if let Some(why) = judgement.difference {
                case.verdict = Verdict::Failed(why);
            }
        }
        Err(why) => case.verdict = Verdict::Failed(why),
    }
    vec![case]
}
