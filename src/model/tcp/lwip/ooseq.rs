//! Data out of order: what `tcp_in.c:tcp_receive` and `tcp_oos_insert_segment` do with them.

use super::core::Core;
use super::memory::PbufId;
use super::options::Version;
use super::pcb::{Pcb, TcpSeg};
use super::receive::Incoming;
use crate::model::tcp::Flags;

impl Pcb {
    /// Files a segment among those out of order, unless it brings nothing new.
    pub(super) fn queue_ooseq(&mut self, core: &mut Core, seg: &mut Incoming, chain: PbufId) {
        let Some(place) = self.place_in_ooseq(core, seg) else { return };
        let Some(copy) = copy_segment(core, seg, chain) else { return };
        // What lies before it may reach into it: cut that.
        if let Some(index) = place.checked_sub(1) {
            let before = &mut self.ooseq[index];
            if seg.seq < before.seq + u64::from(before.len) {
                before.len = (seg.seq - before.seq) as u32;
                core.memory.realloc(before.chain, before.len);
            }
        }
        let is_last = place == self.ooseq.len();
        self.ooseq.insert(place, copy);
        if !is_last {
            self.clear_behind(core, place);
        } else if 0 < place {
            self.cut_to_window(core, seg, place);
        }
    }

    /// Where it goes; `None` if it brings nothing that is not there.
    fn place_in_ooseq(&self, core: &Core, seg: &Incoming) -> Option<usize> {
        let n = self.ooseq.len();
        for (index, next) in self.ooseq.iter().enumerate() {
            if seg.seq == next.seq {
                // 2.2: the last one may have been cut to the window before.
                let cut = core.options.version == Version::V2_2 && index + 1 == n;
                return (next.len < seg.len && !cut).then_some(index);
            }
            if seg.seq < next.seq {
                return Some(index);
            }
        }
        // Nothing goes behind a FIN.
        let after_fin = self.ooseq.back().is_some_and(|last| last.flags.has(Flags::FIN));
        (!after_fin).then_some(n)
    }

    /// Removes what the segment at `place` covers. `tcp_in.c:tcp_oos_insert_segment`.
    fn clear_behind(&mut self, core: &mut Core, place: usize) {
        let behind = place + 1;
        if self.ooseq[place].flags.has(Flags::FIN) {
            for next in self.ooseq.drain(behind..) {
                core.free_seg(next);
            }
            return;
        }
        let end = self.ooseq[place].seq + u64::from(self.ooseq[place].len);
        while let Some(&next) = self.ooseq.get(behind) {
            if end < next.seq + u64::from(next.len) {
                break;
            }
            if next.flags.has(Flags::FIN) {
                self.ooseq[place].flags = self.ooseq[place].flags.with(Flags::FIN);
            }
            self.ooseq.remove(behind);
            core.free_seg(next);
        }
        if let Some(&next) = self.ooseq.get(behind)
            && next.seq < end
        {
            let seg = &mut self.ooseq[place];
            seg.len = (next.seq - seg.seq) as u32;
            core.memory.realloc(seg.chain, seg.len);
        }
    }

    /// Cuts the last segment to the receive window.
    fn cut_to_window(&mut self, core: &mut Core, seg: &Incoming, place: usize) {
        let window_end = self.rcv_nxt + u64::from(self.rcv_wnd);
        if seg.seq + u64::from(seg.tcplen) <= window_end {
            return;
        }
        let last = &mut self.ooseq[place];
        last.flags = last.flags.without(Flags::FIN);
        last.len = (window_end - seg.seq) as u32;
        core.memory.realloc(last.chain, last.len);
    }
}

/// A queue entry that shares the segment's buffers. `tcp.c:tcp_seg_copy`.
fn copy_segment(core: &mut Core, seg: &Incoming, chain: PbufId) -> Option<TcpSeg> {
    if !core.memory.tcp_seg.take() {
        return None;
    }
    core.memory.hold(chain);
    Some(TcpSeg { seq: seg.seq, len: seg.len, flags: seg.flags, mss_option: false, chain })
}
