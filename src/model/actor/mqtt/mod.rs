//! An MQTT broker and its clients as actors: connections, packets on channels, and facts around the
//! machine in [`crate::model::mqtt`].
//!
//! Read `link.rs` first: how a client is connected, and how packets get onto a channel. The broker
//! has a session for every client; a publisher has the sending half of one, a subscriber the
//! receiving half.

pub mod broker;
pub mod link;
pub mod publisher;
mod publisher_params;
pub mod subscriber;

pub use broker::{MqttBrokerActor, MqttBrokerParams};
pub use publisher::MqttPublisher;
pub use publisher_params::MqttPublisherParams;
pub use subscriber::{MqttSubscriber, MqttSubscriberParams};

use crate::model::message::Message;
use crate::model::mqtt::{Payload, Qos, TOPIC_LIMIT, Text, check_filter, check_topic};
use crate::param::{Lines, Reason, Said};

choices! {
    /// Quality of service, as documents write it.
    pub enum QosWish {
        /// At most once.
        Zero = "0" ("0, at most once", "0，至多一次"),
        /// At least once.
        One = "1" ("1, at least once", "1，至少一次"),
        /// Exactly once.
        Two = "2" ("2, exactly once", "2，恰好一次"),
    }
}

choices! {
    /// What becomes of a session when its connection ends.
    pub enum SessionKind {
        /// It waits for its client.
        Persistent = "persistent" ("persistent", "持久会话"),
        /// It is forgotten.
        Clean = "clean" ("clean", "清除会话"),
    }
}

impl QosWish {
    /// The quality of the protocol.
    pub fn qos(self) -> Qos {
        [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][self as usize]
    }
}

/// Most topics of a publisher, and filters of a subscriber.
pub const MAX_TOPICS: usize = 64;

impl Payload for Message {
    /// A message on the stage is never nothing.
    fn is_empty(&self) -> bool {
        false
    }
}

/// What a broker knows of a client before the clock starts, and asks for when it comes back.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MqttClient {
    /// The topics of its messages, by route.
    pub topics: Vec<Text>,
    /// What it subscribes to.
    pub filters: Vec<(Text, Qos)>,
    /// Whether its sessions are clean.
    pub clean: bool,
    /// Whether it is connected when the clock starts.
    pub connected: bool,
}

/// Checks topics: one a line.
pub fn check_topics(text: &str) -> Result<(), Reason> {
    let allowed = Said::new(
        "topics without + and #, like room/1/temperature",
        "不含 + 和 # 的主题，如 room/1/temperature",
    );
    check(text, check_topic, allowed)
}

/// Checks filters: one a line.
pub fn check_filters(text: &str) -> Result<(), Reason> {
    let allowed = Said::new(
        "filters like room/+/temperature, alarm/# or $share/group/jobs",
        "过滤器，如 room/+/temperature、alarm/# 或 $share/组名/jobs",
    );
    check(text, check_filter, allowed)
}

fn check(text: &str, is_good: fn(&str) -> bool, allowed: Said) -> Result<(), Reason> {
    let all = lines(text);
    if let Some(bad) = all.iter().find(|line| !is_good(line)) {
        return Err(Reason::new(*bad, allowed));
    }
    if MAX_TOPICS < all.len() {
        let allowed = Said::new(format!("at most {MAX_TOPICS}"), format!("最多 {MAX_TOPICS} 个"));
        return Err(Reason::new(all.len().to_string(), allowed));
    }
    Ok(())
}

fn lines(text: &str) -> Vec<&str> {
    text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// The topics or filters of a parameter, or this one if there are none.
fn texts(of: &Lines, default: &str) -> Vec<Text> {
    let all = of.0.join("\n");
    let all: Vec<Text> = lines(&all).into_iter().map(Text::from).collect();
    if all.is_empty() { vec![default.into()] } else { all }
}

/// Bytes of a topic on the channel.
fn topic_bytes(topic: &str) -> u8 {
    const { assert!(TOPIC_LIMIT <= u8::MAX as usize) }
    topic.len() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named_with_what_is_allowed() {
        assert_eq!(check_filters("a/+/b; $share/g/#"), Ok(()));
        let reason = check_filters("a; b/#/c").expect_err("a hash in the middle");
        assert_eq!(reason.value, "b/#/c");
        assert!(reason.allowed.en.contains("alarm/#"));
        assert!(check_topics("a/+").is_err());
        let many = vec!["t"; MAX_TOPICS + 1].join(";");
        assert!(check_topics(&many).is_err());
    }
}
