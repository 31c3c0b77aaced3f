//! The charts: a canvas each, and one above all with playhead, marks and what is still to come.
//!
//! A frame draws one chart at most, and no chart more often than ten times a second. The playhead
//! moves with every frame. The time axis with its ticks is the scrubber above.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, HtmlElement};
use yew::prelude::*;

use plotters::drawing::IntoDrawingArea;

use crate::kernel::{SimTime, settle};
use crate::model::Command;
use crate::param::{Lang, Text};
use crate::view::Look;
use crate::view::charts::{self, Chart};
use crate::view::draw::{Anchor, Pen, Rect, Scene, Shape, Stroke, plain, pt, stroke};
use crate::view::tokens::{Theme, Token};
use crate::view::tracks::{Track, chart, charts_say, twin};
use crate::web::canvas::Canvas;
use crate::web::dom;
use crate::web::frames::LabHandle;
use crate::web::painter::{self, Painter};
use crate::web::plot::Plot;
use crate::web::stage::{SizeWatch, look_of};
use crate::world::session::Session;

const NOT_YET: Text = Text::new("not yet simulated", "尚未模拟");

/// Width of the label column, as `--gutter-label`.
const LABELS: f32 = 152.0;
/// Below this width titles stand above the plots, not beside them.
const SMALL_BELOW: f32 = 560.0;
/// Most marks through the charts.
const MOST_MARKS: usize = 200;
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

/// A chart and its canvas.
struct Picture {
    track: Track,
    canvas: Canvas,
    /// What is on the canvas.
    before: Option<Chart>,
    /// When it was drawn, and for which instant and number of events.
    at: f64,
    drawn: Option<(SimTime, u64)>,
}

/// Paints the charts.
pub struct TracksPainter {
    root: HtmlElement,
    over: Canvas,
    charts: Vec<Picture>,
    twin: Element,
    resized: Rc<Cell<bool>>,
    small: bool,
    width: f32,
    scale: f64,
    look: Option<(Lang, Theme)>,
    over_key: Option<(i64, SimTime, Vec<TrackMark>)>,
    turn: usize,
    twin_at: f64,
    twin_rows: Vec<[String; 3]>,
}

impl TracksPainter {
    /// Takes hold of the elements inside `root`.
    pub fn new(
        root: HtmlElement,
        tracks: &[Track],
        resized: Rc<Cell<bool>>,
    ) -> Option<TracksPainter> {
        let canvas = |class: &str| {
            let element = root.query_selector(class).ok()??;
            Canvas::new(element.dyn_into::<HtmlCanvasElement>().ok()?)
        };
        let charts = tracks.iter().map(|&track| {
            let canvas = canvas(&format!(".track-{}", track.key()))?;
            Some(Picture { track, canvas, before: None, at: f64::MIN, drawn: None })
        });
        Some(TracksPainter {
            over: canvas(".tracks-over")?,
            charts: charts.collect::<Option<Vec<_>>>()?,
            twin: root.query_selector(".tracks-twin").ok()??,
            resized,
            small: false,
            width: 0.0,
            scale: 1.0,
            look: None,
            over_key: None,
            turn: 0,
            twin_at: f64::MIN,
            twin_rows: Vec::new(),
            root,
        })
    }

    /// Paints what has changed. True: something still waits, call again next frame.
    fn show(&mut self, session: &Session, look: &Look) -> bool {
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
        let (now, until) = (session.now(), session.until());
        self.paint_over(now, until, &marks(session), look);
        let waiting = self.paint_next(session, look);
        self.write_twin(session, look);
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
        let tracks = self.charts.iter().map(|chart| chart.track);
        tracks.filter(|track| *track != Track::Distribution).map(|track| self.height(track)).sum()
    }

    /// Upper edge and height of what the playhead crosses: all, or the plots below their titles.
    fn plots(&self) -> Vec<(Track, f32, f32)> {
        if !self.small {
            return vec![(Track::Latency, 0.0, self.time_height())];
        }
        let mut top = 0.0;
        let mut plots = Vec::new();
        for track in self.order() {
            let (head, height) = charts::Frame::small_plot(self.height(track));
            plots.push((track, top + head, height));
            top += self.height(track);
        }
        plots
    }

    /// The charts with the time axis as they stand below each other; a small screen shows first
    /// what matters most. The style sheet has the same order.
    fn order(&self) -> Vec<Track> {
        let tracks = self.charts.iter().map(|chart| chart.track);
        let mut tracks: Vec<Track> = tracks.filter(|t| *t != Track::Distribution).collect();
        if self.small {
            let later = |track: &Track| matches!(track, Track::Depth | Track::Throughput);
            settle(&mut tracks, |a, b| !later(a) & later(b));
        }
        tracks
    }

