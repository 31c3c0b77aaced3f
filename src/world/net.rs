//! TCP in the world: where its channels lie, who is told what, and connecting again.

use crate::model::actor::Actor;
use crate::model::channel::Channel;
use crate::model::ground::{Lane, Poke};
use crate::model::message::{ChannelId, HostId, Parcel, WireId};
use crate::world::arena::{ActorState, Plan, World};

impl World {
    /// Puts every tcp channel between its hosts, and opens it.
    pub(super) fn place_tcp(&mut self, plan: &Plan) {
        for n in 0..self.ground.channels.len() {
            let node = &mut self.ground.channels[n];
            let Channel::Tcp(tcp) = &mut node.machine else { continue };
            let hosts = [node.from, node.to].map(|actor| plan.homes[actor.index()]);
            let (wire, is_flipped) = wire_between(plan, hosts);
            let from = &self.actors[node.from.index()].machine;
            let is_raw = matches!(from, Actor::Script(_));
            tcp.place(hosts, wire, is_flipped, is_raw);
            let connects = !matches!(from, Actor::Script(script) if script.connects());
            self.ground.tcp_open(ChannelId(n as u16), connects);
        }
    }

    /// Tells actors what the ground has for them.
    pub(super) fn settle(&mut self) {
        while let Some(poke) = self.ground.net.pokes.pop_front() {
            match poke {
                Poke::Readable(channel, lane) => {
                    self.ground.channels[channel.index()].machine.reader_told(lane);
                    self.read(channel, lane);
                }
                Poke::Writable(channel, lane) => {
                    let (writer, port) = self.ground.channels[channel.index()].writer(lane);
                    if self.actors[writer.index()].state == ActorState::Up {
                        self.handle(writer, |machine, cx| machine.on_writable(cx, port));
                    }
                }
                Poke::Opened(channel, side) => self.hear(channel, side, Parcel::Opened),
                Poke::Closed(channel, side) => self.hear(channel, side, Parcel::Closed),
                Poke::Stream(channel, side) => {
                    let (actor, _) = self.ground.channels[channel.index()].writer(side);
                    if self.actors[actor.index()].state == ActorState::Up {
                        self.handle(actor, |machine, cx| machine.on_stream(cx));
                    }
                }
            }
        }
    }

    /// The actor at an end hears of its connection as it hears of the other process elsewhere.
    fn hear(&mut self, channel: ChannelId, side: Lane, what: Parcel) {
        let (actor, port) = self.ground.channels[channel.index()].writer(side);
        let is_up = !matches!(self.actors[actor.index()].state, ActorState::Crashed { .. });
        if is_up {
            self.handle(actor, |machine, cx| machine.on_message(cx, port, what));
        }
    }

    /// A timer of a tcp channel's end is due.
    pub(super) fn wake_end(&mut self, channel: ChannelId, side: Lane) {
        if self.ground.tcp_wake(channel, side) {
            self.reconnect(channel, None);
        }
    }

    /// Opens a connection anew, unless one of its processes is dead: that one's restart does it.
    ///
    /// `restarted`: the end whose process just started; it greets by itself.
    pub(super) fn reconnect(&mut self, channel: ChannelId, restarted: Option<Lane>) {
        let node = &self.ground.channels[channel.index()];
        let dead = [node.from, node.to]
            .iter()
            .any(|actor| matches!(self.actors[actor.index()].state, ActorState::Crashed { .. }));
        if !dead {
            self.ground.tcp_reopen(channel, restarted);
        }
    }

    /// Cuts or mends the wire below a tcp channel.
    pub(super) fn cut_wire(&mut self, channel: ChannelId, is_cut: bool) {
        let Some(wire) = self.ground.tcp(channel).map(|tcp| tcp.wire) else { return };
        self.ground.wires[wire.index()].is_cut = is_cut;
    }
}

/// The wire between two hosts, and whether it leads the other way.
fn wire_between(plan: &Plan, hosts: [HostId; 2]) -> (WireId, bool) {
    let [from, to] = hosts;
    let found = plan.wires.iter().position(|w| [(from, to), (to, from)].contains(&(w.1, w.2)));
    // A scenario makes one for every pair of hosts that a tcp channel joins.
    let place = found.expect("a tcp channel has a wire");
    (WireId(place as u16), plan.wires[place].1 != from)
}
