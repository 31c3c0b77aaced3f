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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::broker::{Broker, ConnectionNo, Publish, QueueSpec, Taken};

    struct Bench {
        broker: Broker<u64>,
        queue: QueueId,
    }

    impl Bench {
        /// Exchanges `a` and `b` of one kind, a queue bound to `b`.
        fn new(kind: ExchangeKind, alternate: bool) -> Bench {
            let mut broker = Broker::new();
            let queue = broker.add_queue("q", QueueSpec::default());
            let [a, b] = ["a", "b"].map(|name| broker.name(name));
            let channel = broker.open_channel(ConnectionNo(0));
            let spec =
                ExchangeSpec { alternate: alternate.then_some(b), ..ExchangeSpec::new(kind) };
            broker.add_exchange("a", spec);
            let spec = ExchangeSpec { alternate: Some(a), ..ExchangeSpec::new(kind) };
            broker.add_exchange("b", spec);
            let key = broker.name("k");
            broker.bind(channel, queue, b, key, Headers::NONE, &mut Vec::new());
            Bench { broker, queue }
        }

        /// Publishes to `a`; answers what became of it and how many copies are in the queue.
        fn publish(&mut self, key: &str, headers: Headers) -> (Taken, u32) {
            let [a, key] = ["a", key].map(|name| self.broker.name(name));
            let channel = self.broker.open_channel(ConnectionNo(0));
            let mut publish = Publish::new(a, key, 1, 0);
            publish.envelope.headers = headers;
            let taken = self.broker.publish(channel, &publish, &mut Vec::new());
            (taken, self.broker.queue(self.queue).expect("not deleted").n_ready())
        }

        fn bind_a_to_b(&mut self, key: &str) {
            let [a, b, key] = ["a", "b", key].map(|name| self.broker.name(name));
            let channel = self.broker.open_channel(ConnectionNo(0));
            self.broker.bind_exchange(channel, b, a, key, Headers::NONE, &mut Vec::new());
        }
    }

    #[test]
    fn an_exchange_passes_on_to_another_and_circles_end() {
        let mut bench = Bench::new(ExchangeKind::Topic, false);
        bench.bind_a_to_b("#");
        assert_eq!(bench.publish("k", Headers::NONE), (Taken::Routed, 1));
        // `b` does not match, asks its alternate `a`, which was asked before.
        assert_eq!(bench.publish("other", Headers::NONE), (Taken::Unroutable, 1));
    }

    #[test]
    fn the_alternate_exchange_gets_what_no_binding_matched() {
        let mut bench = Bench::new(ExchangeKind::Direct, true);
        assert_eq!(bench.publish("k", Headers::NONE), (Taken::Routed, 1));
        assert_eq!(bench.publish("other", Headers::NONE), (Taken::Unroutable, 1));
        // A binding that matches keeps the message from it, even if it leads nowhere.
        bench.bind_a_to_b("other");
        assert_eq!(bench.publish("other", Headers::NONE), (Taken::Unroutable, 1));
    }

    #[test]
    fn additional_keys_route_too_and_give_one_copy() {
        let mut bench = Bench::new(ExchangeKind::Direct, true);
        let [k, other] = ["k", "other"].map(|name| bench.broker.name(name));
        for list in ["CC", "BCC"] {
            let list = bench.broker.name(list);
            let headers = bench.broker.headers([(list, Field::Texts(vec![other, k]))]);
            assert_eq!(bench.publish("nowhere", headers).0, Taken::Routed);
        }
        assert_eq!(bench.publish("nowhere", Headers::NONE), (Taken::Unroutable, 2));
    }
}
