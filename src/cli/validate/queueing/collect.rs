//! Reads times off a run's facts: waits, sojourns, numbers in system, losses; exact, in ns.
//!
//! A *scope* is what is looked at as one queueing system: one or several actors with workers, or
//! the whole way from `Sent` to `Done`. A message enters a scope when it arrives there, starts,
//! and leaves when its work ends or when it is refused. Time is cut into batches of equal length.

use std::collections::VecDeque;

use crate::kernel::SimTime;
use crate::model::{ActorId, Fact, Node};

/// Levels of percentiles that a scope may watch.
pub const N_LEVELS: usize = 5;
/// Numbers in system that have a counter of their own; the last one counts all above, too.
pub const N_STATES: usize = 24;
/// Functions of the wait that multiply the noise of gaps and services: 1, the wait, one per level.
pub const N_SHAPES: usize = 2 + N_LEVELS;

/// What is known of the noise that drives a scope, to subtract what of an estimate is due to it.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Mean time of the work, in ns.
    pub service: f64,
    /// Mean gap between arrivals at one actor, in ns; 0 where gaps are no free draws.
    pub gap: f64,
    /// Decay of the wait's tail per ns, roughly; sets the form of the controls only.
    pub decay: f64,
}

/// How a scope is watched.
#[derive(Clone, Debug, Default)]
pub struct ScopeSpec {
    /// Waits above these, in ns, are counted.
    pub wait_levels: [u64; N_LEVELS],
    /// Sojourns above these, in ns, are counted.
    pub sojourn_levels: [u64; N_LEVELS],
    /// The noise, where it is known.
    pub noise: Option<Noise>,
}

/// What happened in a scope during one batch. Times in ns.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// Length of the batch.
    pub span: u64,
    /// Messages that came.
    pub n_entered: u64,
    /// Messages whose work began.
    pub n_started: u64,
    /// Messages whose work ended.
    pub n_left: u64,
    /// Messages that were refused.
    pub n_refused: u64,
    /// Messages that started later than they came.
    pub n_waited: u64,
    /// Sum of waits.
    pub wait: u64,
    /// Sum of sojourns of those that left.
    pub sojourn: u64,
    /// Integral of the number in system.
    pub area: u64,
    /// Integral of the number at work.
    pub area_busy: u64,
    /// Time with so many in system.
    pub at: [u64; N_STATES],
    /// Busy periods that ended.
    pub n_busy_periods: u64,
    /// Their length.
    pub busy_periods: u64,
    /// Waits above each level.
    pub wait_above: [u64; N_LEVELS],
    /// Sojourns above each level.
    pub sojourn_above: [u64; N_LEVELS],
    /// Sums of shape x noise: of gaps, then of services. Their mean is zero.
    pub controls: [f64; 2 * N_SHAPES],
}

/// Counts of spans in cells 0.2 to 0.4 % wide; exact below 512 ns.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    cells: Vec<u64>,
    n: u64,
}

const CELL_BITS: u32 = 8;
const N_CELLS: usize = (65 - CELL_BITS as usize) << CELL_BITS;

impl Spans {
    /// Counts a span.
    pub fn add(&mut self, span: u64) {
        if self.cells.is_empty() {
            self.cells = vec![0; N_CELLS];
        }
        self.cells[Spans::cell(span)] += 1;
        self.n += 1;
    }

    /// Takes over the counts of another.
    pub fn merge(&mut self, other: &Spans) {
        if self.cells.is_empty() {
            self.cells.clone_from(&other.cells);
            self.n = other.n;
            return;
        }
        for (mine, theirs) in self.cells.iter_mut().zip(&other.cells) {
            *mine += theirs;
        }
        self.n += other.n;
    }

    /// The span below which a share `p` lies, interpolated inside its cell.
    pub fn quantile(&self, p: f64) -> f64 {
        let rank = p * self.n as f64;
        let mut below = 0.0;
        for (cell, count) in self.cells.iter().enumerate() {
            let count = *count as f64;
            if 0.0 < count && rank <= below + count {
                let (low, high) = (Spans::start(cell), Spans::start(cell + 1));
                return if cell == 0 { 0.0 } else { low + (high - low) * (rank - below) / count };
            }
            below += count;
        }
        0.0
    }

