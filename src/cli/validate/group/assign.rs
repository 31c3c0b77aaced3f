//! Assignors: a history of members, topics and subscriptions, divided anew after each change.

use serde_json::{Map, Value, json};

use super::super::Case;
use super::super::read::{Stop, count_to, each, list, same, text, whole};
use super::Names;
use crate::model::group::{
    Assignor, InstanceId, MemberId, PARTITIONS_LIMIT, Subscriber, Subscription, TopicNo,
    TopicPartition,
};

/// Most rounds until nothing is revoked any more.
const MOST_ROUNDS: usize = 100;
/// Most topics.
const MOST_TOPICS: usize = 10_000;

/// Replays all cases.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in record["cases"].as_array().into_iter().flatten() {
        let kind = case["assignor"].as_str().unwrap_or("?");
        let one = json!([case]);
        cases.extend(each(&format!("kafka assign {kind}"), "cases", &one, replay_case));
    }
    if cases.is_empty() {
        return each("kafka assign", "cases", &record["cases"], replay_case);
    }
    cases
}

/// A group that is divided anew after every step.
struct Replay<'a> {
    assignor: Assignor,
    topics: Names<'a>,
    clients: Names<'a>,
    instances: Names<'a>,
    n_partitions: Vec<u32>,
    members: Vec<Subscriber>,
    generation: u32,
}

fn replay_case(case: &Value) -> Result<(), Stop> {
    let mut replay = Replay::new(case)?;
    let results = list(case, "results")?;
    // Where the original follows the order of a hash map, only sizes can be compared.
    let by_size = case["order_independent"].as_bool() == Some(false);
    let steps = list(case, "steps")?;
    if steps.len() != results.len() {
        return Err(Stop::Differs("`steps` and `results` differ in length".into()));
    }
    for (index, (step, result)) in steps.iter().zip(results).enumerate() {
        let place = |why: String| format!("step {}: {why}", index + 1);
        replay.change(step).map_err(place)?;
        let rounds = replay.settle().map_err(place)?;
        let [mut recorded, mut model] = [result["rounds"].clone(), json!(rounds)];
        if by_size {
            [&mut recorded, &mut model].into_iter().for_each(lists_to_sizes);
        }
        same("rounds", &recorded, &model).map_err(place)?;
    }
    Ok(())
}

