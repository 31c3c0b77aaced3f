//! What all connections of a host share: options, memory, time and the way out.

use super::memory::Memory;
use super::options::Options;
use super::pcb::{Addr, PcbId, TcpSeg};
use crate::kernel::SimTime;
use crate::model::tcp::Segment;

/// Why a call failed, with lwIP's numbers. `err.h:err_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fail {
    /// Out of memory.
    Mem = -1,
    /// Out of buffers.
    Buf = -2,
    /// A value is not allowed.
    Val = -6,
    /// The address is in use.
    Use = -8,
    /// Already connected.
    IsConn = -10,
    /// Not connected.
    Conn = -11,
    /// The network device took it not.
    If = -12,
    /// The connection was aborted.
    Abrt = -13,
    /// The other end reset the connection.
    Rst = -14,
    /// The connection is closed.
    Clsd = -15,
}

/// A packet that was handed to the network device.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Frame {
    /// Between whom.
    pub addr: Addr,
    /// Its connection, if it has one.
    pub pcb: Option<PcbId>,
    /// The segment.
    pub segment: Segment,
    /// Pieces of the chain that it was made of.
    pub n_pbufs: u32,
    /// False: the device refused it (`ERR_IF`), and it never left.
    pub is_sent: bool,
}

/// The network device, as far as the stack sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Netif {
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Longest chain that the driver takes; 0 = any. ST's zero-copy driver: `ETH_TX_DESC_CNT`.
    pub tx_max_pbufs: u32,
    /// So many of the next frames are refused.
    pub tx_fail: u32,
    /// So many frames find a descriptor before the driver runs again; `u32::MAX` = any number.
    pub tx_room: u32,
    /// A driver takes what was handed over: sockets leave it there.
    pub has_driver: bool,
    /// What was handed over, in order, until somebody takes it away.
    pub frames: Vec<Frame>,
}

/// Counts of `stats.h:struct stats_proto` for TCP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpStats {
    /// Segments handed to the network device.
    pub xmit: u32,
    /// Segments received.
    pub recv: u32,
    /// Segments thrown away.
    pub drop: u32,
    /// Failures for want of memory or queue.
    pub memerr: u32,
    /// Calls of `tcp_write`, refused ones too: work for the processor.
    pub writes: u32,
    /// Bytes that they queued.
    pub written: u64,
    /// Segments freed.
    pub freed: u32,
}

/// Options, memory, time and the way out.
#[derive(Clone, PartialEq, Debug)]
pub struct Core {
    /// The options.
    pub options: Options,
    /// Heap, pools and buffers.
    pub memory: Memory,
    /// The network device.
    pub netif: Netif,
    /// Counts.
    pub stats: TcpStats,
    /// Runs of the slow timer. `tcp.c:tcp_ticks`.
    pub ticks: u32,
    /// The time of the present call.
    pub now: SimTime,
    /// Whose callbacks run: it sends nothing meanwhile. `tcp_in.c:tcp_input_pcb`.
    pub input_pcb: Option<PcbId>,
    /// That connection was closed by a callback. `tcp_in.c:tcp_trigger_input_pcb_close`.
    pub input_closed: bool,
}

impl Core {
    /// Frees a segment and its data. `tcp.c:tcp_seg_free`.
    pub fn free_seg(&mut self, seg: TcpSeg) {
        self.stats.freed += 1;
        self.memory.free(seg.chain);
        self.memory.tcp_seg.give();
    }

    /// Hands a packet to the network device.
    pub(super) fn transmit(
        &mut self,
        addr: Addr,
        pcb: Option<PcbId>,
        segment: Segment,
        n_pbufs: u32,
    ) -> Result<(), Fail> {
        self.stats.xmit += 1;
        let netif = &mut self.netif;
        let too_long = 0 < netif.tx_max_pbufs && netif.tx_max_pbufs < n_pbufs;
        let fails = 0 < netif.tx_fail;
        netif.tx_fail = netif.tx_fail.saturating_sub(1);
        let is_full = netif.tx_room == 0;
        let is_sent = !too_long && !fails && !is_full;
        if is_sent && netif.tx_room != u32::MAX {
            netif.tx_room -= 1;
        }
        netif.frames.push(Frame { addr, pcb, segment, n_pbufs, is_sent });
        if is_sent { Ok(()) } else { Err(Fail::If) }
    }

    /// The largest segment that fits through the device. `tcp.c:tcp_eff_send_mss_netif`.
    pub(super) fn fit_mss(&self, mss: u32) -> u32 {
        mss.min(self.netif.mtu.saturating_sub(40)).max(1)
    }
}
