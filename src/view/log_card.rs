//! The log broker's card: groups with their phases, and partitions as tapes with their replicas.
//!
//! A tape's end is at the right. Solid is what the first group has not been handed, hatched what it
//! was handed and has not committed; each group has a mark of its own shape where it has committed,
//! and a line shows the high watermark, a dashed one the last stable offset if that is lower. Dots
//! are records of open transactions, lines those of aborted ones; the control record that ends one
//! is a full cell, crossed if it aborts. With many partitions rows get lower: first without
//! replicas, then in two columns with numbers alone. More than four groups stand in two columns.

use crate::model::ActorId;
use crate::model::group::{GroupState, Phase};
use crate::model::log::TxnEnd;
use crate::param::{Lang, Text};

use super::cards::Cards;
use super::draw::{Anchor, Pattern, Point, Rect, Shape, Stroke, bold, plain, pt, stroke};
use super::frame::{Card, Life};
use super::frame_log::{GroupFrame, Logs, Membership, Note, ReplicaState, Tape};
use super::numbers::{count, span};
use super::tokens::Token;
use super::words::{Cast, fill};

const CRASHED_AGO: Text = Text::new("crashed {0} ago", "{0} 前崩溃");
const NODES_DOWN: Text = Text::new("nodes down: {0}", "宕机节点 {0}");
const EMPTY: Text = Text::new("empty", "空");
const PREPARING: Text = Text::new("preparing", "准备再均衡");
const COMPLETING: Text = Text::new("completing", "分配中");
const STABLE: Text = Text::new("stable", "稳定");
const GENERATION: Text = Text::new("generation {0}", "第 {0} 代");
const MEMBERS: Text = Text::new("members {0}", "成员 {0}");
const LAG: Text = Text::new("lag {0}", "积压 {0}");
const NOBODY: Text = Text::new("nobody", "无人");
const NO_LEADER: Text = Text::new("no leader", "无首领");
const OUTSIDE: Text = Text::new("not in the group", "未加入消费组");
const JOINS: Text = Text::new("joining", "等待入组");
const NO_PARTITION: Text = Text::new("no partition", "没有分区");
const PARTITIONS: Text = Text::new("partitions: {0}", "分区 {0}");
const READS: Text = Text::new("reads {0}", "读取 {0}");
const LOG_HOLDS: Text = Text::new("{0}: {1}, lag {2}", "{0}：{1}，积压 {2}");
const STABLE_TO: Text = Text::new(
    "{0}: an open transaction; last stable offset {1}, high watermark {2}",
    "{0}：有未结束的事务；最后稳定位移 {1}，高水位 {2}",
);

/// Most groups that have a line of their own.
pub const GROUP_LINES: u16 = 8;
/// Height of a group's line.
const GROUP_LINE: f32 = 17.0;

/// Most commit marks of a card that have a shape each; more would hide each other, and are ticks in
/// a lane for each group.
const MOST_MARKS: usize = 128;
/// Space between two columns.
const BETWEEN: f32 = 14.0;

/// In how many columns so many partitions stand.
fn columns_of(partitions: u16) -> u16 {
    if partitions <= 18 { 1 } else { 2 }
}

/// In how many columns so many groups stand.
fn group_columns(groups: usize) -> usize {
    if groups <= 4 { 1 } else { 2 }
}

/// Height of one partition's row when there are so many.
fn row_height(partitions: u16) -> f32 {
    match partitions {
        0..=6 => 24.0,
        7..=10 => 19.0,
        11..=18 => 15.0,
        19..=32 => 11.0,
        _ => 5.5,
    }
}

/// Height of a full card.
pub fn height(partitions: u16, groups: u16) -> f32 {
    low_height(partitions, groups, row_height(partitions))
}

/// Height of a card whose partitions are lines of `each`.
pub fn low_height(partitions: u16, groups: u16, each: f32) -> f32 {
    let groups = groups.min(GROUP_LINES);
    let lines = groups.div_ceil(group_columns(usize::from(groups)) as u16);
    let rows = partitions.max(1).div_ceil(columns_of(partitions));
    46.0 + f32::from(lines) * GROUP_LINE + f32::from(rows) * each
}

/// What a group is doing, in a word.
pub fn phase_word(state: GroupState) -> Text {
    match state {
        GroupState::Empty => EMPTY,
        GroupState::PreparingRebalance => PREPARING,
        GroupState::CompletingRebalance => COMPLETING,
        GroupState::Stable => STABLE,
    }
}

