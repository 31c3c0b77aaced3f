//! From a draft to a scenario: groups become single actors, names become places, and the parts are
//! checked against each other.

use std::collections::BTreeMap;

use crate::model::actor::ActorParams;
use crate::model::channel::ChannelParams;
use crate::model::channel::tcp::WireParams;
use crate::model::command::{Command, Node};
use crate::param::{Applies, Kind, Reason, Said, Value, Words, index_of, show_span};
use crate::world::deed::Deed;
use crate::world::draft::{Draft, Exceptions, FaultDraft, MAX_ACTORS, MAX_CHANNELS};
use crate::world::machines;
use crate::world::problem::Problem;
use crate::world::scenario::{
    ActorDecl, ChannelDecl, FaultDecl, Knob, Scenario, Target, instant, kind_name,
};
use crate::world::setting::Place;

/// Fills the arenas of a scenario from its draft.
///
/// `strict` is for documents: a fault on a member that does not exist is an error. When a reader
/// has made a group smaller, such faults are left out instead.
pub(super) fn expand(scenario: &mut Scenario, strict: bool, out: &mut Vec<Problem>) {
    let draft = scenario.draft.clone();
    let before = out.len();
    machines::declared(scenario, &draft, out);
    actors(scenario, &draft, out);
    channels(scenario, &draft, out);
    machines::wires_of_channels(scenario, &draft, out);
    exceptions(scenario, &draft, strict, out);
    // Who speaks to whom is settled; without it, what follows would only repeat the complaints.
    if before == out.len() {
        queues(scenario, &draft, out);
        super::topology::check(scenario, &draft, out);
        clients_of_logs(scenario, &draft, out);
    }
    faults(scenario, &draft, strict, out);
    knobs(scenario, &draft, out);
}

pub(super) fn name(
    names: &mut BTreeMap<String, Target>,
    line: u32,
    id: &str,
    target: Target,
    out: &mut Vec<Problem>,
) {
    let before = names.insert(id.to_owned(), target);
    // A machine and the actor that lives on it may have one name: the actor answers to it.
    let at_home = matches!(target, Target::Actor(_) | Target::Group(_));
    if before.is_some_and(|before| !(at_home && matches!(before, Target::Host(_)))) {
        let allowed = Said::new("an id that nothing else has", "与其他 id 不同的 id");
        out.push(Problem::refused(Some(line), "id", Reason::new(id, allowed)));
    }
}

fn actors(scenario: &mut Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    if draft.actors.is_empty() {
        out.push(Problem::missing(None, "actor", Said::new("[[actor]] tables", "[[actor]] 表")));
    }
    for (table, actor) in draft.actors.iter().enumerate() {
        let table = table as u16;
        let n = actor.count.unwrap_or(1);
        if MAX_ACTORS < scenario.actors.len() + n as usize {
            out.push(too_many(actor.line, &actor.id, "actors", "节点", MAX_ACTORS));
            return;
        }
        let single = Target::Actor(scenario.actors.len() as u16);
        let target = if actor.count.is_some() { Target::Group(table) } else { single };
        name(&mut scenario.names, actor.line, &actor.id, target, out);
        let base = actor.name.clone().unwrap_or_else(|| kind_name(actor.params.kind()).said());
        for member in 1..=n {
            let place = scenario.actors.len() as u16;
            let (id, name_here) = match actor.count {
                None => (actor.id.clone(), base.clone()),
                Some(_) => {
                    let id = format!("{}-{member}", actor.id);
                    name(&mut scenario.names, actor.line, &id, Target::Actor(place), out);
                    let Said { en, zh } = &base;
                    (id, Said::new(format!("{en} {member}"), format!("{zh} {member}")))
                }
            };
            let host = actor.host.as_ref().unwrap_or(&id);
            let host = machines::place_of_host(scenario, draft, host, false);
            if scenario.hosts[usize::from(host)].id == id {
                scenario.hosts[usize::from(host)].name = name_here.clone();
            }
            scenario.actors.push(ActorDecl {
                id,
                table,
                group: actor.count.is_some().then_some(table),
                name: name_here,
                host,
                params: actor.params.clone(),
            });
        }
    }
}

