//! TCP in the world: determinism, conservation, budgets, documents, links, captures.
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use std::collections::BTreeMap;
use std::process::Command as Process;

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::fact::Fact;
use inflight::world::World;
use inflight::world::link::Link;
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

const TCP: [&str; 10] = [
    "nagle-stall",
    "four-quadrants",
    "nodelay-small-writes",
    "odd-even-segments",
    "cork",
    "small-window",
    "one-lost-segment",
    "tmr-interval",
    "two-lwip-boards",
    "broker-over-tcp",
];

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

/// Two scripts over a wire; `wire` and `client` are further lines of their tables.
fn pair(wire: &str, hosts: &str, client: &str, server: &str) -> String {
    format!(
        "format = 1\nid = \"case\"\nuntil = \"20s\"\n{hosts}\n\
         [[wire]]\nid = \"wire\"\nfrom = \"client\"\nto = \"server\"\n{wire}\n\
         [[actor]]\nid = \"client\"\nkind = \"script\"\ndo = \"\"\"\n{client}\n\"\"\"\n\
         [[actor]]\nid = \"server\"\nkind = \"script\"\ndo = \"\"\"\n{server}\n\"\"\"\n\
         [[channel]]\nid = \"tcp\"\nfrom = \"client\"\nto = \"server\"\nkind = \"tcp\"\n"
    )
}

