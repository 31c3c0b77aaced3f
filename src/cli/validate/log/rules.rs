//! Rules of the log and of fetching: compaction, retention, long polls.

use serde_json::{Value, json};

use super::super::Case;
use super::super::read::{Stop, count, count_to, counts, list, same, whole};
use super::{or_empty, section};
use crate::kernel::{SimSpan, SimTime};
use crate::model::log::{
    Acks, BrokerConfig, Content, FetchLimits, Key, Log, LogBroker, LogConfig, NewRecord,
    PartitionNo, Produce, Reply,
};

/// Longest replay, in ms.
const LONGEST_MS: u64 = 100_000_000;
const NS_PER_MS: u64 = 1_000_000;

/// Replays all sections.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = section(record, "kafka compaction", "compaction", compaction);
    cases.extend(section(record, "kafka retention", "retention_bytes", retention_bytes));
    cases.extend(section(record, "kafka retention", "retention_ms", retention_ms));
    cases.extend(section(record, "kafka long poll", "long_poll", long_poll));
    or_empty(cases, "kafka log rules")
}

fn at_ms(ms: u64) -> SimTime {
    SimTime::from_ns(ms.saturating_mul(NS_PER_MS))
}

fn compaction(case: &Value) -> Result<(), Stop> {
    let active = count(case, "active_segment_from_offset")?;
    let mut log: Log<()> = Log::new(LogConfig::default());
    let mut keys: Vec<&str> = Vec::new();
    for record in list(case, "records")? {
        let key = record[0].as_str().ok_or_else(|| format!("`records` holds {record}"))?;
        let number = keys.iter().position(|known| *known == key).unwrap_or(keys.len());
        if number == keys.len() {
            keys.push(key);
        }
        let content = if record[1].is_null() { Content::Tombstone } else { Content::Value };
        let key = Some(Key(number as u32));
        if log.end() == active {
            log.roll();
        }
        log.append(0, None, &[NewRecord { key, content, ..NewRecord::value(at_ms(0), 100, ()) }]);
    }
    if log.end() <= active {
        log.roll();
    }
    log.compact(at_ms(0));
    if case["tombstones_past_delete_retention"].as_bool() == Some(true) {
        log.compact(at_ms(0).saturating_add(log.config.delete_retention));
    }
    let kept: Vec<u64> = log.read(0, log.end()).map(|record| record.offset).collect();
    Ok(same("kept_offsets", &case["kept_offsets"], &json!(kept))?)
}

fn retention_bytes(case: &Value) -> Result<(), Stop> {
    let retention_bytes = Some(count(case, "retention_bytes")?);
    let config = LogConfig { retention_bytes, retention: None, ..LogConfig::default() };
    let mut log: Log<()> = Log::new(config);
    for bytes in counts(case, "segment_sizes_oldest_first")? {
        log.roll();
        log.append(0, None, &[NewRecord::value(at_ms(0), bytes as u32, ())]);
    }
    let n_deleted = log.retain(at_ms(0), log.end());
    Ok(same("segments_deleted", &case["segments_deleted"], &json!(n_deleted))?)
}

fn retention_ms(case: &Value) -> Result<(), Stop> {
    let retention = Some(SimSpan::ms(count(case, "retention_ms")?));
    let mut log: Log<()> = Log::new(LogConfig { retention, ..LogConfig::default() });
    for ms in counts(case, "largest_timestamp_per_segment")? {
        log.roll();
        log.append(0, None, &[NewRecord::value(at_ms(ms), 100, ())]);
    }
    let n_deleted = log.retain(at_ms(count(case, "now")?), log.end());
    Ok(same("segments_deleted", &case["segments_deleted"], &json!(n_deleted))?)
}

/// What has not arrived yet: time in ms and bytes.
type Arrivals = std::iter::Peekable<std::vec::IntoIter<(u64, u32)>>;

/// A consumer that asks, waits, works and asks again.
fn long_poll(case: &Value) -> Result<(), Stop> {
    let mut arrivals = Vec::new();
    for arrival in list(case, "arrivals_ms_bytes")? {
        let bad = |why| format!("`arrivals_ms_bytes` {why}");
        let bytes = whole(&arrival[1]).map_err(bad)?;
        arrivals.push((whole(&arrival[0]).map_err(bad)?, bytes as u32));
    }
    arrivals.sort_by_key(|(ms, _)| *ms);
    let mut arrivals: Arrivals = arrivals.into_iter().peekable();
    let mut broker: LogBroker<()> = LogBroker::new(BrokerConfig::default());
    let session = broker.open_session(FetchLimits {
        min_bytes: count(case, "fetch_min_bytes")? as u32,
        max_bytes: u32::MAX,
        max_wait: SimSpan::ms(count(case, "fetch_max_wait_ms")?),
        ..FetchLimits::default()
    });
    broker.assign(session, [(PartitionNo(0), 0)].into_iter());
    let process_ms = count(case, "process_ms")?;
    let end_ms = count_to(case, "end_ms", LONGEST_MS)?;
    let mut rows = Vec::new();
    let (mut ms, mut out) = (0, Vec::new());
    while ms < end_ms {
        while let Some((_, bytes)) = arrivals.next_if(|(at, _)| *at <= ms) {
            arrive(&mut broker, ms, bytes, &mut out);
        }
        out.clear();
        broker.fetch(at_ms(ms), session, &mut out);
        let (answered_ms, bytes) = await_answer(&mut broker, ms, &mut arrivals, &mut out)?;
        broker.take(session, |_, _| {});
        rows.push(json!([ms, answered_ms, bytes]));
        if answered_ms + process_ms == ms && bytes == 0 {
            return Err(Stop::Differs("the consumer neither waits nor works".into()));
        }
        ms = answered_ms + process_ms;
    }
    Ok(same("sent_answered_bytes", &case["sent_answered_bytes"], &json!(rows))?)
}

fn arrive(broker: &mut LogBroker<()>, ms: u64, bytes: u32, out: &mut Vec<Reply>) {
    let record = NewRecord::value(at_ms(ms), bytes, ());
    let request = Produce::plain(Acks::Leader, 0);
    // A partition with one live replica takes everything.
    let _ = broker.produce(at_ms(ms), PartitionNo(0), &request, &[record], out);
}

/// Lets time pass until the fetch is answered: when, and with how many bytes.
fn await_answer(
    broker: &mut LogBroker<()>,
    sent_ms: u64,
    arrivals: &mut Arrivals,
    out: &mut Vec<Reply>,
) -> Result<(u64, u64), String> {
    let mut ms = sent_ms;
    loop {
        let answer = out.drain(..).find_map(|reply| match reply {
            Reply::Fetched { bytes, .. } => Some(bytes),
            Reply::Produced(_) => None,
        });
        if let Some(bytes) = answer {
            return Ok((ms, bytes));
        }
        let wake = broker.next_wake().ok_or("a fetch waits for ever")?.ns() / NS_PER_MS;
        match arrivals.next_if(|(at, _)| *at <= wake) {
            Some((at, bytes)) => {
                ms = at;
                arrive(broker, ms, bytes, out);
            }
            None => {
                ms = wake;
                broker.on_wake(at_ms(ms), out);
            }
        }
    }
}
