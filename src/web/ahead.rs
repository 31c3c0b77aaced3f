//! The same run taken to its end, a little in every frame: what a ladder shows of the time to come.
//!
//! A run is decided by its document, its seed and what was done to it, so what will happen is known
//! as soon as it is computed. Long runs are not: what they show ends at the shown instant.

use crate::view::ladder::source;
use crate::web::dom;
use crate::world::session::{Session, Watch};

/// Most events of a run that is taken to its end.
const MOST_EVENTS: u64 = 300_000;
/// Events between two looks at the wall clock.
const CHUNK: u64 = 1_000;
/// Milliseconds of a frame that it may take.
const BUDGET_MS: f64 = 5.0;

/// How far one has looked ahead.
#[derive(Default)]
enum State {
    /// Not at all.
    #[default]
    None,
    /// So far.
    Underway(Box<Session>),
    /// To the end.
    Done(Box<Session>),
    /// It is too long.
    GivenUp,
}

/// The run ahead of the shown instant.
#[derive(Default)]
pub struct Ahead(State, u64);

impl Ahead {
    /// The run is another one now.
    pub fn forget(&mut self) {
        self.0 = State::None;
        self.1 += 1;
    }

    /// How often a run was looked ahead into.
    pub fn n_computed(&self) -> u64 {
        self.1
    }

    /// The run at its end.
    pub fn whole(&self) -> Option<&Session> {
        match &self.0 {
            State::Done(session) => Some(session),
            _ => None,
        }
    }

    /// Works for a part of a frame on the run that `session` shows; true: there is more to do.
    pub fn work(&mut self, session: &Session) -> bool {
        if let State::None = self.0 {
            if !source::has_ladder(session.scenario()) {
                return false;
            }
            let (scenario, log) = (session.scenario().clone(), session.log().to_vec());
            self.0 = State::Underway(Box::new(Session::with_log(scenario, Watch::All, log)));
        }
        let State::Underway(ahead) = &mut self.0 else { return false };
        let began = dom::wall_ms();
        while dom::wall_ms() - began < BUDGET_MS {
            let over = ahead.advance(ahead.until(), CHUNK) || ahead.stopped().is_some();
            let long = MOST_EVENTS < ahead.events() || !source::is_complete(ahead.seen());
            if over || long {
                self.0 = match std::mem::take(&mut self.0) {
                    State::Underway(ahead) if !long => State::Done(ahead),
                    _ => State::GivenUp,
                };
                return false;
            }
        }
        true
    }
}
