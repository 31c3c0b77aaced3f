//! Worlds with a work queue: whatever happens, nothing is lost or doubled without a fact that says
//! so, and the queue and its actor agree on which jobs there are.

use std::collections::BTreeSet;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::actor::consumer::AckMode;
use inflight::model::actor::effect::WhenBad;
use inflight::model::actor::{Actor, ActorParams, ConsumerParams, ProducerParams, WorkQueueParams};
use inflight::model::channel::{ChannelParams, IdealParams};
use inflight::model::fact::Fact;
use inflight::model::{ActorId, ChannelId, Command, MsgId};
use inflight::observe::Seen;
use inflight::param::{Amount, Ppm, Rate};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::{Plan, World};
use proptest::prelude::*;

use crate::books::{keep, same_twice};

prop_compose! {
    fn any_path()(
        delay_us in prop_oneof![Just(0), 1_u64..50_000],
        jitter_us in prop_oneof![Just(0), 1_u64..20_000],
        loss in prop_oneof![2 => Just(0), 1 => 0_u32..300_000],
        ack_loss in prop_oneof![2 => Just(0), 1 => 0_u32..300_000],
        in_order: bool,
        capacity in prop_oneof![2 => Just(u32::MAX), 1 => 1_u32..5],
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
    fn any_consumer()(
        prefetch in prop_oneof![Just(u32::MAX), 1_u32..4],
        auto_ack in prop_oneof![3 => Just(false), 1 => Just(true)],
        work_ms in prop_oneof![0_u64..50, 900_u64..2_500],
        touch_ms in prop_oneof![Just(0), 100_u64..900],
        fail in prop_oneof![Just(0), 0_u32..300_000],
        when_bad in 0_usize..3,
        pull in prop_oneof![3 => Just(0), 1 => 5_u64..40],
    ) -> ActorParams {
        ActorParams::Consumer(ConsumerParams {
            prefetch: Amount(prefetch),
            ack: if auto_ack { AckMode::OnDelivery } else { AckMode::AfterWork },
            service: SimSpan::ms(work_ms),
            touch: SimSpan::ms(touch_ms),
            fail: Ppm(fail),
            when_bad: WhenBad::ALL[when_bad],
            pull: SimSpan::ms(pull),
            ..Default::default()
        })
    }
}

prop_compose! {
    fn any_plan()(
        seed: u64,
        confirm: bool,
        durable: bool,
        (delay_ms, release_ms) in (
            prop_oneof![Just(0), 1_u64..400], prop_oneof![Just(0), 1_u64..400],
        ),
        ttr_s in 1_u64..3,
        consumers in (any_consumer(), any_consumer(), any_consumer()),
        paths in prop::collection::vec(any_path(), 5),
        faults in prop::collection::vec((0_u64..4_500, 0_u16..6, 0_usize..11), 0..25),
    ) -> Plan {
        let producer = |priority| ActorParams::Producer(ProducerParams {
            rate: Rate::per_s(15), confirm, confirm_timeout: SimSpan::ms(80), retries: Amount(3),
            priority: Amount(priority), ..Default::default()
        });
        let queue = ActorParams::WorkQueue(WorkQueueParams {
            ttr: SimSpan::s(ttr_s), delay: SimSpan::ms(delay_ms),
            release_delay: SimSpan::ms(release_ms), durable,
        });
        let all = [producer(0), producer(9), queue, consumers.0, consumers.1, consumers.2];
        let actors = all.into_iter().zip(1..).map(|(params, id)| (id, id, params)).collect();
        let ends = [(0, 2), (1, 2), (2, 3), (2, 4), (2, 5)];
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

fn command(node: u16, what: usize) -> Command {
    let (actor, channel) = (ActorId(node), ChannelId(node % 5));
    match what {
        0 => Command::Crash(actor),
        1 => Command::Restart(actor),
        2 => Command::Pause(actor),
        3 => Command::Resume(actor),
        4 => Command::Cut(channel),
        5 => Command::Mend(channel),
        6 => Command::DropNth { channel, nth: 2 },
        7 => Command::Slow { actor, ppm: 3_000_000 },
        8 => Command::LoseNth { channel, back: false, nth: 1 },
        9 => Command::LoseNth { channel, back: true, nth: 2 },
        _ => Command::Send { actor },
    }
}

/// Copies of messages in all memories, queues and channels.
fn copies_in(world: &World) -> u64 {
    let held = world.actors.iter().map(|node| match &node.machine {
        Actor::Consumer(a) => node.machine.n_held() + u64::from(a.workers.n_busy()),
        machine => machine.n_held(),
    });
    held.sum::<u64>() + world.ground.channels.iter().map(|c| c.machine.n_messages()).sum::<u64>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_ledger_balances_under_every_fault(plan in any_plan()) {
        let until = SimTime::ZERO + SimSpan::s(5);
        let (world, _) = keep(&plan, until, copies_in, |_| Ok(()))?;
        for node in &world.actors {
            let Actor::WorkQueue(actor) = &node.machine else { continue };
            let gauges = actor.queue.gauges();
            let n = gauges.n_ready + gauges.n_reserved + gauges.n_delayed + gauges.n_buried;
            prop_assert_eq!(actor.jobs.len() as u32, n);
        }
    }

    #[test]
    fn a_clone_goes_on_alike(plan in any_plan()) {
        let half = SimTime::ZERO + SimSpan::ms(1_834);
        same_twice(&plan, half, SimTime::ZERO + SimSpan::s(5))?;
    }
}

fn preset_with(changes: &[(&str, &str)]) -> (Scenario, Seen, Vec<Fact>) {
    let mut scenario = preset::find("work-queue-ttr").expect("a preset").open();
    for (path, value) in changes {
        scenario.set(path, value).unwrap_or_else(|problem| panic!("{path}: {problem}"));
    }
    let mut world = World::new(&scenario.plan(), true);
    let mut seen = Seen::new(scenario.until);
    let mut all = Vec::new();
    loop {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            seen.take(at, fact);
            all.push(fact);
        }
        if !world.step(scenario.until) {
            break;
        }
    }
    (scenario, seen, all)
}

fn not_found(facts: &[Fact]) -> usize {
    facts.iter().filter(|fact| matches!(fact, Fact::NotFound { .. })).count()
}

#[test]
fn a_job_longer_than_its_time_to_run_is_done_twice_unless_it_is_touched() {
    let (_, seen, facts) = preset_with(&[]);
    let ledger = &seen.ledger;
    assert_eq!((ledger.sent, ledger.delivered, ledger.duplicated), (16, 16, 1));
    assert_eq!(ledger.newest_duplicated[0].msg, MsgId(1));
    assert_eq!(not_found(&facts), 1, "its first worker is told");
    let by = facts.iter().filter_map(|fact| match fact {
        Fact::Done { msg: MsgId(1), at, .. } => Some(*at),
        _ => None,
    });
    assert_eq!(by.collect::<Vec<_>>(), [ActorId(3), ActorId(2)], "the other one is done first");
    for change in [("worker.touch", "1s"), ("queue.ttr", "4s")] {
        let (_, seen, facts) = preset_with(&[change]);
        let ledger = &seen.ledger;
        assert_eq!((ledger.delivered, ledger.duplicated), (16, 0), "{change:?}");
        assert_eq!(not_found(&facts), 0, "{change:?}");
    }
}

#[test]
fn a_failed_job_goes_back_later_or_is_put_aside() {
    // All work fails: released jobs come again after the delay, buried ones never.
    let requeue = [("worker.fail", "100%"), ("queue.release-delay", "1s")];
    let (_, seen, _) = preset_with(&requeue);
    assert_eq!(seen.ledger.delivered, 0);
    assert!(0 < seen.ledger.redelivered);
    let (_, seen, _) = preset_with(&[("worker.fail", "100%"), ("worker.when-bad", "dead-letter")]);
    assert_eq!((seen.ledger.delivered, seen.ledger.lost), (0, 0));
    assert_eq!(seen.ledger.in_flight(), 16, "the queue keeps what was put aside");
}

#[test]
fn what_was_taken_back_while_its_channel_was_full_is_not_delivered() {
    let text = r#"
        format = 1
        until = "9s"
        [[actor]]
        id = "producer"
        kind = "producer"
        rate = "0/s"
        initial = 6
        [[actor]]
        id = "queue"
        kind = "work-queue"
        ttr = "2s"
        [[actor]]
        id = "worker"
        kind = "consumer"
        count = 2
        prefetch = 4
        service = "10ms"
        spread = "constant"
        [[channel]]
        id = "path"
        from = "producer"
        to = "queue"
        [[channel]]
        id = "delivery"
        from = "queue"
        to = "worker"
        [channel.only.delivery-1]
        capacity = 1
        [[fault]]
        at = "0s"
        do = "cut"
        channel = "delivery-1"
        for = "5s"
    "#;
    let scenario = Scenario::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut world = World::new(&scenario.plan(), true);
    let mut all = std::mem::take(&mut world.ground.facts.fresh);
    while world.step(scenario.until) {
        all.append(&mut world.ground.facts.fresh);
    }
    let mut over = BTreeSet::new();
    let (mut n_handed, mut n_departed) = (0, 0);
    for (_, fact) in &all {
        match fact {
            Fact::Acked { msg, .. } => drop(over.insert(*msg)),
            Fact::Dispatched { channel: ChannelId(1), .. } => n_handed += 1,
            Fact::Departed { msg, channel: ChannelId(1), back: false, .. } => {
                n_departed += 1;
                assert!(!over.contains(msg), "{msg:?} is done, and is delivered");
            }
            _ => {}
        }
    }
    assert!(n_departed < n_handed, "{n_departed} {n_handed}: some were taken back");
    assert_eq!(over.len(), 6);
}
