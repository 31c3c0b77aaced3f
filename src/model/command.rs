//! What a person, or a document's `[[fault]]`, does to a running world.

use crate::model::message::{ActorId, ChannelId, HostId, WireId};
use crate::param::Value;

/// A node that has parameters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Node {
    /// An actor.
    Actor(ActorId),
    /// A channel.
    Channel(ChannelId),
    /// A machine.
    Host(HostId),
    /// A network link.
    Wire(WireId),
}

/// One intervention. Commands are logged, so a link can carry them.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// The actor's process dies: its memory is gone, its connections close.
    Crash(ActorId),
    /// A crashed actor starts anew and connects again.
    Restart(ActorId),
    /// One node of a log broker dies or comes back.
    TurnNode {
        /// The log broker.
        actor: ActorId,
        /// The node, counted from 0.
        node: u8,
        /// Whether it comes back.
        is_up: bool,
    },
    /// The actor stops where it is, and keeps everything.
    Pause(ActorId),
    /// A paused actor goes on.
    Resume(ActorId),
    /// Nothing passes the channel any more; what is written waits at its end.
    Cut(ChannelId),
    /// A cut channel carries again.
    Mend(ChannelId),
    /// The `nth` message written to the channel from now on is lost (1 = the next).
    DropNth {
        /// The channel.
        channel: ChannelId,
        /// Which message, counted from now.
        nth: u32,
    },
    /// The `nth` parcel written to one lane from now on is lost (1 = the next): a message, an
    /// acknowledgement or a confirmation, but nothing of the connection itself.
    LoseNth {
        /// The channel.
        channel: ChannelId,
        /// Against its direction.
        back: bool,
        /// Which parcel, counted from now.
        nth: u32,
    },
    /// The actor's work takes `ppm` millionths of its time from now on (2 000 000 = twice as long).
    Slow {
        /// A consumer or responder.
        actor: ActorId,
        /// Millionths of the normal time.
        ppm: u32,
    },
    /// A producer or requester sends one message now.
    Send {
        /// Who sends.
        actor: ActorId,
    },
    /// A live parameter changes.
    Set {
        /// Whose parameter.
        node: Node,
        /// Its place in the node's `SPECS`.
        param: u8,
        /// The new value, within the declared range.
        value: Value,
    },
}
