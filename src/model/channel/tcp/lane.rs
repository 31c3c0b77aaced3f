//! One direction's parcels, in the order of the stream: how far each has come.

use std::collections::VecDeque;

use crate::model::fact::Cause;
use crate::model::message::{MsgId, Parcel};

/// How far a parcel's last byte has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// At its sender: outside the send buffer or in it.
    Waiting,
    /// On the wire.
    Flying,
    /// The wire lost it, and it was not sent again yet.
    Lost,
    /// At the other host, behind bytes that are missing.
    Early,
    /// In the other host's receive buffer, in order.
    Unread,
}

/// A parcel on a stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OnStream {
    /// How many bytes of the stream there are up to its end: the stream position of its last byte.
    pub end: u64,
    /// What it is.
    pub parcel: Parcel,
    /// Written with `MSG_MORE`.
    pub more: bool,
    /// How far its last byte has come.
    pub stage: Stage,
    /// What it waits for, as last stated.
    pub cause: Cause,
}

/// What bytes outside the send buffer of an open connection wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OutsideCause {
    /// Room in the buffer.
    #[default]
    Buffer,
    /// lwIP: room in the queue of segments.
    Queue,
    /// lwIP: memory of its heap.
    Heap,
    /// A board: the main loop comes round.
    Loop,
    /// A board with threads: the processor is free.
    Cpu,
}

impl OutsideCause {
    /// As messages are told.
    pub fn cause(self) -> Cause {
        match self {
            OutsideCause::Buffer => Cause::SendBuffer,
            OutsideCause::Queue => Cause::SegmentQueue,
            OutsideCause::Heap => Cause::HeapFull,
            OutsideCause::Loop => Cause::MainLoop,
            OutsideCause::Cpu => Cause::Cpu,
        }
    }
}

/// One direction of a connection. Parcels are numbered from the connection's first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TcpLane {
    /// Written and not yet read, in order.
    pub parcels: VecDeque<OnStream>,
    /// Number of the first of them.
    pub first: u64,
    /// Bytes of all parcels so far.
    pub offered: u64,
    /// Bytes that the send buffer has taken.
    pub written: u64,
    /// Bytes that the reader has read.
    pub read: u64,
    /// Number of the first parcel that is not wholly in the send buffer.
    pub n_written: u64,
    /// Number of the first parcel whose last byte never left.
    pub n_sent: u64,
    /// Number of the first parcel whose last byte is not in order at the other host.
    pub n_in_order: u64,
    /// The writer was refused.
    pub refused: bool,
    /// The reader has been told and has not come yet.
    pub told: bool,
    /// What the bytes in the send buffer that never left wait for, as last stated.
    pub cause: Option<Cause>,
    /// What the bytes outside the send buffer wait for.
    pub outside_cause: OutsideCause,
    /// Number of the first parcel that has not been told the present cause.
    pub n_told: u64,
    /// Number of the first parcel that was told nothing yet.
    pub n_known: u64,
    /// Messages among the parcels.
    n_messages: u64,
}

impl TcpLane {
    /// Most parcels on one lane, whatever the buffers say.
    pub const MOST: usize = 1_000_000;

    /// Puts a parcel at the end of the stream; it waits at its sender.
    pub fn push(&mut self, parcel: Parcel, bytes: u64, more: bool) {
        self.offered += bytes;
        self.n_messages += u64::from(parcel.message().is_some());
        let (end, stage, cause) = (self.offered, Stage::Waiting, Cause::Propagation);
        self.parcels.push_back(OnStream { end, parcel, more, stage, cause });
    }

    /// Takes the first parcel off: it was read.
    pub fn pop(&mut self) -> Option<OnStream> {
        let parcel = self.parcels.pop_front()?;
        self.first += 1;
        self.n_messages -= u64::from(parcel.parcel.message().is_some());
        Some(parcel)
    }

    /// The parcel of that number, if it was not read yet.
    pub fn get(&self, number: u64) -> Option<&OnStream> {
        self.parcels.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut OnStream> {
        self.parcels.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Number of the first parcel whose last byte is at stream position `pos` or behind it.
    pub fn number_at(&self, pos: u64) -> u64 {
        match self.parcels.front() {
            // A bulk transfer is one parcel, or ends in the first few.
            Some(first) if pos <= first.end => self.first,
            _ => self.first + self.parcels.partition_point(|p| p.end < pos) as u64,
        }
    }

    /// The first message with bytes in `[seq, seq + len)`, or 0.
    pub fn message_at(&self, seq: u64, len: u32) -> MsgId {
        let number = self.number_at(seq);
        let (Some(parcel), true) = (self.get(number), 0 < len) else { return MsgId(0) };
        parcel.parcel.about().unwrap_or(MsgId(0))
    }

    /// Bytes of the stream that wait outside the send buffer.
    pub fn outside(&self) -> u64 {
        self.offered - self.written
    }

    /// Messages written and not yet read.
    pub fn n_messages(&self) -> u64 {
        self.n_messages
    }
}
