//! Facts: what an observer could have seen.
//!
//! Models state facts and never count for a chart; sinks in `observe` read them. The digest over
//! all facts is the run's fingerprint, whether or not anybody listens.
//!
//! **Holders.** Every copy of a message is held by one place at a time: a sender, a channel, a
//! queue, a worker. A fact changes the number of holders as [`Fact::holders`] says; a message that
//! nobody holds any more and that was not delivered is lost.

mod broker;
mod words;

use crate::kernel::{Digest, SimTime};
pub use crate::model::cause::{Cause, Why};
use crate::model::command::Node;
use crate::model::group::GroupState;
use crate::model::log::TxnEnd;
use crate::model::message::{ActorId, ChannelId, MsgId};
use crate::model::tcp::{Errno, Gauges, Hold, Segment, TimerKind};
pub use broker::Resource;

/// Something an observer could have seen at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each variant's text names its fields")]
pub enum Fact {
    /// `by` made message `msg` of `bytes` bytes with `key`, and holds it.
    Sent { msg: MsgId, by: ActorId, key: u32, bytes: u32 },
    /// `at` made `msg` as a further copy of `of`, for another queue, and holds it.
    Copied { msg: MsgId, of: MsgId, at: ActorId },
    /// A copy went onto the channel (`back`: against its direction); `kept`: the writer keeps one.
    Departed { msg: MsgId, channel: ChannelId, back: bool, kept: bool },
    /// The reader took it off the channel. Of the time since it departed, `waited` was spent behind
    /// other bytes, `sending` putting its own on, `unread` waiting for the reader; the rest was
    /// propagation. All in ns. `is_part`: it is one of several records of a batch.
    Arrived {
        msg: MsgId,
        channel: ChannelId,
        waited: u64,
        sending: u64,
        unread: u64,
        is_part: bool,
    },
    /// A copy went away without being worked on.
    Dropped { msg: MsgId, at: Node, why: Why },
    /// `by` lets its copy go because it need not keep it any more.
    Released { msg: MsgId, by: ActorId },
    /// It entered a broker's queue, which now holds `depth` ready messages.
    Queued { msg: MsgId, at: ActorId, depth: u32 },
    /// The queue handed it to a consumer over `channel`; `depth` ready messages are left.
    Dispatched { msg: MsgId, at: ActorId, channel: ChannelId, redelivered: bool, depth: u32 },
    /// It left its queue as a dead letter; where it goes follows.
    DeadLettered { msg: MsgId, at: ActorId, why: Why },
    /// It returned to its place in the queue, marked redelivered.
    Requeued { msg: MsgId, at: ActorId, depth: u32 },
    /// The consumer's acknowledgement reached the broker, which forgets it.
    Acked { msg: MsgId, at: ActorId },
    /// The broker took (or refused) responsibility, and its sender knows.
    Confirmed { msg: MsgId, by: ActorId, accepted: bool },
    /// It waits in a consumer's memory behind `depth - 1` others.
    Buffered { msg: MsgId, at: ActorId, depth: u32 },
    /// Work on it began; `depth` others wait in that memory.
    Started { msg: MsgId, at: ActorId, depth: u32 },
    /// Work on it ended and it goes on to the next place.
    Worked { msg: MsgId, at: ActorId },
    /// Work on it ended: its effect happened. `answers`: a reply goes back.
    Done { msg: MsgId, at: ActorId, answers: bool },
    /// It came again and was known by its id: nothing was done.
    Skipped { msg: MsgId, at: ActorId },
    /// Work on it ended without an effect: nothing can be done with it.
    Failed { msg: MsgId, at: ActorId },
    /// Its reply reached the requester.
    Answered { msg: MsgId, at: ActorId },
    /// From now on it waits for `cause`.
    Held { msg: MsgId, cause: Cause },
    /// Its sender tries again.
    Retried { msg: MsgId, by: ActorId },
    /// The sender's channel takes no more for now.
    Blocked { actor: ActorId },
    /// The sender's channel takes messages again.
    Unblocked { actor: ActorId },
    /// The process died.
    Crashed { actor: ActorId },
    /// The process started anew.
    Restarted { actor: ActorId },
    /// The process stopped where it was.
    Paused { actor: ActorId },
    /// The process went on.
    Resumed { actor: ActorId },
    /// Work takes `ppm` millionths of its time from now on.
    Slowed { actor: ActorId, ppm: u32 },
    /// The channel carries nothing any more.
    Cut { channel: ChannelId },
    /// The channel carries again.
    Mended { channel: ChannelId },
    /// An acknowledgement or another control parcel was lost on the channel.
    ControlLost { channel: ChannelId, back: bool },
    /// A parameter changed while the run went on.
    Changed { node: Node, param: u8 },
    /// Its last byte reached the other end's host. Of the time since it left, `waited` was spent
    /// behind other packets, `sending` putting its own on the wire, the rest was propagation, in
    /// ns. From now on it waits for `cause`.
    Landed { msg: MsgId, channel: ChannelId, waited: u64, sending: u64, cause: Cause },
    /// A segment went onto the wire as frame number `frame`, over all wires; `msg` is the first
    /// message with bytes in it, or 0. See [`FactLog::state_segment`] for the rest of it.
    SegmentDeparted {
        frame: u64,
        channel: ChannelId,
        back: bool,
        again: bool,
        flags: u8,
        len: u32,
        seq: u64,
        msg: MsgId,
    },
    /// That frame reached the other host (twice, if the wire doubled it).
    SegmentArrived { frame: u64, channel: ChannelId, back: bool },
    /// The wire lost that frame.
    SegmentLost { frame: u64, channel: ChannelId, back: bool, why: Lost },
    /// A timer runs from now on at an end (`at_to`: at the channel's `to`).
    TimerArmed { channel: ChannelId, at_to: bool, timer: TimerKind, due: SimTime },
    /// It went off; it had been set last at `since`.
    TimerFired { channel: ChannelId, at_to: bool, timer: TimerKind, since: SimTime },
    /// It was stopped.
    TimerCancelled { channel: ChannelId, at_to: bool, timer: TimerKind },
    /// From now on `bytes` bytes, of `msg` (0: of none) and what follows, do not leave because of
    /// `hold`.
    HoldBegun { channel: ChannelId, at_to: bool, hold: Hold, bytes: u32, msg: MsgId },
    /// What was held leaves, or waits for something else.
    HoldEnded { channel: ChannelId, at_to: bool, hold: Hold },
    /// The broker `at` took `msg` in at an exchange (its place among the broker's exchanges) for a
    /// queue (its place among the broker's queues).
    Routed { msg: MsgId, at: ActorId, exchange: u16, queue: u16 },
    /// The broker `at` refused `by`, who may not write to that queue (or read it, `reads`).
    Denied { by: ActorId, at: ActorId, queue: u16, reads: bool },
    /// The broker `at` wrote into its audit trail that `by` wrote `msg` (or got it, `reads`).
    Audited { msg: MsgId, by: ActorId, at: ActorId, reads: bool },
    /// The broker takes nothing from publishers from now on (`on`), or takes from them again.
    Alarm { at: ActorId, resource: Resource, on: bool },
    /// Of the time that `msg` just lay unread, what falls between these instants was due to
    /// `cause`.
    Excused { msg: MsgId, cause: Cause, from: SimTime, to: SimTime },
    /// The broker's disk has everything up to now.
    Synced { at: ActorId },
    /// The handshake is over at this end.
    Connected { channel: ChannelId, at_to: bool },
    /// The connection is over at this end: reset, refused or timed out.
    Broken { channel: ChannelId, at_to: bool, errno: Errno },
    /// Of the time since its last fact, `span` ns were spent on `cause`.
    Spent { msg: MsgId, cause: Cause, span: u64 },
    /// A host dropped a frame that had reached it, or, as frame 0, did not let one leave.
    FrameDropped { frame: u64, channel: ChannelId, back: bool, why: Lost },
    /// A partition has another leader (255: none) under `epoch`, with these replicas in sync.
    Elected { at: ActorId, partition: u8, leader: u8, epoch: u32, in_sync: u64 },
    /// The replicas that keep up changed.
    InSync { at: ActorId, partition: u8, in_sync: u64 },
    /// A broker of the cluster died, or came back.
    NodeTurned { at: ActorId, node: u8, is_up: bool },
    /// The topic has so many partitions now.
    Grown { at: ActorId, partitions: u8 },
    /// A group's state, generation or number of members changed.
    GroupTurned { at: ActorId, group: u8, state: GroupState, generation: u32, members: u16 },
    /// A member has a partition from now on.
    Owned { by: ActorId, partition: u8, generation: u32 },
    /// It has it no more; `lost`: it was taken from it.
    Disowned { by: ActorId, partition: u8, lost: bool },
    /// Everything of a partition below `offset` is done for a group.
    Committed { at: ActorId, group: u8, partition: u8, offset: u64 },
    /// A commit came from a member that has lost its place.
    CommitRefused { at: ActorId, by: ActorId, partition: u8, offset: u64 },
    /// The transaction of `by` that is incarnation `epoch` turned to `turn` at its coordinator.
    TxnTurned { at: ActorId, by: ActorId, epoch: u32, turn: TxnTurn },
    /// A partition got the control record that ends a transaction of `by`.
    Marked { at: ActorId, by: ActorId, partition: u8, offset: u64, end: TxnEnd },
    /// A client of the MQTT broker `at` connected (`is_there`) or is gone; `is_kept`: its session
    /// goes on.
    SessionTurned { at: ActorId, by: ActorId, is_there: bool, is_kept: bool },
    /// The broker `at` keeps `msg` for who subscribes later; `waits`: nobody has got it yet.
    Retained { msg: MsgId, at: ActorId, waits: bool },
    /// The work queue `at` does not know `msg` as a job of `by`, who speaks of it: it took it back.
    NotFound { msg: MsgId, at: ActorId, by: ActorId },
}

