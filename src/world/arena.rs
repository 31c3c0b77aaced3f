//! The world: the two arenas on their ground, and the only way in which time moves.
//!
//! Invariants: one event runs at a time; an actor that is not up neither reads nor wakes; nothing
//! here keeps a count for a chart. A clone of a world goes on exactly as the original.

use crate::kernel::random::Streams;
use crate::kernel::{EventQueue, SimTime, Timer};
use crate::model::actor::{Actor, ActorParams, Client};
use crate::model::channel::tcp::WireParams;
use crate::model::channel::tcp::{Net, WireNode};
use crate::model::channel::{Channel, ChannelNode, ChannelParams};
use crate::model::command::{Command, Node};
use crate::model::fact::{Fact, FactLog, Why};
use crate::model::ground::{Ctx, Event, Ground, Lane, Port, Seat};
use crate::model::host::{HostNode, HostParams};
use crate::model::message::{ActorId, ChannelId, HostId, MsgId};
use crate::param::{Lang, Said, Text};

/// What a world is made of, in document order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// The run's seed.
    pub seed: u64,
    /// Hashes of the id and of the group's id, and the parameters, of each actor.
    pub actors: Vec<(u64, u64, ActorParams)>,
    /// Hash of the id, both ends and parameters of each channel.
    pub channels: Vec<(u64, ActorId, ActorId, ChannelParams)>,
    /// What happens when; sorted by time, ties in document order.
    pub faults: Vec<(SimTime, Command)>,
    /// Hash of the id, and profile and parameters, of each host.
    pub hosts: Vec<(u64, HostParams)>,
    /// Hash of the id, both hosts and parameters of each wire.
    pub wires: Vec<(u64, HostId, HostId, WireParams)>,
    /// The host of each actor; a plan without tcp channels needs none.
    pub homes: Vec<HostId>,
}

/// Whether an actor's process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActorState {
    /// It runs.
    Up,
    /// It stands still.
    Paused {
        /// Since when.
        since: SimTime,
    },
    /// It died.
    Crashed {
        /// Since when.
        since: SimTime,
    },
}

/// An actor of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorNode {
    /// Its name for random draws, and its ports.
    pub seat: Seat,
    /// Whether it runs.
    pub state: ActorState,
    /// Its wake-up.
    pub timer: Timer,
    /// What decides.
    pub machine: Actor,
}

/// Why a run cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// More events are pending than the queue holds.
    TooManyPending,
    /// Time does not move any more: too many events at one instant.
    Standstill,
}

impl Stop {
    /// What to tell the reader.
    pub fn text(self) -> Text {
        match self {
            Stop::TooManyPending => Text {
                en: "The run stopped: more than 16 million events are pending. \
                     Lower the rates or the delays.",
                zh: "运行已停止：待处理事件超过 1600 万个。请降低速率或延迟。",
            },
            Stop::Standstill => Text {
                en: "The run stopped: more than 10 million events at one instant. \
                     Something takes no time at all; give it some.",
                zh: "运行已停止：同一时刻的事件超过 1000 万个。某处不耗时间，请给它一些时间。",
            },
        }
    }
}

/// Most events at one instant.
pub const MAX_AT_INSTANT: u32 = 10_000_000;

/// A running simulation.
#[derive(Clone, PartialEq, Debug)]
pub struct World {
    /// Everything below the actors.
    pub ground: Ground,
    /// The arena of actors.
    pub actors: Vec<ActorNode>,
    /// What the scenario plans.
    pub faults: Vec<(SimTime, Command)>,
    pub(super) next_fault: u32,
    n_events: u64,
    n_at_instant: u32,
    stop: Option<Stop>,
}

impl World {
    /// The world at time zero, connections set up and every actor started.
    ///
    /// `listening`: keep facts for sinks.
    pub fn new(plan: &Plan, listening: bool) -> World {
        let mut facts = FactLog::default();
        facts.listening = listening;
        let ground = Ground {
            now: SimTime::ZERO,
            queue: EventQueue::new(),
            channels: plan.channels.iter().map(channel_node).collect(),
            streams: Streams::new(plan.seed),
            facts,
            newest: MsgId(0),
            hosts: plan.hosts.iter().map(|(path, params)| HostNode::new(*path, params)).collect(),
            wires: plan.wires.iter().map(wire_node).collect(),
            net: Net::default(),
        };
        let mut world = World {
            ground,
            actors: plan.actors.iter().map(actor_node).collect(),
            faults: plan.faults.clone(),
            next_fault: 0,
            n_events: 0,
            n_at_instant: 0,
            stop: None,
        };
        world.connect();
        world.place_tcp(plan);
        world.start();
        world.settle();
        world
    }

