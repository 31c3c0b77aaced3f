//! Consumer groups: who reads which partition, and how that changes.
//!
//! Sans-I/O machines with Kafka's semantics, and RocketMQ's where it differs.
//! `docs/models/groups.md` has the rules with their sources, and what is left out.
//!
//! Read `assign` and `wire` for the words, then `coordinator` and `member`, the two machines.
//! `range`, `sticky`, `unequal` divide partitions; `commit` says when an offset is written;
//! `rocket` is RocketMQ.

mod assign;
mod commit;
mod coordinator;
mod md5;
mod member;
mod range;
mod rocket;
mod roster;
mod sticky;
mod unequal;
mod wire;

pub use assign::{
    Assigned, Assignor, InstanceId, MemberId, PARTITIONS_LIMIT, Subscriber, Subscription, TopicNo,
    TopicPartition,
};
pub use commit::{CommitPolicy, Committer};
pub use coordinator::{COMMITS_LIMIT, Coordinator, GroupGauges, GroupState, MEMBERS_LIMIT};
pub use member::{GroupMember, MemberConfig, MemberGauges, Output, Phase};
pub use rocket::{
    Allocation, CheckBack, DELAY_LEVELS, FIRST_RETRY_LEVEL, Failed, HalfMessage, QueueNames,
    RETRIES, Tick, after_failure,
};
pub use roster::Member;
pub use wire::{Answer, ClientNo, GroupError, Join, Joined, Reply, Request};
