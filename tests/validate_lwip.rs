//! lwIP's model against what a real lwIP did in virtual time: every record, to the last bit.
//! Each runs twice: on a bare board, and on that of a host with the profile `stm32` on which
//! nothing takes time: that the board adds nothing of its own to lwIP is proved here too.
#![cfg(feature = "cli")]

use inflight::cli::validate::{Case, Line, Verdict, replay_all, replay_text};
use serde_json::{Value, json};
use std::path::Path;

const TRUTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/truth/lwip");

fn record(name: &str) -> Value {
    let text = std::fs::read(format!("{TRUTH}/{name}.json")).expect("the record is there");
    serde_json::from_slice(&text).expect("the record is JSON")
}

fn replay(record: &Value) -> Case {
    let cases = replay_text(record.to_string().as_bytes());
    // What one finds the other does.
    let same =
        |case: &&Case| (case.verdict == Verdict::Passed) != (cases[0].verdict == Verdict::Passed);
    assert_eq!(cases.iter().find(same), None);
    cases.into_iter().next().expect("a record is a case")
}

#[test]
fn every_record_is_met_at_the_highest_level() {
    let lines = replay_all(Path::new(TRUTH)).expect("the records are there");
    let failed: Vec<&Line> =
        lines.iter().filter(|line| line.case.verdict != Verdict::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    // 102 traces twice, 3 heaps, 2 tables of buffers.
    assert_eq!(lines.len(), 209);
    let traces = lines.iter().filter(|line| line.case.details["level"] == 4);
    assert_eq!(traces.count(), 204);
    let boards = lines.iter().filter(|line| line.case.group.starts_with("stm32 "));
    assert_eq!(boards.count(), 102);
}

#[test]
fn no_case_is_known_by_its_name() {
    let mut nameless = record("burst-04-article-nodelay");
    nameless["id"] = json!("x");
    nameless["title"] = json!("");
    nameless["mechanisms"] = json!([]);
    assert_eq!(replay(&nameless).verdict, Verdict::Passed);
}

/// Whatever a record says of a segment or an event, another value is a difference.
#[test]
fn any_falsified_value_is_found() {
    for name in ["wwr-04-nagle-lwip-peer", "mem-01-pbuf-pool-exhausted", "loss-11-two-in-window"] {
        let truth = record(name);
        for list in ["segments", "events"] {
            let n = truth[list].as_array().expect("a list").len();
            for index in (0..n).step_by(7) {
                let row = truth[list][index].as_object().expect("an object");
                for key in row.keys() {
                    let mut falsified = truth.clone();
                    let value = &mut falsified[list][index][key.as_str()];
                    *value = match value.as_i64() {
                        Some(number) => json!(number + 1),
                        None => json!("something else"),
                    };
                    let verdict = replay(&falsified).verdict;
                    let failed = matches!(verdict, Verdict::Failed(_));
                    assert!(failed, "{name}: {list} {index}: {key}: {verdict:?}");
                }
            }
        }
    }
}

#[test]
fn a_falsified_high_water_mark_is_found() {
    let mut falsified = record("recv-11-ooseq");
    falsified["memory_stats"]["heap"]["max"] = json!(1);
    assert!(matches!(replay(&falsified).verdict, Verdict::Failed(_)));
    let mut falsified = record("unit-heap-1600");
    falsified["ops"][0][3] = json!(0);
    assert!(matches!(replay(&falsified).verdict, Verdict::Failed(_)));
    let mut falsified = record("unit-pbuf-592");
    falsified["rows"][3]["heap_used"] = json!(0);
    assert!(matches!(replay(&falsified).verdict, Verdict::Failed(_)));
}

#[test]
fn a_broken_record_fails_with_a_reason() {
    for (field, key, value) in [
        ("dut", "version", json!("9.9")),
        ("peer", "kind", json!("ghost")),
        ("link", "delay_us", json!("soon")),
    ] {
        let mut broken = record("rr-01-cubemx-default");
        broken[field][key] = value;
        let Verdict::Failed(why) = replay(&broken).verdict else { panic!("{field} {key}") };
        assert!(!why.is_empty());
    }
}
