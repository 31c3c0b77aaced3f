//! What only TCP states, in words.

use crate::model::fact::{Fact, Lost};
use crate::model::tcp::{Errno, Flags, Hold, TimerKind};
use crate::param::{Lang, Text};
use crate::view::caption::ends;
use crate::view::words::{Cast, Ink, Run, Sentence, number, part, sentence};

/// How much such a fact deserves to be told; see [`rank`](crate::view::caption::rank).
pub(super) fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Broken { .. } => 8,
        Fact::SegmentLost { .. } | Fact::FrameDropped { .. } => 7,
        Fact::TimerFired { timer: TimerKind::Retransmission, .. } => 7,
        Fact::TimerFired { .. } | Fact::HoldBegun { hold: Hold::Nagle | Hold::Persist, .. } => 6,
        Fact::SegmentDeparted { again: true, .. } => 5,
        Fact::HoldBegun { .. } | Fact::Connected { .. } => 3,
        Fact::SegmentDeparted { .. } => 2,
        _ => 0,
    }
}

/// Such a fact as a sentence.
pub(super) fn tell(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let path = |id| part(cast.channel(id, lang), Ink::Plain);
    let plain = |text: &str| part(text, Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::Landed { msg, channel, .. } => {
            say("{0} has crossed {1}.", "{0} 已穿过{1}。", &[number(msg), path(channel)])
        }
        Fact::SegmentDeparted { channel, back, flags, len: 0, .. } => {
            let (from, to) = ends(cast, channel, back, lang);
            let flags = Flags(flags);
            let name = match (flags.has(Flags::SYN), flags.has(Flags::FIN), flags.has(Flags::RST)) {
                (_, _, true) => "RST",
                (true, _, _) => "SYN",
                (_, true, _) => "FIN",
                _ => "ACK",
            };
            let parts = [part(name, Ink::Strong), from, to];
            say("{0} leaves {1} for {2}.", "{0} 从{1}发往{2}。", &parts)
        }
        Fact::SegmentDeparted { channel, again, len, seq, .. } => {
            let parts = [plain(&len.to_string()), plain(&seq.to_string()), path(channel)];
            match again {
                true => say(
                    "{0} bytes from {1} on are sent again on {2}.",
                    "{2}上从 {1} 起的 {0} 字节被重传。",
                    &parts,
                ),
                false => say(
                    "{0} bytes from {1} on leave on {2}.",
                    "{2}上从 {1} 起的 {0} 字节发出。",
                    &parts,
                ),
            }
        }
        Fact::SegmentLost { channel, why, .. } => {
            let why = part(lost(why).get(lang), Ink::Bad);
            say(
                "A segment is lost on {0}: {1}.",
                "{0}上丢失一个报文段：{1}。",
                &[path(channel), why],
            )
        }
        Fact::FrameDropped { frame: 0, channel, back, .. } => {
            let (from, _) = ends(cast, channel, back, lang);
            let why = part(lost(Lost::Refused).get(lang), Ink::Bad);
            say("A frame does not leave {0}: {1}.", "一帧没能离开{0}：{1}。", &[from, why])
        }
        Fact::FrameDropped { channel, back, why, .. } => {
            let (_, to) = ends(cast, channel, back, lang);
            let why = part(lost(why).get(lang), Ink::Bad);
            say("A frame is dropped at {0}: {1}.", "一帧在{0}被丢弃：{1}。", &[to, why])
        }
        Fact::SegmentArrived { channel, back, .. } => {
            let (_, to) = ends(cast, channel, back, lang);
            say("A segment reaches {0}.", "一个报文段到达{0}。", &[to])
        }
        _ => tell_end(fact, cast, lang),
    }
}