    /// Runs the next event, if it comes no later than `horizon`.
    #[inline]
    pub fn step(&mut self, horizon: SimTime) -> bool {
        if self.stop.is_some() {
            return false;
        }
        let Some((at, event)) = self.ground.queue.pop_until(horizon) else { return false };
        self.n_events += 1;
        if at != self.ground.now {
            self.ground.now = at;
            self.n_at_instant = 0;
        }
        self.n_at_instant += 1;
        self.run(event);
        if !self.ground.net.pokes.is_empty() {
            self.settle();
        }
        if self.n_at_instant == MAX_AT_INSTANT {
            self.stop = Some(Stop::Standstill);
        }
        if self.ground.queue.is_full() {
            self.stop = Some(Stop::TooManyPending);
        }
        true
    }

    /// Moves the clock to `to` without running anything. Nothing may be due before.
    pub fn stand_at(&mut self, to: SimTime) {
        if self.ground.now < to {
            debug_assert!(self.ground.queue.next_time().is_none_or(|next| to <= next));
            self.ground.now = to;
            self.n_at_instant = 0;
        }
    }

    /// Carries out a command at the current instant.
    ///
    /// Fails when the command names what is not there, or cannot be done to what it names.
    pub fn apply(&mut self, command: &Command) -> Result<(), Said> {
        let result = self.carry_out(command);
        self.settle();
        result
    }

    fn carry_out(&mut self, command: &Command) -> Result<(), Said> {
        match command {
            Command::Crash(actor) => self.crash(*actor),
            Command::Restart(actor) => self.restart(*actor),
            Command::TurnNode { actor, node, is_up } => self.turn_node(*actor, *node, *is_up),
            Command::Pause(actor) => self.pause(*actor),
            Command::Resume(actor) => self.resume(*actor),
            Command::Cut(channel) => self.cut(*channel),
            Command::Mend(channel) => self.mend(*channel),
            Command::DropNth { channel, nth } => {
                self.channel(*channel)?.machine.drop_nth(*nth);
                Ok(())
            }
            Command::LoseNth { channel, back, nth } => {
                let lane = if *back { Lane::Back } else { Lane::Forth };
                if self.channel(*channel)?.machine.lose_nth(lane, *nth) {
                    return Ok(());
                }
                Err(Said::new(
                    "only an ideal path loses a single parcel; TCP sends it again",
                    "只有理想通路会丢失单个包；TCP 会重传",
                ))
            }
            Command::Slow { actor, ppm } => self.slow(*actor, *ppm),
            Command::Send { actor } => self.send(*actor),
            Command::Set { node, param, value } => self
                .set(*node, *param, value)
                .map_err(|reason| Said::new(reason.say(Lang::En), reason.say(Lang::Zh))),
        }
    }

    /// The current instant.
    pub fn now(&self) -> SimTime {
        self.ground.now
    }

    /// When the next event comes.
    pub fn next_event(&self) -> Option<SimTime> {
        self.ground.queue.next_time()
    }

    /// How many events ran.
    pub fn n_events(&self) -> u64 {
        self.n_events
    }

    /// The digest over all facts so far.
    pub fn fingerprint(&self) -> u64 {
        self.ground.facts.fingerprint()
    }

    /// Why the run cannot go on, if it cannot.
    pub fn stopped(&self) -> Option<Stop> {
        self.stop
    }

    /// Rough size in bytes, to keep checkpoints within their budget.
    pub fn weight(&self) -> u64 {
        let pending = self.ground.queue.len() * 64;
        let held: u64 = self.actors.iter().map(|node| node.machine.n_held() * 64).sum();
        let carried = self.ground.channels.iter().map(|c| c.machine.n_messages() * 80);
        let wires = self.ground.wires.iter().map(|wire| {
            let flying = [Lane::Forth, Lane::Back].map(|lane| wire.machine.n_flying(lane));
            u64::from(flying[0] + flying[1]) * 256
        });
        // An end with what it has in flight.
        let ends = self.ground.channels.iter().filter(|c| matches!(c.machine, Channel::Tcp(_)));
        let tcp = ends.count() as u64 * 8_000 + wires.sum::<u64>();
        // A board with its rings and the blocks of its heap.
        let boards = self.ground.hosts.iter().filter(|host| host.board.is_some()).count() as u64;
        20_000 + pending + held + carried.sum::<u64>() + tcp + boards * 16_000
    }

