//! The parameters of a scenario: which there are, what they are, and how one is changed.
//!
//! A path names them: `consumer.service` for a group, `consumer-2.service` for one of its members.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::channel::tcp::WireParams;
use crate::model::command::Node;
use crate::model::host::HostParams;
use crate::param::{Amount, Reason, Said, Spec, Value, index_of, show_span};
use crate::world::draft::{COUNT, Draft, Exceptions, Speed, parse_seed, parse_until};
use crate::world::machines::PROFILE;
use crate::world::problem::Problem;
use crate::world::scenario::{Scenario, Target, kind_name};

/// A parameter that can be set: its declaration, its value, and whose it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// `consumer.service` for a group, `consumer-2.service` for one.
    pub path: String,
    /// The name of its owner on the page.
    pub owner: Said,
    /// The declaration.
    pub spec: &'static Spec,
    /// The value now.
    pub value: Value,
    /// The document's value.
    pub default: Value,
    /// Whose it is: one node, all of a group, or none for the size of a group.
    pub nodes: Vec<Node>,
    /// Its place among the parameters of each of these nodes.
    pub param: u8,
}

/// A parameter among those of its owner.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// The size of a group.
    Count,
    /// The profile of a host.
    Profile,
    /// A parameter of the model, with its index.
    Param(&'static Spec, u8),
}

impl Place {
    pub(super) fn spec(&self) -> &'static Spec {
        match self {
            Place::Count => COUNT,
            Place::Profile => PROFILE,
            Place::Param(spec, _) => spec,
        }
    }
}

fn places(specs: &'static [Spec]) -> impl Iterator<Item = Place> {
    specs.iter().enumerate().map(|(index, spec)| Place::Param(spec, index as u8))
}

impl Setting {
    /// Whether the value differs from the document's.
    pub fn is_changed(&self) -> bool {
        self.value != self.default
    }
}

impl Scenario {
    /// Changes a parameter: `producer.rate`, `consumer.count`, `seed`, `until`, `speed`.
    ///
    /// On an error nothing changes.
    pub fn set(&mut self, path: &str, text: &str) -> Result<(), Problem> {
        let refuse = |reason| Problem::refused(None, path, reason);
        let mut draft = self.draft.clone();
        match path {
            "seed" => draft.seed = parse_seed(text).map_err(refuse)?,
            "until" => draft.until = parse_until(text).map_err(refuse)?,
            "speed" => draft.speed = Some(Speed::parse(text).map_err(refuse)?),
            _ => {
                let (target, place) = self.place(path)?;
                let value = place.spec().parse(text).map_err(refuse)?;
                self.put(&mut draft, target, place, &value).map_err(refuse)?;
            }
        }
        self.expand_anew(draft).map_err(|problem| Problem { key: path.to_owned(), ..problem })
    }

    /// Gives a parameter the document's value again.
    pub fn reset(&mut self, path: &str) -> Result<(), Problem> {
        let original = Arc::clone(&self.original);
        match path {
            "seed" => self.set(path, &original.seed.to_string()),
            "until" => self.set(path, &show_span(original.until)),
            "speed" => {
                let draft = Draft { speed: original.speed, ..self.draft.clone() };
                self.expand_anew(draft)
            }
            _ => {
                let setting = self.setting(path)?;
                self.set(path, &setting.spec.show(&setting.default))
            }
        }
    }

    /// What differs from the document, as paths and texts for [`Scenario::set`]; without the seed.
    pub fn changes(&self) -> Vec<(String, String)> {
        let (now, then) = (&self.draft, &self.original);
        let mut out = Vec::new();
        if now.until != then.until {
            out.push(("until".to_owned(), show_span(now.until)));
        }
        if let Some(speed) = now.speed.filter(|speed| Some(*speed) != then.speed) {
            out.push(("speed".to_owned(), speed.show()));
        }
        for setting in self.params().into_iter().filter(|s| s.value != s.default) {
            let text = setting.spec.show(&setting.value);
            out.push((setting.path, text));
        }
        for (target, place, member) in self.exceptions() {
            let index = Place::Param(place.1, place.0);
            let value = self.value(&self.draft, target, index);
            let (here, there) =
                (self.exception(now, target, &place), self.exception(then, target, &place));
            if here != there {
                out.push((format!("{member}.{}", place.1.key), place.1.show(&value)));
            }
        }
        out
    }

