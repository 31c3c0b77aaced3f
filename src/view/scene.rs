//! The stage at one instant: cards, names of paths, numbers at dots, the caption, and the buttons.
//!
//! The dots themselves are not in the scene: there may be thousands, and they are painted below it
//! from [`Frame::dots`].

use crate::model::{ActorId, MsgId};
use crate::param::{Lang, Param, Said, Text};

use super::board::{self, Board};
use super::broker_card::queue_name;
use super::caption::Caption;
use super::cards::Cards;
use super::draw::{Anchor, Glyph, Pen, Point, Rect, Scene, Shape, bold, plain, pt};
use super::ends::{End, Script};
use super::frame::{Body, Dot, Frame, Life};
use super::host_card::send_bar;
use super::layout::{Kind, Layout, Memory, Plan};
use super::log_card::logs_say;
use super::numbers::{clock, count, instant, percent, short_span, span};
use super::text_width::text_width;
use super::tokens::Token;
use super::wiring_card;
use super::words::{Cast, Ink, fill};
use super::{Act, Chosen, Look};

const PATH: Text = Text::new("path {0}", "路径 {0}");
const PATH_LOSSY: Text = Text::new("path {0}, loss {1}", "路径 {0}，丢失 {1}");
const PATH_CUT: Text = Text::new("cut", "已切断");
const ACK: Text = Text::new("ack {0}", "确认 {0}");
const FLOW: Text = Text::new("{0} msg/s", "{0} 条/s");
const UNREAD: Text = Text::new("unread: {0}", "未读 {0}");
const CRASH: Text = Text::new("Crash", "崩溃");
const RESTART: Text = Text::new("Restart", "重启");
const RESUME: Text = Text::new("Resume", "继续");
const SEND_ONE: Text = Text::new("Send one now", "立即发送一条");
const SEND: Text = Text::new("Send one", "发一条");

/// Width and height of a buffer beside a pipe.
const BUFFER: (f32, f32) = (34.0, 7.0);
/// Up to so many dots carry their numbers.
const LABELLED: usize = 16;
/// Up to so many dots have tails.
pub const TAILED: usize = 80;

/// A button on the stage, drawn by the page as a real one.
#[derive(Clone, PartialEq, Debug)]
pub struct Button {
    /// Where.
    pub rect: Rect,
    /// What it says.
    pub label: String,
    /// What it says to those who do not see where it stands.
    pub said: String,
    /// What it does.
    pub act: Act,
}

/// What the layout has to know of a frame.
pub fn plan(frame: &Frame, cast: &Cast) -> Plan {
    let fed_directly = |actor: usize| {
        let feeds = cast.ends.iter().filter(|(_, to)| to.index() == actor);
        feeds.map(|(from, _)| from.index()).any(|from| {
            !matches!(
                frame.cards.get(from).map(|card| &card.body),
                Some(Body::Broker { .. } | Body::Log(_))
            )
        })
    };
    let held_more_than_worked = |actor: usize, workers: u32| {
        let mut held = frame.cards.iter().filter_map(|card| match &card.body {
            Body::Broker { held, .. } => held.iter().find(|held| held.by.index() == actor),
            _ => None,
        });
        held.any(|held| held.slots == 0 || workers < held.slots)
    };
    let kind = |(actor, body): (usize, &Body)| match body {
        Body::Producer { .. } => Kind::Producer,
        Body::Broker { queues, wiring, .. } => {
            let lines = queues.len().max(wiring_card::lines(queues.len(), wiring));
            Kind::Broker { queues: lines as u16 }
        }
        Body::Worker { member: Some(_), .. } => Kind::Consumer { memory: Memory::Beside },
        Body::Worker { workers, .. } => {
            let memory = match (fed_directly(actor), held_more_than_worked(actor, *workers)) {
                (true, _) => Memory::Below,
                (false, true) => Memory::Beside,
                (false, false) => Memory::None,
            };
            Kind::Consumer { memory }
        }
        Body::Requester { .. } => Kind::Requester,
        Body::Script(script) => Kind::Script { lines: script.lines.len() as u16 },
        Body::Log(logs) => {
            Kind::Log { partitions: logs.tapes.len() as u16, groups: logs.groups.len() as u16 }
        }
    };
    Plan {
        kinds: frame.cards.iter().map(|card| &card.body).enumerate().map(kind).collect(),
        joins: cast.ends.iter().map(|(from, to)| (from.0, to.0)).collect(),
        names: cast.names.iter().map(name_width).collect(),
        board: frame.boards.iter().map(|board| board.inside.pools.len() as u16).max(),
    }
}

