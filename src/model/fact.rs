//! Facts: what an observer could have seen.
//!
//! Models state facts and never count for a chart; sinks in `observe` read them. The digest over
//! all facts is the run's fingerprint, whether or not anybody listens.
//!
//! **Holders.** Every copy of a message is held by one place at a time: a sender, a channel, a
//! queue, a worker. A fact changes the number of holders as [`Fact::holders`] says; a message that
//! nobody holds any more and that was not delivered is lost.

use crate::kernel::{Digest, SimTime};
pub use crate::model::broker_fact::Resource;
use crate::model::command::Node;
use crate::model::group::GroupState;
use crate::model::message::{ActorId, ChannelId, MsgId};
use crate::model::tcp::{Errno, Gauges, Hold, Segment, TimerKind};
use crate::param::Text;

/// Why a copy of a message went away without being worked on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Why {
    /// The channel lost it.
    Loss,
    /// Its holder's process died.
    Crash,
    /// It reached a process that was gone.
    Gone,
    /// The queue was full and refuses what is new.
    Refused,
    /// The queue was full and gives up what is oldest.
    Oldest,
    /// No queue wanted it.
    Unroutable,
    /// The sender's own memory was full.
    OutboxFull,
    /// The sender gave up after its last try.
    GaveUp,
    /// Its time to live was up.
    Expired,
    /// Too many deliveries of it failed.
    TooOften,
    /// Its sender may not write to that queue.
    Forbidden,
    /// No work can be done on it.
    Bad,
    /// It came back to its sender, who can do nothing about it.
    Returned,
    /// It was recorded as done before its effect happened.
    TakenAsDone,
    /// Its partition was taken from this consumer, which had not begun with it.
    Revoked,
    /// Its leader died before a follower had it, and the next leader does not know it.
    Truncated,
    /// It was old, and deleted from the log before this group had done it.
    Retention,
    /// A later record of its key took its place in the log.
    Compacted,
    /// The log had it already.
    Duplicate,
    /// The rest of its batch did not come.
    Incomplete,
    /// The log did not take its batch.
    NotTaken,
}

impl Why {
    /// In words.
    pub fn text(self) -> Text {
        match self {
            Why::Loss => Text { en: "lost on the way", zh: "途中丢失" },
            Why::Crash => Text { en: "its holder crashed", zh: "持有者崩溃" },
            Why::Gone => Text { en: "nobody was there", zh: "对方已不在" },
            Why::Refused => Text { en: "the queue was full", zh: "队列已满，被拒绝" },
            Why::Oldest => {
                Text { en: "oldest in a full queue", zh: "队列已满，最旧者被丢弃" }
            }
            Why::Unroutable => Text { en: "no queue for it", zh: "没有对应的队列" },
            Why::OutboxFull => {
                Text { en: "the sender's memory was full", zh: "发送方内存已满" }
            }
            Why::GaveUp => Text { en: "the sender gave up", zh: "发送方放弃" },
            Why::Expired => Text { en: "its time was up", zh: "已过期" },
            Why::TooOften => Text { en: "delivered too often", zh: "投递次数过多" },
            Why::Forbidden => {
                Text { en: "its sender may not write there", zh: "发送方无写权限" }
            }
            Why::Bad => Text { en: "no work can be done on it", zh: "无法处理" },
            Why::Returned => Text { en: "came back to its sender", zh: "退回发送方" },
            Why::TakenAsDone => Text {
                en: "recorded as done, but not done",
                zh: "已登记为完成，实际未完成",
            },
            Why::Revoked => Text { en: "its partition was taken away", zh: "分区已被收回" },
            Why::Truncated => {
                Text { en: "the leader died with it", zh: "首领副本宕机，未及复制" }
            }
            Why::Retention => Text { en: "deleted from the log", zh: "超过保留期被删除" },
            Why::Compacted => {
                Text { en: "replaced by a later one of its key", zh: "被同键的新记录取代" }
            }
            Why::Duplicate => Text { en: "already in the log", zh: "日志中已有" },
            Why::Incomplete => {
                Text { en: "the rest of its batch is missing", zh: "所在批次不完整" }
            }
            Why::NotTaken => Text { en: "the log did not take it", zh: "日志未接收" },
        }
    }
}

