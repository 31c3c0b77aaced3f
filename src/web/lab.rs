//! The laboratory: the session, and what the reader has done to it and to the page.
//!
//! It lives outside every component. Acts change it, the frame loop lets its time pass, and
//! [`crate::web::reading`] reads it. It asks nothing of the browser but the wall clock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::Actor;
use crate::model::{ActorId, Command, MsgId};
use crate::param::{Lang, Said, Text};
use crate::view::Chosen;
use crate::view::ladder::pick::longest_wait;
use crate::view::ladder::{Sight, Window, source};
use crate::web::act::Act;
use crate::web::address::{self, Visit};
use crate::web::ahead::Ahead;
use crate::web::bench::Bench;
use crate::web::capture;
use crate::web::cures::{Cure, Cures};
use crate::web::readout::Tone;
use crate::web::shell::{Place, Sheet, Shell, Tab};
use crate::web::sizes::Sizes;
use crate::web::{dom, speed};
use crate::world::ActorState;
use crate::world::link::{Source, short_fingerprint};
use crate::world::problem::Problem;
use crate::world::session::{Logged, Session, Watch};

pub use crate::web::frames::LabHandle;

/// Events between two looks at the wall clock.
const CHUNK: u64 = 2_000;
/// Milliseconds of a frame that the simulation may take.
const FRAME_BUDGET_MS: f64 = 8.0;
/// Longest real time that one frame lets pass, after a pause of the browser's.
pub const LONGEST_FRAME_MS: f64 = 100.0;
/// Most notices at a time; the oldest makes room.
const MOST_NOTICES: usize = 12;

/// What happens to the address after an act.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Trail {
    /// Nothing changed that a link carries.
    #[default]
    None,
    /// The link is written anew when input rests.
    Replace,
    /// Back leads to the state before.
    Push,
}

/// A notice in both languages.
pub struct Saying {
    /// Its number.
    pub id: u64,
    /// How grave it is.
    pub tone: Tone,
    /// What it is.
    pub title: Text,
    /// The particulars.
    pub text: Said,
    /// One way on.
    pub way: Option<(Text, Act)>,
}

/// The laboratory.
pub struct Lab {
    /// The run.
    pub session: Session,
    /// The page's own state.
    pub shell: Shell,
    /// What is chosen.
    pub chosen: Chosen,
    /// Whether time passes.
    pub playing: bool,
    /// The place on the list of speeds.
    pub speed: u8,
    /// Preset or document that the run started from.
    pub source: Source,
    /// What has to be said.
    pub notices: Vec<Saying>,
    /// The run ahead of the shown instant, for the ladder.
    pub ahead: Ahead,
    /// What would have helped the message that is shown.
    pub cures: Cures,
    /// What breaks guarantees.
    pub bench: Bench,
    /// How many scenarios were opened.
    pub n_runs: u64,
    /// How many acts may have made the run another one.
    pub n_changes: u64,
    /// The stretch of time that the ladder shows.
    pub sight: Cell<Option<Sight>>,
    /// The stretch that it shows first.
    pub stretch: Cell<Option<Window>>,
    /// The search for the least memory.
    pub sizes: Sizes,
    /// What was pasted as `lwipopts.h` of the host at this place.
    pub pasted: RefCell<Option<(u16, String)>>,
    /// Instant and fingerprint that the opened link carried.
    pub linked: Option<(SimTime, u32)>,
    /// Part of a nanosecond that no frame has let pass yet.
    carry: f64,
    n_notices: u64,
    pub(super) stop_said: bool,
}

const BAD_PART: Text =
    Text::new("The link has a part that is not understood.", "链接里有一处看不懂。");
pub(super) const BAD_VALUE: Text = Text::new("This value cannot be used.", "这个值不能用。");
const BAD_PRINT: Text =
    Text::new("The fingerprint differs from the one in the link.", "指纹与链接中的不同。");
const NO_PART: Text = Text::new(
    "The address asks for a part that this page does not know.",
    "地址要求显示一个本页没有的部分。",
);
const NO_FILE: Text =
    Text::new("This browser does not take the file from the page.", "浏览器不接受本页生成的文件。");
