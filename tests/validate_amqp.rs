//! The queue broker against what a real one did, operation by operation.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;

use inflight::cli::validate::{Line, Tally, Verdict, replay_text};
use serde_json::Value;

const TRUTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/truth/broker");

fn amqp_lines() -> Vec<Line> {
    let files = std::fs::read_dir(TRUTH).expect("the records are there");
    let mut names: Vec<String> =
        files.map(|f| f.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with("amqp_"));
    names.sort();
    let lines = |file: String| {
        let text = std::fs::read(format!("{TRUTH}/{file}")).expect("the record is there");
        replay_text(&text).into_iter().map(move |case| Line { file: file.clone(), case })
    };
    names.into_iter().flat_map(lines).collect()
}

fn record(name: &str) -> Value {
    let text = std::fs::read(format!("{TRUTH}/{name}")).expect("the record is there");
    serde_json::from_slice(&text).expect("the record is JSON")
}

#[test]
fn the_broker_contradicts_no_record() {
    let failed: Vec<Line> = amqp_lines()
        .into_iter()
        .filter(|line| matches!(line.case.verdict, Verdict::Failed(_)))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn all_is_reproduced_but_a_crash_of_the_real_broker() {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for line in amqp_lines() {
        tallies.entry(line.file.clone()).or_default().add(&line.case.verdict);
        if let Verdict::NotCovered(why) = &line.case.verdict {
            assert!(why.contains("queue process crashes"), "{line:?}");
        }
    }
    let expected = [
        ("consumers", 9, 1),
        ("delay", 3, 0),
        ("dispatch", 26, 0),
        ("dlx", 9, 0),
        ("exchange", 6, 0),
        ("maxlen", 11, 0),
        ("priority", 8, 0),
        ("publish", 10, 0),
        ("quorum", 5, 0),
        ("requeue", 24, 0),
        ("restart", 3, 0),
        ("topicmatrix", 2, 0),
        ("ttl", 12, 0),
        ("walk", 15, 0),
    ];
    let expected = expected.map(|(name, passed, not_covered)| {
        let tally = Tally { passed, not_covered, ..Tally::default() };
        (format!("amqp_{name}.json"), tally)
    });
    assert_eq!(tallies, BTreeMap::from(expected));
}

/// Every recorded delivery of a case, to be falsified one at a time.
fn deliveries(case: &Value) -> Vec<(usize, usize)> {
    let ops = case["ops"].as_array().expect("a trace");
    let of_op = |(op, value): (usize, &Value)| {
        let n_events = value["observed"].as_array().map_or(0, Vec::len);
        (0..n_events).map(move |event| (op, event)).collect::<Vec<_>>()
    };
    ops.iter().enumerate().flat_map(of_op).collect()
}

/// Falsifies every recorded event of a file, one at a time; answers how many there are.
fn falsify(name: &str, change: impl Fn(&mut Value)) -> usize {
    let record = record(name);
    let mut n_falsified = 0;
    for (index, case) in record["cases"].as_array().expect("cases").iter().enumerate() {
        for (op, event) in deliveries(case) {
            let mut falsified = record.clone();
            falsified["cases"] = Value::Array(vec![case.clone()]);
            let observed = &mut falsified["cases"][0]["ops"][op]["observed"][event];
            let before = observed.clone();
            change(observed);
            if *observed == before {
                continue;
            }
            let text = serde_json::to_vec(&falsified).expect("JSON can be written");
            let cases = replay_text(&text);
            let noticed = matches!(cases[0].verdict, Verdict::Failed(_));
            assert!(noticed, "case {index}, operation {op}, event {event}: {cases:?}");
            n_falsified += 1;
        }
    }
    n_falsified
}

#[test]
fn every_falsified_delivery_is_noticed() {
    let n_falsified = falsify("amqp_requeue.json", |event| {
        event["body"] = "something else".into();
        event["text"] = "something else".into();
    });
    assert!(80 < n_falsified, "{n_falsified}");
}

#[test]
fn every_falsified_time_and_header_is_noticed() {
    let mut n_falsified = 0;
    for shift in [-130, 130] {
        n_falsified += falsify("amqp_delay.json", |event| {
            for key in ["/t_ms", "/t_spread/0", "/t_spread/1"] {
                let time = event.pointer_mut(key).expect("it is timed");
                *time = (time.as_i64().expect("in ms") + shift).into();
            }
        });
    }
    assert_eq!(n_falsified, 20);
    for key in ["/headers/x-death/0/count", "/headers/x-first-death-queue", "/key", "/t_ms"] {
        n_falsified += falsify("amqp_dlx.json", |event| {
            if let Some(value) = event.pointer_mut(key) {
                *value = 4_000.into();
                event.as_object_mut().expect("an event").remove("t_spread");
            }
        });
    }
    assert_eq!(n_falsified, 20 + 5 + 5 + 6 + 5);
    let n_falsified = falsify("amqp_quorum.json", |event| {
        if let Some(count) = event.pointer_mut("/headers/x-delivery-count") {
            *count = 7.into();
        }
        if let Some(offset) = event.pointer_mut("/headers/x-stream-offset") {
            *offset = 7.into();
        }
    });
    assert_eq!(n_falsified, 4 + 12);
}

#[test]
fn every_falsified_count_of_a_message_that_expired_is_noticed() {
    let record = record("amqp_ttl.json");
    let mut n_falsified = 0;
    for case in record["cases"].as_array().expect("cases") {
        for (op, value) in case["ops"].as_array().expect("a trace").iter().enumerate() {
            let Some(ready) = value.pointer("/result/q/ready").and_then(Value::as_u64) else {
                continue;
            };
            let mut falsified = record.clone();
            falsified["cases"] = Value::Array(vec![case.clone()]);
            falsified["cases"][0]["ops"][op]["result"]["q"]["ready"] = (ready + 1).into();
            let text = serde_json::to_vec(&falsified).expect("JSON can be written");
            assert!(matches!(replay_text(&text)[0].verdict, Verdict::Failed(_)), "{case}");
            n_falsified += 1;
        }
    }
    assert!(15 < n_falsified, "{n_falsified}");
}

#[test]
fn a_missing_delivery_and_a_wrong_count_are_noticed() {
    let mut record = record("amqp_dispatch.json");
    let case = &mut record["cases"][0];
    case["ops"][3]["observed"].as_array_mut().expect("deliveries").pop();
    let counted = record["cases"][1]["ops"].as_array_mut().expect("a trace").last_mut();
    counted.expect("a count")["result"]["q"]["ready"] = 1.into();
    let cases = replay_text(&serde_json::to_vec(&record).expect("JSON can be written"));
    for case in &cases[..2] {
        assert!(matches!(case.verdict, Verdict::Failed(_)), "{case:?}");
    }
    assert_eq!(cases[2].verdict, Verdict::Passed);
}

#[test]
fn what_is_not_modelled_is_told_by_the_operation_and_not_by_the_name() {
    let mut record = record("amqp_dispatch.json");
    for case in record["cases"].as_array_mut().expect("cases") {
        case["id"] = "anything".into();
        case["mechanism"] = "anything".into();
        case["ops"][0]["op"] = "teleport".into();
    }
    let cases = replay_text(&serde_json::to_vec(&record).expect("JSON can be written"));
    assert_eq!(cases.len(), 26);
    for case in cases {
        assert!(matches!(case.verdict, Verdict::NotCovered(_)), "{case:?}");
    }
}

#[test]
fn hostile_values_fail_and_do_not_panic() {
    let hostile = [
        r#"{"op": "publish", "key": "q", "bodies": "m1"}"#,
        r#"{"op": "publish", "key": 7, "bodies": []}"#,
        r#"{"op": "qos", "prefetch": -1}"#,
        r#"{"op": "qos", "prefetch": 1e300}"#,
        r#"{"op": "get", "queue": "q", "n": 99999999999999999999}"#,
        r#"{"op": "ack", "body": "never seen"}"#,
        r#"{"op": "ack"}"#,
        r#"{"op": "queue", "name": "x", "args": {"x-max-length": -5}}"#,
        r#"{"op": "queue", "name": "x", "args": []}"#,
        r#"{"op": "queue", "name": "x", "args": {"x-message-ttl": -1}}"#,
        r#"{"op": "publish", "key": "q", "bodies": ["a"], "props": {"delivery_mode": "two"}}"#,
        r#"{"op": "count", "queues": ["q"], "at_ms": -3}"#,
        r#"{"op": "count", "queues": ["q"], "at_ms": 1e300}"#,
        r#"{"op": "sleep", "ms": "long"}"#,
        r#"{"op": null}"#,
        r#"[]"#,
    ];
    for op in hostile {
        let text = format!(
            r#"{{"schema": "amqp-trace/1", "group": "x", "cases": [{{"id": "a", "ops": [
                {{"op": "queue", "name": "q"}}, {op}]}}]}}"#
        );
        let cases = replay_text(text.as_bytes());
        assert!(matches!(&cases[0].verdict, Verdict::Failed(why) if why.contains("op 2")), "{op}");
    }
}

