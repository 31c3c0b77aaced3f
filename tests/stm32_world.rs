//! Boards with an STM32 in the world: with costs and without.

use inflight::kernel::SimTime;
use inflight::model::fact::{Cause, Fact};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

fn set(scenario: &mut Scenario, path: &str, value: &str) {
    scenario.set(path, value).unwrap_or_else(|problem| panic!("{problem}"));
}

fn whole(scenario: &Scenario) -> Session {
    let mut session = Session::new(scenario.clone(), Watch::All);
    session.seek(scenario.until);
    assert_eq!(session.stopped(), None);
    session
}

fn facts(session: &Session) -> Vec<(SimTime, Fact)> {
    let mut all = Vec::new();
    session.retell(&mut |at, fact| {
        all.push((at, *fact));
        true
    });
    all
}

/// Turns hosts into boards on which nothing takes time.
fn free_boards(scenario: &mut Scenario, hosts: &[&str], driver: &str) {
    for host in hosts {
        set(scenario, &format!("{host}.profile"), "stm32");
        set(scenario, &format!("{host}.free-of-cost"), "on");
        set(scenario, &format!("{host}.loop-period"), "0");
        set(scenario, &format!("{host}.driver"), driver);
        for ring in ["rx-descriptors", "tx-descriptors"] {
            set(scenario, &format!("{host}.{ring}"), "64");
        }
        set(scenario, &format!("{host}.rx-buffers"), "256");
    }
}

/// What happened to messages and segments, without what they were told to wait for meanwhile.
fn story(session: &Session) -> Vec<(SimTime, Fact)> {
    let tells = |fact: &Fact| {
        // A plain lwIP host is not asked which timers ended without sending anything.
        !matches!(
            fact,
            Fact::Held { .. }
                | Fact::Spent { .. }
                | Fact::TimerArmed { .. }
                | Fact::TimerFired { .. }
                | Fact::TimerCancelled { .. }
        )
    };
    let plain = |fact: Fact| match fact {
        // On a board this split is stated when the frame arrives; the budgets must be equal.
        Fact::Landed { msg, channel, cause, .. } => {
            Fact::Landed { msg, channel, waited: 0, sending: 0, cause }
        }
        fact => fact,
    };
    let story = facts(session).into_iter().filter(|(_, fact)| tells(fact));
    story.map(|(at, fact)| (at, plain(fact))).collect()
}

#[test]
fn a_board_on_which_nothing_takes_time_is_its_lwip() {
    for (id, hosts) in [
        ("two-lwip-boards", &["board-a", "board-b"][..]),
        ("tmr-interval", &["slow-a", "slow-b", "fast-a", "fast-b"]),
        ("nagle-stall", &["client"]),
        ("one-lost-segment", &["a", "c"]),
        ("broker-over-tcp", &["broker", "producer"]),
        ("broker-over-tcp", &["consumer"]),
    ] {
        for driver in ["copying", "zero-copy"] {
            let mut plain = open(id);
            for host in hosts {
                set(&mut plain, &format!("{host}.profile"), "lwip");
            }
            let mut boards = open(id);
            if id == "broker-over-tcp" {
                // No write at the instant of a timer: which goes first there is nobody's promise.
                for scenario in [&mut plain, &mut boards] {
                    set(scenario, "producer.rate", "37/s");
                    set(scenario, "producer-2.rate", "37/s");
                }
            }
            free_boards(&mut boards, hosts, driver);
            let (plain, boards) = (whole(&plain), whole(&boards));
            let (expected, found) = (story(&plain), story(&boards));
            for (n, (a, b)) in expected.iter().zip(&found).enumerate() {
                assert_eq!(a, b, "{id}, {driver}, fact {n}");
            }
            assert_eq!(expected.len(), found.len(), "{id}, {driver}");
            let budget = |session: &Session| {
                let budget = &session.seen().budget;
                Cause::ALL.map(|cause| (cause, budget.mean(cause)))
            };
            assert_eq!(budget(&plain), budget(&boards), "{id}, {driver}");
        }
    }
}

#[test]
fn with_costs_every_nanosecond_has_a_cause_and_memory_comes_back() {
    for (id, hosts) in [
        ("two-lwip-boards", &["board-a", "board-b"][..]),
        ("nagle-stall", &["client"]),
        ("one-lost-segment", &["a", "c"]),
        ("broker-over-tcp", &["producer", "consumer"]),
        ("broker-over-tcp", &["broker"]),
    ] {
        for (key, value) in [
            ("driver", "copying"),
            ("scheduling", "rtos"),
            ("hal-delay", "3ms"),
            ("mac-rate", "10"),
            ("part", "h743"),
        ] {
            let mut scenario = open(id);
            for host in hosts {
                set(&mut scenario, &format!("{host}.profile"), "stm32");
                set(&mut scenario, &format!("{host}.{key}"), value);
            }
            set(&mut scenario, "until", "60s");
            let session = whole(&scenario);
            let seen = session.seen();
            let ledger = &seen.ledger;
            assert!(0 < ledger.delivered, "{id}, {key}");
            assert_eq!(seen.budget.count, ledger.delivered, "{id}, {key}");
            // An account asserts that its parts make its whole; processor and DMA are among them.
            let cpu = seen.budget.mean(Cause::Cpu).as_ns();
            let dma = seen.budget.mean(Cause::Dma).as_ns();
            assert!(0 < cpu && 0 < dma, "{id}, {key}: {cpu} and {dma}");
            for node in session.world().ground.hosts.iter().filter_map(|h| h.board.as_ref()) {
                let snapshot = node.snapshot(session.world().now());
                let heap: u32 = snapshot.heap.iter().filter(|b| b.is_used).map(|b| b.bytes).sum();
                assert_eq!(heap, snapshot.heap_usage.used, "{id}, {key}");
                assert!(snapshot.load_ppm() < 1_000_000, "{id}, {key}");
            }
        }
    }
}
