//! Topic filters: levels between slashes; `+` stands for one, a last `#` for any number.

/// Whether a topic matches a filter. MQTT 3.1.1 section 4.7.
///
/// A topic that begins with `$` matches no filter that begins with a wildcard.
pub fn topic_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (None, None) | (Some("#"), _) => return true,
            (Some(wanted), Some(level)) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
}

/// The group and the filter of `$share/group/filter`.
pub fn shared(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix("$share/")?.split_once('/')
}

/// Longest topic or filter in bytes.
pub const TOPIC_LIMIT: usize = 128;

/// Whether a text is a topic to publish to: not empty, without wildcards. Section 4.7.
pub fn check_topic(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= TOPIC_LIMIT && !topic.contains(['+', '#', '\0'])
}

/// Whether a text is a filter: a wildcard is a level of its own, and `#` the last one. A shared
/// one has a group without wildcards.
pub fn check_filter(filter: &str) -> bool {
    let rest = match shared(filter) {
        Some((group, rest)) if !group.is_empty() && !group.contains(['+', '#']) => rest,
        Some(_) => return false,
        None if filter.starts_with("$share/") => return false,
        None => filter,
    };
    let is_last = |at: usize| at + 1 == rest.split('/').count();
    let mut levels = rest.split('/').enumerate();
    let fits = !rest.is_empty() && rest.len() <= TOPIC_LIMIT && !rest.contains('\0');
    fits && levels.all(|(at, level)| match level {
        "+" => true,
        "#" => is_last(at),
        _ => !level.contains(['+', '#']),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_one_level_and_a_hash_the_rest() {
        for (filter, topic, expected) in [
            ("a/+/c", "a/b/c", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a/b/c", true),
            ("a/#", "a", true),
            ("#", "a", true),
            ("#", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("+", "/a", false),
            ("/+", "/a", true),
            ("a", "b", false),
        ] {
            assert_eq!(topic_matches(filter, topic), expected, "{filter} {topic}");
        }
        assert_eq!(shared("$share/g/a/b"), Some(("g", "a/b")));
        assert_eq!(shared("a/b"), None);
    }

    #[test]
    fn a_wildcard_is_a_level_of_its_own() {
        for (filter, fits) in [
            ("a/+/b", true),
            ("#", true),
            ("a/#", true),
            ("a/#/b", false),
            ("a+", false),
            ("a#", false),
            ("", false),
            ("$share/g/a/#", true),
            ("$share//a", false),
            ("$share/g", false),
        ] {
            assert_eq!(check_filter(filter), fits, "{filter}");
        }
        assert!(check_topic("a/b") && !check_topic("a/+") && !check_topic(""));
    }
}
