//! `inflight list`: the presets.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::out::{self, table};
use crate::param::Said;
use crate::world::preset;
use crate::world::scenario::Scenario;

const EXAMPLES: &str = "Examples:
  inflight list
  inflight list --json | jq -r '.[].id'";

/// Arguments of `inflight list`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn list(args: &ListArgs) -> Result<ExitCode, String> {
    let scenarios: Vec<Scenario> = preset::ALL.iter().map(|preset| preset.open()).collect();
    let text = if args.json {
        let all: Vec<Value> = scenarios.iter().map(object).collect();
        serde_json::to_string_pretty(&all).expect("texts and numbers become JSON") + "\n"
    } else {
        let row =
            |s: &Scenario| [&s.id, &s.topic, &s.title.en, &s.title.zh].map(String::clone).to_vec();
        aligned(&scenarios.iter().map(row).collect::<Vec<_>>())
    };
    out::print(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}

/// All columns to the left.
fn aligned(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|i| rows.iter().map(|row| out::columns(&row[i])).max().unwrap_or(0))
        .collect();
    let fill = |row: &Vec<String>| {
        row.iter().zip(&widths).map(|(cell, width)| out::left(cell, *width)).collect::<Vec<_>>()
    };
    table(&rows.iter().map(fill).collect::<Vec<_>>(), 0)
}

fn object(scenario: &Scenario) -> Value {
    let said = |said: &Said| json!({ "en": said.en, "zh": said.zh });
    json!({
        "id": scenario.id,
        "topic": scenario.topic,
        "title": said(&scenario.title),
        "story": said(&scenario.story),
        "question": said(&scenario.question),
        "seed": scenario.seed,
        "until_ns": scenario.until.ns(),
    })
}
