//! A consumer's work on the batch that it polled, and its commits.

use crate::model::actor::log::consumer::LogConsumer;
use crate::model::actor::log::{CommitMode, CommitWait};
use crate::model::actor::workers::{By, Job, Service};
use crate::model::fact::{Cause, Fact};
use crate::model::ground::Ctx;
use crate::model::group::Phase;
use crate::model::log_parcel::{FetchedRecord, LogParcel};
use crate::model::message::Parcel;

impl LogConsumer {
    /// Gives work to idle workers and takes back what is done; with the last the batch is over.
    pub(super) fn work(&mut self, cx: &mut Ctx<'_>) {
        let was_working = self.is_working();
        self.go_on(cx, was_working);
    }

    fn go_on(&mut self, cx: &mut Ctx<'_>, was_working: bool) {
        loop {
            while let Some(job) = self.workers.finish(cx.now()) {
                self.on_done(cx, &job);
            }
            self.commit_by_hand(cx);
            let n_idle = (self.workers.busy.len() as u32).saturating_sub(self.workers.n_busy());
            if n_idle == 0 || self.batch.is_empty() || self.must_pause(cx) {
                break;
            }
            // Whoever commits before each waits before each.
            let n_next = if self.waits_before_each() { 1 } else { n_idle };
            for _ in 0..n_next {
                let Some(job) = self.batch.pop_front() else { break };
                self.start(cx, job);
            }
        }
        if was_working && !self.is_working() {
            let now = cx.now();
            if let Some(member) = &mut self.member {
                member.resume(now);
                // While it joins it keeps what it owns, and polls by itself.
                if member.gauges().phase != Phase::Working && self.deferred.is_empty() {
                    self.poll(cx);
                }
            }
            if !self.params.poll.is_zero() && !self.is_working() {
                self.fetched_waits_for_poll(cx);
            }
        }
    }

    fn fetched_waits_for_poll(&self, cx: &mut Ctx<'_>) {
        for record in &self.fetching.fetched {
            cx.fact(Fact::Held { msg: record.message.id, cause: Cause::PollWait });
        }
    }

    /// Writes the commit by hand that is due.
    fn commit_by_hand(&mut self, cx: &mut Ctx<'_>) {
        let Some((at, number, offset)) = self.committing else { return };
        if at <= cx.now() {
            self.committing = None;
            if let Some(place) = self.reading(number) {
                self.commit(cx, place, Some(offset));
            }
        }
    }

    /// Whether work must wait: for the commit of what is done, or of what is about to begin.
    fn must_pause(&mut self, cx: &mut Ctx<'_>) -> bool {
        if self.committing.is_some() || !self.unanswered.is_empty() {
            return true;
        }
        let takes = self.params.commit_takes;
        let takes_time = self.params.commit == CommitMode::BeforeEach && !takes.is_zero();
        if !takes_time && !self.waits_before_each() {
            return false;
        }
        match self.pause_until {
            None => {
                let Some(job) = self.batch.front().copied() else { return false };
                self.commit_begin(cx, &job);
                self.pause_until = Some(cx.now().saturating_add(takes));
                true
            }
            Some(until) if cx.now() < until => true,
            Some(_) => {
                self.pause_until = None;
                false
            }
        }
    }

    fn waits_before_each(&self) -> bool {
        let params = &self.params;
        params.commit == CommitMode::BeforeEach && params.commit_wait == CommitWait::Sync
    }

    /// Commits by the rules for work that begins.
    fn commit_begin(&mut self, cx: &mut Ctx<'_>, job: &Job) {
        let (number, offset) = place_of(job);
        if let Some(place) = self.reading(number) {
            let offset = self.readings[place].committer.as_mut().and_then(|c| c.on_begin(offset));
            self.commit(cx, place, offset);
        }
    }

    fn start(&mut self, cx: &mut Ctx<'_>, job: Job) {
        self.commit_begin(cx, &job);
        let params = &self.params;
        let service = Service {
            recorded: &params.recorded.0,
            ..Service::new(params.service, params.spread, params.variation.0)
        };
        self.workers.take(cx, job, service);
    }

