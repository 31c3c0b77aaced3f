//! What a command is about: a preset, a document, standard input or a link, with `--set` on top.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use clap::Args;

use crate::kernel::SimTime;
use crate::param::{Lang, Param, Spans, nearest};
use crate::world::document;
use crate::world::link::{Link, Notice, Opened, Source};
use crate::world::preset;
use crate::world::problem::Problem;
use crate::world::scenario::Scenario;

/// Longest list of times that is read, in bytes.
const LONGEST_TIMES: u64 = 8 << 20;

/// Changes to a scenario before its start.
#[derive(Debug, Default, Args)]
pub struct Changes {
    /// Change a parameter before the start; may be given again. `inflight params` lists them.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Change the seed of all random draws.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<String>,
    /// End the run at this simulated time: 10s, 250ms, 2min.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Send at the times in the first column of this CSV file: with a unit, or in seconds.
    #[arg(long, value_name = "FILE.csv")]
    pub times: Option<std::path::PathBuf>,
    /// Which producer sends at the times of `--times`.
    #[arg(long, value_name = "PRODUCER", default_value = "producer", requires = "times")]
    pub of: String,
}

/// What a command starts from.
pub struct Start {
    /// The scenario, what was done to it, and where it comes from.
    pub opened: Opened,
    /// The instant that a link shows, if it says one.
    pub shown: Option<SimTime>,
    /// Whether seed or parameters are other than the link's.
    pub changed: bool,
    /// What of a link was left out.
    pub notices: Vec<String>,
}

/// Opens what `text` names and applies the changes; errors are for people, a line each.
pub fn open(text: &OsStr, changes: &Changes, lang: Lang) -> Result<Start, String> {
    let mut link = link_to(text, lang)?;
    let opened = link.open().map_err(|notices| say_all(&notices, lang))?;
    let mut scenario = opened.scenario;
    let mut wanted = wanted(changes, lang)?;
    // Sizes of groups first: others may speak of members that only then exist.
    wanted.sort_by_key(|(path, _)| !path.ends_with(".count"));
    for (path, value) in wanted {
        scenario.set(&path, &value).map_err(|problem| {
            let file = changes.times.as_ref().filter(|_| path == format!("{}.times", changes.of));
            let place = file.map(|file| format!("{}: ", file.display())).unwrap_or_default();
            place + &problem.say(lang)
        })?;
        match path.as_str() {
            "seed" => link.seed = Some(scenario.seed),
            _ => link.sets.push((path, value)),
        }
    }
    if changes.until.is_some() && link.shown.is_some_and(|shown| scenario.until < shown) {
        link.shown = None;
        link.fingerprint = None;
    }
    // Opened anew with all changes, so that actions name the actors that are there now.
    let opened = link.open().map_err(|notices| say_all(&notices, lang))?;
    let notices = opened.notices.iter().map(|notice| notice.say(lang)).collect();
    let changed = !changes.set.is_empty() || changes.seed.is_some() || changes.times.is_some();
    Ok(Start { opened, shown: link.shown, changed, notices })
}

/// The changes as paths and texts, in their order.
fn wanted(changes: &Changes, lang: Lang) -> Result<Vec<(String, String)>, String> {
    let mut wanted = Vec::new();
    for pair in &changes.set {
        let Some((path, value)) = pair.split_once('=') else {
            return Err(match lang {
                Lang::En => format!(
                    "--set: `{pair}` is not allowed; allowed: a key, `=` and a value, such as \
                     producer.rate=90/s"
                ),
                Lang::Zh => {
                    format!("--set：不允许“{pair}”；允许：键=值，如 producer.rate=90/s")
                }
            });
        };
        wanted.push((path.trim().to_owned(), value.trim().to_owned()));
    }
    for (path, value) in [("seed", &changes.seed), ("until", &changes.until)] {
        wanted.extend(value.iter().map(|value| (path.to_owned(), value.clone())));
    }
    if let Some(file) = &changes.times {
        let bytes = read_file(file, LONGEST_TIMES)?;
        let place = file.display();
        let text = String::from_utf8(bytes).map_err(|error| format!("{place}: {error}"))?;
        let times = Spans::from_csv(&text).map_err(|r| format!("{place}: {}", r.say(lang)))?;
        let of = &changes.of;
        wanted.push((format!("{of}.arrivals"), "times".to_owned()));
        wanted.push((format!("{of}.times"), times.show()));
    }
    Ok(wanted)
}

