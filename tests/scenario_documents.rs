//! Scenario documents: what is read, what is refused, and with which words.

use inflight::model::command::{Command, Node};
use inflight::model::message::ActorId;
use inflight::param::{Amount, Lang, Value};
use inflight::world::problem::Problem;
use inflight::world::scenario::Scenario;

const SHOP: &str = r#"
format = 1
id = "shop"
title = "Shop"

[[actor]]
id = "producer"
kind = "producer"
rate = "36/s"

[[actor]]
id = "orders"
kind = "broker"
queues = ["new", "paid"]

[[actor]]
id = "consumer"
kind = "consumer"
count = 3
queue = "paid"
prefetch = 2

[[channel]]
id = "path"
from = "producer"
to = "orders"
delay = "40ms"

[[channel]]
from = "orders"
to = "consumer"

[[fault]]
at = "8s"
do = "crash"
actor = "consumer-2"
for = "1s"

[[knob]]
param = "producer.rate"

[[knob]]
param = "consumer.count"
"#;

fn shop() -> Scenario {
    Scenario::parse(SHOP).expect("the shop is valid")
}

/// The problems of the shop with one text replaced by another.
fn problems(from: &str, to: &str) -> Vec<Problem> {
    assert!(SHOP.contains(from), "{from}");
    Scenario::parse(&SHOP.replacen(from, to, 1)).expect_err("it is refused")
}

/// The only problem.
fn problem(from: &str, to: &str) -> String {
    let all = problems(from, to);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].to_string()
}

#[test]
fn a_group_becomes_numbered_actors_with_channels_of_their_own() {
    let shop = shop();
    let ids: Vec<&str> = shop.actors.iter().map(|actor| actor.id.as_str()).collect();
    assert_eq!(ids, ["producer", "orders", "consumer-1", "consumer-2", "consumer-3"]);
    let ids: Vec<&str> = shop.channels.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["path", "orders-consumer-1", "orders-consumer-2", "orders-consumer-3"]);
    assert_eq!(shop.actors[3].name.zh, "消费者 2");
    assert_eq!(shop.faults[0].what, Command::Crash(ActorId(3)));
    assert_eq!(shop.faults[1].what, Command::Restart(ActorId(3)));
    assert!(shop.faults[1].undoes);
    assert_eq!(shop.faults[1].at.ns(), 9_000_000_000);
}

#[test]
fn a_count_that_changes_expands_anew_and_leaves_out_faults_on_nobody() {
    let mut shop = shop();
    shop.set("consumer.count", "1").expect("one consumer");
    assert_eq!(shop.actors.len(), 3);
    assert_eq!(shop.faults, []);
    shop.set("consumer.count", "64").expect("many consumers");
    assert_eq!(shop.actors.len(), 66);
    assert_eq!(shop.faults.len(), 2);
    let refused = shop.set("consumer.count", "65").expect_err("too many");
    assert_eq!(refused.to_string(), "consumer.count: `65` is not allowed; allowed: 1 to 64");
    assert_eq!(shop.actors.len(), 66);
}

#[test]
fn a_group_and_a_member_have_parameters_by_path() {
    let mut shop = shop();
    shop.set("consumer.prefetch", "5").expect("for all");
    shop.set("consumer-2.prefetch", "7").expect("for one");
    let prefetch = |shop: &Scenario, id: u16| {
        let settings = shop.params_of(Node::Actor(ActorId(id)));
        settings.into_iter().find(|s| s.spec.key == "prefetch").expect("declared").value
    };
    assert_eq!(prefetch(&shop, 2), Value::Amount(Amount(5)));
    assert_eq!(prefetch(&shop, 3), Value::Amount(Amount(7)));
    assert_eq!(shop.setting("consumer.prefetch").expect("known").default, Value::Amount(Amount(2)));
    assert_eq!(
        shop.changes(),
        [
            ("consumer.prefetch".to_owned(), "5".to_owned()),
            ("consumer-2.prefetch".to_owned(), "7".to_owned()),
        ]
    );
    let mut again = shop.original();
    for (path, text) in shop.changes() {
        again.set(&path, &text).expect("a change of our own");
    }
    assert_eq!(again, shop);
    shop.reset("consumer.prefetch").expect("known");
    shop.reset("consumer-2.prefetch").expect("known");
    assert_eq!(shop.changes(), []);
}

