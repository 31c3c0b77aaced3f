//! What happens at a time, in words: the document's faults and the log that a link carries.
//!
//! `crash:consumer-2`, `drop:path:3`, `slow:consumer:400%`, `set:consumer.service:80ms`.
//! Names are looked up when a scenario turns a deed into commands.

use crate::param::{Ppm, Reason, Said, nearest, shorten};

/// Something that is done to the world, with names instead of places in the arenas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// The actor's process dies.
    Crash(String),
    /// A crashed actor starts anew.
    Restart(String),
    /// The actor stops where it is.
    Pause(String),
    /// A paused actor goes on.
    Resume(String),
    /// Nothing passes the channel any more.
    Cut(String),
    /// A cut channel carries again.
    Mend(String),
    /// The `nth` message from then on is lost.
    Drop {
        /// The channel.
        channel: String,
        /// Counted from 1.
        nth: u32,
    },
    /// The `nth` parcel of one direction from then on is lost: a message, an acknowledgement or a
    /// confirmation.
    Lose {
        /// The channel, an ideal path.
        channel: String,
        /// Against its direction.
        back: bool,
        /// Counted from 1.
        nth: u32,
    },
    /// Work takes `factor` of its time.
    Slow {
        /// A consumer or responder.
        actor: String,
        /// 100 % is as usual.
        factor: Ppm,
    },
    /// One message is sent by hand.
    Send(String),
    /// A live parameter changes.
    Set {
        /// Path of the parameter.
        path: String,
        /// Its new value as text.
        value: String,
    },
}

