//! Fuzz targets for what strangers hand us: scenario documents, share links, files of options.
//!
//! Each target takes the shipped scenarios and the golden links apart and puts them together
//! wrongly. Inputs follow from a number, so that a failure repeats: `INFLIGHT_FUZZ_CASE=17`.
//! `INFLIGHT_FUZZ_SECONDS=60` goes on for that long with inputs of which no run has seen any.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]
#![allow(clippy::disallowed_methods, reason = "fuzzing takes a time by the clock")]

use inflight::kernel::{Stream, Streams};
use inflight::world::link::{Link, Source};
use inflight::world::preset;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Inputs for each target in the test command.
const CASES: u64 = 20_000;
/// No input may keep the page waiting; a busy machine is slower than any page.
const LONGEST: Duration = Duration::from_secs(5);
/// Words that mean something somewhere, and numbers at the edge of something.
const DICTIONARY: [&str; 60] = [
    "0",
    "-1",
    "1e308",
    "nan",
    "18446744073709551616",
    "4294967296",
    "99999999d",
    "1ns",
    "0s",
    "1/0",
    "unlimited",
    "none",
    "on",
    "5%",
    "500%",
    "1k/s",
    "64KiB",
    "1M/s",
    "[[actor]]\n",
    "[[channel]]\n",
    "[[fault]]\n",
    "[[knob]]\n",
    "[[host]]\n",
    "[[wire]]\n",
    "count = 64\n",
    "kind = \"broker\"\n",
    "kind = \"ideal\"\n",
    "from = ",
    "id = \"a\"\n",
    "{ en = \"\" }",
    "\"\"\"",
    "'''",
    "\u{feff}",
    "%00",
    "%e4%b8%ad",
    "~",
    "#v1/",
    "v2/",
    "?",
    "&",
    "seed=",
    "t=",
    "do=1s:crash:",
    "f=ffffffff",
    "#define ",
    "#undef ",
    "#if ",
    "#ifdef TCP_MSS\n",
    "#elif ",
    "#else\n",
    "#endif\n",
    "/*",
    "*/",
    "\\\n",
    "(((((",
    "TCP_MSS",
    "LWIP_MIN(",
    "<<63",
    "/0",
    "-1L",
];

#[path = "../fuzz/checks.rs"]
mod checks;
use checks::{check_document, check_link, check_lwipopts};

#[test]
fn no_document_is_fatal() {
    let corpus: Vec<Vec<u8>> =
        preset::ALL.iter().map(|p| p.text.as_bytes().to_vec()).chain(files("tests/bad")).collect();
    fuzz("document", &corpus, check_document);
}

#[test]
fn no_link_is_fatal() {
    let mut corpus: Vec<Vec<u8>> = files("tests/links");
    corpus.extend(preset::ids().map(|id| format!("#v1/{id}?seed=7&t=1.5s").into_bytes()));
    let whole = Link::to(Source::Document(preset::ALL[0].text.to_owned()));
    corpus.push(whole.write().into_bytes());
    fuzz("link", &corpus, check_link);
}

#[test]
fn no_file_of_options_is_fatal() {
    use inflight::model::stm32::lwipopts::samples;
    let texts = [samples::CUBEMX, samples::ARTICLE_DEFAULT, samples::ARTICLE_OPTIMISED];
    let mut corpus: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).into();
    corpus.extend(samples::ROWS.iter().map(|row| row.text().into_bytes()));
    fuzz("lwipopts", &corpus, check_lwipopts);
}

