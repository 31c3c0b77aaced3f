//! What of a tape falls into a window: found by halving, so that a long tape costs no more.

use std::ops::Range;

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::{Flags, Hold, TimerKind};
use crate::model::{ChannelId, MsgId};
use crate::observe::ring::Ring;
use crate::observe::segments::{Bracket, BracketKind, Fate, Flight};
use crate::param::Said;

use super::window::Window;

/// How far before a window one looks for segments that are still on their way in it.
const LOOK_BACK: u64 = 512;
/// Most brackets of a window that are drawn.
const BRACKETS: usize = 4_096;

/// What was seen on TCP channels: segments by the time they left, brackets by the time they began.
#[derive(Clone, Copy, Debug)]
pub struct Tape<'a> {
    /// Segments.
    pub flights: &'a Ring<Flight>,
    /// Holds and timers.
    pub brackets: &'a Ring<Bracket>,
}

impl<'a> Tape<'a> {
    /// The segments with these numbers.
    pub fn range(self, part: Range<u64>) -> impl DoubleEndedIterator<Item = (u64, &'a Flight)> {
        part.filter_map(move |number| Some((number, self.flights.get(number)?)))
    }

    /// The number of the first segment that leaves at `at` or later.
    pub fn first_from(self, at: SimTime) -> u64 {
        let flights = self.flights;
        let (mut low, mut high) = (flights.first(), flights.first() + flights.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match flights.get(middle) {
                Some(flight) if at <= flight.depart => high = middle,
                _ => low = middle + 1,
            }
        }
        low
    }
}

/// Two hosts with life lines of their own.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pair {
    /// What the left and the right one are called.
    pub names: [Said; 2],
    /// The channels between them, and whether a channel's `from` is at the right.
    pub channels: Vec<(ChannelId, bool)>,
}

impl Pair {
    /// Whether the sender of what runs on `channel` (`back`: towards its `from`) is at the right.
    pub fn from_right(&self, channel: ChannelId, back: bool) -> Option<bool> {
        let (_, turned) = self.channels.iter().find(|(id, _)| *id == channel)?;
        Some(*turned != back)
    }
}

/// A segment as a ladder draws it.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a> {
    /// Its number on the tape.
    pub index: u64,
    /// The segment.
    pub flight: &'a Flight,
    /// Whether it runs from right to left.
    pub from_right: bool,
    /// When it ends: it arrives, is lost, or would arrive like its neighbours.
    pub ends: SimTime,
    /// Whether it acknowledges more than the segment before it from the same end.
    pub new_ack: bool,
}

/// The numbers of the segments that can touch a window.
pub fn range(tape: Tape<'_>, window: Window) -> Range<u64> {
    let (from, to) = (SimTime::from_ns(window.from as u64), window.instant(1.0));
    let first = tape.first_from(from);
    let last = tape.first_from(to.saturating_add(SimSpan::ns(1)));
    first.saturating_sub(LOOK_BACK).max(tape.flights.first())..last
}

/// A pair's segments in a part of the tape, oldest first; they may end before the window starts.
pub fn segments<'a>(tape: Tape<'a>, pair: &Pair, part: Range<u64>) -> Vec<Picked<'a>> {
    let mut picked: Vec<Picked<'a>> = Vec::new();
    let mut acks = [0_u64; 2];
    for (index, flight) in tape.range(part) {
        let Some(from_right) = pair.from_right(flight.channel, flight.back) else { continue };
        let segment = &flight.segment;
        let last = &mut acks[usize::from(from_right)];
        let new_ack = segment.flags.has(Flags::ACK) && *last < segment.ack;
        *last = (*last).max(segment.ack);
        let ends = match flight.fate {
            Fate::Arrived(at) => at,
            Fate::Flying | Fate::Lost => SimTime::MAX,
        };
        picked.push(Picked { index, flight, from_right, ends, new_ack });
    }
    guess_ends(&mut picked);
    picked
}

