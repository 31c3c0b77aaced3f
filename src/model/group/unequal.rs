//! The sticky assignor when members want different topics: free partitions first, then moves
//! from the fuller to the emptier until nothing gets better.
//!
//! Source: `AbstractStickyAssignor.GeneralAssignmentBuilder`. Where the original follows the
//! order of a hash set, this takes the lowest.

use super::assign::{MemberId, Subscriber, TopicNo};
use super::sticky::{Claims, Numbering, ids};

/// A partition that went from one member to another in this run.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Movement {
    from: u32,
    to: u32,
}

/// The state of one run; members are places in the list by rising id.
struct Balancing<'a> {
    numbering: &'a Numbering,
    ids: Vec<MemberId>,
    /// Per member and topic, whether it wants it.
    wants: Vec<Vec<bool>>,
    /// Per member, how many partitions it could have.
    most: Vec<u32>,
    /// Per topic, the members that want it.
    takers: Vec<Vec<u32>>,
    previous: Vec<Option<u32>>,
    lists: Vec<Vec<u32>>,
    owner: Vec<Option<u32>>,
    movements: Vec<Option<Movement>>,
    /// Members that can neither gain nor give are set aside.
    is_fixed: Vec<bool>,
}

/// Divides all partitions; the answer is by rising member.
pub(super) fn assign(
    numbering: &Numbering,
    members: &[&Subscriber],
    claims: Claims,
) -> Vec<Vec<u32>> {
    let (mut balancing, is_revoked) = Balancing::new(numbering, members, claims);
    balancing.run(is_revoked);
    balancing.lists
}

