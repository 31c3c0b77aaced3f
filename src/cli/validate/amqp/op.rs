//! One operation of a trace: its arguments, read with care.

use serde_json::{Map, Value};

/// Why a replay ends before the end of its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The record is not what it claims to be.
    Broken(String),
    /// It uses something that is not modelled.
    NotCovered(String),
    /// The model did something else than the real broker.
    Differs(String),
}

impl Stop {
    /// The same with the place in front.
    pub(super) fn at(self, place: &str) -> Stop {
        match self {
            Stop::Broken(why) => Stop::Broken(format!("{place}: {why}")),
            Stop::NotCovered(what) => Stop::NotCovered(format!("{place}: {what}")),
            Stop::Differs(how) => Stop::Differs(format!("{place}: {how}")),
        }
    }
}

/// Keys that describe what came of an operation, not the operation.
const OUTCOME: [&str; 4] = ["op", "at_ms", "result", "observed"];

/// An operation with its arguments.
pub(super) struct Op<'a> {
    pub(super) kind: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Op<'a> {
    pub(super) fn new(value: &'a Value) -> Result<Op<'a>, Stop> {
        let fields = value.as_object().ok_or_else(|| Stop::Broken("not an object".into()))?;
        let kind = fields.get("op").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| Stop::Broken("`op` is no text".into()))?;
        Ok(Op { kind, fields })
    }

    /// An argument that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// Any other argument means something that is not modelled.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Stop> {
        let unknown = self
            .fields
            .keys()
            .find(|key| !known.contains(&key.as_str()) && !OUTCOME.contains(&key.as_str()));
        match unknown {
            Some(key) => Err(Stop::NotCovered(format!("argument `{key}`"))),
            None => Ok(()),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, Stop> {
        let value = self.get(key).ok_or_else(|| Stop::Broken(format!("`{key}` is missing")))?;
        value.as_str().ok_or_else(|| wrong(key, value, "a text"))
    }

    pub(super) fn text_or(&self, key: &str, default: &'a str) -> Result<&'a str, Stop> {
        if self.get(key).is_some() { self.text(key) } else { Ok(default) }
    }

    pub(super) fn number(&self, key: &str) -> Result<u64, Stop> {
        let value = self.get(key).ok_or_else(|| Stop::Broken(format!("`{key}` is missing")))?;
        bounded(key, value, u32::MAX.into())
    }

    pub(super) fn number_or(&self, key: &str, default: u64) -> Result<u64, Stop> {
        if self.get(key).is_some() { self.number(key) } else { Ok(default) }
    }

    pub(super) fn flag_or(&self, key: &str, default: bool) -> Result<bool, Stop> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| wrong(key, value, "true or false"))
    }

    /// The entries of a table; none when it is missing.
    pub(super) fn table(
        &self,
        key: &str,
    ) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, Stop> {
        let entries = match self.get(key) {
            None => None,
            Some(Value::Object(entries)) => Some(entries.iter()),
            Some(other) => return Err(wrong(key, other, "a table")),
        };
        Ok(entries.into_iter().flatten())
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&'a str>, Stop> {
        let value = self.get(key).ok_or_else(|| Stop::Broken(format!("`{key}` is missing")))?;
        let items = value.as_array().ok_or_else(|| wrong(key, value, "a list of texts"))?;
        let text = |item: &'a Value| item.as_str().ok_or_else(|| wrong(key, item, "a text"));
        items.iter().map(text).collect()
    }
}

/// A whole number within its limit.
pub(super) fn bounded(key: &str, value: &Value, max: u64) -> Result<u64, Stop> {
    let number = value.as_u64().filter(|number| *number <= max);
    number.ok_or_else(|| wrong(key, value, &format!("a whole number from 0 to {max}")))
}

fn wrong(key: &str, value: &Value, allowed: &str) -> Stop {
    let mut shown = value.to_string();
    if let Some((end, _)) = shown.char_indices().nth(60) {
        shown.truncate(end);
        shown.push_str("...");
    }
    Stop::Broken(format!("`{key}` is {shown}, allowed: {allowed}"))
}
