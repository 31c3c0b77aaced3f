//! Publish and subscribe: who is there gets it, who is away does not, nothing is kept.

use super::{ClientNo, Text};

/// A subscription; the order is that in which they were made.
#[derive(Clone, Debug, PartialEq)]
struct Subscription {
    client: ClientNo,
    name: Text,
    is_pattern: bool,
}

/// All subscriptions.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct PubSub {
    subscriptions: Vec<Subscription>,
}

impl PubSub {
    /// Subscribes; a second time changes nothing.
    pub(super) fn add(&mut self, client: ClientNo, name: Text, is_pattern: bool) {
        let subscription = Subscription { client, name, is_pattern };
        if !self.subscriptions.contains(&subscription) {
            self.subscriptions.push(subscription);
        }
    }

    /// Ends one subscription.
    pub(super) fn remove(&mut self, client: ClientNo, name: &Text, is_pattern: bool) {
        self.subscriptions.retain(|subscription| {
            let Subscription { client: whose, name: to, is_pattern: kind } = subscription;
            (*whose, to, *kind) != (client, name, is_pattern)
        });
    }

    /// Ends all subscriptions of a client.
    pub(super) fn remove_client(&mut self, client: ClientNo) {
        self.subscriptions.retain(|subscription| subscription.client != client);
    }

    /// How many subscriptions a client has.
    pub(super) fn count(&self, client: ClientNo) -> u32 {
        self.subscriptions.iter().filter(|s| s.client == client).count() as u32
    }

    /// A client's channels or patterns.
    pub(super) fn names(&self, client: ClientNo, is_pattern: bool) -> Vec<Text> {
        let theirs = self.subscriptions.iter();
        let theirs = theirs.filter(|s| s.client == client && s.is_pattern == is_pattern);
        theirs.map(|s| s.name.clone()).collect()
    }

    /// Who receives a message, and through which pattern: first by channel, then by pattern.
    ///
    /// Somebody with both receives it twice and counts twice (`pubsubPublishMessage`).
    pub(super) fn receivers(&self, channel: &str) -> Vec<(ClientNo, Option<Text>)> {
        let by_name = self.subscriptions.iter().filter(|s| !s.is_pattern && &*s.name == channel);
        let by_pattern =
            self.subscriptions.iter().filter(|s| s.is_pattern && glob_matches(&s.name, channel));
        let by_name = by_name.map(|s| (s.client, None));
        by_name.chain(by_pattern.map(|s| (s.client, Some(s.name.clone())))).collect()
    }
}

/// Whether a text matches a pattern with `*`, `?`, `[a-c]`, `[^a]` and `\`
/// (`stringmatchlen` in `util.c`).
///
/// Like topics, a failed match gives the last `*` one more character; earlier ones need not be
/// tried again. Redis works on bytes, and so does this.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if t == text.len() && p == pattern.len() {
            return true;
        }
        if t < text.len()
            && let Some(next) = one_matches(pattern, p, text[t])
        {
            p = next;
            t += 1;
            continue;
        }
        match &mut retry {
            Some((after_star, taken)) if *taken < text.len() => {
                *taken += 1;
                (p, t) = (*after_star, *taken);
            }
            _ => return false,
        }
    }
}

/// Where the pattern goes on when its next part accepts a byte.
fn one_matches(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => class_matches(pattern, at + 1, byte),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        wanted => (wanted == byte).then_some(at + 1),
    }
}

/// The same for a class, from behind its `[`. An unclosed one ends with the pattern.
fn class_matches(pattern: &[u8], mut at: usize, byte: u8) -> Option<usize> {
    let is_negated = pattern.get(at) == Some(&b'^');
    at += usize::from(is_negated);
    let mut is_in = false;
    loop {
        match pattern[at.min(pattern.len())..] {
            [] => break,
            [b'\\', escaped, ..] => {
                is_in |= escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [a, b'-', b, ..] => {
                is_in |= (a.min(b)..=a.max(b)).contains(&byte);
                at += 3;
            }
            [one, ..] => {
                is_in |= one == byte;
                at += 1;
            }
        }
    }
    (is_in != is_negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_file_names() {
        let table = [
            ("news.*", "news.a", true),
            ("news.*", "news.", true),
            ("news.?", "news.ab", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h\\*", "h*", true),
            ("h\\*", "hx", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbx", false),
            ("[", "a", false),
            ("a[b", "ab", true),
            ("", "", true),
            ("*", "", true),
            ("", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn channel_and_pattern_together_receive_twice() {
        let mut pubsub = PubSub::default();
        pubsub.add(ClientNo(1), "a*".into(), true);
        pubsub.add(ClientNo(1), "ab".into(), false);
        pubsub.add(ClientNo(1), "ab".into(), false);
        let receivers = pubsub.receivers("ab");
        assert_eq!(receivers, [(ClientNo(1), None), (ClientNo(1), Some("a*".into()))]);
        pubsub.remove(ClientNo(1), &"ab".into(), false);
        assert_eq!(pubsub.receivers("ab").len(), 1);
        pubsub.remove_client(ClientNo(1));
        assert!(pubsub.receivers("ab").is_empty());
    }
}
