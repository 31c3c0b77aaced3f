//! Conversations that show lwIP's surprising rules, and properties of any conversation.

use super::memory::PoolKind;
use super::{Addr, LwipParams, Options, Socket, Stack};
use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::{Errno, Flags, Hold, Outbox, Segment, Signal, SockOpt, TimerKind};
use crate::param::{Amount, Bytes};
use proptest::prelude::*;

const DELAY: SimSpan = SimSpan::us(37);

/// Two boards and the wire between them.
struct Pair {
    now: SimTime,
    stacks: [Stack; 2],
    sockets: [Socket; 2],
    /// Arrival, at which end, what.
    wire: Vec<(SimTime, u8, Segment)>,
    signals: [Vec<Signal>; 2],
    /// Everything that left: time in µs, from which end, flags, payload.
    seen: Vec<(u64, u8, Flags, u32)>,
    /// So many of the next segments of an end are lost.
    lose: [u32; 2],
    /// Says for each segment whether it is lost.
    losses: Vec<bool>,
    out: Outbox,
}

impl Pair {
    fn new(options: [Options; 2]) -> Pair {
        let [a, b] = options;
        Pair {
            now: SimTime::ZERO,
            stacks: [Stack::new(a, 1500), Stack::new(b, 1500)],
            sockets: [
                Socket::new(Addr { port: 5000, peer: 1, peer_port: 80 }),
                Socket::new(Addr { port: 80, peer: 0, peer_port: 5000 }),
            ],
            wire: Vec::new(),
            signals: Default::default(),
            seen: Vec::new(),
            lose: [0; 2],
            losses: Vec::new(),
            out: Outbox::default(),
        }
    }

    fn connected(options: [Options; 2]) -> Pair {
        let mut pair = Pair::new(options);
        pair.open();
        pair.run_us(20_000);
        assert_eq!(pair.signals[0], [Signal::Connected]);
        assert_eq!(pair.signals[1], [Signal::Connected]);
        pair.forget();
        pair
    }

    fn open(&mut self) {
        self.sockets[1].listen(self.now, &mut self.stacks[1]).unwrap();
        self.sockets[0].connect(self.now, &mut self.stacks[0], &mut self.out).unwrap();
        self.sent(0);
    }

    fn forget(&mut self) {
        self.seen.clear();
        self.signals = Default::default();
    }

    fn write(&mut self, end: usize, bytes: u32) -> Result<u32, Errno> {
        let stack = &mut self.stacks[end];
        let done = self.sockets[end].write(self.now, stack, bytes, false, &mut self.out);
        self.sent(end);
        done
    }

    fn read(&mut self, end: usize, max: u32) -> Result<u32, Errno> {
        let stack = &mut self.stacks[end];
        let done = self.sockets[end].read(self.now, stack, max, &mut self.out);
        self.sent(end);
        done
    }

    fn close(&mut self, end: usize) {
        self.sockets[end].close(self.now, &mut self.stacks[end], &mut self.out);
        self.sent(end);
    }

    /// Puts what an end sent on the wire.
    fn sent(&mut self, end: usize) {
        for segment in self.out.segments.drain(..) {
            let us = self.now.ns() / 1_000;
            self.seen.push((us, end as u8, segment.flags, segment.len));
            let is_lost = self.losses.pop().unwrap_or(false) || 0 < self.lose[end];
            self.lose[end] = self.lose[end].saturating_sub(1);
            if !is_lost {
                self.wire.push((self.now + DELAY, 1 - end as u8, segment));
            }
        }
        self.signals[end].append(&mut self.out.signals);
    }

