//! Producers: the sticky partitioner, batches in time, and the leader's sequence checks.

use serde_json::{Value, json};

use super::super::Case;
use super::super::read::{Stop, count, count_or, count_to, counts, list, same, text, whole};
use super::{or_empty, section};
use crate::kernel::{SimSpan, SimTime};
use crate::model::log::{
    Accumulator, Acks, EndedTxn, NewRecord, Partition, PartitionConfig, Placed, Produce,
    ProduceError, Produced, ProducerError, ProducerId, RecordShape, Stamp, StickyPartitioner,
    TxnEnd, partition_of_key,
};

/// Longest replay, in ms.
const LONGEST_MS: u64 = 10_000_000;
/// Most partitions of a replay.
const MOST_PARTITIONS: u64 = 10_000;
/// Most bytes of a record or batch.
const MOST_BYTES: u64 = 1 << 29;
/// Most records of one batch.
const MOST_RECORDS: u64 = 100_000;
const NS_PER_MS: u64 = 1_000_000;

/// Replays partitioner, batches and sequence checks.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = section(record, "kafka sticky partitioner", "sticky", replay_sticky);
    cases.extend(section(record, "kafka batching", "batching", replay_batching));
    let checks = section(record, "kafka sequences", "broker_sequence_checks", replay_sequences);
    cases.extend(checks);
    or_empty(cases, "kafka producer")
}

/// The recorded random numbers, in order.
struct Draws {
    numbers: Vec<u64>,
    n_drawn: usize,
}

impl Draws {
    fn new(case: &Value) -> Result<Draws, String> {
        Ok(Draws { numbers: counts(case, "random")?, n_drawn: 0 })
    }

    /// The next number; after the last the first again.
    fn draw(&mut self) -> u32 {
        let number = match self.numbers.len() {
            0 => 0,
            n => self.numbers[self.n_drawn % n],
        };
        self.n_drawn += 1;
        number as u32
    }
}

fn replay_sticky(case: &Value) -> Result<(), Stop> {
    let n = count_to(case, "partitions", MOST_PARTITIONS)?.max(1) as u32;
    let batch_bytes = count(case, "sticky_batch_size")? as u32;
    let mut partitioner = StickyPartitioner::new(n, batch_bytes);
    let unavailable = counts(case, "unavailable")?;
    partitioner.set_available(|partition| !unavailable.contains(&u64::from(partition)));
    let mut draws = Draws::new(case)?;
    let mut chosen = Vec::new();
    for append in list(case, "appends")? {
        if append.is_object() {
            let sizes = counts(append, "queue_sizes")?;
            let sizes: Vec<u32> = sizes.into_iter().map(|size| size as u32).collect();
            partitioner.set_queue_sizes(&sizes);
            continue;
        }
        let bytes = whole(append).map_err(|why| format!("`appends` {why}"))?;
        chosen.push(partitioner.peek(|| draws.draw()));
        partitioner.appended(bytes as u32, true, || draws.draw());
    }
    Ok(same("chosen", &case["chosen"], &json!(chosen))?)
}

fn replay_batching(case: &Value) -> Result<(), Stop> {
    let n = count_to(case, "partitions", MOST_PARTITIONS)?.max(1) as u32;
    let linger = SimSpan::ms(count(case, "linger_ms")?);
    let mut accumulator =
        Accumulator::new(n, count_to(case, "batch_size", MOST_BYTES)? as u32, linger);
    let records = list(case, "records")?;
    let request_ms = count_or(case, "request_ms", 0)?;
    let end_ms = count_to(case, "end_ms", LONGEST_MS)?;
    let mut draws = Draws::new(case)?;
    let (mut batches, mut partitions) = (Vec::new(), Vec::new());
    let (mut free_at_ms, mut next) = (0, 0);
    let mut out = Vec::new();
    for ms in 0..=end_ms {
        let now = SimTime::from_ns(ms * NS_PER_MS);
        while let Some(record) = records.get(next).filter(|r| r["t"].as_u64() <= Some(ms)) {
            let at = append(&mut accumulator, now, next, record, n, &mut draws)?;
            partitions.push(at);
            next += 1;
        }
        // At most one request is on its way.
        if ms < free_at_ms {
            continue;
        }
        accumulator.drain(now, &mut out);
        if !out.is_empty() {
            free_at_ms = ms + request_ms;
        }
        for drained in out.drain(..) {
            let of_batch: Vec<usize> = drained.batch.records.iter().map(|r| r.message).collect();
            batches.push(json!({
                "t": ms,
                "partition": drained.partition,
                "bytes": drained.batch.bytes,
                "records": of_batch,
            }));
            accumulator.recycle(drained.batch);
        }
    }
    // Whether the last millisecond belongs to the run is not said: it counts when it is recorded.
    let recorded = list(case, "batches")?;
    if !recorded.iter().any(|batch| batch["t"] == case["end_ms"]) {
        batches.retain(|batch| batch["t"] != case["end_ms"]);
    }
    same("partition_of_record", &case["partition_of_record"], &json!(partitions))?;
    Ok(same("batches", &json!(in_order(recorded)), &json!(in_order(&batches)))?)
}

