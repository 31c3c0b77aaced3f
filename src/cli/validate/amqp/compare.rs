//! What was recorded against what the model gives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::op::Stop;

/// What of a trace must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Everything.
    Exact,
    /// How many messages each client got, and how many are ready in all.
    Totals,
}

/// Events by client: only inside a client there is an order.
fn by_client(events: &[Value]) -> Result<BTreeMap<&str, Vec<&Value>>, Stop> {
    let mut clients: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        let client = event["client"].as_str();
        let client =
            client.ok_or_else(|| Stop::Broken(format!("event without client: {event}")))?;
        clients.entry(client).or_default().push(event);
    }
    Ok(clients)
}

/// Compares what clients received.
pub(super) fn compare_events(
    observed: &[Value],
    events: &[Value],
    strictness: Strictness,
) -> Result<(), Stop> {
    let (theirs, ours) = (by_client(observed)?, by_client(events)?);
    let clients: BTreeSet<&str> = theirs.keys().chain(ours.keys()).copied().collect();
    for client in clients {
        let none = Vec::new();
        let theirs = theirs.get(client).unwrap_or(&none);
        let ours = ours.get(client).unwrap_or(&none);
        let is_equal = match strictness {
            Strictness::Exact => theirs == ours,
            Strictness::Totals => theirs.len() == ours.len(),
        };
        if !is_equal {
            let differing = theirs.iter().zip(ours).find(|(a, b)| a != b);
            let (theirs, ours) = match differing {
                Some((theirs, ours)) => (theirs.to_string(), ours.to_string()),
                None => (format!("{} events", theirs.len()), format!("{} events", ours.len())),
            };
            let text = format!("client {client}: recorded {theirs}, the model gives {ours}");
            return Err(Stop::Differs(text));
        }
    }
    Ok(())
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
