//! What users send, and what travels on a channel.

use crate::kernel::SimTime;
use crate::model::log_parcel::LogParcel;
use crate::model::mqtt_parcel::MqttParcel;

/// An actor's place in the world, in document order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ActorId(pub u16);

/// A channel's place in the world, in document order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ChannelId(pub u16);

/// A host's place in the world: those declared in document order, then those made for actors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct HostId(pub u16);

/// A wire's place in the world: those declared in document order, then those made for channels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct WireId(pub u16);

/// A message's number: 1, 2, 3 ... in the order in which messages were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct MsgId(pub u64);

impl ActorId {
    /// As an index into the arena of actors.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl HostId {
    /// As an index into the arena of hosts.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl WireId {
    /// As an index into the arena of wires.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl ChannelId {
    /// As an index into the arena of channels.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What a user sends: it keeps its number through every queue, copy and retry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its number.
    pub id: MsgId,
    /// Its key: messages of one key belong together and should stay in order.
    pub key: u32,
    /// Its body's size in bytes.
    pub bytes: u32,
    /// The message that it is a copy of; its own number when it is none.
    pub root: MsgId,
    /// Which of its sender's routes it takes, from 1; 0: the sender has none.
    pub route: u16,
    /// How often it went on by a way drawn by chance: each visit draws its own work.
    pub hops: u16,
    /// When it was made.
    pub born: SimTime,
    /// How long it may wait in a queue, in ms; `None`: for ever.
    pub expiration_ms: Option<u32>,
    /// Its priority; counts only in queues that have priorities.
    pub priority: u8,
    /// Whether the work on it always fails.
    pub is_bad: bool,
    /// Who made it.
    pub by: ActorId,
    /// The number that the broker gave to this stored copy, from 1; 0: none yet. A copy that was
    /// sent again gets another one.
    pub stored: u32,
}

impl Message {
    /// Nothing that anybody sends: it stands in a log for a control record of `by`.
    pub const fn control(born: SimTime, by: ActorId) -> Message {
        Message {
            id: MsgId(0),
            key: 0,
            bytes: 0,
            root: MsgId(0),
            route: 0,
            hops: 0,
            born,
            expiration_ms: None,
            priority: 0,
            is_bad: false,
            by,
            stored: 0,
        }
    }
}

/// Bytes that framing adds to a message's body: an AMQP 0-9-1 `basic.publish` or `basic.deliver`
/// takes a method, a header and a body frame, each with 8 bytes around it, and some 40 inside.
pub const FRAMING_BYTES: u32 = 64;

/// Bytes of a control parcel: the AMQP 0-9-1 frame of `basic.ack` (7 + 13 + 1).
pub const CONTROL_BYTES: u32 = 21;

/// What becomes of a delivery whose work failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// Back to its place in the queue.
    Requeue,
    /// A dead letter: to the queue of dead letters, or away.
    DeadLetter,
    /// Back to who sent it.
    Return,
}

/// One unit on a channel, framed: what one end writes, the other reads whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parcel {
    /// A producer hands over a message; `seq` counts what wants a confirmation, 0 wants none.
    Publish {
        /// Number of the publish on this channel, or 0 when no confirmation is wanted.
        seq: u64,
        /// What is published.
        message: Message,
    },
    /// The receiver took (or refused) publish `seq`.
    Confirm {
        /// Number of the publish.
        seq: u64,
        /// The message it carried.
        msg: MsgId,
        /// Whether the receiver is responsible for it now.
        accepted: bool,
    },
    /// A consumer asks for deliveries.
    Subscribe {
        /// Deliveries that may be unacknowledged at once; 0 sets no limit.
        prefetch: u32,
        /// Whether delivering counts as acknowledging.
        auto_ack: bool,
    },
    /// A consumer takes no more deliveries; those that it has stay its own.
    Cancel,
    /// A client asks for one message, if there is one.
    Get {
        /// Whether delivering counts as acknowledging.
        auto_ack: bool,
    },
    /// A broker hands over a message.
    Deliver {
        /// Delivery tag, counted per connection.
        tag: u64,
        /// What is delivered.
        message: Message,
        /// Whether it was delivered before.
        redelivered: bool,
    },
    /// The consumer is done with delivery `tag`.
    Ack {
        /// Delivery tag.
        tag: u64,
        /// The message it carried.
        msg: MsgId,
    },
    /// The consumer could not do the work of delivery `tag`.
    Reject {
        /// Delivery tag.
        tag: u64,
        /// The message it carried.
        msg: MsgId,
        /// What is to become of it.
        how: Rejection,
    },
    /// The consumer still has delivery `tag`: its time begins again.
    Touch {
        /// Delivery tag.
        tag: u64,
        /// The message it carried.
        msg: MsgId,
    },
    /// The broker brings a message back to who sent it.
    Returned {
        /// What nobody could work on.
        message: Message,
    },
    /// A requester asks.
    Request {
        /// The question.
        message: Message,
    },
    /// A responder answers the request of the same number.
    Reply {
        /// The answer.
        message: Message,
    },
    /// What clients of a log broker and the broker say to each other.
    Log(LogParcel),
    /// What clients of an MQTT broker and the broker say to each other.
    Mqtt(MqttParcel),
    /// The other end is gone: its process died.
    Closed,
    /// The other end is there again: its process started anew.
    Opened,
}

impl Parcel {
    /// The message it carries, if it carries one.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Parcel::Publish { message, .. }
            | Parcel::Deliver { message, .. }
            | Parcel::Returned { message }
            | Parcel::Request { message }
            | Parcel::Reply { message } => Some(message),
            Parcel::Log(parcel) => parcel.message(),
            Parcel::Mqtt(parcel) => parcel.packet.message(),
            Parcel::Confirm { .. }
            | Parcel::Subscribe { .. }
            | Parcel::Cancel
            | Parcel::Get { .. }
            | Parcel::Ack { .. }
            | Parcel::Reject { .. }
            | Parcel::Touch { .. }
            | Parcel::Closed
            | Parcel::Opened => None,
        }
    }

    /// The message it carries or speaks of.
    pub fn about(&self) -> Option<MsgId> {
        match self {
            Parcel::Confirm { msg, .. }
            | Parcel::Ack { msg, .. }
            | Parcel::Reject { msg, .. }
            | Parcel::Touch { msg, .. } => Some(*msg),
            Parcel::Mqtt(parcel) => parcel.packet.about(),
            _ => self.message().map(|m| m.id),
        }
    }

    /// Whether it is about the connection itself: such a parcel is never lost alone.
    pub fn is_of_connection(&self) -> bool {
        match self {
            Parcel::Subscribe { .. } | Parcel::Cancel | Parcel::Closed | Parcel::Opened => true,
            Parcel::Mqtt(parcel) => parcel.packet.is_of_connection(),
            _ => false,
        }
    }

    /// Whether it carries one of several records of a batch.
    pub fn is_part(&self) -> bool {
        matches!(self, Parcel::Log(parcel) if parcel.is_part())
    }

    /// Its length on the channel in bytes, framing included.
    pub fn bytes(&self) -> u64 {
        match self {
            Parcel::Log(parcel) => return parcel.bytes(),
            Parcel::Mqtt(parcel) => return parcel.packet.bytes(),
            _ => {}
        }
        match self.message() {
            Some(message) => u64::from(message.bytes) + u64::from(FRAMING_BYTES),
            None => u64::from(CONTROL_BYTES),
        }
    }
}
