//! Whatever happens, nothing is lost or doubled without a fact that says so.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::actor::workers::Order;
use inflight::model::actor::{
    ActorParams, BrokerParams, ConsumerParams, ProducerParams, RequesterParams, ResponderParams,
};
use inflight::model::channel::{ChannelParams, IdealParams};
use inflight::model::{ActorId, ChannelId, Command};
use inflight::param::{Amount, Bytes, Lines, Ppm, Rate, Spans, Words};
use inflight::world::{Plan, World};
use proptest::prelude::*;

use crate::books::{keep, same_twice, sinks_agree};

use inflight::model::actor::broker::{QueueType, Routing, SyncPolicy, WhenFull};
use inflight::model::actor::consumer::AckMode;
use inflight::model::actor::dedupe::{DedupeBy, RecordWhen};
use inflight::model::actor::effect::WhenBad;

fn actor(id: u64, params: ActorParams) -> (u64, u64, ActorParams) {
    (id, id, params)
}

prop_compose! {
    fn any_path()(
        delay_us in prop_oneof![Just(0), 1_u64..50_000],
        jitter_us in prop_oneof![Just(0), 1_u64..20_000],
        loss in prop_oneof![Just(0), 0_u32..300_000],
        ack_loss in prop_oneof![Just(0), 0_u32..300_000],
        in_order: bool,
        capacity in prop_oneof![Just(u32::MAX), 1_u32..8],
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

/// What guarantees hang on.
#[derive(Clone, Debug)]
struct Effect {
    bad: u32,
    ack_timeout_ms: u64,
    before_work: bool,
    ack_delay_ms: u64,
    dedupe: usize,
    record: usize,
    when_bad: usize,
}

impl Effect {
    fn consumer(&self, queue: &str, prefetch: u32, auto_ack: bool) -> ConsumerParams {
        ConsumerParams {
            queue: Words::of(&[queue]),
            service: SimSpan::ms(20),
            prefetch: Amount(prefetch),
            ack: match (auto_ack, self.before_work) {
                (true, _) => AckMode::OnDelivery,
                (false, true) => AckMode::BeforeWork,
                (false, false) => AckMode::AfterWork,
            },
            ack_delay: SimSpan::ms(self.ack_delay_ms),
            dedupe: DedupeBy::ALL[self.dedupe],
            record: RecordWhen::ALL[self.record],
            when_bad: WhenBad::ALL[self.when_bad],
            ..Default::default()
        }
    }
}

prop_compose! {
    fn any_effect()(
        bad in 0_u32..4,
        ack_timeout_ms in prop_oneof![Just(0), 1_u64..120],
        before_work: bool,
        ack_delay_ms in prop_oneof![Just(0), 1_u64..30],
        dedupe in 0_usize..3,
        record in 0_usize..3,
        when_bad in 0_usize..3,
    ) -> Effect {
        Effect { bad, ack_timeout_ms, before_work, ack_delay_ms, dedupe, record, when_bad }
    }
}

prop_compose! {
    fn any_plan()(
        seed: u64,
        confirm: bool,
        fanout: bool,
        auto_ack: bool,
        prefetch in prop_oneof![Just(u32::MAX), 1_u32..5],
        capacity in prop_oneof![Just(u32::MAX), 0_u32..6],
        when_full in 0_usize..3,
        durable: bool,
        ttl_ms in prop_oneof![Just(0), 1_u64..100],
        dead_letters: bool,
        quorum: bool,
        delivery_limit in 0_u32..4,
        expiration_ms in prop::collection::vec(0_u64..100, 0..4),
        extras: u16,
        paths in prop::collection::vec(any_path(), 6),
        effect in any_effect(),
        faults in prop::collection::vec((0_u64..2_000, 0_u16..7, 0_usize..11), 0..30),
    ) -> Plan {
        let news = extras & 1 == 1;
        let producer = ProducerParams {
            exchange: if news { Words::of(&["news"]) } else { Words::NONE },
            rate: Rate::per_s(60), confirm, confirm_timeout: SimSpan::ms(80),
            retries: Amount(3), priority: Amount(1), routes: either(news, "x.y; z; x.z"),
            expiration: Spans(expiration_ms.into_iter().map(SimSpan::ms).collect()),
            bad: Amount(effect.bad),
            ..Default::default()
        };
        let broker = BrokerParams {
            queues: Words::of(&["a", "b"]),
            routing: if fanout { Routing::Fanout } else { Routing::Direct },
            capacity: Amount(capacity),
            when_full: WhenFull::ALL[when_full],
            durable,
            ttl: Spans(vec![SimSpan::ms(ttl_ms)]),
            max_priority: Amount(2),
            queue_type: if quorum { QueueType::Quorum } else { QueueType::Classic },
            delivery_limit: Amount(delivery_limit),
            dead_letters: if dead_letters { Words::of(&["b"]) } else { Words::NONE },
            ack_timeout: SimSpan::ms(effect.ack_timeout_ms),
            ..with_extras(extras)
        };
        let consumer = |queue: &str| {
            with_work(extras, queue, effect.consumer(queue, prefetch, auto_ack))
        };
        let requester = RequesterParams {
            think: SimSpan::ms(30), timeout: SimSpan::ms(40), clients: Amount(3),
            ..Default::default()
        };
        let actors = vec![
            actor(1, ActorParams::Producer(producer)),
            actor(2, ActorParams::Broker(broker)),
            actor(3, ActorParams::Consumer(consumer("a"))),
            actor(4, ActorParams::Consumer(consumer("b"))),
            actor(5, ActorParams::Consumer(consumer("a"))),
            actor(6, ActorParams::Requester(requester)),
            actor(7, ActorParams::Responder(ResponderParams::default())),
        ];
        let ends = [(0, 1), (1, 2), (1, 3), (2, 4), (5, 6), (6, 1)];
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

/// One bit for each of what a broker may have besides.
fn with_extras(extras: u16) -> BrokerParams {
    let has = |bit: u32| extras >> bit & 1 == 1;
    let either = |bit: u32, text: &str| either(has(bit), text);
    BrokerParams {
        exchanges: either(0, "news topic alternate=all; all fanout"),
        bindings: either(0, "news:x.* -> a; news:*.y -> b; all -> a; all -> b"),
        arguments: either(1, "a durable=on audit=on; b encrypted=on readers=x"),
        auto_delete: has(2),
        work: if has(3) { SimSpan::ms(3) } else { SimSpan::ZERO },
        memory: if has(4) { Bytes(5_000) } else { Bytes(0) },
        disk: if has(5) { Bytes(2_000) } else { Bytes(0) },
        disk_free_limit: Bytes(500),
        sync: SyncPolicy::ALL[usize::from(extras >> 6 & 3) % 3],
        sync_time: if has(8) { SimSpan::ms(2) } else { SimSpan::ZERO },
        ack_timeout: if has(9) { SimSpan::ms(70) } else { SimSpan::ZERO },
        ..Default::default()
    }
}

/// And one for each of what a consumer may do besides.
fn with_work(extras: u16, queue: &str, params: ConsumerParams) -> ConsumerParams {
    let has = |bit: u32| extras >> bit & 1 == 1;
    let either = |bit: u32, text: &str| either(has(bit), text);
    ConsumerParams {
        fail: if has(10) { Ppm(200_000) } else { Ppm(0) },
        pull: if has(11) && queue == "b" { SimSpan::ms(15) } else { SimSpan::ZERO },
        order: Order::ALL[usize::from(extras >> 12 & 3) % 3],
        join: if has(14) { Amount(2) } else { Amount(1) },
        shares: either(15, "70%"),
        ..params
    }
}

fn either(has: bool, text: &str) -> Lines {
    if has { Lines::parse(text).expect("lines") } else { Lines::NONE }
}

fn command(node: u16, what: usize) -> Command {
    let (actor, channel) = (ActorId(node), ChannelId(node % 6));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_ledger_balances_under_every_fault(plan in any_plan()) {
        let until = SimTime::ZERO + SimSpan::s(3);
        let (_, seen) = keep(&plan, until, copies_in, |_| Ok(()))?;
        // Only senders that were stopped before they began send nothing.
        let stops = |(_, what): &(SimTime, Command)| {
            matches!(what, Command::Crash(_) | Command::Pause(_))
        };
        prop_assert!(0 < seen.ledger.sent || plan.faults.iter().any(stops));
        sinks_agree(&seen)?;
        // And its book balances.
        let book = seen.guarantees.book;
        prop_assert_eq!(book.expected + book.twice, book.actual + book.lost + book.under_way());
    }

    #[test]
    fn a_world_gives_one_fingerprint_and_a_clone_goes_on_alike(plan in any_plan()) {
        let half = SimTime::ZERO + SimSpan::ms(1_234);
        same_twice(&plan, half, SimTime::ZERO + SimSpan::s(3))?;
    }
}

/// Copies of messages in all memories, queues and channels.
fn copies_in(world: &World) -> u64 {
    use inflight::model::actor::Actor;
    use inflight::model::actor::requester::Client;
    let mut n = 0;
    for node in &world.actors {
        n += match &node.machine {
            Actor::Producer(a) => {
                a.outlets.iter().map(|o| o.outbox.len() + o.unconfirmed.len()).sum::<usize>()
            }
            Actor::Broker(a) => {
                let queued = a.broker.queues().map(|(_, q)| q.n_ready() as usize).sum::<usize>();
                let unacked = a.broker.channels().map(|(_, c)| c.unacked().count()).sum::<usize>();
                let waiting = a.peers.iter().filter(|p| p.waiting.is_some()).count();
                let auto = a.peers.iter().filter(|p| p.auto_ack);
                let in_hand = usize::from(a.resources.in_hand().is_some());
                let auto = auto.map(|p| p.outgoing.len()).sum::<usize>();
                queued + unacked + waiting + in_hand + auto
            }
            Actor::Requester(a) => {
                let holds =
                    |c: &&Client| matches!(c, Client::Waiting { .. } | Client::Blocked { .. });
                a.clients.iter().filter(holds).count()
            }
            Actor::Consumer(a) => {
                let parts = a.parts.n_held() as usize;
                parts + a.workers.buffer.len() + a.workers.n_busy() as usize + a.outgoing.len()
            }
            Actor::Responder(a) => {
                let asked = a.calls.n_held() as usize;
                asked + a.workers.buffer.len() + a.workers.n_busy() as usize
            }
            // Log brokers have worlds of their own: `log_worlds.rs`.
            _ => 0,
        } as u64;
    }
    n + world.ground.channels.iter().map(|c| c.machine.n_messages()).sum::<u64>()
}
