//! Followers, in-sync replicas, the high watermark, failover and truncation.
//!
//! Source: `Partition.scala` (`maybeIncrementLeaderHW`, `maybeExpandIsr`, `maybeShrinkIsr`),
//! KIP-101, KIP-279, KIP-966. Left out: the controller's own delay, unclean recovery's log
//! comparison, preferred leaders. A leader learns a follower's end at the end of its fetch, not
//! with the next one; live followers cut back to the new leader's log at once.

use super::partition::{Answer, Partition, Placed, ProduceError, Replica, ReplicaNo};
use super::producers::TxnEnd;
use super::record::{Batch, Content};
use super::store::Log;
use crate::kernel::SimTime;

/// A set of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ReplicaSet(u64);

impl ReplicaSet {
    /// The first `n` replicas.
    pub const fn first(n: u32) -> ReplicaSet {
        ReplicaSet(if n == 64 { u64::MAX } else { (1 << n) - 1 })
    }

    /// Whether a replica is in it.
    pub const fn contains(self, replica: ReplicaNo) -> bool {
        self.0 >> replica.0 & 1 == 1
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, by number.
    pub fn iter(self) -> impl Iterator<Item = ReplicaNo> {
        (0..64).map(ReplicaNo).filter(move |replica| self.contains(*replica))
    }

    fn insert(&mut self, replica: ReplicaNo) {
        self.0 |= 1 << replica.0;
    }

    fn remove(&mut self, replica: ReplicaNo) {
        self.0 &= !(1 << replica.0);
    }
}

impl<M: Copy> Partition<M> {
    /// A follower copies what it lacks, and comes back into sync when it has caught up.
    ///
    /// It learns the high watermark as it was before this fetch. Does nothing while nobody leads,
    /// and for a dead replica or the leader itself.
    pub fn follower_fetch(&mut self, now: SimTime, follower: ReplicaNo, out: &mut Vec<Answer>) {
        let Some(leader) = self.leader.filter(|leader| *leader != follower) else { return };
        if self.replica(follower).is_none_or(|replica| !replica.is_alive) {
            return;
        }
        let Some([leading, copy]) = two(&mut self.replicas, leader, follower) else { return };
        let before = copy.log.end();
        copy.log.copy_from(&leading.log);
        tell_producers(copy, before);
        copy.high_watermark = leading.high_watermark.min(copy.log.end());
        copy.producers.replicated_to(copy.high_watermark);
        copy.caught_up_at = now;
        let has_caught_up = leading.high_watermark <= copy.log.end();
        if has_caught_up {
            self.isr.insert(follower);
        }
        self.settle(out);
    }

    /// A follower is declared out of sync. The leader itself stays.
    pub fn shrink_isr(&mut self, replica: ReplicaNo, out: &mut Vec<Answer>) {
        if self.leader.is_some_and(|leader| leader != replica) {
            self.isr.remove(replica);
            self.settle(out);
        }
    }

    /// Followers that have not caught up for too long are out of sync.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Answer>) {
        while self.next_wake().is_some_and(|at| at <= now) {
            let Some(slowest) = self.slowest() else { return };
            self.shrink_isr(slowest, out);
        }
    }

    /// When the slowest follower in sync will have lagged for too long.
    pub fn next_wake(&self) -> Option<SimTime> {
        let slowest = self.replica(self.slowest()?)?;
        let lag_ends = slowest.caught_up_at.saturating_add(self.config.lag_max);
        lag_ends.checked_add(crate::kernel::SimSpan::ns(1))
    }

    /// A broker dies with what it has on its disk.
    ///
    /// Whoever waits for its answer hears that it is no leader any more. A follower leaves the
    /// in-sync replicas, unless it is the last.
    pub fn crash(&mut self, replica: ReplicaNo, out: &mut Vec<Answer>) {
        let Some(state) = self.replicas.get_mut(usize::from(replica.0)) else { return };
        if !std::mem::take(&mut state.is_alive) {
            return;
        }
        if self.leader == Some(replica) {
            self.leader = None;
            let fail = |w: super::partition::Waiting| Answer {
                ticket: w.ticket,
                result: Err(ProduceError::NotLeader),
            };
            out.extend(self.waiting.drain(..).map(fail));
            self.elect(out);
        } else if 1 < self.isr.len() {
            self.isr.remove(replica);
            self.settle(out);
        }
    }

