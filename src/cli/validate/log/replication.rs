//! Replication: acknowledged, visible, lost and kept over crashes of brokers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::Case;
use super::super::read::{Stop, count, count_to, each, list, same, text};
use crate::kernel::SimTime;
use crate::model::log::{
    Acks, Answer, Isolation, NewRecord, Partition, PartitionConfig, Produce, ProduceError,
    Produced, REPLICAS_LIMIT, ReplicaNo,
};

/// What a producer is told that its leader died before it answered.
const LEADER_DIED: &str = "timeout / NOT_LEADER (producer retries)";
/// What counts as acknowledged: with `acks=0` the producer believes whatever it sent.
const ACKNOWLEDGED: [&str; 3] = ["OK", "no response expected", "sent, lost silently"];

/// Replays all cases.
pub fn replay(record: &Value) -> Vec<Case> {
    each("kafka replication", "cases", &record["cases"], replay_case)
}

/// A partition with its producer and one consumer.
struct Replay<'a> {
    partition: Partition<usize>,
    /// The messages, by number.
    messages: Vec<&'a str>,
    told: BTreeMap<&'a str, &'static str>,
    consumed: Vec<usize>,
    position: u64,
    answers: Vec<Answer>,
}

fn replay_case(case: &Value) -> Result<(), Stop> {
    let config = PartitionConfig {
        min_isr: count(case, "min_insync_replicas")? as u32,
        is_unclean: case["unclean"].as_bool().unwrap_or(false),
        mark_needs_min_isr: case["hw_needs_min_isr"].as_bool().unwrap_or(true),
        ..PartitionConfig::default()
    };
    let n_replicas = count_to(case, "replicas", u64::from(REPLICAS_LIMIT))?.max(1) as u32;
    let mut replay = Replay {
        partition: Partition::new(config, n_replicas),
        messages: Vec::new(),
        told: BTreeMap::new(),
        consumed: Vec::new(),
        position: 0,
        answers: Vec::new(),
    };
    for (index, step) in list(case, "steps")?.iter().enumerate() {
        replay.apply(step).map_err(|stop| at(stop, index))?;
        replay.compare(step).map_err(|why| at(why.into(), index))?;
    }
    Ok(replay.compare_end(case)?)
}

fn at(stop: Stop, index: usize) -> Stop {
    match stop {
        Stop::Differs(why) => Stop::Differs(format!("step {}: {why}", index + 1)),
        Stop::NotCovered(what) => Stop::NotCovered(format!("step {}: {what}", index + 1)),
    }
}

impl<'a> Replay<'a> {
    fn apply(&mut self, step: &'a Value) -> Result<(), Stop> {
        let op = text(step, "op")?;
        let now = SimTime::ZERO;
        match op {
            "produce" => self.produce(step)?,
            "consume" => {
                let end = self.partition.readable_end(Isolation::Uncommitted);
                let read = self.partition.read(self.position, Isolation::Uncommitted);
                self.consumed.extend(read.map(|record| record.message));
                self.position = self.position.max(end);
            }
            "fetch" => self.partition.follower_fetch(now, replica(step)?, &mut self.answers),
            "crash" => self.partition.crash(replica(step)?, &mut self.answers),
            "restart" => self.partition.restart(now, replica(step)?, &mut self.answers),
            "isr_shrink" => self.partition.shrink_isr(replica(step)?, &mut self.answers),
            other => return Err(Stop::NotCovered(format!("op `{other}`"))),
        }
        for answer in self.answers.drain(..) {
            let told = match answer.result {
                Ok(_) => "OK",
                Err(ProduceError::NotLeader) => LEADER_DIED,
                Err(error) => refusal(error),
            };
            self.told.insert(self.messages[answer.ticket as usize], told);
        }
        Ok(())
    }

