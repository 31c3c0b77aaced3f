//! What moves on a tcp channel: calls of its ends, segments on the wire, and what they mean.
//!
//! Everything here is a method of [`Ground`]: an end's call may put segments on the wire, tell its
//! actor something and set timers. Actors hear of it by a [`Poke`], after the handler at work.

use std::collections::VecDeque;
use std::mem;

use crate::model::channel::Channel;
use crate::model::channel::tcp::end::Input;
use crate::model::channel::tcp::{EndMachine, Stage, Tcp, TcpLane};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Lost, Why};
use crate::model::ground::{Event, Ground, Lane, Poke};
use crate::model::message::{ChannelId, Parcel, WireId};
use crate::model::tcp::{Errno, Outbox, Segment, Signal};
use crate::model::wire::{Frame, Tag};

/// What TCP keeps besides its channels, hosts and wires.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Net {
    /// What actors are to be told; empty between events.
    pub pokes: VecDeque<Poke>,
    /// Frames put on wires so far.
    pub frames: u64,
    outbox: Outbox,
    signals: Vec<(ChannelId, Lane, Signal)>,
}

impl Ground {
    /// The tcp channel of that id, if it is one.
    #[inline]
    pub fn tcp(&self, channel: ChannelId) -> Option<&Tcp> {
        match &self.channels[channel.index()].machine {
            Channel::Tcp(tcp) => Some(tcp),
            Channel::Ideal(_) => None,
        }
    }

    #[inline]
    pub(super) fn tcp_mut(&mut self, channel: ChannelId) -> &mut Tcp {
        match &mut self.channels[channel.index()].machine {
            Channel::Tcp(tcp) => tcp,
            Channel::Ideal(_) => unreachable!("only tcp channels are handled here"),
        }
    }

    /// Opens a connection with new ends: `to` listens, and `from` connects unless its script does.
    pub fn tcp_open(&mut self, channel: ChannelId, connects: bool) {
        let tcp = self.tcp_mut(channel);
        tcp.epoch += 1;
        let hosts = tcp.hosts;
        for (side, host) in hosts.into_iter().enumerate() {
            self.tcp_new_end(channel, side, host);
        }
        let tcp = self.tcp_mut(channel);
        tcp.retry_at = None;
        tcp.lanes = Default::default();
        self.tcp_call(channel, Lane::Back, Input::Listen);
        if connects {
            self.tcp_call(channel, Lane::Forth, Input::Connect);
        }
    }

    /// Opens a connection anew; what was on the old one is lost.
    ///
    /// `restarted`: the end whose process just started, which greets by itself.
    pub fn tcp_reopen(&mut self, channel: ChannelId, restarted: Option<Lane>) {
        self.tcp_drop_all(channel, Why::Gone);
        for side in [Lane::Forth, Lane::Back] {
            // Who has not noticed yet that the old connection is over hears of it now.
            let has_noticed = self.tcp_mut(channel).ends[side.index()].broken.is_some();
            if restarted != Some(side) && !has_noticed {
                self.net.pokes.push_back(Poke::Closed(channel, side));
            }
        }
        let refused =
            [Lane::Forth, Lane::Back].map(|lane| self.tcp_mut(channel).lanes[lane.index()].refused);
        self.tcp_open(channel, true);
        let tcp = self.tcp_mut(channel);
        tcp.greets = [Lane::Forth, Lane::Back].map(|side| restarted != Some(side));
        for (lane, refused) in tcp.lanes.iter_mut().zip(refused) {
            lane.refused = refused;
        }
    }

    /// The reader of a lane is told that there is something to read, unless it was.
    pub(in crate::model) fn tcp_tell_reader(&mut self, channel: ChannelId, lane: Lane) {
        let is_readable = self.tcp_readable(channel, lane);
        let state = &mut self.tcp_mut(channel).lanes[lane.index()];
        if is_readable && !state.told {
            state.told = true;
            self.net.pokes.push_back(Poke::Readable(channel, lane));
        }
    }

