//! Hosts and wires of a document: how they are read, found and made.
//!
//! A host or wire that nobody declares is made with defaults. An actor without `host` lives on a
//! machine of its own name; a host that has a group's name is the pattern for the machines of its
//! members.

use crate::model::channel::ChannelParams;
use crate::model::channel::tcp::WireParams;
use crate::model::host::{HostParams, PROFILES};
use crate::model::message::HostId;
use crate::param::{Reason, Said, index_of};
use crate::world::document::{Reader, Table};
use crate::world::draft::{self, Draft};
use crate::world::problem::Problem;
use crate::world::scenario::{HostDecl, Scenario, Target, WireDecl, kind_name};

choices! {
    /// The profile of a host's network stack.
    pub enum Profile {
        /// A stock Linux kernel.
        Linux = "linux" ("Linux", "Linux"),
        /// The letter of the RFCs.
        Rfc = "rfc" ("by the RFCs", "按 RFC"),
        /// lwIP's raw API.
        Lwip = "lwip" ("lwIP", "lwIP"),
        /// lwIP on a board with an STM32.
        Stm32 = "stm32" ("STM32 board", "STM32 板"),
    }
}

params! {
    /// What every host has besides the parameters of its profile.
    pub struct MachineParams for "host" {
        /// Whose TCP it runs.
        profile: Profile = Profile::Linux, choice, applies restart,
            name ("Network stack", "协议栈"),
            help ("Whose TCP this host runs; each has parameters of its own.",
                "该主机运行哪种 TCP 实现；各有自己的参数。"),
            source "docs/models/tcp.md";
    }
}

/// The declaration of a host's profile.
pub const PROFILE: &crate::param::Spec = &MachineParams::SPECS[0];

/// A machine.
#[derive(Clone, PartialEq, Debug)]
pub struct HostDraft {
    /// Its line; 0 when a reader's change made it.
    pub line: u32,
    /// A short word.
    pub id: String,
    /// The profile of its network stack, and its parameters.
    pub params: HostParams,
}

/// A network link between two machines.
#[derive(Clone, PartialEq, Debug)]
pub struct WireDraft {
    /// Its line; 0 when a reader's change made it.
    pub line: u32,
    /// A short word.
    pub id: String,
    /// One host.
    pub from: String,
    /// The other.
    pub to: String,
    /// What it is like.
    pub params: WireParams,
}

impl WireDraft {
    /// The id of a wire that has none of its own.
    pub fn default_id(from: &str, to: &str) -> String {
        format!("wire-{from}-{to}")
    }
}

pub(super) fn read_host(table: &Table, n: u32, out: &mut Vec<Problem>) -> Option<HostDraft> {
    let mut reader = Reader::new(table, format!("host {n}"));
    let id = draft::needed_id(&mut reader, "id", out);
    reader.path = id.clone().unwrap_or(reader.path);
    let profile = reader.parsed("profile", out, draft::one_of(PROFILES)).unwrap_or(PROFILES[0]);
    let mut params = HostParams::of_profile(profile)?;
    let specs = params.params().specs();
    draft::read_params(&reader, specs, out, |index, value| params.params_mut().set(index, value));
    draft::finish_with(reader, specs, out);
    Some(HostDraft { line: table.line, id: id?, params })
}

pub(super) fn read_wire(table: &Table, n: u32, out: &mut Vec<Problem>) -> Option<WireDraft> {
    let mut reader = Reader::new(table, format!("wire {n}"));
    let id = reader.parsed("id", out, draft::long_word);
    reader.path = id.clone().unwrap_or(reader.path);
    let from = draft::needed_id(&mut reader, "from", out);
    let to = draft::needed_id(&mut reader, "to", out);
    let mut params = WireParams::default();
    let specs = WireParams::SPECS;
    draft::read_params(&reader, specs, out, |index, value| params.set(index, value));
    draft::finish_with(reader, specs, out);
    let (from, to) = (from?, to?);
    let id = id.unwrap_or_else(|| WireDraft::default_id(&from, &to));
    Some(WireDraft { line: table.line, id, from, to, params })
}

impl Draft {
    /// The parameters of a machine of that name: its own, those of the group it belongs to, or the
    /// defaults.
    pub(super) fn host_params(&self, id: &str) -> HostParams {
        let declared = |id: &str| self.hosts.iter().find(|host| host.id == id);
        let pattern = || declared(self.group_of_member(id)?);
        declared(id).or_else(pattern).map(|host| host.params.clone()).unwrap_or_default()
    }

    /// The same, to be changed; made if it is not there.
    pub(super) fn host_params_mut(&mut self, id: &str) -> &mut HostParams {
        let found = self.hosts.iter().position(|host| host.id == id);
        let place = found.unwrap_or_else(|| {
            let params = self.host_params(id);
            self.hosts.push(HostDraft { line: 0, id: id.to_owned(), params });
            self.hosts.len() - 1
        });
        &mut self.hosts[place].params
    }

    /// The parameters of the wire of that id, or the defaults.
    pub(super) fn wire_params(&self, id: &str) -> WireParams {
        let declared = self.wires.iter().find(|wire| wire.id == id);
        declared.map(|wire| wire.params.clone()).unwrap_or_default()
    }

    /// The same, to be changed; made between these hosts if it is not there.
    pub(super) fn wire_params_mut(&mut self, id: &str, from: &str, to: &str) -> &mut WireParams {
        let found = self.wires.iter().position(|wire| wire.id == id);
        let place = found.unwrap_or_else(|| {
            let (id, from, to) = (id.to_owned(), from.to_owned(), to.to_owned());
            self.wires.push(WireDraft { line: 0, id, from, to, params: WireParams::default() });
            self.wires.len() - 1
        });
        &mut self.wires[place].params
    }

