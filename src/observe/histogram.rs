//! A log-linear histogram of whole numbers, as HdrHistogram keeps it: 64 cells an octave, so a
//! value is known to within 1.6 %; exact below 128.

/// Cells an octave.
const CELLS: u32 = 64;
/// Bits of a cell's place within its octave.
const BITS: u32 = CELLS.trailing_zeros();

/// Counts of values by size.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Histogram {
    cells: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Histogram {
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        let cell = cell_of(value);
        if self.cells.len() <= cell {
            self.cells.resize(cell + 1, 0);
        }
        self.cells[cell] += 1;
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += u128::from(value);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact sum of all values.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The exact mean, rounded down; `None` without values.
    pub fn mean(&self) -> Option<u64> {
        u64::try_from(self.sum.checked_div(u128::from(self.count))?).ok()
    }

    /// The smallest value; 0 without values.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The greatest value; 0 without values.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below or at which `ppm` millionths of all lie: the middle of its cell, within the
    /// smallest and the greatest. `None` without values.
    pub fn quantile(&self, ppm: u32) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (u128::from(self.count) * u128::from(ppm)).div_ceil(1_000_000).max(1);
        let mut seen = 0_u128;
        for (cell, n) in self.cells.iter().enumerate() {
            seen += u128::from(*n);
            if rank <= seen {
                let (low, width) = bounds_of(cell);
                return Some((low + width / 2).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// Cells that hold something: least value, width, count.
    pub fn cells(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let filled = self.cells.iter().enumerate().filter(|(_, n)| **n != 0);
        filled.map(|(cell, n)| {
            let (low, width) = bounds_of(cell);
            (low, width, *n)
        })
    }
}

/// The cell of a value: itself below 128, then 64 cells for each doubling.
fn cell_of(value: u64) -> usize {
    let octave = (64 - value.leading_zeros()).saturating_sub(BITS + 1);
    (u64::from(octave * CELLS) + (value >> octave)) as usize
}

/// A cell's least value and width.
fn bounds_of(cell: usize) -> (u64, u64) {
    let cell = cell as u64;
    let octave = (cell / u64::from(CELLS)).saturating_sub(1);
    let within = cell - octave * u64::from(CELLS);
    (within << octave, 1 << octave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_cell() {
        let mut values: Vec<u64> = (0..2_000).collect();
        values.extend((0..63).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
        values.push(u64::MAX);
        for value in values {
            let (low, width) = bounds_of(cell_of(value));
            assert!(low <= value && value - low < width, "{value} in {low} + {width}");
            assert!(width <= 1.max(value / 32), "{value}: a cell of {width}");
        }
    }

    #[test]
    fn quantiles_of_a_thousand_numbers() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|value| histogram.record(value));
        assert_eq!(histogram.quantile(10_000), Some(10));
        let p50 = histogram.quantile(500_000).expect("there are values");
        assert!((496..=504).contains(&p50), "{p50}");
        assert_eq!(histogram.quantile(1_000_000), Some(1_000));
        assert_eq!(histogram.mean(), Some(500));
        assert_eq!(Histogram::default().quantile(500_000), None);
    }
}
