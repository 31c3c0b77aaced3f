//! The queue broker's card: queues with their cells, and below what consumers hold.

use crate::model::ActorId;
use crate::param::{Lang, Text};

use super::Chosen;
use super::cards::Cards;
use super::cells::{RowStyle, row, void};
use super::draw::{Anchor, Rect, bold, plain, pt};
use super::frame::{Card, Held, Life, Queue, QueueName};
use super::numbers::{count, span};
use super::tokens::Token;
use super::wiring::Wiring;
use super::wiring_card::{self, ready_text};
use super::words::Cast;

const CRASHED_AGO: Text = Text::new("crashed {0} ago", "{0} 前崩溃");
const CRASHED: Text = Text::new("crashed", "已崩溃");
const READY: Text = Text::new("ready", "待投递");
const READY_N: Text = Text::new("ready {0}", "待投递 {0}");
const OF_LIMIT: Text = Text::new("of {0}", "上限 {0}");
const NEXT_OUT: Text = Text::new("next out", "下一条");
const HELD: Text = Text::new("delivered, not yet acknowledged", "已投递、未确认");
const HELD_SHORT: Text = Text::new("not yet acknowledged", "未确认");
const ALARM: Text = Text::new("short of {0}", "{0}不足");
const AT_THE_DOOR: Text = Text::new("blocked senders: {0}", "被阻塞的发送方 {0}");

/// A broker's parts.
type Parts<'a> = (&'a [Queue], &'a [Held], u64, &'a Wiring);

impl Cards<'_, '_> {
    /// Queues with their cells; below, what consumers hold.
    pub(super) fn broker(
        &mut self,
        actor: ActorId,
        card: &Card,
        rect: Rect,
        (queues, held, waiting, wiring): Parts<'_>,
        full: bool,
    ) {
        let (x, room) = (rect.x + 14.0, rect.w - 28.0);
        let right = rect.right() - 14.0;
        let small_card = !full || rect.h < 100.0;
        let size = if small_card { 13.0 } else { 15.0 };
        let used = self.title(actor, x, rect.y + 22.0, room, size) + 10.0;
        let at = pt(right, rect.y + 22.0);
        if let Life::Crashed { ago, .. } = card.life {
            let texts =
                [self.say(CRASHED_AGO, &[&span(ago)]), CRASHED.get(self.lang()).to_string()];
            let face = plain(12.0, Token::BadInk);
            self.pen.first(at, Anchor::End, face, room - used, &[&texts[0], &texts[1]]);
            return;
        }
        if let Some(resource) = wiring.alarm {
            let what = resource.text().get(self.lang());
            let texts = [self.say(ALARM, &[what]), what.to_owned()];
            let face = plain(12.0, Token::BadInk);
            self.pen.first(at, Anchor::End, face, room - used, &[&texts[0], &texts[1]]);
        } else if waiting != 0 {
            let text = self.say(AT_THE_DOOR, &[&count(waiting)]);
            let face = plain(12.0, Token::WarnInk);
            self.pen.first(at, Anchor::End, face, room - used, &[&text]);
        } else if let ([queue], false) = (queues, self.turned || small_card) {
            let face = plain(12.0, Token::Ink2);
            let name = queue_name(queue, self.cast, self.lang());
            self.pen.first(at, Anchor::End, face, room - used, &[&name]);
        } else if queues.len() == 1 || small_card {
            let ready = queues.iter().map(|queue| queue.ready.total).sum();
            let text = self.say(READY_N, &[&count(ready)]);
            let face = plain(12.0, Token::Ink2);
            self.pen.first(at, Anchor::End, face, room - used, &[&text]);
        }
        let mut y = rect.y + 30.0;
        let rows = wiring_card::lines(queues.len(), wiring).min(12);
        if 0 < rows && !small_card {
            let h = rows as f32 * wiring_card::LINE;
            self.wiring(queues, wiring, held, Rect::new(x, y, room, h));
            y += h + 8.0;
        } else {
            let spare = if wiring.letters.is_empty() { 0.0 } else { 10.0 };
            let mut heights = Vec::new();
            for (n, queue) in queues.iter().enumerate().take(12) {
                // A low card has room for the first queue; its head counts them all.
                if small_card && rect.bottom() < y + 22.0 {
                    break;
                }
                let line = Rect::new(x, y, room - spare, rect.h);
                let ready = ready_text(wiring.priorities.get(n).map_or(&[][..], |all| all), queue);
                y = self.queue(queue, (queues.len(), small_card), &ready, line);
                heights.push(y - 18.0);
            }
            if 1 < queues.len() && !small_card {
                self.letters(wiring, &heights, x + room - spare + 2.0);
            }
        }
        if !small_card && !held.is_empty() {
            self.held_by(held, Rect::new(x, y, room, rect.bottom() - y));
        }
    }

