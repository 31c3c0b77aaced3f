//! The kernel alone on the common models: `cargo bench --bench kernel`.

mod models;

use divan::Bencher;
use divan::counter::ItemsCount;
use models::{CASES, Case, make};

const EVENTS: u64 = 100_000;

fn main() {
    divan::main();
}

/// Events in the steady state.
#[divan::bench(args = CASES, sample_size = 1)]
fn events(bencher: Bencher, case: Case) {
    let mut model = make(case);
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| model.run(EVENTS));
}
