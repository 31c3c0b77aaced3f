//! The script: a program of timed steps on sockets, as one writes it to see what TCP does.
//!
//! Calls block as Linux's do: a write returns when all its bytes are in the send buffer, a read
//! when it has all it asked for or the other end closed. A `write` is a message; it is delivered
//! when the other script has read its last byte. Calls take no time. It leaves out threads, `poll`,
//! branches and what the bytes say. Read `docs/models/script.md` before editing.

pub mod parse;

use crate::kernel::{SimSpan, SimTime};
use crate::model::channel::tcp::StreamState;
use crate::model::fact::Fact;
use crate::model::ground::Ctx;
use crate::model::message::MsgId;
use crate::model::tcp::{Errno, SockOpt};
use crate::param::{Lines, Reason, Value};

pub use parse::{Op, Step};

params! {
    /// What a script does.
    pub struct ScriptParams for "script" {
        /// The steps.
        r#do: Lines = Lines::NONE, lines parse::check, applies restart,
            name ("Steps", "步骤"),
            help ("What it does, one step a line: write 100, read 200, sleep 5ms, repeat 10 { ... }.",
                "要做的事，每行一步：write 100、read 200、sleep 5ms、repeat 10 { ... }。"),
            source "docs/models/script.md";
    }
}

/// Steps that one call of the machine makes at most; then it goes on at the same instant.
const STEPS_AT_ONCE: u32 = 10_000;

/// What a script waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waits {
    /// Nothing: it goes on.
    Nothing,
    /// An instant.
    Until(SimTime),
    /// The handshake.
    Open,
    /// Room for the rest of its write of that message.
    Room(MsgId),
    /// So many more bytes.
    Bytes(u64),
    /// Any bytes.
    AnyByte,
    /// The other end's closing.
    End,
    /// Room in the send buffer.
    Writable,
    /// The script is over.
    Over,
    /// A call failed, and the script ended.
    Failed(Errno),
}

/// A script.
#[derive(Clone, PartialEq, Debug)]
pub struct Script {
    /// Its settings.
    pub params: ScriptParams,
    /// Its steps.
    pub steps: Vec<Step>,
    /// The step that it is at.
    pub at: u16,
    /// What that step waits for.
    pub waits: Waits,
    /// Since when.
    pub since: SimTime,
    /// The port that its steps concern.
    pub port: u16,
    /// `SO_RCVLOWAT`: a read takes nothing while less is there.
    least: u32,
    /// Turns still to make of the blocks around this step, the outermost first.
    loops: Vec<u32>,
}

impl Script {
    /// A script at its first step.
    pub fn new(params: ScriptParams) -> Script {
        // The text was checked when the parameter was set.
        let steps = parse::parse(&params.r#do.0.join("\n")).unwrap_or_default();
        Script {
            params,
            steps,
            at: 0,
            waits: Waits::Nothing,
            since: SimTime::ZERO,
            port: 0,
            least: 1,
            loops: Vec::new(),
        }
    }

    /// The run begins.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        self.since = cx.now();
        self.go_on(cx);
    }

