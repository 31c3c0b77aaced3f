//! The charts below the scrubber, made of what the sinks saw.
//!
//! All but the last share the run's time axis. Lines have one point for each bucket of the series
//! (there are at most 480), areas one for a few of them: a mean over too few messages says nothing.

use crate::kernel::{SimSpan, SimTime};
use crate::model::Cause;
use crate::observe::{Parts, Row, Seen};
use crate::param::{Lang, Text};

use super::cause_fill::fill_of;
use super::charts::{Chart, Entry, Layer, Mark};
use super::draw::Pattern;
use super::numbers::{count, per_second, short_span, span, span_like};
use super::tokens::Token;

/// One of the charts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Track {
    /// Percentiles of the latency over time.
    Latency,
    /// Messages that wait.
    Depth,
    /// Messages a second.
    Throughput,
    /// Mean latency by cause.
    Causes,
    /// How often which latency was.
    Distribution,
    /// TCP: congestion window and bytes in flight.
    Window,
    /// TCP: round trips and the timeout.
    RoundTrip,
    /// TCP: bytes acknowledged a second.
    Goodput,
    /// Log brokers: records that the groups are behind.
    Lag,
}

impl Track {
    /// Charts of a scenario with TCP, as they stand below each other.
    pub const TCP: [Track; 6] = [
        Track::Latency,
        Track::Causes,
        Track::Window,
        Track::RoundTrip,
        Track::Goodput,
        Track::Distribution,
    ];

    /// Charts of a scenario with a log broker, as they stand below each other.
    pub const LOG: [Track; 5] =
        [Track::Latency, Track::Lag, Track::Throughput, Track::Causes, Track::Distribution];

    /// The charts of a scenario: with a log broker its groups come before windows and round trips.
    pub const fn list(tcp: bool, log: bool) -> &'static [Track] {
        match (log, tcp) {
            (true, _) => &Track::LOG,
            (false, true) => &Track::TCP,
            (false, false) => &Track::ALL,
        }
    }

    /// Charts of a scenario without TCP, as they stand below each other.
    pub const ALL: [Track; 5] =
        [Track::Latency, Track::Depth, Track::Throughput, Track::Causes, Track::Distribution];

    /// Its height beside a label column.
    pub fn height(self) -> f32 {
        match self {
            Track::Latency => 70.0,
            Track::Depth => 56.0,
            Track::Throughput | Track::Goodput | Track::RoundTrip => 58.0,
            Track::Window | Track::Lag => 76.0,
            Track::Causes => 100.0,
            Track::Distribution => 96.0,
        }
    }

    /// Its height without a label column.
    pub fn small_height(self) -> f32 {
        match self {
            Track::Latency | Track::Depth | Track::Throughput => 84.0,
            Track::Window | Track::RoundTrip | Track::Goodput | Track::Lag => 84.0,
            Track::Causes | Track::Distribution => 104.0,
        }
    }

    /// A short word for file names and tests.
    pub fn key(self) -> &'static str {
        match self {
            Track::Latency => "latency",
            Track::Depth => "depth",
            Track::Throughput => "throughput",
            Track::Causes => "causes",
            Track::Distribution => "distribution",
            Track::Window => "window",
            Track::RoundTrip => "round-trip",
            Track::Goodput => "goodput",
            Track::Lag => "lag",
        }
    }
}

const LATENCY: Text = Text::new("Latency", "延迟");
const MAX: Text = Text::new("max", "最大");
const TOO_FEW: Text = Text::new("too few", "样本太少");
const DEPTH: Text = Text::new("Waiting", "等待中");
const NOW: Text = Text::new("now", "现在");
const GREATEST: Text = Text::new("greatest", "最大");
const THROUGHPUT: Text = Text::new("Throughput", "吞吐");
const SENT: Text = Text::new("sent", "发送");
const DELIVERED: Text = Text::new("delivered", "送达");
const LOST: Text = Text::new("lost", "丢失");
const CAUSES: Text = Text::new("Why: mean", "原因：均值");
const DISTRIBUTION: Text = Text::new("How often", "延迟分布");
const NONE_YET: Text = Text::new("No message is delivered yet.", "还没有送达的消息。");

