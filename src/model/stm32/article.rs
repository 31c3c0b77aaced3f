//! What a widely read tuning article claims: a lookup, not a simulation.
//!
//! The article's round trips, taken apart so that they add up to its own totals. The real stack
//! reproduces none of them; whoever shows one says so. Its text gives 1 to 2 ms to Nagle and 8 to
//! 10 ms to delayed acknowledgements, which does not fit its totals: these fix 3.9 ms, 1.9 ms and
//! the sum of 6.0 and 0.4 ms (how that is split is a choice).

use crate::kernel::SimSpan;
use crate::kernel::random::Stream;

choices! {
    /// Whose latency a board has.
    pub enum ArticleMode {
        /// The simulated one.
        Off = "off" ("off", "关"),
        /// The article's for its default set.
        Default = "default" ("its default", "其默认"),
        /// The article's for a set that only defines the macro against Nagle.
        MacroOnly = "macro-only" ("macro only", "只改宏"),
        /// The article's for a board "without DMA".
        NoDma = "no-dma" ("no DMA", "不用 DMA"),
        /// The article's for its optimised set.
        Optimised = "optimised" ("its optimised", "其优化"),
    }
}

impl ArticleMode {
    /// What is claimed; `None`: nothing, the board is simulated.
    pub fn claim(self) -> Option<Claim> {
        match self {
            ArticleMode::Off => None,
            ArticleMode::Default => Some(CLAIMS[0]),
            ArticleMode::MacroOnly => Some(CLAIMS[1]),
            ArticleMode::NoDma => Some(CLAIMS[2]),
            ArticleMode::Optimised => Some(CLAIMS[3]),
        }
    }
}

/// What is left when everything is switched off.
const LEFT: SimSpan = SimSpan::us(1_100);
/// "Nagle not really off".
const NAGLE: SimSpan = SimSpan::us(3_900);
/// "Delayed acknowledgement on".
const DELAYED_ACK: SimSpan = SimSpan::us(6_000);
/// "Heap instead of pools".
const HEAP: SimSpan = SimSpan::us(400);
/// "DMA off", which no STM32 can.
const NO_DMA: SimSpan = SimSpan::us(1_900);
/// The claims scatter by this much around their middle, in each direction, in ppm.
pub const SCATTER_PPM: u64 = 90_000;

/// A set of options as the article sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Its name in the article.
    pub name: &'static str,
    /// Nagle still works.
    pub nagle: bool,
    /// Acknowledgements are delayed.
    pub delayed_ack: bool,
    /// Memory comes from the heap.
    pub heap: bool,
    /// "Without DMA".
    pub no_dma: bool,
}

/// The article's sets.
pub const CLAIMS: [Claim; 4] = [
    Claim { name: "default", nagle: true, delayed_ack: true, heap: true, no_dma: false },
    Claim { name: "macro only", nagle: true, delayed_ack: false, heap: false, no_dma: false },
    Claim { name: "no DMA", nagle: false, delayed_ack: false, heap: false, no_dma: true },
    Claim { name: "optimised", nagle: false, delayed_ack: false, heap: false, no_dma: false },
];

impl Claim {
    /// The middle of the claimed round trips.
    pub fn round_trip(&self) -> SimSpan {
        let parts = [
            (true, LEFT),
            (self.nagle, NAGLE),
            (self.delayed_ack, DELAYED_ACK),
            (self.heap, HEAP),
            (self.no_dma, NO_DMA),
        ];
        parts.iter().filter(|(counts, _)| *counts).fold(SimSpan::ZERO, |sum, part| sum + part.1)
    }

    /// Least and greatest of them.
    pub fn range(&self) -> (SimSpan, SimSpan) {
        let scaled = |ppm: u64| SimSpan::ns(self.round_trip().as_ns() * ppm / 1_000_000);
        (scaled(1_000_000 - SCATTER_PPM), scaled(1_000_000 + SCATTER_PPM))
    }

    /// One of the claimed round trips, by a draw.
    pub fn draw(&self, mut stream: Stream) -> SimSpan {
        let (least, most) = self.range();
        stream.uniform(least, most)
    }

    /// The processor's load that the article draws, in percent. "Assumed".
    pub fn cpu_percent(&self) -> u8 {
        if self.no_dma { 80 } else { 15 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_add_up_to_the_articles_totals() {
        let ms_10: Vec<u64> =
            CLAIMS.iter().map(|claim| claim.round_trip().as_ns() / 100_000).collect();
        assert_eq!(ms_10, [114, 50, 30, 11]);
        let (least, most) = CLAIMS[0].range();
        assert!(SimSpan::us(10_200) <= least);
        assert!(most <= SimSpan::us(12_500));
        assert_eq!(CLAIMS.map(|claim| claim.cpu_percent()), [15, 15, 80, 15]);
    }
}
