//! What happened last and what comes next, in whole sentences.
//!
//! The stage has room for one sentence. While time runs fast most events would flash by, so only
//! what is worth stopping for is shown, and stays for a while of the viewer's time.

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::Actor;
use crate::model::channel::Channel;
use crate::model::ground::Lane;
use crate::model::message::Parcel;
use crate::model::tcp::TimerKind;
use crate::model::{ActorId, ChannelId, Command, Fact, MsgId, Node};
use crate::param::{Lang, Text};
use crate::world::World;
use crate::world::arena::ActorState;

use super::Look;
use super::ladder::words::timer_name;
use super::next_tcp;
use super::numbers::{count, percent};
use super::resource_words;
use super::tcp_words;
use super::words::{Cast, Ink, Run, Sentence, number, part, sentence};

/// How long a notable event stays, in the viewer's seconds.
const STAYS_S: f64 = 2.5;
/// More ordinary events than this in one of the viewer's seconds are too many to read.
const READABLE: usize = 3;
/// How far back the newest facts are looked through.
const LOOK_BACK: usize = 400;

/// What happened, and when.
#[derive(Clone, PartialEq, Debug)]
pub struct Caption {
    /// When.
    pub at: SimTime,
    /// What.
    pub sentence: Sentence,
}

/// How much a fact deserves to be told: 0 never by itself, from [`NOTABLE`] on it stays.
pub fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Crashed { .. } => 9,
        Fact::Restarted { .. } | Fact::Cut { .. } | Fact::Mended { .. } => 8,
        Fact::Paused { .. } | Fact::Resumed { .. } | Fact::Slowed { .. } => 8,
        Fact::Requeued { .. } => 7,
        Fact::Dropped { .. } | Fact::DeadLettered { .. } => 7,
        Fact::Blocked { .. } => 6,
        Fact::Dispatched { redelivered: true, .. } => 5,
        Fact::Confirmed { accepted: false, .. } | Fact::Retried { .. } => 5,
        Fact::ControlLost { .. } | Fact::Changed { .. } => 5,
        Fact::Skipped { .. } | Fact::Failed { .. } => 5,
        Fact::Done { .. } | Fact::Answered { .. } | Fact::Worked { .. } => 4,
        Fact::Sent { .. } | Fact::Dispatched { .. } | Fact::Acked { .. } => 3,
        Fact::Queued { .. } | Fact::Started { .. } | Fact::Buffered { .. } => 2,
        Fact::Confirmed { .. } | Fact::Unblocked { .. } | Fact::Arrived { .. } => 2,
        Fact::Copied { .. } | Fact::Departed { .. } | Fact::Held { .. } => 1,
        Fact::Released { .. } => 1,
        _ => resource_words::rank(fact),
    }
}

/// From this rank on an event stays on the stage while time runs.
pub const NOTABLE: u8 = 5;

/// The last event worth telling. `newest` are the newest facts, the newest first.
pub fn last<'a>(
    newest: impl Iterator<Item = &'a (SimTime, Fact)>,
    now: SimTime,
    cast: &Cast,
    look: &Look,
) -> Option<Caption> {
    let facts: Vec<&(SimTime, Fact)> = newest.take(LOOK_BACK).collect();
    let back = |seconds: f64| {
        let ns = (look.speed * seconds * 1e9).clamp(0.0, 1e18) as u64;
        SimTime::from_ns(now.ns().saturating_sub(ns))
    };
    let ordinary = if look.playing {
        let recent = facts.iter().take_while(|(at, _)| back(1.0) <= *at).count();
        recent <= READABLE * 4
    } else {
        true
    };
    let Some(newest_at) = facts.first().map(|(at, _)| *at) else {
        return Some(Caption { at: now, sentence: sentence(BEGIN, look.lang, &[]) });
    };
    let stays = if look.playing { back(STAYS_S) } else { newest_at };
    let order = |entry: &(SimTime, Fact)| (rank(&entry.1), entry.0);
    let best = facts
        .iter()
        .take_while(|(at, _)| stays <= *at || *at == newest_at)
        .filter(|(at, fact)| NOTABLE <= rank(fact) || (ordinary && *at == newest_at))
        // Of the same rank the newest, which comes first.
        .reduce(|best, other| if order(best) < order(other) { other } else { best })?;
    let (at, fact) = **best;
    let sentence = match fact {
        Fact::Requeued { at: broker, .. } => {
            let together = facts.iter().rev().filter_map(|(t, other)| match other {
                Fact::Requeued { msg, at: b, .. } if *t == at && *b == broker => Some(*msg),
                _ => None,
            });
            requeued(&together.collect::<Vec<_>>(), cast.actor(broker, look.lang), look.lang)
        }
        _ => tell(&fact, cast, look.lang),
    };
    Some(Caption { at, sentence })
}

