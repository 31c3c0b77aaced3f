//! The clients of a trace: who has which connection, channel, consumer tag and message.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::op::Stop;
use crate::model::broker::{
    Broker, ChannelError, ChannelNo, ConnectionNo, ConsumerId, Difference, ExpirationError, QueueId,
};

/// Most clients, and most channels, in a case.
const LIMIT: usize = 10_000;

/// Whether a consumer's deliveries are recorded with exchange, key and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    Recorded,
    Left,
}

struct Tag {
    text: String,
    queue: QueueId,
    meta: Meta,
    is_running: bool,
}

struct Session {
    client: String,
    ch: u64,
    has_confirms: bool,
    limits_all: bool,
    tags: BTreeMap<ConsumerId, Tag>,
    /// The delivery tag under which a body was given out last.
    held: BTreeMap<String, u64>,
}

/// What a client's channel is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open(ChannelNo),
    /// The broker closed it: the client library refuses to use it again.
    ClosedByBroker,
}

/// All clients of a case.
#[derive(Default)]
pub(super) struct Clients {
    connections: BTreeMap<String, ConnectionNo>,
    n_connections: u32,
    states: BTreeMap<(String, u64), State>,
    sessions: BTreeMap<ChannelNo, Session>,
    share_a_limit: bool,
}

impl Clients {
    /// A client's connection, made when it is first needed.
    pub(super) fn connection(&mut self, client: &str) -> Result<ConnectionNo, Stop> {
        if let Some(connection) = self.connections.get(client) {
            return Ok(*connection);
        }
        if LIMIT <= self.connections.len() {
            return Err(Stop::Broken(format!("more than {LIMIT} clients")));
        }
        let connection = ConnectionNo(self.n_connections);
        self.n_connections += 1;
        self.connections.insert(client.to_owned(), connection);
        Ok(connection)
    }

    /// A client's channel, opened when it is first needed; `None` after the broker closed it.
    pub(super) fn channel(
        &mut self,
        broker: &mut Broker<u32>,
        client: &str,
        ch: u64,
    ) -> Result<Option<ChannelNo>, Stop> {
        match self.states.get(&(client.to_owned(), ch)) {
            Some(State::Open(channel)) => return Ok(Some(*channel)),
            Some(State::ClosedByBroker) => return Ok(None),
            None => {}
        }
        if LIMIT <= self.states.len() {
            return Err(Stop::Broken(format!("more than {LIMIT} channels")));
        }
        let channel = broker.open_channel(self.connection(client)?);
        self.states.insert((client.to_owned(), ch), State::Open(channel));
        let session = Session {
            client: client.to_owned(),
            ch,
            has_confirms: false,
            limits_all: false,
            tags: BTreeMap::new(),
            held: BTreeMap::new(),
        };
        self.sessions.insert(channel, session);
        Ok(Some(channel))
    }

    /// The client's connection is gone, with all that it knew.
    pub(super) fn disconnect(&mut self, client: &str) -> Option<ConnectionNo> {
        self.states.retain(|(owner, _), _| owner != client);
        self.sessions.retain(|_, session| session.client != client);
        self.connections.remove(client)
    }

    /// All connections are gone.
    pub(super) fn disconnect_all(&mut self) {
        self.states.clear();
        self.sessions.clear();
        self.connections.clear();
    }

    /// The client closed a channel.
    pub(super) fn forget_channel(&mut self, channel: ChannelNo) {
        if let Some(session) = self.sessions.remove(&channel) {
            self.states.remove(&(session.client, session.ch));
        }
    }

    /// The broker closed a channel.
    pub(super) fn closed_by_broker(&mut self, channel: ChannelNo) {
        if let Some(session) = self.sessions.remove(&channel) {
            self.states.insert((session.client, session.ch), State::ClosedByBroker);
        }
    }

    pub(super) fn confirms(&mut self, channel: ChannelNo) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.has_confirms = true;
        }
    }

    pub(super) fn has_confirms(&self, channel: ChannelNo) -> bool {
        self.sessions.get(&channel).is_some_and(|session| session.has_confirms)
    }

    /// A limit for the whole channel was set.
    pub(super) fn limits_all(&mut self, channel: ChannelNo) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.limits_all = true;
        }
        self.look_for_shared_limit(channel);
    }

    /// Whether some channel's limit ever spanned several queues.
    pub(super) fn share_a_limit(&self) -> bool {
        self.share_a_limit
    }

    fn look_for_shared_limit(&mut self, channel: ChannelNo) {
        let Some(session) = self.sessions.get(&channel).filter(|session| session.limits_all) else {
            return;
        };
        let mut queues = session.tags.values().filter(|tag| tag.is_running).map(|tag| tag.queue);
        let first = queues.next();
        self.share_a_limit |= queues.any(|queue| Some(queue) != first);
    }

    /// A consumer started under a tag.
    pub(super) fn started(
        &mut self,
        channel: ChannelNo,
        consumer: ConsumerId,
        tag: &str,
        queue: QueueId,
        meta: Meta,
    ) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            let tag = Tag { text: tag.to_owned(), queue, meta, is_running: true };
            session.tags.insert(consumer, tag);
        }
        self.look_for_shared_limit(channel);
    }

    /// The consumer of a tag, which stops now.
    pub(super) fn stopped(&mut self, channel: ChannelNo, text: &str) -> Option<ConsumerId> {
        let tags = &mut self.sessions.get_mut(&channel)?.tags;
        let (consumer, tag) =
            tags.iter_mut().find(|(_, tag)| tag.is_running && tag.text == text)?;
        tag.is_running = false;
        Some(*consumer)
    }

    /// The tag of a consumer.
    pub(super) fn tag(&self, channel: ChannelNo, consumer: ConsumerId) -> (&str, Meta) {
        let session = self.sessions.get(&channel);
        let tag = session.and_then(|session| session.tags.get(&consumer));
        tag.map_or(("?", Meta::Left), |tag| (tag.text.as_str(), tag.meta))
    }

    /// A client was given a body.
    pub(super) fn gave(&mut self, channel: ChannelNo, body: &str, tag: u64) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.held.insert(body.to_owned(), tag);
        }
    }

    /// The delivery tag under which a client was given a body last.
    pub(super) fn held(&self, channel: ChannelNo, body: &str) -> Option<u64> {
        self.sessions.get(&channel)?.held.get(body).copied()
    }

    /// Whose channel it is; nobody's when it was closed or its client is gone.
    pub(super) fn whose(&self, channel: ChannelNo) -> Option<(String, u64)> {
        self.sessions.get(&channel).map(|session| (session.client.clone(), session.ch))
    }

    /// Writes under an event who saw it.
    pub(super) fn sign(&self, event: &mut Value, client: &str, ch: u64) {
        event["client"] = json!(client);
        if ch != 1 {
            event["ch"] = json!(ch);
        }
    }
}

