//! Commands on streams and their groups.
//!
//! Source: `t_stream.c` of Redis 7.0.

use super::command::{Block, Command, Pending, ReadFrom, ReadGroup, StartId, Trim};
use super::group::Group;
use super::reply::{Error, Reply};
use super::stream::{AddId, Entry, EntryId, Stream};
use super::waiting::WaitFor;
use super::{ClientNo, Redis, Text, Value};
use crate::kernel::SimTime;

impl Redis {
    /// Commands on streams; `None` when the client waits. Panics at any other command.
    pub(super) fn on_stream(
        &mut self,
        now: SimTime,
        client: ClientNo,
        command: Command,
    ) -> Option<Reply> {
        let reply = match command {
            Command::Read { streams, count, block } => {
                return self.read(now, client, streams, count, block);
            }
            Command::ReadGroup(read) => {
                let reply = self.read_group(now, &read);
                if reply != Reply::Nil {
                    return Some(reply);
                }
                return self.wait(now, client, read.block, WaitFor::Group(read));
            }
            Command::Add { key, id, fields, trim, must_exist } => {
                self.add(now, &key, id, fields, trim, must_exist)
            }
            Command::StreamLen(key) => {
                self.stream(&key).map(|stream| Reply::count(stream.map_or(0, Stream::len).into()))
            }
            Command::StreamRange { key, first, last, count, reverse } => {
                self.range(&key, first, last, count, reverse)
            }
            Command::StreamDelete(key, ids) => self.change_stream(&key, |stream| {
                ids.into_iter().filter(|id| stream.delete(*id)).count() as u64
            }),
            Command::StreamTrim(key, trim) => {
                self.change_stream(&key, |stream| stream.trim(trim).into())
            }
            command => self.on_group(now, command),
        };
        Some(reply.unwrap_or_else(Reply::Error))
    }

    fn on_group(&mut self, now: SimTime, command: Command) -> Result<Reply, Error> {
        match command {
            Command::GroupCreate { key, group, start, make_stream } => {
                self.create_group(&key, group, start, make_stream)
            }
            Command::GroupSetId(key, group, start) => {
                let stream = self.stream_of_group(&key)?;
                let start = start_of(stream, start);
                let no_group = Error::NoGroup { key: key.clone(), group: group.clone() };
                let (_, group) = stream.group_mut(&group).ok_or(no_group)?;
                group.last = start;
                self.touch(&key);
                self.mark_ready(&key);
                Ok(Reply::Ok)
            }
            Command::GroupDestroy(key, group) => {
                let was_there = self.stream_of_group(&key)?.groups.remove(&group).is_some();
                if was_there {
                    self.touch(&key);
                    // Whoever waits for it learns that it is gone.
                    self.mark_ready(&key);
                }
                Ok(Reply::Int(was_there.into()))
            }
            Command::ConsumerCreate(key, group, consumer) => {
                let is_new = self.xgroup(&key, &group)?.add_consumer(&consumer);
                Ok(Reply::Int(is_new.into()))
            }
            Command::ConsumerDelete(key, group, consumer) => {
                let n = self.xgroup(&key, &group)?.remove_consumer(&consumer);
                Ok(Reply::count(n.unwrap_or(0)))
            }
            Command::Ack(key, group, ids) => self.change_stream(&key, |stream| {
                let Some((_, group)) = stream.group_mut(&group) else { return 0 };
                ids.into_iter().filter(|id| group.ack(*id)).count() as u64
            }),
            Command::Pending(key, group, asked) => self.pending(now, key, group, asked),
            Command::Claim(key, group, claim) => {
                let (stream, group) = self.claiming(key, group)?;
                let Some((entries, group)) = stream.group_mut(&group) else {
                    unreachable!("it was looked up")
                };
                let ids = group.claim(now, entries, &claim);
                Ok(claimed(stream, &ids, claim.just_id))
            }
            Command::AutoClaim(key, group, claim) => {
                let (stream, group) = self.claiming(key, group)?;
                let Some((entries, group)) = stream.group_mut(&group) else {
                    unreachable!("it was looked up")
                };
                let found = group.auto_claim(now, entries, &claim);
                let deleted = found.deleted.into_iter().map(Reply::Id).collect();
                let claimed = claimed(stream, &found.claimed, claim.just_id);
                Ok(Reply::List(vec![Reply::Id(found.cursor), claimed, Reply::List(deleted)]))
            }
            other => unreachable!("no command on streams: {other:?}"),
        }
    }

