//! An end of ours against a real smoltcp end on a bad wire: every byte arrives, and both close.
//!
//! smoltcp reads and writes real packets. Ours knows lengths and positions only, so the packets
//! are made here: the byte at stream position p of each side is a function of p, and both
//! directions are checked against it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use std::collections::VecDeque;

use inflight::kernel::random::Streams;
use inflight::kernel::{SimSpan, SimTime};
use inflight::model::ground::Lane;
use inflight::model::message::ChannelId;
use inflight::model::tcp::stack::{Socket, State};
use inflight::model::tcp::{
    Congestion, Errno, Flags, LinuxParams, NagleRule, Outbox, RfcParams, Sack, Segment,
    StackParams, Stamps,
};
use inflight::model::wire::{Frame, Tag, Way, Wire};
use inflight::param::{BitRate, Ppm};
use proptest::prelude::*;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{
    HardwareAddress, IpAddress, IpCidr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, TcpControl,
    TcpPacket, TcpRepr, TcpSeqNumber, TcpTimestampRepr,
};

const OURS: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
const THEIRS: Ipv4Address = Ipv4Address::new(10, 0, 0, 2);
const OUR_PORT: u16 = 40_000;
const THEIR_PORT: u16 = 80;
const OUR_ISN: u32 = 0xffff_f000;
/// Longest run; one that needs more has got stuck.
const END: SimTime = SimTime::from_ns(3_600_000_000_000);
const MAX_TURNS: u32 = 2_000_000;

/// The byte at a stream position of one side; SYN is at 0.
fn content(position: u64, ours: bool) -> u8 {
    let mixed = position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (mixed ^ u64::from(ours)) as u8
}

