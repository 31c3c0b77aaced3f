//! The queue broker: exchanges, queues, channels and consumers with RabbitMQ's semantics.
//!
//! A sans-I/O machine: every call changes the state and appends what follows to `out`.
//! It knows no network, no text but names, and the time only as it is told; the rules and what is
//! left out are in `docs/models/broker.md`.
//!
//! Read `queue.rs` (order, limits), then `clients.rs` (turns, windows), then `settle.rs`, then
//! `post.rs` (time to live, dead letters).

mod channel;
mod clients;
mod consume;
mod death;
mod declare;
mod effect;
mod envelope;
mod exchange;
mod line;
mod names;
mod post;
mod publish;
mod queue;
mod restart;
mod settle;
mod slab;
mod stream;
mod topic;
mod tx;

pub use channel::{AckMode, Channel, ConsumeSpec, Consumer, Holder, Unacked};
pub use death::{Death, History, Record};
pub use declare::DeleteIf;
pub use effect::{ChannelError, Difference, DropReason, Effect, Mark};
pub use envelope::{Envelope, ExpirationError, Field, Headers, MAX_EXPIRY_MS, parse_expiration};
pub use exchange::{Binding, Destination, Exchange, ExchangeKind, ExchangeSpec};
pub use names::Name;
pub use publish::{Publish, Taken};
pub use queue::{
    DeadLetter, Entry, Overflow, Queue, QueueKind, QueueSpec, READY_LIMIT, SYNC_INTERVAL,
};
pub use restart::Stop;
pub use settle::{Got, Settle};
pub use stream::StreamOffset;

use channel::CHANNELS_LIMIT;
use clients::Clients;
use death::Histories;
use envelope::Tables;
use names::Names;
use post::Post;
use slab::Slab;

/// A queue; its number may be used again after the queue is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u16);

/// An exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u16);

/// A consumer; its number may be used again after it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(pub u32);

/// A client's connection: the number is the caller's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNo(pub u32);

/// A channel: slot in the lower half, how many were opened before it in the upper.
///
/// The number of a closed channel is stale: whatever still comes under it is ignored, as a broker
/// ignores what a client sent before it knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNo(pub u32);

impl ChannelNo {
    /// Where the channel is kept.
    #[inline]
    const fn slot(self) -> u32 {
        self.0 & (CHANNELS_LIMIT - 1)
    }
}

/// The queue broker. `M` is whatever the caller calls a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Broker<M> {
    names: Names,
    tables: Tables,
    histories: Histories,
    post: Post<M>,
    exchanges: Slab<Exchange>,
    queues: Slab<Queue<M>>,
    clients: Clients<M>,
    /// Room for lists of queues; empty between calls.
    targets: Vec<QueueId>,
    /// Room for routing; empty between calls.
    asked: Vec<ExchangeId>,
    /// Room for acknowledging; empty between calls.
    taken: Vec<Unacked<M>>,
    /// Room for requeueing; empty between calls.
    batch: Vec<Entry<M>>,
}

impl<M: Copy> Default for Broker<M> {
    fn default() -> Self {
        Broker::new()
    }
}

impl<M: Copy> Broker<M> {
    /// A broker with nothing but the default exchange.
    pub fn new() -> Broker<M> {
        let mut broker = Broker {
            names: Names::new(),
            tables: Tables::new(),
            histories: Histories::new(),
            post: Post::new(),
            exchanges: Slab::new(),
            queues: Slab::new(),
            clients: Clients::new(),
            targets: Vec::new(),
            asked: Vec::new(),
            taken: Vec::new(),
            batch: Vec::new(),
        };
        broker.add_exchange("", ExchangeSpec::new(ExchangeKind::Default));
        broker
    }

    /// The number of a text, given now if it is new.
    pub fn name(&mut self, text: &str) -> Name {
        self.names.intern(text)
    }

    /// The text of a name.
    pub fn text(&self, name: Name) -> &str {
        self.names.text(name)
    }

    /// Headers as consumers see them, by rising name.
    pub fn visible(&self, headers: Headers) -> impl Iterator<Item = &(Name, Field)> {
        self.tables.visible(headers)
    }

    /// The deaths behind a number.
    pub fn record(&self, history: History) -> &Record {
        self.histories.record(history)
    }

    /// The queue of that name.
    pub fn queue_named(&self, text: &str) -> Option<QueueId> {
        self.names.queue(self.names.find(text)?)
    }

    /// The exchange of that name.
    pub fn exchange_named(&self, text: &str) -> Option<ExchangeId> {
        self.names.exchange(self.names.find(text)?)
    }

    /// A queue.
    #[inline]
    pub fn queue(&self, id: QueueId) -> Option<&Queue<M>> {
        self.queues.get(u32::from(id.0))
    }