    fn connect(&mut self) {
        for (n, channel) in self.ground.channels.iter_mut().enumerate() {
            let id = ChannelId(n as u16);
            let (from, to) = (channel.from, channel.to);
            let ports = &mut self.actors[from.index()].seat.ports;
            channel.from_port = ports.len() as u16;
            ports.push(Port { channel: id, out: Lane::Forth, peer: to });
            let ports = &mut self.actors[to.index()].seat.ports;
            channel.to_port = ports.len() as u16;
            ports.push(Port { channel: id, out: Lane::Back, peer: from });
        }
        for n in 0..self.actors.len() {
            let peers = self.actors[n].seat.ports.iter().map(|p| &self.actors[p.peer.index()]);
            let client = |peer: &ActorNode| {
                let Seat { path, group, .. } = peer.seat;
                Client { path, group, ..peer.machine.client() }
            };
            let clients: Vec<Client> = peers.map(client).collect();
            let ports = self.actors[n].seat.ports.iter();
            let is_broker: Vec<bool> = ports
                .map(|p| matches!(self.actors[p.peer.index()].machine, Actor::Broker(_)))
                .collect();
            match &mut self.actors[n].machine {
                Actor::Broker(broker) => clients.into_iter().for_each(|c| broker.attach(c)),
                Actor::WorkQueue(queue) => clients.iter().for_each(|_| queue.attach()),
                Actor::Responder(responder) => responder.is_broker = is_broker,
                _ => {}
            }
        }
        self.connect_log_brokers();
        self.connect_mqtt_brokers();
    }

    /// So does an MQTT broker; who is connected then has its session.
    fn connect_mqtt_brokers(&mut self) {
        for n in 0..self.actors.len() {
            if !matches!(self.actors[n].machine, Actor::MqttBroker(_)) {
                continue;
            }
            for place in 0..self.actors[n].seat.ports.len() {
                let peer = self.actors[n].seat.ports[place].peer;
                let client = match &self.actors[peer.index()].machine {
                    Actor::MqttPublisher(publisher) => publisher.client(),
                    Actor::MqttSubscriber(subscriber) => subscriber.client(),
                    _ => continue,
                };
                if let Actor::MqttBroker(broker) = &mut self.actors[n].machine {
                    broker.attach(client);
                }
            }
        }
    }

    /// A log broker knows its clients, and they its topic, before the clock starts.
    fn connect_log_brokers(&mut self) {
        for n in 0..self.actors.len() {
            let ports = self.actors[n].seat.ports.clone();
            let Actor::LogBroker(broker) = &self.actors[n].machine else { continue };
            let n_partitions = broker.params.partitions.0;
            for port in ports {
                let group = match &mut self.actors[port.peer.index()].machine {
                    Actor::LogProducer(producer) => {
                        producer.told_topic(n_partitions);
                        None
                    }
                    Actor::LogConsumer(consumer) => {
                        consumer.told_topic(n_partitions);
                        Some(consumer.group().to_owned())
                    }
                    _ => None,
                };
                if let Actor::LogBroker(broker) = &mut self.actors[n].machine {
                    broker.attach(group.as_deref());
                }
            }
        }
    }

    /// Consumers are subscribed before the clock starts; then every actor begins.
    fn start(&mut self) {
        for n in 0..self.ground.channels.len() {
            let channel = &self.ground.channels[n];
            let (from, port, to) = (channel.from, channel.from_port, channel.to);
            let hello = match &self.actors[to.index()].machine {
                Actor::Consumer(consumer) => consumer.subscription(),
                _ => None,
            };
            let Some(hello) = hello else { continue };
            if !matches!(self.actors[from.index()].machine, Actor::Broker(_) | Actor::WorkQueue(_))
            {
                continue;
            }
            if let Channel::Tcp(_) = channel.machine {
                // It waits for the handshake.
                let out = channel.to_port;
                self.handle(to, |_, cx| cx.write(out, hello, false));
            } else {
                self.handle(from, |machine, cx| machine.on_message(cx, port, hello));
            }
        }
        for n in 0..self.actors.len() {
            self.handle(ActorId(n as u16), |machine, cx| machine.on_start(cx));
        }
        self.schedule_fault();
    }

