//! What a consumer of a log broker can be told.

use crate::kernel::SimSpan;
use crate::model::group::{Assignor, CommitPolicy};
use crate::model::log::Isolation;
use crate::model::spread::Spread;
use crate::param::{Amount, Bytes, Ppm, Spans, Words};

choices! {
    /// How a group divides partitions.
    pub enum Division {
        /// Consecutive ones.
        Range = "range" ("range", "按区间"),
        /// One after the other.
        RoundRobin = "round-robin" ("round robin", "轮流"),
        /// As few moves as possible; all stop meanwhile.
        Sticky = "sticky" ("sticky", "粘性"),
        /// As few moves as possible; only what moves stops.
        Cooperative = "cooperative-sticky" ("cooperative", "协作式"),
    }
}

choices! {
    /// When a consumer commits.
    pub enum CommitMode {
        /// After each message's work.
        AfterEach = "after-each" ("after each", "每条处理后"),
        /// Before each message's work.
        BeforeEach = "before-each" ("before each", "每条处理前"),
        /// After every n-th message's work.
        AfterEvery = "after-every" ("after every n", "每 n 条之后"),
        /// After a poll's messages.
        AfterBatch = "after-batch" ("after a batch", "整批处理后"),
        /// Before a poll's messages.
        BeforeBatch = "before-batch" ("before a batch", "整批处理前"),
        /// Inside polls, now and then.
        AutoInPoll = "auto" ("automatic, in polls", "自动（轮询时）"),
        /// By a timer, what was handed out.
        AutoOnDelivery = "auto-delivered" ("automatic, delivered", "自动（已交付）"),
        /// By a timer, what was done.
        AutoStored = "auto-done" ("automatic, done", "自动（已处理）"),
    }
}

choices! {
    /// Whether a consumer waits for the answer to a commit by hand.
    pub enum CommitWait {
        /// It goes on at once.
        Async = "async" ("goes on", "不等待"),
        /// It waits.
        Sync = "sync" ("waits", "等待应答"),
    }
}

choices! {
    /// Where a group begins that has committed nothing.
    pub enum Start {
        /// At the end of the log.
        Latest = "latest" ("at the end", "从末尾"),
        /// At its beginning.
        Earliest = "earliest" ("at the beginning", "从开头"),
    }
}

choices! {
    /// What a consumer sees of transactions.
    pub enum Sees {
        /// All of them.
        Uncommitted = "read-uncommitted" ("everything", "全部记录"),
        /// Those that were committed.
        Committed = "read-committed" ("only what is committed", "仅已提交"),
    }
}

impl Sees {
    /// For the machine.
    pub fn limit(self) -> Isolation {
        match self {
            Sees::Uncommitted => Isolation::Uncommitted,
            Sees::Committed => Isolation::Committed,
        }
    }
}