    /// A parcel is written to a lane; `false`: it takes no message for now.
    pub(in crate::model) fn tcp_offer(
        &mut self,
        channel: ChannelId,
        lane: Lane,
        parcel: Parcel,
        kept: bool,
    ) -> bool {
        let message = parcel.message().map(|message| message.id);
        let tcp = self.tcp_mut(channel);
        let is_down = !tcp.is_connecting_or_open();
        let state = &mut tcp.lanes[lane.index()];
        if is_down && message.is_none() {
            self.state(Fact::ControlLost { channel, back: lane.is_back() });
            return true;
        }
        let is_full = 0 < state.outside() || TcpLane::MOST <= state.parcels.len();
        if message.is_some() && (is_down || is_full) {
            state.refused = true;
            return false;
        }
        state.push(parcel, parcel.bytes(), false);
        if let Some(msg) = message {
            self.state(Fact::Departed { msg, channel, back: lane.is_back(), kept });
        }
        self.tcp_flush(channel, lane);
        true
    }

    /// Writes what waits outside the send buffer, one `write` for each parcel.
    pub(super) fn tcp_flush(&mut self, channel: ChannelId, lane: Lane) {
        loop {
            let tcp = self.tcp_mut(channel);
            let is_open = tcp.ends[lane.index()].is_open;
            let state = &mut tcp.lanes[lane.index()];
            let Some(parcel) = state.get(state.n_written).filter(|_| is_open) else { break };
            let (end, more, number) = (parcel.end, parcel.more, state.n_written);
            let bytes = end - state.written;
            // Written before the call, so that what leaves within it is known.
            state.n_written += 1;
            let taken = self.tcp_call(channel, lane, Input::Write { bytes, more });
            let state = &mut self.tcp_mut(channel).lanes[lane.index()];
            state.written += taken;
            if taken < bytes {
                state.n_written = number;
                // lwIP refused it, or a board booked the call: what it waits for is told anew.
                if self.is_on_lwip(channel, lane) {
                    let state = &mut self.tcp_mut(channel).lanes[lane.index()];
                    state.n_known = state.n_known.min(number);
                }
                break;
            }
        }
        self.tcp_restate(channel, lane);
    }

    /// The next parcel that the reader of a lane may have: reads as many bytes as it takes.
    pub(in crate::model) fn tcp_read(&mut self, channel: ChannelId, lane: Lane) -> Option<Parcel> {
        let tcp = self.tcp_mut(channel);
        let state = &tcp.lanes[lane.index()];
        let wanted = state.parcels.front()?.end - state.read;
        let taken = self.tcp_call(channel, lane.other(), Input::Read { bytes: wanted });
        let state = &mut self.tcp_mut(channel).lanes[lane.index()];
        state.read += taken;
        if taken < wanted {
            return None;
        }
        let parcel = state.pop()?.parcel;
        if let Some(message) = parcel.message() {
            let (msg, is_part) = (message.id, parcel.is_part());
            let (waited, sending, unread) = (0, 0, 0);
            self.state(Fact::Arrived { msg, channel, waited, sending, unread, is_part });
        }
        Some(parcel)
    }

    /// Bytes of the stream towards an end that are in order there, read or not.
    pub(in crate::model) fn tcp_in_order_bytes(&self, channel: ChannelId, side: Lane) -> u64 {
        self.tcp_rcv_nxt(channel, side).saturating_sub(1)
    }

    /// Whether a lane has bytes that its reader has not read.
    pub(in crate::model) fn tcp_readable(&self, channel: ChannelId, lane: Lane) -> bool {
        let Some(tcp) = self.tcp(channel) else { return false };
        let state = &tcp.lanes[lane.index()];
        state.read + 1 < self.tcp_rcv_nxt(channel, lane.other()) && !state.parcels.is_empty()
    }

