//! A Redis server as a message broker: lists, publish/subscribe, streams with groups, MULTI.
//!
//! A sans-I/O machine: commands go in as values, and what clients receive is appended to `out`.
//! One command runs at a time; nothing happens between two parts of one. The rules and what is
//! left out (expiry and locks, scripts, persistence, clusters) are in `docs/models/redis.md`.
//!
//! Read `command.rs` and `reply.rs` first, then `waiting.rs` for who is served when.

mod command;
mod group;
mod list;
mod pubsub;
mod reply;
mod run;
mod stream;
mod stream_run;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::SimTime;

pub use command::{
    AutoClaim, Block, Claim, Command, Pending, ReadFrom, ReadGroup, Side, StartId, Trim,
};
pub use group::{Consumer, Group, Unacked};
pub use pubsub::glob_matches;
pub use reply::{Effect, Error, Reply};
pub use stream::{AddId, Entry, EntryId, Stream};

use pubsub::PubSub;
use waiting::Wait;

/// A key, a value, a name: texts are shared, not copied.
pub type Text = Arc<str>;

/// Most keys of a server.
pub const KEYS_LIMIT: u32 = 1 << 20;
/// Most elements of one list and most entries of one stream.
pub const ITEMS_LIMIT: u32 = 1 << 22;
/// Most clients of a server (`maxclients`).
pub const CLIENTS_LIMIT: u32 = 10_000;
/// Most commands between MULTI and EXEC.
pub const QUEUED_LIMIT: u32 = 1 << 16;

/// A client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientNo(pub u32);

/// What a key holds.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(Text),
    List(list::List),
    Stream(Stream),
}

/// Whether a client collects a transaction.
#[derive(Clone, Debug, PartialEq, Default)]
enum Multi {
    #[default]
    No,
    /// Commands wait for EXEC; after a refused one EXEC will refuse all.
    Open { commands: Vec<Command>, refused: bool },
}

/// A connection's state.
#[derive(Clone, Debug, PartialEq, Default)]
struct Client {
    multi: Multi,
    watched: Vec<Text>,
    /// A watched key was touched since.
    dirty: bool,
    wait: Option<Wait>,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Redis {
    keys: BTreeMap<Text, Value>,
    clients: BTreeMap<ClientNo, Client>,
    next_client: u32,
    pubsub: PubSub,
    /// Keys that were given something while somebody waits for them, in order.
    ready: Vec<Text>,
    /// Counts waits: who began first is served first.
    next_wait: u64,
}

/// What a reading of the server's state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Keys that exist.
    pub n_keys: u32,
    /// Elements in all lists.
    pub n_elements: u64,
    /// Entries in all streams.
    pub n_entries: u64,
    /// Deliveries that no group's consumer has acknowledged.
    pub n_pending: u64,
    /// Clients that wait in a blocking command.
    pub n_waiting: u32,
}

impl Redis {
    /// An empty server.
    pub fn new() -> Redis {
        Redis::default()
    }

    /// A new connection; `None` when there are too many.
    pub fn connect(&mut self) -> Option<ClientNo> {
        if CLIENTS_LIMIT <= self.clients.len() as u32 {
            return None;
        }
        let client = ClientNo(self.next_client);
        self.next_client += 1;
        self.clients.insert(client, Client::default());
        Some(client)
    }

    /// Runs a command of a client and serves whoever waited for what it brought.
    ///
    /// Its own reply comes first. Panics when the client is not connected or waits in a blocking
    /// command: its connection is not read until that is answered.
    pub fn on_message(
        &mut self,
        now: SimTime,
        client: ClientNo,
        command: Command,
        out: &mut Vec<Effect>,
    ) {
        assert!(!self.is_waiting(client), "a blocked client's connection is not read");
        self.take(now, client, command, out);
        self.serve_waiting(now, out);
    }

    /// Answers nil to whoever has waited long enough.
    pub fn on_wake(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        let over = |client: &Client| client.wait.as_ref().is_some_and(|wait| wait.is_over(now));
        let late = self.clients.iter().filter(|(_, client)| over(client));
        let mut late: Vec<(SimTime, u64, ClientNo)> = late
            .filter_map(|(no, client)| {
                let wait = client.wait.as_ref()?;
                Some((wait.until?, wait.turn, *no))
            })
            .collect();
        late.sort_unstable();
        for (_, _, client) in late {
            self.stop_waiting(client);
            out.push(Effect::Reply { client, reply: Reply::Nil });
        }
    }

    /// The connection is lost: waits, subscriptions, watches and an open transaction are gone.
    ///
    /// What it popped is gone too; what it read from a group stays pending. A number that is not
    /// connected is ignored.
    pub fn disconnect(&mut self, client: ClientNo) {
        self.clients.remove(&client);
        self.pubsub.remove_client(client);
    }

    /// Earliest end of a wait.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.clients.values().filter_map(|client| client.wait.as_ref()?.until).min()
    }

    /// Reads the state.
    pub fn gauges(&self) -> Gauges {
        let mut gauges = Gauges { n_keys: self.keys.len() as u32, ..Gauges::default() };
        for value in self.keys.values() {
            match value {
                Value::Text(_) => {}
                Value::List(list) => gauges.n_elements += list.len() as u64,
                Value::Stream(stream) => {
                    gauges.n_entries += u64::from(stream.len());
                    gauges.n_pending += stream.n_pending();
                }
            }
        }
        gauges.n_waiting =
            self.clients.values().filter(|client| client.wait.is_some()).count() as u32;
        gauges
    }

    /// Whether a client waits in a blocking command. Panics when it is not connected.
    pub fn is_waiting(&self, client: ClientNo) -> bool {
        self.client(client).wait.is_some()
    }

    fn client(&self, client: ClientNo) -> &Client {
        self.clients.get(&client).expect("only connected clients send commands")
    }

    fn client_mut(&mut self, client: ClientNo) -> &mut Client {
        self.clients.get_mut(&client).expect("only connected clients send commands")
    }

    /// A key's value changed: transactions of whoever watches it will not run.
    fn touch(&mut self, key: &Text) {
        for client in self.clients.values_mut() {
            if client.watched.contains(key) {
                client.dirty = true;
            }
        }
    }
}
