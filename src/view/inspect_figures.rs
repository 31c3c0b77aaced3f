//! Figures of an actor in the inspector.

use crate::model::actor::Actor;
use crate::view::inspect::Subject;
use crate::view::numbers;

impl Subject<'_> {
    /// What it has made, holds and works on, by kind.
    pub(super) fn figures(&self, machine: &Actor) -> Vec<(String, String)> {
        let mut figures = Vec::new();
        let mut add = |en: &str, zh: &str, n: u64| {
            figures.push((self.pick(en, zh), numbers::count(n)));
        };
        match machine {
            Actor::Producer(producer) => {
                let outbox: usize = producer.outlets.iter().map(|o| o.outbox.len()).sum();
                let open: usize = producer.outlets.iter().map(|o| o.unconfirmed.len()).sum();
                add("made", "已生成", producer.n_made);
                add("in its own memory", "自身内存中", outbox as u64);
                add("not confirmed yet", "尚未确认", open as u64);
            }
            Actor::Broker(broker) => {
                for (_, queue) in broker.broker.queues() {
                    add("ready", "待投递", u64::from(queue.n_ready()));
                    add("not acknowledged", "未确认", u64::from(queue.n_unacked()));
                    add("consumers", "消费者", u64::from(queue.n_consumers()));
                }
                add("bytes in memory", "内存字节数", broker.resources.memory);
            }
            Actor::Consumer(consumer) => {
                add("in work", "处理中", u64::from(consumer.workers.n_busy()));
                add("in its memory", "内存中等待", consumer.workers.buffer.len() as u64);
            }
            Actor::Responder(responder) => {
                add("in work", "处理中", u64::from(responder.workers.n_busy()));
                add("in its memory", "内存中等待", responder.workers.buffer.len() as u64);
            }
            Actor::Requester(requester) => add("clients", "客户端", requester.clients.len() as u64),
            Actor::Script(script) => add("steps", "步骤数", script.steps.len() as u64),
            Actor::LogProducer(_) | Actor::LogBroker(_) | Actor::LogConsumer(_) => {
                return self.log_figures(machine);
            }
            Actor::WorkQueue(actor) => {
                let gauges = actor.queue.gauges();
                add("ready", "就绪", u64::from(gauges.n_ready));
                add("held by workers", "被占用", u64::from(gauges.n_reserved));
                add("delayed", "延迟", u64::from(gauges.n_delayed));
                add("buried", "搁置", u64::from(gauges.n_buried));
                add("workers that wait", "等待的工作者", u64::from(gauges.n_waiting));
            }
            Actor::MqttPublisher(_) | Actor::MqttBroker(_) | Actor::MqttSubscriber(_) => {
                return self.mqtt_figures(machine);
            }
        }
        figures
    }
}
