//! From the laboratory to the readout: everything in the words of the page's language.

use std::rc::Rc;

use crate::kernel::{SimTime, settle};
use crate::model::{Command, Fact, MsgId, Node};
use crate::param::{Kind, Lang, Value};
use crate::view::caption::{self, tell};
use crate::view::inspect::{Inspection, Step, Subject, cast_of, inspect};
use crate::view::members::Stepper;
use crate::view::words::Cast;
use crate::view::{Chosen, Look, Theme, numbers};
use crate::web::guarantees;
use crate::web::lab::Lab;
use crate::web::readout::{
    Clock, Control, Group, Knob, Knobs, Ledger, Mark, MarkKind, Notice, Readout, Run, Story, Try,
};
use crate::web::speed;
use crate::web::transport::place_of;
use crate::world::World;
use crate::world::session::Session;
use crate::world::setting::Setting;

/// Milliseconds between two sentences for screen readers.
const SPOKEN_MS: f64 = 2_000.0;
/// Milliseconds between two tables of a canvas while time passes.
const TICK_MS: f64 = 1_000.0;
/// Events in the list of the newest.
const EVENTS: usize = 30;
/// Events of a run that is told again for a message that is gone.
const MOST_RETOLD: u64 = 300_000;
/// Most facts of a story.
const STORY: usize = 200;
/// Marks on the scrubber.
const MARKS: usize = 200;

/// What readouts remember from one to the next.
#[derive(Default)]
pub struct Reading {
    status: String,
    status_at: f64,
    alert: String,
    tick: u64,
    tick_at: f64,
    /// Made anew with each tick: a list that flickers ten times a second cannot be read.
    events: Rc<[Step]>,
    events_at: Option<(u64, Lang)>,
    /// Parameters change by commands only: with hundreds of them it is work to look.
    knobs: Rc<Knobs>,
    knobs_of: Option<(u64, u64, (u32, u32), Lang)>,
    /// The story of the chosen message, and at which event it was read.
    past: Vec<(SimTime, Fact)>,
    past_of: Option<(MsgId, u64)>,
    /// The whole story of a message beside a ladder, and of which run.
    whole_story: Vec<(SimTime, Fact)>,
    whole_of: Option<(MsgId, u64, u64)>,
}

impl Reading {
    /// The readout of this moment.
    pub fn readout(&mut self, lab: &Lab, wall_ms: f64) -> Readout {
        let lang = lab.shell.lang;
        let session = &lab.session;
        let cast = cast_of(session.scenario());
        let caption = caption(lab, &cast);
        self.speak(lab, &cast, &caption, wall_ms);
        if self.events_at != Some((self.tick, lang)) {
            self.events_at = Some((self.tick, lang));
            self.events = events(session, &cast, lang).into();
        }
        let key = (lab.n_runs, lab.n_changes, session.n_done(), lang);
        if self.knobs_of != Some(key) {
            self.knobs_of = Some(key);
            let steppers = subject(lab, &cast, &[]).all_steppers();
            self.knobs = Rc::new(knobs(session, steppers, lang));
        }
        let chosen = self.chosen(lab, &cast);
        Readout {
            shell: lab.shell.clone(),
            story: Rc::new(story_of(lab)),
            clock: clock(lab, &cast),
            marks: marks(session, lang).into(),
            knobs: self.knobs.clone(),
            offered: lab.chosen == Chosen::Nothing && chosen.chosen != Chosen::Nothing,
            cures: cures(lab, &chosen).into(),
            chosen: Rc::new(chosen),
            sizes: lab.sizes.sight(lang),
            ledger: ledger(session),
            guarantees: Rc::new(guarantees::read(lab)),
            ladder: lab.has_ladder(),
            log: !session.seen().lags.names.is_empty(),
            run: run(lab),
            notices: notices(lab).into(),
            events: self.events.clone(),
            status: self.status.clone(),
            alert: self.alert.clone(),
            tick: self.tick,
        }
    }

