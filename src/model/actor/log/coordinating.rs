//! The broker as the coordinator of its producers' transactions: it writes their markers and tells
//! when they count.
//!
//! The machine is in `model/log/transaction.rs`. A decision is logged when the followers have it:
//! `replication` later with several replicas, else at once.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::log::broker::LogBrokerActor;
use crate::model::actor::log::partitions_of;
use crate::model::fact::{Fact, TxnTurn};
use crate::model::ground::Ctx;
use crate::model::log::{
    Mark, PartitionNo, ProduceError, ProducerId, Stamp, TxnEnd, TxnState, identity,
};
use crate::model::log_parcel::{LogParcel, ProduceRecord};
use crate::model::message::{ActorId, Message, Parcel};

impl LogBrokerActor {
    /// What a batch's producer wrote on it; refused if its transaction is another.
    pub(super) fn stamp_of(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        last: &ProduceRecord,
    ) -> Result<Option<Stamp>, ProduceError> {
        let Some((epoch, sequence)) = last.stamp else { return Ok(None) };
        let base = base_of(cx, port);
        let (producer, short) = match last.is_transactional {
            true => identity(base, epoch),
            false => (ProducerId(base), epoch as u16),
        };
        if last.is_transactional {
            let txn = self.peers[usize::from(port)].txn.get_or_insert_default();
            let was_empty = txn.state == TxnState::Empty;
            txn.write(cx.now(), epoch, last.partition).map_err(ProduceError::Producer)?;
            if was_empty {
                self.turn(cx, port, epoch, TxnTurn::Begun);
            }
        }
        let is_transactional = last.is_transactional;
        Ok(Some(Stamp { producer, epoch: short, sequence, is_transactional }))
    }

    /// A producer begins, or asks for the end of its transaction.
    pub(super) fn on_txn(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: LogParcel) {
        let logged_at = self.logged_at(cx.now());
        let txn = self.peers[usize::from(port)].txn.get_or_insert_default();
        let was_open = matches!(txn.state, TxnState::Open { .. });
        let epoch = txn.incarnation;
        let (turn, reply) = match parcel {
            LogParcel::TxnBegin { number, timeout_ms } => {
                let timeout = SimSpan::ms(u64::from(timeout_ms));
                (TxnTurn::Fenced, txn.begin(number, timeout, logged_at))
            }
            LogParcel::TxnEnd { incarnation, end } => {
                let turn = match end {
                    TxnEnd::Commit => TxnTurn::Commits,
                    TxnEnd::Abort => TxnTurn::Aborts,
                };
                (turn, txn.end(incarnation, end, logged_at))
            }
            _ => return,
        };
        if was_open && matches!(txn.state, TxnState::Ending { .. }) {
            self.turn(cx, port, epoch, turn);
        }
        if let Some(reply) = reply {
            self.write(cx, port, Parcel::Log(LogParcel::Txn(reply)));
        }
        self.end_transactions(cx);
    }

    /// Gives up what was open for too long.
    pub(super) fn time_out_transactions(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now();
        let logged_at = self.logged_at(now);
        for port in 0..self.peers.len() as u16 {
            let Some(txn) = &mut self.peers[usize::from(port)].txn else { continue };
            let epoch = txn.incarnation;
            if txn.on_wake(now, logged_at) {
                self.turn(cx, port, epoch, TxnTurn::TimesOut);
            }
        }
    }