/// What an end's timers, holds and connection did.
fn tell_end(fact: &Fact, cast: &Cast, lang: Lang) -> Sentence {
    let path = |id| part(cast.channel(id, lang), Ink::Plain);
    let plain = |text: &str| part(text, Ink::Plain);
    let say = |en, zh, parts: &[Run]| sentence(Text::new(en, zh), lang, parts);
    match *fact {
        Fact::TimerFired { channel, timer, .. } => {
            let what = plain(timer_name(timer).get(lang));
            say("On {0} a timer goes off: {1}.", "{0}上的定时器到期：{1}。", &[path(channel), what])
        }
        Fact::TimerArmed { channel, timer, .. } => {
            let what = plain(timer_name(timer).get(lang));
            say("On {0} a timer begins: {1}.", "{0}上的定时器启动：{1}。", &[path(channel), what])
        }
        Fact::TimerCancelled { channel, timer, .. } => {
            let what = plain(timer_name(timer).get(lang));
            say(
                "On {0} a timer is not needed any more: {1}.",
                "{0}上的定时器已取消：{1}。",
                &[path(channel), what],
            )
        }
        Fact::HoldEnded { channel, hold, .. } => {
            let what = plain(hold_name(hold).get(lang));
            say(
                "Bytes on {0} wait no longer: {1}.",
                "{0}上的字节不再等待：{1}。",
                &[path(channel), what],
            )
        }
        Fact::HoldBegun { channel, hold, bytes, .. } => {
            let parts =
                [plain(&bytes.to_string()), path(channel), plain(hold_name(hold).get(lang))];
            say("{0} bytes wait on {1}: {2}.", "{1}上有 {0} 字节在等：{2}。", &parts)
        }
        Fact::Connected { channel, .. } => {
            say("{0} is connected.", "{0}已建立连接。", &[path(channel)])
        }
        Fact::Broken { channel, errno, .. } => {
            let why = part(errno_name(errno).get(lang), Ink::Bad);
            say("{0} is broken: {1}.", "{0}已断开：{1}。", &[path(channel), why])
        }
        _ => Sentence::default(),
    }
}

/// Why a packet was lost.
pub fn lost(why: Lost) -> Text {
    match why {
        Lost::Rule => Text::new("as the document says", "按文档规定"),
        Lost::Chance => Text::new("by chance", "随机丢失"),
        Lost::Queue => Text::new("the wire's queue was full", "链路队列已满"),
        Lost::Outage => Text::new("in the outage", "处于中断期"),
        Lost::Cut => Text::new("the wire was cut", "链路已断"),
        Lost::TooBig => Text::new("larger than the MTU", "超过 MTU"),
        Lost::NoPbuf => Text::new("no pbuf was free", "没有空闲的 pbuf"),
        Lost::NoDescriptor => Text::new("the receive ring was full", "接收环已满"),
        Lost::FifoFull => Text::new("the receive FIFO was full", "接收 FIFO 已满"),
        Lost::Refused => Text::new("the driver refused it", "驱动拒绝发送"),
    }
}

/// A timer's name.
pub fn timer_name(timer: TimerKind) -> Text {
    match timer {
        TimerKind::DelayedAck => Text::new("delayed ACK", "延迟确认"),
        TimerKind::Retransmission => Text::new("retransmission", "重传"),
        TimerKind::LossProbe => Text::new("tail loss probe", "尾部丢失探测"),
        TimerKind::Reordering => Text::new("reordering window", "乱序窗口"),
        TimerKind::Persist => Text::new("window probe", "窗口探测"),
        TimerKind::KeepAlive => Text::new("keep-alive", "保活"),
        TimerKind::TimeWait => Text::new("TIME-WAIT", "TIME-WAIT"),
    }
}

/// Why bytes do not leave.
pub fn hold_name(hold: Hold) -> Text {
    match hold {
        Hold::Connecting => Text::new("handshake", "握手"),
        Hold::Nagle => Text::new("Nagle", "Nagle"),
        Hold::Cork => Text::new("cork", "CORK"),
        Hold::CongestionWindow => Text::new("congestion window", "拥塞窗口"),
        Hold::ReceiverWindow => Text::new("receiver window", "接收窗口"),
        Hold::Persist => Text::new("zero window", "零窗口"),
        Hold::Device => Text::new("network device", "网络设备"),
        Hold::NotPushed => Text::new("nobody called tcp_output", "尚未调用 tcp_output"),
    }
}

/// Why a connection is over.
pub fn errno_name(errno: Errno) -> Text {
    match errno {
        Errno::ConnRefused => Text::new("refused", "被拒绝"),
        Errno::ConnReset => Text::new("reset by the other end", "被对端重置"),
        Errno::TimedOut => Text::new("timed out", "超时"),
        Errno::Pipe => Text::new("closed", "已关闭"),
        Errno::Again => Text::new("would block", "暂不可用"),
        Errno::NotConn => Text::new("not connected", "未连接"),
        Errno::NoMem => Text::new("no memory", "内存不足"),
    }
}
