//! Frames, captions and scenes of presets: what is said and what is drawn.

use crate::kernel::SimTime;
use crate::model::fact::Why;
use crate::model::{ActorId, Cause, ChannelId, Fact, MsgId, Node};
use crate::param::Lang;
use crate::view::draw::{Anchor, Glyph, Scene, Shape, Words};
use crate::view::frame::{Body, Frame, Life};
use crate::view::inspect::cast_of;
use crate::view::layout::{Layout, Room, layout};
use crate::view::scene::{Staged, plan, stage_says, twin};
use crate::view::words::Cast;
use crate::view::{Chosen, Look, Theme, caption};
use crate::world::preset;
use crate::world::session::{Session, Watch};

const PRESETS: [&str; 7] = [
    "first-message",
    "mm1",
    "funnel",
    "competing-consumers",
    "slow-consumer-prefetch",
    "consumer-crash-redelivery",
    "full-queue",
];

fn session(preset: &str, ms: u64) -> Session {
    let scenario = preset::find(preset).expect("the preset is there").open();
    let mut session = Session::new(scenario, Watch::All);
    session.seek(SimTime::from_ns(ms * 1_000_000));
    session
}

fn look(lang: Lang) -> Look {
    let (chosen, theme) = (Chosen::Nothing, Theme::Light);
    Look { lang, theme, chosen, speed: 0.02, playing: false, embed: false }
}

fn staged(session: &Session, width: f32, lang: Lang) -> (Scene, Layout, Cast) {
    let frame = Frame::of(session.world(), 0.02);
    let cast = cast_of(session.scenario());
    let caption = 480.0 <= width;
    let room = Room { width, height: 400.0, embed: false, fill: false, caption };
    let layout = layout(&plan(&frame, &cast), room);
    let mut scene = Scene::default();
    let look = look(lang);
    let newest = session.seen().trace.facts().rev();
    let said = caption::last(newest, session.now(), &cast, &look);
    let staged = Staged { frame: &frame, layout: &layout, cast: &cast, look };
    staged.compose(said.as_ref(), &mut scene);
    (scene, layout, cast)
}

fn words(scene: &Scene) -> Vec<&Words> {
    let words = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Words(words) => Some(words),
        _ => None,
    });
    words.collect()
}

#[test]
fn a_new_run_shows_the_first_message_at_its_producer() {
    let session = session("competing-consumers", 0);
    let frame = Frame::of(session.world(), 0.02);
    assert_eq!(frame.dots.len(), 1);
    assert_eq!(frame.dots[0].glyph, Glyph::New);
    let cast = cast_of(session.scenario());
    let newest = session.seen().trace.facts().rev();
    let said = caption::last(newest, session.now(), &cast, &look(Lang::En));
    assert!(said.expect("there is a caption").sentence.say().contains("Space"));
}

#[test]
fn what_is_on_its_way_moves_linearly_in_time() {
    let mut session = session("first-message", 0);
    while Frame::of(session.world(), 0.02).dots.iter().all(|dot| dot.glyph == Glyph::New) {
        assert!(session.step(), "a message is sent");
    }
    let start = session.now();
    let delay = Frame::of(session.world(), 0.02).paths[0].delay;
    let mut seen = Vec::new();
    for quarter in 0..4 {
        session.seek(SimTime::from_ns(start.ns() + delay.as_ns() * quarter / 4));
        let frame = Frame::of(session.world(), 0.02);
        seen.push(frame.dots.iter().find(|dot| !dot.back).expect("it is on its way").at);
    }
    for (at, expected) in seen.iter().zip([0.0, 0.25, 0.5, 0.75]) {
        assert!((at - expected).abs() < 0.01, "{seen:?}");
    }
}

