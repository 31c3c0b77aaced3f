//! Moving dots: a software raster that is handed to the canvas whole, once a frame.
//!
//! Ten thousand shapes drawn one by one cost a canvas several times what they cost here. Each
//! kind of dot is drawn once per size into sixteen stamps, one for every quarter of a pixel, and
//! blended from there. Nothing in this file needs a browser.

use crate::view::draw::{Glyph, Point};
use crate::view::layout::Layout;
use crate::view::pipe::{Pipe, distance_to_piece};
use crate::view::tokens::{Rgb, Theme, Token};

/// Stamps stand at quarters of a device pixel in both directions.
const PHASES: usize = 4;
/// Samples per pixel and direction when a stamp is drawn.
const SAMPLES: usize = 4;
/// The unit radius in which the shapes below are given.
const UNIT: f32 = 5.2;
/// How far shapes reach beyond the unit radius.
const REACH: f32 = 6.5;
/// Opacity of a pipe's outline and of a dot's tail, in 255ths.
const OUTLINE: u32 = 140;
const TAIL: u32 = 71;

/// The pixels of the stage's back canvas.
#[derive(Default)]
pub struct Raster {
    width: usize,
    height: usize,
    scale: f32,
    theme: Theme,
    ground: Vec<u32>,
    pixels: Vec<u32>,
    stamps: Vec<Option<Stamp>>,
    radius: f32,
}

/// One shape at one size and one place between pixels.
struct Stamp {
    /// Pixels from the stamp's corner to its middle.
    middle: i32,
    /// Width and height.
    side: usize,
    /// Premultiplied colours.
    pixels: Vec<u32>,
}

impl Raster {
    /// Draws what does not move: the ground and the pipes. `scale` is device pixels per CSS pixel.
    pub fn prepare(&mut self, layout: &Layout, size: (u32, u32), scale: f32, theme: Theme) {
        (self.width, self.height) = (size.0 as usize, size.1 as usize);
        if self.scale != scale || self.theme != theme {
            self.stamps.clear();
        }
        (self.scale, self.theme) = (scale, theme);
        self.ground.clear();
        self.ground.resize(self.width * self.height, opaque(Token::Stage.rgb(theme)));
        for pipe in &layout.pipes {
            self.lay(pipe);
        }
        self.pixels.clone_from(&self.ground);
    }

    /// Starts a frame: everything that moved is gone.
    pub fn begin(&mut self) {
        self.pixels.copy_from_slice(&self.ground);
    }

    /// Sets the radius of the dots of this frame in CSS pixels.
    pub fn set_radius(&mut self, radius: f32) {
        if self.radius != radius {
            self.radius = radius;
            self.stamps.clear();
        }
    }

    /// Puts a dot at a point in CSS pixels.
    #[inline]
    pub fn dot(&mut self, at: Point, glyph: Glyph) {
        let n = PHASES as f32;
        let (x, y) = (at.x * self.scale * n, at.y * self.scale * n);
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        let (x, y) = (x.round() as i32, y.round() as i32);
        let phase = (x.rem_euclid(PHASES as i32), y.rem_euclid(PHASES as i32));
        let index = (glyph as usize * PHASES + phase.1 as usize) * PHASES + phase.0 as usize;
        if self.stamps.is_empty() {
            self.stamps.resize_with((Glyph::Fault as usize + 1) * PHASES * PHASES, || None);
        }
        let stamp = self.stamps[index].get_or_insert_with(|| {
            let radius = if glyph == Glyph::Ack { self.radius * 0.5 } else { self.radius };
            Stamp::new(glyph, radius * self.scale, phase, self.theme)
        });
        let left = x.div_euclid(PHASES as i32) - stamp.middle;
        let top = y.div_euclid(PHASES as i32) - stamp.middle;
        stamp.press(&mut self.pixels, self.width, self.height, left, top);
    }

    /// Draws a dot's tail through the points, in CSS pixels.
    pub fn tail(&mut self, points: &[Point], glyph: Glyph) {
        let width = self.radius * 0.9;
        self.line(points, width, glyph.token().rgb(self.theme), TAIL);
    }

    /// Draws a flow: a band of `width` along the whole pipe.
    pub fn band(&mut self, pipe: &Pipe, width: f32, glyph: Glyph) {
        self.line(&pipe.points, width, glyph.token().rgb(self.theme), 150);
    }