impl<'a> Replay<'a> {
    fn new(case: &'a Value) -> Result<Replay<'a>, Stop> {
        let assignor = match text(case, "assignor")? {
            "range" => Assignor::Range,
            "roundrobin" => Assignor::RoundRobin,
            "sticky" => Assignor::Sticky,
            "cooperative-sticky" => Assignor::CooperativeSticky,
            other => return Err(Stop::NotCovered(format!("assignor `{other}`"))),
        };
        let steps = list(case, "steps")?;
        let joins = || steps.iter().flat_map(|s| s["join"].as_array()).flatten();
        let objects = |key: &'static str| steps.iter().flat_map(move |s| s[key].as_object());
        let known = objects("topics").flat_map(Map::keys).map(String::as_str);
        let subscribed =
            objects("subscribe").flat_map(Map::values).chain(joins().map(|j| &j["topics"]));
        let subscribed = subscribed.flat_map(Value::as_array).flatten().flat_map(Value::as_str);
        let topics = Names::new(known.chain(subscribed));
        if MOST_TOPICS < topics.0.len() {
            return Err(Stop::Differs(format!("{} topics", topics.0.len())));
        }
        Ok(Replay {
            assignor,
            clients: Names::new(joins().flat_map(|join| join["id"].as_str())),
            instances: Names::new(joins().flat_map(|join| join["instance"].as_str())),
            n_partitions: vec![0; topics.0.len()],
            topics,
            members: Vec::new(),
            generation: 0,
        })
    }

    /// Applies a step's changes.
    fn change(&mut self, step: &Value) -> Result<(), String> {
        for (topic, n) in step["topics"].as_object().into_iter().flatten() {
            let n =
                if n.is_null() { 0 } else { whole(n).map_err(|why| format!("`{topic}` {why}"))? };
            self.n_partitions[self.topics.number(topic)? as usize] = n as u32;
        }
        let total: u64 = self.n_partitions.iter().map(|n| u64::from(*n)).sum();
        if u64::from(PARTITIONS_LIMIT) < total {
            return Err(format!("{total} partitions, allowed: {PARTITIONS_LIMIT}"));
        }
        for id in list(step, "leave")? {
            let id = self.member_id(id.as_str().unwrap_or("?"))?;
            self.members.retain(|member| member.id != id);
        }
        for join in list(step, "join")? {
            self.join(join)?;
        }
        for (id, topics) in step["subscribe"].as_object().into_iter().flatten() {
            let id = self.member_id(id)?;
            let topics = self.topic_numbers(topics)?;
            let member = self.members.iter_mut().find(|member| member.id == id);
            let member = member.ok_or_else(|| "who subscribes is not a member".to_owned())?;
            member.subscription.topics = topics;
        }
        Ok(())
    }

    fn join(&mut self, join: &Value) -> Result<(), String> {
        let owned = list(join, "owned")?.iter().map(|name| self.partition(name));
        let owned = owned.collect::<Result<Vec<_>, String>>()?;
        let generation = match join["generation"].is_null() {
            true => None,
            false => Some(count_to(join, "generation", 1 << 30)? as u32),
        };
        self.generation = self.generation.max(generation.unwrap_or(0));
        let instance = match join["instance"].as_str() {
            Some(instance) => Some(InstanceId(self.instances.number(instance)?)),
            None => None,
        };
        let subscription =
            Subscription { topics: self.topic_numbers(&join["topics"])?, owned, generation };
        let id = self.member_id(text(join, "id")?)?;
        self.members.retain(|member| member.id != id);
        self.members.push(Subscriber { id, instance, subscription });
        Ok(())
    }

    /// Divides until nothing is revoked any more; answers the rounds.
    fn settle(&mut self) -> Result<Vec<Value>, String> {
        let mut rounds = Vec::new();
        loop {
            let (round, is_settled) = self.divide();
            rounds.push(round);
            if is_settled {
                return Ok(rounds);
            }
            if MOST_ROUNDS < rounds.len() {
                return Err(format!("not settled after {MOST_ROUNDS} rounds"));
            }
        }
    }

    fn divide(&mut self) -> (Value, bool) {
        let n_members = self.members.len();
        self.members
            .sort_by_key(|member| hash_bucket(self.clients.name(member.id.client), n_members));
        let assigned = self.assignor.assign(&self.n_partitions, &self.members);
        self.generation += 1;
        self.members.sort_by_key(|member| member.id);
        let (mut rows, mut revoked) = (Map::new(), Map::new());
        for (index, assigned) in assigned.into_iter().enumerate() {
            let name = self.clients.name(assigned.member.client).to_owned();
            rows.insert(name.clone(), self.names(&assigned.partitions));
            let subscription = &mut self.members[index].subscription;
            let mut given_up = std::mem::replace(&mut subscription.owned, assigned.partitions);
            subscription.generation = Some(self.generation);
            match self.assignor {
                Assignor::Sticky => subscription.owned.sort_by_key(|partition| partition.topic),
                Assignor::Range | Assignor::RoundRobin => subscription.owned.clear(),
                Assignor::CooperativeSticky => {
                    given_up.retain(|partition| !subscription.owned.contains(partition));
                    if !given_up.is_empty() {
                        revoked.insert(name, self.names(&given_up));
                    }
                }
            }
        }
        let is_settled = revoked.is_empty();
        let round = match self.assignor.is_cooperative() {
            true => json!({ "assigned": rows, "revoked": revoked }),
            false => json!({ "assigned": rows }),
        };
        (round, is_settled)
    }

    fn member_id(&self, name: &str) -> Result<MemberId, String> {
        Ok(MemberId { client: self.clients.number(name)?, serial: 0 })
    }

    fn topic_numbers(&self, topics: &Value) -> Result<Vec<TopicNo>, String> {
        let topics = topics.as_array().ok_or_else(|| format!("`topics` is {topics}"))?;
        let number = |topic: &Value| {
            let name = topic.as_str().unwrap_or("?");
            Ok(TopicNo(self.topics.number(name)? as u16))
        };
        let mut numbers: Vec<TopicNo> = topics.iter().map(number).collect::<Result<_, String>>()?;
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn partition(&self, name: &Value) -> Result<TopicPartition, String> {
        let parts = name.as_str().and_then(|name| name.rsplit_once('-'));
        let (topic, partition) = parts.ok_or_else(|| format!("a partition is {name}"))?;
        let partition = partition.parse().map_err(|_| format!("a partition is {name}"))?;
        // A topic that no step names does not exist, and never did here.
        let topic = self.topics.number(topic).unwrap_or(u32::from(u16::MAX));
        Ok(TopicPartition { topic: TopicNo(topic as u16), partition })
    }

    fn names(&self, partitions: &[TopicPartition]) -> Value {
        let name = |p: &TopicPartition| {
            let topic = self.topics.0.get(usize::from(p.topic.0)).unwrap_or(&"?");
            format!("{topic}-{}", p.partition)
        };
        json!(partitions.iter().map(name).collect::<Vec<_>>())
    }
}

/// Where Java keeps a text in a hash map of `n` texts: maps are walked in the order of buckets.
///
/// Source: `String.hashCode`, `HashMap.hash`, its table sizes. Within a bucket it is the order of
/// insertion; a record whose result depends on it says so.
fn hash_bucket(text: &str, n: usize) -> u32 {
    let add = |hash: u32, unit: u16| hash.wrapping_mul(31).wrapping_add(u32::from(unit));
    let hash = text.encode_utf16().fold(0, add);
    let mut n_buckets = 16;
    while n_buckets / 4 * 3 < n as u32 {
        n_buckets *= 2;
    }
    (hash ^ (hash >> 16)) & (n_buckets - 1)
}

/// Replaces the innermost lists by their lengths.
fn lists_to_sizes(value: &mut Value) {
    match value {
        Value::Array(list) if list.iter().all(Value::is_string) => *value = json!(list.len()),
        Value::Array(list) => list.iter_mut().for_each(lists_to_sizes),
        Value::Object(fields) => fields.values_mut().for_each(lists_to_sizes),
        _ => {}
    }
}
