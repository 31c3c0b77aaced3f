//! What the presets' stories say is what happens.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::fact::{Fact, Why};
use inflight::model::message::{ActorId, MsgId};
use inflight::world::World;
use inflight::world::preset;
use inflight::world::scenario::Scenario;

/// The facts of a whole run.
fn facts(scenario: &Scenario) -> Vec<(SimTime, Fact)> {
    let mut world = World::new(&scenario.plan(), true);
    let mut all = std::mem::take(&mut world.ground.facts.fresh);
    while world.step(scenario.until) {
        all.append(&mut world.ground.facts.fresh);
    }
    all
}

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

fn at(ms: u64) -> SimTime {
    SimTime::ZERO + SimSpan::ms(ms)
}

/// Time from sending to the first completed work, in ms, by message.
fn latencies(facts: &[(SimTime, Fact)]) -> Vec<(MsgId, f64)> {
    let mut sent = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    for (at, fact) in facts {
        match fact {
            Fact::Sent { msg, .. } => drop(sent.insert(*msg, *at)),
            Fact::Done { msg, .. } => {
                if let Some(born) = sent.remove(msg) {
                    out.push((*msg, at.since(born).as_ns() as f64 / 1e6));
                }
            }
            _ => {}
        }
    }
    out
}

#[test]
fn competing_consumers_loses_two_messages_that_others_get_at_once() {
    let facts = facts(&open("competing-consumers"));
    let returned: Vec<MsgId> = facts
        .iter()
        .filter(|(when, _)| at(8_000) <= *when && *when < at(8_200))
        .filter_map(|(_, fact)| match fact {
            Fact::Requeued { msg, .. } => Some(*msg),
            _ => None,
        })
        .collect();
    assert_eq!(returned.len(), 2, "{returned:?}");
    for msg in returned {
        let again = facts.iter().any(|(when, fact)| {
            let done = matches!(fact, Fact::Done { msg: m, at: who, .. }
                if *m == msg && *who != ActorId(3));
            done && at(8_000) < *when && *when < at(8_600)
        });
        assert!(again, "{msg:?} is worked on by another consumer soon");
    }
}

#[test]
fn a_first_message_takes_what_its_parts_add_up_to() {
    let scenario = open("first-message");
    // 60 ms to the broker, 40 ms to the consumer, 80 ms of work; nothing waits.
    let latencies = latencies(&facts(&scenario));
    assert!(15 < latencies.len());
    for (msg, ms) in latencies {
        assert_eq!(ms, 180.0, "{msg:?}");
    }
}

#[test]
fn mm1_waits_four_services_in_the_mean() {
    let mut scenario = open("mm1");
    scenario.set("until", "6h").expect("longer");
    let latencies = latencies(&facts(&scenario));
    let mean = latencies.iter().map(|(_, ms)| ms).sum::<f64>() / latencies.len() as f64;
    // 200 ms of path, 400 ms of waiting, 100 ms of work.
    assert!((680.0..720.0).contains(&mean), "{mean}");
}

#[test]
fn the_funnel_is_empty_before_the_next_burst() {
    let latencies = latencies(&facts(&open("funnel")));
    let longest = latencies.iter().map(|(_, ms)| *ms).fold(0.0, f64::max);
    assert!((4_800.0..5_400.0).contains(&longest), "{longest}");
}

#[test]
fn the_middle_station_of_the_pipeline_holds_up_the_first() {
    let facts = facts(&open("pipeline"));
    let held = facts.iter().filter(|(_, fact)| {
        matches!(fact, Fact::Held { cause: inflight::model::fact::Cause::BackPressure, .. })
    });
    assert!(10 < held.count());
}

#[test]
fn a_slow_consumer_keeps_messages_waiting_that_a_fast_one_could_have() {
    let scenario = open("slow-consumer-prefetch");
    let worst = |scenario: &Scenario| {
        latencies(&facts(scenario)).iter().map(|(_, ms)| *ms).fold(0.0, f64::max)
    };
    let unfair = worst(&scenario);
    let mut fair = scenario.clone();
    fair.set("slow.prefetch", "1").expect("a prefetch");
    assert!(3_000.0 < unfair && worst(&fair) < unfair / 2.0, "{unfair} {}", worst(&fair));
}

