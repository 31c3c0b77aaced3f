//! Many partitions on a few brokers, and consumers' fetches that wait for data.
//!
//! A fetch is answered as soon as there are `min_bytes`, else after `max_wait` with what there is
//! (`fetch.min.bytes`, `fetch.max.wait.ms`). A consumer keeps its positions in a session, so a
//! fetch names nothing and an answer allocates nothing. Source: KIP-227, `DelayedFetch`.

use super::partition::{
    Answer, Isolation, Partition, PartitionConfig, Produce, ProduceError, Produced, ReplicaNo,
};
use super::producers::{EndedTxn, ProducerId, TxnEnd};
use super::record::{NewRecord, Record};
use crate::kernel::{SimSpan, SimTime};

/// Most partitions of one cluster.
pub const PARTITIONS_LIMIT: u32 = 65_536;
/// Most fetch sessions.
pub const SESSIONS_LIMIT: u32 = 65_536;

/// A partition of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionNo(pub u32);

/// A consumer's fetch session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNo(pub u32);

/// What the cluster looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// How many brokers there are.
    pub n_brokers: u32,
    /// How many partitions, spread over the brokers.
    pub n_partitions: u32,
    /// Copies of each partition, on different brokers.
    pub n_replicas: u32,
    /// How partitions are kept.
    pub partition: PartitionConfig,
    /// How often old segments are looked for (`log.retention.check.interval.ms`).
    pub retention_check: SimSpan,
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig {
            n_brokers: 1,
            n_partitions: 1,
            n_replicas: 1,
            partition: PartitionConfig::default(),
            retention_check: SimSpan::s(300),
        }
    }
}

/// Where a session reads in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: PartitionNo,
    /// The next offset to read.
    pub offset: u64,
    /// What has been answered and not taken yet ends here; equal to `offset` when nothing.
    pub until: u64,
}

/// How much a consumer asks for, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Fewest bytes of an answer before its time is over (`fetch.min.bytes`).
    pub min_bytes: u32,
    /// Most bytes of an answer; one record is always given (`fetch.max.bytes`).
    pub max_bytes: u32,
    /// Most records of an answer.
    pub max_records: u32,
    /// How long an answer may wait for data (`fetch.max.wait.ms`).
    pub max_wait: SimSpan,
    /// What it sees.
    pub isolation: Isolation,
}

impl Default for FetchLimits {
    fn default() -> FetchLimits {
        FetchLimits {
            min_bytes: 1,
            max_bytes: 50 << 20,
            max_records: u32::MAX,
            max_wait: SimSpan::ms(500),
            isolation: Isolation::Uncommitted,
        }
    }
}

/// A consumer's fetch session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// What it asks for.
    pub limits: FetchLimits,
    positions: Vec<Position>,
    /// The position that is filled first next time, so that none starves.
    turn: u32,
    /// Until when its fetch waits.
    parked: Option<SimTime>,
}

impl Session {
    /// Where it reads.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Whether its fetch waits for data.
    pub fn is_parked(&self) -> bool {
        self.parked.is_some()
    }
}

/// What the cluster says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The late answer to a produce request.
    Produced(Answer),
    /// A fetch is answered: take the records with `take`.
    Fetched {
        /// Whose fetch.
        session: SessionNo,
        /// Bytes of the answer; 0 when the time was over.
        bytes: u64,
    },
}

/// Figures for charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Records in the leaders' logs.
    pub n_records: u64,
    /// Bytes in the leaders' logs.
    pub bytes: u64,
    /// Fetches that wait for data.
    pub n_parked: u32,
    /// Produce requests that wait for followers.
    pub n_waiting: u32,
    /// Partitions without a leader.
    pub n_offline: u32,
    /// Partitions with fewer in-sync replicas than replicas.
    pub n_under_replicated: u32,
}

