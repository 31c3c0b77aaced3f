//! A wire between two hosts: rate, delay, a queue, and whatever goes wrong on the way.
//!
//! Two directions, each first in, first out at its rate, with a drop-tail queue before it. Faults
//! are rules by number ("the third data packet is lost"), chances, and a time window. Nothing is
//! rounded away: what a transmission leaves over of a nanosecond is carried to the next.
//! Leaves out collisions, bit errors and shared media.

use std::collections::VecDeque;

use crate::kernel::random::Streams;
use crate::kernel::{SimSpan, SimTime};
use crate::model::ground::{Lane, Purpose};
use crate::model::message::ChannelId;
use crate::model::tcp::{Flags, Segment};
use crate::param::{BitRate, Ppm};

/// Most packets on one way of a wire.
pub const MAX_ON_WAY: usize = 1_000_000;
/// How long after the first a copy arrives.
pub const COPY_GAP: SimSpan = SimSpan::us(1);

/// A packet with the connection it belongs to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Frame {
    /// The channel.
    pub channel: ChannelId,
    /// Whether it goes from the channel's `to` to its `from`.
    pub back: bool,
    /// The segment.
    pub segment: Segment,
    /// What the world writes on it.
    pub tag: Tag,
}

/// What the world writes on a packet; the wire fills in the times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tag {
    /// Its number over all wires.
    pub number: u64,
    /// The connection of the channel, counted.
    pub epoch: u32,
    /// When it was handed to the wire.
    pub depart: SimTime,
    /// Time behind other packets in ns.
    pub waited: u64,
    /// Time to put its own bits on the wire in ns.
    pub sending: u64,
}

/// Which packets a rule counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// All.
    All,
    /// With payload.
    Data,
    /// Acknowledgements and nothing else.
    Ack,
    /// With `SYN`.
    Syn,
    /// With `FIN`.
    Fin,
    /// With `RST`.
    Rst,
}

impl Class {
    /// Whether a segment is of this class.
    pub fn has(self, segment: &Segment) -> bool {
        let flags = segment.flags;
        let special = flags.has(Flags::SYN) || flags.has(Flags::FIN) || flags.has(Flags::RST);
        match self {
            Class::All => true,
            Class::Data => 0 < segment.len,
            Class::Ack => segment.len == 0 && !special && flags.has(Flags::ACK),
            Class::Syn => flags.has(Flags::SYN),
            Class::Fin => flags.has(Flags::FIN),
            Class::Rst => flags.has(Flags::RST),
        }
    }
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The packet is lost.
    Drop,
    /// It takes so much longer.
    Delay(SimSpan),
    /// It arrives twice.
    Duplicate,
}

/// One thing that goes wrong, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// In which direction.
    pub lane: Lane,
    /// Which packets are counted.
    pub class: Class,
    /// The first it acts on, counted from 1; packets sent again count.
    pub first: u32,
    /// How many from there on.
    pub count: u32,
    /// What happens to them.
    pub action: Action,
    /// How many it has counted.
    pub seen: u32,
}

/// One direction's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Bits a second.
    pub rate: BitRate,
    /// Propagation delay.
    pub delay: SimSpan,
    /// Packets that may wait for the link beside the one being sent; `None`: any number.
    pub queue_limit: Option<u32>,
    /// Chance that a packet is lost.
    pub loss: Ppm,
    /// Chance that a packet takes `reorder_by` longer, so that later ones overtake it.
    pub reorder: Ppm,
    /// See `reorder`.
    pub reorder_by: SimSpan,
    /// Chance that a packet arrives twice.
    pub duplicate: Ppm,
    /// All is lost that is sent from the first instant on and before the second.
    pub outage: Option<(SimTime, SimTime)>,
    /// Bytes that a packet has on the wire beside its IP bytes.
    pub framing: u32,
    /// Least IP bytes of a packet: shorter ones are padded.
    pub least: u32,
}

