//! The ideal path: a delay, a rate, losses, and nothing else.
//!
//! It models what any path does to parcels: waiting for bytes ahead, the time of its own bytes,
//! propagation, jitter, loss. It leaves out segments, windows, retransmission and a shared wire;
//! a `tcp` channel has those. Read `docs/models/ideal.md` before editing.

use std::collections::VecDeque;

use crate::kernel::random::Streams;
use crate::kernel::{SimSpan, SimTime};
use crate::model::channel::{Arrival, Offer};
use crate::model::ground::{Lane, Purpose};
use crate::model::message::Parcel;
use crate::param::{Amount, BitRate, Ppm};

params! {
    /// An ideal path between two actors.
    pub struct IdealParams for "ideal" {
        /// Propagation delay, each way.
        delay: SimSpan = SimSpan::ms(1), range SimSpan::ZERO => SimSpan::s(600), scale log,
            slider SimSpan::us(10) => SimSpan::s(10), applies live,
            name ("Delay, each way", "单程延迟"),
            help ("How long a parcel is on its way, in each direction.", "消息单向传播所需的时间。"),
            source "propagation delay, RFC 7679";
        /// Greatest additional delay; each parcel draws uniformly between none and this.
        jitter: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::us(10) => SimSpan::s(10), applies live,
            name ("Jitter, at most", "最大抖动"),
            help ("Each parcel takes up to this much longer.", "每个包最多额外延迟这么久。"),
            source "one-way delay variation, RFC 3393";
        /// Bits per second on each lane.
        rate: BitRate = BitRate::UNLIMITED, range BitRate(1) => BitRate::UNLIMITED, scale log,
            slider BitRate(1_000) => BitRate::UNLIMITED, applies live,
            name ("Bit rate", "比特率"),
            help ("How fast bytes are put on the path.", "字节送上通路的速率。"),
            source "serialisation delay = bits / rate";
        /// Chance that a message is lost.
        loss: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000), applies live,
            name ("Loss of messages", "消息丢失率"),
            help ("Chance that a message never arrives.", "一条消息永远不到达的概率。"),
            source "independent loss, RFC 7680";
        /// Chance that an acknowledgement or confirmation is lost.
        ack_loss: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000), applies live,
            name ("Loss of acks", "确认丢失率"),
            help ("Chance that an acknowledgement never arrives.", "一个确认永远不到达的概率。"),
            source "independent loss, RFC 7680";
        /// Whether parcels stay in order when their delays differ.
        in_order: bool = true, switch, applies live,
            name ("Keep order", "保持顺序"),
            help ("Off: a parcel with less jitter overtakes.", "关闭时，抖动小的包可以超车。"),
            source "RFC 4737";
        /// How many messages a lane holds, on its way and unread; one more is refused.
        capacity: Amount = Amount::UNLIMITED, range Amount(1) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(10_000), applies live,
            name ("Capacity", "容量"),
            help ("Messages on the path before writers must wait.", "通路上最多容纳的消息数，满则写者等待。"),
            source "our own model of a bounded buffer";
    }
}

/// Most parcels on one lane, whatever the capacity says.
pub const MAX_ON_LANE: u32 = 1_000_000;

/// A parcel on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flying {
    /// When it was written.
    pub depart: SimTime,
    /// When its last bit reaches the other end.
    pub arrive: SimTime,
    /// Time behind other bytes, in ns.
    pub waited: u64,
    /// Time to put its own bytes on the path, in ns.
    pub sending: u64,
    /// What flies.
    pub parcel: Parcel,
}

/// One direction of the path.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LaneState {
    /// On the way, by time of arrival.
    pub flight: VecDeque<Flying>,
    /// Arrived and unread.
    pub inbox: VecDeque<Flying>,
    /// Written while the path was cut, and waiting for it to be mended.
    pub stalled: VecDeque<(SimTime, Parcel)>,
    /// Until when earlier bytes occupy the path's entrance.
    pub busy_until: SimTime,
    /// Messages in `flight`, `inbox` and `stalled`.
    n_messages: u32,
    /// Parcels written so far: the index of random draws.
    n_written: u64,
    /// Parcels written so far that can be lost alone: all but those of the connection itself.
    pub n_losable: u64,
    /// Of these, how many until the one to lose; 0 = none is to be lost.
    lose_in: u32,
    /// The reader has been told and has not come yet.
    told: bool,
    /// The writer was refused.
    refused: bool,
}

