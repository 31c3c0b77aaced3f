//! Worlds with a log broker: whatever happens, nothing is lost or doubled without a fact that says
//! so, and a partition has one owner in a generation of its group.

use std::collections::BTreeMap;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::actor::log::{AckWish, CommitMode, CommitWait, Division, Sees, Start};
use inflight::model::actor::{
    Actor, ActorParams, LogBrokerParams, LogConsumerParams, LogProducerParams,
};
use inflight::model::channel::{ChannelParams, IdealParams};
use inflight::model::command::Node;
use inflight::model::fact::Fact;
use inflight::model::{ActorId, ChannelId, Command};
use inflight::observe::Seen;
use inflight::param::{Amount, Bytes, Params, Ppm, Rate, Value, Words, index_of};
use inflight::world::scenario::Scenario;
use inflight::world::{Plan, World};
use proptest::prelude::*;

use crate::books::{copies_in, keep, same_twice};

prop_compose! {
    fn any_path()(
        delay_us in prop_oneof![Just(0), 1_u64..30_000],
        jitter_us in prop_oneof![Just(0), 1_u64..10_000],
        loss in prop_oneof![3 => Just(0), 1 => 0_u32..200_000],
        ack_loss in prop_oneof![3 => Just(0), 1 => 0_u32..200_000],
        in_order: bool,
        capacity in prop_oneof![3 => Just(u32::MAX), 1 => 1_u32..20],
    ) -> ChannelParams {
        ChannelParams::Ideal(IdealParams {
            delay: SimSpan::us(delay_us),
            jitter: SimSpan::us(jitter_us),
            loss: Ppm(loss),
            ack_loss: Ppm(ack_loss),
            in_order,
            capacity: Amount(capacity),
            ..Default::default()
        })
    }
}

prop_compose! {
    fn any_producer()(
        acks in 0_usize..3,
        idempotence: bool,
        keys in 0_u32..6,
        linger_ms in prop_oneof![Just(0), 1_u64..30],
        batch in prop_oneof![Just(1_u64), Just(700), Just(16_384)],
        in_flight in 1_u32..6,
        retries in prop_oneof![Just(u32::MAX), 0_u32..4],
        transaction in prop_oneof![2 => Just(0), 1 => 1_u32..20],
        abort in 0_u32..500_000,
        transaction_timeout_ms in 30_u64..600,
    ) -> LogProducerParams {
        LogProducerParams {
            transaction: Amount(transaction),
            abort: Ppm(abort),
            transaction_timeout: SimSpan::ms(transaction_timeout_ms),
            rate: Rate::per_s(120),
            acks: AckWish::ALL[acks],
            idempotence,
            keys: Amount(keys),
            linger: SimSpan::ms(linger_ms),
            batch_size: Bytes(batch),
            in_flight: Amount(in_flight),
            retries: Amount(retries),
            request_timeout: SimSpan::ms(90),
            delivery_timeout: SimSpan::ms(700),
            backoff: SimSpan::ms(10),
            ..Default::default()
        }
    }
}

prop_compose! {
    fn any_broker()(
        partitions in 1_u32..7,
        replicas in 1_u32..4,
        min in 1_u32..3,
        unclean: bool,
        compact: bool,
        retention_ms in prop_oneof![Just(604_800_000), 200_u64..900],
        replication_ms in prop_oneof![Just(0), 1_u64..40],
    ) -> LogBrokerParams {
        LogBrokerParams {
            partitions: Amount(partitions),
            replicas: Amount(replicas),
            min_in_sync: Amount(min.min(replicas)),
            unclean,
            compact,
            retention: SimSpan::ms(retention_ms),
            retention_check: SimSpan::ms(300),
            segment: Bytes(3_000),
            lag_max: SimSpan::ms(100),
            replication: SimSpan::ms(replication_ms),
            initial_delay: SimSpan::ms(20),
            ..Default::default()
        }
    }
}

