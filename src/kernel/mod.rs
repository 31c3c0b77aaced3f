//! The kernel: time, the event queue, random streams, the digest.
//!
//! It knows no message, no network and no screen.

pub mod time;
pub use time::{SimSpan, SimTime};
