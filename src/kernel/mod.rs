//! The kernel: time, the event queue, random streams, the digest.
//!
//! It knows no message, no network and no screen.

pub mod digest;
pub mod order;
pub mod queue;
pub mod random;
pub mod time;
pub mod timer;

pub use digest::Digest;
pub use order::settle;
pub use queue::EventQueue;
pub use random::{Law, Stream, Streams};
pub use time::{SimSpan, SimTime};
pub use timer::Timer;
