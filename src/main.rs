//! The command `inflight`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match inflight::cli::main() {
        Ok(code) => code,
        Err(text) => {
            inflight::cli::out::notice(&text);
            ExitCode::from(2)
        }
    }
}
