//! What a document says of a queue broker: its parameters.

use crate::kernel::SimSpan;
use crate::model::actor::broker::topology;
use crate::param::{Amount, Bytes, Lines, Ppm, Spans, Words};

choices! {
    /// To which queues a message goes.
    pub enum Routing {
        /// To the queue that its routing key names.
        Direct = "direct" ("direct", "直连"),
        /// To every queue.
        Fanout = "fanout" ("fanout", "广播"),
    }
}

choices! {
    /// What a full queue does.
    pub enum WhenFull {
        /// It takes nothing more: senders wait.
        Block = "block" ("block the sender", "阻塞发送方"),
        /// It refuses what is new.
        Reject = "reject" ("reject the new", "拒绝新消息"),
        /// It drops what is oldest.
        DropOldest = "drop-oldest" ("drop the oldest", "丢弃最旧"),
    }
}

choices! {
    /// What queues are built on.
    pub enum QueueType {
        /// What comes back goes to where it stood.
        Classic = "classic" ("classic", "经典"),
        /// Failed deliveries are counted; what comes back goes in front.
        Quorum = "quorum" ("quorum", "仲裁"),
    }
}

choices! {
    /// When what is to survive a crash is forced to the disk.
    pub enum SyncPolicy {
        /// Before each message counts as taken.
        Message = "message" ("each message", "逐条"),
        /// So often; what is confirmed is on the disk.
        Interval = "interval" ("at intervals", "定时"),
        /// The system writes it some time; what is confirmed may be lost.
        Never = "never" ("never", "不强制"),
    }
}

