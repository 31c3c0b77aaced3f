//! Queues, exchanges and bindings come and go.

use super::effect::{ChannelError, Difference, DropReason, Effect};
use super::envelope::{Field, Headers};
use super::exchange::{Binding, Destination, Exchange, ExchangeKind, ExchangeSpec};
use super::names::Name;
use super::queue::{Overflow, Queue, QueueKind, QueueSpec};
use super::{Broker, ChannelNo, ConnectionNo, ExchangeId, QueueId};

/// Most queues, and most exchanges, in one broker.
const ITEMS_LIMIT: u32 = 1 << 16;

/// Under which condition a queue is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DeleteIf {
    /// Only without consumers.
    pub unused: bool,
    /// Only without ready messages.
    pub empty: bool,
}

impl<M: Copy> Broker<M> {
    /// Makes a queue, or finds the one of that name as it is.
    pub fn add_queue(&mut self, name: &str, spec: QueueSpec) -> QueueId {
        let name = self.names.intern(name);
        self.names.queue(name).unwrap_or_else(|| self.insert_queue(name, spec, None))
    }

    /// Changes a queue's limit while it runs, as a policy does; what is over it goes at once.
    pub fn limit(
        &mut self,
        id: QueueId,
        max_length: Option<u32>,
        overflow: Overflow,
        out: &mut Vec<Effect<M>>,
    ) {
        let Broker { queues, post, .. } = self;
        let Some(queue) = queues.get_mut(id.0.into()) else { return };
        queue.spec = QueueSpec { max_length, overflow, ..queue.spec };
        post.drop_excess(id, queue, out);
        post.expire(id, queue, out);
        self.tell_room(id, out);
        self.deliver_letters(out);
    }

    /// The number of a table of headers, given now if it is new.
    pub fn headers(&mut self, headers: impl IntoIterator<Item = (Name, Field)>) -> Headers {
        self.tables.intern(headers)
    }

    /// Makes an exchange, or finds the one of that name as it is.
    pub fn add_exchange(&mut self, name: &str, spec: ExchangeSpec) -> ExchangeId {
        let name = self.names.intern(name);
        self.names.exchange(name).unwrap_or_else(|| self.insert_exchange(name, spec))
    }

    /// Declares a queue on behalf of a client. `None`: refused, the channel is closed.
    pub fn declare_queue(
        &mut self,
        number: ChannelNo,
        name: &str,
        spec: QueueSpec,
        out: &mut Vec<Effect<M>>,
    ) -> Option<QueueId> {
        let connection = self.clients.channel(number)?.connection;
        let name = self.names.intern(name);
        let Some(id) = self.names.queue(name) else {
            let owner = spec.exclusive.then_some(connection);
            return Some(self.insert_queue(name, spec, owner));
        };
        if !self.may_use(number, id, out) {
            return None;
        }
        if let Some(what) = difference(&self.queue(id)?.spec, &spec) {
            self.fail(number, ChannelError::QueueDiffers { queue: name, what }, out);
            return None;
        }
        self.use_queue(id);
        Some(id)
    }

    /// Declares an exchange on behalf of a client. `None`: refused, the channel is closed.
    pub fn declare_exchange(
        &mut self,
        number: ChannelNo,
        name: &str,
        spec: ExchangeSpec,
        out: &mut Vec<Effect<M>>,
    ) -> Option<ExchangeId> {
        let name = self.names.intern(name);
        let Some(id) = self.names.exchange(name) else {
            return Some(self.insert_exchange(name, spec));
        };
        if self.exchange(id)?.spec != spec {
            self.fail(number, ChannelError::ExchangeDiffers(name), out);
            return None;
        }
        Some(id)
    }

    /// Binds a queue to an exchange; binding twice changes nothing.
    pub fn bind(
        &mut self,
        number: ChannelNo,
        queue: QueueId,
        exchange: Name,
        key: Name,
        arguments: Headers,
        out: &mut Vec<Effect<M>>,
    ) {
        if !self.may_use(number, queue, out) {
            return;
        }
        let binding = Binding { key, arguments, to: Destination::Queue(queue) };
        self.add_binding(number, exchange, binding, out);
    }