/// What a message waits for, or what is being done with it. Its latency is the sum over causes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Cause {
    /// In its sender's memory, for no other reason named here.
    Sender,
    /// The next place takes no more for now.
    BackPressure,
    /// Its sender waits before trying again.
    Retry,
    /// Behind other bytes on the channel.
    WireQueue,
    /// Its own bytes are being put on the channel.
    Serialisation,
    /// On its way.
    Propagation,
    /// In the broker's queue.
    BrokerQueue,
    /// In the consumer's memory, behind another message.
    BehindAnother,
    /// Being worked on.
    Processing,
    /// Its holder is paused.
    Paused,
    /// Delivered to a consumer that died before it acknowledged.
    LostDelivery,
    /// TCP: its last byte found no room in the send buffer yet.
    SendBuffer,
    /// TCP: the connection is not open yet.
    Handshake,
    /// TCP: short, while older data is unacknowledged, and the acknowledgement is on its way.
    Nagle,
    /// TCP: short, and the other end delays the acknowledgement that would release it.
    DelayedAck,
    /// TCP: its sender asked to wait for more.
    Cork,
    /// TCP: the congestion window is full.
    CongestionWindow,
    /// TCP: the receiver's window is full.
    ReceiverWindow,
    /// TCP: the receiver's window is closed, and its sender probes it.
    Persist,
    /// lwIP: the queue of segments, or the memory for it, is full.
    SegmentQueue,
    /// TCP: its bytes were lost, and have not been sent again yet.
    Retransmission,
    /// TCP: it arrived, and bytes before it are missing.
    HeadOfLine,
    /// TCP: it is in the receive buffer, and its reader has not read it.
    Unread,
    /// lwIP: the heap has no room for it.
    HeapFull,
    /// lwIP: a frame with its bytes found no receive buffer, and they were not sent again yet.
    NoPbuf,
    /// STM32: the driver refused it: no descriptor, or fewer than it has pieces.
    TxDescriptors,
    /// STM32: the MAC found no descriptor for a frame with its bytes.
    RxRing,
    /// STM32: the main loop has not come round, or does something else.
    MainLoop,
    /// STM32: the processor works on it, or on what is before it.
    Cpu,
    /// STM32: the driver copies it.
    Copy,
    /// STM32: the DMA moves it between memory and MAC.
    Dma,
    /// STM32: in the PHY.
    Phy,
    /// lwIP: written, and nothing sends it before a timer's tick.
    TimerTick,
    /// The other parts of the same message have not come yet.
    OtherParts,
    /// Its holder asked another service, and has no answer yet.
    Downstream,
    /// The broker works on it: routing, checking, encrypting.
    BrokerWork,
    /// The broker's disk writes it.
    Disk,
    /// The broker takes nothing from publishers: its memory or its disk is nearly full.
    Alarm,
    /// Log: its batch waits for company (`linger.ms`).
    Linger,
    /// Log: its batch is ready, and too many requests are on their way.
    InFlight,
    /// Log: it has arrived, and the rest of its batch has not.
    BatchRest,
    /// Log: the in-sync replicas do not have it yet.
    Replication,
    /// Log: too few replicas are in sync for consumers to see it.
    Invisible,
    /// Log: nobody in the group owns its partition.
    Unowned,
    /// Log: a fetch waits for it to have company (`fetch.min.bytes`).
    FetchWait,
    /// Log: its consumer has it, and has not polled.
    PollWait,
    /// No simulation: an article claims that it takes so long.
    Claim,
}

