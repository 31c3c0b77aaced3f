//! One connection: lwIP's protocol control block (`tcp.h:struct tcp_pcb`).
//!
//! Positions count from the initial sequence numbers (a SYN is 0), as in
//! [`Segment`](crate::model::tcp::Segment). Names are lwIP's where lwIP has one.

use std::collections::VecDeque;

use super::core::Core;
use super::memory::PbufId;
use crate::kernel::SimTime;
use crate::model::tcp::Flags;

/// The number of a connection; a new one for every connection of a stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PcbId(pub u32);

/// Between whom a connection is, as its own end sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Addr {
    /// Own port.
    pub port: u16,
    /// The other host, by any number that tells hosts apart.
    pub peer: u32,
    /// The other end's port.
    pub peer_port: u16,
}

/// States of a connection. RFC 9293 section 3.3.2, in lwIP's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Not connected.
    Closed,
    /// A SYN is on its way.
    SynSent,
    /// A SYN came and was answered.
    SynRcvd,
    /// Connected.
    Established,
    /// We closed.
    FinWait1,
    /// We closed, and the other end knows.
    FinWait2,
    /// The other end closed.
    CloseWait,
    /// Both closed at once.
    Closing,
    /// We closed after the other end.
    LastAck,
    /// All is over; late segments are still answered.
    TimeWait,
}

/// Flags of a connection. `tcp.h:TF_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tf(pub u16);

impl Tf {
    /// An acknowledgement waits for data or the fast timer.
    pub const ACK_DELAY: Tf = Tf(0x01);
    /// An acknowledgement is to be sent with the next output.
    pub const ACK_NOW: Tf = Tf(0x02);
    /// In fast recovery.
    pub const INFR: Tf = Tf(0x04);
    /// Closing failed for want of memory and is tried again.
    pub const CLOSEPEND: Tf = Tf(0x08);
    /// The application wants no more data.
    pub const RXCLOSED: Tf = Tf(0x10);
    /// A FIN was queued.
    pub const FIN: Tf = Tf(0x20);
    /// Nagle is off.
    pub const NODELAY: Tf = Tf(0x40);
    /// A write failed for want of memory: Nagle is overruled once.
    pub const NAGLEMEMERR: Tf = Tf(0x80);
    /// Recovering from a timeout.
    pub const RTO: Tf = Tf(0x800);

    /// Whether any bit of `other` is set.
    pub const fn any(self, other: Tf) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits of both.
    pub const fn or(self, other: Tf) -> Tf {
        Tf(self.0 | other.0)
    }
}

/// A segment in a queue. `tcp_priv.h:struct tcp_seg`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpSeg {
    /// Position of its first byte.
    pub seq: u64,
    /// Payload in bytes.
    pub len: u32,
    /// Control bits; `ACK` is added when it is sent.
    pub flags: Flags,
    /// It carries the option MSS.
    pub mss_option: bool,
    /// Its payload.
    pub chain: PbufId,
}

impl TcpSeg {
    /// Sequence space it takes. `tcp_priv.h:TCP_TCPLEN`.
    pub fn space(&self) -> u32 {
        let bit = self.flags.has(Flags::FIN) || self.flags.has(Flags::SYN);
        self.len + u32::from(bit)
    }

    /// One past its last position.
    pub fn end(&self) -> u64 {
        self.seq + u64::from(self.space())
    }
}

/// A connection.
#[derive(Clone, PartialEq, Debug)]
pub struct Pcb {
    /// Its number.
    pub id: PcbId,
    /// Between whom.
    pub addr: Addr,
    /// Its state.
    pub state: State,
    /// `TF_*`.
    pub flags: Tf,
    /// Priority; a new connection takes the place of one with a lower one.
    pub prio: u8,
    /// When something was last heard, in slow ticks.
    pub tmr: u32,
    /// The timer run that this connection was last part of.
    pub last_timer: u8,
    /// Slow ticks since the last poll.
    pub polltmr: u8,
    /// Slow ticks between polls; 0 and 1 = every tick.
    pub pollinterval: u8,

    /// Next position expected.
    pub rcv_nxt: u64,
    /// Window in bytes that the application has left.
    pub rcv_wnd: u32,
    /// Window in bytes that is announced.
    pub rcv_ann_wnd: u32,
    /// End of the window last announced.
    pub rcv_ann_right_edge: u64,
    /// Data that the application refused.
    pub refused_data: Option<PbufId>,
    /// A FIN followed them.
    pub refused_fin: bool,
    /// Segments out of order, by position.
    pub ooseq: VecDeque<TcpSeg>,

