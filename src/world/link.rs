//! The share link, version 1: a fragment that opens the same run at the same instant for ever.
//!
//! `#v1/mm1?seed=7&producer.rate=90/s&t=12.5s&do=8.2s:crash:server&e=0.1.0&f=3a9c01d2`: a preset,
//! or `~` and a deflated document; then only what differs. A key never changes its meaning. Parts
//! that are not understood are left out, and each is named in a notice.
//! Read `tests/links/` before editing: those links must open for ever.

use crate::kernel::{SimTime, settle};
use crate::model::command::Command;
use crate::param::{Lang, Said, meant, nearest, parse_span, shorten, show_span};
use crate::world::codec::{escape, pack, unescape, unpack};
use crate::world::deed::Deed;
use crate::world::draft::parse_seed;
use crate::world::preset;
use crate::world::problem::Problem;
use crate::world::scenario::Scenario;

/// This engine's version, as links carry it.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// Longest link that is read, in bytes.
const LONGEST_LINK: usize = 512 * 1024;
/// Most parts of a link.
const MAX_PARTS: usize = 1_000;
/// Most actions of a link.
pub const MAX_ACTIONS: usize = 1_000;

/// What a link opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A preset by its id.
    Preset(String),
    /// A document of somebody's own, whole.
    Document(String),
    /// Nothing: the link is damaged; its notices say how.
    Nothing,
}

/// A share link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What it opens.
    pub source: Source,
    /// The seed, where it is another than the document's.
    pub seed: Option<u64>,
    /// Parameters that differ from the document, as path and text.
    pub sets: Vec<(String, String)>,
    /// The instant shown.
    pub shown: Option<SimTime>,
    /// What the reader did while it ran.
    pub actions: Vec<(SimTime, Deed)>,
    /// The version of the engine that made the link.
    pub engine: Option<String>,
    /// The first half of the run's fingerprint at the instant shown.
    pub fingerprint: Option<u32>,
}

/// A part of a link that was left out, or another thing the reader should know about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The part as it stands in the link.
    pub part: String,
    /// What is the matter with it, as whole sentences.
    pub why: Said,
}

/// A link, opened.
#[derive(Clone, PartialEq, Debug)]
pub struct Opened {
    /// The scenario with everything that the link sets.
    pub scenario: Scenario,
    /// Where it comes from, for the next link.
    pub source: Source,
    /// What the reader did, in order of time.
    pub log: Vec<(SimTime, Command)>,
    /// The instant to show.
    pub shown: SimTime,
    /// The engine that made the link.
    pub engine: Option<String>,
    /// What the run's fingerprint should be at that instant.
    pub fingerprint: Option<u32>,
    /// Parts that were left out.
    pub notices: Vec<Notice>,
}

/// The half of a fingerprint that a link carries.
pub fn short_fingerprint(fingerprint: u64) -> u32 {
    (fingerprint >> 32) as u32
}

impl Link {
    /// A link that opens a source as it is.
    pub fn to(source: Source) -> Link {
        Link {
            source,
            seed: None,
            sets: Vec::new(),
            shown: None,
            actions: Vec::new(),
            engine: Some(ENGINE.to_owned()),
            fingerprint: None,
        }
    }

    /// The link of a run: `scenario` as it was set before the start, and what was done since.
    pub fn of(
        source: Source,
        scenario: &Scenario,
        log: &[(SimTime, Command)],
        shown: SimTime,
        fingerprint: u64,
    ) -> Link {
        let differs = scenario.seed != scenario.original.seed;
        Link {
            seed: differs.then_some(scenario.seed),
            sets: scenario.changes().into_iter().map(|(k, v)| (k, without_percent(&v))).collect(),
            shown: (shown != SimTime::ZERO).then_some(shown),
            actions: deeds(scenario, log),
            fingerprint: Some(short_fingerprint(fingerprint)),
            ..Link::to(source)
        }
    }

