//! The group coordinator: members, generations, and the rebalance between two of them.
//!
//! A sans-I/O machine: requests and wake-ups go in, answers come out; a join or sync may be
//! answered much later. `roster.rs` has the members. Source: `GroupMetadataManager` and
//! `ClassicGroup` at commit 1eb7644349cb. Left out: other protocols in one group, the migration
//! to KIP-848 groups, the log that a coordinator writes, its own failover.

use super::assign::{Assigned, MemberId, TopicPartition};
use super::roster::{Member, Roster};
use super::wire::{Answer, ClientNo, GroupError, Join, Joined, Reply, Request};
use crate::kernel::{SimSpan, SimTime};

/// Most members of a group.
pub const MEMBERS_LIMIT: u32 = 1024;
/// Most partitions with a committed offset.
pub const COMMITS_LIMIT: u32 = 65_536;
/// How long a new member may stay unanswered (`group.new.member.join.timeout.ms`, fixed).
const NEW_MEMBER_TIMEOUT: SimSpan = SimSpan::s(300);

/// What a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members.
    Empty,
    /// Waiting for members to join the next generation.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// All members have their partitions.
    Stable,
}

impl GroupState {
    /// Kafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
        }
    }
}

/// The group's own timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupTimer {
    /// Nothing is waited for.
    None,
    /// The first members of an empty group gather; each newcomer prolongs it.
    Initial { until: SimTime, delay: SimSpan, remaining: SimSpan, has_newcomer: bool },
    /// Members must have joined by then.
    Join { until: SimTime },
    /// Members must have synced by then.
    Sync { until: SimTime },
}

/// Figures for charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupGauges {
    /// What the group is doing.
    pub state: GroupState,
    /// The generation, 0 before the first.
    pub generation: u32,
    /// How many members there are.
    pub n_members: u32,
    /// How many of them wait for the answer to their join.
    pub n_joining: u32,
}

/// The coordinator of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinator {
    /// How long an empty group gathers members (`group.initial.rebalance.delay.ms`).
    pub initial_delay: SimSpan,
    /// Who is to lead when the leader is gone, if it may: the original takes an arbitrary member,
    /// in the hash order of random ids. Without a wish it is the member of the lowest id.
    pub successor: Option<MemberId>,
    state: GroupState,
    generation: u32,
    leader: Option<MemberId>,
    roster: Roster,
    timer: GroupTimer,
    commits: Vec<(TopicPartition, u64)>,
}

impl Coordinator {
    /// An empty group.
    pub const fn new(initial_delay: SimSpan) -> Coordinator {
        Coordinator {
            initial_delay,
            successor: None,
            state: GroupState::Empty,
            generation: 0,
            leader: None,
            roster: Roster::new(),
            timer: GroupTimer::None,
            commits: Vec::new(),
        }
    }

    /// A request arrives.
    pub fn on_message(
        &mut self,
        now: SimTime,
        from: ClientNo,
        request: Request,
        out: &mut Vec<Reply>,
    ) {
        match request {
            Request::Join(join) => self.on_join(now, from, join, out),
            Request::Sync { member, generation, assignment } => {
                self.on_sync(now, from, member, generation, assignment, out);
            }
            Request::Heartbeat { member, generation } => {
                let answer = self.on_heartbeat(now, member, generation);
                out.push(Reply { to: from, answer: Answer::Heartbeat(answer) });
            }
            Request::Leave { member } => {
                let is_known = self.remove(now, member, out);
                let answer = if is_known { Ok(()) } else { Err(GroupError::UnknownMemberId) };
                out.push(Reply { to: from, answer: Answer::Leave(answer) });
            }
            Request::Commit { member, generation, partition, offset } => {
                let answer = self.on_commit(now, member, generation, partition, offset);
                out.push(Reply { to: from, answer: Answer::Commit(answer) });
            }
        }
    }

