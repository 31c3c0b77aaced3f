//! The requester: clients that think, ask, and wait for the answer; a closed loop.
//!
//! It models a timeout with retries. It leaves out back-off and circuit breakers.
//! Read `docs/models/requester.md` before editing.

use std::collections::BTreeSet;

use crate::kernel::random::sample;
use crate::kernel::{SimSpan, SimTime};
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Purpose};
use crate::model::message::{Message, MsgId, Parcel};
use crate::model::spread::Spread;
use crate::param::{Amount, Bytes, Ppm, Reason, Value};

params! {
    /// What a requester does.
    pub struct RequesterParams for "requester" {
        /// How many clients there are; each has at most one request under way.
        clients: Amount = Amount(1), range Amount(1) => Amount(10_000), scale log,
            slider Amount(1) => Amount(200), applies restart,
            name ("Clients", "客户端数"),
            help ("Clients that think, ask and wait.", "思考、请求、等待的客户端数。"),
            source "N of a closed queueing network";
        /// Mean time between an answer and the next request.
        think: SimSpan = SimSpan::ms(100), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(1) => SimSpan::s(60), applies live,
            name ("Think time", "思考时间"),
            help ("From an answer to the next request, on average.", "从收到应答到下一个请求的平均时间。"),
            source "Z of a closed queueing network";
        /// How that time spreads.
        spread: Spread = Spread::Exponential, choice, applies live,
            name ("Spread of thinking", "思考时间分布"),
            help ("The law of the think time.", "思考时间服从的分布。"),
            source "closed queueing network";
        /// Standard deviation of that time divided by its mean.
        variation: Ppm = Ppm(450_000), range Ppm(0) => Ppm(10_000_000), step Ppm(10_000),
            slider Ppm(0) => Ppm(2_000_000), applies live,
            name ("Variation of thinking", "思考时间变异"),
            help ("Standard deviation / mean; constant and exponential ignore it.",
                "标准差除以均值；固定与指数分布忽略此项。"),
            source "coefficient of variation";
        /// Size of a request.
        size: Bytes = Bytes(256), range Bytes(1) => Bytes(16_777_216), scale log,
            slider Bytes(1) => Bytes(1_048_576), applies live,
            name ("Request size", "请求大小"),
            help ("Bytes of a request.", "请求的字节数。"),
            source "our own model";
        /// How long a client waits for the answer.
        timeout: SimSpan = SimSpan::s(1), range SimSpan::us(1) => SimSpan::s(3_600), scale log,
            slider SimSpan::ms(1) => SimSpan::s(60), applies live,
            name ("Timeout", "超时"),
            help ("How long a client waits before it asks again.", "客户端等待多久后重新请求。"),
            source "our own model of a retrying client";
        /// How often it asks again.
        retries: Amount = Amount(3), range Amount(0) => Amount::UNLIMITED, scale log,
            slider Amount(0) => Amount(20), applies live,
            name ("Retries", "重试次数"),
            help ("How often it asks again before it gives up.", "放弃之前最多重新请求几次。"),
            source "our own model of a retrying client";
    }
}

/// What a client does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    /// It thinks until then.
    Thinking {
        /// When it asks.
        until: SimTime,
    },
    /// Its channel takes nothing for now.
    Blocked {
        /// What it wants to ask.
        message: Message,
    },
    /// It waits for the answer.
    Waiting {
        /// What it asked.
        message: Message,
        /// When it asks again.
        due: SimTime,
        /// How often it asked again.
        retries: u32,
    },
    /// Its process is gone.
    Down,
}

impl Client {
    fn wakes(&self) -> Option<SimTime> {
        match self {
            Client::Thinking { until } => Some(*until),
            Client::Waiting { due, .. } => Some(*due),
            Client::Blocked { .. } | Client::Down => None,
        }
    }
}

/// A requester.
#[derive(Clone, PartialEq, Debug)]
pub struct Requester {
    /// Its settings.
    pub params: RequesterParams,
    /// Its clients.
    pub clients: Vec<Client>,
    /// Who wakes when.
    wakes: BTreeSet<(SimTime, u32)>,
    n_thoughts: u64,
    next_port: u16,
}

impl Requester {
    /// Clients that have not begun.
    pub fn new(params: RequesterParams) -> Requester {
        let clients = vec![Client::Down; params.clients.0 as usize];
        Requester { params, clients, wakes: BTreeSet::new(), n_thoughts: 0, next_port: 0 }
    }

