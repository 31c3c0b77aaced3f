//! Actors decide: what makes, moves and works on messages.

pub mod arrivals;
pub mod broker;
pub mod calls;
pub mod consumer;
pub mod dedupe;
pub mod effect;
pub mod parts;
pub mod producer;
mod pull;
pub mod requester;
pub mod responder;
pub mod script;
mod settle;
pub mod shares;
pub mod workers;

use crate::kernel::{SimSpan, SimTime};
use crate::model::ground::Ctx;
use crate::model::message::Parcel;
use crate::param::{Params, Reason, Spec, Value};

pub use broker::{BrokerActor, BrokerParams, Client};
pub use consumer::{Consumer, ConsumerParams};
pub use producer::{Producer, ProducerParams};
pub use requester::{Requester, RequesterParams};
pub use responder::{Responder, ResponderParams};
pub use script::{Script, ScriptParams};

/// What a crashed or slowed actor can be: kinds that have workers can be slowed.
#[derive(Clone, PartialEq, Debug)]
pub enum ActorParams {
    /// A producer.
    Producer(ProducerParams),
    /// A queue broker.
    Broker(BrokerParams),
    /// A consumer.
    Consumer(ConsumerParams),
    /// A requester.
    Requester(RequesterParams),
    /// A responder.
    Responder(ResponderParams),
    /// A script.
    Script(ScriptParams),
}

/// Where an actor stands on the way of a message: what is lost between two of them has a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It makes messages.
    Source,
    /// It keeps them for others.
    Middle,
    /// It works on them.
    Sink,
    /// Something else.
    Other,
}

impl ActorParams {
    /// Where such an actor stands.
    pub fn role(&self) -> Role {
        match self {
            ActorParams::Producer(_) | ActorParams::Requester(_) => Role::Source,
            ActorParams::Broker(_) => Role::Middle,
            ActorParams::Consumer(_) | ActorParams::Responder(_) => Role::Sink,
            ActorParams::Script(_) => Role::Other,
        }
    }

    /// Every kind's name.
    pub const KINDS: &'static [&'static str] = &[
        ProducerParams::KIND,
        BrokerParams::KIND,
        ConsumerParams::KIND,
        RequesterParams::KIND,
        ResponderParams::KIND,
        ScriptParams::KIND,
    ];

    /// The defaults of the kind of that name.
    pub fn of_kind(kind: &str) -> Option<ActorParams> {
        match kind {
            ProducerParams::KIND => Some(ActorParams::Producer(ProducerParams::default())),
            BrokerParams::KIND => Some(ActorParams::Broker(BrokerParams::default())),
            ConsumerParams::KIND => Some(ActorParams::Consumer(ConsumerParams::default())),
            RequesterParams::KIND => Some(ActorParams::Requester(RequesterParams::default())),
            ResponderParams::KIND => Some(ActorParams::Responder(ResponderParams::default())),
            ScriptParams::KIND => Some(ActorParams::Script(ScriptParams::default())),
            _ => None,
        }
    }

    /// The parameters, without their kind.
    pub fn params(&self) -> &dyn Params {
        match self {
            ActorParams::Producer(p) => p,
            ActorParams::Broker(p) => p,
            ActorParams::Consumer(p) => p,
            ActorParams::Requester(p) => p,
            ActorParams::Responder(p) => p,
            ActorParams::Script(p) => p,
        }
    }

    /// The parameters, to be changed.
    pub fn params_mut(&mut self) -> &mut dyn Params {
        match self {
            ActorParams::Producer(p) => p,
            ActorParams::Broker(p) => p,
            ActorParams::Consumer(p) => p,
            ActorParams::Requester(p) => p,
            ActorParams::Responder(p) => p,
            ActorParams::Script(p) => p,
        }
    }

    /// The kind's name in documents.
    pub fn kind(&self) -> &'static str {
        self.params().kind()
    }

    /// What can be set.
    pub fn specs(&self) -> &'static [Spec] {
        self.params().specs()
    }

    /// Whether a channel may lead from one of these to one of those.
    pub fn may_speak_to(&self, to: &ActorParams) -> bool {
        use ActorParams::{Broker, Consumer, Producer, Requester, Responder, Script};
        matches!(
            (self, to),
            (Producer(_) | Consumer(_), Broker(_) | Consumer(_))
                | (Broker(_), Consumer(_))
                | (Requester(_) | Responder(_), Responder(_))
                | (Responder(_), Broker(_))
                | (Script(_), Script(_))
        )
    }
}

/// An actor, by kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Actor {
    /// A producer.
    Producer(Producer),
    /// A queue broker.
    Broker(Box<BrokerActor>),
    /// A consumer.
    Consumer(Consumer),
    /// A requester.
    Requester(Requester),
    /// A responder.
    Responder(Responder),
    /// A script.
    Script(Script),
}

