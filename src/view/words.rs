//! Whole sentences from templates, and what things are called in them.
//!
//! A template is a [`Text`] with places `{0}`, `{1}` ...; each language orders them as it needs.
//! No sentence is joined from fragments. Parts that stand out carry an [`Ink`].

use crate::model::{ActorId, ChannelId, MsgId};
use crate::param::{Lang, Said, Text};

use super::tokens::Token;

/// How a part of a sentence stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ink {
    /// It does not.
    #[default]
    Plain,
    /// The subject: semibold.
    Strong,
    /// A message that goes again.
    Again,
    /// A fault or a loss.
    Bad,
}

impl Ink {
    /// Its colour.
    pub fn token(self) -> Token {
        match self {
            Ink::Plain => Token::Ink2,
            Ink::Strong => Token::Ink,
            Ink::Again => Token::AgainInk,
            Ink::Bad => Token::BadInk,
        }
    }
}

/// A part of a sentence in one ink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// What it says.
    pub text: String,
    /// How it stands out.
    pub ink: Ink,
}

/// A sentence.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sentence {
    /// Its parts in order.
    pub runs: Vec<Run>,
}

impl Sentence {
    /// The whole sentence as text.
    pub fn say(&self) -> String {
        self.runs.iter().map(|run| run.text.as_str()).collect()
    }
}

/// Something put into a template.
pub fn part(text: impl Into<String>, ink: Ink) -> Run {
    Run { text: text.into(), ink }
}

/// The number of a message, standing out.
pub fn number(msg: MsgId) -> Run {
    part(msg.0.to_string(), Ink::Strong)
}

/// The template in a language with its places filled.
pub fn sentence(template: Text, lang: Lang, parts: &[Run]) -> Sentence {
    let mut runs: Vec<Run> = Vec::new();
    let mut rest = template.get(lang);
    let mut push = |text: &str, ink: Ink| match runs.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.ink == ink => last.text.push_str(text),
        _ => runs.push(part(text, ink)),
    };
    while let Some((before, after)) = rest.split_once('{') {
        push(before, Ink::Plain);
        let (place, after) = after.split_once('}').unwrap_or((after, ""));
        let filling = place.parse().ok().and_then(|nth: usize| parts.get(nth));
        if let Some(run) = filling {
            push(&run.text, run.ink);
        }
        rest = after;
    }
    push(rest, Ink::Plain);
    Sentence { runs }
}

/// The template in a language with its places filled, as text.
pub fn fill(template: Text, lang: Lang, parts: &[&str]) -> String {
    let parts: Vec<Run> = parts.iter().map(|text| part(*text, Ink::Plain)).collect();
    sentence(template, lang, &parts).say()
}

/// What the actors and channels of a scenario are called.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cast {
    /// By actor id.
    pub names: Vec<Said>,
    /// By actor id: a letter and a number, for the smallest places.
    pub shorts: Vec<String>,
    /// By channel id: both ends.
    pub ends: Vec<(ActorId, ActorId)>,
}

impl Cast {
    /// Adds an actor by its id and name.
    pub fn add_actor(&mut self, id: &str, name: Said) {
        let stem = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let letter = stem.chars().next().unwrap_or('?').to_ascii_uppercase();
        self.shorts.push(format!("{letter}{}", &id[stem.len()..]));
        self.names.push(name);
    }

    /// An actor's name.
    pub fn name(&self, actor: ActorId, lang: Lang) -> &str {
        self.names.get(actor.index()).map_or("?", |name| name.get(lang))
    }

    /// An actor's name as a part of a sentence.
    pub fn actor(&self, actor: ActorId, lang: Lang) -> Run {
        part(self.name(actor, lang), Ink::Plain)
    }

    /// A channel, by the names of its ends.
    pub fn channel(&self, channel: ChannelId, lang: Lang) -> String {
        let Some(&(from, to)) = self.ends.get(channel.index()) else { return "?".to_string() };
        fill(CHANNEL, lang, &[self.name(from, lang), self.name(to, lang)])
    }
}

const CHANNEL: Text = Text::new("the path from {0} to {1}", "从{0}到{1}的路径");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_orders_the_places_as_it_needs() {
        let template = Text::new("{0} reaches {1}.", "{1}收到 {0}。");
        let parts = [number(MsgId(286)), part("C1", Ink::Plain)];
        assert_eq!(sentence(template, Lang::En, &parts).say(), "286 reaches C1.");
        assert_eq!(sentence(template, Lang::Zh, &parts).say(), "C1收到 286。");
        let runs = sentence(template, Lang::En, &parts).runs;
        assert_eq!(runs[0], part("286", Ink::Strong));
        assert_eq!(runs[1], part(" reaches C1.", Ink::Plain));
    }

    #[test]
    fn short_names_are_a_letter_and_the_number() {
        let mut cast = Cast::default();
        cast.add_actor("consumer-12", Said::new("Consumer 12", "消费者 12"));
        cast.add_actor("broker", Said::new("Broker", "代理"));
        assert_eq!(cast.shorts, ["C12", "B"]);
    }
}
