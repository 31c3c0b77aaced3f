//! A record as types: configuration, scripts, trace.

use serde_json::Value;

use crate::kernel::SimSpan;
use crate::model::ground::Lane;
use crate::model::tcp::{Congestion, LinuxParams, SockOpt};
use crate::model::wire::{Action, Class, Rule, Way};
use crate::param::{BitRate, Bytes};

/// Most steps of a script.
const MAX_STEPS: usize = 100_000;

/// One step of a script.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Step {
    /// Wait for connections.
    Listen,
    /// Wait for one.
    Accept,
    /// Make one.
    Connect,
    /// An option of the socket.
    Set(SockOpt),
    /// Calls do not block from now on.
    NonBlocking(bool),
    /// Wait until this time in us.
    At(u64),
    /// Wait so many us.
    Sleep(u64),
    /// Send so many bytes, perhaps saying that more follows.
    Write(u32, bool),
    /// Receive until so many are there.
    Read(u32),
    /// Receive once.
    Recv(u32),
    /// Receive to the end.
    Drain,
    /// End sending.
    Shutdown,
    /// Close.
    Close,
    /// `TCP_INFO`.
    Info,
}

/// One step with what was observed.
#[derive(Clone, Debug)]
pub struct Op {
    /// What is done.
    pub step: Step,
    /// What it returned.
    pub ret: Option<i64>,
    /// The error, if any.
    pub errno: Option<String>,
    /// When it began, in us.
    pub start: Option<f64>,
    /// What `TCP_INFO` said.
    pub info: Option<Value>,
}

/// A segment of the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Direction.
    pub lane: Lane,
    /// Flags without `P`.
    pub flags: String,
    /// Position.
    pub seq: u64,
    /// Acknowledged position.
    pub ack: u64,
    /// Payload.
    pub len: u32,
    /// Window in bytes.
    pub window: u64,
    /// Sent, in us.
    pub sent: f64,
    /// Earliest and latest of the runs.
    pub sent_range: (f64, f64),
    /// Arrived, in us; `None`: lost.
    pub arrived: Option<f64>,
    /// Sent again.
    pub again: bool,
    /// Selectively acknowledged ranges.
    pub sack: Vec<(u64, u64)>,
}

/// Counts of a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Segments with payload, least and most.
    pub data: (u64, u64),
    /// Acknowledgements alone.
    pub acks: (u64, u64),
    /// Segments sent again.
    pub again: (u64, u64),
}

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Parameters of A.
    pub a: LinuxParams,
    /// Parameters of B.
    pub b: LinuxParams,
    /// The largest packet.
    pub mtu: u32,
    /// The two directions of the wire.
    pub ways: [Way; 2],
    /// What goes wrong.
    pub rules: Vec<Rule>,
    /// The scripts of A and B.
    pub ops: [Vec<Op>; 2],
    /// The trace.
    pub trace: Vec<Row>,
    /// Counts A to B, B to A.
    pub totals: [Totals; 2],
    /// Latencies: name, least, most, in us.
    pub metrics: Vec<(String, f64, f64)>,
    /// Share of runs with this trace.
    pub stable: f64,
    /// The same of data segments only.
    pub data_stable: f64,
}

fn lane_of(name: &str) -> Result<Lane, String> {
    match name {
        "A>B" => Ok(Lane::Forth),
        "B>A" => Ok(Lane::Back),
        _ => Err(format!("direction {name:?}, allowed: \"A>B\", \"B>A\"")),
    }
}

fn number(value: &Value, what: &str) -> Result<f64, String> {
    let number = value.as_f64().filter(|n| n.abs() < 1e15);
    number.ok_or_else(|| format!("`{what}` is missing or no number below 1e15"))
}

fn whole(value: &Value, what: &str) -> Result<u64, String> {
    let number = value.as_u64().filter(|n| *n < 1 << 50);
    number.ok_or_else(|| format!("`{what}` is missing or no whole number"))
}

fn small(value: &Value, what: &str) -> Result<u32, String> {
    u32::try_from(whole(value, what)?).map_err(|_| format!("`{what}` is too large"))
}

impl Record {
    /// Reads a record.
    pub fn parse(record: &Value) -> Result<Record, String> {
        let config = &record["config"];
        let params = params(config)?;
        let ops = [ops(&record["ops"]["A"])?, ops(&record["ops"]["B"])?];
        Ok(Record {
            a: params.clone(),
            b: params,
            mtu: small(&config["mtu"], "config/mtu")?,
            ways: ways(config)?,
            rules: rules(&config["wire_rules"])?,
            ops,
            trace: trace(record)?,
            totals: totals(&record["segments"])?,
            metrics: metrics(&record["metrics_us"])?,
            stable: number(&record["stable_share"], "stable_share")?,
            data_stable: number(&record["data_stable_share"], "data_stable_share")?,
        })
    }
}

