//! What was recorded against what the model gives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::op::Stop;
use crate::kernel::{SimSpan, SimTime};

/// What of a trace must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Everything.
    Exact,
    /// How many messages each client got, and how many are ready in all.
    Totals,
}

/// How far times may differ from the record, in ms.
const TOLERANCE_MS: u64 = 60;

/// Something that a client saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) at: SimTime,
    pub(super) value: Value,
}

/// Events by client: only inside a client there is an order.
fn by_client<T>(
    events: &[T],
    value: impl Fn(&T) -> &Value,
) -> Result<BTreeMap<String, Vec<&T>>, Stop> {
    let mut clients: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for event in events {
        let client = value(event)["client"].as_str();
        let client = client
            .ok_or_else(|| Stop::Broken(format!("event without client: {}", value(event))))?;
        clients.entry(client.to_owned()).or_default().push(event);
    }
    Ok(clients)
}

/// Compares what clients received during an operation, from `start` to `end`. Answers how many of
/// `events` belong to it.
///
/// The first `n_at_once` came from the operation itself, the others with time. A real operation
/// takes effect a little after it begins, so what comes shortly before `end` may stand in the
/// record under the next operation.
pub(super) fn compare_events(
    observed: &[Value],
    events: &[Event],
    start: SimTime,
    n_at_once: usize,
    end: SimTime,
    strictness: Strictness,
) -> Result<usize, Stop> {
    let all = compare_all(observed, events, start, strictness);
    let Err(Stop::Differs(_)) = all else { return all.map(|()| events.len()) };
    let mut n_kept = events.len();
    while n_at_once < n_kept && end.since(events[n_kept - 1].at) <= SimSpan::ms(TOLERANCE_MS) {
        n_kept -= 1;
        if compare_all(observed, &events[..n_kept], start, strictness).is_ok() {
            return Ok(n_kept);
        }
    }
    all.map(|()| events.len())
}

fn compare_all(
    observed: &[Value],
    events: &[Event],
    start: SimTime,
    strictness: Strictness,
) -> Result<(), Stop> {
    let theirs = by_client(observed, |value| value)?;
    let ours = by_client(events, |event| &event.value)?;
    let clients: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    for client in clients {
        let (none_theirs, none_ours) = (Vec::new(), Vec::new());
        let theirs = theirs.get(client).unwrap_or(&none_theirs);
        let ours = ours.get(client).unwrap_or(&none_ours);
        if theirs.len() == ours.len() && strictness == Strictness::Totals {
            continue;
        }
        let differing = theirs.iter().zip(ours).find(|(a, b)| !is_same(a, b, start));
        let (theirs, ours) = match differing {
            Some((theirs, ours)) if strictness == Strictness::Exact => {
                let ms = ours.at.since(start).as_ns() / 1_000_000;
                (theirs.to_string(), format!("{} after {ms} ms", ours.value))
            }
            _ if theirs.len() == ours.len() => continue,
            _ => (format!("{} events", theirs.len()), format!("{} events", ours.len())),
        };
        let text = format!("client {client}: recorded {theirs}, the model gives {ours}");
        return Err(Stop::Differs(text));
    }
    Ok(())
}

/// Whether an event is the recorded one, and at the recorded time if it has one.
fn is_same(recorded: &Value, event: &Event, start: SimTime) -> bool {
    let mut value = recorded.clone();
    let fields = value.as_object_mut();
    let times = fields.map(|fields| [fields.remove("t_ms"), fields.remove("t_spread")]);
    if value != event.value {
        return false;
    }
    let Some([Some(at), spread]) = times else { return true };
    // What came before the operation began came at its beginning, as far as anyone could see.
    let ours = event.at.since(start).as_ns() as f64 / 1e6;
    let edge = |index: usize| spread.as_ref().and_then(|spread| spread[index].as_f64());
    let [first, last] = [0, 1].map(|index| edge(index).or(at.as_f64()).unwrap_or(f64::NAN));
    let tolerance = TOLERANCE_MS as f64;
    first - tolerance <= ours && ours <= last + tolerance
}

/// Compares what an operation answered.
pub(super) fn compare_answers(
    recorded: &Value,
    ours: &Value,
    strictness: Strictness,
) -> Result<(), Stop> {
    let total = |counts: &Value| -> u64 {
        let queues = counts.as_object().into_iter().flatten();
        queues.filter_map(|(_, count)| count["ready"].as_u64()).sum()
    };
    let is_equal = match strictness {
        Strictness::Exact => recorded == ours,
        Strictness::Totals if recorded.is_object() => total(recorded) == total(ours),
        Strictness::Totals => recorded == ours,
    };
    if is_equal {
        return Ok(());
    }
    Err(Stop::Differs(format!("result recorded {recorded}, the model gives {ours}")))
}
