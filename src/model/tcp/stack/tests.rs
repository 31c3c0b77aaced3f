//! Dialogues: one end, and a test that plays the other.

use super::*;
use crate::model::tcp::{
    AckRule, Flags, Hold, LinuxParams, NagleRule, RfcParams, Sack, Segment, Signal, Stamps,
    TimerKind,
};

/// The end under test, the clock, and what the other end has said so far.
struct Dialogue {
    end: Socket,
    now: SimTime,
    out: Outbox,
    /// Next position of the other end.
    seq: u64,
    /// The window that the other end offers.
    window: u32,
    sack: Sack,
}

/// Payload of a full segment with timestamps at an MTU of 1500.
const FULL: u32 = 1448;

fn linux() -> StackParams {
    StackParams::Linux(LinuxParams { congestion: Congestion::Reno, ..LinuxParams::default() })
}

fn rfc(change: impl FnOnce(&mut RfcParams)) -> StackParams {
    let mut params = RfcParams::default();
    change(&mut params);
    StackParams::Rfc(params)
}

impl Dialogue {
    /// A server to which the test has connected, 10 ms away.
    fn server(params: &StackParams) -> Dialogue {
        Dialogue::server_with_options(params, &[])
    }

    fn server_with_options(params: &StackParams, options: &[SockOpt]) -> Dialogue {
        let mut end = Socket::new(params, 1500);
        let mut out = Outbox::default();
        for option in options {
            end.set(SimTime::ZERO, *option, &mut out).expect("a new socket takes options");
        }
        end.listen();
        let mut it = Dialogue {
            end,
            now: SimTime::ZERO,
            out,
            seq: 0,
            window: 65_535,
            sack: Sack::default(),
        };
        let is_linux = matches!(params, StackParams::Linux(_));
        let syn = Segment {
            flags: Flags::SYN,
            window: 65_535,
            mss: Some(1460),
            wscale: is_linux.then_some(0),
            sack_permitted: is_linux,
            stamps: is_linux.then_some(Stamps { value: 1, echo: 0 }),
            ..Segment::default()
        };
        it.end.on_segment(it.now, &syn, &mut it.out);
        it.out.segments.clear();
        it.seq = 1;
        it.wait_ms(10);
        it.say(0, 1);
        assert_eq!(it.end.state(), State::Established);
        it
    }

    fn wait_us(&mut self, us: u64) {
        let until = self.now + SimSpan::us(us);
        while let Some(at) = self.end.next_wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.end.on_wake(self.now, &mut self.out);
        }
        self.now = until;
    }

    fn wait_ms(&mut self, ms: u64) {
        self.wait_us(ms * 1_000);
    }

    /// The other end sends data and an acknowledgement.
    fn say(&mut self, len: u32, ack: u64) {
        let is_end_of_write = 0 < len && len < FULL;
        let flags = if is_end_of_write { Flags::ACK.with(Flags::PSH) } else { Flags::ACK };
        self.say_flags(flags, self.seq, len, ack);
        self.seq += u64::from(len);
    }

    fn say_flags(&mut self, flags: Flags, seq: u64, len: u32, ack: u64) {
        let stamps = self.end.options.timestamps.then_some(Stamps { value: 1, echo: 0 });
        let (window, sack) = (self.window, self.sack);
        let segment = Segment { flags, seq, len, ack, window, stamps, sack, ..Segment::default() };
        self.end.on_segment(self.now, &segment, &mut self.out);
    }

    fn write(&mut self, bytes: u32) {
        let taken = self.end.write(self.now, bytes, false, &mut self.out);
        assert_eq!(taken, Ok(bytes));
    }

    fn read(&mut self, bytes: u32) {
        let read = self.end.read(self.now, bytes, &mut self.out);
        assert_eq!(read, Ok(bytes));
    }

    /// What the end has sent: position and length of each segment.
    fn heard(&mut self) -> Vec<(u64, u32)> {
        self.out.segments.drain(..).map(|s| (s.seq, s.len)).collect()
    }

    /// What the end has acknowledged.
    fn acks(&mut self) -> Vec<u64> {
        self.out.segments.drain(..).map(|s| s.ack).collect()
    }

    /// How long until the end says something, in ms, at most `most`.
    fn silence_ms(&mut self, most: u64) -> u64 {
        assert!(self.out.segments.is_empty());
        let from = self.now;
        for _ in 0..most * 10 {
            self.wait_us(100);
            if !self.out.segments.is_empty() {
                break;
            }
        }
        (self.now - from).as_ns() / 1_000_000
    }
}

