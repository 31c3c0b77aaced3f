//! A client that subscribes: answers what comes as its quality asks, and works on it.
//!
//! It models filters, the receiving half of QoS 2, an acknowledgement on receipt or after the work,
//! parallel workers, and a connection that comes and goes. A crash loses its memory, the numbers
//! of QoS 2 with it. It leaves out a store on disk. Read `docs/models/mqtt.md` before editing.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::mqtt::link::{Link, Turn, answer};
use crate::model::actor::mqtt::{MqttClient, QosWish, SessionKind, check_filters, texts};
use crate::model::actor::workers::{By, Job, Service, Workers};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::message::{Message, MsgId, Parcel};
use crate::model::mqtt::{Incoming, Kept, Mid, Publish, Qos, Text};
use crate::model::mqtt_parcel::{Answer, MqttPacket, MqttParcel};
use crate::model::spread::Spread;
use crate::param::{Amount, Lines, Ppm, Reason, Spans, Value};

choices! {
    /// When a QoS 1 message is acknowledged.
    pub enum AckWhen {
        /// When the work is done.
        AfterWork = "after-work" ("after work", "处理后"),
        /// When it has come.
        OnReceipt = "on-receipt" ("on receipt", "收到即确认"),
    }
}

params! {
    /// What a subscriber does.
    pub struct MqttSubscriberParams for "mqtt-subscriber" {
        /// The topics that it wants.
        filters: Lines = Lines::NONE, lines check_filters, applies restart,
            name ("Filters", "主题过滤器"),
            help ("Topics that it wants: + is one level, a last # the rest, $share/group/… shares; none: #.",
                "想要的主题：+ 代表一级，末尾的 # 代表其余，$share/组/… 为共享订阅；不写则为 #。"),
            source "MQTT 3.1.1 section 4.7; shared: MQTT 5 section 4.8.2, mosquitto";
        /// The best quality that it wants.
        qos: QosWish = QosWish::Two, choice, applies restart,
            name ("QoS, at most", "QoS 上限"),
            help ("A message comes with the lower quality of publisher and subscriber.",
                "实际级别取发布者与订阅者中较低的。"),
            source "MQTT 3.1.1 section 3.8.4";
        /// What becomes of its session.
        session: SessionKind = SessionKind::Persistent, choice, applies restart,
            name ("Session", "会话"),
            help ("Persistent: messages of QoS 1 and 2 wait while it is away.",
                "持久会话：离线期间 QoS 1、2 的消息会等它回来。"),
            source "MQTT 3.1.1 section 3.1.2.4";
        /// Whether it is connected.
        connected: bool = true, switch, applies live,
            name ("Connected", "保持连接"),
            help ("Off: it disconnects; on: it connects and subscribes.", "关：断开连接；开：连接并订阅。"),
            source "MQTT 3.1.1 sections 3.1, 3.14";
        /// When a QoS 1 message is acknowledged.
        ack: AckWhen = AckWhen::AfterWork, choice, applies live,
            name ("Acknowledge", "确认方式"),
            help ("With QoS 1: on receipt, a crash loses what is not done yet.",
                "QoS 1 时，收到即确认的话，崩溃会丢失尚未处理的。"),
            source "Eclipse Paho: manual acks";
        /// Mean time of the work on one message.
        service: SimSpan = SimSpan::ms(5), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::us(100) => SimSpan::s(10), applies live,
            name ("Work per message", "每条处理时间"),
            help ("How long one message takes, on average.", "处理一条消息平均所需的时间。"),
            source "service time, Kendall's notation";
        /// How that time spreads.
        spread: Spread = Spread::Constant, choice, applies live,
            name ("Spread of work", "处理时间分布"),
            help ("The law of the work's duration.", "处理时间服从的分布。"),
            source "service-time distribution, Kendall's notation";
        /// Standard deviation of that time divided by its mean.
        variation: Ppm = Ppm(450_000), range Ppm(0) => Ppm(10_000_000), step Ppm(10_000),
            slider Ppm(0) => Ppm(2_000_000), applies live,
            name ("Variation of work", "处理时间变异"),
            help ("Standard deviation / mean; constant and exponential ignore it.", "标准差除以均值；固定与指数分布忽略此项。"),
            source "coefficient of variation";
        /// How many messages are worked on at once.
        parallelism: Amount = Amount(1), range Amount(1) => Amount(1_000), scale log,
            slider Amount(1) => Amount(64), applies live,
            name ("Workers", "并行数"),
            help ("Messages worked on at the same time.", "同时处理的消息数。"),
            source "servers c in M/M/c";
        /// How long the first, the second, ... work takes.
        recorded: Spans = Spans::NONE, lasting 100_000, applies restart,
            name ("Recorded work", "录制的处理时间"),
            help ("How long each message takes, in the order of starting; then as set above.",
                "按开始顺序，每条消息的处理时间；用完后按上面的设置。"),
            source "trace-driven simulation";
    }
}

