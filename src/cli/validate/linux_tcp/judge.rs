//! Compares a run with its record.

use std::fmt::Write as _;

use serde_json::Value;

use super::host::Done;
use super::record::{Op, Record, Row, Step};
use super::run::{Mark, Shot, Traced};
use crate::kernel::SimTime;
use crate::model::ground::Lane;
use crate::model::tcp::stack::TcpInfo;
use crate::model::tcp::{Errno, Flags, Segment};

/// From this share of equal runs on a recording counts as stable.
const STABLE: f64 = 0.85;
/// Tolerance of what the path clocks, in us and as a share.
const PATH_US: f64 = 600.0;
/// See `PATH_US`.
const PATH_SHARE: f64 = 0.015;
/// Tolerance of what a timer clocks below [`COARSE_US`], in us.
const TIMER_US: f64 = 8_000.0;
/// From this delay on the kernel's timer wheel is coarser.
const COARSE_US: f64 = 252_000.0;
/// Tolerance there, as a share.
const COARSE_SHARE: f64 = 0.125;

/// How a run compares.
pub struct Judgement {
    /// The level that the recording allows.
    pub level: &'static str,
    /// In a few words what was met.
    pub note: String,
    /// The first difference.
    pub difference: Option<String>,
}

/// Compares.
pub fn judge(record: &Record, traced: &Traced) -> Judgement {
    let level = if STABLE <= record.stable {
        "exact"
    } else if STABLE <= record.data_stable {
        "data"
    } else {
        "totals"
    };
    let result = match level {
        "exact" => exact(record, traced),
        "data" => data_only(record, traced),
        _ => totals(record, traced),
    };
    let note = match &result {
        Ok(note) => format!("{level}: {note}"),
        Err(_) => String::new(),
    };
    Judgement { level, note, difference: result.err().map(|why| format!("{level}: {why}")) }
}

fn exact(record: &Record, traced: &Traced) -> Result<String, String> {
    let mut n_windows = 0;
    let mut n = 0;
    for lane in [Lane::Forth, Lane::Back] {
        let rows: Vec<&Row> = record.trace.iter().filter(|row| row.lane == lane).collect();
        let shots: Vec<&Shot> = traced.shots[lane.index()].iter().collect();
        compare(&rows, &shots, lane, row_text)?;
        n += rows.len();
        for (i, (row, shot)) in rows.iter().zip(&shots).enumerate() {
            n_windows += usize::from(row.window == u64::from(shot.segment.window));
            if (row.window == 0) != (shot.segment.window == 0) {
                return Err(format!(
                    "{} segment {}: window {}, recorded {}",
                    name(lane),
                    i + 1,
                    shot.segment.window,
                    row.window
                ));
            }
        }
    }
    returns(record, traced, true)?;
    times(record, traced)?;
    Ok(format!("{n} segments, {n_windows} windows equal"))
}

fn data_only(record: &Record, traced: &Traced) -> Result<String, String> {
    for lane in [Lane::Forth, Lane::Back] {
        let rows: Vec<&Row> =
            record.trace.iter().filter(|row| row.lane == lane && 0 < row.len).collect();
        let shots: Vec<&Shot> =
            traced.shots[lane.index()].iter().filter(|shot| 0 < shot.segment.len).collect();
        compare(&rows, &shots, lane, data_text)?;
    }
    counts(record, traced, Counts::Acks)?;
    returns(record, traced, false)?;
    latencies(record, traced)?;
    Ok("data segments, acknowledgements by count".to_owned())
}

fn totals(record: &Record, traced: &Traced) -> Result<String, String> {
    counts(record, traced, Counts::All)?;
    returns(record, traced, false)?;
    latencies(record, traced)?;
    Ok("counts and latencies".to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Acks,
    All,
}

/// How much a count may be off at the level of data and totals, where the range was not recorded.
const COUNT_SLACK: u64 = 1;

fn counts(record: &Record, traced: &Traced, which: Counts) -> Result<(), String> {
    for lane in [Lane::Forth, Lane::Back] {
        let shots = &traced.shots[lane.index()];
        let of = |has: &dyn Fn(&Segment) -> bool| {
            shots.iter().filter(|shot| has(&shot.segment)).count() as u64
        };
        let special = Flags(Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0);
        let is_ack = |s: &Segment| s.len == 0 && s.flags.0 & special.0 == 0;
        let recorded = record.totals[lane.index()];
        let mut figures = vec![("pure acks", recorded.acks, of(&is_ack))];
        if which == Counts::All {
            figures.push(("data segments", recorded.data, of(&|s| 0 < s.len)));
            figures.push(("resent", recorded.again, of(&|s| 0 < s.len && s.again)));
        }
        for (what, (low, high), n) in figures {
            let slack = if low == high { COUNT_SLACK } else { 0 };
            if n + slack < low || high + slack < n {
                return Err(format!("{} {what}: {n}, recorded {low}..{high}", name(lane)));
            }
        }
    }
    Ok(())
}

fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Forth => "A>B",
        Lane::Back => "B>A",
    }
}

