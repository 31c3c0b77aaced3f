//! The delivery ledger: sent = delivered + lost + in flight, and what went wrong.

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::SimTime;
use crate::model::fact::Why;
use crate::model::message::{ActorId, MsgId};

/// Newest messages kept by each list.
pub const LISTED: usize = 64;

/// One line of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When it happened.
    pub at: SimTime,
    /// To which message.
    pub msg: MsgId,
    /// Why, if it was lost.
    pub why: Option<Why>,
}

/// What became of the messages.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ledger {
    /// Messages and copies that were made.
    pub sent: u64,
    /// Whose effect happened, or whose answer came, at least once.
    pub delivered: u64,
    /// That nobody holds any more and that were not delivered.
    pub lost: u64,
    /// Further effects of messages whose effect had happened before.
    pub duplicated: u64,
    /// Deliveries of messages that had been delivered before.
    pub redelivered: u64,
    /// Delivered after a later message of the same sender.
    pub reordered: u64,
    /// The newest that were lost.
    pub newest_lost: VecDeque<Entry>,
    /// The newest that were duplicated.
    pub newest_duplicated: VecDeque<Entry>,
    /// The newest that were redelivered.
    pub newest_redelivered: VecDeque<Entry>,
    /// The newest that were reordered.
    pub newest_reordered: VecDeque<Entry>,
    /// Sum over time of the number in flight, in message-nanoseconds: Little's L times the time.
    pub area: u128,
    passed: SimTime,
    highest: BTreeMap<(ActorId, u16), MsgId>,
}

impl Ledger {
    /// Messages that are neither delivered nor lost.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.delivered - self.lost
    }

    /// Time goes on: the number in flight counts for as long as it stood.
    pub fn pass_time(&mut self, to: SimTime) {
        if self.passed < to {
            let span = (to - self.passed).as_ns();
            self.area += u128::from(self.in_flight()) * u128::from(span);
            self.passed = to;
        }
    }

    /// A message or a copy was made.
    pub fn on_sent(&mut self, _at: SimTime) {
        self.sent += 1;
    }

    /// A message was delivered; `order` tells which messages should keep their order.
    pub fn on_delivered(&mut self, at: SimTime, msg: MsgId, order: (ActorId, u16)) {
        self.delivered += 1;
        let highest = self.highest.entry(order).or_insert(msg);
        if msg < *highest {
            self.reordered += 1;
            list(&mut self.newest_reordered, Entry { at, msg, why: None });
        } else {
            *highest = msg;
        }
    }

    /// Nobody holds a message that was not delivered.
    pub fn on_lost(&mut self, at: SimTime, msg: MsgId, why: Option<Why>) {
        self.lost += 1;
        list(&mut self.newest_lost, Entry { at, msg, why });
    }

    /// The effect of a message happened again.
    pub fn on_duplicated(&mut self, at: SimTime, msg: MsgId) {
        self.duplicated += 1;
        list(&mut self.newest_duplicated, Entry { at, msg, why: None });
    }

    /// A message goes to a consumer once more.
    pub fn on_redelivered(&mut self, at: SimTime, msg: MsgId) {
        self.redelivered += 1;
        list(&mut self.newest_redelivered, Entry { at, msg, why: None });
    }
}

fn list(entries: &mut VecDeque<Entry>, entry: Entry) {
    if entries.len() == LISTED {
        entries.pop_front();
    }
    entries.push_back(entry);
}
