//! Scenario texts: `tests/scenarios/*.txt`. A document, `----`, and the timeline it must give.
//!
//! A line of the timeline is a fact in words, with its time; lines that begin with `#` are prose.
//! `UPDATE=1` rewrites the timelines: read the difference like code.

use std::fmt::Write as _;
use std::path::PathBuf;

use inflight::kernel::SimTime;
use inflight::model::{Fact, Node};
use inflight::param::show_span;
use inflight::world::World;
use inflight::world::scenario::Scenario;

/// What every document needs and no case cares about.
const HEAD: &str = r#"
format = 1
id = "case"
topic = "basics"
title = { en = "case", zh = "用例" }
story = { en = "case", zh = "用例" }
question = { en = "case", zh = "用例" }
"#;

fn timeline(document: &str) -> String {
    let text = format!("{HEAD}{document}");
    let scenario = Scenario::parse(&text).unwrap_or_else(|p| panic!("{p:#?}"));
    let mut world = World::new(&scenario.plan(), true);
    let mut out = String::new();
    loop {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            if let Some(words) = words(&scenario, &fact) {
                let at = show_span(at.since(SimTime::ZERO));
                writeln!(out, "{at:<9} {words}").expect("a string takes all");
            }
        }
        if !world.step(scenario.until) {
            return out;
        }
    }
}

/// A fact as one line; `None` for the few that only repeat another.
fn words(scenario: &Scenario, fact: &Fact) -> Option<String> {
    let who = |id: &inflight::model::ActorId| scenario.id_of(Node::Actor(*id));
    let path = |id: &inflight::model::ChannelId| scenario.id_of(Node::Channel(*id));
    let node = |n: &Node| scenario.id_of(*n);
    Some(match fact {
        Fact::Sent { msg, by, .. } => format!("{} makes {}", who(by), msg.0),
        Fact::Copied { msg, of, at } => format!("{} copies {} as {}", who(at), of.0, msg.0),
        Fact::Departed { msg, channel, .. } => format!("{} enters {}", msg.0, path(channel)),
        Fact::Arrived { msg, channel, waited, sending, unread, .. } => format!(
            "{} leaves {} (waited {}, sending {}, unread {} ns)",
            msg.0,
            path(channel),
            waited,
            sending,
            unread
        ),
        Fact::Dropped { msg, at, why } => format!("{} is gone at {}: {why:?}", msg.0, node(at)),
        Fact::Released { .. } => return None,
        Fact::Queued { msg, at, depth } => format!("{} queues {} ({depth})", who(at), msg.0),
        Fact::Dispatched { msg, at, redelivered, depth, .. } => {
            let again = if *redelivered { " again" } else { "" };
            format!("{} delivers {}{again} ({depth} left)", who(at), msg.0)
        }
        Fact::Requeued { msg, at, depth } => {
            format!("{} takes {} back ({depth})", who(at), msg.0)
        }
        Fact::DeadLettered { msg, at, why } => {
            format!("{} gives {} up as a dead letter: {why:?}", who(at), msg.0)
        }
        Fact::Acked { msg, at } => format!("{} forgets {}", who(at), msg.0),
        Fact::Confirmed { msg, by, accepted } => {
            let how = if *accepted { "taken" } else { "refused" };
            format!("{} hears that {} was {how}", who(by), msg.0)
        }
        Fact::Buffered { msg, at, depth } => format!("{} keeps {} ({depth})", who(at), msg.0),
        Fact::Started { msg, at, .. } => format!("{} begins {}", who(at), msg.0),
        Fact::Worked { msg, at } => format!("{} passes {} on", who(at), msg.0),
        Fact::Done { msg, at, .. } => format!("{} has done {}", who(at), msg.0),
        Fact::Answered { msg, at } => format!("{} has the answer to {}", who(at), msg.0),
        Fact::Held { msg, cause } => format!("{} waits: {}", msg.0, cause.key()),
        Fact::Retried { msg, by } => format!("{} tries {} again", who(by), msg.0),
        Fact::Blocked { actor } => format!("{} must wait", who(actor)),
        Fact::Unblocked { actor } => format!("{} may go on", who(actor)),
        Fact::Crashed { actor } => format!("{} crashes", who(actor)),
        Fact::Restarted { actor } => format!("{} restarts", who(actor)),
        Fact::Paused { actor } => format!("{} pauses", who(actor)),
        Fact::Resumed { actor } => format!("{} resumes", who(actor)),
        Fact::Slowed { actor, ppm } => format!("{} takes {} %", who(actor), ppm / 10_000),
        Fact::Cut { channel } => format!("{} is cut", path(channel)),
        Fact::Mended { channel } => format!("{} is mended", path(channel)),
        Fact::ControlLost { channel, .. } => format!("{} loses a control parcel", path(channel)),
        Fact::Changed { node: n, param } => format!("{} changes parameter {param}", node(n)),
        _ => return broker_words(scenario, fact),
    })
}

