//! Unit records: operations on the heap, and what allocating a packet buffer takes.

use serde_json::Value;

use super::setup::number;
use crate::cli::validate::{Case, Verdict};
use crate::model::stm32::{Board, Config};
use crate::model::tcp::lwip::memory::{Heap, Layer, Memory, PbufId};
use crate::model::tcp::lwip::{MainLoop, Options};

/// Heap operations.
pub const HEAP_SCHEMA: &str = "lwip-truth-heap/1";
/// Packet buffers.
pub const PBUF_SCHEMA: &str = "lwip-truth-pbuf/1";

const GROUP: &str = "lwip memory-unit";

/// Replays `lwip-truth-heap/1`.
pub fn replay_heap(record: &Value) -> Vec<Case> {
    vec![case(record, heap(record))]
}

/// Replays `lwip-truth-pbuf/1`.
pub fn replay_pbuf(record: &Value) -> Vec<Case> {
    vec![case(record, pbuf(record))]
}

/// The memory of a board with these options.
fn memory_of_board(options: Options) -> Memory {
    let config = Config::without_costs(options, 1_500, MainLoop::default());
    Board::new(config).stack.core.memory
}

fn case(record: &Value, outcome: Result<String, String>) -> Case {
    let id = record["id"].as_str().unwrap_or("-");
    let mut case = Case::new(id, GROUP, Verdict::Passed);
    match outcome {
        Ok(note) => case.note = note,
        Err(why) => case.verdict = Verdict::Failed(why),
    }
    case
}

fn heap(record: &Value) -> Result<String, String> {
    let mem_size = number(&record["options_set"], "MEM_SIZE")? as u32;
    let mut memory = memory_of_board(Options { mem_size, ..Options::default() });
    let heap: &mut Heap = &mut memory.heap;
    let mut places: std::collections::BTreeMap<i64, u32> = Default::default();
    let ops = record["ops"].as_array().ok_or("`ops` is no list")?;
    for (index, op) in ops.iter().enumerate() {
        let at = |why: String| format!("op {} ({op}): {why}", index + 1);
        let arg = |i: usize| {
            op[i].as_i64().ok_or_else(|| at(format!("argument {i} is {}, no number", op[i])))
        };
        let id = arg(1)?;
        let expected_used = match op[0].as_str() {
            Some("malloc") => {
                let place = heap.malloc(arg(2)? as u32);
                let expected = arg(3)?;
                let found = place.map_or(-1, i64::from);
                if found != expected {
                    return Err(at(format!("ours is at {found}")));
                }
                places.extend(place.map(|place| (id, place)));
                arg(4)?
            }
            Some("free") => {
                let place = places.remove(&id).ok_or_else(|| at("nothing to free".into()))?;
                heap.free(place);
                arg(2)?
            }
            Some("trim") => {
                let place = places.get(&id).ok_or_else(|| at("nothing to trim".into()))?;
                heap.trim(*place, arg(2)? as u32);
                arg(3)?
            }
            _ => return Err(at("not known".into())),
        };
        if i64::from(heap.usage.used) != expected_used {
            return Err(at(format!("we use {} B", heap.usage.used)));
        }
    }
    let last = &record["final"];
    let usage = heap.usage;
    for (key, found) in
        [("avail", usage.avail), ("used", usage.used), ("max", usage.max), ("err", usage.err)]
    {
        if number(last, key)? != u64::from(found) {
            return Err(format!("at the end `{key}` is {}, ours {found}", last[key]));
        }
    }
    Ok(format!("{} operations", ops.len()))
}

fn pbuf(record: &Value) -> Result<String, String> {
    let set = &record["options_set"];
    let options = Options {
        mem_size: number(set, "MEM_SIZE")? as u32,
        pbuf_pool_size: number(set, "PBUF_POOL_SIZE")? as u32,
        pbuf_pool_bufsize: number(set, "PBUF_POOL_BUFSIZE")? as u32,
        ..Options::default()
    };
    let mut memory = memory_of_board(options);
    let rows = record["rows"].as_array().ok_or("`rows` is no list")?;
    for (index, row) in rows.iter().enumerate() {
        row_of_pbuf(&mut memory, row).map_err(|why| format!("row {}: {why}", index + 1))?;
    }
    Ok(format!("{} allocations", rows.len()))
}

fn row_of_pbuf(memory: &mut Memory, row: &Value) -> Result<(), String> {
    let length = number(row, "length")? as u32;
    let layer = match row["layer"].as_str() {
        Some("TRANSPORT") => Layer::Transport,
        Some("IP") => Layer::Ip,
        Some("LINK") => Layer::Link,
        Some("RAW") => Layer::Raw,
        _ => return Err(format!("`layer` is {}", row["layer"])),
    };
    let chain: Option<PbufId> = match row["type"].as_str() {
        Some("RAM") => memory.alloc_ram(layer, length),
        Some("POOL") => memory.alloc_pool(layer, length),
        Some("ROM" | "REF") => memory.alloc_rom(0, length),
        _ => return Err(format!("`type` is {}", row["type"])),
    };
    let lens: Option<Vec<u64>> =
        chain.map(|chain| memory.chain(chain).map(|piece| u64::from(piece.len)).collect());
    if row["chain_lens"] != serde_json::json!(lens) {
        return Err(format!("chain {}, ours {lens:?}", row["chain_lens"]));
    }
    for (key, found) in [
        ("heap_used", memory.heap.usage.used),
        ("pool_used", memory.pbuf_pool.usage.used),
        ("ref_rom_used", memory.pbuf.usage.used),
    ] {
        if number(row, key)? != u64::from(found) {
            return Err(format!("`{key}` is {}, ours {found}", row[key]));
        }
    }
    let n_freed = chain.map_or(0, |chain| memory.free(chain));
    if row["pbuf_free_returned"].as_u64().unwrap_or(0) != u64::from(n_freed) {
        return Err(format!("{} pieces are freed, ours {n_freed}", row["pbuf_free_returned"]));
    }
    Ok(())
}
