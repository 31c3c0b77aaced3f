//! The log broker: one actor is the whole cluster of brokers with one topic.
//!
//! It models partitions with replicas on several nodes, replication after a delay, failover,
//! retention, compaction, long polls, transactions and consumer groups; a node can be crashed by
//! itself. It leaves out the time that elections take and the nodes' own network.
//! `serving.rs` has what it answers, `coordinating.rs` transactions. Read
//! `docs/models/log-broker.md` before editing.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::log::members::Group;
use crate::model::actor::log::partitions_of;
use crate::model::actor::log::shelf::{Shelf, Sight};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Lag, Why};
use crate::model::ground::Ctx;
use crate::model::log::{
    BrokerConfig, FetchLimits, Isolation, LogBroker, LogConfig, NewRecord, PartitionConfig,
    PartitionNo, Record, ReplicaNo, Reply, SessionNo, Transaction,
};
use crate::model::log_parcel::{Assembly, FetchedRecord, LogParcel, MAX_PARTITIONS};
use crate::model::message::{Message, Parcel};
use crate::param::{Amount, Bytes, Reason, Said, Value};

params! {
    /// What a log broker does.
    pub struct LogBrokerParams for "log-broker" {
        /// How many partitions its topic has.
        partitions: Amount = Amount(4), range Amount(1) => Amount(64), step Amount(1),
            slider Amount(1) => Amount(64), applies live,
            name ("Partitions", "分区数"),
            help ("Partitions of the topic; while the run goes on there can only be more.",
                "主题的分区数；运行中只能增加。"),
            source "Kafka num.partitions";
        /// Copies of each partition.
        replicas: Amount = Amount(1), range Amount(1) => Amount(9), step Amount(1), applies restart,
            name ("Replicas", "副本数"),
            help ("Copies of each partition, each on a node of its own.", "每个分区的副本数，各在一个节点上。"),
            source "Kafka replication.factor";
        /// Fewest in-sync replicas.
        min_in_sync: Amount = Amount(1), range Amount(1) => Amount(9), step Amount(1), applies live,
            name ("Min in sync", "最少同步副本"),
            help ("With acks=all, fewer in-sync replicas refuse a batch.", "acks=all 时，同步副本更少则拒绝写入。"),
            source "Kafka min.insync.replicas";
        /// How long after the leader the followers have a batch.
        replication: SimSpan = SimSpan::ms(2), range SimSpan::ZERO => SimSpan::s(600), scale log,
            slider SimSpan::us(100) => SimSpan::s(10), applies live,
            name ("Replication takes", "复制延迟"),
            help ("How long after the leader the followers have a record.", "从首领副本写入到跟随者写入的时间。"),
            source "our own model: one fetch of a follower at a time";
        /// When a follower that lags is out of sync.
        lag_max: SimSpan = SimSpan::s(30), range SimSpan::ms(1) => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(100) => SimSpan::s(60), applies live,
            name ("Out of sync after", "失步阈值"),
            help ("A follower that has not caught up for so long is out of sync.",
                "跟随者这么久没追上即视为失步。"),
            source "Kafka replica.lag.time.max.ms";
        /// Whether a replica out of sync may lead.
        unclean: bool = false, switch, applies live,
            name ("Unclean election", "非同步选主"),
            help ("A replica that is not in sync may lead when there is no other.",
                "没有同步副本时，允许失步副本当选首领。"),
            source "Kafka unclean.leader.election.enable";
        /// How long records are kept.
        retention: SimSpan = SimSpan::s(604_800), range SimSpan::ms(1) => SimSpan::s(31_536_000),
            scale log, slider SimSpan::s(1) => SimSpan::s(604_800), applies live,
            name ("Retention time", "保留时长"),
            help ("A segment is kept so long after its newest record.", "段在其最新记录之后保留多久。"),
            source "Kafka log.retention.ms";
        /// How many bytes of a partition are kept.
        retention_bytes: Bytes = Bytes(1 << 40), range Bytes(1) => Bytes(1 << 40), scale log,
            slider Bytes(1_024) => Bytes(1 << 40), applies live,
            name ("Retention size", "保留大小"),
            help ("Bytes of a partition that are kept, in whole segments.", "每个分区保留的字节数，按整段计。"),
            source "Kafka log.retention.bytes; its -1 is the most here";
        /// Bytes of a segment.
        segment: Bytes = Bytes(1 << 30), range Bytes(100) => Bytes(1 << 30), scale log,
            slider Bytes(1_024) => Bytes(1 << 30), applies live,
            name ("Segment size", "段大小"),
            help ("Bytes after which a new segment begins.", "写满这么多字节即新开一段。"),
            source "Kafka log.segment.bytes";
        /// How often old segments are looked for.
        retention_check: SimSpan = SimSpan::s(300), range SimSpan::ms(1) => SimSpan::s(86_400),
            scale log, slider SimSpan::s(1) => SimSpan::s(600), applies restart,
            name ("Clean-up every", "清理间隔"),
            help ("How often it deletes old segments, or compacts.", "多久删除旧段或压实一次。"),
            source "Kafka log.retention.check.interval.ms";
        /// Whether only the last record of a key is kept.
        compact: bool = false, switch, applies live,
            name ("Compaction", "日志压实"),
            help ("Below the active segment only the last record of each key stays.",
                "活动段之前，每个键只保留最后一条。"),
            source "Kafka cleanup.policy=compact";
        /// How long an empty group gathers members.
        initial_delay: SimSpan = SimSpan::s(3), range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::ms(1) => SimSpan::s(10), applies restart,
            name ("First rebalance after", "首次再均衡延迟"),
            help ("How long an empty group waits for more members.", "空组等待更多成员的时间。"),
            source "Kafka group.initial.rebalance.delay.ms";
    }
}

