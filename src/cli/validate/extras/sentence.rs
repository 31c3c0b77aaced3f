//! Words and numbers of a record's sentences.

use serde_json::Value;

/// A step written `[sentence, what was seen]`.
pub(super) fn step(step: &Value) -> Result<(&str, &Value), String> {
    let sentence = step[0].as_str();
    let sentence = sentence.ok_or_else(|| format!("the step {step}, allowed: [text, value]"))?;
    Ok((sentence, &step[1]))
}

/// The words of a sentence, without what stands around them.
pub(super) fn words(sentence: &str) -> Vec<&str> {
    let is_around = |c: char| ",:;()".contains(c);
    sentence.split_whitespace().map(|word| word.trim_matches(is_around)).collect()
}

/// The number at the begin of a text, with a fraction perhaps.
pub(super) fn number(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.').parse().ok().filter(|n: &f64| (0.0..1e6).contains(n))
}

/// The number after a phrase: `ack_wait (0.4 s)`, `max_deliver=3`, `qos 2`.
pub(super) fn number_after(text: &str, phrase: &str) -> Option<f64> {
    let (_, rest) = text.split_once(phrase)?;
    number(rest.trim_start_matches([' ', '(', '=', '~', ':']))
}

/// The same, a whole number.
pub(super) fn count_after(text: &str, phrase: &str) -> Option<u32> {
    let n = number_after(text, phrase)?;
    // Below 1e6.
    (n.fract() == 0.0).then_some(n as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_after_their_phrase() {
        assert_eq!(number_after("after ack_wait (0.4 s), so", "ack_wait"), Some(0.4));
        assert_eq!(count_after("nothing after max_deliver=3", "max_deliver"), Some(3));
        assert_eq!(count_after("b subscribes t qos 2", "qos"), Some(2));
        assert_eq!(count_after("qos1 mid 7, then", "mid"), Some(7));
        assert_eq!(number_after("t~0.9", "t"), Some(0.9));
        assert_eq!(number_after("nothing", "qos"), None);
        assert_eq!(number_after("qos x", "qos"), None);
    }
}
