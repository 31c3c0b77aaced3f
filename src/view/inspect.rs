//! The inspector: what is known of a chosen message, actor or channel, and why it waits.
//!
//! Plain data in words; the page paints it. A message's parts sum to its latency, to the
//! nanosecond: they come from the same account as the budget chart.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::Actor;
use crate::model::channel::Channel;
use crate::model::{ActorId, Cause, ChannelId, Command, Fact, MsgId, Node};
use crate::observe::{Account, Parts, Seen};
use crate::param::{Lang, Text};
use crate::view::caption::tell;
use crate::view::draw::Glyph;
use crate::view::inspect_chain::{Chain, chain_of};
use crate::view::members::Stepper;
use crate::view::words::Cast;
use crate::view::{Chosen, numbers};
use crate::world::scenario::Scenario;
use crate::world::{ActorState, World};

/// Most steps of a story that are shown; the newest ones.
const STORY: usize = 40;

/// What is chosen, and why it waits.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inspection {
    /// What is chosen.
    pub chosen: Chosen,
    /// The state of a message.
    pub glyph: Option<Glyph>,
    /// Its name.
    pub title: String,
    /// A word on its state.
    pub state: String,
    /// One sentence: why it waits.
    pub sentence: String,
    /// The budget, in the order of the chart.
    pub parts: Vec<Part>,
    /// What the parts sum to: its name and figure.
    pub total: Option<(String, String)>,
    /// Why TCP kept a message, one thing after the other.
    pub chain: Option<Chain>,
    /// Figures of an actor or channel.
    pub figures: Vec<(String, String)>,
    /// The story of a message, oldest first.
    pub story: Vec<Step>,
    /// What can be done to it.
    pub actions: Vec<Action>,
    /// Consumers and partitions: one more, one less.
    pub steppers: Vec<Stepper>,
    /// The machine on which an actor lives, by its place, if it runs lwIP.
    pub lwip: Option<u16>,
}

/// One part of a latency.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// Its cause.
    pub cause: Cause,
    /// Its figure.
    pub value: String,
    /// Its share, in hundred-thousandths.
    pub share: u32,
}

/// An instant and what happened then.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Step {
    /// The instant, in words.
    pub time: String,
    /// What happened.
    pub words: String,
}

/// Something that can be done to what is chosen.
#[derive(Clone, PartialEq, Debug)]
pub struct Action {
    /// Its word.
    pub label: Text,
    /// What is done.
    pub command: Command,
}

/// What the actors and channels of a scenario are called in sentences.
pub fn cast_of(scenario: &Scenario) -> Cast {
    let mut cast = Cast::default();
    for actor in &scenario.actors {
        cast.add_actor(&actor.id, actor.name.clone());
    }
    let ends = scenario.channels.iter().map(|c| (ActorId(c.from), ActorId(c.to)));
    cast.ends = ends.collect();
    cast
}

/// What the inspector reads.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The document.
    pub scenario: &'a Scenario,
    /// What its nodes are called.
    pub cast: &'a Cast,
    /// The world at the shown instant.
    pub world: &'a World,
    /// The sinks at that instant.
    pub seen: &'a Seen,
    /// The whole story of the chosen message, when the trace has forgotten its beginning.
    pub past: &'a [(SimTime, Fact)],
    /// The shown instant.
    pub now: SimTime,
    /// The language.
    pub lang: Lang,
}

/// What is known of the chosen thing.
pub fn inspect(subject: Subject<'_>, chosen: Chosen) -> Inspection {
    match chosen {
        Chosen::Nothing => Inspection::default(),
        Chosen::Message(msg) => subject.message(msg),
        Chosen::Actor(id) => subject.actor(id),
        Chosen::Channel(id) => subject.channel(id),
    }
}

const MESSAGE: Text = Text::new("Message", "消息");
const SINCE: Text = Text::new("since it was sent", "自发送起");
const LATENCY: Text = Text::new("from sending to delivery", "从发送到送达");

