//! The preprocessor's view of a header file: comments, conditions and definitions.
//!
//! Nothing is included and nothing executed. Comments become blanks of the same length, so that
//! every place in the blanked text is the same place in the file.

use std::collections::BTreeMap;

use super::expr::{self, Names};
use crate::param::{Lang, Text};

/// Largest file in bytes.
pub const FILE_LIMIT: usize = 256 * 1024;
/// Most definitions of a file.
const DEFINES_LIMIT: usize = 4_096;
/// Deepest nesting of `#if`.
const NESTING_LIMIT: usize = 64;
/// Most lines that are neither blank nor directives.
const OTHERS_LIMIT: u32 = 1_000;

/// Why a file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadError {
    /// Line, from 1; 0: the file as a whole.
    pub line: u32,
    /// What is wrong.
    pub problem: Problem,
}

impl ReadError {
    /// Where, and what is wrong.
    pub fn say(self, lang: Lang) -> String {
        let what = self.problem.text().get(lang);
        let why = match self.problem {
            Problem::Condition(why) => why.text().get(lang),
            _ => "",
        };
        match (self.line, why, lang) {
            (0, ..) => format!("lwipopts.h: {what}"),
            (line, "", Lang::En) => format!("line {line}: {what}"),
            (line, "", Lang::Zh) => format!("第 {line} 行：{what}"),
            (line, why, Lang::En) => format!("line {line}: {what}: {why}"),
            (line, why, Lang::Zh) => format!("第 {line} 行：{what}：{why}"),
        }
    }
}

/// What can be wrong with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// More than [`FILE_LIMIT`] bytes.
    FileTooLarge,
    /// Control characters: no text.
    NotText,
    /// A comment without an end.
    OpenComment,
    /// `#if` without `#endif`.
    OpenCondition,
    /// `#else`, `#elif` or `#endif` without `#if`.
    NoCondition,
    /// `#if` nested too deep.
    TooDeep,
    /// A condition that cannot be computed.
    Condition(expr::NoValue),
    /// Too many definitions.
    TooManyDefines,
    /// `#define` without a name.
    NoName,
    /// Too much that belongs into no such file.
    NotAHeader,
    /// No definition at all.
    NoDefines,
    /// `#error` in a part that counts.
    ErrorDirective,
    /// An option has a value that it cannot have, or none that can be computed.
    BadValue,
}

impl Problem {
    /// In words.
    pub const fn text(self) -> Text {
        match self {
            Problem::FileTooLarge => {
                Text::new("the file has more than 262144 bytes", "文件超过 262144 字节")
            }
            Problem::NotText => Text::new("this is no text", "这不是文本"),
            Problem::OpenComment => Text::new("this comment has no end", "注释没有结束"),
            Problem::OpenCondition => Text::new("#if without #endif", "#if 缺少 #endif"),
            Problem::NoCondition => Text::new(
                "#else, #elif or #endif without #if",
                "#else、#elif 或 #endif 缺少对应的 #if",
            ),
            Problem::TooDeep => Text::new("#if is nested more than 64 deep", "#if 嵌套超过 64 层"),
            Problem::Condition(_) => {
                Text::new("this condition cannot be computed", "此条件无法计算")
            }
            Problem::TooManyDefines => Text::new("more than 4096 definitions", "定义超过 4096 个"),
            Problem::NoName => Text::new("#define without a name", "#define 缺少名称"),
            Problem::NotAHeader => {
                Text::new("this is no header file with options", "这不是含选项的头文件")
            }
            Problem::NoDefines => Text::new("no #define was found", "没有找到任何 #define"),
            Problem::ErrorDirective => Text::new(
                "the file stops the compiler here (#error)",
                "文件在此处让编译器停止（#error）",
            ),
            Problem::BadValue => {
                Text::new("this option has no value that can be used", "此选项没有可用的值")
            }
        }
    }
}

