//! The world: arenas, scenarios, sessions, links.

pub mod arena;
mod capture;
mod commands;
pub mod codec;
pub mod deed;
pub mod document;
pub mod draft;
mod expand;
pub mod link;
pub mod lwipopts;
pub mod machines;
mod net;
pub mod preset;
pub mod problem;
pub mod reference;
pub mod scenario;
pub mod session;
pub mod schema;
pub mod setting;
pub mod sizing;
mod write;

pub use arena::{ActorNode, ActorState, Plan, Stop, World};
pub use session::{Logged, Session, Watch};
