//! TOML as a tree of plain values that know their lines.
//!
//! It knows no scenario: it turns text into tables, refuses what is too large, and helps a reader
//! take a table apart so that every key is either used or reported.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::param::{Reason, Said, shorten};
use crate::world::problem::Problem;

/// Longest document, in bytes.
pub const LONGEST: usize = 256 * 1024;

/// A value of the document.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// A string.
    Text(String),
    /// An integer or a float, as written but for underscores; other bases are in decimal.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// A date: no key of ours takes one.
    Date(String),
    /// An array.
    List(Vec<Item>),
    /// A table.
    Table(Table),
}

/// A value and its line.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// From 1.
    pub line: u32,
    /// The value.
    pub node: Node,
}

/// A table: keys in the order of the alphabet.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    /// Where it begins, from 1.
    pub line: u32,
    /// Its keys with their lines.
    pub entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line, from 1.
    pub line: u32,
    /// The value.
    pub item: Item,
}

/// Reads bytes: a file's contents, or what a link carried.
pub fn read_bytes(bytes: &[u8]) -> Result<Table, Vec<Problem>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => read(text),
        Err(_) if LONGEST < bytes.len() => Err(vec![too_long(bytes.len())]),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|b| **b == b'\n').count() as u32;
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or(0);
            let reason = Reason::new(format!("0x{byte:02x}"), Said::new("UTF-8", "UTF-8"));
            Err(vec![Problem::refused(Some(line), "document", reason)])
        }
    }
}

/// Reads text.
pub fn read(text: &str) -> Result<Table, Vec<Problem>> {
    if LONGEST < text.len() {
        return Err(vec![too_long(text.len())]);
    }
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let shown = errors.iter().take(Problem::LIMIT);
        let problem = |error: &toml::de::Error| {
            let line = error.span().map(|span| lines.at(&span));
            Problem::syntax(line, error.message())
        };
        return Err(shown.map(problem).collect());
    }
    let span = table.span();
    Ok(lines.table(&span, table.into_inner()))
}

fn too_long(length: usize) -> Problem {
    let allowed = Said::new("at most 262144 bytes (256 KiB)", "最多 262144 字节（256 KiB）");
    Problem::refused(None, "document", Reason::new(format!("{length} bytes"), allowed))
}

/// Where lines begin.
struct Lines(Vec<u32>);

impl Lines {
    fn of(text: &str) -> Lines {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        Lines(std::iter::once(0).chain(ends.map(|(i, _)| i as u32 + 1)).collect())
    }

    fn at(&self, span: &Range<usize>) -> u32 {
        self.0.partition_point(|start| *start as usize <= span.start) as u32
    }

    fn table(&self, span: &Range<usize>, table: DeTable<'_>) -> Table {
        let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
            let line = self.at(&key.span());
            let item = self.item(value);
            let key: std::borrow::Cow<'_, str> = key.into_inner();
            Entry { key: key.into_owned(), line, item }
        };
        Table { line: self.at(span), entries: table.into_iter().map(entry).collect() }
    }

    fn item(&self, value: toml::Spanned<DeValue<'_>>) -> Item {
        let span = value.span();
        let node = match value.into_inner() {
            DeValue::String(text) => Node::Text(text.into_owned()),
            DeValue::Integer(number) => {
                let decimal = u64::from_str_radix(number.as_str(), number.radix());
                Node::Number(decimal.map_or_else(|_| number.to_string(), |n| n.to_string()))
            }
            DeValue::Float(number) => Node::Number(number.as_str().to_owned()),
            DeValue::Boolean(on) => Node::Bool(on),
            DeValue::Datetime(date) => Node::Date(date.to_string()),
            DeValue::Array(items) => {
                Node::List(items.into_iter().map(|item| self.item(item)).collect())
            }
            DeValue::Table(table) => Node::Table(self.table(&span, table)),
        };
        Item { line: self.at(&span), node }
    }
}

impl Item {
    /// The value as a short text, for errors.
    pub fn shown(&self) -> String {
        match &self.node {
            Node::Text(text) | Node::Number(text) | Node::Date(text) => shorten(text, 60),
            Node::Bool(on) => on.to_string(),
            Node::List(items) => format!("[{} …]", items.len()),
            Node::Table(_) => "{…}".to_owned(),
        }
    }

