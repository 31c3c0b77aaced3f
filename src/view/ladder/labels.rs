//! The words beside a ladder: labels of segments, and what brackets say.
//!
//! What matters most is placed first; a text that would lie on another one gives way to a shorter
//! one, or is left out.

use crate::observe::segments::Fate;
use crate::view::draw::{Anchor, Face, Point, Rect, bold, plain, pt};
use crate::view::tokens::Token;

use super::paint::{BESIDE, LANE, LANES, LINE, Painting, Panel, TOP};
use super::pick::{self, Marked, Picked};
use super::words;

/// A label that wants a place.
pub(super) struct Label {
    right: bool,
    y: f32,
    texts: Vec<String>,
    face: Face,
    /// Low is placed first.
    order: u8,
}

impl Painting<'_, '_> {
    pub(super) fn label(&self, p: &Picked<'_>) -> Option<Label> {
        let y = self.y(p.flight.depart);
        if y < TOP - 4.0 || self.floor() < y {
            return None;
        }
        let segment = &p.flight.segment;
        let (order, face) = match segment.len {
            _ if self.is_pointed(p) => (0, bold(11.0, Token::Accent)),
            _ if self.is_chosen(p) => (1, bold(11.0, Token::Ink)),
            _ if p.flight.fate == Fate::Lost => (2, plain(11.0, Token::BadInk)),
            _ if segment.again => (2, plain(11.0, Token::AgainInk)),
            0 => (4, plain(11.0, Token::Ink2)),
            _ => (3, plain(11.0, Token::Ink)),
        };
        Some(Label {
            right: p.from_right,
            y,
            texts: words::label(p, self.ladder.lang),
            face,
            order,
        })
    }

