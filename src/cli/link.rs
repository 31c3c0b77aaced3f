//! `inflight link`: the share link of a scenario.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::cli::out;
use crate::cli::progress::Progress;
use crate::cli::run::{BASE, link_of};
use crate::cli::source::{self, Changes};
use crate::kernel::SimTime;
use crate::param::{Lang, Reason, Said, parse_span};
use crate::world::problem::Problem;
use crate::world::session::{Logged, Session, Watch};

const EXAMPLES: &str = "Examples:
  inflight link mm1
  inflight link mm1 --set producer.rate=9.5/s --at 30s
  inflight link my-scenario.toml --base https://example.org/inflight/";

/// Arguments of `inflight link`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LinkArgs {
    /// A preset, a scenario document, another link, or - for a document on standard input.
    #[arg(value_name = "PRESET | FILE.toml | LINK | -")]
    what: OsString,
    #[command(flatten)]
    changes: Changes,
    /// Show this instant of the run; the link then carries the run's fingerprint there.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Address of the page; empty for the fragment alone.
    #[arg(long, value_name = "ADDRESS", default_value = BASE)]
    base: String,
    /// Language of what is wrong: en or zh.
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = super::lang)]
    lang: Lang,
}

/// Runs the command.
pub fn link(args: &LinkArgs) -> Result<ExitCode, String> {
    let lang = args.lang;
    let start = source::open(&args.what, &args.changes, lang)?;
    start.notices.iter().for_each(|text| out::notice(text));
    let until = start.opened.scenario.until;
    let at = match &args.at {
        Some(text) => instant(text, until).map_err(|problem| problem.say(lang))?,
        None => start.opened.shown,
    };
    let log = start.opened.log.into_iter().map(|(at, command)| Logged { at, command }).collect();
    let mut session = Session::with_log(start.opened.scenario, Watch::Nothing, log);
    Progress::new(lang).drive(&mut session, at);
    let text = link_of(&session, start.opened.source, &args.base, lang, &mut Vec::new());
    if text.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    out::print(|out| writeln!(out, "{text}"))?;
    Ok(ExitCode::SUCCESS)
}

fn instant(text: &str, until: SimTime) -> Result<SimTime, Problem> {
    let refuse = |reason: Reason| Problem::refused(None, "--at", reason);
    let at = SimTime::ZERO.saturating_add(parse_span(text).map_err(refuse)?);
    if until < at {
        let end = crate::param::show_span(until.since(SimTime::ZERO));
        let allowed = Said::new(format!("0s to {end}"), format!("0s 至 {end}"));
        return Err(refuse(Reason::new(text, allowed)));
    }
    Ok(at)
}
