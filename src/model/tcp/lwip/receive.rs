//! What a segment does to an established connection: `tcp_in.c:tcp_receive`.

use super::core::Core;
use super::memory::PbufId;
use super::options::Version;
use super::pcb::{Pcb, State, TcpSeg, Tf, window_sum};
use crate::model::tcp::Flags;

/// A segment that is being processed, and what came of it. `tcp_in.c`'s file-wide variables.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Incoming {
    pub seq: u64,
    pub ack: u64,
    pub wnd: u32,
    pub flags: Flags,
    /// Sequence space it takes.
    pub tcplen: u32,
    /// Payload in bytes; shrinks when it is trimmed.
    pub len: u32,
    /// Its buffers; `None` once they went on to the application.
    pub chain: Option<PbufId>,
    /// Data in order, for the application.
    pub recv_data: Option<PbufId>,
    /// Bytes that it acknowledged.
    pub acked: u32,
    /// The other end's FIN came, in order.
    pub got_fin: bool,
    /// It was a valid reset.
    pub reset: bool,
    /// The last acknowledgement of a closing connection.
    pub closed: bool,
}

impl Incoming {
    /// As `tcp_priv.h:TCP_TCPLEN(&inseg)` after trimming.
    fn space(&self) -> u32 {
        let bit = self.flags.has(Flags::FIN) || self.flags.has(Flags::SYN);
        self.len + u32::from(bit)
    }
}

/// Whether `low <= x <= high`. `tcp_priv.h:TCP_SEQ_BETWEEN`.
pub(super) fn between(x: u64, low: u64, high: u64) -> bool {
    low <= x && x <= high
}

impl Pcb {
    /// Acknowledgement first, then data.
    pub(super) fn receive(&mut self, core: &mut Core, seg: &mut Incoming) {
        if seg.flags.has(Flags::ACK) {
            self.receive_ack(core, seg);
        }
        // Data after the other end's FIN are ignored.
        if 0 < seg.tcplen && self.state < State::CloseWait {
            self.receive_data(core, seg);
        } else if !self.in_window(seg.seq) {
            self.set(Tf::ACK_NOW);
        }
    }

    fn in_window(&self, seq: u64) -> bool {
        self.rcv_nxt <= seq && seq < self.rcv_nxt + u64::from(self.rcv_wnd)
    }

    fn receive_ack(&mut self, core: &mut Core, seg: &mut Incoming) {
        let right_edge = u64::from(self.snd_wnd) + self.snd_wl2;
        self.update_snd_wnd(seg);
        if seg.ack <= self.lastack {
            self.count_dupack(core, seg, right_edge);
        } else if seg.ack <= self.snd_nxt {
            self.new_ack(core, seg);
        } else {
            // It acknowledges what was never sent.
            let _ = self.send_empty_ack(core);
        }
        if self.rttest != 0 && self.rtseq < seg.ack {
            self.measure_rtt(core);
        }
    }

    /// Window update. RFC 9293 section 3.10.7.4.
    fn update_snd_wnd(&mut self, seg: &Incoming) {
        let newer_segment = self.snd_wl1 < seg.seq as i64;
        let newer_ack = self.snd_wl1 == seg.seq as i64 && self.snd_wl2 < seg.ack;
        let wider = self.snd_wl2 == seg.ack && self.snd_wnd < seg.wnd;
        if newer_segment || newer_ack || wider {
            self.snd_wnd = seg.wnd;
            self.snd_wnd_max = self.snd_wnd_max.max(seg.wnd);
            self.snd_wl1 = seg.seq as i64;
            self.snd_wl2 = seg.ack;
        }
    }

