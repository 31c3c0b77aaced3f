//! A socket on a stack: the calls of a program, on top of lwIP's callbacks.
//!
//! It does in callbacks what a small program on the raw API does: note what happened, keep the
//! buffers. Everything else happens in the calls. What belongs to other sockets of the host waits
//! in the stack until they [`Socket::collect`] it.

use super::core::Fail;
use super::memory::PbufId;
use super::pcb::{Addr, Pcb, PcbId, State, Tf};
use super::stack::{Answer, App, Event, Stack};
use super::write::From;
use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::{
    Errno, Gauges, Hold, Outbox, Running, Segment, Signal, SockOpt, TimerKind,
};

/// Most mail that waits in a stack; a socket that never collects is our own mistake.
const MAX_MAIL: usize = 100_000;

/// A callback that its socket has not heard of yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mail {
    /// The connection.
    pub pcb: PcbId,
    /// Between whom.
    pub addr: Addr,
    /// What happened.
    pub event: Event,
}

/// The application that all sockets of a stack share: it writes callbacks down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Post;

impl App for Post {
    fn on(&mut self, stack: &mut Stack, pcb: PcbId, addr: Addr, event: Event) -> Answer {
        if event == Event::Accept
            && stack.core.options.nodelay
            && let Some((pcb, _)) = stack.pcb_mut(pcb)
        {
            pcb.set_nodelay(true);
        }
        assert!(stack.mail.len() < MAX_MAIL, "sockets collect their mail");
        stack.mail.push(Mail { pcb, addr, event });
        Answer::Ok
    }
}

impl Stack {
    /// Runs the timer if it is due; afterwards every socket of the host must collect.
    pub fn on_wake(&mut self, now: SimTime) {
        self.check_timeouts(now, &mut Post);
    }

    /// Whether nothing waits for any socket.
    pub fn is_quiet(&self) -> bool {
        self.mail.is_empty() && self.core.netif.frames.is_empty()
    }

    /// Whether a connection keeps the byte at this position, with bytes before it missing.
    pub fn holds_early(&self, addr: Addr, seq: u64) -> bool {
        let pcb = self.pcbs.iter().find(|pcb| pcb.addr == addr);
        pcb.is_some_and(|pcb| pcb.ooseq.iter().any(|seg| seg.seq <= seq && seq < seg.end()))
    }

    /// Whether something waits for the socket between these ports.
    pub fn has_something_for(&self, addr: Addr) -> bool {
        self.mail.iter().any(|mail| mail.addr == addr)
            || self.core.netif.frames.iter().any(|frame| frame.addr == addr)
    }

    /// Lets the program that owns the sockets know what a frame did.
    ///
    /// False: no receive buffer was free, and the frame is lost.
    pub fn on_frame(&mut self, now: SimTime, addr: Addr, segment: &Segment) -> bool {
        self.frame(now, addr, segment, &mut Post)
    }
}

/// One end of a connection as a program holds it.
#[derive(Clone, PartialEq, Debug)]
pub struct Socket {
    /// Between whom: both ports are chosen by the caller.
    pub addr: Addr,
    /// Its connection, once there is one.
    pub pcb: Option<PcbId>,
    /// Data that arrived and were not read.
    held: Option<PbufId>,
    /// Bytes in `held`.
    n_held: u64,
    /// Bytes read so far.
    n_read: u64,
    /// Bytes written so far.
    n_written: u64,
    /// The other end sends no more.
    peer_closed: bool,
    /// A write was refused, and the program waits to hear of room.
    wants_room: bool,
    /// What the program asked for Nagle's algorithm.
    nodelay: bool,
    /// The handshake was completed.
    is_connected: bool,
    /// The program has closed.
    is_closed: bool,
    /// The program has heard how it ended.
    is_over: bool,
}

impl Socket {
    /// A socket between these ports that does nothing yet.
    pub fn new(addr: Addr) -> Socket {
        Socket {
            addr,
            pcb: None,
            held: None,
            n_held: 0,
            n_read: 0,
            n_written: 0,
            peer_closed: false,
            wants_room: false,
            nodelay: false,
            is_connected: false,
            is_closed: false,
            is_over: false,
        }
    }

    /// Opens the connection. `tcp_new`, `tcp_connect`.
    pub fn connect(
        &mut self,
        now: SimTime,
        stack: &mut Stack,
        out: &mut Outbox,
    ) -> Result<(), Errno> {
        let id = stack.new_pcb(now, &mut Post).map_err(errno)?;
        let nodelay = self.nodelay || stack.core.options.nodelay;
        if let Some((pcb, _)) = stack.pcb_mut(id) {
            pcb.set_nodelay(nodelay);
        }
        let done = stack.connect(now, id, self.addr).map_err(errno);
        match done {
            Ok(()) => self.pcb = Some(id),
            Err(_) => stack.close(now, id).map_err(errno)?,
        }
        self.collect(stack, out);
        done
    }

