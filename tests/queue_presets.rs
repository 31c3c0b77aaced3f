//! The presets of the queue broker hold the figures that their stories name.

use std::collections::BTreeMap;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::Node;
use inflight::model::actor::Actor;
use inflight::model::fact::Cause;
use inflight::model::fact::{Fact, Why};
use inflight::model::message::{ActorId, MsgId};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::{Session, Watch, World};

type Facts = Vec<(SimTime, Fact)>;

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

fn with(id: &str, settings: &[(&str, &str)]) -> Scenario {
    let mut scenario = open(id);
    for (path, value) in settings {
        scenario.set(path, value).unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
    }
    scenario
}

fn facts(scenario: &Scenario) -> Facts {
    let mut world = World::new(&scenario.plan(), true);
    let mut all = std::mem::take(&mut world.ground.facts.fresh);
    while world.step(scenario.until) {
        all.append(&mut world.ground.facts.fresh);
    }
    assert_eq!(world.stopped(), None);
    all
}

fn actor(scenario: &Scenario, id: &str) -> ActorId {
    let place = scenario.actors.iter().position(|actor| actor.id == id);
    ActorId(place.unwrap_or_else(|| panic!("no actor {id}")) as u16)
}

fn ms(at: SimTime) -> f64 {
    at.ns() as f64 / 1e6
}

/// When each message entered the broker's queue first.
fn queued(facts: &Facts) -> BTreeMap<MsgId, SimTime> {
    let mut first = BTreeMap::new();
    for (at, fact) in facts {
        if let Fact::Queued { msg, .. } = fact {
            first.entry(*msg).or_insert(*at);
        }
    }
    first
}

/// How long after it entered its queue each message left it as a dead letter, in ms.
fn deaths(facts: &Facts) -> Vec<(MsgId, f64, Why)> {
    let queued = queued(facts);
    let death = |(at, fact): &(SimTime, Fact)| match fact {
        Fact::DeadLettered { msg, why, .. } => {
            Some((*msg, ms(*at) - queued.get(msg).map_or(0.0, |at| ms(*at)), *why))
        }
        _ => None,
    };
    facts.iter().filter_map(death).collect()
}

#[test]
fn prefetch_decides_who_works_how_much_and_until_when() {
    for (prefetch, fast, slow, until) in
        [("unlimited", 20, 20, 400.0), ("1", 32, 8, 160.0), ("10", 26, 14, 280.0)]
    {
        let scenario = with("prefetch-fairness", &[("worker.prefetch", prefetch)]);
        let facts = facts(&scenario);
        let by = |id: &str| {
            let who = actor(&scenario, id);
            let done = |fact: &Fact| matches!(fact, Fact::Done { at, .. } if *at == who);
            facts.iter().filter(|(_, fact)| done(fact)).count()
        };
        let last = facts.iter().rfind(|(_, fact)| matches!(fact, Fact::Done { .. }));
        let last = ms(last.expect("work was done").0);
        assert_eq!((by("worker-1"), by("worker-2")), (fast, slow), "prefetch {prefetch}");
        assert_eq!(last, until, "prefetch {prefetch}");
    }
}

#[test]
fn expired_messages_wait_behind_a_live_head_unless_they_are_sorted() {
    let unsorted = deaths(&facts(&open("head-of-line-ttl")));
    assert_eq!(unsorted.len(), 15);
    assert!(unsorted.iter().all(|(_, after, why)| (*after, *why) == (600.0, Why::Expired)));
    let sorted = with("head-of-line-ttl", &[("producer.expiration", "200ms,400ms,600ms")]);
    let after: Vec<f64> = deaths(&facts(&sorted)).iter().map(|(_, after, _)| *after).collect();
    assert_eq!(after[..3], [200.0, 400.0, 600.0]);
    assert_eq!(after.len(), 15);
}

#[test]
fn a_rejected_and_an_expired_message_become_dead_letters() {
    let scenario = open("dead-letter");
    let facts = facts(&scenario);
    let who = actor(&scenario, "worker");
    let done: Vec<MsgId> = facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            Fact::Done { msg, at, .. } if *at == who => Some(*msg),
            _ => None,
        })
        .collect();
    assert_eq!(done, [MsgId(1)]);
    let failed = facts.iter().find(|(_, fact)| matches!(fact, Fact::Failed { .. }));
    let failed = ms(failed.expect("the second fails").0);
    let dead = deaths(&facts);
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert_eq!(dead[0], (MsgId(2), failed, Why::Bad), "at once");
    assert_eq!(dead[1], (MsgId(3), 300.0, Why::Expired));
}

#[test]
fn every_message_waits_exactly_its_level() {
    let facts = facts(&open("delay-levels"));
    let dead = deaths(&facts);
    assert!(40 < dead.len());
    for (msg, after, _) in dead {
        let level = [600.0, 200.0, 400.0, 200.0][(msg.0 as usize - 1) % 4];
        assert_eq!(after, level, "{msg:?}");
    }
}