    /// Does the next thing, if it is due by `until`.
    fn step(&mut self, until: SimTime) -> bool {
        let arrival = self.wire.iter().map(|(at, ..)| *at).min();
        let timers = self.stacks.iter().filter_map(Stack::next_wake).min();
        let Some(next) = [arrival, timers].into_iter().flatten().min() else { return false };
        if until < next {
            return false;
        }
        self.now = next;
        if let Some(place) = self.wire.iter().position(|(at, ..)| *at == next) {
            let (_, end, segment) = self.wire.remove(place);
            let end = usize::from(end);
            let stack = &mut self.stacks[end];
            self.sockets[end].on_segment(next, stack, &segment, &mut self.out);
            self.sent(end);
            return true;
        }
        for end in 0..2 {
            if self.stacks[end].next_wake().is_some_and(|at| at <= next) {
                self.stacks[end].on_wake(next);
                self.sockets[end].collect(&mut self.stacks[end], &mut self.out);
                self.sent(end);
            }
        }
        true
    }

    fn run_us(&mut self, us: u64) {
        let until = self.now + SimSpan::us(us);
        while self.step(until) {}
        self.now = until;
    }

    /// Times, senders and payloads of segments with data.
    fn data(&self) -> Vec<(u64, u8, u32)> {
        let with_data = self.seen.iter().filter(|row| 0 < row.3);
        with_data.map(|(us, end, _, len)| (*us, *end, *len)).collect()
    }

    /// Times and senders of acknowledgements without data.
    fn acks(&self) -> Vec<(u64, u8)> {
        let bare = self.seen.iter().filter(|row| row.3 == 0);
        bare.map(|(us, end, ..)| (*us, *end)).collect()
    }
}

fn cubemx() -> Options {
    Options::default()
}

fn article() -> Options {
    Options::from(&LwipParams {
        tcp_mss: Bytes(1460),
        tcp_oversize: Bytes(1460),
        tcp_wnd: Bytes(8192),
        tcp_snd_buf: Bytes(8192),
        tcp_snd_queuelen: Amount(23),
        tcp_wnd_update_threshold: Bytes(2048),
        mem_size: Bytes(65_536),
        memp_num_tcp_seg: Amount(32),
        memp_num_pbuf: Amount(32),
        pbuf_pool_size: Amount(32),
        pbuf_pool_bufsize: Bytes(2048),
        ..LwipParams::default()
    })
}

#[test]
fn one_write_one_reply_waits_for_nobody() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    assert_eq!(pair.write(0, 1), Ok(1));
    pair.run_us(37);
    assert_eq!(pair.read(1, 10), Ok(1));
    assert_eq!(pair.write(1, 1), Ok(1));
    pair.run_us(37);
    assert_eq!(pair.read(0, 10), Ok(1));
    // The reply carries the acknowledgement: there is no other segment.
    assert_eq!(pair.seen.len(), 2);
    assert_eq!(pair.now.ns() / 1_000, 20_074);
}

#[test]
fn the_second_small_write_waits_for_the_peers_fast_timer() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    pair.write(0, 1).unwrap();
    pair.write(0, 1).unwrap();
    assert_eq!(pair.sockets[0].hold(&pair.stacks[0]), Some(Hold::Nagle));
    pair.run_us(100);
    let timers = pair.sockets[1].timers(&pair.stacks[1]);
    assert_eq!(timers[0].kind, TimerKind::DelayedAck);
    assert_eq!(timers[0].due.ns(), 250_000_000);
    pair.run_us(300_000);
    assert_eq!(pair.data(), [(20_000, 0, 1), (250_037, 0, 1)]);
}

#[test]
fn nodelay_lets_the_second_small_write_go() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    pair.sockets[0].set(&mut pair.stacks[0], SockOpt::Nodelay(true));
    pair.write(0, 1).unwrap();
    pair.write(0, 1).unwrap();
    assert_eq!(pair.data(), [(20_000, 0, 1), (20_000, 0, 1)]);
    assert_eq!(pair.sockets[0].hold(&pair.stacks[0]), None);
}

#[test]
fn nodelay_meets_the_limit_of_buffers_long_before_that_of_bytes() {
    for (options, n_writes) in [(cubemx(), 9), (article(), 23)] {
        let mut pair = Pair::connected([options, options]);
        pair.sockets[0].set(&mut pair.stacks[0], SockOpt::Nodelay(true));
        let done = (0..100).take_while(|_| pair.write(0, 10).is_ok()).count();
        assert_eq!(done, n_writes);
        assert_eq!(pair.write(0, 10), Err(Errno::NoMem));
        // The acknowledgement makes room, and the program hears of it.
        pair.run_us(300_000);
        assert!(pair.signals[0].contains(&Signal::Writable));
    }
}

