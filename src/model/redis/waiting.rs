//! Blocking commands: who waits for which key, and who is served when something comes.
//!
//! Source: `handleClientsBlockedOnKeys` in `blocked.c` of Redis 7.0.

use super::command::{Block, ReadFrom, ReadGroup, Side};
use super::reply::{Effect, Reply};
use super::stream::EntryId;
use super::{ClientNo, Redis, Text, Value};
use crate::kernel::SimTime;

/// What a blocked client waits for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WaitFor {
    /// BLPOP, BRPOP.
    Pop { keys: Vec<Text>, side: Side },
    /// BLMOVE, BRPOPLPUSH.
    Move { source: Text, dest: Text, from: Side, to: Side },
    /// XREAD.
    Read { streams: Vec<(Text, EntryId)>, count: Option<u32> },
    /// XREADGROUP; all its streams are read for new entries.
    Group(ReadGroup),
}

/// A blocked client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wait {
    /// Who began first is served first.
    pub(super) turn: u64,
    /// When nil is answered; `None` is never.
    pub(super) until: Option<SimTime>,
    what: WaitFor,
}

impl Wait {
    /// Whether nil is to be answered.
    pub(super) fn is_over(&self, now: SimTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn is_for(&self, key: &Text) -> bool {
        match &self.what {
            WaitFor::Pop { keys, .. } => keys.contains(key),
            WaitFor::Move { source, .. } => source == key,
            WaitFor::Read { streams, .. } => streams.iter().any(|(stream, _)| stream == key),
            WaitFor::Group(read) => read.streams.iter().any(|(stream, _)| stream == key),
        }
    }
}

impl Redis {
    /// Answers nil at once, or lets the client wait; `None` when it waits.
    pub(super) fn wait(
        &mut self,
        now: SimTime,
        client: ClientNo,
        block: Block,
        what: WaitFor,
    ) -> Option<Reply> {
        let until = match block {
            Block::No => return Some(Reply::Nil),
            Block::ForEver => None,
            Block::For(span) => Some(now.saturating_add(span)),
        };
        let turn = self.next_wait;
        self.next_wait += 1;
        self.client_mut(client).wait = Some(Wait { turn, until, what });
        None
    }

    /// The client no longer waits.
    pub(super) fn stop_waiting(&mut self, client: ClientNo) {
        self.client_mut(client).wait = None;
    }

    /// A key was given something: whoever waits for it is served after the command.
    pub(super) fn mark_ready(&mut self, key: &Text) {
        let mut waits = self.clients.values().filter_map(|client| client.wait.as_ref());
        if waits.any(|wait| wait.is_for(key)) && !self.ready.contains(key) {
            self.ready.push(key.clone());
        }
    }

    /// Serves whoever waits for what the last command brought, key by key.
    ///
    /// A list's values go to one client after the other; a stream's entries to all plain readers
    /// and, as far as they reach, to one consumer of a group after the other.
    pub(super) fn serve_waiting(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        // Serving a move makes its destination ready: each such step ends a wait.
        while !self.ready.is_empty() {
            let key = self.ready.remove(0);
            for client in self.waiting_for(&key) {
                if let Some(reply) = self.serve(now, client, &key) {
                    self.stop_waiting(client);
                    out.push(Effect::Reply { client, reply });
                }
            }
        }
    }

    /// Who waits for a key, first come first.
    fn waiting_for(&self, key: &Text) -> Vec<ClientNo> {
        let waits = self.clients.iter().filter_map(|(client, state)| {
            let wait = state.wait.as_ref().filter(|wait| wait.is_for(key))?;
            Some((wait.turn, *client))
        });
        let mut waits: Vec<(u64, ClientNo)> = waits.collect();
        waits.sort_unstable();
        waits.into_iter().map(|(_, client)| client).collect()
    }

    /// The reply to a waiting client, if the key has something for it.
    fn serve(&mut self, now: SimTime, client: ClientNo, key: &Text) -> Option<Reply> {
        let what = self.client(client).wait.as_ref()?.what.clone();
        match what {
            WaitFor::Pop { side, .. } => {
                let value = self.pop_from(key, side)?;
                Some(Reply::List(vec![Reply::Text(key.clone()), Reply::Text(value)]))
            }
            WaitFor::Move { source, dest, from, to } => {
                if !matches!(self.keys.get(&source), Some(Value::List(_))) {
                    return None;
                }
                Some(self.move_value(&source, &dest, from, to))
            }
            WaitFor::Read { mut streams, count } => {
                streams.retain(|(stream, _)| stream == key);
                self.read_plain(&streams, count)
            }
            WaitFor::Group(mut read) => {
                read.streams.retain(|(stream, from)| stream == key && *from == ReadFrom::New);
                match self.read_group(now, &read) {
                    Reply::Nil => None,
                    reply => Some(reply),
                }
            }
        }
    }
}
