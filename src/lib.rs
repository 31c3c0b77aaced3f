//! Inflight: a laboratory for message flows.
//!
//! Modules in reading order; each names only those above it (`tests/tidy.rs` holds this).

pub mod kernel;
#[macro_use]
pub mod param;
pub mod model;
pub mod observe;
pub mod world;
pub mod view;
#[cfg(feature = "web")]
pub mod web;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod cli;
