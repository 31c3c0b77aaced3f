//! Sending: the queue of segments, Nagle's rule and its variants, corks, pushes, the send buffer.
//!
//! Follows Linux net/ipv4/tcp.c `tcp_sendmsg_locked` and tcp_output.c `tcp_write_xmit`, one packet
//! per segment (no segmentation offload). The RFC's rules are switches of the same machine.
//! Leaves out pacing, TCP small queues, urgent data, `MSG_EOR`, MTU probing.

use std::collections::VecDeque;

use crate::kernel::SimTime;
use crate::model::tcp::stack::timers::SendAlarm;
use crate::model::tcp::stack::{Socket, State};
use crate::model::tcp::{Errno, Flags, Hold, NagleRule, Outbox, Signal};

/// Memory that Linux charges for a segment beside its payload: `sk_buff` 256 and a head of
/// `MAX_TCP_HEADER` and `skb_shared_info`, 576. Fits 11584 bytes through `SO_SNDBUF` 8192.
pub const SEGMENT_OVERHEAD: u32 = 832;
/// Most segments in a send queue, whatever the buffer says.
pub const MAX_QUEUE: usize = 4_000_000;

/// A segment in the queue, sent or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Packet {
    /// Position of its first byte, or of its SYN.
    pub seq: u64,
    /// Payload in bytes.
    pub len: u32,
    /// `SYN`, `PSH` and `FIN`.
    pub flags: Flags,
    /// What is known of it.
    pub marks: Marks,
    /// When it was last sent.
    pub sent: SimTime,
    /// Memory it takes.
    pub memory: u32,
}

impl Packet {
    /// One past its last position.
    #[inline]
    pub fn end(&self) -> u64 {
        let bit = |flag| u64::from(self.flags.has(flag));
        self.seq + u64::from(self.len) + bit(Flags::SYN) + bit(Flags::FIN)
    }
}

/// What the sender knows of a sent segment. Linux `TCPCB_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks(pub u8);

impl Marks {
    /// Selectively acknowledged.
    pub const SACKED: Marks = Marks(1);
    /// Sent again, and that copy is under way.
    pub const RESENT: Marks = Marks(2);
    /// Taken for lost.
    pub const LOST: Marks = Marks(4);
    /// Was ever sent again.
    pub const EVER_RESENT: Marks = Marks(8);

    /// Whether any bit of `other` is set.
    #[inline]
    pub fn any(self, other: Marks) -> bool {
        self.0 & other.0 != 0
    }

    /// Sets bits.
    #[inline]
    pub fn set(&mut self, other: Marks) {
        self.0 |= other.0;
    }

    /// Clears bits.
    #[inline]
    pub fn clear(&mut self, other: Marks) {
        self.0 &= !other.0;
    }
}

/// Why a short segment may leave or not, as the socket is set. Linux `tp->nonagle`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoNagle(pub u8);

impl NoNagle {
    /// `TCP_NODELAY`.
    pub const OFF: NoNagle = NoNagle(1);
    /// `TCP_CORK` or `MSG_MORE`.
    pub const CORK: NoNagle = NoNagle(2);
    /// What is queued now leaves, come what may.
    pub const PUSH: NoNagle = NoNagle(4);

    /// Whether any bit of `other` is set.
    #[inline]
    pub fn has(self, other: NoNagle) -> bool {
        self.0 & other.0 != 0
    }
}

/// How many segments one go at the queue may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Go {
    /// All that may leave.
    All,
    /// One.
    One,
    /// One, even beyond the congestion window: a loss probe.
    Probe,
}

