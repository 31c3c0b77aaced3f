//! The undisturbed run: where something can go wrong, and what.

use crate::kernel::SimTime;
use crate::model::actor::Role;
use crate::model::message::{ActorId, ChannelId};
use crate::observe::Guarantees;
use crate::world::everywhere::runner::Runner;
use crate::world::everywhere::{Harm, Placement, What};
use crate::world::scenario::Scenario;
use crate::world::session::Logged;

/// Most instants that are looked at; later ones are not harmed, and the report says so.
pub const MAX_MOMENTS: usize = 200_000;

/// An instant after which something can go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    /// When.
    pub at: SimTime,
    /// Events and entries of the log until then.
    pub n_steps: u64,
    /// Events until then.
    pub n_events: u64,
    /// Where its losses begin in the list of all.
    first_loss: u32,
    /// How many there are.
    n_losses: u32,
}

/// Parcels written to one lane at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Loss {
    channel: ChannelId,
    back: bool,
    nth: u32,
}

/// The places of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    run: Runner,
    /// In the order of time.
    pub moments: Vec<Moment>,
    losses: Vec<Loss>,
    /// Who can crash.
    actors: Vec<ActorId>,
    /// What is lost on each lane, two lanes a channel.
    lanes: Vec<What>,
    n_steps: u64,
    written: Vec<u64>,
    before: Vec<u64>,
    is_done: bool,
    /// Whether it has more instants than are looked at.
    pub is_cut: bool,
}

impl Survey {
    /// A survey that has not begun.
    pub fn new(scenario: &Scenario, log: &[Logged]) -> Survey {
        let role = |place: u16| scenario.actors[usize::from(place)].params.role();
        let actors = (0..scenario.actors.len() as u16).filter(|n| role(*n) != Role::Other);
        let lanes = scenario.channels.iter().flat_map(|channel| {
            let (from, to) = (role(channel.from), role(channel.to));
            [What::lost(from, to), What::lost(to, from)]
        });
        let run = Runner::new(scenario, log);
        let mut before = Vec::new();
        run.written(&mut before);
        let mut survey = Survey {
            run,
            moments: Vec::new(),
            losses: Vec::new(),
            actors: actors.map(ActorId).collect(),
            lanes: lanes.collect(),
            n_steps: 0,
            written: Vec::new(),
            before,
            is_done: false,
            is_cut: false,
        };
        survey.note();
        survey
    }

    /// Goes on for about so many events; answers with how many it were.
    pub fn step(&mut self, n_events: u64) -> u64 {
        let before = self.n_steps;
        while !self.is_done && self.n_steps - before < n_events {
            if !self.run.step() {
                self.is_done = true;
                break;
            }
            self.n_steps += 1;
            self.note();
        }
        (self.n_steps - before).max(1)
    }

    /// Whether the end was reached.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// What the undisturbed run kept.
    pub fn seen(&self) -> &Guarantees {
        &self.run.seen
    }

    /// Events of the undisturbed run.
    pub fn n_events(&self) -> u64 {
        self.run.world.n_events()
    }

    /// How many things can go wrong at a place.
    pub fn n_harms(&self, moment: &Moment) -> u64 {
        self.actors.len() as u64 + u64::from(moment.n_losses)
    }

    /// What can go wrong at a place, numbered from `first`.
    pub fn placements(&self, n: usize, first: u64) -> Vec<Placement> {
        let Some(moment) = self.moments.get(n) else { return Vec::new() };
        let range = moment.first_loss as usize..(moment.first_loss + moment.n_losses) as usize;
        let lose = |loss: &Loss| {
            let Loss { channel, back, nth } = *loss;
            Harm::Lose { channel, back, nth }
        };
        let losses = self.losses[range].iter().map(lose);
        let harms = losses.chain(self.actors.iter().map(|actor| Harm::Crash(*actor)));
        let at = moment.at;
        harms.zip(first..).map(|(harm, index)| Placement { index, at, harm }).collect()
    }

    /// What kind of harm it is.
    pub fn what(&self, harm: &Harm) -> What {
        match *harm {
            Harm::Crash(actor) => What::Crash(actor),
            Harm::Lose { channel, back, .. } => self.lanes[channel.index() * 2 + usize::from(back)],
        }
    }

    /// If an instant is over: its parcels could have been lost, and afterwards something can
    /// crash.
    fn note(&mut self) {
        if !self.run.is_between() {
            return;
        }
        self.run.written(&mut self.written);
        let n_before = self.losses.len() as u32;
        if let Some(last) = self.moments.last_mut() {
            for (lane, (now, then)) in self.written.iter().zip(&self.before).enumerate() {
                let channel = ChannelId((lane / 2) as u16);
                let back = lane % 2 == 1;
                for nth in 1..=now.saturating_sub(*then) as u32 {
                    self.losses.push(Loss { channel, back, nth });
                }
            }
            last.first_loss = n_before;
            last.n_losses = self.losses.len() as u32 - n_before;
        }
        std::mem::swap(&mut self.written, &mut self.before);
        if self.run.next().is_none() {
            return;
        }
        if MAX_MOMENTS <= self.moments.len() {
            self.is_cut = true;
            return;
        }
        self.moments.push(Moment {
            at: self.run.world.now(),
            n_steps: self.n_steps,
            n_events: self.run.world.n_events(),
            first_loss: self.losses.len() as u32,
            n_losses: 0,
        });
    }
}