    fn measure(&mut self) {
        let width = self.root.client_width() as f32;
        let device = dom::window().device_pixel_ratio().clamp(1.0, 3.0);
        if width == self.width && device == self.scale {
            return;
        }
        (self.width, self.scale) = (width, device);
        self.small = width < SMALL_BELOW;
        let class = if self.small { "charts small" } else { "charts" };
        let _ = self.root.set_attribute("class", class);
        self.forget();
        let size = |height: f32| {
            let device = |css: f32| ((f64::from(css) * self.scale).round() as u32).max(1);
            (device(width), device(height))
        };
        let over = size(self.time_height());
        let charts: Vec<_> =
            self.charts.iter().map(|chart| size(self.height(chart.track))).collect();
        self.over.resize(over, self.scale);
        dom::css_var(self.over.element(), "--h", &format!("{}px", self.time_height()));
        for (chart, size) in self.charts.iter_mut().zip(charts) {
            chart.canvas.resize(size, self.scale);
            let track = chart.track;
            let height = if self.small { track.small_height() } else { track.height() };
            dom::css_var(chart.canvas.element(), "--h", &format!("{height}px"));
        }
    }

    /// Everything is painted anew.
    fn forget(&mut self) {
        self.over_key = None;
        for chart in &mut self.charts {
            (chart.before, chart.at, chart.drawn) = (None, f64::MIN, None);
        }
    }

    /// Where an instant stands, in CSS pixels from the left.
    fn place(&self, at: SimTime, until: SimTime) -> f32 {
        let share = at.ns() as f64 / until.ns().max(1) as f64;
        self.labels() + (self.width - self.labels()) * share.clamp(0.0, 1.0) as f32
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
        let plots = self.plots();
        let mut rest = Scene::default();
        for (_, top, height) in plots.iter().copied() {
            let later = Rect::new(x, top, self.width - x, height);
            if 1.0 < later.w {
                rest.shapes.push(Shape::Void(later));
            }
        }
        let mut scene = Scene::default();
        not_yet(&mut scene, x, self.width, plots[0].1, look.lang);
        let mut through = |x: f32, line: Stroke| {
            for (_, top, height) in plots.iter().copied() {
                scene.path(&[pt(x, top), pt(x, top + height)], line);
            }
        };
        for mark in marks {
            let ink = if mark.bad { Token::BadInk } else { Token::LineStrong };
            let line = Stroke { ink, width: 1.0, dash: Some((2.0, 3.0)) };
            through(self.place(mark.at, until), line);
        }
        through(x, stroke(Token::Accent, 1.5));
        self.over.clear();
        self.over.paint(&rest.shapes, look.theme);
        // Stripes leave the ticks' labels free.
        for rect in self.tick_rects() {
            self.over.wipe(rect);
        }
        self.over.paint(&scene.shapes, look.theme);
    }

    /// Where the labels of all ticks stand, in the pixels of the canvas above the charts.
    fn tick_rects(&self) -> Vec<Rect> {
        let (mut rects, mut top) = (Vec::new(), 0.0);
        let least = if self.small { 12.0 } else { 11.0 };
        for track in self.order() {
            let height = self.height(track);
            let frame = charts::Frame { width: self.width, height, labels: self.labels(), least };
            let drawn = self.charts.iter().find(|chart| chart.track == track);
            if let Some(picture) = drawn.and_then(|chart| chart.before.as_ref()) {
                let moved = |rect: Rect| Rect { y: rect.y + top, ..rect };
                rects.extend(frame.tick_rects(picture).into_iter().map(moved));
            }
            top += height;
        }
        rects
    }

    /// Draws the next chart whose turn it is; true: another waits.
    fn paint_next(&mut self, session: &Session, look: &Look) -> bool {
        let (stamp, n) = (dom::wall_ms(), self.charts.len());
        let (now, until) = (session.now(), session.until());
        let state = (now, session.events());
        let mut resting = false;
        let (labels, width, scale) = (self.labels(), self.width, self.scale);
        for i in 0..n {
            let nth = (self.turn + i) % n;
            let height = self.height(self.charts[nth].track);
            let Picture { track, canvas, before, at, drawn } = &mut self.charts[nth];
            if *drawn == Some(state) {
                continue;
            }
            if stamp - *at < REST_MS {
                resting = true;
                continue;
            }
            let picture = chart(*track, session.seen(), now, until, look.lang);
            *drawn = Some(state);
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
            // New ticks may need room in the stripes.
            if before.as_ref().is_none_or(|old| old.ticks != picture.ticks) {
                self.over_key = None;
            }
            *before = Some(picture);
            self.turn = nth + 1;
            return true;
        }
        resting
    }

