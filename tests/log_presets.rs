//! The presets of the log broker and its groups say what happens, with the figures they name.

use std::collections::{BTreeMap, BTreeSet};

use inflight::kernel::{SimSpan, SimTime};
use inflight::model::command::Node;
use inflight::model::fact::{Cause, Fact, TxnTurn, Why};
use inflight::model::message::{ActorId, MsgId};
use inflight::world::World;
use inflight::world::preset;
use inflight::world::scenario::Scenario;

type Facts = Vec<(SimTime, Fact)>;

/// The facts of a whole run.
fn facts(scenario: &Scenario) -> Facts {
    let mut world = World::new(&scenario.plan(), true);
    let mut all = std::mem::take(&mut world.ground.facts.fresh);
    while world.step(scenario.until) {
        all.append(&mut world.ground.facts.fresh);
    }
    assert_eq!(world.stopped(), None);
    all
}

fn open(id: &str) -> Scenario {
    preset::find(id).expect("a preset").open()
}

fn with(id: &str, changes: &[(&str, &str)]) -> Scenario {
    let mut scenario = open(id);
    for (path, value) in changes {
        scenario.set(path, value).unwrap_or_else(|why| panic!("{path}: {why:?}"));
    }
    scenario
}

fn actor(scenario: &Scenario, id: &str) -> ActorId {
    let place = scenario.actors.iter().position(|actor| actor.id == id);
    ActorId(place.unwrap_or_else(|| panic!("no {id}")) as u16)
}

fn at(ms: u64) -> SimTime {
    SimTime::ZERO + SimSpan::ms(ms)
}

fn ms(at: SimTime) -> u64 {
    at.ns() / 1_000_000
}

fn count(facts: &Facts, wanted: impl Fn(&Fact) -> bool) -> usize {
    facts.iter().filter(|(_, fact)| wanted(fact)).count()
}

/// Messages by how often their work was done.
fn done(facts: &Facts) -> BTreeMap<MsgId, u32> {
    let mut done = BTreeMap::new();
    for (_, fact) in facts {
        match fact {
            Fact::Sent { msg, .. } | Fact::Copied { msg, .. } => {
                done.entry(*msg).or_insert(0);
            }
            Fact::Done { msg, .. } => *done.entry(*msg).or_insert(0) += 1,
            _ => {}
        }
    }
    done
}

/// When each partition was owned by nobody, in ms: from, to.
fn unowned(facts: &Facts, until: SimTime) -> BTreeMap<u8, Vec<(u64, u64)>> {
    let mut owners: BTreeMap<u8, BTreeSet<ActorId>> = BTreeMap::new();
    let mut since: BTreeMap<u8, u64> = BTreeMap::new();
    let mut spans: BTreeMap<u8, Vec<(u64, u64)>> = BTreeMap::new();
    for (when, fact) in facts {
        match *fact {
            Fact::Owned { by, partition, .. } => {
                owners.entry(partition).or_default().insert(by);
                let from = since.remove(&partition).unwrap_or(0);
                if owners[&partition].len() == 1 && from < ms(*when) {
                    spans.entry(partition).or_default().push((from, ms(*when)));
                }
            }
            Fact::Disowned { by, partition, .. } => {
                let of = owners.entry(partition).or_default();
                of.remove(&by);
                if of.is_empty() {
                    since.insert(partition, ms(*when));
                }
            }
            _ => {}
        }
    }
    for (partition, from) in since {
        spans.entry(partition).or_default().push((from, ms(until)));
    }
    spans
}

#[test]
fn an_idempotent_producer_stores_each_message_exactly_once() {
    let facts = facts(&open("idempotent-producer"));
    let stored = |facts: &Facts| count(facts, |fact| matches!(fact, Fact::Queued { .. }));
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Sent { .. })), 1_000);
    assert!(80 < count(&facts, |fact| matches!(fact, Fact::Retried { .. })));
    assert_eq!(stored(&facts), 1_000);
    assert!(done(&facts).values().all(|n| *n == 1));
}

#[test]
fn a_plain_producer_stores_a_message_again_for_every_answer_that_is_lost() {
    let facts = facts(&with("idempotent-producer", &[("producer.idempotence", "off")]));
    let stored = count(&facts, |fact| matches!(fact, Fact::Queued { .. }));
    // 1000 / 0.9, three standard deviations.
    assert!((1_077..=1_145).contains(&stored), "{stored}");
    assert!(done(&facts).values().all(|n| 1 <= *n));
}

