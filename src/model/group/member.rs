//! A member of a group: the client's side of the classic protocol.
//!
//! It joins, assigns when it leads, beats, and polls. Joining happens only inside a poll, so a
//! slow poll loop delays everybody. A wake-up does one thing; while more is due `next_wake` says
//! so. Source: `ConsumerCoordinator`, `AbstractCoordinator`, `Heartbeat`. Left out: retries of
//! lost requests, back-off, rejoining because topics changed.

use super::assign::{Assignor, InstanceId, MemberId, Subscription, TopicNo, TopicPartition};
use super::wire::{Answer, GroupError, Join, Joined, Request};
use crate::kernel::{SimSpan, SimTime};

/// How a member behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberConfig {
    /// Its client's number by name: ids are ordered by it.
    pub client: u32,
    /// Its instance, if it is a static member (`group.instance.id`).
    pub instance: Option<InstanceId>,
    /// How the group divides partitions, if this one leads (`partition.assignment.strategy`).
    pub assignor: Assignor,
    /// The topics it wants, rising.
    pub topics: Vec<TopicNo>,
    /// How many partitions each topic has, by topic number.
    pub n_partitions: Vec<u32>,
    /// `session.timeout.ms`.
    pub session: SimSpan,
    /// `heartbeat.interval.ms`.
    pub heartbeat: SimSpan,
    /// `max.poll.interval.ms`.
    pub max_poll: SimSpan,
    /// Time from one poll to the next: the work between two polls.
    pub poll: SimSpan,
}

impl Default for MemberConfig {
    fn default() -> MemberConfig {
        MemberConfig {
            client: 0,
            instance: None,
            assignor: Assignor::Range,
            topics: vec![TopicNo(0)],
            n_partitions: vec![1],
            session: SimSpan::s(45),
            heartbeat: SimSpan::s(3),
            max_poll: SimSpan::s(300),
            poll: SimSpan::ms(100),
        }
    }
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It works, or waits for its next poll to join.
    Working,
    /// It waits for the answer to its join.
    Joining,
    /// It waits for its partitions.
    Syncing,
    /// It has left for good.
    Closed,
}

/// What a member says and what happens to it, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To the coordinator.
    Send(Request),
    /// A generation begins; the leader knows all members.
    Joined {
        /// The generation.
        generation: u32,
        /// For the leader, how many members there are.
        n_members: Option<u32>,
    },
    /// It gives up partitions in an orderly way: their work is done and committed.
    Revoked(Vec<TopicPartition>),
    /// It has lost its place; somebody else may have its partitions already.
    Lost(Vec<TopicPartition>),
    /// It has these partitions from now on.
    Assigned {
        /// The generation.
        generation: u32,
        /// All of them, not only new ones.
        partitions: Vec<TopicPartition>,
    },
    /// A heartbeat was answered with an error.
    HeartbeatFailed(GroupError),
    /// It has not polled for too long and leaves by itself.
    MaxPollExceeded,
    /// It leaves.
    Left,
    /// The application has polled.
    Polled,
}

/// Figures for charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberGauges {
    /// Where it stands.
    pub phase: Phase,
    /// Its generation; `None` outside the group.
    pub generation: Option<u32>,
    /// How many partitions it has.
    pub n_owned: u32,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMember {
    /// How it behaves.
    pub config: MemberConfig,
    phase: Phase,
    id: Option<MemberId>,
    generation: Option<u32>,
    owned: Vec<TopicPartition>,
    /// What the eager sticky assignor remembers over a rebalance.
    remembered: Vec<TopicPartition>,
    must_join: bool,
    last_poll: SimTime,
    next_poll: Option<SimTime>,
    /// Its work takes until then: no poll before.
    busy_until: SimTime,
    next_heartbeat: Option<SimTime>,
}

impl GroupMember {
    /// A member that joins with its first poll, now.
    pub fn new(config: MemberConfig, now: SimTime) -> GroupMember {
        GroupMember {
            config,
            phase: Phase::Working,
            id: None,
            generation: None,
            owned: Vec::new(),
            remembered: Vec::new(),
            must_join: true,
            last_poll: now,
            next_poll: Some(now),
            busy_until: now,
            next_heartbeat: None,
        }
    }

