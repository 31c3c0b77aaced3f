//! The scripted peer: an ideal TCP end without processing time, as the records document it.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::setup::{list, number, number_or, sizes};
use crate::model::tcp::{Flags, Segment};

/// When data are acknowledged that ask for nothing else.
#[derive(Clone, Copy, Debug)]
enum Acking {
    Immediate,
    Delayed { timeout_us: u64, every_segs: u64 },
}

/// What all scripted peers of a record share.
#[derive(Clone, Debug)]
pub struct Script {
    mss: u32,
    wnd: u32,
    acking: Acking,
    reply: Option<Reply>,
    writes: Vec<(u64, Vec<u32>)>,
    cwnd_segs: u64,
    rto_us: Option<u64>,
    syn_rto_us: Option<u64>,
    pauses: Vec<(u64, u64)>,
    /// More than one connection: events name theirs.
    names_conn: bool,
}

#[derive(Clone, Debug)]
struct Reply {
    req_bytes: u64,
    service_us: u64,
    sizes: Vec<u32>,
}

impl Script {
    /// The peer of a record.
    pub fn new(peer: &Value) -> Result<Script, String> {
        let app = &peer["app"];
        let ack = &peer["ack"];
        let acking = match ack["mode"].as_str() {
            Some("immediate") => Acking::Immediate,
            Some("delayed") => Acking::Delayed {
                timeout_us: number(ack, "timeout_us")?,
                every_segs: number_or(ack, "every_segs", 2)?,
            },
            _ => return Err(format!("`ack.mode` is {}", ack["mode"])),
        };
        let reply = match app["kind"].as_str() {
            Some("reply") => Some(Reply {
                req_bytes: number(app, "req_bytes")?.max(1),
                service_us: number_or(app, "service_us", 0)?,
                sizes: sizes(app, "sizes")?,
            }),
            Some("sink") => None,
            _ => return Err(format!("`peer.app.kind` is {}", app["kind"])),
        };
        let mut writes = Vec::new();
        for write in list(app, "writes")? {
            writes.push((number(write, "at_us")?, sizes(write, "sizes")?));
        }
        let mut pauses = Vec::new();
        for pause in list(app, "pauses")? {
            pauses.push((number(pause, "from_us")?, number(pause, "to_us")?));
        }
        Ok(Script {
            mss: number_or(peer, "mss", 1460)? as u32,
            wnd: number_or(peer, "wnd", 65_535)? as u32,
            acking,
            reply,
            writes,
            cwnd_segs: number_or(peer, "cwnd_segs", u64::MAX)?,
            rto_us: timeout(peer, "rto_us")?,
            syn_rto_us: timeout(peer, "syn_rto_us")?,
            pauses,
            names_conn: 1 < number_or(peer, "count", 1)?,
        })
    }
}

/// A timeout that may be missing; doubling one of 0 leads nowhere.
fn timeout(peer: &Value, key: &str) -> Result<Option<u64>, String> {
    match peer[key].as_u64() {
        Some(0) => Err(format!("`{key}` is 0, allowed: at least 1")),
        other => Ok(other),
    }
}

/// What a peer waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    Open,
    Write(usize),
    Reply,
    Pause,
    Resume,
    /// Of the timers only the newest setting counts.
    AckTimer(u64),
    Rto(u64),
    SynRto(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    SynSent,
    SynRcvd,
    Up,
    Over,
}

/// One connection's scripted end.
#[derive(Clone, Debug)]
pub struct Peer {
    script: Script,
    conn: usize,
    state: State,
    dut_mss: u32,
    dut_wnd: u64,
    una: u64,
    nxt: u64,
    /// One past the highest position ever sent.
    sent_end: u64,
    /// Ends of writes not wholly acknowledged.
    write_ends: VecDeque<u64>,
    queued_end: u64,
    /// Segments in flight: first position, end.
    flight: VecDeque<(u64, u64)>,
    dupacks: u32,
    rto_gen: u64,
    rto_runs: bool,
    rto_us: u64,
    rcv_nxt: u64,
    /// Data out of order: first position, end.
    ooo: Vec<(u64, u64)>,
    fin_at: Option<u64>,
    n_waiting: u64,
    ack_gen: u64,
    paused: bool,
    unread: u64,
    n_got: u64,
    due_writes: Vec<usize>,
    /// Filled by calls: segments, events, wake-ups wanted.
    pub out: Vec<Segment>,
    pub log: Vec<Value>,
    pub wakes: Vec<(u64, Wake)>,
}

