//! A segment arrives: `tcp_in.c:tcp_input` and the states' answers (`tcp_process`).

use super::core::Fail;
use super::memory::{Layer, PbufId};
use super::options::Version;
use super::output::send_rst;
use super::pcb::{Addr, Pcb, PcbId, State, Tf};
use super::receive::{Incoming, between};
use super::stack::{Answer, App, Event, Stack};
use crate::kernel::SimTime;
use crate::model::tcp::segment::{IP_HEADER, TCP_HEADER};
use crate::model::tcp::{Flags, Segment};

/// The connection was aborted inside a callback; nothing of it may be touched any more.
struct Gone;

impl Stack {
    /// A frame as a copying driver hands it up: into receive buffers, then to TCP.
    ///
    /// False: no receive buffer was free, and the frame is lost.
    pub fn frame(
        &mut self,
        now: SimTime,
        addr: Addr,
        segment: &Segment,
        app: &mut dyn App,
    ) -> bool {
        self.core.now = now;
        let Some(chain) = self.core.memory.alloc_pool(Layer::Raw, segment.ip_bytes()) else {
            return false;
        };
        let headers = IP_HEADER + TCP_HEADER + segment.option_bytes();
        self.core.memory.trim_front(chain, headers);
        self.input(now, addr, segment, chain, app);
        true
    }

    /// A segment with its payload in `chain`, headers stripped. `tcp_in.c:tcp_input`.
    pub fn input(
        &mut self,
        now: SimTime,
        addr: Addr,
        segment: &Segment,
        chain: PbufId,
        app: &mut dyn App,
    ) {
        self.core.now = now;
        self.core.stats.recv += 1;
        let place = self.active.iter().position(|id| self.pcb(*id).is_some_and(|p| p.addr == addr));
        if let Some(place) = place {
            // The list is in the order of last use.
            self.active[..=place].rotate_right(1);
            self.input_active(self.active[0], addr, segment, chain, app);
            return;
        }
        let waiting = |id: &&PcbId| self.pcb(**id).is_some_and(|pcb| pcb.addr == addr);
        if let Some(id) = self.time_wait.iter().find(waiting).copied() {
            self.input_time_wait(id, segment);
        } else if self.listeners.iter().any(|listener| listener.port == addr.port) {
            self.input_listen(addr, segment, app);
        } else if !segment.flags.has(Flags::RST) {
            self.core.stats.drop += 1;
            send_rst(&mut self.core, addr, None, segment.ack, end_of(segment));
        }
        self.core.memory.free(chain);
    }

    fn input_active(
        &mut self,
        id: PcbId,
        addr: Addr,
        segment: &Segment,
        chain: PbufId,
        app: &mut dyn App,
    ) {
        let mut seg = Incoming {
            seq: segment.seq,
            ack: segment.ack,
            wnd: segment.window,
            flags: segment.flags,
            tcplen: tcplen(segment),
            len: segment.len,
            chain: Some(chain),
            recv_data: None,
            acked: 0,
            got_fin: false,
            reset: false,
            closed: false,
        };
        if self.offers_refused(id, seg.tcplen, app) {
            self.core.input_pcb = Some(id);
            self.core.input_closed = false;
            let gone = self.process_and_tell(id, addr, &mut seg, segment, app).is_err();
            self.core.input_pcb = None;
            if !gone && let Some((pcb, core)) = self.pcb_mut(id) {
                // What the device refuses stays queued.
                let _ = pcb.output(core);
            }
        } else {
            self.core.stats.drop += 1;
        }
        if let Some(chain) = seg.chain {
            self.core.memory.free(chain);
        }
    }

    /// Data refused before are offered first; whether the segment may be processed.
    fn offers_refused(&mut self, id: PcbId, tcplen: u32, app: &mut dyn App) -> bool {
        let refused = |stack: &Stack| stack.pcb(id).is_some_and(|p| p.refused_data.is_some());
        if !refused(self) {
            return true;
        }
        let aborted = self.process_refused(id, app) == Answer::Aborted;
        let must_wait = refused(self) && 0 < tcplen;
        if !aborted && !must_wait {
            return true;
        }
        if let Some((pcb, core)) = self.pcb_mut(id)
            && pcb.rcv_ann_wnd == 0
        {
            let _ = pcb.send_empty_ack(core);
        }
        false
    }

    /// Offers refused data again. `tcp.c:tcp_process_refused_data`.
    pub(super) fn process_refused(&mut self, id: PcbId, app: &mut dyn App) -> Answer {
        let Some((pcb, core)) = self.pcb_mut(id) else { return Answer::Aborted };
        let Some(chain) = pcb.refused_data.take() else { return Answer::Ok };
        let addr = pcb.addr;
        let len = core.memory.total(chain);
        let answer = app.on(self, id, addr, Event::Recv { chain, len });
        match (answer, self.pcb_mut(id)) {
            (Answer::Ok, Some((pcb, _))) if pcb.refused_fin => {
                pcb.refused_fin = false;
                self.tell_closed(id, addr, app)
            }
            (Answer::Refuse, Some((pcb, _))) => {
                pcb.refused_data = Some(chain);
                answer
            }
            _ => answer,
        }
    }

