//! The command line as a person or a script uses it: the built program, its output, its exit codes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use inflight::model::Cause;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_inflight");

fn inflight(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The output of a command that must succeed and say nothing else.
fn good(args: &[&str]) -> String {
    let output = inflight(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
    assert_eq!(err(&output), "", "{args:?}");
    out(&output)
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&good(args)).unwrap()
}

fn fingerprint(args: &[&str]) -> String {
    json(&[args, &["--json"]].concat())["fingerprint"].as_str().unwrap().to_owned()
}

/// An empty folder of one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn presets() -> Vec<String> {
    let all = json(&["list", "--json"]);
    all.as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect()
}

/// The rows of a CSV file below its heading.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn sum(rows: &[Vec<String>], column: usize) -> u128 {
    rows.iter().map(|row| row[column].parse::<u128>().unwrap()).sum()
}

#[test]
fn every_preset_is_listed_and_runs() {
    let presets = presets();
    assert!(7 <= presets.len(), "{presets:?}");
    let words = good(&["list"]);
    for id in &presets {
        assert!(words.lines().any(|line| line.starts_with(id.as_str())), "{id}");
        let run = json(&["run", id, "--json"]);
        let ledger = |key: &str| run["ledger"][key].as_u64().unwrap();
        assert!(0 < ledger("sent"), "{id}");
        assert_eq!(ledger("sent"), ledger("delivered") + ledger("lost") + ledger("in_flight"));
        assert_eq!(run["latency"]["count"], run["ledger"]["delivered"], "{id}");
        let budget = run["budget"].as_array().unwrap();
        let total: u64 = budget.iter().map(|line| line["sum_ns"].as_u64().unwrap()).sum();
        assert_eq!(run["latency"]["sum_ns"], total, "{id}: the causes make the latency");
    }
}

#[test]
fn the_summary_speaks_both_languages() {
    let en = good(&["run", "competing-consumers"]);
    for word in ["p99.9", "redelivered", "broker queue", "fingerprint", "#v1/competing-consumers"] {
        assert!(en.contains(word), "{word}:\n{en}");
    }
    let zh = good(&["run", "competing-consumers", "--lang", "zh"]);
    for word in ["竞争消费者", "重新投递", "代理队列", "指纹"] {
        assert!(zh.contains(word), "{word}:\n{zh}");
    }
}

#[test]
fn a_change_changes_the_fingerprint_and_a_repetition_does_not() {
    let plain = fingerprint(&["run", "mm1"]);
    assert_eq!(plain.len(), 16);
    assert_eq!(plain, fingerprint(&["run", "mm1"]));
    assert_ne!(plain, fingerprint(&["run", "mm1", "--set", "producer.rate=9/s"]));
    assert_ne!(plain, fingerprint(&["run", "mm1", "--seed", "8"]));
    assert_ne!(plain, fingerprint(&["run", "mm1", "--until", "10s"]));
}

#[test]
fn the_manual_names_every_key_of_the_object() {
    fn keys(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    found.push(key.clone());
                    keys(value, found);
                }
            }
            Value::Array(list) => list.iter().take(20).for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let manual = fs::read_to_string("docs/command-line.md").unwrap();
    let link = out(&inflight(&["link", "mm1", "--at", "5s"]));
    let mut found = Vec::new();
    keys(&json(&["run", link.trim(), "--json"]), &mut found);
    keys(&json(&["run", "consumer-crash-redelivery", "--json"]), &mut found);
    keys(&json(&["list", "--json"]), &mut found);
    for key in found {
        assert!(manual.contains(&format!("`{key}`")), "docs/command-line.md: `{key}`");
    }
}

