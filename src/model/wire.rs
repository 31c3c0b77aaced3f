//! STUB
use crate::kernel::{SimSpan, SimTime};
use crate::model::channel::tcp::{Frame, Sent};
use crate::param::{BitRate, Bytes};
use std::collections::VecDeque;
params! {
    /// A wire.
    pub struct WireParams for "wire" {
        /// Bits per second.
        rate: BitRate = BitRate(100_000_000), range BitRate(1) => BitRate::UNLIMITED, scale log,
            slider BitRate(1_000) => BitRate::UNLIMITED, applies live,
            name ("Bit rate", "比特率"),
            help ("How fast bytes are put on the wire.", "字节送上链路的速率。"),
            source "serialisation delay = bits / rate";
        /// Delay.
        delay: SimSpan = SimSpan::ms(1), range SimSpan::ZERO => SimSpan::s(600), scale log,
            slider SimSpan::us(10) => SimSpan::s(10), applies live,
            name ("Delay, each way", "单程延迟"),
            help ("How long a packet is on its way, in each direction.", "单向传播所需的时间。"),
            source "propagation delay, RFC 7679";
    }
}
/// stub
#[derive(Clone, PartialEq, Debug)]
pub struct Wire {
    pub params: WireParams,
    pub lanes: [VecDeque<(SimTime, Frame)>; 2],
    busy: [SimTime; 2],
}
#[allow(missing_docs)]
impl Wire {
    pub fn new(params: WireParams) -> Wire {
        Wire { params, lanes: Default::default(), busy: [SimTime::ZERO; 2] }
    }
    pub fn send(&mut self, d: usize, now: SimTime, mut frame: Frame) -> Sent {
        let start = now.max(self.busy[d]);
        let t = self.params.rate.time_for(u64::from(frame.segment.ip_bytes()));
        frame.waited = start.since(now).as_ns();
        frame.sending = t.as_ns();
        self.busy[d] = start + t;
        self.lanes[d].push_back((start + t + self.params.delay, frame));
        let _ = Bytes(1);
        let _ = SimSpan::ZERO;
        Sent::Flying
    }
    pub fn arrive(&mut self, d: usize, now: SimTime) -> Option<Frame> {
        if self.lanes[d].front()?.0 <= now { self.lanes[d].pop_front().map(|x| x.1) } else { None }
    }
    pub fn set(&mut self, i: u8, v: &crate::param::Value) -> Result<(), crate::param::Reason> {
        self.params.set(i, v)
    }
    pub fn next(&self, d: usize) -> Option<SimTime> {
        self.lanes[d].front().map(|x| x.0)
    }
}
