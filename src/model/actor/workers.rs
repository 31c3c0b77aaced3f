//! Workers: so many at once, the rest wait in memory. Consumers and responders work so.

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
            n_busy: 0,
            n_started: 0,
            next_end: None,
        }
    }

    /// Starts on the job, or keeps it for later.
    pub fn take(&mut self, cx: &mut Ctx<'_>, job: Job, service: Service<'_>) {
        if self.buffer.is_empty() && (self.n_busy as usize) < self.busy.len() {
            self.start(cx, job, service);
            return;
        }
        if self.buffer.len() as u32 >= MAX_BUFFERED {
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Refused });
            return;
        }
        self.buffer.push_back(job);
        let depth = self.buffer.len() as u32;
        cx.fact(Fact::Buffered { msg: job.message.id, at: cx.me, depth });
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
        self.n_busy = 0;
        self.next_end = None;
    }

    /// The connection at a port is gone: nobody there waits to hear any more.
    pub fn forget_connection(&mut self, port: u16) {
        let working = self.busy.iter_mut().flatten().map(|w| &mut w.job);
        for job in working.chain(&mut self.buffer).filter(|job| job.port == port) {
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

    fn start(&mut self, cx: &mut Ctx<'_>, job: Job, service: Service<'_>) {
        let Some(slot) = self.busy.iter_mut().find(|w| w.is_none()) else { return };
        let turn = usize::try_from(self.n_started).unwrap_or(usize::MAX);
        self.n_started += 1;
        let mut span = service.recorded.get(turn).copied().unwrap_or_else(|| {
            if service.spread == Spread::Constant {
                return service.mean;
            }
            let mut draw = cx.draw_for(Purpose::Service, job.message.id);
            sample(service.spread.law(), service.mean, service.variation_ppm, &mut draw)
        });
        if self.slow_ppm != 1_000_000 {
            let slowed = u128::from(span.as_ns()) * u128::from(self.slow_ppm) / 1_000_000;
            span = SimSpan::ns(u64::try_from(slowed).unwrap_or(u64::MAX >> 1));
        }
        let ends = cx.now() + span;
        *slot = Some(Work { job, started: cx.now(), ends });
        self.n_busy += 1;
        self.next_end = Some(self.next_end.map_or(ends, |end| end.min(ends)));
        let depth = self.buffer.len() as u32;
        cx.fact(Fact::Started { msg: job.message.id, at: cx.me, depth });
    }

    fn reckon(&mut self) {
        self.next_end = self.busy.iter().flatten().map(|w| w.ends).min();
    }
}