#[test]
fn a_small_write_waits_while_a_small_one_is_unacknowledged() {
    let mut it = Dialogue::server(&linux());
    it.write(4);
    it.write(10);
    assert_eq!(it.heard(), [(1, 4)]);
    assert_eq!(it.end.hold(), Some(Hold::Nagle));
    it.say(0, 5);
    assert_eq!(it.heard(), [(5, 10)]);
    assert_eq!(it.end.hold(), None);
}

#[test]
fn the_short_tail_of_a_write_leaves_at_once_under_minshalls_rule() {
    let mut it = Dialogue::server(&linux());
    it.write(2 * FULL + 500);
    assert_eq!(it.heard(), [(1, FULL), (1449, FULL), (2897, 500)]);
}

#[test]
fn the_short_tail_of_a_write_waits_under_nagles_rule() {
    let mut it = Dialogue::server(&rfc(|_| {}));
    it.write(1460 + 500);
    assert_eq!(it.heard(), [(1, 1460)]);
    assert_eq!(it.end.hold(), Some(Hold::Nagle));
    it.say(0, 1461);
    assert_eq!(it.heard(), [(1461, 500)]);
}

#[test]
fn without_nagle_every_write_leaves_at_once() {
    let mut it = Dialogue::server(&rfc(|params| params.nagle = NagleRule::Off));
    it.write(4);
    it.write(10);
    assert_eq!(it.heard(), [(1, 4), (5, 10)]);
}

#[test]
fn setting_nodelay_pushes_what_waits() {
    let mut it = Dialogue::server(&linux());
    it.write(4);
    it.write(10);
    it.heard();
    it.end.set(it.now, SockOpt::Nodelay(true), &mut it.out).expect("it is connected");
    assert_eq!(it.heard(), [(5, 10)]);
}

#[test]
fn a_cork_holds_even_with_nodelay_and_leaves_when_it_is_drawn() {
    let mut it = Dialogue::server(&linux());
    for option in [SockOpt::Nodelay(true), SockOpt::Cork(true)] {
        it.end.set(it.now, option, &mut it.out).expect("it is connected");
    }
    it.write(40);
    it.write(40);
    assert!(it.heard().is_empty());
    assert_eq!(it.end.hold(), Some(Hold::Cork));
    it.end.set(it.now, SockOpt::Cork(false), &mut it.out).expect("it is connected");
    assert_eq!(it.heard(), [(1, 80)]);
}

#[test]
fn a_cork_that_nobody_draws_holds_for_the_retransmission_timeout() {
    let mut it = Dialogue::server(&linux());
    it.end.set(it.now, SockOpt::Cork(true), &mut it.out).expect("it is connected");
    it.write(40);
    let silence = it.silence_ms(1_000);
    assert!((212..=220).contains(&silence), "{silence} ms");
    assert_eq!(it.heard(), [(1, 40)]);
}

#[test]
fn a_write_that_announces_more_waits_for_it() {
    let mut it = Dialogue::server(&linux());
    assert_eq!(it.end.write(it.now, 40, true, &mut it.out), Ok(40));
    assert!(it.heard().is_empty());
    it.write(10);
    assert_eq!(it.heard(), [(1, 50)]);
}

#[test]
fn a_closing_end_sends_its_fin_with_the_last_data() {
    let mut it = Dialogue::server(&linux());
    it.write(4);
    it.write(10);
    it.heard();
    it.end.close(it.now, &mut it.out);
    let last = it.out.segments.pop().expect("the held data leaves");
    assert_eq!((last.seq, last.len), (5, 10));
    assert!(last.flags.has(Flags::FIN));
}

#[test]
fn the_first_segments_are_acknowledged_at_once_then_they_wait() {
    let mut it = Dialogue::server(&linux());
    for n in 1..=16 {
        it.say(100, 1);
        assert_eq!(it.acks(), [1 + n * 100]);
    }
    it.say(100, 1);
    let silence = it.silence_ms(1_000);
    assert!((40..=44).contains(&silence), "{silence} ms");
    assert_eq!(it.acks(), [1701]);
}

