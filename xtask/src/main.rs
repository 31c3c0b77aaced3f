//! The project's own commands: `cargo xtask serve | dist | test | soak | bench`.
//!
//! Each does all set-up that it needs, says what it does and how long that took, and skips what is
//! up to date. A failure is one line that says what to do.

#![allow(clippy::disallowed_methods, reason = "it measures how long steps take and reads settings")]

mod bench;
mod browser;
mod check;
mod site;
mod soak;
mod step;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask serve [--port N] [--no-open]   build the page and serve it on 127.0.0.1 (8080)
cargo xtask dist                           write the static site to dist/
cargo xtask test [--quick]                 everything: format, lints, native, wasm and browser tests
                                           (--quick: format, lints and native tests)
cargo xtask test --browser [NAME]          only the browser tests whose name contains NAME
cargo xtask soak [MINUTES]                 new random input for the tests that draw theirs (5)
cargo xtask bench [--rounds N]             the kernel's speed, natively and in node
cargo xtask bench --peers [DIR]            the same beside other simulators (../shared/peers)
cargo xtask bench --page                   the page's first load, frames and seeks in Chromium

INFLIGHT_TOOLS names a folder for wasm-pack and its kin, to share them between checkouts.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.split_first() {
        Some((&"serve", rest)) => site::serve(rest),
        Some((&"dist", [])) => site::dist(),
        Some((&"test", rest)) => check::run_all(rest),
        Some((&"soak", rest)) => soak::run_for(rest),
        Some((&"bench", ["--page"])) => check::measure_page(),
        Some((&"bench", rest)) => bench::run(rest),
        Some((&("help" | "--help" | "-h"), _)) | None => {
            println!("{USAGE}");
            Ok(())
        }
        Some((other, rest)) => {
            let asked = [&[*other], rest].concat().join(" ");
            Err(format!("there is no `cargo xtask {asked}`\n{USAGE}"))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("xtask: {line}");
            ExitCode::FAILURE
        }
    }
}
