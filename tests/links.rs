//! Share links: golden ones that must open for ever, their letters, and their lengths.
//!
//! A file of `tests/links/` is a link, a line `----`, and what it opens. A file without that line
//! is completed; nothing else ever rewrites one: a link that is out in the world cannot be changed.
#![cfg(not(target_arch = "wasm32"))]

use std::fmt::Write;
use std::path::PathBuf;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::command::Command;
use inflight::param::{Lang, show_span};
use inflight::world::codec::{is_link_letter, pack, unpack};
use inflight::world::deed::Deed;
use inflight::world::link::{Link, Opened, Source};
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use proptest::prelude::*;

/// What a link opens, line by line.
fn described(link: &str) -> String {
    let (link, mut notices) = Link::parse(link);
    let mut out = String::new();
    let _ = match &link.source {
        Source::Preset(id) => writeln!(out, "preset {id}"),
        Source::Document(text) => writeln!(out, "document of {} bytes", text.len()),
        Source::Nothing => writeln!(out, "nothing"),
    };
    match link.open() {
        Ok(opened) => {
            describe(&link, &opened, &mut out);
            notices.extend(opened.notices);
        }
        Err(more) => notices.extend(more),
    }
    for notice in notices {
        let _ = writeln!(out, "notice {}", notice.part);
    }
    out
}

fn describe(link: &Link, opened: &Opened, out: &mut String) {
    let scenario = &opened.scenario;
    let time = |at: SimTime| show_span(at.since(SimTime::ZERO));
    let _ = writeln!(out, "id {} | {} | {}", scenario.id, scenario.title.en, scenario.title.zh);
    let _ = writeln!(out, "seed {}", scenario.seed);
    let _ = writeln!(out, "until {}", time(scenario.until));
    let _ = writeln!(out, "shown {}", time(opened.shown));
    for (path, _) in &link.sets {
        if let Ok(setting) = scenario.setting(path) {
            let _ = writeln!(out, "set {path} = {}", setting.spec.show(&setting.value));
        }
    }
    for (at, command) in &opened.log {
        let _ = writeln!(out, "do {} {}", time(*at), scenario.deed(command).show());
    }
    if let Some(engine) = &opened.engine {
        let _ = writeln!(out, "engine {engine}");
    }
    if let Some(fingerprint) = opened.fingerprint {
        let _ = writeln!(out, "fingerprint {fingerprint:08x}");
    }
}

fn golden() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/links");
    let files = std::fs::read_dir(folder).expect("the folder");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn golden_links_open_for_ever() {
    let paths = golden();
    assert!(12 <= paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a file of the test");
        let (link, expected) = text.split_once("\n----\n").unwrap_or((text.trim_end(), ""));
        let described = described(link);
        if expected.is_empty() {
            std::fs::write(&path, format!("{link}\n----\n{described}")).expect("written");
            continue;
        }
        assert_eq!(described, expected, "{}", path.display());
    }
}

#[test]
fn what_was_opened_is_written_as_a_link_that_opens_the_same() {
    for path in golden() {
        let text = std::fs::read_to_string(&path).expect("a file of the test");
        let (link, _) = text.split_once("\n----\n").unwrap_or((&text, ""));
        let (link, _) = Link::parse(link);
        let Ok(opened) = link.open() else { continue };
        let fingerprint = u64::from(opened.fingerprint.unwrap_or(7)) << 32;
        let again = Link::of(
            opened.source.clone(),
            &opened.scenario,
            &opened.log,
            opened.shown,
            fingerprint,
        );
        let written = again.write();
        assert_safe(&written);
        let (read, notices) = Link::parse(&written);
        assert_eq!(notices, [], "{written}");
        assert_eq!(read, again, "{written}");
        let second = read.open().expect("it opens");
        assert_eq!(second.scenario, opened.scenario, "{written}");
        assert_eq!(second.log, opened.log, "{written}");
        assert_eq!(second.shown, opened.shown, "{written}");
        assert_eq!(second.notices, [], "{written}");
    }
}

/// Only letters that programs leave alone, a letter or digit last.
fn assert_safe(link: &str) {
    let fragment = link.strip_prefix('#').expect("a fragment");
    assert!(fragment.bytes().all(is_link_letter), "{link}");
    assert!(link.ends_with(|c: char| c.is_ascii_alphanumeric()), "{link}");
}

#[test]
fn a_preset_tweaked_stays_under_120_characters() {
    for preset in preset::ALL {
        let mut scenario = preset.open();
        let knob = scenario.knob_settings()[0].clone();
        let other = knob.spec.nudge(&knob.value, 3);
        scenario.set(&knob.path, &knob.spec.show(&other)).expect("a nice value");
        scenario.set("seed", "123456").expect("a seed");
        let source = Source::Preset(preset.id.to_owned());
        let shown = SimTime::from_ns(1_234_567_891);
        let link = Link::of(source, &scenario, &[], shown, u64::MAX).write();
        assert!(link.len() < 120, "{}: {link}", link.len());
        assert_safe(&link);
    }
}

