//! What a broker's document says of exchanges, bindings and single queues fits together.

use crate::model::actor::broker::topology;
use crate::model::actor::{ActorParams, BrokerParams};
use crate::param::{Lines, Reason, Said};
use crate::world::draft::Draft;
use crate::world::problem::Problem;
use crate::world::scenario::{ActorDecl, Scenario};

/// Every name that a broker's lines use is there, and so is what its users name.
pub(super) fn check(scenario: &Scenario, draft: &Draft, out: &mut Vec<Problem>) {
    for actor in &scenario.actors {
        let ActorParams::Broker(params) = &actor.params else { continue };
        let place = Place { draft, actor, params };
        let mut found = Vec::new();
        place.exchanges(&mut found);
        place.bindings(&mut found);
        place.arguments(scenario, &mut found);
        place.people("writers", &params.writers.0, scenario, &mut found);
        place.people("readers", &params.readers.0, scenario, &mut found);
        add(found, out);
    }
    for channel in &scenario.channels {
        let user = &scenario.actors[usize::from(channel.from)];
        let broker = &scenario.actors[usize::from(channel.to)];
        let ActorParams::Broker(params) = &broker.params else { continue };
        let ActorParams::Producer(producer) = &user.params else { continue };
        let place = Place { draft, actor: user, params };
        let mut found = Vec::new();
        let exchanges = place.exchange_names();
        for name in producer.exchange.0.iter().filter(|name| !exchanges.contains(name)) {
            found.push(place.unknown("exchange", name, &exchanges));
        }
        if producer.exchange.0.is_empty() {
            // Without an exchange the key is the name of a queue.
            let routes = topology::routes(&text(&producer.routes)).unwrap_or_default();
            for route in routes.iter().filter(|route| !params.queues.0.contains(&route.key)) {
                found.push(place.unknown("routes", &route.key, &params.queues.0));
            }
        }
        add(found, out);
    }
}

/// One complaint is enough for all members of a group.
fn add(found: Vec<Problem>, out: &mut Vec<Problem>) {
    for problem in found {
        if !out.contains(&problem) {
            out.push(problem);
        }
    }
}

fn text(lines: &Lines) -> String {
    lines.0.join("\n")
}

/// Who complains about which broker.
struct Place<'a> {
    draft: &'a Draft,
    actor: &'a ActorDecl,
    params: &'a BrokerParams,
}

impl Place<'_> {
    fn unknown(&self, key: &str, name: &str, known: &[String]) -> Problem {
        let table = &self.draft.actors[usize::from(self.actor.table)];
        let key = format!("{}.{key}", table.id);
        Problem::unknown(Some(table.line), key, name, known.iter().map(String::as_str))
    }

    fn refused(&self, key: &str, value: &str, allowed: Said) -> Problem {
        let table = &self.draft.actors[usize::from(self.actor.table)];
        let key = format!("{}.{key}", table.id);
        Problem::refused(Some(table.line), key, Reason::new(value, allowed))
    }

    fn exchange_names(&self) -> Vec<String> {
        let all = topology::exchanges(&text(&self.params.exchanges)).unwrap_or_default();
        all.into_iter().map(|exchange| exchange.name).collect()
    }

    fn exchanges(&self, out: &mut Vec<Problem>) {
        let names = self.exchange_names();
        let all = topology::exchanges(&text(&self.params.exchanges)).unwrap_or_default();
        for exchange in &all {
            if self.params.queues.0.contains(&exchange.name) {
                let allowed = Said::new("a name that no queue has", "与队列不同的名称");
                out.push(self.refused("exchanges", &exchange.name, allowed));
            }
            for to in exchange.alternate.iter().filter(|to| !names.contains(to)) {
                out.push(self.unknown("exchanges", to, &names));
            }
        }
    }

    fn bindings(&self, out: &mut Vec<Problem>) {
        let exchanges = self.exchange_names();
        let targets: Vec<String> = self.params.queues.0.iter().chain(&exchanges).cloned().collect();
        let all = topology::bindings(&text(&self.params.bindings)).unwrap_or_default();
        for binding in &all {
            if !exchanges.contains(&binding.from) {
                out.push(self.unknown("bindings", &binding.from, &exchanges));
            }
            if !targets.contains(&binding.to) {
                out.push(self.unknown("bindings", &binding.to, &targets));
            }
        }
    }

    fn arguments(&self, scenario: &Scenario, out: &mut Vec<Problem>) {
        let queues = &self.params.queues.0;
        let all = topology::arguments(&text(&self.params.arguments)).unwrap_or_default();
        for line in &all {
            if !queues.contains(&line.name) {
                out.push(self.unknown("arguments", &line.name, queues));
            }
            let letters = line.dead_letters.iter().filter(|to| !to.is_empty());
            for to in letters.filter(|to| !queues.contains(to)) {
                out.push(self.unknown("arguments", to, queues));
            }
            for named in [&line.writers, &line.readers].into_iter().flatten() {
                self.people("arguments", named, scenario, out);
            }
        }
        for to in self.params.dead_letters.0.iter().filter(|to| !queues.contains(to)) {
            out.push(self.unknown("dead-letters", to, queues));
        }
    }

    /// Those who may write or read are actors, or groups of them.
    fn people(&self, key: &str, named: &[String], scenario: &Scenario, out: &mut Vec<Problem>) {
        let groups = self.draft.actors.iter().map(|table| table.id.clone());
        let known: Vec<String> =
            groups.chain(scenario.actors.iter().map(|actor| actor.id.clone())).collect();
        for id in named.iter().filter(|id| !known.contains(id)) {
            out.push(self.unknown(key, id, &known));
        }
    }
}
