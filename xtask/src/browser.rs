//! Chromium, its driver and the built page's server, for the browser tests.

use crate::step::{Outcome, command, find_program, output, run, step, up_to_date};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What Debian calls the three things that are needed.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-wqy-microhei"];

/// Programs that the browser tests need.
pub struct Programs {
    /// Chromium or Chrome.
    pub browser: PathBuf,
    /// ChromeDriver of the same version.
    pub driver: PathBuf,
}

/// Finds the programs and a Chinese font; installs them where that is allowed.
pub fn set_up() -> Outcome<Programs> {
    if let Some(programs) = find().filter(|_| has_chinese_font()) {
        up_to_date("Chromium, ChromeDriver and a Chinese font");
        return Ok(programs);
    }
    install("Chromium, ChromeDriver and a Chinese font", &PACKAGES)?;
    find().ok_or_else(|| "Chromium was installed, but is not on PATH: add it there".to_owned())
}

/// Wireshark's tshark reads our captures; where it may not be installed, its test looks at the
/// file's shape only.
pub fn set_up_tshark() {
    if find_program("tshark").is_none() && install("tshark", &["tshark"]).is_err() {
        up_to_date("no tshark: captures are not read by it");
    }
}

/// npm brings axe-core, which checks accessibility.
pub fn set_up_npm() -> Outcome {
    if find_program("npm").is_some() {
        return Ok(());
    }
    install("npm", &["npm"])
}

fn find() -> Option<Programs> {
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let browser = names.into_iter().find_map(find_program)?;
    Some(Programs { browser, driver: find_program("chromedriver")? })
}

fn has_chinese_font() -> bool {
    if cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    output(command("fc-list").args([":lang=zh", "family"])).is_some_and(|list| !list.is_empty())
}

fn install(what: &str, packages: &[&str]) -> Outcome {
    let is_root = output(command("id").arg("-u")).is_some_and(|id| id == "0");
    let list = packages.join(" ");
    let (true, Some(apt)) = (is_root, find_program("apt-get")) else {
        return Err(format!(
            "{what} must be installed for this; on Debian as root: `apt-get install {list}`"
        ));
    };
    step(&format!("install {list}"), || {
        run(command(&apt).args(["update", "-qq"]))?;
        let mut install = command(&apt);
        install.env("DEBIAN_FRONTEND", "noninteractive");
        run(install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
    })
}

/// A process that says on stdout where it listens; ended when this is dropped.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Server {
    /// `inflight serve` for a built site.
    pub fn page(binary: &Path, site: &Path) -> Outcome<Server> {
        let mut serve = command(binary);
        serve.arg("serve").arg("--root").arg(site).args(["--port", "0"]);
        Server::start(serve, "http://127.0.0.1:", "/")
    }

    /// ChromeDriver on a free port.
    pub fn driver(programs: &Programs) -> Outcome<Server> {
        let mut driver = command(&programs.driver);
        driver.arg("--port=0");
        Server::start(driver, "was started successfully on port ", ".")
    }

    /// Starts a program and reads its port, which stands between `before` and `after`.
    fn start(mut program: Command, before: &str, after: &str) -> Outcome<Server> {
        let shown = program.get_program().to_string_lossy().into_owned();
        program.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = program.spawn().map_err(|e| format!("cannot start {shown}: {e}"))?;
        let port = child.stdout.take().and_then(|out| read_port(out, before, after));
        let url = port.map(|port| format!("http://127.0.0.1:{port}"));
        let server = Server { child, url: url.clone().unwrap_or_default() };
        url.map(|_| server).ok_or_else(|| format!("{shown} ended without saying its port"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_port(out: ChildStdout, before: &str, after: &str) -> Option<u16> {
    let mut out = BufReader::new(out);
    let mut line = String::new();
    while 0 < out.read_line(&mut line).ok()? {
        let port = line.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        if let Some(port) = port.and_then(|(port, _)| port.parse().ok()) {
            // A full pipe would stop the program.
            std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
            return Some(port);
        }
        line.clear();
    }
    None
}
