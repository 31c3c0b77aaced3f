//! Messages side by side: cells with numbers, then smaller cells, then one bar with a number.

use crate::model::MsgId;

use super::Chosen;
use super::draw::{Anchor, Face, Glyph, Pen, Point, Rect, Shape, bold, plain, pt, stroke};
use super::frame::{Cell, Row};
use super::numbers::count;
use super::text_width::text_width;
use super::tokens::Token;

/// Most cells that carry their numbers.
const NUMBERED: usize = 12;
/// Width of a cell with a number of up to three figures.
const NUMBERED_WIDTH: f32 = 38.0;
/// Sizes of smaller cells with the gap between them.
const SIZES: [(f32, f32); 6] =
    [(14.0, 2.0), (10.0, 2.0), (8.0, 2.0), (6.0, 2.0), (4.0, 1.0), (3.0, 1.0)];

/// How a row of cells is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RowStyle {
    /// Where the cells may stand.
    pub room: Rect,
    /// Draw this many places even if they are empty; `None` fills the room with places.
    pub places: Option<u64>,
    /// The first message stands at the right end (a queue's head), else at the left.
    pub head_right: bool,
    /// Cells show the sign of their state beside the number.
    pub signs: bool,
    /// What is chosen.
    pub chosen: Chosen,
}

/// The colour of a cell without a number.
fn ink(glyph: Glyph) -> Token {
    glyph.token()
}

/// The face of a cell's number.
fn face(glyph: Glyph, size: f32) -> Face {
    match glyph {
        Glyph::Again => bold(size, Token::AgainInk),
        _ => plain(size, Token::Ink),
    }
}

/// Draws a row of messages.
pub fn row(pen: &mut Pen<'_>, row: &Row, style: RowStyle) {
    let room = style.room;
    if room.w < 3.0 || room.h < 3.0 {
        return;
    }
    let shown = row.cells.len();
    let width = numbered_width(pen, &row.cells, style);
    let fits = ((room.w + 2.5) / (width + 2.0)).floor() as usize;
    if row.total as usize == shown && shown <= fits.min(NUMBERED) && 18.0 <= room.h {
        return numbered(pen, row, style, width, fits);
    }
    for (size, gap) in SIZES {
        let columns = ((room.w + gap) / (size + gap)).floor() as usize;
        let lines = (((room.h + gap) / (size + gap)).floor() as usize).max(1);
        if row.total as usize <= columns * lines && shown == row.total as usize && size <= room.h {
            return small(pen, row, style, (size, gap), (columns, lines));
        }
    }
    bar(pen, row, style);
}

/// The width of a numbered cell: enough for the longest number.
fn numbered_width(pen: &Pen<'_>, cells: &[Cell], style: RowStyle) -> f32 {
    let longest = cells.iter().map(|cell| cell.msg.0).max().unwrap_or(0).to_string();
    let sign = if style.signs { 15.0 } else { 3.0 };
    let least = if style.signs { NUMBERED_WIDTH } else { 33.0 };
    (pen.width(bold(11.0, Token::Ink), &longest) + sign + 4.0).max(least)
}

fn numbered(pen: &mut Pen<'_>, row: &Row, style: RowStyle, width: f32, fits: usize) {
    let room = style.room;
    let places = style.places.map_or(fits, |n| (n.min(fits as u64)) as usize).max(row.cells.len());
    for i in 0..places {
        let step = i as f32 * (width + 2.0);
        let x = if style.head_right { room.right() - width - step } else { room.x + step };
        let rect = Rect::new(x, room.y, width, room.h);
        pen.scene.fill(rect, 2.0, Token::Sunken);
        let Some(cell) = row.cells.get(i) else { continue };
        let middle = rect.centre();
        let face = face(cell.glyph, 11.0);
        let base = middle.y + 4.0;
        if style.signs {
            pen.scene.sign(pt(rect.x + 8.5, middle.y), 3.8, cell.glyph);
            pen.write(pt(rect.right() - 3.0, base), Anchor::End, face, &cell.msg.0.to_string());
        } else {
            pen.write(pt(middle.x, base), Anchor::Middle, face, &cell.msg.0.to_string());
        }
        mark(pen, rect, cell.msg, style.chosen);
    }
}

fn small(
    pen: &mut Pen<'_>,
    row: &Row,
    style: RowStyle,
    (size, gap): (f32, f32),
    (columns, lines): (usize, usize),
) {
    let room = style.room;
    pen.scene.fill(room, 2.0, Token::Sunken);
    if let Some(places) = style.places {
        // Where the last place ends: a queue's limit.
        let used = (places as f32 / lines as f32).ceil();
        let edge = used * (size + gap);
        if edge < room.w {
            let x = if style.head_right { room.right() - edge } else { room.x + edge };
            let line = stroke(Token::LineStrong, 1.0);
            pen.scene.path(&[pt(x, room.y), pt(x, room.bottom())], line);
        }
    }
    let lines = lines.min(row.cells.len().div_ceil(columns).max(1)).max(1);
    let lines = if row.cells.len() <= columns { 1 } else { lines };
    let height = lines as f32 * (size + gap) - gap;
    let top = room.y + (room.h - height) / 2.0;
    for (i, cell) in row.cells.iter().enumerate() {
        let (column, line) = (i / lines, i % lines);
        let step = column as f32 * (size + gap);
        let x = if style.head_right { room.right() - size - step } else { room.x + step };
        let rect = Rect::new(x, top + line as f32 * (size + gap), size, size);
        let radius = if size < 8.0 { 0.0 } else { 1.5 };
        pen.scene.fill(rect, radius, ink(cell.glyph));
        if cell.glyph == Glyph::Again && 8.0 <= size {
            // A ring inside: redelivered cells differ without their colour.
            pen.scene.fill(rect.grown(-size * 0.28), size, Token::Paper);
        }
        mark(pen, rect, cell.msg, style.chosen);
    }
}