/// Buckets whose counts make one rate.
const RATE_WINDOW: usize = 20;
/// Buckets whose deliveries make one mean by cause.
const CAUSE_WINDOW: usize = 8;
/// Most causes that the label column names.
const CAUSES_NAMED: usize = 6;
/// Fewest samples for a 95th and for a 99th percentile.
const LEAST_P95: u64 = 20;
const LEAST_P99: u64 = 100;

/// Makes a chart of what was seen up to `now` in a run until `until`.
pub fn chart(track: Track, seen: &Seen, now: SimTime, until: SimTime, lang: Lang) -> Chart {
    let reader = Reader { seen, now, lang, bucket: seen.series.bucket };
    let chart = match track {
        Track::Latency => reader.latency(),
        Track::Depth => reader.depth(),
        Track::Throughput => reader.throughput(),
        Track::Causes => reader.causes(),
        Track::Window => reader.window(),
        Track::RoundTrip => reader.round_trip(),
        Track::Goodput => reader.goodput(),
        Track::Lag => reader.lag(),
        Track::Distribution => return reader.distribution(),
    };
    Chart { x: (0.0, until.ns().max(1) as f64), ..chart }
}

/// What the charts are read from.
pub(super) struct Reader<'a> {
    pub seen: &'a Seen,
    pub now: SimTime,
    pub lang: Lang,
    bucket: SimSpan,
}

