//! What the inspector says of a log broker and its clients.

use crate::model::actor::Actor;
use crate::model::actor::log::{LogBrokerActor, LogConsumer, LogProducer, Stage};
use crate::model::group::Phase;
use crate::model::log::{Isolation, PartitionNo};
use crate::view::numbers;

use super::inspect::Subject;

impl Subject<'_> {
    pub(super) fn log_producer(&self, producer: &LogProducer) -> String {
        if !producer.sender.has_room() {
            return self.pick(
                "It must wait: as many requests as it may have are on their way.",
                "它必须等待：在途请求已达上限。",
            );
        }
        let stage = producer.txn.as_ref().map(|txn| txn.stage);
        match stage {
            Some(Stage::Beginning { .. }) => {
                return self.pick(
                    "It asks the coordinator for its epoch; messages wait until it has one.",
                    "它在向协调者申请纪元；此前消息都要等待。",
                );
            }
            Some(Stage::Flushing) => {
                return self.pick(
                    "It waits until all records of its transaction are written.",
                    "它在等本事务的记录全部写入。",
                );
            }
            Some(Stage::Ending { .. }) => {
                return self.pick(
                    "It waits until its transaction has ended; new messages wait for the next.",
                    "它在等事务结束；新消息等待下一个事务。",
                );
            }
            Some(Stage::Open) | None => {}
        }
        match producer.next_at {
            Some(at) => {
                let within = numbers::span(at.since(self.now));
                self.pick(
                    format!("It makes its next message in {within}."),
                    format!("{within} 后生成下一条消息。"),
                )
            }
            None => self.pick("It has nothing more to send.", "它没有要发送的了。"),
        }
    }

    pub(super) fn log_broker(&self, actor: &LogBrokerActor) -> String {
        let gauges = actor.broker.gauges();
        if gauges.n_offline != 0 {
            let n = gauges.n_offline;
            return self.pick(
                format!("Partitions without a leader: {n}. Nobody can write or read them."),
                format!("{n} 个分区没有首领副本，无法读写。"),
            );
        }
        if gauges.n_waiting != 0 {
            let n = gauges.n_waiting;
            return self.pick(
                format!("Batches that wait for the replicas in sync: {n}."),
                format!("{n} 个批次在等同步副本。"),
            );
        }
        let n = held_by_transactions(actor);
        if n != 0 {
            return self.pick(
                format!(
                    "A transaction is open: whoever reads committed records waits for offsets: {n}."
                ),
                format!("有事务未结束：只读已提交的消费者在等 {n} 个位移。"),
            );
        }
        let n = gauges.n_parked;
        self.pick(
            format!("Fetches that wait for records: {n}."),
            format!("{n} 个拉取请求在等新记录。"),
        )
    }

    pub(super) fn log_consumer(&self, consumer: &LogConsumer) -> String {
        let Some(member) = &consumer.member else {
            return self.pick("It takes no part in its group.", "它没有加入消费组。");
        };
        if consumer.workers.n_busy() != 0 {
            return self.working(&consumer.workers.busy);
        }
        match member.gauges().phase {
            Phase::Joining => self.pick(
                "It has joined and waits for the others: the group rebalances.",
                "它已申请加入，在等其他成员：消费组正在再均衡。",
            ),
            Phase::Syncing => {
                self.pick("It waits to hear which partitions it gets.", "它在等分区分配结果。")
            }
            _ if consumer.readings.is_empty() => {
                self.pick("It has no partition.", "它没有分到分区。")
            }
            _ if !consumer.fetching.fetched.is_empty() => {
                self.pick("Records have come; it has not polled yet.", "记录已到，它还没有轮询。")
            }
            _ => self.pick("It waits for records.", "它在等新记录。"),
        }
    }

    pub(super) fn log_figures(&self, machine: &Actor) -> Vec<(String, String)> {
        let mut figures = Vec::new();
        let mut add = |en: &str, zh: &str, n: u64| {
            figures.push((self.pick(en, zh), numbers::count(n)));
        };
        match machine {
            Actor::LogProducer(producer) => {
                let gauges = producer.sender.gauges();
                add("made", "已生成", producer.n_made);
                add("in batches", "批次中等待", u64::from(gauges.n_waiting));
                add("batches under way", "在途批次", u64::from(gauges.n_unsettled));
                add("requests in flight", "在途请求", u64::from(gauges.n_in_flight));
                if let Some(txn) = &producer.txn {
                    add("in the transaction", "本事务记录", u64::from(txn.n_records));
                    add("for the next one", "等待下一事务", txn.waiting.len() as u64);
                    add("transactions ended", "已结束事务", txn.n_ended);
                }
            }
            Actor::LogBroker(actor) => {
                let gauges = actor.broker.gauges();
                add("records", "记录数", gauges.n_records);
                add("bytes", "字节数", gauges.bytes);
                add("fetches that wait", "等待中的拉取", u64::from(gauges.n_parked));
                add("batches that wait", "等待复制的批次", u64::from(gauges.n_waiting));
                add("partitions offline", "离线分区", u64::from(gauges.n_offline));
                let under = u64::from(gauges.n_under_replicated);
                add("under-replicated", "副本不足的分区", under);
                add("behind open transactions", "被未结束事务挡住", held_by_transactions(actor));
            }
            Actor::LogConsumer(consumer) => {
                add("partitions", "拥有分区", consumer.readings.len() as u64);
                add("in work", "处理中", u64::from(consumer.workers.n_busy()));
                add("in its batch", "本批待处理", consumer.batch.len() as u64);
                add("fetched", "已拉取未轮询", consumer.fetching.fetched.len() as u64);
                let generation = consumer.member.as_ref().and_then(|m| m.generation());
                add("generation", "代数", u64::from(generation.unwrap_or(0)));
            }
            _ => {}
        }
        figures
    }
}

/// Offsets that only an open transaction hides.
fn held_by_transactions(actor: &LogBrokerActor) -> u64 {
    let all =
        (0..actor.shelves.len() as u32).filter_map(|n| actor.broker.partition(PartitionNo(n)));
    all.map(|p| p.high_watermark() - p.readable_end(Isolation::Committed)).sum()
}
