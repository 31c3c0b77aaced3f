//! TCP at an instant: segments as dots, buffers and timers of ends, scripts and what they wait for.

use crate::kernel::SimTime;
use crate::model::actor::script::{self, Op};
use crate::model::channel::tcp::TcpEnd;
use crate::model::channel::{Channel, Tcp};
use crate::model::ground::{Lane, Port};
use crate::model::host::HostParams;
use crate::model::tcp::TimerKind;
use crate::model::{ActorId, ChannelId, HostId, MsgId};
use crate::view::board::Board;
use crate::view::draw::Glyph;
use crate::view::ends::{End, Script, Ticking, Waits};
use crate::view::frame::{Dot, Frame, Path};
use crate::world::World;
use crate::world::arena::ActorNode;

/// Most segments of one channel that are drawn one by one.
const DOTS: usize = 64;

impl Frame {
    /// Adds a tcp channel.
    pub(super) fn tcp(&mut self, world: &World, channel: ChannelId, tcp: &Tcp) {
        let wire = &world.ground.wires[tcp.wire.index()];
        let mut n_flying = 0;
        let mut dots = Vec::new();
        for direction in [Lane::Forth, Lane::Back] {
            let flying = wire.machine.flying(direction);
            for (frame, arrive) in flying.filter(|(frame, _)| frame.channel == channel) {
                n_flying += 1;
                let msg = tcp.lanes[usize::from(frame.back)]
                    .message_at(frame.segment.seq, frame.segment.len.max(1));
                let start = frame.tag.depart.ns() + frame.tag.waited;
                let way = arrive.ns().saturating_sub(start).max(1);
                let gone = self.now.ns().saturating_sub(start).min(way);
                let share = (gone as f64 / way as f64) as f32;
                let back = frame.back;
                let glyph = match (frame.segment.len, frame.segment.again) {
                    (0, _) => Glyph::Ack,
                    (_, true) => Glyph::Again,
                    (_, false) => Glyph::Flight,
                };
                let at = if back { 1.0 - share } else { share };
                dots.push(Dot { channel, at, in_line: 0, back, glyph, msg });
            }
        }
        let is_flow = DOTS < n_flying;
        let outside = |lane: usize| u64::from(0 < tcp.lanes[lane].outside());
        let params = &wire.params;
        self.paths.push(Path {
            delay: params.delay,
            loss_ppm: params.loss.0,
            is_cut: wire.is_cut,
            rate: None,
            is_flow,
            wire: Some(params.rate),
            waiting: [outside(0), outside(1)],
        });
        if !is_flow {
            self.dots.append(&mut dots);
        }
    }
}

/// A script at an instant.
pub(super) fn script_of(now: SimTime, script: &script::Script) -> Script {
    let since = now.since(script.since);
    let op = script.steps.get(usize::from(script.at)).map(|step| step.op);
    let waits = match (script.waits, op) {
        (script::Waits::Bytes(left), Some(Op::Read(all))) => {
            Waits::Bytes(all.saturating_sub(left), all, since)
        }
        (script::Waits::Until(at), _) => Waits::Time(at.since(now)),
        (script::Waits::Open, _) => Waits::Connection(since),
        (script::Waits::Room(_) | script::Waits::Writable, _) => Waits::Room(since),
        (script::Waits::Over | script::Waits::Failed(_), _) => Waits::Over,
        _ => Waits::Since(since),
    };
    let lines = script.params.r#do.0.clone();
    Script { lines, current: script.line().map(usize::from), waits, turn: script.turn() }
}

/// The tcp channels at an actor's ports.
fn connections<'a>(
    world: &'a World,
    node: &'a ActorNode,
) -> impl Iterator<Item = (&'a Port, &'a Tcp)> {
    node.seat.ports.iter().filter_map(|port| {
        let channel = world.ground.channels.get(port.channel.index())?;
        match &channel.machine {
            Channel::Tcp(tcp) => Some((port, &**tcp)),
            Channel::Ideal(_) => None,
        }
    })
}

/// An actor's host, if TCP joins it to others.
fn host_of(world: &World, node: &ActorNode) -> Option<HostId> {
    connections(world, node).next().map(|(port, tcp)| tcp.hosts[port.out.index()])
}

/// The profile of that host.
pub(super) fn profile_of(world: &World, node: &ActorNode) -> &'static str {
    host_of(world, node)
        .and_then(|host| world.ground.hosts.get(host.index()))
        .map_or("", |h| h.params.kind())
}

/// The boards among the hosts, each with the programs on it.
pub(super) fn boards_of(world: &World) -> Vec<Board> {
    let now = world.now();
    let hosts = world.ground.hosts.iter().enumerate();
    let boards = hosts.filter_map(|(n, host)| {
        let (HostParams::Stm32(params), Some(node)) = (&host.params, &host.board) else {
            return None;
        };
        let actors = world.actors.iter().zip((0..).map(ActorId));
        let own = actors.filter(|(actor, _)| host_of(world, actor) == Some(HostId(n as u16)));
        let own = own.map(|(_, id)| id).collect();
        Some(Board::new(n as u16, params, own, node.snapshot(now)))
    });
    boards.collect()
}

/// The ends of an actor's connections.
pub(super) fn ends_of(world: &World, node: &ActorNode) -> Vec<End> {
    connections(world, node).map(|(port, tcp)| end_of(world, port, tcp)).collect()
}

fn end_of(world: &World, port: &Port, tcp: &Tcp) -> End {
    let side = port.out;
    let gauges = world.ground.tcp_gauges(port.channel, side);
    let own = &tcp.ends[side.index()];
    let (sent, held) = match own.is_open {
        true => (gauges.nxt.saturating_sub(gauges.una), gauges.written.saturating_sub(gauges.nxt)),
        false => (0, gauges.written.saturating_sub(1)),
    };
    End {
        channel: port.channel,
        sent: (sent, message_at(tcp, side, gauges.una).filter(|_| 0 < sent)),
        held: (held, message_at(tcp, side, gauges.nxt.max(1)).filter(|_| 0 < held)),
        hold: own.hold,
        unread: gauges.rcv_nxt.saturating_sub(gauges.rcv_read),
        early: gauges.out_of_order,
        timers: timers_of(world.now(), own),
        is_open: own.is_open,
    }
}

/// The message with the byte at a position of the stream, unless it was read long ago.
fn message_at(tcp: &Tcp, side: Lane, position: u64) -> Option<MsgId> {
    let lane = &tcp.lanes[side.index()];
    let parcel = lane.get(lane.number_at(position))?;
    let bytes = parcel.parcel.message().map(|message| u64::from(message.bytes))?;
    (parcel.end < position + bytes).then(|| parcel.parcel.about()).flatten()
}

/// The timers of an end that say something: the owed acknowledgement first, then the next.
fn timers_of(now: SimTime, end: &TcpEnd) -> Vec<Ticking> {
    let told = |kind| !matches!(kind, TimerKind::TimeWait | TimerKind::KeepAlive);
    let mut running: Vec<_> =
        end.running().into_iter().flatten().filter(|timer| told(timer.kind)).collect();
    let order = |kind| kind != TimerKind::DelayedAck;
    crate::kernel::settle(&mut running, |a, b| (order(a.kind), a.due) < (order(b.kind), b.due));
    let ticking = running.into_iter().map(|timer| {
        let whole = timer.due.since(timer.since).as_ns().max(1) as f64;
        let passed = (now.since(timer.since).as_ns() as f64 / whole).min(1.0) as f32;
        Ticking { kind: timer.kind, left: timer.due.since(now), passed }
    });
    ticking.collect()
}