    /// The value as lines: a text of several, or a list of them.
    pub fn lines(&self) -> Option<String> {
        match &self.node {
            Node::Text(text) => Some(text.clone()),
            Node::List(items) => {
                let line = |item: &Item| match &item.node {
                    Node::Text(text) => Some(text.clone()),
                    _ => None,
                };
                items.iter().map(line).collect::<Option<Vec<_>>>().map(|all| all.join("\n"))
            }
            _ => None,
        }
    }

    /// The value as a parameter's parser takes it: text, a number, a switch, or a list of these.
    pub fn plain(&self) -> Option<String> {
        match &self.node {
            Node::Text(text) | Node::Number(text) => Some(text.clone()),
            Node::Bool(on) => Some(if *on { "on" } else { "off" }.to_owned()),
            Node::List(items) => {
                let flat = |item: &Item| match &item.node {
                    Node::Text(text) | Node::Number(text) => Some(text.clone()),
                    _ => None,
                };
                items.iter().map(flat).collect::<Option<Vec<_>>>().map(|all| all.join(","))
            }
            Node::Date(_) | Node::Table(_) => None,
        }
    }
}

/// Takes a table apart: what is asked for is used, the rest is unknown.
pub struct Reader<'a> {
    /// The table.
    pub table: &'a Table,
    /// How errors name it: `producer`, `channel 2`.
    pub path: String,
    known: BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    /// A reader of a table that errors call `path`.
    pub fn new(table: &'a Table, path: impl Into<String>) -> Reader<'a> {
        Reader { table, path: path.into(), known: BTreeSet::new() }
    }

    /// The full name of a key.
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The line of the table.
    pub fn line(&self) -> Option<u32> {
        Some(self.table.line)
    }

    /// The value of a key, which counts as known from now on.
    pub fn item(&mut self, key: &'static str) -> Option<&'a Item> {
        self.known.insert(key);
        self.table.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.item)
    }

    /// A text without control characters, of a limited length in characters.
    pub fn text(
        &mut self,
        key: &'static str,
        limit: usize,
        out: &mut Vec<Problem>,
    ) -> Option<String> {
        let item = self.item(key)?;
        text_of(item, limit).map_err(|reason| self.refuse(key, item, reason, out)).ok()
    }

    /// A value that a parser understands.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        out: &mut Vec<Problem>,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
    ) -> Option<T> {
        let item = self.item(key)?;
        let result = match item.plain() {
            Some(text) => parse(&text),
            None => Err(Reason::new(item.shown(), Said::new("a text or a number", "文本或数字"))),
        };
        result.map_err(|reason| self.refuse(key, item, reason, out)).ok()
    }

    /// The same, and needed.
    pub fn needed<T>(
        &mut self,
        key: &'static str,
        allowed: Said,
        out: &mut Vec<Problem>,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
    ) -> Option<T> {
        if self.item(key).is_none() {
            out.push(Problem::missing(self.line(), self.key(key), allowed));
            return None;
        }
        self.parsed(key, out, parse)
    }

    /// The tables of an array of tables; at most `limit`.
    pub fn tables(
        &mut self,
        key: &'static str,
        limit: usize,
        out: &mut Vec<Problem>,
    ) -> Vec<&'a Table> {
        let Some(item) = self.item(key) else { return Vec::new() };
        let allowed = || {
            let form = format!("[[{key}]] tables, at most {limit}");
            Said::new(form, format!("[[{key}]] 表，最多 {limit} 个"))
        };
        let Node::List(items) = &item.node else {
            self.refuse(key, item, Reason::new(item.shown(), allowed()), out);
            return Vec::new();
        };
        if limit < items.len() {
            self.refuse(key, item, Reason::new(items.len().to_string(), allowed()), out);
            return Vec::new();
        }
        let mut tables = Vec::new();
        for item in items {
            match &item.node {
                Node::Table(table) => tables.push(table),
                _ => self.refuse(key, item, Reason::new(item.shown(), allowed()), out),
            }
        }
        tables
    }

    /// Entries whose keys nobody has asked for yet.
    pub fn rest(&self) -> impl Iterator<Item = &'a Entry> {
        self.table.entries.iter().filter(|entry| !self.known.contains(entry.key.as_str()))
    }

    /// Reports every key that nobody asked for; `more` are further keys to propose.
    pub fn finish(self, more: &[&'static str], out: &mut Vec<Problem>) {
        let known = || self.known.iter().copied().chain(more.iter().copied());
        for entry in self.rest().filter(|entry| !more.contains(&entry.key.as_str())) {
            let place = if self.path.is_empty() { "document" } else { &self.path };
            out.push(Problem::unknown(Some(entry.line), place, &entry.key, known()));
        }
    }

    fn refuse(&self, key: &str, item: &Item, reason: Reason, out: &mut Vec<Problem>) {
        out.push(Problem::refused(Some(item.line), self.key(key), reason));
    }
}

