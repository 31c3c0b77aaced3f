//! A full TCP end, sans-I/O, that follows the profile `linux` or `rfc`.
//!
//! One file per concern: [`state`] (handshake, close), [`send`] (queue, Nagle, cork), [`output`]
//! (headers), [`receive`] (in and out of order), [`delayed_ack`], [`window`] (receive buffer),
//! [`acks`] (what an acknowledgement does), [`scoreboard`] (SACK, RACK), [`recovery`],
//! [`retransmit`] (RTO, probes), [`congestion`], [`timers`], [`profile`].
//! Read `docs/models/tcp.md` before editing.

pub mod acks;
pub mod congestion;
pub mod delayed_ack;
pub mod output;
pub mod profile;
pub mod receive;
pub mod recovery;
pub mod retransmit;
pub mod scoreboard;
pub mod send;
pub mod state;
pub mod timers;
pub mod window;

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::{Errno, Gauges, Outbox, Running, SockOpt};
use acks::Rtt;
use congestion::Cong;
use delayed_ack::Acks;
use profile::{Congestion, Profile, StackParams};
use receive::Receive;
use recovery::Loss;
use scoreboard::Rack;
use send::{NoNagle, Send};
pub use state::State;
use timers::{Alarm, Timers};

/// Options agreed on in the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// RFC 7323.
    pub timestamps: bool,
    /// RFC 2018.
    pub sack: bool,
    /// RFC 7323: both sides scale.
    pub scaling: bool,
    /// Shift of the windows that this end offers.
    pub own_shift: u8,
    /// Shift of the other end's.
    pub peer_shift: u8,
}

/// One end of a connection.
#[derive(Clone, PartialEq, Debug)]
pub struct Socket {
    profile: Profile,
    mtu: u32,
    state: State,
    options: Options,
    send: Send,
    cong: Cong,
    rtt: Rtt,
    loss: Loss,
    rack: Rack,
    recv: Receive,
    acks: Acks,
    timers: Timers,
    /// An error that the application has not heard of. Linux `sk_err`.
    error: Option<Errno>,
    /// The application, or a reset, ended sending.
    write_is_shut: bool,
    /// Nothing more is received for the application.
    read_is_shut: bool,
    /// The application closed: nobody reads.
    is_orphan: bool,
    /// `SO_LINGER` with 0 s: closing resets.
    linger_zero: bool,
    /// `SO_KEEPALIVE` and its figures.
    keep_alive: KeepAlive,
}

/// Keep-alive's settings. tcp(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepAlive {
    /// Whether it is on.
    pub on: bool,
    /// `TCP_KEEPIDLE`.
    pub idle: SimSpan,
    /// `TCP_KEEPINTVL`.
    pub interval: SimSpan,
    /// `TCP_KEEPCNT`.
    pub count: u32,
    /// Probes without an answer so far.
    pub n_probes: u32,
}

impl Default for KeepAlive {
    fn default() -> KeepAlive {
        let (idle, interval) = (SimSpan::s(7_200), SimSpan::s(75));
        KeepAlive { on: false, idle, interval, count: 9, n_probes: 0 }
    }
}

/// Figures of `TCP_INFO` (linux/tcp.h `struct tcp_info`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpInfo {
    /// `TCP_ESTABLISHED` is 1, and so on.
    pub state: u8,
    /// Congestion window in segments.
    pub cwnd: u32,
    /// Slow-start threshold in segments.
    pub ssthresh: u32,
    /// Retransmission timeout in us.
    pub rto: u64,
    /// Ack timeout in us.
    pub ato: u64,
    /// Smoothed round-trip time in us.
    pub rtt: u32,
    /// Its mean deviation in us.
    pub rttvar: u32,
    /// Segments unacknowledged.
    pub unacked: u32,
    /// Segments sent again and under way.
    pub retrans: u32,
    /// Segments sent again so far.
    pub total_retrans: u32,
    /// Payload of a full segment.
    pub snd_mss: u32,
    /// Estimate of the other end's.
    pub rcv_mss: u32,
    /// What was offered to the other end.
    pub advmss: u32,
    /// State of congestion control, 0 (open) to 4 (loss).
    pub ca: u8,
    /// Bytes written and not sent.
    pub notsent: u64,
}