impl Subject<'_> {
    fn word(&self, text: Text) -> String {
        text.get(self.lang).to_string()
    }

    pub(super) fn name(&self, node: Node) -> &str {
        self.scenario.name_of(node).get(self.lang)
    }

    pub(super) fn pick(&self, en: impl Into<String>, zh: impl Into<String>) -> String {
        match self.lang {
            Lang::En => en.into(),
            Lang::Zh => zh.into(),
        }
    }

    fn message(&self, msg: MsgId) -> Inspection {
        let facts: Vec<(SimTime, Fact)> = match self.past {
            [] => self.seen.trace.about(msg).copied().collect(),
            past => past.to_vec(),
        };
        let account = match self.seen.accounts.get(msg) {
            Some(account) => Some(account.clone()),
            None => rebuilt(&facts),
        };
        let last = facts.last().map(|(_, fact)| *fact);
        let (glyph, state) = self.state_of(account.as_ref(), last);
        let mut inspection = Inspection {
            chosen: Chosen::Message(msg),
            glyph,
            title: format!("{} {}", MESSAGE.get(self.lang), numbers::count(msg.0)),
            state,
            sentence: self.why(msg, account.as_ref(), last),
            story: self.steps(&facts),
            chain: chain_of(msg, &facts, self.before(msg, &facts), self.cast, self.lang),
            ..Inspection::default()
        };
        if let Some(account) = account {
            let done = account.delivered.is_some() || account.holders == 0;
            let parts = account.parts_at(self.now);
            let whole = SimSpan::ns(parts.iter().sum());
            inspection.parts = listed(&parts);
            let name = if done { LATENCY } else { SINCE };
            inspection.total = Some((self.word(name), numbers::span(whole)));
        }
        inspection
    }

    /// The shape of a message's state and a word for it.
    fn state_of(&self, account: Option<&Account>, last: Option<Fact>) -> (Option<Glyph>, String) {
        let again = matches!(last, Some(Fact::Dispatched { redelivered: true, .. }))
            || self.was_redelivered(account);
        let (glyph, en, zh) = match (account, last) {
            (Some(a), _) if 1 < a.n_effects => (Glyph::Twice, "duplicated", "重复"),
            (Some(a), _) if a.delivered.is_some() => (Glyph::Done, "delivered", "已送达"),
            (Some(a), _) if a.holders == 0 => (Glyph::Lost, "lost", "丢失"),
            (_, Some(Fact::Requeued { .. })) => (Glyph::Again, "redelivered", "重新投递"),
            _ if again => (Glyph::Again, "redelivered", "重新投递"),
            (_, Some(Fact::Sent { .. })) => (Glyph::New, "new", "新建"),
            (Some(a), _) if a.cause == Cause::Propagation => (Glyph::Flight, "in flight", "在途"),
            (Some(_), _) => (Glyph::Wait, "waiting", "等待"),
            (None, Some(_)) => (Glyph::Flight, "in flight", "在途"),
            (None, None) => return (None, String::new()),
        };
        (Some(glyph), self.pick(en, zh))
    }

    fn was_redelivered(&self, account: Option<&Account>) -> bool {
        account.is_some_and(|a| {
            a.delivered.is_none() && 0 < a.parts_at(self.now)[Cause::LostDelivery.index()]
        })
    }

    /// One sentence: where the message is and what it waits for.
    fn why(&self, msg: MsgId, account: Option<&Account>, last: Option<Fact>) -> String {
        let Some(account) = account else {
            return match last {
                Some(fact) => self.sentence(&fact),
                None => self.pick("It is not on the stage at this instant.", "此刻它不在舞台上。"),
            };
        };
        if let Some(at) = account.delivered {
            let took = numbers::span(at.since(account.born));
            return self
                .pick(format!("It was delivered after {took}."), format!("{took} 后送达。"));
        }
        if account.holders == 0 {
            let why = account.last_drop.map_or("", |why| why.text().get(self.lang));
            return self.pick(format!("It is lost: {why}."), format!("它丢失了：{why}。"));
        }
        if let Some(words) = self.on_the_way(msg) {
            return words;
        }
        if let Some(words) = self.worked_on(msg) {
            return words;
        }
        if let Some(words) = self.queued(msg) {
            return words;
        }
        let cause = account.cause.text();
        self.pick(format!("It waits: {}.", cause.en), format!("它在等：{}。", cause.zh))
    }

    /// On a channel: where to, and when it arrives.
    fn on_the_way(&self, msg: MsgId) -> Option<String> {
        for node in &self.world.ground.channels {
            let Channel::Ideal(path) = &node.machine else { continue };
            for (lane, to) in path.lanes.iter().zip([node.to, node.from]) {
                let carries = |f: &&crate::model::channel::ideal::Flying| {
                    f.parcel.message().is_some_and(|m| m.id == msg)
                };
                if let Some(flying) = lane.flight.iter().find(carries) {
                    let to = self.name(Node::Actor(to));
                    let within = numbers::span(flying.arrive.since(self.now));
                    return Some(self.pick(
                        format!("It is on its way to {to} and arrives in {within}."),
                        format!("它正在去{to}的路上，还有 {within} 到达。"),
                    ));
                }
                if lane.inbox.iter().any(|f| carries(&f)) {
                    let to = self.name(Node::Actor(to));
                    return Some(self.pick(
                        format!("It has come to {to}, which does not read it yet."),
                        format!("它到了{to}，但对方还没有读取。"),
                    ));
                }
            }
        }
        None
    }

    /// At a consumer or responder: in work, or behind others.
    fn worked_on(&self, msg: MsgId) -> Option<String> {
        for (index, node) in self.world.actors.iter().enumerate() {
            let workers = match &node.machine {
                // What a log consumer polled is its batch, and told elsewhere.
                Actor::LogConsumer(_) => continue,
                machine => match machine.workers() {
                    Some(workers) => workers,
                    None => continue,
                },
            };
            let name = self.name(Node::Actor(ActorId(index as u16)));
            let mut busy = workers.busy.iter().flatten();
            if let Some(work) = busy.find(|work| work.job.message.id == msg) {
                let within = numbers::span(work.ends.since(self.now));
                return Some(self.pick(
                    format!("{name} works on it for another {within}."),
                    format!("{name}正在处理它，还需 {within}。"),
                ));
            }
            if let Some(ahead) = workers.buffer.iter().position(|job| job.message.id == msg) {
                let ahead = ahead + workers.busy.iter().flatten().count();
                return Some(self.pick(
                    format!("It waits at {name}; messages before it: {ahead}."),
                    format!("它在{name}等待，前面还有 {ahead} 条。"),
                ));
            }
        }
        None
    }

    /// In a broker's queue: behind how many.
    fn queued(&self, msg: MsgId) -> Option<String> {
        for (index, node) in self.world.actors.iter().enumerate() {
            let Actor::Broker(actor) = &node.machine else { continue };
            let name = self.name(Node::Actor(ActorId(index as u16)));
            for (_, queue) in actor.broker.queues() {
                if let Some(ahead) = queue.ready().position(|e| e.message.id == msg) {
                    let ahead = numbers::count(ahead as u64);
                    return Some(self.pick(
                        format!("It is ready at {name}; messages before it: {ahead}."),
                        format!("它在{name}待投递，前面还有 {ahead} 条。"),
                    ));
                }
            }
        }
        None
    }

    fn steps(&self, facts: &[(SimTime, Fact)]) -> Vec<Step> {
        let first = facts.len().saturating_sub(STORY);
        facts[first..].iter().map(|(at, fact)| self.step(*at, fact)).collect()
    }

    fn step(&self, at: SimTime, fact: &Fact) -> Step {
        Step { time: numbers::instant(at), words: self.sentence(fact) }
    }

    fn sentence(&self, fact: &Fact) -> String {
        tell(fact, self.cast, self.lang).say()
    }

    fn actor(&self, id: ActorId) -> Inspection {
        let Some(node) = self.world.actors.get(id.index()) else { return Inspection::default() };
        let (state, mut sentence) = match node.state {
            ActorState::Up => (self.pick("runs", "运行中"), self.busy(&node.machine)),
            ActorState::Paused { since } => {
                let ago = numbers::span(self.now.since(since));
                (
                    self.pick("stands still", "已暂停"),
                    self.pick(
                        format!("It was paused {ago} ago: it keeps everything and does nothing."),
                        format!("{ago} 前暂停：什么都留着，什么都不做。"),
                    ),
                )
            }
            ActorState::Crashed { since } => {
                let ago = numbers::span(self.now.since(since));
                (
                    self.pick("crashed", "已崩溃"),
                    self.pick(
                        format!("It crashed {ago} ago: its memory is gone."),
                        format!("{ago} 前崩溃：内存中的一切都没了。"),
                    ),
                )
            }
        };
        if sentence.is_empty() {
            sentence = self.pick("It waits for nothing.", "它没有在等什么。");
        }
        Inspection {
            chosen: Chosen::Actor(id),
            title: self.name(Node::Actor(id)).to_string(),
            state,
            sentence,
            figures: self.figures(&node.machine),
            actions: {
                let mut actions = actor_actions(id, node.state, &node.machine);
                actions.extend(self.join_action(id));
                actions
            },
            steppers: self.steppers(id),
            lwip: self.lwip_host(id),
            ..Inspection::default()
        }
    }

    /// What an actor that is up does or waits for.
    fn busy(&self, machine: &Actor) -> String {
        match machine {
            Actor::Producer(producer) => {
                if producer.outlets.iter().any(|outlet| outlet.blocked) {
                    return self.pick(
                        "It must wait: the next place takes no more.",
                        "它必须等待：下一站已满。",
                    );
                }
                self.makes_next(producer.next_at)
            }
            Actor::Broker(broker) => self.broker_says(broker),
            Actor::Consumer(consumer) => self.consumer_says(consumer),
            Actor::Responder(responder) => self.working(&responder.workers.busy),
            Actor::Script(script) => self.script(script),
            Actor::LogProducer(producer) => self.log_producer(producer),
            Actor::LogBroker(broker) => self.log_broker(broker),
            Actor::LogConsumer(consumer) => self.log_consumer(consumer),
            Actor::MqttPublisher(_)
            | Actor::MqttBroker(_)
            | Actor::MqttSubscriber(_)
            | Actor::WorkQueue(_) => self.mqtt_says(machine),
            Actor::Requester(requester) => {
                use crate::model::actor::requester::Client;
                let waits = |client: &&Client| matches!(client, Client::Waiting { .. });
                let n = requester.clients.iter().filter(waits).count();
                self.pick(
                    format!("Clients that wait for an answer: {n}."),
                    format!("{n} 个客户端在等应答。"),
                )
            }
        }
    }

    /// When a producer makes its next message.
    pub(super) fn makes_next(&self, next_at: Option<SimTime>) -> String {
        match next_at {
            Some(at) => {
                let within = numbers::span(at.since(self.now));
                self.pick(
                    format!("It makes its next message in {within}."),
                    format!("{within} 后生成下一条消息。"),
                )
            }
            None => self.pick("It has nothing more to send.", "它没有要发送的了。"),
        }
    }

    pub(super) fn working(&self, busy: &[Option<crate::model::actor::workers::Work>]) -> String {
        let next = busy.iter().flatten().min_by_key(|work| work.ends);
        match next {
            Some(work) => {
                let (msg, within) = (
                    numbers::count(work.job.message.id.0),
                    numbers::span(work.ends.since(self.now)),
                );
                self.pick(
                    format!("It works on message {msg} for another {within}."),
                    format!("它正在处理消息 {msg}，还需 {within}。"),
                )
            }
            None => self.pick("It is idle: nothing has come.", "它空闲：没有消息到来。"),
        }
    }

    fn channel(&self, id: ChannelId) -> Inspection {
        let Some(node) = self.world.ground.channels.get(id.index()) else {
            return Inspection::default();
        };
        let path = match &node.machine {
            Channel::Ideal(path) => path,
            Channel::Tcp(tcp) => return self.tcp_channel(id, tcp),
        };
        let on_way = |lane: usize| path.lanes[lane].flight.len() as u64;
        let (state, sentence) = if path.is_cut {
            let waits = path.lanes.iter().map(|lane| lane.stalled.len() as u64).sum();
            let waits = numbers::count(waits);
            (
                self.pick("cut", "已断开"),
                self.pick(
                    format!("Nothing passes; what waits at its ends: {waits}."),
                    format!("什么都过不去；两端等待的有 {waits} 个。"),
                ),
            )
        } else {
            (
                self.pick("carries", "畅通"),
                self.pick("It carries in both directions.", "它双向传送。"),
            )
        };
        let (from, to) = (self.name(Node::Actor(node.from)), self.name(Node::Actor(node.to)));
        let figures = vec![
            (self.pick(format!("on the way to {to}"), format!("去{to}途中")), on_way(0)),
            (self.pick(format!("on the way to {from}"), format!("去{from}途中")), on_way(1)),
        ];
        Inspection {
            chosen: Chosen::Channel(id),
            title: self.name(Node::Channel(id)).to_string(),
            state,
            sentence,
            figures: figures.into_iter().map(|(name, n)| (name, numbers::count(n))).collect(),
            actions: channel_actions(id, path.is_cut),
            ..Inspection::default()
        }
    }
}

