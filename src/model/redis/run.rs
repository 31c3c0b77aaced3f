//! Commands but those on streams: transactions, values, lists, publish and subscribe.

use super::command::{Block, Command, Side};
use super::list::List;
use super::reply::{Effect, Error, Reply};
use super::waiting::WaitFor;
use super::{ClientNo, KEYS_LIMIT, Multi, QUEUED_LIMIT, Redis, Text, Value};
use crate::kernel::SimTime;

impl Redis {
    /// Takes a command from a client's connection: queues it, runs a transaction, or runs it.
    pub(super) fn take(
        &mut self,
        now: SimTime,
        client: ClientNo,
        command: Command,
        out: &mut Vec<Effect>,
    ) {
        let mut others = Vec::new();
        let reply = if 0 < self.pubsub.count(client) && !is_subscription(&command) {
            Some(Reply::Error(Error::InSubscription))
        } else if self.client(client).multi != Multi::No {
            Some(self.take_in_multi(now, client, command, &mut others))
        } else {
            self.execute(now, client, command, &mut others)
        };
        out.extend(reply.map(|reply| Effect::Reply { client, reply }));
        out.append(&mut others);
    }

    /// Between MULTI and EXEC.
    fn take_in_multi(
        &mut self,
        now: SimTime,
        client: ClientNo,
        command: Command,
        out: &mut Vec<Effect>,
    ) -> Reply {
        match command {
            Command::Exec => self.exec(now, client, out),
            Command::Discard => {
                self.end_multi(client);
                Reply::Ok
            }
            Command::Multi => Reply::Error(Error::NestedMulti),
            Command::Watch(_) => Reply::Error(Error::WatchInMulti),
            command => match &mut self.client_mut(client).multi {
                Multi::Open { commands, .. } if (commands.len() as u32) < QUEUED_LIMIT => {
                    commands.push(command);
                    Reply::Queued
                }
                Multi::Open { refused, .. } => {
                    *refused = true;
                    Reply::Error(Error::OutOfMemory)
                }
                Multi::No => unreachable!("the caller looked"),
            },
        }
    }

    /// EXEC: all commands in order, whatever some of them answer.
    fn exec(&mut self, now: SimTime, client: ClientNo, out: &mut Vec<Effect>) -> Reply {
        let is_dirty = self.client(client).dirty;
        match self.end_multi(client) {
            Multi::No => Reply::Error(Error::ExecWithoutMulti),
            Multi::Open { refused: true, .. } => Reply::Error(Error::ExecAborted),
            Multi::Open { .. } if is_dirty => Reply::Nil,
            Multi::Open { commands, .. } => {
                let mut replies = Vec::new();
                for command in commands {
                    replies.extend(self.execute(now, client, command.without_waiting(), out));
                }
                Reply::List(replies)
            }
        }
    }

    /// Ends a transaction and its watches.
    fn end_multi(&mut self, client: ClientNo) -> Multi {
        self.unwatch(client);
        std::mem::take(&mut self.client_mut(client).multi)
    }

    fn unwatch(&mut self, client: ClientNo) {
        let client = self.client_mut(client);
        client.watched.clear();
        client.dirty = false;
    }

    /// Runs a command: its reply, unless the client waits or gets confirmations instead.
    fn execute(
        &mut self,
        now: SimTime,
        client: ClientNo,
        command: Command,
        out: &mut Vec<Effect>,
    ) -> Option<Reply> {
        match command {
            Command::Multi => {
                let open = Multi::Open { commands: Vec::new(), refused: false };
                self.client_mut(client).multi = open;
                Some(Reply::Ok)
            }
            Command::Exec => Some(Reply::Error(Error::ExecWithoutMulti)),
            Command::Discard => Some(Reply::Error(Error::DiscardWithoutMulti)),
            Command::Watch(keys) => {
                let watched = &mut self.client_mut(client).watched;
                for key in keys {
                    if !watched.contains(&key) {
                        watched.push(key);
                    }
                }
                Some(Reply::Ok)
            }
            Command::Unwatch => {
                self.unwatch(client);
                Some(Reply::Ok)
            }
            Command::Publish(channel, message) => Some(self.publish(channel, message, out)),
            Command::Subscribe(names) => self.subscribe(client, names, false, out),
            Command::PSubscribe(names) => self.subscribe(client, names, true, out),
            Command::Unsubscribe(names) => self.unsubscribe(client, names, false, out),
            Command::PUnsubscribe(names) => self.unsubscribe(client, names, true, out),
            Command::BlockingPop { keys, side, block } => {
                self.blocking_pop(now, client, keys, side, block)
            }
            Command::Move { source, dest, from, to, block } => match self.keys.get(&source) {
                Some(Value::List(_)) => Some(self.move_value(&source, &dest, from, to)),
                Some(_) => Some(Reply::Error(Error::WrongType)),
                None => self.wait(now, client, block, WaitFor::Move { source, dest, from, to }),
            },
            command => self
                .on_value(command)
                .or_else(|command| self.on_list(command))
                .map(Some)
                .unwrap_or_else(|command| self.on_stream(now, client, command)),
        }
    }

