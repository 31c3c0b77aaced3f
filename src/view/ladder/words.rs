//! What a ladder says: labels of segments, sentences of brackets, the card of one segment.

use crate::kernel::SimSpan;
use crate::model::MsgId;
use crate::model::tcp::{Flags, Hold, TimerKind};
use crate::observe::segments::{Bracket, BracketKind, Fate, Flight};
use crate::param::{Lang, Text};
use crate::view::draw::Pattern;
use crate::view::numbers::count;
use crate::view::text_width::text_width;
use crate::view::tokens::Token;
use crate::view::words::fill;

use super::pick::{Pair, Picked, Tape};
use super::window::{exact, fine};

/// "nothing on the wire", and its short form.
pub const NOTHING: Text = Text::new("nothing on the wire", "线路上什么也没有");
/// What is not simulated.
pub const NOT_YET: Text = Text::new("not yet simulated", "尚未模拟");
/// The legend of a crowded ladder.
pub const CROWDED: Text =
    Text::new("bars: segments in {0}, at most {1}", "条形：每 {0} 的报文段数，最多 {1}");
/// The same where there is little room.
pub const CROWDED_SHORT: Text = Text::new("bars: segments", "条形：报文段数");

const DATA_SEQ: Text = Text::new("{0}: {1}, seq {2}", "{0}：{1}，seq {2}");
const DATA_ACK: Text = Text::new("{0}: {1}, ACK {2}", "{0}：{1}，ACK {2}");
const DATA: Text = Text::new("{0}: {1}", "{0}：{1}");
const BARE_SEQ: Text = Text::new("{0}, seq {1}", "{0}，seq {1}");
const AGAIN: Text = Text::new("again {0}", "重传 {0}");
const LOST: Text = Text::new("lost: {0}", "丢失：{0}");
const ACK: Text = Text::new("ACK {0}", "ACK {0}");
const ACK_SACK: Text = Text::new("ACK {0}, SACK {1}-{2}", "ACK {0}，SACK {1}-{2}");
const ACK_ZERO: Text = Text::new("ACK {0}, window 0", "ACK {0}，窗口 0");

/// A length in plain bytes: sequence numbers count them.
fn octets(n: u32) -> String {
    format!("{} B", count(u64::from(n)))
}

/// What a segment is called, from long to short.
pub fn label(picked: &Picked<'_>, lang: Lang) -> Vec<String> {
    let segment = &picked.flight.segment;
    let ack = segment.ack.to_string();
    let has = |flag| segment.flags.has(flag);
    let mut labels = if has(Flags::RST) {
        vec!["RST".to_string()]
    } else if has(Flags::SYN) {
        let name = if has(Flags::ACK) { "SYN, ACK" } else { "SYN" };
        vec![name.to_string()]
    } else if 0 < segment.len {
        data(picked, lang)
    } else if has(Flags::FIN) {
        vec![format!("FIN, ACK {ack}"), "FIN".to_string()]
    } else if let Some((from, to)) = segment.sack.blocks().first() {
        let parts = [&ack, &from.to_string(), &to.to_string()];
        vec![fill(ACK_SACK, lang, &parts.map(String::as_str)), fill(ACK, lang, &[&ack])]
    } else if segment.window == 0 {
        vec![fill(ACK_ZERO, lang, &[&ack]), fill(ACK, lang, &[&ack])]
    } else {
        vec![fill(ACK, lang, &[&ack])]
    };
    if segment.again {
        labels = labels.iter().map(|label| fill(AGAIN, lang, &[label])).collect();
    }
    if picked.flight.fate == Fate::Lost {
        labels = labels.iter().map(|label| fill(LOST, lang, &[label])).collect();
    }
    labels
}

