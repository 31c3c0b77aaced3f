//! The producer's sending half: a few requests on their way, and batches sent again until they
//! are acknowledged or too old.
//!
//! An idempotent sender stamps each batch once; however often it is sent the leader stores it
//! once. For that it never sends more than four batches of a partition after one that is not
//! settled: the leader remembers five. (Over one connection, where answers keep their order, five
//! requests in flight give the same.) Without idempotence a lost answer makes a second copy, and
//! with several requests on their way a retry may come after its successor.
//! Source: `Sender`, `TransactionManager`, `NetworkClient`.
//! All leaders are on one node. Left out: connections, metadata, the request for a producer id.

use super::accumulator::{Accumulator, Appending, Drained, Pending};
use super::partition::{Acks, Produce, ProduceError};
use super::producers::{BATCHES_RETAINED, ProducerError, ProducerId, Stamp};
use super::record::NewRecord;
use super::size::RecordShape;
use crate::kernel::{SimSpan, SimTime};

/// Most requests on their way at a time.
pub const IN_FLIGHT_LIMIT: u32 = 1024;

/// How a sender sends; the defaults are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderConfig {
    /// What it waits for (`acks`).
    pub acks: Acks,
    /// Its id, if it is idempotent (`enable.idempotence`).
    pub idempotent: Option<ProducerId>,
    /// Whether its batches belong to transactions (`transactional.id`).
    pub is_transactional: bool,
    /// Most requests on their way (`max.in.flight.requests.per.connection`).
    pub max_in_flight: u32,
    /// How often a batch may be sent again (`retries`).
    pub retries: u32,
    /// How long an answer is waited for (`request.timeout.ms`).
    pub request_timeout: SimSpan,
    /// How long after its beginning a batch is given up (`delivery.timeout.ms`).
    pub delivery_timeout: SimSpan,
    /// Pause before the first retry; it doubles (`retry.backoff.ms`).
    pub backoff: SimSpan,
    /// Longest pause (`retry.backoff.max.ms`).
    pub backoff_max: SimSpan,
}

impl Default for SenderConfig {
    fn default() -> SenderConfig {
        SenderConfig {
            acks: Acks::All,
            idempotent: None,
            is_transactional: false,
            max_in_flight: 5,
            retries: i32::MAX as u32,
            request_timeout: SimSpan::s(30),
            delivery_timeout: SimSpan::s(120),
            backoff: SimSpan::ms(100),
            backoff_max: SimSpan::s(1),
        }
    }
}

/// What a sender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Sends a batch; its records are `batch(ticket)` until it is settled.
    Send {
        /// The partition.
        partition: u32,
        /// The request.
        request: Produce,
        /// Whether it was sent before.
        is_again: bool,
    },
    /// The batch waits before it is sent again.
    Delayed {
        /// Its ticket.
        ticket: u64,
    },
    /// The batch is acknowledged; with `acks=0` it is believed so.
    Acked {
        /// Its ticket.
        ticket: u64,
        /// How many records it had.
        n: u32,
    },
    /// The batch is given up: nobody knows whether it is stored.
    Failed {
        /// Its ticket.
        ticket: u64,
        /// How many records it had.
        n: u32,
    },
}

/// Figures for charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderGauges {
    /// Records that wait to be sent.
    pub n_waiting: u32,
    /// Batches that are sent and not settled.
    pub n_unsettled: u32,
    /// Requests on their way.
    pub n_in_flight: u32,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// On its way in a request; given up waiting at that time.
    Sent { request: u64, until: SimTime },
    /// It is sent again at that time.
    Backoff { until: SimTime },
}

/// A batch that is sent and not settled.
#[derive(Clone, Debug, PartialEq)]
struct Unsettled<M> {
    ticket: u64,
    partition: u32,
    batch: Pending<M>,
    /// Which batch of its partition it is, from 1.
    nth: u64,
    stamp: Option<Stamp>,
    n_tries: u32,
    flight: Flight,
}

/// The sending half of a producer of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender<M> {
    /// How it sends.
    pub config: SenderConfig,
    accumulator: Accumulator<M>,
    /// By rising ticket: the order in which they were first sent.
    unsettled: Vec<Unsettled<M>>,
    /// Requests on their way, with how many of their batches are not answered.
    requests: Vec<(u64, u32)>,
    /// The producer's epoch and, per partition, the next sequence number.
    epoch: u16,
    sequences: Vec<u32>,
    /// Per partition, how many batches were sent, not counting retries.
    n_batches: Vec<u64>,
    n_tickets: u64,
    n_requests: u64,
    /// Room for drained batches; empty between calls.
    drained: Vec<Drained<M>>,
    /// Messages of the batches that `Acked` and `Failed` speak of, in that order, for the caller
    /// to take out. Kept only when `keeps_settled`.
    pub settled: Vec<M>,
    /// Whether the caller takes `settled` out.
    pub keeps_settled: bool,
}