    /// All queues by rising id.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, &Queue<M>)> {
        self.queues.iter().map(|(slot, queue)| (QueueId(slot as u16), queue))
    }

    /// An exchange.
    pub fn exchange(&self, id: ExchangeId) -> Option<&Exchange> {
        self.exchanges.get(u32::from(id.0))
    }

    /// All exchanges by rising id; the first is the default exchange.
    pub fn exchanges(&self) -> impl Iterator<Item = (ExchangeId, &Exchange)> {
        self.exchanges.iter().map(|(slot, exchange)| (ExchangeId(slot as u16), exchange))
    }

    /// An open channel.
    pub fn channel(&self, number: ChannelNo) -> Option<&Channel<M>> {
        self.clients.channel(number)
    }

    /// All open channels by slot.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelNo, &Channel<M>)> {
        self.clients.channels.iter().map(|(_, channel)| (channel.number, channel))
    }

    /// A running consumer.
    pub fn consumer(&self, id: ConsumerId) -> Option<&Consumer> {
        self.clients.consumers.get(id.0)
    }

    /// A queue's active consumers in the order in which they will be served.
    pub fn active(&self, id: QueueId) -> impl Iterator<Item = ConsumerId> {
        let queue = self.queue(id).into_iter();
        queue.flat_map(|queue| queue.active.iter(&self.clients.consumers))
    }

    /// A queue's consumers that wait behind a single active one, the next first.
    pub fn waiting(&self, id: QueueId) -> impl Iterator<Item = ConsumerId> {
        let queue = self.queue(id).into_iter();
        queue.flat_map(|queue| queue.waiting.iter(&self.clients.consumers))
    }

    /// A queue's blocked consumers: by channel, in the order in which they were blocked.
    pub fn blocked(&self, id: QueueId) -> impl Iterator<Item = ConsumerId> {
        let consumers = &self.clients.consumers;
        let of_queue = move |consumer: &ConsumerId| {
            consumers.get(consumer.0).is_some_and(|consumer| consumer.queue == id)
        };
        let all = self.channels().flat_map(|(_, channel)| channel.blocked.iter(consumers));
        all.filter(of_queue)
    }

    #[inline]
    fn queue_mut(&mut self, id: QueueId) -> Option<&mut Queue<M>> {
        self.queues.get_mut(u32::from(id.0))
    }

    /// Lets waiting messages go to consumers until nothing moves.
    #[inline]
    fn dispatch(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) {
        let Broker { queues, clients, post, .. } = self;
        let Some(queue) = queues.get_mut(id.0.into()) else { return };
        if queue.spec.kind == QueueKind::Stream {
            return self.serve_stream(id, out);
        }
        while 0 < queue.n_ready() {
            let Some(taker) = clients.next_taker(queue) else { break };
            let entry = queue.pop().expect("something is ready");
            if clients.deliver(id, queue, taker, entry, out) == AckMode::Auto {
                queue.note_removal(post.now, &entry);
            }
            post.expire(id, queue, out);
        }
        if queue.publisher_waits {
            self.tell_room(id, out);
        }
        self.deliver_letters(out);
    }

    /// Tells a waiting publisher when its queue has room again.
    fn tell_room(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) {
        let Some(queue) = self.queues.get_mut(u32::from(id.0)) else { return };
        let can_pass = queue.n_ready() == 0 && self.clients.anyone_free(queue);
        if queue.publisher_waits && (queue.has_room(1) || can_pass) {
            queue.publisher_waits = false;
            out.push(Effect::Room { queue: id });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker with one queue, driven by hand; messages are numbers.
    struct Bench {
        broker: Broker<u64>,
        queue: QueueId,
        out: Vec<Effect<u64>>,
        publisher: ChannelNo,
    }

    impl Bench {
        fn new(spec: QueueSpec) -> Bench {
            let mut broker = Broker::new();
            let queue = broker.add_queue("q", spec);
            let publisher = broker.open_channel(ConnectionNo(0));
            Bench { broker, queue, out: Vec::new(), publisher }
        }

        /// A consumer with its own connection and channel.
        fn consumer(&mut self, prefetch: u32, spec: ConsumeSpec) -> (ChannelNo, ConsumerId) {
            let connection = ConnectionNo(self.broker.clients.n_opened);
            let channel = self.broker.open_channel(connection);
            self.broker.qos(channel, prefetch, false, &mut self.out);
            let consumer = self.broker.consume(channel, self.queue, spec, &mut self.out);
            (channel, consumer.expect("a free queue"))
        }

        fn plain(&mut self, prefetch: u32) -> ChannelNo {
            self.consumer(prefetch, ConsumeSpec::default()).0
        }

        fn publish(&mut self, messages: impl IntoIterator<Item = u64>) -> Vec<Taken> {
            let Bench { broker, queue, out, publisher } = self;
            let publish = |message| broker.publish_to(*publisher, *queue, 1, message, out);
            messages.into_iter().map(publish).collect()
        }

        /// What was delivered since the last look: (channel, message, redelivered).
        fn delivered(&mut self) -> Vec<(ChannelNo, u64, bool)> {
            let deliver = |effect| match effect {
                Effect::Deliver { channel, message, redelivered, .. } => {
                    Some((channel, message, redelivered))
                }
                _ => None,
            };
            self.out.drain(..).filter_map(deliver).collect()
        }

        fn ready(&self) -> Vec<u64> {
            let queue = self.broker.queue(self.queue).expect("not deleted");
            queue.ready().map(|entry| entry.message).collect()
        }
    }

    #[test]
    fn a_backlog_fills_consumers_in_the_order_they_came() {
        let mut bench = Bench::new(QueueSpec::default());
        bench.publish(1..=8);
        let [a, b] = [bench.plain(2), bench.plain(2)];
        let expected = [(a, 1, false), (a, 2, false), (b, 3, false), (b, 4, false)];
        assert_eq!(bench.delivered(), expected);
        assert_eq!(bench.ready(), [5, 6, 7, 8]);
    }

    #[test]
    fn a_requeued_message_goes_to_the_consumer_whose_turn_it_is() {
        let mut bench = Bench::new(QueueSpec::default());
        let [a, b] = [bench.plain(0), bench.plain(0)];
        bench.publish(1..=5);
        bench.delivered();
        bench.broker.nack(a, 1, false, true, &mut bench.out);
        assert_eq!(bench.delivered(), [(b, 1, true)]);
        bench.broker.nack(a, 2, false, true, &mut bench.out);
        assert_eq!(bench.delivered(), [(a, 3, true)]);
    }

    #[test]
    fn a_lost_connection_gives_its_messages_back_in_order_to_the_others() {
        let mut bench = Bench::new(QueueSpec::default());
        let [a, b, c] = [bench.plain(0), bench.plain(0), bench.plain(0)];
        bench.publish(1..=9);
        bench.delivered();
        let connection = bench.broker.channel(a).expect("open").connection;
        bench.broker.close_connection(connection, &mut bench.out);
        assert_eq!(bench.delivered(), [(b, 1, true), (c, 4, true), (b, 7, true)]);
        assert!(bench.broker.channel(a).is_none());
    }

    #[test]
    fn what_a_closed_channel_still_says_is_ignored_even_after_its_slot_is_used_again() {
        let mut bench = Bench::new(QueueSpec::default());
        let a = bench.plain(1);
        bench.publish(1..=1);
        bench.broker.close_channel(a, &mut bench.out);
        let b = bench.plain(1);
        assert_eq!(a.slot(), b.slot());
        assert_eq!(bench.delivered(), [(a, 1, false), (b, 1, true)]);
        let before = bench.broker.clone();
        bench.broker.ack(a, 1, false, &mut bench.out);
        assert_eq!(bench.broker, before);
        assert!(bench.out.is_empty());
    }

    #[test]
    fn acknowledging_twice_closes_the_channel() {
        let mut bench = Bench::new(QueueSpec::default());
        let a = bench.plain(0);
        bench.publish(1..=3);
        bench.broker.ack(a, 1, false, &mut bench.out);
        bench.out.clear();
        bench.broker.ack(a, 1, false, &mut bench.out);
        let error = ChannelError::UnknownTag(1);
        assert_eq!(bench.out[0], Effect::ChannelClosed { channel: a, error });
        assert_eq!(bench.ready(), [2, 3]);
    }

    #[test]
    fn a_lower_class_gets_messages_only_while_the_higher_is_blocked() {
        let mut bench = Bench::new(QueueSpec::default());
        let low = bench.plain(2);
        let spec = ConsumeSpec { priority: 10, ..ConsumeSpec::default() };
        let (high, _) = bench.consumer(2, spec);
        bench.publish(1..=5);
        let to: Vec<_> = bench.delivered().into_iter().map(|(to, ..)| to).collect();
        assert_eq!(to, [high, high, low, low]);
        bench.broker.ack(high, 1, false, &mut bench.out);
        assert_eq!(bench.delivered(), [(high, 5, false)]);
    }

    #[test]
    fn a_global_limit_counts_all_of_the_channel() {
        let mut bench = Bench::new(QueueSpec::default());
        let channel = bench.broker.open_channel(ConnectionNo(9));
        bench.broker.qos(channel, 3, true, &mut bench.out);
        for _ in 0..2 {
            let spec = ConsumeSpec::default();
            bench.broker.consume(channel, bench.queue, spec, &mut bench.out).expect("free");
        }
        bench.publish(1..=5);
        assert_eq!(bench.delivered().len(), 3);
        assert_eq!(bench.broker.blocked(bench.queue).count(), 2);
        bench.broker.qos(channel, 4, true, &mut bench.out);
        assert_eq!(bench.delivered(), [(channel, 4, false)]);
        bench.broker.ack(channel, 1, false, &mut bench.out);
        assert_eq!(bench.delivered(), [(channel, 5, false)]);
    }

    #[test]
    fn a_cancelled_consumers_messages_can_still_be_acknowledged() {
        let mut bench = Bench::new(QueueSpec::default());
        let (channel, consumer) = bench.consumer(2, ConsumeSpec::default());
        bench.publish(1..=4);
        bench.broker.cancel(channel, consumer, &mut bench.out);
        bench.broker.ack(channel, 1, false, &mut bench.out);
        assert_eq!(bench.ready(), [3, 4]);
        bench.broker.close_channel(channel, &mut bench.out);
        assert_eq!(bench.ready(), [2, 3, 4]);
    }

    #[test]
    fn drop_head_keeps_the_newest() {
        let spec = QueueSpec { max_length: Some(3), ..QueueSpec::default() };
        let mut bench = Bench::new(spec);
        bench.publish(1..=6);
        assert_eq!(bench.ready(), [4, 5, 6]);
        let dropped = bench.out.iter().filter(|e| matches!(e, Effect::Dropped { .. })).count();
        assert_eq!(dropped, 3);
    }

    #[test]
    fn reject_publish_keeps_the_oldest_and_says_so() {
        let overflow = Overflow::RejectPublish;
        let spec = QueueSpec { max_length: Some(2), overflow, ..QueueSpec::default() };
        let mut bench = Bench::new(spec);
        bench.broker.confirm_select(bench.publisher, &mut bench.out);
        assert_eq!(bench.publish(1..=3), [Taken::Routed, Taken::Routed, Taken::Refused]);
        assert_eq!(bench.ready(), [1, 2]);
        let channel = bench.publisher;
        assert!(bench.out.contains(&Effect::Confirm { channel, seq: 3, ack: false }));
    }

    #[test]
    fn a_blocking_queue_changes_nothing_until_there_is_room() {
        let spec =
            QueueSpec { max_length: Some(1), overflow: Overflow::Block, ..QueueSpec::default() };
        let mut bench = Bench::new(spec);
        let consumer = bench.plain(1);
        assert_eq!(bench.publish(1..=2), [Taken::Routed; 2]);
        bench.out.clear();
        let full = Taken::Blocked(bench.queue);
        assert_eq!(bench.publish([3, 3]), [full, full]);
        assert!(bench.out.is_empty());
        bench.broker.ack(consumer, 1, false, &mut bench.out);
        assert!(bench.out.contains(&Effect::Room { queue: bench.queue }));
        assert_eq!(bench.publish([3]), [Taken::Routed]);
        assert_eq!(bench.ready(), [3]);
    }

    #[test]
    fn a_blocking_queue_of_length_zero_hands_over_from_hand_to_hand() {
        let spec =
            QueueSpec { max_length: Some(0), overflow: Overflow::Block, ..QueueSpec::default() };
        let mut bench = Bench::new(spec);
        assert_eq!(bench.publish([1]), [Taken::Blocked(bench.queue)]);
        let consumer = bench.plain(1);
        assert!(bench.out.contains(&Effect::Room { queue: bench.queue }));
        assert_eq!(bench.publish([1, 2]), [Taken::Routed, Taken::Blocked(bench.queue)]);
        bench.out.clear();
        bench.broker.ack(consumer, 1, false, &mut bench.out);
        assert!(bench.out.contains(&Effect::Room { queue: bench.queue }));
    }

    #[test]
    fn a_fanout_gives_each_queue_one_copy_whatever_the_key() {
        let mut broker: Broker<u64> = Broker::new();
        let mut out = Vec::new();
        let channel = broker.open_channel(ConnectionNo(0));
        broker.add_exchange("x", ExchangeSpec::new(ExchangeKind::Fanout));
        let [x, a, b] = ["x", "a", "b"].map(|text| broker.name(text));
        let queues = ["q1", "q2"].map(|name| broker.add_queue(name, QueueSpec::default()));
        for (queue, key) in [(queues[0], a), (queues[0], b), (queues[1], a)] {
            broker.bind(channel, queue, x, key, Headers::NONE, &mut out);
        }
        let publish = Publish::new(x, b, 1, 7);
        assert_eq!(broker.publish(channel, &publish, &mut out), Taken::Routed);
        for queue in queues {
            assert_eq!(broker.queue(queue).map(Queue::n_ready), Some(1));
        }
    }

    #[test]
    fn a_name_keeps_its_number() {
        let mut broker: Broker<u64> = Broker::new();
        let first = broker.name("key");
        assert_eq!(broker.name("key"), first);
        assert_eq!(broker.text(first), "key");
        assert_eq!(broker.name(""), Name::EMPTY);
    }
}
