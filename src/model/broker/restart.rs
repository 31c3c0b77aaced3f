//! A restart of the broker: who survives, in which order and with which mark.
//!
//! Durable queues and exchanges stay with the bindings between them, and in those queues what was
//! published as persistent; quorum queues and streams keep all. Every connection is lost.

use super::channel::{Mode, Unacked};
use super::clients::Clients;
use super::effect::{DropReason, Effect};
use super::exchange::{Destination, ExchangeKind};
use super::line::{Line, Rotation};
use super::queue::{Queue, QueueKind, Return};
use super::tx::drop_publishes;
use super::{Broker, ExchangeId, QueueId};

/// How the broker stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In order: everything that is to be kept is written, with the marks of redelivery.
    Graceful,
    /// In the middle of its work (SIGKILL): removals that were not yet written are forgotten, and
    /// every survivor counts as delivered before.
    Killed,
}

impl<M: Copy> Broker<M> {
    /// Writes what is not yet written: a hard stop now forgets nothing.
    pub fn sync(&mut self) {
        let ids: Vec<QueueId> = self.queues().map(|(id, _)| id).collect();
        for id in ids {
            let queue = self.queue_mut(id).expect("listed just now");
            queue.take_unwritten(crate::kernel::SimTime::MAX);
        }
    }

    /// From this position on nothing of a queue is on disk: the next restart loses it.
    pub fn lose_from(&mut self, id: QueueId, position: u64) {
        if let Some(queue) = self.queue_mut(id) {
            queue.lost_from = Some(position);
        }
    }

    /// Stops and starts again. All channels are closed, without effects that say so.
    ///
    /// What a client held comes back and is redelivered; time to live went on counting.
    pub fn restart(&mut self, how: Stop, out: &mut Vec<Effect<M>>) {
        let mut taken = self.lose_clients(out);
        taken.sort_by_key(|unacked| unacked.queue);
        for (id, stays) in self.list_queues() {
            let start = taken.partition_point(|unacked| unacked.queue < Some(id));
            let end = taken.partition_point(|unacked| unacked.queue <= Some(id));
            let held = &taken[start..end];
            if stays {
                self.reopen(id, held, how, out);
            } else {
                self.drop_held(id, held, out);
                self.remove_queue_because(id, DropReason::Restarted, out);
            }
        }
        // Their queues were deleted before.
        let n_orphans = taken.partition_point(|unacked| unacked.queue.is_none());
        let lost = taken[..n_orphans].iter().map(|unacked| unacked.entry.message);
        let why = DropReason::QueueDeleted;
        out.extend(lost.map(|message| Effect::Dropped { queue: None, why, message }));
        self.remove_transient_exchanges();
        self.deliver_letters(out);
    }

    /// Forgets all channels and consumers; answers what they held.
    fn lose_clients(&mut self, out: &mut Vec<Effect<M>>) -> Vec<Unacked<M>> {
        // The count goes on, so that the numbers of the lost channels stay stale.
        let n_opened = self.clients.n_opened;
        let lost = std::mem::replace(&mut self.clients, Clients { n_opened, ..Clients::new() });
        let mut taken = Vec::new();
        for (_, channel) in lost.channels.iter() {
            taken.extend(channel.unacked());
            if let Mode::Tx(tx) = &channel.mode {
                drop_publishes(tx, out);
                taken.extend(tx.settled.iter().map(|(unacked, _)| unacked));
            }
        }
        taken
    }

    /// All queues, and whether they stay.
    fn list_queues(&self) -> Vec<(QueueId, bool)> {
        let stays = |queue: &Queue<M>| queue.spec.durable && queue.owner().is_none();
        self.queues().map(|(id, queue)| (id, stays(queue))).collect()
    }

    /// Starts a durable queue again.
    fn reopen(&mut self, id: QueueId, held: &[Unacked<M>], how: Stop, out: &mut Vec<Effect<M>>) {
        let Broker { queues, post, batch, .. } = self;
        let queue = queues.get_mut(id.0.into()).expect("listed just now");
        queue.active = Rotation::default();
        queue.waiting = Line::default();
        (queue.n_consumers, queue.n_unacked) = (0, 0);
        queue.exclusive_consumer = None;
        queue.publisher_waits = false;
        queue.ttl_timer = None;
        let lose = |message| {
            let why = DropReason::Restarted;
            Effect::Dropped { queue: Some(id), why, message }
        };
        let (spec, mut lost) = (queue.spec, Vec::new());
        let lost_from = queue.lost_from.take().unwrap_or(u64::MAX);
        let stores = |entry: &super::Entry<M>| {
            spec.stores(entry.envelope.persistent) && entry.position < lost_from
        };
        queue.retain(stores, |entry| lost.push(entry));
        if spec.kind != QueueKind::Stream {
            let (kept, gone): (Vec<_>, Vec<_>) =
                held.iter().map(|unacked| unacked.entry).partition(stores);
            lost.extend(gone);
            batch.extend(kept);
        }
        out.extend(lost.iter().map(|entry| lose(entry.message)));
        let unwritten = queue.take_unwritten(post.now);
        if how == Stop::Killed && spec.kind == QueueKind::Classic {
            batch.extend(unwritten);
            queue.mark_redelivered();
        }
        self.put_back(id, Return::Lost, out);
        self.use_queue(id);
    }

