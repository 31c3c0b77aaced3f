//! What clients of an MQTT broker and the broker say to each other. MQTT 3.1.1 section 3.
//!
//! CONNECT stands for itself and for SUBSCRIBE: a client subscribes whenever the broker does not
//! know its session. Each parcel tells of which of its client's connections it is, as a TCP
//! connection of its own would: what comes late from an earlier one is not looked at.

use crate::model::message::{Message, MsgId};
use crate::model::mqtt::{Mid, Qos};

/// A parcel between an MQTT client and its broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MqttParcel {
    /// Which of its client's connections it belongs to, counted from 1.
    pub connection: u32,
    /// What it says.
    pub packet: MqttPacket,
}

/// A packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MqttPacket {
    /// CONNECT.
    Connect {
        /// The session ends with the connection, and no earlier one goes on.
        clean: bool,
    },
    /// CONNACK.
    ConnAck,
    /// DISCONNECT.
    Disconnect,
    /// PUBLISH.
    Publish {
        /// Its number; 0 with QoS 0.
        mid: Mid,
        /// Quality of service on this hop.
        qos: Qos,
        /// It may have been sent before.
        dup: bool,
        /// To the broker: keep it. From the broker: it was kept.
        retain: bool,
        /// Length of its topic in bytes.
        topic: u8,
        /// The message.
        message: Message,
    },
    /// An answer that is a number, with the message it is about.
    Answer {
        /// Which.
        answer: Answer,
        /// The number.
        mid: Mid,
        /// The message.
        msg: MsgId,
    },
}

/// The packets that are a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// PUBACK: a QoS 1 message is here.
    PubAck,
    /// PUBREC: a QoS 2 message is here.
    PubRec,
    /// PUBREL: it may be handed on.
    PubRel,
    /// PUBCOMP: its number is free.
    PubComp,
}

/// Bytes of a packet that is a number: type, length, number.
const ANSWER_BYTES: u64 = 4;
/// Bytes of CONNECT and SUBSCRIBE with ids and filters of about 10 characters.
const CONNECT_BYTES: u64 = 40;

impl MqttPacket {
    /// The message it carries, if it carries one.
    pub fn message(&self) -> Option<&Message> {
        match self {
            MqttPacket::Publish { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The message it speaks of.
    pub fn about(&self) -> Option<MsgId> {
        match self {
            MqttPacket::Publish { message, .. } => Some(message.id),
            MqttPacket::Answer { msg, .. } => Some(*msg),
            _ => None,
        }
    }

    /// Whether it is about the connection itself.
    pub fn is_of_connection(&self) -> bool {
        matches!(self, MqttPacket::Connect { .. } | MqttPacket::ConnAck | MqttPacket::Disconnect)
    }

    /// Its length on the channel in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            MqttPacket::Publish { mid, topic, message, .. } => {
                let number = if *mid == 0 { 0 } else { 2 };
                let rest = 2 + u64::from(*topic) + number + u64::from(message.bytes);
                // The type, and a length of 7 bits a byte.
                1 + length_bytes(rest) + rest
            }
            MqttPacket::Connect { .. } => CONNECT_BYTES,
            MqttPacket::ConnAck | MqttPacket::Answer { .. } => ANSWER_BYTES,
            MqttPacket::Disconnect => 2,
        }
    }
}

/// Bytes of a length: at most four, section 2.2.3.
fn length_bytes(n: u64) -> u64 {
    match n {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_stays_small() {
        assert!(size_of::<MqttParcel>() <= 88, "{}", size_of::<MqttParcel>());
    }

    #[test]
    fn lengths_are_written_as_the_standard_shows_them() {
        let table = [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3)];
        for (n, bytes) in table {
            assert_eq!(length_bytes(n), bytes, "{n}");
        }
        assert_eq!(length_bytes(2_097_152), 4);
    }
}