impl Peer {
    /// The end of connection `conn`; its first wake-ups wait in `wakes`.
    pub fn new(script: &Script, conn: usize) -> Peer {
        let mut wakes = Vec::new();
        for (index, (at, _)) in script.writes.iter().enumerate() {
            wakes.push((*at, Wake::Write(index)));
        }
        for (from, to) in &script.pauses {
            wakes.push((*from, Wake::Pause));
            wakes.push((*to, Wake::Resume));
        }
        Peer {
            script: script.clone(),
            conn,
            state: State::Idle,
            dut_mss: 536,
            dut_wnd: 0,
            una: 0,
            nxt: 0,
            sent_end: 0,
            write_ends: VecDeque::new(),
            queued_end: 1,
            flight: VecDeque::new(),
            dupacks: 0,
            rto_gen: 0,
            rto_runs: false,
            rto_us: script.rto_us.unwrap_or(0),
            rcv_nxt: 0,
            ooo: Vec::new(),
            fin_at: None,
            n_waiting: 0,
            ack_gen: 0,
            paused: false,
            unread: 0,
            n_got: 0,
            due_writes: Vec::new(),
            out: Vec::new(),
            log: Vec::new(),
            wakes,
        }
    }

    /// A wake-up that it asked for.
    pub fn on_wake(&mut self, now: u64, wake: Wake) {
        match wake {
            Wake::Open => self.open(now),
            Wake::Write(index) if matches!(self.state, State::Up | State::Over) => {
                self.write(now, index);
            }
            Wake::Write(index) => self.due_writes.push(index),
            Wake::Reply => {
                let sizes = self.script.reply.clone().map(|reply| reply.sizes);
                self.write_sizes(now, &sizes.unwrap_or_default());
            }
            Wake::Pause => {
                self.paused = true;
                self.say(now, "pause_reading", json!({}));
            }
            Wake::Resume => self.resume(now),
            Wake::AckTimer(generation) => {
                if generation == self.ack_gen && 0 < self.n_waiting {
                    self.send_ack();
                }
            }
            Wake::Rto(generation) => self.on_rto(now, generation),
            Wake::SynRto(wait_us) => {
                if self.state == State::SynSent {
                    self.send_syn(Flags::SYN);
                    self.wakes.push((now + 2 * wait_us, Wake::SynRto(2 * wait_us)));
                }
            }
        }
    }

    /// A segment of the stack under test arrives.
    pub fn on_segment(&mut self, now: u64, seg: &Segment) {
        if self.state == State::Over {
            return;
        }
        if seg.flags.has(Flags::RST) {
            self.state = State::Over;
            self.rto_runs = false;
            self.n_waiting = 0;
            self.say(now, "reset", json!({}));
            return;
        }
        let same_window = self.dut_wnd == u64::from(seg.window);
        self.dut_wnd = u64::from(seg.window);
        if let Some(mss) = seg.mss {
            self.dut_mss = u32::from(mss);
        }
        if seg.flags.has(Flags::SYN) {
            self.on_syn(now, seg);
            return;
        }
        if self.state == State::SynRcvd && seg.flags.has(Flags::ACK) && seg.ack == 1 {
            self.state = State::Up;
            self.una = 1;
            self.say(now, "accept", json!({}));
            self.run_due_writes(now);
        }
        if self.state != State::Up {
            return;
        }
        self.on_ack(now, seg, same_window);
        if 0 < seg.space() {
            self.on_data(now, seg);
        }
        self.send_data(now);
    }

    fn open(&mut self, now: u64) {
        self.say_conn(now, "connect");
        self.state = State::SynSent;
        self.send_syn(Flags::SYN);
        if let Some(wait_us) = self.script.syn_rto_us {
            self.wakes.push((now + wait_us, Wake::SynRto(wait_us)));
        }
    }