fn problems(text: &str) -> String {
    let problems = Scenario::parse(text).expect_err("refused");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn sinks_clones_and_seeks_change_nothing() {
    for id in TCP {
        let scenario = open(id);
        let mut plain = World::new(&scenario.plan(), false);
        let half = SimTime::from_ns(scenario.until.ns() / 2);
        while plain.step(half) {}
        let mut copy = plain.clone();
        while plain.step(scenario.until) {}
        while copy.step(scenario.until) {}
        assert_eq!(plain.fingerprint(), copy.fingerprint(), "{id}: a clone");
        let mut session = Session::new(scenario.clone(), Watch::All);
        session.seek(scenario.until);
        assert_eq!(session.fingerprint(), plain.fingerprint(), "{id}: with sinks");
        let seen = session.seen().clone();
        session.seek(half);
        session.step_back();
        session.seek(scenario.until);
        assert_eq!(session.fingerprint(), plain.fingerprint(), "{id}: after a seek");
        assert_eq!(session.seen().ledger, seen.ledger, "{id}");
        assert_eq!(session.seen().budget, seen.budget, "{id}");
    }
}

/// Whatever the wire does, what was written is read, once, in order; the sinks assert on the way
/// that the parts of each latency make the whole.
#[test]
fn every_message_is_delivered_once_whatever_the_wire_does() {
    let script = "repeat 40 {\n  write 100\n  write 3000\n  read 10\n  sleep 3ms\n}\nclose";
    let server = "repeat 40 {\n  read 3100\n  write 10\n}\ndrain";
    let wires = [
        "loss = \"10%\"",
        "reorder = \"20%\"",
        "duplicate = \"20%\"",
        "queue-limit = 3\nrate = \"2Mbit/s\"",
        "loss = \"5%\"\nreorder = \"10%\"\nduplicate = \"5%\"\nmtu = \"576B\"",
        "rules = [\"drop syn 1\", \"drop fin 1\", \"drop ack 2..4 back\"]",
    ];
    for profile in ["linux", "rfc", "lwip"] {
        let host = |id: &str| format!("[[host]]\nid = \"{id}\"\nprofile = \"{profile}\"\n");
        let hosts = host("client") + &host("server");
        for wire in wires.iter().filter(|wire| profile != "lwip" || !wire.contains("mtu")) {
            let text = pair(wire, &hosts, script, server).replace("\"20s\"", "\"900s\"");
            let scenario = Scenario::parse(&text).unwrap();
            let until = scenario.until;
            let mut session = Session::new(scenario, Watch::All);
            session.seek(until);
            let ledger = &session.seen().ledger;
            let counts = (ledger.sent, ledger.delivered, ledger.lost, ledger.reordered);
            assert_eq!(counts, (120, 120, 0, 0), "{profile} over {wire}");
            assert_eq!(ledger.duplicated, 0, "{profile} over {wire}");
        }
    }
}

#[test]
fn framed_parcels_survive_crashes_cuts_and_losses_or_are_accounted_for() {
    let faults = "\n[[fault]]\nat = \"2s\"\ndo = \"crash\"\nactor = \"consumer\"\nfor = \"1s\"\n\
        [[fault]]\nat = \"5s\"\ndo = \"cut\"\nchannel = \"publish\"\nfor = \"500ms\"\n\
        [[fault]]\nat = \"7s\"\ndo = \"drop\"\nchannel = \"delivery\"\nnth = 3\n\
        [[fault]]\nat = \"8s\"\ndo = \"pause\"\nactor = \"broker\"\nfor = \"1s\"\n";
    let text = preset::find("broker-over-tcp").unwrap().text.to_owned() + faults;
    let scenario = Scenario::parse(&text).unwrap();
    let until = scenario.until;
    let mut session = Session::new(scenario, Watch::All);
    session.seek(until);
    let ledger = &session.seen().ledger;
    let in_flight = session.seen().accounts.iter().filter(|(_, a)| a.delivered.is_none()).count();
    assert_eq!(ledger.sent, ledger.delivered + ledger.lost + in_flight as u64);
    assert!(600 < ledger.delivered, "{ledger:?}");
    let mut broken = 0;
    session.retell(&mut |_, fact| {
        broken += u32::from(matches!(fact, Fact::Broken { .. }));
        true
    });
    assert!(0 < broken, "the crash was heard at the other end");
}

#[test]
fn documents_survive_being_written_and_sent_as_links() {
    for id in TCP {
        let mut scenario = open(id);
        let again = Scenario::parse(&scenario.to_toml()).unwrap();
        assert_eq!(again.hosts, scenario.hosts, "{id}");
        assert_eq!(again.wires, scenario.wires, "{id}");
        assert_eq!(again.actors, scenario.actors, "{id}");
        assert_eq!(again.plan(), scenario.plan(), "{id}");
        let wire = scenario.wires[0].id.clone();
        let host = scenario.hosts[0].id.clone();
        scenario.set(&format!("{wire}.delay"), "7ms").unwrap();
        scenario.set(&format!("{host}.nodelay"), "on").ok();
        scenario.set(&format!("{host}.profile"), "linux").unwrap();
        let again = Scenario::parse(&scenario.to_toml()).unwrap();
        assert_eq!(again.plan(), scenario.plan(), "{id}: changed");
        let source = inflight::world::link::Source::Preset(id.to_owned());
        let text = Link::of(source, &scenario, &[], SimTime::ZERO, 0).write();
        let (link, _) = Link::parse(&text);
        let opened = link.open().expect("our own link opens");
        assert_eq!(opened.scenario.plan(), scenario.plan(), "{id}: {text}");
    }
}

#[test]
fn a_host_is_set_through_the_actor_that_lives_there() {
    let mut scenario = open("nagle-stall");
    scenario.set("client.nodelay", "on").unwrap();
    assert_eq!(scenario.changes(), [("client.nodelay".to_owned(), "on".to_owned())]);
    scenario.set("client.profile", "rfc").unwrap();
    let rests = |scenario: &Scenario| scenario.knobs.iter().all(|k| k.path != "client.nodelay");
    assert!(rests(&scenario), "the knob has nothing to turn");
    assert!(rests(&Scenario::parse(&scenario.to_toml()).unwrap()));
    scenario.set("client.nagle", "minshall").unwrap();
    let problem = scenario.set("client.hz", "250").expect_err("rfc has no ticks");
    assert!(problem.to_string().contains("nagle"), "{problem}");
    scenario.reset("client.nagle").unwrap();
    scenario.reset("client.profile").unwrap();
    assert_eq!(scenario.setting("client.nodelay").unwrap().path, "client.nodelay");
}

#[test]
fn a_group_has_its_machines_made_after_one_pattern() {
    let text = "format = 1\nid = \"case\"\n\
        [[host]]\nid = \"worker\"\nprofile = \"rfc\"\nnagle = \"off\"\n\
        [[actor]]\nid = \"shop\"\nkind = \"producer\"\n\
        [[actor]]\nid = \"worker\"\nkind = \"consumer\"\ncount = 2\n\
        [[channel]]\nid = \"tcp\"\nfrom = \"shop\"\nto = \"worker\"\nkind = \"tcp\"\n";
    let mut scenario = Scenario::parse(text).unwrap();
    let kinds = |scenario: &Scenario| -> BTreeMap<String, &'static str> {
        scenario.hosts.iter().map(|host| (host.id.clone(), host.params.kind())).collect()
    };
    let expected = [("shop", "linux"), ("worker-1", "rfc"), ("worker-2", "rfc")];
    let expected: BTreeMap<String, &str> =
        expected.iter().map(|(id, kind)| ((*id).to_owned(), *kind)).collect();
    assert_eq!(kinds(&scenario), expected);
    assert_eq!(scenario.wires.len(), 2);
    scenario.set("worker.count", "3").unwrap();
    assert_eq!(kinds(&scenario)["worker-3"], "rfc");
    scenario.set("worker-2.profile", "lwip").unwrap();
    assert_eq!(kinds(&scenario)["worker-2"], "lwip");
    let again = Scenario::parse(&scenario.to_toml()).unwrap();
    assert_eq!(again.plan(), scenario.plan());
}

