//! The smallest safe memory of boards: heap, pools and rings with which a scenario runs as well as
//! with ample ones.
//!
//! A search in steps, so that whoever waits sees how far it is and can stop. A trial is a run; it
//! holds if no board drops a frame, no write is refused and nothing is delivered later than with
//! ample memory, and if lwIP's compile-time checks say no more than to the scenario's own options.
//! Options are halved towards their least value one after the other; a last round makes sure that
//! none can be a step smaller. Left out: options that change behaviour (windows, send buffer).

use crate::kernel::SimTime;
use crate::model::fact::{Fact, Lost};
use crate::model::host::HostParams;
use crate::model::stm32::build::{Beside, Report, Tool};
use crate::model::stm32::lwipopts::{File, samples};
use crate::model::stm32::params::DriverKind;
use crate::model::stm32::{Path, Stm32Params};
use crate::model::tcp::lwip::Options;
use crate::param::{Said, Value, index_of};
use crate::world::arena::World;
use crate::world::scenario::Scenario;

/// Events of a trial at most: a scenario that needs more is not searched.
const TRIAL_LIMIT: u64 = 20_000_000;
/// Trials of a search at most.
const TRIALS_LIMIT: u32 = 2_000;
/// Bytes of one step of `MEM_SIZE`: what lwIP aligns to.
const HEAP_STEP: u64 = 4;

/// What is searched: its key, its name in C, and its ample value.
const OPTIONS: [(&str, &str, u64); 7] = [
    ("mem-size", "MEM_SIZE", 262_144),
    ("pbuf-pool-size", "PBUF_POOL_SIZE", 512),
    ("memp-num-tcp-seg", "MEMP_NUM_TCP_SEG", 512),
    ("memp-num-pbuf", "MEMP_NUM_PBUF", 256),
    ("rx-descriptors", "ETH_RX_DESC_CNT", 64),
    ("tx-descriptors", "ETH_TX_DESC_CNT", 64),
    ("rx-buffers", "ETH_RX_BUFFER_CNT", 256),
];

/// One option of one board, and what was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sized {
    /// The board's id.
    pub host: String,
    /// The parameter's key.
    pub key: &'static str,
    /// Its name in C.
    pub name: &'static str,
    /// What the scenario has.
    pub before: u64,
    /// The least that holds.
    pub least: u64,
    /// Bytes of memory of one more of it.
    pub unit_bytes: u64,
}

impl Sized {
    /// Bytes of memory that the least value saves; negative: the scenario has too little.
    pub fn saved_bytes(&self) -> i64 {
        (self.before as i64 - self.least as i64) * self.unit_bytes as i64
    }

    /// The path of the parameter.
    pub fn path(&self) -> String {
        format!("{}.{}", self.host, self.key)
    }
}

/// What a run showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Messages whose effect happened.
    pub n_delivered: u64,
    /// When the last of them was delivered.
    pub last_delivery: SimTime,
    /// Frames that boards dropped or did not send.
    pub n_drops: u64,
    /// Writes that lwIP refused: `ERR_MEM`.
    pub n_err_mem: u64,
}

impl Outcome {
    /// Whether it is as good as another one.
    fn is_as_good_as(&self, ample: &Outcome) -> bool {
        ample.n_delivered <= self.n_delivered
            && self.last_delivery <= ample.last_delivery
            && self.n_drops <= ample.n_drops
            && self.n_err_mem <= ample.n_err_mem
    }

    fn has_failed(&self, ample: &Outcome) -> bool {
        ample.n_drops < self.n_drops || ample.n_err_mem < self.n_err_mem
    }
}

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It goes on: trials done, and about how many there will be.
    Running(u32, u32),
    /// It is over.
    Done,
}

/// Why there is nothing to search, or the search ended without a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoSizing {
    /// No host is a board.
    NoBoard,
    /// A run has too many events.
    TooLong,
    /// A run could not go on.
    Stopped,
}

impl NoSizing {
    /// In words.
    pub fn said(self) -> Said {
        match self {
            NoSizing::NoBoard => Said::new(
                "no host of this scenario has the profile `stm32`; allowed: a scenario with one",
                "该场景没有 profile 为 stm32 的主机；允许：至少有一台",
            ),
            NoSizing::TooLong => Said::new(
                "a run has more than 20 million events; allowed: an earlier `until`",
                "一次运行超过 2000 万个事件；允许：更早的 until",
            ),
            NoSizing::Stopped => Said::new(
                "the run could not go on; see `inflight run`",
                "运行无法继续；见 inflight run",
            ),
        }
    }
}