    fn on_syn(&mut self, now: u64, seg: &Segment) {
        if seg.flags.has(Flags::ACK) {
            self.rcv_nxt = seg.seq + 1;
            if self.state == State::SynSent {
                self.state = State::Up;
                self.una = 1;
                self.say_conn(now, "connected");
                self.send_ack();
                self.run_due_writes(now);
                self.send_data(now);
            } else {
                self.send_ack();
            }
            return;
        }
        self.rcv_nxt = seg.seq + 1;
        if self.state == State::Idle {
            self.state = State::SynRcvd;
        }
        self.send_syn(Flags::SYN.with(Flags::ACK));
    }

    fn on_ack(&mut self, now: u64, seg: &Segment, same_window: bool) {
        if self.una < seg.ack && seg.ack <= self.nxt {
            self.una = seg.ack;
            self.dupacks = 0;
            while self.flight.front().is_some_and(|(_, end)| *end <= self.una) {
                self.flight.pop_front();
            }
            if let Some((from, _)) = self.flight.front_mut() {
                *from = (*from).max(self.una);
            }
            while self.write_ends.front().is_some_and(|end| *end <= self.una) {
                self.write_ends.pop_front();
            }
            self.rto_us = self.script.rto_us.unwrap_or(0);
            self.rto_runs = false;
            if !self.flight.is_empty() {
                self.start_rto(now);
            }
            return;
        }
        let is_dup = seg.ack == self.una && seg.space() == 0 && same_window;
        if is_dup && !self.flight.is_empty() {
            self.dupacks += 1;
            if self.dupacks == 3 {
                self.resend_oldest();
            }
        }
    }

    fn on_data(&mut self, now: u64, seg: &Segment) {
        let window_end = self.rcv_nxt + self.window();
        let data_end = seg.seq + u64::from(seg.len);
        if seg.flags.has(Flags::FIN) {
            self.fin_at = Some(data_end);
        }
        let end = data_end.min(window_end);
        let is_cut = end < data_end;
        let gap = !self.ooo.is_empty();
        let in_order = seg.seq <= self.rcv_nxt && self.rcv_nxt < end;
        if in_order {
            self.take(now, end);
        } else if self.rcv_nxt < seg.seq && seg.seq < end {
            self.ooo.push((seg.seq, end));
            self.ooo.sort_unstable();
        }
        if self.fin_at == Some(self.rcv_nxt) {
            self.rcv_nxt += 1;
            self.say(now, "eof", json!({}));
            self.send(Flags::FIN.with(Flags::ACK), self.nxt, 0);
            self.nxt += 1;
            self.sent_end = self.sent_end.max(self.nxt);
            self.state = State::Over;
            return;
        }
        if !in_order || gap || is_cut {
            self.send_ack();
            return;
        }
        self.ack_in_order(now);
    }

    /// Delivers up to `end`, and what was waiting behind it.
    fn take(&mut self, now: u64, end: u64) {
        let before = self.rcv_nxt;
        self.rcv_nxt = end;
        while let Some(index) = self.ooo.iter().position(|(from, _)| *from <= self.rcv_nxt) {
            let (_, end) = self.ooo.remove(index);
            self.rcv_nxt = self.rcv_nxt.max(end);
        }
        let n = self.rcv_nxt - before;
        self.n_waiting += 1;
        if self.paused {
            self.unread += n;
        }
        self.say(now, "recv", json!({ "len": n }));
        self.answer(now, n);
    }

    fn answer(&mut self, now: u64, n: u64) {
        let Some(reply) = self.script.reply.clone() else { return };
        self.n_got += n;
        while reply.req_bytes <= self.n_got {
            self.n_got -= reply.req_bytes;
            if reply.service_us == 0 {
                self.write_sizes(now, &reply.sizes);
            } else {
                self.wakes.push((now + reply.service_us, Wake::Reply));
            }
        }
    }

    fn ack_in_order(&mut self, now: u64) {
        if self.n_waiting == 0 {
            // Data of a reply took the acknowledgement along.
            return;
        }
        match self.script.acking {
            Acking::Immediate => self.send_ack(),
            Acking::Delayed { every_segs, .. } if every_segs <= self.n_waiting => self.send_ack(),
            Acking::Delayed { timeout_us, .. } if self.n_waiting == 1 => {
                self.ack_gen += 1;
                self.wakes.push((now + timeout_us, Wake::AckTimer(self.ack_gen)));
            }
            Acking::Delayed { .. } => {}
        }
    }