/// Messages that were acknowledged and are gone.
fn acked_and_lost(facts: &Facts) -> Vec<MsgId> {
    let confirmed: BTreeSet<MsgId> = facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            Fact::Confirmed { msg, accepted: true, .. } => Some(*msg),
            _ => None,
        })
        .collect();
    let gone = facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Dropped { msg, why: Why::Truncated, .. } => Some(*msg),
        _ => None,
    });
    let done = done(facts);
    gone.filter(|msg| confirmed.contains(msg) && done[msg] == 0).collect()
}

#[test]
fn the_leaders_last_message_is_acknowledged_and_lost_with_acks_1_and_not_with_all() {
    let scenario = open("acks-and-failover");
    let facts_1 = facts(&scenario);
    let lost = acked_and_lost(&facts_1);
    assert_eq!(lost.len(), 1, "{lost:?}");
    let elected = count(&facts_1, |fact| matches!(fact, Fact::Elected { leader: 1, .. }));
    assert_eq!(elected, 1);
    let facts_all = facts(&with("acks-and-failover", &[("producer.acks", "all")]));
    assert_eq!(acked_and_lost(&facts_all), []);
    let done = done(&facts_all);
    let early = facts_all.iter().filter_map(|(when, fact)| match fact {
        Fact::Sent { msg, .. } if *when < at(7_000) => Some(msg),
        _ => None,
    });
    assert!(early.into_iter().all(|msg| 1 <= done[msg]), "nothing is lost");
}

#[test]
fn a_group_shares_and_groups_copy_and_a_newcomer_gets_what_is_new() {
    let scenario = open("group-and-broadcast");
    let facts = facts(&scenario);
    let who = |id: &str| actor(&scenario, id);
    let done_by = |by: ActorId, until: u64| {
        count(
            &facts.iter().filter(|(when, _)| *when < at(until)).copied().collect(),
            |fact| matches!(fact, Fact::Done { at, .. } if *at == by),
        )
    };
    let mut shares = ["mail-1", "mail-2", "mail-3"].map(|id| done_by(who(id), 1_600));
    shares.sort_unstable();
    assert_eq!(shares, [1, 2, 2]);
    assert_eq!(done_by(who("stock"), 1_600), 5);
    assert_eq!(done_by(who("audit"), 1_600), 0);
    let mail: usize = ["mail-1", "mail-2", "mail-3"].map(|id| done_by(who(id), 4_000)).iter().sum();
    assert_eq!([mail, done_by(who("stock"), 4_000), done_by(who("audit"), 4_000)], [10, 10, 5]);
}

#[test]
fn an_eager_rebalance_stops_what_moves_until_the_slowest_has_polled() {
    let scenario = open("rebalance-stop-the-world");
    let spans = unowned(&facts(&scenario), scenario.until);
    for partition in 0..3 {
        assert_eq!(spans[&partition], [(0, 6_000), (21_000, 24_500)], "p{partition}");
    }
    for partition in 3..6 {
        assert_eq!(spans[&partition], [(0, 6_000)], "p{partition}");
    }
}

#[test]
fn a_cooperative_rebalance_stops_only_what_moves_and_takes_two_rounds() {
    let scenario = open("rebalance-cooperative");
    let facts = facts(&scenario);
    let spans = unowned(&facts, scenario.until);
    for partition in 0..4 {
        assert_eq!(spans[&partition], [(0, 6_000)], "p{partition}");
    }
    for partition in 4..6 {
        assert_eq!(spans[&partition], [(0, 6_000), (24_500, 27_500)], "p{partition}");
    }
    let stable: BTreeSet<u32> = facts
        .iter()
        .filter_map(|(when, fact)| match fact {
            Fact::GroupTurned { generation, state, .. } if at(20_000) < *when => {
                (state.name() == "Stable").then_some(*generation)
            }
            _ => None,
        })
        .collect();
    assert_eq!(stable.len(), 2, "two generations: {stable:?}");
}

