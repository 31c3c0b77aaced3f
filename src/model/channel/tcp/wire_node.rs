//! A wire as a node of the world: two hosts, two wake-ups, and the machine between them.

use crate::kernel::random::Streams;
use crate::kernel::{SimTime, Timer};
use crate::model::fact::Lost;
use crate::model::ground::Lane;
use crate::model::message::{ChannelId, HostId};
use crate::model::tcp::Segment;
use crate::model::wire::{Wire, WireParams};

/// A segment on a wire, and whose it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Frame {
    /// Its number over all wires.
    pub number: u64,
    /// The channel.
    pub channel: ChannelId,
    /// The channel's lane.
    pub lane: Lane,
    /// The channel's connection.
    pub epoch: u32,
    /// The segment.
    pub segment: Segment,
    /// Time behind other packets in ns.
    pub waited: u64,
    /// Time to put its own bits on the wire in ns.
    pub sending: u64,
}

/// What became of a packet that was handed to a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It is on its way.
    Flying,
    /// It is lost.
    Lost(Lost),
}

/// A frame on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flying {
    /// What.
    pub frame: Frame,
    /// When it was handed to the wire.
    pub depart: SimTime,
    /// When its last bit reaches the other host.
    pub arrive: SimTime,
}

/// A wire of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct WireNode {
    /// Hash of its id, for random draws.
    pub path: u64,
    /// The hosts that it joins: from, to.
    pub hosts: [HostId; 2],
    /// Wake-ups of the two directions.
    pub timers: [Timer; 2],
    /// It carries nothing: a fault cut a channel over it.
    pub is_cut: bool,
    /// What carries.
    pub machine: Wire,
}

impl WireNode {
    /// A wire between two hosts.
    pub fn new(path: u64, hosts: [HostId; 2], params: &WireParams) -> WireNode {
        let timers = [Timer::default(), Timer::default()];
        let machine = Wire::new(params.clone());
        WireNode { path, hosts, timers, is_cut: false, machine }
    }

    /// Puts a packet on the wire.
    pub fn send(&mut self, lane: Lane, now: SimTime, frame: Frame, streams: Streams) -> Sent {
        let _ = streams;
        if self.is_cut {
            return Sent::Lost(Lost::Cut);
        }
        self.machine.send(lane.index(), now, frame)
    }

    /// Takes the next frame that has reached the end of a direction.
    pub fn arrive(&mut self, lane: Lane, now: SimTime) -> Option<Frame> {
        self.machine.arrive(lane.index(), now)
    }

    /// When the next frame reaches the end of a direction.
    pub fn next_arrival(&self, lane: Lane) -> Option<SimTime> {
        self.machine.next(lane.index())
    }

    /// The frames on their way in a direction, by time of arrival.
    pub fn flying(&self, lane: Lane) -> impl Iterator<Item = Flying> {
        self.machine.lanes[lane.index()].iter().map(|(arrive, frame)| {
            let depart = SimTime::ZERO;
            Flying { frame: *frame, depart, arrive: *arrive }
        })
    }
}
