//! What must hold of the queue broker whatever clients do.

use std::collections::{BTreeMap, BTreeSet};

use inflight::model::broker::{
    AckMode, Broker, ChannelNo, ConnectionNo, ConsumeSpec, ConsumerId, DropReason, Effect, Holder,
    Name, Overflow, Publish, QueueId, QueueSpec, Taken,
};
use proptest::prelude::*;

/// Something that a client does; numbers pick among what there is.
#[derive(Clone, Copy, Debug)]
enum Act {
    Publish { priority: u8 },
    Ack { pick: u32, multiple: bool },
    Nack { pick: u32, multiple: bool, requeue: bool },
    Recover { pick: u32 },
    Get { auto: bool },
    Join { prefetch: u32, global: u32, priority: i32, auto: bool },
    Second { pick: u32 },
    Cancel { pick: u32 },
    Close { pick: u32 },
    Kill { pick: u32 },
    Purge,
}

fn act() -> impl Strategy<Value = Act> {
    let pick = any::<u32>();
    prop_oneof![
        12 => (0..3_u8).prop_map(|priority| Act::Publish { priority }),
        8 => (pick, prop::bool::weighted(0.2)).prop_map(|(pick, multiple)| Act::Ack {
            pick,
            multiple
        }),
        4 => (pick, prop::bool::weighted(0.2), prop::bool::weighted(0.8))
            .prop_map(|(pick, multiple, requeue)| Act::Nack { pick, multiple, requeue }),
        1 => pick.prop_map(|pick| Act::Recover { pick }),
        1 => any::<bool>().prop_map(|auto| Act::Get { auto }),
        2 => (0..4_u32, 0..4_u32, -1..2, prop::bool::weighted(0.1))
            .prop_map(|(prefetch, global, priority, auto)| Act::Join {
                prefetch,
                global,
                priority,
                auto
            }),
        1 => pick.prop_map(|pick| Act::Second { pick }),
        1 => pick.prop_map(|pick| Act::Cancel { pick }),
        1 => pick.prop_map(|pick| Act::Close { pick }),
        1 => pick.prop_map(|pick| Act::Kill { pick }),
        1 => Just(Act::Purge),
    ]
}

/// What an observer can know from the effects alone.
#[derive(Clone, Default)]
struct Seen {
    n_published: u64,
    /// Messages that are gone for good, acknowledged or dropped.
    gone: BTreeSet<u64>,
    ever_delivered: BTreeSet<u64>,
    last_tag: BTreeMap<ChannelNo, u64>,
}

#[derive(Clone)]
struct Bench {
    broker: Broker<u64>,
    queue: QueueId,
    publisher: ChannelNo,
    getter: ChannelNo,
    channels: Vec<ChannelNo>,
    n_connections: u32,
    out: Vec<Effect<u64>>,
    seen: Seen,
}

impl Bench {
    fn new(spec: QueueSpec) -> Bench {
        let mut broker = Broker::new();
        let queue = broker.add_queue("q", spec);
        let publisher = broker.open_channel(ConnectionNo(0));
        let getter = broker.open_channel(ConnectionNo(1));
        Bench {
            broker,
            queue,
            publisher,
            getter,
            channels: Vec::new(),
            n_connections: 2,
            out: Vec::new(),
            seen: Seen::default(),
        }
    }

    fn pick(&self, pick: u32) -> Option<ChannelNo> {
        let n = self.channels.len();
        (0 < n).then(|| self.channels[pick as usize % n])
    }

    /// A channel with something to acknowledge, and the tag of it.
    fn pick_unacked(&self, pick: u32) -> Option<(ChannelNo, u64)> {
        let all = self.broker.channels();
        let tags: Vec<_> =
            all.flat_map(|(no, channel)| channel.unacked().map(move |u| (no, u.tag))).collect();
        (!tags.is_empty()).then(|| tags[pick as usize % tags.len()])
    }

    fn join(&mut self, prefetch: u32, global: u32, spec: ConsumeSpec) {
        if 8 < self.channels.len() {
            return;
        }
        let channel = self.broker.open_channel(ConnectionNo(self.n_connections));
        self.n_connections += 1;
        self.channels.push(channel);
        self.broker.qos(channel, prefetch, false, &mut self.out);
        self.broker.qos(channel, global, true, &mut self.out);
        self.broker.consume(channel, self.queue, spec, &mut self.out);
    }

