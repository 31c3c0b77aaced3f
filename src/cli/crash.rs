//! `inflight crash`: runs a scenario once for everything that can go wrong in it.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::out::{self, notice, plain, table};
use crate::cli::progress::Watch;
use crate::cli::run::BASE;
use crate::cli::source::{self, Changes};
use crate::kernel::SimSpan;
use crate::observe::Guarantee;
use crate::param::{Lang, Text, parse_span};
use crate::view::{everywhere as words, numbers};
use crate::world::everywhere::{Counterexample, Everywhere, MOST_EVENTS, Options, Report, Shrink};
use crate::world::link::Source;
use crate::world::scenario::Scenario;
use crate::world::session::Logged;

const EXAMPLES: &str = "Examples:
  inflight crash exactly-once-producer-id --set producer.limit=10
  inflight crash at-least-once-duplicate --restart 50ms
  inflight crash my-scenario.toml --json | jq .guarantees

At every instant of the run each actor crashes once and starts anew later; each parcel is lost once.
A long run is harmed only at every so-manieth instant; --events N simulates more.
The exit code is 1 when something that the document promises is broken in any of the runs.";

/// Events between two looks at how far it is.
const BATCH: u64 = 50_000;
/// Most threads.
const MOST_THREADS: u64 = 64;

/// Arguments of `inflight crash`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CrashArgs {
    /// A preset (see `inflight list`), a document, a link, or - for a document on standard input.
    #[arg(value_name = "PRESET | FILE.toml | LINK | -")]
    what: OsString,
    #[command(flatten)]
    changes: Changes,
    /// A crashed actor starts anew after this time.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = restart)]
    restart: SimSpan,
    /// Simulate about so many events in all runs together.
    #[arg(long, value_name = "N", default_value_t = MOST_EVENTS)]
    events: u64,
    /// How many threads; all cores when nothing is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_THREADS))]
    threads: Option<u64>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Language of the table and of what is wrong: en or zh.
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = super::lang)]
    lang: Lang,
}

fn restart(text: &str) -> Result<SimSpan, String> {
    parse_span(text).map_err(|reason| reason.say(Lang::En))
}

/// All that was found.
struct Found {
    scenario: Scenario,
    source: Source,
    report: Report,
    smallest: Vec<Counterexample>,
    wall: Duration,
}

/// Runs the command.
pub fn crash(args: &CrashArgs) -> Result<ExitCode, String> {
    let lang = args.lang;
    let start = source::open(&args.what, &args.changes, lang)?;
    start.notices.iter().for_each(|text| notice(text));
    let opened = start.opened;
    let log: Vec<Logged> =
        opened.log.into_iter().map(|(at, command)| Logged { at, command }).collect();
    let options = Options { restart: args.restart, most_events: args.events, ..Options::default() };
    let threads = args.threads.unwrap_or_else(|| {
        thread::available_parallelism().map_or(1, |n| n.get() as u64).min(MOST_THREADS)
    });
    let watch = Watch::start();
    let report = on_all_cores(&opened.scenario, &log, options, threads, lang);
    let smallest = smallest(&opened.scenario, &log, options, &report);
    let (scenario, source) = (opened.scenario, opened.source);
    let found = Found { scenario, source, report, smallest, wall: watch.elapsed() };
    let text = if args.json { object(&found) + "\n" } else { tell(&found, lang) };
    out::print(|out| out.write_all(text.as_bytes()))?;
    let broken = found.scenario.promises.iter().any(|promise| found.report.is_broken(*promise));
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A share of the runs on each thread; the shares put together.
#[allow(clippy::disallowed_methods, reason = "the bar looks again a little later")]
fn on_all_cores(
    scenario: &Scenario,
    log: &[Logged],
    options: Options,
    threads: u64,
    lang: Lang,
) -> Report {
    let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let (n_done, n_total) = (&done, &total);
    let one = |part: u64| {
        let mut share = Everywhere::share(scenario, log, options, (part, threads));
        let mut before = crate::world::everywhere::Progress::default();
        loop {
            let is_done = share.step(BATCH);
            let now = share.progress();
            n_done.fetch_add(now.done - before.done, Ordering::Relaxed);
            n_total.fetch_add(now.total - before.total, Ordering::Relaxed);
            before = now;
            if is_done {
                return share.into_report();
            }
        }
    };
    thread::scope(|scope| {
        let one = &one;
        let shares: Vec<_> = (0..threads).map(|part| scope.spawn(move || one(part))).collect();
        let mut bar = Bar::new(lang);
        while !shares.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(5));
            bar.show(done.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
        }
        bar.clear();
        let mut sum: Option<Report> = None;
        for share in shares {
            // A share ends by a panic only if the core has a mistake: it is passed on.
            let report = share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match &mut sum {
                Some(sum) => sum.merge(&report),
                None => sum = Some(report),
            }
        }
        sum.unwrap_or_default()
    })
}

/// How far it is, on one line of a terminal.
struct Bar {
    lang: Lang,
    n_looks: u32,
    is_seen: bool,
}