params! {
    /// What a queue broker does.
    pub struct BrokerParams for "broker" {
        /// The names of its queues.
        queues: Words = Words::of(&["queue"]), words 16, applies restart,
            name ("Queues", "队列"),
            help ("The names of its queues.", "各队列的名称。"),
            source "AMQP 0-9-1, queue.declare";
        /// To which queues a message goes.
        routing: Routing = Routing::Direct, choice, applies restart,
            name ("Routing", "路由"),
            help ("Direct: to the queue of the routing key. Fanout: a copy to every queue.",
                "直连：送往路由键对应的队列。广播：每个队列一份。"),
            source "AMQP 0-9-1, exchange types";
        /// How many messages a queue holds ready.
        capacity: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(10_000), applies live,
            name ("Queue length, at most", "队列长度上限"),
            help ("Ready messages that one queue holds.", "一个队列最多保存的就绪消息数。"),
            source "RabbitMQ x-max-length";
        /// What a full queue does.
        when_full: WhenFull = WhenFull::Block, choice, applies live,
            name ("When full", "队列满时"),
            help ("Block the sender, reject the new message or drop the oldest.",
                "阻塞发送方、拒绝新消息，或丢弃最旧的消息。"),
            source "RabbitMQ x-overflow; block: our own policy";
        /// How long messages may wait, queue by queue; no time at all: for ever.
        ttl: Spans = Spans::NONE, lasting 16, applies restart,
            name ("Time to live", "消息存活时间"),
            help ("How long a message may wait, in the order of the queues; 0 s, or none: for ever.",
                "消息在各队列中最多等待多久，按队列顺序；0 s 或不写表示不限。"),
            source "RabbitMQ x-message-ttl";
        /// The queue that gets the dead letters of all others.
        dead_letters: Words = Words::NONE, words 1, applies restart,
            name ("Dead letters to", "死信队列"),
            help ("The queue that gets what expired or was dropped in the others; none: it is lost.",
                "接收其他队列中过期或被丢弃的消息的队列；不写则丢失。"),
            source "RabbitMQ x-dead-letter-exchange (default), x-dead-letter-routing-key";
        /// Whether queues and what is in them survive a crash.
        durable: bool = false, switch, applies restart,
            name ("Durable", "持久化"),
            help ("Queues and messages survive a crash of the broker.", "代理崩溃后队列和消息仍在。"),
            source "RabbitMQ durable queues, delivery_mode 2";
        /// The highest priority that its queues know.
        max_priority: Amount = Amount(0), range Amount(0) => Amount(255), step Amount(1),
            slider Amount(0) => Amount(10), applies restart,
            name ("Highest priority", "最高优先级"),
            help ("Messages of higher priority go first, up to this; 0: none does.",
                "优先级高者先出，以此为上限；0 表示不分优先级。"),
            source "RabbitMQ x-max-priority";
        /// What its queues are built on.
        queue_type: QueueType = QueueType::Classic, choice, applies restart,
            name ("Queue type", "队列类型"),
            help ("Quorum queues count failed deliveries and have no priorities.",
                "仲裁队列统计投递失败次数，且不分优先级。"),
            source "RabbitMQ x-queue-type";
        /// How many failed deliveries of a message a quorum queue forgives.
        delivery_limit: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(0) => Amount(20), applies restart,
            name ("Delivery limit", "投递次数上限"),
            help ("Quorum queues: after more failures a message is a dead letter.",
                "仲裁队列：失败次数超过此值，消息成为死信。"),
            source "RabbitMQ x-delivery-limit";
        /// How long a delivery may stay unacknowledged.
        ack_timeout: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(86_400), scale log,
            slider SimSpan::ms(10) => SimSpan::s(3_600), applies restart,
            name ("Acknowledge within", "确认期限"),
            help ("After it the consumer's channel is closed and its messages come again; 0 s: it waits for ever.",
                "超过期限则关闭消费者的通道，消息重新投递；0 s 表示一直等待。"),
            source "RabbitMQ consumer_timeout (default 30 min)";
        /// Exchanges, one a line: a name and a type.
        exchanges: Lines = Lines::NONE, lines topology::check_exchanges, applies restart,
            name ("Exchanges", "交换机"),
            help ("A name and a type each: news topic; also alternate=NAME.",
                "每行一个名称和类型：news topic；可加 alternate=名称。"),
            source "AMQP 0-9-1, exchange.declare";
        /// Bindings, one a line: where from, where to.
        bindings: Lines = Lines::NONE, lines topology::check_bindings, applies restart,
            name ("Bindings", "绑定"),
            help ("An exchange, a colon, a key, and where it leads: news:order.* -> mail.",
                "交换机、冒号、键和去向：news:order.* -> mail。"),
            source "AMQP 0-9-1, queue.bind";
        /// What single queues have for themselves, one queue a line.
        arguments: Lines = Lines::NONE, lines topology::check_arguments, applies restart,
            name ("Of single queues", "单个队列的参数"),
            help ("A queue and what it has for itself: mail ttl=5s max-length=100.",
                "一个队列和它自己的参数：mail ttl=5s max-length=100。"),
            source "AMQP 0-9-1, queue.declare arguments";
        /// Whether queues go with their last consumer.
        auto_delete: bool = false, switch, applies restart,
            name ("Temporary queues", "临时队列"),
            help ("A queue goes with its last consumer, and all that is in it.",
                "最后一个消费者离开时，队列连同其中的消息一起消失。"),
            source "AMQP 0-9-1, auto-delete";
        /// What the broker itself needs for a message that it takes in.
        work: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::us(1) => SimSpan::ms(100), applies live,
            name ("Work per message", "代理每条处理时间"),
            help ("One core takes in one message after the other; 0 s: no time at all.",
                "单核逐条接收消息；0 s 表示不耗时。"),
            source "our own model of a broker's CPU";
        /// Memory of the broker.
        memory: Bytes = Bytes(0), range Bytes(0) => Bytes(1_099_511_627_776), scale log,
            slider Bytes(1_024) => Bytes(17_179_869_184), applies live,
            name ("Memory", "内存"),
            help ("Memory of the broker; 0 B: as much as it likes.", "代理的内存；0 B 表示不限。"),
            source "RabbitMQ, memory alarms";
        /// Above this part of it, publishers are blocked.
        watermark: Ppm = Ppm(400_000), range Ppm(1) => Ppm(1_000_000), step Ppm(10_000),
            applies live,
            name ("Memory watermark", "内存高水位"),
            help ("Above this part of the memory nothing is read from publishers.",
                "内存用量超过此比例时，不再读取发布者。"),
            source "RabbitMQ vm_memory_high_watermark: 0.4, from 4.0 on 0.6";
        /// What a message takes in memory besides its body.
        overhead: Bytes = Bytes(1_024), range Bytes(0) => Bytes(1_048_576), scale log,
            slider Bytes(64) => Bytes(65_536), applies live,
            name ("Memory per message", "每条内存开销"),
            help ("What a message takes in memory besides its body.", "消息体之外每条消息占用的内存。"),
            source "our own figure";
        /// Disk of the broker.
        disk: Bytes = Bytes(0), range Bytes(0) => Bytes(1_099_511_627_776), scale log,
            slider Bytes(1_024) => Bytes(17_179_869_184), applies live,
            name ("Disk", "磁盘"),
            help ("Space for messages of durable queues; 0 B: as much as it likes.",
                "持久队列可用的磁盘空间；0 B 表示不限。"),
            source "RabbitMQ, disk alarms";
        /// With less free space than this, publishers are blocked.
        disk_free_limit: Bytes = Bytes(50_000_000),
            range Bytes(0) => Bytes(1_099_511_627_776), scale log,
            slider Bytes(1_024) => Bytes(17_179_869_184), applies live,
            name ("Free disk, at least", "磁盘剩余下限"),
            help ("With less free space nothing is read from publishers.",
                "剩余空间低于此值时，不再读取发布者。"),
            source "RabbitMQ disk_free_limit: 50 MB";
        /// When durable messages are forced to the disk.
        sync: SyncPolicy = SyncPolicy::Message, choice, applies restart,
            name ("Forced to disk", "刷盘策略"),
            help ("What is not on the disk yet is lost in a crash of the broker.",
                "尚未落盘的消息在代理崩溃时丢失。"),
            source "fsync(2); RabbitMQ: confirms after fsync, in batches";
        /// How long that takes.
        sync_time: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(10), scale log,
            slider SimSpan::us(10) => SimSpan::ms(100), applies live,
            name ("Time of a sync", "单次刷盘耗时"),
            help ("How long it takes to force to disk what waits.", "把待写内容刷到磁盘所需的时间。"),
            source "fsync(2): some ms on a disk, some 100 us on flash";
        /// How often, with the policy `interval`.
        sync_interval: SimSpan = SimSpan::ms(200),
            range SimSpan::ms(1) => SimSpan::s(60), scale log,
            slider SimSpan::ms(1) => SimSpan::s(10), applies live,
            name ("Sync every", "刷盘间隔"),
            help ("With the policy interval: at the latest after so long.", "策略为“定时”时，最迟多久刷一次。"),
            source "RabbitMQ SYNC_INTERVAL: 200 ms";
        /// Who may write to its queues.
        writers: Words = Words::NONE, words 16, applies restart,
            name ("Who may write", "写权限"),
            help ("Actors and groups that may write to its queues; none named: all.",
                "可写入其队列的节点或组；不写表示所有。"),
            source "our own model";
        /// Who may read its queues.
        readers: Words = Words::NONE, words 16, applies restart,
            name ("Who may read", "读权限"),
            help ("Actors and groups that may read its queues; none named: all.",
                "可读取其队列的节点或组；不写表示所有。"),
            source "our own model";
        /// Whether every write and read is recorded.
        audit: bool = false, switch, applies live,
            name ("Audit trail", "审计"),
            help ("Who wrote and read each message is recorded, which takes time.",
                "记录每条消息由谁写入、由谁读取，耗费时间。"),
            source "our own model";
        /// How long one such record takes.
        audit_time: SimSpan = SimSpan::us(50), range SimSpan::ZERO => SimSpan::s(1), scale log,
            slider SimSpan::us(1) => SimSpan::ms(10), applies live,
            name ("Time per record", "每条审计耗时"),
            help ("Work of the broker for each record of the audit trail.", "每条审计记录占用代理的时间。"),
            source "our own figure";
        /// Whether bodies are encrypted in its queues.
        encrypted: bool = false, switch, applies live,
            name ("Encrypted", "加密"),
            help ("Bodies are encrypted on their way in and decrypted on their way out.",
                "消息体入队时加密，出队时解密。"),
            source "our own model";
        /// How long that takes.
        encrypt_time: SimSpan = SimSpan::us(2), range SimSpan::ZERO => SimSpan::s(1), scale log,
            slider SimSpan::ns(100) => SimSpan::ms(10), applies live,
            name ("Encryption per KiB", "每 KiB 加密耗时"),
            help ("Work of the broker for each KiB, in and out together.", "每 KiB 加解密合计占用代理的时间。"),
            source "our own figure";
    }
}
