//! A session: a world, what a person did to it, and checkpoints to go back by.
//!
//! Invariants: the world at an instant depends only on scenario, seed and the log up to there; a
//! seek never changes the log; a command drops what was logged for later (the run forks).

use crate::kernel::{SimTime, settle};
use crate::model::command::{Command, Node};
use crate::model::fact::Fact;
use crate::model::message::MsgId;
use crate::model::tcp::Segment;
use crate::observe::Seen;
use crate::param::{Applies, Reason, Said, Value};
use crate::world::arena::{Stop, World};
use crate::world::link::deeds;
use crate::world::problem::Problem;
use crate::world::scenario::Scenario;
use crate::world::setting::Setting;

/// Which sinks a session keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// All of them.
    All,
    /// None: only the fingerprint.
    Nothing,
}

/// What a person did, and when.
#[derive(Clone, PartialEq, Debug)]
pub struct Logged {
    /// After all events of this instant.
    pub at: SimTime,
    /// What.
    pub command: Command,
}

/// Most commands in a log.
pub const MAX_LOG: usize = 2_000;
/// Events between checkpoints, at first.
const SPACING: u64 = 16_384;
/// Most checkpoints; when there are more, every other one goes.
const MAX_CHECKPOINTS: usize = 64;
/// Rough bytes that checkpoints may take together.
const MAX_WEIGHT: u64 = 96 << 20;

/// Who is told facts: `false` ends the telling.
pub type Visit<'v> = &'v mut dyn FnMut(SimTime, &Fact, Option<&Segment>) -> bool;

/// A world to come back to.
#[derive(Clone, Debug)]
struct Checkpoint {
    world: World,
    seen: Option<Seen>,
    /// Log entries carried out.
    n_applied: u32,
}

/// A run that a person drives.
#[derive(Clone, Debug)]
pub struct Session {
    scenario: Scenario,
    watch: Watch,
    world: World,
    seen: Seen,
    log: Vec<Logged>,
    n_applied: u32,
    /// The shown instant: nothing is due before it or at it, unless a step stopped in between.
    now: SimTime,
    checkpoints: Vec<Checkpoint>,
    spacing: u64,
}

impl Session {
    /// A session at time zero.
    pub fn new(scenario: Scenario, watch: Watch) -> Session {
        let world = World::new(&scenario.plan(), watch == Watch::All);
        let mut seen = Seen::new(scenario.until);
        seen.lags.names = scenario.group_names();
        let mut session = Session {
            scenario,
            watch,
            world,
            seen,
            log: Vec::new(),
            n_applied: 0,
            now: SimTime::ZERO,
            checkpoints: Vec::new(),
            spacing: SPACING,
        };
        session.drain();
        session.keep();
        session
    }

    /// A session with a log to replay, at time zero. Entries are sorted by time.
    pub fn with_log(scenario: Scenario, watch: Watch, mut log: Vec<Logged>) -> Session {
        settle(&mut log, |a, b| a.at < b.at);
        log.truncate(MAX_LOG);
        let mut session = Session::new(scenario, watch);
        session.log = log;
        session
    }

    /// Runs forward to `to`, at most `max_events` events; `false`: it did not get there.
    pub fn advance(&mut self, to: SimTime, max_events: u64) -> bool {
        let to = to.min(self.scenario.until);
        for _ in 0..max_events {
            if !self.step_within(to) {
                self.stand_at(to);
                return true;
            }
        }
        self.now = self.now.max(self.world.now());
        false
    }

    /// Runs one event; `false`: none comes before the end.
    pub fn step(&mut self) -> bool {
        let stepped = self.step_within(self.scenario.until);
        if stepped {
            self.now = self.world.now();
        } else {
            self.stand_at(self.scenario.until);
        }
        stepped
    }

    /// Goes back by one event; `false`: at the start.
    pub fn step_back(&mut self) -> bool {
        let Some(target) = self.world.n_events().checked_sub(1) else {
            let moved = SimTime::ZERO < self.now;
            self.seek(SimTime::ZERO);
            return moved;
        };
        self.restore(|point| point.world.n_events() <= target);
        while self.world.n_events() < target && self.step_within(self.scenario.until) {}
        self.now = self.world.now();
        true
    }

    /// Goes to an instant, back or forward; all events of that instant have run.
    pub fn seek(&mut self, to: SimTime) {
        let to = to.min(self.scenario.until);
        let here = self.world.n_events();
        let back = to < self.now;
        let nearer = self.checkpoints.iter().rfind(|p| p.world.now() <= to);
        let jump = nearer.is_some_and(|p| here < p.world.n_events());
        if back || jump {
            self.restore(|point| point.world.now() <= to);
        }
        while self.step_within(to) {}
        self.stand_at(to);
    }