    /// States that what clients held of a transient queue is lost.
    fn drop_held(&mut self, id: QueueId, held: &[Unacked<M>], out: &mut Vec<Effect<M>>) {
        let why = DropReason::Restarted;
        let lost = held.iter().map(|unacked| unacked.entry.message);
        out.extend(lost.map(|message| Effect::Dropped { queue: Some(id), why, message }));
        let queue = self.queue_mut(id).expect("listed just now");
        queue.active = Rotation::default();
        queue.waiting = Line::default();
    }

    /// A transient exchange goes, and its bindings with it: those from it and those to it.
    fn remove_transient_exchanges(&mut self) {
        let goes = |exchange: &super::Exchange| {
            !exchange.spec.durable && exchange.spec.kind != ExchangeKind::Default
        };
        let gone: Vec<_> = self
            .exchanges()
            .filter_map(|(id, exchange)| goes(exchange).then_some((id, exchange.name)))
            .collect();
        for (id, name) in gone {
            let ExchangeId(slot) = id;
            self.exchanges.remove(slot.into());
            self.names.set_exchange(name, None);
            self.drop_bindings(Destination::Exchange(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{SimSpan, SimTime};
    use crate::model::broker::{
        AckMode, ChannelNo, ConnectionNo, ExchangeSpec, Headers, Name, Publish, QueueSpec,
    };

    /// A durable queue with persistent messages 1 to 4, of which a client holds 1 and 2, and a
    /// transient message 5 behind them.
    fn bench() -> (Broker<u64>, QueueId, ChannelNo) {
        let mut broker = Broker::new();
        let queue = broker.add_queue("q", QueueSpec { durable: true, ..QueueSpec::default() });
        let channel = broker.open_channel(ConnectionNo(0));
        let mut out = Vec::new();
        for message in 1..=5 {
            let mut publish = Publish::new(Name::EMPTY, broker.name("q"), 1, message);
            publish.envelope.persistent = message < 5;
            broker.publish(channel, &publish, &mut out);
        }
        for _ in 0..2 {
            broker.get(channel, queue, AckMode::Manual, &mut out);
        }
        (broker, queue, channel)
    }

    fn ready(broker: &Broker<u64>, id: QueueId) -> Vec<(u64, bool)> {
        let queue = broker.queue(id).expect("not deleted");
        queue.ready().map(|entry| (entry.message, entry.redelivered)).collect()
    }

    #[test]
    fn persistent_messages_keep_their_places_and_marks() {
        let (mut broker, queue, channel) = bench();
        let mut out = Vec::new();
        broker.ack(channel, 1, false, &mut out);
        broker.restart(Stop::Graceful, &mut out);
        assert_eq!(ready(&broker, queue), [(2, true), (3, false), (4, false)]);
        assert!(broker.channel(channel).is_none());
        let why = DropReason::Restarted;
        assert!(out.contains(&Effect::Dropped { queue: Some(queue), why, message: 5 }));
    }

    #[test]
    fn a_hard_stop_forgets_what_was_acknowledged_just_now() {
        for (wait_ms, survivors) in [(199, vec![1, 2, 3, 4]), (200, vec![2, 3, 4])] {
            let (mut broker, queue, channel) = bench();
            let mut out = Vec::new();
            broker.ack(channel, 1, false, &mut out);
            broker.set_now(SimTime::ZERO + SimSpan::ms(wait_ms));
            broker.restart(Stop::Killed, &mut out);
            let expected: Vec<_> = survivors.into_iter().map(|message| (message, true)).collect();
            assert_eq!(ready(&broker, queue), expected, "after {wait_ms} ms");
        }
    }

    #[test]
    fn what_is_transient_goes_with_its_bindings() {
        let (mut broker, queue, channel) = bench();
        let mut out = Vec::new();
        broker.add_queue("t", QueueSpec::default());
        let transient = broker.add_exchange("xt", ExchangeSpec::new(ExchangeKind::Fanout));
        let durable = ExchangeSpec { durable: true, ..ExchangeSpec::new(ExchangeKind::Fanout) };
        let kept = broker.add_exchange("xd", durable);
        let [xt, xd] = ["xt", "xd"].map(|name| broker.name(name));
        for exchange in [xt, xd] {
            broker.bind(channel, queue, exchange, Name::EMPTY, Headers::NONE, &mut out);
        }
        broker.bind_exchange(channel, xt, xd, Name::EMPTY, Headers::NONE, &mut out);
        broker.restart(Stop::Graceful, &mut out);
        assert!(broker.queue_named("t").is_none());
        assert!(broker.exchange(transient).is_none());
        let bindings = &broker.exchange(kept).expect("it is durable").bindings;
        assert_eq!(bindings.len(), 1);
        assert_eq!(bindings[0].to, Destination::Queue(queue));
        assert!(broker.exchange_named("").is_some());
    }
}
