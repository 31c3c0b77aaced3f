//! How a client is connected to its broker, and how packets get onto a channel that may be full.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::Ctx;
use crate::model::message::{Message, MsgId, Parcel};
use crate::model::mqtt::{Mid, Qos};
use crate::model::mqtt_parcel::{Answer, MqttPacket, MqttParcel};

/// How long a client waits for CONNACK before it asks again: our own choice.
const CONNECT_WAIT: SimSpan = SimSpan::s(5);
/// Most packets that wait for one channel; a message of QoS 0 is dropped then.
pub const MAX_PENDING: u32 = 100_000;

/// Whether a client is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// It is not.
    Down,
    /// It has asked, and asks again then.
    Asking {
        /// When.
        due: SimTime,
    },
    /// It is.
    Up,
}

/// A client's connection to its broker, over its first port.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// Whether it stands.
    pub state: LinkState,
    /// Counts connections.
    pub number: u32,
    /// The broker's process is there, as far as the client knows.
    has_path: bool,
}

/// What a parcel of the connection means to its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It is connected now.
    Up,
    /// It was connected, and is no more.
    Down,
    /// Nothing changes, or not yet.
    Same,
}

impl Link {
    /// A connection that stands before the clock starts, or does not.
    pub fn new(is_up: bool) -> Link {
        let state = if is_up { LinkState::Up } else { LinkState::Down };
        Link { state, number: u32::from(is_up), has_path: true }
    }

    /// Whether it stands.
    pub fn is_up(&self) -> bool {
        self.state == LinkState::Up
    }

    /// CONNECT.
    pub fn connect(&mut self, cx: &mut Ctx<'_>, clean: bool) {
        if cx.n_ports() == 0 {
            return;
        }
        self.number += 1;
        self.state = LinkState::Asking { due: cx.now().saturating_add(CONNECT_WAIT) };
        self.write(cx, MqttPacket::Connect { clean });
    }

    /// DISCONNECT.
    pub fn disconnect(&mut self, cx: &mut Ctx<'_>) {
        if self.is_up() {
            self.write(cx, MqttPacket::Disconnect);
        }
        self.state = LinkState::Down;
    }

    /// A parcel that speaks of the connection. `wanted`: the client wants to be connected.
    pub fn on_message(
        &mut self,
        cx: &mut Ctx<'_>,
        parcel: &Parcel,
        (wanted, clean): (bool, bool),
    ) -> Turn {
        match parcel {
            Parcel::Closed => {
                self.has_path = false;
                let was_up = self.is_up();
                self.state = LinkState::Down;
                return if was_up { Turn::Down } else { Turn::Same };
            }
            // The first connection of all stands before the clock starts.
            Parcel::Opened if !std::mem::replace(&mut self.has_path, true) && wanted => {
                self.connect(cx, clean);
            }
            Parcel::Mqtt(MqttParcel { connection, packet: MqttPacket::ConnAck })
                if *connection == self.number && self.state != LinkState::Down =>
            {
                let was_up = self.is_up();
                self.state = LinkState::Up;
                return if was_up { Turn::Same } else { Turn::Up };
            }
            _ => {}
        }
        Turn::Same
    }

    /// Asks again when there was no answer.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>, clean: bool) {
        if self.next_wake().is_some_and(|due| due <= cx.now()) {
            self.connect(cx, clean);
        }
    }

    /// When it asks again.
    pub fn next_wake(&self) -> Option<SimTime> {
        match self.state {
            LinkState::Asking { due } => Some(due),
            _ => None,
        }
    }

    /// The packet of a parcel of this connection.
    pub fn packet(&self, parcel: &Parcel) -> Option<MqttPacket> {
        match parcel {
            Parcel::Mqtt(MqttParcel { connection, packet })
                if *connection == self.number && self.is_up() =>
            {
                Some(*packet)
            }
            _ => None,
        }
    }

    /// Its process dies.
    pub fn crash(&mut self) {
        self.state = LinkState::Down;
    }

    /// Its process is there again, and finds out what is at the other end.
    pub fn restart(&mut self, cx: &mut Ctx<'_>, (wanted, clean): (bool, bool)) {
        self.has_path = true;
        if wanted {
            self.connect(cx, clean);
        }
    }

    fn write(&self, cx: &mut Ctx<'_>, packet: MqttPacket) {
        let connection = self.number;
        cx.write(0, Parcel::Mqtt(MqttParcel { connection, packet }), false);
    }
}

/// Packets that wait for the channel to take them. A message of QoS 1 or 2 is held by the session
/// that sends it, one of QoS 0 by its place here.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pending {
    packets: VecDeque<MqttPacket>,
}

impl Pending {
    /// Writes a packet, behind those that wait; `false`: it waits, too.
    pub fn write(
        &mut self,
        cx: &mut Ctx<'_>,
        (port, connection): (u16, u32),
        packet: MqttPacket,
    ) -> bool {
        let parcel = Parcel::Mqtt(MqttParcel { connection, packet });
        if self.packets.is_empty() && cx.write(port, parcel, is_kept(&packet)) {
            return true;
        }
        if MAX_PENDING <= self.packets.len() as u32 {
            if let (false, Some(message)) = (is_kept(&packet), packet.message()) {
                let at = Node::Actor(cx.me);
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::OutboxFull });
            }
            return false;
        }
        if let Some(message) = packet.message() {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::BackPressure });
        }
        self.packets.push_back(packet);
        false
    }

    /// Writes what the channel takes now. `holds`: the message that the session still has under a
    /// number.
    pub fn flush(
        &mut self,
        cx: &mut Ctx<'_>,
        (port, connection): (u16, u32),
        holds: &dyn Fn(Mid) -> Option<MsgId>,
    ) {
        while let Some(packet) = self.packets.front().copied() {
            // What was answered meanwhile need not be sent.
            let is_over = match &packet {
                MqttPacket::Publish { mid, message, .. } => {
                    *mid != 0 && holds(*mid) != Some(message.id)
                }
                _ => false,
            };
            let parcel = Parcel::Mqtt(MqttParcel { connection, packet });
            if !is_over && !cx.write(port, parcel, is_kept(&packet)) {
                return;
            }
            self.packets.pop_front();
        }
    }

    /// The connection is over.
    pub fn clear(&mut self, cx: &mut Ctx<'_>, why: Why) {
        let at = Node::Actor(cx.me);
        for message in self.held() {
            cx.fact(Fact::Dropped { msg: message.id, at, why });
        }
        self.packets.clear();
    }

    /// Messages that nobody else holds.
    pub fn held(&self) -> impl Iterator<Item = &Message> {
        self.packets.iter().filter(|packet| !is_kept(packet)).filter_map(MqttPacket::message)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

/// Whether its sender keeps a message until it is answered.
fn is_kept(packet: &MqttPacket) -> bool {
    matches!(packet, MqttPacket::Publish { qos, .. } if *qos != Qos::AtMostOnce)
}

/// An answer as a packet.
pub(super) fn answer(answer: Answer, mid: Mid, msg: MsgId) -> MqttPacket {
    MqttPacket::Answer { answer, mid, msg }
}
