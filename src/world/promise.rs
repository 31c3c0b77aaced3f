//! What a document promises about its messages: `promise = "nothing lost"`, or a list of such.

use crate::observe::{Guarantee, Guarantees, Verdict};
use crate::param::{Reason, Said, nearest};

/// Reads promises: one, or several with commas between.
pub fn parse(text: &str) -> Result<Vec<Guarantee>, Reason> {
    let mut promises = Vec::new();
    for word in text.split(',').map(str::trim) {
        let Some(guarantee) = Guarantee::of_key(word) else {
            let keys = Guarantee::ALL.map(Guarantee::key);
            let allowed = Said::new(keys.join(", "), keys.join("、"));
            return Err(Reason::new(word, allowed).meant(nearest(word, keys)));
        };
        if promises.contains(&guarantee) {
            let allowed = Said::new("each promise only once", "每个承诺只能出现一次");
            return Err(Reason::new(word, allowed));
        }
        promises.push(guarantee);
    }
    Ok(promises)
}

/// Each promise and whether it holds; `is_over`: the run is at its end.
pub fn judge(
    promises: &[Guarantee],
    seen: &Guarantees,
    is_over: bool,
) -> Vec<(Guarantee, Verdict)> {
    promises.iter().map(|promise| (*promise, seen.verdict(*promise, is_over))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_read_by_their_names() {
        let all = Guarantee::ALL.map(Guarantee::key);
        for key in all {
            assert!(!key.contains(','), "{key}: a comma stands between two");
        }
        assert_eq!(parse(&all.join(", ")), Ok(Guarantee::ALL.to_vec()));
    }

    #[test]
    fn a_wrong_promise_comes_with_what_is_allowed() {
        let reason = parse("nothing lots").expect_err("no such promise");
        assert_eq!(reason.hint.as_deref(), Some("nothing lost"));
        assert!(reason.allowed.en.contains("order per key"));
        assert!(parse("nothing lost, nothing lost").is_err());
        assert!(parse("").is_err());
    }
}
