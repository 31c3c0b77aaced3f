//! How a parameter is declared, written, shown and moved: units, values, `params!`.
//!
//! One entry of [`params!`](crate::params) is the only place where a parameter's range, default
//! and words are written. This layer knows no model, no document and no page.

#[macro_use]
mod macros;
mod spec;
mod text;
mod units;
mod value;

pub use macros::{Params, dashed, index_of, key_text, plain};
pub use spec::{Applies, Choice, Grammar, Scale, Spec, parse_choice};
pub use text::{Lang, Reason, Said, Text, meant, nearest, shorten};
pub use units::{Amount, BitRate, Bytes, Ppm, Rate, parse_span, show_span, span_parts};
pub use value::{Kind, Lines, Param, Spans, Value, Words, grouped, is_word, word_allowed};
