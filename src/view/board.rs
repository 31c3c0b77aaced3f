//! A board as a drawing: processor, heap with its blocks, pools as cells, rings with `OWN`, FIFOs.
//!
//! Frames flow from the wire at the right through FIFO and ring to the pools and lwIP at the left,
//! and back through heap, ring and FIFO. Wide stages have memory left and the MAC right; narrow
//! ones have one below the other. What is estimated is said at the bottom.

use crate::kernel::{SimSpan, SimTime};
use crate::model::ActorId;
use crate::model::stm32::board::Load;
use crate::model::stm32::params::Scheduling;
use crate::model::stm32::snapshot::{Fifo, FrameSight, PoolSight, Snapshot, Stage};
use crate::model::stm32::{BoardParams, Stm32Params};
use crate::param::{Lang, Param, Text};

use super::Chosen;
use super::draw::{Anchor, Pattern, Pen, Point, Rect, bold, plain, pt, stroke};
use super::numbers::{bytes, count, span};
use super::tokens::Token;
use super::words::{Cast, fill};

mod mac;

/// A board at an instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Board {
    /// Its host's place.
    pub host: u16,
    /// What it is made of.
    pub params: BoardParams,
    /// Bytes of a receive buffer of `PBUF_POOL`.
    pub pool_bufsize: u64,
    /// The programs on it.
    pub actors: Vec<ActorId>,
    /// What is inside.
    pub inside: Snapshot,
}

impl Board {
    /// The board of these parameters.
    pub fn new(host: u16, params: &Stm32Params, actors: Vec<ActorId>, inside: Snapshot) -> Board {
        let pool_bufsize = params.lwip.pbuf_pool_bufsize.0;
        Board { host, params: params.board.clone(), pool_bufsize, actors, inside }
    }
}

impl Board {
    /// What its first program is called.
    pub fn name<'c>(&self, cast: &'c Cast, lang: Lang) -> &'c str {
        self.actors.first().map_or("", |actor| cast.name(*actor, lang))
    }
}

/// From this width on memory stands left and the MAC right.
const WIDE: f32 = 480.0;
/// Free space inside the frame.
const PAD: f32 = 14.0;
/// Space between the columns.
const GUTTER: f32 = 30.0;
/// Height of title, processor and legend.
const HEAD: f32 = 82.0;
/// Height of the heap with its label and mark.
const HEAP: f32 = 62.0;
/// Rows of the heap: it is read like lines of a text.
const HEAP_ROWS: u32 = 2;
/// Height of a pool with its label.
const POOL: f32 = 32.0;
/// Height of a ring with its label.
const RING: f32 = 62.0;
/// Height of a FIFO with its label.
const FIFO: f32 = 32.0;
/// Height of the loop and the counters.
const LOOP: f32 = 40.0;
/// Height of the last line.
const FOOT: f32 = 24.0;
/// Descriptors that are drawn as boxes; more become cells.
const BOXES: usize = 8;
/// Pools that a board has at most.
const POOLS: f32 = 6.0;

/// Room for an arrow to another board.
const ARROW: f32 = 18.0;

const BOARD_OF: Text = Text::new("board {0} of {1}", "板 {0}/{1}");
const CLAIMED: Text = Text::new(
    "Article mode: latencies are looked up in an article, not simulated.",
    "文章模式：延迟取自某文章，是查表而非仿真。",
);
const CLAIMED_SHORT: Text =
    Text::new("Article mode: looked up, not simulated.", "文章模式：查表，非仿真。");
