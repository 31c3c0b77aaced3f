//! Kafka's default values, as its own configuration definitions print them.
//!
//! Source: `ProducerConfig`, `ConsumerConfig` and the broker's configuration at commit
//! 1eb7644349cb (2024-10-25). Since 4.0 `linger.ms` is 5. Not all of them are modelled: those that
//! are stand in the machines' own defaults, and a test holds the two together.

/// Names and values of one side.
pub type Table = &'static [(&'static str, &'static str)];

/// All tables with the side that they belong to.
pub const ALL: &[(&str, Table)] =
    &[("producer", PRODUCER), ("consumer", CONSUMER), ("broker", BROKER)];

/// A default by side and name.
pub fn default_of(side: &str, name: &str) -> Option<&'static str> {
    let (_, table) = ALL.iter().find(|(known, _)| *known == side)?;
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The producer's.
pub const PRODUCER: Table = &[
    ("acks", "all"),
    ("batch.size", "16384"),
    ("buffer.memory", "33554432"),
    ("client.dns.lookup", "use_all_dns_ips"),
    ("client.id", ""),
    ("compression.gzip.level", "-1"),
    ("compression.lz4.level", "9"),
    ("compression.type", "none"),
    ("compression.zstd.level", "3"),
    ("connections.max.idle.ms", "540000"),
    ("delivery.timeout.ms", "120000"),
    ("enable.idempotence", "true"),
    ("enable.metrics.push", "true"),
    ("interceptor.classes", "[]"),
    ("linger.ms", "0"),
    ("max.block.ms", "60000"),
    ("max.in.flight.requests.per.connection", "5"),
    ("max.request.size", "1048576"),
    ("metadata.max.age.ms", "300000"),
    ("metadata.max.idle.ms", "300000"),
    ("metadata.recovery.strategy", "none"),
    ("partitioner.adaptive.partitioning.enable", "true"),
    ("partitioner.availability.timeout.ms", "0"),
    ("partitioner.class", "null"),
    ("partitioner.ignore.keys", "false"),
    ("receive.buffer.bytes", "32768"),
    ("reconnect.backoff.max.ms", "1000"),
    ("reconnect.backoff.ms", "50"),
    ("request.timeout.ms", "30000"),
    ("retries", "2147483647"),
    ("retry.backoff.max.ms", "1000"),
    ("retry.backoff.ms", "100"),
    ("send.buffer.bytes", "131072"),
    ("transaction.timeout.ms", "60000"),
    ("transactional.id", "null"),
];

/// The consumer's.
pub const CONSUMER: Table = &[
    ("allow.auto.create.topics", "true"),
    ("auto.commit.interval.ms", "5000"),
    ("auto.offset.reset", "latest"),
    ("check.crcs", "true"),
    ("client.dns.lookup", "use_all_dns_ips"),
    ("client.id", ""),
    ("client.rack", ""),
    ("connections.max.idle.ms", "540000"),
    ("default.api.timeout.ms", "60000"),
    ("enable.auto.commit", "true"),
    ("enable.metrics.push", "true"),
    ("exclude.internal.topics", "true"),
    ("fetch.max.bytes", "52428800"),
    ("fetch.max.wait.ms", "500"),
    ("fetch.min.bytes", "1"),
    ("group.id", "null"),
    ("group.instance.id", "null"),
    ("group.protocol", "classic"),
    ("group.remote.assignor", "null"),
    ("heartbeat.interval.ms", "3000"),
    ("interceptor.classes", "[]"),
    ("internal.leave.group.on.close", "true"),
    ("internal.throw.on.fetch.stable.offset.unsupported", "false"),
    ("isolation.level", "read_uncommitted"),
    ("max.partition.fetch.bytes", "1048576"),
    ("max.poll.interval.ms", "300000"),
    ("max.poll.records", "500"),
    ("metadata.max.age.ms", "300000"),
    ("metadata.recovery.strategy", "none"),
    (
        "partition.assignment.strategy",
        "[class org.apache.kafka.clients.consumer.RangeAssignor, class org.apache.kafka.clients.consumer.CooperativeStickyAssignor]",
    ),
    ("receive.buffer.bytes", "65536"),
    ("reconnect.backoff.max.ms", "1000"),
    ("reconnect.backoff.ms", "50"),
    ("request.timeout.ms", "30000"),
    ("retry.backoff.max.ms", "1000"),
    ("retry.backoff.ms", "100"),
    ("send.buffer.bytes", "131072"),
    ("session.timeout.ms", "45000"),
];

