use super::*;
use crate::model::stm32::mac::Rate;
use crate::model::stm32::part::Resume;
use crate::model::stm32::{Optimisation, Part};
use crate::model::tcp::lwip::memory::PbufId;
use crate::model::tcp::lwip::{Addr, Answer, Event, From, PcbId};
use crate::model::tcp::{Flags, Segment};

const SERVER: u16 = 80;
/// A switch: it takes a frame in whole, and 3 us.
const SWITCH: SimSpan = SimSpan::us(3);

fn ms(n: u64) -> SimTime {
    SimTime::ZERO + SimSpan::ms(n)
}

fn typical(part: Part, driver: Driver, rhythm: Rhythm) -> Config {
    let config = Config::typical(part, Options::default()).expect("it has Ethernet");
    Config { driver, rhythm, ..config }
}

/// A client: requests at fixed times, and a burst of writes when it is connected.
#[derive(Default)]
struct Client {
    pcb: Option<PcbId>,
    due: Vec<SimTime>,
    nodelay: bool,
    burst: Vec<u32>,
    /// It keeps what it receives.
    keeps: bool,
    held: Vec<(PbufId, u32)>,
    n_replies: u32,
    n_refused_writes: u32,
    asked_at: Vec<SimTime>,
}

impl Client {
    fn at(times: &[u64]) -> Client {
        let due = std::iter::once(SimTime::ZERO).chain(times.iter().map(|n| ms(*n))).collect();
        Client { due, ..Client::default() }
    }

    fn free_all(&mut self, now: SimTime, stack: &mut Stack) {
        for (chain, len) in self.held.drain(..) {
            stack.core.memory.free(chain);
            if let Some(pcb) = self.pcb {
                stack.recved(now, pcb, len);
            }
        }
    }
}

impl App for Client {
    fn on(&mut self, stack: &mut Stack, pcb: PcbId, _: Addr, event: Event) -> Answer {
        match event {
            Event::Connected => {
                let Some((pcb, core)) = stack.pcb_mut(pcb) else { return Answer::Ok };
                pcb.set_nodelay(self.nodelay);
                for len in std::mem::take(&mut self.burst) {
                    let done = pcb.write(core, len, From::Copy, false);
                    self.n_refused_writes += u32::from(done.is_err());
                }
            }
            Event::Recv { chain, len } => {
                self.n_replies += 1;
                self.held.push((chain, len));
                if !self.keeps {
                    self.free_all(stack.core.now, stack);
                }
            }
            _ => {}
        }
        Answer::Ok
    }
}

impl Program for Client {
    fn next_due(&self) -> Option<SimTime> {
        self.due.first().copied()
    }

    fn work(&mut self, now: SimTime, stack: &mut Stack) {
        while self.due.first().is_some_and(|due| *due <= now) {
            self.due.remove(0);
            let Some(id) = self.pcb else {
                let id = stack.new_pcb(now, self).expect("there is a connection");
                self.pcb = Some(id);
                let addr = Addr { port: 0, peer: 1, peer_port: SERVER };
                stack.connect(now, id, addr).expect("it can connect");
                continue;
            };
            stack.core.now = now;
            self.asked_at.push(now);
            if let Some((pcb, core)) = stack.pcb_mut(id) {
                let done = pcb.write(core, 1, From::Copy, false);
                self.n_refused_writes += u32::from(done.is_err());
                let _ = pcb.output(core);
            }
        }
    }
}

/// The other end of the wire: answers each request after a time, and may send by itself.
struct Peer {
    think: SimSpan,
    replies: bool,
    rcv_nxt: u64,
    snd_nxt: u64,
    got: u64,
}

/// A board, its program, a switch and a peer.
struct Net {
    board: Board,
    client: Client,
    peer: Peer,
    /// Frames on their way to the board: when, which; frames to the peer.
    up: Vec<(SimTime, Segment)>,
    down: Vec<(SimTime, Segment)>,
    addr: Addr,
    n_sent_up: u64,
    fates: Vec<Handled>,
    /// Ends of passes in which replies came.
    replied_at: Vec<SimTime>,
}

