//! Actors decide: what makes, moves and works on messages.

pub mod arrivals;
pub mod broker;
pub mod calls;
pub mod consumer;
pub mod dedupe;
pub mod effect;
pub mod parts;
pub mod log;
pub mod mqtt;
pub mod producer;
mod pull;
pub mod requester;
pub mod responder;
pub mod script;
mod settle;
pub mod shares;
mod touch;
pub mod workers;
pub mod workqueue;

use crate::kernel::{SimSpan, SimTime};
use crate::model::ground::Ctx;
use crate::model::message::Parcel;
use crate::param::{Params, Reason, Spec, Value};

pub use broker::{BrokerActor, BrokerParams, Client};
pub use consumer::{Consumer, ConsumerParams};
pub use log::{
    LogBrokerActor, LogBrokerParams, LogConsumer, LogConsumerParams, LogProducer, LogProducerParams,
};
pub use mqtt::{
    MqttBrokerActor, MqttBrokerParams, MqttPublisher, MqttPublisherParams, MqttSubscriber,
    MqttSubscriberParams,
};
pub use producer::{Producer, ProducerParams};
pub use requester::{Requester, RequesterParams};
pub use responder::{Responder, ResponderParams};
pub use script::{Script, ScriptParams};
pub use workqueue::{WorkQueueActor, WorkQueueParams};

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
    /// A producer of a log broker.
    LogProducer(LogProducerParams),
    /// A log broker.
    LogBroker(LogBrokerParams),
    /// A consumer of a log broker.
    LogConsumer(LogConsumerParams),
    /// An MQTT client that publishes.
    MqttPublisher(MqttPublisherParams),
    /// An MQTT broker.
    MqttBroker(MqttBrokerParams),
    /// An MQTT client that subscribes.
    MqttSubscriber(MqttSubscriberParams),
    /// A work queue.
    WorkQueue(WorkQueueParams),
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
            ActorParams::Producer(_)
            | ActorParams::Requester(_)
            | ActorParams::LogProducer(_)
            | ActorParams::MqttPublisher(_) => Role::Source,
            ActorParams::Broker(_)
            | ActorParams::LogBroker(_)
            | ActorParams::MqttBroker(_)
            | ActorParams::WorkQueue(_) => Role::Middle,
            ActorParams::Consumer(_)
            | ActorParams::Responder(_)
            | ActorParams::LogConsumer(_)
            | ActorParams::MqttSubscriber(_) => Role::Sink,
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
        LogProducerParams::KIND,
        LogBrokerParams::KIND,
        LogConsumerParams::KIND,
        MqttPublisherParams::KIND,
        MqttBrokerParams::KIND,
        MqttSubscriberParams::KIND,
        WorkQueueParams::KIND,
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
            LogProducerParams::KIND => Some(ActorParams::LogProducer(Default::default())),
            LogBrokerParams::KIND => Some(ActorParams::LogBroker(Default::default())),
            LogConsumerParams::KIND => Some(ActorParams::LogConsumer(Default::default())),
            MqttPublisherParams::KIND => Some(ActorParams::MqttPublisher(Default::default())),
            MqttBrokerParams::KIND => Some(ActorParams::MqttBroker(Default::default())),
            MqttSubscriberParams::KIND => Some(ActorParams::MqttSubscriber(Default::default())),
            WorkQueueParams::KIND => Some(ActorParams::WorkQueue(Default::default())),
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
            ActorParams::LogProducer(p) => p,
            ActorParams::LogBroker(p) => p,
            ActorParams::LogConsumer(p) => p,
            ActorParams::MqttPublisher(p) => p,
            ActorParams::MqttBroker(p) => p,
            ActorParams::MqttSubscriber(p) => p,
            ActorParams::WorkQueue(p) => p,
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
            ActorParams::LogProducer(p) => p,
            ActorParams::LogBroker(p) => p,
            ActorParams::LogConsumer(p) => p,
            ActorParams::MqttPublisher(p) => p,
            ActorParams::MqttBroker(p) => p,
            ActorParams::MqttSubscriber(p) => p,
            ActorParams::WorkQueue(p) => p,
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
        use ActorParams::{
            Broker, Consumer, LogBroker, LogConsumer, LogProducer, MqttBroker, MqttPublisher,
            MqttSubscriber, Producer, Requester, Responder, Script, WorkQueue,
        };
        matches!(
            (self, to),
            (Producer(_) | Consumer(_), Broker(_) | Consumer(_))
                | (Broker(_), Consumer(_))
                | (Requester(_) | Responder(_), Responder(_))
                | (Responder(_), Broker(_))
                | (Script(_), Script(_))
                | (LogProducer(_), LogBroker(_))
                | (LogBroker(_), LogConsumer(_))
                | (MqttPublisher(_), MqttBroker(_))
                | (MqttBroker(_), MqttSubscriber(_))
                | (Producer(_), WorkQueue(_))
                | (WorkQueue(_), Consumer(_))
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
    /// A producer of a log broker.
    LogProducer(Box<LogProducer>),
    /// A log broker.
    LogBroker(Box<LogBrokerActor>),
    /// A consumer of a log broker.
    LogConsumer(Box<LogConsumer>),
    /// An MQTT client that publishes.
    MqttPublisher(Box<MqttPublisher>),
    /// An MQTT broker.
    MqttBroker(Box<MqttBrokerActor>),
    /// An MQTT client that subscribes.
    MqttSubscriber(Box<MqttSubscriber>),
    /// A work queue.
    WorkQueue(Box<WorkQueueActor>),
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
            ActorParams::LogProducer(p) => Actor::LogProducer(Box::new(LogProducer::new(p))),
            ActorParams::LogBroker(p) => Actor::LogBroker(Box::new(LogBrokerActor::new(p))),
            ActorParams::LogConsumer(p) => Actor::LogConsumer(Box::new(LogConsumer::new(p))),
            ActorParams::MqttPublisher(p) => Actor::MqttPublisher(Box::new(MqttPublisher::new(p))),
            ActorParams::MqttBroker(p) => Actor::MqttBroker(Box::new(MqttBrokerActor::new(p))),
            ActorParams::MqttSubscriber(p) => {
                Actor::MqttSubscriber(Box::new(MqttSubscriber::new(p)))
            }
            ActorParams::WorkQueue(p) => Actor::WorkQueue(Box::new(WorkQueueActor::new(p))),
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
            Actor::LogProducer(a) => &a.params,
            Actor::LogBroker(a) => &a.params,
            Actor::LogConsumer(a) => &a.params,
            Actor::MqttPublisher(a) => &a.params,
            Actor::MqttBroker(a) => &a.params,
            Actor::MqttSubscriber(a) => &a.params,
            Actor::WorkQueue(a) => &a.params,
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
            _ => Client::default(),
        }
    }

    /// The run begins.
    pub fn on_start(&mut self, cx: &mut Ctx<'_>) {
        match self {
            Actor::Producer(a) => a.on_start(cx),
            Actor::Requester(a) => a.on_start(cx),
            Actor::Script(a) => a.on_start(cx),
            Actor::Consumer(a) => a.begin_pulling(cx.now()),
            Actor::LogProducer(a) => a.on_start(cx),
            Actor::LogConsumer(a) => a.on_start(cx),
            Actor::MqttPublisher(a) => a.on_start(cx),
            Actor::Broker(_)
            | Actor::Responder(_)
            | Actor::LogBroker(_)
            | Actor::MqttBroker(_)
            | Actor::MqttSubscriber(_)
            | Actor::WorkQueue(_) => {}
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
            Actor::LogProducer(a) => a.on_message(cx, parcel),
            Actor::LogBroker(a) => a.on_message(cx, port, parcel),
            Actor::LogConsumer(a) => a.on_message(cx, parcel),
            Actor::MqttPublisher(a) => a.on_message(cx, parcel),
            Actor::MqttBroker(a) => a.on_message(cx, port, parcel),
            Actor::MqttSubscriber(a) => a.on_message(cx, parcel),
            Actor::WorkQueue(a) => a.on_message(cx, port, parcel),
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
            Actor::LogProducer(a) => a.on_wake(cx),
            Actor::LogBroker(a) => a.on_wake(cx),
            Actor::LogConsumer(a) => a.on_wake(cx),
            Actor::MqttPublisher(a) => a.on_wake(cx),
            Actor::MqttBroker(a) => a.on_wake(cx),
            Actor::MqttSubscriber(a) => a.on_wake(cx),
            Actor::WorkQueue(a) => a.on_wake(cx),
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
            Actor::LogProducer(a) => a.on_writable(cx),
            Actor::LogBroker(a) => a.on_writable(cx, port),
            Actor::MqttPublisher(a) => a.on_writable(cx),
            Actor::MqttBroker(a) => a.on_writable(cx, port),
            Actor::WorkQueue(a) => a.on_writable(cx, port),
            Actor::Script(_) | Actor::LogConsumer(_) | Actor::MqttSubscriber(_) => {}
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
            Actor::LogProducer(a) => a.next_wake(),
            Actor::LogBroker(a) => a.next_wake(),
            Actor::LogConsumer(a) => a.next_wake(),
            Actor::MqttPublisher(a) => a.next_wake(),
            Actor::MqttBroker(a) => a.next_wake(),
            Actor::MqttSubscriber(a) => a.next_wake(),
            Actor::WorkQueue(a) => a.next_wake(),
        }
    }

    /// Whether it reads from the port now; a machine that refuses asks to be handed the rest later.
    #[inline]
    pub fn wants(&self, cx: &Ctx<'_>, port: u16) -> bool {
        match self {
            Actor::Broker(a) => a.wants(cx, port),
            Actor::Consumer(a) => a.wants(cx, port),
            _ => true,
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
            Actor::LogProducer(a) => a.on_crash(cx),
            Actor::LogBroker(a) => a.on_crash(cx),
            Actor::LogConsumer(a) => a.on_crash(cx),
            Actor::MqttPublisher(a) => a.on_crash(cx),
            Actor::MqttBroker(a) => a.on_crash(cx),
            Actor::MqttSubscriber(a) => a.on_crash(cx),
            Actor::WorkQueue(a) => a.on_crash(cx),
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
            Actor::LogProducer(a) => a.on_restart(cx),
            Actor::LogBroker(a) => a.on_restart(cx),
            Actor::LogConsumer(a) => a.on_restart(cx),
            Actor::MqttPublisher(a) => a.on_restart(cx),
            Actor::MqttSubscriber(a) => a.on_restart(cx),
            Actor::WorkQueue(a) => a.on_restart(cx),
            Actor::Responder(_) | Actor::MqttBroker(_) => {}
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
            Actor::LogProducer(a) => a.postpone(span),
            Actor::LogBroker(a) => a.on_wake(cx),
            Actor::LogConsumer(a) => a.on_resume(cx),
            Actor::MqttPublisher(a) => a.postpone(span),
            Actor::MqttBroker(_) | Actor::MqttSubscriber(_) => {}
            // Times to run go on while it stands still.
            Actor::WorkQueue(a) => a.on_wake(cx),
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
            Actor::LogProducer(a) => a.send(cx),
            Actor::MqttPublisher(a) => a.send(cx),
            _ => return false,
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
            Actor::LogProducer(a) => a.set(cx, index, value),
            Actor::LogBroker(a) => a.set(cx, index, value),
            Actor::LogConsumer(a) => a.set(cx, index, value),
            Actor::MqttPublisher(a) => a.set(cx, index, value),
            Actor::MqttBroker(a) => a.set(cx, index, value),
            Actor::MqttSubscriber(a) => a.set(cx, index, value),
            Actor::WorkQueue(a) => a.set(index, value),
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
            Actor::LogProducer(a) => u64::from(a.n_held),
            Actor::LogBroker(a) => a.n_held(),
            Actor::LogConsumer(a) => a.n_waiting() + u64::from(a.workers.n_busy()),
            Actor::MqttPublisher(a) => a.n_held(),
            Actor::MqttBroker(a) => a.n_held(),
            Actor::MqttSubscriber(a) => a.n_held(),
            Actor::WorkQueue(a) => a.n_held(),
        }
    }

    /// Its workers, if it has any.
    pub fn workers(&self) -> Option<&workers::Workers> {
        match self {
            Actor::Consumer(a) => Some(&a.workers),
            Actor::Responder(a) => Some(&a.workers),
            Actor::LogConsumer(a) => Some(&a.workers),
            Actor::MqttSubscriber(a) => Some(&a.workers),
            _ => None,
        }
    }

    fn workers_mut(&mut self) -> Option<&mut workers::Workers> {
        match self {
            Actor::Consumer(a) => Some(&mut a.workers),
            Actor::Responder(a) => Some(&mut a.workers),
            Actor::LogConsumer(a) => Some(&mut a.workers),
            Actor::MqttSubscriber(a) => Some(&mut a.workers),
            _ => None,
        }
    }
}
