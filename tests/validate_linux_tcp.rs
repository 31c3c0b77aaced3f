//! The TCP end against segment traces of a real Linux kernel.
//!
//! All recorded cases run with `inflight validate`; here lie those that show each rule once.
#![cfg(feature = "cli")]

use std::path::Path;

use inflight::cli::validate::{Verdict, replay_all, replay_text};
use serde_json::Value;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth/linux-tcp")
}

#[test]
fn every_record_is_reproduced_at_the_level_that_it_allows() {
    let lines = replay_all(&folder()).expect("the folder can be read");
    assert!(50 <= lines.len(), "only {} records", lines.len());
    let bad: Vec<String> = lines
        .iter()
        .filter(|line| line.case.verdict != Verdict::Passed)
        .map(|line| format!("{}: {:?}", line.case.id, line.case.verdict))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    let exact = lines.iter().filter(|line| line.case.details["level"] == "exact").count();
    assert!(45 <= exact, "only {exact} records are held to exact segments");
}

fn record(name: &str) -> Value {
    let text = std::fs::read(folder().join(name)).expect("the record is there");
    serde_json::from_slice(&text).expect("the record is JSON")
}

fn verdict(record: &Value) -> Verdict {
    let cases = replay_text(&serde_json::to_vec(record).expect("JSON can be written"));
    cases.into_iter().next().expect("a record is a case").verdict
}

/// Each change below would be another kernel: the replay must notice.
#[test]
fn a_changed_record_is_noticed() {
    let name = "wwr_nagle_d5.json";
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("a length", |r| r["trace"][3][5] = 5.into()),
        ("an acknowledgement", |r| r["trace"][4][4] = 4.into()),
        ("a missing segment", |r| {
            r["trace"].as_array_mut().expect("a list").remove(10);
        }),
        ("a delayed acknowledgement 20 ms later", |r| {
            let rows = r["trace"].as_array_mut().expect("a list");
            for column in [7, 8, 9] {
                let at = rows[10][column].as_f64().expect("a time");
                rows[10][column] = (at + 20_000.0).into();
            }
        }),
        ("a return", |r| r["ops"]["A"][1]["ret"] = 3.into()),
        ("an error", |r| r["ops"]["A"][2]["errno"] = "EPIPE".into()),
    ];
    assert_eq!(verdict(&record(name)), Verdict::Passed);
    for (what, change) in changes {
        let mut changed = record(name);
        change(&mut changed);
        assert!(matches!(verdict(&changed), Verdict::Failed(_)), "{what}");
    }
}

#[test]
fn a_broken_record_fails_with_the_place() {
    let mut broken = record("wwr_nagle_d5.json");
    broken["ops"]["A"][1]["op"] = "fly".into();
    let Verdict::Failed(why) = verdict(&broken) else { panic!("it passed") };
    assert!(why.contains("fly"), "{why}");
    let mut broken = record("wwr_nagle_d5.json");
    broken["config"]["mtu"] = Value::Null;
    let Verdict::Failed(why) = verdict(&broken) else { panic!("it passed") };
    assert!(why.contains("mtu"), "{why}");
}
