//! Puts a ladder together: axis, life lines, silences, brackets, segments, playhead, labels, card.
//!
//! Labels stand outside the life lines, beside the end that sends. What matters most is placed
//! first; a label that would lie on another one gives way to a shorter one, or is left out.

use std::ops::Range;

use crate::kernel::SimTime;
use crate::observe::segments::{BracketKind, Fate};
use crate::param::Lang;
use crate::view::Chosen;
use crate::view::draw::{
    Anchor, Glyph, Pen, Point, Rect, Scene, Shape, Stroke, bold, plain, pt, stroke,
};
use crate::view::tokens::Token;

use super::pick::{self, Marked, Pair, Picked};
use super::window::{fine, shown, ticks};
use super::words::{self, NOT_YET, NOTHING};
use super::{Drawn, LEAST_PX, Ladder};

/// Space for the hosts' names.
pub(super) const TOP: f32 = 28.0;
/// Space below the axis.
const BOTTOM: f32 = 6.0;
/// Space right of everything.
const RIGHT: f32 = 12.0;
/// Width of a bracket.
const BRACKET: f32 = 10.0;
/// From one bracket to the one beside it.
pub(super) const LANE: f32 = 12.0;
/// Most brackets side by side.
pub(super) const LANES: usize = 3;
/// From a life line or a bracket to its label.
pub(super) const BESIDE: f32 = 9.0;
/// Height of a line of text.
pub(super) const LINE: f32 = 16.0;

/// Two life lines and the room beside them.
pub(super) struct Panel {
    /// The left life line.
    pub left: f32,
    /// The right life line.
    pub right: f32,
    /// The left edge of the room for labels.
    pub from: f32,
    /// The right edge.
    pub to: f32,
    /// Width between the life lines that a text may take.
    pub room: f32,
}

impl Panel {
    pub fn line(&self, right: bool) -> f32 {
        if right { self.right } else { self.left }
    }
}

/// A ladder that is being drawn.
pub(super) struct Painting<'a, 'b> {
    pub ladder: &'a Ladder<'a>,
    pub pen: Pen<'b>,
    /// Width of the axis' labels.
    gutter: f32,
    /// Where text stands already.
    pub(super) taken: Vec<Rect>,
}

impl<'a, 'b> Painting<'a, 'b> {
    pub fn new(ladder: &'a Ladder<'a>, scene: &'b mut Scene) -> Painting<'a, 'b> {
        let least = if ladder.lang == Lang::Zh || ladder.size.0 < 480.0 { 12.0 } else { 11.0 };
        let pen = Pen { scene, least };
        Painting { ladder, pen, gutter: 0.0, taken: Vec::new() }
    }

    /// Draws everything.
    pub fn all(&mut self, drawn: &mut Vec<Drawn>) {
        self.axis();
        let part = pick::range(self.ladder.tape, self.ladder.window);
        let mut cards = None;
        for (n, pair) in self.ladder.pairs.iter().enumerate() {
            let panel = self.panel(n);
            self.taken.clear();
            let first = drawn.len();
            self.pair(pair, &panel, part.clone(), drawn);
            let pointed = |d: &&Drawn| Some(d.index) == self.ladder.pointed;
            if let Some(d) = drawn[first..].iter().find(pointed) {
                cards = Some(*d);
            }
        }
        self.beyond();
        self.pill();
        if let Some(d) = cards {
            self.card(&d);
        }
    }

    /// The upper edge and the height of the part with the time axis.
    pub fn area(&self) -> (f32, f32) {
        (TOP, (self.ladder.size.1 - TOP - BOTTOM).max(1.0))
    }

    /// Where an instant stands; may be outside.
    pub(super) fn y(&self, at: SimTime) -> f32 {
        let (top, height) = self.area();
        let share = self.ladder.window.share(at).clamp(-50.0, 50.0);
        top + height * share as f32
    }

