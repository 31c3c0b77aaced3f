//! The world: arenas, scenarios, sessions, links.

pub mod arena;
mod capture;
mod commands;
pub mod codec;
pub mod deed;
pub mod document;
pub mod draft;
pub mod everywhere;
mod expand;
pub mod link;
pub mod machines;
mod net;
pub mod preset;
pub mod problem;
pub mod promise;
pub mod reference;
pub mod scenario;
pub mod session;
pub mod schema;
pub mod setting;
mod topology;
mod write;

pub use arena::{ActorNode, ActorState, Plan, Stop, World};
pub use session::{Logged, Session, Watch};
