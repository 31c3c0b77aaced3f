//! What would have helped a message: the scenario's switches tried one by one, in other runs.
//!
//! Each figure is measured, not guessed: the changed scenario runs, a little in every frame, and
//! the same message is looked up in it.

use crate::kernel::{SimSpan, SimTime};
use crate::model::{Fact, MsgId};
use crate::param::{Said, Value};
use crate::web::dom;
use crate::world::scenario::Scenario;
use crate::world::session::{Session, Watch};
use crate::world::setting::Setting;

/// Most switches that are tried.
const MOST: usize = 4;
/// Most events of one try.
const MOST_EVENTS: u64 = 200_000;
/// Events between two looks at the wall clock.
const CHUNK: u64 = 1_000;
/// Milliseconds of a frame that it may take.
const BUDGET_MS: f64 = 4.0;
/// Most facts of a message that are looked at.
const STORY: usize = 200;

/// A change and what it gives.
#[derive(Clone, PartialEq, Debug)]
pub struct Cure {
    /// The parameter's path.
    pub path: String,
    /// Its new value, as a document writes it.
    pub text: String,
    /// Whose parameter, which, and the new value.
    pub label: Said,
    /// The message's latency then; none: it was not delivered.
    pub latency: Option<SimSpan>,
}

/// A message in a run: its number, the run's, and which version of it.
type Key = (MsgId, u64, u64);

/// The tries for one message.
#[derive(Default)]
pub struct Cures {
    key: Option<Key>,
    todo: Vec<Cure>,
    running: Option<(Cure, Box<Session>)>,
    done: Vec<Cure>,
}

impl Cures {
    /// What was found for that message so far.
    pub fn of(&self, key: Key) -> &[Cure] {
        if self.key == Some(key) { &self.done } else { &[] }
    }

    /// Works for a part of a frame; true: there is more to do.
    pub fn work(&mut self, key: Key, scenario: &Scenario) -> bool {
        if self.key != Some(key) {
            *self = Cures { key: Some(key), todo: changes(scenario), ..Cures::default() };
        }
        if self.running.is_none() {
            let Some(cure) = self.todo.pop() else { return false };
            let mut changed = scenario.clone();
            if changed.set(&cure.path, &cure.text).is_ok() {
                self.running = Some((cure, Box::new(Session::new(changed, Watch::All))));
            }
            return true;
        }
        let Some((_, session)) = &mut self.running else { return false };
        let began = dom::wall_ms();
        while dom::wall_ms() - began < BUDGET_MS {
            let over = session.advance(session.until(), CHUNK) || session.stopped().is_some();
            if over || MOST_EVENTS < session.events() {
                if let Some((mut cure, session)) = self.running.take() {
                    cure.latency = latency_of(&session, key.0);
                    self.done.push(cure);
                }
                break;
            }
        }
        true
    }
}

/// The switches that the author put in front of the reader, each turned once.
fn changes(scenario: &Scenario) -> Vec<Cure> {
    let knobs = scenario.knob_settings();
    let mut cures: Vec<Cure> = knobs.iter().flat_map(turned).take(MOST).collect();
    // Taken from the end.
    cures.reverse();
    cures
}

/// The other values of a switch or of a choice.
fn turned(setting: &Setting) -> Vec<Cure> {
    let others: Vec<Value> = match &setting.value {
        Value::Bool(on) => vec![Value::Bool(!on)],
        Value::Choice(now) => {
            let all = 0..setting.spec.choices.len() as u8;
            all.filter(|n| n != now).map(Value::Choice).collect()
        }
        _ => Vec::new(),
    };
    let cure = |value: Value| {
        let label = |lang| {
            let (owner, spec) = (setting.owner.get(lang), setting.spec);
            format!("{owner}: {} {}", spec.name.get(lang), spec.label(&value, lang))
        };
        let label = Said::new(label(crate::param::Lang::En), label(crate::param::Lang::Zh));
        let (path, text) = (setting.path.clone(), setting.spec.show(&value));
        Cure { path, text, label, latency: None }
    };
    others.into_iter().map(cure).collect()
}

/// How long a message took in a run.
fn latency_of(session: &Session, msg: MsgId) -> Option<SimSpan> {
    let facts = session.story(msg, SimTime::ZERO, STORY);
    let sent = facts.iter().find(|(_, fact)| matches!(fact, Fact::Sent { .. }))?.0;
    let is_end =
        |fact: &Fact| matches!(fact, Fact::Done { answers: false, .. } | Fact::Answered { .. });
    let end = facts.iter().find(|(_, fact)| is_end(fact))?.0;
    Some(end.since(sent))
}