    pub(super) fn floor(&self) -> f32 {
        self.ladder.size.1 - BOTTOM
    }

    /// Lines and labels of the time axis.
    fn axis(&mut self) {
        let (_, height) = self.area();
        let ticks = ticks(self.ladder.window, height);
        let face = plain(11.0, Token::Ink3);
        let wide = ticks.iter().map(|(_, label)| self.pen.width(face, label)).fold(30.0, f32::max);
        self.gutter = wide + 12.0;
        for (at, label) in &ticks {
            let y = self.y(*at);
            let line = [pt(self.gutter, y), pt(self.ladder.size.0 - RIGHT, y)];
            self.pen.scene.path(&line, stroke(Token::Line, 1.0));
            if TOP + 6.0 <= y && y <= self.floor() - 2.0 {
                self.pen.write(pt(self.gutter - 5.0, y + 4.0), Anchor::End, face, label);
            }
        }
    }

    /// Where the `n`th pair stands.
    fn panel(&self, n: usize) -> Panel {
        let count = self.ladder.pairs.len().max(1) as f32;
        let each = (self.ladder.size.0 - self.gutter - RIGHT) / count;
        let from = self.gutter + n as f32 * each;
        let to = from + each;
        // Labels take most of the width; what is left is enough to see a slope.
        let share = match each {
            0.0..240.0 => 0.24,
            240.0..420.0 => 0.365,
            _ => 0.335,
        };
        let side = (each * share).clamp(20.0, 232.0);
        let (left, right) = (from + side, to - side);
        Panel { left, right, from: from + 2.0, to, room: right - left - 12.0 }
    }

    /// One pair of hosts.
    fn pair(&mut self, pair: &Pair, panel: &Panel, part: Range<u64>, drawn: &mut Vec<Drawn>) {
        self.names(pair, panel);
        let (_, height) = self.area();
        let most = (height / LEAST_PX) as usize;
        if most as u64 * 8 < part.end - part.start {
            self.life_lines(panel);
            self.crowd(pair, panel, part);
            return self.playhead(panel);
        }
        let picked = pick::segments(self.ladder.tape, pair, part.clone());
        let from = SimTime::from_ns(self.ladder.window.from as u64);
        if most < picked.iter().filter(|p| from <= p.flight.depart).count() {
            self.life_lines(panel);
            self.crowd(pair, panel, part);
            return self.playhead(panel);
        }
        let marks = pick::brackets(self.ladder.tape, pair, self.ladder.window, self.ladder.known);
        self.silences(pair, panel, &picked, &marks, part);
        self.life_lines(panel);
        let placed = self.brackets(panel, &marks);
        let mut labels = Vec::new();
        for p in &picked {
            if let Some(d) = self.segment(panel, p) {
                drawn.push(d);
                labels.extend(self.label(p));
            }
        }
        self.playhead(panel);
        self.labels(panel, &labels, &placed, true);
        self.blocks(panel, &placed);
        self.labels(panel, &labels, &placed, false);
    }

    fn names(&mut self, pair: &Pair, panel: &Panel) {
        let names = pair.names.each_ref().map(|name| name.get(self.ladder.lang));
        let middle = (panel.left + panel.right) / 2.0;
        if 2 < self.ladder.pairs.len() {
            // Side by side there is room for one name: that of the end that begins.
            let room = panel.to - panel.from - 6.0;
            for size in [13.0, 11.0] {
                let face = bold(size, Token::Ink);
                if self.pen.width(face, names[0]) <= room {
                    self.pen.write(pt(middle, 16.0), Anchor::Middle, face, names[0]);
                    return;
                }
            }
            return;
        }
        let half = 2.0 * (panel.left - middle).abs().min(panel.left - panel.from + 6.0) - 8.0;
        let sides = [(panel.left, 14.0, Anchor::End), (panel.right, -14.0, Anchor::Start)];
        for (name, (x, shift, anchor)) in names.into_iter().zip(sides) {
            let faces = [bold(13.0, Token::Ink), bold(11.0, Token::Ink)];
            if let Some(face) = faces.iter().find(|face| self.pen.width(**face, name) <= half) {
                self.pen.write(pt(x, 16.0), Anchor::Middle, *face, name);
                continue;
            }
            // A long name stands outwards from its line.
            let room = panel.left - panel.from + 14.0;
            if let Some(face) = faces.iter().find(|face| self.pen.width(**face, name) <= room) {
                self.pen.write(pt(x + shift, 16.0), anchor, *face, name);
            }
        }
    }

