//! What must hold of Redis, MQTT, JetStream and the work queue whatever clients do.

use std::collections::{BTreeMap, BTreeSet};

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::mqtt::{self, ClientNo, FromClient, Mqtt, Publish, Qos, ToClient, clones};
use inflight::model::nats::{self, ConsumerConfig, JetStream, Retention, Stored, StreamConfig};
use inflight::model::redis::{
    self, AutoClaim, Block, Command, EntryId, Pending, ReadFrom, ReadGroup, Redis, Reply, Side,
    StartId,
};
use inflight::model::workqueue::{
    self, Answer, Body, JobId, JobState, Request, WorkQueue, WorkerNo,
};
use proptest::prelude::*;

fn at(ms: u64) -> SimTime {
    SimTime::from_ns(ms * 1_000_000)
}

/// A list command by small numbers.
fn list_command(kind: u8, a: u8, b: u8, value: u32) -> Command {
    let key = |n: u8| -> redis::Text { format!("k{}", n % 3).into() };
    let side = |n: u8| if n.is_multiple_of(2) { Side::Left } else { Side::Right };
    let block = if value.is_multiple_of(2) { Block::ForEver } else { Block::For(SimSpan::ms(5)) };
    match kind {
        0 | 1 => {
            let values = (0..=a % 3).map(|n| format!("{value}.{n}").into()).collect();
            Command::Push { key: key(b), side: side(a), values, must_exist: false }
        }
        2 => Command::Pop { key: key(a), side: side(b), count: None },
        3 => Command::BlockingPop { keys: vec![key(a), key(b)], side: side(a), block },
        _ => Command::Move { source: key(a), dest: key(b), from: side(a), to: side(b), block },
    }
}

/// Values that a reply takes out of lists.
fn taken(command: &Command, reply: &Reply) -> u64 {
    match (command, reply) {
        (Command::Pop { .. }, Reply::Text(_)) => 1,
        (Command::BlockingPop { .. }, Reply::List(_)) => 1,
        _ => 0,
    }
}

/// Counts deliveries; each must say how-manieth it is, and none may be of what is done.
fn count_deliveries(out: &[nats::Effect], acked: &BTreeSet<u64>, count: &mut BTreeMap<u64, u32>) {
    for effect in out {
        let nats::Effect::Deliver(_, delivery) = effect else { continue };
        assert!(!acked.contains(&delivery.seq), "{delivery:?} was acknowledged");
        let n = count.entry(delivery.seq).or_default();
        *n += 1;
        assert_eq!(delivery.n, *n);
    }
}

/// Whoever was given a job holds it.
fn judge_reserved(queue: &WorkQueue, out: &[workqueue::Effect]) {
    for effect in out {
        if let Answer::Reserved(id, _) = effect.answer {
            let state = queue.job(id).map(|job| job.state);
            let is_theirs =
                matches!(state, Some(JobState::Reserved { by, .. }) if by == effect.worker);
            assert!(is_theirs, "{state:?}");
        }
    }
}

/// All that a group has pending.
fn all_pending() -> Pending {
    let (first, last) = (EntryId::ZERO, EntryId::MAX);
    Pending { min_idle: SimSpan::ms(0), first, last, count: 1000, consumer: None }
}