    /// The pixels as RGBA, row by row.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Width and height in device pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    /// A soft line of even opacity.
    fn line(&mut self, points: &[Point], width: f32, colour: Rgb, opacity: u32) {
        let scale = self.scale;
        let half = width * scale / 2.0;
        let Some(field) = Field::of(points, scale, half + 1.0, (self.width, self.height)) else {
            return;
        };
        let source = opaque(colour);
        field.each(self.width, |i, distance| {
            let cover = (half - distance + 0.5).clamp(0.0, 1.0);
            self.pixels[i] = mix(self.pixels[i], source, (cover * opacity as f32) as u32);
        });
    }

    /// Draws a pipe into the ground: an outline, and paper inside if it is wide enough.
    fn lay(&mut self, pipe: &Pipe) {
        let half = pipe.width * self.scale / 2.0;
        let wall = self.scale.max(1.0);
        let size = (self.width, self.height);
        let Some(field) = Field::of(&pipe.points, self.scale, half + 1.0, size) else {
            return;
        };
        let line = opaque(Token::LineStrong.rgb(self.theme));
        let paper = opaque(Token::Paper.rgb(self.theme));
        let hollow = 4.0 * wall < half * 2.0;
        field.each(self.width, |i, distance| {
            let cover = |radius: f32| (radius - distance + 0.5).clamp(0.0, 1.0);
            let walled = mix(self.ground[i], line, (cover(half) * OUTLINE as f32) as u32);
            let inside = if hollow { (cover(half - wall) * 255.0) as u32 } else { 0 };
            self.ground[i] = mix(walled, paper, inside);
        });
    }
}

/// Distances from a broken line, in device pixels, inside the part of the picture near it.
struct Field {
    left: usize,
    top: usize,
    width: usize,
    distances: Vec<f32>,
}

impl Field {
    /// Distances up to `reach` from the line through `points` (CSS pixels).
    fn of(points: &[Point], scale: f32, reach: f32, size: (usize, usize)) -> Option<Field> {
        let points: Vec<Point> =
            points.iter().map(|p| Point { x: p.x * scale, y: p.y * scale }).collect();
        let bounds = |of: fn(&Point) -> f32, limit: usize| {
            let least = points.iter().map(of).fold(f32::INFINITY, f32::min) - reach;
            let most = points.iter().map(of).fold(f32::NEG_INFINITY, f32::max) + reach;
            (least.max(0.0) as usize, (most.max(0.0).ceil() as usize + 1).min(limit))
        };
        let (left, right) = bounds(|p| p.x, size.0);
        let (top, bottom) = bounds(|p| p.y, size.1);
        if right <= left || bottom <= top {
            return None;
        }
        let width = right - left;
        let mut distances = vec![f32::INFINITY; width * (bottom - top)];
        for piece in points.windows(2) {
            let (a, b) = (piece[0], piece[1]);
            let near = |low: f32, high: f32, first: usize, end: usize| {
                let from = ((low - reach).max(0.0) as usize).clamp(first, end);
                let to = ((high + reach).max(0.0).ceil() as usize + 1).clamp(first, end);
                from..to
            };
            for y in near(a.y.min(b.y), a.y.max(b.y), top, bottom) {
                for x in near(a.x.min(b.x), a.x.max(b.x), left, right) {
                    let middle = Point { x: x as f32 + 0.5, y: y as f32 + 0.5 };
                    let d = &mut distances[(y - top) * width + x - left];
                    *d = d.min(distance_to_piece(middle, a, b));
                }
            }
        }
        Some(Field { left, top, width, distances })
    }

    /// Calls `paint` with the picture's index and the distance of every pixel near the line.
    fn each(&self, picture_width: usize, mut paint: impl FnMut(usize, f32)) {
        for (row, distances) in self.distances.chunks(self.width).enumerate() {
            let start = (self.top + row) * picture_width + self.left;
            for (column, &distance) in distances.iter().enumerate() {
                if distance.is_finite() {
                    paint(start + column, distance);
                }
            }
        }
    }
}

