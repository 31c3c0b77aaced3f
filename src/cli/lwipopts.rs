//! `inflight lwipopts`: what a file of lwIP's options says, whether it builds, and the scenario
//! with it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::out::{self, table};
use crate::cli::source::{self, Changes};
use crate::model::stm32::lwipopts::{FILE_LIMIT, File};
use crate::model::stm32::{BoardParams, Part};
use crate::param::{Lang, Param, Text};
use crate::view::build_check::{self, Checked};
use crate::view::lwipopts::{self as words, Other};
use crate::view::numbers::count;
use crate::world::lwipopts::{self, Import};
use crate::world::scenario::Scenario;

const EXAMPLES: &str = "Examples:
  inflight lwipopts lwipopts.h
  inflight lwipopts lwipopts.h --part h743
  inflight lwipopts lwipopts.h --scenario my-board.toml --host board > with-my-options.toml
  inflight lwipopts lwipopts.h --scenario my-board.toml --host board | inflight run -

With a scenario the output is its document with the values of the file, and everything else stands
in front of it as comments. Exit code 1: the set does not build, or a value could not be used.";

/// A scenario to read a file against when none is named: one board.
const ALONE: &str = "\
format = 1
id = \"board\"
topic = \"tcp\"
title = { en = \"A board\", zh = \"一块板子\" }
story = { en = \"\", zh = \"\" }
question = { en = \"\", zh = \"\" }
until = \"1s\"

[[host]]
id = \"board\"
profile = \"stm32\"

[[host]]
id = \"peer\"

[[wire]]
from = \"board\"
to = \"peer\"

[[actor]]
id = \"board\"
kind = \"script\"
host = \"board\"

[[actor]]
id = \"peer\"
kind = \"script\"
host = \"peer\"

[[channel]]
from = \"board\"
to = \"peer\"
kind = \"tcp\"
";

/// Arguments of `inflight lwipopts`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LwipoptsArgs {
    /// The file.
    #[arg(value_name = "lwipopts.h")]
    file: PathBuf,
    /// A preset, a document or a link whose host gets the options.
    #[arg(long, value_name = "SCENARIO", requires = "host")]
    scenario: Option<std::ffi::OsString>,
    /// The host.
    #[arg(long, value_name = "ID", requires = "scenario")]
    host: Option<String>,
    /// The part to build for, when no board of a scenario says it: f407, f767, h743, l476.
    #[arg(long, value_name = "PART", value_parser = part, conflicts_with = "scenario")]
    part: Option<Part>,
    /// Language of the output: en or zh.
    #[arg(long, value_parser = super::lang, default_value = "en")]
    lang: Lang,
}

fn part(text: &str) -> Result<Part, String> {
    <Part as Param>::parse(text).map_err(|reason| reason.say(Lang::En))
}

/// Runs the command.
pub fn lwipopts(args: &LwipoptsArgs) -> Result<ExitCode, String> {
    let lang = args.lang;
    let place = args.file.display();
    let bytes = source::read_file(&args.file, FILE_LIMIT as u64)?;
    let text = String::from_utf8_lossy(&bytes);
    let file = File::read(&text).map_err(|error| format!("{place}: {}", error.say(lang)))?;
    let mut scenario = match &args.scenario {
        Some(name) => source::open(name, &Changes::default(), lang)?.opened.scenario,
        // A test reads a file without a scenario.
        None => Scenario::parse(ALONE).expect("it is a document"),
    };
    let host = args.host.as_deref().unwrap_or("board");
    let import = lwipopts::import(&scenario, host, &file).map_err(|problem| problem.say(lang))?;
    let named = args.part.map(|part| BoardParams { part, ..BoardParams::default() });
    let board = named.or_else(|| lwipopts::board_of(&scenario, host)).unwrap_or_default();
    let checked = build_check::check(&file, &board, lang);
    let mut text = report(&import, args.scenario.is_some(), lang) + &built(&checked, lang);
    if args.scenario.is_some() {
        for (path, value) in import.changes() {
            scenario.set(&path, &value).map_err(|problem| problem.say(lang))?;
        }
        let comments = text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n");
        text = comments.collect::<String>() + "\n" + &scenario.to_toml();
    }
    out::print(|out| out.write_all(text.as_bytes()))?;
    import.problems.iter().for_each(|problem| out::notice(&problem.say(lang)));
    let is_well = checked.builds && import.problems.is_empty();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const UNDERSTOOD: Text = Text::new("Understood:", "已识别：");
const WAS: Text = Text::new("was", "原为");
const INVENTED: Text = Text::new("No options of lwIP:", "lwIP 没有的选项：");
const LISTED: Text = Text::new("Also in the file:", "文件中还有：");
const BUILD: Text = Text::new("Build check:", "构建检查：");
const OF: Text = Text::new("RAM, B, of", "RAM（B），可用");

fn report(import: &Import, has_scenario: bool, lang: Lang) -> String {
    let mut text = format!("{}\n", UNDERSTOOD.get(lang));
    let rows = words::understood(import, lang).into_iter().map(|row| {
        let before = row.before.filter(|_| has_scenario);
        let before = before.map(|before| format!("{} {before}", WAS.get(lang)));
        vec![
            row.option.to_owned(),
            plain(&row.value),
            row.place,
            plain(&before.unwrap_or_default()),
        ]
    });
    text += &aligned(rows.collect());
    let mut others = |title: Text, list: Vec<Other>| {
        if !list.is_empty() {
            let _ = writeln!(text, "\n{}", title.get(lang));
            let row = |other: Other| vec![other.name, other.line, other.why.to_owned()];
            text += &aligned(list.into_iter().map(row).collect());
        }
    };
    others(INVENTED, words::invented(import, lang));
    others(LISTED, words::listed(import, lang));
    text
}

fn built(checked: &Checked, lang: Lang) -> String {
    let mut text = format!("\n{}\n  {}\n", BUILD.get(lang), checked.verdict);
    for message in &checked.messages {
        let _ = writeln!(text, "  {}", message.text);
        message.about.iter().for_each(|about| {
            let _ = writeln!(text, "    {about}");
        });
    }
    if 0 < checked.reach_bytes {
        let (ram, reach) = (count(checked.ram_bytes), count(checked.reach_bytes));
        let _ = writeln!(text, "  {} {}: {}", OF.get(lang), plain(&reach), plain(&ram));
        let row = |(owner, bytes): &(build_check::Owner, u64)| {
            vec![owner.text().get(lang).to_owned(), plain(&count(*bytes))]
        };
        text += &aligned(checked.ram.iter().map(row).collect());
    }
    text
}

/// The page's thin spaces as plain ones.
fn plain(text: &str) -> String {
    out::plain(text)
}

/// Columns to the left.
fn aligned(rows: Vec<Vec<String>>) -> String {
    let n = rows.first().map_or(0, Vec::len);
    let width = |i: usize| rows.iter().map(|row| out::columns(&row[i])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n).map(width).collect();
    let padded = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        cells.map(|(cell, width)| out::left(cell, *width)).collect::<Vec<_>>()
    };
    table(&rows.iter().map(padded).collect::<Vec<_>>(), 2)
}
