//! A wire's rules as text: `drop data 3`, `delay all 5..6 back 2ms`, `dup data 6`.
//!
//! A rule: what happens, to which class of packets, which of them (counted from 1, in its
//! direction, packets sent again included), the direction (forth if none is named), and for a
//! delay how long.

use crate::model::ground::Lane;
use crate::model::wire::{Action, Class, Rule};
use crate::param::{Reason, Said, nearest, parse_span};

const ACTIONS: &[&str] = &["drop", "delay", "dup"];
const CLASSES: &[&str] = &["all", "data", "ack", "syn", "fin", "rst"];
const LANES: &[&str] = &["forth", "back"];
/// Most rules of a wire.
const MAX_RULES: usize = 100;

/// Whether a text is a list of rules.
pub fn check(text: &str) -> Result<(), Reason> {
    parse(text).map(drop)
}

/// The rules of a text: one a line.
pub fn parse(text: &str) -> Result<Vec<Rule>, Reason> {
    let mut rules = Vec::new();
    for line in text.split(['\n', ';']) {
        let line = line.split('#').next().unwrap_or("");
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        if rules.len() == MAX_RULES {
            return Err(Reason::new(line, Said::new("at most 100 rules", "最多 100 条规则")));
        }
        rules.push(rule(line.trim(), &words)?);
    }
    Ok(rules)
}

fn rule(line: &str, words: &[&str]) -> Result<Rule, Reason> {
    let example = || {
        let en = "such as `drop data 3 forth`, `delay all 5..6 back 2ms`, `dup data 6`";
        let zh = "如“drop data 3 forth”“delay all 5..6 back 2ms”“dup data 6”";
        Said::new(en, zh)
    };
    let mut rest = words.iter().copied();
    let mut one_of = |all: &[&'static str]| {
        let word = rest.next().unwrap_or("");
        all.iter().position(|known| *known == word).ok_or_else(|| {
            let allowed = Said::new(all.join(", "), all.join("、"));
            let shown = format!("{line}: {word}");
            Reason::new(shown, allowed).meant(nearest(word, all.iter().copied()))
        })
    };
    let (action, class) = (one_of(ACTIONS)?, one_of(CLASSES)?);
    let which = rest.next().unwrap_or("");
    let (first, count) = numbers(which).ok_or_else(|| {
        let en = "numbers from 1: 3, or 5..6, or 5.. for all from there on";
        let zh = "从 1 起的编号：3、5..6，或 5.. 表示从此以后全部";
        Reason::new(format!("{line}: {which}"), Said::new(en, zh))
    })?;
    let mut rest = rest.peekable();
    let named = rest.next_if(|word| LANES.contains(word));
    let lane = if named == Some("back") { Lane::Back } else { Lane::Forth };
    let action = match action {
        0 => Action::Drop,
        1 => {
            let span = rest.next().and_then(|word| parse_span(word).ok());
            Action::Delay(span.ok_or_else(|| Reason::new(line, example()))?)
        }
        _ => Action::Duplicate,
    };
    if rest.next().is_some() {
        return Err(Reason::new(line, example()));
    }
    let class = [Class::All, Class::Data, Class::Ack, Class::Syn, Class::Fin, Class::Rst][class];
    Ok(Rule { lane, class, first, count, action, seen: 0 })
}

/// The first of the packets, and how many.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (from, Some(to)),
        None => (text, None),
    };
    let from: u32 = from.parse().ok().filter(|n| 1 <= *n)?;
    let to = match to {
        None => from,
        Some("") => return Some((from, u32::MAX)),
        Some(to) => to.parse().ok().filter(|to| from <= *to)?,
    };
    Some((from, to - from + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SimSpan;

    #[test]
    fn rules_are_read() {
        let rules = parse("drop data 3 forth\ndelay all 5..6 back 2ms; dup data 6\ndrop ack 2..");
        let rules = rules.expect("rules");
        let (seen, lane) = (0, Lane::Forth);
        let one = Rule { lane, class: Class::Data, first: 3, count: 1, action: Action::Drop, seen };
        assert_eq!(rules[0], one);
        let action = Action::Delay(SimSpan::ms(2));
        let two = Rule { lane: Lane::Back, class: Class::All, first: 5, count: 2, action, seen };
        assert_eq!(rules[1], two);
        assert_eq!(rules[2].action, Action::Duplicate);
        assert_eq!((rules[3].first, rules[3].count), (2, u32::MAX));
    }

    #[test]
    fn a_wrong_rule_says_what_is_allowed() {
        let said = |text: &str| check(text).expect_err("refused").to_string();
        assert!(said("drpo data 3").contains("did you mean `drop`?"), "{}", said("drpo data 3"));
        assert!(said("drop dta 3").contains("all, data, ack, syn, fin, rst"));
        assert!(said("drop data 0").contains("numbers from 1"));
        assert!(said("drop data 3 sideways").contains("drop data 3 forth"));
        assert!(said("delay data 3").contains("2ms"));
    }
}
