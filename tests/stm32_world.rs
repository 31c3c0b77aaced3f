//! Boards with an STM32 in the world: with costs and without.

use inflight::kernel::SimTime;
use inflight::model::fact::{Cause, Fact};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};
use proptest::prelude::*;

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

/// What happened to messages, without what they were told to wait for meanwhile.
fn story(session: &Session) -> Vec<(SimTime, Fact)> {
    let tells = |fact: &Fact| {
        fact.msg().is_some() && !matches!(fact, Fact::Held { .. } | Fact::Spent { .. })
    };
    let plain = |fact: Fact| match fact {
        // On a board this split is stated when the frame arrives; the budgets must be equal.
        Fact::Landed { msg, channel, cause, .. } => {
            Fact::Landed { msg, channel, waited: 0, sending: 0, cause }
        }
        fact => fact,
    };
    let story = facts(session).into_iter().filter(|(_, fact)| tells(fact));
    let mut story: Vec<(SimTime, Fact)> = story.map(|(at, fact)| (at, plain(fact))).collect();
    // Two connections of a host that do something at one instant do it in no order.
    story.sort_by_key(|(at, fact)| (*at, fact.msg()));
    story
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
                Cause::ALL.map(|cause| match cause {
                    // Since when the other end's timer runs is restated more often on a board.
                    Cause::DelayedAck => (cause, 0),
                    Cause::Nagle => {
                        let parts = [Cause::Nagle, Cause::DelayedAck];
                        (cause, parts.map(|c| budget.by_cause[c.index()]).iter().sum())
                    }
                    _ => (cause, budget.by_cause[cause.index()]),
                })
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

/// A board in a random world: an lwIP of any size, any driver, any loop, any wire, any peer.
fn random_world() -> impl Strategy<Value = String> {
    let board = (
        prop::sample::select(vec!["f407", "f767", "h743"]),
        prop::sample::select(vec!["copying", "zero-copy"]),
        prop::sample::select(vec!["super-loop", "rtos"]),
        prop::sample::select(vec!["0s", "1us", "137us", "10ms"]),
        prop::sample::select(vec!["0s", "3ms"]),
        (1_u32..6, 1_u32..6, 4_u32..8),
        (any::<bool>(), any::<bool>(), any::<bool>()),
    );
    let stack = (1_600_u32..8_000, 3_u32..12, 9_u32..20, any::<bool>());
    let wire = (
        prop::sample::select(vec!["unlimited", "100Mbit/s", "1Mbit/s"]),
        0_u32..8,
        0_u32..8,
        prop::sample::select(vec!["3us", "37us", "5ms"]),
    );
    let peer = prop::sample::select(vec!["linux", "rfc", "lwip", "stm32"]);
    let sizes = (1_u32..1_500, 1_u32..3_000);
    (board, stack, wire, peer, sizes, any::<u32>()).prop_map(|(b, s, w, peer, sizes, seed)| {
        let (part, driver, scheduling, period, delay, (rx, tx, buffers), (flush, sum, cb)) = b;
        let (heap, pool, segments, nodelay) = s;
        let (rate, loss, reorder, way) = w;
        let (up, down) = sizes;
        format!(
            "format = 1\nid = \"random\"\ntitle = {{ en = \"R\", zh = \"随\" }}\nseed = {seed}\n\
             until = \"120s\"\n\
             [[host]]\nid = \"board\"\nprofile = \"stm32\"\npart = \"{part}\"\n\
             driver = \"{driver}\"\nscheduling = \"{scheduling}\"\nloop-period = \"{period}\"\n\
             hal-delay = \"{delay}\"\nrx-descriptors = {rx}\ntx-descriptors = {tx}\n\
             rx-buffers = {buffers}\nflush = {flush}\nchecksum-by-hardware = {sum}\n\
             sent-callback = {cb}\nmem-size = \"{heap}B\"\npbuf-pool-size = {pool}\n\
             memp-num-tcp-seg = {segments}\nnodelay = {nodelay}\n\
             [[host]]\nid = \"peer\"\nprofile = \"{peer}\"\n\
             [[wire]]\nid = \"wire\"\nfrom = \"board\"\nto = \"peer\"\nrate = \"{rate}\"\n\
             loss = \"{loss}%\"\nreorder = \"{reorder}%\"\ndelay = \"{way}\"\n\
             [[actor]]\nid = \"board\"\nkind = \"script\"\n\
             do = \"repeat 6 {{; write {up}; read {down}; sleep 2ms; }}; close\"\n\
             [[actor]]\nid = \"peer\"\nkind = \"script\"\n\
             do = \"repeat 6 {{; read {up}; write {down}; }}; close\"\n\
             [[channel]]\nid = \"tcp\"\nfrom = \"board\"\nto = \"peer\"\nkind = \"tcp\"\n"
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens: every message is somewhere, every nanosecond has a cause, no frame is in
    /// two places, and when all is over pools and heap are full again.
    #[test]
    fn random_boards_lose_nothing_from_sight(text in random_world()) {
        let scenario = Scenario::parse(&text).expect("a valid document");
        let mut session = Session::new(scenario.clone(), Watch::All);
        session.seek(scenario.until);
        prop_assert_eq!(session.stopped(), None);
        let ledger = &session.seen().ledger;
        let open = session.seen().accounts.iter().filter(|(_, a)| a.delivered.is_none());
        let held = open.count() as u64;
        prop_assert_eq!(ledger.sent, ledger.delivered + ledger.lost + held);
        let world = session.world();
        for node in world.ground.hosts.iter().filter_map(|host| host.board.as_ref()) {
            let mut tags: Vec<u64> = node.inside.iter().map(|inside| inside.tag).collect();
            tags.sort_unstable();
            let n = tags.len();
            tags.dedup();
            prop_assert_eq!(tags.len(), n, "a frame is inside once");
            let mut in_mac = node.board.rx.tags();
            in_mac.sort_unstable();
            prop_assert_eq!(&in_mac, &tags, "what the MAC has is what came and was not served");
            let snapshot = node.snapshot(world.now());
            let used: u32 = snapshot.heap.iter().filter(|b| b.is_used).map(|b| b.bytes).sum();
            prop_assert_eq!(used, snapshot.heap_usage.used);
            let all: u32 = snapshot.heap.iter().map(|block| block.bytes).sum();
            prop_assert_eq!(all, snapshot.heap_usage.avail);
            // Everything was said and both ends closed: nothing is left in use.
            let is_idle = node.board.stack.active().is_empty() && node.inside.is_empty();
            if is_idle && ledger.delivered == ledger.sent && ledger.sent == 12 {
                let memory = &node.board.stack.core.memory;
                let waiting: u32 = memory.pbuf_pool.usage.used + memory.tcp_seg.usage.used;
                prop_assert_eq!((waiting, memory.heap.usage.used), (0, 0));
                let attached = snapshot.n_attached;
                prop_assert_eq!(memory.custom.usage.used, attached, "all buffers are back");
            }
        }
    }
}

#[test]
fn programs_that_die_and_wires_that_are_cut_leave_no_memory_behind() {
    let faults = "\n[[fault]]\nat = \"2s\"\ndo = \"crash\"\nactor = \"consumer\"\nfor = \"1s\"\n\
        [[fault]]\nat = \"5s\"\ndo = \"cut\"\nchannel = \"publish\"\nfor = \"500ms\"\n\
        [[fault]]\nat = \"7s\"\ndo = \"crash\"\nactor = \"producer\"\nfor = \"500ms\"\n\
        [[fault]]\nat = \"8s\"\ndo = \"pause\"\nactor = \"broker\"\nfor = \"1s\"\n";
    let text = preset::find("broker-over-tcp").expect("a preset").text.to_owned() + faults;
    for (driver, scheduling) in
        [("copying", "super-loop"), ("zero-copy", "super-loop"), ("zero-copy", "rtos")]
    {
        let mut scenario = Scenario::parse(&text).expect("a document");
        for host in ["producer", "broker", "consumer"] {
            set(&mut scenario, &format!("{host}.profile"), "stm32");
            set(&mut scenario, &format!("{host}.driver"), driver);
            set(&mut scenario, &format!("{host}.scheduling"), scheduling);
        }
        let session = whole(&scenario);
        let ledger = &session.seen().ledger;
        let open = session.seen().accounts.iter().filter(|(_, a)| a.delivered.is_none());
        let held = open.count() as u64;
        assert_eq!(ledger.sent, ledger.delivered + ledger.lost + held, "{driver}");
        assert!(0 < ledger.delivered, "{driver}, {scheduling}");
        for node in session.world().ground.hosts.iter().filter_map(|host| host.board.as_ref()) {
            let memory = &node.board.stack.core.memory;
            // Connections that are over, and nothing else, gave theirs back.
            assert!(node.board.stack.active().len() <= 2, "{driver}");
            assert!(memory.tcp_pcb.usage.used <= 4, "{driver}: {:?}", memory.tcp_pcb);
            assert!(memory.pbuf_pool.usage.used <= 8, "{driver}: {:?}", memory.pbuf_pool);
        }
    }
}
