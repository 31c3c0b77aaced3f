//! Redis, MQTT, NATS, a work queue and the guarantee matrix against their records, case by case.
#![cfg(feature = "cli")]

use inflight::cli::validate::{Case, Tally, Verdict, replay_text};
use serde_json::{Value, json};

const TRUTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/truth/broker");

/// Every record with its cases that pass and those that are not covered: locks and the kick-out;
/// outbox, two-phase commit, bounded buffers, poison pills, kick-out.
const RECORDS: [(&str, u32, u32); 3] =
    [("redis.json", 20, 24), ("extras.json", 11, 0), ("machines.json", 144, 1421)];

fn record(name: &str) -> Value {
    let text = std::fs::read(format!("{TRUTH}/{name}")).expect("the record is there");
    serde_json::from_slice(&text).expect("the record is JSON")
}

fn replay(record: &Value) -> Vec<Case> {
    replay_text(&serde_json::to_vec(record).expect("JSON can be written"))
}

fn tally(cases: &[Case]) -> Tally {
    let mut tally = Tally::default();
    cases.iter().for_each(|case| tally.add(&case.verdict));
    tally
}

/// The machines' record without what is not covered, so that it is quick to replay.
fn small(name: &str) -> Value {
    let mut record = record(name);
    if name == "machines.json" {
        record = json!({ "schema": "machines/1", "guarantees": record["guarantees"] });
    }
    record
}

#[test]
fn every_covered_case_is_reproduced() {
    for (name, passed, not_covered) in RECORDS {
        let cases = replay(&record(name));
        for case in &cases {
            let why = &case.verdict;
            assert!(!matches!(why, Verdict::Failed(_)), "{name} {}: {why:?}", case.id);
        }
        assert_eq!(tally(&cases), Tally { passed, failed: 0, not_covered }, "{name}");
    }
}

#[test]
fn what_is_not_covered_is_locks_and_sessions() {
    let cases = replay(&record("redis.json"));
    let uncovered = cases.iter().filter(|case| matches!(case.verdict, Verdict::NotCovered(_)));
    for case in uncovered {
        assert!(["redis lock", "redis kick"].contains(&case.group.as_str()), "{case:?}");
    }
}

/// Gives every case another id and takes descriptions away.
fn rename(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(rename),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match key.as_str() {
                    "id" | "mechanism" | "system" => *value = json!("anything"),
                    _ => rename(value),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_case_is_known_by_its_name() {
    for (name, passed, _) in RECORDS {
        let mut record = small(name);
        rename(&mut record);
        assert_eq!(tally(&replay(&record)).passed, passed, "{name}");
    }
}

#[test]
fn no_group_of_cases_is_known_by_its_name() {
    let record = record("redis.json");
    let groups = record["groups"].as_object().expect("groups");
    let renamed: serde_json::Map<String, Value> =
        groups.iter().map(|(name, cases)| (format!("{name}-anything"), cases.clone())).collect();
    let cases = replay(&json!({ "schema": "redis-trace/1", "groups": renamed }));
    assert_eq!(tally(&cases), Tally { passed: 20, failed: 0, not_covered: 24 });
}

/// Places of what was seen, not of what was done.
fn seen(value: &Value, is_inside: bool, path: &str, found: &mut Vec<String>) {
    const SEEN: [&str; 12] = [
        "reply",
        "woken",
        "seq",
        "duplicate",
        "queue_group_total",
        "each_exactly_one",
        "plain_subscriber",
        "sends",
        "stored_copies",
        "deliveries",
        "effects",
        "verdict",
    ];
    match value {
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                seen(value, is_inside, &format!("{path}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                seen(
                    value,
                    is_inside || SEEN.contains(&key.as_str()),
                    &format!("{path}/{key}"),
                    found,
                );
            }
        }
        _ if is_inside => found.push(path.to_owned()),
        _ => {}
    }
}

/// Another value of the same kind.
fn falsified(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_i64().unwrap_or(0) + 1000),
        Value::String(text) => json!(format!("{text}?")),
        Value::Bool(flag) => json!(!flag),
        _ => json!("something"),
    }
}

#[test]
fn falsified_values_are_noticed() {
    for (name, passed, _) in RECORDS {
        let record = small(name);
        let mut places = Vec::new();
        seen(&record, false, "", &mut places);
        places.retain(|place| !place.contains("/lock/") && !place.contains("/kick/"));
        // How many messages a publisher sent is told by how many were received.
        places.retain(|place| !place.contains("queue_group_total"));
        let step = places.len().div_ceil(40).max(1);
        for place in places.iter().step_by(step) {
            let mut wrong = record.clone();
            let value = wrong.pointer_mut(place).expect("it is there");
            *value = falsified(value);
            let tally = tally(&replay(&wrong));
            assert_eq!((tally.passed, tally.failed), (passed - 1, 1), "{name} {place}");
        }
    }
}

