//! The event queue against a plain reference: the standard heap, from which cancelled timers are
//! really removed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use inflight::kernel::{EventQueue, SimTime, Stream, Streams, Timer};
use proptest::prelude::*;

const TIMERS: usize = 8;

/// What is queued: a plain event, or the wake-up of a timer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Plain(u32),
    Wake(usize),
}

/// How far ahead of the last pop events are put.
#[derive(Clone, Copy, Debug)]
enum Gap {
    Zero,
    Below(u64),
    Ties(u64),
    PowersOfTwo,
    /// Close together, far ahead.
    Cluster {
        bits_ahead: u64,
        spread: u64,
    },
    Mixed,
}

impl Gap {
    fn draw(self, stream: &mut Stream) -> u64 {
        match self {
            Gap::Zero => 0,
            Gap::Below(n) => stream.below(n),
            Gap::Ties(unit) => stream.below(7) * unit,
            Gap::PowersOfTwo => 1 << stream.below(41),
            Gap::Cluster { bits_ahead, spread } => 5 << bits_ahead | stream.below(spread),
            Gap::Mixed if stream.chance(100_000) => stream.below(60_000_000_000),
            Gap::Mixed => stream.below(2_000),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Schedule {
        n: u32,
        gap: Gap,
    },
    /// Many events for one instant.
    Burst {
        n: u32,
        gap: Gap,
    },
    Pop {
        n: u32,
    },
    /// Pops and schedules by turns.
    Hold {
        n: u32,
        gap: Gap,
    },
    /// Pops up to a horizon, then schedules from the last pop on.
    PopUntil {
        horizon: Gap,
        n: u32,
        gap: Gap,
    },
    Arm {
        timer: usize,
        gap: Gap,
    },
    Disarm {
        timer: usize,
    },
    /// Arms all timers before each of several pops.
    ArmAndPop {
        n: u32,
        gap: Gap,
    },
    Copy,
    PopAll,
}

/// The queue and its reference, kept in step.
struct Pair {
    queue: EventQueue<Event>,
    timers: [Timer; TIMERS],
    heap: BinaryHeap<Reverse<(SimTime, u64, Event)>>,
    /// What each timer of the reference is set for.
    wanted: [Option<SimTime>; TIMERS],
    sequence: u64,
    now: SimTime,
    n_plain: u64,
    stream: Stream,
}

impl Pair {
    fn new(seed: u64) -> Pair {
        Pair {
            queue: EventQueue::new(),
            timers: Default::default(),
            heap: BinaryHeap::new(),
            wanted: [None; TIMERS],
            sequence: 0,
            now: SimTime::ZERO,
            n_plain: 0,
            stream: Streams::new(seed).stream(0, 0),
        }
    }

    fn at(&mut self, gap: Gap) -> SimTime {
        SimTime::from_ns(self.now.ns().saturating_add(gap.draw(&mut self.stream)))
    }

    fn refer(&mut self, at: SimTime, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, event)));
    }

    fn schedule(&mut self, at: SimTime) {
        let event = Event::Plain(self.sequence as u32);
        self.n_plain += 1;
        self.refer(at, event);
        self.queue.schedule(at, event);
    }

    fn arm(&mut self, timer: usize, at: SimTime) {
        self.queue.arm(&mut self.timers[timer], at, Event::Wake(timer));
        if self.wanted[timer] != Some(at) {
            self.remove(timer);
            self.wanted[timer] = Some(at);
            self.refer(at, Event::Wake(timer));
        }
        assert_eq!(self.timers[timer].due(), Some(at));
    }

    fn disarm(&mut self, timer: usize) {
        self.queue.disarm(&mut self.timers[timer]);
        self.remove(timer);
        assert_eq!(self.timers[timer].due(), None);
    }

    fn remove(&mut self, timer: usize) {
        if self.wanted[timer].take().is_some() {
            self.heap.retain(|Reverse((_, _, event))| *event != Event::Wake(timer));
        }
    }

    /// Pops one event that counts from both, and checks that they are the same.
    fn pop(&mut self, horizon: SimTime) -> bool {
        let expected = match self.heap.peek() {
            Some(Reverse((at, ..))) if *at <= horizon => self.heap.pop(),
            _ => None,
        };
        let popped = loop {
            let first = self.queue.next_time();
            let popped = self.queue.pop_until(horizon);
            if let Some((at, _)) = popped {
                assert!(self.now <= at);
                assert!(first.is_some_and(|first| first <= at));
                self.now = at;
            }
            match popped {
                Some((_, event @ Event::Wake(timer)))
                    if !self.queue.fired(&mut self.timers[timer], event) => {}
                other => break other,
            }
        };
        assert_eq!(popped, expected.map(|Reverse((at, _, event))| (at, event)));
        match popped {
            Some((_, Event::Plain(_))) => self.n_plain -= 1,
            Some((_, Event::Wake(timer))) => self.wanted[timer] = None,
            None => {}
        }
        let len = self.queue.len();
        assert!(self.n_plain <= len && len <= self.n_plain + 2 * TIMERS as u64);
        popped.is_some()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Schedule { n, gap } => (0..n).for_each(|_| {
                let at = self.at(gap);
                self.schedule(at);
            }),
            Step::Burst { n, gap } => {
                let at = self.at(gap);
                (0..n).for_each(|_| self.schedule(at));
            }
            Step::Pop { n } => (0..n).for_each(|_| {
                self.pop(SimTime::MAX);
            }),
            Step::Hold { n, gap } => (0..n).for_each(|_| {
                self.pop(SimTime::MAX);
                let at = self.at(gap);
                self.schedule(at);
            }),
            Step::PopUntil { horizon, n, gap } => {
                let horizon = self.at(horizon);
                while self.pop(horizon) {}
                self.step(&Step::Schedule { n, gap });
            }
            Step::Arm { timer, gap } => {
                let at = self.at(gap);
                self.arm(timer, at);
            }
            Step::Disarm { timer } => self.disarm(timer),
            Step::ArmAndPop { n, gap } => (0..n).for_each(|_| {
                for timer in 0..TIMERS {
                    let at = self.at(gap);
                    self.arm(timer, at);
                }
                self.pop(SimTime::MAX);
            }),
            Step::Copy => {
                let copy = self.queue.clone();
                assert!(copy == self.queue);
                self.queue = copy;
            }
            Step::PopAll => while self.pop(SimTime::MAX) {},
        }
    }
}

