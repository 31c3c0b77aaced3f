//! `cargo xtask soak`: the tests that draw what they try, with fresh seeds, for as long as wanted.
//!
//! `cargo xtask test` draws the same worlds in every run, so that it says the same of the same
//! commit; this is where new ones are searched for.

use crate::step::{Outcome, cargo, output, root, run, step};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the tests draw in `cargo xtask test`, unless the environment says otherwise.
const FIXED_SEED: &str = "20261127";

/// How long it searches unless told.
const MINUTES: u64 = 5;

/// Name and value by which proptest takes its seed.
pub fn seed() -> (&'static str, String) {
    let given = std::env::var(NAME).unwrap_or_else(|_| FIXED_SEED.to_owned());
    (NAME, given)
}

const NAME: &str = "PROPTEST_RNG_SEED";

/// Runs every test with drawn input again and again, each round with another seed.
pub fn run_for(args: &[&str]) -> Outcome {
    let minutes = match args {
        [] => MINUTES,
        [n] => n.parse().map_err(|_| format!("soak takes minutes, not `{n}`"))?,
        _ => return Err("soak takes minutes, nothing else".to_owned()),
    };
    let modules = modules()?;
    let program = step("native tests", || {
        let mut build = cargo();
        build.args(["test", "--locked", "--test", "native", "--no-run", "--message-format=json"]);
        let lines = output(&mut build).ok_or("the tests did not build")?;
        let path = lines.lines().filter_map(executable).next_back();
        path.ok_or_else(|| "cargo named no test program".to_owned())
    })?;
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let first = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_secs());
    for seed in first.. {
        let what = format!("worlds of {NAME}={seed}");
        step(&what, || {
            let mut test = crate::step::command(&program);
            test.args(["--quiet"]).args(&modules).env(NAME, seed.to_string());
            run(&mut test).map_err(|_| format!("{what} broke a test; its lines are above"))
        })?;
        if until <= Instant::now() {
            break;
        }
    }
    Ok(())
}

/// Test modules that draw their input.
fn modules() -> Outcome<Vec<String>> {
    let folder = root().join("tests");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("proptest! {")))
        .filter_map(|path| Some(format!("{}::", path.file_stem()?.to_str()?)))
        .collect();
    names.sort();
    Ok(names)
}

/// The test program that a line of cargo's messages names.
fn executable(line: &str) -> Option<String> {
    if !line.contains("\"kind\":[\"test\"]") {
        return None;
    }
    let (_, rest) = line.split_once("\"executable\":\"")?;
    rest.split_once('"').map(|(path, _)| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_with_drawn_input_are_found() {
        let found = modules().expect("the tests' folder");
        assert!(found.contains(&"conservation::".to_owned()), "{found:?}");
        assert!(!found.contains(&"tidy::".to_owned()), "{found:?}");
    }

    #[test]
    fn the_program_is_read_from_cargos_messages() {
        let line = |kind: &str, path: &str| {
            format!(r#"{{"target":{{"kind":["{kind}"]}},"executable":{path},"fresh":true}}"#)
        };
        let test = line("test", "\"/t/native-1\"");
        assert_eq!(executable(&test).as_deref(), Some("/t/native-1"));
        assert_eq!(executable(&line("bin", "\"/t/inflight\"")), None);
        assert_eq!(executable(&line("test", "null")), None);
    }
}
