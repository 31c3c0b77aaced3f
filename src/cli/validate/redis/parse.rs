//! From the words of a command to the model's value.
//!
//! An unknown command or option is not covered; known ones with wrong words break the record.

use serde_json::Value;

use super::super::read::Stop;
use crate::kernel::SimSpan;
use crate::model::redis::{
    AddId, AutoClaim, Block, Claim, Command, EntryId, Pending, ReadFrom, ReadGroup, Side, StartId,
    Text, Trim,
};

/// Entries that XAUTOCLAIM takes when it is not told.
const AUTO_CLAIM_COUNT: u32 = 100;
const NS_PER_S: f64 = 1e9;

/// Words that are texts or whole numbers.
pub(super) fn texts(words: &[Value]) -> Result<Vec<Text>, String> {
    let one = |word: &Value| match word {
        Value::String(text) => Ok(Text::from(text.as_str())),
        Value::Number(number) if !number.is_f64() => Ok(number.to_string().into()),
        other => Err(format!("the word {other}, allowed: a text or a whole number")),
    };
    words.iter().map(one).collect()
}

/// A command.
pub(super) fn command(words: &[Value]) -> Result<Command, Stop> {
    let words = texts(words)?;
    let (name, rest) = words.split_first().ok_or_else(|| "an empty command".to_owned())?;
    let name = name.to_ascii_uppercase();
    let mut words = Words { name: &name, rest };
    let command = match name.as_bytes().first() {
        Some(b'X') => on_stream(&mut words)?,
        _ => simple(&mut words)?,
    };
    match words.rest {
        [] => Ok(command),
        [extra, ..] => Err(Stop::NotCovered(format!("`{name}` with `{extra}`"))),
    }
}

