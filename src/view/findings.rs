//! What *crash everywhere* found, as a page shows it; it crosses from a worker to the page as text.
//!
//! The text is one line for each thing, with tabs between its fields: `T` what was tried, `G` a
//! guarantee, `P` a part of it, `E` its smallest counterexample. Both languages travel, so that the
//! reader can switch.

use crate::observe::Guarantee;
use crate::param::{Lang, Said};
use crate::view::everywhere as words;
use crate::world::everywhere::{Counterexample, Everywhere, Options, Progress, Shrink};
use crate::world::link::Source;
use crate::world::scenario::Scenario;
use crate::world::session::Logged;

/// Runs of one kind that broke a guarantee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundPart {
    /// What went wrong.
    pub what: Said,
    /// In how many runs the guarantee broke.
    pub n_broken: u64,
    /// Of how many.
    pub n_runs: u64,
}

/// One guarantee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundLine {
    /// Which.
    pub guarantee: Guarantee,
    /// Whether the document promises it.
    pub is_promised: bool,
    /// Whether the undisturbed run breaks it already.
    pub breaks_alone: bool,
    /// In how many runs it broke.
    pub n_broken: u64,
    /// By what went wrong.
    pub parts: Vec<FoundPart>,
    /// What goes wrong in the smallest counterexample, and its link.
    pub example: Option<(Said, String)>,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// What was tried.
    pub tried: Said,
    /// Every guarantee.
    pub lines: Vec<FoundLine>,
}

impl Findings {
    /// As text.
    pub fn write(&self) -> String {
        let mut out = format!("T\t{}\n", said(&self.tried));
        for line in &self.lines {
            let (place, promised) = (line.guarantee.index(), u8::from(line.is_promised));
            let alone = u8::from(line.breaks_alone);
            out += &format!("G\t{place}\t{promised}\t{alone}\t{}\n", line.n_broken);
            for part in &line.parts {
                out += &format!("P\t{}\t{}\t{}\n", said(&part.what), part.n_broken, part.n_runs);
            }
            if let Some((harm, link)) = &line.example {
                out += &format!("E\t{}\t{link}\n", said(harm));
            }
        }
        out
    }

    /// From text; `None`: it is none of ours.
    pub fn read(text: &str) -> Option<Findings> {
        let mut found = Findings::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["T", en, zh] => found.tried = Said::new(en, zh),
                ["G", place, promised, alone, n_broken] => found.lines.push(FoundLine {
                    guarantee: *Guarantee::ALL.get(place.parse::<usize>().ok()?)?,
                    is_promised: promised == "1",
                    breaks_alone: alone == "1",
                    n_broken: n_broken.parse().ok()?,
                    parts: Vec::new(),
                    example: None,
                }),
                ["P", en, zh, n_broken, n_runs] => found.lines.last_mut()?.parts.push(FoundPart {
                    what: Said::new(en, zh),
                    n_broken: n_broken.parse().ok()?,
                    n_runs: n_runs.parse().ok()?,
                }),
                ["E", en, zh, link] => {
                    found.lines.last_mut()?.example = Some((Said::new(en, zh), link.to_owned()));
                }
                _ => return None,
            }
        }
        Some(found)
    }
}

/// Two fields without what ends fields and lines.
fn said(said: &Said) -> String {
    let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    format!("{}\t{}", plain(&said.en), plain(&said.zh))
}

/// The whole search, in steps: all runs, then the smallest counterexample of everything broken.
pub struct Search {
    scenario: Scenario,
    source: Source,
    log: Vec<Logged>,
    options: Options,
    runs: Everywhere,
    todo: Vec<Guarantee>,
    shrink: Option<Shrink>,
    examples: Vec<Counterexample>,
}

impl Search {
    /// A search that has not begun.
    pub fn new(scenario: Scenario, source: Source, log: Vec<Logged>, options: Options) -> Search {
        let runs = Everywhere::new(&scenario, &log, options);
        let (todo, shrink, examples) = (Vec::new(), None, Vec::new());
        Search { scenario, source, log, options, runs, todo, shrink, examples }
    }

    /// Goes on for about so many events; `true`: it is over.
    pub fn step(&mut self, n_events: u64) -> bool {
        if !self.runs.is_done() {
            if self.runs.step(n_events) {
                let report = self.runs.report();
                let broken = Guarantee::ALL.into_iter().filter(|g| report.is_broken(*g));
                self.todo = broken.rev().collect();
            }
            return self.runs.is_done() && self.todo.is_empty();
        }
        if let Some(shrink) = &mut self.shrink {
            if shrink.step(n_events) {
                self.examples.extend(shrink.found());
                self.shrink = None;
            }
            return self.shrink.is_none() && self.todo.is_empty();
        }
        let Some(guarantee) = self.todo.pop() else { return true };
        let report = self.runs.report();
        let by_itself = report.base[guarantee.index()].is_broken();
        let first = if by_itself { None } else { report.first[guarantee.index()] };
        self.shrink = Some(Shrink::new(&self.scenario, &self.log, self.options, guarantee, first));
        false
    }

    /// How far the runs are.
    pub fn progress(&self) -> Progress {
        self.runs.progress()
    }

    /// What was found.
    pub fn findings(&self) -> Findings {
        let report = self.runs.report();
        let both = |say: &dyn Fn(Lang) -> String| Said::new(say(Lang::En), say(Lang::Zh));
        let [en, zh] = [Lang::En, Lang::Zh].map(|l| words::lines(&self.scenario, report, l));
        let line = |(en, zh): (words::Line, words::Line)| {
            let parts = en.parts.into_iter().zip(zh.parts).map(|(en, zh)| FoundPart {
                what: Said::new(en.words, zh.words),
                n_broken: en.n_broken,
                n_runs: en.n_runs,
            });
            let example = self.examples.iter().find(|e| e.guarantee == en.guarantee);
            FoundLine {
                guarantee: en.guarantee,
                is_promised: en.is_promised,
                breaks_alone: en.breaks_alone,
                n_broken: en.n_broken,
                parts: parts.collect(),
                example: example.map(|example| {
                    let harm = both(&|lang| words::harm(example, lang));
                    (harm, example.link(self.source.clone()).write())
                }),
            }
        };
        Findings {
            tried: both(&|lang| words::tried(report, lang)),
            lines: en.into_iter().zip(zh).map(line).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::link::Link;
    use crate::world::preset;

    #[test]
    fn findings_survive_their_text_and_their_links_open() {
        let id = "at-least-once-duplicate";
        let mut scenario = preset::find(id).expect("a preset").open();
        scenario.set("producer.limit", "3").expect("a limit");
        let source = Source::Preset(id.to_owned());
        let mut search = Search::new(scenario, source, Vec::new(), Options::default());
        while !search.step(10_000) {}
        let found = search.findings();
        assert_eq!(Findings::read(&found.write()), Some(found.clone()));
        let twice = &found.lines[Guarantee::NothingTwice.index()];
        assert!(0 < twice.n_broken && !twice.parts.is_empty());
        let (harm, link) = twice.example.as_ref().expect("the smallest");
        assert_ne!(harm.en, harm.zh);
        let (link, notices) = Link::parse(link);
        assert!(notices.is_empty() && link.open().is_ok());
        assert_eq!(found.lines[Guarantee::NothingLost.index()].n_broken, 0);
    }

    #[test]
    fn what_is_no_finding_is_refused() {
        assert_eq!(Findings::read("P\ta\tb\t1\t2"), None);
        assert_eq!(Findings::read("G\t99\t0\t0\t0"), None);
        assert_eq!(Findings::read("nonsense"), None);
    }
}
