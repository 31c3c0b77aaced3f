//! Replays `amqp-trace/1`: what a real queue broker did, operation by operation.
//!
//! Each operation is applied to [`Broker`], and what clients would have received is compared with
//! what they did receive. Between clients the protocol has no order; within one it has.
//! An operation or argument that the machine does not have ends the case as not covered.

use serde_json::{Map, Value, json};

use super::{Case, Verdict};
use crate::model::broker::{
    AckMode, Broker, ChannelError, ChannelNo, ConsumeSpec, DeleteIf, Effect, ExchangeKind,
    ExchangeSpec, Name, Overflow, Publish, QueueId, QueueSpec, Taken,
};

mod client;
mod compare;
mod op;

use client::{Clients, Meta};
use compare::{Strictness, compare_answers, compare_events};
use op::{Op, Stop};

/// The schema that this module replays.
pub const SCHEMA: &str = "amqp-trace/1";

/// Most operations in a case.
const OPS_LIMIT: usize = 100_000;

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
        let done = replay.step(value, strictness);
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
    headers: Value,
}

/// A broker, its clients, and what was published.
#[derive(Default)]
struct Replay {
    broker: Broker<u32>,
    clients: Clients,
    bodies: Vec<Body>,
    out: Vec<Effect<u32>>,
}

/// What an operation answered; `Unknown` is not compared.
enum Answer {
    Known(Value),
    Unknown,
}

const NOTHING: Answer = Answer::Known(Value::Null);

impl Replay {
    /// Applies one operation and compares what follows.
    fn step(&mut self, value: &Value, strictness: Strictness) -> Result<(), Stop> {
        let op = Op::new(value)?;
        let mut events: Vec<Value> = Vec::new();
        let answer = self.apply(&op, &mut events)?;
        self.collect(&mut events);
        let observed = match &value["observed"] {
            Value::Null => &[],
            Value::Array(observed) => observed.as_slice(),
            other => return Err(Stop::Broken(format!("`observed` is {other}"))),
        };
        compare_events(observed, &events, strictness)?;
        match answer {
            Answer::Known(answer) => compare_answers(&value["result"], &answer, strictness),
            Answer::Unknown => Ok(()),
        }
    }

    fn apply(&mut self, op: &Op<'_>, events: &mut Vec<Value>) -> Result<Answer, Stop> {
        match op.kind {
            "count" => return self.count(op),
            "drain" => return self.drain(op),
            "kill" | "close_connection" => return self.close_connection(op),
            "sleep" => return op.only(&["ms"]).map(|()| NOTHING),
            _ => {}
        }
        let client = op.text_or("client", "admin")?;
        let ch = op.number_or("ch", 1)?;
        let Some(channel) = self.clients.channel(&mut self.broker, client, ch)? else {
            let mut event = json!({ "type": "error", "text": "ChannelWrongStateError" });
            self.clients.sign(&mut event, client, ch);
            events.push(event);
            return Ok(NOTHING);
        };
        match op.kind {
            "queue" => self.declare_queue(op, channel),
            "exchange" => self.declare_exchange(op, channel),
            "bind" | "unbind" => self.bind(op, channel),
            "publish" => self.publish(op, channel, events),
            "confirm_select" => {
                op.only(&["client", "ch"])?;
                self.broker.confirm_select(channel);
                self.clients.confirms(channel);
                Ok(NOTHING)
            }
            "qos" => self.qos(op, channel),
            "consume" => self.consume(op, channel),
            "cancel" => self.cancel(op, channel),
            "ack" | "nack" | "reject" => self.settle(op, channel),
            "recover" => {
                op.only(&["client", "ch"])?;
                self.broker.recover(channel, &mut self.out);
                Ok(NOTHING)
            }
            "get" => self.get(op, channel),
            "purge" | "delete_queue" => self.empty(op, channel),
            "close_channel" => {
                op.only(&["client", "ch"])?;
                self.broker.close_channel(channel, &mut self.out);
                self.clients.forget_channel(channel);
                Ok(NOTHING)
            }
            other => Err(Stop::NotCovered(format!("operation `{other}`"))),
        }
    }

