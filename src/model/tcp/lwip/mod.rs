//! lwIP's TCP, raw API, byte for byte and tick for tick: 2.1.3 and 2.2.1.
//!
//! A [`Stack`] is one host: options, memory, timer, connections. Whoever drives it hands in frames
//! and the time, and takes frames away; an [`App`] gets callbacks as lwIP makes them and may call
//! the stack from inside. [`Socket`] puts calls like a program's on top. Left out: SACK,
//! timestamps, window scaling, keep-alive, IPv6, `SO_REUSE`, backlog, bytes' content.
//! Read `docs/models/tcp-lwip.md` before editing; names are lwIP's.

mod api;
pub mod core;
#[cfg(test)]
mod dialogues;
mod input;
pub mod main_loop;
pub mod memory;
mod ooseq;
pub mod options;
mod output;
pub mod pcb;
mod receive;
pub mod socket;
pub mod stack;
mod timers;
pub mod write;

pub use self::core::{Core, Fail, Frame, Netif, TcpStats};
pub use main_loop::MainLoop;
pub use options::{LwipParams, Options, Version};
pub use pcb::{Addr, Pcb, PcbId, State, TcpSeg, Tf};
pub use socket::{Post, Socket};
pub use stack::{Answer, App, Event, Stack};
pub use write::From;