    /// Writes labels at their segments: first those of data, later the rest.
    pub(super) fn labels(
        &mut self,
        panel: &Panel,
        labels: &[Label],
        placed: &[(&Marked<'_>, Rect)],
        data: bool,
    ) {
        for order in if data { 0..4 } else { 4..5 } {
            for label in labels.iter().filter(|label| label.order == order) {
                self.place_label(panel, label, placed);
            }
        }
    }

    fn place_label(&mut self, panel: &Panel, label: &Label, placed: &[(&Marked<'_>, Rect)]) {
        // Beside the brackets that stand there.
        let reach = |x: f32, (_, rect): &(&Marked<'_>, Rect)| {
            let beside = rect.y - 6.0 <= label.y && label.y <= rect.bottom() + 6.0;
            let own = (panel.line(label.right) - rect.centre().x).abs() < LANES as f32 * LANE + 8.0;
            match (beside && own, label.right) {
                (true, true) => x.max(rect.right()),
                (true, false) => x.min(rect.x),
                _ => x,
            }
        };
        let edge = placed.iter().fold(panel.line(label.right), reach);
        let (x, anchor, room) = match label.right {
            true => (edge + BESIDE, Anchor::Start, panel.to - edge - BESIDE),
            false => (edge - BESIDE, Anchor::End, edge - BESIDE - panel.from),
        };
        for text in label.texts.iter().filter(|text| self.pen.width(label.face, text) <= room) {
            for nudge in [0.0, 11.0] {
                let at = pt(x, label.y + 4.0 + nudge);
                if self.free(at, anchor, label.face, text) {
                    return self.put(at, anchor, label.face, text);
                }
            }
        }
    }

    /// Whether a text would stand on nothing else and inside.
    fn free(&self, at: Point, anchor: Anchor, face: Face, text: &str) -> bool {
        let rect = self.bounds(at, anchor, face, text);
        rect.bottom() <= self.ladder.size.1 && !self.taken.iter().any(|other| other.overlaps(&rect))
    }

    fn bounds(&self, at: Point, anchor: Anchor, face: Face, text: &str) -> Rect {
        let (w, h) = (self.pen.width(face, text), face.size.max(self.pen.least));
        let x = match anchor {
            Anchor::Start => at.x,
            Anchor::Middle => at.x - w / 2.0,
            Anchor::End => at.x - w,
        };
        Rect::new(x, at.y - h * 0.9, w, h * 1.14)
    }

    /// Writes a text on paper, so that lines of the axis do not run through it.
    fn put(&mut self, at: Point, anchor: Anchor, face: Face, text: &str) {
        let rect = self.bounds(at, anchor, face, text);
        self.pen.scene.fill(rect.grown(1.0), 0.0, Token::Paper);
        self.pen.write(at, anchor, face, text);
        self.taken.push(rect);
    }

    /// The words of the brackets, the longest first.
    pub(super) fn blocks(&mut self, panel: &Panel, placed: &[(&Marked<'_>, Rect)]) {
        let mut order: Vec<&(&Marked<'_>, Rect)> = placed.iter().collect();
        crate::kernel::settle(&mut order, |a, b| b.1.h < a.1.h);
        for (mark, rect) in order {
            self.block(panel, mark, *rect);
        }
    }

    /// The words of one bracket: all of them, or what there is room for beside it; where panels are
    /// narrow, between the life lines.
    fn block(&mut self, panel: &Panel, mark: &Marked<'_>, rect: Rect) {
        let lang = self.ladder.lang;
        let waits_for = pick::last_sent(self.ladder.tape, mark.bracket);
        let block = words::block(mark.bracket, mark.span(), waits_for, lang);
        let (x, anchor, room) = match mark.at_right {
            true => (rect.right() + BESIDE, Anchor::Start, panel.to - rect.right() - BESIDE),
            false => (rect.x - BESIDE, Anchor::End, rect.x - BESIDE - panel.from),
        };
        for form in self.forms(&block, room) {
            for share in [0.3, 0.5, 0.12, 0.7, 0.88] {
                if self.put_block((x, share), anchor, rect, (&form, room)) {
                    return;
                }
            }
        }
        if self.ladder.pairs.len() < 3 {
            return;
        }
        let middle = (panel.left + panel.right) / 2.0;
        let shares = if mark.at_right { [0.55, 0.75] } else { [0.2, 0.4] };
        for form in self.forms(&block, panel.room.min(100.0)).into_iter().skip(1).take(2) {
            for share in shares {
                let at = (middle, share);
                if self.put_block(at, Anchor::Middle, rect, (&form, panel.room)) {
                    return;
                }
            }
        }
    }

    /// The words of a bracket in ever less room: whole, without the reason, one line, the span.
    fn forms(&self, block: &words::Block, room: f32) -> Vec<Vec<(String, Face)>> {
        let size = 12.0_f32.max(self.pen.least);
        let face = bold(12.0, Token::Ink);
        let lines = |text: &str, most: f32, face: Face| -> Vec<(String, Face)> {
            let lines = words::wrap(text, room.min(most), size, face.bold).into_iter();
            lines.map(|line| (line, face)).collect()
        };
        let large = bold(15.0, Token::Ink);
        let large = if self.pen.width(large, &block.span) <= room { large } else { face };
        let mut short = lines(&block.title, 180.0, face);
        short.push((block.span.clone(), large));
        let mut whole = short.clone();
        whole.extend(lines(&block.why, 150.0, plain(12.0, Token::Ink2)));
        let one = vec![(format!("{} {}", block.title, block.span), bold(11.0, Token::Ink))];
        vec![whole, short, one, vec![(block.span.clone(), face)]]
    }

    /// Writes lines below each other beside a bracket, if all of them have room there.
    fn put_block(
        &mut self,
        (x, share): (f32, f32),
        anchor: Anchor,
        rect: Rect,
        (lines, room): (&[(String, Face)], f32),
    ) -> bool {
        let height = lines.len() as f32 * LINE;
        let top = rect.y + (rect.h - height).max(0.0) * share;
        let at = |n: usize| pt(x, top + 12.0 + n as f32 * LINE);
        let free = |(n, (text, face)): (usize, &(String, Face))| {
            self.pen.width(*face, text) <= room && self.free(at(n), anchor, *face, text)
        };
        if rect.h + 4.0 < height || !lines.iter().enumerate().all(free) {
            return false;
        }
        for (n, (text, face)) in lines.iter().enumerate() {
            let bounds = self.bounds(at(n), anchor, *face, text);
            if anchor != Anchor::Middle {
                self.pen.scene.fill(bounds.grown(1.0), 0.0, Token::Paper);
            }
            self.taken.push(bounds);
        }
        for (n, (text, face)) in lines.iter().enumerate() {
            self.pen.write(at(n), anchor, *face, text);
        }
        true
    }
}
