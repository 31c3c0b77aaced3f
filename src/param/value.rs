//! One parameter's value: statically typed in a model's struct, dynamic everywhere else.

use crate::kernel::SimSpan;
use crate::param::spec::Choice;
use crate::param::text::{Lang, Reason, Said};
use crate::param::units::{Amount, BitRate, Bytes, Ppm, Rate, parse_span, show_span, span_parts};

/// Short names such as those of queues, separated by commas in a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Words(pub Vec<String>);

/// Recorded times: instants as spans since the start, or lengths; separated by commas in a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Spans(pub Vec<SimSpan>);

/// A short program: one step a line, without comments and empty lines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Lines(pub Vec<String>);

/// What a value is, without its range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A span of time.
    Span,
    /// Events per second.
    Rate,
    /// A size.
    Bytes,
    /// A speed of transmission.
    BitRate,
    /// A share.
    Ppm,
    /// A count.
    Amount,
    /// On or off.
    Bool,
    /// One of a few words.
    Choice,
    /// Several short names.
    Words,
    /// Several spans of time.
    Spans,
    /// Lines of a small language.
    Lines,
}

/// A value of any kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A span of time.
    Span(SimSpan),
    /// Events per second.
    Rate(Rate),
    /// A size.
    Bytes(Bytes),
    /// A speed of transmission.
    BitRate(BitRate),
    /// A share.
    Ppm(Ppm),
    /// A count.
    Amount(Amount),
    /// On or off.
    Bool(bool),
    /// The index of a choice among the parameter's choices.
    Choice(u8),
    /// Several short names.
    Words(Words),
    /// Several spans of time.
    Spans(Spans),
    /// Lines of a small language.
    Lines(Lines),
}

