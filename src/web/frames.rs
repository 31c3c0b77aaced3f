//! The one frame loop of the page.
//!
//! In a frame: acts, simulation, canvases, readout. The loop starts with [`LabHandle::start`],
//! ends when [`Running`] is dropped, and asks for no frame while nothing moves. A frame that the
//! browser does not give (a frame off-screen gets none) is replaced by a timer for acts and
//! readout, but no simulated time passes then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlElement, KeyboardEvent};
use yew::Callback;

use crate::web::act::Act;
use crate::web::address::Address;
use crate::web::dom::{self, Listener};
use crate::web::keys;
use crate::web::lab::{Lab, Trail};
use crate::web::painter::{Painter, Scene};
use crate::web::reading::Reading;
use crate::web::readout::Readout;
use crate::web::shell::{Shell, Tab};
use crate::web::speed;

/// Milliseconds between two readouts while time passes.
const READOUT_MS: f64 = 100.0;
/// Milliseconds that input rests before the link is written.
const REST_MS: u32 = 300;
/// Milliseconds between two changes by one slider while time passes.
const SLIDE_MS: f64 = 150.0;
/// Milliseconds after which a frame that did not come is replaced.
const NO_FRAME_MS: u32 = 150;

/// A canvas's painter and its number.
type Attachment = (u64, Rc<RefCell<dyn Painter>>);

/// The laboratory as components hold it; equal when it is the same one.
#[derive(Clone)]
pub struct LabHandle(Rc<Shared>);

impl PartialEq for LabHandle {
    fn eq(&self, other: &LabHandle) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

struct Shared {
    lab: RefCell<Lab>,
    reading: RefCell<Reading>,
    address: RefCell<Address>,
    /// What the reader did since the last frame.
    acts: RefCell<Vec<Act>>,
    painters: RefCell<Vec<Attachment>>,
    n_painters: Cell<u64>,
    publish: RefCell<Option<Callback<Rc<Readout>>>>,
    shown: RefCell<Option<Rc<Readout>>>,
    frame: RefCell<FrameRequest>,
    /// Stamp of the last frame in which time passed.
    last_stamp: Cell<Option<f64>>,
    last_readout: Cell<f64>,
    /// Whether a readout is not out yet.
    late: Cell<bool>,
    /// Whether the run ahead is being computed.
    ahead: Cell<bool>,
    /// When a slider last changed something.
    last_slide: Cell<f64>,
    /// The link is to be written when this rings.
    rest: RefCell<Option<Timeout>>,
}

#[derive(Default)]
struct FrameRequest {
    id: Option<i32>,
    call: Option<Closure<dyn FnMut(f64)>>,
    instead: Option<Timeout>,
}

/// The loop runs as long as this lives.
pub struct Running {
    shared: Rc<Shared>,
    _listeners: Vec<Listener>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut frame = self.shared.frame.borrow_mut();
        if let Some(id) = frame.id.take() {
            let _ = dom::window().cancel_animation_frame(id);
        }
        *frame = FrameRequest::default();
        *self.shared.rest.borrow_mut() = None;
        *self.shared.publish.borrow_mut() = None;
    }
}

/// A painter is painted as long as this lives.
pub struct Attached {
    shared: Rc<Shared>,
    number: u64,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.shared.painters.borrow_mut().retain(|(number, _)| *number != self.number);
    }
}

impl LabHandle {
    /// The laboratory that the address names.
    pub fn at_start() -> LabHandle {
        let lab = Lab::at_start(Shell::at_start());
        LabHandle(Rc::new(Shared {
            address: RefCell::new(Address::of(&lab)),
            lab: RefCell::new(lab),
            reading: RefCell::new(Reading::default()),
            acts: RefCell::default(),
            painters: RefCell::default(),
            n_painters: Cell::new(0),
            publish: RefCell::default(),
            shown: RefCell::default(),
            frame: RefCell::default(),
            last_stamp: Cell::new(None),
            last_readout: Cell::new(0.0),
            late: Cell::new(false),
            ahead: Cell::new(false),
            last_slide: Cell::new(0.0),
            rest: RefCell::default(),
        }))
    }

    /// The readout before the first frame.
    pub fn first_readout(&self) -> Rc<Readout> {
        let readout = Rc::new(self.0.reading.borrow_mut().readout(&self.0.lab.borrow(), 0.0));
        *self.0.shown.borrow_mut() = Some(readout.clone());
        readout
    }

