//! Who takes part in a group or consumes a queue, and how many partitions a topic has: rows of the
//! inspector with a button for one less and one for one more.
//!
//! More consumers are first those that the document has and that stand outside; then, where the
//! document has a group with a size, one more member of it. What cannot be done says why.

use crate::model::actor::log::LogBrokerParams;
use crate::model::actor::{Actor, ActorParams};
use crate::model::command::Node;
use crate::model::{ActorId, Command};
use crate::param::{Amount, Text, Value, Words, index_of};
use crate::view::inspect::{Action, Subject};
use crate::world::draft::MAX_COUNT;

/// A number with a button for one less and one for one more.
#[derive(Clone, PartialEq, Debug)]
pub struct Stepper {
    /// What is counted.
    pub name: String,
    /// How many there are.
    pub value: String,
    /// One less.
    pub less: Step,
    /// One more.
    pub more: Step,
}

/// One of the two buttons: what it does in words, or why it does nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The words.
    pub words: String,
    /// What is done; `None`: it cannot be pressed.
    pub deed: Option<Doing>,
}

/// What such a button does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doing {
    /// A parameter gets a value: its path and text.
    Set(String, String),
    /// The group of this id gets one more member.
    Grow(String),
}

const JOIN: Text = Text::new("Join the group", "加入消费组");
const LEAVE: Text = Text::new("Leave the group", "离开消费组");
const SUBSCRIBE: Text = Text::new("Subscribe", "订阅");
const CANCEL: Text = Text::new("Cancel its subscription", "取消订阅");

/// A consumer of a group or queue.
struct Member {
    actor: ActorId,
    joined: bool,
}

/// Whether a consumer takes part, and the place of that parameter; `None`: it is none.
fn joined(machine: &Actor) -> Option<(bool, u8)> {
    let joined = match machine {
        Actor::Consumer(consumer) => consumer.params.joined,
        Actor::LogConsumer(consumer) => consumer.params.joined,
        _ => return None,
    };
    Some((joined, index_of(machine.params().specs(), "joined")?))
}