impl Net {
    fn new(config: Config, client: Client) -> Net {
        Net {
            board: Board::new(config),
            client,
            peer: Peer { think: SimSpan::us(100), replies: true, rcv_nxt: 0, snd_nxt: 0, got: 0 },
            up: Vec::new(),
            down: Vec::new(),
            addr: Addr::default(),
            n_sent_up: 0,
            fates: Vec::new(),
            replied_at: Vec::new(),
        }
    }

    /// The peer sends so many bytes at `at`, the first bit then.
    fn say(&mut self, at: SimTime, len: u32) {
        let flags = Flags::ACK.with(Flags::PSH);
        let (seq, ack) = (self.peer.snd_nxt, self.peer.rcv_nxt);
        self.peer.snd_nxt += u64::from(len);
        self.up.push((at, Segment { flags, seq, ack, len, window: 8_192, ..Segment::default() }));
    }

    fn on_peer(&mut self, at: SimTime, segment: &Segment) {
        let window = 8_192;
        if segment.flags.has(Flags::SYN) {
            self.peer.rcv_nxt = 1;
            self.peer.snd_nxt = 1;
            let flags = Flags::SYN.with(Flags::ACK);
            let mss = Some(1_460);
            let answer = Segment { flags, ack: 1, window, mss, ..Segment::default() };
            self.up.push((at, answer));
        } else if 0 < segment.len && segment.seq == self.peer.rcv_nxt {
            self.peer.rcv_nxt += u64::from(segment.len);
            self.peer.got += u64::from(segment.len);
            if self.peer.replies {
                self.say(at + self.peer.think, 1);
            } else {
                let (seq, ack) = (self.peer.snd_nxt, self.peer.rcv_nxt);
                let flags = Flags::ACK;
                self.up.push((at, Segment { flags, seq, ack, window, ..Segment::default() }));
            }
        }
    }

    /// How long a frame takes from one first bit to the last bit behind the switch.
    fn through(&self, segment: &Segment) -> SimSpan {
        let wire = self.board.config.pace.wire(segment.ip_bytes());
        wire + SWITCH + wire
    }

    fn run(&mut self, until: SimTime) {
        for _ in 0..1_000_000 {
            let first = |list: &[(SimTime, Segment)]| list.iter().map(|(at, _)| *at).min();
            let pass = self.board.next_pass(&self.client);
            let arrivals = self.up.iter().map(|(at, segment)| *at + self.through(segment)).min();
            let next = [pass, arrivals, first(&self.down)].into_iter().flatten().min();
            let Some(now) = next.filter(|now| *now <= until) else { return };
            if first(&self.down) == Some(now) {
                let index = self.down.iter().position(|(at, _)| *at == now).expect("it is there");
                let (at, segment) = self.down.remove(index);
                self.on_peer(at, &segment);
            } else if arrivals == Some(now) {
                let through = |(at, segment): &(SimTime, Segment)| *at + self.through(segment);
                let index = self.up.iter().position(|s| through(s) == now).expect("it is there");
                let (_, segment) = self.up.remove(index);
                self.n_sent_up += 1;
                let tag = self.n_sent_up;
                self.board.arrive(now, RxFrame { addr: self.addr, segment, tag });
            } else {
                let n_before = self.client.n_replies;
                self.board.pass(now, &mut self.client);
                if n_before < self.client.n_replies {
                    self.replied_at.push(self.board.busy_until);
                }
            }
            self.fates.append(&mut self.board.handled);
            for departure in std::mem::take(&mut self.board.departures) {
                self.addr = departure.frame.addr;
                let segment = departure.frame.segment;
                let wire = self.board.config.pace.wire(segment.ip_bytes());
                self.down.push((departure.last_bit + SWITCH + wire, segment));
            }
        }
        panic!("it never ends");
    }

    fn n_fates(&self, fate: Fate) -> usize {
        self.fates.iter().filter(|handled| handled.fate == fate).count()
    }

    /// No frame is in two places, none is forgotten; every buffer is where it is counted.
    fn check(&self) {
        let mut tags: Vec<u64> = self.fates.iter().map(|handled| handled.tag).collect();
        tags.extend(self.board.rx.tags());
        tags.sort_unstable();
        assert_eq!(tags, (1..=self.n_sent_up).collect::<Vec<u64>>());
        let memory = &self.board.stack.core.memory;
        if self.board.config.driver.rx == Path::ZeroCopy {
            let held = self.client.held.iter();
            let n_held: usize = held.map(|(chain, _)| memory.chain(*chain).count()).sum();
            // Data out of order keep their buffers too.
            let pcb = self.client.pcb.and_then(|id| self.board.stack.pcb(id));
            let early = pcb.map_or(0, |pcb| {
                pcb.ooseq.iter().map(|seg| memory.chain(seg.chain).count()).sum::<usize>()
            });
            let n = self.board.n_attached() as usize + n_held + early;
            assert_eq!(memory.custom.usage.used as usize, n);
        }
        assert!(self.board.load.total() <= self.board.busy_until - SimTime::ZERO);
    }
}