#[test]
fn nagle_gathers_small_writes_in_one_buffer() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    let done = (0..50).take_while(|_| pair.write(0, 10).is_ok()).count();
    assert_eq!(done, 50);
    pair.run_us(300_000);
    assert_eq!(pair.data(), [(20_000, 0, 10), (250_037, 0, 490)]);
}

#[test]
fn a_chain_longer_than_the_driver_takes_never_leaves() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    pair.sockets[0].set(&mut pair.stacks[0], SockOpt::Nodelay(true));
    pair.stacks[0].core.netif.tx_max_pbufs = 4;
    let id = pair.sockets[0].pcb.unwrap();
    // Six writes before one output make a chain of six.
    for _ in 0..6 {
        let (pcb, core) = pair.stacks[0].pcb_mut(id).unwrap();
        pcb.write(core, 10, super::From::Copy, false).unwrap();
    }
    pair.run_us(60_000_000);
    assert_eq!(pair.data(), []);
    assert_eq!(pair.sockets[0].hold(&pair.stacks[0]), Some(Hold::Device));
    let xmit = pair.stacks[0].core.stats.xmit;
    assert!(100 < xmit, "every slow tick tries again: {xmit}");
}

#[test]
fn data_that_nagle_holds_keep_the_acknowledgement_back_for_ever() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    // One byte in flight, whose acknowledgement is lost again and again; another waits.
    pair.write(0, 1).unwrap();
    pair.write(0, 1).unwrap();
    pair.lose = [0, 100];
    pair.run_us(100);
    pair.lose = [0, 0];
    // Data arrive: nothing acknowledges them, at the fast tick neither.
    pair.sockets[1].set(&mut pair.stacks[1], SockOpt::Nodelay(true));
    let before = pair.seen.len();
    let segment =
        Segment { flags: Flags::ACK, seq: 1, ack: 1, len: 3, window: 2144, ..Segment::default() };
    let (now, stack) = (pair.now, &mut pair.stacks[0]);
    pair.sockets[0].on_segment(now, stack, &segment, &mut pair.out);
    stack.on_wake(SimTime::ZERO + SimSpan::ms(250));
    pair.sockets[0].collect(stack, &mut pair.out);
    pair.sent(0);
    assert_eq!(pair.seen.len(), before);
    let id = pair.sockets[0].pcb.unwrap();
    assert!(!pair.stacks[0].pcb(id).unwrap().flags.any(super::Tf::ACK_DELAY));
}

#[test]
fn every_second_segment_is_acknowledged_at_once_whatever_its_size() {
    let mut pair = Pair::connected([article(), article()]);
    pair.sockets[0].set(&mut pair.stacks[0], SockOpt::Nodelay(true));
    for _ in 0..4 {
        pair.write(0, 1).unwrap();
    }
    pair.run_us(100);
    assert_eq!(pair.acks(), [(20_037, 1), (20_037, 1)]);
}

#[test]
fn an_acknowledgement_without_memory_is_tried_once_more_and_forgotten() {
    let small = Options { mem_size: 256, ..article() };
    let mut pair = Pair::connected([article(), small]);
    let blocks: Vec<u32> =
        (0..).map_while(|_| pair.stacks[1].core.memory.heap.malloc(12)).collect();
    pair.sockets[0].set(&mut pair.stacks[0], SockOpt::Nodelay(true));
    pair.write(0, 1).unwrap();
    pair.write(0, 1).unwrap();
    pair.run_us(240_000);
    for block in blocks {
        pair.stacks[1].core.memory.heap.free(block);
    }
    // There is room again, and yet nothing comes until the other end repeats itself.
    pair.run_us(700_000);
    assert_eq!(pair.acks(), []);
    pair.run_us(3_000_000);
    assert!(!pair.acks().is_empty());
}

