//! Queueing: `tcp_write`, splitting, SYN and FIN (`tcp_out.c`). Nothing here sends.

use super::core::{Core, Fail};
use super::memory::{Layer, PbufId, PbufKind, aligned};
use super::pcb::{Pcb, State, TcpSeg, Tf};
use crate::model::tcp::Flags;

/// How bytes are handed to `tcp_write`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// They are copied (`TCP_WRITE_FLAG_COPY`).
    Copy,
    /// They stay where they are, and must stay until they are acknowledged.
    Rom {
        /// Where: pieces that touch share a descriptor.
        address: u64,
    },
}

/// What phases 1 and 2 of a write do to the last segment that is not sent.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    /// Bytes put into its spare room.
    oversize_used: u32,
    /// Bytes added to its last descriptor.
    extend: u32,
    /// A buffer appended to it.
    concat: Option<PbufId>,
    /// It gets something.
    is_touched: bool,
}

/// A write under way: nothing of the connection is changed before all of it has found room.
struct Writing {
    len: u32,
    from: From,
    more: bool,
    /// Limit of a segment: min(MSS, half the largest window seen).
    mss_local: u32,
    /// Nothing was queued when the write began.
    is_idle: bool,
    pos: u32,
    queuelen: u32,
    oversize: u32,
}

impl Pcb {
    /// Queues bytes, all or none; `more` leaves `PSH` away. `tcp_out.c:tcp_write`.
    ///
    /// Sends nothing: without [`Pcb::output`] the bytes leave with the next segment that arrives
    /// or with the next slow tick.
    pub fn write(&mut self, core: &mut Core, len: u32, from: From, more: bool) -> Result<(), Fail> {
        core.stats.writes += 1;
        self.write_checks(core, len)?;
        let half = self.snd_wnd_max.min(0xFFFF) / 2;
        let mss_local = if half == 0 { self.mss } else { self.mss.min(half) };
        let mut writing = Writing {
            len,
            from,
            more,
            mss_local,
            is_idle: self.unsent.is_empty() && self.unacked.is_empty(),
            pos: 0,
            queuelen: self.snd_queuelen,
            oversize: 0,
        };
        let n_before = self.unsent.len();
        let tail = self.fill_tail(core, &mut writing);
        let done = tail.and_then(|tail| {
            let queued = self.queue_rest(core, &mut writing);
            if let (Err(_), Some(chain)) = (queued, tail.concat) {
                core.memory.free(chain);
            }
            queued.map(|()| tail)
        });
        let tail = match done {
            Ok(tail) => tail,
            Err(fail) => {
                for seg in self.unsent.drain(n_before..) {
                    core.free_seg(seg);
                }
                self.set(Tf::NAGLEMEMERR);
                core.stats.memerr += 1;
                return Err(fail);
            }
        };
        self.commit_tail(core, n_before, tail);
        self.unsent_oversize = writing.oversize;
        core.stats.written += u64::from(len);
        self.snd_lbb += u64::from(len);
        self.snd_buf -= len;
        self.snd_queuelen = writing.queuelen;
        let is_touched = tail.is_touched || n_before < self.unsent.len();
        if let (Some(last), true, false) = (self.unsent.back_mut(), is_touched, more) {
            last.flags = last.flags.with(Flags::PSH);
        }
        Ok(())
    }

    /// `tcp_out.c:tcp_write_checks`.
    fn write_checks(&mut self, core: &mut Core, len: u32) -> Result<(), Fail> {
        let may_write = matches!(
            self.state,
            State::Established | State::CloseWait | State::SynSent | State::SynRcvd
        );
        if !may_write {
            return Err(Fail::Conn);
        }
        if len == 0 {
            return Ok(());
        }
        if self.snd_buf < len {
            self.set(Tf::NAGLEMEMERR);
            return Err(Fail::Mem);
        }
        if core.options.tcp_snd_queuelen <= self.snd_queuelen {
            core.stats.memerr += 1;
            self.set(Tf::NAGLEMEMERR);
            return Err(Fail::Mem);
        }
        Ok(())
    }