#[test]
fn a_request_over_one_switch_takes_159_us_and_a_kilohertz_of_them_two_percent() {
    let config = typical(Part::F407, Driver::ZERO_COPY, Rhythm::tight(SimSpan::us(1)));
    let mut net = Net::new(config, Client::at(&(10..110).collect::<Vec<u64>>()));
    net.run(ms(9));
    let before = net.board.load;
    net.run(ms(110));
    assert_eq!(net.replied_at.len(), 100);
    let latency_us = (net.replied_at[0] - ms(10)).as_ns() / 1_000;
    assert!((135..=183).contains(&latency_us), "{latency_us} us");
    let load = net.board.load;
    let work = load.total().as_ns() - load.tx_wait.as_ns();
    let work = work - (before.total().as_ns() - before.tx_wait.as_ns());
    let per_mille = work / 100_000;
    assert!((20..=28).contains(&per_mille), "{per_mille} per mille of the processor");
    let wait = (load.tx_wait.as_ns() - before.tx_wait.as_ns()) / 100_000;
    assert!((6..=9).contains(&wait), "{wait} per mille waiting");
    net.check();
}

#[test]
fn a_loop_of_ten_milliseconds_makes_a_round_trip_of_ten_milliseconds() {
    for (characters, expected_us) in [(0, 10_000), (15, 11_300)] {
        let rhythm = Rhythm::slow(SimSpan::ms(10), characters, 115_200);
        let config = typical(Part::F407, Driver::ZERO_COPY, rhythm);
        let mut net = Net::new(config, Client::at(&[100]));
        net.run(ms(300));
        let latency_us = (net.replied_at[0] - net.client.asked_at[0]).as_ns() / 1_000;
        assert!(latency_us.abs_diff(expected_us) <= 200, "{latency_us} us");
    }
    // A loop by the clock, without costs: to the nanosecond.
    let main_loop = MainLoop { period: SimSpan::ms(10), ..MainLoop::default() };
    let mut net = Net::new(typical(Part::F407, Driver::COPYING, Rhythm::Rtos), Client::at(&[100]));
    net.board = Board::new(Config::without_costs(Options::default(), 1_500, main_loop));
    net.run(ms(300));
    assert_eq!(net.replied_at, [ms(110)]);
    net.check();
}

#[test]
fn a_chain_longer_than_the_descriptors_never_leaves() {
    let config = typical(Part::F407, Driver::ZERO_COPY, Rhythm::tight(SimSpan::us(1)));
    let burst = vec![10; 40];
    let client = Client { nodelay: true, burst, ..Client::at(&[]) };
    let mut net = Net::new(config, client);
    net.run(ms(1_000));
    assert_eq!(net.client.n_refused_writes, 31, "TCP_SND_QUEUELEN is 9");
    let refused = net.board.tx_refused;
    net.run(ms(11_000));
    let again = net.board.tx_refused - refused;
    // Every slow tick, and the retransmission timer twice.
    assert!((20..=24).contains(&again), "{again}");
    assert_eq!(net.peer.got, 0);
    // The copying driver takes any chain.
    let config = typical(Part::F407, Driver::COPYING, Rhythm::tight(SimSpan::us(1)));
    let client = Client { nodelay: true, burst: vec![10; 40], ..Client::at(&[]) };
    let mut net = Net::new(config, client);
    net.run(ms(1_000));
    assert_eq!((net.board.tx_refused, net.peer.got), (0, 90));
    net.check();
}

