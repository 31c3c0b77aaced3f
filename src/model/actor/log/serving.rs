//! What a log broker answers: batches, fetches, members, and what follows from its own changes.

use crate::kernel::SimSpan;
use crate::model::actor::log::broker::{LogBrokerActor, Stored};
use crate::model::actor::log::partitions_of;
use crate::model::command::Node;
use crate::model::fact::{Fact, Why};
use crate::model::ground::Ctx;
use crate::model::group::Request;
use crate::model::log::{
    Content, FetchLimits, Isolation, Key, NewRecord, PartitionNo, Produce, ProduceError, Produced,
    ReplicaNo, Reply, SessionNo,
};
use crate::model::log_parcel::{
    Fetch, FetchedRecord, GroupAnswer, LogParcel, MAX_RECORDS, ProduceRecord, shape_of,
};
use crate::model::message::Parcel;

/// A batch's number over all ports: 16 bits of port above 32 of ticket.
fn ticket_of(port: u16, ticket: u32) -> u64 {
    u64::from(port) << 32 | u64::from(ticket)
}

impl LogBrokerActor {
    /// One record of a batch came; with the last the batch is stored.
    pub(super) fn on_record(&mut self, cx: &mut Ctx<'_>, port: u16, record: ProduceRecord) {
        let ProduceRecord { ticket, index, n, message, .. } = record;
        let place = self.partial(cx, port, (ticket, n));
        let key = (message.key != 0).then_some(Key(message.key));
        let bytes = shape_of(&message).bytes_in_batch(0, u32::from(index));
        let at = message.born;
        let stored = NewRecord { at, bytes, key, content: Content::Value, message };
        let partial = &mut self.peers[usize::from(port)].partial[place];
        let before = partial.take(index, stored);
        let is_whole = partial.is_whole();
        if let Some(before) = before {
            // The batch is sent again, and a part of it had come before.
            let (msg, at) = (before.message.id, Node::Actor(cx.me));
            cx.fact(Fact::Dropped { msg, at, why: Why::Incomplete });
        }
        if !is_whole {
            return;
        }
        let batch = self.peers[usize::from(port)].partial.remove(place);
        let mut records = std::mem::take(&mut self.records);
        records.extend(batch.got.iter().map(|(_, record)| *record));
        self.on_batch(cx, port, &record, &records);
        records.clear();
        self.records = records;
        // Its room is used for the next batch.
        self.keep_room(port, batch);
    }

    /// A whole batch.
    fn on_batch(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        last: &ProduceRecord,
        records: &[NewRecord<Stored>],
    ) {
        let partition = last.partition;
        let number = PartitionNo(u32::from(partition));
        let (acks, ticket) = (last.acks, ticket_of(port, last.ticket));
        let end = self.broker.partition(number).and_then(|p| p.leading()).map(|r| r.log.end());
        let now = cx.now();
        let result = self.stamp_of(cx, port, last).and_then(|stamp| {
            let request = Produce { acks, ticket, stamp };
            self.broker.produce(now, number, &request, records, &mut self.replies)
        });
        let answer = match result {
            Ok(Produced::Waiting(placed)) => Ok((placed, true)),
            Ok(Produced::Done(placed) | Produced::Duplicate(placed)) => Ok((placed, false)),
            Err(error) => Err(error),
        };
        match answer {
            Ok((placed, waits)) => {
                if Some(placed.base) == end {
                    self.on_stored(cx, partition, placed.base, records);
                } else {
                    drop_all(cx, records, Why::Duplicate);
                }
                if !waits {
                    self.answer_producer(cx, port, last, Ok(()));
                }
            }
            Err(error) => {
                drop_all(cx, records, Why::NotTaken);
                self.answer_producer(cx, port, last, Err(error));
            }
        }
        self.carry_out(cx);
        if let Ok((placed, _)) = answer {
            self.settle(cx, partition, placed.base);
            self.show_lag(cx, partition);
        }
    }

    fn answer_producer(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        batch: &ProduceRecord,
        result: Result<(), ProduceError>,
    ) {
        if batch.acks != crate::model::log::Acks::None {
            let answer = LogParcel::Produced { ticket: batch.ticket, result };
            self.write(cx, port, Parcel::Log(answer));
        }
    }

    fn on_stored(
        &mut self,
        cx: &mut Ctx<'_>,
        partition: u8,
        base: u64,
        records: &[NewRecord<Stored>],
    ) {
        let shelf = &mut self.shelves[usize::from(partition)];
        for (record, offset) in records.iter().zip(base..) {
            shelf.store(cx, offset, &record.message);
        }
        self.on_grown(cx, partition, base + records.len() as u64);
    }