/// A run under way.
#[derive(Clone, Debug)]
struct Trial {
    world: World,
    outcome: Outcome,
}

/// The part of the search that one option is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// With ample memory.
    Ample,
    /// Halving: it fails below `low` and holds at `high`.
    Halving {
        low: u64,
        high: u64,
    },
    /// Whether one step less holds; whether anything shrank in this round.
    LastRound {
        has_shrunk: bool,
    },
    Over,
}

/// A search.
#[derive(Clone, Debug)]
pub struct Sizing {
    /// The scenario with the values of the trial at hand; at the end, the least ones.
    scenario: Scenario,
    options: Vec<Sized>,
    /// What lwIP's checks say to the scenario's own options, by option's host.
    allowed: Vec<(String, Vec<String>)>,
    ample: Outcome,
    stage: Stage,
    at: u32,
    trial: Option<Trial>,
    n_trials: u32,
    failed: Option<NoSizing>,
}

impl Sizing {
    /// A search for all boards of a scenario.
    pub fn new(scenario: &Scenario) -> Result<Sizing, NoSizing> {
        let mut options = Vec::new();
        let mut allowed = Vec::new();
        for host in scenario.hosts.iter().filter(|host| host.is_used) {
            let HostParams::Stm32(params) = &host.params else { continue };
            allowed.push((host.id.clone(), complaints(params)));
            for (key, name, _) in OPTIONS {
                let is_zero_copy = params.board.driver == DriverKind::ZeroCopy;
                // The one has no pool of its own, the other does not use lwIP's.
                let is_unused = match key {
                    "rx-buffers" => !is_zero_copy,
                    "pbuf-pool-size" => is_zero_copy,
                    _ => false,
                };
                let before = value_of(params, key);
                if !is_unused {
                    let unit_bytes = unit_bytes(params, key);
                    let host = host.id.clone();
                    options.push(Sized { host, key, name, before, least: before, unit_bytes });
                }
            }
        }
        if options.is_empty() {
            return Err(NoSizing::NoBoard);
        }
        let mut sizing = Sizing {
            scenario: scenario.clone(),
            options,
            allowed,
            ample: Outcome::default(),
            stage: Stage::Ample,
            at: 0,
            trial: None,
            n_trials: 0,
            failed: None,
        };
        for place in 0..sizing.options.len() {
            let key = sizing.options[place].key;
            let ample = OPTIONS.iter().find(|option| option.0 == key).map_or(1, |option| option.2);
            sizing.put(place, ample);
        }
        Ok(sizing)
    }

