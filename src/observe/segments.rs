//! Segments and brackets: what a ladder diagram draws.
//!
//! Fed by facts about TCP channels. Bounded: the oldest go when [`MAX_SEGMENTS`] is reached.

use std::collections::BTreeMap;

use crate::kernel::SimTime;
use crate::model::fact::Fact;
use crate::model::message::{ChannelId, MsgId};
use crate::model::tcp::{Hold, Segment, TimerKind};
use crate::observe::ring::Ring;

/// Most segments kept.
pub const MAX_SEGMENTS: usize = 100_000;

/// Most brackets kept.
pub const MAX_BRACKETS: u64 = 50_000;
/// Segments that a checkpoint keeps: what a ladder shows at once, and more.
const KEPT_LONGER: u64 = 4_096;

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

/// Segments and brackets of all tcp channels.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Segments {
    /// Segments in the order in which they departed.
    pub flights: Ring<Flight>,
    /// Brackets in the order in which they began.
    pub brackets: Ring<Bracket>,
    /// The number of the frame that `flights` begins to count with.
    base: u64,
    /// Numbers of the brackets that last, by end and kind.
    open: BTreeMap<(ChannelId, bool, u8), u64>,
}

impl Segments {
    /// Takes in a fact; `segment` belongs to a departure.
    pub fn take(&mut self, at: SimTime, fact: &Fact, segment: Option<&Segment>) {
        match *fact {
            Fact::SegmentDeparted { frame, channel, back, msg, .. } => {
                let Some(segment) = segment.copied() else { return };
                let msg = (msg != MsgId(0)).then_some(msg);
                let fate = Fate::Flying;
                let flight = Flight { channel, back, depart: at, fate, segment, msg };
                let number = self.flights.push(flight, MAX_SEGMENTS as u64);
                self.base = frame - number;
            }
            Fact::SegmentArrived { frame, .. } => self.end_flight(frame, Fate::Arrived(at)),
            Fact::SegmentLost { frame, .. } => self.end_flight(frame, Fate::Lost),
            // It had arrived; frame 0 never left.
            Fact::FrameDropped { frame, .. } => {
                if let Some(number) = frame.checked_sub(self.base)
                    && let Some(flight) = self.flights.get_mut(number)
                {
                    flight.fate = Fate::Lost;
                }
            }
            Fact::TimerArmed { channel, at_to, timer, .. } => {
                let kind = BracketKind::Timer(timer);
                self.begin(Bracket::new(channel, at_to, kind, at));
            }
            Fact::TimerFired { channel, at_to, timer, since } => {
                let kind = BracketKind::Timer(timer);
                if let Some(bracket) = self.end(channel, at_to, kind, at) {
                    bracket.from = since;
                    bracket.fired = true;
                }
            }
            Fact::TimerCancelled { channel, at_to, timer } => {
                self.end(channel, at_to, BracketKind::Timer(timer), at);
            }
            Fact::HoldBegun { channel, at_to, hold, bytes, msg } => {
                let mut bracket = Bracket::new(channel, at_to, BracketKind::Held(hold), at);
                bracket.bytes = bytes;
                bracket.msg = (msg != MsgId(0)).then_some(msg);
                self.begin(bracket);
            }
            Fact::HoldEnded { channel, at_to, hold } => {
                self.end(channel, at_to, BracketKind::Held(hold), at);
            }
            _ => {}
        }
    }

    /// The flights of one channel, oldest first.
    pub fn flights_of(&self, channel: ChannelId) -> impl DoubleEndedIterator<Item = &Flight> {
        self.flights.iter().filter(move |flight| flight.channel == channel)
    }

    /// The brackets of one channel, oldest first.
    pub fn brackets_of(&self, channel: ChannelId) -> impl DoubleEndedIterator<Item = &Bracket> {
        self.brackets.iter().filter(move |bracket| bracket.channel == channel)
    }

    /// A copy for a checkpoint: the newest part, shared with this one.
    pub fn for_checkpoint(&self) -> Segments {
        let mut copy = self.clone();
        copy.flights.keep(KEPT_LONGER);
        copy.brackets.keep(KEPT_LONGER);
        copy
    }

    /// Rough size in bytes of a checkpoint's copy.
    pub fn weight(&self) -> u64 {
        let flights = self.flights.weight().min(KEPT_LONGER * size_of::<Flight>() as u64);
        flights + self.brackets.weight().min(KEPT_LONGER * size_of::<Bracket>() as u64)
    }

    fn end_flight(&mut self, frame: u64, fate: Fate) {
        let Some(number) = frame.checked_sub(self.base) else { return };
        if let Some(flight) = self.flights.get_mut(number)
            && flight.fate == Fate::Flying
        {
            flight.fate = fate;
        }
    }

    fn begin(&mut self, bracket: Bracket) {
        let key = (bracket.channel, bracket.at_to, bracket.kind.code());
        let number = self.brackets.push(bracket, MAX_BRACKETS);
        self.open.insert(key, number);
    }

    fn end(
        &mut self,
        channel: ChannelId,
        at_to: bool,
        kind: BracketKind,
        at: SimTime,
    ) -> Option<&mut Bracket> {
        let number = self.open.remove(&(channel, at_to, kind.code()))?;
        let bracket = self.brackets.get_mut(number)?;
        bracket.until = Some(at);
        Some(bracket)
    }
}

impl BracketKind {
    fn code(self) -> u8 {
        match self {
            BracketKind::Held(hold) => hold as u8,
            BracketKind::Timer(timer) => timer as u8 | 0x80,
        }
    }
}

impl Bracket {
    fn new(channel: ChannelId, at_to: bool, kind: BracketKind, from: SimTime) -> Bracket {
        Bracket { channel, at_to, kind, bytes: 0, msg: None, from, until: None, fired: false }
    }
}
