//! Paints draw lists on a canvas.
//!
//! It knows shapes and colours, not what they mean. Coordinates are CSS pixels; the canvas has
//! `scale` device pixels for each, and thin lines are moved onto whole device pixels.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::view::draw::{Anchor, Glyph, Pattern, Point, Rect, Shape, Stroke};
use crate::view::tokens::{FONT, Theme, Token};

/// Pixels from one stroke of a pattern to the next.
const PATTERN: f32 = 6.0;
/// A bar no thicker than this has no round corners to see.
const THIN: f32 = 4.0;

/// A canvas and what it is set to.
pub struct Canvas {
    element: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    /// Device pixels for each CSS pixel.
    scale: f64,
    theme: Theme,
    fonts: Vec<(u32, bool, String)>,
    font: usize,
}

impl Canvas {
    /// Takes hold of a canvas.
    pub fn new(element: HtmlCanvasElement) -> Option<Canvas> {
        let context = element.get_context("2d").ok()??.dyn_into().ok()?;
        let theme = Theme::Light;
        Some(Canvas { element, context, scale: 1.0, theme, fonts: Vec::new(), font: usize::MAX })
    }

    /// The canvas itself.
    pub fn element(&self) -> &HtmlCanvasElement {
        &self.element
    }

    /// Its context.
    pub fn context(&self) -> &CanvasRenderingContext2d {
        &self.context
    }

    /// Gives it so many device pixels, if it has others. True: it is empty now.
    pub fn resize(&mut self, size: (u32, u32), scale: f64) -> bool {
        let same = self.element.width() == size.0 && self.element.height() == size.1;
        if same && self.scale == scale {
            return false;
        }
        self.element.set_width(size.0);
        self.element.set_height(size.1);
        self.scale = scale;
        self.font = usize::MAX;
        true
    }

    /// Wipes it.
    pub fn clear(&mut self) {
        let _ = self.context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        let (w, h) = (self.element.width(), self.element.height());
        self.context.clear_rect(0.0, 0.0, f64::from(w), f64::from(h));
    }

    /// Wipes a part of it, in CSS pixels. Paint something before: that sets the scale.
    pub fn wipe(&self, rect: Rect) {
        let (x, y) = (f64::from(rect.x), f64::from(rect.y));
        self.context.clear_rect(x, y, f64::from(rect.w), f64::from(rect.h));
    }

