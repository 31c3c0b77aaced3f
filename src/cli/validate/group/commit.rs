//! Commit policies: a consumer is killed during or after a message; a second one goes on.
//!
//! The record says how long the work takes and which message the kill fell on, not when within
//! its work: half-way is taken.

use serde_json::{Value, json};

use super::super::read::{Stop, count, count_or, count_to, same, text, verdict};
use super::super::{Case, Verdict};
use crate::kernel::{SimSpan, SimTime};
use crate::model::group::{CommitPolicy, Committer};

/// Most messages of a run.
const MOST_MESSAGES: u64 = 10_000;
/// Longest work on one message, in ms.
const LONGEST_WORK_MS: u64 = 1_000_000;

/// Replays all rows of all runs.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, run) in record["runs"].as_array().into_iter().flatten().enumerate() {
        for (index, row) in run["rows"].as_array().into_iter().flatten().enumerate() {
            let policy = row["policy"].as_str().unwrap_or("?");
            let id = format!("run {}/{} {policy}", number + 1, index + 1);
            cases.push(Case::new(id, "kafka commit", verdict(replay_row(row))));
        }
    }
    if cases.is_empty() {
        let why = "the record has no rows".to_owned();
        cases.push(Case::new("-", "kafka commit", Verdict::Failed(why)));
    }
    cases
}

/// When the consumer is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Half-way through a message's work.
    During,
    /// When the work is done and nothing more.
    AfterWork,
}

/// What the first consumer left behind.
#[derive(Default)]
struct Left {
    committed: u64,
    n_completed: u64,
    batches: Vec<u64>,
}

fn replay_row(row: &Value) -> Result<(), Stop> {
    let policy = policy(row)?;
    let n_messages = count(row, "messages")?;
    if MOST_MESSAGES < n_messages {
        return Err(Stop::Differs(format!("{n_messages} messages")));
    }
    let crash = text(row, "crash")?;
    let (moment, message) = match crash.split_once(" message ") {
        Some(("during", message)) => (Moment::During, message),
        Some(("after_work", message)) => (Moment::AfterWork, message),
        _ => return Err(Stop::NotCovered(format!("crash `{crash}`"))),
    };
    let killed_at: u64 = message.parse().map_err(|_| format!("`crash` is `{crash}`"))?;
    if killed_at == 0 || n_messages < killed_at {
        return Err(Stop::Differs(format!("no message {killed_at}")));
    }
    let left = run_until_killed(row, policy, n_messages, killed_at, moment)?;
    same("committed_at_crash", &row["committed_at_crash"], &json!(left.committed))?;
    // The second consumer begins at the committed offset and does all the rest.
    let name = |number: u64| format!("m{number}");
    let starts_with = (left.committed < n_messages).then(|| name(left.committed + 1));
    same("second_starts_with", &row["second_starts_with"], &json!(starts_with))?;
    let names = |from: u64, to: u64| json!((from..=to).map(name).collect::<Vec<_>>());
    let never = names(left.n_completed + 1, left.committed);
    same("never_completed", &row["never_completed"], &never)?;
    let twice = names(left.committed + 1, left.n_completed);
    same("completed_twice", &row["completed_twice"], &twice)?;
    if !row["batches_first_process"].is_null() {
        let batches = json!(left.batches);
        same("batches_first_process", &row["batches_first_process"], &batches)?;
    }
    Ok(())
}

fn policy(row: &Value) -> Result<CommitPolicy, Stop> {
    let interval = || match count(row, "auto_commit_interval_ms")? {
        0 => Err("`auto_commit_interval_ms` is 0".to_owned()),
        ms => Ok(SimSpan::ms(ms)),
    };
    let name = text(row, "policy")?;
    Ok(match name {
        "commit_after" | "sync_each" => CommitPolicy::AfterEach,
        "commit_before" => CommitPolicy::BeforeEach,
        "sync_batch" => CommitPolicy::AfterBatch,
        "sync_before_batch" => CommitPolicy::BeforeBatch,
        "auto" => CommitPolicy::AutoInPoll { interval: interval()? },
        "auto_store_before" => CommitPolicy::AutoOnDelivery { interval: interval()? },
        "auto_store_after" => CommitPolicy::AutoStored { interval: interval()? },
        _ => match name.strip_prefix("commit_every_").and_then(|n| n.parse().ok()) {
            Some(n) => CommitPolicy::AfterEvery(n),
            None => return Err(Stop::NotCovered(format!("policy `{name}`"))),
        },
    })
}

/// The first consumer polls and works until it is killed.
fn run_until_killed(
    row: &Value,
    policy: CommitPolicy,
    n_messages: u64,
    killed_at: u64,
    moment: Moment,
) -> Result<Left, String> {
    let work = SimSpan::ms(count_to(row, "work_ms", LONGEST_WORK_MS)?);
    let most_per_poll = count_or(row, "max_poll_records", 1)?.max(1);
    let mut now = SimTime::ZERO;
    let mut committer = Committer::new(policy, now, 0);
    let mut left = Left::default();
    let mut next = 0;
    while next < n_messages {
        committer.on_poll(now);
        let n = most_per_poll.min(n_messages - next);
        left.batches.push(n);
        committer.on_batch(n as u32);
        for offset in next..next + n {
            committer.on_begin(offset);
            let is_last = offset + 1 == killed_at;
            let share = if is_last && moment == Moment::During { 2 } else { 1 };
            now = now.saturating_add(SimSpan::ns(work.as_ns() / share));
            run_timer(&mut committer, now);
            left.n_completed = if share == 2 { offset } else { offset + 1 };
            if is_last {
                left.committed = committer.committed();
                return Ok(left);
            }
            committer.on_done(offset);
        }
        next += n;
    }
    Err("nobody was killed".into())
}

/// The client's own timer goes off while the application works.
fn run_timer(committer: &mut Committer, now: SimTime) {
    while let Some(due) = committer.next_wake().filter(|due| *due <= now) {
        committer.on_wake(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_known_by_its_number_and_not_by_a_list_of_names() {
        let row = json!({
            "policy": "commit_every_3", "messages": 9, "work_ms": 10,
            "crash": "after_work message 8", "committed_at_crash": 6, "second_starts_with": "m7",
            "never_completed": [], "completed_twice": ["m7", "m8"],
        });
        assert_eq!(replay_row(&row), Ok(()));
        let mut other = row.clone();
        other["policy"] = json!("commit_sometimes");
        assert!(matches!(replay_row(&other), Err(Stop::NotCovered(_))));
    }
}