impl<M: Copy> Sender<M> {
    /// A sender with an empty accumulator for `n_partitions`.
    pub fn new(
        config: SenderConfig,
        n_partitions: u32,
        batch_bytes: u32,
        linger: SimSpan,
    ) -> Sender<M> {
        assert!(0 < config.max_in_flight && config.max_in_flight <= IN_FLIGHT_LIMIT);
        Sender {
            config,
            accumulator: Accumulator::new(n_partitions, batch_bytes, linger),
            unsettled: Vec::new(),
            requests: Vec::new(),
            epoch: 0,
            sequences: vec![0; n_partitions as usize],
            n_batches: vec![0; n_partitions as usize],
            n_tickets: 0,
            n_requests: 0,
            drained: Vec::new(),
            settled: Vec::new(),
            keeps_settled: false,
        }
    }

    /// It goes on under a new epoch: it is another incarnation of its producer.
    pub fn begin_epoch(&mut self, epoch: u16) {
        self.epoch = epoch;
        self.sequences.fill(0);
    }

    /// Everything that waits or is on its way is forgotten; late answers to it are not looked at.
    pub fn abandon(&mut self) {
        self.unsettled.clear();
        self.requests.clear();
        self.accumulator.clear();
    }

    /// Its epoch.
    pub fn epoch(&self) -> u16 {
        self.epoch
    }

    /// The topic has more partitions now.
    pub fn grow(&mut self, n_partitions: u32) {
        self.accumulator.grow(n_partitions);
        self.sequences.resize(n_partitions as usize, 0);
        self.n_batches.resize(n_partitions as usize, 0);
    }

    /// The connection is gone: everything on its way is sent again after a pause.
    pub fn on_disconnect(&mut self, now: SimTime, out: &mut Vec<Sending>) {
        for index in 0..self.unsettled.len() {
            if let Flight::Sent { request, .. } = self.unsettled[index].flight {
                self.answered(request);
                self.back_off(now, index);
                out.push(Sending::Delayed { ticket: self.unsettled[index].ticket });
            }
        }
    }

    /// Its process stood still for so long: all its times move.
    pub fn postpone(&mut self, span: SimSpan) {
        for unsettled in &mut self.unsettled {
            match &mut unsettled.flight {
                Flight::Sent { until, .. } | Flight::Backoff { until } => *until += span,
            }
            unsettled.batch.since += span;
        }
        self.accumulator.postpone(span);
    }

    /// Takes a record; see [`Accumulator::append`]. It leaves with the next `on_wake` that is due.
    #[inline]
    pub fn append(
        &mut self,
        now: SimTime,
        to: Option<u32>,
        shape: RecordShape,
        record: NewRecord<M>,
        draw: &mut impl FnMut() -> u32,
    ) -> Appending {
        self.accumulator.append(now, to, shape, record, draw)
    }

    /// A batch is answered. One that is settled already, or sent again, is not looked for.
    pub fn on_message(
        &mut self,
        now: SimTime,
        ticket: u64,
        answer: Result<(), ProduceError>,
        out: &mut Vec<Sending>,
    ) {
        let Ok(index) = self.unsettled.binary_search_by_key(&ticket, |u| u.ticket) else { return };
        let Flight::Sent { request, .. } = self.unsettled[index].flight else { return };
        self.answered(request);
        match answer {
            Ok(()) => {
                let n = self.settle(index);
                out.push(Sending::Acked { ticket, n });
            }
            Err(error) if self.may_retry(index, error) => {
                self.back_off(now, index);
                out.push(Sending::Delayed { ticket });
            }
            Err(_) => self.fail(index, out),
        }
    }