impl Default for Way {
    fn default() -> Way {
        Way {
            rate: BitRate::UNLIMITED,
            delay: SimSpan::ZERO,
            queue_limit: None,
            loss: Ppm(0),
            reorder: Ppm(0),
            reorder_by: SimSpan::ZERO,
            duplicate: Ppm(0),
            outage: None,
            framing: 0,
            least: 0,
        }
    }
}

/// Why a packet is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The queue before the link was full.
    QueueFull,
    /// A rule said so.
    Rule,
    /// By chance.
    Chance,
    /// In the outage.
    Outage,
}

/// What became of a packet that was handed to the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It is lost.
    Lost(Loss),
    /// It arrives.
    Flying {
        /// Time behind other packets.
        waited: SimSpan,
        /// When its last bit leaves.
        left: SimTime,
        /// When it arrives.
        arrive: SimTime,
    },
}

/// A packet under way.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Flying {
    arrive: SimTime,
    frame: Frame,
}

/// One direction.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WayState {
    /// Its settings.
    pub way: Way,
    /// Under way, by time of arrival.
    flight: VecDeque<Flying>,
    /// When the link is free again.
    free_at: SimTime,
    /// What that leaves over: parts of a nanosecond, in ns times bits a second.
    left_over: u64,
    /// When those that wait begin to be sent.
    starts: VecDeque<SimTime>,
    /// Packets handed to it so far: the index of random draws.
    n_sent: u64,
}

/// The wire.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Wire {
    /// Forth and back.
    pub ways: [WayState; 2],
    /// What goes wrong, by number.
    pub rules: Vec<Rule>,
    /// Its name for random draws.
    pub path: u64,
}

impl Wire {
    /// A wire with the settings of its two directions.
    pub fn new(forth: Way, back: Way, rules: Vec<Rule>, path: u64) -> Wire {
        let of = |way| WayState { way, ..WayState::default() };
        Wire { ways: [of(forth), of(back)], rules, path }
    }

    /// Takes a packet. What a full queue loses takes no time; what else is lost was sent first.
    pub fn send(&mut self, lane: Lane, now: SimTime, frame: Frame, streams: Streams) -> Sent {
        let (drop, extra, twice) = self.apply_rules(lane, &frame.segment);
        let path = self.path ^ lane.index() as u64;
        let state = &mut self.ways[lane.index()];
        let index = state.n_sent;
        state.n_sent += 1;
        let draw = |purpose: Purpose, chance: Ppm| {
            chance.0 != 0 && streams.stream_at(path, purpose as u32, index).chance(chance.0)
        };
        let way = state.way;
        if state.is_full(now) {
            return Sent::Lost(Loss::QueueFull);
        }
        let (start, left) = state.occupy(now, &frame.segment);
        if drop {
            return Sent::Lost(Loss::Rule);
        }
        if way.outage.is_some_and(|(from, to)| from <= now && now < to) {
            return Sent::Lost(Loss::Outage);
        }
        if draw(Purpose::Loss, way.loss) {
            return Sent::Lost(Loss::Chance);
        }
        let mut frame = frame;
        frame.tag.depart = now;
        frame.tag.waited = start.since(now).as_ns();
        frame.tag.sending = left.since(start).as_ns();
        let late = if draw(Purpose::Reorder, way.reorder) { way.reorder_by } else { SimSpan::ZERO };
        let arrive = left + way.delay + extra + late;
        state.launch(arrive, frame);
        if twice || draw(Purpose::Duplicate, way.duplicate) {
            state.launch(arrive + COPY_GAP, frame);
        }
        Sent::Flying { waited: start.since(now), left, arrive }
    }

    /// When the next packet arrives at the end of a way.
    #[inline]
    pub fn next_arrival(&self, lane: Lane) -> Option<SimTime> {
        self.ways[lane.index()].flight.front().map(|flying| flying.arrive)
    }

    /// Takes the next packet that has arrived by `now`.
    #[inline]
    pub fn take_arrived(&mut self, lane: Lane, now: SimTime) -> Option<Frame> {
        let flight = &mut self.ways[lane.index()].flight;
        flight.front().filter(|flying| flying.arrive <= now)?;
        flight.pop_front().map(|flying| flying.frame)
    }

