//! Claimed against simulated: an article's round trips beside those of the simulated board.
//!
//! The claims are a lookup (`model/stm32/article.rs`); the simulated figures are measured here, in
//! runs of one byte and its answer between a board and a Linux host behind one switch.

use crate::kernel::{SimSpan, SimTime};
use crate::model::Fact;
use crate::model::stm32::article::CLAIMS;
use crate::model::stm32::lwipopts::{File, samples};
use crate::param::{Lang, Text};
use crate::world::lwipopts;
use crate::world::scenario::Scenario;
use crate::world::session::{Session, Watch};

/// The board that every set runs on. A switch keeps a frame for its length and 3 us.
const BOARD: &str = r#"
format = 1
id = "claims"
topic = "stm32"
title = { en = "Claims", zh = "声称" }
story = { en = "", zh = "" }
question = { en = "", zh = "" }
until = "1s"

[[host]]
id = "board"
profile = "stm32"

[[host]]
id = "pc"
profile = "linux"

[[wire]]
id = "wire"
from = "board"
to = "pc"
delay = "9.7us"
rate = "100Mbit/s"

[[actor]]
id = "board"
kind = "script"
do = """
at 30ms
repeat 4 {
  write 1
  read 1
}
"""

[[actor]]
id = "pc"
kind = "script"
do = """
repeat 4 {
  read 1
  sleep 100us
  write 1
}
"""

[[channel]]
id = "tcp"
from = "board"
to = "pc"
kind = "tcp"
"#;

/// A set of options, what is claimed of it, and what the simulated board does with it.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its name.
    pub name: Text,
    /// The claimed round trip.
    pub claimed: Option<SimSpan>,
    /// The simulated one; `None`: there is no such board.
    pub simulated: Option<SimSpan>,
}

const NAMES: [Text; 4] = [
    Text::new("its default", "文章默认"),
    Text::new("macro only", "只改宏"),
    Text::new("without DMA", "不用 DMA"),
    Text::new("all optimised", "全部优化"),
];
const SLOW_LOOP: Text = Text::new("10 ms super-loop", "10 ms 主循环");
/// What stands over the chart.
pub const TITLE: Text = Text::new("Claimed against simulated: round trip", "声称与仿真：往返时间");
/// What the claims are.
pub const NOTE: Text = Text::new(
    "Hollow bars: claimed by a widely read tuning article, looked up, not simulated. Solid bars: \
     the simulated board, 1 B and its answer, one switch, peer 100 µs (estimated).",
    "空心条：某流行调优文章声称的值，仅为查表，并非仿真。实心条：仿真的板子，1 B 一问一答，经一台交换机，\
     对端 100 µs（估计）。",
);
/// Why a set has no simulated figure.
pub const CANNOT: Text = Text::new("cannot be built", "无法构建");

/// The rows of the chart; runs a board for each.
pub fn rows() -> Vec<Row> {
    let sets = [
        Some(samples::ARTICLE_DEFAULT),
        // The macro does not exist: the set is the one before.
        Some(samples::ARTICLE_DEFAULT),
        // The MAC has a DMA of its own and no other way.
        None,
        Some(samples::ARTICLE_OPTIMISED),
    ];
    let claims = CLAIMS.iter().zip(NAMES).zip(sets);
    let mut rows: Vec<Row> = claims
        .map(|((claim, name), set)| Row {
            name,
            claimed: Some(claim.round_trip()),
            simulated: set.and_then(|set| round_trip(set, "1us")),
        })
        .collect();
    let simulated = round_trip(samples::ARTICLE_OPTIMISED, "10ms");
    rows.push(Row { name: SLOW_LOOP, claimed: None, simulated });
    rows
}

/// The round trip of the last request with these options and this period of the loop.
fn round_trip(options: &str, period: &str) -> Option<SimSpan> {
    let mut scenario = Scenario::parse(BOARD).ok()?;
    let file = File::read(options).ok()?;
    let import = lwipopts::import(&scenario, "board", &file).ok()?;
    for (path, text) in import.changes() {
        scenario.set(&path, &text).ok()?;
    }
    scenario.set("board.loop-period", period).ok()?;
    let mut session = Session::new(scenario, Watch::All);
    session.seek(session.until());
    let mut times: Vec<(SimTime, bool)> = Vec::new();
    session.retell(&mut |at, fact| {
        match fact {
            Fact::Sent { .. } => times.push((at, false)),
            Fact::Done { .. } | Fact::Answered { .. } => times.push((at, true)),
            _ => {}
        }
        true
    });
    // Requests and answers are messages both: from the last but one begin to the last end.
    let begins: Vec<SimTime> = times.iter().filter(|(_, end)| !end).map(|(at, _)| *at).collect();
    let end = times.iter().rev().find(|(_, end)| *end)?.0;
    let begin = begins.len().checked_sub(2).map(|n| begins[n])?;
    Some(end.since(begin))
}

/// A round trip in milliseconds, with the digits that mean something.
pub fn ms(span: SimSpan, claimed: bool) -> String {
    let us = span.as_ns().div_ceil(1_000);
    match claimed || 2_000 < us {
        true => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        false => format!("{}.{:03} ms", us / 1_000, us % 1_000),
    }
}

/// A row in words, for those who do not see the bars.
pub fn say(row: &Row, lang: Lang) -> String {
    let simulated = row.simulated.map_or_else(|| CANNOT.get(lang).to_owned(), |at| ms(at, false));
    match (row.claimed, lang) {
        (Some(claim), Lang::En) => format!("claimed {}, simulated {simulated}", ms(claim, true)),
        (Some(claim), Lang::Zh) => format!("声称 {}，仿真 {simulated}", ms(claim, true)),
        (None, Lang::En) => format!("simulated {simulated}"),
        (None, Lang::Zh) => format!("仿真 {simulated}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sets_take_what_the_board_takes_and_only_a_slow_loop_takes_10_ms() {
        let rows = rows();
        let claims: Vec<_> =
            rows.iter().filter_map(|row| row.claimed).map(|c| ms(c, true)).collect();
        assert_eq!(claims, ["11.4 ms", "5.0 ms", "3.0 ms", "1.1 ms"]);
        for n in [0, 1, 3] {
            let us = rows[n].simulated.expect("it runs").as_ns() / 1_000;
            // 159 us and 15 % in either direction.
            assert!((135..=183).contains(&us), "{n}: {us} us");
        }
        assert_eq!(rows[2].simulated, None);
        let slow = rows[4].simulated.expect("it runs").as_ns();
        assert!((9_900_000..10_100_000).contains(&slow), "{slow} ns");
    }
}
