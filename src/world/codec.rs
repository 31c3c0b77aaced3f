//! How a document becomes letters of a link and comes back: deflate, then base64url.
//!
//! `~` and letters are raw deflate, which any tool takes apart; `~d.` and letters go on after
//! `dictionary-d.txt`, as a stored block of it would put before them.
//! Also the two escapes of a link: `%xx`, and the characters that may stand in it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::world::document::LONGEST;

/// What documents usually say, so that a short one need not say it in full. Frozen: links that are
/// out in the world were made with it. A better one gets another letter.
const DICTIONARY: &str = include_str!("dictionary-d.txt");
/// Before the letters of a document that was deflated with the dictionary; no letter of base64url.
const WITH_DICTIONARY: &str = "d.";

/// The letters of a document: the shorter of deflated with the dictionary and without.
pub fn pack(text: &str) -> String {
    let plain = BASE64.encode(compress_to_vec(text.as_bytes(), 9));
    let short = BASE64.encode(deflate_after(DICTIONARY, text));
    if short.len() + WITH_DICTIONARY.len() < plain.len() {
        return WITH_DICTIONARY.to_owned() + &short;
    }
    plain
}

/// The document of these letters; `None` when they are damaged or the document is too long.
pub fn unpack(letters: &str) -> Option<String> {
    let stripped = letters.strip_prefix(WITH_DICTIONARY);
    // Padding that a program added is no damage.
    let letters = stripped.unwrap_or(letters).trim_end_matches('=');
    let deflated = BASE64.decode(letters).ok()?;
    let bytes = match stripped {
        None => decompress_to_vec_with_limit(&deflated, LONGEST).ok()?,
        Some(_) => inflate_after(DICTIONARY, &deflated)?,
    };
    String::from_utf8(bytes).ok()
}

/// Deflates `text` as the second half of a stream whose first half is `before`.
fn deflate_after(before: &str, text: &str) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(9, -15, 0);
    let mut compressor = CompressorOxide::new(flags);
    // A synchronising flush ends at a whole byte: what follows stands for itself.
    feed(&mut compressor, before.as_bytes(), TDEFLFlush::Sync);
    feed(&mut compressor, text.as_bytes(), TDEFLFlush::Finish)
}

fn feed(compressor: &mut CompressorOxide, bytes: &[u8], flush: TDEFLFlush) -> Vec<u8> {
    let mut out = Vec::new();
    let (status, _) = compress_to_output(compressor, bytes, flush, |piece| {
        out.extend_from_slice(piece);
        true
    });
    debug_assert!(matches!(status, TDEFLStatus::Okay | TDEFLStatus::Done));
    out
}

/// The text of such a second half: the first is put before it as it stands.
fn inflate_after(before: &str, deflated: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(before.len()).ok()?;
    // RFC 1951 section 3.2.4: a stored block that is not the last, its length, and that inverted.
    let mut stream = vec![0];
    stream.extend_from_slice(&length.to_le_bytes());
    stream.extend_from_slice(&(!length).to_le_bytes());
    stream.extend_from_slice(before.as_bytes());
    stream.extend_from_slice(deflated);
    let mut bytes = decompress_to_vec_with_limit(&stream, before.len() + LONGEST).ok()?;
    Some(bytes.split_off(before.len()))
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
    fn the_dictionary_never_changes() {
        // Links depend on its every letter: write another file with another letter instead.
        let sum = DICTIONARY.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!((DICTIONARY.len(), sum), (1_529, 18_443_184_132_371_988_618));
    }

    #[test]
    fn both_ways_of_packing_are_read() {
        let text = "[[actor]]\nid = \"producer\"\nkind = \"producer\"\nrate = \"7/s\"\n";
        let short = pack(text);
        assert!(short.starts_with(WITH_DICTIONARY) && short.len() < 40, "{short}");
        assert_eq!(unpack(&short).as_deref(), Some(text));
        let plain = BASE64.encode(compress_to_vec(text.as_bytes(), 9));
        assert_eq!(unpack(&plain).as_deref(), Some(text));
        let bomb =
            "d.".to_owned() + &BASE64.encode(deflate_after(DICTIONARY, &"#".repeat(64 << 20)));
        assert_eq!(unpack(&bomb), None);
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
            let _ = unpack(&("d.".to_owned() + &BASE64.encode(&bytes)));
        }
    }
}