/// How wide a name is on a full card in the wider of the languages, so that a switch of the
/// language moves nothing.
fn name_width(name: &Said) -> u16 {
    let wide = |lang| text_width(name.get(lang), 15.0, true);
    wide(Lang::En).max(wide(Lang::Zh)).ceil() as u16
}

/// The radius of dots when there are so many.
pub fn radius(n_dots: usize) -> f32 {
    match n_dots {
        0..=60 => 5.7,
        61..=300 => 4.2,
        _ => 2.5,
    }
}

/// Where a dot stands, unless it waits in a line that is too long to be drawn.
pub fn place_of(layout: &Layout, dot: &Dot) -> Option<Point> {
    let pipe = &layout.pipes[dot.channel.index()];
    if dot.in_line == 0 { Some(pipe.at(dot.at)) } else { pipe.in_line(dot.at, dot.in_line) }
}

/// Everything of an instant that is composed into a scene.
pub struct Staged<'a> {
    /// The instant.
    pub frame: &'a Frame,
    /// Where everything stands.
    pub layout: &'a Layout,
    /// What things are called.
    pub cast: &'a Cast,
    /// How it is looked at.
    pub look: Look,
}

impl Staged<'_> {
    /// Draws the scene, and answers the buttons.
    pub fn compose(&self, caption: Option<&Caption>, scene: &mut Scene) -> Vec<Button> {
        scene.clear();
        let least = if self.look.lang == Lang::Zh || self.layout.turned { 12.0 } else { 11.0 };
        let mut pen = Pen { scene, least };
        let names = self.paths(&mut pen);
        let turned = self.layout.turned;
        let mut cards = Cards { pen: &mut pen, cast: self.cast, look: self.look, turned };
        for (n, (card, place)) in self.frame.cards.iter().zip(&self.layout.places).enumerate() {
            cards.draw(ActorId(n as u16), card, place);
        }
        let lang = self.look.lang;
        if let (Some(board), Some(rect)) = (self.board(), self.layout.board) {
            let name = board.name(self.cast, lang);
            let boards = &self.frame.boards;
            board::draw(&mut pen, (board, name, boards), rect, lang, self.look.chosen);
        }
        self.numbers(&mut pen, names);
        if let (Some(at), Some(caption)) = (self.layout.caption, caption) {
            self.caption(&mut pen, at, caption);
        }
        self.buttons()
    }

    /// The board that is drawn: the one of the chosen program, or the first.
    fn board(&self) -> Option<&Board> {
        let boards = &self.frame.boards;
        let chosen = boards.iter().find(|board| {
            board.actors.iter().any(|actor| self.look.chosen == Chosen::Actor(*actor))
        });
        chosen.or(boards.first())
    }

    /// Names, flows and cuts of the paths; answers where names stand.
    fn paths(&self, pen: &mut Pen<'_>) -> Vec<Rect> {
        let lang = self.look.lang;
        let mut names = Vec::new();
        for (n, (path, pipe)) in self.frame.paths.iter().zip(&self.layout.pipes).enumerate() {
            let channel = crate::model::ChannelId(n as u16);
            for points in pipe.points.windows(2).step_by(2) {
                let reach = (pipe.width / 2.0).max(4.0);
                let rect = Rect::new(
                    points[0].x.min(points[1].x),
                    points[0].y.min(points[1].y),
                    (points[1].x - points[0].x).abs(),
                    (points[1].y - points[0].y).abs(),
                );
                pen.scene.hit(rect.grown(reach), Chosen::Channel(channel));
            }
            let middle = pipe.at(0.5);
            if path.is_cut {
                pen.scene.sign(middle, 7.0, Glyph::Lost);
            }
            let delay = short_span(path.delay);
            let text = match (path.is_cut, path.loss_ppm) {
                (true, _) => PATH_CUT.get(lang).to_string(),
                (false, 0) => fill(PATH, lang, &[&delay]),
                (false, ppm) => fill(PATH_LOSSY, lang, &[&delay, &percent(u64::from(ppm))]),
            };
            let unread = path.waiting[1];
            let text = if 1 < unread { fill(UNREAD, lang, &[&count(unread)]) } else { text };
            let text = match (path.wire, path.rate, path.is_cut) {
                (Some(_), None, false) => delay.clone(),
                _ => text,
            };
            let text = match path.rate {
                Some(rate) => fill(FLOW, lang, &[&count(round_rate(rate))]),
                None => text,
            };
            let face = match path.rate {
                Some(_) => bold(12.0, Token::Ink),
                None => plain(11.0, Token::Ink3),
            };
            self.buffers(pen, n, &mut names);
            // One name for each bundle: paths of one kind between the same layers read alike.
            let alone = self.is_alone(n) || path.is_cut || path.is_flow;
            if !alone {
                continue;
            }
            if let (Some(rate), false, None) = (path.wire, self.layout.turned, path.rate) {
                let base = middle.y - pipe.width / 2.0 - 22.0;
                let face = plain(11.0, Token::Ink3);
                let room = pipe.length + 4.0;
                let rate = rate.label(lang);
                pen.first(pt(middle.x, base), Anchor::Middle, face, room, &[&rate]);
            }
            let (at, anchor, room) = if self.layout.turned {
                let room = middle.x - pipe.width / 2.0 - 20.0;
                (pt(middle.x - pipe.width / 2.0 - 9.0, middle.y + 1.0), Anchor::End, room)
            } else {
                let at = pt(middle.x, middle.y - pipe.width / 2.0 - 8.0);
                (at, Anchor::Middle, pipe.length - 12.0)
            };
            let written = pen.first(at, anchor, face, room, &[&text, &delay]);
            if let (true, Some(Shape::Words(words))) = (0.0 < written, pen.scene.shapes.last()) {
                names.push(words.bounds());
            }
        }
        names
    }

    /// Both ends' buffers beside a connection of actors that have no room for them on their cards.
    fn buffers(&self, pen: &mut Pen<'_>, n: usize, taken: &mut Vec<Rect>) {
        let Some((from, to)) = self.cast.ends.get(n).copied() else { return };
        let pipe = &self.layout.pipes[n];
        let away = pipe.width / 2.0 + 5.0;
        for (actor, at, side) in [(from, pipe.at(0.0), 1.0), (to, pipe.at(1.0), -1.0)] {
            let Some(card) = self.frame.cards.get(actor.index()) else { continue };
            let own = card.ends.iter().find(|end| end.channel.index() == n);
            let (Some(end), false) = (own, matches!(card.body, Body::Script(_))) else { continue };
            let (w, h) = BUFFER;
            let rect = match (self.layout.turned, 0.0 < side) {
                (true, true) => Rect::new(at.x + away, at.y + 5.0, w, h),
                (true, false) => Rect::new(at.x + away, at.y - 5.0 - h, w, h),
                (false, true) => Rect::new(at.x + 4.0, at.y + away, w, h),
                (false, false) => Rect::new(at.x - 4.0 - w, at.y + away, w, h),
            };
            if pipe.length < 40.0 || self.layout.width < rect.right() {
                continue;
            }
            send_bar(pen, end, rect);
            taken.push(rect);
        }
    }

    /// Whether no other pipe runs beside this one.
    fn is_alone(&self, n: usize) -> bool {
        let own = &self.layout.pipes[n];
        let (start, end) = (own.at(0.0), own.at(1.0));
        let along = |p: Point| if self.layout.turned { p.y } else { p.x };
        self.layout.pipes.iter().enumerate().all(|(i, pipe)| {
            i == n || along(pipe.at(1.0)) <= along(start) || along(end) <= along(pipe.at(0.0))
        })
    }

    /// Where a dot stands.
    pub fn place(&self, dot: &Dot) -> Option<Point> {
        place_of(self.layout, dot)
    }

    /// Numbers at dots, when there are few, and the ring around the chosen one.
    fn numbers(&self, pen: &mut Pen<'_>, mut taken: Vec<Rect>) {
        let moving = self.frame.dots.iter().filter(|dot| dot.in_line == 0).count();
        let few = moving <= LABELLED;
        let floor = self.layout.height - if self.layout.caption.is_some() { 26.0 } else { 2.0 };
        let is_chosen = |msg: MsgId| self.look.chosen == Chosen::Message(msg);
        for dot in
            self.frame.dots.iter().filter(|dot| (few && dot.in_line == 0) || is_chosen(dot.msg))
        {
            let Some(at) = self.place(dot) else { continue };
            let small = dot.glyph == Glyph::Ack;
            if is_chosen(dot.msg) && !small {
                pen.scene.shapes.push(Shape::Ring { centre: at, radius: 10.5 });
            }
            let id = dot.msg.0.to_string();
            let text = if small { fill(ACK, self.look.lang, &[&id]) } else { id };
            let face = match dot.glyph {
                Glyph::Ack | Glyph::Done => plain(11.0, Token::Ink3),
                Glyph::Again => bold(11.0, Token::AgainInk),
                _ => plain(11.0, Token::Ink2),
            };
            let wide = pen.width(face, &text);
            let away = self.layout.pipes[dot.channel.index()].width / 2.0;
            // Beside the pipe, on the first side where nothing else stands.
            let spots = if self.layout.turned {
                [
                    pt(at.x + away + 9.0 + wide / 2.0, at.y + 4.0),
                    pt(at.x - away - 9.0 - wide / 2.0, at.y + 4.0),
                ]
            } else {
                [pt(at.x, at.y + away + 15.0), pt(at.x, at.y - away - 6.0)]
            };
            let cards = || self.layout.places.iter().map(|place| place.rect);
            let spot = spots.into_iter().find(|spot| {
                let rect = Rect::new(spot.x - wide / 2.0, spot.y - 10.0, wide, 12.0);
                let free = !taken.iter().any(|other| other.overlaps(&rect.grown(2.0)));
                let inside = 2.0 <= rect.x && rect.right() <= self.layout.width - 2.0;
                free && inside
                    && rect.bottom() <= floor
                    && !cards().any(|card| card.overlaps(&rect.grown(2.0)))
            });
            if let Some(spot) = spot {
                pen.write(spot, Anchor::Middle, face, &text);
                taken.push(Rect::new(spot.x - wide / 2.0, spot.y - 10.0, wide, 12.0));
            }
        }
    }

    fn caption(&self, pen: &mut Pen<'_>, at: Point, caption: &Caption) {
        let size = 12.0;
        let mut parts = vec![(format!("{}  ", instant(caption.at)), Token::Ink, true)];
        for run in &caption.sentence.runs {
            parts.push((run.text.clone(), run.ink.token(), run.ink != Ink::Plain));
        }
        let width: f32 = parts.iter().map(|(text, _, bold)| text_width(text, size, *bold)).sum();
        if width <= self.layout.width - 2.0 * at.x {
            pen.scene.shapes.push(Shape::Sentence { at, parts, size });
        }
    }

    fn buttons(&self) -> Vec<Button> {
        let lang = self.look.lang;
        let button = |n: usize| {
            let (card, place) = (&self.frame.cards[n], &self.layout.places[n]);
            let rect = place.button?;
            let actor = ActorId(n as u16);
            let sends = matches!(card.body, Body::Producer { .. } | Body::Requester { .. });
            let (act, text) = match card.life {
                Life::Crashed { .. } => (Act::Restart(actor), RESTART),
                Life::Paused => (Act::Resume(actor), RESUME),
                Life::Up if sends => {
                    let wide = text_width(SEND_ONE.get(lang), 12.0, false) + 24.0 < rect.w;
                    (Act::Send(actor), if wide { SEND_ONE } else { SEND })
                }
                Life::Up => (Act::Crash(actor), CRASH),
            };
            let label = text.get(lang).to_string();
            let said = format!("{label}: {}", self.cast.name(actor, lang));
            Some(Button { rect, label, said, act })
        };
        (0..self.frame.cards.len()).filter_map(button).collect()
    }
}

