//! Which delivery guarantees hold: a small sink that follows who holds a message, what its sender
//! was told, and how often it took effect.
//!
//! It is lighter than the accounts and knows no times by cause, so that thousands of runs can each
//! have one. Read `docs/models/guarantees.md` before editing.

use std::collections::BTreeMap;

use crate::kernel::SimTime;
use crate::model::fact::{Fact, Why};
use crate::model::message::{ActorId, MsgId};
use crate::observe::book::{Book, amount};
use crate::observe::{Dense, Entry};
use crate::param::Text;

/// A promise about what becomes of messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Guarantee {
    /// Every message takes effect or is still held by somebody.
    NothingLost,
    /// So does every message whose sender was told that it was taken.
    NoLossAfterAck,
    /// So does every message that a broker stored.
    NoLossAfterStored,
    /// No message takes effect more than once.
    NothingTwice,
    /// Nothing is lost, nothing is done twice, and at the end everything is done.
    ExactlyOnce,
    /// Messages of one sender with one key take effect in the order in which they were made.
    OrderPerKey,
    /// At the end every message has taken effect.
    AllDone,
}

impl Guarantee {
    /// All of them, in the order of tables.
    pub const ALL: [Guarantee; 7] = [
        Guarantee::NothingLost,
        Guarantee::NoLossAfterAck,
        Guarantee::NoLossAfterStored,
        Guarantee::NothingTwice,
        Guarantee::ExactlyOnce,
        Guarantee::OrderPerKey,
        Guarantee::AllDone,
    ];

    /// As documents write it.
    pub fn key(self) -> &'static str {
        self.text().en
    }

    /// As on the screen; the English words are also the document's.
    pub fn text(self) -> Text {
        match self {
            Guarantee::NothingLost => Text::new("nothing lost", "一条不丢"),
            Guarantee::NoLossAfterAck => {
                Text::new("no loss after the broker's acknowledgement", "代理确认之后不丢")
            }
            Guarantee::NoLossAfterStored => {
                Text::new("no loss after the broker stored it", "代理存下之后不丢")
            }
            Guarantee::NothingTwice => Text::new("nothing done twice", "一条不重"),
            Guarantee::ExactlyOnce => Text::new("every effect exactly once", "每条恰好生效一次"),
            Guarantee::OrderPerKey => Text::new("order per key", "同键有序"),
            Guarantee::AllDone => Text::new("everything done by the end", "结束前全部完成"),
        }
    }

    /// The guarantee of that name.
    pub fn of_key(key: &str) -> Option<Guarantee> {
        Guarantee::ALL.into_iter().find(|guarantee| guarantee.key() == key)
    }

    /// Its place in [`Guarantee::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Whether a guarantee holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It holds, and nothing that can still happen to what is under way breaks it.
    Kept,
    /// It holds so far; the end will tell.
    Open,
    /// It does not hold.
    Broken {
        /// How often.
        count: u64,
        /// The first time; `None` when only the end told.
        first: Option<Entry>,
    },
}

impl Verdict {
    /// Whether it does not hold.
    pub fn is_broken(&self) -> bool {
        matches!(self, Verdict::Broken { .. })
    }
}

/// Something that should not have happened: how often, and the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Breach {
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Option<Entry>,
}

impl Breach {
    fn note(&mut self, entry: Entry) {
        self.count += 1;
        self.first.get_or_insert(entry);
    }
}

/// What is known of a message that somebody holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fate {
    by: ActorId,
    key: u32,
    copy: u16,
    n_copies: u16,
    n_holders: u32,
    n_effects: u32,
    is_delivered: bool,
    is_confirmed: bool,
    is_stored: bool,
    why: Option<Why>,
}

/// Most keys whose order is watched: of further ones nothing is said.
pub const MAX_ORDERED: usize = 65_536;

/// What became of the messages, as far as guarantees go.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Guarantees {
    fates: Dense<Fate>,
    newest: BTreeMap<(ActorId, u32, u16), MsgId>,
    /// Messages and copies that were made.
    pub sent: u64,
    /// That took effect, or were answered.
    pub done: u64,
    /// That did not, and that nobody holds.
    pub lost: Breach,
    /// Of these, those whose sender had been told that they were taken.
    pub lost_confirmed: Breach,
    /// Of these, those that a broker had stored.
    pub lost_stored: Breach,
    /// Further effects of one message.
    pub twice: Breach,
    /// First effects after that of a later message of the same sender and key.
    pub misordered: Breach,
    /// Balances.
    pub book: Book,
}

impl Guarantees {
    /// Takes in a fact.
    pub fn take(&mut self, at: SimTime, fact: &Fact) {
        match *fact {
            Fact::Sent { msg, by, key, .. } => self.open(msg, Fate::new(by, key, 0)),
            Fact::Copied { msg, of, .. } => {
                if let Some(original) = self.fates.get_mut(of) {
                    original.n_copies += 1;
                    let copy = Fate::new(original.by, original.key, original.n_copies);
                    self.open(msg, copy);
                }
            }
            _ => {
                if let Some(msg) = fact.msg() {
                    self.follow(at, msg, fact);
                }
            }
        }
    }

