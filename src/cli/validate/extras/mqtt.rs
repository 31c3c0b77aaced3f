//! What an MQTT broker sent. The record tells who did what in sentences of a few kinds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::read::{Stop, list, same};
use super::sentence::{count_after, step, words};
use crate::model::mqtt::{ClientNo, Effect, FromClient, Mid, Mqtt, Publish, Qos, ToClient, clones};

/// The one topic of sentences that name none.
const TOPIC: &str = "t";
/// Who publishes, when a sentence says `publisher`.
const PUBLISHER: &str = "publisher";
/// Who receives, when a sentence says `subscriber`.
const SUBSCRIBER: &str = "subscriber";

/// Clients of a broker and what they received and have not shown yet.
#[derive(Default)]
struct Trace {
    broker: Mqtt,
    /// What clients are called, by number.
    names: Vec<String>,
    received: BTreeMap<ClientNo, Vec<ToClient>>,
    /// Messages that a client was shown and has not answered.
    unanswered: Vec<(ClientNo, Publish)>,
    /// The packet number that the publisher used last.
    last_mid: Mid,
}

/// Replays one case.
pub(super) fn replay(case: &Value) -> Result<(), Stop> {
    let steps = list(case, "steps")?;
    let is_share = |one: &Value| one[0].as_str().is_some_and(|s| s.starts_with("shared group"));
    if steps.iter().any(is_share) {
        return share(steps);
    }
    let mut trace = Trace::default();
    for one in steps {
        let (sentence, shown) = step(one)?;
        let expects = |who: &str| words(sentence).first() == Some(&who);
        if expects(PUBLISHER) && trace.received.is_empty() {
            // The subscriber of these cases was there before: it wants the best quality.
            trace.connect(SUBSCRIBER);
            trace.subscribe(SUBSCRIBER, TOPIC, Qos::ExactlyOnce);
        }
        let model = trace.on_step(sentence, shown)?;
        same(sentence, shown, &Value::Array(model))?;
    }
    Ok(())
}

impl Trace {
    /// What clients received in a step, as the record shows it.
    fn on_step(&mut self, sentence: &str, shown: &Value) -> Result<Vec<Value>, Stop> {
        let told = words(sentence);
        let packets = match told.as_slice() {
            [who, "subscribes", filter, "qos", _] => {
                let qos = qos_after(sentence, "qos")?;
                self.connect(who);
                self.subscribe(who, filter, qos)
            }
            [who, "publishes", payloads] => self.publish_each(who, payloads, shown)?,
            [PUBLISHER, "sends", ..] => self.send_twice(sentence)?,
            [SUBSCRIBER, ..] => self.show(SUBSCRIBER),
            [who, "receives"] => self.show(who),
            [who, "gets", "after", answers @ ..] if answers.contains(&"PUBREC") => {
                self.acknowledge(who)
            }
            ["PUBREL"] | ["PUBREL", "again"] => {
                let release = FromClient::PubRel(self.last_mid);
                self.say(PUBLISHER, release)
            }
            _ => return Err(Stop::NotCovered(format!("the step `{sentence}`"))),
        };
        Ok(packets.iter().map(packet).collect())
    }

    /// The number of a client, also of one that is new.
    fn client(&mut self, who: &str) -> ClientNo {
        let known = self.names.iter().position(|name| name == who);
        let place = known.unwrap_or_else(|| {
            self.names.push(who.to_owned());
            self.names.len() - 1
        });
        ClientNo(place as u32)
    }

    fn connect(&mut self, who: &str) {
        let client = self.client(who);
        if self.broker.is_connected(client) {
            return;
        }
        let mut out = Vec::new();
        self.broker.connect(client, true, &mut out);
        self.received.entry(client).or_default();
    }

    fn subscribe(&mut self, who: &str, filter: &str, qos: Qos) -> Vec<ToClient> {
        self.say(who, FromClient::Subscribe(1, vec![(filter.into(), qos)]))
    }

    /// A client sends a packet: what it receives itself; others keep theirs until it is shown.
    fn say(&mut self, who: &str, said: FromClient) -> Vec<ToClient> {
        let mut out = Vec::new();
        let client = self.client(who);
        self.broker.on_message(client, said, &mut clones, &mut out);
        let mut own = Vec::new();
        for effect in out {
            match effect {
                Effect::Send(to, packet) if to == client => own.push(packet),
                Effect::Send(to, packet) => self.received.entry(to).or_default().push(packet),
                _ => {}
            }
        }
        own
    }

    fn publish(&mut self, who: &str, payload: &str, qos: Qos, mid: Mid, dup: bool) -> FromClient {
        self.connect(who);
        self.last_mid = mid;
        let (topic, payload) = (TOPIC.into(), payload.into());
        FromClient::Publish(Publish { topic, payload, qos, dup, retain: false, mid })
    }

    /// `q0/q1/q2`: a message of each quality. Its number stands in the answer only.
    fn publish_each(
        &mut self,
        who: &str,
        payloads: &str,
        shown: &Value,
    ) -> Result<Vec<ToClient>, Stop> {
        let mut packets = Vec::new();
        for payload in payloads.split('/') {
            let qos = qos_after(payload, "q")?;
            let answer = match qos {
                Qos::AtMostOnce => "",
                Qos::AtLeastOnce => "PUBACK",
                Qos::ExactlyOnce => "PUBREC",
            };
            let answers = shown.as_array().into_iter().flatten();
            let mut answers = answers.filter(|packet| packet["type"].as_str() == Some(answer));
            let mid = answers.next().and_then(|packet| packet["mid"].as_u64());
            let mid = Mid::try_from(mid.unwrap_or(0)).unwrap_or(0);
            if qos != Qos::AtMostOnce && mid == 0 {
                return Err(Stop::Differs(format!("no {answer} with a number is recorded")));
            }
            let said = self.publish(who, payload, qos, mid, false);
            packets.extend(self.say(who, said));
            if qos == Qos::ExactlyOnce {
                packets.extend(self.say(who, FromClient::PubRel(mid)));
            }
        }
        Ok(packets)
    }