/// The words of a command that are left.
struct Words<'a> {
    name: &'a str,
    rest: &'a [Text],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<Text, String> {
        let (first, rest) =
            self.rest.split_first().ok_or_else(|| format!("`{}` has too few words", self.name))?;
        self.rest = rest;
        Ok(first.clone())
    }

    /// All that are left, at least one.
    fn all(&mut self) -> Result<Vec<Text>, String> {
        let mut all = vec![self.next()?];
        all.extend(std::mem::take(&mut self.rest).iter().cloned());
        Ok(all)
    }

    /// All but the last.
    fn all_but_last(&mut self) -> Result<Vec<Text>, String> {
        let n = self.rest.len().checked_sub(1).filter(|n| 0 < *n);
        let n = n.ok_or_else(|| format!("`{}` has too few words", self.name))?;
        let (first, last) = self.rest.split_at(n);
        self.rest = last;
        Ok(first.to_vec())
    }

    /// Takes a word if it is this one.
    fn has(&mut self, option: &str) -> bool {
        let is_it = self.rest.first().is_some_and(|word| word.eq_ignore_ascii_case(option));
        if is_it {
            self.rest = &self.rest[1..];
        }
        is_it
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, String> {
        let word = self.next()?;
        word.parse().map_err(|_| format!("`{}` with `{word}`, allowed: a number", self.name))
    }

    fn ms(&mut self) -> Result<SimSpan, String> {
        let ms = self.number::<u32>()?;
        Ok(SimSpan::ms(ms.into()))
    }

    fn side(&mut self) -> Result<Side, String> {
        match &*self.next()?.to_ascii_uppercase() {
            "LEFT" => Ok(Side::Left),
            "RIGHT" => Ok(Side::Right),
            other => Err(format!("`{}` with `{other}`, allowed: LEFT, RIGHT", self.name)),
        }
    }

    /// Seconds with a fraction; 0 is for ever.
    fn block_s(&mut self) -> Result<Block, String> {
        let s: f64 = self.number()?;
        if !(0.0..=1e6).contains(&s) {
            return Err(format!("`{}` waits {s} s, allowed: 0 to 1000000", self.name));
        }
        // At most 1e15.
        Ok(block(SimSpan::ns((s * NS_PER_S) as u64)))
    }

    fn id(&mut self) -> Result<EntryId, String> {
        let word = self.next()?;
        id(&word, 0).ok_or_else(|| format!("`{word}` is no id"))
    }

    fn ids(&mut self) -> Result<Vec<EntryId>, String> {
        let mut ids = vec![self.id()?];
        while !self.rest.is_empty() {
            ids.push(self.id()?);
        }
        Ok(ids)
    }

    fn start(&mut self) -> Result<StartId, String> {
        if self.has("$") { Ok(StartId::Last) } else { Ok(StartId::After(self.id()?)) }
    }

    /// The two ends of a range of ids, each perhaps not included: `(`.
    fn bound(&mut self, is_first: bool) -> Result<EntryId, String> {
        let word = self.next()?;
        let found = match &*word {
            "-" => Some(EntryId::ZERO),
            "+" => Some(EntryId::MAX),
            word => match word.strip_prefix('(') {
                None => id(word, if is_first { 0 } else { u64::MAX }),
                Some(word) if is_first => id(word, 0).and_then(EntryId::next),
                Some(word) => id(word, u64::MAX).and_then(EntryId::previous),
            },
        };
        found.ok_or_else(|| format!("`{word}` is no end of a range"))
    }

    /// MAXLEN or MINID after their word.
    fn trim(&mut self, is_max_len: bool) -> Result<Trim, Stop> {
        if self.has("~") {
            return Err(Stop::NotCovered("trimming by about so much".into()));
        }
        self.has("=");
        Ok(if is_max_len { Trim::MaxLen(self.number()?) } else { Trim::MinId(self.id()?) })
    }

    /// Keys and, after them, as many ids.
    fn streams<T>(
        &mut self,
        mut id: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<(Text, T)>, String> {
        let n = self.rest.len() / 2;
        if n == 0 || self.rest.len() % 2 == 1 {
            return Err(format!("`{}` has not as many ids as streams", self.name));
        }
        let (keys, ids) = self.rest.split_at(n);
        self.rest = ids;
        keys.iter().map(|key| Ok((key.clone(), id(self)?))).collect()
    }
}

/// `ms-seq`, or `ms` alone with this for the second part.
fn id(word: &str, seq: u64) -> Option<EntryId> {
    match word.split_once('-') {
        None => Some(EntryId { ms: word.parse().ok()?, seq }),
        Some((ms, seq)) => Some(EntryId { ms: ms.parse().ok()?, seq: seq.parse().ok()? }),
    }
}

fn block(span: SimSpan) -> Block {
    if span.is_zero() { Block::ForEver } else { Block::For(span) }
}

/// Commands on values, lists, channels, transactions.
fn simple(words: &mut Words) -> Result<Command, Stop> {
    Ok(match words.name {
        "SET" => Command::Set(words.next()?, words.next()?),
        "GET" => Command::Get(words.next()?),
        "INCR" => Command::IncrBy(words.next()?, 1),
        "DECR" => Command::IncrBy(words.next()?, -1),
        "INCRBY" => Command::IncrBy(words.next()?, words.number()?),
        "DECRBY" => {
            let (key, by) = (words.next()?, words.number::<i64>()?);
            Command::IncrBy(key, by.checked_neg().ok_or_else(|| format!("`DECRBY` by {by}"))?)
        }
        "DEL" => Command::Del(words.all()?),
        "EXISTS" => Command::Exists(words.all()?),
        "LPUSH" | "RPUSH" | "LPUSHX" | "RPUSHX" => Command::Push {
            side: side(words.name.starts_with('L')),
            must_exist: words.name.ends_with('X'),
            key: words.next()?,
            values: words.all()?,
        },
        "LPOP" | "RPOP" => Command::Pop {
            side: side(words.name == "LPOP"),
            key: words.next()?,
            count: if words.rest.is_empty() { None } else { Some(words.number()?) },
        },
        "BLPOP" | "BRPOP" => Command::BlockingPop {
            side: side(words.name == "BLPOP"),
            keys: words.all_but_last()?,
            block: words.block_s()?,
        },
        "LMOVE" | "BLMOVE" => Command::Move {
            source: words.next()?,
            dest: words.next()?,
            from: words.side()?,
            to: words.side()?,
            block: if words.name == "LMOVE" { Block::No } else { words.block_s()? },
        },
        "RPOPLPUSH" | "BRPOPLPUSH" => Command::Move {
            source: words.next()?,
            dest: words.next()?,
            from: Side::Right,
            to: Side::Left,
            block: if words.name == "RPOPLPUSH" { Block::No } else { words.block_s()? },
        },
        "LLEN" => Command::ListLen(words.next()?),
        "LRANGE" => Command::ListRange(words.next()?, words.number()?, words.number()?),
        "LINDEX" => Command::ListIndex(words.next()?, words.number()?),
        "LREM" => Command::ListRemove(words.next()?, words.number()?, words.next()?),
        "LTRIM" => Command::ListTrim(words.next()?, words.number()?, words.number()?),
        "PUBLISH" => Command::Publish(words.next()?, words.next()?),
        "MULTI" => Command::Multi,
        "EXEC" => Command::Exec,
        "DISCARD" => Command::Discard,
        "WATCH" => Command::Watch(words.all()?),
        "UNWATCH" => Command::Unwatch,
        other => return Err(Stop::NotCovered(format!("the command `{other}`"))),
    })
}

fn side(is_left: bool) -> Side {
    if is_left { Side::Left } else { Side::Right }
}

/// Commands on streams.
fn on_stream(words: &mut Words) -> Result<Command, Stop> {
    Ok(match words.name {
        "XADD" => return add(words),
        "XLEN" => Command::StreamLen(words.next()?),
        "XRANGE" | "XREVRANGE" => return range(words),
        "XDEL" => Command::StreamDelete(words.next()?, words.ids()?),
        "XTRIM" => {
            let key = words.next()?;
            let is_max_len = words.has("MAXLEN");
            if !is_max_len && !words.has("MINID") {
                return Err(Stop::Differs("`XTRIM` says neither MAXLEN nor MINID".into()));
            }
            Command::StreamTrim(key, words.trim(is_max_len)?)
        }
        "XREAD" => {
            let (count, block, _) = read_options(words)?;
            Command::Read { streams: words.streams(Words::start)?, count, block }
        }
        "XREADGROUP" => return read_group(words),
        "XGROUP" => return group(words),
        "XACK" => Command::Ack(words.next()?, words.next()?, words.ids()?),
        "XPENDING" => return pending(words),
        "XCLAIM" => return claim(words),
        "XAUTOCLAIM" => return auto_claim(words),
        other => return Err(Stop::NotCovered(format!("the command `{other}`"))),
    })
}

fn add(words: &mut Words) -> Result<Command, Stop> {
    let key = words.next()?;
    let (mut trim, mut must_exist) = (None, false);
    let id = loop {
        if words.has("NOMKSTREAM") {
            must_exist = true;
        } else if words.has("MAXLEN") {
            trim = Some(words.trim(true)?);
        } else if words.has("MINID") {
            trim = Some(words.trim(false)?);
        } else {
            break words.next()?;
        }
    };
    if &*id == "*" {
        return Err(Stop::NotCovered("ids from the server's clock".into()));
    }
    let chosen = match id.strip_suffix("-*") {
        Some(ms) => ms.parse().ok().map(AddId::AutoSeq),
        None => self::id(&id, 0).map(AddId::Exact),
    };
    let id = chosen.ok_or_else(|| format!("`{id}` is no id"))?;
    let fields = words.all()?;
    if fields.len() % 2 == 1 {
        return Err(Stop::Differs("`XADD` has a name without a value".into()));
    }
    Ok(Command::Add { key, id, fields, trim, must_exist })
}

fn range(words: &mut Words) -> Result<Command, Stop> {
    let reverse = words.name == "XREVRANGE";
    let key = words.next()?;
    let one = words.bound(!reverse)?;
    let other = words.bound(reverse)?;
    let count = if words.has("COUNT") { Some(words.number()?) } else { None };
    let (first, last) = if reverse { (other, one) } else { (one, other) };
    Ok(Command::StreamRange { key, first, last, count, reverse })
}

/// COUNT, BLOCK, NOACK up to STREAMS.
fn read_options(words: &mut Words) -> Result<(Option<u32>, Block, bool), Stop> {
    let (mut n, mut wait, mut no_ack) = (None, Block::No, false);
    loop {
        if words.has("COUNT") {
            // 0 is all.
            n = Some(words.number::<u32>()?).filter(|n| 0 < *n);
        } else if words.has("BLOCK") {
            wait = block(words.ms()?);
        } else if words.has("NOACK") {
            no_ack = true;
        } else if words.has("STREAMS") {
            return Ok((n, wait, no_ack));
        } else {
            let option = words.next()?;
            return Err(Stop::NotCovered(format!("`{}` with `{option}`", words.name)));
        }
    }
}

fn read_group(words: &mut Words) -> Result<Command, Stop> {
    if !words.has("GROUP") {
        return Err(Stop::Differs("`XREADGROUP` without GROUP".into()));
    }
    let (group, consumer) = (words.next()?, words.next()?);
    let (count, block, no_ack) = read_options(words)?;
    let from = |words: &mut Words| {
        let is_new = words.has(">");
        if is_new { Ok(ReadFrom::New) } else { words.id().map(ReadFrom::OwnAfter) }
    };
    let streams = words.streams(from)?;
    Ok(Command::ReadGroup(ReadGroup { group, consumer, count, block, no_ack, streams }))
}

fn group(words: &mut Words) -> Result<Command, Stop> {
    let what = words.next()?.to_ascii_uppercase();
    let (key, group) = (words.next()?, words.next()?);
    Ok(match &*what {
        "CREATE" => {
            let start = words.start()?;
            Command::GroupCreate { key, group, start, make_stream: words.has("MKSTREAM") }
        }
        "SETID" => Command::GroupSetId(key, group, words.start()?),
        "DESTROY" => Command::GroupDestroy(key, group),
        "CREATECONSUMER" => Command::ConsumerCreate(key, group, words.next()?),
        "DELCONSUMER" => Command::ConsumerDelete(key, group, words.next()?),
        other => return Err(Stop::NotCovered(format!("`XGROUP {other}`"))),
    })
}

fn pending(words: &mut Words) -> Result<Command, Stop> {
    let (key, group) = (words.next()?, words.next()?);
    if words.rest.is_empty() {
        return Ok(Command::Pending(key, group, None));
    }
    let min_idle = if words.has("IDLE") { words.ms()? } else { SimSpan::default() };
    let (first, last) = (words.bound(true)?, words.bound(false)?);
    let count = words.number()?;
    let consumer = if words.rest.is_empty() { None } else { Some(words.next()?) };
    let asked = Pending { min_idle, first, last, count, consumer };
    Ok(Command::Pending(key, group, Some(asked)))
}

fn claim(words: &mut Words) -> Result<Command, Stop> {
    let (key, group) = (words.next()?, words.next()?);
    let (consumer, min_idle) = (words.next()?, words.ms()?);
    let mut ids = vec![words.id()?];
    while let Some(id) = words.rest.first().and_then(|word| id(word, 0)) {
        ids.push(id);
        words.rest = &words.rest[1..];
    }
    let (force, idle) = (false, SimSpan::default());
    let mut claim =
        Claim { consumer, min_idle, ids, idle, deliveries: None, force, just_id: false };
    loop {
        if words.has("IDLE") {
            claim.idle = words.ms()?;
        } else if words.has("RETRYCOUNT") {
            claim.deliveries = Some(words.number::<u32>()?.into());
        } else if words.has("FORCE") {
            claim.force = true;
        } else if words.has("JUSTID") {
            claim.just_id = true;
        } else {
            return Ok(Command::Claim(key, group, claim));
        }
    }
}

fn auto_claim(words: &mut Words) -> Result<Command, Stop> {
    let (key, group) = (words.next()?, words.next()?);
    let (consumer, min_idle, start) = (words.next()?, words.ms()?, words.bound(true)?);
    let count = if words.has("COUNT") { words.number::<u32>()? } else { AUTO_CLAIM_COUNT };
    if count == 0 {
        return Err(Stop::NotCovered("`XAUTOCLAIM` of nothing".into()));
    }
    let just_id = words.has("JUSTID");
    let claim = AutoClaim { consumer, min_idle, start, count, just_id };
    Ok(Command::AutoClaim(key, group, claim))
}