/// The reply text of a closed channel, up to where the broker names its virtual host.
pub(super) fn error_text(broker: &Broker<u32>, error: ChannelError) -> String {
    let name = |name| broker.text(name).to_owned();
    match error {
        ChannelError::NoExchange(x) => format!("NOT_FOUND - no exchange '{}'", name(x)),
        ChannelError::NoQueue(q) => format!("NOT_FOUND - no queue '{}'", name(q)),
        ChannelError::InternalExchange(x) => {
            format!("ACCESS_REFUSED - cannot publish to internal exchange '{}'", name(x))
        }
        ChannelError::DefaultExchange => {
            "ACCESS_REFUSED - operation not permitted on the default exchange".into()
        }
        ChannelError::ExclusiveConsumer(q) => format!("ACCESS_REFUSED - queue '{}'", name(q)),
        ChannelError::LockedQueue(q) => format!(
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{}'",
            name(q)
        ),
        ChannelError::UnknownTag(tag) => {
            format!("PRECONDITION_FAILED - unknown delivery tag {tag}")
        }
        ChannelError::QueueDiffers { queue, what } => format!(
            "PRECONDITION_FAILED - inequivalent arg '{}' for queue '{}'",
            difference_text(what),
            name(queue)
        ),
        ChannelError::ExchangeDiffers(x) => {
            format!("PRECONDITION_FAILED - inequivalent arg 'type' for exchange '{}'", name(x))
        }
        ChannelError::QueueInUse(q) | ChannelError::QueueNotEmpty(q) => {
            format!("PRECONDITION_FAILED - queue '{}'", name(q))
        }
        ChannelError::BadExpiration { text, why } => {
            let text = broker.text(text);
            let why = expiration_text(text, why);
            format!("PRECONDITION_FAILED - invalid expiration '{text}': {why}")
        }
        ChannelError::TxToConfirm => {
            "PRECONDITION_FAILED - cannot switch from tx to confirm mode".into()
        }
        ChannelError::ConfirmToTx => {
            "PRECONDITION_FAILED - cannot switch from confirm to tx mode".into()
        }
        ChannelError::NotTransactional => {
            "PRECONDITION_FAILED - channel is not transactional".into()
        }
        ChannelError::NoPrefetch(q) => {
            let why = "consumer prefetch count is not set for";
            format!("PRECONDITION_FAILED - {why} 'queue '{}'", name(q))
        }
        ChannelError::StreamAutoAck(q) => {
            let why = "automatic acknowledgement not supported by stream";
            format!("NOT_IMPLEMENTED - {why} queue '{}'", name(q))
        }
        ChannelError::StreamGet(q) => {
            let why = "basic.get not supported by stream queues";
            format!("NOT_IMPLEMENTED - {why} queue '{}'", name(q))
        }
        ChannelError::StreamPurge(q) => {
            format!("NOT_IMPLEMENTED - queue.purge not supported by queue '{}'", name(q))
        }
    }
}

/// What is wrong with an expiration, as Erlang prints it.
fn expiration_text(text: &str, why: ExpirationError) -> String {
    match why {
        ExpirationError::NoInteger => "no_integer".into(),
        ExpirationError::Leftover { at } => {
            format!("{{leftover_string,{:?}}}", text.get(at as usize..).unwrap_or(""))
        }
        ExpirationError::Negative => format!("{{value_negative,{text}}}"),
        ExpirationError::TooBig => format!("{{value_too_big,{text}}}"),
    }
}

fn difference_text(what: Difference) -> &'static str {
    match what {
        Difference::Durable => "durable",
        Difference::AutoDelete => "auto_delete",
        Difference::MaxLength => "x-max-length",
        Difference::MaxBytes => "x-max-length-bytes",
        Difference::Overflow => "x-overflow",
        Difference::MaxPriority => "x-max-priority",
        Difference::SingleActive => "x-single-active-consumer",
        Difference::Kind => "x-queue-type",
        Difference::MessageTtl => "x-message-ttl",
        Difference::Expires => "x-expires",
        Difference::DeadLetterExchange => "x-dead-letter-exchange",
        Difference::DeadLetterKey => "x-dead-letter-routing-key",
        Difference::DeliveryLimit => "x-delivery-limit",
    }
}
