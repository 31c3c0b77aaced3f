//! Replays what clients of a real Redis sent and received: lists, publish/subscribe, streams,
//! transactions. Commands that the model does not know (expiry, locks, scripts, hashes) are
//! not covered.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Case;
use super::read::{Stop, count, each, list, text};
use crate::kernel::{SimSpan, SimTime};
use crate::model::redis::{ClientNo, Command, Effect, Redis};

mod parse;
mod show;

/// Commands of clients with their replies.
pub const SCHEMA: &str = "redis-trace/1";
/// Tolerance of times.
const ABOUT_MS: u64 = 60;
const NS_PER_MS: u64 = 1_000_000;

/// Replays every case of every group.
pub fn replay(record: &Value) -> Vec<Case> {
    let Some(groups) = record["groups"].as_object() else {
        return each("redis", "groups", &record["groups"], |_| Ok(()));
    };
    let replay_group = |(name, cases): (&String, &Value)| {
        each(&format!("redis {name}"), name, cases, |case| {
            let mut trace = Trace::default();
            for (index, op) in list(case, "ops")?.iter().enumerate() {
                trace.on_op(op).map_err(|stop| at_op(index, stop))?;
            }
            Ok(())
        })
    };
    groups.iter().flat_map(replay_group).collect()
}

fn at_op(index: usize, stop: Stop) -> Stop {
    match stop {
        Stop::Differs(why) => Stop::Differs(format!("op {}: {why}", index + 1)),
        stop => stop,
    }
}

/// Something a client received besides the reply to its own command.
struct Woken {
    client: String,
    reply: Value,
    at: SimTime,
}

/// A replay under way.
#[derive(Default)]
struct Trace {
    redis: Redis,
    now: SimTime,
    names: BTreeMap<String, ClientNo>,
    /// What came at once to who was expected to wait: it is recorded with the next operation.
    early: Vec<Woken>,
}

impl Trace {
    fn on_op(&mut self, op: &Value) -> Result<(), Stop> {
        let begin = self.now;
        let mut woken = std::mem::take(&mut self.early);
        if !op["sleep"].is_null() {
            let end = begin.saturating_add(SimSpan::ms(count(op, "sleep")?));
            while let Some(wake) = self.redis.next_wake().filter(|wake| *wake <= end) {
                woken.extend(self.wake(wake));
            }
            self.now = end;
        } else if op["crash"] == json!(true) {
            if let Some(client) = self.names.remove(text(op, "client")?) {
                self.redis.disconnect(client);
            }
        } else if op["cmd"].is_array() {
            let command = parse::command(list(op, "cmd")?)?;
            woken.extend(self.command(op, command)?);
        } else if op["subscribe"].is_array() || op["psubscribe"].is_array() {
            for (key, is_pattern) in [("subscribe", false), ("psubscribe", true)] {
                let names = parse::texts(list(op, key)?)?;
                if names.is_empty() {
                    continue;
                }
                let subscribe = if is_pattern { Command::PSubscribe } else { Command::Subscribe };
                let (_, effects) = self.send(text(op, "client")?, subscribe(names))?;
                woken.extend(effects);
            }
        } else {
            let keys: Vec<&String> = op.as_object().into_iter().flat_map(|o| o.keys()).collect();
            return Err(Stop::NotCovered(format!("an operation of {keys:?}")));
        }
        if op["block"] == json!(true) && op["woken"].is_null() {
            self.early = woken;
            return Ok(());
        }
        Ok(same_woken(list(op, "woken")?, begin, woken)?)
    }

