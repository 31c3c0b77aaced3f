//! The static site: the page's wasm and glue, `index.html` and `static/`, ready to be served.
//!
//! Files that `index.html` loads carry a hash of their content in their names, so that a server
//! may let browsers keep them for ever. Every address is relative: the site works below any path.

use crate::step::{
    Outcome, cargo, command, find_program, read, root, run, step, up_to_date, write,
};
use crate::tools;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// What a first visit may cost after gzip, in bytes: a ratchet above what it costs today, to be
/// lowered whenever the page shrinks. The aim is 350 000; `docs/architecture.md` says what weighs.
const BUDGET_GZIP_BYTES: usize = 1_115_000;
/// Below this size a compressed twin saves nothing.
const LEAST_COMPRESSED_BYTES: usize = 600;
const GLUE: &str = "inflight.js";
const WASM: &str = "inflight_bg.wasm";

/// `cargo xtask serve`.
pub fn serve(args: &[&str]) -> Outcome {
    let (port, opens) = serve_options(args)?;
    // Said before the build, not after it.
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| {
        format!("port {port} cannot be used ({e}): choose another with --port, or 0 for any")
    })?;
    let site = build(&root().join("target/site"))?;
    if let Err(line) = site.within_budget() {
        println!("==> {line}");
    }
    let server = step("the command line", || native_binary(false))?;
    let mut serve = command(server);
    serve.arg("serve").arg("--root").arg(site.folder).arg("--port").arg(port.to_string());
    if opens && port != 0 {
        open_browser(port);
    }
    run(&mut serve)
}

/// `cargo xtask dist`.
pub fn dist() -> Outcome {
    let site = build(&root().join("dist"))?;
    println!("The site is in {}: copy it to any web server, at any path.", site.folder.display());
    site.within_budget()
}

fn serve_options(args: &[&str]) -> Outcome<(u16, bool)> {
    let (mut port, mut opens) = (8080, true);
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        let value = match (arg, arg.strip_prefix("--port=")) {
            ("--no-open", _) => {
                opens = false;
                continue;
            }
            ("--port", _) => args.next().copied(),
            (_, Some(value)) => Some(value),
            _ => return Err(format!("serve has no option {arg}; it has --port N and --no-open")),
        };
        let value = value.ok_or("--port needs a number")?;
        port = value.parse().map_err(|_| format!("--port {value}: allowed are 0 to 65535"))?;
    }
    Ok((port, opens))
}

/// Builds the command `inflight` and says where it lies: for `serve` without the page's
/// dependencies, for tests as the native tests before them have left it.
pub fn native_binary(is_for_tests: bool) -> Outcome<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--bin", "inflight"]);
    if is_for_tests {
        // The same packages as in the tests, so that dependencies have the same features.
        build.args(["--workspace", "--exclude", "inflight-browser-tests"]);
    } else {
        build.args(["--no-default-features", "--features", "cli"]);
    }
    build.args(["--message-format", "json-render-diagnostics"]);
    let out = build.stderr(std::process::Stdio::inherit()).output();
    let out = out.map_err(|e| format!("cannot run cargo: {e}"))?;
    if !out.status.success() {
        return Err("the command `inflight` does not build; cargo's message above says why".into());
    }
    let messages = String::from_utf8_lossy(&out.stdout);
    let found =
        messages.rsplit_once("\"executable\":\"").and_then(|(_, rest)| rest.split('"').next());
    found.map(|path| PathBuf::from(path.replace("\\\\", "\\"))).ok_or_else(|| {
        "cargo did not say where `inflight` lies: `cargo build` should tell more".to_owned()
    })
}

fn open_browser(port: u16) {
    let has_screen = cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|v| std::env::var_os(v).is_some());
    let opener = ["xdg-open", "open", "explorer"].into_iter().find_map(find_program);
    if let (true, Some(opener)) = (has_screen, opener) {
        // The server starts within milliseconds, a browser does not.
        let _ = command(opener).arg(format!("http://127.0.0.1:{port}/")).spawn();
    }
}

/// A built site.
pub struct Site {
    /// Where its files are.
    pub folder: PathBuf,
    /// What a first visit costs after gzip.
    first_visit_bytes: usize,
}

impl Site {
    /// Fails when a first visit costs more than the budget.
    pub fn within_budget(&self) -> Outcome {
        if self.first_visit_bytes <= BUDGET_GZIP_BYTES {
            return Ok(());
        }
        Err(format!(
            "a first visit costs {} bytes after gzip, above the budget of {BUDGET_GZIP_BYTES}: the \
             table of sizes shows which file grew",
            self.first_visit_bytes
        ))
    }
}

