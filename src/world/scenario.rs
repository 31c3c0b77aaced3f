//! A scenario: everything a run starts from, checked as a whole.
//!
//! Plain data, expanded from a [`Draft`]: groups have become single actors, names have become
//! places in the arenas. The draft stays with it, so that another `consumer.count` expands anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::random::path_hash;
use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::ActorParams;
use crate::model::channel::ChannelParams;
use crate::model::channel::tcp::WireParams;
use crate::model::command::{Command, Node};
use crate::model::host::HostParams;
use crate::model::message::{ActorId, ChannelId, HostId, WireId};
use crate::observe::Guarantee;
use crate::param::{Said, Text};
use crate::world::arena::Plan;
use crate::world::document;
use crate::world::draft::{Draft, Speed};
use crate::world::expand::expand;
use crate::world::problem::Problem;
use crate::world::write::write;

/// A machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostDecl {
    /// Its id.
    pub id: String,
    /// What the page calls it: as the actor of the same name, or its id.
    pub name: Said,
    /// The profile of its network stack, and its parameters.
    pub params: HostParams,
    /// Whether the document declares it, or a tcp channel ends there.
    pub is_used: bool,
}

/// A network link between two machines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WireDecl {
    /// Its id.
    pub id: String,
    /// What the page calls it.
    pub name: Said,
    /// Place of one host.
    pub from: u16,
    /// Place of the other.
    pub to: u16,
    /// What it is like.
    pub params: WireParams,
}

/// One actor.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorDecl {
    /// Its id: `consumer-2` for the second of a group.
    pub id: String,
    /// Place of its `[[actor]]` table among these.
    pub table: u16,
    /// The same place, if it belongs to a group (its table has `count`).
    pub group: Option<u16>,
    /// What the page calls it.
    pub name: Said,
    /// Place of its machine.
    pub host: u16,
    /// Its kind and parameters.
    pub params: ActorParams,
}

/// One channel.
#[derive(Clone, PartialEq, Debug)]
pub struct ChannelDecl {
    /// Its id: `path-2` when it goes to the second of a group.
    pub id: String,
    /// Place of its `[[channel]]` table among these.
    pub table: u16,
    /// What the page calls it.
    pub name: Said,
    /// Place of the actor that speaks first.
    pub from: u16,
    /// Place of the actor spoken to.
    pub to: u16,
    /// Its kind and parameters.
    pub params: ChannelParams,
}

/// Something that happens at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultDecl {
    /// When.
    pub at: SimTime,
    /// What.
    pub what: Command,
    /// Whether it is the end of an earlier one: the restart after a crash `for = "3s"`.
    pub undoes: bool,
}

/// A parameter that the author puts in front of the reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Knob {
    /// Its path: `producer.rate`.
    pub path: String,
    /// Whose it is: the first of a group; `None` for the size of a group.
    pub node: Option<Node>,
    /// Its place among the parameters of the node.
    pub param: u8,
}

/// What a name of the document stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// One machine.
    Host(u16),
    /// The machines of a group's members, made after one pattern.
    Hosts(u16),
    /// One network link.
    Wire(u16),
    /// One actor.
    Actor(u16),
    /// All actors of an `[[actor]]` table.
    Group(u16),
    /// One channel.
    Channel(u16),
    /// All channels of a `[[channel]]` table.
    Bundle(u16),
}

/// A scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// A short word.
    pub id: String,
    /// What it is about: `queues`, `guarantees`, ...
    pub topic: String,
    /// A few words.
    pub title: Said,
    /// Two sentences.
    pub story: Said,
    /// One question.
    pub question: Said,
    /// What the random streams start from.
    pub seed: u64,
    /// When the run ends.
    pub until: SimTime,
    /// The page's speed at first.
    pub speed: Option<Speed>,
    /// What it promises about its messages.
    pub promises: Vec<Guarantee>,
    /// Machines.
    pub hosts: Vec<HostDecl>,
    /// Network links.
    pub wires: Vec<WireDecl>,
    /// Actors; an [`ActorId`] is a place in this list.
    pub actors: Vec<ActorDecl>,
    /// Channels; a [`ChannelId`] is a place in this list.
    pub channels: Vec<ChannelDecl>,
    /// What happens at a time, in order of time.
    pub faults: Vec<FaultDecl>,
    /// What the author puts in front of the reader.
    pub knobs: Vec<Knob>,
    pub(super) names: BTreeMap<String, Target>,
    pub(super) draft: Draft,
    pub(super) original: Arc<Draft>,
}