/// The broker's.
pub const BROKER: Table = &[
    ("group.initial.rebalance.delay.ms", "3000"),
    ("group.min.session.timeout.ms", "6000"),
    ("group.max.session.timeout.ms", "1800000"),
    ("offsets.retention.minutes", "10080"),
    ("offsets.topic.num.partitions", "50"),
    ("producer.id.expiration.ms", "86400000"),
    ("transaction.max.timeout.ms", "900000"),
    ("transactional.id.expiration.ms", "604800000"),
    ("replica.lag.time.max.ms", "30000"),
    ("min.insync.replicas", "1"),
    ("default.replication.factor", "1"),
    ("unclean.leader.election.enable", "false"),
    ("log.retention.hours", "168"),
    ("log.retention.bytes", "-1"),
    ("log.segment.bytes", "1073741824"),
    ("log.retention.check.interval.ms", "300000"),
    ("delete.retention.ms", "86400000"),
    ("min.cleanable.dirty.ratio", "0.5"),
    ("group.consumer.session.timeout.ms", "45000"),
    ("group.consumer.heartbeat.interval.ms", "5000"),
    ("num.partitions", "1"),
    ("producer_state_batches_retained", "5"),
];

#[cfg(test)]
mod tests {
    use super::super::{
        BATCHES_RETAINED, BrokerConfig, FetchLimits, LogConfig, PartitionConfig, SenderConfig,
    };
    use super::*;
    use crate::kernel::SimSpan;

    fn number(side: &str, name: &str) -> u64 {
        let value = default_of(side, name).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("{side} {name} is no number"))
    }

    #[test]
    fn the_machines_begin_with_kafkas_defaults() {
        let log = LogConfig::default();
        assert_eq!(log.segment_bytes, number("broker", "log.segment.bytes"));
        let hours = number("broker", "log.retention.hours");
        assert_eq!(log.retention, Some(SimSpan::s(3600 * hours)));
        assert_eq!(log.retention_bytes, None);
        assert_eq!(log.delete_retention, SimSpan::ms(number("broker", "delete.retention.ms")));
        let partition = PartitionConfig::default();
        assert_eq!(u64::from(partition.min_isr), number("broker", "min.insync.replicas"));
        assert_eq!(partition.lag_max, SimSpan::ms(number("broker", "replica.lag.time.max.ms")));
        let expiration = number("broker", "producer.id.expiration.ms");
        assert_eq!(partition.producer_expiration, SimSpan::ms(expiration));
        let retained = number("broker", "producer_state_batches_retained");
        assert_eq!(u64::from(BATCHES_RETAINED), retained);
        let check = number("broker", "log.retention.check.interval.ms");
        assert_eq!(BrokerConfig::default().retention_check, SimSpan::ms(check));
        let sender = SenderConfig::default();
        assert_eq!(u64::from(sender.retries), number("producer", "retries"));
        let in_flight = number("producer", "max.in.flight.requests.per.connection");
        assert_eq!(u64::from(sender.max_in_flight), in_flight);
        let ms = |name| SimSpan::ms(number("producer", name));
        assert_eq!(sender.request_timeout, ms("request.timeout.ms"));
        assert_eq!(sender.delivery_timeout, ms("delivery.timeout.ms"));
        assert_eq!(sender.backoff, ms("retry.backoff.ms"));
        assert_eq!(sender.backoff_max, ms("retry.backoff.max.ms"));
        let limits = FetchLimits::default();
        assert_eq!(u64::from(limits.min_bytes), number("consumer", "fetch.min.bytes"));
        assert_eq!(u64::from(limits.max_bytes), number("consumer", "fetch.max.bytes"));
        assert_eq!(limits.max_wait, SimSpan::ms(number("consumer", "fetch.max.wait.ms")));
    }
}