    fn write_twin(&mut self, session: &Session, look: &Look) {
        let stamp = dom::wall_ms();
        if stamp - self.twin_at < TWIN_MS && look.playing {
            return;
        }
        self.twin_at = stamp;
        let (seen, now, until) = (session.seen(), session.now(), session.until());
        let tracks: Vec<Track> = self.charts.iter().map(|chart| chart.track).collect();
        let rows = twin(&tracks, seen, (now, until), look.lang);
        if rows != self.twin_rows {
            let says = charts_say(seen, now, look.lang);
            let _ = self.over.element().set_attribute("aria-label", &says);
            let _ = self.twin.set_attribute("aria-label", &says);
            dom::fill_table(&self.twin, &rows);
            self.twin_rows = rows;
        }
    }
}

/// Says in the first plot that the rest is not simulated yet, if there is room.
fn not_yet(scene: &mut Scene, x: f32, right: f32, top: f32, lang: Lang) {
    let least = if lang == Lang::Zh { 12.0 } else { 11.0 };
    let mut pen = Pen { scene, least };
    let face = plain(12.0, Token::Ink3);
    let text = NOT_YET.get(lang);
    let wide = pen.width(face, text);
    if wide + 120.0 < right - x {
        let at = pt((x + right) / 2.0, top + 33.0);
        let ground = Rect::new(at.x - wide / 2.0 - 6.0, at.y - 13.0, wide + 12.0, 18.0);
        pen.scene.fill(ground, 2.0, Token::Paper);
        pen.write(at, Anchor::Middle, face, text);
    }
}

impl Painter for TracksPainter {
    fn paint(&mut self, scene: &painter::Scene<'_>) -> bool {
        self.show(scene.session, &look_of(scene, false))
    }
}

/// The faults of a run that are marked through all charts.
fn marks(session: &Session) -> Vec<TrackMark> {
    let planned = session.world().faults.iter().map(|(at, command)| (*at, command));
    let by_hand = session.log().iter().map(|logged| (logged.at, &logged.command));
    let marks = planned.chain(by_hand).filter_map(|(at, command)| {
        let bad = match command {
            Command::Crash(_) | Command::Cut(_) | Command::TurnNode { is_up: false, .. } => true,
            Command::DropNth { .. } | Command::Slow { .. } | Command::Pause(_) => false,
            _ => return None,
        };
        Some(TrackMark { at, bad })
    });
    let mut marks: Vec<TrackMark> = marks.take(MOST_MARKS).collect();
    settle(&mut marks, |a, b| (a.at, a.bad) < (b.at, b.bad));
    marks.dedup();
    marks
}

/// Properties of [`Tracks`].
#[derive(Properties, PartialEq)]
pub struct TracksProps {
    /// What is shown.
    pub lab: LabHandle,
    /// Whether the scenario has TCP.
    pub tcp: bool,
    /// Whether it has a log broker.
    pub log: bool,
}

/// The charts.
#[component]
pub fn Tracks(props: &TracksProps) -> Html {
    let root = use_node_ref();
    let (place, lab) = (root.clone(), props.lab.clone());
    use_effect_with((props.tcp, props.log), move |(tcp, log)| {
        let tracks = Track::list(*tcp, *log);
        let resized = Rc::new(Cell::new(true));
        let attached = place.cast::<HtmlElement>().and_then(|element| {
            let tracks = TracksPainter::new(element.clone(), tracks, resized.clone())?;
            let again = lab.clone();
            let watch = SizeWatch::new(&element, move || {
                resized.set(true);
                again.repaint();
            });
            Some((lab.attach(Rc::new(RefCell::new(tracks))), watch))
        });
        move || drop(attached)
    });
    let in_time =
        Track::list(props.tcp, props.log).iter().filter(|track| **track != Track::Distribution);
    html! {
        <div class="charts" ref={root}>
            <div class="tracks-time">
                { for in_time.map(|track| html! {
                    <canvas key={track.key()} aria-hidden="true"
                        class={format!("track track-{}", track.key())}></canvas>
                }) }
                <canvas class="tracks-over" role="img" aria-label="Inflight"></canvas>
            </div>
            <canvas class="track track-distribution" aria-hidden="true"></canvas>
            <table class="tracks-twin visually-hidden"></table>
        </div>
    }
}
