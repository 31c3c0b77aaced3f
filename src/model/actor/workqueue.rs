//! A work queue as an actor: connections, reservations and facts around the machine in
//! [`crate::model::workqueue`].
//!
//! Its clients are a queue broker's: a producer puts, a consumer reserves as many jobs as its
//! prefetch, and what it says of a delivery is a delete, a release or a bury. A crash loses all
//! jobs unless the queue is durable. Read `docs/models/workqueue.md` before editing.

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::{SimSpan, SimTime};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::message::{Message, MsgId, Parcel, Rejection};
use crate::model::workqueue::{
    Answer, Body, Effect, JobId, JobState, Request, WorkQueue, WorkerNo,
};
use crate::param::{Reason, Value};

params! {
    /// What a work queue does.
    pub struct WorkQueueParams for "work-queue" {
        /// How long a worker may hold a job.
        ttr: SimSpan = SimSpan::s(60), range SimSpan::s(1) => SimSpan::s(86_400), scale log,
            slider SimSpan::s(1) => SimSpan::s(600), applies live,
            name ("Time to run", "限定处理时间"),
            help ("After so long without a word of its worker a job is ready again.",
                "工作者这么久没有消息，任务就重新就绪。"),
            source "beanstalkd 1.12 doc/protocol.txt, put <ttr>; at least 1 s";
        /// When a new job becomes ready.
        delay: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(100) => SimSpan::s(600), applies live,
            name ("Delay", "延迟"),
            help ("How long a new job waits before it is ready.", "新任务经过多久才就绪。"),
            source "beanstalkd 1.12 doc/protocol.txt, put <delay>";
        /// When a job that failed becomes ready again.
        release_delay: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(86_400),
            scale log, slider SimSpan::ms(100) => SimSpan::s(600), applies live,
            name ("Delay after a release", "放回后的延迟"),
            help ("How long a job that failed waits before it is ready again.",
                "失败的任务放回后经过多久重新就绪。"),
            source "beanstalkd 1.12 doc/protocol.txt, release <delay>";
        /// Whether a crash leaves its jobs.
        durable: bool = false, switch, applies restart,
            name ("Durable", "持久化"),
            help ("A crash leaves the jobs; those that were held are ready again.",
                "崩溃后任务仍在，被占用的重新就绪。"),
            source "beanstalkd -b (binlog), as if it wrote at once";
    }
}

/// A job as the actor keeps it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stored {
    /// The message.
    pub message: Message,
    /// How often it was reserved.
    pub n_reserved: u32,
}

/// Who is at a port.
#[derive(Clone, PartialEq, Debug)]
pub struct Peer {
    /// Its connection.
    pub worker: WorkerNo,
    /// Most jobs that it may hold; 0 sets no limit, `None`: it reserves nothing by itself.
    pub wanted: Option<u32>,
    /// Whether a job is done when it is delivered.
    pub auto_ack: bool,
    /// Jobs that were taken back from it and that it has not spoken of: it works on them, and does
    /// not reserve others. After one more time to run they count as lost on the way.
    pub late: BTreeMap<JobId, SimTime>,
    /// It was told that a job is due soon, and waits no more until it has said something.
    is_warned: bool,
    /// Deliveries that wait for the channel to take them.
    pub outgoing: VecDeque<Parcel>,
}

/// A work queue.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkQueueActor {
    /// Its settings.
    pub params: WorkQueueParams,
    /// The machine.
    pub queue: WorkQueue,
    /// Its jobs.
    pub jobs: BTreeMap<JobId, Stored>,
    /// Its peers, by port.
    pub peers: Vec<Peer>,
    effects: Vec<Effect>,
}