    /// Reads a link: a whole address or only its fragment, with or without `#`.
    pub fn parse(text: &str) -> (Link, Vec<Notice>) {
        let mut link = Link { engine: None, ..Link::to(Source::Nothing) };
        let mut notices = Vec::new();
        if LONGEST_LINK < text.len() {
            notices.push(Notice::new(text, "The link is too long.", "链接过长。"));
            return (link, notices);
        }
        let text = text.split_once('#').map_or(text, |(_, fragment)| fragment);
        // Once by a browser, and once more by a program that took the address for plain text.
        let text = unescape(&unescape(text));
        // Texts end their sentences behind links; a link of ours ends with a letter or digit.
        let text =
            text.trim().trim_end_matches(|c: char| ".,;:!?)]}>'\"。，；：！？）”》".contains(c));
        let (source, query) = text.split_once('?').unwrap_or((text, ""));
        let Some(source) = source.strip_prefix("v1/") else {
            notices.push(Notice::of_version(source));
            return (link, notices);
        };
        link.source = match source.strip_prefix('~') {
            None => Source::Preset(source.to_owned()),
            Some(letters) => match unpack(letters) {
                Some(document) => Source::Document(document),
                None => {
                    let en = "The document in the link is damaged or too long.";
                    notices.push(Notice::new(letters, en, "链接中的文档已损坏或过长。"));
                    Source::Nothing
                }
            },
        };
        for (n, part) in query.split('&').enumerate() {
            // Some programs write `&` as it stands in HTML.
            let part = part.strip_prefix("amp;").unwrap_or(part);
            if MAX_PARTS <= n {
                notices.push(Notice::new(part, "The link has too many parts.", "链接部分过多。"));
                break;
            }
            if !part.is_empty()
                && let Err(notice) = link.take(part, &mut notices)
            {
                notices.push(notice);
            }
        }
        (link, notices)
    }

    /// The link as text, from `#`; only letters that programs leave alone, a digit or letter last.
    pub fn write(&self) -> String {
        let mut out = String::from("#v1/");
        match &self.source {
            Source::Preset(id) => out.push_str(&escape(id)),
            Source::Document(text) => {
                out.push('~');
                out.push_str(&pack(text));
            }
            Source::Nothing => {}
        }
        let mut parts = Vec::new();
        if let Some(seed) = self.seed {
            parts.push(format!("seed={seed}"));
        }
        let set = |(path, text): &(String, String)| format!("{path}={}", without_percent(text));
        parts.extend(self.sets.iter().map(set));
        if let Some(shown) = self.shown {
            parts.push(format!("t={}", show_time(shown)));
        }
        if !self.actions.is_empty() {
            let action = |(at, deed): &(SimTime, Deed)| {
                format!("{}:{}", show_time(*at), without_percent(&deed.show()))
            };
            parts.push(format!(
                "do={}",
                self.actions.iter().map(action).collect::<Vec<_>>().join(",")
            ));
        }
        parts.extend(self.engine.iter().map(|engine| format!("e={engine}")));
        parts.extend(self.fingerprint.map(|f| format!("f={f:08x}")));
        if !parts.is_empty() {
            out.push('?');
            out.push_str(&parts.iter().map(|part| escape_part(part)).collect::<Vec<_>>().join("&"));
        }
        out
    }

    /// Opens the link; an error only when there is no scenario to open.
    pub fn open(&self) -> Result<Opened, Vec<Notice>> {
        let mut scenario = self.scenario()?;
        let mut notices = Vec::new();
        if let Some(seed) = self.seed {
            scenario.set("seed", &seed.to_string()).expect("a seed is a seed");
        }
        // Sizes of groups first: others may speak of members that only then exist.
        let (counts, others): (Vec<_>, Vec<_>) =
            self.sets.iter().partition(|(path, _)| path.ends_with(".count"));
        for (path, text) in counts.into_iter().chain(others) {
            if let Err(problem) = scenario.set(path, text) {
                notices.push(Notice::bad(&format!("{path}={text}"), &problem));
            }
        }
        let mut log = Vec::new();
        for (at, deed) in &self.actions {
            let part = format!("{}:{}", show_time(*at), deed.show());
            if scenario.until < *at {
                let why = Said::new("It happens after the run's end.", "它发生在运行结束之后。");
                notices.push(Notice { part, why });
                continue;
            }
            match scenario.commands(deed) {
                Ok(commands) => log.extend(commands.into_iter().map(|command| (*at, command))),
                Err(problem) => notices.push(Notice::bad(&part, &problem)),
            }
        }
        settle(&mut log, |a, b| a.0 < b.0);
        let mut shown = self.shown.unwrap_or(SimTime::ZERO);
        if scenario.until < shown {
            let part = format!("t={}", show_time(shown));
            let en = "It lies after the run's end; the end is shown.";
            notices.push(Notice::new(&part, en, "它在运行结束之后；现显示终点。"));
            shown = scenario.until;
        }
        Ok(Opened {
            scenario,
            source: self.source.clone(),
            log,
            shown,
            engine: self.engine.clone(),
            fingerprint: self.fingerprint,
            notices,
        })
    }

