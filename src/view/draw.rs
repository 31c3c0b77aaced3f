//! The draw list: shapes in the tokens' colours, ready to be painted in order.
//!
//! Coordinates are CSS pixels from the upper left corner of the picture, y downwards. A painter
//! knows no message and no actor; what was clicked is found in [`Scene::hit`].

use super::Chosen;
use super::text_width::text_width;
use super::tokens::Token;

/// A point in CSS pixels.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Point {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
}

/// The point `(x, y)`.
pub const fn pt(x: f32, y: f32) -> Point {
    Point { x, y }
}

/// A rectangle in CSS pixels.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// A rectangle by its upper left corner and size.
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Rect {
        Rect { x, y, w, h }
    }

    /// The right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// The lower edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// The middle.
    pub fn centre(&self) -> Point {
        pt(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Whether `at` lies inside, edges included.
    pub fn contains(&self, at: Point) -> bool {
        (self.x..=self.right()).contains(&at.x) && (self.y..=self.bottom()).contains(&at.y)
    }

    /// Whether both share some area.
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// The rectangle made larger by `by` on every side.
    pub fn grown(&self, by: f32) -> Rect {
        Rect::new(self.x - by, self.y - by, self.w + 2.0 * by, self.h + 2.0 * by)
    }
}

/// The state of a message as a shape; the shapes differ without their colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Glyph {
    /// Created, not yet handed over: a ring.
    New,
    /// Between two nodes: a disc.
    Flight,
    /// In a queue or a buffer: a square.
    Wait,
    /// Processed and acknowledged: a disc with a tick.
    Done,
    /// On its way once more: a disc in a ring.
    Again,
    /// Took effect twice: two discs.
    Twice,
    /// Will never arrive: a cross.
    Lost,
    /// An acknowledgement: a small disc.
    Ack,
    /// Something went wrong by itself or by hand: a bolt.
    Fault,
}

impl Glyph {
    /// Its colour.
    pub const fn token(self) -> Token {
        match self {
            Glyph::New => Token::StateNew,
            Glyph::Flight => Token::StateFlight,
            Glyph::Wait => Token::StateWait,
            Glyph::Done | Glyph::Ack => Token::StateDone,
            Glyph::Again => Token::StateAgain,
            Glyph::Twice => Token::StateDup,
            Glyph::Lost => Token::StateLost,
            Glyph::Fault => Token::BadInk,
        }
    }
}

/// A pattern inside an area, so that colour never carries meaning alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pattern {
    /// None.
    #[default]
    Solid,
    /// Diagonal stripes.
    Hatch,
    /// Dots.
    Dots,
    /// Horizontal lines.
    Lines,
}

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stroke {
    /// Colour.
    pub ink: Token,
    /// Width in pixels.
    pub width: f32,
    /// Lengths of dash and gap.
    pub dash: Option<(f32, f32)>,
}

