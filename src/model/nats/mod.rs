//! NATS: subjects with queue groups that keep nothing, and JetStream's streams that do.
//!
//! Sans-I/O machines. The rules and what is left out are in `docs/models/nats.md`.
//! `subject` says what matches what, `core` who receives a published message, `stream` what is
//! stored once, `consumer` what is delivered again.
//!
//! Source: nats-server 2.9.10, `server/stream.go` and `server/consumer.go`.

mod consumer;
mod core;
mod stream;
mod subject;

pub use consumer::{
    ConsumerConfig, ConsumerNo, Delivery, Effect, Gauges, JetStream, JetStreamError, Outstanding,
};
pub use core::{Core, Subscription, SubscriptionNo};
pub use stream::{Discard, MsgKey, Published, Refused, Retention, Stored, Stream, StreamConfig};
pub use subject::{subject_matches, subjects_overlap};

/// A subject or a group's name: shared, not copied.
pub type Text = std::sync::Arc<str>;