    /// Goes on for so many events at most.
    pub fn step(&mut self, max_events: u64) -> Result<Progress, NoSizing> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        match self.go_on(max_events) {
            Ok(progress) => Ok(progress),
            Err(failed) => {
                self.failed = Some(failed);
                Err(failed)
            }
        }
    }

    /// What was found; complete when the search is over.
    pub fn options(&self) -> &[Sized] {
        &self.options
    }

    /// The run with ample memory.
    pub fn ample(&self) -> Outcome {
        self.ample
    }

    /// The scenario with the values found so far.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// A fragment of `lwipopts.h` and of the driver's header for a board.
    pub fn fragment(&self, host: &str) -> String {
        let mine = self.options.iter().filter(|option| option.host == host);
        let lines = mine.map(|option| {
            let Sized { name, least, before, .. } = option;
            format!("#define {name:<24} {least} /* was {before} */\n")
        });
        lines.collect()
    }

    fn go_on(&mut self, max_events: u64) -> Result<Progress, NoSizing> {
        if self.stage == Stage::Over || TRIALS_LIMIT <= self.n_trials {
            self.stage = Stage::Over;
            return Ok(Progress::Done);
        }
        if self.trial.is_none() && !self.may_be_built() {
            self.judge(false, Outcome::default());
            return Ok(self.progress());
        }
        let trial = self.trial.get_or_insert_with(|| Trial {
            world: World::new(&self.scenario.plan(), true),
            outcome: Outcome::default(),
        });
        let is_over = trial.run(self.scenario.until, max_events)?;
        let outcome = trial.outcome;
        let has_failed = self.stage != Stage::Ample && outcome.has_failed(&self.ample);
        if is_over || has_failed {
            self.trial = None;
            self.n_trials += 1;
            self.judge(!has_failed && outcome.is_as_good_as(&self.ample), outcome);
        }
        Ok(self.progress())
    }

    /// Draws the conclusion from a trial and prepares the next one.
    fn judge(&mut self, holds: bool, outcome: Outcome) {
        match self.stage {
            Stage::Ample => {
                self.ample = outcome;
                self.begin_option(0);
            }
            Stage::Halving { low, high } => {
                let tried = self.options[self.at as usize].least;
                let (low, high) = if holds { (low, tried) } else { (tried + self.unit(), high) };
                self.halve(low, high);
            }
            Stage::LastRound { .. } if holds => {
                // One step less holds as well: go on from there.
                self.stage = Stage::LastRound { has_shrunk: true };
                self.try_less();
            }
            Stage::LastRound { has_shrunk } => {
                let place = self.at as usize;
                let least = self.options[place].least + self.unit();
                self.put(place, least);
                self.next_of_last_round(has_shrunk);
            }
            Stage::Over => {}
        }
    }

    fn begin_option(&mut self, place: u32) {
        self.at = place;
        if place as usize == self.options.len() {
            self.at = 0;
            self.stage = Stage::LastRound { has_shrunk: false };
            self.try_less();
            return;
        }
        let high = self.options[place as usize].least;
        let low = self.floor(place as usize);
        self.halve(low.min(high), high);
    }

    fn halve(&mut self, low: u64, high: u64) {
        let place = self.at as usize;
        if high <= low {
            self.put(place, high);
            self.begin_option(self.at + 1);
            return;
        }
        self.stage = Stage::Halving { low, high };
        let unit = self.unit();
        let middle = low + (high - low) / 2 / unit * unit;
        self.put(place, middle);
    }

    fn try_less(&mut self) {
        let place = self.at as usize;
        let least = self.options[place].least;
        let less = least.checked_sub(self.unit()).filter(|less| self.floor(place) <= *less);
        match less {
            Some(less) => self.put(place, less),
            None => {
                let Stage::LastRound { has_shrunk } = self.stage else { return };
                self.next_of_last_round(has_shrunk);
            }
        }
    }

    fn next_of_last_round(&mut self, has_shrunk: bool) {
        self.at += 1;
        self.stage = Stage::LastRound { has_shrunk };
        if (self.at as usize) < self.options.len() {
            self.try_less();
        } else if has_shrunk {
            self.at = 0;
            self.stage = Stage::LastRound { has_shrunk: false };
            self.try_less();
        } else {
            self.stage = Stage::Over;
        }
    }

    fn unit(&self) -> u64 {
        step_of(self.options[self.at as usize].key)
    }

    /// The least value that the parameter may have.
    fn floor(&self, place: usize) -> u64 {
        let key = self.options[place].key;
        let spec = index_of(Stm32Params::SPECS, key).map(|i| &Stm32Params::SPECS[usize::from(i)]);
        let least = spec.map_or(1, |spec| spec.min().ordinal());
        let unit = step_of(key);
        let host = &self.options[place].host;
        let ring = self.options.iter().find(|o| o.key == "rx-descriptors" && o.host == *host);
        // Every descriptor begins with a buffer.
        let ring = ring.filter(|_| key == "rx-buffers").map_or(0, |ring| ring.least);
        (least.div_ceil(unit) * unit).max(ring)
    }

    /// Sets an option in the scenario of the trials.
    fn put(&mut self, place: usize, value: u64) {
        self.options[place].least = value;
        let path = self.options[place].path();
        let text = match self.options[place].key {
            "mem-size" => format!("{value}B"),
            _ => value.to_string(),
        };
        let done = self.scenario.set(&path, &text);
        assert!(done.is_ok(), "values stay in their ranges: {path}={text}");
    }

    /// Whether the compiler says no more than to the scenario's own options.
    fn may_be_built(&self) -> bool {
        self.scenario.hosts.iter().all(|host| {
            let HostParams::Stm32(params) = &host.params else { return true };
            let own = self.allowed.iter().find(|(id, _)| *id == host.id);
            let found = complaints(params);
            own.is_none_or(|(_, own)| found.iter().all(|complaint| own.contains(complaint)))
        })
    }

    fn progress(&self) -> Progress {
        if self.stage == Stage::Over {
            return Progress::Done;
        }
        // About ten trials for an option, and one more each at the end.
        let all = self.options.len() as u32 * 11 + 1;
        Progress::Running(self.n_trials, all.max(self.n_trials + 1))
    }
}

