//! The two buffers and the timers of a TCP end, and the script that drives it, as plain data.

use crate::kernel::SimSpan;
use crate::model::tcp::{Hold, TimerKind};
use crate::model::{ChannelId, MsgId};

/// A timer that runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ticking {
    /// Which.
    pub kind: TimerKind,
    /// Time until it goes off.
    pub left: SimSpan,
    /// How much of its time has passed, 0 to 1.
    pub passed: f32,
}

/// One end of a TCP connection.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct End {
    /// The connection.
    pub channel: ChannelId,
    /// Bytes sent and not acknowledged, and the first message among them.
    pub sent: (u64, Option<MsgId>),
    /// Bytes in the send buffer that never left, and the first message among them.
    pub held: (u64, Option<MsgId>),
    /// Why they do not leave.
    pub hold: Option<Hold>,
    /// Bytes in order that the program has not read.
    pub unread: u64,
    /// Bytes behind a gap.
    pub early: u64,
    /// Timers, the one that matters most first.
    pub timers: Vec<Ticking>,
    /// Whether the connection stands.
    pub is_open: bool,
}

/// A script and where it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Script {
    /// Its lines.
    pub lines: Vec<String>,
    /// The line that it is at; none when it is over.
    pub current: Option<usize>,
    /// What it waits for.
    pub waits: Waits,
    /// The turn of the innermost block that it is in, and how many there are.
    pub turn: Option<(u32, u32)>,
}

/// What a script waits for.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Waits {
    /// For nothing: it is over.
    #[default]
    Over,
    /// For bytes: so many of how many are there, since when.
    Bytes(u64, u64, SimSpan),
    /// For room in the send buffer, for so long.
    Room(SimSpan),
    /// For the connection, for so long.
    Connection(SimSpan),
    /// For a time, which is over in so long.
    Time(SimSpan),
    /// For something else, for so long.
    Since(SimSpan),
}

/// Bytes that one cell of a buffer stands for, so that `bytes` take at most `cells`.
pub fn bytes_per_cell(bytes: u64, cells: u64) -> u64 {
    let mut unit = 1;
    loop {
        for step in [1, 2, 5] {
            // Halves of a hundred divide what scripts write: 25 fits 100 better than 20.
            let each = if step == 2 && unit == 10 { 25 } else { step * unit };
            if bytes.div_ceil(each) <= cells {
                return each;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_for_round_numbers_of_bytes() {
        assert_eq!(bytes_per_cell(200, 12), 25);
        assert_eq!(bytes_per_cell(10, 12), 1);
        assert_eq!(bytes_per_cell(65_536, 12), 10_000);
        assert_eq!(bytes_per_cell(0, 12), 1);
    }
}