impl Subject<'_> {
    /// The rows of all brokers.
    pub fn all_steppers(&self) -> Vec<Stepper> {
        let brokers = self
            .world
            .actors
            .iter()
            .enumerate()
            .filter(|(_, node)| matches!(node.machine, Actor::Broker(_) | Actor::LogBroker(_)));
        brokers.flat_map(|(n, _)| self.steppers(ActorId(n as u16))).collect()
    }

    /// The rows of an actor.
    pub(super) fn steppers(&self, id: ActorId) -> Vec<Stepper> {
        match self.world.actors.get(id.index()).map(|node| &node.machine) {
            Some(Actor::LogBroker(_)) => {
                let mut rows = self.teams(id);
                rows.push(self.partitions(id));
                rows
            }
            Some(Actor::Broker(_)) => self.teams(id),
            Some(Actor::Consumer(_) | Actor::LogConsumer(_)) => {
                self.team_of(id).map(|(team, all)| self.team(&team, &all)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// A consumer goes or comes: beside crashing and pausing it.
    pub(super) fn join_action(&self, id: ActorId) -> Option<Action> {
        let machine = &self.world.actors.get(id.index())?.machine;
        let (is_in, param) = joined(machine).filter(|_| self.broker_of(id).is_some())?;
        let label = match (machine, is_in) {
            (Actor::LogConsumer(_), true) => LEAVE,
            (Actor::LogConsumer(_), false) => JOIN,
            (_, true) => CANCEL,
            (_, false) => SUBSCRIBE,
        };
        let (node, value) = (Node::Actor(id), Value::Bool(!is_in));
        Some(Action { label, command: Command::Set { node, param, value } })
    }

    /// The broker that a consumer takes messages from.
    fn broker_of(&self, id: ActorId) -> Option<ActorId> {
        let is_broker = |place: u16| {
            let params = &self.scenario.actors[usize::from(place)].params;
            matches!(params, ActorParams::Broker(_) | ActorParams::LogBroker(_))
        };
        let mut channels = self.scenario.channels.iter();
        channels.find(|c| c.to == id.0 && is_broker(c.from)).map(|c| ActorId(c.from))
    }

    /// The group or queue of a consumer, by its name.
    fn team_name(&self, id: ActorId, broker: ActorId) -> String {
        let first = |words: &Words| words.0.first().cloned();
        let queue = || match &self.scenario.actors[broker.index()].params {
            ActorParams::Broker(broker) => first(&broker.queues).unwrap_or_default(),
            _ => String::new(),
        };
        match &self.scenario.actors[id.index()].params {
            ActorParams::LogConsumer(params) => {
                first(&params.group).unwrap_or_else(|| self.name(Node::Actor(id)).to_owned())
            }
            ActorParams::Consumer(params) => first(&params.queue).unwrap_or_else(queue),
            _ => String::new(),
        }
    }

    /// A consumer's group or queue, with all its consumers.
    fn team_of(&self, id: ActorId) -> Option<(String, Vec<Member>)> {
        let broker = self.broker_of(id)?;
        let name = self.team_name(id, broker);
        self.all_teams(broker).into_iter().find(|(other, _)| *other == name)
    }

    /// The consumers of a broker by group or queue, in the order of the document.
    fn all_teams(&self, broker: ActorId) -> Vec<(String, Vec<Member>)> {
        let mut teams: Vec<(String, Vec<Member>)> = Vec::new();
        for channel in self.scenario.channels.iter().filter(|c| c.from == broker.0) {
            let actor = ActorId(channel.to);
            let Some(node) = self.world.actors.get(actor.index()) else { continue };
            let Some((joined, _)) = joined(&node.machine) else { continue };
            let name = self.team_name(actor, broker);
            let member = Member { actor, joined };
            match teams.iter_mut().find(|(other, _)| *other == name) {
                Some((_, all)) => all.push(member),
                None => teams.push((name, vec![member])),
            }
        }
        teams
    }

    fn teams(&self, broker: ActorId) -> Vec<Stepper> {
        self.all_teams(broker).iter().map(|(name, all)| self.team(name, all)).collect()
    }

    fn team(&self, name: &str, all: &[Member]) -> Stepper {
        let (n_in, n) = (all.iter().filter(|m| m.joined).count(), all.len());
        let set = |member: &Member, joined: &str| {
            let id = self.scenario.id_of(Node::Actor(member.actor));
            Doing::Set(format!("{id}.joined"), joined.to_owned())
        };
        let who = |member: &Member| self.name(Node::Actor(member.actor));
        let less = match all.iter().rfind(|member| member.joined) {
            Some(member) => Step {
                words: self.pick(
                    format!("One consumer less: {} leaves", who(member)),
                    format!("减少一个消费者：{}离开", who(member)),
                ),
                deed: Some(set(member, "off")),
            },
            None => Step {
                words: self.pick(
                    format!("{name}: no consumer takes part."),
                    format!("{name}：没有消费者加入。"),
                ),
                deed: None,
            },
        };
        let more = match all.iter().find(|member| !member.joined) {
            Some(member) => Step {
                words: self.pick(
                    format!("One consumer more: {} joins", who(member)),
                    format!("增加一个消费者：{}加入", who(member)),
                ),
                deed: Some(set(member, "on")),
            },
            None => self.one_more(name, all),
        };
        Stepper {
            name: self.pick(format!("Consumers of {name}"), format!("{name} 的消费者")),
            value: if n_in == n { format!("{n}") } else { format!("{n_in} / {n}") },
            less,
            more,
        }
    }

    /// All take part: a group with a size grows.
    fn one_more(&self, name: &str, all: &[Member]) -> Step {
        let actors = &self.scenario.actors;
        let grows = all.iter().rfind(|member| actors[member.actor.index()].group.is_some());
        let id = grows.map(|member| actors[member.actor.index()].id.as_str());
        let Some(group) = id.and_then(|id| self.scenario.group_of(id)) else {
            return Step {
                words: self.pick(
                    format!("{name}: all consumers of the scenario take part."),
                    format!("{name}：场景中的消费者已全部加入。"),
                ),
                deed: None,
            };
        };
        let is_its = |id: &str| self.scenario.group_of(id).as_ref() == Some(&group);
        if MAX_COUNT as usize <= actors.iter().filter(|actor| is_its(&actor.id)).count() {
            return Step {
                words: self.pick(
                    format!("{name}: a scenario has at most {MAX_COUNT} of them."),
                    format!("{name}：一个场景最多 {MAX_COUNT} 个。"),
                ),
                deed: None,
            };
        }
        Step {
            words: self.pick("One consumer more: a new one joins", "增加一个消费者：新消费者加入"),
            deed: Some(Doing::Grow(group)),
        }
    }

    /// How many partitions the topic has: they only grow.
    fn partitions(&self, broker: ActorId) -> Stepper {
        let mut n = 0;
        if let Some(Actor::LogBroker(actor)) =
            self.world.actors.get(broker.index()).map(|node| &node.machine)
        {
            n = actor.params.partitions.0;
        }
        let most = index_of(LogBrokerParams::SPECS, "partitions")
            .map_or(n, |place| LogBrokerParams::SPECS[usize::from(place)].max().ordinal() as u32);
        let id = self.scenario.id_of(Node::Actor(broker));
        let set = || {
            let text = Value::Amount(Amount(n + 1)).show(&[]);
            Doing::Set(format!("{id}.partitions"), text)
        };
        let more = match n < most {
            true => Step {
                words: self
                    .pick(format!("One partition more: p{n}"), format!("增加一个分区：p{n}")),
                deed: Some(set()),
            },
            false => Step {
                words: self.pick(
                    format!("A topic has at most {most} partitions here."),
                    format!("这里一个主题最多 {most} 个分区。"),
                ),
                deed: None,
            },
        };
        let less = Step {
            words: self.pick(
                "Partitions only grow, as in Kafka: what is in one has nowhere else to go.",
                "与 Kafka 一样，分区只增不减：其中的记录无处可去。",
            ),
            deed: None,
        };
        Stepper { name: self.pick("Partitions", "分区"), value: format!("{n}"), less, more }
    }
}