/// Most batches of a producer of which only a part has come.
const MAX_PARTIAL: usize = 64;

/// A message as the log keeps it, with its number, key, size and birth.
pub type Stored = Message;

/// Who is at a port.
#[derive(Clone, PartialEq, Debug)]
pub struct Peer {
    /// The group, of a consumer.
    pub group: Option<u8>,
    /// Its fetch session.
    pub session: SessionNo,
    /// Number of the fetch that is to be answered.
    pub fetch: u32,
    /// Number of its last join or sync.
    pub asked: u32,
    /// Number of its last commit.
    pub committed: u32,
    /// The partitions it reads.
    pub wanted: u64,
    /// Batches of which a part has come.
    pub partial: Vec<Assembly<NewRecord<Stored>>>,
    /// Its transactions, of a producer that has any.
    pub txn: Option<Box<Transaction>>,
    /// Room for the next batch.
    pub(super) spare: Vec<(u16, NewRecord<Stored>)>,
    /// Parcels that wait for the channel to take them.
    pub outgoing: VecDeque<Parcel>,
}

/// A log broker.
#[derive(Clone, PartialEq, Debug)]
pub struct LogBrokerActor {
    /// Its settings.
    pub params: LogBrokerParams,
    /// The machine.
    pub broker: LogBroker<Stored>,
    /// What each partition owes.
    pub shelves: Vec<Shelf>,
    /// Its groups, in the order of their consumers' ports.
    pub groups: Vec<Group>,
    /// Its peers, by port.
    pub peers: Vec<Peer>,
    /// Nodes that are down.
    pub down: u64,
    /// When the followers of a partition fetch next, by partition.
    pub(super) replicate_at: Vec<Option<SimTime>>,
    pub(super) next_clean: SimTime,
    /// Its process is dead: nothing happens in it until it starts anew.
    pub(super) is_down: bool,
    /// What is known of each partition: leader, epoch, replicas in sync, start and end.
    pub(super) known: Vec<Known>,
    pub(super) replies: Vec<Reply>,
    pub(super) records: Vec<NewRecord<Stored>>,
    pub(super) taken: Vec<(u8, Record<Stored>)>,
}

