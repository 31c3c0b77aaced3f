//! Names that clients write as text (queues, exchanges, routing keys), as small numbers.
//!
//! A name is looked up once, when it is first written; after that everything compares numbers.

use std::collections::BTreeMap;

use super::{ExchangeId, QueueId};

/// Most different names in one broker.
const NAMES_LIMIT: u32 = 1 << 20;

/// A text that the broker has seen: a queue's name, an exchange's name, or a routing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(pub u32);

impl Name {
    /// The empty text: the name of the default exchange.
    pub const EMPTY: Name = Name(0);
    /// The header with additional routing keys.
    pub(super) const CC: Name = Name(1);
    /// The header with additional routing keys that consumers do not see.
    pub(super) const BCC: Name = Name(2);
    /// The argument that says how a headers exchange compares.
    pub(super) const X_MATCH: Name = Name(3);
}

/// A text and what is called so.
#[derive(Clone, Debug, PartialEq)]
struct Named {
    text: String,
    queue: Option<QueueId>,
    exchange: Option<ExchangeId>,
}

/// The table of names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    named: Vec<Named>,
    numbers: BTreeMap<String, u32>,
}

impl Names {
    /// Only the names that the broker itself uses.
    pub(super) fn new() -> Names {
        let mut names = Names { named: Vec::new(), numbers: BTreeMap::new() };
        for (text, name) in
            [("", Name::EMPTY), ("CC", Name::CC), ("BCC", Name::BCC), ("x-match", Name::X_MATCH)]
        {
            assert_eq!(names.intern(text), name);
        }
        names
    }

    /// The number of a text, given now if it is new.
    pub(super) fn intern(&mut self, text: &str) -> Name {
        if let Some(number) = self.numbers.get(text) {
            return Name(*number);
        }
        let number = self.named.len() as u32;
        assert!(number < NAMES_LIMIT, "a broker keeps at most {NAMES_LIMIT} names");
        self.named.push(Named { text: text.to_owned(), queue: None, exchange: None });
        self.numbers.insert(text.to_owned(), number);
        Name(number)
    }

    /// The text of a name.
    pub(super) fn text(&self, name: Name) -> &str {
        &self.named[name.0 as usize].text
    }

    /// The number of a text that was seen before.
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied().map(Name)
    }

    /// The queue of that name: the whole of the default exchange.
    #[inline]
    pub(super) fn queue(&self, name: Name) -> Option<QueueId> {
        self.named.get(name.0 as usize)?.queue
    }

    /// The exchange of that name.
    #[inline]
    pub(super) fn exchange(&self, name: Name) -> Option<ExchangeId> {
        self.named.get(name.0 as usize)?.exchange
    }

    /// Says which queue is called so from now on.
    pub(super) fn set_queue(&mut self, name: Name, queue: Option<QueueId>) {
        self.named[name.0 as usize].queue = queue;
    }

    /// Says which exchange is called so from now on.
    pub(super) fn set_exchange(&mut self, name: Name, exchange: Option<ExchangeId>) {
        self.named[name.0 as usize].exchange = exchange;
    }
}