    /// What is chosen; beside a ladder a message with its whole future, and by itself the one that
    /// waited longest.
    fn chosen(&mut self, lab: &Lab, cast: &Cast) -> Inspection {
        let slow = lab.slowest().filter(|_| lab.chosen == Chosen::Nothing);
        let msg = match lab.chosen {
            Chosen::Message(msg) => Some(msg),
            _ => slow,
        };
        let (Some(msg), Some(whole)) = (msg, lab.ahead.whole()) else {
            return inspect(subject(lab, cast, self.remember(lab)), lab.chosen);
        };
        let key = (msg, lab.n_runs, lab.ahead.n_computed());
        if self.whole_of != Some(key) {
            self.whole_of = Some(key);
            self.whole_story = whole.story(msg, SimTime::ZERO, STORY);
        }
        let subject = Subject {
            scenario: whole.scenario(),
            cast,
            world: whole.world(),
            seen: whole.seen(),
            past: &self.whole_story,
            now: whole.now(),
            lang: lab.shell.lang,
        };
        inspect(subject, Chosen::Message(msg))
    }

    /// What the trace has forgotten of the chosen message; run again while the clock stands.
    fn remember(&mut self, lab: &Lab) -> &[(SimTime, Fact)] {
        let session = &lab.session;
        let Chosen::Message(msg) = lab.chosen else { return &[] };
        let first = session.seen().trace.facts().next().map(|(at, _)| *at);
        let held = session.seen().accounts.get(msg).map(|account| account.born);
        // Of a message that nobody holds any more it is not known when it began.
        let is_short = session.events() < MOST_RETOLD;
        let born = held.or_else(|| is_short.then_some(SimTime::ZERO));
        let forgotten = first.zip(born).is_some_and(|(first, born)| born < first);
        if !forgotten || lab.playing {
            return &[];
        }
        let here = (msg, session.events());
        if let Some(born) = born.filter(|_| self.past_of != Some(here)) {
            self.past_of = Some(here);
            self.past = session.story(msg, born, STORY);
        }
        &self.past
    }

    /// Sentences at most one in two seconds, the newest wins; faults at once.
    fn speak(&mut self, lab: &Lab, cast: &Cast, caption: &Step, wall_ms: f64) {
        if !lab.playing || TICK_MS <= wall_ms - self.tick_at {
            self.tick += 1;
            self.tick_at = wall_ms;
        }
        let sentence = format!("{}: {}", caption.time, caption.words);
        let rested = SPOKEN_MS <= wall_ms - self.status_at;
        if !lab.playing && rested && !caption.words.is_empty() && sentence != self.status {
            self.status = sentence;
            self.status_at = wall_ms;
        }
        if let Some(alert) = alert(&lab.session, cast, lab.shell.lang) {
            self.alert = alert;
        }
    }
}

/// The newest fault, or the end.
fn alert(session: &Session, cast: &Cast, lang: Lang) -> Option<String> {
    if session.finished() {
        let end = numbers::instant(session.now());
        return Some(match lang {
            Lang::En => format!("The run ended at {end}."),
            Lang::Zh => format!("运行在 {end} 结束。"),
        });
    }
    let is_fault = |fact: &Fact| {
        matches!(fact, Fact::Crashed { .. } | Fact::Restarted { .. } | Fact::Cut { .. })
    };
    let (at, fact) = session.seen().trace.facts().rev().find(|(_, fact)| is_fault(fact))?;
    let words = tell(fact, cast, lang).say();
    Some(format!("{}: {words}", numbers::instant(*at)))
}

fn story_of(lab: &Lab) -> Story {
    let (scenario, lang) = (lab.session.scenario(), lab.shell.lang);
    Story {
        title: scenario.title.get(lang).to_string(),
        story: scenario.story.get(lang).to_string(),
        question: scenario.question.get(lang).to_string(),
    }
}

fn clock(lab: &Lab, cast: &Cast) -> Clock {
    let session = &lab.session;
    Clock {
        now: session.now(),
        until: session.until(),
        playing: lab.playing,
        finished: session.finished(),
        steps: lab.shell.steps,
        speed: lab.speed,
        next: caption::next(session.world(), cast, lab.shell.lang)
            .filter(|_| !session.finished())
            .map(|next| (next.sentence.say(), numbers::span(next.within))),
    }
}

/// The last event worth telling, or what to do first.
fn caption(lab: &Lab, cast: &Cast) -> Step {
    let session = &lab.session;
    let look = Look {
        lang: lab.shell.lang,
        theme: if lab.shell.dark { Theme::Dark } else { Theme::Light },
        chosen: Chosen::Nothing,
        speed: speed::ratio(lab.speed),
        playing: lab.playing,
        embed: lab.shell.embed.is_some(),
    };
    match caption::last(session.seen().trace.facts().rev(), session.now(), cast, &look) {
        Some(last) => Step { time: numbers::instant(last.at), words: last.sentence.say() },
        None => Step::default(),
    }
}

