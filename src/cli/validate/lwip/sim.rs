//! One record played: two ends, two wires, and the order in which things happen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use serde_json::{Value, json};

use super::app::{FIRST_PORT, Program, Role, SERVER_PORT};
use super::link::Wire;
use super::peer::{Peer, Script, Wake};
use super::{On, setup};
use crate::kernel::{SimSpan, SimTime};
use crate::model::stm32::board::{Board, Config, Fate, RING_LIMIT, Rhythm};
use crate::model::stm32::mac::RxFrame;
use crate::model::stm32::params::{BoardParams, DriverKind};
use crate::model::tcp::lwip::{Addr, MainLoop, Options, Stack};
use crate::model::tcp::{Flags, Segment};
use crate::param::Amount;

/// Most events in a run.
const EVENTS_LIMIT: u64 = 1_000_000;
/// Most connections in a run.
const CONNS_LIMIT: u64 = 1_000;
/// Most descriptors that a document can give a ring.
const DESCRIPTORS_MOST: u32 = 64;

/// What happened in a run, in the records' words.
#[derive(Debug, Default)]
pub struct Played {
    pub segments: Vec<Value>,
    pub events: Vec<Value>,
    pub latencies: Vec<Value>,
    pub memory_stats: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Dut,
    Peer,
}

#[derive(Clone, Debug)]
enum Event {
    /// A packet arrives: index of its row.
    Arrive(Side, usize),
    Wake(usize, Wake),
    Pass(Side),
}

/// A packet under way or waiting in a ring.
#[derive(Clone, Copy, Debug)]
struct Packet {
    conn: usize,
    addr: Addr,
    segment: Segment,
}

/// A board on which nothing takes time, with its program.
struct Host {
    board: Board,
    program: Program,
    next_pass: Option<u64>,
}

/// The other end.
enum Other {
    Scripted(Vec<Peer>),
    Stack(Box<Host>),
}

pub struct Sim {
    dut: Host,
    other: Other,
    wires: [Wire; 2],
    names_conn: bool,
    queue: BinaryHeap<Reverse<(u64, u8, u64)>>,
    pending: BTreeMap<u64, Event>,
    n_queued: u64,
    now_us: u64,
    packets: Vec<Packet>,
    /// The address of each connection, as the stack under test sees it.
    addrs: BTreeMap<usize, Addr>,
    played: Played,
}

impl Host {
    fn new(
        end: &Value,
        mtu: u32,
        who: &'static str,
        role: Role,
        counts_conns: bool,
        on: On,
    ) -> Result<Host, String> {
        let options = setup::options(&end["options_effective"], &end["version"])?;
        let mtu = setup::number_or(end, "mtu", u64::from(mtu))? as u32;
        let main_loop = setup::main_loop(&end["main_loop"])?;
        if RING_LIMIT < main_loop.rx_ring {
            return Err(format!("`rx_ring` is above {RING_LIMIT}"));
        }
        let config = match on {
            On::Stack => Config::without_costs(options, mtu, main_loop),
            On::Board => documented(options, mtu, main_loop)?,
        };
        let mut board = Board::new(config);
        board.stack.core.netif.tx_max_pbufs =
            setup::number_or(end, "netif_tx_max_pbufs", 0)? as u32;
        let mut program = Program::new(&end["app"], who, role, counts_conns)?;
        program.boot(&mut board.stack)?;
        Ok(Host { board, program, next_pass: None })
    }
}

/// The board of a host whose document says: nothing takes time, the driver copies, as many
/// descriptors as there may be. What documents do not have, stalls and another order, is added.
fn documented(options: Options, mtu: u32, main_loop: MainLoop) -> Result<Config, String> {
    let most = DESCRIPTORS_MOST;
    let ring = if main_loop.rx_ring == 0 { most } else { main_loop.rx_ring };
    let params = BoardParams {
        driver: DriverKind::Copying,
        rx_descriptors: Amount(ring),
        tx_descriptors: Amount(most),
        free_of_cost: true,
        loop_period: main_loop.period,
        ..BoardParams::default()
    };
    let mut config = params.config(options, mtu).map_err(|refused| refused.said().en)?;
    if let Rhythm::SuperLoop { main_loop: its, .. } = &mut config.rhythm {
        *its = main_loop;
    }
    Ok(config)
}