impl WorkQueueActor {
    /// A queue without jobs.
    pub fn new(params: WorkQueueParams) -> WorkQueueActor {
        let queue = WorkQueue::new(JobId(1));
        WorkQueueActor {
            params,
            queue,
            jobs: BTreeMap::new(),
            peers: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Somebody is at the next port.
    pub fn attach(&mut self) {
        let peer = self.peer();
        self.peers.push(peer);
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        self.catch_up(cx);
        match parcel {
            Parcel::Publish { seq, message } => self.put(cx, port, seq, message),
            Parcel::Subscribe { prefetch, auto_ack } => {
                let peer = &mut self.peers[usize::from(port)];
                (peer.wanted, peer.auto_ack) = (Some(prefetch), auto_ack);
            }
            Parcel::Get { auto_ack } => {
                let peer = &mut self.peers[usize::from(port)];
                peer.auto_ack = auto_ack;
                if !self.queue.is_waiting(peer.worker) {
                    self.ask(cx, port, Request::Reserve { timeout: Some(SimSpan::ZERO) });
                }
            }
            Parcel::Ack { tag, msg } => {
                self.ask_about(cx, (port, msg), Request::Delete(JobId(tag)));
            }
            Parcel::Touch { tag, msg } => {
                self.ask_about(cx, (port, msg), Request::Touch(JobId(tag)));
            }
            Parcel::Reject { tag, msg, how } => {
                let (job, priority) = (JobId(tag), self.priority(JobId(tag)));
                let delay = self.params.release_delay;
                let request = match how {
                    Rejection::Requeue => Request::Release { job, priority, delay },
                    Rejection::DeadLetter | Rejection::Return => Request::Bury { job, priority },
                };
                self.ask_about(cx, (port, msg), request);
            }
            Parcel::Closed => self.on_closed(cx, port),
            _ => {}
        }
        self.go_on(cx);
    }

    /// A delay or a time to run is over.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        self.go_on(cx);
    }

    /// Earliest time at which `on_wake` has something to do.
    pub fn next_wake(&self) -> Option<SimTime> {
        let late = self.peers.iter().flat_map(|peer| peer.late.values().copied());
        late.chain(self.queue.next_wake()).min()
    }

    /// The channel takes deliveries again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let peer = &mut self.peers[usize::from(port)];
        while let Some(parcel) = peer.outgoing.front().copied() {
            let Parcel::Deliver { tag, .. } = parcel else { break };
            // What was taken back meanwhile is not delivered.
            let is_over = !peer.auto_ack && !is_held(&self.queue, JobId(tag), peer.worker);
            if !is_over && !cx.write(port, parcel, !peer.auto_ack) {
                return;
            }
            peer.outgoing.pop_front();
        }
    }