    fn add(
        &mut self,
        now: SimTime,
        key: &Text,
        id: AddId,
        fields: Entry,
        trim: Option<Trim>,
        must_exist: bool,
    ) -> Result<Reply, Error> {
        let is_there = self.stream(key)?.is_some();
        if !is_there && must_exist {
            return Ok(Reply::Nil);
        }
        if !self.has_room_for(key) {
            return Err(Error::OutOfMemory);
        }
        let mut fresh = Stream::default();
        let stream = match self.keys.get_mut(key) {
            Some(Value::Stream(stream)) => stream,
            _ => &mut fresh,
        };
        let id = stream.add(now, id, fields)?;
        if let Some(trim) = trim {
            stream.trim(trim);
        }
        if !is_there {
            self.keys.insert(key.clone(), Value::Stream(fresh));
        }
        self.touch(key);
        self.mark_ready(key);
        Ok(Reply::Id(id))
    }

    fn range(
        &self,
        key: &Text,
        first: EntryId,
        last: EntryId,
        count: Option<u32>,
        reverse: bool,
    ) -> Result<Reply, Error> {
        let Some(stream) = self.stream(key)? else { return Ok(Reply::List(vec![])) };
        let count = count.unwrap_or(u32::MAX) as usize;
        let entries = stream.range(first, last).map(|(id, entry)| entry_reply(id, Some(entry)));
        Ok(Reply::List(if reverse {
            entries.rev().take(count).collect()
        } else {
            entries.take(count).collect()
        }))
    }

    fn read(
        &mut self,
        now: SimTime,
        client: ClientNo,
        streams: Vec<(Text, StartId)>,
        count: Option<u32>,
        block: Block,
    ) -> Option<Reply> {
        let mut from = Vec::new();
        for (key, start) in streams {
            let after = match self.stream(&key) {
                Err(error) => return Some(Reply::Error(error)),
                Ok(stream) => match start {
                    StartId::After(id) => id,
                    StartId::Last => stream.map_or(EntryId::ZERO, Stream::last),
                },
            };
            from.push((key, after));
        }
        self.read_plain(&from, count)
            .or_else(|| self.wait(now, client, block, WaitFor::Read { streams: from, count }))
    }

    /// What streams hold after ids; `None` when that is nothing.
    pub(super) fn read_plain(
        &self,
        streams: &[(Text, EntryId)],
        count: Option<u32>,
    ) -> Option<Reply> {
        let mut found = Vec::new();
        for (key, after) in streams {
            let Ok(Some(stream)) = self.stream(key) else { continue };
            let entries = stream.after(*after).take(count.unwrap_or(u32::MAX) as usize);
            let entries: Vec<Reply> =
                entries.map(|(id, entry)| entry_reply(id, Some(entry))).collect();
            if !entries.is_empty() {
                found.push(Reply::List(vec![Reply::Text(key.clone()), Reply::List(entries)]));
            }
        }
        (!found.is_empty()).then_some(Reply::List(found))
    }