impl Sim {
    /// Reads a record.
    pub fn new(record: &Value, on: On) -> Result<Sim, String> {
        let dut = &record["dut"];
        let peer = &record["peer"];
        let connect_at = setup::number_or(record, "connect_at_us", 0)?;
        let mtu = setup::number_or(dut, "mtu", 1500)? as u32;
        let n_conns = setup::number_or(peer, "count", 1)?;
        let n_conns = n_conns.max(setup::number_or(&dut["app"], "conns", 1)?).min(CONNS_LIMIT);
        let dut_serves = dut["app"]["role"] == "server";
        let is_stack = peer["kind"] == "lwip";
        let (dut_role, peer_role) = if dut_serves {
            let client = Role::Client { first_port: SERVER_PORT, at_us: connect_at };
            (Role::Server { port: SERVER_PORT }, client)
        } else {
            let client = Role::Client { first_port: FIRST_PORT, at_us: connect_at };
            (client, Role::Server { port: FIRST_PORT })
        };
        let other = match peer["kind"].as_str() {
            Some("scripted") => {
                let script = Script::new(peer)?;
                Other::Scripted((0..n_conns).map(|i| Peer::new(&script, i as usize)).collect())
            }
            Some("lwip") => {
                Other::Stack(Box::new(Host::new(peer, mtu, "peer", peer_role, true, on)?))
            }
            _ => return Err(format!("a peer of kind {} is not known", peer["kind"])),
        };
        let mut sim = Sim {
            dut: Host::new(dut, mtu, "dut", dut_role, is_stack, on)?,
            other,
            wires: [Wire::new(&record["link"], "d>p")?, Wire::new(&record["link"], "p>d")?],
            names_conn: 1 < n_conns,
            queue: BinaryHeap::new(),
            pending: BTreeMap::new(),
            n_queued: 0,
            now_us: 0,
            packets: Vec::new(),
            addrs: BTreeMap::new(),
            played: Played::default(),
        };
        sim.plan_opening(record, connect_at)?;
        Ok(sim)
    }

    fn plan_opening(&mut self, record: &Value, connect_at: u64) -> Result<(), String> {
        if let Other::Scripted(peers) = &mut self.other {
            let n = peers.len();
            if record["dut"]["app"]["role"] == "server" {
                let gap = setup::number_or(&record["peer"], "open_gap_us", 0)?;
                for (conn, peer) in peers.iter_mut().enumerate() {
                    peer.wakes.push((connect_at + conn as u64 * gap, Wake::Open));
                    let peer_port = FIRST_PORT + conn as u16;
                    self.addrs.insert(conn, Addr { port: SERVER_PORT, peer: 1, peer_port });
                }
            }
            (0..n).for_each(|conn| self.after_peer(conn));
        }
        self.plan_pass(Side::Dut);
        self.plan_pass(Side::Peer);
        Ok(())
    }

    /// Runs to the end of the record.
    pub fn run(mut self, duration_us: u64) -> Result<Played, String> {
        let mut n_events = 0;
        while let Some(Reverse((at, _, seq))) = self.queue.pop() {
            if duration_us < at {
                break;
            }
            n_events += 1;
            if EVENTS_LIMIT < n_events {
                return Err(format!("more than {EVENTS_LIMIT} events"));
            }
            self.now_us = at;
            let event = self.pending.remove(&seq).expect("every queued event is pending");
            match event {
                Event::Arrive(side, row) => self.arrive(side, row),
                Event::Wake(conn, wake) => self.wake_peer(conn, wake),
                Event::Pass(side) => self.pass(side),
            }
        }
        let latencies = std::mem::take(&mut self.dut.program.latencies);
        self.played.latencies = latencies
            .iter()
            .map(|(start, done)| {
                json!({ "start_us": start, "done_us": done, "latency_us": done - start })
            })
            .collect();
        self.played.memory_stats = memory_stats(&self.dut.board.stack);
        Ok(self.played)
    }

    /// At one time: packets and peers first, passes of main loops afterwards.
    fn push(&mut self, at: u64, event: Event) {
        let class = u8::from(matches!(event, Event::Pass(_)));
        self.queue.push(Reverse((at, class, self.n_queued)));
        self.pending.insert(self.n_queued, event);
        self.n_queued += 1;
    }

    fn host(&mut self, side: Side) -> Option<&mut Host> {
        match (side, &mut self.other) {
            (Side::Dut, _) => Some(&mut self.dut),
            (Side::Peer, Other::Stack(host)) => Some(host),
            (Side::Peer, Other::Scripted(_)) => None,
        }
    }

    fn arrive(&mut self, side: Side, row: usize) {
        let packet = self.packets[row];
        let now = self.now_us;
        if let (Side::Peer, Other::Scripted(peers)) = (side, &mut self.other) {
            if let Some(peer) = peers.get_mut(packet.conn) {
                peer.on_segment(now, &packet.segment);
                self.after_peer(packet.conn);
            }
            return;
        }
        let Some(host) = self.host(side) else { return };
        let frame = RxFrame { addr: packet.addr, segment: packet.segment, tag: row as u64 };
        host.board.arrive(at_us(now), frame);
        self.fetch(side);
        self.plan_pass(side);
    }

    fn wake_peer(&mut self, conn: usize, wake: Wake) {
        let now = self.now_us;
        if let Other::Scripted(peers) = &mut self.other {
            peers[conn].on_wake(now, wake);
        }
        self.after_peer(conn);
    }

    /// Takes what a scripted peer did.
    fn after_peer(&mut self, conn: usize) {
        let Other::Scripted(peers) = &mut self.other else { return };
        let peer = &mut peers[conn];
        self.played.events.append(&mut peer.log);
        let wakes = std::mem::take(&mut peer.wakes);
        let out = std::mem::take(&mut peer.out);
        for segment in out {
            let addr = self.addrs.get(&conn).copied().unwrap_or_default();
            self.send(Side::Peer, Packet { conn, addr, segment });
        }
        for (at, wake) in wakes {
            self.push(at.max(self.now_us), Event::Wake(conn, wake));
        }
    }