    fn produce(&mut self, step: &'a Value) -> Result<(), Stop> {
        let message = text(step, "msg")?;
        let acks = match step["acks"].as_i64() {
            Some(0) => Acks::None,
            Some(1) => Acks::Leader,
            Some(-1) => Acks::All,
            _ => return Err(Stop::NotCovered(format!("acks {}", step["acks"]))),
        };
        let number = self.messages.len();
        self.messages.push(message);
        let request = Produce::plain(acks, number as u64);
        let record = NewRecord::value(SimTime::ZERO, 100, number);
        let told = match (self.partition.produce(SimTime::ZERO, &request, &[record]), acks) {
            (Ok(_), Acks::None) => "no response expected",
            (Err(_), Acks::None) => "sent, lost silently",
            (Ok(Produced::Waiting(_)), _) => "waiting",
            (Ok(_), _) => "OK",
            (Err(error), _) => refusal(error),
        };
        self.told.insert(message, told);
        Ok(())
    }

    /// Compares the partition's state after a step.
    fn compare(&self, step: &Value) -> Result<(), String> {
        let number = |replica: ReplicaNo| u32::from(replica.0) + 1;
        same("leader", &step["leader"], &json!(self.partition.leader().map(number)))?;
        let isr: Vec<u32> = self.partition.isr().iter().map(number).collect();
        same("isr", &step["isr"], &json!(isr))?;
        let mark = self.partition.leading().map(|leader| leader.high_watermark);
        same("high_watermark", &step["high_watermark"], &json!(mark))?;
        let mut ends = Map::new();
        for (replica, state) in self.partition.replicas() {
            ends.insert(number(replica).to_string(), json!(state.log.end()));
        }
        same("log_end", &step["log_end"], &Value::Object(ends))
    }

    /// Compares what became of the messages.
    fn compare_end(&self, case: &Value) -> Result<(), String> {
        let leader = self.partition.leader().or(self.partition.isr().iter().next());
        let log = leader.and_then(|leader| self.partition.replica(leader)).map(|r| &r.log);
        let name = |number: usize| self.messages[number];
        let kept: Vec<&str> = log.map_or_else(Vec::new, |log| {
            log.read(0, log.end()).map(|record| name(record.message)).collect()
        });
        let consumed: Vec<&str> = self.consumed.iter().map(|number| name(*number)).collect();
        let is_acknowledged = |message: &&&str| ACKNOWLEDGED.contains(&self.told[**message]);
        let (acknowledged, other): (Vec<&str>, Vec<&str>) =
            self.messages.iter().partition(|message| is_acknowledged(message));
        let lost = |messages: &[&str]| {
            let lost = messages.iter().filter(|message| !kept.contains(message));
            json!(lost.collect::<Vec<_>>())
        };
        let kept_anyway: Vec<&&str> = other.iter().filter(|m| kept.contains(m)).collect();
        same("producer_told", &case["producer_told"], &json!(self.told))?;
        same("final_log", &case["final_log"], &json!(kept))?;
        same("consumed", &case["consumed"], &json!(consumed))?;
        same("acknowledged_but_lost", &case["acknowledged_but_lost"], &lost(&acknowledged))?;
        same("consumed_but_lost", &case["consumed_but_lost"], &lost(&consumed))?;
        let key = "not_acknowledged_but_kept";
        same(key, &case[key], &json!(kept_anyway))
    }
}

fn replica(step: &Value) -> Result<ReplicaNo, String> {
    let number = count_to(step, "replica", u64::from(REPLICAS_LIMIT))?;
    let index = number.checked_sub(1).ok_or("replicas are counted from 1")?;
    Ok(ReplicaNo(index as u8))
}

fn refusal(error: ProduceError) -> &'static str {
    match error {
        ProduceError::NotLeader => "NOT_LEADER_OR_FOLLOWER (retries)",
        ProduceError::NotEnoughReplicas => "NOT_ENOUGH_REPLICAS",
        ProduceError::NotEnoughReplicasAfterAppend => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        ProduceError::Overloaded | ProduceError::Producer(_) => "refused",
    }
}
