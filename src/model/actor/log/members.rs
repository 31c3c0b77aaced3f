//! The groups of a log broker: the coordinator's machine, and its requests and answers as parcels.
//!
//! A member's id is its port and a serial number. In Kafka the leader divides the partitions; its
//! division follows from what all members said when the generation began, which the broker still
//! has, so the leader's sync names only how it divides.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::log::partitions_of;
use crate::model::fact::Fact;
use crate::model::ground::Ctx;
use crate::model::group::{
    Answer, Assigned, Assignor, ClientNo, Coordinator, GroupGauges, InstanceId, Join, MemberId,
    Reply, Request, Subscriber, Subscription, TopicNo, TopicPartition,
};
use crate::model::log_parcel::{GroupAnswer, JoinRequest};

/// The topic: there is one.
pub const TOPIC: TopicNo = TopicNo(0);

/// A group and its coordinator.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its name; empty when it is one consumer without a group.
    pub name: String,
    /// The port of that consumer.
    pub single: Option<u16>,
    /// The machine.
    pub coordinator: Coordinator,
    /// What each generation's leader heard of all members, and of how many partitions.
    members: Vec<Subscriber>,
    n_partitions: u32,
    seen: GroupGauges,
    replies: Vec<Reply>,
}

/// A partition of the topic.
pub fn partition(number: u8) -> TopicPartition {
    TopicPartition { topic: TOPIC, partition: u32::from(number) }
}

/// Partitions as a set.
pub fn set_of(partitions: &[TopicPartition]) -> u64 {
    partitions.iter().fold(0, |set, p| set | 1_u64.checked_shl(p.partition).unwrap_or(0))
}

impl Group {
    /// An empty group.
    pub fn new(name: &str, single: Option<u16>, initial_delay: SimSpan) -> Group {
        let coordinator = Coordinator::new(initial_delay);
        Group {
            name: name.to_owned(),
            single,
            seen: coordinator.gauges(),
            coordinator,
            members: Vec::new(),
            n_partitions: 0,
            replies: Vec::new(),
        }
    }

    /// A member joins, while the topic has `n_partitions`.
    pub fn join(&mut self, now: SimTime, port: u16, request: &JoinRequest) {
        let topic_partitions = partitions_of(request.owned).map(partition).collect();
        let generation = (request.generation != 0).then_some(request.generation);
        let subscription =
            Subscription { topics: vec![TOPIC], owned: topic_partitions, generation };
        self.ask(
            now,
            port,
            Request::Join(Join {
                client: u32::from(port),
                member: id_of(port, request.serial),
                instance: request.is_static.then_some(InstanceId(u32::from(port))),
                session: SimSpan::ms(u64::from(request.session_ms)),
                rebalance: SimSpan::ms(u64::from(request.rebalance_ms)),
                subscription,
            }),
        );
    }

    /// A member asks for its partitions; the leader says how it divides them.
    pub fn sync(
        &mut self,
        now: SimTime,
        port: u16,
        (serial, generation): (u32, u32),
        by: Option<Assignor>,
    ) {
        let Some(member) = id_of(port, serial) else { return };
        let leads = self.coordinator.leader() == Some(member);
        let divide = |by: Assignor| by.assign(&[self.n_partitions], &self.members);
        let assignment: Vec<Assigned> = by.filter(|_| leads).map(divide).unwrap_or_default();
        self.ask(now, port, Request::Sync { member, generation, assignment });
    }

    /// A member says something else; `request` gets its id.
    pub fn say(
        &mut self,
        now: SimTime,
        port: u16,
        serial: u32,
        request: impl FnOnce(MemberId) -> Request,
    ) {
        if let Some(member) = id_of(port, serial) {
            self.ask(now, port, request(member));
        }
    }

    /// Whether a commit counts, and if so what is committed then.
    pub fn commit(
        &mut self,
        now: SimTime,
        port: u16,
        (serial, generation): (u32, u32),
        (number, offset): (u8, u64),
    ) -> bool {
        let partition = partition(number);
        // A partition is never committed back: what is done is done.
        let offset = offset.max(self.committed(number).unwrap_or(0));
        let request = |member| Request::Commit { member, generation, partition, offset };
        let n_before = self.replies.len();
        self.say(now, port, serial, request);
        let answers = self.replies.get(n_before..).unwrap_or(&[]);
        answers.iter().any(|reply| matches!(reply.answer, Answer::Commit(Ok(()))))
    }

    /// Time has gone on.
    pub fn on_wake(&mut self, now: SimTime) {
        self.coordinator.on_wake(now, &mut self.replies);
    }

    /// States what has changed, and hands over the answers with their ports.
    pub fn answers(
        &mut self,
        cx: &mut Ctx<'_>,
        number: u8,
        n_partitions: u32,
        mut see: impl FnMut(&mut Ctx<'_>, u16, GroupAnswer),
    ) {
        let gauges = self.coordinator.gauges();
        let told = |g: GroupGauges| (g.state, g.generation, g.n_members);
        if told(gauges) != told(self.seen) {
            cx.fact(Fact::GroupTurned {
                at: cx.me,
                group: number,
                state: gauges.state,
                generation: gauges.generation,
                members: gauges.n_members as u16,
            });
        }
        self.seen = gauges;
        let mut replies = std::mem::take(&mut self.replies);
        for reply in replies.drain(..) {
            let answer = match reply.answer {
                Answer::Join(Ok(joined)) => {
                    let n_members = joined.members.len() as u16;
                    if joined.is_leader {
                        self.members = joined.members;
                        self.n_partitions = n_partitions;
                    }
                    GroupAnswer::Joined {
                        serial: joined.member.serial,
                        generation: joined.generation,
                        leads: joined.is_leader,
                        n_members,
                    }
                }
                Answer::Join(Err(error)) => GroupAnswer::JoinRefused(error),
                Answer::Sync(answer) => GroupAnswer::Synced(answer.map(|all| set_of(&all))),
                Answer::Heartbeat(answer) => GroupAnswer::Heartbeat(answer),
                Answer::Commit(answer) => GroupAnswer::Committed(answer),
                // Who leaves does not wait to hear.
                Answer::Leave(_) => continue,
            };
            see(cx, reply.to.0 as u16, answer);
        }
        self.replies = replies;
    }

    /// The next offset to be read of a partition, if one was committed.
    pub fn committed(&self, number: u8) -> Option<u64> {
        self.coordinator.committed(partition(number))
    }

    /// The partitions of the member at a port, as the coordinator has them.
    pub fn assigned_to(&self, port: u16) -> u64 {
        let members = self.coordinator.members().iter();
        let its = members.filter(|member| member.subscriber.id.client == u32::from(port));
        its.fold(0, |set, member| set | set_of(&member.assignment))
    }

    fn ask(&mut self, now: SimTime, port: u16, request: Request) {
        let client = ClientNo(u32::from(port));
        self.coordinator.on_message(now, client, request, &mut self.replies);
    }
}

/// The id of the member at a port; serial numbers begin at 1.
fn id_of(port: u16, serial: u32) -> Option<MemberId> {
    (serial != 0).then_some(MemberId { client: u32::from(port), serial })
}