    /// Removes members that were silent for too long, and ends what was waited for too long.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        while let Some(silent) = self.roster.first_silent(now) {
            match silent {
                Ok(member) => {
                    self.remove(now, member, out);
                }
                Err(pending) => self.forget_pending(now, pending, out),
            }
        }
        match self.timer {
            GroupTimer::Initial { until, delay, remaining, has_newcomer } if until <= now => {
                if has_newcomer && !remaining.is_zero() {
                    let next = delay.min(remaining);
                    self.timer = GroupTimer::Initial {
                        until: now.saturating_add(next),
                        delay: next,
                        remaining: remaining.saturating_sub(delay),
                        has_newcomer: false,
                    };
                } else {
                    self.complete_join(now, out);
                }
            }
            GroupTimer::Join { until } if until <= now => self.complete_join(now, out),
            GroupTimer::Sync { until } if until <= now => self.expire_sync(now, out),
            _ => {}
        }
    }

    /// Earliest time at which `on_wake` has something to do.
    pub fn next_wake(&self) -> Option<SimTime> {
        let timer = match self.timer {
            GroupTimer::None => None,
            GroupTimer::Initial { until, .. }
            | GroupTimer::Join { until }
            | GroupTimer::Sync { until } => Some(until),
        };
        timer.into_iter().chain(self.roster.next_silent()).min()
    }

    /// Figures for charts.
    pub fn gauges(&self) -> GroupGauges {
        GroupGauges {
            state: self.state,
            generation: self.generation,
            n_members: self.roster.len(),
            n_joining: self.roster.n_joining(),
        }
    }

    /// Who assigns.
    pub fn leader(&self) -> Option<MemberId> {
        self.leader
    }

    /// The members by rising id.
    pub fn members(&self) -> &[Member] {
        self.roster.members()
    }

    /// The next offset to be read of a partition, if somebody committed one.
    pub fn committed(&self, partition: TopicPartition) -> Option<u64> {
        let index = self.commits.binary_search_by_key(&partition, |(p, _)| *p).ok()?;
        Some(self.commits[index].1)
    }

    fn on_join(&mut self, now: SimTime, from: ClientNo, join: Join, out: &mut Vec<Reply>) {
        let refuse = |error| Reply { to: from, answer: Answer::Join(Err(error)) };
        match (join.member, join.instance) {
            (None, Some(instance)) => match self.roster.static_member(instance) {
                Some(old) => self.rejoin_static(now, from, old, join, out),
                None => self.add(now, from, join, out),
            },
            (None, None) => {
                let id = self.roster.give_id(now, join.client, join.session);
                out.push(refuse(GroupError::MemberIdRequired(id)));
            }
            (Some(id), _) if self.roster.take_pending(id) => self.add(now, from, join, out),
            (Some(id), _) => {
                let Some(member) = self.roster.member(id) else {
                    out.push(refuse(GroupError::UnknownMemberId));
                    return;
                };
                let is_same = member.subscriber.subscription == join.subscription;
                let is_leader = self.leader == Some(id);
                let as_it_was = match self.state {
                    GroupState::Stable => is_same && !is_leader,
                    GroupState::CompletingRebalance => is_same,
                    GroupState::Empty | GroupState::PreparingRebalance => false,
                };
                if as_it_was {
                    let joined = self.joined(id);
                    out.push(Reply { to: from, answer: Answer::Join(Ok(joined)) });
                } else {
                    self.roster.update(id, from, &join);
                    self.rebalance_or_go_on(now, out);
                }
            }
        }
    }

    /// Takes in a new member. It has no session yet: it is silent until it is answered.
    fn add(&mut self, now: SimTime, from: ClientNo, join: Join, out: &mut Vec<Reply>) {
        if MEMBERS_LIMIT <= self.roster.len() {
            let answer = Answer::Join(Err(GroupError::GroupMaxSizeReached));
            out.push(Reply { to: from, answer });
            return;
        }
        if let GroupTimer::Initial { has_newcomer, .. } = &mut self.timer {
            *has_newcomer = true;
        }
        let id = self.roster.add(from, join, now.saturating_add(NEW_MEMBER_TIMEOUT));
        self.leader.get_or_insert(id);
        self.rebalance_or_go_on(now, out);
    }

    /// A static member comes back under its instance: it takes over id, place and assignment.
    fn rejoin_static(
        &mut self,
        now: SimTime,
        from: ClientNo,
        old: MemberId,
        join: Join,
        out: &mut Vec<Reply>,
    ) {
        let id = self.roster.replace(old, join.client, out);
        if self.leader == Some(old) {
            self.leader = Some(id);
        }
        self.roster.update(id, from, &join);
        self.roster.hear(now, id);
        match self.state {
            GroupState::Stable => {
                self.roster.answer_join(id, Ok(self.joined(id)), out);
                self.roster.hear(now, id);
            }
            _ => self.rebalance_or_go_on(now, out),
        }
    }

    fn on_sync(
        &mut self,
        now: SimTime,
        from: ClientNo,
        member: MemberId,
        generation: u32,
        assignment: Vec<Assigned>,
        out: &mut Vec<Reply>,
    ) {
        let refuse = |error| Reply { to: from, answer: Answer::Sync(Err(error)) };
        if let Err(error) = self.check(member, generation) {
            out.push(refuse(error));
            return;
        }
        match self.state {
            GroupState::Empty => out.push(refuse(GroupError::UnknownMemberId)),
            GroupState::PreparingRebalance => out.push(refuse(GroupError::RebalanceInProgress)),
            GroupState::CompletingRebalance => {
                self.roster.await_sync(member, from);
                if self.leader == Some(member) {
                    self.roster.set_assignment(assignment);
                    self.state = GroupState::Stable;
                    self.roster.answer_syncs(now, Ok(()), out);
                }
            }
            GroupState::Stable => {
                self.roster.await_sync(member, from);
                self.roster.answer_syncs(now, Ok(()), out);
            }
        }
        if self.state == GroupState::Stable && self.roster.all_synced() {
            self.timer = GroupTimer::None;
        }
    }

    fn on_heartbeat(
        &mut self,
        now: SimTime,
        member: MemberId,
        generation: u32,
    ) -> Result<(), GroupError> {
        self.check(member, generation)?;
        self.roster.hear(now, member);
        match self.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    fn on_commit(
        &mut self,
        now: SimTime,
        member: MemberId,
        generation: u32,
        partition: TopicPartition,
        offset: u64,
    ) -> Result<(), GroupError> {
        self.check(member, generation)?;
        // The leader has not yet said who gets what: the writer may not have this partition.
        if self.state == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        self.roster.hear(now, member);
        match self.commits.binary_search_by_key(&partition, |(p, _)| *p) {
            Ok(index) => self.commits[index].1 = offset,
            Err(index) => {
                assert!((self.commits.len() as u32) < COMMITS_LIMIT);
                self.commits.insert(index, (partition, offset));
            }
        }
        Ok(())
    }

    /// Fencing: only a member of the present generation is heard.
    fn check(&self, member: MemberId, generation: u32) -> Result<(), GroupError> {
        if self.state == GroupState::Empty || self.roster.member(member).is_none() {
            return Err(GroupError::UnknownMemberId);
        }
        if generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        Ok(())
    }

    /// Somebody came or changed: a rebalance begins, or the one that runs may be complete.
    fn rebalance_or_go_on(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        if self.state == GroupState::PreparingRebalance {
            self.complete_if_all_joined(now, out);
        } else {
            self.prepare(now, out);
        }
    }

    fn prepare(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        let was = std::mem::replace(&mut self.state, GroupState::PreparingRebalance);
        let rebalance = self.roster.rebalance_timeout();
        match was {
            GroupState::Empty => {
                let delay = self.initial_delay;
                self.timer = GroupTimer::Initial {
                    until: now.saturating_add(delay),
                    delay,
                    remaining: rebalance.saturating_sub(delay),
                    has_newcomer: false,
                };
                return;
            }
            GroupState::CompletingRebalance => {
                self.roster.clear_assignment();
                let error = Err(GroupError::RebalanceInProgress);
                self.roster.answer_syncs(now, error, out);
            }
            GroupState::Stable | GroupState::PreparingRebalance => {}
        }
        self.timer = GroupTimer::Join { until: now.saturating_add(rebalance) };
        self.complete_if_all_joined(now, out);
    }

    fn complete_if_all_joined(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        let is_gathering = matches!(self.timer, GroupTimer::Initial { .. });
        if !is_gathering && self.roster.all_joined() {
            self.complete_join(now, out);
        }
    }

    /// The next generation begins with those who have joined; static members stay anyway.
    fn complete_join(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        self.roster.remove_absent();
        self.keep_leader();
        if !self.elect_joined() && 0 < self.roster.len() {
            let until = now.saturating_add(self.roster.rebalance_timeout());
            self.timer = GroupTimer::Join { until };
            return;
        }
        self.generation += 1;
        if self.roster.len() == 0 {
            self.state = GroupState::Empty;
            self.timer = GroupTimer::None;
            self.leader = None;
            return;
        }
        self.state = GroupState::CompletingRebalance;
        let until = now.saturating_add(self.roster.rebalance_timeout());
        self.timer = GroupTimer::Sync { until };
        let ids: Vec<MemberId> = self.roster.members().iter().map(|m| m.subscriber.id).collect();
        for id in ids {
            self.roster.answer_join(id, Ok(self.joined(id)), out);
            self.roster.begin_sync(now, id);
        }
    }

    /// Members that never asked for their partitions are removed, and the others join again.
    fn expire_sync(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        self.timer = GroupTimer::None;
        self.roster.remove_unsynced();
        self.keep_leader();
        self.prepare(now, out);
    }

    /// A member goes, whatever the reason; `false` when it is unknown.
    fn remove(&mut self, now: SimTime, member: MemberId, out: &mut Vec<Reply>) -> bool {
        if self.roster.take_pending(member) {
            self.complete_if_joining(now, out);
            return true;
        }
        if !self.roster.remove(member) {
            return false;
        }
        self.keep_leader();
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare(now, out),
            GroupState::PreparingRebalance => self.complete_if_all_joined(now, out),
            GroupState::Empty => {}
        }
        true
    }

    fn forget_pending(&mut self, now: SimTime, pending: MemberId, out: &mut Vec<Reply>) {
        self.roster.take_pending(pending);
        self.complete_if_joining(now, out);
    }

    fn complete_if_joining(&mut self, now: SimTime, out: &mut Vec<Reply>) {
        if self.state == GroupState::PreparingRebalance {
            self.complete_if_all_joined(now, out);
        }
    }

    /// When the leader is gone another member takes its place.
    fn keep_leader(&mut self) {
        if self.leader.is_some_and(|leader| self.roster.member(leader).is_none()) {
            self.leader = self.choose(|_| true);
        }
    }

    /// A leader that has not joined gives way to one that has; `false` when nobody has.
    fn elect_joined(&mut self) -> bool {
        let has_joined = |member: &Member| member.is_joining();
        let leader = self.leader.and_then(|leader| self.roster.member(leader));
        if leader.is_none_or(|member| !has_joined(member)) {
            let Some(next) = self.choose(has_joined) else { return false };
            self.leader = Some(next);
        }
        true
    }

    fn choose(&self, may_lead: impl Fn(&Member) -> bool) -> Option<MemberId> {
        let wish = self.successor.and_then(|id| self.roster.member(id));
        let first = self.roster.members().iter().find(|member| may_lead(member));
        wish.filter(|member| may_lead(member)).or(first).map(|member| member.subscriber.id)
    }

    fn joined(&self, member: MemberId) -> Joined {
        let is_leader = self.leader == Some(member);
        let subscribers = || self.roster.members().iter().map(|m| m.subscriber.clone()).collect();
        let members = if is_leader { subscribers() } else { Vec::new() };
        Joined { member, generation: self.generation, members, is_leader }
    }
}
