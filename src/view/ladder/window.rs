//! The stretch of time that a ladder shows: how it zooms, moves, and follows the shown instant.
//!
//! Lengths are in ns as `f64`: a window is looked at, never computed with. A time axis is never
//! broken, so a window is one stretch at one scale.

use crate::kernel::{SimSpan, SimTime};
use crate::view::numbers::{GROUP, count, short_span};

/// The shortest window, in ns: a segment of 64 bytes at 100 Mbit/s takes half of it.
const SHORTEST_NS: f64 = 10_000.0;
/// What one step of the zoom multiplies the window by.
const ZOOM_STEP: f64 = 1.5;
/// Where the shown instant stands at most while the window follows it, as a share of the height.
const FOLLOW_LOW: f64 = 0.82;
/// Where it is put when it has left the window.
const FOLLOW_PUT: f64 = 0.4;
/// Least pixels between two ticks of the axis.
const TICK_PX: f64 = 38.0;

/// A stretch of time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Window {
    /// Its start, in ns.
    pub from: f64,
    /// Its length, in ns.
    pub span: f64,
}

impl Window {
    /// From one instant to another.
    pub fn between(from: SimTime, to: SimTime) -> Window {
        Window { from: from.ns() as f64, span: (to.since(from).as_ns() as f64).max(SHORTEST_NS) }
    }

    /// Its end, in ns.
    pub fn end(&self) -> f64 {
        self.from + self.span
    }

    /// Where an instant stands: 0 at the start, 1 at the end, outside beyond.
    pub fn share(&self, at: SimTime) -> f64 {
        (at.ns() as f64 - self.from) / self.span
    }

    /// The instant at a share.
    pub fn instant(&self, share: f64) -> SimTime {
        SimTime::from_ns((self.from + share * self.span).max(0.0) as u64)
    }

    /// The window kept inside a run until `until`, not shorter than the shortest.
    fn kept(self, until: SimTime) -> Window {
        let whole = whole(until).span;
        let span = self.span.clamp(SHORTEST_NS, whole);
        Window { span, from: self.from.clamp(0.0, (whole - span).max(0.0)) }
    }
}

/// The whole run, with a little room after its end.
pub fn whole(until: SimTime) -> Window {
    Window { from: 0.0, span: (until.ns() as f64 * 1.03).max(SHORTEST_NS) }
}

/// How a ladder is looked at: what is left of the reader's zooming and panning.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sight {
    /// What is shown.
    pub window: Window,
    /// Whether the window goes with the shown instant.
    pub follows: bool,
    /// Whether the reader has chosen it: it is not replaced by a better first one.
    pub chosen: bool,
}

impl Sight {
    /// The first sight of a run: a stretch worth seeing, or the whole run.
    pub fn first(stretch: Option<Window>, until: SimTime) -> Sight {
        let window = stretch.map_or(whole(until), |window| window.kept(until));
        Sight { window, follows: true, chosen: false }
    }

    /// Zooms in (positive) or out by so many steps around a share of the height.
    pub fn zoom(&mut self, steps: f64, around: f64, until: SimTime) {
        let around = around.clamp(0.0, 1.0);
        let fixed = self.window.from + around * self.window.span;
        let span = self.window.span * libm::pow(ZOOM_STEP, -steps);
        let span = span.clamp(SHORTEST_NS, whole(until).span);
        self.window = Window { from: fixed - around * span, span }.kept(until);
        self.chosen = true;
    }

    /// Moves by a share of the height, later is positive; false when it is at the edge already.
    pub fn pan(&mut self, share: f64, until: SimTime) -> bool {
        let before = self.window;
        let from = before.from + share * before.span;
        self.window = Window { from, ..before }.kept(until);
        let moved = self.window != before;
        self.follows &= !moved;
        self.chosen |= moved;
        moved
    }

