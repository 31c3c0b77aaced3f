//! model
pub mod broker;
