//! The presets of STM32 boards show the figures that their stories name; those of records are met
//! to the nanosecond.

use inflight::kernel::SimTime;
use inflight::model::fact::{Cause, Fact, Lost};
use inflight::model::ground::Lane as Side;
use inflight::model::message::{ActorId, ChannelId};
use inflight::model::stm32::Snapshot;
use inflight::world::preset;
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};

/// A run to its end, and all its facts.
struct Run {
    scenario: Scenario,
    session: Session,
    facts: Vec<(SimTime, Fact)>,
}

fn run(id: &str, changes: &[(&str, &str)]) -> Run {
    let mut scenario = preset::find(id).expect("a preset").open();
    for (path, value) in changes {
        scenario.set(path, value).unwrap_or_else(|problem| panic!("{problem}"));
    }
    let mut session = Session::new(scenario.clone(), Watch::All);
    session.seek(scenario.until);
    assert_eq!(session.stopped(), None);
    let mut facts = Vec::new();
    session.retell(&mut |at, fact| {
        facts.push((at, *fact));
        true
    });
    Run { scenario, session, facts }
}

impl Run {
    fn actor(&self, id: &str) -> ActorId {
        let place = self.scenario.actors.iter().position(|actor| actor.id == id);
        ActorId(place.expect("an actor") as u16)
    }

    fn channel(&self, id: &str) -> ChannelId {
        let place = self.scenario.channels.iter().position(|channel| channel.id == id);
        ChannelId(place.expect("a channel") as u16)
    }

    fn board(&self, id: &str) -> Snapshot {
        let place = self.scenario.hosts.iter().position(|host| host.id == id);
        let world = self.session.world();
        let host = &world.ground.hosts[place.expect("a host")];
        host.board.as_ref().expect("a board").snapshot(world.now())
    }

    /// From the first message that `client` sent since its last answer to the answer, in ns.
    fn rounds(&self, client: &str) -> Vec<u64> {
        let client = self.actor(client);
        let (mut asked, mut rounds) = (None, Vec::new());
        for (at, fact) in &self.facts {
            match fact {
                Fact::Sent { by, .. } if *by == client => drop(asked.get_or_insert(*at)),
                Fact::Done { at: who, .. } if *who == client => {
                    rounds.extend(asked.take().map(|asked| at.since(asked).as_ns()));
                }
                _ => {}
            }
        }
        rounds
    }

    /// When segments with data went one way, and whether again and how long.
    fn segments(&self, channel: &str, from_back: bool) -> Vec<(u64, bool, u32)> {
        let channel = self.channel(channel);
        let data = self.facts.iter().filter_map(|(at, fact)| match fact {
            Fact::SegmentDeparted { channel: c, back, again, len, .. }
                if *c == channel && *back == from_back && 0 < *len =>
            {
                Some((at.ns(), *again, *len))
            }
            _ => None,
        });
        data.collect()
    }

    fn n_again(&self, channel: &str, from_back: bool) -> usize {
        self.segments(channel, from_back).iter().filter(|segment| segment.1).count()
    }

    fn drops(&self, why: Lost) -> Vec<u64> {
        let drops = self.facts.iter().filter_map(|(at, fact)| match fact {
            Fact::FrameDropped { why: w, .. } if *w == why => Some(at.ns()),
            _ => None,
        });
        drops.collect()
    }

    /// When the last message was delivered at `actor`, in ns.
    fn last_done(&self, actor: &str) -> u64 {
        let actor = self.actor(actor);
        let done = self.facts.iter().filter_map(|(at, fact)| match fact {
            Fact::Done { at: who, .. } if *who == actor => Some(at.ns()),
            _ => None,
        });
        done.last().expect("a delivery")
    }

    fn mean(&self, cause: Cause) -> u64 {
        self.session.seen().budget.mean(cause).as_ns()
    }
}

fn is_near(value: u64, middle: u64, percent: u64) -> bool {
    value.abs_diff(middle) * 100 <= middle * percent
}