impl Value {
    /// The value's kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Value::Span(_) => Kind::Span,
            Value::Rate(_) => Kind::Rate,
            Value::Bytes(_) => Kind::Bytes,
            Value::BitRate(_) => Kind::BitRate,
            Value::Ppm(_) => Kind::Ppm,
            Value::Amount(_) => Kind::Amount,
            Value::Bool(_) => Kind::Bool,
            Value::Choice(_) => Kind::Choice,
            Value::Words(_) => Kind::Words,
            Value::Spans(_) => Kind::Spans,
            Value::Lines(_) => Kind::Lines,
        }
    }

    /// The value on its kind's axis, with unlimited as the greatest; lists count their entries.
    pub fn ordinal(&self) -> u64 {
        match self {
            Value::Span(span) => span.as_ns(),
            Value::Rate(rate) => rate.0,
            Value::Bytes(bytes) => bytes.0,
            Value::BitRate(BitRate::UNLIMITED) => u64::MAX,
            Value::BitRate(rate) => rate.0,
            Value::Ppm(ppm) => u64::from(ppm.0),
            Value::Amount(Amount::UNLIMITED) => u64::MAX,
            Value::Amount(amount) => u64::from(amount.0),
            Value::Bool(on) => u64::from(*on),
            Value::Choice(index) => u64::from(*index),
            Value::Words(words) => words.0.len() as u64,
            Value::Spans(spans) => spans.0.len() as u64,
            Value::Lines(lines) => lines.0.len() as u64,
        }
    }

    /// The value of a kind at a place of its axis; `None` for names and lists.
    pub fn at(kind: Kind, ordinal: u64) -> Option<Value> {
        let small = u32::try_from(ordinal).unwrap_or(u32::MAX);
        match kind {
            Kind::Span => Some(Value::Span(SimSpan::ns(ordinal))),
            Kind::Rate => Some(Value::Rate(Rate(ordinal))),
            Kind::Bytes => Some(Value::Bytes(Bytes(ordinal))),
            Kind::BitRate if ordinal == u64::MAX => Some(Value::BitRate(BitRate::UNLIMITED)),
            Kind::BitRate => Some(Value::BitRate(BitRate(ordinal))),
            Kind::Ppm => Some(Value::Ppm(Ppm(small))),
            Kind::Amount => Some(Value::Amount(Amount(small))),
            Kind::Bool => Some(Value::Bool(ordinal != 0)),
            Kind::Choice => Some(Value::Choice(u8::try_from(ordinal).unwrap_or(u8::MAX))),
            Kind::Words | Kind::Spans | Kind::Lines => None,
        }
    }

    /// The canonical text: no language, no spaces, parses to the same value.
    pub fn show(&self, choices: &[Choice]) -> String {
        match self {
            // By path: with a dot, the trait's method of the same name would win and never end.
            Value::Span(span) => show_span(*span),
            Value::Rate(rate) => Rate::show(*rate),
            Value::Bytes(bytes) => Bytes::show(*bytes),
            Value::BitRate(rate) => BitRate::show(*rate),
            Value::Ppm(ppm) => Ppm::show(*ppm),
            Value::Amount(amount) => Amount::show(*amount),
            Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
            Value::Choice(index) => match choices.get(usize::from(*index)) {
                Some(choice) => choice.word.to_owned(),
                None => format!("choice-{index}"),
            },
            Value::Words(words) => words.0.join(","),
            Value::Spans(spans) => {
                spans.0.iter().map(|span| show_span(*span)).collect::<Vec<_>>().join(",")
            }
            Value::Lines(lines) => lines.0.join("; "),
        }
    }

    /// The text on the page: number, a space that does not break, unit.
    pub fn label(&self, choices: &[Choice], lang: Lang) -> String {
        let unlimited = || match lang {
            Lang::En => "unlimited".to_owned(),
            Lang::Zh => "不限".to_owned(),
        };
        match self {
            Value::Span(span) => {
                let (number, unit) = span_parts(*span);
                let unit = if unit == "us" { "µs" } else { unit };
                format!("{}\u{a0}{unit}", grouped(&number))
            }
            Value::Rate(rate) => {
                let unit = match lang {
                    Lang::En => "msg/s",
                    Lang::Zh => "条/秒",
                };
                format!("{}\u{a0}{unit}", grouped(&rate.number()))
            }
            Value::Bytes(bytes) => {
                let (number, unit) = bytes.parts();
                format!("{}\u{a0}{unit}", grouped(&number.to_string()))
            }
            Value::BitRate(rate) => match rate.parts() {
                Some((number, unit)) => format!("{}\u{a0}{unit}", grouped(&number.to_string())),
                None => unlimited(),
            },
            Value::Ppm(ppm) => format!("{}\u{a0}%", grouped(&ppm.number())),
            Value::Amount(Amount::UNLIMITED) => unlimited(),
            Value::Amount(amount) => grouped(&amount.0.to_string()),
            Value::Bool(on) => match (on, lang) {
                (true, Lang::En) => "on".to_owned(),
                (false, Lang::En) => "off".to_owned(),
                (true, Lang::Zh) => "开".to_owned(),
                (false, Lang::Zh) => "关".to_owned(),
            },
            Value::Choice(index) => match choices.get(usize::from(*index)) {
                Some(choice) => choice.name.get(lang).to_owned(),
                None => String::new(),
            },
            Value::Words(words) => words.0.join(", "),
            Value::Spans(spans) => match lang {
                Lang::En => format!("times: {}", spans.0.len()),
                Lang::Zh => format!("时刻数：{}", spans.0.len()),
            },
            Value::Lines(lines) => lines.0.join("; "),
        }
    }
}

