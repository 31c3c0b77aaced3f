//! RocketMQ's ways: allocation without a coordinator, delay levels, retries, asking back.
//!
//! Source: RocketMQ develop 8fc57f1468d1: `AllocateMessageQueueAveragely` and its siblings,
//! `MessageStoreConfig.messageDelayLevel`, `DefaultMQPushConsumerImpl`,
//! `TransactionalMessageServiceImpl`. Left out: pop consumption, orderly locks on the broker.

use super::md5::md5;
use crate::kernel::{SimSpan, SimTime};

/// The delays of a message by level, from level 1.
pub const DELAY_LEVELS: [SimSpan; 18] = [
    SimSpan::s(1),
    SimSpan::s(5),
    SimSpan::s(10),
    SimSpan::s(30),
    SimSpan::s(60),
    SimSpan::s(120),
    SimSpan::s(180),
    SimSpan::s(240),
    SimSpan::s(300),
    SimSpan::s(360),
    SimSpan::s(420),
    SimSpan::s(480),
    SimSpan::s(540),
    SimSpan::s(600),
    SimSpan::s(1200),
    SimSpan::s(1800),
    SimSpan::s(3600),
    SimSpan::s(7200),
];
/// A failed message's first retry comes after the delay of this level.
pub const FIRST_RETRY_LEVEL: u32 = 3;
/// Retries of a message that is consumed concurrently; then it is a dead letter.
pub const RETRIES: u32 = 16;
/// Points of one consumer on the ring of the consistent hash.
const VIRTUAL_NODES: u32 = 10;

/// How a client allocates queues to the consumers of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Allocation {
    /// Consecutive queues (`AVG`).
    #[default]
    Average,
    /// One after the other (`AVG_BY_CIRCLE`).
    Circle,
    /// By a ring of hashes (`CONSISTENT_HASH`).
    ConsistentHash,
}

/// The names that the consistent hash depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueNames<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The broker.
    pub broker: &'a str,
}

impl Allocation {
    /// The queues of each consumer; the consumers' ids are sorted.
    pub fn allocate(
        self,
        n_queues: u32,
        consumers: &[&str],
        names: QueueNames<'_>,
    ) -> Vec<Vec<u32>> {
        let n = consumers.len() as u32;
        match self {
            _ if n == 0 => Vec::new(),
            Allocation::Average => (0..n).map(|i| average(n_queues, n, i)).collect(),
            Allocation::Circle => {
                (0..n).map(|i| (i..n_queues).step_by(n as usize).collect()).collect()
            }
            Allocation::ConsistentHash => by_ring(n_queues, consumers, names),
        }
    }
}

/// The consecutive queues of the consumer at `index`.
fn average(n_queues: u32, n_consumers: u32, index: u32) -> Vec<u32> {
    let n_larger = n_queues % n_consumers;
    let share = if n_queues <= n_consumers {
        1
    } else {
        n_queues / n_consumers + u32::from(index < n_larger)
    };
    let is_larger = 0 < n_larger && index < n_larger;
    let first = if is_larger { index * share } else { index * share + n_larger };
    (first..n_queues.min(first + share)).collect()
}

/// A queue goes to the first point of the ring at or after its hash, at the end to the first.
fn by_ring(n_queues: u32, consumers: &[&str], names: QueueNames<'_>) -> Vec<Vec<u32>> {
    let points = |(index, consumer): (usize, &&str)| {
        let point = |node| (ring_hash(&format!("{consumer}-{node}")), index);
        (0..VIRTUAL_NODES).map(point).collect::<Vec<_>>()
    };
    let mut ring: Vec<(u32, usize)> = consumers.iter().enumerate().flat_map(points).collect();
    ring.sort_unstable();
    let mut allocated = vec![Vec::new(); consumers.len()];
    for queue in 0..n_queues {
        let QueueNames { topic, broker } = names;
        let text = format!("MessageQueue [topic={topic}, brokerName={broker}, queueId={queue}]");
        let place = ring.partition_point(|(hash, _)| *hash < ring_hash(&text));
        let (_, consumer) = ring[place % ring.len()];
        allocated[consumer].push(queue);
    }
    allocated
}

