//! Replays `amqp-trace/1`: what a real queue broker did, operation by operation.
//!
//! Each operation is applied to [`Broker`] at the time at which it began, and what clients would
//! have received is compared with what they did receive. Between clients the protocol has no
//! order; within one it has.
//! An operation or argument that the machine does not have ends the case as not covered.

use serde_json::{Value, json};

use super::{Case, Verdict};
use crate::kernel::{SimSpan, SimTime};
use crate::model::broker::{self, AckMode, Broker, ChannelError, ChannelNo, Effect, QueueId};

mod client;
mod compare;
mod consume;
mod declare;
mod op;
mod publish;
mod show;

use client::Clients;
use compare::{Event, Strictness, compare_answers, compare_events};
use op::{Op, Stop};

/// The schema that this module replays.
pub const SCHEMA: &str = "amqp-trace/1";

/// Most operations in a case.
const OPS_LIMIT: usize = 100_000;
/// Most bodies in a case.
const BODIES_LIMIT: usize = 1_000_000;
/// Most names and texts in all headers of a case.
const WORDS_LIMIT: usize = 500_000;

/// Replays every case of a record.
pub fn replay(record: &Value) -> Vec<Case> {
    let name = record["group"].as_str().unwrap_or("unnamed");
    let group = format!("amqp {name}");
    let Some(cases) = record["cases"].as_array() else {
        let verdict = Verdict::Failed("`cases` is no list".into());
        return vec![Case::new("-", group, verdict)];
    };
    let replay_one = |(index, case): (usize, &Value)| {
        let id = case["id"].as_str().map_or_else(|| format!("#{}", index + 1), str::to_owned);
        Case::new(id, group.clone(), replay_case(case))
    };
    cases.iter().enumerate().map(replay_one).collect()
}

/// Replays one case: its trace, and if that fails the other traces that were seen.
fn replay_case(case: &Value) -> Verdict {
    let verdict = replay_trace(&case["ops"]);
    let Verdict::Failed(why) = verdict else { return verdict };
    for variant in case["variants"].as_array().into_iter().flatten() {
        if replay_trace(variant) == Verdict::Passed {
            return Verdict::Passed;
        }
    }
    // The record says itself that the broker was wrong here; crashes are not imitated.
    match case["quirk"].as_str() {
        Some(quirk) if quirk.contains("bug") => Verdict::NotCovered(format!("{quirk}; {why}")),
        _ => Verdict::Failed(why),
    }
}

fn replay_trace(ops: &Value) -> Verdict {
    let Some(ops) = ops.as_array() else { return Verdict::Failed("`ops` is no list".into()) };
    if OPS_LIMIT < ops.len() {
        return Verdict::Failed(format!("{} operations, allowed: {OPS_LIMIT}", ops.len()));
    }
    match compare(ops, Strictness::Exact) {
        // Which of several queues gets a slot that a channel-wide limit frees is not determined.
        Err((Stop::Differs(_), true)) => verdict(compare(ops, Strictness::Totals)),
        other => verdict(other),
    }
}

fn verdict(compared: Result<(), (Stop, bool)>) -> Verdict {
    match compared {
        Ok(()) => Verdict::Passed,
        Err((Stop::NotCovered(what), _)) => Verdict::NotCovered(what),
        Err((Stop::Broken(why) | Stop::Differs(why), _)) => Verdict::Failed(why),
    }
}

/// Applies all operations; the flag says whether a channel-wide limit spans several queues.
fn compare(ops: &[Value], strictness: Strictness) -> Result<(), (Stop, bool)> {
    let mut replay = Replay::default();
    for (index, value) in ops.iter().enumerate() {
        let done = replay.step(value, ops.get(index + 1), strictness);
        if let Err(stop) = done {
            let kind = value["op"].as_str().unwrap_or("?");
            let place = format!("op {} ({kind})", index + 1);
            return Err((stop.at(&place), replay.clients.share_a_limit()));
        }
    }
    Ok(())
}

/// A published body.
#[derive(Clone, Debug)]
struct Body {
    text: String,
    exchange: String,
    key: String,
}

/// A broker, its clients, and what was published.
#[derive(Default)]
struct Replay {
    broker: Broker<u32>,
    clients: Clients,
    bodies: Vec<Body>,
    /// Names and texts in headers so far.
    n_words: usize,
    out: Vec<Effect<u32>>,
    /// What clients saw shortly before the next operation began: the record may have it there.
    carried: Vec<Event>,
}

/// What an operation answered; `Unknown` is not compared.
enum Answer {
    Known(Value),
    Unknown,
}

const NOTHING: Answer = Answer::Known(Value::Null);

