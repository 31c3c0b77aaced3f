//! How each kind of actor is drawn, at each density.
//!
//! Cards say the same in every form, only less: a text that does not fit gives way to a shorter
//! one or to none. Where cards stand is decided in [`super::layout`].

use crate::kernel::SimSpan;
use crate::model::ActorId;
use crate::param::{Lang, Param, Text};

use super::cells::{RowStyle, clock, progress, row};
use super::draw::{Anchor, Glyph, Pen, Rect, Stroke, bold, plain, pt, stroke};
use super::frame::{Body, Card, Life, Row, Work};
use super::layout::{Density, Memory, Place};
use super::log_card::member_words;
use super::numbers::{count, span};
use super::tokens::Token;
use super::words::{Cast, fill};
use super::{Chosen, Look};

const WORKS_ON: Text = Text::new("works on {0}", "正在处理 {0}");
const WORKS_ON_SHORT: Text = Text::new("{0}", "处理 {0}");
const BUSY_OF: Text = Text::new("busy: {0} of {1}", "忙碌 {0}/{1}");
const IDLE: Text = Text::new("idle", "空闲");
const BACK_PRESSURE: Text = Text::new("next place is full: {0}", "下一站已满：{0}");
const PAUSED: Text = Text::new("paused", "已暂停");
const CRASHED_AGO: Text = Text::new("crashed {0} ago", "{0} 前崩溃");
const CRASHED: Text = Text::new("crashed", "已崩溃");
const RESTARTS_IN: Text = Text::new("restarts in {0}", "{0} 后重启");
const NEXT_IN: Text = Text::new("{0} in {1}", "{1} 后发 {0}");
const BLOCKED: Text = Text::new("blocked, waiting: {0}", "被阻塞，等待 {0}");
const WAITING: Text = Text::new("waiting: {0}", "等待 {0}");
const SILENT: Text = Text::new("sends no more", "不再发送");
const CLIENTS: Text = Text::new("clients: {0}", "客户端 {0}");
const WAITS_FOR: Text = Text::new("waits for {0}", "等待 {0} 的答复");
const WAIT_FOR_N: Text = Text::new("waiting: {0} of {1}", "等待答复 {0}/{1}");
const ASKS_IN: Text = Text::new("asks in {0}", "{0} 后请求");
const SLOWED: Text = Text::new("slowed", "已放慢");

/// Draws one card.
pub struct Cards<'a, 'b> {
    /// The pen.
    pub pen: &'a mut Pen<'b>,
    /// What things are called.
    pub cast: &'a Cast,
    /// How it is looked at.
    pub look: Look,
    /// Whether messages run downwards.
    pub turned: bool,
}

impl Cards<'_, '_> {
    /// Draws an actor's card at its place.
    pub fn draw(&mut self, actor: ActorId, card: &Card, place: &Place) {
        let rect = place.rect;
        self.outline(actor, card, place);
        self.pen.scene.hit(rect, Chosen::Actor(actor));
        if place.density == Density::Bar && !matches!(card.body, Body::Log(_)) {
            return self.bar(actor, card, rect);
        }
        let full = place.density == Density::Full;
        match &card.body {
            Body::Script(script) if full => {
                self.host(actor, rect, card.profile, (script, &card.ends));
            }
            Body::Script(script) => self.host_row(actor, rect, (script, &card.ends)),
            Body::Broker { queues, held, waiting, wiring } => {
                self.broker(actor, card, rect, (queues, held, *waiting, wiring), full);
            }
            Body::Log(logs) => self.logs(actor, card, rect, logs),
            _ if full && self.turned => self.turned_card(actor, card, place),
            _ if full && 60.0 < rect.h => self.full(actor, card, place),
            _ => self.line(actor, card, place),
        }
    }

    pub(super) fn lang(&self) -> Lang {
        self.look.lang
    }

    pub(super) fn say(&self, text: Text, parts: &[&str]) -> String {
        fill(text, self.lang(), parts)
    }

