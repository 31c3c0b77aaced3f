//! An MQTT broker and its clients at one instant: each session is a queue.

use crate::kernel::SimTime;
use crate::model::ActorId;
use crate::model::actor::Actor;
use crate::model::actor::mqtt::broker::client_at;
use crate::model::actor::mqtt::{
    MqttBrokerActor, MqttBrokerParams, MqttPublisher, MqttSubscriber, QosWish,
};
use crate::model::message::Message;
use crate::param::{Amount, Text};
use crate::world::World;
use crate::world::arena::{ActorNode, ActorState};

use super::draw::Glyph;
use super::frame::{Body, CELLS, Cell, Held, Queue, QueueName, Row, next_message, worker_body};
use super::wiring::Wiring;

const RETAINED: Text = Text::new("retained", "保留消息");
const UNRELEASED: Text = Text::new("to release", "待释放");
pub(super) const NOT_CONNECTED: Text = Text::new("not connected", "未连接");

/// Messages as a row.
fn row(messages: &mut dyn Iterator<Item = &Message>, glyph: Glyph) -> Row {
    let mut row = Row::default();
    for message in messages {
        row.total += 1;
        if row.cells.len() < CELLS {
            row.cells.push(Cell { msg: message.id, glyph });
        }
    }
    row
}

/// Sessions of subscribers as queues; what is unanswered as what they hold. Then what is retained,
/// and what publishers have not released.
pub(super) fn mqtt_body(world: &World, node: &ActorNode, actor: &MqttBrokerActor) -> Body {
    let mut queues = Vec::new();
    let mut held = Vec::new();
    let capacity = capacity(&actor.params);
    for (place, (port, peer)) in node.seat.ports.iter().zip(&actor.peers).enumerate() {
        if peer.client.filters.is_empty() {
            continue;
        }
        let session = actor.broker.session(client_at(place as u16));
        let is_there = session.is_some_and(|session| session.is_connected);
        let (mut ready, mut under_way) = (Row::default(), Row::default());
        if let Some(outgoing) = session.map(|session| &session.outgoing) {
            if is_there {
                ready = row(&mut outgoing.waiting(), Glyph::Wait);
                under_way = row(&mut outgoing.unanswered(), Glyph::Wait);
            } else {
                // Nobody is there to answer: all of it waits.
                let all = &mut outgoing.unanswered().chain(outgoing.waiting());
                ready = row(all, Glyph::Wait);
            }
        }
        queues.push(Queue { name: QueueName::Actor(port.peer), ready, capacity });
        held.push(Held {
            by: port.peer,
            row: under_way,
            slots: actor.params.in_flight.0,
            gone: !is_there || is_crashed(world, port.peer),
        });
    }
    let publishers = || {
        node.seat.ports.iter().filter_map(|port| match &world.actors[port.peer.index()].machine {
            Actor::MqttPublisher(publisher) => Some(publisher),
            _ => None,
        })
    };
    if publishers().any(|publisher| publisher.params.retain) {
        let kept = &mut actor.broker.retained().map(|kept| &kept.message.payload);
        let ready = row(kept, Glyph::New);
        queues.push(Queue { name: QueueName::Text(RETAINED), ready, capacity: None });
    }
    if publishers().any(|publisher| publisher.params.qos == QosWish::Two) {
        let sessions = actor.broker.sessions();
        let ready = row(&mut sessions.flat_map(|(_, s)| s.incoming.unreleased()), Glyph::New);
        queues.push(Queue { name: QueueName::Text(UNRELEASED), ready, capacity: None });
    }
    Body::Broker { queues, held, waiting: 0, wiring: Wiring::default() }
}

fn capacity(params: &MqttBrokerParams) -> Option<u32> {
    (params.queued != Amount(1_000)).then_some(params.queued.0)
}

fn is_crashed(world: &World, actor: ActorId) -> bool {
    matches!(world.actors[actor.index()].state, ActorState::Crashed { .. })
}

pub(super) fn publisher_body(world: &World, publisher: &MqttPublisher) -> Body {
    let outgoing = &publisher.outgoing;
    Body::Producer {
        rate: publisher.params.rate,
        arrivals: publisher.params.arrivals,
        next: next_message(world, publisher.next_at, publisher.params.rate),
        outbox: row(&mut outgoing.waiting().chain(publisher.pending.held()), Glyph::New),
        unconfirmed: u64::from(outgoing.n_inflight()),
        blocked: !publisher.pending.is_empty() || !publisher.link.is_up(),
    }
}

pub(super) fn subscriber_body(now: SimTime, subscriber: &MqttSubscriber) -> Body {
    let note = (!subscriber.link.is_up()).then_some((NOT_CONNECTED, NOT_CONNECTED));
    worker_body(now, &subscriber.workers, &Default::default(), note)
}