impl Socket {
    /// An end that does nothing yet, on a path with this MTU in bytes.
    pub fn new(params: &StackParams, mtu: u32) -> Socket {
        Socket::with_profile(params.profile(), mtu)
    }

    /// An end that does nothing yet, with rules and figures given.
    pub fn with_profile(profile: Profile, mtu: u32) -> Socket {
        let mut socket = Socket {
            profile,
            mtu,
            state: State::Closed,
            options: Options::default(),
            send: Send::default(),
            cong: Cong::new(&profile),
            rtt: Rtt::default(),
            loss: Loss::default(),
            rack: Rack::default(),
            recv: Receive::default(),
            acks: Acks::default(),
            timers: Timers::default(),
            error: None,
            write_is_shut: false,
            read_is_shut: false,
            is_orphan: false,
            linger_zero: false,
            keep_alive: KeepAlive::default(),
        };
        socket.set_up_buffers();
        if profile.nodelay {
            socket.send.nonagle = NoNagle::OFF;
        }
        socket.rtt.rto = profile.clock.ticks_of(SimSpan::s(1));
        socket
    }

    /// Changes an option of the socket, as `setsockopt` does.
    pub fn set(&mut self, now: SimTime, opt: SockOpt, out: &mut Outbox) -> Result<(), Errno> {
        match opt {
            SockOpt::Nodelay(on) => self.set_nodelay(now, on, out),
            SockOpt::Cork(on) => self.set_cork(now, on, out),
            SockOpt::Quickack(on) => self.set_quickack(now, on, out),
            SockOpt::SendBuffer(bytes) => self.set_send_buffer(bytes),
            SockOpt::ReceiveBuffer(bytes) => self.set_receive_buffer(bytes),
            SockOpt::ReceiveLowWater(bytes) => self.set_low_water(bytes),
            SockOpt::MaxSegment(bytes) => self.profile.mss = bytes,
            SockOpt::LingerZero(on) => self.linger_zero = on,
            SockOpt::CubicCongestion(on) => {
                let which = if on { Congestion::Cubic } else { Congestion::Reno };
                self.profile.congestion = which;
            }
            SockOpt::KeepAlive(on) => {
                self.keep_alive.on = on;
                self.start_keep_alive(now);
            }
            SockOpt::KeepIdle(span) => self.keep_alive.idle = span,
            SockOpt::KeepInterval(span) => self.keep_alive.interval = span,
            SockOpt::KeepCount(n) => self.keep_alive.count = n,
        }
        Ok(())
    }

    /// `TCP_NODELAY` on pushes what waits. Linux `__tcp_sock_set_nodelay`.
    fn set_nodelay(&mut self, now: SimTime, on: bool, out: &mut Outbox) {
        if on {
            self.send.nonagle.0 |= NoNagle::OFF.0 | NoNagle::PUSH.0;
            self.push_pending_now(now, out);
        } else {
            self.send.nonagle.0 &= !NoNagle::OFF.0;
        }
    }

    /// `TCP_CORK` off pushes what waits. Linux `__tcp_sock_set_cork`.
    fn set_cork(&mut self, now: SimTime, on: bool, out: &mut Outbox) {
        if on {
            self.send.nonagle.0 |= NoNagle::CORK.0;
            return;
        }
        self.send.nonagle.0 &= !NoNagle::CORK.0;
        if self.send.nonagle.has(NoNagle::OFF) {
            self.send.nonagle.0 |= NoNagle::PUSH.0;
        }
        self.push_pending_now(now, out);
    }

