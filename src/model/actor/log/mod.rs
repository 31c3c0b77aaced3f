//! A log broker and its clients as actors: connections, batches on channels, and facts around the
//! machines in [`crate::model::log`] and [`crate::model::group`].
//!
//! Read `broker.rs` first: one actor is the whole cluster. `shelf.rs` is what a partition owes to
//! each group, `members.rs` the groups; `producer.rs` and `consumer.rs` are the clients.

pub mod broker;
pub mod consumer;
mod consumer_params;
mod fetching;
pub mod members;
pub mod producer;
mod producer_params;
mod serving;
pub mod shelf;
mod working;

pub use broker::{LogBrokerActor, LogBrokerParams};
pub use consumer::LogConsumer;
pub use consumer_params::{CommitMode, Division, LogConsumerParams, Start};
pub use producer::LogProducer;
pub use producer_params::{AckWish, LogProducerParams};

/// The partitions of a set, rising.
pub fn partitions_of(set: u64) -> impl Iterator<Item = u8> {
    (0..64).filter(move |partition| set >> partition & 1 == 1)
}