#[test]
fn a_full_queue_costs_what_its_policy_says() {
    let dropped = |policy: &str, wanted: Why| {
        let mut scenario = open("full-queue");
        scenario.set("broker.when-full", policy).expect("a policy");
        let facts = facts(&scenario);
        let lost = facts.iter().filter(|(_, fact)| matches!(fact, Fact::Dropped { .. })).count();
        let so = |fact: &Fact| matches!(fact, Fact::Dropped { why, .. } if *why == wanted);
        assert_eq!(facts.iter().filter(|(_, fact)| so(fact)).count(), lost, "{policy}");
        let blocked = facts.iter().filter(|(_, fact)| matches!(fact, Fact::Held { .. })).count();
        (lost, blocked)
    };
    let (lost, blocked) = dropped("block", Why::Refused);
    assert!(lost == 0 && 50 < blocked, "{lost} {blocked}");
    assert!(50 < dropped("reject", Why::Refused).0);
    assert!(50 < dropped("drop-oldest", Why::Oldest).0);
}

#[test]
fn a_crash_redelivers_or_loses_by_the_acknowledgement() {
    let count = |ack: &str| {
        let mut scenario = open("consumer-crash-redelivery");
        scenario.set("consumer.ack", ack).expect("a mode");
        let facts = facts(&scenario);
        let again = facts.iter().filter(|(_, f)| matches!(f, Fact::Requeued { .. })).count();
        // Sent long before the end and never worked on.
        let done = latencies(&facts);
        let early = |(when, fact): &&(SimTime, Fact)| {
            *when < at(7_000) && matches!(fact, Fact::Sent { .. })
        };
        let is_lost = |fact: &Fact| done.iter().all(|(msg, _)| fact.msg() != Some(*msg));
        let lost = facts.iter().filter(early).filter(|(_, fact)| is_lost(fact)).count();
        (again, lost)
    };
    let (again, lost) = count("after-work");
    assert!((1..=4).contains(&again) && lost == 0, "{again} {lost}");
    let (again, lost) = count("on-delivery");
    assert!(again == 0 && (1..=6).contains(&lost), "{again} {lost}");
}

#[test]
fn what_is_lost_is_sent_again_and_some_arrive_twice() {
    let facts = facts(&open("lost-and-retried"));
    let n = |wanted: fn(&Fact) -> bool| facts.iter().filter(|(_, fact)| wanted(fact)).count();
    let sent = n(|fact| matches!(fact, Fact::Sent { .. }));
    let retried = n(|fact| matches!(fact, Fact::Retried { .. }));
    let done = n(|fact| matches!(fact, Fact::Done { .. }));
    assert!(sent / 10 < retried, "{sent} {retried}");
    assert!(sent < done, "{sent} sent, {done} times worked on");
}

#[test]
fn more_clients_help_only_until_the_responder_is_busy() {
    let answered = |clients: &str| {
        let mut scenario = open("request-reply");
        scenario.set("requester.clients", clients).expect("clients");
        scenario.set("until", "5min").expect("longer");
        facts(&scenario).iter().filter(|(_, f)| matches!(f, Fact::Answered { .. })).count()
    };
    let (three, twelve, forty) = (answered("3"), answered("12"), answered("40"));
    // 20 a second is all that 50 ms of work allow: 6 000 in five minutes.
    assert!(three < 3_200 && 5_300 < twelve && forty < 6_300, "{three} {twelve} {forty}");
}

#[test]
fn only_the_slow_reader_of_a_copy_falls_behind() {
    let scenario = open("fanout-copies");
    let mut done = [0_u32; 5];
    for (_, fact) in facts(&scenario) {
        if let Fact::Done { at, .. } = fact {
            done[at.index()] += 1;
        }
    }
    let (mail, stock, stats) = (done[2], done[3], done[4]);
    assert!(mail.abs_diff(stock) < 10 && stats + 30 < mail, "{mail} {stock} {stats}");
}