params! {
    /// What a consumer of a log broker does.
    pub struct LogConsumerParams for "log-consumer" {
        /// Its group; empty: it is a group of its own.
        group: Words = Words::NONE, words 1, applies restart,
            name ("Group", "消费组"),
            help ("A record goes to one member of each group; none: a group of its own.",
                "每条记录交给每个组中的一个成员；不写则自成一组。"),
            source "Kafka group.id";
        /// Whether it takes part.
        joined: bool = true, switch, applies live,
            name ("In the group", "加入消费组"),
            help ("On: it joins; off: it leaves.", "开：加入；关：离开。"),
            source "Kafka KafkaConsumer.subscribe, close";
        /// Mean time of the work on one message.
        service: SimSpan = SimSpan::ms(10), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
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
            help ("Messages of a batch worked on at the same time.", "一批消息中同时处理的条数。"),
            source "servers c in M/M/c";
        /// How long the first, the second, ... work takes.
        recorded: Spans = Spans::NONE, lasting 100_000, applies restart,
            name ("Recorded work", "录制的处理时间"),
            help ("How long each message takes, in the order of starting; then as set above.",
                "按开始顺序，每条消息的处理时间；用完后按上面的设置。"),
            source "trace-driven simulation";
        /// Time from one poll to the next, when the work takes less.
        poll: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(1) => SimSpan::s(60), applies live,
            name ("Polls every", "轮询间隔"),
            help ("Time from one poll to the next; 0 s: as soon as the work is done.",
                "两次轮询的间隔；0 s 表示处理完立即轮询。"),
            source "Kafka KafkaConsumer.poll; the application's own loop";
        /// Most messages of a poll.
        max_poll_records: Amount = Amount(500), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Messages per poll", "每次轮询条数"),
            help ("Messages that one poll returns at most.", "一次轮询最多返回的消息数。"),
            source "Kafka max.poll.records";
        /// How it would divide partitions.
        assignor: Division = Division::Range, choice, applies restart,
            name ("Assignor", "分配策略"),
            help ("How the group's leader divides partitions.", "组长如何分配分区。"),
            source "Kafka partition.assignment.strategy";
        /// Whether it keeps its place over a restart.
        static_member: bool = false, switch, applies restart,
            name ("Static member", "静态成员"),
            help ("It keeps its partitions over a restart, until its session ends.",
                "重启后仍保留分区，直到会话超时。"),
            source "Kafka group.instance.id, KIP-345";
        /// Without a heartbeat for so long it is removed.
        session: SimSpan = SimSpan::s(45), range SimSpan::ms(1) => SimSpan::s(3_600),
            scale log,
            slider SimSpan::s(1) => SimSpan::s(60), applies restart,
            name ("Session timeout", "会话超时"),
            help ("Silent for so long it is removed from its group.", "这么久没有心跳就被移出消费组。"),
            source "Kafka session.timeout.ms";
        /// From one heartbeat to the next.
        heartbeat: SimSpan = SimSpan::s(3), range SimSpan::ms(1) => SimSpan::s(3_600),
            scale log,
            slider SimSpan::ms(100) => SimSpan::s(20), applies restart,
            name ("Heartbeat every", "心跳间隔"),
            help ("From one sign of life to the next.", "两次心跳之间的时间。"),
            source "Kafka heartbeat.interval.ms";
        /// Longest time between two polls.
        max_poll_interval: SimSpan = SimSpan::s(300), range SimSpan::ms(1) => SimSpan::s(86_400),
            scale log, slider SimSpan::s(1) => SimSpan::s(600), applies restart,
            name ("Longest poll gap", "最长轮询间隔"),
            help ("Without a poll for so long it leaves its group.", "这么久没有轮询就离开消费组。"),
            source "Kafka max.poll.interval.ms";
        /// When it commits.
        commit: CommitMode = CommitMode::AutoInPoll, choice, applies restart,
            name ("Commits", "提交时机"),
            help ("When it says how far it has come.", "何时提交消费位移。"),
            source "Kafka enable.auto.commit; KafkaConsumer.commitSync; librdkafka";
        /// The n of a commit after every n.
        commit_every: Amount = Amount(10), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(1_000), applies restart,
            name ("Messages per commit", "每次提交条数"),
            help ("With commits after every n: this n.", "“每 n 条之后”提交时的 n。"),
            source "our own model of a batch commit";
        /// How often it commits by itself.
        commit_interval: SimSpan = SimSpan::s(5), range SimSpan::ms(1) => SimSpan::s(3_600),
            scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies restart,
            name ("Commits every", "自动提交间隔"),
            help ("With automatic commits: how often.", "自动提交时，多久一次。"),
            source "Kafka auto.commit.interval.ms";
        /// How long a commit by hand takes.
        commit_takes: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::us(100) => SimSpan::s(1), applies live,
            name ("A commit takes", "提交耗时"),
            help ("By hand: time from the work to its commit, or from the commit to the work.",
                "手动提交时：处理完到提交、或提交到开始处理之间的时间。"),
            source "our own model of commitSync";
        /// Whether it waits for the answer to a commit by hand.
        commit_wait: CommitWait = CommitWait::Async, choice, applies restart,
            name ("After a commit", "提交之后"),
            help ("By hand: whether it goes on before the broker has answered.",
                "手动提交时：代理应答之前是否继续。"),
            source "Kafka KafkaConsumer.commitSync, commitAsync";
        /// Where a group begins that has committed nothing.
        start: Start = Start::Latest, choice, applies restart,
            name ("Begins", "起始位置"),
            help ("Where a group reads first that has committed nothing.", "没有提交记录的组从哪里开始读。"),
            source "Kafka auto.offset.reset";
        /// What it sees of transactions.
        isolation: Sees = Sees::Uncommitted, choice, applies restart,
            name ("Isolation", "隔离级别"),
            help ("Whether it sees records before their transaction is committed, and aborted ones.",
                "能否看到事务未提交的记录以及已中止的记录。"),
            source "Kafka isolation.level";
        /// Fewest bytes of an answer.
        fetch_min: Bytes = Bytes(1), range Bytes(1) => Bytes(16_777_216), scale log,
            slider Bytes(1) => Bytes(1_048_576), applies live,
            name ("Fetch at least", "最小拉取量"),
            help ("Bytes for which the broker waits before it answers.", "代理凑够这么多字节才应答。"),
            source "Kafka fetch.min.bytes";
        /// How long an answer waits for them.
        fetch_wait: SimSpan = SimSpan::ms(500), range SimSpan::ms(1) => SimSpan::s(600), scale log,
            slider SimSpan::ms(1) => SimSpan::s(10), applies live,
            name ("Fetch waits", "拉取等待"),
            help ("How long the broker waits for that many.", "代理最多等待多久。"),
            source "Kafka fetch.max.wait.ms";
        /// Most bytes of an answer.
        fetch_max: Bytes = Bytes(1_048_576), range Bytes(1) => Bytes(52_428_800), scale log,
            slider Bytes(1_024) => Bytes(52_428_800), applies live,
            name ("Fetch at most", "最大拉取量"),
            help ("Bytes of an answer; one record always fits.", "一次应答的字节上限；至少一条。"),
            source "Kafka fetch.max.bytes";
        /// How long it waits for an answer.
        request_timeout: SimSpan = SimSpan::s(30), range SimSpan::ms(1) => SimSpan::s(3_600),
            scale log,
            slider SimSpan::ms(100) => SimSpan::s(60), applies live,
            name ("Request timeout", "请求超时"),
            help ("How long it waits before it asks again.", "多久没有应答就重新请求。"),
            source "Kafka request.timeout.ms";
    }
}

