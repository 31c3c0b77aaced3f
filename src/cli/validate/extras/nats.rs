//! What a NATS server did: duplicates, deliveries again, a work queue, queue groups.
//!
//! The record shows results and tells their settings in words. What it does not tell is inferred
//! as little as possible: the window from which id counted as a duplicate, what a client did
//! with a message from when it came again.

use serde_json::{Value, json};

use super::super::read::{Stop, count, list, same};
use super::sentence::{count_after, number_after, step};
use crate::kernel::{SimSpan, SimTime};
use crate::model::nats::{
    ConsumerConfig, Core, Delivery, Effect, JetStream, JetStreamError, MsgKey, Retention, Stored,
    StreamConfig,
};

/// Tolerance of times that were read off a clock.
const ABOUT_MS: u64 = 100;
const NS_PER_MS: u64 = 1_000_000;
/// Longest time in a record.
const LONGEST_S: f64 = 1e6;
/// Most messages in a step.
const MESSAGES: u64 = 10_000;
/// How long the recording client asks for messages.
const PATIENCE: SimSpan = SimSpan::s(1_000_000);

/// Replays one case: its kind is told by what its steps show.
pub(super) fn replay(case: &Value) -> Result<(), Stop> {
    let steps = list(case, "steps")?;
    let first = steps.first().ok_or_else(|| "no steps".to_owned())?;
    if first.get("duplicate").is_some() {
        duplicates(steps)
    } else if first.get("queue_group_total").is_some() {
        queue_group(steps)
    } else if first[0] == json!("fetched") {
        work_queue(steps)
    } else if first[1][0].is_array() {
        deliveries(case, steps)
    } else {
        Err(Stop::NotCovered(format!("the step {first}")))
    }
}

fn span(s: f64) -> Result<SimSpan, String> {
    if !(0.0..=LONGEST_S).contains(&s) {
        return Err(format!("a time of {s} s"));
    }
    // Whole milliseconds; at most 1e9.
    Ok(SimSpan::ms(libm::round(s * 1000.0) as u64))
}

fn stored(body: u64) -> Stored {
    Stored { subject: "s".into(), body }
}

/// Publishes with ids. The record does not hold the window: some window must explain it all.
fn duplicates(steps: &[Value]) -> Result<(), Stop> {
    let default = StreamConfig::default().duplicate_window;
    let mut windows = vec![default];
    let mut now = SimTime::ZERO;
    let mut seen: Vec<(String, SimTime)> = Vec::new();
    for step in steps {
        now = now.saturating_add(wait(step)?);
        if let Some(id) = step["msg_id"].as_str() {
            for (_, at) in seen.iter().filter(|(known, _)| known == id) {
                // A window that just covers this id, and one that just does not.
                let age = now.since(*at);
                windows.extend([age, age.saturating_add(SimSpan::ms(1))]);
            }
            seen.push((id.to_owned(), now));
        }
    }
    let tried = windows.into_iter().map(|window| publish_all(steps, window));
    let mut last = Err(Stop::Differs("no window".into()));
    for result in tried {
        if result.is_ok() {
            return result;
        }
        last = result;
    }
    last
}

fn wait(step: &Value) -> Result<SimSpan, String> {
    span(step["wait_s"].as_f64().ok_or_else(|| format!("`wait_s` is {}", step["wait_s"]))?)
}

fn publish_all(steps: &[Value], duplicate_window: SimSpan) -> Result<(), Stop> {
    let mut stream = JetStream::new(StreamConfig { duplicate_window, ..StreamConfig::default() });
    let mut ids: Vec<&str> = Vec::new();
    let mut now = SimTime::ZERO;
    for (index, step) in steps.iter().enumerate() {
        now = now.saturating_add(wait(step)?);
        let key = step["msg_id"].as_str().map(|id| {
            let known = ids.iter().position(|known| *known == id);
            MsgKey(known.unwrap_or_else(|| {
                ids.push(id);
                ids.len() - 1
            }) as u64)
        });
        let published = stream.publish(now, key, stored(0), &mut Vec::new());
        let published = published.map_err(|_| "the stream is full".to_owned())?;
        let what = |field: &str| format!("step {}: {field}", index + 1);
        same(&what("seq"), &step["seq"], &json!(published.seq))?;
        same(&what("duplicate"), &step["duplicate"], &json!(published.duplicate))?;
    }
    Ok(())
}

/// What the client did with a message of its first fetch.
#[derive(Clone, Copy)]
enum Answer {
    Ack,
    Nak(SimSpan),
    Nothing,
}

