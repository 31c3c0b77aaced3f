//! `inflight validate DIR`: replays records of reality and says which the models reproduce.
//!
//! A record is a JSON file with a `schema`; each schema has one replayer in [`REPLAYERS`].
//! What nothing here can replay counts as not covered, never as passed.
//! A file that cannot be read as what it claims to be counts as failed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::progress::Counter;

pub mod amqp;
pub mod extras;
pub mod group;
pub mod log;
pub mod lwip;
pub mod linux_tcp;
pub mod machines;
pub mod queueing;
mod read;
pub mod redis;
pub mod timing;

/// Largest record that is read.
const FILE_BYTES_LIMIT: u64 = 256 << 20;
/// Deepest folder below the given one.
const DEPTH_LIMIT: u32 = 32;
/// Longest reason that is printed, in characters.
const REASON_CHARS: usize = 300;

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The model did what the record says.
    Passed,
    /// It did something else, or the record is broken; says what and where.
    Failed(String),
    /// The record needs something that is not modelled; says what.
    NotCovered(String),
}

/// One case of a record with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its id inside the record.
    pub id: String,
    /// The row of the summary that it belongs to.
    pub group: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was measured, in a few words; may be empty.
    pub note: String,
    /// The same for machines; may be null.
    pub details: Value,
}

impl Case {
    /// A case without measurements.
    pub fn new(id: impl Into<String>, group: impl Into<String>, verdict: Verdict) -> Case {
        let (id, group) = (id.into(), group.into());
        Case { id, group, verdict, note: String::new(), details: Value::Null }
    }
}

/// Replays all cases of one record; the record is a JSON object with the replayer's schema.
#[derive(Clone, Copy)]
pub enum Replayer {
    /// All at once: it takes no time.
    Whole(fn(&Value) -> Vec<Case>),
    /// Case after case: each may take a while.
    Each(fn(&Value, &mut dyn FnMut(Case))),
}

use Replayer::{Each, Whole};

/// Which schema is replayed by whom.
pub const REPLAYERS: &[(&str, Replayer)] = &[
    (amqp::SCHEMA, Whole(amqp::replay)),
    (extras::SCHEMA, Whole(extras::replay)),
    (group::ASSIGN_SCHEMA, Whole(group::replay_assign)),
    (group::COMMIT_SCHEMA, Whole(group::replay_commit)),
    (group::REBALANCE_SCHEMA, Whole(group::replay_rebalance)),
    (group::ROCKET_SCHEMA, Whole(group::replay_rocket)),
    (log::DEFAULTS_SCHEMA, Whole(log::replay_defaults)),
    (log::EPOCHS_SCHEMA, Whole(log::replay_epochs)),
    (log::HASH_SCHEMA, Whole(log::replay_hash)),
    (log::PRODUCER_SCHEMA, Whole(log::replay_producer)),
    (log::REPLICATION_SCHEMA, Whole(log::replay_replication)),
    (log::RULES_SCHEMA, Whole(log::replay_rules)),
    (lwip::SCHEMA, Whole(lwip::replay)),
    (lwip::unit::HEAP_SCHEMA, Whole(lwip::unit::replay_heap)),
    (lwip::unit::PBUF_SCHEMA, Whole(lwip::unit::replay_pbuf)),
    (linux_tcp::SCHEMA, Whole(linux_tcp::replay)),
    (machines::SCHEMA, Whole(machines::replay)),
    (queueing::SCHEMA, Each(queueing::replay)),
    (redis::SCHEMA, Whole(redis::replay)),
    (timing::SCHEMA, Whole(timing::replay)),
];

/// A case with the file that it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file, relative to the given folder.
    pub file: String,
    /// The case.
    pub case: Case,
}

/// How many cases ended how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    /// Cases that passed.
    pub passed: u32,
    /// Cases that failed.
    pub failed: u32,
    /// Cases that need what is not modelled.
    pub not_covered: u32,
}

impl Tally {
    /// Counts one more case.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::NotCovered(_) => self.not_covered += 1,
        }
    }
}

/// Runs the command: prints as it goes, and answers 1 when any case failed.
///
/// `Err` is one line for people: the folder cannot be read.
pub fn validate(root: &Path, as_json: bool) -> Result<ExitCode, String> {
    let files = find_records(root)?;
    match print(root, &files, as_json, &mut io::stdout().lock()) {
        Ok(tally) if 0 < tally.failed => Ok(ExitCode::FAILURE),
        Ok(_) => Ok(ExitCode::SUCCESS),
        // Who reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("cannot write: {error}")),
    }
}

/// Replays all records below a folder, without printing.
pub fn replay_all(root: &Path) -> Result<Vec<Line>, String> {
    let files = find_records(root)?;
    let mut lines = Vec::new();
    files.iter().for_each(|file| replay_file(root, file, &mut |line| lines.push(line)));
    Ok(lines)
}

