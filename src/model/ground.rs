//! What a handler may reach: its channels, its timers, its random draws, and facts.
//!
//! An actor's handler gets a [`Ctx`]; nothing else of the world is reachable through it. What
//! crosses to another node is an event, never a reference.

use crate::kernel::random::{Stream, Streams};
use crate::kernel::{EventQueue, SimTime};
use crate::model::channel::tcp::{Net, WireNode};
use crate::model::channel::{Channel, ChannelNode, Offer};
use crate::model::command::Node;
use crate::model::fact::{Fact, FactLog, Lag, Why};
use crate::model::host::HostNode;
use crate::model::message::{ActorId, ChannelId, HostId, Message, MsgId, Parcel, WireId};

/// What the event queue holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The actor's next wake-up.
    Actor(ActorId),
    /// Something reaches the end of a lane.
    Lane(ChannelId, Lane),
    /// The reader of a lane has something to read.
    Readable(ChannelId, Lane),
    /// The writer of a lane that was full may write again.
    Writable(ChannelId, Lane),
    /// The next planned fault of the scenario is due.
    Planned,
    /// A packet reaches the end of one direction of a wire.
    Wire(WireId, Lane),
    /// A host's own timer is due.
    Host(HostId),
}

/// What an actor is told once the handler that caused it is over, at the same instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Poke {
    /// The reader of a lane has something to read.
    Readable(ChannelId, Lane),
    /// The writer of a lane that was full may write again.
    Writable(ChannelId, Lane),
    /// The connection stands: at the channel's `from` (forth) or its `to` (back).
    Opened(ChannelId, Lane),
    /// The connection is over at that end.
    Closed(ChannelId, Lane),
    /// A script at that end may go on.
    Stream(ChannelId, Lane),
}

/// One of a channel's two directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// From the channel's `from` to its `to`.
    Forth,
    /// The other way: acknowledgements, confirmations, replies.
    Back,
}

impl Lane {
    /// As an index into a pair.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other direction.
    pub fn other(self) -> Lane {
        match self {
            Lane::Forth => Lane::Back,
            Lane::Back => Lane::Forth,
        }
    }

    /// Whether this is [`Lane::Back`].
    pub fn is_back(self) -> bool {
        self == Lane::Back
    }
}

/// What random draws are for: each (node, purpose) has its own stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Purpose {
    /// Gaps between arrivals.
    Arrival = 1,
    /// How many messages arrive together.
    Batch = 2,
    /// Sizes of messages.
    Size = 3,
    /// Keys of messages.
    Key = 4,
    /// Which of several channels is taken.
    Route = 5,
    /// How long work takes.
    Service = 6,
    /// How long a client thinks.
    Think = 7,
    /// Whether a parcel is lost.
    Loss = 8,
    /// How much longer a parcel takes.
    Jitter = 9,
    /// Whether a packet is overtaken by later ones.
    Reorder = 10,
    /// Whether a packet arrives twice.
    Duplicate = 11,
    /// Whether work takes its rare, other time.
    Rare = 12,
    /// Whether work fails.
    Fail = 13,
    /// By how much a claimed latency is off its middle.
    Claim = 14,
}

/// An actor's end of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Port {
    /// The channel.
    pub channel: ChannelId,
    /// The direction in which this actor writes.
    pub out: Lane,
    /// The actor at the other end.
    pub peer: ActorId,
}

/// What an actor is to the ground: its name for random draws, and its ports.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seat {
    /// Hash of the actor's id.
    pub path: u64,
    /// Hash of its group's id, or of its own: work on a message takes as long with any member.
    pub group: u64,
    /// Its channels, in document order; a port's number is its place here.
    pub ports: Vec<Port>,
}

/// Everything below the actors: time, events, channels, randomness, facts.
#[derive(Clone, PartialEq, Debug)]
pub struct Ground {
    /// The current instant.
    pub now: SimTime,
    /// What is to come.
    pub queue: EventQueue<Event>,
    /// The arena of channels.
    pub channels: Vec<ChannelNode>,
    /// Random streams by (node, purpose).
    pub streams: Streams,
    /// Facts and their digest.
    pub facts: FactLog,
    /// Number of the newest message.
    pub newest: MsgId,
    /// Machines.
    pub hosts: Vec<HostNode>,
    /// Network links.
    pub wires: Vec<WireNode>,
    /// What TCP and its wires keep besides.
    pub net: Net,
}

impl Ground {
    /// Takes the next parcel that the reader of this lane may have.
    pub fn read(&mut self, channel: ChannelId, lane: Lane) -> Option<Parcel> {
        let node = &mut self.channels[channel.index()];
        if let Channel::Tcp(_) = node.machine {
            return self.tcp_read(channel, lane);
        }
        let arrival = node.machine.read(lane, self.now)?;
        if let Some(message) = arrival.parcel.message() {
            let fact = Fact::Arrived {
                msg: message.id,
                channel,
                waited: arrival.waited,
                sending: arrival.sending,
                unread: arrival.unread,
                is_part: arrival.parcel.is_part(),
            };
            self.facts.state(self.now, fact);
        }
        if node.machine.writer_may_go_on(lane) {
            self.queue.schedule(self.now, Event::Writable(channel, lane));
        }
        Some(arrival.parcel)
    }

    /// Arms the lane's wake-up for its next arrival.
    pub fn arm_lane(&mut self, channel: ChannelId, lane: Lane) {
        let node = &mut self.channels[channel.index()];
        let timer = &mut node.timers[lane.index()];
        match node.machine.next_wake(lane) {
            Some(at) => self.queue.arm(timer, at, Event::Lane(channel, lane)),
            None => self.queue.disarm(timer),
        }
    }

