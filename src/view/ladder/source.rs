//! Where a ladder comes from: the hosts and channels of a scenario, and what the sinks kept.

use crate::observe::Seen;
use crate::world::scenario::Scenario;

use super::{Pair, Tape};

/// Whether a scenario has channels that a ladder shows.
pub fn has_ladder(_scenario: &Scenario) -> bool {
    false
}

/// The pairs of hosts that TCP joins, in document order.
pub fn pairs_of(_scenario: &Scenario) -> Vec<Pair> {
    Vec::new()
}

/// What was seen of segments.
pub fn tape_of(_seen: &Seen) -> Option<Tape<'_>> {
    None
}

/// Whether nothing of it was forgotten yet.
pub fn is_complete(_seen: &Seen) -> bool {
    true
}