    /// The card itself: paper, or a dashed outline where a process died.
    fn outline(&mut self, actor: ActorId, card: &Card, place: &Place) {
        let radius = if place.density == Density::Bar { 3.0 } else { 6.0 };
        let chosen = self.look.chosen == Chosen::Actor(actor);
        let (fill, line) = match card.life {
            _ if chosen => (Some(Token::Paper), stroke(Token::Accent, 2.0)),
            Life::Crashed { .. } => {
                (None, Stroke { ink: Token::StateLost, width: 1.0, dash: Some((4.0, 3.0)) })
            }
            Life::Paused => (Some(Token::Sunken), stroke(Token::LineStrong, 1.0)),
            Life::Up => (Some(Token::Paper), stroke(Token::LineStrong, 1.0)),
        };
        // Pipes end at cards; a dead one has no paper of its own, but covers them all the same.
        let ground = fill.unwrap_or(Token::Stage);
        self.pen.scene.card(place.rect, radius, Some(ground), line);
    }

    /// The name, as long as it fits.
    pub(super) fn title(&mut self, actor: ActorId, x: f32, base: f32, room: f32, size: f32) -> f32 {
        let name = self.cast.name(actor, self.lang()).to_string();
        let short = self.cast.shorts[actor.index()].clone();
        let face = bold(size, Token::Ink);
        let at = pt(x, base);
        for size in [size, 13.0, 12.0] {
            let face = bold(size.min(face.size), Token::Ink);
            if self.pen.width(face, &name) <= room {
                return self.pen.write(at, Anchor::Start, face, &name);
            }
        }
        self.pen.first(at, Anchor::Start, bold(13.0, Token::Ink), room, &[&short])
    }

    /// A full card on an upright stage, all kinds but the broker.
    fn full(&mut self, actor: ActorId, card: &Card, place: &Place) {
        let rect = place.rect;
        let (x, room) = (rect.x + 14.0, rect.w - 28.0);
        let beside = place.button.filter(|button| button.y < rect.bottom());
        let title_room = beside.map_or(room, |button| button.x - x - 6.0);
        self.title(actor, x, rect.y + 24.0, title_room, 15.0);
        if let Life::Crashed { ago, restart } = card.life {
            return self.crashed(rect, ago, restart);
        }
        match &card.body {
            Body::Producer { .. } => self.producer(card, rect),
            Body::Worker { works, workers, buffer, outgoing, slow_ppm, .. } => {
                let line = self.work_words(card, works, *workers, outgoing, *slow_ppm);
                let left = works.first().filter(|_| *workers == 1).map(|work| span(work.left));
                let mut used = 0.0;
                if let (Some(left), Life::Up) = (left, card.life) {
                    let at = pt(rect.right() - 14.0, rect.y + 46.0);
                    used = self.pen.write(at, Anchor::End, plain(12.0, Token::Ink2), &left) + 8.0;
                }
                let face = plain(12.0, Token::Ink2);
                let at = pt(x, rect.y + 46.0);
                self.pen.first(at, Anchor::Start, face, room - used, &[&line.0, &line.1]);
                let bar = Rect::new(x, rect.y + 56.0, room, 5.0);
                self.work_and_memory((works, *workers), (buffer, outgoing), bar, place.memory);
            }
            Body::Requester { .. } => self.requester(card, rect),
            Body::Script(_) | Body::Broker { .. } | Body::Log(_) => {}
        }
    }

