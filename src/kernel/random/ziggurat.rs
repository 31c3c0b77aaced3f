//! The exponential distribution by ziggurat (Marsaglia and Tsang, 2000), 256 layers.
//!
//! 98.9% of the draws cost one integer comparison and one multiplication. The tables and the
//! rare cases use `libm`, so the bits are the same on every machine.

use std::sync::LazyLock;

use super::Stream;

/// Where the tail begins, and the area of each layer: from the paper.
const TAIL: f64 = 7.697_117_470_131_487;
const AREA: f64 = 3.949_659_822_581_572e-3;
/// Draws are 53-bit integers.
const SCALE: f64 = (1u64 << 53) as f64;

/// One layer: a draw below `inside` is under the curve, and is `width * draw`.
#[derive(Clone, Copy)]
struct Layer {
    inside: u64,
    width: f64,
}

struct Tables {
    layers: [Layer; 256],
    /// The curve at the right end of each layer.
    heights: [f64; 256],
}

static TABLES: LazyLock<Tables> = LazyLock::new(tables);

fn tables() -> Tables {
    let mut layers = [Layer { inside: 0, width: 0.0 }; 256];
    let mut heights = [1.0; 256];
    let base = AREA / libm::exp(-TAIL);
    layers[0] = Layer { inside: (TAIL / base * SCALE) as u64, width: base / SCALE };
    layers[255].width = TAIL / SCALE;
    heights[255] = libm::exp(-TAIL);
    let mut right = TAIL;
    for i in (1..255).rev() {
        let next = -libm::log(AREA / right + libm::exp(-right));
        layers[i + 1].inside = (next / right * SCALE) as u64;
        layers[i].width = next / SCALE;
        heights[i] = libm::exp(-next);
        right = next;
    }
    Tables { layers, heights }
}

/// A draw with mean 1.
#[inline]
pub(super) fn exponential(stream: &mut Stream) -> f64 {
    let tables = &*TABLES;
    let bits = stream.next_u64();
    let (layer, draw) = ((bits & 255) as usize, bits >> 11);
    let Layer { inside, width } = tables.layers[layer];
    let x = draw as f64 * width;
    if draw < inside { x } else { outside(tables, stream, layer, x) }
}

/// The draw fell beside the part of its layer that lies wholly under the curve.
#[cold]
#[inline(never)]
fn outside(tables: &Tables, stream: &mut Stream, layer: usize, x: f64) -> f64 {
    if layer == 0 {
        // The tail of an exponential is an exponential.
        return TAIL - libm::log(stream.unit());
    }
    let (low, high) = (tables.heights[layer], tables.heights[layer - 1]);
    if low + stream.unit() * (high - low) < libm::exp(-x) {
        return x;
    }
    exponential(stream)
}

#[cfg(test)]
mod tests {
    use super::super::Streams;
    use super::*;

    #[test]
    fn layers_have_equal_areas() {
        let Tables { layers, heights } = tables();
        for i in 2..256 {
            let area = layers[i].width * SCALE * (heights[i - 1] - heights[i]);
            assert!((area / AREA - 1.0).abs() < 1e-9, "layer {i}: {area}");
        }
        // What is left on top differs by the rounding of the published constants.
        let top = layers[1].width * SCALE * (1.0 - heights[1]);
        assert!((top / AREA - 1.0).abs() < 1e-6, "top layer: {top}");
    }

    #[test]
    fn draws_follow_the_exponential_law() {
        // Kolmogorov-Smirnov at 200 places, the tail included; 1.95 / sqrt(n) is the bound that
        // one sample in a thousand passes by chance.
        let n = 1_000_000;
        let mut stream = Streams::new(11).stream(1, 1);
        let mut draws: Vec<f64> = (0..n).map(|_| exponential(&mut stream)).collect();
        draws.sort_by(f64::total_cmp);
        for k in 0..200 {
            let x = f64::from(k) * 0.05;
            let share = draws.partition_point(|&d| d <= x) as f64 / f64::from(n);
            let off = (share - (1.0 - libm::exp(-x))).abs();
            assert!(off < 1.95 / f64::from(n).sqrt(), "at {x}: off by {off}");
        }
        // e^-7.697 of the draws come from the tail: 454 of a million.
        let tail = draws.iter().filter(|&&d| d > TAIL).count();
        assert!(tail.abs_diff(454) < 110, "{tail} in the tail");
    }
}