#[test]
fn seed_end_and_speed_are_set_like_parameters() {
    let mut shop = shop();
    shop.set("seed", "18446744073709551615").expect("the greatest seed");
    shop.set("until", "20s").expect("longer");
    shop.set("speed", "1/50").expect("slower");
    assert_eq!(shop.seed, u64::MAX);
    assert_eq!(shop.until.ns(), 20_000_000_000);
    assert!(shop.set("seed", "-1").is_err());
    assert!(shop.set("until", "0").is_err());
    assert!(shop.set("until", "31d").is_err());
    assert!(shop.set("speed", "0").is_err());
}

#[test]
fn what_is_written_again_is_the_same_scenario() {
    let mut shop = shop();
    shop.set("consumer-2.service", "80ms").expect("one is slow");
    let text = shop.to_toml();
    let again = Scenario::parse(&text).unwrap_or_else(|p| panic!("{text}\n{p:?}"));
    assert_eq!(again.to_toml(), text);
    assert_eq!(again.actors, shop.actors);
    assert_eq!(again.channels, shop.channels);
    assert_eq!(again.faults, shop.faults);
    assert_eq!(again.knobs, shop.knobs);
}

#[test]
fn every_deed_survives_its_command() {
    let shop = shop();
    let texts = [
        "crash:consumer-2",
        "restart:producer",
        "pause:orders",
        "resume:orders",
        "cut:path",
        "mend:path",
        "drop:path:3",
        "slow:consumer-1:400%",
        "send:producer",
        "set:consumer-2.service:80ms",
        "set:path.delay:5ms",
    ];
    for text in texts {
        let deed = inflight::world::deed::Deed::parse(text).expect("a deed");
        let commands = shop.commands(&deed).unwrap_or_else(|p| panic!("{text}: {p}"));
        assert_eq!(commands.len(), 1);
        assert_eq!(shop.deed(&commands[0]).show(), text);
    }
}

#[test]
fn a_deed_on_a_group_reaches_every_member() {
    let shop = shop();
    let deed = inflight::world::deed::Deed::parse("set:consumer.service:80ms").expect("a deed");
    assert_eq!(shop.commands(&deed).expect("three").len(), 3);
}

#[test]
fn an_unknown_key_names_its_neighbours() {
    let said = problem("prefetch = 2", "prefecth = 2");
    assert!(said.starts_with("line 21: consumer: there is no `prefecth`; there is: "), "{said}");
    assert!(said.ends_with("(did you mean `prefetch`?)"), "{said}");
}

#[test]
fn a_value_out_of_range_names_the_range() {
    assert_eq!(
        problem("rate = \"36/s\"", "rate = \"2000k/s\""),
        "line 9: producer.rate: `2000k/s` is not allowed; allowed: 0/s to 1000k/s"
    );
    let said = problem("rate = \"36/s\"", "rate = 36");
    assert!(said.contains("`36` is not allowed") && said.contains("did you mean `36/s`"), "{said}");
    assert!(problem("delay = \"40ms\"", "delay = \"40 sec\"").contains("did you mean `40s`"));
}

#[test]
fn all_errors_of_a_document_come_at_once() {
    let text = SHOP
        .replace("rate = \"36/s\"", "rate = \"36\"\nratee = 1")
        .replace("prefetch = 2", "prefetch = 0")
        .replace("delay = \"40ms\"", "delay = true")
        .replace("to = \"consumer\"", "to = \"consumers\"")
        .replace("do = \"crash\"", "do = \"crush\"")
        .replace("consumer.count", "consumer.cuont");
    let lines: Vec<Option<u32>> =
        Scenario::parse(&text).expect_err("many").iter().map(|p| p.line).collect();
    assert_eq!(lines.len(), 7, "{:?}", Scenario::parse(&text));
    assert!(lines.is_sorted());
}

