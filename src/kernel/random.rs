//! Random numbers: one stream for every (node, purpose), all from one seed.
//!
//! Which number a component draws depends on the scenario's seed, its own path and the purpose,
//! never on what else exists or who drew before. Two settings of a slider therefore share their
//! randomness, and their curves differ by the setting only.
//!
//! The generator is SplitMix64: portable, named, 8 bytes of state. Logarithms come from `libm`.

mod law;
mod ziggurat;

use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::SimSpan;
use super::digest::mix;

pub use law::{Law, sample};

/// One whole in parts per million.
const MILLION: u32 = 1_000_000;

/// The hash of a node's path, for [`Streams::stream`]: FNV-1a, then mixed.
pub fn path_hash(path: &str) -> u64 {
    let fnv = path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

/// The source of all streams of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Streams {
    /// The seed, mixed.
    seed: u64,
}

impl Streams {
    /// The streams of the run with this seed.
    pub const fn new(seed: u64) -> Streams {
        Streams { seed: mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) }
    }

    /// The stream of the node with this [`path_hash`] for this purpose.
    #[inline]
    pub fn stream(self, node: u64, purpose: u32) -> Stream {
        Stream::from_state(self.origin(node, purpose))
    }

    /// The stream of the `index`-th thing of a node and purpose, say of its 17th message.
    ///
    /// Costs a few multiplications; no stream has to be kept or run forward for it.
    #[inline]
    pub fn stream_at(self, node: u64, purpose: u32, index: u64) -> Stream {
        let origin = self.origin(node, purpose);
        Stream::from_state(mix(origin ^ mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    #[inline]
    fn origin(self, node: u64, purpose: u32) -> u64 {
        mix(mix(self.seed ^ node).wrapping_add(u64::from(purpose)))
    }
}

/// One stream of random numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream(SplitMix64);

impl Stream {
    fn from_state(state: u64) -> Stream {
        Stream(SplitMix64::seed_from_u64(state))
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number below `n`, all equally likely. Panics when `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is no number below 0");
        if n <= 1 << 32 {
            // Lemire: the high half of a 32 by 32 bit product, less the few draws of the low
            // half that would make some results likelier than others.
            loop {
                let product = (self.next_u64() >> 32) * n;
                let low = product & 0xffff_ffff;
                if low >= n || low >= (1 << 32) % n {
                    return product >> 32;
                }
            }
        }
        let mask = u64::MAX >> (n - 1).leading_zeros();
        loop {
            let draw = self.next_u64() & mask;
            if draw < n {
                return draw;
            }
        }
    }

    /// True with a chance of `ppm` in a million. Draws one number whatever the chance.
    #[inline]
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.below(u64::from(MILLION)) < u64::from(ppm)
    }

    /// An exponentially distributed span, at most [`SimSpan::MAX`].
    #[inline]
    pub fn exponential(&mut self, mean: SimSpan) -> SimSpan {
        scaled(mean, ziggurat::exponential(self))
    }

    /// A span from `lo` to `hi`, both included. Panics when `lo` is above `hi`.
    #[inline]
    pub fn uniform(&mut self, lo: SimSpan, hi: SimSpan) -> SimSpan {
        let width = (hi - lo).as_ns();
        match width.checked_add(1) {
            Some(n) => SimSpan::ns(lo.as_ns() + self.below(n)),
            None => SimSpan::ns(self.next_u64()),
        }
    }

    /// A number in the open interval from 0 to 1: an odd multiple of 2^-53.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }
}

/// `mean * factor` in whole nanoseconds, at most [`SimSpan::MAX`].
#[inline]
fn scaled(mean: SimSpan, factor: f64) -> SimSpan {
    // A cast from a float saturates.
    SimSpan::ns((mean.as_ns() as f64 * factor + 0.5) as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a check within a tolerance, not a run")]

    use super::*;

    fn any_stream() -> Stream {
        Streams::new(7).stream(path_hash("client"), 1)
    }

    #[test]
    fn streams_differ_by_seed_node_purpose_and_index() {
        let first = |mut stream: Stream| stream.next_u64();
        let (a, b) = (path_hash("a"), path_hash("b"));
        let draws = [
            first(Streams::new(0).stream(a, 0)),
            first(Streams::new(1).stream(a, 0)),
            first(Streams::new(0).stream(b, 0)),
            first(Streams::new(0).stream(a, 1)),
            first(Streams::new(0).stream_at(a, 0, 0)),
            first(Streams::new(0).stream_at(a, 0, 1)),
            first(Streams::new(0).stream_at(a, 1, 0)),
            first(Streams::new(0).stream_at(b, 0, 0)),
        ];
        for (i, x) in draws.iter().enumerate() {
            assert!(!draws[..i].contains(x), "draw {i}");
        }
    }

    #[test]
    fn first_draws_of_neighbouring_indexes_are_independent() {
        // Pairs of neighbours into 16 x 16 cells: chi-square with 255 degrees of freedom has
        // mean 255 and deviation 22.6.
        let streams = Streams::new(3);
        let n = 100_000u64;
        let mut cells = [0u64; 256];
        for index in 0..n {
            let x = streams.stream_at(9, 2, index).next_u64() >> 60;
            let y = streams.stream_at(9, 2, index + 1).next_u64() >> 60;
            cells[(x << 4 | y) as usize] += 1;
        }
        let expected = n as f64 / 256.0;
        let chi: f64 = cells.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
        assert!((150.0..370.0).contains(&chi), "chi-square {chi}");
    }

    #[test]
    fn bits_are_those_of_the_published_generator() {
        // The first outputs of splitmix64.c from state 1234567.
        let mut stream = Stream::from_state(1_234_567);
        let draws = [(); 3].map(|()| stream.next_u64());
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(draws, published);
    }

    #[test]
    fn hashes_and_seeds_never_change() {
        // Share links hold seeds: these numbers are a promise.
        assert_eq!(path_hash("client"), 6_722_391_161_454_799_300);
        assert_eq!(Streams::new(7).stream(1, 2).next_u64(), 1_846_557_572_101_262_001);
        assert_eq!(Streams::new(7).stream_at(1, 2, 3).next_u64(), 16_672_060_819_265_556_786);
    }

    #[test]
    fn below_is_even_and_stays_below() {
        let mut stream = any_stream();
        for n in [1, 2, 3, 1000, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 3 << 61, u64::MAX] {
            let mut thirds = [0u64; 3];
            for _ in 0..30_000 {
                let x = stream.below(n);
                assert!(x < n);
                thirds[(x / n.div_ceil(3)) as usize] += 1;
            }
            if n % 3 == 0 || n > 900 {
                // Deviation of each third: sqrt(30000 * 2/9) = 82; 1000 is off by 0.1%.
                assert!(thirds.iter().all(|c| c.abs_diff(10_000) < 450), "{n}: {thirds:?}");
            }
        }
    }

    #[test]
    fn chance_is_met_within_five_deviations() {
        let mut stream = any_stream();
        for ppm in [0, 1_000, 250_000, 999_000, 1_000_000] {
            let n = 200_000;
            let hits = (0..n).filter(|_| stream.chance(ppm)).count() as f64;
            let p = f64::from(ppm) / 1e6;
            let off = (hits - n as f64 * p).abs();
            assert!(off <= 5.0 * (n as f64 * p * (1.0 - p)).sqrt(), "{ppm}: {hits}");
        }
    }

    #[test]
    fn uniform_reaches_both_ends() {
        let mut stream = any_stream();
        let (lo, hi) = (SimSpan::ns(5), SimSpan::ns(8));
        let mut seen = [0; 4];
        for _ in 0..1000 {
            seen[(stream.uniform(lo, hi).as_ns() - 5) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 150), "{seen:?}");
        assert_eq!(stream.uniform(lo, lo), lo);
        stream.uniform(SimSpan::ZERO, SimSpan::MAX);
    }

    #[test]
    fn the_longest_mean_saturates() {
        let mut stream = any_stream();
        let draws = [(); 64].map(|()| stream.exponential(SimSpan::MAX));
        assert!(draws.contains(&SimSpan::MAX));
        assert_eq!(stream.exponential(SimSpan::ZERO), SimSpan::ZERO);
    }
}
