//! A wire as a node of the world: two hosts, two wake-ups, and the machine between them.

use crate::kernel::random::Streams;
use crate::kernel::{SimSpan, SimTime, Timer};
use crate::model::channel::tcp::rules;
use crate::model::fact::Lost;
use crate::model::ground::Lane;
use crate::model::message::HostId;
use crate::model::tcp::Segment;
use crate::model::tcp::segment::{IP_HEADER, TCP_HEADER};
use crate::model::wire::{Frame, Loss, Sent, Way, Wire};
use crate::param::{Amount, BitRate, Bytes, Lines, Ppm, Reason, Value};

params! {
    /// A network link between two hosts.
    pub struct WireParams for "wire" {
        /// Bits per second, each way.
        rate: BitRate = BitRate(100_000_000), range BitRate(1) => BitRate::UNLIMITED, scale log,
            slider BitRate(100_000) => BitRate(10_000_000_000), applies live,
            name ("Bit rate", "比特率"),
            help ("How fast packets are put on the wire, in each direction.", "每个方向上发送数据包的速率。"),
            source "serialisation delay = bits / rate";
        /// Propagation delay, each way.
        delay: SimSpan = SimSpan::ms(1), range SimSpan::ZERO => SimSpan::s(600), scale log,
            slider SimSpan::us(10) => SimSpan::s(1), applies live,
            name ("Delay, each way", "单程延迟"),
            help ("How long a packet is on its way, in each direction.", "数据包单向传播所需的时间。"),
            source "one-way delay, RFC 7679";
        /// Additional delay of the way back.
        back_extra: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(600), scale log,
            slider SimSpan::us(10) => SimSpan::s(1), applies live,
            name ("More delay, way back", "回程附加延迟"),
            help ("How much longer packets take from `to` to `from`.", "从 to 到 from 的数据包多花的时间。"),
            source "one-way delay, RFC 7679";
        /// Packets that may wait for the wire, each way.
        queue_limit: Amount = Amount::UNLIMITED, range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(1) => Amount(1_000), applies live,
            name ("Queue, packets", "队列长度（包）"),
            help ("Packets that may wait for the wire; one more is lost.", "可排队等待发送的包数；再多则丢弃。"),
            source "drop-tail queue, RFC 7567";
        /// Bytes around each IP packet on the wire.
        framing: Bytes = Bytes(0), range Bytes(0) => Bytes(1_000), step Bytes(1),
            slider Bytes(0) => Bytes(64), applies live,
            name ("Framing, per packet", "每包成帧开销"),
            help ("Bytes that the link adds to each packet; Ethernet: 38.", "链路给每个包附加的字节数；以太网为 38。"),
            source "IEEE 802.3: preamble, header, check sequence, gap";
        /// Least size of a packet on the wire.
        least: Bytes = Bytes(0), range Bytes(0) => Bytes(1_500), step Bytes(1),
            slider Bytes(0) => Bytes(64), applies live,
            name ("Least packet", "最小包长"),
            help ("Shorter packets are padded to it; Ethernet: 46.", "更短的包被填充到此长度；以太网为 46。"),
            source "IEEE 802.3: 46 bytes";
        /// Largest IP packet.
        mtu: Bytes = Bytes(1_500), range Bytes(68) => Bytes(65_535), scale log,
            slider Bytes(576) => Bytes(9_000), applies restart,
            name ("MTU", "MTU"),
            help ("Largest IP packet that the link carries.", "链路可承载的最大 IP 包。"),
            source "RFC 894, RFC 791";
        /// Chance that a packet is lost, each way.
        loss: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000),
            slider Ppm(0) => Ppm(200_000), applies live,
            name ("Loss of packets", "丢包率"),
            help ("Chance that a packet never arrives.", "数据包永远不到达的概率。"),
            source "independent loss, RFC 7680";
        /// Since when every packet is lost.
        outage_from: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(2_592_000),
            scale log, slider SimSpan::ms(1) => SimSpan::s(60), applies live,
            name ("Outage from", "中断起始"),
            help ("From this instant on every packet is lost, for as long as the outage lasts.",
                "从此刻起每个包都丢失，持续到中断结束。"),
            source "our own";
        /// How long every packet is lost.
        outage: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(2_592_000),
            scale log, slider SimSpan::ms(1) => SimSpan::s(60), applies live,
            name ("Outage lasts", "中断时长"),
            help ("How long every packet is lost; 0: no outage.", "每个包都丢失多久；0 为无中断。"),
            source "our own";
        /// Chance that later packets overtake a packet.
        reorder: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000),
            slider Ppm(0) => Ppm(200_000), applies live,
            name ("Reordering", "乱序率"),
            help ("Chance that a packet takes longer, so that later ones overtake it.",
                "数据包多花时间、被后面的包超过的概率。"),
            source "RFC 4737";
        /// How much longer such a packet takes.
        reorder_by: SimSpan = SimSpan::ms(2), range SimSpan::ZERO => SimSpan::s(60), scale log,
            slider SimSpan::us(10) => SimSpan::s(1), applies live,
            name ("Reordered by", "乱序延迟"),
            help ("How much longer an overtaken packet takes.", "被超过的包多花的时间。"),
            source "RFC 4737";
        /// Chance that a packet arrives twice.
        duplicate: Ppm = Ppm(0), range Ppm(0) => Ppm(1_000_000), step Ppm(1_000),
            slider Ppm(0) => Ppm(200_000), applies live,
            name ("Duplication", "重复率"),
            help ("Chance that a packet arrives twice.", "数据包到达两次的概率。"),
            source "RFC 5560";
        /// What goes wrong, by number.
        rules: Lines = Lines::NONE, lines rules::check, applies restart,
            name ("Rules", "规则"),
            help ("What goes wrong, by number: drop data 3, delay all 5..6 back 2ms, dup data 6.",
                "按编号指定的故障：drop data 3、delay all 5..6 back 2ms、dup data 6。"),
            source "our own";
    }
}

