//! Channels carry parcels between two actors.
//!
//! Readiness works as in an operating system: a write is taken or refused; a refused writer is told
//! when it may go on; an arriving parcel makes its reader readable. A tcp channel does all of that
//! through [`Ground`](crate::model::ground::Ground), since it moves frames on a wire.

pub mod ideal;
pub mod tcp;

use crate::kernel::random::Streams;
use crate::kernel::{SimTime, Timer};
use crate::model::ground::Lane;
use crate::model::message::{ActorId, Parcel};
use crate::param::{Reason, Spec, Value};

pub use ideal::{Ideal, IdealParams};
pub use tcp::{Tcp, TcpParams};

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// Not taken: the channel is full.
    Full,
    /// Taken, and already at the reader's end.
    Here,
    /// Taken; it arrives later.
    Flying,
    /// Taken; it waits at the writer's end of a channel that is cut.
    Waiting,
    /// Taken, and lost.
    Lost,
}

/// What a reader takes off a lane. Spans in ns, as in `Fact::Arrived`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// What arrived.
    pub parcel: Parcel,
    /// Behind other bytes.
    pub waited: u64,
    /// Putting its own bytes on the channel.
    pub sending: u64,
    /// At the reader's end until it was read.
    pub unread: u64,
}

/// A channel's parameters, by kind.
#[derive(Clone, PartialEq, Debug)]
pub enum ChannelParams {
    /// An ideal path.
    Ideal(IdealParams),
    /// A TCP connection.
    Tcp(TcpParams),
}

impl ChannelParams {
    /// The defaults of the kind of that name.
    pub fn of_kind(kind: &str) -> Option<ChannelParams> {
        match kind {
            IdealParams::KIND => Some(ChannelParams::Ideal(IdealParams::default())),
            TcpParams::KIND => Some(ChannelParams::Tcp(TcpParams::default())),
            _ => None,
        }
    }

    /// Every kind's name.
    pub const KINDS: &'static [&'static str] = &[IdealParams::KIND, TcpParams::KIND];

    /// The kind's name in documents.
    pub fn kind(&self) -> &'static str {
        match self {
            ChannelParams::Ideal(_) => IdealParams::KIND,
            ChannelParams::Tcp(_) => TcpParams::KIND,
        }
    }

    /// What can be set.
    pub fn specs(&self) -> &'static [Spec] {
        match self {
            ChannelParams::Ideal(_) => IdealParams::SPECS,
            ChannelParams::Tcp(_) => TcpParams::SPECS,
        }
    }

    /// The value of parameter `index` of [`Self::specs`].
    pub fn get(&self, index: u8) -> Value {
        match self {
            ChannelParams::Ideal(p) => p.get(index),
            ChannelParams::Tcp(p) => p.get(index),
        }
    }

    /// Sets parameter `index`, if the value is in range.
    pub fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        match self {
            ChannelParams::Ideal(p) => p.set(index, value),
            ChannelParams::Tcp(p) => p.set(index, value),
        }
    }
}

/// A channel of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct ChannelNode {
    /// Hash of the channel's id, for random draws.
    pub path: u64,
    /// One end.
    pub from: ActorId,
    /// The other end.
    pub to: ActorId,
    /// Port number at `from`.
    pub from_port: u16,
    /// Port number at `to`.
    pub to_port: u16,
    /// Wake-ups of the two lanes.
    pub timers: [Timer; 2],
    /// What carries.
    pub machine: Channel,
}

impl ChannelNode {
    /// Who reads a lane, and on which of its ports.
    pub fn reader(&self, lane: Lane) -> (ActorId, u16) {
        match lane {
            Lane::Forth => (self.to, self.to_port),
            Lane::Back => (self.from, self.from_port),
        }
    }

    /// Who writes a lane, and on which of its ports.
    pub fn writer(&self, lane: Lane) -> (ActorId, u16) {
        self.reader(lane.other())
    }
}

/// What carries, by kind.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "the common ideal path stays in its place")]
pub enum Channel {
    /// An ideal path.
    Ideal(Ideal),
    /// A TCP connection; what moves on it is in `tcp::carry`.
    Tcp(Box<Tcp>),
}

impl Channel {
    /// A channel with these parameters.
    pub fn new(params: ChannelParams) -> Channel {
        match params {
            ChannelParams::Ideal(params) => Channel::Ideal(Ideal::new(params)),
            ChannelParams::Tcp(params) => Channel::Tcp(Box::new(Tcp::new(params))),
        }
    }