impl Reader<'_> {
    /// Every bucket with the instant at which it ends; the last is under way.
    fn rows(&self) -> Vec<(f64, Row)> {
        let bucket = self.bucket.as_ns() as f64;
        let rows = &self.seen.series.rows;
        let closed = rows.iter().enumerate().map(|(i, row)| ((i + 1) as f64 * bucket, row.clone()));
        let mut rows: Vec<_> = closed.collect();
        rows.push((self.now.ns() as f64, self.seen.series.open_row()));
        rows
    }

    pub fn entry(&self, mark: Mark, name: &str, value: String) -> Entry {
        Entry { mark, name: name.to_string(), value }
    }

    fn latency(&self) -> Chart {
        let rows = self.rows();
        let measured: Vec<&(f64, Row)> = rows.iter().filter(|(_, row)| row.n_window != 0).collect();
        let line = |of: fn(&Row) -> u64| -> Vec<(f64, f64)> {
            measured.iter().map(|(x, row)| (*x, of(row) as f64)).collect()
        };
        let greatest = line(|row| row.max).iter().map(|p| p.1).fold(0.0, f64::max);
        let (top, ticks) = span_axis(greatest);
        let last = &rows[rows.len() - 1].1;
        let few = TOO_FEW.get(self.lang);
        let value = |ns: u64, least: u64| {
            if u64::from(last.n_window) < least { few.into() } else { span(SimSpan::ns(ns)) }
        };
        let solid = |ink| Mark::Line { ink, dashed: false };
        let dashed = Mark::Line { ink: Token::Ink3, dashed: true };
        let band = measured.iter().map(|(x, r)| (*x, r.p50 as f64, r.p95 as f64)).collect();
        Chart {
            title: LATENCY.get(self.lang).into(),
            entries: vec![
                self.entry(solid(Token::Ink), "p50", value(last.p50, 1)),
                self.entry(solid(Token::Ink3), "p95", value(last.p95, LEAST_P95)),
                self.entry(dashed, MAX.get(self.lang), value(last.max, 1)),
            ],
            layers: vec![
                area(band, Token::Sunken),
                curve(line(|row| row.max), Token::Ink3, 1.2, true),
                curve(line(|row| row.p95), Token::Ink3, 1.4, false),
                curve(line(|row| row.p50), Token::Ink, 1.6, false),
            ],
            top,
            ticks,
            ..Chart::default()
        }
    }

    fn depth(&self) -> Chart {
        let rows = self.rows();
        let mut start = 0.0;
        let mut bars: Vec<(f64, f64, f64)> = Vec::new();
        for (end, row) in &rows {
            let height = f64::from(row.depth_max);
            match bars.last_mut() {
                // Equal neighbours are one bar: no seams between them.
                Some(last) if last.2 == height => last.1 = *end,
                _ => bars.push((start, *end, height)),
            }
            start = *end;
        }
        let greatest = bars.iter().map(|bar| bar.2).fold(0.0, f64::max);
        let (top, ticks) = count_axis(greatest);
        let swatch = Mark::Swatch { ink: Token::StateWait, pattern: Pattern::Solid };
        let depth = count(u64::from(self.seen.series.depth()));
        Chart {
            title: DEPTH.get(self.lang).into(),
            entries: vec![
                self.entry(swatch, NOW.get(self.lang), depth),
                self.entry(Mark::None, GREATEST.get(self.lang), count(greatest as u64)),
            ],
            layers: vec![Layer::Bars { bars, ink: Token::StateWait }],
            top,
            ticks,
            ..Chart::default()
        }
    }

    fn throughput(&self) -> Chart {
        let rows = self.rows();
        let rate = |of: fn(&Row) -> u32| -> Vec<(f64, f64)> {
            let mut points = Vec::with_capacity(rows.len());
            let mut sum = 0_u64;
            for (i, (x, row)) in rows.iter().enumerate() {
                sum += u64::from(of(row));
                if RATE_WINDOW <= i {
                    sum -= u64::from(of(&rows[i - RATE_WINDOW].1));
                }
                let from = if RATE_WINDOW <= i { rows[i - RATE_WINDOW].0 } else { 0.0 };
                if 3 < i && from < *x {
                    points.push((*x, sum as f64 * 1e9 / (x - from)));
                }
            }
            points
        };
        let (sent, done) = (rate(|row| row.sent), rate(|row| row.delivered));
        let lost = rate(|row| row.lost);
        let any_lost = lost.iter().any(|point| 0.0 < point.1);
        let greatest = sent.iter().chain(&done).chain(&lost).map(|p| p.1).fold(0.0, f64::max);
        let (top, ticks) = rate_axis(greatest);
        let now = |points: &[(f64, f64)]| {
            points.last().map_or(String::new(), |p| per_second((p.1 * 1e6) as u64))
        };
        let line = |ink, dashed| Mark::Line { ink, dashed };
        let mut chart = Chart {
            title: THROUGHPUT.get(self.lang).into(),
            entries: vec![
                self.entry(line(Token::Ink3, true), SENT.get(self.lang), now(&sent)),
                self.entry(line(Token::StateDone, false), DELIVERED.get(self.lang), now(&done)),
            ],
            layers: Vec::new(),
            top,
            ticks,
            ..Chart::default()
        };
        chart.layers.push(curve(sent, Token::Ink3, 1.2, true));
        chart.layers.push(curve(done, Token::StateDone, 1.6, false));
        if any_lost {
            let mark = line(Token::StateLost, false);
            chart.entries.push(self.entry(mark, LOST.get(self.lang), now(&lost)));
            chart.layers.push(curve(lost, Token::StateLost, 1.4, false));
        }
        chart
    }

    fn causes(&self) -> Chart {
        let rows = self.rows();
        let mut points: Vec<(f64, [f64; Cause::COUNT])> = Vec::new();
        for group in rows.chunks(CAUSE_WINDOW) {
            let n: u64 = group.iter().map(|(_, row)| u64::from(row.delivered)).sum();
            if n == 0 {
                continue;
            }
            let mut sum: Parts = [0; Cause::COUNT];
            for (_, row) in group {
                sum.iter_mut().zip(&row.parts).for_each(|(sum, part)| *sum += part);
            }
            let start = group[0].0 - self.bucket.as_ns() as f64;
            let middle = (start.max(0.0) + group[group.len() - 1].0) / 2.0;
            points.push((middle, sum.map(|part| part as f64 / n as f64)));
        }
        if let Some((_, parts)) = points.last().copied() {
            points.push((self.now.ns() as f64, parts));
        }
        let total = |parts: &[f64; Cause::COUNT]| parts.iter().sum::<f64>();
        let greatest = points.iter().map(|(_, parts)| total(parts)).fold(0.0, f64::max);
        let (top, ticks) = span_axis(greatest);
        let shown = |cause: &Cause| 0 < self.seen.budget.by_cause[cause.index()];
        let mut layers = Vec::new();
        let mut low = vec![0.0; points.len()];
        for cause in Cause::ALL.into_iter().filter(shown) {
            let part = |parts: &[f64; Cause::COUNT]| parts[cause.index()];
            let band =
                points.iter().zip(&low).map(|((x, parts), low)| (*x, *low, low + part(parts)));
            let band: Vec<_> = band.collect();
            low = band.iter().map(|(_, _, high)| *high).collect();
            let (ink, pattern) = fill_of(cause);
            layers.push(Layer::Area { points: band, ink, pattern, parted: true });
        }
        let now = points.last().map(|(_, parts)| *parts).unwrap_or([0.0; Cause::COUNT]);
        let ns = |value: f64| span(SimSpan::ns(value as u64));
        let entry = |cause: Cause| {
            let (ink, pattern) = fill_of(cause);
            let mark = Mark::Swatch { ink, pattern };
            let part = SimSpan::ns(now[cause.index()] as u64);
            let like = SimSpan::ns(total(&now) as u64);
            self.entry(mark, cause.text().get(self.lang), span_like(part, like))
        };
        let named = Cause::ALL.into_iter().rev().filter(shown).take(CAUSES_NAMED);
        Chart {
            title: CAUSES.get(self.lang).into(),
            value: if points.is_empty() { String::new() } else { ns(total(&now)) },
            entries: named.map(entry).collect(),
            layers,
            top,
            ticks,
            ..Chart::default()
        }
    }

    /// Latency to the right, how often upwards.
    fn distribution(&self) -> Chart {
        let latency = &self.seen.latency;
        let quantile = |ppm, least| match latency.quantile(ppm) {
            Some(ns) if least <= latency.count() => span(SimSpan::ns(ns)),
            _ => TOO_FEW.get(self.lang).to_string(),
        };
        let title = DISTRIBUTION.get(self.lang).to_string();
        if latency.count() == 0 {
            let note = NONE_YET.get(self.lang).to_string();
            return Chart { title, note, x: (0.0, 1.0), top: 1.0, ..Chart::default() };
        }
        // The far tail would squeeze everything else; what lies beyond is in the last bar.
        let far = latency.quantile(999_000).unwrap_or(0).max(1) as f64;
        let (right, _) = span_axis(far);
        const BARS: usize = 96;
        let mut counts = vec![0.0; BARS];
        for (low, width, n) in latency.cells() {
            // A cell may lie across bars: it is shared out by width.
            let (from, to) =
                (low as f64 / right * BARS as f64, (low + width) as f64 / right * BARS as f64);
            let mut at = from;
            while at < to {
                let bar = (at as usize).min(BARS - 1);
                let end = if bar == BARS - 1 { to } else { to.min((bar + 1) as f64) };
                counts[bar] += n as f64 * (end - at) / (to - from).max(1e-12);
                at = end;
            }
        }
        let greatest = counts.iter().copied().fold(0.0, f64::max);
        let width = right / BARS as f64;
        let bars = counts.iter().enumerate();
        let bars = bars.map(|(i, n)| (i as f64 * width, (i + 1) as f64 * width, *n)).collect();
        let tick = |i: u32| {
            let x = right * f64::from(i) / 4.0;
            (x, short_span(SimSpan::ns(x as u64)))
        };
        let none = Mark::None;
        Chart {
            title,
            value: count(latency.count()),
            entries: vec![
                self.entry(none, "p50", quantile(500_000, 1)),
                self.entry(none, "p95", quantile(950_000, LEAST_P95)),
                self.entry(none, "p99", quantile(990_000, LEAST_P99)),
                self.entry(none, MAX.get(self.lang), span(SimSpan::ns(latency.max()))),
            ],
            layers: vec![Layer::Bars { bars, ink: Token::CausePropagation }],
            x: (0.0, right),
            top: greatest * 1.08,
            x_ticks: (0..=4).map(tick).collect(),
            ..Chart::default()
        }
    }
}

