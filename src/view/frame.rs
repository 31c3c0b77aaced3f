//! One instant in the viewer's words: plain data, without places on the screen.
//!
//! It reads the machines and says what a viewer needs: what waits where, what is on its way and
//! how far, who works on what. Long queues are listed up to [`CELLS`]; their number is exact.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::arrivals::Arrivals;
use crate::model::actor::requester::Client;
use crate::model::actor::workers::{Job, Workers};
use crate::model::actor::{Actor, BrokerActor, Producer, Requester};
use crate::model::channel::Channel;
use crate::model::channel::ideal::{Flying, LaneState};
use crate::model::ground::Lane;
use crate::model::log_parcel::LogParcel;
use crate::model::message::Parcel;
use crate::model::mqtt_parcel::MqttPacket;
use crate::model::{ActorId, ChannelId, Command, Fact, MsgId};
use crate::param::{Amount, BitRate, Rate, Text};
use crate::world::World;
use crate::world::arena::{ActorNode, ActorState};

use super::board::Board;
use super::draw::Glyph;
use super::ends::{End, Script};
use super::frame_log::{Logs, Membership, log_body, log_consumer_body, log_producer_body};
use super::frame_mqtt::{mqtt_body, publisher_body, subscriber_body};
use super::frame_tcp::{boards_of, ends_of, profile_of, script_of};
use super::frame_workqueue::work_queue_body;
use super::wiring::{self, Wiring};

/// Most cells of one row that are listed.
pub const CELLS: usize = 400;
/// Most dots on the stage; beyond this every channel becomes a flow.
pub const DOTS: usize = 20_000;
/// Messages that pass a point in a second of the viewer's time before they become a flow.
pub const FLOW_PER_SECOND: f64 = 2_000.0;
/// Messages on one lane whose rate is said, because they are too many to count.
const MANY_ON_LANE: usize = 400;
/// Messages on one lane before they become a flow.
const FLOW_ON_LANE: usize = 12_000;
/// Most that wait in line at an end of a channel and are drawn.
const IN_LINE: usize = 16;
/// What a consumer without a subscription says, and in short.
const CANCELLED: (Text, Text) =
    (Text::new("not subscribed", "未订阅"), Text::new("cancelled", "未订阅"));

/// One instant.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Frame {
    /// The instant.
    pub now: SimTime,
    /// By actor id.
    pub cards: Vec<Card>,
    /// Everything on its way that is drawn one by one.
    pub dots: Vec<Dot>,
    /// By channel id.
    pub paths: Vec<Path>,
    /// The boards among the hosts, in their order.
    pub boards: Vec<Board>,
}

/// What a channel shows besides dots.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Path {
    /// One-way delay.
    pub delay: SimSpan,
    /// Chance of loss, in millionths.
    pub loss_ppm: u32,
    /// Nothing passes.
    pub is_cut: bool,
    /// Messages a second, when there are too many to tell apart.
    pub rate: Option<f64>,
    /// They are drawn as a flow, not as dots.
    pub is_flow: bool,
    /// A wire's bit rate; an ideal path has none.
    pub wire: Option<BitRate>,
    /// Messages that wait at the entrance and at the exit.
    pub waiting: [u64; 2],
}

/// Something on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dot {
    /// On which channel.
    pub channel: ChannelId,
    /// Where: 0 at the channel's `from`, 1 at its `to`.
    pub at: f32,
    /// Its place in the line of those that wait at that end: 1 is the first; 0 for what moves.
    pub in_line: u8,
    /// Whether it runs towards `from`.
    pub back: bool,
    /// What it is.
    pub glyph: Glyph,
    /// Which message it is or speaks of.
    pub msg: MsgId,
}

/// Whether a process runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Life {
    /// It runs.
    Up,
    /// It stands still.
    Paused,
    /// It died.
    Crashed {
        /// So long ago.
        ago: SimSpan,
        /// It restarts after this, and so much of the time until then has passed.
        restart: Option<(SimSpan, f32)>,
    },
}

/// An actor.
#[derive(Clone, PartialEq, Debug)]
pub struct Card {
    /// Whether it runs.
    pub life: Life,
    /// What it holds and does.
    pub body: Body,
    /// Its ends of TCP connections, in the order of its ports.
    pub ends: Vec<End>,
    /// The profile of its host, if it has such ends.
    pub profile: &'static str,
}

