//! What a script can ask of the page's engine: used by the browser tests.
//!
//! Numbers of 64 bits cross as text.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::kernel::SimTime;
use crate::view::findings::Search;
use crate::web::bench;
use crate::web::dom;
use crate::world::link::Link;
use crate::world::preset;
use crate::world::session::{Logged, Session, Watch};

/// Events between two looks at whether the run is over.
const CHUNK: u64 = 1 << 20;

/// The fingerprint of a preset's whole run, as 16 hexadecimal figures; an empty seed is its own.
#[wasm_bindgen]
pub fn fingerprint(preset: &str, seed: &str) -> String {
    let Some(preset) = preset::find(preset) else { return format!("no preset {preset}") };
    let mut scenario = preset.open();
    if !seed.is_empty()
        && let Err(problem) = scenario.set("seed", seed)
    {
        return problem.to_string();
    }
    let mut session = Session::new(scenario, Watch::Nothing);
    let until = session.until();
    run(&mut session, until)
}

/// The fingerprint of a link's run at the instant that it shows, or at its end.
#[wasm_bindgen]
pub fn run_link(link: &str) -> String {
    let (link, _) = Link::parse(link);
    match link.open() {
        Err(notices) => notices.iter().map(|n| n.why.en.clone()).collect::<Vec<_>>().join(" "),
        Ok(opened) => {
            let until = link.shown.map_or(opened.scenario.until, |_| opened.shown);
            let log = opened.log.into_iter().map(|(at, command)| Logged { at, command });
            let mut session = Session::with_log(opened.scenario, Watch::Nothing, log.collect());
            run(&mut session, until)
        }
    }
}

fn run(session: &mut Session, until: SimTime) -> String {
    while !session.advance(until, CHUNK) && session.stopped().is_none() {}
    format!("{:016x}", session.fingerprint())
}

/// *Crash everywhere* in a worker; `static/worker.js` drives it.
#[wasm_bindgen]
pub struct CrashSearch(Option<Search>);

#[wasm_bindgen]
impl CrashSearch {
    /// A search of what a link opens.
    #[wasm_bindgen(constructor)]
    pub fn new(link: &str) -> CrashSearch {
        CrashSearch(bench::search_of(link))
    }

    /// Goes on for a while; `true`: it is over.
    pub fn step(&mut self) -> bool {
        self.0.as_mut().is_none_or(|search| search.step(bench::WORKER_EVENTS))
    }

    /// What the page is told: how far it is, or what was found.
    pub fn news(&self, is_over: bool) -> String {
        self.0.as_ref().map_or_else(String::new, |search| bench::news(search, is_over))
    }
}

/// Replaces the waiting paragraph by the page. Called once by `static/boot.js`.
#[wasm_bindgen]
pub fn mount() {
    yew::set_custom_panic_hook(Box::new(|info| dom::say_broken(&info.to_string())));
    let Some(place) = dom::document().get_element_by_id("app") else { return };
    place.set_text_content(None);
    yew::Renderer::<crate::web::app::App>::with_root(place).render();
}
