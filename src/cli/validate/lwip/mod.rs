//! Replays `lwip-truth/1`: what a real lwIP did in virtual time, segment by segment.
//!
//! The same stack options, link, peer and program run on [`lwip`](crate::model::tcp::lwip), once
//! behind a device that takes all at once and once on a board as documents make it, and
//! what leaves both ends is compared in order. Levels: 1 direction, flags, length, position;
//! 2 also times; 3 also acknowledgement and window; 4 also the program's events.
//! A case passes at level 4 with the same memory high-water marks.

use serde_json::{Value, json};

use super::{Case, Verdict};

mod app;
mod link;
mod peer;
mod plan;
mod setup;
mod sim;
pub mod unit;

use sim::{Played, Sim};

/// The schema that this module replays.
pub const SCHEMA: &str = "lwip-truth/1";

/// Differences of times that count as equal where the link has a rate, in µs.
const RATE_TOLERANCE_US: u64 = 1;
/// Keys of a segment by level.
const KEYS_L1: [&str; 6] = ["dir", "conn", "flags", "len", "seq", "mss"];
const KEYS_L2: [&str; 4] = ["t_us", "rx_us", "proc_us", "drop"];
const KEYS_L3: [&str; 3] = ["ack", "win", "rtx"];

/// Which stack a record is replayed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum On {
    /// lwIP as it is.
    Stack,
    /// lwIP on the board of a host with the profile `stm32`, nothing of which takes time.
    Board,
}

/// Replays a record: one case on lwIP as it is, and one on an STM32's board.
pub fn replay(record: &Value) -> Vec<Case> {
    vec![replay_on(record, On::Stack), replay_on(record, On::Board)]
}

fn replay_on(record: &Value, on: On) -> Case {
    let id = record["id"].as_str().unwrap_or("-");
    let group = record["group"].as_str().unwrap_or("unnamed");
    let (id, group) = match on {
        On::Stack => (id.to_owned(), format!("lwip {group}")),
        On::Board => (format!("{id}, through a board"), format!("stm32 {group}")),
    };
    let mut case = Case::new(&id, group, Verdict::Passed);
    match play(record, on) {
        Err(why) => case.verdict = Verdict::Failed(why),
        Ok(played) => {
            let (level, difference) = compare(record, &played);
            case.note = format!("level {level}, {} segments", played.segments.len());
            case.details = json!({ "level": level, "difference": difference });
            if let Some(why) = difference {
                case.verdict = Verdict::Failed(format!("level {level}: {why}"));
            }
        }
    }
    case
}

fn play(record: &Value, on: On) -> Result<Played, String> {
    Sim::new(record, on)?.run(setup::number(record, "duration_us")?)
}

/// The level that was reached, and the first difference above it.
fn compare(record: &Value, played: &Played) -> (u8, Option<String>) {
    let has_rate = !record["link"]["rate_bps"].is_null();
    let tolerance = if has_rate { RATE_TOLERANCE_US } else { 0 };
    let empty = Vec::new();
    let expected = record["segments"].as_array().unwrap_or(&empty);
    for (level, keys) in [(1, &KEYS_L1[..]), (2, &KEYS_L2[..]), (3, &KEYS_L3[..])] {
        let same = |a: &Value, b: &Value| same_keys(a, b, keys, tolerance);
        if let Some(why) = first_difference("segment", expected, &played.segments, same) {
            return (level - 1, Some(why));
        }
    }
    let expected = record["events"].as_array().unwrap_or(&empty);
    let same = |a: &Value, b: &Value| same_event(a, b, tolerance);
    if let Some(why) = first_difference("event", expected, &played.events, same) {
        return (3, Some(why));
    }
    let expected = record["request_latencies"].as_array().unwrap_or(&empty);
    if let Some(why) = first_difference("request", expected, &played.latencies, same) {
        return (3, Some(why));
    }
    (4, compare_memory(&record["memory_stats"], &played.memory_stats))
}

fn first_difference(
    what: &str,
    expected: &[Value],
    found: &[Value],
    same: impl Fn(&Value, &Value) -> bool,
) -> Option<String> {
    let n = expected.len().max(found.len());
    for index in 0..n {
        let (a, b) = (expected.get(index), found.get(index));
        if !matches!((a, b), (Some(a), Some(b)) if same(a, b)) {
            let show = |row: Option<&Value>| row.map_or("none".to_owned(), Value::to_string);
            return Some(format!("{what} {}: {}, ours {}", index + 1, show(a), show(b)));
        }
    }
    None
}

fn same_keys(a: &Value, b: &Value, keys: &[&str], tolerance: u64) -> bool {
    let is_reset = a["flags"].as_str().is_some_and(|flags| flags.contains('R'));
    keys.iter().all(|key| {
        // lwIP sends the window of a reset byte-swapped; it means nothing.
        (is_reset && *key == "win") || same_value(key, &a[*key], &b[*key], tolerance)
    })
}

fn same_event(a: &Value, b: &Value, tolerance: u64) -> bool {
    let (Some(x), Some(y)) = (a.as_object(), b.as_object()) else { return false };
    x.len() == y.len() && x.keys().all(|key| same_value(key, &a[key], &b[key], tolerance))
}

/// Times may differ by the tolerance; everything else is equal.
fn same_value(key: &str, a: &Value, b: &Value, tolerance: u64) -> bool {
    match (a.as_u64(), b.as_u64()) {
        (Some(a), Some(b)) if key.ends_with("_us") => a.abs_diff(b) <= tolerance,
        _ => a == b,
    }
}

/// High-water marks, what is in use at the end, and errors.
fn compare_memory(expected: &Value, found: &Value) -> Option<String> {
    for (pool, row) in found.as_object().into_iter().flatten() {
        for (key, value) in row.as_object().into_iter().flatten() {
            let want = &expected[pool][key];
            if !want.is_null() && want != value {
                return Some(format!("memory: {pool} {key} is {want}, ours {value}"));
            }
        }
    }
    None
}
