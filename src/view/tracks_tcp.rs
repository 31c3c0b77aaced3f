//! Charts of TCP: windows, round trips, goodput, of the end that sends the most.

use crate::kernel::SimSpan;
use crate::model::ChannelId;
use crate::observe::readings::Reading;
use crate::param::Text;

use super::charts::{Chart, Mark};
use super::numbers::{count, short_span, span};
use super::tokens::Token;
use super::tracks::{Reader, curve, round_up, span_axis};

const WINDOW: Text = Text::new("Window", "窗口");
const CWND: Text = Text::new("congestion", "拥塞窗口");
const IN_FLIGHT: Text = Text::new("in flight", "在途字节");
const THRESHOLD: Text = Text::new("threshold", "慢启动阈值");
const ROUND_TRIP: Text = Text::new("Round trip", "往返时间");
const SMOOTHED: Text = Text::new("smoothed", "平滑 RTT");
const TIMEOUT: Text = Text::new("timeout", "RTO");
const GOODPUT: Text = Text::new("Goodput", "有效吞吐");
const ACKED: Text = Text::new("acknowledged", "已确认");

/// Buckets whose bytes make one rate.
const RATE_WINDOW: usize = 16;

/// A length in bytes as a label has room for it.
fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{} B", count(n)),
        10_000..10_000_000 => format!("{} kB", count(n / 1_000)),
        _ => format!("{} MB", count(n / 1_000_000)),
    }
}