    /// The earliest time at which [`Socket::on_wake`] has something to do.
    ///
    /// May change after every call that takes the end by `&mut`.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.timers.next()
    }

    /// The timers that run.
    pub fn timers(&self) -> impl Iterator<Item = Running> {
        self.timers.running()
    }

    /// Which kinds of timers run, as bits, and since when an acknowledgement is delayed.
    #[inline]
    pub fn timer_marks(&self) -> (u8, Option<SimTime>) {
        self.timers.marks()
    }

    /// The state by RFC 9293 section 3.3.2.
    pub fn state(&self) -> State {
        self.state
    }

    /// Bytes that the application can read now.
    pub fn readable(&self) -> u32 {
        u32::try_from(self.unread()).unwrap_or(u32::MAX)
    }

    /// Whether a read would give 0: the other end closed and all is read.
    pub fn at_end_of_stream(&self) -> bool {
        self.read_is_shut && self.unread() == 0
    }

    /// Bytes that the application could write now, as far as that is one number.
    pub fn writable(&self) -> u64 {
        self.send.capacity.saturating_sub(self.send.memory)
    }

    /// The rules and figures it follows.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Payload of a full segment now.
    pub fn mss(&self) -> u32 {
        self.current_mss()
    }

    /// Figures for charts.
    pub fn gauges(&self) -> Gauges {
        let mss = u64::from(self.send.mss);
        let us = |ticks| self.profile.clock.us_of_ticks(ticks);
        let threshold = self.cong.ssthresh;
        Gauges {
            cwnd: u64::from(self.cwnd()) * mss,
            ssthresh: if threshold == u32::MAX { u64::MAX } else { u64::from(threshold) * mss },
            peer_window: self.send.window,
            srtt: u64::from(self.rtt.srtt >> 3) * 1_000,
            rto: us(self.rtt.rto) * 1_000,
            una: self.send.una,
            nxt: self.send.nxt,
            written: self.send.end,
            send_capacity: self.send.capacity,
            rcv_nxt: self.recv.next,
            rcv_read: self.recv.read,
            out_of_order: self.recv.held_bytes,
            offered: self.recv.offered(),
            n_retransmitted: u64::from(self.loss.n_resent),
        }
    }

    /// What `TCP_INFO` says. Linux `tcp_get_info`.
    pub fn tcp_info(&self) -> TcpInfo {
        let us = |ticks| self.profile.clock.us_of_ticks(ticks);
        TcpInfo {
            state: self.state.number(),
            cwnd: self.cwnd(),
            ssthresh: self.cong.ssthresh.min(0x7fff_ffff),
            rto: us(self.rtt.rto),
            ato: us(self.acks.ato),
            rtt: self.rtt.srtt >> 3,
            rttvar: self.rtt.mdev >> 2,
            unacked: self.send.n_sent,
            retrans: self.loss.n_resent_out,
            total_retrans: self.loss.n_resent,
            snd_mss: self.send.mss,
            rcv_mss: self.acks.peer_mss,
            advmss: self.recv.advertised_mss,
            ca: self.loss.phase as u8,
            notsent: self.send.end - self.send.nxt,
        }
    }

    /// Sets the sender's timer. Linux `tcp_reset_xmit_timer`.
    fn set_send_alarm(&mut self, now: SimTime, what: timers::SendAlarm, delay: u64) {
        self.timers.send = Some((what, self.profile.clock.alarm(now, delay)));
    }

    /// Runs the timers whose time has come.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Outbox) {
        if let Some((what, Alarm { due, .. })) = self.timers.send
            && due <= now
        {
            self.timers.send = None;
            self.on_send_alarm(now, what, out);
        }
        if Timers::take_due(&mut self.timers.ack, now) {
            self.on_ack_alarm(now, out);
        }
        if Timers::take_due(&mut self.timers.compressed, now) {
            self.on_compressed_ack(now, out);
        }
        if Timers::take_due(&mut self.timers.syn_ack, now) {
            self.on_syn_ack_alarm(now, out);
        }
        if Timers::take_due(&mut self.timers.keep_alive, now) {
            self.on_keep_alive(now, out);
        }
        if Timers::take_due(&mut self.timers.time_wait, now) {
            self.finish(out);
        }
    }
}

#[cfg(test)]
mod tests;
