//! Ladders of hand-made tapes: what is drawn, what is said, and that a long tape costs no more.

use std::ops::Range;

use super::words::{block, label};
use super::*;
use crate::model::ChannelId;
use crate::model::tcp::{Flags, Hold, Sack, Segment, TimerKind};
use crate::observe::ring::Ring;
use crate::observe::segments::{Bracket, BracketKind, Fate, Flight};
use crate::param::Said;
use crate::view::draw::{Anchor, Glyph, Rect, Shape, Words, pt};
use crate::view::tokens::Token;

const UNTIL: SimTime = SimTime::from_ns(350_000_000);

fn us(n: u64) -> SimTime {
    SimTime::from_ns(n * 1_000)
}

/// A segment by its times in µs.
fn flight(back: bool, times: Range<u64>, (seq, len, ack): (u64, u32, u64), msg: u64) -> Flight {
    let segment =
        Segment { flags: Flags::ACK, seq, len, ack, window: 65_536, ..Segment::default() };
    Flight {
        channel: ChannelId(0),
        back,
        depart: us(times.start),
        fate: Fate::Arrived(us(times.end)),
        segment,
        msg: (msg != 0).then_some(MsgId(msg)),
    }
}

fn bracket(at_to: bool, kind: BracketKind, times: Range<u64>, msg: u64) -> Bracket {
    Bracket {
        channel: ChannelId(0),
        at_to,
        kind,
        bytes: 100,
        msg: (msg != 0).then_some(MsgId(msg)),
        from: us(times.start),
        until: Some(us(times.end)),
        fired: matches!(kind, BracketKind::Timer(_)),
    }
}

/// Two rounds of write, write, read: the second one stalls.
fn stall() -> (Vec<Flight>, Vec<Bracket>) {
    let flights = [
        flight(false, 2_000..3_015, (1, 100, 1), 1),
        flight(true, 3_015..4_022, (1, 0, 101), 0),
        flight(false, 4_022..5_037, (101, 100, 1), 2),
        flight(true, 5_044..6_052, (1, 1, 201), 3),
        flight(false, 6_059..7_074, (201, 100, 2), 4),
        flight(true, 48_000..49_007, (2, 0, 301), 0),
        flight(false, 49_007..50_022, (301, 100, 2), 5),
        flight(true, 50_030..51_037, (2, 1, 401), 6),
    ];
    let brackets = [
        bracket(false, BracketKind::Held(Hold::Nagle), 6_059..49_007, 5),
        bracket(true, BracketKind::Timer(TimerKind::DelayedAck), 7_074..48_000, 0),
    ];
    (flights.into(), brackets.into())
}

fn pairs(n: u16) -> Vec<Pair> {
    let names = [Said::new("client", "客户端"), Said::new("server", "服务器")];
    let pair = |n| Pair { names: names.clone(), channels: vec![(ChannelId(n), false)] };
    (0..n).map(pair).collect()
}

/// Entries as a sink keeps them.
fn ring<T: Clone>(entries: &[T]) -> Ring<T> {
    let mut ring = Ring::default();
    entries.iter().for_each(|entry| {
        ring.push(entry.clone(), u64::MAX >> 1);
    });
    ring
}

/// Draws a tape; the closure changes how.
fn drawn(
    tape: &(Vec<Flight>, Vec<Bracket>),
    pairs: &[Pair],
    change: impl Fn(&mut Ladder<'_>),
) -> (Scene, Vec<Drawn>) {
    let (flights, brackets) = (ring(&tape.0), ring(&tape.1));
    let mut ladder = Ladder {
        tape: Tape { flights: &flights, brackets: &brackets },
        pairs,
        window: Window::between(SimTime::ZERO, us(53_000)),
        now: us(27_000),
        known: UNTIL,
        until: UNTIL,
        size: (720.0, 592.0),
        lang: Lang::En,
        chosen: Chosen::Nothing,
        pointed: None,
    };
    change(&mut ladder);
    let mut scene = Scene::default();
    let drawn = ladder.draw(&mut scene);
    (scene, drawn)
}

fn texts(scene: &Scene) -> Vec<&Words> {
    let words = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Words(words) => Some(words),
        _ => None,
    });
    words.collect()
}

