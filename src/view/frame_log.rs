//! A log broker and its clients at one instant.

use crate::model::ActorId;
use crate::model::actor::log::broker::Stored;
use crate::model::actor::log::{LogBrokerActor, LogConsumer, LogProducer};
use crate::model::group::{GroupState, Phase};
use crate::model::log::{Content, Isolation, PartitionNo, Replica, TxnEnd};
use crate::world::World;
use crate::world::arena::ActorNode;

use super::draw::Glyph;
use super::frame::{Body, Cell, Row, works_of};
use crate::kernel::SimTime;
use crate::model::MsgId;

/// A log broker.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Logs {
    /// Its partitions.
    pub tapes: Vec<Tape>,
    /// Its groups.
    pub groups: Vec<GroupFrame>,
    /// How many nodes are down.
    pub n_down: u32,
}

/// A partition as a tape.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tape {
    /// Offset of its oldest record.
    pub start: u64,
    /// Offset of its next record.
    pub end: u64,
    /// Consumers see what is below.
    pub high: u64,
    /// Those who read committed records see what is below: the last stable offset.
    pub stable: u64,
    /// The newest offsets that belong to transactions, rising, as far as they are open, aborted, or
    /// ends.
    pub notes: Vec<(u64, Note)>,
    /// Its replicas, by node.
    pub replicas: Vec<ReplicaFrame>,
    /// Where the groups stand, by group.
    pub marks: Vec<Option<GroupMark>>,
}

/// What a transaction makes of an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A record of one that is open.
    Open,
    /// A record of one that was aborted.
    Aborted,
    /// The control record that ends one, committed or not.
    End(TxnEnd),
}

/// Offsets at a tape's end that are looked at.
const NOTED: u64 = 96;

/// A replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaFrame {
    /// The node that holds it, from 1.
    pub node: u8,
    /// How it is.
    pub state: ReplicaState,
}

/// How a replica is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplicaState {
    /// It leads.
    Leader,
    /// It is in sync.
    InSync,
    /// It lacks so many records, and is out of sync.
    Behind(u64),
    /// Its node is down.
    Down,
}

/// Where a group stands in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupMark {
    /// Everything below is done.
    pub committed: u64,
    /// Everything below was handed out.
    pub handed: u64,
    /// Who reads it.
    pub owner: Option<ActorId>,
}

/// A group.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupFrame {
    /// Its name; empty: one consumer without a group.
    pub name: String,
    /// That consumer.
    pub single: Option<ActorId>,
    /// What it is doing.
    pub state: GroupState,
    /// Its generation.
    pub generation: u32,
    /// How many members it has.
    pub n_members: u32,
    /// Records that it has not committed, over all partitions.
    pub lag: u64,
}

/// Where a member stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Membership {
    /// Its partitions.
    pub owned: Vec<u8>,
    /// Its phase; `None`: it takes no part.
    pub phase: Option<Phase>,
}

pub(super) fn log_body(node: &ActorNode, actor: &LogBrokerActor) -> Body {
    let n_groups = actor.groups.len();
    let peer = |port: u16| node.seat.ports.get(usize::from(port)).map(|port| port.peer);
    let mut logs = Logs { n_down: actor.down.count_ones(), ..Logs::default() };
    let mut lags = vec![0; n_groups];
    for (n, shelf) in actor.shelves.iter().enumerate() {
        let Some(state) = actor.broker.partition(PartitionNo(n as u32)) else { continue };
        let longest = state.replicas().map(|(_, replica)| replica.log.end()).max().unwrap_or(0);
        let leading = state.leading();
        let end = leading.map_or(longest, |leader| leader.log.end());
        let replicas = state.replicas().map(|(number, replica)| {
            let state = match () {
                () if !replica.is_alive => ReplicaState::Down,
                () if state.leader() == Some(number) => ReplicaState::Leader,
                () if state.isr().contains(number) => ReplicaState::InSync,
                () => ReplicaState::Behind(end.saturating_sub(replica.log.end())),
            };
            ReplicaFrame { node: actor.node_of(n as u8, number) + 1, state }
        });
        let mut replicas: Vec<ReplicaFrame> = replicas.collect();
        replicas.sort_by_key(|replica| replica.node);
        let marks = shelf.deliveries.iter().enumerate().map(|(group, delivery)| {
            let delivery = delivery.as_ref()?;
            lags[group] += delivery.ids.len() as u64;
            Some(GroupMark {
                committed: delivery.committed,
                handed: delivery.handed_to,
                owner: delivery.owner.and_then(peer),
            })
        });
        let marks = marks.collect();
        let (start, high) = (leading.map_or(0, |l| l.log.start()), state.high_watermark());
        let stable = state.readable_end(Isolation::Committed);
        let notes = leading.map_or_else(Vec::new, notes_of);
        logs.tapes.push(Tape { start, end, high, stable, notes, replicas, marks });
    }
    logs.groups = actor
        .groups
        .iter()
        .zip(lags)
        .map(|(group, lag)| {
            let gauges = group.coordinator.gauges();
            GroupFrame {
                name: group.name.clone(),
                single: group.single.and_then(peer),
                state: gauges.state,
                generation: gauges.generation,
                n_members: gauges.n_members,
                lag,
            }
        })
        .collect();
    Body::Log(logs)
}

