//! One partition: its replicas, what producers may append and what consumers may read.
//!
//! The leader appends; `replication.rs` has the followers, the high watermark and failover.
//! All replicas live here, so a crash is a call and not a message; the caller decides when
//! followers fetch. Source: `Partition.scala`, `ReplicaManager`.

use std::collections::VecDeque;

use super::producers::{Judged, ProducerError, ProducerId, Producers, Stamp, TxnEnd};
use super::record::{Batch, Content, NewRecord, Record};
use super::replication::ReplicaSet;
use super::store::{Log, LogConfig};
use crate::kernel::{SimSpan, SimTime};

/// Most replicas of a partition.
pub const REPLICAS_LIMIT: u32 = 64;
/// Most produce requests that may wait for followers; beyond it they are refused.
pub const WAITING_LIMIT: u32 = 65_536;
/// Bytes of a transaction marker in the log, in bytes.
pub const MARKER_BYTES: u32 = 78;

/// A replica: which broker holds it, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaNo(pub u8);

/// What a producer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: there is no answer (`acks=0`).
    None,
    /// The leader's append (`acks=1`).
    Leader,
    /// The append of all in-sync replicas (`acks=all`).
    All,
}

/// What a consumer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Isolation {
    /// All that is below the high watermark (`read_uncommitted`).
    #[default]
    Uncommitted,
    /// Below the last stable offset, without aborted transactions (`read_committed`).
    Committed,
}

/// How a partition is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionConfig {
    /// Fewest in-sync replicas for `acks=all` (`min.insync.replicas`).
    pub min_isr: u32,
    /// Whether a replica that is not in sync may lead (`unclean.leader.election.enable`).
    pub is_unclean: bool,
    /// Whether the high watermark waits for `min_isr` replicas, as since version 3.7.
    pub mark_needs_min_isr: bool,
    /// A follower not caught up for so long is out of sync (`replica.lag.time.max.ms`).
    pub lag_max: SimSpan,
    /// When an idle producer is forgotten (`producer.id.expiration.ms`).
    pub producer_expiration: SimSpan,
    /// The logs' own limits.
    pub log: LogConfig,
}

impl Default for PartitionConfig {
    fn default() -> PartitionConfig {
        PartitionConfig {
            min_isr: 1,
            is_unclean: false,
            mark_needs_min_isr: true,
            lag_max: SimSpan::s(30),
            producer_expiration: SimSpan::s(86_400),
            log: LogConfig::default(),
        }
    }
}

/// A produce request, but for its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produce {
    /// What the producer waits for.
    pub acks: Acks,
    /// The caller's number for a late answer.
    pub ticket: u64,
    /// What an idempotent producer writes on the batch.
    pub stamp: Option<Stamp>,
}

impl Produce {
    /// A request without idempotence.
    pub const fn plain(acks: Acks, ticket: u64) -> Produce {
        Produce { acks, ticket, stamp: None }
    }
}

/// Where records were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Offset of the first record.
    pub base: u64,
    /// Offset of the last record.
    pub last: u64,
}

/// What became of a produce request that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// Appended; nothing more will be said.
    Done(Placed),
    /// Appended; the answer follows when the in-sync replicas have it.
    Waiting(Placed),
    /// Stored before, at this place.
    Duplicate(Placed),
}

/// Why a produce request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProduceError {
    /// Nobody leads, or the leader died before it could answer; the producer retries.
    NotLeader,
    /// Too few replicas are in sync; nothing was appended.
    NotEnoughReplicas,
    /// Too few replicas are in sync now; the records stay where they are.
    NotEnoughReplicasAfterAppend,
    /// The idempotence or transaction rules forbid it; nothing was appended.
    Producer(ProducerError),
    /// Too many requests wait for followers; nothing was appended.
    Overloaded,
}

/// The late answer to a request that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The caller's number of the request.
    pub ticket: u64,
    /// Where the records are, or why they are not acknowledged.
    pub result: Result<Placed, ProduceError>,
}

/// A request that waits for followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) ticket: u64,
    pub(super) placed: Placed,
}

/// One copy of the partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica<M> {
    /// Its records.
    pub log: Log<M>,
    /// What it knows of the producers, from its own log.
    pub producers: Producers,
    /// Below it everything is on all in-sync replicas, as far as this one knows.
    pub high_watermark: u64,
    /// Whether its broker runs.
    pub is_alive: bool,
    /// When it last had all of the leader's log.
    pub caught_up_at: SimTime,
}

/// One partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition<M> {
    /// How it is kept.
    pub config: PartitionConfig,
    pub(super) replicas: Vec<Replica<M>>,
    pub(super) leader: Option<ReplicaNo>,
    pub(super) epoch: u32,
    pub(super) isr: ReplicaSet,
    /// By rising offset.
    pub(super) waiting: VecDeque<Waiting>,
}

