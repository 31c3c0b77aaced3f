//! The engine at work, before any document: a world is built by hand and its facts are read.

use inflight::kernel::random::path_hash;
use inflight::kernel::{SimSpan, SimTime};
use inflight::model::actor::{ActorParams, BrokerParams, ConsumerParams, ProducerParams};
use inflight::model::channel::{ChannelParams, IdealParams};
use inflight::model::{ActorId, Fact};
use inflight::param::{Amount, Rate};
use inflight::world::{Plan, World};

fn mm1(with_broker: bool, seed: u64) -> Plan {
    let producer = ProducerParams { rate: Rate::per_s(900), ..Default::default() };
    let consumer =
        ConsumerParams { service: SimSpan::ms(1), prefetch: Amount(1), ..Default::default() };
    let path = IdealParams { delay: SimSpan::ZERO, ..Default::default() };
    let mut actors = vec![(path_hash("producer"), 1, ActorParams::Producer(producer))];
    if with_broker {
        actors.push((path_hash("broker"), 2, ActorParams::Broker(BrokerParams::default())));
    }
    actors.push((path_hash("consumer"), 3, ActorParams::Consumer(consumer)));
    let channels = (1..actors.len() as u16)
        .map(|to| {
            let params = ChannelParams::Ideal(path.clone());
            (path_hash(&to.to_string()), ActorId(to - 1), ActorId(to), params)
        })
        .collect();
    Plan { seed, actors, channels, ..Plan::default() }
}

/// Mean time from `Sent` to `Done` in seconds.
fn mean_sojourn(plan: &Plan, until: SimTime) -> f64 {
    let mut world = World::new(plan, true);
    let (mut sent, mut sum, mut n) = (std::collections::BTreeMap::new(), 0.0, 0u64);
    while world.step(until) {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            match fact {
                Fact::Sent { msg, .. } => {
                    sent.insert(msg, at);
                }
                Fact::Done { msg, .. } => {
                    sum += (at - sent.remove(&msg).expect("it was sent")).as_secs_f64();
                    n += 1;
                }
                _ => {}
            }
        }
    }
    sum / n as f64
}

#[test]
fn mean_sojourn_of_mm1_is_one_over_mu_minus_lambda() {
    for with_broker in [false, true] {
        let mean = mean_sojourn(&mm1(with_broker, 1), SimTime::from_ns(2_000_000_000_000));
        assert!((0.0095..0.0105).contains(&mean), "broker: {with_broker}, mean: {mean} s");
    }
}

#[test]
fn one_seed_gives_one_fingerprint_and_another_seed_another() {
    let run = |seed, listening| {
        let mut world = World::new(&mm1(true, seed), listening);
        while world.step(SimTime::from_ns(5_000_000_000)) {
            world.ground.facts.fresh.clear();
        }
        world.fingerprint()
    };
    assert_eq!(run(1, true), run(1, false));
    assert_ne!(run(1, true), run(2, true));
}
