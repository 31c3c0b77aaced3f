//! `inflight run`: runs a scenario and says what became of its messages.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::cli::out::{self, Folder, notice};
use crate::cli::progress::{Progress, Watch as StopWatch};
use crate::cli::source::{self, Changes, Start};
use crate::cli::{capture, json, pictures, report, tables};
use crate::kernel::SimTime;
use crate::observe::{Guarantee, Row, Verdict};
use crate::param::Lang;
use crate::world::link::{Link, short_fingerprint};
use crate::world::promise;
use crate::world::session::{Logged, Session, Watch};

/// Where `inflight serve` has the page.
pub const BASE: &str = "http://127.0.0.1:8080/";

const EXAMPLES: &str = "Examples:
  inflight run mm1
  inflight run mm1 --set producer.rate=9.5/s --until 10min
  inflight run my-scenario.toml --seed 7 --csv results --svg results
  inflight run 'http://127.0.0.1:8080/#v1/mm1?seed=7&t=12.5s'
  inflight run full-queue --json | jq .ledger
  inflight run nagle-stall --pcap client.pcapng --pcap-at client
  cat my-scenario.toml | inflight run -

A link that shows an instant is run to that instant, unless --until says otherwise.
If it carries a fingerprint and the run has another one, the exit code is 1, and so it is when the
run breaks something that the document promises.";

/// Arguments of `inflight run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// A preset (see `inflight list`), a document, a link, or - for a document on standard input.
    #[arg(value_name = "PRESET | FILE.toml | LINK | -")]
    what: OsString,
    #[command(flatten)]
    changes: Changes,
    /// Print one JSON object instead of the summary.
    #[arg(long)]
    json: bool,
    /// Write latency.csv, series.csv, ledger.csv, budget.csv and trace.csv into this folder.
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,
    /// Most facts in trace.csv.
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "csv")]
    trace: u64,
    /// Write the charts as SVG files into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Write what a host saw of its TCP connections as a pcapng file, for Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// The host at which to capture; the first one that connects, when nothing is said.
    #[arg(long, value_name = "HOST", requires = "pcap")]
    pcap_at: Option<String>,
    /// Language of the summary, the charts and what is wrong: en or zh.
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = super::lang)]
    lang: Lang,
}

/// A finished run, for whatever prints it.
pub struct Outcome {
    /// The run at its last instant.
    pub session: Session,
    /// Real time that it took.
    pub wall: Duration,
    /// Parameters that differ from the document, as path and text.
    pub changes: Vec<(String, String)>,
    /// The link that opens it at this instant.
    pub link: String,
    /// The fingerprint that the given link carries, and what was found.
    pub check: Option<Check>,
    /// What of a link was left out, and other things to know.
    pub notices: Vec<String>,
}

/// A link's fingerprint against the run's.
pub struct Check {
    /// What the link says.
    pub expected: u32,
    /// What the run had at that instant; `None` if it stopped before.
    pub found: Option<u32>,
}

impl Check {
    /// Whether it is the same run.
    pub fn matches(&self) -> bool {
        self.found == Some(self.expected)
    }

    /// The result in words.
    pub fn say(&self, lang: Lang) -> String {
        let expected = self.expected;
        match (self.found, self.matches(), lang) {
            (_, true, Lang::En) => format!("{expected:08x}, matches"),
            (_, true, Lang::Zh) => format!("{expected:08x}，一致"),
            (Some(found), _, Lang::En) => format!("{expected:08x}, but the run has {found:08x}"),
            (Some(found), _, Lang::Zh) => format!("{expected:08x}，但此次运行为 {found:08x}"),
            (None, _, Lang::En) => format!("{expected:08x}, not reached"),
            (None, _, Lang::Zh) => format!("{expected:08x}，未到达"),
        }
    }
}

impl Outcome {
    /// The last instant that was simulated.
    pub fn reached(&self) -> SimTime {
        match self.session.stopped() {
            Some(_) => self.session.world().now(),
            None => self.session.now(),
        }
    }

    /// What the document promises, and whether it holds.
    pub fn promises(&self) -> Vec<(Guarantee, Verdict)> {
        let is_over = self.session.finished();
        let promises = &self.session.scenario().promises;
        promise::judge(promises, &self.session.seen().guarantees, is_over)
    }

    /// Events per second of real time.
    pub fn events_per_second(&self) -> u64 {
        (self.session.events() as f64 / self.wall.as_secs_f64().max(1e-9)) as u64
    }

