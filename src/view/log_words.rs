//! What log brokers and groups state, in sentences.

use crate::model::fact::{Fact, TxnTurn};
use crate::model::group::GroupState;
use crate::model::log::TxnEnd;
use crate::param::{Lang, Text};

use super::words::{Cast, Ink, Run, Sentence, part, sentence};

/// A fact that only log brokers and their groups state.
pub(super) fn tell(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let strong = |n: u64| part(n.to_string(), Ink::Strong);
    let name = |partition: u8| part(format!("p{partition}"), Ink::Strong);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Elected { at, partition, leader: u8::MAX, .. } => say(
            "{0}: {1} has no leader, and waits for one of its replicas in sync.",
            "{0}：{1} 没有首领，在等同步副本恢复。",
            &[actor(at), name(partition)],
        ),
        Fact::Elected { at, partition, leader, epoch, .. } => say(
            "{0}: replica {2} of {1} leads, in epoch {3}.",
            "{0}：{1} 的副本 {2} 当选首领，纪元 {3}。",
            &[actor(at), name(partition), strong(u64::from(leader) + 1), strong(u64::from(epoch))],
        ),
        Fact::InSync { at, partition, in_sync } => say(
            "{0}: replicas of {1} in sync: {2}.",
            "{0}：{1} 的同步副本数 {2}。",
            &[actor(at), name(partition), strong(u64::from(in_sync.count_ones()))],
        ),
        Fact::NodeTurned { at, node, is_up } => {
            let parts = [actor(at), strong(u64::from(node) + 1)];
            match is_up {
                true => say("{0}: node {1} is back.", "{0}：节点 {1} 恢复。", &parts),
                false => say("{0}: node {1} died.", "{0}：节点 {1} 宕机。", &parts),
            }
        }
        Fact::Grown { at, partitions } => say(
            "{0} has {1} partitions now.",
            "{0}现在有 {1} 个分区。",
            &[actor(at), strong(u64::from(partitions))],
        ),
        Fact::TxnTurned { .. } | Fact::Marked { .. } => tell_transaction(fact, cast, lang),
        _ => tell_group(fact, cast, lang),
    }
}

/// A fact about a transaction.
fn tell_transaction(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let strong = |n: u64| part(n.to_string(), Ink::Strong);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::TxnTurned { at, by, turn, .. } => {
            let (en, zh) = match turn {
                TxnTurn::Begun => ("{0}: a transaction of {1} begins.", "{0}：{1}的事务开始。"),
                TxnTurn::Commits => (
                    "{0}: {1} commits its transaction; its partitions get their markers.",
                    "{0}：{1}提交事务，各分区写入标记。",
                ),
                TxnTurn::Aborts => (
                    "{0}: {1} aborts its transaction; its partitions get their markers.",
                    "{0}：{1}中止事务，各分区写入标记。",
                ),
                TxnTurn::TimesOut => (
                    "{0}: the transaction of {1} was open for too long, and is aborted.",
                    "{0}：{1}的事务开启过久，被中止。",
                ),
                TxnTurn::Fenced => (
                    "{0}: {1} begins anew; what it had left open is aborted.",
                    "{0}：{1}重新开始，遗留的事务被中止。",
                ),
                TxnTurn::Committed => {
                    ("{0}: the transaction of {1} is committed.", "{0}：{1}的事务已提交。")
                }
                TxnTurn::Aborted => {
                    ("{0}: the transaction of {1} is aborted.", "{0}：{1}的事务已中止。")
                }
            };
            say(en, zh, &[cast.actor(at, lang), cast.actor(by, lang)])
        }
        Fact::Marked { at, by, partition, offset, end } => {
            let name = part(format!("p{partition}"), Ink::Strong);
            let parts = [cast.actor(at, lang), name, strong(offset), cast.actor(by, lang)];
            match end {
                TxnEnd::Commit => say(
                    "{0}: {1} gets the mark at {2} that {3} has committed.",
                    "{0}：{1} 在 {2} 处写入{3}的提交标记。",
                    &parts,
                ),
                TxnEnd::Abort => say(
                    "{0}: {1} gets the mark at {2} that {3} has aborted.",
                    "{0}：{1} 在 {2} 处写入{3}的中止标记。",
                    &parts,
                ),
            }
        }
        _ => Sentence::default(),
    }
}

/// A fact about a group and its members.
fn tell_group(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let strong = |n: u64| part(n.to_string(), Ink::Strong);
    let name = |partition: u8| part(format!("p{partition}"), Ink::Strong);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::GroupTurned { at, state, generation, members, .. } => {
            let parts = [actor(at), strong(u64::from(generation)), strong(u64::from(members))];
            match state {
                GroupState::Empty => say("{0}: the group is empty.", "{0}：消费组为空。", &parts),
                GroupState::PreparingRebalance => say(
                    "{0}: the group prepares a rebalance; members: {2}.",
                    "{0}：消费组准备再均衡，成员 {2}。",
                    &parts,
                ),
                GroupState::CompletingRebalance => say(
                    "{0}: generation {1} begins; its leader divides the partitions.",
                    "{0}：第 {1} 代开始，组长正在分配分区。",
                    &parts,
                ),
                GroupState::Stable => say(
                    "{0}: generation {1} is stable; members: {2}.",
                    "{0}：第 {1} 代稳定，成员 {2}。",
                    &parts,
                ),
            }
        }
        Fact::Owned { by, partition, .. } => {
            say("{0} gets {1}.", "{0}分到 {1}。", &[actor(by), name(partition)])
        }
        Fact::Disowned { by, partition, lost: true } => {
            say("{0} has lost {1}.", "{0}失去 {1}。", &[actor(by), name(partition)])
        }
        Fact::Disowned { by, partition, .. } => {
            say("{0} gives up {1}.", "{0}交出 {1}。", &[actor(by), name(partition)])
        }
        Fact::Committed { at, partition, offset, .. } => say(
            "{0}: everything of {1} below {2} is done.",
            "{0}：{1} 中 {2} 之前都已完成。",
            &[actor(at), name(partition), strong(offset)],
        ),
        Fact::CommitRefused { at, by, partition, .. } => say(
            "{0} refuses a commit of {1} for {2}: it has lost its place.",
            "{0}拒绝{1}对 {2} 的提交：它已失去成员资格。",
            &[actor(at), actor(by), name(partition)],
        ),
        _ => Sentence::default(),
    }
}
