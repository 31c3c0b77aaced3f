//! Two TCP ends on a bad wire: every byte arrives, in order, and both ends close.

use inflight::kernel::random::Streams;
use inflight::kernel::{SimSpan, SimTime};
use inflight::model::ground::Lane;
use inflight::model::message::ChannelId;
use inflight::model::tcp::stack::{Socket, State};
use inflight::model::tcp::{
    AckRule, Congestion, Errno, LinuxParams, NagleRule, Outbox, RfcParams, SockOpt, StackParams,
};
use inflight::model::wire::{Frame, Tag, Way, Wire};
use inflight::param::{Amount, BitRate, Bytes, Ppm};
use proptest::prelude::*;

/// Longest run: a run that needs more has got stuck.
const END: SimTime = SimTime::from_ns(3_600_000_000_000);
/// Most events of a run.
const MAX_EVENTS: u32 = 2_000_000;

/// An application: writes so much in pieces, reads all, closes.
#[derive(Clone, Debug)]
struct App {
    left: u32,
    piece: u32,
    got: u32,
    /// Wait with reading: after each read nothing for so long.
    pause: SimSpan,
    next_read: SimTime,
    has_closed: bool,
    is_at_end: bool,
}

#[derive(Clone, PartialEq, Debug)]
struct Pair {
    ends: [Socket; 2],
    wire: Wire,
}

fn lane_from(who: usize) -> Lane {
    if who == 0 { Lane::Forth } else { Lane::Back }
}

struct Run {
    pair: Pair,
    apps: [App; 2],
    out: Outbox,
    streams: Streams,
    now: SimTime,
    n_segments: u32,
}

impl Run {
    fn new(params: [StackParams; 2], ways: [Way; 2], apps: [App; 2], seed: u64) -> Run {
        let ends = [Socket::new(&params[0], 1500), Socket::new(&params[1], 1500)];
        let wire = Wire::new(ways[0], ways[1], Vec::new(), 1);
        Run {
            pair: Pair { ends, wire },
            apps,
            out: Outbox::default(),
            streams: Streams::new(seed),
            now: SimTime::ZERO,
            n_segments: 0,
        }
    }

    fn flush(&mut self, who: usize) {
        self.out.signals.clear();
        for segment in self.out.segments.drain(..) {
            let frame =
                Frame { channel: ChannelId(0), back: who == 1, segment, tag: Tag::default() };
            self.n_segments += 1;
            self.pair.wire.send(lane_from(who), self.now, frame, self.streams);
        }
    }

    fn run_app(&mut self, who: usize) {
        let (end, app) = (&mut self.pair.ends[who], &mut self.apps[who]);
        while 0 < app.left {
            match end.write(self.now, app.left.min(app.piece), false, &mut self.out) {
                Ok(n) => app.left -= n,
                Err(Errno::Again) => break,
                Err(errno) => panic!("a write failed: {errno:?} in {:?}", end.state()),
            }
        }
        while !app.is_at_end && app.next_read <= self.now {
            match end.read(self.now, 10_000, &mut self.out) {
                Ok(0) => app.is_at_end = true,
                Ok(n) => {
                    app.got += n;
                    app.next_read = self.now + app.pause;
                }
                Err(Errno::Again) => break,
                Err(errno) => panic!("a read failed: {errno:?} in {:?}", end.state()),
            }
        }
        let is_open = matches!(end.state(), State::Established | State::CloseWait);
        if app.left == 0 && is_open && !app.has_closed {
            app.has_closed = true;
            end.shutdown(self.now, &mut self.out);
        }
        self.flush(who);
    }

    /// The next thing that happens: when, and what.
    fn next(&self) -> Option<(SimTime, usize)> {
        let pair = &self.pair;
        let reads = [0, 1].map(|who: usize| {
            let app = &self.apps[who];
            let has_news = 0 < pair.ends[who].readable() || pair.ends[who].at_end_of_stream();
            (has_news && !app.is_at_end && self.now < app.next_read).then_some(app.next_read)
        });
        let all = [
            pair.wire.next_arrival(Lane::Forth),
            pair.wire.next_arrival(Lane::Back),
            pair.ends[0].next_wake(),
            pair.ends[1].next_wake(),
            reads[0],
            reads[1],
        ];
        let all = all.iter().enumerate().filter_map(|(what, at)| at.map(|at| (at, what)));
        all.min()
    }