    /// Carries out a command at the shown instant; what was logged for later is dropped.
    pub fn do_now(&mut self, command: Command) -> Result<(), Problem> {
        // The instant is completed first, so that a link can say when by the time alone.
        while self.step_within(self.now) {}
        self.stand_at(self.now);
        if self.n_applied as usize >= MAX_LOG {
            let allowed = Said::new("at most 2000 actions", "最多 2000 次操作");
            return Err(Problem::refused(None, "do", Reason::new("", allowed)));
        }
        let refused = |why: Said| Problem::refused(None, "do", Reason::new("", why));
        self.world.apply(&command).map_err(refused)?;
        self.log.truncate(self.n_applied as usize);
        self.log.push(Logged { at: self.now, command });
        self.n_applied += 1;
        let here = self.world.n_events();
        self.checkpoints.retain(|p| p.world.n_events() < here || p.world.n_events() == 0);
        self.drain();
        // What it does at once belongs to the instant: a link to it shows that, too.
        while self.step_within(self.now) {}
        self.stand_at(self.now);
        Ok(())
    }

    /// Changes a parameter by its path.
    ///
    /// At the start, and for what applies at a restart, the scenario changes and the run is built
    /// anew up to the shown instant; a live one becomes a command of this instant.
    pub fn set(&mut self, path: &str, text: &str) -> Result<(), Problem> {
        let live = !matches!(path, "seed" | "until" | "speed")
            && self.scenario.setting(path)?.spec.applies == Applies::Live;
        if !(live && self.has_begun()) {
            let mut scenario = self.scenario.clone();
            scenario.set(path, text)?;
            self.rebuild(scenario);
            return Ok(());
        }
        let setting = self.scenario.setting(path)?;
        let value = setting.spec.parse(text).map_err(|r| Problem::refused(None, path, r))?;
        // A slider that moves while the clock stands leaves one entry, not one for each place.
        self.take_back(|command| match command {
            Command::Set { node, param, .. } => {
                *param == setting.param && setting.nodes.contains(node)
            }
            _ => false,
        });
        for node in setting.nodes {
            let command = Command::Set { node, param: setting.param, value: value.clone() };
            self.do_now(command)?;
        }
        Ok(())
    }

    /// Changes parameters all at once, from the start on; on an error nothing changes.
    pub fn set_all(&mut self, values: &[(String, String)]) -> Result<(), Problem> {
        let mut scenario = self.scenario.clone();
        for (path, text) in values {
            scenario.set(path, text)?;
        }
        self.rebuild(scenario);
        Ok(())
    }

    /// A group gets one more member, which takes part from the shown instant on.
    ///
    /// It stood outside since the start: what happened before stays as it was, because nobody else
    /// draws other numbers for it.
    pub fn add_member(&mut self, group: &str) -> Result<(), Problem> {
        let size = self.scenario.setting(&format!("{group}.count"))?;
        let n = size.value.ordinal() + 1;
        let joined = format!("{group}-{n}.joined");
        let (begun, mut scenario) = (self.has_begun(), self.scenario.clone());
        scenario.set(&size.path, &n.to_string())?;
        scenario.set(&joined, if begun { "off" } else { "on" })?;
        self.rebuild(scenario);
        if begun { self.set(&joined, "on") } else { Ok(()) }
    }

    /// Whether something has happened: what is set before that is set in the scenario.
    fn has_begun(&self) -> bool {
        SimTime::ZERO < self.now || 0 < self.world.n_events()
    }

    /// Takes back what was logged last at the shown instant, as long as `which` holds of it.
    fn take_back(&mut self, which: impl Fn(&Command) -> bool) {
        let stays = |entry: &Logged| entry.at != self.now || !which(&entry.command);
        let done = &self.log[..self.n_applied as usize];
        let n_kept = done.iter().rposition(stays).map_or(0, |n| n + 1) as u32;
        if n_kept == self.n_applied {
            return;
        }
        let now = self.now;
        self.log.truncate(n_kept as usize);
        self.checkpoints.retain(|point| point.n_applied <= n_kept);
        self.restore(|point| point.world.now() <= now);
        self.seek(now);
    }

