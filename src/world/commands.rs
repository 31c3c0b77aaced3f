//! What commands do to a world: faults, live parameters, messages by hand.

use crate::kernel::SimTime;
use crate::model::actor::Actor;
use crate::model::channel::ChannelNode;
use crate::model::command::{Command, Node};
use crate::model::fact::Fact;
use crate::model::ground::{Event, Lane};
use crate::model::message::{ActorId, ChannelId, Parcel};
use crate::param::{Reason, Said, Value};
use crate::world::arena::{ActorState, World};

impl World {
    /// The process dies: its memory is gone, its connections close.
    pub(super) fn crash(&mut self, id: ActorId) -> Result<(), Said> {
        if let ActorState::Crashed { .. } = self.state(id)? {
            return Ok(());
        }
        let since = self.now();
        self.actors[id.index()].state = ActorState::Crashed { since };
        self.state_fact(Fact::Crashed { actor: id });
        self.handle(id, |machine, cx| machine.on_crash(cx));
        for n in 0..self.actors[id.index()].seat.ports.len() {
            let port = self.actors[id.index()].seat.ports[n];
            if self.ground.tcp(port.channel).is_some() {
                self.ground.tcp_abort(port.channel, port.out);
                continue;
            }
            self.ground.drain_lane(port.channel, port.out.other());
            self.handle(id, |_, cx| cx.write(n as u16, Parcel::Closed, false));
        }
        Ok(())
    }

    /// A crashed process starts anew and connects again.
    pub(super) fn restart(&mut self, id: ActorId) -> Result<(), Said> {
        let ActorState::Crashed { .. } = self.state(id)? else { return Ok(()) };
        self.actors[id.index()].state = ActorState::Up;
        self.state_fact(Fact::Restarted { actor: id });
        for n in 0..self.actors[id.index()].seat.ports.len() {
            let port = self.actors[id.index()].seat.ports[n];
            if self.ground.tcp(port.channel).is_some() {
                self.reconnect(port.channel, Some(port.out));
                continue;
            }
            self.handle(id, |_, cx| cx.write(n as u16, Parcel::Opened, false));
        }
        self.handle(id, |machine, cx| machine.on_restart(cx));
        Ok(())
    }

    /// One node of a log broker dies or comes back.
    pub(super) fn turn_node(&mut self, id: ActorId, node: u8, is_up: bool) -> Result<(), Said> {
        self.state(id)?;
        let turned = self.handle(id, |machine, cx| match machine {
            Actor::LogBroker(broker) => broker.turn_node(cx, node, is_up),
            _ => false,
        });
        if turned { Ok(()) } else { Err(Said::new("there is no such node", "没有这个节点")) }
    }

    /// The process stops where it is.
    pub(super) fn pause(&mut self, id: ActorId) -> Result<(), Said> {
        if self.state(id)? != ActorState::Up {
            return Ok(());
        }
        let since = self.now();
        self.actors[id.index()].state = ActorState::Paused { since };
        self.state_fact(Fact::Paused { actor: id });
        self.handle(id, |machine, cx| machine.on_pause(cx));
        Ok(())
    }

    /// A paused process goes on: its timers move by the time it stood still, and it reads and
    /// writes what became possible meanwhile.
    pub(super) fn resume(&mut self, id: ActorId) -> Result<(), Said> {
        let ActorState::Paused { since } = self.state(id)? else { return Ok(()) };
        let span = self.now() - since;
        self.actors[id.index()].state = ActorState::Up;
        self.state_fact(Fact::Resumed { actor: id });
        self.handle(id, |machine, cx| machine.on_resume(cx, span));
        for port in 0..self.actors[id.index()].seat.ports.len() as u16 {
            self.handle(id, |machine, cx| {
                machine.on_writable(cx, port);
                cx.read_again(port);
            });
        }
        Ok(())
    }

    pub(super) fn cut(&mut self, id: ChannelId) -> Result<(), Said> {
        self.channel(id)?.machine.cut();
        self.cut_wire(id, true);
        self.state_fact(Fact::Cut { channel: id });
        Ok(())
    }

    pub(super) fn mend(&mut self, id: ChannelId) -> Result<(), Said> {
        let now = self.now();
        self.channel(id)?.machine.mend(now);
        self.cut_wire(id, false);
        self.state_fact(Fact::Mended { channel: id });
        let lanes =
            if self.ground.tcp(id).is_some() { &[][..] } else { &[Lane::Forth, Lane::Back] };
        for &lane in lanes {
            self.ground.arm_lane(id, lane);
            self.ground.tell_reader(id, lane);
        }
        Ok(())
    }