    /// Retransmission timer in slow ticks; -1 = not running.
    pub rtime: i16,
    /// Largest segment to send, in bytes.
    pub mss: u32,
    /// When the segment that is timed was sent, in slow ticks; 0 = none is.
    pub rttest: u32,
    /// Position of that segment.
    pub rtseq: u64,
    /// Smoothed round-trip time, 8 times, in slow ticks.
    pub sa: i16,
    /// Deviation, 4 times, in slow ticks.
    pub sv: i16,
    /// Retransmission timeout in slow ticks.
    pub rto: i16,
    /// Retransmissions in a row.
    pub nrtx: u8,
    /// Duplicate acknowledgements in a row.
    pub dupacks: u8,
    /// Highest position acknowledged.
    pub lastack: u64,
    /// One past the last position that the timeout sends again.
    pub rto_end: u64,
    /// Congestion window in bytes.
    pub cwnd: u32,
    /// Slow-start threshold in bytes.
    pub ssthresh: u32,
    /// Bytes acknowledged in congestion avoidance.
    pub bytes_acked: u32,

    /// Next position to send.
    pub snd_nxt: u64,
    /// Segment that last updated the window; -1 before the first.
    pub snd_wl1: i64,
    /// Acknowledgement that last updated the window.
    pub snd_wl2: u64,
    /// Next position to queue.
    pub snd_lbb: u64,
    /// The other end's window in bytes.
    pub snd_wnd: u32,
    /// The largest that it ever was.
    pub snd_wnd_max: u32,
    /// Bytes that may still be queued.
    pub snd_buf: u32,
    /// Buffers queued.
    pub snd_queuelen: u32,
    /// Spare bytes behind the last segment not sent.
    pub unsent_oversize: u32,
    /// Segments not sent.
    pub unsent: VecDeque<TcpSeg>,
    /// Segments sent and not acknowledged, by position.
    pub unacked: VecDeque<TcpSeg>,

    /// Slow ticks since the last window probe.
    pub persist_cnt: u8,
    /// Index into the back-off of window probes, from 1; 0 = not running.
    pub persist_backoff: u8,
    /// Window probes without an answer.
    pub persist_probe: u8,

    /// One past the last position that was ever sent.
    pub sent_end: u64,
    /// Segments sent again.
    pub n_retransmitted: u64,
    /// Since when an acknowledgement is delayed.
    pub ack_since: SimTime,
    /// Since when the retransmission timer counts.
    pub rtime_since: SimTime,
    /// Since when the window is probed.
    pub persist_since: SimTime,
}

/// The segment size that is assumed before the handshake. `tcp_priv.h:INITIAL_MSS`.
pub const INITIAL_MSS: u32 = 536;
/// First estimate of the retransmission timeout. `tcp.c:tcp_alloc`.
pub const INITIAL_RTO_MS: u32 = 3_000;
/// Windows have 16 bits here (no window scaling).
pub const WINDOW_MAX: u32 = 0xFFFF;

impl Pcb {
    /// A connection as `tcp.c:tcp_alloc` leaves it.
    pub fn new(id: PcbId, prio: u8, last_timer: u8, core: &Core) -> Pcb {
        let o = &core.options;
        let rto = o.slow_ticks(INITIAL_RTO_MS) as i16;
        Pcb {
            id,
            addr: Addr::default(),
            state: State::Closed,
            flags: Tf::default(),
            prio,
            tmr: core.ticks,
            last_timer,
            polltmr: 0,
            pollinterval: 0,
            rcv_nxt: 0,
            rcv_wnd: o.tcp_wnd,
            rcv_ann_wnd: o.tcp_wnd,
            rcv_ann_right_edge: 0,
            refused_data: None,
            refused_fin: false,
            ooseq: VecDeque::new(),
            rtime: -1,
            mss: INITIAL_MSS.min(o.tcp_mss),
            rttest: 0,
            rtseq: 0,
            sa: 0,
            sv: rto,
            rto,
            nrtx: 0,
            dupacks: 0,
            lastack: 0,
            rto_end: 0,
            cwnd: 1,
            ssthresh: o.tcp_snd_buf,
            bytes_acked: 0,
            snd_nxt: 0,
            snd_wl1: 0,
            snd_wl2: 0,
            snd_lbb: 0,
            snd_wnd: 0,
            snd_wnd_max: 0,
            snd_buf: o.tcp_snd_buf,
            snd_queuelen: 0,
            unsent_oversize: 0,
            unsent: VecDeque::new(),
            unacked: VecDeque::new(),
            persist_cnt: 0,
            persist_backoff: 0,
            persist_probe: 0,
            sent_end: 0,
            n_retransmitted: 0,
            ack_since: SimTime::ZERO,
            rtime_since: SimTime::ZERO,
            persist_since: SimTime::ZERO,
        }
    }

