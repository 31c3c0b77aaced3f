//! Shares of several ways, as text: `60%`, one a line, in the order of the channels.
//!
//! What is left of the whole takes no way at all.

use crate::kernel::random::Stream;
use crate::param::{Ppm, Reason, Said};

/// Most ways.
const MAX_WAYS: usize = 64;
/// The whole, in millionths.
const WHOLE: u64 = 1_000_000;

/// Whether a text is a list of shares that make at most the whole.
pub fn check(text: &str) -> Result<(), Reason> {
    parse(text).map(drop)
}

/// The shares of a text in millionths.
pub fn parse(text: &str) -> Result<Vec<u32>, Reason> {
    let mut shares = Vec::new();
    let lines = text.split(['\n', ';', ',']).map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        if shares.len() == MAX_WAYS {
            return Err(Reason::new(line, Said::new("at most 64 shares", "最多 64 个份额")));
        }
        let share = Ppm::parse(line)?;
        shares.push(share.0);
    }
    let sum: u64 = shares.iter().map(|share| u64::from(*share)).sum();
    if WHOLE < sum {
        let allowed = Said::new("shares of at most 100% together", "合计不超过 100% 的份额");
        return Err(Reason::new(text.replace('\n', ", "), allowed));
    }
    Ok(shares)
}

/// Draws a way; `None`: what is left.
pub fn draw(shares: &[u32], draw: &mut Stream) -> Option<u16> {
    let mut rest = draw.below(WHOLE);
    for (way, share) in shares.iter().enumerate() {
        match rest.checked_sub(u64::from(*share)) {
            None => return Some(way as u16),
            Some(left) => rest = left,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Streams;

    #[test]
    fn shares_make_at_most_the_whole() {
        assert_eq!(parse("60%\n40%").ok(), Some(vec![600_000, 400_000]));
        assert_eq!(parse("").ok(), Some(vec![]));
        assert!(parse("60%; 41%").is_err());
        assert!(parse("a lot").is_err());
        assert!(parse(&vec!["1%"; 65].join(";")).is_err());
    }

    #[test]
    fn ways_are_taken_as_often_as_their_shares_say() {
        let shares = parse("50%; 0%; 30%").expect("three shares");
        let mut stream = Streams::new(1).stream(1, 1);
        let mut n = [0_u32; 4];
        for _ in 0..100_000 {
            n[draw(&shares, &mut stream).map_or(3, usize::from)] += 1;
        }
        assert_eq!(n[1], 0);
        for (got, wanted) in [(n[0], 50_000), (n[2], 30_000), (n[3], 20_000)] {
            assert!(got.abs_diff(wanted) < 800, "{got} {wanted}");
        }
    }
}