    /// One pass of a main loop.
    fn pass(&mut self, side: Side) {
        let now = self.now_us;
        let Some(host) = self.host(side) else { return };
        if host.next_pass != Some(now) {
            return;
        }
        host.next_pass = None;
        host.board.pass(at_us(now), &mut host.program);
        self.fetch(side);
        self.plan_pass(side);
    }

    /// Takes what a host's program noted and sends its frames.
    fn fetch(&mut self, side: Side) {
        let Some(host) = self.host(side) else { return };
        let mut log = std::mem::take(&mut host.program.log);
        let departures = std::mem::take(&mut host.board.departures);
        let handled = std::mem::take(&mut host.board.handled);
        self.played.events.append(&mut log);
        for report in handled {
            let at = report.at.ns() / 1_000;
            let row = &mut self.played.segments[report.tag as usize];
            let drop = match report.fate {
                Fate::Taken => None,
                Fate::NoPbuf => Some("pool"),
                Fate::Lost(_) => Some("ring"),
            };
            if drop != Some("ring") && row["rx_us"] != at {
                row["proc_us"] = json!(at);
            }
            if let Some(why) = drop {
                row["drop"] = json!(why);
            }
        }
        for departure in departures {
            let packet = self.packet(side, departure.frame.addr, departure.frame.segment);
            self.send(side, packet);
        }
    }

    /// A frame of a host with the address as the receiver sees it.
    fn packet(&mut self, side: Side, addr: Addr, segment: Segment) -> Packet {
        let (conn, addr) = match (side, &self.other) {
            (Side::Dut, Other::Scripted(_)) => {
                let conn = usize::from(addr.peer_port.saturating_sub(FIRST_PORT));
                self.addrs.insert(conn, addr);
                (conn, addr)
            }
            (_, _) => (0, Addr { port: addr.peer_port, peer: 1, peer_port: addr.port }),
        };
        Packet { conn, addr, segment }
    }

    /// Puts a packet on the wire and writes its row.
    fn send(&mut self, side: Side, packet: Packet) {
        let segment = &packet.segment;
        let wire = &mut self.wires[side as usize];
        let (rx_us, is_lost) = wire.send(self.now_us, segment.ip_bytes(), 0 < segment.len);
        let (dir, to) = match side {
            Side::Dut => ("d>p", Side::Peer),
            Side::Peer => ("p>d", Side::Dut),
        };
        let mut row = json!({
            "t_us": self.now_us,
            "dir": dir,
            "flags": flag_text(segment.flags),
            "seq": segment.seq,
            "ack": segment.flags.has(Flags::ACK).then_some(segment.ack),
            "len": segment.len,
            "win": segment.window,
            "rx_us": (!is_lost).then_some(rx_us),
        });
        if self.names_conn {
            row["conn"] = json!(packet.conn);
        }
        if let Some(mss) = segment.mss {
            row["mss"] = json!(mss);
        }
        if segment.again {
            row["rtx"] = json!(true);
        }
        if is_lost {
            row["drop"] = json!("link");
        }
        let index = self.packets.len();
        self.played.segments.push(row);
        self.packets.push(packet);
        if !is_lost {
            self.push(rx_us, Event::Arrive(to, index));
        }
    }

    /// Plans the next pass of a main loop.
    fn plan_pass(&mut self, side: Side) {
        let now = self.now_us;
        let Some(host) = self.host(side) else { return };
        let Some(pass) = host.board.next_pass(&host.program) else { return };
        let pass = (pass.ns() / 1_000).max(now);
        if host.next_pass.is_none_or(|next| pass < next) {
            host.next_pass = Some(pass);
            self.push(pass, Event::Pass(side));
        }
    }
}

fn at_us(us: u64) -> SimTime {
    SimTime::ZERO + SimSpan::us(us)
}

fn flag_text(flags: Flags) -> String {
    let names = [
        (Flags::SYN, 'S'),
        (Flags::FIN, 'F'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::ACK, 'A'),
    ];
    names.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| *name).collect()
}

/// High-water marks as lwIP's statistics give them.
fn memory_stats(stack: &Stack) -> Value {
    use crate::model::tcp::lwip::memory::{PoolKind, Usage};
    let row = |usage: Usage| json!({ "avail": usage.avail, "used": usage.used, "max": usage.max, "err": usage.err });
    let memory = &stack.core.memory;
    let mut stats = json!({ "heap": row(memory.heap.usage) });
    for kind in PoolKind::ALL {
        stats[kind.name()] = row(memory.pool(kind).usage);
    }
    let tcp = stack.core.stats;
    stats["TCP"] =
        json!({ "xmit": tcp.xmit, "recv": tcp.recv, "drop": tcp.drop, "memerr": tcp.memerr });
    stats
}