    fn go(&mut self) {
        self.pair.ends[1].listen();
        self.pair.ends[0].connect(self.now, &mut self.out);
        self.flush(0);
        for _ in 0..MAX_EVENTS {
            if !self.step() {
                break;
            }
        }
    }

    /// One event; whether there was one.
    fn step(&mut self) -> bool {
        let Some((at, what)) = self.next().filter(|(at, _)| *at < END) else { return false };
        assert!(self.now <= at, "time goes back");
        self.now = at;
        let who = match what {
            0 => 1,
            1 => 0,
            other => other % 2,
        };
        match what {
            0 | 1 => {
                let lane = lane_from(1 - who);
                let frame = self.pair.wire.take_arrived(lane, at).expect("it arrives now");
                self.pair.ends[who].on_segment(at, &frame.segment, &mut self.out);
            }
            2 | 3 => self.pair.ends[who].on_wake(at, &mut self.out),
            _ => {}
        }
        self.flush(who);
        self.run_app(who);
        true
    }
}

fn app(bytes: u32, piece: u32, pause_us: u64) -> App {
    App {
        left: bytes,
        piece,
        got: 0,
        pause: SimSpan::us(pause_us),
        next_read: SimTime::ZERO,
        has_closed: false,
        is_at_end: false,
    }
}

fn linux() -> impl Strategy<Value = StackParams> {
    let buffers = prop_oneof![Just(0), 2_304_u64..300_000];
    (any::<[bool; 6]>(), buffers.clone(), buffers).prop_map(|(on, send, receive)| {
        let congestion = if on[0] { Congestion::Cubic } else { Congestion::Reno };
        StackParams::Linux(LinuxParams {
            congestion,
            sack: on[1],
            timestamps: on[2],
            window_scaling: on[3],
            loss_probe: on[4],
            nodelay: on[5],
            send_buffer: Bytes(send),
            receive_buffer: Bytes(receive),
            ..LinuxParams::default()
        })
    })
}

fn rfc() -> impl Strategy<Value = StackParams> {
    let buffers = 600_u64..100_000;
    (any::<[bool; 4]>(), 0..3_usize, 0..3_usize, buffers.clone(), buffers).prop_map(
        |(on, nagle, ack, send, receive)| {
            StackParams::Rfc(RfcParams {
                nagle: NagleRule::ALL[nagle],
                ack: AckRule::ALL[ack],
                congestion: if on[0] { Congestion::Cubic } else { Congestion::Reno },
                sack: on[1],
                timestamps: on[2],
                window_scaling: on[3],
                send_buffer: Bytes(send),
                receive_buffer: Bytes(receive),
                initial_window: Amount(4),
                ..RfcParams::default()
            })
        },
    )
}

fn way() -> impl Strategy<Value = Way> {
    let chance = || prop_oneof![Just(0_u32), 0..150_000_u32];
    let rate = prop_oneof![Just(0_u64), 100_000..200_000_000_u64];
    (
        rate,
        0..60_000_u64,
        chance(),
        chance(),
        chance(),
        prop_oneof![Just(None), (2..30_u32).prop_map(Some)],
    )
        .prop_map(|(rate, delay_us, loss, reorder, duplicate, queue_limit)| Way {
            rate: BitRate(rate),
            delay: SimSpan::us(delay_us),
            loss: Ppm(loss),
            reorder: Ppm(reorder),
            reorder_by: SimSpan::us(delay_us / 2 + 300),
            duplicate: Ppm(duplicate),
            queue_limit,
            ..Way::default()
        })
}

