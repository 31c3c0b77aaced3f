//! Replays consumer groups: what the assignors' own classes divided, rebalances of the real
//! coordinator, what a killed consumer repeated or lost, and RocketMQ's ways.
//!
//! All of it runs on the machines of `model::group`.

mod assign;
mod commit;
mod rebalance;
mod rocket;
mod timeline;

pub use assign::replay as replay_assign;
pub use commit::replay as replay_commit;
pub use rebalance::replay as replay_rebalance;
pub use rocket::replay as replay_rocket;

/// Assignors over histories of membership.
pub const ASSIGN_SCHEMA: &str = "kafka-assign/1";
/// Timelines of rebalances.
pub const REBALANCE_SCHEMA: &str = "kafka-rebalance/1";
/// Commit policies and a killed consumer.
pub const COMMIT_SCHEMA: &str = "kafka-commit/1";
/// RocketMQ.
pub const ROCKET_SCHEMA: &str = "rocketmq/1";

/// Names as numbers in the order of the names.
struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Names<'a> {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        Names(names)
    }

    fn number(&self, name: &str) -> Result<u32, String> {
        let index = self.0.binary_search(&name);
        index.map(|index| index as u32).map_err(|_| format!("`{name}` is unknown"))
    }

    fn name(&self, number: u32) -> &'a str {
        self.0[number as usize]
    }
}