    /// The group that the member of that id belongs to.
    fn group_of_member<'i>(&self, id: &'i str) -> Option<&'i str> {
        let (group, number) = id.rsplit_once('-')?;
        let number: u32 = number.parse().ok()?;
        let counted =
            self.actors.iter().find(|actor| actor.id == group && actor.host.is_none())?.count?;
        (1..=counted).contains(&number).then_some(group)
    }

    /// Whether a host of that name is only the pattern for a group's machines.
    fn is_pattern(&self, id: &str) -> bool {
        self.actors.iter().any(|a| a.id == id && a.count.is_some() && a.host.is_none())
    }
}

/// Whether a path names a parameter that the machine would have with another profile.
pub(super) fn is_of_another_profile(scenario: &Scenario, path: &str) -> bool {
    let (id, key) = path.split_once('.').unwrap_or((path, ""));
    let has_machine = matches!(
        scenario.names.get(id),
        Some(Target::Host(_) | Target::Hosts(_) | Target::Actor(_) | Target::Group(_))
    );
    let profiles = PROFILES.iter().filter_map(|name| HostParams::of_profile(name));
    let mut keys = profiles.map(|host| index_of(host.params().specs(), key).is_some());
    has_machine && keys.any(|is_known| is_known)
}

/// Adds the hosts and wires of the document.
pub(super) fn declared(scenario: &mut Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for (n, host) in draft.hosts.iter().enumerate() {
        if draft.hosts[..n].iter().any(|earlier| earlier.id == host.id) {
            let allowed = Said::new("an id that nothing else has", "与其他 id 不同的 id");
            out.push(Problem::refused(Some(host.line), "id", Reason::new(&host.id, allowed)));
        }
        if !draft.is_pattern(&host.id) {
            place_of_host(scenario, draft, &host.id, true);
        }
    }
    for wire in &draft.wires {
        if wire.from == wire.to {
            let allowed = Said::new("another host", "另一台主机");
            out.push(Problem::refused(Some(wire.line), "wire.to", Reason::new(&wire.to, allowed)));
        }
        let from = place_of_host(scenario, draft, &wire.from, false);
        let to = place_of_host(scenario, draft, &wire.to, false);
        add_wire(scenario, draft, &wire.id, (from, to), wire.line, out);
    }
}

/// The place of a host; one that nobody declared is made with defaults.
pub(super) fn place_of_host(
    scenario: &mut Scenario,
    draft: &Draft,
    id: &str,
    is_declared: bool,
) -> u16 {
    let found = scenario.hosts.iter().position(|host| host.id == id);
    let place = found.unwrap_or_else(|| {
        let params = draft.host_params(id);
        let name = Said::same(id);
        scenario.hosts.push(HostDecl { id: id.to_owned(), name, params, is_used: false });
        scenario.hosts.len() - 1
    });
    scenario.hosts[place].is_used |= is_declared;
    // An actor of the same name, who lives there, takes the name over.
    scenario.names.entry(id.to_owned()).or_insert(Target::Host(place as u16));
    place as u16
}

fn add_wire(
    scenario: &mut Scenario,
    draft: &Draft,
    id: &str,
    (from, to): (u16, u16),
    line: u32,
    out: &mut Vec<Problem>,
) {
    let place = Target::Wire(scenario.wires.len() as u16);
    super::expand::name(&mut scenario.names, line, id, place, out);
    let params = draft.wire_params(id);
    let name = if id == "wire" { kind_name("wire").said() } else { Said::same(id) };
    scenario.wires.push(WireDecl { id: id.to_owned(), name, from, to, params });
}

/// Every pair of hosts that a tcp channel joins has a wire, and the hosts of it are in use.
pub(super) fn wires_of_channels(scenario: &mut Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for n in 0..scenario.channels.len() {
        let channel = &scenario.channels[n];
        if !matches!(channel.params, ChannelParams::Tcp(_)) {
            continue;
        }
        let home = |actor: u16| scenario.actors[usize::from(actor)].host;
        let (from, to) = (home(channel.from), home(channel.to));
        let line = draft.channels[usize::from(channel.table)].line;
        if from == to {
            let allowed = Said::new(
                "a channel `tcp` between actors on two hosts",
                "tcp 通路的两端须在不同主机上",
            );
            let host = &scenario.hosts[usize::from(from)].id;
            out.push(Problem::refused(Some(line), &channel.id, Reason::new(host, allowed)));
            continue;
        }
        for host in [from, to] {
            scenario.hosts[usize::from(host)].is_used = true;
        }
        if scenario.wire_between(HostId(from), HostId(to)).is_none() {
            let ids = [from, to].map(|host| scenario.hosts[usize::from(host)].id.clone());
            let id = WireDraft::default_id(&ids[0], &ids[1]);
            add_wire(scenario, draft, &id, (from, to), line, out);
        }
    }
}

impl Scenario {
    /// The place of the wire between two hosts, and whether it leads the other way.
    pub fn wire_between(&self, from: HostId, to: HostId) -> Option<(u16, bool)> {
        self.wires.iter().enumerate().find_map(|(n, wire)| match (wire.from, wire.to) {
            ends if ends == (from.0, to.0) => Some((n as u16, false)),
            ends if ends == (to.0, from.0) => Some((n as u16, true)),
            _ => None,
        })
    }
}
