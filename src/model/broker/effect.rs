//! What the broker did: effects for the caller to carry out, and refusals.

use super::envelope::{Envelope, ExpirationError};
use super::names::Name;
use super::{ChannelNo, ConsumerId, QueueId};

/// Something that the broker did, in the order in which it did it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect<M> {
    /// A message goes to a consumer.
    Deliver {
        /// The consumer's channel.
        channel: ChannelNo,
        /// The consumer.
        consumer: ConsumerId,
        /// The queue it comes from.
        queue: QueueId,
        /// What the client acknowledges with.
        tag: u64,
        /// Whether it was delivered before.
        redelivered: bool,
        /// Messages that stay ready.
        ready: u32,
        /// What is written on it.
        envelope: Envelope,
        /// What the queue adds to its headers.
        mark: Mark,
        /// The message.
        message: M,
    },
    /// A new message waits in a queue.
    Queued {
        /// The queue.
        queue: QueueId,
        /// Ready messages with it.
        ready: u32,
        /// The message.
        message: M,
    },
    /// A message came back to its place in the queue.
    Requeued {
        /// The queue.
        queue: QueueId,
        /// Ready messages with it and what came back together with it.
        ready: u32,
        /// The message.
        message: M,
    },
    /// A client acknowledged a message: the broker forgets it.
    Acked {
        /// The channel.
        channel: ChannelNo,
        /// The queue it came from; `None` when that is deleted.
        queue: Option<QueueId>,
        /// The message.
        message: M,
    },
    /// A message left its queue as a dead letter; what becomes of it follows as further effects.
    DeadLettered {
        /// The queue that it leaves.
        queue: QueueId,
        /// Why.
        why: DropReason,
        /// The message.
        message: M,
    },
    /// A message is gone.
    Dropped {
        /// The queue that it was in or was meant for; `None` when there is none.
        queue: Option<QueueId>,
        /// Why.
        why: DropReason,
        /// The message.
        message: M,
    },
    /// The broker answers a publish on a channel with confirms.
    Confirm {
        /// The publisher's channel.
        channel: ChannelNo,
        /// The number of the publish: 1, 2, 3 on that channel.
        seq: u64,
        /// Accepted, or refused by a full queue.
        ack: bool,
    },
    /// A mandatory message that no queue got goes back to its publisher (312 `NO_ROUTE`).
    Return {
        /// The publisher's channel.
        channel: ChannelNo,
        /// The message.
        message: M,
    },
    /// A publisher that was told to wait may try again.
    Room {
        /// The queue that was full.
        queue: QueueId,
    },
    /// The broker closed a channel because of what its client did.
    ChannelClosed {
        /// The channel; its number is stale from now on.
        channel: ChannelNo,
        /// What the client did.
        error: ChannelError,
    },
    /// A consumer ended because its queue is gone.
    ConsumerCancelled {
        /// Its channel.
        channel: ChannelNo,
        /// The consumer.
        consumer: ConsumerId,
    },
    /// A queue is gone: deleted, auto-deleted, or with its connection.
    QueueDeleted {
        /// The queue.
        queue: QueueId,
        /// Its name.
        name: Name,
    },
}

/// What a queue adds to the headers of what it gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// How many deliveries failed before (`x-delivery-count`), if any did: quorum queues.
    Failed(u32),
    /// Where it stands in the log (`x-stream-offset`): streams.
    Offset(u64),
}

/// Why a message is gone, or left its queue as a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// Rejected by a consumer, not to be requeued.
    Rejected,
    /// Its time was up.
    Expired,
    /// The queue was over its limit and dropped its head.
    MaxLength,
    /// Too many deliveries failed.
    DeliveryLimit,
    /// The queue was full and refused the new message.
    QueueFull,
    /// No queue wanted it, and it was not mandatory.
    Unroutable,
    /// A dead letter came back to a queue where it had died, and nobody had rejected it.
    Circle,
    /// Its publisher rolled back, or went before it committed.
    RolledBack,
    /// The broker stopped, and it was not to survive that.
    Restarted,
    /// Its queue was purged.
    Purged,
    /// Its queue was deleted.
    QueueDeleted,
}

