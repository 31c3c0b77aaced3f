//! The commands, as values. Redis 7.0 names them in capitals; so do the comments.

use crate::kernel::SimSpan;

use super::Text;
use super::stream::{AddId, EntryId};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The head, index 0.
    Left,
    /// The tail, index -1.
    Right,
}

/// How long a blocking command waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// It does not.
    No,
    /// Until somebody brings something.
    ForEver,
    /// At most so long.
    For(SimSpan),
}

/// From where a plain reader or a new group starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartId {
    /// After this entry.
    After(EntryId),
    /// After the entry that is last now: `$`.
    Last,
}

/// What a group's consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// What was delivered to nobody yet: `>`.
    New,
    /// Its own pending entries after this one.
    OwnAfter(EntryId),
}

/// How a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// MAXLEN: to so many entries.
    MaxLen(u64),
    /// MINID: from this id on.
    MinId(EntryId),
}

/// XREADGROUP.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadGroup {
    /// The group, the same in all streams.
    pub group: Text,
    /// The reading consumer.
    pub consumer: Text,
    /// Most entries per stream.
    pub count: Option<u32>,
    /// How long to wait for new entries.
    pub block: Block,
    /// NOACK: nothing becomes pending.
    pub no_ack: bool,
    /// Streams and from where.
    pub streams: Vec<(Text, ReadFrom)>,
}

/// XPENDING with a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// IDLE: only those that nobody touched for so long.
    pub min_idle: SimSpan,
    /// First id.
    pub first: EntryId,
    /// Last id.
    pub last: EntryId,
    /// Most rows.
    pub count: u32,
    /// Only those of this consumer.
    pub consumer: Option<Text>,
}

/// XCLAIM.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Who takes over.
    pub consumer: Text,
    /// Only entries that nobody touched for so long.
    pub min_idle: SimSpan,
    /// Which entries.
    pub ids: Vec<EntryId>,
    /// IDLE: what their idle time becomes.
    pub idle: SimSpan,
    /// RETRYCOUNT: what their count of deliveries becomes.
    pub deliveries: Option<u64>,
    /// FORCE: also entries that are not pending.
    pub force: bool,
    /// JUSTID: answer ids only and count no delivery.
    pub just_id: bool,
}

/// XAUTOCLAIM.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoClaim {
    /// Who takes over.
    pub consumer: Text,
    /// Only entries that nobody touched for so long.
    pub min_idle: SimSpan,
    /// The cursor.
    pub start: EntryId,
    /// Most entries.
    pub count: u32,
    /// JUSTID: answer ids only and count no delivery.
    pub just_id: bool,
}

/// A command. `key` comes first where there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// SET without options.
    Set(Text, Text),
    /// GET.
    Get(Text),
    /// INCR, INCRBY, DECR, DECRBY.
    IncrBy(Text, i64),
    /// DEL.
    Del(Vec<Text>),
    /// EXISTS.
    Exists(Vec<Text>),
    /// LPUSH, RPUSH; with `must_exist` LPUSHX, RPUSHX.
    Push {
        /// The list.
        key: Text,
        /// At which end.
        side: Side,
        /// One after the other.
        values: Vec<Text>,
        /// Nothing happens without a list.
        must_exist: bool,
    },
    /// LPOP, RPOP; with a count the answer is a list.
    Pop {
        /// The list.
        key: Text,
        /// At which end.
        side: Side,
        /// How many.
        count: Option<u32>,
    },
    /// BLPOP, BRPOP.
    BlockingPop {
        /// The first that is not empty is taken.
        keys: Vec<Text>,
        /// At which end.
        side: Side,
        /// How long to wait.
        block: Block,
    },
    /// LMOVE, RPOPLPUSH; with a wait BLMOVE, BRPOPLPUSH.
    Move {
        /// From this list.
        source: Text,
        /// To this one.
        dest: Text,
        /// Taken at this end.
        from: Side,
        /// Put at this one.
        to: Side,
        /// How long to wait.
        block: Block,
    },
    /// LLEN.
    ListLen(Text),
    /// LRANGE: both ends are in, negative indexes count from the tail.
    ListRange(Text, i64, i64),
    /// LINDEX.
    ListIndex(Text, i64),
    /// LREM: so many equal values, from the tail when negative, all when 0.
    ListRemove(Text, i64, Text),
    /// LTRIM.
    ListTrim(Text, i64, i64),
    /// PUBLISH: channel and message.
    Publish(Text, Text),
    /// SUBSCRIBE.
    Subscribe(Vec<Text>),
    /// PSUBSCRIBE.
    PSubscribe(Vec<Text>),
    /// UNSUBSCRIBE; none named means all.
    Unsubscribe(Vec<Text>),
    /// PUNSUBSCRIBE; none named means all.
    PUnsubscribe(Vec<Text>),
    /// MULTI.
    Multi,
    /// EXEC.
    Exec,
    /// DISCARD.
    Discard,
    /// WATCH.
    Watch(Vec<Text>),
    /// UNWATCH.
    Unwatch,
    /// XADD.
    Add {
        /// The stream.
        key: Text,
        /// The new entry's id.
        id: AddId,
        /// Names and values by turns.
        fields: Vec<Text>,
        /// MAXLEN, MINID: cut after adding.
        trim: Option<Trim>,
        /// NOMKSTREAM: nothing happens without a stream.
        must_exist: bool,
    },
    /// XLEN.
    StreamLen(Text),
    /// XRANGE; with `reverse` XREVRANGE.
    StreamRange {
        /// The stream.
        key: Text,
        /// First id.
        first: EntryId,
        /// Last id.
        last: EntryId,
        /// Most entries.
        count: Option<u32>,
        /// From the last to the first.
        reverse: bool,
    },
    /// XDEL.
    StreamDelete(Text, Vec<EntryId>),
    /// XTRIM.
    StreamTrim(Text, Trim),
    /// XREAD.
    Read {
        /// Streams and from where.
        streams: Vec<(Text, StartId)>,
        /// Most entries per stream.
        count: Option<u32>,
        /// How long to wait.
        block: Block,
    },
    /// XREADGROUP.
    ReadGroup(ReadGroup),
    /// XGROUP CREATE.
    GroupCreate {
        /// The stream.
        key: Text,
        /// The group.
        group: Text,
        /// It sees what comes after.
        start: StartId,
        /// MKSTREAM.
        make_stream: bool,
    },
    /// XGROUP SETID.
    GroupSetId(Text, Text, StartId),
    /// XGROUP DESTROY.
    GroupDestroy(Text, Text),
    /// XGROUP CREATECONSUMER: key, group, consumer.
    ConsumerCreate(Text, Text, Text),
    /// XGROUP DELCONSUMER: key, group, consumer.
    ConsumerDelete(Text, Text, Text),
    /// XACK: key, group, ids.
    Ack(Text, Text, Vec<EntryId>),
    /// XPENDING: key, group; without a range the summary.
    Pending(Text, Text, Option<Pending>),
    /// XCLAIM: key and group.
    Claim(Text, Text, Claim),
    /// XAUTOCLAIM: key and group.
    AutoClaim(Text, Text, AutoClaim),
}

impl Command {
    /// The same command as a transaction runs it: nothing waits there.
    pub(super) fn without_waiting(mut self) -> Command {
        match &mut self {
            Command::BlockingPop { block, .. }
            | Command::Move { block, .. }
            | Command::Read { block, .. }
            | Command::ReadGroup(ReadGroup { block, .. }) => *block = Block::No,
            _ => {}
        }
        self
    }
}