impl Reader<'_> {
    /// The end that has sent the most, and its readings that are not empty, each with its instant.
    fn busiest(&self) -> Vec<(f64, Reading)> {
        let readings = &self.seen.readings;
        let sent = |(channel, at_to): (ChannelId, bool)| {
            readings.of(channel, at_to).iter().map(|row| row.acked).max().unwrap_or(0)
        };
        let Some((channel, at_to)) = readings.ends().max_by_key(|end| sent(*end)) else {
            return Vec::new();
        };
        let rows = readings.of(channel, at_to).iter();
        rows.filter(|row| row.at.ns() != 0).map(|row| (row.at.ns() as f64, *row)).collect()
    }

    /// Congestion window, bytes in flight and slow-start threshold.
    pub(super) fn window(&self) -> Chart {
        let rows = self.busiest();
        let line = |of: fn(&Reading) -> u64| -> Vec<(f64, f64)> {
            self.steps(&rows, |row| of(row) as f64)
        };
        let last = rows.last().map(|(_, row)| *row).unwrap_or_default();
        let (cwnd, flight) = (line(|row| row.cwnd), line(|row| row.in_flight));
        // At first there is no threshold.
        let known: Vec<_> =
            rows.iter().filter(|(_, row)| row.ssthresh < 1 << 40).copied().collect();
        let threshold = self.steps(&known, |row| row.ssthresh as f64);
        let greatest = cwnd.iter().chain(&flight).map(|p| p.1).fold(0.0, f64::max);
        let top = round_up((greatest * 1.1).max(1_000.0));
        let label = |n: f64| (n, bytes(n as u64));
        let mark = |ink, dashed| Mark::Line { ink, dashed };
        let mut chart = Chart {
            title: WINDOW.get(self.lang).into(),
            entries: vec![
                self.entry(mark(Token::Ink, false), CWND.get(self.lang), bytes(last.cwnd)),
                self.entry(
                    mark(Token::StateFlight, false),
                    IN_FLIGHT.get(self.lang),
                    bytes(last.in_flight),
                ),
            ],
            top,
            ticks: vec![label(top / 2.0), label(top)],
            ..Chart::default()
        };
        if let Some((_, row)) = known.last() {
            let entry = mark(Token::Ink3, true);
            chart.entries.push(self.entry(entry, THRESHOLD.get(self.lang), bytes(row.ssthresh)));
            let shown = threshold.into_iter().filter(|point| point.1 <= top).collect();
            chart.layers.push(curve(shown, Token::Ink3, 1.2, true));
        }
        chart.layers.push(curve(flight, Token::StateFlight, 1.4, false));
        chart.layers.push(curve(cwnd, Token::Ink, 1.6, false));
        chart
    }

    /// Smoothed round trip and retransmission timeout.
    pub(super) fn round_trip(&self) -> Chart {
        let rows = self.busiest();
        let measured: Vec<_> = rows.iter().filter(|(_, row)| row.srtt != 0).copied().collect();
        let last = measured.last().map(|(_, row)| *row).unwrap_or_default();
        let srtt = self.steps(&measured, |row| row.srtt as f64);
        let rto = self.steps(&measured, |row| row.rto as f64);
        let greatest = srtt.iter().chain(&rto).map(|p| p.1).fold(0.0, f64::max);
        let (top, ticks) = span_axis(greatest);
        let mark = |ink, dashed| Mark::Line { ink, dashed };
        let value = |ns: u64| span(SimSpan::ns(ns));
        Chart {
            title: ROUND_TRIP.get(self.lang).into(),
            entries: vec![
                self.entry(mark(Token::Ink, false), SMOOTHED.get(self.lang), value(last.srtt)),
                self.entry(
                    mark(Token::CauseRto, true),
                    TIMEOUT.get(self.lang),
                    short_span(SimSpan::ns(last.rto / 1_000_000 * 1_000_000)),
                ),
            ],
            layers: vec![
                curve(rto, Token::CauseRto, 1.4, true),
                curve(srtt, Token::Ink, 1.6, false),
            ],
            top,
            ticks,
            ..Chart::default()
        }
    }

    /// Bytes acknowledged a second.
    pub(super) fn goodput(&self) -> Chart {
        let rows = self.busiest();
        let mut points = Vec::with_capacity(rows.len());
        for (i, (x, row)) in rows.iter().enumerate() {
            let (from, acked) = match i.checked_sub(RATE_WINDOW) {
                Some(first) => (rows[first].0, rows[first].1.acked),
                None => (0.0, 0),
            };
            if from < *x {
                points.push((*x, row.acked.saturating_sub(acked) as f64 * 1e9 / (x - from)));
            }
        }
        let greatest = points.iter().map(|p| p.1).fold(0.0, f64::max);
        let top = round_up((greatest * 1.1).max(100.0));
        let label = |n: f64| format!("{}/s", bytes(n as u64));
        let now = points.last().map_or(String::new(), |p| label(p.1));
        let mark = Mark::Line { ink: Token::StateDone, dashed: false };
        Chart {
            title: GOODPUT.get(self.lang).into(),
            entries: vec![self.entry(mark, ACKED.get(self.lang), now)],
            layers: vec![curve(points, Token::StateDone, 1.6, false)],
            top,
            ticks: vec![(top / 2.0, label(top / 2.0)), (top, label(top))],
            ..Chart::default()
        }
    }

    /// Values that hold until the next one: steps, up to now.
    fn steps(&self, rows: &[(f64, Reading)], of: impl Fn(&Reading) -> f64) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(rows.len() * 2 + 1);
        for (x, row) in rows {
            let y = of(row);
            if let Some(last) = points.last().copied().filter(|last| last.1 != y) {
                points.push((*x, last.1));
            }
            points.push((*x, y));
        }
        if let Some(last) = points.last().copied() {
            points.push((self.now.ns() as f64, last.1));
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SimTime;
    use crate::model::tcp::Gauges;
    use crate::observe::Seen;
    use crate::param::Lang;
    use crate::view::tracks::{Track, chart};

    #[test]
    fn windows_round_trips_and_goodput_are_those_of_the_busiest_end() {
        let until = SimTime::from_ns(1_000_000_000);
        let mut seen = Seen::new(until);
        for n in 1..=50_u64 {
            let at = SimTime::from_ns(n * 10_000_000);
            let gauges = Gauges {
                cwnd: 14_480,
                ssthresh: u64::MAX,
                srtt: 2_000_000,
                rto: 204_000_000,
                una: n * 100,
                nxt: n * 100 + 100,
                ..Gauges::default()
            };
            seen.readings.take(at, ChannelId(0), false, &gauges);
            seen.readings.take(at, ChannelId(0), true, &Gauges::default());
        }
        let now = SimTime::from_ns(500_000_000);
        let of = |track| chart(track, &seen, now, until, Lang::En);
        let value = |track, n: usize| of(track).entries[n].value.replace('\u{202f}', " ");
        assert_eq!(value(Track::Window, 0), "14 kB");
        assert_eq!(value(Track::Window, 1), "100 B");
        assert_eq!(of(Track::Window).entries.len(), 2, "no threshold yet");
        assert_eq!(value(Track::RoundTrip, 0), "2.0 ms");
        assert_eq!(value(Track::RoundTrip, 1), "204 ms");
        assert_eq!(value(Track::Goodput, 0), "10 kB/s");
    }
}