    fn life_lines(&mut self, panel: &Panel) {
        for x in [panel.left, panel.right] {
            let line = [pt(x, TOP - 4.0), pt(x, self.floor())];
            self.pen.scene.path(&line, stroke(Token::Ink3, 1.2));
        }
    }

    /// Grounds where nothing is on its way, with how long that lasts.
    fn silences(
        &mut self,
        pair: &Pair,
        panel: &Panel,
        picked: &[Picked<'_>],
        marks: &[Marked<'_>],
        part: Range<u64>,
    ) {
        let next = pick::next_after(self.ladder.tape, pair, &part);
        let open = marks.iter().any(|mark| mark.bracket.until.is_none());
        let last = open.then_some(self.ladder.known);
        for (from, to) in pick::silences(picked, next, last) {
            let (y0, y1) = (self.y(from).max(TOP), self.y(to).min(self.floor()));
            if y1 - y0 < 7.0 {
                continue;
            }
            let rect = Rect::new(panel.left, y0, panel.right - panel.left, y1 - y0);
            self.pen.scene.fill(rect, 0.0, Token::Stage);
            // Narrow panels keep this room for what the brackets say.
            if y1 - y0 < 44.0 || panel.room < 84.0 || self.ladder.pairs.len() > 2 {
                continue;
            }
            let middle = pt(rect.centre().x, y0 + (y1 - y0) * 0.3);
            let face = plain(12.0, Token::Ink2);
            let text = NOTHING.get(self.ladder.lang);
            self.pen.first(middle, Anchor::Middle, face, panel.room, &[text]);
            let below = pt(middle.x, middle.y + 17.0);
            let face = bold(15.0, Token::Ink);
            let span = fine(to.since(from));
            let face =
                if self.pen.width(face, &span) <= panel.room { face } else { bold(12.0, face.ink) };
            self.pen.first(below, Anchor::Middle, face, panel.room + 8.0, &[&span]);
        }
    }

    /// Draws the brackets side by side; answers them with their places.
    fn brackets<'m>(
        &mut self,
        panel: &Panel,
        marks: &'m [Marked<'m>],
    ) -> Vec<(&'m Marked<'m>, Rect)> {
        let mut placed: Vec<(&Marked<'_>, Rect)> = Vec::new();
        for mark in marks {
            let (y0, y1) =
                (self.y(mark.bracket.from).max(TOP - 4.0), self.y(mark.ends).min(self.floor()));
            let is_ack = matches!(mark.bracket.kind, BracketKind::Timer(_));
            // An acknowledgement that waits a moment for its data is no story of its own.
            let least = if is_ack && !mark.bracket.fired { 14.0 } else { 3.0 };
            if y1 - y0 < least {
                continue;
            }
            let lane = |lane: usize| {
                let out = 2.0 + lane as f32 * LANE;
                let x = match mark.at_right {
                    true => panel.right + out,
                    false => panel.left - out - BRACKET,
                };
                Rect::new(x, y0, BRACKET, y1 - y0)
            };
            let free = |rect: &Rect| !placed.iter().any(|(_, other)| other.overlaps(rect));
            let Some(rect) = (0..LANES).map(lane).find(free) else { continue };
            let (ink, pattern) = words::fill_of(mark.bracket.kind);
            self.pen.scene.bar(rect, ink, pattern);
            placed.push((mark, rect));
        }
        placed
    }

    /// A segment's line with its head, or with a cross where it was lost.
    fn segment(&mut self, panel: &Panel, p: &Picked<'_>) -> Option<Drawn> {
        let (y0, y1) = (self.y(p.flight.depart), self.y(p.ends));
        let (floor, top) = (self.floor(), TOP - 4.0);
        if y1 < top || floor < y0 {
            return None;
        }
        let (x0, x1) = (panel.line(p.from_right), panel.line(!p.from_right));
        let at = |share: f32| pt(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
        let way = (y1 - y0).max(1e-3);
        // Clipped where the picture ends, so that slopes stay true.
        let first = ((top - y0) / way).clamp(0.0, 1.0);
        let whole = match p.flight.fate {
            Fate::Arrived(_) => 1.0,
            Fate::Lost => 0.56,
            Fate::Flying => {
                let gone = self.ladder.known.since(p.flight.depart).as_ns() as f32;
                let span = p.ends.since(p.flight.depart).as_ns().max(1) as f32;
                (gone / span).clamp(0.02, 0.97)
            }
        };
        let last = ((floor - y0) / way).clamp(0.0, whole);
        if last <= first {
            return None;
        }
        let (start, end) = (at(first), at(last));
        let line = self.line_of(p);
        self.pen.scene.path(&[start, end], line);
        if last == whole {
            match p.flight.fate {
                Fate::Lost => self.pen.scene.sign(end, 4.6, Glyph::Lost),
                _ => head(self.pen.scene, start, end, line),
            }
        }
        Some(Drawn { index: p.index, msg: p.flight.msg, start, end })
    }

    pub(super) fn is_pointed(&self, p: &Picked<'_>) -> bool {
        self.ladder.pointed == Some(p.index)
    }

    pub(super) fn is_chosen(&self, p: &Picked<'_>) -> bool {
        p.flight.msg.is_some_and(|msg| self.ladder.chosen == Chosen::Message(msg))
            && 0 < p.flight.segment.len
    }

    /// Data bold, the rest thin; sent again dashed; pointed at and chosen stand out.
    fn line_of(&self, p: &Picked<'_>) -> Stroke {
        let segment = &p.flight.segment;
        let (ink, width) = match segment.len {
            _ if self.is_pointed(p) => (Token::Accent, 2.4),
            _ if self.is_chosen(p) => (Token::Ink, 2.6),
            _ if p.flight.fate == Fate::Lost => (Token::StateLost, 1.8),
            _ if segment.again => (Token::StateAgain, 1.8),
            0 => (Token::Ink3, 1.1),
            _ => (Token::Ink2, 1.8),
        };
        Stroke { ink, width, dash: segment.again.then_some((6.0, 3.0)) }
    }

    /// What is not known yet is hatched.
    fn beyond(&mut self) {
        let y = self.y(self.ladder.known).max(TOP);
        if self.ladder.until <= self.ladder.known || self.floor() - 2.0 < y {
            return;
        }
        let right = self.ladder.size.0 - RIGHT;
        let rect = Rect::new(self.gutter, y, right - self.gutter, self.floor() - y);
        self.pen.scene.shapes.push(Shape::Void(rect));
        if 40.0 < rect.h {
            let face = plain(12.0, Token::Ink3);
            let text = NOT_YET.get(self.ladder.lang);
            let at = pt(rect.centre().x, y + 24.0);
            let width = self.pen.width(face, text);
            let ground = Rect::new(at.x - width / 2.0 - 6.0, at.y - 13.0, width + 12.0, 18.0);
            self.pen.scene.fill(ground, 2.0, Token::Paper);
            self.pen.write(at, Anchor::Middle, face, text);
        }
    }

    /// Where the shown instant stands, if that is inside.
    fn now_y(&self) -> Option<f32> {
        let y = self.y(self.ladder.now);
        (TOP - 4.0 <= y && y <= self.floor()).then_some(y)
    }

    /// The line of the shown instant through a panel, below its labels.
    fn playhead(&mut self, panel: &Panel) {
        if let Some(y) = self.now_y() {
            let line = [pt(panel.from - 2.0, y), pt(panel.to, y)];
            self.pen.scene.path(&line, stroke(Token::Accent, 1.5));
        }
    }

    /// The shown instant in figures.
    fn pill(&mut self) {
        let Some(y) = self.now_y() else { return };
        let text = shown(self.ladder.now, self.ladder.until);
        let face = bold(12.0, Token::OnAccent);
        let w = self.pen.width(face, &text) + 16.0;
        let top = (y - 10.0).clamp(0.0, self.ladder.size.1 - 20.0);
        let pill = Rect::new(self.ladder.size.0 - w - 2.0, top, w, 20.0);
        self.pen.scene.fill(pill, 3.0, Token::Accent);
        self.pen.write(pt(pill.centre().x, top + 14.5), Anchor::Middle, face, &text);
    }

    /// The card of the segment that is pointed at, above or below its line.
    fn card(&mut self, d: &Drawn) {
        let Some(card) = self.ladder.card(d.index) else { return };
        let (strong, face) = (bold(13.0, Token::Ink), plain(12.0, Token::Ink2));
        let value_face = plain(12.0, Token::Ink);
        let head = self.pen.width(strong, &card.title) + 6.0 + self.pen.width(face, &card.way);
        let rows = card.rows.iter().map(|(name, value)| {
            self.pen.width(face, name) + 16.0 + self.pen.width(value_face, value)
        });
        let w = rows.fold(head, f32::max).clamp(150.0, self.ladder.size.0 - 40.0) + 24.0;
        let h = 34.0 + card.rows.len() as f32 * 20.0;
        let (high, low) = (d.start.y.min(d.end.y), d.start.y.max(d.end.y));
        let above = high - 14.0 - h;
        let y = if 4.0 <= above { above } else { (low + 14.0).min(self.ladder.size.1 - h - 4.0) };
        let middle = (d.start.x + d.end.x) / 2.0;
        let x = (middle - w / 2.0).clamp(4.0, (self.ladder.size.0 - w - 4.0).max(4.0));
        let rect = Rect::new(x, y.max(4.0), w, h);
        self.pen.scene.card(rect, 4.0, Some(Token::Paper), stroke(Token::LineStrong, 1.0));
        let mut base = rect.y + 22.0;
        let used = self.pen.write(pt(x + 12.0, base), Anchor::Start, strong, &card.title);
        let room = w - 30.0 - used;
        self.pen.first(pt(x + 18.0 + used, base), Anchor::Start, face, room, &[&card.way]);
        for (name, value) in &card.rows {
            base += 20.0;
            let used = self.pen.write(pt(x + 12.0, base), Anchor::Start, face, name);
            let room = w - 30.0 - used;
            self.pen.first(pt(rect.right() - 12.0, base), Anchor::End, value_face, room, &[value]);
        }
    }
}

/// The head of an arrow.
fn head(scene: &mut Scene, start: Point, end: Point, line: Stroke) {
    let (dx, dy) = (end.x - start.x, end.y - start.y);
    let length = (dx * dx + dy * dy).sqrt();
    if length < 12.0 {
        return;
    }
    let (ux, uy) = (dx / length, dy / length);
    let (long, half) = (8.5, 1.6 + line.width * 0.7);
    let back = pt(end.x - ux * long, end.y - uy * long);
    let points = vec![
        end,
        pt(back.x - uy * half, back.y + ux * half),
        pt(back.x + uy * half, back.y - ux * half),
    ];
    scene.shapes.push(Shape::Area { points, fill: line.ink });
}