/// A segment with data: its message, its bytes, and what is new in it.
fn data(picked: &Picked<'_>, lang: Lang) -> Vec<String> {
    let segment = &picked.flight.segment;
    let (len, seq) = (octets(segment.len), segment.seq.to_string());
    let ack = segment.ack.to_string();
    let Some(MsgId(msg)) = picked.flight.msg else {
        return vec![fill(BARE_SEQ, lang, &[&len, &seq]), len];
    };
    let msg = msg.to_string();
    // An answer tells what it acknowledges: that is what lets the other end go on.
    let answers = picked.new_ack && picked.from_right;
    let long = match answers {
        true => fill(DATA_ACK, lang, &[&msg, &len, &ack]),
        false => fill(DATA_SEQ, lang, &[&msg, &len, &seq]),
    };
    vec![long, fill(DATA, lang, &[&msg, &len]), msg]
}

/// The colour and the pattern of a bracket: those of the cause of latency that it is.
pub fn fill_of(kind: BracketKind) -> (Token, Pattern) {
    match kind {
        BracketKind::Held(hold) => match hold {
            Hold::Nagle => (Token::CauseNagle, Pattern::Solid),
            Hold::Cork => (Token::CauseTick, Pattern::Lines),
            Hold::CongestionWindow => (Token::CauseWindow, Pattern::Dots),
            Hold::ReceiverWindow => (Token::CauseSendBuffer, Pattern::Lines),
            Hold::Persist => (Token::CauseHeadOfLine, Pattern::Hatch),
            Hold::Connecting => (Token::CausePropagation, Pattern::Solid),
            Hold::Device => (Token::CauseSerialisation, Pattern::Lines),
            Hold::NotPushed => (Token::CauseProcessing, Pattern::Solid),
        },
        BracketKind::Timer(timer) => match timer {
            TimerKind::DelayedAck => (Token::CauseDelayedAck, Pattern::Hatch),
            TimerKind::Persist => (Token::CauseHeadOfLine, Pattern::Hatch),
            _ => (Token::CauseRto, Pattern::Dots),
        },
    }
}

/// What a hold is called; `{0}` are its bytes.
pub const fn hold_name(hold: Hold) -> Text {
    match hold {
        Hold::Nagle => Text::new("Nagle holds {0}", "Nagle 扣住 {0}"),
        Hold::Cork => Text::new("cork holds {0}", "cork 扣住 {0}"),
        Hold::CongestionWindow => Text::new("congestion window holds {0}", "拥塞窗口挡住 {0}"),
        Hold::ReceiverWindow => Text::new("receive window holds {0}", "接收窗口挡住 {0}"),
        Hold::Persist => Text::new("closed window holds {0}", "零窗口挡住 {0}"),
        Hold::Connecting => Text::new("not connected: {0}", "尚未连接：{0}"),
        Hold::Device => Text::new("device holds {0}", "网络设备挡住 {0}"),
        Hold::NotPushed => Text::new("no tcp_output: {0}", "未调用 tcp_output：{0}"),
    }
}

/// What ends a hold; `{0}` is the message that left before.
const fn hold_why(hold: Hold) -> Text {
    match hold {
        Hold::Nagle => Text::new("until message {0} is acknowledged", "直到消息 {0} 被确认"),
        Hold::Cork => Text::new("until the program lets go", "直到程序放行"),
        Hold::CongestionWindow => Text::new("until ACKs come back", "直到 ACK 回来"),
        Hold::ReceiverWindow => Text::new("until the other end reads", "直到对方读取"),
        Hold::Persist => Text::new("the other end has no room", "对方没有空间"),
        Hold::Connecting => Text::new("the handshake comes first", "先要完成握手"),
        Hold::Device => Text::new("until it takes more", "直到它能接收"),
        Hold::NotPushed => Text::new("it waits in the queue", "留在队列里"),
    }
}

const NAGLE_OLDER: Text = Text::new("until what was sent is acknowledged", "直到已发送的被确认");

/// What a timer is called.
pub const fn timer_name(timer: TimerKind) -> Text {
    match timer {
        TimerKind::DelayedAck => Text::new("delayed-ACK timer", "延迟 ACK 定时器"),
        TimerKind::Retransmission => Text::new("retransmission timeout", "重传定时器"),
        TimerKind::LossProbe => Text::new("tail loss probe", "尾部丢失探测"),
        TimerKind::Reordering => Text::new("reordering timer", "乱序定时器"),
        TimerKind::Persist => Text::new("zero-window probe", "零窗口探测"),
        TimerKind::KeepAlive => Text::new("keep-alive timer", "保活定时器"),
        TimerKind::TimeWait => Text::new("TIME-WAIT", "TIME-WAIT"),
    }
}

