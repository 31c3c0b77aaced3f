//! The clock on the wall, and a bar for runs that take their time.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::kernel::SimTime;
use crate::param::Lang;
use crate::view::numbers;
use crate::world::session::Session;

/// A run shorter than this has no bar.
const PATIENCE: Duration = Duration::from_millis(400);
/// Events between two looks at the clock.
const BATCH: u64 = 20_000;

/// Real time since a start.
#[derive(Clone, Copy)]
pub struct Watch(Instant);

impl Watch {
    /// Starts now.
    #[allow(clippy::disallowed_methods, reason = "the command line tells how fast it was")]
    pub fn start() -> Watch {
        Watch(Instant::now())
    }

    /// Time since the start.
    #[allow(clippy::disallowed_methods, reason = "the command line tells how fast it was")]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Drives a session and shows how far it is, if standard error is a terminal.
pub struct Progress {
    watch: Watch,
    lang: Lang,
    bar: Option<ProgressBar>,
    seen_by_someone: bool,
}

impl Progress {
    /// No bar yet.
    pub fn new(lang: Lang) -> Progress {
        let seen_by_someone = io::stderr().is_terminal();
        Progress { watch: Watch::start(), lang, bar: None, seen_by_someone }
    }

    /// Runs to an instant, or to where the run cannot go on.
    pub fn drive(&mut self, session: &mut Session, to: SimTime) {
        while !session.advance(to, BATCH) && session.stopped().is_none() {
            if self.seen_by_someone && PATIENCE < self.watch.elapsed() {
                self.show(session, to);
            }
        }
    }

    fn show(&mut self, session: &Session, to: SimTime) {
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(Some(1_000), target);
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let (now, end) = (session.now().ns(), to.ns().max(1));
        let part = u128::from(now) * 1_000 / u128::from(end);
        bar.set_position(u64::try_from(part).unwrap_or(1_000));
        let (now, end) = (numbers::instant(session.now()), numbers::instant(to));
        let events = numbers::count(session.events());
        bar.set_message(match self.lang {
            Lang::En => format!("{now} of {end}, events: {events}"),
            Lang::Zh => format!("{now} / {end}，事件：{events}"),
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how many of several pieces of work are done, if standard error is a terminal.
pub struct Counter {
    watch: Watch,
    bar: Option<ProgressBar>,
    seen_by_someone: bool,
}

impl Counter {
    /// No bar yet.
    pub fn new() -> Counter {
        let seen_by_someone = io::stderr().is_terminal();
        Counter { watch: Watch::start(), bar: None, seen_by_someone }
    }

    /// So many are done, of about so many.
    pub fn show(&mut self, done: u64, all: u64) {
        if !self.seen_by_someone || self.watch.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(Some(all), target);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        bar.set_length(all);
        bar.set_position(done);
    }

    /// The bar goes away.
    pub fn end(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}