#[test]
fn a_quick_reply_makes_later_acknowledgements_wait_for_data() {
    let mut it = Dialogue::server(&linux());
    it.say(100, 1);
    it.read(100);
    it.write(1);
    it.acks();
    it.say(4, 2);
    it.read(4);
    assert!(it.acks().is_empty(), "in ping-pong mode it waits");
    assert!(it.end.timers().any(|timer| timer.kind == TimerKind::DelayedAck));
    let silence = it.silence_ms(1_000);
    assert!((40..=44).contains(&silence), "{silence} ms");
}

#[test]
fn quickack_ends_ping_pong_and_sends_what_is_due() {
    let mut it = Dialogue::server(&linux());
    it.say(100, 1);
    it.read(100);
    it.write(1);
    it.acks();
    it.say(4, 2);
    it.read(4);
    it.end.set(it.now, SockOpt::Quickack(true), &mut it.out).expect("it is connected");
    assert_eq!(it.acks(), [105]);
}

#[test]
fn a_reader_that_empties_the_buffer_acknowledges_a_small_segment() {
    let mut it = Dialogue::server(&linux());
    for _ in 0..30 {
        it.say(100, 1);
        it.end.read(it.now, 100, &mut it.out).expect("there is data");
        assert_eq!(it.acks().len(), 1);
        it.wait_ms(30);
    }
}

#[test]
fn by_the_standards_one_segment_waits_and_the_second_full_one_does_not() {
    let mut it = Dialogue::server(&rfc(|_| {}));
    it.say(1460, 1);
    it.say(1460, 1);
    assert_eq!(it.acks(), [2921]);
    it.say(1460, 1);
    assert_eq!(it.silence_ms(1_000), 200);
    assert_eq!(it.acks(), [4381]);
}

#[test]
fn a_heartbeat_acknowledges_at_its_beat() {
    let mut it = Dialogue::server(&rfc(|params| params.ack = AckRule::Heartbeat));
    it.wait_ms(140);
    it.say(100, 1);
    assert_eq!(it.silence_ms(1_000), 50, "the beat at 200 ms");
    it.acks();
    it.wait_ms(20);
    it.say(100, 1);
    assert_eq!(it.silence_ms(1_000), 180, "the beat at 400 ms");
}

#[test]
fn without_a_delay_every_segment_is_acknowledged() {
    let mut it = Dialogue::server(&rfc(|params| params.ack = AckRule::Immediate));
    it.say(1, 1);
    it.say(1, 1);
    assert_eq!(it.acks(), [2, 3]);
}

#[test]
fn a_gap_is_reported_at_once_with_the_range_behind_it() {
    let mut it = Dialogue::server(&linux());
    it.say(FULL, 1);
    it.out.segments.clear();
    it.say_flags(Flags::ACK, 2897, FULL, 1);
    let ack = it.out.segments.pop().expect("at once");
    assert_eq!(ack.ack, 1449);
    assert_eq!(ack.sack.blocks(), [(2897, 4345)]);
    it.say_flags(Flags::ACK, 1449, FULL, 1);
    let ack = it.out.segments.pop().expect("at once");
    assert_eq!((ack.ack, ack.sack.blocks().len()), (4345, 0));
}

#[test]
fn a_duplicate_is_reported() {
    let mut it = Dialogue::server(&linux());
    it.say(100, 1);
    it.out.segments.clear();
    it.say_flags(Flags::ACK, 1, 100, 1);
    let ack = it.out.segments.pop().expect("at once");
    assert_eq!((ack.ack, ack.sack.blocks()), (101, &[(1, 101)][..]));
}

#[test]
fn ten_segments_leave_before_the_first_acknowledgement() {
    let mut it = Dialogue::server(&linux());
    it.write(20 * FULL);
    assert_eq!(it.heard().len(), 10);
    assert_eq!(it.end.hold(), Some(Hold::CongestionWindow));
    it.wait_ms(20);
    it.say(0, 1 + u64::from(FULL));
    assert_eq!(it.heard().len(), 2, "slow start: one acknowledged, two may leave");
}

