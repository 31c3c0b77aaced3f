//! The ladder on the page: a canvas, its tools, and what it answers to pointer and keyboard.
//!
//! What is drawn where is decided in [`crate::view::ladder`]. The stretch of time that is shown
//! belongs to the laboratory, so that keys reach it from anywhere; what is pointed at is here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, HtmlElement, PointerEvent, WheelEvent};
use yew::prelude::*;

use crate::kernel::SimTime;
use crate::param::{Lang, Text};
use crate::view::draw::{Scene, pt};
use crate::view::ladder::source::{pairs_of, tape_of};
use crate::view::ladder::{Drawn, Ladder, Pair, Sight, Window, nearest, pick};
use crate::view::{Chosen, Look};
use crate::web::act::Act;
use crate::web::canvas::Canvas;
use crate::web::dom;
use crate::web::frames::LabHandle;
use crate::web::icons::{Icon, icon};
use crate::web::painter::{self, Painter};
use crate::web::stage::{SizeWatch, look_of};

const TITLE: Text = Text::new("Ladder", "时序图");
const SAYS: Text = Text::new(
    "Ladder diagram. Arrow keys go from segment to segment, Enter chooses the message.",
    "时序图。方向键在报文段之间移动，回车选中消息。",
);
const ZOOM_IN: Text = Text::new("Zoom in (W)", "放大（W）");
const ZOOM_OUT: Text = Text::new("Zoom out (S)", "缩小（S）");
const FIT: Text = Text::new("Whole run, and back (F)", "全程 / 局部（F）");

const CAPTURE: Text =
    Text::new("Download the segments for Wireshark", "下载报文段，用 Wireshark 打开");

/// Most rows of the table for those who do not see it.
const TWIN_ROWS: usize = 60;
/// The table is written this often while time runs, in ms.
const TWIN_MS: f64 = 1_000.0;
/// Most device pixels of the canvas.
const MOST_PIXELS: f64 = 3_000_000.0;
/// Pixels of a wheel that make one step of the zoom.
const WHEEL_PX: f64 = 90.0;
/// Pixels that a pointer may move and still click.
const CLICK_PX: f32 = 4.0;

/// Everything that decides what the canvas shows.
type Shown = (SimTime, u64, Look, Window, (f32, f32), Option<u64>, bool);

/// Paints the ladder.
pub struct LadderPainter {
    root: HtmlElement,
    canvas: Canvas,
    twin: Element,
    said: Element,
    resized: Rc<Cell<bool>>,
    size: (f32, f32),
    run: Option<(u64, bool)>,
    pairs: Vec<Pair>,
    scene: Scene,
    drawn: Vec<Drawn>,
    pointed: Option<u64>,
    shown: Option<Shown>,
    twin_at: f64,
    twin_rows: Vec<[String; 3]>,
    card: String,
}

impl LadderPainter {
    /// Takes hold of the elements inside `root`.
    pub fn new(root: HtmlElement, resized: Rc<Cell<bool>>) -> Option<LadderPainter> {
        let element = root.query_selector("canvas").ok()??;
        let canvas = Canvas::new(element.dyn_into::<HtmlCanvasElement>().ok()?)?;
        Some(LadderPainter {
            canvas,
            twin: root.query_selector(".ladder-twin").ok()??,
            said: root.query_selector(".ladder-said").ok()??,
            resized,
            size: (0.0, 0.0),
            run: None,
            pairs: Vec::new(),
            scene: Scene::default(),
            drawn: Vec::new(),
            pointed: None,
            shown: None,
            twin_at: f64::MIN,
            twin_rows: Vec::new(),
            card: String::new(),
            root,
        })
    }

    fn show(&mut self, scene: &painter::Scene<'_>, look: &Look) {
        if self.resized.replace(false) {
            self.measure();
        }
        if self.size.0 < 80.0 || self.size.1 < 60.0 {
            return;
        }
        let session = scene.ahead.unwrap_or(scene.session);
        let tape = tape_of(session.seen());
        let (now, until) = (scene.session.now(), scene.session.until());
        let ahead = scene.ahead.is_some();
        self.begin(scene, pick::stretch(tape, until).filter(|_| ahead), until);
        let Some(mut sight) = scene.sight.get() else { return };
        sight.follow(now, scene.playing, until);
        scene.sight.set(Some(sight));
        let events = scene.session.world().n_events();
        let shown = (now, events, *look, sight.window, self.size, self.pointed, ahead);
        if self.shown == Some(shown) {
            return;
        }
        self.shown = Some(shown);
        let ladder = Ladder {
            tape,
            pairs: &self.pairs,
            window: sight.window,
            now,
            known: if ahead { until } else { now },
            until,
            size: self.size,
            lang: look.lang,
            chosen: look.chosen,
            pointed: self.pointed,
        };
        self.drawn = ladder.draw(&mut self.scene);
        self.canvas.clear();
        self.canvas.paint(&self.scene.shapes, look.theme);
        let wall = dom::wall_ms();
        if !look.playing || TWIN_MS <= wall - self.twin_at {
            self.twin_at = wall;
            let rows = ladder.rows(TWIN_ROWS);
            if rows != self.twin_rows {
                dom::fill_table(&self.twin, &rows);
                self.twin_rows = rows;
            }
        }
        let card = self.pointed.and_then(|index| ladder.card(index));
        let card = card.map_or(String::new(), |card| card.say());
        if card != self.card {
            self.said.set_text_content(Some(&card));
            self.card = card;
        }
    }