    /// Every parameter that can be set, in document order: a group's parameters once for all.
    pub fn params(&self) -> Vec<Setting> {
        let mut out = Vec::new();
        for actor in &self.draft.actors {
            let target = self.names[&actor.id];
            if actor.count.is_some() {
                out.push(self.make(&actor.id, target, Place::Count));
            }
            for place in places(actor.params.specs()) {
                out.push(self.make(&actor.id, target, place));
            }
        }
        for channel in &self.draft.channels {
            let target = self.names[&channel.id];
            for place in places(channel.params.specs()) {
                out.push(self.make(&channel.id, target, place));
            }
        }
        self.machines(&mut out);
        out
    }

    /// The parameters of hosts and wires that are in use.
    fn machines(&self, out: &mut Vec<Setting>) {
        let mut done: BTreeSet<String> = BTreeSet::new();
        for (n, host) in self.hosts.iter().enumerate().filter(|(_, host)| host.is_used) {
            // Machines of a group that have nothing of their own are set all at once.
            let group = self.group_of_host(n as u16);
            let own = self.draft.hosts.iter().any(|draft| draft.id == host.id);
            let (id, target) = match group.filter(|_| !own) {
                Some((id, table)) => (id, Target::Hosts(table)),
                None => (host.id.clone(), Target::Host(n as u16)),
            };
            if done.insert(id.clone()) {
                out.push(self.make(&id, target, Place::Profile));
                let specs = places(self.specs(target));
                out.extend(specs.map(|place| self.make(&id, target, place)));
            }
        }
        for (n, wire) in self.wires.iter().enumerate() {
            let target = Target::Wire(n as u16);
            let specs = places(self.specs(target));
            out.extend(specs.map(|place| self.make(&wire.id, target, place)));
        }
    }

    /// The group for whose member a machine was made.
    fn group_of_host(&self, host: u16) -> Option<(String, u16)> {
        let id = &self.hosts[usize::from(host)].id;
        let actor = self.actors.iter().find(|actor| actor.id == *id && actor.host == host)?;
        let table = actor.group?;
        Some((self.draft.actors[usize::from(table)].id.clone(), table))
    }

    /// Every parameter of one node.
    pub fn params_of(&self, node: Node) -> Vec<Setting> {
        let (id, target, specs) = match node {
            Node::Actor(id) => {
                let actor = &self.actors[id.index()];
                (&actor.id, Target::Actor(id.0), actor.params.specs())
            }
            Node::Channel(id) => {
                let channel = &self.channels[id.index()];
                (&channel.id, Target::Channel(id.0), channel.params.specs())
            }
            Node::Host(id) => {
                let target = Target::Host(id.0);
                (&self.hosts[id.index()].id, target, self.specs(target))
            }
            Node::Wire(id) => {
                let target = Target::Wire(id.0);
                (&self.wires[id.index()].id, target, self.specs(target))
            }
        };
        places(specs).map(|place| self.make(id, target, place)).collect()
    }

    /// The value that the document, with what was changed in it, gives to one node.
    pub fn value_of(&self, node: Node, param: u8) -> Value {
        let target = match node {
            Node::Actor(id) => Target::Actor(id.0),
            Node::Channel(id) => Target::Channel(id.0),
            Node::Host(id) => Target::Host(id.0),
            Node::Wire(id) => Target::Wire(id.0),
        };
        let spec = &self.specs(target)[usize::from(param)];
        self.value(&self.draft, target, Place::Param(spec, param))
    }

