//! A log broker and its clients as actors: connections, batches on channels, and facts around the
//! machines in [`crate::model::log`] and [`crate::model::group`].
//!
//! Read `broker.rs` first: one actor is the whole cluster. `shelf.rs` is what a partition owes to
//! each group, `members.rs` the groups, `coordinating.rs` transactions; `producer.rs` and
//! `consumer.rs` are the clients.

pub mod broker;
mod committing;
pub mod consumer;
mod consumer_params;
mod coordinating;
mod fetching;
pub mod members;
pub mod producer;
mod producer_params;
mod serving;
pub mod shelf;
mod working;

pub use broker::{LogBrokerActor, LogBrokerParams};
pub use committing::{Stage, Txn};
pub use consumer::LogConsumer;
pub use consumer_params::{CommitMode, CommitWait, Division, LogConsumerParams, Sees, Start};
pub use producer::LogProducer;
pub use producer_params::{AckWish, LogProducerParams};

/// The partitions of a set, rising.
pub fn partitions_of(set: u64) -> impl Iterator<Item = u8> {
    (0..64).filter(move |partition| set >> partition & 1 == 1)
}
