//! lwIP's memory: the heap, the pools, and the packet buffers made of both.
//!
//! Everything is counted as lwIP's statistics count it, and nothing is stored: a buffer knows its
//! size and place, not its content. One [`Memory`] belongs to one host and serves all its
//! connections. Read section 2 of `docs/models/tcp-lwip.md` before editing.

pub mod heap;
pub mod memp;
pub mod pbuf;

pub use heap::{Block, Heap};
pub use memp::{Pool, PoolKind, Usage};
pub use pbuf::{Layer, Pbuf, PbufId, PbufKind};

use super::options::Options;

/// `MEM_ALIGNMENT`: sizes are multiples of it. Cortex-M boards use 4.
pub const ALIGNMENT: u32 = 4;

/// The next multiple of [`ALIGNMENT`]. lwIP `mem.h:LWIP_MEM_ALIGN_SIZE`.
pub const fn aligned(bytes: u32) -> u32 {
    bytes.div_ceil(ALIGNMENT) * ALIGNMENT
}

/// Heap, pools and buffers of one host.
#[derive(Clone, PartialEq, Debug)]
pub struct Memory {
    /// `mem.c`: transmit data, SYNs and empty acknowledgements live here.
    pub heap: Heap,
    /// `MEMP_TCP_PCB`: connections.
    pub tcp_pcb: Pool,
    /// `MEMP_TCP_PCB_LISTEN`: listeners.
    pub tcp_pcb_listen: Pool,
    /// `MEMP_TCP_SEG`: queued segments, those out of order too.
    pub tcp_seg: Pool,
    /// `MEMP_PBUF`: descriptors of data that stay where they are.
    pub pbuf: Pool,
    /// `MEMP_PBUF_POOL`: receive buffers.
    pub pbuf_pool: Pool,
    /// Receive buffers of a driver that does not copy (`pbuf_custom`); none without one.
    pub custom: Pool,
    /// The receive pool ran dry, and the next check of timers frees data out of order.
    /// `pbuf.c:pbuf_free_ooseq_pending`.
    pub free_ooseq_pending: bool,
    /// Data bytes of one receive buffer, aligned. `PBUF_POOL_BUFSIZE_ALIGNED`.
    pool_bufsize: u32,
    pbufs: Vec<Pbuf>,
    /// Places in `pbufs` that are free, the last freed on top.
    free: Vec<u32>,
}

impl Memory {
    /// Memory of a host with these options, all of it free.
    pub fn new(options: &Options) -> Memory {
        Memory {
            heap: Heap::new(options.mem_size),
            tcp_pcb: Pool::new(options.memp_num_tcp_pcb),
            tcp_pcb_listen: Pool::new(options.memp_num_tcp_pcb_listen),
            tcp_seg: Pool::new(options.memp_num_tcp_seg),
            pbuf: Pool::new(options.memp_num_pbuf),
            pbuf_pool: Pool::new(options.pbuf_pool_size),
            custom: Pool::new(0),
            free_ooseq_pending: false,
            pool_bufsize: aligned(options.pbuf_pool_bufsize),
            pbufs: Vec::new(),
            free: Vec::new(),
        }
    }

    /// A pool by its kind.
    pub fn pool(&self, kind: PoolKind) -> &Pool {
        match kind {
            PoolKind::TcpPcb => &self.tcp_pcb,
            PoolKind::TcpPcbListen => &self.tcp_pcb_listen,
            PoolKind::TcpSeg => &self.tcp_seg,
            PoolKind::Pbuf => &self.pbuf,
            PoolKind::PbufPool => &self.pbuf_pool,
        }
    }

    /// Whether nothing is in use, but for connections and listeners.
    pub fn is_all_free(&self) -> bool {
        let pools = [&self.tcp_seg, &self.pbuf, &self.pbuf_pool];
        self.heap.usage.used == 0 && pools.iter().all(|pool| pool.usage.used == 0)
    }
}