impl Balancing<'_> {
    /// Takes the claims that are still allowed; also says whether one was not because its topic
    /// is no longer wanted.
    fn new<'a>(
        numbering: &'a Numbering,
        members: &[&Subscriber],
        claims: Claims,
    ) -> (Balancing<'a>, bool) {
        let n = numbering.len();
        let n_topics = members.iter().flat_map(|m| &m.subscription.topics).max();
        let n_topics = n_topics.map_or(0, |topic| usize::from(topic.0) + 1);
        let mut wants = vec![vec![false; n_topics]; members.len()];
        let mut takers = vec![Vec::new(); n_topics];
        for (index, member) in members.iter().enumerate() {
            for topic in &member.subscription.topics {
                wants[index][usize::from(topic.0)] = true;
                takers[usize::from(topic.0)].push(index as u32);
            }
        }
        let of_topics = |member: &&Subscriber| {
            let topics = member.subscription.topics.iter();
            topics.map(|topic| numbering.of_topic(*topic).len() as u32).sum()
        };
        let mut balancing = Balancing {
            numbering,
            ids: ids(members),
            most: members.iter().map(of_topics).collect(),
            wants,
            takers,
            previous: claims.previous,
            lists: vec![Vec::new(); members.len()],
            owner: vec![None; n as usize],
            movements: vec![None; n as usize],
            is_fixed: vec![false; members.len()],
        };
        let mut is_revoked = false;
        for (member, claim) in (0..).zip(claims.owned) {
            for number in claim {
                if balancing.may_have(member, number) {
                    balancing.give(number, member);
                } else {
                    is_revoked = true;
                }
            }
        }
        (balancing, is_revoked)
    }

    fn run(&mut self, is_revoked: bool) {
        let is_fresh = self.lists.iter().all(Vec::is_empty);
        let mut all: Vec<u32> = (0..self.numbering.len()).collect();
        all.sort_by_key(|number| (self.takers_of(*number).len(), *number));
        let mut free: Vec<u32> = all.clone();
        free.retain(|number| self.owner[*number as usize].is_none());
        for number in &free {
            if let Some(member) = self.emptiest(*number) {
                self.give(*number, member);
            }
        }
        // A partition that only one member wants stays, and so does a member that has only such.
        let movable = |balancing: &Self, number: &u32| 1 < balancing.takers_of(*number).len();
        all.retain(|number| movable(self, number));
        free.retain(|number| movable(self, number));
        for member in 0..self.lists.len() {
            let is_full = self.lists[member].len() as u32 == self.most[member];
            self.is_fixed[member] =
                is_full && !self.lists[member].iter().any(|number| movable(self, number));
        }
        let before = (self.lists.clone(), self.owner.clone());
        if !is_revoked {
            self.pass_until_settled(&free);
        }
        let has_moved = self.pass_until_settled(&all);
        if !is_fresh && has_moved && self.score(&before.0) <= self.score(&self.lists) {
            (self.lists, self.owner) = before;
        }
    }

    /// Goes over the partitions again and again until a pass moves nothing.
    fn pass_until_settled(&mut self, partitions: &[u32]) -> bool {
        let mut has_moved = false;
        loop {
            let mut moves = false;
            for number in partitions {
                if self.is_balanced() {
                    break;
                }
                moves |= self.improve(*number);
            }
            has_moved |= moves;
            if !moves {
                return has_moved;
            }
        }
    }

    /// Moves a partition to a member with at least two fewer, if there is one.
    fn improve(&mut self, number: u32) -> bool {
        let Some(owner) = self.owner[number as usize] else { return false };
        let size = self.size(owner);
        if let Some(previous) = self.previous[number as usize]
            && self.may_have(previous, number)
            && !self.is_fixed[previous as usize]
            && self.size(previous) + 1 < size
        {
            self.reassign(number, previous);
            return true;
        }
        if !self.takers_of(number).iter().any(|member| self.size(*member) + 1 < size) {
            return false;
        }
        let Some(member) = self.emptiest(number) else { return false };
        self.reassign(number, member);
        true
    }

    /// Gives a partition to a member; if another of the topic went the opposite way before, that
    /// one goes back instead.
    fn reassign(&mut self, number: u32, to: u32) {
        let Some(owner) = self.owner[number as usize] else { return };
        let topic = self.topic(number);
        let from = self.movements[number as usize].map_or(owner, |movement| movement.from);
        let reverse = Some(Movement { from: to, to: from });
        let mut of_topic = self.numbering.of_topic(TopicNo(topic as u16));
        let back = of_topic.find(|other| self.movements[*other as usize] == reverse);
        let moved = back.unwrap_or(number);
        let Some(old) = self.owner[moved as usize] else { return };
        let first = self.movements[moved as usize].map_or(old, |movement| movement.from);
        self.movements[moved as usize] = (first != to).then_some(Movement { from: first, to });
        self.lists[old as usize].retain(|other| *other != moved);
        self.give(moved, to);
    }

    fn give(&mut self, number: u32, member: u32) {
        self.lists[member as usize].push(number);
        self.owner[number as usize] = Some(member);
    }

    fn size(&self, member: u32) -> u32 {
        self.lists[member as usize].len() as u32
    }

    /// Nobody could take a partition from a member with at least two more.
    fn is_balanced(&self) -> bool {
        let sizes = self.free_members().map(|member| self.size(member));
        let (Some(least), Some(most)) = (sizes.clone().min(), sizes.max()) else { return true };
        if most <= least + 1 {
            return true;
        }
        let could_gain = |member: u32| {
            let size = self.size(member);
            if size == self.most[member as usize] {
                return false;
            }
            (0..self.numbering.len()).any(|number| {
                let owner = self.owner[number as usize];
                let is_fuller = |owner| size + 1 < self.size(owner);
                self.may_have(member, number) && owner.is_some_and(is_fuller)
            })
        };
        !self.free_members().any(could_gain)
    }

    /// The sum over all pairs of members of the differences of their sizes.
    fn score(&self, lists: &[Vec<u32>]) -> u64 {
        let sizes: Vec<usize> =
            self.free_members().map(|member| lists[member as usize].len()).collect();
        let pairs = sizes.iter().enumerate();
        pairs.flat_map(|(i, a)| sizes[..i].iter().map(|b| a.abs_diff(*b) as u64)).sum()
    }

    /// The member with the fewest partitions that may have this one; of equals the lower id.
    fn emptiest(&self, number: u32) -> Option<u32> {
        let takers = self.takers_of(number).iter().copied();
        let takers = takers.filter(|member| !self.is_fixed[*member as usize]);
        takers.min_by_key(|member| (self.size(*member), self.ids[*member as usize]))
    }

    fn free_members(&self) -> impl Iterator<Item = u32> + Clone {
        (0..self.lists.len() as u32).filter(|member| !self.is_fixed[*member as usize])
    }

    fn may_have(&self, member: u32, number: u32) -> bool {
        self.wants[member as usize][self.topic(number)]
    }

    fn takers_of(&self, number: u32) -> &[u32] {
        &self.takers[self.topic(number)]
    }

    fn topic(&self, number: u32) -> usize {
        usize::from(self.numbering.partition(number).topic.0)
    }
}