/// What an actor holds and does, by kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// A producer.
    Producer {
        /// Its mean rate.
        rate: Rate,
        /// The law of its arrivals.
        arrivals: Arrivals,
        /// Number of the next message, time to it, share of the gap that has passed.
        next: Option<(MsgId, SimSpan, f32)>,
        /// Made and not yet written.
        outbox: Row,
        /// Written and not yet confirmed.
        unconfirmed: u64,
        /// Its channel takes nothing.
        blocked: bool,
    },
    /// A queue broker.
    Broker {
        /// Its queues.
        queues: Vec<Queue>,
        /// Delivered and not acknowledged, by consumer.
        held: Vec<Held>,
        /// Publishes that wait for room.
        waiting: u64,
        /// How its exchanges and queues hang together.
        wiring: Wiring,
    },
    /// A consumer or responder.
    Worker {
        /// What is being worked on.
        works: Vec<Work>,
        /// How many can work at once.
        workers: u32,
        /// What waits in its memory.
        buffer: Row,
        /// Worked on, and waiting for the next place.
        outgoing: Row,
        /// Its work takes so many millionths of its normal time.
        slow_ppm: u32,
        /// Its place in the group of a log broker.
        member: Option<Membership>,
        /// What it says when it is idle, if that is not enough; and in short.
        note: Option<(Text, Text)>,
    },
    /// A log broker.
    Log(Logs),
    /// A requester.
    Requester {
        /// Its clients.
        clients: u64,
        /// Requests under way: number, and since when.
        waiting: Vec<(MsgId, SimSpan)>,
        /// How many are under way.
        n_waiting: u64,
        /// Time to the next request.
        next: Option<SimSpan>,
    },
    /// A script.
    Script(Script),
}

/// A queue.
#[derive(Clone, PartialEq, Debug)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// What is ready, the head first.
    pub ready: Row,
    /// How many fit, unless there is no limit.
    pub capacity: Option<u32>,
}

/// What a queue is called.
#[derive(Clone, PartialEq, Debug)]
pub enum QueueName {
    /// As the document has it.
    Own(String),
    /// It is that client's.
    Actor(ActorId),
    /// As the page has it.
    Text(Text),
}

/// What a consumer holds of a broker's messages.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// Who.
    pub by: ActorId,
    /// Its messages, the oldest first.
    pub row: Row,
    /// How many it may hold; 0 sets no limit.
    pub slots: u32,
    /// Whether it is gone.
    pub gone: bool,
}

/// Messages side by side.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Row {
    /// The first of them.
    pub cells: Vec<Cell>,
    /// How many there are.
    pub total: u64,
}

/// A message in a row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cell {
    /// Which.
    pub msg: MsgId,
    /// Its state.
    pub glyph: Glyph,
}

/// Work under way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Work {
    /// On which message.
    pub msg: MsgId,
    /// How much is done, 0 to 1.
    pub done: f32,
    /// Time to its end.
    pub left: SimSpan,
    /// Whether it was delivered before.
    pub again: bool,
}

impl Row {
    /// A row of messages, the first listed.
    pub(super) fn of(total: u64, cells: impl Iterator<Item = Cell>) -> Row {
        Row { cells: cells.take(CELLS).collect(), total }
    }
}