proptest! {
    #[test]
    fn every_value_of_a_list_is_there_or_was_taken_once(
        acts in prop::collection::vec((0..5_u8, 0..6_u8, 0..6_u8, 0..4_u8, 0..3_u64), 1..80)
    ) {
        let mut server = Redis::new();
        let clients: Vec<_> = (0..4).filter_map(|_| server.connect()).collect();
        let mut asked: BTreeMap<redis::ClientNo, Command> = BTreeMap::new();
        let (mut n_pushed, mut n_taken, mut ms) = (0, 0, 0);
        for (index, (kind, a, b, who, wait)) in acts.into_iter().enumerate() {
            ms += wait;
            let mut out = Vec::new();
            server.on_wake(at(ms), &mut out);
            let client = clients[usize::from(who)];
            if !server.is_waiting(client) {
                let command = list_command(kind, a, b, index as u32);
                if let Command::Push { values, .. } = &command {
                    n_pushed += values.len() as u64;
                }
                asked.insert(client, command.clone());
                server.on_message(at(ms), client, command, &mut out);
            }
            for effect in out {
                let redis::Effect::Reply { client, reply } = effect else { continue };
                n_taken += taken(&asked[&client], &reply);
            }
            prop_assert_eq!(server.gauges().n_elements + n_taken, n_pushed);
            let nobody_overdue = server.next_wake().is_none_or(|wake| at(ms) < wake);
            prop_assert!(nobody_overdue);
        }
    }

    #[test]
    fn every_entry_of_a_stream_is_pending_with_one_consumer_or_acknowledged(
        acts in prop::collection::vec((0..6_u8, 0..3_u8, 0..12_u64, 0..40_u64), 1..80)
    ) {
        let mut server = Redis::new();
        let client = server.connect().expect("there is room");
        let (key, group): (redis::Text, redis::Text) = ("s".into(), "g".into());
        let mut ask = |ms: u64, command: Command| {
            let mut out = Vec::new();
            server.on_message(at(ms), client, command, &mut out);
            match out.remove(0) {
                redis::Effect::Reply { reply, .. } => reply,
                other => panic!("{other:?}"),
            }
        };
        let start = StartId::After(EntryId::ZERO);
        let create = Command::GroupCreate {
            key: key.clone(), group: group.clone(), start, make_stream: true,
        };
        ask(0, create);
        let (mut ms, mut n_delivered, mut n_acked, mut n_dropped) = (0, 0_u64, 0_u64, 0_u64);
        for (index, (kind, who, seq, wait)) in acts.into_iter().enumerate() {
            ms += wait;
            let consumer: redis::Text = format!("c{who}").into();
            let id = EntryId { ms: seq + 1, seq: 0 };
            match kind {
                0 | 1 => {
                    let id = redis::AddId::Exact(EntryId { ms: index as u64 + 1, seq: 0 });
                    let fields = vec!["f".into(), "v".into()];
                    let key = key.clone();
                    ask(ms, Command::Add { key, id, fields, trim: None, must_exist: false });
                }
                2 => {
                    let streams = vec![(key.clone(), ReadFrom::New)];
                    let group = group.clone();
                    let reply = ask(ms, Command::ReadGroup(ReadGroup {
                        group, consumer, count: Some(2), block: Block::No, no_ack: false, streams,
                    }));
                    if let Reply::List(streams) = reply {
                        let Reply::List(one) = &streams[0] else { panic!("{streams:?}") };
                        let Reply::List(entries) = &one[1] else { panic!("{one:?}") };
                        n_delivered += entries.len() as u64;
                    }
                }
                3 => match ask(ms, Command::Ack(key.clone(), group.clone(), vec![id])) {
                    Reply::Int(n) => n_acked += n as u64,
                    other => panic!("{other:?}"),
                },
                4 => {
                    let claim = AutoClaim {
                        consumer, min_idle: SimSpan::ms(20), start: id, count: 2, just_id: false,
                    };
                    let reply = ask(ms, Command::AutoClaim(key.clone(), group.clone(), claim));
                    let Reply::List(parts) = reply else { panic!("{reply:?}") };
                    let Reply::List(deleted) = &parts[2] else { panic!("{parts:?}") };
                    n_dropped += deleted.len() as u64;
                }
                _ => {
                    ask(ms, Command::StreamDelete(key.clone(), vec![id]));
                }
            }
            let reply = ask(ms, Command::Pending(key.clone(), group.clone(), Some(all_pending())));
            let Reply::List(rows) = reply else { panic!("{reply:?}") };
            prop_assert_eq!(rows.len() as u64 + n_acked + n_dropped, n_delivered);
        }
    }

    #[test]
    fn every_job_is_in_one_place_and_held_by_one_worker(
        acts in prop::collection::vec((0..8_u8, 0..3_u8, 0..9_u64, 0..900_u64), 1..100)
    ) {
        let mut queue = WorkQueue::new(JobId(1));
        let workers: Vec<WorkerNo> = (0..3).filter_map(|_| queue.connect()).collect();
        let mut alive: BTreeSet<JobId> = BTreeSet::new();
        let mut ms = 0;
        for (kind, who, pick, wait) in acts {
            ms += wait;
            let worker = workers[usize::from(who)];
            let mut out = Vec::new();
            queue.on_wake(at(ms), &mut out);
            judge_reserved(&queue, &out);
            out.clear();
            let job = JobId(pick + 1);
            let (priority, delay) = (u32::from(who), SimSpan::ms(pick * 100));
            let request = match kind {
                0 | 1 => Request::Put { priority, delay, ttr: SimSpan::s(2), body: Body(pick) },
                2 => Request::Reserve { timeout: Some(SimSpan::ms(pick * 50)) },
                3 => Request::Delete(job),
                4 => Request::Release { job, priority, delay },
                5 => Request::Bury { job, priority },
                6 => Request::Kick(2),
                _ => Request::Touch(job),
            };
            if kind == 7 && pick == 0 {
                queue.disconnect(at(ms), worker, &mut out);
            } else if !queue.is_waiting(worker) {
                queue.on_message(at(ms), worker, request, &mut out);
                for effect in &out {
                    match (effect.answer, request) {
                        (Answer::Inserted(id), _) => prop_assert!(alive.insert(id)),
                        (Answer::Deleted, Request::Delete(id)) => prop_assert!(alive.remove(&id)),
                        _ => {}
                    }
                }
            }
            judge_reserved(&queue, &out);
            let gauges = queue.gauges();
            let n = gauges.n_ready + gauges.n_reserved + gauges.n_delayed + gauges.n_buried;
            prop_assert_eq!(n as usize, alive.len());
            prop_assert!(gauges.n_ready == 0 || gauges.n_waiting == 0);
        }
    }

    #[test]
    fn an_acknowledged_message_never_comes_again_and_none_too_often(
        acts in prop::collection::vec((0..5_u8, 1..12_u64, 0..60_u64), 1..100)
    ) {
        let retention = Retention::WorkQueue;
        let mut stream = JetStream::new(StreamConfig { retention, ..StreamConfig::default() });
        let most = 3;
        let config = ConsumerConfig {
            ack_wait: SimSpan::ms(100), max_deliver: Some(most), ..ConsumerConfig::default()
        };
        let no = stream.add_consumer(config).expect("it is the first");
        let mut count: BTreeMap<u64, u32> = BTreeMap::new();
        let mut acked = BTreeSet::new();
        let mut ms = 0;
        for (kind, pick, wait) in acts {
            ms += wait;
            // What a wake brings comes before what the client does then.
            let mut out = Vec::new();
            stream.on_wake(at(ms), &mut out);
            count_deliveries(&out, &acked, &mut count);
            out.clear();
            match kind {
                0 | 1 => {
                    let message = Stored { subject: "s".into(), body: 0 };
                    stream.publish(at(ms), None, message, &mut out).expect("there is room");
                }
                2 => stream.fetch(at(ms), no, 2, SimSpan::ms(50), &mut out),
                3 => {
                    if stream.ack(at(ms), no, pick, &mut out) {
                        acked.insert(pick);
                    }
                }
                _ => {
                    stream.nak(at(ms), no, pick, SimSpan::ms(pick), &mut out);
                }
            }
            count_deliveries(&out, &acked, &mut count);
            prop_assert!(count.values().all(|n| *n <= most));
        }
    }

    #[test]
    fn qos_2_arrives_once_and_qos_1_at_least_once_over_lost_connections(
        acts in prop::collection::vec((0..6_u8, any::<bool>()), 1..80)
    ) {
        let mut broker = Mqtt::new();
        let mut client = Receiver::default();
        let mut out = Vec::new();
        broker.connect(P, true, &mut out);
        broker.connect(B, false, &mut out);
        let filters = vec![("t".into(), Qos::ExactlyOnce)];
        broker.on_message(B, FromClient::Subscribe(1, filters), &mut clones, &mut out);
        client.take(&mut out);
        let mut sent: BTreeMap<u16, Qos> = BTreeMap::new();
        for (index, (kind, exactly)) in acts.into_iter().enumerate() {
            let mid = index as u16 + 1;
            match kind {
                0..=2 => {
                    let qos = if exactly { Qos::ExactlyOnce } else { Qos::AtLeastOnce };
                    sent.insert(mid, qos);
                    let payload = mid.to_string().as_str().into();
                    let topic = "t".into();
                    let publish = Publish { topic, payload, qos, dup: false, retain: false, mid };
                    broker.on_message(P, FromClient::Publish(publish), &mut clones, &mut out);
                    broker.on_message(P, FromClient::PubRel(mid), &mut clones, &mut out);
                }
                3 => broker.disconnect(B, &mut out),
                4 => {
                    broker.connect(B, false, &mut out);
                }
                _ => client.answer(&mut broker, &mut out),
            }
            client.take(&mut out);
        }
        broker.connect(B, false, &mut out);
        client.take(&mut out);
        while !client.unanswered.is_empty() {
            client.answer(&mut broker, &mut out);
            client.take(&mut out);
        }
        prop_assert_eq!(broker.gauges().n_held, 0);
        for (mid, qos) in sent {
            let n = client.received.get(&mid.to_string()).copied().unwrap_or(0);
            prop_assert!(n == 1 || qos == Qos::AtLeastOnce && 1 < n, "{} came {} times", mid, n);
        }
    }
}