    /// Phases 1 and 2: the spare room of the last segment not sent, then a buffer behind it.
    fn fill_tail(&mut self, core: &mut Core, w: &mut Writing) -> Result<Tail, Fail> {
        let mut tail = Tail::default();
        let Some(last) = self.unsent.back() else { return Ok(tail) };
        let (last_len, chain) = (last.len, last.chain);
        let option_bytes = if last.mss_option { 4 } else { 0 };
        let mut space = w.mss_local.saturating_sub(last_len + option_bytes);
        w.oversize = self.unsent_oversize;
        if 0 < w.oversize {
            tail.oversize_used = space.min(w.oversize).min(w.len);
            tail.is_touched = true;
            w.pos += tail.oversize_used;
            w.oversize -= tail.oversize_used;
            space -= tail.oversize_used;
        }
        if w.len <= w.pos || space == 0 || last_len == 0 {
            return Ok(tail);
        }
        let seg_len = space.min(w.len - w.pos);
        tail.is_touched = true;
        match w.from {
            From::Copy => {
                tail.concat = Some(self.prealloc(core, w, Layer::Raw, seg_len, space, true)?);
                w.queuelen += 1;
            }
            From::Rom { address } => {
                let address = address + u64::from(w.pos);
                let piece = *core.memory.piece(core.memory.last(chain));
                let touches = |start: u64| start + u64::from(piece.len) == address;
                if matches!(piece.kind, PbufKind::Rom { address } if touches(address)) {
                    tail.extend = seg_len;
                } else {
                    let concat = core.memory.alloc_rom(address, seg_len).ok_or(Fail::Mem)?;
                    tail.concat = Some(concat);
                    w.queuelen += 1;
                }
            }
        }
        w.pos += seg_len;
        Ok(tail)
    }

    /// Phase 3: new segments for what is left.
    fn queue_rest(&mut self, core: &mut Core, w: &mut Writing) -> Result<(), Fail> {
        let mut is_first = true;
        while w.pos < w.len {
            let seg_len = (w.len - w.pos).min(w.mss_local);
            let chain = match w.from {
                From::Copy => {
                    self.prealloc(core, w, Layer::Transport, seg_len, w.mss_local, is_first)?
                }
                From::Rom { address } => {
                    let address = address + u64::from(w.pos);
                    let data = core.memory.alloc_rom(address, seg_len).ok_or(Fail::Mem)?;
                    let Some(header) = core.memory.alloc_ram(Layer::Transport, 0) else {
                        core.memory.free(data);
                        return Err(Fail::Mem);
                    };
                    core.memory.cat(header, data);
                    header
                }
            };
            w.queuelen += core.memory.count(chain);
            if core.options.tcp_snd_queuelen < w.queuelen {
                core.memory.free(chain);
                return Err(Fail::Mem);
            }
            let seq = self.snd_lbb + u64::from(w.pos);
            let seg = create_segment(core, chain, seq, seg_len, Flags::default(), false)?;
            self.unsent.push_back(seg);
            is_first = false;
            w.pos += seg_len;
        }
        Ok(())
    }

    /// A buffer for `len` bytes, with spare room if more may come. `tcp_out.c:tcp_pbuf_prealloc`.
    fn prealloc(
        &self,
        core: &mut Core,
        w: &mut Writing,
        layer: Layer,
        len: u32,
        max_len: u32,
        is_first: bool,
    ) -> Result<PbufId, Fail> {
        let spare = core.options.tcp_oversize;
        let nagle = !self.flags.any(Tf::NODELAY);
        let expects_more = w.more || (nagle && (!is_first || !w.is_idle));
        let mut alloc = len;
        if 0 < spare && len < max_len && expects_more {
            alloc = max_len.min(aligned(len + spare));
        }
        let chain = core.memory.alloc_ram(layer, alloc).ok_or(Fail::Mem)?;
        core.memory.piece_mut(chain).len = len;
        if 0 < spare {
            w.oversize = alloc - len;
        }
        Ok(chain)
    }

