//! What clients of a log broker and the broker say to each other.
//!
//! A batch travels as its records, one parcel each, so that every record is accounted for by
//! itself on any channel; its reader puts it together again. Partitions of the topic are bits of
//! a `u64`. Sizes follow Kafka's request headers and record format 2, without compression.

use crate::model::group::{Assignor, GroupError};
use crate::model::log::{
    Acks, BATCH_OVERHEAD, Isolation, ProduceError, RecordShape, TxnEnd, TxnReply,
};
use crate::model::message::Message;

/// Most partitions of a topic on the stage.
pub const MAX_PARTITIONS: u32 = 64;
/// Most records of one request or answer.
pub const MAX_RECORDS: u16 = 10_000;

/// Bytes of a request's or answer's header with what is fixed in it: Kafka's request header v2
/// with a client id of ten characters, and a topic's name of ten.
const HEADER_BYTES: u64 = 60;
/// Bytes of one more partition in a fetch, a join or an assignment.
const PARTITION_BYTES: u64 = 12;

/// One record of a produce request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProduceRecord {
    /// The batch's number at its producer; a batch that is sent again keeps it.
    pub ticket: u32,
    /// Place of the record in the batch.
    pub index: u16,
    /// How many records the batch has.
    pub n: u16,
    /// The partition.
    pub partition: u8,
    /// What the producer waits for.
    pub acks: Acks,
    /// Epoch and first sequence number, if the producer is idempotent; in a transaction the
    /// incarnation that the coordinator gave stands for the epoch.
    pub stamp: Option<(u32, u32)>,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
    /// The record.
    pub message: Message,
}

/// One record of a fetch's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchedRecord {
    /// Which fetch is answered.
    pub number: u32,
    /// Place of the record in the answer.
    pub index: u16,
    /// How many records the answer has.
    pub n: u16,
    /// The partition.
    pub partition: u8,
    /// Whether it was handed out to this group before.
    pub redelivered: bool,
    /// Its offset.
    pub offset: u64,
    /// The record.
    pub message: Message,
}

/// What a consumer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// Counts this consumer's fetches.
    pub number: u32,
    /// The partitions it reads.
    pub wanted: u64,
    /// Fewest bytes of an answer before its time is over.
    pub min_bytes: u32,
    /// Most bytes of an answer.
    pub max_bytes: u32,
    /// How long an answer may wait for data, in microseconds.
    pub max_wait_us: u32,
    /// Where it begins in a partition of which its group has committed nothing: at the beginning,
    /// else at the end.
    pub earliest: bool,
    /// What it sees.
    pub isolation: Isolation,
}

/// A member joins its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JoinRequest {
    /// Counts this member's joins and syncs: what answers an earlier one is not looked at.
    pub number: u32,
    /// Serial number of its id; 0: it has none.
    pub serial: u32,
    /// Whether it is a static member: its connection is its instance.
    pub is_static: bool,
    /// `session.timeout.ms`.
    pub session_ms: u32,
    /// `max.poll.interval.ms`.
    pub rebalance_ms: u32,
    /// What it says it owns.
    pub owned: u64,
    /// The generation in which it got that; 0: none.
    pub generation: u32,
    /// How it would divide partitions.
    pub assignor: Assignor,
}

/// What the coordinator answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupAnswer {
    /// To a join: a generation begins.
    Joined {
        /// Serial number of the member's id.
        serial: u32,
        /// The generation.
        generation: u32,
        /// Whether it leads.
        leads: bool,
        /// How many members there are, for the leader, who hears of all of them.
        n_members: u16,
    },
    /// To a join: refused.
    JoinRefused(GroupError),
    /// To a sync: the member's partitions.
    Synced(Result<u64, GroupError>),
    /// To a heartbeat.
    Heartbeat(Result<(), GroupError>),
    /// To a commit.
    Committed(Result<(), GroupError>),
}

/// A parcel between a log broker and a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogParcel {
    /// From a producer: one record of a batch.
    Produce(ProduceRecord),
    /// To a producer: what became of a batch.
    Produced {
        /// The batch's number.
        ticket: u32,
        /// Whether it is stored.
        result: Result<(), ProduceError>,
    },
    /// From a producer: it begins, or begins anew (`InitProducerId`).
    TxnBegin {
        /// Counts its beginnings.
        number: u32,
        /// How long a transaction of it may be open.
        timeout_ms: u32,
    },
    /// From a producer: its transaction ends (`EndTxn`).
    TxnEnd {
        /// Which incarnation it is.
        incarnation: u32,
        /// How.
        end: TxnEnd,
    },
    /// From the coordinator of transactions.
    Txn(TxnReply),
    /// To a client: the topic has so many partitions now.
    Topic {
        /// How many.
        n_partitions: u8,
    },
    /// From a consumer: it asks for records.
    Fetch(Fetch),
    /// From a consumer, before a fetch: it goes on at that offset.
    Seek {
        /// The partition.
        partition: u8,
        /// The next offset it wants.
        offset: u64,
    },
    /// From a consumer: it reads these partitions no more.
    Forget {
        /// Which.
        partitions: u64,
    },
    /// To a consumer: one record of an answer.
    Fetched(FetchedRecord),
    /// To a consumer: the time is over and there is nothing.
    Nothing {
        /// Which fetch is answered.
        number: u32,
        /// There was something, and it is gone: the consumer says where it stands.
        again: bool,
    },
    /// From a member.
    Join(JoinRequest),
    /// From a member: it asks for its partitions.
    Sync {
        /// Counts its joins and syncs.
        number: u32,
        /// Serial number of its id.
        serial: u32,
        /// In which generation.
        generation: u32,
        /// How the leader has divided partitions: the division follows from this and from what the
        /// members said, so only its bytes travel. From others nothing.
        by: Option<Assignor>,
    },
    /// From a member: it lives.
    Heartbeat {
        /// Serial number of its id.
        serial: u32,
        /// In which generation.
        generation: u32,
    },
    /// From a member: it goes.
    Leave {
        /// Serial number of its id.
        serial: u32,
    },
    /// From a member: a partition is done so far.
    Commit {
        /// Counts its commits.
        number: u32,
        /// Serial number of its id.
        serial: u32,
        /// In which generation.
        generation: u32,
        /// The partition.
        partition: u8,
        /// The next offset to be read.
        offset: u64,
    },
    /// From the coordinator.
    Group {
        /// Which join or sync was the member's last; of a commit's answer, which commit.
        number: u32,
        /// The answer.
        answer: GroupAnswer,
    },
}