fn says(scene: &Scene, text: &str) -> bool {
    texts(scene).iter().any(|words| words.text == text)
}

#[test]
fn a_stall_says_who_waits_for_whom_and_how_long() {
    let (scene, segments) = drawn(&stall(), &pairs(1), |_| {});
    assert_eq!(segments.len(), 8);
    for text in [
        "client",
        "server",
        "27.000 ms",
        "1: 100 B, seq 1",
        "ACK 101",
        "3: 1 B, ACK 201",
        "4: 100 B, seq 201",
        "5: 100 B, seq 301",
        "ACK 301",
        "Nagle holds 100 B",
        "42.948 ms",
        "delayed-ACK timer",
        "nothing on the wire",
    ] {
        assert!(says(&scene, text), "{text}");
    }
    let spans = texts(&scene).iter().filter(|words| words.text == "40.926 ms").count();
    assert_eq!(spans, 2, "the timer and the silence are equally long");
    let (scene, _) = drawn(&stall(), &pairs(1), |ladder| ladder.lang = Lang::Zh);
    for text in ["客户端", "Nagle 扣住 100 B", "延迟 ACK 定时器", "线路上什么也没有"]
    {
        assert!(says(&scene, text), "{text}");
    }
}

#[test]
fn lengths_are_to_scale_and_data_is_bolder_than_acknowledgements() {
    let (scene, segments) = drawn(&stall(), &pairs(1), |_| {});
    let height = |d: &Drawn| d.end.y - d.start.y;
    assert!((height(&segments[0]) / height(&segments[4]) - 1.0).abs() < 0.01);
    let gap = segments[5].start.y - segments[4].end.y;
    assert!((gap / height(&segments[0]) - 40_926.0 / 1_015.0).abs() < 0.1, "nothing is cut out");
    let widths: Vec<f32> = scene
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Path { points, line } if points[0] == segments[0].start => Some(line.width),
            Shape::Path { points, line } if points[0] == segments[1].start => Some(line.width),
            _ => None,
        })
        .collect();
    assert!(widths.len() == 2 && widths[1] < widths[0], "{widths:?}");
}

