//! Exchanges: which queues get a message.
//!
//! The default exchange has no bindings: a routing key is the name of the queue.
//! One copy goes to each queue, however many bindings match and on however many ways it came.

use super::envelope::{Envelope, Field, Headers, Tables};
use super::names::{Name, Names};
use super::slab::Slab;
use super::{ExchangeId, QueueId, topic};

/// How an exchange chooses among its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// The key is the name of a queue; nothing can be bound.
    Default,
    /// Equal keys; case matters.
    Direct,
    /// Every binding; the key is ignored.
    Fanout,
    /// The binding's key is a pattern of words.
    Topic,
    /// The binding's arguments are compared with the message's headers; the key is ignored.
    Headers,
}

/// How an exchange was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeSpec {
    /// How it chooses.
    pub kind: ExchangeKind,
    /// Clients may not publish to it.
    pub internal: bool,
    /// Where messages go that no binding matched (`alternate-exchange`).
    pub alternate: Option<Name>,
    /// Survives a restart of the broker.
    pub durable: bool,
}

impl ExchangeSpec {
    /// An ordinary exchange of one kind.
    pub const fn new(kind: ExchangeKind) -> ExchangeSpec {
        ExchangeSpec { kind, internal: false, alternate: None, durable: false }
    }
}

/// Where a binding leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a queue.
    Queue(QueueId),
    /// To another exchange, which chooses among its own bindings.
    Exchange(ExchangeId),
}

/// A binding: messages that match go on to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The binding's key.
    pub key: Name,
    /// Its arguments: what a headers exchange compares.
    pub arguments: Headers,
    /// Where it leads.
    pub to: Destination,
}

/// An exchange with its bindings in the order in which they were made.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Its name.
    pub name: Name,
    /// How it was declared.
    pub spec: ExchangeSpec,
    /// Its bindings.
    pub bindings: Vec<Binding>,
}

/// What routing looks at.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) exchanges: &'a Slab<Exchange>,
    pub(super) names: &'a Names,
    pub(super) tables: &'a Tables,
}

impl Map<'_> {
    /// Adds to `targets` the queues that a message goes to from an exchange, each once.
    ///
    /// An exchange whose bindings do not match passes the message to its alternate exchange. Each
    /// exchange is asked once, so circles end. `asked` is room to work in: empty before and after.
    pub(super) fn route(
        self,
        first: ExchangeId,
        envelope: &Envelope,
        targets: &mut Vec<QueueId>,
        asked: &mut Vec<ExchangeId>,
    ) {
        asked.push(first);
        let mut turn = 0;
        while let Some(exchange) = asked.get(turn).and_then(|id| self.exchanges.get(id.0.into())) {
            turn += 1;
            if exchange.spec.kind == ExchangeKind::Default {
                for key in self.tables.keys(envelope) {
                    add(targets, self.names.queue(key));
                }
                continue;
            }
            let mut has_match = false;
            for binding in &exchange.bindings {
                if !self.matches(exchange.spec.kind, binding, envelope) {
                    continue;
                }
                has_match = true;
                match binding.to {
                    Destination::Queue(queue) => add(targets, Some(queue)),
                    Destination::Exchange(next) => add(asked, Some(next)),
                }
            }
            if !has_match {
                let alternate = exchange.spec.alternate;
                add(asked, alternate.and_then(|name| self.names.exchange(name)));
            }
        }
        asked.clear();
    }

    fn matches(self, kind: ExchangeKind, binding: &Binding, envelope: &Envelope) -> bool {
        match kind {
            ExchangeKind::Default => false,
            ExchangeKind::Direct => self.tables.keys(envelope).any(|key| binding.key == key),
            ExchangeKind::Fanout => true,
            ExchangeKind::Topic => {
                let pattern = self.names.text(binding.key);
                let mut keys = self.tables.keys(envelope);
                keys.any(|key| topic::matches(pattern, self.names.text(key)))
            }
            ExchangeKind::Headers => self.headers_match(binding.arguments, envelope.headers),
        }
    }

    /// Whether headers have what the arguments of a binding ask for.
    ///
    /// `x-match` says whether all or any of them must be there; names that begin with `x-` count
    /// only if it ends in `-with-x`. An argument without a value asks whether the header is there.
    fn headers_match(self, arguments: Headers, headers: Headers) -> bool {
        let how = match self.tables.find(arguments, Name::X_MATCH) {
            Some(Field::Text(how)) => self.names.text(*how),
            _ => "all",
        };
        let with_x = how.ends_with("-with-x");
        let counts = |name: Name| {
            name != Name::X_MATCH && (with_x || !self.names.text(name).starts_with("x-"))
        };
        let has = |(name, wanted): &(Name, Field)| {
            let mut there = self.tables.visible(headers).filter(|(other, _)| other == name);
            there.any(|(_, value)| *wanted == Field::Void || wanted == value)
        };
        let mut asked = self.tables.visible(arguments).filter(|(name, _)| counts(*name));
        if how.starts_with("any") { asked.any(has) } else { asked.all(has) }
    }
}

/// Adds what is not yet there.
fn add<T: PartialEq>(all: &mut Vec<T>, one: Option<T>) {
    if let Some(one) = one
        && !all.contains(&one)
    {
        all.push(one);
    }
}
