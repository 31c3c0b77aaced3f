//! How a document becomes letters of a link and comes back: deflate, then base64url.
//!
//! Also the two escapes of a link: `%xx`, and the characters that may stand in it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::world::document::LONGEST;

/// The letters of a document.
pub fn pack(text: &str) -> String {
    BASE64.encode(compress_to_vec(text.as_bytes(), 9))
}

/// The document of these letters; `None` when they are damaged or the document is too long.
pub fn unpack(letters: &str) -> Option<String> {
    // Padding that a program added is no damage.
    let deflated = BASE64.decode(letters.trim_end_matches('=')).ok()?;
    let bytes = decompress_to_vec_with_limit(&deflated, LONGEST).ok()?;
    String::from_utf8(bytes).ok()
}

/// Whether a character may stand in a link without being cut off or escaped by programs.
pub fn is_link_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?=&,@".contains(&byte)
}

/// `text` with every other byte as `%xx`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            // These separate the parts of a link.
            b'&' | b'=' => out.push_str(&format!("%{byte:02X}")),
            _ if is_link_letter(byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `text` with every `%xx` as its byte. A `%` before anything else stays; what is no UTF-8 becomes
/// the replacement character.
pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let digit = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
    let mut i = 0;
    while i < bytes.len() {
        match (bytes[i], digit(i + 1), digit(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                i += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bomb_is_not_inflated() {
        let bomb = BASE64.encode(compress_to_vec(&vec![b'#'; 64 << 20], 9));
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&bomb), None);
        let just = "#".repeat(LONGEST);
        assert_eq!(unpack(&pack(&just)), Some(just));
    }

    #[test]
    fn padding_and_damage() {
        let letters = pack("id = \"队列\"");
        assert_eq!(unpack(&(letters.clone() + "==")), Some("id = \"队列\"".to_owned()));
        assert_eq!(unpack(&letters[..letters.len() / 2]), None);
        assert_eq!(unpack("(not base64)"), None);
    }

    #[test]
    fn percent_signs_that_escape_nothing_stay() {
        assert_eq!(unescape("loss=5%"), "loss=5%");
        assert_eq!(unescape("5%&x=1"), "5%&x=1");
        assert_eq!(unescape("a%2Fb%e9%98%9f"), "a/b队");
        assert_eq!(unescape("%FF"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn text_survives_packing_and_escaping(text in "\\PC{0,200}") {
            prop_assert_eq!(unpack(&pack(&text)), Some(text.clone()));
            let escaped = escape(&text);
            prop_assert!(escaped.bytes().all(|b| is_link_letter(b) || b == b'%'));
            prop_assert_eq!(unescape(&escaped), text);
        }

        #[test]
        fn no_letters_make_it_panic(
            text in "\\PC{0,200}",
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = (unpack(&text), unescape(&text));
            let _ = unpack(&BASE64.encode(&bytes));
        }
    }
}
