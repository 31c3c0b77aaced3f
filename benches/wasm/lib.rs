//! The models as a WebAssembly module, for `cargo xtask bench`: `start(case)`, `run(events)`,
//! `check()`; `run.mjs` runs it under node.

#![allow(unsafe_code, reason = "a name that JavaScript can call counts as unsafe")]

#[path = "../models/mod.rs"]
mod models;

use std::cell::RefCell;

use models::seeks::Seeks;
use models::{CASES, Model, make};

thread_local! {
    static SEEKS: RefCell<Option<Seeks>> = const { RefCell::new(None) };
    static MODEL: RefCell<Option<Box<dyn Model>>> = const { RefCell::new(None) };
}

/// Makes the model of this case and warms it up; gives its size, and 0 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn start(case: u32) -> u32 {
    let Some(&case) = CASES.get(case as usize) else { return 0 };
    MODEL.set(Some(make(case)));
    case.n
}

/// Runs about `n` events and gives the exact number.
#[unsafe(no_mangle)]
pub extern "C" fn run(n: u32) -> u32 {
    MODEL.with_borrow_mut(|model| model.as_mut().map_or(0, |model| model.run(u64::from(n)) as u32))
}

/// The model's check.
#[unsafe(no_mangle)]
pub extern "C" fn check() -> u64 {
    MODEL.with_borrow(|model| model.as_ref().map_or(0, |model| model.check()))
}

/// Makes the long run in which [`seek`] goes to and fro.
#[unsafe(no_mangle)]
pub extern "C" fn start_seeks() {
    SEEKS.set(Some(Seeks::new()));
}

/// One seek to anywhere.
#[unsafe(no_mangle)]
pub extern "C" fn seek() {
    SEEKS.with_borrow_mut(|seeks| seeks.as_mut().map(Seeks::seek));
}
