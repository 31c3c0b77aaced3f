//! The presets: valid, complete in both languages, of a size that fits the page, and alive.

use std::collections::BTreeSet;

use inflight::kernel::SimTime;
use inflight::model::actor::ActorParams;
use inflight::model::fact::Cause;
use inflight::param::{Lang, Said};
use inflight::world::World;
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

#[test]
fn every_document_in_the_folder_is_a_preset() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let files = std::fs::read_dir(folder).expect("the folder");
    let names = files.map(|file| file.expect("an entry").file_name());
    let in_folder: BTreeSet<String> =
        names.filter_map(|name| name.to_str()?.strip_suffix(".toml").map(str::to_owned)).collect();
    let listed: BTreeSet<String> = preset::ids().map(str::to_owned).collect();
    assert_eq!(in_folder, listed);
    assert_eq!(listed.len(), preset::ALL.len());
}

#[test]
fn every_preset_is_valid_and_bears_the_name_of_its_file() {
    for preset in preset::ALL {
        let scenario = Scenario::parse(preset.text).unwrap_or_else(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}:\n{}", preset.id, all.join("\n"))
        });
        assert_eq!(scenario.id, preset.id);
        assert_eq!(scenario.changes(), [], "{}", preset.id);
        assert!(scenario.speed.is_some(), "{}", preset.id);
        assert!((3..=6).contains(&scenario.knobs.len()), "{}", preset.id);
    }
}

/// The characters of a text, counted as a reader counts them: a Latin word among Chinese
/// characters is narrow.
fn length(text: &str) -> usize {
    text.chars().count()
}

#[test]
fn every_preset_tells_its_story_in_two_sentences_of_both_languages() {
    for preset in preset::ALL {
        let scenario = preset.open();
        let different = |said: &Said| said.en != said.zh && !said.zh.is_empty();
        assert!(different(&scenario.title), "{}", preset.id);
        assert!(different(&scenario.story), "{}", preset.id);
        assert!(different(&scenario.question), "{}", preset.id);
        let story = &scenario.story;
        let en: Vec<&str> = story.en.trim_end_matches('.').split(". ").collect();
        let zh: Vec<&str> = story.zh.trim_end_matches('。').split('。').collect();
        assert_eq!((en.len(), zh.len()), (2, 2), "{}: two sentences", preset.id);
        for sentence in en {
            assert!(length(sentence) <= 77, "{}: {} {sentence}", preset.id, length(sentence));
        }
        for sentence in zh {
            assert!(length(sentence) <= 40, "{}: {} {sentence}", preset.id, length(sentence));
        }
        let question = &scenario.question;
        assert!(question.en.ends_with('?') && length(&question.en) <= 30, "{}", preset.id);
        assert!(question.zh.ends_with('？') && length(&question.zh) <= 16, "{}", preset.id);
        assert!(length(&scenario.title.en) <= 30, "{}", preset.id);
        assert!(length(&scenario.title.zh) <= 12, "{}", preset.id);
        for actor in &scenario.actors {
            assert!(length(actor.name.get(Lang::En)) <= 16, "{}: {:?}", preset.id, actor.name);
            assert!(length(actor.name.get(Lang::Zh)) <= 8, "{}: {:?}", preset.id, actor.name);
        }
    }
}

#[test]
fn every_preset_survives_being_written_again() {
    for preset in preset::ALL {
        let scenario = preset.open();
        let again = Scenario::parse(&scenario.to_toml()).expect("what we write, we read");
        assert_eq!(again.actors, scenario.actors, "{}", preset.id);
        assert_eq!(again.channels, scenario.channels, "{}", preset.id);
        assert_eq!(again.faults, scenario.faults, "{}", preset.id);
        assert_eq!(again.knobs, scenario.knobs, "{}", preset.id);
    }
}

#[test]
fn every_preset_runs_to_its_end_the_same_twice() {
    for preset in preset::ALL {
        let scenario = preset.open();
        let run = || {
            let mut world = World::new(&scenario.plan(), false);
            while world.step(scenario.until) {}
            assert_eq!(world.stopped(), None, "{}", preset.id);
            (world.n_events(), world.fingerprint())
        };
        let (events, fingerprint) = run();
        assert!((50..1_000_000).contains(&events), "{}: {events}", preset.id);
        assert_eq!(run(), (events, fingerprint), "{}", preset.id);
    }
}

#[test]
fn something_happens_within_the_first_seconds_of_the_page() {
    for preset in preset::ALL {
        let scenario = preset.open();
        let speed = scenario.speed.expect("every preset has one").as_f64();
        // Six seconds in front of the page.
        let soon = SimTime::from_ns((6e9 * speed) as u64);
        let mut world = World::new(&scenario.plan(), false);
        while world.step(soon) {}
        assert!(world.ground.newest.0 != 0, "{}: no message yet", preset.id);
        // And the run is neither over at once nor longer than a lesson.
        let seconds = scenario.until.ns() as f64 / 1e9 / speed;
        assert!((60.0..=900.0).contains(&seconds), "{}: {seconds} s", preset.id);
    }
}

#[test]
fn only_records_of_a_batch_wait_for_the_rest_of_it() {
    for preset in preset::ALL {
        let scenario = preset.open();
        if scenario.actors.iter().any(|a| matches!(a.params, ActorParams::LogBroker(_))) {
            continue;
        }
        let until = scenario.until;
        let mut session = Session::new(scenario, Watch::All);
        session.seek(until);
        let waited = session.seen().budget.by_cause[Cause::BatchRest.index()];
        assert_eq!(waited, 0, "{}", preset.id);
    }
}

#[test]
fn nothing_is_changed_before_a_reader_changes_it() {
    for preset in preset::ALL {
        let scenario = preset.open();
        let until = scenario.until;
        let mut session = Session::new(scenario, Watch::All);
        for at in [SimTime::ZERO, SimTime::from_ns(until.ns() / 2), until] {
            session.seek(at);
            for setting in session.scenario().params() {
                let (now, planned) = (session.value_now(&setting), session.planned_value(&setting));
                assert_eq!(now, planned, "{}: {} at {at:?}", preset.id, setting.path);
            }
        }
    }
}