const BEGIN: Text = Text::new(
    "Press Space to let time run, or the point key to take one event.",
    "按空格键让时间流动，或按句点键前进一个事件。",
);
const REQUEUED: Text = Text::new(
    "{0} went back to the head of the queue of {1}, marked redelivered.",
    "{0} 回到{1}的队头，并带上“重新投递”标记。",
);
const REQUEUED_MANY: Text = Text::new(
    "{0} and others, {2} in all, went back to the head of the queue of {1}, marked redelivered.",
    "{0} 等共 {2} 条回到{1}的队头，并带上“重新投递”标记。",
);

/// Messages that came back together.
fn requeued(messages: &[MsgId], broker: Run, lang: Lang) -> Sentence {
    let shown: Vec<String> = messages.iter().take(4).map(|msg| msg.0.to_string()).collect();
    let comma = if lang == Lang::Zh { "、" } else { ", " };
    let list = part(shown.join(comma), Ink::Again);
    if messages.len() <= 4 {
        sentence(REQUEUED, lang, &[list, broker])
    } else {
        let all = part(count(messages.len() as u64), Ink::Plain);
        sentence(REQUEUED_MANY, lang, &[list, broker, all])
    }
}

/// A fact as a whole sentence.
pub fn tell(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let path = |id| part(cast.channel(id, lang), Ink::Plain);
    let plain = |text: &str| part(text, Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Sent { msg, by, .. } => {
            say("{1} makes message {0}.", "{1}产生消息 {0}。", &[number(msg), actor(by)])
        }
        Fact::Copied { msg, of, at } => say(
            "{2} makes {0}, a copy of {1} for another queue.",
            "{2}为另一个队列复制 {1}，得到 {0}。",
            &[number(msg), number(of), actor(at)],
        ),
        Fact::Departed { msg, channel, back, .. } => {
            let (from, to) = ends(cast, channel, back, lang);
            say("{0} leaves {1} for {2}.", "{0} 从{1}出发，去往{2}。", &[number(msg), from, to])
        }
        Fact::Arrived { msg, channel, .. } => {
            say("{0} reaches the end of {1}.", "{0} 到达{1}的尽头。", &[number(msg), path(channel)])
        }
        Fact::Dropped { msg, at, why } => {
            let place = match at {
                Node::Actor(id) => actor(id),
                Node::Channel(id) => path(id),
                Node::Host(_) | Node::Wire(_) => plain(""),
            };
            let parts = [part(msg.0.to_string(), Ink::Bad), plain(why.text().get(lang)), place];
            say("{0} is gone: {1} ({2}).", "{0} 消失：{1}（{2}）。", &parts)
        }
        Fact::Released { msg, by } => say(
            "{1} lets its copy of {0} go.",
            "{1}不再保留 {0} 的副本。",
            &[number(msg), actor(by)],
        ),
        Fact::Retried { msg, by } => {
            say("{1} sends {0} again.", "{1}重新发送 {0}。", &[number(msg), actor(by)])
        }
        _ => tell_queue(fact, cast, lang),
    }
}

/// Who writes to a channel, and who reads from it.
pub(super) fn ends(cast: &Cast, channel: ChannelId, back: bool, lang: Lang) -> (Run, Run) {
    let (from, to) = cast.ends.get(channel.index()).copied().unwrap_or_default();
    let (writer, reader) = if back { (to, from) } else { (from, to) };
    (cast.actor(writer, lang), cast.actor(reader, lang))
}