#[test]
fn the_third_duplicate_acknowledgement_brings_the_lost_segment_back() {
    let mut it = Dialogue::server(&rfc(|_| {}));
    it.write(10 * 1460);
    it.heard();
    it.wait_ms(20);
    it.say(0, 1461);
    it.heard();
    for _ in 0..2 {
        it.say(0, 1461);
        assert!(it.heard().iter().all(|(seq, _)| *seq != 1461));
    }
    it.say(0, 1461);
    assert_eq!(it.heard().first(), Some(&(1461, 1460)));
    assert_eq!(it.end.tcp_info().ssthresh, 5, "half of eleven");
}

#[test]
fn selective_acknowledgements_bring_the_lost_segment_back() {
    let mut it = Dialogue::server(&linux());
    it.write(10 * FULL);
    it.heard();
    it.wait_ms(20);
    for n in 2..=4_u64 {
        it.sack = Sack::default();
        it.sack.push(1449, 1 + n * u64::from(FULL));
        it.say(0, 1);
    }
    assert_eq!(it.heard(), [(1, FULL)]);
    it.sack = Sack::default();
    it.wait_ms(20);
    it.say(0, 14_481);
    assert_eq!(it.end.tcp_info().unacked, 0);
    assert_eq!(it.end.tcp_info().total_retrans, 1);
}

#[test]
fn a_probe_after_two_round_trips_of_silence_then_the_timeout_doubles() {
    let mut it = Dialogue::server(&linux());
    it.write(2 * FULL);
    it.heard();
    let silence = it.silence_ms(1_000);
    assert!((22..=32).contains(&silence), "2 * 10 ms + 2 ms: {silence} ms");
    assert_eq!(it.heard(), [(1449, FULL)], "the last segment again");
    let first = it.silence_ms(1_000);
    assert!((208..=224).contains(&first), "{first} ms");
    assert_eq!(it.heard(), [(1, FULL)]);
    let second = it.silence_ms(2_000);
    assert!((2 * 208..=500).contains(&second), "{second} ms");
}

#[test]
fn by_the_standards_the_timeout_is_a_second_at_least_and_doubles() {
    let mut it = Dialogue::server(&rfc(|_| {}));
    it.write(100);
    it.heard();
    for seconds in [1_000, 2_000, 4_000] {
        assert_eq!(it.silence_ms(10_000), seconds);
        assert_eq!(it.heard(), [(1, 100)]);
    }
}

#[test]
fn syns_are_resent_each_second_by_linux_and_at_doubling_times_by_the_standards() {
    let times = |params: &StackParams| {
        let mut end = Socket::new(params, 1500);
        let mut out = Outbox::default();
        end.connect(SimTime::ZERO, &mut out);
        let mut times = Vec::new();
        for _ in 0..3 {
            let at = end.next_wake().expect("a SYN is out");
            end.on_wake(at, &mut out);
            times.push(at.ns() / 1_000_000_000);
        }
        times
    };
    assert_eq!(times(&linux()), [1, 2, 3]);
    assert_eq!(times(&rfc(|_| {})), [1, 3, 7]);
}

#[test]
fn a_lost_syn_halves_the_threshold_and_two_leave_one_segment() {
    for (n_lost, cwnd) in [(1, 10), (2, 1)] {
        let mut end = Socket::new(&linux(), 1500);
        let mut out = Outbox::default();
        end.connect(SimTime::ZERO, &mut out);
        let mut now = SimTime::ZERO;
        for _ in 0..n_lost {
            now = end.next_wake().expect("a SYN is out");
            end.on_wake(now, &mut out);
        }
        let answer = Segment {
            flags: Flags::SYN.with(Flags::ACK),
            ack: 1,
            window: 65_535,
            mss: Some(1460),
            sack_permitted: true,
            ..Segment::default()
        };
        end.on_segment(now + SimSpan::ms(10), &answer, &mut out);
        assert_eq!(end.tcp_info().cwnd, cwnd);
        assert_eq!(end.tcp_info().ssthresh, 5);
        assert_eq!(end.tcp_info().rto, 3_000_000, "without timestamps nothing was measured");
    }
}