    /// Gives up what is too old, sends again what is due, then sends what is ready.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Sending>) {
        for index in (0..self.unsettled.len()).rev() {
            if self.expires(index) <= now {
                if let Flight::Sent { request, .. } = self.unsettled[index].flight {
                    self.answered(request);
                }
                self.fail(index, out);
            } else if let Flight::Sent { request, until } = self.unsettled[index].flight
                && until <= now
            {
                self.answered(request);
                self.back_off(now, index);
                out.push(Sending::Delayed { ticket: self.unsettled[index].ticket });
            }
        }
        if self.has_room() {
            self.send_again(now, out);
        }
        if self.has_room() {
            self.send_ready(now, out);
        }
    }

    /// Earliest time at which `on_wake` has something to do; may be in the past.
    pub fn next_wake(&self) -> Option<SimTime> {
        let has_room = self.has_room();
        let timers = self.unsettled.iter().enumerate().map(|(index, unsettled)| {
            let flight = match unsettled.flight {
                Flight::Sent { until, .. } => until,
                Flight::Backoff { until } if has_room && self.is_first_waiting(index) => until,
                Flight::Backoff { .. } => SimTime::MAX,
            };
            flight.min(self.expires(index))
        });
        let ready = self.accumulator.next_ready_unless(|p| self.is_muted(p));
        timers.chain(ready.filter(|_| has_room)).min()
    }

    /// Figures for charts.
    pub fn gauges(&self) -> SenderGauges {
        SenderGauges {
            n_waiting: self.accumulator.n_records(),
            n_unsettled: self.unsettled.len() as u32,
            n_in_flight: self.requests.len() as u32,
        }
    }

    /// The records of a batch that is not settled.
    #[inline]
    pub fn batch(&self, ticket: u64) -> &[NewRecord<M>] {
        let found = self.unsettled.binary_search_by_key(&ticket, |u| u.ticket);
        found.map_or(&[], |index| &self.unsettled[index].batch.records)
    }

    /// What waits for company or for room.
    pub fn accumulator(&self) -> &Accumulator<M> {
        &self.accumulator
    }

    /// The same, to be changed.
    pub fn accumulator_mut(&mut self) -> &mut Accumulator<M> {
        &mut self.accumulator
    }

    /// Every record that is sent and not settled.
    pub fn unsettled(&self) -> impl Iterator<Item = &NewRecord<M>> {
        self.unsettled.iter().flat_map(|unsettled| &unsettled.batch.records)
    }

    fn send_again(&mut self, now: SimTime, out: &mut Vec<Sending>) {
        let mut n_sent = 0;
        for index in 0..self.unsettled.len() {
            let Flight::Backoff { until } = self.unsettled[index].flight else { continue };
            if until <= now && self.is_first_waiting(index) {
                self.send(now, index, out);
                n_sent += 1;
            }
        }
        self.close_request(n_sent);
    }

    fn send_ready(&mut self, now: SimTime, out: &mut Vec<Sending>) {
        let mut drained = std::mem::take(&mut self.drained);
        let Sender { accumulator, unsettled, n_batches, config, .. } = self;
        let window = config.window();
        let is_muted = |p| is_muted(unsettled, p, n_batches[p as usize], window);
        accumulator.drain_unless(now, is_muted, &mut drained);
        let n_sent = drained.len() as u32;
        for Drained { partition, batch } in drained.drain(..) {
            self.n_tickets += 1;
            let stamp = self.next_stamp(partition, batch.records.len() as u32);
            let flight = Flight::Backoff { until: now };
            let ticket = self.n_tickets;
            self.n_batches[partition as usize] += 1;
            let nth = self.n_batches[partition as usize];
            let sent = Unsettled { ticket, partition, batch, nth, stamp, n_tries: 0, flight };
            self.unsettled.push(sent);
            self.send(now, self.unsettled.len() - 1, out);
        }
        self.drained = drained;
        if self.config.acks == Acks::None {
            self.believe(out);
        } else {
            self.close_request(n_sent);
        }
    }

    /// Without acknowledgements everything that is sent is believed to be stored.
    fn believe(&mut self, out: &mut Vec<Sending>) {
        while let Some(first) = self.unsettled.first() {
            let ticket = first.ticket;
            let n = self.settle(0);
            out.push(Sending::Acked { ticket, n });
        }
    }

    fn send(&mut self, now: SimTime, index: usize, out: &mut Vec<Sending>) {
        let until = now.saturating_add(self.config.request_timeout);
        let unsettled = &mut self.unsettled[index];
        unsettled.flight = Flight::Sent { request: self.n_requests + 1, until };
        unsettled.n_tries += 1;
        let Unsettled { ticket, partition, stamp, n_tries, .. } = *unsettled;
        let request = Produce { acks: self.config.acks, ticket, stamp };
        out.push(Sending::Send { partition, request, is_again: 1 < n_tries });
    }

    /// What was sent since the last request makes one.
    fn close_request(&mut self, n_batches: u32) {
        if 0 < n_batches {
            self.n_requests += 1;
            self.requests.push((self.n_requests, n_batches));
        }
    }

    fn answered(&mut self, request: u64) {
        if let Some(index) = self.requests.iter().position(|(number, _)| *number == request) {
            self.requests[index].1 -= 1;
            if self.requests[index].1 == 0 {
                self.requests.remove(index);
            }
        }
    }

    fn back_off(&mut self, now: SimTime, index: usize) {
        let SenderConfig { backoff, backoff_max, .. } = self.config;
        let doublings = self.unsettled[index].n_tries.saturating_sub(1).min(20);
        let pause = SimSpan::ns(backoff.as_ns().saturating_mul(1 << doublings)).min(backoff_max);
        self.unsettled[index].flight = Flight::Backoff { until: now.saturating_add(pause) };
    }

    /// Gives a batch up. An idempotent sender goes on under a new epoch, from sequence 0: the
    /// leader would wait for the missing one for ever. In a transaction it does not: with a batch
    /// missing all of it is aborted, and the next epoch comes from the coordinator.
    fn fail(&mut self, index: usize, out: &mut Vec<Sending>) {
        let ticket = self.unsettled[index].ticket;
        let n = self.settle(index);
        out.push(Sending::Failed { ticket, n });
        if self.config.idempotent.is_none() || self.config.is_transactional {
            return;
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.sequences.fill(0);
        for index in 0..self.unsettled.len() {
            let Unsettled { partition, ref batch, .. } = self.unsettled[index];
            let n = batch.records.len() as u32;
            self.unsettled[index].stamp = self.next_stamp(partition, n);
        }
    }

    fn settle(&mut self, index: usize) -> u32 {
        let Unsettled { batch, .. } = self.unsettled.remove(index);
        let n = batch.records.len() as u32;
        if self.keeps_settled {
            self.settled.extend(batch.records.iter().map(|record| record.message));
        }
        self.accumulator.recycle(batch);
        n
    }

    fn next_stamp(&mut self, partition: u32, n: u32) -> Option<Stamp> {
        let producer = self.config.idempotent?;
        let next = &mut self.sequences[partition as usize];
        let sequence = *next;
        *next = (sequence + n) & i32::MAX as u32;
        let is_transactional = self.config.is_transactional;
        Some(Stamp { producer, epoch: self.epoch, sequence, is_transactional })
    }

    fn may_retry(&self, index: usize, error: ProduceError) -> bool {
        let Unsettled { partition, n_tries, ticket, .. } = self.unsettled[index];
        let is_passing = match error {
            ProduceError::NotLeader
            | ProduceError::NotEnoughReplicas
            | ProduceError::NotEnoughReplicasAfterAppend
            | ProduceError::Overloaded => true,
            // It overtook one that is still to come.
            ProduceError::Producer(ProducerError::OutOfOrderSequence) => self
                .unsettled
                .iter()
                .any(|other| other.partition == partition && other.ticket < ticket),
            ProduceError::Producer(_) => false,
        };
        is_passing && n_tries <= self.config.retries
    }

    /// A batch waits for those of its partition that wait in front of it.
    fn is_first_waiting(&self, index: usize) -> bool {
        let partition = self.unsettled[index].partition;
        let waits = |u: &Unsettled<M>| {
            u.partition == partition && matches!(u.flight, Flight::Backoff { .. })
        };
        !self.unsettled[..index].iter().any(waits)
    }

    fn is_muted(&self, partition: u32) -> bool {
        let n_batches = self.n_batches[partition as usize];
        is_muted(&self.unsettled, partition, n_batches, self.config.window())
    }

    /// Whether another request may be on its way.
    pub fn has_room(&self) -> bool {
        (self.requests.len() as u32) < self.config.max_in_flight
    }

    fn expires(&self, index: usize) -> SimTime {
        self.unsettled[index].batch.since.saturating_add(self.config.delivery_timeout)
    }
}

