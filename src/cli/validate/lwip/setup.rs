//! What a record says about the two ends, the link and the application.

use serde_json::Value;

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::lwip::main_loop::Duty;
use crate::model::tcp::lwip::{MainLoop, Options, Version};

/// Most entries of a list in a record.
const LIST_LIMIT: usize = 100_000;

/// A number that must be there.
pub fn number(value: &Value, key: &str) -> Result<u64, String> {
    value[key].as_u64().ok_or_else(|| format!("`{key}` is {}, allowed: a number", value[key]))
}

/// A number that may be missing.
pub fn number_or(value: &Value, key: &str, default: u64) -> Result<u64, String> {
    if value[key].is_null() { Ok(default) } else { number(value, key) }
}

/// A switch that may be missing; 0 and 1 will do.
pub fn switch_or(value: &Value, key: &str, default: bool) -> bool {
    value[key].as_bool().or_else(|| value[key].as_u64().map(|n| n != 0)).unwrap_or(default)
}

/// A list that may be missing.
pub fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], String> {
    match &value[key] {
        Value::Null => Ok(&[]),
        Value::Array(items) if items.len() <= LIST_LIMIT => Ok(items),
        _ => Err(format!("`{key}` is no list of at most {LIST_LIMIT} entries")),
    }
}

/// A list of sizes that may be missing.
pub fn sizes(value: &Value, key: &str) -> Result<Vec<u32>, String> {
    let size = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
    let sizes: Option<Vec<u32>> = list(value, key)?.iter().map(size).collect();
    sizes.ok_or_else(|| format!("`{key}` has an entry that is no size"))
}

/// The options of a stack, all of which a record names.
pub fn options(effective: &Value, version: &Value) -> Result<Options, String> {
    let get = |key: &str| {
        let n = number(effective, key)?;
        u32::try_from(n).map_err(|_| format!("`{key}` is {n}: too large"))
    };
    let small = |key: &str| {
        let n = get(key)?;
        u8::try_from(n).map_err(|_| format!("`{key}` is {n}: too large"))
    };
    let version = match version.as_str() {
        Some(text) if text.starts_with("2.1.") => Version::V2_1,
        Some(text) if text.starts_with("2.2.") => Version::V2_2,
        _ => return Err(format!("`version` is {version}, allowed: 2.1.x and 2.2.x")),
    };
    Ok(Options {
        tcp_mss: get("TCP_MSS")?,
        tcp_wnd: get("TCP_WND")?,
        tcp_snd_buf: get("TCP_SND_BUF")?,
        tcp_snd_queuelen: get("TCP_SND_QUEUELEN")?,
        tcp_tmr_interval_ms: get("TCP_TMR_INTERVAL")?.max(1),
        tcp_wnd_update_threshold: get("TCP_WND_UPDATE_THRESHOLD")?,
        tcp_queue_ooseq: get("TCP_QUEUE_OOSEQ")? != 0,
        tcp_oversize: get("TCP_OVERSIZE")?,
        tcp_maxrtx: small("TCP_MAXRTX")?,
        tcp_synmaxrtx: small("TCP_SYNMAXRTX")?,
        mem_size: get("MEM_SIZE")?,
        memp_num_tcp_pcb: get("MEMP_NUM_TCP_PCB")?,
        memp_num_tcp_pcb_listen: get("MEMP_NUM_TCP_PCB_LISTEN")?,
        memp_num_tcp_seg: get("MEMP_NUM_TCP_SEG")?,
        memp_num_pbuf: get("MEMP_NUM_PBUF")?,
        pbuf_pool_size: get("PBUF_POOL_SIZE")?,
        pbuf_pool_bufsize: get("PBUF_POOL_BUFSIZE")?,
        nodelay: false,
        version,
    })
}

/// The main loop of the stack under test.
pub fn main_loop(value: &Value) -> Result<MainLoop, String> {
    let us = |n: u64| SimTime::ZERO + SimSpan::us(n);
    let mut stalls = Vec::new();
    for stall in list(value, "stalls")? {
        match (stall[0].as_u64(), stall[1].as_u64()) {
            (Some(from), Some(until)) if from <= until => stalls.push((us(from), us(until))),
            _ => return Err(format!("a stall is {stall}")),
        }
    }
    let mut order = MainLoop::default().order;
    if let Some(text) = value["order"].as_str() {
        let duties: Option<Vec<Duty>> = text.split(',').map(duty).collect();
        let duties = duties.and_then(|duties| duties.try_into().ok());
        order = duties.ok_or_else(|| format!("`order` is {text}"))?;
    }
    Ok(MainLoop {
        period: SimSpan::us(number_or(value, "period_us", 0)?),
        stalls,
        rx_per_pass: number_or(value, "rx_per_pass", 0)? as u32,
        rx_ring: number_or(value, "rx_ring", 0)? as u32,
        order,
    })
}

fn duty(word: &str) -> Option<Duty> {
    match word.trim() {
        "rx" => Some(Duty::Frames),
        "timers" => Some(Duty::Timers),
        "app" => Some(Duty::App),
        _ => None,
    }
}