const STOPPED: Text = Text::new("The run stopped at a limit.", "运行到达上限，已停止。");
const TO_START: Text = Text::new("Back to the start", "回到开头");
const NOTHING_SENDS: Text =
    Text::new("Nothing here sends by hand.", "这里没有可以手动发送的节点。");

impl Lab {
    /// The laboratory at the start: what the address names, or the first preset.
    pub fn at_start(shell: Shell) -> Lab {
        let visit = address::visit_fragment(&dom::window().location().hash().unwrap_or_default());
        let mut lab = Lab {
            session: Session::new(visit.opened.scenario.clone(), Watch::All),
            shell,
            chosen: Chosen::Nothing,
            playing: false,
            speed: speed::REAL,
            source: visit.opened.source.clone(),
            notices: Vec::new(),
            ahead: Ahead::default(),
            cures: Cures::default(),
            bench: Bench::default(),
            n_runs: 0,
            n_changes: 0,
            sight: Cell::new(None),
            stretch: Cell::new(None),
            sizes: Sizes::None,
            pasted: RefCell::new(None),
            linked: None,
            carry: 0.0,
            n_notices: 0,
            stop_said: false,
        };
        for part in Rc::clone(&lab.shell.unknown).iter() {
            lab.warn(NO_PART, Said::same(part));
        }
        lab.enter(visit);
        lab.playing = lab.shell.autoplay && !lab.shell.steps;
        lab
    }

    /// The scenario's title.
    pub fn title(&self) -> &Said {
        &self.session.scenario().title
    }

    /// Takes up what was opened: a fresh session, its log, its instant; everything else is said.
    fn enter(&mut self, visit: Visit) {
        let Visit { opened, place, notices } = visit;
        self.notices.retain(|notice| notice.title == NO_PART);
        for words in notices {
            self.warn(BAD_PART, words);
        }
        self.shell.place = place;
        self.source = opened.source.clone();
        self.chosen = Chosen::Nothing;
        self.playing = false;
        self.stop_said = false;
        self.speed = opened.scenario.speed.map_or(speed::REAL, |s| speed::nearest(s.as_f64()));
        let log =
            opened.log.iter().map(|(at, command)| Logged { at: *at, command: command.clone() });
        let log = log.collect();
        self.session = Session::with_log(opened.scenario.clone(), Watch::All, log);
        self.session.seek(opened.shown);
        self.n_runs += 1;
        self.sight.set(None);
        self.stretch.set(None);
        self.sizes = Sizes::None;
        self.pasted.replace(None);
        let ladder = self.has_ladder();
        match self.shell.tab {
            Tab::Charts if ladder => self.shell.tab = Tab::Ladder,
            Tab::Ladder if !ladder => self.shell.tab = Tab::Charts,
            _ => {}
        }
        self.linked = opened.fingerprint.map(|print| (self.session.now(), print));
        if let Some(notice) = opened.compare(self.session.fingerprint()) {
            self.warn(BAD_PRINT, notice.why);
        }
    }

    /// Whether there are segments to be shown as a ladder.
    pub fn has_ladder(&self) -> bool {
        source::has_ladder(self.session.scenario())
    }

    /// The message of the first long wait of the whole run.
    pub fn slowest(&self) -> Option<MsgId> {
        let whole = self.ahead.whole()?;
        longest_wait(source::tape_of(whole.seen()))
    }

    /// Looks ahead for a part of a frame; true: there is more to do.
    pub fn look_ahead(&mut self) -> bool {
        if self.bench.work() || self.sizes.work(&self.source) || self.ahead.work(&self.session) {
            return true;
        }
        // Nothing else is tried while time passes.
        let Some(key) = self.cure_key().filter(|_| !self.playing) else { return false };
        self.cures.work(key, self.session.scenario())
    }

    /// What would have helped the message that is shown.
    pub fn cures(&self) -> &[Cure] {
        self.cure_key().map_or(&[], |key| self.cures.of(key))
    }

