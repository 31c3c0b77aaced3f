//! What consumers say about deliveries to the queue broker, and what becomes of those about which
//! they say nothing.
//!
//! A delivery that stays unacknowledged for too long closes the consumer's channel: everything on
//! it comes again, and the consumer subscribes anew, or, when it asks for its messages, answers
//! that it knows. What it said before it knew is ignored, even when it comes after what it said
//! later, as it may over a path that reorders: a tag tells of which of its channels it is.

use crate::kernel::SimTime;
use crate::model::actor::broker::{BrokerActor, Peer};
use crate::model::ground::Ctx;
use crate::model::message::{Message, Parcel, Rejection};

/// Bits of a tag that count the deliveries of one channel.
const TAG_BITS: u32 = 40;

impl Peer {
    /// What a delivery of this channel is called on its way: no other channel of the port has it.
    pub(super) fn tag_outside(&self, tag: u64) -> u64 {
        u64::from(self.epoch) << TAG_BITS | tag
    }

    /// The delivery that a client speaks of; `None`: it was one of an earlier channel.
    fn tag_inside(&self, tag: u64) -> Option<u64> {
        let of_this = tag >> TAG_BITS == u64::from(self.epoch & ((1 << (64 - TAG_BITS)) - 1));
        of_this.then_some(tag & ((1 << TAG_BITS) - 1))
    }
}

impl BrokerActor {
    /// A consumer takes no more: what was delivered to it stays its own until it settles it.
    pub(super) fn on_cancel(&mut self, port: u16) {
        let peer = &mut self.peers[usize::from(port)];
        if let Some(consumer) = peer.consumer.take() {
            self.broker.cancel(peer.channel, consumer, &mut self.effects);
        }
    }

    /// A consumer is done with delivery `tag`, or could not do it.
    pub(super) fn settle(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        tag: u64,
        rejection: Option<Rejection>,
    ) {
        let peer = &mut self.peers[usize::from(port)];
        let Some(tag) = peer.tag_inside(tag) else { return };
        peer.since.remove(&tag);
        let channel = peer.channel;
        match rejection {
            None => self.broker.ack(channel, tag, false, &mut self.effects),
            Some(Rejection::Requeue) => {
                self.broker.nack(channel, tag, false, true, &mut self.effects);
            }
            Some(Rejection::Return) if self.give_back(cx, port, tag) => {
                self.broker.ack(channel, tag, false, &mut self.effects);
            }
            Some(_) => self.broker.nack(channel, tag, false, false, &mut self.effects),
        }
    }

    /// Closes the channels of consumers that have not acknowledged in time.
    pub(super) fn time_out(&mut self, cx: &mut Ctx<'_>) {
        let timeout = self.params.ack_timeout;
        for port in 0..self.peers.len() as u16 {
            let first = self.peers[usize::from(port)].since.values().next();
            if timeout.is_zero() || first.is_none_or(|at| cx.now() < at.saturating_add(timeout)) {
                continue;
            }
            self.on_closed(cx, port);
            self.peers[usize::from(port)].is_deaf = true;
            cx.write(port, Parcel::Closed, false);
            cx.write(port, Parcel::Opened, false);
        }
    }

    /// When the next delivery has been unacknowledged for too long.
    pub(super) fn next_timeout(&self) -> Option<SimTime> {
        let timeout = self.params.ack_timeout;
        if timeout.is_zero() {
            return None;
        }
        // Tags ascend, and so do the times at which they went out.
        let firsts = self.peers.iter().filter_map(|peer| peer.since.values().next());
        firsts.min().map(|at| at.saturating_add(timeout))
    }

    /// Sends an unacknowledged message back to its sender; `false`: that is not connected here.
    fn give_back(&mut self, cx: &mut Ctx<'_>, port: u16, tag: u64) -> bool {
        let Some(message) = self.unacked(port, tag) else { return false };
        let to = cx.seat.ports.iter().position(|p| p.peer == message.by);
        let Some(to) = to else { return false };
        cx.write(to as u16, Parcel::Returned { message }, true)
    }

    /// The message of delivery `tag` at a port.
    fn unacked(&self, port: u16, tag: u64) -> Option<Message> {
        let channel = self.broker.channel(self.peers[usize::from(port)].channel)?;
        let mut all = channel.unacked();
        all.find(|unacked| unacked.tag == tag).map(|unacked| unacked.entry.message)
    }
}
