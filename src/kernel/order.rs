//! Order in short lists.

/// Sorts a short or nearly sorted list; equal items keep their order.
///
/// By insertion: n² steps in the worst case, so for lists of at most a few thousand. The standard
/// sort is faster on long ones, but each type that uses it adds five kilobytes to the page.
pub fn settle<T>(items: &mut [T], before: impl Fn(&T, &T) -> bool) {
    for end in 1..items.len() {
        let mut at = end;
        while 0 < at && before(&items[at], &items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_equal_ones_stay_as_they_were() {
        let mut items = vec![(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')];
        settle(&mut items, |a, b| a.0 < b.0);
        assert_eq!(items, [(1, 'b'), (1, 'e'), (2, 'd'), (3, 'a'), (3, 'c')]);
        let mut none: [u8; 0] = [];
        settle(&mut none, |a, b| a < b);
    }
}