    /// XREADGROUP of what is there now; nil when that is nothing.
    ///
    /// New entries go to this consumer and to nobody else. Its own pending ones are read again
    /// and counted again, those that were deleted without fields.
    pub(super) fn read_group(&mut self, now: SimTime, read: &ReadGroup) -> Reply {
        for (key, _) in &read.streams {
            let no_group = || Error::NoGroupToRead { key: key.clone(), group: read.group.clone() };
            match self.stream(key) {
                Err(error) => return Reply::Error(error),
                Ok(Some(stream)) if stream.groups.contains_key(&read.group) => {}
                Ok(_) => return Reply::Error(no_group()),
            }
        }
        let mut found = Vec::new();
        for (key, from) in &read.streams {
            let Some(Value::Stream(stream)) = self.keys.get_mut(key) else { continue };
            let entries = match from {
                ReadFrom::New => read_new(now, stream, read),
                ReadFrom::OwnAfter(id) => read_own(now, stream, read, *id),
            };
            if !entries.is_empty() || *from != ReadFrom::New {
                found.push(Reply::List(vec![Reply::Text(key.clone()), Reply::List(entries)]));
            }
        }
        if found.is_empty() { Reply::Nil } else { Reply::List(found) }
    }

    fn create_group(
        &mut self,
        key: &Text,
        group: Text,
        start: StartId,
        make_stream: bool,
    ) -> Result<Reply, Error> {
        if self.stream(key)?.is_none() {
            if !make_stream {
                return Err(Error::NoKeyForGroup);
            }
            if !self.has_room_for(key) {
                return Err(Error::OutOfMemory);
            }
            self.keys.insert(key.clone(), Value::Stream(Stream::default()));
        }
        let stream = self.stream_of_group(key)?;
        if stream.groups.contains_key(&group) {
            return Err(Error::GroupExists);
        }
        let start = start_of(stream, start);
        stream.groups.insert(group, Group::new(start));
        self.touch(key);
        Ok(Reply::Ok)
    }

    fn pending(
        &self,
        now: SimTime,
        key: Text,
        group: Text,
        asked: Option<Pending>,
    ) -> Result<Reply, Error> {
        let found = self.stream(&key)?.and_then(|stream| stream.groups.get(&group));
        let group = found.ok_or(Error::NoKeyOrGroup { key, group })?;
        let Some(asked) = asked else { return Ok(summary(group)) };
        let rows = group.pending_in(now, &asked).map(|(id, unacked)| {
            Reply::List(vec![
                Reply::Id(id),
                Reply::Text(unacked.consumer.clone()),
                Reply::count(unacked.idle(now).as_ns() / 1_000_000),
                Reply::count(unacked.deliveries),
            ])
        });
        Ok(Reply::List(rows.collect()))
    }

    /// The stream whose group's entries change hands.
    fn claiming(&mut self, key: Text, group: Text) -> Result<(&mut Stream, Text), Error> {
        match self.stream(&key)? {
            Some(stream) if stream.groups.contains_key(&group) => {}
            _ => return Err(Error::NoKeyOrGroup { key, group }),
        }
        self.touch(&key);
        Ok((self.stream_of_group(&key)?, group))
    }

    /// A group that XGROUP changes.
    fn xgroup(&mut self, key: &Text, group: &Text) -> Result<&mut Group, Error> {
        let no_group = Error::NoGroup { key: key.clone(), group: group.clone() };
        let stream = self.stream_of_group(key)?;
        stream.group_mut(group).map(|(_, group)| group).ok_or(no_group)
    }

    /// A stream, if the key is there and is one.
    fn stream(&self, key: &Text) -> Result<Option<&Stream>, Error> {
        match self.keys.get(key) {
            None => Ok(None),
            Some(Value::Stream(stream)) => Ok(Some(stream)),
            Some(_) => Err(Error::WrongType),
        }
    }

    /// The stream that XGROUP works on.
    fn stream_of_group(&mut self, key: &Text) -> Result<&mut Stream, Error> {
        match self.keys.get_mut(key) {
            None => Err(Error::NoKeyForGroup),
            Some(Value::Stream(stream)) => Ok(stream),
            Some(_) => Err(Error::WrongType),
        }
    }

