//! A run as one JSON object. Its keys are part of the interface: `docs/command-line.md` lists them.

use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::cli::report::{QUANTILES, book_lines, ledger_lines, share_ppm};
use crate::cli::run::Outcome;
use crate::model::fact::Cause;
use crate::observe::{Book, Entry, Guarantee, Histogram, Ledger, Row, Seen, Verdict};
use crate::param::{Lang, Said};

/// Version of the object's layout. Keys are added without a new one; none changes its meaning.
const FORMAT: u32 = 1;

/// What `inflight run --json` prints.
#[derive(Serialize)]
struct Whole<'a> {
    format: u32,
    engine: &'static str,
    scenario: Value,
    changes: Vec<Value>,
    now_ns: u64,
    until_ns: u64,
    stopped: Option<&'static str>,
    events: u64,
    facts: u64,
    wall_s: f64,
    events_per_s: u64,
    latency: Value,
    ledger: Value,
    book: Value,
    promises: Vec<Value>,
    budget: Vec<Value>,
    series: Value,
    fingerprint: String,
    link_fingerprint: Option<Value>,
    link: &'a str,
    notices: &'a [String],
}

/// A run as JSON, in one line.
pub fn object(outcome: &Outcome) -> String {
    let session = &outcome.session;
    let seen = session.seen();
    let change = |(path, value): &(String, String)| json!({ "param": path, "value": value });
    let whole = Whole {
        format: FORMAT,
        engine: env!("CARGO_PKG_VERSION"),
        scenario: scenario(outcome),
        changes: outcome.changes.iter().map(change).collect(),
        now_ns: outcome.reached().ns(),
        until_ns: session.until().ns(),
        stopped: session.stopped().map(|stop| stop.text().get(Lang::En)),
        events: session.events(),
        facts: session.world().ground.facts.count(),
        wall_s: outcome.wall.as_secs_f64(),
        events_per_s: outcome.events_per_second(),
        latency: latency(&seen.latency),
        ledger: ledger(&seen.ledger),
        book: book(&seen.guarantees.book),
        promises: promises(outcome),
        budget: budget(seen),
        series: series(outcome),
        fingerprint: format!("{:016x}", session.fingerprint()),
        link_fingerprint: outcome.check.as_ref().map(|check| {
            let found = check.found.map(|found| format!("{found:08x}"));
            let expected = format!("{:08x}", check.expected);
            json!({ "expected": expected, "found": found, "matches": check.matches() })
        }),
        link: &outcome.link,
        notices: &outcome.notices,
    };
    serde_json::to_string(&whole).expect("texts and numbers become JSON")
}

fn said(said: &Said) -> Value {
    json!({ "en": said.en, "zh": said.zh })
}

fn scenario(outcome: &Outcome) -> Value {
    let scenario = outcome.session.scenario();
    json!({
        "id": scenario.id,
        "topic": scenario.topic,
        "title": said(&scenario.title),
        "seed": scenario.seed,
        "n_actors": scenario.actors.len(),
        "n_channels": scenario.channels.len(),
    })
}

/// A sum in ns, exact while it fits 64 bits.
fn wide(ns: u128) -> Value {
    match u64::try_from(ns) {
        Ok(ns) => Value::from(ns),
        Err(_) => Number::from_f64(ns as f64).map_or(Value::Null, Value::Number),
    }
}

fn latency(histogram: &Histogram) -> Value {
    let has = histogram.count() != 0;
    let mut object = json!({
        "count": histogram.count(),
        "sum_ns": wide(histogram.sum()),
        "min_ns": has.then(|| histogram.min()),
        "mean_ns": histogram.mean(),
    });
    for (name, ppm) in QUANTILES {
        object[format!("{}_ns", name.replace('.', ""))] = json!(histogram.quantile(ppm));
    }
    object["max_ns"] = json!(has.then(|| histogram.max()));
    let cell = |(low, width, n): (u64, u64, u64)| json!([low, width, n]);
    object["cells"] = histogram.cells().map(cell).collect();
    object
}

fn ledger(ledger: &Ledger) -> Value {
    let mut object = json!({});
    for (key, _, count) in ledger_lines(ledger) {
        object[key.replace('-', "_")] = json!(count);
    }
    let entry = |entry: &Entry| {
        let why = entry.why.map(|why| why.text().get(Lang::En));
        json!({ "at_ns": entry.at.ns(), "msg": entry.msg.0, "why": why })
    };
    for (key, list) in [
        ("newest_lost", &ledger.newest_lost),
        ("newest_duplicated", &ledger.newest_duplicated),
        ("newest_redelivered", &ledger.newest_redelivered),
        ("newest_reordered", &ledger.newest_reordered),
    ] {
        object[key] = list.iter().map(entry).collect();
    }
    object
}

fn book(book: &Book) -> Value {
    let mut object = json!({});
    for (key, _, coins) in book_lines(book) {
        object[key.replace('-', "_")] = json!(coins);
    }
    object
}

/// Whether each promise is kept: null means that only the end will tell.
fn promises(outcome: &Outcome) -> Vec<Value> {
    let line = |(promise, verdict): (Guarantee, Verdict)| {
        let (kept, count, first) = match verdict {
            Verdict::Kept => (Some(true), 0, None),
            Verdict::Open => (None, 0, None),
            Verdict::Broken { count, first } => (Some(false), count, first),
        };
        let first = first.map(|entry| json!({ "at_ns": entry.at.ns(), "msg": entry.msg.0 }));
        json!({ "promise": promise.key(), "kept": kept, "broken": count, "first": first })
    };
    outcome.promises().into_iter().map(line).collect()
}

fn budget(seen: &Seen) -> Vec<Value> {
    let line = |cause: Cause| {
        let sum = seen.budget.by_cause[cause.index()];
        json!({
            "cause": cause.key(),
            "sum_ns": wide(sum),
            "mean_ns": seen.budget.mean(cause).as_ns(),
            "share_ppm": share_ppm(sum, seen.budget.total()),
        })
    };
    Cause::ALL.into_iter().map(line).collect()
}

fn series(outcome: &Outcome) -> Value {
    let row = |(from, to, row): (u64, u64, Row)| {
        let parts =
            Cause::ALL.map(|cause| (cause.key().to_owned(), row.parts[cause.index()].into()));
        json!({
            "from_ns": from,
            "to_ns": to,
            "sent": row.sent,
            "delivered": row.delivered,
            "lost": row.lost,
            "n_window": row.n_window,
            "p50_ns": row.p50,
            "p95_ns": row.p95,
            "p99_ns": row.p99,
            "max_ns": row.max,
            "depth": row.depth,
            "depth_max": row.depth_max,
            "by_cause_ns": Value::Object(parts.into_iter().collect()),
        })
    };
    let bucket = outcome.session.seen().series.bucket.as_ns();
    json!({ "bucket_ns": bucket, "rows": outcome.rows().into_iter().map(row).collect::<Value>() })
}