/// A number in plain decimals, its whole part in groups of three with thin spaces from 10 000 on.
pub fn grouped(number: &str) -> String {
    let (whole, fraction) = match number.find('.') {
        Some(point) => number.split_at(point),
        None => (number, ""),
    };
    if whole.len() < 5 {
        return number.to_owned();
    }
    let mut out = String::with_capacity(number.len() + whole.len());
    for (i, digit) in whole.chars().enumerate() {
        if i != 0 && (whole.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out + fraction
}

/// A type that a parameter can have.
pub trait Param: Clone + Sized {
    /// Its kind.
    const KIND: Kind;
    /// Its choices; empty unless it is one of a few words.
    const CHOICES: &'static [Choice] = &[];

    /// The dynamic form.
    fn value(&self) -> Value;

    /// From the dynamic form; `None` if the kind is another.
    fn from_value(value: &Value) -> Option<Self>;

    /// From text, without a range: the declaration of the parameter has that.
    fn parse(text: &str) -> Result<Self, Reason>;

    /// The canonical text, which parses to the same value.
    fn show(&self) -> String {
        self.value().show(Self::CHOICES)
    }

    /// The text on the page.
    fn label(&self, lang: Lang) -> String {
        self.value().label(Self::CHOICES, lang)
    }
}

/// Implements [`Param`] for a type that [`Value`] holds under the name of its kind.
macro_rules! param {
    ($ty:ty, $kind:ident, $parse:expr) => {
        impl Param for $ty {
            const KIND: Kind = Kind::$kind;

            fn value(&self) -> Value {
                Value::$kind(self.clone())
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$kind(inner) => Some(inner.clone()),
                    _ => None,
                }
            }

            fn parse(text: &str) -> Result<Self, Reason> {
                $parse(text)
            }
        }
    };
}

param!(SimSpan, Span, parse_span);
param!(Rate, Rate, Rate::parse);
param!(Bytes, Bytes, Bytes::parse);
param!(BitRate, BitRate, BitRate::parse);
param!(Ppm, Ppm, Ppm::parse);
param!(Amount, Amount, Amount::parse);
param!(bool, Bool, parse_bool);
param!(Words, Words, Words::parse);
param!(Spans, Spans, Spans::parse);
param!(Lines, Lines, Lines::parse);

/// Whether `text` is a short word: `[a-z][a-z0-9-]{0,31}`.
pub fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= 32
        && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text.bytes().all(plain)
}

/// What a short word is, for errors.
pub fn word_allowed() -> Said {
    Said::new(
        "a short word of a-z, 0-9 and -, starting with a letter, at most 32 long",
        "由 a-z、0-9 和 - 组成的短词，以字母开头，最长 32",
    )
}

impl Words {
    /// No words.
    pub const NONE: Words = Words(Vec::new());