    /// Changes a stream that may be missing; the reply is how much changed.
    fn change_stream(
        &mut self,
        key: &Text,
        change: impl FnOnce(&mut Stream) -> u64,
    ) -> Result<Reply, Error> {
        let stream = match self.keys.get_mut(key) {
            None => return Ok(Reply::Int(0)),
            Some(Value::Stream(stream)) => stream,
            Some(_) => return Err(Error::WrongType),
        };
        let n_changed = change(stream);
        if 0 < n_changed {
            self.touch(key);
        }
        Ok(Reply::count(n_changed))
    }
}

/// New entries for a group's consumer.
fn read_new(now: SimTime, stream: &mut Stream, read: &ReadGroup) -> Vec<Reply> {
    let count = read.count.unwrap_or(u32::MAX) as usize;
    let Some((_, group)) = stream.group_mut(&read.group) else { return vec![] };
    group.add_consumer(&read.consumer);
    let after = group.last;
    let ids: Vec<EntryId> = stream.after(after).take(count).map(|(id, _)| id).collect();
    let Some((entries, group)) = stream.group_mut(&read.group) else { return vec![] };
    for id in &ids {
        group.last = *id;
        if !read.no_ack {
            group.deliver(now, &read.consumer, *id);
        }
    }
    ids.into_iter().map(|id| entry_reply(id, entries.get(&id))).collect()
}

/// A consumer's own pending entries after an id.
fn read_own(now: SimTime, stream: &mut Stream, read: &ReadGroup, after: EntryId) -> Vec<Reply> {
    let count = read.count.unwrap_or(u32::MAX) as usize;
    let Some((entries, group)) = stream.group_mut(&read.group) else { return vec![] };
    group.add_consumer(&read.consumer);
    let own = &group.consumers()[&read.consumer].pending;
    let ids: Vec<EntryId> = own.iter().filter(|id| after < **id).take(count).copied().collect();
    let again = |id: EntryId| {
        let entry = entries.get(&id);
        if entry.is_some() {
            group.read_again(now, id);
        }
        entry_reply(id, entry)
    };
    ids.into_iter().map(again).collect()
}

/// `$` as an id.
fn start_of(stream: &Stream, start: StartId) -> EntryId {
    match start {
        StartId::After(id) => id,
        StartId::Last => stream.last(),
    }
}

/// An entry as clients see it; a deleted one has no fields.
fn entry_reply(id: EntryId, entry: Option<&Entry>) -> Reply {
    let fields = entry.map(|fields| fields.iter().cloned().map(Reply::Text).collect());
    Reply::List(vec![Reply::Id(id), fields.map_or(Reply::Nil, Reply::List)])
}

fn claimed(stream: &Stream, ids: &[EntryId], just_id: bool) -> Reply {
    let one = |id: &EntryId| match just_id {
        true => Reply::Id(*id),
        false => entry_reply(*id, stream.entry(*id)),
    };
    Reply::List(ids.iter().map(one).collect())
}

/// XPENDING without a range: how many, the first and last, and how many each consumer has.
fn summary(group: &Group) -> Reply {
    let pending = group.pending();
    let (Some(first), Some(last)) = (pending.first_key_value(), pending.last_key_value()) else {
        return Reply::List(vec![Reply::Int(0), Reply::Nil, Reply::Nil, Reply::Nil]);
    };
    let with_some = group.consumers().iter().filter(|(_, c)| !c.pending.is_empty());
    let consumers = with_some.map(|(name, consumer)| {
        let n: Text = consumer.pending.len().to_string().into();
        Reply::List(vec![Reply::Text(name.clone()), Reply::Text(n)])
    });
    Reply::List(vec![
        Reply::count(pending.len() as u64),
        Reply::Id(*first.0),
        Reply::Id(*last.0),
        Reply::List(consumers.collect()),
    ])
}