/// Replays one record given as text.
pub fn replay_text(text: &[u8]) -> Vec<Case> {
    let mut cases = Vec::new();
    replay_each(text, &mut |case| cases.push(case));
    cases
}

/// Replays one record given as text; each case is told as soon as it has ended.
fn replay_each(text: &[u8], tell: &mut dyn FnMut(Case)) {
    let record: Value = match serde_json::from_slice(text) {
        Ok(record) => record,
        Err(error) => return tell(broken(format!("not JSON: {error}"))),
    };
    let Value::Object(fields) = &record else {
        return tell(not_a_record("no JSON object, so no record"));
    };
    let schema = match fields.get("schema") {
        Some(Value::String(schema)) => schema.as_str(),
        Some(other) => return tell(broken(format!("`schema` is {other}, allowed: a text"))),
        None => return tell(not_a_record("no `schema`")),
    };
    match REPLAYERS.iter().find(|(known, _)| *known == schema) {
        Some((_, Whole(replay))) => replay(&record).into_iter().for_each(tell),
        Some((_, Each(replay))) => replay(&record, tell),
        None => uncovered_cases(schema, &record).into_iter().for_each(tell),
    }
}

fn broken(why: String) -> Case {
    Case::new("-", "unreadable", Verdict::Failed(why))
}

fn not_a_record(why: &str) -> Case {
    Case::new("-", "no record", Verdict::NotCovered(why.into()))
}

/// A record of a schema that nobody replays: one verdict per case, as far as cases can be told.
///
/// A case is an entry of a list of objects, at the top or in a table of lists.
fn uncovered_cases(schema: &str, record: &Value) -> Vec<Case> {
    let mut ids: Vec<String> = Vec::new();
    for (key, value) in record.as_object().into_iter().flatten() {
        count_cases(key, value, &mut ids);
        for (inner, value) in value.as_object().into_iter().flatten() {
            count_cases(&format!("{key}/{inner}"), value, &mut ids);
        }
    }
    if ids.is_empty() {
        ids.push("-".into());
    }
    let why = format!("nothing here replays schema `{schema}`");
    let case = |id| Case::new(id, schema, Verdict::NotCovered(why.clone()));
    ids.into_iter().map(case).collect()
}

fn count_cases(key: &str, value: &Value, ids: &mut Vec<String>) {
    let rows = value.as_array().filter(|rows| rows.iter().any(Value::is_object));
    for (index, row) in rows.into_iter().flatten().enumerate() {
        let id = row.get("id").and_then(Value::as_str);
        ids.push(id.map_or_else(|| format!("{key}/{}", index + 1), str::to_owned));
    }
}