    /// Sets flags.
    pub fn set(&mut self, flags: Tf) {
        self.flags.0 |= flags.0;
    }

    /// Clears flags.
    pub fn clear(&mut self, flags: Tf) {
        self.flags.0 &= !flags.0;
    }

    /// `tcp_nagle_disable` or `tcp_nagle_enable`. Sends nothing.
    pub fn set_nodelay(&mut self, on: bool) {
        if on {
            self.set(Tf::NODELAY);
        } else {
            self.clear(Tf::NODELAY);
        }
    }

    /// Whether Nagle's algorithm lets the first segment leave. `tcp_priv.h:tcp_do_output_nagle`.
    pub fn nagle_lets_go(&self, tcp_snd_queuelen: u32) -> bool {
        let nothing_in_flight = self.unacked.is_empty();
        let off = self.flags.any(Tf::NODELAY.or(Tf::INFR));
        let several = 1 < self.unsent.len();
        let full = self.unsent.front().is_some_and(|seg| self.mss <= seg.len);
        let buffer_full = self.snd_buf == 0 || tcp_snd_queuelen <= self.snd_queuelen;
        nothing_in_flight || off || several || full || buffer_full
    }

    /// Chooses the window to announce and says by how much its end moved.
    /// `tcp.c:tcp_update_rcv_ann_wnd`.
    ///
    /// The end stays where it is until it may move by min(`TCP_WND`/2, MSS): the sender's part of
    /// silly-window avoidance, RFC 9293 section 3.8.6.2.2.
    pub fn update_rcv_ann_wnd(&mut self, core: &Core) -> u32 {
        let right_edge = self.rcv_nxt + u64::from(self.rcv_wnd);
        let worth_it = u64::from((core.options.tcp_wnd / 2).min(self.mss));
        if self.rcv_ann_right_edge + worth_it <= right_edge {
            self.rcv_ann_wnd = self.rcv_wnd;
            return (right_edge - self.rcv_ann_right_edge) as u32;
        }
        self.rcv_ann_wnd = self.rcv_ann_right_edge.saturating_sub(self.rcv_nxt) as u32;
        0
    }

    /// The application has taken bytes. `tcp.c:tcp_recved`.
    pub fn recved(&mut self, core: &mut Core, bytes: u32) {
        self.rcv_wnd = (self.rcv_wnd + bytes).min(core.options.tcp_wnd);
        let gain = self.update_rcv_ann_wnd(core);
        if core.options.tcp_wnd_update_threshold <= gain {
            self.set(Tf::ACK_NOW);
            // What goes wrong here is tried again by the timers.
            let _ = self.output(core);
        }
    }

    /// Frees all that it holds and stops its timer. `tcp.c:tcp_pcb_purge`.
    pub fn purge(&mut self, core: &mut Core) {
        if matches!(self.state, State::Closed | State::TimeWait) {
            return;
        }
        if let Some(chain) = self.refused_data.take() {
            core.memory.free(chain);
        }
        self.free_ooseq(core);
        self.rtime = -1;
        for seg in self.unsent.drain(..).chain(self.unacked.drain(..)) {
            core.free_seg(seg);
        }
        self.unsent_oversize = 0;
    }

    /// Frees data out of order. `tcp.c:tcp_free_ooseq`.
    pub fn free_ooseq(&mut self, core: &mut Core) {
        for seg in self.ooseq.drain(..) {
            core.free_seg(seg);
        }
    }

    /// Starts the retransmission timer over.
    pub(super) fn restart_rtime(&mut self, core: &Core) {
        self.rtime = 0;
        self.rtime_since = core.now;
    }
}

/// `a + b` in a window of 16 bits, at most [`WINDOW_MAX`]. `tcp.h:TCP_WND_INC`.
pub(super) fn window_sum(a: u32, b: u32) -> u32 {
    (a + b).min(WINDOW_MAX)
}