#[test]
fn the_csv_files_agree_with_the_ledger() {
    for preset in ["competing-consumers", "lost-and-retried"] {
        let dir = folder(&format!("csv-{preset}"));
        good(&["run", preset, "--csv", text(&dir)]);
        let ledger = rows(&dir.join("ledger.csv"));
        let count = |what: &str| -> u128 {
            ledger.iter().find(|row| row[0] == what).unwrap()[1].parse().unwrap()
        };
        let series = rows(&dir.join("series.csv"));
        assert_eq!(sum(&series, 2), count("sent"));
        assert_eq!(sum(&series, 3), count("delivered"));
        assert_eq!(sum(&series, 4), count("lost"));
        assert_eq!(count("sent"), count("delivered") + count("lost") + count("in-flight"));
        let latency = rows(&dir.join("latency.csv"));
        assert_eq!(sum(&latency, 2), count("delivered"));
        let budget = rows(&dir.join("budget.csv"));
        let by_cause: u128 = (12..12 + Cause::COUNT).map(|column| sum(&series, column)).sum();
        assert_eq!(sum(&budget, 2), by_cause, "the series' parts make the budget");
        let trace = rows(&dir.join("trace.csv"));
        let facts = |word: &str| trace.iter().filter(|row| row[1] == word).count() as u128;
        assert_eq!(facts("sent") + facts("copied"), count("sent"));
        let crashes = if preset == "competing-consumers" { 1 } else { 0 };
        assert_eq!(facts("crashed"), crashes);
        let n_facts = json(&["run", preset, "--json"])["facts"].as_u64().unwrap();
        assert_eq!(trace.len() as u64, n_facts, "every fact is there");
        assert!(trace.is_sorted_by_key(|row| row[0].parse::<u64>().unwrap()));
    }
}

