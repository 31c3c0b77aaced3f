//! A work queue with reservation: beanstalkd's jobs, priorities, delays and time to run.
//!
//! A sans-I/O machine: calls change the state and append what workers receive to `out`. One tube
//! only. The rules and what is left out are in `docs/models/workqueue.md`.
//!
//! Source: `prot.c` and `job.c` of beanstalkd 1.12, its `doc/protocol.txt`.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::{SimSpan, SimTime};

mod job;

pub use job::{Job, JobId, JobState};

/// Most jobs of a queue.
pub const JOBS_LIMIT: u32 = 1 << 22;
/// Most connections.
pub const WORKERS_LIMIT: u32 = 1 << 16;
/// A job whose time to run ends within this span is soon due (`SAFETY_MARGIN`).
pub const SAFETY_MARGIN: SimSpan = SimSpan::s(1);
/// Least time to run.
pub const LEAST_TTR: SimSpan = SimSpan::s(1);

/// A connection that puts or reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerNo(pub u32);

/// Which message a job carries; the queue does not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body(pub u64);

/// What a connection asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new job.
    Put {
        /// Lower is sooner.
        priority: u32,
        /// It becomes ready so much later.
        delay: SimSpan,
        /// Time to run: how long a worker may hold it.
        ttr: SimSpan,
        /// What it carries.
        body: Body,
    },
    /// The next job; waits at most so long, `None` for ever.
    Reserve {
        /// The longest wait; zero is none.
        timeout: Option<SimSpan>,
    },
    /// The job is done.
    Delete(JobId),
    /// The job goes back.
    Release {
        /// One that the asker holds.
        job: JobId,
        /// Its new priority.
        priority: u32,
        /// It becomes ready so much later.
        delay: SimSpan,
    },
    /// The job is put aside.
    Bury {
        /// One that the asker holds.
        job: JobId,
        /// Its new priority.
        priority: u32,
    },
    /// Its time to run begins again.
    Touch(JobId),
    /// So many buried jobs become ready; without any, delayed ones.
    Kick(u32),
    /// This buried or delayed job becomes ready.
    KickJob(JobId),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `INSERTED`.
    Inserted(JobId),
    /// `RESERVED`.
    Reserved(JobId, Body),
    /// `TIMED_OUT`: nothing became ready in time.
    TimedOut,
    /// `DEADLINE_SOON`: a job that the asker holds is soon due, and there is nothing else.
    DeadlineSoon,
    /// `DELETED`.
    Deleted,
    /// `RELEASED`.
    Released,
    /// `BURIED`.
    Buried,
    /// `TOUCHED`.
    Touched,
    /// `KICKED` with how many.
    Kicked(u32),
    /// `KICKED` of one job.
    JobKicked,
    /// `NOT_FOUND`: no such job, or not the asker's.
    NotFound,
    /// `OUT_OF_MEMORY`.
    OutOfMemory,
}

/// An answer with its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Who receives it.
    pub worker: WorkerNo,
    /// The answer.
    pub answer: Answer,
}

/// A connection that waits in a reserve.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Waiting {
    worker: WorkerNo,
    until: Option<SimTime>,
}

/// The queue.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkQueue {
    jobs: BTreeMap<JobId, Job>,
    /// Ready jobs: the lowest priority first, within it the oldest.
    ready: BTreeSet<(u32, JobId)>,
    /// Buried jobs, the first buried first.
    buried: Vec<JobId>,
    /// When delayed jobs become ready.
    delayed: BTreeSet<(SimTime, JobId)>,
    /// When reserved jobs are taken back.
    due: BTreeSet<(SimTime, JobId)>,
    /// Who began to wait first is served first.
    waiting: Vec<Waiting>,
    next_job: u64,
    next_worker: u32,
}

/// What a reading of the queue's state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Jobs that wait for a worker.
    pub n_ready: u32,
    /// Jobs that a worker holds.
    pub n_reserved: u32,
    /// Jobs that wait for their time.
    pub n_delayed: u32,
    /// Jobs put aside.
    pub n_buried: u32,
    /// Connections that wait for a job.
    pub n_waiting: u32,
}

impl WorkQueue {
    /// An empty queue that gives its first job this id.
    pub fn new(first: JobId) -> WorkQueue {
        WorkQueue {
            jobs: BTreeMap::new(),
            ready: BTreeSet::new(),
            buried: Vec::new(),
            delayed: BTreeSet::new(),
            due: BTreeSet::new(),
            waiting: Vec::new(),
            next_job: first.0,
            next_worker: 0,
        }
    }

    /// A new connection; `None` when there were too many.
    pub fn connect(&mut self) -> Option<WorkerNo> {
        let worker = WorkerNo(self.next_worker);
        self.next_worker = self.next_worker.checked_add(1).filter(|n| *n <= WORKERS_LIMIT)?;
        Some(worker)
    }

