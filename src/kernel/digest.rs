//! The digest: a rolling fingerprint of everything a run stated, in order.
//!
//! Two runs with equal digests did the same things in the same order (up to a chance of one in
//! 2^64 when they differ by accident). It guards against our own mistakes, not against an
//! adversary. No product is wider than 64 bits: those are slow in the browser.

/// An order-sensitive rolling 64-bit digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// Adds one word.
    #[inline]
    pub fn absorb(&mut self, word: u64) {
        // For a given state every step can be undone, so no word is lost at once.
        let x = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
        // The product carries upwards only: bring the high half down for the next one.
        self.0 = x ^ (x >> 32);
    }

    /// Adds three words at the price of little more than one; not the same as adding them singly.
    #[inline]
    pub fn absorb3(&mut self, a: u64, b: u64, c: u64) {
        // The three products do not wait for the state, so only the last step is in its chain.
        let a = a.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = b.wrapping_mul(0x94d0_49bb_1331_11eb).rotate_left(23);
        let c = c.wrapping_mul(0xa076_1d64_78bd_642f).rotate_left(43);
        self.absorb(a ^ (a >> 29) ^ b.wrapping_add(c));
    }

    /// The digest so far: every bit of what was absorbed reaches every bit of it.
    pub fn value(self) -> u64 {
        mix(self.0)
    }
}

/// Spreads every bit of `x` over the whole word: the last step of SplitMix64.
#[inline]
pub(crate) const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(words: &[u64]) -> u64 {
        let mut digest = Digest::default();
        words.iter().for_each(|&word| digest.absorb(word));
        digest.value()
    }

    fn digest_of_triples(triples: &[[u64; 3]]) -> u64 {
        let mut digest = Digest::default();
        triples.iter().for_each(|&[a, b, c]| digest.absorb3(a, b, c));
        digest.value()
    }

    #[test]
    fn order_matters() {
        assert_ne!(digest_of(&[1, 2]), digest_of(&[2, 1]));
        assert_ne!(digest_of_triples(&[[1, 2, 3]]), digest_of_triples(&[[1, 3, 2]]));
        assert_ne!(digest_of_triples(&[[1, 2, 3]]), digest_of_triples(&[[2, 1, 3]]));
        assert_ne!(
            digest_of_triples(&[[1, 2, 3], [4, 5, 6]]),
            digest_of_triples(&[[4, 5, 6], [1, 2, 3]])
        );
    }

    #[test]
    fn the_number_of_zeros_matters() {
        assert_ne!(digest_of(&[]), digest_of(&[0]));
        assert_ne!(digest_of(&[0]), digest_of(&[0, 0]));
        assert_ne!(digest_of_triples(&[]), digest_of_triples(&[[0; 3]]));
        assert_ne!(digest_of_triples(&[[0; 3]]), digest_of_triples(&[[0; 3], [0; 3]]));
    }

    /// Flips each bit of each word of many short sequences and counts how often each bit of the
    /// digest changes: half the time, within five standard deviations.
    #[test]
    fn one_flipped_bit_changes_half_of_the_digest() {
        const RUNS: u64 = 2_000;
        let mut state = Digest::default();
        let mut changed = [0u64; 64];
        let mut flips = 0;
        for run in 0..RUNS {
            let mut words = [0; 6];
            for word in &mut words {
                state.absorb(run);
                *word = state.value() >> (run % 64);
            }
            let triples =
                |w: &[u64; 6]| digest_of_triples(&[[w[0], w[1], w[2]], [w[3], w[4], w[5]]]);
            let (bit, place) = (run % 64, (run / 64 % 6) as usize);
            let mut flipped = words;
            flipped[place] ^= 1 << bit;
            for difference in
                [digest_of(&words) ^ digest_of(&flipped), triples(&words) ^ triples(&flipped)]
            {
                flips += 1;
                for (i, count) in changed.iter_mut().enumerate() {
                    *count += difference >> i & 1;
                }
            }
        }
        let deviation = (flips as f64).sqrt() / 2.0;
        for (i, &count) in changed.iter().enumerate() {
            let off = (count as f64 - flips as f64 / 2.0).abs() / deviation;
            assert!(off < 5.0, "bit {i} changed {count} times of {flips}");
        }
    }

    #[test]
    fn near_neighbours_do_not_collide() {
        // Times and ids are small numbers that differ little: all triples of 0..24 and of the
        // same numbers shifted up are different.
        let mut seen = Vec::new();
        for shift in [0, 20, 40] {
            for n in 0..24u64 * 24 * 24 {
                let [a, b, c] = [n % 24 + 1, n / 24 % 24 + 1, n / 576 + 1].map(|x| x << shift);
                seen.push(digest_of_triples(&[[a, b, c]]));
                seen.push(digest_of(&[a, b, c]));
            }
        }
        let total = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), total);
    }
}