#[test]
fn no_label_lies_on_another_or_leaves_the_picture() {
    let tape = stall();
    for (width, height) in [(720.0, 592.0), (390.0, 420.0), (560.0, 300.0), (1_000.0, 900.0)] {
        for (from, to) in [(0, 53_000), (0, 350_000), (4_000, 8_000), (47_000, 52_000)] {
            for lang in Lang::ALL {
                for n in [1, 2, 4] {
                    let (scene, _) = drawn(&tape, &pairs(n), |ladder| {
                        ladder.size = (width, height);
                        ladder.lang = lang;
                        ladder.window = Window::between(us(from), us(to));
                        ladder.now = SimTime::ZERO;
                    });
                    let bounds: Vec<(Rect, &str)> = texts(&scene)
                        .iter()
                        // The pill stands over everything.
                        .filter(|words| words.ink != Token::OnAccent)
                        .map(|words| (words.bounds(), words.text.as_str()))
                        .collect();
                    let picture = Rect::new(0.0, 0.0, width, height).grown(0.5);
                    for (i, (rect, text)) in bounds.iter().enumerate() {
                        let inside = picture.contains(pt(rect.x, rect.y))
                            && picture.contains(pt(rect.right(), rect.bottom()));
                        assert!(inside, "{text} at {rect:?} in {width} x {height}");
                        for (other, said) in &bounds[i + 1..] {
                            let smaller = Rect::new(rect.x, rect.y + 2.0, rect.w, rect.h - 4.0);
                            assert!(!smaller.overlaps(other), "{text} on {said}, {width}, {n}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_lost_segment_ends_in_a_cross_and_one_sent_again_is_dashed() {
    let mut tape = stall();
    tape.0[4].fate = Fate::Lost;
    tape.0[6].segment.again = true;
    let (scene, segments) = drawn(&tape, &pairs(1), |_| {});
    let crosses = scene.shapes.iter().filter(|shape| match shape {
        Shape::Sign { centre, glyph: Glyph::Lost, .. } => *centre == segments[4].end,
        _ => false,
    });
    assert_eq!(crosses.count(), 1);
    assert!(segments[4].end.x < segments[0].end.x - 50.0, "it does not reach the other line");
    let dashed = scene.shapes.iter().any(|shape| match shape {
        Shape::Path { points, line } => points[0] == segments[6].start && line.dash.is_some(),
        _ => false,
    });
    assert!(dashed);
    assert!(says(&scene, "lost: 4: 100 B, seq 201"));
    assert!(says(&scene, "again 5: 100 B, seq 301"));
}

#[test]
fn labels_say_what_is_new_in_a_segment() {
    let pairs = pairs(1);
    let mut flights: Vec<Flight> = stall().0;
    let mut sack = Sack::default();
    sack.push(401, 501);
    flights[5].segment.sack = sack;
    flights[1].segment.flags = Flags::ACK.with(Flags::SYN);
    flights[7].segment.flags = Flags::ACK.with(Flags::FIN);
    flights[7].segment.len = 0;
    let (flights, brackets) = (ring(&flights), Ring::default());
    let tape = Tape { flights: &flights, brackets: &brackets };
    let window = Window::between(SimTime::ZERO, us(60_000));
    let picked = pick::segments(tape, &pairs[0], pick::range(tape, window));
    let first = |n: usize| label(&picked[n], Lang::En).swap_remove(0);
    assert_eq!(first(0), "1: 100 B, seq 1");
    assert_eq!(first(1), "SYN, ACK");
    assert_eq!(first(3), "3: 1 B, ACK 201");
    assert_eq!(first(5), "ACK 301, SACK 401-501");
    assert_eq!(first(7), "FIN, ACK 401");
}

#[test]
fn the_card_of_an_acknowledgement_says_what_sent_it_and_what_it_releases() {
    let tape = stall();
    let pairs = pairs(1);
    let (scene, segments) = drawn(&tape, &pairs, |ladder| ladder.pointed = Some(5));
    for text in ["48.000", "49.007", "message 5", "65 536 B"] {
        let found = texts(&scene)
            .iter()
            .any(|words| words.text.replace(crate::view::numbers::GROUP, " ").starts_with(text));
        assert!(found, "{text}");
    }
    assert!(says(&scene, "delayed-ACK timer, after 40.926 ms"));
    // The card stands beside its own line.
    let card = scene.shapes.iter().rev().find_map(|shape| match shape {
        Shape::Box { rect, line: Some(_), .. } => Some(*rect),
        _ => None,
    });
    let card = card.expect("there is a card");
    assert!(!card.contains(segments[5].start) && !card.contains(segments[5].end));
    assert_eq!(
        nearest(&segments, pt(segments[5].start.x - 40.0, segments[5].start.y + 3.0)),
        Some(segments[5])
    );
    assert_eq!(nearest(&segments, pt(400.0, 300.0)), None);
}

/// A bulk transfer: `n` segments, 10 µs apart, each acknowledged.
fn bulk(n: u64) -> (Vec<Flight>, Vec<Bracket>) {
    let one = |i: u64| {
        let at = i * 10;
        [
            flight(false, at..at + 1_000, (1 + i * 1_448, 1_448, 1), i + 1),
            flight(true, at + 1_000..at + 2_000, (1, 0, 1 + (i + 1) * 1_448), 0),
        ]
    };
    let mut flights: Vec<Flight> = (0..n / 2).flat_map(one).collect();
    flights.sort_by_key(|flight| flight.depart);
    flights[77].fate = Fate::Lost;
    (flights, Vec::new())
}

#[test]
fn a_hundred_thousand_segments_become_a_bounded_picture_at_every_zoom() {
    let tape = bulk(100_000);
    let pairs = pairs(1);
    for span_us in [20, 200, 2_000, 20_000, 200_000, 600_000] {
        let (scene, segments) = drawn(&tape, &pairs, |ladder| {
            ladder.window = Window::between(us(100_000), us(100_000 + span_us));
            ladder.until = us(700_000);
        });
        assert!(scene.shapes.len() < 3_000, "{span_us} µs: {} shapes", scene.shapes.len());
        assert!(segments.len() < 600, "{span_us} µs: {} lines", segments.len());
    }
    let (scene, segments) = drawn(&tape, &pairs, |ladder| {
        ladder.window = Window::between(us(0), us(20_000));
    });
    assert!(segments.is_empty());
    let crosses =
        scene.shapes.iter().filter(|s| matches!(s, Shape::Sign { glyph: Glyph::Lost, .. }));
    assert_eq!(crosses.count(), 1, "a loss is seen even in a crowd");
}

#[test]
fn the_first_sight_of_a_stall_holds_the_whole_stall() {
    let (flights, brackets) = stall();
    let (flights, brackets) = (ring(&flights), ring(&brackets));
    let tape = Tape { flights: &flights, brackets: &brackets };
    let window = pick::stretch(tape, UNTIL).expect("there is one");
    assert_eq!(window.from, 0.0);
    assert!((51e6..70e6).contains(&window.end()), "{window:?}");
}

#[test]
fn what_is_not_simulated_is_hatched_and_an_open_hold_grows() {
    let mut tape = stall();
    tape.0.truncate(5);
    tape.1.iter_mut().for_each(|bracket| (bracket.until, bracket.fired) = (None, false));
    let (scene, _) = drawn(&tape, &pairs(1), |ladder| ladder.known = us(27_000));
    assert!(scene.shapes.iter().any(|shape| matches!(shape, Shape::Void(_))));
    assert!(says(&scene, "20.941 ms"), "the hold until now");
    assert!(says(&scene, "not yet simulated"));
}

#[test]
fn rows_tell_the_picture_to_those_who_do_not_see_it() {
    let (flights, brackets) = stall();
    let (flights, brackets) = (ring(&flights), ring(&brackets));
    let ladder = Ladder {
        tape: Tape { flights: &flights, brackets: &brackets },
        pairs: &pairs(1),
        window: Window::between(SimTime::ZERO, us(53_000)),
        now: us(27_000),
        known: UNTIL,
        until: UNTIL,
        size: (720.0, 592.0),
        lang: Lang::En,
        chosen: Chosen::Nothing,
        pointed: None,
    };
    let rows = ladder.rows(40);
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[0][1..], ["client → server".to_string(), "1: 100 B, seq 1".to_string()]);
    assert!(rows.iter().any(|row| row[2].starts_with("Nagle holds 100 B, 42.948 ms")));
}

#[test]
fn a_hold_names_the_message_it_waits_for() {
    let (flights, brackets) = stall();
    let (flights, brackets) = (ring(&flights), ring(&brackets));
    let tape = Tape { flights: &flights, brackets: &brackets };
    let hold = tape.brackets.get(0).expect("there is a hold");
    let waits_for = pick::last_sent(tape, hold);
    assert_eq!(waits_for, Some(MsgId(4)));
    let words = block(hold, crate::kernel::SimSpan::ms(1), waits_for, Lang::En);
    assert_eq!(words.why, "until message 4 is acknowledged");
    let lines = words::wrap(&words.why, 110.0, 12.0, false);
    assert!(1 < lines.len(), "{lines:?}");
    assert_eq!(lines.join(" "), words.why);
    let zh = words::wrap("没有数据捎带 ACK，只好等到期", 80.0, 12.0, false);
    assert!(zh.iter().all(|line| !line.starts_with('，')), "{zh:?}");
}

#[test]
fn names_stand_over_their_life_lines() {
    let (scene, _) = drawn(&stall(), &pairs(1), |_| {});
    let client = texts(&scene).into_iter().find(|words| words.text == "client");
    assert!(client.is_some_and(|words| words.anchor == Anchor::Middle));
}
