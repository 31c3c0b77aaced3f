//! `cargo xtask bench`: the kernel beside other simulators, as ratios of one session.
//!
//! Every program runs each model once a round, so a slow spell of the machine falls on all alike;
//! ratios are taken within a round, and the table shows their medians. The other programs lie
//! outside the project (`--peers DIR`); one that cannot be built is named and left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Outcome, cargo, command, find_program, output, root, step};

/// Where the other simulators' programs are, seen from the checkout.
const PEERS: &str = "../shared/peers";
const ROUNDS: usize = 5;
const EVENTS: u64 = 2_000_000;

/// A model and its size, as `benches/table.rs` lists them.
struct Case {
    name: String,
    n: String,
    index: usize,
}

/// A column of the table.
struct Program {
    name: &'static str,
    measure: Box<Measure>,
}

/// Runs one case and gives its ns per event; none if it has no such model.
type Measure = dyn Fn(&Case) -> Option<f64>;

/// `bench [--peers [DIR]] [--rounds N]`.
pub fn run(args: &[&str]) -> Outcome {
    let (mut peers, mut rounds) = (None, ROUNDS);
    let mut rest = args.iter().peekable();
    while let Some(arg) = rest.next() {
        match *arg {
            "--peers" => {
                let folder = rest.next_if(|next| !next.starts_with("--")).unwrap_or(&PEERS);
                peers = Some(root().join(folder));
            }
            "--rounds" => {
                let n = rest.next().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
                rounds = n.ok_or("--rounds: give a number of 1 or more")?;
            }
            other => return Err(format!("bench: `{other}` is none of --peers DIR, --rounds N")),
        }
    }
    let mut programs = Vec::new();
    let native = step("the kernel, natively", native)?;
    let cases = cases(&native)?;
    programs.push(kernel(native.clone()));
    let mut in_wasm = None;
    match step("the kernel, as WebAssembly", wasm) {
        Ok(module) => {
            in_wasm = Some(module.clone());
            step("the same bits in both", || same_bits(&native, &module, &cases))?;
            programs.push(in_node(module));
        }
        Err(line) => println!("    left out: {line}"),
    }
    if let Some(folder) = &peers {
        for (name, build) in PROGRAMS {
            match step(name, || build(folder)) {
                Ok(program) => programs.push(program),
                Err(line) => println!("    left out: {line}"),
            }
        }
    }
    let what = format!("{rounds} rounds of {} models in {} programs", cases.len(), programs.len());
    let figures = step(&what, || Ok(measure(&programs, &cases, rounds)))?;
    let seeks = step("seeks", || Ok(seeks(&native, in_wasm.as_deref())))?;
    let crashes = step("crash everywhere", || Ok(crashes(&native)))?;
    print_table(&programs, &cases, &figures);
    print_seeks(&seeks);
    print_crashes(&crashes);
    Ok(())
}

/// How many seeks are timed.
const SEEKS: &str = "400";

/// Ms of each seek, where they could be had: natively, and in node.
fn seeks(native: &Path, module: Option<&Path>) -> Vec<(&'static str, Vec<f64>)> {
    let mut timed = Vec::new();
    let mut take = |place, lines: Option<String>| {
        let mut all: Vec<f64> =
            lines.iter().flat_map(|l| l.lines()).filter_map(|l| l.parse().ok()).collect();
        all.sort_by(f64::total_cmp);
        timed.push((place, all));
    };
    take("natively", output(command(native).args(["seeks", SEEKS])));
    if let Some(module) = module {
        let mut node = command("node");
        node.arg("benches/wasm/run.mjs").arg(module).args(["seeks", SEEKS]);
        take("in node", output(&mut node));
    }
    timed
}

/// Ms that *crash everywhere* may take for a scenario of 200 events, on one core.
const CRASH_LIMIT_MS: f64 = 1_000.0;