    fn tell_closed(&mut self, id: PcbId, addr: Addr, app: &mut dyn App) -> Answer {
        if let Some((pcb, core)) = self.pcb_mut(id)
            && pcb.rcv_wnd != core.options.tcp_wnd
        {
            pcb.rcv_wnd += 1;
        }
        app.on(self, id, addr, Event::PeerClosed)
    }

    /// The state's answer, then the callbacks in lwIP's order: sent, received, closed.
    fn process_and_tell(
        &mut self,
        id: PcbId,
        addr: Addr,
        seg: &mut Incoming,
        segment: &Segment,
        app: &mut dyn App,
    ) -> Result<(), Gone> {
        self.process(id, addr, seg, segment, app)?;
        if seg.reset {
            let state = self.pcb(id).map_or(State::Closed, |pcb| pcb.state);
            self.tell_err(app, id, addr, state, Fail::Rst);
            self.remove(id);
            self.free(id);
            return Err(Gone);
        }
        if 0 < seg.acked && app.on(self, id, addr, Event::Sent(seg.acked)) == Answer::Aborted {
            return Err(Gone);
        }
        self.close_if_over(id, addr, seg, app)?;
        if let Some(chain) = seg.recv_data.take() {
            self.tell_data(id, addr, chain, app)?;
        }
        if seg.got_fin {
            self.tell_fin(id, addr, app)?;
        }
        self.core.input_pcb = None;
        self.close_if_over(id, addr, seg, app)
    }

    fn tell_data(
        &mut self,
        id: PcbId,
        addr: Addr,
        chain: PbufId,
        app: &mut dyn App,
    ) -> Result<(), Gone> {
        if self.pcb(id).is_some_and(|pcb| pcb.flags.any(Tf::RXCLOSED)) {
            // Data for somebody who has left.
            self.core.memory.free(chain);
            self.abandon(app, id, true);
            return Err(Gone);
        }
        let len = self.core.memory.total(chain);
        match app.on(self, id, addr, Event::Recv { chain, len }) {
            Answer::Ok => Ok(()),
            Answer::Aborted => Err(Gone),
            Answer::Refuse => {
                if let Some((pcb, _)) = self.pcb_mut(id) {
                    pcb.refused_data = Some(chain);
                }
                Ok(())
            }
        }
    }

    /// The other end closed; after refused data the application hears it later.
    fn tell_fin(&mut self, id: PcbId, addr: Addr, app: &mut dyn App) -> Result<(), Gone> {
        if let Some((pcb, _)) = self.pcb_mut(id)
            && pcb.refused_data.is_some()
        {
            pcb.refused_fin = true;
            return Ok(());
        }
        match self.tell_closed(id, addr, app) {
            Answer::Aborted => Err(Gone),
            _ => Ok(()),
        }
    }

    /// `tcp_in.c:tcp_input_delayed_close`.
    fn close_if_over(
        &mut self,
        id: PcbId,
        addr: Addr,
        seg: &Incoming,
        app: &mut dyn App,
    ) -> Result<(), Gone> {
        if !seg.closed && !self.core.input_closed {
            return Ok(());
        }
        self.core.input_closed = false;
        if self.pcb(id).is_some_and(|pcb| !pcb.flags.any(Tf::RXCLOSED)) {
            app.on(self, id, addr, Event::Err(Fail::Clsd));
        }
        self.remove(id);
        self.free(id);
        Err(Gone)
    }