impl Frame {
    /// Lights what messages passed just now. `newest`: the newest facts, newest first.
    pub fn light<'a>(
        &mut self,
        newest: impl Iterator<Item = &'a (SimTime, Fact)> + Clone,
        speed: f64,
    ) {
        let back = (speed * wiring::LIT_S * 1e9).clamp(0.0, 1e18) as u64;
        let since = SimTime::from_ns(self.now.ns().saturating_sub(back));
        for (n, card) in self.cards.iter_mut().enumerate() {
            if let Body::Broker { wiring, .. } = &mut card.body {
                wiring.light(ActorId(n as u16), newest.clone(), since);
            }
        }
    }

    /// The instant at which a world stands. `speed`: simulated seconds in a second of the viewer.
    pub fn of(world: &World, speed: f64) -> Frame {
        let mut frame = Frame { now: world.now(), ..Frame::default() };
        frame.cards =
            world.actors.iter().enumerate().map(|(n, node)| card(world, n, node)).collect();
        for (n, channel) in world.ground.channels.iter().enumerate() {
            let ideal = match &channel.machine {
                Channel::Ideal(ideal) => ideal,
                Channel::Tcp(tcp) => {
                    frame.tcp(world, ChannelId(n as u16), tcp);
                    continue;
                }
            };
            let [forth, back] = &ideal.lanes;
            let rates = [rate(forth), rate(back)];
            let flows = |(lane, rate): (&LaneState, &Option<f64>)| {
                FLOW_ON_LANE < lane.flight.len()
                    || rate.is_some_and(|rate| FLOW_PER_SECOND < rate * speed)
            };
            let is_flow = [forth, back].into_iter().zip(&rates).any(flows);
            let many = MANY_ON_LANE <= forth.flight.len().max(back.flight.len());
            let waits = |held: usize| held as u64;
            frame.paths.push(Path {
                delay: ideal.params.delay,
                loss_ppm: ideal.params.loss.0,
                is_cut: ideal.is_cut,
                rate: rates[0].or(rates[1]).filter(|_| is_flow || many),
                is_flow,
                wire: None,
                waiting: [waits(forth.stalled.len()), waits(forth.inbox.len())],
            });
            if !is_flow && frame.dots.len() < DOTS {
                let id = ChannelId(n as u16);
                frame.dots_of(id, Lane::Forth, forth);
                frame.dots_of(id, Lane::Back, back);
            }
        }
        if world.n_events() == 0 {
            frame.dots.extend(first_message(world));
        }
        frame.boards = boards_of(world);
        frame
    }

    /// Adds a lane's dots.
    fn dots_of(&mut self, channel: ChannelId, lane: Lane, state: &LaneState) {
        let back = lane.is_back();
        for flying in &state.flight {
            let Some((glyph, msg)) = sign(&flying.parcel) else { continue };
            let share = share(self.now, flying);
            let at = if back { 1.0 - share } else { share };
            self.dots.push(Dot { channel, at, in_line: 0, back, glyph, msg });
        }
        let unread = state.inbox.iter().map(|flying| &flying.parcel);
        let stalled = state.stalled.iter().map(|(_, parcel)| parcel);
        // What waits stands in a line, the first to go at the end.
        let far = if back { 0.0 } else { 1.0 };
        let unread = unread.zip(std::iter::repeat(far));
        let stalled = stalled.zip(std::iter::repeat(1.0 - far)).take(IN_LINE);
        for line in [unread.take(IN_LINE).collect::<Vec<_>>(), stalled.collect()] {
            for (i, (parcel, at)) in line.into_iter().enumerate() {
                let Some((glyph, msg)) = sign(parcel) else { continue };
                let glyph = if glyph == Glyph::Ack { glyph } else { Glyph::Wait };
                self.dots.push(Dot { channel, at, in_line: i as u8 + 1, back, glyph, msg });
            }
        }
    }
}

/// Before anything happened: the message that will come first, at its producer.
fn first_message(world: &World) -> Option<Dot> {
    let producers = world.actors.iter().filter_map(|node| match &node.machine {
        Actor::Producer(producer) => Some((producer.next_at?, node.seat.ports.first()?.channel)),
        _ => None,
    });
    let (_, channel) = producers.min_by_key(|(at, _)| *at)?;
    Some(Dot { channel, at: 0.08, in_line: 0, back: false, glyph: Glyph::New, msg: MsgId(1) })
}

/// How far a parcel has come. What waits for the bytes ahead has not started.
fn share(now: SimTime, flying: &Flying) -> f32 {
    let start = flying.depart.ns() + flying.waited;
    let way = flying.arrive.ns().saturating_sub(start);
    let gone = now.ns().saturating_sub(start);
    if way == 0 { 1.0 } else { (gone as f64 / way as f64).min(1.0) as f32 }
}

