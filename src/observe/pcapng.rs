//! Segments as a pcapng file, as a capture on one host would have taken it.
//!
//! Ethernet frames with IPv4 and TCP headers, real checksums, and options laid out as Linux and
//! lwIP do. Times are in ns. The payload's bytes follow from their place in the stream, so that a
//! segment that is sent again has the same ones. Addresses: host n is 10.0.0.n+1; a channel's
//! `from` has port 40000 + n, its `to` 7000 + n, and every new connection another `from` port.
//! Formats: draft-ietf-opsawg-pcapng; RFC 791, RFC 9293 section 3.1, RFC 7323, RFC 2018.

use std::collections::BTreeMap;

use crate::kernel::SimTime;
use crate::model::fact::Fact;
use crate::model::message::{ChannelId, HostId};
use crate::model::tcp::{Flags, Segment};

/// Most frames that are on their way to the host at once.
const MAX_FLYING: usize = 1_000_000;
/// Longest payload: what fits an IPv4 packet.
const MAX_PAYLOAD: u32 = 65_495;

/// Where a channel's two ends are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The hosts of the channel's `from` and `to`.
    pub hosts: [HostId; 2],
}

/// A capture on one host: feed it facts, take the file's bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct Capture {
    at: HostId,
    routes: BTreeMap<ChannelId, Route>,
    /// Frames on their way to the host.
    flying: BTreeMap<u64, (ChannelId, bool, Segment)>,
    /// Connections begun so far, by channel.
    epochs: BTreeMap<ChannelId, u16>,
    ip_ids: [u16; 2],
    packet: Vec<u8>,
    /// Packets written.
    pub n_packets: u64,
}

impl Capture {
    /// A capture on `at` of the tcp channels with these routes.
    pub fn new(at: HostId, routes: BTreeMap<ChannelId, Route>) -> Capture {
        Capture {
            at,
            routes,
            flying: BTreeMap::new(),
            epochs: BTreeMap::new(),
            ip_ids: [0; 2],
            packet: Vec::new(),
            n_packets: 0,
        }
    }

    /// The file's first blocks: section header and interface. `host` is its name, `title` the
    /// scenario's.
    pub fn begin(&self, host: &str, title: &str, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        body.extend_from_slice(&0x1A2B_3C4D_u32.to_le_bytes());
        body.extend_from_slice(&1_u16.to_le_bytes());
        body.extend_from_slice(&0_u16.to_le_bytes());
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        option(&mut body, 1, title.as_bytes());
        option(&mut body, 4, concat!("inflight ", env!("CARGO_PKG_VERSION")).as_bytes());
        option(&mut body, 0, &[]);
        block(out, 0x0A0D_0D0A, &body);
        body.clear();
        // LINKTYPE_ETHERNET, no limit to the length of a packet.
        body.extend_from_slice(&1_u16.to_le_bytes());
        body.extend_from_slice(&[0; 6]);
        option(&mut body, 2, host.as_bytes());
        // if_tsresol: 10 to the power of -9 s.
        option(&mut body, 9, &[9]);
        option(&mut body, 0, &[]);
        block(out, 1, &body);
    }

    /// Takes in a fact; appends a block when the host sees a packet leave or arrive.
    pub fn take(&mut self, at: SimTime, fact: &Fact, segment: Option<&Segment>, out: &mut Vec<u8>) {
        match *fact {
            Fact::SegmentDeparted { frame, channel, back, .. } => {
                let (Some(segment), Some(route)) = (segment, self.routes.get(&channel).copied())
                else {
                    return;
                };
                let is_first = segment.flags == Flags::SYN && !segment.again && !back;
                if is_first {
                    *self.epochs.entry(channel).or_insert(0) += 1;
                }
                let [from, to] = route.hosts;
                let (sender, receiver) = if back { (to, from) } else { (from, to) };
                if sender == self.at {
                    self.write(at, channel, back, route, segment, out);
                } else if receiver == self.at && self.flying.len() < MAX_FLYING {
                    self.flying.insert(frame, (channel, back, *segment));
                }
            }
            Fact::SegmentLost { frame, .. } => drop(self.flying.remove(&frame)),
            Fact::SegmentArrived { frame, .. } => {
                // What the wire doubled comes twice; the copy follows at once.
                let Some((channel, back, segment)) = self.flying.remove(&frame) else { return };
                let Some(route) = self.routes.get(&channel).copied() else { return };
                self.write(at, channel, back, route, &segment, out);
            }
            _ => {}
        }
    }

