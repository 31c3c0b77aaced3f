//! Inflight: a laboratory for message flows.
//!
//! Modules in reading order; each names only those above it (`tests/tidy.rs` holds this).

#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod cli;
pub mod kernel;
pub mod model;
pub mod observe;
pub mod param;
pub mod view;
#[cfg(feature = "web")]
pub mod web;
pub mod world;
