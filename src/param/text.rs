//! Words in two languages, and the sentence that says why a value is refused.

use std::fmt;

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// Both languages.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// The language's tag, as HTML's `lang` and the embed parameter write it.
    pub const fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The language of a tag such as `zh`, `zh-CN` or `en-GB`.
    pub fn of_tag(tag: &str) -> Option<Lang> {
        match tag.split(['-', '_']).next() {
            Some("en") => Some(Lang::En),
            Some("zh") => Some(Lang::Zh),
            _ => None,
        }
    }
}

/// A visible word or sentence of our own, in both languages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese, simplified.
    pub zh: &'static str,
}

impl Text {
    /// A text from its two forms.
    pub const fn new(en: &'static str, zh: &'static str) -> Text {
        Text { en, zh }
    }

    /// The text in one language.
    pub const fn get(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }

    /// The same text, owned.
    pub fn said(&self) -> Said {
        Said { en: self.en.to_owned(), zh: self.zh.to_owned() }
    }
}

/// A text that a document carries (a title, a story) or that was put together, in both languages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// English.
    pub en: String,
    /// Chinese, simplified.
    pub zh: String,
}

impl Said {
    /// A text from its two forms.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Said {
        Said { en: en.into(), zh: zh.into() }
    }

    /// The same words in both languages: an id, a number.
    pub fn same(words: impl Into<String>) -> Said {
        let en = words.into();
        Said { zh: en.clone(), en }
    }

    /// The text in one language.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

impl From<Text> for Said {
    fn from(text: Text) -> Said {
        text.said()
    }
}

/// Why a value is refused: the value, what is allowed, and what may have been meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The value as written, shortened if it is long.
    pub value: String,
    /// What is allowed instead, as the rest of the sentence "allowed: ...".
    pub allowed: Said,
    /// A near miss: the word that was probably meant.
    pub hint: Option<String>,
}

impl Reason {
    /// Longest part of a refused value that an error repeats, in characters.
    const SHOWN: usize = 60;

    /// A refusal of `value`.
    pub fn new(value: impl AsRef<str>, allowed: Said) -> Reason {
        Reason { value: shorten(value.as_ref(), Reason::SHOWN), allowed, hint: None }
    }

    /// The same refusal with a near miss.
    pub fn meant(mut self, hint: Option<&str>) -> Reason {
        self.hint = hint.map(str::to_owned);
        self
    }

    /// The refusal as a sentence.
    pub fn say(&self, lang: Lang) -> String {
        let allowed = self.allowed.get(lang);
        let refused = match lang {
            Lang::En => format!("`{}` is not allowed here; allowed: {allowed}", self.value),
            Lang::Zh => format!("此处不允许“{}”；允许：{allowed}", self.value),
        };
        refused + &meant(self.hint.as_deref(), lang)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Lang::En))
    }
}

impl std::error::Error for Reason {}

/// The end of an error that names a near miss; nothing when there is none.
pub fn meant(hint: Option<&str>, lang: Lang) -> String {
    match (hint, lang) {
        (None, _) => String::new(),
        (Some(word), Lang::En) => format!(" (did you mean `{word}`?)"),
        (Some(word), Lang::Zh) => format!("（是否想写“{word}”？）"),
    }
}

/// At most `limit` characters of `text`, without control characters.
pub fn shorten(text: &str, limit: usize) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(limit).map(plain).collect();
    if text.chars().nth(limit).is_some() {
        short.push('…');
    }
    short
}

/// The candidate that `word` was probably meant to be.
///
/// At most one slip in three letters is forgiven: insertions, deletions, replacements and swaps of
/// neighbours. A word that is the start of exactly one candidate also counts.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words than this are not compared: no key of ours is as long.
    const LONGEST: usize = 48;
    let word: Vec<char> = word.chars().take(LONGEST + 1).map(|c| c.to_ascii_lowercase()).collect();
    if word.is_empty() || LONGEST < word.len() {
        return None;
    }
    let forgiven = (word.len() as u32).div_ceil(3).min(3);
    let mut best: Option<(u32, &str)> = None;
    let mut longer: Vec<&str> = Vec::new();
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().take(LONGEST).collect();
        if 3 <= word.len() && letters.starts_with(&word) {
            longer.push(candidate);
        }
        let slips = distance(&word, &letters);
        if slips <= forgiven && best.is_none_or(|(least, _)| slips < least) {
            best = Some((slips, candidate));
        }
    }
    match (best, longer.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// Slips between two words: optimal string alignment, three rows at a time.
fn distance(a: &[char], b: &[char]) -> u32 {
    let mut before: Vec<u32> = vec![0; b.len() + 1];
    let mut last: Vec<u32> = (0..=b.len() as u32).collect();
    for i in 1..=a.len() {
        let mut row = vec![i as u32; b.len() + 1];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let replaced = last[j - 1] + u32::from(!same);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = 1 < i && 1 < j && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_understood() {
        let keys = ["prefetch", "queues", "capacity", "overflow", "ack"];
        assert_eq!(nearest("prefecth", keys), Some("prefetch"));
        assert_eq!(nearest("Prefetch", keys), Some("prefetch"));
        assert_eq!(nearest("pre-fetch", keys), Some("prefetch"));
        assert_eq!(nearest("queue", keys), Some("queues"));
        assert_eq!(nearest("over", keys), Some("overflow"));
        assert_eq!(nearest("acks", keys), Some("ack"));
        assert_eq!(nearest("latency", keys), None);
        assert_eq!(nearest("", keys), None);
    }

    #[test]
    fn distance_counts_a_swap_of_neighbours_once() {
        let slips = |a: &str, b: &str| {
            distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        assert_eq!(slips("ab", "ba"), 1);
        assert_eq!(slips("", "abc"), 3);
        assert_eq!(slips("kitten", "sitting"), 3);
    }

    #[test]
    fn a_refusal_names_value_allowed_and_near_miss() {
        let reason = Reason::new("blok", Said::new("block or reject", "block 或 reject"))
            .meant(Some("block"));
        assert_eq!(
            reason.to_string(),
            "`blok` is not allowed here; allowed: block or reject (did you mean `block`?)"
        );
        assert!(reason.say(Lang::Zh).contains("是否想写“block”"));
    }

    #[test]
    fn a_long_or_hostile_value_is_shortened() {
        let reason = Reason::new("x\u{0}".repeat(500), Said::same("words"));
        assert_eq!(reason.value.chars().count(), Reason::SHOWN + 1);
        assert!(!reason.value.contains('\u{0}'));
    }
}
