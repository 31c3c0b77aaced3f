//! The presets about guarantees: their figures, exact where they are exact, and what becomes of
//! their promises wherever something goes wrong.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::actor::Actor;
use inflight::model::fact::Fact;
use inflight::model::message::MsgId;
use inflight::observe::{Guarantee, Verdict};
use inflight::world::everywhere::{Everywhere, Options, Report, Shrink, What};
use inflight::world::link::{Link, Source};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

fn with(id: &str, changes: &[(&str, &str)]) -> Scenario {
    let mut scenario = open(id);
    for (path, value) in changes {
        scenario.set(path, value).unwrap_or_else(|problem| panic!("{path}: {problem}"));
    }
    scenario
}

fn run(scenario: &Scenario) -> Session {
    let mut session = Session::new(scenario.clone(), Watch::All);
    session.seek(scenario.until);
    session
}

/// Copies that the broker stored.
fn stored(session: &Session) -> u32 {
    let brokers = session.world().actors.iter().filter_map(|node| match &node.machine {
        Actor::Broker(broker) => Some(broker.n_stored),
        _ => None,
    });
    brokers.sum()
}

fn facts(scenario: &Scenario) -> Vec<(SimTime, Fact)> {
    let session = run(scenario);
    let mut all = Vec::new();
    session.retell(&mut |at, fact| {
        all.push((at, *fact));
        true
    });
    all
}

fn everywhere(scenario: &Scenario) -> Report {
    let mut all = Everywhere::new(scenario, &[], Options::default());
    while !all.step(1_000_000) {}
    all.into_report()
}

fn at(ms: u64) -> SimTime {
    SimTime::ZERO + SimSpan::ms(ms)
}

#[test]
fn at_most_once_loses_what_the_consumer_had_in_memory() {
    let scenario = open("at-most-once");
    let session = run(&scenario);
    let ledger = &session.seen().ledger;
    assert_eq!((ledger.sent, ledger.lost, ledger.duplicated), (500, 101, 0));
    assert_eq!((ledger.delivered, ledger.in_flight()), (399, 0));
    let facts = facts(&scenario);
    let before = facts.iter().filter(|(when, _)| *when < SimTime::ZERO + SimSpan::us(2_005_000));
    let count = |all: &mut dyn Iterator<Item = &(SimTime, Fact)>, done: bool| {
        all.filter(|(_, fact)| match fact {
            Fact::Done { .. } => done,
            Fact::Dispatched { .. } => !done,
            _ => false,
        })
        .count()
    };
    assert_eq!(count(&mut before.clone(), false), 201);
    assert_eq!(count(&mut before.clone(), true), 100);
}

#[test]
fn at_least_once_does_message_100_twice_and_loses_none() {
    let scenario = open("at-least-once-duplicate");
    let session = run(&scenario);
    let seen = session.seen();
    assert_eq!((seen.ledger.lost, seen.ledger.duplicated), (0, 1));
    assert_eq!((seen.ledger.sent, seen.ledger.delivered), (500, 500));
    assert_eq!(seen.ledger.newest_duplicated[0].msg, MsgId(100));
    let again = facts(&scenario).iter().any(|(_, fact)| {
        matches!(fact, Fact::Dispatched { msg: MsgId(100), redelivered: true, .. })
    });
    assert!(again, "it is flagged as redelivered");
    // Sent 500 messages of 1 to 9 coins; message 100 carries 1 + 99 % 9 = 1 coin.
    assert_eq!(seen.guarantees.book.difference(), 1);
}

#[test]
fn a_lost_request_is_lost_and_everything_stored_is_done_once() {
    let mut scenario = open("exactly-once-consumer-dedupe");
    for seed in [scenario.seed, 1, 2, 3, 4] {
        scenario.set("seed", &seed.to_string()).expect("a seed");
        let session = run(&scenario);
        let seen = session.seen();
        // 1000 requests, each lost with a chance of 1 %: three standard deviations are 9.4.
        assert!((980..=1000).contains(&seen.ledger.delivered), "{}", seen.ledger.delivered);
        assert_eq!(seen.ledger.lost, 1000 - seen.ledger.delivered);
        assert_eq!(seen.ledger.duplicated, 0);
        assert_eq!(u64::from(stored(&session)), seen.ledger.delivered);
        assert_eq!(seen.guarantees.lost_stored.count, 0);
    }
}

#[test]
fn what_is_sent_again_takes_effect_once() {
    let mut scenario = open("exactly-once-producer-id");
    for seed in [scenario.seed, 1, 2, 3, 4] {
        scenario.set("seed", &seed.to_string()).expect("a seed");
        let session = run(&scenario);
        let seen = session.seen();
        assert_eq!((seen.ledger.delivered, seen.ledger.duplicated), (1000, 0));
        assert_eq!(seen.guarantees.verdict(Guarantee::ExactlyOnce, true), Verdict::Kept);
        // 1000 / 0.9 copies; three standard deviations are 33.
        assert!((1077..=1145).contains(&stored(&session)), "{}", stored(&session));
        assert_eq!(seen.guarantees.book.difference(), 0);
    }
}