/// The account of a message that nobody holds any more, if its whole story is still known.
fn rebuilt(facts: &[(SimTime, Fact)]) -> Option<Account> {
    let (born, first) = facts.first()?;
    let Fact::Sent { by, key, .. } = *first else { return None };
    let mut account = Account::new(*born, by, key);
    for (at, fact) in &facts[1..] {
        account.charge(*at, fact);
        account.holders = account.holders.saturating_add_signed(fact.holders());
        match fact {
            Fact::Done { answers: false, .. } | Fact::Answered { .. } => {
                account.settle();
                account.n_effects += 1;
                account.delivered.get_or_insert(*at);
            }
            _ => account.note_end(fact),
        }
    }
    Some(account)
}

/// The parts that are not nothing, in the order of the chart; their shares fill the bar.
fn listed(parts: &Parts) -> Vec<Part> {
    let whole: u128 = parts.iter().map(|ns| u128::from(*ns)).sum();
    let some = Cause::ALL.into_iter().filter(|cause| parts[cause.index()] != 0);
    some.map(|cause| {
        let ns = parts[cause.index()];
        Part {
            cause,
            value: numbers::span(SimSpan::ns(ns)),
            share: (u128::from(ns) * 100_000 / whole.max(1)) as u32,
        }
    })
    .collect()
}