/// A fact about a message at a broker.
fn tell_queue(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let plain = |text: &str| part(text, Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Queued { msg, at, depth } => say(
            "{0} enters the queue of {1}; ready there: {2}.",
            "{0} 进入{1}的队列，现有 {2} 条待投递。",
            &[number(msg), actor(at), plain(&count(u64::from(depth)))],
        ),
        Fact::Dispatched { msg, at, channel, redelivered, .. } => {
            let parts = [
                part(msg.0.to_string(), Ink::Again),
                actor(at),
                ends(cast, channel, false, lang).1,
            ];
            if redelivered {
                say("{1} hands {0} to {2} once more.", "{1}把 {0} 再次投递给{2}。", &parts)
            } else {
                let parts = [number(msg), parts[1].clone(), parts[2].clone()];
                say("{1} hands {0} to {2}.", "{1}把 {0} 投递给{2}。", &parts)
            }
        }
        Fact::DeadLettered { msg, at, why } => say(
            "{0} leaves its queue in {1} as a dead letter: {2}.",
            "{0} 作为死信离开{1}的队列：{2}。",
            &[part(msg.0.to_string(), Ink::Bad), actor(at), plain(why.text().get(lang))],
        ),
        Fact::Requeued { msg, at, .. } => requeued(&[msg], actor(at), lang),
        Fact::Acked { msg, at } => say(
            "{1} hears that {0} is done, and forgets it.",
            "{1}收到 {0} 的确认，将其删除。",
            &[number(msg), actor(at)],
        ),
        Fact::Confirmed { msg, by, accepted: true } => say(
            "{1} knows that {0} was taken.",
            "{1}得知 {0} 已被接收。",
            &[number(msg), actor(by)],
        ),
        Fact::Confirmed { msg, by, accepted: false } => say(
            "{1} knows that {0} was refused.",
            "{1}得知 {0} 被拒绝。",
            &[number(msg), actor(by)],
        ),
        _ => tell_work(fact, cast, lang),
    }
}

/// A fact about a message that is worked on, or waits for that.
fn tell_work(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| cast.actor(id, lang);
    let plain = |text: &str| part(text, Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Buffered { msg, at, depth } => say(
            "{0} waits in the memory of {1}; waiting there: {2}.",
            "{0} 在{1}的内存中等待，共 {2} 条。",
            &[number(msg), actor(at), plain(&count(u64::from(depth)))],
        ),
        Fact::Started { msg, at, .. } => {
            say("{1} begins to work on {0}.", "{1}开始处理 {0}。", &[number(msg), actor(at)])
        }
        Fact::Worked { msg, at } => say(
            "{1} is done with {0}, which goes on.",
            "{1}处理完 {0}，交给下一站。",
            &[number(msg), actor(at)],
        ),
        Fact::Done { msg, at, .. } => {
            say("{1} is done with {0}.", "{1}处理完 {0}。", &[number(msg), actor(at)])
        }
        Fact::Skipped { msg, at } => say(
            "{1} knows {0} again, and does nothing.",
            "{1}认出 {0} 已登记过，不再处理。",
            &[part(msg.0.to_string(), Ink::Again), actor(at)],
        ),
        Fact::Failed { msg, at } => say(
            "{1} can do nothing with {0}.",
            "{1}无法处理 {0}。",
            &[part(msg.0.to_string(), Ink::Bad), actor(at)],
        ),
        Fact::Answered { msg, at } => {
            say("{1} has the answer to {0}.", "{1}收到 {0} 的答复。", &[number(msg), actor(at)])
        }
        Fact::Elected { .. }
        | Fact::InSync { .. }
        | Fact::NodeTurned { .. }
        | Fact::Grown { .. }
        | Fact::GroupTurned { .. }
        | Fact::Owned { .. }
        | Fact::Disowned { .. }
        | Fact::Committed { .. }
        | Fact::CommitRefused { .. }
        | Fact::TxnTurned { .. }
        | Fact::Marked { .. } => super::log_words::tell(fact, cast, lang),
        Fact::Held { msg, cause } => say(
            "{0} waits: {1}.",
            "{0} 在等待：{1}。",
            &[number(msg), plain(cause.text().get(lang))],
        ),
        _ => resource_words::tell(fact, cast, lang),
    }
}