/// The texts of a recorded segment and of a simulated one.
type Texts = fn(Option<&Row>, Option<&Shot>) -> (String, String);

fn compare(rows: &[&Row], shots: &[&Shot], lane: Lane, texts: Texts) -> Result<(), String> {
    for i in 0..rows.len().max(shots.len()) {
        let (row, shot) = (rows.get(i).copied(), shots.get(i).copied());
        let (recorded, simulated) = texts(row, shot);
        if recorded != simulated {
            let at = |us: f64| format!("{:.1} ms", us / 1_000.0);
            let real = row.map_or_else(String::new, |row| at(row.sent));
            let own = shot.map_or_else(String::new, |shot| at(shot.sent.ns() as f64 / 1_000.0));
            return Err(format!(
                "{} segment {}: {simulated} {own}, recorded {recorded} {real}",
                name(lane),
                i + 1
            ));
        }
    }
    Ok(())
}

fn flags_text(flags: Flags) -> String {
    let letters = [(Flags::SYN, 'S'), (Flags::FIN, 'F'), (Flags::RST, 'R'), (Flags::ACK, '.')];
    letters.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, letter)| letter).collect()
}

fn row_text(row: Option<&Row>, shot: Option<&Shot>) -> (String, String) {
    let none = || "nothing".to_owned();
    let recorded = row.map_or_else(none, |row| {
        let is_lost = row.arrived.is_none();
        line(&row.flags, row.seq, row.ack, row.len, is_lost, &row.sack)
    });
    let simulated = shot.map_or_else(none, |shot| {
        let s = &shot.segment;
        let is_lost = shot.arrived.is_none();
        line(&flags_text(s.flags), s.seq, s.ack, s.len, is_lost, s.sack.blocks())
    });
    (recorded, simulated)
}

fn line(flags: &str, seq: u64, ack: u64, len: u32, lost: bool, sack: &[(u64, u64)]) -> String {
    let mut text = format!("{flags} {seq}+{len} ack {ack}");
    for (from, to) in sack {
        let _ = write!(text, " sack {from}-{to}");
    }
    if lost {
        text.push_str(" lost");
    }
    text
}

fn data_text(row: Option<&Row>, shot: Option<&Shot>) -> (String, String) {
    let text = |seq: u64, len: u32, again: bool| {
        format!("{seq}+{len}{}", if again { " again" } else { "" })
    };
    let none = || "nothing".to_owned();
    let recorded = row.map_or_else(none, |row| text(row.seq, row.len, row.again));
    let simulated =
        shot.map_or_else(none, |shot| text(shot.segment.seq, shot.segment.len, shot.segment.again));
    (recorded, simulated)
}

fn errno_name(errno: Errno) -> &'static str {
    match errno {
        Errno::ConnRefused => "ECONNREFUSED",
        Errno::ConnReset => "ECONNRESET",
        Errno::TimedOut => "ETIMEDOUT",
        Errno::Pipe => "EPIPE",
        Errno::Again => "EAGAIN",
        Errno::NotConn => "ENOTCONN",
        Errno::NoMem => "ENOBUFS",
    }
}

fn returns(record: &Record, traced: &Traced, is_stable: bool) -> Result<(), String> {
    for (host, ops) in record.ops.iter().enumerate() {
        for (i, op) in ops.iter().enumerate() {
            let done = &traced.hosts[host].done[i];
            let at = format!("{} step {}", ["A", "B"][host], i + 1);
            if let Some(ret) = op.ret {
                let errno = done.errno.map(errno_name);
                if done.ret != Some(ret) || errno != op.errno.as_deref() {
                    return Err(format!(
                        "{at}: returned {:?} {errno:?}, recorded {ret} {:?}",
                        done.ret, op.errno
                    ));
                }
            }
            if let (Some(real), Some(own)) = (&op.info, &done.info)
                && is_stable
            {
                info(&at, real, own)?;
            }
        }
    }
    Ok(())
}

fn info(at: &str, real: &Value, own: &TcpInfo) -> Result<(), String> {
    let figures = [
        ("state", u64::from(own.state)),
        ("cwnd", u64::from(own.cwnd)),
        ("ssthresh", u64::from(own.ssthresh)),
        ("unacked", u64::from(own.unacked)),
        ("retrans", u64::from(own.retrans)),
        ("total_retrans", u64::from(own.total_retrans)),
        ("snd_mss", u64::from(own.snd_mss)),
        ("rcv_mss", u64::from(own.rcv_mss)),
        ("advmss", u64::from(own.advmss)),
        ("ca", u64::from(own.ca)),
        ("notsent", own.notsent),
    ];
    for (key, own) in figures {
        let real = real[key].as_u64().unwrap_or(0);
        // A window of congestion avoidance may be one step further.
        let slack = if key == "cwnd" { 1 } else { 0 };
        if real.abs_diff(own) > slack {
            return Err(format!("{at}: TCP_INFO {key} {own}, recorded {real}"));
        }
    }
    let us = [("rto", own.rto, 8_000.0), ("rtt", u64::from(own.rtt), 600.0)];
    for (key, own, slack) in us {
        let real = real[key].as_f64().unwrap_or(0.0);
        if (real - own as f64).abs() > f64::max(slack, PATH_SHARE * real) {
            return Err(format!("{at}: TCP_INFO {key} {own} us, recorded {real} us"));
        }
    }
    Ok(())
}

