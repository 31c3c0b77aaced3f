//! Operations that make queues, exchanges and bindings.

use serde_json::{Value, json};

use super::op::{self, Op, Stop};
use super::{Answer, NOTHING, Replay, WORDS_LIMIT};
use crate::kernel::SimSpan;
use crate::model::broker::{
    Broker, ChannelNo, DeadLetter, ExchangeKind, ExchangeSpec, Field, Headers, MAX_EXPIRY_MS,
    Overflow, QueueKind, QueueSpec,
};

impl Replay {
    pub(super) fn declare_queue(
        &mut self,
        op: &Op<'_>,
        channel: ChannelNo,
    ) -> Result<Answer, Stop> {
        op.only(&["name", "durable", "exclusive", "auto_delete", "args", "client", "ch"])?;
        let mut spec = QueueSpec {
            durable: op.flag_or("durable", false)?,
            exclusive: op.flag_or("exclusive", false)?,
            auto_delete: op.flag_or("auto_delete", false)?,
            ..QueueSpec::default()
        };
        let [mut letter_to, mut letter_key] = [None; 2];
        for (name, value) in op.table("args")? {
            match (name.as_str(), value.as_str()) {
                ("x-dead-letter-exchange", Some(text)) => letter_to = Some(text),
                ("x-dead-letter-routing-key", Some(text)) => letter_key = Some(text),
                _ => set_argument(&mut spec, name, value)?,
            }
        }
        if letter_key.is_some() && letter_to.is_none() {
            return Err(Stop::NotCovered("a key for dead letters without an exchange".into()));
        }
        spec.dead_letter = letter_to.map(|exchange| DeadLetter {
            exchange: self.broker.name(exchange),
            key: letter_key.map(|key| self.broker.name(key)),
        });
        let name = op.text("name")?;
        self.broker.declare_queue(channel, name, spec, &mut self.out);
        Ok(NOTHING)
    }

    pub(super) fn declare_exchange(
        &mut self,
        op: &Op<'_>,
        channel: ChannelNo,
    ) -> Result<Answer, Stop> {
        op.only(&["name", "type", "durable", "internal", "args", "client", "ch"])?;
        let kind = match op.text("type")? {
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            "topic" => ExchangeKind::Topic,
            "headers" => ExchangeKind::Headers,
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

    pub(super) fn bind(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["queue", "exchange", "key", "args", "client", "ch"])?;
        let exchange = self.broker.name(op.text("exchange")?);
        let key = self.broker.name(op.text_or("key", "")?);
        let arguments = self.headers(op.table("args")?)?;
        let Some(queue) = self.queue(op, channel)? else { return Ok(NOTHING) };
        let (broker, out) = (&mut self.broker, &mut self.out);
        match op.kind {
            "bind" => broker.bind(channel, queue, exchange, key, arguments, out),
            _ => broker.unbind(channel, queue, exchange, key, arguments, out),
        }
        Ok(NOTHING)
    }

    pub(super) fn bind_exchange(
        &mut self,
        op: &Op<'_>,
        channel: ChannelNo,
    ) -> Result<Answer, Stop> {
        op.only(&["exchange", "dest", "key", "args", "client", "ch"])?;
        let [exchange, to] = [op.text("exchange")?, op.text("dest")?];
        let [exchange, to] = [exchange, to].map(|text| self.broker.name(text));
        let key = self.broker.name(op.text_or("key", "")?);
        let arguments = self.headers(op.table("args")?)?;
        self.broker.bind_exchange(channel, to, exchange, key, arguments, &mut self.out);
        Ok(NOTHING)
    }

    /// Headers of a message, or arguments of a binding.
    pub(super) fn headers<'a>(
        &mut self,
        table: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Result<Headers, Stop> {
        let mut fields = Vec::new();
        for (name, value) in table {
            self.n_words += 2 + value.as_array().map_or(0, Vec::len);
            if WORDS_LIMIT < self.n_words {
                return Err(Stop::Broken(format!("more than {WORDS_LIMIT} words in headers")));
            }
            fields.push((self.broker.name(name), field(&mut self.broker, value)));
        }
        Ok(self.broker.headers(fields))
    }
}

/// One argument of a queue that is neither its name nor about dead letters.
fn set_argument(spec: &mut QueueSpec, name: &str, value: &Value) -> Result<(), Stop> {
    let limit = |max: u64| op::bounded(name, value, max);
    let span = || limit(MAX_EXPIRY_MS.into()).map(SimSpan::ms);
    match (name, value.as_str()) {
        ("x-max-length", _) => spec.max_length = Some(limit(u32::MAX.into())? as u32),
        ("x-max-length-bytes", _) => spec.max_bytes = Some(limit(u64::MAX)?),
        ("x-max-priority", _) => spec.max_priority = limit(255)? as u8,
        ("x-message-ttl", _) => spec.message_ttl = Some(span()?),
        ("x-expires", _) => spec.expires = Some(span()?),
        ("x-delivery-limit", _) => spec.delivery_limit = Some(limit(u32::MAX.into())? as u32),
        ("x-single-active-consumer", _) => spec.single_active = value == &json!(true),
        ("x-overflow", Some("drop-head")) => spec.overflow = Overflow::DropHead,
        ("x-overflow", Some("reject-publish")) => spec.overflow = Overflow::RejectPublish,
        ("x-overflow", Some("reject-publish-dlx")) => {
            spec.overflow = Overflow::RejectPublishDlx;
        }
        ("x-queue-type", Some("classic")) => spec.kind = QueueKind::Classic,
        ("x-queue-type", Some("quorum")) => spec.kind = QueueKind::Quorum,
        ("x-queue-type", Some("stream")) => spec.kind = QueueKind::Stream,
        // Where a queue keeps its messages changes nothing that clients see.
        ("x-queue-mode", Some("default" | "lazy")) => {}
        _ => return Err(Stop::NotCovered(format!("queue argument `{name}` = {value}"))),
    }
    Ok(())
}

/// A header's value as the broker keeps it.
fn field(broker: &mut Broker<u32>, value: &Value) -> Field {
    if let Some(texts) = value.as_array()
        && texts.iter().all(Value::is_string)
    {
        let texts = texts.iter().filter_map(Value::as_str);
        return Field::Texts(texts.map(|text| broker.name(text)).collect());
    }
    match value {
        Value::Null => Field::Void,
        Value::Bool(flag) => Field::Flag(*flag),
        Value::String(text) => Field::Text(broker.name(text)),
        other => match other.as_i64() {
            Some(number) => Field::Number(number),
            None => Field::Other(broker.name(&other.to_string())),
        },
    }
}