/// The path between two actors.
#[derive(Clone, PartialEq, Debug)]
pub struct Ideal {
    /// Its settings.
    pub params: IdealParams,
    /// Forth and back.
    pub lanes: [LaneState; 2],
    /// Whether it is cut.
    pub is_cut: bool,
    /// Messages until the one to lose; 0 = none is to be lost.
    pub drop_in: u32,
}

impl Ideal {
    /// An empty path.
    pub fn new(params: IdealParams) -> Ideal {
        Ideal { params, lanes: Default::default(), is_cut: false, drop_in: 0 }
    }

    /// Takes a parcel, unless it is a message and the lane is full.
    pub fn write(
        &mut self,
        lane: Lane,
        now: SimTime,
        parcel: Parcel,
        streams: Streams,
        path: u64,
    ) -> Offer {
        let is_message = parcel.message().is_some();
        let state = &mut self.lanes[lane.index()];
        if is_message && self.params.capacity.0.min(MAX_ON_LANE) <= state.n_messages {
            state.refused = true;
            return Offer::Full;
        }
        if self.is_cut {
            state.stalled.push_back((now, parcel));
            state.n_messages += u32::from(is_message);
            return Offer::Waiting;
        }
        if self.is_lost(lane, &parcel, streams, path) {
            return Offer::Lost;
        }
        let jitter = self.jitter(lane, streams, path);
        let state = &mut self.lanes[lane.index()];
        state.n_written += 1;
        state.n_messages += u32::from(is_message);
        state.launch(&self.params, now, now, jitter, parcel)
    }

    /// Takes the next parcel at the reader's end.
    pub fn read(&mut self, lane: Lane, now: SimTime) -> Option<Arrival> {
        let state = &mut self.lanes[lane.index()];
        let Flying { arrive, waited, sending, parcel, .. } = state.inbox.pop_front()?;
        state.n_messages -= u32::from(parcel.message().is_some());
        Some(Arrival { parcel, waited, sending, unread: now.since(arrive).as_ns() })
    }

    /// Moves what has arrived to the reader's end; whether there is something to read.
    pub fn on_wake(&mut self, lane: Lane, now: SimTime) -> bool {
        let state = &mut self.lanes[lane.index()];
        let have_all_arrived = state.flight.back().is_some_and(|last| last.arrive <= now);
        if have_all_arrived && state.inbox.is_empty() {
            std::mem::swap(&mut state.flight, &mut state.inbox);
        }
        while state.flight.front().is_some_and(|f| f.arrive <= now) {
            state.inbox.extend(state.flight.pop_front());
        }
        !state.inbox.is_empty()
    }

    /// When the next parcel reaches the end of the lane.
    pub fn next_wake(&self, lane: Lane) -> Option<SimTime> {
        self.lanes[lane.index()].flight.front().map(|f| f.arrive)
    }

    /// Whether the writer was refused and may go on now; asked once per refusal.
    pub fn writer_may_go_on(&mut self, lane: Lane) -> bool {
        let state = &mut self.lanes[lane.index()];
        let room = state.n_messages < self.params.capacity.0.min(MAX_ON_LANE);
        let go_on = state.refused && room;
        state.refused &= !go_on;
        go_on
    }

    /// Whether there is something to read of which the reader has not been told.
    pub fn reader_to_tell(&mut self, lane: Lane) -> bool {
        let state = &mut self.lanes[lane.index()];
        let tell = !state.told && !state.inbox.is_empty();
        state.told |= tell;
        tell
    }

    /// The reader hears of what it was told.
    pub fn reader_told(&mut self, lane: Lane) {
        self.lanes[lane.index()].told = false;
    }

    /// Takes everything off a lane.
    pub fn drain(&mut self, lane: Lane) -> Vec<Parcel> {
        let state = &mut self.lanes[lane.index()];
        state.n_messages = 0;
        let read = state.inbox.drain(..).map(|f| f.parcel);
        let flown = state.flight.drain(..).map(|f| f.parcel);
        read.chain(flown).chain(state.stalled.drain(..).map(|(_, p)| p)).collect()
    }

