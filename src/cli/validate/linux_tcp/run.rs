//! The event loop: two hosts and a wire, from time 0 until nothing happens any more.

use super::host::Host;
use super::record::Record;
use crate::kernel::random::Streams;
use crate::kernel::{SimSpan, SimTime};
use crate::model::ground::Lane;
use crate::model::message::ChannelId;
use crate::model::tcp::stack::Socket;
use crate::model::tcp::{Outbox, Segment, StackParams};
use crate::model::wire::{Frame, Sent, Tag, Wire};

/// Most events of a run.
const MAX_EVENTS: u64 = 5_000_000;
/// How much longer than the recording a run may take.
const GRACE: SimSpan = SimSpan::s(1);

/// Time from news at a socket to the call of the process that slept for it: what the recordings
/// show between an arrival and the acknowledgement of the read that it woke (17 to 30 us).
const WAKE_UP: SimSpan = SimSpan::us(20);

/// What happened at a host, in terms that a recording has, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// The n-th segment of a direction arrived.
    Arrival(Lane, usize),
    /// A step of a host's script began.
    Step(usize, usize),
    /// The n-th segment of a direction was sent by a timer.
    Sent(Lane, usize),
    /// Nothing that a recording shows.
    Unseen,
}

/// Why a segment was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause {
    /// What happened last.
    pub mark: Mark,
    /// The time since then.
    pub after: SimSpan,
    /// A timer made the delay.
    pub by_timer: bool,
}

/// A segment of the run.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The segment.
    pub segment: Segment,
    /// When it was sent.
    pub sent: SimTime,
    /// When it arrived; `None`: lost.
    pub arrived: Option<SimTime>,
    /// Why it was sent.
    pub cause: Cause,
}

/// What happened.
#[derive(Debug)]
pub struct Traced {
    /// Segments by direction, in the order of sending.
    pub shots: [Vec<Shot>; 2],
    /// The hosts at the end.
    pub hosts: [Host; 2],
}

struct Run {
    wire: Wire,
    hosts: [Host; 2],
    shots: [Vec<Shot>; 2],
    /// What happened at each host, with its time.
    events: [Vec<(SimTime, Mark)>; 2],
    /// Which segment of each direction is under way, in the order of arrival.
    flying: [Vec<(SimTime, usize)>; 2],
    /// When each host's process goes on that has news.
    wakes: [Option<SimTime>; 2],
    out: Outbox,
}

fn lane_from(host: usize) -> Lane {
    if host == 0 { Lane::Forth } else { Lane::Back }
}

/// Runs a record's scripts.
pub fn run(record: &Record) -> Traced {
    let end = |params: &crate::model::tcp::LinuxParams| {
        Socket::new(&StackParams::Linux(params.clone()), record.mtu)
    };
    let [forth, back] = record.ways;
    let [ops_a, ops_b] = record.ops.clone();
    let mut run = Run {
        wire: Wire::new(forth, back, record.rules.clone(), 0),
        hosts: [Host::new(end(&record.a), ops_a), Host::new(end(&record.b), ops_b)],
        shots: [Vec::new(), Vec::new()],
        events: [Vec::new(), Vec::new()],
        flying: [Vec::new(), Vec::new()],
        wakes: [None; 2],
        out: Outbox::default(),
    };
    let last = record.trace.iter().map(|row| row.sent).fold(0.0, f64::max);
    let horizon = SimTime::from_ns((last * 1_200.0) as u64) + GRACE;
    run.go(horizon);
    Traced { shots: run.shots, hosts: run.hosts }
}

impl Run {
    fn go(&mut self, horizon: SimTime) {
        for host in [1, 0] {
            self.step_script(host, SimTime::ZERO);
        }
        for _ in 0..MAX_EVENTS {
            let Some((at, what)) = self.next().filter(|(at, _)| *at <= horizon) else { break };
            match what {
                What::Arrival(lane) => self.arrive(lane, at),
                What::Timer(host) => self.fire(host, at),
                What::Script(host) => self.step_script(host, at),
            }
        }
    }

    /// The next event; at the same time arrivals come first, then timers, then scripts.
    fn next(&self) -> Option<(SimTime, What)> {
        let mut next: Option<(SimTime, What)> = None;
        let mut offer = |at: Option<SimTime>, what: What| {
            if let Some(at) = at
                && next.as_ref().is_none_or(|(other, _)| at < *other)
            {
                next = Some((at, what));
            }
        };
        for lane in [Lane::Forth, Lane::Back] {
            offer(self.wire.next_arrival(lane), What::Arrival(lane));
        }
        for host in [0, 1] {
            offer(self.hosts[host].socket.next_wake(), What::Timer(host));
        }
        for host in [0, 1] {
            offer(self.hosts[host].until, What::Script(host));
            offer(self.wakes[host], What::Script(host));
        }
        next
    }