impl<M: Copy> Partition<M> {
    /// An empty partition: replica 0 leads, all are in sync. Panics without replicas.
    pub fn new(config: PartitionConfig, n_replicas: u32) -> Partition<M> {
        assert!(0 < n_replicas && n_replicas <= REPLICAS_LIMIT);
        let replica = || Replica {
            log: Log::new(config.log),
            producers: Producers::new(config.producer_expiration),
            high_watermark: 0,
            is_alive: true,
            caught_up_at: SimTime::ZERO,
        };
        Partition {
            config,
            replicas: (0..n_replicas).map(|_| replica()).collect(),
            leader: Some(ReplicaNo(0)),
            epoch: 0,
            isr: ReplicaSet::first(n_replicas),
            waiting: VecDeque::new(),
        }
    }

    /// Appends a batch.
    ///
    /// Followers are not waited for here: answers come from `follower_fetch` and the like.
    #[inline]
    pub fn produce(
        &mut self,
        now: SimTime,
        request: &Produce,
        records: &[NewRecord<M>],
    ) -> Result<Produced, ProduceError> {
        let Produce { acks, ticket, stamp } = *request;
        let leader = self.leader.ok_or(ProduceError::NotLeader)?;
        if acks == Acks::All && self.isr.len() < self.min_isr() {
            return Err(ProduceError::NotEnoughReplicas);
        }
        if acks == Acks::All && WAITING_LIMIT <= self.waiting.len() as u32 {
            return Err(ProduceError::Overloaded);
        }
        let n = records.len() as u32;
        let replica = &mut self.replicas[usize::from(leader.0)];
        if let Some(stamp) = &stamp {
            let judged = replica.producers.judge(now, stamp, n).map_err(ProduceError::Producer)?;
            if let Judged::Duplicate { base, last } = judged {
                let placed = Placed { base, last };
                let is_safe = last < replica.high_watermark;
                return Ok(match acks {
                    Acks::All if !is_safe => self.wait(ticket, placed),
                    _ => Produced::Duplicate(placed),
                });
            }
        }
        let base = replica.log.append(self.epoch, stamp, records);
        if let Some(stamp) = &stamp {
            replica.producers.appended(now, stamp, n, base);
        }
        let placed = Placed { base, last: (base + u64::from(n)).saturating_sub(1) };
        if 1 < self.replicas.len() {
            self.note_caught_up(now, base);
        }
        self.advance();
        Ok(match acks {
            Acks::All if self.high_watermark() <= placed.last => self.wait(ticket, placed),
            _ => Produced::Done(placed),
        })
    }

    /// Ends a producer's transaction with a marker; answers its offset and what it ended.
    pub fn end_txn(
        &mut self,
        now: SimTime,
        producer: ProducerId,
        epoch: u16,
        end: TxnEnd,
        message: M,
    ) -> Result<(u64, Option<super::producers::EndedTxn>), ProduceError> {
        let leader = self.leader.ok_or(ProduceError::NotLeader)?;
        let replica = &mut self.replicas[usize::from(leader.0)];
        let judged = replica.producers.judge_end(now, producer, epoch);
        judged.map_err(ProduceError::Producer)?;
        let content = match end {
            TxnEnd::Commit => Content::Commit,
            TxnEnd::Abort => Content::Abort,
        };
        let marker = NewRecord { at: now, bytes: MARKER_BYTES, key: None, content, message };
        let stamp = Stamp { producer, epoch, sequence: 0, is_transactional: true };
        let offset = replica.log.append(self.epoch, Some(stamp), &[marker]);
        let ended = replica.producers.ended(now, producer, epoch, end, offset);
        self.advance();
        Ok((offset, ended))
    }

    /// How it is kept from now on.
    pub fn configure(&mut self, config: PartitionConfig) {
        self.config = config;
        for replica in &mut self.replicas {
            replica.log.config = config.log;
        }
    }

    /// Compacts every live replica below its active segment; answers how many records of the
    /// leader's log went.
    pub fn compact(&mut self, now: SimTime) -> u32 {
        let mut n_gone = 0;
        for (number, replica) in self.replicas.iter_mut().enumerate() {
            if replica.is_alive {
                let n = replica.log.compact(now);
                n_gone = if self.leader == Some(ReplicaNo(number as u8)) { n } else { n_gone };
            }
        }
        n_gone
    }

    /// Deletes what the retention rules say on every live replica; answers how many segments.
    pub fn retain(&mut self, now: SimTime) -> u32 {
        let mut n_deleted = 0;
        for replica in self.replicas.iter_mut().filter(|replica| replica.is_alive) {
            n_deleted += replica.log.retain(now, replica.high_watermark);
            replica.producers.drop_before(replica.log.start());
        }
        n_deleted
    }

    /// The offset before which a consumer may read; 0 while nobody leads.
    #[inline]
    pub fn readable_end(&self, isolation: Isolation) -> u64 {
        let Some(leader) = self.leading() else { return 0 };
        match isolation {
            Isolation::Uncommitted => leader.high_watermark,
            Isolation::Committed => leader.producers.last_stable(leader.high_watermark),
        }
    }