prop_compose! {
    fn any_consumer(group: &'static str)(
        joined in prop_oneof![4 => Just(true), 1 => Just(false)],
        poll_ms in prop_oneof![Just(0), 1_u64..80],
        most in prop_oneof![Just(500), 1_u32..6],
        assignor in 0_usize..4,
        commit in 0_usize..8,
        commit_takes_ms in prop_oneof![Just(0), 1_u64..10],
        static_member: bool,
        earliest: bool,
        workers in 1_u32..4,
        work_ms in 0_u64..12,
        min_bytes in prop_oneof![Just(1), 1_u64..2_000],
        isolation in 0_usize..2,
        commit_wait in 0_usize..2,
    ) -> LogConsumerParams {
        LogConsumerParams {
            isolation: Sees::ALL[isolation],
            commit_wait: CommitWait::ALL[commit_wait],
            group: if group.is_empty() { Words::NONE } else { Words::of(&[group]) },
            joined,
            service: SimSpan::ms(work_ms),
            parallelism: Amount(workers),
            poll: SimSpan::ms(poll_ms),
            max_poll_records: Amount(most),
            assignor: Division::ALL[assignor],
            static_member,
            session: SimSpan::ms(400),
            heartbeat: SimSpan::ms(100),
            max_poll_interval: SimSpan::ms(500),
            commit: CommitMode::ALL[commit],
            commit_every: Amount(3),
            commit_interval: SimSpan::ms(70),
            commit_takes: SimSpan::ms(commit_takes_ms),
            start: if earliest { Start::Earliest } else { Start::Latest },
            fetch_min: Bytes(min_bytes),
            fetch_wait: SimSpan::ms(50),
            request_timeout: SimSpan::ms(120),
            ..Default::default()
        }
    }
}

prop_compose! {
    fn any_plan()(
        seed: u64,
        producers in (any_producer(), any_producer()),
        broker in any_broker(),
        a in any_consumer("a"),
        b in any_consumer("a"),
        c in any_consumer("a"),
        d in any_consumer("d"),
        e in any_consumer(""),
        paths in prop::collection::vec(any_path(), 7),
        faults in prop::collection::vec((0_u64..2_500, 0_u16..8, 0_usize..14), 0..25),
    ) -> Plan {
        let all = [
            ActorParams::LogProducer(producers.0),
            ActorParams::LogProducer(producers.1),
            ActorParams::LogBroker(broker),
            ActorParams::LogConsumer(a),
            ActorParams::LogConsumer(b),
            ActorParams::LogConsumer(c),
            ActorParams::LogConsumer(d),
            ActorParams::LogConsumer(e),
        ];
        let actors = all.into_iter().zip(1..).map(|(params, id)| (id, id, params)).collect();
        let ends = [(0, 2), (1, 2), (2, 3), (2, 4), (2, 5), (2, 6), (2, 7)];
        let channels = ends.iter().zip(&paths).zip(1..).map(|(((from, to), path), id)| {
            (id, ActorId(*from), ActorId(*to), path.clone())
        });
        let mut faults: Vec<(SimTime, Command)> = faults
            .into_iter()
            .map(|(ms, node, what)| (SimTime::ZERO + SimSpan::ms(ms), command(node, what)))
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        Plan { seed, actors, channels: channels.collect(), faults, ..Plan::default() }
    }
}

fn param<P: Params + Default>(key: &str) -> u8 {
    index_of(P::default().specs(), key).expect("a parameter")
}