    /// Answers a request, and whoever waits for the job that it brought.
    ///
    /// Panics when the connection waits in a reserve: it is not read until that is answered.
    pub fn on_message(
        &mut self,
        now: SimTime,
        worker: WorkerNo,
        request: Request,
        out: &mut Vec<Effect>,
    ) {
        self.on_wake(now, out);
        assert!(!self.is_waiting(worker), "a connection that waits is not read");
        if let Some(answer) = self.answer(now, worker, request) {
            out.push(Effect { worker, answer });
        }
        self.serve(now, out);
    }

    /// Makes delayed jobs ready, takes jobs back whose time to run is over, ends waits.
    ///
    /// A late wake does all of it at its own time, one after the other.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        // Each turn moves a job or ends a wait.
        while let Some(at) = self.next_wake().filter(|at| *at <= now) {
            self.return_due(at);
            self.serve(at, out);
            self.end_waits(at, out);
        }
    }

    /// The connection is lost: it waits no longer, and its jobs are ready again at once.
    pub fn disconnect(&mut self, now: SimTime, worker: WorkerNo, out: &mut Vec<Effect>) {
        self.on_wake(now, out);
        self.waiting.retain(|waiting| waiting.worker != worker);
        for id in self.held_by(worker) {
            self.set_state(id, JobState::Ready);
        }
        self.serve(now, out);
    }

    /// The connection waits no longer, and hears nothing of it: it is read again.
    pub fn cancel_wait(&mut self, worker: WorkerNo) {
        self.waiting.retain(|waiting| waiting.worker != worker);
    }

    /// Reserved jobs whose time to run is over by then.
    pub fn due_by(&self, now: SimTime) -> impl Iterator<Item = JobId> {
        self.due.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Delayed jobs whose time has come by then.
    pub fn ripe_by(&self, now: SimTime) -> impl Iterator<Item = JobId> {
        self.delayed.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Earliest time at which a job moves by itself or a wait ends.
    pub fn next_wake(&self) -> Option<SimTime> {
        let delayed = self.delayed.first().map(|(at, _)| *at);
        let due = self.due.first().map(|(at, _)| *at);
        let wait = |waiting: &Waiting| {
            let soon = self.soonest_due(waiting.worker).map(before_due);
            [waiting.until, soon].into_iter().flatten().min()
        };
        let waits = self.waiting.iter().filter_map(wait).min();
        [delayed, due, waits].into_iter().flatten().min()
    }

    /// Reads the state.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            n_ready: self.ready.len() as u32,
            n_reserved: self.due.len() as u32,
            n_delayed: self.delayed.len() as u32,
            n_buried: self.buried.len() as u32,
            n_waiting: self.waiting.len() as u32,
        }
    }

    /// A job that is not deleted.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Whether a connection waits in a reserve.
    pub fn is_waiting(&self, worker: WorkerNo) -> bool {
        self.waiting.iter().any(|waiting| waiting.worker == worker)
    }

    /// The answer; `None` when the asker waits.
    fn answer(&mut self, now: SimTime, worker: WorkerNo, request: Request) -> Option<Answer> {
        let answer = match request {
            Request::Put { priority, delay, ttr, body } => {
                self.put(now, priority, delay, ttr, body)
            }
            Request::Reserve { timeout } => {
                if self.ready.is_empty() && self.is_soon_due(now, worker) {
                    return Some(Answer::DeadlineSoon);
                }
                if self.ready.is_empty() && timeout.is_some_and(SimSpan::is_zero) {
                    return Some(Answer::TimedOut);
                }
                let until = timeout.map(|timeout| now.saturating_add(timeout));
                self.waiting.push(Waiting { worker, until });
                return None;
            }
            Request::Delete(id) => match self.jobs.get(&id).map(|job| job.state) {
                Some(JobState::Reserved { by, .. }) if by != worker => Answer::NotFound,
                None => Answer::NotFound,
                Some(_) => {
                    self.leave(id);
                    self.jobs.remove(&id);
                    Answer::Deleted
                }
            },
            Request::Release { job, priority, delay } => {
                self.give_up(worker, job, priority, state_after(now, delay), Answer::Released)
            }
            Request::Bury { job, priority } => {
                self.give_up(worker, job, priority, JobState::Buried, Answer::Buried)
            }
            Request::Touch(id) => match self.jobs.get(&id) {
                Some(Job { state: JobState::Reserved { by, .. }, ttr, .. }) if *by == worker => {
                    let until = now.saturating_add(*ttr);
                    self.set_state(id, JobState::Reserved { by: worker, until });
                    Answer::Touched
                }
                _ => Answer::NotFound,
            },
            Request::Kick(most) => Answer::Kicked(self.kick(most)),
            Request::KickJob(id) => match self.jobs.get(&id).map(|job| job.state) {
                Some(JobState::Buried | JobState::Delayed { .. }) => {
                    self.set_state(id, JobState::Ready);
                    Answer::JobKicked
                }
                _ => Answer::NotFound,
            },
        };
        Some(answer)
    }

    fn put(
        &mut self,
        now: SimTime,
        priority: u32,
        delay: SimSpan,
        ttr: SimSpan,
        body: Body,
    ) -> Answer {
        if JOBS_LIMIT <= self.jobs.len() as u32 {
            return Answer::OutOfMemory;
        }
        let id = JobId(self.next_job);
        self.next_job += 1;
        let job = Job { priority, ttr: ttr.max(LEAST_TTR), body, state: state_after(now, delay) };
        self.jobs.insert(id, job);
        self.enter(id);
        Answer::Inserted(id)
    }

    /// A holder's job changes its priority and its place.
    fn give_up(
        &mut self,
        worker: WorkerNo,
        id: JobId,
        priority: u32,
        state: JobState,
        answer: Answer,
    ) -> Answer {
        match self.jobs.get_mut(&id) {
            Some(job) if matches!(job.state, JobState::Reserved { by, .. } if by == worker) => {
                job.priority = priority;
                self.set_state(id, state);
                answer
            }
            _ => Answer::NotFound,
        }
    }

    /// Buried jobs by age; when there are none, delayed ones by time.
    fn kick(&mut self, most: u32) -> u32 {
        let mut ids = self.buried.clone();
        if ids.is_empty() {
            ids.extend(self.delayed.iter().map(|(_, id)| *id));
        }
        ids.truncate(most as usize);
        for id in &ids {
            self.set_state(*id, JobState::Ready);
        }
        ids.len() as u32
    }

    /// Jobs whose delay or time to run is over become ready, at the place of their priority.
    fn return_due(&mut self, now: SimTime) {
        for is_delay in [false, true] {
            loop {
                let times = if is_delay { &self.delayed } else { &self.due };
                match times.first() {
                    Some((at, id)) if *at <= now => self.set_state(*id, JobState::Ready),
                    _ => break,
                }
            }
        }
    }

    /// Gives ready jobs to those who wait.
    fn serve(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        while !self.waiting.is_empty()
            && let Some((_, id)) = self.ready.first().copied()
        {
            let worker = self.waiting.remove(0).worker;
            let job = self.jobs[&id];
            let until = now.saturating_add(job.ttr);
            self.set_state(id, JobState::Reserved { by: worker, until });
            out.push(Effect { worker, answer: Answer::Reserved(id, job.body) });
        }
    }

    /// Tells those whose wait is over, or who hold a job that is soon due.
    fn end_waits(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        let mut index = 0;
        while let Some(waiting) = self.waiting.get(index).copied() {
            let is_over = waiting.until.is_some_and(|until| until <= now);
            let answer = if self.is_soon_due(now, waiting.worker) {
                Answer::DeadlineSoon
            } else if is_over {
                Answer::TimedOut
            } else {
                index += 1;
                continue;
            };
            self.waiting.remove(index);
            out.push(Effect { worker: waiting.worker, answer });
        }
    }

    /// Moves a job that is there.
    fn set_state(&mut self, id: JobId, state: JobState) {
        self.leave(id);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.state = state;
        }
        self.enter(id);
    }

    /// Takes a job out of the order that its state stands for.
    fn leave(&mut self, id: JobId) {
        let Job { state, .. } = self.jobs[&id];
        match state {
            JobState::Ready => {
                // Its priority may have changed only while it was reserved.
                self.ready.remove(&(self.jobs[&id].priority, id));
            }
            JobState::Reserved { until, .. } => {
                self.due.remove(&(until, id));
            }
            JobState::Delayed { until } => {
                self.delayed.remove(&(until, id));
            }
            JobState::Buried => self.buried.retain(|buried| *buried != id),
        }
    }

    /// Puts a job into the order that its state stands for.
    fn enter(&mut self, id: JobId) {
        let Job { state, priority, .. } = self.jobs[&id];
        match state {
            JobState::Ready => {
                self.ready.insert((priority, id));
            }
            JobState::Reserved { until, .. } => {
                self.due.insert((until, id));
            }
            JobState::Delayed { until } => {
                self.delayed.insert((until, id));
            }
            JobState::Buried => self.buried.push(id),
        }
    }

    fn held_by(&self, worker: WorkerNo) -> Vec<JobId> {
        self.due.iter().map(|(_, id)| *id).filter(|id| self.is_held(*id, worker)).collect()
    }

    fn soonest_due(&self, worker: WorkerNo) -> Option<SimTime> {
        self.due.iter().find(|(_, id)| self.is_held(*id, worker)).map(|(at, _)| *at)
    }

    fn is_held(&self, id: JobId, worker: WorkerNo) -> bool {
        matches!(self.jobs[&id].state, JobState::Reserved { by, .. } if by == worker)
    }

    /// Whether a job that this worker holds ends within the safety margin.
    fn is_soon_due(&self, now: SimTime, worker: WorkerNo) -> bool {
        self.soonest_due(worker).is_some_and(|due| before_due(due) <= now)
    }
}

/// When a job that is due then becomes soon due.
fn before_due(due: SimTime) -> SimTime {
    SimTime::from_ns(due.ns().saturating_sub(SAFETY_MARGIN.as_ns()))
}

fn state_after(now: SimTime, delay: SimSpan) -> JobState {
    match delay.is_zero() {
        true => JobState::Ready,
        false => JobState::Delayed { until: now.saturating_add(delay) },
    }
}

#[cfg(test)]
mod tests;