    fn arrive(&mut self, lane: Lane, at: SimTime) {
        let Some(frame) = self.wire.take_arrived(lane, at) else { return };
        let (_, index) = self.flying[lane.index()].remove(0);
        let shot = &mut self.shots[lane.index()][index];
        shot.arrived.get_or_insert(at);
        let host = lane.other().index();
        self.events[host].push((at, Mark::Arrival(lane, index)));
        self.hosts[host].socket.on_segment(at, &frame.segment, &mut self.out);
        self.flush(host, at, None);
        self.after(host, at);
    }

    fn fire(&mut self, host: usize, at: SimTime) {
        let due = self.hosts[host].socket.timers().filter(|timer| timer.due <= at);
        let since = due.map(|timer| timer.since).min();
        let lane = lane_from(host);
        let before = self.shots[lane.index()].len();
        self.hosts[host].socket.on_wake(at, &mut self.out);
        let cause = since.map(|since| {
            let set_by = self.events[host].iter().rev().find(|(time, _)| *time <= since);
            let mark = set_by.map_or(Mark::Unseen, |(_, mark)| *mark);
            let base = set_by.map_or(since, |(time, _)| *time);
            Cause { mark, after: at - base, by_timer: true }
        });
        self.flush(host, at, cause);
        let has_sent = before < self.shots[lane.index()].len();
        let mark = if has_sent { Mark::Sent(lane, before) } else { Mark::Unseen };
        self.events[host].push((at, mark));
        self.after(host, at);
    }

    /// The script goes on: its time has come, or its process woke up.
    fn step_script(&mut self, host: usize, at: SimTime) {
        if self.wakes[host].is_some_and(|wake| wake <= at) {
            self.wakes[host] = None;
            self.run_script(host, at);
            return;
        }
        let index = self.hosts[host].at;
        let next = (index..self.hosts[host].ops.len())
            .find(|i| self.hosts[host].ops[*i].start.is_some())
            .unwrap_or(index);
        self.events[host].push((at, Mark::Step(host, next)));
        self.run_script(host, at);
    }

    /// Something happened: the process wakes up soon, if it sleeps for that.
    fn after(&mut self, host: usize, at: SimTime) {
        if self.wakes[host].is_none() && self.hosts[host].is_woken() {
            self.wakes[host] = Some(at + WAKE_UP);
        }
    }

    /// The script goes on as far as it can with what has happened.
    fn run_script(&mut self, host: usize, at: SimTime) {
        loop {
            let is_timed = self.hosts[host].until.is_some_and(|until| at < until);
            if is_timed {
                return;
            }
            let moved = self.hosts[host].go_on(at, &mut self.out);
            self.flush(host, at, None);
            if !moved {
                return;
            }
        }
    }

    /// Puts on the wire what the host's end sent; tells the host what its end said.
    fn flush(&mut self, host: usize, at: SimTime, cause: Option<Cause>) {
        let lane = lane_from(host);
        let last = self.events[host].last();
        let now = Cause {
            mark: last.map_or(Mark::Unseen, |(_, mark)| *mark),
            after: last.map_or(SimSpan::ZERO, |(time, _)| at - *time),
            by_timer: false,
        };
        let cause = cause.unwrap_or(now);
        for segment in std::mem::take(&mut self.out.segments) {
            let index = self.shots[lane.index()].len();
            self.shots[lane.index()].push(Shot { segment, sent: at, arrived: None, cause });
            let frame =
                Frame { channel: ChannelId(0), back: host == 1, segment, tag: Tag::default() };
            let before = self.wire.n_flying(lane);
            let sent = self.wire.send(lane, at, frame, Streams::new(0));
            if let Sent::Flying { arrive, .. } = sent {
                let n = self.wire.n_flying(lane) - before;
                let flying = &mut self.flying[lane.index()];
                for copy in 0..u64::from(n) {
                    let arrive = arrive + SimSpan::us(copy);
                    let place = flying.partition_point(|(other, _)| *other <= arrive);
                    flying.insert(place, (arrive, index));
                }
            }
        }
        let signals = std::mem::take(&mut self.out.signals);
        self.hosts[host].hear(&signals);
    }
}

enum What {
    Arrival(Lane),
    Timer(usize),
    Script(usize),
}