/// What has not arrived ends as late after its start as the nearest that has.
fn guess_ends(picked: &mut [Picked<'_>]) {
    let mut way = [None; 2];
    // Twice: the second round knows what came later than the first of a direction.
    for _ in 0..2 {
        for p in picked.iter_mut() {
            let way = &mut way[usize::from(p.from_right)];
            match (p.flight.fate, *way) {
                (Fate::Arrived(at), _) => *way = Some(at.since(p.flight.depart)),
                (_, Some(span)) => p.ends = p.flight.depart.saturating_add(span),
                (_, None) => {}
            }
        }
    }
    for p in picked.iter_mut().filter(|p| p.ends == SimTime::MAX) {
        p.ends = p.flight.depart.saturating_add(SimSpan::ms(1));
    }
}

/// A hold or a timer as a ladder draws it.
#[derive(Clone, Copy, Debug)]
pub struct Marked<'a> {
    /// What it is.
    pub bracket: &'a Bracket,
    /// Whether it is at the right end.
    pub at_right: bool,
    /// When it ends, or until when it is known to last.
    pub ends: SimTime,
}

impl Marked<'_> {
    /// How long it lasts, as far as is known.
    pub fn span(&self) -> SimSpan {
        self.ends.since(self.bracket.from)
    }
}

/// A pair's brackets that touch a window, oldest first: holds, delayed acknowledgements, and other
/// timers only if they went off. `known`: how far the run is known.
pub fn brackets<'a>(
    tape: Tape<'a>,
    pair: &Pair,
    window: Window,
    known: SimTime,
) -> Vec<Marked<'a>> {
    let (from, to) = (SimTime::from_ns(window.from as u64), window.instant(1.0));
    // All of them: a timer that was set anew begins later than its neighbours on the tape.
    let touching = tape.brackets.iter().filter(|bracket| bracket.from <= to);
    let touching = touching.filter_map(|bracket| {
        let at_right = pair.from_right(bracket.channel, bracket.at_to)?;
        let ends = bracket.until.unwrap_or(known).max(bracket.from);
        let told = match bracket.kind {
            BracketKind::Held(_) | BracketKind::Timer(TimerKind::DelayedAck) => true,
            BracketKind::Timer(TimerKind::TimeWait | TimerKind::KeepAlive) => false,
            BracketKind::Timer(_) => bracket.fired,
        };
        (told && from <= ends).then_some(Marked { bracket, at_right, ends })
    });
    touching.take(BRACKETS).collect()
}

/// Stretches within a window in which nothing of a pair is on its way. `known`: how far the run is
/// known; the last stretch ends there only if a bracket is open, else it is the end of all traffic.
pub fn silences(
    picked: &[Picked<'_>],
    next: Option<SimTime>,
    last: Option<SimTime>,
) -> Vec<(SimTime, SimTime)> {
    let mut silences = Vec::new();
    let mut reach: Option<SimTime> = None;
    for p in picked {
        if let Some(reach) = reach.filter(|reach| *reach < p.flight.depart) {
            silences.push((reach, p.flight.depart));
        }
        reach = Some(reach.map_or(p.ends, |reach| reach.max(p.ends)));
    }
    let end = next.or(last);
    if let (Some(reach), Some(end)) = (reach, end)
        && reach < end
    {
        silences.push((reach, end));
    }
    silences
}

/// When a pair's next segment after a part of the tape leaves, if it comes soon on the tape.
pub fn next_after(tape: Tape<'_>, pair: &Pair, part: &Range<u64>) -> Option<SimTime> {
    let rest = tape.range(part.end..part.end + LOOK_BACK).map(|(_, flight)| flight);
    let mut own = rest.filter(|flight| pair.from_right(flight.channel, flight.back).is_some());
    own.next().map(|flight| flight.depart)
}

/// How many segments of each kind leave in one row of a crowded ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Crowd {
    /// With data, from the left and from the right.
    pub data: [u32; 2],
    /// Without data, from the left and from the right.
    pub bare: [u32; 2],
    /// Sent again.
    pub again: u32,
    /// Lost on the way.
    pub lost: u32,
}

