//! The application on a real stack: what the records' programs do in callbacks and at times.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::plan::{CONNS_LIMIT, Kind, Op, kind, scripted};
use super::setup::{list, number, number_or, sizes, switch_or};
use crate::kernel::{SimSpan, SimTime};
use crate::model::stm32::board::Program as Runs;
use crate::model::tcp::lwip::memory::PbufId;
use crate::model::tcp::lwip::{Addr, Answer, App, Event, Fail, Frame, From, PcbId, Stack};

/// The first port of a server, and of scripted clients; connection `i` has the `i`-th after it.
pub const FIRST_PORT: u16 = 8080;
/// The port that a stack under test listens at.
pub const SERVER_PORT: u16 = 80;
/// Where the other host is.
const PEER_HOST: u32 = 1;
/// Where the bytes of writes without a copy lie.
const ROM_ADDRESS: u64 = 0x0800_0000;

/// Which end opens connections, and where the listener is.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// It listens at a port.
    Server { port: u16 },
    /// It opens connection `i` to the `i`-th port from the first, at a time.
    Client { first_port: u16, at_us: u64 },
}

/// One connection of the application.
#[derive(Clone, Debug, Default)]
struct Conn {
    pcb: Option<PcbId>,
    /// The program runs: its time has come, and it has a connection (complete or not).
    is_started: bool,
    may_start: bool,
    /// The program closed it, and hears no more.
    is_closed: bool,
    held: Option<PbufId>,
    n_held: u32,
    /// Bytes of a reply or request that arrived.
    got: u64,
    /// Requests, writes or bytes that are left.
    left: u64,
    /// When the present request began.
    request_at_us: Option<u64>,
    /// Bytes written without a copy.
    rom_offset: u64,
}

/// The program on one stack.
#[derive(Debug)]
pub struct Program {
    who: &'static str,
    role: Role,
    /// The other end is a stack too, whose connections are told apart by order.
    counts_conns: bool,
    kind: Kind,
    copy: bool,
    output_each: bool,
    nodelay: bool,
    hold: bool,
    poll: u8,
    reply: Option<(u64, Vec<u32>)>,
    start_at_us: u64,
    total: u64,
    refuses: bool,
    conns: Vec<Conn>,
    /// Future operations: time, order of planning, what.
    pub ops: VecDeque<(u64, u64, Op)>,
    n_planned: u64,
    /// The time of the present pass.
    pub now_us: u64,
    /// What it did and heard since somebody took it away.
    pub log: Vec<Value>,
    /// Frames that it caused.
    pub frames: Vec<Frame>,
    /// Start, end of each exchange.
    pub latencies: Vec<(u64, u64)>,
}

impl Program {
    /// The program of `app`; `counts_conns` if the other end is a stack too.
    pub fn new(
        app: &Value,
        who: &'static str,
        role: Role,
        counts_conns: bool,
    ) -> Result<Program, String> {
        let n_conns = number_or(app, "conns", 1)?.min(CONNS_LIMIT) as usize;
        let (kind, total) = kind(app)?;
        let reply = if app["kind"] == "reply" { app } else { &app["reply"] };
        let reply = if reply.is_null() {
            None
        } else {
            Some((number(reply, "req_bytes")?, sizes(reply, "sizes")?))
        };
        let mut program = Program {
            who,
            role,
            counts_conns,
            kind,
            copy: switch_or(app, "copy", true),
            output_each: switch_or(app, "output_each", true),
            nodelay: switch_or(app, "nodelay", false),
            hold: switch_or(app, "hold", false),
            poll: number_or(app, "poll", 0)? as u8,
            reply,
            start_at_us: number_or(app, "at_us", 0)?,
            total,
            refuses: false,
            conns: vec![Conn { left: total, ..Conn::default() }; n_conns],
            ops: VecDeque::new(),
            n_planned: 0,
            now_us: 0,
            log: Vec::new(),
            frames: Vec::new(),
            latencies: Vec::new(),
        };
        if let (Role::Client { at_us, .. }, false) =
            (role, switch_or(app, "no_auto_connect", false))
        {
            (0..n_conns).for_each(|conn| program.plan(at_us, Op::Connect(conn)));
        }
        for op in list(app, "ops")? {
            let conn = number_or(op, "conn", 0)?.min(CONNS_LIMIT) as usize;
            program.make_room(conn);
            program.plan(number(op, "at_us")?, scripted(op)?);
        }
        (0..n_conns).for_each(|conn| program.plan(program.start_at_us, Op::Start(conn)));
        Ok(program)
    }