    /// Rate, and the clock to the next message or what keeps it.
    fn producer(&mut self, card: &Card, rect: Rect) {
        let Body::Producer { rate, arrivals, next, outbox, blocked, .. } = &card.body else {
            return;
        };
        let lang = self.lang();
        let (x, room) = (rect.x + 14.0, rect.w - 28.0);
        let rate = rate.label(lang);
        let both = format!("{rate}, {}", arrivals.label(lang));
        let face = plain(12.0, Token::Ink2);
        self.pen.first(pt(x, rect.y + 44.0), Anchor::Start, face, room, &[&both, &rate]);
        let base = rect.y + 69.0;
        let small = plain(11.0, Token::Ink2);
        if card.life == Life::Paused {
            self.pen.write(pt(x, base), Anchor::Start, small, PAUSED.get(lang));
        } else if *blocked || outbox.total != 0 {
            let waiting = count(outbox.total);
            let text = if *blocked { BLOCKED } else { WAITING };
            let texts = [self.say(text, &[&waiting]), self.say(WAITING, &[&waiting])];
            let face = plain(11.0, if *blocked { Token::WarnInk } else { Token::Ink2 });
            self.pen.scene.sign(pt(x + 6.0, base - 4.0), 4.2, Glyph::New);
            let at = pt(x + 18.0, base);
            self.pen.first(at, Anchor::Start, face, room - 18.0, &[&texts[0], &texts[1]]);
        } else if let Some((msg, left, passed)) = next {
            clock(self.pen, pt(x + 8.0, base - 4.0), 7.0, *passed, false);
            let (id, left) = (msg.0.to_string(), span(*left));
            let text = self.say(NEXT_IN, &[&id, &left]);
            let at = pt(x + 22.0, base);
            self.pen.first(at, Anchor::Start, small, room - 22.0, &[&text, &left]);
        } else {
            self.pen.first(pt(x, base), Anchor::Start, small, room, &[SILENT.get(lang)]);
        }
    }

    /// Its wait as a growing bar.
    fn requester(&mut self, card: &Card, rect: Rect) {
        let Body::Requester { clients, waiting, n_waiting, next } = &card.body else { return };
        let (x, room) = (rect.x + 14.0, rect.w - 28.0);
        let face = plain(12.0, Token::Ink2);
        let line = match (waiting.first(), clients) {
            (Some((msg, _)), 1) => self.say(WAITS_FOR, &[&msg.0.to_string()]),
            (Some(_), _) => self.say(WAIT_FOR_N, &[&count(*n_waiting), &count(*clients)]),
            (None, 1) => match next {
                Some(left) => self.say(ASKS_IN, &[&span(*left)]),
                None => IDLE.get(self.lang()).to_string(),
            },
            (None, _) => self.say(CLIENTS, &[&count(*clients)]),
        };
        let short = self.say(CLIENTS, &[&count(*clients)]);
        self.pen.first(pt(x, rect.y + 44.0), Anchor::Start, face, room, &[&line, &short]);
        let Some(longest) = waiting.iter().map(|(_, since)| *since).max() else { return };
        let text = span(longest);
        let value = plain(11.0, Token::Ink2);
        let used = self.pen.width(value, &text) + 8.0;
        let whole = round_up(longest);
        let bar = Rect::new(x, rect.y + 61.0, room - used, 8.0);
        let share = longest.as_ns() as f32 / whole.as_ns().max(1) as f32;
        self.pen.scene.fill(bar, 2.0, Token::Sunken);
        let done = Rect::new(bar.x, bar.y, bar.w * share.clamp(0.0, 1.0), bar.h);
        self.pen.scene.fill(done, 2.0, Token::CauseBrokerQueue);
        self.pen.write(pt(rect.right() - 14.0, rect.y + 69.0), Anchor::End, value, &text);
    }

    /// What a worker does, long and short.
    fn work_words(
        &self,
        card: &Card,
        works: &[Work],
        workers: u32,
        outgoing: &Row,
        slow_ppm: u32,
    ) -> (String, String) {
        let lang = self.lang();
        if card.life == Life::Paused {
            return (PAUSED.get(lang).into(), PAUSED.get(lang).into());
        }
        let (long, short) = match works {
            [] if outgoing.total != 0 => {
                let n = count(outgoing.total);
                (self.say(BACK_PRESSURE, &[&n]), self.say(WAITING, &[&n]))
            }
            [] => match &card.body {
                Body::Worker { member: Some(member), .. } => member_words(member, lang),
                Body::Worker { note: Some((long, short)), .. } => {
                    (long.get(lang).to_string(), short.get(lang).to_string())
                }
                _ => (IDLE.get(lang).to_string(), IDLE.get(lang).to_string()),
            },
            [work] if workers == 1 => {
                let id = work.msg.0.to_string();
                (self.say(WORKS_ON, &[&id]), self.say(WORKS_ON_SHORT, &[&id]))
            }
            _ => {
                let (busy, all) = (count(works.len() as u64), count(u64::from(workers)));
                (self.say(BUSY_OF, &[&busy, &all]), format!("{busy}/{all}"))
            }
        };
        if slow_ppm != 1_000_000 && !works.is_empty() {
            return (format!("{long} ({})", SLOWED.get(lang)), long);
        }
        (long, short)
    }

