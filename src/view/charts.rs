//! One chart in plain data, and how plotters draws it on any backend.
//!
//! A chart is a label column on the left and a plot on the right. The time axis, the playhead and
//! the part that is not simulated yet belong to all charts together and are drawn elsewhere.
//! Coordinates handed to plotters are whole [`SUB`]ths of a CSS pixel: plotters knows whole pixels
//! only, and lines on whole pixels look broken. Text is never cut: what does not fit is left out.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};
use plotters_backend::{BackendColor, DrawingBackend};

use super::draw::{Pattern, Rect};
use super::text_width::text_width;
use super::tokens::{FONT, Theme, Token};

/// Parts of a CSS pixel in plotters' coordinates.
pub const SUB: i32 = 8;

/// Plotters gives font sizes as line boxes; its SVG divides by this, and so does our canvas.
pub const LINE_BOX: f64 = 1.24;

/// What can go wrong: only what the backend says.
pub type Failed<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

/// How an entry of the label column is marked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mark {
    /// Not at all.
    None,
    /// A piece of line.
    Line {
        /// Colour.
        ink: Token,
        /// Dashed.
        dashed: bool,
    },
    /// A square.
    Swatch {
        /// Colour.
        ink: Token,
        /// Pattern.
        pattern: Pattern,
    },
}

/// An entry of the label column.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// How it is marked.
    pub mark: Mark,
    /// Its name.
    pub name: String,
    /// Its value at the playhead.
    pub value: String,
}

/// Something in the plot. Points ascend in x.
#[derive(Clone, PartialEq, Debug)]
pub enum Layer {
    /// A broken line.
    Line {
        /// The points.
        points: Vec<(f64, f64)>,
        /// Colour.
        ink: Token,
        /// Width in pixels.
        width: f32,
        /// Dashed.
        dashed: bool,
    },
    /// The area between two lines at the same places: x, lower, upper.
    Area {
        /// The places.
        points: Vec<(f64, f64, f64)>,
        /// Colour.
        ink: Token,
        /// Pattern.
        pattern: Pattern,
        /// Whether a hair of paper parts it from what is above.
        parted: bool,
    },
    /// Upright bars from zero: from, to, height.
    Bars {
        /// The bars.
        bars: Vec<(f64, f64, f64)>,
        /// Colour.
        ink: Token,
    },
}

/// A chart.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Chart {
    /// Its name.
    pub title: String,
    /// One figure beside its name.
    pub value: String,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// What is in the plot, in painting order.
    pub layers: Vec<Layer>,
    /// Range of x.
    pub x: (f64, f64),
    /// Greatest y; the least is 0.
    pub top: f64,
    /// Grid lines with their labels, ascending.
    pub ticks: Vec<(f64, String)>,
    /// Ticks of x with labels below the plot, where the chart has an axis of its own.
    pub x_ticks: Vec<(f64, String)>,
    /// Said in the middle of the plot, when there is nothing else.
    pub note: String,
}

/// Where a chart's parts stand, in CSS pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Frame {
    /// Width of the whole.
    pub width: f32,
    /// Height of the whole.
    pub height: f32,
    /// Width of the label column; 0 puts title and value above the plot.
    pub labels: f32,
    /// Least font size of the language.
    pub least: f32,
}

/// Space between the label column's values and the plot.
const LABEL_GAP: f32 = 8.0;
/// Height of the line above the plot when there is no label column.
const HEAD: f32 = 20.0;
/// Height of the axis below a plot with an axis of its own.
const FOOT: f32 = 16.0;

impl Frame {
    /// Upper edge and height of the plot of a chart of that height without a label column.
    pub fn small_plot(height: f32) -> (f32, f32) {
        (HEAD, height - HEAD - 9.0)
    }

    /// Where the label of a tick stands: above its line, or below where the title is above.
    pub fn tick_height(&self, chart: &Chart, value: f64) -> f32 {
        let away = if self.labels == 0.0 { 8.0 } else { -6.0 };
        (self.height_of(chart, value) + away).max(6.0)
    }

