//! Calls of an application: connect, listen, close, abort (`tcp.c`).

use super::core::Fail;
use super::output::send_rst;
use super::pcb::{Addr, INITIAL_MSS, PcbId, State, Tf};
use super::stack::{App, Listener, PRIO_NORMAL, Stack};
use crate::kernel::SimTime;
use crate::model::tcp::Flags;

impl Stack {
    /// A new connection. `tcp.c:tcp_new`.
    pub fn new_pcb(&mut self, now: SimTime, app: &mut dyn App) -> Result<PcbId, Fail> {
        self.core.now = now;
        self.alloc(app, PRIO_NORMAL).ok_or(Fail::Mem)
    }

    /// Opens a connection: sends its SYN. `tcp.c:tcp_connect`.
    ///
    /// Port 0 of our own: any that is free. The rest of `addr` says where to.
    pub fn connect(&mut self, now: SimTime, id: PcbId, addr: Addr) -> Result<(), Fail> {
        self.core.now = now;
        let port = match addr.port {
            0 => self.new_port().ok_or(Fail::Buf)?,
            port => port,
        };
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Fail::Conn) };
        if pcb.state != State::Closed {
            return Err(Fail::IsConn);
        }
        pcb.addr = Addr { port, ..addr };
        // Positions: the SYN is 0, and `iss` is 1.
        pcb.snd_nxt = 1;
        pcb.rcv_wnd = core.options.tcp_wnd;
        pcb.rcv_ann_wnd = core.options.tcp_wnd;
        pcb.snd_wnd = core.options.tcp_wnd;
        pcb.mss = core.fit_mss(INITIAL_MSS.min(core.options.tcp_mss));
        pcb.cwnd = 1;
        pcb.enqueue_flags(core, Flags::SYN)?;
        pcb.state = State::SynSent;
        self.register(id);
        if let Some((pcb, core)) = self.pcb_mut(id) {
            // What the device refuses stays queued.
            let _ = pcb.output(core);
        }
        Ok(())
    }

    /// Listens at a port. `tcp.c:tcp_bind`, `tcp_listen`.
    pub fn listen(&mut self, now: SimTime, app: &mut dyn App, port: u16) -> Result<(), Fail> {
        self.core.now = now;
        if self.listeners.iter().any(|listener| listener.port == port) {
            return Err(Fail::Use);
        }
        // A listener begins as a connection and becomes smaller.
        let id = self.alloc(app, PRIO_NORMAL).ok_or(Fail::Mem)?;
        let has_room = self.core.memory.tcp_pcb_listen.take();
        self.free(id);
        if !has_room {
            return Err(Fail::Mem);
        }
        self.listeners.push(Listener { port, prio: PRIO_NORMAL });
        Ok(())
    }

    /// Listens no more.
    pub fn unlisten(&mut self, port: u16) {
        let n_before = self.listeners.len();
        self.listeners.retain(|listener| listener.port != port);
        if self.listeners.len() < n_before {
            self.core.memory.tcp_pcb_listen.give();
        }
    }

    /// Closes a connection in both directions. `tcp.c:tcp_close`.
    ///
    /// A connection with data that the application has not taken is reset.
    pub fn close(&mut self, now: SimTime, id: PcbId) -> Result<(), Fail> {
        self.core.now = now;
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Fail::Conn) };
        pcb.set(Tf::RXCLOSED);
        let is_open = matches!(pcb.state, State::Established | State::CloseWait);
        let has_unread = pcb.refused_data.is_some() || pcb.rcv_wnd != core.options.tcp_wnd;
        if is_open && has_unread {
            send_rst(core, pcb.addr, Some(id), pcb.snd_nxt, pcb.rcv_nxt);
            pcb.purge(core);
            self.unlist(id);
            if self.core.input_pcb == Some(id) {
                self.core.input_closed = true;
            } else {
                self.free(id);
            }
            return Ok(());
        }
        match pcb.state {
            State::Closed => self.free(id),
            State::SynSent => {
                self.remove(id);
                self.free(id);
            }
            _ => return self.close_fin(id),
        }
        Ok(())
    }

    /// Closes the sending direction only. `tcp.c:tcp_shutdown(pcb, 0, 1)`.
    pub fn shutdown(&mut self, now: SimTime, id: PcbId) -> Result<(), Fail> {
        self.core.now = now;
        let may = [State::SynRcvd, State::Established, State::CloseWait];
        if !self.pcb(id).is_some_and(|pcb| may.contains(&pcb.state)) {
            return Err(Fail::Conn);
        }
        self.close_fin(id)
    }

    /// `tcp.c:tcp_close_shutdown_fin`: without memory for the FIN the fast timer tries again.
    fn close_fin(&mut self, id: PcbId) -> Result<(), Fail> {
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Fail::Conn) };
        let next = match pcb.state {
            State::SynRcvd | State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return Ok(()),
        };
        if pcb.send_fin(core).is_err() {
            pcb.set(Tf::CLOSEPEND);
            return Ok(());
        }
        pcb.state = next;
        // What the device refuses stays queued.
        let _ = pcb.output(core);
        Ok(())
    }

    /// Tries a close again that failed for want of memory.
    pub(super) fn retry_close(&mut self, id: PcbId) {
        let Some((pcb, _)) = self.pcb_mut(id) else { return };
        if pcb.flags.any(Tf::CLOSEPEND) {
            pcb.clear(Tf::CLOSEPEND);
            let _ = self.close_fin(id);
        }
    }

    /// Ends a connection at once and resets the other end. `tcp.c:tcp_abort`.
    pub fn abort(&mut self, now: SimTime, app: &mut dyn App, id: PcbId) {
        self.core.now = now;
        self.abandon(app, id, true);
    }

    /// `tcp.c:tcp_abandon`.
    pub(super) fn abandon(&mut self, app: &mut dyn App, id: PcbId, reset: bool) {
        let Some(pcb) = self.pcb(id) else { return };
        let (addr, state) = (pcb.addr, pcb.state);
        let (seq, ack) = (pcb.snd_nxt, pcb.rcv_nxt);
        self.remove(id);
        if state == State::TimeWait {
            self.free(id);
            return;
        }
        if reset && state != State::Closed {
            send_rst(&mut self.core, addr, Some(id), seq, ack);
        }
        self.free(id);
        self.tell_err(app, id, addr, state, Fail::Abrt);
    }

    /// The application has taken bytes. `tcp.c:tcp_recved`.
    pub fn recved(&mut self, now: SimTime, id: PcbId, bytes: u32) {
        self.core.now = now;
        if let Some((pcb, core)) = self.pcb_mut(id) {
            pcb.recved(core, bytes);
        }
    }
}
