use super::*;
use crate::kernel::SimSpan;

fn at(ms: u64) -> SimTime {
    SimTime::from_ns(ms * 1_000_000)
}

fn text(text: &str) -> Text {
    text.into()
}

fn texts(words: &str) -> Vec<Text> {
    words.split_whitespace().map(Text::from).collect()
}

fn ask(server: &mut Redis, ms: u64, client: ClientNo, command: Command) -> Vec<(ClientNo, Reply)> {
    let mut out = Vec::new();
    server.on_message(at(ms), client, command, &mut out);
    replies(out)
}

fn replies(out: Vec<Effect>) -> Vec<(ClientNo, Reply)> {
    let reply = |effect| match effect {
        Effect::Reply { client, reply } => Some((client, reply)),
        _ => None,
    };
    out.into_iter().filter_map(reply).collect()
}

/// A server with three clients.
fn server() -> (Redis, [ClientNo; 3]) {
    let mut server = Redis::new();
    let clients = [(); 3].map(|()| server.connect().expect("there is room"));
    (server, clients)
}

fn push(key: &str, values: &str) -> Command {
    Command::Push { key: text(key), side: Side::Right, values: texts(values), must_exist: false }
}

fn pop(keys: &str, block: Block) -> Command {
    Command::BlockingPop { keys: texts(keys), side: Side::Left, block }
}

fn popped(key: &str, value: &str) -> Reply {
    Reply::List(vec![Reply::Text(text(key)), Reply::Text(text(value))])
}

fn id(ms: u64) -> EntryId {
    EntryId { ms, seq: 0 }
}

/// A server whose stream `s` has `n` entries, all read by consumer `c` of group `g` at 0 ms.
fn with_pending(n: u64) -> (Redis, ClientNo) {
    let (mut server, [a, ..]) = server();
    let (key, group, start) = (text("s"), text("g"), StartId::Last);
    ask(&mut server, 0, a, Command::GroupCreate { key, group, start, make_stream: true });
    for ms in 1..=n {
        let (key, fields) = (text("s"), texts("f v"));
        let id = AddId::Exact(id(ms));
        ask(&mut server, 0, a, Command::Add { key, id, fields, trim: None, must_exist: false });
    }
    let streams = vec![(text("s"), ReadFrom::New)];
    let (group, consumer, block) = (text("g"), text("c"), Block::No);
    let read = ReadGroup { group, consumer, count: None, block, no_ack: false, streams };
    ask(&mut server, 0, a, Command::ReadGroup(read));
    (server, a)
}

fn claim(ids: Vec<EntryId>, just_id: bool) -> Command {
    let (min_idle, idle) = (SimSpan::ms(100), SimSpan::ms(0));
    let (consumer, deliveries, force) = (text("d"), None, false);
    let claim = Claim { consumer, min_idle, ids, idle, deliveries, force, just_id };
    Command::Claim(text("s"), text("g"), claim)
}

