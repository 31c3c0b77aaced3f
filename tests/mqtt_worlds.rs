//! Worlds with an MQTT broker: whatever happens, nothing is lost or doubled without a fact that
//! says so, and each quality of service keeps what it promises on a path that loses single packets.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::actor::mqtt::subscriber::AckWhen;
use inflight::model::actor::mqtt::{QosWish, SessionKind};
use inflight::model::actor::{
    ActorParams, MqttBrokerParams, MqttPublisherParams, MqttSubscriberParams,
};
use inflight::model::channel::{ChannelParams, IdealParams};
use inflight::model::command::Node;
use inflight::model::{ActorId, ChannelId, Command};
use inflight::observe::Seen;
use inflight::param::{Amount, Lines, Params, Ppm, Rate, Value, index_of};
use inflight::world::scenario::Scenario;
use inflight::world::{Plan, World};
use proptest::prelude::*;

use crate::books::{copies_in, keep, same_twice, sinks_agree};

prop_compose! {
    fn any_path()(
        delay_us in prop_oneof![Just(0), 1_u64..30_000],
        jitter_us in prop_oneof![Just(0), 1_u64..30_000],
        loss in prop_oneof![2 => Just(0), 1 => 0_u32..300_000],
        ack_loss in prop_oneof![2 => Just(0), 1 => 0_u32..300_000],
        in_order: bool,
        capacity in prop_oneof![2 => Just(u32::MAX), 1 => 1_u32..8],
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

fn lines(text: &str) -> Lines {
    Lines::parse(text).expect("lines")
}

fn session(is_clean: bool) -> SessionKind {
    if is_clean { SessionKind::Clean } else { SessionKind::Persistent }
}

prop_compose! {
    fn any_publisher()(
        qos in 0_usize..3,
        topics in 0_usize..3,
        retain: bool,
        clean: bool,
        connected in prop_oneof![4 => Just(true), 1 => Just(false)],
        in_flight in prop_oneof![Just(20), 1_u32..4],
        resend_ms in prop_oneof![1 => Just(0), 3 => 10_u64..150],
    ) -> ActorParams {
        ActorParams::MqttPublisher(MqttPublisherParams {
            rate: Rate::per_s(80),
            topics: lines(["a/x", "a/x; a/y; b", "c"][topics]),
            qos: QosWish::ALL[qos],
            retain,
            session: session(clean),
            connected,
            in_flight: Amount(in_flight),
            resend: SimSpan::ms(resend_ms),
            ..Default::default()
        })
    }
}

prop_compose! {
    fn any_broker()(
        in_flight in prop_oneof![Just(20), 1_u32..4],
        queued in prop_oneof![Just(1_000), 0_u32..6],
        resend_ms in prop_oneof![1 => Just(0), 3 => 10_u64..150],
        durable: bool,
    ) -> ActorParams {
        ActorParams::MqttBroker(MqttBrokerParams {
            in_flight: Amount(in_flight),
            queued: Amount(queued),
            resend: SimSpan::ms(resend_ms),
            durable,
        })
    }
}

prop_compose! {
    fn any_subscriber()(
        qos in 0_usize..3,
        filters in 0_usize..5,
        clean: bool,
        connected in prop_oneof![4 => Just(true), 1 => Just(false)],
        on_receipt: bool,
        work_ms in 0_u64..40,
        workers in 1_u32..3,
    ) -> ActorParams {
        ActorParams::MqttSubscriber(MqttSubscriberParams {
            filters: lines(["#", "a/+", "a/x; a/#; c", "$share/g/a/#", "$share/g/a/#; b"][filters]),
            qos: QosWish::ALL[qos],
            session: session(clean),
            connected,
            ack: if on_receipt { AckWhen::OnReceipt } else { AckWhen::AfterWork },
            service: SimSpan::ms(work_ms),
            parallelism: Amount(workers),
            ..Default::default()
        })
    }
}

prop_compose! {
    fn any_plan()(
        seed: u64,
        p in (any_publisher(), any_publisher()),
        broker in any_broker(),
        s in (any_subscriber(), any_subscriber(), any_subscriber(), any_subscriber()),
        paths in prop::collection::vec(any_path(), 6),
        faults in prop::collection::vec((0_u64..2_500, 0_u16..7, 0_usize..16), 0..30),
    ) -> Plan {
        let all = [p.0, p.1, broker, s.0, s.1, s.2, s.3];
        let actors = all.into_iter().zip(1..).map(|(params, id)| (id, id, params)).collect();
        let ends = [(0, 2), (1, 2), (2, 3), (2, 4), (2, 5), (2, 6)];
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
    let (actor, channel) = (ActorId(node), ChannelId(node % 6));
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
        8 => Command::LoseNth { channel, back: false, nth: 1 },
        9 => Command::LoseNth { channel, back: true, nth: 2 },
        10 | 11 => {
            let on = Value::Bool(what == 11);
            set(ActorId(3 + node % 4), param::<MqttSubscriberParams>("connected"), on)
        }
        12 | 13 => {
            let on = Value::Bool(what == 13);
            set(ActorId(node % 2), param::<MqttPublisherParams>("connected"), on)
        }
        14 => set(ActorId(2), param::<MqttBrokerParams>("queued"), Value::Amount(Amount(2))),
        _ => Command::Send { actor },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_ledger_balances_under_every_fault(plan in any_plan()) {
        let until = SimTime::ZERO + SimSpan::s(3);
        let (world, seen) = keep(&plan, until, copies_in, |_| Ok(()))?;
        sinks_agree(&seen)?;
        // Nobody waits for ever: a broker that resends has nothing due in the past.
        for node in &world.actors {
            let next = node.machine.next_wake();
            let is_up = node.state == inflight::world::arena::ActorState::Up;
            prop_assert!(!is_up || next.is_none_or(|at| until <= at), "a wake is overdue");
        }
    }

    #[test]
    fn a_world_gives_one_fingerprint_and_a_clone_goes_on_alike(plan in any_plan()) {
        let half = SimTime::ZERO + SimSpan::ms(1_234);
        same_twice(&plan, half, SimTime::ZERO + SimSpan::s(3))?;
    }

    /// Single packets are lost and late but keep their order, nobody dies: QoS 2 comes exactly
    /// once, QoS 1 at least once, QoS 0 at most once.
    #[test]
    fn each_quality_keeps_its_promise_on_a_path_that_loses(
        seed: u64,
        loss in 0_u32..400_000,
        ack_loss in 0_u32..400_000,
        jitter_ms in 0_u64..40,
        (send, take) in (0_usize..3, 0_usize..3),
        in_flight in 1_u32..8,
    ) {
        let path = IdealParams {
            delay: SimSpan::ms(5), jitter: SimSpan::ms(jitter_ms), loss: Ppm(loss),
            ack_loss: Ppm(ack_loss), ..Default::default()
        };
        let publisher = MqttPublisherParams {
            rate: Rate::per_s(60), limit: Amount(60), qos: QosWish::ALL[send],
            in_flight: Amount(in_flight), resend: SimSpan::ms(60), ..Default::default()
        };
        let broker = MqttBrokerParams {
            resend: SimSpan::ms(60), in_flight: Amount(in_flight), ..Default::default()
        };
        let subscriber = MqttSubscriberParams {
            qos: QosWish::ALL[take], service: SimSpan::us(100), ..Default::default()
        };
        let actors = vec![
            (1, 1, ActorParams::MqttPublisher(publisher)),
            (2, 2, ActorParams::MqttBroker(broker)),
            (3, 3, ActorParams::MqttSubscriber(subscriber)),
        ];
        let channels = [(0, 1), (1, 2)].into_iter().zip(1..).map(|((from, to), id)| {
            (id, ActorId(from), ActorId(to), ChannelParams::Ideal(path.clone()))
        });
        let plan = Plan { seed, actors, channels: channels.collect(), ..Plan::default() };
        let until = SimTime::ZERO + SimSpan::s(120);
        let mut world = World::new(&plan, true);
        let mut seen = Seen::new(until);
        loop {
            for (at, fact) in world.ground.facts.fresh.drain(..) {
                seen.take(at, fact);
            }
            if !world.step(until) {
                break;
            }
        }
        let ledger = &seen.ledger;
        prop_assert_eq!(ledger.sent, 60);
        if send.min(take) != 0 {
            prop_assert_eq!((ledger.delivered, ledger.lost), (60, 0));
        }
        // Each hop keeps the quality of the sender on it: 1 doubles, 0 and 2 never do.
        if send != 1 && send.min(take) != 1 {
            prop_assert_eq!(ledger.duplicated, 0);
        }
    }
}

#[test]
fn mqtt_works_over_tcp_and_through_a_crash_of_its_durable_broker() {
    let text = r#"
        format = 1
        id = "mqtt-over-tcp"
        until = "30s"
        [[actor]]
        id = "sensor"
        kind = "mqtt-publisher"
        rate = "100/s"
        limit = 1000
        qos = "2"
        topics = ["room/1", "room/2"]
        [[actor]]
        id = "broker"
        kind = "mqtt-broker"
        durable = true
        [[actor]]
        id = "app"
        kind = "mqtt-subscriber"
        filters = ["room/+"]
        service = "1ms"
        [[channel]]
        id = "up"
        kind = "tcp"
        from = "sensor"
        to = "broker"
        [[channel]]
        id = "down"
        kind = "tcp"
        from = "broker"
        to = "app"
        [[fault]]
        at = "3s"
        do = "crash"
        actor = "broker"
        for = "500ms"
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
    let ledger = &seen.ledger;
    assert_eq!((ledger.sent, ledger.delivered, ledger.lost), (1_000, 1_000, 0));
    assert_eq!(ledger.duplicated, 0);
}