    /// Writes the markers that can be written, and ends transactions whose markers are final.
    pub(super) fn end_transactions(&mut self, cx: &mut Ctx<'_>) {
        for port in 0..self.peers.len() as u16 {
            let Some(mut txn) = self.peers[usize::from(port)].txn.take() else { continue };
            let marker = txn.marker(base_of(cx, port));
            let by = cx.seat.ports[usize::from(port)].peer;
            if let TxnState::Ending { end, logged_at, unmarked, marks } = &mut txn.state
                && logged_at.is_none_or(|at| at <= cx.now())
            {
                *logged_at = None;
                // A partition without a leader gets its marker when it has one.
                for partition in partitions_of(*unmarked) {
                    if let Some(mark) = self.mark(cx, port, partition, (marker, *end)) {
                        *unmarked &= !(1 << partition);
                        marks.push(mark);
                    }
                }
                let is_final = |mark: &&Mark| self.is_final(mark, by);
                let done: Vec<Mark> = marks.iter().filter(is_final).copied().collect();
                marks.retain(|mark| !done.contains(mark));
                // A leader that has died took a marker with it: its successor gets another.
                for mark in marks.extract_if(.., |mark| self.is_gone(mark, by)) {
                    *unmarked |= 1 << mark.partition;
                }
                for mark in done {
                    self.on_final(cx, &mark, *end);
                }
            }
            let completed = txn.complete();
            let epoch = txn.incarnation.saturating_sub(1);
            self.peers[usize::from(port)].txn = Some(txn);
            let Some((end, reply)) = completed else { continue };
            let turn = match end {
                TxnEnd::Commit => TxnTurn::Committed,
                TxnEnd::Abort => TxnTurn::Aborted,
            };
            self.turn(cx, port, epoch, turn);
            if let Some(reply) = reply {
                self.write(cx, port, Parcel::Log(LogParcel::Txn(reply)));
            }
        }
    }

    /// Writes a marker into a partition, unless nobody leads it.
    fn mark(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        partition: u8,
        (marker, end): ((ProducerId, u16), TxnEnd),
    ) -> Option<Mark> {
        let number = PartitionNo(u32::from(partition));
        let (now, by) = (cx.now(), cx.seat.ports[usize::from(port)].peer);
        // Nobody sees it: a control record is no message.
        let message = Message::control(now, by);
        let result = self.broker.end_txn(now, number, marker, end, message, &mut self.replies);
        let (offset, ended) = result.ok()?;
        self.shelves[usize::from(partition)].store_marker(offset);
        self.on_grown(cx, partition, offset + 1);
        cx.fact(Fact::Marked { at: cx.me, by, partition, offset, end });
        self.carry_out(cx);
        self.settle(cx, partition, u64::MAX);
        Some(Mark { partition, offset, first: ended.map(|ended| ended.first) })
    }

    /// Whether all replicas in sync have a marker.
    fn is_final(&self, mark: &Mark, by: ActorId) -> bool {
        let state = self.broker.partition(PartitionNo(u32::from(mark.partition)));
        state.is_some_and(|state| mark.offset < state.high_watermark()) && !self.is_gone(mark, by)
    }

    /// Whether the partition's leader does not have a marker.
    fn is_gone(&self, mark: &Mark, by: ActorId) -> bool {
        let state = self.broker.partition(PartitionNo(u32::from(mark.partition)));
        let Some(leader) = state.and_then(|state| state.leading()) else { return false };
        let at = leader.log.read(mark.offset, mark.offset + 1).next();
        let is_there = at.is_some_and(|r| r.content.is_marker() && r.message.by == by);
        leader.log.start() <= mark.offset && !is_there
    }

    /// A marker counts: what it aborted goes to no group that reads committed records.
    fn on_final(&mut self, cx: &mut Ctx<'_>, mark: &Mark, end: TxnEnd) {
        let place = usize::from(mark.partition);
        if let (TxnEnd::Abort, Some(first)) = (end, mark.first) {
            let state = self.broker.partition(PartitionNo(u32::from(mark.partition)));
            let is_aborted = |offset: u64| state.is_some_and(|state| state.is_aborted(offset));
            self.shelves[place].drop_aborted(cx, (first, mark.offset), is_aborted);
        }
        self.settle(cx, mark.partition, u64::MAX);
        self.show_lag(cx, mark.partition);
    }

    /// When a decision made now is logged.
    fn logged_at(&self, now: SimTime) -> SimTime {
        let has_followers = 1 < self.params.replicas.0;
        now.saturating_add(if has_followers { self.params.replication } else { SimSpan::ZERO })
    }

    fn turn(&self, cx: &mut Ctx<'_>, port: u16, epoch: u32, turn: TxnTurn) {
        let (at, by) = (cx.me, cx.seat.ports[usize::from(port)].peer);
        cx.fact(Fact::TxnTurned { at, by, epoch, turn });
    }
}

/// The id of the producer at a port, as far as the log is concerned.
fn base_of(cx: &Ctx<'_>, port: u16) -> u64 {
    u64::from(cx.seat.ports[usize::from(port)].peer.0) + 1
}