    /// The run begins, or the process starts anew: everyone thinks.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        for client in 0..self.clients.len() as u32 {
            self.think(cx, client);
        }
    }

    /// An answer came back.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, _port: u16, parcel: Parcel) {
        let Parcel::Reply { message } = parcel else { return };
        match self.waiting_for(message.id) {
            Some(client) => {
                cx.fact(Fact::Answered { msg: message.id, at: cx.me });
                cx.fact(Fact::Released { msg: message.id, by: cx.me });
                self.think(cx, client);
            }
            // An answer to a request that was answered, or given up, before.
            None => cx.fact(Fact::Released { msg: message.id, by: cx.me }),
        }
    }

    /// Someone has thought enough, or waited too long.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while let Some((at, client)) = self.wakes.first().copied() {
            if cx.now() < at {
                return;
            }
            match self.clients[client as usize] {
                Client::Thinking { .. } => self.ask(cx, client),
                Client::Waiting { message, retries, .. } => {
                    self.time_out(cx, client, message, retries);
                }
                Client::Blocked { .. } | Client::Down => {
                    self.wakes.pop_first();
                }
            }
        }
    }

    /// The channel takes requests again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>) {
        for client in 0..self.clients.len() as u32 {
            if let Client::Blocked { message } = self.clients[client as usize] {
                self.put(cx, client, message, 0);
            }
        }
    }

    /// Who wakes first.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// One more request by hand: the client that would ask next asks now.
    pub fn send(&mut self, cx: &mut Ctx<'_>) {
        let thinks = |c: &Client| matches!(c, Client::Thinking { .. });
        let next = self.wakes.iter().find(|(_, c)| thinks(&self.clients[*c as usize])).copied();
        if let Some((_, client)) = next {
            self.ask(cx, client);
        }
    }

    /// The process dies: nobody waits any more.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        for client in &mut self.clients {
            if let Client::Waiting { message, .. } | Client::Blocked { message } = client {
                cx.fact(Fact::Dropped { msg: message.id, at, why: Why::Crash });
            }
            *client = Client::Down;
        }
        self.wakes.clear();
    }

    /// All its times move by `span`: the process stood still for so long.
    pub fn postpone(&mut self, span: SimSpan) {
        for client in &mut self.clients {
            match client {
                Client::Thinking { until } => *until += span,
                Client::Waiting { due, .. } => *due += span,
                Client::Blocked { .. } | Client::Down => {}
            }
        }
        let wakes = self.clients.iter().enumerate();
        self.wakes = wakes.filter_map(|(n, c)| Some((c.wakes()?, n as u32))).collect();
    }

    /// Changes a live parameter.
    pub fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        self.params.set(index, value)
    }

    fn waiting_for(&self, msg: MsgId) -> Option<u32> {
        let waits = |c: &Client| matches!(c, Client::Waiting { message, .. } if message.id == msg);
        self.clients.iter().position(waits).map(|n| n as u32)
    }

    fn become_client(&mut self, client: u32, next: Client) {
        let slot = &mut self.clients[client as usize];
        if let Some(at) = slot.wakes() {
            self.wakes.remove(&(at, client));
        }
        *slot = next;
        self.wakes.extend(next.wakes().map(|at| (at, client)));
    }

    fn think(&mut self, cx: &mut Ctx<'_>, client: u32) {
        let mut draw = cx.draw(Purpose::Think, self.n_thoughts);
        self.n_thoughts += 1;
        let law = self.params.spread.law();
        let span = sample(law, self.params.think, self.params.variation.0, &mut draw);
        let until = cx.now().saturating_add(span);
        self.become_client(client, Client::Thinking { until });
    }

    fn ask(&mut self, cx: &mut Ctx<'_>, client: u32) {
        let bytes = u32::try_from(self.params.size.0).unwrap_or(u32::MAX);
        let message = cx.new_message(client, bytes);
        cx.fact(Fact::Sent { msg: message.id, by: cx.me, key: client, bytes });
        self.put(cx, client, message, 0);
    }

    /// Writes the request; the client keeps a copy, to ask again.
    fn put(&mut self, cx: &mut Ctx<'_>, client: u32, message: Message, retries: u32) {
        let n_ports = cx.n_ports();
        let port = self.next_port % n_ports.max(1);
        let taken = n_ports != 0 && cx.write(port, Parcel::Request { message }, true);
        if taken {
            self.next_port = (port + 1) % n_ports;
            let due = cx.now() + self.params.timeout;
            self.become_client(client, Client::Waiting { message, due, retries });
        } else {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::BackPressure });
            self.become_client(client, Client::Blocked { message });
        }
    }

    fn time_out(&mut self, cx: &mut Ctx<'_>, client: u32, message: Message, retries: u32) {
        let limit = self.params.retries;
        if limit != Amount::UNLIMITED && limit.0 <= retries {
            let at = Node::Actor(cx.me);
            cx.fact(Fact::Dropped { msg: message.id, at, why: Why::GaveUp });
            self.think(cx, client);
        } else {
            cx.fact(Fact::Retried { msg: message.id, by: cx.me });
            self.put(cx, client, message, retries + 1);
        }
    }
}
