//! Exchanges, bindings and the arguments of single queues as text, one a line.
//!
//! ```text
//! news topic alternate=rest        an exchange: name, type, where unrouted messages go
//! news:order.*.eu -> mail          a binding: exchange, key, queue or exchange
//! docs -> print any format=pdf     of a headers exchange: what it compares
//! mail ttl=5s max-length=100       a queue and what it has for itself
//! ```

use crate::kernel::SimSpan;
use crate::model::actor::broker::params::{QueueType, WhenFull};
use crate::model::broker::ExchangeKind;
use crate::param::{Amount, Param, Reason, Said, is_word, nearest, parse_span, word_allowed};

/// Most lines of each kind.
const MAX_LINES: usize = 200;
/// Longest routing key in bytes (AMQP 0-9-1: a short string).
const LONGEST_KEY: usize = 255;
const TYPES: &[&str] = &["direct", "fanout", "topic", "headers"];
const KEYS: &[&str] = &[
    "ttl",
    "max-length",
    "when-full",
    "max-priority",
    "dead-letters",
    "queue-type",
    "delivery-limit",
    "auto-delete",
    "single-active",
    "expires",
    "durable",
    "writers",
    "readers",
    "audit",
    "encrypted",
];

/// An exchange of the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeLine {
    /// Its name.
    pub name: String,
    /// How it chooses.
    pub kind: ExchangeKind,
    /// Where messages go that no binding matched.
    pub alternate: Option<String>,
}

/// A key, and names with or without a value: on a message, or in a binding.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// The routing key.
    pub key: String,
    /// Names with their values.
    pub fields: Vec<(String, Option<String>)>,
}

/// A binding of the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindingLine {
    /// The exchange.
    pub from: String,
    /// A queue or another exchange.
    pub to: String,
    /// Whether one of the fields is enough, in a headers exchange.
    pub any: bool,
    /// What it asks for.
    pub marks: Marks,
}

/// What a queue has for itself; `None`: as the broker has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueLine {
    /// Its name.
    pub name: String,
    /// Longest wait; zero: for ever.
    pub ttl: Option<SimSpan>,
    /// Most ready messages.
    pub max_length: Option<Amount>,
    /// What happens then.
    pub when_full: Option<WhenFull>,
    /// Highest priority.
    pub max_priority: Option<Amount>,
    /// Where its dead letters go; empty: nowhere.
    pub dead_letters: Option<String>,
    /// What it is built on.
    pub queue_type: Option<QueueType>,
    /// Failed deliveries that it forgives.
    pub delivery_limit: Option<Amount>,
    /// Whether it goes with its last consumer.
    pub auto_delete: Option<bool>,
    /// Whether only its first consumer gets messages.
    pub single_active: Option<bool>,
    /// After how long without use it goes.
    pub expires: Option<SimSpan>,
    /// Whether it survives a crash.
    pub durable: Option<bool>,
    /// Who may write.
    pub writers: Option<Vec<String>>,
    /// Who may read.
    pub readers: Option<Vec<String>>,
    /// Whether writes and reads are recorded.
    pub audit: Option<bool>,
    /// Whether bodies are encrypted.
    pub encrypted: Option<bool>,
}

/// Whether a text is a list of exchanges.
pub fn check_exchanges(text: &str) -> Result<(), Reason> {
    exchanges(text).map(drop)
}

/// Whether a text is a list of bindings.
pub fn check_bindings(text: &str) -> Result<(), Reason> {
    bindings(text).map(drop)
}

/// Whether a text is a list of queues with arguments.
pub fn check_arguments(text: &str) -> Result<(), Reason> {
    arguments(text).map(drop)
}

/// Whether a text is a list of routes: a key each, and fields.
pub fn check_routes(text: &str) -> Result<(), Reason> {
    routes(text).map(drop)
}

