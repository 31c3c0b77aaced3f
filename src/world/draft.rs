//! A scenario as its author wrote it: groups not yet expanded, names not yet looked up.
//!
//! Reading checks each value by itself; whether the parts fit together is checked when
//! [`Scenario`](crate::world::scenario::Scenario) expands the draft.

use std::collections::BTreeMap;

use crate::kernel::SimSpan;
use crate::model::actor::ActorParams;
use crate::model::channel::ChannelParams;
use crate::observe::Guarantee;
use crate::param::{
    Amount, Kind, Ppm, Reason, Said, Spec, Value, index_of, is_word, nearest, parse_span,
    word_allowed,
};
use crate::world::deed::Deed;
use crate::world::document::{Item, Node, Reader, Table};
use crate::world::machines::{HostDraft, WireDraft, read_host, read_wire};
use crate::world::problem::Problem;
use crate::world::promise;

/// Most actors, before and after the expansion of groups.
pub const MAX_ACTORS: usize = 200;
/// Most channels, before and after the expansion of groups.
pub const MAX_CHANNELS: usize = 400;
/// Most faults.
pub const MAX_FAULTS: usize = 1_000;
/// Most members of a group.
pub const MAX_COUNT: u32 = 64;
/// Most hosts, and most wires.
pub const MAX_HOSTS: usize = 200;
/// Most knobs.
pub const MAX_KNOBS: usize = 40;
/// Longest run: 30 days.
pub const MAX_UNTIL: SimSpan = SimSpan::s(30 * 86_400);
/// Longest title, name and question, in characters.
const MAX_LINE: usize = 200;
/// Longest story, in characters.
const MAX_STORY: usize = 2_000;

params! {
    /// What every actor of a document may have besides its own parameters.
    pub struct GroupParams for "group" {
        /// How many of this actor there are.
        count: Amount = Amount(1), range Amount(1) => Amount(64), step Amount(1),
            slider Amount(1) => Amount(12), applies restart,
            name ("How many", "数量"),
            help ("How many of these there are; each has its own channels.",
                "这样的节点有几个；每个都有自己的通路。"),
            source "our own";
    }
}

/// The declaration of a group's size.
pub const COUNT: &Spec = &GroupParams::SPECS[0];

/// Simulated seconds per second of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Speed {
    /// Simulated seconds ...
    pub simulated: u32,
    /// ... in this many seconds.
    pub real: u32,
}

/// Values that differ from the group's, by member and parameter.
pub type Exceptions = BTreeMap<String, BTreeMap<u8, Value>>;

/// A draft; see the fields of [`Scenario`](crate::world::scenario::Scenario).
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// A short word.
    pub id: String,
    /// A short word.
    pub topic: String,
    /// A few words.
    pub title: Said,
    /// Two sentences.
    pub story: Said,
    /// One question.
    pub question: Said,
    /// What the random streams start from.
    pub seed: u64,
    /// When the run ends.
    pub until: SimSpan,
    /// The page's speed at first.
    pub speed: Option<Speed>,
    /// What it promises.
    pub promises: Vec<Guarantee>,
    /// Machines.
    pub hosts: Vec<HostDraft>,
    /// Network links.
    pub wires: Vec<WireDraft>,
    /// Actors and groups of actors.
    pub actors: Vec<ActorDraft>,
    /// Channels and groups of channels.
    pub channels: Vec<ChannelDraft>,
    /// What happens at a time.
    pub faults: Vec<FaultDraft>,
    /// Paths of parameters in front of the reader, with the line of each.
    pub knobs: Vec<(u32, String)>,
}

/// An actor, or a group of alike ones.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorDraft {
    /// Its line.
    pub line: u32,
    /// A short word.
    pub id: String,
    /// What the page calls it.
    pub name: Option<Said>,
    /// The machine it lives on.
    pub host: Option<String>,
    /// How many there are; `None` for one without a number.
    pub count: Option<u32>,
    /// Its kind and parameters.
    pub params: ActorParams,
    /// Members that differ.
    pub only: Exceptions,
}