#[test]
fn a_crashed_consumer_says_since_when_and_until_when() {
    let session = session("competing-consumers", 8_048);
    let frame = Frame::of(session.world(), 0.02);
    let crashed = frame.cards.iter().filter(|card| matches!(card.life, Life::Crashed { .. }));
    let Life::Crashed { ago, restart } = crashed.map(|card| card.life).next().expect("one crashed")
    else {
        unreachable!("only crashed cards are left");
    };
    assert_eq!(ago.as_ns(), 48_000_000);
    let (left, passed) = restart.expect("the scenario restarts it");
    assert_eq!(left.as_ns(), 2_952_000_000);
    assert!((passed - 0.016).abs() < 0.001);
    let (scene, ..) = staged(&session, 960.0, Lang::En);
    let said: Vec<_> = words(&scene).iter().map(|w| w.text.as_str()).collect();
    assert!(said.contains(&"crashed 48.0 ms ago"), "{said:?}");
    assert!(said.contains(&"restarts in 2.952 s"), "{said:?}");
}

#[test]
fn cells_and_works_are_the_machines_own() {
    let session = session("funnel", 3_000);
    let frame = Frame::of(session.world(), 0.2);
    let queued = frame.cards.iter().find_map(|card| match &card.body {
        Body::Broker { queues, .. } => Some(&queues[0].ready),
        _ => None,
    });
    let queued = queued.expect("there is a broker");
    assert!(0 < queued.total);
    assert_eq!(queued.total as usize, queued.cells.len());
    // The head is the oldest: ids ascend from it.
    assert!(queued.cells.windows(2).all(|pair| pair[0].msg < pair[1].msg));
}

