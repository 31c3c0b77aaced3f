//! The rules of the house that the compiler does not hold: layers, lengths, what state may be.
//!
//! It reads the source as text, formatted by rustfmt: a block ends at the first line that holds
//! only its closing bracket at the indent where it began.
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from left to right. A module names only what stands to its left; `web` and `cli` stand
/// side by side. A new arrow is a design decision: change this table in a commit of its own.
const LAYERS: [&str; 8] = ["kernel", "param", "model", "observe", "world", "view", "web", "cli"];
/// The layers that build without browser and command line.
const CORE: [&str; 6] = ["kernel", "param", "model", "observe", "world", "view"];
/// The layers whose types make up the state of a run.
const STATE: [&str; 5] = ["kernel", "param", "model", "observe", "world"];

const MAX_FILE_LINES: usize = 600;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_WIDTH: usize = 100;

/// Types that may hold what state otherwise must not: file, type, reason.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    ("src/kernel/random/ziggurat.rs", "Layer", "a constant table, computed once by libm"),
    ("src/kernel/random/ziggurat.rs", "Tables", "a constant table, computed once by libm"),
    ("src/kernel/queue/far.rs", "Place", "an answer handed on at once, never kept"),
];

struct Source {
    /// Relative to the top folder, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The part before the tests at the file's end.
    fn without_tests(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod tests");
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// First folder, or file without its ending, below `src`.
    fn layer(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src/")?;
        let name = inner.split('/').next()?.trim_end_matches(".rs");
        LAYERS.contains(&name).then_some(name)
    }
}

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        gather(&top().join(folder), &mut found);
    }
    assert!(!found.is_empty());
    found
}

fn gather(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let relative = path.strip_prefix(top()).unwrap().to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
            found.push(Source { path: relative, text });
        }
    }
}

/// Lines with their numbers, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| {
        let comment = line.find("//").filter(|&at| !line[..at].ends_with(':'));
        (i + 1, &line[..comment.unwrap_or(line.len())])
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Names that follow `crate::` in one line, and in the list after `crate::{`.
fn named_modules(text: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    let mut in_list = None;
    for (number, line) in code(text) {
        let mut rest = line;
        if in_list == Some(indent(line)) && line.trim_start().starts_with('}') {
            in_list = None;
        } else if in_list.is_some_and(|outer| indent(line) == outer + 4) {
            named.push((number, first_word(line.trim_start())));
        }
        while let Some(at) = rest.find("crate::") {
            rest = &rest[at + "crate::".len()..];
            let Some(list) = rest.strip_prefix('{') else {
                named.push((number, first_word(rest)));
                continue;
            };
            let items = list.split('}').next().unwrap_or("");
            named.extend(items.split(',').map(|item| (number, first_word(item.trim()))));
            if !list.contains('}') {
                in_list = Some(indent(line));
            }
        }
    }
    named
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Where each function begins, and how many lines it has.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = ["fn ", "pub fn ", "async fn ", "pub async fn ", "const fn ", "pub const fn "];
    let is_start = |line: &str| {
        let line = line.trim_start().trim_start_matches("pub(super) ");
        starts.iter().any(|s| line.trim_start_matches("pub(crate) ").starts_with(s))
    };
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| is_start(line)) {
        let outer = indent(line);
        let end = (i..lines.len()).find(|&j| {
            let ends = if j == i { lines[j].ends_with(['}', ';']) } else { lines[j].trim() == "}" };
            indent(lines[j]) == outer && (ends || lines[j].trim_end().ends_with(");"))
        });
        found.push((i + 1, end.unwrap_or(i) - i + 1));
    }
    found
}

/// Lines that declare fields of structs and enums, with the type's name.
fn fields(text: &str) -> Vec<(usize, String, &str)> {
    let mut found = Vec::new();
    let mut inside: Option<(usize, String)> = None;
    for (number, line) in code(text) {
        let words = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("pub ");
        let name = ["struct ", "enum "].iter().find_map(|s| words.strip_prefix(s));
        if let Some(name) = name {
            if line.contains('(') && line.trim_end().ends_with(';') {
                found.push((number, first_word(name), line));
            } else if line.trim_end().ends_with('{') {
                inside = Some((indent(line), first_word(name)));
            }
            continue;
        }
        match &inside {
            Some((outer, _)) if indent(line) == *outer && line.trim() == "}" => inside = None,
            Some((_, name)) => found.push((number, name.clone(), line)),
            None => {}
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

fn fail_if_any(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn no_test_file_is_forgotten() {
    let list = fs::read_to_string(top().join("tests/native.rs")).unwrap();
    let own = ["native", "alloc"];
    for entry in fs::read_dir(top().join("tests")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".rs") else { continue };
        let listed = list.lines().any(|line| line == format!("mod {stem};"));
        assert!(listed || own.contains(&stem), "tests/native.rs does not list tests/{name}");
    }
}

#[test]
fn a_module_names_only_what_stands_to_its_left() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]) {
        let Some(layer) = source.layer() else { continue };
        let place = |name: &str| LAYERS.iter().position(|l| *l == name);
        for (line, name) in named_modules(&source.text) {
            let is_beside = layer == "cli" && name == "web";
            if place(layer) < place(&name) || is_beside {
                wrong.push(format!("{}:{line}: {layer} names {name}", source.path));
            }
        }
    }
    fail_if_any("arrows that point to the right", wrong);
}

#[test]
fn modules_stand_in_the_order_of_the_layers() {
    let lib = fs::read_to_string(top().join("src/lib.rs")).unwrap();
    let listed: Vec<&str> =
        lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, LAYERS);
}

