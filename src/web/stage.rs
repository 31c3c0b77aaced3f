//! The stage: two canvases, real buttons over them, and a table twin for those who do not see.
//!
//! The component only makes the elements and lets the frame loop paint a [`StagePainter`], which
//! decides what has to be done. The back canvas is the raster of moving dots; the front one holds
//! cards and words and is painted when they change.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Uint8ClampedArray, Uint32Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, HtmlCanvasElement, HtmlElement, ImageData, MouseEvent, ResizeObserver};
use yew::prelude::*;

use crate::kernel::SimTime;
use crate::model::ActorId;
use crate::view::caption;
use crate::view::draw::{Glyph, Scene, pt};
use crate::view::frame::Frame;
use crate::view::inspect::cast_of;
use crate::view::layout::{Layout, Plan, Room, is_of_scripts, layout};
use crate::view::scene::{self, Button, Staged, TAILED, TwinRow};
use crate::view::words::Cast;
use crate::view::{Act as Does, Chosen, Look, Theme};
use crate::web::act::Act;
use crate::web::canvas::Canvas;
use crate::web::dom;
use crate::web::frames::LabHandle;
use crate::web::painter::{self, Painter};
use crate::web::raster::Raster;
use crate::world::scenario::Scenario;
use crate::world::session::Session;

/// Most device pixels of a canvas of the stage.
const MOST_PIXELS: f64 = 2_000_000.0;
/// Beyond so many cards the front canvas rests this long between pictures, in ms.
const MANY_CARDS: usize = 40;
const MANY_CARDS_REST_MS: f64 = 60.0;
/// The twin is written this often while time runs.
const TWIN_MS: f64 = 1_000.0;
/// From this height on a frame shows whole cards.
const ROOMY: f32 = 276.0;
/// The highest stage of scripts on a phone.
const SCRIPTS_ON_PHONE: f32 = 240.0;
/// A dot's tail is a fifth of the way, at most so many pixels.
const TAIL_PX: f32 = 36.0;
/// How far from a dot a pointer may be.
const REACH: f32 = 14.0;

/// Paints the stage.
pub struct StagePainter {
    root: HtmlElement,
    back: Canvas,
    front: Canvas,
    objects: Element,
    twin: Element,
    raster: Raster,
    image: Option<(Uint32Array, ImageData)>,
    fill: bool,
    resized: Rc<Cell<bool>>,
    room: Room,
    scale: f64,
    plan: Plan,
    layout: Layout,
    frame: Frame,
    cast: Cast,
    scene: Scene,
    painted: Scene,
    buttons: Vec<Button>,
    last: Option<(SimTime, u64, Look)>,
    front_at: f64,
    twin_at: f64,
    twin_rows: Vec<TwinRow>,
}

impl StagePainter {
    /// Takes hold of the elements inside `root`. `fill`: the parent decides the height.
    pub fn new(root: HtmlElement, fill: bool, resized: Rc<Cell<bool>>) -> Option<StagePainter> {
        let canvas = |class: &str| {
            let element = root.query_selector(class).ok()??;
            Canvas::new(element.dyn_into::<HtmlCanvasElement>().ok()?)
        };
        Some(StagePainter {
            back: canvas(".stage-back")?,
            front: canvas(".stage-front")?,
            objects: root.query_selector(".stage-objects").ok()??,
            twin: root.query_selector(".stage-twin").ok()??,
            raster: Raster::default(),
            image: None,
            fill,
            resized,
            room: Room { width: 0.0, height: 0.0, embed: fill, caption: false, fill },
            scale: 1.0,
            plan: Plan::default(),
            layout: Layout::default(),
            frame: Frame::default(),
            cast: Cast::default(),
            scene: Scene::default(),
            painted: Scene::default(),
            buttons: Vec::new(),
            last: None,
            front_at: 0.0,
            twin_at: 0.0,
            twin_rows: Vec::new(),
            root,
        })
    }