impl LogParcel {
    /// The record it carries, if it carries one.
    pub fn message(&self) -> Option<&Message> {
        match self {
            LogParcel::Produce(record) => Some(&record.message),
            LogParcel::Fetched(record) => Some(&record.message),
            _ => None,
        }
    }

    /// Whether it carries one of several records of a batch or an answer.
    pub fn is_part(&self) -> bool {
        match self {
            LogParcel::Produce(record) => 1 < record.n,
            LogParcel::Fetched(record) => 1 < record.n,
            _ => false,
        }
    }

    /// Its length on the channel in bytes.
    pub fn bytes(&self) -> u64 {
        let partitions = |set: u64| u64::from(set.count_ones()) * PARTITION_BYTES;
        match self {
            LogParcel::Produce(record) => record_bytes(&record.message, record.index),
            LogParcel::Fetched(record) => record_bytes(&record.message, record.index),
            LogParcel::Forget { partitions: set } => HEADER_BYTES + partitions(*set),
            LogParcel::Join(join) => HEADER_BYTES + partitions(join.owned),
            LogParcel::Group { answer: GroupAnswer::Joined { n_members, .. }, .. } => {
                HEADER_BYTES + u64::from(*n_members) * HEADER_BYTES
            }
            LogParcel::Group { answer: GroupAnswer::Synced(Ok(set)), .. } => {
                HEADER_BYTES + partitions(*set)
            }
            _ => HEADER_BYTES,
        }
    }
}

/// Bytes of a record on the channel; the first of a batch carries the batch's own.
fn record_bytes(message: &Message, index: u16) -> u64 {
    let own = u64::from(shape_of(message).bytes_in_batch(0, u32::from(index)));
    own + if index == 0 { HEADER_BYTES + u64::from(BATCH_OVERHEAD) } else { 0 }
}

/// Lengths of a record's key and value. Key number k is the text `order-k`; 0 is no key.
pub fn shape_of(message: &Message) -> RecordShape {
    let digits = message.key.checked_ilog10().map(|log| log + 1);
    RecordShape { key: digits.map(|digits| digits + 6), value: Some(message.bytes) }
}

/// Puts a batch together from its records, in whatever order they come.
#[derive(Clone, PartialEq, Debug)]
pub struct Assembly<T> {
    /// The batch's or answer's number.
    pub number: u32,
    /// How many records make it whole.
    pub n: u16,
    /// What has come, with its place.
    pub got: Vec<(u16, T)>,
}

impl<T> Assembly<T> {
    /// Nothing yet of `n` records.
    pub fn new(number: u32, n: u16) -> Assembly<T> {
        Assembly { number, n, got: Vec::new() }
    }

    /// Takes a record in; answers the one that had its place.
    pub fn take(&mut self, index: u16, record: T) -> Option<T> {
        // Mostly they come in order.
        if self.got.last().is_none_or(|(last, _)| *last < index) {
            self.got.push((index, record));
            return None;
        }
        match self.got.binary_search_by_key(&index, |(place, _)| *place) {
            Ok(place) => Some(std::mem::replace(&mut self.got[place], (index, record)).1),
            Err(place) => {
                self.got.insert(place, (index, record));
                None
            }
        }
    }

    /// Whether all records are here.
    pub fn is_whole(&self) -> bool {
        self.got.len() == usize::from(self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_stays_small() {
        assert!(size_of::<LogParcel>() <= 88, "{}", size_of::<LogParcel>());
    }

    #[test]
    fn a_batch_is_whole_in_whatever_order_its_records_come() {
        let mut batch = Assembly::new(1, 3);
        for index in [2, 0, 1] {
            assert!(!batch.is_whole());
            assert_eq!(batch.take(index, index), None);
        }
        assert_eq!(batch.take(1, 9), Some(1), "a record that comes twice");
        assert!(batch.is_whole());
        assert_eq!(batch.got, [(0, 0), (1, 9), (2, 2)]);
    }
}
