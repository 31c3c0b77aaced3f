//! One message on its way, step by step.

use std::collections::VecDeque;

use super::{Account, AckPoint, Copy, DedupeKey, Fault, Outcome, Setting};

/// The producer's id of its only message.
const PRODUCER_ID: u32 = 0;
/// Most requests that a producer sends: a fault strikes once, so the second one is answered.
const SENDS_LIMIT: u32 = 2;

/// The broker, the consumer, and a fault that has not struck yet.
struct Stage {
    setting: Setting,
    fault: Fault,
    queue: VecDeque<Copy>,
    account: Account,
    outcome: Outcome,
}

/// What a fault does to a message: it goes on its way, or it is delivered again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Done,
    Again,
}

/// Sends one message, with one fault, until nothing is under way.
pub fn run(setting: Setting, fault: Fault) -> Outcome {
    let (queue, account, outcome) = (VecDeque::new(), Account::default(), Outcome::default());
    let mut stage = Stage { setting, fault, queue, account, outcome };
    stage.send();
    if stage.strikes(Fault::RestartBeforeDelivery) && !setting.durable {
        stage.queue.clear();
    }
    while let Some(copy) = stage.queue.pop_front() {
        if stage.deliver(copy) == Next::Again {
            stage.queue.push_front(copy);
        }
    }
    Outcome { effects: stage.account.n_effects, ..stage.outcome }
}

impl Stage {
    /// The producer sends, and sends again until it is acknowledged if it is of that kind.
    fn send(&mut self) {
        loop {
            self.outcome.sends += 1;
            assert!(self.outcome.sends <= SENDS_LIMIT, "a fault strikes once");
            let mut is_acked = false;
            if !self.strikes(Fault::RequestLost) {
                self.outcome.stored_copies += 1;
                // Every request that arrives gets an id of its own.
                self.queue.push_back(Copy { id: self.outcome.stored_copies });
                is_acked = !self.strikes(Fault::BrokerAckLost);
            }
            if is_acked || !self.setting.retries {
                return;
            }
        }
    }

    /// The consumer takes a delivery, works, and acknowledges.
    fn deliver(&mut self, copy: Copy) -> Next {
        self.outcome.deliveries += 1;
        // Acknowledged on delivery: the broker has forgotten it when anything can go wrong.
        let is_kept = self.setting.ack == AckPoint::AfterWork;
        if self.strikes(Fault::CrashBeforeWork) {
            return if is_kept { Next::Again } else { Next::Done };
        }
        self.work(copy);
        if !is_kept {
            return Next::Done;
        }
        let comes_again = self.strikes(Fault::CrashAfterWork)
            || self.strikes(Fault::ConsumerAckLost)
            || self.strikes(Fault::RedeliveryAfterTimeout);
        if self.strikes(Fault::RestartWhileUnacked) {
            if !self.setting.durable {
                // What waits behind it is gone as well.
                self.queue.clear();
                return Next::Done;
            }
            return Next::Again;
        }
        if comes_again { Next::Again } else { Next::Done }
    }

    /// The effect and the record of the key, in one transaction.
    fn work(&mut self, copy: Copy) {
        let is_new = match self.setting.dedupe {
            DedupeKey::None => true,
            DedupeKey::BrokerId => self.account.seen.insert(copy.id),
            DedupeKey::ProducerId => self.account.seen.insert(PRODUCER_ID),
        };
        self.account.n_effects += u32::from(is_new);
    }

    /// Whether the fault is this one and has not struck yet.
    fn strikes(&mut self, fault: Fault) -> bool {
        let is_now = self.fault == fault;
        if is_now {
            self.fault = Fault::None;
        }
        is_now
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// How many of the nine faults end ok, lost, duplicated.
    fn row(retries: bool, durable: bool, ack: AckPoint, dedupe: DedupeKey) -> [u32; 3] {
        let mut row = [0; 3];
        for fault in Fault::ALL {
            let setting = Setting { retries, durable, ack, dedupe };
            let column = match run(setting, fault).verdict() {
                Verdict::Ok => 0,
                Verdict::Lost => 1,
                Verdict::Duplicate => 2,
            };
            row[column] += 1;
        }
        row
    }

    #[test]
    fn the_matrix_is_the_published_one() {
        use DedupeKey::{BrokerId, None, ProducerId};
        let on_delivery = |r, d, key| row(r, d, AckPoint::OnDelivery, key);
        let after_work = |r, d, key| row(r, d, AckPoint::AfterWork, key);
        for key in [None, BrokerId, ProducerId] {
            assert_eq!(on_delivery(false, false, key), [6, 3, 0], "{key:?}");
            assert_eq!(on_delivery(false, true, key), [7, 2, 0], "{key:?}");
        }
        for key in [None, BrokerId] {
            assert_eq!(on_delivery(true, false, key), [6, 2, 1], "{key:?}");
            assert_eq!(on_delivery(true, true, key), [7, 1, 1], "{key:?}");
        }
        assert_eq!(on_delivery(true, false, ProducerId), [7, 2, 0]);
        assert_eq!(on_delivery(true, true, ProducerId), [8, 1, 0]);
        let keys = [None, BrokerId, ProducerId];
        let rows = |r, d| keys.map(|key| after_work(r, d, key));
        assert_eq!(rows(false, false), [[4, 2, 3], [7, 2, 0], [7, 2, 0]]);
        assert_eq!(rows(false, true), [[4, 1, 4], [8, 1, 0], [8, 1, 0]]);
        assert_eq!(rows(true, false), [[4, 1, 4], [7, 1, 1], [8, 1, 0]]);
        assert_eq!(rows(true, true), [[4, 0, 5], [8, 0, 1], [9, 0, 0]]);
    }

    #[test]
    fn only_retries_and_durability_and_the_producers_id_together_are_exactly_once() {
        let is_perfect = |s: &Setting| row(s.retries, s.durable, s.ack, s.dedupe) == [9, 0, 0];
        let perfect: Vec<Setting> = Setting::all().filter(is_perfect).collect();
        let dedupe = DedupeKey::ProducerId;
        let ack = AckPoint::AfterWork;
        assert_eq!(perfect, [Setting { retries: true, durable: true, ack, dedupe }]);
    }
}