    /// What the connection's state makes of the segment. `tcp_in.c:tcp_process`.
    fn process(
        &mut self,
        id: PcbId,
        addr: Addr,
        seg: &mut Incoming,
        segment: &Segment,
        app: &mut dyn App,
    ) -> Result<(), Gone> {
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Gone) };
        if seg.flags.has(Flags::RST) {
            pcb.process_rst(seg);
            return Ok(());
        }
        let opening = matches!(pcb.state, State::SynSent | State::SynRcvd);
        if seg.flags.has(Flags::SYN) && !opening {
            pcb.set(Tf::ACK_NOW);
            return Ok(());
        }
        if !pcb.flags.any(Tf::RXCLOSED) {
            pcb.tmr = core.ticks;
        }
        pcb.persist_probe = 0;
        if let Some(mss) = segment.mss {
            let mss = u32::from(mss);
            let too_large = mss == 0 || core.options.tcp_mss < mss;
            pcb.mss = if too_large { core.options.tcp_mss } else { mss };
        }
        match pcb.state {
            State::SynSent => self.process_syn_sent(id, addr, seg, app),
            State::SynRcvd => self.process_syn_rcvd(id, addr, seg, app),
            _ => {
                self.process_open(id, seg);
                Ok(())
            }
        }
    }

    fn process_syn_sent(
        &mut self,
        id: PcbId,
        addr: Addr,
        seg: &mut Incoming,
        app: &mut dyn App,
    ) -> Result<(), Gone> {
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Gone) };
        let is_answer = seg.flags.has(Flags::ACK.with(Flags::SYN)) && seg.ack == pcb.lastack + 1;
        if !is_answer {
            if seg.flags.has(Flags::ACK) {
                let end = seg.seq + u64::from(seg.tcplen);
                send_rst(core, addr, Some(id), seg.ack, end);
                if pcb.nrtx < core.options.tcp_synmaxrtx {
                    pcb.restart_rtime(core);
                    if pcb.rexmit_rto_prepare() {
                        pcb.rexmit_rto_commit(core);
                    }
                }
            }
            return Ok(());
        }
        pcb.rcv_nxt = seg.seq + 1;
        pcb.rcv_ann_right_edge = pcb.rcv_nxt;
        pcb.lastack = seg.ack;
        pcb.snd_wnd = seg.wnd;
        pcb.snd_wnd_max = seg.wnd;
        pcb.snd_wl1 = seg.seq as i64 - 1;
        pcb.state = State::Established;
        pcb.mss = core.fit_mss(pcb.mss);
        pcb.cwnd = initial_cwnd(pcb.mss);
        pcb.snd_queuelen -= 1;
        let syn = pcb.unacked.pop_front().or_else(|| pcb.unsent.pop_front());
        if let Some(syn) = syn {
            core.free_seg(syn);
        }
        if pcb.unacked.is_empty() {
            pcb.rtime = -1;
        } else {
            pcb.restart_rtime(core);
            pcb.nrtx = 0;
        }
        if app.on(self, id, addr, Event::Connected) == Answer::Aborted {
            return Err(Gone);
        }
        if let Some((pcb, _)) = self.pcb_mut(id) {
            pcb.set(Tf::ACK_NOW);
        }
        Ok(())
    }

    fn process_syn_rcvd(
        &mut self,
        id: PcbId,
        addr: Addr,
        seg: &mut Incoming,
        app: &mut dyn App,
    ) -> Result<(), Gone> {
        let has_listener = self.listeners.iter().any(|listener| listener.port == addr.port);
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Gone) };
        // 2.1 looks at the acknowledgement of a SYN first, 2.2 at the SYN.
        let is_syn = seg.flags.has(Flags::SYN);
        let syn_first = is_syn && core.options.version == Version::V2_2;
        if !seg.flags.has(Flags::ACK) || syn_first {
            if is_syn && seg.seq + 1 == pcb.rcv_nxt {
                // Another copy of the SYN: ours goes again.
                pcb.rexmit();
            }
            return Ok(());
        }
        if !between(seg.ack, pcb.lastack + 1, pcb.snd_nxt) {
            let end = seg.seq + u64::from(seg.tcplen);
            send_rst(core, addr, Some(id), seg.ack, end);
            return Ok(());
        }
        pcb.state = State::Established;
        let answer =
            if has_listener { app.on(self, id, addr, Event::Accept) } else { Answer::Refuse };
        if answer != Answer::Ok {
            if answer == Answer::Refuse {
                self.abandon(app, id, true);
            }
            return Err(Gone);
        }
        let Some((pcb, core)) = self.pcb_mut(id) else { return Err(Gone) };
        pcb.receive(core, seg);
        // The SYN's place is no byte of the application.
        seg.acked = seg.acked.saturating_sub(1);
        pcb.cwnd = initial_cwnd(pcb.mss);
        if seg.got_fin {
            pcb.set(Tf::ACK_NOW);
            pcb.state = State::CloseWait;
        }
        Ok(())
    }

    /// The states from `ESTABLISHED` on.
    fn process_open(&mut self, id: PcbId, seg: &mut Incoming) {
        let Some((pcb, core)) = self.pcb_mut(id) else { return };
        pcb.receive(core, seg);
        let acked_all =
            seg.flags.has(Flags::ACK) && seg.ack == pcb.snd_nxt && pcb.unsent.is_empty();
        if seg.got_fin
            && matches!(
                pcb.state,
                State::Established | State::CloseWait | State::FinWait1 | State::FinWait2
            )
        {
            pcb.set(Tf::ACK_NOW);
        }
        let next = match (pcb.state, seg.got_fin) {
            (State::Established | State::CloseWait, true) => State::CloseWait,
            (State::FinWait1, true) if acked_all => State::TimeWait,
            (State::FinWait1, true) => State::Closing,
            (State::FinWait1, false) if acked_all => State::FinWait2,
            (State::FinWait2, true) => State::TimeWait,
            (State::Closing, _) if acked_all => State::TimeWait,
            (State::LastAck, _) if acked_all => {
                seg.closed = true;
                State::LastAck
            }
            (state, _) => state,
        };
        if next == State::TimeWait {
            pcb.purge(core);
            pcb.state = next;
            self.unlist(id);
            self.time_wait.insert(0, id);
        } else {
            pcb.state = next;
        }
    }

    /// A segment for a listener. `tcp_in.c:tcp_listen_input`.
    fn input_listen(&mut self, addr: Addr, segment: &Segment, app: &mut dyn App) {
        if segment.flags.has(Flags::RST) {
            return;
        }
        if segment.flags.has(Flags::ACK) {
            send_rst(&mut self.core, addr, None, segment.ack, end_of(segment));
            return;
        }
        let listener = self.listeners.iter().find(|listener| listener.port == addr.port);
        let (Some(&listener), true) = (listener, segment.flags.has(Flags::SYN)) else { return };
        let Some(id) = self.alloc(app, listener.prio) else {
            // Nothing is sent: the other end will try again.
            self.core.stats.memerr += 1;
            app.on(self, PcbId(u32::MAX), addr, Event::AcceptFailed);
            return;
        };
        let Some((pcb, _)) = self.pcb_mut(id) else { return };
        pcb.addr = addr;
        pcb.state = State::SynRcvd;
        pcb.rcv_nxt = segment.seq + 1;
        pcb.rcv_ann_right_edge = pcb.rcv_nxt;
        pcb.snd_wl1 = segment.seq as i64 - 1;
        self.register(id);
        let Some((pcb, core)) = self.pcb_mut(id) else { return };
        if let Some(mss) = segment.mss {
            let mss = u32::from(mss);
            let too_large = mss == 0 || core.options.tcp_mss < mss;
            pcb.mss = if too_large { core.options.tcp_mss } else { mss };
        }
        pcb.snd_wnd = segment.window;
        pcb.snd_wnd_max = segment.window;
        pcb.mss = core.fit_mss(pcb.mss);
        if pcb.enqueue_flags(core, Flags::SYN.with(Flags::ACK)).is_err() {
            self.abandon(app, id, false);
            return;
        }
        // What the device refuses stays queued.
        let _ = pcb.output(core);
    }

    /// A segment for a connection that is over. `tcp_in.c:tcp_timewait_input`.
    fn input_time_wait(&mut self, id: PcbId, segment: &Segment) {
        let Some((pcb, core)) = self.pcb_mut(id) else { return };
        if segment.flags.has(Flags::RST) {
            return;
        }
        if segment.flags.has(Flags::SYN) {
            let window_end = pcb.rcv_nxt + u64::from(pcb.rcv_wnd);
            if between(segment.seq, pcb.rcv_nxt, window_end) {
                send_rst(core, pcb.addr, Some(id), segment.ack, end_of(segment));
                return;
            }
        } else if segment.flags.has(Flags::FIN) {
            pcb.tmr = core.ticks;
        }
        if 0 < tcplen(segment) {
            pcb.set(Tf::ACK_NOW);
            let _ = pcb.output(core);
        }
    }
}