/// What happens to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum TxnTurn {
    /// Its first record was written.
    Begun,
    /// Its producer commits: the decision is logged.
    Commits,
    /// Its producer aborts.
    Aborts,
    /// It was open for too long: the coordinator aborts it.
    TimesOut,
    /// Its producer began anew: the coordinator aborts it.
    Fenced,
    /// All its markers are on the replicas in sync: its records count.
    Committed,
    /// All its markers are on the replicas in sync: its records do not count.
    Aborted,
}

/// Why a wire lost a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Lost {
    /// A rule of the document named it.
    Rule,
    /// By chance.
    Chance,
    /// Its queue was full.
    Queue,
    /// In an outage.
    Outage,
    /// It was cut.
    Cut,
    /// It is larger than the wire carries.
    TooBig,
    /// The host had no receive buffer for it.
    NoPbuf,
    /// The host's MAC had no receive descriptor for it.
    NoDescriptor,
    /// The receive FIFO of the host's MAC was full.
    FifoFull,
    /// The host's driver refused to send it.
    Refused,
}

impl Fact {
    /// The message it is about, if it is about one.
    pub fn msg(&self) -> Option<MsgId> {
        match *self {
            Fact::Sent { msg, .. }
            | Fact::Copied { msg, .. }
            | Fact::Departed { msg, .. }
            | Fact::Arrived { msg, .. }
            | Fact::Dropped { msg, .. }
            | Fact::Released { msg, .. }
            | Fact::Queued { msg, .. }
            | Fact::Dispatched { msg, .. }
            | Fact::DeadLettered { msg, .. }
            | Fact::Requeued { msg, .. }
            | Fact::Acked { msg, .. }
            | Fact::Confirmed { msg, .. }
            | Fact::Buffered { msg, .. }
            | Fact::Started { msg, .. }
            | Fact::Worked { msg, .. }
            | Fact::Done { msg, .. }
            | Fact::Skipped { msg, .. }
            | Fact::Failed { msg, .. }
            | Fact::Answered { msg, .. }
            | Fact::Held { msg, .. }
            | Fact::Retried { msg, .. }
            | Fact::Landed { msg, .. }
            | Fact::Spent { msg, .. }
            | Fact::Routed { msg, .. }
            | Fact::Audited { msg, .. }
            | Fact::Retained { msg, .. }
            | Fact::NotFound { msg, .. }
            | Fact::Excused { msg, .. } => Some(msg),
            _ => None,
        }
    }

