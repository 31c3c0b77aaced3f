//! Cards of scripts on their hosts: the steps, both buffers as cells, the timers as clocks.
//!
//! Every card has the same rows at the same places whatever happens, so that nothing jumps; on a
//! turned stage the buffers stand beside the steps.

use crate::kernel::SimSpan;
use crate::model::ActorId;
use crate::model::tcp::{Hold, TimerKind};
use crate::param::Text;

use super::Chosen;
use super::cards::Cards;
use super::draw::{Anchor, Pattern, Pen, Rect, Shape, bold, plain, pt, stroke};
use super::ends::{End, Script, Ticking, Waits, bytes_per_cell};
use super::ladder::window::fine;
use super::ladder::words::{fill_of, timer_name};
use super::numbers::{count, span};
use super::tokens::Token;
use crate::observe::segments::BracketKind;

/// Most lines of a script on a card.
pub const LINES: u16 = 4;
/// Height of a line of a script.
const STEP: f32 = 19.0;
/// Height of everything else on a card.
const REST: f32 = 196.0;
/// From this width on the buffers stand beside the script.
const BESIDE: f32 = 300.0;
/// Most cells of a buffer.
const CELLS: u64 = 12;
/// The fewest bytes that fill a buffer's cells: small writes are not drawn as a full buffer.
const LEAST_FULL: u64 = 300;

const WAITS: Text = Text::new("waits {0}", "已等 {0}");
const HAS: Text = Text::new("has {0} B", "只有 {0} B");
const ROOM: Text = Text::new("no room, {0}", "无空间，{0}");
const OPENS: Text = Text::new("connects", "连接中");
const SLEEPS: Text = Text::new("{0} left", "还剩 {0}");
const OVER: Text = Text::new("done", "已结束");
const SEND: Text = Text::new("send buffer", "发送缓冲");
const RECEIVE: Text = Text::new("receive buffer", "接收缓冲");
const CELL: Text = Text::new("1 cell = {0} B", "1 格 = {0} B");
const SENT: Text = Text::new("{0}: sent, not acknowledged", "{0}：已发送，未确认");
const SENT_BYTES: Text = Text::new("{0} B sent, not acknowledged", "{0} B 已发送，未确认");
const SENT_SHORT: Text = Text::new("not acknowledged", "未确认");
const HELD: Text = Text::new("{0}: {1}", "{0}：{1}");
const UNREAD: Text = Text::new("unread: {0} B", "未读 {0} B");
const EARLY: Text = Text::new("behind a gap: {0} B", "缺口之后 {0} B");
const EMPTY: Text = Text::new("empty", "空");
const LEFT: Text = Text::new("{0} left", "还剩 {0}");
const NO_TIMER: Text = Text::new("no timer runs", "没有定时器在走");
const ACK_OWED: Text = Text::new("an ACK is owed", "欠一个 ACK");
const CLOSED: Text = Text::new("not connected", "未连接");

/// Why bytes do not leave, in a few words.
pub const fn held_by(hold: Hold) -> Text {
    match hold {
        Hold::Nagle => Text::new("held by Nagle", "被 Nagle 扣住"),
        Hold::Cork => Text::new("held by cork", "被 cork 扣住"),
        Hold::CongestionWindow => Text::new("congestion window full", "拥塞窗口已满"),
        Hold::ReceiverWindow => Text::new("receiver window full", "接收窗口已满"),
        Hold::Persist => Text::new("receiver window closed", "接收窗口为零"),
        Hold::Connecting => Text::new("not connected yet", "尚未连接"),
        Hold::Device => Text::new("device takes nothing", "网络设备不接收"),
        Hold::NotPushed => Text::new("no tcp_output yet", "尚未 tcp_output"),
    }
}

/// The height of a script's card on an upright stage.
pub fn height(lines: u16) -> f32 {
    REST + STEP * f32::from(lines.clamp(1, LINES))
}

/// The height of one on a turned stage, where buffers stand beside the steps.
pub fn turned_height(lines: u16) -> f32 {
    (40.0 + STEP * f32::from(lines.clamp(1, LINES))).max(170.0)
}