    /// When it next does something by itself.
    pub fn next_op_us(&self) -> Option<u64> {
        self.ops.front().map(|(at, ..)| *at)
    }

    /// Listens, if it is a server.
    pub fn boot(&mut self, stack: &mut Stack) -> Result<(), String> {
        let Role::Server { port } = self.role else { return Ok(()) };
        let done = stack.listen(SimTime::ZERO, self, port);
        done.map_err(|fail| format!("cannot listen: {fail:?}"))
    }

    /// Does everything that is due at `now_us`.
    pub fn run_ops(&mut self, stack: &mut Stack) {
        while self.next_op_us().is_some_and(|at| at <= self.now_us) {
            let (_, _, op) = self.ops.pop_front().expect("it was seen");
            self.run_op(stack, op);
            self.fetch(stack);
        }
    }

    fn plan(&mut self, at_us: u64, op: Op) {
        let place = self.ops.iter().position(|(at, ..)| at_us < *at).unwrap_or(self.ops.len());
        self.ops.insert(place, (at_us, self.n_planned, op));
        self.n_planned += 1;
    }

    fn now(&self) -> SimTime {
        SimTime::ZERO + SimSpan::us(self.now_us)
    }

    /// Takes away what the stack handed to the device, and notes what the device refused.
    pub fn fetch(&mut self, stack: &mut Stack) {
        for frame in stack.take_frames() {
            if !frame.is_sent {
                let fields = json!({ "pbufs": frame.n_pbufs, "err": Fail::If as i32 });
                self.note("netif_tx_failed", fields);
            }
            self.frames.push(frame);
        }
    }

    /// Notes an event behind what the stack did before.
    fn say(&mut self, stack: &mut Stack, event: &str, fields: Value) {
        self.fetch(stack);
        self.note(event, fields);
    }

