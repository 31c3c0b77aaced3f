//! Runs the models and prints one line for each: name, size, events, ns per event, check.
//!
//! `cargo bench --bench table` runs all, `-- INDEX EVENTS` one of them, `-- list` names them, and
//! `-- seeks N` prints the ms that each of N seeks took; `-- crash N` breaks a scenario of some 200
//! events everywhere, N times, and prints runs, events and ms of each.
//! `cargo xtask bench` calls it and sets its figures beside those of other simulators. Times are
//! of the processor where the system tells them, so other work on the machine disturbs less.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod models;

use std::time::Instant;

use models::crash;
use models::seeks::Seeks;
use models::{CASES, Case, make};

const EVENTS: u64 = 2_000_000;

/// Nanoseconds that this process has run so far, or that have gone by.
fn processor_ns(start: Instant) -> u64 {
    let spent = std::fs::read_to_string("/proc/self/schedstat").ok();
    let first = spent.as_deref().and_then(|line| line.split(' ').next()?.parse().ok());
    first.unwrap_or_else(|| start.elapsed().as_nanos() as u64)
}

fn measure(case: Case, n_events: u64) {
    let mut model = make(case);
    let start = Instant::now();
    let before = processor_ns(start);
    let n_run = model.run(n_events);
    let ns = (processor_ns(start) - before) as f64 / n_run as f64;
    let Case { name, n } = case;
    println!("{name} {n} {n_run} {ns:.2} {:x}", model.check());
}

fn measure_seeks(n: u32) {
    let mut seeks = Seeks::new();
    for _ in 0..n {
        let start = Instant::now();
        seeks.seek();
        println!("{:.3}", start.elapsed().as_secs_f64() * 1e3);
    }
}

fn measure_crash(n: u32) {
    let scenario = crash::scenario();
    for _ in 0..n {
        let start = Instant::now();
        let before = processor_ns(start);
        let (n_runs, n_events) = crash::everywhere(&scenario);
        println!("{n_runs} {n_events} {:.3}", (processor_ns(start) - before) as f64 / 1e6);
    }
}

fn main() -> Result<(), std::num::ParseIntError> {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.as_slice() {
        [] => CASES.into_iter().for_each(|case| measure(case, EVENTS)),
        [list] if list == "list" => {
            CASES.iter().for_each(|case| println!("{} {}", case.name, case.n))
        }
        [seeks, n] if seeks == "seeks" => measure_seeks(n.parse()?),
        [crash, n] if crash == "crash" => measure_crash(n.parse()?),
        [index, n_events @ ..] => {
            let n_events = n_events.first().map_or(Ok(EVENTS), |n| n.parse())?;
            measure(CASES[index.parse::<usize>()?], n_events);
        }
    }
    Ok(())
}