impl Actor {
    /// An actor with these parameters.
    pub fn new(params: ActorParams) -> Actor {
        match params {
            ActorParams::Producer(p) => Actor::Producer(Producer::new(p)),
            ActorParams::Broker(p) => Actor::Broker(Box::new(BrokerActor::new(p))),
            ActorParams::Consumer(p) => Actor::Consumer(Consumer::new(p)),
            ActorParams::Requester(p) => Actor::Requester(Requester::new(p)),
            ActorParams::Responder(p) => Actor::Responder(Responder::new(p)),
            ActorParams::Script(p) => Actor::Script(Script::new(p)),
        }
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &dyn Params {
        match self {
            Actor::Producer(a) => &a.params,
            Actor::Broker(a) => &a.params,
            Actor::Consumer(a) => &a.params,
            Actor::Requester(a) => &a.params,
            Actor::Responder(a) => &a.params,
            Actor::Script(a) => &a.params,
        }
    }

    /// What it asks of a broker that it speaks to.
    pub fn client(&self) -> Client {
        let first = |words: &crate::param::Words| words.0.first().cloned().unwrap_or_default();
        match self {
            Actor::Producer(a) => Client {
                queue: first(&a.params.queue),
                exchange: first(&a.params.exchange),
                routes: a.routes.clone(),
                ..Client::default()
            },
            Actor::Consumer(a) => Client { queue: first(&a.params.queue), ..Client::default() },
            Actor::Broker(_) | Actor::Requester(_) | Actor::Responder(_) | Actor::Script(_) => {
                Client::default()
            }
        }
    }

    /// The run begins.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        match self {
            Actor::Producer(a) => a.on_start(cx),
            Actor::Requester(a) => a.on_start(cx),
            Actor::Script(a) => a.on_start(cx),
            Actor::Consumer(a) => a.begin_pulling(cx.now()),
            Actor::Broker(_) | Actor::Responder(_) => {}
        }
    }

    /// A parcel came in.
    #[inline]
    pub fn on_message(&mut self, cx: &mut Ctx<'_>, port: u16, parcel: Parcel) {
        match self {
            Actor::Producer(a) => a.on_message(cx, port, parcel),
            Actor::Broker(a) => a.on_message(cx, port, parcel),
            Actor::Consumer(a) => a.on_message(cx, port, parcel),
            Actor::Requester(a) => a.on_message(cx, port, parcel),
            Actor::Responder(a) => a.on_message(cx, port, parcel),
            // Scripts have streams: they hear of them by `on_stream`.
            Actor::Script(_) => {}
        }
    }

    /// Something about the socket of one of its ports changed.
    pub fn on_stream(&mut self, cx: &mut Ctx<'_>) {
        if let Actor::Script(a) = self {
            a.on_stream(cx);
        }
    }

    /// Its wake-up is due.
    #[inline]
    pub fn on_wake(&mut self, cx: &mut Ctx<'_>) {
        match self {
            Actor::Producer(a) => a.on_wake(cx),
            Actor::Consumer(a) => a.on_wake(cx),
            Actor::Requester(a) => a.on_wake(cx),
            Actor::Responder(a) => a.on_wake(cx),
            Actor::Script(a) => a.on_wake(cx),
            Actor::Broker(a) => a.on_wake(cx),
        }
    }

    /// A channel that had refused a write takes writes again.
    pub fn on_writable(&mut self, cx: &mut Ctx<'_>, port: u16) {
        match self {
            Actor::Producer(a) => a.on_writable(cx, port),
            Actor::Broker(a) => a.on_writable(cx, port),
            Actor::Consumer(a) => a.on_writable(cx),
            Actor::Requester(a) => a.on_writable(cx),
            Actor::Responder(a) => a.on_writable(cx),
            Actor::Script(_) => {}
        }
    }

    /// Earliest time at which `on_wake` has something to do.
    #[inline]
    pub fn next_wake(&self) -> Option<SimTime> {
        match self {
            Actor::Producer(a) => a.next_wake(),
            Actor::Consumer(a) => a.next_wake(),
            Actor::Requester(a) => a.next_wake(),
            Actor::Responder(a) => a.next_wake(),
            Actor::Script(a) => a.next_wake(),
            Actor::Broker(a) => a.next_wake(),
        }
    }

    /// Whether it reads from the port now; a machine that refuses asks to be handed the rest later.
    #[inline]
    pub fn wants(&self, cx: &Ctx<'_>, port: u16) -> bool {
        match self {
            Actor::Broker(a) => a.wants(cx, port),
            Actor::Consumer(a) => a.wants(cx, port),
            Actor::Producer(_) | Actor::Requester(_) | Actor::Responder(_) | Actor::Script(_) => {
                true
            }
        }
    }

    /// Its process dies: states what becomes of everything it held.
    pub fn on_crash(&mut self, cx: &mut Ctx<'_>) {
        match self {
            Actor::Producer(a) => a.on_crash(cx),
            Actor::Broker(a) => a.on_crash(cx),
            Actor::Consumer(a) => a.on_crash(cx),
            Actor::Requester(a) => a.on_crash(cx),
            Actor::Responder(a) => a.on_crash(cx),
            Actor::Script(a) => a.on_crash(),
        }
    }

    /// Its process starts anew.
    pub fn on_restart(&mut self, cx: &mut Ctx<'_>) {
        match self {
            Actor::Producer(a) => a.on_restart(cx),
            Actor::Consumer(a) => a.on_restart(cx),
            Actor::Requester(a) => a.on_start(cx),
            Actor::Script(a) => a.on_restart(cx),
            Actor::Broker(a) => a.on_restart(cx),
            Actor::Responder(_) => {}
        }
    }

    /// Its process stops where it is: states what its messages wait for.
    pub fn on_pause(&mut self, cx: &mut Ctx<'_>) {
        if let Some(workers) = self.workers_mut() {
            workers.hold(cx, true);
        }
    }

    /// Its process goes on after `span`.
    pub fn on_resume(&mut self, cx: &mut Ctx<'_>, span: SimSpan) {
        if let Some(workers) = self.workers_mut() {
            workers.postpone(span);
            workers.hold(cx, false);
        }
        match self {
            Actor::Producer(a) => a.postpone(span),
            Actor::Requester(a) => a.postpone(span),
            Actor::Script(a) => {
                a.postpone(span);
                a.on_stream(cx);
            }
            // Times to live go on while it stands still.
            Actor::Broker(a) => a.on_wake(cx),
            Actor::Consumer(a) => a.postpone(span),
            Actor::Responder(_) => {}
        }
    }

    /// Work takes so many millionths of its time from now on; `false`: it has no workers.
    pub fn slow(&mut self, ppm: u32) -> bool {
        match self.workers_mut() {
            Some(workers) => {
                workers.slow_ppm = ppm;
                true
            }
            None => false,
        }
    }

    /// Sends one message by hand; `false`: it sends nothing of its own.
    pub fn send(&mut self, cx: &mut Ctx<'_>) -> bool {
        match self {
            Actor::Producer(a) => a.send(cx),
            Actor::Requester(a) => a.send(cx),
            Actor::Broker(_) | Actor::Consumer(_) | Actor::Responder(_) | Actor::Script(_) => {
                return false;
            }
        }
        true
    }

    /// Changes a live parameter.
    pub fn set(&mut self, cx: &mut Ctx<'_>, index: u8, value: &Value) -> Result<(), Reason> {
        match self {
            Actor::Producer(a) => a.set(cx, index, value),
            Actor::Broker(a) => a.set(cx, index, value),
            Actor::Consumer(a) => a.set(cx, index, value),
            Actor::Requester(a) => a.set(index, value),
            Actor::Responder(a) => a.set(cx, index, value),
            Actor::Script(a) => a.set(index, value),
        }
    }

    /// Messages in its memory.
    pub fn n_held(&self) -> u64 {
        let outlets = |a: &Producer| -> usize {
            a.outlets.iter().map(|o| o.outbox.len() + o.unconfirmed.len()).sum()
        };
        match self {
            Actor::Producer(a) => outlets(a) as u64,
            Actor::Broker(a) => {
                a.broker.queues().map(|(_, q)| u64::from(q.n_ready() + q.n_unacked())).sum()
            }
            Actor::Consumer(a) => {
                a.parts.n_held() + (a.workers.buffer.len() + a.outgoing.len()) as u64
            }
            Actor::Requester(a) => a.clients.len() as u64,
            Actor::Responder(a) => a.workers.buffer.len() as u64 + a.calls.n_held(),
            Actor::Script(_) => 0,
        }
    }

    /// Its workers, if it has any.
    pub fn workers(&self) -> Option<&workers::Workers> {
        match self {
            Actor::Consumer(a) => Some(&a.workers),
            Actor::Responder(a) => Some(&a.workers),
            Actor::Producer(_) | Actor::Broker(_) | Actor::Requester(_) | Actor::Script(_) => None,
        }
    }

    fn workers_mut(&mut self) -> Option<&mut workers::Workers> {
        match self {
            Actor::Consumer(a) => Some(&mut a.workers),
            Actor::Responder(a) => Some(&mut a.workers),
            Actor::Producer(_) | Actor::Broker(_) | Actor::Requester(_) | Actor::Script(_) => None,
        }
    }
}
