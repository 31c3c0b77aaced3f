//! The chart of a log broker's groups: how many records each is behind.

use crate::model::ActorId;
use crate::observe::lags::BUCKETS;
use crate::param::Text;

use super::charts::{Chart, Mark};
use super::numbers::count;
use super::tokens::Token;
use super::tracks::{Reader, count_axis, curve};
use super::words::fill;

const LAG: Text = Text::new("Lag", "积压");
const GROUP: Text = Text::new("group {0}", "第 {0} 组");

/// Most groups that have a line.
const LINES: usize = 8;
/// How many colours there are: further lines are dashed.
const INKS: usize = 6;

/// The colour of a group's line.
fn ink(place: usize) -> Token {
    [
        Token::Accent,
        Token::Ink,
        Token::StateAgain,
        Token::GoodInk,
        Token::StateWait,
        Token::StateLost,
    ][place % INKS]
}

impl Reader<'_> {
    /// Records that each group has not committed. Of a single group the partitions have lines, too.
    pub(super) fn lag(&self) -> Chart {
        let lags = &self.seen.lags;
        let bucket = lags.bucket.as_ns().max(1);
        let here = ((self.now.ns() / bucket) as usize).min(BUCKETS as usize);
        let line = |at: ActorId, group: u8, partition: Option<u8>| -> Vec<(f64, f64)> {
            let all = lags.of(at, group, partition, here);
            let x = |place: usize| ((place as u64 + 1) * bucket).min(self.now.ns()) as f64;
            all.iter().enumerate().map(|(place, n)| (x(place), *n as f64)).collect()
        };
        let mut chart = Chart { title: LAG.get(self.lang).into(), ..Chart::default() };
        let groups = lags.groups();
        let mut greatest = 0.0_f64;
        if let [(at, group)] = groups[..] {
            // One group: its partitions are shown behind it, so that a hot one is seen.
            let partitions: Vec<u8> = lags.partitions(at, group).collect();
            for partition in partitions.iter().filter(|_| 1 < partitions.len()) {
                let points = line(at, group, Some(*partition));
                chart.layers.push(curve(points, Token::LineStrong, 0.8, false));
            }
        }
        for (place, (at, group)) in groups.iter().copied().enumerate().take(LINES) {
            let points = line(at, group, None);
            greatest = points.iter().map(|point| point.1).fold(greatest, f64::max);
            let now = points.last().map_or(0, |point| point.1 as u64);
            let dashed = INKS <= place;
            let mark = Mark::Line { ink: ink(place), dashed };
            chart.entries.push(self.entry(mark, &self.group(group), count(now)));
            chart.layers.push(curve(points, ink(place), 1.6, dashed));
        }
        let (top, ticks) = count_axis(greatest);
        Chart { top, ticks, ..chart }
    }

    fn group(&self, group: u8) -> String {
        let names = &self.seen.lags.names;
        match names.get(usize::from(group)).filter(|name| !name.is_empty()) {
            Some(name) => name.clone(),
            None => fill(GROUP, self.lang, &[&count(u64::from(group) + 1)]),
        }
    }
}
