//! An end on an STM32: what lies between its stack and the wire, and when its programs get a turn.
//!
//! A frame from the wire goes into the MAC; a pass serves it; the programs hear of it in the turn
//! at the end of that pass. What the stack sends leaves when processor, driver and DMA are done
//! with it. Where a message's nanoseconds went inside is stated as [`Fact::Spent`].

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::channel::tcp::end::{Input, address_on_board, call_lwip};
use crate::model::channel::tcp::{EndMachine, OutsideCause, Stage};
use crate::model::fact::{Cause, Fact, Lost};
use crate::model::ground::{Event, Ground, Lane, Poke, Purpose};
use crate::model::message::{ChannelId, HostId, MsgId};
use crate::model::stm32::board::Departure;
use crate::model::stm32::node::{Booking, Desk, GoingOn, Inside, KeptBack, Leaving};
use crate::model::stm32::{BoardNode, Fate, Handled, Loss, RxFrame};
use crate::model::tcp::lwip::{Addr, Socket};
use crate::model::tcp::{Outbox, Segment};
use crate::model::wire::Frame;

/// Most things that a board does at one instant; more are our own mistake.
const AT_ONCE: u32 = 1_000_000;

/// Calls a socket on a board, or books the call for the next turn.
pub(super) fn call_board(
    socket: &mut Socket,
    node: &mut BoardNode,
    (channel, side): (ChannelId, Lane),
    now: SimTime,
    input: Input<'_>,
    out: &mut Outbox,
) -> (u64, OutsideCause) {
    let booking = match input {
        Input::Connect => Some(Booking::Connect),
        Input::Write { .. } => Some(Booking::Write),
        Input::Read { .. } => Some(Booking::Read),
        Input::Shutdown => Some(Booking::Shutdown),
        Input::Close => Some(Booking::Close),
        // A process dies whatever the loop does.
        Input::Abort => None,
        // These send nothing; segments come through the MAC.
        Input::Listen | Input::Set(_) | Input::Collect | Input::Wake | Input::Segment(_) => {
            return call_lwip(socket, &mut node.board.stack, now, input, out);
        }
    };
    if let Some(booking) = booking.filter(|_| !node.takes_turn(now)) {
        node.book(now, channel, side, booking);
        return (0, if node.is_loop() { OutsideCause::Loop } else { OutsideCause::Cpu });
    }
    let call = |at: SimTime, stack: &mut _| call_lwip(socket, stack, at, input, out);
    let (count, why) = node.board.call(now, &mut Desk::default(), call);
    node.n_err_mem += u32::from(matches!(why, OutsideCause::Queue | OutsideCause::Heap));
    (count, why)
}

impl Ground {
    /// Whether an end is a socket of lwIP.
    pub(super) fn is_on_lwip(&self, channel: ChannelId, side: Lane) -> bool {
        let end = self.tcp(channel).map(|tcp| &tcp.ends[side.index()].machine);
        matches!(end, Some(EndMachine::Lwip(_)))
    }

    /// A frame is at the PHY of a board, or, if an article claims how long answers take, waits
    /// until it has taken so long.
    pub(super) fn board_arrive(&mut self, host: HostId, frame: &Frame) {
        let (channel, now) = (frame.channel, self.now);
        let lane = if frame.back { Lane::Back } else { Lane::Forth };
        let Some(node) = &mut self.hosts[host.index()].board else { return };
        let has_data = 0 < frame.segment.len;
        let claimed = match node.claim.is_some() && has_data {
            true => node.take_claim(channel, lane.other()).filter(|until| now < *until),
            false => None,
        };
        let behind = node.kept_back.back().map(|kept| kept.until);
        let Some(until) = claimed.max(behind) else { return self.board_enter(host, frame) };
        node.kept_back.push_back(KeptBack { until, frame: *frame });
        for (number, msg) in self.board_messages(channel, lane, &frame.segment) {
            let spans =
                [(Cause::WireQueue, frame.tag.waited), (Cause::Serialisation, frame.tag.sending)];
            self.state_spent(msg, &spans);
            self.set_cause(channel, lane, number, Cause::Claim);
        }
        self.board_arm(host);
    }

