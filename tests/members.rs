//! Consumers and partitions come and go while a run goes on: by the inspector's buttons.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::fact::Fact;
use inflight::model::{ActorId, Command};
use inflight::param::Lang;
use inflight::view::Chosen;
use inflight::view::inspect::{Inspection, Subject, cast_of, inspect};
use inflight::view::members::{Doing, Stepper};
use inflight::world::link::{Link, Source};
use inflight::world::preset;
use inflight::world::session::{Logged, Session, Watch};

fn at(ms: u64) -> SimTime {
    SimTime::ZERO + SimSpan::ms(ms)
}

fn open(id: &str) -> Session {
    let preset = preset::find(id).unwrap_or_else(|| panic!("there is a preset {id}"));
    Session::new(preset.open(), Watch::All)
}

fn actor(session: &Session, id: &str) -> ActorId {
    let place = session.scenario().actors.iter().position(|actor| actor.id == id);
    ActorId(place.unwrap_or_else(|| panic!("there is an actor {id}")) as u16)
}

fn chosen(session: &Session, id: &str, lang: Lang) -> Inspection {
    let subject = Subject {
        scenario: session.scenario(),
        cast: &cast_of(session.scenario()),
        world: session.world(),
        seen: session.seen(),
        past: &[],
        now: session.now(),
        lang,
    };
    inspect(subject, Chosen::Actor(actor(session, id)))
}

/// The row of that name of what is chosen.
fn row(session: &Session, id: &str, name: &str) -> Stepper {
    let rows = chosen(session, id, Lang::En).steppers;
    let found = rows.iter().find(|row| row.name == name);
    found.unwrap_or_else(|| panic!("a row {name} in {rows:#?}")).clone()
}

fn press(session: &mut Session, deed: Option<Doing>) {
    match deed.expect("it can be pressed") {
        Doing::Set(path, text) => session.set(&path, &text),
        Doing::Grow(group) => session.add_member(&group),
    }
    .expect("what is offered can be done");
}

/// Everything that happened up to the shown instant.
fn told(session: &Session) -> Vec<(SimTime, Fact)> {
    let mut all = Vec::new();
    session.retell(&mut |at, fact| {
        all.push((at, *fact));
        true
    });
    all
}

/// How many messages an actor began to work on.
fn begun(session: &Session, id: ActorId) -> usize {
    let begins = |fact: &Fact| matches!(fact, Fact::Started { at, .. } if *at == id);
    told(session).iter().filter(|(_, fact)| begins(fact)).count()
}

#[test]
fn a_new_member_takes_part_from_now_on_and_the_past_stays() {
    for (preset, broker, rows) in [
        ("hot-partition", "log", "Consumers of orders"),
        ("competing-consumers", "broker", "Consumers of orders"),
    ] {
        let mut session = open(preset);
        session.seek(at(700));
        session.set("consumer-1.service", "33ms").expect("it is live");
        session.seek(at(900));
        session.do_now(Command::Crash(actor(&session, "consumer-2"))).expect("it runs");
        session.seek(at(1_500));
        let before = told(&session);
        let n = session.scenario().actors.len();
        let deed = row(&session, broker, rows).more.deed;
        assert_eq!(deed, Some(Doing::Grow("consumer".into())), "{preset}");
        press(&mut session, deed);
        assert_eq!(session.scenario().actors.len(), n + 1);
        assert_eq!(session.now(), at(1_500));
        assert_eq!(session.log().len(), 3, "what was done before stays in the log");
        let after = told(&session);
        assert_eq!(before[..], after[..before.len()], "{preset}: the past is another one");
        let newest = ActorId(n as u16);
        assert_eq!(begun(&session, newest), 0);
        session.seek(session.until());
        assert!(0 < begun(&session, newest), "{preset}: the new member does nothing");

        // A link carries it, and going back shows it outside.
        let source = Source::Preset(preset.into());
        let log: Vec<_> = session.log().iter().map(|e| (e.at, e.command.clone())).collect();
        let (end, print) = (session.now(), session.fingerprint());
        let link = Link::of(source, session.scenario(), &log, end, print);
        let (link, notices) = Link::parse(&link.write());
        assert_eq!(notices, []);
        let opened = link.open().expect("it opens");
        assert_eq!(opened.notices, []);
        session.seek(at(1_000));
        let less_one = row(&session, broker, rows).value;
        assert!(less_one.contains(" / "), "{preset}: {less_one}");
        session.seek(session.until());
        assert_eq!(opened.compare(session.fingerprint()), None, "{preset}");
    }
}