/// The exchanges of a text.
pub fn exchanges(text: &str) -> Result<Vec<ExchangeLine>, Reason> {
    let mut all: Vec<ExchangeLine> = Vec::new();
    for line in lines(text)? {
        let mut words = line.split_whitespace();
        let name = word(words.next().unwrap_or(""))?;
        let kind = match words.next().unwrap_or("") {
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            "topic" => ExchangeKind::Topic,
            "headers" => ExchangeKind::Headers,
            other => return Err(not_one_of(&line, other, TYPES)),
        };
        let mut alternate = None;
        for rest in words {
            match rest.split_once('=') {
                Some(("alternate", to)) => alternate = Some(word(to)?),
                _ => return Err(not_one_of(&line, rest, &["alternate=NAME"])),
            }
        }
        if all.iter().any(|other| other.name == name) {
            return Err(twice(&name));
        }
        all.push(ExchangeLine { name, kind, alternate });
    }
    Ok(all)
}

/// The bindings of a text.
pub fn bindings(text: &str) -> Result<Vec<BindingLine>, Reason> {
    let binding = |line: String| {
        let form = || {
            let en = "EXCHANGE:KEY -> QUEUE, such as news:order.* -> mail";
            Reason::new(&line, Said::new(en, "交换机:键 -> 队列，如 news:order.* -> mail"))
        };
        let (from, to) = line.split_once("->").ok_or_else(form)?;
        let (from, key) = from.trim().split_once(':').unwrap_or((from.trim(), ""));
        let mut words = to.split_whitespace();
        let to = word(words.next().unwrap_or(""))?;
        let (mut any, mut fields) = (false, Vec::new());
        for rest in words {
            match rest {
                "any" => any = true,
                "all" => any = false,
                _ => fields.push(field(rest)?),
            }
        }
        let marks = Marks { key: checked_key(key)?, fields };
        Ok(BindingLine { from: word(from)?, to, any, marks })
    };
    lines(text)?.into_iter().map(binding).collect()
}

/// The routes of a text: keys with fields.
pub fn routes(text: &str) -> Result<Vec<Marks>, Reason> {
    let route = |line: String| {
        let mut words = line.split_whitespace().peekable();
        let key = words.next_if(|word| !word.contains('=')).unwrap_or("");
        let fields: Result<Vec<_>, Reason> = words.map(field).collect();
        Ok(Marks { key: checked_key(key)?, fields: fields? })
    };
    lines(text)?.into_iter().map(route).collect()
}

/// The queues of a text, with what they have for themselves.
pub fn arguments(text: &str) -> Result<Vec<QueueLine>, Reason> {
    let mut all: Vec<QueueLine> = Vec::new();
    for line in lines(text)? {
        let mut words = line.split_whitespace();
        let name = word(words.next().unwrap_or(""))?;
        let mut queue = QueueLine { name, ..QueueLine::default() };
        for argument in words {
            let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
            set(&mut queue, key, value)
                .map_err(|reason| Reason { value: format!("{argument} ({})", line), ..reason })?;
        }
        if all.iter().any(|other| other.name == queue.name) {
            return Err(twice(&queue.name));
        }
        all.push(queue);
    }
    Ok(all)
}

fn set(queue: &mut QueueLine, key: &str, value: &str) -> Result<(), Reason> {
    let names = || -> Result<Vec<String>, Reason> {
        value.split('+').filter(|name| !name.is_empty()).map(word).collect()
    };
    match key {
        "ttl" => queue.ttl = Some(parse_span(value)?),
        "expires" => queue.expires = Some(parse_span(value)?),
        "max-length" => queue.max_length = Some(Amount::parse(value)?),
        "max-priority" => queue.max_priority = Some(small(value)?),
        "delivery-limit" => queue.delivery_limit = Some(Amount::parse(value)?),
        "when-full" => queue.when_full = Some(WhenFull::parse(value)?),
        "queue-type" => queue.queue_type = Some(QueueType::parse(value)?),
        "dead-letters" if value.is_empty() => queue.dead_letters = Some(String::new()),
        "dead-letters" => queue.dead_letters = Some(word(value)?),
        "auto-delete" => queue.auto_delete = Some(bool::parse(value)?),
        "single-active" => queue.single_active = Some(bool::parse(value)?),
        "durable" => queue.durable = Some(bool::parse(value)?),
        "audit" => queue.audit = Some(bool::parse(value)?),
        "encrypted" => queue.encrypted = Some(bool::parse(value)?),
        "writers" => queue.writers = Some(names()?),
        "readers" => queue.readers = Some(names()?),
        _ => return Err(not_one_of(key, key, KEYS)),
    }
    Ok(())
}

