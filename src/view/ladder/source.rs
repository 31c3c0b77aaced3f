//! Where a ladder comes from: the hosts and channels of a scenario, and what the sinks kept.

use crate::model::ChannelId;
use crate::model::channel::ChannelParams;
use crate::observe::Seen;
use crate::param::Said;
use crate::world::scenario::Scenario;

use super::{Pair, Tape};

/// Most pairs of life lines side by side.
const MOST_PAIRS: usize = 6;

/// Whether a scenario has channels that a ladder shows.
pub fn has_ladder(scenario: &Scenario) -> bool {
    scenario.channels.iter().any(|channel| matches!(channel.params, ChannelParams::Tcp(_)))
}

/// The pairs of hosts that TCP joins, in document order: all connections between two hosts share
/// their life lines.
pub fn pairs_of(scenario: &Scenario) -> Vec<Pair> {
    let mut hosts: Vec<(u16, u16)> = Vec::new();
    let mut pairs: Vec<Pair> = Vec::new();
    for (n, channel) in scenario.channels.iter().enumerate() {
        if !matches!(channel.params, ChannelParams::Tcp(_)) {
            continue;
        }
        let id = ChannelId(n as u16);
        let home = |actor: u16| scenario.actors[usize::from(actor)].host;
        let ends = (home(channel.from), home(channel.to));
        let known = hosts.iter().position(|own| *own == ends || *own == (ends.1, ends.0));
        if let Some(place) = known {
            pairs[place].channels.push((id, hosts[place] != ends));
        } else if pairs.len() < MOST_PAIRS {
            let name = |host: u16| name_of(scenario, host);
            hosts.push(ends);
            let names = [name(ends.0), name(ends.1)];
            pairs.push(Pair { names, channels: vec![(id, false)] });
        }
    }
    pairs
}

/// A machine is called like the one program on it, as on the stage.
fn name_of(scenario: &Scenario, host: u16) -> Said {
    let mut living = scenario.actors.iter().filter(|actor| actor.host == host);
    match (living.next(), living.next()) {
        (Some(actor), None) => actor.name.clone(),
        _ => scenario.hosts[usize::from(host)].name.clone(),
    }
}

/// What was seen of segments.
pub fn tape_of(seen: &Seen) -> Tape<'_> {
    Tape { flights: &seen.segments.flights, brackets: &seen.segments.brackets }
}

/// Whether nothing of it was forgotten yet.
pub fn is_complete(seen: &Seen) -> bool {
    seen.segments.flights.first() == 0 && seen.segments.brackets.first() == 0
}