    fn scenario(&self) -> Result<Scenario, Vec<Notice>> {
        match &self.source {
            Source::Preset(id) => match preset::find(id) {
                Some(preset) => Ok(preset.open()),
                None => {
                    let hint = nearest(id, preset::ids());
                    let en = "There is no preset of this name.".to_owned();
                    let zh = "没有这个名称的预设。".to_owned();
                    let why = Said::new(en + &meant(hint, Lang::En), zh + &meant(hint, Lang::Zh));
                    Err(vec![Notice { part: shorten(id, 60), why }])
                }
            },
            Source::Document(text) => Scenario::parse(text).map_err(|problems| {
                problems.iter().map(|problem| Notice::bad("document", problem)).collect()
            }),
            Source::Nothing => {
                let en = "The link opens nothing.";
                Err(vec![Notice::new("#", en, "该链接无法打开任何内容。")])
            }
        }
    }

    /// Takes one `key=value` part.
    fn take(&mut self, part: &str, notices: &mut Vec<Notice>) -> Result<(), Notice> {
        let Some((key, value)) = part.split_once('=') else {
            let en = "It has no `=`; it was left out.";
            return Err(Notice::new(part, en, "缺少“=”，已忽略。"));
        };
        let refuse = |reason| Notice::bad(part, &Problem::refused(None, key, reason));
        match key {
            "seed" => self.seed = Some(parse_seed(value).map_err(refuse)?),
            "t" => self.shown = Some(parse_time(value).map_err(refuse)?),
            "do" => self.take_actions(value, notices),
            "e" if is_version(value) => self.engine = Some(value.to_owned()),
            "e" => {
                let en = "A version looks like 0.1.0; it was left out.";
                return Err(Notice::new(part, en, "版本号形如 0.1.0，已忽略。"));
            }
            "f" => match u32::from_str_radix(value, 16) {
                Ok(fingerprint) if value.len() == 8 => self.fingerprint = Some(fingerprint),
                _ => {
                    let en = "A fingerprint has 8 hexadecimal digits; it was left out.";
                    return Err(Notice::new(part, en, "指纹应为 8 位十六进制数，已忽略。"));
                }
            },
            "until" | "speed" => self.sets.push((key.to_owned(), value.to_owned())),
            path if path.contains('.') => self.sets.push((path.to_owned(), value.to_owned())),
            _ => {
                let known = ["seed", "t", "do", "e", "f", "until", "speed", "producer.rate"];
                return Err(Notice::bad(part, &Problem::unknown(None, "link", key, known)));
            }
        }
        Ok(())
    }

    fn take_actions(&mut self, value: &str, notices: &mut Vec<Notice>) {
        // A comma inside a value is told from one between actions: those start with a time.
        let mut actions: Vec<String> = Vec::new();
        for piece in value.split(',') {
            match actions.last_mut() {
                Some(last) if !piece.contains(':') => {
                    last.push(',');
                    last.push_str(piece);
                }
                _ => actions.push(piece.to_owned()),
            }
        }
        for action in actions {
            if MAX_ACTIONS <= self.actions.len() {
                let en = "The link has too many actions.";
                notices.push(Notice::new(&action, en, "链接中的操作过多。"));
                return;
            }
            let (at, deed) = action.split_once(':').unwrap_or((&action, ""));
            let parsed = parse_time(at).and_then(|at| Ok((at, Deed::parse(deed)?)));
            match parsed {
                Ok(action) => self.actions.push(action),
                Err(reason) => {
                    let problem = Problem::refused(None, "do", reason);
                    notices.push(Notice::bad(&action, &problem));
                }
            }
        }
    }
}