    /// A partition's log ends at `end` now: its followers fetch.
    pub(super) fn on_grown(&mut self, cx: &mut Ctx<'_>, partition: u8, end: u64) {
        self.known[usize::from(partition)].end = end;
        if 1 < self.params.replicas.0 {
            let at = cx.now().saturating_add(self.params.replication);
            self.replicate_at[usize::from(partition)].get_or_insert(at);
        }
    }

    /// The followers of a partition fetch what their leader has.
    pub(super) fn replicate(&mut self, cx: &mut Ctx<'_>, partition: u8) {
        let number = PartitionNo(u32::from(partition));
        for replica in 0..self.params.replicas.0 {
            let replica = ReplicaNo(replica as u8);
            self.broker.follower_fetch(cx.now(), number, replica, &mut self.replies);
        }
        self.after_change_of(cx, partition);
        self.carry_out(cx);
        self.end_transactions(cx);
        self.settle(cx, partition, u64::MAX);
        self.show_lag(cx, partition);
        let state = self.broker.partition(number);
        let end = state.and_then(|s| s.leading()).map_or(0, |leader| leader.log.end());
        // Whoever lives and lacks something fetches again.
        let lacks = state
            .is_some_and(|state| state.replicas().any(|(_, r)| r.is_alive && r.log.end() < end));
        if lacks {
            let at = cx.now().saturating_add(self.params.replication);
            self.replicate_at[usize::from(partition)].get_or_insert(at);
        }
    }

    /// Every partition whose followers lack something gets a fetch of theirs.
    pub(super) fn replicate_all(&mut self, cx: &mut Ctx<'_>) {
        if self.params.replicas.0 == 1 {
            return;
        }
        let at = cx.now().saturating_add(self.params.replication);
        for next in &mut self.replicate_at {
            next.get_or_insert(at);
        }
    }

    /// A consumer asks for records; what it wants may have changed.
    pub(super) fn on_fetch(&mut self, cx: &mut Ctx<'_>, port: u16, fetch: Fetch) {
        let Some(group) = self.peers[usize::from(port)].group else { return };
        let session = self.peers[usize::from(port)].session;
        let before = self.peers[usize::from(port)].wanted;
        self.on_forget(cx, port, before & !fetch.wanted);
        // A partition without a leader is asked for again.
        let has_leader = |partition: &u8| {
            let state = self.broker.partition(PartitionNo(u32::from(*partition)));
            state.is_some_and(|state| state.leader().is_some())
        };
        let wanted = partitions_of(fetch.wanted).filter(has_leader).fold(0, |w, p| w | 1_u64 << p);
        for partition in partitions_of(wanted & !before) {
            let offset = self.begin(cx, group, partition, &fetch);
            let number = PartitionNo(u32::from(partition));
            self.broker.seek(session, number, offset);
            let state = self.broker.partition(number);
            let is_aborted = |offset: u64| state.is_some_and(|state| state.is_aborted(offset));
            let reader = (port, fetch.isolation);
            self.shelves[usize::from(partition)].hand_over(cx, group, reader, offset, is_aborted);
        }
        let peer = &mut self.peers[usize::from(port)];
        peer.wanted = wanted;
        peer.fetch = fetch.number;
        let limits = FetchLimits {
            min_bytes: fetch.min_bytes,
            max_bytes: fetch.max_bytes,
            max_records: u32::from(MAX_RECORDS),
            max_wait: SimSpan::us(u64::from(fetch.max_wait_us)),
            isolation: fetch.isolation,
        };
        self.broker.limit(session, limits);
        self.broker.fetch(cx.now(), session, &mut self.replies);
        self.carry_out(cx);
        for partition in partitions_of(wanted) {
            self.settle(cx, partition, u64::MAX);
        }
    }

    /// Where a group begins in a partition: where it has committed, else where the reader says.
    fn begin(&mut self, cx: &mut Ctx<'_>, group: u8, partition: u8, fetch: &Fetch) -> u64 {
        let state = self.broker.partition(PartitionNo(u32::from(partition)));
        let log = state.and_then(|state| state.leading()).map(|leader| &leader.log);
        let (start, end) = log.map_or((0, 0), |log| (log.start(), log.end()));
        let shelf = &mut self.shelves[usize::from(partition)];
        if let Some(delivery) = shelf.delivery(group) {
            return delivery.committed.max(start);
        }
        let first = if fetch.earliest { start } else { end };
        let is_committed = fetch.isolation == Isolation::Committed;
        let message = |offset: u64| {
            let record = log?.read(offset, offset + 1).next()?;
            let is_aborted = is_committed && state.is_some_and(|state| state.is_aborted(offset));
            (!record.content.is_marker() && !is_aborted).then_some(record.message)
        };
        shelf.begin(cx, group, (first, end), message);
        first
    }

