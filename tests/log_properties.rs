//! What must hold for the log broker and for groups whatever happens.

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::group::{
    Assigned, Assignor, ClientNo, Coordinator, GroupMember, MemberConfig, MemberId, Output, Reply,
    Subscriber, Subscription, TopicNo, TopicPartition,
};
use inflight::model::log::{
    Acks, Answer, Content, Isolation, Key, Log, LogConfig, NewRecord, Partition, PartitionConfig,
    Produce, Produced, ReplicaNo,
};
use proptest::prelude::*;

const ASSIGNORS: [Assignor; 4] =
    [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky];

fn subscriber(client: u32, topics: u8, n_topics: u16) -> Subscriber {
    let wanted = |topic: &u16| topics >> topic & 1 == 1;
    let topics = (0..n_topics).filter(wanted).map(TopicNo).collect();
    let subscription = Subscription { topics, ..Subscription::default() };
    Subscriber { id: MemberId { client, serial: 0 }, instance: None, subscription }
}

/// Each wanted partition belongs to exactly one member, and that one wants it.
fn check_complete(n_partitions: &[u32], members: &[Subscriber], assigned: &[Assigned]) {
    let mut n_owners: Vec<Vec<u32>> = n_partitions.iter().map(|n| vec![0; *n as usize]).collect();
    for (member, assigned) in members.iter().zip(assigned) {
        assert_eq!(member.id, assigned.member);
        for partition in &assigned.partitions {
            assert!(member.subscription.topics.contains(&partition.topic));
            n_owners[usize::from(partition.topic.0)][partition.partition as usize] += 1;
        }
    }
    for (topic, owners) in n_owners.iter().enumerate() {
        let topic = TopicNo(topic as u16);
        let is_wanted = members.iter().any(|m| m.subscription.topics.contains(&topic));
        assert!(owners.iter().all(|n| *n == u32::from(is_wanted)), "{topic:?}: {owners:?}");
    }
}

fn keep(members: &mut [Subscriber], assigned: Vec<Assigned>, generation: u32) -> bool {
    let mut has_revoked = false;
    for (member, assigned) in members.iter_mut().zip(assigned) {
        let owned = &mut member.subscription.owned;
        has_revoked |= owned.iter().any(|partition| !assigned.partitions.contains(partition));
        *owned = assigned.partitions;
        member.subscription.generation = Some(generation);
    }
    has_revoked
}