impl Cards<'_, '_> {
    /// A whole card: the script above or at the left, buffers and timers below or at the right.
    pub(super) fn host(
        &mut self,
        actor: ActorId,
        rect: Rect,
        profile: &str,
        of: (&Script, &[End]),
    ) {
        let (script, ends) = of;
        let (x, room) = (rect.x + 12.0, rect.w - 24.0);
        let face = plain(11.0, Token::Ink3);
        let used = self.pen.width(face, profile) + 12.0;
        let beside = BESIDE <= rect.w;
        let column = if beside { room * 0.4 } else { room };
        let wide = self.title(actor, x, rect.y + 22.0, column, 15.0);
        if used <= column - wide {
            let at = pt(x + column, rect.y + 22.0);
            self.pen.write(at, Anchor::End, face, profile);
        }
        let steps = Rect::new(rect.x + 6.0, rect.y + 31.0, column + 12.0, 0.0);
        let below = self.steps(steps, rect.bottom(), script);
        let Some(end) = ends.first() else { return };
        let line = stroke(Token::Line, 1.0);
        let (x, top, room) = match beside {
            true => {
                let x = x + column + 12.0;
                self.pen.scene.path(&[pt(x, rect.y + 12.0), pt(x, rect.bottom() - 10.0)], line);
                (x + 12.0, rect.y + 8.0, rect.right() - 24.0 - x)
            }
            false => {
                self.pen.scene.path(&[pt(x, below), pt(x + room, below)], line);
                (x, below, room)
            }
        };
        let used = self.send_buffer(end, x, top, room);
        let used = self.receive_buffer(end, x, used, room);
        let floor = rect.bottom() - used;
        self.timers(end, Rect::new(x, used, room, floor.max(0.0)));
    }

    /// The steps of a script, the current one on a ground of its own; answers where they end.
    fn steps(&mut self, room: Rect, floor: f32, script: &Script) -> f32 {
        let n = script.lines.len();
        let most = usize::from(LINES).min(((floor - room.y - 8.0) / STEP).max(1.0) as usize);
        // A long script scrolls so that the current step is seen with what follows.
        let current = script.current.unwrap_or(n);
        let first = current.saturating_sub(2).min(n.saturating_sub(most));
        for (row, line) in script.lines.iter().enumerate().skip(first).take(most) {
            let y = room.y + (row - first) as f32 * STEP;
            let is_current = Some(row) == script.current;
            let face = match is_current {
                true => bold(12.0, Token::Ink),
                false => plain(12.0, Token::Ink2),
            };
            if is_current {
                let ground = Rect::new(room.x, y, room.w, STEP);
                self.pen.scene.fill(ground, 3.0, Token::AccentSoft);
                let (left, middle) = (room.x + 4.0, y + STEP / 2.0);
                let points =
                    vec![pt(left, middle - 4.0), pt(left + 5.0, middle), pt(left, middle + 4.0)];
                self.pen.scene.shapes.push(Shape::Area { points, fill: Token::Accent });
            }
            if let (true, Some((turn, of))) = (line.trim().starts_with("repeat"), script.turn) {
                let text = format!("{}/{}", count(u64::from(turn)), count(u64::from(of)));
                let at = pt(room.right() - 5.0, y + 13.5);
                self.pen.write(at, Anchor::End, plain(11.0, Token::Ink3), &text);
            }
            let at = pt(room.x + 14.0, y + 13.5);
            let used = self.pen.first(at, Anchor::Start, face, room.w - 18.0, &[line.trim()]);
            if is_current {
                let texts = self.waits(script.waits);
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let at = pt(room.right() - 5.0, y + 13.5);
                let left = room.w - used - 28.0;
                self.pen.first(at, Anchor::End, bold(11.0, Token::Ink), left, &texts);
            }
        }
        let end = room.y + STEP * n.min(most) as f32;
        if script.current.is_none() {
            let text = OVER.get(self.lang());
            let at = pt(room.right() - 5.0, end - STEP + 13.5);
            self.pen.first(at, Anchor::End, bold(11.0, Token::Ink), room.w * 0.5, &[text]);
        }
        end + 7.0
    }

    /// What a script waits for, long and short.
    fn waits(&self, waits: Waits) -> Vec<String> {
        let lang = self.lang();
        let since = |time: SimSpan| self.say(WAITS, &[&span(time)]);
        match waits {
            Waits::Over => vec![OVER.get(lang).to_string()],
            Waits::Bytes(0, _, time) => vec![since(time), span(time)],
            Waits::Bytes(has, _, _) => vec![self.say(HAS, &[&count(has)])],
            Waits::Room(time) => vec![self.say(ROOM, &[&span(time)]), span(time)],
            Waits::Connection(_) => vec![OPENS.get(lang).to_string()],
            Waits::Time(left) => vec![self.say(SLEEPS, &[&span(left)]), span(left)],
            Waits::Since(time) => vec![since(time), span(time)],
        }
    }