/// A priority.
fn small(value: &str) -> Result<Amount, Reason> {
    match Amount::parse(value)? {
        amount if amount.0 <= 255 => Ok(amount),
        _ => Err(Reason::new(value, Said::same("0 - 255"))),
    }
}

fn lines(text: &str) -> Result<Vec<String>, Reason> {
    let lines = text.split(['\n', ';']).map(without_comment).map(str::trim);
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if MAX_LINES < lines.len() {
        let allowed = Said::new("at most 200 lines", "最多 200 行");
        return Err(Reason::new(lines.len().to_string(), allowed));
    }
    Ok(lines)
}

/// The part before a comment: `#` begins one at the line's start or behind a blank, since keys may
/// hold it.
fn without_comment(line: &str) -> &str {
    let is_comment =
        |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let end = line.match_indices('#').find(is_comment).map_or(line.len(), |(at, _)| at);
    &line[..end]
}

fn word(text: &str) -> Result<String, Reason> {
    if is_word(text) { Ok(text.to_owned()) } else { Err(Reason::new(text, word_allowed())) }
}

fn checked_key(key: &str) -> Result<String, Reason> {
    if key.len() <= LONGEST_KEY && !key.chars().any(char::is_control) {
        return Ok(key.to_owned());
    }
    Err(Reason::new(key, Said::new("a key of at most 255 bytes", "最多 255 字节的键")))
}

/// `name=value`, or a name that only must be there.
fn field(text: &str) -> Result<(String, Option<String>), Reason> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    Ok((word(name)?, value))
}

fn not_one_of(line: &str, found: &str, allowed: &[&'static str]) -> Reason {
    let said = Said::new(allowed.join(", "), allowed.join("、"));
    let meant = nearest(found, allowed.iter().copied());
    let shown = if found == line { line.to_owned() } else { format!("{line}: {found}") };
    Reason::new(shown, said).meant(meant)
}

fn twice(name: &str) -> Reason {
    Reason::new(name, Said::new("each name only once", "每个名称只能出现一次"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_say_exchange_key_and_queue() {
        let all = bindings("news:order.# -> mail # why\ndocs -> print any format=pdf urgent");
        let all = all.expect("two bindings");
        assert_eq!((all[0].from.as_str(), all[0].marks.key.as_str()), ("news", "order.#"));
        assert_eq!(all[0].to, "mail");
        assert!(all[1].any);
        let fields = [("format", Some("pdf")), ("urgent", None)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(all[1].marks.fields, fields);
        assert!(bindings("news mail").is_err());
        assert!(bindings("news -> Mail").is_err());
    }

    #[test]
    fn an_exchange_has_a_name_and_a_type() {
        let all = exchanges("news topic alternate=rest; rest fanout").expect("two");
        assert_eq!(all[0].alternate.as_deref(), Some("rest"));
        assert_eq!(all[1].kind, ExchangeKind::Fanout);
        let reason = exchanges("news topics").expect_err("no such type");
        assert_eq!(reason.hint.as_deref(), Some("topic"));
        assert!(exchanges("a topic; a fanout").is_err());
    }

    #[test]
    fn a_queue_has_arguments_of_its_own() {
        let all = arguments("mail ttl=5s max-length=100 when-full=reject writers=shop+bank");
        let mail = &all.expect("one queue")[0];
        assert_eq!(mail.ttl, Some(SimSpan::s(5)));
        assert_eq!(mail.max_length, Some(Amount(100)));
        assert_eq!(mail.when_full, Some(WhenFull::Reject));
        assert_eq!(mail.writers, Some(vec!["shop".to_owned(), "bank".to_owned()]));
        let reason = arguments("mail tll=5s").expect_err("no such key");
        assert_eq!(reason.hint.as_deref(), Some("ttl"));
        assert!(arguments("mail max-priority=256").is_err());
        assert!(arguments("mail; mail").is_err());
    }

    #[test]
    fn a_route_is_a_key_with_fields() {
        let all = routes("order.paid region=eu\nregion=us").expect("two routes");
        assert_eq!((all[0].key.as_str(), all[1].key.as_str()), ("order.paid", ""));
        assert_eq!(all[1].fields.len(), 1);
    }
}