fn too_many(line: u32, id: &str, en: &str, zh: &str, limit: usize) -> Problem {
    let allowed =
        Said::new(format!("at most {limit} {en} in all"), format!("总共最多 {limit} 个{zh}"));
    Problem::refused(Some(line), id, Reason::new(id, allowed))
}

fn channels(scenario: &mut Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for (table, channel) in draft.channels.iter().enumerate() {
        let line = Some(channel.line);
        let ends = [("from", &channel.from), ("to", &channel.to)].map(|(key, id)| {
            let ends = actors_named(scenario, id);
            if ends.is_empty() {
                let ids = draft.actors.iter().map(|actor| actor.id.as_str());
                out.push(Problem::unknown(line, format!("{}.{key}", channel.id), id, ids));
            }
            ends
        });
        let [from, to] = &ends;
        let (Some(first), Some(second)) = (from.first(), to.first()) else { continue };
        if channel.from == channel.to {
            let allowed = Said::new("another actor than `from`", "与 from 不同的节点");
            let key = format!("{}.to", channel.id);
            out.push(Problem::refused(line, key, Reason::new(&channel.to, allowed)));
            continue;
        }
        let params = |place: u16| &scenario.actors[usize::from(place)].params;
        let (speaker, listener) = (params(*first), params(*second));
        if !speaker.may_speak_to(listener) {
            out.push(cannot_speak(line, &channel.id, speaker, listener));
            continue;
        }
        let is_script = matches!(speaker, ActorParams::Script(_));
        if is_script && !matches!(channel.params, ChannelParams::Tcp(_)) {
            let reason = Reason::new(channel.params.kind(), Said::same("tcp"));
            out.push(Problem::refused(line, format!("{}.kind", channel.id), reason));
            continue;
        }
        if MAX_CHANNELS < scenario.channels.len() + from.len() * to.len() {
            out.push(too_many(channel.line, &channel.id, "channels", "通路", MAX_CHANNELS));
            return;
        }
        let single = Target::Channel(scenario.channels.len() as u16);
        let counted = |id: &String| matches!(scenario.names.get(id), Some(Target::Group(_)));
        let many = (counted(&channel.from), counted(&channel.to));
        let target = if many == (false, false) { single } else { Target::Bundle(table as u16) };
        name(&mut scenario.names, channel.line, &channel.id, target, out);
        let base = channel.name.clone().unwrap_or_else(|| kind_name(channel.params.kind()).said());
        for (i, from) in from.iter().enumerate() {
            for (j, to) in to.iter().enumerate() {
                let suffix = match many {
                    (false, false) => String::new(),
                    (true, false) => format!("-{}", i + 1),
                    (false, true) => format!("-{}", j + 1),
                    (true, true) => format!("-{}-{}", i + 1, j + 1),
                };
                let id = format!("{}{suffix}", channel.id);
                if !suffix.is_empty() {
                    let place = Target::Channel(scenario.channels.len() as u16);
                    name(&mut scenario.names, channel.line, &id, place, out);
                }
                scenario.channels.push(ChannelDecl {
                    id,
                    table: table as u16,
                    name: base.clone(),
                    from: *from,
                    to: *to,
                    params: channel.params.clone(),
                });
            }
        }
    }
}

fn actors_named(scenario: &Scenario, id: &str) -> Vec<u16> {
    let target = match scenario.names.get(id) {
        Some(target @ (Target::Actor(_) | Target::Group(_))) => *target,
        _ => return Vec::new(),
    };
    let place = |node: Node| match node {
        Node::Actor(id) => id.0,
        Node::Channel(id) => id.0,
        Node::Host(id) => id.0,
        Node::Wire(id) => id.0,
    };
    scenario.nodes(target).into_iter().map(place).collect()
}