/// The name of a kind on the page, when the document gives none.
pub fn kind_name(kind: &str) -> Text {
    match kind {
        "producer" => Text::new("Producer", "生产者"),
        "broker" => Text::new("Queue broker", "队列代理"),
        "consumer" => Text::new("Consumer", "消费者"),
        "log-producer" => Text::new("Producer", "生产者"),
        "log-broker" => Text::new("Log broker", "日志代理"),
        "log-consumer" => Text::new("Consumer", "消费者"),
        "mqtt-publisher" => Text::new("Publisher", "发布者"),
        "mqtt-broker" => Text::new("MQTT broker", "MQTT 代理"),
        "mqtt-subscriber" => Text::new("Subscriber", "订阅者"),
        "work-queue" => Text::new("Work queue", "工作队列"),
        "requester" => Text::new("Requester", "请求方"),
        "responder" => Text::new("Responder", "响应方"),
        "script" => Text::new("Script", "脚本"),
        "linux" => Text::new("Linux host", "Linux 主机"),
        "rfc" => Text::new("RFC host", "RFC 主机"),
        "lwip" => Text::new("lwIP host", "lwIP 主机"),
        "stm32" => Text::new("STM32 board", "STM32 板"),
        "wire" => Text::new("Wire", "链路"),
        "tcp" => Text::new("TCP connection", "TCP 连接"),
        _ => Text::new("Path", "通路"),
    }
}

impl Scenario {
    /// A scenario from a document; all problems at once.
    pub fn parse(text: &str) -> Result<Scenario, Vec<Problem>> {
        Scenario::of_tree(&document::read(text)?)
    }