    /// The coordinator answers.
    pub fn on_message(&mut self, now: SimTime, answer: Answer, out: &mut Vec<Output>) {
        match answer {
            Answer::Join(answer) => self.on_join(now, answer, out),
            Answer::Sync(answer) => self.on_sync(now, answer, out),
            Answer::Heartbeat(Err(error)) if self.phase == Phase::Working => {
                out.push(Output::HeartbeatFailed(error));
                match error {
                    GroupError::RebalanceInProgress => self.must_join = true,
                    _ => self.lose(error, out),
                }
            }
            Answer::Heartbeat(_) | Answer::Leave(_) | Answer::Commit(_) => {}
        }
    }

    /// Does one thing that is due: beats, leaves because it has not polled, or polls.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Output>) {
        if self.next_heartbeat.is_some_and(|at| at <= now) {
            self.next_heartbeat = Some(now.saturating_add(self.config.heartbeat));
            if let (Some(member), Some(generation)) = (self.id, self.generation) {
                out.push(Output::Send(Request::Heartbeat { member, generation }));
            }
        } else if self.overdue_at().is_some_and(|at| at <= now) {
            out.push(Output::MaxPollExceeded);
            self.leave(out);
            self.forget();
            self.must_join = true;
        } else if self.next_poll.is_some_and(|at| at <= now) {
            self.poll(now, out);
        }
    }

    /// Earliest time at which `on_wake` has something to do.
    pub fn next_wake(&self) -> Option<SimTime> {
        let times = [self.next_heartbeat, self.overdue_at(), self.next_poll];
        times.into_iter().flatten().min()
    }

    /// Its work takes until then: it does not poll before, but it beats.
    pub fn stall(&mut self, until: SimTime) {
        self.busy_until = until;
        self.next_poll = self.next_poll.map(|at| at.max(until));
    }

    /// Its work takes a time that is not known: it does not poll until `resume`, but it beats.
    pub fn hold(&mut self) {
        self.stall(SimTime::MAX);
    }

    /// Its work is over: it polls when it would have polled without it, or now.
    pub fn resume(&mut self, now: SimTime) {
        self.busy_until = now;
        if self.phase == Phase::Working {
            let due = self.last_poll.saturating_add(self.config.poll);
            self.next_poll = Some(due.max(now));
        }
    }

    /// Inside a poll that found nothing: it looks again then at the latest.
    pub fn wait_until(&mut self, at: SimTime) {
        if self.phase == Phase::Working && !self.must_join {
            self.next_poll = Some(at);
        }
    }

    /// An answer is lost, or the coordinator was: whoever waits for it asks again.
    pub fn ask_again(&mut self, now: SimTime) {
        if matches!(self.phase, Phase::Joining | Phase::Syncing) {
            self.phase = Phase::Working;
            self.must_join = true;
            self.last_poll = now;
            self.next_poll = Some(now);
        }
    }

    /// Its topic has more partitions now: with its next poll it joins again, so that they are
    /// given out.
    pub fn topic_grew(&mut self, n_partitions: u32, now: SimTime) {
        self.config.n_partitions = vec![n_partitions];
        self.must_join = true;
        if self.next_poll.is_some() {
            self.next_poll = Some(now.max(self.busy_until));
        }
    }

    /// It ends; a static member says nothing, so that it may come back to its place.
    pub fn close(&mut self, out: &mut Vec<Output>) {
        if self.config.instance.is_none() {
            self.leave(out);
        }
        self.forget();
        self.phase = Phase::Closed;
        self.next_poll = None;
    }

    /// Figures for charts.
    pub fn gauges(&self) -> MemberGauges {
        let n_owned = self.owned.len() as u32;
        MemberGauges { phase: self.phase, generation: self.generation, n_owned }
    }

    /// Whether a poll is due.
    pub fn poll_is_due(&self, now: SimTime) -> bool {
        self.next_poll.is_some_and(|at| at <= now)
    }

    /// Whether it joins with its next poll.
    pub fn must_join(&self) -> bool {
        self.must_join
    }

    /// Its generation; `None` outside the group.
    pub fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// Its id, if the coordinator has given it one.
    pub fn id(&self) -> Option<MemberId> {
        self.id
    }

    /// Its partitions.
    pub fn owned(&self) -> &[TopicPartition] {
        &self.owned
    }

    fn on_join(&mut self, now: SimTime, answer: Result<Joined, GroupError>, out: &mut Vec<Output>) {
        if self.phase != Phase::Joining {
            return;
        }
        match answer {
            Ok(joined) => self.sync(joined, out),
            Err(GroupError::MemberIdRequired(id)) => {
                self.id = Some(id);
                self.send_join(out);
            }
            Err(error) => self.try_again(now, error, out),
        }
    }

    /// A generation begins: the leader says who gets what, the others ask.
    fn sync(&mut self, joined: Joined, out: &mut Vec<Output>) {
        let Joined { member, generation, members, is_leader } = joined;
        let n_members = is_leader.then_some(members.len() as u32);
        out.push(Output::Joined { generation, n_members });
        self.id = Some(member);
        self.generation = Some(generation);
        self.phase = Phase::Syncing;
        let assignor = self.config.assignor;
        let assignment = match is_leader && !members.is_empty() {
            true => assignor.assign(&self.config.n_partitions, &members),
            false => Vec::new(),
        };
        out.push(Output::Send(Request::Sync { member, generation, assignment }));
    }

    fn on_sync(
        &mut self,
        now: SimTime,
        answer: Result<Vec<TopicPartition>, GroupError>,
        out: &mut Vec<Output>,
    ) {
        if self.phase != Phase::Syncing {
            return;
        }
        let (partitions, generation) = match (answer, self.generation) {
            (Ok(partitions), Some(generation)) => (partitions, generation),
            (Ok(_), None) => return,
            (Err(error), _) => return self.try_again(now, error, out),
        };
        self.phase = Phase::Working;
        self.last_poll = now;
        self.next_poll = Some(now.saturating_add(self.config.poll).max(self.busy_until));
        self.next_heartbeat = Some(now.saturating_add(self.config.heartbeat));
        // What the new assignment takes away is given up; then all join again, so that it can
        // be given out. Eager members have nothing any more.
        let mut revoked = std::mem::take(&mut self.owned);
        revoked.retain(|partition| !partitions.contains(partition));
        if !revoked.is_empty() {
            out.push(Output::Revoked(revoked));
            self.must_join = true;
            self.next_poll = Some(now);
        }
        self.owned.clone_from(&partitions);
        self.remembered.clone_from(&partitions);
        out.push(Output::Assigned { generation, partitions });
    }

    /// A join or sync failed: it joins anew, with what it still has if the group still knows it.
    fn try_again(&mut self, now: SimTime, error: GroupError, out: &mut Vec<Output>) {
        self.phase = Phase::Working;
        self.must_join = true;
        self.last_poll = now;
        self.next_poll = Some(now);
        if error != GroupError::RebalanceInProgress {
            self.lose(error, out);
        }
    }

    fn poll(&mut self, now: SimTime, out: &mut Vec<Output>) {
        self.last_poll = now;
        if !self.must_join {
            self.next_poll = Some(now.saturating_add(self.config.poll));
            out.push(Output::Polled);
            return;
        }
        let gives_up = !self.config.assignor.is_cooperative() && !self.owned.is_empty();
        if gives_up {
            out.push(Output::Revoked(std::mem::take(&mut self.owned)));
        }
        self.must_join = false;
        self.phase = Phase::Joining;
        self.next_poll = None;
        self.next_heartbeat = None;
        self.send_join(out);
    }

    fn send_join(&mut self, out: &mut Vec<Output>) {
        let owned = match self.config.assignor {
            Assignor::Range | Assignor::RoundRobin => Vec::new(),
            Assignor::Sticky => by_topic(&self.remembered),
            Assignor::CooperativeSticky => self.owned.clone(),
        };
        let topics = self.config.topics.clone();
        let subscription = Subscription { topics, owned, generation: self.generation };
        out.push(Output::Send(Request::Join(Join {
            client: self.config.client,
            member: self.id,
            instance: self.config.instance,
            session: self.config.session,
            rebalance: self.config.max_poll,
            subscription,
        })));
    }

    fn leave(&mut self, out: &mut Vec<Output>) {
        out.push(Output::Left);
        if let Some(member) = self.id {
            out.push(Output::Send(Request::Leave { member }));
        }
    }

    /// It has lost its place. In another generation the group still knows its id; whoever was
    /// replaced by another client of its instance ends.
    fn lose(&mut self, error: GroupError, out: &mut Vec<Output>) {
        out.push(Output::Lost(self.owned.clone()));
        let id = self.id.filter(|_| error == GroupError::IllegalGeneration);
        self.forget();
        self.id = id;
        self.must_join = true;
        if error == GroupError::FencedInstanceId {
            self.phase = Phase::Closed;
            self.next_poll = None;
        }
    }

    fn forget(&mut self) {
        self.id = None;
        self.generation = None;
        self.owned.clear();
        self.remembered.clear();
        self.next_heartbeat = None;
    }

    /// When it will not have polled for too long. Static members are not sent away for it.
    fn overdue_at(&self) -> Option<SimTime> {
        let is_counted =
            self.phase == Phase::Working && self.id.is_some() && self.config.instance.is_none();
        is_counted.then(|| self.last_poll.saturating_add(self.config.max_poll))
    }
}

