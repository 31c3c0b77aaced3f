//! *Crash everywhere* of a scenario of some 200 events: more than 700 runs.

use inflight::world::everywhere::{Everywhere, Options};
use inflight::world::preset;
use inflight::world::scenario::Scenario;

/// The preset with so few messages that it takes about 200 events.
pub fn scenario() -> Scenario {
    let mut scenario = preset::find("exactly-once-producer-id").expect("a preset").open();
    scenario.set("producer.limit", "26").expect("a limit within its range");
    scenario
}

/// All runs; answers with how many there were, and the events of the undisturbed one.
pub fn everywhere(scenario: &Scenario) -> (u64, u64) {
    let mut all = Everywhere::new(scenario, &[], Options::default());
    while !all.step(u64::MAX) {}
    (all.report().n_runs, all.report().n_events)
}