impl DropReason {
    /// The word in `x-death`; `None`: a queue does not dead-letter for this reason.
    pub const fn death_word(self) -> Option<&'static str> {
        match self {
            DropReason::Rejected => Some("rejected"),
            DropReason::Expired => Some("expired"),
            DropReason::MaxLength => Some("maxlen"),
            DropReason::DeliveryLimit => Some("delivery_limit"),
            _ => None,
        }
    }
}

/// Why a channel was closed: the client broke a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// 404: published to an exchange that does not exist.
    NoExchange(Name),
    /// 404: named a queue that does not exist.
    NoQueue(Name),
    /// 403: published to an internal exchange.
    InternalExchange(Name),
    /// 403: bound to the default exchange.
    DefaultExchange,
    /// 403: another consumer of the queue is exclusive, or this one wants to be and is not alone.
    ExclusiveConsumer(Name),
    /// 405: the queue belongs to another connection.
    LockedQueue(Name),
    /// 406: acknowledged what was never delivered, or twice.
    UnknownTag(u64),
    /// 406: declared an existing queue differently.
    QueueDiffers {
        /// The queue.
        queue: Name,
        /// What differs.
        what: Difference,
    },
    /// 406: declared an existing exchange with another type.
    ExchangeDiffers(Name),
    /// 406: deleted a queue that is in use, `if_unused`.
    QueueInUse(Name),
    /// 406: deleted a queue that is not empty, `if_empty`.
    QueueNotEmpty(Name),
    /// 406: wrote an expiration that is none.
    BadExpiration {
        /// What the client wrote.
        text: Name,
        /// What is wrong with it.
        why: ExpirationError,
    },
    /// 406: asked for confirms on a transactional channel.
    TxToConfirm,
    /// 406: asked for transactions on a channel with confirms.
    ConfirmToTx,
    /// 406: committed or rolled back on a channel without transactions.
    NotTransactional,
    /// 406: consumes a stream without a window.
    NoPrefetch(Name),
    /// 540: consumes a stream without acknowledging.
    StreamAutoAck(Name),
    /// 540: fetched from a stream with a `get`.
    StreamGet(Name),
    /// 540: purged a stream.
    StreamPurge(Name),
}

/// In which property two declarations of a queue differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// `durable`
    Durable,
    /// `auto_delete`
    AutoDelete,
    /// `x-max-length`
    MaxLength,
    /// `x-max-length-bytes`
    MaxBytes,
    /// `x-overflow`
    Overflow,
    /// `x-max-priority`
    MaxPriority,
    /// `x-single-active-consumer`
    SingleActive,
    /// `x-queue-type`
    Kind,
    /// `x-message-ttl`
    MessageTtl,
    /// `x-expires`
    Expires,
    /// `x-dead-letter-exchange`
    DeadLetterExchange,
    /// `x-dead-letter-routing-key`
    DeadLetterKey,
    /// `x-delivery-limit`
    DeliveryLimit,
}

impl ChannelError {
    /// The protocol's reply code.
    pub const fn code(self) -> u16 {
        match self {
            ChannelError::NoExchange(_) | ChannelError::NoQueue(_) => 404,
            ChannelError::InternalExchange(_)
            | ChannelError::DefaultExchange
            | ChannelError::ExclusiveConsumer(_) => 403,
            ChannelError::LockedQueue(_) => 405,
            ChannelError::UnknownTag(_)
            | ChannelError::QueueDiffers { .. }
            | ChannelError::ExchangeDiffers(_)
            | ChannelError::QueueInUse(_)
            | ChannelError::QueueNotEmpty(_)
            | ChannelError::BadExpiration { .. }
            | ChannelError::TxToConfirm
            | ChannelError::ConfirmToTx
            | ChannelError::NotTransactional
            | ChannelError::NoPrefetch(_) => 406,
            ChannelError::StreamAutoAck(_)
            | ChannelError::StreamGet(_)
            | ChannelError::StreamPurge(_) => 540,
        }
    }
}