impl WireParams {
    /// How long a packet's own bits occupy it, rounded down to a nanosecond.
    pub fn sending(&self, segment: &Segment) -> SimSpan {
        if self.rate == BitRate::UNLIMITED {
            return SimSpan::ZERO;
        }
        let bytes = u64::from(segment.ip_bytes()).max(self.least.0) + self.framing.0;
        let ns = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.rate.0.max(1));
        SimSpan::ns(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// The settings of one direction.
    fn way(&self, lane: Lane) -> Way {
        let back = if lane.is_back() { self.back_extra } else { SimSpan::ZERO };
        let from = SimTime::ZERO + self.outage_from;
        // Ranges keep sizes inside 32 bits.
        let bytes = |Bytes(n): Bytes| n as u32;
        Way {
            rate: self.rate,
            delay: self.delay + back,
            queue_limit: (self.queue_limit != Amount::UNLIMITED).then_some(self.queue_limit.0),
            loss: self.loss,
            reorder: self.reorder,
            reorder_by: self.reorder_by,
            duplicate: self.duplicate,
            outage: (!self.outage.is_zero()).then(|| (from, from + self.outage)),
            framing: bytes(self.framing),
            least: bytes(self.least),
        }
    }
}

/// A wire of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct WireNode {
    /// Its settings as they are now.
    pub params: WireParams,
    /// The hosts that it joins: from, to.
    pub hosts: [HostId; 2],
    /// Wake-ups of the two directions.
    pub timers: [Timer; 2],
    /// It carries nothing: a fault cut a channel over it.
    pub is_cut: bool,
    /// What carries.
    pub machine: Wire,
}

impl WireNode {
    /// A wire between two hosts; `path` is the hash of its id, for random draws.
    pub fn new(path: u64, hosts: [HostId; 2], params: &WireParams) -> WireNode {
        let timers = [Timer::default(), Timer::default()];
        let [forth, back] = [Lane::Forth, Lane::Back].map(|lane| params.way(lane));
        // The text was checked when the parameter was set.
        let rules = rules::parse(&params.rules.0.join("\n")).unwrap_or_default();
        let machine = Wire::new(forth, back, rules, path);
        WireNode { params: params.clone(), hosts, timers, is_cut: false, machine }
    }

    /// Changes a live parameter: packets that are under way keep their times.
    pub fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        self.params.set(index, value)?;
        for lane in [Lane::Forth, Lane::Back] {
            self.machine.ways[lane.index()].way = self.params.way(lane);
        }
        Ok(())
    }

    /// Puts a packet on the wire; an error says why it is lost.
    pub fn send(
        &mut self,
        lane: Lane,
        now: SimTime,
        frame: Frame,
        streams: Streams,
    ) -> Result<(), Lost> {
        if self.is_cut {
            return Err(Lost::Cut);
        }
        if self.params.mtu.0 < u64::from(frame.segment.ip_bytes()) {
            return Err(Lost::TooBig);
        }
        match self.machine.send(lane, now, frame, streams) {
            Sent::Flying { .. } => Ok(()),
            Sent::Lost(Loss::QueueFull) => Err(Lost::Queue),
            Sent::Lost(Loss::Rule) => Err(Lost::Rule),
            Sent::Lost(Loss::Chance) => Err(Lost::Chance),
            Sent::Lost(Loss::Outage) => Err(Lost::Outage),
        }
    }

    /// The MTU in bytes, with room for at least one byte of payload.
    pub fn mtu(&self) -> u32 {
        let least = u64::from(IP_HEADER + TCP_HEADER + 1);
        self.params.mtu.0.clamp(least, u64::from(u16::MAX)) as u32
    }
}