#[test]
fn names_must_exist_and_be_different() {
    let twice = problems("id = \"orders\"", "id = \"producer\"");
    assert_eq!(
        twice[0].to_string(),
        "line 12: id: `producer` is not allowed; allowed: an id that nothing else has"
    );
    let said = problem("to = \"consumer\"", "to = \"consumr\"");
    assert!(said.ends_with("(did you mean `consumer`?)"), "{said}");
    assert!(problem("actor = \"consumer-2\"", "actor = \"consumer-4\"").contains("consumer-2"));
    assert!(problem("queue = \"paid\"", "queue = \"payed\"").contains("did you mean `paid`"));
    assert!(
        problem("id = \"path\"", "id = \"consumer-1\"").contains("an id that nothing else has")
    );
    assert!(problem("param = \"producer.rate\"", "param = \"producer.rat\"").contains("`rate`"));
}

#[test]
fn who_cannot_speak_is_told_who_can() {
    let said =
        problem("from = \"producer\"\nto = \"orders\"", "from = \"orders\"\nto = \"producer\"");
    assert!(said.contains("`broker -> producer` is not allowed"), "{said}");
    assert!(said.ends_with("(did you mean `producer -> broker`?)"), "{said}");
    let said =
        problem("from = \"producer\"\nto = \"orders\"", "from = \"orders\"\nto = \"orders\"");
    assert!(said.contains("another actor"), "{said}");
}

#[test]
fn times_stay_inside_the_run() {
    assert_eq!(
        problem("at = \"8s\"", "at = \"11s\""),
        "line 34: fault 1.at: `11s` is not allowed; allowed: 0 to 10s"
    );
    assert!(problem("format = 1", "format = 1\nuntil = \"31d\"").contains("30d"));
    assert!(
        problem("format = 1", "format = 1\nuntil = \"99999999999999999999s\"").contains("until")
    );
}

#[test]
fn a_fault_takes_what_belongs_to_it() {
    let all = problems("do = \"crash\"", "do = \"drop\"");
    let keys: Vec<&str> = all.iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["fault 1.channel", "fault 1", "fault 1"], "{all:?}");
    let said = problem(
        "do = \"crash\"\nactor = \"consumer-2\"\nfor = \"1s\"",
        "do = \"send\"\nactor = \"orders\"",
    );
    assert!(said.contains("producer, requester"), "{said}");
    let said = problem(
        "do = \"crash\"\nactor = \"consumer-2\"\nfor = \"1s\"",
        "do = \"set\"\nparam = \"consumer.queue\"\nvalue = \"new\"",
    );
    assert!(said.contains("while the run goes on"), "{said}");
}

#[test]
fn limits_are_enforced() {
    let mut many = SHOP.to_owned();
    for i in 0..4 {
        many += &format!("\n[[actor]]\nid = \"more-{i}x\"\nkind = \"consumer\"\ncount = 64\n");
    }
    let said = Scenario::parse(&many).expect_err("too many actors")[0].to_string();
    assert!(said.contains("at most 200 actors in all"), "{said}");

    let mesh = "format = 1\n[[actor]]\nid = \"a\"\nkind = \"producer\"\ncount = 40\n\
                [[actor]]\nid = \"b\"\nkind = \"consumer\"\ncount = 40\n\
                [[channel]]\nfrom = \"a\"\nto = \"b\"\n";
    let said = Scenario::parse(mesh).expect_err("too many channels")[0].to_string();
    assert!(said.contains("at most 400 channels in all"), "{said}");

    let faults = "[[fault]]\nat = \"1s\"\ndo = \"crash\"\nactor = \"producer\"\n".repeat(1_001);
    let said = Scenario::parse(&(SHOP.to_owned() + &faults)).expect_err("too many faults");
    assert!(said[0].to_string().contains("at most 1000"), "{said:?}");

    let comment = format!("{SHOP}\n# {}", "x".repeat(256 * 1024));
    assert!(Scenario::parse(&comment).expect_err("too long")[0].to_string().contains("256 KiB"));

    let times = vec!["1ms"; 100_001].join(",");
    let long = SHOP.replace("rate = \"36/s\"", &format!("times = \"{times}\""));
    assert!(Scenario::parse(&long).is_err());
}