    /// A broker comes back: it follows, or leads if nobody does and it may.
    pub fn restart(&mut self, now: SimTime, replica: ReplicaNo, out: &mut Vec<Answer>) {
        let Some(state) = self.replicas.get_mut(usize::from(replica.0)) else { return };
        if std::mem::replace(&mut state.is_alive, true) {
            return;
        }
        state.caught_up_at = now;
        match self.leader {
            Some(leader) => self.cut_back(leader, replica),
            None => self.elect(out),
        }
    }

    /// The in-sync follower that has not caught up for longest and lacks something.
    fn slowest(&self) -> Option<ReplicaNo> {
        let leader = self.leader?;
        let end = self.replica(leader)?.log.end();
        let followers = self.isr.iter().filter(|replica| *replica != leader);
        let lagging = followers.filter_map(|number| Some((number, self.replica(number)?)));
        let lagging = lagging.filter(|(_, replica)| replica.log.end() < end);
        lagging.min_by_key(|(_, replica)| replica.caught_up_at).map(|(number, _)| number)
    }

    /// Chooses a leader: the lowest live in-sync replica, else, if that is allowed, any live one.
    fn elect(&mut self, out: &mut Vec<Answer>) {
        let alive = |replica: &ReplicaNo| self.replicas[usize::from(replica.0)].is_alive;
        let in_sync = self.isr.iter().find(alive);
        let all = ReplicaSet::first(self.replicas.len() as u32);
        let any = || all.iter().find(alive).filter(|_| self.config.is_unclean);
        let Some(leader) = in_sync.or_else(any) else { return };
        let mut isr = ReplicaSet::default();
        isr.insert(leader);
        self.isr.iter().filter(alive).for_each(|replica| isr.insert(replica));
        self.leader = Some(leader);
        self.epoch += 1;
        self.isr = isr;
        let log = &mut self.replicas[usize::from(leader.0)].log;
        log.epochs.assign(self.epoch, log.end);
        for follower in all.iter().filter(|follower| *follower != leader) {
            if self.replicas[usize::from(follower.0)].is_alive {
                self.cut_back(leader, follower);
            }
        }
        self.settle(out);
    }

    /// A follower drops what its leader does not have.
    fn cut_back(&mut self, leader: ReplicaNo, follower: ReplicaNo) {
        let Some([leading, copy]) = two(&mut self.replicas, leader, follower) else { return };
        let end = common_end(&copy.log, &leading.log);
        if end < copy.log.end() {
            copy.log.truncate(end);
            copy.producers.clear();
            tell_producers(copy, copy.log.start());
        }
        copy.high_watermark = copy.high_watermark.min(copy.log.end());
    }

    /// Raises the high watermark as far as the rules allow: the end of the shortest log in sync.
    ///
    /// Since version 3.7 it also waits until enough replicas are in sync.
    #[inline]
    pub(super) fn advance(&mut self) {
        let Some(leader) = self.leader else { return };
        if self.config.mark_needs_min_isr && self.isr.len() < self.min_isr() {
            return;
        }
        let mark = if self.isr.len() == 1 {
            self.replicas[usize::from(leader.0)].log.end()
        } else {
            let ends = self.isr.iter().map(|r| self.replicas[usize::from(r.0)].log.end());
            ends.min().unwrap_or(0)
        };
        let leading = &mut self.replicas[usize::from(leader.0)];
        if leading.high_watermark < mark {
            leading.high_watermark = mark;
            leading.producers.replicated_to(mark);
        }
    }

    /// Raises the high watermark and answers those who waited for it.
    fn settle(&mut self, out: &mut Vec<Answer>) {
        self.advance();
        let mark = self.high_watermark();
        let has_enough = self.min_isr() <= self.isr.len();
        while self.waiting.front().is_some_and(|waiting| waiting.placed.last < mark) {
            let Some(waiting) = self.waiting.pop_front() else { return };
            let placed: Placed = waiting.placed;
            let error = ProduceError::NotEnoughReplicasAfterAppend;
            let result = if has_enough { Ok(placed) } else { Err(error) };
            out.push(Answer { ticket: waiting.ticket, result });
        }
    }
}