/// Mean wait in s from entering the queue to the beginning of the work, by sender.
fn waits(scenario: &Scenario) -> BTreeMap<ActorId, f64> {
    let mut world = World::new(&scenario.plan(), true);
    let mut by = BTreeMap::new();
    let mut sent = BTreeMap::new();
    let mut sums: BTreeMap<ActorId, (f64, f64)> = BTreeMap::new();
    loop {
        let more = world.step(scenario.until);
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            match fact {
                Fact::Sent { msg, by: who, .. } => {
                    by.insert(msg, who);
                    sent.insert(msg, at);
                }
                Fact::Started { msg, .. } => {
                    let (who, at_first) = (by.remove(&msg), sent.remove(&msg));
                    let (Some(who), Some(first)) = (who, at_first) else { continue };
                    let sum = sums.entry(who).or_default();
                    *sum = (sum.0 + at.since(first).as_secs_f64(), sum.1 + 1.0);
                }
                _ => {}
            }
        }
        if !more {
            return sums.into_iter().map(|(who, (sum, n))| (who, sum / n)).collect();
        }
    }
}

#[test]
fn priority_takes_from_one_what_it_gives_to_the_other() {
    let long = ("until", "30d");
    let scenario = with("priority-starvation", &[long]);
    let (urgent, normal) = (actor(&scenario, "urgent"), actor(&scenario, "normal"));
    let by_class = waits(&scenario);
    let near = |got: f64, wanted: f64| (got / wanted - 1.0).abs() < 0.02;
    assert!(near(by_class[&urgent], 1.143), "{by_class:?}");
    assert!(near(by_class[&normal], 5.714), "{by_class:?}");
    let in_order = waits(&with("priority-starvation", &[long, ("broker.max-priority", "0")]));
    assert!(in_order.values().all(|wait| near(*wait, 4.0)), "{in_order:?}");
}

#[test]
fn an_urgent_class_near_the_limit_starves_the_other() {
    let settings = [("urgent.rate", "0.9/s"), ("normal.rate", "0.2/s"), ("until", "200000s")];
    let scenario = with("priority-starvation", &settings);
    let facts = facts(&scenario);
    let normal = actor(&scenario, "normal");
    let mut waiting: BTreeMap<MsgId, ()> = BTreeMap::new();
    for (_, fact) in &facts {
        match fact {
            Fact::Sent { msg, by, .. } if *by == normal => drop(waiting.insert(*msg, ())),
            Fact::Started { msg, .. } => drop(waiting.remove(msg)),
            _ => {}
        }
    }
    // It grows by 0.2 - (1 - 0.9) = 0.1 a second.
    let grown = waiting.len() as f64 / 200_000.0;
    assert!((0.09..0.11).contains(&grown), "{grown}");
}

#[test]
fn what_comes_while_the_consumer_is_away_waits_or_is_lost() {
    let scenario = open("offline-consumer");
    let kept = facts(&scenario);
    let depths = kept.iter().filter_map(|(at, fact)| match fact {
        Fact::Queued { depth, .. } => Some((*depth, *at)),
        _ => None,
    });
    let (most, _) = depths.max().expect("messages waited");
    assert!(most.abs_diff(3_000) <= 2, "{most}");
    let back = SimTime::ZERO + SimSpan::s(70);
    // The first message that finds a free consumer again ends the backlog.
    let queued = queued(&kept);
    let late = kept.iter().rfind(|(at, fact)| match fact {
        Fact::Dispatched { msg, .. } => back < *at && queued.get(msg).is_some_and(|q| q < at),
        _ => false,
    });
    let drained = late.expect("a backlog").0.since(back).as_secs_f64();
    assert!((drained - 20.0).abs() < 0.2, "{drained}");
    let oldest = kept.iter().filter_map(|(at, fact)| match fact {
        Fact::Dispatched { msg, .. } => Some(at.since(*queued.get(msg)?).as_secs_f64()),
        _ => None,
    });
    let oldest = oldest.fold(0.0, f64::max);
    assert!((oldest - 60.0).abs() < 0.1, "{oldest}");
    let temporary = facts(&with("offline-consumer", &[("broker.auto-delete", "on")]));
    let lost = temporary.iter().filter(|(_, fact)| {
        matches!(fact, Fact::Dropped { why: Why::Unroutable | Why::Refused, .. })
    });
    let lost = lost.count() as i64;
    assert!((lost - 3_000).abs() <= 3, "{lost}");
}