/// smoltcp's device: packets in, packets out.
#[derive(Default)]
struct Cable {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Rx(Vec<u8>);
struct Tx<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut packet = vec![0; len];
        let result = fill(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Cable {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Rx(packet), Tx(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut can = DeviceCapabilities::default();
        can.medium = Medium::Ip;
        can.max_transmission_unit = 1500;
        can
    }
}

/// What the two sides' positions are called on the wire.
#[derive(Default)]
struct Numbers {
    their_isn: Option<u32>,
    their_shift: u8,
    /// Newest positions seen, to undo the wrap of 32 bits.
    theirs: u64,
    ours: u64,
}

/// The 64-bit position nearest to `near` whose low bits are `number - isn`.
fn unwrap(number: u32, isn: u32, near: u64) -> u64 {
    let low = number.wrapping_sub(isn);
    let off = i64::from(low.wrapping_sub(near as u32) as i32);
    u64::try_from(near as i64 + off).unwrap_or(u64::from(low))
}

impl Numbers {
    /// A packet of ours for smoltcp.
    fn packet(&self, segment: &Segment) -> Vec<u8> {
        let theirs = |position: u64| {
            TcpSeqNumber(self.their_isn.unwrap_or(0).wrapping_add(position as u32) as i32)
        };
        let has = |flag| segment.flags.has(flag);
        let control = match (has(Flags::SYN), has(Flags::FIN), has(Flags::RST), has(Flags::PSH)) {
            (true, ..) => TcpControl::Syn,
            (_, _, true, _) => TcpControl::Rst,
            (_, true, ..) => TcpControl::Fin,
            (.., true) => TcpControl::Psh,
            _ => TcpControl::None,
        };
        let payload: Vec<u8> =
            (0..u64::from(segment.len)).map(|n| content(segment.seq + n, true)).collect();
        let mut sack_ranges = [None; 3];
        for (slot, (from, to)) in sack_ranges.iter_mut().zip(segment.sack.blocks()) {
            *slot = Some((theirs(*from).0 as u32, theirs(*to).0 as u32));
        }
        let shift = if has(Flags::SYN) { 0 } else { segment.window_shift };
        let tcp = TcpRepr {
            src_port: OUR_PORT,
            dst_port: THEIR_PORT,
            control,
            seq_number: TcpSeqNumber(OUR_ISN.wrapping_add(segment.seq as u32) as i32),
            ack_number: has(Flags::ACK).then(|| theirs(segment.ack)),
            window_len: (segment.window >> shift).min(65_535) as u16,
            window_scale: segment.wscale,
            max_seg_size: segment.mss,
            sack_permitted: segment.sack_permitted,
            sack_ranges,
            timestamp: segment.stamps.map(|s| TcpTimestampRepr::new(s.value, s.echo)),
            payload: &payload,
        };
        let ip = Ipv4Repr {
            src_addr: OURS,
            dst_addr: THEIRS,
            next_header: IpProtocol::Tcp,
            payload_len: tcp.buffer_len(),
            hop_limit: 64,
        };
        let sums = ChecksumCapabilities::default();
        let mut bytes = vec![0; ip.buffer_len() + tcp.buffer_len()];
        let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
        ip.emit(&mut packet, &sums);
        let mut inner = TcpPacket::new_unchecked(packet.payload_mut());
        tcp.emit(&mut inner, &IpAddress::Ipv4(OURS), &IpAddress::Ipv4(THEIRS), &sums);
        bytes
    }

    /// A packet of smoltcp's for us; its payload must be what belongs there.
    fn segment(&mut self, bytes: &[u8]) -> Segment {
        let packet = Ipv4Packet::new_checked(bytes).unwrap();
        let inner = TcpPacket::new_checked(packet.payload()).unwrap();
        let sums = ChecksumCapabilities::default();
        let (from, to) = (IpAddress::Ipv4(THEIRS), IpAddress::Ipv4(OURS));
        let tcp = TcpRepr::parse(&inner, &from, &to, &sums).unwrap();
        let is_syn = tcp.control == TcpControl::Syn;
        if is_syn {
            self.their_isn = Some(tcp.seq_number.0 as u32);
            self.their_shift = tcp.window_scale.unwrap_or(0);
        }
        let isn = self.their_isn.unwrap_or(0);
        let seq = unwrap(tcp.seq_number.0 as u32, isn, self.theirs);
        let ack = tcp.ack_number.map_or(0, |ack| unwrap(ack.0 as u32, OUR_ISN, self.ours));
        (self.theirs, self.ours) = (self.theirs.max(seq), self.ours.max(ack));
        for (n, byte) in tcp.payload.iter().enumerate() {
            assert_eq!(*byte, content(seq + n as u64, false), "their byte at {}", seq + n as u64);
        }
        let mut flags = match tcp.control {
            TcpControl::None => Flags::default(),
            TcpControl::Psh => Flags::PSH,
            TcpControl::Fin => Flags::FIN,
            TcpControl::Syn => Flags::SYN,
            TcpControl::Rst => Flags::RST,
        };
        if tcp.ack_number.is_some() {
            flags = flags.with(Flags::ACK);
        }
        let mut sack = Sack::default();
        for (from, to) in tcp.sack_ranges.into_iter().flatten() {
            sack.push(unwrap(from, OUR_ISN, self.ours), unwrap(to, OUR_ISN, self.ours));
        }
        let shift = if is_syn { 0 } else { self.their_shift };
        Segment {
            flags,
            seq,
            ack,
            len: tcp.payload.len() as u32,
            window: u32::from(tcp.window_len) << shift,
            window_shift: shift,
            mss: tcp.max_seg_size,
            wscale: tcp.window_scale,
            sack_permitted: tcp.sack_permitted,
            stamps: tcp.timestamp.map(|s| Stamps { value: s.tsval, echo: s.tsecr }),
            sack,
            again: false,
        }
    }
}

struct Bench {
    now: SimTime,
    ours: Socket,
    out: Outbox,
    wire: Wire,
    streams: Streams,
    numbers: Numbers,
    iface: Interface,
    cable: Cable,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// Bytes that we still have to write.
    to_write: u64,
    /// Bytes that smoltcp's application has written, and is to write.
    n_written: u64,
    their_total: u64,
    /// Bytes read: by us, by them.
    n_read: [u64; 2],
    /// Bytes in one write of ours.
    piece: u32,
    has_closed: [bool; 2],
}

fn stamp(now: SimTime) -> Instant {
    Instant::from_micros((now.ns() / 1_000) as i64)
}

impl Bench {
    fn new(setup: &Setup) -> Bench {
        let way = Way {
            rate: BitRate(setup.mbit * 1_000_000),
            delay: SimSpan::us(setup.delay_us),
            loss: Ppm(setup.loss),
            reorder: Ppm(setup.reorder),
            reorder_by: SimSpan::us(setup.reorder_us),
            duplicate: Ppm(setup.duplicate),
            ..Way::default()
        };
        let mut cable = Cable::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = setup.seed;
        let mut iface = Interface::new(config, &mut cable, stamp(SimTime::ZERO));
        iface.update_ip_addrs(|all| all.push(IpCidr::new(THEIRS.into(), 24)).unwrap());
        let buffer = || tcp::SocketBuffer::new(vec![0; setup.their_buffer]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(setup.their_nagle);
        let mut sockets = SocketSet::new(Vec::new());
        let mut ours = Socket::new(&setup.profile, 1500);
        let mut out = Outbox::default();
        if setup.we_connect {
            socket.listen(THEIR_PORT).unwrap();
            ours.connect(SimTime::ZERO, &mut out);
        } else {
            ours.listen();
            let to = (IpAddress::Ipv4(OURS), OUR_PORT);
            socket.connect(iface.context(), to, THEIR_PORT).unwrap();
        }
        let handle = sockets.add(socket);
        Bench {
            now: SimTime::ZERO,
            ours,
            out,
            wire: Wire::new(way, way, Vec::new(), 7),
            streams: Streams::new(setup.seed),
            numbers: Numbers::default(),
            iface,
            cable,
            sockets,
            handle,
            to_write: setup.our_bytes,
            n_written: 0,
            their_total: setup.their_bytes,
            n_read: [0, 0],
            piece: setup.piece,
            has_closed: [false, false],
        }
    }

    fn send(&mut self, lane: Lane, segment: Segment) {
        let frame =
            Frame { channel: ChannelId(0), back: lane.is_back(), segment, tag: Tag::default() };
        self.wire.send(lane, self.now, frame, self.streams);
    }

    fn flush(&mut self) {
        self.out.signals.clear();
        let segments: Vec<Segment> = self.out.segments.drain(..).collect();
        segments.into_iter().for_each(|segment| self.send(Lane::Forth, segment));
        while let Some(packet) = self.cable.outgoing.pop_front() {
            let segment = self.numbers.segment(&packet);
            self.send(Lane::Back, segment);
        }
    }

    /// Our application: writes in pieces, reads all, closes when it has written all.
    fn our_program(&mut self) {
        let is_up = matches!(
            self.ours.state(),
            State::Established | State::CloseWait | State::FinWait1 | State::FinWait2
        );
        while is_up && 0 < self.to_write {
            let piece = self.to_write.min(u64::from(self.piece)) as u32;
            match self.ours.write(self.now, piece, false, &mut self.out) {
                Ok(taken) => self.to_write -= u64::from(taken),
                Err(Errno::Again) => break,
                Err(errno) => panic!("our write failed: {errno:?} in {:?}", self.ours.state()),
            }
        }
        while let Ok(n) = self.ours.read(self.now, 10_000, &mut self.out) {
            if n == 0 {
                break;
            }
            self.n_read[0] += u64::from(n);
        }
        if is_up && self.to_write == 0 && !self.has_closed[0] {
            self.has_closed[0] = true;
            self.ours.shutdown(self.now, &mut self.out);
        }
    }

    /// smoltcp's application: the same.
    fn their_program(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
        while socket.can_recv() {
            let from = 1 + self.n_read[1];
            let taken = socket.recv(|bytes| {
                for (position, byte) in (from..).zip(bytes.iter()) {
                    assert_eq!(*byte, content(position, true), "our byte at {position}");
                }
                (bytes.len(), bytes.len())
            });
            self.n_read[1] += taken.unwrap() as u64;
        }
        while socket.can_send() && self.n_written < self.their_total {
            let (from, left) = (1 + self.n_written, self.their_total - self.n_written);
            let taken = socket.send(|room| {
                let n = room.len().min(left as usize);
                for (position, byte) in (from..).zip(&mut room[..n]) {
                    *byte = content(position, false);
                }
                (n, n)
            });
            self.n_written += taken.unwrap() as u64;
        }
        if socket.may_send() && self.n_written == self.their_total && !self.has_closed[1] {
            self.has_closed[1] = true;
            socket.close();
        }
    }

    fn deliver(&mut self) {
        while let Some(frame) = self.wire.take_arrived(Lane::Back, self.now) {
            self.ours.on_segment(self.now, &frame.segment, &mut self.out);
        }
        while let Some(frame) = self.wire.take_arrived(Lane::Forth, self.now) {
            self.cable.incoming.push_back(self.numbers.packet(&frame.segment));
        }
    }

    /// The next instant at which anything happens.
    fn next(&mut self) -> Option<SimTime> {
        let theirs = self.iface.poll_at(stamp(self.now), &self.sockets).map(|at| {
            let us = u64::try_from(at.total_micros()).unwrap_or(0);
            self.now.max(SimTime::from_ns(us * 1_000))
        });
        let ours = self.ours.next_wake();
        let arrivals = [Lane::Forth, Lane::Back].map(|lane| self.wire.next_arrival(lane));
        [theirs, ours, arrivals[0], arrivals[1]].into_iter().flatten().min()
    }

    /// Runs until nothing is left to happen but `TIME-WAIT`, and checks what arrived.
    fn run(mut self, setup: &Setup) {
        for _ in 0..MAX_TURNS {
            self.iface.poll(stamp(self.now), &mut self.cable, &mut self.sockets);
            self.our_program();
            self.their_program();
            self.flush();
            if self.is_over() {
                assert_eq!(self.n_read, [setup.their_bytes, setup.our_bytes], "bytes read");
                return;
            }
            let Some(next) = self.next() else { break };
            // smoltcp counts in microseconds, and may want to be asked again at once.
            self.now = next.max(self.now + SimSpan::ns(u64::from(next == self.now) * 1_000));
            assert!(self.now < END, "stuck: {setup:?}: {:?}", self.gist());
            self.deliver();
            if self.ours.next_wake().is_some_and(|at| at <= self.now) {
                self.ours.on_wake(self.now, &mut self.out);
            }
        }
        panic!("nothing happens any more: {setup:?}: {:?}", self.gist());
    }

    fn is_over(&self) -> bool {
        use tcp::State as Theirs;
        let theirs = self.sockets.get::<tcp::Socket<'_>>(self.handle).state();
        let is_done = |state| matches!(state, State::Closed | State::TimeWait);
        is_done(self.ours.state()) && matches!(theirs, Theirs::Closed | Theirs::TimeWait)
    }

    fn gist(&self) -> String {
        let theirs = self.sockets.get::<tcp::Socket<'_>>(self.handle).state();
        format!("{:?} {theirs} read {:?} at {:?}", self.ours.state(), self.n_read, self.now)
    }
}

#[derive(Clone, Debug)]
struct Setup {
    profile: StackParams,
    we_connect: bool,
    our_bytes: u64,
    their_bytes: u64,
    piece: u32,
    their_buffer: usize,
    their_nagle: bool,
    mbit: u64,
    delay_us: u64,
    loss: u32,
    reorder: u32,
    reorder_us: u64,
    duplicate: u32,
    seed: u64,
}

fn profiles() -> impl Strategy<Value = StackParams> {
    let linux = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(nodelay, sack, timestamps, reno)| {
            let congestion = if reno { Congestion::Reno } else { Congestion::Cubic };
            let params =
                LinuxParams { nodelay, sack, timestamps, congestion, ..LinuxParams::default() };
            StackParams::Linux(params)
        },
    );
    let rules = [NagleRule::Classic, NagleRule::Minshall, NagleRule::Off];
    let rfc = prop::sample::select(rules.to_vec())
        .prop_map(|nagle| StackParams::Rfc(RfcParams { nagle, ..RfcParams::default() }));
    prop_oneof![linux, rfc]
}

prop_compose! {
    fn setups()(
        profile in profiles(),
        we_connect in any::<bool>(),
        (our_bytes, their_bytes) in (0..60_000_u64, 0..60_000_u64),
        piece in 1..5_000_u32,
        their_buffer in 600..70_000_usize,
        their_nagle in any::<bool>(),
        mbit in 1..100_u64,
        delay_us in 0..50_000_u64,
        loss in 0..80_000_u32,
        reorder in 0..100_000_u32,
        reorder_us in 0..20_000_u64,
        duplicate in 0..50_000_u32,
        seed in any::<u64>(),
    ) -> Setup {
        Setup {
            profile, we_connect, our_bytes, their_bytes, piece, their_buffer, their_nagle, mbit,
            delay_us, loss, reorder, reorder_us, duplicate, seed,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_arrives_on_a_bad_wire(setup in setups()) {
        Bench::new(&setup).run(&setup);
    }
}