    fn resume(&mut self, now: u64) {
        self.paused = false;
        let n = std::mem::take(&mut self.unread);
        self.say(now, "resume_reading", json!({ "len": n }));
        if 0 < n {
            self.send_ack();
        }
    }

    fn run_due_writes(&mut self, now: u64) {
        for index in std::mem::take(&mut self.due_writes) {
            self.write(now, index);
        }
    }

    fn write(&mut self, now: u64, index: usize) {
        let sizes = self.script.writes[index].1.clone();
        self.write_sizes(now, &sizes);
    }

    fn write_sizes(&mut self, now: u64, sizes: &[u32]) {
        for size in sizes {
            self.queued_end += u64::from(*size);
            self.write_ends.push_back(self.queued_end);
            let mut fields = json!({ "len": size });
            if self.script.names_conn {
                fields["conn"] = json!(self.conn);
            }
            self.say(now, "write", fields);
        }
        self.send_data(now);
    }

    /// Sends what the stack's window and our own limit let go.
    fn send_data(&mut self, now: u64) {
        while self.state == State::Up && self.nxt < self.queued_end {
            if self.script.cwnd_segs <= self.flight.len() as u64 {
                return;
            }
            let write_end = self.write_ends.iter().find(|end| self.nxt < **end).copied();
            let Some(write_end) = write_end else { return };
            let mss = u64::from(self.script.mss.min(self.dut_mss));
            let piece = mss.min(write_end - self.nxt);
            let room = (self.una + self.dut_wnd).saturating_sub(self.nxt);
            let len = piece.min(room);
            if len == 0 || (len < piece && !self.flight.is_empty()) {
                return;
            }
            let end = self.nxt + len;
            let is_last = end == self.queued_end;
            let push = len < mss || is_last;
            let flags = if push { Flags::ACK.with(Flags::PSH) } else { Flags::ACK };
            self.send(flags, self.nxt, len as u32);
            self.flight.push_back((self.nxt, end));
            self.nxt = end;
            self.sent_end = self.sent_end.max(end);
            if !self.rto_runs {
                self.start_rto(now);
            }
        }
    }

    fn start_rto(&mut self, now: u64) {
        self.rto_gen += 1;
        if self.script.rto_us.is_some() {
            self.rto_runs = true;
            self.wakes.push((now + self.rto_us, Wake::Rto(self.rto_gen)));
        }
    }

    fn on_rto(&mut self, now: u64, generation: u64) {
        if generation != self.rto_gen || !self.rto_runs || self.flight.is_empty() {
            return;
        }
        self.resend_oldest();
        self.rto_us *= 2;
        self.start_rto(now);
    }

    fn resend_oldest(&mut self) {
        if let Some(&(from, end)) = self.flight.front() {
            self.send(Flags::ACK.with(Flags::PSH), from, (end - from) as u32);
        }
    }

    fn send_syn(&mut self, flags: Flags) {
        self.send(flags, 0, 0);
        self.nxt = 1;
        self.sent_end = self.sent_end.max(1);
    }

    fn send_ack(&mut self) {
        self.send(Flags::ACK, self.nxt, 0);
    }

    /// Any segment carries the acknowledgement and stops its timer.
    fn send(&mut self, flags: Flags, seq: u64, len: u32) {
        let is_syn = flags.has(Flags::SYN);
        let mut segment = Segment {
            flags,
            seq,
            ack: self.rcv_nxt,
            len,
            window: self.window() as u32,
            mss: is_syn.then_some(self.script.mss as u16),
            ..Segment::default()
        };
        segment.again = 0 < segment.space() && segment.end() <= self.sent_end;
        self.out.push(segment);
        if flags.has(Flags::ACK) {
            self.n_waiting = 0;
            self.ack_gen += 1;
        }
    }

    fn window(&self) -> u64 {
        u64::from(self.script.wnd).saturating_sub(self.unread)
    }

    fn say_conn(&mut self, now: u64, event: &str) {
        let conn = self.conn;
        self.say(now, event, json!({ "conn": conn }));
    }

    fn say(&mut self, now: u64, event: &str, fields: Value) {
        let mut row = json!({ "t_us": now, "who": "peer", "ev": event });
        if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), fields) {
            row.extend(fields);
        }
        self.log.push(row);
    }
}