    /// Frames that were kept back long enough.
    fn board_release(&mut self, host: HostId) {
        let now = self.now;
        while let Some(node) = &mut self.hosts[host.index()].board
            && node.kept_back.front().is_some_and(|kept| kept.until <= now)
            && let Some(mut kept) = node.kept_back.pop_front()
        {
            // These were stated when it came.
            (kept.frame.tag.waited, kept.frame.tag.sending) = (0, 0);
            if self.tcp_mut(kept.frame.channel).epoch == kept.frame.tag.epoch {
                self.board_enter(host, &kept.frame);
            }
        }
    }

    /// A frame enters the MAC.
    fn board_enter(&mut self, host: HostId, frame: &Frame) {
        let (now, channel) = (self.now, frame.channel);
        let lane = if frame.back { Lane::Back } else { Lane::Forth };
        let epoch = self.tcp_mut(channel).epoch;
        let Some(node) = &mut self.hosts[host.index()].board else { return };
        let waits = if node.is_loop() { Cause::MainLoop } else { Cause::Cpu };
        let tag = node.enter(*frame, now);
        for (number, msg) in self.board_messages(channel, lane, &frame.segment) {
            let spans =
                [(Cause::WireQueue, frame.tag.waited), (Cause::Serialisation, frame.tag.sending)];
            self.state_spent(msg, &spans);
            self.set_cause(channel, lane, number, waits);
        }
        let addr = address_on_board(channel, lane.other().index(), epoch);
        let rx = RxFrame { addr, segment: frame.segment, tag };
        if let Some(node) = &mut self.hosts[host.index()].board {
            node.board.arrive(now, rx);
        }
        self.board_go_on(host);
    }

    /// A board's wake-up is due.
    pub(super) fn board_wake(&mut self, host: HostId) {
        self.board_release(host);
        self.board_go_on(host);
    }

    /// Everything that a board does at this instant by itself.
    fn board_go_on(&mut self, host: HostId) {
        for _ in 0..AT_ONCE {
            self.board_flush(host);
            let now = self.now;
            let Some(node) = &mut self.hosts[host.index()].board else { return };
            if node.turn_due.is_some_and(|due| due <= now) {
                self.board_turn(host);
                continue;
            }
            let mut desk = Desk { due: node.booked_at, going_on: Vec::new() };
            let is_due = node.board.next_pass(&desk).is_some_and(|due| due <= now);
            if !is_due || node.turn_due.is_some() {
                break;
            }
            if node.goes_on_in_callbacks {
                desk.going_on = self.board_refused(host);
            }
            let Some(node) = &mut self.hosts[host.index()].board else { return };
            node.board.pass(now, &mut desk);
            node.went_on = desk.going_on;
            node.turn_due = Some(node.board.busy_until.max(now));
        }
        self.board_arm(host);
    }

    /// Sets a board's wake-up.
    pub(super) fn board_arm(&mut self, host: HostId) {
        let now = self.now;
        let machine = &mut self.hosts[host.index()];
        let Some(node) = &machine.board else { return };
        match node.next_wake() {
            Some(at) => self.queue.arm(&mut machine.timer, at.max(now), Event::Host(host)),
            None => self.queue.disarm(&mut machine.timer),
        }
    }

    /// Takes away what a board reports, and puts onto the wire what is due; says whether the stack
    /// sent anything.
    pub(super) fn board_flush(&mut self, host: HostId) -> bool {
        let Some(node) = &mut self.hosts[host.index()].board else { return false };
        let departures = std::mem::take(&mut node.board.departures);
        let refused = std::mem::take(&mut node.board.refused);
        let handled = std::mem::take(&mut node.board.handled);
        let has_left = !departures.is_empty() || !refused.is_empty();
        for handled in handled {
            match handled.fate {
                Fate::Lost(loss) => self.board_lost(host, &handled, loss),
                Fate::Taken | Fate::NoPbuf => {
                    if let Some(node) = &mut self.hosts[host.index()].board {
                        node.served.push(handled);
                    }
                }
            }
        }
        for frame in refused {
            if let Some((channel, lane)) = self.board_end(host, frame.addr) {
                let (back, why) = (lane.is_back(), Lost::Refused);
                self.state(Fact::FrameDropped { frame: 0, channel, back, why });
            }
        }
        for departure in departures {
            let at = self.board_leaves_at(host, &departure);
            if let Some(node) = &mut self.hosts[host.index()].board {
                node.leave(Leaving { at, departure });
            }
        }
        let now = self.now;
        while let Some(node) = &mut self.hosts[host.index()].board
            && node.leaving.front().is_some_and(|leaving| leaving.at <= now)
            && let Some(Leaving { departure, .. }) = node.leaving.pop_front()
        {
            self.board_leave(host, &departure);
        }
        has_left
    }

