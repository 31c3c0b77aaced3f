//! What clients receive.

use super::stream::EntryId;
use super::{ClientNo, Text};

/// A refusal. Texts are those of Redis 7.0, without the leading `ERR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key holds another kind of value.
    WrongType,
    /// Counting with what is no number, or past its range.
    NotAnInteger,
    /// The sum does not fit.
    Overflow,
    /// Too many keys or elements: `maxmemory` without eviction.
    OutOfMemory,
    /// An id that does not grow.
    IdTooSmall,
    /// 0-0 is no id.
    IdZero,
    /// No id is left after the greatest.
    IdsExhausted,
    /// No such stream or group, as XREADGROUP says it.
    NoGroupToRead {
        /// The stream.
        key: Text,
        /// The group.
        group: Text,
    },
    /// No such stream or group, as the other commands say it.
    NoKeyOrGroup {
        /// The stream.
        key: Text,
        /// The group.
        group: Text,
    },
    /// No such group, as XGROUP says it.
    NoGroup {
        /// The stream.
        key: Text,
        /// The group.
        group: Text,
    },
    /// XGROUP on a key that does not exist.
    NoKeyForGroup,
    /// XGROUP CREATE of a group that exists.
    GroupExists,
    /// MULTI inside MULTI.
    NestedMulti,
    /// EXEC without MULTI.
    ExecWithoutMulti,
    /// DISCARD without MULTI.
    DiscardWithoutMulti,
    /// WATCH inside MULTI.
    WatchInMulti,
    /// EXEC after a command that could not be queued.
    ExecAborted,
    /// A subscriber may only change its subscriptions (RESP2).
    InSubscription,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Error::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Error::NotAnInteger => "value is not an integer or out of range",
            Error::Overflow => "increment or decrement would overflow",
            Error::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Error::IdTooSmall => {
                "The ID specified in XADD is equal or smaller than the target stream top item"
            }
            Error::IdZero => "The ID specified in XADD must be greater than 0-0",
            Error::IdsExhausted => {
                "The stream has exhausted the last possible ID, unable to add more items"
            }
            Error::NoGroupToRead { key, group } => {
                return write!(
                    f,
                    "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with \
                     GROUP option"
                );
            }
            Error::NoKeyOrGroup { key, group } => {
                return write!(f, "NOGROUP No such key '{key}' or consumer group '{group}'");
            }
            Error::NoGroup { key, group } => {
                return write!(f, "NOGROUP No such consumer group '{group}' for key name '{key}'");
            }
            Error::NoKeyForGroup => {
                "The XGROUP subcommand requires the key to exist. Note that for CREATE you may \
                 want to use the MKSTREAM option to create an empty stream automatically."
            }
            Error::GroupExists => "BUSYGROUP Consumer Group name already exists",
            Error::NestedMulti => "MULTI calls can not be nested",
            Error::ExecWithoutMulti => "EXEC without MULTI",
            Error::DiscardWithoutMulti => "DISCARD without MULTI",
            Error::WatchInMulti => "WATCH inside MULTI is not allowed",
            Error::ExecAborted => "Transaction discarded because of previous errors.",
            Error::InSubscription => {
                "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
                 context"
            }
        };
        f.write_str(text)
    }
}

/// A reply, as the protocol's version 2 knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK`.
    Ok,
    /// `QUEUED`: kept for EXEC.
    Queued,
    /// Nothing: a missing value, a wait that ended, a transaction that did not run.
    Nil,
    /// A whole number.
    Int(i64),
    /// A value.
    Text(Text),
    /// A stream id, written `ms-seq`.
    Id(EntryId),
    /// Several.
    List(Vec<Reply>),
    /// A refusal.
    Error(Error),
}

impl Reply {
    /// A value that may be missing.
    pub(super) fn maybe(value: Option<Text>) -> Reply {
        value.map_or(Reply::Nil, Reply::Text)
    }

    /// A count.
    pub(super) fn count(n: u64) -> Reply {
        // Counts are bounded by the limits of keys and elements.
        Reply::Int(n as i64)
    }
}

/// What a client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer to its command.
    Reply {
        /// Who receives it.
        client: ClientNo,
        /// The answer.
        reply: Reply,
    },
    /// The confirmation of one subscription or its end.
    Subscribed {
        /// Who receives it.
        client: ClientNo,
        /// The channel or pattern.
        name: Text,
        /// Subscriptions it has now.
        n: u32,
    },
    /// A published message.
    Message {
        /// Who receives it.
        client: ClientNo,
        /// The pattern through which it comes, if not the channel itself.
        pattern: Option<Text>,
        /// The channel.
        channel: Text,
        /// The message.
        message: Text,
    },
}