#[test]
fn typical_edits_stay_under_400_characters() {
    let mut scenario = preset::find("competing-consumers").expect("a preset").open();
    for (path, text) in [
        ("producer.rate", "45/s"),
        ("path.delay", "120ms"),
        ("consumer.count", "5"),
        ("consumer.spread", "hyper-exponential"),
        ("consumer-2.service", "80ms"),
        ("broker.when-full", "drop-oldest"),
    ] {
        scenario.set(path, text).expect("valid");
    }
    scenario.set("seed", "18446744073709551615").expect("a seed");
    let mut log = Vec::new();
    for (ms, deed) in [
        (1_500, "set:consumer.service:75ms"),
        (2_250, "drop:path:3"),
        (3_141, "crash:consumer-4"),
        (4_000, "set:consumer.prefetch:9"),
        (5_125, "restart:consumer-4"),
        (6_789, "slow:consumer-1:400%"),
    ] {
        let commands = scenario.commands(&Deed::parse(deed).expect("a deed")).expect("possible");
        let at = SimTime::ZERO + SimSpan::ms(ms);
        log.extend(commands.into_iter().map(|command| (at, command)));
    }
    let source = Source::Preset("competing-consumers".to_owned());
    let shown = SimTime::from_ns(9_123_456_789);
    let link = Link::of(source, &scenario, &log, shown, 0x1234_5678_9abc_def0);
    let written = link.write();
    assert!(written.len() < 400, "{}: {written}", written.len());
    assert_safe(&written);
    assert_eq!(link.actions.len(), 6, "what was done to a group is said once");
    assert_eq!(link.open().expect("it opens").log, log);
}

/// As large as the document that the length was measured with: 3 hosts, 7 actors, 6 channels,
/// 2 faults in some 1 500 bytes.
const OWN: &str = r#"format = 1
id = "warehouse"
topic = "own"
title = { en = "Warehouse", zh = "仓库" }
story = { en = "Two shops send orders to one warehouse.", zh = "两家商店向一个仓库下单。" }
question = { en = "Who works most?", zh = "谁最忙？" }
seed = 2026
until = "30s"

[[host]]
id = "shop"
profile = "linux"

[[host]]
id = "hall"
profile = "rfc"

[[host]]
id = "sensor"
profile = "lwip"

[[actor]]
id = "web"
kind = "producer"
host = "shop"
rate = "20/s"

[[actor]]
id = "phone"
kind = "producer"
host = "shop"
rate = "3/s"
arrivals = "constant"

[[actor]]
id = "scale"
kind = "producer"
host = "sensor"
rate = "8/s"

[[actor]]
id = "orders"
kind = "broker"
host = "hall"
queues = ["orders"]
capacity = 200
when-full = "reject"

[[actor]]
id = "picker"
kind = "consumer"
host = "hall"
service = "90ms"
prefetch = 2

[[actor]]
id = "packer"
kind = "consumer"
host = "hall"
service = "120ms"
spread = "log-normal"

[[actor]]
id = "clerk"
kind = "consumer"
host = "hall"
service = "40ms"

[[channel]]
from = "web"
to = "orders"
delay = "20ms"

[[channel]]
from = "phone"
to = "orders"
delay = "35ms"
loss = "1%"

[[channel]]
from = "scale"
to = "orders"
delay = "5ms"

[[channel]]
from = "orders"
to = "picker"
delay = "2ms"

[[channel]]
from = "orders"
to = "packer"
delay = "2ms"

[[channel]]
from = "orders"
to = "clerk"
delay = "2ms"

[[fault]]
at = "10s"
do = "crash"
actor = "packer"
for = "4s"

[[fault]]
at = "20s"
do = "slow"
actor = "picker"
factor = "300%"

[[knob]]
param = "web.rate"
"#;

#[test]
fn a_small_document_of_ones_own_stays_under_700_characters() {
    let scenario = Scenario::parse(OWN).expect("valid");
    assert!(1_450 < OWN.len(), "{}", OWN.len());
    let source = Source::Document(OWN.to_owned());
    let shown = SimTime::from_ns(1_234_567_891);
    let link = Link::of(source, &scenario, &[], shown, u64::MAX).write();
    println!("{}: {link}", link.len());
    assert!(link.len() < 700, "{}: {link}", link.len());
    assert_safe(&link);
    let opened = Link::parse(&link).0.open().expect("it opens");
    assert_eq!(opened.scenario, scenario);
    assert_eq!(opened.scenario.title.zh, "仓库");
}