impl Replay {
    /// Applies one operation, lets time pass until the next, and compares what follows.
    fn step(
        &mut self,
        value: &Value,
        next: Option<&Value>,
        strictness: Strictness,
    ) -> Result<(), Stop> {
        let op = Op::new(value)?;
        let start = self.broker.now().max(began(value)?);
        self.broker.on_wake(start, &mut self.out);
        let mut events = std::mem::take(&mut self.carried);
        self.collect(&mut events);
        let answer = self.apply(&op, &mut events)?;
        self.collect(&mut events);
        let n_at_once = events.len();
        let slept = if op.kind == "sleep" { op.number("ms")? } else { 0 };
        // A time that cannot be read is told under the operation that has it.
        let next = next.and_then(|next| began(next).ok()).unwrap_or(SimTime::ZERO);
        let end = next.max(start.saturating_add(SimSpan::ms(slept)));
        while let Some(at) = self.broker.next_wake().filter(|at| *at <= end) {
            self.broker.on_wake(at, &mut self.out);
            self.collect(&mut events);
        }
        self.broker.set_now(end);
        let observed = match &value["observed"] {
            Value::Null => &[],
            Value::Array(observed) => observed.as_slice(),
            other => return Err(Stop::Broken(format!("`observed` is {other}"))),
        };
        let kept = compare_events(observed, &events, start, n_at_once, end, strictness)?;
        self.carried = events.split_off(kept);
        match answer {
            Answer::Known(answer) => compare_answers(&value["result"], &answer, strictness),
            Answer::Unknown => Ok(()),
        }
    }

    fn apply(&mut self, op: &Op<'_>, events: &mut Vec<Event>) -> Result<Answer, Stop> {
        match op.kind {
            "count" => return self.count(op),
            "drain" => return self.drain(op),
            "kill" | "close_connection" => return self.close_connection(op),
            "restart_broker" => return self.restart(op),
            "sleep" => return op.only(&["ms"]).map(|()| NOTHING),
            _ => {}
        }
        let client = op.text_or("client", "admin")?;
        let ch = op.number_or("ch", 1)?;
        let Some(channel) = self.clients.channel(&mut self.broker, client, ch)? else {
            let mut event = json!({ "type": "error", "text": "ChannelWrongStateError" });
            self.clients.sign(&mut event, client, ch);
            events.push(Event { at: self.broker.now(), value: event });
            return Ok(NOTHING);
        };
        match op.kind {
            "queue" => self.declare_queue(op, channel),
            "exchange" => self.declare_exchange(op, channel),
            "bind" | "unbind" => self.bind(op, channel),
            "bind_exchange" => self.bind_exchange(op, channel),
            "publish" => self.publish(op, channel, events),
            "confirm_select" | "tx_select" | "tx_commit" | "tx_rollback" => {
                self.select(op, channel)
            }
            "qos" => self.qos(op, channel),
            "consume" => self.consume(op, channel),
            "cancel" => self.cancel(op, channel),
            "ack" | "nack" | "reject" => self.settle(op, channel),
            "recover" => {
                op.only(&["client", "ch", "quiet"])?;
                self.broker.recover(channel, &mut self.out);
                Ok(NOTHING)
            }
            "get" => self.get(op, channel),
            "purge" | "delete_queue" => self.empty(op, channel),
            "close_channel" => {
                op.only(&["client", "ch", "quiet"])?;
                self.broker.close_channel(channel, &mut self.out);
                self.clients.forget_channel(channel);
                Ok(NOTHING)
            }
            other => Err(Stop::NotCovered(format!("operation `{other}`"))),
        }
    }

    /// The operation's queue; a missing one closes the channel.
    fn queue(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Option<QueueId>, Stop> {
        let text = op.text("queue")?;
        let found = self.broker.queue_named(text);
        if found.is_none() {
            let error = ChannelError::NoQueue(self.broker.name(text));
            self.broker.fail(channel, error, &mut self.out);
        }
        Ok(found)
    }

    fn close_connection(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
        op.only(&["client", "quiet"])?;
        if let Some(connection) = self.clients.disconnect(op.text_or("client", "admin")?) {
            self.broker.close_connection(connection, &mut self.out);
        }
        Ok(NOTHING)
    }

    /// The broker stops and starts again; clients connect anew when they are next heard of.
    fn restart(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
        op.only(&["how"])?;
        let how = match op.text_or("how", "graceful")? {
            "graceful" => broker::Stop::Graceful,
            "kill9" => broker::Stop::Killed,
            other => return Err(Stop::NotCovered(format!("a stop by `{other}`"))),
        };
        self.clients.disconnect_all();
        self.broker.restart(how, &mut self.out);
        Ok(NOTHING)
    }
}

/// When an operation began; a record without times has them all at once.
fn began(value: &Value) -> Result<SimTime, Stop> {
    let at = &value["at_ms"];
    let ms = if at.is_null() { 0 } else { op::bounded("at_ms", at, u32::MAX.into())? };
    Ok(SimTime::ZERO + SimSpan::ms(ms))
}

fn ack_mode(op: &Op<'_>) -> Result<AckMode, Stop> {
    Ok(if op.flag_or("auto_ack", false)? { AckMode::Auto } else { AckMode::Manual })
}