    /// Starts the loop; it ends when the answer is dropped.
    pub fn start(&self, publish: Callback<Rc<Readout>>) -> Running {
        *self.0.publish.borrow_mut() = Some(publish);
        let window = dom::window();
        let mut listeners = Vec::new();
        let lab = self.clone();
        listeners.push(Listener::new(&window, "popstate", move |_| {
            if lab.0.address.borrow().is_elsewhere() {
                lab.act(Act::Follow);
            }
        }));
        let lab = self.clone();
        listeners.push(Listener::new(&dom::document(), "keydown", move |event| {
            let Ok(event) = event.dyn_into::<KeyboardEvent>() else { return };
            let act = keys::act_of(&event, &lab.0.lab.borrow().shell);
            if let Some(act) = act {
                event.prevent_default();
                if act == Act::Tab(Tab::Knobs) {
                    lab.focus_knobs();
                }
                lab.act(act);
            }
        }));
        for query in ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"] {
            let lab = self.clone();
            listeners.extend(dom::on_media(query, move |_| lab.act(Act::System)));
        }
        self.0.rest_later();
        self.0.wake();
        Running { shared: self.0.clone(), _listeners: listeners }
    }

    /// Puts the focus on the first knob, once its panel is out.
    fn focus_knobs(&self) {
        /// Milliseconds until a panel that was asked for stands on the page.
        const PANEL_MS: u32 = 60;
        Timeout::new(PANEL_MS, || {
            let first =
                dom::document().query_selector(".knobs input, .knobs select, .knobs button");
            if let Some(knob) = first.ok().flatten().and_then(|e| e.dyn_into::<HtmlElement>().ok())
            {
                let _ = knob.focus();
            }
        })
        .forget();
    }

    /// Queues what the reader did, and asks for a frame.
    pub fn act(&self, act: Act) {
        dom::set_idle(false);
        self.0.acts.borrow_mut().push(act);
        self.0.wake();
    }

    /// Reads the laboratory.
    pub fn with<R>(&self, read: impl FnOnce(&Lab) -> R) -> R {
        read(&self.0.lab.borrow())
    }

    /// Lets the loop paint a canvas, until the answer is dropped.
    pub fn attach(&self, painter: Rc<RefCell<dyn Painter>>) -> Attached {
        let number = self.0.n_painters.get();
        self.0.n_painters.set(number + 1);
        self.0.painters.borrow_mut().push((number, painter));
        self.0.wake();
        Attached { shared: self.0.clone(), number }
    }

    /// Asks for one more frame: a canvas has another size, a pointer lies on something.
    pub fn repaint(&self) {
        self.0.wake();
    }

    /// The fragment that opens this run at this instant.
    pub fn link_text(&self) -> String {
        crate::web::address::link_of(&self.0.lab.borrow())
    }

    /// The document of the running scenario.
    pub fn document_text(&self) -> String {
        crate::web::address::document_of(&self.0.lab.borrow())
    }

    /// The page's address without query and fragment.
    pub fn page_address(&self) -> String {
        let href = dom::window().location().href().unwrap_or_default();
        href.split(['?', '#']).next().unwrap_or_default().to_string()
    }

    /// The address of this run in a page of its own.
    pub fn own_page(&self) -> String {
        self.page_address() + &self.link_text()
    }
}

impl Shared {
    /// Asks for a frame, unless one is on its way.
    fn wake(self: &Rc<Shared>) {
        if self.publish.borrow().is_none() {
            return;
        }
        let mut frame = self.frame.borrow_mut();
        if frame.instead.is_none() {
            let shared = Rc::downgrade(self);
            frame.instead = Some(Timeout::new(NO_FRAME_MS, move || {
                if let Some(shared) = shared.upgrade() {
                    shared.turn(None);
                }
            }));
        }
        if frame.id.is_some() {
            return;
        }
        if frame.call.is_none() {
            let shared = Rc::downgrade(self);
            frame.call = Some(Closure::new(move |stamp: f64| {
                if let Some(shared) = shared.upgrade() {
                    shared.turn(Some(stamp));
                }
            }));
        }
        let Some(call) = &frame.call else { return };
        let asked = dom::window().request_animation_frame(call.as_ref().unchecked_ref());
        frame.id = asked.ok();
    }

    /// One turn of the loop; without a stamp no time passes and nothing is painted.
    fn turn(self: &Rc<Shared>, stamp: Option<f64>) {
        {
            let mut frame = self.frame.borrow_mut();
            frame.instead = None;
            // Without a stamp the frame asked for may still come, when the page is seen again.
            if stamp.is_some() {
                frame.id = None;
            }
        }
        self.carry_out();
        let mut waits = false;
        if let Some(stamp) = stamp {
            self.pass(stamp);
            waits = self.paint(stamp);
        }
        self.late.set(self.read_out(stamp));
        let playing = self.lab.borrow().playing;
        let ahead = self.look_ahead();
        if (playing && stamp.is_some()) || waits || ahead || self.late.get() {
            self.wake();
        }
        self.mark_idle();
    }

    /// Works on the run ahead; true: a frame more is needed, for the work or to show it.
    fn look_ahead(&self) -> bool {
        let mut lab = self.lab.borrow_mut();
        let before = lab.ahead.whole().is_some();
        let busy = lab.look_ahead();
        self.ahead.set(busy);
        busy || before != lab.ahead.whole().is_some()
    }

