//! The record of what was done: how a consumer knows a message again.
//!
//! It stands beside the effects, on the consumer's disk: a crash leaves it. It leaves out a record
//! that several consumers share. Read `docs/models/guarantees.md` before editing.

use std::collections::BTreeSet;

use crate::model::message::Message;

choices! {
    /// By which id a consumer knows a message again.
    pub enum DedupeBy {
        /// It does not.
        None = "none" ("not at all", "不去重"),
        /// By the number that the broker gave to the stored copy.
        BrokerId = "broker-id" ("the broker's id", "代理给的编号"),
        /// By the number that the producer gave to the message; what is sent again carries it too.
        ProducerId = "producer-id" ("the producer's id", "生产者给的编号"),
    }
}

choices! {
    /// When the id is recorded.
    pub enum RecordWhen {
        /// As the work begins: a crash in between loses the effect.
        Before = "before" ("before the effect", "生效之前"),
        /// As it is acknowledged: a crash in between repeats the effect.
        After = "after" ("after the effect", "生效之后"),
        /// With the effect, both or neither.
        SameTransaction = "same-transaction" ("in the same transaction", "同一事务"),
    }
}

/// Most ids that a record keeps; then the smallest ones go.
pub const MAX_RECORDED: u32 = 1_000_000;

/// The ids of what was done.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Record {
    ids: BTreeSet<u64>,
}

impl Record {
    /// Whether the message was recorded.
    pub fn knows(&self, by: DedupeBy, message: &Message) -> bool {
        key(by, message).is_some_and(|id| self.ids.contains(&id))
    }

    /// Records a message; `false`: it was recorded before.
    pub fn note(&mut self, by: DedupeBy, message: &Message) -> bool {
        let Some(id) = key(by, message) else { return true };
        let is_new = self.ids.insert(id);
        if MAX_RECORDED < self.len() {
            self.ids.pop_first();
        }
        is_new
    }

    /// How many ids it holds.
    pub fn len(&self) -> u32 {
        self.ids.len() as u32
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// The id that counts; `None`: none does.
fn key(by: DedupeBy, message: &Message) -> Option<u64> {
    match by {
        DedupeBy::None => None,
        // What comes straight from a sender was never stored, and so has no such number.
        DedupeBy::BrokerId => (message.stored != 0).then_some(u64::from(message.stored)),
        DedupeBy::ProducerId => Some(message.id.0),
    }
}
