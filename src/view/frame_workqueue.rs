//! A work queue at one instant: a row for each state of its jobs.

use crate::model::actor::{Actor, WorkQueueActor};
use crate::model::workqueue::JobState;
use crate::param::{Amount, Text};
use crate::world::World;
use crate::world::arena::{ActorNode, ActorState};

use super::draw::Glyph;
use super::frame::{Body, CELLS, Cell, Held, Queue, QueueName, Row};
use super::wiring::Wiring;
use crate::model::actor::workqueue::Stored;

const READY: Text = Text::new("ready", "就绪");
const DELAYED: Text = Text::new("delayed", "延迟");
const BURIED: Text = Text::new("buried", "搁置");

/// Whether a job in that state belongs to a row.
type Belongs = fn(JobState) -> bool;

/// Jobs as a row; those that were reserved more often than `first` come again.
fn row(jobs: &mut dyn Iterator<Item = &Stored>, first: u32) -> Row {
    let mut row = Row::default();
    for job in jobs {
        row.total += 1;
        if row.cells.len() < CELLS {
            let glyph = if job.n_reserved <= first { Glyph::Wait } else { Glyph::Again };
            row.cells.push(Cell { msg: job.message.id, glyph });
        }
    }
    row
}

pub(super) fn work_queue_body(world: &World, node: &ActorNode, actor: &WorkQueueActor) -> Body {
    let states: [(Text, Belongs); 3] = [
        (READY, |state| state == JobState::Ready),
        (DELAYED, |state| matches!(state, JobState::Delayed { .. })),
        (BURIED, |state| state == JobState::Buried),
    ];
    let queues = states.map(|(name, is_so)| Queue {
        name: QueueName::Text(name),
        ready: row(&mut actor.jobs_in(is_so), 0),
        capacity: None,
    });
    let mut held = Vec::new();
    for (n, port) in node.seat.ports.iter().enumerate() {
        let peer = &world.actors[port.peer.index()];
        let Actor::Consumer(consumer) = &peer.machine else { continue };
        let slots = match consumer.params.prefetch {
            Amount::UNLIMITED => 0,
            Amount(n) => n,
        };
        held.push(Held {
            by: port.peer,
            row: row(&mut actor.held_by(n as u16), 1),
            slots,
            gone: matches!(peer.state, ActorState::Crashed { .. }),
        });
    }
    Body::Broker { queues: queues.into(), held, waiting: 0, wiring: Wiring::default() }
}
