//! A tcp channel as a program sees it: bytes in, bytes out, options, closing. Scripts use this.

use crate::kernel::SimSpan;
use crate::model::channel::tcp::end::Input;
use crate::model::fact::Fact;
use crate::model::ground::{Ctx, Lane, Port};
use crate::model::message::{Message, Parcel};
use crate::model::tcp::{Errno, SockOpt};

/// What a program can know of its socket without blocking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamState {
    /// The handshake is over.
    pub is_open: bool,
    /// The other end closed: after what is readable, a read gives 0.
    pub is_over: bool,
    /// Why the connection is over, if it broke.
    pub broken: Option<Errno>,
    /// Bytes that a read would give.
    pub readable: u64,
    /// Bytes written that the send buffer has not taken yet.
    pub outside: u64,
}

impl Ctx<'_> {
    /// Starts to open the connection of a port, unless it was opened already.
    pub fn connect(&mut self, port: u16) {
        let Port { channel, out, .. } = self.port(port);
        if out == Lane::Forth {
            self.ground_mut().tcp_call(channel, out, Input::Connect);
        }
    }

    /// What a program can know of the socket of a port.
    pub fn stream(&self, port: u16) -> Option<StreamState> {
        let Port { channel, out, .. } = self.port(port);
        let ground = self.ground();
        let tcp = ground.tcp(channel)?;
        let end = &tcp.ends[out.index()];
        let read = tcp.lanes[out.other().index()].read;
        Some(StreamState {
            is_open: end.is_open,
            is_over: end.is_over,
            broken: end.broken,
            readable: ground.tcp_in_order_bytes(channel, out).saturating_sub(read),
            outside: tcp.lanes[out.index()].outside(),
        })
    }

    /// Writes messages to the stream, one `write` each; what finds no room goes in as soon as there
    /// is some.
    pub fn write_stream(&mut self, port: u16, messages: &[Message], more: bool) {
        let Port { channel, out, .. } = self.port(port);
        let ground = self.ground_mut();
        for message in messages {
            let lane = &mut ground.tcp_mut(channel).lanes[out.index()];
            let parcel = Parcel::Publish { seq: 0, message: *message };
            lane.push(parcel, u64::from(message.bytes), more);
            let (msg, back) = (message.id, out.is_back());
            ground.state(Fact::Departed { msg, channel, back, kept: false });
        }
        ground.tcp_flush(channel, out);
    }

    /// Keeps the board on which this end lives from doing anything else; other hosts go on.
    pub fn block(&mut self, port: u16, span: SimSpan) {
        if self.n_ports() <= port {
            return;
        }
        let Port { channel, out, .. } = self.port(port);
        let ground = self.ground_mut();
        let host = ground.tcp(channel).map(|tcp| tcp.hosts[out.index()]);
        let now = ground.now;
        if let Some(host) = host
            && let Some(node) = &mut ground.hosts[host.index()].board
        {
            node.board.busy_until = node.board.busy_until.max(now) + span;
            ground.board_arm(host);
        }
    }

    /// Reads at most `most` bytes; states which messages were read to their end by that.
    pub fn read_stream(&mut self, port: u16, most: u64) -> u64 {
        let Port { channel, out, .. } = self.port(port);
        let me = self.me;
        let ground = self.ground_mut();
        let taken = ground.tcp_call(channel, out, Input::Read { bytes: most });
        let lane = out.other();
        ground.tcp_mut(channel).lanes[lane.index()].read += taken;
        loop {
            let state = &mut ground.tcp_mut(channel).lanes[lane.index()];
            if state.parcels.front().is_none_or(|parcel| state.read < parcel.end) {
                return taken;
            }
            let message = state.pop().and_then(|parcel| parcel.parcel.message().copied());
            if let Some(Message { id: msg, .. }) = message {
                let (waited, sending, unread, is_part) = (0, 0, 0, false);
                ground.state(Fact::Arrived { msg, channel, waited, sending, unread, is_part });
                ground.state(Fact::Done { msg, at: me, answers: false });
            }
        }
    }

    /// Sets an option of the socket of a port.
    pub fn set_option(&mut self, port: u16, option: SockOpt) {
        let Port { channel, out, .. } = self.port(port);
        self.ground_mut().tcp_call(channel, out, Input::Set(option));
    }

    /// Closes the sending direction of a port.
    pub fn shutdown(&mut self, port: u16) {
        let Port { channel, out, .. } = self.port(port);
        self.ground_mut().tcp_call(channel, out, Input::Shutdown);
    }

    /// Closes the socket of a port.
    pub fn close(&mut self, port: u16) {
        let Port { channel, out, .. } = self.port(port);
        self.ground_mut().tcp_call(channel, out, Input::Close);
    }
}