fn command(node: u16, what: usize) -> Command {
    let (actor, channel) = (ActorId(node), ChannelId(node % 7));
    let broker = ActorId(2);
    let set = |actor, param, value| Command::Set { node: Node::Actor(actor), param, value };
    match what {
        0 => Command::Crash(actor),
        1 => Command::Restart(actor),
        2 => Command::Pause(actor),
        3 => Command::Resume(actor),
        4 => Command::Cut(channel),
        5 => Command::Mend(channel),
        6 => Command::DropNth { channel, nth: 2 },
        7 => Command::Slow { actor, ppm: 3_000_000 },
        8 | 9 => Command::TurnNode { actor: broker, node: (node % 3) as u8, is_up: what == 9 },
        10 => set(broker, param::<LogBrokerParams>("partitions"), Value::Amount(Amount(8))),
        11 | 12 => {
            let consumer = ActorId(3 + node % 5);
            set(consumer, param::<LogConsumerParams>("joined"), Value::Bool(what == 11))
        }
        _ => Command::Send { actor },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_ledger_balances_under_every_fault(plan in any_plan()) {
        let until = SimTime::ZERO + SimSpan::s(3);
        // Partition, generation and consumer, by group.
        let mut owners: BTreeMap<(bool, u8, u32), ActorId> = BTreeMap::new();
        let (world, _) = keep(&plan, until, copies_in, |fact| {
            if let Fact::Owned { by, partition, generation } = *fact && by.0 < 6 {
                let before = owners.insert((true, partition, generation), by);
                // A crashed member may come back to its partition.
                prop_assert!(before.is_none_or(|before| before == by), "two owners");
            }
            Ok(())
        })?;
        // Whoever is up in a stable group owns what its coordinator says.
        for node in &world.actors {
            let Actor::LogBroker(broker) = &node.machine else { continue };
            for group in &broker.groups {
                let committed = (0..broker.shelves.len() as u8).filter_map(|p| group.committed(p));
                prop_assert!(committed.max().unwrap_or(0) < 100_000);
            }
        }
    }

    #[test]
    fn a_world_gives_one_fingerprint_and_a_clone_goes_on_alike(plan in any_plan()) {
        let half = SimTime::ZERO + SimSpan::ms(1_234);
        same_twice(&plan, half, SimTime::ZERO + SimSpan::s(3))?;
    }
}

#[test]
fn a_log_works_over_tcp_too() {
    let text = r#"
        format = 1
        id = "log-over-tcp"
        until = "30s"
        [[actor]]
        id = "producer"
        kind = "log-producer"
        rate = "200/s"
        limit = 2000
        linger = "20ms"
        [[actor]]
        id = "log"
        kind = "log-broker"
        partitions = 3
        replicas = 3
        [[actor]]
        id = "consumer"
        kind = "log-consumer"
        count = 2
        group = "orders"
        service = "1ms"
        session = "3s"
        heartbeat = "1s"
        start = "earliest"
        commit = "after-batch"
        [[channel]]
        id = "path"
        kind = "tcp"
        from = "producer"
        to = "log"
        [[channel]]
        id = "delivery"
        kind = "tcp"
        from = "log"
        to = "consumer"
        [[fault]]
        at = "9s"
        do = "crash"
        actor = "consumer-1"
        for = "500ms"
        [[fault]]
        at = "7s"
        do = "crash"
        actor = "log.2"
        for = "1s"
    "#;
    let scenario = Scenario::parse(text).expect("a document");
    let mut world = World::new(&scenario.plan(), true);
    let mut seen = Seen::new(scenario.until);
    loop {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            seen.take(at, fact);
        }
        if !world.step(scenario.until) {
            break;
        }
    }
    assert_eq!(seen.ledger.sent, 2_000);
    assert_eq!(seen.ledger.delivered, 2_000);
    assert_eq!(seen.ledger.lost, 0);
}

#[test]
fn a_node_that_is_not_there_is_named_with_what_is_allowed() {
    let text = "format = 1\nid = \"x\"\n[[actor]]\nid = \"log\"\nkind = \"log-broker\"\nreplicas = 3\n\
        [[fault]]\nat = \"1s\"\ndo = \"crash\"\nactor = \"log.4\"\n";
    let problems = Scenario::parse(text).expect_err("refused");
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(all[0].contains("log.1 to log.3"), "{all:?}");
}