    /// Cells of the send buffer, and what they are; answers where that ends.
    fn send_buffer(&mut self, end: &End, x: f32, top: f32, room: f32) -> f32 {
        let lang = self.lang();
        let label = plain(11.0, Token::Ink3);
        let all = end.sent.0 + end.held.0;
        let each = bytes_per_cell(all.max(LEAST_FULL), CELLS);
        let used = self.pen.write(pt(x, top + 16.0), Anchor::Start, label, SEND.get(lang));
        let scale = self.say(CELL, &[&count(each)]);
        let at = pt(x + room, top + 16.0);
        self.pen.first(at, Anchor::End, label, room - used - 8.0, &[&scale]);
        let (ink, pattern) = fill_of(BracketKind::Held(end.hold.unwrap_or(Hold::NotPushed)));
        let cell = self.cells(x, room, top + 22.0, 16.0);
        let (n_sent, n_held) = (end.sent.0.div_ceil(each), end.held.0.div_ceil(each));
        for i in 0..CELLS {
            let rect = cell(i);
            if i < n_sent {
                let inner = rect.grown(-1.0);
                self.pen.scene.card(
                    inner,
                    2.0,
                    Some(Token::Paper),
                    stroke(Token::StateFlight, 2.0),
                );
            } else if i < n_sent + n_held {
                self.pen.scene.bar(rect, ink, pattern);
            } else {
                self.pen.scene.fill(rect, 2.0, Token::Sunken);
            }
        }
        for (n, hit) in [(0..n_sent, end.sent.1), (n_sent..n_sent + n_held, end.held.1)] {
            if let (Some(msg), false) = (hit, n.is_empty()) {
                let (a, b) = (cell(n.start.min(CELLS)), cell(n.end.clamp(1, CELLS) - 1));
                let rect = Rect::new(a.x, a.y, b.right() - a.x, a.h);
                self.pen.scene.hit(rect, Chosen::Message(msg));
            }
        }
        let at = pt(x + 16.0, top + 54.0);
        if 0 < end.sent.0 {
            let swatch = Rect::new(x + 1.0, at.y - 9.0, 9.0, 9.0);
            self.pen.scene.card(swatch, 1.5, None, stroke(Token::StateFlight, 2.0));
            let long = match end.sent.1 {
                Some(msg) => self.say(SENT, &[&count(msg.0)]),
                None => self.say(SENT_BYTES, &[&count(end.sent.0)]),
            };
            let texts = [long.as_str(), SENT_SHORT.get(lang)];
            self.pen.first(at, Anchor::Start, plain(12.0, Token::Ink2), room - 16.0, &texts);
        } else if end.held.0 == 0 {
            let text = if end.is_open { EMPTY } else { CLOSED };
            let at = pt(x, at.y);
            self.pen.first(at, Anchor::Start, plain(12.0, Token::Ink3), room, &[text.get(lang)]);
        }
        if let (true, Some(hold)) = (0 < end.held.0, end.hold) {
            self.pen.scene.bar(Rect::new(x, top + 61.0, 11.0, 11.0), ink, pattern);
            let why = held_by(hold).get(lang);
            let long = match end.held.1 {
                Some(msg) => self.say(HELD, &[&count(msg.0), why]),
                None => self.say(HELD, &[&format!("{} B", count(end.held.0)), why]),
            };
            let at = pt(x + 16.0, top + 71.0);
            self.pen.first(at, Anchor::Start, bold(12.0, Token::Ink), room - 16.0, &[&long, why]);
        }
        top + 77.0
    }

