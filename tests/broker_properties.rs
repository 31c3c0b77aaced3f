//! What must hold of the queue broker whatever clients do.

use std::collections::{BTreeMap, BTreeSet};

use inflight::kernel::SimSpan;
use inflight::model::broker::{
    AckMode, Broker, ChannelNo, ConnectionNo, ConsumeSpec, ConsumerId, DeadLetter, DropReason,
    Effect, Holder, Name, Overflow, Publish, Queue, QueueId, QueueKind, QueueSpec, Stop, Taken,
};
use proptest::prelude::*;

/// Something that a client does, or that happens; numbers pick among what there is.
#[derive(Clone, Copy, Debug)]
enum Act {
    Publish { priority: u8, ttl_ms: Option<u32>, persistent: bool, in_tx: bool },
    Ack { pick: u32, multiple: bool },
    Nack { pick: u32, multiple: bool, requeue: bool },
    Recover { pick: u32 },
    Get { auto: bool, from_dead: bool, in_tx: bool },
    Join { prefetch: u32, global: u32, priority: i32, auto: bool },
    Second { pick: u32 },
    Cancel { pick: u32 },
    Close { pick: u32 },
    Kill { pick: u32 },
    Purge,
    Wait { ms: u64 },
    EndTx { commit: bool },
    CloseTx,
    Restart { killed: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let pick = any::<u32>();
    let rare = || prop::bool::weighted(0.2);
    let publish = (0..3_u8, prop::option::weighted(0.3, 0..40_u32), any::<bool>(), rare());
    prop_oneof![
        12 => publish.prop_map(|(priority, ttl_ms, persistent, in_tx)| Act::Publish {
            priority,
            ttl_ms,
            persistent,
            in_tx
        }),
        8 => (pick, rare()).prop_map(|(pick, multiple)| Act::Ack { pick, multiple }),
        4 => (pick, rare(), prop::bool::weighted(0.6))
            .prop_map(|(pick, multiple, requeue)| Act::Nack { pick, multiple, requeue }),
        1 => pick.prop_map(|pick| Act::Recover { pick }),
        2 => (any::<bool>(), any::<bool>(), rare())
            .prop_map(|(auto, from_dead, in_tx)| Act::Get { auto, from_dead, in_tx }),
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
        4 => (0..30_u64).prop_map(|ms| Act::Wait { ms }),
        1 => any::<bool>().prop_map(|commit| Act::EndTx { commit }),
        1 => Just(Act::CloseTx),
        1 => any::<bool>().prop_map(|killed| Act::Restart { killed }),
    ]
}

/// What an observer can know from the effects alone.
#[derive(Clone, Default)]
struct Seen {
    n_published: u64,
    /// Messages that are gone for good, acknowledged or dropped.
    gone: BTreeSet<u64>,
    /// Delivered from the queue that it is in now, or held to be so.
    ever_delivered: BTreeSet<u64>,
    last_tag: BTreeMap<ChannelNo, u64>,
}

#[derive(Clone)]
struct Bench {
    broker: Broker<u64>,
    queue: QueueId,
    /// Where dead letters go; they do not stay there for ever, and then come back.
    dead: QueueId,
    publisher: ChannelNo,
    getter: ChannelNo,
    in_tx: ChannelNo,
    channels: Vec<ChannelNo>,
    n_connections: u32,
    out: Vec<Effect<u64>>,
    seen: Seen,
}

impl Bench {
    fn new(spec: QueueSpec, dead_letters: bool) -> Bench {
        let mut broker = Broker::new();
        let [dead, back] = ["dead", "q"].map(|name| {
            let key = Some(broker.name(name));
            Some(DeadLetter { exchange: Name::EMPTY, key })
        });
        let dead_letter = if dead_letters { dead } else { None };
        let queue = broker.add_queue("q", QueueSpec { dead_letter, ..spec });
        let spec = QueueSpec {
            message_ttl: Some(SimSpan::ms(25)),
            max_length: Some(4),
            dead_letter: back,
            durable: spec.durable,
            ..QueueSpec::default()
        };
        let dead = broker.add_queue("dead", spec);
        let mut bench = Bench {
            broker,
            queue,
            dead,
            publisher: ChannelNo(0),
            getter: ChannelNo(0),
            in_tx: ChannelNo(0),
            channels: Vec::new(),
            n_connections: 0,
            out: Vec::new(),
            seen: Seen::default(),
        };
        bench.connect();
        bench
    }