    /// The series with the bucket under way: begin and end in ns, and the row.
    pub fn rows(&self) -> Vec<(u64, u64, Row)> {
        let series = &self.session.seen().series;
        let bucket = series.bucket.as_ns();
        let closed = series.rows.iter().cloned().zip(0_u64..);
        let mut rows: Vec<_> = closed.map(|(row, n)| (n * bucket, (n + 1) * bucket, row)).collect();
        let (from, to) = (rows.len() as u64 * bucket, self.reached().ns());
        let last = series.open_row();
        if from < to || last.sent != 0 || last.delivered != 0 || last.lost != 0 {
            rows.push((from, to, last));
        }
        rows
    }
}

/// Runs the command.
pub fn run(args: &RunArgs) -> Result<ExitCode, String> {
    let lang = args.lang;
    let start = source::open(&args.what, &args.changes, lang)?;
    start.notices.iter().for_each(|text| notice(text));
    let csv = args.csv.as_deref().map(Folder::make).transpose()?;
    let svg = args.svg.as_deref().map(Folder::make).transpose()?;
    let outcome = carry_out(start, args.changes.until.is_some(), lang)?;
    if let Some(folder) = &csv
        && !tables::write(&outcome, folder, args.trace)?
    {
        let limit = args.trace;
        notice(&match lang {
            Lang::En => format!("trace.csv ends after {limit} facts; --trace N writes more"),
            Lang::Zh => format!("trace.csv 只含前 {limit} 个事实；用 --trace N 可写更多"),
        });
    }
    if let Some(folder) = &svg {
        pictures::write(&outcome, folder, lang)?;
    }
    if let Some(file) = &args.pcap {
        capture::write(&outcome.session, args.pcap_at.as_deref(), file, lang)?;
    }
    let text =
        if args.json { json::object(&outcome) + "\n" } else { report::report(&outcome, lang) };
    out::print(|out| out.write_all(text.as_bytes()))?;
    let stopped = outcome.session.stopped();
    if let Some(stop) = stopped {
        notice(stop.text().get(lang));
    }
    let broken = outcome.promises().iter().any(|(_, verdict)| verdict.is_broken());
    let differs = outcome.check.as_ref().is_some_and(|check| !check.matches());
    Ok(if differs || broken || stopped.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs to the end, or to the instant that the link shows, comparing fingerprints on the way.
fn carry_out(start: Start, to_the_end: bool, lang: Lang) -> Result<Outcome, String> {
    let Start { mut opened, shown, changed, mut notices } = start;
    let scenario = opened.scenario.clone();
    let target = match shown {
        Some(shown) if !to_the_end => shown,
        _ => scenario.until,
    };
    if changed && opened.fingerprint.take().is_some() {
        notices.push(not_compared(lang));
        notice(&not_compared(lang));
    }
    let changes = scenario.changes();
    let log = std::mem::take(&mut opened.log);
    let log = log.into_iter().map(|(at, command)| Logged { at, command }).collect();
    let watch = StopWatch::start();
    let mut session = Session::with_log(scenario, Watch::All, log);
    let mut progress = Progress::new(lang);
    let mut check = None;
    if let Some(expected) = opened.fingerprint {
        progress.drive(&mut session, opened.shown);
        let reached = session.stopped().is_none();
        let found = reached.then(|| short_fingerprint(session.fingerprint()));
        check = Some(Check { expected, found });
        if let Some(differs) = opened.compare(session.fingerprint()) {
            notices.push(differs.say(lang));
            notice(&differs.say(lang));
        }
    }
    progress.drive(&mut session, target);
    let wall = watch.elapsed();
    drop(progress);
    let link = link_of(&session, opened.source, BASE, lang, &mut notices);
    Ok(Outcome { session, wall, changes, link, check, notices })
}

fn not_compared(lang: Lang) -> String {
    match lang {
        Lang::En => "the run was changed, so the link's fingerprint is not compared".to_owned(),
        Lang::Zh => "运行已被修改，故不比较链接中的指纹".to_owned(),
    }
}

/// The link that opens a session at its shown instant; empty, with a notice, if it would be longer
/// than links may be.
pub fn link_of(
    session: &Session,
    source: crate::world::link::Source,
    base: &str,
    lang: Lang,
    notices: &mut Vec<String>,
) -> String {
    let log: Vec<_> = session.log().iter().map(|l| (l.at, l.command.clone())).collect();
    let link =
        Link::of(source, session.scenario(), &log, session.now(), session.fingerprint()).write();
    let (again, _) = Link::parse(&link);
    if again.source == crate::world::link::Source::Nothing {
        let text = match lang {
            Lang::En => "this run is too large for a link",
            Lang::Zh => "此次运行过大，无法制成链接",
        };
        notice(text);
        notices.push(text.to_owned());
        return String::new();
    }
    format!("{base}{link}")
}