    /// Listens at its port, which several sockets of a host may share.
    pub fn listen(&mut self, now: SimTime, stack: &mut Stack) -> Result<(), Errno> {
        match stack.listen(now, &mut Post, self.addr.port) {
            Ok(()) | Err(Fail::Use) => Ok(()),
            Err(fail) => Err(errno(fail)),
        }
    }

    /// Writes as much of `bytes` as the send buffer takes: `tcp_write` with a copy, then
    /// `tcp_output`. `more` leaves `PSH` away.
    ///
    /// `Err(Again)`: the send buffer is full. `Err(NoMem)`: queue, pools or heap refused all of
    /// it. After both, [`Signal::Writable`] follows the next acknowledgement or poll.
    pub fn write(
        &mut self,
        now: SimTime,
        stack: &mut Stack,
        bytes: u32,
        more: bool,
        out: &mut Outbox,
    ) -> Result<u32, Errno> {
        stack.core.now = now;
        let id = self.pcb.filter(|_| !self.is_closed).ok_or(Errno::NotConn)?;
        let (pcb, core) = stack.pcb_mut(id).ok_or(Errno::Pipe)?;
        let n = bytes.min(pcb.snd_buf);
        if n == 0 && 0 < bytes {
            self.wants_room = true;
            return Err(Errno::Again);
        }
        let written = pcb.write(core, n, From::Copy, more);
        if written.is_ok() || written == Err(Fail::Mem) {
            // What the device refuses stays queued.
            let _ = pcb.output(core);
        }
        self.wants_room |= written.is_err() || n < bytes;
        self.n_written += if written.is_ok() { u64::from(n) } else { 0 };
        self.collect(stack, out);
        written.map(|()| n).map_err(errno)
    }

    /// Reads up to `max` bytes: frees their buffers and opens the window (`tcp_recved`).
    ///
    /// 0 after the other end closed; `Err(Again)` if there is nothing for now.
    pub fn read(
        &mut self,
        now: SimTime,
        stack: &mut Stack,
        max: u32,
        out: &mut Outbox,
    ) -> Result<u32, Errno> {
        let Some(chain) = self.held else {
            return if self.peer_closed { Ok(0) } else { Err(Errno::Again) };
        };
        let n = u64::from(max).min(self.n_held) as u32;
        self.held = stack.core.memory.free_front(chain, n);
        self.n_held -= u64::from(n);
        self.n_read += u64::from(n);
        if let Some(id) = self.pcb {
            stack.recved(now, id, n);
        }
        self.collect(stack, out);
        Ok(n)
    }

    /// Sets an option. lwIP knows only `nodelay`; like lwIP's, it sends nothing by itself.
    pub fn set(&mut self, stack: &mut Stack, option: SockOpt) {
        let SockOpt::Nodelay(on) = option else { return };
        self.nodelay = on;
        if let Some((pcb, _)) = self.pcb.and_then(|id| stack.pcb_mut(id)) {
            pcb.set_nodelay(on);
        }
    }

    /// Sends nothing more after what was written. `tcp_shutdown(pcb, 0, 1)`.
    pub fn shutdown(
        &mut self,
        now: SimTime,
        stack: &mut Stack,
        out: &mut Outbox,
    ) -> Result<(), Errno> {
        let id = self.pcb.ok_or(Errno::NotConn)?;
        let done = stack.shutdown(now, id).map_err(errno);
        self.collect(stack, out);
        done
    }

    /// Closes both directions; data that were not read make it a reset. `tcp_close`.
    pub fn close(&mut self, now: SimTime, stack: &mut Stack, out: &mut Outbox) {
        self.is_closed = true;
        if let Some(chain) = self.held.take() {
            stack.core.memory.free(chain);
            self.n_held = 0;
        }
        if let Some(id) = self.pcb {
            // Closing something that is gone is nothing.
            let _ = stack.close(now, id);
        }
        self.collect(stack, out);
    }

    /// Ends the connection at once with a reset. `tcp_abort`.
    pub fn abort(&mut self, now: SimTime, stack: &mut Stack, out: &mut Outbox) {
        self.is_closed = true;
        if let Some(chain) = self.held.take() {
            stack.core.memory.free(chain);
            self.n_held = 0;
        }
        if let Some(id) = self.pcb {
            stack.abort(now, &mut Post, id);
        }
        self.collect(stack, out);
    }