    fn apply(&mut self, act: Act) {
        let Bench { broker, queue, publisher, getter, out, seen, .. } = self;
        match act {
            Act::Publish { priority } => {
                let name = broker.queue(*queue).expect("never deleted").name;
                let mut publish = Publish::new(Name::EMPTY, name, 10, seen.n_published);
                publish.envelope.priority = priority;
                if !matches!(broker.publish(*publisher, &publish, out), Taken::Blocked(_)) {
                    seen.n_published += 1;
                }
            }
            Act::Get { auto } => {
                let ack = if auto { AckMode::Auto } else { AckMode::Manual };
                if let Some(got) = broker.get(*getter, *queue, ack, out) {
                    let (tag, redelivered) = (got.tag, got.redelivered);
                    let getter = *getter;
                    self.note_delivery(getter, tag, got.message, redelivered, auto);
                }
            }
            Act::Purge => {
                broker.purge(*getter, *queue, out);
            }
            Act::Join { prefetch, global, priority, auto } => {
                let ack = if auto { AckMode::Auto } else { AckMode::Manual };
                self.join(prefetch, global, ConsumeSpec { ack, priority, ..<_>::default() });
            }
            act => self.apply_picked(act),
        }
        self.note();
    }

    fn apply_picked(&mut self, act: Act) {
        let on_unacked = match act {
            Act::Ack { pick, .. } | Act::Nack { pick, .. } | Act::Recover { pick } => {
                self.pick_unacked(pick)
            }
            _ => None,
        };
        let on_channel = match act {
            Act::Second { pick }
            | Act::Cancel { pick }
            | Act::Close { pick }
            | Act::Kill { pick } => self.pick(pick),
            _ => None,
        };
        let Bench { broker, queue, out, channels, .. } = self;
        match (act, on_unacked, on_channel) {
            (Act::Ack { multiple, .. }, Some((no, tag)), _) => broker.ack(no, tag, multiple, out),
            (Act::Nack { multiple, requeue, .. }, Some((no, tag)), _) => {
                broker.nack(no, tag, multiple, requeue, out);
            }
            (Act::Recover { .. }, Some((no, _)), _) => broker.recover(no, out),
            (Act::Second { .. }, _, Some(no)) => {
                broker.consume(no, *queue, ConsumeSpec::default(), out);
            }
            (Act::Cancel { .. }, _, Some(no)) => {
                let consumer = broker.channel(no).and_then(|channel| channel.consumers().next());
                consumer.into_iter().for_each(|consumer| broker.cancel(no, consumer, out));
            }
            (Act::Close { .. }, _, Some(no)) => {
                channels.retain(|other| *other != no);
                broker.close_channel(no, out);
            }
            (Act::Kill { .. }, _, Some(no)) => {
                channels.retain(|other| *other != no);
                let connection = broker.channel(no).expect("a picked channel is open").connection();
                broker.close_connection(connection, out);
            }
            _ => {}
        }
    }

    /// Reads the effects as an observer would.
    fn note(&mut self) {
        for effect in std::mem::take(&mut self.out) {
            match effect {
                Effect::Deliver { channel, consumer, tag, redelivered, message, .. } => {
                    let auto = self.is_auto(consumer);
                    self.note_delivery(channel, tag, message, redelivered, auto);
                }
                Effect::Acked { message, .. } => {
                    assert!(self.seen.gone.insert(message), "{message} is acknowledged twice");
                }
                Effect::Dropped { message, why, .. } => {
                    assert_ne!(why, DropReason::Unroutable);
                    assert!(self.seen.gone.insert(message), "{message} is dropped twice");
                }
                Effect::ChannelClosed { error, .. } => panic!("{error:?}"),
                _ => {}
            }
        }
    }

    fn is_auto(&self, consumer: ConsumerId) -> bool {
        let consumer = self.broker.consumer(consumer).expect("it was just served");
        consumer.spec.ack == AckMode::Auto
    }

    fn note_delivery(
        &mut self,
        channel: ChannelNo,
        tag: u64,
        message: u64,
        redelivered: bool,
        auto: bool,
    ) {
        let last = self.seen.last_tag.insert(channel, tag).unwrap_or(0);
        assert_eq!(tag, last + 1, "tags count up on each channel");
        let is_first = self.seen.ever_delivered.insert(message);
        assert_eq!(redelivered, !is_first, "redelivered means delivered before");
        assert!(!self.seen.gone.contains(&message), "{message} was gone");
        if auto {
            self.seen.gone.insert(message);
        }
    }