    /// The packets under way in a direction, by time of arrival, with that.
    pub fn flying(&self, lane: Lane) -> impl Iterator<Item = (&Frame, SimTime)> {
        self.ways[lane.index()].flight.iter().map(|flying| (&flying.frame, flying.arrive))
    }

    /// Packets under way in a direction.
    pub fn n_flying(&self, lane: Lane) -> u32 {
        self.ways[lane.index()].flight.len() as u32
    }

    /// Counts a packet for every rule: lost, later by so much, doubled.
    fn apply_rules(&mut self, lane: Lane, segment: &Segment) -> (bool, SimSpan, bool) {
        let (mut drop, mut extra, mut twice) = (false, SimSpan::ZERO, false);
        for rule in self.rules.iter_mut().filter(|rule| rule.lane == lane) {
            if !rule.class.has(segment) {
                continue;
            }
            rule.seen = rule.seen.saturating_add(1);
            let past = rule.seen.checked_sub(rule.first);
            if past.is_none_or(|past| rule.count <= past) {
                continue;
            }
            match rule.action {
                Action::Drop => drop = true,
                Action::Delay(span) => extra += span,
                Action::Duplicate => twice = true,
            }
        }
        (drop, extra, twice)
    }
}

impl WayState {
    /// Whether the queue before the link takes no more.
    fn is_full(&mut self, now: SimTime) -> bool {
        if MAX_ON_WAY <= self.flight.len() {
            return true;
        }
        let Some(limit) = self.way.queue_limit else { return false };
        while self.starts.front().is_some_and(|start| *start <= now) {
            self.starts.pop_front();
        }
        limit <= self.starts.len() as u32 && now < self.free_at
    }

    /// Puts a packet on the link: when its first bit and its last leave.
    fn occupy(&mut self, now: SimTime, segment: &Segment) -> (SimTime, SimTime) {
        let start = now.max(self.free_at);
        if self.way.rate == BitRate::UNLIMITED {
            return (now, now);
        }
        if self.free_at < now {
            self.left_over = 0;
        }
        if self.way.queue_limit.is_some() && now < start {
            self.starts.push_back(start);
        }
        let bytes = segment.ip_bytes().max(self.way.least) + self.way.framing;
        let rate = u128::from(self.way.rate.0);
        let total = u128::from(bytes) * 8 * 1_000_000_000 + u128::from(self.left_over);
        // Both fit: a packet has less than 2^20 bytes and the rest is below the rate.
        let ns = u64::try_from(total / rate).unwrap_or(u64::MAX);
        self.left_over = (total % rate) as u64;
        self.free_at = start.saturating_add(SimSpan::ns(ns));
        (start, self.free_at)
    }

