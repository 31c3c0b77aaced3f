//! Replays tables of queueing theory: measures what the models do, and compares.
//!
//! A row passes when every compared value lies in its 99 % interval or within 2 % of theory, all
//! intervals are narrow (2 % of the value on either side, 4 % for percentiles from the 99th on),
//! Little's law held exactly in every run, and the gaps and services drawn are what was asked for.
//! Over all rows at least 97 % of the values must lie in their interval: the last case says so.
//! Seeds are fixed, so the same build gives the same figures everywhere.

use serde_json::{Value, json};

use super::{Case, Verdict};

mod classes;
mod collect;
mod estimate;
mod networks;
mod repeats;
mod rows;
mod runs;
mod special;
mod steady;
pub(super) mod worlds;

use estimate::{Estimate, Figure, Method, Quantity};
use rows::Row;
use runs::Outcome;

/// The schema of records that are replayed here.
pub const SCHEMA: &str = "queueing/1";

/// The part of all values that must lie in their 99 % interval.
const LEAST_INSIDE: f64 = 0.97;

/// What became of a row.
enum Answer {
    Measured(Outcome),
    NotCovered(&'static str),
}

/// Replays all tables of a record.
pub fn replay(record: &Value, tell: &mut dyn FnMut(Case)) {
    let Some(tables) = record.get("tables").and_then(Value::as_object) else {
        let why = "`tables` is missing or no object".to_owned();
        return tell(Case::new("-", "queueing", Verdict::Failed(why)));
    };
    let mut tally = Inside::default();
    for (table, rows) in tables {
        let group = format!("queueing/{table}");
        let Some(rows) = rows.as_array() else {
            let why = "this table is no list".to_owned();
            tell(Case::new(table, group, Verdict::Failed(why)));
            continue;
        };
        for (index, row) in rows.iter().enumerate() {
            let id = format!("{table}/{}", index + 1);
            tell(replay_row(table, row, Case::new(id, &group, Verdict::Passed), &mut tally));
        }
    }
    if 0 < tally.n {
        tell(tally.case());
    }
}

fn replay_row(table: &str, row: &Value, mut case: Case, tally: &mut Inside) -> Case {
    let null = Value::Null;
    let params = row.get("params").unwrap_or(&null);
    let results = row.get("results").unwrap_or(&null);
    let answer = measure(table, Row { params, results }, seed_of(&case.id));
    let outcome = match answer {
        Ok(Answer::Measured(outcome)) => outcome,
        Ok(Answer::NotCovered(why)) => {
            case.verdict = Verdict::NotCovered(why.to_owned());
            return case;
        }
        Err(why) => {
            case.verdict = Verdict::Failed(why);
            return case;
        }
    };
    tally.add(&outcome);
    case.note = note(&outcome);
    case.details = details(&outcome);
    let wrong: Vec<String> = outcome.estimates.iter().filter_map(|(q, e)| fault(q, e)).collect();
    let wrong = [wrong, outcome.objections].concat();
    if !wrong.is_empty() {
        case.verdict = Verdict::Failed(wrong.join("; "));
    }
    case
}

/// Every row has draws of its own.
fn seed_of(id: &str) -> u64 {
    crate::kernel::random::path_hash(id) & 0xffff_ffff
}

fn measure(table: &str, row: Row<'_>, seed: u64) -> Result<Answer, String> {
    match table {
        "mm1" | "mmck" | "mmc" | "md1" | "mg1" | "gim1" => steady::measure(table, row, seed),
        "tandem" => networks::tandem(row, seed),
        "jackson" => networks::jackson(row, seed),
        "dispatch_comparison" => networks::dispatch(row, seed),
        "batch_arrivals_mm1" => networks::batches(row, seed),
        "closed_mm1" => networks::closed(row, seed),
        "prefetch_window" => special::prefetch(row),
        "fluid_peak" => special::fluid_peak(row),
        "mm1_transient" => special::transient(row.params, row.results, seed),
        "little_trace" => special::trace(row),
        "priority" => classes::priority(row, seed),
        "fork_join" => networks::fork_join(row, seed),
        "mm1_ttl" => classes::ttl(row, seed),
        "at_least_once_duplicates" => repeats::duplicates(row, seed),
        "retry_feedback" => classes::feedback(row, seed),
        "retry_limit" => repeats::limit(row, seed),
        _ => Ok(Answer::NotCovered("nothing here replays this table")),
    }
}

/// What is wrong with one value.
fn fault(quantity: &Quantity, estimate: &Estimate) -> Option<String> {
    let Quantity { name, theory, .. } = quantity;
    let Estimate { value, half, .. } = estimate;
    if quantity.limit() * theory.abs() < *half {
        let wide = 100.0 * half / theory.abs();
        return Some(format!("{name}: the interval is {wide:.1} % wide on either side"));
    }
    (!quantity.is_met(estimate))
        .then(|| format!("{name}: {value:.6} +- {half:.6}, theory {theory}"))
}

/// How many values lie in their intervals.
#[derive(Clone, Copy, Default)]
struct Inside {
    n: u32,
    n_inside: u32,
}

impl Inside {
    /// Values without any randomness have no interval and do not count, nor do those whose theory
    /// is an approximation.
    fn add(&mut self, outcome: &Outcome) {
        for (quantity, estimate) in &outcome.estimates {
            let is_near = matches!(quantity.figure, Figure::Near(..));
            if estimate.method != Method::Exact && quantity.theory != 0.0 && !is_near {
                self.n += 1;
                let off = (estimate.value - quantity.theory).abs();
                self.n_inside += u32::from(off <= estimate.half);
            }
        }
    }

    fn case(self) -> Case {
        let Inside { n, n_inside } = self;
        let share = f64::from(n_inside) / f64::from(n);
        let said = format!("{n_inside} of {n} values lie in their 99 % interval");
        let verdict = match LEAST_INSIDE <= share {
            true => Verdict::Passed,
            false => Verdict::Failed(format!("{said}: fewer than {} %", 100.0 * LEAST_INSIDE)),
        };
        let mut case = Case::new("all rows", "queueing/all rows", verdict);
        case.note = said;
        case
    }
}

fn note(outcome: &Outcome) -> String {
    let mut off = 0.0_f64;
    let mut wide = 0.0_f64;
    for (quantity, estimate) in outcome.estimates.iter().filter(|(q, _)| q.theory != 0.0) {
        off = off.max((estimate.value / quantity.theory - 1.0).abs());
        wide = wide.max(estimate.half / quantity.theory.abs());
    }
    let mut methods: Vec<&str> = outcome.estimates.iter().map(|(_, e)| e.method.word()).collect();
    methods.sort_unstable();
    methods.dedup();
    let (n, methods) = (outcome.estimates.len(), methods.join(" and "));
    let messages = outcome.n_messages as f64 / 1e6;
    format!(
        "{n} values, at most {:.2} % off, 99 % intervals at most +-{:.2} %, {methods}, \
         {messages:.1}M messages",
        100.0 * off,
        100.0 * wide,
    )
}

fn details(outcome: &Outcome) -> Value {
    let value = |(quantity, estimate): &(Quantity, Estimate)| {
        json!({
            "name": quantity.name,
            "theory": quantity.theory,
            "measured": estimate.value,
            "half_width_99": estimate.half,
            "method": estimate.method.word(),
        })
    };
    let values: Vec<Value> = outcome.estimates.iter().map(value).collect();
    json!({ "messages": outcome.n_messages, "values": values })
}
