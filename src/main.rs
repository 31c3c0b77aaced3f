//! The command `inflight`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match inflight::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("inflight: {line}");
            ExitCode::from(2)
        }
    }
}
