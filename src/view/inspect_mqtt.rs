//! What the inspector says of an MQTT broker and its clients, and of a work queue.

use crate::kernel::SimTime;
use crate::model::actor::Actor;
use crate::model::actor::mqtt::MqttPublisher;
use crate::model::workqueue::JobState;
use crate::view::numbers;

use super::inspect::Subject;

impl Subject<'_> {
    pub(super) fn mqtt_publisher(&self, publisher: &MqttPublisher) -> String {
        if !publisher.link.is_up() {
            return self.pick(
                "It is not connected: QoS 1 and 2 wait in its memory, QoS 0 is lost.",
                "它没有连接：QoS 1、2 的消息在内存中等待，QoS 0 的丢失。",
            );
        }
        self.makes_next(publisher.next_at)
    }

    pub(super) fn mqtt_says(&self, machine: &Actor) -> String {
        match machine {
            Actor::MqttPublisher(publisher) => self.mqtt_publisher(publisher),
            Actor::MqttBroker(actor) => {
                let away = actor.broker.sessions().filter(|(_, s)| !s.is_connected).count();
                let waiting = actor.broker.sessions().map(|(_, s)| s.outgoing.n_held());
                let waiting = numbers::count(waiting.sum());
                self.pick(
                    format!(
                        "Clients that are away: {away}; messages unanswered or waiting: {waiting}."
                    ),
                    format!("{away} 个离线客户端的会话；未应答与等待中的消息 {waiting} 条。"),
                )
            }
            Actor::MqttSubscriber(subscriber) if subscriber.workers.n_busy() == 0 => {
                match subscriber.link.is_up() {
                    true => self.working(&subscriber.workers.busy),
                    false => self.pick(
                        "It is not connected: nothing reaches it.",
                        "它没有连接：什么都送不到。",
                    ),
                }
            }
            Actor::MqttSubscriber(subscriber) => self.working(&subscriber.workers.busy),
            Actor::WorkQueue(actor) => match actor.queue.due_by(SimTime::MAX).next() {
                None => self.pick("No worker holds a job.", "没有工作者占用任务。"),
                Some(id) => {
                    let until = match actor.queue.job(id).map(|job| job.state) {
                        Some(JobState::Reserved { until, .. }) => until,
                        _ => self.now,
                    };
                    let within = numbers::span(until.since(self.now));
                    self.pick(
                        format!("It takes back the next job in {within}, unless it hears of it."),
                        format!("若无消息，{within} 后收回下一个任务。"),
                    )
                }
            },
            _ => String::new(),
        }
    }

    pub(super) fn mqtt_figures(&self, machine: &Actor) -> Vec<(String, String)> {
        let mut figures = Vec::new();
        let mut add = |en: &str, zh: &str, n: u64| {
            figures.push((self.pick(en, zh), numbers::count(n)));
        };
        match machine {
            Actor::MqttPublisher(publisher) => {
                add("made", "已生成", publisher.n_made);
                add("not answered", "未应答", u64::from(publisher.outgoing.n_inflight()));
                add("waiting", "等待", u64::from(publisher.outgoing.n_waiting()));
                add("connections", "连接次数", u64::from(publisher.link.number));
            }
            Actor::MqttBroker(actor) => {
                let sum = |n: &dyn Fn(&crate::model::mqtt::Session<_>) -> u64| -> u64 {
                    actor.broker.sessions().map(|(_, session)| n(session)).sum()
                };
                let gauges = actor.broker.gauges();
                add("sessions", "会话数", u64::from(gauges.n_sessions));
                add("connected", "已连接", sum(&|s| u64::from(s.is_connected)));
                add("not answered", "未应答", sum(&|s| u64::from(s.outgoing.n_inflight())));
                add("waiting", "等待", sum(&|s| u64::from(s.outgoing.n_waiting())));
                add("not released", "待释放", sum(&|s| s.incoming.unreleased().len() as u64));
                add("retained topics", "有保留消息的主题", u64::from(gauges.n_retained));
            }
            Actor::MqttSubscriber(subscriber) => {
                add("in work", "处理中", u64::from(subscriber.workers.n_busy()));
                add("in its memory", "内存中等待", subscriber.workers.buffer.len() as u64);
                let unreleased = subscriber.incoming.unreleased().len() as u64;
                add("not released", "待释放", unreleased);
                add("connections", "连接次数", u64::from(subscriber.link.number));
            }
            _ => {}
        }
        figures
    }
}
