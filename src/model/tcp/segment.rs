//! One TCP segment, without its payload's content. RFC 9293 section 3.1.
//!
//! Stream positions are counted from the initial sequence number in 64 bits (SYN is 0, the first
//! byte 1): nothing wraps here. Whoever writes packets takes the low 32 bits.

/// Control bits. RFC 9293 section 3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Flags = Flags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Flags = Flags(0x02);
    /// Reset the connection.
    pub const RST: Flags = Flags(0x04);
    /// Push.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgement field counts.
    pub const ACK: Flags = Flags(0x10);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` too.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Without the bits of `other`.
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// The timestamps option, in ms. RFC 7323 section 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamps {
    /// The sender's clock.
    pub value: u32,
    /// The newest value heard from the other end.
    pub echo: u32,
}

/// Selective acknowledgement: up to four half-open ranges of stream positions. RFC 2018.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sack {
    blocks: [(u64, u64); 4],
    n: u8,
}

impl Sack {
    /// Adds a range; one more than four is left out.
    pub fn push(&mut self, from: u64, to: u64) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.n)) {
            *slot = (from, to);
            self.n += 1;
        }
    }

    /// The ranges, in the order of the option.
    pub fn blocks(&self) -> &[(u64, u64)] {
        &self.blocks[..usize::from(self.n)]
    }
}

/// A segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Segment {
    /// Control bits.
    pub flags: Flags,
    /// Position of its first byte (or of its SYN).
    pub seq: u64,
    /// Next position expected from the other end, if `ACK` is set.
    pub ack: u64,
    /// Payload in bytes.
    pub len: u32,
    /// The window offered, in bytes (scaling undone).
    pub window: u32,
    /// By how many bits the window field is shifted; not in SYN segments.
    pub window_shift: u8,
    /// Option: maximum segment size (SYN only).
    pub mss: Option<u16>,
    /// Option: window scale (SYN only).
    pub wscale: Option<u8>,
    /// Option: SACK permitted (SYN only).
    pub sack_permitted: bool,
    /// Option: timestamps.
    pub stamps: Option<Stamps>,
    /// Option: selective acknowledgement.
    pub sack: Sack,
    /// All its sequence space was sent before.
    pub again: bool,
}

/// Bytes of an IPv4 header without options.
pub const IP_HEADER: u32 = 20;
/// Bytes of a TCP header without options.
pub const TCP_HEADER: u32 = 20;

impl Segment {
    /// Sequence space it takes: payload, SYN and FIN.
    pub fn space(&self) -> u64 {
        let bit = |flag| u64::from(self.flags.has(flag));
        u64::from(self.len) + bit(Flags::SYN) + bit(Flags::FIN)
    }

    /// One past its last position.
    pub fn end(&self) -> u64 {
        self.seq + self.space()
    }

    /// Bytes of TCP options, padded as Linux and lwIP lay them out: timestamps 12 (in a SYN with
    /// SACK permitted the two share their padding), SACK 4 + 8 a block.
    pub fn option_bytes(&self) -> u32 {
        let mut bytes = 0;
        if self.mss.is_some() {
            bytes += 4;
        }
        bytes += match (self.stamps.is_some(), self.sack_permitted) {
            (true, _) => 12,
            (false, true) => 4,
            (false, false) => 0,
        };
        if self.wscale.is_some() {
            bytes += 4;
        }
        let n = self.sack.blocks().len() as u32;
        if 0 < n {
            bytes += 4 + 8 * n;
        }
        bytes
    }

    /// Bytes of the IPv4 packet.
    pub fn ip_bytes(&self) -> u32 {
        IP_HEADER + TCP_HEADER + self.option_bytes() + self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linux_syn_has_twenty_bytes_of_options() {
        let syn = Segment {
            flags: Flags::SYN,
            mss: Some(1460),
            wscale: Some(10),
            sack_permitted: true,
            stamps: Some(Stamps::default()),
            ..Segment::default()
        };
        assert_eq!(syn.option_bytes(), 20);
        assert_eq!(syn.ip_bytes(), 60);
        assert_eq!(syn.space(), 1);
    }

    #[test]
    fn a_full_segment_with_timestamps_fills_1500_bytes() {
        let full = Segment {
            flags: Flags::ACK,
            seq: 1,
            len: 1448,
            stamps: Some(Stamps::default()),
            ..Segment::default()
        };
        assert_eq!(full.ip_bytes(), 1500);
        assert_eq!(full.end(), 1449);
    }
}