/// A channel, or one to or from each member of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct ChannelDraft {
    /// Its line.
    pub line: u32,
    /// A short word, or `<from>-<to>`.
    pub id: String,
    /// What the page calls it.
    pub name: Option<Said>,
    /// Who speaks first.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Its kind and parameters.
    pub params: ChannelParams,
    /// Members that differ.
    pub only: Exceptions,
}

/// Something that happens at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultDraft {
    /// Its line.
    pub line: u32,
    /// When.
    pub at: SimSpan,
    /// What.
    pub deed: Deed,
    /// After how long it is undone.
    pub lasts: Option<SimSpan>,
}

impl Speed {
    /// Real time.
    pub const REAL: Speed = Speed { simulated: 1, real: 1 };
    const MOST: u32 = 1_000_000;

    /// Parses `1/50`, `2`, `0.5`.
    pub fn parse(text: &str) -> Result<Speed, Reason> {
        let refuse = || {
            let en = "simulated seconds per second, such as 1/50 or 2";
            Reason::new(text, Said::new(en, "每秒模拟的秒数，如 1/50 或 2"))
        };
        let (over, under) = text.trim().split_once('/').unwrap_or((text.trim(), "1"));
        let (whole, fraction) = over.split_once('.').unwrap_or((over, ""));
        let plain = |s: &str| s.len() <= 7 && s.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || fraction.len() > 3 || !plain(under) {
            return Err(refuse());
        }
        let over: u64 = format!("{whole}{fraction}").parse().map_err(|_| refuse())?;
        let under: u64 = under.parse().map_err(|_| refuse())?;
        let under = under * 10_u64.pow(fraction.len() as u32);
        let common = gcd(over, under).max(1);
        let most = u64::from(Speed::MOST);
        let fits = |n: u64| 1 <= n && n <= most;
        let (over, under) = (over / common, under / common);
        if !fits(over) || !fits(under) {
            return Err(refuse());
        }
        Ok(Speed { simulated: over as u32, real: under as u32 })
    }

    /// The canonical text.
    pub fn show(self) -> String {
        match self.real {
            1 => self.simulated.to_string(),
            real => format!("{}/{real}", self.simulated),
        }
    }

    /// As a number, for the page's clock.
    pub fn as_f64(self) -> f64 {
        f64::from(self.simulated) / f64::from(self.real)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Draft {
    /// Reads a document's tree; all problems at once.
    pub fn read(tree: &Table) -> (Draft, Vec<Problem>) {
        let out = &mut Vec::new();
        let mut reader = Reader::new(tree, "");
        read_format(&mut reader, out);
        let id = reader.parsed("id", out, word).unwrap_or_else(|| "scenario".to_owned());
        let topic = reader.parsed("topic", out, word).unwrap_or_else(|| "own".to_owned());
        let title = read_said(&mut reader, "title", MAX_LINE, out);
        let title = title.unwrap_or_else(|| Said::same(id.clone()));
        let story = read_said(&mut reader, "story", MAX_STORY, out).unwrap_or_default();
        let question = read_said(&mut reader, "question", MAX_LINE, out).unwrap_or_default();
        let seed = reader.parsed("seed", out, parse_seed).unwrap_or(1);
        let until = reader.parsed("until", out, parse_until).unwrap_or(SimSpan::s(10));
        let speed = reader.parsed("speed", out, Speed::parse);
        let promises = reader.parsed("promise", out, promise::parse).unwrap_or_default();
        let hosts = reader.tables("host", MAX_HOSTS, out);
        let wires = reader.tables("wire", MAX_HOSTS, out);
        let actors = reader.tables("actor", MAX_ACTORS, out);
        let channels = reader.tables("channel", MAX_CHANNELS, out);
        let faults = reader.tables("fault", MAX_FAULTS, out);
        let knobs = reader.tables("knob", MAX_KNOBS, out);
        reader.finish(&[], out);
        let mut each = Each { out, n: 0 };
        let draft = Draft {
            id,
            topic,
            title,
            story,
            question,
            seed,
            until,
            speed,
            promises,
            hosts: each.of(hosts, read_host),
            wires: each.of(wires, read_wire),
            actors: each.of(actors, read_actor),
            channels: each.of(channels, read_channel),
            faults: each.of(faults, read_fault),
            knobs: each.of(knobs, read_knob),
        };
        (draft, std::mem::take(out))
    }
}

/// Reads the tables of an array one after the other.
struct Each<'p> {
    out: &'p mut Vec<Problem>,
    n: u32,
}

impl Each<'_> {
    fn of<T>(
        &mut self,
        tables: Vec<&Table>,
        read: fn(&Table, u32, &mut Vec<Problem>) -> Option<T>,
    ) -> Vec<T> {
        self.n = 0;
        let mut all = Vec::new();
        for table in tables {
            self.n += 1;
            all.extend(read(table, self.n, self.out));
        }
        all
    }
}