    /// A run that was not seen before gets its first sight, a better one once it is known.
    fn begin(&mut self, scene: &painter::Scene<'_>, stretch: Option<Window>, until: SimTime) {
        let run = Some((scene.run, scene.ahead.is_some()));
        if self.run == run && scene.sight.get().is_some() {
            return;
        }
        if self.run.map(|run| run.0) != Some(scene.run) {
            self.pointed = None;
        }
        // A setting may have made more hosts of a group.
        self.pairs = pairs_of(scene.session.scenario());
        self.run = run;
        self.shown = None;
        scene.stretch.set(stretch);
        // While a changed run is being computed, the reader goes on seeing the same stretch.
        let better = scene.ahead.is_some() && scene.sight.get().is_some_and(|s| !s.chosen);
        if better || scene.sight.get().is_none() {
            scene.sight.set(Some(Sight::first(stretch, until)));
        }
    }

    fn measure(&mut self) {
        let size = (self.root.client_width() as f32, self.root.client_height() as f32);
        let (w, h) = (f64::from(size.0), f64::from(size.1));
        let device = dom::window().device_pixel_ratio().clamp(1.0, 3.0);
        let scale = device.min((MOST_PIXELS / (w * h).max(1.0)).sqrt());
        let pixels = ((w * scale).round().max(1.0) as u32, (h * scale).round().max(1.0) as u32);
        self.canvas.resize(pixels, scale);
        self.size = size;
        self.shown = None;
    }

    /// What lies under a pointer; true: it is another segment than before.
    fn point(&mut self, at: Option<(f32, f32)>) -> bool {
        let found = at.and_then(|(x, y)| nearest(&self.drawn, pt(x, y)));
        let before = self.pointed;
        self.pointed = found.map(|drawn| drawn.index);
        before != self.pointed
    }

    /// The next segment, or the one before.
    fn walk(&mut self, forth: bool) {
        let place = self.drawn.iter().position(|d| Some(d.index) == self.pointed);
        let last = self.drawn.len().saturating_sub(1);
        let next = match (place, forth) {
            (Some(place), true) => (place + 1).min(last),
            (Some(place), false) => place.saturating_sub(1),
            (None, _) => 0,
        };
        self.pointed = self.drawn.get(next).map(|d| d.index);
    }

    /// The message at a point: of a segment, else of a bracket.
    fn message_at(&self, x: f32, y: f32) -> Chosen {
        match nearest(&self.drawn, pt(x, y)).and_then(|drawn| drawn.msg) {
            Some(msg) => Chosen::Message(msg),
            None => self.scene.at(pt(x, y)),
        }
    }

    /// The message of the segment that is pointed at.
    fn pointed_message(&self) -> Option<Chosen> {
        let drawn = self.drawn.iter().find(|d| Some(d.index) == self.pointed)?;
        drawn.msg.map(Chosen::Message)
    }
}

impl Painter for LadderPainter {
    fn paint(&mut self, scene: &painter::Scene<'_>) -> bool {
        self.show(scene, &look_of(scene, false));
        false
    }
}

/// Properties of [`LadderPanel`].
#[derive(Properties, PartialEq)]
pub struct LadderProps {
    /// What is shown.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// Inside another page's frame.
    #[prop_or_default]
    pub embed: bool,
}

/// A pointer that is down: which, where it was last, whether it has moved.
type Down = Vec<(i32, f32, f32, bool)>;

