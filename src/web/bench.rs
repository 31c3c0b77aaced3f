//! *Crash everywhere* on the page: in a worker, or, where the browser gives none, in slices of the
//! page's own frames.
//!
//! The worker is told a link and answers texts; ending it is cancelling. What was found holds for
//! one run: when that changes, it is forgotten.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::view::findings::{Findings, Search};
use crate::web::act::Act;
use crate::web::dom::{self, Listener};
use crate::web::lab::LabHandle;
use crate::world::everywhere::{Options, Progress};
use crate::world::link::Link;
use crate::world::session::Logged;

/// Events of all runs together, in a browser: a few seconds.
const MOST_EVENTS: u64 = 8_000_000;
/// Events between two pieces of news from a worker.
pub const WORKER_EVENTS: u64 = 150_000;
/// Events between two looks at the wall clock without a worker.
const CHUNK: u64 = 2_000;
/// What is heard of a worker that cannot work.
const FAILED: &str = "failed";
/// Milliseconds of a frame that it may take without a worker.
const BUDGET_MS: f64 = 6.0;

/// What the page shows of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Shown {
    /// Nothing was asked for.
    #[default]
    Rest,
    /// It is under way.
    Working(Progress),
    /// It is over.
    Done(Rc<Findings>),
}

/// Who works.
enum Hands {
    /// A worker, and the link that it was given.
    Worker { worker: Worker, link: String, _listeners: [Listener; 2] },
    /// The page itself.
    Page(Box<Search>),
}

/// The search.
#[derive(Default)]
pub struct Bench {
    shown: RefCell<Shown>,
    hands: RefCell<Option<Hands>>,
}

impl Bench {
    /// What there is to show.
    pub fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    /// Ends the search and forgets what it found.
    pub fn forget(&self) {
        self.rest();
        *self.shown.borrow_mut() = Shown::Rest;
    }

    /// Takes in what the worker says.
    pub fn hear(&self, news: &str) {
        if self.hands.borrow().is_none() {
            return;
        }
        if news == FAILED {
            return self.work_here();
        }
        let mut shown = self.shown.borrow_mut();
        if let Some(found) = news.strip_prefix("found\n").and_then(Findings::read) {
            *shown = Shown::Done(Rc::new(found));
            drop(shown);
            self.rest();
        } else if let Some(progress) = progress_of(news) {
            *shown = Shown::Working(progress);
        }
    }

    /// Works for a part of a frame where there is no worker; true: there is more to do.
    pub fn work(&self) -> bool {
        let mut hands = self.hands.borrow_mut();
        let Some(Hands::Page(search)) = &mut *hands else { return false };
        let began = dom::wall_ms();
        while dom::wall_ms() - began < BUDGET_MS {
            if search.step(CHUNK) {
                *self.shown.borrow_mut() = Shown::Done(Rc::new(search.findings()));
                *hands = None;
                return false;
            }
        }
        *self.shown.borrow_mut() = Shown::Working(search.progress());
        true
    }

    /// The worker cannot work: the page does it in its place.
    fn work_here(&self) {
        let search = match &*self.hands.borrow() {
            Some(Hands::Worker { link, .. }) => search_of(link),
            _ => return,
        };
        match search {
            Some(search) => self.begin(Hands::Page(Box::new(search))),
            None => self.forget(),
        }
    }

    fn rest(&self) {
        if let Some(Hands::Worker { worker, .. }) = self.hands.borrow_mut().take() {
            worker.terminate();
        }
    }

    fn begin(&self, hands: Hands) {
        self.forget();
        *self.shown.borrow_mut() = Shown::Working(Progress::default());
        *self.hands.borrow_mut() = Some(hands);
    }
}

/// Begins the search in the shown run.
pub fn start(lab: &LabHandle) {
    let link = lab.link_text();
    let hands = match worker(lab, &link) {
        Some(hands) => Some(hands),
        None => search_of(&link).map(|search| Hands::Page(Box::new(search))),
    };
    let Some(hands) = hands else { return };
    lab.with(|lab| lab.bench.begin(hands));
    lab.repaint();
}

/// A worker that searches what a link opens; `None`: the browser gives none.
fn worker(lab: &LabHandle, link: &str) -> Option<Hands> {
    let script = dom::document().query_selector("script[data-worker]").ok()??;
    let name = script.dyn_ref::<HtmlElement>()?.get_attribute("data-worker")?;
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&name, &options).ok()?;
    let listening = lab.clone();
    let on_news = Listener::new(&worker, "message", move |event| {
        let data = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
        if let Some(news) = data {
            listening.act(Act::Bench(news.into()));
        }
    });
    // A worker that cannot load says so only later.
    let listening = lab.clone();
    let on_error =
        Listener::new(&worker, "error", move |_| listening.act(Act::Bench(FAILED.into())));
    worker.post_message(&JsValue::from_str(link)).ok()?;
    Some(Hands::Worker { worker, link: link.to_owned(), _listeners: [on_news, on_error] })
}

/// The search of what a link opens.
pub fn search_of(link: &str) -> Option<Search> {
    let (link, _) = Link::parse(link);
    let opened = link.open().ok()?;
    let log = opened.log.into_iter().map(|(at, command)| Logged { at, command }).collect();
    let options = Options { most_events: MOST_EVENTS, ..Options::default() };
    Some(Search::new(opened.scenario, opened.source, log, options))
}

/// What a worker tells the page.
pub fn news(search: &Search, is_over: bool) -> String {
    if is_over {
        return format!("found\n{}", search.findings().write());
    }
    let Progress { done, total } = search.progress();
    format!("{done} {total}")
}

fn progress_of(news: &str) -> Option<Progress> {
    let (done, total) = news.split_once(' ')?;
    Some(Progress { done: done.parse().ok()?, total: total.parse().ok()? })
}
