//! The consumer of a log broker: a member of a group that polls, works and commits.
//!
//! It models polls with long fetches behind them, one batch of work at a time, commits by eight
//! policies, waited for or not, heartbeats, rebalances and fencing. It leaves out pausing
//! partitions and retries of refused commits. Fetching is in `fetching.rs`, work and commits in
//! `working.rs`.
//! Read `docs/models/groups.md` before editing.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::log::fetching::{Fetching, Reading};
use crate::model::actor::log::members::{partition, set_of};
use crate::model::actor::log::working::{Commit, job_of};
use crate::model::actor::log::{LogConsumerParams, partitions_of};
use crate::model::actor::workers::{Job, Workers};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::group::{
    Answer, GroupError, GroupMember, InstanceId, Joined, MemberConfig, MemberId, Output, Phase,
    Request, TopicPartition,
};
use crate::model::log_parcel::{GroupAnswer, JoinRequest, LogParcel};
use crate::model::message::Parcel;
use crate::param::{Reason, Value};

/// A consumer of a log broker.
#[derive(Clone, PartialEq, Debug)]
pub struct LogConsumer {
    /// Its settings.
    pub params: LogConsumerParams,
    /// Its side of the group's protocol; `None` while it takes no part.
    pub member: Option<GroupMember>,
    /// The partitions it owns, rising.
    pub readings: Vec<Reading>,
    /// What it has asked for and got.
    pub fetching: Fetching,
    /// The batch that was polled and has no worker yet.
    pub batch: VecDeque<Job>,
    /// Its workers.
    pub workers: Workers,
    pub(super) is_connected: bool,
    n_partitions: u32,
    /// Answers of the coordinator that wait for the next poll.
    pub(super) deferred: Vec<Answer>,
    /// When an answer of the coordinator is given up.
    ask_again_at: Option<SimTime>,
    /// Whether a poll waits for records.
    is_waiting: bool,
    /// Joins and syncs so far.
    n_asked: u32,
    /// A commit by hand that is on its way out: when it is written, partition and offset.
    pub(super) committing: Option<(SimTime, u8, u64)>,
    /// Until then no work begins: a commit is made first.
    pub(super) pause_until: Option<SimTime>,
    /// Commits by hand that are not answered and are waited for.
    pub(super) unanswered: Vec<Commit>,
    /// When they are written again.
    pub(super) commit_again_at: Option<SimTime>,
    pub(super) n_commits: u32,
    outputs: Vec<Output>,
}

impl LogConsumer {
    /// A consumer that has not begun.
    pub fn new(params: LogConsumerParams) -> LogConsumer {
        let workers = Workers::new(params.parallelism.0);
        LogConsumer {
            params,
            member: None,
            readings: Vec::new(),
            fetching: Fetching::default(),
            batch: VecDeque::new(),
            workers,
            is_connected: true,
            n_partitions: 1,
            deferred: Vec::new(),
            ask_again_at: None,
            is_waiting: false,
            n_asked: 0,
            committing: None,
            pause_until: None,
            unanswered: Vec::new(),
            commit_again_at: None,
            n_commits: 0,
            outputs: Vec::new(),
        }
    }

    /// It knows the topic before the clock starts.
    pub fn told_topic(&mut self, n_partitions: u32) {
        self.n_partitions = n_partitions;
    }

    /// The name of its group; empty: it is one of its own.
    pub fn group(&self) -> &str {
        self.params.group.0.first().map_or("", String::as_str)
    }

