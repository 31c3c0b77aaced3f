//! A run as CSV files: plain numbers, times in ns, one heading line.

use std::fs::File;
use std::io::BufWriter;

use csv::Writer;

use crate::cli::out::Folder;
use crate::cli::report::{ledger_lines, share_ppm};
use crate::cli::run::Outcome;
use crate::kernel::SimTime;
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::param::Lang;
use crate::world::scenario::Scenario;

type Sheet<'a> = Writer<&'a mut BufWriter<File>>;

/// Files of a folder of results.
pub const NAMES: [&str; 5] = ["latency.csv", "series.csv", "ledger.csv", "budget.csv", "trace.csv"];

/// Writes all files; the trace ends after `n_facts` facts.
///
/// Returns whether the trace holds all facts of the run.
pub fn write(outcome: &Outcome, folder: &Folder, n_facts: u64) -> Result<bool, String> {
    let file = |name, fill: &dyn Fn(&mut Sheet<'_>) -> csv::Result<()>| {
        folder.write(name, |file| {
            let mut sheet = Writer::from_writer(file);
            fill(&mut sheet)?;
            sheet.flush()
        })
    };
    let [latency, series, ledger, budget, trace] = NAMES;
    file(latency, &|sheet| write_latency(outcome, sheet))?;
    file(series, &|sheet| write_series(outcome, sheet))?;
    file(ledger, &|sheet| write_ledger(outcome, sheet))?;
    file(budget, &|sheet| write_budget(outcome, sheet))?;
    file(trace, &|sheet| write_trace(outcome, n_facts, sheet))?;
    Ok(outcome.session.world().ground.facts.count() <= n_facts)
}

fn write_latency(outcome: &Outcome, sheet: &mut Sheet<'_>) -> csv::Result<()> {
    sheet.write_record(["from_ns", "width_ns", "count", "cumulative"])?;
    let mut cumulative = 0;
    for (low, width, count) in outcome.session.seen().latency.cells() {
        cumulative += count;
        sheet.write_record([low, width, count, cumulative].map(|n| n.to_string()))?;
    }
    Ok(())
}

fn write_series(outcome: &Outcome, sheet: &mut Sheet<'_>) -> csv::Result<()> {
    let plain = [
        "from_ns",
        "to_ns",
        "sent",
        "delivered",
        "lost",
        "n_window",
        "p50_ns",
        "p95_ns",
        "p99_ns",
        "max_ns",
        "depth",
        "depth_max",
    ];
    let parts = Cause::ALL.map(|cause| format!("{}_ns", cause.key()));
    sheet.write_record(plain.into_iter().chain(parts.iter().map(String::as_str)))?;
    for (from, to, row) in outcome.rows() {
        let counts = [row.sent, row.delivered, row.lost, row.n_window].map(u64::from);
        let latencies = [row.p50, row.p95, row.p99, row.max];
        let depths = [row.depth, row.depth_max].map(u64::from);
        let cells = [from, to].into_iter().chain(counts).chain(latencies).chain(depths);
        sheet.write_record(cells.chain(row.parts).map(|n| n.to_string()))?;
    }
    Ok(())
}

fn write_ledger(outcome: &Outcome, sheet: &mut Sheet<'_>) -> csv::Result<()> {
    sheet.write_record(["what", "count"])?;
    for (key, _, count) in ledger_lines(&outcome.session.seen().ledger) {
        sheet.write_record([key, &count.to_string()])?;
    }
    Ok(())
}

fn write_budget(outcome: &Outcome, sheet: &mut Sheet<'_>) -> csv::Result<()> {
    let budget = &outcome.session.seen().budget;
    sheet.write_record(["cause", "name", "sum_ns", "mean_ns", "share_ppm"])?;
    for cause in Cause::ALL {
        let sum = budget.by_cause[cause.index()];
        let name = cause.text().get(Lang::En);
        let mean = budget.mean(cause).as_ns().to_string();
        let share = share_ppm(sum, budget.total()).to_string();
        sheet.write_record([cause.key(), name, &sum.to_string(), &mean, &share])?;
    }
    Ok(())
}