const ACK_FIRED: Text =
    Text::new("no data came to carry the ACK, so it ran out", "没有数据捎带 ACK，只好等到期");
const ACK_RODE: Text = Text::new("until the ACK went along with something", "直到 ACK 被带走");
const ACK_RUNS: Text = Text::new("an ACK waits for data to ride on", "ACK 在等数据捎带");
const UNHEARD: Text = Text::new("no ACK came in time", "ACK 没有按时来");

/// A bracket in words: what it is, how long it lasts, why or until when.
pub struct Block {
    /// What it is.
    pub title: String,
    /// How long it lasts.
    pub span: String,
    /// One sentence part.
    pub why: String,
}

/// The words of a bracket. `waits_for`: the message that left before a hold.
pub fn block(bracket: &Bracket, span: SimSpan, waits_for: Option<MsgId>, lang: Lang) -> Block {
    let (title, why) = match bracket.kind {
        BracketKind::Held(hold) => {
            let title = fill(hold_name(hold), lang, &[&octets(bracket.bytes)]);
            let why = match (hold, waits_for) {
                (Hold::Nagle, None) => NAGLE_OLDER.get(lang).to_string(),
                (_, msg) => {
                    let msg = msg.map_or(String::new(), |msg| count(msg.0));
                    fill(hold_why(hold), lang, &[&msg])
                }
            };
            (title, why)
        }
        BracketKind::Timer(timer) => {
            let why = match (timer, bracket.fired, bracket.until) {
                (TimerKind::DelayedAck, _, None) => ACK_RUNS,
                (TimerKind::DelayedAck, true, _) => ACK_FIRED,
                (TimerKind::DelayedAck, false, _) => ACK_RODE,
                _ => UNHEARD,
            };
            (timer_name(timer).get(lang).to_string(), why.get(lang).to_string())
        }
    };
    Block { title, span: fine(span), why }
}

/// Breaks a text into lines not wider than `room`: at spaces, Chinese anywhere but before a mark.
pub fn wrap(text: &str, room: f32, size: f32, bold: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut word = String::new();
    let mut put = |word: &mut String, line: &mut String| {
        let both = format!("{line}{word}");
        if !line.is_empty() && room < text_width(both.trim_end(), size, bold) {
            lines.push(std::mem::take(line).trim_end().to_string());
        }
        line.push_str(word);
        word.clear();
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        word.push(c);
        let mark = |c: char| matches!(c, '，' | '。' | '：' | '；');
        // A number stays with its unit.
        let breaks = (c == ' ' && chars.peek() != Some(&'B'))
            || ('\u{2e80}' <= c && !chars.peek().is_some_and(|c| mark(*c)));
        if breaks {
            put(&mut word, &mut line);
        }
    }
    put(&mut word, &mut line);
    if !line.is_empty() {
        lines.push(line.trim_end().to_string());
    }
    lines
}

/// A card: a title and rows of name and value; the last rows say what it means.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Card {
    /// What it is.
    pub title: String,
    /// From whom to whom.
    pub way: String,
    /// Name and value.
    pub rows: Vec<(String, String)>,
}

impl Card {
    /// The card as one sentence, for those who do not see it.
    pub fn say(&self) -> String {
        let rows = self.rows.iter().map(|(name, value)| format!("{name} {value}"));
        let all: Vec<String> =
            std::iter::once(format!("{} ({})", self.title, self.way)).chain(rows).collect();
        all.join("; ")
    }
}