    /// Commands on texts and on keys of any kind; others come back.
    fn on_value(&mut self, command: Command) -> Result<Reply, Command> {
        Ok(match command {
            Command::Set(key, value) => {
                if !self.has_room_for(&key) {
                    return Ok(Reply::Error(Error::OutOfMemory));
                }
                self.touch(&key);
                self.keys.insert(key, Value::Text(value));
                Reply::Ok
            }
            Command::Get(key) => match self.keys.get(&key) {
                None => Reply::Nil,
                Some(Value::Text(text)) => Reply::Text(text.clone()),
                Some(_) => Reply::Error(Error::WrongType),
            },
            Command::IncrBy(key, by) => {
                self.increase(&key, by).map_or_else(Reply::Error, Reply::Int)
            }
            Command::Del(keys) => {
                let mut n = 0;
                for key in keys {
                    if self.keys.remove(&key).is_some() {
                        self.touch(&key);
                        n += 1;
                    }
                }
                Reply::Int(n)
            }
            Command::Exists(keys) => {
                Reply::count(keys.iter().filter(|key| self.keys.contains_key(*key)).count() as u64)
            }
            command => return Err(command),
        })
    }

    /// INCRBY: a missing key counts from 0.
    fn increase(&mut self, key: &Text, by: i64) -> Result<i64, Error> {
        let n = match self.keys.get(key) {
            None => 0,
            Some(Value::Text(text)) => text.parse::<i64>().map_err(|_| Error::NotAnInteger)?,
            Some(_) => return Err(Error::WrongType),
        };
        let sum = n.checked_add(by).ok_or(Error::Overflow)?;
        if !self.has_room_for(key) {
            return Err(Error::OutOfMemory);
        }
        self.touch(key);
        self.keys.insert(key.clone(), Value::Text(sum.to_string().into()));
        Ok(sum)
    }

    /// Commands on lists that wait for nothing; others come back.
    fn on_list(&mut self, command: Command) -> Result<Reply, Command> {
        let reply = match command {
            Command::Push { key, side, values, must_exist } => {
                self.push(&key, side, values, must_exist).map(Reply::count)
            }
            Command::Pop { key, side, count } => self.pop(&key, side, count),
            Command::ListLen(key) => {
                self.list(&key).map(|list| Reply::count(list.map_or(0, |l| l.len()).into()))
            }
            Command::ListRange(key, first, last) => self.list(&key).map(|list| {
                let values = list.into_iter().flat_map(|list| list.range(first, last));
                Reply::List(values.cloned().map(Reply::Text).collect())
            }),
            Command::ListIndex(key, index) => self.list(&key).map(|list| {
                Reply::maybe(list.and_then(|list| list.range(index, index).next().cloned()))
            }),
            Command::ListRemove(key, count, value) => {
                self.change_list(&key, |list| list.remove(count, &value)).map(Reply::count)
            }
            Command::ListTrim(key, first, last) => self
                .change_list(&key, |list| {
                    list.trim(first, last);
                    1
                })
                .map(|_| Reply::Ok),
            command => return Err(command),
        };
        Ok(reply.unwrap_or_else(Reply::Error))
    }

    /// LPUSH, RPUSH: the length after all values are in; whoever waits is served later.
    fn push(
        &mut self,
        key: &Text,
        side: Side,
        values: Vec<Text>,
        must_exist: bool,
    ) -> Result<u64, Error> {
        let list = self.list(key)?;
        if list.is_none() && must_exist {
            return Ok(0);
        }
        let has_room = list.is_none_or(|list| list.has_room(values.len() as u64));
        if !has_room || !self.has_room_for(key) {
            return Err(Error::OutOfMemory);
        }
        let entry = self.keys.entry(key.clone()).or_insert(Value::List(List::default()));
        let Value::List(list) = entry else { return Err(Error::WrongType) };
        values.into_iter().for_each(|value| list.push(side, value));
        let n = list.len();
        self.touch(key);
        self.mark_ready(key);
        Ok(n.into())
    }

