//! What a publisher can be told.

use crate::kernel::SimSpan;
use crate::model::actor::arrivals::{Arrivals, BatchLaw, Source};
use crate::model::actor::mqtt::{QosWish, SessionKind, check_topics};
use crate::model::spread::Spread;
use crate::param::{Amount, Bytes, Lines, Ppm, Rate, Spans};

params! {
    /// What a publisher does.
    pub struct MqttPublisherParams for "mqtt-publisher" {
        /// Mean number of messages per second.
        rate: Rate = Rate::per_s(30), range Rate(0) => Rate::per_s(1_000_000), scale log,
            slider Rate::per_s(1) => Rate::per_s(1_000), applies live,
            name ("Rate", "速率"),
            help ("Messages per second, on average.", "平均每秒的消息数。"),
            source "arrival rate, Kendall's notation";
        /// How arrivals follow each other.
        arrivals: Arrivals = Arrivals::Poisson, choice, applies live,
            name ("Arrivals", "到达方式"),
            help ("Whether messages come at random, evenly, or in bursts.", "消息随机、均匀还是成批到来。"),
            source "arrival process, Kendall's notation";
        /// How many messages come together.
        burst: Amount = Amount(1), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Messages at once", "每批条数"),
            help ("How many messages each arrival brings.", "每次到达带来的消息数。"),
            source "batch arrivals, M^X/M/1";
        /// Time between bursts.
        period: SimSpan = SimSpan::s(1), range SimSpan::us(1) => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Time between bursts", "突发间隔"),
            help ("With arrivals set to bursts: one burst each period.", "到达方式为“突发”时，每个周期一批。"),
            source "our own model of periodic load";
        /// Times of arrival since the start.
        times: Spans = Spans::NONE, spans 100_000, applies restart,
            name ("Recorded times", "录制的时刻"),
            help ("With arrivals set to recorded times: when each message comes.",
                "到达方式为“录制的时刻”时，每条消息到来的时刻。"),
            source "trace-driven simulation";
        /// After how many messages it stops.
        limit: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(100_000), applies live,
            name ("Stop after", "总条数"),
            help ("It sends no more than this.", "最多发送这么多条。"),
            source "our own model";
        /// Size of a body.
        size: Bytes = Bytes(64), range Bytes(1) => Bytes(16_777_216), scale log,
            slider Bytes(1) => Bytes(65_536), applies live,
            name ("Size", "大小"),
            help ("Bytes of a message.", "消息的字节数。"),
            source "our own model";
        /// The topics of its messages, one after the other.
        topics: Lines = Lines::NONE, lines check_topics, applies restart,
            name ("Topics", "主题"),
            help ("Topics of its messages, in turn; none: data.", "各条消息依次使用的主题；不写则为 data。"),
            source "MQTT 3.1.1 section 4.7";
        /// Quality of service of its messages.
        qos: QosWish = QosWish::One, choice, applies live,
            name ("QoS", "QoS"),
            help ("How surely a message reaches the broker, and at most how surely a subscriber.",
                "消息送达代理的保证级别，也是送达订阅者的上限。"),
            source "MQTT 3.1.1 section 4.3";
        /// Whether the broker keeps the last message of each topic.
        retain: bool = false, switch, applies live,
            name ("Retained", "保留消息"),
            help ("The broker keeps the last one of each topic for who subscribes later.",
                "代理为后来的订阅者保留每个主题的最后一条。"),
            source "MQTT 3.1.1 section 3.3.1.3";
        /// What becomes of its session.
        session: SessionKind = SessionKind::Persistent, choice, applies restart,
            name ("Session", "会话"),
            help ("Clean: what is under way is forgotten when the connection ends.",
                "清除会话：连接结束时，在途的消息全部丢弃。"),
            source "MQTT 3.1.1 section 3.1.2.4";
        /// Whether it is connected.
        connected: bool = true, switch, applies live,
            name ("Connected", "保持连接"),
            help ("Off: it disconnects; messages of QoS 1 and 2 wait in its memory.",
                "关：断开连接；QoS 1、2 的消息在自身内存中等待。"),
            source "MQTT 3.1.1 sections 3.1, 3.14";
        /// How many messages may be unanswered at once.
        in_flight: Amount = Amount(20), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(100), applies live,
            name ("In flight, at most", "在途上限"),
            help ("Messages of QoS 1 and 2 that may be unanswered at once.",
                "同时未应答的 QoS 1、2 消息数。"),
            source "mosquitto max_inflight_messages";
        /// When what is not answered is sent again.
        resend: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Resend after", "重发间隔"),
            help ("How long it waits for an answer; 0 s: it sends again only when it connects anew.",
                "等待应答多久后重发；0 s 表示只在重新连接时重发。"),
            source "mosquitto 1.4 retry_interval; MQTT 3.1.1 section 4.4 resends on connecting only";
    }
}

impl MqttPublisherParams {
    /// What decides when messages come.
    pub fn source(&self) -> Source<'_> {
        Source {
            rate: self.rate,
            arrivals: self.arrivals,
            gaps: Spread::Constant,
            gap_variation: Ppm(0),
            burst: self.burst,
            burst_law: BatchLaw::Fixed,
            period: self.period,
            on: self.period,
            off: SimSpan::ZERO,
            times: &self.times.0,
        }
    }
}