const WAY: Text = Text::new("{0} to {1}", "{0} → {1}");
const LEAVES: Text = Text::new("leaves", "发出");
const ARRIVES: Text = Text::new("arrives", "到达");
const WAS_LOST: Text = Text::new("lost on the way", "途中丢失");
const UNDER_WAY: Text = Text::new("on its way", "在途");
const SEQ_LENGTH: Text = Text::new("seq, length", "seq，长度");
const ACKS: Text = Text::new("ACK", "ACK");
const WINDOW: Text = Text::new("window", "窗口");
const OPTIONS: Text = Text::new("options", "选项");
const CARRIES: Text = Text::new("carries", "携带");
const RELEASES: Text = Text::new("releases", "放行");
const MESSAGE: Text = Text::new("message {0}", "消息 {0}");
const SENT_BY: Text = Text::new("sent because of", "发出原因");
const AFTER: Text = Text::new("{0}, after {1}", "{0}，{1} 后");

/// The card of a segment.
pub fn card(tape: Tape<'_>, pair: &Pair, picked: &Picked<'_>, lang: Lang) -> Card {
    let flight = picked.flight;
    let segment = &flight.segment;
    let [left, right] = pair.names.each_ref().map(|name| name.get(lang));
    let (from, to) = if picked.from_right { (right, left) } else { (left, right) };
    let mut rows = Vec::new();
    let mut add = |name: Text, value: String| rows.push((name.get(lang).to_string(), value));
    add(LEAVES, exact(flight.depart.ns()));
    add(
        ARRIVES,
        match flight.fate {
            Fate::Arrived(at) => exact(at.ns()),
            Fate::Lost => WAS_LOST.get(lang).to_string(),
            Fate::Flying => UNDER_WAY.get(lang).to_string(),
        },
    );
    let comma = if lang == Lang::Zh { "，" } else { ", " };
    let length = octets(segment.len);
    add(SEQ_LENGTH, format!("{}{comma}{length}", segment.seq));
    if segment.flags.has(Flags::ACK) {
        add(ACKS, segment.ack.to_string());
    }
    add(WINDOW, octets(segment.window));
    let options = options(flight);
    if !options.is_empty() {
        add(OPTIONS, options.join(comma));
    }
    let message = |msg: MsgId| fill(MESSAGE, lang, &[&count(msg.0)]);
    if let Some(msg) = flight.msg.filter(|_| 0 < segment.len) {
        add(CARRIES, message(msg));
    }
    if let Some(timer) = sent_by(tape, flight) {
        let span = timer.until.map_or(SimSpan::ZERO, |end| end.since(timer.from));
        if let BracketKind::Timer(kind) = timer.kind {
            add(SENT_BY, fill(AFTER, lang, &[timer_name(kind).get(lang), &fine(span)]));
        }
    }
    if let Some(msg) = releases(tape, flight) {
        add(RELEASES, message(msg));
    }
    let title = label(picked, lang).swap_remove(0);
    Card { title, way: fill(WAY, lang, &[from, to]), rows }
}

/// The options of a segment by their names.
fn options(flight: &Flight) -> Vec<String> {
    let segment = &flight.segment;
    let mut options = Vec::new();
    options.extend(segment.mss.map(|mss| format!("MSS {mss}")));
    options.extend(segment.wscale.map(|shift| format!("WS {shift}")));
    if segment.sack_permitted {
        options.push("SACK".to_string());
    }
    options.extend(segment.stamps.map(|stamps| format!("TS {}", stamps.value)));
    let blocks = segment.sack.blocks().iter();
    options.extend(blocks.take(2).map(|(from, to)| format!("SACK {from}-{to}")));
    options
}

/// The timer that went off at the sender when a segment left.
fn sent_by<'a>(tape: Tape<'a>, flight: &Flight) -> Option<&'a Bracket> {
    tape.brackets.iter().find(|bracket| {
        bracket.channel == flight.channel
            && bracket.at_to == flight.back
            && bracket.fired
            && matches!(bracket.kind, BracketKind::Timer(_))
            && bracket.until == Some(flight.depart)
    })
}

/// The message whose hold ends when a segment arrives.
fn releases(tape: Tape<'_>, flight: &Flight) -> Option<MsgId> {
    let Fate::Arrived(at) = flight.fate else { return None };
    let held = tape.brackets.iter().find(|bracket| {
        bracket.channel == flight.channel
            && bracket.at_to != flight.back
            && matches!(bracket.kind, BracketKind::Held(_))
            && bracket.until == Some(at)
    });
    held.and_then(|bracket| bracket.msg)
}