/// The kernel's settings. What is not there keeps its default.
fn params(config: &Value) -> Result<LinuxParams, String> {
    let mut params = LinuxParams {
        congestion: match config["congestion_control"].as_str() {
            Some("cubic") => Congestion::Cubic,
            Some("reno") => Congestion::Reno,
            other => return Err(format!("congestion control {other:?} is not modelled")),
        },
        ..LinuxParams::default()
    };
    for (key, value) in config["sysctl_changed"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let on = value != "0";
        match key.as_str() {
            "tcp_timestamps" => params.timestamps = on,
            "tcp_sack" => params.sack = on,
            "tcp_window_scaling" => params.window_scaling = on,
            "tcp_slow_start_after_idle" => params.slow_start_after_idle = on,
            "tcp_early_retrans" => params.loss_probe = on,
            _ => return Err(format!("sysctl {key:?} is not modelled")),
        }
    }
    params.mss = Bytes(0);
    Ok(params)
}

fn ways(config: &Value) -> Result<[Way; 2], String> {
    let mut ways = [Way::default(); 2];
    for (way, name) in ways.iter_mut().zip(["A>B", "B>A"]) {
        let delay = whole(&config["one_way_delay_us"][name], "one_way_delay_us")?;
        way.delay = SimSpan::us(delay);
        if let Some(rate) = config.get("rate_bps").filter(|rate| !rate.is_null()) {
            way.rate = BitRate(whole(&rate[name], "rate_bps")?);
        }
        if let Some(limit) = config.get("queue_limit_pkts").filter(|limit| !limit.is_null()) {
            way.queue_limit = Some(small(&limit[name], "queue_limit_pkts")?);
        }
    }
    Ok(ways)
}

fn rules(list: &Value) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for rule in list.as_array().into_iter().flatten() {
        let word = |key: &str| rule[key].as_str().unwrap_or("");
        let class = match word("class") {
            "all" => Class::All,
            "data" => Class::Data,
            "ack" => Class::Ack,
            "syn" => Class::Syn,
            "fin" => Class::Fin,
            "rst" => Class::Rst,
            other => return Err(format!("class {other:?} is not known")),
        };
        let action = match word("action") {
            "drop" => Action::Drop,
            "delay" => Action::Delay(SimSpan::us(whole(&rule["extra_us"], "extra_us")?)),
            "dup" => Action::Duplicate,
            other => return Err(format!("action {other:?} is not known")),
        };
        let (first, count) = (small(&rule["first"], "first")?, small(&rule["count"], "count")?);
        rules.push(Rule { lane: lane_of(word("dir"))?, class, first, count, action, seen: 0 });
    }
    Ok(rules)
}

fn ops(list: &Value) -> Result<Vec<Op>, String> {
    let list = list.as_array().ok_or("`ops` is missing or no list")?;
    if MAX_STEPS < list.len() {
        return Err(format!("{} steps, allowed: {MAX_STEPS}", list.len()));
    }
    let mut ops = Vec::new();
    for op in list {
        let base = Op {
            step: Step::Listen,
            ret: op["ret"].as_i64(),
            errno: op["errno"].as_str().map(str::to_owned),
            start: op["start_us"].as_f64(),
            info: op.get("tcp_info").cloned(),
        };
        let name = op["op"].as_str().unwrap_or("");
        let args = &op["args"];
        if name == "writev" {
            // One call: a send of all parts together.
            let parts = args.as_array().ok_or("`writev` without parts")?;
            let mut sum = 0_u32;
            for part in parts {
                sum = sum.saturating_add(small(part, "writev")?);
            }
            ops.push(Op { step: Step::Write(sum, false), ..base });
            continue;
        }
        let step = step(name, args)?;
        ops.push(Op { step, ..base });
    }
    Ok(ops)
}

fn step(name: &str, args: &Value) -> Result<Step, String> {
    Ok(match name {
        "listen" => Step::Listen,
        "accept" => Step::Accept,
        "connect" => Step::Connect,
        "set" => return set(args),
        "at" => Step::At(whole(&args[0], "at")?),
        "sleep" => Step::Sleep(whole(&args[0], "sleep")?),
        "write" => Step::Write(small(&args[0], "write")?, args[1].as_str() == Some("more")),
        "read" => Step::Read(small(&args[0], "read")?),
        "recv" => Step::Recv(small(&args[0], "recv")?),
        "drain" => Step::Drain,
        "shutdown" => Step::Shutdown,
        "close" => Step::Close,
        "info" => Step::Info,
        other => return Err(format!("step {other:?} is not known")),
    })
}