    /// The write has found room: changes the last of the segments that were there before.
    fn commit_tail(&mut self, core: &mut Core, n_before: usize, tail: Tail) {
        let Some(index) = n_before.checked_sub(1) else { return };
        let seg = &mut self.unsent[index];
        if 0 < tail.oversize_used {
            let last = core.memory.last(seg.chain);
            core.memory.piece_mut(last).len += tail.oversize_used;
            seg.len += tail.oversize_used;
        }
        if let Some(concat) = tail.concat {
            seg.len += core.memory.total(concat);
            core.memory.cat(seg.chain, concat);
        } else if 0 < tail.extend {
            let last = core.memory.last(seg.chain);
            core.memory.piece_mut(last).len += tail.extend;
            seg.len += tail.extend;
        }
    }

    /// Splits the first segment not sent behind `split` bytes. `tcp_out.c:tcp_split_unsent_seg`.
    pub(super) fn split_unsent(&mut self, core: &mut Core, split: u32) -> Result<(), Fail> {
        let Some(&head) = self.unsent.front() else { return Err(Fail::Mem) };
        if split == 0 {
            return Err(Fail::Val);
        }
        if head.len <= split {
            return Ok(());
        }
        let rest_len = head.len - split;
        let moved = Flags(head.flags.0 & (Flags::PSH.0 | Flags::FIN.0));
        let rest = core.memory.alloc_ram(Layer::Transport, rest_len).ok_or(Fail::Mem);
        let rest = rest.and_then(|chain| {
            create_segment(core, chain, head.seq + u64::from(split), rest_len, moved, false)
        });
        let rest = rest.inspect_err(|_| core.stats.memerr += 1)?;
        self.snd_queuelen -= core.memory.count(head.chain);
        core.memory.realloc(head.chain, split);
        self.snd_queuelen += core.memory.count(head.chain) + core.memory.count(rest.chain);
        // lwIP means to take PSH and FIN off the head, but its macro only adds flags: they stay.
        self.unsent[0].len = split;
        self.unsent.insert(1, rest);
        if self.unsent.len() == 2 {
            self.unsent_oversize = 0;
        }
        Ok(())
    }

    /// Queues a SYN or a FIN of its own. `tcp_out.c:tcp_enqueue_flags`.
    pub(super) fn enqueue_flags(&mut self, core: &mut Core, flags: Flags) -> Result<(), Fail> {
        let is_syn = flags.has(Flags::SYN);
        let option_bytes = if is_syn { 4 } else { 0 };
        let chain = core.memory.alloc_ram(Layer::Transport, option_bytes).ok_or(Fail::Mem);
        let seg = chain.and_then(|c| create_segment(core, c, self.snd_lbb, 0, flags, is_syn));
        let seg = match seg {
            Ok(seg) => seg,
            Err(fail) => {
                self.set(Tf::NAGLEMEMERR);
                core.stats.memerr += 1;
                return Err(fail);
            }
        };
        self.unsent.push_back(seg);
        self.unsent_oversize = 0;
        self.snd_lbb += 1;
        if flags.has(Flags::FIN) {
            self.set(Tf::FIN);
        }
        self.snd_queuelen += 1;
        Ok(())
    }

    /// Queues a FIN, on the last segment if there is one to carry it. `tcp_out.c:tcp_send_fin`.
    pub(super) fn send_fin(&mut self, core: &mut Core) -> Result<(), Fail> {
        let taken = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
        if let Some(last) = self.unsent.back_mut().filter(|seg| seg.flags.0 & taken == 0) {
            last.flags = last.flags.with(Flags::FIN);
            self.set(Tf::FIN);
            return Ok(());
        }
        self.enqueue_flags(core, Flags::FIN)
    }
}

/// `tcp_out.c:tcp_create_segment`: frees the chain if there is no segment for it.
fn create_segment(
    core: &mut Core,
    chain: PbufId,
    seq: u64,
    len: u32,
    flags: Flags,
    mss_option: bool,
) -> Result<TcpSeg, Fail> {
    if !core.memory.tcp_seg.take() {
        core.memory.free(chain);
        return Err(Fail::Mem);
    }
    Ok(TcpSeg { seq, len, flags, mss_option, chain })
}