impl Crowd {
    /// How many left one end.
    pub fn from(&self, right: bool) -> u32 {
        self.data[usize::from(right)] + self.bare[usize::from(right)]
    }
}

/// A pair's segments in `rows` equal parts of a window.
pub fn crowds(
    tape: Tape<'_>,
    pair: &Pair,
    part: Range<u64>,
    (window, rows): (Window, usize),
) -> Vec<Crowd> {
    let mut crowds = vec![Crowd::default(); rows];
    for (_, flight) in tape.range(part) {
        let Some(right) = pair.from_right(flight.channel, flight.back) else { continue };
        let row = (window.share(flight.depart) * rows as f64).floor();
        if !(0.0..rows as f64).contains(&row) {
            continue;
        }
        let crowd = &mut crowds[row as usize];
        match flight.segment.len {
            0 => crowd.bare[usize::from(right)] += 1,
            _ => crowd.data[usize::from(right)] += 1,
        }
        crowd.again += u32::from(flight.segment.again);
        crowd.lost += u32::from(flight.fate == Fate::Lost);
    }
    crowds
}

/// The newest message whose bytes left one end of a channel by `at`: what a hold waits for.
pub fn last_sent(tape: Tape<'_>, bracket: &Bracket) -> Option<MsgId> {
    let end = tape.first_from(bracket.from.saturating_add(SimSpan::ns(1)));
    let before = tape.range(end.saturating_sub(LOOK_BACK)..end).rev().map(|(_, flight)| flight);
    let mut own = before.filter(|flight| {
        flight.channel == bracket.channel
            && flight.back == bracket.at_to
            && 0 < flight.segment.len
            && flight.msg != bracket.msg
    });
    own.next().and_then(|flight| flight.msg)
}

/// The first wait that is long beside all others: a hold, or a timer that went off.
fn long_wait(tape: Tape<'_>) -> Option<&Bracket> {
    let waits = |bracket: &&Bracket| {
        let told = match bracket.kind {
            // A handshake comes first in every run.
            BracketKind::Held(hold) => hold != Hold::Connecting,
            BracketKind::Timer(_) => bracket.fired,
        };
        told && bracket.until.is_some()
    };
    let brackets = || tape.brackets.iter().take(BRACKETS).filter(waits);
    let longest = brackets().map(length).max()?;
    brackets().find(|bracket| longest / 2 <= length(bracket))
}

/// How long a bracket lasted, in ns.
fn length(bracket: &Bracket) -> u64 {
    bracket.until.map_or(0, |end| end.since(bracket.from).as_ns())
}

/// The message of the first long hold.
pub fn longest_wait(tape: Tape<'_>) -> Option<MsgId> {
    let named = |bracket: &&Bracket| {
        bracket.msg.is_some() && bracket.kind != BracketKind::Held(Hold::Connecting)
    };
    let brackets = || tape.brackets.iter().take(BRACKETS).filter(named);
    let longest = brackets().map(length).max().filter(|ns| 0 < *ns)?;
    brackets().find(|bracket| longest / 2 <= length(bracket))?.msg
}

/// A stretch worth seeing first: around the first wait that lasts long beside what else happens.
pub fn stretch(tape: Tape<'_>, until: SimTime) -> Option<Window> {
    /// Fewest segments before a ladder is cut to a part.
    const ENOUGH: u64 = 8;
    let first = long_wait(tape)?;
    let whole = until.ns() as f64 * 1.03;
    let length = length(first) as f64;
    if tape.flights.len() < ENOUGH || whole < 2.2 * length || length < whole / 5_000.0 {
        return None;
    }
    // What leads to it is above, what follows below; the start of the run if that is near.
    let start = first.from.ns() as f64;
    let from = if start < 0.6 * length { 0.0 } else { start - 0.16 * length };
    let to = start + 1.1 * length;
    Some(Window { from, span: to - from })
}