fn read_format(reader: &mut Reader<'_>, out: &mut Vec<Problem>) {
    let allowed = || Said::new("1, the only format so far", "1（目前唯一的格式）");
    let check = |text: &str| match text {
        "1" => Ok(()),
        _ => Err(Reason::new(text, allowed())),
    };
    reader.needed("format", allowed(), out, check);
}

fn read_said(
    reader: &mut Reader<'_>,
    key: &'static str,
    limit: usize,
    out: &mut Vec<Problem>,
) -> Option<Said> {
    let item = reader.item(key)?;
    let Node::Table(table) = &item.node else {
        return reader.text(key, limit, out).map(Said::same);
    };
    let mut inner = Reader::new(table, reader.key(key));
    let (en, zh) = (inner.text("en", limit, out), inner.text("zh", limit, out));
    inner.finish(&[], out);
    match (en, zh) {
        (Some(en), Some(zh)) => Some(Said { en, zh }),
        (Some(only), None) | (None, Some(only)) => Some(Said::same(only)),
        (None, None) => None,
    }
}

fn word(text: &str) -> Result<String, Reason> {
    if is_word(text) { Ok(text.to_owned()) } else { Err(Reason::new(text, word_allowed())) }
}

/// The name of an expanded thing, as faults and knobs use it: words joined by `-`.
pub(super) fn long_word(text: &str) -> Result<String, Reason> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !text.is_empty() && text.len() <= 80 && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Reason::new(text, word_allowed()))
}

/// A seed.
pub fn parse_seed(text: &str) -> Result<u64, Reason> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parsed = if digits { text.parse().ok() } else { None };
    parsed.ok_or_else(|| {
        let en = format!("a whole number from 0 to {}", u64::MAX);
        Reason::new(text, Said::new(en, format!("0 至 {} 的整数", u64::MAX)))
    })
}

/// When a run ends.
pub fn parse_until(text: &str) -> Result<SimSpan, Reason> {
    let span = parse_span(text)?;
    if span.is_zero() || MAX_UNTIL < span {
        return Err(Reason::new(text, Said::new("1ns to 30d", "1ns 至 30d")));
    }
    Ok(span)
}

/// A path of a parameter: `producer.rate`; also `seed`, `until` and `speed` without a dot.
fn path(text: &str) -> Result<String, Reason> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if !text.is_empty() && text.len() <= 120 && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    let en = "an id, a dot and a key, such as producer.rate";
    Err(Reason::new(text, Said::new(en, "id、点和键，如 producer.rate")))
}

pub(super) fn one_of(
    words: &'static [&'static str],
) -> impl Fn(&str) -> Result<&'static str, Reason> {
    move |text| {
        let found = words.iter().find(|word| **word == text).copied();
        found.ok_or_else(|| {
            let allowed = Said::new(words.join(", "), words.join("、"));
            Reason::new(text, allowed).meant(nearest(text, words.iter().copied()))
        })
    }
}