    /// Cells of the receive buffer; answers where they end.
    fn receive_buffer(&mut self, end: &End, x: f32, top: f32, room: f32) -> f32 {
        let lang = self.lang();
        let label = plain(11.0, Token::Ink3);
        let used = self.pen.write(pt(x, top + 12.0), Anchor::Start, label, RECEIVE.get(lang));
        let text = match (end.unread, end.early) {
            (0, 0) => EMPTY.get(lang).to_string(),
            (0, early) => self.say(EARLY, &[&count(early)]),
            (unread, _) => self.say(UNREAD, &[&count(unread)]),
        };
        let face = if 0 < end.unread { bold(11.0, Token::Ink) } else { label };
        let at = pt(x + room, top + 12.0);
        self.pen.first(at, Anchor::End, face, room - used - 8.0, &[&text]);
        let each = bytes_per_cell((end.unread + end.early).max(LEAST_FULL), CELLS);
        let (n_unread, n_early) = (end.unread.div_ceil(each), end.early.div_ceil(each));
        let cell = self.cells(x, room, top + 18.0, 12.0);
        for i in 0..CELLS {
            let rect = cell(i);
            match i {
                _ if i < n_unread => self.pen.scene.bar(rect, Token::StateWait, Pattern::Solid),
                // What is behind a gap stands at the far end.
                _ if CELLS <= i + n_early => {
                    self.pen.scene.bar(rect, Token::CauseHeadOfLine, Pattern::Hatch);
                }
                _ => self.pen.scene.fill(rect, 2.0, Token::Sunken),
            }
        }
        top + 34.0
    }

    /// Where the `n`th of a buffer's cells stands.
    fn cells(&self, x: f32, room: f32, y: f32, h: f32) -> impl Fn(u64) -> Rect + use<> {
        let step = (room + 2.0) / CELLS as f32;
        move |n| Rect::new(x + n as f32 * step, y, step - 2.0, h)
    }

    /// The timer that matters most as a clock, a second one beside it when there is room.
    fn timers(&mut self, end: &End, room: Rect) {
        let lang = self.lang();
        let middle = room.y + (room.h / 2.0).min(22.0) + 1.0;
        let Some(first) = end.timers.first() else {
            let at = pt(room.x, middle + 4.0);
            let text = [NO_TIMER.get(lang)];
            self.pen.first(at, Anchor::Start, plain(11.0, Token::Ink3), room.w, &text);
            return;
        };
        let radius = if first.kind == TimerKind::DelayedAck { 12.0 } else { 10.0 };
        let used = self.timer(first, pt(room.x + radius + 5.0, middle), radius, room);
        if let Some(second) = end.timers.get(1) {
            let x = room.x + used + 12.0;
            let left = Rect::new(x, room.y, room.right() - x, room.h);
            if 34.0 < left.w {
                self.timer(second, pt(x + 9.0, middle), 9.0, left);
            }
        }
    }

    /// A clock with its name and what is left; answers the width that it took.
    fn timer(&mut self, timer: &Ticking, centre: super::draw::Point, r: f32, room: Rect) -> f32 {
        let lang = self.lang();
        let (ink, _) = fill_of(BracketKind::Timer(timer.kind));
        let matters = timer.kind == TimerKind::DelayedAck;
        let ink = if matters { ink } else { Token::Ink3 };
        let passed = timer.passed;
        self.pen.scene.shapes.push(Shape::Timer { centre, radius: r, passed, ink, next: matters });
        let x = centre.x + r + 11.0;
        let space = room.right() - x;
        let name = timer_name(timer.kind).get(lang);
        let face = if matters { bold(12.0, Token::Ink) } else { plain(12.0, Token::Ink2) };
        let short = ACK_OWED.get(lang);
        let texts = if matters { [name, short] } else { [name, name] };
        let at = pt(x, centre.y - 2.0);
        let wide = self.pen.first(at, Anchor::Start, face, space, &texts);
        let left = self.say(LEFT, &[&fine(timer.left)]);
        let at = pt(x, centre.y + 14.0);
        let face = plain(11.0, Token::Ink2);
        let low = self.pen.first(at, Anchor::Start, face, space, &[&left, &span(timer.left)]);
        x - room.x + wide.max(low)
    }

