//! The MAC's half of a board's drawing: rings with `OWN`, FIFOs, wire, loop and counters.

use super::*;
use crate::view::draw::Shape;

impl Draft<'_, '_> {
    /// The way out and the way in: ring, FIFO, wire; below them the loop and what was lost.
    pub(super) fn mac(&mut self, room: Rect, edge: f32) {
        let lang = self.lang;
        let inside = &self.board.inside;
        let (x, w) = (room.x, room.w);
        let mut y = room.y;
        self.tx_ring(Rect::new(x, y, w, RING));
        y += RING;
        let fifo = inside.tx_fifo;
        self.fifo("TX FIFO", fifo, Rect::new(x, y, w, FIFO), edge, true);
        y += FIFO;
        self.fifo("RX FIFO", inside.rx_fifo, Rect::new(x, y, w, FIFO), edge, false);
        y += FIFO;
        self.rx_ring(Rect::new(x, y, w, RING));
        y += RING;
        let name = if inside.is_loop { MAIN_LOOP } else { THREADS };
        let next = match inside.next_pass {
            Some(at) => self.say(NEXT_PASS, &[&span(at.since(inside.at))]),
            None => NO_PASS.get(lang).to_string(),
        };
        self.label(pt(x, y + 11.0), w, name.get(lang), "", &[&next]);
        let counters = inside.counters;
        let n = |n: u32| count(u64::from(n));
        let long = lost(self.board, lang);
        let n_lost = counters.missed + counters.overflows + counters.no_pbuf;
        let parts = [n(n_lost), n(counters.err_mem), n(counters.tx_refused)];
        let short = self.say(LOST_SHORT, &parts.each_ref().map(String::as_str));
        let bad = 0 < n_lost + counters.err_mem + counters.tx_refused;
        let face = plain(11.0, if bad { Token::BadInk } else { Token::Ink3 });
        self.pen.first(pt(x, y + 28.0), Anchor::Start, face, w, &[&long, &short]);
    }

    /// A FIFO as a bar, with an arrow to or from the wire at the board's edge.
    fn fifo(&mut self, name: &str, fifo: Fifo, room: Rect, edge: f32, out: bool) {
        let (used, limit) = (count(fifo.used.into()), count(fifo.limit.into()));
        let filled = self.say(FILLED, &[&used, &limit]);
        self.label(pt(room.x, room.y + 11.0), room.w, name, "", &[&filled, &used]);
        let bar = Rect::new(room.x, room.y + 16.0, room.w, 9.0);
        self.pen.scene.fill(bar, 2.0, Token::Sunken);
        let share = (fifo.used as f32 / fifo.limit.max(1) as f32).min(1.0);
        let moves = 0 < fifo.used;
        if moves {
            // Bytes enter at one end and leave at the other: out to the right, in to the left.
            self.pen.scene.fill(
                Rect::new(bar.x, bar.y, bar.w * share, bar.h),
                2.0,
                Token::StateFlight,
            );
        }
        let ink = if moves { Token::StateFlight } else { Token::LineStrong };
        let y = bar.centre().y;
        let (from, to) = (bar.right() + 2.0, edge);
        let (tail, tip) = if out { (from, to) } else { (to, from) };
        self.arrow(&[pt(tail, y), pt(tip, y)], ink);
    }

    /// A line with a head at its last point.
    fn arrow(&mut self, points: &[Point], ink: Token) {
        self.pen.scene.path(points, stroke(ink, 1.4));
        let [.., before, tip] = points else { return };
        let (dx, dy) = (tip.x - before.x, tip.y - before.y);
        let long = (dx * dx + dy * dy).sqrt().max(0.1);
        let (ux, uy) = (dx / long * 5.0, dy / long * 5.0);
        let head = vec![
            *tip,
            pt(tip.x - ux - uy * 0.6, tip.y - uy + ux * 0.6),
            pt(tip.x - ux + uy * 0.6, tip.y - uy - ux * 0.6),
        ];
        self.pen.scene.shapes.push(Shape::Area { points: head, fill: ink });
    }

    /// The ways between memory and rings of a wide board.
    pub(super) fn ways(&mut self, left: f32, right: f32, top: f32) {
        let inside = &self.board.inside;
        let sends = inside.frames.iter().any(|f| matches!(f.stage, Stage::TxDma | Stage::TxFifo));
        let takes = inside.frames.iter().any(|f| matches!(f.stage, Stage::RxRing(_)));
        let ink = |moves: bool| if moves { Token::StateFlight } else { Token::LineStrong };
        let out = top + 38.0;
        self.arrow(&[pt(left + 3.0, out), pt(right - 4.0, out)], ink(sends));
        let back = top + RING + 2.0 * FIFO + 38.0;
        self.arrow(&[pt(right - 3.0, back), pt(left + 4.0, back)], ink(takes));
    }

