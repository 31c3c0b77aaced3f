//! Exchanges: which queues get a message.
//!
//! The default exchange has no bindings: the routing key is the name of the queue.
//! One copy goes to each queue, however many bindings match.

use super::names::{Name, Names};
use super::slab::Slab;
use super::{ExchangeId, QueueId};

/// How an exchange chooses among its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// The key is the name of a queue; nothing can be bound.
    Default,
    /// Equal keys; case matters.
    Direct,
    /// Every binding; the key is ignored.
    Fanout,
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

/// A binding: messages with a matching key go to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The binding's key.
    pub key: Name,
    /// The queue.
    pub queue: QueueId,
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

impl Exchange {
    fn matches(&self, binding: &Binding, key: Name) -> bool {
        match self.spec.kind {
            ExchangeKind::Default => false,
            ExchangeKind::Direct => binding.key == key,
            ExchangeKind::Fanout => true,
        }
    }
}

/// Adds to `targets` the queues that a message goes to, each once.
///
/// An alternate exchange is tried when no binding matched, and so on; a circle of alternates ends
/// after each exchange was asked once.
pub(super) fn route(
    exchanges: &Slab<Exchange>,
    names: &Names,
    first: ExchangeId,
    key: Name,
    targets: &mut Vec<QueueId>,
) {
    let mut id = first;
    let mut n_tries = exchanges.iter().count();
    while let Some(exchange) = exchanges.get(u32::from(id.0)) {
        if exchange.spec.kind == ExchangeKind::Default {
            targets.extend(names.queue(key));
        }
        for binding in &exchange.bindings {
            if exchange.matches(binding, key) && !targets.contains(&binding.queue) {
                targets.push(binding.queue);
            }
        }
        n_tries -= 1;
        if !targets.is_empty() || n_tries == 0 {
            return;
        }
        let Some(next) = exchange.spec.alternate.and_then(|name| names.exchange(name)) else {
            return;
        };
        id = next;
    }
}