fn replay_file(root: &Path, file: &Path, tell: &mut dyn FnMut(Line)) {
    let name = file.strip_prefix(root).ok().filter(|name| *name != Path::new(""));
    let name = name.unwrap_or(file).display().to_string();
    let mut tell = |case| tell(Line { file: name.clone(), case });
    match read(file) {
        Ok(text) => replay_each(&text, &mut tell),
        Err(why) => tell(broken(why)),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let bytes = std::fs::metadata(file).map_err(cannot)?.len();
    if FILE_BYTES_LIMIT < bytes {
        return Err(format!("has {bytes} bytes, allowed: {FILE_BYTES_LIMIT}"));
    }
    std::fs::read(file).map_err(cannot)
}

/// All `*.json` files below a folder in sorted order; an `index.json` is a table of contents.
fn find_records(root: &Path) -> Result<Vec<PathBuf>, String> {
    if root.is_file() {
        return Ok(vec![root.to_owned()]);
    }
    let mut files = Vec::new();
    walk(root, 0, &mut BTreeSet::new(), &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(
    folder: &Path,
    depth: u32,
    seen: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let cannot = |error: io::Error| format!("{}: cannot be read: {error}", folder.display());
    // A link may lead back to where we came from.
    let is_new = seen.insert(folder.canonicalize().map_err(cannot)?);
    if !is_new {
        return Ok(());
    }
    if DEPTH_LIMIT < depth {
        return Err(format!("{}: more than {DEPTH_LIMIT} folders deep", folder.display()));
    }
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_dir() {
            walk(&path, depth + 1, seen, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json")
            && path.file_name().is_some_and(|name| name != "index.json")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn print(root: &Path, files: &[PathBuf], as_json: bool, to: &mut impl Write) -> io::Result<Tally> {
    let mut total = Tally::default();
    let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut result = Ok(());
    // What is printed line by line shows by itself how far it is.
    let mut counter = as_json.then(Counter::new);
    for (n_done, file) in (0..).zip(files) {
        replay_file(root, file, &mut |line| {
            total.add(&line.case.verdict);
            groups.entry(line.case.group.clone()).or_default().add(&line.case.verdict);
            if let Some(counter) = &mut counter {
                counter.show(n_done, files.len() as u64);
                lines.push(line_json(&line));
            } else if result.is_ok() {
                result = writeln!(to, "{}", line_text(&line)).and_then(|()| to.flush());
            }
        });
        std::mem::replace(&mut result, Ok(()))?;
    }
    if let Some(counter) = counter {
        counter.end();
    }
    if as_json {
        let groups: Vec<Value> = groups
            .iter()
            .map(|(group, tally)| {
                let mut row = tally_json(tally);
                row["group"] = json!(group);
                row
            })
            .collect();
        let mut all = tally_json(&total);
        all["groups"] = json!(groups);
        all["cases"] = json!(lines);
        writeln!(to, "{all:#}")?;
    } else {
        write_table(&groups, to)?;
        let Tally { passed, failed, not_covered } = total;
        writeln!(to, "{passed} passed, {failed} failed, {not_covered} not covered")?;
    }
    to.flush()?;
    Ok(total)
}

/// One line per case, whatever a record put into its texts.
fn line_text(line: &Line) -> String {
    let (word, reason) = match &line.case.verdict {
        Verdict::Passed => ("pass", line.case.note.as_str()),
        Verdict::Failed(why) => ("FAIL", why.as_str()),
        Verdict::NotCovered(why) => ("not covered", why.as_str()),
    };
    let text = format!("{word:<11}  {}  {}  {}", line.file, line.case.id, clip(reason));
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().trim_end().to_owned()
}

fn line_json(line: &Line) -> Value {
    let (word, reason) = match &line.case.verdict {
        Verdict::Passed => ("passed", None),
        Verdict::Failed(why) => ("failed", Some(why)),
        Verdict::NotCovered(why) => ("not covered", Some(why)),
    };
    json!({
        "file": line.file,
        "id": line.case.id,
        "group": line.case.group,
        "verdict": word,
        "reason": reason,
        "note": line.case.note,
        "details": line.case.details,
    })
}

fn tally_json(tally: &Tally) -> Value {
    let Tally { passed, failed, not_covered } = tally;
    json!({ "passed": passed, "failed": failed, "not_covered": not_covered })
}

fn write_table(groups: &BTreeMap<String, Tally>, to: &mut impl Write) -> io::Result<()> {
    let width = groups.keys().map(|group| group.chars().count()).max().unwrap_or(0).max(5);
    writeln!(to)?;
    writeln!(to, "{:<width$}  {:>6}  {:>6}  {:>11}", "group", "passed", "failed", "not covered")?;
    for (group, Tally { passed, failed, not_covered }) in groups {
        writeln!(to, "{group:<width$}  {passed:>6}  {failed:>6}  {not_covered:>11}")?;
    }
    writeln!(to)
}

/// A reason of bounded length.
fn clip(text: &str) -> String {
    match text.char_indices().nth(REASON_CHARS) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(text: &str) -> Vec<Verdict> {
        replay_text(text.as_bytes()).into_iter().map(|case| case.verdict).collect()
    }

    #[test]
    fn broken_json_fails_with_its_place() {
        let verdicts = verdicts("{\"schema\": \"amqp-trace/1\",\n oops}");
        let [Verdict::Failed(why)] = &verdicts[..] else { panic!("{verdicts:?}") };
        assert!(why.contains("line 2"), "{why}");
    }

    #[test]
    fn deep_nesting_fails_instead_of_overflowing_the_stack() {
        let verdicts = verdicts(&"[".repeat(1_000_000));
        assert!(matches!(&verdicts[..], [Verdict::Failed(_)]));
    }

    #[test]
    fn an_unknown_schema_is_not_covered_once_per_case() {
        let found = verdicts(r#"{"schema": "news/7", "cases": [{"id": "a"}, {}, 3]}"#);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|verdict| matches!(verdict, Verdict::NotCovered(_))));
        assert_eq!(
            verdicts(r#"{"schema": "news/7", "tables": {"x": [{}, 2], "y": [{}]}}"#).len(),
            3
        );
        assert_eq!(verdicts(r#"{"schema": "news/7"}"#).len(), 1);
    }

    #[test]
    fn a_record_cannot_print_a_line_of_its_own() {
        let verdict = Verdict::Failed("\u{1b}[2J".into());
        let case = Case::new("x\n0 passed, 0 failed", "g", verdict);
        let text = line_text(&Line { file: "f.json".into(), case });
        assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
    }

    #[test]
    fn a_file_without_schema_is_no_record_and_not_passed() {
        assert!(matches!(&verdicts("[1]")[..], [Verdict::NotCovered(_)]));
        assert!(matches!(&verdicts("{}")[..], [Verdict::NotCovered(_)]));
        assert!(matches!(&verdicts(r#"{"schema": 7}"#)[..], [Verdict::Failed(_)]));
    }
}