const BY_LOOP: Text = Text::new("super-loop {0}", "裸机主循环 {0}");
const CPU: Text = Text::new("CPU", "CPU");
const SO_FAR: Text = Text::new("{0} % so far", "至今 {0} %");
const FREE_OF_COST: Text = Text::new("takes no time here (No costs)", "此处不耗时（零开销）");
const BUSY: Text = Text::new("works for another {0}", "还要忙 {0}");
const BUSY_ON: Text = Text::new("lwIP works on {0}", "lwIP 正在处理 {0}");
const IDLE: Text = Text::new("idle", "空闲");
const LEGEND: [Text; 4] = [
    Text::new("lwIP {0}", "lwIP {0}"),
    Text::new("driver {0}", "驱动 {0}"),
    Text::new("copy {0}", "拷贝 {0}"),
    Text::new("waits for TX {0} %", "等待发送 {0} %"),
];
const HEAP_NAME: Text = Text::new("heap", "堆");
const USED: Text = Text::new("used {0}, most {1} B", "已用 {0}，最多 {1} B");
const POOL_USED: Text = Text::new("{0}/{1}, most {2}", "{0}/{1}，最多 {2}");
const EACH: Text = Text::new("{0} B each", "每个 {0} B");
const TX_RING: Text = Text::new("TX ring", "发送描述符环");
const RX_RING: Text = Text::new("RX ring", "接收描述符环");
const FILLED: Text = Text::new("{0} of {1} B", "{0} / {1} B");
const SENDING: Text = Text::new("sending", "发送中");
const FREE: Text = Text::new("free", "空闲");
const READY: Text = Text::new("ready", "就绪");
const BARE: Text = Text::new("bare", "无缓冲");
const WAITS: Text = Text::new("{0}: waits", "{0}：待取");
const COMES: Text = Text::new("{0}: comes", "{0}：写入");
const OWNED: Text = Text::new("OWN: DMA {0} of {1}", "OWN：DMA {0}/{1}");
const SUSPENDED: Text = Text::new("suspended (RBUS)", "已挂起（RBUS）");
const STOPPED: Text = Text::new("reading stopped: no buffer", "停止读取：无缓冲");
const MAIN_LOOP: Text = Text::new("main loop", "主循环");
const THREADS: Text = Text::new("threads", "线程");
const NEXT_PASS: Text = Text::new("next turn in {0}", "{0} 后轮到");
const NO_PASS: Text = Text::new("nothing to do", "无事可做");
const LOST: Text = Text::new(
    "missed {0}, overflow {1}, no pbuf {2}, ERR_MEM {3}, refused {4}",
    "丢失 {0}，溢出 {1}，无 pbuf {2}，ERR_MEM {3}，拒发 {4}",
);
const LOST_SHORT: Text =
    Text::new("lost {0}, ERR_MEM {1}, refused {2}", "丢帧 {0}，ERR_MEM {1}，拒发 {2}");
const FOOTNOTE: Text = Text::new(
    "Red mark: the most ever used. Times of CPU, driver, DMA and PHY are estimates.",
    "红线：历史最多用量。CPU、驱动、DMA 和 PHY 的耗时为估计值。",
);
const FOOTNOTE_SHORT: Text = Text::new(
    "Red: most ever used. CPU, DMA, PHY: estimates.",
    "红线：最多用量。CPU、DMA、PHY 为估计。",
);

/// The height of the drawing of a board with so many pools, at a width.
pub fn height(width: f32, n_pools: u16) -> f32 {
    let pools = f32::from(n_pools).min(POOLS);
    let mac = 2.0 * (RING + FIFO) + LOOP;
    let body = match is_wide(width) {
        true => (HEAP + POOL * pools).max(mac),
        false => mac + HEAP + POOL * (pools / 2.0).ceil(),
    };
    HEAD + body + FOOT + 14.0
}

fn is_wide(width: f32) -> bool {
    WIDE <= width
}

/// Draws a board into `rect`.
///
/// `name` is what its first program is called.
pub fn draw(
    pen: &mut Pen<'_>,
    (board, name, boards): (&Board, &str, &[Board]),
    rect: Rect,
    lang: Lang,
    chosen: Chosen,
) {
    let is_chosen = board.actors.iter().any(|actor| chosen == Chosen::Actor(*actor));
    let line = if is_chosen { stroke(Token::Accent, 2.0) } else { stroke(Token::LineStrong, 1.0) };
    pen.scene.card(rect, 10.0, Some(Token::Paper), line);
    if let Some(actor) = board.actors.first() {
        pen.scene.hit(rect, Chosen::Actor(*actor));
    }
    let mut draft = Draft { pen, board, lang, name };
    let inner = Rect::new(rect.x + PAD, rect.y + 8.0, rect.w - 2.0 * PAD, rect.h - 16.0);
    let turner = draft.turner(pt(inner.right(), inner.y), boards);
    draft.head(inner, turner);
    let top = inner.y + HEAD;
    if is_wide(rect.w) {
        let w = (inner.w - GUTTER) / 2.0;
        let right = inner.x + w + GUTTER;
        draft.memory(Rect::new(inner.x, top, w, HEAP), 1);
        draft.mac(Rect::new(right, top, w, 0.0), rect.right());
        draft.ways(inner.x + w, right, top);
    } else {
        draft.mac(Rect::new(inner.x, top, inner.w, 0.0), rect.right());
        let below = top + 2.0 * (RING + FIFO) + LOOP;
        draft.memory(Rect::new(inner.x, below, inner.w, HEAP), 2);
    }
    let face = plain(11.0, Token::Ink3);
    let at = pt(inner.x, rect.bottom() - 10.0);
    let texts = [FOOTNOTE.get(lang), FOOTNOTE_SHORT.get(lang)];
    draft.pen.first(at, Anchor::Start, face, inner.w, &texts);
}