/// A rate with two figures that mean something.
fn round_rate(rate: f64) -> u64 {
    let whole = rate.max(0.0) as u64;
    let mut unit = 1;
    while 1_000 <= whole / unit {
        unit *= 10;
    }
    (whole + unit / 2) / unit * unit
}

const STAGE_SAYS: Text = Text::new(
    "Stage at {0}. Waiting in queues: {1}. On the way: {2}. Being worked on: {3}. Crashed: {4}.",
    "{0} 时的舞台。队列中等待 {1}，在途 {2}，正在处理 {3}，已崩溃 {4}。",
);

/// The picture as one sentence with numbers.
pub fn stage_says(frame: &Frame, lang: Lang) -> String {
    let (mut waiting, mut worked, mut crashed) = (0, 0, 0);
    for card in &frame.cards {
        crashed += u64::from(matches!(card.life, Life::Crashed { .. }));
        match &card.body {
            Body::Broker { queues, .. } => {
                waiting += queues.iter().map(|queue| queue.ready.total).sum::<u64>();
            }
            Body::Worker { works, buffer, .. } => {
                waiting += buffer.total;
                worked += works.len() as u64;
            }
            Body::Producer { outbox, .. } => waiting += outbox.total,
            Body::Log(logs) => waiting += logs.groups.iter().map(|group| group.lag).sum::<u64>(),
            Body::Requester { .. } | Body::Script(_) => {}
        }
    }
    let on_the_way = frame.dots.iter().filter(|dot| dot.glyph != Glyph::Ack).count() as u64;
    let parts =
        [clock(frame.now), count(waiting), count(on_the_way), count(worked), count(crashed)];
    fill(STAGE_SAYS, lang, &parts.each_ref().map(String::as_str))
}