/// The ladder with its tools.
#[component]
pub fn LadderPanel(props: &LadderProps) -> Html {
    let LadderProps { lab, lang, .. } = props;
    let root = use_node_ref();
    let painter = use_mut_ref(|| None::<Rc<RefCell<LadderPainter>>>);
    let down = use_mut_ref(Down::new);
    let held = (root.clone(), painter.clone(), lab.clone());
    use_effect_with((), move |()| {
        let (root, painter, lab) = held;
        let attached =
            root.cast::<HtmlElement>().and_then(|element| attach(&element, &painter, &lab));
        move || {
            *painter.borrow_mut() = None;
            drop(attached);
        }
    });
    let hand = Hand { root: root.clone(), painter, down, lab: lab.clone() };
    let on = |call: fn(&Hand, PointerEvent)| {
        let hand = hand.clone();
        Callback::from(move |event: PointerEvent| call(&hand, event))
    };
    let keys = hand.clone();
    let onkeydown = Callback::from(move |event: KeyboardEvent| keys.key(&event));
    let blurred = hand.clone();
    let onblur = Callback::from(move |_: FocusEvent| blurred.leave());
    let tool = |word: Text, shape: Icon, act: Act| {
        let lab = lab.clone();
        let onclick = Callback::from(move |_: MouseEvent| lab.act(act.clone()));
        html! {
            <button type="button" class="btn icon" aria-label={word.get(*lang)}
                title={word.get(*lang)} {onclick}>{ icon(shape) }</button>
        }
    };
    let file = lab.clone();
    let capture = Callback::from(move |_: MouseEvent| file.act(Act::Capture));
    html! {
        <section class="ladder" aria-labelledby="ladder-title">
            <header>
                <h2 id="ladder-title">{ TITLE.get(*lang) }</h2>
                <span class="grow"></span>
                { tool(ZOOM_OUT, Icon::Minus, Act::Zoom { steps: -1.0, around: None }) }
                { tool(ZOOM_IN, Icon::Plus, Act::Zoom { steps: 1.0, around: None }) }
                { tool(FIT, Icon::Fit, Act::Fit) }
                // A frame may forbid downloads without a word: there one opens the page itself.
                if !props.embed {
                    <button type="button" class="btn" title={CAPTURE.get(*lang)}
                        onclick={capture}>{ icon(Icon::Download) }{ "pcapng" }</button>
                }
            </header>
            <div class="ladder-view" ref={root} tabindex="0" role="group"
                aria-label={SAYS.get(*lang)}
                onpointermove={on(Hand::moved)} onpointerdown={on(Hand::pressed)}
                onpointerup={on(Hand::released)} onpointercancel={on(Hand::cancelled)}
                onpointerleave={on(Hand::left)} {onkeydown} {onblur}>
                <canvas aria-hidden="true"></canvas>
                <table class="ladder-twin visually-hidden"></table>
                <p class="ladder-said visually-hidden" aria-live="polite"></p>
            </div>
        </section>
    }
}

/// Lets the frame loop paint the ladder, and listens to the wheel, which may not be passive.
fn attach(
    element: &HtmlElement,
    painter: &Rc<RefCell<Option<Rc<RefCell<LadderPainter>>>>>,
    lab: &LabHandle,
) -> Option<(crate::web::frames::Attached, SizeWatch, dom::Listener)> {
    let resized = Rc::new(Cell::new(true));
    let ladder = LadderPainter::new(element.clone(), resized.clone())?;
    let ladder = Rc::new(RefCell::new(ladder));
    *painter.borrow_mut() = Some(ladder.clone());
    let again = lab.clone();
    let watch = SizeWatch::new(element, move || {
        resized.set(true);
        again.repaint();
    });
    let (turned, ground) = (lab.clone(), element.clone());
    let wheel = dom::Listener::new(element, "wheel", move |event| {
        if let Some(event) = event.dyn_ref::<WheelEvent>() {
            wheel(&turned, &ground, event);
        }
    });
    Some((lab.attach(ladder), watch, wheel))
}

/// With Ctrl (or two fingers on a pad) a wheel zooms, else it moves in time while there is time to
/// move to; at the ends the page scrolls.
fn wheel(lab: &LabHandle, ground: &HtmlElement, event: &WheelEvent) {
    let height = f64::from(ground.client_height().max(1));
    let lines = if event.delta_mode() == 0 { 1.0 } else { 16.0 };
    let by = event.delta_y() * lines;
    if event.ctrl_key() || event.meta_key() {
        event.prevent_default();
        let around =
            (f64::from(event.client_y()) - ground.get_bounding_client_rect().top()) / height;
        lab.act(Act::Zoom { steps: -by / WHEEL_PX, around: Some(around) });
        return;
    }
    let moves = lab.with(|lab| {
        let until = lab.session.until();
        lab.sight.get().is_some_and(|mut sight| sight.pan(by / height, until))
    });
    if moves {
        event.prevent_default();
        lab.act(Act::Pan(by / height));
    }
}