#[test]
fn falsified_sentences_are_noticed() {
    let record = record("extras.json");
    for (place, value) in [
        ("/mqtt/0/steps/1/1/2/mid", json!(7)),
        ("/mqtt/0/steps/2/1/0/payload", json!("q9")),
        ("/mqtt/0/steps/2/1/1/mid", json!(2)),
        ("/mqtt/0/steps/3/1", json!([])),
        ("/mqtt/1/steps/1/1/0/dup", json!(true)),
        ("/mqtt/2/steps/1/1", json!([{ "type": "PUBREL", "mid": 1 }])),
        ("/mqtt/3/steps/0/1/1", json!("m3")),
        ("/nats/1/steps/1/1/0/1", json!(3)),
        ("/nats/1/steps/4/0", json!("t~1.6")),
        ("/nats/1/note", json!("ack_wait (0.4 s), nak with delay 0.9 s, max_deliver=2")),
        ("/nats/2/steps/0/1/1", json!("m3")),
        // Any other number only says that more was published.
        ("/nats/2/steps/1/1", json!(0)),
        ("/nats/2/steps/2/1", json!("nats: BadRequestError: code=400 err_code=10099")),
        ("/beanstalk/0/steps/4/2", json!("RESERVED b")),
        ("/beanstalk/1/steps/3/1", json!(1.8)),
        ("/beanstalk/2/steps/6/2", json!("TIMED_OUT")),
    ] {
        let mut wrong = record.clone();
        *wrong.pointer_mut(place).expect("it is there") = value;
        let tally = tally(&replay(&wrong));
        assert_eq!((tally.passed, tally.failed), (10, 1), "{place}");
    }
}

#[test]
fn other_parameters_are_replayed_too() {
    let mut record = record("extras.json");
    record["mqtt"][1]["steps"][0][0] = json!("publisher sends qos1 mid 900, then again with DUP");
    for index in 0..2 {
        record["mqtt"][1]["steps"][0][1][index]["mid"] = json!(900);
    }
    record["beanstalk"][1]["steps"][0][1] = json!("put 1 0 3 1 | j");
    record["beanstalk"][1]["steps"][3][1] = json!(3.1);
    record["nats"][0]["steps"][3]["wait_s"] = json!(9.0);
    assert_eq!(tally(&replay(&record)).passed, 11);
}

fn redis(ops: Value) -> Value {
    json!({ "schema": "redis-trace/1", "groups": { "x": [{ "ops": ops }] } })
}

#[test]
fn more_of_redis_is_known_than_was_recorded() {
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let cases = [
        json!([
            { "client": "a", "cmd": ["BLMOVE", "q", "w", "LEFT", "RIGHT", 0], "block": true },
            { "client": "b", "cmd": ["BLPOP", "w", 0], "block": true },
            { "client": "p", "cmd": ["RPUSH", "q", "x"], "reply": 1, "woken": [
                { "client": "a", "reply": "x", "t_ms": 0 },
                { "client": "b", "reply": ["w", "x"], "t_ms": 0 }] },
            { "client": "p", "cmd": ["EXISTS", "q", "w"], "reply": 0 },
        ]),
        json!([
            { "client": "a", "cmd": ["SET", "k", "text"], "reply": "OK" },
            { "client": "a", "cmd": ["MULTI"], "reply": "OK" },
            { "client": "a", "cmd": ["INCR", "n"], "reply": "QUEUED" },
            { "client": "a", "cmd": ["LPUSH", "k", "v"], "reply": "QUEUED" },
            { "client": "a", "cmd": ["BLPOP", "none", 0], "reply": "QUEUED" },
            { "client": "a", "cmd": ["INCR", "n"], "reply": "QUEUED" },
            { "client": "a", "cmd": ["EXEC"], "reply": [1, { "error": wrong_type }, null, 2] },
            { "client": "a", "cmd": ["DISCARD"], "reply": { "error": "DISCARD without MULTI" } },
        ]),
        json!([
            { "client": "a", "cmd": ["XREAD", "BLOCK", 0, "STREAMS", "s", "$"], "block": true },
            { "client": "b", "cmd": ["XREAD", "BLOCK", 100, "STREAMS", "s", "$"], "block": true },
            { "sleep": 200, "woken": [{ "client": "b", "reply": null, "t_ms": 100 }] },
            { "client": "p", "cmd": ["XADD", "s", "7-1", "f", "v"], "reply": "7-1", "woken": [
                { "client": "a", "reply": [["s", [["7-1", ["f", "v"]]]]], "t_ms": 0 }] },
            { "client": "p", "cmd": ["XGROUP", "CREATE", "s", "g", "$"], "reply": "OK" },
            { "client": "p", "cmd": ["XGROUP", "SETID", "s", "g", "0"], "reply": "OK" },
            { "client": "p", "cmd": ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"],
                "reply": [["s", [["7-1", ["f", "v"]]]]] },
            { "client": "p", "cmd": ["XGROUP", "DELCONSUMER", "s", "g", "c"], "reply": 1 },
            { "client": "p", "cmd": ["XPENDING", "s", "g"], "reply": [0, null, null, null] },
        ]),
    ];
    for ops in cases {
        let cases = replay(&redis(ops));
        assert_eq!(cases[0].verdict, Verdict::Passed);
    }
}