    /// The work on one message ended: its effect happens here.
    fn on_done(&mut self, cx: &mut Ctx<'_>, job: &Job) {
        cx.fact(Fact::Done { msg: job.message.id, at: cx.me, answers: false });
        let (number, offset) = place_of(job);
        let Some(place) = self.reading(number) else { return };
        let reading = &mut self.readings[place];
        if reading.open.front() != Some(&offset) {
            if reading.open.binary_search(&offset).is_ok() {
                reading.early.insert(offset);
            }
            return;
        }
        // Offsets are committed in order, whichever worker is first.
        let mut committed = None;
        while let Some(done) = reading.open.front().copied() {
            if done != offset && !reading.early.remove(&done) {
                break;
            }
            reading.open.pop_front();
            committed = reading.committer.as_mut().and_then(|c| c.on_done(done)).or(committed);
        }
        let takes = self.params.commit_takes;
        match committed {
            Some(offset) if self.params.commits_by_hand() && !takes.is_zero() => {
                self.committing = Some((cx.now().saturating_add(takes), number, offset));
            }
            _ => self.commit(cx, place, committed),
        }
    }

    pub(super) fn commit_by_timer(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now();
        for place in 0..self.readings.len() {
            let offset = self.readings[place].committer.as_mut().and_then(|c| c.on_wake(now));
            self.commit(cx, place, offset);
        }
    }

    /// Writes a commit, if there is one and it is a member.
    pub(super) fn commit(&mut self, cx: &mut Ctx<'_>, place: usize, offset: Option<u64>) {
        let (Some(offset), Some(_)) = (offset, self.member_id()) else { return };
        self.n_commits += 1;
        let partition = self.readings[place].partition;
        let commit = Commit { number: self.n_commits, partition, offset };
        self.write_commit(cx, commit);
        if self.params.commits_by_hand() && self.params.commit_wait == CommitWait::Sync {
            self.unanswered.push(commit);
            let again_at = cx.now().saturating_add(self.params.request_timeout);
            self.commit_again_at.get_or_insert(again_at);
        }
    }

    /// A commit is answered, whether it counts or not: with the last the work goes on.
    pub(super) fn on_commit_answered(&mut self, cx: &mut Ctx<'_>, number: u32) {
        let n_before = self.unanswered.len();
        self.unanswered.retain(|commit| commit.number != number);
        if self.unanswered.is_empty() && n_before != 0 {
            self.commit_again_at = None;
            self.go_on(cx, true);
        }
    }

    /// Commits that were not answered in time are written again; without a place in the group they
    /// are given up.
    pub(super) fn commit_again(&mut self, cx: &mut Ctx<'_>) {
        if self.commit_again_at.is_none_or(|at| cx.now() < at) {
            return;
        }
        self.commit_again_at = None;
        if self.member_id().is_none() || self.unanswered.is_empty() {
            let was_waiting = !self.unanswered.is_empty();
            self.unanswered.clear();
            return self.go_on(cx, was_waiting);
        }
        self.commit_again_at = Some(cx.now().saturating_add(self.params.request_timeout));
        for place in 0..self.unanswered.len() {
            self.write_commit(cx, self.unanswered[place]);
        }
    }

    fn write_commit(&self, cx: &mut Ctx<'_>, commit: Commit) {
        let Some((serial, generation)) = self.member_id() else { return };
        let Commit { number, partition, offset } = commit;
        let commit = LogParcel::Commit { number, serial, generation, partition, offset };
        cx.write(0, Parcel::Log(commit), false);
    }

    /// Serial number and generation, while it has a place in the group.
    fn member_id(&self) -> Option<(u32, u32)> {
        let member = self.member.as_ref()?;
        Some((member.id()?.serial, member.generation()?))
    }
}

/// A commit on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Counts the consumer's commits.
    pub number: u32,
    /// The partition.
    pub partition: u8,
    /// The next offset to be read.
    pub offset: u64,
}

/// A record as work; its tag names partition and offset.
pub(super) fn job_of(record: &FetchedRecord) -> Job {
    let FetchedRecord { partition, offset, message, redelivered, .. } = *record;
    Job { message, port: 0, by: By::Broker, tag: offset << 8 | u64::from(partition), redelivered }
}

fn place_of(job: &Job) -> (u8, u64) {
    (job.tag as u8, job.tag >> 8)
}
