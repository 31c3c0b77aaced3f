//! Transactions: publishes and acknowledgements of a channel wait for its commit.
//!
//! A publish is routed when it comes and enters its queues at the commit. What is acknowledged is
//! taken from the client at once and stays unacknowledged for the queue (`rabbit_channel.erl`).

use super::channel::{Mode, Unacked};
use super::clients::Clients;
use super::effect::{ChannelError, DropReason, Effect};
use super::names::Name;
use super::publish::Publish;
use super::settle::Settle;
use super::{Broker, ChannelNo, QueueId};

/// Most publishes, and most acknowledgements, in one transaction.
const TX_LIMIT: usize = 1 << 20;

/// What waits for a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Tx<M> {
    /// Messages with the names of the queues that they were routed to.
    pub(super) publishes: Vec<(Publish<M>, Vec<Name>)>,
    /// What the client said about what it had.
    pub(super) settled: Vec<(Unacked<M>, Settle)>,
}

impl<M> Tx<M> {
    const fn new() -> Tx<M> {
        Tx { publishes: Vec::new(), settled: Vec::new() }
    }

    /// Notes what a client said about a message.
    pub(super) fn note(&mut self, unacked: Unacked<M>, how: Settle) {
        assert!(self.settled.len() < TX_LIMIT, "a transaction has at most {TX_LIMIT} acks");
        self.settled.push((unacked, how));
    }
}

impl<M: Copy> Broker<M> {
    /// Switches a channel to transactions. A channel with confirms is closed instead.
    pub fn tx_select(&mut self, number: ChannelNo, out: &mut Vec<Effect<M>>) {
        let Some(channel) = self.clients.channel_mut(number) else { return };
        match channel.mode {
            Mode::Plain => channel.mode = Mode::Tx(Tx::new()),
            Mode::Tx(_) => {}
            Mode::Confirm { .. } => self.fail(number, ChannelError::ConfirmToTx, out),
        }
    }

    /// Carries out what waited: first the publishes, then the acknowledgements.
    pub fn tx_commit(&mut self, number: ChannelNo, out: &mut Vec<Effect<M>>) {
        let Some(tx) = self.take_tx(number, out) else { return };
        let mut targets: Vec<QueueId> = Vec::new();
        for (publish, names) in tx.publishes {
            targets.extend(names.into_iter().filter_map(|name| self.names.queue(name)));
            self.offer(number, &publish, &targets, out);
            self.deliver_letters(out);
            targets.clear();
        }
        for group in tx.settled.chunk_by(|(_, a), (_, b)| a == b) {
            let Clients { channels, consumers, .. } = &mut self.clients;
            let channel = channels.get_mut(number.slot()).expect("committing on an open channel");
            group.iter().for_each(|(unacked, _)| channel.release(consumers, unacked));
            self.taken.extend(group.iter().map(|(unacked, _)| *unacked));
            self.settle_taken(number, group[0].1, out);
        }
        self.wake_blocked(number, out);
    }

    /// Forgets what waited: publishes are lost, what was acknowledged can be acknowledged again.
    pub fn tx_rollback(&mut self, number: ChannelNo, out: &mut Vec<Effect<M>>) {
        let Some(tx) = self.take_tx(number, out) else { return };
        drop_publishes(&tx, out);
        let channel = self.clients.channel_mut(number).expect("its transaction was just taken");
        channel.unacked.extend(tx.settled.into_iter().map(|(unacked, _)| unacked));
        channel.unacked.make_contiguous().sort_unstable_by_key(|unacked| unacked.tag);
    }

    /// On a channel with transactions: keeps a publish for the commit and says so.
    #[inline]
    pub(super) fn wait_for_commit(
        &mut self,
        number: ChannelNo,
        publish: &Publish<M>,
        targets: &[QueueId],
    ) -> bool {
        let Broker { clients, queues, .. } = self;
        let Some(channel) = clients.channel_mut(number) else { return false };
        let Mode::Tx(tx) = &mut channel.mode else { return false };
        assert!(tx.publishes.len() < TX_LIMIT, "a transaction has at most {TX_LIMIT} publishes");
        let name = |id: &QueueId| queues.get(id.0.into()).map(|queue| queue.name);
        tx.publishes.push((*publish, targets.iter().filter_map(name).collect()));
        true
    }