/// The facts of the run from its start. They are had by running it again: a session keeps only
/// the newest.
fn write_trace(outcome: &Outcome, n_facts: u64, sheet: &mut Sheet<'_>) -> csv::Result<()> {
    sheet.write_record(["at_ns", "fact", "msg", "node", "more"])?;
    let scenario = outcome.session.scenario();
    let mut left = n_facts;
    let mut result = Ok(());
    outcome.session.retell(&mut |at, fact| {
        if left == 0 {
            return false;
        }
        left -= 1;
        result = write_fact(scenario, at, fact, sheet);
        result.is_ok()
    });
    result
}

fn write_fact(
    scenario: &Scenario,
    at: SimTime,
    fact: &Fact,
    sheet: &mut Sheet<'_>,
) -> csv::Result<()> {
    let (word, node, more) = fact_cells(fact, scenario);
    let msg = fact.msg().map(|msg| msg.0.to_string()).unwrap_or_default();
    let node = node.map(|node| scenario.id_of(node)).unwrap_or_default();
    sheet.write_record([&at.ns().to_string(), word, &msg, node, &more])
}

/// The same for what only TCP states.
fn tcp_cells(fact: &Fact) -> (&'static str, Option<Node>, String) {
    let channel = |id| Some(Node::Channel(id));
    let end = |at_to: bool| if at_to { "at=to" } else { "at=from" };
    match *fact {
        Fact::Landed { channel: c, waited, sending, cause, .. } => {
            let cause = cause.key();
            let more = format!("waited_ns={waited} sending_ns={sending} cause={cause}");
            ("landed", channel(c), more)
        }
        Fact::SegmentDeparted { frame, channel: c, back, again, flags, len, seq, .. } => {
            let more = format!(
                "frame={frame} back={back} seq={seq} len={len} flags={flags:#04x} again={again}"
            );
            ("segment-departed", channel(c), more)
        }
        Fact::SegmentArrived { frame, channel: c, back } => {
            ("segment-arrived", channel(c), format!("frame={frame} back={back}"))
        }
        Fact::Spent { cause, span, .. } => {
            ("spent", None, format!("cause={} span_ns={span}", cause.key()))
        }
        Fact::FrameDropped { frame, channel: c, back, why } => {
            ("frame-dropped", channel(c), format!("frame={frame} back={back} why={why:?}"))
        }
        Fact::SegmentLost { frame, channel: c, back, why } => {
            ("segment-lost", channel(c), format!("frame={frame} back={back} why={why:?}"))
        }
        Fact::TimerArmed { channel: c, at_to, timer, due } => {
            let more = format!("{} timer={timer:?} due_ns={}", end(at_to), due.ns());
            ("timer-armed", channel(c), more)
        }
        Fact::TimerFired { channel: c, at_to, timer, since } => {
            let more = format!("{} timer={timer:?} since_ns={}", end(at_to), since.ns());
            ("timer-fired", channel(c), more)
        }
        Fact::TimerCancelled { channel: c, at_to, timer } => {
            ("timer-cancelled", channel(c), format!("{} timer={timer:?}", end(at_to)))
        }
        Fact::HoldBegun { channel: c, at_to, hold, bytes, .. } => {
            ("hold-begun", channel(c), format!("{} hold={hold:?} bytes={bytes}", end(at_to)))
        }
        Fact::HoldEnded { channel: c, at_to, hold } => {
            ("hold-ended", channel(c), format!("{} hold={hold:?}", end(at_to)))
        }
        Fact::Connected { channel: c, at_to } => ("connected", channel(c), end(at_to).to_owned()),
        Fact::Broken { channel: c, at_to, errno } => {
            ("broken", channel(c), format!("{} errno={errno:?}", end(at_to)))
        }
        _ => ("", None, String::new()),
    }
}

/// A reason as one word.
fn word(why: Why) -> String {
    why.text().get(Lang::En).replace(' ', "-")
}

/// The same for what only MQTT brokers and work queues state.
fn session_cells(fact: &Fact, scenario: &Scenario) -> (&'static str, Option<Node>, String) {
    let actor = |id| Some(Node::Actor(id));
    match *fact {
        Fact::SessionTurned { at, by, is_there, is_kept } => {
            let by = scenario.id_of(Node::Actor(by));
            ("session", actor(at), format!("by={by} there={is_there} kept={is_kept}"))
        }
        Fact::NotFound { at, by, .. } => {
            ("not-found", actor(at), format!("by={}", scenario.id_of(Node::Actor(by))))
        }
        Fact::Retained { at, waits, .. } => ("retained", actor(at), format!("waits={waits}")),
        _ => tcp_cells(fact),
    }
}

