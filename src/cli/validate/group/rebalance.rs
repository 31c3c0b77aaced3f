//! Rebalances: members that poll and beat by a script, and the real coordinator's timeline.
//!
//! There is no latency. Each millisecond has this order: the group's timers, the script, answers,
//! then each member by name with its heartbeat and its poll, then answers again.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::super::Case;
use super::super::read::{Stop, count, count_or, count_to, each, list, same, text};
use super::Names;
use super::timeline::Ownership;
use crate::kernel::{SimSpan, SimTime};
use crate::model::group::{
    Answer, Assignor, ClientNo, Coordinator, GroupError, GroupGauges, GroupMember, InstanceId,
    MemberConfig, MemberId, Output, Reply, Request, TopicPartition,
};

/// Longest replay, in ms.
const LONGEST_MS: u64 = 100_000_000;
/// Most things a member does in one millisecond.
const MOST_ACTIONS: u32 = 1000;
const NS_PER_MS: u64 = 1_000_000;

/// Replays all cases.
pub fn replay(record: &Value) -> Vec<Case> {
    each("kafka rebalance", "cases", &record["cases"], replay_case)
}

/// A running client.
struct Client<'a> {
    name: &'a str,
    member: GroupMember,
    /// Answers on their way to it.
    inbox: VecDeque<Answer>,
}

/// The group, its members and what was seen.
struct Replay<'a> {
    case: &'a Value,
    names: Names<'a>,
    instances: Names<'a>,
    config: MemberConfig,
    coordinator: Coordinator,
    seen: GroupGauges,
    /// Every client that was ever started, by its number; one that crashed or left is gone.
    clients: Vec<Option<Client<'a>>>,
    timeline: Vec<Value>,
    ownership: Ownership,
    ms: u64,
}

fn replay_case(case: &Value) -> Result<(), Stop> {
    let mut replay = Replay::new(case)?;
    let end_ms = count_to(case, "end_ms", LONGEST_MS)?;
    let script = list(case, "script")?;
    let mut next = 0;
    let mut first = true;
    while first || replay.advance(script.get(next), end_ms)? {
        first = false;
        let now = replay.now();
        let mut replies = Vec::new();
        replay.coordinator.on_wake(now, &mut replies);
        replay.note_group();
        replay.post(replies)?;
        while let Some(op) = script.get(next).filter(|op| op["t"].as_u64() <= Some(replay.ms)) {
            replay.apply(op)?;
            next += 1;
        }
        replay.deliver()?;
        replay.wake_members()?;
        replay.deliver()?;
    }
    replay.compare()
}

