//! Operations of consumers: windows, consuming, acknowledging, fetching, emptying.

use serde_json::json;

use super::client::Meta;
use super::op::{self, Op, Stop};
use super::{Answer, NOTHING, Replay, ack_mode};
use crate::model::broker::{ChannelNo, ConsumeSpec, DeleteIf, StreamOffset};

impl Replay {
    pub(super) fn qos(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "prefetch", "global", "quiet"])?;
        let prefetch = op.number("prefetch")? as u32;
        let global = op.flag_or("global", false)?;
        self.broker.qos(channel, prefetch, global, &mut self.out);
        if global && 0 < prefetch {
            self.clients.limits_all(channel);
        }
        Ok(NOTHING)
    }

    pub(super) fn consume(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
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
            match (name.as_str(), priority, value.as_str()) {
                ("x-priority", Some(priority), _) => spec.priority = priority,
                ("x-stream-offset", _, Some("first")) => spec.offset = StreamOffset::First,
                ("x-stream-offset", _, Some("last")) => spec.offset = StreamOffset::Last,
                ("x-stream-offset", _, Some("next")) => spec.offset = StreamOffset::Next,
                ("x-stream-offset", _, None) => {
                    spec.offset = StreamOffset::At(op::bounded(name, value, u64::MAX)?);
                }
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

    pub(super) fn cancel(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "tag", "quiet"])?;
        let tag = op.text_or("tag", op.text_or("client", "admin")?)?;
        if let Some(consumer) = self.clients.stopped(channel, tag) {
            self.broker.cancel(channel, consumer, &mut self.out);
        }
        Ok(NOTHING)
    }

    pub(super) fn settle(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
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

    pub(super) fn get(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
        op.only(&["client", "ch", "queue", "n", "auto_ack", "quiet"])?;
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

    pub(super) fn empty(&mut self, op: &Op<'_>, channel: ChannelNo) -> Result<Answer, Stop> {
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
}
