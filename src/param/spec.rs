//! The declaration of one parameter, and everything that follows from it: parsing with the range,
//! the text on the page, the positions of a slider.

use crate::param::text::{Lang, Reason, Said, Text, nearest};
use crate::param::units::{Amount, BitRate, Bytes, Ppm, Rate, parse_span, show_span};
use crate::param::value::{Kind, Lines, Param, Spans, Value, Words, word_allowed};

/// One of the words that a parameter may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// As documents and links write it.
    pub word: &'static str,
    /// As the page shows it.
    pub name: Text,
}

/// When a changed parameter takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applies {
    /// At once, while the run goes on.
    Live,
    /// When the run starts anew.
    Restart,
}

/// How a slider spreads the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Equal distances for equal differences.
    Linear,
    /// Equal distances for equal ratios.
    Log,
}

/// Whether a text is one of a small language.
pub type Grammar = fn(&str) -> Result<(), Reason>;

/// The declaration of one parameter; written by [`params!`](crate::params), never by hand.
#[derive(Clone, Copy)]
pub struct Spec {
    /// In documents, links and `--set`.
    pub key: &'static str,
    /// Beside the slider.
    pub name: Text,
    /// One sentence.
    pub help: Text,
    /// What the value is.
    pub kind: Kind,
    /// The words to choose from; empty for other kinds.
    pub choices: &'static [Choice],
    /// How a slider spreads the values.
    pub scale: Scale,
    /// Where the parameter and its default come from.
    pub source: &'static str,
    /// When a change takes effect.
    pub applies: Applies,
    /// Makes the default; call [`Spec::default`].
    pub default_of: fn() -> Value,
    /// Makes least and greatest value; call [`Spec::min`] and [`Spec::max`].
    pub range_of: fn() -> Option<(Value, Value)>,
    /// Makes the slider's own ends where they are narrower; call [`Spec::slider`].
    pub slider_of: fn() -> Option<(Value, Value)>,
    /// Makes the linear slider's step.
    pub step_of: fn() -> Option<Value>,
    /// Most entries of a list of words or times.
    pub entries: u32,
    /// Whether a list of times is one of instants: in ascending order.
    pub in_order: bool,
    /// Checks the text of [`Kind::Lines`].
    pub grammar: Option<Grammar>,
}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spec").field("key", &self.key).field("kind", &self.kind).finish()
    }
}

impl PartialEq for Spec {
    fn eq(&self, other: &Spec) -> bool {
        self.key == other.key
            && self.kind == other.kind
            && self.name == other.name
            && self.source == other.source
            && self.default() == other.default()
    }
}

impl Spec {
    /// Rightmost position of a slider; the leftmost is 0.
    pub const LAST: u32 = 1000;

    /// The value when nobody says anything.
    pub fn default(&self) -> Value {
        (self.default_of)()
    }

    /// Least value; for lists and names the default.
    pub fn min(&self) -> Value {
        self.range().0
    }

    /// Greatest value; for lists and names the default.
    pub fn max(&self) -> Value {
        self.range().1
    }

    /// Whether a slider makes sense: there is a range of numbers.
    pub fn has_slider(&self) -> bool {
        (self.range_of)().is_some()
    }

    /// The ends of the slider: the range unless narrower ones were declared.
    pub fn slider(&self) -> (Value, Value) {
        (self.slider_of)().unwrap_or_else(|| self.range())
    }

    /// The step of a linear slider.
    pub fn step(&self) -> Option<Value> {
        (self.step_of)()
    }

    /// What is allowed, as the rest of the sentence "allowed: ...".
    pub fn allowed(&self) -> Said {
        match self.kind {
            Kind::Bool => Said::new("on or off", "on 或 off"),
            Kind::Choice => {
                let words: Vec<&str> = self.choices.iter().map(|choice| choice.word).collect();
                Said::new(words.join(", "), words.join("、"))
            }
            Kind::Words if self.entries == 1 => word_allowed(),
            Kind::Words => Said::new(
                format!("at most {} short words separated by commas", self.entries),
                format!("最多 {} 个以逗号分隔的短词", self.entries),
            ),
            Kind::Spans => Said::new(
                format!("at most {} times separated by commas: 10ms,25ms", self.entries),
                format!("最多 {} 个以逗号分隔的时间：10ms,25ms", self.entries),
            ),
            Kind::Lines => Said::new("steps, one a line", "每行一步"),
            _ => {
                let (min, max) = (self.show(&self.min()), self.show(&self.max()));
                Said::new(format!("{min} to {max}"), format!("{min} 至 {max}"))
            }
        }
    }

