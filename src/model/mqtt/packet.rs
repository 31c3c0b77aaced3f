//! Packets, from clients and to clients. MQTT 3.1.1 section 3.

use super::{Qos, Text};

/// A packet's number within a session and direction; 0 is none.
pub type Mid = u16;

/// A client of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientNo(pub u32);

/// What a message carries.
pub trait Payload: Clone + PartialEq {
    /// Whether it is nothing: as a retained message it deletes the one before.
    fn is_empty(&self) -> bool;
}

impl Payload for Text {
    fn is_empty(&self) -> bool {
        str::is_empty(self)
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish<P = Text> {
    /// Where to.
    pub topic: Text,
    /// What; an empty one deletes a retained message.
    pub payload: P,
    /// Quality of service.
    pub qos: Qos,
    /// It may have been sent before.
    pub dup: bool,
    /// From a client: keep it. To a client: it was kept.
    pub retain: bool,
    /// Its packet number; 0 with QoS 0.
    pub mid: Mid,
}

/// What a connected client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromClient<P = Text> {
    /// SUBSCRIBE: filters with the highest quality wanted.
    Subscribe(Mid, Vec<(Text, Qos)>),
    /// UNSUBSCRIBE.
    Unsubscribe(Mid, Vec<Text>),
    /// PUBLISH.
    Publish(Publish<P>),
    /// PUBACK: a QoS 1 message arrived.
    PubAck(Mid),
    /// PUBREC: a QoS 2 message arrived.
    PubRec(Mid),
    /// PUBREL: a QoS 2 message may be handed on.
    PubRel(Mid),
    /// PUBCOMP: a QoS 2 message is done.
    PubComp(Mid),
}

/// What a client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToClient<P = Text> {
    /// CONNACK.
    ConnAck {
        /// The broker knows the session.
        session_present: bool,
    },
    /// SUBACK with the granted qualities.
    SubAck(Mid, Vec<Qos>),
    /// UNSUBACK.
    UnsubAck(Mid),
    /// PUBLISH.
    Publish(Publish<P>),
    /// PUBACK.
    PubAck(Mid),
    /// PUBREC.
    PubRec(Mid),
    /// PUBREL.
    PubRel(Mid),
    /// PUBCOMP.
    PubComp(Mid),
}