#[test]
fn a_poison_message_never_ends_without_a_limit_and_dies_after_four_deliveries_with_one() {
    let deliveries = |scenario: &Scenario| {
        let facts = facts(scenario);
        let of_bad =
            facts.iter().filter(|(_, fact)| matches!(fact, Fact::Dispatched { msg: MsgId(1), .. }));
        of_bad.count()
    };
    let for_ever = open("poison-message");
    let session = run(&for_ever);
    assert_eq!((session.seen().ledger.delivered, session.seen().ledger.lost), (0, 0));
    assert!(100 < deliveries(&for_ever));
    let quorum = [("broker.queue-type", "quorum"), ("broker.delivery-limit", "3")];
    let limited = with("poison-message", &quorum);
    let session = run(&limited);
    assert_eq!(session.seen().ledger.delivered, 9);
    assert_eq!(deliveries(&limited), 4);
    // The dead letter waits in its queue.
    assert_eq!((session.seen().ledger.lost, session.seen().ledger.in_flight()), (0, 1));
    for (how, lost) in [("dead-letter", 0), ("return", 1)] {
        let scenario = with("poison-message", &[("consumer.when-bad", how)]);
        let session = run(&scenario);
        assert_eq!((session.seen().ledger.delivered, session.seen().ledger.lost), (9, lost));
        assert_eq!(deliveries(&scenario), 1);
    }
}

#[test]
fn every_promise_of_a_preset_holds_wherever_something_goes_wrong() {
    for id in [
        "at-most-once",
        "at-least-once-duplicate",
        "exactly-once-consumer-dedupe",
        "exactly-once-producer-id",
        "poison-message",
        "transactions",
    ] {
        let mut scenario = open(id);
        if id == "transactions" {
            // Until the open transaction has timed out.
            scenario.set("until", "5500ms").expect("an end");
        } else if id != "poison-message" {
            // The crash of the document comes after the hundredth message.
            scenario.set("producer.limit", "110").expect("a limit");
            scenario.set("until", "10s").expect("an end");
        }
        let report = everywhere(&scenario);
        assert!(100 < report.n_runs, "{id}");
        for promise in &scenario.promises {
            let first = report.first[promise.index()];
            assert!(!report.is_broken(*promise), "{id}: {promise:?} {report:?} {first:?}");
        }
    }
}

/// A few messages, every place.
fn few(id: &str, changes: &[(&str, &str)]) -> Scenario {
    let mut all = vec![("producer.limit", "6"), ("until", "4s")];
    all.extend(changes);
    with(id, &all)
}

#[test]
fn exactly_once_by_the_producers_id_breaks_in_none_of_all_runs() {
    let report = everywhere(&few("exactly-once-producer-id", &[]));
    assert_eq!(report.every, 1);
    assert!(150 < report.n_runs, "{}", report.n_runs);
    assert_eq!(report.broken(Guarantee::ExactlyOnce), 0, "{report:?}");
    assert_eq!(report.broken(Guarantee::NothingLost), 0);
    assert_eq!(report.broken(Guarantee::NothingTwice), 0);
    for what in [What::Request, What::Reply, What::Delivery, What::Acknowledgement] {
        assert!(report.rows.iter().any(|row| row.what == what && 0 < row.n_runs), "{what:?}");
    }
}

#[test]
fn by_the_brokers_id_requests_are_lost_and_nothing_else() {
    let report = everywhere(&few("exactly-once-consumer-dedupe", &[("path.loss", "0%")]));
    assert_eq!(report.broken(Guarantee::NothingTwice), 0);
    assert_eq!(report.broken(Guarantee::NoLossAfterStored), 0);
    assert_eq!(report.broken(Guarantee::NoLossAfterAck), 0);
    let requests = report.rows.iter().find(|row| row.what == What::Request).expect("requests");
    assert_eq!(requests.n_runs, 6 - 1, "the first is sent before anything can go wrong");
    assert_eq!(requests.broken[Guarantee::NothingLost.index()], requests.n_runs);
    // Besides, only the crash of a broker loses what is on its way to it.
    for row in &report.rows {
        let is_broker = row.what == What::Crash(inflight::model::message::ActorId(1));
        if row.what != What::Request && !is_broker {
            assert_eq!(row.broken[Guarantee::NothingLost.index()], 0, "{row:?}");
        }
    }
}

#[test]
fn a_record_before_the_effect_loses_after_it_repeats_and_with_it_does_neither() {
    for (record, loses, repeats) in
        [("before", true, false), ("after", false, true), ("same-transaction", false, false)]
    {
        let scenario = few("exactly-once-producer-id", &[("consumer.record", record)]);
        let report = everywhere(&scenario);
        let n = |guarantee| report.broken(guarantee);
        assert_eq!(0 < n(Guarantee::NothingLost), loses, "{record}: {report:?}");
        assert_eq!(0 < n(Guarantee::NothingTwice), repeats, "{record}: {report:?}");
    }
}

#[test]
fn the_smallest_counterexample_has_one_message_and_its_link_opens_it() {
    let scenario = with("at-least-once-duplicate", &[("until", "10s")]);
    let report = everywhere(&few("at-least-once-duplicate", &[]));
    assert!(0 < report.broken(Guarantee::NothingTwice));
    let guarantee = Guarantee::NothingTwice;
    let mut shrink = Shrink::new(&scenario, &[], Options::default(), guarantee, None);
    while !shrink.step(100_000) {}
    let found = shrink.found().expect("it breaks");
    assert_eq!(
        found
            .scenario
            .params()
            .iter()
            .find(|s| s.path == "producer.limit")
            .map(|s| s.value.ordinal()),
        Some(1)
    );
    let link = found.link(Source::Preset("at-least-once-duplicate".into())).write();
    let (link, notices) = Link::parse(&link);
    assert!(notices.is_empty(), "{notices:?}");
    let opened = link.open().expect("it opens");
    let log = opened
        .log
        .iter()
        .map(|(at, command)| inflight::world::Logged { at: *at, command: command.clone() });
    let mut session = Session::with_log(opened.scenario.clone(), Watch::All, log.collect());
    session.seek(opened.shown);
    assert!(opened.compare(session.fingerprint()).is_none(), "the same run");
    assert_eq!(session.seen().ledger.duplicated, 1, "and it shows what is broken");
    assert!(at(0) < session.now());
}