    fn cure_key(&self) -> Option<(MsgId, u64, u64)> {
        self.ahead.whole()?;
        let msg = match self.chosen {
            Chosen::Message(msg) => msg,
            Chosen::Nothing => self.slowest()?,
            _ => return None,
        };
        Some((msg, self.n_runs, self.ahead.n_computed()))
    }

    /// Hands the segments to the reader as a file.
    fn capture(&mut self) {
        let session = self.ahead.whole().unwrap_or(&self.session);
        let stem = match &self.source {
            Source::Preset(id) => id.as_str(),
            _ => "inflight",
        };
        let name = format!("{stem}.pcapng");
        let taken = capture::pcapng(session).and_then(|file| capture::download(&name, &file));
        if taken.is_none() {
            self.warn(NO_FILE, Said::same(&name));
        }
    }

    /// Whether the fingerprint is the linked one, at the linked instant.
    pub fn matches(&self) -> Option<bool> {
        let (at, linked) = self.linked?;
        let here = at == self.session.now();
        here.then(|| linked == short_fingerprint(self.session.fingerprint()))
    }

    fn warn(&mut self, title: Text, text: Said) {
        self.say(Tone::Warn, title, text, None);
    }

    pub(super) fn refuse(&mut self, title: Text, problems: &[Problem]) {
        for problem in problems {
            self.warn(title, Said::new(problem.say(Lang::En), problem.say(Lang::Zh)));
        }
    }

    fn say(&mut self, tone: Tone, title: Text, text: Said, way: Option<(Text, Act)>) {
        if self.notices.iter().any(|notice| notice.title == title && notice.text == text) {
            return;
        }
        if self.notices.len() == MOST_NOTICES {
            self.notices.remove(0);
        }
        self.n_notices += 1;
        self.notices.push(Saying { id: self.n_notices, tone, title, text, way });
    }

    /// Lets real time pass: the simulation goes on by as much as the speed says, within a budget.
    pub fn pass(&mut self, real_ms: f64) {
        if !self.playing {
            return;
        }
        let wanted = real_ms.min(LONGEST_FRAME_MS) * 1e6 * speed::ratio(self.speed) + self.carry;
        self.carry = wanted.fract();
        let to = self.session.now().saturating_add(SimSpan::ns(wanted as u64));
        let to = to.min(self.session.until());
        let began = dom::wall_ms();
        while !self.session.advance(to, CHUNK) && self.session.stopped().is_none() {
            if FRAME_BUDGET_MS < dom::wall_ms() - began {
                break;
            }
        }
        if self.session.finished() || self.session.stopped().is_some() {
            self.playing = false;
        }
        self.say_stop();
    }

    /// Says once what stopped the run, and one way on.
    pub(super) fn say_stop(&mut self) {
        let Some(stop) = self.session.stopped() else {
            self.stop_said = false;
            return;
        };
        if !self.stop_said {
            self.stop_said = true;
            let words = stop.text().said();
            self.say(Tone::Bad, STOPPED, words, Some((TO_START, Act::ToStart)));
        }
    }