    /// By how much it changes the number of places that hold the message.
    pub fn holders(&self) -> i32 {
        match self {
            Fact::Sent { .. } | Fact::Copied { .. } | Fact::Departed { kept: true, .. } => 1,
            Fact::Dropped { .. }
            | Fact::Released { .. }
            | Fact::Acked { .. }
            | Fact::Done { answers: false, .. }
            | Fact::Skipped { .. }
            | Fact::Failed { .. }
            | Fact::Answered { .. } => -1,
            _ => 0,
        }
    }

    /// Three words that tell this fact from every other.
    fn words(&self) -> [u64; 3] {
        let node = |n: Node| match n {
            Node::Actor(id) => u64::from(id.0),
            Node::Channel(id) => u64::from(id.0) | 1 << 16,
            Node::Host(id) => u64::from(id.0) | 2 << 16,
            Node::Wire(id) => u64::from(id.0) | 3 << 16,
        };
        let actor = |a: ActorId| u64::from(a.0);
        let channel = |c: ChannelId| u64::from(c.0);
        let head = |kind: u64, place: u64, rest: u64| kind | place << 8 | rest << 32;
        match *self {
            Fact::Sent { msg, by, key, bytes } => {
                [head(1, actor(by), 0), msg.0, u64::from(key) | u64::from(bytes) << 32]
            }
            Fact::Copied { msg, of, at } => [head(2, actor(at), 0), msg.0, of.0],
            Fact::Departed { msg, channel: c, back, kept } => {
                [head(3, channel(c), u64::from(back) | u64::from(kept) << 1), msg.0, 0]
            }
            Fact::Arrived { msg, channel: c, waited, sending, unread, .. } => {
                let split = waited ^ sending.rotate_left(21) ^ unread.rotate_left(42);
                [head(4, channel(c), 0), msg.0, split]
            }
            Fact::Dropped { msg, at, why } => [head(5, node(at), why as u64), msg.0, 0],
            Fact::Released { msg, by } => [head(6, actor(by), 0), msg.0, 0],
            Fact::Queued { msg, at, depth } => [head(7, actor(at), u64::from(depth)), msg.0, 0],
            Fact::Dispatched { msg, at, channel: c, redelivered, depth } => [
                head(8, actor(at), u64::from(depth)),
                msg.0,
                channel(c) | u64::from(redelivered) << 16,
            ],
            Fact::Requeued { msg, at, depth } => [head(9, actor(at), u64::from(depth)), msg.0, 0],
            Fact::Acked { msg, at } => [head(10, actor(at), 0), msg.0, 0],
            Fact::Confirmed { msg, by, accepted } => {
                [head(11, actor(by), u64::from(accepted)), msg.0, 0]
            }
            Fact::Buffered { msg, at, depth } => [head(12, actor(at), u64::from(depth)), msg.0, 0],
            Fact::Started { msg, at, depth } => [head(13, actor(at), u64::from(depth)), msg.0, 0],
            Fact::Worked { msg, at } => [head(14, actor(at), 0), msg.0, 0],
            Fact::Done { msg, at, answers } => [head(15, actor(at), u64::from(answers)), msg.0, 0],
            Fact::Answered { msg, at } => [head(16, actor(at), 0), msg.0, 0],
            Fact::Held { msg, cause } => [head(17, 0, cause as u64), msg.0, 0],
            Fact::Retried { msg, by } => [head(18, actor(by), 0), msg.0, 0],
            Fact::Blocked { actor: a } => [head(19, actor(a), 0), 0, 0],
            Fact::Unblocked { actor: a } => [head(20, actor(a), 0), 0, 0],
            Fact::Crashed { actor: a } => [head(21, actor(a), 0), 0, 0],
            Fact::Restarted { actor: a } => [head(22, actor(a), 0), 0, 0],
            Fact::Paused { actor: a } => [head(23, actor(a), 0), 0, 0],
            Fact::Resumed { actor: a } => [head(24, actor(a), 0), 0, 0],
            Fact::Slowed { actor: a, ppm } => [head(25, actor(a), u64::from(ppm)), 0, 0],
            Fact::Cut { channel: c } => [head(26, channel(c), 0), 0, 0],
            Fact::Mended { channel: c } => [head(27, channel(c), 0), 0, 0],
            Fact::ControlLost { channel: c, back } => [head(28, channel(c), u64::from(back)), 0, 0],
            Fact::Changed { node: n, param } => [head(29, node(n), u64::from(param)), 0, 0],
            Fact::DeadLettered { msg, at, why } => [head(41, actor(at), why as u64), msg.0, 0],
            Fact::Skipped { msg, at } => [head(50, actor(at), 0), msg.0, 0],
            Fact::Failed { msg, at } => [head(51, actor(at), 0), msg.0, 0],
            _ => self.broker_words().unwrap_or_else(|| self.tcp_words()),
        }
    }
}