#[test]
fn an_empty_receive_pool_loses_frames_and_a_kept_custom_buffer_stops_reading() {
    let mut config = typical(Part::F407, Driver::COPYING, Rhythm::tight(SimSpan::us(1)));
    config.options.pbuf_pool_size = 4;
    config.options.tcp_wnd = 8_192;
    let mut net = Net::new(config.clone(), Client { keeps: true, ..Client::at(&[]) });
    net.run(ms(10));
    (0..4).for_each(|n| net.say(ms(20 + n), 536));
    net.run(ms(100));
    // 576 bytes of IP packet fit into one buffer of 592.
    assert_eq!(net.n_fates(Fate::NoPbuf), 0);
    net.say(ms(200), 536);
    net.run(ms(300));
    assert_eq!(net.n_fates(Fate::NoPbuf), 1);
    net.check();

    config.driver = Driver { rx_buffers: 5, ..Driver::ZERO_COPY };
    let mut net = Net::new(config, Client { keeps: true, ..Client::at(&[]) });
    net.run(ms(10));
    (0..12).for_each(|n| net.say(ms(20 + n), 100));
    net.run(ms(200));
    assert!(net.board.is_reading_stopped);
    assert!(0 < net.board.rx.missed, "a ring without buffers loses frames");
    net.check();
    let n_before = net.client.n_replies;
    net.client.keeps = false;
    net.client.free_all(ms(200), &mut net.board.stack);
    net.run(ms(400));
    assert!(n_before < net.client.n_replies, "what waited in the ring is read");
    assert!(!net.board.is_reading_stopped);
    net.check();
    assert_eq!(net.board.stack.core.memory.custom.usage.used, 4);
}

#[test]
fn a_copying_driver_without_a_free_buffer_refuses_and_lwip_tries_again() {
    let driver = Driver { tx_descriptors: 2, ..Driver::COPYING };
    let mut config = typical(Part::F407, driver, Rhythm::tight(SimSpan::us(1)));
    config.pace.rate = Rate::M10;
    config.options.tcp_snd_buf = 8 * 536;
    config.options.tcp_snd_queuelen = 32;
    config.options.memp_num_tcp_seg = 32;
    config.options.mem_size = 16_384;
    let mut net = Net::new(config, Client { burst: vec![536; 8], ..Client::at(&[]) });
    net.peer.replies = false;
    net.run(ms(5));
    assert!(0 < net.board.tx_refused, "four segments at once, two buffers");
    net.run(ms(5_000));
    assert_eq!(net.peer.got, 8 * 536);
    assert!(net.board.stack.core.memory.is_all_free());
    net.check();
}

/// Six frames while nobody serves: four find descriptors, two do not.
fn overrun(part: Part, forgets_resume: bool, flush: bool) -> Net {
    let driver = Driver { forgets_resume, ..Driver::ZERO_COPY };
    let stalls = vec![(ms(20), ms(50))];
    let main_loop = MainLoop { period: SimSpan::us(1), stalls, ..MainLoop::default() };
    let rhythm = Rhythm::SuperLoop { main_loop, rest: SimSpan::ZERO };
    let config = Config { flush, ..typical(part, driver, rhythm) };
    let mut net = Net::new(config, Client::at(&[]));
    net.run(ms(10));
    (0..6).for_each(|n| net.say(ms(25 + n), 200));
    net.run(ms(70));
    net
}

#[test]
fn a_receiver_that_software_does_not_wake_stays_silent_on_an_h7() {
    for (part, forgets, hears) in [
        (Part::F407, false, true),
        (Part::F407, true, true),
        (Part::H743, false, true),
        (Part::H743, true, false),
    ] {
        let mut net = overrun(part, forgets, true);
        assert_eq!((net.board.rx.missed, net.board.rx.suspensions), (2, 1));
        let n_before = net.n_fates(Fate::Taken);
        (0..3).for_each(|n| net.say(ms(80 + n), 1));
        net.run(ms(100));
        let n_heard = net.n_fates(Fate::Taken) - n_before;
        assert_eq!(n_heard, if hears { 3 } else { 0 }, "{part:?}, forgets: {forgets}");
        let is_silent = part == Part::H743 && forgets;
        assert_eq!(net.board.rx.is_suspended, is_silent);
        net.check();
    }
    assert_eq!(Part::H743.silicon().map(|silicon| silicon.resume), Ok(Resume::TailPointer));
}