impl Cause {
    /// Every cause, in the order of the stacked chart from below.
    pub const ALL: [Cause; 47] = [
        Cause::Sender,
        Cause::BackPressure,
        Cause::Retry,
        Cause::WireQueue,
        Cause::Serialisation,
        Cause::Propagation,
        Cause::BrokerQueue,
        Cause::BehindAnother,
        Cause::Processing,
        Cause::Paused,
        Cause::LostDelivery,
        Cause::SendBuffer,
        Cause::Handshake,
        Cause::Nagle,
        Cause::DelayedAck,
        Cause::Cork,
        Cause::CongestionWindow,
        Cause::ReceiverWindow,
        Cause::Persist,
        Cause::SegmentQueue,
        Cause::Retransmission,
        Cause::HeadOfLine,
        Cause::Unread,
        Cause::HeapFull,
        Cause::NoPbuf,
        Cause::TxDescriptors,
        Cause::RxRing,
        Cause::MainLoop,
        Cause::Cpu,
        Cause::Copy,
        Cause::Dma,
        Cause::Phy,
        Cause::TimerTick,
        Cause::OtherParts,
        Cause::Downstream,
        Cause::BrokerWork,
        Cause::Disk,
        Cause::Alarm,
        Cause::Linger,
        Cause::InFlight,
        Cause::BatchRest,
        Cause::Replication,
        Cause::Invisible,
        Cause::Unowned,
        Cause::FetchWait,
        Cause::PollWait,
        Cause::Claim,
    ];

    /// How many there are.
    pub const COUNT: usize = Cause::ALL.len();