pub(super) fn curve(points: Vec<(f64, f64)>, ink: Token, width: f32, dashed: bool) -> Layer {
    Layer::Line { points, ink, width, dashed }
}

fn area(points: Vec<(f64, f64, f64)>, ink: Token) -> Layer {
    Layer::Area { points, ink, pattern: Pattern::Solid, parted: false }
}

/// The least 1, 2, 3 or 5 times a power of ten that is not below `value`.
pub(super) fn round_up(value: f64) -> f64 {
    let mut unit = 1.0;
    while unit * 10.0 < value {
        unit *= 10.0;
    }
    [1.0, 2.0, 3.0, 5.0, 10.0]
        .map(|step| step * unit)
        .into_iter()
        .find(|v| value <= *v)
        .unwrap_or(value)
}

/// Top and ticks of an axis of spans in ns.
pub(super) fn span_axis(greatest: f64) -> (f64, Vec<(f64, String)>) {
    if greatest <= 0.0 {
        return (1.0, Vec::new());
    }
    let top = round_up((greatest * 1.05).max(1_000.0));
    let label = |ns: f64| (ns, short_span(SimSpan::ns(ns as u64)));
    (top, vec![label(top / 2.0), label(top)])
}

/// Top and ticks of an axis of counts.
pub(super) fn count_axis(greatest: f64) -> (f64, Vec<(f64, String)>) {
    let top = round_up((greatest * 1.1).max(10.0));
    let label = |n: f64| (n, count(n as u64));
    (top, vec![label(top / 2.0), label(top)])
}

