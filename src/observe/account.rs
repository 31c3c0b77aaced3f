//! The account of one message: since when it waits for what, and who holds it.

use crate::kernel::{SimSpan, SimTime};
use crate::model::fact::{Cause, Fact, Why};
use crate::model::message::{ActorId, MsgId};
use crate::observe::{Dense, Parts};

/// Where a message waits, as far as queue depth is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Ready in a broker's queue.
    Queue,
    /// In a consumer's or responder's memory.
    Buffer,
    /// Anywhere else.
    Elsewhere,
}

/// What is known of a message that somebody holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Account {
    /// When it was sent.
    pub born: SimTime,
    /// Its sender.
    pub by: ActorId,
    /// Its key.
    pub key: u32,
    /// 0 for the message itself, else its number among the copies made of it.
    pub copy: u16,
    /// How many copies were made of it.
    n_copies: u16,
    /// How many places hold it.
    pub holders: u32,
    /// How often its effect happened.
    pub n_effects: u32,
    /// When its latency closed.
    pub delivered: Option<SimTime>,
    /// Where it waits.
    pub place: Place,
    /// What it waits for now.
    pub cause: Cause,
    /// Since when.
    pub since: SimTime,
    /// Time by cause so far, in ns.
    pub parts: Parts,
    /// Time by cause since it was dispatched to a consumer that has not finished: lost if that
    /// dies.
    trial: Option<Parts>,
    /// Why the last copy that went away did so.
    pub last_drop: Option<Why>,
    /// How long it lay unread before it was read last: charged to what, since when, until when.
    unread: (Cause, SimTime, SimTime),
}

impl Account {
    /// The account of a message made now.
    pub fn new(born: SimTime, by: ActorId, key: u32) -> Account {
        Account {
            born,
            by,
            key,
            copy: 0,
            n_copies: 0,
            holders: 1,
            n_effects: 0,
            delivered: None,
            place: Place::Elsewhere,
            cause: Cause::Sender,
            since: born,
            parts: [0; Cause::COUNT],
            trial: None,
            last_drop: None,
            unread: (Cause::Unread, born, born),
        }
    }

    /// Charges the time since the last fact to what the message waited for, and turns to what it
    /// waits for from now on. With several copies under way, the newest fact decides.
    pub fn charge(&mut self, now: SimTime, fact: &Fact) {
        if self.delivered.is_some() {
            self.place = self.place_after(fact);
            return;
        }
        let span = (now - self.since).as_ns();
        let parts = self.trial.as_mut().unwrap_or(&mut self.parts);
        if let Fact::Spent { cause, span: part, .. } = *fact {
            // The rest stays with what it waited for; in which order it was spent is not told.
            let part = part.min(span);
            parts[cause.index()] += part;
            self.since += SimSpan::ns(part);
            return;
        }
        match *fact {
            Fact::Arrived { waited, sending, unread, .. } => {
                let mut left = span;
                let mut take = |part: u64| {
                    let part = part.min(left);
                    left -= part;
                    part
                };
                let lain = take(unread);
                parts[Cause::BackPressure.index()] += lain;
                self.unread = match self.cause {
                    Cause::Unread => (Cause::Unread, self.since, now),
                    _ => (Cause::BackPressure, SimTime::from_ns(now.ns() - lain), now),
                };
                parts[Cause::WireQueue.index()] += take(waited);
                parts[Cause::Serialisation.index()] += take(sending);
                parts[self.cause.index()] += left;
            }
            Fact::Landed { waited, sending, .. } => {
                let waited = waited.min(span);
                let sending = sending.min(span - waited);
                parts[Cause::WireQueue.index()] += waited;
                parts[Cause::Serialisation.index()] += sending;
                parts[self.cause.index()] += span - waited - sending;
            }
            Fact::Excused { cause, from, to, .. } => {
                parts[self.cause.index()] += span;
                let (charged, since, until) = self.unread;
                let shared = until.min(to).since(since.max(from).min(until)).as_ns();
                let moved = shared.min(parts[charged.index()]);
                parts[charged.index()] -= moved;
                parts[cause.index()] += moved;
                self.unread = (charged, until, until);
            }
            _ => parts[self.cause.index()] += span,
        }
        self.since = now;
        self.turn(fact);
        self.place = self.place_after(fact);
    }