    /// The open transaction; the next one begins. A channel without transactions is closed.
    fn take_tx(&mut self, number: ChannelNo, out: &mut Vec<Effect<M>>) -> Option<Tx<M>> {
        match &mut self.clients.channel_mut(number)?.mode {
            Mode::Tx(tx) => Some(std::mem::replace(tx, Tx::new())),
            _ => {
                self.fail(number, ChannelError::NotTransactional, out);
                None
            }
        }
    }
}

/// States that the publishes of a transaction are lost.
pub(super) fn drop_publishes<M: Copy>(tx: &Tx<M>, out: &mut Vec<Effect<M>>) {
    let why = DropReason::RolledBack;
    let lost = tx.publishes.iter().map(|(publish, _)| publish.message);
    out.extend(lost.map(|message| Effect::Dropped { queue: None, why, message }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::broker::{AckMode, ConnectionNo, QueueSpec, Taken};

    fn bench() -> (Broker<u64>, QueueId, ChannelNo) {
        let mut broker = Broker::new();
        let queue = broker.add_queue("q", QueueSpec::default());
        let channel = broker.open_channel(ConnectionNo(0));
        broker.tx_select(channel, &mut Vec::new());
        (broker, queue, channel)
    }

    fn n_ready(broker: &Broker<u64>, queue: QueueId) -> Option<u32> {
        broker.queue(queue).map(super::super::Queue::n_ready)
    }

    #[test]
    fn publishes_appear_at_the_commit_and_never_after_a_rollback() {
        let (mut broker, queue, channel) = bench();
        let mut out = Vec::new();
        assert_eq!(broker.publish_to(channel, queue, 1, 1, &mut out), Taken::Pending);
        assert_eq!(n_ready(&broker, queue), Some(0));
        broker.tx_commit(channel, &mut out);
        assert_eq!(n_ready(&broker, queue), Some(1));
        broker.publish_to(channel, queue, 1, 2, &mut out);
        broker.tx_rollback(channel, &mut out);
        broker.tx_commit(channel, &mut out);
        assert_eq!(n_ready(&broker, queue), Some(1));
        let why = DropReason::RolledBack;
        assert!(out.contains(&Effect::Dropped { queue: None, why, message: 2 }));
    }

    #[test]
    fn after_a_rollback_a_message_can_be_acknowledged_again() {
        let (mut broker, queue, channel) = bench();
        let publisher = broker.open_channel(ConnectionNo(1));
        let mut out = Vec::new();
        broker.publish_to(publisher, queue, 1, 1, &mut out);
        broker.get(channel, queue, AckMode::Manual, &mut out);
        broker.ack(channel, 1, false, &mut out);
        assert_eq!(broker.queue(queue).map(|queue| queue.n_unacked()), Some(1));
        broker.tx_rollback(channel, &mut out);
        broker.ack(channel, 1, false, &mut out);
        broker.tx_commit(channel, &mut out);
        assert_eq!(broker.queue(queue).map(|queue| queue.n_unacked()), Some(0));
        assert!(broker.channel(channel).is_some());
    }

    #[test]
    fn a_lost_channel_rolls_back() {
        let (mut broker, queue, channel) = bench();
        let publisher = broker.open_channel(ConnectionNo(1));
        let mut out = Vec::new();
        broker.publish_to(publisher, queue, 1, 1, &mut out);
        broker.get(channel, queue, AckMode::Manual, &mut out);
        broker.ack(channel, 1, false, &mut out);
        broker.publish_to(channel, queue, 1, 2, &mut out);
        broker.close_channel(channel, &mut out);
        let ready = broker.queue(queue).expect("not deleted").ready();
        assert_eq!(ready.map(|entry| entry.message).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn confirms_and_transactions_exclude_each_other() {
        let (mut broker, _, channel) = bench();
        let mut out = Vec::new();
        broker.confirm_select(channel, &mut out);
        assert_eq!(out, [Effect::ChannelClosed { channel, error: ChannelError::TxToConfirm }]);
        let channel = broker.open_channel(ConnectionNo(0));
        broker.confirm_select(channel, &mut out);
        broker.tx_select(channel, &mut out);
        let error = ChannelError::ConfirmToTx;
        assert_eq!(out.last(), Some(&Effect::ChannelClosed { channel, error }));
    }
}
