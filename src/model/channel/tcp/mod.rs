//! The channel `tcp`: two ends on two hosts, and what is on its way between them.
//!
//! The bytes themselves are the ends' business (`model::tcp`). Here stands what they mean: which
//! parcel ends at which byte of the stream, how far it has come, and what it waits for. A parcel
//! waits for what its last byte waits for.
//! Read `docs/models/tcp.md` and `carry.rs` (what moves) before editing; `board.rs` is what an end
//! on an STM32 has between stack and wire, `causes.rs` tells messages what they wait for.

mod board;
mod carry;
mod causes;
mod end;
mod lane;
pub mod rules;
mod stream;
mod wire_node;

use crate::kernel::{SimSpan, SimTime};
use crate::model::fact::Cause;
use crate::model::ground::Lane;
use crate::model::message::{HostId, WireId};
use crate::model::tcp::{Errno, Hold, Running, Segment, TimerKind};

pub use carry::Net;
pub use end::{EndMachine, Input};
pub use lane::{OnStream, OutsideCause, Stage, TcpLane};
pub use stream::StreamState;
pub use wire_node::{WireNode, WireParams};

params! {
    /// A TCP connection between two actors on two hosts.
    pub struct TcpParams for "tcp" {
        /// How long after the connection broke its `from` end opens it anew.
        retry: SimSpan = SimSpan::s(1), range SimSpan::ms(1) => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(10) => SimSpan::s(60), applies live,
            name ("Connect again after", "重连间隔"),
            help ("After a reset, a refusal or a timeout the first end connects again so much later.",
                "连接被重置、拒绝或超时后，发起端隔这么久再次连接。"),
            source "our own; a client library's reconnect delay";
    }
}

/// Kinds of timers that are looked at.
pub const TIMERS: [TimerKind; 7] = [
    TimerKind::DelayedAck,
    TimerKind::Retransmission,
    TimerKind::LossProbe,
    TimerKind::Reordering,
    TimerKind::Persist,
    TimerKind::KeepAlive,
    TimerKind::TimeWait,
];

/// One end as the channel knows it.
#[derive(Clone, PartialEq, Debug)]
pub struct TcpEnd {
    /// The machine; on an lwIP host, its number there.
    pub machine: EndMachine,
    /// The handshake is over and the connection is not.
    pub is_open: bool,
    /// The other end sends nothing more.
    pub is_over: bool,
    /// Why it is over, if it broke.
    pub broken: Option<Errno>,
    /// Its timers as last stated: a retransmission timer that was only set anew since then still
    /// has its old times; [`TcpEnd::running`] has the new ones.
    stated: [Option<Running>; TIMERS.len()],
    /// What makes a timer news, as last stated: see `Socket::timer_marks`.
    marks: (u8, Option<SimTime>),
    /// Why the next byte does not leave, as last stated.
    pub hold: Option<Hold>,
}

/// Two ends, the way between them, and what is on it.
#[derive(Clone, PartialEq, Debug)]
pub struct Tcp {
    /// Its settings.
    pub params: TcpParams,
    /// At `from` and at `to`.
    pub ends: [TcpEnd; 2],
    /// Forth and back.
    pub lanes: [TcpLane; 2],
    /// The hosts of the two ends.
    pub hosts: [HostId; 2],
    /// The wire between them.
    pub wire: WireId,
    /// The wire leads the other way: what goes forth here goes back there.
    pub is_flipped: bool,
    /// Scripts use it: bytes, not parcels.
    pub is_raw: bool,
    /// Counts connections: what is left on the wire of an earlier one is ignored.
    pub epoch: u32,
    /// Whose actor hears that the other process is there again, once the connection stands.
    pub greets: [bool; 2],
    /// When the connection is opened anew.
    pub retry_at: Option<SimTime>,
    /// Data segments until the one to lose, forth; 0 = none is to be lost.
    pub drop_in: u32,
}

impl Tcp {
    /// A channel without a connection; [`place`](Tcp::place) says where.
    pub fn new(params: TcpParams) -> Tcp {
        Tcp {
            params,
            ends: [TcpEnd::none(), TcpEnd::none()],
            lanes: Default::default(),
            hosts: [HostId(0), HostId(0)],
            wire: WireId(0),
            is_flipped: false,
            is_raw: false,
            epoch: 0,
            greets: [false; 2],
            retry_at: None,
            drop_in: 0,
        }
    }

    /// Says between which hosts and over which wire it leads.
    pub fn place(&mut self, hosts: [HostId; 2], wire: WireId, is_flipped: bool, is_raw: bool) {
        self.hosts = hosts;
        self.wire = wire;
        self.is_flipped = is_flipped;
        self.is_raw = is_raw;
    }

    /// Whether there is a connection, or one is being opened.
    pub fn is_connecting_or_open(&self) -> bool {
        self.ends.iter().all(|end| end.broken.is_none()) && 0 < self.epoch
    }

    /// Whether a fault of the document loses this segment.
    fn is_chosen(&mut self, lane: Lane, segment: &Segment) -> bool {
        if lane.is_back() || segment.len == 0 || self.drop_in == 0 {
            return false;
        }
        self.drop_in -= 1;
        self.drop_in == 0
    }

    /// Messages that were written and not yet read.
    pub fn n_messages(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.n_messages()).sum()
    }
}

impl TcpEnd {
    fn none() -> TcpEnd {
        TcpEnd {
            machine: EndMachine::None,
            is_open: false,
            is_over: false,
            broken: None,
            stated: [None; TIMERS.len()],
            marks: (0, None),
            hold: None,
        }
    }

    /// One of its timers, as last stated.
    pub fn timer(&self, kind: TimerKind) -> Option<Running> {
        self.stated[kind as usize]
    }

    /// The timers that run, by kind.
    pub fn running(&self) -> [Option<Running>; TIMERS.len()] {
        let EndMachine::Stack(socket) = &self.machine else { return self.stated };
        let mut running = [None; TIMERS.len()];
        socket.timers().for_each(|timer| running[timer.kind as usize] = Some(timer));
        running
    }
}

/// What a byte that does not leave waits for.
///
/// Behind Nagle's wait stands the other end's delayed acknowledgement, once it owes one.
pub fn cause_of(hold: Option<Hold>, peer_delays: bool) -> Cause {
    match hold {
        Some(Hold::Connecting) => Cause::Handshake,
        Some(Hold::Nagle) if peer_delays => Cause::DelayedAck,
        Some(Hold::Nagle) => Cause::Nagle,
        Some(Hold::Cork) => Cause::Cork,
        Some(Hold::CongestionWindow) => Cause::CongestionWindow,
        Some(Hold::ReceiverWindow) => Cause::ReceiverWindow,
        Some(Hold::Persist) => Cause::Persist,
        Some(Hold::Device) => Cause::WireQueue,
        Some(Hold::NotPushed) | None => Cause::Sender,
    }
}