/// What transactions make of the newest offsets of a log.
fn notes_of(leader: &Replica<Stored>) -> Vec<(u64, Note)> {
    let from = leader.log.end().saturating_sub(NOTED);
    let mut notes = Vec::new();
    for batch in leader.log.batches_from(from) {
        let Some(stamp) = batch.stamp.filter(|stamp| stamp.is_transactional) else { continue };
        for record in leader.log.read(batch.base.max(from), batch.end()) {
            let producers = &leader.producers;
            let note = match record.content {
                Content::Commit => Note::End(TxnEnd::Commit),
                Content::Abort => Note::End(TxnEnd::Abort),
                _ if producers.is_aborted(stamp.producer, record.offset) => Note::Aborted,
                _ if producers.is_open(stamp.producer, record.offset) => Note::Open,
                _ => continue,
            };
            notes.push((record.offset, note));
        }
    }
    notes
}

pub(super) fn log_consumer_body(now: SimTime, consumer: &LogConsumer) -> Body {
    let cell = |msg: MsgId, again: bool| Cell {
        msg,
        glyph: if again { Glyph::Again } else { Glyph::Wait },
    };
    let batch = consumer.batch.iter().map(|job| cell(job.message.id, job.redelivered));
    let fetched = consumer.fetching.fetched.iter();
    let fetched = fetched.map(|record| cell(record.message.id, record.redelivered));
    let total = consumer.batch.len() + consumer.fetching.fetched.len();
    Body::Worker {
        works: works_of(now, &consumer.workers),
        workers: consumer.workers.busy.len() as u32,
        buffer: Row::of(total as u64, batch.chain(fetched)),
        outgoing: Row::default(),
        slow_ppm: consumer.workers.slow_ppm,
        member: Some(Membership {
            owned: consumer.readings.iter().map(|reading| reading.partition).collect(),
            phase: consumer.member.as_ref().map(|member| member.gauges().phase),
        }),
    }
}

pub(super) fn log_producer_body(world: &World, producer: &LogProducer) -> Body {
    let now = world.now();
    let next = producer.next_at.filter(|&at| at != SimTime::MAX).map(|at| {
        let left = at.since(now);
        let gap = producer.params.rate.interval().unwrap_or(left).max(left);
        let passed = 1.0 - left.as_ns() as f64 / gap.as_ns().max(1) as f64;
        (MsgId(world.ground.newest.0 + 1), left, passed as f32)
    });
    let waiting = producer.sender.accumulator();
    let later = producer.txn.iter().flat_map(|txn| &txn.waiting).map(|message| message.id);
    let all = waiting.records().map(|record| record.message.id).chain(later);
    let cells = all.map(|msg| Cell { msg, glyph: Glyph::New });
    let later = producer.txn.as_ref().map_or(0, |txn| txn.waiting.len() as u32);
    let n_waiting = producer.sender.gauges().n_waiting + later;
    Body::Producer {
        rate: producer.params.rate,
        arrivals: producer.params.arrivals,
        next,
        outbox: Row::of(u64::from(n_waiting), cells),
        unconfirmed: u64::from(producer.n_held - n_waiting.min(producer.n_held)),
        blocked: !producer.sender.has_room(),
    }
}