    /// Empties a lane whose reader died: everything on it is lost.
    pub fn drain_lane(&mut self, channel: ChannelId, lane: Lane) {
        let node = &mut self.channels[channel.index()];
        for parcel in node.machine.drain(lane) {
            if let Some(message) = parcel.message() {
                let fact =
                    Fact::Dropped { msg: message.id, at: Node::Channel(channel), why: Why::Gone };
                self.facts.state(self.now, fact);
            }
        }
        self.arm_lane(channel, lane);
        if self.channels[channel.index()].machine.writer_may_go_on(lane) {
            self.queue.schedule(self.now, Event::Writable(channel, lane));
        }
    }

    fn offer(&mut self, port: Port, parcel: Parcel, kept: bool) -> bool {
        let (channel, lane) = (port.channel, port.out);
        let node = &mut self.channels[channel.index()];
        if let Channel::Tcp(_) = node.machine {
            return self.tcp_offer(channel, lane, parcel, kept);
        }
        let offer = node.machine.write(lane, self.now, parcel, self.streams, node.path);
        if offer == Offer::Full {
            return false;
        }
        if let Some(message) = parcel.message() {
            let back = lane.is_back();
            let fact = Fact::Departed { msg: message.id, channel, back, kept };
            self.facts.state(self.now, fact);
        }
        match offer {
            Offer::Full | Offer::Waiting => {}
            Offer::Flying => self.arm_lane(channel, lane),
            Offer::Here => self.tell_reader(channel, lane),
            Offer::Lost => self.state_loss(channel, lane, &parcel),
        }
        true
    }

    /// Schedules `Readable` for the lane unless one is under way.
    pub fn tell_reader(&mut self, channel: ChannelId, lane: Lane) {
        if let Channel::Tcp(_) = self.channels[channel.index()].machine {
            self.tcp_tell_reader(channel, lane);
            return;
        }
        if self.channels[channel.index()].machine.reader_to_tell(lane) {
            self.queue.schedule(self.now, Event::Readable(channel, lane));
        }
    }

    fn state_loss(&mut self, channel: ChannelId, lane: Lane, parcel: &Parcel) {
        let fact = match parcel.message() {
            Some(m) => Fact::Dropped { msg: m.id, at: Node::Channel(channel), why: Why::Loss },
            None => Fact::ControlLost { channel, back: lane.is_back() },
        };
        self.facts.state(self.now, fact);
    }
}

/// What an actor's handler may do.
pub struct Ctx<'a> {
    /// Who is being handled.
    pub me: ActorId,
    /// Its ports and name.
    pub seat: &'a Seat,
    /// Kept private: a handler reaches only its own channels.
    ground: &'a mut Ground,
}

impl<'a> Ctx<'a> {
    /// A context for one call of actor `me`.
    pub fn new(me: ActorId, seat: &'a Seat, ground: &'a mut Ground) -> Ctx<'a> {
        Ctx { me, seat, ground }
    }

    /// The current instant.
    #[inline]
    pub fn now(&self) -> SimTime {
        self.ground.now
    }

    /// States a fact.
    #[inline]
    pub fn fact(&mut self, fact: Fact) {
        let now = self.ground.now;
        self.ground.facts.state(now, fact);
    }

    /// Shows how far a group is behind, while somebody listens.
    pub fn lag(&mut self, lag: Lag) {
        if self.ground.facts.listening {
            let now = self.ground.now;
            self.ground.facts.lags.push((now, lag));
        }
    }

    /// Makes a message. The caller states `Sent` or `Copied` for it.
    pub fn new_message(&mut self, key: u32, bytes: u32) -> Message {
        self.ground.newest.0 += 1;
        let (id, born, by) = (self.ground.newest, self.ground.now, self.me);
        Message {
            id,
            root: id,
            route: 0,
            hops: 0,
            key,
            bytes,
            born,
            expiration_ms: None,
            priority: 0,
            is_bad: false,
            by,
            stored: 0,
        }
    }

    /// The `index`-th draw of this actor for `purpose`.
    ///
    /// Draws are counted, not consumed: two runs that differ in one setting share their randomness.
    #[inline]
    pub fn draw(&self, purpose: Purpose, index: u64) -> Stream {
        self.ground.streams.stream_at(self.seat.path, purpose as u32, index)
    }

    /// The draw of this actor's group for one message: the same whichever member draws it.
    /// `again` tells further draws for the same message apart; the first is 0.
    #[inline]
    pub fn draw_for(&self, purpose: Purpose, msg: MsgId, again: u64) -> Stream {
        let path = self.seat.group ^ again.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.ground.streams.stream_at(path, purpose as u32, msg.0)
    }

    /// Writes a parcel to a port; `kept` tells whether the writer keeps a copy of the message.
    ///
    /// `false`: the channel takes no more; `on_writable` follows when it does again.
    #[inline]
    pub fn write(&mut self, port: u16, parcel: Parcel, kept: bool) -> bool {
        let port = self.seat.ports[usize::from(port)];
        self.ground.offer(port, parcel, kept)
    }

    /// Asks to be handed what waits on a port: the actor reads again after it had refused to.
    pub fn read_again(&mut self, port: u16) {
        let port = self.seat.ports[usize::from(port)];
        self.ground.tell_reader(port.channel, port.out.other());
    }

    /// One of this actor's ports.
    pub(in crate::model) fn port(&self, port: u16) -> Port {
        self.seat.ports[usize::from(port)]
    }

    /// What lies below, for the calls of a socket.
    pub(in crate::model) fn ground(&self) -> &Ground {
        self.ground
    }

    /// The same, to be changed.
    pub(in crate::model) fn ground_mut(&mut self) -> &mut Ground {
        self.ground
    }

    /// The number of this actor's ports.
    pub fn n_ports(&self) -> u16 {
        self.seat.ports.len() as u16
    }
}