    /// One bar for each worker, side by side; for many workers one bar of the busy share.
    fn work_bars(&mut self, works: &[Work], workers: u32, rect: Rect) {
        let n = workers.max(1) as f32;
        let each = (rect.w - 3.0 * (n - 1.0)) / n;
        if each < 10.0 {
            let share = works.len() as f32 / n;
            return progress(self.pen, rect, share, Token::CauseProcessing);
        }
        for i in 0..workers.max(1) as usize {
            let bar = Rect::new(rect.x + i as f32 * (each + 3.0), rect.y, each, rect.h);
            let work = works.get(i);
            progress(self.pen, bar, work.map_or(0.0, |work| work.done), Token::CauseProcessing);
            if let Some(work) = work {
                self.pen.scene.hit(bar.grown(3.0), Chosen::Message(work.msg));
            }
        }
    }

    /// The bars of the work, with what waits in memory beside or below them.
    fn work_and_memory(
        &mut self,
        (works, workers): (&[Work], u32),
        (buffer, outgoing): (&Row, &Row),
        bar: Rect,
        memory: Memory,
    ) {
        match memory {
            Memory::None => self.work_bars(works, workers, bar),
            Memory::Below => {
                self.work_bars(works, workers, bar);
                let h = if self.turned { 14.0 } else { 20.0 };
                self.buffer(buffer, outgoing, Rect::new(bar.x, bar.bottom() + 7.0, bar.w, h));
            }
            Memory::Beside => {
                let cells = (bar.w * 0.3).min(46.0);
                self.work_bars(works, workers, Rect { w: bar.w - cells - 6.0, ..bar });
                let waiting = if buffer.total == 0 { outgoing } else { buffer };
                let h = if self.turned { 10.0 } else { 14.0 };
                let y = bar.y + (bar.h - h) / 2.0;
                let style = RowStyle {
                    room: Rect::new(bar.right() - cells, y, cells, h),
                    places: None,
                    head_right: false,
                    signs: false,
                    chosen: self.look.chosen,
                };
                row(self.pen, waiting, style);
            }
        }
    }

    /// What waits in a worker's own memory, or behind it for the next place.
    fn buffer(&mut self, buffer: &Row, outgoing: &Row, rect: Rect) {
        let waiting = if buffer.total == 0 { outgoing } else { buffer };
        let text = count(waiting.total);
        let face = bold(12.0, Token::Ink);
        let used = self.pen.width(face, &text).max(18.0) + 8.0;
        let room = Rect::new(rect.x, rect.y, rect.w - used, rect.h);
        let style = RowStyle {
            room,
            places: None,
            head_right: true,
            signs: false,
            chosen: self.look.chosen,
        };
        row(self.pen, waiting, style);
        self.pen.write(pt(rect.right(), rect.centre().y + 4.5), Anchor::End, face, &text);
    }