    /// The clients that are always there.
    fn connect(&mut self) {
        [self.publisher, self.getter, self.in_tx] = [(); 3].map(|()| self.open());
        self.broker.tx_select(self.in_tx, &mut self.out);
    }

    fn open(&mut self) -> ChannelNo {
        self.n_connections += 1;
        self.broker.open_channel(ConnectionNo(self.n_connections))
    }

    fn queue(&self) -> &Queue<u64> {
        self.broker.queue(self.queue).expect("never deleted")
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
        let channel = self.open();
        self.channels.push(channel);
        self.broker.qos(channel, prefetch, false, &mut self.out);
        self.broker.qos(channel, global, true, &mut self.out);
        self.broker.consume(channel, self.queue, spec, &mut self.out);
    }

    fn apply(&mut self, act: Act) {
        let Bench { broker, queue, out, seen, .. } = self;
        match act {
            Act::Publish { priority, ttl_ms, persistent, in_tx } => {
                let name = broker.queue(*queue).expect("never deleted").name;
                let mut publish = Publish::new(Name::EMPTY, name, 10, seen.n_published);
                publish.envelope.priority = priority;
                publish.envelope.expiration_ms = ttl_ms;
                publish.envelope.persistent = persistent;
                let publisher = if in_tx { self.in_tx } else { self.publisher };
                let taken = broker.publish(publisher, &publish, out);
                if !matches!(taken, Taken::Blocked(_)) {
                    assert_eq!(taken == Taken::Pending, in_tx);
                    seen.n_published += 1;
                }
            }
            Act::Get { auto, from_dead, in_tx } => {
                let ack = if auto { AckMode::Auto } else { AckMode::Manual };
                let getter = if in_tx { self.in_tx } else { self.getter };
                let from = if from_dead { self.dead } else { self.queue };
                if let Some(got) = broker.get(getter, from, ack, out) {
                    self.note_delivery(getter, got.tag, got.message, got.redelivered, auto);
                }
            }
            Act::Purge => {
                broker.purge(self.getter, *queue, out);
            }
            Act::Join { prefetch, global, priority, auto } => {
                let ack = if auto { AckMode::Auto } else { AckMode::Manual };
                self.join(prefetch, global, ConsumeSpec { ack, priority, ..<_>::default() });
            }
            act => self.happen(act),
        }
        self.note();
    }

    /// What is neither publishing nor consuming.
    fn happen(&mut self, act: Act) {
        let Bench { broker, out, .. } = self;
        match act {
            Act::Wait { ms } => {
                let until = broker.now() + SimSpan::ms(ms);
                while let Some(at) = broker.next_wake().filter(|at| *at <= until) {
                    broker.on_wake(at, out);
                }
                broker.set_now(until);
            }
            Act::EndTx { commit: true } => broker.tx_commit(self.in_tx, out),
            Act::EndTx { commit: false } => broker.tx_rollback(self.in_tx, out),
            Act::CloseTx => {
                broker.close_channel(self.in_tx, out);
                self.in_tx = self.open();
                self.broker.tx_select(self.in_tx, &mut self.out);
            }
            Act::Restart { killed } => self.restart(killed),
            act => self.apply_picked(act),
        }
    }