/// Runs, events of the undisturbed one, and ms of each time that everything was broken.
fn crashes(native: &Path) -> Vec<(u64, u64, f64)> {
    let lines = output(command(native).args(["crash", "5"])).unwrap_or_default();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (n_runs, n_events) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((n_runs, n_events, words.next()?.parse().ok()?))
    };
    let mut timed: Vec<(u64, u64, f64)> = lines.lines().filter_map(line).collect();
    timed.sort_by(|a, b| a.2.total_cmp(&b.2));
    timed
}

fn print_crashes(timed: &[(u64, u64, f64)]) {
    println!("\n| crash everywhere, natively on one core | runs | events | ms (median) | limit |");
    println!("|---|--:|--:|--:|--:|");
    if let Some((n_runs, n_events, ms)) = timed.get(timed.len() / 2) {
        println!(
            "| a scenario of {n_events} events | {n_runs} | {n_events} | {ms:.1} | {CRASH_LIMIT_MS} |"
        );
    }
}

fn print_seeks(timed: &[(&'static str, Vec<f64>)]) {
    println!("\n| a seek anywhere in a run of a million events, ms | median | 95th | longest |");
    println!("|---|--:|--:|--:|");
    for (place, all) in timed {
        let at = |percent: usize| match all.get(all.len() * percent / 100) {
            Some(ms) => format!("{ms:.1}"),
            None => "-".to_owned(),
        };
        let longest = all.last().map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        println!("| {place} | {} | {} | {longest} |", at(50), at(95));
    }
}

/// ns per event by program, case and round.
type Figures = Vec<Vec<Vec<Option<f64>>>>;

fn measure(programs: &[Program], cases: &[Case], rounds: usize) -> Figures {
    let mut figures = vec![vec![Vec::new(); cases.len()]; programs.len()];
    for _ in 0..rounds {
        for case in cases {
            for (program, figures) in programs.iter().zip(&mut figures) {
                figures[case.index].push((program.measure)(case));
            }
        }
    }
    figures
}

/// The kernel in ns per event; every other program in multiples of the kernel.
fn print_table(programs: &[Program], cases: &[Case], figures: &Figures) {
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    println!("\n| model | {} |", names.join(" | "));
    println!("|---|{}", "--:|".repeat(programs.len()));
    for case in cases {
        let kernel = &figures[0][case.index];
        let mut row = vec![format!("{} {}", case.name, case.n)];
        row.push(
            median(kernel.iter().flatten().copied()).map_or("-".into(), |x| format!("{x:.1} ns")),
        );
        for figures in &figures[1..] {
            let rounds = figures[case.index].iter().zip(kernel);
            let ratios = rounds.filter_map(|(other, kernel)| Some((*other)? / (*kernel)?));
            row.push(median(ratios).map_or("-".into(), |x| format!("x {x:.2}")));
        }
        println!("| {} |", row.join(" | "));
    }
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

// Our own programs.

fn native() -> Outcome<PathBuf> {
    let mut build = cargo();
    build.args(["bench", "--no-default-features", "--bench", "table", "--no-run"]);
    built(&mut build, "\"executable\":\"")
}

fn wasm() -> Outcome<PathBuf> {
    find_program("node").ok_or("node is not on PATH")?;
    let mut build = cargo();
    build.args(["build", "--release", "--package", "bench_wasm"]);
    build.args(["--target", "wasm32-unknown-unknown"]);
    let module = built(&mut build, "bench_wasm.wasm");
    module.map_err(|line| format!("{line}; needs `rustup target add wasm32-unknown-unknown`"))
}

/// Builds, and finds the path with this text in cargo's messages.
fn built(build: &mut Command, mark: &str) -> Outcome<PathBuf> {
    build.arg("--message-format=json-render-diagnostics").stderr(std::process::Stdio::inherit());
    let messages = build.output().map_err(|e| format!("cargo cannot be run: {e}"))?;
    let messages = String::from_utf8_lossy(&messages.stdout);
    let found = messages.lines().rev().find_map(|line| {
        let at = line.find(mark)?;
        // Either the text before the path or a part of the path itself.
        let start = if mark.ends_with('"') { at + mark.len() } else { line[..at].rfind('"')? + 1 };
        let end = start + line[start..].find('"')?;
        Some(PathBuf::from(&line[start..end]))
    });
    found.ok_or_else(|| "the build failed".into())
}

fn cases(native: &Path) -> Outcome<Vec<Case>> {
    let list = output(command(native).arg("list")).ok_or("the models cannot be listed")?;
    let cases = list.lines().enumerate().filter_map(|(index, line)| {
        let (name, n) = line.rsplit_once(' ')?;
        Some(Case { name: name.into(), n: n.into(), index })
    });
    Ok(cases.collect())
}

fn kernel(native: PathBuf) -> Program {
    let measure = move |case: &Case| figure(&run_native(&native, case, EVENTS)?);
    Program { name: "kernel", measure: Box::new(measure) }
}

fn in_node(module: PathBuf) -> Program {
    let measure = move |case: &Case| figure(&run_in_node(&module, case, EVENTS)?);
    Program { name: "in node", measure: Box::new(measure) }
}

fn run_native(native: &Path, case: &Case, n_events: u64) -> Option<String> {
    output(command(native).args([case.index.to_string(), n_events.to_string()]))
}

fn run_in_node(module: &Path, case: &Case, n_events: u64) -> Option<String> {
    let mut node = command("node");
    node.arg("benches/wasm/run.mjs").arg(module);
    output(node.args([case.index.to_string(), n_events.to_string()]))
}

/// The second word from the end; the last is the check.
fn figure(line: &str) -> Option<f64> {
    line.rsplit(' ').nth(1)?.parse().ok()
}

/// Every model ends in the same state natively and in WebAssembly.
fn same_bits(native: &Path, module: &Path, cases: &[Case]) -> Outcome {
    let check =
        |line: Option<String>| line.and_then(|line| Some(line.rsplit_once(' ')?.1.to_owned()));
    for case in cases {
        let here = check(run_native(native, case, 300_000));
        let there = check(run_in_node(module, case, 300_000));
        if here.is_none() || here != there {
            return Err(format!("{} {} differs in WebAssembly", case.name, case.n));
        }
    }
    Ok(())
}

// The programs of others: all take MODEL SIZE EVENTS, where the events of the queueing models are
// customers, and print `"ns": FIGURE`.

type Build = fn(&Path) -> Outcome<Program>;

const PROGRAMS: [(&str, Build); 6] = [
    ("limit", limit),
    ("NeXosim", nexosim),
    ("ns-3 pq", |peers| ns3(peers, "ns-3 pq", "pq")),
    ("ns-3 map", |peers| ns3(peers, "ns-3 map", "map")),
    ("ns-3 tcp", ns3_tcp),
    ("JavaScript", javascript),
];

/// The bare loop in Rust with the same draws: what an engine may at best reach.
fn limit(peers: &Path) -> Outcome<Program> {
    let program = build_crate(peers, "limit", "limit")?;
    let measure = move |case: &Case| {
        let (model, set) = match case.name.as_str() {
            "mm1" | "world-mm1" | "sinks-mm1" => ("mm1zig", "pooled32-64"),
            "tandem" => ("tandemzig", "pooled32-64"),
            "hold" => ("holdzig", "pooled32-64"),
            "timers" => ("timers", "rearm:pooled32-64"),
            _ => return None,
        };
        ns(command(&program).args([model, set, &case.n, &turns(case)?]))
    };
    Ok(Program { name: "limit", measure: Box::new(measure) })
}

fn nexosim(peers: &Path) -> Outcome<Program> {
    let program = build_crate(peers, "nexosim", "peer-nexosim")?;
    Ok(peer("NeXosim", move || command(&program), None))
}

fn ns3(peers: &Path, name: &'static str, scheduler: &'static str) -> Outcome<Program> {
    let folder = copy(peers, "ns3")?;
    let program = folder.join("peer_ns3");
    let mut build = command("g++");
    build.args(["-std=c++17", "-O3", "peer_ns3.cc", "-lns3-core", "-o", "peer_ns3"]);
    if !program.exists() && output(build.current_dir(&folder)).is_none() {
        return Err("it cannot be built; needs g++ and the packages libns3-dev".into());
    }
    Ok(peer(name, move || command(&program), Some(scheduler)))
}

/// One bulk transfer with the segment size, rate and delay of ours; 100 MB of it.
fn ns3_tcp(peers: &Path) -> Outcome<Program> {
    let folder = copy(peers, "ns3")?;
    let program = folder.join("peer_ns3_tcp");
    let mut build = command("g++");
    build.args(["-std=c++17", "-O3", "peer_ns3_tcp.cc", "-lns3-core", "-lns3-network"]);
    build.args(["-lns3-internet", "-lns3-point-to-point", "-lns3-applications"]);
    build.args(["-o", "peer_ns3_tcp"]).current_dir(&folder);
    if !program.exists() && output(&mut build).is_none() {
        return Err("it cannot be built; needs g++ and the packages libns3-dev".into());
    }
    let measure = move |case: &Case| {
        if case.name != "tcp-bulk" {
            return None;
        }
        let line = output(command(&program).arg("100"))?;
        let rate = line.split("\"segments_per_cpu_s\":").nth(1)?;
        let rate: f64 = rate.split([',', '}']).next()?.trim().parse().ok()?;
        Some(1e9 / rate)
    };
    Ok(Program { name: "ns-3 tcp", measure: Box::new(measure) })
}

/// A typed-array heap written by hand: the best that a browser does without WebAssembly.
fn javascript(peers: &Path) -> Outcome<Program> {
    find_program("node").ok_or("node is not on PATH")?;
    let script = peers.join("js/peer_js.cjs");
    if !script.exists() {
        return Err(format!("there is no {}", script.display()));
    }
    let node = move || {
        let mut node = command("node");
        node.arg(&script).arg("hand");
        node
    };
    Ok(peer("JavaScript", node, None))
}

fn peer(
    name: &'static str,
    program: impl Fn() -> Command + 'static,
    after: Option<&'static str>,
) -> Program {
    let measure = move |case: &Case| {
        // Others have one M/M/1; ours is measured at three depths.
        let model = if case.name.ends_with("mm1") { "mm1" } else { case.name.as_str() };
        ns(program().args([model, &case.n, &turns(case)?]).args(after))
    };
    Program { name, measure: Box::new(measure) }
}

/// How many customers, turns or timer events make about as many events as ours; none for models
/// that only we have.
fn turns(case: &Case) -> Option<String> {
    let events_per_turn = match case.name.as_str() {
        "mm1" | "world-mm1" | "sinks-mm1" => 2,
        "tandem" => 11,
        "hold" | "timers" => 1,
        _ => return None,
    };
    Some((EVENTS / events_per_turn).to_string())
}

fn ns(command: &mut Command) -> Option<f64> {
    let line = output(command)?;
    let figure = line.split("\"ns\":").nth(1)?;
    figure.split([',', '}']).next()?.trim().parse().ok()
}

fn build_crate(peers: &Path, name: &str, program: &str) -> Outcome<PathBuf> {
    let folder = copy(peers, name)?;
    let target = root().join("target/peers").join(name);
    let mut build = cargo();
    build.args(["build", "--release", "--quiet", "--target-dir"]).arg(&target);
    // Not our own workspace, and not our settings.
    build.current_dir(&folder).env_remove("CARGO_BUILD_BUILD_DIR");
    match build.status() {
        Ok(status) if status.success() => Ok(target.join("release").join(program)),
        _ => Err(format!("{name} cannot be built")),
    }
}

/// Copies a program's sources, so that building it writes nothing beside them.
fn copy(peers: &Path, name: &str) -> Outcome<PathBuf> {
    let to = root().join("target/peers/src").join(name);
    copy_folder(&peers.join(name), &to)
        .map_err(|e| format!("{} cannot be copied: {e}", peers.join(name).display()))?;
    // The folder lies below our workspace, which it is no part of.
    let manifest = to.join("Cargo.toml");
    if let Ok(text) = std::fs::read_to_string(&manifest) {
        std::fs::write(&manifest, format!("{text}\n[workspace]\n")).map_err(|e| e.to_string())?;
    }
    Ok(to)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