#[test]
fn p1_the_articles_claims_are_looked_up_and_said_to_be_claims() {
    let claims = run("ten-ms-to-one-ms", &[]);
    for (host, least_us, most_us) in [
        ("default", 10_200, 12_500),
        ("macro-only", 4_500, 5_500),
        ("no-dma", 2_700, 3_300),
        ("optimised", 1_000, 1_200),
    ] {
        let rounds = claims.rounds(host);
        assert_eq!(rounds.len(), 20, "{host}");
        let inside = |ns: &u64| (least_us * 1_000..=most_us * 1_000).contains(ns);
        assert!(rounds.iter().all(inside), "{host}: {rounds:?}");
        assert!(claims.board(host).claim.is_some(), "{host}");
    }
    let percent = |host: &str| claims.board(host).claim.map(|claim| claim.cpu_percent());
    assert_eq!(["default", "no-dma"].map(percent), [Some(15), Some(80)]);
    // All but the wire and the PC is a claim, and called one.
    assert!(50 * claims.mean(Cause::Propagation) < claims.mean(Cause::Claim));
    let off = ["default", "macro-only", "no-dma", "optimised"].map(|h| format!("{h}.article"));
    let off: Vec<(&str, &str)> = off.iter().map(|path| (path.as_str(), "off")).collect();
    let real = run("ten-ms-to-one-ms", &off);
    assert_eq!(real.rounds("default"), [224_000; 20]);
    assert_eq!(real.mean(Cause::Claim), 0);
}

#[test]
fn p2_three_sets_of_options_take_224_us_each() {
    let run = run("same-latency-three-configs", &[]);
    for (host, channel) in [("cubemx", "tcp-1"), ("article", "tcp-2"), ("optimised", "tcp-3")] {
        assert_eq!(run.rounds(host), [224_000; 10], "{host}");
        assert_eq!(run.n_again(channel, false) + run.n_again(channel, true), 0, "{host}");
    }
}

#[test]
fn p3_with_costs_and_one_switch_a_request_takes_159_us_and_a_kilohertz_two_percent() {
    let script = "at 20ms; repeat 100 {; write 1; read 1; sleep 841us; }";
    let pc = "repeat 100 {; read 1; sleep 100us; write 1; }";
    let run = run(
        "same-latency-three-configs",
        &[
            ("cubemx.free-of-cost", "off"),
            ("cubemx.driver", "zero-copy"),
            ("cubemx.loop-period", "1us"),
            ("cubemx.do", script),
            ("pc-1.do", pc),
            // A switch takes a frame in whole and 3 us.
            ("wire-1.rate", "100Mbit/s"),
            ("wire-1.framing", "38B"),
            ("wire-1.least", "46B"),
            ("wire-1.delay", "9720ns"),
        ],
    );
    let rounds = run.rounds("cubemx");
    assert_eq!(rounds.len(), 100);
    assert!(rounds.iter().all(|ns| is_near(*ns, 159_000, 15)), "{rounds:?}");
    let board = run.board("cubemx");
    // A hundred milliseconds of requests.
    let work = board.load.total().saturating_sub(board.load.tx_wait).as_ns() / 1_000;
    assert!(is_near(work, 2_400, 20), "{work} us in 100 ms: 2.4 % of the processor");
    let wait = board.load.tx_wait.as_ns() / 1_000;
    assert!((600..=1_000).contains(&wait), "{wait} us in 100 ms: 0.8 % waiting");
    assert!(0 < run.mean(Cause::Cpu) && 0 < run.mean(Cause::Dma) && 0 < run.mean(Cause::Phy));
}

#[test]
fn p4_a_loop_of_ten_milliseconds_makes_a_round_trip_of_ten_milliseconds() {
    let slow = run("slow-super-loop", &[]);
    assert_eq!(slow.rounds("board"), [10_000_000; 20]);
    assert!(10 * slow.mean(Cause::Propagation) < slow.mean(Cause::MainLoop));
    let changes = [("board.hal-delay", "10ms"), ("board.printf-characters", "15"), ("until", "1s")];
    let rounds = run("slow-super-loop", &changes).rounds("board");
    let late = |ns: &u64| ns.abs_diff(11_300_000) <= 200_000;
    assert!(rounds[1..].iter().all(late), "{rounds:?}");
}

