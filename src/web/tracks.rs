//! The charts: a canvas each, and one above all with playhead, fault marks and what is still to come.
//!
//! The page's frame loop calls [`TracksPainter::paint`]; a call draws one chart at most, and no
//! chart more often than ten times a second. The playhead moves with every frame.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, HtmlElement};
use yew::prelude::*;

use plotters::drawing::IntoDrawingArea;

use crate::kernel::SimTime;
use crate::param::{Lang, Text};
use crate::view::Look;
use crate::view::charts::{self, Chart};
use crate::view::draw::{Anchor, Pen, Rect, Scene, Shape, Stroke, plain, pt, stroke};
use crate::view::tokens::{Theme, Token};
use crate::view::tracks::{Track, chart, charts_say, time_ticks, twin};
use crate::web::canvas::Canvas;
use crate::web::dom;
use crate::web::plot::Plot;
use crate::web::slot::Slot;
use crate::web::stage::{Shown, observe_size};

const NOT_YET: Text = Text::new("not yet simulated", "尚未模拟");

/// Width of the label column, as `--gutter-label`.
const LABELS: f32 = 152.0;
/// Height of the time axis.
const AXIS: f32 = 20.0;
/// A chart rests so long between pictures, in ms.
const REST_MS: f64 = 100.0;
/// The twin is written this often while time runs.
const TWIN_MS: f64 = 1_000.0;

/// An instant that is marked through all charts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TrackMark {
    /// When.
    pub at: SimTime,
    /// Something went wrong there.
    pub bad: bool,
}

/// Paints the charts.
pub struct TracksPainter {
    root: HtmlElement,
    axis: Canvas,
    over: Canvas,
    charts: Vec<(Track, Canvas, Option<Chart>, f64)>,
    twin: Element,
    resized: Rc<Cell<bool>>,
    small: bool,
    width: f32,
    scale: f64,
    look: Option<(Lang, Theme)>,
    over_key: Option<(i64, SimTime, Vec<TrackMark>)>,
    axis_key: Option<SimTime>,
    turn: usize,
    twin_at: f64,
    twin_rows: Vec<[String; 3]>,
}

impl TracksPainter {
    /// Takes hold of the elements inside `root`. `small`: titles stand above the plots.
    pub fn new(root: HtmlElement, small: bool, resized: Rc<Cell<bool>>) -> Option<TracksPainter> {
        let canvas = |class: &str| {
            let element = root.query_selector(class).ok()??;
            Canvas::new(element.dyn_into::<HtmlCanvasElement>().ok()?)
        };
        let charts = Track::ALL.into_iter().map(|track| {
            Some((track, canvas(&format!(".track-{}", track.key()))?, None, f64::MIN))
        });
        Some(TracksPainter {
            axis: canvas(".tracks-axis")?,
            over: canvas(".tracks-over")?,
            charts: charts.collect::<Option<Vec<_>>>()?,
            twin: root.query_selector(".tracks-twin").ok()??,
            resized,
            small,
            width: 0.0,
            scale: 1.0,
            look: None,
            over_key: None,
            axis_key: None,
            turn: 0,
            twin_at: f64::MIN,
            twin_rows: Vec::new(),
            root,
        })
    }

    /// Paints what has changed. True: something still waits, call again next frame.
    pub fn paint(
        &mut self,
        shown: Shown<'_>,
        until: SimTime,
        marks: &[TrackMark],
        look: &Look,
    ) -> bool {
        if self.resized.replace(false) {
            self.measure();
        }
        if self.width < 40.0 {
            return false;
        }
        if self.look != Some((look.lang, look.theme)) {
            self.look = Some((look.lang, look.theme));
            self.forget();
        }
        let now = shown.world.now();
        if self.axis_key != Some(until) {
            self.axis_key = Some(until);
            self.paint_axis(until, look);
        }
        self.paint_over(now, until, marks, look);
        let waiting = self.paint_next(shown, until, look);
        self.write_twin(shown, until, look);
        waiting
    }

    fn labels(&self) -> f32 {
        if self.small { 0.0 } else { LABELS }
    }