/// A fact's word, where it happened, and its further fields as `name=value`.
fn fact_cells(fact: &Fact, scenario: &Scenario) -> (&'static str, Option<Node>, String) {
    let actor = |id| Some(Node::Actor(id));
    let channel = |id| Some(Node::Channel(id));
    let none = String::new;
    let depth = |n: u32| format!("depth={n}");
    match *fact {
        Fact::Sent { by, key, bytes, .. } => {
            ("sent", actor(by), format!("key={key} bytes={bytes}"))
        }
        Fact::Copied { of, at, .. } => ("copied", actor(at), format!("of={}", of.0)),
        Fact::Departed { channel: c, back, kept, .. } => {
            ("departed", channel(c), format!("back={back} kept={kept}"))
        }
        Fact::Arrived { channel: c, waited, sending, unread, .. } => {
            let more = format!("waited_ns={waited} sending_ns={sending} unread_ns={unread}");
            ("arrived", channel(c), more)
        }
        Fact::Dropped { at, why, .. } => ("dropped", Some(at), format!("why={}", word(why))),
        Fact::Released { by, .. } => ("released", actor(by), none()),
        Fact::Queued { at, depth: n, .. } => ("queued", actor(at), depth(n)),
        Fact::Dispatched { at, channel: c, redelivered, depth: n, .. } => {
            let over = scenario.id_of(Node::Channel(c));
            ("dispatched", actor(at), format!("over={over} redelivered={redelivered} depth={n}"))
        }
        Fact::DeadLettered { at, why, .. } => {
            ("dead-lettered", actor(at), format!("why={}", word(why)))
        }
        Fact::Requeued { at, depth: n, .. } => ("requeued", actor(at), depth(n)),
        Fact::Acked { at, .. } => ("acked", actor(at), none()),
        Fact::Confirmed { by, accepted, .. } => {
            ("confirmed", actor(by), format!("accepted={accepted}"))
        }
        Fact::Buffered { at, depth: n, .. } => ("buffered", actor(at), depth(n)),
        Fact::Started { at, depth: n, .. } => ("started", actor(at), depth(n)),
        Fact::Worked { at, .. } => ("worked", actor(at), none()),
        Fact::Done { at, answers, .. } => ("done", actor(at), format!("answers={answers}")),
        Fact::Skipped { at, .. } => ("skipped", actor(at), none()),
        Fact::Failed { at, .. } => ("failed", actor(at), none()),
        Fact::Answered { at, .. } => ("answered", actor(at), none()),
        Fact::Held { cause, .. } => ("held", None, format!("cause={}", cause.key())),
        Fact::Retried { by, .. } => ("retried", actor(by), none()),
        Fact::Blocked { actor: a } => ("blocked", actor(a), none()),
        Fact::Unblocked { actor: a } => ("unblocked", actor(a), none()),
        Fact::Crashed { actor: a } => ("crashed", actor(a), none()),
        Fact::Restarted { actor: a } => ("restarted", actor(a), none()),
        Fact::Paused { actor: a } => ("paused", actor(a), none()),
        Fact::Resumed { actor: a } => ("resumed", actor(a), none()),
        Fact::Slowed { actor: a, ppm } => ("slowed", actor(a), format!("ppm={ppm}")),
        Fact::Cut { channel: c } => ("cut", channel(c), none()),
        Fact::Mended { channel: c } => ("mended", channel(c), none()),
        Fact::ControlLost { channel: c, back } => {
            ("control-lost", channel(c), format!("back={back}"))
        }
        Fact::Changed { node, param } => {
            let settings = scenario.params_of(node);
            let key = settings.iter().find(|s| s.param == param && !s.nodes.is_empty());
            (
                "changed",
                Some(node),
                key.map(|s| format!("param={}", s.spec.key)).unwrap_or_default(),
            )
        }
        _ => session_cells(fact, scenario),
    }
}
