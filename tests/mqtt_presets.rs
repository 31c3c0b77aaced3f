//! The presets about MQTT: their figures, and what single losses and crashes do to each quality.

use std::collections::BTreeMap;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::ActorId;
use inflight::model::fact::{Fact, Why};
use inflight::model::message::MsgId;
use inflight::observe::Guarantee;
use inflight::world::World;
use inflight::world::everywhere::{Everywhere, Options, Report, What};
use inflight::world::preset;
use inflight::world::scenario::Scenario;

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

fn facts(scenario: &Scenario) -> Vec<(SimTime, Fact)> {
    let mut world = World::new(&scenario.plan(), true);
    let mut all = std::mem::take(&mut world.ground.facts.fresh);
    while world.step(scenario.until) {
        all.append(&mut world.ground.facts.fresh);
    }
    all
}

/// How often each message of a sender was done.
fn effects(facts: &[(SimTime, Fact)], sender: ActorId) -> BTreeMap<MsgId, u32> {
    let mut all = BTreeMap::new();
    for (_, fact) in facts {
        match fact {
            Fact::Sent { msg, by, .. } if *by == sender => drop(all.insert(*msg, 0)),
            Fact::Done { msg, .. } => {
                if let Some(n) = all.get_mut(msg) {
                    *n += 1;
                }
            }
            _ => {}
        }
    }
    all
}

#[test]
fn of_three_qualities_one_loses_one_doubles_and_one_does_neither() {
    let facts = facts(&open("mqtt-qos"));
    let [zero, one, two] = [0, 1, 2].map(|sender| {
        let effects = effects(&facts, ActorId(sender));
        assert_eq!(effects.len(), 200);
        let lost = effects.values().filter(|n| **n == 0).count();
        let doubled = effects.values().filter(|n| 1 < **n).count();
        (lost, doubled)
    });
    // Two hops lose one in ten each: 19 in a hundred, that is 38 of 200 in the mean.
    assert!((25..=52).contains(&zero.0) && zero.1 == 0, "{zero:?}");
    // An answer lost on either hop doubles: 0.1 + 0.1, that is some 38 of 200.
    assert!(one.0 == 0 && (25..=55).contains(&one.1), "{one:?}");
    assert_eq!(two, (0, 0));
}

#[test]
fn a_session_waits_or_is_forgotten_and_a_late_comer_gets_what_is_retained() {
    let scenario = open("mqtt-session");
    let all = facts(&scenario);
    let done_by = |who: u16| {
        let done = |(_, fact): &&(SimTime, Fact)| match fact {
            Fact::Done { at, .. } => *at == ActorId(who),
            _ => false,
        };
        all.iter().filter(done).count()
    };
    let [kept, clean, late] = [3, 4, 5].map(done_by);
    // Away from 1.60 s to 2.60 s, by the broker's clock: 10 of 40 come then.
    assert_eq!((kept, clean, late), (40, 30, 1));
    let at = all.iter().find(|(_, fact)| matches!(fact, Fact::Done { at: ActorId(5), .. }));
    // It connects at 3.58 s: 20 ms there, 20 ms back, 30 ms of work.
    assert_eq!(at.map(|(at, _)| *at), Some(SimTime::ZERO + SimSpan::ms(3_650)));
}

#[test]
fn of_the_retained_only_the_last_is_kept_and_qos_0_does_not_wait() {
    let mut scenario = open("mqtt-session");
    scenario.set("sensor.qos", "0").expect("a quality");
    let all = facts(&scenario);
    let away =
        all.iter().filter(|(_, fact)| matches!(fact, Fact::Dropped { why: Why::NotConnected, .. }));
    assert_eq!(away.count(), 10, "the persistent one misses QoS 0");
}

/// One chain without losses of its own.
fn chain(qos: &str) -> Scenario {
    let text = format!(
        r#"format = 1
until = "3s"
[[actor]]
id = "publisher"
kind = "mqtt-publisher"
arrivals = "constant"
rate = "50/s"
limit = 5
qos = "{qos}"
resend = "60ms"
[[actor]]
id = "broker"
kind = "mqtt-broker"
durable = true
resend = "60ms"
[[actor]]
id = "subscriber"
kind = "mqtt-subscriber"
service = "4ms"
[[channel]]
id = "up"
from = "publisher"
to = "broker"
delay = "3ms"
[[channel]]
id = "down"
from = "broker"
to = "subscriber"
delay = "3ms"
"#
    );
    Scenario::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn everywhere(scenario: &Scenario) -> Report {
    let options = Options { restart: SimSpan::ms(30), ..Options::default() };
    let mut all = Everywhere::new(scenario, &[], options);
    while !all.step(1_000_000) {}
    all.into_report()
}

#[test]
fn single_losses_and_crashes_break_what_each_quality_does_not_promise() {
    for (qos, loses, doubles) in [("0", true, false), ("1", false, true), ("2", false, false)] {
        let report = everywhere(&chain(qos));
        assert_eq!(report.every, 1, "every place");
        let broken = |guarantee: Guarantee, crash: Option<u16>| -> u64 {
            let rows = report.rows.iter().filter(|row| match (row.what, crash) {
                (What::Crash(actor), Some(who)) => actor == ActorId(who),
                (What::Crash(_), None) | (_, Some(_)) => false,
                _ => true,
            });
            rows.map(|row| row.broken[guarantee.index()]).sum()
        };
        // A single packet is lost.
        assert_eq!(0 < broken(Guarantee::NothingLost, None), loses, "{qos}: {report:?}");
        assert_eq!(0 < broken(Guarantee::NothingTwice, None), doubles, "{qos}: {report:?}");
        // A broker that is durable loses nothing that it has acknowledged.
        assert_eq!(broken(Guarantee::NoLossAfterAck, Some(0)), 0, "{qos}");
        assert_eq!(broken(Guarantee::NoLossAfterAck, Some(1)), 0, "{qos}");
        // What a subscriber took with PUBREC dies with it; with PUBACK after the work it does not.
        let taken = broken(Guarantee::NoLossAfterAck, Some(2));
        assert_eq!(0 < taken, qos == "2", "{qos}: {taken}");
    }
}

#[test]
fn a_path_that_does_not_keep_order_breaks_qos_2() {
    let mut scenario = open("mqtt-qos");
    for (path, value) in [
        ("radio.in-order", "off"),
        ("radio.jitter", "400ms"),
        ("radio.loss", "0%"),
        ("radio.ack-loss", "0%"),
        ("delivery.loss", "0%"),
        ("delivery.ack-loss", "0%"),
    ] {
        scenario.set(path, value).unwrap_or_else(|problem| panic!("{path}: {problem}"));
    }
    let effects = effects(&facts(&scenario), ActorId(2));
    assert!(effects.values().any(|n| 1 < *n), "a late DUP counts as a new message");
}
