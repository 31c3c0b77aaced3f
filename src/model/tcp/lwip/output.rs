//! Sending: `tcp_output`, acknowledgements, resets, retransmission, window probes (`tcp_out.c`).

use super::core::{Core, Fail};
use super::memory::Layer;
use super::pcb::{Addr, Pcb, PcbId, State, TcpSeg, Tf};
use crate::model::tcp::{Flags, Segment};

/// Bytes of a TCP header without options.
const TCP_HLEN: u32 = 20;

impl Pcb {
    /// Sends what windows and Nagle let go. `tcp_out.c:tcp_output`.
    ///
    /// Does nothing inside a callback of this connection: `tcp_input` calls it afterwards.
    pub fn output(&mut self, core: &mut Core) -> Result<(), Fail> {
        if core.input_pcb == Some(self.id) {
            return Ok(());
        }
        let wnd = self.snd_wnd.min(self.cwnd);
        let Some(head) = self.unsent.front() else {
            if self.flags.any(Tf::ACK_NOW) {
                return self.send_empty_ack(core);
            }
            self.clear(Tf::NAGLEMEMERR);
            return Ok(());
        };
        if !self.fits(head, wnd) {
            if wnd == self.snd_wnd && self.unacked.is_empty() && self.persist_backoff == 0 {
                self.persist_cnt = 0;
                self.persist_backoff = 1;
                self.persist_probe = 0;
                self.persist_since = core.now;
            }
            if self.flags.any(Tf::ACK_NOW) {
                return self.send_empty_ack(core);
            }
            self.clear(Tf::NAGLEMEMERR);
            return Ok(());
        }
        self.persist_backoff = 0;
        while let Some(&seg) = self.unsent.front() {
            if !self.fits(&seg, wnd) {
                break;
            }
            // Nagle holds the segment, and with it any acknowledgement: that is lwIP's way.
            let overruled = self.flags.any(Tf::NAGLEMEMERR.or(Tf::FIN));
            if !self.nagle_lets_go(core.options.tcp_snd_queuelen) && !overruled {
                break;
            }
            self.output_head(core)?;
        }
        if self.unsent.is_empty() {
            self.unsent_oversize = 0;
        }
        self.clear(Tf::NAGLEMEMERR);
        Ok(())
    }

    fn fits(&self, seg: &TcpSeg, wnd: u32) -> bool {
        // An acknowledgement may have ended inside the segment.
        (seg.seq + u64::from(seg.len)).wrapping_sub(self.lastack) <= u64::from(wnd)
    }

    /// Sends the first segment and files it under the unacknowledged ones; if the device refuses
    /// it, it stays where it is.
    fn output_head(&mut self, core: &mut Core) -> Result<(), Fail> {
        let head = self.unsent.front_mut().expect("the caller saw it");
        let connected = self.state != State::SynSent;
        if connected {
            head.flags = head.flags.with(Flags::ACK);
        }
        let seg = *head;
        if let Err(fail) = self.output_segment(core, &seg) {
            self.set(Tf::NAGLEMEMERR);
            return Err(fail);
        }
        self.unsent.pop_front();
        if connected {
            self.clear(Tf::ACK_DELAY.or(Tf::ACK_NOW));
        }
        self.snd_nxt = self.snd_nxt.max(seg.end());
        if seg.space() == 0 {
            core.free_seg(seg);
            return Ok(());
        }
        let place = match self.unacked.back() {
            Some(last) if seg.seq < last.seq => {
                self.unacked.iter().position(|other| seg.seq <= other.seq).unwrap_or(0)
            }
            _ => self.unacked.len(),
        };
        self.unacked.insert(place, seg);
        Ok(())
    }

    /// Hands one segment to the device. `tcp_out.c:tcp_output_segment`.
    ///
    /// The retransmission timer and the round-trip measurement start even if the device refuses.
    fn output_segment(&mut self, core: &mut Core, seg: &TcpSeg) -> Result<(), Fail> {
        self.rcv_ann_right_edge = self.rcv_nxt + u64::from(self.rcv_ann_wnd);
        if self.rtime < 0 {
            self.restart_rtime(core);
        }
        if self.rttest == 0 {
            self.rttest = core.ticks;
            self.rtseq = seg.seq;
        }
        let again = seg.end() <= self.sent_end;
        let segment = Segment {
            flags: seg.flags,
            seq: seg.seq,
            ack: self.rcv_nxt,
            len: seg.len,
            window: self.rcv_ann_wnd,
            mss: seg.mss_option.then(|| core.fit_mss(core.options.tcp_mss) as u16),
            again,
            ..Segment::default()
        };
        let n_pbufs = core.memory.count(seg.chain);
        core.transmit(self.addr, Some(self.id), segment, n_pbufs)?;
        self.sent_end = self.sent_end.max(seg.end());
        self.n_retransmitted += u64::from(again);
        Ok(())
    }