#[test]
fn the_core_does_no_input_or_output() {
    let banned = [
        "std::fs",
        "std::io",
        "std::env",
        "std::net",
        "std::thread",
        "std::process",
        "std::time",
        "println!",
        "print!",
        "web_sys",
        "js_sys",
        "wasm_bindgen",
        "yew",
        "gloo_timers",
        "clap",
    ];
    let mut wrong = Vec::new();
    for source in sources(&["src"]) {
        if !source.layer().is_some_and(|l| CORE.contains(&l)) {
            continue;
        }
        for (number, line) in code(source.without_tests()) {
            for name in banned.iter().filter(|name| {
                let at = line.find(*name);
                at.is_some_and(|at| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            }) {
                wrong.push(format!("{}:{number}: {name}", source.path));
            }
        }
    }
    fail_if_any("the core reaches outside", wrong);
}

#[test]
fn files_and_functions_and_lines_are_short() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "tests", "xtask/src", "benches"]) {
        let is_test = source.path.starts_with("tests/");
        let lines = source.without_tests().lines().count();
        if !is_test && MAX_FILE_LINES < lines {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
        for (line, length) in functions(&source.text) {
            if MAX_FUNCTION_LINES < length {
                wrong.push(format!("{}:{line}: a function of {length} lines", source.path));
            }
        }
        for (i, line) in source.text.lines().enumerate() {
            let width = line.chars().count();
            // Rustfmt does not break literals, nor should anybody.
            if MAX_WIDTH < width && !line.contains('"') {
                wrong.push(format!("{}:{}: {width} columns", source.path, i + 1));
            }
        }
    }
    fail_if_any("too long", wrong);
}

#[test]
fn state_has_the_same_size_everywhere_and_no_floats() {
    let banned = ["usize", "isize", "f32", "f64", "HashMap", "HashSet"];
    let mut wrong = Vec::new();
    let mut used = Vec::new();
    for source in sources(&["src"]) {
        if !source.layer().is_some_and(|l| STATE.contains(&l)) {
            continue;
        }
        for (number, name, line) in fields(source.without_tests()) {
            let is_this = |e: &&(&str, &str, &str)| e.0 == source.path && e.1 == name;
            for word in banned.iter().filter(|w| has_word(line, w)) {
                match EXCEPTIONS.iter().find(is_this) {
                    Some(exception) => used.push(exception),
                    None => wrong.push(format!("{}:{number}: {name} has a {word}", source.path)),
                }
            }
        }
    }
    fail_if_any("state that differs between machines or runs", wrong);
    for exception in &EXCEPTIONS {
        assert!(used.contains(&exception), "no longer needed: {exception:?}");
    }
}

#[test]
fn no_text_becomes_markup_and_no_style_is_inline() {
    let mut wrong = Vec::new();
    for source in sources(&["src/web"]) {
        for (number, line) in code(source.without_tests()) {
            let markup =
                ["inner_html", "outer_html", "insert_adjacent_html", "from_html_unchecked"];
            for name in markup.iter().filter(|name| line.contains(*name)) {
                wrong.push(format!("{}:{number}: {name}", source.path));
            }
            if line.contains(" style={") || line.contains(" style=\"") {
                wrong.push(format!("{}:{number}: blocked by the page's policy", source.path));
            }
        }
    }
    fail_if_any("unsafe markup", wrong);
}

#[test]
fn shipped_pages_keep_to_the_policy_of_the_server() {
    let server = fs::read_to_string(top().join("src/cli/serve/site.rs")).unwrap();
    let page = fs::read_to_string(top().join("index.html")).unwrap();
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1;
    let policy = policy.split('"').next().unwrap();
    for rule in policy.split("; ") {
        assert!(server.contains(rule), "the server's policy lacks {rule:?}");
    }
    let mut pages = vec![top().join("index.html")];
    let files = fs::read_dir(top().join("static")).unwrap().flatten().map(|f| f.path());
    pages.extend(files.filter(|p| p.extension().is_some_and(|e| e == "html")));
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        for banned in ["<style", " style=", "<script>", " onclick=", " onload=", "=\"/"] {
            assert!(!text.contains(banned), "{}: {banned}", path.display());
        }
    }
}

/// The readers above must see what they are meant to see.
mod readers {
    use super::*;

    #[test]
    fn modules_are_found_alone_and_in_lists() {
        let text = "use crate::world::World;\n// crate::cli\nuse crate::{\n    view::Frame,\n    \
                    web,\n};\nfn f() { crate::cli::main() }\nuse crate::{kernel::x, param};\n";
        let names: Vec<String> = named_modules(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(
            names.iter().map(String::as_str).filter(|n| !n.is_empty()).collect::<Vec<_>>(),
            ["world", "view", "web", "cli", "kernel", "param"]
        );
    }

    #[test]
    fn function_lengths_are_counted_from_signature_to_bracket() {
        let text = "fn a() {}\nimpl X {\n    pub fn b(\n        x: u8,\n    ) -> u8 {\n        \
                    if x {\n        }\n    }\n}\ntrait T {\n    fn c(&self);\n}\n";
        assert_eq!(functions(text), [(1, 1), (3, 6), (11, 1)]);
    }

    #[test]
    fn fields_are_found_in_every_kind_of_type() {
        let text = "pub struct A {\n    n: usize,\n}\nstruct B(f64);\nenum C {\n    \
                    D { x: f32 },\n}\nfn f(n: usize) {}\n";
        let found: Vec<String> = fields(text).into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(found, ["A", "B", "C"]);
    }
}
