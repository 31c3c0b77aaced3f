//! Tools that the page's build needs, each in the version that fits `Cargo.lock`.
//!
//! They go to `target/tools` (or where `INFLIGHT_TOOLS` says), never onto the machine.

use crate::step::{
    Outcome, cargo, command, find_program, output, read, root, run, step, up_to_date, write,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The target of the page.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";
const WASM_PACK: &str = "0.15.1";
/// What comes from npm, with versions.
const PACKAGE_JSON: &str = include_str!("../package.json");

/// Where tools lie.
pub fn folder() -> PathBuf {
    match std::env::var_os("INFLIGHT_TOOLS") {
        Some(named) if !named.is_empty() => root().join(named),
        _ => root().join("target/tools"),
    }
}

/// PATH with our tools first: wasm-pack takes the `wasm-bindgen` that it finds there.
pub fn path() -> OsString {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder().join("bin")).chain(std::env::split_paths(&old));
    std::env::join_paths(folders).unwrap_or(old)
}

/// Everything that `wasm-pack build` needs.
pub fn set_up() -> Outcome {
    wasm_target()?;
    let bindgen = locked_version("wasm-bindgen")?;
    // Optimising the tools themselves takes longer than they will ever run.
    install("wasm-bindgen-cli", "wasm-bindgen", &bindgen, &["--no-default-features"], "1")?;
    install("wasm-pack", "wasm-pack", WASM_PACK, &["--locked"], "1")?;
    // What cargo built on the way there.
    let _ = std::fs::remove_dir_all(folder().join("build"));
    Ok(())
}

fn wasm_target() -> Outcome {
    let what = format!("Rust target {WASM_TARGET}");
    let libraries =
        output(command("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]));
    let has_std = |folder: &String| {
        let mut files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.any(|f| f.file_name().to_string_lossy().starts_with("libstd-"))
    };
    if libraries.as_ref().is_some_and(has_std) {
        up_to_date(&what);
        return Ok(());
    }
    let added = find_program("rustup").is_some_and(|rustup| {
        step(&what, || run(command(rustup).args(["target", "add", WASM_TARGET]))).is_ok()
    });
    if added {
        return Ok(());
    }
    Err(format!(
        "the Rust target {WASM_TARGET} is missing and rustup cannot add it. Install it with \
         `rustup target add {WASM_TARGET}`; without that, as root on Debian: `apt-get install \
         rustc-web cargo-web rust-web-src lld-22 rust-web-llvm`, build its std once with \
         `RUSTC_BOOTSTRAP=1 cargo build -Zbuild-std=std,panic_abort --target {WASM_TARGET}` in \
         any crate, copy the .rlib files of that build's deps folder to \
         $(rustc --print target-libdir --target {WASM_TARGET}), and, if rustup is there, \
         `rustup toolchain link web /usr`"
    ))
}

fn install(package: &str, program: &str, version: &str, options: &[&str], opt: &str) -> Outcome {
    let what = format!("{package} {version}");
    let installed = folder().join("bin").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    let has = output(command(&installed).arg("--version"));
    if has.is_some_and(|line| line.split_whitespace().nth(1) == Some(version)) {
        up_to_date(&what);
        return Ok(());
    }
    step(&format!("{what} (once; some two minutes)"), || {
        let mut install = cargo();
        install.arg("install").args(options).args(["--force", "--version", version]);
        install.arg("--root").arg(folder()).arg(package);
        // Its own build folder: the settings of the project's builds are not meant for tools.
        install.env("CARGO_TARGET_DIR", folder().join("build"));
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", opt);
        for setting in ["CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_TARGET", "RUSTFLAGS"] {
            install.env_remove(setting);
        }
        run(&mut install).map_err(|e| {
            format!("{e}: {what} was not installed; cargo's message above says why (a network?)")
        })
    })
}

/// Version of a package in `Cargo.lock`.
fn locked_version(package: &str) -> Outcome<String> {
    let lock = read(&root().join("Cargo.lock"))?;
    let entry = format!("name = \"{package}\"\nversion = \"");
    let lock = lock.replace("\r\n", "\n");
    lock.split_once(&entry)
        .and_then(|(_, rest)| rest.split('"').next())
        .map(str::to_owned)
        .ok_or_else(|| format!("Cargo.lock does not name {package}: run `cargo check` first"))
}

/// Installs what comes from npm; `None`, after a line that says so, where that is impossible.
pub fn node_modules() -> Option<PathBuf> {
    let home = folder().join("node");
    let modules = home.join("node_modules");
    let is_current = read(&home.join("package.json")).is_ok_and(|p| p == PACKAGE_JSON);
    if is_current && modules.join("binaryen").is_dir() && modules.join("axe-core").is_dir() {
        return Some(modules);
    }
    let (Some(npm), Some(_)) = (find_program("npm"), find_program("node")) else {
        println!(
            "==> no npm: the page is built without wasm-opt, some 20 % larger (Node.js brings npm)"
        );
        return None;
    };
    let installed = step("binaryen and axe-core from npm", || {
        write(&home.join("package.json"), PACKAGE_JSON)?;
        let mut install = command(npm);
        install.current_dir(&home);
        install.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]);
        run(&mut install)
    });
    match installed {
        Ok(()) => Some(modules),
        Err(line) => {
            // Half an installation must not pass for a whole one next time.
            let _ = std::fs::remove_file(home.join("package.json"));
            println!("    {line}: going on without wasm-opt, the page is some 20 % larger");
            None
        }
    }
}

/// What wasm-opt does: shrink, and put functions of one kind side by side, where gzip sees how
/// alike they are (some 2.5 % less to load).
pub const WASM_OPT: [&str; 2] = ["-Oz", "--reorder-functions-by-name"];

/// Shrinks `from` into `to` with binaryen.
pub fn wasm_opt(modules: &Path, from: &Path, to: &Path) -> Outcome {
    let mut optimise = command("node");
    optimise.arg(modules.join("binaryen/bin/wasm-opt")).args(WASM_OPT);
    run(optimise.arg(from).arg("-o").arg(to))
}