const SAYS: Text =
    Text::new("heap: {0} of {1} B; most {2} B; {3}", "堆 {0} / {1} B，最多 {2} B；{3}");

/// A board as a row of the picture's twin: name, processor, memory and losses.
pub fn twin_row(board: &Board, name: &str, lang: Lang) -> [String; 3] {
    let Board { params, inside, .. } = board;
    let state = match inside.claim {
        Some(_) => CLAIMED.get(lang).to_string(),
        None => {
            let load = fill(SO_FAR, lang, &[&tenths(inside.load_ppm())]);
            format!("{} {load}", CPU.get(lang))
        }
    };
    let usage = inside.heap_usage;
    let [used, all, most] = [usage.used, usage.avail, usage.max].map(|n| count(n.into()));
    let holds = fill(SAYS, lang, &[&used, &all, &most, &lost(board, lang)]);
    [format!("{name}, {}", params.part.label(lang)), state, holds]
}

/// What was lost and refused, in words.
fn lost(board: &Board, lang: Lang) -> String {
    let counters = board.inside.counters;
    let all = [
        counters.missed,
        counters.overflows,
        counters.no_pbuf,
        counters.err_mem,
        counters.tx_refused,
    ];
    let all = all.map(|n| count(u64::from(n)));
    fill(LOST, lang, &all.each_ref().map(String::as_str))
}

struct Draft<'a, 'b> {
    pen: &'a mut Pen<'b>,
    board: &'a Board,
    lang: Lang,
    name: &'a str,
}

impl Draft<'_, '_> {
    fn say(&self, text: Text, parts: &[&str]) -> String {
        fill(text, self.lang, parts)
    }

    /// A label at the left, a value at the right, on one line.
    fn label(&mut self, at: Point, room: f32, name: &str, dim: &str, values: &[&str]) {
        let used = self.pen.write(at, Anchor::Start, bold(12.0, Token::Ink), name) + 7.0;
        let face = plain(11.0, Token::Ink2);
        let right = pt(at.x + room, at.y);
        let value = self.pen.first(right, Anchor::End, face, room - used, values);
        let left = room - used - value - 10.0;
        if !dim.is_empty() {
            let face = plain(11.0, Token::Ink3);
            self.pen.first(pt(at.x + used, at.y), Anchor::Start, face, left, &[dim]);
        }
    }

    /// Name, clock and driver; the processor with what its time went into.
    /// Which of several boards is drawn, with arrows to the ones before and after it; answers how
    /// much room that takes.
    fn turner(&mut self, corner: Point, boards: &[Board]) -> f32 {
        let n = boards.len();
        let Some(at) = boards.iter().position(|b| b.host == self.board.host).filter(|_| 1 < n)
        else {
            return 0.0;
        };
        let text = self.say(BOARD_OF, &[&count(at as u64 + 1), &count(n as u64)]);
        let face = bold(12.0, Token::Accent);
        let wide = self.pen.width(face, &text);
        let left = corner.x - wide - 2.0 * ARROW;
        self.pen.write(pt(left + ARROW, corner.y + 15.0), Anchor::Start, face, &text);
        for (x, way, to) in [(left, -1.0, at + n - 1), (corner.x - ARROW, 1.0, at + 1)] {
            let middle = pt(x + ARROW / 2.0, corner.y + 10.5);
            let points = [(-2.5, -4.5), (2.5, 0.0), (-2.5, 4.5)];
            let points = points.map(|(dx, dy)| pt(middle.x + way * dx, middle.y + dy));
            self.pen.scene.path(&points, stroke(Token::Accent, 1.75));
            if let Some(actor) = boards[to % n].actors.first() {
                let reach = Rect::new(x - 8.0, corner.y - 7.0, ARROW + 16.0, 34.0);
                self.pen.scene.hit(reach, Chosen::Actor(*actor));
            }
        }
        wide + 2.0 * ARROW + 8.0
    }

