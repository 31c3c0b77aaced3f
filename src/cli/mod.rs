//! The command line: reads arguments and files, prints, serves the page.
//!
//! Nothing here is reachable from the core, so files, clocks and threads are allowed. One file per
//! command; `source` reads what a command is about, `out` is the only place that prints.

mod capture;
pub mod json;
pub mod link;
pub mod list;
pub mod lwipopts;
pub mod out;
pub mod pictures;
pub mod progress;
pub mod report;
pub mod run;
pub mod serve;
pub mod size;
pub mod source;
pub mod tables;
pub mod validate;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::param::Lang;
use crate::world::{reference, schema};

const EXAMPLES: &str = "Examples:
  inflight list
  inflight run competing-consumers
  inflight run mm1 --set producer.rate=9.5/s --json
  inflight link mm1 --set producer.rate=9.5/s --at 30s
  inflight size sensor-to-broker
  inflight params | less
  inflight serve

Exit codes: 0 all is well, 1 a run or record does not match, 2 bad input.
What is wrong is said on standard error, with its place, its value and what is allowed.";

/// See why a message was late, lost or delivered twice.
#[derive(Debug, Parser)]
#[command(name = "inflight", version, about, after_help = EXAMPLES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the scenarios that ship with this program.
    List(list::ListArgs),
    /// Run a scenario and say what became of its messages.
    Run(run::RunArgs),
    /// Print the share link of a scenario.
    Link(link::LinkArgs),
    /// Read an lwipopts.h: what it sets, whether it builds, and a scenario with it.
    Lwipopts(lwipopts::LwipoptsArgs),
    /// Find the least memory with which the boards (`stm32`) of a scenario lose nothing.
    Size(size::SizeArgs),
    /// Print the JSON Schema of scenario documents, for editors.
    #[command(after_help = "Example:\n  inflight schema > scenario.schema.json")]
    Schema,
    /// Print all parameters with their ranges, as Markdown.
    #[command(after_help = "Example:\n  inflight params | less")]
    Params,
    /// Serve the built page on this machine's loopback address.
    #[command(after_help = "Example:\n  inflight serve --root dist --port 8080")]
    Serve {
        /// Port on 127.0.0.1; 0 takes any free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Folder of the built page, as `cargo xtask dist` writes it.
        #[arg(long, default_value = "dist")]
        root: PathBuf,
    },
    /// Replay every record of reality below a folder and say which the models reproduce.
    #[command(after_help = "Example:\n  inflight validate tests/truth")]
    Validate {
        /// Folder with records (*.json), or one record.
        dir: PathBuf,
        /// Print for machines.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command that the process was called with; `Err` says what is wrong, for people.
pub fn main() -> Result<ExitCode, String> {
    match Args::parse().command {
        Command::List(args) => list::list(&args),
        Command::Run(args) => run::run(&args),
        Command::Link(args) => link::link(&args),
        Command::Lwipopts(args) => lwipopts::lwipopts(&args),
        Command::Size(args) => size::size(&args),
        Command::Schema => print(&schema::schema()),
        Command::Params => print(&reference::markdown()),
        Command::Serve { port, root } => serve::serve(&root, port).map(|()| ExitCode::SUCCESS),
        Command::Validate { dir, json } => validate::validate(&dir, json),
    }
}

fn print(text: &str) -> Result<ExitCode, String> {
    out::print(|out| writeln!(out, "{}", text.trim_end()))?;
    Ok(ExitCode::SUCCESS)
}

/// Parses the value of `--lang`.
fn lang(text: &str) -> Result<Lang, String> {
    Lang::of_tag(text).ok_or_else(|| "allowed: en, zh".to_owned())
}
