//! What a producer of a log broker can be told.

use crate::kernel::SimSpan;
use crate::model::actor::arrivals::{Arrivals, BatchLaw, Source};
use crate::model::spread::Spread;
use crate::param::{Amount, Bytes, Ppm, Rate, Spans};

choices! {
    /// What a producer waits for.
    pub enum AckWish {
        /// Nothing.
        None = "0" ("nothing", "不等待"),
        /// The leader.
        Leader = "1" ("the leader", "首领副本"),
        /// All replicas in sync.
        All = "all" ("all in sync", "全部同步副本"),
    }
}

params! {
    /// What a producer of a log broker does.
    pub struct LogProducerParams for "log-producer" {
        /// Mean number of messages per second.
        rate: Rate = Rate::per_s(30), range Rate(0) => Rate::per_s(10_000_000), scale log,
            slider Rate::per_s(1) => Rate::per_s(10_000), applies live,
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
        /// Length of the sending phase.
        on: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("On for", "发送时长"),
            help ("With arrivals set to on and off: how long it sends.", "到达方式为“时通时断”时，持续发送的时长。"),
            source "on/off source";
        /// Length of the silent phase.
        off: SimSpan = SimSpan::s(1), range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Off for", "静默时长"),
            help ("With arrivals set to on and off: how long it is silent.", "到达方式为“时通时断”时，静默的时长。"),
            source "on/off source";
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
        size: Bytes = Bytes(256), range Bytes(1) => Bytes(1_000_000), scale log,
            slider Bytes(1) => Bytes(100_000), applies live,
            name ("Size", "大小"),
            help ("Bytes of a message.", "消息的字节数。"),
            source "our own model";
        /// How many different keys there are.
        keys: Amount = Amount(0), range Amount(0) => Amount(1_000_000), scale log,
            slider Amount(0) => Amount(1_000), applies live,
            name ("Keys", "键的个数"),
            help ("Keys are order-1, order-2 ... with equal chance; 0: no key.",
                "键为 order-1、order-2……等概率；0 表示无键。"),
            source "Kafka, ProducerRecord key";
        /// Share of the messages that have the first key whatever `keys` says.
        hot: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(10_000), applies live,
            name ("Hot key's share", "热点键占比"),
            help ("This share of the messages has the key order-1.", "这一比例的消息使用键 order-1。"),
            source "our own model of skew";
        /// What it waits for.
        acks: AckWish = AckWish::All, choice, applies restart,
            name ("acks", "acks"),
            help ("Who must have a batch before it counts as sent.", "批次由谁保存后才算发送成功。"),
            source "Kafka acks";
        /// Whether repeated batches are recognised.
        idempotence: bool = true, switch, applies restart,
            name ("Idempotence", "幂等"),
            help ("A batch that is sent again is stored once.", "重复发送的批次只保存一次。"),
            source "Kafka enable.idempotence, KIP-98";
        /// How long a batch waits for company.
        linger: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::us(100) => SimSpan::s(1), applies live,
            name ("Linger", "linger"),
            help ("How long a batch waits for more messages.", "批次等待更多消息的时间。"),
            source "Kafka linger.ms";
        /// Most bytes of a batch.
        batch_size: Bytes = Bytes(16_384), range Bytes(1) => Bytes(524_288), scale log,
            slider Bytes(1) => Bytes(524_288), applies restart,
            name ("Batch size", "批次大小"),
            help ("Bytes after which a batch is full.", "批次达到这么多字节即满。"),
            source "Kafka batch.size";
        /// Most requests on their way.
        in_flight: Amount = Amount(5), range Amount(1) => Amount(1_000), scale log,
            slider Amount(1) => Amount(20), applies live,
            name ("In flight, at most", "在途请求上限"),
            help ("Requests that may be unanswered at once.", "同时未应答的请求数。"),
            source "Kafka max.in.flight.requests.per.connection";
        /// How often a batch is sent again.
        retries: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(0) => Amount(20), applies live,
            name ("Retries", "重试次数"),
            help ("How often a batch is sent again.", "批次最多重发几次。"),
            source "Kafka retries";
        /// How long an answer is waited for.
        request_timeout: SimSpan = SimSpan::s(30), range SimSpan::us(1) => SimSpan::s(3_600),
            scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Request timeout", "请求超时"),
            help ("How long it waits before a batch is sent again.", "等待应答多久后重发。"),
            source "Kafka request.timeout.ms";
        /// When a batch is given up.
        delivery_timeout: SimSpan = SimSpan::s(120), range SimSpan::us(1) => SimSpan::s(86_400),
            scale log, slider SimSpan::ms(100) => SimSpan::s(600), applies live,
            name ("Delivery timeout", "投递超时"),
            help ("How old a batch gets before it is given up.", "批次存在多久后放弃。"),
            source "Kafka delivery.timeout.ms";
        /// Pause before the first retry.
        backoff: SimSpan = SimSpan::ms(100), range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::ms(1) => SimSpan::s(10), applies live,
            name ("Retry pause", "重试间隔"),
            help ("Pause before a retry; it doubles up to 1 s.", "重试前的停顿，逐次加倍至 1 s。"),
            source "Kafka retry.backoff.ms, retry.backoff.max.ms";
        /// How many records make a transaction.
        transaction: Amount = Amount(0), range Amount(0) => Amount(10_000), scale log,
            slider Amount(0) => Amount(1_000), applies restart,
            name ("Records per transaction", "每个事务条数"),
            help ("0: no transactions. They need acks=all and idempotence, whatever is set there.",
                "0 表示不用事务。事务强制 acks=all 与幂等，与那两项的设置无关。"),
            source "Kafka transactional.id, KIP-98; how many is the application's choice";
        /// Share of the transactions that are aborted.
        abort: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(10_000), applies live,
            name ("Aborted share", "中止比例"),
            help ("This share of the transactions is aborted after all its records were written.",
                "这一比例的事务在记录全部写入后中止。"),
            source "Kafka KafkaProducer.abortTransaction; our own model of when";
        /// Every how manieth transaction is aborted.
        abort_every: Amount = Amount(0), range Amount(0) => Amount(10_000), scale log,
            slider Amount(0) => Amount(100), applies live,
            name ("Aborts every", "每几个中止一个"),
            help ("1: every transaction is aborted, 2: every second one; 0: none but by chance.",
                "1 表示全部中止，2 表示每两个中止一个；0 表示只按比例。"),
            source "Kafka KafkaProducer.abortTransaction; our own model of when";
        /// How long a transaction may be open.
        transaction_timeout: SimSpan = SimSpan::s(60), range SimSpan::ms(1) => SimSpan::s(900),
            scale log, slider SimSpan::ms(100) => SimSpan::s(120), applies restart,
            name ("Transaction timeout", "事务超时"),
            help ("A transaction open for so long is aborted by the broker, and its producer fenced.",
                "事务开启这么久仍未结束，代理将其中止，并隔离该生产者。"),
            source "Kafka transaction.timeout.ms, transaction.max.timeout.ms";
    }
}

impl LogProducerParams {
    /// Whether its messages go in transactions.
    pub fn is_transactional(&self) -> bool {
        self.transaction != Amount(0)
    }

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
            on: self.on,
            off: self.off,
            times: &self.times.0,
        }
    }
}