fn cannot_speak(line: Option<u32>, id: &str, from: &ActorParams, to: &ActorParams) -> Problem {
    let all = || ActorParams::KINDS.iter().filter_map(|kind| ActorParams::of_kind(kind));
    let pair = |a: &ActorParams, b: &ActorParams| format!("{} -> {}", a.kind(), b.kind());
    let mut pairs = Vec::new();
    for a in all() {
        pairs.extend(all().filter(|b| a.may_speak_to(b)).map(|b| pair(&a, &b)));
    }
    let allowed = Said::new(pairs.join(", "), pairs.join("、"));
    // Written the wrong way round is the likeliest slip.
    let hint = to.may_speak_to(from).then(|| pair(to, from));
    Problem::refused(line, id, Reason::new(pair(from, to), allowed).meant(hint.as_deref()))
}

/// Gives single members of groups their own values.
fn exceptions(scenario: &mut Scenario, draft: &Draft, strict: bool, out: &mut Vec<Problem>) {
    let actors = draft.actors.iter().map(|table| (table.line, &table.id, &table.only));
    let channels = draft.channels.iter().map(|table| (table.line, &table.id, &table.only));
    let all: Vec<(u32, &String, &Exceptions)> = actors.chain(channels).collect();
    for (line, table, only) in all {
        for (member, own) in only {
            let target = scenario.names.get(member).copied();
            let belongs = |id: &String| {
                id.strip_prefix(table.as_str()).is_some_and(|rest| rest.starts_with('-'))
            };
            let refused = match target {
                Some(Target::Actor(place)) if belongs(member) => {
                    let params = scenario.actors[usize::from(place)].params.params_mut();
                    own.iter().find_map(|(index, value)| params.set(*index, value).err())
                }
                Some(Target::Channel(place)) if belongs(member) => {
                    let params = &mut scenario.channels[usize::from(place)].params;
                    own.iter().find_map(|(index, value)| params.set(*index, value).err())
                }
                _ if strict => {
                    let allowed = Said::new("a member of this group", "该组的成员");
                    Some(Reason::new(member, allowed))
                }
                _ => None,
            };
            if let Some(reason) = refused {
                out.push(Problem::refused(Some(line), format!("{table}.only"), reason));
            }
        }
    }
}

/// A consumer's queue is one of its broker's, and so is the queue that a producer writes to.
fn queues(scenario: &Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for channel in &scenario.channels {
        let from = &scenario.actors[usize::from(channel.from)];
        let to = &scenario.actors[usize::from(channel.to)];
        let (broker, user) = match (from.params.kind(), to.params.kind()) {
            ("broker", _) => (from, to),
            (_, "broker") => (to, from),
            _ => continue,
        };
        let words = |actor: &ActorDecl, key: &str| -> Option<Words> {
            let index = index_of(actor.params.specs(), key)?;
            match actor.params.params().get(index) {
                Value::Words(words) => Some(words),
                _ => None,
            }
        };
        let (Some(queues), Some(named)) = (words(broker, "queues"), words(user, "queue")) else {
            continue;
        };
        // A consumer that passes its work on names the queue that it takes from, not this one.
        if user.params.kind() == "consumer" && to.params.kind() == "broker" {
            continue;
        }
        for queue in named.0.iter().filter(|queue| !queues.0.contains(queue)) {
            let table = &draft.actors[usize::from(user.table)];
            let known = queues.0.iter().map(String::as_str);
            let key = format!("{}.queue", table.id);
            let problem = Problem::unknown(Some(table.line), key, queue, known);
            if !out.contains(&problem) {
                out.push(problem);
            }
        }
    }
}