/// A row of the picture's twin: name, state, what it holds.
pub type TwinRow = [String; 3];

const UP: Text = Text::new("running", "运行中");
const PAUSED: Text = Text::new("paused", "已暂停");
const CRASHED: Text = Text::new("crashed {0} ago", "{0} 前崩溃");
const QUEUE_HOLDS: Text = Text::new("ready in {0}: {1}", "{0} 待投递 {1}");
const HOLDS: Text = Text::new("works on: {0}; waiting: {1}", "正在处理 {0}；等待 {1}");
const NEXT_IN: Text = Text::new("next message in {0}; waiting: {1}", "{0} 后发下一条；等待 {1}");
const SILENT: Text = Text::new("waiting: {0}", "等待 {0}");
const ASKED: Text = Text::new("requests under way: {0}", "进行中的请求 {0}");
const NOTHING: Text = Text::new("nothing", "无");

/// The picture as a table, for those who do not see it.
pub fn twin(frame: &Frame, cast: &Cast, lang: Lang) -> Vec<TwinRow> {
    let row = |(n, card): (usize, &super::frame::Card)| {
        let state = match card.life {
            Life::Up => UP.get(lang).to_string(),
            Life::Paused => PAUSED.get(lang).to_string(),
            Life::Crashed { ago, .. } => fill(CRASHED, lang, &[&span(ago)]),
        };
        let holds = match &card.body {
            Body::Broker { queues, .. } => {
                let each = queues.iter().map(|q| {
                    let name = queue_name(q, cast, lang);
                    fill(QUEUE_HOLDS, lang, &[&name, &count(q.ready.total)])
                });
                each.collect::<Vec<_>>().join("; ")
            }
            Body::Worker { works, buffer, .. } => {
                let ids: Vec<String> = works.iter().map(|work| work.msg.0.to_string()).collect();
                let ids =
                    if ids.is_empty() { NOTHING.get(lang).to_string() } else { ids.join(", ") };
                fill(HOLDS, lang, &[&ids, &count(buffer.total)])
            }
            Body::Producer { next, outbox, .. } => {
                let waiting = count(outbox.total);
                match next {
                    Some((_, left, _)) => fill(NEXT_IN, lang, &[&span(*left), &waiting]),
                    None => fill(SILENT, lang, &[&waiting]),
                }
            }
            Body::Requester { n_waiting, .. } => fill(ASKED, lang, &[&count(*n_waiting)]),
            Body::Script(script) => script_holds(script, &card.ends, lang),
            Body::Log(logs) => logs_say(logs, cast, lang),
        };
        [cast.name(ActorId(n as u16), lang).to_string(), state, holds]
    };
    let boards = frame.boards.iter().map(|b| board::twin_row(b, b.name(cast, lang), lang));
    frame.cards.iter().enumerate().map(row).chain(boards).collect()
}