    /// A scenario from the bytes of a file.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Scenario, Vec<Problem>> {
        Scenario::of_tree(&document::read_bytes(bytes)?)
    }

    fn of_tree(tree: &document::Table) -> Result<Scenario, Vec<Problem>> {
        let (draft, mut problems) = Draft::read(tree);
        let original = Arc::new(draft.clone());
        let mut scenario = Scenario::empty(draft, original);
        expand(&mut scenario, true, &mut problems);
        if problems.is_empty() {
            return Ok(scenario);
        }
        problems.iter_mut().for_each(|problem| at_its_value(problem, tree));
        problems.sort_by_key(|problem| problem.line.unwrap_or(0));
        problems.truncate(Problem::LIMIT);
        Err(problems)
    }

    /// The scenario as the document has it, without any change.
    pub fn original(&self) -> Scenario {
        let mut original = self.clone();
        original.expand_anew(self.original.as_ref().clone()).expect("the document was valid");
        original
    }

    /// The id of a node.
    pub fn id_of(&self, node: Node) -> &str {
        match node {
            Node::Actor(id) => &self.actors[id.index()].id,
            Node::Channel(id) => &self.channels[id.index()].id,
            Node::Host(id) => &self.hosts[id.index()].id,
            Node::Wire(id) => &self.wires[id.index()].id,
        }
    }

    /// The id of the group that an id or a path belongs to, if it is a member's.
    pub fn group_of(&self, path: &str) -> Option<String> {
        let id = path.split('.').next().unwrap_or(path);
        match *self.names.get(id)? {
            Target::Actor(place) => {
                let table = self.actors[usize::from(place)].group?;
                Some(self.draft.actors[usize::from(table)].id.clone())
            }
            Target::Channel(place) => {
                let channel = &self.channels[usize::from(place)];
                let group = &self.draft.channels[usize::from(channel.table)].id;
                (*group != channel.id).then(|| group.clone())
            }
            _ => None,
        }
    }

    /// The name of a node on the page.
    pub fn name_of(&self, node: Node) -> &Said {
        match node {
            Node::Actor(id) => &self.actors[id.index()].name,
            Node::Channel(id) => &self.channels[id.index()].name,
            Node::Host(id) => &self.hosts[id.index()].name,
            Node::Wire(id) => &self.wires[id.index()].name,
        }
    }

    /// The document, without its comments; parses to the same scenario.
    pub fn to_toml(&self) -> String {
        write(&self.draft)
    }

    /// What a world is made of.
    pub fn plan(&self) -> Plan {
        let actor = |actor: &ActorDecl| {
            let group = &self.draft.actors[usize::from(actor.table)].id;
            (path_hash(&actor.id), path_hash(group), actor.params.clone())
        };
        let channel = |channel: &ChannelDecl| {
            let (from, to) = (ActorId(channel.from), ActorId(channel.to));
            (path_hash(&channel.id), from, to, channel.params.clone())
        };
        let host = |host: &HostDecl| (path_hash(&host.id), host.params.clone());
        let wire = |wire: &WireDecl| {
            let (from, to) = (HostId(wire.from), HostId(wire.to));
            (path_hash(&wire.id), from, to, wire.params.clone())
        };
        Plan {
            hosts: self.hosts.iter().map(host).collect(),
            wires: self.wires.iter().map(wire).collect(),
            homes: self.actors.iter().map(|actor| HostId(actor.host)).collect(),
            seed: self.seed,
            actors: self.actors.iter().map(actor).collect(),
            channels: self.channels.iter().map(channel).collect(),
            faults: self.faults.iter().map(|f| (f.at, f.what.clone())).collect(),
        }
    }

    /// The nodes that a name stands for.
    pub(super) fn nodes(&self, target: Target) -> Vec<Node> {
        let actor = |i: usize| Node::Actor(ActorId(i as u16));
        let channel = |i: usize| Node::Channel(ChannelId(i as u16));
        match target {
            Target::Host(i) => vec![Node::Host(HostId(i))],
            Target::Wire(i) => vec![Node::Wire(WireId(i))],
            Target::Hosts(table) => {
                let members = self.actors.iter().filter(|a| a.table == table);
                members.map(|a| Node::Host(HostId(a.host))).collect()
            }
            Target::Actor(i) => vec![Node::Actor(ActorId(i))],
            Target::Channel(i) => vec![Node::Channel(ChannelId(i))],
            Target::Group(table) => {
                let all = self.actors.iter().enumerate();
                all.filter(|(_, a)| a.table == table).map(|(i, _)| actor(i)).collect()
            }
            Target::Bundle(table) => {
                let all = self.channels.iter().enumerate();
                all.filter(|(_, c)| c.table == table).map(|(i, _)| channel(i)).collect()
            }
        }
    }

    /// What the groups of its log broker are called, in the broker's order; a consumer without a
    /// group goes by its own id.
    pub fn group_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for channel in &self.channels {
            let consumer = &self.actors[usize::from(channel.to)];
            let ActorParams::LogConsumer(params) = &consumer.params else { continue };
            let name = params.group.0.first().unwrap_or(&consumer.id);
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// A scenario whose arenas are still to be filled.
    fn empty(draft: Draft, original: Arc<Draft>) -> Scenario {
        Scenario {
            id: draft.id.clone(),
            topic: draft.topic.clone(),
            title: draft.title.clone(),
            story: draft.story.clone(),
            question: draft.question.clone(),
            seed: draft.seed,
            until: SimTime::ZERO.saturating_add(draft.until),
            speed: draft.speed,
            promises: draft.promises.clone(),
            hosts: Vec::new(),
            wires: Vec::new(),
            actors: Vec::new(),
            channels: Vec::new(),
            faults: Vec::new(),
            knobs: Vec::new(),
            names: BTreeMap::new(),
            draft,
            original,
        }
    }

    /// Takes a changed draft, unless it no longer fits together.
    pub(super) fn expand_anew(&mut self, draft: Draft) -> Result<(), Problem> {
        let mut changed = Scenario::empty(draft, Arc::clone(&self.original));
        let mut problems = Vec::new();
        expand(&mut changed, false, &mut problems);
        match problems.into_iter().next() {
            Some(problem) => Err(Problem { line: None, ..problem }),
            None => {
                *self = changed;
                Ok(())
            }
        }
    }
}

/// Moves a problem from the first line of its table to the line of the value it speaks of.
fn at_its_value(problem: &mut Problem, tree: &document::Table) {
    let lists = tree.entries.iter().filter_map(|entry| match &entry.item.node {
        document::Node::List(items) => Some(items),
        _ => None,
    });
    let key = problem.key.rsplit('.').next().unwrap_or("");
    for item in lists.flatten() {
        let document::Node::Table(table) = &item.node else { continue };
        if Some(table.line) == problem.line
            && let Some(entry) = table.entries.iter().find(|entry| entry.key == key)
        {
            problem.line = Some(entry.item.line);
            return;
        }
    }
}

/// A span as an instant of the run.
pub(super) fn instant(span: SimSpan) -> SimTime {
    SimTime::ZERO.saturating_add(span)
}
