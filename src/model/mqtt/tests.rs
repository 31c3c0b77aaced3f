use super::*;

fn text(text: &str) -> Text {
    text.into()
}

/// The client whose name is that letter.
fn no(client: &str) -> ClientNo {
    ClientNo(u32::from(client.as_bytes()[0]))
}

fn connect(broker: &mut Mqtt, client: &str, is_clean: bool) -> Vec<ToClient> {
    let mut out = Vec::new();
    assert!(broker.connect(no(client), is_clean, &mut out));
    sent(out, client)
}

fn disconnect(broker: &mut Mqtt, client: &str) -> Vec<Effect> {
    let mut out = Vec::new();
    broker.disconnect(no(client), &mut out);
    out
}

fn sent(out: Vec<Effect>, client: &str) -> Vec<ToClient> {
    out.into_iter()
        .filter_map(|effect| match effect {
            Effect::Send(to, packet) if to == no(client) => Some(packet),
            _ => None,
        })
        .collect()
}

fn say(broker: &mut Mqtt, client: &str, packet: FromClient) -> Vec<Effect> {
    let mut out = Vec::new();
    broker.on_message(no(client), packet, &mut clones, &mut out);
    out
}

fn subscribe(broker: &mut Mqtt, client: &str, filter: &str, qos: Qos) -> Vec<ToClient> {
    let out = say(broker, client, FromClient::Subscribe(1, vec![(text(filter), qos)]));
    sent(out, client)
}

fn message(payload: &str, qos: Qos, retain: bool, mid: Mid) -> Publish {
    Publish { topic: text("t"), payload: text(payload), qos, dup: false, retain, mid }
}

fn publish(broker: &mut Mqtt, message: Publish) -> Vec<Effect> {
    say(broker, "p", FromClient::Publish(message))
}

/// A broker with a publisher `p`.
fn broker() -> Mqtt {
    let mut broker = Mqtt::new();
    connect(&mut broker, "p", true);
    broker
}

#[test]
fn a_session_keeps_what_its_client_misses_but_not_qos_0() {
    let mut broker = broker();
    connect(&mut broker, "b", false);
    subscribe(&mut broker, "b", "t", Qos::ExactlyOnce);
    disconnect(&mut broker, "b");
    let dropped = publish(&mut broker, message("zero", Qos::AtMostOnce, false, 0));
    assert_eq!(dropped, [Effect::Dropped(Some(no("b")), Loss::Away, text("zero"))]);
    publish(&mut broker, message("one", Qos::AtLeastOnce, false, 4));
    let packets = connect(&mut broker, "b", false);
    let one = message("one", Qos::AtLeastOnce, false, 1);
    let present = ToClient::ConnAck { session_present: true };
    assert_eq!(packets, [present.clone(), ToClient::Publish(one.clone())]);
    disconnect(&mut broker, "b");
    let again = ToClient::Publish(Publish { dup: true, ..one });
    assert_eq!(connect(&mut broker, "b", false), [present, again]);
    say(&mut broker, "b", FromClient::PubAck(1));
    assert_eq!(broker.gauges().n_held, 0);
}

#[test]
fn a_clean_session_forgets() {
    let mut broker = broker();
    connect(&mut broker, "b", true);
    subscribe(&mut broker, "b", "t", Qos::AtLeastOnce);
    publish(&mut broker, message("w", Qos::AtLeastOnce, false, 3));
    let over = Effect::Dropped(Some(no("b")), Loss::SessionOver, text("w"));
    assert_eq!(disconnect(&mut broker, "b"), [over]);
    let out = publish(&mut broker, message("x", Qos::AtLeastOnce, false, 4));
    let puback = Effect::Send(no("p"), ToClient::PubAck(4));
    assert_eq!(out, [puback, Effect::Dropped(None, Loss::Unwanted, text("x"))]);
    let packets = connect(&mut broker, "b", false);
    assert_eq!(packets, [ToClient::ConnAck { session_present: false }]);
}

#[test]
fn a_retained_message_greets_late_subscribers_with_its_flag() {
    let mut broker = broker();
    connect(&mut broker, "b", true);
    connect(&mut broker, "c", true);
    subscribe(&mut broker, "b", "t", Qos::AtLeastOnce);
    let out = publish(&mut broker, message("x", Qos::AtMostOnce, true, 0));
    let live = ToClient::Publish(message("x", Qos::AtMostOnce, false, 0));
    assert_eq!(sent(out, "b"), [live]);
    let kept = ToClient::Publish(message("x", Qos::AtMostOnce, true, 0));
    assert_eq!(subscribe(&mut broker, "c", "#", Qos::AtMostOnce)[1..], [kept]);
    publish(&mut broker, message("", Qos::AtMostOnce, true, 0));
    assert_eq!(broker.gauges().n_retained, 0);
    assert_eq!(subscribe(&mut broker, "c", "t", Qos::AtMostOnce).len(), 1);
}