/// The cluster. `M` is whatever the caller calls a message.
#[derive(Clone, Debug, PartialEq)]
pub struct LogBroker<M> {
    /// What it looks like; the counts are fixed.
    pub config: BrokerConfig,
    partitions: Vec<Partition<M>>,
    sessions: Vec<Session>,
    /// Per partition, the sessions whose fetch waits for it.
    parked: Vec<Vec<SessionNo>>,
    n_parked: u32,
    next_check: SimTime,
    /// Room for answers; empty between calls.
    answers: Vec<Answer>,
}

impl<M: Copy> LogBroker<M> {
    /// Empty partitions, all replicas in sync.
    pub fn new(config: BrokerConfig) -> LogBroker<M> {
        assert!(0 < config.n_partitions && config.n_partitions <= PARTITIONS_LIMIT);
        assert!(config.n_replicas <= config.n_brokers, "copies are on different brokers");
        let partition = |_| Partition::new(config.partition, config.n_replicas);
        LogBroker {
            config,
            partitions: (0..config.n_partitions).map(partition).collect(),
            sessions: Vec::new(),
            parked: (0..config.n_partitions).map(|_| Vec::new()).collect(),
            n_parked: 0,
            next_check: SimTime::ZERO.saturating_add(config.retention_check),
            answers: Vec::new(),
        }
    }

    /// Appends a batch to a partition; see [`Partition::produce`]. Waiting fetches may be answered.
    #[inline]
    pub fn produce(
        &mut self,
        now: SimTime,
        partition: PartitionNo,
        request: &Produce,
        records: &[NewRecord<M>],
        out: &mut Vec<Reply>,
    ) -> Result<Produced, ProduceError> {
        let index = partition.0 as usize;
        let state = self.partitions.get_mut(index).ok_or(ProduceError::NotLeader)?;
        let produced = state.produce(now, request, records)?;
        self.wake_readers(partition, out);
        Ok(produced)
    }

    /// Ends a producer's transaction in a partition with a marker; see [`Partition::end_txn`].
    /// Waiting fetches may be answered.
    pub fn end_txn(
        &mut self,
        now: SimTime,
        partition: PartitionNo,
        (producer, epoch): (ProducerId, u16),
        end: TxnEnd,
        message: M,
        out: &mut Vec<Reply>,
    ) -> Result<(u64, Option<EndedTxn>), ProduceError> {
        let state = self.partitions.get_mut(partition.0 as usize);
        let state = state.ok_or(ProduceError::NotLeader)?;
        let ended = state.end_txn(now, producer, epoch, end, message)?;
        self.wake_readers(partition, out);
        Ok(ended)
    }

    /// Opens a session. Panics at the limit of sessions.
    pub fn open_session(&mut self, limits: FetchLimits) -> SessionNo {
        assert!((self.sessions.len() as u32) < SESSIONS_LIMIT);
        self.sessions.push(Session { limits, positions: Vec::new(), turn: 0, parked: None });
        SessionNo(self.sessions.len() as u32 - 1)
    }

    /// Says what a session reads from now on; a fetch that waits is given up.
    pub fn assign(
        &mut self,
        session: SessionNo,
        positions: impl Iterator<Item = (PartitionNo, u64)>,
    ) {
        self.unpark(session);
        let n_partitions = self.config.n_partitions;
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        state.positions.clear();
        let known = positions.filter(|(partition, _)| partition.0 < n_partitions);
        let position = |(partition, offset)| Position { partition, offset, until: offset };
        state.positions.extend(known.map(position));
        state.turn = 0;
    }

    /// Reads go on elsewhere in one partition, from the next fetch on; what was answered there and
    /// not taken is forgotten. A partition that the session does not have is added.
    pub fn seek(&mut self, session: SessionNo, partition: PartitionNo, offset: u64) {
        self.unpark(session);
        if self.config.n_partitions <= partition.0 {
            return;
        }
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        let position = Position { partition, offset, until: offset };
        match state.positions.iter_mut().find(|other| other.partition == partition) {
            Some(place) => *place = position,
            None => state.positions.push(position),
        }
    }