    /// Transmit descriptors: whose they are.
    fn tx_ring(&mut self, room: Rect) {
        let lang = self.lang;
        let inside = &self.board.inside;
        let n_own = inside.tx_ring.iter().filter(|own| **own).count();
        let all = inside.tx_ring.len();
        let value = self.say(OWNED, &[&n_own.to_string(), &all.to_string()]);
        let name = TX_RING.get(lang);
        self.label(pt(room.x, room.y + 11.0), room.w, name, "", &[&value]);
        let leaves = inside.frames.iter();
        let mut leaves = leaves.filter(|f| matches!(f.stage, Stage::TxDma | Stage::TxFifo));
        let cells: Vec<(bool, String)> = inside
            .tx_ring
            .iter()
            .map(|own| match own {
                true => {
                    let frame = leaves.next().map(name_of);
                    (true, frame.unwrap_or_else(|| SENDING.get(lang).to_string()))
                }
                false => (false, FREE.get(lang).to_string()),
            })
            .collect();
        self.ring(&cells, room, None);
    }

    /// Receive descriptors: whose they are, and which frame waits behind them.
    fn rx_ring(&mut self, room: Rect) {
        let lang = self.lang;
        let inside = &self.board.inside;
        let is_stuck = inside.is_rx_suspended || inside.is_reading_stopped;
        let stuck = if inside.is_rx_suspended { SUSPENDED } else { STOPPED };
        let n_own = inside.rx_ring.iter().filter(|cell| cell.own).count();
        let value = match is_stuck {
            true => stuck.get(lang).to_string(),
            false => {
                let all = inside.rx_ring.len().to_string();
                self.say(OWNED, &[&n_own.to_string(), &all])
            }
        };
        let name = RX_RING.get(lang);
        self.label(pt(room.x, room.y + 11.0), room.w, name, "", &[&value]);
        let frame_at = |n: usize| {
            inside.frames.iter().find(|frame| {
                let n = n as u32;
                frame.stage == Stage::RxDma(n) || frame.stage == Stage::RxRing(n)
            })
        };
        let cells: Vec<(bool, String)> = inside
            .rx_ring
            .iter()
            .enumerate()
            .map(|(n, cell)| {
                let text = match frame_at(n) {
                    Some(frame) if matches!(frame.stage, Stage::RxDma(_)) => {
                        self.say(COMES, &[&name_of(frame)])
                    }
                    Some(frame) => self.say(WAITS, &[&name_of(frame)]),
                    None if cell.is_bare => BARE.get(lang).to_string(),
                    None => READY.get(lang).to_string(),
                };
                (cell.own, text)
            })
            .collect();
        self.ring(&cells, room, Some(inside.rx_next.1));
        if is_stuck {
            let frame = Rect::new(room.x - 3.0, room.y + 14.0, room.w + 6.0, RING - 20.0);
            self.pen.scene.card(frame, 4.0, None, stroke(Token::BadInk, 1.0));
        }
    }

    /// Descriptors side by side; the program's next one has a mark.
    fn ring(&mut self, cells: &[(bool, String)], room: Rect, next: Option<u32>) {
        let top = room.y + 17.0;
        let n = cells.len().max(1) as f32;
        if BOXES < cells.len() {
            let step = (room.w + 2.0) / n;
            for (i, (own, _)) in cells.iter().enumerate() {
                let w = (step - 2.0).max(1.0);
                let cell = Rect::new(room.x + i as f32 * step, top, w, 20.0);
                let ink = if *own { Token::Accent } else { Token::Sunken };
                self.pen.scene.fill(cell, 2.0, ink);
            }
            return;
        }
        let w = (room.w - 4.0 * (n - 1.0)) / n;
        for (i, (own, text)) in cells.iter().enumerate() {
            let cell = Rect::new(room.x + i as f32 * (w + 4.0), top, w, 36.0);
            let (ink, width) = if *own { (Token::Accent, 1.6) } else { (Token::LineStrong, 1.0) };
            self.pen.scene.card(cell, 4.0, Some(Token::Paper), stroke(ink, width));
            let inner = cell.w - 8.0;
            let tag = if *own { "DMA" } else { "CPU" };
            let face = bold(11.0, if *own { Token::OnAccent } else { Token::Ink2 });
            let wide = self.pen.width(face, tag) + 8.0;
            let badge = Rect::new(cell.x + 4.0, cell.y + 3.0, wide, 14.0);
            match own {
                true => self.pen.scene.fill(badge, 3.0, Token::Accent),
                false => self.pen.scene.card(badge, 3.0, None, stroke(Token::LineStrong, 1.0)),
            }
            let at = pt(badge.centre().x, badge.y + 11.0);
            self.pen.write(at, Anchor::Middle, face, tag);
            // What follows the colon says what becomes of the frame.
            let short = text.split([':', '：']).next().unwrap_or(text);
            let face = plain(11.0, Token::Ink);
            let at = pt(cell.x + 5.0, cell.y + 30.0);
            self.pen.first(at, Anchor::Start, face, inner, &[text, short]);
            if next == Some(i as u32) {
                let tip = pt(cell.centre().x, cell.bottom() + 2.0);
                let points = vec![tip, pt(tip.x - 4.0, tip.y + 5.0), pt(tip.x + 4.0, tip.y + 5.0)];
                let fill = Token::Ink3;
                self.pen.scene.shapes.push(Shape::Area { points, fill });
            }
        }
    }
}