    /// The share of spans above this one.
    pub fn share_above(&self, span: f64) -> f64 {
        if self.cells.is_empty() {
            return 0.0;
        }
        let cell = Spans::cell(span as u64);
        let (low, high) = (Spans::start(cell), Spans::start(cell + 1));
        let above: u64 = self.cells[cell + 1..].iter().sum();
        let part = self.cells[cell] as f64 * (high - span) / (high - low);
        (above as f64 + part) / self.n as f64
    }

    fn cell(span: u64) -> usize {
        let octave = (64 - span.leading_zeros()).saturating_sub(CELL_BITS + 1);
        ((octave as usize) << CELL_BITS) + (span >> octave) as usize
    }

    fn start(cell: usize) -> f64 {
        let octave = (cell >> CELL_BITS).saturating_sub(1);
        let inside = cell - (octave << CELL_BITS);
        inside as f64 * (1_u64 << octave) as f64
    }
}

/// The state of a scope while facts come in.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    spec: ScopeSpec,
    /// The exponential at each level, where it stops to grow.
    tops: [f64; N_LEVELS],
    /// The batches so far, warm-up not included.
    pub batches: Vec<Sums>,
    /// Waits after the warm-up.
    pub waits: Spans,
    /// Sojourns after the warm-up.
    pub sojourns: Spans,
    now: Sums,
    /// Messages in system now.
    pub n: u64,
    n_busy: u64,
    since: u64,
    busy_since: u64,
    whole_area: u128,
    whole_times: u128,
}

/// A message on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    sent: u64,
    entered: u64,
    started: u64,
    /// Since the arrival before it at the same actor.
    gap: u64,
    /// Scope + 1; 0 = in none.
    place: u8,
    /// Added to the scope of where it arrives.
    class: u8,
    is_at_work: bool,
    /// A copy counts in the places where it is, not in the whole way.
    is_copy: bool,
    is_over: bool,
}

/// What is remembered per actor, for the noise of gaps.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    last_arrival: u64,
    /// The shapes at the wait of the message before; known once it started.
    shapes: [f64; N_SHAPES],
}

/// Which scope an actor belongs to, what is watched, and for how long.
#[derive(Clone, Debug, Default)]
pub struct WatchSpec {
    /// The scope of each actor, in the order of the world.
    pub scope_of: Vec<Option<u8>>,
    /// What messages of a sender add to the scope of where they are, by actor; none: nothing.
    pub class_of: Vec<u8>,
    /// The actor at the far end of each channel.
    pub end_of: Vec<ActorId>,
    /// The scope of the whole way, if one is watched.
    pub whole: Option<u8>,
    /// The scopes.
    pub scopes: Vec<ScopeSpec>,
    /// Length of the part that is left out, in ns.
    pub warm_up: u64,
    /// Length of a batch, in ns.
    pub batch: u64,
}

impl WatchSpec {
    /// The same, with everything up to an instant in one batch.
    pub fn one_batch(self, end: u64) -> WatchSpec {
        WatchSpec { warm_up: 0, batch: end, ..self }
    }
}

/// Reads facts.
#[derive(Clone, Debug)]
pub struct Watch {
    spec: WatchSpec,
    /// What was seen.
    pub scopes: Vec<Scope>,
    open: VecDeque<Open>,
    first: u64,
    memory: Vec<Memory>,
    ends: u64,
    is_warm: bool,
}

impl Watch {
    /// Has seen nothing yet.
    pub fn new(spec: WatchSpec) -> Watch {
        let scope = |s: &ScopeSpec| {
            let decay = s.noise.map_or(0.0, |noise| noise.decay);
            let tops = s.wait_levels.map(|level| libm::exp(level as f64 * decay));
            Scope { spec: s.clone(), tops, ..Scope::default() }
        };
        Watch {
            scopes: spec.scopes.iter().map(scope).collect(),
            open: VecDeque::new(),
            first: 1,
            memory: vec![Memory::default(); spec.scope_of.len()],
            ends: spec.warm_up,
            is_warm: spec.warm_up == 0,
            spec,
        }
        .begun()
    }

    fn begun(mut self) -> Watch {
        if self.is_warm {
            self.ends = self.spec.batch;
        }
        self
    }