fn link_to(text: &OsStr, lang: Lang) -> Result<Link, String> {
    let path = Path::new(text);
    let Some(word) = text.to_str() else { return of_file(path, lang) };
    if word == "-" {
        let stdin = io::stdin().lock();
        let bytes = read_all(stdin, document::LONGEST as u64);
        let bytes = bytes.map_err(|error| format!("standard input: {error}"))?;
        return of_document(&bytes, "standard input", lang);
    }
    if is_link(word) {
        return of_link(word, lang);
    }
    if preset::find(word).is_some() {
        return Ok(Link::to(Source::Preset(word.to_owned())));
    }
    let like_a_file = word.ends_with(".toml") || word.contains(['/', '\\']);
    if like_a_file || path.exists() {
        return of_file(path, lang);
    }
    Err(unknown_preset(word, lang))
}

fn unknown_preset(word: &str, lang: Lang) -> String {
    let problem = Problem::unknown(None, "preset", word, preset::ids());
    let problem = Problem { hint: nearest(word, preset::ids()).map(str::to_owned), ..problem };
    problem.say(lang)
}

/// Whether a word is a link: an address, or a fragment that begins with a version.
pub fn is_link(word: &str) -> bool {
    let version = |text: &str| {
        let digits = text.strip_prefix('v').map_or("", |rest| rest.split('/').next().unwrap_or(""));
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && text.contains('/')
    };
    let fragment = word.split_once('#').is_some_and(|(_, fragment)| version(fragment));
    let address = word.starts_with("http://") || word.starts_with("https://");
    fragment || address || version(word) && !Path::new(word).exists()
}

/// A link; when nothing can be opened, all that is the matter with it.
fn of_link(word: &str, lang: Lang) -> Result<Link, String> {
    let (link, notices) = Link::parse(word);
    if link.source == Source::Nothing {
        return Err(say_all(&notices, lang));
    }
    // What is merely left out is said beside the output.
    notices.iter().for_each(|notice| crate::cli::out::notice(&notice.say(lang)));
    Ok(link)
}

fn say_all(notices: &[Notice], lang: Lang) -> String {
    notices.iter().map(|notice| notice.say(lang)).collect::<Vec<_>>().join("\n")
}

fn of_file(path: &Path, lang: Lang) -> Result<Link, String> {
    let bytes = read_file(path, document::LONGEST as u64)?;
    of_document(&bytes, &path.display().to_string(), lang)
}

fn of_document(bytes: &[u8], place: &str, lang: Lang) -> Result<Link, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(match lang {
            Lang::En => format!("{place}: it is empty; allowed: a scenario document in TOML"),
            Lang::Zh => format!("{place}：文件为空；允许：TOML 场景文档"),
        });
    }
    let all = |problems: Vec<Problem>| {
        let line = |problem: &Problem| format!("{place}: {}", problem.say(lang));
        problems.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    Scenario::parse_bytes(bytes).map_err(all)?;
    let text = String::from_utf8_lossy(bytes).into_owned();
    Ok(Link::to(Source::Document(text)))
}

/// Reads a file that has at most `limit` bytes; a longer one is not read at all.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let fail = |error: io::Error| format!("{}: cannot read this file: {error}", path.display());
    let about = fs::metadata(path).map_err(fail)?;
    if about.is_dir() {
        return Err(format!("{}: this is a folder; allowed: a file", path.display()));
    }
    if limit < about.len() {
        return Err(format!("{}: {}", path.display(), too_long(about.len(), limit)));
    }
    read_all(File::open(path).map_err(fail)?, limit).map_err(fail)
}

/// Reads to the end, or to one byte above the limit, which is an error.
fn read_all(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if limit < bytes.len() as u64 {
        return Err(io::Error::other(format!("more than {limit} bytes; allowed: at most {limit}")));
    }
    Ok(bytes)
}

fn too_long(length: u64, limit: u64) -> String {
    format!("`{length} bytes` is not allowed; allowed: at most {limit} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_from_names() {
        for link in ["#v1/mm1", "v1/mm1?seed=2", "https://x.example/#v1/mm1", "x/?embed=1#v9/~a"] {
            assert!(is_link(link), "{link}");
        }
        for name in ["mm1", "v1", "a#b.toml", "./mm1", "scenarios/mm1.toml", "value/1.toml", ""] {
            assert!(!is_link(name), "{name}");
        }
    }
}
