//! The command `inflight`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match inflight::cli::main() {
        Ok(code) => code,
        Err(line) => {
            eprintln!("inflight: {line}");
            ExitCode::from(2)
        }
    }
}