    /// The rectangles that the ticks' labels cover.
    pub fn tick_rects(&self, chart: &Chart) -> Vec<Rect> {
        let rect = |(value, label): &(f64, String)| {
            let w = text_width(label, self.least.max(11.0), false);
            Rect::new(self.width - w - 3.0, self.tick_height(chart, *value) - 7.0, w + 3.0, 14.0)
        };
        chart.ticks.iter().map(rect).collect()
    }

    /// Height of a value in the whole chart, in CSS pixels.
    fn height_of(&self, chart: &Chart, value: f64) -> f32 {
        let (_, top, _, height) = self.plot(chart);
        top + height * (1.0 - (value / chart.top.max(f64::MIN_POSITIVE)) as f32)
    }

    /// Left edge, upper edge, width and height of the plot.
    pub fn plot(&self, chart: &Chart) -> (f32, f32, f32, f32) {
        let top = if self.labels == 0.0 { HEAD } else { 9.0 };
        let foot = if chart.x_ticks.is_empty() { 9.0 } else { FOOT + 4.0 };
        (self.labels, top, self.width - self.labels, self.height - top - foot)
    }
}

/// Draws `chart` on an area of `frame.width * SUB` by `frame.height * SUB`.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &Chart,
    frame: Frame,
    theme: Theme,
) -> Result<(), Failed<DB>> {
    let pencil = Pencil { area, theme, least: frame.least };
    if 0.0 < frame.labels {
        pencil.labels(chart, frame)?;
    } else {
        pencil.head(chart, frame)?;
    }
    let (left, top, width, height) = frame.plot(chart);
    if width < 20.0 || height < 10.0 {
        return Ok(());
    }
    pencil.grid(chart, frame)?;
    let plot = area.clone().shrink((px(left), px(top)), (px(width), px(height)));
    let mut context = ChartBuilder::on(&plot)
        .build_cartesian_2d(chart.x.0..chart.x.1, 0.0..chart.top.max(f64::MIN_POSITIVE))?;
    for layer in &chart.layers {
        match layer {
            Layer::Line { points, ink, width, dashed } => {
                line(&mut context, points, pencil.line(*ink, *width), *dashed)?;
            }
            Layer::Area { points, ink, pattern, parted } => {
                let paper = pencil.line(Token::Paper, 1.0);
                solid(&mut context, points, pencil.fill(*ink))?;
                textured(&mut context, points, *pattern, paper)?;
                if *parted {
                    let edge: Vec<_> = points.iter().map(|&(x, _, high)| (x, high)).collect();
                    line(&mut context, &edge, paper, false)?;
                }
            }
            Layer::Bars { bars, ink } => {
                // One outline: single bars would leave seams between pixels.
                let mut outline = Vec::with_capacity(2 * bars.len() + 2);
                outline.extend(bars.first().map(|bar| (bar.0, 0.0)));
                outline
                    .extend(bars.iter().flat_map(|&(from, to, high)| [(from, high), (to, high)]));
                outline.extend(bars.last().map(|bar| (bar.1, 0.0)));
                if 2 < outline.len() {
                    let style = pencil.fill(*ink);
                    context.draw_series(std::iter::once(Polygon::new(outline, style)))?;
                }
            }
        }
    }
    pencil.tick_labels(chart, frame)
}

type Plot<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A line through the points.
fn line<DB: DrawingBackend>(
    plot: &mut Plot<'_, DB>,
    points: &[(f64, f64)],
    style: ShapeStyle,
    dashed: bool,
) -> Result<(), Failed<DB>> {
    let points = points.iter().copied();
    if dashed {
        let (dash, space) = (2 * SUB, 2 * SUB);
        plot.draw_series(DashedLineSeries::new(points, dash, space, style))?;
    } else {
        plot.draw_series(LineSeries::new(points, style))?;
    }
    Ok(())
}

/// The area between two lines.
fn solid<DB: DrawingBackend>(
    plot: &mut Plot<'_, DB>,
    points: &[(f64, f64, f64)],
    style: ShapeStyle,
) -> Result<(), Failed<DB>> {
    let above = points.iter().map(|&(x, _, high)| (x, high));
    let below = points.iter().rev().map(|&(x, low, _)| (x, low));
    let outline: Vec<_> = above.chain(below).collect();
    if 2 < outline.len() {
        plot.draw_series(std::iter::once(Polygon::new(outline, style)))?;
    }
    Ok(())
}

