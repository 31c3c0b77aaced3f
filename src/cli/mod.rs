//! The command line: reads arguments and files, prints, serves the page.
//!
//! Nothing here is reachable from the core, so files, clocks and threads are allowed.

pub mod serve;
pub mod validate;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// See why a message was late, lost or delivered twice.
#[derive(Debug, Parser)]
#[command(name = "inflight", version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the built page on this machine's loopback address.
    Serve {
        /// Port on 127.0.0.1; 0 takes any free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Folder of the built page, as `cargo xtask dist` writes it.
        #[arg(long, default_value = "dist")]
        root: PathBuf,
    },
    /// Replay every record of reality below a folder and say which the models reproduce.
    Validate {
        /// Folder with records (*.json), or one record.
        dir: PathBuf,
        /// Print for machines.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command that the process was called with; `Err` is one line for people.
pub fn main() -> Result<ExitCode, String> {
    match Args::parse().command {
        Command::Serve { port, root } => serve::serve(&root, port).map(|()| ExitCode::SUCCESS),
        Command::Validate { dir, json } => validate::validate(&dir, json),
    }
}