#[test]
fn a_queue_moves_the_wait_and_without_it_orders_are_refused() {
    let shaved = facts(&open("peak-shaving"));
    let depths = shaved.iter().filter_map(|(_, fact)| match fact {
        Fact::Queued { depth, .. } => Some(*depth),
        _ => None,
    });
    let backlog = f64::from(depths.max().expect("messages waited"));
    assert!((backlog / 8_000.0 - 1.0).abs() < 0.01, "{backlog}");
    let queued = queued(&shaved);
    let started = |(at, fact): &(SimTime, Fact)| match fact {
        Fact::Started { msg, .. } => Some((*at, at.since(*queued.get(msg)?).as_secs_f64())),
        _ => None,
    };
    let waits: Vec<(SimTime, f64)> = shaved.iter().filter_map(started).collect();
    let longest = waits.iter().map(|(_, wait)| *wait).fold(0.0, f64::max);
    assert!((longest / 40.0 - 1.0).abs() < 0.01, "{longest}");
    let peak_end = SimTime::ZERO + SimSpan::s(20);
    let last = waits.iter().rfind(|(_, wait)| 0.0 < *wait).expect("somebody waited");
    let drained = last.0.since(peak_end).as_secs_f64();
    assert!((drained / 80.0 - 1.0).abs() < 0.01, "{drained}");
    let settings = [("broker.capacity", "1"), ("broker.when-full", "reject")];
    let refused = facts(&with("peak-shaving", &settings));
    let refused = refused
        .iter()
        .filter(|(_, fact)| matches!(fact, Fact::Dropped { why: Why::Refused, .. }))
        .count() as f64;
    assert!((refused / 8_000.0 - 1.0).abs() < 0.01, "{refused}");
}

#[test]
fn the_alarm_stops_the_producer_through_tcp_and_loses_nothing() {
    let scenario = open("memory-alarm");
    let mut session = Session::new(scenario, Watch::All);
    let until = session.scenario().until;
    session.seek(until);
    let seen = session.seen();
    assert_eq!(seen.ledger.lost, 0);
    let mean_ms = |cause| seen.budget.mean(cause).as_ns() as f64 / 1e6;
    assert!(1.0 < mean_ms(Cause::Alarm), "{}", mean_ms(Cause::Alarm));
    assert!(1.0 < mean_ms(Cause::ReceiverWindow) + mean_ms(Cause::Persist));
    assert!(1.0 < mean_ms(Cause::BackPressure) + mean_ms(Cause::SendBuffer));
    let Actor::Broker(broker) = &session.world().actors[1].machine else { panic!("a broker") };
    // 40 % of 1 MB, and the one message that raised the alarm.
    assert!(broker.resources.memory <= 400_000 + 11_024, "{}", broker.resources.memory);
    let Actor::Producer(producer) = &session.world().actors[0].machine else { panic!("first") };
    assert!(producer.outlets[0].blocked, "the wait has come back to the producer");
}

#[test]
fn each_queue_gets_what_its_bindings_choose() {
    let scenario = open("topic-exchange");
    let facts = facts(&scenario);
    let mut by_queue = [0_u32; 4];
    for (_, fact) in &facts {
        if let Fact::Routed { queue, .. } = fact {
            by_queue[usize::from(*queue)] += 1;
        }
    }
    // Of each four: two orders, two payments, one of them as pdf, and one error.
    let rounds = by_queue[3];
    assert!(8 < rounds);
    for (got, wanted) in by_queue.iter().zip([2, 2, 1, 1]) {
        assert!(got.abs_diff(wanted * rounds) <= 2, "{by_queue:?}");
    }
}

#[test]
fn a_customer_waits_for_everything_or_only_for_the_order() {
    let scenario = open("async-order");
    let facts = facts(&scenario);
    let mut asked: BTreeMap<MsgId, (SimTime, ActorId)> = BTreeMap::new();
    let mut root: BTreeMap<MsgId, MsgId> = BTreeMap::new();
    let (mut patient, mut served, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let sms = actor(&scenario, "sms-worker");
    for (at, fact) in &facts {
        match fact {
            Fact::Sent { msg, by, .. } => drop(asked.insert(*msg, (*at, *by))),
            Fact::Copied { msg, of, .. } => {
                root.insert(*msg, root.get(of).copied().unwrap_or(*of));
            }
            Fact::Answered { msg, at: who } => {
                let Some((when, by)) = asked.get(msg).filter(|(_, by)| by == who) else { continue };
                let waited = at.since(*when).as_ns() as f64 / 1e6;
                if *by == actor(&scenario, "patient") {
                    patient.push(waited);
                } else {
                    served.push(waited);
                }
            }
            Fact::Done { msg, at: who, .. } if *who == sms => {
                let order = root.get(msg).copied().unwrap_or(*msg);
                texts.push(at.since(asked[&order].0).as_ns() as f64 / 1e6);
            }
            _ => {}
        }
    }
    assert!(10 < patient.len() && 10 < served.len() && 10 < texts.len());
    assert!(patient.iter().all(|waited| *waited == 550.0), "{patient:?}");
    assert!(served.iter().all(|waited| *waited == 52.0), "{served:?}");
    assert!(texts.iter().all(|after| *after == 352.0), "{texts:?}");
    assert!(
        !facts.iter().any(|(_, fact)| matches!(fact, Fact::Dropped { at: Node::Actor(_), .. }))
    );
}
