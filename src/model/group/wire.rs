//! What members and their coordinator say to each other: the classic protocol.

use super::assign::{Assigned, InstanceId, MemberId, Subscriber, Subscription, TopicPartition};
use crate::kernel::SimSpan;

/// A member's address: the number is the caller's own, one per running client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNo(pub u32);

/// What a member asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// To take part in the next generation.
    Join(Join),
    /// For its part of the generation's assignment; the leader brings the assignment along.
    Sync {
        /// Who asks.
        member: MemberId,
        /// In which generation.
        generation: u32,
        /// From the leader: who gets what. From others nothing.
        assignment: Vec<Assigned>,
    },
    /// Says that it lives.
    Heartbeat {
        /// Who lives.
        member: MemberId,
        /// In which generation.
        generation: u32,
    },
    /// It goes.
    Leave {
        /// Who goes.
        member: MemberId,
    },
    /// Writes down how far a partition is done.
    Commit {
        /// Who was working.
        member: MemberId,
        /// In which generation.
        generation: u32,
        /// The partition.
        partition: TopicPartition,
        /// The next offset to be read.
        offset: u64,
    },
}

/// A member wants to take part.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Its client's number by name: ids are ordered by it.
    pub client: u32,
    /// The id that the coordinator gave it, if it has one.
    pub member: Option<MemberId>,
    /// Its instance, if it is a static member.
    pub instance: Option<InstanceId>,
    /// Without a sign of life for so long it is removed (`session.timeout.ms`).
    pub session: SimSpan,
    /// How long a rebalance may wait for it (`max.poll.interval.ms`).
    pub rebalance: SimSpan,
    /// What it wants and has.
    pub subscription: Subscription,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// Join again under this id.
    MemberIdRequired(MemberId),
    /// Nobody of that id is in the group.
    UnknownMemberId,
    /// The group is in another generation.
    IllegalGeneration,
    /// Join again: a rebalance has begun.
    RebalanceInProgress,
    /// Another client took over the instance.
    FencedInstanceId,
    /// The group is full.
    GroupMaxSizeReached,
}

impl GroupError {
    /// Kafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            GroupError::MemberIdRequired(_) => "MEMBER_ID_REQUIRED",
            GroupError::UnknownMemberId => "UNKNOWN_MEMBER_ID",
            GroupError::IllegalGeneration => "ILLEGAL_GENERATION",
            GroupError::RebalanceInProgress => "REBALANCE_IN_PROGRESS",
            GroupError::FencedInstanceId => "FENCED_INSTANCE_ID",
            GroupError::GroupMaxSizeReached => "GROUP_MAX_SIZE_REACHED",
        }
    }
}

/// The answer to a successful join.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The member's id.
    pub member: MemberId,
    /// The generation.
    pub generation: u32,
    /// For the leader all members, which it has to serve; for the others nothing.
    pub members: Vec<Subscriber>,
    /// Whether it leads.
    pub is_leader: bool,
}

/// What the coordinator answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a join.
    Join(Result<Joined, GroupError>),
    /// To a sync: the member's partitions.
    Sync(Result<Vec<TopicPartition>, GroupError>),
    /// To a heartbeat.
    Heartbeat(Result<(), GroupError>),
    /// To a leave.
    Leave(Result<(), GroupError>),
    /// To a commit.
    Commit(Result<(), GroupError>),
}

/// An answer on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// To whom.
    pub to: ClientNo,
    /// What.
    pub answer: Answer,
}