#[test]
fn the_trace_ends_where_it_is_told_to_and_says_so() {
    let dir = folder("trace");
    let output = inflight(&["run", "mm1", "--csv", text(&dir), "--trace", "10"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(err(&output).contains("trace.csv ends after 10 facts"), "{}", err(&output));
    assert_eq!(rows(&dir.join("trace.csv")).len(), 10);
}

#[test]
fn results_replace_only_files_of_their_own_names() {
    let dir = folder("own-names");
    let elsewhere = dir.join("precious.txt");
    fs::write(&elsewhere, "precious").unwrap();
    fs::write(dir.join("ledger.csv"), "old").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&elsewhere, dir.join("budget.csv")).unwrap();
    good(&["run", "mm1", "--until", "5s", "--csv", text(&dir), "--svg", text(&dir)]);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
    assert!(fs::read_to_string(dir.join("ledger.csv")).unwrap().starts_with("what,count"));
    let mut names: Vec<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "budget.csv",
        "causes.svg",
        "depth.svg",
        "distribution.svg",
        "latency.csv",
        "latency.svg",
        "ledger.csv",
        "precious.txt",
        "series.csv",
        "throughput.svg",
        "trace.csv",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_link_opens_the_same_run() {
    let set = ["--set", "producer.rate=9/s", "--set", "server.service=90ms", "--seed", "11"];
    let run = json(&[&["run", "mm1", "--until", "40s", "--json"], &set[..]].concat());
    let again = json(&["run", run["link"].as_str().unwrap(), "--json"]);
    assert_eq!(run["fingerprint"], again["fingerprint"]);
    assert_eq!(run["ledger"], again["ledger"]);
    assert_eq!(again["link_fingerprint"]["matches"], true);
    assert_eq!(run["link"], again["link"]);
    // The same by `inflight link`, in the middle of the run.
    let at = [&["link", "mm1", "--until", "40s", "--at", "12.5s"], &set[..]].concat();
    let middle = json(&["run", good(&at).trim(), "--json"]);
    assert_eq!(middle["now_ns"], 12_500_000_000_u64);
    assert_eq!(middle["link_fingerprint"]["matches"], true);
    // And on from there to the end.
    let end = json(&["run", good(&at).trim(), "--until", "40s", "--json"]);
    assert_eq!(end["fingerprint"], run["fingerprint"]);
    assert_eq!(end["link_fingerprint"]["matches"], true);
}

#[test]
fn a_document_of_ones_own_travels_in_its_link() {
    let document = fs::read_to_string("scenarios/funnel.toml").unwrap();
    let document = document.replace("id = \"funnel\"", "id = \"my-own\"");
    let path = folder("document").join("my own.toml");
    fs::write(&path, &document).unwrap();
    let run = json(&["run", text(&path), "--json"]);
    let link = run["link"].as_str().unwrap();
    assert!(link.contains("#v1/~"), "{link}");
    assert_eq!(json(&["run", link, "--json"])["fingerprint"], run["fingerprint"]);
    let mut child = Command::new(PROGRAM)
        .args(["run", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let piped: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(piped["fingerprint"], run["fingerprint"]);
}

#[test]
fn a_fingerprint_that_does_not_match_is_exit_code_1() {
    let link = good(&["link", "mm1", "--at", "5s"]);
    let (start, digits) = link.trim().rsplit_once("f=").unwrap();
    let wrong = format!("{start}f={:08x}", !u32::from_str_radix(digits, 16).unwrap());
    let output = inflight(&["run", &wrong]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("The run differs"), "{}", err(&output));
    assert!(out(&output).contains("but the run has"), "{}", out(&output));
}

#[test]
fn what_a_reader_did_is_carried_out_and_kept() {
    let dir = folder("actions");
    let link = "#v1/mm1?do=2s:crash:server,3s:restart:server&t=10s";
    let run = json(&["run", link, "--json", "--csv", text(&dir)]);
    assert_eq!(json(&["run", run["link"].as_str().unwrap(), "--json"])["ledger"], run["ledger"]);
    let crash: Vec<_> =
        rows(&dir.join("trace.csv")).into_iter().filter(|r| r[1] == "crashed").collect();
    assert_eq!(crash, [["2000000000", "crashed", "", "server", ""]]);
    assert_ne!(fingerprint(&["run", link]), fingerprint(&["run", "#v1/mm1?t=10s"]));
}

#[test]
fn actions_find_their_actors_when_a_group_grows() {
    let dir = folder("grown");
    let link = "#v1/competing-consumers?do=2s:crash:consumer-3&t=5s";
    let set = ["--set", "consumer.count=5", "--set", "consumer-5.service=10ms"];
    good(&[&["run", link, "--csv", text(&dir)], &set[..]].concat());
    let crash = rows(&dir.join("trace.csv")).into_iter().find(|row| row[1] == "crashed").unwrap();
    assert_eq!(crash[3], "consumer-3");
}

#[test]
fn bad_parts_of_a_link_are_named_and_the_rest_opens() {
    let output = inflight(&["run", "#v1/mm1?producer.rte=9/s&t=3s&x=1&seed=5", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    for part in ["producer.rte=9/s", "did you mean `rate`", "x=1"] {
        assert!(err(&output).contains(part), "{part}: {}", err(&output));
    }
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (run["now_ns"].as_u64(), run["scenario"]["seed"].as_u64()),
        (Some(3_000_000_000), Some(5))
    );
}

#[test]
fn recorded_times_are_replayed() {
    let dir = folder("times");
    let times = dir.join("load.csv");
    fs::write(&times, "time,size\n0.5,100\n0.75,100\n1500ms,100\n").unwrap();
    let args = ["run", "mm1", "--times", text(&times), "--of", "producer", "--csv", text(&dir)];
    good(&args);
    let sent: Vec<String> = rows(&dir.join("trace.csv"))
        .into_iter()
        .filter(|row| row[1] == "sent")
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(sent, ["500000000", "750000000", "1500000000"]);
    fs::write(&times, "time\n2\n1\n").unwrap();
    let output = inflight(&args);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("load.csv") && err(&output).contains("ascending"));
}

#[test]
fn pictures_are_well_formed_and_have_words() {
    for lang in ["en", "zh"] {
        let dir = folder(&format!("svg-{lang}"));
        good(&["run", "competing-consumers", "--svg", text(&dir), "--lang", lang]);
        for name in ["latency", "depth", "throughput", "causes", "distribution"] {
            let svg = fs::read_to_string(dir.join(format!("{name}.svg"))).unwrap();
            let words = check_xml(&svg);
            assert!(4 <= words.len(), "{name}: {words:?}");
            assert!(words.iter().all(|word| !word.is_empty()));
            assert!(svg.starts_with("<svg width=\"880\""), "{name}: shown in CSS pixels");
            let chinese = words.iter().any(|w| w.chars().any(|c| '\u{4e00}' <= c));
            assert_eq!(chinese, lang == "zh", "{name}: {words:?}");
        }
    }
}

/// Checks tags, attributes and entities; answers the contents of `<text>`.
fn check_xml(xml: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut words = Vec::new();
    let mut rest = xml.trim();
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').expect("text stands inside an element");
            check_entities(&rest[..end]);
            assert!(!open.is_empty(), "text outside: {}", &rest[..end]);
            if open.last() == Some(&"text") {
                words.push(rest[..end].trim().to_owned());
            }
            rest = &rest[end..];
            continue;
        };
        let end = tag.find('>').expect("a tag ends");
        let (body, after) = (&tag[..end], &tag[end + 1..]);
        assert!(!body.contains('<'), "{body}");
        if let Some(name) = body.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            let name = body.split([' ', '/']).next().unwrap();
            let mut quoted = body.split('"');
            quoted.next();
            while let Some(value) = quoted.next() {
                check_entities(value);
                quoted.next().expect("quotes come in pairs");
            }
            if !body.ends_with('/') {
                open.push(name);
            }
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?}");
    words
}

fn check_entities(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().unwrap();
        let known = ["amp", "lt", "gt", "quot", "apos"].contains(&name) || name.starts_with('#');
        assert!(known && entity.contains(';'), "&{entity}");
    }
}

#[test]
fn a_reader_who_leaves_early_hears_no_complaint() {
    for args in [&["run", "mm1", "--json"][..], &["list"], &["run", "mm1"], &["params"]] {
        let mut child = Command::new(PROGRAM)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((said.as_str(), child.wait().unwrap().code()), ("", Some(0)), "{args:?}");
    }
}

/// A command that must fail with exit code 2, and what it says.
fn bad(args: &[&str]) -> String {
    let output = inflight(args);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert_eq!(out(&output), "", "{args:?}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    said
}

#[test]
fn errors_name_the_place_the_value_and_what_is_allowed() {
    for (args, words) in [
        (&["run", "mm2"][..], &["preset", "`mm2`", "did you mean `mm1`?"][..]),
        (&["run", "nowhere/x.toml"], &["nowhere/x.toml", "cannot read"]),
        (&["run", "mm1", "--set", "producer.rate"], &["--set", "`producer.rate`", "allowed"]),
        (&["run", "mm1", "--set", "producer.rte=1/s"], &["`rte`", "did you mean `rate`?"]),
        (&["run", "mm1", "--set", "producer.rate=9"], &["producer.rate", "`9`", "allowed"]),
        (&["run", "mm1", "--set", "producr.rate=9/s"], &["`producr`", "producer"]),
        (&["run", "mm1", "--seed", "-1"], &["seed"]),
        (&["run", "mm1", "--seed=x"], &["seed", "`x`", "whole number"]),
        (&["run", "mm1", "--until", "40d"], &["until", "`40d`", "30d"]),
        (&["run", "mm1", "--lang", "fr"], &["--lang", "fr", "en, zh"]),
        (&["run", "#v2/mm1"], &["newer"]),
        (&["run", "https://example.org/"], &["example.org", "no link"]),
        (&["run", "#v1/mm2?t=1s"], &["mm2", "did you mean `mm1`?"]),
        (&["run", "#v1/~AAAA"], &["damaged"]),
        (&["run", ""], &["preset"]),
        (&["run", "src"], &["src", "folder"]),
        (&["run", "mm1", "--csv", "Cargo.toml"], &["Cargo.toml", "folder"]),
        (&["run", "mm1", "--trace", "5"], &["--csv"]),
        (&["run", "mm1", "--times", "src"], &["src", "folder"]),
        (&["link", "mm1", "--at", "3min"], &["--at", "`3min`", "0s to 2min"]),
        (&["fly"], &["fly"]),
    ] {
        let said = bad(args);
        for word in words {
            assert!(said.contains(word), "{args:?}: `{word}` in: {said}");
        }
    }
    let said = bad(&["run", "mm2", "--lang", "zh"]);
    assert!(said.contains("没有“mm2”"), "{said}");
}

#[test]
fn bad_documents_are_refused_line_by_line() {
    let dir = folder("bad-documents");
    let path = dir.join("bad.toml");
    let two = "format = 1\n[[actor]]\nid = \"a\"\nkind = \"producr\"\n[[actor]]\nid = \"b\"\n\
               kind = \"consumer\"\nservice = \"5\"\n";
    for (text_of, words) in [
        (&b""[..], &["empty"][..]),
        (b" \n", &["empty"]),
        (b"format = ", &["line 1", "TOML"]),
        (b"title = \"\xff\"", &["0xff", "UTF-8"]),
        (two.as_bytes(), &["bad.toml: line 4", "did you mean `producer`?", "bad.toml: line 8"]),
    ] {
        fs::write(&path, text_of).unwrap();
        let said = bad(&["run", text(&path)]);
        for word in words {
            assert!(said.contains(word), "`{word}` in: {said}");
        }
    }
}

#[test]
fn a_huge_file_is_not_read() {
    let path = folder("huge").join("huge.toml");
    fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let said = bad(&["run", text(&path)]);
    assert!(said.contains("`1073741824 bytes`") && said.contains("262144"), "{said}");
    #[cfg(unix)]
    assert!(bad(&["run", "/dev/zero"]).contains("at most 262144"));
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_are_only_names() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let name = OsStr::from_bytes(b"caf\xe9.toml");
    let run = |args: &[&OsStr]| Command::new(PROGRAM).args(args).output().unwrap();
    let (run_word, set) = (OsStr::new("run"), OsStr::new("--set"));
    assert_eq!(run(&[run_word, name]).status.code(), Some(2));
    assert_eq!(run(&[run_word, OsStr::new("mm1"), set, name]).status.code(), Some(2));
    assert_eq!(run(&[name]).status.code(), Some(2));
    let path = folder("latin").join(name);
    fs::copy("scenarios/mm1.toml", &path).unwrap();
    assert_eq!(run(&[run_word, path.as_os_str()]).status.code(), Some(0));
}

#[test]
fn schema_and_parameters_are_printed_whole() {
    // That the documentation has the same texts is held by `tests/generated.rs`.
    assert_eq!(good(&["params"]).trim_end(), inflight::world::reference::markdown().trim_end());
    assert_eq!(good(&["schema"]).trim_end(), inflight::world::schema::schema().trim_end());
    assert_eq!(json(&["schema"])["type"], "object");
}

#[test]
fn help_has_examples() {
    assert!(good(&["--help"]).contains("Examples:"));
    for command in
        ["list", "run", "link", "lwipopts", "size", "schema", "params", "serve", "validate"]
    {
        assert!(good(&[command, "--help"]).contains("Example"), "{command}");
    }
    assert_eq!(good(&["--version"]).trim(), concat!("inflight ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn sizing_prints_what_is_saved_and_a_link_that_proves_it() {
    let text = good(&["size", "same-latency-three-configs", "--until", "60ms"]);
    for part in ["MEM_SIZE", "bytes saved", "#define MEM_SIZE", "mem-size=", "cubemx"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let link = text.lines().last().expect("a link");
    assert!(good(&["run", link]).contains("delivered"), "{link}");
    let refused = bad(&["size", "mm1"]);
    assert!(refused.contains("stm32"), "{refused}");
}

#[test]
fn crash_says_what_breaks_and_exits_with_1_when_a_promise_does() {
    let small = ["--set", "producer.limit=4"];
    let kept = json(&[&["crash", "exactly-once-producer-id", "--json"], &small[..]].concat());
    let of = |all: &Value, name: &str| {
        let all = all["guarantees"].as_array().unwrap().clone();
        all.into_iter().find(|line| line["guarantee"] == name).unwrap()
    };
    let once = of(&kept, "every effect exactly once");
    assert_eq!((&once["promised"], &once["broken"]), (&Value::from(true), &Value::from(0)));
    assert!(100 < kept["runs"].as_u64().unwrap());

    let volatile = ["crash", "exactly-once-producer-id", "--set", "broker.durable=off"];
    let output = inflight(&[&volatile[..], &small[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let broken: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_ne!(of(&broken, "every effect exactly once")["broken"], 0);
    let examples = broken["counterexamples"].as_array().unwrap();
    let lost = examples.iter().find(|e| e["guarantee"] == "nothing lost").unwrap();
    let run = inflight(&["run", lost["link"].as_str().unwrap(), "--json"]);
    let run: Value = serde_json::from_str(&out(&run)).unwrap();
    assert_eq!(run["ledger"]["lost"], 1, "the link shows what is broken");

    let threads = |n: &str| {
        let mut found = json(
            &[&["crash", "at-least-once-duplicate", "--json", "--threads", n], &small[..]].concat(),
        );
        found["wall_s"] = Value::Null;
        found
    };
    assert_eq!(threads("1"), threads("3"));
}

#[test]
fn a_run_says_whether_promises_hold_and_which_messages_were_lost() {
    let said = good(&["run", "at-most-once"]);
    assert!(said.contains("nothing done twice  kept"), "{said}");
    assert!(said.contains("before them: 89"), "{said}");
    let run = json(&["run", "at-most-once", "--json"]);
    assert_eq!(run["promises"][0]["kept"], true);
    assert_eq!(run["book"]["under_way"], 0);

    let dir = folder("promises");
    let path = dir.join("broken.toml");
    let document = "format = 1\npromise = \"nothing lost\"\n[[actor]]\nid = \"a\"\n\
        kind = \"producer\"\n[[actor]]\nid = \"b\"\nkind = \"broker\"\n[[actor]]\nid = \"c\"\n\
        kind = \"consumer\"\n[[channel]]\nfrom = \"a\"\nto = \"b\"\nloss = \"50%\"\n[[channel]]\n\
        from = \"b\"\nto = \"c\"\n";
    fs::write(&path, document).unwrap();
    let output = inflight(&["run", text(&path)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("nothing lost  broken: "), "{}", out(&output));
    fs::write(&path, document.replace("nothing lost", "nothing lots")).unwrap();
    let output = inflight(&["run", text(&path)]);
    assert_eq!(output.status.code(), Some(2));
    let wrong = err(&output);
    assert!(wrong.contains("line 2: promise: `nothing lots` is not allowed"), "{wrong}");
    assert!(wrong.contains("order per key"), "{wrong}");
}

#[test]
fn a_file_of_options_is_read_checked_and_put_into_a_scenario() {
    let folder = folder("lwipopts");
    let file = folder.join("lwipopts.h");
    let options = "#define TCP_MSS 1460 /* less headers */\n#define MEM_SIZE (8 * 1024)\n\
                   #define TCP_SND_BUF (4 * TCP_MSS)\n#define PBUF_POOL_SIZE 16\n\
                   #define NO_SYS 1\n#define LWIP_NETCONN 0\n#define LWIP_SOCKET 0\n\
                   #define LWIP_TCP_NODELAY 1\n";
    fs::write(&file, options).unwrap();
    let alone = good(&["lwipopts", text(&file)]);
    for said in ["TCP_MSS", "line 1", "tcp_nagle_disable(pcb)", "It builds for the STM32F407."] {
        assert!(alone.contains(said), "{said} in {alone}");
    }
    let host = ["--scenario", "two-boards", "--host", "board-a"];
    let document = good(&[&["lwipopts", text(&file)][..], &host].concat());
    let path = folder.join("changed.toml");
    fs::write(&path, &document).unwrap();
    assert!(document.contains("tcp-mss = \"1460B\""), "{document}");
    let before = fingerprint(&["run", "two-boards"]);
    assert_ne!(fingerprint(&["run", text(&path)]), before, "the output is a document that runs");
    // A value out of range names its line; what does not build is exit code 1.
    fs::write(&file, "#define TCP_MSS 9000\n#define MEM_USE_POOLS 1\n").unwrap();
    let refused = inflight(&["lwipopts", text(&file)]);
    assert_eq!(refused.status.code(), Some(1));
    let problem = "line 1: TCP_MSS: `9000` is not allowed; allowed: 64 to 1460";
    assert!(err(&refused).contains(problem), "{}", err(&refused));
    assert!(out(&refused).contains("#error \"MEM_USE_POOLS requires custom pools"));
    fs::write(&file, "rubbish\n".repeat(30_000)).unwrap();
    let message = bad(&["lwipopts", text(&file)]);
    assert!(message.contains("this is no header file with options"), "{message}");
}