/// Runs `inflight validate` on a folder with one file; answers exit code and output.
fn run_validate(name: &str, record: &[u8], more: &[&str]) -> (Option<i32>, String) {
    let folder = std::env::temp_dir().join(format!("inflight-{}-{name}", std::process::id()));
    std::fs::create_dir_all(folder.join("below")).expect("a folder can be made");
    std::fs::write(folder.join("below/record.json"), record).expect("a file can be written");
    std::fs::write(folder.join("index.json"), "no record").expect("a file can be written");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_inflight"));
    let done = command.arg("validate").arg(&folder).args(more).output().expect("it runs");
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    (done.status.code(), String::from_utf8(done.stdout).expect("the output is text"))
}

#[test]
fn the_command_ends_with_a_count_and_fails_when_a_case_fails() {
    let good = record("amqp_dispatch.json");
    let text = serde_json::to_vec(&good).expect("JSON can be written");
    let (code, output) = run_validate("good", &text, &[]);
    assert_eq!(code, Some(0));
    assert_eq!(output.lines().last(), Some("26 passed, 0 failed, 0 not covered"));

    let mut bad = good;
    bad["cases"][0]["ops"][3]["observed"] = Value::Null;
    let text = serde_json::to_vec(&bad).expect("JSON can be written");
    let (code, output) = run_validate("bad", &text, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(output.lines().last(), Some("25 passed, 1 failed, 0 not covered"));
    assert!(
        output.lines().any(|line| line.starts_with("FAIL") && line.contains("rr-2c-7m-manual"))
    );

    let (code, output) = run_validate("json", &text, &["--json"]);
    assert_eq!(code, Some(1));
    let output: Value = serde_json::from_str(&output).expect("the output is JSON");
    assert_eq!([&output["passed"], &output["failed"]], [25, 1]);
}

#[test]
fn a_broken_file_fails_and_a_missing_folder_is_an_error() {
    let (code, output) = run_validate("broken", b"{\"schema\":", &[]);
    assert_eq!(code, Some(1));
    assert_eq!(output.lines().last(), Some("0 passed, 1 failed, 0 not covered"));
    assert!(output.contains("below/record.json"));

    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_inflight"));
    let done = command.args(["validate", "/nowhere/at/all"]).output().expect("it runs");
    assert_eq!(done.status.code(), Some(2));
}