/// The fingerprint that a link to the shown instant opens with.
fn reopened(session: &Session, preset: &str) -> u64 {
    let log: Vec<_> = session.log().iter().map(|e| (e.at, e.command.clone())).collect();
    let source = Source::Preset(preset.into());
    let link = Link::of(source, session.scenario(), &log, session.now(), session.fingerprint());
    let opened = Link::parse(&link.write()).0.open().expect("it opens");
    let log = opened.log.into_iter().map(|(at, command)| Logged { at, command }).collect();
    let mut again = Session::with_log(opened.scenario, Watch::Nothing, log);
    again.seek(opened.shown);
    again.fingerprint()
}

#[test]
fn a_link_made_at_the_instant_of_the_buttons_opens_with_the_same_fingerprint() {
    let mut session = open("hot-partition");
    session.seek(at(2_000));
    for (name, more) in [
        ("Consumers of orders", true),
        ("Partitions", true),
        ("Consumers of orders", false),
        ("Consumers of orders", true),
    ] {
        let row = row(&session, "log", name);
        press(&mut session, if more { row.more.deed } else { row.less.deed });
        assert_eq!(reopened(&session, "hot-partition"), session.fingerprint(), "{name}");
    }
}

#[test]
fn before_the_start_a_new_member_is_one_of_the_scenario() {
    let mut session = open("hot-partition");
    let deed = row(&session, "log", "Consumers of orders").more.deed;
    press(&mut session, deed);
    assert!(session.log().is_empty());
    assert_eq!(row(&session, "log", "Consumers of orders").value, "5");
}

#[test]
fn a_change_for_a_whole_group_counts_for_a_later_member_too() {
    let mut session = open("competing-consumers");
    session.seek(at(500));
    session.set("consumer.service", "33ms").expect("it is live");
    session.seek(at(800));
    session.add_member("consumer").expect("there is room");
    let newest = session.scenario().setting("consumer-4.service").expect("it is there");
    let value = session.value_of(newest.nodes[0], newest.param);
    assert_eq!(newest.spec.show(&value), "33ms");
}

#[test]
fn consumers_of_a_group_leave_from_the_last_and_join_from_the_first() {
    let mut session = open("rebalance-cooperative");
    session.seek(at(21_000));
    let name = "Consumers of billing";
    let all = row(&session, "log", name);
    assert_eq!(all.value, "3");
    assert_eq!(all.more.deed, None);
    assert_eq!(all.more.words, "billing: all consumers of the scenario take part.");
    for (left, path) in [("2 / 3", "c.joined"), ("1 / 3", "b.joined"), ("0 / 3", "a.joined")] {
        let deed = row(&session, "log", name).less.deed;
        assert_eq!(deed, Some(Doing::Set(path.into(), "off".into())));
        press(&mut session, deed);
        session.seek(session.now() + SimSpan::ms(10));
        assert_eq!(row(&session, "log", name).value, left);
    }
    let none = row(&session, "log", name);
    assert_eq!(none.less.deed, None);
    assert_eq!(none.less.words, "billing: no consumer takes part.");
    assert_eq!(none.more.deed, Some(Doing::Set("a.joined".into(), "on".into())));
    // A member shows the row of its own group, and can itself go.
    assert_eq!(row(&session, "b", name), none);
    let labels: Vec<&str> =
        chosen(&session, "b", Lang::Zh).actions.iter().map(|a| a.label.zh).collect();
    assert_eq!(labels, ["崩溃", "暂停", "加入消费组"]);
}

#[test]
fn partitions_grow_one_by_one_and_never_shrink() {
    let mut session = open("hot-partition");
    session.seek(at(1_000));
    let before = row(&session, "log", "Partitions");
    let n: u32 = before.value.parse().expect("a number");
    assert_eq!(before.less.deed, None);
    assert!(before.less.words.contains("only grow"), "{}", before.less.words);
    press(&mut session, before.more.deed);
    let again = row(&session, "log", "Partitions").more.deed;
    press(&mut session, again);
    let grown: u32 = row(&session, "log", "Partitions").value.parse().expect("a number");
    assert_eq!(grown, n + 2);
    assert_eq!(session.log().len(), 1, "two presses at one instant are one change");
    let id = session.scenario().setting("log.partitions").expect("it is there");
    let most = id.spec.max();
    session.set("log.partitions", &id.spec.show(&most)).expect("in range");
    assert_eq!(row(&session, "log", "Partitions").more.deed, None);
}

#[test]
fn what_a_plan_sets_is_told_from_what_a_reader_sets() {
    let mut session = open("rebalance-cooperative");
    let joined = session.scenario().setting("c.joined").expect("it is there");
    let planned =
        |s: &Session| s.world().planned(joined.nodes[0], joined.param).map(|v| v.show(&[]));
    session.seek(at(1_000));
    assert_eq!(planned(&session), None);
    session.seek(at(21_000));
    assert_eq!(planned(&session), Some("on".into()));
    session.set("c.joined", "off").expect("it is live");
    assert_eq!(planned(&session), Some("on".into()));
}
