//! The link between the two ends: two wires with delay, rate and planned losses.

use serde_json::Value;

use super::setup::{list, number, number_or};

/// Bytes around an IP packet: preamble 8, header 14, check sum 4, gap 12.
const FRAME_BYTES: u64 = 38;
/// Least payload of an Ethernet frame in bytes.
const LEAST_PAYLOAD: u64 = 46;
const PS_PER_US: u128 = 1_000_000;
const PS_PER_S: u128 = 1_000_000_000_000;

/// What is lost on a wire.
#[derive(Clone, Debug)]
enum Loss {
    Packets(Vec<u64>),
    Data(Vec<u64>),
    Between(u64, u64),
}

/// One direction.
#[derive(Clone, Debug)]
pub struct Wire {
    delay_us: u64,
    rate_bps: u64,
    losses: Vec<Loss>,
    /// When the last bit of what was sent so far is on the wire, in ps.
    free_ps: u128,
    n_packets: u64,
    n_data: u64,
}

impl Wire {
    /// The wire of the direction `dir` (`d>p` or `p>d`).
    pub fn new(link: &Value, dir: &str) -> Result<Wire, String> {
        let mut losses = Vec::new();
        for loss in list(link, "loss")?.iter().filter(|loss| loss["dir"] == dir) {
            let n_before = losses.len();
            losses.extend(counted(loss, "nth_packet")?.map(Loss::Packets));
            losses.extend(counted(loss, "nth_data")?.map(Loss::Data));
            let has_time = !loss["after_us"].is_null() || !loss["until_us"].is_null();
            if has_time || losses.len() == n_before {
                let until = number_or(loss, "until_us", u64::MAX)?;
                losses.push(Loss::Between(number_or(loss, "after_us", 0)?, until));
            }
        }
        Ok(Wire {
            delay_us: number(link, "delay_us")?,
            rate_bps: number_or(link, "rate_bps", 0)?,
            losses,
            free_ps: 0,
            n_packets: 0,
            n_data: 0,
        })
    }

    /// Sends a packet at `t_us`: when it arrives, and whether it does.
    pub fn send(&mut self, t_us: u64, ip_bytes: u32, has_data: bool) -> (u64, bool) {
        self.n_packets += 1;
        self.n_data += u64::from(has_data);
        let is_lost = self.losses.iter().any(|loss| match loss {
            Loss::Packets(nth) => nth.contains(&self.n_packets),
            Loss::Data(nth) => has_data && nth.contains(&self.n_data),
            Loss::Between(from, until) => *from <= t_us && t_us < *until,
        });
        let t_ps = u128::from(t_us) * PS_PER_US;
        let mut end_ps = t_ps;
        if 0 < self.rate_bps {
            let bytes = u64::from(ip_bytes).max(LEAST_PAYLOAD) + FRAME_BYTES;
            let time_ps = u128::from(bytes * 8) * PS_PER_S / u128::from(self.rate_bps);
            end_ps = t_ps.max(self.free_ps) + time_ps;
            self.free_ps = end_ps;
        }
        let arrive_us = (end_ps + PS_PER_US / 2) / PS_PER_US + u128::from(self.delay_us);
        (arrive_us as u64, is_lost)
    }
}

/// The places that a loss names under `key`, if it names any.
fn counted(loss: &Value, key: &str) -> Result<Option<Vec<u64>>, String> {
    if loss[key].is_null() {
        return Ok(None);
    }
    let places: Option<Vec<u64>> = list(loss, key)?.iter().map(Value::as_u64).collect();
    places.map(Some).ok_or_else(|| format!("`{key}` has an entry that is no number"))
}