/// Top and ticks of an axis of rates.
fn rate_axis(greatest: f64) -> (f64, Vec<(f64, String)>) {
    let top = round_up((greatest * 1.1).max(10.0));
    let label = |n: f64| (n, per_second((n * 1e6) as u64));
    (top, vec![label(top / 2.0), label(top)])
}

/// Round instants for the time axis of a run, with their labels, as shares of the run.
pub fn time_ticks(until: SimTime, width: f32) -> Vec<(f64, String)> {
    let whole = until.ns().max(1);
    // At least 90 pixels from tick to tick.
    let most = (f64::from(width) / 90.0).max(1.0);
    let steps = [
        1,
        2,
        5,
        10,
        20,
        50,
        100,
        200,
        500,
        1_000,
        2_000,
        5_000,
        10_000,
        20_000,
        50_000,
        100_000,
        200_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        20_000_000,
        50_000_000,
        100_000_000,
        200_000_000,
        500_000_000,
        1_000_000_000,
        2_000_000_000,
        5_000_000_000,
        10_000_000_000,
        20_000_000_000,
        30_000_000_000,
        60_000_000_000,
        120_000_000_000,
        300_000_000_000,
        600_000_000_000,
        1_200_000_000_000,
        1_800_000_000_000,
        3_600_000_000_000,
        7_200_000_000_000,
        21_600_000_000_000,
        43_200_000_000_000,
        86_400_000_000_000,
        172_800_000_000_000,
        432_000_000_000_000,
        864_000_000_000_000_u64,
    ];
    let fits = |step: &&u64| whole as f64 / **step as f64 <= most;
    let step = steps.iter().find(fits).copied().unwrap_or(whole);
    let ticks = (0..=whole / step).map(|i| i * step);
    ticks.map(|ns| (ns as f64 / whole as f64, short_span(SimSpan::ns(ns)))).collect()
}

