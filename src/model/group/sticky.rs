//! The sticky assignor: even, and what a member has it keeps if it may.
//!
//! This file reads the claims and has the way for members that all want the same topics;
//! `unequal.rs` has the other. Source: `AbstractStickyAssignor`.

use std::collections::VecDeque;

use super::assign::{Assigned, MemberId, Subscriber, TopicNo, TopicPartition};
use super::unequal;

/// All partitions as numbers from 0, by topic and number.
pub(super) struct Numbering {
    /// The number of each topic's first partition, and at the end how many there are.
    bases: Vec<u32>,
}

impl Numbering {
    fn new(n_partitions: &[u32]) -> Numbering {
        let mut bases = vec![0];
        for n in n_partitions {
            bases.push(bases[bases.len() - 1] + n);
        }
        Numbering { bases }
    }

    /// How many partitions there are.
    pub(super) fn len(&self) -> u32 {
        self.bases[self.bases.len() - 1]
    }

    /// A partition's number; `None` for one that does not exist.
    pub(super) fn number(&self, partition: TopicPartition) -> Option<u32> {
        let topic = usize::from(partition.topic.0);
        let [base, end] = [*self.bases.get(topic)?, *self.bases.get(topic + 1)?];
        (partition.partition < end - base).then_some(base + partition.partition)
    }

    /// The partition with a number.
    pub(super) fn partition(&self, number: u32) -> TopicPartition {
        let topic = self.bases.partition_point(|base| *base <= number) - 1;
        let partition = number - self.bases[topic];
        TopicPartition { topic: TopicNo(topic as u16), partition }
    }

    /// The numbers of a topic's partitions.
    pub(super) fn of_topic(&self, topic: TopicNo) -> std::ops::Range<u32> {
        let topic = usize::from(topic.0);
        match self.bases.get(topic + 1) {
            Some(end) => self.bases[topic]..*end,
            None => 0..0,
        }
    }
}

/// What the members claim to own.
pub(super) struct Claims {
    /// Per member, what is believed, in the member's own order.
    pub(super) owned: Vec<Vec<u32>>,
    /// Per partition, who had it in an older generation than the newest.
    pub(super) previous: Vec<Option<u32>>,
}

/// Divides all partitions; members by rising id, the answer in the same order.
///
/// `order` lists the members' places as their claims are looked at.
pub(super) fn assign(
    n_partitions: &[u32],
    members: &[&Subscriber],
    order: &[usize],
) -> Vec<Assigned> {
    // A topic that nobody wants is not looked at.
    let wanted = |topic: usize| {
        let topic = TopicNo(topic as u16);
        members.iter().any(|member| member.subscription.topics.contains(&topic))
    };
    let n_wanted: Vec<u32> =
        n_partitions.iter().enumerate().map(|(t, n)| if wanted(t) { *n } else { 0 }).collect();
    let numbering = Numbering::new(&n_wanted);
    let claims = believe(&numbering, members);
    let all_equal =
        members.windows(2).all(|two| two[0].subscription.topics == two[1].subscription.topics);
    let lists = if all_equal {
        assign_equal(&numbering, order, claims.owned)
    } else {
        unequal::assign(&numbering, members, claims)
    };
    let named = |(member, list): (&&Subscriber, Vec<u32>)| Assigned {
        member: member.id,
        partitions: list.into_iter().map(|number| numbering.partition(number)).collect(),
    };
    members.iter().zip(lists).map(named).collect()
}

/// Who may keep what he claims: of two the one with the higher generation, of equals nobody.
fn believe(numbering: &Numbering, members: &[&Subscriber]) -> Claims {
    let n = numbering.len() as usize;
    let generation = |member: usize| members[member].subscription.generation;
    let mut owner: Vec<Option<usize>> = vec![None; n];
    let mut is_disputed = vec![false; n];
    let mut previous: Vec<Option<u32>> = vec![None; n];
    let newest = (0..members.len()).map(generation).max().flatten();
    for (index, member) in members.iter().enumerate() {
        for number in member.subscription.owned.iter().filter_map(|p| numbering.number(*p)) {
            let place = number as usize;
            match owner[place] {
                Some(other) if generation(other) == generation(index) => is_disputed[place] = true,
                Some(other) if generation(index) < generation(other) => {}
                _ => owner[place] = Some(index),
            }
            let is_older = |other: u32| generation(other as usize) < generation(index);
            let is_newer = previous[place].is_none_or(is_older);
            if generation(index) < newest && is_newer {
                previous[place] = Some(index as u32);
            }
        }
    }
    let mut owned = vec![Vec::new(); members.len()];
    for (index, member) in members.iter().enumerate() {
        for number in member.subscription.owned.iter().filter_map(|p| numbering.number(*p)) {
            let place = number as usize;
            if owner[place] == Some(index) && !is_disputed[place] && !owned[index].contains(&number)
            {
                owned[index].push(number);
            }
        }
    }
    Claims { owned, previous }
}