/// Two different replicas, to change both.
fn two<M>(replicas: &mut [Replica<M>], a: ReplicaNo, b: ReplicaNo) -> Option<[&mut Replica<M>; 2]> {
    replicas.get_disjoint_mut([usize::from(a.0), usize::from(b.0)]).ok()
}

/// The offset up to which a follower's log is a part of its leader's, found by leader epochs.
fn common_end<M: Copy>(follower: &Log<M>, leader: &Log<M>) -> u64 {
    let mut epochs = follower.epochs().clone();
    let mut end = follower.end();
    while let Some(latest) = epochs.latest() {
        let Some(answer) = leader.epochs().end_of(latest, leader.end()) else { break };
        if answer.epoch == latest {
            return end.min(answer.end);
        }
        // The leader has never seen that epoch: what of it the follower has, it drops.
        let own = epochs.end_of(answer.epoch, end).map_or(0, |own| own.end);
        end = end.min(answer.end).min(own);
        epochs.truncate_end(end);
        if epochs.latest() == Some(latest) {
            break;
        }
    }
    end
}

/// Tells a replica's producer table what its log holds from an offset on.
fn tell_producers<M: Copy>(replica: &mut Replica<M>, from: u64) {
    let Replica { log, producers, .. } = replica;
    for batch in log.batches_from(from) {
        tell_batch(log, producers, batch);
    }
}

