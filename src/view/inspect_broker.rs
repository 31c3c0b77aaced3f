//! What a queue broker and its consumers do at the moment, in a sentence.

use crate::model::actor::BrokerActor;
use crate::model::actor::broker::resources::Task;
use crate::model::actor::consumer::Consumer;
use crate::view::inspect::Subject;

impl Subject<'_> {
    /// What a consumer works on, or that it is not subscribed.
    pub(super) fn consumer_says(&self, consumer: &Consumer) -> String {
        if consumer.params.joined || 0 < consumer.workers.n_busy() {
            return self.working(&consumer.workers.busy);
        }
        self.pick(
            "It is not subscribed: its broker sends it nothing.",
            "它没有订阅：代理不会给它投递消息。",
        )
    }

    /// Its alarm, what it is busy with, or what waits in it.
    pub(super) fn broker_says(&self, broker: &BrokerActor) -> String {
        if let Some(resource) = broker.resources.alarm {
            let what = resource.text().get(self.lang);
            return self.pick(
                format!("It is short of {what} and reads nothing from publishers."),
                format!("{what}不足，它不读取发布者。"),
            );
        }
        let (en, zh) = match broker.resources.task {
            Some((Task::Works { message, .. }, _)) => (
                format!("It works on message {}.", message.id.0),
                format!("它正在处理消息 {}。", message.id.0),
            ),
            Some((Task::Writes { message, .. }, _)) => (
                format!("Its disk writes message {}.", message.id.0),
                format!("它的磁盘正在写入消息 {}。", message.id.0),
            ),
            Some((Task::Syncs, _)) => {
                ("Its disk writes all that waits.".to_owned(), "它的磁盘正在刷盘。".to_owned())
            }
            None => {
                let held: u32 = broker.broker.queues().map(|(_, q)| q.n_unacked()).sum();
                let ready: u32 = broker.broker.queues().map(|(_, q)| q.n_ready()).sum();
                (
                    format!("Ready: {ready}; delivered and not acknowledged: {held}."),
                    format!("待投递 {ready} 条；已投递未确认 {held} 条。"),
                )
            }
        };
        self.pick(en, zh)
    }
}