/// How a parcel is drawn, and which message it speaks of. Greetings are not drawn.
fn sign(parcel: &Parcel) -> Option<(Glyph, MsgId)> {
    let glyph = match parcel {
        Parcel::Publish { .. } | Parcel::Request { .. } => Glyph::Flight,
        Parcel::Deliver { redelivered: true, .. } => Glyph::Again,
        Parcel::Deliver { .. } => Glyph::Flight,
        Parcel::Reply { .. } => Glyph::Done,
        Parcel::Returned { .. } => Glyph::Again,
        Parcel::Confirm { accepted: false, .. } | Parcel::Reject { .. } => Glyph::Lost,
        Parcel::Confirm { .. } | Parcel::Ack { .. } | Parcel::Touch { .. } => Glyph::Ack,
        Parcel::Log(LogParcel::Produce(_)) => Glyph::Flight,
        Parcel::Log(LogParcel::Fetched(record)) => {
            if record.redelivered {
                Glyph::Again
            } else {
                Glyph::Flight
            }
        }
        Parcel::Mqtt(parcel) => match parcel.packet {
            MqttPacket::Publish { dup: true, .. } => Glyph::Again,
            MqttPacket::Publish { .. } => Glyph::Flight,
            MqttPacket::Answer { .. } => Glyph::Ack,
            _ => return None,
        },
        // Requests and answers without records are not drawn: they speak of no message.
        Parcel::Log(_) | Parcel::Subscribe { .. } | Parcel::Get { .. } => return None,
        Parcel::Opened | Parcel::Closed | Parcel::Cancel => return None,
    };
    Some((glyph, parcel.about()?))
}

/// Messages per second on a lane, when there are enough of them to say.
fn rate(lane: &LaneState) -> Option<f64> {
    let n = lane.flight.len();
    if n < 64 {
        return None;
    }
    let (first, last) = (lane.flight.front()?, lane.flight.back()?);
    let span = last.arrive.since(first.arrive).as_secs_f64();
    Some((n - 1) as f64 / span.max(1e-9))
}

/// An actor's card.
fn card(world: &World, n: usize, node: &ActorNode) -> Card {
    let id = ActorId(n as u16);
    let now = world.now();
    let life = match node.state {
        ActorState::Up => Life::Up,
        ActorState::Paused { .. } => Life::Paused,
        ActorState::Crashed { since } => {
            let planned = world.faults.iter().find(|(at, command)| {
                now <= *at && matches!(command, Command::Restart(actor) if *actor == id)
            });
            let restart = planned.map(|(at, _)| {
                let whole = at.since(since).as_ns().max(1) as f64;
                (at.since(now), (now.since(since).as_ns() as f64 / whole) as f32)
            });
            Life::Crashed { ago: now.since(since), restart }
        }
    };
    let body = match &node.machine {
        Actor::Producer(producer) => producer_body(world, producer),
        Actor::Broker(broker) => broker_body(world, node, broker),
        Actor::Consumer(consumer) => {
            let note = (!consumer.params.joined).then_some(CANCELLED);
            worker_body(now, &consumer.workers, &consumer.outgoing, note)
        }
        Actor::Responder(responder) => {
            worker_body(now, &responder.workers, &Default::default(), None)
        }
        Actor::Requester(requester) => requester_body(now, requester),
        Actor::Script(script) => Body::Script(script_of(now, script)),
        Actor::LogProducer(producer) => log_producer_body(world, producer),
        Actor::LogBroker(broker) => log_body(node, broker),
        Actor::LogConsumer(consumer) => log_consumer_body(now, consumer),
        Actor::MqttPublisher(publisher) => publisher_body(world, publisher),
        Actor::MqttBroker(broker) => mqtt_body(world, node, broker),
        Actor::MqttSubscriber(subscriber) => subscriber_body(now, subscriber),
        Actor::WorkQueue(queue) => work_queue_body(world, node, queue),
    };
    Card { life, body, ends: ends_of(world, node), profile: profile_of(world, node) }
}

/// The next message of a producer: its number, time to it, share of the gap that has passed.
pub(super) fn next_message(
    world: &World,
    next_at: Option<SimTime>,
    rate: Rate,
) -> Option<(MsgId, SimSpan, f32)> {
    let at = next_at.filter(|&at| at != SimTime::MAX)?;
    let left = at.since(world.now());
    // How far the clock has run is measured by the mean gap; the real one is drawn anew.
    let gap = rate.interval().unwrap_or(left).max(left);
    let passed = 1.0 - left.as_ns() as f64 / gap.as_ns().max(1) as f64;
    Some((MsgId(world.ground.newest.0 + 1), left, passed as f32))
}