    fn note(&mut self, event: &str, fields: Value) {
        let mut row = json!({ "t_us": self.now_us, "who": self.who, "ev": event });
        if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), fields) {
            row.extend(fields);
        }
        self.log.push(row);
    }

    fn run_op(&mut self, stack: &mut Stack, op: Op) {
        match op {
            Op::Connect(conn) => self.connect(stack, conn),
            Op::Start(conn) => {
                self.conns[conn].may_start = true;
                self.start(stack, conn);
            }
            Op::Request(conn) => self.request(stack, conn),
            Op::Periodic(conn) => self.write_periodic(stack, conn),
            Op::Write { conn, len, output } => {
                let _ = self.write(stack, conn, len);
                if output {
                    self.output(stack, conn);
                }
            }
            Op::Output(conn) => self.output(stack, conn),
            Op::Consume(conn, bytes) => self.consume(stack, conn, bytes),
            Op::Refuse(on) => self.refuses = on,
            Op::Nodelay(conn, on) => {
                if let Some((pcb, _)) = self.conns[conn].pcb.and_then(|id| stack.pcb_mut(id)) {
                    pcb.set_nodelay(on);
                }
            }
            Op::Close(conn) => {
                let Some(id) = self.conns[conn].pcb else { return };
                self.conns[conn].is_closed = true;
                let done = stack.close(self.now(), id);
                let err = done.map_or_else(|fail| fail as i32, |()| 0);
                self.say(stack, "close", json!({ "conn": conn, "err": err }));
            }
            Op::Abort(conn) => {
                if let Some(id) = self.conns[conn].pcb {
                    stack.abort(self.now(), self, id);
                }
            }
            Op::TxFail(count) => stack.core.netif.tx_fail = count,
        }
    }

    fn connect(&mut self, stack: &mut Stack, conn: usize) {
        let now = self.now();
        let Ok(id) = stack.new_pcb(now, self) else {
            self.say(stack, "tcp_new_failed", json!({ "conn": conn }));
            return;
        };
        self.conns[conn].pcb = Some(id);
        if let Some((pcb, _)) = stack.pcb_mut(id) {
            pcb.pollinterval = self.poll;
        }
        let Role::Client { first_port, .. } = self.role else { return };
        let peer_port = first_port + conn as u16;
        let done = stack.connect(now, id, Addr { port: 0, peer: PEER_HOST, peer_port });
        let err = done.map_or_else(|fail| fail as i32, |()| 0);
        self.say(stack, "connect", json!({ "conn": conn, "err": err }));
    }

    /// Begins the program's own work once the time has come and there is a connection; one may
    /// write before the handshake is over.
    fn start(&mut self, stack: &mut Stack, conn: usize) {
        let state = &mut self.conns[conn];
        if !state.may_start || state.pcb.is_none() || state.is_started {
            return;
        }
        state.is_started = true;
        match self.kind {
            Kind::Script => {}
            Kind::RequestResponse(_) => self.request(stack, conn),
            Kind::Periodic { .. } => self.write_periodic(stack, conn),
            Kind::Burst { .. } | Kind::Stream { .. } => self.go_on(stack, conn),
        }
    }

    /// Writes what a burst or a stream has left, as far as it goes.
    fn go_on(&mut self, stack: &mut Stack, conn: usize) {
        if !self.conns[conn].is_started {
            return;
        }
        match self.kind {
            Kind::Burst { size } => {
                if self.conns[conn].left == 0 {
                    return;
                }
                while 0 < self.conns[conn].left {
                    if self.write(stack, conn, size).is_err() {
                        break;
                    }
                    self.conns[conn].left -= 1;
                    if self.output_each {
                        self.output(stack, conn);
                    }
                }
                if !self.output_each {
                    self.output(stack, conn);
                }
            }
            Kind::Stream { chunk } => {
                if self.conns[conn].left == 0 {
                    return;
                }
                while 0 < self.conns[conn].left {
                    let id = self.conns[conn].pcb;
                    let room = id.and_then(|id| stack.pcb(id)).map_or(0, |pcb| pcb.snd_buf);
                    let len = self.conns[conn].left.min(u64::from(room.min(chunk))) as u32;
                    if len == 0 || self.write(stack, conn, len).is_err() {
                        break;
                    }
                    self.conns[conn].left -= u64::from(len);
                }
                self.output(stack, conn);
            }
            _ => {}
        }
    }

    fn request(&mut self, stack: &mut Stack, conn: usize) {
        let Kind::RequestResponse(exchange) = &self.kind else { return };
        if self.conns[conn].left == 0 {
            return;
        }
        let sizes = exchange.sizes.clone();
        if let Some(period_us) = exchange.period_us {
            self.plan(self.now_us + period_us, Op::Request(conn));
        }
        self.conns[conn].left -= 1;
        self.conns[conn].request_at_us = Some(self.now_us);
        self.say(stack, "request_start", json!({ "conn": conn }));
        self.write_all(stack, conn, &sizes);
    }

    fn write_periodic(&mut self, stack: &mut Stack, conn: usize) {
        let Kind::Periodic { period_us, sizes } = self.kind.clone() else { return };
        if self.conns[conn].left == 0 {
            return;
        }
        self.conns[conn].left -= 1;
        self.plan(self.now_us + period_us, Op::Periodic(conn));
        self.write_all(stack, conn, &sizes);
    }

    fn write_all(&mut self, stack: &mut Stack, conn: usize, sizes: &[u32]) {
        for size in sizes {
            let _ = self.write(stack, conn, *size);
            if self.output_each {
                self.output(stack, conn);
            }
        }
        if !self.output_each {
            self.output(stack, conn);
        }
    }

    fn write(&mut self, stack: &mut Stack, conn: usize, len: u32) -> Result<(), Fail> {
        let state = &mut self.conns[conn];
        let from = if self.copy {
            From::Copy
        } else {
            From::Rom { address: ROM_ADDRESS + state.rom_offset }
        };
        let pcb = state.pcb.and_then(|id| stack.pcb_mut(id));
        let done = pcb.map_or(Err(Fail::Conn), |(pcb, core)| pcb.write(core, len, from, false));
        if done.is_ok() {
            state.rom_offset += u64::from(len);
        }
        let err = done.map_or_else(|fail| fail as i32, |()| 0);
        self.say(stack, "write", json!({ "conn": conn, "len": len, "err": err }));
        done
    }

    fn output(&mut self, stack: &mut Stack, conn: usize) {
        stack.core.now = self.now();
        let Some((pcb, core)) = self.conns[conn].pcb.and_then(|id| stack.pcb_mut(id)) else {
            return;
        };
        if let Err(fail) = pcb.output(core) {
            self.say(stack, "output", json!({ "conn": conn, "err": fail as i32 }));
        }
    }

    fn consume(&mut self, stack: &mut Stack, conn: usize, bytes: u32) {
        let state = &mut self.conns[conn];
        let n = if bytes == 0 { state.n_held } else { bytes.min(state.n_held) };
        let (Some(chain), Some(id), true) = (state.held, state.pcb, 0 < n) else { return };
        state.held = stack.core.memory.free_front(chain, n);
        state.n_held -= n;
        self.recved(stack, conn, id, n);
    }

    fn recved(&mut self, stack: &mut Stack, conn: usize, id: PcbId, n: u32) {
        self.say(stack, "recved", json!({ "conn": conn, "len": n }));
        stack.recved(self.now(), id, n);
        self.fetch(stack);
    }

    /// Which connection a callback is about.
    fn conn_of(&mut self, pcb: PcbId, addr: Addr) -> usize {
        let place = self.conns.iter().position(|conn| conn.pcb == Some(pcb));
        if let Some(place) = place {
            return place;
        }
        let place = if self.counts_conns {
            self.conns.iter().position(|conn| conn.pcb.is_none()).unwrap_or(self.conns.len())
        } else {
            usize::from(addr.peer_port.saturating_sub(FIRST_PORT))
        };
        self.make_room(place);
        self.conns[place].pcb = Some(pcb);
        place
    }

    /// Makes sure that there is a connection `conn`.
    fn make_room(&mut self, conn: usize) {
        while self.conns.len() <= conn {
            let next = self.conns.len();
            self.conns.push(Conn { left: self.total, ..Conn::default() });
            self.plan(self.start_at_us.max(self.now_us), Op::Start(next));
        }
    }

    fn on_up(&mut self, stack: &mut Stack, pcb: PcbId, conn: usize) {
        if let Some((pcb, _)) = stack.pcb_mut(pcb) {
            pcb.pollinterval = self.poll;
            if self.nodelay {
                pcb.set_nodelay(true);
            }
        }
        self.start(stack, conn);
    }

    fn on_data(
        &mut self,
        stack: &mut Stack,
        pcb: PcbId,
        conn: usize,
        chain: PbufId,
        len: u32,
    ) -> Answer {
        if self.refuses {
            self.say(stack, "refuse", json!({ "conn": conn, "len": len }));
            return Answer::Refuse;
        }
        let n_pbufs = stack.core.memory.count(chain);
        self.say(stack, "recv", json!({ "conn": conn, "len": len, "pbufs": n_pbufs }));
        if self.hold {
            let state = &mut self.conns[conn];
            match state.held {
                Some(head) => stack.core.memory.cat(head, chain),
                None => state.held = Some(chain),
            }
            state.n_held += len;
            return Answer::Ok;
        }
        let in_callback = matches!(&self.kind, Kind::RequestResponse(e) if e.in_callback);
        if !in_callback {
            self.count_reply(stack, conn, len);
        }
        self.recved(stack, conn, pcb, len);
        stack.core.memory.free(chain);
        if in_callback {
            self.count_reply(stack, conn, len);
        }
        self.answer_requests(stack, conn, len);
        Answer::Ok
    }

    /// A request is done when its reply is complete; the next follows.
    fn count_reply(&mut self, stack: &mut Stack, conn: usize, len: u32) {
        let Kind::RequestResponse(exchange) = self.kind.clone() else { return };
        self.conns[conn].got += u64::from(len);
        while exchange.reply_bytes <= self.conns[conn].got {
            let Some(began) = self.conns[conn].request_at_us else { return };
            self.conns[conn].got -= exchange.reply_bytes;
            self.conns[conn].request_at_us = None;
            self.latencies.push((began, self.now_us));
            self.say(stack, "request_done", json!({ "conn": conn }));
            if exchange.in_callback {
                self.request(stack, conn);
            } else if exchange.period_us.is_none() && 0 < self.conns[conn].left {
                self.plan(self.now_us + exchange.think_us, Op::Request(conn));
            }
        }
    }

    fn answer_requests(&mut self, stack: &mut Stack, conn: usize, len: u32) {
        let Some((req_bytes, sizes)) = self.reply.clone() else { return };
        self.conns[conn].got += u64::from(len);
        while 0 < req_bytes && req_bytes <= self.conns[conn].got {
            self.conns[conn].got -= req_bytes;
            self.say(stack, "reply_start", json!({ "conn": conn }));
            self.write_all(stack, conn, &sizes);
        }
    }
}