    /// When it died, and when it comes back.
    fn crashed(&mut self, rect: Rect, ago: SimSpan, restart: Option<(SimSpan, f32)>) {
        let (x, room) = (rect.x + 14.0, rect.w - 28.0);
        self.pen.scene.sign(pt(x + 5.0, rect.y + 41.0), 4.2, Glyph::Lost);
        let texts = [self.say(CRASHED_AGO, &[&span(ago)]), CRASHED.get(self.lang()).to_string()];
        let face = plain(12.0, Token::BadInk);
        let at = pt(x + 16.0, rect.y + 45.0);
        self.pen.first(at, Anchor::Start, face, room - 16.0, &[&texts[0], &texts[1]]);
        if let Some((left, passed)) = restart {
            clock(self.pen, pt(x + 6.0, rect.y + 58.0), 6.0, passed, false);
            let text = self.say(RESTARTS_IN, &[&span(left)]);
            let face = plain(11.0, Token::Ink2);
            let at = pt(x + 18.0, rect.y + 62.0);
            self.pen.first(at, Anchor::Start, face, room - 18.0, &[&text, &span(left)]);
        }
    }

    /// A card of a turned stage: name and state above, the button below.
    fn turned_card(&mut self, actor: ActorId, card: &Card, place: &Place) {
        let rect = place.rect;
        let x = rect.x + 11.0;
        let room = rect.w - 22.0;
        let sends = matches!(card.body, Body::Producer { .. } | Body::Requester { .. });
        if sends && rect.h < 70.0 {
            return self.line(actor, card, place);
        }
        self.title(actor, x, rect.y + 21.0, room, 13.0);
        let at = pt(x, rect.y + 40.0);
        if let Life::Crashed { ago, .. } = card.life {
            let texts =
                [self.say(CRASHED_AGO, &[&span(ago)]), CRASHED.get(self.lang()).to_string()];
            let face = plain(12.0, Token::BadInk);
            self.pen.first(at, Anchor::Start, face, room, &[&texts[0], &texts[1]]);
            return;
        }
        let Body::Worker { works, workers, buffer, outgoing, slow_ppm, .. } = &card.body else {
            return;
        };
        let (long, short) = self.work_words(card, works, *workers, outgoing, *slow_ppm);
        let face = plain(12.0, Token::Ink2);
        self.pen.first(at, Anchor::Start, face, room, &[&long, &short]);
        let bar = Rect::new(x, rect.y + 47.0, room, 4.0);
        self.work_and_memory((works, *workers), (buffer, outgoing), bar, place.memory);
    }

    /// A card of one line: name, state if it fits, a bar along its foot.
    fn line(&mut self, actor: ActorId, card: &Card, place: &Place) {
        let rect = place.rect;
        let x = rect.x + 12.0;
        let inside = place.button.filter(|button| rect.overlaps(button));
        let right = inside.map_or(rect.right() - 10.0, |button| button.x - 6.0);
        let size = if rect.h < 40.0 { 12.0 } else { 15.0 };
        if let (Body::Producer { rate, .. }, false) = (&card.body, self.turned || rect.h < 50.0) {
            // Tall enough for two lines.
            self.title(actor, x, rect.y + 24.0, right - x, 15.0);
            let crashed = matches!(card.life, Life::Crashed { .. });
            let text =
                if crashed { CRASHED.get(self.lang()).into() } else { rate.label(self.lang()) };
            let face = plain(12.0, if crashed { Token::BadInk } else { Token::Ink2 });
            self.pen.first(pt(x, rect.y + 43.0), Anchor::Start, face, right - x, &[&text]);
            return;
        }
        let base = rect.y + rect.h / 2.0 + 4.5;
        let used = self.title(actor, x, base, right - x, size) + 10.0;
        let room = right - x - used;
        let at = pt(right, base);
        if let Life::Crashed { .. } = card.life {
            let face = plain(12.0, Token::BadInk);
            self.pen.first(at, Anchor::End, face, room, &[CRASHED.get(self.lang())]);
            return;
        }
        let face = plain(12.0, Token::Ink2);
        match &card.body {
            Body::Producer { rate, outbox, blocked, .. } => {
                let label = rate.label(self.look.lang);
                let waiting = self.say(WAITING, &[&count(outbox.total)]);
                let blocked = *blocked || outbox.total != 0;
                let texts = if blocked { [&waiting, &label] } else { [&label, &label] };
                self.pen.first(at, Anchor::End, face, room, &texts.map(String::as_str));
            }
            Body::Worker { works, workers, buffer, outgoing, slow_ppm, .. } => {
                let (long, short) = self.work_words(card, works, *workers, outgoing, *slow_ppm);
                let n = count(buffer.total + outgoing.total);
                let waits = self.say(WAITING, &[&n]);
                let texts: [&str; 2] =
                    if buffer.total == 0 { [&long, &short] } else { [&waits, &n] };
                self.pen.first(at, Anchor::End, face, room, &texts);
                let bar = Rect::new(rect.x + 8.0, rect.bottom() - 5.0, rect.w - 16.0, 3.0);
                self.work_bars(works, *workers, bar);
            }
            Body::Requester { clients, n_waiting, .. } => {
                let text = self.say(WAIT_FOR_N, &[&count(*n_waiting), &count(*clients)]);
                let short = format!("{}/{}", count(*n_waiting), count(*clients));
                self.pen.first(at, Anchor::End, face, room, &[&text, &short]);
            }
            Body::Script(_) | Body::Broker { .. } | Body::Log(_) => {}
        }
    }