    pub(super) fn slow(&mut self, id: ActorId, ppm: u32) -> Result<(), Said> {
        self.state(id)?;
        if !self.actors[id.index()].machine.slow(ppm) {
            return Err(Said::new(
                "only a consumer or a responder can be slowed",
                "只有消费者或响应者可以放慢",
            ));
        }
        self.state_fact(Fact::Slowed { actor: id, ppm });
        Ok(())
    }

    pub(super) fn send(&mut self, id: ActorId) -> Result<(), Said> {
        if self.state(id)? != ActorState::Up {
            return Err(Said::new("it does not run now", "它现在没有运行"));
        }
        if !self.handle(id, |machine, cx| machine.send(cx)) {
            return Err(Said::new(
                "only a producer or a requester sends by hand",
                "只有生产者或请求者可以手动发送",
            ));
        }
        Ok(())
    }

    pub(super) fn set(&mut self, node: Node, param: u8, value: &Value) -> Result<(), Reason> {
        let missing = || Reason::new("", Said::new("a node that is there", "存在的节点"));
        match node {
            Node::Actor(id) => {
                if self.actors.len() <= id.index() {
                    return Err(missing());
                }
                self.handle(id, |machine, cx| machine.set(cx, param, value))?;
            }
            Node::Channel(id) => {
                self.channel(id).map_err(|_| missing())?.machine.set(param, value)?;
                for lane in [Lane::Forth, Lane::Back] {
                    if self.ground.channels[id.index()].machine.writer_may_go_on(lane) {
                        self.ground.queue.schedule(self.ground.now, Event::Writable(id, lane));
                    }
                }
            }
            Node::Wire(id) => {
                let wire = self.ground.wires.get_mut(id.index()).ok_or_else(missing)?;
                wire.set(param, value)?;
            }
            Node::Host(id) => {
                let host = self.ground.hosts.get_mut(id.index()).ok_or_else(missing)?;
                host.params.params_mut().set(param, value)?;
                self.ground.tcp_set_host(id, param, value);
            }
        }
        self.state_fact(Fact::Changed { node, param });
        Ok(())
    }

    /// Carries out the planned faults that are due, and plans the next.
    pub(super) fn run_fault(&mut self) {
        let place = self.next_fault as usize;
        if let Some((_, command)) = self.faults.get(place).cloned() {
            self.next_fault += 1;
            // The scenario was checked: what it plans can be done, unless a person was faster.
            let _ = self.apply(&command);
        }
        self.schedule_fault();
    }

    /// How much of the document's plan has been carried out.
    pub fn n_planned_done(&self) -> u32 {
        self.next_fault
    }

    /// What the document's plan has made of a live parameter by now, if it sets it.
    pub fn planned(&self, node: Node, param: u8) -> Option<&Value> {
        let done = self.faults[..self.next_fault as usize].iter().rev();
        done.map(|(_, command)| command).find_map(|command| match command {
            Command::Set { node: n, param: p, value } if (*n, *p) == (node, param) => Some(value),
            _ => None,
        })
    }

    pub(super) fn schedule_fault(&mut self) {
        if let Some((at, _)) = self.faults.get(self.next_fault as usize) {
            self.ground.queue.schedule((*at).max(self.ground.now), Event::Planned);
        }
    }

    pub(super) fn channel(&mut self, id: ChannelId) -> Result<&mut ChannelNode, Said> {
        let missing = || Said::new("there is no such channel", "没有这个通道");
        self.ground.channels.get_mut(id.index()).ok_or_else(missing)
    }

    fn state(&self, id: ActorId) -> Result<ActorState, Said> {
        let missing = || Said::new("there is no such actor", "没有这个角色");
        self.actors.get(id.index()).map(|node| node.state).ok_or_else(missing)
    }

    fn state_fact(&mut self, fact: Fact) {
        let now: SimTime = self.now();
        self.ground.facts.state(now, fact);
    }

    /// Whether a command would change anything, for pages that offer it.
    pub fn offers(&self, command: &Command) -> bool {
        let state = |id: &ActorId| self.actors.get(id.index()).map(|node| node.state);
        match command {
            Command::Crash(id) => {
                matches!(state(id), Some(ActorState::Up | ActorState::Paused { .. }))
            }
            Command::Restart(id) => matches!(state(id), Some(ActorState::Crashed { .. })),
            Command::TurnNode { actor, node, is_up } => {
                let machine = self.actors.get(actor.index()).map(|node| &node.machine);
                matches!(machine, Some(Actor::LogBroker(broker))
                    if (broker.down >> node & 1 == 1) == *is_up)
            }
            Command::Pause(id) | Command::Send { actor: id } => state(id) == Some(ActorState::Up),
            Command::Resume(id) => matches!(state(id), Some(ActorState::Paused { .. })),
            _ => true,
        }
    }
}
