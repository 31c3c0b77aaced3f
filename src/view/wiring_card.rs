//! The part of a broker's card that shows how its exchanges and queues hang together.

use crate::param::Text;

use super::broker_card::queue_name;
use super::cards::Cards;
use super::cells::{RowStyle, row};
use super::draw::{Anchor, Rect, Stroke, bold, plain, pt, stroke};
use super::frame::{Held, Queue};
use super::numbers::count;
use super::tokens::Token;
use super::wiring::{Target, Wiring};

/// Height of a line of exchanges or queues.
pub const LINE: f32 = 28.0;
/// Width of the column of exchanges.
const EXCHANGES: f32 = 88.0;
/// Room between exchanges and queues, for bindings.
const BINDINGS: f32 = 34.0;
/// Room behind queues, for dead letters.
const LETTERS: f32 = 12.0;

const UNACKED: Text = Text::new("ready + unacknowledged", "待投递 + 未确认");

/// How many lines the wiring of a broker takes; 0: it has none to show.
pub fn lines(queues: usize, wiring: &Wiring) -> usize {
    if wiring.exchanges.is_empty() { 0 } else { queues.max(wiring.exchanges.len()).max(3) }
}

impl Cards<'_, '_> {
    /// Exchanges on the left, queues on the right, bindings between them.
    pub(super) fn wiring(&mut self, queues: &[Queue], wiring: &Wiring, held: &[Held], at: Rect) {
        let rows = lines(queues.len(), wiring).min(12);
        let step = (at.h / rows.max(1) as f32).min(LINE);
        let middle = |n: usize, of: usize| {
            let spread = rows as f32 * step / of.max(1) as f32;
            at.y + spread * (n as f32 + 0.5)
        };
        let left = EXCHANGES.min(at.w * 0.32);
        let queue_x = at.x + left + BINDINGS;
        let n_exchanges = wiring.exchanges.len();
        for exchange in wiring.exchanges.iter().enumerate() {
            let from = pt(at.x + left, middle(exchange.0, n_exchanges));
            for edge in &exchange.1.edges {
                if matches!(edge.to, Target::Exchange(n) if n_exchanges <= usize::from(n)) {
                    continue;
                }
                let to = match edge.to {
                    Target::Queue(n) => pt(queue_x - 3.0, middle(usize::from(n), queues.len())),
                    Target::Exchange(n) => pt(at.x + left, middle(usize::from(n), n_exchanges)),
                };
                let out = pt(from.x + 9.0, from.y);
                let back = pt(to.x - if to.x < queue_x - 4.0 { -9.0 } else { 9.0 }, to.y);
                let line = match edge.lit {
                    true => stroke(Token::StateFlight, 2.5),
                    false => stroke(Token::LineStrong, 1.0),
                };
                self.pen.scene.path(&[from, out, back, to], line);
            }
        }
        for (n, exchange) in wiring.exchanges.iter().enumerate() {
            let h = (step - 4.0).clamp(12.0, 24.0);
            let pill = Rect::new(at.x, middle(n, n_exchanges) - h / 2.0, left, h);
            let line = match exchange.lit {
                true => stroke(Token::StateFlight, 2.0),
                false => stroke(Token::LineStrong, 1.0),
            };
            self.pen.scene.card(pill, h / 2.0, Some(Token::AccentSoft), line);
            let kind = exchange.kind.get(self.lang()).to_owned();
            let both = format!("{} · {kind}", exchange.name);
            let texts = [both.as_str(), exchange.name.as_str(), kind.as_str()];
            let middle = pt(pill.x + 9.0, pill.y + h / 2.0 + 4.0);
            self.pen.first(middle, Anchor::Start, plain(11.0, Token::Ink), left - 16.0, &texts);
        }
        let w = at.right() - queue_x - if wiring.letters.is_empty() { 0.0 } else { LETTERS };
        let mut heights = Vec::new();
        for (n, queue) in queues.iter().enumerate().take(12) {
            let h = (step - 4.0).clamp(10.0, 20.0);
            let line = Rect::new(queue_x, middle(n, queues.len()) - h / 2.0, w, h);
            heights.push(line.y + h / 2.0);
            self.queue_line(n, queue, wiring, line);
        }
        self.letters(wiring, &heights, at.right() - LETTERS + 2.0);
        let base = at.y + rows as f32 * step + 12.0;
        if !self.turned && !held.is_empty() {
            let face = plain(11.0, Token::Ink3);
            let text = UNACKED.get(self.lang()).to_owned();
            self.pen.first(pt(at.right(), base), Anchor::End, face, w, &[&text]);
        }
    }

    /// One queue: its name, its cells, and how many are ready and unacknowledged.
    fn queue_line(&mut self, n: usize, queue: &Queue, wiring: &Wiring, line: Rect) {
        let base = line.y + line.h / 2.0 + 4.0;
        let face = plain(11.0, Token::Ink2);
        let room = (line.w * 0.36).min(70.0);
        let name = queue_name(queue, self.cast, self.lang());
        let name = self.pen.first(pt(line.x, base), Anchor::Start, face, room, &[&name]);
        let ready = ready_text(wiring.priorities.get(n).map_or(&[][..], |all| all), queue);
        let unacked = wiring.unacked.get(n).copied().unwrap_or(0);
        let mut used = 0.0;
        if unacked != 0 {
            let text = format!("+{}", count(unacked));
            let face = plain(11.0, Token::Ink3);
            used += self.pen.write(pt(line.right(), base), Anchor::End, face, &text) + 3.0;
        }
        let at = pt(line.right() - used, base);
        used += self.pen.write(at, Anchor::End, bold(12.0, Token::Ink), &ready);
        let left = if 0.0 < name { room + 4.0 } else { 0.0 };
        let cells = Rect::new(line.x + left, line.y, line.w - left - used.max(20.0) - 6.0, line.h);
        if 12.0 < cells.w {
            let style = RowStyle {
                room: cells,
                places: queue.capacity.map(u64::from),
                head_right: true,
                signs: true,
                chosen: self.look.chosen,
            };
            row(self.pen, &queue.ready, style);
        }
    }

    /// Dead letters: dashed lines behind the queues, from those that give up to those that get.
    pub(super) fn letters(&mut self, wiring: &Wiring, heights: &[f32], x: f32) {
        for (from, to) in &wiring.letters {
            let ends = (heights.get(usize::from(*from)), heights.get(usize::from(*to)));
            let (Some(from), Some(to)) = ends else { continue };
            let line = Stroke { ink: Token::StateLost, width: 1.0, dash: Some((3.0, 2.0)) };
            let points = [pt(x - 2.0, *from), pt(x + 6.0, *from), pt(x + 6.0, *to), pt(x, *to)];
            self.pen.scene.path(&points, line);
            let head = [pt(x + 4.0, *to - 3.0), pt(x, *to), pt(x + 4.0, *to + 3.0)];
            self.pen.scene.path(&head, stroke(Token::StateLost, 1.5));
        }
    }
}

/// How many are ready: of each priority, the highest first.
pub(super) fn ready_text(priorities: &[u64], queue: &Queue) -> String {
    match priorities {
        [] | [_] => count(queue.ready.total),
        [first, rest @ ..] => {
            let rest: u64 = rest.iter().sum();
            format!("{}|{}", count(*first), count(rest))
        }
    }
}
