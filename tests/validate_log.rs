//! The log broker and consumer groups against what real ones did, case by case.
#![cfg(feature = "cli")]

use inflight::cli::validate::{Case, Tally, Verdict, replay_text};
use serde_json::{Value, json};

const TRUTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/truth/broker");

/// Every record of this mechanism with its number of cases.
const RECORDS: [(&str, u32); 10] = [
    ("kafka_hash.json", 87),
    ("kafka_assignors.json", 171),
    ("kafka_producer.json", 34),
    ("kafka_rebalance.json", 38),
    ("kafka_epochs.json", 10),
    ("kafka_commit.json", 15),
    ("kafka_replication.json", 14),
    ("kafka_log_rules.json", 40),
    ("kafka_defaults.json", 1),
    ("rocketmq.json", 65),
];

fn record(name: &str) -> Value {
    let text = std::fs::read(format!("{TRUTH}/{name}")).expect("the record is there");
    serde_json::from_slice(&text).expect("the record is JSON")
}

fn replay(record: &Value) -> Vec<Case> {
    replay_text(&serde_json::to_vec(record).expect("JSON can be written"))
}

#[test]
fn every_case_of_every_record_is_reproduced() {
    for (name, n_cases) in RECORDS {
        let mut tally = Tally::default();
        let cases = replay(&record(name));
        for case in &cases {
            assert_eq!(case.verdict, Verdict::Passed, "{name} {}", case.id);
            tally.add(&case.verdict);
        }
        assert_eq!(tally, Tally { passed: n_cases, ..Tally::default() }, "{name}");
    }
}

#[test]
fn no_case_is_known_by_its_name() {
    for (name, n_cases) in RECORDS {
        let mut record = record(name);
        rename(&mut record);
        let passed = replay(&record).iter().filter(|case| case.verdict == Verdict::Passed).count();
        assert_eq!(passed, n_cases as usize, "{name}");
    }
}

fn rename(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(rename),
        Value::Object(fields) => {
            // In a history of members an id is a member's and not a case's.
            let is_case =
                fields.values().any(|value| value.is_array()) && !fields.contains_key("topics");
            for (key, value) in fields.iter_mut() {
                match key.as_str() {
                    "id" if is_case => *value = json!("anything"),
                    "note" | "source" | "system" => *value = json!("anything"),
                    _ => rename(value),
                }
            }
        }
        _ => {}
    }
}

