//! Operations of publishers: publishing, confirms, transactions.

use serde_json::{Value, json};

use super::compare::Event;
use super::op::{self, Op, Stop};
use super::{Answer, BODIES_LIMIT, Body, NOTHING, Replay};
use crate::model::broker::{
    ChannelError, ChannelNo, Effect, Envelope, Name, Publish, Taken, parse_expiration,
};

/// Properties that a broker hands on without looking at them.
const INERT: [&str; 8] = [
    "app_id",
    "content_encoding",
    "content_type",
    "correlation_id",
    "message_id",
    "reply_to",
    "timestamp",
    "type",
];

impl Replay {
    pub(super) fn publish(
        &mut self,
        op: &Op<'_>,
        channel: ChannelNo,
        events: &mut Vec<Event>,
    ) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "exchange", "key", "bodies", "props", "mandatory", "quiet"])?;
        let (exchange, key) = (op.text_or("exchange", "")?, op.text("key")?);
        let [name, key_name] = [exchange, key].map(|text| self.broker.name(text));
        let (mut envelope, expiration) = self.envelope(op, name, key_name)?;
        let mandatory = op.flag_or("mandatory", false)?;
        let mut answers = Vec::new();
        for text in op.texts("bodies")? {
            if BODIES_LIMIT <= self.bodies.len() {
                return Err(Stop::Broken(format!("more than {BODIES_LIMIT} bodies")));
            }
            let message = self.bodies.len() as u32;
            let [text, exchange, key] = [text, exchange, key].map(str::to_owned);
            let bytes = text.len() as u32;
            self.bodies.push(Body { text, exchange, key });
            // A bad expiration is noticed only when the exchange is there and may be used.
            if let Some(text) = expiration
                && self.may_publish_to(name)
            {
                match parse_expiration(text) {
                    Ok(ms) => envelope.expiration_ms = Some(ms),
                    Err(why) => {
                        let text = self.broker.name(text);
                        let error = ChannelError::BadExpiration { text, why };
                        self.broker.fail(channel, error, &mut self.out);
                    }
                }
            }
            let publish = Publish { envelope, mandatory, bytes, message };
            if self.broker.publish(channel, &publish, &mut self.out) == Taken::Closed {
                self.collect(events);
                return Ok(Answer::Unknown);
            }
            answers.extend(self.confirmation(channel));
            self.collect(events);
        }
        let is_confirmed = self.clients.has_confirms(channel);
        Ok(if is_confirmed { Answer::Known(json!(answers)) } else { NOTHING })
    }

    /// What is written on a message, and its expiration as the client wrote it.
    fn envelope<'a>(
        &mut self,
        op: &Op<'a>,
        exchange: Name,
        key: Name,
    ) -> Result<(Envelope, Option<&'a str>), Stop> {
        let mut envelope = Envelope { exchange, key, ..Envelope::default() };
        let mut expiration = None;
        for (name, value) in op.table("props")? {
            match (name.as_str(), value) {
                ("priority", _) => envelope.priority = op::bounded(name, value, 255)? as u8,
                ("delivery_mode", _) => {
                    envelope.persistent = op::bounded(name, value, 255)? == 2;
                }
                ("expiration", Value::String(text)) => expiration = Some(text.as_str()),
                ("headers", Value::Object(headers)) => {
                    envelope.headers = self.headers(headers.iter())?;
                }
                _ if INERT.contains(&name.as_str()) || value.is_null() => {}
                _ => return Err(Stop::NotCovered(format!("property `{name}` = {value}"))),
            }
        }
        Ok((envelope, expiration))
    }

    fn may_publish_to(&self, exchange: Name) -> bool {
        let found = self.broker.exchange_named(self.broker.text(exchange));
        found.and_then(|id| self.broker.exchange(id)).is_some_and(|found| !found.spec.internal)
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

    /// Confirms and transactions.
    pub(super) fn select(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "quiet"])?;
        match op.kind {
            "confirm_select" => {
                self.broker.confirm_select(channel, &mut self.out);
                if self.broker.channel(channel).is_some() {
                    self.clients.confirms(channel);
                }
            }
            "tx_select" => self.broker.tx_select(channel, &mut self.out),
            "tx_commit" => self.broker.tx_commit(channel, &mut self.out),
            _ => self.broker.tx_rollback(channel, &mut self.out),
        }
        Ok(NOTHING)
    }
}