    /// The parameter at a path.
    pub fn setting(&self, path: &str) -> Result<Setting, Problem> {
        let (target, place) = self.place(path)?;
        let id = path.split('.').next().unwrap_or(path);
        Ok(self.make(id, target, place))
    }

    /// The parameters in front of the reader, in the author's order.
    pub fn knob_settings(&self) -> Vec<Setting> {
        self.knobs.iter().filter_map(|knob| self.setting(&knob.path).ok()).collect()
    }

    /// What a path stands for.
    pub(super) fn place(&self, path: &str) -> Result<(Target, Place), Problem> {
        let (id, key) = path.split_once('.').unwrap_or((path, ""));
        let Some(target) = self.names.get(id).copied() else {
            return Err(Problem::unknown(None, path, id, self.names.keys().map(String::as_str)));
        };
        if let Some(found) = self.place_at_host(target, key) {
            return Ok(found);
        }
        let specs = self.specs(target);
        let counted = match target {
            Target::Group(table) => self.draft.actors[usize::from(table)].count.is_some(),
            _ => false,
        };
        if counted && key == COUNT.key {
            return Ok((target, Place::Count));
        }
        match index_of(specs, key) {
            Some(index) => Ok((target, Place::Param(&specs[usize::from(index)], index))),
            None => {
                let count = counted.then_some(COUNT.key);
                let own = count.into_iter().chain(specs.iter().map(|spec| spec.key));
                let keys = own.chain(self.machine_keys(target));
                Err(Problem::unknown(None, path, key, keys))
            }
        }
    }

    /// A parameter of the machine that is named, or on which the actor of that name lives.
    fn place_at_host(&self, target: Target, key: &str) -> Option<(Target, Place)> {
        let machine = match target {
            Target::Host(_) | Target::Hosts(_) => target,
            Target::Actor(i) => Target::Host(self.actors[usize::from(i)].host),
            Target::Group(table) => Target::Hosts(table),
            Target::Channel(_) | Target::Bundle(_) | Target::Wire(_) => return None,
        };
        // What the actor itself has under that key comes first.
        if machine != target && index_of(self.specs(target), key).is_some() {
            return None;
        }
        if key == PROFILE.key {
            return Some((machine, Place::Profile));
        }
        let specs = self.specs(machine);
        let index = index_of(specs, key)?;
        Some((machine, Place::Param(&specs[usize::from(index)], index)))
    }