/// The sending side.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Send {
    /// Segments by position: first those sent and not acknowledged, then the others.
    pub queue: VecDeque<Packet>,
    /// How many of them are sent. Linux `packets_out`.
    pub n_sent: u32,
    /// First position not acknowledged.
    pub una: u64,
    /// Next position to be sent.
    pub nxt: u64,
    /// One past the last position in the queue. Linux `write_seq`.
    pub end: u64,
    /// The other end's window.
    pub window: u64,
    /// Position of the segment that last updated it.
    pub wl1: u64,
    /// The largest window seen.
    pub max_window: u64,
    /// End of the last byte marked `PSH`.
    pub pushed: u64,
    /// End of the last short segment sent. Minshall's variable.
    pub small_end: u64,
    /// Nagle's switches.
    pub nonagle: NoNagle,
    /// Memory of the queue. Linux `sk_wmem_queued`.
    pub memory: u64,
    /// The send buffer. Linux `sk_sndbuf`.
    pub capacity: u64,
    /// The application set it.
    pub capacity_is_set: bool,
    /// Tick of the last data sent. Linux `lsndtime`.
    pub last_data: u64,
    /// Payload of a full segment, without SACK options. Linux `mss_cache`.
    pub mss: u32,
    /// The other end's limit for it.
    pub peer_mss: u32,
    /// A writer was refused. Linux `SOCK_NOSPACE`.
    pub refused: bool,
    /// The last write said that more follows.
    pub more: bool,
}

impl Socket {
    /// Takes bytes into the send buffer and sends what may leave. Linux `tcp_sendmsg_locked`.
    ///
    /// `more` is `MSG_MORE`. Gives the bytes taken, perhaps fewer than `bytes`.
    pub fn write(
        &mut self,
        now: SimTime,
        bytes: u32,
        more: bool,
        out: &mut Outbox,
    ) -> Result<u32, Errno> {
        self.may_write()?;
        let (mut left, mut taken) = (bytes, 0);
        self.send.more = more;
        while 0 < left {
            let mss = self.current_mss();
            let Some(room) = self.room_in_tail(mss).or_else(|| self.new_tail(now, mss)) else {
                return self.write_refused(now, taken, out);
            };
            let n = room.min(left);
            self.extend_tail(n, taken == 0);
            (left, taken) = (left - n, taken + n);
            if 0 < left && n == room {
                self.push_full_tail(now, mss, out);
            }
        }
        if 0 < taken {
            let nonagle = if more { NoNagle::CORK } else { self.send.nonagle };
            self.push(now, !more, nonagle, out);
        }
        Ok(taken)
    }

    /// Whether the application may write at all.
    fn may_write(&mut self) -> Result<(), Errno> {
        if self.write_is_shut || self.error.is_some() {
            return Err(self.error.take().unwrap_or(Errno::Pipe));
        }
        match self.state {
            State::Established | State::CloseWait => Ok(()),
            State::SynSent | State::SynReceived => Err(Errno::Again),
            State::Closed | State::Listen => Err(Errno::NotConn),
            _ => Err(Errno::Pipe),
        }
    }

    /// The buffer is full: what is taken leaves without regard to Nagle.
    fn write_refused(&mut self, now: SimTime, taken: u32, out: &mut Outbox) -> Result<u32, Errno> {
        self.send.refused = true;
        if taken == 0 {
            return Err(Errno::Again);
        }
        self.push(now, true, NoNagle::PUSH, out);
        Ok(taken)
    }

    /// Bytes that the last unsent segment can still take.
    fn room_in_tail(&self, mss: u32) -> Option<u32> {
        let is_unsent = self.send.n_sent < self.send.queue.len() as u32;
        let tail = self.send.queue.back().filter(|_| is_unsent)?;
        let room = mss.saturating_sub(tail.len);
        (0 < room).then(|| room.min(self.byte_room())).filter(|room| 0 < *room)
    }

    /// Begins a segment; the bytes it can take, or `None` when the buffer is full.
    fn new_tail(&mut self, now: SimTime, mss: u32) -> Option<u32> {
        let room = mss.min(self.byte_room());
        let is_full = self.send.capacity <= self.send.memory || MAX_QUEUE <= self.send.queue.len();
        if is_full || room == 0 {
            return None;
        }
        self.restart_after_idle(now);
        self.send.nonagle.0 &= !NoNagle::PUSH.0;
        let memory = if self.profile.truesize { SEGMENT_OVERHEAD } else { 0 };
        self.send.memory += u64::from(memory);
        self.send.queue.push_back(Packet { seq: self.send.end, memory, ..Packet::default() });
        Some(room)
    }