    /// It begins: it joins with its first poll, now.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        if self.params.joined && cx.n_ports() != 0 {
            self.member = Some(GroupMember::new(self.member_config(), cx.now()));
            self.drive(cx);
        }
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, parcel: Parcel) {
        match parcel {
            Parcel::Log(LogParcel::Fetched(record)) => return self.on_fetched(cx, record),
            Parcel::Log(LogParcel::Nothing { number, again }) => {
                self.on_nothing(cx, number, again);
            }
            Parcel::Log(LogParcel::Group { number, answer }) => self.on_answer(cx, number, answer),
            Parcel::Log(LogParcel::Topic { n_partitions }) => {
                self.n_partitions = u32::from(n_partitions);
                let now = cx.now();
                if let Some(member) = &mut self.member {
                    member.topic_grew(u32::from(n_partitions), now);
                }
            }
            Parcel::Closed => {
                self.is_connected = false;
                self.on_fetch_lost(cx);
            }
            Parcel::Opened => {
                if std::mem::replace(&mut self.is_connected, true) {
                    // The first connection: what was said before it stands in its line.
                    return;
                }
                self.on_fetch_lost(cx);
                let (now, is_idle) = (cx.now(), !self.is_working());
                if let Some(member) = self.member.as_mut().filter(|_| is_idle) {
                    member.ask_again(now);
                    member.resume(now);
                }
            }
            _ => {}
        }
        self.drive(cx);
    }

    /// Work ended, a poll or a heartbeat is due, a commit's interval is over.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        self.commit_again(cx);
        self.work(cx);
        self.commit_by_timer(cx);
        if self.fetch_is_lost(cx.now()) {
            self.on_fetch_lost(cx);
            self.ask(cx);
        }
        if self.ask_again_at.is_some_and(|at| at <= cx.now()) {
            self.ask_again_at = None;
            let now = cx.now();
            if let Some(member) = &mut self.member {
                member.ask_again(now);
            }
        }
        self.drive(cx);
    }

    /// Earliest time at which `on_wake` has something to do.
    pub fn next_wake(&self) -> Option<SimTime> {
        let member = self.member.as_ref().and_then(GroupMember::next_wake);
        let commits = self.readings.iter().filter_map(|r| r.committer.as_ref()?.next_wake()).min();
        let commit = self.committing.map(|(at, ..)| at);
        let workers = self.workers.next_wake();
        let (fetch, ask) = (self.fetching.due, self.ask_again_at);
        let pause = self.pause_until.filter(|_| self.unanswered.is_empty());
        let again = self.commit_again_at;
        let all = [member, commits, workers, fetch, ask, commit, pause, again];
        all.into_iter().flatten().min().filter(|at| *at != SimTime::MAX)
    }

    /// Its process dies.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.workers.crash(cx);
        let at = Node::Actor(cx.me);
        for job in self.batch.drain(..) {
            cx.fact(Fact::Dropped { msg: job.message.id, at, why: Why::Crash });
        }
        self.crash_fetching(cx);
        for reading in self.readings.drain(..) {
            let (by, partition) = (cx.me, reading.partition);
            cx.fact(Fact::Disowned { by, partition, lost: true });
        }
        self.member = None;
        self.deferred.clear();
        self.ask_again_at = None;
        self.committing = None;
        self.pause_until = None;
        self.unanswered.clear();
        self.commit_again_at = None;
    }

    /// It starts anew: as another member, unless it is a static one.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.is_connected = true;
        self.on_start(cx);
    }

    /// It goes on after a pause: its work moves, its heartbeats and polls are late.
    pub fn on_resume(&mut self, cx: &mut Ctx<'_>) {
        self.drive(cx);
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = (self.params.joined, self.params.parallelism, self.params.poll);
        self.params.set(index, value)?;
        if before.1 != self.params.parallelism {
            self.workers.resize(self.params.parallelism.0);
        }
        if let (Some(member), true) = (&mut self.member, before.2 != self.params.poll) {
            member.config.poll = self.params.poll;
        }
        match (before.0, self.params.joined) {
            (false, true) => self.on_start(cx),
            (true, false) => self.leave(cx),
            _ => {}
        }
        self.work(cx);
        self.drive(cx);
        Ok(())
    }

    /// Whether it works on a batch.
    pub(super) fn is_working(&self) -> bool {
        !self.batch.is_empty()
            || self.workers.n_busy() != 0
            || self.committing.is_some()
            || !self.unanswered.is_empty()
    }

    /// An answer is here: a poll that waits for records returns.
    pub(super) fn on_answered(&mut self, cx: &mut Ctx<'_>) {
        let (now, is_blocking) = (cx.now(), self.params.poll.is_zero());
        if !self.is_waiting || self.is_working() {
            return;
        }
        match &mut self.member {
            Some(member) if member.gauges().phase == Phase::Working && is_blocking => {
                member.resume(now);
                self.drive(cx);
            }
            Some(member) if member.gauges().phase == Phase::Working => {}
            // It keeps its partitions while it joins, and goes on with them.
            Some(_) => self.poll(cx),
            None => {}
        }
    }

    /// Does all that is due in its membership.
    fn drive(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now();
        loop {
            let is_idle = !self.is_working();
            let Some(member) = &mut self.member else { return };
            if !self.deferred.is_empty() && is_idle {
                let answer = self.deferred.remove(0);
                let mut out = std::mem::take(&mut self.outputs);
                member.on_message(now, answer, &mut out);
                self.carry_out(cx, out);
                continue;
            }
            if member.next_wake().is_none_or(|at| now < at) {
                return;
            }
            let mut out = std::mem::take(&mut self.outputs);
            member.on_wake(now, &mut out);
            let beats = matches!(out.first(), Some(Output::Send(Request::Heartbeat { .. })));
            if beats && member.poll_is_due(now) {
                // On a path without delay the answer is here at this instant, and is looked at.
                member.wait_until(now.saturating_add(SimSpan::ns(1)));
            }
            self.carry_out(cx, out);
        }
    }

    /// What the member says and what happens to it.
    fn carry_out(&mut self, cx: &mut Ctx<'_>, mut out: Vec<Output>) {
        for output in out.drain(..) {
            match output {
                Output::Send(request) => self.send(cx, request),
                Output::Revoked(partitions) => self.give_up(cx, &partitions, false),
                Output::Lost(partitions) => self.give_up(cx, &partitions, true),
                Output::MaxPollExceeded => {
                    let all: Vec<TopicPartition> =
                        self.readings.iter().map(|r| partition(r.partition)).collect();
                    self.give_up(cx, &all, true);
                }
                Output::Assigned { generation, partitions } => {
                    self.take_over(cx, generation, set_of(&partitions));
                }
                Output::Polled => self.poll(cx),
                Output::HeartbeatFailed(_) => self.hurry(cx.now()),
                Output::Joined { .. } | Output::Left => {}
            }
        }
        self.outputs = out;
    }

    /// A poll that waits for records notices at once that it must join.
    fn hurry(&mut self, now: SimTime) {
        let blocks = self.is_waiting && self.params.poll.is_zero() && !self.is_working();
        if let (true, Some(member)) = (blocks, &mut self.member) {
            member.resume(now);
        }
    }

    fn send(&mut self, cx: &mut Ctx<'_>, request: Request) {
        let serial = |id: MemberId| id.serial;
        let parcel = match request {
            Request::Join(join) => {
                let ms =
                    |span: SimSpan| u32::try_from(span.as_ns() / 1_000_000).unwrap_or(u32::MAX);
                self.n_asked += 1;
                LogParcel::Join(JoinRequest {
                    number: self.n_asked,
                    serial: join.member.map_or(0, serial),
                    is_static: join.instance.is_some(),
                    session_ms: ms(join.session),
                    rebalance_ms: ms(join.rebalance),
                    owned: set_of(&join.subscription.owned),
                    generation: join.subscription.generation.unwrap_or(0),
                    assignor: self.params.division(),
                })
            }
            Request::Sync { member, generation, .. } => {
                let by = Some(self.params.division());
                self.n_asked += 1;
                LogParcel::Sync { number: self.n_asked, serial: member.serial, generation, by }
            }
            Request::Heartbeat { member, generation } => {
                LogParcel::Heartbeat { serial: member.serial, generation }
            }
            Request::Leave { member } => LogParcel::Leave { serial: member.serial },
            Request::Commit { .. } => return,
        };
        if matches!(parcel, LogParcel::Join(_) | LogParcel::Sync { .. }) {
            // A join is answered when all have joined: no sooner is it given up.
            let wait = self.params.request_timeout.saturating_add(self.params.max_poll_interval);
            self.ask_again_at = Some(cx.now().saturating_add(wait));
        }
        cx.write(0, Parcel::Log(parcel), false);
    }

    fn on_answer(&mut self, cx: &mut Ctx<'_>, number: u32, answer: GroupAnswer) {
        // Its number among the broker's clients is the broker's business.
        let client = 0;
        let answer = match answer {
            GroupAnswer::Joined { serial, generation, leads, .. } => {
                let member = MemberId { client, serial };
                // Who the members are stays with the broker; see `members.rs`.
                let joined = Joined { member, generation, members: Vec::new(), is_leader: leads };
                Answer::Join(Ok(joined))
            }
            GroupAnswer::JoinRefused(error) => Answer::Join(Err(error)),
            GroupAnswer::Synced(answer) => {
                Answer::Sync(answer.map(|set| partitions_of(set).map(partition).collect()))
            }
            GroupAnswer::Heartbeat(answer) => Answer::Heartbeat(answer),
            // A member that lost its place hears of it by its next heartbeat, too.
            GroupAnswer::Committed(_) => return self.on_commit_answered(cx, number),
        };
        let asks_id = matches!(answer, Answer::Join(Err(GroupError::MemberIdRequired(_))));
        let is_join = matches!(answer, Answer::Join(_) | Answer::Sync(_));
        if is_join && number != self.n_asked {
            return;
        }
        if is_join && !asks_id && self.is_working() {
            // They are looked at inside a poll.
            self.deferred.push(answer);
            return;
        }
        if matches!(answer, Answer::Sync(_)) {
            self.ask_again_at = None;
        }
        let now = cx.now();
        let Some(member) = &mut self.member else { return };
        let mut out = std::mem::take(&mut self.outputs);
        member.on_message(now, answer, &mut out);
        self.carry_out(cx, out);
    }

    /// The application polls: what was fetched becomes its next batch, or it waits.
    pub(super) fn poll(&mut self, cx: &mut Ctx<'_>) {
        if self.is_working() {
            return;
        }
        let now = cx.now();
        for place in 0..self.readings.len() {
            let offset = self.readings[place].committer.as_mut().and_then(|c| c.on_poll(now));
            self.commit(cx, place, offset);
        }
        let n = (self.params.max_poll_records.0 as usize).min(self.fetching.fetched.len());
        self.is_waiting = n == 0;
        if n == 0 {
            if self.params.poll.is_zero()
                && let Some(member) = &mut self.member
            {
                member.wait_until(now.saturating_add(self.params.fetch_wait));
            }
            self.ask(cx);
            return;
        }
        // Records of one partition mostly come together.
        let mut place = None;
        for record in self.fetching.fetched.drain(..n) {
            let is_same = |place: &usize| self.readings[*place].partition == record.partition;
            place = place.filter(is_same).or_else(|| {
                self.readings.iter().position(|reading| reading.partition == record.partition)
            });
            if let Some(place) = place {
                self.readings[place].open.push_back(record.offset);
            }
            self.batch.push_back(job_of(&record));
        }
        for place in 0..self.readings.len() {
            let last = self.readings[place].open.back().copied();
            let committer = self.readings[place].committer.as_mut();
            if let (Some(committer), Some(last)) = (committer, last) {
                let offset = committer.on_batch_to(last + 1);
                self.commit(cx, place, offset);
            }
        }
        if !self.params.poll.is_zero() {
            for job in self.batch.iter().skip(self.workers.busy.len()) {
                let cause = Cause::BehindAnother;
                cx.fact(Fact::Held { msg: job.message.id, cause });
            }
        }
        if let Some(member) = &mut self.member {
            member.hold();
        }
        self.ask(cx);
        self.work(cx);
    }

    /// It has these partitions from now on; those that it had go on as they are.
    fn take_over(&mut self, cx: &mut Ctx<'_>, generation: u32, set: u64) {
        let had = self.readings.iter().fold(0, |set, reading| set | 1_u64 << reading.partition);
        for partition in partitions_of(set & !had) {
            let at = self.readings.partition_point(|reading| reading.partition < partition);
            self.readings.insert(at, Reading::new(partition));
            cx.fact(Fact::Owned { by: cx.me, partition, generation });
        }
        self.ask_for_more(cx, set & !had);
        self.is_waiting = true;
    }

    /// New partitions are read from the next fetch on: one that waits is asked again.
    fn ask_for_more(&mut self, cx: &mut Ctx<'_>, new: u64) {
        if new != 0 && self.fetching.coming.is_none() && self.fetching.due.is_some() {
            self.on_fetch_lost(cx);
        }
        self.ask(cx);
    }

    /// It does not have these partitions any more. In an orderly way its work on them is done, and
    /// committed now; else it goes on with what it has begun, for nothing.
    fn give_up(&mut self, cx: &mut Ctx<'_>, partitions: &[TopicPartition], lost: bool) {
        let mut gone = 0;
        for place in (0..self.readings.len()).rev() {
            let number = self.readings[place].partition;
            if !partitions.contains(&partition(number)) {
                continue;
            }
            if !lost {
                let offset = self.readings[place].committer.as_mut().and_then(|c| c.on_revoke());
                self.commit(cx, place, offset);
            }
            self.readings.remove(place);
            gone |= 1 << number;
            cx.fact(Fact::Disowned { by: cx.me, partition: number, lost });
        }
        if gone != 0 {
            cx.write(0, Parcel::Log(LogParcel::Forget { partitions: gone }), false);
            self.forget_fetched(cx);
        }
        if self.readings.is_empty() && self.fetching.due.is_some() {
            self.on_fetch_lost(cx);
        }
    }

    /// It ends: a static member says nothing and may come back.
    fn leave(&mut self, cx: &mut Ctx<'_>) {
        let all: Vec<TopicPartition> =
            self.readings.iter().map(|reading| partition(reading.partition)).collect();
        self.give_up(cx, &all, false);
        let Some(mut member) = self.member.take() else { return };
        let mut out = std::mem::take(&mut self.outputs);
        member.close(&mut out);
        self.carry_out(cx, out);
        self.deferred.clear();
        self.ask_again_at = None;
        self.unanswered.clear();
    }

    pub(super) fn reading(&self, partition: u8) -> Option<usize> {
        self.readings.iter().position(|reading| reading.partition == partition)
    }

    fn member_config(&self) -> MemberConfig {
        MemberConfig {
            client: 0,
            instance: self.params.static_member.then_some(InstanceId(0)),
            assignor: self.params.division(),
            n_partitions: vec![self.n_partitions],
            session: self.params.session,
            heartbeat: self.params.heartbeat,
            max_poll: self.params.max_poll_interval,
            poll: self.params.poll,
            ..MemberConfig::default()
        }
    }

    /// Copies of messages in its memory, besides those in its workers' hands.
    pub fn n_waiting(&self) -> u64 {
        let coming = self.fetching.coming.as_ref().map_or(0, |coming| coming.got.len());
        (coming + self.fetching.fetched.len() + self.batch.len()) as u64
    }
}