    /// Its place in [`Cause::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The short word for links, CSV columns and style tokens.
    pub fn key(self) -> &'static str {
        match self {
            Cause::Sender => "sender",
            Cause::BackPressure => "back-pressure",
            Cause::Retry => "retry",
            Cause::WireQueue => "wire-queue",
            Cause::Serialisation => "serialisation",
            Cause::Propagation => "propagation",
            Cause::BrokerQueue => "broker-queue",
            Cause::BehindAnother => "behind-another",
            Cause::Processing => "processing",
            Cause::Paused => "paused",
            Cause::LostDelivery => "lost-delivery",
            Cause::SendBuffer => "send-buffer",
            Cause::Handshake => "handshake",
            Cause::Nagle => "nagle",
            Cause::DelayedAck => "delayed-ack",
            Cause::Cork => "cork",
            Cause::CongestionWindow => "cwnd",
            Cause::ReceiverWindow => "rwnd",
            Cause::Persist => "persist",
            Cause::SegmentQueue => "segment-queue",
            Cause::Retransmission => "retransmission",
            Cause::HeadOfLine => "head-of-line",
            Cause::Unread => "unread",
            Cause::HeapFull => "heap-full",
            Cause::NoPbuf => "no-pbuf",
            Cause::TxDescriptors => "tx-descriptors",
            Cause::RxRing => "rx-ring",
            Cause::MainLoop => "main-loop",
            Cause::Cpu => "cpu",
            Cause::Copy => "copy",
            Cause::Dma => "dma",
            Cause::Phy => "phy",
            Cause::TimerTick => "timer-tick",
            Cause::OtherParts => "other-parts",
            Cause::Downstream => "downstream",
            Cause::BrokerWork => "broker-work",
            Cause::Disk => "disk",
            Cause::Alarm => "alarm",
            Cause::Linger => "linger",
            Cause::InFlight => "in-flight-limit",
            Cause::BatchRest => "batch-rest",
            Cause::Replication => "replication",
            Cause::Invisible => "invisible",
            Cause::Unowned => "unowned",
            Cause::FetchWait => "fetch-wait",
            Cause::PollWait => "poll-wait",
            Cause::Claim => "claim",
        }
    }

    /// As on the screen.
    pub fn text(self) -> Text {
        match self {
            Cause::Sender => Text { en: "at the sender", zh: "在发送方" },
            Cause::BackPressure => Text { en: "back-pressure", zh: "反压" },
            Cause::Retry => Text { en: "waiting to retry", zh: "等待重试" },
            Cause::WireQueue => Text { en: "behind other bytes", zh: "排队等待发送" },
            Cause::Serialisation => Text { en: "serialisation", zh: "串行化" },
            Cause::Propagation => Text { en: "propagation", zh: "传播" },
            Cause::BrokerQueue => Text { en: "broker queue", zh: "代理队列" },
            Cause::BehindAnother => Text { en: "behind another", zh: "排在他人之后" },
            Cause::Processing => Text { en: "processing", zh: "处理" },
            Cause::Paused => Text { en: "paused", zh: "暂停" },
            Cause::LostDelivery => Text { en: "lost delivery", zh: "投递丢失" },
            Cause::SendBuffer => Text { en: "send buffer full", zh: "发送缓冲区满" },
            Cause::Handshake => Text { en: "handshake", zh: "握手" },
            Cause::Nagle => Text { en: "held by Nagle", zh: "被 Nagle 扣住" },
            Cause::DelayedAck => Text { en: "peer's delayed ACK", zh: "对端延迟确认" },
            Cause::Cork => Text { en: "corked", zh: "被 CORK 扣住" },
            Cause::CongestionWindow => Text { en: "congestion window", zh: "拥塞窗口" },
            Cause::ReceiverWindow => Text { en: "receiver window", zh: "接收窗口" },
            Cause::Persist => Text { en: "probing a zero window", zh: "零窗口探测" },
            Cause::SegmentQueue => Text { en: "queue of segments full", zh: "报文段队列满" },
            Cause::Retransmission => Text { en: "lost and not resent yet", zh: "等待重传" },
            Cause::HeadOfLine => Text { en: "behind a missing segment", zh: "队头阻塞" },
            Cause::Unread => Text { en: "not read yet", zh: "尚未读取" },
            Cause::HeapFull => Text { en: "heap full", zh: "堆已满" },
            Cause::NoPbuf => Text { en: "no pbuf", zh: "没有 pbuf" },
            Cause::TxDescriptors => Text { en: "TX descriptors full", zh: "发送描述符用尽" },
            Cause::RxRing => Text { en: "RX ring full", zh: "接收环已满" },
            Cause::MainLoop => Text { en: "main loop busy", zh: "主循环繁忙" },
            Cause::Cpu => Text { en: "CPU", zh: "CPU" },
            Cause::Copy => Text { en: "copy", zh: "复制" },
            Cause::Dma => Text { en: "DMA", zh: "DMA" },
            Cause::Phy => Text { en: "PHY", zh: "PHY" },
            Cause::TimerTick => Text { en: "timer tick", zh: "定时器节拍" },
            Cause::OtherParts => Text { en: "waiting for other parts", zh: "等待其余部分" },
            Cause::Downstream => Text { en: "another service", zh: "等待下游服务" },
            Cause::BrokerWork => Text { en: "broker's own work", zh: "代理自身处理" },
            Cause::Disk => Text { en: "writing to disk", zh: "写入磁盘" },
            Cause::Alarm => Text { en: "broker's alarm", zh: "代理资源告警" },
            Cause::Linger => Text { en: "batch lingers", zh: "批次等待凑齐" },
            Cause::InFlight => Text { en: "in-flight limit", zh: "在途请求已满" },
            Cause::BatchRest => Text { en: "rest of its batch", zh: "等待批次其余部分" },
            Cause::Replication => Text { en: "replication", zh: "等待副本同步" },
            Cause::Invisible => Text { en: "too few in sync", zh: "同步副本不足" },
            Cause::Unowned => Text { en: "partition unowned", zh: "分区无人消费" },
            Cause::FetchWait => Text { en: "fetch waits for more", zh: "拉取等待凑足" },
            Cause::PollWait => Text { en: "waiting for a poll", zh: "等待下次轮询" },
            Cause::Claim => Text { en: "claim (not simulated)", zh: "声称值（非仿真）" },
        }
    }
}

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
    /// propagation. All in ns.
    Arrived { msg: MsgId, channel: ChannelId, waited: u64, sending: u64, unread: u64 },
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
            Fact::Arrived { msg, channel: c, waited, sending, unread } => {
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