    fn height(&self, track: Track) -> f32 {
        if self.small { track.small_height() } else { track.height() }
    }

    /// Height of the charts that share the time axis.
    fn time_height(&self) -> f32 {
        let shared = self.charts.iter().filter(|(track, ..)| *track != Track::Distribution);
        shared.map(|(track, ..)| self.height(*track)).sum()
    }

    fn measure(&mut self) {
        let width = self.root.client_width() as f32;
        let device = dom::window().device_pixel_ratio().clamp(1.0, 3.0);
        if width == self.width && device == self.scale {
            return;
        }
        (self.width, self.scale) = (width, device);
        self.forget();
        let size = |height: f32| {
            let device = |css: f32| ((f64::from(css) * self.scale).round() as u32).max(1);
            (device(width), device(height))
        };
        let (axis, over) = (size(AXIS), size(self.time_height()));
        let charts: Vec<_> =
            self.charts.iter().map(|(track, ..)| size(self.height(*track))).collect();
        self.axis.resize(axis, self.scale);
        self.over.resize(over, self.scale);
        dom::css_var(self.over.element(), "--h", &format!("{}px", self.time_height()));
        dom::css_var(self.axis.element(), "--h", &format!("{AXIS}px"));
        for (chart, size) in self.charts.iter_mut().zip(charts) {
            chart.1.resize(size, self.scale);
            let height = if self.small { chart.0.small_height() } else { chart.0.height() };
            dom::css_var(chart.1.element(), "--h", &format!("{height}px"));
        }
    }

    /// Everything is painted anew.
    fn forget(&mut self) {
        self.over_key = None;
        self.axis_key = None;
        for chart in &mut self.charts {
            (chart.2, chart.3) = (None, f64::MIN);
        }
    }

    /// Where an instant stands, in CSS pixels from the left.
    fn place(&self, at: SimTime, until: SimTime) -> f32 {
        let share = at.ns() as f64 / until.ns().max(1) as f64;
        self.labels() + (self.width - self.labels()) * share.clamp(0.0, 1.0) as f32
    }

    fn paint_axis(&mut self, until: SimTime, look: &Look) {
        let mut scene = Scene::default();
        let least = if look.lang == Lang::Zh || self.small { 12.0 } else { 11.0 };
        let mut pen = Pen { scene: &mut scene, least };
        let (left, width) = (self.labels(), self.width - self.labels());
        for (share, label) in time_ticks(until, width) {
            let face = plain(11.0, Token::Ink3);
            let half = pen.width(face, &label) / 2.0;
            let x = left + width * share as f32;
            let x = x.clamp(left + half, self.width - half);
            pen.write(pt(x, 14.0), Anchor::Middle, face, &label);
        }
        self.axis.clear();
        self.axis.paint(&scene.shapes, look.theme);
    }

    /// The playhead, the marks, and what is not simulated yet.
    fn paint_over(&mut self, now: SimTime, until: SimTime, marks: &[TrackMark], look: &Look) {
        let x = self.place(now, until);
        // Half a device pixel is the least that can be seen.
        let key = (f64::from(x) * self.scale * 2.0) as i64;
        if self.over_key.as_ref().is_some_and(|(k, u, m)| *k == key && *u == until && m == marks) {
            return;
        }
        self.over_key = Some((key, until, marks.to_vec()));
        let height = self.time_height();
        let mut scene = Scene::default();
        let rest = Rect::new(x, 0.0, self.width - x, height);
        if 1.0 < rest.w {
            scene.shapes.push(Shape::Void(rest));
            let least = if look.lang == Lang::Zh { 12.0 } else { 11.0 };
            let mut pen = Pen { scene: &mut scene, least };
            let face = plain(12.0, Token::Ink3);
            let text = NOT_YET.get(look.lang);
            let wide = pen.width(face, text);
            if wide + 120.0 < rest.w {
                let at = pt(rest.centre().x, 34.0);
                let ground = Rect::new(at.x - wide / 2.0 - 6.0, at.y - 13.0, wide + 12.0, 18.0);
                pen.scene.fill(ground, 2.0, Token::Paper);
                pen.write(at, Anchor::Middle, face, text);
            }
        }
        for mark in marks {
            let x = self.place(mark.at, until);
            let ink = if mark.bad { Token::BadInk } else { Token::LineStrong };
            let line = Stroke { ink, width: 1.0, dash: Some((2.0, 3.0)) };
            scene.path(&[pt(x, 0.0), pt(x, height)], line);
        }
        scene.path(&[pt(x, 0.0), pt(x, height)], stroke(Token::Accent, 1.5));
        self.over.clear();
        self.over.paint(&scene.shapes, look.theme);
    }