    /// Paints what has changed. True: something still waits, call again next frame.
    fn show(&mut self, session: &Session, look: &Look) -> bool {
        let world = session.world();
        let state = (session.now(), world.n_events(), *look);
        let resized = self.resized.replace(false);
        if !resized && self.last == Some(state) {
            self.write_twin(look);
            return false;
        }
        let theme_changed = self.last.is_none_or(|(_, _, before)| before.theme != look.theme);
        self.last = Some(state);
        self.frame = Frame::of(world, look.speed);
        self.frame.light(session.seen().trace.facts().rev(), look.speed);
        if !is_cast_of(&self.cast, session.scenario()) {
            self.cast = cast_of(session.scenario());
        }
        let plan = scene::plan(&self.frame, &self.cast);
        let measured = resized || self.room.width == 0.0;
        let room = if measured { self.measure(look, is_of_scripts(&plan)) } else { self.room };
        let placed_anew = plan != self.plan || room != self.room || theme_changed;
        if placed_anew {
            (self.plan, self.room) = (plan, room);
            self.layout = layout(&self.plan, self.room);
            self.place_anew(look);
        }
        self.paint_dots();
        self.write_twin(look);
        self.paint_front(session, look, placed_anew)
    }

    /// What lies at a point of the stage, in CSS pixels from its corner.
    pub fn hit(&self, x: f32, y: f32) -> Chosen {
        let Some((_, _, look)) = self.last else { return Chosen::Nothing };
        let at = pt(x, y);
        let found = self.painted.at(at);
        if matches!(found, Chosen::Message(_) | Chosen::Actor(_)) {
            return found;
        }
        match scene::dot_at(&self.staged(look), at, REACH) {
            Chosen::Nothing => found,
            dot => dot,
        }
    }

    /// What the `nth` button of the stage does.
    pub fn act(&self, nth: usize) -> Option<Act> {
        self.buttons.get(nth).map(|button| Act::Do(button.act.command()))
    }

