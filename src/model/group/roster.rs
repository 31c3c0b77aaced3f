//! The members of a group as their coordinator knows them.
//!
//! It has no rules about generations: `coordinator.rs` decides, this remembers.

use super::assign::{Assigned, InstanceId, MemberId, Subscriber, TopicPartition};
use super::wire::{Answer, ClientNo, GroupError, Join, Joined, Reply};
use crate::kernel::{SimSpan, SimTime};

/// Most ids given to clients that have not joined under them yet.
const PENDING_LIMIT: usize = 1024;

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing.
    Nothing,
    /// The answer to its join.
    Join(ClientNo),
    /// The answer to its sync.
    Sync(ClientNo),
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Who it is and what it wants.
    pub subscriber: Subscriber,
    /// Its partitions in the present generation.
    pub assignment: Vec<TopicPartition>,
    /// Without a sign of life for so long it is removed.
    pub session: SimSpan,
    /// How long a rebalance may wait for it.
    pub rebalance: SimSpan,
    /// When it will have been silent for too long.
    silent_at: Option<SimTime>,
    waits: Waiting,
    /// It has never been answered.
    is_new: bool,
    /// It has to sync in this generation and has not.
    must_sync: bool,
}

impl Member {
    /// Whether it waits for the answer to its join.
    pub fn is_joining(&self) -> bool {
        matches!(self.waits, Waiting::Join(_))
    }

    fn hear(&mut self, now: SimTime) {
        self.silent_at = Some(now.saturating_add(self.session));
    }
}

/// An id that was given to a client, which must join under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    id: MemberId,
    until: SimTime,
}

/// All members.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Roster {
    /// By rising id.
    members: Vec<Member>,
    pending: Vec<Pending>,
    n_ids: u32,
}

impl Roster {
    pub(super) const fn new() -> Roster {
        Roster { members: Vec::new(), pending: Vec::new(), n_ids: 0 }
    }

    /// A new id for a client that will join again under it.
    pub(super) fn give_id(&mut self, now: SimTime, client: u32, session: SimSpan) -> MemberId {
        let id = self.next_id(client);
        if self.pending.len() == PENDING_LIMIT {
            self.pending.remove(0);
        }
        self.pending.push(Pending { id, until: now.saturating_add(session) });
        id
    }

    /// Whether an id was given and is not used yet; it is used now.
    pub(super) fn take_pending(&mut self, id: MemberId) -> bool {
        let n = self.pending.len();
        self.pending.retain(|pending| pending.id != id);
        self.pending.len() < n
    }

    /// Adds a member that waits for the answer to its join.
    pub(super) fn add(&mut self, from: ClientNo, join: Join, silent_at: SimTime) -> MemberId {
        let id = join.member.unwrap_or_else(|| self.next_id(join.client));
        let at = self.members.partition_point(|member| member.subscriber.id < id);
        let Join { instance, session, rebalance, subscription, .. } = join;
        let member = Member {
            subscriber: Subscriber { id, instance, subscription },
            assignment: Vec::new(),
            session,
            rebalance,
            silent_at: Some(silent_at),
            waits: Waiting::Join(from),
            is_new: true,
            must_sync: false,
        };
        self.members.insert(at, member);
        id
    }

    /// A known member joins again and waits for the answer.
    pub(super) fn update(&mut self, id: MemberId, from: ClientNo, join: &Join) {
        let Some(member) = self.member_mut(id) else { return };
        member.subscriber.subscription.clone_from(&join.subscription);
        member.session = join.session;
        member.rebalance = join.rebalance;
        member.waits = Waiting::Join(from);
        member.must_sync = false;
    }

    /// A static member gets a new id; whoever waited under the old one is fenced.
    pub(super) fn replace(&mut self, old: MemberId, client: u32, out: &mut Vec<Reply>) -> MemberId {
        let id = self.next_id(client);
        let Ok(index) = self.members.binary_search_by_key(&old, |m| m.subscriber.id) else {
            return id;
        };
        let mut member = self.members.remove(index);
        let fenced = GroupError::FencedInstanceId;
        match std::mem::replace(&mut member.waits, Waiting::Nothing) {
            Waiting::Nothing => {}
            Waiting::Join(to) => out.push(Reply { to, answer: Answer::Join(Err(fenced)) }),
            Waiting::Sync(to) => out.push(Reply { to, answer: Answer::Sync(Err(fenced)) }),
        }
        member.subscriber.id = id;
        let at = self.members.partition_point(|member| member.subscriber.id < id);
        self.members.insert(at, member);
        id
    }

    pub(super) fn remove(&mut self, id: MemberId) -> bool {
        let n = self.members.len();
        self.members.retain(|member| member.subscriber.id != id);
        self.members.len() < n
    }

    /// Dynamic members that have not joined are removed.
    pub(super) fn remove_absent(&mut self) {
        let stays = |member: &Member| member.is_joining() || member.subscriber.instance.is_some();
        self.members.retain(stays);
    }

