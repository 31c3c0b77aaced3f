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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::broker::{ChannelNo, ConnectionNo, ConsumeSpec, Mark, QueueKind, QueueSpec};

    fn offsets(out: &mut Vec<Effect<u64>>, to: ChannelNo) -> Vec<u64> {
        let offset = |effect: &Effect<u64>| match effect {
            Effect::Deliver { channel, mark: Mark::Offset(offset), .. } if *channel == to => {
                Some(*offset)
            }
            _ => None,
        };
        let offsets = out.iter().filter_map(offset).collect();
        out.clear();
        offsets
    }

    #[test]
    fn everyone_reads_from_his_place_and_an_ack_makes_room_for_one() {
        let mut broker: Broker<u64> = Broker::new();
        let spec = QueueSpec { kind: QueueKind::Stream, durable: true, ..QueueSpec::default() };
        let queue = broker.add_queue("s", spec);
        let publisher = broker.open_channel(ConnectionNo(0));
        let mut out = Vec::new();
        for message in 0..5 {
            broker.publish_to(publisher, queue, 1, message, &mut out);
        }
        let places = [
            (StreamOffset::First, vec![0, 1, 2]),
            (StreamOffset::At(3), vec![3, 4]),
            (StreamOffset::Last, vec![4]),
            (StreamOffset::Next, vec![]),
        ];
        let mut readers = Vec::new();
        for (offset, expected) in places {
            let reader = broker.open_channel(ConnectionNo(1));
            broker.qos(reader, 3, false, &mut out);
            let spec = ConsumeSpec { offset, ..ConsumeSpec::default() };
            broker.consume(reader, queue, spec, &mut out);
            assert_eq!(offsets(&mut out, reader), expected);
            readers.push(reader);
        }
        broker.nack(readers[0], 1, false, true, &mut out);
        assert_eq!(offsets(&mut out, readers[0]), [3]);
        broker.publish_to(publisher, queue, 1, 5, &mut out);
        assert!(offsets(&mut out.clone(), readers[0]).is_empty());
        assert_eq!(offsets(&mut out, readers[3]), [5]);
        broker.close_channel(readers[0], &mut out);
        assert_eq!(broker.queue(queue).map(Queue::n_ready), Some(6));
    }
}