/// The first four bytes of the MD5, big-endian.
fn ring_hash(text: &str) -> u32 {
    let digest = md5(text.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// What happens to a message whose work failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It comes again after the delay of this level.
    Retry {
        /// The level.
        level: u32,
        /// Its delay.
        delay: SimSpan,
    },
    /// It goes to `%DLQ%<group>`.
    DeadLetter,
}

/// What happens to a message of a clustering, concurrent consumer that failed and has been
/// retried `n_retries` times before.
pub fn after_failure(n_retries: u32, most_retries: u32) -> Failed {
    if most_retries <= n_retries {
        return Failed::DeadLetter;
    }
    let level = (FIRST_RETRY_LEVEL + n_retries).min(DELAY_LEVELS.len() as u32);
    Failed::Retry { level, delay: DELAY_LEVELS[level as usize - 1] }
}

/// How a broker asks producers back about transactions whose end it has not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckBack {
    /// It asks nothing before a transaction is so old (`transactionTimeOut`).
    pub immunity: SimSpan,
    /// It looks so often (`transactionCheckInterval`).
    pub period: SimSpan,
    /// How often it asks before it gives up (`transactionCheckMax`).
    pub most_checks: u32,
}

impl Default for CheckBack {
    fn default() -> CheckBack {
        CheckBack { immunity: SimSpan::s(6), period: SimSpan::s(30), most_checks: 15 }
    }
}

/// What a broker does about a half message at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// It is too young.
    Wait,
    /// It asks the producer.
    Ask,
    /// It has asked often enough and discards the message.
    Discard,
}

/// A half message: stored, hidden, neither committed nor rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfMessage {
    /// When it was stored.
    pub born: SimTime,
    /// How often its producer was asked.
    pub n_checks: u32,
    /// The next tick at which it is looked at; `None` after it was discarded.
    next: Option<SimTime>,
}

impl HalfMessage {
    /// Stored now; ticks are at whole multiples of the period.
    pub fn new(check: CheckBack, born: SimTime) -> HalfMessage {
        let period = check.period.as_ns().max(1);
        let ripe = born.saturating_add(check.immunity).ns();
        // Strictly later than the end of the immunity.
        let next = (ripe / period + 1).checked_mul(period).map(SimTime::from_ns);
        HalfMessage { born, n_checks: 0, next }
    }

    /// Looks at it at `now`.
    pub fn on_wake(&mut self, check: CheckBack, now: SimTime) -> Tick {
        let Some(next) = self.next.filter(|next| *next <= now) else { return Tick::Wait };
        if check.most_checks <= self.n_checks {
            self.next = None;
            return Tick::Discard;
        }
        self.n_checks += 1;
        self.next = next.checked_add(check.period);
        Tick::Ask
    }

    /// The next tick at which something happens.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_more_consumers_than_queues_some_have_nothing() {
        let names = QueueNames { topic: "T", broker: "B" };
        let allocated = Allocation::Average.allocate(2, &["a", "b", "c"], names);
        assert_eq!(allocated, [vec![0], vec![1], vec![]]);
    }

    #[test]
    fn a_message_that_always_fails_is_dead_after_sixteen_retries_and_nearly_five_hours() {
        let mut total = SimSpan::ZERO;
        let mut n_retries = 0;
        while let Failed::Retry { delay, .. } = after_failure(n_retries, RETRIES) {
            total = total.saturating_add(delay);
            n_retries += 1;
        }
        assert_eq!((n_retries, total), (16, SimSpan::s(17_140)));
    }

    #[test]
    fn a_half_message_is_asked_about_fifteen_times_and_then_discarded() {
        let check = CheckBack::default();
        let mut half = HalfMessage::new(check, SimTime::from_ns(24_000_000_000));
        assert_eq!(half.next_wake(), Some(SimTime::from_ns(60_000_000_000)));
        let mut asked = 0;
        while let Some(now) = half.next_wake() {
            match half.on_wake(check, now) {
                Tick::Ask => asked += 1,
                Tick::Discard => assert_eq!(now, SimTime::from_ns(510_000_000_000)),
                Tick::Wait => panic!("it was due"),
            }
        }
        assert_eq!(asked, 15);
    }
}