/// Who publishes, and who subscribes.
const P: ClientNo = ClientNo(1);
const B: ClientNo = ClientNo(2);

/// A subscriber that answers when it is told to, and forgets unanswered packets never.
#[derive(Default)]
struct Receiver {
    received: BTreeMap<String, u32>,
    /// Numbers of QoS 2 messages that were received and not released.
    known: BTreeSet<u16>,
    unanswered: Vec<FromClient>,
}

impl Receiver {
    fn take(&mut self, out: &mut Vec<mqtt::Effect>) {
        for effect in out.drain(..) {
            match effect {
                mqtt::Effect::Send(to, ToClient::Publish(message)) if to == B => {
                    let is_once = message.qos == Qos::ExactlyOnce;
                    let answer = if is_once { FromClient::PubRec } else { FromClient::PubAck };
                    if !is_once || self.known.insert(message.mid) {
                        *self.received.entry(message.payload.to_string()).or_default() += 1;
                    }
                    self.push(answer(message.mid));
                }
                mqtt::Effect::Send(to, ToClient::PubRel(mid)) if to == B => {
                    self.known.remove(&mid);
                    self.push(FromClient::PubComp(mid));
                }
                _ => {}
            }
        }
    }

    fn push(&mut self, answer: FromClient) {
        if !self.unanswered.contains(&answer) {
            self.unanswered.push(answer);
        }
    }

    /// Answers the oldest packet; the connection may be lost, then the broker sends it again.
    fn answer(&mut self, broker: &mut Mqtt, out: &mut Vec<mqtt::Effect>) {
        if !self.unanswered.is_empty() {
            let answer = self.unanswered.remove(0);
            broker.on_message(B, answer, &mut clones, out);
        }
    }
}
