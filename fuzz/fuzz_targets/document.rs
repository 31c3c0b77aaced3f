//! A document from a stranger is taken or refused with reasons, never fatal.
#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code, reason = "the other target uses the rest")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::check_document(input));
