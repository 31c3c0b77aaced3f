//! The newest facts, in a ring.

use std::collections::VecDeque;

use crate::kernel::SimTime;
use crate::model::fact::Fact;
use crate::model::message::MsgId;

/// Facts kept. Older ones can be had by running that window again.
pub const KEPT: usize = 2_048;

/// A ring of the newest facts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trace {
    facts: VecDeque<(SimTime, Fact)>,
}

impl Trace {
    /// Takes in a fact.
    pub fn take(&mut self, at: SimTime, fact: Fact) {
        if self.facts.len() == KEPT {
            self.facts.pop_front();
        }
        self.facts.push_back((at, fact));
    }

    /// The facts, oldest first.
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &(SimTime, Fact)> + Clone {
        self.facts.iter()
    }

    /// What is still known of one message, oldest first.
    pub fn about(&self, msg: MsgId) -> impl Iterator<Item = &(SimTime, Fact)> {
        self.facts.iter().filter(move |(_, fact)| fact.msg() == Some(msg))
    }

    /// Rough size in bytes.
    pub fn weight(&self) -> u64 {
        (self.facts.len() * size_of::<(SimTime, Fact)>()) as u64
    }
}