fn append(
    accumulator: &mut Accumulator<usize>,
    now: SimTime,
    index: usize,
    record: &Value,
    n_partitions: u32,
    draws: &mut Draws,
) -> Result<u32, String> {
    let key = if record["key"].is_null() { None } else { Some(text(record, "key")?) };
    let to = match (record["partition"].is_null(), key) {
        (false, _) => Some(count_to(record, "partition", u64::from(n_partitions) - 1)? as u32),
        (true, Some(key)) => Some(partition_of_key(key.as_bytes(), n_partitions)),
        (true, None) => None,
    };
    let value = count_to(record, "bytes", MOST_BYTES)? as u32;
    let shape = RecordShape { key: key.map(|key| key.len() as u32), value: Some(value) };
    let record = NewRecord::value(now, 0, index);
    Ok(accumulator.append(now, to, shape, record, &mut || draws.draw()).partition)
}

/// Batches of one send have no order among partitions.
fn in_order(batches: &[Value]) -> Vec<Value> {
    let mut batches = batches.to_vec();
    batches.sort_by_key(|batch| (batch["t"].as_u64(), batch["partition"].as_u64()));
    batches
}

fn replay_sequences(case: &Value) -> Result<(), Stop> {
    let mut partition: Partition<()> = Partition::new(PartitionConfig::default(), 1);
    let mut now = SimTime::ZERO;
    let results = list(case, "results")?;
    let ops = list(case, "ops")?;
    if ops.len() != results.len() {
        return Err(Stop::Differs("`ops` and `results` differ in length".into()));
    }
    for (index, (op, result)) in ops.iter().zip(results).enumerate() {
        let place = |why: Stop| match why {
            Stop::Differs(why) => Stop::Differs(format!("op {}: {why}", index + 1)),
            Stop::NotCovered(what) => Stop::NotCovered(format!("op {}: {what}", index + 1)),
        };
        if !op["sleep"].is_null() {
            now = now.saturating_add(SimSpan::ms(count(op, "sleep")?));
            continue;
        }
        let mut model = apply(&mut partition, now, op).map_err(place)?;
        let leader = partition.leading().ok_or_else(|| "nobody leads".to_owned())?;
        model["log_end_offset"] = json!(leader.log.end());
        let stable = leader.producers.last_stable(leader.high_watermark);
        model["last_stable_offset"] = json!(stable);
        let recorded = result.as_object().ok_or_else(|| format!("a result is {result}"))?;
        for (key, value) in recorded {
            same(key, value, &model[key]).map_err(|why| place(why.into()))?;
        }
    }
    let aborted = partition.leading().map_or(&[][..], |leader| leader.producers.aborted());
    let row = |txn: &EndedTxn| json!({ "pid": txn.producer.0, "first_offset": txn.first, "last_offset": txn.last });
    let aborted: Vec<Value> = aborted.iter().map(row).collect();
    Ok(same("aborted_transactions", &case["aborted_transactions"], &json!(aborted))?)
}

fn apply(partition: &mut Partition<()>, now: SimTime, op: &Value) -> Result<Value, Stop> {
    let producer = ProducerId(count(op, "pid")?);
    let epoch = count_to(op, "epoch", 0x7fff)? as u16;
    if !op["marker"].is_null() {
        let end = match text(op, "marker")? {
            "commit" => TxnEnd::Commit,
            "abort" => TxnEnd::Abort,
            other => return Err(Stop::NotCovered(format!("marker `{other}`"))),
        };
        return Ok(match partition.end_txn(now, producer, epoch, end, ()) {
            Ok((offset, ended)) => marker(offset, ended),
            Err(error) => json!({ "outcome": "error", "error": name(error) }),
        });
    }
    let n = count_to(op, "count", MOST_RECORDS)? as usize;
    let is_transactional = op["tx"].as_bool().unwrap_or(false);
    let sequence = count_to(op, "seq", 0x7fff_ffff)? as u32;
    let stamp = Stamp { producer, epoch, sequence, is_transactional };
    let request = Produce { acks: Acks::Leader, ticket: 0, stamp: Some(stamp) };
    let records = vec![NewRecord::value(now, 100, ()); n];
    let placed = |outcome: &str, Placed { base, last }: Placed| json!({ "outcome": outcome, "base_offset": base, "last_offset": last });
    Ok(match partition.produce(now, &request, &records) {
        Ok(Produced::Done(at) | Produced::Waiting(at)) => placed("appended", at),
        Ok(Produced::Duplicate(at)) => placed("duplicate", at),
        Err(error) => json!({ "outcome": "error", "error": name(error) }),
    })
}

fn marker(offset: u64, ended: Option<EndedTxn>) -> Value {
    let mut result = json!({ "outcome": "marker", "base_offset": offset, "last_offset": offset });
    if let Some(txn) = ended {
        result["txn_first_offset"] = json!(txn.first);
        result["aborted"] = json!(txn.end == TxnEnd::Abort);
        result["lso_at_completion"] = json!(txn.stable_then);
    }
    result
}

fn name(error: ProduceError) -> &'static str {
    match error {
        ProduceError::NotLeader => "NOT_LEADER_OR_FOLLOWER",
        ProduceError::NotEnoughReplicas => "NOT_ENOUGH_REPLICAS",
        ProduceError::NotEnoughReplicasAfterAppend => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        ProduceError::Overloaded => "REQUEST_TIMED_OUT",
        ProduceError::Producer(ProducerError::InvalidProducerEpoch) => "INVALID_PRODUCER_EPOCH",
        ProduceError::Producer(ProducerError::OutOfOrderSequence) => "OUT_OF_ORDER_SEQUENCE_NUMBER",
        ProduceError::Producer(ProducerError::InvalidTxnState) => "INVALID_TXN_STATE",
    }
}