#[test]
fn a_qos_2_message_is_handed_on_once_when_it_is_released() {
    let mut broker = broker();
    connect(&mut broker, "b", true);
    subscribe(&mut broker, "b", "t", Qos::AtMostOnce);
    let known = Effect::Dropped(None, Loss::Known, text("x"));
    for (dup, first) in [(false, Effect::Kept(text("x"))), (true, known)] {
        let resend = Publish { dup, ..message("x", Qos::ExactlyOnce, false, 8) };
        let out = publish(&mut broker, resend);
        assert_eq!(out, [first, Effect::Send(no("p"), ToClient::PubRec(8))]);
    }
    let out = say(&mut broker, "p", FromClient::PubRel(8));
    assert_eq!(out.len(), 2);
    let out = say(&mut broker, "p", FromClient::PubRel(8));
    assert_eq!(out, [Effect::Send(no("p"), ToClient::PubComp(8))]);
}

#[test]
fn at_most_a_window_of_messages_is_under_way() {
    let mut broker = broker();
    connect(&mut broker, "b", true);
    subscribe(&mut broker, "b", "t", Qos::AtLeastOnce);
    let n = INFLIGHT_LIMIT + QUEUED_LIMIT;
    let mut n_sent = 0;
    for mid in 1..=n {
        let out = publish(&mut broker, message("x", Qos::AtLeastOnce, false, mid as Mid));
        n_sent += sent(out, "b").len() as u32;
    }
    assert_eq!(n_sent, INFLIGHT_LIMIT);
    let out = publish(&mut broker, message("x", Qos::AtLeastOnce, false, 7));
    assert!(out.contains(&Effect::Dropped(Some(no("b")), Loss::Full, text("x"))));
    assert_eq!(sent(say(&mut broker, "b", FromClient::PubAck(1)), "b").len(), 1);
}

#[test]
fn a_share_serves_its_members_by_turns() {
    let mut broker = broker();
    for client in ["a", "b"] {
        connect(&mut broker, client, true);
        subscribe(&mut broker, client, "$share/g/t", Qos::AtMostOnce);
    }
    let mut receivers = Vec::new();
    for _ in 0..4 {
        for effect in publish(&mut broker, message("x", Qos::AtMostOnce, false, 0)) {
            let Effect::Send(to, _) = effect else { panic!("{effect:?}") };
            receivers.push(to);
        }
    }
    assert_eq!(receivers, ["a", "b", "a", "b"].map(no));
}

#[test]
fn what_is_not_answered_is_sent_again_when_its_time_is_over() {
    let mut broker = broker();
    connect(&mut broker, "b", true);
    subscribe(&mut broker, "b", "t", Qos::ExactlyOnce);
    let wait = SimSpan::ms(100);
    publish(&mut broker, message("x", Qos::AtLeastOnce, false, 4));
    let one = message("x", Qos::AtLeastOnce, false, 1);
    let repeat = |broker: &mut Mqtt, ms: u64| {
        broker.now = SimTime::ZERO + SimSpan::ms(ms);
        let mut out = Vec::new();
        broker.repeat(no("b"), wait, &mut out);
        sent(out, "b")
    };
    assert_eq!(repeat(&mut broker, 99), []);
    let again = ToClient::Publish(Publish { dup: true, ..one });
    assert_eq!(repeat(&mut broker, 100), [again]);
    assert_eq!(repeat(&mut broker, 199), [], "it was sent at 100 ms");
    assert_eq!(say(&mut broker, "b", FromClient::PubAck(1)), [Effect::Taken(text("x"))]);
    assert_eq!(repeat(&mut broker, 300), []);
}

#[test]
fn a_retained_message_that_nobody_got_waits_for_the_first_who_comes() {
    let mut broker = broker();
    let kept = |waits| Effect::Retained { payload: text("x"), waits };
    assert_eq!(publish(&mut broker, message("x", Qos::AtMostOnce, true, 0)), [kept(true)]);
    assert_eq!(broker.gauges().n_retained_waiting, 1);
    connect(&mut broker, "b", true);
    subscribe(&mut broker, "b", "t", Qos::AtMostOnce);
    assert_eq!(broker.gauges().n_retained_waiting, 0);
    // Somebody has it: a later one replaces it without a loss.
    let out = publish(&mut broker, message("x", Qos::AtMostOnce, true, 0));
    assert_eq!(out.last(), Some(&kept(false)));
    disconnect(&mut broker, "b");
    publish(&mut broker, message("y", Qos::AtMostOnce, true, 0));
    let out = publish(&mut broker, message("x", Qos::AtMostOnce, true, 0));
    assert_eq!(out, [Effect::Dropped(None, Loss::Replaced, text("y")), kept(true)]);
}