/// Where facts go: into the digest always, into the buffer when somebody listens.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FactLog {
    digest: Digest,
    count: u64,
    /// Whether facts are kept for sinks.
    pub listening: bool,
    /// Facts since the buffer was last emptied, when somebody listens.
    pub fresh: Vec<(SimTime, Fact)>,
    /// The segments of the [`Fact::SegmentDeparted`] among them, in the same order.
    pub fresh_segments: Vec<Segment>,
    /// What ends of tcp channels showed since then (true: at `to`). Not facts: the digest knows
    /// nothing of them.
    pub readings: Vec<(SimTime, ChannelId, bool, Gauges)>,
    /// How far groups were behind since then, when somebody listens. Not facts either.
    pub lags: Vec<(SimTime, Lag)>,
}

/// How many records of a partition a group has not committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lag {
    /// The log broker.
    pub at: ActorId,
    /// The group.
    pub group: u8,
    /// The partition.
    pub partition: u8,
    /// How many records.
    pub records: u32,
}

impl FactLog {
    /// States a fact.
    #[inline]
    pub fn state(&mut self, now: SimTime, fact: Fact) {
        let [a, b, c] = fact.words();
        self.digest.absorb(now.ns());
        self.digest.absorb3(a, b, c);
        self.count += 1;
        if self.listening {
            self.fresh.push((now, fact));
        }
    }

    /// States that a segment departed: the fact has its place and number, the segment the rest.
    #[inline]
    pub fn state_segment(&mut self, now: SimTime, fact: Fact, segment: &Segment) {
        let window = u64::from(segment.window) | u64::from(segment.window_shift) << 32;
        let stamps = segment.stamps.unwrap_or_default();
        let stamps = u64::from(stamps.value) | u64::from(stamps.echo) << 32;
        self.digest.absorb3(segment.ack, window, stamps);
        for (from, to) in segment.sack.blocks() {
            self.digest.absorb(*from ^ to.rotate_left(32));
        }
        if self.listening {
            self.fresh_segments.push(*segment);
        }
        self.state(now, fact);
    }

    /// The digest over all facts so far: the run's fingerprint.
    pub fn fingerprint(&self) -> u64 {
        self.digest.value()
    }

    /// How many facts were stated.
    pub fn count(&self) -> u64 {
        self.count
    }
}