    /// Sends an acknowledgement without data. `tcp_out.c:tcp_send_empty_ack`.
    ///
    /// Without memory for it the flags stay, and the next chance is the last:
    /// `tcp_fasttmr` clears them whether it could be sent or not.
    pub(super) fn send_empty_ack(&mut self, core: &mut Core) -> Result<(), Fail> {
        let segment = Segment { seq: self.snd_nxt, ..self.bare(Flags::ACK) };
        let Some(sent) = self.send_control(core, segment) else {
            self.set(Tf::ACK_DELAY.or(Tf::ACK_NOW));
            return Err(Fail::Buf);
        };
        if sent.is_ok() {
            self.clear(Tf::ACK_DELAY.or(Tf::ACK_NOW));
        } else {
            self.set(Tf::ACK_DELAY.or(Tf::ACK_NOW));
        }
        sent
    }

    /// Probes a closed window with one byte, or with the FIN that waits.
    /// `tcp_out.c:tcp_zero_window_probe`.
    pub(super) fn zero_window_probe(&mut self, core: &mut Core) -> Result<(), Fail> {
        let Some(&seg) = self.unsent.front() else { return Ok(()) };
        self.persist_probe = self.persist_probe.saturating_add(1);
        let is_fin = seg.flags.has(Flags::FIN) && seg.len == 0;
        let flags = if is_fin { Flags::ACK.with(Flags::FIN) } else { Flags::ACK };
        let end = seg.seq + 1;
        let probe = Segment {
            seq: seg.seq,
            len: u32::from(!is_fin),
            again: end <= self.sent_end,
            ..self.bare(flags)
        };
        let Some(sent) = self.send_control(core, probe) else { return Err(Fail::Mem) };
        self.snd_nxt = self.snd_nxt.max(end);
        self.sent_end = self.sent_end.max(end);
        sent
    }

    /// A segment that acknowledges, as `tcp_out.c:tcp_output_alloc_header` makes it.
    fn bare(&self, flags: Flags) -> Segment {
        Segment { flags, ack: self.rcv_nxt, window: self.rcv_ann_wnd, ..Segment::default() }
    }

    /// Sends a segment that is not queued; `None` if there is no memory for it.
    fn send_control(&mut self, core: &mut Core, segment: Segment) -> Option<Result<(), Fail>> {
        let chain = core.memory.alloc_ram(Layer::Ip, TCP_HLEN + segment.len)?;
        self.rcv_ann_right_edge = self.rcv_nxt + u64::from(self.rcv_ann_wnd);
        let sent = core.transmit(self.addr, Some(self.id), segment, 1);
        core.memory.free(chain);
        Some(sent)
    }

    /// Puts all unacknowledged segments back; false if there are none.
    /// `tcp_out.c:tcp_rexmit_rto_prepare`.
    pub(super) fn rexmit_rto_prepare(&mut self) -> bool {
        let Some(last) = self.unacked.back() else { return false };
        self.rto_end = last.end();
        while let Some(seg) = self.unacked.pop_back() {
            self.unsent.push_front(seg);
        }
        self.set(Tf::RTO);
        self.rttest = 0;
        true
    }

    /// Counts the timeout and sends. `tcp_out.c:tcp_rexmit_rto_commit`.
    pub(super) fn rexmit_rto_commit(&mut self, core: &mut Core) {
        self.nrtx = self.nrtx.saturating_add(1);
        // A refusal by the device is tried again at the next tick.
        let _ = self.output(core);
    }

    /// Puts the oldest unacknowledged segment back to be sent next. `tcp_out.c:tcp_rexmit`.
    pub(super) fn rexmit(&mut self) -> bool {
        let Some(seg) = self.unacked.pop_front() else { return false };
        let place = self.unsent.iter().position(|other| seg.seq <= other.seq);
        let place = place.unwrap_or(self.unsent.len());
        self.unsent.insert(place, seg);
        if place + 1 == self.unsent.len() {
            self.unsent_oversize = 0;
        }
        self.nrtx = self.nrtx.saturating_add(1);
        self.rttest = 0;
        true
    }

    /// Fast retransmit. RFC 5681 section 3.2; `tcp_out.c:tcp_rexmit_fast`.
    pub(super) fn rexmit_fast(&mut self, core: &Core) {
        if self.flags.any(Tf::INFR) || !self.rexmit() {
            return;
        }
        self.ssthresh = (self.cwnd.min(self.snd_wnd) / 2).max(2 * self.mss);
        self.cwnd = self.ssthresh + 3 * self.mss;
        self.set(Tf::INFR);
        self.restart_rtime(core);
    }
}

/// Resets a connection, or refuses one that does not exist. `tcp_out.c:tcp_rst`.
pub(super) fn send_rst(core: &mut Core, addr: Addr, pcb: Option<PcbId>, seq: u64, ack: u64) {
    let Some(chain) = core.memory.alloc_ram(Layer::Ip, TCP_HLEN) else { return };
    let segment = Segment {
        flags: Flags::RST.with(Flags::ACK),
        seq,
        ack,
        window: core.options.tcp_wnd,
        ..Segment::default()
    };
    // Nobody is told whether a reset could be sent.
    let _ = core.transmit(addr, pcb, segment, 1);
    core.memory.free(chain);
}