/// While a batch of a partition waits to be sent again no new one is sent, nor when the leader
/// would forget the oldest that is not settled.
fn is_muted<M>(unsettled: &[Unsettled<M>], partition: u32, n_batches: u64, window: u64) -> bool {
    let mut of_partition = unsettled.iter().filter(|u| u.partition == partition).peekable();
    let is_far = of_partition.peek().is_some_and(|oldest| oldest.nth + window <= n_batches + 1);
    is_far || of_partition.any(|u| matches!(u.flight, Flight::Backoff { .. }))
}

impl SenderConfig {
    /// Most batches of a partition from the oldest that is not settled on.
    const fn window(&self) -> u64 {
        match self.idempotent {
            Some(_) => BATCHES_RETAINED as u64,
            None => u64::MAX / 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::{Isolation, Partition, PartitionConfig};
    use super::*;

    /// A sender and a partition whose answers are sometimes lost.
    struct Bench {
        sender: Sender<u32>,
        partition: Partition<u32>,
        acked: u32,
        failed: u32,
        n_sent: u32,
    }

    impl Bench {
        fn new(config: SenderConfig) -> Bench {
            let config = SenderConfig { request_timeout: SimSpan::ms(500), ..config };
            Bench {
                sender: Sender::new(config, 1, 200, SimSpan::ZERO),
                partition: Partition::new(PartitionConfig::default(), 1),
                acked: 0,
                failed: 0,
                n_sent: 0,
            }
        }

        /// Sends `n` messages, one a millisecond; a quarter of the answers is lost.
        fn run(&mut self, n: u32) {
            let shape = RecordShape { key: None, value: Some(100) };
            for message in 0..n {
                let now = SimTime::from_ns(u64::from(message) * 1_000_000);
                let record = NewRecord::value(now, 0, message);
                self.sender.append(now, Some(0), shape, record, &mut || 0);
                self.wake(now);
            }
            let mut n_wakes = 0;
            let mut now = SimTime::from_ns(u64::from(n) * 1_000_000);
            while let Some(at) = self.sender.next_wake() {
                now = now.max(at);
                self.wake(now);
                n_wakes += 1;
                assert!(n_wakes < 100_000, "it never rests");
            }
        }

        fn wake(&mut self, now: SimTime) {
            let mut out = Vec::new();
            self.sender.on_wake(now, &mut out);
            while !out.is_empty() {
                match out.remove(0) {
                    Sending::Delayed { .. } => {}
                    Sending::Acked { n, .. } => self.acked += n,
                    Sending::Failed { n, .. } => self.failed += n,
                    Sending::Send { request, .. } => {
                        let records = self.sender.batch(request.ticket);
                        let answer = self.partition.produce(now, &request, records);
                        self.n_sent += 1;
                        if self.n_sent.wrapping_mul(2_654_435_769) >> 30 != 0 {
                            let answer = answer.map(|_| ());
                            self.sender.on_message(now, request.ticket, answer, &mut out);
                        }
                    }
                }
            }
        }

        fn stored(&self) -> Vec<u32> {
            self.partition.read(0, Isolation::Uncommitted).map(|record| record.message).collect()
        }
    }

    #[test]
    fn lost_answers_make_copies_unless_the_sender_is_idempotent() {
        let mut plain = Bench::new(SenderConfig::default());
        plain.run(300);
        assert_eq!([plain.acked, plain.failed], [300, 0]);
        assert!(300 < plain.stored().len());
        let idempotent = Some(ProducerId(1));
        let mut safe = Bench::new(SenderConfig { idempotent, ..SenderConfig::default() });
        safe.run(300);
        assert_eq!([safe.acked, safe.failed], [300, 0]);
        assert_eq!(safe.stored(), (0..300).collect::<Vec<_>>());
        assert_eq!(safe.sender.gauges().n_unsettled, 0);
    }

    #[test]
    fn without_acknowledgements_everything_sent_counts_as_stored() {
        let mut bench = Bench::new(SenderConfig { acks: Acks::None, ..SenderConfig::default() });
        bench.partition.crash(super::super::partition::ReplicaNo(0), &mut Vec::new());
        bench.run(10);
        assert_eq!([bench.acked, bench.failed], [10, 0]);
        assert!(bench.stored().is_empty());
    }

    #[test]
    fn a_batch_that_cannot_be_delivered_is_given_up_after_its_time() {
        let mut bench = Bench::new(SenderConfig::default());
        bench.partition.crash(super::super::partition::ReplicaNo(0), &mut Vec::new());
        bench.run(2);
        assert_eq!([bench.acked, bench.failed], [0, 2]);
        assert!(100 < bench.n_sent, "it was tried again and again: {}", bench.n_sent);
    }
}
