//! Consumers standing in line: who is served next, who is blocked, who waits to take over.
//!
//! A consumer stands in at most one line, so the links are in the consumers themselves, and a step
//! in any line is a few instructions.

use super::ConsumerId;
use super::channel::Consumer;
use super::slab::Slab;

/// A line of consumers, first come, first served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// First and last of the line.
    ends: Option<(ConsumerId, ConsumerId)>,
}

impl Line {
    /// Puts a consumer at the end.
    #[inline]
    pub(super) fn push(&mut self, consumers: &mut Slab<Consumer>, id: ConsumerId) {
        consumers.get_mut(id.0).expect("who stands in line exists").behind = None;
        let Some((_, last)) = &mut self.ends else {
            self.ends = Some((id, id));
            return;
        };
        consumers.get_mut(last.0).expect("who stands in line exists").behind = Some(id);
        *last = id;
    }

    /// Takes the first one out.
    #[inline]
    pub(super) fn pop(&mut self, consumers: &Slab<Consumer>) -> Option<ConsumerId> {
        let (first, last) = self.ends?;
        let behind = consumers.get(first.0).expect("who stands in line exists").behind;
        self.ends = behind.map(|behind| (behind, last));
        Some(first)
    }

    /// Takes one out wherever it stands; says whether it stood here.
    pub(super) fn remove(&mut self, consumers: &mut Slab<Consumer>, id: ConsumerId) -> bool {
        let mut old = std::mem::take(self);
        let mut was_here = false;
        while let Some(next) = old.pop(consumers) {
            if next == id {
                was_here = true;
            } else {
                self.push(consumers, next);
            }
        }
        was_here
    }

    /// The first one.
    #[inline]
    pub(super) fn first(&self) -> Option<ConsumerId> {
        self.ends.map(|(first, _)| first)
    }

    /// Whether nobody stands here.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Whether exactly one stands here.
    #[inline]
    fn is_one(&self) -> bool {
        self.ends.is_some_and(|(first, last)| first == last)
    }

    /// All, the first one first.
    pub(super) fn iter(&self, consumers: &Slab<Consumer>) -> impl Iterator<Item = ConsumerId> {
        let mut next = self.first();
        std::iter::from_fn(move || {
            let id = next?;
            next = consumers.get(id.0)?.behind;
            Some(id)
        })
    }
}

/// Consumers of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    priority: i32,
    line: Line,
}

/// Consumers that may be served: higher classes first, in turn inside a class.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Rotation {
    /// Highest priority first.
    classes: Vec<Class>,
}

impl Rotation {
    /// Puts a consumer at the end of its class.
    #[inline]
    pub(super) fn push(&mut self, consumers: &mut Slab<Consumer>, id: ConsumerId, priority: i32) {
        if let Some(class) = self.classes.first_mut().filter(|class| class.priority == priority) {
            class.line.push(consumers, id);
            return;
        }
        let place = self.classes.partition_point(|class| priority < class.priority);
        if self.classes.get(place).is_none_or(|class| class.priority != priority) {
            self.classes.insert(place, Class { priority, line: Line::default() });
        }
        self.classes[place].line.push(consumers, id);
    }

    /// The line of the consumer whose turn it is.
    #[inline]
    fn current(&mut self) -> Option<&mut Line> {
        self.classes.iter_mut().map(|class| &mut class.line).find(|line| !line.is_empty())
    }

    /// The consumer whose turn it is.
    #[inline]
    pub(super) fn first(&mut self) -> Option<ConsumerId> {
        self.current()?.first()
    }

    /// Takes the consumer out whose turn it is.
    #[inline]
    pub(super) fn pop(&mut self, consumers: &Slab<Consumer>) -> Option<ConsumerId> {
        self.current()?.pop(consumers)
    }

    /// Sends the consumer whose turn it is to the end of its class.
    #[inline]
    pub(super) fn rotate(&mut self, consumers: &mut Slab<Consumer>) {
        if let Some(line) = self.current()
            && !line.is_one()
            && let Some(id) = line.pop(consumers)
        {
            line.push(consumers, id);
        }
    }

    /// Takes a consumer out wherever it stands; its empty class goes with it.
    pub(super) fn remove(&mut self, consumers: &mut Slab<Consumer>, id: ConsumerId) -> bool {
        let found = self.classes.iter_mut().position(|class| class.line.remove(consumers, id));
        if let Some(place) = found
            && self.classes[place].line.is_empty()
        {
            self.classes.remove(place);
        }
        found.is_some()
    }

    /// In the order in which they will be served.
    pub(super) fn iter(&self, consumers: &Slab<Consumer>) -> impl Iterator<Item = ConsumerId> {
        self.classes.iter().flat_map(|class| class.line.iter(consumers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::broker::{ChannelNo, ConsumeSpec, QueueId};

    fn consumers(n: u32) -> (Slab<Consumer>, Vec<ConsumerId>) {
        let mut slab = Slab::new();
        let consumer = Consumer {
            channel: ChannelNo(0),
            queue: QueueId(0),
            spec: ConsumeSpec::default(),
            prefetch: 0,
            unacked: 0,
            cursor: 0,
            behind: None,
        };
        let ids = (0..n).map(|_| ConsumerId(slab.insert(consumer))).collect();
        (slab, ids)
    }

    #[test]
    fn who_leaves_the_middle_of_a_line_leaves_the_others_in_order() {
        let (mut all, ids) = consumers(4);
        let mut line = Line::default();
        ids.iter().for_each(|id| line.push(&mut all, *id));
        assert!(line.remove(&mut all, ids[1]));
        assert!(!line.remove(&mut all, ids[1]));
        assert!(line.remove(&mut all, ids[3]));
        line.push(&mut all, ids[1]);
        assert_eq!(line.iter(&all).collect::<Vec<_>>(), [ids[0], ids[2], ids[1]]);
        assert_eq!(line.pop(&all), Some(ids[0]));
    }

    #[test]
    fn a_lower_class_is_served_only_when_the_higher_is_empty() {
        let (mut all, ids) = consumers(4);
        let mut rotation = Rotation::default();
        for (id, priority) in [(0, 0), (1, 10), (2, 0), (3, -1)] {
            rotation.push(&mut all, ids[id], priority);
        }
        let order = [ids[1], ids[0], ids[2], ids[3]];
        assert_eq!(rotation.iter(&all).collect::<Vec<_>>(), order);
        rotation.rotate(&mut all);
        assert_eq!(rotation.first(), Some(ids[1]));
        assert_eq!(rotation.pop(&all), Some(ids[1]));
        assert_eq!(rotation.first(), Some(ids[0]));
        rotation.rotate(&mut all);
        assert_eq!(rotation.first(), Some(ids[2]));
        assert!(rotation.remove(&mut all, ids[3]));
        assert_eq!(rotation.iter(&all).collect::<Vec<_>>(), [ids[2], ids[0]]);
    }
}