    /// The session does not read a partition any more; a fetch that waits goes on for the others.
    pub fn forget(&mut self, session: SessionNo, partition: PartitionNo) {
        if let Some(waiting) = self.parked.get_mut(partition.0 as usize) {
            waiting.retain(|other| *other != session);
        }
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        state.positions.retain(|position| position.partition != partition);
    }

    /// A fetch that waits is given up.
    pub fn give_up(&mut self, session: SessionNo) {
        self.unpark(session);
    }

    /// What a session asks for from its next fetch on.
    pub fn limit(&mut self, session: SessionNo, limits: FetchLimits) {
        if let Some(state) = self.sessions.get_mut(session.0 as usize) {
            state.limits = limits;
        }
    }

    /// One more partition, empty. Panics at the limit of partitions.
    pub fn add_partition(&mut self) {
        assert!(self.config.n_partitions < PARTITIONS_LIMIT);
        self.config.n_partitions += 1;
        self.partitions.push(Partition::new(self.config.partition, self.config.n_replicas));
        self.parked.push(Vec::new());
    }

    /// How partitions are kept, from now on.
    pub fn configure(&mut self, partition: PartitionConfig) {
        self.config.partition = partition;
        for state in &mut self.partitions {
            state.configure(partition);
        }
    }

    /// A consumer asks for data: answered now, or parked until there is enough or too late.
    pub fn fetch(&mut self, now: SimTime, session: SessionNo, out: &mut Vec<Reply>) {
        self.unpark(session);
        if self.answer_if_enough(session, out) {
            return;
        }
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        state.parked = Some(now.saturating_add(state.limits.max_wait));
        self.n_parked += 1;
        for position in &state.positions {
            self.parked[position.partition.0 as usize].push(session);
        }
    }

    /// Hands over what was answered: partition and record; the positions move on.
    #[inline]
    pub fn take(&mut self, session: SessionNo, mut see: impl FnMut(PartitionNo, &Record<M>)) {
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        for position in &mut state.positions {
            if position.offset == position.until {
                continue;
            }
            let partition = &self.partitions[position.partition.0 as usize];
            let records = partition.read(position.offset, state.limits.isolation);
            for record in records.take_while(|record| record.offset < position.until) {
                see(position.partition, record);
            }
            position.offset = position.until;
        }
    }

    /// A replica of a partition fetches from its leader.
    pub fn follower_fetch(
        &mut self,
        now: SimTime,
        partition: PartitionNo,
        follower: ReplicaNo,
        out: &mut Vec<Reply>,
    ) {
        let Some(state) = self.partitions.get_mut(partition.0 as usize) else { return };
        state.follower_fetch(now, follower, &mut self.answers);
        self.after_change(partition, out);
    }

    /// A broker dies, and with it its replica of each partition.
    pub fn crash(&mut self, broker: u32, out: &mut Vec<Reply>) {
        for partition in 0..self.config.n_partitions {
            let Some(replica) = self.replica_on(PartitionNo(partition), broker) else { continue };
            self.partitions[partition as usize].crash(replica, &mut self.answers);
            self.after_change(PartitionNo(partition), out);
        }
    }

    /// A broker comes back with what is on its disk.
    pub fn restart(&mut self, now: SimTime, broker: u32, out: &mut Vec<Reply>) {
        for partition in 0..self.config.n_partitions {
            let Some(replica) = self.replica_on(PartitionNo(partition), broker) else { continue };
            self.partitions[partition as usize].restart(now, replica, &mut self.answers);
            self.after_change(PartitionNo(partition), out);
        }
    }