fn producer_body(world: &World, producer: &Producer) -> Body {
    let outboxes = || producer.outlets.iter().flat_map(|outlet| &outlet.outbox);
    let cells = outboxes().map(|m| Cell { msg: m.id, glyph: Glyph::New });
    Body::Producer {
        rate: producer.params.rate,
        arrivals: producer.params.arrivals,
        next: next_message(world, producer.next_at, producer.params.rate),
        outbox: Row::of(outboxes().count() as u64, cells),
        unconfirmed: producer.outlets.iter().map(|outlet| outlet.unconfirmed.len() as u64).sum(),
        blocked: producer.outlets.iter().any(|outlet| outlet.blocked),
    }
}

fn broker_body(world: &World, node: &ActorNode, broker: &BrokerActor) -> Body {
    let capacity = broker.params.capacity;
    let cell = |msg: MsgId, again: bool| Cell {
        msg,
        glyph: if again { Glyph::Again } else { Glyph::Wait },
    };
    let queues = broker.queues.iter().zip(&broker.params.queues.0).filter_map(|(&id, name)| {
        let queue = broker.broker.queue(id?)?;
        let ready = queue.ready().map(|entry| cell(entry.message.id, entry.redelivered));
        Some(Queue {
            name: QueueName::Own(name.clone()),
            ready: Row::of(u64::from(queue.n_ready()), ready),
            capacity: (capacity != Amount::UNLIMITED).then_some(capacity.0),
        })
    });
    let consumers = node.seat.ports.iter().zip(&broker.peers).filter(|(port, peer)| {
        let is_consumer = matches!(world.actors[port.peer.index()].machine, Actor::Consumer(_));
        is_consumer && !port.out.is_back() && !peer.auto_ack
    });
    let held = consumers.map(|(port, peer)| {
        let peer_node = &world.actors[port.peer.index()];
        let slots = match &peer_node.machine {
            Actor::Consumer(consumer) if consumer.params.prefetch != Amount::UNLIMITED => {
                consumer.params.prefetch.0
            }
            _ => 0,
        };
        let unacked = || broker.broker.channel(peer.channel).into_iter().flat_map(|c| c.unacked());
        let cells = unacked().map(|u| cell(u.entry.message.id, u.entry.redelivered));
        Held {
            by: port.peer,
            row: Row::of(unacked().count() as u64, cells),
            slots,
            gone: matches!(peer_node.state, ActorState::Crashed { .. }),
        }
    });
    Body::Broker {
        queues: queues.collect(),
        held: held.collect(),
        waiting: broker.peers.iter().filter(|peer| peer.waiting.is_some()).count() as u64,
        wiring: Wiring::of(broker),
    }
}

pub(super) fn worker_body(
    now: SimTime,
    workers: &Workers,
    outgoing: &std::collections::VecDeque<Job>,
    note: Option<(Text, Text)>,
) -> Body {
    let cell = |job: &Job| Cell {
        msg: job.message.id,
        glyph: if job.redelivered { Glyph::Again } else { Glyph::Wait },
    };
    Body::Worker {
        works: works_of(now, workers),
        workers: workers.busy.len() as u32,
        buffer: Row::of(workers.buffer.len() as u64, workers.buffer.iter().map(cell)),
        outgoing: Row::of(outgoing.len() as u64, outgoing.iter().map(cell)),
        slow_ppm: workers.slow_ppm,
        member: None,
        note,
    }
}

/// Work under way.
pub(super) fn works_of(now: SimTime, workers: &Workers) -> Vec<Work> {
    let works = workers.busy.iter().flatten().map(|work| {
        let whole = work.ends.since(work.started).as_ns().max(1) as f64;
        Work {
            msg: work.job.message.id,
            done: (now.since(work.started).as_ns() as f64 / whole).min(1.0) as f32,
            left: work.ends.since(now),
            again: work.job.redelivered,
        }
    });
    works.take(64).collect()
}

fn requester_body(now: SimTime, requester: &Requester) -> Body {
    let asked = || {
        requester.clients.iter().filter_map(|client| match client {
            Client::Waiting { message, .. } | Client::Blocked { message } => Some(message),
            _ => None,
        })
    };
    let thinking = requester.clients.iter().filter_map(|client| match client {
        Client::Thinking { until } => Some(until.since(now)),
        _ => None,
    });
    Body::Requester {
        clients: requester.clients.len() as u64,
        waiting: asked().take(8).map(|m| (m.id, now.since(m.born))).collect(),
        n_waiting: asked().count() as u64,
        next: thinking.min(),
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