    /// The parameters as they are now.
    pub fn params(&self) -> ChannelParams {
        match self {
            Channel::Ideal(c) => ChannelParams::Ideal(c.params.clone()),
            Channel::Tcp(c) => ChannelParams::Tcp(c.params.clone()),
        }
    }

    /// Offers a parcel to a lane.
    #[inline]
    pub fn write(
        &mut self,
        lane: Lane,
        now: SimTime,
        parcel: Parcel,
        streams: Streams,
        path: u64,
    ) -> Offer {
        match self {
            Channel::Ideal(c) => c.write(lane, now, parcel, streams, path),
            Channel::Tcp(_) => Offer::Full,
        }
    }

    /// Takes the next parcel at the reader's end.
    #[inline]
    pub fn read(&mut self, lane: Lane, now: SimTime) -> Option<Arrival> {
        match self {
            Channel::Ideal(c) => c.read(lane, now),
            Channel::Tcp(_) => None,
        }
    }

    /// Moves what has arrived to the reader's end; whether there is something to read.
    #[inline]
    pub fn on_wake(&mut self, lane: Lane, now: SimTime) -> bool {
        match self {
            Channel::Ideal(c) => c.on_wake(lane, now),
            Channel::Tcp(_) => false,
        }
    }

    /// When the next parcel reaches the end of the lane.
    #[inline]
    pub fn next_wake(&self, lane: Lane) -> Option<SimTime> {
        match self {
            Channel::Ideal(c) => c.next_wake(lane),
            Channel::Tcp(_) => None,
        }
    }

    /// Whether the writer was refused and may go on now; asked once per refusal.
    #[inline]
    pub fn writer_may_go_on(&mut self, lane: Lane) -> bool {
        match self {
            Channel::Ideal(c) => c.writer_may_go_on(lane),
            Channel::Tcp(_) => false,
        }
    }

    /// Whether there is something to read of which the reader has not been told.
    #[inline]
    pub fn reader_to_tell(&mut self, lane: Lane) -> bool {
        match self {
            Channel::Ideal(c) => c.reader_to_tell(lane),
            Channel::Tcp(_) => false,
        }
    }

    /// The reader hears of what it was told.
    #[inline]
    pub fn reader_told(&mut self, lane: Lane) {
        match self {
            Channel::Ideal(c) => c.reader_told(lane),
            Channel::Tcp(c) => c.lanes[lane.index()].told = false,
        }
    }

    /// Messages under way, unread or stalled.
    pub fn n_messages(&self) -> u64 {
        match self {
            Channel::Ideal(c) => c.lanes.iter().map(|lane| u64::from(lane.n_messages())).sum(),
            Channel::Tcp(c) => c.n_messages(),
        }
    }

    /// Takes everything off a lane.
    pub fn drain(&mut self, lane: Lane) -> Vec<Parcel> {
        match self {
            Channel::Ideal(c) => c.drain(lane),
            Channel::Tcp(_) => Vec::new(),
        }
    }

    /// Stops carrying.
    pub fn cut(&mut self) {
        match self {
            Channel::Ideal(c) => c.cut(),
            // The wire below is cut: `World::cut`.
            Channel::Tcp(_) => {}
        }
    }

    /// Carries again what waited since the cut.
    pub fn mend(&mut self, now: SimTime) {
        match self {
            Channel::Ideal(c) => c.mend(now),
            Channel::Tcp(_) => {}
        }
    }

    /// Loses the `nth` message from now on.
    pub fn drop_nth(&mut self, nth: u32) {
        match self {
            Channel::Ideal(c) => c.drop_nth(nth),
            Channel::Tcp(c) => c.drop_in = nth,
        }
    }

    /// Loses the `nth` parcel of a lane from now on; `false`: it loses no single parcels.
    pub fn lose_nth(&mut self, lane: Lane, nth: u32) -> bool {
        match self {
            Channel::Ideal(c) => c.lose_nth(lane, nth),
            Channel::Tcp(_) => return false,
        }
        true
    }

    /// Parcels written to a lane so far that could have been lost alone.
    pub fn n_losable(&self, lane: Lane) -> u64 {
        match self {
            Channel::Ideal(c) => c.lanes[lane.index()].n_losable,
            Channel::Tcp(_) => 0,
        }
    }

    /// Changes a live parameter.
    pub fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        match self {
            Channel::Ideal(c) => c.params.set(index, value),
            Channel::Tcp(c) => c.params.set(index, value),
        }
    }
}
