//! What messages wait for, and why copies of them went away, with their words.

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
    /// Its transaction was aborted.
    Aborted,
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
            Why::Aborted => Text { en: "its transaction was aborted", zh: "所在事务已中止" },
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
    /// Log: a transaction that stands before it has not ended.
    OpenTransaction,
}

impl Cause {
    /// Every cause, in the order of the stacked chart from below.
    pub const ALL: [Cause; 48] = [
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
        Cause::OpenTransaction,
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
            Cause::OpenTransaction => "open-transaction",
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
            Cause::OpenTransaction => Text { en: "open transaction", zh: "事务未结束" },
            Cause::Claim => Text { en: "claim (not simulated)", zh: "声称值（非仿真）" },
        }
    }
}