    /// Takes in one fact.
    pub fn see(&mut self, at: SimTime, fact: &Fact) {
        let at = at.ns();
        while self.ends <= at {
            self.close_batch();
        }
        match *fact {
            Fact::Sent { msg, by, .. } => {
                debug_assert_eq!(msg.0, self.first + self.open.len() as u64);
                let class = self.spec.class_of.get(by.index()).copied().unwrap_or(0);
                self.open.push_back(Open { sent: at, class, ..Open::default() });
                if let Some(whole) = self.spec.whole {
                    self.scopes[usize::from(whole)].enter(at);
                }
            }
            Fact::Copied { .. } => {
                self.open.push_back(Open { sent: at, is_copy: true, ..Open::default() });
            }
            Fact::Buffered { msg, .. } | Fact::Failed { msg, .. } => self.interrupt(at, msg.0),
            Fact::Arrived { msg, channel, .. } => {
                let actor = self.spec.end_of[channel.index()];
                self.arrive(at, msg.0, actor);
            }
            Fact::Started { msg, at: actor, .. } => self.start(at, msg.0, actor),
            Fact::Worked { msg, .. } => self.leave(at, msg.0, false),
            Fact::Done { msg, .. } => self.leave(at, msg.0, true),
            Fact::Dropped { msg, at: Node::Actor(_), .. } => self.refuse(at, msg.0),
            _ => {}
        }
    }

    /// The run ended: closes what is complete, and tells whether Little's law held exactly.
    ///
    /// The integral of the number in system must be the sum of all times in system, those of
    /// messages still there included: an identity between whole numbers of ns.
    pub fn finish(&mut self, end: u64) -> Result<(), String> {
        while self.ends <= end && self.ends != u64::MAX {
            self.close_batch();
        }
        let mut times: Vec<u128> = self.scopes.iter().map(|s| s.whole_times).collect();
        for open in self.open.iter().filter(|open| !open.is_over) {
            if let (Some(whole), false) = (self.spec.whole, open.is_copy) {
                times[usize::from(whole)] += u128::from(end - open.sent);
            }
            if open.place != 0 {
                times[usize::from(open.place) - 1] += u128::from(end - open.entered);
            }
        }
        for (scope, times) in self.scopes.iter_mut().zip(times) {
            scope.pass(end);
            if scope.whole_area != times {
                let area = scope.whole_area;
                return Err(format!("Little's law: area {area} ns, times in system {times} ns"));
            }
        }
        Ok(())
    }

    fn message(&mut self, msg: u64) -> Option<&mut Open> {
        let place = msg.checked_sub(self.first)?;
        self.open.get_mut(usize::try_from(place).ok()?)
    }

    fn arrive(&mut self, at: u64, msg: u64, actor: ActorId) {
        let Some(scope) = self.spec.scope_of[actor.index()] else { return };
        let memory = &mut self.memory[actor.index()];
        let gap = at - memory.last_arrival;
        memory.last_arrival = at;
        if let Some(open) = self.message(msg) {
            let scope = scope + open.class;
            (open.entered, open.gap, open.place) = (at, gap, scope + 1);
            self.scopes[usize::from(scope)].enter(at);
        }
    }

    /// Work on a message stopped before its end: it waits again.
    fn interrupt(&mut self, at: u64, msg: u64) {
        let Some(open) = self.message(msg) else { return };
        let was_at_work = std::mem::take(&mut open.is_at_work);
        let place = open.place;
        if was_at_work && place != 0 {
            self.scopes[usize::from(place) - 1].interrupt(at);
        }
    }

    fn start(&mut self, at: u64, msg: u64, actor: ActorId) {
        let Some(open) = self.message(msg) else { return };
        open.started = at;
        open.is_at_work = true;
        let (wait, gap, place) = (at - open.entered, open.gap, open.place);
        if place != 0 {
            let memory = &mut self.memory[actor.index()];
            self.scopes[usize::from(place) - 1].start(at, wait, gap, memory, self.is_warm);
        }
    }

    fn leave(&mut self, at: u64, msg: u64, is_over: bool) {
        let Some(open) = self.message(msg) else { return };
        open.is_over = is_over;
        open.is_at_work = false;
        let place = std::mem::take(&mut open.place);
        let Open { sent, entered, started, is_copy, .. } = *open;
        let is_warm = self.is_warm;
        if place != 0 {
            let scope = &mut self.scopes[usize::from(place) - 1];
            scope.leave(at, entered, started, is_warm);
        }
        if let (true, Some(whole)) = (is_over && !is_copy, self.spec.whole) {
            let scope = &mut self.scopes[usize::from(whole)];
            scope.leave_whole(at, sent, is_warm);
        }
        self.forget();
    }

    fn refuse(&mut self, at: u64, msg: u64) {
        let Some(open) = self.message(msg) else { return };
        open.is_over = true;
        let place = std::mem::take(&mut open.place);
        let Open { sent, entered, .. } = *open;
        if place != 0 {
            self.scopes[usize::from(place) - 1].refuse(at, entered);
        }
        if let Some(whole) = self.spec.whole {
            self.scopes[usize::from(whole)].refuse(at, sent);
        }
        self.forget();
    }

