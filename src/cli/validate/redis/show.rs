//! Replies as the record writes them.

use serde_json::{Value, json};

use crate::model::redis::{EntryId, Reply};

/// A reply as the recording client returned it.
pub(super) fn reply(reply: &Reply) -> Value {
    match reply {
        Reply::Ok => json!("OK"),
        Reply::Queued => json!("QUEUED"),
        Reply::Nil => Value::Null,
        Reply::Int(n) => json!(n),
        Reply::Text(text) => json!(&**text),
        Reply::Id(EntryId { ms, seq }) => json!(format!("{ms}-{seq}")),
        Reply::List(list) => Value::Array(list.iter().map(self::reply).collect()),
        Reply::Error(error) => json!({ "error": error.to_string() }),
    }
}

/// Replaces idle times: the third column of XPENDING with a range.
pub(super) fn mask_idle(reply: &mut Value) {
    for row in reply.as_array_mut().into_iter().flatten() {
        if let Some(idle) = row.get_mut(2) {
            *idle = json!("idle");
        }
    }
}

/// Whether two replies are the same, with this much between their numbers.
pub(super) fn is_about(recorded: &Value, model: &Value, tolerance: u64) -> bool {
    match (recorded, model) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.abs_diff(b) <= tolerance,
            _ => false,
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_about(a, b, tolerance))
        }
        (a, b) => a == b,
    }
}
