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
            waiting: [outside(0), outside(1)],
        });
        if !is_flow {
            self.dots.append(&mut dots);
        }
    }
}
