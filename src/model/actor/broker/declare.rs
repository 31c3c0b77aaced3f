//! What the document says becomes queues, exchanges and bindings of the machine.

use super::params::{QueueType, WhenFull};
use super::topology::{self, BindingLine, ExchangeLine, Marks, QueueLine};
use super::{BrokerActor, Client, Peer};
use crate::kernel::random::path_hash;
use crate::model::broker::{
    Binding, Broker, ConnectionNo, DeadLetter, Destination, ExchangeKind, ExchangeSpec, Field,
    Headers, Name, Overflow, QueueKind, QueueSpec,
};
use crate::model::message::Message;
use crate::param::Amount;

/// What a broker is made of besides its list of queues.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Topology {
    /// Exchanges, in the document's order.
    pub exchanges: Vec<ExchangeLine>,
    /// Bindings, in the document's order.
    pub bindings: Vec<BindingLine>,
}

/// What a queue demands of its users, and what that costs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rules {
    /// Hashes of the ids of those who may write; empty: everybody.
    writers: Vec<u64>,
    /// Hashes of the ids of those who may read; empty: everybody.
    readers: Vec<u64>,
    /// Whether its users are recorded; `None`: as the broker has it.
    audit: Option<bool>,
    /// Whether bodies are encrypted; `None`: as the broker has it.
    encrypted: Option<bool>,
}

impl Rules {
    /// Whether a client may write, or read.
    pub fn allow(&self, client: &Client, reads: bool) -> bool {
        let named = if reads { &self.readers } else { &self.writers };
        named.is_empty() || named.contains(&client.path) || named.contains(&client.group)
    }
}

impl BrokerActor {
    /// Reads what the document says of single queues; it was checked when it was read.
    pub(super) fn read_lines(&mut self) {
        let text = |lines: &crate::param::Lines| lines.0.join("\n");
        self.topology = Topology {
            exchanges: topology::exchanges(&text(&self.params.exchanges)).unwrap_or_default(),
            bindings: topology::bindings(&text(&self.params.bindings)).unwrap_or_default(),
        };
        let own = topology::arguments(&text(&self.params.arguments)).unwrap_or_default();
        let line = |name: &String| {
            let found = own.iter().find(|queue| queue.name == *name).cloned();
            found.unwrap_or_else(|| QueueLine { name: name.clone(), ..QueueLine::default() })
        };
        self.lines = self.params.queues.0.iter().map(line).collect();
        let hashes = |own: &Option<Vec<String>>, all: &[String]| {
            own.as_deref().unwrap_or(all).iter().map(|id| path_hash(id)).collect()
        };
        let rules = |queue: &QueueLine| Rules {
            writers: hashes(&queue.writers, &self.params.writers.0),
            readers: hashes(&queue.readers, &self.params.readers.0),
            audit: queue.audit,
            encrypted: queue.encrypted,
        };
        self.rules = self.lines.iter().map(rules).collect();
        let is_open = |rules: &Rules| rules.writers.is_empty() && rules.readers.is_empty();
        self.is_open = self.rules.iter().all(is_open);
    }

    /// Whether users of the queue of that place are recorded.
    pub(super) fn is_audited(&self, queue: usize) -> bool {
        self.rules.get(queue).and_then(|rules| rules.audit).unwrap_or(self.params.audit)
    }

    /// Whether bodies are encrypted in the queue of that place.
    pub(super) fn is_encrypted(&self, queue: usize) -> bool {
        self.rules.get(queue).and_then(|rules| rules.encrypted).unwrap_or(self.params.encrypted)
    }

    /// How the queue of that place in the list is declared.
    pub(super) fn spec(&mut self, index: usize) -> QueueSpec {
        let line = &self.lines[index];
        let params = &self.params;
        let overflow = match line.when_full.unwrap_or(params.when_full) {
            WhenFull::Block => Overflow::Block,
            WhenFull::Reject => Overflow::RejectPublish,
            WhenFull::DropOldest => Overflow::DropHead,
        };
        let limit = line.max_length.unwrap_or(params.capacity);
        let max_length = (limit != Amount::UNLIMITED).then_some(limit.0);
        let ttl = line.ttl.or_else(|| params.ttl.0.get(index).copied());
        let own = &params.queues.0[index];
        let letters = line.dead_letters.as_ref().or_else(|| params.dead_letters.0.first());
        // A queue that dead-letters to itself would only turn round.
        let letters = letters.filter(|to| *to != own && !to.is_empty()).cloned();
        let max_priority = line.max_priority.unwrap_or(params.max_priority).0;
        let (kind, max_priority) = match line.queue_type.unwrap_or(params.queue_type) {
            QueueType::Classic => (QueueKind::Classic, max_priority),
            QueueType::Quorum => (QueueKind::Quorum, 0),
        };
        let limit = line.delivery_limit.unwrap_or(params.delivery_limit);
        let is_counting = kind == QueueKind::Quorum && limit != Amount::UNLIMITED;
        let spec = QueueSpec {
            kind,
            max_length,
            overflow,
            max_priority: u8::try_from(max_priority).unwrap_or(u8::MAX),
            delivery_limit: is_counting.then_some(limit.0),
            message_ttl: ttl.filter(|ttl| !ttl.is_zero()),
            expires: line.expires.filter(|span| !span.is_zero()),
            durable: line.durable.unwrap_or(params.durable),
            auto_delete: line.auto_delete.unwrap_or(params.auto_delete),
            single_active: line.single_active.unwrap_or(false),
            ..QueueSpec::default()
        };
        let dead_letter = letters
            .map(|to| DeadLetter { exchange: Name::EMPTY, key: Some(self.broker.name(&to)) });
        QueueSpec { dead_letter, ..spec }
    }

