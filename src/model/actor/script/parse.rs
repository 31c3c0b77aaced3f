//! A script's text: one step a line, words separated by blanks, `repeat 10 { ... }`.
//!
//! Errors name the line, the word, what is allowed there, and a near miss.

use crate::kernel::SimSpan;
use crate::model::tcp::SockOpt;
use crate::param::{Bytes, Reason, Said, nearest, parse_span};

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Opens the connection (by its `from` end) and waits until it stands.
    Connect,
    /// One `write` of so many bytes; waits while the send buffer is full. `more`: `MSG_MORE`.
    Write {
        /// Bytes.
        bytes: u32,
        /// `MSG_MORE`: more will follow.
        more: bool,
    },
    /// So many writes of so many bytes each, one behind the other; waits until all are taken.
    Burst {
        /// How many.
        times: u32,
        /// Bytes of each.
        bytes: u32,
    },
    /// Reads until it has so many bytes.
    Read(u64),
    /// One `recv` of at most so many bytes; waits for the first.
    Recv(u64),
    /// Reads until the other end closes.
    Drain,
    /// Waits.
    Sleep(SimSpan),
    /// Waits until this instant of the run.
    At(SimSpan),
    /// Waits, and keeps a board from doing anything else meanwhile: `HAL_Delay`.
    Block(SimSpan),
    /// What stands up to `end` is done so often.
    Repeat {
        /// How often.
        times: u32,
        /// The step behind the block.
        end: u16,
    },
    /// The end of a block that began with the step `start`.
    Again {
        /// The block's first step.
        start: u16,
    },
    /// Sets an option of the socket.
    Set(SockOpt),
    /// Closes its own direction: the other end reads 0 after the last byte.
    Shutdown,
    /// Closes the socket.
    Close,
    /// Waits until the send buffer takes something.
    WaitWritable,
    /// The steps from here on concern another of its channels, counted from 1.
    On(u16),
}

/// A step and the line that it stands on, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its line among the lines of the script.
    pub line: u16,
    /// What it does.
    pub op: Op,
}

/// Every first word of a step.
pub const VERBS: &[&str] = &[
    "connect",
    "write",
    "writev",
    "burst",
    "read",
    "recv",
    "drain",
    "sleep",
    "at",
    "block",
    "repeat",
    "set",
    "shutdown",
    "close",
    "wait-writable",
    "on",
];
const OPTIONS: &[&str] = &["nodelay", "cork", "quickack", "sndbuf", "rcvbuf", "rcvlowat"];

/// Most steps of a script.
pub const MAX_STEPS: usize = 1_000;
/// Most blocks inside each other.
pub const MAX_DEPTH: usize = 8;
/// Most writes of a burst.
const MAX_BURST: u64 = 10_000;
/// Most turns of one block.
const MAX_TIMES: u64 = 1_000_000_000;
/// Longest span of a step.
const MAX_SPAN: SimSpan = SimSpan::s(30 * 86_400);

/// Whether a text is a script.
pub fn check(text: &str) -> Result<(), Reason> {
    parse(text).map(drop)
}

/// The steps of a script.
pub fn parse(text: &str) -> Result<Vec<Step>, Reason> {
    let mut parser = Parser { steps: Vec::new(), open: Vec::new() };
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("");
        for part in line.split(';') {
            let spaced = part.replace('{', " { ").replace('}', " } ");
            let words: Vec<&str> = spaced.split_whitespace().collect();
            parser.line(&mut Words { number: number as u32, words: &words })?;
        }
    }
    match parser.open.last() {
        None => Ok(parser.steps),
        Some(start) => {
            let line = parser.steps[usize::from(*start)].line;
            let allowed = Said::new("a } that ends its block", "用 } 结束该块");
            Err(Reason::new(format!("line {}: repeat", line + 1), allowed))
        }
    }
}

