//! How wide a text will be, without a browser: an estimate that is never too small in practice.
//!
//! Taken from DejaVu Sans, the widest face that the page's font list names; the other faces are
//! 5 to 15 % narrower. Layout and pictures must not differ between browsers, so nobody asks the
//! canvas. Read `tokens.css` (`--font`) before changing the table.

/// Widths of the characters from space to `~`, in hundredths of the font size.
const REGULAR: [u8; 95] = [
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75,
    79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35,
    63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
];

/// The bold face is wider by this share of the regular one, in hundredths.
const BOLD_HUNDREDTHS: f32 = 112.0;

/// The width of `text` at `size` pixels.
pub fn text_width(text: &str, size: f32, bold: bool) -> f32 {
    let hundredths: f32 = text.chars().map(char_width).sum();
    let face = if bold { BOLD_HUNDREDTHS / 100.0 } else { 1.0 };
    hundredths / 100.0 * size * face
}

/// The width of one character, in hundredths of the font size.
fn char_width(c: char) -> f32 {
    match c {
        ' '..='~' => f32::from(REGULAR[c as usize - ' ' as usize]),
        '\u{2009}' | '\u{202f}' => 20.0,
        // Greek, signs such as × and µ.
        '\u{80}'..='\u{2fff}' => 84.0,
        _ => 100.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_as_wide_as_it_is_high() {
        assert_eq!(text_width("队列", 12.0, false), 24.0);
    }

    #[test]
    fn bold_is_wider_than_regular() {
        assert!(text_width("Consumer 1", 15.0, false) < text_width("Consumer 1", 15.0, true));
    }

    #[test]
    fn all_digits_are_equally_wide() {
        let zeros = text_width("000", 11.0, false);
        assert!((1..=9).all(|n| text_width(&(n * 111).to_string(), 11.0, false) == zeros));
    }
}