impl<'a> Replay<'a> {
    fn new(case: &'a Value) -> Result<Replay<'a>, Stop> {
        let assignor = match text(case, "protocol")? {
            "eager" => Assignor::Range,
            "cooperative" => Assignor::CooperativeSticky,
            other => return Err(Stop::NotCovered(format!("protocol `{other}`"))),
        };
        let span = |key| count(case, key).map(SimSpan::ms);
        let n_partitions = count_to(case, "partitions", 10_000)? as u32;
        let script = list(case, "script")?;
        let texts = |key: &'static str| script.iter().flat_map(move |op| op[key].as_str());
        let coordinator = Coordinator::new(span("initial_delay_ms")?);
        Ok(Replay {
            case,
            names: Names::new(texts("member").chain(texts("instance"))),
            instances: Names::new(texts("instance")),
            config: MemberConfig {
                assignor,
                n_partitions: vec![n_partitions],
                session: span("session_ms")?,
                heartbeat: span("heartbeat_ms")?,
                max_poll: span("max_poll_ms")?,
                poll: span("poll_ms")?,
                ..MemberConfig::default()
            },
            seen: coordinator.gauges(),
            coordinator,
            clients: Vec::new(),
            timeline: Vec::new(),
            ownership: Ownership::new(n_partitions),
            ms: 0,
        })
    }

    fn now(&self) -> SimTime {
        SimTime::from_ns(self.ms * NS_PER_MS)
    }

    /// Goes to the next millisecond in which something happens; `false` at the end.
    fn advance(&mut self, op: Option<&Value>, end_ms: u64) -> Result<bool, String> {
        let members = self.clients.iter().flatten().map(|client| client.member.next_wake());
        let wakes = members.chain([self.coordinator.next_wake()]).flatten();
        let wakes = wakes.map(|at| at.ns().div_ceil(NS_PER_MS));
        let op_ms = match op {
            Some(op) => Some(count(op, "t")?),
            None => None,
        };
        let Some(next) = wakes.chain(op_ms).min() else { return Ok(false) };
        self.ms = next.max(self.ms + 1);
        Ok(self.ms <= end_ms)
    }

    fn apply(&mut self, op: &'a Value) -> Result<(), Stop> {
        let name = text(op, "member")?;
        match text(op, "op")? {
            "start" => self.start(op, name)?,
            "crash" => {
                self.client(name)?;
                self.note(json!({ "event": "crash", "member": name }));
                self.end(name);
            }
            "close" => {
                let number = self.client(name)?;
                let mut out = Vec::new();
                if let Some(client) = &mut self.clients[number] {
                    client.member.close(&mut out);
                }
                self.process(number, out)?;
                self.end(name);
            }
            "stall" => {
                let ms = count(op, "ms")?;
                let number = self.client(name)?;
                self.note(json!({ "event": "stall", "member": name, "ms": ms }));
                let until = self.now().saturating_add(SimSpan::ms(ms));
                if let Some(client) = &mut self.clients[number] {
                    client.member.stall(until);
                }
            }
            other => return Err(Stop::NotCovered(format!("op `{other}`"))),
        }
        Ok(())
    }

    fn start(&mut self, op: &'a Value, name: &'a str) -> Result<(), String> {
        self.note(json!({ "event": "start", "member": name }));
        let mut config = self.config.clone();
        config.poll = SimSpan::ms(count_or(op, "poll_ms", config.poll.as_ns() / NS_PER_MS)?);
        config.client = self.names.number(name)?;
        if !op["instance"].is_null() {
            let instance = text(op, "instance")?;
            config.instance = Some(InstanceId(self.instances.number(instance)?));
            // The id of a static member begins with the name of its instance.
            config.client = self.names.number(instance)?;
        }
        let member = GroupMember::new(config, self.now());
        self.clients.push(Some(Client { name, member, inbox: VecDeque::new() }));
        Ok(())
    }

    /// A client is gone, with what it had.
    fn end(&mut self, name: &str) {
        for client in &mut self.clients {
            if client.as_ref().is_some_and(|client| client.name == name) {
                *client = None;
            }
        }
        self.ownership.lost(self.ms, name, |_| true);
    }

    /// Every member does what is due, by name: heartbeat, then poll.
    fn wake_members(&mut self) -> Result<(), Stop> {
        let now = self.now();
        for number in self.by_name() {
            for n_actions in 0.. {
                let Some(client) = &mut self.clients[number] else { break };
                if client.member.next_wake().is_none_or(|at| now < at) {
                    break;
                }
                if MOST_ACTIONS < n_actions {
                    return Err(Stop::Differs(format!("{} is never done", client.name)));
                }
                let mut out = Vec::new();
                client.member.on_wake(now, &mut out);
                self.process(number, out)?;
            }
        }
        Ok(())
    }

    /// All join answers by member, then all sync answers, until nothing moves.
    fn deliver(&mut self) -> Result<(), Stop> {
        let is_join = |answer: &Answer| matches!(answer, Answer::Join(_));
        loop {
            let mut has_moved = false;
            for joins in [true, false] {
                for number in self.by_name() {
                    let Some(client) = &mut self.clients[number] else { continue };
                    let is_next = |answer: &&Answer| is_join(answer) == joins;
                    if client.inbox.front().filter(is_next).is_none() {
                        continue;
                    }
                    let Some(answer) = client.inbox.pop_front() else { continue };
                    has_moved = true;
                    self.answer(number, answer)?;
                }
            }
            if !has_moved {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, number: usize, answer: Answer) -> Result<(), Stop> {
        let now = self.now();
        let mut out = Vec::new();
        if let Some(client) = &mut self.clients[number] {
            client.member.on_message(now, answer, &mut out);
        }
        self.process(number, out)
    }

    /// Answers to joins and syncs wait for their turn; all others come at once.
    fn post(&mut self, replies: Vec<Reply>) -> Result<(), Stop> {
        for Reply { to, answer } in replies {
            let number = to.0 as usize;
            let is_late = match &answer {
                Answer::Join(Err(GroupError::MemberIdRequired(_))) => false,
                Answer::Join(_) | Answer::Sync(_) => true,
                Answer::Heartbeat(_) | Answer::Leave(_) | Answer::Commit(_) => false,
            };
            match &mut self.clients[number] {
                Some(client) if is_late => client.inbox.push_back(answer),
                Some(_) => self.answer(number, answer)?,
                None => {}
            }
        }
        Ok(())
    }

    /// What a member said and what happened to it, in order.
    fn process(&mut self, number: usize, out: Vec<Output>) -> Result<(), Stop> {
        let Some(name) = self.clients[number].as_ref().map(|client| client.name) else {
            return Ok(());
        };
        for output in out {
            match output {
                Output::Send(request) => self.send(number, name, request)?,
                other => self.note_output(name, other),
            }
        }
        Ok(())
    }

    fn send(&mut self, number: usize, name: &str, request: Request) -> Result<(), Stop> {
        // The first join of a dynamic member only asks for an id; it counts when it has one.
        if let Request::Join(join) = &request
            && (join.member.is_some() || join.instance.is_some())
        {
            self.note(json!({ "event": "join", "member": name }));
        }
        self.wish_leader();
        let mut replies = Vec::new();
        let client = ClientNo(number as u32);
        self.coordinator.on_message(self.now(), client, request, &mut replies);
        self.note_group();
        self.post(replies)
    }

    /// Which member takes over from a lost leader is arbitrary: the one in the record does.
    fn wish_leader(&mut self) {
        let generation = self.coordinator.gauges().generation + 1;
        let leads = |event: &&Value| {
            event["event"] == "joined"
                && event["generation"] == generation
                && event["leader"] == true
        };
        let timeline = self.case["timeline"].as_array().into_iter().flatten();
        let name = timeline.rev().find(leads).and_then(|event| event["member"].as_str());
        let id = name.and_then(|name| self.member_id(name));
        self.coordinator.successor = id;
    }

    fn member_id(&self, name: &str) -> Option<MemberId> {
        let mut clients = self.clients.iter().flatten();
        clients.find(|client| client.name == name).and_then(|client| client.member.id())
    }

    fn note_output(&mut self, name: &str, output: Output) {
        let event = match output {
            Output::Joined { generation, n_members: None } => {
                json!({ "event": "joined", "member": name, "generation": generation })
            }
            Output::Joined { generation, n_members: Some(n) } => json!({
                "event": "joined", "member": name, "generation": generation,
                "leader": true, "members": n,
            }),
            Output::Assigned { generation, partitions } => {
                let partitions = numbers(&partitions);
                self.ownership.assigned(self.ms, name, &partitions);
                json!({
                    "event": "assigned", "member": name, "generation": generation,
                    "partitions": partitions,
                })
            }
            Output::Revoked(partitions) => {
                let partitions = numbers(&partitions);
                self.ownership.lost(self.ms, name, |p| partitions.contains(&p));
                json!({ "event": "revoke", "member": name, "partitions": partitions })
            }
            Output::Lost(partitions) => {
                self.ownership.lost(self.ms, name, |_| true);
                let partitions = numbers(&partitions);
                json!({ "event": "lost", "member": name, "partitions": partitions })
            }
            Output::HeartbeatFailed(error) => {
                json!({ "event": "heartbeat", "member": name, "error": error.name() })
            }
            Output::MaxPollExceeded => json!({ "event": "max_poll_exceeded", "member": name }),
            Output::Left => {
                self.ownership.lost(self.ms, name, |_| true);
                json!({ "event": "leave", "member": name })
            }
            Output::Send(_) | Output::Polled => return,
        };
        self.note(event);
    }

    fn note_group(&mut self) {
        let gauges = self.coordinator.gauges();
        let told = |gauges: GroupGauges| (gauges.state, gauges.generation, gauges.n_members);
        if told(gauges) != told(self.seen) {
            self.note(json!({
                "event": "group", "state": gauges.state.name(),
                "generation": gauges.generation, "members": gauges.n_members,
            }));
        }
        self.seen = gauges;
    }

    fn note(&mut self, mut event: Value) {
        event["t"] = json!(self.ms);
        self.timeline.push(event);
    }

    /// Clients in the order of their names.
    fn by_name(&self) -> Vec<usize> {
        let running = self.clients.iter().enumerate();
        let mut running: Vec<(&str, usize)> =
            running.filter_map(|(number, c)| c.as_ref().map(|c| (c.name, number))).collect();
        running.sort_unstable();
        running.into_iter().map(|(_, number)| number).collect()
    }

    fn client(&self, name: &str) -> Result<usize, String> {
        let is_it = |client: &Option<Client<'_>>| client.as_ref().is_some_and(|c| c.name == name);
        self.clients.iter().position(is_it).ok_or_else(|| format!("`{name}` does not run"))
    }

    fn compare(&self) -> Result<(), Stop> {
        let recorded = list(self.case, "timeline")?;
        for (index, event) in recorded.iter().enumerate() {
            let model = self.timeline.get(index).unwrap_or(&Value::Null);
            same(&format!("event {}", index + 1), event, model)?;
        }
        let more = self.timeline.get(recorded.len()).unwrap_or(&Value::Null);
        same("after the last event", &Value::Null, more)?;
        let intervals = self.ownership.intervals();
        same("unowned_intervals", &self.case["unowned_intervals"], &intervals)?;
        Ok(same("final_owner", &self.case["final_owner"], &self.ownership.final_owner())?)
    }
}

fn numbers(partitions: &[TopicPartition]) -> Vec<u32> {
    let mut numbers: Vec<u32> = partitions.iter().map(|p| p.partition).collect();
    numbers.sort_unstable();
    numbers
}