    /// Sends a command, waits for its reply if the client did, and compares it.
    fn command(&mut self, op: &Value, command: Command) -> Result<Vec<Woken>, Stop> {
        let client = text(op, "client")?;
        let (mut reply, mut woken) = self.send(client, command)?;
        if op["block"] == json!(true) {
            if let Some(reply) = reply {
                woken.insert(0, Woken { client: client.into(), reply, at: self.now });
            }
            return Ok(woken);
        }
        while reply.is_none() {
            let wake = self.redis.next_wake().ok_or("a client waits for ever".to_owned())?;
            for event in self.wake(wake) {
                if event.client == client {
                    reply = Some(event.reply);
                } else {
                    woken.push(event);
                }
            }
        }
        let mut reply = reply.unwrap_or(Value::Null);
        if op["mask_idle"] == json!(true) {
            show::mask_idle(&mut reply);
        }
        let tolerance = if op["about"] == json!(true) { ABOUT_MS } else { 0 };
        if op.get("reply").is_none() || !show::is_about(&op["reply"], &reply, tolerance) {
            let why = format!("recorded {}, the model replies {reply}", op["reply"]);
            return Err(Stop::Differs(why));
        }
        Ok(woken)
    }

    /// Sends a command: the client's own reply, and what others received.
    fn send(
        &mut self,
        name: &str,
        command: Command,
    ) -> Result<(Option<Value>, Vec<Woken>), String> {
        let client = match self.names.get(name) {
            Some(client) => *client,
            None => {
                let client = self.redis.connect().ok_or("too many clients")?;
                self.names.insert(name.to_owned(), client);
                client
            }
        };
        if self.redis.is_waiting(client) {
            return Err(format!("{name} sends a command while it waits for a reply"));
        }
        let mut out = Vec::new();
        self.redis.on_message(self.now, client, command, &mut out);
        let mut reply = None;
        let mut others = Vec::new();
        for effect in out {
            match effect {
                Effect::Reply { client: whose, reply: its } if whose == client => {
                    reply = Some(show::reply(&its));
                }
                effect => others.extend(self.woken(effect)),
            }
        }
        Ok((reply, others))
    }

    /// Lets time pass to a wake-up.
    fn wake(&mut self, at: SimTime) -> Vec<Woken> {
        self.now = self.now.max(at);
        let mut out = Vec::new();
        self.redis.on_wake(self.now, &mut out);
        out.into_iter().filter_map(|effect| self.woken(effect)).collect()
    }

    /// What a client received as the record writes it; confirmations are not recorded.
    fn woken(&self, effect: Effect) -> Option<Woken> {
        let (client, reply) = match effect {
            Effect::Reply { client, reply } => (client, show::reply(&reply)),
            Effect::Subscribed { .. } => return None,
            Effect::Message { client, pattern: None, channel, message } => {
                (client, json!(["message", &*channel, &*message]))
            }
            Effect::Message { client, pattern: Some(pattern), channel, message } => {
                (client, json!(["pmessage", &*pattern, &*channel, &*message]))
            }
        };
        let name = self.names.iter().find(|(_, known)| **known == client)?.0;
        Some(Woken { client: name.clone(), reply, at: self.now })
    }
}

/// Between clients nothing is ordered, inside one everything is.
fn same_woken(recorded: &[Value], begin: SimTime, mut woken: Vec<Woken>) -> Result<(), String> {
    woken.sort_by(|a, b| a.client.cmp(&b.client));
    let mut recorded: Vec<&Value> = recorded.iter().collect();
    recorded.sort_by_key(|event| event["client"].as_str());
    let shown = |event: &Woken| {
        let ms = event.at.since(begin.min(event.at)).as_ns() / NS_PER_MS;
        (json!([event.client, event.reply]), ms)
    };
    let model: Vec<(Value, u64)> = woken.iter().map(shown).collect();
    let is_same = |(recorded, (model, ms)): (&&Value, &(Value, u64))| {
        let is_on_time =
            recorded["t_ms"].as_i64().is_some_and(|t| t.abs_diff(*ms as i64) <= ABOUT_MS);
        json!([recorded["client"], recorded["reply"]]) == *model && is_on_time
    };
    if recorded.len() == model.len() && recorded.iter().zip(&model).all(is_same) {
        return Ok(());
    }
    Err(format!("recorded as woken {}, the model gives {model:?}", json!(recorded)))
}
