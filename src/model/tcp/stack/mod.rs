//! STUB
pub mod profile;
pub mod timers;
use crate::kernel::SimTime;
use crate::model::tcp::*;
pub use profile::{LinuxParams, RfcParams, StackParams};
/// stub
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Socket {
    open: bool,
    una: u64,
    nxt: u64,
    written: u64,
    rcv: u64,
    read: u64,
    ack_due: Option<SimTime>,
    since: SimTime,
    nodelay: bool,
    listening: bool,
}
#[allow(missing_docs)]
impl Socket {
    pub fn new(_p: &StackParams, _mtu: u32) -> Socket {
        Socket::default()
    }
    pub fn connect(&mut self, _now: SimTime, out: &mut Outbox) {
        self.nxt = 1;
        out.segments.push(Segment { flags: Flags::SYN, ..Segment::default() });
    }
    pub fn listen(&mut self) {
        self.listening = true;
    }
    fn ack(&mut self, out: &mut Outbox, seq: u64, len: u32) {
        self.ack_due = None;
        out.segments.push(Segment {
            flags: Flags::ACK,
            seq,
            ack: self.rcv,
            len,
            window: 65535,
            ..Segment::default()
        });
    }
    pub fn on_segment(&mut self, now: SimTime, s: &Segment, out: &mut Outbox) {
        if s.flags.has(Flags::SYN) {
            self.rcv = 1;
            self.read = 1;
            if s.flags.has(Flags::ACK) {
                self.una = 1;
                self.open = true;
                self.written = 1;
                self.ack(out, 1, 0);
                out.signals.push(Signal::Connected);
            } else {
                self.nxt = 1;
                self.written = 1;
                out.segments.push(Segment {
                    flags: Flags::SYN.with(Flags::ACK),
                    ack: 1,
                    ..Segment::default()
                });
            }
            return;
        }
        if !self.open {
            self.open = true;
            out.signals.push(Signal::Connected);
        }
        self.una = self.una.max(s.ack);
        if s.len > 0 {
            self.rcv = s.seq + s.len as u64;
            self.ack_due = Some(now + crate::kernel::SimSpan::ms(40));
            self.since = now;
            out.signals.push(Signal::Readable);
        }
        self.go(out);
    }
    fn go(&mut self, out: &mut Outbox) {
        while self.nxt < self.written {
            let len = (self.written - self.nxt).min(1448) as u32;
            if len < 1448 && self.una < self.nxt && !self.nodelay {
                break;
            }
            if self.nxt - self.una > 100_000 {
                break;
            }
            let seq = self.nxt;
            self.nxt += len as u64;
            self.ack(out, seq, len);
        }
    }
    pub fn on_wake(&mut self, now: SimTime, out: &mut Outbox) {
        if self.ack_due.is_some_and(|a| a <= now) {
            self.ack(out, self.nxt, 0);
        }
    }
    pub fn next_wake(&self) -> Option<SimTime> {
        self.ack_due
    }
    pub fn timers(&self) -> impl Iterator<Item = Running> {
        let since = self.since;
        self.ack_due.map(|due| Running { kind: TimerKind::DelayedAck, since, due }).into_iter()
    }
    pub fn write(
        &mut self,
        _now: SimTime,
        bytes: u32,
        _more: bool,
        out: &mut Outbox,
    ) -> Result<u32, Errno> {
        let room = (self.una + 200_000).saturating_sub(self.written).min(bytes as u64);
        self.written += room;
        self.go(out);
        Ok(room as u32)
    }
    pub fn read(&mut self, _now: SimTime, most: u32, _out: &mut Outbox) -> Result<u32, Errno> {
        let n = (self.rcv - self.read).min(most as u64);
        self.read += n;
        Ok(n as u32)
    }
    pub fn hold(&self) -> Option<Hold> {
        (self.nxt < self.written).then_some(Hold::Nagle)
    }
    pub fn gauges(&self) -> Gauges {
        Gauges {
            una: self.una,
            nxt: self.nxt,
            written: self.written,
            rcv_nxt: self.rcv,
            rcv_read: self.read,
            ..Gauges::default()
        }
    }
    pub fn shutdown(&mut self, _n: SimTime, _o: &mut Outbox) {}
    pub fn close(&mut self, _n: SimTime, _o: &mut Outbox) {}
    pub fn abort(&mut self, _n: SimTime, _o: &mut Outbox) {}
}
