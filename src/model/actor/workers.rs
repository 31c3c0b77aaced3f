//! Workers: so many at once, the rest wait in memory. Consumers and responders work so.
//!
//! What waits is served as it came or by priority; urgent work may interrupt other work, which
//! later goes on where it stopped (preemptive resume).

use std::cmp::Reverse;
use std::collections::VecDeque;

use crate::kernel::random::sample;
use crate::kernel::{SimSpan, SimTime};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Purpose};
use crate::model::message::Message;
use crate::model::spread::Spread;

/// Most messages in one consumer's own memory.
pub const MAX_BUFFERED: u32 = 1_000_000;

/// Who handed a message over, and so what it is told in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// A broker: it wants an acknowledgement.
    Broker,
    /// A sender: it may want a confirmation, or a reply.
    Sender,
}

/// A message in a worker's hands or memory, and whom to tell when it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// What to work on.
    pub message: Message,
    /// The port it came by.
    pub port: u16,
    /// Who handed it over.
    pub by: By,
    /// Delivery tag, or number of the publish; 0 = nobody waits to hear.
    pub tag: u64,
    /// Whether it was delivered before.
    pub redelivered: bool,
}

/// Work under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
    /// On what.
    pub job: Job,
    /// Since when.
    pub started: SimTime,
    /// Until when.
    pub ends: SimTime,
}

choices! {
    /// In which order workers serve what waits.
    pub enum Order {
        /// First come, first served.
        AsTheyCome = "as-they-come" ("as they come", "先到先处理"),
        /// Higher priority first; work under way is finished.
        Priority = "priority" ("by priority", "按优先级"),
        /// The same, and work of lower priority under way waits meanwhile.
        Interrupting = "interrupting" ("by priority, interrupting", "按优先级并抢占"),
    }
}

/// How long work takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Service<'a> {
    /// Mean.
    pub mean: SimSpan,
    /// Law.
    pub spread: Spread,
    /// Coefficient of variation in millionths.
    pub variation_ppm: u32,
    /// How long the first, the second, ... takes instead.
    pub recorded: &'a [SimSpan],
    /// Further time for each byte, before it spreads, in picoseconds.
    pub per_byte_ps: u64,
    /// The part of messages, in millionths, that take another time.
    pub rare_ppm: u32,
    /// How long these take.
    pub rare: SimSpan,
    /// Who is served first.
    pub order: Order,
    /// Whether work on what comes again takes a time of its own, not the same once more.
    pub renews: bool,
}

impl<'a> Service<'a> {
    /// Work of this mean and law, served as it comes.
    pub fn new(mean: SimSpan, spread: Spread, variation_ppm: u32) -> Service<'a> {
        let (recorded, rare) = (&[][..], SimSpan::ZERO);
        let order = Order::AsTheyCome;
        let (per_byte_ps, rare_ppm, renews) = (0, 0, false);
        Service {
            mean,
            spread,
            variation_ppm,
            recorded,
            per_byte_ps,
            rare_ppm,
            rare,
            order,
            renews,
        }
    }

    /// The mean for a message of so many bytes.
    fn mean_for(&self, bytes: u32) -> SimSpan {
        if self.per_byte_ps == 0 {
            return self.mean;
        }
        let more = u128::from(self.per_byte_ps) * u128::from(bytes) / 1_000;
        self.mean.saturating_add(SimSpan::ns(u64::try_from(more).unwrap_or(u64::MAX >> 1)))
    }
}

/// A few workers with one memory in front.
#[derive(Clone, PartialEq, Debug)]
pub struct Workers {
    /// What each is doing; as many as work at once.
    pub busy: Vec<Option<Work>>,
    /// What waits, first come first served.
    pub buffer: VecDeque<Job>,
    /// How long work takes, in millionths of the normal time.
    pub slow_ppm: u32,
    /// What was interrupted, and how much of its work is left.
    set_aside: Vec<(Job, SimSpan)>,
    n_busy: u32,
    n_started: u64,
    next_end: Option<SimTime>,
}