/// All want the same: each gets `low` or one more, and keeps as much of its own as that allows.
fn assign_equal(numbering: &Numbering, order: &[usize], claims: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
    if claims.is_empty() {
        return Vec::new();
    }
    let n = numbering.len() as usize;
    let low = n / claims.len();
    let high = n.div_ceil(claims.len());
    let n_high = n % claims.len();
    let mut lists = claims;
    // Below `low`, and exactly at `low` with a chance of one more.
    let (mut under, mut exact) = (Vec::new(), Vec::new());
    let mut n_at_high = 0;
    for member in order.iter().copied() {
        let claim = &mut lists[member];
        claim.sort_by_key(|number| {
            let TopicPartition { topic, partition } = numbering.partition(*number);
            (partition, topic)
        });
        if claim.len() < low {
            under.push(member);
        } else if high <= claim.len() && n_at_high < n_high {
            n_at_high += 1;
            if n_at_high == n_high {
                exact.clear();
            }
            claim.truncate(high);
        } else {
            claim.truncate(low);
            if n_at_high < n_high {
                exact.push(member);
            }
        }
    }
    under.sort_unstable();
    exact.sort_unstable();
    fill(&mut lists, n, low, under, exact.into());
    lists
}

/// Gives what is free to those below `low` in turn, then one each to those at `low`.
fn fill(
    lists: &mut [Vec<u32>],
    n: usize,
    low: usize,
    mut under: Vec<usize>,
    mut exact: VecDeque<usize>,
) {
    let mut is_free = vec![true; n];
    lists.iter().flatten().for_each(|number| is_free[*number as usize] = false);
    let mut turn = 0;
    for number in (0..n as u32).filter(|number| is_free[*number as usize]) {
        if under.is_empty() {
            let member = exact.pop_front().expect("the sizes add up");
            lists[member].push(number);
            continue;
        }
        turn %= under.len();
        let member = under[turn];
        lists[member].push(number);
        if lists[member].len() == low {
            under.remove(turn);
            exact.push_back(member);
        } else {
            turn += 1;
        }
    }
}

/// Ids of members, for those who only have their places.
pub(super) fn ids(members: &[&Subscriber]) -> Vec<MemberId> {
    members.iter().map(|member| member.id).collect()
}

#[cfg(test)]
mod tests {
    use super::super::assign::{Assignor, Subscription};
    use super::*;

    fn member(client: u32, owned: &[u32], generation: u32) -> Subscriber {
        let id = MemberId { client, serial: 0 };
        let topic = TopicNo(0);
        let owned = owned.iter().map(|p| TopicPartition { topic, partition: *p }).collect();
        let subscription =
            Subscription { topics: vec![topic], owned, generation: Some(generation) };
        Subscriber { id, instance: None, subscription }
    }

    fn numbers(assigned: &[Assigned]) -> Vec<Vec<u32>> {
        let of_one = |a: &Assigned| a.partitions.iter().map(|p| p.partition).collect();
        assigned.iter().map(of_one).collect()
    }

    #[test]
    fn who_stays_keeps_its_own_and_gets_the_leavers_partitions_besides() {
        let members = [member(1, &[1, 4], 1), member(2, &[2, 5], 1)];
        let assigned = Assignor::Sticky.assign(&[6], &members);
        assert_eq!(numbers(&assigned), [[1, 4, 0], [2, 5, 3]]);
    }

    #[test]
    fn of_two_full_members_the_one_looked_at_first_keeps_one_more() {
        let members = [member(1, &[2, 3], 1), member(0, &[0, 1], 1), member(2, &[], 1)];
        assert_eq!(
            numbers(&Assignor::Sticky.assign(&[4], &members)),
            [vec![0], vec![2, 3], vec![1]]
        );
    }

    #[test]
    fn what_two_claim_of_the_same_generation_neither_keeps() {
        let members = [member(0, &[0, 1], 4), member(1, &[0, 1], 5)];
        assert_eq!(numbers(&Assignor::Sticky.assign(&[2], &members)), [[1], [0]]);
        let members = [member(0, &[1], 5), member(1, &[1], 5)];
        assert_eq!(numbers(&Assignor::Sticky.assign(&[2], &members)), [[0], [1]]);
    }

    #[test]
    fn a_newcomer_of_a_cooperative_group_waits_for_the_second_round() {
        let members = [member(0, &[0, 1], 1), member(1, &[], 1)];
        let first = Assignor::CooperativeSticky.assign(&[2], &members);
        assert_eq!(numbers(&first), [vec![0], vec![]]);
        let members = [member(0, &[0], 2), member(1, &[], 2)];
        let second = Assignor::CooperativeSticky.assign(&[2], &members);
        assert_eq!(numbers(&second), [[0], [1]]);
    }
}