/// A group's name; a consumer without a group goes by its own.
pub fn group_name(group: &GroupFrame, cast: &Cast, lang: Lang) -> String {
    match group.single {
        Some(actor) => cast.name(actor, lang).to_string(),
        None => group.name.clone(),
    }
}

/// A log broker as a sentence, for those who do not see the picture.
pub fn logs_say(logs: &Logs, cast: &Cast, lang: Lang) -> String {
    let each = logs.groups.iter().map(|group| {
        let name = group_name(group, cast, lang);
        fill(LOG_HOLDS, lang, &[&name, phase_word(group.state).get(lang), &count(group.lag)])
    });
    let unstable = logs.tapes.iter().enumerate().filter(|(_, tape)| tape.stable < tape.high);
    let unstable = unstable.map(|(n, tape)| {
        let name = format!("p{n}");
        fill(STABLE_TO, lang, &[&name, &count(tape.stable), &count(tape.high)])
    });
    each.chain(unstable).collect::<Vec<_>>().join("; ")
}

/// The colour of a group's marks.
fn group_ink(group: usize) -> Token {
    [Token::Accent, Token::Ink, Token::StateAgain, Token::GoodInk][group % 4]
}

/// What an idle member of a group does: the partitions it reads, or what it waits for. The second
/// is shorter.
pub(super) fn member_words(member: &Membership, lang: Lang) -> (String, String) {
    let alone = |text: Text| (text.get(lang).to_string(), text.get(lang).to_string());
    let names: Vec<String> = member.owned.iter().map(|number| format!("p{number}")).collect();
    match member.phase {
        None | Some(Phase::Closed) => alone(OUTSIDE),
        Some(Phase::Joining | Phase::Syncing) if names.is_empty() => alone(JOINS),
        _ if names.is_empty() => alone(NO_PARTITION),
        _ => {
            let n = fill(PARTITIONS, lang, &[&count(names.len() as u64)]);
            let all = if names.len() <= 6 { names.join(" ") } else { n.clone() };
            (fill(READS, lang, &[&all]), n)
        }
    }
}

/// Where a row's parts stand.
#[derive(Clone, Copy)]
struct Columns {
    /// The tape.
    tape: (f32, f32),
    /// Whether there are words beside it.
    words: bool,
    /// Every so many rows one has its number, where there are no words.
    numbered: usize,
    /// From where the replicas stand, if they do.
    replicas: Option<f32>,
}

impl Cards<'_, '_> {
    /// Groups, then partitions.
    pub(super) fn logs(&mut self, actor: ActorId, card: &Card, rect: Rect, logs: &Logs) {
        let (x, right) = (rect.x + 12.0, rect.right() - 12.0);
        let used = self.title(actor, x, rect.y + 20.0, rect.w - 24.0, 14.0) + 10.0;
        let at = pt(right, rect.y + 20.0);
        let room = rect.w - 24.0 - used;
        if let Life::Crashed { ago, .. } = card.life {
            let text = self.say(CRASHED_AGO, &[&span(ago)]);
            self.pen.first(at, Anchor::End, plain(12.0, Token::BadInk), room, &[&text]);
        } else if logs.n_down != 0 {
            let text = self.say(NODES_DOWN, &[&count(u64::from(logs.n_down))]);
            self.pen.first(at, Anchor::End, plain(12.0, Token::BadInk), room, &[&text]);
        }
        let mut y = rect.y + 30.0;
        let n = logs.tapes.len() as u16;
        let n_columns = columns_of(n);
        let rows = n.max(1).div_ceil(n_columns);
        let least = f32::from(rows) * 2.0;
        let shown = ((rect.bottom() - 10.0 - least - y) / GROUP_LINE).floor().max(0.0) as usize;
        let side = group_columns(logs.groups.len());
        let groups = logs.groups.len().min(usize::from(GROUP_LINES)).min(shown * side);
        let wide = (right - x + BETWEEN) / side as f32 - BETWEEN;
        for (n, group) in logs.groups.iter().enumerate().take(groups) {
            let (line, column) = (n / side, n % side);
            let left = x + column as f32 * (wide + BETWEEN);
            let top = y + line as f32 * GROUP_LINE;
            self.group_line(n, group, Rect::new(left, top, wide, GROUP_LINE));
        }
        y += groups.div_ceil(side) as f32 * GROUP_LINE + 4.0;
        let free = (rect.bottom() - 8.0 - y).max(1.0);
        let each = (free / f32::from(rows)).min(row_height(n));
        let wide = (right - x + BETWEEN) / f32::from(n_columns) - BETWEEN;
        for (n, tape) in logs.tapes.iter().enumerate() {
            let (row, column) = (n % usize::from(rows), n / usize::from(rows));
            let left = x + column as f32 * (wide + BETWEEN);
            let columns = self.columns(logs, left, left + wide, each);
            let at = Rect::new(left, y + row as f32 * each, wide, each);
            self.tape((n, row), tape, logs, at, columns);
        }
    }