impl Workers {
    /// `n` idle workers.
    pub fn new(n: u32) -> Workers {
        Workers {
            busy: vec![None; n as usize],
            buffer: VecDeque::new(),
            slow_ppm: 1_000_000,
            set_aside: Vec::new(),
            n_busy: 0,
            n_started: 0,
            next_end: None,
        }
    }

    /// Starts on the job, or keeps it for later.
    pub fn take(&mut self, cx: &mut Ctx<'_>, job: Job, service: Service<'_>) {
        if self.starts_now() {
            self.start(cx, job, service);
            return;
        }
        if service.order == Order::Interrupting && self.interrupt(cx, job.message.priority) {
            self.start(cx, job, service);
            return;
        }
        if self.buffer.len() as u32 >= MAX_BUFFERED {
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Refused });
            return;
        }
        let place = match service.order {
            Order::AsTheyCome => self.buffer.len(),
            _ => {
                self.buffer.partition_point(|other| job.message.priority <= other.message.priority)
            }
        };
        self.buffer.insert(place, job);
        let depth = self.buffer.len() as u32;
        cx.fact(Fact::Buffered { msg: job.message.id, at: cx.me, depth });
    }

    /// Sets aside the least urgent work under way, if it is less urgent than this; a worker is free
    /// then. It will be the first of its priority to go on.
    fn interrupt(&mut self, cx: &mut Ctx<'_>, priority: u8) -> bool {
        let now = cx.now();
        let urgency = |work: &Work| (work.job.message.priority, Reverse(work.started));
        let running = self.busy.iter().enumerate();
        let running = running.filter_map(|(place, work)| Some((urgency(work.as_ref()?), place)));
        let Some(((least, _), place)) = running.min() else { return false };
        if priority <= least || self.buffer.len() as u32 >= MAX_BUFFERED {
            return false;
        }
        let Some(work) = self.busy[place].take() else { return false };
        self.n_busy -= 1;
        self.reckon();
        self.set_aside.push((work.job, work.ends.since(now)));
        let front = self.buffer.partition_point(|other| least < other.message.priority);
        self.buffer.insert(front, work.job);
        let depth = self.buffer.len() as u32;
        cx.fact(Fact::Buffered { msg: work.job.message.id, at: cx.me, depth });
        true
    }

    /// The next work that has ended by now, in order of ending; its worker is free again.
    pub fn finish(&mut self, now: SimTime) -> Option<Job> {
        if self.next_end.is_none_or(|end| now < end) {
            return None;
        }
        let end = self.next_end;
        let place = self.busy.iter().position(|w| w.map(|w| w.ends) == end)?;
        let work = self.busy[place].take()?;
        self.n_busy -= 1;
        self.reckon();
        Some(work.job)
    }

    /// Whether the next job would be started at once.
    pub fn starts_now(&self) -> bool {
        self.buffer.is_empty() && (self.n_busy as usize) < self.busy.len()
    }

    /// Takes the next job that waits out of memory, if a worker is free for it.
    pub fn pop_waiting(&mut self) -> Option<Job> {
        if (self.n_busy as usize) < self.busy.len() { self.buffer.pop_front() } else { None }
    }

    /// Starts on what waits, while a worker is free.
    pub fn start_waiting(&mut self, cx: &mut Ctx<'_>, service: Service<'_>) {
        while (self.n_busy as usize) < self.busy.len() {
            let Some(job) = self.buffer.pop_front() else { return };
            self.start(cx, job, service);
        }
    }

    /// Sets how many work at once. Work under way is never interrupted: a worker beyond the number
    /// leaves when it is idle.
    pub fn resize(&mut self, n: u32) {
        let n = n as usize;
        while n < self.busy.len() {
            let Some(idle) = self.busy.iter().rposition(Option::is_none) else { return };
            self.busy.remove(idle);
        }
        self.busy.resize(n, None);
    }

    /// Everything in hand and in memory is gone.
    pub fn crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        for slot in &mut self.busy {
            if let Some(work) = slot.take() {
                cx.fact(Fact::Dropped { msg: work.job.message.id, at, why: Why::Crash });
            }
        }
        for job in self.buffer.drain(..) {
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Crash });
        }
        self.set_aside.clear();
        self.n_busy = 0;
        self.next_end = None;
    }

    /// The connection at a port is gone: nobody there waits to hear any more.
    pub fn forget_connection(&mut self, port: u16) {
        let working = self.busy.iter_mut().flatten().map(|w| &mut w.job);
        let set_aside = self.set_aside.iter_mut().map(|(job, _)| job);
        let all = working.chain(&mut self.buffer).chain(set_aside);
        for job in all.filter(|job| job.port == port) {
            job.tag = 0;
        }
    }

    /// The process stops where it is, or goes on: states what its messages wait for now.
    pub fn hold(&mut self, cx: &mut Ctx<'_>, paused: bool) {
        let cause = if paused { Cause::Paused } else { Cause::Processing };
        for work in self.busy.iter().flatten() {
            cx.fact(Fact::Held { msg: work.job.message.id, cause });
        }
    }

    /// All ends move by `span`: the process stood still for so long.
    pub fn postpone(&mut self, span: SimSpan) {
        for work in self.busy.iter_mut().flatten() {
            work.started += span;
            work.ends += span;
        }
        self.reckon();
    }

    /// When the next work ends.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.next_end
    }

    /// How many work.
    pub fn n_busy(&self) -> u32 {
        self.n_busy
    }

    /// Starts on a job; one must be free.
    pub fn start(&mut self, cx: &mut Ctx<'_>, job: Job, service: Service<'_>) {
        let Some(place) = self.busy.iter().position(Option::is_none) else { return };
        let left = self.set_aside.iter().position(|(other, _)| *other == job);
        let span = match left {
            Some(place) => self.set_aside.swap_remove(place).1,
            None => self.span_of(cx, &job, service),
        };
        let ends = cx.now() + span;
        self.busy[place] = Some(Work { job, started: cx.now(), ends });
        self.n_busy += 1;
        self.next_end = Some(self.next_end.map_or(ends, |end| end.min(ends)));
        let depth = self.buffer.len() as u32;
        cx.fact(Fact::Started { msg: job.message.id, at: cx.me, depth });
    }

    /// How long the work on a message takes.
    fn span_of(&mut self, cx: &Ctx<'_>, job: &Job, service: Service<'_>) -> SimSpan {
        let turn = usize::try_from(self.n_started).unwrap_or(usize::MAX);
        self.n_started += 1;
        let msg = job.message.id;
        let attempt = if service.renews && job.redelivered { job.tag << 16 } else { 0 };
        let again = attempt | u64::from(job.message.hops);
        let is_rare = || cx.draw_for(Purpose::Rare, msg, again).chance(service.rare_ppm);
        let span = match service.recorded.get(turn) {
            Some(span) => *span,
            None if service.rare_ppm != 0 && is_rare() => service.rare,
            // Draws are counted, not consumed: what needs none makes none.
            None if service.spread == Spread::Constant => service.mean_for(job.message.bytes),
            None => {
                let mut draw = cx.draw_for(Purpose::Service, msg, again);
                let mean = service.mean_for(job.message.bytes);
                sample(service.spread.law(), mean, service.variation_ppm, &mut draw)
            }
        };
        if self.slow_ppm == 1_000_000 {
            return span;
        }
        let slowed = u128::from(span.as_ns()) * u128::from(self.slow_ppm) / 1_000_000;
        SimSpan::ns(u64::try_from(slowed).unwrap_or(u64::MAX >> 1))
    }

    fn reckon(&mut self) {
        self.next_end = self.busy.iter().flatten().map(|w| w.ends).min();
    }
}