const AT_STEP: Text = Text::new(
    "at {0}; not acknowledged: {1}; not sent: {2}; unread: {3}",
    "执行到 {0}；未确认 {1}；未发送 {2}；未读 {3}",
);

/// A script's step, and its buffers.
fn script_holds(script: &Script, ends: &[End], lang: Lang) -> String {
    let line = script.current.and_then(|line| script.lines.get(line));
    let line = line.map_or(NOTHING.get(lang), |line| line.trim());
    let bytes = |of: fn(&End) -> u64| format!("{} B", count(ends.iter().map(of).sum()));
    let parts = [bytes(|end| end.sent.0), bytes(|end| end.held.0), bytes(|end| end.unread)];
    fill(AT_STEP, lang, &[line, &parts[0], &parts[1], &parts[2]])
}

/// Which dot lies nearest to a point, within reach of a finger or a pointer.
pub fn dot_at(staged: &Staged<'_>, at: Point, reach: f32) -> Chosen {
    let near = staged.frame.dots.iter().filter_map(|dot| {
        let away = super::pipe::distance(staged.place(dot)?, at);
        (away <= reach).then_some((away, dot.msg))
    });
    let nearest = near.min_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or(Chosen::Nothing, |(_, msg)| Chosen::Message(msg))
}

/// The order in which the keyboard visits the cards: the way of the messages.
pub fn tab_order(layout: &Layout) -> Vec<usize> {
    let mut order: Vec<usize> = (0..layout.places.len()).collect();
    let key = |&n: &usize| {
        let rect = layout.places[n].rect;
        if layout.turned { (rect.y, rect.x) } else { (rect.x, rect.y) }
    };
    crate::kernel::settle(&mut order, |a, b| key(a) < key(b));
    order
}
