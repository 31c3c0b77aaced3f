//! A JetStream stream: messages by sequence, the duplicate window, what happens when it is full.

use std::collections::{BTreeMap, VecDeque};

use super::Text;
use crate::kernel::{SimSpan, SimTime};

/// Most messages of a stream, whatever its configuration.
pub const MESSAGES_LIMIT: u64 = 1 << 22;

/// A publisher's id of a message (`Nats-Msg-Id`), as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MsgKey(pub u64);

/// When a message leaves the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// By the limits alone.
    Limits,
    /// When it is acknowledged; each message has one consumer.
    WorkQueue,
}

/// What a full stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// The oldest message makes room.
    Old,
    /// The new message is refused.
    New,
}

/// A stream's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// When messages leave.
    pub retention: Retention,
    /// What happens when it is full.
    pub discard: Discard,
    /// Most messages, `None` for as many as fit.
    pub max_msgs: Option<u64>,
    /// How long a publisher's id is remembered.
    pub duplicate_window: SimSpan,
}

impl Default for StreamConfig {
    /// The server's defaults: limits, discard old, two minutes.
    fn default() -> StreamConfig {
        StreamConfig {
            retention: Retention::Limits,
            discard: Discard::Old,
            max_msgs: None,
            duplicate_window: SimSpan::s(120),
        }
    }
}

/// A stored message.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its subject.
    pub subject: Text,
    /// What it carries; the stream does not look at it.
    pub body: u64,
}

/// The publisher's acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where the message is, or was already.
    pub seq: u64,
    /// It was there already.
    pub duplicate: bool,
}

/// A full stream refuses new messages: `maximum messages exceeded` (10077).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// A stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its configuration.
    pub config: StreamConfig,
    messages: BTreeMap<u64, Stored>,
    last: u64,
    /// Publishers' ids with their sequence.
    seen: BTreeMap<MsgKey, u64>,
    /// The same by age.
    ages: VecDeque<(SimTime, MsgKey)>,
}

impl Stream {
    /// An empty stream; its first message has sequence 1.
    pub fn new(config: StreamConfig) -> Stream {
        let (seen, ages) = (BTreeMap::new(), VecDeque::new());
        Stream { config, messages: BTreeMap::new(), last: 0, seen, ages }
    }

    /// Stores a message, unless its id was seen within the window.
    ///
    /// A duplicate gets the old sequence and does not prolong the window. A refused message is
    /// not remembered.
    pub fn publish(
        &mut self,
        now: SimTime,
        key: Option<MsgKey>,
        message: Stored,
    ) -> Result<Published, Refused> {
        self.forget(now);
        if let Some(seq) = key.and_then(|key| self.seen.get(&key)) {
            return Ok(Published { seq: *seq, duplicate: true });
        }
        let max = self.config.max_msgs.unwrap_or(MESSAGES_LIMIT).min(MESSAGES_LIMIT);
        if max <= self.len() {
            match self.config.discard {
                Discard::New => return Err(Refused),
                Discard::Old => {
                    self.messages.pop_first();
                }
            }
        }
        self.last += 1;
        if 0 < max {
            self.messages.insert(self.last, message);
        }
        if let Some(key) = key {
            self.seen.insert(key, self.last);
            self.ages.push_back((now, key));
        }
        Ok(Published { seq: self.last, duplicate: false })
    }

    /// Removes a message.
    pub fn remove(&mut self, seq: u64) -> bool {
        self.messages.remove(&seq).is_some()
    }

    /// A message, if it is still there.
    pub fn message(&self, seq: u64) -> Option<&Stored> {
        self.messages.get(&seq)
    }

    /// Messages from a sequence on.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = (u64, &Stored)> {
        self.messages.range(seq..).map(|(seq, message)| (*seq, message))
    }

    /// How many messages it holds.
    pub fn len(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The last sequence given.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Forgets ids whose window is over.
    fn forget(&mut self, now: SimTime) {
        while let Some((at, key)) = self.ages.front()
            && at.saturating_add(self.config.duplicate_window) <= now
        {
            self.seen.remove(key);
            self.ages.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(stream: &mut Stream, at_ms: u64, key: Option<u64>) -> Result<Published, Refused> {
        let message = Stored { subject: "s".into(), body: 0 };
        stream.publish(SimTime::from_ns(at_ms * 1_000_000), key.map(MsgKey), message)
    }

    #[test]
    fn an_id_counts_from_its_first_message_and_only_within_the_window() {
        let config = StreamConfig { duplicate_window: SimSpan::s(1), ..StreamConfig::default() };
        let mut stream = Stream::new(config);
        let new = |seq| Ok(Published { seq, duplicate: false });
        assert_eq!(publish(&mut stream, 0, Some(7)), new(1));
        let again = publish(&mut stream, 900, Some(7));
        assert_eq!(again, Ok(Published { seq: 1, duplicate: true }));
        assert_eq!(publish(&mut stream, 1000, Some(7)), new(2));
        assert_eq!(publish(&mut stream, 1000, None), new(3));
        assert_eq!(publish(&mut stream, 1000, None), new(4));
    }

    #[test]
    fn a_full_stream_drops_its_head_or_refuses() {
        let limited =
            |discard| StreamConfig { discard, max_msgs: Some(2), ..StreamConfig::default() };
        let mut old = Stream::new(limited(Discard::Old));
        let mut new = Stream::new(limited(Discard::New));
        for _ in 0..2 {
            publish(&mut old, 0, None).expect("there is room");
            publish(&mut new, 0, None).expect("there is room");
        }
        assert!(publish(&mut old, 0, None).is_ok());
        assert_eq!(old.from(0).map(|(seq, _)| seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(publish(&mut new, 0, Some(9)), Err(Refused));
        new.remove(1);
        let later = publish(&mut new, 0, Some(9));
        assert_eq!(later, Ok(Published { seq: 3, duplicate: false }), "it was not remembered");
    }
}