    /// A card of one or two lines: the step, the send buffer and why it holds.
    pub(super) fn host_row(
        &mut self,
        actor: ActorId,
        rect: Rect,
        (script, ends): (&Script, &[End]),
    ) {
        let lang = self.lang();
        let pad = if rect.w < 100.0 { 4.0 } else { 10.0 };
        let (x, room) = (rect.x + pad, rect.w - 2.0 * pad);
        let is_low = rect.h < 40.0;
        let base = rect.y + if is_low { 15.0 } else { 17.0 };
        let line = script.current.and_then(|n| script.lines.get(n)).map_or("", |line| line.trim());
        let over = if script.current.is_none() { OVER.get(lang) } else { line };
        // The name comes first: where the step has no room beside it, it stands below or nowhere.
        let face = bold(11.0, Token::Ink);
        let name = self.pen.width(bold(12.0, Token::Ink), self.cast.name(actor, lang));
        let beside = name + 8.0 + self.pen.width(face, over) <= room;
        let taken = if beside { 8.0 + self.pen.width(face, over) } else { 0.0 };
        self.title(actor, x, base, room - taken, 13.0);
        if beside {
            self.pen.first(pt(rect.right() - pad, base), Anchor::End, face, room, &[over]);
        }
        let Some(end) = ends.first() else { return };
        if rect.h < 30.0 {
            return;
        }
        let clock = if end.timers.is_empty() { 0.0 } else { 26.0 };
        let (y, h) = if is_low { (21.0, 7.0) } else { (24.0, 10.0) };
        send_bar(self.pen, end, Rect::new(x, rect.y + y, room - clock, h));
        if let Some(timer) = end.timers.first() {
            let (ink, _) = fill_of(BracketKind::Timer(timer.kind));
            let matters = timer.kind == TimerKind::DelayedAck;
            let ink = if matters { ink } else { Token::Ink3 };
            let (y, radius) = if is_low { (24.5, 5.5) } else { (37.0, 7.0) };
            let (centre, passed) = (pt(rect.right() - pad - 8.0, rect.y + y), timer.passed);
            // A ring would stand on the step above it.
            let next = matters && !is_low;
            self.pen.scene.shapes.push(Shape::Timer { centre, radius, passed, ink, next });
        }
        if is_low {
            return;
        }
        let why = match end.hold {
            Some(hold) if 0 < end.held.0 => held_by(hold).get(lang).to_string(),
            _ if 0 < end.unread => self.say(UNREAD, &[&count(end.unread)]),
            _ => match end.timers.first() {
                Some(timer) if timer.kind == TimerKind::DelayedAck => {
                    ACK_OWED.get(lang).to_string()
                }
                _ => String::new(),
            },
        };
        let at = pt(x, rect.y + 49.0);
        let words = if why.is_empty() && !beside { over } else { &why };
        self.pen.first(at, Anchor::Start, plain(11.0, Token::Ink2), room - clock, &[words]);
    }
}