    /// Its process dies, and its jobs with it unless it is durable.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.catch_up(cx);
        let at = Node::Actor(cx.me);
        for port in 0..self.peers.len() as u16 {
            self.on_closed(cx, port);
        }
        if !self.params.durable {
            for job in std::mem::take(&mut self.jobs).into_values() {
                cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Crash });
            }
            self.queue = WorkQueue::new(JobId(1));
            self.peers = (0..self.peers.len()).map(|_| self.peer()).collect();
        }
    }

    /// It starts anew; what came due meanwhile happens now.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.go_on(cx);
    }

    /// Changes a live parameter: it counts for what comes.
    pub fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        self.params.set(index, value)
    }

    /// Copies of messages that it holds.
    pub fn n_held(&self) -> u64 {
        let auto = self.peers.iter().filter(|peer| peer.auto_ack);
        self.jobs.len() as u64 + auto.map(|peer| peer.outgoing.len() as u64).sum::<u64>()
    }

    /// The jobs in a state, the oldest first.
    pub fn jobs_in(&self, is_so: fn(JobState) -> bool) -> impl Iterator<Item = &Stored> {
        let state = |id: JobId| self.queue.job(id).map(|job| job.state);
        self.jobs.iter().filter(move |(id, _)| state(**id).is_some_and(is_so)).map(|(_, job)| job)
    }

    /// The jobs that the worker at a port holds.
    pub fn held_by(&self, port: u16) -> impl Iterator<Item = &Stored> {
        let worker = self.peers[usize::from(port)].worker;
        let held = self.jobs.iter().filter(move |(id, _)| is_held(&self.queue, **id, worker));
        held.map(|(_, job)| job)
    }

    /// A connection; there is always room for one more unless 65 536 were opened.
    fn peer(&mut self) -> Peer {
        Peer {
            worker: self.queue.connect().unwrap_or(WorkerNo(u32::MAX)),
            wanted: None,
            auto_ack: false,
            late: BTreeMap::new(),
            is_warned: false,
            outgoing: VecDeque::new(),
        }
    }

    /// A job comes in: `INSERTED`, or there is no room.
    fn put(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, message: Message) {
        let worker = self.peers[usize::from(port)].worker;
        let delay = self.params.delay;
        let request = Request::Put {
            priority: u32::from(u8::MAX - message.priority),
            delay,
            ttr: self.params.ttr,
            body: Body(message.id.0),
        };
        let msg = message.id;
        self.queue.cancel_wait(worker);
        let mut out = std::mem::take(&mut self.effects);
        self.queue.on_message(cx.now(), worker, request, &mut out);
        let is_own = |effect: &&Effect| effect.worker == worker;
        let accepted = match out.iter().find(is_own).map(|effect| effect.answer) {
            Some(Answer::Inserted(id)) => {
                self.jobs.insert(id, Stored { message, n_reserved: 0 });
                if delay.is_zero() {
                    self.queued(cx, msg);
                } else {
                    cx.fact(Fact::Held { msg, cause: Cause::Delayed });
                }
                true
            }
            _ => {
                cx.fact(Fact::Dropped { msg, at: Node::Actor(cx.me), why: Why::Refused });
                false
            }
        };
        self.effects = out;
        if seq != 0 {
            cx.write(port, Parcel::Confirm { seq, msg, accepted }, false);
        }
        self.carry_out(cx);
    }

    fn queued(&self, cx: &mut Ctx<'_>, msg: MsgId) {
        let depth = self.queue.gauges().n_ready;
        cx.fact(Fact::Queued { msg, at: cx.me, depth });
    }

    /// What a worker says of one of its jobs.
    fn ask_about(&mut self, cx: &mut Ctx<'_>, (port, msg): (u16, MsgId), request: Request) {
        self.peers[usize::from(port)].is_warned = false;
        let (id, delay) = match request {
            Request::Delete(id) | Request::Touch(id) => (id, SimSpan::ZERO),
            Request::Release { job, delay, .. } => (job, delay),
            Request::Bury { job, .. } => (job, SimSpan::ZERO),
            _ => return,
        };
        if !matches!(request, Request::Touch(_)) {
            self.peers[usize::from(port)].late.remove(&id);
        }
        let worker = self.peers[usize::from(port)].worker;
        let stored = self.jobs.get(&id).copied();
        // While it waits in a reserve its connection is not read: the wait is over first.
        self.queue.cancel_wait(worker);
        let mut out = std::mem::take(&mut self.effects);
        self.queue.on_message(cx.now(), worker, request, &mut out);
        let is_own = |effect: &&Effect| effect.worker == worker;
        let answer = out.iter().find(is_own).map(|effect| effect.answer);
        self.effects = out;
        let at = cx.me;
        match (answer, stored) {
            (Some(Answer::Deleted), Some(job)) => {
                self.jobs.remove(&id);
                cx.fact(Fact::Acked { msg: job.message.id, at });
            }
            (Some(Answer::Released), Some(job)) => {
                let (msg, depth) = (job.message.id, self.queue.gauges().n_ready);
                cx.fact(Fact::Requeued { msg, at, depth });
                if !delay.is_zero() {
                    cx.fact(Fact::Held { msg, cause: Cause::Delayed });
                }
            }
            (Some(Answer::Buried), Some(job)) => {
                cx.fact(Fact::Held { msg: job.message.id, cause: Cause::Buried });
            }
            (Some(Answer::NotFound), _) => {
                let by = cx.seat.ports[usize::from(port)].peer;
                cx.fact(Fact::NotFound { msg, at, by });
            }
            _ => {}
        }
        self.carry_out(cx);
    }

    fn ask(&mut self, cx: &mut Ctx<'_>, port: u16, request: Request) {
        let worker = self.peers[usize::from(port)].worker;
        self.queue.on_message(cx.now(), worker, request, &mut self.effects);
        self.carry_out(cx);
    }

    /// A worker's connection is lost: its jobs are ready again.
    fn on_closed(&mut self, cx: &mut Ctx<'_>, port: u16) {
        let held: Vec<Stored> = self.held_by(port).copied().collect();
        let peer = &mut self.peers[usize::from(port)];
        for parcel in peer.outgoing.drain(..) {
            if let (true, Some(m)) = (peer.auto_ack, parcel.message()) {
                cx.fact(Fact::Dropped { msg: m.id, at: Node::Actor(cx.me), why: Why::Gone });
            }
        }
        let worker = peer.worker;
        self.peers[usize::from(port)] = self.peer();
        self.queue.disconnect(cx.now(), worker, &mut self.effects);
        let depth = self.queue.gauges().n_ready;
        for job in held {
            cx.fact(Fact::Requeued { msg: job.message.id, at: cx.me, depth });
        }
        self.carry_out(cx);
    }

    /// Takes back what is due.
    fn catch_up(&mut self, cx: &mut Ctx<'_>) {
        let (now, at) = (cx.now(), cx.me);
        for peer in &mut self.peers {
            peer.late.retain(|_, until| now < *until);
        }
        if self.queue.next_wake().is_none_or(|wake| now < wake) {
            return;
        }
        let due: Vec<JobId> = self.queue.due_by(now).collect();
        let believed = now.saturating_add(self.params.ttr);
        for id in &due {
            let holder = self.queue.job(*id).map(|job| job.state);
            let Some(JobState::Reserved { by, .. }) = holder else { continue };
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.worker == by) {
                peer.late.insert(*id, believed);
            }
        }
        let ripe: Vec<JobId> = self.queue.ripe_by(now).collect();
        self.queue.on_wake(now, &mut self.effects);
        for peer in &mut self.peers {
            // What the channel did not take in time is not delivered.
            let is_due = |parcel: &Parcel| match parcel {
                Parcel::Deliver { tag, .. } => due.contains(&JobId(*tag)),
                _ => false,
            };
            for parcel in peer.outgoing.iter().filter(|parcel| is_due(parcel)) {
                // It never had that one.
                if let Parcel::Deliver { tag, .. } = parcel {
                    peer.late.remove(&JobId(*tag));
                }
            }
            peer.outgoing.retain(|parcel| !is_due(parcel));
            peer.is_warned = false;
        }
        let depth = self.queue.gauges().n_ready;
        for job in due.iter().filter_map(|id| self.jobs.get(id)) {
            cx.fact(Fact::Requeued { msg: job.message.id, at, depth });
        }
        for job in ripe.iter().filter_map(|id| self.jobs.get(id)) {
            cx.fact(Fact::Queued { msg: job.message.id, at, depth });
        }
        self.carry_out(cx);
    }

    /// Takes back what is due, and lets idle workers reserve.
    fn go_on(&mut self, cx: &mut Ctx<'_>) {
        self.catch_up(cx);
        for port in 0..self.peers.len() as u16 {
            while self.may_reserve(port) {
                self.ask(cx, port, Request::Reserve { timeout: None });
            }
        }
    }

    /// Whether the worker at a port wants one more job and does not wait for it yet.
    fn may_reserve(&self, port: u16) -> bool {
        let peer = &self.peers[usize::from(port)];
        let Some(wanted) = peer.wanted else { return false };
        if peer.is_warned || self.queue.is_waiting(peer.worker) {
            return false;
        }
        let n_held = self.held_by(port).count() + peer.late.len();
        let has_room = wanted == 0 || n_held < wanted as usize;
        peer.auto_ack || has_room
    }

    /// Turns answers to reserves into deliveries.
    fn carry_out(&mut self, cx: &mut Ctx<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        for Effect { worker, answer } in effects.drain(..) {
            let Some(port) = self.peers.iter().position(|peer| peer.worker == worker) else {
                continue;
            };
            match answer {
                Answer::Reserved(id, _) => self.deliver(cx, port as u16, id),
                Answer::DeadlineSoon => self.peers[port].is_warned = true,
                _ => {}
            }
        }
        self.effects = effects;
    }

    fn deliver(&mut self, cx: &mut Ctx<'_>, port: u16, id: JobId) {
        // After a pause it may have been taken back already.
        let worker = self.peers[usize::from(port)].worker;
        let Some(job) = self.jobs.get_mut(&id).filter(|_| is_held(&self.queue, id, worker)) else {
            return;
        };
        job.n_reserved = job.n_reserved.saturating_add(1);
        let Stored { message, n_reserved } = *job;
        let redelivered = 1 < n_reserved;
        let (msg, at) = (message.id, cx.me);
        let channel = cx.seat.ports[usize::from(port)].channel;
        let depth = self.queue.gauges().n_ready;
        cx.fact(Fact::Dispatched { msg, at, channel, redelivered, depth });
        let peer = &mut self.peers[usize::from(port)];
        let parcel = Parcel::Deliver { tag: id.0, message, redelivered };
        if !peer.outgoing.is_empty() || !cx.write(port, parcel, !peer.auto_ack) {
            peer.outgoing.push_back(parcel);
            cx.fact(Fact::Held { msg, cause: Cause::BackPressure });
        }
        if peer.auto_ack {
            // Reserved and deleted in one go: only the parcel has it now.
            let mut out = Vec::new();
            self.queue.on_message(cx.now(), peer.worker, Request::Delete(id), &mut out);
            self.jobs.remove(&id);
        }
    }

    fn priority(&self, id: JobId) -> u32 {
        self.queue.job(id).map_or(0, |job| job.priority)
    }
}

/// Whether a worker holds a job.
fn is_held(queue: &WorkQueue, id: JobId, worker: WorkerNo) -> bool {
    let state = queue.job(id).map(|job| job.state);
    matches!(state, Some(JobState::Reserved { by, .. }) if by == worker)
}