    /// The smallest form: a bar that fills, and a short name if it fits.
    fn bar(&mut self, actor: ActorId, card: &Card, rect: Rect) {
        let inner = rect.grown(-2.0);
        let (share, ink, n) = match &card.body {
            _ if matches!(card.life, Life::Crashed { .. }) => (0.0, Token::StateLost, None),
            Body::Worker { works, workers, buffer, .. } => {
                let done: f32 = works.iter().map(|work| work.done).sum();
                (done / (*workers).max(1) as f32, Token::Sunken, Some(buffer.total))
            }
            Body::Broker { queues, .. } => {
                let ready = queues.iter().map(|queue| queue.ready.total).sum();
                (0.0, Token::Sunken, Some(ready))
            }
            Body::Producer { outbox, .. } => (0.0, Token::Sunken, Some(outbox.total)),
            Body::Requester { n_waiting, .. } => (0.0, Token::Sunken, Some(*n_waiting)),
            Body::Script(_) => (0.0, Token::Sunken, None),
            Body::Log(logs) => (0.0, Token::Sunken, Some(logs.groups.iter().map(|g| g.lag).sum())),
        };
        if 0.0 < share {
            let w = inner.w * share.clamp(0.0, 1.0);
            self.pen.scene.fill(Rect::new(inner.x, inner.y, w, inner.h), 1.0, ink);
            let foot = Rect::new(inner.x, inner.bottom() - 2.0, w, 2.0);
            self.pen.scene.fill(foot, 0.0, Token::CauseProcessing);
        }
        if rect.h < 14.0 || rect.w < 26.0 {
            return;
        }
        let base = rect.y + rect.h / 2.0 + 4.0;
        let mut right = rect.right() - 5.0;
        if let Some(n) = n.filter(|&n| n != 0) {
            let face = bold(11.0, Token::Ink);
            let at = pt(right, base);
            right -= self.pen.first(at, Anchor::End, face, rect.w - 10.0, &[&count(n)]) + 6.0;
        }
        let name = self.cast.name(actor, self.look.lang).to_string();
        let short = self.cast.shorts[actor.index()].clone();
        let dead = matches!(card.life, Life::Crashed { .. });
        let face = plain(11.0, if dead { Token::BadInk } else { Token::Ink2 });
        let room = right - rect.x - 5.0;
        self.pen.first(pt(rect.x + 5.0, base), Anchor::Start, face, room, &[&name, &short]);
    }
}

/// The next 1, 2 or 5 times a power of ten of nanoseconds, at least 10 ms.
fn round_up(span: SimSpan) -> SimSpan {
    let mut unit = 10_000_000_u64;
    loop {
        for step in [1, 2, 5] {
            if span.as_ns() <= unit * step {
                return SimSpan::ns(unit * step);
            }
        }
        unit = unit.saturating_mul(10);
        if unit == u64::MAX {
            return SimSpan::MAX;
        }
    }
}
