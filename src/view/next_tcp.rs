//! What comes next on TCP channels and in scripts: segments that land, timers that go off.

use crate::kernel::SimTime;
use crate::model::actor::script::Waits;
use crate::model::actor::{Actor, Script};
use crate::model::channel::Channel;
use crate::model::ground::Lane;
use crate::model::tcp::{Flags, TimerKind};
use crate::model::{ActorId, ChannelId};
use crate::world::World;

use super::caption::What;

/// Offers everything that is to come.
pub(super) fn offer_all(world: &World, offer: &mut dyn FnMut(SimTime, What)) {
    for (n, node) in world.ground.channels.iter().enumerate() {
        let Channel::Tcp(tcp) = &node.machine else { continue };
        for (end, actor) in tcp.ends.iter().zip([node.from, node.to]) {
            let told = |kind| !matches!(kind, TimerKind::TimeWait | TimerKind::KeepAlive);
            for timer in end.running().iter().flatten().filter(|timer| told(timer.kind)) {
                offer(timer.due, What::Timer { timer: timer.kind, actor });
            }
        }
        let Some(wire) = world.ground.wires.get(tcp.wire.index()) else { continue };
        for lane in [Lane::Forth, Lane::Back] {
            let own = |frame: &crate::model::wire::Frame| frame.channel == ChannelId(n as u16);
            let mut flying = wire.machine.flying(lane).filter(|(frame, _)| own(frame));
            if let Some((frame, arrive)) = flying.next() {
                let reader = if frame.back { node.from } else { node.to };
                let what = match frame.segment.len {
                    0 if frame.segment.flags.has(Flags::SYN) => What::Syn { reader },
                    0 => What::Ack { ack: frame.segment.ack, reader },
                    bytes => What::Bytes { bytes, reader },
                };
                offer(arrive, what);
            }
        }
    }
    for (n, node) in world.actors.iter().enumerate() {
        if let Actor::Script(Script { waits: Waits::Until(at), .. }) = &node.machine {
            offer(*at, What::GoesOn { actor: ActorId(n as u16) });
        }
    }
}