#[test]
fn p5_write_write_read_stalls_for_as_long_as_the_peer_delays() {
    let run = run("write-write-read-board", &[]);
    for (host, us) in [
        ("delay-200", 200_298),
        ("delay-40", 40_298),
        ("no-delay", 298),
        ("nodelay", 224),
        ("one-write", 224),
    ] {
        assert_eq!(run.rounds(host), [us * 1_000; 5], "{host}");
    }
}

#[test]
fn p6_two_boards_lock_to_each_others_timer() {
    let run = run("two-boards", &[]);
    let (slow, fast) = (run.rounds("board-a"), run.rounds("fast-a"));
    assert_eq!((slow[0], fast[0]), (230_111_000, 10_111_000));
    assert!(slow[1..].iter().all(|ns| *ns == 189_000_000), "{slow:?}");
    assert!(fast[1..].iter().all(|ns| *ns == 8_700_000), "{fast:?}");
}

#[test]
fn p7_a_timer_of_10_ms_sends_again_what_was_not_lost() {
    let run = run("tmr-10-spurious-retransmit", &[]);
    let again: Vec<u64> =
        run.segments("tcp", false).iter().filter(|s| s.1).map(|s| s.0 / 1_000).collect();
    // 49.7 ms after 500.3 and 900.3 ms.
    assert_eq!(again, [550_000, 950_000]);
    let rounds = run.rounds("board");
    assert_eq!(rounds[..30], [224_000; 30]);
    assert_eq!(rounds[30..], [49_998_000; 2]);
    let lost = |(_, fact): &&(SimTime, Fact)| {
        matches!(fact, Fact::SegmentLost { .. } | Fact::FrameDropped { .. })
    };
    assert_eq!(run.facts.iter().filter(lost).count(), 0);
}

#[test]
fn p8_a_lost_request_costs_a_retransmission_timeout() {
    let run = run("lost-request", &[]);
    for (host, index, us) in
        [("cold", 1, 2_720_000), ("warm", 41, 1_121_040), ("tmr-10", 41, 54_040)]
    {
        let rounds = run.rounds(host);
        assert_eq!(rounds[index], us * 1_000, "{host}");
        let others = rounds.iter().enumerate().filter(|(n, _)| *n != index);
        assert!(others.clone().all(|(_, ns)| *ns == 224_000), "{host}: {rounds:?}");
    }
}

#[test]
fn p9_hal_delay_makes_the_pc_send_every_answer_twice_more() {
    let run = run("hal-delay-loop", &[]);
    assert_eq!(run.rounds("board"), [224_000; 3]);
    let again: Vec<u64> =
        run.segments("tcp", true).iter().filter(|s| s.1).map(|s| s.0 / 1_000).collect();
    assert_eq!(again, [320_187, 920_187, 1_320_487, 1_920_487, 2_320_787, 2_920_787]);
    let board = run.board("board");
    assert_eq!((board.counters.missed, board.counters.no_pbuf), (0, 0));
}