#[test]
fn texts_stay_inside_the_stage_and_off_each_other_in_every_preset() {
    for preset in PRESETS {
        for ms in [0, 1, 500, 3_000, 8_060] {
            let session = session(preset, ms);
            for width in [1_280.0, 960.0, 640.0, 390.0, 320.0] {
                for lang in Lang::ALL {
                    let (scene, layout, _) = staged(&session, width, lang);
                    let drawn: Vec<_> = words(&scene).iter().map(|w| (w.bounds(), *w)).collect();
                    for (rect, words) in &drawn {
                        let inside = 0.0 <= rect.x && rect.right() <= layout.width + 0.5;
                        let low = rect.bottom() <= layout.height + 1.0;
                        assert!(inside && low, "{preset} {ms} {width} {lang:?}: {words:?}");
                    }
                    for (i, (a, first)) in drawn.iter().enumerate() {
                        for (b, second) in &drawn[i + 1..] {
                            // Lines may touch; text estimates are wide and high.
                            let apart = !a.grown(-1.5).overlaps(&b.grown(-1.5));
                            assert!(
                                apart,
                                "{preset} {ms} {width} {lang:?}: {:?} over {:?}",
                                first.text, second.text
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_twin_has_a_row_for_each_actor_and_the_label_has_numbers() {
    for preset in PRESETS {
        let session = session(preset, 2_000);
        let frame = Frame::of(session.world(), 1.0);
        let cast = cast_of(session.scenario());
        for lang in Lang::ALL {
            let rows = twin(&frame, &cast, lang);
            assert_eq!(rows.len(), session.scenario().actors.len());
            assert!(rows.iter().flatten().all(|text| !text.is_empty()));
            assert!(stage_says(&frame, lang).contains("2.000"));
        }
    }
}

/// One of each fact.
fn every_fact() -> Vec<Fact> {
    let (msg, at, by, actor) = (MsgId(7), ActorId(1), ActorId(0), ActorId(2));
    let channel = ChannelId(0);
    vec![
        Fact::Sent { msg, by, key: 0, bytes: 1 },
        Fact::Copied { msg, of: MsgId(6), at },
        Fact::Departed { msg, channel, back: false, kept: true },
        Fact::Departed { msg, channel, back: true, kept: false },
        Fact::Arrived { msg, channel, waited: 0, sending: 0, unread: 0, is_part: false },
        Fact::Dropped { msg, at: Node::Actor(at), why: Why::Crash },
        Fact::Dropped { msg, at: Node::Channel(channel), why: Why::Loss },
        Fact::Released { msg, by },
        Fact::Queued { msg, at, depth: 3 },
        Fact::Dispatched { msg, at, channel, redelivered: false, depth: 0 },
        Fact::Dispatched { msg, at, channel, redelivered: true, depth: 0 },
        Fact::Requeued { msg, at, depth: 1 },
        Fact::Acked { msg, at },
        Fact::Confirmed { msg, by, accepted: true },
        Fact::Confirmed { msg, by, accepted: false },
        Fact::Buffered { msg, at, depth: 2 },
        Fact::Started { msg, at, depth: 0 },
        Fact::Worked { msg, at },
        Fact::Done { msg, at, answers: false },
        Fact::Answered { msg, at },
        Fact::Held { msg, cause: Cause::BackPressure },
        Fact::Retried { msg, by },
        Fact::Blocked { actor },
        Fact::Unblocked { actor },
        Fact::Crashed { actor },
        Fact::Restarted { actor },
        Fact::Paused { actor },
        Fact::Resumed { actor },
        Fact::Slowed { actor, ppm: 4_000_000 },
        Fact::Cut { channel },
        Fact::Mended { channel },
        Fact::ControlLost { channel, back: true },
        Fact::Changed { node: Node::Actor(actor), param: 0 },
        Fact::Changed { node: Node::Channel(channel), param: 0 },
    ]
}

#[test]
fn every_fact_is_a_sentence_in_both_languages() {
    let session = session("competing-consumers", 0);
    let cast = cast_of(session.scenario());
    let mut sentences = Vec::new();
    for fact in every_fact() {
        for (lang, end) in [(Lang::En, '.'), (Lang::Zh, '。')] {
            let said = caption::tell(&fact, &cast, lang).say();
            assert!(said.ends_with(end), "{fact:?}: {said:?}");
            assert!(!said.contains(['{', '}', '?']), "{fact:?}: {said:?}");
            if let Some(msg) = fact.msg() {
                assert!(said.contains(&msg.0.to_string()), "{fact:?}: {said:?}");
            }
            assert!(!sentences.contains(&said), "said twice: {said}");
            sentences.push(said);
        }
    }
}

#[test]
fn a_crash_stays_on_the_stage_while_time_runs() {
    let session = session("competing-consumers", 8_030);
    let cast = cast_of(session.scenario());
    let look = Look { playing: true, ..look(Lang::En) };
    let newest = session.seen().trace.facts().rev();
    let said = caption::last(newest, session.now(), &cast, &look).expect("something happened");
    assert_eq!(said.at, SimTime::from_ns(8_000_000_000));
    assert!(said.sentence.say().contains("crashed"), "{}", said.sentence.say());
}

#[test]
fn what_comes_next_comes_next() {
    for preset in PRESETS {
        let mut session = session(preset, 1_000);
        let cast = cast_of(session.scenario());
        for _ in 0..50 {
            let Some(next) = caption::next(session.world(), &cast, Lang::En) else { break };
            let due = session.now() + next.within;
            let event = session.next_event().expect("something is due");
            assert!(event <= due, "{preset}: {} in {:?}", next.sentence.say(), next.within);
            assert!(!next.sentence.say().is_empty());
            session.step();
        }
    }
}

#[test]
fn anchors_and_sizes_are_those_of_the_language() {
    let session = session("competing-consumers", 3_000);
    let (scene, ..) = staged(&session, 960.0, Lang::Zh);
    assert!(words(&scene).iter().all(|w| 12.0 <= w.size));
    let (scene, ..) = staged(&session, 960.0, Lang::En);
    assert!(words(&scene).iter().all(|w| 11.0 <= w.size));
    assert!(words(&scene).iter().any(|w| w.anchor == Anchor::End));
}