    /// When a frame goes onto the wire: with its first bit, or so much later that its last bit is
    /// not there before it left the board (a wire that is faster than the MAC).
    fn board_leaves_at(&self, host: HostId, departure: &Departure) -> SimTime {
        let Departure { frame, first_bit, last_bit, .. } = departure;
        let Some((channel, _)) = self.board_end(host, frame.addr) else { return *first_bit };
        let wire = self.tcp(channel).map(|tcp| tcp.wire);
        let sending = wire
            .map_or(SimSpan::ZERO, |wire| self.wires[wire.index()].params.sending(&frame.segment));
        let bits = *last_bit - SimTime::ZERO;
        (*first_bit).max(SimTime::ZERO + bits.saturating_sub(sending))
    }

    fn board_leave(&mut self, host: HostId, departure: &Departure) {
        let Departure { frame, begun, handed_at, copied, dma, first_bit, .. } = *departure;
        // A connection that is over sends nothing any more.
        let Some((channel, lane)) = self.board_end(host, frame.addr) else { return };
        let Some(node) = &self.hosts[host.index()].board else { return };
        let phy = node.board.config.pace.phy_tx;
        let worked = (handed_at - begun).saturating_sub(copied);
        let waited = (first_bit - handed_at).saturating_sub(dma + phy);
        let spans = [
            (Cause::Cpu, worked.as_ns()),
            (Cause::Copy, copied.as_ns()),
            (Cause::Dma, dma.as_ns()),
            (Cause::WireQueue, waited.as_ns()),
            (Cause::Phy, phy.as_ns()),
            (Cause::Serialisation, self.now.since(first_bit).as_ns()),
        ];
        for (_, msg) in self.board_messages(channel, lane, &frame.segment) {
            self.state_spent(msg, &spans);
        }
        self.board_asked(host, channel, lane, &frame.segment);
        self.tcp_depart(channel, lane, &frame.segment);
        self.tcp_restate(channel, lane);
    }

    /// A request leaves: how long its answer is claimed to take.
    fn board_asked(&mut self, host: HostId, channel: ChannelId, lane: Lane, segment: &Segment) {
        let (now, streams) = (self.now, self.streams);
        let machine = &mut self.hosts[host.index()];
        let Some(node) = &mut machine.board else { return };
        if let Some(claim) = node.claim.filter(|_| 0 < segment.len) {
            let stream = streams.stream_at(machine.path, Purpose::Claim as u32, node.n_claims);
            node.n_claims += 1;
            node.ask(channel, lane, now + claim.draw(stream));
        }
    }

    /// The MAC lost a frame.
    fn board_lost(&mut self, host: HostId, handled: &Handled, loss: Loss) {
        let why = match loss {
            Loss::Missed => Lost::NoDescriptor,
            Loss::Overflow => Lost::FifoFull,
        };
        self.board_dropped(host, handled, why, Cause::RxRing);
    }

    fn board_dropped(&mut self, host: HostId, handled: &Handled, why: Lost, cause: Cause) {
        let Some(inside) = self.board_take(host, handled) else { return };
        let Frame { channel, back, segment, tag } = inside.frame;
        self.state(Fact::FrameDropped { frame: tag.number, channel, back, why });
        let lane = if back { Lane::Back } else { Lane::Forth };
        for (number, _) in self.board_messages(channel, lane, &segment) {
            if let Some(parcel) = self.tcp_mut(channel).lanes[lane.index()].get_mut(number) {
                parcel.stage = Stage::Lost;
            }
            self.set_cause(channel, lane, number, cause);
        }
    }