    fn declare_queue(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["name", "durable", "exclusive", "auto_delete", "args", "client", "ch"])?;
        let mut spec = QueueSpec {
            durable: op.flag_or("durable", false)?,
            exclusive: op.flag_or("exclusive", false)?,
            auto_delete: op.flag_or("auto_delete", false)?,
            ..QueueSpec::default()
        };
        for (name, value) in op.table("args")? {
            let limit = |max: u64| op::bounded(name, value, max);
            match (name.as_str(), value.as_str()) {
                ("x-max-length", _) => spec.max_length = Some(limit(u32::MAX.into())? as u32),
                ("x-max-length-bytes", _) => spec.max_bytes = Some(limit(u64::MAX)?),
                ("x-max-priority", _) => spec.max_priority = limit(255)? as u8,
                ("x-single-active-consumer", _) => spec.single_active = value == &json!(true),
                ("x-overflow", Some("drop-head")) => spec.overflow = Overflow::DropHead,
                ("x-overflow", Some("reject-publish")) => spec.overflow = Overflow::RejectPublish,
                ("x-queue-type", Some("classic")) => {}
                _ => return Err(Stop::NotCovered(format!("queue argument `{name}` = {value}"))),
            }
        }
        let name = op.text("name")?;
        self.broker.declare_queue(channel, name, spec, &mut self.out);
        Ok(NOTHING)
    }

    fn declare_exchange(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["name", "type", "durable", "internal", "args", "client", "ch"])?;
        let kind = match op.text("type")? {
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            other => return Err(Stop::NotCovered(format!("exchange type `{other}`"))),
        };
        let mut spec = ExchangeSpec::new(kind);
        spec.durable = op.flag_or("durable", false)?;
        spec.internal = op.flag_or("internal", false)?;
        for (name, value) in op.table("args")? {
            match (name.as_str(), value.as_str()) {
                ("alternate-exchange", Some(text)) => {
                    spec.alternate = Some(self.broker.name(text));
                }
                _ => return Err(Stop::NotCovered(format!("exchange argument `{name}` = {value}"))),
            }
        }
        self.broker.declare_exchange(channel, op.text("name")?, spec, &mut self.out);
        Ok(NOTHING)
    }

    fn bind(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["queue", "exchange", "key", "client", "ch"])?;
        let exchange = self.broker.name(op.text("exchange")?);
        let key = self.broker.name(op.text_or("key", "")?);
        let Some(queue) = self.queue(op, channel)? else { return Ok(NOTHING) };
        match op.kind {
            "bind" => self.broker.bind(channel, queue, exchange, key, &mut self.out),
            _ => self.broker.unbind(channel, queue, exchange, key, &mut self.out),
        }
        Ok(NOTHING)
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

    fn publish(
        &mut self,
        op: &Op<'_>,
        channel: ChannelNo,
        events: &mut Vec<Value>,
    ) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "exchange", "key", "bodies", "props", "mandatory", "quiet"])?;
        let (mut priority, mut headers) = (0, Value::Null);
        for (name, value) in op.table("props")? {
            match name.as_str() {
                "priority" => priority = op::bounded(name, value, 255)? as u8,
                "delivery_mode" => {}
                "headers" if value.get("CC").is_none() && value.get("BCC").is_none() => {
                    headers = value.clone();
                }
                _ => return Err(Stop::NotCovered(format!("property `{name}` = {value}"))),
            }
        }
        let (exchange, key) = (op.text_or("exchange", "")?, op.text("key")?);
        let mandatory = op.flag_or("mandatory", false)?;
        let names: [Name; 2] = [exchange, key].map(|text| self.broker.name(text));
        let mut answers = Vec::new();
        for text in op.texts("bodies")? {
            let message = self.bodies.len() as u32;
            let body = Body {
                text: text.to_owned(),
                exchange: exchange.to_owned(),
                key: key.to_owned(),
                headers: headers.clone(),
            };
            self.bodies.push(body);
            let [exchange, key] = names;
            let bytes = text.len() as u32;
            let publish = Publish { exchange, key, mandatory, priority, bytes, message };
            let taken = self.broker.publish(channel, &publish, &mut self.out);
            if taken == Taken::Closed {
                self.collect(events);
                return Ok(Answer::Unknown);
            }
            answers.extend(self.confirmation(channel));
            self.collect(events);
        }
        let is_confirmed = self.clients.has_confirms(channel);
        Ok(if is_confirmed { Answer::Known(json!(answers)) } else { NOTHING })
    }

    /// How the broker answered the last publish.
    fn confirmation(&self, publisher: ChannelNo) -> Option<String> {
        let mut returned = "";
        for effect in &self.out {
            match effect {
                Effect::Return { channel, .. } if *channel == publisher => returned = "returned+",
                Effect::Confirm { channel, ack, .. } if *channel == publisher => {
                    let word = if *ack { "ack" } else { "nack" };
                    return Some(format!("{returned}{word}"));
                }
                _ => {}
            }
        }
        None
    }

    fn qos(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "prefetch", "global"])?;
        let prefetch = op.number("prefetch")? as u32;
        let global = op.flag_or("global", false)?;
        self.broker.qos(channel, prefetch, global, &mut self.out);
        if global && 0 < prefetch {
            self.clients.limits_all(channel);
        }
        Ok(NOTHING)
    }

    fn consume(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&[
            "client",
            "ch",
            "queue",
            "tag",
            "auto_ack",
            "exclusive",
            "args",
            "record_meta",
            "quiet",
        ])?;
        let mut spec = ConsumeSpec {
            ack: ack_mode(op)?,
            exclusive: op.flag_or("exclusive", false)?,
            ..ConsumeSpec::default()
        };
        for (name, value) in op.table("args")? {
            let priority = value.as_i64().and_then(|priority| i32::try_from(priority).ok());
            match (name.as_str(), priority) {
                ("x-priority", Some(priority)) => spec.priority = priority,
                _ => return Err(Stop::NotCovered(format!("consumer argument `{name}` = {value}"))),
            }
        }
        let tag = op.text_or("tag", op.text_or("client", "admin")?)?;
        let meta = if op.flag_or("record_meta", false)? { Meta::Recorded } else { Meta::Left };
        let Some(queue) = self.queue(op, channel)? else { return Ok(NOTHING) };
        let consumer = self.broker.consume(channel, queue, spec, &mut self.out);
        if let Some(consumer) = consumer {
            self.clients.started(channel, consumer, tag, queue, meta);
        }
        Ok(NOTHING)
    }

    fn cancel(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "tag", "quiet"])?;
        let tag = op.text_or("tag", op.text_or("client", "admin")?)?;
        if let Some(consumer) = self.clients.stopped(channel, tag) {
            self.broker.cancel(channel, consumer, &mut self.out);
        }
        Ok(NOTHING)
    }

    fn settle(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "dtag", "body", "multiple", "requeue", "quiet"])?;
        let tag = match op.get("body") {
            Some(_) => {
                let body = op.text("body")?;
                let held = self.clients.held(channel, body);
                held.ok_or_else(|| Stop::Broken(format!("body `{body}` was never given out")))?
            }
            None => op.number("dtag")?,
        };
        let multiple = op.flag_or("multiple", false)?;
        if op.kind == "ack" {
            self.broker.ack(channel, tag, multiple, &mut self.out);
        } else {
            let requeue = op.flag_or("requeue", true)?;
            self.broker.nack(channel, tag, multiple, requeue, &mut self.out);
        }
        Ok(NOTHING)
    }

    fn get(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "queue", "n", "auto_ack"])?;
        let ack = ack_mode(op)?;
        let n = op.number_or("n", 1)?;
        let Some(queue) = self.queue(op, channel)? else { return Ok(NOTHING) };
        let mut answers = Vec::new();
        for _ in 0..n {
            let Some(got) = self.broker.get(channel, queue, ack, &mut self.out) else { break };
            let body = &self.bodies[got.message as usize];
            self.clients.gave(channel, &body.text, got.tag);
            answers.push(json!({
                "body": body.text,
                "redelivered": got.redelivered,
                "remaining": got.remaining,
            }));
        }
        let is_open = self.broker.channel(channel).is_some();
        Ok(if is_open { Answer::Known(json!(answers)) } else { NOTHING })
    }

    fn empty(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "queue", "if_unused", "if_empty"])?;
        let only = DeleteIf {
            unused: op.flag_or("if_unused", false)?,
            empty: op.flag_or("if_empty", false)?,
        };
        if op.kind == "delete_queue" && self.broker.queue_named(op.text("queue")?).is_none() {
            // Deleting what is not there succeeds.
            return Ok(Answer::Known(json!(0)));
        }
        let Some(queue) = self.queue(op, channel)? else { return Ok(NOTHING) };
        let n = match op.kind {
            "purge" => self.broker.purge(channel, queue, &mut self.out),
            _ => self.broker.delete_queue(channel, queue, only, &mut self.out),
        };
        Ok(Answer::Known(json!(n)))
    }

    fn close_connection(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
        op.only(&["client"])?;
        if let Some(connection) = self.clients.disconnect(op.text_or("client", "admin")?) {
            self.broker.close_connection(connection, &mut self.out);
        }
        Ok(NOTHING)
    }

    /// Ready messages and consumers, as a passive declaration tells them.
    fn count(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
        op.only(&["queues", "client"])?;
        let connection = self.clients.connection(op.text_or("client", "admin")?)?;
        let mut counts = Map::new();
        for name in op.texts("queues")? {
            let found = self.broker.queue_named(name).and_then(|id| self.broker.queue(id));
            let count = match found {
                None => json!({ "error": 404 }),
                Some(queue) if queue.owner().is_some_and(|owner| owner != connection) => {
                    json!({ "error": 405 })
                }
                Some(queue) => {
                    json!({ "ready": queue.n_ready(), "consumers": queue.n_consumers() })
                }
            };
            counts.insert(name.to_owned(), count);
        }
        Ok(Answer::Known(Value::Object(counts)))
    }

    /// Reads queues empty and so shows their order.
    fn drain(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
        op.only(&["queues", "client", "record_meta"])?;
        let connection = self.clients.connection(op.text_or("client", "admin")?)?;
        let with_meta = op.flag_or("record_meta", false)?;
        let channel = self.broker.open_channel(connection);
        let mut drained = Map::new();
        for name in op.texts("queues")? {
            let mut messages = Vec::new();
            if let Some(queue) = self.broker.queue_named(name) {
                while let Some(got) = self.broker.get(channel, queue, AckMode::Auto, &mut self.out)
                {
                    messages.push(self.show(got.message, got.redelivered, with_meta));
                }
            }
            drained.insert(name.to_owned(), json!(messages));
        }
        self.broker.close_channel(channel, &mut self.out);
        Ok(Answer::Known(Value::Object(drained)))
    }

    /// A drained message: only its text when there is nothing more to say.
    fn show(&self, message: u32, redelivered: bool, with_meta: bool) -> Value {
        let body = &self.bodies[message as usize];
        if !redelivered && !with_meta {
            return json!(body.text);
        }
        let mut shown = json!({ "body": body.text });
        if redelivered {
            shown["redelivered"] = json!(true);
        }
        if with_meta {
            add_meta(&mut shown, body);
        }
        shown
    }

    /// Turns effects into what clients see.
    fn collect(&mut self, events: &mut Vec<Value>) {
        for effect in self.out.drain(..) {
            let signed = match effect {
                Effect::Deliver { channel, consumer, tag, redelivered, message, .. } => {
                    let body = &self.bodies[message as usize];
                    self.clients.gave(channel, &body.text, tag);
                    let (consumer_tag, meta) = self.clients.tag(channel, consumer);
                    let mut event = json!({
                        "type": "deliver", "tag": consumer_tag, "body": body.text,
                        "redelivered": redelivered, "dtag": tag,
                    });
                    if meta == Meta::Recorded {
                        add_meta(&mut event, body);
                    }
                    Some((channel, event))
                }
                Effect::Return { channel, message } => {
                    let body = &self.bodies[message as usize];
                    let event = json!({
                        "type": "return", "code": 312, "text": "NO_ROUTE",
                        "exchange": body.exchange, "key": body.key, "body": body.text,
                    });
                    Some((channel, event))
                }
                Effect::ChannelClosed { channel, error } => {
                    let text = client::error_text(&self.broker, error);
                    let code = error.code();
                    let event = json!({ "type": "channel_closed", "code": code, "text": text });
                    Some((channel, event))
                }
                Effect::ConsumerCancelled { channel, consumer } => {
                    let (tag, _) = self.clients.tag(channel, consumer);
                    Some((channel, json!({ "type": "consumer_cancelled", "tag": tag })))
                }
                _ => None,
            };
            if let Some((channel, mut event)) = signed
                && let Some((client, ch)) = self.clients.whose(channel)
            {
                self.clients.sign(&mut event, &client, ch);
                events.push(event);
            }
            if let Effect::ChannelClosed { channel, .. } = effect {
                self.clients.closed_by_broker(channel);
            }
        }
    }
}

fn ack_mode(op: &Op<'_>) -> Result<AckMode, Stop> {
    Ok(if op.flag_or("auto_ack", false)? { AckMode::Auto } else { AckMode::Manual })
}

fn add_meta(event: &mut Value, body: &Body) {
    event["exchange"] = json!(body.exchange);
    event["key"] = json!(body.key);
    if body.headers.as_object().is_some_and(|headers| !headers.is_empty()) {
        event["headers"] = body.headers.clone();
    }
}
