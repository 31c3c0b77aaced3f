//! The models against queueing theory, and what it takes to be contradicted.
//!
//! All rows take minutes of processor time (`inflight validate tests/truth/broker`); here run the
//! tables that are quick under the same rules, and of `mm1` the rows up to 70 % load.
#![cfg(feature = "cli")]

use inflight::cli::validate::{Case, Verdict, replay_text};
use serde_json::{Value, json};

const RECORD: &str = include_str!("truth/broker/queueing.json");

/// The record with these tables only, and of each the rows with at most this load.
fn part(tables: &[&str], most_load: f64) -> Value {
    let mut record: Value = serde_json::from_str(RECORD).expect("the record is JSON");
    let all = record["tables"].as_object_mut().expect("tables");
    all.retain(|name, _| tables.contains(&name.as_str()));
    for rows in all.values_mut() {
        let rows = rows.as_array_mut().expect("rows");
        rows.retain(|row| row["results"]["rho"].as_f64().is_none_or(|load| load <= most_load));
    }
    record
}

fn replay(record: &Value) -> Vec<Case> {
    replay_text(&serde_json::to_vec(record).expect("JSON can be written"))
}

#[track_caller]
fn assert_passes(record: &Value, n_passed: usize, n_not_covered: usize) {
    let cases = replay(record);
    let rows = cases.iter().filter(|case| case.id != "all rows");
    let (mut passed, mut not_covered) = (0, 0);
    for case in rows {
        match &case.verdict {
            Verdict::Passed => passed += 1,
            Verdict::NotCovered(_) => not_covered += 1,
            Verdict::Failed(why) => panic!("{}: {why}", case.id),
        }
    }
    assert_eq!((passed, not_covered), (n_passed, n_not_covered));
}

#[test]
fn stations_behave_as_theory_says() {
    assert_passes(&part(&["mm1"], 0.7), 4, 0);
    assert_passes(&part(&["md1", "gim1"], 1.0), 13, 0);
    assert_passes(&part(&["mg1"], 1.0), 10, 0);
}

#[test]
fn networks_and_closed_loops_behave_as_theory_says() {
    assert_passes(&part(&["closed_mm1"], 1.0), 5, 0);
    assert_passes(&part(&["jackson"], 1.0), 2, 0);
}

#[test]
fn parts_that_wait_for_each_other_behave_as_theory_says() {
    assert_passes(&part(&["fork_join"], 1.0), 5, 0);
}

#[test]
fn work_that_fails_and_messages_that_repeat_behave_as_theory_says() {
    assert_passes(&part(&["retry_limit"], 1.0), 6, 0);
    assert_passes(&part(&["retry_feedback"], 0.6), 1, 0);
}

#[test]
fn what_has_no_chance_in_it_is_exact() {
    assert_passes(&part(&["prefetch_window", "fluid_peak", "little_trace"], 1.0), 16, 0);
}

#[test]
fn classes_of_priority_and_times_to_live_behave_as_theory_says() {
    assert_passes(&part(&["priority", "mm1_ttl"], 1.0), 9, 0);
}

#[test]
fn a_table_that_nobody_knows_is_not_covered() {
    let mut record = part(&["mm1_ttl"], 1.0);
    let tables = record["tables"].as_object_mut().expect("tables");
    let rows = tables.remove("mm1_ttl").expect("the table");
    let n_rows = rows.as_array().expect("rows").len();
    tables.insert("unheard_of".to_owned(), rows);
    assert_passes(&record, 0, n_rows);
}

/// The row after `change`, alone in its table.
fn verdict_with(table: &str, row: usize, change: impl Fn(&mut Value)) -> Verdict {
    let mut record = part(&[table], 1.0);
    let rows = record["tables"][table].as_array_mut().expect("rows");
    let mut row = rows.swap_remove(row);
    change(&mut row);
    record["tables"][table] = json!([row]);
    replay(&record).swap_remove(0).verdict
}

