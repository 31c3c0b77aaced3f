//! An STM32 with Ethernet: silicon, driver, main loop and memory around lwIP.
//!
//! Read `docs/models/stm32.md` before editing: it says what is known and what is estimated.

pub mod article;
pub mod board;
pub mod build;
pub mod cost;
pub mod driver;
pub mod lwipopts;
pub mod mac;
pub mod node;
pub mod params;
pub mod part;
pub mod snapshot;

pub use board::{Board, Config, Departure, Fate, Handled, Load, Program, Rhythm};
pub use cost::{Costs, Cpu, Optimisation};
pub use driver::{Driver, Path};
pub use mac::{Loss, Pace, Rate, RxFrame};
pub use node::BoardNode;
pub use params::{BoardParams, Stm32Params};
pub use part::Part;
pub use snapshot::Snapshot;
