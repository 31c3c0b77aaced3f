//! Steps: what is being done, by which program, and how long it took.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Any step's answer; the error is one line for people.
pub type Outcome<T = ()> = Result<T, String>;

/// Does one step between a line that names it and a line with its time.
pub fn step<T>(what: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("==> {what}");
    let _ = std::io::stdout().flush();
    let began = Instant::now();
    let done = work()?;
    println!("    {:.1} s", began.elapsed().as_secs_f64());
    Ok(done)
}

/// Says that a step has nothing to do.
pub fn up_to_date(what: &str) {
    println!("==> {what}: up to date");
}

/// Top folder of the checkout that xtask was built from.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// A command that runs in the checkout's top folder.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command whose output people see.
pub fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|e| not_started(command, &e))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs a test runner: its output passes through, and its closing lines are returned.
pub fn run_tests(command: &mut Command) -> Outcome<Vec<String>> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| not_started(command, &e))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut closing = Vec::new();
    std::thread::scope(|scope| {
        let from_err = scope.spawn(|| err.map_or_else(Vec::new, |e| pass_through(e, true)));
        closing.extend(out.map_or_else(Vec::new, |o| pass_through(o, false)));
        closing.extend(from_err.join().unwrap_or_default());
    });
    let status = child.wait().map_err(|e| not_started(command, &e))?;
    if status.success() {
        return Ok(closing);
    }
    Err(format!("`{}` failed ({status}) {}", shown(command), closing.join(" ")))
}

fn pass_through(from: impl Read, to_stderr: bool) -> Vec<String> {
    let mut closing = Vec::new();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if to_stderr {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
        let text = line.trim();
        let is_empty_run = text.contains(" 0 passed") && text.contains("; 0 failed");
        let closes = text.starts_with("test result:") || text.starts_with("Summary [");
        if closes && !is_empty_run {
            closing.push(text.to_owned());
        }
    }
    closing
}

/// What a command prints on stdout, or `None` if it cannot be run or fails.
pub fn output(command: &mut Command) -> Option<String> {
    let out = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Where a program lies on PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    // npm is a script on Windows.
    let script = format!("{name}.cmd");
    std::env::split_paths(&path)
        .flat_map(|folder| [folder.join(&file), folder.join(&script)])
        .find(|p| p.is_file())
}

/// Reads a text file; the error names it.
pub fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

/// Writes a file and the folders above it; the error names it.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Outcome {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| std::fs::write(path, bytes))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, e: &std::io::Error) -> String {
    format!("cannot run {}: {e}", command.get_program().to_string_lossy())
}