#[test]
fn a_closed_window_is_probed_and_the_probe_has_no_data() {
    let mut it = Dialogue::server(&linux());
    it.window = 0;
    it.say(0, 1);
    it.write(100);
    assert!(it.heard().is_empty());
    let silence = it.silence_ms(1_000);
    assert!((208..=224).contains(&silence), "{silence} ms");
    assert_eq!(it.end.hold(), Some(Hold::Persist));
    assert_eq!(it.heard(), [(0, 0)], "one before the first unacknowledged");
    let again = it.silence_ms(2_000);
    assert!((2 * 208..=480).contains(&again), "{again} ms");
    it.window = 1000;
    it.heard();
    it.say(0, 1);
    assert_eq!(it.heard(), [(1, 100)]);
}

#[test]
fn less_than_a_segment_of_room_is_offered_as_nothing() {
    let mut it = Dialogue::server_with_options(&linux(), &[SockOpt::ReceiveBuffer(4_096)]);
    for _ in 0..3 {
        it.say(FULL, 1);
    }
    it.wait_ms(100);
    let last = it.out.segments.pop().expect("it acknowledges");
    assert_eq!((last.ack, last.window), (4345, 0), "800 bytes would fit");
    it.out.segments.clear();
    it.read(3 * FULL);
    let update = it.out.segments.pop().expect("the window opens");
    assert_eq!(update.ack, 4345);
    assert!(2 * FULL <= update.window, "{}", update.window);
}

#[test]
fn an_idle_end_begins_with_a_small_window_again() {
    let mut it = Dialogue::server(&linux());
    it.write(20 * FULL);
    for n in 1..=20_u64 {
        it.wait_ms(5);
        it.say(0, 1 + n * u64::from(FULL));
    }
    assert!(20 <= it.end.tcp_info().cwnd);
    it.wait_ms(2_000);
    it.write(1);
    assert_eq!(it.end.tcp_info().cwnd, 10);
}

#[test]
fn closing_with_unread_data_resets() {
    let mut it = Dialogue::server(&linux());
    it.say(100, 1);
    it.out.segments.clear();
    it.end.close(it.now, &mut it.out);
    let last = it.out.segments.pop().expect("a reset");
    assert!(last.flags.has(Flags::RST));
    assert_eq!(it.end.state(), State::Closed);
}

#[test]
fn a_reset_is_told_once_and_then_the_pipe_is_broken() {
    let mut it = Dialogue::server(&linux());
    it.say_flags(Flags::RST, 1, 0, 0);
    assert!(it.out.signals.contains(&Signal::Broken(Errno::ConnReset)));
    let write = |it: &mut Dialogue| it.end.write(it.now, 1, false, &mut it.out);
    assert_eq!(write(&mut it), Err(Errno::ConnReset));
    assert_eq!(write(&mut it), Err(Errno::Pipe));
}

#[test]
fn a_half_closed_end_still_reads_and_acknowledges() {
    let mut it = Dialogue::server(&linux());
    it.end.shutdown(it.now, &mut it.out);
    assert_eq!(it.end.state(), State::FinWait1);
    it.out.segments.clear();
    it.say(50, 2);
    assert_eq!(it.end.state(), State::FinWait2);
    it.read(50);
    assert_eq!(it.acks().last(), Some(&51));
    it.say_flags(Flags::ACK.with(Flags::FIN), 51, 0, 2);
    assert_eq!(it.end.state(), State::TimeWait);
    assert_eq!(it.end.read(it.now, 10, &mut it.out), Ok(0));
}

#[test]
fn nobody_home_answers_a_syn_with_a_reset() {
    let mut end = Socket::new(&linux(), 1500);
    let mut out = Outbox::default();
    let syn = Segment { flags: Flags::SYN, ..Segment::default() };
    end.on_segment(SimTime::ZERO, &syn, &mut out);
    let answer = out.segments.pop().expect("an answer");
    assert_eq!((answer.flags, answer.ack), (Flags::RST.with(Flags::ACK), 1));
}

#[test]
fn a_wake_that_comes_early_does_nothing() {
    let mut it = Dialogue::server(&linux());
    it.write(4);
    it.heard();
    let before = it.end.clone();
    it.end.on_wake(it.now, &mut it.out);
    assert!(it.end == before);
    assert!(it.heard().is_empty());
}
