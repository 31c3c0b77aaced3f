//! The world: arenas, scenarios, sessions, links.

pub mod arena;
mod commands;

pub use arena::{ActorNode, ActorState, Plan, Stop, World};
