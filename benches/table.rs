//! Runs the models and prints one line for each: name, size, events, ns per event, check.
//!
//! `cargo bench --bench table -- [NAME SIZE EVENTS]`; `cargo xtask bench` calls it and sets its
//! figures beside those of other simulators. Times are of the processor where the system tells
//! them, so other work on the machine disturbs less.

mod models;

use std::time::Instant;

use models::{CASES, Case, make};

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

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let asked = |case: &Case| match args.as_slice() {
        [name, n, ..] => case.name == name && case.n.to_string() == *n,
        _ => true,
    };
    let n_events = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(2_000_000);
    CASES.into_iter().filter(asked).for_each(|case| measure(case, n_events));
}
