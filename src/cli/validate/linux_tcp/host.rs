//! A host that runs a script over one socket, with blocking calls as a process has them.

use super::record::{Op, Step};
use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::stack::{Socket, State};
use crate::model::tcp::{Errno, Outbox, Signal};

/// Largest receive call of a `drain`.
const DRAIN_BYTES: u32 = 65_536;

/// What a step did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// When it began.
    pub start: Option<SimTime>,
    /// When it ended.
    pub end: Option<SimTime>,
    /// What it returned.
    pub ret: Option<i64>,
    /// The error, if any.
    pub errno: Option<Errno>,
    /// What `TCP_INFO` says.
    pub info: Option<crate::model::tcp::stack::TcpInfo>,
}

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its end.
    pub socket: Socket,
    /// Its script.
    pub ops: Vec<Op>,
    /// What the steps did.
    pub done: Vec<Done>,
    /// The step it is at.
    pub at: usize,
    /// A timed step goes on then.
    pub until: Option<SimTime>,
    /// Bytes moved by the step it is at.
    moved: u32,
    may_block: bool,
    /// A refused write waits for the signal.
    is_refused: bool,
    /// Bytes that a receive call must bring.
    low_water: u32,
    connected: bool,
    broken: Option<Errno>,
}

/// How a step went.
enum Went {
    Over(i64),
    Failed(Errno),
    Waits,
}

impl Host {
    /// A host at the start of its script.
    pub fn new(socket: Socket, ops: Vec<Op>) -> Host {
        Host {
            socket,
            done: vec![Done::default(); ops.len()],
            ops,
            at: 0,
            until: None,
            moved: 0,
            may_block: true,
            is_refused: false,
            low_water: 1,
            connected: false,
            broken: None,
        }
    }

    /// Whether the script sleeps in a call for which there is news now.
    pub fn is_woken(&self) -> bool {
        let Some(op) = self.ops.get(self.at).filter(|_| self.until.is_none()) else {
            return false;
        };
        match op.step {
            Step::Accept => self.connected,
            Step::Connect => self.connected || self.broken.is_some(),
            Step::Write(..) => !self.is_refused,
            Step::Read(_) | Step::Recv(_) | Step::Drain => self.has_news(),
            _ => true,
        }
    }

    /// Hears what its socket says.
    pub fn hear(&mut self, signals: &[Signal]) {
        for signal in signals {
            match signal {
                Signal::Connected => self.connected = true,
                Signal::Writable => self.is_refused = false,
                Signal::Broken(errno) => {
                    self.broken = Some(*errno);
                    self.is_refused = false;
                }
                Signal::Readable | Signal::PeerClosed | Signal::Closed => {}
            }
        }
    }

    /// Runs the script as far as it goes now; whether it did anything.
    pub fn go_on(&mut self, now: SimTime, out: &mut Outbox) -> bool {
        let mut moved = false;
        while let Some(op) = self.ops.get(self.at) {
            let step = op.step;
            let done = &mut self.done[self.at];
            done.start.get_or_insert(now);
            let before = out.segments.len();
            let went = self.try_step(now, step, out);
            moved |= before < out.segments.len();
            let (ret, errno) = match went {
                Went::Waits => return moved,
                Went::Over(ret) => (ret, None),
                Went::Failed(errno) => (-1, Some(errno)),
            };
            let done = &mut self.done[self.at];
            (done.end, done.ret, done.errno) = (Some(now), Some(ret), errno);
            self.at += 1;
            self.moved = 0;
            moved = true;
        }
        moved
    }