    /// Takes the scenario in another form and goes to the shown instant in it.
    ///
    /// The log stays as far as what it names is still there.
    pub fn rebuild(&mut self, scenario: Scenario) {
        let now = self.now;
        let (old, mut log) = (&self.scenario, std::mem::take(&mut self.log));
        let same = old.actors.iter().map(|a| &a.id).eq(scenario.actors.iter().map(|a| &a.id))
            && old.channels.iter().map(|c| &c.id).eq(scenario.channels.iter().map(|c| &c.id));
        if !same {
            // With more members or fewer, things stand at other places: by their names, then.
            let done: Vec<_> = log.drain(..).map(|entry| (entry.at, entry.command)).collect();
            for (at, deed) in deeds(old, &done) {
                let commands = scenario.commands(&deed).unwrap_or_default();
                log.extend(commands.into_iter().map(|command| Logged { at, command }));
            }
        }
        *self = Session::with_log(scenario, self.watch, log);
        self.seek(now);
    }

    /// The shown instant.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// When the run ends.
    pub fn until(&self) -> SimTime {
        self.scenario.until
    }

    /// Whether the run is over.
    pub fn finished(&self) -> bool {
        self.until() <= self.now || self.stopped().is_some()
    }

    /// When the next event comes, if it comes before the end.
    pub fn next_event(&self) -> Option<SimTime> {
        let planned = self.log.get(self.n_applied as usize).map(|entry| entry.at);
        let next = match (self.world.next_event(), planned) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        next.filter(|at| *at <= self.until())
    }

    /// How many events ran.
    pub fn events(&self) -> u64 {
        self.world.n_events()
    }

    /// The digest over all facts up to the shown instant.
    pub fn fingerprint(&self) -> u64 {
        self.world.fingerprint()
    }

    /// The world at the shown instant.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What the world is made from, with the changes made at the start.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What a person did, also what lies after the shown instant.
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// How many commands, the reader's and the plan's, were carried out up to the shown instant.
    pub fn n_done(&self) -> (u32, u32) {
        (self.n_applied, self.world.n_planned_done())
    }

    /// What the sinks saw up to the shown instant.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Why the run cannot go on, if it cannot.
    pub fn stopped(&self) -> Option<Stop> {
        self.world.stopped()
    }

    /// The parameter's value as the world has it now.
    pub fn value_of(&self, node: Node, param: u8) -> Value {
        match node {
            Node::Actor(id) => self.world.actors[id.index()].machine.params().get(param),
            Node::Channel(id) => self.world.ground.channels[id.index()].machine.params().get(param),
            Node::Host(id) => self.world.ground.hosts[id.index()].params.params().get(param),
            Node::Wire(id) => self.world.ground.wires[id.index()].params.get(param),
        }
    }

    /// The value that a setting has at the shown instant: a live change counts.
    pub fn value_now(&self, setting: &Setting) -> Value {
        let Some(node) = setting.nodes.first() else { return setting.value.clone() };
        let value = self.value_of(*node, setting.param);
        // What the document says of this member alone is not what it says of its group.
        match value == self.scenario.value_of(*node, setting.param) {
            true => setting.value.clone(),
            false => value,
        }
    }

    /// The value that the document alone gives a setting at the shown instant.
    pub fn planned_value(&self, setting: &Setting) -> Value {
        let node = setting.nodes.first();
        let planned = node.and_then(|node| self.world.planned(*node, setting.param));
        planned.unwrap_or(&setting.default).clone()
    }

    /// Everything that happened to a message up to the shown instant, at most `limit` facts.
    ///
    /// Facts that the trace has forgotten are had by running that part again.
    pub fn story(&self, msg: MsgId, born: SimTime, limit: usize) -> Vec<(SimTime, Fact)> {
        let before = |p: &&Checkpoint| p.world.now() < born || p.world.n_events() == 0;
        let Some(point) = self.checkpoints.iter().rfind(before) else { return Vec::new() };
        let mut story = Vec::new();
        self.tell_from(point.world.clone(), point.n_applied, &mut |at, fact, _| {
            if fact.msg() == Some(msg) && story.len() < limit {
                story.push((at, *fact));
            }
            story.len() < limit
        });
        story
    }

    /// Tells every fact up to the shown instant, from the first on, until `visit` says `false`.
    ///
    /// The run is run again: a session keeps only the newest facts.
    pub fn retell(&self, visit: &mut dyn FnMut(SimTime, &Fact) -> bool) {
        self.retell_segments(&mut |at, fact, _| visit(at, fact));
    }

    /// The same, with the segment of each [`Fact::SegmentDeparted`].
    pub fn retell_segments(&self, visit: Visit<'_>) {
        self.tell_from(World::new(&self.scenario.plan(), true), 0, visit);
    }