    /// The keys of the machine that is named, or on which the actor of that name lives.
    fn machine_keys(&self, target: Target) -> impl Iterator<Item = &'static str> {
        let machine = match target {
            Target::Actor(i) => Some(Target::Host(self.actors[usize::from(i)].host)),
            Target::Group(table) => Some(Target::Hosts(table)),
            Target::Host(_) | Target::Hosts(_) => Some(target),
            Target::Channel(_) | Target::Bundle(_) | Target::Wire(_) => None,
        };
        // A machine that no tcp channel reaches has nothing worth proposing.
        let is_used = |target: &Target| match *target {
            Target::Host(i) => self.hosts[usize::from(i)].is_used,
            _ => self.hosts.iter().any(|host| host.is_used),
        };
        let specs = machine.filter(is_used).map(|target| self.specs(target));
        let profile = specs.map(|_| PROFILE.key);
        profile.into_iter().chain(specs.into_iter().flatten().map(|spec| spec.key))
    }

    /// The id under which a draft keeps what concerns a machine or the machines of a group.
    fn machine_id(&self, target: Target) -> &str {
        match target {
            Target::Host(i) => &self.hosts[usize::from(i)].id,
            Target::Hosts(table) => {
                let table = &self.draft.actors[usize::from(table)];
                table.host.as_ref().unwrap_or(&table.id)
            }
            Target::Wire(i) => &self.wires[usize::from(i)].id,
            _ => "",
        }
    }

    fn specs(&self, target: Target) -> &'static [Spec] {
        match target {
            Target::Host(i) => self.hosts[usize::from(i)].params.params().specs(),
            Target::Hosts(_) => self.draft.host_params(self.machine_id(target)).params().specs(),
            Target::Wire(_) => WireParams::SPECS,
            Target::Actor(i) => self.actors[usize::from(i)].params.specs(),
            Target::Group(table) => self.draft.actors[usize::from(table)].params.specs(),
            Target::Channel(i) => self.channels[usize::from(i)].params.specs(),
            Target::Bundle(table) => self.draft.channels[usize::from(table)].params.specs(),
        }
    }

    /// The value that a draft has for a parameter.
    fn value(&self, draft: &Draft, target: Target, place: Place) -> Value {
        let index = match place {
            Place::Param(_, index) => index,
            Place::Profile => return draft.host_params(self.machine_id(target)).profile_value(),
            Place::Count => {
                let Target::Group(table) = target else { return COUNT.default() };
                return Value::Amount(Amount(draft.actors[usize::from(table)].count.unwrap_or(1)));
            }
        };
        match target {
            Target::Host(_) | Target::Hosts(_) => {
                let (now, then) = (&self.draft, draft);
                let id = self.machine_id(target);
                let params = then.host_params(id);
                // Another profile in that draft has no such parameter: its default stands.
                match params.kind() == now.host_params(id).kind() {
                    true => params.params().get(index),
                    false => self.specs(target)[usize::from(index)].default(),
                }
            }
            Target::Wire(_) => draft.wire_params(self.machine_id(target)).get(index),
            Target::Group(table) => draft.actors[usize::from(table)].params.params().get(index),
            Target::Bundle(table) => draft.channels[usize::from(table)].params.get(index),
            Target::Actor(i) => {
                let actor = &self.actors[usize::from(i)];
                let table = &draft.actors[usize::from(actor.table)];
                let own = table.only.get(&actor.id).and_then(|own| own.get(&index));
                own.cloned().unwrap_or_else(|| table.params.params().get(index))
            }
            Target::Channel(i) => {
                let channel = &self.channels[usize::from(i)];
                let table = &draft.channels[usize::from(channel.table)];
                let own = table.only.get(&channel.id).and_then(|own| own.get(&index));
                own.cloned().unwrap_or_else(|| table.params.get(index))
            }
        }
    }

    /// Writes a value into a draft.
    fn put(
        &self,
        draft: &mut Draft,
        target: Target,
        place: Place,
        value: &Value,
    ) -> Result<(), Reason> {
        let index = match place {
            Place::Param(_, index) => index,
            Place::Profile => {
                let profile = HostParams::of_profile(&PROFILE.show(value)).unwrap_or_default();
                let params = draft.host_params_mut(self.machine_id(target));
                *params = profile.with_values_of(params);
                return Ok(());
            }
            Place::Count => {
                if let Target::Group(table) = target {
                    draft.actors[usize::from(table)].count = Some(value.ordinal() as u32);
                }
                return Ok(());
            }
        };
        match target {
            Target::Host(_) | Target::Hosts(_) => {
                draft.host_params_mut(self.machine_id(target)).params_mut().set(index, value)
            }
            Target::Wire(i) => {
                let wire = &self.wires[usize::from(i)];
                let [from, to] = [wire.from, wire.to].map(|h| &self.hosts[usize::from(h)].id);
                draft.wire_params_mut(&wire.id, from, to).set(index, value)
            }
            Target::Group(table) => {
                draft.actors[usize::from(table)].params.params_mut().set(index, value)
            }
            Target::Bundle(table) => draft.channels[usize::from(table)].params.set(index, value),
            Target::Actor(i) => {
                let actor = &self.actors[usize::from(i)];
                let table = &mut draft.actors[usize::from(actor.table)];
                if actor.group.is_none() {
                    return table.params.params_mut().set(index, value);
                }
                let then = &self.original.actors[usize::from(actor.table)].only;
                let alike = table.params.params().get(index) == *value;
                except(&mut table.only, then, &actor.id, index, value, alike);
                Ok(())
            }
            Target::Channel(i) => {
                let channel = &self.channels[usize::from(i)];
                let table = &mut draft.channels[usize::from(channel.table)];
                if channel.id == table.id {
                    return table.params.set(index, value);
                }
                let then = &self.original.channels[usize::from(channel.table)].only;
                let alike = table.params.get(index) == *value;
                except(&mut table.only, then, &channel.id, index, value, alike);
                Ok(())
            }
        }
    }

    fn make(&self, id: &str, target: Target, place: Place) -> Setting {
        let draft = &self.draft;
        let nodes = self.nodes(target);
        let owner = match target {
            Target::Group(table) => {
                let table = &draft.actors[usize::from(table)];
                table.name.clone().unwrap_or_else(|| kind_name(table.params.kind()).said())
            }
            Target::Hosts(table) => {
                let table = &draft.actors[usize::from(table)];
                table.name.clone().unwrap_or_else(|| kind_name(table.params.kind()).said())
            }
            Target::Bundle(table) => {
                let table = &draft.channels[usize::from(table)];
                table.name.clone().unwrap_or_else(|| kind_name(table.params.kind()).said())
            }
            _ => nodes.first().map(|node| self.name_of(*node).clone()).unwrap_or_default(),
        };
        let (nodes, param) = match place {
            Place::Count | Place::Profile => (Vec::new(), 0),
            Place::Param(_, index) => (nodes, index),
        };
        Setting {
            path: format!("{id}.{}", place.spec().key),
            owner,
            spec: place.spec(),
            value: self.value(draft, target, place),
            default: self.value(&self.original, target, place),
            nodes,
            param,
        }
    }

    /// Every parameter for which a member of a group differs from it, now or in the document.
    fn exceptions(&self) -> Vec<(Target, (u8, &'static Spec), String)> {
        let mut all: BTreeSet<(&String, u8)> = BTreeSet::new();
        for draft in [&self.draft, self.original.as_ref()] {
            let actors = draft.actors.iter().flat_map(|table| table.only.iter());
            let channels = draft.channels.iter().flat_map(|table| table.only.iter());
            for (member, own) in actors.chain(channels) {
                all.extend(own.keys().map(|index| (member, *index)));
            }
        }
        let mut out = Vec::new();
        for (member, index) in all {
            // Members that a smaller count has taken away are not there to be set.
            let Some(target) = self.names.get(member).copied() else { continue };
            out.push((target, (index, &self.specs(target)[usize::from(index)]), member.clone()));
        }
        out
    }

    /// The member's own value in a draft.
    fn exception<'d>(
        &self,
        draft: &'d Draft,
        target: Target,
        (index, _): &(u8, &'static Spec),
    ) -> Option<&'d Value> {
        let own = match target {
            Target::Actor(i) => {
                let actor = &self.actors[usize::from(i)];
                draft.actors[usize::from(actor.table)].only.get(&actor.id)
            }
            Target::Channel(i) => {
                let channel = &self.channels[usize::from(i)];
                draft.channels[usize::from(channel.table)].only.get(&channel.id)
            }
            _ => None,
        };
        own?.get(index)
    }
}

/// Gives a member its own value; one like the group's is none, unless the document sets it apart.
fn except(
    now: &mut Exceptions,
    then: &Exceptions,
    member: &str,
    index: u8,
    value: &Value,
    alike: bool,
) {
    let apart = then.get(member).is_some_and(|own| own.contains_key(&index));
    let own = now.entry(member.to_owned()).or_default();
    if alike && !apart {
        own.remove(&index);
    } else {
        own.insert(index, value.clone());
    }
    now.retain(|_, own| !own.is_empty());
}