#[test]
fn only_what_differs_is_written() {
    let mut scenario = preset::find("mm1").expect("a preset").open();
    let source = || Source::Preset("mm1".to_owned());
    let plain = Link::of(source(), &scenario, &[], SimTime::ZERO, 0).write();
    assert_eq!(plain, format!("#v1/mm1?e={}&f=00000000", env!("CARGO_PKG_VERSION")));
    scenario.set("producer.rate", "9.5/s").expect("valid");
    scenario.set("producer.rate", "8/s").expect("as it was");
    assert_eq!(Link::of(source(), &scenario, &[], SimTime::ZERO, 0).write(), plain);
}

#[test]
fn another_fingerprint_is_said() {
    let (link, _) = Link::parse("#v1/mm1?t=4s&e=0.0.9&f=3a9c01d2");
    let opened = link.open().expect("it opens");
    assert_eq!(opened.compare(0x3a9c_01d2_0000_0001), None);
    let notice = opened.compare(0x1111_2222_3333_4444).expect("another run");
    let said = notice.say(Lang::En);
    for part in ["3a9c01d2", "11112222", "0.0.9", env!("CARGO_PKG_VERSION")] {
        assert!(said.contains(part), "{said}");
        assert!(notice.say(Lang::Zh).contains(part), "{}", notice.say(Lang::Zh));
    }
    let (without, _) = Link::parse("#v1/mm1?t=4s");
    assert_eq!(without.open().expect("it opens").compare(1), None);
}

#[test]
fn every_bad_part_is_named_and_the_rest_opens() {
    let text = "#v1/mm1?rate=90/s&producer.rate=90&server.sevice=1ms&t=never&seed=7&x";
    let (link, mut notices) = Link::parse(text);
    let opened = link.open().expect("it opens");
    notices.extend(opened.notices);
    let parts: Vec<&str> = notices.iter().map(|notice| notice.part.as_str()).collect();
    assert_eq!(parts, ["rate=90/s", "t=never", "x", "producer.rate=90", "server.sevice=1ms"]);
    assert_eq!(opened.scenario.seed, 7);
    assert!(notices[3].say(Lang::En).contains("did you mean `90/s`"));
    assert!(notices[4].say(Lang::En).contains("did you mean `service`"));
    assert!(notices.iter().all(|notice| notice.say(Lang::Zh).starts_with("链接中的")));
}

#[test]
fn a_bomb_and_a_giant_are_refused_quickly() {
    // Deflate makes it small; only what inflates to at most 256 KiB is read.
    let bomb = pack(&"# x\n".repeat(4 << 20));
    assert_eq!(unpack(&bomb), None);
    let (link, notices) = Link::parse(&format!("#v1/~{bomb}"));
    assert_eq!((link.source, notices.len()), (Source::Nothing, 1));
    let (link, notices) = Link::parse(&format!("#v1/mm1?{}", "a=b&".repeat(1 << 20)));
    assert_eq!((link.source, notices.len()), (Source::Nothing, 1));
    let many = format!("#v1/mm1?do={}", vec!["1s:send:producer"; 5_000].join(","));
    let (link, notices) = Link::parse(&many);
    assert_eq!((link.actions.len(), notices.len()), (1_000, 1));
}

proptest! {
    #[test]
    fn settings_from_sliders_survive_the_link(
        positions in proptest::collection::vec(0_u32..=1000, 12),
        seed: u64,
        shown in 0_u64..12_000_000_000,
        fingerprint: u64,
        which in 0..preset::ALL.len(),
    ) {
        let preset = &preset::ALL[which];
        let mut scenario = preset.open();
        scenario.set("seed", &seed.to_string()).expect("a seed");
        for (setting, position) in scenario.params().into_iter().zip(&positions) {
            if setting.spec.has_slider() && setting.spec.key != "count" {
                let text = setting.spec.show(&setting.spec.at_position(*position));
                scenario.set(&setting.path, &text).expect("a value of the slider");
            }
        }
        let shown = SimTime::from_ns(shown.min(scenario.until.ns()));
        let log: Vec<(SimTime, Command)> = Vec::new();
        let source = Source::Preset(preset.id.to_owned());
        let written = Link::of(source, &scenario, &log, shown, fingerprint).write();
        assert_safe(&written);
        let (link, notices) = Link::parse(&written);
        prop_assert_eq!(notices, []);
        let opened = link.open().expect("it opens");
        prop_assert_eq!(opened.notices, []);
        prop_assert_eq!(opened.scenario, scenario);
        prop_assert_eq!(opened.shown, shown);
    }
}
