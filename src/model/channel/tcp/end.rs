//! How the ends of either implementation are called.

use crate::kernel::SimTime;
use crate::model::channel::Channel;
use crate::model::channel::tcp::board::call_board;
use crate::model::channel::tcp::{OutsideCause, TIMERS, TcpEnd};
use crate::model::ground::{Event, Ground, Lane};
use crate::model::host::HostParams;
use crate::model::message::{ChannelId, HostId};
use crate::model::tcp::lwip;
use crate::model::tcp::stack::Socket;
use crate::model::tcp::stack::profile::StackParams;
use crate::model::tcp::{Errno, Gauges, Hold, Outbox, Running, Segment, SockOpt};
use crate::param::Value;

/// One end's machine.
#[derive(Clone, PartialEq, Debug)]
pub enum EndMachine {
    /// There is no connection yet.
    None,
    /// A full end: profiles `linux` and `rfc`.
    Stack(Box<Socket>),
    /// A socket on an lwIP host, whose stack the host has.
    Lwip(Box<lwip::Socket>),
}

/// What is done to an end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Input<'s> {
    /// `connect`.
    Connect,
    /// `listen`.
    Listen,
    /// A segment came.
    Segment(&'s Segment),
    /// Its wake-up is due.
    Wake,
    /// One `write`.
    Write {
        /// Bytes.
        bytes: u64,
        /// `MSG_MORE`.
        more: bool,
    },
    /// One `recv`.
    Read {
        /// At most so many bytes.
        bytes: u64,
    },
    /// `setsockopt`.
    Set(SockOpt),
    /// `shutdown(SHUT_WR)`.
    Shutdown,
    /// `close`.
    Close,
    /// The process dies: the connection is reset.
    Abort,
    /// lwIP: something else made the stack do something for this end.
    Collect,
}

impl Ground {
    /// Gives a side a new end, by its host's profile.
    pub(super) fn tcp_new_end(&mut self, channel: ChannelId, side: usize, host: HostId) {
        let (mtu, now) = (self.tcp_mtu(channel), self.now);
        let old = &mut self.tcp_mut(channel).ends[side].machine;
        if let EndMachine::Lwip(mut old) = std::mem::replace(old, EndMachine::None)
            && let Some(stack) = self.hosts[host.index()].stack_mut()
        {
            old.dispose(now, stack);
        }
        let machine = match &self.hosts[host.index()].params {
            HostParams::Linux(params) => stack_end(&StackParams::Linux(params.clone()), mtu),
            HostParams::Rfc(params) => stack_end(&StackParams::Rfc(params.clone()), mtu),
            HostParams::Lwip(_) => {
                EndMachine::Lwip(Box::new(lwip::Socket::new(address(channel, side))))
            }
            HostParams::Stm32(_) => {
                let epoch = self.tcp_mut(channel).epoch;
                let addr = address_on_board(channel, side, epoch);
                EndMachine::Lwip(Box::new(lwip::Socket::new(addr)))
            }
        };
        self.tcp_mut(channel).ends[side] = TcpEnd { machine, ..TcpEnd::none() };
    }

    /// Calls the machine of an end; answers with the bytes taken or read.
    pub(super) fn tcp_machine_call(
        &mut self,
        channel: ChannelId,
        side: Lane,
        input: Input<'_>,
        out: &mut Outbox,
    ) -> u64 {
        let now = self.now;
        let Channel::Tcp(tcp) = &mut self.channels[channel.index()].machine else { return 0 };
        let host = &mut self.hosts[tcp.hosts[side.index()].index()];
        let lane = &mut tcp.lanes[side.index()];
        let (count, why) = match (&mut tcp.ends[side.index()].machine, &mut host.board) {
            (EndMachine::Stack(socket), _) => return call_stack(socket, now, input, out),
            (EndMachine::Lwip(socket), Some(node)) => {
                call_board(socket, node, (channel, side), now, input, out)
            }
            (EndMachine::Lwip(socket), None) => {
                let Some(stack) = &mut host.lwip else { return 0 };
                call_lwip(socket, stack, now, input, out)
            }
            (EndMachine::None, _) => return 0,
        };
        if let Input::Write { .. } = input {
            lane.outside_cause = why;
        }
        count
    }

