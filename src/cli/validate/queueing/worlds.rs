//! Worlds for records of theory: scenario documents, as users write them.

use std::fmt::Write;

use super::collect::WatchSpec;
use crate::kernel::random::path_hash;
use crate::world::Plan;
use crate::world::problem::Problem;
use crate::world::scenario::Scenario;

/// Settings by key, as a document writes them.
pub type Settings = Vec<(&'static str, String)>;

/// A document under construction.
#[derive(Clone, Debug)]
pub struct Draft {
    text: String,
}

impl Default for Draft {
    fn default() -> Draft {
        let words = r#"{ en = "from a record", zh = "来自记录" }"#;
        let mut text = "format = 1\nid = \"record\"\ntopic = \"queues\"\n".to_owned();
        for key in ["title", "story", "question"] {
            writeln!(text, "{key} = {words}").expect("a string takes all");
        }
        text.push_str("seed = 1\nuntil = \"30d\"\n");
        Draft { text }
    }
}

impl Draft {
    /// Adds an actor of a kind.
    pub fn actor(&mut self, id: &str, kind: &str, settings: &[(&'static str, String)]) {
        self.text.push_str(&format!("\n[[actor]]\nid = \"{id}\"\nkind = \"{kind}\"\n"));
        for (key, value) in settings {
            self.text.push_str(&format!("{key} = \"{value}\"\n"));
        }
    }

    /// Adds so many actors of a kind, all alike.
    pub fn group(&mut self, id: &str, kind: &str, n: u64, settings: &[(&'static str, String)]) {
        self.actor(id, kind, settings);
        self.text.push_str(&format!("count = {n}\n"));
    }

    /// Adds an ideal channel.
    pub fn channel(&mut self, from: &str, to: &str, delay: f64) {
        self.channel_with(from, to, delay, &[]);
    }

    /// Adds an ideal channel with further settings.
    pub fn channel_with(
        &mut self,
        from: &str,
        to: &str,
        delay: f64,
        settings: &[(&'static str, String)],
    ) {
        let delay = span(delay);
        let ends = format!("from = \"{from}\"\nto = \"{to}\"\n");
        self.text.push_str(&format!("\n[[channel]]\n{ends}delay = \"{delay}\"\n"));
        for (key, value) in settings {
            self.text.push_str(&format!("{key} = \"{value}\"\n"));
        }
    }

    /// Sets a parameter at a time.
    pub fn set_at(&mut self, at: f64, param: &str, value: &str) {
        let (at, what) = (span(at), format!("param = \"{param}\"\nvalue = \"{value}\"\n"));
        self.text.push_str(&format!("\n[[fault]]\nat = \"{at}\"\ndo = \"set\"\n{what}"));
    }

    /// What a world of this document is made of.
    pub fn plan(&self) -> Result<Plan, String> {
        let problems = |found: Vec<Problem>| {
            let said: Vec<String> = found.iter().map(ToString::to_string).collect();
            format!("the row makes no scenario: {}", said.join("; "))
        };
        Scenario::parse(&self.text).map(|scenario| scenario.plan()).map_err(problems)
    }
}

/// A watch over these actors and groups: the first is scope 0, and so on.
pub fn watch_over(plan: &Plan, ids: &[&str]) -> WatchSpec {
    let scope = |group: u64| ids.iter().position(|id| path_hash(id) == group).map(|n| n as u8);
    WatchSpec {
        scope_of: plan.actors.iter().map(|(_, group, _)| scope(*group)).collect(),
        end_of: plan.channels.iter().map(|(_, _, to, _)| *to).collect(),
        scopes: vec![Default::default(); ids.len()],
        ..WatchSpec::default()
    }
}

/// Whole nanoseconds of seconds.
pub fn ns(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// A span as a document writes it.
pub fn span(seconds: f64) -> String {
    match ns(seconds) {
        0 => "0".to_owned(),
        ns => format!("{ns}ns"),
    }
}

/// A rate as a document writes it.
pub fn rate(per_s: f64) -> String {
    format!("{per_s:.6}/s")
}

/// A share as a document writes it.
pub fn ppm(share: f64) -> String {
    match (share * 1e6).round() {
        0.0 => "0".to_owned(),
        ppm => format!("{ppm}ppm"),
    }
}