/// A change of a group: who is there, what they want, how many partitions there are.
type Change = (Vec<(u32, u8)>, Vec<u32>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let members = prop::collection::btree_map(0_u32..12, 0_u8..8, 1..8);
    let members = members.prop_map(|map| map.into_iter().collect());
    prop::collection::vec((members, prop::collection::vec(0_u32..9, 3)), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_assignor_gives_every_wanted_partition_to_exactly_one(changes in changes()) {
        for assignor in ASSIGNORS {
            let mut members: Vec<Subscriber> = Vec::new();
            let mut generation = 0;
            for (present, n_partitions) in &changes {
                let before = std::mem::take(&mut members);
                for (client, topics) in present {
                    let mut member = subscriber(*client, *topics, 3);
                    if let Some(old) = before.iter().find(|old| old.id == member.id) {
                        member.subscription.owned.clone_from(&old.subscription.owned);
                        member.subscription.generation = old.subscription.generation;
                    }
                    members.push(member);
                }
                for round in 0.. {
                    prop_assert!(round < 10, "{assignor:?} does not settle");
                    let assigned = assignor.assign(n_partitions, &members);
                    generation += 1;
                    let last = assigned.clone();
                    let has_revoked = keep(&mut members, assigned, generation);
                    if !assignor.is_cooperative() || !has_revoked {
                        check_complete(n_partitions, &members, &last);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn among_equals_nobody_has_two_more_than_another(n in 0_u32..40, k in 1_u32..9) {
        let members: Vec<Subscriber> = (0..k).map(|client| subscriber(client, 1, 1)).collect();
        for assignor in ASSIGNORS {
            let assigned = assignor.assign(&[n], &members);
            let sizes = assigned.iter().map(|assigned| assigned.partitions.len() as u32);
            let (least, most) = (sizes.clone().min(), sizes.max());
            prop_assert_eq!([least, most], [Some(n / k), Some(n.div_ceil(k))]);
        }
    }

    #[test]
    fn a_sticky_members_leaving_moves_only_what_it_had(
        n in 1_u32..30,
        k in 2_u32..8,
        gone in 0_u32..8,
    ) {
        let mut members: Vec<Subscriber> = (0..k).map(|client| subscriber(client, 1, 1)).collect();
        let first = Assignor::Sticky.assign(&[n], &members);
        keep(&mut members, first, 1);
        members.remove((gone % k) as usize);
        let assigned = Assignor::Sticky.assign(&[n], &members);
        for (member, assigned) in members.iter().zip(&assigned) {
            let owned = &member.subscription.owned;
            prop_assert!(owned.iter().all(|partition| assigned.partitions.contains(partition)));
        }
    }
}

/// What can happen to a replicated partition.
#[derive(Clone, Copy, Debug)]
enum Op {
    Produce(Acks),
    Fetch(u8),
    Crash(u8),
    Restart(u8),
    Shrink(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let acks = prop::sample::select(vec![Acks::None, Acks::Leader, Acks::All]);
    prop_oneof![
        4 => acks.prop_map(Op::Produce),
        6 => (0_u8..3).prop_map(Op::Fetch),
        1 => (0_u8..3).prop_map(Op::Crash),
        2 => (0_u8..3).prop_map(Op::Restart),
        1 => (0_u8..3).prop_map(Op::Shrink),
    ]
}

fn step(partition: &mut Partition<u64>, op: Op, number: u64, answers: &mut Vec<Answer>) -> bool {
    let now = SimTime::ZERO;
    match op {
        Op::Produce(acks) => {
            let record = NewRecord::value(now, 10, number);
            let produced = partition.produce(now, &Produce::plain(acks, number), &[record]);
            return acks == Acks::All && matches!(produced, Ok(Produced::Done(_)));
        }
        Op::Fetch(replica) => partition.follower_fetch(now, ReplicaNo(replica), answers),
        Op::Crash(replica) => partition.crash(ReplicaNo(replica), answers),
        Op::Restart(replica) => partition.restart(now, ReplicaNo(replica), answers),
        Op::Shrink(replica) => partition.shrink_isr(ReplicaNo(replica), answers),
    }
    false
}

fn messages(log: &Log<u64>, before: u64) -> Vec<u64> {
    log.read(0, before).map(|record| record.message).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_replicated_partition_keeps_its_promises(
        ops in prop::collection::vec(op(), 1..80),
        min_isr in 1_u32..4,
    ) {
        let config = PartitionConfig { min_isr, ..PartitionConfig::default() };
        let mut partition = Partition::new(config, 3);
        let (mut answers, mut promised) = (Vec::new(), Vec::new());
        let mut seen: Vec<u64> = Vec::new();
        let mut last: Option<(u32, u64)> = None;
        for (number, op) in ops.into_iter().enumerate() {
            if step(&mut partition, op, number as u64, &mut answers) {
                promised.push(number as u64);
            }
            let kept = answers.drain(..).filter(|answer| answer.result.is_ok());
            promised.extend(kept.map(|answer| answer.ticket));
            for (_, replica) in partition.replicas() {
                let log = &replica.log;
                prop_assert!(replica.high_watermark <= log.end());
                let offsets: Vec<u64> = log.read(0, log.end()).map(|r| r.offset).collect();
                prop_assert_eq!(offsets, (0..log.end()).collect::<Vec<_>>(), "dense");
            }
            let Some(leading) = partition.leading() else { continue };
            let mark = leading.high_watermark;
            if let Some((epoch, before)) = last.filter(|(epoch, _)| *epoch == partition.epoch()) {
                prop_assert!(before <= mark, "the mark went back in epoch {epoch}");
            }
            last = Some((partition.epoch(), mark));
            // Without unclean elections nothing that was readable or promised is ever lost.
            let readable = messages(&leading.log, mark);
            let n = seen.len().min(readable.len());
            prop_assert_eq!(&seen[..n], &readable[..n], "what consumers saw stays");
            if seen.len() < readable.len() {
                seen = readable;
            }
            let all = messages(&leading.log, leading.log.end());
            for message in &promised {
                prop_assert!(all.contains(message), "{message} was acknowledged by all");
            }
        }
    }

    #[test]
    fn a_follower_that_comes_back_ends_with_its_leaders_log(
        ops in prop::collection::vec(op(), 1..60),
        is_unclean in any::<bool>(),
    ) {
        let config = PartitionConfig { is_unclean, ..PartitionConfig::default() };
        let mut partition = Partition::new(config, 3);
        let mut answers = Vec::new();
        for (number, op) in ops.into_iter().enumerate() {
            step(&mut partition, op, number as u64, &mut answers);
        }
        for replica in 0..3 {
            step(&mut partition, Op::Restart(replica), 0, &mut answers);
        }
        for replica in [0, 1, 2, 0, 1, 2] {
            step(&mut partition, Op::Fetch(replica), 0, &mut answers);
        }
        let leader = partition.leading().expect("all brokers live");
        for (_, replica) in partition.replicas() {
            prop_assert_eq!(messages(&replica.log, u64::MAX), messages(&leader.log, u64::MAX));
            prop_assert_eq!(replica.log.end(), leader.log.end());
        }
    }

    #[test]
    fn compaction_keeps_the_last_of_every_key_and_never_changes_an_offset(
        records in prop::collection::vec((0_u32..5, any::<bool>()), 1..60),
        active in 0_usize..60,
    ) {
        let mut log: Log<u64> = Log::new(LogConfig::default());
        for (number, (key, is_value)) in records.iter().enumerate() {
            if number == active {
                log.roll();
            }
            let content = if *is_value { Content::Value } else { Content::Tombstone };
            let value = NewRecord::value(SimTime::ZERO, 10, number as u64);
            log.append(0, None, &[NewRecord { key: Some(Key(*key)), content, ..value }]);
        }
        log.compact(SimTime::ZERO);
        let boundary = if active < records.len() { active } else { 0 };
        let is_last = |offset: usize| {
            !records[offset + 1..boundary].iter().any(|(key, _)| *key == records[offset].0)
        };
        let kept: Vec<u64> = log.read(0, log.end()).map(|record| record.offset).collect();
        let expected = (0..records.len()).filter(|o| boundary <= *o || is_last(*o));
        prop_assert_eq!(kept, expected.map(|offset| offset as u64).collect::<Vec<_>>());
        prop_assert!(log.read(0, log.end()).all(|record| record.message == record.offset));
        prop_assert_eq!(log.bytes(), 10 * u64::from(log.len()));
    }
}

/// A group without latency whose members come, stall, crash and leave.
struct Group {
    coordinator: Coordinator,
    members: Vec<Option<GroupMember>>,
    now: SimTime,
}

impl Group {
    fn deliver(&mut self, from: usize, out: Vec<Output>) {
        for output in out {
            let Output::Send(request) = output else { continue };
            let mut replies = Vec::new();
            let client = ClientNo(from as u32);
            self.coordinator.on_message(self.now, client, request, &mut replies);
            self.answer(replies);
        }
    }

    fn answer(&mut self, replies: Vec<Reply>) {
        for Reply { to, answer } in replies {
            let index = to.0 as usize;
            let Some(member) = &mut self.members[index] else { continue };
            let mut out = Vec::new();
            member.on_message(self.now, answer, &mut out);
            self.deliver(index, out);
        }
    }

    fn run(&mut self, end: SimTime) {
        for _ in 0..200_000 {
            let members = self.members.iter().flatten().map(GroupMember::next_wake);
            let next = members.chain([self.coordinator.next_wake()]).flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            let mut replies = Vec::new();
            self.coordinator.on_wake(self.now, &mut replies);
            self.answer(replies);
            for index in 0..self.members.len() {
                let Some(member) = &mut self.members[index] else { continue };
                let mut out = Vec::new();
                member.on_wake(self.now, &mut out);
                self.deliver(index, out);
            }
            self.check_fenced();
        }
        panic!("the group never rests");
    }

    /// No two members of the present generation have the same partition.
    fn check_fenced(&self) {
        let generation = self.coordinator.gauges().generation;
        let current = |member: &&GroupMember| member.gauges().generation == Some(generation);
        let members = self.members.iter().flatten().filter(current);
        let mut owned: Vec<TopicPartition> = members.flat_map(|m| m.owned().to_vec()).collect();
        let n = owned.len();
        owned.sort_unstable();
        owned.dedup();
        assert_eq!(owned.len(), n, "a partition has two owners in generation {generation}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_group_left_alone_gives_every_partition_to_a_living_member(
        ops in prop::collection::vec((0_u8..4, 0_usize..6, 1_u64..20_000), 1..20),
        assignor in prop::sample::select(ASSIGNORS.to_vec()),
    ) {
        let coordinator = Coordinator::new(SimSpan::s(3));
        let mut group = Group { coordinator, members: Vec::new(), now: SimTime::ZERO };
        let mut ms = 0;
        for (kind, which, wait_ms) in ops {
            match (kind, group.members.get_mut(which).and_then(Option::as_mut)) {
                (0, _) | (_, None) => {
                    let config = MemberConfig {
                        client: group.members.len() as u32 % 5,
                        assignor,
                        n_partitions: vec![7],
                        session: SimSpan::s(10),
                        max_poll: SimSpan::s(15),
                        ..MemberConfig::default()
                    };
                    group.members.push(Some(GroupMember::new(config, group.now)));
                }
                (1, Some(member)) => {
                    let until = group.now.saturating_add(SimSpan::ms(3 * wait_ms));
                    member.stall(until);
                }
                (2, Some(_)) => group.members[which] = None,
                (_, Some(member)) => {
                    let mut out = Vec::new();
                    member.close(&mut out);
                    group.deliver(which, out);
                    group.members[which] = None;
                }
            }
            ms += wait_ms;
            group.run(SimTime::from_ns(ms * 1_000_000));
        }
        group.run(SimTime::from_ns((ms + 200_000) * 1_000_000));
        let mut owned: Vec<u32> =
            group.members.iter().flatten().flat_map(|m| m.owned()).map(|p| p.partition).collect();
        owned.sort_unstable();
        let n_living = group.members.iter().flatten().count();
        let expected: Vec<u32> = if n_living == 0 { Vec::new() } else { (0..7).collect() };
        prop_assert_eq!(owned, expected);
    }
}

#[test]
fn a_reader_below_the_mark_sees_what_was_written_in_order() {
    let mut partition: Partition<u64> = Partition::new(PartitionConfig::default(), 1);
    for number in 0..1000 {
        let record = NewRecord::value(SimTime::ZERO, 10, number);
        let request = Produce::plain(Acks::Leader, 0);
        assert!(partition.produce(SimTime::ZERO, &request, &[record]).is_ok());
    }
    let read = partition.read(17, Isolation::Uncommitted).map(|record| record.message);
    assert!(read.eq(17..1000));
}