impl Trial {
    /// Runs so many events at most; says whether the run is over.
    fn run(&mut self, until: SimTime, max_events: u64) -> Result<bool, NoSizing> {
        for _ in 0..max_events {
            let has_stepped = self.world.step(until);
            for (at, fact) in self.world.ground.facts.fresh.drain(..) {
                match fact {
                    Fact::Done { answers: false, .. } | Fact::Answered { .. } => {
                        self.outcome.n_delivered += 1;
                        self.outcome.last_delivery = at;
                    }
                    Fact::FrameDropped { why, .. } => {
                        let is_memory = matches!(
                            why,
                            Lost::NoPbuf | Lost::NoDescriptor | Lost::FifoFull | Lost::Refused
                        );
                        self.outcome.n_drops += u64::from(is_memory);
                    }
                    _ => {}
                }
            }
            self.world.ground.facts.fresh_segments.clear();
            self.world.ground.facts.readings.clear();
            if !has_stepped {
                if self.world.stopped().is_some() {
                    return Err(NoSizing::Stopped);
                }
                self.count_refusals();
                return Ok(true);
            }
        }
        if TRIAL_LIMIT < self.world.n_events() {
            return Err(NoSizing::TooLong);
        }
        self.count_refusals();
        Ok(false)
    }

    fn count_refusals(&mut self) {
        let boards = self.world.ground.hosts.iter().filter_map(|host| host.board.as_ref());
        self.outcome.n_err_mem = boards
            .map(|node| {
                let memory = &node.board.stack.core.memory;
                // A refused acknowledgement is no refused write, and as bad.
                let heap = u64::from(memory.heap.usage.err);
                let segments = u64::from(memory.tcp_seg.usage.err);
                let stopped = u64::from(memory.custom.usage.err);
                u64::from(node.n_err_mem) + heap + segments + stopped
            })
            .sum();
    }
}

fn value_of(params: &Stm32Params, key: &str) -> u64 {
    use crate::param::Params;
    let index = index_of(Stm32Params::SPECS, key);
    index.map_or(0, |index| params.get(index).ordinal())
}

fn step_of(key: &str) -> u64 {
    if key == "mem-size" { HEAP_STEP } else { 1 }
}

/// Bytes of memory that one more of an option takes.
fn unit_bytes(params: &Stm32Params, key: &str) -> u64 {
    let ram = |change: &dyn Fn(&mut Stm32Params)| {
        let mut changed = params.clone();
        change(&mut changed);
        report(&changed).map_or(0, |report| report.ram_bytes())
    };
    let at = |n: u64| {
        ram(&|params| {
            use crate::param::Params;
            let value = match key {
                "mem-size" => Value::Bytes(crate::param::Bytes(1_024 + HEAP_STEP * n)),
                _ => Value::Amount(crate::param::Amount(16 + n as u32)),
            };
            // Descriptors and buffers are counted apart: neither makes more of the other.
            params.board.rx_descriptors = crate::param::Amount(1);
            params.board.rx_buffers = crate::param::Amount(64);
            if let Some(index) = index_of(Stm32Params::SPECS, key) {
                // Both values are in every range.
                let _ = params.set(index, &value);
            }
        })
    };
    (at(1) - at(0)) / step_of(key)
}

/// What compiler and linker make of a board's options.
pub fn report(params: &Stm32Params) -> Option<Report> {
    let mut file = File::read(samples::CUBEMX).ok()?;
    file.set_options(&Options::from(&params.lwip)).ok()?;
    let config = params.config(crate::model::stm32::node::ETHERNET_MTU).ok()?;
    let beside = Beside { driver_bytes: config.driver.ram_bytes(), program_bytes: 0 };
    debug_assert!(matches!(config.driver.rx, Path::Copying | Path::ZeroCopy));
    Report::new(&file, params.board.part, beside).ok()
}

fn complaints(params: &Stm32Params) -> Vec<String> {
    let report = report(params);
    let all = report.map(|report| report.complaints).unwrap_or_default();
    let compiler = all.into_iter().filter(|complaint| complaint.tool == Tool::Compiler);
    compiler.map(|complaint| complaint.text).collect()
}
