//! How the ends of either implementation are called.

use crate::kernel::SimTime;
use crate::model::actor::script::SocketOption;
use crate::model::channel::tcp::{TIMERS, TcpEnd};
use crate::model::ground::{Event, Ground, Lane};
use crate::model::host::HostParams;
use crate::model::message::{ChannelId, HostId};
use crate::model::tcp::stack::{Socket, StackParams};
use crate::model::tcp::{Gauges, Hold, Outbox, Running, Segment};

/// One end's machine.
#[derive(Clone, PartialEq, Debug)]
pub enum EndMachine {
    /// There is no connection yet.
    None,
    /// A full end: profiles `linux` and `rfc`.
    Stack(Box<Socket>),
}

/// What is done to an end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Input {
    /// `connect`.
    Connect,
    /// `listen`.
    Listen,
    /// A segment came.
    Segment(Segment),
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
    Set(SocketOption),
    /// `shutdown(SHUT_WR)`.
    Shutdown,
    /// `close`.
    Close,
    /// The process dies: the connection is reset.
    Abort,
}

impl Ground {
    /// Gives a side a new end, by its host's profile.
    pub(super) fn tcp_new_end(&mut self, channel: ChannelId, side: usize, host: HostId) {
        let mtu = self.tcp_mtu(channel);
        let machine = match &self.hosts[host.index()].params {
            HostParams::Linux(params) => stack_end(&StackParams::Linux(params.clone()), mtu),
            HostParams::Rfc(params) => stack_end(&StackParams::Rfc(params.clone()), mtu),
            HostParams::Lwip(_) => EndMachine::None,
        };
        self.tcp_mut(channel).ends[side] = TcpEnd { machine, ..TcpEnd::none() };
    }

    /// Calls the machine of an end; answers with the bytes taken or read.
    pub(super) fn tcp_machine_call(
        &mut self,
        channel: ChannelId,
        side: Lane,
        input: Input,
        out: &mut Outbox,
    ) -> u64 {
        let now = self.now;
        match &mut self.tcp_mut(channel).ends[side.index()].machine {
            EndMachine::None => 0,
            EndMachine::Stack(socket) => call_stack(socket, now, input, out),
        }
    }

    /// The running timers of an end, by kind.
    pub(super) fn tcp_running(
        &self,
        channel: ChannelId,
        side: Lane,
    ) -> [Option<Running>; TIMERS.len()] {
        let mut running = [None; TIMERS.len()];
        match self.tcp_machine(channel, side) {
            EndMachine::None => {}
            EndMachine::Stack(socket) => {
                socket.timers().for_each(|timer| running[timer.kind as usize] = Some(timer));
            }
        }
        running
    }

    /// Why the next byte of an end does not leave.
    pub(super) fn tcp_hold(&self, channel: ChannelId, side: Lane) -> Option<Hold> {
        match self.tcp_machine(channel, side) {
            EndMachine::None => None,
            EndMachine::Stack(socket) => socket.hold(),
        }
    }

    /// Next stream position that an end expects.
    #[inline]
    pub(super) fn tcp_rcv_nxt(&self, channel: ChannelId, side: Lane) -> u64 {
        self.tcp_gauges(channel, side).rcv_nxt
    }

    /// Bytes that an end holds out of order.
    pub(super) fn tcp_early(&self, channel: ChannelId, side: Lane) -> u64 {
        self.tcp_gauges(channel, side).out_of_order
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
        }
    }

    /// Sets an end's wake-up.
    pub(super) fn tcp_arm(&mut self, channel: ChannelId, side: Lane) {
        let due = match self.tcp_machine(channel, side) {
            EndMachine::None => None,
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

    /// A host's own timer is due: lwIP's `tcp_tmr`, which runs all its connections.
    pub fn tcp_host(&mut self, _host: HostId) {}

    fn tcp_machine(&self, channel: ChannelId, side: Lane) -> &EndMachine {
        match self.tcp(channel) {
            Some(tcp) => &tcp.ends[side.index()].machine,
            None => &EndMachine::None,
        }
    }

    fn tcp_mtu(&self, _channel: ChannelId) -> u32 {
        1_500
    }
}

fn stack_end(params: &StackParams, mtu: u32) -> EndMachine {
    EndMachine::Stack(Box::new(Socket::new(params, mtu)))
}

fn call_stack(socket: &mut Socket, now: SimTime, input: Input, out: &mut Outbox) -> u64 {
    let at_most = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    match input {
        Input::Connect => socket.connect(now, out),
        Input::Listen => socket.listen(),
        Input::Segment(segment) => socket.on_segment(now, &segment, out),
        Input::Wake => socket.on_wake(now, out),
        // What is refused is offered again when the socket says that it is writable.
        Input::Write { bytes, more } => {
            return socket.write(now, at_most(bytes), more, out).map_or(0, u64::from);
        }
        Input::Read { bytes } => {
            return socket.read(now, at_most(bytes), out).map_or(0, u64::from);
        }
        Input::Set(_) => {}
        Input::Shutdown => socket.shutdown(now, out),
        Input::Close => socket.close(now, out),
        Input::Abort => socket.abort(now, out),
    }
    0
}
