//! An STM32 with Ethernet: silicon, driver, main loop and memory around lwIP.
//!
//! Read `docs/models/stm32.md` before editing: it says what is known and what is estimated.

pub mod build;
pub mod lwipopts;
pub mod part;

pub use part::Part;