    fn columns(&self, logs: &Logs, x: f32, right: f32, each: f32) -> Columns {
        let words = 14.0 <= each;
        let n = logs.tapes.first().map_or(0, |tape| tape.replicas.len());
        let cells = n as f32 * 15.0 + 6.0;
        let fits = 18.0 <= each && 1 < n && 240.0 + cells < right - x;
        let replicas = fits.then_some(right - cells + 6.0);
        let end = replicas.map_or(right, |from| from - 8.0);
        // Letters need 12 px; where rows are lower, some have their number.
        let numbered = (12.0 / each).ceil().max(1.0) as usize;
        let (left, used) = if words { (78.0, 46.0) } else { (24.0, 0.0) };
        Columns { tape: (x + left, end - used), words, numbered, replicas }
    }

    /// A group's mark, name, phase, generation, members and lag.
    fn group_line(&mut self, n: usize, group: &GroupFrame, at: Rect) {
        let lang = self.lang();
        let base = at.y + 12.0;
        self.mark(n, pt(at.x + 4.0, at.y + 8.0), 4.0);
        let name = group_name(group, self.cast, lang);
        let mut x = at.x + 14.0;
        let lag = self.say(LAG, &[&count(group.lag)]);
        let face = bold(12.0, Token::Ink);
        let used = self.pen.write(pt(at.right(), base), Anchor::End, face, &lag) + 10.0;
        let room = at.right() - used;
        x += self.pen.first(pt(x, base), Anchor::Start, face, room - x, &[&name]) + 8.0;
        let ink = match group.state {
            GroupState::Stable => Token::GoodInk,
            GroupState::Empty => Token::Ink3,
            _ => Token::WarnInk,
        };
        let phase = phase_word(group.state).get(lang);
        x += self.pen.first(pt(x, base), Anchor::Start, plain(12.0, ink), room - x, &[phase]) + 8.0;
        let generation = self.say(GENERATION, &[&count(u64::from(group.generation))]);
        let members = self.say(MEMBERS, &[&count(u64::from(group.n_members))]);
        let all = format!("{generation} · {members}");
        let face = plain(12.0, Token::Ink3);
        self.pen.first(pt(x, base), Anchor::Start, face, room - x, &[&all, &generation]);
    }

    /// One partition.
    fn tape(
        &mut self,
        (n, nth): (usize, usize),
        tape: &Tape,
        logs: &Logs,
        row: Rect,
        columns: Columns,
    ) {
        let (left, right) = columns.tape;
        let h = (row.h - if columns.words { 8.0 } else { 1.0 }).clamp(1.5, 14.0);
        let band = Rect::new(left, row.y + (row.h - h) / 2.0, (right - left).max(4.0), h);
        if columns.words {
            let base = row.y + row.h / 2.0 + 4.0;
            let name = format!("p{n}");
            let face = bold(11.0, Token::Ink);
            let used = self.pen.write(pt(row.x, base), Anchor::Start, face, &name) + 5.0;
            let (who, ink) = self.owner(tape);
            let room = left - row.x - used - 4.0;
            let face = plain(11.0, ink);
            self.pen.first(pt(row.x + used, base), Anchor::Start, face, room, &[&who]);
            let face = bold(11.0, Token::Ink);
            let at = pt(right + 4.0, base);
            self.pen.first(at, Anchor::Start, face, 42.0, &[&count(tape.end)]);
        }
        if !columns.words && nth.is_multiple_of(columns.numbered) {
            let name = format!("p{n}");
            let is_lost = tape.replicas.iter().all(|r| r.state != ReplicaState::Leader);
            let ink = if is_lost { Token::BadInk } else { Token::Ink2 };
            let at = pt(row.x, row.y + row.h / 2.0 + 4.0);
            self.pen.first(at, Anchor::Start, plain(11.0, ink), left - row.x, &[&name]);
        }
        self.band(tape, logs, band);
        if let Some(from) = columns.replicas {
            self.replicas(tape, Rect::new(from, row.y, row.right() - from, row.h));
        }
    }