    /// Takes a binding away; what is not bound stays so.
    pub fn unbind(
        &mut self,
        number: ChannelNo,
        queue: QueueId,
        exchange: Name,
        key: Name,
        arguments: Headers,
        out: &mut Vec<Effect<M>>,
    ) {
        if !self.may_use(number, queue, out) {
            return;
        }
        let binding = Binding { key, arguments, to: Destination::Queue(queue) };
        if let Some(id) = self.bindable(number, exchange, out) {
            let exchange = self.exchanges.get_mut(id.0.into()).expect("it is bindable");
            exchange.bindings.retain(|other| *other != binding);
        }
    }

    /// Binds an exchange to another one, from which messages then come.
    pub fn bind_exchange(
        &mut self,
        number: ChannelNo,
        to: Name,
        exchange: Name,
        key: Name,
        arguments: Headers,
        out: &mut Vec<Effect<M>>,
    ) {
        if self.clients.channel(number).is_none() {
            return;
        }
        if let Some(to) = self.bindable(number, to, out) {
            let binding = Binding { key, arguments, to: Destination::Exchange(to) };
            self.add_binding(number, exchange, binding, out);
        }
    }

    /// Binds two things without a client; what is not there is not bound.
    pub fn add_link(&mut self, exchange: ExchangeId, binding: Binding) {
        if let Some(exchange) = self.exchanges.get_mut(exchange.0.into())
            && exchange.spec.kind != ExchangeKind::Default
            && !exchange.bindings.contains(&binding)
        {
            exchange.bindings.push(binding);
        }
    }

    fn add_binding(
        &mut self,
        number: ChannelNo,
        exchange: Name,
        binding: Binding,
        out: &mut Vec<Effect<M>>,
    ) {
        let Some(id) = self.bindable(number, exchange, out) else { return };
        let exchange = self.exchanges.get_mut(id.0.into()).expect("it is bindable");
        if !exchange.bindings.contains(&binding) {
            exchange.bindings.push(binding);
        }
    }

    /// Drops all ready messages of a queue and says how many; the unacknowledged stay.
    pub fn purge(
        &mut self,
        number: ChannelNo,
        id: QueueId,
        out: &mut Vec<Effect<M>>,
    ) -> Option<u32> {
        if !self.may_use(number, id, out) {
            return None;
        }
        let Broker { queues, post, .. } = self;
        let queue = queues.get_mut(id.0.into())?;
        if queue.spec.kind == QueueKind::Stream {
            let error = ChannelError::StreamPurge(queue.name);
            self.fail(number, error, out);
            return None;
        }
        let n_ready = queue.n_ready();
        while let Some(entry) = queue.pop() {
            queue.note_removal(post.now, &entry);
            let (queue, message) = (Some(id), entry.message);
            out.push(Effect::Dropped { queue, why: DropReason::Purged, message });
        }
        self.tell_room(id, out);
        Some(n_ready)
    }

    /// Deletes a queue on behalf of a client and says how many messages were ready.
    pub fn delete_queue(
        &mut self,
        number: ChannelNo,
        id: QueueId,
        only: DeleteIf,
        out: &mut Vec<Effect<M>>,
    ) -> Option<u32> {
        if !self.may_use(number, id, out) {
            return None;
        }
        let queue = self.queue(id)?;
        let error = if only.unused && 0 < queue.n_consumers {
            ChannelError::QueueInUse(queue.name)
        } else if only.empty && 0 < queue.n_ready() {
            ChannelError::QueueNotEmpty(queue.name)
        } else {
            return Some(self.remove_queue(id, out));
        };
        self.fail(number, error, out);
        None
    }

    /// Deletes a queue: its consumers are told, its bindings go, its ready messages are lost.
    ///
    /// Nothing is dead-lettered. What clients hold of it can still be acknowledged, to no effect.
    pub fn remove_queue(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) -> u32 {
        self.remove_queue_because(id, DropReason::QueueDeleted, out)
    }