const LATENCY_SAYS: Text = Text::new(
    "Charts up to {0}. Delivered: {1}. Latency: median {2}, 95th percentile {3}, greatest {4}. \
     Waiting: {5}.",
    "截至 {0} 的图表。已送达 {1}。延迟：中位数 {2}，95 百分位 {3}，最大 {4}。等待中 {5}。",
);

/// The charts as one sentence with numbers.
pub fn charts_say(seen: &Seen, now: SimTime, lang: Lang) -> String {
    let latency = &seen.latency;
    let quantile = |ppm, least| match latency.quantile(ppm) {
        Some(ns) if least <= latency.count() => span(SimSpan::ns(ns)),
        _ => TOO_FEW.get(lang).to_string(),
    };
    let parts = [
        super::numbers::instant(now),
        count(latency.count()),
        quantile(500_000, 1),
        quantile(950_000, LEAST_P95),
        span(SimSpan::ns(latency.max())),
        count(u64::from(seen.series.depth())),
    ];
    super::words::fill(LATENCY_SAYS, lang, &parts.each_ref().map(String::as_str))
}

/// The charts as rows of name and value, for those who do not see them.
pub fn twin(
    tracks: &[Track],
    seen: &Seen,
    (now, until): (SimTime, SimTime),
    lang: Lang,
) -> Vec<[String; 3]> {
    let charts = tracks.iter().map(|track| chart(*track, seen, now, until, lang));
    let rows = charts.flat_map(|chart| {
        let title = chart.title;
        chart.entries.into_iter().map(move |entry| [title.clone(), entry.name, entry.value])
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_above_the_greatest_value() {
        assert_eq!(round_up(251e6), 300e6);
        assert_eq!(round_up(300e6), 300e6);
        assert_eq!(round_up(7.0), 10.0);
        let (top, ticks) = span_axis(251e6);
        assert_eq!(top, 300e6);
        assert_eq!(ticks, [(150e6, "150 ms".to_string()), (300e6, "300 ms".to_string())]);
    }

    #[test]
    fn the_time_axis_of_twelve_seconds_has_a_tick_every_two() {
        let ticks = time_ticks(SimTime::from_ns(12_000_000_000), 776.0);
        let labels: Vec<_> = ticks.iter().map(|tick| tick.1.as_str()).collect();
        assert_eq!(labels, ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s", "12 s"]);
    }

    #[test]
    fn time_axes_of_any_length_have_a_few_ticks() {
        for ns in [1, 999, 350_000_000, 3_600_000_000_000, 30 * 86_400_000_000_000_u64] {
            let n = time_ticks(SimTime::from_ns(ns), 776.0).len();
            assert!((1..=10).contains(&n), "{ns} ns: {n}");
        }
    }

    #[test]
    fn every_cause_looks_different() {
        for (i, a) in Cause::ALL.into_iter().enumerate() {
            for b in Cause::ALL.into_iter().skip(i + 1) {
                assert!(fill_of(a) != fill_of(b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn nothing_delivered_is_said_in_words() {
        let seen = Seen::new(SimTime::from_ns(12_000_000_000));
        for lang in Lang::ALL {
            let now = SimTime::ZERO;
            let chart = chart(Track::Distribution, &seen, now, now, lang);
            assert!(!chart.note.is_empty());
            assert!(charts_say(&seen, now, lang).contains(TOO_FEW.get(lang)));
        }
    }
}
