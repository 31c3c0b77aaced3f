//! TCP ends: sans-I/O machines that know segments, bytes and times, and no world.
//!
//! Two implementations share the vocabulary of this module: [`stack`], a full end that follows the
//! profile `linux` or `rfc`, and [`lwip`], lwIP's raw API byte for byte. A caller hands an end what
//! arrives, what its application does and the time; the end answers through an [`Outbox`].
//! Read `docs/models/tcp.md` before editing.

pub mod lwip;
pub mod segment;
pub mod stack;

use crate::kernel::{SimSpan, SimTime};
pub use segment::{Flags, Sack, Segment, Stamps};
pub use stack::profile::{AckRule, Congestion, LinuxParams, NagleRule, RfcParams, StackParams};

/// What one call made an end do; the caller empties it and hands it in again.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outbox {
    /// Segments to put on the wire, in order.
    pub segments: Vec<Segment>,
    /// What its application is told, in order.
    pub signals: Vec<Signal>,
}

/// What an application hears of its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// The handshake is over: one may write. (`connect` returns; `accept` returns.)
    Connected,
    /// There is something new to read.
    Readable,
    /// A write that found no room may be tried again.
    Writable,
    /// The other end sends nothing more: a read past the last byte gives 0.
    PeerClosed,
    /// The connection is over and cannot be used any more.
    Broken(Errno),
    /// Both directions are closed and nothing is left to do.
    Closed,
}

/// Why a call failed or a connection broke, by the names of `errno.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errno {
    /// Nobody listens there.
    ConnRefused,
    /// The other end reset the connection.
    ConnReset,
    /// Nothing was heard for too long.
    TimedOut,
    /// Writing after the end was shut down or reset.
    Pipe,
    /// No room for now (a non-blocking call).
    Again,
    /// Not connected.
    NotConn,
    /// lwIP: no memory, queue or buffer for it (`ERR_MEM`).
    NoMem,
}

/// Why the next byte in the send buffer does not leave now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// The handshake is not over.
    Connecting,
    /// A short segment while earlier short data is unacknowledged. RFC 9293 section 3.7.4.
    Nagle,
    /// The application asked to wait for more (`TCP_CORK`, `MSG_MORE`).
    Cork,
    /// The congestion window is full. RFC 5681.
    CongestionWindow,
    /// The receiver's window is full.
    ReceiverWindow,
    /// The receiver's window is closed and the end probes it. RFC 9293 section 3.8.6.1.
    Persist,
    /// The network device below takes nothing for now.
    Device,
    /// The application wrote, and nobody called `tcp_output` yet (lwIP).
    NotPushed,
}

/// A timer of an end, for the page and the ladder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerKind {
    /// An acknowledgement that waits for data to ride on.
    DelayedAck,
    /// Retransmission. RFC 6298.
    Retransmission,
    /// Tail loss probe. RFC 8985 section 7.
    LossProbe,
    /// RACK's reordering window. RFC 8985 section 6.
    Reordering,
    /// Zero-window probe.
    Persist,
    /// Keep-alive.
    KeepAlive,
    /// `TIME-WAIT`.
    TimeWait,
}

/// One running timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Running {
    /// Which.
    pub kind: TimerKind,
    /// Since when.
    pub since: SimTime,
    /// When it goes off.
    pub due: SimTime,
}

/// What charts show of an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gauges {
    /// Congestion window in bytes.
    pub cwnd: u64,
    /// Slow-start threshold in bytes; `u64::MAX` at first.
    pub ssthresh: u64,
    /// The other end's window in bytes.
    pub peer_window: u64,
    /// Smoothed round-trip time in ns; 0 before the first sample.
    pub srtt: u64,
    /// Retransmission timeout in ns.
    pub rto: u64,
    /// First byte not acknowledged (stream position; SYN is 0).
    pub una: u64,
    /// Next byte to be sent.
    pub nxt: u64,
    /// One past the last byte in the send buffer.
    pub written: u64,
    /// Bytes the send buffer holds at most, as far as that is one number.
    pub send_capacity: u64,
    /// Next byte expected from the other end.
    pub rcv_nxt: u64,
    /// Next byte that the application reads.
    pub rcv_read: u64,
    /// Bytes of the other end held out of order.
    pub out_of_order: u64,
    /// The window last offered to the other end.
    pub offered: u64,
    /// Segments sent again so far.
    pub n_retransmitted: u64,
}

/// A socket option with its value, as `setsockopt` takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SockOpt {
    /// `TCP_NODELAY`.
    Nodelay(bool),
    /// `TCP_CORK`.
    Cork(bool),
    /// `TCP_QUICKACK`.
    Quickack(bool),
    /// `SO_SNDBUF` in bytes.
    SendBuffer(u32),
    /// `SO_RCVBUF` in bytes.
    ReceiveBuffer(u32),
    /// `SO_RCVLOWAT` in bytes.
    ReceiveLowWater(u32),
    /// `TCP_MAXSEG` in bytes.
    MaxSegment(u32),
    /// `SO_LINGER` with 0 s: closing resets.
    LingerZero(bool),
    /// `TCP_CONGESTION`: CUBIC, else Reno.
    CubicCongestion(bool),
    /// `SO_KEEPALIVE`.
    KeepAlive(bool),
    /// `TCP_KEEPIDLE`.
    KeepIdle(SimSpan),
    /// `TCP_KEEPINTVL`.
    KeepInterval(SimSpan),
    /// `TCP_KEEPCNT`.
    KeepCount(u32),
}
