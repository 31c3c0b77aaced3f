//! Golden tables: sweeps printed as tables that a person can review, in `tests/golden/`.
//!
//! `UPDATE=1` rewrites them. A changed table is reviewed like code; the commit says why the new
//! numbers are right.

use std::fmt::Write as _;
use std::path::PathBuf;

use inflight::kernel::SimSpan;
use inflight::model::Cause;
use inflight::param::{Lang, show_span};
use inflight::world::preset;
use inflight::world::{Session, Watch};

/// A preset run to its end with some settings.
fn run(id: &str, settings: &[(&str, &str)]) -> Session {
    let mut scenario = preset::find(id).unwrap_or_else(|| panic!("there is a preset {id}")).open();
    for (path, text) in settings {
        let set = scenario.set(path, text);
        set.unwrap_or_else(|problem| panic!("{id}: {}", problem.say(Lang::En)));
    }
    let mut session = Session::new(scenario, Watch::All);
    let until = session.until();
    assert!(session.advance(until, 50_000_000), "{id} comes to its end");
    session
}

fn ms(ns: Option<u64>) -> String {
    ns.map_or("-".to_owned(), |ns| format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000))
}

fn check(name: &str, table: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, table).expect("it is ours");
    }
    assert!(table == expected, "{name} is not as recorded:\n{table}");
}

#[test]
fn latency_explodes_as_utilisation_nears_one() {
    let mut table = "M/M/1: preset mm1 over its rate, 10 min; latency in ms\n\
                     rate       sent  delivered     mean      p50      p99      max\n"
        .to_owned();
    for rate in ["1/s", "4/s", "6/s", "8/s", "9/s", "9.5/s", "11/s"] {
        let session = run("mm1", &[("producer.rate", rate), ("until", "600s")]);
        let (ledger, latency) = (&session.seen().ledger, &session.seen().latency);
        writeln!(
            table,
            "{rate:<6} {:>8} {:>10} {:>8} {:>8} {:>8} {:>8}",
            ledger.sent,
            ledger.delivered,
            ms(latency.mean()),
            ms(latency.quantile(500_000)),
            ms(latency.quantile(990_000)),
            ms(Some(latency.max())),
        )
        .expect("a string takes all");
    }
    check("utilisation.txt", &table);
}

#[test]
fn a_full_queue_blocks_rejects_or_drops() {
    let mut table =
        "Preset full-queue: what its three policies cost; shares of all time by cause\n\
                     policy        sent  delivered    lost  in flight     p99 ms  back-pressure\n"
            .to_owned();
    for policy in ["block", "reject", "drop-oldest"] {
        let session = run("full-queue", &[("broker.when-full", policy)]);
        let (ledger, seen) = (&session.seen().ledger, session.seen());
        let waited = SimSpan::ns(seen.budget.mean(Cause::BackPressure).as_ns() / 1_000 * 1_000);
        writeln!(
            table,
            "{policy:<12} {:>5} {:>10} {:>7} {:>10} {:>10} {:>14}",
            ledger.sent,
            ledger.delivered,
            ledger.lost,
            ledger.in_flight(),
            ms(seen.latency.quantile(990_000)),
            show_span(waited),
        )
        .expect("a string takes all");
    }
    check("full-queue.txt", &table);
}

#[test]
fn acknowledging_decides_between_loss_and_repetition() {
    let mut table = "Preset consumer-crash-redelivery: when the consumer acknowledges\n\
                     acknowledge    sent  delivered    lost  redelivered  duplicated  reordered\n"
        .to_owned();
    for ack in ["after-work", "on-delivery"] {
        let session = run("consumer-crash-redelivery", &[("consumer.ack", ack)]);
        let ledger = &session.seen().ledger;
        writeln!(
            table,
            "{ack:<12} {:>6} {:>10} {:>7} {:>12} {:>11} {:>10}",
            ledger.sent,
            ledger.delivered,
            ledger.lost,
            ledger.redelivered,
            ledger.duplicated,
            ledger.reordered,
        )
        .expect("a string takes all");
    }
    check("acknowledging.txt", &table);
}

#[test]
fn every_preset_ends_with_its_own_fingerprint() {
    let mut table = "Preset, events, sent, delivered, lost, fingerprint at the end\n".to_owned();
    for preset in preset::ALL {
        let session = run(preset.id, &[]);
        let ledger = &session.seen().ledger;
        writeln!(
            table,
            "{:<28} {:>9} {:>8} {:>8} {:>6}  {:016x}",
            preset.id,
            session.events(),
            ledger.sent,
            ledger.delivered,
            ledger.lost,
            session.fingerprint()
        )
        .expect("a string takes all");
    }
    check("fingerprints.txt", &table);
}