    /// Who reads a partition in the first group: its short name, or nobody.
    fn owner(&self, tape: &Tape) -> (String, Token) {
        if tape.replicas.iter().all(|replica| replica.state != ReplicaState::Leader) {
            return (NO_LEADER.get(self.lang()).to_string(), Token::BadInk);
        }
        let owners = tape.marks.iter().flatten().map(|mark| mark.owner);
        let mut names = Vec::new();
        for owner in owners {
            match owner {
                Some(actor) => names.push(self.cast.shorts[actor.index()].clone()),
                None => return (NOBODY.get(self.lang()).to_string(), Token::BadInk),
            }
        }
        if names.is_empty() {
            return (NOBODY.get(self.lang()).to_string(), Token::Ink3);
        }
        (names.join(" "), Token::Ink2)
    }

    /// The tape: all partitions to one scale, from the oldest of what somebody has to do.
    fn band(&mut self, tape: &Tape, logs: &Logs, band: Rect) {
        let first = |tape: &Tape| {
            let open = tape.marks.iter().flatten().map(|mark| mark.committed).min();
            tape.end - open.unwrap_or(tape.end).min(tape.end)
        };
        // At least as long as a screenful of cells, so that short tapes do not jump.
        let longest = logs.tapes.iter().map(first).max().unwrap_or(0).max(48) as f32;
        let scale = band.w * 0.96 / longest;
        let x = |offset: u64| {
            let behind = tape.end.saturating_sub(offset) as f32;
            (band.right() - behind * scale).max(band.x)
        };
        self.pen.scene.fill(band, 2.0, Token::Sunken);
        let mut strip = |from: u64, to: u64, pattern: Pattern| {
            let (a, b) = (x(from), x(to));
            if a < b {
                let part = Rect::new(a, band.y, b - a, band.h);
                self.pen.scene.bar(part, Token::StateWait, pattern);
            }
        };
        match tape.marks.iter().flatten().next() {
            Some(mark) => {
                strip(mark.committed, mark.handed, Pattern::Hatch);
                strip(mark.handed, tape.end, Pattern::Solid);
            }
            None => strip(tape.start, tape.end, Pattern::Solid),
        }
        if 5.0 <= scale && 6.0 <= band.h {
            // Room enough for single records.
            let n = (tape.end - tape.start).min((band.w / scale) as u64);
            for offset in tape.end - n..tape.end {
                let at = pt(x(offset), band.y);
                let ends = [at, pt(at.x, band.bottom())];
                self.pen.scene.path(&ends, stroke(Token::Paper, 1.0));
            }
        }
        self.notes(tape, band, x);
        let mut line = |offset: u64, line: Stroke| {
            let at = x(offset);
            self.pen.scene.path(&[pt(at, band.y - 2.0), pt(at, band.bottom() + 2.0)], line);
        };
        if tape.high < tape.end {
            line(tape.high, stroke(Token::BadInk, 2.0));
        }
        if tape.stable < tape.high {
            let dash = Some((3.0, 2.0));
            line(tape.stable, Stroke { dash, ..stroke(Token::WarnInk, 2.0) });
        }
        let are_ticks = band.h < 3.0 || MOST_MARKS < logs.tapes.len() * logs.groups.len();
        let lane = band.h / tape.marks.len().max(1) as f32;
        for (n, mark) in tape.marks.iter().enumerate() {
            let Some(mark) = mark else { continue };
            if are_ticks {
                let top = band.y + lane * n as f32;
                let tick = Rect::new(x(mark.committed) - 1.0, top, 2.0, lane.max(1.0));
                self.pen.scene.bar(tick, group_ink(n), Pattern::Solid);
                continue;
            }
            let size = (band.h / 3.0).clamp(2.0, 4.0);
            let above = n.is_multiple_of(2);
            let y = if above { band.y - 1.0 } else { band.bottom() + 1.0 };
            self.mark(n, pt(x(mark.committed), y), size);
        }
    }

    /// What transactions make of the newest offsets; too small to be seen they are left out.
    fn notes(&mut self, tape: &Tape, band: Rect, x: impl Fn(u64) -> f32) {
        for (offset, note) in &tape.notes {
            let (a, b) = (x(*offset), x(offset + 1));
            if b - a < 1.5 || band.h < 3.0 {
                continue;
            }
            let cell = Rect::new(a, band.y, b - a, band.h);
            let (ink, pattern) = match note {
                Note::Open => (Token::StateAgain, Pattern::Dots),
                Note::Aborted => (Token::StateLost, Pattern::Lines),
                Note::End(TxnEnd::Commit) => (Token::GoodInk, Pattern::Solid),
                Note::End(TxnEnd::Abort) => (Token::BadInk, Pattern::Solid),
            };
            self.pen.scene.bar(cell, ink, pattern);
            if *note == Note::End(TxnEnd::Abort) && 5.0 <= cell.w.min(cell.h) {
                let (l, r, t, b) = (cell.x, cell.right(), cell.y, cell.bottom());
                self.pen.scene.path(&[pt(l, t), pt(r, b)], stroke(Token::Paper, 1.0));
                self.pen.scene.path(&[pt(l, b), pt(r, t)], stroke(Token::Paper, 1.0));
            }
        }
    }

