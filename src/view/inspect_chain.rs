//! The chain of causes of a message: what it waited for, one thing after the other, in sentences.
//!
//! The spans of a chain sum to the message's latency: they are cut where its facts are.

use crate::kernel::{SimSpan, SimTime};
use crate::model::{ActorId, Cause, Fact, MsgId};
use crate::param::{Lang, Text};
use crate::view::inspect::Subject;
use crate::view::ladder::Tape;
use crate::view::ladder::pick::last_sent;
use crate::view::ladder::window::{exact, fine};
use crate::view::words::{Cast, fill};

/// What a message waited for, in the order in which it did.
#[derive(Clone, PartialEq, Debug)]
pub struct Chain {
    /// The question that it answers.
    pub title: String,
    /// The whole latency, to the ns.
    pub total: String,
    /// What kept it longest, and for how long.
    pub held: String,
    /// What came after.
    pub then: String,
    /// The whole latency.
    pub latency: SimSpan,
    /// The cause that it is called by.
    pub hold: Cause,
    /// The links, in order.
    pub links: Vec<Link>,
}

/// One wait.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// Whose colour and pattern it has.
    pub look: Cause,
    /// Whether it belongs to what kept the message longest.
    pub inside: bool,
    /// What happened.
    pub words: String,
    /// How long.
    pub value: String,
    /// Its share of the latency, in hundred-thousandths.
    pub share: u32,
}

const LATE: Text = Text::new("Why was message {0} late?", "消息 {0} 为什么晚了？");
const HELD: Text = Text::new("{0} {1}, and while it waited:", "{0} {1}，这段时间里：");
const THEN: Text = Text::new("then on the wire {0}", "然后上线路 {0}");

/// A stretch of one cause.
struct Stretch {
    cause: Cause,
    from: SimTime,
    to: SimTime,
}

impl Stretch {
    fn span(&self) -> SimSpan {
        self.to.since(self.from)
    }
}

/// The chain of a message from its facts, oldest first; `None` when TCP never kept it waiting.
/// `before`: the message whose bytes left before its own, if that is known.
pub fn chain_of(
    msg: MsgId,
    facts: &[(SimTime, Fact)],
    before: Option<MsgId>,
    cast: &Cast,
    lang: Lang,
) -> Option<Chain> {
    let stretches = stretches(facts);
    let waits = |stretch: &Stretch| is_wait(stretch.cause) && !stretch.span().is_zero();
    let main = stretches.iter().filter(|s| waits(s)).max_by_key(|s| s.span())?;
    let hold = family(main.cause);
    let whole: u64 = stretches.iter().map(|s| s.span().as_ns()).sum();
    let inside: u64 =
        stretches.iter().filter(|s| family(s.cause) == hold).map(|s| s.span().as_ns()).sum();
    let peer = facts.iter().find_map(|(_, fact)| match *fact {
        Fact::Departed { channel, back, .. } => {
            let (from, to) = cast.ends.get(channel.index()).copied()?;
            Some(if back { from } else { to })
        }
        _ => None,
    });
    let teller = Teller { before, peer, cast, lang };
    let mut links = Vec::new();
    for (n, stretch) in stretches.iter().enumerate().filter(|(_, s)| !s.span().is_zero()) {
        let earlier = stretches[..n].iter().any(|s| s.cause == Cause::DelayedAck);
        let later = stretches[n + 1..].iter().any(|s| s.cause == Cause::DelayedAck);
        let (look, words) = teller.tell(stretch.cause, earlier, later);
        links.push(Link {
            look,
            inside: family(stretch.cause) == hold,
            words,
            value: fine(stretch.span()),
            share: (u128::from(stretch.span().as_ns()) * 100_000 / u128::from(whole.max(1))) as u32,
        });
    }
    let last = stretches.iter().rfind(|s| !s.span().is_zero())?;
    let then = match last.cause {
        Cause::Propagation => fill(THEN, lang, &[&fine(last.span())]),
        _ => String::new(),
    };
    Some(Chain {
        title: fill(LATE, lang, &[&msg.0.to_string()]),
        total: exact(whole),
        held: fill(HELD, lang, &[hold.text().get(lang), &fine(SimSpan::ns(inside))]),
        then,
        latency: SimSpan::ns(whole),
        hold,
        links,
    })
}

impl Subject<'_> {
    /// The message whose bytes left before those of another one began to wait.
    pub(super) fn before(&self, msg: MsgId, facts: &[(SimTime, Fact)]) -> Option<MsgId> {
        let segments = &self.seen.segments;
        let born = facts.first().map(|(at, _)| *at)?;
        let held = segments.brackets.iter().find(|b| b.msg == Some(msg) && born <= b.from)?;
        let tape = Tape { flights: &segments.flights, brackets: &segments.brackets };
        last_sent(tape, held)
    }
}

/// Nagle's wait goes on while the other end delays its acknowledgement.
fn family(cause: Cause) -> Cause {
    if cause == Cause::DelayedAck { Cause::Nagle } else { cause }
}