#[test]
fn a_syn_without_a_free_connection_is_dropped_silently() {
    let mut pair = Pair::new([cubemx(), Options { memp_num_tcp_pcb: 1, ..cubemx() }]);
    pair.sockets[1].listen(pair.now, &mut pair.stacks[1]).unwrap();
    let syn = |peer_port| {
        (Addr { port: 80, peer: 0, peer_port }, Segment { flags: Flags::SYN, ..Segment::default() })
    };
    let stack = &mut pair.stacks[1];
    for peer_port in [1, 2] {
        let (addr, segment) = syn(peer_port);
        assert!(stack.on_frame(pair.now, addr, &segment));
    }
    let answered: Vec<u16> = stack.take_frames().iter().map(|f| f.addr.peer_port).collect();
    assert_eq!(answered, [1]);
    // All four ways to make room were tried.
    assert_eq!(stack.core.memory.pool(PoolKind::TcpPcb).usage.err, 5);
}

#[test]
fn the_timer_runs_from_the_first_connection_to_the_last() {
    let mut stack = Stack::new(cubemx(), 1500);
    let mut socket = Socket::new(Addr { port: 5000, peer: 1, peer_port: 80 });
    let mut out = Outbox::default();
    let at = |us| SimTime::ZERO + SimSpan::us(us);
    assert_eq!(stack.next_wake(), None);
    socket.connect(at(613_300), &mut stack, &mut out).unwrap();
    // Whole milliseconds: 613 + 250.
    assert_eq!(stack.next_wake(), Some(at(863_000)));
    socket.abort(at(700_000), &mut stack, &mut out);
    stack.on_wake(at(863_000));
    assert_eq!(stack.next_wake(), None);
}

#[test]
fn syns_are_repeated_by_ticks_and_given_up_after_the_seventh() {
    let mut pair = Pair::new([cubemx(), cubemx()]);
    pair.lose = [100, 0];
    pair.open();
    pair.run_us(30_000_000);
    let times: Vec<u64> = pair.seen.iter().map(|row| row.0 / 1_000).collect();
    assert_eq!(times, [0, 2_750, 5_750, 8_750, 11_750, 14_750, 17_750]);
    assert_eq!(pair.signals[0], [Signal::Broken(Errno::TimedOut)]);
    assert!(pair.stacks[0].core.memory.is_all_free());
}

#[test]
fn the_least_timeout_is_three_slow_ticks() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    pair.run_us(1_000_000);
    // Every second segment is acknowledged at once: within a tick.
    pair.sockets[0].set(&mut pair.stacks[0], SockOpt::Nodelay(true));
    for _ in 0..8 {
        pair.write(0, 1).unwrap();
        pair.write(0, 1).unwrap();
        pair.run_us(500_000);
        pair.read(1, 10).unwrap();
    }
    let id = pair.sockets[0].pcb.unwrap();
    assert_eq!(pair.stacks[0].pcb(id).unwrap().rto, 3);
    pair.lose = [1, 0];
    pair.forget();
    let began = pair.now.ns() / 1_000;
    pair.write(0, 1).unwrap();
    pair.run_us(3_000_000);
    let again = pair.data()[1].0 - began;
    assert!((1_000_000..=1_500_000).contains(&again), "{again} us");
}

#[test]
fn a_write_larger_than_the_heap_never_succeeds() {
    let mut pair = Pair::connected([Options { mem_size: 1600, ..article() }, article()]);
    assert_eq!(pair.write(0, 8192), Err(Errno::NoMem));
    assert_eq!(pair.stacks[0].core.memory.heap.usage.used, 0);
    assert_eq!(pair.write(0, 1000), Ok(1000));
}