    /// The whole run; from there back to the stretch worth seeing.
    pub fn fit(&mut self, stretch: Option<Window>, until: SimTime) {
        let all = whole(until);
        let first = stretch.map_or(all, |window| window.kept(until));
        self.window = if self.window == all { first } else { all };
        self.follows = true;
        self.chosen = true;
    }

    /// Goes with the shown instant: it never leaves the window, and runs at one height while time
    /// passes.
    pub fn follow(&mut self, now: SimTime, playing: bool, until: SimTime) {
        if !self.follows {
            return;
        }
        let share = self.window.share(now);
        let from = if playing && (FOLLOW_LOW..1.5).contains(&share) {
            now.ns() as f64 - FOLLOW_LOW * self.window.span
        } else if !(0.0..=1.0).contains(&share) {
            now.ns() as f64 - FOLLOW_PUT * self.window.span
        } else {
            return;
        };
        self.window = Window { from, ..self.window }.kept(until);
    }
}

/// A tick of the axis: its instant and its label.
pub type Tick = (SimTime, String);

/// Round instants inside a window that is `height` pixels high.
pub fn ticks(window: Window, height: f32) -> Vec<Tick> {
    let least = window.span * TICK_PX / f64::from(height.max(1.0));
    let step = round_step(least);
    let first = (window.from / step).ceil().max(0.0) as u64;
    let last = (window.end() / step).floor().max(0.0) as u64;
    let step = step as u64;
    (first..=last.min(first + 200))
        .map(|n| SimTime::from_ns(n * step))
        .map(|at| (at, tick_label(at, step)))
        .collect()
}

/// The least 1, 2 or 5 times a power of ten of ns that is not below `least`.
fn round_step(least: f64) -> f64 {
    let mut unit = 1.0;
    while unit * 10.0 < least {
        unit *= 10.0;
    }
    let steps = [1.0, 2.0, 5.0, 10.0].map(|n| n * unit);
    steps.into_iter().find(|step| least <= *step).unwrap_or(least)
}

/// An instant as the axis says it: in seconds or milliseconds, as exact as the step needs.
fn tick_label(at: SimTime, step: u64) -> String {
    const MS: u64 = 1_000_000;
    if 1_000 * MS <= step {
        return short_span(at.since(SimTime::ZERO));
    }
    let (whole, rest) = (count(at.ns() / MS), at.ns() % MS);
    match step {
        MS.. => format!("{whole} ms"),
        100_000.. => format!("{whole}.{} ms", rest / 100_000),
        10_000.. => format!("{whole}.{:02} ms", rest / 10_000),
        1_000.. => format!("{whole}.{:03} ms", rest / 1_000),
        _ => format!("{whole}.{:03}{GROUP}{:03} ms", rest / 1_000, rest % 1_000),
    }
}

/// An instant on the playhead: as exact as one can follow, and always equally long in one run.
pub fn shown(at: SimTime, until: SimTime) -> String {
    const MS: u64 = 1_000_000;
    if until.ns() < 10_000 * MS {
        format!("{}.{:03} ms", count(at.ns() / MS), at.ns() % MS / 1_000)
    } else {
        crate::view::numbers::instant(at)
    }
}

/// A span to the microsecond: "42.932 ms".
pub fn fine(span: SimSpan) -> String {
    let ns = span.as_ns();
    match ns {
        0..1_000_000 => crate::view::numbers::span(span),
        1_000_000..10_000_000_000 => {
            format!("{}.{:03} ms", count(ns / 1_000_000), ns % 1_000_000 / 1_000)
        }
        _ => crate::view::numbers::span(span),
    }
}