    fn pop(&mut self, key: &Text, side: Side, count: Option<u32>) -> Result<Reply, Error> {
        let is_there = self.list(key)?.is_some();
        let Some(count) = count else { return Ok(Reply::maybe(self.pop_from(key, side))) };
        if !is_there {
            return Ok(Reply::Nil);
        }
        let values = (0..count).map_while(|_| self.pop_from(key, side)).map(Reply::Text);
        Ok(Reply::List(values.collect()))
    }

    /// Takes a value if the key is a list; an emptied list is no key.
    pub(super) fn pop_from(&mut self, key: &Text, side: Side) -> Option<Text> {
        let mut value = None;
        let _ = self.change_list(key, |list| {
            value = list.pop(side);
            1
        });
        value
    }

    /// LMOVE from a list that is there.
    pub(super) fn move_value(&mut self, source: &Text, dest: &Text, from: Side, to: Side) -> Reply {
        match self.list(dest) {
            Err(error) => return Reply::Error(error),
            Ok(list) => {
                // Within one list the value makes its own room.
                let has_room = source == dest || list.is_none_or(|list| list.has_room(1));
                if !has_room || !self.has_room_for(dest) {
                    return Reply::Error(Error::OutOfMemory);
                }
            }
        }
        let Some(value) = self.pop_from(source, from) else { return Reply::Nil };
        match self.push(dest, to, vec![value.clone()], false) {
            Ok(_) => Reply::Text(value),
            Err(error) => Reply::Error(error),
        }
    }

    /// BLPOP, BRPOP: the first key with something, in the order of the arguments.
    fn blocking_pop(
        &mut self,
        now: SimTime,
        client: ClientNo,
        keys: Vec<Text>,
        side: Side,
        block: Block,
    ) -> Option<Reply> {
        for key in &keys {
            match self.list(key) {
                Err(error) => return Some(Reply::Error(error)),
                Ok(None) => {}
                Ok(Some(_)) => {
                    let value = Reply::maybe(self.pop_from(key, side));
                    return Some(Reply::List(vec![Reply::Text(key.clone()), value]));
                }
            }
        }
        self.wait(now, client, block, WaitFor::Pop { keys, side })
    }

    fn publish(&mut self, channel: Text, message: Text, out: &mut Vec<Effect>) -> Reply {
        let receivers = self.pubsub.receivers(&channel);
        let n = receivers.len() as u64;
        for (client, pattern) in receivers {
            let (channel, message) = (channel.clone(), message.clone());
            out.push(Effect::Message { client, pattern, channel, message });
        }
        Reply::count(n)
    }

    fn subscribe(
        &mut self,
        client: ClientNo,
        names: Vec<Text>,
        is_pattern: bool,
        out: &mut Vec<Effect>,
    ) -> Option<Reply> {
        for name in names {
            self.pubsub.add(client, name.clone(), is_pattern);
            out.push(Effect::Subscribed { client, name, n: self.pubsub.count(client) });
        }
        None
    }

    fn unsubscribe(
        &mut self,
        client: ClientNo,
        mut names: Vec<Text>,
        is_pattern: bool,
        out: &mut Vec<Effect>,
    ) -> Option<Reply> {
        if names.is_empty() {
            names = self.pubsub.names(client, is_pattern);
        }
        for name in names {
            self.pubsub.remove(client, &name, is_pattern);
            out.push(Effect::Subscribed { client, name, n: self.pubsub.count(client) });
        }
        None
    }

    /// A list, if the key is there and is one.
    fn list(&self, key: &Text) -> Result<Option<&List>, Error> {
        match self.keys.get(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(Error::WrongType),
        }
    }

    /// Changes a list that may be missing; answers how much changed. An emptied list goes.
    fn change_list(
        &mut self,
        key: &Text,
        change: impl FnOnce(&mut List) -> u64,
    ) -> Result<u64, Error> {
        let list = match self.keys.get_mut(key) {
            None => return Ok(0),
            Some(Value::List(list)) => list,
            Some(_) => return Err(Error::WrongType),
        };
        let n_changed = change(list);
        if list.len() == 0 {
            self.keys.remove(key);
        }
        if 0 < n_changed {
            self.touch(key);
        }
        Ok(n_changed)
    }

    /// Whether a key is there or may be made.
    pub(super) fn has_room_for(&self, key: &Text) -> bool {
        (self.keys.len() as u32) < KEYS_LIMIT || self.keys.contains_key(key)
    }
}

/// What a subscribed client may say (RESP2).
fn is_subscription(command: &Command) -> bool {
    matches!(
        command,
        Command::Subscribe(_)
            | Command::PSubscribe(_)
            | Command::Unsubscribe(_)
            | Command::PUnsubscribe(_)
    )
}