fn events(session: &Session, cast: &Cast, lang: Lang) -> Vec<Step> {
    let newest = session.seen().trace.facts().rev().take(EVENTS);
    newest
        .map(|(at, fact)| Step { time: numbers::instant(*at), words: tell(fact, cast, lang).say() })
        .collect()
}

/// What breaks, is lost on purpose or changes, on the time axis.
fn marks(session: &Session, lang: Lang) -> Vec<Mark> {
    let planned = session.scenario().faults.iter().map(|fault| (fault.at, &fault.what));
    let done = session.log().iter().map(|entry| (entry.at, &entry.command));
    let mut marks: Vec<Mark> = planned
        .chain(done)
        .take(MARKS)
        .map(|(at, command)| mark(session, at, command, lang))
        .collect();
    settle(&mut marks, |a, b| a.place < b.place);
    // Moving a slider leaves many marks at one place: one is enough.
    marks.dedup_by(|a, b| a.place == b.place && a.kind == b.kind && a.words == b.words);
    marks
}

fn mark(session: &Session, at: SimTime, command: &Command, lang: Lang) -> Mark {
    let scenario = session.scenario();
    let name = |node: Node| scenario.name_of(node).get(lang);
    let pick = |en: String, zh: String| match lang {
        Lang::En => en,
        Lang::Zh => zh,
    };
    use MarkKind::{Change, Drop, Fault};
    let (kind, words) = match command {
        Command::Crash(actor) => {
            let name = name(Node::Actor(*actor));
            (Fault, pick(format!("{name} crashes"), format!("{name}崩溃")))
        }
        Command::TurnNode { actor, node, is_up } => {
            let (name, node) = (name(Node::Actor(*actor)), u32::from(*node) + 1);
            let kind = if *is_up { Change } else { Fault };
            let words = match is_up {
                true => {
                    pick(format!("{name}: node {node} is back"), format!("{name}节点 {node} 恢复"))
                }
                false => {
                    pick(format!("{name}: node {node} dies"), format!("{name}节点 {node} 宕机"))
                }
            };
            (kind, words)
        }
        Command::Pause(actor) => {
            let name = name(Node::Actor(*actor));
            (Fault, pick(format!("{name} pauses"), format!("{name}暂停")))
        }
        Command::Cut(channel) => {
            let name = name(Node::Channel(*channel));
            (Fault, pick(format!("{name} is cut"), format!("{name}断开")))
        }
        Command::Slow { actor, .. } => {
            let name = name(Node::Actor(*actor));
            (Fault, pick(format!("{name} slows"), format!("{name}变慢")))
        }
        Command::DropNth { channel, .. } => {
            let name = name(Node::Channel(*channel));
            (Drop, pick(format!("a drop on {name}"), format!("{name}丢一条")))
        }
        Command::LoseNth { channel, .. } => {
            let name = name(Node::Channel(*channel));
            (Drop, pick(format!("a loss on {name}"), format!("{name}丢一个包")))
        }
        Command::Restart(_) => (Change, pick("restart".into(), "重启".into())),
        Command::Resume(_) => (Change, pick("resume".into(), "恢复".into())),
        Command::Mend(_) => (Change, pick("mended".into(), "接通".into())),
        Command::Send { .. } => (Change, pick("sent by hand".into(), "手动发送".into())),
        Command::Set { node, param, value } => {
            let specs = specs_of(session.world(), *node);
            let spec = specs.and_then(|specs| specs.get(usize::from(*param)));
            let words = match (spec, value) {
                (Some(spec), Value::Bool(joins)) if spec.key == "joined" => {
                    let name = name(*node);
                    match joins {
                        true => pick(format!("{name} joins"), format!("{name}加入")),
                        false => pick(format!("{name} leaves"), format!("{name}离开")),
                    }
                }
                _ => spec.map_or(String::new(), |spec| spec.name.get(lang).to_string()),
            };
            (Change, words)
        }
    };
    Mark { place: place_of(at, session.until()), kind, words }
}

fn specs_of(world: &World, node: Node) -> Option<&'static [crate::param::Spec]> {
    match node {
        Node::Actor(id) => Some(world.actors.get(id.index())?.machine.params().specs()),
        Node::Channel(id) => Some(world.ground.channels.get(id.index())?.machine.params().specs()),
        Node::Host(id) => Some(world.ground.hosts.get(id.index())?.params.params().specs()),
        Node::Wire(_) => Some(crate::model::channel::tcp::WireParams::SPECS),
    }
}