    /// Carries out one act; answers what it means for the address.
    pub fn carry_out(&mut self, act: Act) -> Trail {
        if act.changes_run() {
            self.n_changes += 1;
            self.ahead.forget();
            self.bench.forget();
            self.sizes = Sizes::None;
        }
        match act {
            Act::Toggle if self.shell.steps => self.step(1),
            Act::Toggle if self.playing => self.pause(),
            Act::Toggle | Act::Play => self.play(),
            Act::Pause => self.pause(),
            Act::Step(n) => self.step(n),
            Act::StepBack(n) => self.step_back(n),
            Act::Seek(to) => self.seek(to),
            Act::Scrub(thousandths) => self.scrub(thousandths),
            Act::ToStart => {
                self.playing = false;
                self.seek(SimTime::ZERO)
            }
            Act::ToEnd => {
                self.playing = false;
                self.seek(self.session.until())
            }
            Act::Speed(index) => self.set_speed(i32::from(index)),
            Act::Faster(by) => self.set_speed(i32::from(self.speed) + by),
            Act::Do(command) => self.command(command),
            Act::CrashChosen => self.crash_chosen(),
            Act::SendOne => self.send_one(),
            Act::Choose(chosen) => self.choose(chosen),
            Act::Slide { path, position } => self.slide(&path, position),
            Act::Nudge { path, steps } => self.nudge(&path, steps),
            Act::Set { path, text } => self.set(&path, &text),
            Act::SetAll(values) => self.set_all(&values),
            Act::Grow(group) => self.grow(&group),
            Act::Size(true) => {
                self.sizes = Sizes::start(self.session.scenario());
                Trail::None
            }
            Act::Size(false) => {
                self.sizes = Sizes::None;
                Trail::None
            }
            Act::Unset(path) => self.unset(&path),
            Act::Reset => self.reset(),
            Act::Seed(text) => self.seed(&text),
            Act::Open(preset) => self.open(&Source::Preset(preset)),
            Act::Apply(text) => self.open(&Source::Document(text)),
            Act::Capture => {
                self.capture();
                Trail::None
            }
            Act::Follow => {
                self.follow();
                Trail::None
            }
            other => self.change_shell(other),
        }
    }

    /// Acts on the page itself.
    fn change_shell(&mut self, act: Act) -> Trail {
        let shell = &mut self.shell;
        match act {
            Act::Bench(news) => self.bench.hear(&news),
            Act::CancelBench => self.bench.forget(),
            Act::Dismiss(id) => self.notices.retain(|notice| notice.id != id),
            Act::Lang(lang) => shell.set_lang(lang),
            Act::Theme(theme) => shell.set_theme(theme),
            Act::System => {
                shell.steps = dom::matches("(prefers-reduced-motion: reduce)");
                self.playing &= !shell.steps;
                shell.look();
            }
            Act::Letters(letters) => shell.set_letters(letters),
            Act::Place(place) if place != shell.place => {
                shell.place = place;
                self.playing = false;
                return Trail::Push;
            }
            Act::Sheet(sheet) => {
                shell.sheet = sheet;
                self.playing &= sheet == Sheet::None;
                return Trail::Replace;
            }
            Act::Tab(tab) => {
                shell.tab = tab;
                shell.drawer = shell.drawer || tab == Tab::Knobs;
            }
            Act::Drawer(out) => shell.drawer = out,
            Act::Zoom { .. } | Act::Pan(_) | Act::Fit => self.look_at(&act),
            _ => {}
        }
        Trail::None
    }

    /// Zooms or moves the ladder.
    fn look_at(&self, act: &Act) {
        let Some(mut sight) = self.sight.get() else { return };
        let (now, until) = (self.session.now(), self.session.until());
        match *act {
            Act::Zoom { steps, around } => {
                let here = sight.window.share(now);
                let here = if (0.0..=1.0).contains(&here) { here } else { 0.5 };
                sight.zoom(steps, around.unwrap_or(here), until);
            }
            Act::Pan(share) => {
                sight.pan(share, until);
            }
            _ => sight.fit(self.stretch.get(), until),
        }
        self.sight.set(Some(sight));
    }

    fn play(&mut self) -> Trail {
        if let Some(sight) = self.sight.get() {
            self.sight.set(Some(Sight { follows: true, ..sight }));
        }
        if self.session.finished() {
            self.session.seek(SimTime::ZERO);
        }
        self.playing = self.session.stopped().is_none();
        self.carry = 0.0;
        Trail::None
    }

    fn pause(&mut self) -> Trail {
        self.playing = false;
        Trail::Replace
    }

    fn step(&mut self, n: u32) -> Trail {
        self.playing = false;
        for _ in 0..n {
            if !self.session.step() {
                break;
            }
        }
        self.say_stop();
        Trail::Replace
    }