/// A client of a log broker or of an MQTT broker speaks to one.
fn clients_of_logs(scenario: &Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for (place, actor) in scenario.actors.iter().enumerate() {
        let of_log =
            matches!(actor.params, ActorParams::LogProducer(_) | ActorParams::LogConsumer(_));
        let of_mqtt =
            matches!(actor.params, ActorParams::MqttPublisher(_) | ActorParams::MqttSubscriber(_));
        let is_end = |c: &&ChannelDecl| [c.from, c.to].contains(&(place as u16));
        let n = scenario.channels.iter().filter(is_end).count();
        if (of_log || of_mqtt) && 1 < n {
            let line = draft.actors[usize::from(actor.table)].line;
            let allowed = match of_log {
                true => Said::new("one channel, to one log broker", "一条通路，连到一个日志代理"),
                false => {
                    Said::new("one channel, to one MQTT broker", "一条通路，连到一个 MQTT 代理")
                }
            };
            let reason = Reason::new(format!("{n}"), allowed);
            out.push(Problem::refused(Some(line), &actor.id, reason));
        }
    }
}

fn faults(scenario: &mut Scenario, draft: &Draft, strict: bool, out: &mut Vec<Problem>) {
    let mut all = Vec::new();
    for (n, fault) in draft.faults.iter().enumerate() {
        let key = format!("fault {}", n + 1);
        if draft.until < fault.at {
            if strict {
                let until = show_span(draft.until);
                let allowed = Said::new(format!("0 to {until}"), format!("0 至 {until}"));
                let reason = Reason::new(show_span(fault.at), allowed);
                out.push(Problem::refused(Some(fault.line), format!("{key}.at"), reason));
            }
            continue;
        }
        match commands_of(scenario, fault) {
            Ok(commands) => all.extend(commands),
            Err(problem) if strict => {
                let key = format!("{key}.{}", problem.key);
                out.push(Problem { line: Some(fault.line), key, ..problem });
            }
            Err(_) => {}
        }
    }
    crate::kernel::settle(&mut all, |a, b| a.at < b.at);
    scenario.faults = all;
}

fn commands_of(scenario: &Scenario, fault: &FaultDraft) -> Result<Vec<FaultDecl>, Problem> {
    let at = instant(fault.at);
    let made = scenario.commands(&fault.deed)?;
    let mut all: Vec<FaultDecl> =
        made.into_iter().map(|what| FaultDecl { at, what, undoes: false }).collect();
    if let (Some(span), Some(undo)) = (fault.lasts, fault.deed.undone()) {
        let at = at.saturating_add(span);
        let made = scenario.commands(&undo)?;
        all.extend(made.into_iter().map(|what| FaultDecl { at, what, undoes: true }));
    }
    Ok(all)
}

fn knobs(scenario: &mut Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for (n, (line, path)) in draft.knobs.iter().enumerate() {
        let key = format!("knob {}.param", n + 1);
        if scenario.knobs.iter().any(|knob| knob.path == *path) {
            let allowed = Said::new("each parameter only once", "每个参数只能出现一次");
            out.push(Problem::refused(Some(*line), key, Reason::new(path, allowed)));
            continue;
        }
        match scenario.place(path) {
            Ok((target, place)) => {
                let (node, param) = match place {
                    Place::Count => (None, 0),
                    Place::Profile => (scenario.nodes(target).first().copied(), 0),
                    Place::Param(_, index) => (scenario.nodes(target).first().copied(), index),
                };
                scenario.knobs.push(Knob { path: path.clone(), node, param });
            }
            // A machine that runs another stack has other parameters: the knob rests.
            Err(_) if machines::is_of_another_profile(scenario, path) => {}
            Err(problem) => out.push(Problem { line: Some(*line), key, ..problem }),
        }
    }
}