    fn restart(&mut self, killed: bool) {
        if !self.queue().spec.durable {
            return;
        }
        let how = if killed { Stop::Killed } else { Stop::Graceful };
        self.broker.restart(how, &mut self.out);
        for effect in &self.out {
            if let Effect::Requeued { message, .. } = effect {
                // Only a hard stop brings back what was gone.
                let was_gone = self.seen.gone.remove(message);
                assert!(killed || !was_gone, "{message} comes back");
                self.seen.ever_delivered.insert(*message);
            }
        }
        if killed {
            let queues = self.broker.queues().filter(|(_, q)| q.spec.kind == QueueKind::Classic);
            let ready = queues.flat_map(|(_, queue)| queue.ready());
            self.seen.ever_delivered.extend(ready.map(|entry| entry.message));
        }
        self.channels.clear();
        self.connect();
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
                // Another queue, another life.
                Effect::DeadLettered { message, .. } => {
                    self.seen.ever_delivered.remove(&message);
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
        let mut all: Vec<u64> = self.seen.gone.iter().copied().collect();
        for id in [self.queue, self.dead] {
            let queue = self.broker.queue(id).expect("never deleted");
            let unacked = self.broker.channels().flat_map(|(_, channel)| {
                channel.unacked().chain(channel.uncommitted()).filter(|u| u.queue == Some(id))
            });
            let unacked: Vec<u64> = unacked.map(|unacked| unacked.entry.message).collect();
            assert_eq!(queue.n_ready() as usize, queue.ready().count());
            assert_eq!(queue.n_unacked() as usize, unacked.len());
            assert_eq!(queue.ready_bytes(), 10 * u64::from(queue.n_ready()));
            all.extend(queue.ready().map(|entry| entry.message).chain(unacked));
            self.check_order(queue);
        }
        let pending = self.broker.channels().flat_map(|(_, channel)| channel.pending());
        all.extend(pending.map(|publish| publish.message));
        // Every message is in exactly one place.
        all.sort_unstable();
        assert!(all.into_iter().eq(0..self.seen.n_published), "lost or doubled");
        self.check_windows(0 < self.queue().n_ready());
    }

    fn check_order(&self, queue: &Queue<u64>) {
        // The order is that of publishing, inside a priority, whatever came back.
        assert!(queue.ready().is_sorted_by_key(|entry| (u8::MAX - entry.priority, entry.position)));
        assert!(queue.spec.max_length.is_none_or(|max| {
            // A refused or blocked publish never takes a message back from a queue.
            queue.spec.overflow != Overflow::DropHead || queue.n_ready() <= max
        }));
        // Only a priority queue gives out a message whose time is up.
        let expiry = queue.ready().next().and_then(|head| head.expires_at);
        let is_late = expiry.is_some_and(|expiry| expiry <= self.broker.now());
        assert!(!is_late || 0 < queue.spec.max_priority, "the head's time is up");
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
    let overflow = prop_oneof![
        Just(Overflow::DropHead),
        Just(Overflow::RejectPublish),
        Just(Overflow::RejectPublishDlx),
        Just(Overflow::Block)
    ];
    let limit = prop::option::of(0..6_u32);
    let kind = prop_oneof![3 => Just(QueueKind::Classic), 1 => Just(QueueKind::Quorum)];
    let ttl = prop::option::weighted(0.3, (0..40_u64).prop_map(SimSpan::ms));
    let more = (kind, ttl, prop::option::of(0..3_u32), any::<bool>());
    (overflow, limit, 0..3_u8, prop::bool::weighted(0.2), more).prop_map(
        |(overflow, max_length, max_priority, single_active, more)| {
            let (kind, message_ttl, delivery_limit, durable) = more;
            let is_quorum = kind == QueueKind::Quorum;
            QueueSpec {
                kind,
                overflow,
                max_length,
                max_priority: if is_quorum { 0 } else { max_priority },
                message_ttl,
                delivery_limit: delivery_limit.filter(|_| is_quorum),
                single_active,
                durable,
                ..QueueSpec::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(
        spec in spec(),
        dead_letters: bool,
        acts in prop::collection::vec(act(), 0..150),
    ) {
        let mut bench = Bench::new(spec, dead_letters);
        for act in acts {
            bench.apply(act);
            bench.check();
        }
    }

    #[test]
    fn a_clone_goes_the_same_way(
        spec in spec(),
        dead_letters: bool,
        acts in prop::collection::vec(act(), 0..80),
        at in 0..80_usize,
    ) {
        let mut bench = Bench::new(spec, dead_letters);
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