/// The claims of the eager sticky assignor travel grouped by topic.
fn by_topic(partitions: &[TopicPartition]) -> Vec<TopicPartition> {
    let mut grouped = partitions.to_vec();
    grouped.sort_by_key(|partition| partition.topic);
    grouped
}

#[cfg(test)]
mod tests {
    use super::super::coordinator::{Coordinator, GroupState};
    use super::super::wire::{ClientNo, Reply};
    use super::*;

    /// A coordinator and its members without latency.
    struct Bench {
        coordinator: Coordinator,
        members: Vec<GroupMember>,
        seen: Vec<(usize, Output)>,
        now: SimTime,
    }

    impl Bench {
        fn new(assignor: Assignor, n: u32) -> Bench {
            let member = |client| {
                let n_partitions = vec![6];
                let config =
                    MemberConfig { client, assignor, n_partitions, ..MemberConfig::default() };
                GroupMember::new(config, SimTime::ZERO)
            };
            let coordinator = Coordinator::new(SimSpan::s(3));
            Bench {
                coordinator,
                members: (0..n).map(member).collect(),
                seen: Vec::new(),
                now: SimTime::ZERO,
            }
        }

        fn deliver(&mut self, now: SimTime, from: usize, out: Vec<Output>) {
            let mut replies = Vec::new();
            for output in out {
                if let Output::Send(request) = output {
                    let client = ClientNo(from as u32);
                    self.coordinator.on_message(now, client, request, &mut replies);
                } else {
                    self.seen.push((from, output));
                }
            }
            self.answer(now, replies);
        }

