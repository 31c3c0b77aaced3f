//! A channel's way across the stage: a smooth curve measured by its length.
//!
//! Dots move linearly in time, so positions are by arc length: the curve is cut into pieces of
//! equal length once, and a position is a look-up between two of them.

use super::draw::{Point, pt};

/// Pieces of equal length that a curve is cut into.
const PIECES: usize = 48;

/// Pixels from one to the next that waits in line.
const LINE_STEP: f32 = 13.0;
/// The share of a pipe that a line of waiting messages may take.
const LINE_SHARE: f32 = 0.6;

/// A channel's way.
#[derive(Clone, PartialEq, Debug)]
pub struct Pipe {
    /// Points at equal distances along the curve, both ends included.
    pub points: Vec<Point>,
    /// Length of the curve in pixels.
    pub length: f32,
    /// Outer width.
    pub width: f32,
}

impl Pipe {
    /// The point at a share of the length, 0 at the `from` end, 1 at the `to` end.
    pub fn at(&self, share: f32) -> Point {
        let place = share.clamp(0.0, 1.0) * PIECES as f32;
        let i = (place as usize).min(PIECES - 1);
        let rest = place - i as f32;
        let (a, b) = (self.points[i], self.points[i + 1]);
        pt(a.x + (b.x - a.x) * rest, a.y + (b.y - a.y) * rest)
    }

    /// The place of the `nth` (from 1) that waits in line at an end, if the line reaches so far.
    pub fn in_line(&self, end: f32, nth: u8) -> Option<Point> {
        let away = (f32::from(nth) - 0.5) * LINE_STEP;
        let share = away / self.length.max(1.0);
        (share <= LINE_SHARE).then(|| self.at(if end < 0.5 { share } else { 1.0 - share }))
    }

    /// The part between two shares as a broken line.
    pub fn part(&self, from: f32, to: f32) -> Vec<Point> {
        let (from, to) = (from.clamp(0.0, 1.0), to.clamp(0.0, 1.0));
        let inner = (0..=PIECES).filter(|&i| {
            let share = i as f32 / PIECES as f32;
            from < share && share < to
        });
        let mut points = vec![self.at(from)];
        points.extend(inner.map(|i| self.points[i]));
        points.push(self.at(to));
        points
    }

    /// The distance of a point from the pipe's middle line.
    pub fn distance(&self, p: Point) -> f32 {
        self.points
            .windows(2)
            .map(|piece| distance_to_piece(p, piece[0], piece[1]))
            .fold(f32::INFINITY, f32::min)
    }
}

/// A curve from `start` to `end` that leaves and arrives along the way of the messages.
pub fn bend(start: Point, end: Point, turned: bool, width: f32) -> Pipe {
    let reach = 0.46;
    let (c1, c2) = if turned {
        let dy = (end.y - start.y) * reach;
        (pt(start.x, start.y + dy), pt(end.x, end.y - dy))
    } else {
        let dx = (end.x - start.x) * reach;
        (pt(start.x + dx, start.y), pt(end.x - dx, end.y))
    };
    let curve = |t: f32| {
        let u = 1.0 - t;
        let (a, b, c, d) = (u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t);
        pt(
            a * start.x + b * c1.x + c * c2.x + d * end.x,
            a * start.y + b * c1.y + c * c2.y + d * end.y,
        )
    };
    let fine: Vec<Point> =
        (0..=4 * PIECES).map(|i| curve(i as f32 / (4 * PIECES) as f32)).collect();
    let mut lengths = vec![0.0];
    for piece in fine.windows(2) {
        let last = lengths[lengths.len() - 1];
        lengths.push(last + distance(piece[0], piece[1]));
    }
    let length = lengths[lengths.len() - 1];
    let mut points = Vec::with_capacity(PIECES + 1);
    let mut j = 0;
    for i in 0..=PIECES {
        let target = length * i as f32 / PIECES as f32;
        while j + 2 < lengths.len() && lengths[j + 1] < target {
            j += 1;
        }
        let step = lengths[j + 1] - lengths[j];
        let rest = if 0.0 < step { ((target - lengths[j]) / step).clamp(0.0, 1.0) } else { 0.0 };
        let (a, b) = (fine[j], fine[j + 1]);
        points.push(pt(a.x + (b.x - a.x) * rest, a.y + (b.y - a.y) * rest));
    }
    Pipe { points, length, width }
}

/// The distance between two points.
pub fn distance(a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    (dx * dx + dy * dy).sqrt()
}

/// The distance of `p` from the straight piece between `a` and `b`.
pub fn distance_to_piece(p: Point, a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let square = dx * dx + dy * dy;
    let share = if square == 0.0 { 0.0 } else { ((p.x - a.x) * dx + (p.y - a.y) * dy) / square };
    let share = share.clamp(0.0, 1.0);
    distance(p, pt(a.x + dx * share, a.y + dy * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_shares_are_equally_far_apart_on_a_bent_pipe() {
        let pipe = bend(pt(624.0, 96.0), pt(752.0, 46.0), false, 16.0);
        let steps: Vec<f32> = (0..20)
            .map(|i| distance(pipe.at(i as f32 / 20.0), pipe.at((i + 1) as f32 / 20.0)))
            .collect();
        let (least, most) =
            steps.iter().fold((f32::MAX, 0.0_f32), |(l, m), &s| (l.min(s), m.max(s)));
        assert!(most / least < 1.02, "{least} .. {most}");
    }

    #[test]
    fn a_pipe_starts_and_ends_at_its_ends() {
        let pipe = bend(pt(10.0, 20.0), pt(200.0, 120.0), false, 16.0);
        assert!(distance(pipe.at(0.0), pt(10.0, 20.0)) < 0.01);
        assert!(distance(pipe.at(1.0), pt(200.0, 120.0)) < 0.01);
        assert!(pipe.at(0.5).x - 105.0 < 0.5);
    }

    #[test]
    fn a_straight_pipe_is_as_long_as_it_looks() {
        let pipe = bend(pt(0.0, 0.0), pt(0.0, 46.0), true, 16.0);
        assert!((pipe.length - 46.0).abs() < 0.01);
        assert!((pipe.distance(pt(5.0, 20.0)) - 5.0).abs() < 0.01);
    }
}