    /// After a call on an lwIP host: its timer, and what the call did for other connections.
    pub(super) fn tcp_after_host(&mut self, host: HostId) {
        if self.hosts[host.index()].board.is_some() {
            self.board_arm(host);
            return;
        }
        let node = &mut self.hosts[host.index()];
        let Some(stack) = &node.lwip else { return };
        match stack.next_wake() {
            Some(at) => self.queue.arm(&mut node.timer, at.max(self.now), Event::Host(host)),
            None => self.queue.disarm(&mut node.timer),
        }
        if stack.is_quiet() {
            return;
        }
        for n in 0..self.channels.len() {
            let channel = ChannelId(n as u16);
            for side in [Lane::Forth, Lane::Back] {
                let Some(tcp) = self.tcp(channel) else { continue };
                if let EndMachine::Lwip(socket) = &tcp.ends[side.index()].machine
                    && tcp.hosts[side.index()] == host
                    && self.hosts[host.index()]
                        .lwip
                        .as_ref()
                        .is_some_and(|stack| stack.has_something_for(socket.addr))
                {
                    self.tcp_call(channel, side, Input::Collect);
                }
            }
        }
    }

    /// The running timers of an end, by kind.
    pub(super) fn tcp_running(
        &self,
        channel: ChannelId,
        side: Lane,
    ) -> [Option<Running>; TIMERS.len()] {
        let Some(tcp) = self.tcp(channel) else { return [None; TIMERS.len()] };
        let end = &tcp.ends[side.index()];
        let EndMachine::Lwip(socket) = &end.machine else { return end.running() };
        let mut running = [None; TIMERS.len()];
        let stack = self.tcp_stack(channel, side);
        let timers = stack.map(|stack| socket.timers(stack)).unwrap_or_default();
        timers.into_iter().for_each(|timer| running[timer.kind as usize] = Some(timer));
        running
    }

    /// Why the next byte of an end does not leave.
    pub(super) fn tcp_hold(&self, channel: ChannelId, side: Lane) -> Option<Hold> {
        match self.tcp_machine(channel, side) {
            EndMachine::None => None,
            EndMachine::Stack(socket) => socket.hold(),
            EndMachine::Lwip(socket) => socket.hold(self.tcp_stack(channel, side)?),
        }
    }

    /// Next stream position that an end expects.
    #[inline]
    pub(super) fn tcp_rcv_nxt(&self, channel: ChannelId, side: Lane) -> u64 {
        self.tcp_gauges(channel, side).rcv_nxt
    }

    /// Stream positions: one past the last byte written at an end, and the next to be sent.
    pub(super) fn tcp_unsent(&self, channel: ChannelId, side: Lane) -> (u64, u64) {
        let gauges = self.tcp_gauges(channel, side);
        (gauges.written, gauges.nxt)
    }

    /// What charts show of an end.
    pub fn tcp_gauges(&self, channel: ChannelId, side: Lane) -> Gauges {
        match self.tcp_machine(channel, side) {
            EndMachine::None => Gauges::default(),
            EndMachine::Stack(socket) => socket.gauges(),
            EndMachine::Lwip(socket) => {
                self.tcp_stack(channel, side).map_or_else(Gauges::default, |s| socket.gauges(s))
            }
        }
    }

    /// Sets an end's wake-up.
    pub(super) fn tcp_arm(&mut self, channel: ChannelId, side: Lane) {
        let due = match self.tcp_machine(channel, side) {
            // The host's timer runs the connections of an lwIP host.
            EndMachine::None | EndMachine::Lwip(_) => None,
            EndMachine::Stack(socket) => socket.next_wake(),
        };
        let tcp = self.tcp_mut(channel);
        let retry = tcp.retry_at.filter(|_| side == Lane::Forth);
        let due = [due, retry].into_iter().flatten().min();
        let timer = &mut self.channels[channel.index()].timers[side.index()];
        match due {
            Some(at) => self.queue.arm(timer, at.max(self.now), Event::Lane(channel, side)),
            None => self.queue.disarm(timer),
        }
    }

    /// A live parameter of a host changed: its connections follow. Only `nodelay` applies live.
    pub fn tcp_set_host(&mut self, host: HostId, param: u8, value: &Value) {
        let specs = self.hosts[host.index()].params.params().specs();
        let Value::Bool(on) = *value else { return };
        if specs[usize::from(param)].key != "nodelay" {
            return;
        }
        if let Some(stack) = self.hosts[host.index()].stack_mut() {
            stack.core.options.nodelay = on;
        }
        for n in 0..self.channels.len() {
            let channel = ChannelId(n as u16);
            let Some(hosts) = self.tcp(channel).map(|tcp| tcp.hosts) else { continue };
            for side in [Lane::Forth, Lane::Back] {
                if hosts[side.index()] == host {
                    self.tcp_call(channel, side, Input::Set(SockOpt::Nodelay(on)));
                }
            }
        }
    }

