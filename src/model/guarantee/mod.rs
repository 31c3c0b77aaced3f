//! Processing guarantees in small: one message, one fault, and how often it took effect.
//!
//! A producer sends one message to a broker, a consumer makes it take effect. The setting says
//! who repeats, who remembers and when it is acknowledged; the fault strikes once. The rules and
//! what is left out are in `docs/models/guarantees.md`.

mod run;

use std::collections::BTreeSet;

pub use run::run;

/// When the consumer acknowledges a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckPoint {
    /// When it arrives.
    OnDelivery,
    /// When its work is done.
    AfterWork,
}

/// By which key the consumer knows a message again, within the transaction of its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DedupeKey {
    /// It does not.
    None,
    /// By the id that the broker gave to what it stored: a copy sent again has another one.
    BrokerId,
    /// By the id that the producer gave to what it sent.
    ProducerId,
}

/// Who does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The producer sends until the broker's acknowledgement arrives.
    pub retries: bool,
    /// A restart of the broker loses nothing.
    pub durable: bool,
    /// When the consumer acknowledges.
    pub ack: AckPoint,
    /// How it knows a message again.
    pub dedupe: DedupeKey,
}

impl Setting {
    /// All 24.
    pub fn all() -> impl Iterator<Item = Setting> {
        let keys = [DedupeKey::None, DedupeKey::BrokerId, DedupeKey::ProducerId];
        [false, true].into_iter().flat_map(move |retries| {
            [false, true].into_iter().flat_map(move |durable| {
                [AckPoint::OnDelivery, AckPoint::AfterWork].into_iter().flat_map(move |ack| {
                    keys.into_iter().map(move |dedupe| Setting { retries, durable, ack, dedupe })
                })
            })
        })
    }
}

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The producer's request does not arrive.
    RequestLost,
    /// The broker's acknowledgement does not arrive.
    BrokerAckLost,
    /// The broker restarts before anything is delivered.
    RestartBeforeDelivery,
    /// The broker restarts while the first delivery is not acknowledged.
    RestartWhileUnacked,
    /// The consumer crashes with the first delivery in hand, before its work.
    CrashBeforeWork,
    /// It crashes when the work is done, before the acknowledgement.
    CrashAfterWork,
    /// The consumer's acknowledgement does not arrive.
    ConsumerAckLost,
    /// The broker takes the consumer for dead and delivers again.
    RedeliveryAfterTimeout,
}

impl Fault {
    /// All nine.
    pub const ALL: [Fault; 9] = [
        Fault::None,
        Fault::RequestLost,
        Fault::BrokerAckLost,
        Fault::RestartBeforeDelivery,
        Fault::RestartWhileUnacked,
        Fault::CrashBeforeWork,
        Fault::CrashAfterWork,
        Fault::ConsumerAckLost,
        Fault::RedeliveryAfterTimeout,
    ];
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One effect.
    Ok,
    /// No effect.
    Lost,
    /// More than one effect.
    Duplicate,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Requests that the producer sent.
    pub sends: u32,
    /// Copies that the broker stored.
    pub stored_copies: u32,
    /// Deliveries to the consumer.
    pub deliveries: u32,
    /// Times the message took effect.
    pub effects: u32,
}

impl Outcome {
    /// Lost, duplicated, or neither.
    pub fn verdict(&self) -> Verdict {
        match self.effects {
            0 => Verdict::Lost,
            1 => Verdict::Ok,
            _ => Verdict::Duplicate,
        }
    }
}

/// A copy that the broker stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Copy {
    /// The broker's id, from 1.
    id: u32,
}

/// What the consumer remembers, together with its effects.
#[derive(Clone, Debug, PartialEq, Default)]
struct Account {
    seen: BTreeSet<u32>,
    n_effects: u32,
}