    #[inline]
    fn run(&mut self, event: Event) {
        match event {
            Event::Actor(id) => {
                let node = &mut self.actors[id.index()];
                if self.ground.queue.fired(&mut node.timer, event) {
                    self.handle(id, |machine, cx| machine.on_wake(cx));
                }
            }
            Event::Lane(channel, lane) => {
                let node = &mut self.ground.channels[channel.index()];
                if self.ground.queue.fired(&mut node.timers[lane.index()], event) {
                    if let Channel::Tcp(_) = node.machine {
                        return self.wake_end(channel, lane);
                    }
                    let readable = node.machine.on_wake(lane, self.ground.now);
                    self.ground.arm_lane(channel, lane);
                    if readable {
                        self.read(channel, lane);
                    }
                }
            }
            Event::Readable(channel, lane) => {
                self.ground.channels[channel.index()].machine.reader_told(lane);
                self.read(channel, lane);
            }
            Event::Writable(channel, lane) => {
                let (writer, port) = self.ground.channels[channel.index()].writer(lane);
                if self.actors[writer.index()].state == ActorState::Up {
                    self.handle(writer, |machine, cx| machine.on_writable(cx, port));
                }
            }
            Event::Planned => self.run_fault(),
            Event::Wire(wire, direction) => {
                let node = &mut self.ground.wires[wire.index()];
                if self.ground.queue.fired(&mut node.timers[direction.index()], event) {
                    self.ground.tcp_wire(wire, direction);
                }
            }
            Event::Host(host) => {
                let node = &mut self.ground.hosts[host.index()];
                if self.ground.queue.fired(&mut node.timer, event) {
                    self.ground.tcp_host(host);
                }
            }
        }
    }

    /// Calls a handler, then arms the actor's wake-up anew.
    #[inline]
    pub(super) fn handle<R>(
        &mut self,
        id: ActorId,
        call: impl FnOnce(&mut Actor, &mut Ctx<'_>) -> R,
    ) -> R {
        let node = &mut self.actors[id.index()];
        let result = call(&mut node.machine, &mut Ctx::new(id, &node.seat, &mut self.ground));
        self.rearm(id);
        result
    }

    /// The reader of a lane reads all that it wants.
    pub(super) fn read(&mut self, channel: ChannelId, lane: Lane) {
        let (reader, port) = self.ground.channels[channel.index()].reader(lane);
        match self.actors[reader.index()].state {
            ActorState::Paused { .. } => {}
            ActorState::Crashed { .. } => self.lose(reader, channel, lane),
            ActorState::Up => {
                while self.wants(reader, port) {
                    let Some(parcel) = self.ground.read(channel, lane) else { break };
                    let node = &mut self.actors[reader.index()];
                    let cx = &mut Ctx::new(reader, &node.seat, &mut self.ground);
                    node.machine.on_message(cx, port, parcel);
                }
                self.rearm(reader);
            }
        }
    }

    fn wants(&mut self, reader: ActorId, port: u16) -> bool {
        let node = &self.actors[reader.index()];
        node.machine.wants(&Ctx::new(reader, &node.seat, &mut self.ground), port)
    }

    /// What reaches a dead process is lost.
    fn lose(&mut self, reader: ActorId, channel: ChannelId, lane: Lane) {
        while let Some(parcel) = self.ground.read(channel, lane) {
            if let Some(message) = parcel.message() {
                let fact =
                    Fact::Dropped { msg: message.id, at: Node::Actor(reader), why: Why::Gone };
                self.ground.facts.state(self.ground.now, fact);
            }
        }
    }

    fn rearm(&mut self, id: ActorId) {
        let node = &mut self.actors[id.index()];
        match node.machine.next_wake() {
            Some(at) if node.state == ActorState::Up => {
                // What came due while it stood still, or before it was looked at, comes now.
                let at = at.max(self.ground.now);
                self.ground.queue.arm(&mut node.timer, at, Event::Actor(id));
            }
            _ => self.ground.queue.disarm(&mut node.timer),
        }
    }
}

fn channel_node((path, from, to, params): &(u64, ActorId, ActorId, ChannelParams)) -> ChannelNode {
    ChannelNode {
        path: *path,
        from: *from,
        to: *to,
        from_port: 0,
        to_port: 0,
        timers: [Timer::default(), Timer::default()],
        machine: Channel::new(params.clone()),
    }
}

fn wire_node((path, from, to, params): &(u64, HostId, HostId, WireParams)) -> WireNode {
    WireNode::new(*path, [*from, *to], params)
}

fn actor_node((path, group, params): &(u64, u64, ActorParams)) -> ActorNode {
    ActorNode {
        seat: Seat { path: *path, group: *group, ports: Vec::new() },
        state: ActorState::Up,
        timer: Timer::default(),
        machine: Actor::new(params.clone()),
    }
}