/// A plain line of that width.
pub const fn stroke(ink: Token, width: f32) -> Stroke {
    Stroke { ink, width, dash: None }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Anchor {
    /// Its start is at the point.
    #[default]
    Start,
    /// Its middle is at the point.
    Middle,
    /// Its end is at the point.
    End,
}

/// A line of text.
#[derive(Clone, PartialEq, Debug)]
pub struct Words {
    /// On the base line.
    pub at: Point,
    /// What it says.
    pub text: String,
    /// Font size in pixels.
    pub size: f32,
    /// Semibold or regular.
    pub bold: bool,
    /// Which part of the text is at the point.
    pub anchor: Anchor,
    /// Colour.
    pub ink: Token,
}

impl Words {
    /// Its estimated width.
    pub fn width(&self) -> f32 {
        text_width(&self.text, self.size, self.bold)
    }

    /// The rectangle it covers, by estimate.
    pub fn bounds(&self) -> Rect {
        let w = self.width();
        let x = match self.anchor {
            Anchor::Start => self.at.x,
            Anchor::Middle => self.at.x - w / 2.0,
            Anchor::End => self.at.x - w,
        };
        Rect::new(x, self.at.y - self.size * 0.95, w, self.size * 1.2)
    }
}

/// One thing to paint.
#[derive(Clone, PartialEq, Debug)]
pub enum Shape {
    /// A rectangle with round corners.
    Box {
        /// Where.
        rect: Rect,
        /// Radius of the corners.
        radius: f32,
        /// Inside.
        fill: Option<Token>,
        /// Outline, centred on the edge.
        line: Option<Stroke>,
    },
    /// A rectangle filled with faint diagonal stripes: nothing is here.
    Void(Rect),
    /// A broken line through the points.
    Path {
        /// The points, at least two.
        points: Vec<Point>,
        /// How it is drawn.
        line: Stroke,
    },
    /// A filled outline through the points.
    Area {
        /// The points, at least three.
        points: Vec<Point>,
        /// Inside.
        fill: Token,
    },
    /// A filled rectangle with a pattern in the colour of the ground.
    Bar {
        /// Where.
        rect: Rect,
        /// Inside.
        fill: Token,
        /// Its pattern.
        pattern: Pattern,
    },
    /// A timer in the colour of what it causes; it fills as it runs, from the top clockwise.
    Timer {
        /// Middle.
        centre: Point,
        /// Outer radius of its face.
        radius: f32,
        /// How much has passed, 0 to 1.
        passed: f32,
        /// Colour.
        ink: Token,
        /// Whether it is the next thing that matters: a ring stands around it.
        next: bool,
    },
    /// A clock that fills as it runs, from the top clockwise.
    Clock {
        /// Middle.
        centre: Point,
        /// Outer radius.
        radius: f32,
        /// How much has passed, 0 to 1.
        passed: f32,
        /// Whether it is the next thing that matters.
        next: bool,
    },
    /// The sign of a message state.
    Sign {
        /// Middle.
        centre: Point,
        /// Half its size.
        radius: f32,
        /// Which.
        glyph: Glyph,
    },
    /// A ring around what is chosen.
    Ring {
        /// Middle.
        centre: Point,
        /// Radius.
        radius: f32,
    },
    /// A text.
    Words(Words),
    /// A sentence whose parts differ, from its start on the base line.
    Sentence {
        /// Its start.
        at: Point,
        /// Its parts: text, colour, semibold.
        parts: Vec<(String, Token, bool)>,
        /// Font size in pixels.
        size: f32,
    },
}

/// A region that answers to a pointer, later ones in front of earlier ones.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hit {
    /// Where.
    pub rect: Rect,
    /// What.
    pub object: Chosen,
}

/// A picture: what to paint in which order, and what is where.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scene {
    /// In painting order.
    pub shapes: Vec<Shape>,
    /// In painting order.
    pub hits: Vec<Hit>,
}

impl Scene {
    /// Empties the picture, keeping its memory.
    pub fn clear(&mut self) {
        self.shapes.clear();
        self.hits.clear();
    }

    /// A filled rectangle with round corners.
    pub fn fill(&mut self, rect: Rect, radius: f32, ink: Token) {
        self.shapes.push(Shape::Box { rect, radius, fill: Some(ink), line: None });
    }

    /// A filled rectangle with a pattern.
    pub fn bar(&mut self, rect: Rect, fill: Token, pattern: Pattern) {
        self.shapes.push(Shape::Bar { rect, fill, pattern });
    }

    /// A card: filled and outlined.
    pub fn card(&mut self, rect: Rect, radius: f32, fill: Option<Token>, line: Stroke) {
        self.shapes.push(Shape::Box { rect, radius, fill, line: Some(line) });
    }

    /// A broken line.
    pub fn path(&mut self, points: &[Point], line: Stroke) {
        self.shapes.push(Shape::Path { points: points.to_vec(), line });
    }