/// A fact about an actor or a channel.
pub(super) fn tell_node(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let actor = |id| part(cast.name(id, lang), Ink::Strong);
    let path = |id| part(cast.channel(id, lang), Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Blocked { actor: id } => say(
            "{0} must wait: the next place takes no more.",
            "{0}必须等待：下一站已满。",
            &[actor(id)],
        ),
        Fact::Unblocked { actor: id } => {
            say("{0} may go on sending.", "{0}可以继续发送。", &[actor(id)])
        }
        Fact::Crashed { actor: id } => {
            say("{0} crashed; its memory is gone.", "{0}崩溃，内存中的一切丢失。", &[actor(id)])
        }
        Fact::Restarted { actor: id } => {
            say("{0} starts anew and connects.", "{0}重新启动并连接。", &[actor(id)])
        }
        Fact::Paused { actor: id } => {
            say("{0} stands still and keeps everything.", "{0}暂停，保留一切。", &[actor(id)])
        }
        Fact::Resumed { actor: id } => say("{0} goes on.", "{0}继续运行。", &[actor(id)]),
        Fact::Slowed { actor: id, ppm } => say(
            "Work of {0} takes {1} of its time from now on.",
            "{0}的处理时间变为原来的 {1}。",
            &[actor(id), part(percent(u64::from(ppm)), Ink::Plain)],
        ),
        Fact::Cut { channel } => {
            say("Nothing passes {0} any more.", "{0}已切断。", &[path(channel)])
        }
        Fact::Mended { channel } => say("{0} carries again.", "{0}已恢复。", &[path(channel)]),
        Fact::ControlLost { channel, .. } => {
            say("An acknowledgement is lost on {0}.", "一个确认在{0}上丢失。", &[path(channel)])
        }
        Fact::Changed { node: Node::Actor(id), .. } => {
            say("A setting of {0} changed.", "{0}的一项参数已改变。", &[actor(id)])
        }
        Fact::Changed { node: Node::Channel(id), .. } => {
            say("A setting of {0} changed.", "{0}的一项参数已改变。", &[path(id)])
        }
        _ => tcp_words::tell(fact, cast, lang),
    }
}

/// What comes next, and how soon.
#[derive(Clone, PartialEq, Debug)]
pub struct Next {
    /// How soon.
    pub within: SimSpan,
    /// What, without the time.
    pub sentence: Sentence,
}

/// The next thing that a viewer will see.
pub fn next(world: &World, cast: &Cast, lang: Lang) -> Option<Next> {
    let mut best: Option<(SimTime, What)> = None;
    let mut offer = |at: SimTime, what: What| {
        if best.is_none_or(|(sooner, _)| at < sooner) {
            best = Some((at, what));
        }
    };
    for channel in &world.ground.channels {
        let Channel::Ideal(ideal) = &channel.machine else { continue };
        for lane in [Lane::Forth, Lane::Back] {
            let Some(first) = ideal.lanes[lane.index()].flight.front() else { continue };
            let reader = channel.reader(lane).0;
            if let Some(msg) = first.parcel.about() {
                let is_ack = matches!(first.parcel, Parcel::Ack { .. } | Parcel::Confirm { .. });
                offer(first.arrive, What::Arrives { msg, reader, is_ack });
            }
        }
    }
    for (n, node) in world.actors.iter().enumerate() {
        let actor = ActorId(n as u16);
        if node.state != ActorState::Up {
            continue;
        }
        if let Some(workers) = node.machine.workers() {
            for work in workers.busy.iter().flatten() {
                offer(work.ends, What::Ends { msg: work.job.message.id, actor });
            }
        }
        match &node.machine {
            Actor::Producer(producer) => {
                if let Some(at) = producer.next_at {
                    offer(at, What::Sends { actor });
                }
            }
            Actor::Requester(requester) => {
                if let Some(at) = requester.next_wake() {
                    offer(at, What::Asks { actor });
                }
            }
            Actor::LogProducer(producer) => {
                if let Some(at) = producer.next_at {
                    offer(at, What::Sends { actor });
                }
            }
            _ => {}
        }
    }
    next_tcp::offer_all(world, &mut offer);
    if let Some((at, command)) = world.faults.iter().find(|(at, _)| world.now() < *at) {
        offer(*at, fault(command));
    }
    let (at, what) = best?;
    Some(Next { within: at.since(world.now()), sentence: what.tell(cast, lang) })
}