    fn carry_out(self: &Rc<Shared>) {
        let acts = merged(self.acts.take());
        let mut trail = Trail::None;
        for act in acts {
            if matches!(act, Act::Slide { .. }) && self.slides_too_often() {
                self.acts.borrow_mut().push(act);
                continue;
            }
            let followed = act == Act::Follow;
            let next = self.lab.borrow_mut().carry_out(act);
            trail = trail.max(next);
            if followed {
                self.address.borrow_mut().arrived();
            }
        }
        match trail {
            Trail::None => {}
            Trail::Replace => self.rest_later(),
            Trail::Push => {
                *self.rest.borrow_mut() = None;
                self.address.borrow_mut().push(&self.lab.borrow());
            }
        }
    }

    /// While time passes every change is logged at its own instant, and the log is in the link.
    fn slides_too_often(&self) -> bool {
        let now = dom::wall_ms();
        let often = self.lab.borrow().playing && now - self.last_slide.get() < SLIDE_MS;
        if !often {
            self.last_slide.set(now);
        }
        often
    }

    fn pass(self: &Rc<Shared>, stamp: f64) {
        let mut lab = self.lab.borrow_mut();
        let before = self.last_stamp.replace(lab.playing.then_some(stamp));
        let Some(before) = before.filter(|_| lab.playing) else { return };
        lab.pass((stamp - before).max(0.0));
        if !lab.playing {
            // The end, or a limit: the link shows it.
            self.last_stamp.set(None);
            self.rest_later();
        }
    }

    fn paint(&self, stamp: f64) -> bool {
        let painters: Vec<_> = self.painters.borrow().iter().map(|(_, p)| p.clone()).collect();
        let lab = self.lab.borrow();
        let scene = Scene {
            session: &lab.session,
            ahead: lab.ahead.whole(),
            run: lab.n_runs,
            sight: &lab.sight,
            stretch: &lab.stretch,
            lang: lab.shell.lang,
            dark: lab.shell.dark,
            chosen: lab.chosen,
            playing: lab.playing,
            steps: lab.shell.steps,
            speed: speed::ratio(lab.speed),
            wall_ms: stamp,
        };
        let mut waits = false;
        for painter in painters {
            waits |= painter.borrow_mut().paint(&scene);
        }
        waits
    }

    /// Hands on a readout when it is due and differs. True: it is not due yet.
    fn read_out(self: &Rc<Shared>, stamp: Option<f64>) -> bool {
        let now = stamp.unwrap_or_else(dom::wall_ms);
        if stamp.is_some() && now - self.last_readout.get() < READOUT_MS {
            return true;
        }
        self.last_readout.set(now);
        let readout = self.reading.borrow_mut().readout(&self.lab.borrow(), now);
        if self.shown.borrow().as_deref() == Some(&readout) {
            return false;
        }
        let readout = Rc::new(readout);
        *self.shown.borrow_mut() = Some(readout.clone());
        let publish = self.publish.borrow().clone();
        if let Some(publish) = publish {
            publish.emit(readout);
        }
        false
    }

    /// Writes the link when input has rested.
    fn rest_later(self: &Rc<Shared>) {
        dom::set_idle(false);
        let shared = Rc::downgrade(self);
        *self.rest.borrow_mut() = Some(Timeout::new(REST_MS, move || {
            let Some(shared) = shared.upgrade() else { return };
            let written = shared.address.borrow_mut().replace(&shared.lab.borrow());
            *shared.rest.borrow_mut() = None;
            if !written {
                // The browser limits how often an address may change: try again later.
                shared.rest_later();
            }
            shared.mark_idle();
        }));
    }

    /// Idle: nothing queued, no time passing, the link written.
    fn mark_idle(&self) {
        let still = !self.lab.borrow().playing
            && !self.late.get()
            && !self.ahead.get()
            && self.acts.borrow().is_empty()
            && self.rest.borrow().is_none();
        dom::set_idle(still);
    }
}

/// Of neighbouring acts that overwrite each other only the last one counts.
fn merged(acts: Vec<Act>) -> Vec<Act> {
    let mut kept: Vec<Act> = Vec::with_capacity(acts.len());
    for act in acts {
        let overwrites = kept.last().is_some_and(|last| match (last, &act) {
            (Act::Seek(_), Act::Seek(_)) | (Act::Speed(_), Act::Speed(_)) => true,
            (Act::Slide { path: a, .. }, Act::Slide { path: b, .. }) => a == b,
            _ => false,
        });
        if overwrites {
            kept.pop();
        }
        kept.push(act);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SimTime;

    #[test]
    fn only_the_last_of_a_drag_counts() {
        let slide = |path: &str, position| Act::Slide { path: path.to_string(), position };
        let acts = vec![
            slide("a.rate", 1),
            slide("a.rate", 2),
            slide("b.rate", 3),
            Act::Toggle,
            Act::Toggle,
            Act::Seek(SimTime::ZERO),
            Act::Seek(SimTime::MAX),
        ];
        let kept = merged(acts);
        assert_eq!(
            kept,
            [
                slide("a.rate", 2),
                slide("b.rate", 3),
                Act::Toggle,
                Act::Toggle,
                Act::Seek(SimTime::MAX)
            ]
        );
    }
}