    /// Bytes that fit, where the buffer counts bytes.
    fn byte_room(&self) -> u32 {
        if self.profile.truesize {
            return u32::MAX;
        }
        let room = self.send.capacity.saturating_sub(self.send.memory);
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    fn extend_tail(&mut self, n: u32, is_first: bool) {
        let tail = self.send.queue.back_mut().expect("there is a tail: it was found or begun");
        tail.len += n;
        tail.memory += n;
        if is_first {
            tail.flags = tail.flags.without(Flags::PSH);
        }
        self.send.memory += u64::from(n);
        self.send.end += u64::from(n);
    }

    /// The tail is full and more follows in this write.
    fn push_full_tail(&mut self, now: SimTime, mss: u32, out: &mut Outbox) {
        if self.must_push() {
            self.mark_push();
            self.push_pending(now, mss, NoNagle::PUSH, out);
        } else if self.send.n_sent + 1 == self.send.queue.len() as u32 {
            self.send_queue(now, mss, NoNagle::PUSH, Go::One, out);
        }
    }

    /// More than half of the largest window since the last `PSH`. Linux `forced_push`.
    fn must_push(&self) -> bool {
        self.send.pushed + (self.send.max_window >> 1) < self.send.end
    }

    fn mark_push(&mut self) {
        if let Some(tail) = self.send.queue.back_mut() {
            tail.flags = tail.flags.with(Flags::PSH);
        }
        self.send.pushed = self.send.end;
    }

    /// The end of a write. Linux `tcp_push`.
    fn push(&mut self, now: SimTime, mark: bool, nonagle: NoNagle, out: &mut Outbox) {
        if self.send.queue.len() as u32 == self.send.n_sent {
            return;
        }
        if mark || self.must_push() {
            self.mark_push();
        }
        let mss = self.current_mss();
        self.push_pending(now, mss, nonagle, out);
    }

    /// Sends what may leave; what may not, with nothing under way, gets a timer.
    ///
    /// Linux `__tcp_push_pending_frames`, `tcp_check_probe_timer`.
    pub(super) fn push_pending(
        &mut self,
        now: SimTime,
        mss: u32,
        nonagle: NoNagle,
        out: &mut Outbox,
    ) {
        if self.send.queue.len() as u32 == self.send.n_sent || self.state == State::Closed {
            return;
        }
        let nothing_under_way = self.send_queue(now, mss, nonagle, Go::All, out);
        if nothing_under_way && self.timers.send.is_none() {
            let delay = self.persist_base();
            self.set_send_alarm(now, SendAlarm::Persist, delay);
        }
    }

    /// After something changed: sends what may leave with the socket's own switches.
    pub(super) fn push_pending_now(&mut self, now: SimTime, out: &mut Outbox) {
        let mss = self.current_mss();
        self.push_pending(now, mss, self.send.nonagle, out);
    }

    /// Sends from the queue as congestion, the window and Nagle's rule allow.
    ///
    /// Linux `tcp_write_xmit`. Whether data waits with nothing under way.
    pub(super) fn send_queue(
        &mut self,
        now: SimTime,
        mss: u32,
        nonagle: NoNagle,
        go: Go,
        out: &mut Outbox,
    ) -> bool {
        let mut n_now = 0;
        let mut is_cwnd_limited = false;
        while let Some(head) = self.send.queue.get(self.send.n_sent as usize).copied() {
            if self.congestion_quota() == 0 && go != Go::Probe {
                is_cwnd_limited = true;
                break;
            }
            if !self.window_allows(&head, mss) || self.must_wait(&head, mss, nonagle) {
                break;
            }
            if mss < head.len {
                self.split(self.send.n_sent, mss);
            }
            self.send_head(now, out);
            n_now += 1;
            if go != Go::All {
                break;
            }
        }
        is_cwnd_limited |= self.cwnd() <= self.in_flight();
        if 0 < n_now || is_cwnd_limited {
            self.note_cwnd_use(now, is_cwnd_limited);
        }
        if 0 < n_now {
            self.note_sent_in_recovery(n_now);
            if go != Go::Probe {
                self.schedule_loss_probe(now, false);
            }
            return false;
        }
        self.send.n_sent == 0 && !self.send.queue.is_empty()
    }

    /// Sends the first unsent segment as it is.
    pub(super) fn send_head(&mut self, now: SimTime, out: &mut Outbox) {
        let index = self.send.n_sent as usize;
        let was_idle = self.send.n_sent == 0;
        self.transmit(now, index, out);
        let Packet { len, .. } = self.send.queue[index];
        self.send.nxt = self.send.queue[index].end();
        self.send.n_sent += 1;
        self.note_transmission(index);
        let probe_waits = matches!(self.timers.send, Some((SendAlarm::LossProbe, _)));
        if was_idle || probe_waits {
            self.rearm_retransmission(now);
        }
        if len < self.send.mss {
            self.send.small_end = self.send.nxt;
        }
    }

    /// Whether a segment's first full part lies in the other end's window. `tcp_snd_wnd_test`.
    pub(super) fn window_allows(&self, packet: &Packet, mss: u32) -> bool {
        let end = if mss < packet.len { packet.seq + u64::from(mss) } else { packet.end() };
        end <= self.window_end()
    }

    /// One past the other end's window.
    #[inline]
    pub(super) fn window_end(&self) -> u64 {
        self.send.una + self.send.window
    }

    /// Nagle's rule (RFC 9293 section 3.7.4; Linux `tcp_nagle_test`): whether a segment is held.
    fn must_wait(&self, head: &Packet, mss: u32, nonagle: NoNagle) -> bool {
        let is_last = self.send.n_sent as usize + 1 == self.send.queue.len();
        let is_pushed = !is_last || nonagle.has(NoNagle::PUSH);
        let is_short = head.len < mss;
        if is_pushed || head.flags.has(Flags::FIN) || !is_short {
            return false;
        }
        nonagle.has(NoNagle::CORK) || (!nonagle.has(NoNagle::OFF) && self.nagle_holds())
    }

    /// Whether what is unacknowledged holds short segments back.
    fn nagle_holds(&self) -> bool {
        let is_in_flight = 0 < self.send.n_sent;
        match self.profile.nagle {
            NagleRule::Off => false,
            NagleRule::Classic => is_in_flight,
            NagleRule::Minshall => is_in_flight && self.send.una < self.send.small_end,
        }
    }

    /// Cuts a queued segment in two. Linux `tcp_fragment`.
    pub(super) fn split(&mut self, index: u32, len: u32) {
        let head = &mut self.send.queue[index as usize];
        let mut rest = *head;
        rest.seq += u64::from(len);
        rest.len -= len;
        rest.memory = rest.len + (head.memory - head.len);
        head.len = len;
        head.memory -= rest.len;
        head.flags = head.flags.without(Flags::FIN).without(Flags::PSH);
        self.send.memory += u64::from(rest.memory - rest.len);
        if index < self.send.n_sent {
            self.send.n_sent += 1;
            self.count_marks(rest.marks, 1);
        }
        self.send.queue.insert(index as usize + 1, rest);
    }

    /// Payload of a full segment now: SACK blocks take room. Linux `tcp_current_mss`.
    pub(super) fn current_mss(&self) -> u32 {
        let n = self.sack_blocks_to_send();
        if n == 0 {
            return self.send.mss;
        }
        self.send.mss - (4 + 8 * n).min(self.send.mss / 2)
    }

    /// Adapts the segment size to the other end's limit and window.
    ///
    /// Linux `tcp_sync_mss`, `tcp_bound_to_half_wnd`; RFC 9293 section 3.8.6.2.1.
    pub(super) fn sync_mss(&mut self) {
        let options = if self.options.timestamps { 12 } else { 0 };
        let mut mss = self.path_mss().min(self.send.peer_mss.max(MIN_MSS)) - options;
        let cutoff = if u64::from(DEFAULT_MSS) < self.send.max_window {
            self.send.max_window >> 1
        } else {
            self.send.max_window
        };
        if 0 < cutoff && cutoff < u64::from(mss) {
            mss = (cutoff as u32).max(LEAST_MSS);
        }
        self.send.mss = mss;
    }

    /// What the MTU and the application allow a segment to carry, options included.
    pub(super) fn path_mss(&self) -> u32 {
        let path = self.mtu.saturating_sub(40).max(MIN_MSS);
        match self.profile.mss {
            0 => path,
            cap => path.min(cap.max(MIN_MSS)),
        }
    }

    /// Tells a refused writer when a third of the buffer is free. Linux `tcp_check_space`.
    pub(super) fn check_space(&mut self, out: &mut Outbox) {
        if !self.send.refused {
            return;
        }
        self.grow_send_buffer();
        let Send { memory, capacity, .. } = self.send;
        let free = capacity.saturating_sub(memory);
        let enough = if self.profile.truesize { memory >> 1 <= free } else { 0 < free };
        if memory < capacity && enough {
            self.send.refused = false;
            out.signals.push(Signal::Writable);
        }
    }

    /// Linux `tcp_should_expand_sndbuf`, `tcp_sndbuf_expand`: room for two congestion windows.
    pub(super) fn grow_send_buffer(&mut self) {
        let is_open = self.in_flight() < self.cwnd();
        if self.send.capacity_is_set || !self.profile.truesize || !is_open {
            return;
        }
        self.send.capacity = self.wanted_send_buffer().max(self.send.capacity);
    }

    pub(super) fn wanted_send_buffer(&self) -> u64 {
        let head = SEGMENT_OVERHEAD - 256;
        let mss = self.send.peer_mss.max(self.send.mss);
        let one = u64::from((mss + head).next_power_of_two() + 256);
        let n = u64::from(self.cwnd().max(10).max(self.loss.reordering + 1));
        (2 * n * one).min(MAX_SEND_BUFFER)
    }

    /// Why the next unsent byte does not leave now; `None` if nothing waits.
    pub fn hold(&self) -> Option<Hold> {
        let head = self.send.queue.get(self.send.n_sent as usize)?;
        if matches!(self.state, State::SynSent | State::SynReceived | State::Listen) {
            return Some(Hold::Connecting);
        }
        let mss = self.current_mss();
        if self.congestion_quota() == 0 {
            return Some(Hold::CongestionWindow);
        }
        if !self.window_allows(head, mss) {
            let is_probing = matches!(self.timers.send, Some((SendAlarm::Persist, _)));
            return Some(if is_probing { Hold::Persist } else { Hold::ReceiverWindow });
        }
        let is_corked = self.send.nonagle.has(NoNagle::CORK);
        if !is_corked && !self.send.nonagle.has(NoNagle::OFF) && self.nagle_holds() {
            return Some(Hold::Nagle);
        }
        Some(Hold::Cork)
    }
}

/// RFC 9293 section 3.7.1: what every host can take. Linux `TCP_MSS_DEFAULT`.
pub const DEFAULT_MSS: u32 = 536;
/// What the least MTU of IP carries: 68 bytes less 40. Linux `tcp_bound_to_half_wnd`.
const LEAST_MSS: u32 = 28;
/// Linux `TCP_MIN_MSS`.
pub const MIN_MSS: u32 = 88;
/// Linux `tcp_wmem[2]`.
pub const MAX_SEND_BUFFER: u64 = 4 << 20;
