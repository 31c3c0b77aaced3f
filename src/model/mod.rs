//! The models: actors decide, channels carry.
//!
//! Every machine is plain data driven by calls; none knows the world, a screen or a clock.
//! Read [`message`] and [`fact`] first, then [`ground`] for what a handler may reach.

pub mod actor;
pub mod broker;
pub mod cause;
pub mod channel;
pub mod command;
pub mod fact;
pub mod ground;
pub mod group;
pub mod guarantee;
pub mod host;
pub mod log;
pub mod log_parcel;
pub mod message;
pub mod mqtt;
pub mod mqtt_parcel;
pub mod nats;
pub mod redis;
pub mod spread;
pub mod stm32;
pub mod tcp;
pub mod wire;
pub mod workqueue;

pub use command::{Command, Node};
pub use fact::{Cause, Fact, FactLog, Why};
pub use ground::{Ctx, Event, Ground};
pub use message::{ActorId, ChannelId, HostId, Message, MsgId, Parcel, WireId};