    /// Nobody uses it any more: what it holds is freed, and nothing is sent.
    pub fn dispose(&mut self, now: SimTime, stack: &mut Stack) {
        stack.core.now = now;
        if let Some(chain) = self.held.take() {
            stack.core.memory.free(chain);
        }
        let addr = self.addr;
        for mail in stack.mail.iter().filter(|mail| mail.addr == addr) {
            if let Event::Recv { chain, .. } = mail.event {
                stack.core.memory.free(chain);
            }
        }
        if let Some(id) = self.pcb.take() {
            stack.abandon(&mut Post, id, false);
        }
        stack.mail.retain(|mail| mail.addr != addr);
    }

    /// A frame for this socket arrives; false if no receive buffer was free.
    pub fn on_segment(
        &mut self,
        now: SimTime,
        stack: &mut Stack,
        segment: &Segment,
        out: &mut Outbox,
    ) -> bool {
        let is_taken = stack.on_frame(now, self.addr, segment);
        self.collect(stack, out);
        is_taken
    }

    /// Fetches what the stack has for this socket: segments to send, and what happened.
    pub fn collect(&mut self, stack: &mut Stack, out: &mut Outbox) {
        let addr = self.addr;
        let mut mail = Vec::new();
        stack.mail.retain(|m| {
            if m.addr == addr {
                mail.push(*m);
            }
            m.addr != addr
        });
        for Mail { pcb, event, .. } in mail {
            self.hear(stack, pcb, event, out);
        }
        if !stack.core.netif.has_driver {
            stack.core.netif.frames.retain(|frame| {
                let is_ours = frame.addr == addr;
                if is_ours && frame.is_sent {
                    out.segments.push(frame.segment);
                }
                !is_ours
            });
        }
        let is_gone =
            self.pcb.is_some_and(|id| stack.pcb(id).is_none_or(|pcb| pcb.state == State::TimeWait));
        if self.is_closed && is_gone && !self.is_over {
            self.is_over = true;
            out.signals.push(Signal::Closed);
        }
    }

    /// Whether a write was refused, and the program wants to hear of room.
    pub fn waits_for_room(&self) -> bool {
        self.wants_room
    }

    /// The program wants to hear of room, or does not.
    pub fn wait_for_room(&mut self, wants: bool) {
        self.wants_room = wants;
    }

    /// Why the next byte in the send buffer does not leave now.
    pub fn hold(&self, stack: &Stack) -> Option<Hold> {
        let pcb = stack.pcb(self.pcb?)?;
        let head = pcb.unsent.front()?;
        if matches!(pcb.state, State::SynSent | State::SynRcvd) {
            return Some(Hold::Connecting);
        }
        let end = (head.seq + u64::from(head.len)).saturating_sub(pcb.lastack);
        if 0 < pcb.persist_backoff {
            Some(Hold::Persist)
        } else if u64::from(pcb.snd_wnd) < end {
            Some(Hold::ReceiverWindow)
        } else if u64::from(pcb.cwnd) < end {
            Some(Hold::CongestionWindow)
        } else if pcb.flags.any(Tf::NAGLEMEMERR) {
            Some(Hold::Device)
        } else if !pcb.nagle_lets_go(stack.core.options.tcp_snd_queuelen) {
            Some(Hold::Nagle)
        } else {
            Some(Hold::NotPushed)
        }
    }

    /// The timers that run, with when they go off if nothing changes.
    pub fn timers(&self, stack: &Stack) -> Vec<Running> {
        let pcb = self.pcb.and_then(|id| stack.pcb(id));
        let (Some(pcb), Some(fast)) = (pcb, stack.next_wake()) else { return Vec::new() };
        let mut running = Vec::new();
        if pcb.flags.any(Tf::ACK_DELAY) {
            let (kind, since) = (TimerKind::DelayedAck, pcb.ack_since);
            running.push(Running { kind, since, due: fast });
        }
        let slow_in = |ticks: u64| stack.slow_tick_in(fast, ticks.max(1));
        if 0 < pcb.persist_backoff {
            let (kind, since) = (TimerKind::Persist, pcb.persist_since);
            running.push(Running { kind, since, due: slow_in(pcb.persist_ticks_left()) });
        } else if 0 <= pcb.rtime {
            let (kind, since) = (TimerKind::Retransmission, pcb.rtime_since);
            let left = i64::from(pcb.rto) - i64::from(pcb.rtime);
            running.push(Running { kind, since, due: slow_in(left.max(1) as u64) });
        }
        running
    }