fn gap() -> impl Strategy<Value = Gap> {
    prop_oneof![
        Just(Gap::Zero),
        prop_oneof![Just(2), Just(100), Just(5_000), Just(1 << 30), Just(1 << 40)]
            .prop_map(Gap::Below),
        prop_oneof![Just(1), Just(64), Just(1_000_000)].prop_map(Gap::Ties),
        Just(Gap::PowersOfTwo),
        (0..38u64, prop_oneof![Just(50), Just(100_000)])
            .prop_map(|(bits_ahead, spread)| Gap::Cluster { bits_ahead, spread }),
        Just(Gap::Mixed),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = || prop_oneof![4 => 1..10u32, 3 => 1..100u32, 1 => 1..1500u32];
    prop_oneof![
        3 => (n(), gap()).prop_map(|(n, gap)| Step::Schedule { n, gap }),
        1 => (n(), gap()).prop_map(|(n, gap)| Step::Burst { n, gap }),
        2 => n().prop_map(|n| Step::Pop { n }),
        2 => (n(), gap()).prop_map(|(n, gap)| Step::Hold { n, gap }),
        3 => (gap(), n(), gap()).prop_map(|(horizon, n, gap)| Step::PopUntil { horizon, n, gap }),
        4 => (0..TIMERS, gap()).prop_map(|(timer, gap)| Step::Arm { timer, gap }),
        1 => (0..TIMERS).prop_map(|timer| Step::Disarm { timer }),
        1 => (1..30u32, gap()).prop_map(|(n, gap)| Step::ArmAndPop { n, gap }),
        1 => Just(Step::Copy),
        1 => Just(Step::PopAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn pops_what_the_reference_pops(
        seed: u64,
        start in prop_oneof![Just(0), any::<u64>(), Just(u64::MAX - 100_000)],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut pair = Pair::new(seed);
        pair.schedule(SimTime::from_ns(start));
        pair.pop(SimTime::MAX);
        steps.iter().for_each(|step| pair.step(step));
        pair.step(&Step::PopAll);
        prop_assert_eq!(pair.queue.pop(), None);
        prop_assert!(pair.queue.is_empty());
    }
}

#[test]
fn a_large_queue_pops_what_the_reference_pops() {
    let mut pair = Pair::new(1);
    for gap in [Gap::Below(1 << 30), Gap::Below(1_000_000), Gap::Mixed, Gap::Ties(62_500_000)] {
        pair.step(&Step::Schedule { n: 50_000, gap });
        pair.step(&Step::Hold { n: 100_000, gap });
        pair.step(&Step::Pop { n: 40_000 });
    }
    pair.step(&Step::PopAll);
}

#[test]
fn a_burst_within_one_instant_stays_in_order() {
    let mut queue = EventQueue::new();
    queue.schedule(SimTime::from_ns(5), 0);
    let mut next = 1;
    for expected in 0..10_000 {
        assert_eq!(queue.pop(), Some((SimTime::from_ns(5), expected)));
        for _ in 0..2 {
            queue.schedule(SimTime::from_ns(5), next);
            next += 1;
        }
    }
}

#[test]
fn setting_timers_earlier_again_and_again_uses_bounded_memory() {
    let mut queue = EventQueue::new();
    let mut timers = vec![Timer::default(); 10];
    for round in 0..1_000u64 {
        for (i, timer) in timers.iter_mut().enumerate() {
            queue.arm(timer, SimTime::from_ns(1_000_000 - round), i);
        }
        assert!(queue.len() <= 20);
    }
    for (i, timer) in timers.iter_mut().enumerate() {
        let (at, event) = queue.pop().expect("each timer is still to come");
        assert_eq!((at, event), (SimTime::from_ns(1_000_000 - 999), i));
        assert!(queue.fired(timer, i));
    }
    while let Some((_, i)) = queue.pop() {
        assert!(!queue.fired(&mut timers[i], i));
    }
}

#[test]
fn equality_does_not_see_how_far_a_horizon_was_looked() {
    let mut a = EventQueue::new();
    for ns in 0..5_000u64 {
        a.schedule(SimTime::from_ns(10_000 + ns * 37), ns);
    }
    let mut b = a.clone();
    assert_eq!(a.pop_until(SimTime::from_ns(9_000)), None);
    assert_eq!(a, b);
    assert_eq!(a.pop(), b.pop());
    assert_eq!(a, b);
    a.pop();
    assert_ne!(a, b);
}

#[test]
fn a_cleared_queue_is_a_new_one() {
    let mut queue = EventQueue::new();
    for ns in 0..1_000 {
        queue.schedule(SimTime::from_ns(ns * ns), ns);
    }
    queue.pop();
    queue.clear();
    assert_eq!(queue, EventQueue::new());
    queue.schedule(SimTime::ZERO, 7);
    assert_eq!(queue.pop(), Some((SimTime::ZERO, 7)));
    assert_eq!(queue.pop(), None);
}

#[test]
#[should_panic(expected = "nothing is scheduled in the past")]
fn the_past_is_closed() {
    let mut queue = EventQueue::new();
    queue.schedule(SimTime::from_ns(2), ());
    queue.pop();
    queue.schedule(SimTime::from_ns(1), ());
}
