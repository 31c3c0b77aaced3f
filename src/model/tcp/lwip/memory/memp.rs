//! lwIP's pools (`memp.c`): fixed numbers of elements, handed out and taken back in constant time.
//!
//! An empty pool refuses and counts; nobody waits. Which element of a pool it is makes no
//! difference to anything, so only numbers are kept.

/// What lwIP's statistics keep of a pool or of the heap. `stats.h:struct stats_mem`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Elements or bytes there are.
    pub avail: u32,
    /// In use.
    pub used: u32,
    /// The most that were in use.
    pub max: u32,
    /// Refused requests.
    pub err: u32,
}

impl Usage {
    /// Takes `n` more.
    pub fn add(&mut self, n: u32) {
        self.used += n;
        self.max = self.max.max(self.used);
    }
}

/// The pools that TCP uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolKind {
    /// `TCP_PCB`.
    TcpPcb,
    /// `TCP_PCB_LISTEN`.
    TcpPcbListen,
    /// `TCP_SEG`.
    TcpSeg,
    /// `PBUF_REF/ROM`.
    Pbuf,
    /// `PBUF_POOL`.
    PbufPool,
}

impl PoolKind {
    /// All of them, in the order of `memp_std.h`.
    pub const ALL: [PoolKind; 5] = [
        PoolKind::TcpPcb,
        PoolKind::TcpPcbListen,
        PoolKind::TcpSeg,
        PoolKind::Pbuf,
        PoolKind::PbufPool,
    ];

    /// Its name in lwIP's statistics.
    pub fn name(self) -> &'static str {
        match self {
            PoolKind::TcpPcb => "TCP_PCB",
            PoolKind::TcpPcbListen => "TCP_PCB_LISTEN",
            PoolKind::TcpSeg => "TCP_SEG",
            PoolKind::Pbuf => "PBUF_REF/ROM",
            PoolKind::PbufPool => "PBUF_POOL",
        }
    }
}

/// One pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// Its statistics.
    pub usage: Usage,
}

impl Pool {
    /// A pool of `n` elements, all free.
    pub fn new(n: u32) -> Pool {
        Pool { usage: Usage { avail: n, ..Usage::default() } }
    }

    /// Takes an element; false, and counted, if none is left. `memp.c:memp_malloc`.
    pub fn take(&mut self) -> bool {
        let is_empty = self.usage.avail <= self.usage.used;
        if is_empty {
            self.usage.err += 1;
        } else {
            self.usage.add(1);
        }
        !is_empty
    }

    /// Gives an element back. `memp.c:memp_free`.
    pub fn give(&mut self) {
        assert!(0 < self.usage.used, "only what was taken is given back");
        self.usage.used -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pool_refuses_and_counts() {
        let mut pool = Pool::new(2);
        assert!(pool.take());
        assert!(pool.take());
        assert!(!pool.take());
        pool.give();
        assert!(pool.take());
        assert_eq!(pool.usage, Usage { avail: 2, used: 2, max: 2, err: 1 });
    }
}