    /// The words of a list.
    pub fn of(words: &[&str]) -> Words {
        Words(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// The words of `text`, separated by commas.
    pub fn parse(text: &str) -> Result<Words, Reason> {
        if text.trim().is_empty() {
            return Ok(Words::default());
        }
        let mut words: Vec<String> = Vec::new();
        for part in text.split(',') {
            let word = part.trim();
            if !is_word(word) {
                return Err(Reason::new(word, word_allowed()));
            }
            if words.iter().any(|earlier| earlier == word) {
                let allowed = Said::new("each word only once", "每个词只能出现一次");
                return Err(Reason::new(word, allowed));
            }
            words.push(word.to_owned());
        }
        Ok(Words(words))
    }
}

impl Spans {
    /// No instants.
    pub const NONE: Spans = Spans(Vec::new());

    /// Most entries of a list.
    pub const LIMIT: usize = 100_000;

    /// The spans of `text`, separated by commas.
    pub fn parse(text: &str) -> Result<Spans, Reason> {
        if text.trim().is_empty() {
            return Ok(Spans::default());
        }
        Spans::collect(text.split(',').map(parse_span))
    }

    /// The spans in the first column of a CSV file: with a unit, or bare numbers of seconds.
    ///
    /// Empty lines, lines that start with `#`, and a heading in the first line are passed over.
    pub fn from_csv(text: &str) -> Result<Spans, Reason> {
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let cells = lines.map(|line| {
            let cell = line.split([',', ';', '\t']).next().unwrap_or("");
            cell.trim().trim_matches('"').to_owned()
        });
        let heading =
            |cell: &str| cell.starts_with(|c: char| c.is_ascii_alphabetic() || !c.is_ascii());
        let numbers = cells.enumerate().filter(|(i, cell)| *i != 0 || !heading(cell));
        Spans::collect(numbers.map(|(_, cell)| {
            let bare = cell.ends_with(|c: char| c.is_ascii_digit());
            parse_span(&if bare { cell + "s" } else { cell })
        }))
    }

    fn collect(spans: impl Iterator<Item = Result<SimSpan, Reason>>) -> Result<Spans, Reason> {
        let mut list = Vec::new();
        for span in spans {
            if list.len() == Spans::LIMIT {
                let allowed = Said::new("at most 100000 entries", "最多 100000 项");
                return Err(Reason::new("…", allowed));
            }
            list.push(span?);
        }
        Ok(Spans(list))
    }
}

impl Lines {
    /// No lines.
    pub const NONE: Lines = Lines(Vec::new());

    /// Most lines.
    pub const LIMIT: usize = 1_000;
    /// Longest line, in bytes.
    const LONGEST: usize = 200;

    /// The lines of `text`: they end at a line break or a semicolon; `#` at the start of a word
    /// begins a comment.
    pub fn parse(text: &str) -> Result<Lines, Reason> {
        let mut lines = Vec::new();
        for line in text.split(['\n', ';']) {
            let words = line.split_whitespace();
            let line = words.take_while(|word| !word.starts_with('#'));
            let line = line.collect::<Vec<_>>().join(" ");
            if Lines::LONGEST < line.len() {
                let allowed = Said::new("lines of at most 200 bytes", "每行最多 200 字节");
                return Err(Reason::new(line, allowed));
            }
            if lines.len() == Lines::LIMIT {
                let allowed = Said::new("at most 1000 lines", "最多 1000 行");
                return Err(Reason::new(line, allowed));
            }
            if !line.is_empty() {
                lines.push(line);
            }
        }
        Ok(Lines(lines))
    }
}

/// `on` or `off`, also `true` and `false`.
fn parse_bool(text: &str) -> Result<bool, Reason> {
    match text.trim() {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        text => Err(Reason::new(text, Said::new("on or off", "on 或 off"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_have_units_and_a_space() {
        assert_eq!(Rate::per_s(36).label(Lang::En), "36\u{a0}msg/s");
        assert_eq!(Rate::per_s(36).label(Lang::Zh), "36\u{a0}条/秒");
        assert_eq!(SimSpan::us(40).label(Lang::En), "40\u{a0}µs");
        assert_eq!(SimSpan::ZERO.label(Lang::En), "0\u{a0}ms");
        assert_eq!(Amount(1_000_000).label(Lang::En), "1\u{202f}000\u{202f}000");
        assert_eq!(Amount::UNLIMITED.label(Lang::Zh), "不限");
        assert_eq!(Ppm(123_400).label(Lang::En), "12.34\u{a0}%");
    }

    #[test]
    fn a_recorded_load_comes_from_the_first_column() {
        let spans = Spans::from_csv("time,size\n# recorded\n0.5,100\n\n700ms,1\n\"2\",7\n");
        let expected = Spans(vec![SimSpan::ms(500), SimSpan::ms(700), SimSpan::s(2)]);
        assert_eq!(spans, Ok(expected));
        assert!(Spans::from_csv("1\nnonsense\n").is_err());
    }

    #[test]
    fn a_list_has_a_limit() {
        let at_the_limit = vec!["1"; Spans::LIMIT].join("ms,") + "ms";
        assert_eq!(Spans::parse(&at_the_limit).map(|spans| spans.0.len()), Ok(Spans::LIMIT));
        assert!(Spans::parse(&(at_the_limit + ",1ms")).is_err());
    }

    #[test]
    fn words_are_short_and_different() {
        assert_eq!(Words::parse("orders, mail"), Ok(Words::of(&["orders", "mail"])));
        assert_eq!(Words::parse(""), Ok(Words::default()));
        for bad in ["orders,orders", "Orders", "a b", "a,,b", "-a", &"a".repeat(33), "队列"] {
            assert!(Words::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn lists_and_switches_round_trip(
            words in proptest::collection::btree_set("[a-z][a-z0-9-]{0,31}", 0..6),
            spans in proptest::collection::btree_set(any::<u64>(), 0..6),
            on: bool,
        ) {
            let words = Words(words.into_iter().collect());
            prop_assert_eq!(Words::parse(&words.show()), Ok(words));
            let spans = Spans(spans.into_iter().map(SimSpan::ns).collect());
            prop_assert_eq!(Spans::parse(&spans.show()), Ok(spans));
            prop_assert_eq!(<bool as Param>::parse(&on.show()), Ok(on));
        }
    }
}
