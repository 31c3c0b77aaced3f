//! When a consumer says that a message is done: before, after, now and then, or by a timer.
//!
//! The policy decides what a crash repeats or loses; the next owner begins at the committed
//! offset. Source: `ConsumerCoordinator.maybeAutoCommitOffsetsAsync`, librdkafka
//! `rd_kafka_cgrp_offset_commit_tmr_cb`.

use crate::kernel::{SimSpan, SimTime};

/// When an offset is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitPolicy {
    /// After each message's work.
    AfterEach,
    /// Before each message's work.
    BeforeEach,
    /// After every n-th message's work.
    AfterEvery(u32),
    /// After the work of all messages of one poll.
    AfterBatch,
    /// Before the work of the messages of one poll.
    BeforeBatch,
    /// Inside a poll, when the interval has passed: all that earlier polls returned, as the Java
    /// client does (`enable.auto.commit`).
    AutoInPoll {
        /// `auto.commit.interval.ms`.
        interval: SimSpan,
    },
    /// By a timer: what was handed to the application, finished or not, as librdkafka does.
    AutoOnDelivery {
        /// `auto.commit.interval.ms`.
        interval: SimSpan,
    },
    /// By a timer: what the application has stored after its work
    /// (`enable.auto.offset.store=false`).
    AutoStored {
        /// `auto.commit.interval.ms`.
        interval: SimSpan,
    },
}

/// A consumer's commits for one partition. Offsets count messages: 5 means that five are done.
#[derive(Clone, Debug, PartialEq)]
pub struct Committer {
    /// When it commits.
    pub policy: CommitPolicy,
    /// The next offset that a poll returns.
    position: u64,
    /// What a commit now would write.
    stored: u64,
    /// What was written last.
    committed: u64,
    /// When the interval is over.
    due: Option<SimTime>,
}

impl Committer {
    /// Begins at the committed offset; an interval begins now. Panics when the interval is zero.
    pub fn new(policy: CommitPolicy, now: SimTime, committed: u64) -> Committer {
        assert!(policy.interval().is_none_or(|interval| !interval.is_zero()));
        let due = policy.interval().map(|interval| now.saturating_add(interval));
        Committer { policy, position: committed, stored: committed, committed, due }
    }

    /// A poll begins; answers the offset to commit, if any.
    pub fn on_poll(&mut self, now: SimTime) -> Option<u64> {
        let CommitPolicy::AutoInPoll { interval } = self.policy else { return None };
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = Some(now.saturating_add(interval));
        self.stored = self.position;
        self.commit()
    }

    /// A poll returns `n` messages; answers the offset to commit, if any.
    pub fn on_batch(&mut self, n: u32) -> Option<u64> {
        self.position += u64::from(n);
        if self.policy != CommitPolicy::BeforeBatch {
            return None;
        }
        self.stored = self.position;
        self.commit()
    }

    /// A poll returns what is below `position`; answers the offset to commit, if any.
    pub fn on_batch_to(&mut self, position: u64) -> Option<u64> {
        self.position = self.position.max(position);
        self.on_batch(0)
    }

    /// The work on the message at `offset` begins; answers the offset to commit, if any.
    pub fn on_begin(&mut self, offset: u64) -> Option<u64> {
        match self.policy {
            CommitPolicy::BeforeEach => {
                self.stored = offset + 1;
                self.commit()
            }
            CommitPolicy::AutoOnDelivery { .. } => {
                self.stored = offset + 1;
                None
            }
            _ => None,
        }
    }

    /// The work on the message at `offset` is done; answers the offset to commit, if any.
    pub fn on_done(&mut self, offset: u64) -> Option<u64> {
        let done = offset + 1;
        let commits = match self.policy {
            CommitPolicy::AfterEach => true,
            CommitPolicy::AfterEvery(n) => u64::from(n.max(1)) <= done - self.committed,
            CommitPolicy::AfterBatch => done == self.position,
            CommitPolicy::AutoStored { .. } => false,
            _ => return None,
        };
        self.stored = done;
        if commits { self.commit() } else { None }
    }

    /// The partition is given up in an orderly way: answers the offset to commit, if any. All that
    /// polls returned is done, since partitions are given up between polls.
    pub fn on_revoke(&mut self) -> Option<u64> {
        if let CommitPolicy::AutoInPoll { .. } = self.policy {
            self.stored = self.position;
        }
        self.commit()
    }

    /// The timer: answers the offset to commit, if any.
    pub fn on_wake(&mut self, now: SimTime) -> Option<u64> {
        let interval = self.policy.interval()?;
        if self.next_wake().is_none_or(|due| now < due) {
            return None;
        }
        self.due = Some(now.saturating_add(interval));
        self.commit()
    }

    /// When the timer is due. A client that commits inside polls has none.
    pub fn next_wake(&self) -> Option<SimTime> {
        match self.policy {
            CommitPolicy::AutoInPoll { .. } => None,
            _ => self.due,
        }
    }

    /// What was committed last.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    fn commit(&mut self) -> Option<u64> {
        let is_new = self.committed != self.stored;
        self.committed = self.stored;
        is_new.then_some(self.committed)
    }
}

impl CommitPolicy {
    const fn interval(self) -> Option<SimSpan> {
        match self {
            CommitPolicy::AutoInPoll { interval }
            | CommitPolicy::AutoOnDelivery { interval }
            | CommitPolicy::AutoStored { interval } => Some(interval),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: SimSpan = SimSpan::ms(100);

    fn at(ms: u64) -> SimTime {
        SimTime::from_ns(ms * 1_000_000)
    }

    #[test]
    fn javas_auto_commit_never_covers_the_batch_in_work() {
        let policy = CommitPolicy::AutoInPoll { interval: INTERVAL };
        let mut committer = Committer::new(policy, at(0), 0);
        assert_eq!(committer.on_poll(at(0)), None);
        committer.on_batch(4);
        assert_eq!(committer.on_poll(at(600)), Some(4));
        committer.on_batch(4);
        assert_eq!(committer.committed(), 4);
    }

    #[test]
    fn a_timer_that_commits_what_was_delivered_loses_the_message_in_work() {
        let policy = CommitPolicy::AutoOnDelivery { interval: INTERVAL };
        let mut committer = Committer::new(policy, at(0), 0);
        committer.on_begin(0);
        assert_eq!(committer.on_wake(at(100)), Some(1));
        let policy = CommitPolicy::AutoStored { interval: INTERVAL };
        let mut careful = Committer::new(policy, at(0), 0);
        careful.on_begin(0);
        assert_eq!(careful.on_wake(at(100)), None);
    }
}