#[test]
fn texts_are_plain_and_short() {
    assert!(problem("title = \"Shop\"", "title = \"Shop\\u0000\"").contains("control characters"));
    assert!(
        problem("title = \"Shop\"", "title = \"Shop\\u009b31m\"").contains("control characters")
    );
    let long = format!("title = \"{}\"", "x".repeat(201));
    assert!(problem("title = \"Shop\"", &long).contains("at most 200 characters"));
    assert!(
        problem("title = \"Shop\"", "title = { en = \"Shop\", de = \"Laden\" }").contains("`de`")
    );
}

#[test]
fn a_document_needs_its_format_and_an_actor() {
    assert!(problem("format = 1\n", "").contains("format is missing"));
    assert!(problem("format = 1\n", "format = 2\n").contains("the only format so far"));
    let said = Scenario::parse("format = 1").expect_err("no actor")[0].to_string();
    assert_eq!(said, "actor is missing; allowed: [[actor]] tables");
}

#[test]
fn problems_are_said_in_chinese_too() {
    let all = problems("prefetch = 2", "prefetch = 0");
    assert_eq!(
        all[0].say(Lang::Zh),
        "第 21 行：consumer.prefetch：不允许“0”；允许：1 至 unlimited"
    );
}

/// Two machines joined by TCP, the first of them a board.
fn board(host: &str) -> String {
    format!(
        "format = 1\nid = \"board\"\ntitle = {{ en = \"B\", zh = \"板\" }}\nseed = 1\nuntil = \"1s\"\n\
         [[host]]\nid = \"board\"\nprofile = \"stm32\"\n{host}\n\
         [[actor]]\nid = \"board\"\nkind = \"script\"\ndo = \"write 1\"\n\
         [[actor]]\nid = \"pc\"\nkind = \"script\"\ndo = \"read 1\"\n\
         [[channel]]\nid = \"tcp\"\nfrom = \"board\"\nto = \"pc\"\nkind = \"tcp\"\n"
    )
}

#[test]
fn a_part_without_ethernet_is_refused_with_the_reason() {
    let refused = Scenario::parse(&board("part = \"l476\"")).expect_err("it has no MAC");
    assert_eq!(refused.len(), 1, "{refused:?}");
    let said = refused[0].to_string();
    assert!(said.contains("board.part: `l476`") && said.contains("no Ethernet MAC"), "{said}");
    assert_eq!(refused[0].line, Some(9), "{said}");
    let mut scenario = Scenario::parse(&board("part = \"h743\"")).expect("it has one");
    let said = scenario.set("board.part", "l476").expect_err("it has no MAC").to_string();
    assert!(said.contains("no Ethernet MAC"), "{said}");
}

#[test]
fn a_board_has_its_own_parameters_and_those_of_lwip() {
    let host = "part = \"h743\"\ndriver = \"copying\"\nmem-size = \"8KiB\"\ntcp-mss = \"1460B\"";
    let mut scenario = Scenario::parse(&board(host)).expect("a board");
    let again = Scenario::parse(&scenario.to_toml()).expect("what was written");
    assert_eq!(again.plan(), scenario.plan());
    scenario.set("board.profile", "lwip").expect("another profile");
    let shown = scenario.to_toml();
    assert!(shown.contains("tcp-mss = \"1460B\"") && !shown.contains("driver"), "{shown}");
}