impl Bar {
    fn new(lang: Lang) -> Bar {
        Bar { lang, n_looks: 0, is_seen: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, done: u64, total: u64) {
        self.n_looks += 1;
        // The first after half a second, then ten a second.
        if !self.is_seen || self.n_looks < 100 || !self.n_looks.is_multiple_of(20) {
            return;
        }
        let (done, total) = (numbers::count(done), numbers::count(total));
        let text = match self.lang {
            Lang::En => format!("{done} of {total} runs"),
            Lang::Zh => format!("{done} / {total} 次运行"),
        };
        out::status(&text);
    }

    fn clear(&self) {
        if self.is_seen && 100 <= self.n_looks {
            out::status("");
        }
    }
}

/// The smallest counterexample of everything that is promised and broken; if nothing is promised,
/// of everything that is broken.
fn smallest(
    scenario: &Scenario,
    log: &[Logged],
    options: Options,
    report: &Report,
) -> Vec<Counterexample> {
    let broken = Guarantee::ALL.into_iter().filter(|guarantee| report.is_broken(*guarantee));
    let one = |guarantee: Guarantee| {
        let first = report.first[guarantee.index()];
        let by_itself = report.base[guarantee.index()].is_broken();
        let first = if by_itself { None } else { first };
        let mut shrink = Shrink::new(scenario, log, options, guarantee, first);
        while !shrink.step(BATCH) {}
        shrink.found()
    };
    thread::scope(|scope| {
        let one = &one;
        let all: Vec<_> = broken.map(|g| scope.spawn(move || one(g))).collect();
        let join = |search: thread::ScopedJoinHandle<'_, Option<Counterexample>>| {
            search.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        all.into_iter().filter_map(join).collect()
    })
}

fn tell(found: &Found, lang: Lang) -> String {
    let Found { scenario, report, .. } = found;
    let title = plain(scenario.title.get(lang));
    let mut text = format!("{title} ({})\n{}\n\n", scenario.id, words::tried(report, lang));
    let heads = [
        Text::new("guarantee", "保证"),
        Text::new("promised", "是否承诺"),
        Text::new("broken in", "打破次数"),
        Text::new("runs", "运行"),
    ];
    let mut rows = vec![heads.map(|head| head.get(lang).to_owned()).to_vec()];
    let yes = Text::new("yes", "是").get(lang);
    for line in words::lines(scenario, report, lang) {
        let promised = if line.is_promised { yes } else { "" };
        let name = line.guarantee.text().get(lang).to_owned();
        let runs = numbers::count(report.n_runs);
        rows.push(vec![name, promised.to_owned(), numbers::count(line.n_broken), runs]);
        if line.breaks_alone {
            let alone = Text::new("  undisturbed as well", "  无故障时也会打破").get(lang);
            rows.push(vec![alone.to_owned(), String::new(), String::new(), String::new()]);
        }
        for part in line.parts {
            let counts = [part.n_broken, part.n_runs].map(numbers::count);
            let [broken, runs] = counts;
            rows.push(vec![format!("  {}", part.words), String::new(), broken, runs]);
        }
    }
    text += &table(&rows, 2);
    for example in &found.smallest {
        text += &counterexample(found, example, lang);
    }
    let wall = format!("{:.3} s", found.wall.as_secs_f64());
    text + &match lang {
        Lang::En => format!("\ntook {wall}\n"),
        Lang::Zh => format!("\n用时 {wall}\n"),
    }
}

fn counterexample(found: &Found, example: &Counterexample, lang: Lang) -> String {
    let guarantee = example.guarantee.text().get(lang);
    let harm = words::harm(example, lang);
    let changes = example.scenario.changes();
    let changes: Vec<String> =
        changes.iter().map(|(path, value)| format!("{path}={value}")).collect();
    let link = example.link(found.source.clone()).write();
    let head = match lang {
        Lang::En => format!("Smallest run that breaks “{guarantee}”"),
        Lang::Zh => format!("打破“{guarantee}”的最小一例"),
    };
    let settings =
        if changes.is_empty() { String::new() } else { format!("  {}\n", changes.join(" ")) };
    format!("\n{head}\n  {harm}\n{settings}  {BASE}{link}\n")
}

/// The same as one JSON object, in one line.
fn object(found: &Found) -> String {
    let Found { scenario, report, .. } = found;
    let line = |line: &words::Line| {
        let parts = line.parts.iter().map(
            |part| json!({ "what": part.words, "broken": part.n_broken, "runs": part.n_runs }),
        );
        json!({
            "guarantee": line.guarantee.key(),
            "promised": line.is_promised,
            "broken": line.n_broken,
            "broken_undisturbed": line.breaks_alone,
            "by": parts.collect::<Vec<Value>>(),
        })
    };
    let example = |example: &Counterexample| {
        let link = example.link(found.source.clone()).write();
        let harm = example.placement.as_ref();
        json!({
            "guarantee": example.guarantee.key(),
            "harm": harm.map(|harm| words::placement(&example.scenario, harm, Lang::En)),
            "at_ns": example.at.ns(),
            "msg": example.entry.map(|entry| entry.msg.0),
            "link": format!("{BASE}{link}"),
        })
    };
    let lines = words::lines(scenario, report, Lang::En);
    let whole = json!({
        "format": 1,
        "engine": env!("CARGO_PKG_VERSION"),
        "scenario": scenario.id,
        "runs": report.n_runs,
        "instants": report.n_moments,
        "every": report.every,
        "is_cut": report.is_cut,
        "events_undisturbed": report.n_events,
        "guarantees": lines.iter().map(line).collect::<Vec<Value>>(),
        "counterexamples": found.smallest.iter().map(example).collect::<Vec<Value>>(),
        "wall_s": found.wall.as_secs_f64(),
    });
    whole.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_restart_is_the_cores() {
        assert_eq!(restart("100ms"), Ok(crate::world::everywhere::RESTART));
    }
}
