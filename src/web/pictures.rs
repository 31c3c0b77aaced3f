//! The pictures of the gallery: one drawing per preset, of our own, in the colours of the theme.
//!
//! A drawing is a table of pieces, not markup: eleven of them cost little in the page's size.

use yew::prelude::*;

use crate::view::draw::Glyph::{self, Again, Done, Flight, Lost};
use crate::view::tokens::Token;
use crate::web::icons::shape;

/// One piece of a drawing, on a field of 288 x 116.
enum Piece {
    /// A channel along a path.
    Pipe(&'static str),
    /// An actor.
    Card(i16, i16, i16, i16),
    /// A crashed actor.
    Dead(i16, i16, i16, i16),
    /// A message that waits: corner and side.
    Cell(i16, i16, i16),
    /// A bar: corner, size, colour.
    Bar(i16, i16, i16, i16, Token),
    /// The glyph of a message's state.
    Sign(i16, i16, Glyph),
    /// The tail of a moving message.
    Tail(&'static str, Token),
    /// A line.
    Line(&'static str, Token),
    /// A dashed line.
    Dashes(&'static str, Token),
    /// An area, and whether it is pale.
    Area(&'static str, Token, bool),
}

use Piece::{Area, Bar, Card, Cell, Dashes, Dead, Line, Pipe, Sign, Tail};

const FIRST_MESSAGE: &[Piece] = &[
    Pipe("M70 58H218"),
    Card(24, 38, 46, 40),
    Card(218, 38, 46, 40),
    Tail("M110 58H140", Token::StateFlight),
    Sign(142, 58, Flight),
];

const MM1: &[Piece] = &[
    Line("M30 12V100H262", Token::LineStrong),
    Dashes("M250 12V100", Token::LineStrong),
    Line("M30 96 118 93 162 90 195 84 214 75 226 64 234 47 239 20", Token::Accent),
];

const FUNNEL: &[Piece] = &[
    Line("M24 96H264", Token::LineStrong),
    Area("M24 90H40V24H64V90H266V96H24Z", Token::StateFlight, true),
    Area("M40 96L64 40L260 96Z", Token::StateWait, false),
    Dashes("M24 82H264", Token::StateDone),
];

const COMPETING_CONSUMERS: &[Piece] = &[
    Pipe("M150 48C190 48 190 24 226 24"),
    Pipe("M150 68C190 68 190 92 226 92"),
    Pipe("M54 58H92"),
    Card(20, 42, 34, 32),
    Card(92, 32, 62, 52),
    Card(226, 10, 42, 28),
    Dead(226, 44, 42, 28),
    Card(226, 78, 42, 28),
    Sign(247, 58, Lost),
    Sign(196, 33, Again),
    Cell(99, 51, 14),
    Cell(115, 51, 14),
    Cell(131, 51, 14),
];

const SLOW_CONSUMER_PREFETCH: &[Piece] = &[
    Pipe("M88 46C124 46 124 32 160 32"),
    Pipe("M88 70C124 70 124 84 160 84"),
    Card(28, 36, 62, 44),
    Card(160, 14, 104, 36),
    Card(160, 66, 104, 36),
    Bar(170, 30, 84, 5, Token::Sunken),
    Cell(170, 77, 14),
    Cell(187, 77, 14),
    Cell(204, 77, 14),
    Cell(221, 77, 14),
    Cell(238, 77, 14),
    Sign(126, 77, Flight),
];

const CONSUMER_CRASH_REDELIVERY: &[Piece] = &[
    Pipe("M70 58H218"),
    Card(24, 36, 46, 44),
    Dead(218, 36, 46, 44),
    Sign(241, 58, Lost),
    Line("M214 48C180 14 110 14 78 42m9-1-9 1 2-9", Token::StateAgain),
    Sign(146, 58, Again),
    Cell(34, 52, 11),
    Cell(49, 52, 11),
];

const FULL_QUEUE: &[Piece] = &[
    Card(92, 34, 130, 48),
    Cell(100, 51, 14),
    Cell(117, 51, 14),
    Cell(134, 51, 14),
    Cell(151, 51, 14),
    Cell(168, 51, 14),
    Cell(185, 51, 14),
    Cell(202, 51, 14),
    Pipe("M20 58H92"),
    Sign(76, 58, Flight),
    Sign(56, 28, Lost),
    Sign(38, 22, Lost),
    Line("M84 50C78 34 70 30 64 29", Token::StateLost),
];

const PIPELINE: &[Piece] = &[
    Pipe("M56 58H104M150 58H198"),
    Card(20, 40, 38, 36),
    Card(104, 34, 48, 48),
    Card(198, 34, 62, 48),
    Bar(112, 62, 32, 5, Token::Sunken),
    Bar(112, 62, 26, 5, Token::CauseProcessing),
    Bar(206, 62, 46, 5, Token::Sunken),
    Bar(206, 62, 14, 5, Token::CauseProcessing),
    Cell(206, 42, 12),
    Cell(221, 42, 12),
    Cell(236, 42, 12),
    Sign(80, 58, Flight),
    Sign(174, 58, Flight),
];

const REQUEST_REPLY: &[Piece] = &[
    Pipe("M76 44H212M76 74H212"),
    Card(24, 28, 54, 62),
    Card(210, 28, 54, 62),
    Tail("M118 44H146", Token::StateFlight),
    Sign(148, 44, Flight),
    Tail("M160 74H134", Token::StateDone),
    Sign(132, 74, Done),
    Bar(32, 56, 38, 6, Token::Sunken),
    Bar(32, 56, 22, 6, Token::CauseBrokerQueue),
];

const FANOUT_COPIES: &[Piece] = &[
    Pipe("M56 58H96"),
    Pipe("M154 44C190 44 190 24 226 24M154 58H226M154 72C190 72 190 92 226 92"),
    Card(22, 42, 34, 32),
    Card(94, 28, 62, 60),
    Card(226, 10, 42, 28),
    Card(226, 44, 42, 28),
    Card(226, 78, 42, 28),
    Sign(190, 34, Flight),
    Sign(190, 58, Flight),
    Sign(190, 82, Flight),
    Cell(118, 36, 12),
    Cell(118, 52, 12),
    Cell(118, 68, 12),
];

const LOST_AND_RETRIED: &[Piece] = &[
    Pipe("M70 66H218"),
    Card(24, 44, 46, 44),
    Card(218, 44, 46, 44),
    Sign(176, 66, Lost),
    Tail("M88 66H112", Token::StateAgain),
    Sign(114, 66, Again),
    Line("M37 26a10 10 0 1 0 20 0a10 10 0 1 0-20 0", Token::LineStrong),
    Area("M47 26V16A10 10 0 0 1 55 32Z", Token::Ink3, true),
];

/// The pieces of a preset's drawing; a plain path for one that has none.
fn pieces(id: &str) -> &'static [Piece] {
    match id {
        "mm1" => MM1,
        "funnel" => FUNNEL,
        "competing-consumers" => COMPETING_CONSUMERS,
        "slow-consumer-prefetch" => SLOW_CONSUMER_PREFETCH,
        "consumer-crash-redelivery" => CONSUMER_CRASH_REDELIVERY,
        "full-queue" => FULL_QUEUE,
        "pipeline" => PIPELINE,
        "request-reply" => REQUEST_REPLY,
        "fanout-copies" => FANOUT_COPIES,
        "lost-and-retried" => LOST_AND_RETRIED,
        _ => FIRST_MESSAGE,
    }
}

/// The drawing of a preset.
pub fn picture(id: &str) -> Html {
    html! {
        <svg viewBox="0 0 288 116" aria-hidden="true">{ for pieces(id).iter().map(draw) }</svg>
    }
}

fn draw(piece: &Piece) -> Html {
    let colour = |token: &Token| format!("var(--{})", token.name());
    match piece {
        Pipe(d) => html! { <><path class="pipe-o" d={*d} /><path class="pipe-i" d={*d} /></> },
        Card(x, y, w, h) => rect([*x, *y, *w, *h], "card", None),
        Dead(x, y, w, h) => rect([*x, *y, *w, *h], "card dead", None),
        Cell(x, y, side) => rect([*x, *y, *side, *side], "", Some(colour(&Token::StateWait))),
        Bar(x, y, w, h, token) => rect([*x, *y, *w, *h], "", Some(colour(token))),
        Sign(x, y, glyph) => html! {
            <g transform={format!("translate({x} {y}) scale(1.2)")}>{ shape(*glyph) }</g>
        },
        Tail(d, token) => line(d, "trail", token, None),
        Line(d, token) => line(d, "stroke", token, None),
        Dashes(d, token) => line(d, "stroke", token, Some("4 3")),
        Area(d, token, pale) => {
            html! { <path d={*d} fill={colour(token)} opacity={pale.then_some(".4")} /> }
        }
    }
}

fn rect([x, y, w, h]: [i16; 4], class: &'static str, fill: Option<String>) -> Html {
    html! {
        <rect {class} x={x.to_string()} y={y.to_string()} width={w.to_string()}
            height={h.to_string()} rx="3" {fill} />
    }
}

fn line(d: &'static str, class: &'static str, token: &Token, dashes: Option<&'static str>) -> Html {
    let stroke = format!("var(--{})", token.name());
    html! { <path {class} {d} {stroke} stroke-dasharray={dashes} /> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::preset;

    #[test]
    fn every_preset_has_a_picture_of_its_own() {
        for id in preset::ids().filter(|id| *id != "first-message") {
            assert!(!std::ptr::eq(pieces(id), FIRST_MESSAGE), "{id} has no picture");
        }
    }
}
