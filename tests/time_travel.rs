//! Going anywhere in time changes nothing: fingerprints, sinks and worlds are the same.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::fact::Fact;
use inflight::model::{ActorId, ChannelId, Command};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

/// SplitMix64, so that the test's own draws are fixed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

fn open(id: &str) -> Scenario {
    preset::find(id).unwrap_or_else(|| panic!("there is a preset {id}")).open()
}

fn run(scenario: Scenario, watch: Watch) -> Session {
    let mut session = Session::new(scenario, watch);
    let until = session.until();
    assert!(session.advance(until, u64::MAX));
    session
}

#[test]
fn every_preset_has_one_fingerprint_with_and_without_sinks_and_from_a_clone() {
    for listed in preset::ALL {
        let whole = run(listed.open(), Watch::All);
        let bare = run(listed.open(), Watch::Nothing);
        assert_eq!(whole.fingerprint(), bare.fingerprint(), "{}", listed.id);
        let mut first = Session::new(listed.open(), Watch::All);
        let half = SimTime::from_ns(first.until().ns() / 2);
        first.advance(half, u64::MAX);
        let mut second = first.clone();
        for session in [&mut first, &mut second] {
            session.advance(session.until(), u64::MAX);
            assert_eq!(session.fingerprint(), whole.fingerprint(), "{}", listed.id);
            assert_eq!(session.seen(), whole.seen(), "{}", listed.id);
        }
    }
}

#[test]
fn another_seed_gives_another_run() {
    let mut other = open("mm1");
    other.set("seed", "4242").expect("any seed will do");
    assert_ne!(
        run(open("mm1"), Watch::Nothing).fingerprint(),
        run(other, Watch::Nothing).fingerprint()
    );
}

#[test]
fn a_thousand_seeks_end_where_a_straight_run_does() {
    for id in ["competing-consumers", "mm1"] {
        let straight = run(open(id), Watch::All);
        let mut session = Session::new(open(id), Watch::All);
        let mut draws = Draws(7);
        for _ in 0..1_000 {
            session.seek(SimTime::from_ns(draws.below(session.until().ns())));
        }
        session.seek(session.until());
        assert_eq!(session.fingerprint(), straight.fingerprint(), "{id}");
        assert_eq!(session.seen(), straight.seen(), "{id}");
        assert_eq!(session.world(), straight.world(), "{id}");
    }
}

#[test]
fn a_seek_shows_the_same_as_running_there() {
    let id = "consumer-crash-redelivery";
    let mut far = Session::new(open(id), Watch::All);
    far.seek(far.until());
    let mut draws = Draws(3);
    for _ in 0..40 {
        let at = SimTime::from_ns(draws.below(far.until().ns()));
        far.seek(at);
        let mut near = Session::new(open(id), Watch::All);
        near.advance(at, u64::MAX);
        assert_eq!(far.fingerprint(), near.fingerprint(), "{at:?}");
        assert_eq!(far.seen(), near.seen(), "{at:?}");
        assert_eq!(far.now(), at);
    }
}

#[test]
fn stepping_back_undoes_a_step() {
    let mut session = Session::new(open("competing-consumers"), Watch::All);
    session.seek(SimTime::ZERO + SimSpan::s(8));
    for _ in 0..200 {
        let before = (session.events(), session.fingerprint(), session.seen().ledger.clone());
        assert!(session.step());
        assert!(session.step_back());
        let after = (session.events(), session.fingerprint(), session.seen().ledger.clone());
        assert_eq!(before.0, after.0);
        assert_eq!(before.1, after.1);
        assert_eq!(before.2.sent, after.2.sent);
        session.step();
    }
    session.seek(SimTime::ZERO);
    assert!(!session.step_back(), "there is nothing before the start");
}

#[test]
fn commands_are_replayed_and_a_new_one_forks() {
    let mut session = Session::new(open("competing-consumers"), Watch::All);
    let second = |s| SimTime::ZERO + SimSpan::s(s);
    session.seek(second(2));
    session.do_now(Command::Crash(ActorId(3))).expect("it runs");
    session.seek(second(4));
    session.do_now(Command::Restart(ActorId(3))).expect("it is down");
    session.do_now(Command::DropNth { channel: ChannelId(0), nth: 1 }).expect("it is there");
    session.seek(session.until());
    let forked = session.fingerprint();
    let log = session.log().to_vec();
    assert_eq!(log.len(), 3);

    let mut again = Session::with_log(open("competing-consumers"), Watch::All, log);
    again.seek(again.until());
    assert_eq!(again.fingerprint(), forked);

    session.seek(second(3));
    session.do_now(Command::Restart(ActorId(3))).expect("it is down");
    assert_eq!(session.log().len(), 2, "what was logged for later is gone");
    session.seek(session.until());
    assert_ne!(session.fingerprint(), forked);
}

#[test]
fn a_live_parameter_is_a_command_and_at_the_start_a_change_of_the_scenario() {
    let mut session = Session::new(open("mm1"), Watch::All);
    session.set("producer.rate", "20/s").expect("in range");
    assert!(session.log().is_empty());
    session.seek(SimTime::ZERO + SimSpan::s(1));
    session.set("producer.rate", "30/s").expect("in range");
    assert_eq!(session.log().len(), 1);
    let problem = session.set("producer.rate", "-1/s").expect_err("no rate is negative");
    assert_eq!(problem.key, "producer.rate");
}

#[test]
fn a_story_tells_everything_about_a_message() {
    let mut session = Session::new(open("mm1"), Watch::All);
    session.seek(session.until());
    let msg = inflight::model::MsgId(5);
    let born = SimTime::ZERO;
    let story = session.story(msg, born, 100);
    assert!(matches!(story.first(), Some((_, Fact::Sent { .. }))), "{story:?}");
    assert!(story.iter().any(|(_, fact)| matches!(fact, Fact::Done { .. })));
    assert!(story.iter().all(|(_, fact)| fact.msg() == Some(msg)));
}

#[test]
fn a_slider_that_moves_while_the_clock_stands_leaves_one_entry() {
    let at = SimTime::from_ns(2_000_000_000);
    let run = |places: &[&str]| {
        let mut session = Session::new(open("competing-consumers"), Watch::All);
        session.seek(at);
        for place in places {
            session.set("producer.rate", place).expect("a rate");
        }
        session.seek(session.until());
        (session.log().len(), session.fingerprint())
    };
    let (entries, fingerprint) = run(&["40/s", "50/s", "70/s"]);
    assert_eq!(entries, 1);
    assert_eq!((1, fingerprint), run(&["70/s"]));
}

#[test]
fn a_story_tells_of_the_crash_that_a_person_caused() {
    let mut session = Session::new(open("mm1"), Watch::All);
    session.advance(SimTime::from_ns(4_000_000_000), u64::MAX);
    session.do_now(Command::Crash(ActorId(1))).expect("the server can crash");
    let lost = session.seen().ledger.newest_lost.back().copied().expect("it held a message");
    let story = session.story(lost.msg, SimTime::ZERO, 100);
    let told =
        story.iter().any(|(at, fact)| matches!(fact, Fact::Dropped { .. }) && *at == session.now());
    assert!(told, "{story:?}");
    let mut n_facts = 0;
    session.retell(&mut |_, _| {
        n_facts += 1;
        true
    });
    assert_eq!(n_facts, session.world().ground.facts.count());
}