/// Deliveries of a few messages: some are never answered, some refused, some acknowledged.
fn deliveries(case: &Value, steps: &[Value]) -> Result<(), Stop> {
    let note = case["note"].as_str().unwrap_or_default();
    let wait = number_after(note, "ack_wait");
    let (Some(wait), Some(most)) = (wait, count_after(note, "max_deliver")) else {
        return Err(Stop::NotCovered("deliveries without `ack_wait` and `max_deliver`".into()));
    };
    let delay = number_after(note, "delay").map(span).transpose()?;
    let mut seen: Vec<(u64, &str, u64)> = Vec::new();
    for one in steps {
        let (when, rows) = step(one)?;
        let at = number_after(when, "t").ok_or_else(|| format!("`{when}` tells no time"))?;
        let ms = span(at)?.as_ns() / NS_PER_MS;
        for row in rows.as_array().ok_or_else(|| format!("{rows} is no list"))? {
            let name = row[0].as_str().ok_or_else(|| format!("{row} names no message"))?;
            let n = row[1].as_u64().ok_or_else(|| format!("{row} counts nothing"))?;
            seen.push((ms, name, n));
        }
    }
    let first = list_of_first(steps)?;
    let config = ConsumerConfig {
        ack_wait: span(wait)?,
        max_deliver: Some(most),
        ..ConsumerConfig::default()
    };
    let answers = first.iter().map(|name| answer_to(name, &seen, delay)).collect::<Vec<_>>();
    let end = seen.last().map_or(0, |(ms, ..)| *ms) + 10 * config.ack_wait.as_ns() / NS_PER_MS;
    let model = deliver_all(config, &answers, end)?;
    let model: Vec<(u64, &str, u64)> =
        model.into_iter().map(|(ms, seq, n)| (ms, first[seq as usize - 1], n)).collect();
    let is_same = |(a, b): (&(u64, &str, u64), &(u64, &str, u64))| {
        a.0.abs_diff(b.0) <= ABOUT_MS && (a.1, a.2) == (b.1, b.2)
    };
    if seen.len() != model.len() || !seen.iter().zip(&model).all(is_same) {
        return Err(Stop::Differs(format!("recorded {seen:?}, the model gives {model:?}")));
    }
    Ok(())
}

fn list_of_first(steps: &[Value]) -> Result<Vec<&str>, String> {
    let rows = steps.first().and_then(|step| step[1].as_array());
    let rows = rows.ok_or("no first fetch")?;
    if MESSAGES < rows.len() as u64 {
        return Err(format!("{} messages", rows.len()));
    }
    let name = |row: &Value| row[0].as_str().map(|_| ());
    rows.iter().try_for_each(|row| name(row).ok_or_else(|| format!("{row} names nothing")))?;
    Ok(rows.iter().filter_map(|row| row[0].as_str()).collect())
}

/// A message that never came again was acknowledged; one that came after the delay was refused.
fn answer_to(name: &str, seen: &[(u64, &str, u64)], delay: Option<SimSpan>) -> Answer {
    let mut times = seen.iter().filter(|(_, known, _)| *known == name).map(|(ms, ..)| *ms);
    let (Some(first), Some(second)) = (times.next(), times.next()) else { return Answer::Ack };
    let came_after = second.saturating_sub(first);
    match delay {
        Some(delay) if came_after.abs_diff(delay.as_ns() / NS_PER_MS) <= ABOUT_MS => {
            Answer::Nak(delay)
        }
        _ => Answer::Nothing,
    }
}

/// All deliveries of as many messages as answers: ms, sequence, count.
fn deliver_all(
    config: ConsumerConfig,
    answers: &[Answer],
    end_ms: u64,
) -> Result<Vec<(u64, u64, u64)>, String> {
    let mut stream = JetStream::new(StreamConfig::default());
    let no = stream.add_consumer(config).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    for body in 0..answers.len() as u64 {
        let published = stream.publish(SimTime::ZERO, None, stored(body), &mut out);
        published.map_err(|_| "the stream is full")?;
    }
    stream.fetch(SimTime::ZERO, no, u32::MAX, PATIENCE, &mut out);
    let mut found = Vec::new();
    let mut now = SimTime::ZERO;
    loop {
        let arrived: Vec<Effect> = std::mem::take(&mut out);
        for effect in arrived {
            let Effect::Deliver(_, Delivery { seq, n, .. }) = effect else { continue };
            found.push((now.ns() / NS_PER_MS, seq, n.into()));
            match answers.get(seq as usize - 1).filter(|_| n == 1) {
                Some(Answer::Ack) => {
                    stream.ack(now, no, seq, &mut out);
                }
                Some(Answer::Nak(delay)) => {
                    stream.nak(now, no, seq, *delay, &mut out);
                }
                _ => {}
            }
        }
        if !out.is_empty() {
            continue;
        }
        match stream.next_wake().filter(|wake| wake.ns() / NS_PER_MS <= end_ms) {
            Some(wake) if MESSAGES < found.len() as u64 || wake < now => {
                return Err("more deliveries than a record holds".into());
            }
            Some(wake) => {
                now = wake;
                stream.on_wake(now, &mut out);
            }
            None => return Ok(found),
        }
    }
}

