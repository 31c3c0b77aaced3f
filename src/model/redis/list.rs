//! Lists: pushes and pops at both ends.

use std::collections::VecDeque;

use super::command::Side;
use super::{ITEMS_LIMIT, Text};

/// A list is never empty: an empty one is no key.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct List {
    values: VecDeque<Text>,
}

impl List {
    /// Pushes one value.
    pub(super) fn push(&mut self, side: Side, value: Text) {
        match side {
            Side::Left => self.values.push_front(value),
            Side::Right => self.values.push_back(value),
        }
    }

    /// Takes one value.
    pub(super) fn pop(&mut self, side: Side) -> Option<Text> {
        match side {
            Side::Left => self.values.pop_front(),
            Side::Right => self.values.pop_back(),
        }
    }

    /// LREM: how many went.
    pub(super) fn remove(&mut self, count: i64, value: &Text) -> u64 {
        let mut left = if count == 0 { u64::MAX } else { count.unsigned_abs() };
        let mut n_removed = 0;
        let mut keep = |element: &Text| {
            let goes = element == value && 0 < left;
            if goes {
                left -= 1;
                n_removed += 1;
            }
            !goes
        };
        if count < 0 {
            let mut kept: VecDeque<Text> = VecDeque::new();
            for element in self.values.drain(..).rev() {
                if keep(&element) {
                    kept.push_front(element);
                }
            }
            self.values = kept;
        } else {
            self.values.retain(|element| keep(element));
        }
        n_removed
    }

    /// LTRIM.
    pub(super) fn trim(&mut self, first: i64, last: i64) {
        match self.span(first, last) {
            None => self.values.clear(),
            Some((first, last)) => {
                self.values.truncate(last as usize + 1);
                self.values.drain(..first as usize);
            }
        }
    }

    /// How many values.
    pub(super) fn len(&self) -> u32 {
        self.values.len() as u32
    }

    /// Whether so many more values fit.
    pub(super) fn has_room(&self, n: u64) -> bool {
        u64::from(self.len()) + n <= u64::from(ITEMS_LIMIT)
    }

    /// LRANGE.
    pub(super) fn range(&self, first: i64, last: i64) -> impl Iterator<Item = &Text> {
        let span = self.span(first, last).map(|(first, last)| first as usize..last as usize + 1);
        self.values.range(span.unwrap_or(0..0))
    }

    /// Both ends as indexes from the head, cut to what there is.
    fn span(&self, first: i64, last: i64) -> Option<(u32, u32)> {
        let n = i64::from(self.len());
        let from_head = |index: i64| if index < 0 { index.saturating_add(n) } else { index };
        let first = from_head(first).max(0);
        let last = from_head(last).min(n - 1);
        // Both lie between 0 and the length, which is a u32.
        (first <= last).then_some((first as u32, last as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &str) -> List {
        let mut list = List::default();
        values.split_whitespace().for_each(|value| list.push(Side::Right, value.into()));
        list
    }

    fn all(list: &List) -> String {
        list.range(0, -1).map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_negative_count_removes_from_the_tail() {
        for (count, left, n) in [(1, "b a a", 1), (-2, "a b", 2), (0, "b", 3), (9, "b", 3)] {
            let mut list = list("a b a a");
            assert_eq!(list.remove(count, &"a".into()), n);
            assert_eq!(all(&list), left, "count {count}");
        }
    }

    #[test]
    fn a_range_is_cut_to_what_there_is() {
        let list = list("a b c");
        let range = |first, last| list.range(first, last).count();
        assert_eq!(range(0, -1), 3);
        assert_eq!(range(-100, 100), 3);
        assert_eq!(range(2, 1), 0);
        assert_eq!(range(5, 9), 0);
        assert_eq!(range(i64::MIN, i64::MIN), 0);
        assert_eq!(range(i64::MAX, i64::MAX), 0);
    }

    #[test]
    fn trimming_keeps_the_range() {
        let mut list = list("a b c d");
        list.trim(1, -2);
        assert_eq!(all(&list), "b c");
        list.trim(5, 6);
        assert_eq!(list.len(), 0);
    }
}