        fn answer(&mut self, now: SimTime, replies: Vec<Reply>) {
            for Reply { to, answer } in replies {
                let mut out = Vec::new();
                let Some(member) = self.members.get_mut(to.0 as usize) else { continue };
                member.on_message(now, answer, &mut out);
                self.deliver(now, to.0 as usize, out);
            }
        }

        /// Runs until nothing is due before or at `end`.
        fn run(&mut self, end_s: u64) {
            let end = SimTime::from_ns(end_s * 1_000_000_000);
            loop {
                let members = self.members.iter().map(GroupMember::next_wake);
                let next = members.chain([self.coordinator.next_wake()]).flatten().min();
                let Some(next) = next.filter(|next| *next <= end) else { return };
                // Whoever comes late has been due since the beginning.
                let now = next.max(self.now);
                self.now = now;
                let mut replies = Vec::new();
                self.coordinator.on_wake(now, &mut replies);
                self.answer(now, replies);
                for index in 0..self.members.len() {
                    let mut out = Vec::new();
                    self.members[index].on_wake(now, &mut out);
                    self.deliver(now, index, out);
                }
            }
        }

        fn sizes(&self) -> Vec<u32> {
            self.members.iter().map(|member| member.gauges().n_owned).collect()
        }

        fn count(&self, is_it: impl Fn(&Output) -> bool) -> usize {
            self.seen.iter().filter(|(_, output)| is_it(output)).count()
        }
    }