/// What is no file of options at all: noise, a megabyte of it, and brackets without an end.
#[test]
fn rubbish_instead_of_options_is_refused_in_bounded_time() {
    let mut stream = Streams::new(5).stream(inflight::kernel::random::path_hash("rubbish"), 0);
    let mut noise = |n: usize| -> Vec<u8> {
        (0..n).map(|_| u8::try_from(below(&mut stream, 256)).unwrap()).collect()
    };
    let mut inputs: Vec<Vec<u8>> = (0..200).map(|n| noise(n * 13)).collect();
    inputs.push(noise(1 << 20));
    inputs.push(noise(262_144));
    let deep = |open: &str, n: usize| format!("#define TCP_MSS {}1\n", open.repeat(n));
    let doubling = |empty: &str| {
        let step = |n: usize| format!("#define A{n} A{0} A{0}\n", n - 1);
        let all: String = (1..2_000).map(step).collect();
        let uses = "#define B A1999\n#if A1999\n#endif\n".repeat(20);
        format!("#define A0 {empty}\n{all}#define TCP_MSS A1999\n{uses}")
    };
    for text in [
        "x".repeat(1 << 20),
        "#define A 1\n".repeat(21_000),
        "#if 1\n".repeat(40_000),
        deep("(", 200_000),
        deep("-", 200_000),
        deep("1?", 100_000),
        deep("LWIP_MIN(", 20_000),
        format!("#define TCP_MSS {}", "1+".repeat(100_000)),
        doubling(""),
        doubling("1"),
        "/*".repeat(100_000),
        "\\\n".repeat(80_000),
        "\"".repeat(200_000),
    ] {
        inputs.push(text.into_bytes());
    }
    for input in inputs {
        let since = Instant::now();
        check_lwipopts(&input);
        let took = since.elapsed();
        assert!(took < LONGEST, "{took:?}: {}", String::from_utf8_lossy(&input[..80]));
    }
}

/// Contents of all files in a folder of the project, which may not exist.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|f| f.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn fuzz(target: &str, corpus: &[Vec<u8>], check: fn(&[u8])) {
    assert!(!corpus.is_empty());
    let number = |name| std::env::var(name).ok().and_then(|v: String| v.parse::<u64>().ok());
    if let Some(case) = number("INFLIGHT_FUZZ_CASE") {
        let input = mutated(target, corpus, case);
        println!("{}", String::from_utf8_lossy(&input));
        return check(&input);
    }
    let cases = match number("INFLIGHT_FUZZ_SECONDS") {
        Some(_) => u64::MAX,
        None => CASES,
    };
    let began = Instant::now();
    let end = number("INFLIGHT_FUZZ_SECONDS").map(Duration::from_secs);
    let fresh = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = end.map_or(0, |_| fresh.map_or(0, |d| d.as_secs()) << 20);
    for case in first..first.saturating_add(cases) {
        if end.is_some_and(|end| end <= began.elapsed()) {
            break;
        }
        let input = mutated(target, corpus, case);
        let since = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| check(&input)));
        let took = since.elapsed();
        assert!(
            result.is_ok() && took < LONGEST,
            "{target}: case {case} took {took:?}: INFLIGHT_FUZZ_CASE={case} repeats it\n{}",
            String::from_utf8_lossy(&input)
        );
    }
}

/// The input with this number: one of the corpus after up to eight changes.
fn mutated(target: &str, corpus: &[Vec<u8>], case: u64) -> Vec<u8> {
    let mut stream = Streams::new(case).stream(inflight::kernel::random::path_hash(target), 0);
    let mut bytes = corpus[below(&mut stream, corpus.len())].clone();
    for _ in 0..=below(&mut stream, 8) {
        change(&mut bytes, corpus, &mut stream);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], stream: &mut Stream) {
    let at = below(stream, bytes.len() + 1);
    let end = (at + below(stream, 40)).min(bytes.len());
    match below(stream, 8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece = bytes[at..end].to_vec();
            let to = below(stream, bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        3 => {
            let other = &corpus[below(stream, corpus.len())];
            let from = below(stream, other.len() + 1);
            let to = (from + below(stream, 200)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        4 => {
            let flipped = 1 << below(stream, 8);
            bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= flipped);
        }
        5 => swap_number(bytes, at, stream),
        // A word of the subject meets more branches than a random letter.
        _ => {
            let word = DICTIONARY[below(stream, DICTIONARY.len())];
            bytes.splice(at..at, word.bytes());
        }
    }
}

/// Puts a word of the dictionary in place of the next run of digits.
fn swap_number(bytes: &mut Vec<u8>, at: usize, stream: &mut Stream) {
    let word = DICTIONARY[below(stream, DICTIONARY.len())];
    let Some(start) = (at..bytes.len()).find(|&i| bytes[i].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(bytes.len());
    bytes.splice(start..end, word.bytes());
}

fn below(stream: &mut Stream, n: usize) -> usize {
    usize::try_from(stream.below(n as u64)).unwrap()
}