/// Whether TCP keeps a message for this cause.
fn is_wait(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::SendBuffer
            | Cause::Handshake
            | Cause::Nagle
            | Cause::DelayedAck
            | Cause::Cork
            | Cause::CongestionWindow
            | Cause::ReceiverWindow
            | Cause::Persist
            | Cause::SegmentQueue
            | Cause::Retransmission
            | Cause::HeadOfLine
            | Cause::Unread
            | Cause::HeapFull
            | Cause::NoPbuf
            | Cause::TxDescriptors
            | Cause::RxRing
            | Cause::MainLoop
            | Cause::Cpu
            | Cause::TimerTick
            | Cause::Claim
    )
}

/// What a message waited for between its facts, neighbours of one cause together.
fn stretches(facts: &[(SimTime, Fact)]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut cause = Cause::Sender;
    for pair in facts.windows(2) {
        let ((from, fact), (to, _)) = (pair[0], pair[1]);
        cause = match fact {
            Fact::Sent { .. } => Cause::Sender,
            Fact::Held { cause, .. } | Fact::Landed { cause, .. } => cause,
            Fact::Departed { .. } => Cause::Propagation,
            Fact::Done { .. } | Fact::Answered { .. } => break,
            _ => cause,
        };
        match stretches.last_mut() {
            Some(last) if last.cause == cause => last.to = to,
            _ => stretches.push(Stretch { cause, from, to }),
        }
    }
    stretches
}

/// Tells the links of a chain.
struct Teller<'a> {
    before: Option<MsgId>,
    peer: Option<ActorId>,
    cast: &'a Cast,
    lang: Lang,
}

const OTHER_END: Text = Text::new("the other end", "对端");
const WENT: Text = Text::new("Message {0} went to {1}.", "消息 {0} 在去{1}的路上。");
const WENT_OLDER: Text =
    Text::new("What was sent before went to {1}.", "先前发出的数据在去{1}的路上。");
const OWED: Text = Text::new(
    "{1} owed an ACK but had nothing to send with it: its program still waits for this message. \
     It let its timer run.",
    "{1}欠一个 ACK，但没有数据可以捎带：它的程序还在等这条消息。于是只好等定时器。",
);
const BACK: Text = Text::new("The ACK came back, and Nagle let go.", "ACK 回来，Nagle 才放行。");
const ROUND: Text = Text::new(
    "What was sent before went to {1}, and its ACK came back.",
    "先前发出的数据到达{1}，ACK 回来后才放行。",
);
const WIRE: Text = Text::new("Its bytes crossed the wire.", "它的字节穿过线路。");

impl Teller<'_> {
    /// Colour and sentence of a stretch; `after`, `ahead`: a delayed acknowledgement was or is to
    /// come.
    fn tell(&self, cause: Cause, after: bool, ahead: bool) -> (Cause, String) {
        let (look, text) = match cause {
            Cause::Nagle if ahead && self.before.is_some() => (Cause::Propagation, WENT),
            Cause::Nagle if ahead => (Cause::Propagation, WENT_OLDER),
            Cause::Nagle if after => (Cause::Propagation, BACK),
            Cause::Nagle => (Cause::Nagle, ROUND),
            Cause::DelayedAck => (cause, OWED),
            Cause::Propagation => (cause, WIRE),
            _ => (cause, sentence_of(cause)),
        };
        let before = self.before.map_or(String::new(), |msg| msg.0.to_string());
        let peer = match self.peer {
            Some(actor) => self.cast.name(actor, self.lang),
            None => OTHER_END.get(self.lang),
        };
        (look, fill(text, self.lang, &[&before, peer]))
    }
}

/// A wait as a sentence; `{1}` is the other end.
fn sentence_of(cause: Cause) -> Text {
    match cause {
        Cause::SendBuffer => {
            Text::new("The send buffer had no room for it.", "发送缓冲区没有空间。")
        }
        Cause::Handshake => Text::new("The connection was being opened.", "连接还在建立。"),
        Cause::Cork => Text::new(
            "Its sender had asked to wait for more (cork).",
            "发送方要求等更多数据（cork）。",
        ),
        Cause::CongestionWindow => Text::new(
            "The congestion window was full: ACKs had to come back.",
            "拥塞窗口已满：要等 ACK 回来。",
        ),
        Cause::ReceiverWindow => Text::new(
            "The window of {1} was full: it had to read first.",
            "{1}的接收窗口已满：要等它读取。",
        ),
        Cause::Persist => Text::new(
            "The window of {1} was closed, and its sender probed it.",
            "{1}的窗口为零，发送方在探测。",
        ),
        Cause::SegmentQueue => Text::new("The queue of segments was full.", "报文段队列已满。"),
        Cause::Retransmission => Text::new(
            "Its bytes were lost, and it took so long to send them again.",
            "它的字节丢失了，过了这么久才重传。",
        ),
        Cause::HeadOfLine => Text::new(
            "It had arrived, and bytes before it were missing.",
            "它已到达，但前面的字节还缺。",
        ),
        Cause::Unread => {
            Text::new("It had arrived, and {1} did not read it.", "它已到达，但{1}没有读取。")
        }
        Cause::WireQueue => Text::new("Other bytes were before it.", "前面还有别的字节。"),
        _ => sentence_of_board(cause),
    }
}

