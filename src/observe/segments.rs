//! Segments and brackets: what a ladder diagram draws.
//!
//! Fed by facts about TCP channels. Bounded: the oldest go when [`MAX_SEGMENTS`] is reached.

use crate::kernel::SimTime;
use crate::model::message::{ChannelId, MsgId};
use crate::model::tcp::{Hold, Segment, TimerKind};

/// Most segments kept.
pub const MAX_SEGMENTS: usize = 100_000;

/// How a segment's way ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Still on its way.
    Flying,
    /// It reached the other end then.
    Arrived(SimTime),
    /// The wire lost it.
    Lost,
}

/// One segment on a channel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flight {
    /// The channel.
    pub channel: ChannelId,
    /// Whether it goes from the channel's `to` to its `from`.
    pub back: bool,
    /// When its sender handed it to the wire.
    pub depart: SimTime,
    /// What became of it.
    pub fate: Fate,
    /// The segment.
    pub segment: Segment,
    /// The first message that has bytes in it, if any.
    pub msg: Option<MsgId>,
}

/// Why a stretch of time is marked beside an end's line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BracketKind {
    /// The next byte does not leave.
    Held(Hold),
    /// A timer runs.
    Timer(TimerKind),
}

/// A stretch of time at one end of a channel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bracket {
    /// The channel.
    pub channel: ChannelId,
    /// At the channel's `to` (else at its `from`).
    pub at_to: bool,
    /// Why.
    pub kind: BracketKind,
    /// Bytes it is about: held back, or unacknowledged.
    pub bytes: u32,
    /// The first message it is about, if any.
    pub msg: Option<MsgId>,
    /// Since when.
    pub from: SimTime,
    /// Until when; `None` while it lasts.
    pub until: Option<SimTime>,
    /// A timer: whether it went off (else it was cancelled).
    pub fired: bool,
}
