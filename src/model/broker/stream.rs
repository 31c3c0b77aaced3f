//! Streams: a queue that is a log. Reading removes nothing; every consumer has a place of its own.
//!
//! An acknowledgement only gives the consumer room for one more message, whatever it says. Every
//! message counts as one chunk, as confirmed publishes make them. Left out: retention by age.

use super::clients::Clients;
use super::effect::Effect;
use super::queue::Queue;
use super::{Broker, QueueId};

/// Where a consumer begins to read (`x-stream-offset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StreamOffset {
    /// At the oldest message that is still there.
    First,
    /// At the last chunk: the last message.
    Last,
    /// At the next message to come.
    #[default]
    Next,
    /// At this offset.
    At(u64),
}

impl StreamOffset {
    /// The first offset that a consumer gets.
    pub(super) fn cursor<M: Copy>(self, queue: &Queue<M>) -> u64 {
        let end = queue.next_position();
        match self {
            StreamOffset::First => 0,
            StreamOffset::Last => end.saturating_sub(1),
            StreamOffset::Next => end,
            StreamOffset::At(offset) => offset,
        }
    }
}

impl<M: Copy> Broker<M> {
    /// Gives every consumer of a stream what it has not read and has room for.
    pub(super) fn serve_stream(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) {
        let Broker { queues, clients, .. } = self;
        let Some(queue) = queues.get_mut(id.0.into()) else { return };
        for _ in 0..queue.active.iter(&clients.consumers).count() {
            let reader = queue.active.first().expect("it was counted");
            while let Some(entry) = next_for(clients, queue, reader) {
                clients.consumers.get_mut(reader.0).expect("it reads").cursor = entry.position + 1;
                clients.deliver(id, queue, reader, entry, out);
            }
            queue.active.rotate(&mut clients.consumers);
        }
    }
}

/// What a consumer of a stream gets next, if there is something and it has room.
fn next_for<M: Copy>(
    clients: &Clients<M>,
    queue: &Queue<M>,
    reader: super::ConsumerId,
) -> Option<super::Entry<M>> {
    let consumer = clients.consumers.get(reader.0)?;
    if consumer.has_window() { queue.at_offset(consumer.cursor).copied() } else { None }
}