#[track_caller]
fn assert_fails(table: &str, row: usize, word: &str, change: impl Fn(&mut Value)) {
    match verdict_with(table, row, change) {
        Verdict::Failed(why) if why.contains(word) => {}
        other => panic!("{table} {row}: {other:?}"),
    }
}

fn scale(value: &mut Value, factor: f64) {
    *value = json!(value.as_f64().expect("a number") * factor);
}

#[test]
fn a_mean_that_is_a_tenth_too_large_is_noticed() {
    assert_fails("mm1", 2, "W:", |row| scale(&mut row["results"]["W"], 1.1));
    assert_fails("gim1", 0, "L:", |row| scale(&mut row["results"]["L"], 1.1));
    assert_fails("closed_mm1", 1, "response", |row| scale(&mut row["results"]["response"], 1.1));
}

#[test]
fn a_percentile_that_is_a_tenth_too_large_is_noticed() {
    assert_fails("md1", 2, "sojourn 99 %", |row| {
        scale(&mut row["results"]["sojourn_percentiles"][3], 1.1);
    });
}

#[test]
fn work_that_is_four_percent_longer_is_noticed_in_the_whole_row() {
    // The theory of one rate against a world of another.
    assert_fails("mm1", 2, "W:", |row| scale(&mut row["params"]["mu"], 0.96));
}

#[test]
fn one_recorded_start_that_is_off_by_a_microsecond_is_noticed() {
    assert_fails("little_trace", 1, "arrival, start, end", |row| {
        let start = &mut row["results"]["rows_arrival_service_start_end"][4][2];
        *start = json!(start.as_f64().expect("a number") + 1e-6);
    });
}

#[test]
fn hostile_rows_fail_and_do_not_panic() {
    let hostile = [
        ("mm1", json!({"params": {"lambda_": 1, "mu": 1}, "results": {"W": 1}})),
        ("mm1", json!({"params": {"lambda_": 0, "mu": 1}, "results": {"W": 1}})),
        ("mm1", json!({"params": {"lambda_": -1, "mu": 1}, "results": {"W": 1}})),
        ("mm1", json!({"params": {"lambda_": 1e300, "mu": 1e-300}, "results": {"W": 1}})),
        ("mm1", json!({"params": {"lambda_": "x", "mu": 0}, "results": []})),
        ("mm1", json!(7)),
        ("mmc", json!({"params": {"lambda_": 1, "mu": 1, "c": 99999999}, "results": {}})),
        ("mmck", json!({"params": {"lambda_": 1, "mu": 1, "c": 4, "K": 2}, "results": {}})),
        ("tandem", json!({"params": {"lambda_": 1, "mus": []}, "results": {}})),
        ("tandem", json!({"params": {"lambda_": 3, "mus": [1]}, "results": {}})),
        ("jackson", json!({"params": {"gamma": [1], "mu": [2], "routing": [[1]]}, "results": {}})),
        ("prefetch_window", json!({"params": {"service_s": 0, "rtt_s": 1, "window": 1}})),
        ("fluid_peak", json!({"params": {"peak_seconds": -1}, "results": {}})),
        ("mm1_transient", json!({"params": {"lambda_steps": [], "mu": 1}, "results": []})),
        ("mm1_transient", json!({"params": {"lambda_steps": [[1, 1]], "mu": 1, "n0": 1}})),
        ("little_trace", json!({"params": {"arrivals": [1e99]}, "results": {}})),
        ("closed_mm1", json!({"params": {"N": 0}, "results": {}})),
    ];
    for (table, row) in hostile {
        let record = json!({"schema": "queueing/1", "tables": {table: [row]}});
        let cases = replay(&record);
        let is_failed = matches!(cases[0].verdict, Verdict::Failed(_));
        let is_excused = table == "jackson";
        assert!(is_failed || is_excused, "{row}: {cases:?}");
    }
    let broken = json!({"schema": "queueing/1", "tables": {"mm1": 3}});
    assert!(matches!(replay(&broken)[0].verdict, Verdict::Failed(_)));
}
