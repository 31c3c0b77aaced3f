//! A stream's consumer group: what was delivered to whom and not acknowledged yet.
//!
//! Source: `t_stream.c` of Redis 7.0 (`streamReplyWithRange`, `xclaimCommand`,
//! `xautoclaimCommand`).

use std::collections::{BTreeMap, BTreeSet};

use super::Text;
use super::command::{AutoClaim, Claim, Pending};
use super::stream::{Entries, EntryId};
use crate::kernel::{SimSpan, SimTime};

/// Entries that XAUTOCLAIM looks at for each one that it may take.
const ATTEMPTS_PER_COUNT: u64 = 10;

/// A delivery that waits for its acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Unacked {
    /// Who has it.
    pub consumer: Text,
    /// When it was delivered last; its idle time counts from here.
    pub at: SimTime,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl Unacked {
    /// How long nobody touched it.
    pub fn idle(&self, now: SimTime) -> SimSpan {
        SimSpan::ns(now.ns().saturating_sub(self.at.ns()))
    }
}

/// A member of a group: a name, and nothing but a name.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Consumer {
    /// What it has not acknowledged; each is in the group's table too.
    pub pending: BTreeSet<EntryId>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Group {
    /// The last entry delivered to anybody.
    pub last: EntryId,
    pending: BTreeMap<EntryId, Unacked>,
    consumers: BTreeMap<Text, Consumer>,
}

/// What XAUTOCLAIM found.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct AutoClaimed {
    /// Where to go on; zero at the end.
    pub(super) cursor: EntryId,
    /// What was taken over.
    pub(super) claimed: Vec<EntryId>,
    /// What is no longer in the stream and was dropped.
    pub(super) deleted: Vec<EntryId>,
}

impl Group {
    /// A group that sees what comes after an entry.
    pub(super) fn new(last: EntryId) -> Group {
        Group { last, ..Group::default() }
    }

    /// Writes down that this consumer exists; false if it did.
    pub(super) fn add_consumer(&mut self, name: &Text) -> bool {
        if self.consumers.contains_key(name) {
            return false;
        }
        self.consumers.insert(name.clone(), Consumer::default());
        true
    }

    /// Removes a consumer with all that it has pending: how much that was, if it was there.
    pub(super) fn remove_consumer(&mut self, name: &Text) -> Option<u64> {
        let consumer = self.consumers.remove(name)?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len() as u64)
    }

    /// Gives a new entry to a consumer.
    ///
    /// After the group was set back it may be pending with another: it changes hands and its
    /// count begins again.
    pub(super) fn deliver(&mut self, now: SimTime, consumer: &Text, id: EntryId) {
        self.put(id, Unacked { consumer: consumer.clone(), at: now, deliveries: 1 });
    }

    /// A consumer reads its own pending entry again.
    pub(super) fn read_again(&mut self, now: SimTime, id: EntryId) {
        if let Some(unacked) = self.pending.get_mut(&id) {
            unacked.at = now;
            unacked.deliveries += 1;
        }
    }

    /// XACK: whether it was pending, with whomever.
    pub(super) fn ack(&mut self, id: EntryId) -> bool {
        let Some(unacked) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&unacked.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// XCLAIM: what was taken over, in the order asked for.
    pub(super) fn claim(&mut self, now: SimTime, entries: &Entries, claim: &Claim) -> Vec<EntryId> {
        self.add_consumer(&claim.consumer);
        let at = SimTime::from_ns(now.ns().saturating_sub(claim.idle.as_ns()));
        let mut claimed = Vec::new();
        for id in &claim.ids {
            if !entries.contains_key(id) {
                self.ack(*id);
                continue;
            }
            let deliveries = match self.pending.get(id) {
                Some(unacked) if unacked.idle(now) < claim.min_idle => continue,
                Some(unacked) => unacked.deliveries,
                None if claim.force => 0,
                None => continue,
            };
            let deliveries = claim.deliveries.unwrap_or(deliveries + u64::from(!claim.just_id));
            self.put(*id, Unacked { consumer: claim.consumer.clone(), at, deliveries });
            claimed.push(*id);
        }
        claimed
    }

    /// XAUTOCLAIM: scans what is pending from a cursor.
    ///
    /// An entry that was deleted meanwhile is dropped and counts against the limit too.
    pub(super) fn auto_claim(
        &mut self,
        now: SimTime,
        entries: &Entries,
        claim: &AutoClaim,
    ) -> AutoClaimed {
        self.add_consumer(&claim.consumer);
        let mut found = AutoClaimed::default();
        let attempts = u64::from(claim.count) * ATTEMPTS_PER_COUNT;
        let mut n_left = claim.count;
        let ids: Vec<EntryId> = self.pending.range(claim.start..).map(|(id, _)| *id).collect();
        let mut ids = ids.into_iter();
        let mut n_seen = 0;
        while 0 < n_left && n_seen < attempts {
            let Some(id) = ids.next() else { return found };
            n_seen += 1;
            if !entries.contains_key(&id) {
                self.ack(id);
                found.deleted.push(id);
                n_left -= 1;
                continue;
            }
            let unacked = &self.pending[&id];
            if unacked.idle(now) < claim.min_idle {
                continue;
            }
            let deliveries = unacked.deliveries + u64::from(!claim.just_id);
            let consumer = claim.consumer.clone();
            self.put(id, Unacked { consumer, at: now, deliveries });
            found.claimed.push(id);
            n_left -= 1;
        }
        found.cursor = ids.next().unwrap_or(EntryId::ZERO);
        found
    }

    /// Deliveries that wait for their acknowledgement, by id.
    pub fn pending(&self) -> &BTreeMap<EntryId, Unacked> {
        &self.pending
    }

    /// Its consumers by name.
    pub fn consumers(&self) -> &BTreeMap<Text, Consumer> {
        &self.consumers
    }

    /// XPENDING with a range.
    pub(super) fn pending_in<'a>(
        &'a self,
        now: SimTime,
        asked: &'a Pending,
    ) -> impl Iterator<Item = (EntryId, &'a Unacked)> {
        let is_inverted = asked.last < asked.first;
        let rows = self.pending.range(asked.first..=asked.last.max(asked.first));
        let rows = rows.filter(move |(_, unacked)| {
            let is_theirs = asked.consumer.as_ref().is_none_or(|name| *name == unacked.consumer);
            !is_inverted && is_theirs && asked.min_idle <= unacked.idle(now)
        });
        rows.take(asked.count as usize).map(|(id, unacked)| (*id, unacked))
    }

    /// Writes a pending delivery down for its consumer, and takes it from who had it.
    fn put(&mut self, id: EntryId, unacked: Unacked) {
        self.ack(id);
        self.consumers.entry(unacked.consumer.clone()).or_default().pending.insert(id);
        self.pending.insert(id, unacked);
    }
}