    fn forget(&mut self) {
        while self.open.front().is_some_and(|open| open.is_over) {
            self.open.pop_front();
            self.first += 1;
        }
    }

    fn close_batch(&mut self) {
        for scope in &mut self.scopes {
            scope.pass(self.ends);
            let mut batch = std::mem::take(&mut scope.now);
            batch.span = self.spec.batch;
            if self.is_warm {
                scope.batches.push(batch);
            }
        }
        self.is_warm = true;
        self.ends = self.ends.saturating_add(self.spec.batch);
    }
}

impl Scope {
    fn pass(&mut self, at: u64) {
        let span = at - self.since;
        self.since = at;
        self.now.area += self.n * span;
        self.now.area_busy += self.n_busy * span;
        self.now.at[(self.n as usize).min(N_STATES - 1)] += span;
        self.whole_area += u128::from(self.n) * u128::from(span);
    }

    fn enter(&mut self, at: u64) {
        self.pass(at);
        if self.n == 0 {
            self.busy_since = at;
        }
        self.n += 1;
        self.now.n_entered += 1;
    }

    fn start(&mut self, at: u64, wait: u64, gap: u64, memory: &mut Memory, is_warm: bool) {
        self.pass(at);
        self.n_busy += 1;
        self.now.n_started += 1;
        self.now.n_waited += u64::from(wait != 0);
        self.now.wait += wait;
        if is_warm {
            self.waits.add(wait);
        }
        for (count, level) in self.now.wait_above.iter_mut().zip(self.spec.wait_levels) {
            *count += u64::from(level < wait);
        }
        if let Some(noise) = self.spec.noise {
            let off = deviation(gap, noise.gap);
            for (sum, shape) in self.now.controls.iter_mut().zip(memory.shapes) {
                *sum += shape * off;
            }
            memory.shapes = self.shapes(&noise, wait);
        }
    }

    fn interrupt(&mut self, at: u64) {
        self.pass(at);
        self.n_busy -= 1;
    }

    fn leave(&mut self, at: u64, entered: u64, started: u64, is_warm: bool) {
        self.leave_whole(at, entered, is_warm);
        self.n_busy -= 1;
        if let Some(noise) = self.spec.noise {
            let off = deviation(at - started, noise.service);
            let shapes = self.shapes(&noise, started - entered);
            for (sum, shape) in self.now.controls[N_SHAPES..].iter_mut().zip(shapes) {
                *sum += shape * off;
            }
        }
    }

    fn leave_whole(&mut self, at: u64, entered: u64, is_warm: bool) {
        self.pass(at);
        self.go(at);
        let sojourn = at - entered;
        self.whole_times += u128::from(sojourn);
        self.now.n_left += 1;
        self.now.sojourn += sojourn;
        if is_warm {
            self.sojourns.add(sojourn);
        }
        for (count, level) in self.now.sojourn_above.iter_mut().zip(self.spec.sojourn_levels) {
            *count += u64::from(level < sojourn);
        }
    }

    fn refuse(&mut self, at: u64, entered: u64) {
        self.pass(at);
        self.go(at);
        self.whole_times += u128::from(at - entered);
        self.now.n_refused += 1;
    }

    fn go(&mut self, at: u64) {
        self.n -= 1;
        if self.n == 0 {
            self.now.n_busy_periods += 1;
            self.now.busy_periods += at - self.busy_since;
        }
    }

    /// 1, the wait, and for each level an exponential up to that level: first-order forms of how a
    /// little noise now changes the sum of later waits, or the count of later waits above a level.
    fn shapes(&self, noise: &Noise, wait: u64) -> [f64; N_SHAPES] {
        let reduced = wait as f64 * noise.decay;
        let grown = libm::exp(reduced);
        let mut shapes = [1.0; N_SHAPES];
        shapes[1] = reduced;
        for (shape, top) in shapes[2..].iter_mut().zip(self.tops) {
            *shape = grown.min(top) / top;
        }
        shapes
    }
}

/// By which part of the mean a span is off; what rounding to whole ns explains is nothing.
fn deviation(span: u64, mean: f64) -> f64 {
    let off = span as f64 - mean;
    if mean == 0.0 || off.abs() < 1.5 { 0.0 } else { off / mean }
}