/// A definition that counts: nothing after it defines the name anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Define {
    /// Its line, from 1.
    pub line: u32,
    /// Its value without comments.
    pub body: String,
    /// Where the value begins in the file, in bytes.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// It has parameters: it is no option.
    pub has_parameters: bool,
}

/// What a file defines.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Defines {
    /// By name.
    pub by_name: BTreeMap<String, Define>,
    /// Lines with `#include`, which nobody follows.
    pub includes: Vec<u32>,
    /// Where the last outermost `#endif` begins in the file, if what stands in front counts.
    pub guard_end: Option<u32>,
}

impl Names for Defines {
    fn body(&self, name: &str) -> Option<&str> {
        let define = self.by_name.get(name)?;
        Some(if define.has_parameters { "" } else { &define.body })
    }
}

/// One open `#if`.
struct Condition {
    line: u32,
    /// The part around it counts.
    outer: bool,
    /// A branch was taken already.
    taken: bool,
    /// The present branch counts.
    active: bool,
}

/// Reads the definitions of a file.
pub fn scan(text: &str, fuel: &mut u32) -> Result<Defines, ReadError> {
    if FILE_LIMIT < text.len() {
        return Err(ReadError { line: 0, problem: Problem::FileTooLarge });
    }
    if let Some(at) = text.find(|c: char| c.is_control() && !"\n\r\t\u{c}".contains(c)) {
        return Err(ReadError { line: line_at(text, at), problem: Problem::NotText });
    }
    let blanked = blank(text)?;
    let mut scanner = Scanner { defines: Defines::default(), open: Vec::new(), n_others: 0 };
    let mut at = 0;
    let mut line = 1;
    for logical in blanked.split_inclusive('\n') {
        let fail = |problem| ReadError { line, problem };
        scanner.line(logical, at, line, fuel).map_err(fail)?;
        // Blanked line ends inside of comments and splices count too.
        let n_bytes = logical.len();
        line += text.as_bytes()[at..at + n_bytes].iter().filter(|b| **b == b'\n').count() as u32;
        at += n_bytes;
    }
    if let Some(open) = scanner.open.last() {
        return Err(ReadError { line: open.line, problem: Problem::OpenCondition });
    }
    if scanner.defines.by_name.is_empty() {
        return Err(ReadError { line: 0, problem: Problem::NoDefines });
    }
    Ok(scanner.defines)
}

fn line_at(text: &str, at: usize) -> u32 {
    1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() as u32
}

/// The text with comments and joined line ends as blanks; every byte keeps its place.
fn blank(text: &str) -> Result<String, ReadError> {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    let end_of = |from: usize, what: &str| text[from..].find(what).map(|n| from + n);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"/*") {
            let end = end_of(at + 2, "*/").map(|end| end + 2);
            // Lines are counted only for the error: a file may have 100 000 comments.
            end.ok_or_else(|| ReadError { line: line_at(text, at), problem: Problem::OpenComment })?
        } else if rest.starts_with(b"//") {
            end_of(at, "\n").unwrap_or(bytes.len())
        } else if rest.starts_with(b"\\\r\n") {
            at + 3
        } else if rest.starts_with(b"\\\n") {
            at + 2
        } else if rest[0] == b'"' {
            at = string_end(bytes, at);
            continue;
        } else {
            at += 1;
            continue;
        };
        out[at..end].fill(b' ');
        at = end;
    }
    // Blanks replace whole characters: comments begin and end with ASCII.
    Ok(String::from_utf8(out).expect("whole characters were replaced"))
}

