//! *Crash everywhere* in words: what went wrong, and what broke; for the page and the command line.

use crate::model::command::Node;
use crate::observe::{Guarantee, Verdict};
use crate::param::{Lang, Text};
use crate::view::numbers;
use crate::world::everywhere::{Counterexample, Harm, Placement, Report, Row, What};
use crate::world::scenario::Scenario;

/// Runs of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// What went wrong.
    pub words: String,
    /// In how many runs the guarantee broke.
    pub n_broken: u64,
    /// Of how many.
    pub n_runs: u64,
}

/// One guarantee over all runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which.
    pub guarantee: Guarantee,
    /// Whether the document promises it.
    pub is_promised: bool,
    /// Whether the undisturbed run breaks it already.
    pub breaks_alone: bool,
    /// In how many runs it broke.
    pub n_broken: u64,
    /// By what went wrong; only kinds that broke it.
    pub parts: Vec<Part>,
}

impl Line {
    /// Whether anything broke it.
    pub fn is_broken(&self) -> bool {
        self.breaks_alone || 0 < self.n_broken
    }
}

/// A line for each guarantee.
pub fn lines(scenario: &Scenario, report: &Report, lang: Lang) -> Vec<Line> {
    let line = |guarantee: Guarantee| {
        let place = guarantee.index();
        let alone = report.base[place].is_broken();
        // What breaks by itself breaks whatever goes wrong: that says nothing.
        let rows = report.rows.iter().filter(|row| !alone && 0 < row.broken[place]);
        let part = |row: &Row| Part {
            words: what(scenario, row.what, lang),
            n_broken: row.broken[place],
            n_runs: row.n_runs,
        };
        Line {
            guarantee,
            is_promised: scenario.promises.contains(&guarantee),
            breaks_alone: alone,
            n_broken: report.broken(guarantee),
            parts: rows.map(part).collect(),
        }
    };
    Guarantee::ALL.into_iter().map(line).collect()
}

/// What was tried, in a sentence.
pub fn tried(report: &Report, lang: Lang) -> String {
    let runs = numbers::count(report.n_runs);
    let places = numbers::count(report.n_moments);
    let every = report.every;
    match (lang, every) {
        (Lang::En, 1) => {
            format!("runs: {runs}, one for each thing that can go wrong at {places} instants")
        }
        (Lang::En, _) => {
            format!("runs: {runs}, at one of {every} instants (of {places}): the run is long")
        }
        (Lang::Zh, 1) => format!("共 {runs} 次运行：在 {places} 个时刻上，每种故障各一次"),
        (Lang::Zh, _) => {
            format!("共 {runs} 次运行：场景较长，{places} 个时刻中每 {every} 个取一个")
        }
    }
}

/// A kind of harm.
pub fn what(scenario: &Scenario, what: What, lang: Lang) -> String {
    let plain = |text: Text| text.get(lang).to_owned();
    match what {
        What::Crash(actor) => {
            let name = scenario.name_of(Node::Actor(actor)).get(lang);
            match lang {
                Lang::En => format!("{name} crashes"),
                Lang::Zh => format!("{name}崩溃"),
            }
        }
        What::Request => plain(Text::new("a request is lost", "请求丢失")),
        What::Reply => plain(Text::new("a confirmation or reply is lost", "确认或答复丢失")),
        What::Delivery => plain(Text::new("a delivery is lost", "投递丢失")),
        What::Acknowledgement => plain(Text::new("an acknowledgement is lost", "消费确认丢失")),
        What::Between => plain(Text::new("something between brokers is lost", "代理之间的包丢失")),
    }
}

/// What goes wrong in a counterexample.
pub fn harm(example: &Counterexample, lang: Lang) -> String {
    match &example.placement {
        Some(harm) => placement(&example.scenario, harm, lang),
        None => Text::new("nothing goes wrong", "没有任何故障").get(lang).to_owned(),
    }
}

/// What went wrong, and when.
pub fn placement(scenario: &Scenario, placement: &Placement, lang: Lang) -> String {
    let at = numbers::instant(placement.at);
    match placement.harm {
        Harm::Crash(actor) => {
            let name = scenario.name_of(Node::Actor(actor)).get(lang);
            match lang {
                Lang::En => format!("{name} crashes at {at}"),
                Lang::Zh => format!("{name}在 {at} 崩溃"),
            }
        }
        Harm::Lose { channel, back, .. } => {
            let ends = &scenario.channels[channel.index()];
            let name = |place: u16| scenario.actors[usize::from(place)].name.get(lang);
            let (from, to) = (name(ends.from), name(ends.to));
            let (from, to) = if back { (to, from) } else { (from, to) };
            match lang {
                Lang::En => format!("after {at}, what {from} sends to {to} is lost"),
                Lang::Zh => format!("{at} 之后，{from}发给{to}的包丢失"),
            }
        }
    }
}

/// Whether a guarantee holds, in a word.
pub fn verdict(verdict: &Verdict, lang: Lang) -> String {
    match (verdict, lang) {
        (Verdict::Kept, Lang::En) => "kept".to_owned(),
        (Verdict::Kept, Lang::Zh) => "守住".to_owned(),
        (Verdict::Open, Lang::En) => "open".to_owned(),
        (Verdict::Open, Lang::Zh) => "未定".to_owned(),
        (Verdict::Broken { count, .. }, Lang::En) => format!("broken: {}", numbers::count(*count)),
        (Verdict::Broken { count, .. }, Lang::Zh) => {
            format!("打破：{} 处", numbers::count(*count))
        }
    }
}