    /// The programs' part of a pass: they hear what came, and make the calls that they booked.
    fn board_turn(&mut self, host: HostId) {
        let now = self.now;
        let Some(node) = &mut self.hosts[host.index()].board else { return };
        node.turn_due = None;
        node.turn_at = Some(now);
        node.booked_at = None;
        let bookings = std::mem::take(&mut node.bookings);
        let served = std::mem::take(&mut node.served);
        let n_lost = served.iter().filter(|handled| handled.fate == Fate::NoPbuf).count();
        node.n_no_pbuf += n_lost as u32;
        let went_on = std::mem::take(&mut node.went_on);
        node.n_err_mem += went_on.iter().map(|writer| writer.n_err_mem).sum::<u32>();
        for (channel, side) in self.board_ends(host) {
            let writer = went_on.iter().find(|writer| {
                writer.was_called && self.board_end(host, writer.addr) == Some((channel, side))
            });
            if let Some(writer) = writer {
                self.board_wrote(channel, side, writer);
            }
            self.tcp_call(channel, side, Input::Collect);
            if writer.is_some_and(|writer| !writer.writes.is_empty()) {
                self.board_socket(channel, side, |socket| socket.wait_for_room(true));
            }
        }
        for handled in &served {
            match handled.fate {
                Fate::Taken => self.board_took(host, handled),
                _ => self.board_dropped(host, handled, Lost::NoPbuf, Cause::NoPbuf),
            }
        }
        for (channel, side, booking) in bookings {
            self.board_booked(channel, side, booking);
        }
    }

    /// Programs that wait for room in their send buffers, and what they want to write.
    fn board_refused(&self, host: HostId) -> Vec<GoingOn> {
        let mut all = Vec::new();
        for (channel, side) in self.board_ends(host) {
            let Some(tcp) = self.tcp(channel) else { continue };
            let (end, lane) = (&tcp.ends[side.index()], &tcp.lanes[side.index()]);
            let EndMachine::Lwip(socket) = &end.machine else { continue };
            if lane.outside() == 0 || !end.is_open || !socket.waits_for_room() {
                continue;
            }
            let mut from = lane.written;
            let mut writes = VecDeque::new();
            let mut number = lane.n_written;
            while let Some(parcel) = lane.get(number) {
                let bytes = u32::try_from(parcel.end - from).unwrap_or(u32::MAX);
                writes.push_back((bytes, parcel.more));
                (from, number) = (parcel.end, number + 1);
            }
            all.push(GoingOn { addr: socket.addr, writes, ..GoingOn::default() });
        }
        all
    }

    /// What a program wrote in its callbacks.
    fn board_wrote(&mut self, channel: ChannelId, side: Lane, writer: &GoingOn) {
        let state = &mut self.tcp_mut(channel).lanes[side.index()];
        state.written += writer.taken;
        while state.get(state.n_written).is_some_and(|parcel| parcel.end <= state.written) {
            state.n_written += 1;
        }
        state.n_known = state.n_known.min(state.n_written);
        let is_done = writer.writes.is_empty();
        // Who is not done was refused again and needs not be told to try.
        self.board_socket(channel, side, |socket| socket.wait_for_room(is_done));
    }

    fn board_socket(&mut self, channel: ChannelId, side: Lane, act: impl FnOnce(&mut Socket)) {
        if let EndMachine::Lwip(socket) = &mut self.tcp_mut(channel).ends[side.index()].machine {
            act(socket);
        }
    }

    /// A call that waited for this turn.
    fn board_booked(&mut self, channel: ChannelId, side: Lane, booking: Booking) {
        match booking {
            Booking::Connect => drop(self.tcp_call(channel, side, Input::Connect)),
            Booking::Shutdown => drop(self.tcp_call(channel, side, Input::Shutdown)),
            Booking::Close => drop(self.tcp_call(channel, side, Input::Close)),
            Booking::Read => self.tcp_tell_reader(channel, side.other()),
            Booking::Write => {
                self.tcp_flush(channel, side);
                // What is still outside waits for something else now.
                let state = &mut self.tcp_mut(channel).lanes[side.index()];
                state.n_known = state.n_known.min(state.n_written);
                self.tcp_restate(channel, side);
                self.tcp_go_on(channel, side);
            }
        }
        if self.tcp_mut(channel).is_raw {
            self.net.pokes.push_back(Poke::Stream(channel, side));
        }
    }