    /// The same, saying why the messages are lost.
    pub(super) fn remove_queue_because(
        &mut self,
        id: QueueId,
        why: DropReason,
        out: &mut Vec<Effect<M>>,
    ) -> u32 {
        let of_it = |(slot, consumer): (u32, &super::Consumer)| {
            (consumer.queue == id).then_some((super::ConsumerId(slot), consumer.channel))
        };
        let consumers: Vec<_> = self.clients.consumers.iter().filter_map(of_it).collect();
        for (consumer, channel) in consumers {
            self.clients.forget(consumer);
            out.push(Effect::ConsumerCancelled { channel, consumer });
        }
        let slots: Vec<u32> = self.clients.channels.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let channel = self.clients.channels.get_mut(slot).expect("listed just now");
            let of_it = channel.all_unacked_mut().filter(|unacked| unacked.queue == Some(id));
            of_it.for_each(|unacked| unacked.queue = None);
        }
        self.drop_bindings(Destination::Queue(id));
        let Some(mut queue) = self.queues.remove(u32::from(id.0)) else { return 0 };
        self.names.set_queue(queue.name, None);
        let n_ready = queue.n_ready();
        while let Some(entry) = queue.pop() {
            out.push(Effect::Dropped { queue: Some(id), why, message: entry.message });
        }
        out.push(Effect::QueueDeleted { queue: id, name: queue.name });
        if queue.publisher_waits {
            out.push(Effect::Room { queue: id });
        }
        n_ready
    }

    /// Takes away all bindings that lead to something.
    pub(super) fn drop_bindings(&mut self, to: Destination) {
        let slots: Vec<u32> = self.exchanges.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let exchange = self.exchanges.get_mut(slot).expect("listed just now");
            exchange.bindings.retain(|binding| binding.to != to);
        }
    }

    /// Deletes an auto-delete queue that lost its last consumer.
    pub(super) fn delete_if_unused(&mut self, id: QueueId, out: &mut Vec<Effect<M>>) {
        let is_unused =
            self.queue(id).is_some_and(|queue| queue.spec.auto_delete && queue.n_consumers == 0);
        if is_unused {
            self.remove_queue(id, out);
        }
    }

    fn insert_queue(
        &mut self,
        name: Name,
        spec: QueueSpec,
        owner: Option<ConnectionNo>,
    ) -> QueueId {
        let slot = self.queues.insert(Queue::new(name, spec, owner));
        assert!(slot < ITEMS_LIMIT, "a broker has at most {ITEMS_LIMIT} queues");
        let id = QueueId(slot as u16);
        self.names.set_queue(name, Some(id));
        self.use_queue(id);
        id
    }

    fn insert_exchange(&mut self, name: Name, spec: ExchangeSpec) -> ExchangeId {
        let slot = self.exchanges.insert(Exchange { name, spec, bindings: Vec::new() });
        assert!(slot < ITEMS_LIMIT, "a broker has at most {ITEMS_LIMIT} exchanges");
        let id = ExchangeId(slot as u16);
        self.names.set_exchange(name, Some(id));
        id
    }

    /// The exchange that a client wants to bind to, if it may.
    fn bindable(
        &mut self,
        number: ChannelNo,
        name: Name,
        out: &mut Vec<Effect<M>>,
    ) -> Option<ExchangeId> {
        let id = self.names.exchange(name);
        let kind = id.and_then(|id| self.exchange(id)).map(|exchange| exchange.spec.kind);
        let error = match kind {
            None => ChannelError::NoExchange(name),
            Some(ExchangeKind::Default) => ChannelError::DefaultExchange,
            Some(_) => return id,
        };
        self.fail(number, error, out);
        None
    }
}

/// The first property in which a new declaration differs from the old.
fn difference(old: &QueueSpec, new: &QueueSpec) -> Option<Difference> {
    fn letter<T>(spec: &QueueSpec, part: impl Fn(&super::DeadLetter) -> T) -> Option<T> {
        spec.dead_letter.as_ref().map(part)
    }
    let differs = [
        (old.durable != new.durable, Difference::Durable),
        (old.auto_delete != new.auto_delete, Difference::AutoDelete),
        (old.max_length != new.max_length, Difference::MaxLength),
        (old.max_bytes != new.max_bytes, Difference::MaxBytes),
        (old.overflow != new.overflow, Difference::Overflow),
        (old.max_priority != new.max_priority, Difference::MaxPriority),
        (old.single_active != new.single_active, Difference::SingleActive),
        (old.kind != new.kind, Difference::Kind),
        (old.message_ttl != new.message_ttl, Difference::MessageTtl),
        (old.expires != new.expires, Difference::Expires),
        (letter(old, |to| to.exchange) != letter(new, |to| to.exchange), {
            Difference::DeadLetterExchange
        }),
        (letter(old, |to| to.key) != letter(new, |to| to.key), Difference::DeadLetterKey),
        (old.delivery_limit != new.delivery_limit, Difference::DeliveryLimit),
    ];
    differs.into_iter().find_map(|(differs, what)| differs.then_some(what))
}
