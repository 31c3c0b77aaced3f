//! Subjects: tokens between dots; `*` stands for one, a last `>` for one or more.

/// Whether a subject without wildcards matches a filter.
pub fn subject_matches(filter: &str, subject: &str) -> bool {
    let (mut filter, mut subject) = (filter.split('.'), subject.split('.'));
    loop {
        match (filter.next(), subject.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) => return true,
            (Some(wanted), Some(token)) if wanted == "*" || wanted == token => {}
            _ => return false,
        }
    }
}

/// Whether some subject matches both filters (`SubjectsCollide`).
pub fn subjects_overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(x), Some(y)) if x == "*" || y == "*" || x == y => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_token_and_an_arrow_the_rest() {
        assert!(subject_matches("a.*.c", "a.b.c"));
        assert!(!subject_matches("a.*", "a.b.c"));
        assert!(subject_matches("a.>", "a.b.c"));
        assert!(!subject_matches("a.>", "a"));
        assert!(!subject_matches("a.b", "a"));
    }

    #[test]
    fn filters_overlap_when_one_subject_matches_both() {
        for (a, b, expected) in [
            ("a.*", "*.b", true),
            ("a.>", "a.b.c", true),
            ("a", "a.>", false),
            ("a.b", "a.c", false),
            (">", "x", true),
            ("a.*", "a.b.c", false),
        ] {
            assert_eq!(subjects_overlap(a, b), expected, "{a} {b}");
            assert_eq!(subjects_overlap(b, a), expected, "{b} {a}");
        }
    }
}