impl Deed {
    /// What can be done.
    pub const VERBS: &'static [&'static str] = &[
        "crash", "restart", "pause", "resume", "cut", "mend", "drop", "lose", "slow", "send", "set",
    ];
    const MOST_NTH: u32 = 1_000_000;

    /// Its word.
    pub fn verb(&self) -> &'static str {
        match self {
            Deed::Crash(_) => "crash",
            Deed::Restart(_) => "restart",
            Deed::Pause(_) => "pause",
            Deed::Resume(_) => "resume",
            Deed::Cut(_) => "cut",
            Deed::Mend(_) => "mend",
            Deed::Drop { .. } => "drop",
            Deed::Lose { .. } => "lose",
            Deed::Slow { .. } => "slow",
            Deed::Send(_) => "send",
            Deed::Set { .. } => "set",
        }
    }

    /// To whom it is done: an actor, a channel, or the path of a parameter.
    pub fn whom(&self) -> &str {
        match self {
            Deed::Crash(id)
            | Deed::Restart(id)
            | Deed::Pause(id)
            | Deed::Resume(id)
            | Deed::Cut(id)
            | Deed::Mend(id)
            | Deed::Send(id)
            | Deed::Drop { channel: id, .. }
            | Deed::Lose { channel: id, .. }
            | Deed::Slow { actor: id, .. }
            | Deed::Set { path: id, .. } => id,
        }
    }

    /// The same, done to another: to the actor, channel or path's owner of that id.
    pub fn to_whom(&self, id: &str) -> Deed {
        let mut deed = self.clone();
        match &mut deed {
            Deed::Crash(whom)
            | Deed::Restart(whom)
            | Deed::Pause(whom)
            | Deed::Resume(whom)
            | Deed::Cut(whom)
            | Deed::Mend(whom)
            | Deed::Send(whom)
            | Deed::Drop { channel: whom, .. }
            | Deed::Lose { channel: whom, .. }
            | Deed::Slow { actor: whom, .. } => id.clone_into(whom),
            Deed::Set { path, .. } => {
                let key = path.split_once('.').map_or("", |(_, key)| key);
                *path = format!("{id}.{key}");
            }
        }
        deed
    }

    /// What undoes it.
    pub fn undone(&self) -> Option<Deed> {
        match self {
            Deed::Crash(id) => Some(Deed::Restart(id.clone())),
            Deed::Pause(id) => Some(Deed::Resume(id.clone())),
            Deed::Cut(id) => Some(Deed::Mend(id.clone())),
            Deed::Slow { actor, .. } => Some(Deed::Slow { actor: actor.clone(), factor: Ppm::ONE }),
            _ => None,
        }
    }

    /// The text form.
    pub fn show(&self) -> String {
        let start = format!("{}:{}", self.verb(), self.whom());
        match self {
            Deed::Drop { nth: 1, .. } => start,
            Deed::Drop { nth, .. } => format!("{start}:{nth}"),
            Deed::Lose { back, nth, .. } => {
                let way = if *back { ":back" } else { "" };
                if *nth == 1 { start + way } else { format!("{start}{way}:{nth}") }
            }
            Deed::Slow { factor, .. } => format!("{start}:{}", factor.show()),
            Deed::Set { value, .. } => format!("{start}:{value}"),
            _ => start,
        }
    }

    /// From the text form.
    pub fn parse(text: &str) -> Result<Deed, Reason> {
        let mut parts = text.splitn(3, ':');
        let verb = parts.next().unwrap_or("");
        let whom = parts.next().unwrap_or("");
        let what = parts.next();
        let refuse = || {
            let en = "a deed such as crash:consumer-2 or set:producer.rate:90/s";
            let zh = "操作，如 crash:consumer-2 或 set:producer.rate:90/s";
            Reason::new(text, Said::new(en, zh))
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        if whom.is_empty() || 120 < whom.len() || !whom.bytes().all(plain) {
            return Err(refuse());
        }
        let id = whom.to_owned();
        let deed = match verb {
            "crash" => Deed::Crash(id),
            "restart" => Deed::Restart(id),
            "pause" => Deed::Pause(id),
            "resume" => Deed::Resume(id),
            "send" => Deed::Send(id),
            "cut" => Deed::Cut(id),
            "mend" => Deed::Mend(id),
            "drop" => {
                let nth = what.map_or(Ok(1), Deed::parse_nth)?;
                return Ok(Deed::Drop { channel: id, nth });
            }
            "lose" => {
                let what = what.unwrap_or("1");
                let back = what.strip_prefix("back");
                let nth = back.map_or(what, |rest| rest.strip_prefix(':').unwrap_or(rest));
                let nth = if nth.is_empty() { 1 } else { Deed::parse_nth(nth)? };
                return Ok(Deed::Lose { channel: id, back: back.is_some(), nth });
            }
            "slow" => {
                let factor = Deed::parse_factor(what.ok_or_else(refuse)?)?;
                return Ok(Deed::Slow { actor: id, factor });
            }
            "set" => {
                let value = what.ok_or_else(refuse)?.to_owned();
                return Ok(Deed::Set { path: id, value });
            }
            _ => {
                let allowed = Said::new(Deed::VERBS.join(", "), Deed::VERBS.join("、"));
                let hint = nearest(verb, Deed::VERBS.iter().copied());
                return Err(Reason::new(shorten(verb, 20), allowed).meant(hint));
            }
        };
        if what.is_some() { Err(refuse()) } else { Ok(deed) }
    }

    /// Which message from now on.
    pub fn parse_nth(text: &str) -> Result<u32, Reason> {
        let nth = text.parse().ok().filter(|nth| (1..=Deed::MOST_NTH).contains(nth));
        nth.ok_or_else(|| Reason::new(text, Said::new("1 to 1000000", "1 至 1000000")))
    }

    /// How much longer the work takes.
    pub fn parse_factor(text: &str) -> Result<Ppm, Reason> {
        let factor = Ppm::parse(text)?;
        if (Ppm::percent(1)..=Ppm::percent(10_000)).contains(&factor) {
            return Ok(factor);
        }
        Err(Reason::new(text, Deed::factor_allowed()))
    }

    /// What is allowed as a factor.
    pub fn factor_allowed() -> Said {
        Said::new("1% to 10000%; 400% is four times as long", "1% 至 10000%；400% 即四倍时长")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_survives_its_text() {
        let texts = [
            "crash:consumer-2",
            "restart:consumer-2",
            "pause:producer",
            "resume:producer",
            "cut:path",
            "mend:path",
            "drop:path",
            "drop:path:3",
            "lose:path",
            "lose:path:2",
            "lose:path:back",
            "lose:path:back:3",
            "slow:consumer:400%",
            "send:producer",
            "set:consumer.service:80ms",
        ];
        for text in texts {
            assert_eq!(Deed::parse(text).map(|deed| deed.show()), Ok(text.to_owned()));
        }
        for verb in Deed::VERBS {
            assert!(texts.iter().any(|text| text.starts_with(verb)), "{verb}");
        }
    }

    #[test]
    fn a_wrong_deed_names_what_is_allowed() {
        let hint = Deed::parse("crsh:consumer").expect_err("refused").hint;
        assert_eq!(hint.as_deref(), Some("crash"));
        for bad in [
            "",
            "crash",
            "crash:",
            "crash:a:b",
            "drop:path:0",
            "lose:path:x",
            "slow:a",
            "slow:a:0%",
            "set:a.b",
        ] {
            assert!(Deed::parse(bad).is_err(), "{bad}");
        }
    }
}