    /// What a consumer at `from` may read, in order: no markers, nothing aborted if it asks so.
    #[inline]
    pub fn read(&self, from: u64, isolation: Isolation) -> impl Iterator<Item = &Record<M>> {
        let end = self.readable_end(isolation);
        let leader = self.leading().into_iter();
        leader.flat_map(move |leader| {
            let is_seen = move |record: &&Record<M>| {
                !record.content.is_marker() && !is_aborted(leader, record.offset, isolation)
            };
            leader.log.read(from, end).filter(is_seen)
        })
    }

    /// Bytes that a consumer at `from` may read, counted until there are `enough`.
    #[inline]
    pub fn readable_bytes(&self, from: u64, isolation: Isolation, enough: u64) -> u64 {
        let mut bytes = 0;
        let Some(leader) = self.leading() else { return 0 };
        for record in leader.log.read(from, self.readable_end(isolation)) {
            bytes += u64::from(record.bytes);
            if enough <= bytes {
                break;
            }
        }
        bytes
    }

    /// Whether the record at an offset belongs to a transaction that was aborted.
    pub fn is_aborted(&self, offset: u64) -> bool {
        self.leading().is_some_and(|leader| is_aborted(leader, offset, Isolation::Committed))
    }

    /// Who leads.
    #[inline]
    pub fn leader(&self) -> Option<ReplicaNo> {
        self.leader
    }

    /// The epoch of the present or last leader.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The in-sync replicas.
    pub fn isr(&self) -> ReplicaSet {
        self.isr
    }

    /// A copy of the partition.
    pub fn replica(&self, number: ReplicaNo) -> Option<&Replica<M>> {
        self.replicas.get(usize::from(number.0))
    }

    /// All copies, by number.
    pub fn replicas(&self) -> impl Iterator<Item = (ReplicaNo, &Replica<M>)> {
        self.replicas.iter().enumerate().map(|(number, r)| (ReplicaNo(number as u8), r))
    }

    /// The leader's copy.
    #[inline]
    pub fn leading(&self) -> Option<&Replica<M>> {
        self.replica(self.leader?)
    }

    /// The leader's high watermark; 0 while nobody leads.
    #[inline]
    pub fn high_watermark(&self) -> u64 {
        self.leading().map_or(0, |leader| leader.high_watermark)
    }

    /// How many produce requests wait for followers.
    pub fn n_waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    /// Fewest in-sync replicas for `acks=all`, at most all replicas.
    #[inline]
    pub(super) fn min_isr(&self) -> u32 {
        self.config.min_isr.min(self.replicas.len() as u32)
    }

    /// Who had everything until now lags from now on, and not since its last fetch.
    fn note_caught_up(&mut self, now: SimTime, end_before: u64) {
        for replica in &mut self.replicas {
            if replica.is_alive && replica.log.end() == end_before {
                replica.caught_up_at = now;
            }
        }
    }

    fn wait(&mut self, ticket: u64, placed: Placed) -> Produced {
        let at = self.waiting.partition_point(|waiting| waiting.placed.last <= placed.last);
        self.waiting.insert(at, Waiting { ticket, placed });
        Produced::Waiting(placed)
    }
}

fn is_aborted<M: Copy>(leader: &Replica<M>, offset: u64, isolation: Isolation) -> bool {
    if isolation == Isolation::Uncommitted || leader.producers.aborted().is_empty() {
        return false;
    }
    let stamp = |batch: &Batch| batch.stamp.filter(|stamp| stamp.is_transactional);
    let stamp = leader.log.batch_of(offset).and_then(stamp);
    stamp.is_some_and(|stamp| leader.producers.is_aborted(stamp.producer, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_committed_skips_what_was_aborted_and_waits_for_what_is_open() {
        let mut partition: Partition<u64> = Partition::new(PartitionConfig::default(), 1);
        let now = SimTime::ZERO;
        let write = |partition: &mut Partition<u64>, producer, sequence, message| {
            let stamp = Stamp {
                producer: ProducerId(producer),
                epoch: 0,
                sequence,
                is_transactional: producer != 0,
            };
            let record = NewRecord::value(now, 10, message);
            let request = Produce { acks: Acks::Leader, ticket: 0, stamp: Some(stamp) };
            partition.produce(now, &request, &[record]).expect("in order");
        };
        write(&mut partition, 1, 0, 10);
        write(&mut partition, 0, 0, 20);
        write(&mut partition, 2, 0, 30);
        let seen = |partition: &Partition<u64>, isolation| {
            partition.read(0, isolation).map(|record| record.message).collect::<Vec<_>>()
        };
        assert!(seen(&partition, Isolation::Committed).is_empty());
        partition.end_txn(now, ProducerId(1), 0, TxnEnd::Abort, 0).expect("its own epoch");
        assert_eq!(seen(&partition, Isolation::Committed), [20]);
        partition.end_txn(now, ProducerId(2), 0, TxnEnd::Commit, 0).expect("its own epoch");
        assert_eq!(seen(&partition, Isolation::Committed), [20, 30]);
        assert_eq!(seen(&partition, Isolation::Uncommitted), [10, 20, 30]);
    }
}