    /// Whether the value has the right kind and lies in the range.
    pub fn check(&self, value: &Value) -> Result<(), Reason> {
        let refuse = || Err(Reason::new(value.show(self.choices), self.allowed()));
        if value.kind() != self.kind {
            return refuse();
        }
        if self.kind == Kind::Choice && self.choices.len() as u64 <= value.ordinal() {
            return refuse();
        }
        let is_list = matches!(self.kind, Kind::Words | Kind::Spans);
        if is_list && u64::from(self.entries) < value.ordinal() {
            return refuse();
        }
        if let Value::Spans(Spans(list)) = value
            && let Some(pair) = list.windows(2).find(|pair| pair[1] < pair[0])
            && self.in_order
        {
            let allowed = Said::new("times in ascending order", "按先后排列的时间");
            return Err(Reason::new(show_span(pair[1]), allowed));
        }
        if let (Value::Lines(Lines(lines)), Some(grammar)) = (value, self.grammar) {
            grammar(&lines.join("\n"))?;
        }
        if self.has_slider() {
            let (min, max) = self.range();
            let ordinal = value.ordinal();
            if ordinal < min.ordinal() || max.ordinal() < ordinal {
                return refuse();
            }
        }
        Ok(())
    }

    /// The value that `text` stands for, checked against the range.
    pub fn parse(&self, text: &str) -> Result<Value, Reason> {
        let value = match self.kind {
            Kind::Span => parse_span(text).map(Value::Span),
            Kind::Rate => Rate::parse(text).map(Value::Rate),
            Kind::Bytes => Bytes::parse(text).map(Value::Bytes),
            Kind::BitRate => BitRate::parse(text).map(Value::BitRate),
            Kind::Ppm => Ppm::parse(text).map(Value::Ppm),
            Kind::Amount => Amount::parse(text).map(Value::Amount),
            Kind::Bool => <bool as Param>::parse(text).map(Value::Bool),
            Kind::Choice => parse_choice(text, self.choices).map(Value::Choice),
            Kind::Words => Words::parse(text).map(Value::Words),
            Kind::Spans => Spans::parse(text).map(Value::Spans),
            Kind::Lines => {
                // As it was written, so that an error can name the line.
                self.grammar.map_or(Ok(()), |grammar| grammar(text))?;
                Lines::parse(text).map(Value::Lines)
            }
        }?;
        self.check(&value).map_err(|reason| Reason::new(text, reason.allowed))?;
        Ok(value)
    }

    /// The canonical text of a value.
    pub fn show(&self, value: &Value) -> String {
        value.show(self.choices)
    }

    /// The text of a value on the page.
    pub fn label(&self, value: &Value, lang: Lang) -> String {
        value.label(self.choices, lang)
    }

    /// Where the slider stands for `value`: 0 to [`Spec::LAST`], nearest end when outside.
    pub fn to_position(&self, value: &Value) -> u32 {
        let axis = self.axis();
        let at = value.ordinal();
        if at <= axis.first {
            return 0;
        }
        if axis.last <= at {
            return Spec::LAST;
        }
        let share = match self.scale {
            Scale::Linear => {
                let (part, whole) = (at - axis.first, axis.last - axis.first);
                part as f64 / whole as f64
            }
            Scale::Log => {
                let inner = axis.inner_share(at);
                // The first position belongs to zero, the last to unlimited.
                axis.inner_from() + inner * (axis.inner_to() - axis.inner_from())
            }
        };
        libm::round(share * f64::from(Spec::LAST)) as u32
    }

    /// The value at a slider's position, snapped to a nice one.
    pub fn at_position(&self, position: u32) -> Value {
        let axis = self.axis();
        let position = position.min(Spec::LAST);
        if position == 0 {
            return self.value_at(axis.first);
        }
        if position == Spec::LAST {
            return self.value_at(axis.last);
        }
        let share = f64::from(position) / f64::from(Spec::LAST);
        let at = match self.scale {
            Scale::Linear => {
                let whole = axis.last - axis.first;
                let part = u128::from(whole) * u128::from(position) / u128::from(Spec::LAST);
                let step = self.step().map_or(1, |step| step.ordinal()).max(1);
                let steps = (part as u64 + step / 2) / step;
                axis.first.saturating_add(steps.saturating_mul(step))
            }
            Scale::Log => {
                let inner = (share - axis.inner_from()) / (axis.inner_to() - axis.inner_from());
                two_digits(axis.at_inner_share(inner.clamp(0.0, 1.0)))
            }
        };
        self.value_at(at.clamp(axis.first, axis.last))
    }

    /// The value some steps up or down, as an arrow key moves it: by the step of a linear slider,
    /// by one in the second digit of a logarithmic one.
    pub fn nudge(&self, value: &Value, steps: i32) -> Value {
        let axis = self.axis();
        let mut at = value.ordinal().clamp(axis.first, axis.last);
        for _ in 0..steps.unsigned_abs().min(Spec::LAST) {
            at = if 0 < steps { self.above(at, &axis) } else { self.below(at, &axis) };
        }
        self.value_at(at)
    }

