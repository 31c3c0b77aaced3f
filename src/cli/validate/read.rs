//! Reading a record's fields: what is missing or of the wrong kind is said with its name.

use serde_json::Value;

use super::{Case, Verdict};

/// Largest count that a record may ask for.
const COUNT_LIMIT: u64 = 1 << 32;

/// How a replay ends early.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// It needs what is not modelled; says what.
    NotCovered(String),
    /// The model did something else, or the record is broken; says what and where.
    Differs(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop::Differs(why)
    }
}

/// Replays each entry of a list, one case each.
pub fn each(
    group: &str,
    prefix: &str,
    list: &Value,
    replay: impl Fn(&Value) -> Result<(), Stop>,
) -> Vec<Case> {
    let Some(list) = list.as_array() else {
        let why = format!("`{prefix}` is no list");
        return vec![Case::new(prefix, group, Verdict::Failed(why))];
    };
    let one = |(index, entry): (usize, &Value)| {
        let id = entry["id"].as_str();
        let id = id.map_or_else(|| format!("{prefix}/{}", index + 1), str::to_owned);
        Case::new(id, group, verdict(replay(entry)))
    };
    list.iter().enumerate().map(one).collect()
}

/// The verdict on a replay.
pub fn verdict(replayed: Result<(), Stop>) -> Verdict {
    match replayed {
        Ok(()) => Verdict::Passed,
        Err(Stop::NotCovered(what)) => Verdict::NotCovered(what),
        Err(Stop::Differs(why)) => Verdict::Failed(why),
    }
}

/// A field that is a text.
pub fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("`{key}` is {}, allowed: a text", value[key]))
}

/// A field that is a whole number.
pub fn count(value: &Value, key: &str) -> Result<u64, String> {
    whole(&value[key]).map_err(|why| format!("`{key}` {why}"))
}

/// A field that is a whole number, at most `limit`.
pub fn count_to(value: &Value, key: &str, limit: u64) -> Result<u64, String> {
    let n = count(value, key)?;
    if limit < n {
        return Err(format!("`{key}` is {n}, allowed: {limit}"));
    }
    Ok(n)
}

/// A field that may be missing or null, else a whole number.
pub fn count_or(value: &Value, key: &str, default: u64) -> Result<u64, String> {
    if value[key].is_null() { Ok(default) } else { count(value, key) }
}

/// A value that is a whole number.
pub fn whole(value: &Value) -> Result<u64, String> {
    let n = value.as_u64().filter(|n| *n <= COUNT_LIMIT);
    n.ok_or_else(|| format!("is {value}, allowed: a whole number up to {COUNT_LIMIT}"))
}

/// A field that is a list; a missing one is empty.
pub fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], String> {
    match &value[key] {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        other => Err(format!("`{key}` is {other}, allowed: a list")),
    }
}

/// A field that is a list of whole numbers; a missing one is empty.
pub fn counts(value: &Value, key: &str) -> Result<Vec<u64>, String> {
    list(value, key)?.iter().map(|n| whole(n).map_err(|why| format!("`{key}` {why}"))).collect()
}

/// Compares what was recorded with what the model gives.
pub fn same(what: &str, recorded: &Value, model: &Value) -> Result<(), String> {
    if recorded == model {
        return Ok(());
    }
    Err(format!("{what}: recorded {recorded}, the model gives {model}"))
}