    /// Its wake-up is due.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        self.go_on(cx);
    }

    /// Something about one of its sockets changed.
    pub fn on_stream(&mut self, cx: &mut Ctx<'_>) {
        self.go_on(cx);
    }

    /// When it goes on by itself.
    pub fn next_wake(&self) -> Option<SimTime> {
        match self.waits {
            Waits::Until(at) => Some(at),
            Waits::Nothing => Some(self.since),
            _ => None,
        }
    }

    /// Whether it opens its connections itself.
    pub fn connects(&self) -> bool {
        self.steps.iter().any(|step| step.op == Op::Connect)
    }

    /// The line that it is at, from 0; `None` when it is over.
    pub fn line(&self) -> Option<u16> {
        self.steps.get(usize::from(self.at)).map(|step| step.line)
    }

    /// The turn of the innermost block that it is in, from 1, and how many there are.
    pub fn turn(&self) -> Option<(u32, u32)> {
        let left = *self.loops.last()?;
        let mut depth = 0;
        for step in self.steps[..usize::from(self.at).min(self.steps.len())].iter().rev() {
            match step.op {
                Op::Again { .. } => depth += 1,
                Op::Repeat { .. } if 0 < depth => depth -= 1,
                Op::Repeat { times, .. } => return Some((times - left + 1, times)),
                _ => {}
            }
        }
        None
    }

    /// Its process dies.
    ///
    /// What it wrote is held by its channels, which state what becomes of it.
    pub fn on_crash(&mut self) {
        self.waits = Waits::Over;
    }

    /// It starts anew.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        *self = Script::new(self.params.clone());
        self.on_start(cx);
    }

    /// Moves what it waits for by the time that it stood still.
    pub fn postpone(&mut self, span: SimSpan) {
        if let Waits::Until(at) = &mut self.waits {
            *at += span;
        }
    }

    /// Changes a live parameter: it has none.
    pub fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        self.params.set(index, value)
    }

    /// Makes as many steps as it can.
    fn go_on(&mut self, cx: &mut Ctx<'_>) {
        for _ in 0..STEPS_AT_ONCE {
            let Some(step) = self.steps.get(usize::from(self.at)) else {
                if !matches!(self.waits, Waits::Failed(_)) {
                    self.wait(cx, Waits::Over);
                }
                return;
            };
            let waits = self.step(cx, step.op);
            if waits != Waits::Nothing {
                self.wait(cx, waits);
                return;
            }
            (self.waits, self.since) = (Waits::Nothing, cx.now());
        }
    }

    fn wait(&mut self, cx: &Ctx<'_>, waits: Waits) {
        let goes_on = std::mem::discriminant(&self.waits) == std::mem::discriminant(&waits);
        if !goes_on {
            self.since = cx.now();
        }
        if let Waits::Failed(_) = waits {
            self.at = self.steps.len() as u16;
        }
        self.waits = waits;
    }

    /// Makes or goes on with a step; `Waits::Nothing`: it is done, and `at` is the next one.
    fn step(&mut self, cx: &mut Ctx<'_>, op: Op) -> Waits {
        match op {
            Op::Repeat { times, .. } => self.loops.push(times),
            Op::Again { start } => {
                if let Some(left) = self.loops.last_mut() {
                    *left -= 1;
                    if 0 < *left {
                        self.at = start + 1;
                        return Waits::Nothing;
                    }
                    self.loops.pop();
                }
            }
            Op::On(number) => self.port = number - 1,
            Op::Sleep(span) => return self.sleep(cx.now(), cx.now() + span),
            Op::At(span) => return self.sleep(cx.now(), SimTime::ZERO + span),
            Op::Block(span) => {
                if !matches!(self.waits, Waits::Until(_)) {
                    cx.block(self.port, span);
                }
                return self.sleep(cx.now(), cx.now() + span);
            }
            _ => return self.on_socket(cx, op),
        }
        self.at += 1;
        Waits::Nothing
    }

    fn sleep(&mut self, now: SimTime, until: SimTime) -> Waits {
        let until = match self.waits {
            Waits::Until(at) => at,
            _ => until,
        };
        if until <= now {
            self.at += 1;
            return Waits::Nothing;
        }
        Waits::Until(until)
    }

    /// A step that concerns a socket.
    fn on_socket(&mut self, cx: &mut Ctx<'_>, op: Op) -> Waits {
        let port = self.port;
        let Some(socket) = (port < cx.n_ports()).then(|| cx.stream(port)).flatten() else {
            return Waits::Failed(Errno::NotConn);
        };
        // A call fails once the connection is over; what arrived before may still be read.
        if let Some(errno) = socket.broken {
            return Waits::Failed(errno);
        }
        if let Op::Set(option) = op {
            if let SockOpt::ReceiveLowWater(bytes) = option {
                self.least = bytes;
            }
            cx.set_option(port, option);
            self.at += 1;
            return Waits::Nothing;
        }
        if !socket.is_open {
            if op == Op::Connect && self.waits != Waits::Open {
                cx.connect(port);
            }
            return Waits::Open;
        }
        let waits = match op {
            Op::Write { bytes, more } => self.write(cx, bytes, more),
            Op::Burst { times, bytes } => self.burst(cx, times, bytes),
            Op::Read(bytes) => self.read(cx, bytes),
            Op::Recv(bytes) if 0 < socket.readable => match cx.read_stream(port, bytes) {
                // A board reads when its loop comes round.
                0 => Waits::AnyByte,
                _ => Waits::Nothing,
            },
            Op::Recv(_) if socket.is_over => Waits::Nothing,
            Op::Recv(_) => Waits::AnyByte,
            Op::Drain => self.drain(cx),
            Op::WaitWritable if 0 < socket.outside => Waits::Writable,
            Op::Shutdown => {
                cx.shutdown(port);
                Waits::Nothing
            }
            Op::Close => {
                cx.close(port);
                Waits::Nothing
            }
            _ => Waits::Nothing,
        };
        if waits == Waits::Nothing {
            self.at += 1;
        }
        waits
    }

    fn write(&mut self, cx: &mut Ctx<'_>, bytes: u32, more: bool) -> Waits {
        let port = self.port;
        let msg = match self.waits {
            Waits::Room(msg) => msg,
            _ => {
                let message = cx.new_message(u32::from(port), bytes);
                let (msg, by, key) = (message.id, cx.me, message.key);
                cx.fact(Fact::Sent { msg, by, key, bytes });
                cx.write_stream(port, &[message], more);
                msg
            }
        };
        match cx.stream(port) {
            Some(socket) if 0 < socket.outside => Waits::Room(msg),
            _ => Waits::Nothing,
        }
    }

    fn burst(&mut self, cx: &mut Ctx<'_>, times: u32, bytes: u32) -> Waits {
        let port = self.port;
        let msg = match self.waits {
            Waits::Room(msg) => msg,
            _ => {
                let mut messages = Vec::new();
                for _ in 0..times {
                    let message = cx.new_message(u32::from(port), bytes);
                    let (msg, by, key) = (message.id, cx.me, message.key);
                    cx.fact(Fact::Sent { msg, by, key, bytes });
                    messages.push(message);
                }
                cx.write_stream(port, &messages, false);
                messages.last().map_or(MsgId(0), |message| message.id)
            }
        };
        match cx.stream(port) {
            Some(socket) if 0 < socket.outside => Waits::Room(msg),
            _ => Waits::Nothing,
        }
    }

    fn read(&mut self, cx: &mut Ctx<'_>, bytes: u64) -> Waits {
        let left = match self.waits {
            Waits::Bytes(left) => left,
            _ => bytes,
        };
        let socket = cx.stream(self.port);
        let is_enough = |s: StreamState| s.is_over || left.min(u64::from(self.least)) <= s.readable;
        if !socket.is_some_and(is_enough) {
            return Waits::Bytes(left);
        }
        let left = left - cx.read_stream(self.port, left);
        let is_over = cx.stream(self.port).is_none_or(|s| s.is_over && s.readable == 0);
        if left == 0 || is_over { Waits::Nothing } else { Waits::Bytes(left) }
    }

    fn drain(&mut self, cx: &mut Ctx<'_>) -> Waits {
        let readable = cx.stream(self.port).map_or(0, |socket| socket.readable);
        if 0 < readable {
            cx.read_stream(self.port, readable);
        }
        let is_over = cx.stream(self.port).is_none_or(|s| s.is_over && s.readable == 0);
        if is_over { Waits::Nothing } else { Waits::End }
    }
}
