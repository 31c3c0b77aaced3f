//! How numbers, times and ids are written, everywhere: page, command line, pictures.
//!
//! Figures come in groups of three, units after a space, with fixed decimals within a unit so
//! that a running number does not jump. Nothing here rounds up to a unit that is not reached:
//! 999.96 ms is "999.9 ms". CSV files carry plain numbers and do not come through here.

use crate::kernel::{SimSpan, SimTime};

/// Stands between groups of three figures: narrow, and never at the end of a line.
pub const GROUP: char = '\u{202f}';

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
const MIN: u64 = 60 * S;
const HOUR: u64 = 60 * MIN;

/// A count in groups of three: "12 400".
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (i, digit) in digits.chars().enumerate() {
        if i != 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(GROUP);
        }
        out.push(digit);
    }
    out
}

/// A span with fixed decimals: "850 ns", "412.5 µs", "14.7 ms", "2.952 s", "4 min 05.2 s".
pub fn span(span: SimSpan) -> String {
    let ns = span.as_ns();
    match ns {
        0..US => format!("{ns} ns"),
        US..MS => format!("{}.{} µs", ns / US, ns % US / 100),
        MS..S => format!("{}.{} ms", ns / MS, ns % MS / (100 * US)),
        S..MIN => format!("{}.{:03} s", ns / S, ns % S / MS),
        MIN..HOUR => {
            format!("{} min {:02}.{} s", ns / MIN, ns % MIN / S, ns % S / (100 * MS))
        }
        _ => format!("{} h {:02} min", count(ns / HOUR), ns % HOUR / MIN),
    }
}

/// A span in the unit that [`span`] gives `like`, without naming it: parts beside their sum.
pub fn span_like(part: SimSpan, like: SimSpan) -> String {
    let ns = part.as_ns();
    match like.as_ns() {
        0..US => ns.to_string(),
        US..MS => format!("{}.{}", ns / US, ns % US / 100),
        MS..S => format!("{}.{}", ns / MS, ns % MS / (100 * US)),
        S..MIN => format!("{}.{:02}", ns / S, ns % S / (10 * MS)),
        _ => span(part),
    }
}

/// A span without trailing zeros, for settings and axes: "40 ms", "1.5 s", "2 min".
pub fn short_span(span: SimSpan) -> String {
    let ns = span.as_ns();
    let (unit, name) = match ns {
        0 => return "0 s".to_string(),
        1..US => (1, "ns"),
        US..MS => (US, "µs"),
        MS..S => (MS, "ms"),
        S..MIN => (S, "s"),
        MIN..HOUR if ns.is_multiple_of(MIN) => (MIN, "min"),
        HOUR.. if ns.is_multiple_of(HOUR) => (HOUR, "h"),
        HOUR.. if ns.is_multiple_of(MIN) => (MIN, "min"),
        _ => (S, "s"),
    };
    format!("{} {name}", trimmed(ns, unit, 3))
}

/// The clock of the transport bar, to the microsecond: "8.048 000 s".
pub fn clock(time: SimTime) -> String {
    let ns = time.ns();
    format!("{}.{:03}{GROUP}{:03} s", count(ns / S), ns % S / MS, ns % MS / US)
}

/// An instant to the millisecond: "8.000 s".
pub fn instant(time: SimTime) -> String {
    let ns = time.ns();
    format!("{}.{:03} s", count(ns / S), ns % S / MS)
}

/// A share in millionths: "5 %", "0.1 %", "0.025 %".
pub fn percent(ppm: u64) -> String {
    format!("{} %", trimmed(ppm, 10_000, 4))
}

/// A number of events per second, given in millionths: "36 /s", "0.5 /s", "12 400 /s".
pub fn per_second(millionths: u64) -> String {
    let decimals = match millionths {
        0..1_000_000 => 3,
        1_000_000..10_000_000 => 1,
        _ => 0,
    };
    format!("{} /s", trimmed(millionths, 1_000_000, decimals))
}

/// Bytes in the unit in which they are short: "1 500 B", "64 KiB", "2 MiB".
pub fn bytes(n: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match n {
        MIB.. if n.is_multiple_of(MIB) => format!("{} MiB", count(n / MIB)),
        KIB.. if n.is_multiple_of(KIB) => format!("{} KiB", count(n / KIB)),
        _ => format!("{} B", count(n)),
    }
}

/// The speed of the page, simulated seconds per second as a fraction: "1/50 ×", "2 ×".
pub fn speed(simulated: u64, real: u64) -> String {
    if real <= simulated {
        format!("{} ×", count(simulated / real.max(1)))
    } else if simulated == 1 {
        format!("1/{} ×", count(real))
    } else {
        format!("{simulated}/{} ×", count(real))
    }
}