    fn write(
        &mut self,
        at: SimTime,
        channel: ChannelId,
        back: bool,
        route: Route,
        segment: &Segment,
        out: &mut Vec<u8>,
    ) {
        let epoch = self.epochs.get(&channel).copied().unwrap_or(1);
        let mut packet = std::mem::take(&mut self.packet);
        packet.clear();
        let id = &mut self.ip_ids[usize::from(back)];
        *id = id.wrapping_add(1);
        frame_of(channel, back, route, segment, (epoch, *id), &mut packet);
        // Enhanced packet block: interface, time in two halves, length captured and in full.
        let mut body = Vec::with_capacity(packet.len() + 40);
        body.extend_from_slice(&0_u32.to_le_bytes());
        body.extend_from_slice(&((at.ns() >> 32) as u32).to_le_bytes());
        body.extend_from_slice(&(at.ns() as u32).to_le_bytes());
        body.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        body.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        body.extend_from_slice(&packet);
        pad(&mut body);
        block(out, 6, &body);
        self.packet = packet;
        self.n_packets += 1;
    }
}

/// A block: type, length, body, length again.
fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = body.len() as u32 + 12;
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&length.to_le_bytes());
}

/// An option of a block, padded to four bytes.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Initial sequence number of an end: any number will do, but always the same.
fn initial(channel: ChannelId, back: bool, epoch: u16) -> u32 {
    let seed = u64::from(channel.0) << 32 | u64::from(epoch) << 8 | u64::from(back);
    (seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// The byte at a position of a stream.
fn byte_at(position: u64) -> u8 {
    b'a' + (position % 26) as u8
}

/// Appends the Ethernet frame of a segment.
fn frame_of(
    channel: ChannelId,
    back: bool,
    route: Route,
    segment: &Segment,
    (epoch, id): (u16, u16),
    out: &mut Vec<u8>,
) {
    let ports = [40_000_u16.wrapping_add(channel.0).wrapping_add(epoch * 400), 7_000 + channel.0];
    let (source, target) = if back { (1, 0) } else { (0, 1) };
    let hosts = [route.hosts[source], route.hosts[target]];
    let ends = hosts.map(|host| [10, 0, (host.0 >> 8) as u8, (host.0 as u8).wrapping_add(1)]);
    for host in [hosts[1], hosts[0]] {
        out.extend_from_slice(&[2, 0, 0, 0, (host.0 >> 8) as u8, (host.0 as u8).wrapping_add(1)]);
    }
    out.extend_from_slice(&0x0800_u16.to_be_bytes());
    let len = segment.len.min(MAX_PAYLOAD);
    let ip = out.len();
    let total = (segment.ip_bytes() - segment.len + len) as u16;
    out.extend_from_slice(&[0x45, 0]);
    out.extend_from_slice(&total.to_be_bytes());
    out.extend_from_slice(&id.to_be_bytes());
    // Don't fragment; 64 hops; TCP; a checksum to be filled in.
    out.extend_from_slice(&[0x40, 0, 64, 6, 0, 0]);
    ends.iter().for_each(|end| out.extend_from_slice(end));
    let sum = checksum(0, &out[ip..]);
    out[ip + 10..ip + 12].copy_from_slice(&sum.to_be_bytes());
    let tcp = out.len();
    out.extend_from_slice(&ports[source].to_be_bytes());
    out.extend_from_slice(&ports[target].to_be_bytes());
    let seq = initial(channel, back, epoch).wrapping_add(segment.seq as u32);
    out.extend_from_slice(&seq.to_be_bytes());
    let has_ack = segment.flags.has(Flags::ACK);
    let theirs = initial(channel, !back, epoch);
    let ack = if has_ack { theirs.wrapping_add(segment.ack as u32) } else { 0 };
    out.extend_from_slice(&ack.to_be_bytes());
    let words = (20 + segment.option_bytes()) / 4;
    out.extend_from_slice(&[(words as u8) << 4, segment.flags.0]);
    let is_syn = segment.flags.has(Flags::SYN);
    let shift = if is_syn { 0 } else { segment.window_shift.min(14) };
    let window = (segment.window >> shift).min(u32::from(u16::MAX)) as u16;
    out.extend_from_slice(&window.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    options_of(segment, theirs, out);
    out.extend((0..u64::from(len)).map(|i| byte_at(segment.seq + i)));
    let length = (out.len() - tcp) as u32;
    let pseudo: u32 = ends.iter().flatten().enumerate().fold(6 + length, |sum, (i, byte)| {
        sum + (u32::from(*byte) << if i % 2 == 0 { 8 } else { 0 })
    });
    let sum = checksum(pseudo, &out[tcp..]);
    out[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
}

/// The options, laid out so that they fill [`Segment::option_bytes`].
fn options_of(segment: &Segment, theirs: u32, out: &mut Vec<u8>) {
    if let Some(mss) = segment.mss {
        out.extend_from_slice(&[2, 4]);
        out.extend_from_slice(&mss.to_be_bytes());
    }
    match (segment.stamps, segment.sack_permitted) {
        (Some(_), true) => out.extend_from_slice(&[4, 2]),
        (Some(_), false) => out.extend_from_slice(&[1, 1]),
        (None, true) => out.extend_from_slice(&[1, 1, 4, 2]),
        (None, false) => {}
    }
    if let Some(stamps) = segment.stamps {
        out.extend_from_slice(&[8, 10]);
        out.extend_from_slice(&stamps.value.to_be_bytes());
        out.extend_from_slice(&stamps.echo.to_be_bytes());
    }
    if let Some(shift) = segment.wscale {
        out.extend_from_slice(&[1, 3, 3, shift]);
    }
    let blocks = segment.sack.blocks();
    if !blocks.is_empty() {
        out.extend_from_slice(&[1, 1, 5, 2 + 8 * blocks.len() as u8]);
        for (from, to) in blocks {
            out.extend_from_slice(&theirs.wrapping_add(*from as u32).to_be_bytes());
            out.extend_from_slice(&theirs.wrapping_add(*to as u32).to_be_bytes());
        }
    }
}

/// The Internet checksum over `bytes` and what `start` holds already. RFC 1071.
fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let mut sum = u64::from(start);
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([pair[0], low]));
    }
    while 0xFFFF < sum {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp::Stamps;

    #[test]
    fn the_checksum_of_what_has_one_is_zero() {
        let segment = Segment {
            flags: Flags::ACK.with(Flags::PSH),
            seq: 1,
            ack: 7,
            len: 101,
            window: 64_000,
            window_shift: 7,
            stamps: Some(Stamps { value: 4, echo: 9 }),
            ..Segment::default()
        };
        let route = Route { hosts: [HostId(0), HostId(1)] };
        let mut out = Vec::new();
        frame_of(ChannelId(0), false, route, &segment, (1, 1), &mut out);
        assert_eq!(out.len() as u32, 14 + segment.ip_bytes());
        assert_eq!(checksum(0, &out[14..34]), 0);
        let length = (out.len() - 34) as u32;
        let pseudo = 6 + length + 2 * (10 << 8) + 1 + 2;
        assert_eq!(checksum(pseudo, &out[34..]), 0);
    }

    #[test]
    fn blocks_are_whole_words_and_end_with_their_length() {
        let capture = Capture::new(HostId(0), BTreeMap::new());
        let mut out = Vec::new();
        capture.begin("client", "a title", &mut out);
        let length = u32::from_le_bytes([out[4], out[5], out[6], out[7]]) as usize;
        assert_eq!(length % 4, 0);
        assert_eq!(out[length - 4..length], (length as u32).to_le_bytes());
        assert_eq!(out[length..length + 4], 1_u32.to_le_bytes());
    }
}