/// A partition as it was stated last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    pub(super) leader: u8,
    pub(super) epoch: u32,
    pub(super) in_sync: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl LogBrokerActor {
    /// A cluster with an empty topic.
    pub fn new(params: LogBrokerParams) -> LogBrokerActor {
        let n = params.partitions.0;
        let config = BrokerConfig {
            n_brokers: params.replicas.0,
            n_partitions: n,
            n_replicas: params.replicas.0,
            partition: params.partition(),
            // The actor looks itself, to state what goes.
            retention_check: SimSpan::MAX,
        };
        let next_clean = SimTime::ZERO.saturating_add(params.retention_check);
        let mut actor = LogBrokerActor {
            broker: LogBroker::new(config),
            params,
            shelves: Vec::new(),
            groups: Vec::new(),
            peers: Vec::new(),
            down: 0,
            replicate_at: vec![None; n as usize],
            next_clean,
            is_down: false,
            known: Vec::new(),
            replies: Vec::new(),
            records: Vec::new(),
            taken: Vec::new(),
        };
        actor.known = (0..n).map(|p| actor.look_at(p as u8)).collect();
        actor.shelves = (0..n).map(|_| Shelf::new(0)).collect();
        actor
    }

    /// Says who is at the next port: a consumer of that group, whose name may be empty, or somebody
    /// else.
    pub fn attach(&mut self, group: Option<&str>) {
        let port = self.peers.len() as u16;
        let group = group.map(|name| {
            let found = self.groups.iter().position(|g| !name.is_empty() && g.name == name);
            found.unwrap_or_else(|| {
                let single = name.is_empty().then_some(port);
                self.groups.push(Group::new(name, single, self.params.initial_delay));
                self.shelves.iter_mut().for_each(|shelf| shelf.deliveries.push(None));
                self.groups.len() - 1
            }) as u8
        });
        self.peers.push(Peer {
            group,
            session: self.broker.open_session(FetchLimits::default()),
            fetch: 0,
            asked: 0,
            committed: 0,
            wanted: 0,
            partial: Vec::new(),
            txn: None,
            spare: Vec::new(),
            outgoing: VecDeque::new(),
        });
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        match parcel {
            Parcel::Log(LogParcel::Produce(record)) => self.on_record(cx, port, record),
            Parcel::Log(LogParcel::Fetch(fetch)) => self.on_fetch(cx, port, fetch),
            Parcel::Log(LogParcel::Seek { partition, offset }) => {
                self.on_seek(cx, port, partition, offset);
            }
            Parcel::Log(LogParcel::Forget { partitions }) => self.on_forget(cx, port, partitions),
            Parcel::Log(parcel @ (LogParcel::TxnBegin { .. } | LogParcel::TxnEnd { .. })) => {
                self.on_txn(cx, port, parcel);
            }
            Parcel::Log(parcel) => self.on_group(cx, port, parcel),
            Parcel::Closed => self.on_closed(cx, port, Why::Gone),
            _ => {}
        }
    }

    /// Followers fetch, fetches end, members are silent for too long, old segments go.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now();
        for partition in 0..self.replicate_at.len() {
            if self.replicate_at[partition].is_some_and(|at| at <= now) {
                self.replicate_at[partition] = None;
                self.replicate(cx, partition as u8);
            }
        }
        self.broker.on_wake(now, &mut self.replies);
        self.time_out_transactions(cx);
        self.after_change(cx);
        for group in 0..self.groups.len() {
            if self.groups[group].coordinator.next_wake().is_some_and(|at| at <= now) {
                self.groups[group].on_wake(now);
                self.answer_group(cx, group as u8);
            }
        }
        if self.next_clean <= now {
            self.next_clean = now.saturating_add(self.params.retention_check);
            self.clean(cx);
        }
    }

    /// Earliest time at which `on_wake` has something to do.
    #[inline]
    pub fn next_wake(&self) -> Option<SimTime> {
        if self.is_down {
            return None;
        }
        let copies = self.replicate_at.iter().flatten().copied().min();
        let groups = self.groups.iter().filter_map(|group| group.coordinator.next_wake()).min();
        let fetches = self.broker.next_wake();
        let txns = self.peers.iter().filter_map(|peer| peer.txn.as_ref()?.next_wake()).min();
        let all = [copies, groups, fetches, txns, Some(self.next_clean)];
        all.into_iter().flatten().min().filter(|at| *at != SimTime::MAX)
    }

    /// The channel takes parcels again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, port: u16) {
        while let Some(parcel) = self.peers[usize::from(port)].outgoing.front().copied() {
            if let Parcel::Log(LogParcel::Fetched(record)) = parcel
                && !self.still_owes(port, &record)
            {
                self.give_up_answer(port, record.number);
                continue;
            }
            if !cx.write(port, parcel, true) {
                return;
            }
            self.peers[usize::from(port)].outgoing.pop_front();
        }
    }

    /// Whether a record that waits for its channel is still to be done by the reader's group.
    fn still_owes(&self, port: u16, record: &FetchedRecord) -> bool {
        let shelf = &self.shelves[usize::from(record.partition)];
        let group = self.peers[usize::from(port)].group.unwrap_or(u8::MAX);
        let id = shelf.delivery(group).and_then(|delivery| delivery.id(record.offset));
        id == Some(record.message.id)
    }

    /// The rest of an answer is not sent: its reader asks again.
    fn give_up_answer(&mut self, port: u16, number: u32) {
        let outgoing = &mut self.peers[usize::from(port)].outgoing;
        outgoing.retain(|parcel| {
            !matches!(parcel, Parcel::Log(LogParcel::Fetched(record)) if record.number == number)
        });
        outgoing.push_front(Parcel::Log(LogParcel::Nothing { number, again: true }));
    }

    /// All nodes die; what is on their disks stays.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        for port in 0..self.peers.len() as u16 {
            self.on_closed(cx, port, Why::Crash);
        }
        self.crash_all();
        self.replies.clear();
        self.replicate_at.fill(None);
        self.settle_all(cx);
        self.is_down = true;
    }

    /// All nodes die at once: of each partition the followers first, so that nobody leads instead.
    fn crash_all(&mut self) {
        for partition in 0..self.shelves.len() as u32 {
            let Some(state) = self.broker.partition_mut(PartitionNo(partition)) else { continue };
            let leader = state.leader();
            let all = (0..self.params.replicas.0).map(|number| ReplicaNo(number as u8));
            let followers = all.filter(|replica| Some(*replica) != leader);
            for replica in followers.chain(leader).collect::<Vec<_>>() {
                // Nobody is there to hear.
                state.crash(replica, &mut Vec::new());
            }
        }
    }

    /// All nodes that were not down before come back; groups and their members are known from the
    /// log of offsets.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.is_down = false;
        for node in (0..self.params.replicas.0).filter(|node| self.down >> node & 1 == 0) {
            self.broker.restart(cx.now(), node, &mut self.replies);
        }
        self.after_change(cx);
        self.replicate_all(cx);
        self.on_wake(cx);
    }

    /// One node dies or comes back; `false`: there is no such node.
    pub fn turn_node(&mut self, cx: &mut Ctx<'_>, node: u8, is_up: bool) -> bool {
        if self.params.replicas.0 <= u32::from(node) {
            return false;
        }
        let was_up = self.down >> node & 1 == 0;
        if was_up == is_up {
            return true;
        }
        self.down ^= 1 << node;
        cx.fact(Fact::NodeTurned { at: cx.me, node, is_up });
        if self.is_down {
            return true;
        }
        match is_up {
            true => self.broker.restart(cx.now(), u32::from(node), &mut self.replies),
            false => self.broker.crash(u32::from(node), &mut self.replies),
        }
        self.after_change(cx);
        self.replicate_all(cx);
        true
    }

    /// Changes a live parameter. There are never fewer partitions.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = self.params.clone();
        self.params.set(index, value)?;
        let n = self.params.partitions.0;
        if n < before.partitions.0 {
            self.params = before;
            let least = self.params.partitions.0;
            let allowed = Said::new(
                format!("{least} to 64: a topic never has fewer partitions than before"),
                format!("{least} 至 64：分区数只能增加"),
            );
            return Err(Reason::new(n.to_string(), allowed));
        }
        self.broker.configure(self.params.partition());
        self.grow(cx);
        self.after_change(cx);
        Ok(())
    }

    /// What the present state of a partition is.
    pub(super) fn look_at(&self, partition: u8) -> Known {
        let number = PartitionNo(u32::from(partition));
        let Some(state) = self.broker.partition(number) else { return Known::default() };
        let in_sync = state.isr().iter().fold(0, |set, replica| set | 1_u64 << replica.0);
        let leader = state.leading();
        Known {
            leader: state.leader().map_or(u8::MAX, |leader| leader.0),
            epoch: state.epoch(),
            in_sync,
            start: leader.map_or(0, |leader| leader.log.start()),
            end: leader.map_or(0, |leader| leader.log.end()),
        }
    }

    /// Where consumers' sight of a partition ends, and why. `fresh`: see [`Sight`].
    pub(super) fn sight(&self, partition: u8, fresh: u64) -> Sight {
        let state = self.broker.partition(PartitionNo(u32::from(partition)));
        let end = |isolation| state.map_or(0, |state| state.readable_end(isolation));
        let (visible, stable) = (end(Isolation::Uncommitted), end(Isolation::Committed));
        let min = self.params.min_in_sync.0.min(self.params.replicas.0);
        let is_short =
            state.is_none_or(|state| state.leader().is_none() || state.isr().len() < min);
        let hidden = if is_short { Cause::Invisible } else { Cause::Replication };
        Sight { visible, stable, hidden, fresh }
    }

    /// States what a partition's records wait for.
    pub(super) fn settle(&mut self, cx: &mut Ctx<'_>, partition: u8, fresh: u64) {
        let sight = self.sight(partition, fresh);
        let (peers, broker) = (&self.peers, &self.broker);
        let has_asked = |port: u16| {
            let session = broker.session(peers[usize::from(port)].session);
            session.is_some_and(|session| session.is_parked())
        };
        self.shelves[usize::from(partition)].settle(cx, sight, has_asked);
    }

    pub(super) fn settle_all(&mut self, cx: &mut Ctx<'_>) {
        for partition in 0..self.shelves.len() {
            self.settle(cx, partition as u8, u64::MAX);
        }
    }

    /// Shows how far the groups are behind in a partition.
    pub(super) fn show_lag(&self, cx: &mut Ctx<'_>, partition: u8) {
        let shelf = &self.shelves[usize::from(partition)];
        for (group, delivery) in shelf.deliveries.iter().enumerate() {
            let Some(delivery) = delivery else { continue };
            let records = delivery.ids.len() as u32;
            cx.lag(Lag { at: cx.me, group: group as u8, partition, records });
        }
    }

    /// Drops what has come of a batch that will not be whole.
    pub(super) fn drop_partial(cx: &mut Ctx<'_>, partial: Assembly<NewRecord<Stored>>, why: Why) {
        let at = Node::Actor(cx.me);
        for (_, record) in partial.got {
            cx.fact(Fact::Dropped { msg: record.message.id, at, why });
        }
    }

    /// A batch of which only a part has come, by its number; begun if it is not there.
    pub(super) fn partial(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        (ticket, n): (u32, u16),
    ) -> usize {
        let peer = &mut self.peers[usize::from(port)];
        let partial = &mut peer.partial;
        if let Some(place) = partial.iter().position(|batch| batch.number == ticket) {
            return place;
        }
        let oldest = (partial.len() == MAX_PARTIAL).then(|| partial.remove(0));
        let got = std::mem::take(&mut peer.spare);
        partial.push(Assembly { number: ticket, n, got });
        let place = partial.len() - 1;
        if let Some(oldest) = oldest {
            Self::drop_partial(cx, oldest, Why::Incomplete);
        }
        place
    }

    /// The topic has more partitions from now on; all clients hear of it.
    fn grow(&mut self, cx: &mut Ctx<'_>) {
        let n = self.params.partitions.0.min(MAX_PARTITIONS);
        if n as usize <= self.shelves.len() {
            return;
        }
        while self.shelves.len() < n as usize {
            self.broker.add_partition();
            for node in partitions_of(self.down) {
                let number = PartitionNo(self.shelves.len() as u32);
                let replica = self.broker.replica_on(number, u32::from(node));
                let state = self.broker.partition_mut(number);
                if let (Some(replica), Some(state)) = (replica, state) {
                    state.crash(replica, &mut Vec::new());
                }
            }
            self.shelves.push(Shelf::new(self.groups.len() as u32));
            self.replicate_at.push(None);
            self.known.push(self.look_at(self.shelves.len() as u8 - 1));
        }
        cx.fact(Fact::Grown { at: cx.me, partitions: n as u8 });
        for port in 0..self.peers.len() as u16 {
            let parcel = Parcel::Log(LogParcel::Topic { n_partitions: n as u8 });
            self.write(cx, port, parcel);
        }
    }

    /// Writes a parcel, behind those that wait.
    pub(super) fn write(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        let peer = &mut self.peers[usize::from(port)];
        if !peer.outgoing.is_empty() || !cx.write(port, parcel, true) {
            peer.outgoing.push_back(parcel);
        }
    }

    /// Copies that it holds.
    pub fn n_held(&self) -> u64 {
        let partial = self.peers.iter().flat_map(|peer| &peer.partial);
        let partial: usize = partial.map(|batch| batch.got.len()).sum();
        partial as u64 + self.shelves.iter().map(Shelf::n_held).sum::<u64>()
    }

    /// Which node holds a replica of a partition.
    pub fn node_of(&self, partition: u8, replica: ReplicaNo) -> u8 {
        let n = self.params.replicas.0.max(1);
        ((u32::from(partition) + u32::from(replica.0)) % n) as u8
    }
}

impl LogBrokerParams {
    fn partition(&self) -> PartitionConfig {
        let bytes = self.retention_bytes.0;
        PartitionConfig {
            min_isr: self.min_in_sync.0,
            is_unclean: self.unclean,
            lag_max: self.lag_max,
            log: LogConfig {
                segment_bytes: self.segment.0,
                retention_bytes: (bytes < 1 << 40).then_some(bytes),
                retention: Some(self.retention),
                ..LogConfig::default()
            },
            ..PartitionConfig::default()
        }
    }
}
