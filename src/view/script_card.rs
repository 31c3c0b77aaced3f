//! A script's card: the step that it is at, and what it waits for.

use crate::view::cards::Cards;
use crate::view::draw::{Anchor, Rect, plain, pt};
use crate::view::frame::{Body, Card};
use crate::view::inspect_tcp::waits_name;
use crate::view::numbers::span;
use crate::view::tokens::Token;
use crate::param::Lang;

impl Cards<'_, '_> {
    /// The step, and below it what it waits for and for how long.
    pub(super) fn script_card(&mut self, card: &Card, rect: Rect) {
        let (step, waits) = self.script_words(card);
        let (x, room) = (rect.x + 14.0, rect.w - 28.0);
        let face = plain(12.0, Token::Ink);
        self.pen.first(pt(x, rect.y + 45.0), Anchor::Start, face, room, &[&step]);
        let face = plain(11.0, Token::Ink2);
        self.pen.first(pt(x, rect.y + 62.0), Anchor::Start, face, room, &[&waits]);
    }

    /// The step in its own words, and what it waits for.
    pub(super) fn script_words(&self, card: &Card) -> (String, String) {
        let Body::Script { lines, at, waits, since, turn } = &card.body else {
            return Default::default();
        };
        let step = at.and_then(|at| lines.get(usize::from(at))).cloned().unwrap_or_default();
        let step = match turn {
            Some((turn, of)) => format!("{step}  ({turn}/{of})"),
            None => step,
        };
        let (en, zh) = waits_name(*waits);
        let waits = if self.lang() == Lang::Zh { zh } else { en };
        (step, format!("{waits} ({})", span(*since)))
    }
}