    fn step_back(&mut self, n: u32) -> Trail {
        self.playing = false;
        for _ in 0..n {
            if !self.session.step_back() {
                break;
            }
        }
        self.say_stop();
        Trail::Replace
    }

    fn seek(&mut self, to: SimTime) -> Trail {
        self.session.seek(to.min(self.session.until()));
        self.say_stop();
        Trail::Replace
    }

    fn scrub(&mut self, thousandths: i32) -> Trail {
        let whole = i128::from(self.session.until().ns());
        let by = whole * i128::from(thousandths) / 1_000;
        let to = (i128::from(self.session.now().ns()) + by).clamp(0, whole);
        self.seek(SimTime::from_ns(to as u64))
    }

    fn set_speed(&mut self, index: i32) -> Trail {
        self.speed = index.clamp(0, i32::from(speed::LAST)) as u8;
        Trail::None
    }

    fn choose(&mut self, chosen: Chosen) -> Trail {
        self.chosen = chosen;
        // Beside a ladder the inspector has a place of its own.
        let beside = self.has_ladder();
        self.shell.drawer = chosen != Chosen::Nothing && !beside;
        if chosen != Chosen::Nothing && !(beside && self.shell.tab == Tab::Ladder) {
            self.shell.tab = Tab::Chosen;
        }
        Trail::None
    }

    fn command(&mut self, command: Command) -> Trail {
        if let Err(problem) = self.session.do_now(command) {
            self.refuse(BAD_VALUE, &[problem]);
        }
        Trail::Replace
    }

    fn crash_chosen(&mut self) -> Trail {
        let Chosen::Actor(actor) = self.chosen else { return Trail::None };
        let state = self.session.world().actors.get(actor.index()).map(|node| node.state);
        match state {
            Some(ActorState::Crashed { .. }) => self.command(Command::Restart(actor)),
            Some(_) => self.command(Command::Crash(actor)),
            None => Trail::None,
        }
    }

    fn send_one(&mut self) -> Trail {
        let actors = &self.session.world().actors;
        let sends =
            |id: ActorId| actors.get(id.index()).is_some_and(|node| can_send(&node.machine));
        let chosen = match self.chosen {
            Chosen::Actor(actor) if sends(actor) => Some(actor),
            _ => (0..actors.len() as u16).map(ActorId).find(|id| sends(*id)),
        };
        match chosen {
            Some(actor) => self.command(Command::Send { actor }),
            None => {
                self.warn(BAD_VALUE, NOTHING_SENDS.said());
                Trail::None
            }
        }
    }

    /// Everything as the document says, at the same instant; the seed stays.
    fn reset(&mut self) -> Trail {
        let seed = self.session.scenario().seed;
        let (place, speed, now) = (self.shell.place, self.speed, self.session.now());
        self.enter(address::visit_source(&self.source.clone()));
        self.seed(&seed.to_string());
        self.session.seek(now);
        self.shell.place = place;
        self.speed = speed;
        Trail::Replace
    }

    fn seed(&mut self, text: &str) -> Trail {
        match self.session.set("seed", text.trim()) {
            Ok(()) => self.notices.retain(|notice| notice.title != BAD_VALUE),
            Err(problem) => self.refuse(BAD_VALUE, &[problem]),
        }
        Trail::Replace
    }

    /// Opens what the address bar holds: the gallery, this very run, or another one.
    fn follow(&mut self) {
        let hash = dom::window().location().hash().unwrap_or_default();
        if hash == address::GALLERY {
            self.playing = false;
            self.shell.place = Place::Gallery;
        } else if hash == address::link_of(self) {
            self.shell.place = Place::Lab;
        } else {
            self.enter(address::visit_fragment(&hash));
        }
    }

    fn open(&mut self, source: &Source) -> Trail {
        self.shell.tab = Tab::Charts;
        self.enter(address::visit_source(source));
        self.shell.place = Place::Lab;
        Trail::Push
    }
}

/// Whether an actor makes messages by hand.
fn can_send(machine: &Actor) -> bool {
    matches!(machine, Actor::Producer(_) | Actor::Requester(_))
}