/// The pattern inside an area. Backends know no patterns, so its lines are cut by hand.
fn textured<DB: DrawingBackend>(
    plot: &mut Plot<'_, DB>,
    points: &[(f64, f64, f64)],
    pattern: Pattern,
    style: ShapeStyle,
) -> Result<(), Failed<DB>> {
    if pattern == Pattern::Solid || points.len() < 2 {
        return Ok(());
    }
    let at = |x: f64, y: f64| plot.backend_coord(&(x, y));
    // The area in the plot's pixels: for every column its upper and lower edge.
    let edges: Vec<(i32, i32, i32)> = points
        .iter()
        .map(|&(x, low, high)| {
            let ((column, upper), (_, lower)) = (at(x, high), at(x, low));
            (column, upper, lower)
        })
        .collect();
    let lines = texture(&edges, pattern);
    let area = plot.plotting_area().strip_coord_spec();
    let (left, top) = area.get_base_pixel();
    for (a, b) in lines {
        let points = vec![(a.0 - left, a.1 - top), (b.0 - left, b.1 - top)];
        area.draw(&PathElement::new(points, style))?;
    }
    Ok(())
}

/// A point in the backend's pixels.
type Pixel = (i32, i32);

/// The lines of a pattern inside the columns (x, upper, lower).
fn texture(edges: &[(i32, i32, i32)], pattern: Pattern) -> Vec<(Pixel, Pixel)> {
    let step = 6 * SUB;
    let mut lines = Vec::new();
    if pattern == Pattern::Solid {
        return lines;
    }
    let mut open: Vec<Option<(i32, Pixel, Pixel)>> = Vec::new();
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return lines };
    let mut i = 0;
    for x in (first.0..=last.0).step_by(SUB as usize / 2) {
        while i + 2 < edges.len() && edges[i + 1].0 < x {
            i += 1;
        }
        let (a, b) = (edges[i], edges[(i + 1).min(edges.len() - 1)]);
        let share = f64::from(x - a.0) / f64::from((b.0 - a.0).max(1));
        let between = |p: i32, q: i32| p + (f64::from(q - p) * share.clamp(0.0, 1.0)) as i32;
        let (upper, lower) = (between(a.1, b.1), between(a.2, b.2));
        let mut seen = Vec::new();
        // Every line of the pattern that passes this column, by its number and height there.
        let slant = if pattern == Pattern::Hatch { x } else { 0 };
        let nth = (upper + slant).div_euclid(step) + 1;
        for n in nth..=(lower + slant).div_euclid(step) {
            let y = n * step - slant;
            let drawn = pattern != Pattern::Dots || x.rem_euclid(step) < 2 * SUB;
            if drawn {
                seen.push((n, (x, y)));
            }
        }
        let mut next = Vec::new();
        for (n, point) in seen {
            let held = open.iter_mut().find(|o| o.is_some_and(|(m, ..)| m == n));
            let start = held.and_then(Option::take).map_or(point, |(_, start, _)| start);
            next.push(Some((n, start, point)));
        }
        lines.extend(open.drain(..).flatten().map(|(_, from, to)| (from, to)));
        open = next;
    }
    lines.extend(open.into_iter().flatten().map(|(_, from, to)| (from, to)));
    lines.retain(|(from, to)| from != to);
    lines
}

/// Draws texts and lines in CSS pixels.
struct Pencil<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    theme: Theme,
    least: f32,
}

