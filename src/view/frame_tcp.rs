//! A tcp channel at an instant: its segments as dots.

use crate::model::ChannelId;
use crate::model::channel::Tcp;
use crate::model::ground::Lane;
use crate::view::draw::Glyph;
use crate::view::frame::{Dot, Frame, Path};
use crate::world::World;

/// Most segments of one channel that are drawn one by one.
const DOTS: usize = 64;

impl Frame {
    /// Adds a tcp channel.
    pub(super) fn tcp(&mut self, world: &World, channel: ChannelId, tcp: &Tcp) {
        let wire = &world.ground.wires[tcp.wire.index()];
        let mut n_flying = 0;
        let mut dots = Vec::new();
        for direction in [Lane::Forth, Lane::Back] {
            for flying in wire.flying(direction).filter(|flying| flying.frame.channel == channel) {
                n_flying += 1;
                let frame = &flying.frame;
                let msg = tcp.lanes[frame.lane.index()]
                    .message_at(frame.segment.seq, frame.segment.len.max(1));
                let start = flying.depart.ns() + frame.waited;
                let way = flying.arrive.ns().saturating_sub(start).max(1);
                let gone = self.now.ns().saturating_sub(start).min(way);
                let share = (gone as f64 / way as f64) as f32;
                let back = frame.lane.is_back();
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
        let params = &wire.machine.params;
        self.paths.push(Path {
            delay: params.delay,
            loss_ppm: 0,
            is_cut: wire.is_cut,
            rate: None,
            is_flow,
            waiting: [outside(0), outside(1)],
        });
        if !is_flow {
            self.dots.append(&mut dots);
        }
    }
}