/// One past the end of a string, at the latest the end of its line.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => return at,
            b'"' => return at + 1,
            // An escaped line end stays one: it joins lines.
            b'\\' if bytes.get(at + 1).is_some_and(|b| b.is_ascii() && !b"\r\n".contains(b)) => {
                at += 2;
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

struct Scanner {
    defines: Defines,
    open: Vec<Condition>,
    n_others: u32,
}

impl Scanner {
    fn is_active(&self) -> bool {
        self.open.last().is_none_or(|condition| condition.active)
    }

    fn line(&mut self, text: &str, at: usize, line: u32, fuel: &mut u32) -> Result<(), Problem> {
        let trimmed = text.trim();
        let Some(directive) = trimmed.strip_prefix('#') else {
            self.n_others += u32::from(!trimmed.is_empty() && self.is_active());
            return if OTHERS_LIMIT < self.n_others { Err(Problem::NotAHeader) } else { Ok(()) };
        };
        let directive = directive.trim_start();
        let word_end = directive.find(|c: char| !c.is_ascii_alphabetic());
        let (word, rest) = directive.split_at(word_end.unwrap_or(directive.len()));
        let rest = rest.trim();
        match word {
            "if" => self.open_condition(line, fuel, rest)?,
            "ifdef" | "ifndef" => {
                let is_there = self.defines.by_name.contains_key(first_word(rest));
                self.push(line, is_there == (word == "ifdef"))?;
            }
            "elif" => self.other_branch(Some(rest), fuel)?,
            "else" => self.other_branch(None, fuel)?,
            "endif" => {
                let closed = self.open.pop().ok_or(Problem::NoCondition)?;
                let is_guard = self.open.is_empty() && closed.active;
                let start = text.find('#').unwrap_or(0);
                self.defines.guard_end = is_guard.then_some((at + start) as u32);
            }
            _ if !self.is_active() => {}
            "define" => {
                // Nothing but blanks stands behind the rest of a line.
                let start = text.trim_end().len() - rest.len();
                self.define(rest, at + start, line)?;
            }
            "undef" => {
                self.defines.by_name.remove(first_word(rest));
            }
            "include" => self.defines.includes.push(line),
            "error" => return Err(Problem::ErrorDirective),
            _ => {}
        }
        Ok(())
    }

    fn open_condition(&mut self, line: u32, fuel: &mut u32, text: &str) -> Result<(), Problem> {
        let is_true = self.is_active() && self.holds(text, fuel)?;
        self.push(line, is_true)
    }

    fn holds(&self, text: &str, fuel: &mut u32) -> Result<bool, Problem> {
        let value = expr::value(text, &self.defines, true, fuel);
        value.map(|value| value != 0).map_err(Problem::Condition)
    }

    fn push(&mut self, line: u32, is_true: bool) -> Result<(), Problem> {
        if NESTING_LIMIT <= self.open.len() {
            return Err(Problem::TooDeep);
        }
        let outer = self.is_active();
        self.open.push(Condition { line, outer, taken: is_true, active: outer && is_true });
        Ok(())
    }

    /// `#elif` with its condition, or `#else`.
    fn other_branch(&mut self, text: Option<&str>, fuel: &mut u32) -> Result<(), Problem> {
        let last = self.open.last().ok_or(Problem::NoCondition)?;
        let is_candidate = last.outer && !last.taken;
        let is_true = is_candidate && text.map_or(Ok(true), |text| self.holds(text, fuel))?;
        let last = self.open.last_mut().ok_or(Problem::NoCondition)?;
        last.active = is_true;
        last.taken |= is_true;
        Ok(())
    }

    /// `text` begins with the name and lies at `at` in the file.
    fn define(&mut self, text: &str, at: usize, line: u32) -> Result<(), Problem> {
        let name = first_word(text);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Problem::NoName);
        }
        let behind = &text[name.len()..];
        let body = behind.trim();
        let from = at + name.len() + (behind.len() - behind.trim_start().len());
        let define = Define {
            line,
            body: body.to_owned(),
            from: from as u32,
            to: (from + body.len()) as u32,
            has_parameters: behind.starts_with('('),
        };
        self.defines.by_name.insert(name.to_owned(), define);
        if DEFINES_LIMIT < self.defines.by_name.len() {
            return Err(Problem::TooManyDefines);
        }
        Ok(())
    }
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}
