//! The words that tell facts of TCP and of log brokers apart in the digest.

use crate::model::fact::Fact;
use crate::model::message::{ActorId, ChannelId};

impl Fact {
    /// The same for what only TCP states.
    pub(super) fn tcp_words(&self) -> [u64; 3] {
        let head = |kind: u64, c: ChannelId, side: bool, rest: u64| {
            kind | u64::from(c.0) << 8 | u64::from(side) << 24 | rest << 32
        };
        match *self {
            Fact::Landed { msg, channel: c, waited, sending, cause } => {
                [head(30, c, false, cause as u64), msg.0, waited ^ sending.rotate_left(32)]
            }
            Fact::SegmentDeparted { frame, channel: c, back, again, flags, len, seq, .. } => {
                let rest = u64::from(flags) | u64::from(again) << 8;
                [head(31, c, back, rest), frame ^ u64::from(len) << 40, seq]
            }
            Fact::SegmentArrived { frame, channel: c, back } => [head(32, c, back, 0), frame, 0],
            Fact::SegmentLost { frame, channel: c, back, why } => {
                [head(33, c, back, why as u64), frame, 0]
            }
            Fact::TimerArmed { channel: c, at_to, timer, due } => {
                [head(34, c, at_to, timer as u64), due.ns(), 0]
            }
            Fact::TimerFired { channel: c, at_to, timer, since } => {
                [head(35, c, at_to, timer as u64), since.ns(), 0]
            }
            Fact::TimerCancelled { channel: c, at_to, timer } => {
                [head(36, c, at_to, timer as u64), 0, 0]
            }
            Fact::HoldBegun { channel: c, at_to, hold, bytes, msg } => {
                [head(37, c, at_to, hold as u64), u64::from(bytes), msg.0]
            }
            Fact::HoldEnded { channel: c, at_to, hold } => [head(38, c, at_to, hold as u64), 0, 0],
            Fact::Connected { channel: c, at_to } => [head(39, c, at_to, 0), 0, 0],
            Fact::Broken { channel: c, at_to, errno } => [head(40, c, at_to, errno as u64), 0, 0],
            Fact::Spent { msg, cause, span } => [80 | (cause as u64) << 32, msg.0, span],
            Fact::FrameDropped { frame, channel: c, back, why } => {
                [head(81, c, back, why as u64), frame, 0]
            }
            _ => self.log_words(),
        }
    }

    /// The same for what only log brokers and their groups state.
    fn log_words(&self) -> [u64; 3] {
        let head = |kind: u64, at: ActorId, part: u8, rest: u64| {
            kind | u64::from(at.0) << 8 | u64::from(part) << 24 | rest << 32
        };
        match *self {
            Fact::Elected { at, partition, leader, epoch, in_sync } => {
                [head(42, at, partition, u64::from(epoch)), u64::from(leader), in_sync]
            }
            Fact::InSync { at, partition, in_sync } => [head(43, at, partition, 0), in_sync, 0],
            Fact::NodeTurned { at, node, is_up } => [head(44, at, node, u64::from(is_up)), 0, 0],
            Fact::Grown { at, partitions } => [head(45, at, partitions, 0), 0, 0],
            Fact::GroupTurned { at, group, state, generation, members } => {
                let what = u64::from(members) | (state as u64) << 16;
                [head(46, at, group, u64::from(generation)), what, 0]
            }
            Fact::Owned { by, partition, generation } => {
                [head(47, by, partition, u64::from(generation)), 0, 0]
            }
            Fact::Disowned { by, partition, lost } => {
                [head(48, by, partition, u64::from(lost)), 0, 0]
            }
            Fact::Committed { at, group, partition, offset } => {
                [head(49, at, partition, u64::from(group)), offset, 0]
            }
            Fact::CommitRefused { at, by, partition, offset } => {
                [head(52, at, partition, u64::from(by.0)), offset, 0]
            }
            Fact::TxnTurned { at, by, epoch, turn } => {
                [head(53, at, turn as u8, u64::from(by.0)), u64::from(epoch), 0]
            }
            Fact::Marked { at, by, partition, offset, end } => {
                [head(54, at, partition, u64::from(by.0)), offset, end as u64]
            }
            // Every other fact has its words above.
            _ => [0; 3],
        }
    }
}