impl LogConsumerParams {
    /// The assignor's machine.
    pub fn division(&self) -> Assignor {
        match self.assignor {
            Division::Range => Assignor::Range,
            Division::RoundRobin => Assignor::RoundRobin,
            Division::Sticky => Assignor::Sticky,
            Division::Cooperative => Assignor::CooperativeSticky,
        }
    }

    /// Whether the application commits, and waits while it does.
    pub fn commits_by_hand(&self) -> bool {
        use CommitMode::{AutoInPoll, AutoOnDelivery, AutoStored};
        !matches!(self.commit, AutoInPoll | AutoOnDelivery | AutoStored)
    }

    /// When it commits, with its figures.
    pub fn policy(&self) -> CommitPolicy {
        let interval = self.commit_interval;
        match self.commit {
            CommitMode::AfterEach => CommitPolicy::AfterEach,
            CommitMode::BeforeEach => CommitPolicy::BeforeEach,
            CommitMode::AfterEvery => CommitPolicy::AfterEvery(self.commit_every.0),
            CommitMode::AfterBatch => CommitPolicy::AfterBatch,
            CommitMode::BeforeBatch => CommitPolicy::BeforeBatch,
            CommitMode::AutoInPoll => CommitPolicy::AutoInPoll { interval },
            CommitMode::AutoOnDelivery => CommitPolicy::AutoOnDelivery { interval },
            CommitMode::AutoStored => CommitPolicy::AutoStored { interval },
        }
    }
}