    /// One queue from `at.y` on; answers where the next thing may stand.
    fn queue(
        &mut self,
        queue: &Queue,
        (n, small_card): (usize, bool),
        ready: &str,
        at: Rect,
    ) -> f32 {
        let head = !self.turned && !small_card && n < 3;
        let mut y = at.y;
        let mut cells = Rect::new(at.x, y, at.w, 26.0);
        if head {
            let mut x = at.x;
            let lang = self.lang();
            let label = if n == 1 {
                READY.get(lang).to_string()
            } else {
                queue_name(queue, self.cast, self.lang())
            };
            let (face, strong) = (plain(12.0, Token::Ink2), bold(12.0, Token::Ink));
            let base = y + 18.0;
            x += self.pen.write(pt(x, base), Anchor::Start, face, &label) + 10.0;
            x += self.pen.write(pt(x, base), Anchor::Start, strong, ready) + 8.0;
            let next = NEXT_OUT.get(lang);
            let faint = plain(11.0, Token::Ink3);
            let right = pt(at.right(), base);
            let used = self.pen.first(right, Anchor::End, faint, at.right() - x, &[next]) + 8.0;
            if let Some(limit) = queue.capacity {
                let text = self.say(OF_LIMIT, &[&count(u64::from(limit))]);
                self.pen.first(pt(x, base), Anchor::Start, face, at.right() - x - used, &[&text]);
            }
            y += 26.0;
            cells = Rect::new(at.x, y, at.w, 24.0);
        } else if 1 < n {
            // Several queues: the name before the cells, the number behind.
            let face = plain(11.0, Token::Ink2);
            let (name, short) = (
                queue_name(queue, self.cast, self.lang()),
                short_name(queue, self.cast, self.lang()),
            );
            let at_name = pt(at.x, y + 15.0);
            let name = self.pen.first(at_name, Anchor::Start, face, 64.0, &[&name, &short]);
            let strong = bold(12.0, Token::Ink);
            let used = self.pen.write(pt(at.right(), y + 15.0), Anchor::End, strong, ready);
            let left = if 0.0 < name { 70.0 } else { 0.0 };
            cells = Rect::new(at.x + left, y, at.w - left - used.max(24.0) - 6.0, 20.0);
        }
        if small_card && n == 1 {
            cells.h = 18.0;
            cells.y += 4.0;
        }
        let style = RowStyle {
            room: cells,
            places: queue.capacity.map(u64::from),
            head_right: true,
            signs: true,
            chosen: self.look.chosen,
        };
        row(self.pen, &queue.ready, style);
        cells.bottom() + 8.0
    }