    /// What charts show.
    pub fn gauges(&self, stack: &Stack) -> Gauges {
        let Some(pcb) = self.pcb.and_then(|id| stack.pcb(id)) else { return Gauges::default() };
        let slow_ns = u64::from(stack.core.options.slow_interval_ms()) * 1_000_000;
        Gauges {
            cwnd: u64::from(pcb.cwnd),
            ssthresh: u64::from(pcb.ssthresh),
            peer_window: u64::from(pcb.snd_wnd),
            srtt: pcb.sa.max(0) as u64 * slow_ns / 8,
            rto: pcb.rto.max(0) as u64 * slow_ns,
            una: pcb.lastack,
            nxt: pcb.snd_nxt,
            written: pcb.snd_lbb,
            send_capacity: u64::from(stack.core.options.tcp_snd_buf),
            rcv_nxt: pcb.rcv_nxt,
            rcv_read: 1 + self.n_read,
            out_of_order: pcb.ooseq.iter().map(|seg| u64::from(seg.len)).sum(),
            offered: pcb.rcv_ann_right_edge.saturating_sub(pcb.rcv_nxt),
            n_retransmitted: pcb.n_retransmitted,
        }
    }

    /// Bytes that wait to be read.
    pub fn n_readable(&self) -> u64 {
        self.n_held
    }

    /// Bytes written so far.
    pub fn n_written(&self) -> u64 {
        self.n_written
    }

    /// Whether the program has closed it or it broke.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn hear(&mut self, stack: &mut Stack, pcb: PcbId, event: Event, out: &mut Outbox) {
        match event {
            Event::Connected => {
                self.is_connected = true;
                out.signals.push(Signal::Connected);
            }
            Event::Accept => {
                self.pcb = Some(pcb);
                self.is_connected = true;
                let nodelay = self.nodelay;
                if let (Some((pcb, _)), true) = (stack.pcb_mut(pcb), nodelay) {
                    pcb.set_nodelay(true);
                }
                out.signals.push(Signal::Connected);
            }
            Event::AcceptFailed => {}
            Event::Sent(_) | Event::Poll => {
                if std::mem::take(&mut self.wants_room) {
                    out.signals.push(Signal::Writable);
                }
            }
            Event::Recv { chain, len } => {
                if self.is_closed {
                    stack.core.memory.free(chain);
                    return;
                }
                match self.held {
                    Some(head) => stack.core.memory.cat(head, chain),
                    None => self.held = Some(chain),
                }
                self.n_held += u64::from(len);
                out.signals.push(Signal::Readable);
            }
            Event::PeerClosed => {
                self.peer_closed = true;
                out.signals.push(Signal::PeerClosed);
            }
            Event::Err(fail) => self.hear_end(fail, out),
        }
    }

    /// The connection is gone. What was not read stays readable.
    fn hear_end(&mut self, fail: Fail, out: &mut Outbox) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        out.signals.push(match fail {
            _ if self.is_closed => Signal::Closed,
            Fail::Clsd => Signal::Closed,
            Fail::Rst if !self.is_connected => Signal::Broken(Errno::ConnRefused),
            Fail::Rst => Signal::Broken(Errno::ConnReset),
            _ => Signal::Broken(Errno::TimedOut),
        });
    }
}

impl Stack {
    /// When the slow timer runs for the `n`-th time from now, if it is served on time.
    fn slow_tick_in(&self, next_fast: SimTime, n: u64) -> SimTime {
        let interval = u64::from(self.core.options.tcp_tmr_interval_ms);
        // The slow timer runs with the 1st, 3rd, 5th ... run of the fast one.
        let skip = u64::from(self.tcp_timer % 2);
        next_fast + SimSpan::ms(interval * (skip + 2 * (n - 1)))
    }
}

impl Pcb {
    fn persist_ticks_left(&self) -> u64 {
        const SLOTS: [u8; 7] = super::timers::PERSIST_BACKOFF;
        let slot = SLOTS[usize::from(self.persist_backoff.max(1) - 1)];
        u64::from(slot.saturating_sub(self.persist_cnt))
    }
}

fn errno(fail: Fail) -> Errno {
    match fail {
        Fail::Mem | Fail::Buf => Errno::NoMem,
        Fail::Conn | Fail::IsConn | Fail::Val | Fail::Use => Errno::NotConn,
        Fail::If => Errno::Again,
        Fail::Abrt => Errno::TimedOut,
        Fail::Rst => Errno::ConnReset,
        Fail::Clsd => Errno::Pipe,
    }
}