    fn staged(&self, look: Look) -> Staged<'_> {
        Staged { frame: &self.frame, layout: &self.layout, cast: &self.cast, look }
    }

    /// The room that the page leaves for the stage.
    fn measure(&self, look: &Look, scripts: bool) -> Room {
        let width = self.root.client_width() as f32;
        let window = dom::window().inner_height().ok().and_then(|h| h.as_f64()).unwrap_or(800.0);
        let height = if self.fill {
            self.root.client_height() as f32
        } else if scripts && width < 520.0 {
            // On a phone the ladder below needs the room: cards of two lines.
            SCRIPTS_ON_PHONE
        } else if width < 800.0 {
            (window * 0.5).max(362.0) as f32
        } else {
            (window * 0.42).clamp(276.0, 460.0) as f32
        };
        // A frame with room for whole cards shows them; a low one gets the small ones.
        let embed = look.embed && height < ROOMY;
        Room { width, height, embed, caption: !embed && 480.0 <= width, fill: self.fill }
    }

    /// The scene has other places: canvases, ground and height follow.
    fn place_anew(&mut self, look: &Look) {
        let (w, h) = (f64::from(self.layout.width), f64::from(self.layout.height));
        let h = if self.fill { h.max(f64::from(self.room.height)) } else { h };
        self.layout.height = h as f32;
        if !self.fill {
            dom::css_var(&self.root, "--stage-height", &format!("{h}px"));
        }
        let device = dom::window().device_pixel_ratio().clamp(1.0, 3.0);
        self.scale = device.min((MOST_PIXELS / (w * h).max(1.0)).sqrt());
        let size = ((w * self.scale).round() as u32, (h * self.scale).round() as u32);
        let size = (size.0.max(1), size.1.max(1));
        self.back.resize(size, self.scale);
        self.front.resize(size, self.scale);
        self.raster.prepare(&self.layout, size, self.scale as f32, look.theme);
        let pixels = Uint32Array::new_with_length(size.0 * size.1);
        let bytes = Uint8ClampedArray::new(&pixels.buffer());
        let image = ImageData::new_with_js_u8_clamped_array_and_sh(&bytes, size.0, size.1);
        self.image = image.ok().map(|image| (pixels, image));
        self.painted.clear();
        self.buttons.clear();
    }

    fn paint_dots(&mut self) {
        let dots = &self.frame.dots;
        self.raster.begin();
        self.raster.set_radius(scene::radius(dots.len()));
        for (path, pipe) in self.frame.paths.iter().zip(&self.layout.pipes) {
            if let (true, Some(rate)) = (path.is_flow, path.rate) {
                // Twice as wide for each tenfold of the rate at which a flow begins.
                let share = libm::log10((rate / 2_000.0).max(1.0)).min(2.0) as f32;
                self.raster.band(pipe, pipe.width * (0.3 + 0.25 * share), Glyph::Flight);
            }
        }
        if dots.len() <= TAILED {
            for dot in dots.iter().filter(|dot| dot.in_line == 0 && has_tail(dot.glyph)) {
                let pipe = &self.layout.pipes[dot.channel.index()];
                let tail = (TAIL_PX / pipe.length.max(1.0)).min(0.2);
                let behind = if dot.back { dot.at + tail } else { dot.at - tail };
                self.raster.tail(&pipe.part(dot.at.min(behind), dot.at.max(behind)), dot.glyph);
            }
        }
        for dot in dots {
            if let Some(at) = scene::place_of(&self.layout, dot) {
                self.raster.dot(at, dot.glyph);
            }
        }
        if let Some((pixels, image)) = &self.image {
            pixels.copy_from(self.raster.pixels());
            // Fails only for an image that is gone.
            let _ = self.back.context().put_image_data(image, 0.0, 0.0);
        }
    }

    /// Paints cards and words if they changed; true: it waits for a later frame.
    fn paint_front(&mut self, session: &Session, look: &Look, anew: bool) -> bool {
        let now = dom::wall_ms();
        let many = MANY_CARDS < self.frame.cards.len() && look.playing;
        if many && !anew && now - self.front_at < MANY_CARDS_REST_MS {
            return true;
        }
        self.front_at = now;
        let newest = session.seen().trace.facts().rev();
        let caption = caption::last(newest, session.now(), &self.cast, look);
        let mut scene = std::mem::take(&mut self.scene);
        let buttons = self.staged(*look).compose(caption.as_ref(), &mut scene);
        if scene != self.painted {
            self.front.clear();
            self.front.paint(&scene.shapes, look.theme);
            std::mem::swap(&mut self.painted, &mut scene);
        }
        self.scene = scene;
        if buttons != self.buttons || anew {
            self.buttons = buttons;
            self.make_objects(look);
        }
        false
    }

    /// Real buttons over the cards and where the stage has buttons.
    fn make_objects(&self, look: &Look) {
        let document = dom::document();
        let focused =
            document.active_element().and_then(|element| element.get_attribute("data-object"));
        self.objects.set_text_content(None);
        let add = |class: &str, key: &str, text: &str, said: &str, rect| {
            let Ok(element) = document.create_element("button") else { return };
            let _ = element.set_attribute("type", "button");
            let _ = element.set_attribute("class", class);
            let _ = element.set_attribute("data-object", key);
            let _ = element.set_attribute("aria-label", said);
            element.set_text_content(Some(text));
            place(&element, rect);
            let _ = self.objects.append_child(&element);
            let again = focused.as_deref() == Some(key);
            if let (true, Some(element)) = (again, element.dyn_ref::<HtmlElement>()) {
                let _ = element.focus();
            }
        };
        for n in scene::tab_order(&self.layout) {
            let actor = ActorId(n as u16);
            let name = self.cast.name(actor, look.lang);
            add("stage-card", &format!("card-{n}"), "", name, self.layout.places[n].rect);
            let own = |button: &&Button| match button.act {
                Does::Crash(a) | Does::Restart(a) | Does::Resume(a) | Does::Send(a) => a == actor,
            };
            if let Some(button) = self.buttons.iter().find(own) {
                let nth = self.buttons.iter().position(|b| b == button).unwrap_or(0);
                let key = format!("act-{nth}");
                add("stage-act", &key, &button.label, &button.said, button.rect);
            }
        }
    }

    /// Writes the label and the table, when time stands or once a second.
    fn write_twin(&mut self, look: &Look) {
        let now = dom::wall_ms();
        if look.playing && now - self.twin_at < TWIN_MS {
            return;
        }
        self.twin_at = now;
        let rows = scene::twin(&self.frame, &self.cast, look.lang);
        if rows == self.twin_rows {
            return;
        }
        let says = scene::stage_says(&self.frame, look.lang);
        let _ = self.front.element().set_attribute("aria-label", &says);
        let _ = self.twin.set_attribute("aria-label", &says);
        dom::fill_table(&self.twin, &rows);
        self.twin_rows = rows;
    }
}

/// Whether the names are those of the scenario; looked at every frame, so without copies.
fn is_cast_of(cast: &Cast, scenario: &Scenario) -> bool {
    let names = scenario.actors.iter().map(|actor| &actor.name);
    let ends = scenario.channels.iter().map(|c| (ActorId(c.from), ActorId(c.to)));
    names.eq(cast.names.iter()) && ends.eq(cast.ends.iter().copied())
}

fn has_tail(glyph: Glyph) -> bool {
    matches!(glyph, Glyph::Flight | Glyph::Again | Glyph::Twice)
}