    /// Whether a guarantee holds; `is_over`: nothing happens any more.
    pub fn verdict(&self, guarantee: Guarantee, is_over: bool) -> Verdict {
        let of = |breach: &Breach| Verdict::of(breach.count, breach.first);
        let missing = if is_over { self.unfinished() } else { 0 };
        match guarantee {
            Guarantee::NothingLost => of(&self.lost),
            Guarantee::NoLossAfterAck => of(&self.lost_confirmed),
            Guarantee::NoLossAfterStored => of(&self.lost_stored),
            Guarantee::NothingTwice => of(&self.twice),
            Guarantee::OrderPerKey => of(&self.misordered),
            Guarantee::ExactlyOnce => {
                let firsts = [self.lost.first, self.twice.first].into_iter().flatten();
                let first = firsts.min_by_key(|entry| (entry.at, entry.msg));
                let count = self.lost.count + self.twice.count + missing;
                Verdict::of(count, first).or_open(is_over)
            }
            Guarantee::AllDone => {
                Verdict::of(self.lost.count + missing, self.lost.first).or_open(is_over)
            }
        }
    }

    /// Messages that somebody holds and that have not taken effect.
    pub fn unfinished(&self) -> u64 {
        self.sent - self.done - self.lost.count
    }

    /// Rough size in bytes.
    pub fn weight(&self) -> u64 {
        self.fates.weight() + self.newest.len() as u64 * 48
    }

    fn open(&mut self, msg: MsgId, fate: Fate) {
        self.fates.open(msg, fate);
        self.sent += 1;
        self.book.expected += amount(msg);
    }

    fn follow(&mut self, at: SimTime, msg: MsgId, fact: &Fact) {
        let Some(fate) = self.fates.get_mut(msg) else { return };
        fate.n_holders = fate.n_holders.saturating_add_signed(fact.holders());
        match *fact {
            Fact::Confirmed { accepted: true, .. } => fate.is_confirmed = true,
            Fact::Queued { .. } | Fact::Dispatched { .. } => fate.is_stored = true,
            Fact::Dropped { why, .. } => fate.why = Some(why),
            Fact::Failed { .. } => fate.why = Some(Why::Bad),
            Fact::Skipped { .. } if fate.n_effects == 0 => fate.why = Some(Why::TakenAsDone),
            Fact::Done { answers, .. } => {
                fate.n_effects += 1;
                let is_first = fate.n_effects == 1;
                self.book.actual += amount(msg);
                if !is_first {
                    self.book.twice += amount(msg);
                    self.twice.note(Entry { at, msg, why: None });
                } else {
                    let order = (fate.by, fate.key, fate.copy);
                    // An answer may have come before the work that it was handed on for.
                    self.done += u64::from(!answers && !fate.is_delivered);
                    fate.is_delivered |= !answers;
                    self.note_order(at, msg, order);
                }
            }
            Fact::Answered { .. } if !fate.is_delivered => {
                fate.is_delivered = true;
                self.done += 1;
            }
            _ => {}
        }
        self.close_if_gone(at, msg);
    }

    fn note_order(&mut self, at: SimTime, msg: MsgId, order: (ActorId, u32, u16)) {
        if MAX_ORDERED <= self.newest.len() && !self.newest.contains_key(&order) {
            return;
        }
        let newest = self.newest.entry(order).or_insert(msg);
        if msg < *newest {
            self.misordered.note(Entry { at, msg, why: None });
        } else {
            *newest = msg;
        }
    }

    fn close_if_gone(&mut self, at: SimTime, msg: MsgId) {
        let Some(fate) = self.fates.get(msg).copied() else { return };
        if fate.n_holders != 0 {
            return;
        }
        self.fates.close(msg);
        if fate.is_delivered {
            return;
        }
        let entry = Entry { at, msg, why: fate.why };
        self.lost.note(entry);
        if fate.is_confirmed {
            self.lost_confirmed.note(entry);
        }
        if fate.is_stored {
            self.lost_stored.note(entry);
        }
        if fate.n_effects == 0 {
            self.book.lost += amount(msg);
        }
    }
}

impl Verdict {
    fn of(count: u64, first: Option<Entry>) -> Verdict {
        if count == 0 { Verdict::Kept } else { Verdict::Broken { count, first } }
    }

    /// What holds only at the end is open before.
    fn or_open(self, is_over: bool) -> Verdict {
        if self == Verdict::Kept && !is_over { Verdict::Open } else { self }
    }
}

impl Fate {
    fn new(by: ActorId, key: u32, copy: u16) -> Fate {
        Fate {
            by,
            key,
            copy,
            n_copies: 0,
            n_holders: 1,
            n_effects: 0,
            is_delivered: false,
            is_confirmed: false,
            is_stored: false,
            why: None,
        }
    }
}