    /// A consumer goes on elsewhere.
    pub(super) fn on_seek(&mut self, cx: &mut Ctx<'_>, port: u16, partition: u8, offset: u64) {
        let peer = &self.peers[usize::from(port)];
        let (Some(group), true) = (peer.group, peer.wanted >> partition & 1 == 1) else { return };
        let Some(shelf) = self.shelves.get_mut(usize::from(partition)) else { return };
        let committed = shelf.delivery(group).map_or(0, |delivery| delivery.committed);
        let offset = offset.max(committed);
        shelf.seek(cx, group, offset);
        self.broker.seek(peer.session, PartitionNo(u32::from(partition)), offset);
    }

    /// A consumer reads some partitions no more.
    pub(super) fn on_forget(&mut self, cx: &mut Ctx<'_>, port: u16, partitions: u64) {
        let peer = &mut self.peers[usize::from(port)];
        let (Some(group), session) = (peer.group, peer.session) else { return };
        let gone = peer.wanted & partitions;
        peer.wanted &= !gone;
        for partition in partitions_of(gone) {
            self.broker.forget(session, PartitionNo(u32::from(partition)));
            let delivery = self.shelves[usize::from(partition)].delivery_mut(group);
            if let Some(delivery) = delivery.filter(|delivery| delivery.owner == Some(port)) {
                delivery.owner = None;
            }
            self.settle(cx, partition, u64::MAX);
        }
    }

    /// A member speaks to its coordinator.
    pub(super) fn on_group(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: LogParcel) {
        let Some(number) = self.peers[usize::from(port)].group else { return };
        let now = cx.now();
        let group = &mut self.groups[usize::from(number)];
        match parcel {
            LogParcel::Join(join) => {
                self.peers[usize::from(port)].asked = join.number;
                group.join(now, port, &join);
            }
            LogParcel::Sync { number, serial, generation, by } => {
                self.peers[usize::from(port)].asked = number;
                group.sync(now, port, (serial, generation), by);
            }
            LogParcel::Heartbeat { serial, generation } => {
                group.say(now, port, serial, |member| Request::Heartbeat { member, generation });
            }
            LogParcel::Leave { serial } => {
                group.say(now, port, serial, |member| Request::Leave { member });
            }
            LogParcel::Commit { number: nth, serial, generation, partition, offset } => {
                self.peers[usize::from(port)].committed = nth;
                let at = cx.me;
                let done = (partition, offset);
                if group.commit(now, port, (serial, generation), done) {
                    cx.fact(Fact::Committed { at, group: number, partition, offset });
                    let visible = self.sight(partition, u64::MAX).visible;
                    if let Some(shelf) = self.shelves.get_mut(usize::from(partition)) {
                        shelf.commit(cx, number, offset, visible);
                        self.show_lag(cx, partition);
                    }
                } else {
                    let by = cx.seat.ports[usize::from(port)].peer;
                    cx.fact(Fact::CommitRefused { at, by, partition, offset });
                }
            }
            _ => {}
        }
        self.answer_group(cx, number);
    }

    /// Sends the coordinator's answers.
    pub(super) fn answer_group(&mut self, cx: &mut Ctx<'_>, number: u8) {
        let n_partitions = self.shelves.len() as u32;
        let peers = &mut self.peers;
        self.groups[usize::from(number)].answers(cx, number, n_partitions, |cx, port, answer| {
            let peer = &mut peers[usize::from(port)];
            let is_commit = matches!(answer, GroupAnswer::Committed(_));
            let number = if is_commit { peer.committed } else { peer.asked };
            let parcel = Parcel::Log(LogParcel::Group { number, answer });
            if !peer.outgoing.is_empty() || !cx.write(port, parcel, true) {
                peer.outgoing.push_back(parcel);
            }
        });
    }

    /// The peer's process died: its fetch is over; that it was a member is noticed later.
    pub(super) fn on_closed(&mut self, cx: &mut Ctx<'_>, port: u16, why: Why) {
        let peer = &mut self.peers[usize::from(port)];
        peer.outgoing.clear();
        let (session, wanted) = (peer.session, peer.wanted);
        let partial = std::mem::take(&mut peer.partial);
        for batch in partial {
            Self::drop_partial(cx, batch, why);
        }
        self.broker.give_up(session);
        self.on_forget(cx, port, wanted);
    }

    /// Deletes and compacts.
    pub(super) fn clean(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now();
        for partition in 0..self.shelves.len() as u8 {
            let number = PartitionNo(u32::from(partition));
            let Some(state) = self.broker.partition_mut(number) else { continue };
            if self.params.compact {
                state.compact(now);
                let leader = state.leading();
                let is_there = |offset: u64| {
                    let log = leader.map(|leader| &leader.log);
                    log.is_none_or(|log| {
                        log.end() <= offset || log.read(offset, offset + 1).next().is_some()
                    })
                };
                self.shelves[usize::from(partition)].compact(cx, is_there);
            } else {
                state.retain(now);
            }
        }
        self.after_change(cx);
    }