    #[test]
    fn the_first_members_gather_before_anything_is_given_out() {
        let mut bench = Bench::new(Assignor::Range, 3);
        bench.run(2);
        assert_eq!(bench.sizes(), [0, 0, 0]);
        assert_eq!(bench.coordinator.gauges().state, GroupState::PreparingRebalance);
        bench.run(10);
        assert_eq!(bench.sizes(), [2, 2, 2]);
        assert_eq!(bench.coordinator.gauges().generation, 1);
    }

    #[test]
    fn whoever_works_too_long_leaves_and_the_others_take_over() {
        let mut bench = Bench::new(Assignor::Range, 2);
        bench.members.iter_mut().for_each(|m| m.config.max_poll = SimSpan::s(10));
        bench.run(15);
        bench.members[1].stall(SimTime::from_ns(40_000_000_000));
        bench.run(30);
        assert_eq!(bench.sizes(), [6, 0]);
        assert_eq!(bench.count(|output| *output == Output::MaxPollExceeded), 1);
        bench.run(60);
        assert_eq!(bench.sizes(), [3, 3]);
    }

    #[test]
    fn a_cooperative_newcomer_stops_only_what_it_takes_over() {
        for (assignor, n_revoked) in [(Assignor::CooperativeSticky, 2), (Assignor::Sticky, 6)] {
            let mut bench = Bench::new(assignor, 3);
            let late = bench.members.pop().expect("three members");
            bench.run(20);
            bench.members.push(late);
            bench.run(60);
            assert_eq!(bench.sizes(), [2, 2, 2]);
            let given_up = |output: &Output| match output {
                Output::Revoked(partitions) => partitions.len(),
                _ => 0,
            };
            let total: usize = bench.seen.iter().map(|(_, output)| given_up(output)).sum();
            assert_eq!(total, n_revoked, "{assignor:?}");
        }
    }

    #[test]
    fn a_static_member_that_missed_a_rebalance_joins_again_under_its_id() {
        let mut bench = Bench::new(Assignor::Range, 3);
        bench.members[1].config.instance = Some(InstanceId(0));
        bench.members.iter_mut().for_each(|m| m.config.max_poll = SimSpan::s(10));
        let late = bench.members.pop().expect("three members");
        bench.run(15);
        let id = bench.members[1].id();
        bench.members[1].stall(SimTime::from_ns(31_000_000_000));
        bench.members.push(late);
        bench.run(60);
        assert_eq!(bench.count(|o| matches!(o, Output::Lost(_))), 1);
        assert_eq!(bench.members[1].id(), id);
        assert_eq!(bench.sizes(), [2, 2, 2]);
    }

    #[test]
    fn a_removed_members_late_commit_is_refused() {
        let mut bench = Bench::new(Assignor::Range, 2);
        bench.run(10);
        let member = bench.members[1].id().expect("it joined");
        let partition = TopicPartition { topic: TopicNo(0), partition: 3 };
        let commit = Request::Commit { member, generation: 1, partition, offset: 5 };
        let mut out = Vec::new();
        let now = SimTime::from_ns(10_000_000_000);
        bench.coordinator.on_message(now, ClientNo(1), commit.clone(), &mut out);
        assert_eq!(out[0].answer, Answer::Commit(Ok(())));
        let leave = Request::Leave { member };
        bench.coordinator.on_message(now, ClientNo(1), leave, &mut Vec::new());
        out.clear();
        bench.coordinator.on_message(now, ClientNo(1), commit, &mut out);
        assert_eq!(out[0].answer, Answer::Commit(Err(GroupError::UnknownMemberId)));
        assert_eq!(bench.coordinator.committed(partition), Some(5));
    }
}
