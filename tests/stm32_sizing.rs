//! The search for the smallest memory: what it finds holds, and a step less does not.

use inflight::kernel::SimTime;
use inflight::model::fact::Fact;
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::sizing::{NoSizing, Progress, Sizing};
use inflight::world::{Plan, World};

fn open(id: &str, changes: &[(&str, &str)]) -> Scenario {
    let mut scenario = preset::find(id).expect("a preset").open();
    for (path, value) in changes {
        scenario.set(path, value).unwrap_or_else(|problem| panic!("{problem}"));
    }
    scenario
}

fn whole(scenario: &Scenario) -> Sizing {
    let mut sizing = Sizing::new(scenario).expect("it has a board");
    let mut before = 0;
    loop {
        match sizing.step(100_000).expect("it runs") {
            Progress::Done => return sizing,
            Progress::Running(n, all) => {
                assert!(before <= n && n < all, "{n} of {all}");
                before = n;
            }
        }
    }
}

/// Deliveries, the last one's time, drops and refusals of a run, counted here and not there.
fn outcome(plan: &Plan, until: SimTime) -> (u64, SimTime, u64, u64) {
    let mut world = World::new(plan, true);
    while world.step(until) {}
    let (mut n, mut last, mut drops) = (0, SimTime::ZERO, 0);
    for (at, fact) in &world.ground.facts.fresh {
        match fact {
            Fact::Done { answers: false, .. } | Fact::Answered { .. } => (n, last) = (n + 1, *at),
            Fact::FrameDropped { .. } => drops += 1,
            _ => {}
        }
    }
    let boards = world.ground.hosts.iter().filter_map(|host| host.board.as_ref());
    let refused = boards.map(|node| {
        let memory = &node.board.stack.core.memory;
        let empty = memory.heap.usage.err + memory.tcp_seg.usage.err + memory.custom.usage.err;
        u64::from(node.n_err_mem + empty)
    });
    (n, last, drops, refused.sum())
}

#[test]
fn what_is_found_holds_and_a_step_less_breaks_the_run_or_the_build() {
    for (id, changes) in [
        ("same-latency-three-configs", &[("until", "60ms")][..]),
        ("bulk-100k", &[("until", "100ms")]),
        ("write-write-read-board", &[("until", "300ms")]),
        (
            "sensor-to-broker",
            &[("until", "200ms"), ("sensor.hal-delay", "15ms"), ("sensor.rate", "400/s")],
        ),
    ] {
        let scenario = open(id, changes);
        let sizing = whole(&scenario);
        let until = scenario.until;
        let ample = sizing.ample();
        assert!(0 < ample.n_delivered, "{id}");
        let (n, last, drops, refused) = outcome(&sizing.scenario().plan(), until);
        assert!(ample.n_delivered <= n && last <= ample.last_delivery, "{id}");
        assert!(drops <= ample.n_drops && refused <= ample.n_err_mem, "{id}");
        assert!(!sizing.options().is_empty());
        for option in sizing.options() {
            let mut less = sizing.scenario().clone();
            let (value, unit) = match option.key {
                "mem-size" => (option.least.saturating_sub(4), "B"),
                _ => (option.least.saturating_sub(1), ""),
            };
            // Below what a document may say there is nothing to try.
            if option.least == 0 {
                continue;
            }
            if less.set(&option.path(), &format!("{value}{unit}")).is_err() {
                continue;
            }
            if option.key == "rx-buffers" && value < own(&sizing, &option.host, "rx-descriptors") {
                continue;
            }
            let (n, last, drops, refused) = outcome(&less.plan(), until);
            let is_worse = n < ample.n_delivered
                || ample.last_delivery < last
                || ample.n_drops < drops
                || ample.n_err_mem < refused;
            let fails_to_build = !builds_like(&scenario, &less, &option.host);
            assert!(is_worse || fails_to_build, "{id}: {option:?}");
        }
        for host in ["cubemx", "article", "sensor"] {
            let fragment = sizing.fragment(host);
            let mine = sizing.options().iter().filter(|option| option.host == host);
            assert_eq!(fragment.lines().count(), mine.count(), "{fragment}");
        }
    }
}

fn own(sizing: &Sizing, host: &str, key: &str) -> u64 {
    let found = sizing.options().iter().find(|option| option.host == host && option.key == key);
    found.map_or(0, |option| option.least)
}

/// Whether the compiler says no more to one than to the other.
fn builds_like(own: &Scenario, other: &Scenario, host: &str) -> bool {
    use inflight::model::host::HostParams;
    use inflight::model::stm32::build::Tool;
    let complaints = |scenario: &Scenario| -> Vec<String> {
        let host = scenario.hosts.iter().find(|h| h.id == host).expect("a host");
        let HostParams::Stm32(params) = &host.params else { panic!("a board") };
        let report = inflight::world::sizing::report(params).expect("it has values");
        let all = report.complaints.into_iter().filter(|c| c.tool == Tool::Compiler);
        all.map(|complaint| complaint.text).collect()
    };
    let allowed = complaints(own);
    complaints(other).iter().all(|complaint| allowed.contains(complaint))
}

#[test]
fn memory_is_the_sum_of_its_parts() {
    use inflight::model::host::HostParams;
    let scenario = open("sensor-to-broker", &[("until", "50ms")]);
    let sizing = whole(&scenario);
    let ram = |scenario: &Scenario| {
        let host = scenario.hosts.iter().find(|h| h.id == "sensor").expect("a host");
        let HostParams::Stm32(params) = &host.params else { panic!("a board") };
        let report = inflight::world::sizing::report(params).expect("it has values");
        let parts: u64 = report.shares.iter().map(|share| share.bytes).sum();
        assert_eq!(report.ram_bytes(), parts);
        parts as i64
    };
    // A heap of more than 64000 bytes has larger headers: twice 4 bytes.
    let headers = 8;
    let saved: i64 = sizing.options().iter().map(|option| option.saved_bytes()).sum();
    assert_eq!(ram(&scenario) - ram(sizing.scenario()), saved + headers);
}

#[test]
fn a_scenario_without_a_board_is_refused_with_the_reason() {
    let refused = Sizing::new(&open("mm1", &[])).expect_err("no board");
    assert_eq!(refused, NoSizing::NoBoard);
    assert!(refused.said().en.contains("stm32") && !refused.said().zh.is_empty());
}
