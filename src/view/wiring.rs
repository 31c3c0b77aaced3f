//! How a broker's exchanges, queues and dead letters hang together, and what passed just now.

use crate::kernel::SimTime;
use crate::model::actor::BrokerActor;
use crate::model::broker::{Destination, ExchangeKind, Name, QueueId};
use crate::model::fact::Resource;
use crate::model::{ActorId, Fact};
use crate::param::Text;

/// Most exchanges that are drawn: fewer than a word has bits.
pub const MAX_EXCHANGES: usize = 12;
/// A binding stays lit for so long, in the viewer's seconds.
pub const LIT_S: f64 = 0.6;
/// How far back the newest facts are looked through.
const LOOK_BACK: usize = 400;

/// Where a binding leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// To the queue of this place.
    Queue(u16),
    /// To the exchange of this place.
    Exchange(u16),
}

/// A binding.
#[derive(Clone, PartialEq, Debug)]
pub struct Edge {
    /// Its key, or what of the headers it asks for.
    pub key: String,
    /// Where it leads.
    pub to: Target,
    /// Whether a message passed just now.
    pub lit: bool,
}

/// An exchange.
#[derive(Clone, PartialEq, Debug)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Text,
    /// Its bindings.
    pub edges: Vec<Edge>,
    /// The place of its alternate exchange.
    pub alternate: Option<u16>,
    /// Whether a message came to it just now.
    pub lit: bool,
}

/// How everything in a broker hangs together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Wiring {
    /// Its exchanges.
    pub exchanges: Vec<Exchange>,
    /// Where dead letters go: from queue, to queue.
    pub letters: Vec<(u16, u16)>,
    /// By queue: delivered and not acknowledged.
    pub unacked: Vec<u64>,
    /// By queue: ready messages of each priority, the highest first; empty without priorities.
    pub priorities: Vec<Vec<u64>>,
    /// What it has run out of.
    pub alarm: Option<Resource>,
    /// It works on a message, or its disk writes.
    pub is_busy: bool,
}

const DIRECT: Text = Text::new("direct", "直连");
const FANOUT: Text = Text::new("fanout", "广播");
const TOPIC: Text = Text::new("topic", "主题");
const HEADERS: Text = Text::new("headers", "头部");

impl Wiring {
    /// The wiring of a broker as it is now.
    pub fn of(broker: &BrokerActor) -> Wiring {
        let place = |id: QueueId| broker.queues.iter().position(|other| *other == Some(id));
        let queue_named = |name: Name| {
            let id = broker.broker.queue_named(broker.broker.text(name))?;
            place(id)
        };
        let mut unacked = vec![0; broker.queues.len()];
        for held in broker.broker.channels().flat_map(|(_, channel)| channel.unacked()) {
            if let Some(n) = held.queue.and_then(place) {
                unacked[n] += 1;
            }
        }
        let letters = broker.queues.iter().enumerate().filter_map(|(n, id)| {
            let letter = broker.broker.queue((*id)?)?.spec.dead_letter?;
            Some((n as u16, queue_named(letter.key?)? as u16))
        });
        Wiring {
            exchanges: exchanges(broker, &place),
            letters: letters.collect(),
            unacked,
            priorities: broker.queues.iter().map(|id| priorities(broker, *id)).collect(),
            alarm: broker.resources.alarm,
            is_busy: broker.resources.task.is_some(),
        }
    }

    /// Lights the bindings that messages passed just now. `newest`: the newest facts, newest first.
    pub fn light<'a>(
        &mut self,
        me: ActorId,
        newest: impl Iterator<Item = &'a (SimTime, Fact)>,
        since: SimTime,
    ) {
        if self.exchanges.is_empty() {
            return;
        }
        for (_, fact) in newest.take(LOOK_BACK).take_while(|(at, _)| since <= *at) {
            if let Fact::Routed { at, exchange, queue, .. } = *fact
                && at == me
            {
                self.pass(usize::from(exchange), queue, &mut Asked::default());
            }
        }
    }

    /// A message passed from an exchange to a queue: lights all ways there. True: there is one.
    /// Each exchange is asked once, so circles end.
    fn pass(&mut self, exchange: usize, queue: u16, asked: &mut Asked) -> bool {
        let bit = 1_u32.checked_shl(exchange as u32).unwrap_or(0);
        if self.exchanges.len() <= exchange || asked.all & bit != 0 {
            return asked.lead & bit != 0;
        }
        asked.all |= bit;
        let mut leads = false;
        for n in 0..self.exchanges[exchange].edges.len() {
            let reaches = match self.exchanges[exchange].edges[n].to {
                Target::Queue(to) => to == queue,
                Target::Exchange(to) => self.pass(usize::from(to), queue, asked),
            };
            self.exchanges[exchange].edges[n].lit |= reaches;
            leads |= reaches;
        }
        if !leads && let Some(to) = self.exchanges[exchange].alternate {
            leads = self.pass(usize::from(to), queue, asked);
        }
        self.exchanges[exchange].lit |= leads;
        asked.lead |= if leads { bit } else { 0 };
        leads
    }
}

/// Exchanges that were asked, a bit each, and those that lead to the queue.
#[derive(Default)]
struct Asked {
    all: u32,
    lead: u32,
}

fn exchanges(broker: &BrokerActor, place: &dyn Fn(QueueId) -> Option<usize>) -> Vec<Exchange> {
    let lines = &broker.topology.exchanges;
    let place_of = |name: &str| lines.iter().position(|line| line.name == name);
    let shown = lines.iter().take(MAX_EXCHANGES).map(|line| {
        let kind = match line.kind {
            ExchangeKind::Fanout => FANOUT,
            ExchangeKind::Topic => TOPIC,
            ExchangeKind::Headers => HEADERS,
            ExchangeKind::Direct | ExchangeKind::Default => DIRECT,
        };
        let found = broker.broker.exchange_named(&line.name);
        let bindings = found.and_then(|id| broker.broker.exchange(id)).map(|e| &e.bindings[..]);
        let edges = bindings.unwrap_or_default().iter().filter_map(|binding| {
            let to = match binding.to {
                Destination::Queue(id) => Target::Queue(place(id)? as u16),
                Destination::Exchange(id) => {
                    let name = broker.broker.text(broker.broker.exchange(id)?.name);
                    Target::Exchange(place_of(name)? as u16)
                }
            };
            let key = broker.broker.text(binding.key).to_owned();
            Some(Edge { key, to, lit: false })
        });
        let alternate = line.alternate.as_deref().and_then(place_of).map(|n| n as u16);
        Exchange { name: line.name.clone(), kind, edges: edges.collect(), alternate, lit: false }
    });
    shown.collect()
}

/// Ready messages of each priority that is there, the highest first.
fn priorities(broker: &BrokerActor, id: Option<QueueId>) -> Vec<u64> {
    let Some(queue) = id.and_then(|id| broker.broker.queue(id)) else { return Vec::new() };
    if queue.spec.max_priority == 0 {
        return Vec::new();
    }
    let mut counts: Vec<(u8, u64)> = Vec::new();
    for entry in queue.ready() {
        match counts.last_mut() {
            Some((priority, n)) if *priority == entry.priority => *n += 1,
            _ => counts.push((entry.priority, 1)),
        }
    }
    counts.into_iter().map(|(_, n)| n).collect()
}