fn knobs(session: &Session, steppers: Vec<Stepper>, lang: Lang) -> Knobs {
    let scenario = session.scenario();
    let mut changed = 0;
    let mut front: Vec<Group> = Vec::new();
    let mut more: Vec<Group> = Vec::new();
    let in_front = scenario.knob_settings();
    for setting in &in_front {
        add(&mut front, session, setting, lang);
    }
    for setting in scenario.params() {
        let value = session.value_now(&setting);
        changed += usize::from(value != session.planned_value(&setting));
        if in_front.iter().all(|other| other.path != setting.path) {
            add(&mut more, session, &setting, lang);
        }
    }
    Knobs { front, steppers, more, changed }
}

/// Adds a knob to the group of its owner.
fn add(groups: &mut Vec<Group>, session: &Session, setting: &Setting, lang: Lang) {
    let title = setting.owner.get(lang);
    let knob = knob(session, setting, lang);
    match groups.iter_mut().find(|group| group.title == title) {
        Some(group) => group.knobs.push(knob),
        None => groups.push(Group { title: title.to_string(), knobs: vec![knob] }),
    }
}

fn knob(session: &Session, setting: &Setting, lang: Lang) -> Knob {
    let spec = setting.spec;
    let (value, planned) = (session.value_now(setting), session.planned_value(setting));
    let control = match (&value, spec.kind) {
        (Value::Bool(on), _) => Control::Switch(*on),
        (Value::Choice(index), _) => {
            let option = |choice: &crate::param::Choice| {
                (choice.word.to_string(), choice.name.get(lang).to_string())
            };
            Control::Choice(spec.choices.iter().map(option).collect(), usize::from(*index))
        }
        (_, Kind::Words | Kind::Spans | Kind::Lines) => Control::List(spec.show(&value)),
        _ => Control::Slider {
            position: spec.to_position(&value),
            default: spec.to_position(&planned),
        },
    };
    Knob {
        path: setting.path.clone(),
        name: spec.name.get(lang).to_string(),
        help: spec.help.get(lang).to_string(),
        value: spec.label(&value, lang),
        changed: value != planned,
        control,
    }
}

/// What is shown at this instant.
fn subject<'a>(lab: &'a Lab, cast: &'a Cast, past: &'a [(SimTime, Fact)]) -> Subject<'a> {
    let session = &lab.session;
    Subject {
        scenario: session.scenario(),
        cast,
        world: session.world(),
        seen: session.seen(),
        past,
        now: session.now(),
        lang: lab.shell.lang,
    }
}

/// What was tried for the message that is shown, in the page's words.
fn cures(lab: &Lab, shown: &Inspection) -> Vec<Try> {
    let lang = lab.shell.lang;
    let now = shown.chain.as_ref().map(|chain| chain.latency);
    let Some(now) = now else { return Vec::new() };
    let cures = lab.cures().iter().filter_map(|cure| {
        // What does not help is no cure.
        let latency = cure.latency.filter(|latency| *latency < now)?;
        Some(Try {
            path: cure.path.clone(),
            text: cure.text.clone(),
            label: cure.label.get(lang).to_string(),
            value: numbers::span(latency),
        })
    });
    cures.collect()
}

fn ledger(session: &Session) -> Ledger {
    let ledger = &session.seen().ledger;
    Ledger {
        sent: ledger.sent,
        delivered: ledger.delivered,
        lost: ledger.lost,
        in_flight: ledger.in_flight(),
        duplicated: ledger.duplicated,
        redelivered: ledger.redelivered,
        reordered: ledger.reordered,
    }
}

fn run(lab: &Lab) -> Run {
    Run {
        seed: lab.session.scenario().seed.to_string(),
        fingerprint: numbers::fingerprint(lab.session.fingerprint()),
        matches: lab.matches(),
    }
}

fn notices(lab: &Lab) -> Vec<Notice> {
    let lang = lab.shell.lang;
    let notice = |said: &crate::web::lab::Saying| Notice {
        id: said.id,
        tone: said.tone,
        title: said.title.get(lang).to_string(),
        text: said.text.get(lang).to_string(),
        way: said.way.as_ref().map(|(word, act)| (word.get(lang).to_string(), act.clone())),
    };
    lab.notices.iter().map(notice).collect()
}
