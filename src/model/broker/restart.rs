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
        let stores = |entry: &super::Entry<M>| spec.stores(entry.envelope.persistent);
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