/// Places of all numbers in what was recorded, not in what was asked.
fn results(value: &Value, inside: bool, path: &str, found: &mut Vec<String>) {
    const RESULTS: [&str; 22] = [
        "results",
        "timeline",
        "unowned_intervals",
        "chosen",
        "batches",
        "partition_of_record",
        "murmur2",
        "positive",
        "partition",
        "answers",
        "entries",
        "kept_offsets",
        "segments_deleted",
        "sent_answered_bytes",
        "committed_at_crash",
        "high_watermark",
        "log_end",
        "checks_at_s",
        "delay_s",
        "cumulative_s",
        "assigned",
        "seconds",
    ];
    match value {
        Value::Number(_) if inside => found.push(path.to_owned()),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                results(value, inside, &format!("{path}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_asked = key == "records" && !inside;
                let inside = (inside || RESULTS.contains(&key.as_str())) && !is_asked;
                results(value, inside, &format!("{path}/{key}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn falsified_numbers_are_noticed() {
    for (name, _) in RECORDS {
        let record = record(name);
        let mut places = Vec::new();
        results(&record, false, "", &mut places);
        // A record's own input has the same names in places: `records` of a producer's case.
        places.retain(|place| !place.contains("/records/") || place.contains("/batches/"));
        let step = places.len().div_ceil(12).max(1);
        for place in places.iter().step_by(step) {
            let mut falsified = record.clone();
            let number = falsified.pointer_mut(place).expect("it is there");
            *number = json!(number.as_f64().expect("a number") as i64 + 1);
            let failed = replay(&falsified);
            let failed = failed.iter().filter(|c| matches!(c.verdict, Verdict::Failed(_)));
            assert_eq!(failed.count(), 1, "{name} {place}");
        }
    }
}

#[test]
fn a_partition_given_to_somebody_else_is_noticed() {
    let mut record = record("kafka_assignors.json");
    let case = record["cases"][1].clone();
    record["cases"] = json!([case]);
    let assigned = &mut record["cases"][0]["results"][0]["rounds"][0]["assigned"];
    for list in assigned.as_object_mut().expect("members").values_mut() {
        list.as_array_mut().expect("a list").push(json!("topic-99"));
    }
    assert!(matches!(replay(&record)[0].verdict, Verdict::Failed(_)));
}

#[test]
fn what_is_not_modelled_is_told_by_the_operation() {
    let cases = [
        json!({ "schema": "kafka-assign/1", "cases": [{ "assignor": "by-dice" }] }),
        json!({ "schema": "kafka-replication/1", "cases": [{
            "replicas": 1, "min_insync_replicas": 1, "steps": [{ "op": "teleport" }] }] }),
        json!({ "schema": "rocketmq/1", "allocation": [{ "strategy": "BY_ROOM" }],
            "delay_levels": [], "retry_schedule_concurrent": [], "transaction_check_schedule": [],
            "after_retry_16": "%DLQ%<group>" }),
    ];
    for record in cases {
        let cases = replay(&record);
        let uncovered = cases.iter().filter(|c| matches!(c.verdict, Verdict::NotCovered(_)));
        assert_eq!(uncovered.count(), 1, "{cases:?}");
    }
}

#[test]
fn hostile_records_fail_and_do_not_panic() {
    let huge = 99_999_999_999_u64;
    let mut hostile = vec![
        json!({ "schema": "kafka-hash/1", "vectors": [{ "key": "a", "partitions": [0] }] }),
        json!({ "schema": "kafka-hash/1", "vectors": 7 }),
        json!({ "schema": "kafka-producer/1" }),
        json!({ "schema": "kafka-producer/1", "batching": [{ "partitions": 1, "batch_size": 10,
            "linger_ms": 1, "end_ms": huge }] }),
        json!({ "schema": "kafka-replication/1", "cases": [{ "replicas": huge }] }),
        json!({ "schema": "kafka-rebalance/1", "cases": [{ "protocol": "eager" }] }),
        json!({ "schema": "kafka-log-rules/1", "long_poll": [{ "fetch_min_bytes": 1,
            "fetch_max_wait_ms": 0, "process_ms": 0, "end_ms": 10 }] }),
        json!({ "schema": "kafka-defaults/1" }),
        json!({ "schema": "kafka-commit/1" }),
        json!({ "schema": "kafka-epochs/1", "cases": [{ "epochs": [["a", 1]] }] }),
    ];
    let assign = |step: Value| {
        json!({ "schema": "kafka-assign/1", "cases": [{
            "assignor": "sticky", "steps": [step], "results": [{ "rounds": [] }] }] })
    };
    hostile.push(assign(json!({ "topics": { "t": huge } })));
    hostile.push(assign(json!({ "leave": ["nobody"] })));
    hostile.push(assign(json!({ "join": [{ "id": "a", "topics": ["t"], "owned": ["x"] }] })));
    for record in hostile {
        let cases = replay(&record);
        assert!(!cases.is_empty());
        let has_failed = cases.iter().any(|case| matches!(case.verdict, Verdict::Failed(_)));
        assert!(has_failed, "{record}: {cases:?}");
    }
}

/// An event of a timeline: its time, kind and member, and what it says besides.
fn event(t: u64, kind: &str, member: &str, more: Value) -> Value {
    let mut event = json!({ "t": t, "event": kind, "member": member });
    for (key, value) in more.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    event
}

fn group(t: u64, state: &str, generation: u32, members: u32) -> Value {
    let event = "group";
    json!({ "t": t, "event": event, "state": state, "generation": generation, "members": members })
}

/// A member dies at 12.5 s; beats every 2 s since 2 s, so the last one was heard at 12 s.
#[test]
fn other_parameters_give_other_times_by_the_same_rules() {
    for (session_ms, noticed, taken_over) in [(6000, 18_000, 18_000), (9000, 21_000, 22_000)] {
        let no_more = || json!({});
        let leads = |members: u32, generation: u32| json!({ "leader": true, "members": members, "generation": generation });
        let gets = |generation: u32, partitions: Value| json!({ "generation": generation, "partitions": partitions });
        let busy = json!({ "error": "REBALANCE_IN_PROGRESS" });
        let t = taken_over;
        let timeline = [
            event(0, "start", "a", no_more()),
            event(0, "join", "a", no_more()),
            group(0, "PreparingRebalance", 0, 1),
            event(10, "start", "b", no_more()),
            event(10, "join", "b", no_more()),
            group(10, "PreparingRebalance", 0, 2),
            group(2000, "CompletingRebalance", 1, 2),
            event(2000, "joined", "a", leads(2, 1)),
            group(2000, "Stable", 1, 2),
            event(2000, "joined", "b", json!({ "generation": 1 })),
            event(2000, "assigned", "a", gets(1, json!([0]))),
            event(2000, "assigned", "b", gets(1, json!([1]))),
            event(12_500, "crash", "b", no_more()),
            group(noticed, "PreparingRebalance", 1, 1),
            event(t, "heartbeat", "a", busy),
            event(t, "revoke", "a", json!({ "partitions": [0] })),
            event(t, "join", "a", no_more()),
            group(t, "CompletingRebalance", 2, 1),
            event(t, "joined", "a", leads(1, 2)),
            group(t, "Stable", 2, 1),
            event(t, "assigned", "a", gets(2, json!([0, 1]))),
        ];
        let begin = json!({ "from": 0, "ms": 2000 });
        let gap = json!({ "from": 12_500, "ms": t - 12_500 });
        let case = json!({
            "id": "x", "protocol": "eager", "session_ms": session_ms, "heartbeat_ms": 2000,
            "max_poll_ms": 60_000, "poll_ms": 100, "partitions": 2, "initial_delay_ms": 1000,
            "end_ms": 40_000, "script": [
                { "t": 0, "op": "start", "member": "a" }, { "t": 10, "op": "start", "member": "b" },
                { "t": 12_500, "op": "crash", "member": "b" }],
            "timeline": timeline, "unowned_intervals": { "p0": [begin], "p1": [begin, gap] },
            "final_owner": { "p0": "a", "p1": "a" },
        });
        let record = json!({ "schema": "kafka-rebalance/1", "cases": [case] });
        assert_eq!(replay(&record)[0].verdict, Verdict::Passed, "{:?}", replay(&record));
    }
}