impl Pcb {
    /// RFC 5961: only a reset at the exact position counts; one in the window is answered.
    fn process_rst(&mut self, seg: &mut Incoming) {
        let acceptable = if self.state == State::SynSent {
            seg.ack == self.snd_nxt
        } else {
            seg.seq == self.rcv_nxt
        };
        if acceptable {
            seg.reset = true;
            self.clear(Tf::ACK_DELAY);
        } else if self.state != State::SynSent {
            let window_end = self.rcv_nxt + u64::from(self.rcv_wnd);
            if between(seg.seq, self.rcv_nxt, window_end) {
                self.set(Tf::ACK_NOW);
            }
        }
    }
}

/// Sequence space of a segment as lwIP counts it: SYN and FIN together take one place.
fn tcplen(segment: &Segment) -> u32 {
    let bit = segment.flags.has(Flags::SYN) || segment.flags.has(Flags::FIN);
    segment.len + u32::from(bit)
}

fn end_of(segment: &Segment) -> u64 {
    segment.seq + u64::from(tcplen(segment))
}

/// RFC 2581/3390's first window, as lwIP rounds it. `tcp_priv.h:LWIP_TCP_CALC_INITIAL_CWND`.
fn initial_cwnd(mss: u32) -> u32 {
    (4 * mss).min((2 * mss).max(4380))
}