#[test]
fn what_is_wrong_is_named_with_line_and_allowed_words() {
    let bad = problems(&pair("", "", "write 100\nwirte 3", "read 1"));
    assert!(bad.contains("client.do") && bad.contains("line 2: wirte"), "{bad}");
    assert!(bad.contains("did you mean `write`?"), "{bad}");
    let bad = problems(&pair("rules = [\"drop data zero\"]", "", "", ""));
    assert!(bad.contains("wire.rules") && bad.contains("numbers from 1"), "{bad}");
    let bad = problems(&pair("rat = \"1Mbit/s\"", "", "", ""));
    assert!(bad.contains("did you mean `rate`?"), "{bad}");
    let host = "[[host]]\nid = \"client\"\nprofile = \"lwip\"\nhz = 250";
    let bad = problems(&pair("", host, "", ""));
    assert!(bad.contains("client: there is no `hz`"), "{bad}");
    let bad = problems(&pair("", "", "", "").replace("kind = \"tcp\"", "kind = \"ideal\""));
    assert!(bad.contains("tcp"), "{bad}");
    let bad = pair("", "", "", "")
        .replace("id = \"server\"\nkind", "id = \"server\"\nhost = \"client\"\nkind");
    assert!(problems(&bad).contains("two hosts"), "{}", problems(&bad));
}

#[test]
fn a_wire_that_is_cut_loses_what_all_its_channels_send() {
    let text = pair(
        "",
        "",
        "repeat 5 {\nwrite 100\nread 1\nsleep 100ms\n}",
        "repeat 5 {\nread 100\nwrite 1\n}",
    ) + "[[fault]]\nat = \"150ms\"\ndo = \"cut\"\nchannel = \"tcp\"\nfor = \"1s\"\n";
    let scenario = Scenario::parse(&text).unwrap();
    let until = scenario.until;
    let mut session = Session::new(scenario, Watch::All);
    session.seek(until);
    assert_eq!(session.seen().ledger.delivered, 10);
    let mut lost = 0;
    session.retell(&mut |_, fact| {
        lost += u32::from(matches!(fact, Fact::SegmentLost { .. }));
        true
    });
    assert!(2 <= lost);
}

#[test]
fn a_live_change_of_the_wire_takes_effect_at_once() {
    let mut session = Session::new(open("nagle-stall"), Watch::All);
    session.seek(SimTime::ZERO + SimSpan::ms(300));
    session.set("wire.delay", "10ms").unwrap();
    assert_eq!(session.log().len(), 1);
    session.seek(SimTime::ZERO + SimSpan::ms(900));
    let once = session.fingerprint();
    session.seek(SimTime::ZERO + SimSpan::ms(100));
    session.seek(SimTime::ZERO + SimSpan::ms(900));
    assert_eq!(session.fingerprint(), once);
}

/// The capture of a preset at its first host.
fn capture(id: &str) -> (Vec<u8>, u64) {
    let scenario = open(id);
    let until = scenario.until;
    let mut session = Session::new(scenario, Watch::Nothing);
    session.seek(until);
    let mut bytes = Vec::new();
    let n = session.capture(None, &mut |piece| {
        bytes.extend_from_slice(piece);
        true
    });
    (bytes, n.unwrap())
}

/// Wireshark's own program reads our captures: nothing malformed, no checksum wrong, and its round
/// trips are ours. Without it only the shape is looked at.
#[test]
fn tshark_reads_our_captures() {
    let has_tshark = Process::new("tshark").arg("--version").output().is_ok();
    for id in TCP {
        let (bytes, n) = capture(id);
        assert!(0 < n, "{id}");
        assert_eq!(bytes[..4], [0x0A, 0x0D, 0x0D, 0x0A], "{id}");
        if !has_tshark {
            continue;
        }
        let file =
            std::env::temp_dir().join(format!("inflight-{}-{id}.pcapng", std::process::id()));
        std::fs::write(&file, &bytes).unwrap();
        let fields = |filter: &str, field: &str| {
            let out = Process::new("tshark")
                .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
                .arg("-r")
                .arg(&file)
                .args(["-Y", filter, "-T", "fields", "-e", field])
                .output()
                .unwrap();
            assert!(out.status.success(), "{id}: {}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap()
        };
        let bad = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0";
        assert_eq!(fields(bad, "frame.number"), "", "{id}");
        assert_eq!(fields("tcp", "frame.number").lines().count() as u64, n, "{id}");
        if id == "nagle-stall" {
            let rtts = fields("tcp.analysis.ack_rtt", "tcp.analysis.ack_rtt");
            let stalls = rtts.lines().filter_map(|l| l.parse::<f64>().ok());
            let stalls = stalls.filter(|s| (0.040..0.050).contains(s)).count();
            assert!(15 <= stalls, "{rtts}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