fn needed_word(
    reader: &mut Reader<'_>,
    key: &'static str,
    out: &mut Vec<Problem>,
) -> Option<String> {
    reader.needed(key, word_allowed(), out, word)
}

pub(super) fn needed_id(
    reader: &mut Reader<'_>,
    key: &'static str,
    out: &mut Vec<Problem>,
) -> Option<String> {
    reader.needed(key, word_allowed(), out, long_word)
}

fn read_actor(table: &Table, n: u32, out: &mut Vec<Problem>) -> Option<ActorDraft> {
    let mut reader = Reader::new(table, format!("actor {n}"));
    let id = needed_word(&mut reader, "id", out);
    reader.path = id.clone().unwrap_or(reader.path);
    let name = read_said(&mut reader, "name", MAX_LINE, out);
    let host = reader.parsed("host", out, long_word);
    let count = reader.parsed("count", out, |text| COUNT.parse(text));
    let count = count.map(|value| value.ordinal() as u32);
    let kinds = ActorParams::KINDS;
    let allowed = Said::new(kinds.join(", "), kinds.join("、"));
    let kind = reader.needed("kind", allowed, out, one_of(kinds));
    let only = reader.item("only");
    let mut params = ActorParams::of_kind(kind?)?;
    let specs = params.specs();
    read_params(&reader, specs, out, |index, value| params.params_mut().set(index, value));
    let only = read_only(only, &reader.path, specs, out);
    finish_with(reader, specs, out);
    Some(ActorDraft { line: table.line, id: id?, name, host, count, params, only })
}

fn read_channel(table: &Table, n: u32, out: &mut Vec<Problem>) -> Option<ChannelDraft> {
    let mut reader = Reader::new(table, format!("channel {n}"));
    let id = reader.parsed("id", out, word);
    reader.path = id.clone().unwrap_or(reader.path);
    let name = read_said(&mut reader, "name", MAX_LINE, out);
    let from = needed_word(&mut reader, "from", out);
    let to = needed_word(&mut reader, "to", out);
    let kind = match reader.item("kind") {
        Some(_) => reader.parsed("kind", out, one_of(ChannelParams::KINDS)),
        None => Some(ChannelParams::KINDS[0]),
    };
    let only = reader.item("only");
    let mut params = ChannelParams::of_kind(kind?)?;
    let specs = params.specs();
    read_params(&reader, specs, out, |index, value| params.set(index, value));
    let only = read_only(only, &reader.path, specs, out);
    finish_with(reader, specs, out);
    let (from, to) = (from?, to?);
    let id = id.unwrap_or_else(|| format!("{from}-{to}"));
    Some(ChannelDraft { line: table.line, id, name, from, to, params, only })
}

/// Reads every key that is a parameter's.
pub(super) fn read_params(
    reader: &Reader<'_>,
    specs: &'static [Spec],
    out: &mut Vec<Problem>,
    mut set: impl FnMut(u8, &Value) -> Result<(), Reason>,
) {
    for entry in reader.rest() {
        let Some(index) = index_of(specs, &entry.key) else { continue };
        let value = read_value(&entry.item, &specs[usize::from(index)]);
        let result = value.and_then(|value| set(index, &value));
        if let Err(reason) = result {
            out.push(Problem::refused(Some(entry.item.line), reader.key(&entry.key), reason));
        }
    }
}

fn read_value(item: &Item, spec: &Spec) -> Result<Value, Reason> {
    let text = match spec.kind {
        Kind::Lines => item.lines(),
        _ => item.plain(),
    };
    match text {
        Some(text) => spec.parse(&text),
        None => Err(Reason::new(item.shown(), spec.allowed())),
    }
}