    /// Members that have to sync and have not are removed.
    pub(super) fn remove_unsynced(&mut self) {
        self.members.retain(|member| !member.must_sync);
    }

    /// A sign of life.
    pub(super) fn hear(&mut self, now: SimTime, id: MemberId) {
        if let Some(member) = self.member_mut(id) {
            member.hear(now);
        }
    }

    pub(super) fn answer_join(
        &mut self,
        id: MemberId,
        answer: Result<Joined, GroupError>,
        out: &mut Vec<Reply>,
    ) {
        let Some(member) = self.member_mut(id) else { return };
        if let Waiting::Join(to) = member.waits {
            member.waits = Waiting::Nothing;
            member.is_new = false;
            out.push(Reply { to, answer: Answer::Join(answer) });
        }
    }

    /// The generation's sync is expected of a member; its session begins anew.
    pub(super) fn begin_sync(&mut self, now: SimTime, id: MemberId) {
        if let Some(member) = self.member_mut(id) {
            member.must_sync = true;
            member.is_new = false;
            member.hear(now);
        }
    }

    pub(super) fn await_sync(&mut self, id: MemberId, from: ClientNo) {
        if let Some(member) = self.member_mut(id) {
            member.waits = Waiting::Sync(from);
            member.must_sync = false;
        }
    }

    /// Answers all who wait for their sync: with their partitions, or an error.
    pub(super) fn answer_syncs(
        &mut self,
        now: SimTime,
        answer: Result<(), GroupError>,
        out: &mut Vec<Reply>,
    ) {
        for member in &mut self.members {
            if let Waiting::Sync(to) = member.waits {
                member.waits = Waiting::Nothing;
                member.hear(now);
                let answer = answer.map(|()| member.assignment.clone());
                out.push(Reply { to, answer: Answer::Sync(answer) });
            }
        }
    }

    /// Everybody gets what the leader said; who is not named gets nothing.
    pub(super) fn set_assignment(&mut self, assignment: Vec<Assigned>) {
        self.clear_assignment();
        for assigned in assignment {
            if let Some(member) = self.member_mut(assigned.member) {
                member.assignment = assigned.partitions;
            }
        }
    }

    pub(super) fn clear_assignment(&mut self) {
        self.members.iter_mut().for_each(|member| member.assignment.clear());
    }

    /// A member, or an id given, that was silent for too long; the longest first.
    ///
    /// Who waits for an answer is alive, unless it has never been answered.
    pub(super) fn first_silent(&mut self, now: SimTime) -> Option<Result<MemberId, MemberId>> {
        for member in &mut self.members {
            let is_waiting = member.waits != Waiting::Nothing && !member.is_new;
            if is_waiting && member.silent_at.is_some_and(|at| at <= now) {
                member.silent_at = None;
            }
        }
        let silent = self.members.iter().filter_map(|member| {
            let at = member.silent_at.filter(|at| *at <= now)?;
            Some((at, Ok(member.subscriber.id)))
        });
        let pending = self.pending.iter().filter(|pending| pending.until <= now);
        let pending = pending.map(|pending| (pending.until, Err(pending.id)));
        silent.chain(pending).min_by_key(|(at, _)| *at).map(|(_, id)| id)
    }

    pub(super) fn next_silent(&self) -> Option<SimTime> {
        let members = self.members.iter().filter_map(|member| member.silent_at);
        members.chain(self.pending.iter().map(|pending| pending.until)).min()
    }

    pub(super) fn static_member(&self, instance: InstanceId) -> Option<MemberId> {
        let is_it = |member: &&Member| member.subscriber.instance == Some(instance);
        self.members.iter().find(is_it).map(|member| member.subscriber.id)
    }

    pub(super) fn member(&self, id: MemberId) -> Option<&Member> {
        let index = self.members.binary_search_by_key(&id, |m| m.subscriber.id).ok()?;
        self.members.get(index)
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn len(&self) -> u32 {
        self.members.len() as u32
    }

    pub(super) fn n_joining(&self) -> u32 {
        self.members.iter().filter(|member| member.is_joining()).count() as u32
    }

    /// Whether all members, and all who were given an id, have joined.
    pub(super) fn all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.iter().all(Member::is_joining)
    }

    pub(super) fn all_synced(&self) -> bool {
        self.members.iter().all(|member| !member.must_sync)
    }

    /// The longest time that any member may take to join.
    pub(super) fn rebalance_timeout(&self) -> SimSpan {
        self.members.iter().map(|member| member.rebalance).max().unwrap_or(SimSpan::ZERO)
    }

    fn member_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        let index = self.members.binary_search_by_key(&id, |m| m.subscriber.id).ok()?;
        self.members.get_mut(index)
    }

    fn next_id(&mut self, client: u32) -> MemberId {
        self.n_ids += 1;
        MemberId { client, serial: self.n_ids }
    }
}
