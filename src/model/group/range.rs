//! The two assignors without memory: range and round robin.
//!
//! Both serve static members first, by instance, then the others by id, so that a restart under
//! another member id changes nothing. Source: `RangeAssignor`, `RoundRobinAssignor`.

use super::assign::{Assigned, Subscriber, TopicNo, TopicPartition};

/// Places of the members in the order in which they are served.
fn serving_order(members: &[&Subscriber]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    let rank = |index: &usize| {
        let member = members[*index];
        (member.instance.is_none(), member.instance, member.id)
    };
    order.sort_by_key(rank);
    order
}

fn nothing(members: &[&Subscriber]) -> Vec<Assigned> {
    let none = |member: &&Subscriber| Assigned { member: member.id, partitions: Vec::new() };
    members.iter().map(none).collect()
}

fn wants(member: &Subscriber, topic: TopicNo) -> bool {
    member.subscription.topics.binary_search(&topic).is_ok()
}

/// Per topic, consecutive partitions; the first members get one more.
pub(super) fn range(n_partitions: &[u32], members: &[&Subscriber]) -> Vec<Assigned> {
    let mut assigned = nothing(members);
    let order = serving_order(members);
    for (topic, n) in n_partitions.iter().enumerate() {
        let topic = TopicNo(topic as u16);
        let takers: Vec<usize> =
            order.iter().copied().filter(|i| wants(members[*i], topic)).collect();
        let Some(share) = n.checked_div(takers.len() as u32) else { continue };
        let n_larger = n % takers.len() as u32;
        let mut next = 0;
        for (place, taker) in takers.into_iter().enumerate() {
            let size = share + u32::from((place as u32) < n_larger);
            let partitions =
                (next..next + size).map(|partition| TopicPartition { topic, partition });
            assigned[taker].partitions.extend(partitions);
            next += size;
        }
    }
    assigned
}

/// All partitions by topic and number, one to each member in turn; who does not want it is skipped.
pub(super) fn round_robin(n_partitions: &[u32], members: &[&Subscriber]) -> Vec<Assigned> {
    let mut assigned = nothing(members);
    let order = serving_order(members);
    let mut turn = 0;
    for (topic, n) in n_partitions.iter().enumerate() {
        let topic = TopicNo(topic as u16);
        if !members.iter().any(|member| wants(member, topic)) {
            continue;
        }
        for partition in 0..*n {
            while !wants(members[order[turn]], topic) {
                turn = (turn + 1) % order.len();
            }
            assigned[order[turn]].partitions.push(TopicPartition { topic, partition });
            turn = (turn + 1) % order.len();
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::super::assign::{Assignor, InstanceId, MemberId, Subscription};
    use super::*;

    fn member(client: u32, instance: Option<u32>, topics: &[u16]) -> Subscriber {
        let topics = topics.iter().map(|topic| TopicNo(*topic)).collect();
        let subscription = Subscription { topics, ..Subscription::default() };
        let id = MemberId { client, serial: 0 };
        Subscriber { id, instance: instance.map(InstanceId), subscription }
    }

    fn sizes(assigned: &[Assigned]) -> Vec<usize> {
        assigned.iter().map(|assigned| assigned.partitions.len()).collect()
    }

    #[test]
    fn range_gives_the_first_member_one_more_of_every_topic() {
        let members = [member(0, None, &[0, 1, 2]), member(1, None, &[0, 1, 2])];
        assert_eq!(sizes(&Assignor::Range.assign(&[3, 3, 3], &members)), [6, 3]);
        assert_eq!(sizes(&Assignor::RoundRobin.assign(&[3, 3, 3], &members)), [5, 4]);
    }

    #[test]
    fn static_members_are_served_first_whatever_their_id() {
        let members = [member(0, None, &[0]), member(1, Some(7), &[0])];
        let assigned = Assignor::Range.assign(&[3], &members);
        assert_eq!(sizes(&assigned), [1, 2]);
        assert_eq!(assigned[0].partitions[0].partition, 2);
    }

    #[test]
    fn a_topic_that_nobody_wants_is_given_to_nobody() {
        let members = [member(0, None, &[0])];
        assert_eq!(sizes(&Assignor::RoundRobin.assign(&[1, 5], &members)), [1]);
    }
}