#[test]
fn without_flushing_frames_wait_in_the_fifo_until_it_is_full() {
    let net = overrun(Part::F407, false, false);
    assert_eq!((net.board.rx.missed, net.board.rx.overflows), (0, 0));
    assert_eq!(net.n_fates(Fate::Taken), 7, "the handshake and all six");
    net.check();
    let mut rx = Rx::new(1, 2_048, Resume::SelfOrPoll, false);
    let frame = |tag| RxFrame {
        addr: Addr::default(),
        segment: Segment { len: 960, ..Segment::default() },
        tag,
    };
    (1..=4).for_each(|tag| rx.arrive(ms(tag), frame(tag), &Pace::TYPICAL));
    assert_eq!((rx.overflows, rx.n_ready(ms(9)), rx.fifo_bytes(ms(9))), (1, 1, 2_028));
}

#[test]
fn the_wire_has_its_pace_to_the_nanosecond() {
    let fast = Pace::TYPICAL;
    assert_eq!(fast.wire(41).as_ns(), 6_720);
    assert_eq!(fast.wire(1_500).as_ns(), 123_040);
    assert_eq!(Pace { rate: Rate::M10, ..fast }.wire(1_500).as_ns(), 1_230_400);
    assert_eq!(fast.dma(41).as_ns(), 900);
    let early = Pace { threshold_bytes: 64, ..fast };
    assert_eq!(early.dma(1_500).as_ns(), 920);
    // Two frames leave one behind the other, and a copying driver has four buffers.
    let mut tx = Tx::new(4);
    let (first, last, _) = tx.send(ms(1), 1, 1_500, &fast);
    let (second, ..) = tx.send(ms(1), 1, 1_500, &fast);
    assert_eq!((second - first).as_ns(), 123_040);
    assert_eq!((last - first).as_ns(), 123_040);
    assert_eq!((tx.n_free(ms(1)), tx.n_free(ms(2))), (2, 4));
}

#[test]
fn work_takes_longer_without_optimisation_and_with_threads() {
    let latency = |change: &dyn Fn(&mut Config)| {
        let mut config = typical(Part::F407, Driver::COPYING, Rhythm::tight(SimSpan::us(1)));
        change(&mut config);
        let mut net = Net::new(config, Client::at(&[10]));
        net.run(ms(20));
        net.check();
        (net.replied_at[0] - ms(10)).as_ns()
    };
    let plain = latency(&|_| ());
    assert!(plain < latency(&|config| config.cpu.optimisation = Optimisation::O0));
    assert!(plain < latency(&|config| config.rhythm = Rhythm::Rtos));
    assert!(plain < latency(&|config| config.cpu.checksum_by_hardware = false));
    assert!(plain < latency(&|config| config.pace.rate = Rate::M10));
}

/// Random boards and programs: whatever happens, nothing is lost from sight and all comes back.
#[test]
fn every_frame_is_in_one_place_and_memory_is_full_again_after_any_run() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    for _ in 0..300 {
        let part = [Part::F407, Part::F767, Part::H743][next(3) as usize];
        let driver = Driver {
            rx_descriptors: 1 + next(4) as u32,
            rx_buffers: 4 + next(4) as u32,
            ..[Driver::COPYING, Driver::ZERO_COPY][next(2) as usize]
        };
        let rhythm = match next(3) {
            0 => Rhythm::Rtos,
            1 => Rhythm::tight(SimSpan::us(1 + next(3_000))),
            _ => Rhythm::slow(SimSpan::us(next(5_000)), next(20), 115_200),
        };
        let config = Config { flush: next(2) == 0, ..typical(part, driver, rhythm) };
        let mut net = Net::new(config, Client::at(&[20, 21, 40]));
        net.client.nodelay = next(2) == 0;
        net.client.keeps = next(3) == 0;
        net.run(ms(19));
        for _ in 0..next(12) {
            net.say(ms(20) + SimSpan::us(next(2_000)), 1 + next(536) as u32);
            if next(4) == 0 {
                net.check();
                net.run(ms(20) + SimSpan::us(next(2_000)));
            }
        }
        net.run(ms(3_000));
        net.check();
        net.client.keeps = false;
        let now = ms(3_000);
        net.client.free_all(now, &mut net.board.stack);
        let id = net.client.pcb.expect("it connected");
        net.board.stack.abort(now, &mut net.client, id);
        net.run(ms(6_000));
        net.check();
        let memory = &net.board.stack.core.memory;
        assert!(memory.is_all_free(), "{:?}", net.board.config);
    }
}