/// A time to the nanosecond: "48.000 000 ms".
pub fn exact(ns: u64) -> String {
    let (ms, rest) = (ns / 1_000_000, ns % 1_000_000);
    format!("{}.{:03}{GROUP}{:03} ms", count(ms), rest / 1_000, rest % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: SimTime = SimTime::from_ns(350_000_000);

    fn ms(n: u64) -> SimTime {
        SimTime::from_ns(n * 1_000_000)
    }

    #[test]
    fn zooming_keeps_the_instant_under_the_pointer() {
        let mut sight = Sight::first(Some(Window::between(ms(100), ms(200))), UNTIL);
        let before = sight.window.instant(0.25);
        sight.zoom(3.0, 0.25, UNTIL);
        assert!(before.ns().abs_diff(sight.window.instant(0.25).ns()) < 10);
        assert!(sight.window.span < 30_000_000.0 && 29_000_000.0 < sight.window.span);
        sight.zoom(-100.0, 0.25, UNTIL);
        assert_eq!(sight.window, whole(UNTIL));
        sight.zoom(1e4, 0.25, UNTIL);
        assert_eq!(sight.window.span, SHORTEST_NS);
    }

    #[test]
    fn a_window_does_not_leave_the_run() {
        let mut sight = Sight::first(Some(Window::between(ms(0), ms(50))), UNTIL);
        assert!(!sight.pan(-0.5, UNTIL));
        assert!(sight.follows, "nothing moved");
        assert!(sight.pan(100.0, UNTIL));
        assert!(sight.window.end() <= whole(UNTIL).end() + 1.0);
        assert!(!sight.follows);
    }

    #[test]
    fn it_follows_the_shown_instant_unless_the_reader_moved_it() {
        let mut sight = Sight::first(Some(Window::between(ms(0), ms(50))), UNTIL);
        sight.follow(ms(20), true, UNTIL);
        assert_eq!(sight.window.from, 0.0, "nothing to do inside");
        sight.follow(ms(60), true, UNTIL);
        assert!((sight.window.share(ms(60)) - FOLLOW_LOW).abs() < 1e-9);
        sight.follow(ms(200), false, UNTIL);
        assert!((sight.window.share(ms(200)) - FOLLOW_PUT).abs() < 1e-9);
        sight.pan(-1.0, UNTIL);
        let before = sight.window;
        sight.follow(ms(300), true, UNTIL);
        assert_eq!(sight.window, before);
    }

    #[test]
    fn fit_goes_between_the_whole_run_and_the_stretch_worth_seeing() {
        let stretch = Some(Window::between(ms(0), ms(50)));
        let mut sight = Sight::first(stretch, UNTIL);
        sight.fit(stretch, UNTIL);
        assert_eq!(sight.window, whole(UNTIL));
        sight.fit(stretch, UNTIL);
        assert_eq!(sight.window, Window::between(ms(0), ms(50)));
    }

    #[test]
    fn ticks_are_round_and_as_exact_as_their_step() {
        let labels = |from, to, height| -> Vec<String> {
            let window = Window::between(SimTime::from_ns(from), SimTime::from_ns(to));
            let plain = |label: String| label.replace(GROUP, " ");
            ticks(window, height).into_iter().map(|tick| plain(tick.1)).collect()
        };
        let at_50 = labels(0, 53_000_000, 592.0);
        assert_eq!(at_50[..3], ["0 ms", "5 ms", "10 ms"]);
        assert_eq!(labels(48_000_000, 48_100_000, 200.0)[0], "48.00 ms");
        assert_eq!(labels(48_000_000, 48_010_000, 200.0)[1], "48.002 ms");
        assert_eq!(labels(0, 20_000_000_000, 400.0)[1], "2 s");
        for span in [10_000, 1_000_000, 350_000_000, 3_600_000_000_000_u64] {
            let n = labels(0, span, 600.0).len();
            assert!((4..=16).contains(&n), "{span} ns: {n} ticks");
        }
    }

    #[test]
    fn the_playhead_says_times_that_are_equally_long() {
        assert_eq!(shown(ms(27), UNTIL), "27.000 ms");
        assert_eq!(fine(SimSpan::ns(42_932_400)), "42.932 ms");
        assert_eq!(exact(49_007_200).replace(GROUP, " "), "49.007 200 ms");
    }
}