    /// The stack took a frame.
    fn board_took(&mut self, host: HostId, handled: &Handled) {
        let Some(inside) = self.board_take(host, handled) else { return };
        let Inside { frame, arrived, .. } = inside;
        if frame.segment.len == 0 {
            return;
        }
        let lane = if frame.back { Lane::Back } else { Lane::Forth };
        let (channel, side) = (frame.channel, lane.other());
        let Some(node) = &self.hosts[host.index()].board else { return };
        let config = &node.board.config;
        let phy = config.pace.phy_rx;
        let moved = handled.ready.since(arrived).saturating_sub(phy);
        let dma = moved.min(config.pace.dma(frame.segment.ip_bytes()));
        let looped = handled.pass.since(handled.ready);
        let worked = handled.until.since(handled.pass).saturating_sub(handled.copied);
        let ring = if config.flush { Cause::Dma } else { Cause::RxRing };
        let late = if node.is_loop() { Cause::MainLoop } else { Cause::Cpu };
        let is_early = node.board.stack.holds_early(
            address_on_board(channel, side.index(), frame.tag.epoch),
            frame.segment.seq,
        );
        let spans = [
            (Cause::Phy, phy.as_ns()),
            (Cause::Dma, dma.as_ns()),
            (ring, (moved - dma).as_ns()),
            (late, looped.as_ns()),
            (Cause::Copy, handled.copied.as_ns()),
            (Cause::Cpu, worked.as_ns()),
        ];
        for (_, msg) in self.board_messages(channel, lane, &frame.segment) {
            self.state_spent(msg, &spans);
        }
        let rcv_nxt = self.tcp_gauges(channel, side).rcv_nxt;
        let mut landed = frame;
        // These were stated when it arrived.
        (landed.tag.waited, landed.tag.sending) = (0, 0);
        self.tcp_landed(channel, lane, &landed, rcv_nxt, is_early);
    }

    /// The frame that a board reports on, unless its connection is over.
    fn board_take(&mut self, host: HostId, handled: &Handled) -> Option<Inside> {
        let inside = self.hosts[host.index()].board.as_mut()?.take_inside(handled.tag)?;
        let epoch = self.tcp(inside.frame.channel)?.epoch;
        (inside.frame.tag.epoch == epoch).then_some(inside)
    }

    /// Numbers and messages whose last byte is in a segment, and that are not at the other end.
    fn board_messages(
        &self,
        channel: ChannelId,
        lane: Lane,
        segment: &Segment,
    ) -> Vec<(u64, MsgId)> {
        let end = segment.seq + u64::from(segment.len);
        let Some(tcp) = self.tcp(channel).filter(|_| 0 < segment.len) else { return Vec::new() };
        let lane = &tcp.lanes[lane.index()];
        let mut messages = Vec::new();
        let mut number = lane.number_at(segment.seq);
        while let Some(parcel) = lane.get(number).filter(|parcel| parcel.end < end) {
            let is_under_way = !matches!(parcel.stage, Stage::Early | Stage::Unread);
            if let Some(message) = parcel.parcel.message().filter(|_| is_under_way) {
                messages.push((number, message.id));
            }
            number += 1;
        }
        messages
    }

    fn state_spent(&mut self, msg: MsgId, spans: &[(Cause, u64)]) {
        for (cause, span) in spans.iter().copied().filter(|(_, span)| 0 < *span) {
            self.state(Fact::Spent { msg, cause, span });
        }
    }

    /// The ends of tcp channels on a host.
    fn board_ends(&self, host: HostId) -> Vec<(ChannelId, Lane)> {
        let ids = (0..self.channels.len()).map(|n| ChannelId(n as u16));
        let sides = ids.flat_map(|channel| [(channel, Lane::Forth), (channel, Lane::Back)]);
        let is_here = |(channel, side): &(ChannelId, Lane)| {
            let tcp = self.tcp(*channel);
            tcp.is_some_and(|tcp| {
                let machine = &tcp.ends[side.index()].machine;
                tcp.hosts[side.index()] == host && matches!(machine, EndMachine::Lwip(_))
            })
        };
        sides.filter(is_here).collect()
    }

    /// The end that sends from an address, if its connection is still the present one.
    fn board_end(&self, host: HostId, addr: Addr) -> Option<(ChannelId, Lane)> {
        let channel = ChannelId(addr.peer as u16);
        let tcp = self.tcp(channel)?;
        let sides = [Lane::Forth, Lane::Back].into_iter();
        let mut sides = sides.filter(|side| tcp.hosts[side.index()] == host);
        let side = sides.find(|side| address_on_board(channel, side.index(), tcp.epoch) == addr)?;
        Some((channel, side))
    }
}
