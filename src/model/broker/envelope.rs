//! What is written on a message beside its body, and the tables behind the numbers on it.
//!
//! Headers are written once into a table and then go by number, so that a message stays small and
//! is copied without allocating. Tables are never forgotten: a client uses few different ones.

use std::collections::BTreeMap;

use super::death::History;
use super::names::Name;

/// Most different tables of headers in one broker.
pub(super) const TABLES_LIMIT: u32 = 1 << 20;

/// A table of headers that the broker has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Headers(pub u32);

impl Headers {
    /// No headers.
    pub const NONE: Headers = Headers(0);
}

/// What is written on a message beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The exchange it was published to; [`Name::EMPTY`] is the default one.
    pub exchange: Name,
    /// The routing key it was published with.
    pub key: Name,
    /// Headers as the publisher wrote them.
    pub headers: Headers,
    /// Where it died before (`x-death`).
    pub history: History,
    /// How long it may wait, in ms (`expiration`).
    pub expiration_ms: Option<u32>,
    /// Its priority; counts only in queues with `max_priority`.
    pub priority: u8,
    /// Survives a restart of the broker in a durable queue (`delivery_mode` 2).
    pub persistent: bool,
}

/// A header's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// No value: in the arguments of a binding it tests for presence.
    Void,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Name),
    /// A list of texts, as `CC` and `BCC` have it.
    Texts(Vec<Name>),
    /// Anything else, in the caller's spelling.
    Other(Name),
}

/// Headers by name.
pub(super) type Table = Vec<(Name, Field)>;

/// Values that go by number: the first one has number 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pool<T: Ord> {
    items: Vec<T>,
    numbers: BTreeMap<T, u32>,
}

impl<T: Ord + Clone> Pool<T> {
    /// Only one value.
    pub(super) fn new(first: T) -> Pool<T> {
        Pool { items: vec![first.clone()], numbers: BTreeMap::from([(first, 0)]) }
    }

    /// The number of a value, given now if it is new; `None`: there are `limit` already.
    pub(super) fn intern(&mut self, item: T, limit: u32) -> Option<u32> {
        if let Some(number) = self.numbers.get(&item) {
            return Some(*number);
        }
        let number = self.items.len() as u32;
        if limit <= number {
            return None;
        }
        self.items.push(item.clone());
        self.numbers.insert(item, number);
        Some(number)
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> &T {
        &self.items[number as usize]
    }
}

/// All tables of headers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tables(Pool<Table>);

impl Tables {
    /// Only the empty table.
    pub(super) fn new() -> Tables {
        Tables(Pool::new(Table::new()))
    }

    /// The number of a table. Of headers of one name the last counts.
    pub(super) fn intern(&mut self, headers: impl IntoIterator<Item = (Name, Field)>) -> Headers {
        let by_name: BTreeMap<Name, Field> = headers.into_iter().collect();
        let number = self.0.intern(by_name.into_iter().collect(), TABLES_LIMIT);
        Headers(number.expect("a broker keeps at most 2^20 different tables of headers"))
    }

    /// What consumers and exchanges see: all but `BCC`.
    pub(super) fn visible(&self, headers: Headers) -> impl Iterator<Item = &(Name, Field)> {
        self.0.get(headers.0).iter().filter(|(name, _)| *name != Name::BCC)
    }

    /// The value of a header.
    pub(super) fn find(&self, headers: Headers, name: Name) -> Option<&Field> {
        let table = self.0.get(headers.0);
        let place = table.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        Some(&table[place].1)
    }

    /// The texts of a header that is a list of them.
    pub(super) fn texts(&self, headers: Headers, name: Name) -> &[Name] {
        match self.find(headers, name) {
            Some(Field::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// All keys by which a message is routed: its own, then those of `CC` and `BCC`.
    pub(super) fn keys(&self, envelope: &Envelope) -> impl Iterator<Item = Name> {
        let copies = [Name::CC, Name::BCC].map(|list| self.texts(envelope.headers, list));
        std::iter::once(envelope.key).chain(copies.into_iter().flatten().copied())
    }

    /// The same headers without the additional keys.
    pub(super) fn without_copies(&mut self, headers: Headers) -> Headers {
        let table = self.0.get(headers.0);
        if !table.iter().any(|(name, _)| matches!(*name, Name::CC | Name::BCC)) {
            return headers;
        }
        let others = table.iter().filter(|(name, _)| !matches!(*name, Name::CC | Name::BCC));
        let others: Table = others.cloned().collect();
        self.intern(others)
    }
}

/// What is wrong with an expiration that a client wrote as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpirationError {
    /// It does not begin with a whole number.
    NoInteger,
    /// Something stands behind the number, from this byte on.
    Leftover {
        /// Where the rest begins.
        at: u32,
    },
    /// The number is below zero.
    Negative,
    /// The number is above [`MAX_EXPIRY_MS`].
    TooBig,
}

/// Longest time to live in ms (rabbit.hrl, `MAX_EXPIRY_TIMER`).
pub const MAX_EXPIRY_MS: u32 = u32::MAX;

/// Reads an `expiration` in ms: a text that holds a whole number (`rabbit_basic.erl`,
/// `parse_expiration`).
pub fn parse_expiration(text: &str) -> Result<u32, ExpirationError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let n_digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = unsigned.split_at(n_digits);
    if digits.is_empty() {
        return Err(ExpirationError::NoInteger);
    }
    if !rest.is_empty() {
        return Err(ExpirationError::Leftover { at: (text.len() - rest.len()) as u32 });
    }
    let is_zero = digits.bytes().all(|digit| digit == b'0');
    if text.starts_with('-') && !is_zero {
        return Err(ExpirationError::Negative);
    }
    digits.parse().map_err(|_| ExpirationError::TooBig)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_a_whole_number_that_is_not_negative() {
        assert_eq!(parse_expiration("250"), Ok(250));
        assert_eq!(parse_expiration("0"), Ok(0));
        assert_eq!(parse_expiration("abc"), Err(ExpirationError::NoInteger));
        assert_eq!(parse_expiration(""), Err(ExpirationError::NoInteger));
        assert_eq!(parse_expiration("10s"), Err(ExpirationError::Leftover { at: 2 }));
        assert_eq!(parse_expiration("-1"), Err(ExpirationError::Negative));
        assert_eq!(parse_expiration("4294967296"), Err(ExpirationError::TooBig));
    }

    #[test]
    fn equal_tables_have_one_number_whatever_the_order() {
        let mut tables = Tables::new();
        let [a, b] = [(Name(9), Field::Flag(true)), (Name(8), Field::Void)];
        let first = tables.intern([a.clone(), b.clone()]);
        assert_eq!(tables.intern([b, a]), first);
        assert_eq!(tables.intern([]), Headers::NONE);
        assert_eq!(tables.find(first, Name(8)), Some(&Field::Void));
    }
}