fn group(server: &Redis) -> &Group {
    match &server.keys["s"] {
        Value::Stream(stream) => &stream.groups["g"],
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_waits_longest_is_served_first_and_only_as_far_as_it_reaches() {
    let (mut server, [a, b, p]) = server();
    assert!(ask(&mut server, 0, b, pop("q", Block::ForEver)).is_empty());
    assert!(ask(&mut server, 1, a, pop("other q", Block::ForEver)).is_empty());
    let out = ask(&mut server, 2, p, push("q", "x"));
    assert_eq!(out, [(p, Reply::Int(1)), (b, popped("q", "x"))]);
    assert!(server.is_waiting(a));
    let out = ask(&mut server, 3, p, push("q", "y z"));
    assert_eq!(out, [(p, Reply::Int(2)), (a, popped("q", "y"))]);
    assert_eq!(server.gauges().n_elements, 1);
}

#[test]
fn a_wait_ends_at_its_time_and_not_before() {
    let (mut server, [a, ..]) = server();
    ask(&mut server, 10, a, pop("q", Block::For(SimSpan::ms(5))));
    assert_eq!(server.next_wake(), Some(at(15)));
    let mut out = Vec::new();
    server.on_wake(at(14), &mut out);
    assert!(out.is_empty());
    server.on_wake(at(15), &mut out);
    assert_eq!(replies(out), [(a, Reply::Nil)]);
    assert_eq!(server.next_wake(), None);
}

#[test]
fn a_lost_connection_waits_no_longer() {
    let (mut server, [a, b, p]) = server();
    ask(&mut server, 0, a, pop("q", Block::ForEver));
    ask(&mut server, 0, b, pop("q", Block::ForEver));
    server.disconnect(a);
    assert_eq!(ask(&mut server, 0, p, push("q", "x"))[1], (b, popped("q", "x")));
}

#[test]
fn a_transaction_serves_who_waits_only_when_it_is_over() {
    let (mut server, [a, p, _]) = server();
    ask(&mut server, 0, a, pop("q", Block::ForEver));
    ask(&mut server, 0, p, Command::Multi);
    ask(&mut server, 0, p, push("q", "x"));
    ask(&mut server, 0, p, Command::Pop { key: text("q"), side: Side::Left, count: None });
    let out = ask(&mut server, 0, p, Command::Exec);
    let both = Reply::List(vec![Reply::Int(1), Reply::Text(text("x"))]);
    assert_eq!(out, [(p, both)], "the list is empty again");
    assert!(server.is_waiting(a));
}

#[test]
fn a_touched_key_stops_only_the_transaction_that_watches_it() {
    let (mut server, [a, b, _]) = server();
    ask(&mut server, 0, a, Command::Watch(texts("k")));
    ask(&mut server, 0, b, Command::Set(text("k"), text("1")));
    for (client, expected) in [(a, Reply::Nil), (b, Reply::List(vec![Reply::Int(2)]))] {
        ask(&mut server, 0, client, Command::Multi);
        ask(&mut server, 0, client, Command::IncrBy(text("k"), 1));
        assert_eq!(ask(&mut server, 0, client, Command::Exec), [(client, expected)]);
    }
}

#[test]
fn a_claim_needs_its_idle_time_and_counts_a_delivery() {
    let (mut server, a) = with_pending(2);
    assert_eq!(ask(&mut server, 99, a, claim(vec![id(1)], false))[0].1, Reply::List(vec![]));
    ask(&mut server, 100, a, claim(vec![id(1)], false));
    ask(&mut server, 100, a, claim(vec![id(2)], true));
    let of = |ms| &group(&server).pending()[&id(ms)];
    assert_eq!((of(1).consumer.clone(), of(1).deliveries), (text("d"), 2));
    assert_eq!((of(2).consumer.clone(), of(2).deliveries), (text("d"), 1), "JUSTID");
    assert!(group(&server).consumers()["c"].pending.is_empty());
}

#[test]
fn an_entry_that_was_deleted_leaves_the_pending_ones_when_somebody_claims_it() {
    let (mut server, a) = with_pending(2);
    ask(&mut server, 0, a, Command::StreamDelete(text("s"), vec![id(1)]));
    assert_eq!(server.gauges().n_pending, 2);
    ask(&mut server, 0, a, claim(vec![id(1)], false));
    assert_eq!(server.gauges().n_pending, 1, "whatever its idle time");
}

#[test]
fn a_scan_looks_at_ten_times_its_count() {
    let (mut server, a) = with_pending(25);
    let scan = |min_idle, start| {
        let claim = AutoClaim { consumer: text("d"), min_idle, start, count: 1, just_id: true };
        Command::AutoClaim(text("s"), text("g"), claim)
    };
    let cursor = |reply: &Reply| match reply {
        Reply::List(parts) => parts[0].clone(),
        other => panic!("{other:?}"),
    };
    let out = ask(&mut server, 5, a, scan(SimSpan::ms(100), EntryId::ZERO));
    assert_eq!(cursor(&out[0].1), Reply::Id(id(11)), "nothing was idle for so long");
    let out = ask(&mut server, 200, a, scan(SimSpan::ms(100), id(25)));
    assert_eq!(cursor(&out[0].1), Reply::Id(EntryId::ZERO), "the end");
}

#[test]
fn a_group_set_back_gives_a_pending_entry_to_its_next_reader() {
    let (mut server, a) = with_pending(1);
    let back = StartId::After(EntryId::ZERO);
    ask(&mut server, 0, a, Command::GroupSetId(text("s"), text("g"), back));
    let streams = vec![(text("s"), ReadFrom::New)];
    let (group_name, consumer, block) = (text("g"), text("d"), Block::No);
    let read =
        ReadGroup { group: group_name, consumer, count: None, block, no_ack: false, streams };
    ask(&mut server, 9, a, Command::ReadGroup(read));
    let unacked = Unacked { consumer: text("d"), at: at(9), deliveries: 1 };
    assert_eq!(group(&server).pending()[&id(1)], unacked);
}

#[test]
fn a_subscriber_may_only_change_its_subscriptions() {
    let (mut server, [a, ..]) = server();
    ask(&mut server, 0, a, Command::Subscribe(texts("ch")));
    let refusal = Reply::Error(Error::InSubscription);
    assert_eq!(ask(&mut server, 0, a, Command::Get(text("k"))), [(a, refusal)]);
    ask(&mut server, 0, a, Command::Unsubscribe(vec![]));
    assert_eq!(ask(&mut server, 0, a, Command::Get(text("k"))), [(a, Reply::Nil)]);
}