    /// `qos1 mid 7, then again with DUP`.
    fn send_twice(&mut self, sentence: &str) -> Result<Vec<ToClient>, Stop> {
        let qos = qos_after(sentence, "qos")?;
        let mid = count_after(sentence, "mid").and_then(|mid| Mid::try_from(mid).ok());
        let mid = mid.filter(|mid| 0 < *mid);
        let mid = mid.ok_or_else(|| format!("`{sentence}` tells no packet number"))?;
        let mut packets = Vec::new();
        let times: &[bool] =
            if sentence.contains("again with DUP") { &[false, true] } else { &[false] };
        for dup in times {
            let said = self.publish(PUBLISHER, "x", qos, mid, *dup);
            packets.extend(self.say(PUBLISHER, said));
        }
        Ok(packets)
    }

    /// What a client received since it was shown last; it answers nothing yet.
    fn show(&mut self, who: &str) -> Vec<ToClient> {
        let who = self.client(who);
        let packets = self.received.get_mut(&who).map(std::mem::take).unwrap_or_default();
        self.unanswered.extend(packets.iter().filter_map(|packet| match packet {
            ToClient::Publish(message) => Some((who, message.clone())),
            _ => None,
        }));
        packets
    }

    /// A client answers all that it was shown: what comes back at once.
    fn acknowledge(&mut self, who: &str) -> Vec<ToClient> {
        let mut packets = Vec::new();
        let asked = self.client(who);
        for (client, message) in std::mem::take(&mut self.unanswered) {
            if client != asked {
                self.unanswered.push((client, message));
                continue;
            }
            match message.qos {
                Qos::AtMostOnce => {}
                Qos::AtLeastOnce => packets.extend(self.say(who, FromClient::PubAck(message.mid))),
                Qos::ExactlyOnce => packets.extend(self.say(who, FromClient::PubRec(message.mid))),
            }
        }
        packets
    }
}

fn qos_after(text: &str, phrase: &str) -> Result<Qos, String> {
    let qos = count_after(text, phrase).and_then(|n| Qos::from_number(n.into()));
    qos.ok_or_else(|| format!("`{text}` tells no quality of service"))
}

/// A packet as the record shows it.
fn packet(packet: &ToClient) -> Value {
    let numbered = |kind: &str, mid: &Mid| json!({ "type": kind, "mid": mid });
    match packet {
        ToClient::ConnAck { .. } => json!({ "type": "CONNACK" }),
        // The recording client did not show its number.
        ToClient::SubAck(..) => json!({ "type": "SUBACK" }),
        ToClient::UnsubAck(_) => json!({ "type": "UNSUBACK" }),
        ToClient::PubAck(mid) => numbered("PUBACK", mid),
        ToClient::PubRec(mid) => numbered("PUBREC", mid),
        ToClient::PubRel(mid) => numbered("PUBREL", mid),
        ToClient::PubComp(mid) => numbered("PUBCOMP", mid),
        ToClient::Publish(message) => {
            let mut shown = json!({
                "type": "PUBLISH",
                "topic": &*message.topic,
                "qos": message.qos.number(),
                "dup": message.dup,
                "retain": message.retain,
                "payload": &*message.payload,
            });
            if message.mid != 0 {
                shown["mid"] = json!(message.mid);
            }
            shown
        }
    }
}

/// Who received what: members of shared groups in their order, and plain subscribers, who show
/// what was published.
fn share(steps: &[Value]) -> Result<(), Stop> {
    let mut trace = Trace::default();
    let mut clients: Vec<String> = Vec::new();
    let mut published: &[Value] = &[];
    for one in steps {
        let (sentence, shown) = step(one)?;
        let (who, filter) = match words(sentence).as_slice() {
            ["shared", "group", group, who] => ((*who).to_owned(), format!("$share/{group}/t")),
            ["plain", "subscriber", who] => {
                published = shown.as_array().map_or(&[][..], Vec::as_slice);
                ((*who).to_owned(), TOPIC.to_owned())
            }
            _ => return Err(Stop::NotCovered(format!("the step `{sentence}`"))),
        };
        trace.connect(&who);
        trace.subscribe(&who, &filter, Qos::AtMostOnce);
        clients.push(who);
    }
    for payload in published {
        let payload = payload.as_str().ok_or_else(|| format!("{payload} is no text"))?;
        let said = trace.publish(PUBLISHER, payload, Qos::AtMostOnce, 0, false);
        trace.say(PUBLISHER, said);
    }
    for (one, who) in steps.iter().zip(clients) {
        let payload = |packet: ToClient| match packet {
            ToClient::Publish(message) => Some(message.payload.to_string()),
            _ => None,
        };
        let payloads: Vec<String> = trace.show(&who).into_iter().filter_map(payload).collect();
        same(&who, &one[1], &json!(payloads))?;
    }
    Ok(())
}