    /// Paints shapes in order over what is there.
    pub fn paint(&mut self, shapes: &[Shape], theme: Theme) {
        self.theme = theme;
        self.font = usize::MAX;
        let s = self.scale;
        // Fails only for a transform that is not finite.
        let _ = self.context.set_transform(s, 0.0, 0.0, s, 0.0, 0.0);
        self.context.set_text_baseline("alphabetic");
        for shape in shapes {
            self.shape(shape);
        }
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Box { rect, radius, fill, line } => self.card(rect, *radius, *fill, *line),
            Shape::Void(rect) => self.void(rect),
            Shape::Path { points, line } => {
                self.trace(points);
                self.stroke(*line);
            }
            Shape::Area { points, fill } => {
                self.trace(points);
                self.context.close_path();
                self.fill_with(*fill);
                self.context.fill();
            }
            Shape::Bar { rect, fill, pattern } => self.bar(rect, *fill, *pattern),
            Shape::Timer { centre, radius, passed, ink, next } => {
                self.timer(*centre, f64::from(*radius), f64::from(*passed), (*ink, *next));
            }
            Shape::Clock { centre, radius, passed, next } => {
                self.clock(*centre, f64::from(*radius), f64::from(*passed), *next);
            }
            Shape::Sign { centre, radius, glyph } => self.sign(*centre, *radius, *glyph),
            Shape::Ring { centre, radius } => {
                self.circle(f64::from(centre.x), f64::from(centre.y), f64::from(*radius));
                self.stroke(Stroke { ink: Token::Accent, width: 1.5, dash: None });
            }
            Shape::Words(words) => {
                self.set_font(words.size, words.bold);
                self.context.set_text_align(match words.anchor {
                    Anchor::Start => "left",
                    Anchor::Middle => "center",
                    Anchor::End => "right",
                });
                self.fill_with(words.ink);
                self.text(&words.text, f64::from(words.at.x), f64::from(words.at.y));
            }
            Shape::Sentence { at, parts, size } => {
                self.context.set_text_align("left");
                let mut x = f64::from(at.x);
                for (text, ink, bold) in parts {
                    self.set_font(*size, *bold);
                    self.fill_with(*ink);
                    self.text(text, x, f64::from(at.y));
                    x += self.context.measure_text(text).map_or(0.0, |measured| measured.width());
                }
            }
        }
    }

    fn text(&self, text: &str, x: f64, y: f64) {
        // Fails only for coordinates that are not finite.
        let _ = self.context.fill_text(text, x, y);
    }

    fn card(&mut self, rect: &Rect, radius: f32, fill: Option<Token>, line: Option<Stroke>) {
        let mut rect = *rect;
        if line.is_some_and(|line| (f64::from(line.width) * self.scale).round() as i64 % 2 == 1) {
            // An odd line is sharp when its middle lies on the middle of a device pixel.
            let snap = |v: f32| (((f64::from(v) * self.scale).floor() + 0.5) / self.scale) as f32;
            let (x, y) = (snap(rect.x), snap(rect.y));
            let (right, bottom) = (snap(rect.right() - 0.01), snap(rect.bottom() - 0.01));
            rect = Rect::new(x, y, right - x, bottom - y);
        }
        self.round_rect(&rect, f64::from(radius));
        if let Some(ink) = fill {
            self.fill_with(ink);
            self.context.fill();
        }
        if let Some(line) = line {
            self.stroke(line);
        }
    }

    fn round_rect(&self, rect: &Rect, radius: f64) {
        let (x, y) = (f64::from(rect.x), f64::from(rect.y));
        let (w, h) = (f64::from(rect.w), f64::from(rect.h));
        let r = radius.min(w / 2.0).min(h / 2.0);
        self.context.begin_path();
        if r <= 0.0 {
            return self.context.rect(x, y, w, h);
        }
        self.context.move_to(x + r, y);
        for (a, b) in [
            ((x + w, y), (x + w, y + h)),
            ((x + w, y + h), (x, y + h)),
            ((x, y + h), (x, y)),
            ((x, y), (x + w, y)),
        ] {
            // Fails only for a negative radius.
            let _ = self.context.arc_to(a.0, a.1, b.0, b.1, r);
        }
        self.context.close_path();
    }

    /// Nothing is here: faint stripes and a faint outline.
    fn void(&mut self, rect: &Rect) {
        self.context.save();
        self.round_rect(rect, 2.0);
        self.stroke(Stroke { ink: Token::Line, width: 1.0, dash: None });
        self.context.clip();
        let (left, top, right, bottom) = (rect.x, rect.y, rect.right(), rect.bottom());
        self.context.begin_path();
        let step = 9.9;
        let mut sum = ((left + top) / step).floor() * step;
        while sum < right + bottom {
            self.context.move_to(f64::from(sum - top), f64::from(top));
            self.context.line_to(f64::from(sum - bottom), f64::from(bottom));
            sum += step;
        }
        self.stroke(Stroke { ink: Token::Line, width: 1.2, dash: None });
        self.context.restore();
        self.font = usize::MAX;
    }

    /// A filled rectangle with its pattern in the colour of the paper.
    fn bar(&mut self, rect: &Rect, fill: Token, pattern: Pattern) {
        self.fill_with(fill);
        if pattern == Pattern::Solid && rect.w.min(rect.h) <= THIN {
            let (w, h) = (f64::from(rect.w), f64::from(rect.h));
            return self.context.fill_rect(f64::from(rect.x), f64::from(rect.y), w, h);
        }
        self.round_rect(rect, 2.0);
        self.context.fill();
        if pattern == Pattern::Solid {
            return;
        }
        self.context.save();
        self.context.clip();
        self.context.begin_path();
        let (left, top, right, bottom) = (rect.x, rect.y, rect.right(), rect.bottom());
        let line = |x0: f32, y0: f32, x1: f32, y1: f32| {
            self.context.move_to(f64::from(x0), f64::from(y0));
            self.context.line_to(f64::from(x1), f64::from(y1));
        };
        let mut at = (top / PATTERN).floor() * PATTERN;
        let mut width = 1.6;
        match pattern {
            Pattern::Hatch => {
                let slope = right - left;
                while at < bottom + slope {
                    line(left, at, right, at - slope);
                    at += PATTERN;
                }
            }
            Pattern::Lines => {
                while at < bottom {
                    line(left, at, right, at);
                    at += PATTERN - 1.0;
                }
            }
            Pattern::Dots | Pattern::Solid => {
                width = 2.4;
                while at < bottom {
                    let mut x = left + 3.0;
                    while x < right {
                        line(x, at, x + 0.01, at);
                        x += PATTERN;
                    }
                    at += PATTERN;
                }
            }
        }
        self.stroke(Stroke { ink: Token::Paper, width, dash: None });
        self.context.restore();
        self.font = usize::MAX;
    }

    /// A timer: what has passed is filled; the next thing that matters has a ring around it.
    fn timer(&mut self, centre: Point, radius: f64, passed: f64, (ink, next): (Token, bool)) {
        let (x, y) = (f64::from(centre.x), f64::from(centre.y));
        if next {
            self.circle(x, y, radius + 5.0);
            self.stroke(Stroke { ink, width: 2.0, dash: None });
        }
        self.circle(x, y, radius);
        self.stroke(Stroke { ink: Token::LineStrong, width: 1.0, dash: None });
        let turn = passed.clamp(0.0, 1.0) * std::f64::consts::TAU;
        if turn <= 0.0 {
            return;
        }
        let top = -std::f64::consts::FRAC_PI_2;
        self.context.begin_path();
        self.context.move_to(x, y);
        // Fails only for a negative radius.
        let _ = self.context.arc(x, y, radius, top, top + turn);
        self.context.close_path();
        self.fill_with(ink);
        self.context.fill();
    }

    fn clock(&mut self, centre: Point, radius: f64, passed: f64, next: bool) {
        let (x, y) = (f64::from(centre.x), f64::from(centre.y));
        self.circle(x, y, radius);
        let ink = if next { Token::Accent } else { Token::LineStrong };
        self.stroke(Stroke { ink, width: if next { 1.8 } else { 1.0 }, dash: None });
        let top = -std::f64::consts::FRAC_PI_2;
        let turn = passed.clamp(0.0, 1.0) * std::f64::consts::TAU;
        if turn <= 0.0 {
            return;
        }
        self.context.begin_path();
        self.context.move_to(x, y);
        // Fails only for a negative radius.
        let _ = self.context.arc(x, y, radius, top, top + turn);
        self.context.close_path();
        self.fill_with(Token::Ink3);
        self.context.set_global_alpha(0.5);
        self.context.fill();
        self.context.set_global_alpha(1.0);
    }

    /// The signs of `kit.html`, drawn for a radius of 5.2.
    fn sign(&mut self, centre: Point, radius: f32, glyph: Glyph) {
        let ink = glyph.token();
        let unit = f64::from(radius) / 5.2;
        let (x, y) = (f64::from(centre.x), f64::from(centre.y));
        let line = |ink, width: f64| Stroke { ink, width: (width * unit) as f32, dash: None };
        match glyph {
            Glyph::Flight | Glyph::Ack => self.disc(x, y, 5.2 * unit, ink),
            Glyph::New => {
                self.disc(x, y, 4.4 * unit, Token::Paper);
                self.stroke(line(ink, 1.6));
            }
            Glyph::Wait => {
                let side = 9.6 * radius / 5.2;
                let rect = Rect::new(centre.x - side / 2.0, centre.y - side / 2.0, side, side);
                self.round_rect(&rect, 1.5 * unit);
                self.fill_with(ink);
                self.context.fill();
            }
            Glyph::Again => {
                self.disc(x, y, 3.1 * unit, ink);
                self.circle(x, y, 5.6 * unit);
                self.stroke(line(ink, 1.5));
            }
            Glyph::Done => {
                self.disc(x, y, 5.6 * unit, ink);
                self.pieces(centre, unit, &[(-2.7, 0.2), (-0.8, 2.1), (2.7, -1.9)]);
                self.stroke(line(Token::Paper, 1.6));
            }
            Glyph::Twice => {
                self.disc(x + 2.0 * unit, y, 3.9 * unit, Token::Paper);
                self.stroke(line(ink, 1.5));
                self.disc(x - 2.0 * unit, y, 3.9 * unit, ink);
                self.stroke(line(Token::Paper, 1.0));
            }
            Glyph::Lost => {
                for points in [[(-4.0, -4.0), (4.0, 4.0)], [(-4.0, 4.0), (4.0, -4.0)]] {
                    self.pieces(centre, unit, &points);
                    self.stroke(line(ink, 2.4));
                }
            }
            Glyph::Fault => {
                let bolt =
                    [(1.0, -6.2), (-4.0, 1.0), (-0.8, 1.0), (-1.4, 6.2), (4.0, -1.2), (0.6, -1.2)];
                self.pieces(centre, unit, &bolt);
                self.context.close_path();
                self.fill_with(ink);
                self.context.fill();
            }
        }
    }

    fn pieces(&self, centre: Point, unit: f64, points: &[(f64, f64)]) {
        self.context.begin_path();
        for (x, y) in points {
            self.context.line_to(f64::from(centre.x) + x * unit, f64::from(centre.y) + y * unit);
        }
    }

    fn disc(&mut self, x: f64, y: f64, radius: f64, ink: Token) {
        self.circle(x, y, radius);
        self.fill_with(ink);
        self.context.fill();
    }

    fn circle(&self, x: f64, y: f64, radius: f64) {
        self.context.begin_path();
        // Fails only for a negative radius.
        let _ = self.context.arc(x, y, radius.max(0.0), 0.0, std::f64::consts::TAU);
    }

    fn trace(&self, points: &[Point]) {
        self.context.begin_path();
        for point in points {
            self.context.line_to(f64::from(point.x), f64::from(point.y));
        }
    }

    fn fill_with(&self, ink: Token) {
        self.context.set_fill_style_str(&ink.css(self.theme));
    }

    /// Strokes the current path.
    pub fn stroke(&self, line: Stroke) {
        let context = &self.context;
        context.set_stroke_style_str(&line.ink.css(self.theme));
        context.set_line_width(f64::from(line.width));
        context.set_line_cap("round");
        if let Some((dash, gap)) = line.dash {
            context.set_line_cap("butt");
            // Fails only for what is no array.
            let _ = context.set_line_dash(&Array::of2(&JsValue::from(dash), &JsValue::from(gap)));
        }
        context.stroke();
        if line.dash.is_some() {
            let _ = context.set_line_dash(&Array::new());
        }
    }

    fn set_font(&mut self, size: f32, bold: bool) {
        let tenths = (size * 10.0).round() as u32;
        let known = self.fonts.iter().position(|(s, b, _)| *s == tenths && *b == bold);
        let index = known.unwrap_or_else(|| {
            let weight = if bold { 600 } else { 400 };
            self.fonts.push((tenths, bold, format!("{weight} {size}px {FONT}")));
            self.fonts.len() - 1
        });
        if self.font != index {
            self.context.set_font(&self.fonts[index].2);
            self.font = index;
        }
    }
}
