//! Topic patterns: words between dots, `*` for exactly one word, `#` for any number of them.

/// The words of a key: the empty text has none, `.` has two empty ones.
fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    (!text.is_empty()).then(|| text.split('.')).into_iter().flatten()
}

/// Whether a key matches a pattern. Wildcards in a key are ordinary text.
///
/// The last `#` passed takes one more word whenever what follows it does not fit; earlier ones
/// need not be tried again, because the last one can take whatever they could.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (words(pattern), words(key));
    let mut retry = None;
    loop {
        let (mut next_pattern, mut next_key) = (pattern.clone(), key.clone());
        let wanted = next_pattern.next();
        if wanted == Some("#") {
            retry = Some((next_pattern.clone(), key.clone()));
            pattern = next_pattern;
            continue;
        }
        match (wanted, next_key.next()) {
            (None, None) => return true,
            (Some(wanted), Some(word)) if wanted == "*" || wanted == word => {
                (pattern, key) = (next_pattern, next_key);
                continue;
            }
            _ => {}
        }
        let Some((after, rest)) = &mut retry else { return false };
        if rest.next().is_none() {
            return false;
        }
        (pattern, key) = (after.clone(), rest.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_one_word_and_a_hash_any_number() {
        let table = [
            ("*", "a", true),
            ("*", "", false),
            ("*", "a.b", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("a.#", "a", true),
            ("a.#.b", "a.b", true),
            ("a.#.b", "a.b.x.b", true),
            ("a.#.b", "a.b.x", false),
            ("#.b.#", "a.b.c", true),
            ("#.*.#", "", false),
            ("*.*", ".", true),
            ("", "", true),
            ("", "a", false),
            ("a..b", "a..b", true),
            ("a", "A", false),
        ];
        for (pattern, key, expected) in table {
            assert_eq!(matches(pattern, key), expected, "{pattern:?} against {key:?}");
        }
    }

    #[test]
    fn the_quick_way_agrees_with_trying_everything() {
        fn slow(pattern: &[&str], key: &[&str]) -> bool {
            match (pattern.split_first(), key.split_first()) {
                (None, None) => true,
                (None, Some(_)) => false,
                (Some((&"#", rest)), None) => slow(rest, key),
                (Some((&"#", rest)), Some((_, fewer))) => slow(rest, key) || slow(pattern, fewer),
                (Some(_), None) => false,
                (Some((p, pattern)), Some((k, key))) => (*p == "*" || p == k) && slow(pattern, key),
            }
        }
        let texts = |alphabet: &[&'static str]| -> Vec<Vec<&'static str>> {
            let longer = |all: &[Vec<&'static str>]| -> Vec<Vec<&'static str>> {
                all.iter()
                    .flat_map(|text| alphabet.iter().map(|w| [&text[..], &[*w]].concat()))
                    .collect()
            };
            let mut all = vec![vec![]];
            let mut last = all.clone();
            for _ in 0..4 {
                last = longer(&last);
                all.extend(last.clone());
            }
            all
        };
        let (patterns, keys) = (texts(&["a", "b", "*", "#"]), texts(&["a", "b"]));
        for pattern in &patterns {
            for key in &keys {
                let quick = matches(&pattern.join("."), &key.join("."));
                assert_eq!(quick, slow(pattern, key), "{pattern:?} against {key:?}");
            }
        }
    }
}