/// A text of a document: no control characters but line breaks, of a limited length.
pub fn text_of(item: &Item, limit: usize) -> Result<String, Reason> {
    let allowed = || {
        let en = format!("a text of at most {limit} characters, without control characters");
        Said::new(en, format!("最多 {limit} 个字符的文本，不含控制字符"))
    };
    match &item.node {
        Node::Text(text)
            if text.chars().count() <= limit
                && text.chars().all(|c| c == '\n' || !c.is_control()) =>
        {
            Ok(text.clone())
        }
        _ => Err(Reason::new(item.shown(), allowed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_knows_its_line() {
        let table = read("a = 1\n\n[[b]]\nc = \"x\"\n\n[[b]]\nd = [\n  2,\n  3,\n]\n").unwrap();
        let line = |key: &str| table.entries.iter().find(|e| e.key == key).map(|e| e.line);
        assert_eq!(line("a"), Some(1));
        let Node::List(tables) = &table.entries[1].item.node else { panic!("two tables") };
        assert_eq!(tables.iter().map(|t| t.line).collect::<Vec<_>>(), [3, 6]);
        let Node::Table(second) = &tables[1].node else { panic!("a table") };
        assert_eq!(second.entries[0].line, 7);
        let Node::List(items) = &second.entries[0].item.node else { panic!("a list") };
        assert_eq!(items.iter().map(|i| i.line).collect::<Vec<_>>(), [8, 9]);
    }

    #[test]
    fn all_syntax_errors_are_reported_with_their_lines() {
        let problems = read("a = \nb = 1\nc = ]\n").expect_err("two errors");
        let lines: Vec<_> = problems.iter().filter_map(|p| p.line).collect();
        assert!(lines.contains(&1) && lines.contains(&3), "{problems:?}");
    }

    #[test]
    fn what_is_no_text_or_too_long_is_refused() {
        let problems = read_bytes(b"a = 1\nb = \"\xff\"\n").expect_err("not UTF-8");
        assert_eq!(
            problems[0].to_string(),
            "line 2: document: `0xff` is not allowed; allowed: UTF-8"
        );
        assert!(read_bytes(&vec![b'#'; LONGEST]).is_ok());
        assert!(read_bytes(&vec![b'#'; LONGEST + 1]).is_err());
        assert!(read("a = \"\u{0}\"").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let deep = "a = ".to_owned() + &"[".repeat(100_000);
        assert!(read(&deep).is_err());
        let deep = format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(read(&deep).is_err());
        let keys = format!("{} = 1", vec!["a"; 50_000].join("."));
        assert!(read(&keys).is_err());
    }

    #[test]
    fn unknown_keys_are_reported_and_known_ones_are_not() {
        let table = read("title = \"x\"\nsead = 4\n").unwrap();
        let mut out = Vec::new();
        let mut reader = Reader::new(&table, "");
        assert_eq!(reader.text("title", 10, &mut out), Some("x".to_owned()));
        assert!(reader.item("seed").is_none());
        reader.finish(&[], &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].hint.as_deref(), Some("seed"));
        assert_eq!(out[0].line, Some(2));
    }
}