impl Scenario {
    /// The commands that a deed stands for: one for each member when it names a group.
    pub fn commands(&self, deed: &Deed) -> Result<Vec<Command>, Problem> {
        let whom = deed.whom();
        if let Deed::Set { path, value } = deed {
            return self.set_commands(path, value);
        }
        if let (Deed::Crash(_) | Deed::Restart(_), Some((id, node))) = (deed, whom.split_once('.'))
        {
            let is_up = matches!(deed, Deed::Restart(_));
            return self.node_command(id, node, is_up).map(|command| vec![command]);
        }
        let to_channel =
            matches!(deed, Deed::Cut(_) | Deed::Mend(_) | Deed::Drop { .. } | Deed::Lose { .. });
        let fits = |target: &Target| match target {
            Target::Actor(_) | Target::Group(_) => !to_channel,
            Target::Channel(_) | Target::Bundle(_) => to_channel,
            Target::Host(_) | Target::Hosts(_) | Target::Wire(_) => false,
        };
        let Some(target) = self.names.get(whom).filter(|target| fits(target)) else {
            let key = if to_channel { "channel" } else { "actor" };
            let known = self.names.iter().filter(|(_, t)| fits(t)).map(|(id, _)| id.as_str());
            return Err(Problem::unknown(None, key, whom, known));
        };
        self.nodes(*target).into_iter().map(|node| self.command(deed, node)).collect()
    }

    /// A command in words: the other way round.
    pub fn deed(&self, command: &Command) -> Deed {
        let actor = |id| self.id_of(Node::Actor(id)).to_owned();
        let channel = |id| self.id_of(Node::Channel(id)).to_owned();
        match command {
            Command::Crash(id) => Deed::Crash(actor(*id)),
            Command::Restart(id) => Deed::Restart(actor(*id)),
            Command::TurnNode { actor: id, node, is_up } => {
                let whom = format!("{}.{}", actor(*id), node + 1);
                if *is_up { Deed::Restart(whom) } else { Deed::Crash(whom) }
            }
            Command::Pause(id) => Deed::Pause(actor(*id)),
            Command::Resume(id) => Deed::Resume(actor(*id)),
            Command::Cut(id) => Deed::Cut(channel(*id)),
            Command::Mend(id) => Deed::Mend(channel(*id)),
            Command::DropNth { channel: id, nth } => {
                Deed::Drop { channel: channel(*id), nth: *nth }
            }
            Command::LoseNth { channel: id, back, nth } => {
                Deed::Lose { channel: channel(*id), back: *back, nth: *nth }
            }
            Command::Slow { actor: id, ppm } => {
                Deed::Slow { actor: actor(*id), factor: crate::param::Ppm(*ppm) }
            }
            Command::Send { actor: id } => Deed::Send(actor(*id)),
            Command::Set { node, param, value } => {
                let specs = match node {
                    Node::Actor(id) => self.actors[id.index()].params.specs(),
                    Node::Channel(id) => self.channels[id.index()].params.specs(),
                    Node::Host(id) => self.hosts[id.index()].params.params().specs(),
                    Node::Wire(_) => WireParams::SPECS,
                };
                let spec = &specs[usize::from(*param)];
                let path = format!("{}.{}", self.id_of(*node), spec.key);
                Deed::Set { path, value: spec.show(value) }
            }
        }
    }