    /// Stops carrying: what is under way still arrives, what is written waits.
    pub fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Carries again. What waited since the cut leaves now, in order, without loss.
    pub fn mend(&mut self, now: SimTime) {
        self.is_cut = false;
        for state in &mut self.lanes {
            while let Some((written, parcel)) = state.stalled.pop_front() {
                state.n_written += 1;
                state.launch(&self.params, written, now, SimSpan::ZERO, parcel);
            }
        }
    }

    /// Loses the `nth` message written forth from now on.
    pub fn drop_nth(&mut self, nth: u32) {
        self.drop_in = nth;
    }

    /// Loses the `nth` parcel written to the lane from now on.
    pub fn lose_nth(&mut self, lane: Lane, nth: u32) {
        self.lanes[lane.index()].lose_in = nth;
    }

    fn is_lost(&mut self, lane: Lane, parcel: &Parcel, streams: Streams, path: u64) -> bool {
        if parcel.is_of_connection() {
            return false;
        }
        let is_message = parcel.message().is_some();
        let state = &mut self.lanes[lane.index()];
        state.n_losable += 1;
        if state.lose_in != 0 {
            state.lose_in -= 1;
            if state.lose_in == 0 {
                state.n_written += 1;
                return true;
            }
        }
        if is_message && lane == Lane::Forth && self.drop_in != 0 {
            self.drop_in -= 1;
            if self.drop_in == 0 {
                self.lanes[lane.index()].n_written += 1;
                return true;
            }
        }
        let chance = if is_message { self.params.loss.0 } else { self.params.ack_loss.0 };
        if chance == 0 {
            return false;
        }
        let lane_path = path ^ lane.index() as u64;
        let state = &mut self.lanes[lane.index()];
        let mut draw = streams.stream_at(lane_path, Purpose::Loss as u32, state.n_written);
        let lost = draw.chance(chance);
        state.n_written += u64::from(lost);
        lost
    }

    fn jitter(&self, lane: Lane, streams: Streams, path: u64) -> SimSpan {
        if self.params.jitter.is_zero() {
            return SimSpan::ZERO;
        }
        let index = self.lanes[lane.index()].n_written;
        let lane_path = path ^ lane.index() as u64;
        let mut draw = streams.stream_at(lane_path, Purpose::Jitter as u32, index);
        draw.uniform(SimSpan::ZERO, self.params.jitter)
    }
}

impl LaneState {
    fn launch(
        &mut self,
        params: &IdealParams,
        written: SimTime,
        now: SimTime,
        jitter: SimSpan,
        parcel: Parcel,
    ) -> Offer {
        let sending = match params.rate.0 {
            0 => SimSpan::ZERO,
            _ => params.rate.time_for(parcel.bytes()),
        };
        let start = now.max(self.busy_until);
        let sent = start + sending;
        if !sending.is_zero() {
            self.busy_until = sent;
        }
        let mut arrive = sent + params.delay + jitter;
        if params.in_order {
            let last = self.flight.back().map_or(SimTime::ZERO, |f| f.arrive);
            arrive = arrive.max(last);
        }
        let waited = start.since(written).as_ns();
        let flying = Flying { depart: written, arrive, waited, sending: sending.as_ns(), parcel };
        if parcel.is_of_connection() {
            // What is said of the connection keeps its order, whatever jitter does to the rest.
            let said = self.flight.iter().filter(|f| f.parcel.is_of_connection());
            arrive = said.map(|f| f.arrive).fold(arrive, SimTime::max);
        }
        if arrive == now && self.flight.is_empty() {
            self.inbox.push_back(flying);
            return Offer::Here;
        }
        // After every parcel that arrives no later, so that ties keep the order of writing: mostly
        // behind all of them.
        if self.flight.back().is_none_or(|last| last.arrive <= arrive) {
            self.flight.push_back(flying);
        } else {
            let place = self.flight.partition_point(|f| f.arrive <= arrive);
            self.flight.insert(place, flying);
        }
        Offer::Flying
    }

    /// Messages on this lane: under way, unread and stalled.
    pub fn n_messages(&self) -> u32 {
        self.n_messages
    }
}