    /// After every packet that arrives no later: ties keep the order of sending.
    fn launch(&mut self, arrive: SimTime, frame: Frame) {
        let flying = Flying { arrive, frame };
        if self.flight.back().is_none_or(|last| last.arrive <= arrive) {
            self.flight.push_back(flying);
            return;
        }
        let place = self.flight.partition_point(|other| other.arrive <= arrive);
        self.flight.insert(place, flying);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SimTime = SimTime::ZERO;

    fn frame(len: u32) -> Frame {
        let segment = Segment { flags: Flags::ACK, len, ..Segment::default() };
        Frame { channel: ChannelId(0), back: false, segment, tag: Tag::default() }
    }

    fn wire(way: Way, rules: Vec<Rule>) -> Wire {
        Wire::new(way, Way::default(), rules, 7)
    }

    fn send(wire: &mut Wire, now: SimTime, len: u32) -> Sent {
        wire.send(Lane::Forth, now, frame(len), Streams::new(1))
    }

    fn rule(class: Class, first: u32, count: u32, action: Action) -> Rule {
        Rule { lane: Lane::Forth, class, first, count, action, seen: 0 }
    }

    #[test]
    fn packets_wait_for_each_other_and_then_for_the_delay() {
        let way = Way { rate: BitRate(1_000_000), delay: SimSpan::ms(5), ..Way::default() };
        let mut wire = wire(way, Vec::new());
        for n in 1..=3 {
            let left = SimTime::from_ns(n * 8_000_000);
            let waited = SimSpan::ms(8) * (n - 1);
            let arrive = left + SimSpan::ms(5);
            assert_eq!(send(&mut wire, NOW, 960), Sent::Flying { waited, left, arrive });
        }
        assert_eq!(wire.next_arrival(Lane::Forth), Some(SimTime::from_ns(13_000_000)));
        assert!(wire.take_arrived(Lane::Forth, SimTime::from_ns(12_999_999)).is_none());
        assert!(wire.take_arrived(Lane::Forth, SimTime::from_ns(13_000_000)).is_some());
    }

    #[test]
    fn no_part_of_a_nanosecond_is_lost() {
        // 60 bytes at 7 bit/s: 480 / 7 s each.
        let mut wire = wire(Way { rate: BitRate(7), ..Way::default() }, Vec::new());
        let mut last = NOW;
        for _ in 0..7 {
            let Sent::Flying { left, .. } = send(&mut wire, NOW, 20) else { panic!("lost") };
            last = left;
        }
        assert_eq!(last, SimTime::from_ns(480_000_000_000));
    }

    #[test]
    fn a_full_queue_loses_the_newcomer() {
        let rate = BitRate(1_000_000);
        let mut wire = wire(Way { rate, queue_limit: Some(2), ..Way::default() }, Vec::new());
        for _ in 0..3 {
            assert!(matches!(send(&mut wire, NOW, 960), Sent::Flying { .. }));
        }
        assert_eq!(send(&mut wire, NOW, 960), Sent::Lost(Loss::QueueFull));
        let later = SimTime::from_ns(8_000_000);
        assert!(matches!(send(&mut wire, later, 960), Sent::Flying { .. }));
    }

    #[test]
    fn a_rule_acts_on_the_packets_of_its_class_by_number() {
        let rules = vec![rule(Class::Data, 2, 2, Action::Drop)];
        let mut wire = wire(Way::default(), rules);
        let lost: Vec<bool> = [10, 0, 10, 10, 0, 10]
            .iter()
            .map(|len| matches!(send(&mut wire, NOW, *len), Sent::Lost(Loss::Rule)))
            .collect();
        assert_eq!(lost, [false, false, true, true, false, false]);
    }

    #[test]
    fn a_delayed_packet_is_overtaken_and_a_copy_comes_a_microsecond_later() {
        let rules = vec![
            rule(Class::Data, 1, 1, Action::Delay(SimSpan::ms(2))),
            rule(Class::Data, 2, 1, Action::Duplicate),
        ];
        let mut wire = wire(Way::default(), rules);
        send(&mut wire, NOW, 1);
        send(&mut wire, NOW, 2);
        let late = SimTime::from_ns(2_000_000);
        let lens: Vec<u32> = std::iter::from_fn(|| wire.take_arrived(Lane::Forth, late))
            .map(|f| f.segment.len)
            .collect();
        assert_eq!(lens, [2, 2, 1]);
    }

    #[test]
    fn losses_by_chance_meet_their_chance_and_do_not_depend_on_time() {
        let way = Way { loss: Ppm(100_000), ..Way::default() };
        let mut one = wire(way, Vec::new());
        let mut other = wire(way, Vec::new());
        let mut n_lost = 0;
        for i in 0..10_000 {
            let sent = send(&mut one, NOW, 1);
            let later = SimTime::from_ns(i);
            n_lost += u32::from(sent == Sent::Lost(Loss::Chance));
            assert_eq!(
                matches!(send(&mut other, later, 1), Sent::Lost(_)),
                matches!(sent, Sent::Lost(_))
            );
        }
        assert!(n_lost.abs_diff(1_000) < 150, "{n_lost}");
    }

    #[test]
    fn ethernet_pads_short_packets() {
        let rate = BitRate(10_000_000);
        let mut wire = wire(Way { rate, framing: 38, least: 46, ..Way::default() }, Vec::new());
        let Sent::Flying { left, .. } = send(&mut wire, NOW, 0) else { panic!("lost") };
        assert_eq!(left, SimTime::from_ns(84 * 800));
    }
}