    /// A duplicate acknowledgement carries nothing, moves no window edge, comes while data are
    /// in flight and repeats the highest number. The third starts fast retransmit.
    fn count_dupack(&mut self, core: &mut Core, seg: &Incoming, right_edge: u64) {
        let same_window = self.snd_wl2 + u64::from(self.snd_wnd) == right_edge;
        let in_flight = 0 <= self.rtime;
        let is_dup = seg.tcplen == 0 && same_window && in_flight && self.lastack == seg.ack;
        if !is_dup {
            // 2.2 keeps the count over segments in between, which finds losses sooner when data
            // flow both ways.
            if core.options.version == Version::V2_1 {
                self.dupacks = 0;
            }
            return;
        }
        self.dupacks = self.dupacks.saturating_add(1);
        if 3 < self.dupacks {
            self.cwnd = window_sum(self.cwnd, self.mss);
        }
        if 3 <= self.dupacks {
            self.rexmit_fast(core);
        }
    }

    fn new_ack(&mut self, core: &mut Core, seg: &mut Incoming) {
        if self.flags.any(Tf::INFR) {
            self.clear(Tf::INFR);
            self.cwnd = self.ssthresh;
            self.bytes_acked = 0;
        }
        self.nrtx = 0;
        self.rto = (self.sa >> 3) + self.sv;
        let acked = (seg.ack - self.lastack) as u32;
        self.dupacks = 0;
        self.lastack = seg.ack;
        if State::Established <= self.state {
            self.grow_cwnd(acked);
        }
        self.free_acked(core, seg);
        if self.unacked.is_empty() {
            self.rtime = -1;
        } else {
            self.restart_rtime(core);
        }
        self.polltmr = 0;
        if self.unsent.is_empty() {
            self.unsent_oversize = 0;
        }
        self.snd_buf += seg.acked;
        if self.flags.any(Tf::RTO) {
            let oldest = self.unacked.front().or(self.unsent.front());
            if oldest.is_none_or(|oldest| self.rto_end <= oldest.seq) {
                self.clear(Tf::RTO);
            }
        }
    }

    /// Slow start and congestion avoidance with byte counting. RFC 5681, RFC 3465.
    fn grow_cwnd(&mut self, acked: u32) {
        if self.cwnd < self.ssthresh {
            let n_segs = if self.flags.any(Tf::RTO) { 1 } else { 2 };
            self.cwnd = window_sum(self.cwnd, acked.min(n_segs * self.mss));
            return;
        }
        self.bytes_acked = window_sum(self.bytes_acked, acked);
        if self.cwnd <= self.bytes_acked {
            self.bytes_acked -= self.cwnd;
            self.cwnd = window_sum(self.cwnd, self.mss);
        }
    }

    /// `tcp_in.c:tcp_free_acked_segments`, for both queues.
    fn free_acked(&mut self, core: &mut Core, seg: &mut Incoming) {
        for queue in [&mut self.unacked, &mut self.unsent] {
            while let Some(&head) = queue.front().filter(|head| head.end() <= seg.ack) {
                queue.pop_front();
                self.snd_queuelen -= core.memory.count(head.chain);
                seg.acked += head.len;
                core.free_seg(head);
            }
        }
    }

    /// Van Jacobson's estimator in slow ticks: with one tick measured again and again `sv` ends
    /// at 3, which is the least timeout.
    fn measure_rtt(&mut self, core: &Core) {
        let mut m = (core.ticks - self.rttest) as i16;
        m -= self.sa >> 3;
        self.sa += m;
        m = m.abs() - (self.sv >> 2);
        self.sv += m;
        self.rto = (self.sa >> 3) + self.sv;
        self.rttest = 0;
    }