impl<DB: DrawingBackend> Pencil<'_, DB> {
    fn colour(&self, ink: Token) -> RGBColor {
        let (r, g, b) = ink.rgb(self.theme);
        RGBColor(r, g, b)
    }

    fn line(&self, ink: Token, width: f32) -> ShapeStyle {
        self.colour(ink).stroke_width((width * SUB as f32).round() as u32)
    }

    fn fill(&self, ink: Token) -> ShapeStyle {
        self.colour(ink).filled()
    }

    /// Writes a text whose middle is at height `y`.
    fn text(
        &self,
        text: &str,
        (x, y): (f32, f32),
        side: HPos,
        size: f32,
        ink: Token,
        bold: bool,
    ) -> Result<(), Failed<DB>> {
        if text.is_empty() {
            return Ok(());
        }
        let (r, g, b) = ink.rgb(self.theme);
        let weight = if bold { FontStyle::Bold } else { FontStyle::Normal };
        let size = f64::from(size.max(self.least)) * f64::from(SUB) * LINE_BOX;
        let style = TextStyle {
            font: FontDesc::new(FontFamily::Name(FONT), size, weight),
            color: BackendColor { alpha: 1.0, rgb: (r, g, b) },
            pos: Pos::new(side, VPos::Center),
        };
        self.area.draw_text(text, &style, (px(x), px(y)))
    }

    fn rule(&self, from: (f32, f32), to: (f32, f32), style: ShapeStyle) -> Result<(), Failed<DB>> {
        let points = vec![(px(from.0), px(from.1)), (px(to.0), px(to.1))];
        self.area.draw(&PathElement::new(points, style))
    }

    /// Title, value and entries in the label column.
    fn labels(&self, chart: &Chart, frame: Frame) -> Result<(), Failed<DB>> {
        let right = frame.labels - LABEL_GAP;
        self.rule((0.0, 0.5), (frame.width, 0.5), self.line(Token::Line, 1.0))?;
        self.text(&chart.title, (0.0, 13.0), HPos::Left, 12.0, Token::Ink, true)?;
        let title = text_width(&chart.title, 12.0, true);
        if title + text_width(&chart.value, 12.0, true) + 4.0 <= right {
            self.text(&chart.value, (right, 13.0), HPos::Right, 12.0, Token::Ink, true)?;
        }
        let n = chart.entries.len().max(1);
        // Lines of 10 px can be read; more entries than that stand in two columns.
        let side = if (frame.height - 18.0) / (n as f32) < 10.0 { 2 } else { 1 };
        let step = ((frame.height - 20.0) / n.div_ceil(side) as f32).min(15.0);
        let wide = (right + LABEL_GAP) / side as f32 - LABEL_GAP;
        for (i, entry) in chart.entries.iter().enumerate() {
            let y = 28.5 + step * (i / side) as f32;
            let left = (i % side) as f32 * (wide + LABEL_GAP);
            self.entry(entry, (left, left + wide), y)?;
        }
        Ok(())
    }

    /// One entry of the label column: its mark, name and value.
    fn entry(&self, entry: &Entry, (left, right): (f32, f32), y: f32) -> Result<(), Failed<DB>> {
        self.mark(entry.mark, left, y)?;
        let size = 11.0_f32.max(self.least);
        let name = text_width(&entry.name, size, false);
        let value = text_width(&entry.value, size, true) + 4.0;
        let room = right - left - 16.0;
        // A swatch without a name says nothing: where there is no room for both, the name stays.
        let (has_name, has_both) = (name <= room, name + value <= room);
        if has_name {
            self.text(&entry.name, (left + 16.0, y), HPos::Left, 11.0, Token::Ink2, false)?;
        }
        if has_both || !has_name {
            self.text(&entry.value, (right, y), HPos::Right, 11.0, Token::Ink, true)?;
        }
        Ok(())
    }

    /// Title and value above the plot; entries that fit between them.
    fn head(&self, chart: &Chart, frame: Frame) -> Result<(), Failed<DB>> {
        self.text(&chart.title, (0.0, 8.0), HPos::Left, 12.0, Token::Ink, true)?;
        let size = 12.0;
        let mut right = frame.width;
        if !chart.value.is_empty() {
            self.text(&chart.value, (right, 8.0), HPos::Right, size, Token::Ink, true)?;
            right -= text_width(&chart.value, size, true) + 12.0;
        }
        let mut room = right - text_width(&chart.title, size, true) - 12.0;
        let width = |entry: &Entry| {
            let value = text_width(&entry.value, size, true);
            (value, value + 14.0 + text_width(&entry.name, size, false))
        };
        // The first entries matter most; they stand in their order, ending at the right.
        let fits = chart.entries.iter().take_while(|entry| {
            room -= width(entry).1;
            0.0 <= room && !entry.value.is_empty()
        });
        let shown: Vec<&Entry> = fits.collect();
        for entry in shown.into_iter().rev() {
            let (value, whole) = width(entry);
            self.text(&entry.value, (right, 8.0), HPos::Right, size, Token::Ink, true)?;
            let x = right - value - 4.0;
            self.text(&entry.name, (x, 8.0), HPos::Right, size, Token::Ink2, false)?;
            right -= whole;
        }
        Ok(())
    }

    fn mark(&self, mark: Mark, x: f32, y: f32) -> Result<(), Failed<DB>> {
        match mark {
            Mark::None => Ok(()),
            Mark::Line { ink, dashed: false } => {
                self.rule((x, y), (x + 10.0, y), self.line(ink, 1.6))
            }
            Mark::Line { ink, dashed: true } => [0.0, 4.0, 8.0]
                .into_iter()
                .try_for_each(|at| self.rule((x + at, y), (x + at + 2.0, y), self.line(ink, 1.6))),
            Mark::Swatch { ink, pattern } => {
                let (left, top) = (x, y - 5.0);
                let corner = (px(left + 10.0), px(top + 10.0));
                self.area.draw(&Rectangle::new([(px(left), px(top)), corner], self.fill(ink)))?;
                let (left, right) = (px(left), px(left + 10.0));
                let edges = [(left, px(top), px(top + 10.0)), (right, px(top), px(top + 10.0))];
                let style = self.line(Token::Paper, 1.2);
                for (from, to) in texture(&edges, pattern) {
                    self.area.draw(&PathElement::new(vec![from, to], style))?;
                }
                Ok(())
            }
        }
    }

    /// Lines across the plot.
    fn grid(&self, chart: &Chart, frame: Frame) -> Result<(), Failed<DB>> {
        let hair = self.line(Token::Line, 1.0);
        let zero = std::iter::once(0.0);
        for value in zero.chain(chart.ticks.iter().map(|tick| tick.0)) {
            let y = frame.height_of(chart, value).round() + 0.5;
            self.rule((frame.labels, y), (frame.width, y), hair)?;
        }
        Ok(())
    }

    /// What the lines mean, on their right ends, and the axis below.
    fn tick_labels(&self, chart: &Chart, frame: Frame) -> Result<(), Failed<DB>> {
        let (left, top, width, height) = frame.plot(chart);
        for (value, label) in &chart.ticks {
            let y = frame.tick_height(chart, *value);
            self.text(label, (frame.width, y), HPos::Right, 11.0, Token::Ink3, false)?;
        }
        let span = (chart.x.1 - chart.x.0).max(f64::MIN_POSITIVE);
        for (value, label) in &chart.x_ticks {
            let x = left + width * ((value - chart.x.0) / span) as f32;
            let half = text_width(label, 11.0, false) / 2.0;
            let x = x.clamp(left + half, (frame.width - half).max(left + half));
            let y = top + height + FOOT / 2.0 + 2.0;
            self.text(label, (x, y), HPos::Center, 11.0, Token::Ink3, false)?;
        }
        let noted = text_width(&chart.note, 12.0, false);
        if !chart.note.is_empty() && noted <= width {
            let middle = (left + width / 2.0, top + height / 2.0);
            self.text(&chart.note, middle, HPos::Center, 12.0, Token::Ink3, false)?;
        }
        Ok(())
    }
}

/// CSS pixels in plotters' coordinates.
pub fn px(css: f32) -> i32 {
    (css * SUB as f32).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hatch_stays_inside_its_area() {
        let edges = [(0, 100, 400), (800, 300, 400)];
        let lines = texture(&edges, Pattern::Hatch);
        assert!(3 < lines.len());
        for ((x, y), (x2, y2)) in lines {
            for (x, y) in [(x, y), (x2, y2)] {
                let upper = 100 + 200 * x / 800;
                assert!(upper - SUB <= y && y <= 400, "({x}, {y})");
            }
        }
    }

    #[test]
    fn patterns_differ() {
        let edges = [(0, 0, 400), (800, 0, 400)];
        let of = |pattern| texture(&edges, pattern);
        assert!(of(Pattern::Solid) != of(Pattern::Hatch));
        assert!(of(Pattern::Hatch) != of(Pattern::Lines));
        assert!(of(Pattern::Dots) != of(Pattern::Lines));
        assert!(of(Pattern::Lines).iter().all(|(from, to)| from.1 == to.1));
    }
}