    /// What consumers hold: cells with numbers if all fit, else cells, else a bar each.
    fn held_by(&mut self, held: &[Held], at: Rect) {
        let lang = self.lang();
        let total: u64 = held.iter().map(|held| held.row.total).sum();
        let base = at.y + if self.turned { 10.0 } else { 18.0 };
        let face = plain(12.0, if self.turned { Token::Ink3 } else { Token::Ink2 });
        let texts = [HELD.get(lang), HELD_SHORT.get(lang)];
        let text = if self.turned { &texts[1..] } else { &texts[..] };
        self.pen.first(pt(at.x, base), Anchor::Start, face, at.w - 40.0, text);
        self.pen.write(pt(at.right(), base), Anchor::End, bold(12.0, Token::Ink), &count(total));
        let top = base + 9.0;
        let line = Rect::new(at.x, top, at.w, (at.bottom() - 8.0 - top).clamp(10.0, 22.0));
        let places = |held: &Held| u64::from(held.slots).clamp(1, 3).max(held.row.total);
        let numbered: f32 =
            held.iter().map(|held| 24.0 + 35.0 * places(held) as f32).sum::<f32>() - 8.0;
        let short = held.iter().map(|held| self.cast.shorts[held.by.index()].len()).max();
        let label = if short.unwrap_or(0) <= 2 { 17.0 } else { 25.0 };
        let each = (line.w + 8.0) / held.len().max(1) as f32 - 8.0;
        if each < 12.0 {
            return self.held_columns(held, line);
        }
        let mut x = line.x;
        for one in held {
            let w = if numbered <= line.w && !self.turned {
                label + 35.0 * places(one) as f32 - 2.0
            } else {
                each
            };
            let named = label + 12.0 < w && !self.turned;
            let mut cells = Rect::new(x, line.y, w, line.h);
            if named {
                let name = self.cast.shorts[one.by.index()].clone();
                let face = plain(11.0, Token::Ink3);
                self.pen.write(pt(x, line.y + line.h / 2.0 + 4.0), Anchor::Start, face, &name);
                cells = Rect::new(x + label, line.y, w - label, line.h);
            }
            self.pen.scene.hit(Rect::new(x, line.y, w, line.h), Chosen::Actor(one.by));
            if one.gone && one.row.total == 0 {
                void(self.pen, cells, one.slots.clamp(1, 3));
            } else {
                let style = RowStyle {
                    room: cells,
                    places: (0 < one.slots).then_some(u64::from(one.slots)),
                    head_right: false,
                    signs: false,
                    chosen: self.look.chosen,
                };
                row(self.pen, &one.row, style);
            }
            x += w + 8.0;
        }
    }

    /// Too many consumers for cells: a column each, as high as what it holds of what it may hold.
    fn held_columns(&mut self, held: &[Held], line: Rect) {
        let step = line.w / held.len() as f32;
        let gap = if 3.0 < step { 1.0 } else { 0.0 };
        for (i, one) in held.iter().enumerate() {
            let x = line.x + i as f32 * step;
            let most = u64::from(one.slots).max(one.row.total).max(1);
            let column = Rect::new(x, line.y, step - gap, line.h);
            self.pen.scene.fill(column, 0.0, Token::Sunken);
            let h = line.h * one.row.total as f32 / most as f32;
            let filled = Rect::new(x, line.bottom() - h, step - gap, h);
            if 0.0 < h {
                self.pen.scene.fill(filled, 0.0, Token::StateWait);
            }
            self.pen.scene.hit(column, Chosen::Actor(one.by));
        }
    }
}

/// What a queue is called.
pub(super) fn queue_name(queue: &Queue, cast: &Cast, lang: Lang) -> String {
    match &queue.name {
        QueueName::Own(name) => name.clone(),
        QueueName::Actor(actor) => cast.name(*actor, lang).to_string(),
        QueueName::Text(text) => text.get(lang).to_string(),
    }
}

/// The same in little room.
fn short_name(queue: &Queue, cast: &Cast, lang: Lang) -> String {
    match &queue.name {
        QueueName::Actor(actor) => cast.shorts[actor.index()].clone(),
        _ => queue_name(queue, cast, lang),
    }
}
