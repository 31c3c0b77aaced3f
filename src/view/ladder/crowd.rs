//! Too many segments for lines: bars to both sides, as long as many leave in a row of pixels.

use crate::kernel::SimSpan;
use crate::view::draw::{Anchor, Glyph, Pattern, Rect, plain, pt, stroke};
use crate::view::numbers::{count, short_span};
use crate::view::tokens::Token;
use crate::view::words::fill;

use super::paint::{Painting, Panel};
use super::pick::{Crowd, Pair, crowds};
use super::words::{CROWDED, CROWDED_SHORT};

/// Height of a row of bars.
const ROW: f32 = 5.0;

impl Painting<'_, '_> {
    /// Draws a pair's segments as bars: from the left line what the left host sends, from the right
    /// line what the right one sends; data dark, the rest pale, a sign where some were lost.
    pub(super) fn crowd(&mut self, pair: &Pair, panel: &Panel, part: std::ops::Range<u64>) {
        let ladder = self.ladder;
        let (top, height) = self.area();
        let rows = ((height / ROW) as usize).max(1);
        let crowds = crowds(ladder.tape, pair, part, (ladder.window, rows));
        let most = crowds.iter().map(|c| c.from(false).max(c.from(true))).max().unwrap_or(0);
        let half = (panel.right - panel.left) / 2.0 - 4.0;
        let each = height / rows as f32;
        for (row, crowd) in crowds.iter().enumerate() {
            let y = top + row as f32 * each + 0.5;
            self.crowd_row(crowd, panel, (y, each - 1.0), half / most.max(1) as f32);
        }
        let span = SimSpan::ns((ladder.window.span / rows as f64) as u64);
        let long = fill(CROWDED, ladder.lang, &[&short_span(round(span)), &count(most.into())]);
        let texts = [long.as_str(), CROWDED_SHORT.get(ladder.lang)];
        let face = plain(11.0, Token::Ink2);
        let middle = (panel.left + panel.right) / 2.0;
        let room = panel.room;
        let Some(text) = texts.iter().find(|text| self.pen.width(face, text) <= room) else {
            return;
        };
        let width = self.pen.width(face, text);
        let base = top + 14.0;
        let ground = Rect::new(middle - width / 2.0 - 4.0, base - 12.0, width + 8.0, 17.0);
        self.pen.scene.fill(ground, 2.0, Token::Paper);
        self.pen.write(pt(middle, base), Anchor::Middle, face, text);
    }

    fn crowd_row(&mut self, crowd: &Crowd, panel: &Panel, (y, h): (f32, f32), unit: f32) {
        let scene = &mut *self.pen.scene;
        for side in [0, 1] {
            let data = crowd.data[side] as f32 * unit;
            let bare = crowd.bare[side] as f32 * unit;
            let at = |from: f32, w: f32| match side {
                0 => Rect::new(panel.left + from, y, w, h),
                _ => Rect::new(panel.right - from - w, y, w, h),
            };
            if 0.0 < data {
                scene.bar(at(1.0, data.max(1.0)), Token::Ink2, Pattern::Solid);
            }
            if 0.0 < bare {
                scene.bar(at(1.0 + data, bare.max(1.0)), Token::LineStrong, Pattern::Lines);
            }
        }
        if 0 < crowd.again {
            let line = stroke(Token::StateAgain, 2.0);
            scene.path(
                &[pt(panel.left - 7.0, y + h / 2.0), pt(panel.left - 2.0, y + h / 2.0)],
                line,
            );
        }
        if 0 < crowd.lost {
            let middle = (panel.left + panel.right) / 2.0;
            scene.sign(pt(middle, y + h / 2.0), 3.4, Glyph::Lost);
        }
    }
}

/// A span cut to two figures, as a legend says it.
fn round(span: SimSpan) -> SimSpan {
    let mut unit = 1;
    while 100 <= span.as_ns() / unit {
        unit *= 10;
    }
    SimSpan::ns(span.as_ns() / unit * unit)
}