    /// Makes all queues, exchanges and bindings that are not there.
    pub(super) fn declare(&mut self) {
        for index in 0..self.params.queues.0.len() {
            self.declare_queue(index);
        }
        for n in 0..self.topology.exchanges.len() {
            let ExchangeLine { name, kind, alternate } = self.topology.exchanges[n].clone();
            let alternate = alternate.map(|to| self.broker.name(&to));
            let spec = ExchangeSpec { alternate, durable: true, ..ExchangeSpec::new(kind) };
            self.broker.add_exchange(&name, spec);
        }
        for n in 0..self.topology.bindings.len() {
            self.bind(n, None);
        }
    }

    /// Makes the queue of that place in the list if it is gone, with its bindings.
    pub(super) fn declare_queue(&mut self, index: usize) {
        let spec = self.spec(index);
        let name = self.params.queues.0[index].clone();
        let id = self.broker.add_queue(&name, spec);
        if index == self.queues.len() {
            self.queues.push(Some(id));
            return;
        }
        self.queues[index] = Some(id);
        for n in 0..self.topology.bindings.len() {
            self.bind(n, Some(&name));
        }
    }

    /// Makes a binding of the document; with `only`, if it leads there.
    fn bind(&mut self, n: usize, only: Option<&str>) {
        let BindingLine { from, to, any, marks } = self.topology.bindings[n].clone();
        if only.is_some_and(|only| only != to) {
            return;
        }
        let Some(exchange) = self.broker.exchange_named(&from) else { return };
        let to_queue = self.broker.queue_named(&to).map(Destination::Queue);
        let to_exchange = || self.broker.exchange_named(&to).map(Destination::Exchange);
        let Some(to) = to_queue.or_else(to_exchange) else { return };
        let is_headers = self.broker.exchange(exchange).map(|e| e.spec.kind);
        let is_headers = is_headers == Some(ExchangeKind::Headers);
        let mut fields = fields_of(&mut self.broker, &marks);
        if is_headers && any {
            let word = self.broker.name("any");
            fields.push((self.broker.name("x-match"), Field::Text(word)));
        }
        let arguments = self.broker.headers(fields);
        let key = self.broker.name(&marks.key);
        self.broker.add_link(exchange, Binding { key, arguments, to });
    }

    /// The peer at a port, as it is before it says anything.
    pub(super) fn peer(&mut self, port: usize) -> Peer {
        let channel = self.broker.open_channel(ConnectionNo(port as u32));
        let epoch = self.n_opened[port];
        self.n_opened[port] = epoch.wrapping_add(1);
        let client = self.clients[port].clone();
        let queue = self.params.queues.0.iter().position(|name| *name == client.queue);
        let exchange = match client.exchange.as_str() {
            "" => None,
            name => Some(self.broker.name(name)),
        };
        let place = self.topology.exchanges.iter().position(|e| e.name == client.exchange);
        let routes = client.routes.iter();
        let routes = routes.map(|marks| marks_of(&mut self.broker, marks)).collect();
        Peer {
            channel,
            epoch,
            queue: queue.unwrap_or(0) as u16,
            exchange,
            exchange_index: place.unwrap_or(0) as u16,
            routes,
            consumer: None,
            auto_ack: false,
            waiting: None,
            outgoing: std::collections::VecDeque::new(),
            since: std::collections::BTreeMap::new(),
            pulls: false,
            is_deaf: false,
        }
    }
}

/// A key and fields as the machine knows them.
fn marks_of(broker: &mut Broker<Message>, marks: &Marks) -> (Name, Headers) {
    let fields = fields_of(broker, marks);
    (broker.name(&marks.key), broker.headers(fields))
}

/// Fields with their types: whole numbers, `true` and `false`, else texts.
fn fields_of(broker: &mut Broker<Message>, marks: &Marks) -> Vec<(Name, Field)> {
    let mut fields = Vec::new();
    for (name, value) in &marks.fields {
        let field = match value.as_deref() {
            None => Field::Void,
            Some("true") => Field::Flag(true),
            Some("false") => Field::Flag(false),
            Some(text) => match text.parse() {
                Ok(number) => Field::Number(number),
                Err(_) => Field::Text(broker.name(text)),
            },
        };
        fields.push((broker.name(name), field));
    }
    fields
}