#[test]
fn p10_many_small_writes_meet_the_queue_of_segments_and_the_driver() {
    let burst = run("err-mem", &[]);
    let lens = |run: &Run, channel: &str| -> Vec<u32> {
        run.segments(channel, false).iter().map(|segment| segment.2).collect()
    };
    assert_eq!(lens(&burst, "tcp-1"), [10, 536, 454]);
    assert_eq!(burst.segments("tcp-1", false)[2].0, 20_074_000);
    assert_eq!(burst.board("nagle").counters.err_mem, 0);
    assert_eq!(burst.board("nodelay").counters.err_mem, 15);
    let last = burst.segments("tcp-2", false).last().expect("a segment").0;
    assert_eq!(last, 1_420_814_000, "1.40 s after the burst");
    assert!(0 < burst.mean(Cause::SegmentQueue));

    let hang = run("four-descriptors-hang", &[]);
    assert_eq!(lens(&hang, "tcp").iter().sum::<u32>(), 240, "of 400");
    let refused = hang.drops(Lost::Refused);
    let ticks = (250..12_000).step_by(500).map(|ms| ms * 1_000_000);
    assert!(ticks.clone().all(|tick| refused.contains(&tick)), "every 500 ms: {refused:?}");
    assert!(refused.iter().all(|at| *at < 221_000_000 || ticks.clone().any(|t| t == *at)));
    let more = run("four-descriptors-hang", &[("board.tx-descriptors", "9")]);
    assert_eq!(lens(&more, "tcp").iter().sum::<u32>(), 400, "with nine it does not hang");
}

#[test]
fn p11_a_hundred_kilobytes_go_as_fast_as_the_send_buffer_lets_them() {
    let run = run("bulk-100k", &[]);
    let us = |pc: &str| (run.last_done(pc) - 20_000_000) / 1_000;
    assert!(us("pc-1").abs_diff(8_846) <= 1, "{}", us("pc-1"));
    // The record rounds every packet up to a microsecond, a hundred round trips long.
    assert!(us("pc-2").abs_diff(28_496) <= 5, "{}", us("pc-2"));
    assert_eq!(us("pc-3"), 1_801_900);
}

#[test]
fn p12_an_empty_pool_drops_frames_and_the_pc_sends_them_again() {
    let run = run("pool-exhausted", &[]);
    let drops = run.drops(Lost::NoPbuf);
    assert_eq!(drops.len(), 5, "{drops:?}");
    assert_eq!(drops[..3], [20_037_000; 3]);
    let received = run.session.world().ground.tcp_gauges(run.channel("tcp"), Side::Forth);
    assert_eq!(received.rcv_nxt, 5_001);
    assert_eq!(run.n_again("tcp", true), 6);
    let whole = run.facts.iter().filter_map(|(at, fact)| match fact {
        Fact::Landed { .. } => Some(at.ns() / 1_000),
        _ => None,
    });
    assert_eq!(whole.last(), Some(1_850_074), "5000 bytes are complete");
    assert!(0 < run.mean(Cause::NoPbuf));
}

#[test]
fn a_receiver_that_nobody_wakes_stays_silent_on_an_h7_only() {
    let stall = run("rx-stall", &[]);
    assert!(stall.board("board").is_rx_suspended);
    assert!(!stall.board("f407").is_rx_suspended);
    let n_done = |run: &Run, id: &str| {
        let who = run.actor(id);
        let done = |(_, f): &&(SimTime, Fact)| matches!(f, Fact::Done { at, .. } if *at == who);
        run.facts.iter().filter(done).count()
    };
    assert_eq!(n_done(&stall, "f407"), 40);
    assert!(n_done(&stall, "board") < 40);
    assert!(!stall.drops(Lost::NoDescriptor).is_empty());
    assert!(0 < stall.mean(Cause::RxRing));
    let cured = run("rx-stall", &[("board.forgets-resume", "off")]);
    assert_eq!(n_done(&cured, "board"), 40);
}

#[test]
fn a_reading_passes_every_layer_from_tcp_write_to_the_acknowledgement() {
    let run = run("sensor-to-broker", &[]);
    let ledger = &run.session.seen().ledger;
    assert_eq!((ledger.sent, ledger.lost), (500, 0));
    assert!(498 <= ledger.delivered);
    for cause in [
        Cause::Cpu,
        Cause::Dma,
        Cause::Phy,
        Cause::Serialisation,
        Cause::Propagation,
        Cause::Processing,
    ] {
        assert!(0 < run.mean(cause), "{cause:?}");
    }
    let acked = |(_, fact): &&(SimTime, Fact)| matches!(fact, Fact::Acked { .. });
    assert!(498 <= run.facts.iter().filter(acked).count());
    assert_eq!(run.board("sensor").counters, Default::default());
}