impl Stamp {
    /// Draws a shape of `radius` device pixels, moved by quarters of a pixel.
    fn new(glyph: Glyph, radius: f32, phase: (i32, i32), theme: Theme) -> Stamp {
        let unit = radius / UNIT;
        let middle = (REACH * unit).ceil() as i32 + 1;
        let side = (2 * middle + 1) as usize;
        let ink = glyph.token().rgb(theme);
        let paper = Token::Paper.rgb(theme);
        let shift = |p: i32| p as f32 / PHASES as f32;
        let mut pixels = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let mut cover = [0_u32; 2];
                for sample in 0..SAMPLES * SAMPLES {
                    let within = |i: usize| (i as f32 + 0.5) / SAMPLES as f32 - middle as f32 - 0.5;
                    let x = column as f32 + within(sample % SAMPLES) - shift(phase.0);
                    let y = row as f32 + within(sample / SAMPLES) - shift(phase.1);
                    match layer(glyph, x / unit, y / unit) {
                        Layer::Ink => cover[0] += 1,
                        Layer::Paper => cover[1] += 1,
                        Layer::Nothing => {}
                    }
                }
                pixels.push(premultiplied(ink, cover[0], paper, cover[1]));
            }
        }
        Stamp { middle, side, pixels }
    }

    /// Blends the stamp into a picture with its corner at (`left`, `top`).
    #[inline]
    fn press(&self, picture: &mut [u32], width: usize, height: usize, left: i32, top: i32) {
        let first_row = (-top).max(0) as usize;
        let last_row = self.side.min((height as i32 - top).max(0) as usize);
        let first = (-left).max(0) as usize;
        let last = self.side.min((width as i32 - left).max(0) as usize);
        if last <= first {
            return;
        }
        for row in first_row..last_row {
            let from = &self.pixels[row * self.side + first..row * self.side + last];
            let start = (top + row as i32) as usize * width + (left + first as i32) as usize;
            let to = &mut picture[start..start + from.len()];
            for (pixel, &source) in to.iter_mut().zip(from) {
                match source >> 24 {
                    0 => {}
                    255 => *pixel = source,
                    alpha => *pixel = source.wrapping_add(faded(*pixel, 255 - alpha)),
                }
            }
        }
    }
}

/// What a shape shows at a point.
#[derive(Clone, Copy, PartialEq)]
enum Layer {
    Nothing,
    Ink,
    Paper,
}

/// The shapes of `kit.html`, in units of a disc of radius 5.2.
fn layer(glyph: Glyph, x: f32, y: f32) -> Layer {
    let r = (x * x + y * y).sqrt();
    let inked = |ink: bool| if ink { Layer::Ink } else { Layer::Nothing };
    match glyph {
        Glyph::Flight | Glyph::Ack => inked(r <= 5.2),
        Glyph::New => ring(r, 3.6, 5.2),
        Glyph::Wait => inked(x.abs().max(y.abs()) <= 4.8),
        Glyph::Again if r <= 3.1 => Layer::Ink,
        Glyph::Again => ring(r, 4.7, 6.4),
        Glyph::Done => {
            let tick =
                piece(x, y, (-2.7, 0.2), (-0.8, 2.1)).min(piece(x, y, (-0.8, 2.1), (2.7, -1.9)));
            if tick <= 0.8 { Layer::Paper } else { inked(r <= 5.6) }
        }
        Glyph::Twice => {
            let left = ((x + 2.0) * (x + 2.0) + y * y).sqrt();
            let right = ((x - 2.0) * (x - 2.0) + y * y).sqrt();
            match left {
                0.0..3.7 => Layer::Ink,
                3.7..4.6 => Layer::Paper,
                _ => ring(right, 3.1, 4.6),
            }
        }
        Glyph::Lost | Glyph::Fault => {
            let cross =
                piece(x, y, (-4.0, -4.0), (4.0, 4.0)).min(piece(x, y, (-4.0, 4.0), (4.0, -4.0)));
            inked(cross <= 1.2)
        }
    }
}

/// A ring with paper inside.
fn ring(r: f32, inner: f32, outer: f32) -> Layer {
    match r {
        _ if r < inner => Layer::Paper,
        _ if r <= outer => Layer::Ink,
        _ => Layer::Nothing,
    }
}

/// The distance of (x, y) from the piece between two points.
fn piece(x: f32, y: f32, a: (f32, f32), b: (f32, f32)) -> f32 {
    distance_to_piece(Point { x, y }, Point { x: a.0, y: a.1 }, Point { x: b.0, y: b.1 })
}

/// A colour as the canvas keeps it: red in the lowest byte, alpha in the highest.
fn opaque(colour: Rgb) -> u32 {
    255 << 24 | u32::from(colour.2) << 16 | u32::from(colour.1) << 8 | u32::from(colour.0)
}

/// Two layers side by side in one pixel, by numbers of samples, premultiplied.
fn premultiplied(ink: Rgb, n_ink: u32, paper: Rgb, n_paper: u32) -> u32 {
    let all = (SAMPLES * SAMPLES) as u32;
    let channel = |a: u8, b: u8| (u32::from(a) * n_ink + u32::from(b) * n_paper) / all;
    let alpha = 255 * (n_ink + n_paper) / all;
    alpha << 24
        | channel(ink.2, paper.2) << 16
        | channel(ink.1, paper.1) << 8
        | channel(ink.0, paper.0)
}

