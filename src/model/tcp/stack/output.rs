//! The segments that leave: header, options, window and acknowledgement as they stand.
//!
//! Follows Linux tcp_output.c `__tcp_transmit_skb`, `tcp_send_ack`, `tcp_established_options`.

use crate::kernel::SimTime;
use crate::model::tcp::stack::send::Packet;
use crate::model::tcp::stack::{Socket, State};
use crate::model::tcp::{Flags, Outbox, Segment, Stamps};

/// What timestamps show at the start of a run, in ms: 0 would mean none.
pub const STAMP_OFFSET_MS: u32 = 1_000;

impl Socket {
    /// Our clock in a timestamp, in ms.
    #[inline]
    pub(super) fn stamp(&self, now: SimTime) -> u32 {
        (now.ns() / 1_000_000) as u32 + STAMP_OFFSET_MS
    }

    /// A position that the other end accepts. Linux `tcp_acceptable_seq`.
    pub(super) fn acceptable_seq(&self) -> u64 {
        let end = self.window_end();
        let step = 1_u64 << self.options.own_shift;
        let is_inside =
            self.send.nxt <= end || (self.options.scaling && self.send.nxt < end + step);
        if is_inside { self.send.nxt } else { end }
    }

    /// Sends an acknowledgement. Linux `tcp_send_ack`.
    pub(super) fn send_ack(&mut self, now: SimTime, out: &mut Outbox) {
        if self.state == State::Closed {
            return;
        }
        let seq = self.acceptable_seq();
        self.send_control(now, Flags::ACK, seq, out);
    }

    /// Sends a segment without data.
    pub(super) fn send_control(&mut self, now: SimTime, flags: Flags, seq: u64, out: &mut Outbox) {
        let segment = self.header(now, flags, seq);
        out.segments.push(segment);
    }

    /// Sends a segment of the queue. Linux `__tcp_transmit_skb`.
    pub(super) fn transmit(&mut self, now: SimTime, index: usize, out: &mut Outbox) {
        self.send.queue[index].sent = now;
        let Packet { seq, len, flags, .. } = self.send.queue[index];
        let flags = match self.state {
            State::SynSent => flags,
            _ => flags.with(Flags::ACK),
        };
        let mut segment = self.header(now, flags, seq);
        segment.len = len;
        segment.again = index < self.send.n_sent as usize;
        out.segments.push(segment);
        if 0 < len {
            self.note_data_sent(now);
        }
    }

    /// A segment's header: acknowledgement, window and options as they stand.
    fn header(&mut self, now: SimTime, flags: Flags, seq: u64) -> Segment {
        let is_syn = flags.has(Flags::SYN);
        let has_ack = flags.has(Flags::ACK);
        let mut segment = Segment { flags, seq, ..Segment::default() };
        if is_syn {
            self.add_syn_options(has_ack, &mut segment);
        } else {
            let n = self.sack_blocks_to_send() as usize;
            if 0 < n && has_ack && !flags.has(Flags::RST) {
                let newest = self.acks.dsack.iter().chain(self.acks.sacks.blocks());
                newest.take(n).for_each(|(from, to)| segment.sack.push(*from, *to));
            }
            segment.window = self.offer_window().min(u64::from(u32::MAX)) as u32;
            segment.window_shift = self.options.own_shift;
        }
        let wants_stamps =
            if is_syn && !has_ack { self.profile.timestamps } else { self.options.timestamps };
        if wants_stamps {
            let echo = if has_ack { self.recv.stamp } else { 0 };
            segment.stamps = Some(Stamps { value: self.stamp(now), echo });
        }
        if has_ack {
            segment.ack = self.recv.next;
            self.note_ack_sent();
        }
        segment
    }

    fn add_syn_options(&self, has_ack: bool, segment: &mut Segment) {
        let (scaling, sack) = match has_ack {
            true => (self.options.scaling, self.options.sack),
            false => (self.profile.window_scaling, self.profile.sack),
        };
        segment.mss = Some(self.recv.advertised_mss.min(u32::from(u16::MAX)) as u16);
        segment.wscale = scaling.then_some(self.options.own_shift);
        segment.sack_permitted = sack;
        segment.window = self.recv.window.min(u64::from(u16::MAX)) as u32;
    }
}
