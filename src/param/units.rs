//! The units people write: `250ms`, `90/s`, `64KiB`, `100Mbit/s`, `5%`, `unlimited`.
//!
//! Every type is a whole number inside. Its written form is canonical: printing and parsing again
//! gives the same number, whatever the language of the page.

use crate::kernel::SimSpan;
use crate::param::text::{Reason, Said, nearest};

/// A share in millionths: `1_000_000` is 100 %.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ppm(pub u32);

/// A rate in millionths per second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rate(pub u64);

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bytes(pub u64);

/// A speed of transmission in bits per second; zero means unlimited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BitRate(pub u64);

/// A plain count; [`Amount::UNLIMITED`] stands for no limit where the range allows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(pub u32);

impl Ppm {
    /// None at all.
    pub const ZERO: Ppm = Ppm(0);
    /// The whole.
    pub const ONE: Ppm = Ppm(1_000_000);

    /// `n` percent.
    pub const fn percent(n: u32) -> Ppm {
        Ppm(n * 10_000)
    }

    /// This share of `span`, rounded down.
    pub fn of(self, span: SimSpan) -> SimSpan {
        let ns = u128::from(span.as_ns()) * u128::from(self.0) / 1_000_000;
        SimSpan::ns(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

impl Rate {
    /// Never.
    pub const ZERO: Rate = Rate(0);

    /// `n` per second.
    pub const fn per_s(n: u64) -> Rate {
        Rate(n * 1_000_000)
    }

    /// `n` per minute, rounded to a millionth per second.
    pub const fn per_min(n: u64) -> Rate {
        Rate((n * 1_000_000 + 30) / 60)
    }

    /// Mean span between two events, to the nearest nanosecond; `None` for a rate of zero.
    pub fn interval(self) -> Option<SimSpan> {
        /// One second in nanoseconds, times the millionths in one.
        const NS: u64 = 1_000_000_000_000_000;
        if self.0 == 0 {
            return None;
        }
        Some(SimSpan::ns((NS + self.0 / 2) / self.0))
    }
}

impl Bytes {
    /// `n` times 1024 bytes.
    pub const fn kib(n: u64) -> Bytes {
        Bytes(n * 1024)
    }
}

impl BitRate {
    /// No limit: transmission takes no time.
    pub const UNLIMITED: BitRate = BitRate(0);

    /// `n` million bits per second.
    pub const fn mbit(n: u64) -> BitRate {
        BitRate(n * 1_000_000)
    }

    /// Time to transmit `bytes`, rounded up to a nanosecond; zero when unlimited.
    pub fn time_for(self, bytes: u64) -> SimSpan {
        if self.0 == 0 {
            return SimSpan::ZERO;
        }
        let ns = (u128::from(bytes) * 8 * 1_000_000_000).div_ceil(u128::from(self.0));
        SimSpan::ns(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

impl Amount {
    /// No limit.
    pub const UNLIMITED: Amount = Amount(u32::MAX);
}

/// A number as written: `digits / 10^places`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u128,
    places: u32,
}

/// How a unit type reads and writes: its units with their worth in the type's own whole numbers.
struct Units {
    /// All units that are understood; the first is the one that a hint proposes.
    known: &'static [(&'static str, u64)],
    /// Refuse numbers that do not come out whole instead of rounding them.
    whole: bool,
    /// What is allowed, for the error.
    allowed: (&'static str, &'static str),
}

const SPAN: Units = Units {
    known: &[
        ("ms", 1_000_000),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ns", 1),
        ("s", 1_000_000_000),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ],
    whole: true,
    allowed: (
        "a time with its unit, such as 250ms, 1.5s, 40us or 2min",
        "带单位的时间，如 250ms、1.5s、40us 或 2min",
    ),
};

const RATE: Units = Units {
    known: &[("/s", 1_000_000), ("k/s", 1_000_000_000), ("M/s", 1_000_000_000_000)],
    whole: false,
    allowed: (
        "a rate with its unit, such as 90/s, 0.1/s, 1k/s or 30/min",
        "带单位的速率，如 90/s、0.1/s、1k/s 或 30/min",
    ),
};

const BYTES: Units = Units {
    known: &[
        ("B", 1),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ],
    whole: true,
    allowed: (
        "a size with its unit, such as 1500B, 64KiB or 2MB",
        "带单位的大小，如 1500B、64KiB 或 2MB",
    ),
};

const BIT_RATE: Units = Units {
    known: &[("Mbit/s", 1_000_000), ("kbit/s", 1_000), ("Gbit/s", 1_000_000_000), ("bit/s", 1)],
    whole: true,
    allowed: (
        "a bit rate with its unit, such as 100Mbit/s, or unlimited",
        "带单位的比特率，如 100Mbit/s,或 unlimited",
    ),
};

const PPM: Units = Units {
    known: &[("%", 10_000), ("pct", 10_000), ("ppm", 1)],
    whole: true,
    allowed: (
        "a share with its unit, such as 5%, 0.1% or 250ppm",
        "带单位的比例，如 5%、0.1% 或 250ppm",
    ),
};

impl Units {
    /// The whole number that `text` stands for.
    fn parse(&self, text: &str) -> Result<u64, Reason> {
        let refuse = || Reason::new(text, Said::new(self.allowed.0, self.allowed.1));
        let (number, unit) = split(text).ok_or_else(refuse)?;
        if unit.is_empty() {
            // Zero is the same in every unit.
            if number.digits == 0 {
                return Ok(0);
            }
            let with_unit = format!("{}{}", text.trim(), self.known[0].0);
            return Err(refuse().meant(Some(&with_unit)));
        }
        let Some((_, worth)) = self.known.iter().find(|(name, _)| *name == unit) else {
            let names = || self.known.iter().map(|(name, _)| *name);
            // `MS` is ms, `sec` is s, `msec` is ms; then slips of the fingers.
            let meant = names().find(|name| name.eq_ignore_ascii_case(unit));
            let started = || names().filter(|name| unit.starts_with(name)).max_by_key(|n| n.len());
            let near = meant.or_else(started).or_else(|| nearest(unit, names()));
            let amount = text.trim().trim_end_matches(unit).trim_end();
            return Err(refuse().meant(near.map(|near| format!("{amount}{near}")).as_deref()));
        };
        number.times(*worth, self.whole).ok_or_else(refuse)
    }
}

impl Decimal {
    /// `self * worth` as a whole number: `None` when it is too large, or when it must be whole and
    /// is not; otherwise rounded to the nearest.
    fn times(self, worth: u64, whole: bool) -> Option<u64> {
        let product = self.digits.checked_mul(u128::from(worth))?;
        let scale = 10_u128.pow(self.places);
        if whole && product % scale != 0 {
            return None;
        }
        u64::try_from((product + scale / 2) / scale).ok()
    }
}

/// `text` as a number and the unit behind it.
fn split(text: &str) -> Option<(Decimal, &str)> {
    /// More digits than this mean nothing in any unit.
    const LONGEST: usize = 20;
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = match (number.ends_with('.'), fraction) {
        (true, _) => return None,
        (false, fraction) => fraction.trim_end_matches('0'),
    };
    let fits = !whole.is_empty() && whole.len() <= LONGEST && fraction.len() <= 15;
    if !fits {
        return None;
    }
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((Decimal { digits, places: fraction.len() as u32 }, unit.trim_start()))
}

/// `number / worth` in plain decimals, without trailing zeros; `worth` is a power of ten.
fn decimals(number: u64, worth: u64) -> String {
    let fraction = number % worth;
    if fraction == 0 {
        return (number / worth).to_string();
    }
    let places = worth.ilog10() as usize;
    let written = format!("{}.{fraction:0places$}", number / worth);
    written.trim_end_matches('0').to_owned()
}

/// The first of `units` that divides `number`, with the whole number of them; the last must be 1.
fn divided(number: u64, units: &[(&'static str, u64)]) -> (u64, &'static str) {
    let fits = units.iter().find(|(_, worth)| *worth <= number && number.is_multiple_of(*worth));
    match fits {
        Some((name, worth)) => (number / worth, name),
        None => (number, units.last().map_or("", |(name, _)| name)),
    }
}

/// Parses a span: `250ms`, `1.5s`, `40us`, `2min`, `0`.
pub fn parse_span(text: &str) -> Result<SimSpan, Reason> {
    SPAN.parse(text).map(SimSpan::ns)
}

/// The number and unit of a span, without a space between: the largest unit that it reaches.
pub fn span_parts(span: SimSpan) -> (String, &'static str) {
    /// Spans from here on are written in minutes, hours or days if they come out whole.
    const LONG: &[(&str, u64)] =
        &[("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000)];
    const SHORT: &[(&str, u64)] =
        &[("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    let ns = span.as_ns();
    if ns == 0 {
        return ("0".to_owned(), "ms");
    }
    let long = LONG.iter().find(|(_, worth)| *worth <= ns && ns.is_multiple_of(*worth));
    if let Some((name, worth)) = long {
        return ((ns / worth).to_string(), name);
    }
    let (name, worth) = SHORT.iter().find(|(_, worth)| *worth <= ns).unwrap_or(&SHORT[3]);
    (decimals(ns, *worth), name)
}

/// The canonical form of a span; zero is `0`.
pub fn show_span(span: SimSpan) -> String {
    let (number, unit) = span_parts(span);
    if span.is_zero() { number } else { number + unit }
}

impl Rate {
    /// Parses `90/s`, `0.1/s`, `1k/s`, `30/min`, `2/h`; rounds to a millionth per second.
    pub fn parse(text: &str) -> Result<Rate, Reason> {
        let per = |unit: &str, seconds: u64| {
            let number = text.trim().strip_suffix(unit)?;
            let (number, rest) = split(number)?;
            let thousands = match rest {
                "" => 1,
                "k" => 1_000,
                _ => return None,
            };
            let millionths = number.times(thousands * 1_000_000, false)?;
            Some(Rate((millionths + seconds / 2) / seconds))
        };
        if let Some(rate) = per("/min", 60).or_else(|| per("/h", 3_600)) {
            return Ok(rate);
        }
        RATE.parse(text).map(Rate)
    }

    /// The canonical form, always per second.
    pub fn show(self) -> String {
        const K: u64 = 1_000_000_000;
        match self.0 {
            millionths if K <= millionths && millionths % K == 0 => {
                format!("{}k/s", millionths / K)
            }
            millionths => format!("{}/s", decimals(millionths, 1_000_000)),
        }
    }

    /// Number per second in plain decimals.
    pub fn number(self) -> String {
        decimals(self.0, 1_000_000)
    }
}

impl Bytes {
    /// Parses `64KiB`, `1500B`, `2MB`.
    pub fn parse(text: &str) -> Result<Bytes, Reason> {
        BYTES.parse(text).map(Bytes)
    }

    /// Number and unit: the largest unit that comes out whole.
    pub fn parts(self) -> (u64, &'static str) {
        const UNITS: &[(&str, u64)] = &[
            ("GiB", 1 << 30),
            ("GB", 1_000_000_000),
            ("MiB", 1 << 20),
            ("MB", 1_000_000),
            ("KiB", 1 << 10),
            ("kB", 1_000),
            ("B", 1),
        ];
        divided(self.0, UNITS)
    }

    /// The canonical form.
    pub fn show(self) -> String {
        let (number, unit) = self.parts();
        format!("{number}{unit}")
    }
}

impl BitRate {
    /// Parses `100Mbit/s` and `unlimited`.
    pub fn parse(text: &str) -> Result<BitRate, Reason> {
        match text.trim() {
            "unlimited" => Ok(BitRate::UNLIMITED),
            text => match BIT_RATE.parse(text)? {
                // A rate of zero would carry nothing; unlimited has its own word.
                0 => {
                    let allowed = Said::new(BIT_RATE.allowed.0, BIT_RATE.allowed.1);
                    Err(Reason::new(text, allowed).meant(Some("unlimited")))
                }
                bits => Ok(BitRate(bits)),
            },
        }
    }

    /// Number and unit, `None` when unlimited.
    pub fn parts(self) -> Option<(u64, &'static str)> {
        const UNITS: &[(&str, u64)] =
            &[("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000), ("bit/s", 1)];
        (self != BitRate::UNLIMITED).then(|| divided(self.0, UNITS))
    }

    /// The canonical form.
    pub fn show(self) -> String {
        match self.parts() {
            Some((number, unit)) => format!("{number}{unit}"),
            None => "unlimited".to_owned(),
        }
    }
}

impl Ppm {
    /// Parses `5%`, `0.1%`, `250ppm`; a bare number other than 0 is refused.
    pub fn parse(text: &str) -> Result<Ppm, Reason> {
        let allowed = || Said::new(PPM.allowed.0, PPM.allowed.1);
        // `0.05` is more likely 5 % than 0.05 %: propose that.
        if let Some((number, "")) = split(text)
            && number.digits != 0
        {
            let below_one = number.digits < 10_u128.pow(number.places);
            let meant = match number.times(1_000_000, true) {
                Some(ppm) if below_one => Some(format!("{}%", decimals(ppm, 10_000))),
                _ => Some(format!("{}%", text.trim())),
            };
            return Err(Reason::new(text, allowed()).meant(meant.as_deref()));
        }
        let ppm = PPM.parse(text)?;
        u32::try_from(ppm).map(Ppm).map_err(|_| Reason::new(text, allowed()))
    }

    /// Percent in plain decimals.
    pub fn number(self) -> String {
        decimals(u64::from(self.0), 10_000)
    }

    /// The canonical form.
    pub fn show(self) -> String {
        self.number() + "%"
    }
}

impl Amount {
    /// Parses a whole number, `10k`, and `unlimited`.
    pub fn parse(text: &str) -> Result<Amount, Reason> {
        let refuse = || {
            let allowed = "a whole number, or unlimited where that makes sense";
            Reason::new(text, Said::new(allowed, "整数；有意义时也可写 unlimited"))
        };
        let text = text.trim();
        if text == "unlimited" {
            return Ok(Amount::UNLIMITED);
        }
        let (number, unit) = split(text).ok_or_else(refuse)?;
        let worth = match unit {
            "" => 1,
            "k" => 1_000,
            "M" => 1_000_000,
            _ => return Err(refuse()),
        };
        let count = number.times(worth, true).ok_or_else(refuse)?;
        match u32::try_from(count) {
            Ok(count) if count < u32::MAX => Ok(Amount(count)),
            _ => Err(refuse()),
        }
    }

    /// The canonical form.
    pub fn show(self) -> String {
        match self {
            Amount::UNLIMITED => "unlimited".to_owned(),
            Amount(count) => count.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn people_write_units_and_get_whole_numbers() {
        assert_eq!(parse_span("250ms"), Ok(SimSpan::ms(250)));
        assert_eq!(parse_span("1.5 s"), Ok(SimSpan::ms(1_500)));
        assert_eq!(parse_span("40us"), Ok(SimSpan::us(40)));
        assert_eq!(parse_span("2min"), Ok(SimSpan::s(120)));
        assert_eq!(parse_span("0"), Ok(SimSpan::ZERO));
        assert_eq!(Rate::parse("1k/s"), Ok(Rate::per_s(1_000)));
        assert_eq!(Rate::parse("0.1/s"), Ok(Rate(100_000)));
        assert_eq!(Rate::parse("30/min"), Ok(Rate(500_000)));
        assert_eq!(Bytes::parse("64KiB"), Ok(Bytes(65_536)));
        assert_eq!(Bytes::parse("2MB"), Ok(Bytes(2_000_000)));
        assert_eq!(BitRate::parse("100Mbit/s"), Ok(BitRate(100_000_000)));
        assert_eq!(BitRate::parse("unlimited"), Ok(BitRate::UNLIMITED));
        assert_eq!(Ppm::parse("0.1%"), Ok(Ppm(1_000)));
        assert_eq!(Ppm::parse("250ppm"), Ok(Ppm(250)));
        assert_eq!(Ppm::parse("5pct"), Ok(Ppm::percent(5)));
        assert_eq!(Amount::parse("10k"), Ok(Amount(10_000)));
    }

    #[test]
    fn a_missing_or_misspelt_unit_is_refused_with_a_proposal() {
        let hint = |reason: Reason| reason.hint.expect("a proposal");
        assert_eq!(hint(parse_span("40").expect_err("refused")), "40ms");
        assert_eq!(hint(parse_span("40 MS").expect_err("refused")), "40ms");
        assert_eq!(hint(parse_span("40sec").expect_err("refused")), "40s");
        assert_eq!(hint(Rate::parse("90").expect_err("refused")), "90/s");
        assert_eq!(hint(Ppm::parse("0.05").expect_err("refused")), "5%");
        assert_eq!(hint(Ppm::parse("1").expect_err("refused")), "1%");
        assert_eq!(hint(Bytes::parse("64kib").expect_err("refused")), "64KiB");
        assert_eq!(hint(BitRate::parse("0").expect_err("refused")), "unlimited");
    }

    #[test]
    fn nonsense_is_refused() {
        let long = "9".repeat(400);
        let bad =
            ["", "ms", "-1ms", "1e3ms", "1.ms", ".5s", "1.2.3s", "NaN", "١s", "1\u{0}s", &long];
        for text in bad {
            assert!(parse_span(text).is_err(), "{text:?}");
            assert!(Rate::parse(text).is_err(), "{text:?}");
            assert!(Bytes::parse(text).is_err(), "{text:?}");
            assert!(BitRate::parse(text).is_err(), "{text:?}");
            assert!(Ppm::parse(text).is_err(), "{text:?}");
            assert!(Amount::parse(text).is_err(), "{text:?}");
        }
        assert!(parse_span("0.5ns").is_err());
        assert!(parse_span("99999999999999999999s").is_err());
        assert!(Amount::parse("4294967295").is_err());
        assert!(Amount::parse("1.5").is_err());
    }

    #[test]
    fn spans_are_written_in_the_unit_a_person_would_take() {
        let shown = |ns| show_span(SimSpan::ns(ns));
        assert_eq!(shown(0), "0");
        assert_eq!(shown(40_000_000), "40ms");
        assert_eq!(shown(1_500_000_000), "1.5s");
        assert_eq!(shown(90_000_000_000), "90s");
        assert_eq!(shown(120_000_000_000), "2min");
        assert_eq!(shown(1_000_001), "1.000001ms");
        assert_eq!(shown(u64::MAX), "18446744073.709551615s");
    }

    #[test]
    fn transmission_time_rounds_up() {
        assert_eq!(BitRate::mbit(100).time_for(1_500), SimSpan::us(120));
        assert_eq!(BitRate(3).time_for(1), SimSpan::ns(2_666_666_667));
        assert_eq!(BitRate::UNLIMITED.time_for(u64::MAX), SimSpan::ZERO);
    }

    #[test]
    fn a_rate_has_an_interval_unless_it_is_zero() {
        assert_eq!(Rate::per_s(30).interval(), Some(SimSpan::ns(33_333_333)));
        assert_eq!(Rate::ZERO.interval(), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(n: u64, small: u32, shift in 0_u32..64) {
            for n in [n, n >> shift, (n >> shift) / 1_000_000 * 1_000_000] {
                prop_assert_eq!(parse_span(&show_span(SimSpan::ns(n))), Ok(SimSpan::ns(n)));
                prop_assert_eq!(Rate::parse(&Rate(n).show()), Ok(Rate(n)));
                prop_assert_eq!(Bytes::parse(&Bytes(n).show()), Ok(Bytes(n)));
                prop_assert_eq!(BitRate::parse(&BitRate(n).show()), Ok(BitRate(n)));
            }
            prop_assert_eq!(Ppm::parse(&Ppm(small).show()), Ok(Ppm(small)));
            prop_assert_eq!(Amount::parse(&Amount(small).show()), Ok(Amount(small)));
        }

        #[test]
        fn no_text_makes_a_parser_panic(
            text in "\\PC{0,40}",
            units in "[0-9.]{0,25}[a-zA-Z/%µ ]{0,7}",
        ) {
            for text in [text, units] {
                let _ = (parse_span(&text), Rate::parse(&text), Bytes::parse(&text));
                let _ = (BitRate::parse(&text), Ppm::parse(&text), Amount::parse(&text));
            }
        }
    }
}
