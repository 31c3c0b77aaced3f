//! The ladder: a sequence diagram of segments, to scale.
//!
//! Time runs down, each host has a life line, segments are slanted lines between two of them. Waits
//! stand beside the end that waits: a sender's hold at its line, the timer of an acknowledgement at
//! the receiver's. It reads a tape of segments and brackets and answers a draw list; a crowd of
//! segments becomes bars, so that a long tape costs no more than a short one. Read [`window`] for
//! zooming, [`pick`] for what falls into a window, [`words`] for what is said.

mod crowd;
mod labels;
mod paint;
pub mod pick;
pub mod source;
pub mod window;
pub mod words;

use crate::kernel::{SimTime, settle};
use crate::model::MsgId;
use crate::param::Lang;
use crate::view::Chosen;
use crate::view::draw::{Point, Scene};
use crate::view::pipe::distance_to_piece;

pub use pick::{Pair, Picked, Tape};
pub use window::{Sight, Window};
pub use words::Card;

/// Pixels of height that a segment needs before it is drawn as a line of its own.
pub const LEAST_PX: f32 = 2.2;
/// How near a pointer must be to a line.
const REACH: f32 = 7.0;

/// A ladder to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Ladder<'a> {
    /// What was seen.
    pub tape: Tape<'a>,
    /// The hosts' life lines, side by side.
    pub pairs: &'a [Pair],
    /// The stretch of time.
    pub window: Window,
    /// The shown instant.
    pub now: SimTime,
    /// How far the run is known.
    pub known: SimTime,
    /// The end of the run.
    pub until: SimTime,
    /// Width and height in CSS pixels.
    pub size: (f32, f32),
    /// The language.
    pub lang: Lang,
    /// What is chosen.
    pub chosen: Chosen,
    /// The segment that is pointed at, by its place on the tape.
    pub pointed: Option<u64>,
}

/// A segment as it was drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Drawn {
    /// Its place on the tape.
    pub index: u64,
    /// The message that it carries.
    pub msg: Option<MsgId>,
    /// Where it starts.
    pub start: Point,
    /// Where it ends.
    pub end: Point,
}

impl Ladder<'_> {
    /// Draws it; answers the segments that can be pointed at, by the time they leave.
    pub fn draw(&self, scene: &mut Scene) -> Vec<Drawn> {
        scene.clear();
        let mut drawn = Vec::new();
        paint::Painting::new(self, scene).all(&mut drawn);
        settle(&mut drawn, |a: &Drawn, b| a.index < b.index);
        drawn
    }

    /// The pair and the segment at a place on the tape, if it is in or near the window.
    pub fn at(&self, index: u64) -> Option<(&Pair, Picked<'_>)> {
        let part = pick::range(self.tape, self.window);
        if !part.contains(&index) {
            return None;
        }
        self.pairs.iter().find_map(|pair| {
            let picked = pick::segments(self.tape, pair, part.clone());
            Some((pair, picked.into_iter().find(|p| p.index == index)?))
        })
    }

    /// The card of a segment.
    pub fn card(&self, index: u64) -> Option<Card> {
        let (pair, picked) = self.at(index)?;
        Some(words::card(self.tape, pair, &picked, self.lang))
    }

    /// What the window shows, line by line, for those who do not see it; at most `most` lines.
    pub fn rows(&self, most: usize) -> Vec<[String; 3]> {
        let part = pick::range(self.tape, self.window);
        let from = SimTime::from_ns(self.window.from as u64);
        let mut rows: Vec<(SimTime, [String; 3])> = Vec::new();
        for pair in self.pairs {
            let picked = pick::segments(self.tape, pair, part.clone());
            for p in picked.iter().filter(|p| from <= p.ends).take(most) {
                let [left, right] = pair.names.each_ref().map(|name| name.get(self.lang));
                let (a, b) = if p.from_right { (right, left) } else { (left, right) };
                let label = words::label(p, self.lang).swap_remove(0);
                let at = window::exact(p.flight.depart.ns());
                rows.push((p.flight.depart, [at, format!("{a} → {b}"), label]));
            }
            for mark in pick::brackets(self.tape, pair, self.window, self.known).iter().take(most) {
                let name = pair.names[usize::from(mark.at_right)].get(self.lang).to_string();
                let waits_for = pick::last_sent(self.tape, mark.bracket);
                let block = words::block(mark.bracket, mark.span(), waits_for, self.lang);
                let at = window::exact(mark.bracket.from.ns());
                let said = format!("{}, {}: {}", block.title, block.span, block.why);
                rows.push((mark.bracket.from, [at, name, said]));
            }
        }
        settle(&mut rows, |a, b| a.0 < b.0);
        rows.truncate(most);
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// The segment whose line is nearest to a point, within reach.
pub fn nearest(drawn: &[Drawn], at: Point) -> Option<Drawn> {
    let near = drawn.iter().map(|d| (distance_to_piece(at, d.start, d.end), d));
    let near = near.filter(|(away, _)| *away <= REACH);
    near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, d)| *d)
}

#[cfg(test)]
mod tests;