/// The same for what only a broker states.
fn broker_words(scenario: &Scenario, fact: &Fact) -> Option<String> {
    let who = |id: &inflight::model::ActorId| scenario.id_of(Node::Actor(*id));
    Some(match fact {
        Fact::Routed { msg, at, exchange, queue } => {
            format!("{} routes {} from exchange {exchange} to queue {queue}", who(at), msg.0)
        }
        Fact::Denied { by, at, reads, .. } => {
            let what = if *reads { "read" } else { "write" };
            format!("{} does not let {} {what}", who(at), who(by))
        }
        Fact::Audited { msg, by, at, reads } => {
            let what = if *reads { "got" } else { "wrote" };
            format!("{} records that {} {what} {}", who(at), who(by), msg.0)
        }
        Fact::Alarm { at, resource, on } => {
            let how = if *on { "is short of" } else { "has enough" };
            format!("{} {how} {resource:?}", who(at))
        }
        Fact::Excused { msg, cause, from, to } => {
            let [from, to] = [from, to].map(|at| show_span(at.since(SimTime::ZERO)));
            format!("{} had waited from {from} to {to}: {}", msg.0, cause.key())
        }
        Fact::Synced { at } => format!("{} has written everything", who(at)),
        _ => return tcp_words(scenario, fact),
    })
}

/// The same for what only TCP states: `client > 100 B`, `server < 100 B`.
fn tcp_words(scenario: &Scenario, fact: &Fact) -> Option<String> {
    // The actor at one of a channel's ends.
    let end = |id: &inflight::model::ChannelId, at_to: bool| {
        let channel = &scenario.channels[id.index()];
        let actor = if at_to { channel.to } else { channel.from };
        scenario.actors[usize::from(actor)].id.clone()
    };
    Some(match fact {
        Fact::Landed { msg, cause, .. } => format!("{} has crossed, waits: {}", msg.0, cause.key()),
        Fact::SegmentDeparted { frame, channel, back, again, flags, len, seq, .. } => {
            let names = [(2, "SYN "), (1, "FIN "), (4, "RST ")];
            let mut what: String =
                names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
            match len {
                0 if what.is_empty() => what.push_str("ack"),
                0 => {}
                _ => write!(what, "{len} B from {seq}").expect("a string takes all"),
            }
            let again = if *again { ", again" } else { "" };
            format!("{} > {}{again} (#{frame})", end(channel, *back), what.trim_end())
        }
        Fact::SegmentArrived { frame, channel, back } => {
            format!("{} < #{frame}", end(channel, !*back))
        }
        Fact::SegmentLost { frame, why, .. } => format!("#{frame} is lost: {why:?}"),
        Fact::TimerArmed { channel, at_to, timer, due } => {
            let due = show_span(due.since(SimTime::ZERO));
            format!("{} sets {timer:?} to {due}", end(channel, *at_to))
        }
        Fact::TimerFired { channel, at_to, timer, .. } => {
            format!("{}: {timer:?} goes off", end(channel, *at_to))
        }
        Fact::TimerCancelled { channel, at_to, timer } => {
            format!("{} stops {timer:?}", end(channel, *at_to))
        }
        Fact::HoldBegun { channel, at_to, hold, bytes, .. } => {
            format!("{} holds {bytes} B: {hold:?}", end(channel, *at_to))
        }
        Fact::HoldEnded { channel, at_to, hold } => {
            format!("{} holds no more: {hold:?}", end(channel, *at_to))
        }
        Fact::Connected { channel, at_to } => format!("{} is connected", end(channel, *at_to)),
        Fact::Broken { channel, at_to, errno } => {
            format!("{} is broken: {errno:?}", end(channel, *at_to))
        }
        _ => return None,
    })
}

#[test]
fn every_scenario_text_gives_its_timeline() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("it is text");
        let (document, expected) = text.split_once("----\n").expect("a line ---- divides it");
        let actual = timeline(document);
        if actual == expected {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, format!("{document}----\n{actual}")).expect("it is ours");
        }
        wrong.push(format!("{}:\n{actual}", file.display()));
    }
    assert!(wrong.is_empty(), "other timelines than written:\n{}", wrong.join("\n"));
}