    /// An end's timer is due. `true`: it is time to connect again.
    pub fn tcp_wake(&mut self, channel: ChannelId, side: Lane) -> bool {
        self.tcp_call(channel, side, Input::Wake);
        let now = self.now;
        let tcp = self.tcp_mut(channel);
        let is_due = side == Lane::Forth && tcp.retry_at.is_some_and(|at| at <= now);
        if is_due {
            tcp.retry_at = None;
        }
        is_due
    }

    /// Frames reach the end of one direction of a wire.
    pub fn tcp_wire(&mut self, wire: WireId, direction: Lane) {
        while let Some(frame) = self.wires[wire.index()].machine.take_arrived(direction, self.now) {
            self.tcp_arrive(&frame);
        }
        self.arm_wire(wire, direction);
    }

    fn arm_wire(&mut self, wire: WireId, direction: Lane) {
        let node = &mut self.wires[wire.index()];
        let next = node.machine.next_arrival(direction);
        let timer = &mut node.timers[direction.index()];
        match next {
            Some(at) => self.queue.arm(timer, at, Event::Wire(wire, direction)),
            None => self.queue.disarm(timer),
        }
    }

    fn tcp_arrive(&mut self, frame: &Frame) {
        let Frame { channel, back, segment, tag } = *frame;
        let lane = if back { Lane::Back } else { Lane::Forth };
        self.state(Fact::SegmentArrived { frame: tag.number, channel, back });
        if self.tcp_mut(channel).epoch != tag.epoch {
            return;
        }
        let host = self.tcp_mut(channel).hosts[lane.other().index()];
        if self.hosts[host.index()].board.is_some() {
            self.board_arrive(host, frame);
            return;
        }
        if segment.len == 0 {
            self.tcp_call(channel, lane.other(), Input::Segment(&segment));
            return;
        }
        let before = self.tcp_gauges(channel, lane.other()).out_of_order;
        self.tcp_call(channel, lane.other(), Input::Segment(&segment));
        let gauges = self.tcp_gauges(channel, lane.other());
        self.tcp_landed(channel, lane, frame, gauges.rcv_nxt, before < gauges.out_of_order);
    }

    /// Messages whose last byte was in a segment that arrived, and those that are in order now.
    pub(super) fn tcp_landed(
        &mut self,
        channel: ChannelId,
        lane: Lane,
        frame: &Frame,
        rcv_nxt: u64,
        kept_early: bool,
    ) {
        let (seq, end) = (frame.segment.seq, frame.segment.seq + u64::from(frame.segment.len));
        let mut number = self.tcp_mut(channel).lanes[lane.index()].number_at(seq);
        while let Some(parcel) = self.tcp_mut(channel).lanes[lane.index()].get_mut(number)
            && parcel.end < end
        {
            number += 1;
            if !matches!(parcel.stage, Stage::Flying | Stage::Lost) {
                continue;
            }
            (parcel.stage, parcel.cause) = match (parcel.end < rcv_nxt, kept_early) {
                (true, _) => (Stage::Unread, Cause::Unread),
                (false, true) => (Stage::Early, Cause::HeadOfLine),
                // The receiver threw it away: it has to be sent again.
                (false, false) => (Stage::Lost, Cause::Retransmission),
            };
            let cause = parcel.cause;
            if let Some(message) = parcel.parcel.message() {
                let (msg, Tag { waited, sending, .. }) = (message.id, frame.tag);
                self.state(Fact::Landed { msg, channel, waited, sending, cause });
            }
        }
        self.tcp_in_order(channel, lane, rcv_nxt);
    }

    /// What a filled hole has brought into order only waits for its reader.
    fn tcp_in_order(&mut self, channel: ChannelId, lane: Lane, rcv_nxt: u64) {
        loop {
            let state = &mut self.tcp_mut(channel).lanes[lane.index()];
            let number = state.n_in_order.max(state.first);
            let Some(parcel) = state.get_mut(number).filter(|p| p.end < rcv_nxt) else {
                state.n_in_order = number;
                return;
            };
            let was = mem::replace(&mut parcel.stage, Stage::Unread);
            state.n_in_order = number + 1;
            if was != Stage::Unread {
                self.set_cause(channel, lane, number, Cause::Unread);
            }
        }
    }