/// A client that subscribes.
#[derive(Clone, PartialEq, Debug)]
pub struct MqttSubscriber {
    /// Its settings.
    pub params: MqttSubscriberParams,
    /// Its connection.
    pub link: Link,
    /// QoS 2 messages that are not released.
    pub incoming: Incoming<Message>,
    /// Its workers and their memory.
    pub workers: Workers,
    /// No topic: what a message is about was settled when it was routed.
    no_topic: Text,
}

impl MqttSubscriber {
    /// An idle subscriber.
    pub fn new(params: MqttSubscriberParams) -> MqttSubscriber {
        MqttSubscriber {
            link: Link::new(params.connected),
            workers: Workers::new(params.parallelism.0),
            params,
            incoming: Incoming::default(),
            no_topic: "".into(),
        }
    }

    /// What its broker knows of it.
    pub fn client(&self) -> MqttClient {
        let qos = self.params.qos.qos();
        let filters = texts(&self.params.filters, "#").into_iter();
        MqttClient {
            topics: Vec::new(),
            filters: filters.map(|filter| (filter, qos)).collect(),
            clean: self.is_clean(),
            connected: self.params.connected,
        }
    }

    /// A parcel came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, parcel: Parcel) {
        match self.link.on_message(cx, &parcel, (self.params.connected, self.is_clean())) {
            Turn::Up | Turn::Same => {}
            Turn::Down => self.on_down(cx),
        }
        match self.link.packet(&parcel) {
            Some(MqttPacket::Publish { mid, qos, dup, message, .. }) => {
                self.on_publish(cx, (mid, qos, dup), message);
            }
            Some(MqttPacket::Answer { answer: Answer::PubRel, mid, msg }) => {
                self.write(cx, Answer::PubComp, mid, msg);
                if let Some(publish) = self.incoming.release(mid) {
                    self.take(cx, publish.payload, 0, publish.dup);
                }
            }
            Some(_) => {}
            None => {
                if let Some(message) = parcel.message() {
                    let at = Node::Actor(cx.me);
                    cx.fact(Fact::Dropped { msg: message.id, at, why: Why::NotConnected });
                }
            }
        }
    }

    /// Work ended, or it asks again for a connection.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        self.link.on_wake(cx, self.is_clean());
        while let Some(job) = self.workers.finish(cx.now()) {
            let msg = job.message.id;
            cx.fact(Fact::Done { msg, at: cx.me, answers: false });
            // An answer of an earlier connection says nothing: the message comes again.
            if job.tag != 0 && self.link.is_up() && job.tag >> 16 == u64::from(self.link.number) {
                self.write(cx, Answer::PubAck, job.tag as u16, msg);
            }
        }
        self.go_on(cx);
    }

    /// When the next work ends, or it asks again for a connection.
    pub fn next_wake(&self) -> Option<SimTime> {
        [self.workers.next_wake(), self.link.next_wake()].into_iter().flatten().min()
    }

    /// Its process dies, and its memory with it.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.workers.crash(cx);
        self.forget(cx, Why::Crash);
        self.link.crash();
    }

    /// It starts anew and connects.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        self.link.restart(cx, (self.params.connected, self.is_clean()));
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = (self.params.connected, self.params.parallelism);
        self.params.set(index, value)?;
        match (before.0, self.params.connected) {
            (false, true) => self.link.connect(cx, self.is_clean()),
            (true, false) => {
                let was_up = self.link.is_up();
                self.link.disconnect(cx);
                if was_up {
                    self.on_down(cx);
                }
            }
            _ => {}
        }
        if before.1 != self.params.parallelism {
            self.workers.resize(self.params.parallelism.0);
        }
        self.go_on(cx);
        Ok(())
    }

    /// Copies of messages in its memory.
    pub fn n_held(&self) -> u64 {
        let waiting = self.workers.buffer.len() + self.incoming.unreleased().len();
        waiting as u64 + u64::from(self.workers.n_busy())
    }

    fn is_clean(&self) -> bool {
        self.params.session == SessionKind::Clean
    }

    fn on_publish(
        &mut self,
        cx: &mut Ctx<'_>,
        (mid, qos, dup): (Mid, Qos, bool),
        message: Message,
    ) {
        let msg = message.id;
        match qos {
            Qos::AtMostOnce => self.take(cx, message, 0, dup),
            Qos::AtLeastOnce if self.params.ack == AckWhen::OnReceipt => {
                self.write(cx, Answer::PubAck, mid, msg);
                self.take(cx, message, 0, dup);
            }
            Qos::AtLeastOnce => {
                let tag = u64::from(self.link.number) << 16 | u64::from(mid);
                self.take(cx, message, tag, dup);
            }
            Qos::ExactlyOnce => {
                let topic = self.no_topic.clone();
                let publish = Publish { topic, payload: message, qos, dup, retain: false, mid };
                let at = Node::Actor(cx.me);
                match self.incoming.keep(publish) {
                    Kept::New => cx.fact(Fact::Held { msg, cause: Cause::Unreleased }),
                    Kept::Known(_) => {
                        cx.fact(Fact::Dropped { msg, at, why: Why::KnownNumber });
                        // The one that is here waits on.
                        cx.fact(Fact::Held { msg, cause: Cause::Unreleased });
                    }
                    Kept::Full(_) => {
                        return cx.fact(Fact::Dropped { msg, at, why: Why::Refused });
                    }
                }
                self.write(cx, Answer::PubRec, mid, msg);
            }
        }
    }

    /// Starts on a message, or keeps it for later.
    fn take(&mut self, cx: &mut Ctx<'_>, message: Message, tag: u64, redelivered: bool) {
        let job = Job { message, port: 0, by: By::Broker, tag, redelivered };
        self.workers.take(cx, job, service(&self.params));
    }

    fn go_on(&mut self, cx: &mut Ctx<'_>) {
        self.workers.start_waiting(cx, service(&self.params));
    }

    /// The connection is over: a clean session forgets what is not released. What is in its
    /// workers' memory stays.
    fn on_down(&mut self, cx: &mut Ctx<'_>) {
        if self.is_clean() {
            self.forget(cx, Why::SessionOver);
        }
    }

    fn forget(&mut self, cx: &mut Ctx<'_>, why: Why) {
        let at = Node::Actor(cx.me);
        for message in self.incoming.clear() {
            cx.fact(Fact::Dropped { msg: message.id, at, why });
        }
    }

    fn write(&self, cx: &mut Ctx<'_>, what: Answer, mid: Mid, msg: MsgId) {
        let connection = self.link.number;
        let packet = answer(what, mid, msg);
        cx.write(0, Parcel::Mqtt(MqttParcel { connection, packet }), false);
    }
}

fn service(params: &MqttSubscriberParams) -> Service<'_> {
    Service {
        recorded: &params.recorded.0,
        ..Service::new(params.service, params.spread, params.variation.0)
    }
}