#[test]
fn slow_work_makes_a_member_leave_and_another_takes_over() {
    let scenario = open("max-poll-interval");
    let facts = facts(&scenario);
    let b = actor(&scenario, "b");
    let left = facts.iter().find(|(when, fact)| {
        at(10_000) < *when && matches!(fact, Fact::Disowned { by, lost: true, .. } if *by == b)
    });
    assert_eq!(left.map(|(when, _)| ms(*when)), Some(24_900));
    let spans = unowned(&facts, scenario.until);
    for partition in 3..6 {
        assert_eq!(spans[&partition][..2], [(0, 6_000), (24_900, 27_000)], "p{partition}");
    }
    // It comes back when its work is over, and the group begins a generation again.
    let back = facts.iter().find(|(when, fact)| {
        at(27_000) < *when
            && matches!(fact, Fact::GroupTurned { state, .. } if state.name() == "PreparingRebalance")
    });
    assert_eq!(back.map(|(when, _)| ms(*when)), Some(35_000));
    let twice = done(&facts).values().filter(|n| **n == 2).count();
    assert_eq!(twice, 1, "the message that took so long is done by both");
}

#[test]
fn a_commit_before_the_work_loses_a_message_and_one_after_it_repeats_one() {
    let before =
        done(&facts(&with("offset-commit-before-after", &[("consumer.commit", "before-each")])));
    let after = done(&facts(&open("offset-commit-before-after")));
    let of = |done: &BTreeMap<MsgId, u32>| done.values().copied().collect::<Vec<_>>();
    assert_eq!(of(&before), [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(of(&after), [1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_hot_partition_drowns_while_the_others_are_as_in_theory() {
    let scenario = with("hot-partition", &[("until", "15min")]);
    let facts = facts(&scenario);
    let first = actor(&scenario, "consumer-1").0;
    let mut queued: BTreeMap<MsgId, SimTime> = BTreeMap::new();
    let (mut n_done, mut n_queued) = ([0_u64; 4], 0_u64);
    let (mut sum, mut n) = (0_u64, 0_u64);
    for (when, fact) in &facts {
        match *fact {
            Fact::Queued { msg, .. } => {
                n_queued += 1;
                queued.insert(msg, *when);
            }
            Fact::Done { msg, at: who, .. } => {
                let consumer = usize::from(who.0 - first);
                n_done[consumer] += 1;
                if consumer != 2 {
                    sum += when.since(queued[&msg]).as_ns();
                    n += 1;
                }
            }
            _ => {}
        }
    }
    let seconds = 900.0;
    let backlog = (n_queued - n_done.iter().sum::<u64>()) as f64 / seconds;
    assert!((48.0..52.0).contains(&backlog), "backlog grows by {backlog}/s");
    let wait = sum as f64 / n as f64 / 1e6;
    assert!((14.0..14.6).contains(&wait), "{wait} ms in {n} messages");
}

#[test]
fn a_lag_of_thirty_seconds_takes_two_minutes_and_twenty_seconds_with_two() {
    let lag = |scenario: &Scenario| {
        let (mut behind, mut most, mut caught_up) = (0_i64, 0, None);
        for (when, fact) in &facts(scenario) {
            match fact {
                Fact::Queued { .. } => behind += 1,
                Fact::Done { .. } => behind -= 1,
                _ => {}
            }
            if *when <= at(50_000) {
                most = most.max(behind);
            } else if caught_up.is_none() && behind <= 5 {
                caught_up = Some((ms(*when) - 50_000) as f64 / 1e3);
            }
        }
        (most, caught_up.expect("it catches up"))
    };
    let (most, seconds) = lag(&open("lag-and-catch-up"));
    assert!((2_395..=2_405).contains(&most), "{most}");
    assert!((118.0..=121.0).contains(&seconds), "{seconds}");
    let (most, seconds) = lag(&with("lag-and-catch-up", &[("consumer-2.joined", "on")]));
    assert!((2_395..=2_405).contains(&most), "{most}");
    assert!((19.0..=22.0).contains(&seconds), "{seconds}");
}

/// The orders of aborted transactions, and who did which message: billing's, then the monitor's.
fn of_transactions(facts: &Facts, scenario: &Scenario) -> (BTreeSet<MsgId>, [BTreeSet<MsgId>; 2]) {
    let (shop, log) = (actor(scenario, "shop"), Node::Actor(actor(scenario, "log")));
    let refused = facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Confirmed { msg, by, accepted: false } if *by == shop => Some(*msg),
        _ => None,
    });
    let refused: BTreeSet<MsgId> = refused.collect();
    let dropped = facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Dropped { msg, at, why: Why::Aborted } if *at == log => Some(*msg),
        _ => None,
    });
    assert_eq!(dropped.collect::<BTreeSet<_>>(), refused, "the broker says the same");
    // A copy stands for what it is a copy of.
    let mut of: BTreeMap<MsgId, MsgId> = BTreeMap::new();
    let mut done = [BTreeSet::new(), BTreeSet::new()];
    for (_, fact) in facts {
        match *fact {
            Fact::Copied { msg, of: original, .. } => drop(of.insert(msg, original)),
            Fact::Done { msg, at, .. } => {
                let group = usize::from(at == actor(scenario, "monitor"));
                done[group].insert(of.get(&msg).copied().unwrap_or(msg));
            }
            _ => {}
        }
    }
    (refused, done)
}

#[test]
fn what_is_aborted_reaches_those_who_read_everything_and_nobody_else() {
    let scenario = open("transactions");
    let (all, shop) = (facts(&scenario), Node::Actor(actor(&scenario, "shop")));
    let (aborted, [billing, monitor]) = of_transactions(&all, &scenario);
    // The third, sixth and ninth, and two orders of the fifth.
    assert_eq!(aborted.len(), 3 * 5 + 2);
    assert!(aborted.is_subset(&monitor));
    assert!(aborted.is_disjoint(&billing));
    let sent = all.iter().filter_map(|(when, fact)| match fact {
        Fact::Sent { msg, .. } if *when < at(8_400) => Some(*msg),
        _ => None,
    });
    // The first order after the pause is refused: the shop does not know yet that it was fenced.
    let unwritten: BTreeSet<MsgId> = all
        .iter()
        .filter_map(|(_, fact)| match fact {
            Fact::Dropped { msg, at, why: Why::Aborted } if *at == shop => Some(*msg),
            _ => None,
        })
        .collect();
    assert_eq!(unwritten.len(), 1);
    let rest: Vec<MsgId> =
        sent.filter(|m| !aborted.contains(m) && !unwritten.contains(m)).collect();
    assert!(rest.iter().all(|msg| billing.contains(msg) && monitor.contains(msg)));
    assert!(done(&all).values().all(|n| *n <= 1));
    // Whoever reads everything gets what was taken back, and a knob makes billing one of them.
    let scenario = with("transactions", &[("billing.isolation", "read-uncommitted")]);
    let [n_billed, n_seen] = ["billing", "monitor"].map(|id| {
        let who = actor(&scenario, id);
        count(&facts(&scenario), |fact| matches!(fact, Fact::Done { at, .. } if *at == who))
    });
    assert_eq!(n_billed, n_seen);
}

#[test]
fn an_open_transaction_holds_up_all_that_comes_after_it_until_its_time_is_over() {
    let scenario = open("transactions");
    let facts = facts(&scenario);
    let turned = |wanted: TxnTurn| {
        let hit = |(when, fact): &(SimTime, Fact)| match fact {
            Fact::TxnTurned { turn, .. } if *turn == wanted => Some(ms(*when)),
            _ => None,
        };
        facts.iter().filter_map(hit).collect::<Vec<_>>()
    };
    assert_eq!(turned(TxnTurn::TimesOut), [5_110], "3 s after its first record came");
    let billing = actor(&scenario, "billing");
    let mut sent = BTreeMap::new();
    let mut slowest = (0, 0);
    for (when, fact) in &facts {
        match fact {
            Fact::Sent { msg, .. } => drop(sent.insert(*msg, ms(*when))),
            Fact::Done { msg, at, .. } if *at == billing => {
                let late = ms(*when) - sent[msg];
                slowest = slowest.max((late, sent[msg]));
            }
            _ => {}
        }
    }
    // A return of 2.5 s, behind two orders of 2.1 s and 2.2 s: done at 5.125 s.
    assert_eq!(slowest, (2_625, 2_500));
    // When the shop goes on it is told that it is another now, and goes on with new orders.
    assert!(turned(TxnTurn::Fenced).is_empty());
    let last = turned(TxnTurn::Committed).pop().expect("a transaction");
    assert!(8_000 < last, "{last}");
    let none = with("transactions", &[("shop.transaction", "0")]);
    let held = |facts: &Facts| {
        let cause = Cause::OpenTransaction;
        count(facts, |fact| matches!(fact, Fact::Held { cause: c, .. } if *c == cause))
    };
    assert!(40 < held(&facts));
    assert_eq!(held(&self::facts(&none)), 0, "without transactions nobody waits");
}

#[test]
fn a_restart_aborts_what_was_left_open_and_fences_its_predecessor() {
    let text = preset::find("transactions").expect("a preset").text;
    let text = text.replace("\"pause\"", "\"crash\"").replace("\"4s\"", "\"100ms\"");
    let scenario = Scenario::parse(&text).expect("a document");
    let facts = facts(&scenario);
    let fenced: Vec<(u64, u32)> = facts
        .iter()
        .filter_map(|(when, fact)| match fact {
            Fact::TxnTurned { turn: TxnTurn::Fenced, epoch, .. } => Some((ms(*when), *epoch)),
            _ => None,
        })
        .collect();
    assert_eq!(fenced, [(2_360, 5)], "the fifth, long before its timeout");
    let lost_then = facts.iter().filter(|(when, fact)| {
        (2_200..2_500).contains(&ms(*when))
            && matches!(fact, Fact::Dropped { why: Why::Aborted, .. })
    });
    assert_eq!(lost_then.count(), 2, "the two orders that were written");
    let epochs = facts.iter().filter_map(|(_, fact)| match fact {
        Fact::TxnTurned { turn: TxnTurn::Begun, epoch, .. } => Some(*epoch),
        _ => None,
    });
    assert!(epochs.is_sorted_by(|a, b| a < b), "every transaction is of a later incarnation");
}

/// When each message's work was done, in ms from the first.
fn done_after(scenario: &Scenario) -> Vec<u64> {
    let done = facts(scenario).into_iter().filter_map(|(when, fact)| match fact {
        Fact::Done { .. } => Some(ms(when)),
        _ => None,
    });
    let done: Vec<u64> = done.collect();
    done.iter().map(|when| when - done[0]).collect()
}

#[test]
fn a_commit_that_is_waited_for_costs_a_round_trip() {
    let text = r#"
        format = 1
        id = "commits"
        until = "5s"
        [[actor]]
        id = "producer"
        kind = "log-producer"
        arrivals = "bursts"
        burst = 5
        limit = 5
        [[actor]]
        id = "log"
        kind = "log-broker"
        partitions = 1
        initial-delay = "0s"
        [[actor]]
        id = "consumer"
        kind = "log-consumer"
        service = "1ms"
        start = "earliest"
        commit = "after-each"
        request-timeout = "200ms"
        [[channel]]
        id = "path"
        from = "producer"
        to = "log"
        [[channel]]
        id = "delivery"
        from = "log"
        to = "consumer"
        delay = "10ms"
    "#;
    let with = |changes: &[(&str, &str)]| {
        let mut scenario = Scenario::parse(text).expect("a document");
        for (path, value) in changes {
            scenario.set(path, value).unwrap_or_else(|why| panic!("{path}: {why:?}"));
        }
        done_after(&scenario)
    };
    let sync = ("consumer.commit-wait", "sync");
    assert_eq!(with(&[]), [0, 1, 2, 3, 4]);
    assert_eq!(with(&[sync]), [0, 21, 42, 63, 84], "1 ms of work, 20 ms there and back");
    let before = ("consumer.commit", "before-each");
    assert_eq!(with(&[sync, before]), [0, 21, 42, 63, 84]);
    let batch = ("consumer.commit", "after-batch");
    assert_eq!(with(&[sync, batch]), [0, 1, 2, 3, 4], "one commit for all of them");
    // The next fetch comes first, then the first commit, which is written again.
    let lossy = format!(
        "{text}[[fault]]\nat = \"75ms\"\ndo = \"lose\"\nchannel = \"delivery\"\nway = \"back\"\nnth = 2\n"
    );
    let mut scenario = Scenario::parse(&lossy).expect("a document");
    scenario.set("consumer.commit-wait", "sync").expect("a choice");
    let late = done_after(&scenario);
    assert_eq!(late, [0, 221, 242, 263, 284], "200 ms later");
}