    /// Calls an end, and does what follows from it. Answers with the bytes taken or read.
    pub(super) fn tcp_call(&mut self, channel: ChannelId, side: Lane, input: Input<'_>) -> u64 {
        let is_wake = matches!(input, Input::Wake);
        if is_wake && let EndMachine::Stack(_) = self.tcp_mut(channel).ends[side.index()].machine {
            // Which timer goes off, and since when it ran.
            let running = self.tcp_running(channel, side);
            self.tcp_mut(channel).ends[side.index()].stated = running;
        }
        let mut out = mem::take(&mut self.net.outbox);
        let count = self.tcp_machine_call(channel, side, input, &mut out);
        // A read that opened no window changed nothing else.
        let is_read = matches!(input, Input::Read { .. });
        let host = self.tcp_mut(channel).hosts[side.index()];
        let has_left = self.board_flush(host);
        if is_read && out.segments.is_empty() && out.signals.is_empty() && !has_left {
            self.net.outbox = out;
            self.board_arm(host);
            return count;
        }
        for segment in out.segments.drain(..) {
            self.tcp_depart(channel, side, &segment);
        }
        let before = self.net.signals.len();
        let signals = out.signals.drain(..).map(|signal| (channel, side, signal));
        self.net.signals.extend(signals);
        self.net.outbox = out;
        self.tcp_after(channel, side, is_wake || matches!(input, Input::Collect));
        if let EndMachine::Lwip(_) = self.tcp_mut(channel).ends[side.index()].machine {
            self.tcp_after_host(host);
        }
        while before < self.net.signals.len() {
            let (channel, side, signal) = self.net.signals.remove(before);
            self.tcp_signal(channel, side, signal);
        }
        count
    }

    /// A segment goes onto the wire.
    pub(super) fn tcp_depart(&mut self, channel: ChannelId, lane: Lane, segment: &Segment) {
        self.net.frames += 1;
        let (now, number, back) = (self.now, self.net.frames, lane.is_back());
        let tcp = self.tcp_mut(channel);
        let wire = tcp.wire;
        let direction = if tcp.is_flipped { lane.other() } else { lane };
        let tag = Tag { number, epoch: tcp.epoch, ..Tag::default() };
        let frame = Frame { channel, back, segment: *segment, tag };
        let is_chosen = tcp.is_chosen(lane, segment);
        let msg = tcp.lanes[lane.index()].message_at(segment.seq, segment.len);
        let fact = Fact::SegmentDeparted {
            frame: number,
            channel,
            back,
            again: segment.again,
            flags: segment.flags.0,
            len: segment.len,
            seq: segment.seq,
            msg,
        };
        self.facts.state_segment(now, fact, segment);
        let node = &mut self.wires[wire.index()];
        let sent = match is_chosen {
            true => Err(Lost::Rule),
            false => node.send(direction, now, frame, self.streams),
        };
        if let Err(why) = sent {
            self.state(Fact::SegmentLost { frame: number, channel, back, why });
        }
        self.arm_wire(wire, direction);
        if 0 < segment.len {
            self.tcp_left(channel, lane, segment, sent.is_err());
        }
    }