/// What pointer and keyboard do to a ladder.
#[derive(Clone)]
struct Hand {
    root: NodeRef,
    painter: Rc<RefCell<Option<Rc<RefCell<LadderPainter>>>>>,
    down: Rc<RefCell<Down>>,
    lab: LabHandle,
}

impl Hand {
    /// Where an event is, and the height of the ladder.
    fn place(&self, event: &PointerEvent) -> Option<(f32, f32, f32)> {
        let root = self.root.cast::<Element>()?;
        let corner = root.get_bounding_client_rect();
        let x = f64::from(event.client_x()) - corner.left();
        let y = f64::from(event.client_y()) - corner.top();
        Some((x as f32, y as f32, corner.height().max(1.0) as f32))
    }

    fn with(&self, call: impl FnOnce(&mut LadderPainter)) {
        if let Some(painter) = self.painter.borrow().as_ref() {
            call(&mut painter.borrow_mut());
        }
    }

    fn pressed(&self, event: PointerEvent) {
        let Some((x, y, _)) = self.place(&event) else { return };
        self.down.borrow_mut().push((event.pointer_id(), x, y, false));
        if let (Some(root), "mouse") = (self.root.cast::<Element>(), event.pointer_type().as_str())
        {
            // Fails only for a pointer that is gone.
            let _ = root.set_pointer_capture(event.pointer_id());
        }
    }

    /// One pointer drags the ladder, two zoom it; one that is up points.
    fn moved(&self, event: PointerEvent) {
        let Some((x, y, height)) = self.place(&event) else { return };
        let mut down = self.down.borrow_mut();
        let Some(own) = down.iter().position(|p| p.0 == event.pointer_id()) else {
            drop(down);
            let mut changed = false;
            self.with(|ladder| changed = ladder.point(Some((x, y))));
            if changed {
                self.lab.repaint();
            }
            return;
        };
        let (_, _, before, moved) = down[own];
        if let [a, b, ..] = down.as_slice() {
            let other = if own == 0 { b.2 } else { a.2 };
            let (old, new) = ((before - other).abs().max(20.0), (y - other).abs().max(20.0));
            // A step of the zoom is a factor of 1.5.
            let steps = libm::log(f64::from(new / old)) / libm::log(1.5);
            let around = f64::from((y + other) / 2.0 / height);
            self.lab.act(Act::Zoom { steps, around: Some(around) });
        } else if event.pointer_type() == "mouse" && (moved || CLICK_PX < (y - before).abs()) {
            self.lab.act(Act::Pan(f64::from((before - y) / height)));
        } else {
            return;
        }
        down[own] = (event.pointer_id(), x, y, true);
    }

    fn released(&self, event: PointerEvent) {
        let Some((x, y, _)) = self.place(&event) else { return };
        let mut down = self.down.borrow_mut();
        let Some(own) = down.iter().position(|p| p.0 == event.pointer_id()) else { return };
        let (_, x0, y0, moved) = down.remove(own);
        if moved || CLICK_PX * 2.0 < (x - x0).abs() + (y - y0).abs() {
            return;
        }
        let mut chosen = Chosen::Nothing;
        self.with(|ladder| {
            ladder.point(Some((x, y)));
            chosen = ladder.message_at(x, y);
        });
        match chosen {
            Chosen::Nothing => self.lab.repaint(),
            chosen => self.lab.act(Act::Choose(chosen)),
        }
    }

    fn cancelled(&self, event: PointerEvent) {
        self.down.borrow_mut().retain(|p| p.0 != event.pointer_id());
    }

    fn left(&self, event: PointerEvent) {
        if self.down.borrow().is_empty() && event.pointer_type() == "mouse" {
            self.leave();
        }
    }

    fn leave(&self) {
        self.with(|ladder| {
            ladder.point(None);
        });
        self.lab.repaint();
    }

    /// Arrows walk from segment to segment, Enter chooses, Escape lets go.
    fn key(&self, event: &KeyboardEvent) {
        match event.key().as_str() {
            "ArrowDown" => self.with(|ladder| ladder.walk(true)),
            "ArrowUp" => self.with(|ladder| ladder.walk(false)),
            "Enter" => {
                let mut chosen = None;
                self.with(|ladder| chosen = ladder.pointed_message());
                if let Some(chosen) = chosen {
                    self.lab.act(Act::Choose(chosen));
                }
            }
            "Escape" => {
                self.with(|ladder| {
                    ladder.point(None);
                });
                self.lab.repaint();
                return;
            }
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
        self.lab.repaint();
    }
}
