//! What only a queue broker's facts need: what it runs out of, and the words of its facts.

use crate::model::fact::Fact;
use crate::model::message::ActorId;
use crate::param::Text;

/// What a broker runs out of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Resource {
    /// Memory above the watermark.
    Memory,
    /// Free disk space below the limit.
    Disk,
}

impl Resource {
    /// In words.
    pub fn text(self) -> Text {
        match self {
            Resource::Memory => Text { en: "memory", zh: "内存" },
            Resource::Disk => Text { en: "disk space", zh: "磁盘空间" },
        }
    }
}

impl Fact {
    /// Three words that tell a fact of a broker from every other; `None`: it is another's.
    pub(super) fn broker_words(&self) -> Option<[u64; 3]> {
        let actor = |a: ActorId| u64::from(a.0);
        let head = |kind: u64, place: u64, rest: u64| kind | place << 8 | rest << 32;
        Some(match *self {
            Fact::Routed { msg, at, exchange, queue } => {
                [head(60, actor(at), u64::from(exchange) | u64::from(queue) << 16), msg.0, 0]
            }
            Fact::Denied { by, at, queue, reads } => {
                [head(61, actor(at), u64::from(queue) | u64::from(reads) << 16), actor(by), 0]
            }
            Fact::Audited { msg, by, at, reads } => {
                [head(62, actor(at), u64::from(reads)), msg.0, actor(by)]
            }
            Fact::Alarm { at, resource, on } => {
                [head(63, actor(at), resource as u64 | u64::from(on) << 8), 0, 0]
            }
            Fact::Excused { msg, cause, from, to } => {
                [head(64, 0, cause as u64), msg.0, from.ns() ^ to.ns().rotate_left(32)]
            }
            Fact::Synced { at } => [head(65, actor(at), 0), 0, 0],
            Fact::SessionTurned { at, by, is_there, is_kept } => {
                let what = u64::from(is_there) | u64::from(is_kept) << 1;
                [head(66, actor(at), what), actor(by), 0]
            }
            Fact::Retained { msg, at, waits } => [head(67, actor(at), u64::from(waits)), msg.0, 0],
            _ => return None,
        })
    }
}