    /// Messages whose last byte is in a segment that left.
    fn tcp_left(&mut self, channel: ChannelId, lane: Lane, segment: &Segment, is_lost: bool) {
        let end = segment.seq + u64::from(segment.len);
        let mut number = self.tcp_mut(channel).lanes[lane.index()].number_at(segment.seq);
        loop {
            let state = &mut self.tcp_mut(channel).lanes[lane.index()];
            let Some(parcel) = state.get_mut(number).filter(|p| p.end < end) else { return };
            let is_sent = !matches!(parcel.stage, Stage::Waiting | Stage::Lost);
            if !is_sent {
                parcel.stage = if is_lost { Stage::Lost } else { Stage::Flying };
                let cause = if is_lost { Cause::Retransmission } else { Cause::Propagation };
                self.set_cause(channel, lane, number, cause);
            }
            number += 1;
            let state = &mut self.tcp_mut(channel).lanes[lane.index()];
            state.n_sent = state.n_sent.max(number);
        }
    }

    /// An end told its actor something.
    fn tcp_signal(&mut self, channel: ChannelId, side: Lane, signal: Signal) {
        let at_to = side.is_back();
        let tcp = self.tcp_mut(channel);
        let is_raw = tcp.is_raw;
        match signal {
            Signal::Connected => {
                tcp.ends[side.index()].is_open = true;
                self.state(Fact::Connected { channel, at_to });
                if mem::take(&mut self.tcp_mut(channel).greets[side.index()]) {
                    self.net.pokes.push_back(Poke::Opened(channel, side));
                }
                self.tcp_flush(channel, side);
                // What is still outside waits for something else now.
                let state = &mut self.tcp_mut(channel).lanes[side.index()];
                state.n_known = state.n_known.min(state.n_written);
                self.tcp_restate(channel, side);
                self.tcp_go_on(channel, side);
            }
            Signal::Readable if is_raw => {}
            Signal::Readable => self.tell_reader(channel, side.other()),
            Signal::Writable => {
                self.tcp_flush(channel, side);
                self.tcp_go_on(channel, side);
            }
            Signal::PeerClosed => tcp.ends[side.index()].is_over = true,
            Signal::Broken(errno) => {
                let end = &mut tcp.ends[side.index()];
                (end.is_open, end.broken) = (false, Some(errno));
                self.state(Fact::Broken { channel, at_to, errno });
                self.tcp_drop_all(channel, Why::Gone);
                let at = self.now + self.tcp_mut(channel).params.retry;
                if !is_raw {
                    self.tcp_mut(channel).retry_at.get_or_insert(at);
                    self.tcp_arm(channel, Lane::Forth);
                }
                self.net.pokes.push_back(Poke::Closed(channel, side));
            }
            Signal::Closed => {}
        }
        if is_raw {
            self.net.pokes.push_back(Poke::Stream(channel, side));
        }
    }

    /// A writer that was refused hears that there is room again.
    pub(super) fn tcp_go_on(&mut self, channel: ChannelId, lane: Lane) {
        let state = &mut self.tcp_mut(channel).lanes[lane.index()];
        if state.refused && state.outside() == 0 {
            state.refused = false;
            self.net.pokes.push_back(Poke::Writable(channel, lane));
        }
    }

    /// Everything on both lanes is lost: the connection is gone.
    pub fn tcp_drop_all(&mut self, channel: ChannelId, why: Why) {
        for lane in [Lane::Forth, Lane::Back] {
            while let Some(parcel) = self.tcp_mut(channel).lanes[lane.index()].pop() {
                if let Some(message) = parcel.parcel.message() {
                    let at = Node::Channel(channel);
                    self.state(Fact::Dropped { msg: message.id, at, why });
                }
            }
        }
    }

    /// A process at that end died: its kernel resets the connection.
    pub fn tcp_abort(&mut self, channel: ChannelId, side: Lane) {
        self.tcp_call(channel, side, Input::Abort);
        self.tcp_drop_all(channel, Why::Gone);
        let tcp = self.tcp_mut(channel);
        tcp.ends[side.index()].is_open = false;
        tcp.ends[side.index()].broken = Some(Errno::ConnReset);
        tcp.retry_at = None;
    }

    /// States a fact.
    #[inline]
    pub(in crate::model) fn state(&mut self, fact: Fact) {
        let now = self.now;
        self.facts.state(now, fact);
    }
}
