//! What clients see: deliveries, counts, drained queues.

use serde_json::{Map, Value, json};

use super::client::{Meta, error_text};
use super::compare::Event;
use super::op::{Op, Stop};
use super::{Answer, Replay};
use crate::model::broker::{AckMode, Broker, Death, Effect, Envelope, Field, Mark};

impl Replay {
    /// Ready messages and consumers, as a passive declaration tells them.
    pub(super) fn count(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
        op.only(&["queues", "client"])?;
        let connection = self.clients.connection(op.text_or("client", "admin")?)?;
        let mut counts = Map::new();
        for name in op.texts("queues")? {
            let found = self.broker.queue_named(name);
            let owner = found.and_then(|id| self.broker.queue(id)?.owner());
            let count = match found {
                None => json!({ "error": 404 }),
                Some(_) if owner.is_some_and(|owner| owner != connection) => {
                    json!({ "error": 405 })
                }
                Some(id) => {
                    let channel = self.broker.open_channel(connection);
                    self.broker.look(channel, id, &mut self.out);
                    self.broker.close_channel(channel, &mut self.out);
                    let queue = self.broker.queue(id);
                    let [ready, consumers] =
                        queue.map_or([0; 2], |queue| [queue.n_ready(), queue.n_consumers()]);
                    json!({ "ready": ready, "consumers": consumers })
                }
            };
            counts.insert(name.to_owned(), count);
        }
        Ok(Answer::Known(Value::Object(counts)))
    }

    /// Reads queues empty and so shows their order.
    pub(super) fn drain(&mut self, op: &Op<'_>) -> Result<Answer, Stop> {
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
                    // Only its text when there is nothing more to say.
                    let text = &self.bodies[got.message as usize].text;
                    let mut shown = json!({ "body": text });
                    if got.redelivered {
                        shown["redelivered"] = json!(true);
                    }
                    if with_meta {
                        add_meta(&mut shown, &self.broker, &got.envelope, got.mark);
                    }
                    let is_plain = !got.redelivered && !with_meta;
                    messages.push(if is_plain { json!(text) } else { shown });
                }
            }
            drained.insert(name.to_owned(), json!(messages));
        }
        self.broker.close_channel(channel, &mut self.out);
        Ok(Answer::Known(Value::Object(drained)))
    }

    /// Turns effects into what clients see.
    pub(super) fn collect(&mut self, events: &mut Vec<Event>) {
        let at = self.broker.now();
        for effect in self.out.drain(..) {
            let signed = match effect {
                Effect::Deliver {
                    channel,
                    consumer,
                    tag,
                    redelivered,
                    envelope,
                    mark,
                    message,
                    ..
                } => {
                    let body = &self.bodies[message as usize];
                    self.clients.gave(channel, &body.text, tag);
                    let (consumer_tag, meta) = self.clients.tag(channel, consumer);
                    let mut event = json!({
                        "type": "deliver", "tag": consumer_tag, "body": body.text,
                        "redelivered": redelivered, "dtag": tag,
                    });
                    if meta == Meta::Recorded {
                        add_meta(&mut event, &self.broker, &envelope, mark);
                    } else if let Mark::Offset(offset) = mark {
                        event["headers"] = json!({ "x-stream-offset": offset });
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
                    let text = error_text(&self.broker, error);
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
            if let Some((channel, mut value)) = signed
                && let Some((client, ch)) = self.clients.whose(channel)
            {
                self.clients.sign(&mut value, &client, ch);
                events.push(Event { at, value });
            }
            if let Effect::ChannelClosed { channel, .. } = effect {
                self.clients.closed_by_broker(channel);
            }
        }
    }
}

/// Adds where a message came from, and its headers if it has any.
fn add_meta(event: &mut Value, broker: &Broker<u32>, envelope: &Envelope, mark: Mark) {
    event["exchange"] = json!(broker.text(envelope.exchange));
    event["key"] = json!(broker.text(envelope.key));
    let own = broker.visible(envelope.headers);
    let mut headers: Map<String, Value> =
        own.map(|(name, field)| (broker.text(*name).to_owned(), show(broker, field))).collect();
    match mark {
        Mark::None => {}
        Mark::Failed(n) => drop(headers.insert("x-delivery-count".into(), json!(n))),
        Mark::Offset(offset) => drop(headers.insert("x-stream-offset".into(), json!(offset))),
    }
    let record = broker.record(envelope.history);
    if let Some((queue, reason, exchange)) = record.first {
        let deaths: Vec<Value> =
            record.deaths.iter().map(|death| show_death(broker, death)).collect();
        headers.insert("x-death".into(), json!(deaths));
        headers.insert("x-first-death-queue".into(), json!(broker.text(queue)));
        headers.insert("x-first-death-reason".into(), json!(reason.death_word()));
        headers.insert("x-first-death-exchange".into(), json!(broker.text(exchange)));
    }
    if !headers.is_empty() {
        event["headers"] = Value::Object(headers);
    }
}

/// An entry of `x-death` without its clock time.
fn show_death(broker: &Broker<u32>, death: &Death) -> Value {
    let keys: Vec<&str> = death.keys.iter().map(|key| broker.text(*key)).collect();
    let mut shown = json!({
        "count": death.count,
        "reason": death.reason.death_word(),
        "queue": broker.text(death.queue),
        "exchange": broker.text(death.exchange),
        "routing-keys": keys,
    });
    if let Some(ms) = death.expiration_ms {
        shown["original-expiration"] = json!(ms.to_string());
    }
    shown
}

fn show(broker: &Broker<u32>, field: &Field) -> Value {
    match field {
        Field::Void => Value::Null,
        Field::Flag(flag) => json!(flag),
        Field::Number(number) => json!(number),
        Field::Text(text) => json!(broker.text(*text)),
        Field::Texts(texts) => {
            texts.iter().map(|text| broker.text(*text)).collect::<Vec<_>>().into()
        }
        Field::Other(text) => serde_json::from_str(broker.text(*text)).unwrap_or(Value::Null),
    }
}