/// The buffers of an end as one bar: sent, held, empty; what is unread at the right.
pub fn send_bar(pen: &mut Pen<'_>, end: &End, rect: Rect) {
    pen.scene.fill(rect, 2.0, Token::Sunken);
    let all = (end.sent.0 + end.held.0 + end.unread).max(LEAST_FULL) as f32;
    let share = |bytes: u64| rect.w * bytes as f32 / all;
    let (sent, held, unread) = (share(end.sent.0), share(end.held.0), share(end.unread));
    if 0.0 < sent {
        let inner = Rect::new(rect.x + 1.0, rect.y + 1.0, (sent - 2.0).max(2.0), rect.h - 2.0);
        pen.scene.card(inner, 1.5, Some(Token::Paper), stroke(Token::StateFlight, 2.0));
    }
    if 0.0 < held {
        let (ink, pattern) = fill_of(BracketKind::Held(end.hold.unwrap_or(Hold::NotPushed)));
        pen.scene.bar(Rect::new(rect.x + sent, rect.y, held.max(2.0), rect.h), ink, pattern);
    }
    if 0.0 < unread {
        let w = unread.max(2.0);
        let bar = Rect::new(rect.right() - w, rect.y, w, rect.h);
        pen.scene.bar(bar, Token::StateWait, Pattern::Solid);
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::SimTime;
    use crate::param::Lang;
    use crate::view::draw::{Rect, Scene, Shape, pt};
    use crate::view::frame::Frame;
    use crate::view::inspect::cast_of;
    use crate::view::layout::{Room, layout};
    use crate::view::scene::{Staged, plan};
    use crate::view::{Chosen, Look, Theme};
    use crate::world::preset;
    use crate::world::session::{Session, Watch};

    const SCRIPTED: [&str; 6] = [
        "nagle-stall",
        "four-quadrants",
        "cork",
        "small-window",
        "ten-ms-to-one-ms",
        "write-write-read-board",
    ];

    fn staged(preset: &str, ms: u64, width: f32, lang: Lang) -> (Scene, f32) {
        let scenario = preset::find(preset).expect("the preset is there").open();
        let mut session = Session::new(scenario, Watch::All);
        session.seek(SimTime::from_ns(ms * 1_000_000));
        let frame = Frame::of(session.world(), 0.02);
        let cast = cast_of(session.scenario());
        let height = if width < 520.0 { 422.0 } else { 340.0 };
        let room = Room { width, height, embed: false, caption: true, fill: false };
        let layout = layout(&plan(&frame, &cast), room);
        let (chosen, theme) = (Chosen::Nothing, Theme::Light);
        let look = Look { lang, theme, chosen, speed: 0.02, playing: false, embed: false };
        let mut scene = Scene::default();
        Staged { frame: &frame, layout: &layout, cast: &cast, look }.compose(None, &mut scene);
        (scene, layout.height)
    }

    fn texts(scene: &Scene) -> Vec<(Rect, &str)> {
        let words = scene.shapes.iter().filter_map(|shape| match shape {
            Shape::Words(words) => Some((words.bounds(), words.text.as_str())),
            _ => None,
        });
        words.collect()
    }

    #[test]
    fn a_stalled_script_shows_what_it_waits_for_what_is_held_and_the_clock() {
        let (scene, _) = staged("nagle-stall", 27, 560.0, Lang::En);
        let said: Vec<&str> = texts(&scene).iter().map(|text| text.1).collect();
        for text in ["read 1", "has 100 B", "5: held by Nagle", "delayed-ACK timer"] {
            assert!(said.contains(&text), "{text} in {said:?}");
        }
        assert!(said.iter().any(|text| text.starts_with("waits 20.")), "{said:?}");
        let ringed = scene.shapes.iter().any(|s| matches!(s, Shape::Timer { next: true, .. }));
        assert!(ringed, "the timer that matters next has a ring");
        let (scene, _) = staged("nagle-stall", 27, 560.0, Lang::Zh);
        let said: Vec<&str> = texts(&scene).iter().map(|text| text.1).collect();
        assert!(said.contains(&"5：被 Nagle 扣住"), "{said:?}");
    }

    #[test]
    fn programs_keep_their_names_where_steps_have_no_room() {
        for (lang, names) in [
            (Lang::Zh, ["默认", "只改宏", "不用 DMA", "优化后"]),
            (Lang::En, ["Default", "Macro only", "No DMA", "Optimised"]),
        ] {
            let (scene, _) = staged("ten-ms-to-one-ms", 270, 390.0, lang);
            let said: Vec<&str> = texts(&scene).iter().map(|text| text.1).collect();
            for name in names {
                assert!(said.contains(&name), "{name} in {said:?}");
            }
        }
    }

    #[test]
    fn one_of_several_boards_is_drawn_with_the_way_to_the_others() {
        let (scene, height) = staged("write-write-read-board", 27, 560.0, Lang::En);
        assert!(texts(&scene).iter().any(|text| text.1 == "board 1 of 5"));
        let (one, _) = staged("nagle-stall", 27, 560.0, Lang::En);
        assert!(!texts(&one).iter().any(|text| text.1.starts_with("board ")));
        assert!(height <= 578.0, "a page of 800 shows all of it: {height}");
    }

    #[test]
    fn texts_of_scripts_overlap_nothing_and_stay_on_the_stage() {
        for preset in SCRIPTED {
            for width in [560.0, 390.0, 1_180.0] {
                for lang in Lang::ALL {
                    for ms in [0, 3, 27, 50, 1_350] {
                        let (scene, height) = staged(preset, ms, width, lang);
                        let texts = texts(&scene);
                        let stage = Rect::new(0.0, 0.0, width, height);
                        for (i, (rect, text)) in texts.iter().enumerate() {
                            assert!(stage.contains(pt(rect.x, rect.y)), "{preset} {text}");
                            let far = pt(rect.right(), rect.bottom());
                            assert!(stage.contains(far), "{preset} {width} {text} {rect:?}");
                            for (other, said) in &texts[i + 1..] {
                                let inner = Rect::new(rect.x, rect.y + 3.0, rect.w, rect.h - 6.0);
                                assert!(
                                    !inner.overlaps(other),
                                    "{preset} {width} {ms}: {text} on {said}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