/// What can come next.
#[derive(Clone, Copy)]
pub(super) enum What {
    Arrives {
        msg: MsgId,
        reader: ActorId,
        is_ack: bool,
    },
    Ends {
        msg: MsgId,
        actor: ActorId,
    },
    Sends {
        actor: ActorId,
    },
    Asks {
        actor: ActorId,
    },
    Crashes {
        actor: ActorId,
    },
    Restarts {
        actor: ActorId,
    },
    /// A timer goes off at that end.
    Timer {
        timer: TimerKind,
        actor: ActorId,
    },
    /// The first segment of a connection lands.
    Syn {
        reader: ActorId,
    },
    /// A segment without data lands.
    Ack {
        ack: u64,
        reader: ActorId,
    },
    /// A segment with data lands.
    Bytes {
        bytes: u32,
        reader: ActorId,
    },
    /// A script goes on after a pause.
    GoesOn {
        actor: ActorId,
    },
    Changes,
}

/// A planned command as something to come.
fn fault(command: &Command) -> What {
    match command {
        Command::Crash(actor) => What::Crashes { actor: *actor },
        Command::Restart(actor) => What::Restarts { actor: *actor },
        Command::Send { actor } => What::Sends { actor: *actor },
        _ => What::Changes,
    }
}

impl What {
    fn tell(self, cast: &Cast, lang: Lang) -> Sentence {
        let actor = |id| part(cast.name(id, lang), Ink::Strong);
        let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
        match self {
            What::Arrives { msg, reader, is_ack: false } => {
                say("{0} reaches {1}", "{0} 到达{1}", &[number(msg), actor(reader)])
            }
            What::Arrives { msg, reader, is_ack: true } => {
                say("{1} hears of {0}", "{0} 的确认到达{1}", &[number(msg), actor(reader)])
            }
            What::Ends { msg, actor: id } => {
                say("{1} is done with {0}", "{1}处理完 {0}", &[number(msg), actor(id)])
            }
            What::Sends { actor: id } => say("{0} sends", "{0}发送", &[actor(id)]),
            What::Asks { actor: id } => say("{0} asks", "{0}请求", &[actor(id)]),
            What::Crashes { actor: id } => say("{0} crashes", "{0}崩溃", &[actor(id)]),
            What::Restarts { actor: id } => say("{0} restarts", "{0}重启", &[actor(id)]),
            What::Timer { timer, actor: id } => say(
                "the {0} of {1} goes off",
                "{1}的{0}到期",
                &[part(timer_name(timer).get(lang), Ink::Strong), actor(id)],
            ),
            What::Ack { ack, reader } => {
                let ack = part(ack.to_string(), Ink::Strong);
                say("ACK {0} reaches {1}", "ACK {0} 到达{1}", &[ack, actor(reader)])
            }
            What::Syn { reader } => {
                let syn = part("SYN", Ink::Strong);
                say("{0} reaches {1}", "{0} 到达{1}", &[syn, actor(reader)])
            }
            What::Bytes { bytes, reader } => {
                let bytes = part(count(u64::from(bytes)), Ink::Strong);
                say("{0} B reach {1}", "{0} B 到达{1}", &[bytes, actor(reader)])
            }
            What::GoesOn { actor: id } => say("{0} goes on", "{0}继续", &[actor(id)]),
            What::Changes => say("a planned change", "计划中的变化", &[]),
        }
    }
}