    fn try_step(&mut self, now: SimTime, step: Step, out: &mut Outbox) -> Went {
        match step {
            Step::Listen => match self.socket.state() {
                State::Closed => {
                    self.socket.listen();
                    Went::Over(0)
                }
                _ => Went::Failed(Errno::NotConn),
            },
            Step::Accept => match self.connected {
                true => Went::Over(0),
                false => Went::Waits,
            },
            Step::Connect => self.connect(now, out),
            Step::Set(option) => {
                if let crate::model::tcp::SockOpt::ReceiveLowWater(bytes) = option {
                    self.low_water = bytes;
                }
                match self.socket.set(now, option, out) {
                    Ok(()) => Went::Over(0),
                    Err(errno) => Went::Failed(errno),
                }
            }
            Step::NonBlocking(on) => {
                self.may_block = !on;
                Went::Over(0)
            }
            Step::At(us) => self.wait(now, SimTime::from_ns(us * 1_000)),
            Step::Sleep(us) => {
                let until = self.until.unwrap_or(now + SimSpan::us(us));
                self.wait(now, until)
            }
            Step::Write(bytes, more) => self.write(now, bytes, more, out),
            Step::Read(bytes) => self.read(now, bytes, out),
            Step::Recv(bytes) => self.receive(now, bytes, out),
            Step::Drain => self.drain(now, out),
            Step::Shutdown => {
                self.socket.shutdown(now, out);
                Went::Over(0)
            }
            Step::Close => {
                self.socket.close(now, out);
                Went::Over(0)
            }
            Step::Info => {
                self.done[self.at].info = Some(self.socket.tcp_info());
                Went::Over(0)
            }
        }
    }

    fn wait(&mut self, now: SimTime, until: SimTime) -> Went {
        if now < until {
            self.until = Some(until);
            return Went::Waits;
        }
        self.until = None;
        Went::Over(0)
    }

    fn connect(&mut self, now: SimTime, out: &mut Outbox) -> Went {
        if self.socket.state() == State::Closed && self.broken.is_none() && self.moved == 0 {
            self.moved = 1;
            self.socket.connect(now, out);
            return Went::Waits;
        }
        match (self.connected, self.broken.take()) {
            (_, Some(errno)) => Went::Failed(errno),
            (true, None) => Went::Over(0),
            (false, None) => Went::Waits,
        }
    }

    fn write(&mut self, now: SimTime, bytes: u32, more: bool, out: &mut Outbox) -> Went {
        if self.is_refused && self.may_block {
            return Went::Waits;
        }
        while self.moved < bytes {
            match self.socket.write(now, bytes - self.moved, more, out) {
                Ok(n) => self.moved += n,
                Err(Errno::Again) if self.may_block => {
                    self.is_refused = true;
                    return Went::Waits;
                }
                Err(errno) => {
                    return match self.moved {
                        0 => Went::Failed(errno),
                        n => Went::Over(i64::from(n)),
                    };
                }
            }
            if !self.may_block {
                break;
            }
        }
        Went::Over(i64::from(self.moved))
    }

    /// Whether a receive call is woken.
    fn has_news(&self) -> bool {
        let is_enough = self.low_water <= self.socket.readable();
        is_enough || self.socket.at_end_of_stream() || self.socket.state() == State::Closed
    }

    fn read(&mut self, now: SimTime, bytes: u32, out: &mut Outbox) -> Went {
        while self.moved < bytes {
            match self.socket.read(now, bytes - self.moved, out) {
                Ok(0) => break,
                Ok(n) => self.moved += n,
                Err(Errno::Again) => return Went::Waits,
                Err(errno) => {
                    return match self.moved {
                        0 => Went::Failed(errno),
                        n => Went::Over(i64::from(n)),
                    };
                }
            }
            if self.moved < bytes && !self.has_news() {
                return Went::Waits;
            }
        }
        Went::Over(i64::from(self.moved))
    }

    fn receive(&mut self, now: SimTime, bytes: u32, out: &mut Outbox) -> Went {
        match self.socket.read(now, bytes, out) {
            Ok(n) => Went::Over(i64::from(n)),
            Err(Errno::Again) if self.may_block => Went::Waits,
            Err(errno) => Went::Failed(errno),
        }
    }

    fn drain(&mut self, now: SimTime, out: &mut Outbox) -> Went {
        loop {
            match self.socket.read(now, DRAIN_BYTES, out) {
                Ok(0) => return Went::Over(i64::from(self.moved)),
                Ok(n) => self.moved += n,
                Err(Errno::Again) => return Went::Waits,
                Err(errno) => return Went::Failed(errno),
            }
        }
    }
}