impl Opened {
    /// A notice when the run that was reached is not the one that the link was made from.
    pub fn compare(&self, fingerprint: u64) -> Option<Notice> {
        let meant = self.fingerprint?;
        let here = short_fingerprint(fingerprint);
        if meant == here {
            return None;
        }
        let by = self.engine.as_deref().unwrap_or("?");
        let en = format!(
            "The run differs from the one the link was made from: fingerprint {here:08x} instead \
             of {meant:08x}, engine {ENGINE} instead of {by}."
        );
        let zh = format!(
            "此次运行与制作链接时的不同：指纹为 {here:08x} 而非 {meant:08x}，引擎为 {ENGINE} 而非 {by}。"
        );
        Some(Notice { part: format!("f={meant:08x}"), why: Said { en, zh } })
    }
}

impl Notice {
    /// Longest part of a link that a notice repeats, in characters.
    const SHOWN: usize = 80;

    fn new(part: &str, en: &str, zh: &str) -> Notice {
        Notice { part: shorten(part, Notice::SHOWN), why: Said::new(en, zh) }
    }

    fn bad(part: &str, problem: &Problem) -> Notice {
        let why = Said::new(problem.say(Lang::En), problem.say(Lang::Zh));
        Notice { part: shorten(part, Notice::SHOWN), why }
    }

    fn of_version(source: &str) -> Notice {
        let newer =
            source.starts_with('v') && source[1..].starts_with(|c: char| c.is_ascii_digit());
        if newer {
            let en = "The link was made by a newer Inflight.";
            return Notice::new(source, en, "该链接由更新版本的 Inflight 制作。");
        }
        Notice::new(source, "This is no link of Inflight.", "这不是 Inflight 的链接。")
    }

    /// The notice as a sentence that names its part.
    pub fn say(&self, lang: Lang) -> String {
        let why = self.why.get(lang);
        match lang {
            Lang::En => format!("`{}` in the link: {why}", self.part),
            Lang::Zh => format!("链接中的“{}”：{why}", self.part),
        }
    }
}

/// A log in words; what was done to every member of a group at once is said once.
pub(super) fn deeds(scenario: &Scenario, log: &[(SimTime, Command)]) -> Vec<(SimTime, Deed)> {
    let mut out = Vec::new();
    let mut rest = log;
    while let Some((at, first)) = rest.first() {
        let one = scenario.deed(first);
        let whole = scenario.group_of(one.whom()).map(|group| one.to_whom(&group));
        let all = whole.as_ref().and_then(|deed| scenario.commands(deed).ok());
        let together = all.filter(|all| {
            let alike = |(command, entry): (&Command, &(SimTime, Command))| {
                entry.0 == *at && entry.1 == *command
            };
            1 < all.len() && all.len() <= rest.len() && all.iter().zip(rest).all(alike)
        });
        let (deed, n) = match (whole, together) {
            (Some(deed), Some(all)) => (deed, all.len()),
            _ => (one, 1),
        };
        let deed = match deed {
            Deed::Set { path, value } => Deed::Set { path, value: without_percent(&value) },
            deed => deed,
        };
        out.push((*at, deed));
        rest = &rest[n..];
    }
    out
}

/// An instant as text.
fn show_time(at: SimTime) -> String {
    show_span(at.since(SimTime::ZERO))
}

fn parse_time(text: &str) -> Result<SimTime, crate::param::Reason> {
    parse_span(text).map(|span| SimTime::ZERO.saturating_add(span))
}

/// Whether this can be an engine's version: it is repeated in notices and in the next link.
fn is_version(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= 20
        && ends.iter().all(|end| end.is_some_and(|b| b.is_ascii_alphanumeric()))
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// Percent signs escape in a link; `pct` is the same unit.
fn without_percent(text: &str) -> String {
    text.replace('%', "pct")
}

/// One part with its first `=` left as it is.
fn escape_part(part: &str) -> String {
    let (key, value) = part.split_once('=').unwrap_or((part, ""));
    format!("{}={}", escape(key), escape(value))
}