/// Messages of a work queue: fetched, one acknowledged, a second consumer with the same filter.
fn work_queue(steps: &[Value]) -> Result<(), Stop> {
    let retention = Retention::WorkQueue;
    let mut stream = JetStream::new(StreamConfig { retention, ..StreamConfig::default() });
    let config = ConsumerConfig { filter: Some("s".into()), ..ConsumerConfig::default() };
    let no = stream.add_consumer(config.clone()).map_err(|error| error.to_string())?;
    let find = |what: &str| steps.iter().find(|step| step[0].as_str() == Some(what));
    // The record tells what is left after one acknowledgement: there was one more.
    let left = find("messages left after one ack").map_or(&Value::Null, |step| &step[1]);
    let left = left.as_u64().filter(|n| *n <= MESSAGES);
    let left = left.ok_or_else(|| "it is not told how many messages are left".to_owned())?;
    for body in 0..=left {
        let published = stream.publish(SimTime::ZERO, None, stored(body), &mut Vec::new());
        published.map_err(|_| "the stream is full".to_owned())?;
    }
    for one in steps {
        let (sentence, shown) = step(one)?;
        match sentence {
            "fetched" => {
                let n = shown.as_array().map_or(0, Vec::len) as u32;
                let mut out = Vec::new();
                stream.fetch(SimTime::ZERO, no, n, PATIENCE, &mut out);
                let name = |effect: &Effect| match effect {
                    Effect::Deliver(_, delivery) => Some(format!("m{}", delivery.body + 1)),
                    _ => None,
                };
                let names: Vec<String> = out.iter().filter_map(name).collect();
                same("fetched", shown, &json!(names))?;
            }
            "messages left after one ack" => {
                stream.ack(SimTime::ZERO, no, 1, &mut Vec::new());
                same("messages left", shown, &json!(stream.gauges().n_messages))?;
            }
            "second consumer" => {
                let refusal = stream.add_consumer(config.clone());
                let refusal = refusal.err().map_or_else(String::new, client_error);
                // The record holds the begin of the text.
                let begin = shown.as_str().filter(|begin| begin.len() > 20);
                if !begin.is_some_and(|begin| refusal.starts_with(begin)) {
                    let why = format!("recorded {shown}, the model answers {refusal:?}");
                    return Err(Stop::Differs(why));
                }
            }
            other => return Err(Stop::NotCovered(format!("the step `{other}`"))),
        }
    }
    Ok(())
}

/// A refusal as the recording client writes it.
fn client_error(error: JetStreamError) -> String {
    format!("nats: BadRequestError: {error}")
}

/// Messages to a queue group and a plain subscriber; and one to nobody.
fn queue_group(steps: &[Value]) -> Result<(), Stop> {
    let mut core = Core::default();
    for step in steps {
        if let Some(gone) = step.get("publish_without_subscriber") {
            let n = Core::default().publish("s", |_| 0).len();
            let is_gone = n == 0 && gone.as_str().is_some_and(|text| text.starts_with("dropped"));
            if !is_gone {
                return Err(Stop::Differs(format!("recorded {gone}, {n} received it")));
            }
            continue;
        }
        let n = count(step, "queue_group_total")?.min(MESSAGES);
        let mut add = |group: Option<&str>| {
            core.subscribe("s".into(), group.map(Into::into))
                .ok_or_else(|| "too many subscriptions".to_owned())
        };
        let plain = add(None)?;
        let members = [add(Some("g"))?, add(Some("g"))?, add(Some("g"))?];
        let (mut n_plain, mut n_group, mut each_one) = (0, 0, true);
        for index in 0..n {
            // Any draw will do: which member is random.
            let receivers = core.publish("s", |limit| (index % u64::from(limit)) as u32);
            let n_members = receivers.iter().filter(|no| members.contains(no)).count() as u64;
            each_one &= n_members == 1;
            n_group += n_members;
            n_plain += receivers.iter().filter(|no| **no == plain).count() as u64;
        }
        same("queue_group_total", &step["queue_group_total"], &json!(n_group))?;
        same("each_exactly_one", &step["each_exactly_one"], &json!(each_one))?;
        same("plain_subscriber", &step["plain_subscriber"], &json!(n_plain))?;
    }
    Ok(())
}