/// Too many for cells: a bar, as long as the row is full, with the number.
fn bar(pen: &mut Pen<'_>, row: &Row, style: RowStyle) {
    let room = style.room;
    pen.scene.fill(room, 2.0, Token::Sunken);
    let share = match style.places {
        Some(places) if 0 < places => (row.total as f32 / places as f32).min(1.0),
        _ => 1.0,
    };
    let w = (room.w * share).max(3.0);
    let x = if style.head_right { room.right() - w } else { room.x };
    pen.scene.fill(Rect::new(x, room.y, w, room.h), 2.0, Token::StateWait);
    let text = count(row.total);
    let width = text_width(&text, 12.0, true);
    if 14.0 <= room.h && width + 12.0 <= room.w {
        let face = bold(12.0, Token::Ink);
        let chip = Rect::new(
            room.centre().x - width / 2.0 - 5.0,
            room.y + 2.0,
            width + 10.0,
            room.h - 4.0,
        );
        pen.scene.fill(chip, 2.0, Token::Paper);
        pen.write(pt(room.centre().x, room.centre().y + 4.3), Anchor::Middle, face, &text);
    }
}

/// Places that are void: their consumer is gone.
pub fn void(pen: &mut Pen<'_>, room: Rect, places: u32) {
    let fits = ((room.w + 2.5) / 35.0).floor().max(1.0) as u32;
    let n = places.clamp(1, fits);
    for i in 0..n {
        let w = 33.0_f32.min(room.w);
        let rect = Rect::new(room.x + i as f32 * (w + 2.0), room.y, w, room.h);
        pen.scene.shapes.push(Shape::Void(rect));
    }
}

/// Makes a cell answer to a pointer, and marks it when it is chosen.
fn mark(pen: &mut Pen<'_>, rect: Rect, msg: MsgId, chosen: Chosen) {
    pen.scene.hit(rect, Chosen::Message(msg));
    if chosen == Chosen::Message(msg) {
        pen.scene.card(rect.grown(1.0), 3.0, None, stroke(Token::Accent, 1.5));
    }
}

/// A bar that fills from the left.
pub fn progress(pen: &mut Pen<'_>, rect: Rect, share: f32, ink: Token) {
    let radius = rect.h / 2.0;
    pen.scene.fill(rect, radius, Token::Sunken);
    let w = rect.w * share.clamp(0.0, 1.0);
    if radius < w {
        pen.scene.fill(Rect::new(rect.x, rect.y, w, rect.h), radius, ink);
    }
}

/// A clock that fills as it runs.
pub fn clock(pen: &mut Pen<'_>, centre: Point, radius: f32, passed: f32, next: bool) {
    pen.scene.shapes.push(Shape::Clock { centre, radius, passed, next });
}

#[cfg(test)]
mod tests {
    use super::super::draw::{Scene, Words};
    use super::*;

    fn drawn(n: u64, room: Rect, places: Option<u64>) -> Scene {
        let mut scene = Scene::default();
        let cells: Vec<Cell> =
            (1..=n.min(400)).map(|id| Cell { msg: MsgId(id), glyph: Glyph::Wait }).collect();
        let style =
            RowStyle { room, places, head_right: true, signs: true, chosen: Chosen::Nothing };
        let mut pen = Pen { scene: &mut scene, least: 11.0 };
        row(&mut pen, &Row { cells, total: n }, style);
        scene
    }

    fn words(scene: &Scene) -> Vec<&Words> {
        let words = scene.shapes.iter().filter_map(|shape| match shape {
            Shape::Words(words) => Some(words),
            _ => None,
        });
        words.collect()
    }

    const ROOM: Rect = Rect::new(14.0, 50.0, 278.0, 24.0);

    #[test]
    fn few_messages_show_their_numbers_with_the_head_at_the_right() {
        let scene = drawn(6, ROOM, None);
        let said: Vec<_> = words(&scene).iter().map(|w| w.text.clone()).collect();
        assert_eq!(said, ["1", "2", "3", "4", "5", "6"]);
        assert!(words(&scene)[1].at.x < words(&scene)[0].at.x);
    }

    #[test]
    fn many_messages_become_small_cells_and_very_many_a_bar_with_a_number() {
        for n in [8, 17, 18, 46, 100, 400] {
            let scene = drawn(n, ROOM, None);
            assert_eq!(scene.hits.len() as u64, n, "{n} cells");
            for hit in &scene.hits {
                assert!(ROOM.grown(0.01).contains(pt(hit.rect.x, hit.rect.y)), "{n}: {hit:?}");
                let corner = pt(hit.rect.right(), hit.rect.bottom());
                assert!(ROOM.grown(0.01).contains(corner), "{n}: {hit:?}");
            }
        }
        let scene = drawn(1_234_567, ROOM, None);
        assert_eq!(words(&scene).len(), 1);
        assert_eq!(words(&scene)[0].text.replace('\u{202f}', " "), "1 234 567");
    }

    #[test]
    fn a_limit_shows_as_many_places_as_fit_in_it() {
        let boxes = |scene: &Scene| {
            scene.shapes.iter().filter(|shape| matches!(shape, Shape::Box { .. })).count()
        };
        assert_eq!(boxes(&drawn(0, ROOM, Some(3))), 3);
        assert_eq!(boxes(&drawn(0, ROOM, None)), 7);
    }
}