    fn head(&mut self, room: Rect, turner: f32) {
        let Board { params, inside, .. } = self.board;
        let lang = self.lang;
        let name = params.part.label(lang);
        let title = bold(15.0, Token::Ink);
        let used = self.pen.write(pt(room.x, room.y + 15.0), Anchor::Start, title, &name) + 8.0;
        let clock = format!("{} MHz", inside.clock_hz / 1_000_000);
        let driver = params.driver.label(lang);
        let scheduling = match params.scheduling {
            Scheduling::SuperLoop if !params.loop_period.is_zero() => {
                self.say(BY_LOOP, &[&span(params.loop_period)])
            }
            _ => params.scheduling.label(lang),
        };
        let comma = if lang == Lang::Zh { "，" } else { ", " };
        let long = [self.name, &clock, &driver, &scheduling].join(comma);
        let short = [self.name, &clock, &driver].join(comma);
        let at = pt(room.x + used, room.y + 15.0);
        let face = plain(12.0, Token::Ink2);
        let left = room.w - used - turner;
        let least = [self.name, &clock].join(comma);
        self.pen.first(at, Anchor::Start, face, left, &[&long, &short, &least, self.name]);
        if inside.claim.is_some() {
            let face = bold(12.0, Token::BadInk);
            let at = pt(room.x, room.y + 37.0);
            let texts = [CLAIMED.get(lang), CLAIMED_SHORT.get(lang)];
            self.pen.first(at, Anchor::Start, face, room.w, &texts);
            return;
        }
        let base = room.y + 37.0;
        let so_far = match params.free_of_cost {
            true => FREE_OF_COST.get(lang).to_string(),
            false => self.say(SO_FAR, &[&tenths(inside.load_ppm())]),
        };
        self.label(pt(room.x, base), room.w, CPU.get(lang), &so_far, &[&self.doing()]);
        let bar = Rect::new(room.x, base + 6.0, room.w, 12.0);
        self.pen.scene.fill(bar, 2.0, Token::Sunken);
        let whole = self.elapsed_ns() as f32;
        let (mut x, load) = (bar.x, &inside.load);
        for (part, (ink, pattern)) in parts_of(load) {
            let w = (bar.w * part.as_ns() as f32 / whole).min(bar.right() - x);
            if 0.3 < w {
                self.pen.scene.bar(Rect::new(x, bar.y, w, bar.h), ink, pattern);
            }
            x += w;
        }
        self.legend(pt(room.x, base + 31.0), room.w);
    }

    /// What the processor does now.
    fn doing(&self) -> String {
        let inside = &self.board.inside;
        if inside.busy_until <= inside.at {
            return IDLE.get(self.lang).to_string();
        }
        let frame = inside.frames.iter().find(|frame| frame.stage == Stage::Stack);
        match frame {
            Some(frame) => self.say(BUSY_ON, &[&name_of(frame)]),
            None => self.say(BUSY, &[&span(inside.busy_until.since(inside.at))]),
        }
    }

    /// The time that the processor's parts are shares of, in ns: work is booked when it begins.
    fn elapsed_ns(&self) -> u64 {
        let inside = &self.board.inside;
        inside.at.max(inside.busy_until).since(SimTime::ZERO).as_ns().max(1)
    }

    /// The parts of the processor's time, in percent, each with its swatch.
    fn legend(&mut self, at: Point, room: f32) {
        let inside = &self.board.inside;
        let whole = u128::from(self.elapsed_ns());
        let face = plain(11.0, Token::Ink2);
        let mut x = at.x;
        for ((part, (ink, pattern)), text) in parts_of(&inside.load).into_iter().zip(LEGEND) {
            let ppm = (u128::from(part.as_ns()) * 1_000_000 / whole) as u64;
            let text = self.say(text, &[&tenths(ppm)]);
            let wide = self.pen.width(face, &text) + 14.0;
            if at.x + room < x + wide {
                return;
            }
            self.pen.scene.bar(Rect::new(x, at.y - 8.0, 9.0, 9.0), ink, pattern);
            self.pen.write(pt(x + 13.0, at.y), Anchor::Start, face, &text);
            x += wide + 12.0;
        }
    }