#[test]
fn a_reader_that_sits_on_its_data_closes_the_window_and_is_probed() {
    let mut pair = Pair::connected([article(), cubemx()]);
    let mut sent = 0;
    for _ in 0..20 {
        sent += pair.write(0, 4096).unwrap_or(0);
        pair.run_us(300_000);
    }
    assert_eq!(pair.sockets[1].n_readable(), 2144);
    assert_eq!(pair.sockets[0].hold(&pair.stacks[0]), Some(Hold::Persist));
    assert!(pair.seen.iter().any(|row| row.1 == 0 && row.3 == 1), "a probe of one byte");
    let mut got = 0;
    while got < sent {
        got += pair.read(1, 65_535).unwrap_or(0);
        pair.run_us(500_000);
    }
    assert_eq!(got, sent);
}

#[test]
fn closing_with_unread_data_resets() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    pair.write(0, 10).unwrap();
    pair.run_us(100);
    pair.close(1);
    pair.run_us(100);
    assert!(pair.seen.iter().any(|row| row.1 == 1 && row.2.has(Flags::RST)));
    assert_eq!(pair.signals[0], [Signal::Broken(Errno::ConnReset)]);
    assert!(pair.stacks.iter().all(|stack| stack.core.memory.is_all_free()));
}

#[test]
fn both_ends_close_and_all_is_given_back() {
    let mut pair = Pair::connected([cubemx(), cubemx()]);
    pair.close(0);
    pair.run_us(100);
    assert_eq!(pair.signals[1], [Signal::PeerClosed]);
    pair.close(1);
    pair.run_us(1_000);
    assert_eq!(pair.stacks[0].time_wait().len(), 1);
    pair.run_us(130_000_000);
    for stack in &pair.stacks {
        assert!(stack.core.memory.is_all_free());
        assert_eq!(stack.core.memory.tcp_pcb.usage.used, 0);
        assert_eq!(stack.next_wake(), None);
    }
    assert_eq!(pair.signals[0].last(), Some(&Signal::Closed));
    assert_eq!(pair.signals[1].last(), Some(&Signal::Closed));
}

fn any_options() -> impl Strategy<Value = Options> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0u32..3).prop_map(
        |(large, nodelay, tcp_queue_ooseq, fast, oversize)| {
            let base = if large { article() } else { cubemx() };
            Options {
                nodelay,
                tcp_queue_ooseq,
                tcp_tmr_interval_ms: if fast { 10 } else { 250 },
                tcp_oversize: base.tcp_oversize * oversize / 2 / 4 * 4,
                ..base
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_byte_arrives_and_everything_is_given_back(
        options in [any_options(), any_options()],
        losses in prop::collection::vec(prop::bool::weighted(0.15), 0..60),
        steps in prop::collection::vec((0usize..2, 1u32..3000, 0u64..50_000), 1..30),
    ) {
        let mut pair = Pair::connected(options);
        pair.losses = losses;
        let (mut written, mut got) = ([0u64; 2], [0u64; 2]);
        let mut read_all = |pair: &mut Pair| {
            for (end, got) in got.iter_mut().enumerate() {
                while let Ok(n) = pair.read(end, 1_000) {
                    *got += u64::from(n);
                    if n == 0 {
                        break;
                    }
                }
            }
            got
        };
        for (end, bytes, pause_us) in steps {
            written[end] += u64::from(pair.write(end, bytes).unwrap_or(0));
            pair.run_us(pause_us);
            read_all(&mut pair);
        }
        let mut got = [0; 2];
        for _ in 0..600 {
            pair.run_us(500_000);
            got = read_all(&mut pair);
            if got[1] == written[0] && got[0] == written[1] {
                break;
            }
        }
        prop_assert_eq!(got[1], written[0]);
        prop_assert_eq!(got[0], written[1]);
        pair.losses.clear();
        pair.close(0);
        pair.run_us(30_000_000);
        pair.close(1);
        pair.run_us(150_000_000);
        for stack in &pair.stacks {
            prop_assert!(stack.core.memory.is_all_free());
            prop_assert_eq!(stack.core.memory.tcp_pcb.usage.used, 0);
            prop_assert_eq!(stack.core.memory.heap.blocks().count(), 1);
            prop_assert_eq!(stack.next_wake(), None);
        }
    }
}