#[test]
fn what_is_not_modelled_is_told_by_the_operation() {
    let cases = [
        redis(json!([{ "client": "a", "cmd": ["EVAL", "x", 0], "reply": 1 }])),
        redis(json!([{ "client": "a", "cmd": ["SET", "k", "v", "NX"], "reply": "OK" }])),
        redis(json!([{ "teleport": true }])),
        json!({ "schema": "extras/1", "mqtt": [{ "steps": [["b dances", []]] }] }),
        json!({ "schema": "extras/1", "nats": [{ "steps": [["t=0 dance", 3]] }] }),
        json!({ "schema": "extras/1", "beanstalk": [{ "steps": [["a", "peek 1", "x"]] }] }),
        json!({ "schema": "extras/1", "carrier-pigeon": [{}] }),
        json!({ "schema": "machines/1", "guarantees": [], "outbox": [{}] }),
    ];
    for record in cases {
        let cases = replay(&record);
        assert_eq!(tally(&cases).not_covered, 1, "{record}: {cases:?}");
    }
}

#[test]
fn hostile_records_fail_and_do_not_panic() {
    let huge = u64::MAX;
    let cmd = |words: Value| redis(json!([{ "client": "a", "cmd": words, "reply": "?" }]));
    let mqtt = |steps: Value| json!({ "schema": "extras/1", "mqtt": [{ "steps": steps }] });
    let nats = |steps: Value| {
        json!({ "schema": "extras/1", "nats": [{
            "note": "ack_wait (0 s) max_deliver=999999 delay 0", "steps": steps }] })
    };
    let jobs = |steps: Value| json!({ "schema": "extras/1", "beanstalk": [{ "steps": steps }] });
    let hostile = [
        json!({ "schema": "redis-trace/1" }),
        json!({ "schema": "redis-trace/1", "groups": { "x": 7 } }),
        redis(json!([{ "sleep": huge }])),
        redis(json!([{ "client": "a", "cmd": ["BLPOP", "q", 0], "reply": null }])),
        redis(json!([
            { "client": "a", "cmd": ["BLPOP", "q", 0], "block": true },
            { "client": "a", "cmd": ["GET", "q"], "reply": null }])),
        cmd(json!([])),
        cmd(json!([{}])),
        cmd(json!(["GET"])),
        cmd(json!(["BLPOP", 1])),
        cmd(json!(["BLPOP", "q", "NaN"])),
        cmd(json!(["BLPOP", "q", "-1"])),
        cmd(json!(["DECRBY", "k", i64::MIN])),
        cmd(json!(["LRANGE", "k", i64::MIN, i64::MAX])),
        cmd(json!(["XADD", "s", "1-1", "odd"])),
        cmd(json!(["XADD", "s", "18446744073709551615-18446744073709551615", "a", "b"])),
        cmd(json!(["XRANGE", "s", "(18446744073709551615-18446744073709551615", "+"])),
        cmd(json!(["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s"])),
        cmd(json!(["XPENDING", "s", "g", "+", "-", 10])),
        mqtt(json!([["publisher sends qos9 mid 1", []]])),
        mqtt(json!([["publisher sends qos1 mid 0", []]])),
        mqtt(json!([["p publishes é/q1", []]])),
        mqtt(json!([7])),
        mqtt(json!([["shared group g: a", 3]])),
        nats(json!([])),
        nats(json!([{ "duplicate": false, "wait_s": -1 }])),
        nats(json!([["t=0", [["a", 1]]], ["t=1e99", [["a", huge]]]])),
        nats(json!([["fetched", ["m1"]]])),
        nats(json!([{ "queue_group_total": huge }])),
        jobs(json!([["a", "put 1 0 99999999999 1 | x", "INSERTED 1"]])),
        jobs(json!([["a", "put 1 0 1 1 | x", "INSERTED 18446744073709551615"]])),
        jobs(json!([["a", "reserve", "RESERVED x"]])),
        jobs(json!([["sleep", -1]])),
        jobs(json!([7])),
        json!({ "schema": "extras/1" }),
        json!({ "schema": "machines/1" }),
        json!({ "schema": "machines/1", "guarantees": [{}] }),
    ];
    for record in hostile {
        let cases = replay(&record);
        assert!(0 < tally(&cases).failed, "{record}: {cases:?}");
    }
}
