//! What must hold for any input: shared by `tests/fuzz.rs` and by the targets of cargo-fuzz.

use inflight::kernel::SimTime;
use inflight::model::stm32::BoardParams;
use inflight::model::stm32::lwipopts::File;
use inflight::param::Lang;
use inflight::view::build_check;
use inflight::world::World;
use inflight::world::codec::is_link_letter;
use inflight::world::link::{Link, Source};
use inflight::world::lwipopts;
use inflight::world::preset;
use inflight::world::problem::Problem;
use inflight::world::scenario::Scenario;

/// Events of a run that came out of a mutated document.
const EVENTS: u32 = 300;

/// A document is taken or refused with reasons; what is taken is written as the same document.
pub fn check_document(input: &[u8]) {
    let scenario = match Scenario::parse_bytes(input) {
        Ok(scenario) => scenario,
        Err(problems) => return check_problems(&problems),
    };
    let written = scenario.to_toml();
    let again = Scenario::parse(&written).unwrap_or_else(|p| panic!("{p:#?} in\n{written}"));
    assert_eq!(again.to_toml(), written, "writing is stable");
    let mut world = World::new(&scenario.plan(), false);
    for _ in 0..EVENTS {
        if !world.step(SimTime::MAX) {
            break;
        }
    }
}

fn check_problems(problems: &[Problem]) {
    assert!(!problems.is_empty(), "a refusal says why");
    assert!(problems.len() <= Problem::LIMIT, "{} problems", problems.len());
    for problem in problems {
        for lang in [Lang::En, Lang::Zh] {
            let said = problem.say(lang);
            assert!(!said.trim().is_empty());
            assert!(said.len() < 2_000, "a sentence, not {} bytes", said.len());
        }
    }
}

/// A link is read with notices; what it opens, its own text opens again, in safe letters.
pub fn check_link(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (link, notices) = Link::parse(&text);
    assert!(link.source != Source::Nothing || !notices.is_empty(), "a damaged link says so");
    for notice in &notices {
        assert!(!notice.say(Lang::En).is_empty() && !notice.say(Lang::Zh).is_empty());
    }
    let opened = match link.open() {
        Ok(opened) => opened,
        Err(refused) => return assert!(!refused.is_empty(), "a refusal says why"),
    };
    let written = link.write();
    let letters = written.strip_prefix('#').unwrap_or(&written);
    assert!(letters.bytes().all(|b| is_link_letter(b) || b == b'%'), "{written}");
    // What was understood must come back; a part that was not may change.
    if opened.notices.is_empty() {
        let (again, more) = Link::parse(&written);
        assert!(more.is_empty(), "{written}: {more:?}");
        assert_eq!(again.open().as_ref(), Ok(&opened), "{written}");
    }
}

/// A file of options is refused with a reason, or becomes parameters that a board takes; written
/// back it is read again as the same.
pub fn check_lwipopts(input: &[u8]) {
    let mut file = match File::read(&String::from_utf8_lossy(input)) {
        Ok(file) => file,
        Err(refused) => {
            let said = [Lang::En, Lang::Zh].map(|lang| refused.say(lang));
            return assert!(said.iter().all(|said| !said.is_empty() && said.len() < 500));
        }
    };
    let mut scenario = preset::find("tmr-interval").expect("the preset is there").open();
    scenario.set("slow-a.profile", "stm32").expect("there is such a profile");
    let import = lwipopts::import(&scenario, "slow-a", &file).expect("the host runs lwIP");
    check_problems_of(&import.problems);
    for (path, text) in import.changes() {
        scenario.set(&path, &text).unwrap_or_else(|problem| panic!("{problem}"));
    }
    let checked = build_check::check(&file, &BoardParams::default(), Lang::En);
    let owned: u64 = checked.ram.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(owned, checked.ram_bytes, "memory is the sum of its parts");
    // A piece of text may hang on a value that changes: then the file stays as it was.
    if lwipopts::export(&scenario, "slow-a", &mut file).is_ok() {
        assert_eq!(File::read(file.text()).as_ref(), Ok(&file));
    }
}

fn check_problems_of(problems: &[Problem]) {
    if !problems.is_empty() {
        check_problems(problems);
    }
}
