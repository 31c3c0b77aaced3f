//! What must hold of every world, whatever happens in it. The tests that draw worlds share it.

use std::collections::{BTreeMap, BTreeSet};

use inflight::kernel::SimTime;
use inflight::model::MsgId;
use inflight::model::fact::Fact;
use inflight::observe::Seen;
use inflight::world::{Plan, World};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// Runs a world and keeps its books; `look` sees every fact first. Time never goes back, no fact
/// speaks of a message that was not made, no copy goes away that nobody has, the sinks agree with
/// each other, and the holders are where `copies_in` finds them.
pub fn keep(
    plan: &Plan,
    until: SimTime,
    copies_in: impl Fn(&World) -> u64,
    mut look: impl FnMut(&Fact) -> Result<(), TestCaseError>,
) -> Result<(World, Seen), TestCaseError> {
    let mut world = World::new(plan, true);
    let mut seen = Seen::new(until);
    let mut last = SimTime::ZERO;
    let mut known = BTreeSet::new();
    let mut holders: BTreeMap<MsgId, i64> = BTreeMap::new();
    loop {
        for (at, fact) in world.ground.facts.fresh.drain(..) {
            prop_assert!(last <= at, "time went back");
            last = at;
            look(&fact)?;
            if let Fact::Sent { msg, .. } | Fact::Copied { msg, .. } = fact {
                known.insert(msg);
            }
            if let Some(msg) = fact.msg() {
                prop_assert!(known.contains(&msg), "{fact:?} of nobody");
                let n = holders.entry(msg).or_default();
                *n += i64::from(fact.holders());
                prop_assert!(0 <= *n, "{fact:?} takes a copy that nobody has");
            }
            seen.take(at, fact);
        }
        if !world.step(until) {
            break;
        }
    }
    world.stand_at(until);
    seen.pass(until);
    prop_assert_eq!(world.stopped(), None);
    let ledger = &seen.ledger;
    // What is in flight is held by somebody, and what is held was sent.
    let open = seen.accounts.iter().filter(|(_, a)| a.delivered.is_none()).count() as u64;
    prop_assert_eq!(ledger.in_flight(), open);
    // The parts of every latency sum to it, and the histogram has the same sum.
    prop_assert_eq!(seen.budget.total(), seen.latency.sum());
    prop_assert_eq!(seen.latency.count(), ledger.delivered);
    // The holders of each message are where the world says they are.
    let held: u64 = seen.accounts.iter().map(|(_, a)| u64::from(a.holders)).sum();
    prop_assert_eq!(held, copies_in(&world), "holders");
    Ok((world, seen))
}

/// The light sink agrees with the heavy one.
pub fn sinks_agree(seen: &Seen) -> Result<(), TestCaseError> {
    let (light, ledger) = (&seen.guarantees, &seen.ledger);
    prop_assert_eq!((light.sent, light.done), (ledger.sent, ledger.delivered));
    prop_assert_eq!((light.lost.count, light.twice.count), (ledger.lost, ledger.duplicated));
    Ok(())
}

/// The same plan gives the same run, and a copy made halfway goes on alike.
pub fn same_twice(plan: &Plan, half: SimTime, until: SimTime) -> Result<(), TestCaseError> {
    let mut first = World::new(plan, false);
    while first.step(half) {}
    let mut clone = first.clone();
    let mut other = World::new(plan, false);
    for world in [&mut first, &mut clone, &mut other] {
        while world.step(until) {}
    }
    prop_assert_eq!(first.fingerprint(), clone.fingerprint());
    prop_assert_eq!(first.fingerprint(), other.fingerprint());
    prop_assert_eq!(first, clone);
    Ok(())
}

/// Copies in everything that says how many it holds, and on the channels.
pub fn copies_in(world: &World) -> u64 {
    let held: u64 = world.actors.iter().map(|node| node.machine.n_held()).sum();
    held + world.ground.channels.iter().map(|c| c.machine.n_messages()).sum::<u64>()
}
