//! The log broker: partitions that keep what they are given, with Kafka's semantics.
//!
//! Sans-I/O machines: calls change the state and append what follows to `out`; the broker that
//! parks fetches has time of its own by `on_wake` and `next_wake`. `docs/models/log-broker.md` has
//! the rules with their sources, and what is left out.
//!
//! Producer side: `hash` and `sticky` choose a partition, `size` and `accumulator` make batches,
//! `sender` sends them, again if need be.
//! Broker side: `record`, `store`, `compaction`, `epochs` are one replica's log, `producers` its
//! memory of sequence numbers and transactions, `partition` and `replication` several replicas,
//! `broker` many partitions and waiting fetches, `transaction` the coordinator's side of a
//! producer's transactions, `defaults` Kafka's values.

mod accumulator;
mod broker;
mod compaction;
pub mod defaults;
mod epochs;
mod hash;
mod partition;
mod producers;
mod record;
mod replication;
mod sender;
mod size;
mod sticky;
mod store;
mod transaction;

pub use accumulator::{Accumulator, Appending, Drained, Pending};
pub use broker::{
    BrokerConfig, FetchLimits, Gauges, LogBroker, PartitionNo, Position, Reply, Session, SessionNo,
};
pub use epochs::{EPOCHS_LIMIT, EpochEnd, EpochStart, Epochs};
pub use hash::{murmur2, partition_of_hash, partition_of_key};
pub use partition::{
    Acks, Answer, Isolation, MARKER_BYTES, Partition, PartitionConfig, Placed, Produce,
    ProduceError, Produced, REPLICAS_LIMIT, Replica, ReplicaNo, WAITING_LIMIT,
};
pub use producers::{
    ABORTED_LIMIT, BATCHES_RETAINED, EndedTxn, Judged, PRODUCERS_LIMIT, ProducerError, ProducerId,
    Producers, Stamp, TxnEnd,
};
pub use record::{Batch, Content, Key, NewRecord, Record};
pub use replication::ReplicaSet;
pub use sender::{IN_FLIGHT_LIMIT, Sender, SenderConfig, SenderGauges, Sending};
pub use size::{BATCH_OVERHEAD, RecordShape, varint_bytes};
pub use sticky::{PARTITIONS_LIMIT, StickyPartitioner};
pub use store::{Log, LogConfig, RECORDS_LIMIT, Segment};
pub use transaction::{Mark, Transaction, TxnReply, TxnState, identity};
