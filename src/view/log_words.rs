//! What log brokers and groups state, in sentences.

use crate::model::fact::Fact;
use crate::model::group::GroupState;
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
        _ => tell_group(fact, cast, lang),
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