    /// Runs a world of this session on to the shown instant and tells what it states on the way.
    fn tell_from(&self, mut world: World, mut n_applied: u32, visit: Visit<'_>) {
        world.ground.facts.listening = true;
        loop {
            let facts = &mut world.ground.facts;
            facts.readings.clear();
            facts.lags.clear();
            let mut segments = facts.fresh_segments.drain(..);
            for (at, fact) in facts.fresh.drain(..) {
                let departed = matches!(fact, Fact::SegmentDeparted { .. });
                let segment = if departed { segments.next() } else { None };
                if !visit(at, &fact, segment.as_ref()) {
                    return;
                }
            }
            drop(segments);
            let next = world.next_event();
            match self.log[..self.n_applied as usize].get(n_applied as usize) {
                Some(entry) if next.is_none_or(|next| entry.at < next) => {
                    world.stand_at(entry.at);
                    let _ = world.apply(&entry.command);
                    n_applied += 1;
                }
                _ if self.events() <= world.n_events() => return,
                _ if !world.step(self.until()) => return,
                _ => {}
            }
        }
    }

    /// One event, or the log's entries that come before it; `false`: nothing is due by `to`.
    fn step_within(&mut self, to: SimTime) -> bool {
        while let Some(entry) = self.log.get(self.n_applied as usize) {
            let first = self.world.next_event().is_none_or(|next| entry.at < next);
            if !first || to < entry.at {
                break;
            }
            self.apply_due();
        }
        if !self.world.step(to) {
            return false;
        }
        self.drain();
        if self.world.n_events().is_multiple_of(self.spacing) {
            self.keep();
        }
        true
    }

    /// Carries out the log's next entry if no event comes before it or with it.
    fn apply_due(&mut self) -> bool {
        let Some(entry) = self.log.get(self.n_applied as usize) else { return false };
        if self.world.next_event().is_some_and(|next| next <= entry.at) {
            return false;
        }
        self.world.stand_at(entry.at);
        // A logged command that cannot be done any more, in a changed scenario, does nothing.
        let _ = self.world.apply(&entry.command);
        self.n_applied += 1;
        self.drain();
        true
    }

    fn stand_at(&mut self, to: SimTime) {
        self.now = to;
        if self.world.stopped().is_none() {
            self.world.stand_at(to);
        }
        if self.watch == Watch::All {
            self.seen.pass(to);
        }
    }

    /// Hands new facts to the sinks.
    fn drain(&mut self) {
        let facts = &mut self.world.ground.facts;
        let mut segments = facts.fresh_segments.drain(..);
        for (at, fact) in facts.fresh.drain(..) {
            let departed = matches!(fact, Fact::SegmentDeparted { .. });
            let segment = if departed { segments.next() } else { None };
            self.seen.take_with(at, fact, segment.as_ref());
        }
        drop(segments);
        for (at, channel, at_to, gauges) in facts.readings.drain(..) {
            self.seen.readings.take(at, channel, at_to, &gauges);
        }
        for (at, lag) in facts.lags.drain(..) {
            self.seen.lags.take(at, &lag);
        }
    }

    fn keep(&mut self) {
        let here = self.world.n_events();
        if self.checkpoints.last().is_some_and(|p| here <= p.world.n_events()) {
            return;
        }
        let seen = (self.watch == Watch::All).then(|| self.seen.for_checkpoint());
        let n_applied = self.n_applied;
        self.checkpoints.push(Checkpoint { world: self.world.clone(), seen, n_applied });
        let weight = (self.seen.weight() + self.world.weight()) * self.checkpoints.len() as u64;
        if self.checkpoints.len() > MAX_CHECKPOINTS || weight > MAX_WEIGHT {
            self.thin();
        }
    }

    /// Every other checkpoint goes, and new ones come at twice the distance. The first stays.
    fn thin(&mut self) {
        let mut n = 0;
        self.checkpoints.retain(|_| {
            n += 1;
            n % 2 == 1
        });
        self.spacing *= 2;
    }

    /// Goes back to the latest checkpoint of which `fits` holds.
    fn restore(&mut self, fits: impl Fn(&Checkpoint) -> bool) {
        let Some(point) = self.checkpoints.iter().rfind(|p| fits(p)) else { return };
        self.world.clone_from(&point.world);
        if let Some(seen) = &point.seen {
            self.seen.clone_from(seen);
        }
        self.n_applied = point.n_applied;
        self.now = self.world.now();
    }
}