/// Builds the whole site into `out`.
pub fn build(out: &Path) -> Outcome<Site> {
    tools::set_up()?;
    let modules = tools::node_modules();
    let pkg = root().join("target/pkg");
    step("the page: compile to wasm (release)", || wasm_pack(&pkg))?;
    let wasm = optimised(&pkg, modules.as_deref())?;
    let folder = out.to_path_buf();
    let first_visit_bytes =
        step(&format!("the site: {}", out.display()), || assemble(&pkg, &wasm, out))?;
    Ok(Site { folder, first_visit_bytes })
}

fn wasm_pack(pkg: &Path) -> Outcome {
    let bin = tools::folder().join("bin").join("wasm-pack");
    let mut build = command(bin);
    build.env("PATH", tools::path());
    build.args(["--log-level", "error", "build", "--target", "web", "--mode", "no-install"]);
    build.args(["--release", "--no-pack", "--no-typescript", "--out-name", "inflight"]);
    build.arg("--out-dir").arg(pkg);
    build.args(["--", "--locked", "--no-default-features", "--features", "web"]);
    run(&mut build)
}

/// The page's wasm after wasm-opt, or as it is where there is none.
fn optimised(pkg: &Path, modules: Option<&Path>) -> Outcome<Vec<u8>> {
    let from = pkg.join(WASM);
    let raw = read_bytes(&from)?;
    let Some(modules) = modules else { return Ok(raw) };
    let to = pkg.join("optimised.wasm");
    let stamp = pkg.join("optimised.stamp");
    let how = tools::WASM_OPT.join(" ");
    let mark = format!("{} {} {how}", hash(&raw), hash(include_bytes!("../package.json")));
    if to.is_file() && read(&stamp).is_ok_and(|s| s == mark) {
        up_to_date("wasm-opt -Oz");
    } else {
        step("wasm-opt -Oz", || {
            tools::wasm_opt(modules, &from, &to)?;
            write(&stamp, mark)
        })?;
    }
    read_bytes(&to)
}

/// Writes all files of the site, removes what no longer belongs to it, and says what a visit costs.
fn assemble(pkg: &Path, wasm: &[u8], out: &Path) -> Outcome<usize> {
    let mut files = BTreeMap::new();
    gather(&root().join("static"), "", &mut files)?;
    files.insert(GLUE.to_owned(), read_bytes(&pkg.join(GLUE))?);
    files.insert(WASM.to_owned(), wasm.to_vec());
    let first_load = hash_names(&mut files)?;
    let mut twins = BTreeMap::new();
    for (name, bytes) in &files {
        twins.insert(name.clone(), place(out, name, bytes)?);
    }
    remove_others(out, out, &|name| {
        let plain = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz"));
        files.contains_key(name) || plain.is_some_and(|p| twins.get(p) == Some(&true))
    })?;
    Ok(report(out, &files, &first_load))
}

/// All files below `folder`, with `/` in their names.
fn gather(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Outcome {
    let entries = std::fs::read_dir(folder)
        .map_err(|e| format!("cannot read the folder {}: {e}", folder.display()))?;
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            gather(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, read_bytes(&entry.path())?);
        }
    }
    Ok(())
}

/// Gives every file that `index.html` loads a name with its hash, and returns those names.
///
/// A file is hashed after the addresses inside it were replaced: first the wasm and the glue, then
/// scripts that import them, then the page.
fn hash_names(files: &mut BTreeMap<String, Vec<u8>>) -> Outcome<Vec<String>> {
    let mut page = read(&root().join("index.html"))?;
    let named = addresses(&page);
    if let Some(missing) = named.iter().find(|name| !files.contains_key(*name)) {
        return Err(format!("index.html names ./{missing}, but static/ has no such file"));
    }
    let mut renamed: Vec<(String, String)> = Vec::new();
    let is_built = |name: &&String| *name == WASM || *name == GLUE;
    let (built, others): (Vec<&String>, Vec<&String>) = named.iter().partition(is_built);
    for name in built.into_iter().chain(others) {
        let mut bytes = files.remove(name).unwrap_or_default();
        if name.ends_with(".js") && name != GLUE {
            bytes = rename(&String::from_utf8_lossy(&bytes), &renamed).into_bytes();
        }
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let hashed = format!("{stem}.{}.{extension}", hash(&bytes));
        files.insert(hashed.clone(), bytes);
        renamed.push((name.clone(), hashed));
    }
    // Other pages of the site share some of these files.
    for (_, bytes) in files.iter_mut().filter(|(name, _)| name.ends_with(".html")) {
        *bytes = rename(&String::from_utf8_lossy(bytes), &renamed).into_bytes();
    }
    page = rename(&page, &renamed);
    let mut first_load = vec!["index.html".to_owned()];
    first_load.extend(renamed.into_iter().map(|(_, hashed)| hashed));
    files.insert("index.html".to_owned(), page.into_bytes());
    Ok(first_load)
}