    /// Ends fetches whose time is over, drops laggards from the in-sync replicas, deletes.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        for index in 0..self.partitions.len() {
            if self.partitions[index].next_wake().is_some_and(|at| at <= now) {
                self.partitions[index].on_wake(now, &mut self.answers);
                self.after_change(PartitionNo(index as u32), out);
            }
        }
        for index in 0..self.sessions.len() {
            if self.sessions[index].parked.is_some_and(|until| until <= now) {
                let session = SessionNo(index as u32);
                self.unpark(session);
                self.answer(session, out);
            }
        }
        if self.next_check <= now {
            self.next_check = now.saturating_add(self.config.retention_check);
            for partition in &mut self.partitions {
                partition.retain(now);
            }
        }
    }

    /// Earliest time at which `on_wake` has something to do.
    pub fn next_wake(&self) -> Option<SimTime> {
        let parked = self.sessions.iter().filter_map(|session| session.parked);
        let lagging = self.partitions.iter().filter_map(Partition::next_wake);
        parked.chain(lagging).chain([self.next_check]).min()
    }

    /// Figures for charts.
    pub fn gauges(&self) -> Gauges {
        let mut gauges = Gauges { n_parked: self.n_parked, ..Gauges::default() };
        for partition in &self.partitions {
            gauges.n_waiting += partition.n_waiting();
            gauges.n_offline += u32::from(partition.leader().is_none());
            gauges.n_under_replicated += u32::from(partition.isr().len() < self.config.n_replicas);
            if let Some(leader) = partition.leading() {
                gauges.n_records += u64::from(leader.log.len());
                gauges.bytes += leader.log.bytes();
            }
        }
        gauges
    }

    /// A partition.
    #[inline]
    pub fn partition(&self, number: PartitionNo) -> Option<&Partition<M>> {
        self.partitions.get(number.0 as usize)
    }

    /// A partition, to compact it.
    pub fn partition_mut(&mut self, number: PartitionNo) -> Option<&mut Partition<M>> {
        self.partitions.get_mut(number.0 as usize)
    }

    /// A session.
    pub fn session(&self, number: SessionNo) -> Option<&Session> {
        self.sessions.get(number.0 as usize)
    }

    /// Which replica of a partition a broker holds: replica i of partition p is on broker
    /// (p + i) mod brokers.
    pub fn replica_on(&self, partition: PartitionNo, broker: u32) -> Option<ReplicaNo> {
        let n = self.config.n_brokers;
        let replica = (broker % n + n - partition.0 % n) % n;
        (broker < n && replica < self.config.n_replicas).then_some(ReplicaNo(replica as u8))
    }

    fn after_change(&mut self, partition: PartitionNo, out: &mut Vec<Reply>) {
        out.extend(self.answers.drain(..).map(Reply::Produced));
        self.wake_readers(partition, out);
    }

    /// Answers the fetches that wait for this partition and have enough now.
    #[inline]
    fn wake_readers(&mut self, partition: PartitionNo, out: &mut Vec<Reply>) {
        let mut index = 0;
        while let Some(session) = self.parked[partition.0 as usize].get(index).copied() {
            if self.answer_if_enough(session, out) {
                // It left this list.
                self.unpark(session);
            } else {
                index += 1;
            }
        }
    }

    fn unpark(&mut self, session: SessionNo) {
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        if state.parked.take().is_none() {
            return;
        }
        self.n_parked -= 1;
        for position in &state.positions {
            self.parked[position.partition.0 as usize].retain(|other| *other != session);
        }
    }

    /// Answers a fetch if it has its least bytes.
    fn answer_if_enough(&mut self, session: SessionNo, out: &mut Vec<Reply>) -> bool {
        let Some(state) = self.sessions.get(session.0 as usize) else { return false };
        let enough = u64::from(state.limits.min_bytes);
        let mut bytes = 0;
        for position in &state.positions {
            if enough <= bytes {
                break;
            }
            let partition = &self.partitions[position.partition.0 as usize];
            bytes +=
                partition.readable_bytes(position.offset, state.limits.isolation, enough - bytes);
        }
        let has_enough = enough <= bytes;
        if has_enough {
            self.answer(session, out);
        }
        has_enough
    }

    /// Answers a fetch with what there is, at most its most bytes.
    fn answer(&mut self, session: SessionNo, out: &mut Vec<Reply>) {
        let Some(state) = self.sessions.get_mut(session.0 as usize) else { return };
        let n = state.positions.len() as u32;
        let mut bytes = 0;
        let mut n_left = state.limits.max_records;
        for step in 0..n {
            let position = &mut state.positions[((state.turn + step) % n) as usize];
            let partition = &self.partitions[position.partition.0 as usize];
            let end = partition.readable_end(state.limits.isolation);
            position.until = position.offset;
            let Some(leader) = partition.leading() else { continue };
            for record in leader.log.read(position.offset, end) {
                let more = bytes + u64::from(record.bytes);
                let is_too_much = u64::from(state.limits.max_bytes) < more && 0 < bytes;
                if is_too_much || n_left == 0 {
                    break;
                }
                n_left -= 1;
                bytes = more;
                position.until = record.offset + 1;
            }
        }
        state.turn = if n == 0 { 0 } else { (state.turn + 1) % n };
        out.push(Reply::Fetched { session, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::Acks;
    use super::*;

    const P: PartitionNo = PartitionNo(0);

    fn bench(min_bytes: u32) -> (LogBroker<u64>, SessionNo, Vec<Reply>) {
        let mut broker = LogBroker::new(BrokerConfig::default());
        let session = broker.open_session(FetchLimits { min_bytes, ..FetchLimits::default() });
        broker.assign(session, [(P, 0)].into_iter());
        (broker, session, Vec::new())
    }

    fn produce(broker: &mut LogBroker<u64>, ms: u64, bytes: u32, out: &mut Vec<Reply>) {
        let now = SimTime::from_ns(ms * 1_000_000);
        let record = NewRecord::value(now, bytes, ms);
        let request = Produce::plain(Acks::Leader, 0);
        broker.produce(now, P, &request, &[record], out).expect("it leads");
    }

    #[test]
    fn a_fetch_waits_for_its_least_bytes_and_not_longer_than_it_said() {
        let (mut broker, session, mut out) = bench(150);
        broker.fetch(SimTime::ZERO, session, &mut out);
        produce(&mut broker, 100, 100, &mut out);
        assert_eq!(out, []);
        let deadline = SimTime::from_ns(500_000_000);
        assert_eq!(broker.next_wake(), Some(deadline));
        broker.on_wake(deadline, &mut out);
        assert_eq!(out, [Reply::Fetched { session, bytes: 100 }]);
        out.clear();
        broker.take(session, |_, _| {});
        broker.fetch(deadline, session, &mut out);
        produce(&mut broker, 600, 200, &mut out);
        assert_eq!(out, [Reply::Fetched { session, bytes: 200 }]);
        assert_eq!(broker.gauges().n_parked, 0);
    }

    #[test]
    fn what_is_taken_is_what_was_answered_even_if_more_came_since() {
        let (mut broker, session, mut out) = bench(1);
        produce(&mut broker, 1, 10, &mut out);
        broker.fetch(SimTime::ZERO, session, &mut out);
        produce(&mut broker, 2, 10, &mut out);
        let mut taken = Vec::new();
        broker.take(session, |_, record| taken.push(record.message));
        broker.take(session, |_, record| taken.push(record.message));
        assert_eq!(taken, [1]);
    }

    #[test]
    fn each_partition_has_its_copies_on_different_brokers() {
        let config = BrokerConfig {
            n_brokers: 3,
            n_partitions: 4,
            n_replicas: 2,
            ..BrokerConfig::default()
        };
        let mut broker: LogBroker<u64> = LogBroker::new(config);
        let on = |broker: &LogBroker<u64>, number| {
            (0..4).filter_map(|p| broker.replica_on(PartitionNo(p), number)).count()
        };
        assert_eq!([0, 1, 2].map(|number| on(&broker, number)), [3, 3, 2]);
        broker.crash(0, &mut Vec::new());
        assert_eq!(broker.gauges().n_offline, 0);
        assert_eq!(broker.gauges().n_under_replicated, 3);
    }
}