    /// Remembers why its last copy went away without an effect.
    pub fn note_end(&mut self, fact: &Fact) {
        match *fact {
            Fact::Dropped { why, .. } => self.last_drop = Some(why),
            Fact::Failed { .. } => self.last_drop = Some(Why::Bad),
            Fact::Skipped { .. } if self.n_effects == 0 => {
                self.last_drop = Some(Why::TakenAsDone);
            }
            _ => {}
        }
    }

    /// The time on trial counts: the work was done.
    pub fn settle(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.parts.iter_mut().zip(trial).for_each(|(sum, part)| *sum += part);
        }
    }

    /// Time by cause until `now`, what is still open included.
    pub fn parts_at(&self, now: SimTime) -> Parts {
        let mut whole = self.clone();
        whole.settle();
        // The time of a message that nobody holds any more stands still.
        if whole.delivered.is_none() && 0 < whole.holders {
            whole.parts[whole.cause.index()] += now.since(whole.since).as_ns();
        }
        whole.parts
    }

    fn turn(&mut self, fact: &Fact) {
        match fact {
            Fact::Departed { .. } => self.cause = Cause::Propagation,
            // A single message turns to something else at this instant, or is a copy that nobody
            // wants; a record of a batch waits.
            Fact::Arrived { is_part: true, .. } => self.cause = Cause::BatchRest,
            Fact::Queued { .. } => self.cause = Cause::BrokerQueue,
            // Of a message that was sent twice, a second copy may follow the first.
            Fact::Dispatched { .. } => {
                self.trial.get_or_insert([0; Cause::COUNT]);
            }
            Fact::Requeued { .. } => {
                let trial = self.trial.take().unwrap_or([0; Cause::COUNT]);
                self.parts[Cause::LostDelivery.index()] += trial.iter().sum::<u64>();
                self.cause = Cause::BrokerQueue;
            }
            Fact::Buffered { .. } => self.cause = Cause::BehindAnother,
            Fact::Started { .. } => self.cause = Cause::Processing,
            Fact::Worked { .. } => {
                self.settle();
                self.cause = Cause::Sender;
            }
            Fact::Held { cause, .. } | Fact::Landed { cause, .. } => self.cause = *cause,
            Fact::Retried { .. } => self.cause = Cause::Sender,
            Fact::Dropped { .. } if self.trial.is_none() => self.cause = Cause::Retry,
            _ => {}
        }
    }

    fn place_after(&self, fact: &Fact) -> Place {
        match fact {
            Fact::Queued { .. } | Fact::Requeued { .. } => Place::Queue,
            Fact::Buffered { .. } => Place::Buffer,
            Fact::Dispatched { .. }
            | Fact::Started { .. }
            | Fact::Skipped { .. }
            | Fact::Failed { .. }
            | Fact::Departed { .. }
            | Fact::Dropped { .. } => Place::Elsewhere,
            _ => self.place,
        }
    }
}

/// Accounts of all messages that somebody holds.
pub type Accounts = Dense<Account>;

impl Accounts {
    /// An account for a further copy of `of`: it shares its past.
    pub fn copy_of(&mut self, of: MsgId, now: SimTime) -> Option<Account> {
        let original = self.get_mut(of)?;
        original.n_copies += 1;
        let mut copy = original.clone();
        // A retry of what was delivered long ago can still make a new copy: it waited since then.
        if let Some(at) = copy.delivered.take() {
            (copy.since, copy.cause) = (at, Cause::Retry);
        }
        // Work on the original before, at a responder that hands it on, is none on the copy.
        copy.n_effects = 0;
        copy.charge(now, &Fact::Copied { msg: of, of, at: original.by });
        copy.copy = original.n_copies;
        copy.n_copies = 0;
        copy.holders = 1;
        copy.place = Place::Elsewhere;
        Some(copy)
    }
}