    fn receive_data(&mut self, core: &mut Core, seg: &mut Incoming) {
        let chain = seg.chain.expect("the segment still has its buffers");
        let end = seg.seq + u64::from(seg.tcplen);
        if seg.seq < self.rcv_nxt && self.rcv_nxt < end {
            let old = (self.rcv_nxt - seg.seq) as u32;
            seg.len -= old;
            core.memory.trim_front(chain, old);
            seg.seq = self.rcv_nxt;
        } else if seg.seq < self.rcv_nxt {
            self.set(Tf::ACK_NOW);
        }
        if !self.in_window(seg.seq) {
            let _ = self.send_empty_ack(core);
        } else if self.rcv_nxt == seg.seq {
            self.receive_in_order(core, seg, chain);
        } else {
            if core.options.tcp_queue_ooseq {
                self.queue_ooseq(core, seg, chain);
            }
            let _ = self.send_empty_ack(core);
        }
    }

    fn receive_in_order(&mut self, core: &mut Core, seg: &mut Incoming, chain: PbufId) {
        seg.tcplen = seg.space();
        if self.rcv_wnd < seg.tcplen {
            seg.flags = seg.flags.without(Flags::FIN);
            self.shorten(core, seg, chain, self.rcv_wnd);
        }
        if seg.flags.has(Flags::FIN) {
            // Nothing can follow.
            self.free_ooseq(core);
        } else {
            self.drop_covered_ooseq(core, seg, chain);
        }
        self.advance(core, seg.tcplen);
        if 0 < core.memory.total(chain) {
            seg.recv_data = seg.chain.take();
        }
        seg.got_fin |= seg.flags.has(Flags::FIN);
        while self.ooseq.front().is_some_and(|next| next.seq == self.rcv_nxt) {
            let next = self.ooseq.pop_front().expect("it was seen");
            self.take_from_ooseq(core, seg, next);
        }
        // Every second segment is acknowledged at once, whatever its size.
        if self.flags.any(Tf::ACK_DELAY) {
            self.clear(Tf::ACK_DELAY);
            self.set(Tf::ACK_NOW);
        } else {
            self.set(Tf::ACK_DELAY);
            self.ack_since = core.now;
        }
    }

    /// Cuts the segment's end off.
    fn shorten(&mut self, core: &mut Core, seg: &mut Incoming, chain: PbufId, len: u32) {
        let syn = u32::from(seg.flags.has(Flags::SYN));
        seg.len = len - syn;
        core.memory.realloc(chain, seg.len);
        seg.tcplen = seg.space();
    }

    /// Removes from the queue what a segment in order covers.
    fn drop_covered_ooseq(&mut self, core: &mut Core, seg: &mut Incoming, chain: PbufId) {
        while let Some(&next) = self.ooseq.front() {
            if seg.seq + u64::from(seg.tcplen) < next.seq + u64::from(next.len) {
                break;
            }
            if next.flags.has(Flags::FIN) && !seg.flags.has(Flags::SYN) {
                seg.flags = seg.flags.with(Flags::FIN);
                seg.tcplen = seg.space();
            }
            self.ooseq.pop_front();
            core.free_seg(next);
        }
        if let Some(&next) = self.ooseq.front()
            && next.seq < seg.seq + u64::from(seg.tcplen)
        {
            self.shorten(core, seg, chain, (next.seq - seg.seq) as u32);
        }
    }

    fn advance(&mut self, core: &Core, space: u32) {
        self.rcv_nxt += u64::from(space);
        // lwIP asserts that the window holds it; a FIN behind a full window breaks that.
        self.rcv_wnd = self.rcv_wnd.saturating_sub(space);
        self.update_rcv_ann_wnd(core);
    }

    /// A queued segment is in order now: its data join the others.
    fn take_from_ooseq(&mut self, core: &mut Core, seg: &mut Incoming, next: TcpSeg) {
        self.advance(core, next.space());
        if core.memory.total(next.chain) == 0 {
            core.free_seg(next);
        } else {
            match seg.recv_data {
                Some(head) => core.memory.cat(head, next.chain),
                None => seg.recv_data = Some(next.chain),
            }
            core.memory.tcp_seg.give();
        }
        if next.flags.has(Flags::FIN) {
            seg.got_fin = true;
            if self.state == State::Established {
                self.state = State::CloseWait;
            }
        }
    }
}