/// Every channel times `share` / 255, within a rounding step, never too large.
#[inline]
fn faded(pixel: u32, share: u32) -> u32 {
    // Two channels at once; share + 1 over 256 keeps 255 exact.
    let factor = share + 1;
    let low = ((pixel & 0x00ff_00ff) * factor) >> 8 & 0x00ff_00ff;
    let high = ((pixel >> 8 & 0x00ff_00ff) * factor) & 0xff00_ff00;
    // A stamp's alpha and its colours are rounded down, so the sum never overflows a channel.
    low | high
}

/// `under` covered by the opaque colour `over` with an opacity of 0 to 255.
#[inline]
fn mix(under: u32, over: u32, opacity: u32) -> u32 {
    match opacity {
        0 => under,
        255.. => over,
        _ => {
            let channel = |shift: u32| {
                let (u, o) = (under >> shift & 255, over >> shift & 255);
                ((u * (255 - opacity) + o * opacity + 127) / 255) << shift
            };
            255 << 24 | channel(16) | channel(8) | channel(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::draw::pt;
    use crate::view::pipe::bend;

    fn raster(pipes: Vec<Pipe>) -> Raster {
        let layout = Layout { width: 100.0, height: 60.0, pipes, ..Layout::default() };
        let mut raster = Raster::default();
        raster.prepare(&layout, (100, 60), 1.0, Theme::Light);
        raster.set_radius(UNIT);
        raster
    }

    fn at(raster: &Raster, x: usize, y: usize) -> u32 {
        raster.pixels()[y * 100 + x]
    }

    #[test]
    fn a_dot_is_solid_in_its_middle_and_gone_in_the_next_frame() {
        let mut raster = raster(Vec::new());
        raster.begin();
        raster.dot(pt(50.5, 30.5), Glyph::Flight);
        assert_eq!(at(&raster, 50, 30), opaque(Token::StateFlight.rgb(Theme::Light)));
        assert_eq!(at(&raster, 60, 30), opaque(Token::Stage.rgb(Theme::Light)));
        raster.begin();
        assert_eq!(at(&raster, 50, 30), opaque(Token::Stage.rgb(Theme::Light)));
    }

    #[test]
    fn dots_beyond_every_edge_do_no_harm() {
        let mut raster = raster(Vec::new());
        for x in [-1e9_f32, -30.0, -3.0, 0.0, 99.9, 103.0, 1e9, f32::NAN] {
            for y in [-1e9_f32, -3.0, 0.0, 59.9, 63.0, 1e9] {
                raster.dot(pt(x, y), Glyph::Again);
            }
        }
    }

    #[test]
    fn every_pixel_stays_opaque() {
        let mut raster = raster(vec![bend(pt(0.0, 10.0), pt(100.0, 50.0), false, 16.0)]);
        for (i, glyph) in [Glyph::New, Glyph::Again, Glyph::Twice, Glyph::Lost, Glyph::Done]
            .into_iter()
            .enumerate()
        {
            raster.tail(&[pt(10.0, 20.0), pt(40.0, 25.0)], glyph);
            raster.dot(pt(10.3 + 15.0 * i as f32, 20.7), glyph);
        }
        assert!(raster.pixels().iter().all(|pixel| pixel >> 24 >= 253));
    }

    #[test]
    fn a_pipe_is_paper_inside_and_a_line_at_its_walls() {
        let raster = raster(vec![bend(pt(0.0, 30.0), pt(100.0, 30.0), false, 16.0)]);
        assert_eq!(at(&raster, 50, 30), opaque(Token::Paper.rgb(Theme::Light)));
        let wall = at(&raster, 50, 22);
        assert!(wall != opaque(Token::Paper.rgb(Theme::Light)));
        assert!(wall != opaque(Token::Stage.rgb(Theme::Light)));
        assert_eq!(at(&raster, 50, 10), opaque(Token::Stage.rgb(Theme::Light)));
    }

    #[test]
    fn shapes_differ_without_colour() {
        let picture = |glyph| Stamp::new(glyph, UNIT, (0, 0), Theme::Light).pixels;
        let alpha = |glyph| picture(glyph).iter().map(|p| p >> 24).collect::<Vec<_>>();
        let shapes = [Glyph::Flight, Glyph::Again, Glyph::Twice, Glyph::Lost, Glyph::Wait];
        for (i, &a) in shapes.iter().enumerate() {
            for &b in &shapes[i + 1..] {
                assert!(alpha(a) != alpha(b), "{a:?} {b:?}");
            }
        }
        // A new message and one in flight have the same outline; one is hollow.
        let middle = |glyph| picture(glyph)[picture(glyph).len() / 2];
        assert!(middle(Glyph::New) != middle(Glyph::Flight));
    }
}