fn tell_batch<M: Copy>(log: &Log<M>, producers: &mut super::producers::Producers, batch: &Batch) {
    let Some(stamp) = batch.stamp else { return };
    let Some(record) = log.read(batch.base, batch.end()).next() else { return };
    let end = match record.content {
        Content::Commit => Some(TxnEnd::Commit),
        Content::Abort => Some(TxnEnd::Abort),
        Content::Value | Content::Tombstone => None,
    };
    match end {
        Some(end) => {
            producers.ended(record.at, stamp.producer, stamp.epoch, end, batch.base);
        }
        None => producers.appended(record.at, &stamp, batch.n, batch.base),
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::{Acks, Isolation, PartitionConfig, Produce, Produced};
    use super::super::producers::{ProducerId, Stamp};
    use super::super::record::NewRecord;
    use super::*;
    use crate::kernel::SimSpan;

    struct Bench {
        partition: Partition<u64>,
        answers: Vec<Answer>,
    }

    impl Bench {
        fn new(config: PartitionConfig, n_replicas: u32) -> Bench {
            Bench { partition: Partition::new(config, n_replicas), answers: Vec::new() }
        }

        fn produce(&mut self, acks: Acks, message: u64) -> Result<Produced, ProduceError> {
            let record = NewRecord::value(SimTime::ZERO, 10, message);
            self.partition.produce(SimTime::ZERO, &Produce::plain(acks, message), &[record])
        }

        fn fetch(&mut self, follower: u8) {
            let follower = ReplicaNo(follower);
            self.partition.follower_fetch(SimTime::ZERO, follower, &mut self.answers);
        }

        fn crash(&mut self, replica: u8) {
            self.partition.crash(ReplicaNo(replica), &mut self.answers);
        }

        fn restart(&mut self, replica: u8) {
            self.partition.restart(SimTime::ZERO, ReplicaNo(replica), &mut self.answers);
        }

        fn readable(&self) -> Vec<u64> {
            self.partition.read(0, Isolation::Uncommitted).map(|r| r.message).collect()
        }

        fn is_ok(&self, ticket: u64) -> bool {
            self.answers.iter().any(|answer| answer.ticket == ticket && answer.result.is_ok())
        }
    }

    fn min_isr(min_isr: u32) -> PartitionConfig {
        PartitionConfig { min_isr, ..PartitionConfig::default() }
    }

    #[test]
    fn a_leaders_ack_alone_is_lost_with_the_leader() {
        let mut bench = Bench::new(min_isr(2), 3);
        assert!(matches!(bench.produce(Acks::Leader, 1), Ok(Produced::Done(_))));
        bench.crash(0);
        bench.restart(0);
        bench.fetch(0);
        assert_eq!(bench.partition.leader(), Some(ReplicaNo(1)));
        assert!(bench.readable().is_empty());
    }

    #[test]
    fn acks_all_says_nothing_before_all_in_sync_replicas_have_the_record() {
        let mut bench = Bench::new(min_isr(2), 3);
        assert!(matches!(bench.produce(Acks::All, 1), Ok(Produced::Waiting(_))));
        bench.fetch(1);
        assert!(!bench.is_ok(1));
        bench.fetch(2);
        assert!(bench.is_ok(1));
        bench.crash(0);
        assert_eq!(bench.readable(), [1]);
    }

    #[test]
    fn what_a_leader_acknowledged_under_min_isr_is_not_shown_to_consumers() {
        let mut bench = Bench::new(min_isr(2), 2);
        bench.crash(1);
        assert!(matches!(bench.produce(Acks::Leader, 1), Ok(Produced::Done(_))));
        assert_eq!(bench.produce(Acks::All, 2), Err(ProduceError::NotEnoughReplicas));
        assert!(bench.readable().is_empty());
        bench.restart(1);
        bench.fetch(1);
        assert_eq!(bench.readable(), [1]);
    }

    #[test]
    fn the_last_in_sync_replica_is_waited_for_unless_unclean_election_is_allowed() {
        for is_unclean in [false, true] {
            let mut bench = Bench::new(PartitionConfig { is_unclean, ..min_isr(1) }, 2);
            bench.partition.shrink_isr(ReplicaNo(1), &mut bench.answers);
            assert!(matches!(bench.produce(Acks::All, 1), Ok(Produced::Done(_))));
            bench.crash(0);
            assert_eq!(bench.partition.leader().is_some(), is_unclean);
            bench.restart(0);
            bench.fetch(1);
            assert_eq!(bench.readable().len(), usize::from(!is_unclean));
        }
    }

    #[test]
    fn a_tail_written_by_a_dead_leader_is_replaced_by_its_successors() {
        let mut bench = Bench::new(min_isr(1), 2);
        bench.produce(Acks::Leader, 1).expect("it leads");
        bench.fetch(1);
        for message in [2, 3, 4] {
            bench.produce(Acks::Leader, message).expect("it leads");
        }
        bench.crash(0);
        bench.produce(Acks::Leader, 9).expect("the other one leads");
        bench.restart(0);
        assert_eq!(bench.partition.replicas[0].log.end(), 1);
        bench.fetch(0);
        assert_eq!(bench.partition.replicas[0].log, bench.partition.replicas[1].log);
    }

    #[test]
    fn a_follower_that_lags_too_long_stops_holding_back_the_others() {
        let mut bench = Bench::new(min_isr(1), 2);
        assert_eq!(bench.partition.next_wake(), None, "it lacks nothing");
        bench.produce(Acks::All, 1).expect("it leads");
        let at = bench.partition.next_wake().expect("it lags");
        assert_eq!(at, SimTime::from_ns(SimSpan::s(30).as_ns() + 1));
        bench.partition.on_wake(at, &mut bench.answers);
        assert!(bench.is_ok(1));
        assert_eq!(bench.partition.isr().len(), 1);
    }

    #[test]
    fn the_next_leader_knows_the_producers_sequence_from_its_own_log() {
        let mut bench = Bench::new(min_isr(1), 2);
        let stamp =
            Stamp { producer: ProducerId(1), epoch: 0, sequence: 0, is_transactional: false };
        let record = NewRecord::value(SimTime::ZERO, 10, 1);
        let again = |bench: &mut Bench| {
            let request = Produce { acks: Acks::Leader, ticket: 0, stamp: Some(stamp) };
            bench.partition.produce(SimTime::ZERO, &request, &[record])
        };
        assert!(matches!(again(&mut bench), Ok(Produced::Done(_))));
        bench.fetch(1);
        bench.crash(0);
        assert!(matches!(again(&mut bench), Ok(Produced::Duplicate(_))));
    }
}
