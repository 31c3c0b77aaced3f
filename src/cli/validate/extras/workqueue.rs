//! Commands of beanstalkd's protocol with their replies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::read::{Stop, list};
use crate::kernel::{SimSpan, SimTime};
use crate::model::workqueue::{Answer, Body, JobId, Request, WorkQueue, WorkerNo};

/// Longest time in a command, in seconds.
const LONGEST_S: u64 = 1_000_000;
const NS_PER_S: f64 = 1e9;

/// A replay under way.
struct Trace {
    queue: WorkQueue,
    now: SimTime,
    workers: BTreeMap<String, WorkerNo>,
    /// The texts that jobs carry, by their number.
    bodies: Vec<String>,
}

/// Replays one case.
///
/// Cases follow each other on one server: the first id that a case shows is where it begins.
pub(super) fn replay(case: &Value) -> Result<(), Stop> {
    let steps = list(case, "steps")?;
    let inserted = |step: &Value| step[2].as_str()?.strip_prefix("INSERTED ")?.parse().ok();
    let first: u64 = steps.iter().find_map(inserted).unwrap_or(1);
    if u64::from(u32::MAX) < first {
        return Err(Stop::Differs(format!("the job {first}")));
    }
    let (workers, bodies) = (BTreeMap::new(), Vec::new());
    let queue = WorkQueue::new(JobId(first));
    let mut trace = Trace { queue, now: SimTime::ZERO, workers, bodies };
    for (index, step) in steps.iter().enumerate() {
        let at_step = |why: String| format!("step {}: {why}", index + 1);
        trace.on_step(step).map_err(|stop| match stop {
            Stop::Differs(why) => Stop::Differs(at_step(why)),
            stop => stop,
        })?;
    }
    Ok(())
}

impl Trace {
    fn on_step(&mut self, step: &Value) -> Result<(), Stop> {
        let name = step[0].as_str().ok_or_else(|| format!("{step} names nobody"))?;
        if name == "sleep" {
            let s = step[1].as_f64().filter(|s| (0.0..=LONGEST_S as f64).contains(s));
            let s = s.ok_or_else(|| format!("a sleep of {}", step[1]))?;
            let end = self.now.saturating_add(SimSpan::ns((s * NS_PER_S) as u64));
            self.pass(end);
            return Ok(());
        }
        let command = step[1].as_str().ok_or_else(|| format!("{step} says nothing"))?;
        if command == "crash" {
            if let Some(worker) = self.workers.remove(name) {
                self.queue.disconnect(self.now, worker, &mut Vec::new());
            }
            return Ok(());
        }
        let reply = self.ask(name, command)?;
        if step[2].as_str() != Some(reply.as_str()) {
            let why = format!("{command}: recorded {}, the model replies {reply}", step[2]);
            return Err(Stop::Differs(why));
        }
        Ok(())
    }

    /// Lets time pass; nobody waits meanwhile.
    fn pass(&mut self, end: SimTime) {
        while let Some(wake) = self.queue.next_wake().filter(|wake| *wake <= end) {
            self.queue.on_wake(wake, &mut Vec::new());
        }
        self.now = end;
    }

    /// Sends a command and waits for its reply.
    fn ask(&mut self, name: &str, command: &str) -> Result<String, Stop> {
        let worker = match self.workers.get(name) {
            Some(worker) => *worker,
            None => {
                let worker = self.queue.connect();
                let worker = worker.ok_or_else(|| "too many connections".to_owned())?;
                self.workers.insert(name.to_owned(), worker);
                worker
            }
        };
        let request = self.request(command)?;
        let mut out = Vec::new();
        self.queue.on_message(self.now, worker, request, &mut out);
        loop {
            if let Some(effect) = out.iter().find(|effect| effect.worker == worker) {
                return Ok(self.shown(effect.answer));
            }
            let wake = self.queue.next_wake().ok_or_else(|| format!("{name} waits for ever"))?;
            self.now = self.now.max(wake);
            self.queue.on_wake(self.now, &mut out);
        }
    }

    fn request(&mut self, command: &str) -> Result<Request, Stop> {
        let (head, body) = match command.split_once('|') {
            Some((head, body)) => (head, Some(body.trim())),
            None => (command, None),
        };
        let mut words = head.split_whitespace();
        let name = words.next().unwrap_or_default();
        let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        let wrong = || Stop::Differs(format!("`{command}` has wrong words"));
        let numbers = numbers.ok_or_else(wrong)?;
        let is_small = |n: &u64| *n <= u64::from(u32::MAX);
        if !numbers.iter().all(is_small) {
            return Err(wrong());
        }
        // All fit, as was just seen; times are cut to what a simulation can hold.
        let span = |s: u64| SimSpan::s(s.min(LONGEST_S));
        let small = |n: u64| n as u32;
        Ok(match (name, numbers.as_slice(), body) {
            ("put", [priority, delay, ttr, n_bytes], Some(body)) => {
                if body.len() as u64 != *n_bytes {
                    return Err(Stop::NotCovered("a body of another length than said".into()));
                }
                self.bodies.push(body.to_owned());
                let body = Body(self.bodies.len() as u64 - 1);
                let (delay, ttr) = (span(*delay), span(*ttr));
                Request::Put { priority: small(*priority), delay, ttr, body }
            }
            ("reserve", [], None) => Request::Reserve { timeout: None },
            ("reserve-with-timeout", [s], None) => Request::Reserve { timeout: Some(span(*s)) },
            ("delete", [id], None) => Request::Delete(JobId(*id)),
            ("release", [id, priority, delay], None) => Request::Release {
                job: JobId(*id),
                priority: small(*priority),
                delay: span(*delay),
            },
            ("bury", [id, priority], None) => {
                Request::Bury { job: JobId(*id), priority: small(*priority) }
            }
            ("touch", [id], None) => Request::Touch(JobId(*id)),
            ("kick", [most], None) => Request::Kick(small(*most)),
            ("kick-job", [id], None) => Request::KickJob(JobId(*id)),
            ("put" | "reserve" | "reserve-with-timeout" | "delete" | "release" | "bury", ..) => {
                return Err(wrong());
            }
            (other, ..) => return Err(Stop::NotCovered(format!("the command `{other}`"))),
        })
    }

    fn shown(&self, answer: Answer) -> String {
        match answer {
            Answer::Inserted(id) => format!("INSERTED {}", id.0),
            Answer::Reserved(_, body) => format!("RESERVED {}", self.bodies[body.0 as usize]),
            Answer::TimedOut => "TIMED_OUT".into(),
            Answer::DeadlineSoon => "DEADLINE_SOON".into(),
            Answer::Deleted => "DELETED".into(),
            Answer::Released => "RELEASED".into(),
            Answer::Buried => "BURIED".into(),
            Answer::Touched => "TOUCHED".into(),
            Answer::Kicked(n) => format!("KICKED {n}"),
            Answer::JobKicked => "KICKED".into(),
            Answer::NotFound => "NOT_FOUND".into(),
            Answer::OutOfMemory => "OUT_OF_MEMORY".into(),
        }
    }
}