/// What `href="./x"`, `src="./x"` and `data-worker="./x"` name in a page, each once.
fn addresses(page: &str) -> Vec<String> {
    let mut named = Vec::new();
    for start in ["href=\"./", "src=\"./", "data-worker=\"./"] {
        for rest in page.split(start).skip(1) {
            let name = rest.split('"').next().unwrap_or("").to_owned();
            if !name.is_empty() && !named.contains(&name) {
                named.push(name);
            }
        }
    }
    named
}

fn rename(text: &str, renamed: &[(String, String)]) -> String {
    renamed.iter().fold(text.to_owned(), |text, (old, new)| {
        text.replace(&format!("\"./{old}\""), &format!("\"./{new}\""))
    })
}

/// FNV-1a, 64 bits: names differ when contents do; nobody attacks them.
fn hash(bytes: &[u8]) -> String {
    let mix = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// Writes a file and its compressed twins unless they are there; says whether it has twins.
fn place(out: &Path, name: &str, bytes: &[u8]) -> Outcome<bool> {
    let path = out.join(name);
    let is_text = ["html", "js", "css", "wasm", "svg", "json", "toml", "txt", "csv", "md"]
        .iter()
        .any(|extension| name.ends_with(&format!(".{extension}")));
    let has_twins = is_text && LEAST_COMPRESSED_BYTES <= bytes.len();
    let (br, gz) = (twin(&path, ".br"), twin(&path, ".gz"));
    let is_placed = std::fs::read(&path).is_ok_and(|old| old == bytes);
    if is_placed && (!has_twins || (br.is_file() && gz.is_file())) {
        return Ok(has_twins);
    }
    write(&path, bytes)?;
    if has_twins {
        // After the file itself: the server passes over twins that are older.
        write(&gz, gzip(bytes))?;
        write(&br, brotli(bytes))?;
    }
    Ok(has_twins)
}

fn twin(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    {
        let mut encoder = brotli::CompressorWriter::new(&mut out, 64 * 1024, 11, 22);
        let _ = encoder.write_all(bytes);
    }
    out
}

/// Removes files of earlier builds below `folder`.
fn remove_others(out: &Path, folder: &Path, belongs: &dyn Fn(&str) -> bool) -> Outcome {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            remove_others(out, &path, belongs)?;
            // Only succeeds, and only should, when it became empty.
            let _ = std::fs::remove_dir(&path);
            continue;
        }
        let name = path.strip_prefix(out).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if !belongs(&name) {
            std::fs::remove_file(&path)
                .map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
        }
    }
    Ok(())
}

/// Prints sizes, and returns what a first visit costs after gzip.
fn report(out: &Path, files: &BTreeMap<String, Vec<u8>>, first_load: &[String]) -> usize {
    println!("    {:<44} {:>9} {:>9} {:>9}", "file (bytes)", "raw", "gzip", "brotli");
    let mut total = [0; 3];
    for (name, bytes) in files {
        let size =
            |suffix| std::fs::metadata(twin(&out.join(name), suffix)).map(|m| m.len() as usize);
        let raw = bytes.len();
        let sizes = [raw, size(".gz").unwrap_or(raw), size(".br").unwrap_or(raw)];
        println!("    {name:<44} {:>9} {:>9} {:>9}", sizes[0], sizes[1], sizes[2]);
        if first_load.contains(name) {
            (0..3).for_each(|i| total[i] += sizes[i]);
        }
    }
    println!("    {:<44} {:>9} {:>9} {:>9}", "first visit", total[0], total[1], total[2]);
    total[1]
}

fn read_bytes(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_the_page_get_the_hashed_names() {
        let page = r#"<link href="./a.css"><script src="./boot.js"></script><a href="./">x</a>"#;
        assert_eq!(addresses(page), ["a.css", "boot.js"]);
        let renamed = [("a.css".to_owned(), "a.00.css".to_owned())];
        assert!(rename(page, &renamed).contains(r#"href="./a.00.css""#));
        assert!(rename(page, &renamed).contains(r#"href="./""#));
    }

    #[test]
    fn the_hash_is_sixteen_digits_as_the_server_expects() {
        assert_eq!(hash(b""), "cbf29ce484222325");
        assert_eq!(hash(b"a"), "af63dc4c8601ec8c");
    }

    #[test]
    fn serve_takes_a_port_in_both_forms() {
        assert_eq!(serve_options(&["--port", "9000"]), Ok((9000, true)));
        assert_eq!(serve_options(&["--no-open", "--port=0"]), Ok((0, false)));
        assert!(serve_options(&["--port", "70000"]).is_err());
        assert!(serve_options(&["--prot"]).is_err());
    }
}
