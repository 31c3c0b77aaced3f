//! `cargo xtask test`: everything that must hold before a change is accepted.

use crate::browser::{self, Server};
use crate::step::{Outcome, cargo, output, root, run, run_tests, step};
use crate::{site, soak, tools};
use std::ffi::OsString;
use std::time::Instant;

/// Package of the browser tests; it needs a browser and a built page, so it runs last.
const BROWSER_TESTS: &str = "inflight-browser-tests";

/// Runs what `args` ask for, and closes with the runners' own last lines.
pub fn run_all(args: &[&str]) -> Outcome {
    let began = Instant::now();
    let mut closing = Vec::new();
    match args {
        [] => {
            source()?;
            closing.extend(native()?);
            closing.extend(wasm()?);
            closing.extend(in_browser(None)?);
        }
        ["--quick"] => {
            source()?;
            closing.extend(native()?);
        }
        ["--browser"] => closing.extend(in_browser(None)?),
        ["--browser", name] => closing.extend(in_browser(Some(name))?),
        _ => return Err("test takes --quick, or --browser and part of a test's name".to_owned()),
    }
    closing.iter().for_each(|line| println!("{line}"));
    println!("all passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Format and lints, with all features and for the core alone.
fn source() -> Outcome {
    step("format", || {
        run(cargo().args(["fmt", "--all", "--check"]))
            .map_err(|_| "the format differs: run `cargo fmt --all`".to_owned())
    })?;
    step("lints: everything", || {
        let mut clippy = cargo();
        clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--"]);
        run(clippy.args(["-D", "warnings"]))
    })?;
    step("lints: the core alone, without page and command line", || {
        let mut clippy = cargo();
        clippy.args(["clippy", "--locked", "--no-default-features", "--all-targets", "--"]);
        run(clippy.args(["-D", "warnings"]))
    })
}

/// Tests that need nothing but Rust.
fn native() -> Outcome<Vec<String>> {
    browser::set_up_tshark();
    let mut closing = step("native tests", || {
        let has_nextest = output(cargo().args(["nextest", "--version"])).is_some();
        let mut test = cargo();
        if has_nextest {
            test.args(["nextest", "run", "--no-fail-fast", "--show-progress", "none"]);
        } else {
            test.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        }
        let (name, seed) = soak::seed();
        test.env(name, seed);
        run_tests(test.args(["--locked", "--workspace", "--exclude", BROWSER_TESTS]))
    })?;
    closing.extend(step("examples in the documentation", || {
        run_tests(cargo().args(["test", "--locked", "--doc"]))
    })?);
    Ok(closing)
}

/// The core compiled to wasm, in Chromium: what a 32-bit `usize` or another `libm` would change.
fn wasm() -> Outcome<Vec<String>> {
    let programs = browser::set_up()?;
    tools::set_up()?;
    step("wasm tests", || {
        // As `wasm-pack test` does, which would also build all tests that are for native code only.
        let mut test = cargo();
        test.env("PATH", tools::path());
        test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner");
        test.env("CHROMEDRIVER", &programs.driver);
        // The runner waits 20 seconds for the browser unless told; a busy machine takes longer.
        test.env("WASM_BINDGEN_TEST_TIMEOUT", "120");
        test.args(["test", "--locked", "--target", tools::WASM_TARGET]);
        test.args(["--no-default-features", "--test", "wasm"]);
        run_tests(&mut test)
    })
}

/// The release page in headless Chromium.
fn in_browser(name: Option<&str>) -> Outcome<Vec<String>> {
    let mut test = cargo();
    test.args(["test", "--locked", "--package", BROWSER_TESTS, "--lib", "--"]);
    // A browser takes a core by itself.
    test.args(["--test-threads", "2"]).args(name);
    before_the_page("browser tests", |settings| run_tests(test.envs(settings)))
}

/// What the release page costs in headless Chromium.
pub fn measure_page() -> Outcome {
    let mut bench = cargo();
    bench.args(["bench", "--locked", "--package", BROWSER_TESTS, "--bench", "page"]);
    before_the_page("the page", |settings| run(bench.envs(settings)))
}

/// Builds the page, serves it, starts a driver, and tells `call` where all of it is.
fn before_the_page<T>(
    what: &str,
    call: impl FnOnce([(&'static str, OsString); 6]) -> Outcome<T>,
) -> Outcome<T> {
    let programs = browser::set_up()?;
    browser::set_up_npm()?;
    let modules = tools::node_modules().ok_or("axe-core is needed for the browser tests")?;
    let built = site::build(&root().join("target/site"))?;
    let binary = step("the command line", || site::native_binary(true))?;
    let answer = step(what, || {
        let page = Server::page(&binary, &built.folder)?;
        let driver = Server::driver(&programs)?;
        call([
            ("INFLIGHT_PAGE", format!("{}/", page.url).into()),
            ("INFLIGHT_SITE", built.folder.clone().into()),
            ("INFLIGHT_DRIVER", driver.url.clone().into()),
            ("INFLIGHT_BROWSER", programs.browser.clone().into()),
            ("INFLIGHT_AXE", modules.join("axe-core/axe.min.js").into()),
            ("INFLIGHT_SHOTS", root().join("target/browser").into()),
        ])
    })?;
    built.within_budget()?;
    Ok(answer)
}
