//! What a queue broker's exchanges, resources and rules do, in sentences.

use crate::model::Fact;
use crate::param::{Lang, Text};

use super::caption::tell_node;
use super::tcp_words;
use super::words::{Cast, Ink, Run, Sentence, number, part, sentence};

/// How much a fact deserves to be told.
pub fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Alarm { .. } | Fact::SessionTurned { .. } => 8,
        Fact::NotFound { .. } => 7,
        Fact::Retained { .. } => 2,
        Fact::Denied { .. } => 7,
        Fact::Synced { .. } | Fact::Audited { .. } => 2,
        Fact::Routed { .. } => 1,
        Fact::Excused { .. } => 0,
        _ => tcp_words::rank(fact),
    }
}

/// A fact in a sentence.
pub fn tell(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let plain = |text: &str| part(text, Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Alarm { at, resource, on: true } => say(
            "{0} is short of {1}: it takes nothing more from publishers.",
            "{0}的{1}不足：不再接收发布者的消息。",
            &[actor(at), plain(resource.text().get(lang))],
        ),
        Fact::Alarm { at, resource, on: false } => say(
            "{0} has enough {1} again and takes from publishers.",
            "{0}的{1}已恢复：重新接收发布者的消息。",
            &[actor(at), plain(resource.text().get(lang))],
        ),
        Fact::Denied { by, at, reads: true, .. } => say(
            "{1} does not let {0} read that queue.",
            "{1}拒绝{0}读取该队列。",
            &[actor(by), actor(at)],
        ),
        Fact::Denied { by, at, reads: false, .. } => say(
            "{1} does not let {0} write to that queue.",
            "{1}拒绝{0}写入该队列。",
            &[actor(by), actor(at)],
        ),
        Fact::Audited { msg, by, at, reads: true } => say(
            "{2} records that {1} got {0}.",
            "{2}记录：{1}取得了 {0}。",
            &[number(msg), actor(by), actor(at)],
        ),
        Fact::Audited { msg, by, at, reads: false } => say(
            "{2} records that {1} wrote {0}.",
            "{2}记录：{1}写入了 {0}。",
            &[number(msg), actor(by), actor(at)],
        ),
        Fact::Routed { msg, at, .. } => say(
            "An exchange of {1} chooses a queue for {0}.",
            "{1}的交换机为 {0} 选出一个队列。",
            &[number(msg), actor(at)],
        ),
        Fact::Excused { msg, cause, .. } => say(
            "{0} had been waiting: {1}.",
            "{0} 此前在等待：{1}。",
            &[number(msg), plain(cause.text().get(lang))],
        ),
        Fact::Synced { at } => {
            say("The disk of {0} has everything now.", "{0}的磁盘已写入全部内容。", &[actor(at)])
        }
        _ => tell_session(fact, cast, lang),
    }
}

/// A fact of an MQTT broker or a work queue in a sentence.
fn tell_session(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::SessionTurned { at, by, is_there, is_kept } => {
            let parts = [actor(by), actor(at)];
            match (is_there, is_kept) {
                (true, true) => say(
                    "{0} is back; {1} knows its session.",
                    "{0}重新上线，{1}还留有其会话。",
                    &parts,
                ),
                (true, false) => {
                    say("{0} connects to {1} with a new session.", "{0}以新会话连接到{1}。", &parts)
                }
                (false, true) => {
                    say("{0} is gone; {1} keeps its session.", "{0}离线，{1}保留其会话。", &parts)
                }
                (false, false) => {
                    say("{0} is gone; {1} forgets its session.", "{0}离线，{1}清除其会话。", &parts)
                }
            }
        }
        Fact::NotFound { msg, at, by } => say(
            "{1} does not know {0} of {2} any more: its time to run is over.",
            "{1}不再认{2}手中的 {0}：限定处理时间已过。",
            &[part(msg.0.to_string(), Ink::Bad), actor(at), actor(by)],
        ),
        Fact::Retained { msg, at, waits: true } => say(
            "{1} keeps {0}: nobody subscribes to it yet.",
            "{1}保留 {0}：暂时无人订阅。",
            &[number(msg), actor(at)],
        ),
        Fact::Retained { msg, at, waits: false } => say(
            "{1} keeps a copy of {0} for who subscribes later.",
            "{1}为后来的订阅者保留 {0} 的副本。",
            &[number(msg), actor(at)],
        ),
        _ => tell_node(fact, cast, lang),
    }
}
