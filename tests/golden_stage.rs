//! The stage of some presets as text, in `tests/golden/`: what is drawn where, and what is said.
//!
//! `UPDATE=1` rewrites them. A changed picture is reviewed like code, beside a screenshot.

use std::fmt::Write as _;
use std::path::PathBuf;

use inflight::kernel::SimTime;
use inflight::param::Lang;
use inflight::view::caption;
use inflight::view::draw::{Scene, Shape};
use inflight::view::frame::Frame;
use inflight::view::inspect::cast_of;
use inflight::view::layout::{Room, layout};
use inflight::view::scene::{Staged, plan};
use inflight::view::tokens::Token;
use inflight::view::{Chosen, Look, Theme};
use inflight::world::scenario::Scenario;
use inflight::world::{Session, Watch, preset};

/// The stage of a preset at an instant, a line for each thing that is drawn.
fn stage(id: &str, ms: u64, width: f32, lang: Lang) -> String {
    let scenario = preset::find(id).expect("there is such a preset").open();
    stage_of(scenario, id, ms, width, lang)
}

fn stage_of(scenario: Scenario, id: &str, ms: u64, width: f32, lang: Lang) -> String {
    let mut session = Session::new(scenario, Watch::All);
    session.seek(SimTime::from_ns(ms * 1_000_000));
    let look = Look {
        lang,
        theme: Theme::Light,
        chosen: Chosen::Nothing,
        speed: 0.02,
        playing: false,
        embed: false,
    };
    let mut frame = Frame::of(session.world(), look.speed);
    frame.light(session.seen().trace.facts().rev(), look.speed);
    let cast = cast_of(session.scenario());
    let room = Room { width, height: 400.0, embed: false, fill: false, caption: 480.0 <= width };
    let layout = layout(&plan(&frame, &cast), room);
    let newest = session.seen().trace.facts().rev();
    let said = caption::last(newest, session.now(), &cast, &look);
    let mut scene = Scene::default();
    let staged = Staged { frame: &frame, layout: &layout, cast: &cast, look };
    let buttons = staged.compose(said.as_ref(), &mut scene);

    let mut text = format!("{id} at {ms} ms, {width} wide, {} high\n", layout.height);
    for dot in &frame.dots {
        let Some(at) = staged.place(dot) else { continue };
        line(&mut text, "dot", at.x, at.y, &format!("{:?} {}", dot.glyph, dot.msg.0));
    }
    scene.shapes.iter().for_each(|shape| tell(&mut text, shape));
    for button in buttons {
        line(&mut text, "button", button.rect.x, button.rect.y, &button.said);
    }
    text
}

/// What a shape says, if it says anything.
fn tell(text: &mut String, shape: &Shape) {
    match shape {
        Shape::Words(words) => {
            let (x, y) = (words.at.x, words.at.y);
            line(text, "words", x, y, &format!("{} ({:?})", words.text, words.ink));
        }
        Shape::Sentence { at, parts, .. } => {
            let said: String = parts.iter().map(|part| part.0.as_str()).collect();
            line(text, "sentence", at.x, at.y, &said);
        }
        Shape::Clock { centre, passed, .. } => {
            line(text, "clock", centre.x, centre.y, &format!("{passed:.3}"));
        }
        Shape::Sign { centre, glyph, .. } => {
            line(text, "sign", centre.x, centre.y, &format!("{glyph:?}"));
        }
        Shape::Void(rect) => line(text, "void", rect.x, rect.y, ""),
        Shape::Timer { centre, passed, ink, .. } => {
            line(text, "timer", centre.x, centre.y, &format!("{passed:.3} ({ink:?})"));
        }
        Shape::Path { points, line: stroke } if stroke.ink == Token::StateFlight => {
            let end = points.last().copied().unwrap_or_default();
            line(text, "lit", end.x, end.y, "");
        }
        Shape::Path { points, line: stroke } if stroke.ink == Token::StateLost => {
            let end = points.last().copied().unwrap_or_default();
            line(text, "letters", end.x, end.y, "");
        }
        Shape::Path { points, line: stroke } if stroke.ink == Token::WarnInk => {
            let at = points.first().copied().unwrap_or_default();
            line(text, "stable", at.x, at.y, if stroke.dash.is_some() { "dashed" } else { "" });
        }
        Shape::Bar { rect, fill, pattern }
            if matches!(fill, Token::StateAgain | Token::StateLost)
                || matches!(fill, Token::GoodInk | Token::BadInk) =>
        {
            line(text, "record", rect.x, rect.y, &format!("{pattern:?} ({fill:?})"));
        }
        Shape::Box { .. } | Shape::Path { .. } | Shape::Ring { .. } => {}
        Shape::Bar { .. } | Shape::Area { .. } => {}
    }
}