    /// The heap, and the pools in so many columns.
    fn memory(&mut self, room: Rect, columns: u16) {
        self.heap(room);
        let pools = &self.board.inside.pools;
        let gap = 16.0;
        let w = (room.w - gap * f32::from(columns - 1)) / f32::from(columns);
        for (n, pool) in pools.iter().take(POOLS as usize).enumerate() {
            let (row, column) = (n / usize::from(columns), n % usize::from(columns));
            let x = room.x + column as f32 * (w + gap);
            let y = room.y + HEAP + row as f32 * POOL;
            self.pool(pool, Rect::new(x, y, w, POOL));
        }
    }

    /// The heap's blocks to scale, in lines like a text.
    fn heap(&mut self, room: Rect) {
        let inside = &self.board.inside;
        let usage = inside.heap_usage;
        let size = bytes(u64::from(usage.avail));
        let values = [
            self.say(USED, &[&count(u64::from(usage.used)), &count(u64::from(usage.max))]),
            count(u64::from(usage.used)),
        ];
        let name = HEAP_NAME.get(self.lang);
        let at = pt(room.x, room.y + 11.0);
        self.label(at, room.w, name, &size, &[&values[0], &values[1]]);
        let (top, h) = (room.y + 17.0, 13.0);
        let each = usage.avail.div_ceil(HEAP_ROWS).max(1);
        let place = |at: u32| {
            let row = (at / each).min(HEAP_ROWS - 1);
            let x = room.x + room.w * (at - row * each) as f32 / each as f32;
            (row, x.min(room.right()))
        };
        for row in 0..HEAP_ROWS {
            let line = Rect::new(room.x, top + row as f32 * (h + 3.0), room.w, h);
            self.pen.scene.fill(line, 2.0, Token::Sunken);
        }
        for block in inside.heap.iter().filter(|block| block.is_used) {
            let (mut from, end) = (block.at, block.at + block.bytes);
            while from < end {
                let (row, x) = place(from);
                let stop = end.min((row + 1) * each);
                let w = room.w * (stop - from) as f32 / each as f32;
                let rect = Rect::new(x, top + row as f32 * (h + 3.0), (w - 1.0).max(1.0), h);
                self.pen.scene.fill(rect, 1.5, Token::StateFlight);
                from = stop;
            }
        }
        // Where blocks lay is not kept; how much was in use at most is.
        let line = top + HEAP_ROWS as f32 * (h + 3.0) + 1.0;
        let share = |n: u32| room.w * n as f32 / usage.avail.max(1) as f32;
        self.pen.scene.fill(Rect::new(room.x, line, room.w, 3.0), 1.0, Token::Sunken);
        let used = share(usage.used);
        if 0.0 < used {
            self.pen.scene.fill(Rect::new(room.x, line, used, 3.0), 1.0, Token::Ink2);
        }
        self.mark(room.x + share(usage.max), line - 2.0, 7.0);
    }

    /// The red mark: the most that was ever used.
    fn mark(&mut self, x: f32, y: f32, h: f32) {
        self.pen.scene.fill(Rect::new(x - 1.0, y, 2.0, h), 0.0, Token::BadInk);
    }

    /// A pool as cells; what was used at most carries the mark.
    fn pool(&mut self, pool: &PoolSight, room: Rect) {
        let usage = pool.usage;
        let [used, all, most] = [usage.used, usage.avail, usage.max].map(|n| count(n.into()));
        let long = self.say(POOL_USED, &[&used, &all, &most]);
        let short = format!("{used}/{all}");
        let each = self.bytes_of(pool.name).map(|n| self.say(EACH, &[&count(n)]));
        let at = pt(room.x, room.y + 11.0);
        let dim = each.unwrap_or_default();
        self.label(at, room.w, pool.name, &dim, &[&long, &short]);
        let (y, h) = (room.y + 16.0, 9.0);
        let n = usage.avail.max(1) as f32;
        let step = ((room.w + 2.0) / n).min(14.0);
        let right = if step < 3.0 { room.w } else { step * n - 2.0 };
        if step < 3.0 {
            self.pen.scene.fill(Rect::new(room.x, y, room.w, h), 2.0, Token::Sunken);
            let w = room.w * usage.used as f32 / n;
            if 0.0 < w {
                self.pen.scene.fill(Rect::new(room.x, y, w, h), 2.0, Token::StateFlight);
            }
        } else {
            let gap = if step < 6.0 { 1.0 } else { 2.0 };
            for i in 0..usage.avail {
                let cell = Rect::new(room.x + i as f32 * step, y, step - gap, h);
                let ink = if i < usage.used { Token::StateFlight } else { Token::Sunken };
                self.pen.scene.fill(cell, 1.5, ink);
            }
        }
        if 0 < usage.max {
            let x = room.x + (right + 2.0) * usage.max as f32 / n - 1.0;
            self.mark(x.min(room.right()), y - 2.0, h + 4.0);
        }
        if 0 < usage.err {
            // An empty pool refused: the frame around its cells says so.
            let frame = Rect::new(room.x - 2.0, y - 2.0, right + 4.0, h + 4.0);
            self.pen.scene.card(frame, 2.0, None, stroke(Token::BadInk, 1.0));
        }
    }