    /// A host's own timer is due: lwIP's `tcp_tmr`, which runs all its connections.
    pub fn tcp_host(&mut self, host: HostId) {
        let now = self.now;
        if self.hosts[host.index()].board.is_some() {
            self.board_wake(host);
            return;
        }
        if let Some(stack) = &mut self.hosts[host.index()].lwip {
            stack.on_wake(now);
        }
        self.tcp_after_host(host);
    }

    fn tcp_stack(&self, channel: ChannelId, side: Lane) -> Option<&lwip::Stack> {
        let host = self.tcp(channel)?.hosts[side.index()];
        self.hosts[host.index()].stack()
    }

    fn tcp_machine(&self, channel: ChannelId, side: Lane) -> &EndMachine {
        match self.tcp(channel) {
            Some(tcp) => &tcp.ends[side.index()].machine,
            None => &EndMachine::None,
        }
    }

    fn tcp_mtu(&self, channel: ChannelId) -> u32 {
        self.tcp(channel).map_or(0, |tcp| self.wires[tcp.wire.index()].mtu())
    }
}

fn stack_end(params: &StackParams, mtu: u32) -> EndMachine {
    EndMachine::Stack(Box::new(Socket::new(params, mtu)))
}

fn call_stack(socket: &mut Socket, now: SimTime, input: Input<'_>, out: &mut Outbox) -> u64 {
    let at_most = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    match input {
        Input::Connect => socket.connect(now, out),
        Input::Listen => socket.listen(),
        Input::Segment(segment) => socket.on_segment(now, segment, out),
        Input::Wake => socket.on_wake(now, out),
        // What is refused is offered again when the socket says that it is writable.
        Input::Write { bytes, more } => {
            return socket.write(now, at_most(bytes), more, out).map_or(0, u64::from);
        }
        Input::Read { bytes } => {
            return socket.read(now, at_most(bytes), out).map_or(0, u64::from);
        }
        // Options that an end does not know change nothing.
        Input::Set(option) => drop(socket.set(now, option, out)),
        Input::Collect => {}
        Input::Shutdown => socket.shutdown(now, out),
        Input::Close => socket.close(now, out),
        Input::Abort => socket.abort(now, out),
    }
    0
}

/// What lwIP knows a connection by: ports of the channel's own, so that no two are alike.
fn address(channel: ChannelId, side: usize) -> lwip::Addr {
    let (client, server) = (20_000 + channel.0, 7_000 + channel.0);
    let (port, peer_port) = if side == 0 { (client, server) } else { (server, client) };
    lwip::Addr { port, peer: u32::from(channel.0), peer_port }
}

/// The same on a board, where the number of the connection counts too: frames of an earlier one
/// may still be inside.
pub(super) fn address_on_board(channel: ChannelId, side: usize, epoch: u32) -> lwip::Addr {
    let addr = address(channel, side);
    lwip::Addr { peer: addr.peer | epoch << 16, ..addr }
}

/// Answers with the bytes taken or read, and what bytes that a write left over wait for.
pub(super) fn call_lwip(
    socket: &mut lwip::Socket,
    stack: &mut lwip::Stack,
    now: SimTime,
    input: Input<'_>,
    out: &mut Outbox,
) -> (u64, OutsideCause) {
    let at_most = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    // A call that fails changes nothing; a refused write is tried again when there is room.
    match input {
        Input::Connect => drop(socket.connect(now, stack, out)),
        Input::Listen => drop(socket.listen(now, stack)),
        Input::Segment(segment) => {
            socket.on_segment(now, stack, segment, out);
        }
        Input::Wake | Input::Collect => socket.collect(stack, out),
        Input::Write { bytes, more } => {
            let err_before = stack.core.memory.heap.usage.err;
            let taken = socket.write(now, stack, at_most(bytes), more, out);
            let why = match taken {
                Err(Errno::NoMem) if err_before < stack.core.memory.heap.usage.err => {
                    OutsideCause::Heap
                }
                Err(Errno::NoMem) => OutsideCause::Queue,
                _ => OutsideCause::Buffer,
            };
            return (taken.map_or(0, u64::from), why);
        }
        Input::Read { bytes } => {
            let taken = socket.read(now, stack, at_most(bytes), out);
            return (taken.map_or(0, u64::from), OutsideCause::Buffer);
        }
        Input::Set(option) => socket.set(stack, option),
        Input::Shutdown => drop(socket.shutdown(now, stack, out)),
        Input::Close => socket.close(now, stack, out),
        Input::Abort => socket.abort(now, stack, out),
    }
    (0, OutsideCause::Buffer)
}
