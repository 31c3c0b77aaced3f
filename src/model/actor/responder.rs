//! The responder: works on requests, so many at once, asks others if the document says so, and
//! answers.
//!
//! What it asks of others is in `calls.rs`. It leaves out priorities, batching and refusing under
//! load. Read `docs/models/requester.md`.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::calls::Calls;
use crate::model::actor::workers::{By, Job, Service, Workers};
use crate::model::fact::Fact;
use crate::model::ground::Ctx;
use crate::model::message::{Message, Parcel};
use crate::model::spread::Spread;
use crate::param::{Amount, Bytes, Ppm, Reason, Value};

params! {
    /// What a responder does.
    pub struct ResponderParams for "responder" {
        /// Mean time of the work on one request.
        service: SimSpan = SimSpan::ms(20), range SimSpan::ZERO => SimSpan::s(3_600), scale log,
            slider SimSpan::us(100) => SimSpan::s(10), applies live,
            name ("Work per request", "每个请求处理时间"),
            help ("How long one request takes, on average.", "处理一个请求平均所需的时间。"),
            source "service time, Kendall's notation";
        /// How that time spreads.
        spread: Spread = Spread::Exponential, choice, applies live,
            name ("Spread of work", "处理时间分布"),
            help ("The law of the work's duration.", "处理时间服从的分布。"),
            source "service-time distribution, Kendall's notation";
        /// Standard deviation of that time divided by its mean.
        variation: Ppm = Ppm(450_000), range Ppm(0) => Ppm(10_000_000), step Ppm(10_000),
            slider Ppm(0) => Ppm(2_000_000), applies live,
            name ("Variation of work", "处理时间变异"),
            help ("Standard deviation / mean; constant and exponential ignore it.",
                "标准差除以均值；固定与指数分布忽略此项。"),
            source "coefficient of variation";
        /// How many requests are worked on at once.
        parallelism: Amount = Amount(1), range Amount(1) => Amount(1_000), scale log,
            slider Amount(1) => Amount(64), applies live,
            name ("Workers", "并行数"),
            help ("Requests worked on at the same time.", "同时处理的请求数。"),
            source "servers c in M/M/c";
        /// Size of a reply.
        reply_size: Bytes = Bytes(256), range Bytes(1) => Bytes(16_777_216), scale log,
            slider Bytes(1) => Bytes(1_048_576), applies live,
            name ("Reply size", "应答大小"),
            help ("Bytes of a reply.", "应答的字节数。"),
            source "our own model";
    }
}

/// A responder.
#[derive(Clone, PartialEq, Debug)]
pub struct Responder {
    /// Its settings.
    pub params: ResponderParams,
    /// Its workers and their memory.
    pub workers: Workers,
    /// Requests that wait for others.
    pub calls: Calls,
    /// By port: whether a broker is there.
    pub is_broker: Vec<bool>,
}

impl Responder {
    /// An idle responder.
    pub fn new(params: ResponderParams) -> Responder {
        let workers = Workers::new(params.parallelism.0);
        Responder { params, workers, calls: Calls::default(), is_broker: Vec::new() }
    }

    /// A request came in.
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        let answered = match parcel {
            Parcel::Request { message } => {
                let job = Job { message, port, by: By::Sender, tag: 0, redelivered: false };
                self.workers.take(cx, job, self.service());
                None
            }
            Parcel::Reply { message } => {
                cx.fact(Fact::Answered { msg: message.id, at: cx.me });
                Some(message.id)
            }
            Parcel::Confirm { seq, .. } => self.calls.confirmed(seq),
            Parcel::Closed => {
                self.calls.on_closed(cx, port);
                None
            }
            _ => None,
        };
        let answered = answered.and_then(|copy| self.calls.on_answer(cx, copy, &self.is_broker));
        if let Some(job) = answered {
            self.answer(cx, job);
        }
    }

    /// A channel takes messages again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>) {
        self.calls.on_writable(cx, &self.is_broker);
    }

    /// Work ended: the answer goes back.
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        while let Some(job) = self.workers.finish(cx.now()) {
            if let Some(job) = self.calls.begin(cx, job, &self.is_broker) {
                self.answer(cx, job);
            }
        }
        self.workers.start_waiting(cx, self.service());
    }

    fn answer(&mut self, cx: &mut Ctx<'_>, job: Job) {
        let msg = job.message.id;
        cx.fact(Fact::Done { msg, at: cx.me, answers: true });
        let bytes = u32::try_from(self.params.reply_size.0).unwrap_or(u32::MAX);
        let reply = Parcel::Reply { message: Message { bytes, ..job.message } };
        if !cx.write(job.port, reply, false) {
            // The requester has as many requests under way as it has clients: the way back
            // is full only when a document makes the channel shorter than that.
            cx.fact(Fact::Released { msg, by: cx.me });
        }
    }

    /// When the next work ends.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.workers.next_wake()
    }

    /// Its process dies.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        self.workers.crash(cx);
        self.calls.crash(cx);
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        let before = self.params.parallelism;
        self.params.set(index, value)?;
        if before != self.params.parallelism {
            self.workers.resize(self.params.parallelism.0);
        }
        self.workers.start_waiting(cx, self.service());
        Ok(())
    }

    fn service(&self) -> Service<'static> {
        Service::new(self.params.service, self.params.spread, self.params.variation.0)
    }
}