/// Every segment's time after its cause.
fn times(record: &Record, traced: &Traced) -> Result<(), String> {
    let rows = [Lane::Forth, Lane::Back]
        .map(|lane| record.trace.iter().filter(|row| row.lane == lane).collect::<Vec<&Row>>());
    for lane in [Lane::Forth, Lane::Back] {
        let shots = &traced.shots[lane.index()];
        for (i, (row, shot)) in rows[lane.index()].iter().zip(shots).enumerate() {
            let Some(base) = recorded_time(&rows, &record.ops, shot.cause.mark) else { continue };
            let own = shot.cause.after.as_ns() as f64 / 1_000.0;
            let real = row.sent - base.0;
            let tolerance = tolerance(own, shot.cause.by_timer);
            // Medians of different runs: those of the fastest runs may fit together better.
            let fastest = row.sent_range.0 - base.1;
            if (real - own).abs() > tolerance && (fastest - own).abs() > tolerance {
                return Err(format!(
                    "{} segment {} ({}): {:.1} ms after {:?}, recorded {:.1} ms",
                    name(lane),
                    i + 1,
                    row_text(Some(row), None).0,
                    own / 1_000.0,
                    shot.cause.mark,
                    real / 1_000.0
                ));
            }
        }
    }
    Ok(())
}

fn tolerance(us: f64, by_timer: bool) -> f64 {
    let path = PATH_US.max(PATH_SHARE * us);
    match (by_timer, COARSE_US <= us) {
        (false, _) => path,
        (true, false) => path + TIMER_US,
        (true, true) => path + TIMER_US.max(COARSE_SHARE * us),
    }
}

/// When a cause was recorded: in the median, and in the fastest runs.
fn recorded_time(rows: &[Vec<&Row>; 2], ops: &[Vec<Op>; 2], mark: Mark) -> Option<(f64, f64)> {
    match mark {
        Mark::Arrival(lane, index) => {
            let row = rows[lane.index()].get(index)?;
            let arrived = row.arrived?;
            Some((arrived, row.sent_range.0 + (arrived - row.sent)))
        }
        Mark::Sent(lane, index) => {
            let row = rows[lane.index()].get(index)?;
            Some((row.sent, row.sent_range.0))
        }
        Mark::Step(host, step) => ops[host].get(step)?.start.map(|start| (start, start)),
        Mark::Unseen => None,
    }
}

/// The recorded latencies that can be told from the scripts: numbered rounds are the last reads
/// of A, each from the first write after the read before; else it is what B receives, from A's
/// first write after its last read to the end of B's last read of bytes.
fn latencies(record: &Record, traced: &Traced) -> Result<(), String> {
    let n_rounds = record.metrics.iter().filter(|(name, ..)| number_in(name).is_some()).count();
    for (metric, low, high) in &record.metrics {
        let own = match number_in(metric) {
            Some(n) => round(record, traced, n, n_rounds),
            None => delivery(record, traced),
        };
        let Some(own) = own else { continue };
        let slack = PATH_US.max(PATH_SHARE * high);
        if own < low - slack || high + slack < own {
            return Err(format!("{metric}: {own:.0} us, recorded {low:.0}..{high:.0} us"));
        }
    }
    Ok(())
}

fn number_in(metric: &str) -> Option<usize> {
    metric.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

fn steps(record: &Record, traced: &Traced, host: usize) -> Vec<(Step, Done)> {
    let ops = record.ops[host].iter().map(|op| op.step);
    ops.zip(traced.hosts[host].done.iter().cloned()).collect()
}

fn span_us(from: Option<SimTime>, to: Option<SimTime>) -> Option<f64> {
    Some((to?.ns() as f64 - from?.ns() as f64) / 1_000.0)
}

fn round(record: &Record, traced: &Traced, n: usize, n_rounds: usize) -> Option<f64> {
    let (mut start, mut rounds) = (None, Vec::new());
    for (step, done) in steps(record, traced, 0) {
        match step {
            Step::Write(..) => start = start.or(done.start),
            Step::Read(_) => rounds.push(span_us(start.take(), done.end)),
            _ => {}
        }
    }
    let first = rounds.len().checked_sub(n_rounds)?;
    *rounds.get(first + n.checked_sub(1)?)?
}

fn delivery(record: &Record, traced: &Traced) -> Option<f64> {
    let mut start = None;
    for (step, done) in steps(record, traced, 0) {
        match step {
            Step::Write(..) => start = start.or(done.start),
            Step::Read(_) => start = None,
            _ => {}
        }
    }
    let b = steps(record, traced, 1);
    let last = b.iter().rfind(|(step, _)| matches!(step, Step::Read(_)))?;
    span_us(start, last.1.end)
}
