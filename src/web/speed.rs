//! The speeds of the page: simulated time per real time, in steps of 1, 2, 5.

use crate::view::numbers;

/// Simulated and real seconds, slowest first.
const SPEEDS: [(u64, u64); 25] = [
    (1, 100_000),
    (1, 50_000),
    (1, 20_000),
    (1, 10_000),
    (1, 5_000),
    (1, 2_000),
    (1, 1_000),
    (1, 500),
    (1, 200),
    (1, 100),
    (1, 50),
    (1, 20),
    (1, 10),
    (1, 5),
    (1, 2),
    (1, 1),
    (2, 1),
    (5, 1),
    (10, 1),
    (20, 1),
    (50, 1),
    (100, 1),
    (200, 1),
    (500, 1),
    (1_000, 1),
];

/// The last place on the list.
pub const LAST: u8 = SPEEDS.len() as u8 - 1;

/// Real time itself.
pub const REAL: u8 = 15;

/// Simulated seconds per second at a place on the list.
pub fn ratio(index: u8) -> f64 {
    let (simulated, real) = SPEEDS[usize::from(index.min(LAST))];
    simulated as f64 / real as f64
}

/// The speed in words: "1/50 ×".
pub fn words(index: u8) -> String {
    let (simulated, real) = SPEEDS[usize::from(index.min(LAST))];
    numbers::speed(simulated, real)
}

/// The place nearest to a speed, by ratio.
pub fn nearest(speed: f64) -> u8 {
    let wanted = speed.max(1e-6);
    let far = |index: u8| {
        let ratio = ratio(index) / wanted;
        ratio.max(1.0 / ratio)
    };
    (0..=LAST).min_by(|a, b| far(*a).total_cmp(&far(*b))).unwrap_or(REAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_rise_and_real_time_is_one() {
        assert!((1..=LAST).all(|index| ratio(index - 1) < ratio(index)));
        assert_eq!(ratio(REAL), 1.0);
        assert_eq!(words(REAL), "1 ×");
    }

    #[test]
    fn the_nearest_speed_is_found_by_ratio() {
        assert_eq!(words(nearest(0.02)), "1/50 ×");
        assert_eq!(words(nearest(1.0)), "1 ×");
        assert_eq!(nearest(0.0), 0);
    }
}