/// Puts an element at a place of the stage.
fn place(element: &Element, rect: crate::view::draw::Rect) {
    let set = |name, value: f32| dom::css_var(element, name, &format!("{value}px"));
    set("left", rect.x);
    set("top", rect.y);
    set("width", rect.w);
    set("height", rect.h);
}

impl Painter for StagePainter {
    fn paint(&mut self, scene: &painter::Scene<'_>) -> bool {
        self.show(scene.session, &look_of(scene, self.fill))
    }
}

/// How a painter's scene is looked at.
pub fn look_of(scene: &painter::Scene<'_>, embed: bool) -> Look {
    Look {
        lang: scene.lang,
        theme: if scene.dark { Theme::Dark } else { Theme::Light },
        chosen: scene.chosen,
        speed: scene.speed,
        playing: scene.playing,
        embed,
    }
}

/// Properties of [`Stage`].
#[derive(Properties, PartialEq)]
pub struct StageProps {
    /// What is shown.
    pub lab: LabHandle,
    /// Inside a frame: the parent decides the height.
    #[prop_or_default]
    pub fill: bool,
}

/// The stage.
#[component]
pub fn Stage(props: &StageProps) -> Html {
    let root = use_node_ref();
    let painter = use_mut_ref(|| None::<Rc<RefCell<StagePainter>>>);
    let held = (root.clone(), painter.clone(), props.lab.clone());
    use_effect_with(props.fill, move |fill| {
        let (root, painter, lab) = held;
        let resized = Rc::new(Cell::new(true));
        let attached = root.cast::<HtmlElement>().and_then(|element| {
            let stage = StagePainter::new(element.clone(), *fill, resized.clone())?;
            let stage = Rc::new(RefCell::new(stage));
            *painter.borrow_mut() = Some(stage.clone());
            let again = lab.clone();
            let watch = SizeWatch::new(&element, move || {
                resized.set(true);
                again.repaint();
            });
            Some((lab.attach(stage), watch))
        });
        move || {
            *painter.borrow_mut() = None;
            drop(attached);
        }
    });
    let onclick = {
        let (root, lab) = (root.clone(), props.lab.clone());
        Callback::from(move |event: MouseEvent| {
            let stage = painter.borrow().clone();
            let act = stage.and_then(|stage| clicked(&stage.borrow(), &root, &event));
            if let Some(act) = act {
                lab.act(act);
            }
        })
    };
    html! {
        <div class={classes!("stage", props.fill.then_some("fill"))} ref={root} {onclick}>
            <canvas class="stage-back" aria-hidden="true"></canvas>
            <canvas class="stage-front" role="img" aria-label="Inflight"></canvas>
            <div class="stage-objects"></div>
            <table class="stage-twin visually-hidden"></table>
        </div>
    }
}

/// What a click on the stage means.
fn clicked(stage: &StagePainter, root: &NodeRef, event: &MouseEvent) -> Option<Act> {
    let root = root.cast::<Element>()?;
    let target: Element = event.target()?.dyn_into().ok()?;
    let key = target.get_attribute("data-object");
    let number = |prefix: &str| key.as_deref()?.strip_prefix(prefix)?.parse::<u16>().ok();
    if let Some(nth) = number("act-") {
        return stage.act(usize::from(nth));
    }
    // Enter or Space on a focused card has no place of its own.
    if let (Some(actor), 0) = (number("card-"), event.detail()) {
        return Some(Act::Choose(Chosen::Actor(ActorId(actor))));
    }
    let corner = root.get_bounding_client_rect();
    let x = f64::from(event.client_x()) - corner.left();
    let y = f64::from(event.client_y()) - corner.top();
    Some(Act::Choose(stage.hit(x as f32, y as f32)))
}

/// Watches an element's size until it is dropped.
pub struct SizeWatch {
    observer: Option<ResizeObserver>,
    _call: Closure<dyn FnMut()>,
}

impl SizeWatch {
    /// Calls `changed` now and whenever the element has another size.
    pub fn new(element: &Element, changed: impl FnMut() + 'static) -> SizeWatch {
        let call = Closure::<dyn FnMut()>::new(changed);
        let observer = ResizeObserver::new(call.as_ref().unchecked_ref()).ok();
        if let Some(observer) = &observer {
            observer.observe(element);
        }
        SizeWatch { observer, _call: call }
    }
}

impl Drop for SizeWatch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
    }
}
