//! Who reads which partition: the words that all assignors share, and the choice among them.
//!
//! Source: `AbstractPartitionAssignor`, `ConsumerPartitionAssignor`. Racks are left out.

use super::{range, sticky};

/// Most partitions of all topics of a group.
pub const PARTITIONS_LIMIT: u32 = 65_536;

/// A topic; numbers are given in the order of the topics' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicNo(pub u16);

/// A partition of a topic, ordered by topic, then number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicNo,
    /// Its number in the topic, from 0.
    pub partition: u32,
}

/// A member of a group. Ids order as Kafka's do: by the client's name, then by what was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// The client; numbers are given in the order of the clients' names.
    pub client: u32,
    /// Which incarnation: ids are never used again.
    pub serial: u32,
}

/// A client that keeps its place over a restart (`group.instance.id`); numbers are given in the
/// order of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u32);

/// What a member tells when it joins.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Subscription {
    /// The topics it wants, rising.
    pub topics: Vec<TopicNo>,
    /// Partitions it claims to own, in its own order.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got them.
    pub generation: Option<u32>,
}

/// A member as an assignor sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// Its id.
    pub id: MemberId,
    /// Its instance, if it is a static member.
    pub instance: Option<InstanceId>,
    /// What it told.
    pub subscription: Subscription,
}

/// One member's partitions, in the assignor's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The member.
    pub member: MemberId,
    /// What it gets.
    pub partitions: Vec<TopicPartition>,
}

/// How a group divides partitions (`partition.assignment.strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Assignor {
    /// Consecutive partitions of each topic.
    #[default]
    Range,
    /// One after the other over all topics.
    RoundRobin,
    /// Even, moving as little as possible.
    Sticky,
    /// The same, in two rebalances: what moves is given up in the first and given out in the
    /// second; all else goes on.
    CooperativeSticky,
}

impl Assignor {
    /// Whether members keep their partitions while they join.
    pub const fn is_cooperative(self) -> bool {
        matches!(self, Assignor::CooperativeSticky)
    }

    /// Divides the partitions. `n_partitions` is each topic's number of partitions, 0 for a topic
    /// that does not exist; the answer is by rising member.
    ///
    /// The sticky assignors look at the members' claims in the order in which they are given:
    /// it decides who keeps one more. The original follows the hash order of its members' ids.
    pub fn assign(self, n_partitions: &[u32], members: &[Subscriber]) -> Vec<Assigned> {
        let total: u64 = n_partitions.iter().map(|n| u64::from(*n)).sum();
        assert!(total <= u64::from(PARTITIONS_LIMIT), "{total} partitions");
        let given = members;
        let mut members: Vec<&Subscriber> = members.iter().collect();
        members.sort_by_key(|member| member.id);
        let place = |member: &Subscriber| members.partition_point(|other| other.id < member.id);
        let order: Vec<usize> = given.iter().map(place).collect();
        match self {
            Assignor::Range => range::range(n_partitions, &members),
            Assignor::RoundRobin => range::round_robin(n_partitions, &members),
            Assignor::Sticky => sticky::assign(n_partitions, &members, &order),
            Assignor::CooperativeSticky => {
                let mut assigned = sticky::assign(n_partitions, &members, &order);
                hold_back_what_moves(&members, &mut assigned);
                assigned
            }
        }
    }
}

/// Takes out of each new owner's list what somebody else still owns.
fn hold_back_what_moves(members: &[&Subscriber], assigned: &mut [Assigned]) {
    let mut revoked: Vec<TopicPartition> = Vec::new();
    for (member, now) in members.iter().zip(&*assigned) {
        let owned = member.subscription.owned.iter();
        revoked.extend(owned.filter(|partition| !now.partitions.contains(partition)));
    }
    revoked.sort_unstable();
    for (member, now) in members.iter().zip(assigned) {
        let owned = &member.subscription.owned;
        let moves = |p: &TopicPartition| !owned.contains(p) && revoked.binary_search(p).is_ok();
        now.partitions.retain(|partition| !moves(partition));
    }
}