    /// After anything that may have changed leaders, replicas in sync, starts and ends.
    pub(super) fn after_change(&mut self, cx: &mut Ctx<'_>) {
        for partition in 0..self.known.len() as u8 {
            self.after_change_of(cx, partition);
        }
        self.carry_out(cx);
        self.end_transactions(cx);
        self.settle_all(cx);
    }

    /// States what has changed of a partition, and what that did to its records.
    fn after_change_of(&mut self, cx: &mut Ctx<'_>, partition: u8) {
        let place = usize::from(partition);
        let (was, mut is) = (self.known[place], self.look_at(partition));
        if was == is {
            return;
        }
        let (at, in_sync) = (cx.me, is.in_sync);
        if (was.leader, was.epoch) != (is.leader, is.epoch) {
            let (leader, epoch) = (is.leader, is.epoch);
            cx.fact(Fact::Elected { at, partition, leader, epoch, in_sync });
        } else if was.in_sync != in_sync {
            cx.fact(Fact::InSync { at, partition, in_sync });
        }
        if is.leader == u8::MAX {
            // The log is there, on a disk that nobody reads.
            (is.start, is.end) = (was.start, was.end);
        }
        self.known[place] = is;
        if is.end < was.end {
            self.shelves[place].truncate(cx, is.end);
        }
        if was.start < is.start {
            self.shelves[place].delete_before(cx, is.start);
        }
        let sight = self.sight(partition, u64::MAX);
        self.shelves[place].tell_hidden(cx, sight);
    }

    /// Sends what the machine says: late answers to producers, and fetches that are answered.
    pub(super) fn carry_out(&mut self, cx: &mut Ctx<'_>) {
        let mut replies = std::mem::take(&mut self.replies);
        for reply in replies.drain(..) {
            match reply {
                Reply::Produced(answer) => {
                    let (port, ticket) = ((answer.ticket >> 32) as u16, answer.ticket as u32);
                    let result = answer.result.map(|_| ());
                    self.write(cx, port, Parcel::Log(LogParcel::Produced { ticket, result }));
                }
                Reply::Fetched { session, .. } => self.hand_out(cx, session),
            }
        }
        self.replies = replies;
    }

    /// A fetch is answered with what there is.
    fn hand_out(&mut self, cx: &mut Ctx<'_>, session: SessionNo) {
        // Sessions are opened in the order of ports.
        let port = session.0 as usize;
        let Some(group) = self.peers[port].group else { return };
        let number = self.peers[port].fetch;
        let mut taken = std::mem::take(&mut self.taken);
        let shelves = &self.shelves;
        self.broker.take(session, |partition, record| {
            // What the group has done meanwhile is not handed out again.
            let delivery = shelves[partition.0 as usize].delivery(group);
            if delivery.is_some_and(|delivery| delivery.id(record.offset).is_some()) {
                taken.push((partition.0 as u8, *record));
            }
        });
        let n = taken.len() as u16;
        if n == 0 {
            self.write(cx, port as u16, Parcel::Log(LogParcel::Nothing { number, again: false }));
        }
        let channel = cx.seat.ports[port].channel;
        for (index, (partition, record)) in taken.drain(..).enumerate() {
            let shelf = &mut self.shelves[usize::from(partition)];
            let Some(delivery) = shelf.delivery_mut(group) else { continue };
            let offset = record.offset;
            let redelivered = offset < delivery.seen_to;
            let id = delivery.id(offset);
            delivery.handed_to = delivery.handed_to.max(offset + 1);
            delivery.seen_to = delivery.seen_to.max(offset + 1);
            let depth = (delivery.end() - delivery.handed_to) as u32;
            let mut message = record.message;
            message.id = id.unwrap_or(message.id);
            let (msg, at) = (message.id, cx.me);
            cx.fact(Fact::Dispatched { msg, at, channel, redelivered, depth });
            let index = index as u16;
            let parcel =
                FetchedRecord { number, index, n, partition, redelivered, offset, message };
            self.write(cx, port as u16, Parcel::Log(LogParcel::Fetched(parcel)));
        }
        self.taken = taken;
    }

    fn keep_room(
        &mut self,
        port: u16,
        mut batch: crate::model::log_parcel::Assembly<NewRecord<Stored>>,
    ) {
        batch.got.clear();
        self.peers[usize::from(port)].spare = batch.got;
    }
}

fn drop_all(cx: &mut Ctx<'_>, records: &[NewRecord<Stored>], why: Why) {
    let at = Node::Actor(cx.me);
    for record in records {
        cx.fact(Fact::Dropped { msg: record.message.id, at, why });
    }
}