/// The first 8 hexadecimal figures of a run's fingerprint in two groups: "3f9c a1e2".
pub fn fingerprint(digest: u64) -> String {
    format!("{:04x}{GROUP}{:04x}", digest >> 48, digest >> 32 & 0xffff)
}

/// `value / unit` cut (not rounded) to `decimals` places, without trailing zeros.
fn trimmed(value: u64, unit: u64, decimals: u32) -> String {
    let whole = count(value / unit);
    let scale = 10_u64.pow(decimals);
    let part = u128::from(value % unit) * u128::from(scale) / u128::from(unit);
    if part == 0 {
        return whole;
    }
    let places = format!("{part:0width$}", width = decimals as usize);
    format!("{whole}.{}", places.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with plain spaces, as a person would type it.
    fn plain(text: String) -> String {
        text.replace(GROUP, " ")
    }

    #[test]
    fn counts_stand_in_groups_of_three() {
        assert_eq!(plain(count(0)), "0");
        assert_eq!(plain(count(999)), "999");
        assert_eq!(plain(count(2_000)), "2 000");
        assert_eq!(plain(count(12_400)), "12 400");
        assert_eq!(plain(count(1_000_000)), "1 000 000");
    }

    #[test]
    fn spans_have_fixed_decimals_within_their_unit() {
        assert_eq!(span(SimSpan::ns(850)), "850 ns");
        assert_eq!(span(SimSpan::ns(412_560)), "412.5 µs");
        assert_eq!(span(SimSpan::ns(14_700_000)), "14.7 ms");
        assert_eq!(span(SimSpan::ms(48)), "48.0 ms");
        assert_eq!(span(SimSpan::ns(999_960_000)), "999.9 ms");
        assert_eq!(span(SimSpan::ms(2_952)), "2.952 s");
        assert_eq!(span(SimSpan::ms(245_250)), "4 min 05.2 s");
        assert_eq!(plain(span(SimSpan::s(9_000_000))), "2 500 h 00 min");
    }

    #[test]
    fn parts_are_in_the_unit_of_their_sum() {
        let like = SimSpan::ms(128);
        assert_eq!(span_like(SimSpan::us(48_250), like), "48.2");
        assert_eq!(span_like(SimSpan::ns(900), like), "0.0");
        assert_eq!(span_like(SimSpan::ms(40), SimSpan::s(2)), "0.04");
    }

    #[test]
    fn short_spans_have_no_trailing_zeros() {
        assert_eq!(short_span(SimSpan::ZERO), "0 s");
        assert_eq!(short_span(SimSpan::ms(40)), "40 ms");
        assert_eq!(short_span(SimSpan::ms(1_500)), "1.5 s");
        assert_eq!(short_span(SimSpan::s(12)), "12 s");
        assert_eq!(short_span(SimSpan::s(90)), "90 s");
        assert_eq!(short_span(SimSpan::s(120)), "2 min");
        assert_eq!(short_span(SimSpan::s(7_200)), "2 h");
        assert_eq!(short_span(SimSpan::ns(1_250)), "1.25 µs");
    }

    #[test]
    fn the_clock_shows_microseconds() {
        assert_eq!(plain(clock(SimTime::from_ns(8_048_000_999))), "8.048 000 s");
        assert_eq!(plain(clock(SimTime::ZERO)), "0.000 000 s");
        assert_eq!(instant(SimTime::from_ns(8_000_400_000)), "8.000 s");
    }

    #[test]
    fn shares_and_rates_are_cut_not_rounded() {
        assert_eq!(percent(50_000), "5 %");
        assert_eq!(percent(1_000), "0.1 %");
        assert_eq!(percent(999_999), "99.9999 %");
        assert_eq!(per_second(36_000_000), "36 /s");
        assert_eq!(per_second(500_000), "0.5 /s");
        assert_eq!(per_second(2_590_000), "2.5 /s");
        assert_eq!(plain(per_second(12_400_900_000)), "12 400 /s");
    }

    #[test]
    fn bytes_speeds_and_fingerprints_read_as_on_the_screen() {
        assert_eq!(plain(bytes(1_500)), "1 500 B");
        assert_eq!(bytes(65_536), "64 KiB");
        assert_eq!(speed(1, 50), "1/50 ×");
        assert_eq!(speed(2, 1), "2 ×");
        assert_eq!(plain(fingerprint(0x3f9c_a1e2_0000_0001)), "3f9c a1e2");
    }
}