    /// A group's mark: one shape and colour each.
    fn mark(&mut self, group: usize, at: Point, size: f32) {
        let (l, r, t, b) = (at.x - size, at.x + size, at.y - size, at.y + size);
        let points = match group % 4 {
            0 => vec![pt(l, t), pt(r, t), pt(at.x, b)],
            1 => vec![pt(l, b), pt(r, b), pt(at.x, t)],
            2 => vec![pt(at.x, t), pt(r, at.y), pt(at.x, b), pt(l, at.y)],
            _ => vec![pt(l, t), pt(r, t), pt(r, b), pt(l, b)],
        };
        let fill = group_ink(group);
        self.pen.scene.shapes.push(Shape::Area { points, fill });
    }

    /// The replicas by node: the leader filled, in sync outlined, out of sync and dead dashed.
    fn replicas(&mut self, tape: &Tape, at: Rect) {
        for (n, replica) in tape.replicas.iter().enumerate() {
            let cell = Rect::new(at.x + n as f32 * 15.0, at.y + at.h / 2.0 - 7.0, 13.0, 14.0);
            let (fill, line, ink) = match replica.state {
                ReplicaState::Leader => (Some(Token::Ink2), Token::Ink2, Token::Paper),
                ReplicaState::InSync => (None, Token::LineStrong, Token::Ink),
                ReplicaState::Behind(_) | ReplicaState::Down => {
                    (None, Token::StateLost, Token::BadInk)
                }
            };
            let mut line = stroke(line, 1.0);
            if matches!(replica.state, ReplicaState::Behind(_) | ReplicaState::Down) {
                line.dash = Some((3.0, 2.0));
            }
            self.pen.scene.card(cell, 3.0, fill, line);
            let is_down = replica.state == ReplicaState::Down;
            let text = if is_down { "×".to_string() } else { replica.node.to_string() };
            let centre = pt(cell.x + cell.w / 2.0, cell.y + 11.0);
            self.pen.write(centre, Anchor::Middle, plain(11.0, ink), &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::SimTime;
    use crate::param::Lang;
    use crate::view::draw::{Rect, Scene, Shape};
    use crate::view::frame::Frame;
    use crate::view::inspect::cast_of;
    use crate::view::layout::{Room, layout};
    use crate::view::scene::{Staged, plan};
    use crate::view::{Chosen, Look, Theme};
    use crate::world::scenario::Scenario;
    use crate::world::session::{Session, Watch};

    const CROWD: &str = include_str!("../../tests/browser/benches/crowd.toml");

    #[test]
    fn sixty_four_partitions_and_eight_groups_keep_their_names() {
        let scenario = Scenario::parse(CROWD).expect("the document is right");
        let mut session = Session::new(scenario, Watch::Nothing);
        session.seek(SimTime::from_ns(1_000_000_000));
        let frame = Frame::of(session.world(), 1.0);
        let cast = cast_of(session.scenario());
        for (width, height) in [(960.0, 350.0), (390.0, 430.0)] {
            for lang in Lang::ALL {
                let room = Room { width, height, embed: false, caption: false, fill: false };
                let layout = layout(&plan(&frame, &cast), room);
                let (chosen, theme) = (Chosen::Nothing, Theme::Light);
                let look = Look { lang, theme, chosen, speed: 1.0, playing: true, embed: false };
                let mut scene = Scene::default();
                let staged = Staged { frame: &frame, layout: &layout, cast: &cast, look };
                staged.compose(None, &mut scene);
                let card = layout.places[1].rect;
                let words = scene.shapes.iter().filter_map(|shape| match shape {
                    Shape::Words(words) => Some((words.bounds(), words.text.as_str())),
                    _ => None,
                });
                let words: Vec<(Rect, &str)> = words.filter(|(at, _)| card.overlaps(at)).collect();
                for name in ["billing", "fraud", "cache", "p0", "p32"] {
                    assert!(words.iter().any(|(_, text)| *text == name), "{width}: {name}");
                }
                for (i, (own, text)) in words.iter().enumerate() {
                    let inner = Rect::new(own.x, own.y + 3.0, own.w, own.h - 6.0);
                    for (other, said) in &words[i + 1..] {
                        assert!(!inner.overlaps(other), "{width} {lang:?}: {text} on {said}");
                    }
                }
            }
        }
    }
}