    /// The next nice place above.
    fn above(&self, at: u64, axis: &Axis) -> u64 {
        if axis.last <= at {
            return axis.last;
        }
        if self.scale == Scale::Linear {
            let step = self.linear_step();
            return at.saturating_add(step).min(axis.last);
        }
        if at < axis.least {
            return axis.least;
        }
        if axis.greatest <= at {
            return axis.last;
        }
        let unit = second_digit(at);
        ((at / unit + 1) * unit).clamp(axis.least, axis.greatest)
    }

    /// The next nice place below.
    fn below(&self, at: u64, axis: &Axis) -> u64 {
        if at <= axis.first {
            return axis.first;
        }
        if self.scale == Scale::Linear {
            return at.saturating_sub(self.linear_step()).max(axis.first);
        }
        if axis.greatest < at {
            return axis.greatest;
        }
        if at <= axis.least {
            return axis.first;
        }
        let unit = second_digit(at - 1);
        ((at - 1) / unit * unit).clamp(axis.least, axis.greatest)
    }

    fn linear_step(&self) -> u64 {
        self.step().map_or(1, |step| step.ordinal()).max(1)
    }

    fn range(&self) -> (Value, Value) {
        match (self.range_of)() {
            // Written from zero, a bit rate may also be unlimited, which is above all others.
            Some((Value::BitRate(BitRate::UNLIMITED), _)) => {
                let least = Value::BitRate(BitRate(1_000));
                return (least, Value::BitRate(BitRate::UNLIMITED));
            }
            Some(range) => return range,
            None => {}
        }
        match self.kind {
            Kind::Bool => (Value::Bool(false), Value::Bool(true)),
            Kind::Choice => {
                let last = self.choices.len().saturating_sub(1) as u8;
                (Value::Choice(0), Value::Choice(last))
            }
            _ => (self.default(), self.default()),
        }
    }

    fn value_at(&self, ordinal: u64) -> Value {
        Value::at(self.kind, ordinal).unwrap_or_else(|| self.default())
    }

    fn axis(&self) -> Axis {
        let (min, max) = self.slider();
        let (first, last) = (min.ordinal(), max.ordinal());
        // Zero and unlimited have no logarithm: between them lies what is worth sliding over.
        let (smallest, largest) = match self.kind {
            Kind::Span => (1_000, u64::MAX - 1),
            Kind::Rate => (100_000, u64::MAX - 1),
            Kind::BitRate => (1_000, 100_000_000_000),
            Kind::Ppm => (10, u64::MAX - 1),
            _ => (1, 1_000_000),
        };
        let least = if first == 0 { smallest.min(last) } else { first };
        let greatest = if last == u64::MAX { largest.max(least) } else { last };
        Axis { first, least, greatest, last }
    }
}

/// A slider's axis: the ends, and inside them the part that a logarithm can spread.
struct Axis {
    first: u64,
    least: u64,
    greatest: u64,
    last: u64,
}

impl Axis {
    /// Share of the slider where the inner part starts.
    fn inner_from(&self) -> f64 {
        if self.first < self.least { 1.0 / f64::from(Spec::LAST) } else { 0.0 }
    }

    /// Share of the slider where the inner part ends.
    fn inner_to(&self) -> f64 {
        let last = f64::from(Spec::LAST);
        if self.greatest < self.last { (last - 1.0) / last } else { 1.0 }
    }

    fn inner_share(&self, at: u64) -> f64 {
        let at = at.clamp(self.least, self.greatest);
        if self.greatest == self.least {
            return 0.0;
        }
        let log = |n: u64| libm::log(n as f64);
        (log(at) - log(self.least)) / (log(self.greatest) - log(self.least))
    }

    fn at_inner_share(&self, share: f64) -> u64 {
        let log = |n: u64| libm::log(n as f64);
        let at = log(self.least) + share * (log(self.greatest) - log(self.least));
        (libm::round(libm::exp(at)) as u64).clamp(self.least, self.greatest)
    }
}

/// The worth of a number's second digit; 1 below ten.
fn second_digit(number: u64) -> u64 {
    match number.checked_ilog10() {
        Some(digits) if 1 <= digits => 10_u64.pow(digits - 1),
        _ => 1,
    }
}

/// `number` rounded to two digits.
fn two_digits(number: u64) -> u64 {
    let unit = second_digit(number);
    (number.saturating_add(unit / 2)) / unit * unit
}

/// The index of the choice that `text` names.
pub fn parse_choice(text: &str, choices: &[Choice]) -> Result<u8, Reason> {
    let text = text.trim();
    let words = choices.iter().map(|choice| choice.word);
    match words.clone().position(|word| word == text) {
        Some(index) => Ok(index as u8),
        None => {
            let all: Vec<&str> = words.clone().collect();
            let allowed = Said::new(all.join(", "), all.join("、"));
            Err(Reason::new(text, allowed).meant(nearest(text, words)))
        }
    }
}