    /// What must hold after every act.
    fn check(&self) {
        let queue = self.broker.queue(self.queue).expect("never deleted");
        let ready: Vec<u64> = queue.ready().map(|entry| entry.message).collect();
        let unacked: Vec<u64> = self
            .broker
            .channels()
            .flat_map(|(_, channel)| channel.unacked().map(|unacked| unacked.entry.message))
            .collect();
        // Every message is in exactly one place.
        let mut all: Vec<u64> = ready.iter().chain(&unacked).copied().collect();
        all.extend(&self.seen.gone);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..self.seen.n_published), "lost or doubled");
        assert_eq!(queue.n_ready() as usize, ready.len());
        assert_eq!(queue.n_unacked() as usize, unacked.len());
        assert_eq!(queue.ready_bytes(), 10 * ready.len() as u64);
        // The order is that of publishing, inside a priority, whatever came back.
        assert!(queue.ready().is_sorted_by_key(|entry| (u8::MAX - entry.priority, entry.position)));
        assert!(queue.spec.max_length.is_none_or(|max| {
            // A refused or blocked publish never takes a message back from a queue.
            queue.spec.overflow != Overflow::DropHead || ready.len() as u32 <= max
        }));
        self.check_windows(!ready.is_empty());
    }

    fn check_windows(&self, something_is_ready: bool) {
        for (number, channel) in self.broker.channels() {
            let of_consumers = channel.unacked().filter(|unacked| unacked.holder != Holder::Get);
            let limit = channel.global_prefetch();
            let n_shared = of_consumers.count() as u32;
            assert!(limit == 0 || n_shared <= limit, "the channel's window is exceeded");
            for id in self.broker.blocked(self.queue).filter(|_| something_is_ready) {
                let consumer = self.broker.consumer(id).expect("a blocked consumer runs");
                if consumer.channel != number {
                    continue;
                }
                let own_is_full = consumer.prefetch != 0 && consumer.prefetch <= consumer.unacked;
                let shared_is_full = limit != 0 && limit <= n_shared;
                assert!(own_is_full || shared_is_full, "a message waits beside a free consumer");
            }
            for id in channel.consumers() {
                let consumer = self.broker.consumer(id).expect("a channel's consumer runs");
                let held =
                    channel.unacked().filter(|unacked| unacked.is_held_by(id)).count() as u32;
                assert_eq!(consumer.unacked, held);
                let is_limited = consumer.prefetch != 0 && consumer.spec.ack == AckMode::Manual;
                assert!(!is_limited || held <= consumer.prefetch, "the window is exceeded");
            }
        }
        let queue = self.broker.queue(self.queue).expect("never deleted");
        let (active, blocked) =
            (self.broker.active(self.queue).count(), self.broker.blocked(self.queue).count());
        assert_eq!(
            active + blocked + self.broker.waiting(self.queue).count(),
            queue.n_consumers() as usize
        );
        assert!(!something_is_ready || active == 0, "a message waits beside a free consumer");
    }
}

fn spec() -> impl Strategy<Value = QueueSpec> {
    let overflow =
        prop_oneof![Just(Overflow::DropHead), Just(Overflow::RejectPublish), Just(Overflow::Block)];
    let limit = prop::option::of(0..6_u32);
    (overflow, limit, 0..3_u8, prop::bool::weighted(0.2)).prop_map(
        |(overflow, max_length, max_priority, single_active)| QueueSpec {
            overflow,
            max_length,
            max_priority,
            single_active,
            ..QueueSpec::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(
        spec in spec(),
        acts in prop::collection::vec(act(), 0..150),
    ) {
        let mut bench = Bench::new(spec);
        for act in acts {
            bench.apply(act);
            bench.check();
        }
    }

    #[test]
    fn a_clone_goes_the_same_way(
        spec in spec(),
        acts in prop::collection::vec(act(), 0..80),
        at in 0..80_usize,
    ) {
        let mut bench = Bench::new(spec);
        let mut copy = bench.clone();
        for (index, act) in acts.into_iter().enumerate() {
            if index == at {
                copy = bench.clone();
            }
            bench.apply(act);
            if at <= index {
                copy.apply(act);
                prop_assert_eq!(&bench.broker, &copy.broker);
            }
        }
    }
}