fn set(args: &Value) -> Result<Step, String> {
    let name = args[0].as_str().unwrap_or("");
    if name == "cc" {
        let is_cubic = args[1].as_str() == Some("cubic");
        return Ok(Step::Set(SockOpt::CubicCongestion(is_cubic)));
    }
    let value = small(&args[1], "set")?;
    let on = value != 0;
    let seconds = SimSpan::s(u64::from(value.min(1_000_000)));
    Ok(Step::Set(match name {
        "nodelay" => SockOpt::Nodelay(on),
        "cork" => SockOpt::Cork(on),
        "quickack" => SockOpt::Quickack(on),
        "sndbuf" => SockOpt::SendBuffer(value),
        "rcvbuf" => SockOpt::ReceiveBuffer(value),
        "rcvlowat" => SockOpt::ReceiveLowWater(value),
        "maxseg" => SockOpt::MaxSegment(value),
        "linger" => SockOpt::LingerZero(value == 0),
        "keepalive" => SockOpt::KeepAlive(on),
        "keepidle" => SockOpt::KeepIdle(seconds),
        "keepintvl" => SockOpt::KeepInterval(seconds),
        "keepcnt" => SockOpt::KeepCount(value),
        "nonblock" => return Ok(Step::NonBlocking(on)),
        other => return Err(format!("option {other:?} is not modelled")),
    }))
}

fn trace(record: &Value) -> Result<Vec<Row>, String> {
    let columns = record["trace_columns"].as_array().ok_or("`trace_columns` is missing")?;
    let column = |name: &str| {
        let place = columns.iter().position(|c| c.as_str() == Some(name));
        place.ok_or_else(|| format!("the trace has no column {name:?}"))
    };
    let (dir, flags, seq) = (column("dir")?, column("flags")?, column("seq")?);
    let (ack, len, win) = (column("ack")?, column("len")?, column("win")?);
    let (t, low, high) = (column("t_us")?, column("t_min")?, column("t_max")?);
    let (arrived, extra) = (column("recv_us")?, column("extra")?);
    let mut trace = Vec::new();
    for row in record["trace"].as_array().ok_or("`trace` is missing")? {
        let range = |value: &Value| value.as_array().map(|r| (r[0].as_u64(), r[1].as_u64()));
        let blocks = row[extra]["sack"].as_array().into_iter().flatten().filter_map(range);
        let pair = |(from, to): (Option<u64>, Option<u64>)| Some((from?, to?));
        let flags: String =
            row[flags].as_str().unwrap_or("").chars().filter(|c| *c != 'P').collect();
        trace.push(Row {
            lane: lane_of(row[dir].as_str().unwrap_or(""))?,
            flags,
            seq: whole(&row[seq], "seq")?,
            ack: whole(&row[ack], "ack")?,
            len: small(&row[len], "len")?,
            window: whole(&row[win], "win")?,
            sent: number(&row[t], "t_us")?,
            sent_range: (number(&row[low], "t_min")?, number(&row[high], "t_max")?),
            arrived: row[arrived].as_f64(),
            again: row[extra]["rexmit"].as_bool().unwrap_or(false),
            sack: blocks.filter_map(pair).collect(),
        });
    }
    Ok(trace)
}

fn totals(segments: &Value) -> Result<[Totals; 2], String> {
    let mut totals = [Totals::default(); 2];
    for (totals, name) in totals.iter_mut().zip(["A>B", "B>A"]) {
        let counts = &segments[name];
        let range = |key: &str| -> Result<(u64, u64), String> {
            let range = &counts[format!("{key}_range")];
            match (range[0].as_u64(), range[1].as_u64()) {
                (Some(low), Some(high)) => Ok((low, high)),
                _ => whole(&counts[key], key).map(|n| (n, n)),
            }
        };
        *totals = Totals {
            data: range("data_segments")?,
            acks: range("pure_acks")?,
            again: range("retransmissions")?,
        };
    }
    Ok(totals)
}

fn metrics(table: &Value) -> Result<Vec<(String, f64, f64)>, String> {
    let mut metrics = Vec::new();
    for (name, figures) in table.as_object().into_iter().flatten() {
        let (low, high) = (number(&figures["min"], "min")?, number(&figures["max"], "max")?);
        metrics.push((name.clone(), low, high));
    }
    Ok(metrics)
}