    /// Draws the next chart whose turn it is; true: another waits.
    fn paint_next(&mut self, shown: Shown<'_>, until: SimTime, look: &Look) -> bool {
        let (stamp, n) = (dom::wall_ms(), self.charts.len());
        let now = shown.world.now();
        let (labels, width, scale) = (self.labels(), self.width, self.scale);
        for i in 0..n {
            let nth = (self.turn + i) % n;
            let height = self.height(self.charts[nth].0);
            let (track, canvas, before, at) = &mut self.charts[nth];
            if stamp - *at < REST_MS {
                continue;
            }
            let picture = chart(*track, shown.seen, now, until, look.lang);
            *at = stamp;
            if before.as_ref() == Some(&picture) {
                continue;
            }
            let least = if look.lang == Lang::Zh || labels == 0.0 { 12.0 } else { 11.0 };
            let frame = charts::Frame { width, height, labels, least };
            canvas.clear();
            let plot = Plot::new(canvas.context(), (width, height), scale);
            // A canvas never refuses; a range without extent draws nothing.
            let _ = charts::draw(&plot.into_drawing_area(), &picture, frame, look.theme);
            *before = Some(picture);
            self.turn = nth + 1;
            return true;
        }
        false
    }

    fn write_twin(&mut self, shown: Shown<'_>, until: SimTime, look: &Look) {
        let stamp = dom::wall_ms();
        if stamp - self.twin_at < TWIN_MS && (look.playing || !self.twin_rows.is_empty()) {
            return;
        }
        self.twin_at = stamp;
        let now = shown.world.now();
        let rows = twin(shown.seen, now, until, look.lang);
        if rows != self.twin_rows {
            let says = charts_say(shown.seen, now, look.lang);
            let _ = self.over.element().set_attribute("aria-label", &says);
            dom::fill_table(&self.twin, &rows);
            self.twin_rows = rows;
        }
    }
}

/// Properties of [`Tracks`].
#[derive(Properties, PartialEq)]
pub struct TracksProps {
    /// Where the painter is put.
    pub slot: Slot<TracksPainter>,
    /// Titles stand above the plots, not beside them.
    #[prop_or_default]
    pub small: bool,
    /// The charts have another size and want to be painted.
    pub wake: Callback<()>,
}

/// The charts.
#[component]
pub fn Tracks(props: &TracksProps) -> Html {
    let root = use_node_ref();
    let held = (props.slot.clone(), props.wake.clone());
    let place = root.clone();
    use_effect_with(props.small, move |small| {
        let (slot, wake) = held;
        let resized = Rc::new(Cell::new(true));
        let observed = place.cast::<HtmlElement>().and_then(|element| {
            slot.set(TracksPainter::new(element.clone(), *small, resized.clone())?);
            let observer = observe_size(&element, resized, wake);
            Some(observer)
        });
        move || {
            slot.clear();
            drop(observed);
        }
    });
    html! {
        <div class="charts" ref={root}>
            <canvas class="tracks-axis" aria-hidden="true"></canvas>
            <div class="tracks-time">
                <canvas class="track track-latency" aria-hidden="true"></canvas>
                <canvas class="track track-depth" aria-hidden="true"></canvas>
                <canvas class="track track-throughput" aria-hidden="true"></canvas>
                <canvas class="track track-causes" aria-hidden="true"></canvas>
                <canvas class="tracks-over" role="img" aria-label="Inflight"></canvas>
            </div>
            <canvas class="track track-distribution" aria-hidden="true"></canvas>
            <table class="tracks-twin visually-hidden"></table>
        </div>
    }
}