const CRASH: Text = Text::new("Crash", "崩溃");
const RESTART: Text = Text::new("Restart", "重启");
const PAUSE: Text = Text::new("Pause", "暂停");
const RESUME: Text = Text::new("Resume", "恢复");
const SEND: Text = Text::new("Send one", "发送一条");
const CUT: Text = Text::new("Cut", "断开");
const MEND: Text = Text::new("Mend", "接通");
const DROP: Text = Text::new("Drop the next", "丢弃下一条");

fn actor_actions(id: ActorId, state: ActorState, machine: &Actor) -> Vec<Action> {
    let act = |label, command| Action { label, command };
    let mut actions = Vec::new();
    match state {
        ActorState::Up => {
            let sends = matches!(
                machine,
                Actor::Producer(_)
                    | Actor::Requester(_)
                    | Actor::LogProducer(_)
                    | Actor::MqttPublisher(_)
            );
            if sends {
                actions.push(act(SEND, Command::Send { actor: id }));
            }
            actions.push(act(CRASH, Command::Crash(id)));
            actions.push(act(PAUSE, Command::Pause(id)));
        }
        ActorState::Paused { .. } => {
            actions.push(act(RESUME, Command::Resume(id)));
            actions.push(act(CRASH, Command::Crash(id)));
        }
        ActorState::Crashed { .. } => actions.push(act(RESTART, Command::Restart(id))),
    }
    actions
}

pub(super) fn channel_actions(id: ChannelId, is_cut: bool) -> Vec<Action> {
    let cut = match is_cut {
        true => Action { label: MEND, command: Command::Mend(id) },
        false => Action { label: CUT, command: Command::Cut(id) },
    };
    let drop = Command::DropNth { channel: id, nth: 1 };
    vec![cut, Action { label: DROP, command: drop }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_budget_fill_the_bar_and_keep_its_order() {
        let mut parts = [0; Cause::COUNT];
        parts[Cause::Propagation.index()] = 65_300_000;
        parts[Cause::BrokerQueue.index()] = 22_700_000;
        parts[Cause::LostDelivery.index()] = 107_800_000;
        let listed = listed(&parts);
        let causes: Vec<Cause> = listed.iter().map(|part| part.cause).collect();
        assert_eq!(causes, [Cause::Propagation, Cause::BrokerQueue, Cause::LostDelivery]);
        let whole: u32 = listed.iter().map(|part| part.share).sum();
        assert!((99_990..=100_000).contains(&whole));
    }
}