    fn command(&self, deed: &Deed, node: Node) -> Result<Command, Problem> {
        let only = |kinds: &[&str]| match node {
            Node::Actor(id) => {
                let kind = self.actors[id.index()].params.kind();
                if kinds.contains(&kind) {
                    return Ok(id);
                }
                let allowed = Said::new(kinds.join(", "), kinds.join("、"));
                Err(Problem::refused(None, "actor", Reason::new(kind, allowed)))
            }
            _ => Err(Problem::unknown(None, "actor", deed.whom(), [])),
        };
        let any = |node: Node| match node {
            Node::Actor(id) => Ok(id),
            _ => Err(Problem::unknown(None, "actor", deed.whom(), [])),
        };
        let channel = |node: Node| match node {
            Node::Channel(id) => Ok(id),
            _ => Err(Problem::unknown(None, "channel", deed.whom(), [])),
        };
        let ideal = |node: Node| {
            let id = channel(node)?;
            match self.channels[id.index()].params {
                ChannelParams::Ideal(_) => Ok(id),
                ChannelParams::Tcp(_) => {
                    let allowed = Said::new("a channel of kind ideal", "类型为 ideal 的通路");
                    Err(Problem::refused(None, "channel", Reason::new("tcp", allowed)))
                }
            }
        };
        Ok(match deed {
            Deed::Crash(_) => Command::Crash(any(node)?),
            Deed::Restart(_) => Command::Restart(any(node)?),
            Deed::Pause(_) => Command::Pause(any(node)?),
            Deed::Resume(_) => Command::Resume(any(node)?),
            Deed::Cut(_) => Command::Cut(channel(node)?),
            Deed::Mend(_) => Command::Mend(channel(node)?),
            Deed::Drop { nth, .. } => Command::DropNth { channel: channel(node)?, nth: *nth },
            Deed::Lose { back, nth, .. } => {
                Command::LoseNth { channel: ideal(node)?, back: *back, nth: *nth }
            }
            Deed::Slow { factor, .. } => {
                let kinds = &["consumer", "responder", "log-consumer", "mqtt-subscriber"];
                Command::Slow { actor: only(kinds)?, ppm: factor.0 }
            }
            Deed::Send(_) => {
                let kinds = &["producer", "requester", "log-producer", "mqtt-publisher"];
                Command::Send { actor: only(kinds)? }
            }
            Deed::Set { path, value } => return self.one_set(path, value, node),
        })
    }

    /// A node of a log broker, counted from 1, dies or comes back.
    fn node_command(&self, id: &str, node: &str, is_up: bool) -> Result<Command, Problem> {
        let brokers = || self.actors.iter().filter(|actor| actor.params.kind() == "log-broker");
        let found = match self.names.get(id) {
            Some(Target::Actor(place)) => Some(*place),
            _ => None,
        };
        let replicas = found.and_then(|place| match &self.actors[usize::from(place)].params {
            ActorParams::LogBroker(params) => Some((place, params.replicas.0)),
            _ => None,
        });
        let Some((place, n)) = replicas else {
            let known = brokers().map(|actor| actor.id.as_str());
            return Err(Problem::unknown(None, "actor", id, known));
        };
        let number = node.parse::<u8>().ok().filter(|number| (1..=n).contains(&u32::from(*number)));
        let Some(number) = number else {
            let allowed = Said::new(format!("{id}.1 to {id}.{n}"), format!("{id}.1 至 {id}.{n}"));
            let reason = Reason::new(format!("{id}.{node}"), allowed);
            return Err(Problem::refused(None, "actor", reason));
        };
        let actor = crate::model::message::ActorId(place);
        Ok(Command::TurnNode { actor, node: number - 1, is_up })
    }

    fn set_commands(&self, path: &str, text: &str) -> Result<Vec<Command>, Problem> {
        let (target, _) = self.place(path)?;
        self.nodes(target).into_iter().map(|node| self.one_set(path, text, node)).collect()
    }

    fn one_set(&self, path: &str, text: &str, node: Node) -> Result<Command, Problem> {
        let (_, place) = self.place(path)?;
        let refuse = |reason| Problem::refused(None, path, reason);
        match place {
            Place::Param(spec, param) if spec.applies == Applies::Live => {
                debug_assert!(spec.kind != Kind::Spans);
                let value = spec.parse(text).map_err(refuse)?;
                Ok(Command::Set { node, param, value })
            }
            _ => {
                let en = "a parameter that applies while the run goes on";
                Err(refuse(Reason::new(path, Said::new(en, "运行中可更改的参数"))))
            }
        }
    }
}