/// Reads `[actor.only.consumer-2]`: what single members of a group have for themselves.
fn read_only(
    item: Option<&Item>,
    path: &str,
    specs: &'static [Spec],
    out: &mut Vec<Problem>,
) -> Exceptions {
    let mut only = Exceptions::new();
    let Some(item) = item else { return only };
    let refuse = |item: &Item| {
        let allowed = Said::new("a table of members", "成员的表");
        let reason = Reason::new(item.shown(), allowed);
        Problem::refused(Some(item.line), format!("{path}.only"), reason)
    };
    let Node::Table(members) = &item.node else {
        out.push(refuse(item));
        return only;
    };
    for member in &members.entries {
        let Node::Table(table) = &member.item.node else {
            out.push(refuse(&member.item));
            continue;
        };
        let reader = Reader::new(table, member.key.clone());
        let own = only.entry(member.key.clone()).or_default();
        read_params(&reader, specs, out, |index, value| {
            own.insert(index, value.clone());
            Ok(())
        });
        finish_with(reader, specs, out);
    }
    only
}

pub(super) fn finish_with(reader: Reader<'_>, specs: &'static [Spec], out: &mut Vec<Problem>) {
    let keys: Vec<&'static str> = specs.iter().map(|spec| spec.key).collect();
    reader.finish(&keys, out);
}

fn read_fault(table: &Table, n: u32, out: &mut Vec<Problem>) -> Option<FaultDraft> {
    let mut reader = Reader::new(table, format!("fault {n}"));
    let a_time = Said::new("a time such as 8s", "时间，如 8s");
    let at = reader.needed("at", a_time, out, parse_span);
    let verbs = Said::new(Deed::VERBS.join(", "), Deed::VERBS.join("、"));
    let verb = reader.needed("do", verbs, out, one_of(Deed::VERBS));
    let deed = read_deed(&mut reader, verb?, out);
    let undone = ["crash", "pause", "cut", "slow"].contains(&verb?);
    let lasts = if undone { reader.parsed("for", out, parse_until) } else { None };
    reader.finish(&[], out);
    Some(FaultDraft { line: table.line, at: at?, deed: deed?, lasts })
}

fn read_deed(reader: &mut Reader<'_>, verb: &str, out: &mut Vec<Problem>) -> Option<Deed> {
    let deed = match verb {
        "crash" => Deed::Crash(needed_id(reader, "actor", out)?),
        "restart" => Deed::Restart(needed_id(reader, "actor", out)?),
        "pause" => Deed::Pause(needed_id(reader, "actor", out)?),
        "resume" => Deed::Resume(needed_id(reader, "actor", out)?),
        "send" => Deed::Send(needed_id(reader, "actor", out)?),
        "cut" => Deed::Cut(needed_id(reader, "channel", out)?),
        "mend" => Deed::Mend(needed_id(reader, "channel", out)?),
        "drop" => {
            let channel = needed_id(reader, "channel", out);
            let nth = reader.parsed("nth", out, Deed::parse_nth).unwrap_or(1);
            Deed::Drop { channel: channel?, nth }
        }
        "lose" => {
            let channel = needed_id(reader, "channel", out);
            let nth = reader.parsed("nth", out, Deed::parse_nth).unwrap_or(1);
            let way = reader.parsed("way", out, one_of(&["forth", "back"])).unwrap_or("forth");
            Deed::Lose { channel: channel?, back: way == "back", nth }
        }
        "slow" => {
            let actor = needed_id(reader, "actor", out);
            let allowed = Deed::factor_allowed();
            let factor: Option<Ppm> = reader.needed("factor", allowed, out, Deed::parse_factor);
            Deed::Slow { actor: actor?, factor: factor? }
        }
        _ => {
            let a_path = Said::same("producer.rate");
            let param = reader.needed("param", a_path, out, path);
            let a_value = Said::new("a value of that parameter", "该参数的值");
            let value = reader.needed("value", a_value, out, |text| Ok(text.to_owned()));
            Deed::Set { path: param?, value: value? }
        }
    };
    Some(deed)
}

fn read_knob(table: &Table, n: u32, out: &mut Vec<Problem>) -> Option<(u32, String)> {
    let mut reader = Reader::new(table, format!("knob {n}"));
    let param = reader.needed("param", Said::same("producer.rate"), out, path);
    reader.finish(&[], out);
    Some((table.line, param?))
}
