//! What is wrong with a document, a link or a change, in words for the person who wrote it.

use std::fmt;

use crate::param::{Lang, Reason, Said, meant, nearest, shorten};

/// Why something is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The value is not among what is allowed.
    Refused,
    /// There is no such key or thing.
    Unknown,
    /// Something that is needed is not there.
    Missing,
    /// The text is not TOML at all.
    Syntax,
}

/// One thing that is wrong, with its place and what is allowed instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Line of the document, from 1; `None` for changes and links.
    pub line: Option<u32>,
    /// The key: `producer.rate`, `channel 2: from`.
    pub key: String,
    /// The value as written; empty when a key is unknown or missing.
    pub value: String,
    /// Why it is refused.
    pub trouble: Trouble,
    /// What is allowed instead.
    pub allowed: Box<Said>,
    /// A near miss.
    pub hint: Option<String>,
}

/// Longest key that a problem repeats, in characters.
const KEY_SHOWN: usize = 80;

impl Problem {
    /// Most problems that one document reports.
    pub const LIMIT: usize = 100;

    /// A value that is not allowed.
    pub fn refused(line: Option<u32>, key: impl AsRef<str>, reason: Reason) -> Problem {
        let Reason { value, allowed, hint } = reason;
        let key = shorten(key.as_ref(), KEY_SHOWN);
        Problem { line, key, value, trouble: Trouble::Refused, allowed: Box::new(allowed), hint }
    }

    /// A key or a thing that does not exist, next to those that do.
    pub fn unknown<'a>(
        line: Option<u32>,
        key: impl AsRef<str>,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Problem {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = nearest(word, known.iter().copied()).map(str::to_owned);
        let key = shorten(key.as_ref(), KEY_SHOWN);
        let value = shorten(word, KEY_SHOWN);
        let trouble = Trouble::Unknown;
        Problem { line, key, value, trouble, allowed: Box::new(listed(&known)), hint }
    }

    /// A key that is needed.
    pub fn missing(line: Option<u32>, key: impl AsRef<str>, allowed: Said) -> Problem {
        let key = shorten(key.as_ref(), KEY_SHOWN);
        let value = String::new();
        Problem {
            line,
            key,
            value,
            trouble: Trouble::Missing,
            allowed: Box::new(allowed),
            hint: None,
        }
    }

    /// Text that is not TOML; the parser's own words are English.
    pub fn syntax(line: Option<u32>, message: &str) -> Problem {
        let said = Box::new(Said::same(shorten(message.trim(), 200)));
        let trouble = Trouble::Syntax;
        let (key, value) = (String::new(), String::new());
        Problem { line, key, value, trouble, allowed: said, hint: None }
    }

    /// The problem as a sentence.
    pub fn say(&self, lang: Lang) -> String {
        let (key, value, allowed) = (&self.key, &self.value, self.allowed.get(lang));
        let place = match (self.line, lang) {
            (None, _) => String::new(),
            (Some(line), Lang::En) => format!("line {line}: "),
            (Some(line), Lang::Zh) => format!("第 {line} 行："),
        };
        let sentence = match (self.trouble, lang) {
            (Trouble::Refused, Lang::En) => {
                format!("{key}: `{value}` is not allowed; allowed: {allowed}")
            }
            (Trouble::Refused, Lang::Zh) => format!("{key}：不允许“{value}”；允许：{allowed}"),
            (Trouble::Unknown, Lang::En) => {
                format!("{key}: there is no `{value}`; there is: {allowed}")
            }
            (Trouble::Unknown, Lang::Zh) => format!("{key}：没有“{value}”；可用：{allowed}"),
            (Trouble::Missing, Lang::En) => format!("{key} is missing; allowed: {allowed}"),
            (Trouble::Missing, Lang::Zh) => format!("缺少 {key}；允许：{allowed}"),
            (Trouble::Syntax, Lang::En) => format!("this is not TOML: {allowed}"),
            (Trouble::Syntax, Lang::Zh) => format!("不是有效的 TOML：{allowed}"),
        };
        place + &sentence + &meant(self.hint.as_deref(), lang)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Lang::En))
    }
}

impl std::error::Error for Problem {}

/// A list of words for "there is: ...", not too long.
fn listed(known: &[&str]) -> Said {
    /// More words than these help nobody.
    const SHOWN: usize = 24;
    if known.is_empty() {
        return Said::new("nothing", "无");
    }
    let more = if SHOWN < known.len() { ["", ", …", "、…"] } else { [""; 3] };
    let shown = &known[..known.len().min(SHOWN)];
    Said::new(shown.join(", ") + more[1], shown.join("、") + more[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_line_key_value_and_what_is_allowed() {
        let reason = Reason::new("900ms", Said::new("0 to 500ms", "0 至 500ms"));
        let problem = Problem::refused(Some(12), "client.ack-delay", reason);
        assert_eq!(
            problem.to_string(),
            "line 12: client.ack-delay: `900ms` is not allowed; allowed: 0 to 500ms"
        );
        assert_eq!(
            problem.say(Lang::Zh),
            "第 12 行：client.ack-delay：不允许“900ms”；允许：0 至 500ms"
        );
    }

    #[test]
    fn an_unknown_key_comes_with_its_neighbour() {
        let problem = Problem::unknown(Some(3), "broker", "prefech", ["queues", "prefetch"]);
        assert_eq!(
            problem.to_string(),
            "line 3: broker: there is no `prefech`; there is: queues, prefetch \
             (did you mean `prefetch`?)"
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..90).map(|i| format!("n{i}")).collect();
        let problem = Problem::unknown(None, "x", "y", names.iter().map(String::as_str));
        assert!(problem.allowed.en.ends_with(", …"));
        assert!(problem.to_string().len() < 250);
    }
}