fn line(text: &mut String, kind: &str, x: f32, y: f32, rest: &str) {
    let row = format!("  {kind:<8} {x:>4.0} {y:>4.0}  {rest}");
    writeln!(text, "{}", row.trim_end()).expect("a string takes all");
}

fn check(name: &str, picture: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, picture).expect("it is ours");
    }
    assert!(picture == expected, "{name} is not as recorded:\n{picture}");
}

#[test]
fn the_crash_on_a_wide_stage_in_english() {
    let at = stage("competing-consumers", 8_045, 960.0, Lang::En);
    check("stage-crash-en.txt", &at);
}

#[test]
fn the_crash_on_a_phone_in_chinese() {
    let at = stage("competing-consumers", 8_045, 390.0, Lang::Zh);
    check("stage-crash-phone-zh.txt", &at);
}

#[test]
fn exchanges_bindings_and_queues_are_drawn_and_lit() {
    let wide = stage("topic-exchange", 2_565, 960.0, Lang::En);
    let phone = stage("topic-exchange", 2_565, 390.0, Lang::Zh);
    check("stage-exchanges.txt", &(wide + &phone));
}

#[test]
fn dead_letters_have_a_way_from_queue_to_queue() {
    let wide = stage("delay-levels", 1_700, 960.0, Lang::En);
    let phone = stage("delay-levels", 1_700, 390.0, Lang::Zh);
    check("stage-dead-letters.txt", &(wide + &phone));
}

#[test]
fn the_first_message() {
    let wide = stage("first-message", 0, 960.0, Lang::En);
    let later = stage("first-message", 300, 960.0, Lang::En);
    check("stage-first-message.txt", &(wide + &later));
}

#[test]
fn control_records_aborted_ones_and_the_last_stable_offset_are_on_the_tape() {
    let wide = stage("transactions", 3_500, 960.0, Lang::En);
    let phone = stage("transactions", 3_500, 390.0, Lang::Zh);
    check("stage-transactions.txt", &(wide + &phone));
}

#[test]
fn the_partitions_of_a_group_that_rebalances() {
    let wide = stage("rebalance-stop-the-world", 22_000, 960.0, Lang::En);
    let phone = stage("rebalance-stop-the-world", 22_000, 390.0, Lang::Zh);
    check("stage-rebalance.txt", &(wide + &phone));
}

#[test]
fn sixty_four_partitions_and_eight_groups_fit_on_the_stage() {
    let mut text = String::from("format = 1\nid = \"many\"\nuntil = \"20s\"\n");
    let actor = |id: &str, kind: &str, rest: &str| {
        format!("[[actor]]\nid = \"{id}\"\nkind = \"{kind}\"\n{rest}\n")
    };
    let channel = |from: &str, to: &str| format!("[[channel]]\nfrom = \"{from}\"\nto = \"{to}\"\n");
    text += &actor("producer", "log-producer", "rate = \"500/s\"\nbatch-size = \"1B\"");
    text += &actor("log", "log-broker", "partitions = 64\nreplicas = 3");
    text += &channel("producer", "log");
    for group in 1..=8 {
        let id = format!("g{group}");
        let rest = format!("count = 4\ngroup = \"{id}\"\nstart = \"earliest\"");
        text += &actor(&id, "log-consumer", &rest);
        text += &channel("log", &id);
    }
    let scenario = Scenario::parse(&text).expect("a document");
    for width in [960.0, 390.0] {
        let picture = stage_of(scenario.clone(), "many", 9_000, width, Lang::En);
        assert!(picture.lines().count() < 1_000, "{}", picture.lines().count());
        for group in 1..=8 {
            assert!(picture.contains(&format!("g{group}")), "{width}: g{group}\n{picture}");
        }
    }
}