impl App for Program {
    fn on(&mut self, stack: &mut Stack, pcb: PcbId, addr: Addr, event: Event) -> Answer {
        if event == Event::AcceptFailed {
            self.say(stack, "accept", json!({ "conn": -1 }));
            return Answer::Ok;
        }
        let conn = self.conn_of(pcb, addr);
        if self.conns[conn].is_closed {
            return hear_nothing(stack, event);
        }
        match event {
            Event::Connected => {
                self.say(stack, "connected", json!({ "conn": conn }));
                self.on_up(stack, pcb, conn);
            }
            Event::Accept => {
                self.say(stack, "accept", json!({ "conn": conn }));
                self.on_up(stack, pcb, conn);
            }
            Event::AcceptFailed => {}
            Event::Sent(len) => {
                self.say(stack, "sent", json!({ "conn": conn, "len": len }));
                self.go_on(stack, conn);
            }
            Event::Recv { chain, len } => return self.on_data(stack, pcb, conn, chain, len),
            Event::PeerClosed => self.say(stack, "eof", json!({ "conn": conn })),
            Event::Poll => {
                if 0 < self.poll {
                    self.say(stack, "poll", json!({ "conn": conn }));
                    self.go_on(stack, conn);
                }
            }
            Event::Err(fail) => {
                self.say(stack, "err", json!({ "conn": conn, "err": fail as i32 }));
                if let Some(chain) = self.conns[conn].held.take() {
                    stack.core.memory.free(chain);
                }
                self.conns[conn] = Conn { pcb: None, ..self.conns[conn].clone() };
            }
        }
        Answer::Ok
    }
}

/// Without callbacks lwIP frees what arrives. `tcp.c:tcp_recv_null`.
fn hear_nothing(stack: &mut Stack, event: Event) -> Answer {
    if let Event::Recv { chain, .. } = event {
        stack.core.memory.free(chain);
    }
    Answer::Ok
}

impl Runs for Program {
    fn next_due(&self) -> Option<SimTime> {
        self.next_op_us().map(|us| SimTime::ZERO + SimSpan::us(us))
    }

    fn begin(&mut self, now: SimTime) {
        self.now_us = now.ns() / 1_000;
    }

    fn work(&mut self, _now: SimTime, stack: &mut Stack) {
        self.run_ops(stack);
    }

    fn take_frames(&mut self, stack: &mut Stack) -> Vec<Frame> {
        self.fetch(stack);
        std::mem::take(&mut self.frames)
    }
}