    /// Bytes of an element of a pool.
    fn bytes_of(&self, pool: &str) -> Option<u64> {
        Some(match pool {
            "TCP_PCB" => 156,
            "TCP_PCB_LISTEN" => 28,
            "TCP_SEG" | "PBUF_REF/ROM" => 16,
            "PBUF_POOL" => 16 + self.board.pool_bufsize,
            "RX_POOL" => 1_536,
            _ => return None,
        })
    }
}

/// A share in percent with one decimal.
fn tenths(ppm: u64) -> String {
    let tenths = (ppm + 500) / 1_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A frame in a few letters: what it carries.
fn name_of(frame: &FrameSight) -> String {
    if frame.len == 0 { "ACK".to_string() } else { format!("{} B", count(frame.len.into())) }
}

/// The parts of the processor's time with their colours.
fn parts_of(load: &Load) -> [(SimSpan, (Token, Pattern)); 4] {
    [
        (load.stack, (Token::CauseCpu, Pattern::Solid)),
        (load.driver, (Token::CauseCpu, Pattern::Lines)),
        (load.copy, (Token::CauseCopyDma, Pattern::Hatch)),
        (load.tx_wait, (Token::CauseSerialisation, Pattern::Hatch)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stm32::snapshot::{Counters, HeapBlock, RxCell};
    use crate::model::tcp::lwip::memory::Usage;
    use crate::view::draw::{Scene, Shape};

    /// A board in the midst of things: a fragmented heap, frames everywhere, an empty pool.
    fn busy() -> Board {
        let block = |at, bytes, is_used| HeapBlock { at, bytes, is_used };
        let usage = |avail, used, max, err| Usage { avail, used, max, err };
        let cell = |own, has_frame, is_bare| RxCell { own, has_frame, is_bare };
        let frame =
            |len, stage| FrameSight { number: 1, channel: None, bytes: len + 40, len, stage };
        let pool = |name, usage| PoolSight { name, usage };
        let inside = Snapshot {
            at: SimTime::from_ns(84_213_000),
            clock_hz: 168_000_000,
            is_loop: true,
            busy_until: SimTime::from_ns(84_219_500),
            last_pass: SimTime::from_ns(84_200_000),
            next_pass: Some(SimTime::from_ns(84_300_000)),
            load: Load {
                stack: SimSpan::us(9_000),
                driver: SimSpan::us(2_000),
                copy: SimSpan::us(1_500),
                tx_wait: SimSpan::us(4_000),
            },
            heap: vec![
                block(0, 400, false),
                block(400, 552, true),
                block(952, 100, false),
                block(1_052, 300, true),
                block(1_352, 248, false),
            ],
            heap_usage: usage(1_600, 852, 1_400, 0),
            pools: vec![
                pool("TCP_PCB", usage(5, 1, 2, 0)),
                pool("TCP_PCB_LISTEN", usage(8, 1, 1, 0)),
                pool("TCP_SEG", usage(16, 5, 9, 0)),
                pool("PBUF_REF/ROM", usage(16, 0, 0, 0)),
                pool("PBUF_POOL", usage(200, 20, 130, 0)),
                pool("RX_POOL", usage(12, 12, 12, 3)),
            ],
            rx_ring: vec![
                cell(false, true, false),
                cell(true, true, false),
                cell(true, false, false),
                cell(false, false, true),
            ],
            rx_next: (1, 0),
            tx_ring: vec![true, true, false, false],
            rx_fifo: Fifo { used: 1_514, limit: 2_048 },
            tx_fifo: Fifo { used: 60, limit: 2_048 },
            is_rx_suspended: true,
            is_reading_stopped: false,
            n_attached: 3,
            frames: vec![
                frame(0, Stage::RxRing(0)),
                frame(1_460, Stage::RxDma(1)),
                frame(536, Stage::RxFifo),
                frame(1_460, Stage::Stack),
                frame(1_460, Stage::TxDma),
                frame(0, Stage::TxFifo),
            ],
            counters: Counters { missed: 2, tx_refused: 1, ..Counters::default() },
            claim: None,
        };
        Board::new(0, &Stm32Params::default(), vec![ActorId(0)], inside)
    }

    fn drawn(board: &Board, width: f32, lang: Lang) -> (Scene, Rect) {
        let mut scene = Scene::default();
        let rect = Rect::new(16.0, 10.0, width, height(width, 6));
        let mut pen = Pen { scene: &mut scene, least: 12.0 };
        draw(
            &mut pen,
            (board, "Board A", std::slice::from_ref(board)),
            rect,
            lang,
            Chosen::Nothing,
        );
        (scene, rect)
    }

    fn texts(scene: &Scene) -> Vec<(Rect, &str)> {
        let words = scene.shapes.iter().filter_map(|shape| match shape {
            Shape::Words(words) => Some((words.bounds(), words.text.as_str())),
            _ => None,
        });
        words.collect()
    }

    #[test]
    fn texts_of_a_board_overlap_nothing_and_stay_inside() {
        for width in [528.0, 358.0, 880.0] {
            for lang in Lang::ALL {
                let board = busy();
                let (scene, rect) = drawn(&board, width, lang);
                let texts = texts(&scene);
                for (i, (own, text)) in texts.iter().enumerate() {
                    assert!(rect.contains(pt(own.x, own.y)), "{width} {text}");
                    assert!(rect.contains(pt(own.right(), own.bottom())), "{width} {text} {own:?}");
                    for (other, said) in &texts[i + 1..] {
                        let inner = Rect::new(own.x, own.y + 3.0, own.w, own.h - 6.0);
                        assert!(!inner.overlaps(other), "{width} {lang:?}: {text} on {said}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_board_says_whose_descriptors_are_and_what_is_stuck_and_estimated() {
        let (scene, _) = drawn(&busy(), 528.0, Lang::En);
        let said: Vec<&str> = texts(&scene).iter().map(|text| text.1).collect();
        for text in ["OWN: DMA 2 of 4", "DMA", "CPU", "suspended (RBUS)", "ACK", "bare"] {
            assert!(said.contains(&text), "{text} in {said:?}");
        }
        assert!(said.iter().any(|text| text.contains("estimates")), "{said:?}");
        assert!(
            said.iter().any(|text| text.starts_with("lost 2, ERR_MEM 0, refused 1")),
            "{said:?}"
        );
        let (zh, _) = drawn(&busy(), 528.0, Lang::Zh);
        let said: Vec<&str> = texts(&zh).iter().map(|text| text.1).collect();
        assert!(said.contains(&"已挂起（RBUS）") && said.contains(&"堆"), "{said:?}");
    }

    #[test]
    fn article_mode_says_that_it_is_a_lookup() {
        let mut board = busy();
        board.inside.claim = Some(crate::model::stm32::article::CLAIMS[0]);
        for (width, lang, words) in [
            (528.0, Lang::En, "looked up in an article, not simulated"),
            (358.0, Lang::Zh, "查表而非仿真"),
        ] {
            let (scene, _) = drawn(&board, width, lang);
            assert!(texts(&scene).iter().any(|text| text.1.contains(words)), "{lang:?}");
        }
    }

    #[test]
    fn used_blocks_are_drawn_to_scale_and_free_ones_between_them_stay_empty() {
        let (scene, rect) = drawn(&busy(), 528.0, Lang::En);
        let w = (rect.w - 2.0 * PAD - GUTTER) / 2.0;
        // The block at 400 of 552 B crosses the end of the first line, which holds 800 B.
        let blocks: Vec<Rect> = scene
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Box { rect, fill: Some(Token::StateFlight), radius: 1.5, .. }
                    if rect.h == 13.0 =>
                {
                    Some(*rect)
                }
                _ => None,
            })
            .collect();
        let widths: Vec<f32> = blocks.iter().map(|block| block.w + 1.0).collect();
        let expected = [400.0, 152.0, 300.0].map(|bytes| w * bytes / 800.0);
        assert_eq!(widths.len(), 3);
        assert!(widths.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01), "{widths:?}");
    }
}
