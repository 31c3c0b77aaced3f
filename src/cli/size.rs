//! `inflight size`: the smallest memory with which the boards of a scenario lose nothing.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::cli::out;
use crate::cli::progress::{Counter, Progress as Driver};
use crate::cli::run::{BASE, link_of};
use crate::cli::source::{self, Changes};
use crate::param::Lang;
use crate::world::session::{Session, Watch};
use crate::world::sizing::{Progress, Sized, Sizing};

/// Events between two looks at the clock.
const BATCH: u64 = 50_000;

const EXAMPLES: &str = "Examples:
  inflight size sensor-to-broker
  inflight size bulk-100k --set cubemx.tcp-snd-buf=4288B
  inflight size my-scenario.toml --lang zh";

/// Arguments of `inflight size`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SizeArgs {
    /// A preset, a scenario document, a link, or - for a document on standard input.
    #[arg(value_name = "PRESET | FILE.toml | LINK | -")]
    what: OsString,
    #[command(flatten)]
    changes: Changes,
    /// Address of the page; empty for the fragment alone.
    #[arg(long, value_name = "ADDRESS", default_value = BASE)]
    base: String,
    /// Language: en or zh.
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = super::lang)]
    lang: Lang,
}

/// Runs the command.
pub fn size(args: &SizeArgs) -> Result<ExitCode, String> {
    let lang = args.lang;
    let start = source::open(&args.what, &args.changes, lang)?;
    start.notices.iter().for_each(|text| out::notice(text));
    let say = |why: crate::world::sizing::NoSizing| {
        format!("{}: {}", start.opened.scenario.id, why.said().get(lang))
    };
    let mut sizing = Sizing::new(&start.opened.scenario).map_err(say)?;
    let mut counter = Counter::new();
    while let Progress::Running(n, all) = sizing.step(BATCH).map_err(say)? {
        counter.show(u64::from(n), u64::from(all));
    }
    counter.end();
    let mut session = Session::new(sizing.scenario().clone(), Watch::Nothing);
    let until = session.until();
    Driver::new(lang).drive(&mut session, until);
    let source = start.opened.source;
    let link = link_of(&session, source, &args.base, lang, &mut Vec::new());
    let text = report(&sizing, lang, &link);
    out::print(|out| write!(out, "{text}"))?;
    Ok(ExitCode::SUCCESS)
}

fn report(sizing: &Sizing, lang: Lang, link: &str) -> String {
    let ample = sizing.ample();
    let mut text = match lang {
        Lang::En => format!(
            "delivered: {}, the last after {} ms; dropped frames: {}, refused writes: {}\n\n",
            ample.n_delivered,
            ample.last_delivery.ns() as f64 / 1e6,
            ample.n_drops,
            ample.n_err_mem
        ),
        Lang::Zh => format!(
            "送达：{}，最后一条在 {} ms；丢帧：{}，被拒写入：{}\n\n",
            ample.n_delivered,
            ample.last_delivery.ns() as f64 / 1e6,
            ample.n_drops,
            ample.n_err_mem
        ),
    };
    let mut hosts: Vec<&str> = sizing.options().iter().map(|o| o.host.as_str()).collect();
    hosts.dedup();
    for host in hosts {
        let mine = sizing.options().iter().filter(|option| option.host == host);
        let mine: Vec<&Sized> = mine.collect();
        let saved: i64 = mine.iter().map(|option| option.saved_bytes()).sum();
        let (was, least, bytes) = match lang {
            Lang::En => ("was", "least", "bytes saved"),
            Lang::Zh => ("原值", "最小", "节省字节"),
        };
        text += &format!("{host}\n  {:<20} {was:>8} {least:>8} {bytes:>12}\n", "");
        for option in mine {
            let Sized { name, before, least, .. } = option;
            text += &format!("  {name:<20} {before:>8} {least:>8} {:>12}\n", option.saved_bytes());
        }
        text += &format!("  {:<20} {:>8} {:>8} {saved:>12}\n\n", "", "", "");
        text += &sizing.fragment(host);
        text.push('\n');
    }
    text + link + "\n"
}