/// The words of a line that are still to be read.
struct Words<'a> {
    number: u32,
    words: &'a [&'a str],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    /// Takes the next word if it is this one.
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn refuse(&self, word: &str, allowed: Said) -> Reason {
        Reason::new(format!("line {}: {word}", self.number + 1), allowed)
    }

    fn one_of(&mut self, verb: &str, words: &[&'static str]) -> Result<&'static str, Reason> {
        let said = self.next().unwrap_or("");
        words.iter().find(|word| **word == said).copied().ok_or_else(|| {
            let allowed = Said::new(words.join(", "), words.join("、"));
            let shown = if said.is_empty() { verb } else { said };
            self.refuse(shown, allowed).meant(nearest(said, words.iter().copied()))
        })
    }

    fn bytes(&mut self, verb: &str, most: u64) -> Result<u64, Reason> {
        let word = self.next().unwrap_or("");
        bytes_of(word).filter(|bytes| (1..=most).contains(bytes)).ok_or_else(|| {
            let en = format!("`{verb}` and a number of bytes from 1 to {most}: {verb} 100");
            let zh = format!("“{verb}”加 1 至 {most} 的字节数：{verb} 100");
            self.refuse(&format!("{verb} {word}"), Said::new(en, zh))
        })
    }

    fn count(&mut self, verb: &str, most: u64) -> Result<u64, Reason> {
        let word = self.next().unwrap_or("");
        let count = word.parse().ok().filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| {
            let en = format!("`{verb}` and a number from 1 to {most}");
            let zh = format!("“{verb}”加 1 至 {most} 的数");
            self.refuse(&format!("{verb} {word}"), Said::new(en, zh))
        })
    }

    fn span(&mut self, verb: &str) -> Result<SimSpan, Reason> {
        let word = self.next().unwrap_or("");
        let span = parse_span(word).ok().filter(|span| *span <= MAX_SPAN);
        span.ok_or_else(|| {
            let en = format!("`{verb}` and a time of at most 30d: {verb} 5ms");
            let zh = format!("“{verb}”加不超过 30d 的时间：{verb} 5ms");
            self.refuse(&format!("{verb} {word}"), Said::new(en, zh))
        })
    }

    fn switch(&mut self, verb: &str) -> Result<bool, Reason> {
        Ok(self.one_of(verb, &["on", "off"])? == "on")
    }
}

/// A number of bytes, with or without a unit.
fn bytes_of(word: &str) -> Option<u64> {
    match word.parse() {
        Ok(bytes) => Some(bytes),
        Err(_) => Bytes::parse(word).ok().map(|bytes| bytes.0),
    }
}

struct Parser {
    steps: Vec<Step>,
    /// Places of the blocks that are open.
    open: Vec<u16>,
}

impl Parser {
    fn line(&mut self, words: &mut Words<'_>) -> Result<(), Reason> {
        while let Some(&first) = words.words.first() {
            if first == "}" {
                words.next();
                self.end_block(words)?;
                continue;
            }
            if MAX_STEPS <= self.steps.len() {
                let allowed = Said::new("at most 1000 steps", "最多 1000 步");
                return Err(words.refuse(first, allowed));
            }
            let verb = words.one_of(first, VERBS)?;
            let op = self.op(verb, words)?;
            let line = words.number as u16;
            self.steps.push(Step { line, op });
            let may_follow = verb == "repeat" || words.words.first().is_none_or(|w| *w == "}");
            if !may_follow {
                let en = "the end of the line: one step a line";
                let allowed = Said::new(en, "行尾：每行一步");
                return Err(words.refuse(words.words[0], allowed));
            }
        }
        Ok(())
    }

    fn end_block(&mut self, words: &Words<'_>) -> Result<(), Reason> {
        let Some(start) = self.open.pop() else {
            let allowed = Said::new("a } only after `repeat 10 {`", "} 只能在“repeat 10 {”之后");
            return Err(words.refuse("}", allowed));
        };
        let line = words.number as u16;
        self.steps.push(Step { line, op: Op::Again { start } });
        let after = self.steps.len() as u16;
        if let Op::Repeat { end, .. } = &mut self.steps[usize::from(start)].op {
            *end = after;
        }
        Ok(())
    }