fn check(params: [StackParams; 2], ways: [Way; 2], apps: [App; 2], seed: u64) {
    let wanted = [apps[1].left, apps[0].left];
    let mut run = Run::new(params.clone(), ways, apps.clone(), seed);
    run.go();
    for who in [0, 1] {
        let (end, app) = (&run.pair.ends[who], &run.apps[who]);
        assert_eq!(app.got, wanted[who], "end {who} at {:?}: {end:?}", run.now);
        assert!(app.is_at_end, "end {who} saw no end: {:?}", end.state());
        assert_eq!(end.state(), State::Closed, "end {who}");
    }
    let mut again = Run::new(params, ways, apps, seed);
    again.go();
    assert!(again.pair == run.pair, "the same run ends the same");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn linux_ends_deliver_every_byte_and_close(
        a in linux(), b in linux(), forth in way(), back in way(), seed in any::<u64>(),
        sizes in [0..120_000_u32, 0..20_000_u32], piece in 1..5_000_u32, pause in 0..3_000_u64,
    ) {
        let apps = [app(sizes[0], piece, 0), app(sizes[1], piece, pause)];
        check([a, b], [forth, back], apps, seed);
    }

    #[test]
    fn ends_by_the_standards_deliver_every_byte_and_close(
        a in rfc(), b in rfc(), forth in way(), back in way(), seed in any::<u64>(),
        sizes in [0..60_000_u32, 0..20_000_u32], piece in 1..5_000_u32, pause in 0..3_000_u64,
    ) {
        let apps = [app(sizes[0], piece, 0), app(sizes[1], piece, pause)];
        check([a, b], [forth, back], apps, seed);
    }

    #[test]
    fn a_linux_end_and_one_by_the_standards_understand_each_other(
        a in linux(), b in rfc(), forth in way(), back in way(), seed in any::<u64>(),
        sizes in [0..60_000_u32, 0..60_000_u32], piece in 1..5_000_u32,
    ) {
        let apps = [app(sizes[0], piece, 0), app(sizes[1], piece, 0)];
        check([a, b], [forth, back], apps, seed);
    }
}

#[test]
fn a_slow_reader_stops_a_fast_writer_and_nothing_is_lost() {
    let mut run = Run::new(
        [StackParams::Linux(LinuxParams::default()), StackParams::Linux(LinuxParams::default())],
        [Way { delay: SimSpan::ms(5), ..Way::default() }; 2],
        [app(500_000, 100_000, 0), app(0, 1, 20_000)],
        3,
    );
    let out = &mut Outbox::default();
    let set = SockOpt::ReceiveBuffer(8_192);
    run.pair.ends[1].set(SimTime::ZERO, set, out).expect("a new socket takes options");
    run.go();
    assert_eq!(run.apps[1].got, 500_000);
    assert!(run.apps[1].is_at_end);
}

/// Time in ms until all of one write has arrived, over 10 Mbit/s and 1 ms each way.
fn block_ms(sender: StackParams, receiver: StackParams, bytes: u32) -> u64 {
    let way = Way { rate: BitRate(10_000_000), delay: SimSpan::ms(1), ..Way::default() };
    let apps = [app(bytes, bytes, 0), app(0, 1, 0)];
    let mut run = Run::new([sender, receiver], [way; 2], apps, 1);
    // The sender does not close: a FIN would take the waiting tail with it.
    run.apps[0].has_closed = true;
    let mut all_there = None;
    run.pair.ends[1].listen();
    run.pair.ends[0].connect(run.now, &mut run.out);
    run.flush(0);
    while all_there.is_none() {
        run.step();
        if run.apps[1].got == bytes {
            all_there = Some(run.now.ns() / 1_000_000);
        }
    }
    all_there.expect("the loop ends with it")
}

/// Cheshire, "TCP performance problems caused by interaction between Nagle's algorithm and
/// delayed ACK" (2005): with 1448 bytes a segment, 100 000 bytes are 69 segments and 88 bytes.
#[test]
fn an_odd_block_stalls_under_nagles_rule_and_a_delayed_ack() {
    let rfc = |nagle| {
        let (timestamps, buffer) = (true, Bytes(1 << 20));
        StackParams::Rfc(RfcParams { nagle, timestamps, send_buffer: buffer, ..Default::default() })
    };
    let linux = || StackParams::Linux(LinuxParams::default());
    let (odd, even) = (69 * 1448 + 88, 68 * 1448 + 88);
    let classic = || rfc(NagleRule::Classic);
    let stalled = block_ms(classic(), classic(), odd);
    let smooth = block_ms(classic(), classic(), even);
    assert!((195..=210).contains(&(stalled - smooth)), "{stalled} ms, {smooth} ms");
    for sender in [rfc(NagleRule::Minshall), rfc(NagleRule::Off), linux()] {
        let ms = block_ms(sender, classic(), odd);
        assert!(ms < smooth + 10, "{ms} ms: no other rule stalls");
    }
}
