//! Core NATS: a message goes to whoever is there, to one of each queue group, and is not kept.

use super::Text;
use super::subject::subject_matches;

/// Most subscriptions of a server.
pub const SUBSCRIPTIONS_LIMIT: u32 = 1 << 20;

/// A subscription's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionNo(pub u32);

/// A subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Its number.
    pub no: SubscriptionNo,
    /// What it listens to.
    pub filter: Text,
    /// The queue group that shares the messages; without one it gets all.
    pub group: Option<Text>,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Core {
    subscriptions: Vec<Subscription>,
    next: u32,
}

impl Core {
    /// Subscribes; `None` when there are too many.
    pub fn subscribe(&mut self, filter: Text, group: Option<Text>) -> Option<SubscriptionNo> {
        if SUBSCRIPTIONS_LIMIT <= self.subscriptions.len() as u32 {
            return None;
        }
        let no = SubscriptionNo(self.next);
        self.next += 1;
        self.subscriptions.push(Subscription { no, filter, group });
        Some(no)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, no: SubscriptionNo) {
        self.subscriptions.retain(|subscription| subscription.no != no);
    }

    /// Who receives a message: each subscription without a group, and one of each group.
    ///
    /// `draw` gives a random number below its argument; it is asked once per group with more
    /// than one candidate. Nobody means that the message is gone.
    pub fn publish(&self, subject: &str, mut draw: impl FnMut(u32) -> u32) -> Vec<SubscriptionNo> {
        let fits = |s: &&Subscription| subject_matches(&s.filter, subject);
        let mut receivers = Vec::new();
        let mut groups: Vec<(&Text, Vec<SubscriptionNo>)> = Vec::new();
        for subscription in self.subscriptions.iter().filter(fits) {
            let Some(group) = &subscription.group else {
                receivers.push(subscription.no);
                continue;
            };
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, members)) => members.push(subscription.no),
                None => groups.push((group, vec![subscription.no])),
            }
        }
        for (_, members) in groups {
            let n = members.len() as u32;
            let chosen = if n == 1 { 0 } else { draw(n) };
            assert!(chosen < n, "a draw is below its limit");
            receivers.push(members[chosen as usize]);
        }
        receivers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_group_and_everybody_without_one() {
        let mut core = Core::default();
        let mut add = |filter: &str, group: Option<&str>| {
            core.subscribe(filter.into(), group.map(Text::from)).expect("there is room")
        };
        let plain = add("a.*", None);
        let (_first, second) = (add("a.b", Some("g")), add("a.b", Some("g")));
        let other = add(">", Some("h"));
        assert_eq!(core.publish("a.b", |n| n - 1), [plain, second, other]);
        core.unsubscribe(plain);
        assert_eq!(core.publish("x", |_| 0), [other]);
        core.unsubscribe(other);
        assert!(core.publish("x", |_| 0).is_empty(), "nobody is there: it is gone");
    }
}
