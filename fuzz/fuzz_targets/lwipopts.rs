//! An lwipopts.h from a stranger is read, or refused with line and reason, and is never fatal.
#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code, reason = "the other targets use the rest")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::check_lwipopts(input));