    /// The sign of a state.
    pub fn sign(&mut self, centre: Point, radius: f32, glyph: Glyph) {
        self.shapes.push(Shape::Sign { centre, radius, glyph });
    }

    /// A region that answers to a pointer.
    pub fn hit(&mut self, rect: Rect, object: Chosen) {
        self.hits.push(Hit { rect, object });
    }

    /// What lies at a point, the foremost first.
    pub fn at(&self, at: Point) -> Chosen {
        let hit = self.hits.iter().rev().find(|hit| hit.rect.contains(at));
        hit.map_or(Chosen::Nothing, |hit| hit.object)
    }
}

/// The pen for texts: sizes of the language, and nothing that does not fit.
///
/// Chinese is never smaller than 12 pixels. A text that does not fit its room is left out, never
/// cut; [`Pen::first`] tries shorter wordings in turn.
pub struct Pen<'a> {
    /// The picture.
    pub scene: &'a mut Scene,
    /// The smallest size in this language.
    pub least: f32,
}

/// How a text looks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Face {
    /// Font size in pixels.
    pub size: f32,
    /// Semibold or regular.
    pub bold: bool,
    /// Colour.
    pub ink: Token,
}

/// A face in regular weight.
pub const fn plain(size: f32, ink: Token) -> Face {
    Face { size, bold: false, ink }
}

/// A face in semibold.
pub const fn bold(size: f32, ink: Token) -> Face {
    Face { size, bold: true, ink }
}

impl Pen<'_> {
    /// Writes `text` and answers its estimated width.
    pub fn write(&mut self, at: Point, anchor: Anchor, face: Face, text: &str) -> f32 {
        let size = face.size.max(self.least);
        let words =
            Words { at, text: text.to_string(), size, bold: face.bold, anchor, ink: face.ink };
        let width = words.width();
        self.scene.shapes.push(Shape::Words(words));
        width
    }

    /// The width that `text` would have.
    pub fn width(&self, face: Face, text: &str) -> f32 {
        text_width(text, face.size.max(self.least), face.bold)
    }

    /// Writes the first of `texts` that fits into `room`; answers its width, 0 for none.
    pub fn first(
        &mut self,
        at: Point,
        anchor: Anchor,
        face: Face,
        room: f32,
        texts: &[&str],
    ) -> f32 {
        match texts.iter().find(|text| self.width(face, text) <= room) {
            Some(text) => self.write(at, anchor, face, text),
            None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tokens::Token::Ink;

    #[test]
    fn text_that_does_not_fit_gives_way_to_a_shorter_one() {
        let mut scene = Scene::default();
        let mut pen = Pen { scene: &mut scene, least: 11.0 };
        let face = plain(12.0, Ink);
        let width =
            pen.first(pt(0.0, 0.0), Anchor::Start, face, 60.0, &["crashed 48 ms ago", "crashed"]);
        assert!(0.0 < width && width <= 60.0);
        assert_eq!(pen.first(pt(0.0, 0.0), Anchor::Start, face, 10.0, &["crashed"]), 0.0);
        let said: Vec<_> = scene
            .shapes
            .iter()
            .map(|shape| match shape {
                Shape::Words(words) => words.text.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(said, ["crashed"]);
    }

    #[test]
    fn the_foremost_region_answers() {
        use crate::model::{ActorId, MsgId};
        let mut scene = Scene::default();
        scene.hit(Rect::new(0.0, 0.0, 100.0, 100.0), Chosen::Actor(ActorId(1)));
        scene.hit(Rect::new(10.0, 10.0, 20.0, 20.0), Chosen::Message(MsgId(7)));
        assert_eq!(scene.at(pt(15.0, 15.0)), Chosen::Message(MsgId(7)));
        assert_eq!(scene.at(pt(50.0, 50.0)), Chosen::Actor(ActorId(1)));
        assert_eq!(scene.at(pt(150.0, 50.0)), Chosen::Nothing);
    }
}