/// The same for what happens on a board.
fn sentence_of_board(cause: Cause) -> Text {
    match cause {
        Cause::HeapFull => Text::new(
            "lwIP's heap had no room for it (ERR_MEM): earlier data had to be acknowledged.",
            "lwIP 的堆没有空间（ERR_MEM）：要等先前的数据被确认。",
        ),
        Cause::NoPbuf => Text::new(
            "A frame with its bytes found no pbuf and was dropped; they had to be sent again.",
            "装着它的帧分配不到 pbuf 而被丢弃，只能等重传。",
        ),
        Cause::TxDescriptors => Text::new(
            "The driver refused the frame: too few transmit descriptors were free. lwIP tries \
             again at its next timer.",
            "驱动拒绝了这一帧：空闲的发送描述符不够。lwIP 在下一次定时器时再试。",
        ),
        Cause::RxRing => Text::new(
            "The MAC had no receive descriptor for a frame with its bytes.",
            "MAC 没有接收描述符可放装着它的帧。",
        ),
        Cause::MainLoop => Text::new(
            "The main loop was busy with something else and came round late.",
            "主循环正忙于别的事，迟迟没有轮到它。",
        ),
        Cause::Cpu => Text::new("The processor worked on it.", "处理器在处理它。"),
        Cause::Copy => Text::new("The driver copied it.", "驱动在复制它。"),
        Cause::Dma => Text::new("The DMA moved it.", "DMA 在搬运它。"),
        Cause::Phy => Text::new("It went through the PHY.", "它在经过 PHY。"),
        Cause::TimerTick => Text::new(
            "It was written, and nothing sent it before a timer's tick.",
            "已写入，但直到定时器节拍才有人发送它。",
        ),
        Cause::Claim => Text::new(
            "An article claims that it takes so long. The real stack does not: no simulation.",
            "某文章声称要这么久。真实协议栈并非如此：这不是仿真。",
        ),
        _ => Text::new("It was with its sender.", "它在发送方。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelId;
    use crate::param::Said;

    fn us(n: u64) -> SimTime {
        SimTime::from_ns(n * 1_000)
    }

    fn cast() -> Cast {
        let mut cast = Cast::default();
        cast.add_actor("client", Said::new("Client", "客户端"));
        cast.add_actor("server", Said::new("Server", "服务器"));
        cast.ends.push((ActorId(0), ActorId(1)));
        cast
    }

    fn stalled() -> Vec<(SimTime, Fact)> {
        let msg = MsgId(5);
        let channel = ChannelId(0);
        vec![
            (us(6_052), Fact::Sent { msg, by: ActorId(0), key: 0, bytes: 100 }),
            (us(6_052), Fact::Held { msg, cause: Cause::Nagle }),
            (us(7_074), Fact::Held { msg, cause: Cause::DelayedAck }),
            (us(48_000), Fact::Held { msg, cause: Cause::Nagle }),
            (us(49_007), Fact::Departed { msg, channel, back: false, kept: false }),
            (
                us(50_022),
                Fact::Landed { msg, channel, waited: 0, sending: 13_000, cause: Cause::Unread },
            ),
            (us(50_022), Fact::Done { msg, at: ActorId(1), answers: false }),
        ]
    }

    #[test]
    fn a_stall_is_a_chain_of_three_waits_that_sum_to_the_latency() {
        let chain = chain_of(MsgId(5), &stalled(), Some(MsgId(4)), &cast(), Lang::En);
        let chain = chain.expect("it waited");
        assert_eq!(chain.title, "Why was message 5 late?");
        assert_eq!(chain.held, "held by Nagle 42.955 ms, and while it waited:");
        let said: Vec<&str> = chain.links.iter().map(|link| link.words.as_str()).collect();
        assert_eq!(said[0], "Message 4 went to Server.");
        assert!(said[1].starts_with("Server owed an ACK"));
        assert_eq!(said[2], "The ACK came back, and Nagle let go.");
        assert_eq!(said[3], "Its bytes crossed the wire.");
        let inside: Vec<bool> = chain.links.iter().map(|link| link.inside).collect();
        assert_eq!(inside, [true, true, true, false]);
        assert_eq!(chain.total.replace(crate::view::numbers::GROUP, " "), "43.970 000 ms");
        let shares: u32 = chain.links.iter().map(|link| link.share).sum();
        assert!((99_990..=100_000).contains(&shares));
        assert_eq!(chain.then, "then on the wire 1.015 ms");
    }

    #[test]
    fn what_tcp_never_kept_waiting_has_no_chain() {
        let mut facts = stalled();
        facts.retain(|(_, fact)| !matches!(fact, Fact::Held { .. }));
        assert!(chain_of(MsgId(5), &facts, None, &cast(), Lang::En).is_none());
    }
}
