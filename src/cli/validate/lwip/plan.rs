//! What a record's program is to do: its kind, and its script.

use serde_json::Value;

use super::setup::{number, number_or, sizes, switch_or};

/// Highest number of connections in a record.
pub const CONNS_LIMIT: u64 = 1_000;

/// Something that the application does outside callbacks.
#[derive(Clone, Debug)]
pub enum Op {
    Connect(usize),
    Start(usize),
    Request(usize),
    Periodic(usize),
    Write { conn: usize, len: u32, output: bool },
    Output(usize),
    Consume(usize, u32),
    Refuse(bool),
    Nodelay(usize, bool),
    Close(usize),
    Abort(usize),
    TxFail(u32),
}

/// What the program is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Only what is scripted.
    Script,
    RequestResponse(Exchange),
    Burst {
        size: u32,
    },
    Periodic {
        period_us: u64,
        sizes: Vec<u32>,
    },
    Stream {
        chunk: u32,
    },
}

/// Requests and what answers them.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub sizes: Vec<u32>,
    pub reply_bytes: u64,
    pub think_us: u64,
    pub period_us: Option<u64>,
    pub in_callback: bool,
}

/// What the program is, and how much of it: requests, writes or bytes.
pub fn kind(app: &Value) -> Result<(Kind, u64), String> {
    let kind = app["kind"].as_str().unwrap_or("");
    Ok(match kind {
        "sink" | "script" | "reply" => (Kind::Script, 0),
        "request_response" => {
            let exchange = Exchange {
                sizes: sizes(app, "write_sizes")?,
                reply_bytes: number(app, "reply_bytes")?.max(1),
                think_us: number_or(app, "think_us", 0)?,
                period_us: app["period_us"].as_u64(),
                in_callback: switch_or(app, "in_callback", false),
            };
            (Kind::RequestResponse(exchange), number(app, "requests")?)
        }
        "burst" => (Kind::Burst { size: number(app, "size")? as u32 }, number(app, "count")?),
        "periodic" => {
            let sizes = sizes(app, "write_sizes")?;
            let period_us = number(app, "period_us")?.max(1);
            (Kind::Periodic { period_us, sizes }, number(app, "count")?)
        }
        "stream" => {
            let chunk = number_or(app, "chunk", u64::from(u16::MAX))?.min(u64::from(u16::MAX));
            (Kind::Stream { chunk: chunk as u32 }, number(app, "total")?)
        }
        other => return Err(format!("an application of kind `{other}` is not known")),
    })
}

/// One entry of a script.
pub fn scripted(op: &Value) -> Result<Op, String> {
    let conn = number_or(op, "conn", 0)?.min(CONNS_LIMIT) as usize;
    Ok(match op["op"].as_str().unwrap_or("") {
        "write" => {
            let len = number(op, "len")? as u32;
            Op::Write { conn, len, output: switch_or(op, "output", true) }
        }
        "output" => Op::Output(conn),
        "consume" => Op::Consume(conn, number_or(op, "bytes", 0)? as u32),
        "refuse" => Op::Refuse(switch_or(op, "value", true)),
        "nodelay" => Op::Nodelay(conn, switch_or(op, "value", true)),
        "close" => Op::Close(conn),
        "abort" => Op::Abort(conn),
        "connect" => Op::Connect(conn),
        "tx_fail" => Op::TxFail(number_or(op, "count", 1)? as u32),
        other => return Err(format!("an operation `{other}` is not known")),
    })
}