    fn op(&mut self, verb: &str, words: &mut Words<'_>) -> Result<Op, Reason> {
        let most = u64::from(u32::MAX);
        Ok(match verb {
            "connect" => Op::Connect,
            "write" => {
                let bytes = words.bytes(verb, most)? as u32;
                Op::Write { bytes, more: words.take("more") }
            }
            "writev" => {
                let mut bytes = words.bytes(verb, most)?;
                while let Some(more) = words.words.first().and_then(|word| bytes_of(word)) {
                    words.next();
                    bytes = (bytes + more).min(most);
                }
                Op::Write { bytes: bytes as u32, more: words.take("more") }
            }
            "burst" => {
                let times = words.count(verb, MAX_BURST)? as u32;
                Op::Burst { times, bytes: words.bytes(verb, most)? as u32 }
            }
            "read" => Op::Read(words.bytes(verb, u64::MAX)?),
            "recv" => Op::Recv(words.bytes(verb, u64::MAX)?),
            "drain" => Op::Drain,
            "sleep" => Op::Sleep(words.span(verb)?),
            "at" => Op::At(words.span(verb)?),
            "block" => Op::Block(words.span(verb)?),
            "repeat" => {
                let times = words.count(verb, MAX_TIMES)? as u32;
                words.one_of("repeat", &["{"])?;
                if MAX_DEPTH <= self.open.len() {
                    let allowed = Said::new("at most 8 blocks deep", "最多嵌套 8 层");
                    return Err(words.refuse(verb, allowed));
                }
                self.open.push(self.steps.len() as u16);
                Op::Repeat { times, end: 0 }
            }
            "set" => Op::Set(option(words)?),
            "shutdown" => Op::Shutdown,
            "close" => Op::Close,
            "wait-writable" => Op::WaitWritable,
            _ => Op::On(words.count(verb, 400)? as u16),
        })
    }
}

fn option(words: &mut Words<'_>) -> Result<SockOpt, Reason> {
    /// Linux: `net.core.wmem_max` and the like are far below.
    const LARGEST: u64 = 1 << 30;
    Ok(match words.one_of("set", OPTIONS)? {
        "nodelay" => SockOpt::Nodelay(words.switch("nodelay")?),
        "cork" => SockOpt::Cork(words.switch("cork")?),
        "quickack" => SockOpt::Quickack(words.switch("quickack")?),
        "sndbuf" => SockOpt::SendBuffer(words.bytes("sndbuf", LARGEST)? as u32),
        "rcvbuf" => SockOpt::ReceiveBuffer(words.bytes("rcvbuf", LARGEST)? as u32),
        _ => SockOpt::ReceiveLowWater(words.bytes("rcvlowat", LARGEST)? as u32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_becomes_steps() {
        let steps = parse("connect\nrepeat 3 { write 4; write 10 more\n read 1KiB }\nclose");
        let ops: Vec<Op> = steps.expect("a script").iter().map(|step| step.op).collect();
        let expected = [
            Op::Connect,
            Op::Repeat { times: 3, end: 6 },
            Op::Write { bytes: 4, more: false },
            Op::Write { bytes: 10, more: true },
            Op::Read(1024),
            Op::Again { start: 1 },
            Op::Close,
        ];
        assert_eq!(ops, expected);
    }

    #[test]
    fn a_gathering_write_is_one_write() {
        let steps = parse("writev 4 10 more").expect("a script");
        assert_eq!(steps[0].op, Op::Write { bytes: 14, more: true });
    }

    #[test]
    fn an_error_names_line_word_what_is_allowed_and_what_was_meant() {
        let reason = parse("write 4\n\nwirte 10").expect_err("refused");
        assert_eq!(reason.value, "line 3: wirte");
        assert_eq!(reason.hint.as_deref(), Some("write"));
        let said = |text: &str| parse(text).expect_err("refused").to_string();
        assert!(said("write").contains("a number of bytes from 1 to"), "{}", said("write"));
        assert!(said("write 0").contains("`line 1: write 0`"));
        assert!(said("sleep 5").contains("sleep 5ms"));
        assert!(said("repeat 2 {\nwrite 1").contains("`line 1: repeat`"));
        assert!(said("}").contains("repeat 10 {"));
        assert!(said("set nodelya on").contains("did you mean `nodelay`?"));
        assert!(said("set cork maybe").contains("on, off"));
        assert!(said("write 1 write 2").contains("one step a line"));
        let deep = "repeat 2 {\n".repeat(MAX_DEPTH + 1);
        assert!(said(&deep).contains("8 blocks deep"));
    }
}
