//! The stack of one host: its connections and listeners, and the lists that lwIP keeps of them.

use super::core::{Core, Frame, Netif, TcpStats};
use super::memory::{Memory, PbufId};
use super::options::Options;
use super::pcb::{Addr, Pcb, PcbId, State};
use crate::kernel::SimTime;

/// Priority of connections that nobody gave another. `tcp.h:TCP_PRIO_NORMAL`.
pub const PRIO_NORMAL: u8 = 64;
/// First port for connections that we open. `tcp_priv.h:TCP_LOCAL_PORT_RANGE_START`.
const FIRST_LOCAL_PORT: u16 = 0xC000;

/// What an application is told in a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// `tcp_connected_fn`: our SYN was answered.
    Connected,
    /// `tcp_accept_fn`: a connection to a listener is complete.
    Accept,
    /// `tcp_accept_fn` with `ERR_MEM`: there was no room for a connection; it has no number.
    AcceptFailed,
    /// `tcp_sent_fn`: so many bytes were acknowledged.
    Sent(u32),
    /// `tcp_recv_fn`: data. Who answers [`Answer::Ok`] owns the chain.
    Recv {
        /// The buffers.
        chain: PbufId,
        /// Bytes in them.
        len: u32,
    },
    /// `tcp_recv_fn` with no buffer: the other end closed.
    PeerClosed,
    /// `tcp_poll_fn`.
    Poll,
    /// `tcp_err_fn`: the connection is gone.
    Err(super::Fail),
}

/// What a callback returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// `ERR_OK`.
    Ok,
    /// `ERR_MEM`: data are refused and offered again.
    Refuse,
    /// `ERR_ABRT`: the connection was aborted inside the callback.
    Aborted,
}

/// An application: its callbacks may call the stack.
pub trait App {
    /// One callback of the connection `pcb`.
    fn on(&mut self, stack: &mut Stack, pcb: PcbId, addr: Addr, event: Event) -> Answer;
}

/// A port that is listened at. `tcp.h:struct tcp_pcb_listen`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// Priority of its connections.
    pub prio: u8,
}

/// lwIP's TCP on one host.
#[derive(Clone, PartialEq, Debug)]
pub struct Stack {
    /// Options, memory, time and the way out.
    pub core: Core,
    /// All connections, in no order; the lists below name them.
    pub(super) pcbs: Vec<Pcb>,
    /// Connections in use, the newest or last used first. `tcp.c:tcp_active_pcbs`.
    pub(super) active: Vec<PcbId>,
    /// Connections in `TIME-WAIT`, the newest first. `tcp.c:tcp_tw_pcbs`.
    pub(super) time_wait: Vec<PcbId>,
    /// Listeners.
    pub(super) listeners: Vec<Listener>,
    /// When TCP's timer is due, in ms; `None` while no connection needs it.
    pub(super) timer_due_ms: Option<u64>,
    /// Runs of the timer: the slow one runs with every odd one. `tcp.c:tcp_timer`.
    pub(super) tcp_timer: u8,
    /// Marks the connections that a run has seen. `tcp.c:tcp_timer_ctr`.
    pub(super) timer_ctr: u8,
    next_id: u32,
    next_port: u16,
    /// What sockets have not fetched yet.
    pub(super) mail: Vec<super::socket::Mail>,
}

impl Stack {
    /// A host's stack behind a device with this MTU in bytes.
    pub fn new(options: Options, mtu: u32) -> Stack {
        let memory = Memory::new(&options);
        let netif = Netif {
            mtu,
            tx_max_pbufs: 0,
            tx_fail: 0,
            tx_room: u32::MAX,
            has_driver: false,
            frames: Vec::new(),
        };
        Stack {
            core: Core {
                options,
                memory,
                netif,
                stats: TcpStats::default(),
                ticks: 0,
                now: SimTime::ZERO,
                input_pcb: None,
                input_closed: false,
            },
            pcbs: Vec::new(),
            active: Vec::new(),
            time_wait: Vec::new(),
            listeners: Vec::new(),
            timer_due_ms: None,
            tcp_timer: 0,
            timer_ctr: 0,
            next_id: 0,
            next_port: FIRST_LOCAL_PORT,
            mail: Vec::new(),
        }
    }

    /// Takes what was handed to the network device since the last time.
    pub fn take_frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.core.netif.frames)
    }

    /// A connection, while it exists.
    pub fn pcb(&self, id: PcbId) -> Option<&Pcb> {
        self.pcbs.iter().find(|pcb| pcb.id == id)
    }

    /// A connection with what it shares, to call its methods.
    pub fn pcb_mut(&mut self, id: PcbId) -> Option<(&mut Pcb, &mut Core)> {
        let pcb = self.pcbs.iter_mut().find(|pcb| pcb.id == id)?;
        Some((pcb, &mut self.core))
    }

    /// The connections in use, in the order of lwIP's list.
    pub fn active(&self) -> &[PcbId] {
        &self.active
    }

    /// The connections in `TIME-WAIT`.
    pub fn time_wait(&self) -> &[PcbId] {
        &self.time_wait
    }

    /// A new connection that is in no list yet. `tcp.c:tcp_alloc`.
    ///
    /// When the pool is empty, the oldest connection in `TIME-WAIT` goes, then one in `LAST-ACK`,
    /// in `CLOSING`, and one of lower priority; `None` if none of them exists.
    pub fn alloc(&mut self, app: &mut dyn App, prio: u8) -> Option<PcbId> {
        let err_before = self.core.memory.tcp_pcb.usage.err;
        let mut has_room = self.core.memory.tcp_pcb.take();
        for step in 0..4 {
            if has_room {
                break;
            }
            match step {
                0 => {
                    self.handle_closepend();
                    self.kill_time_wait(app);
                }
                1 => self.kill_state(app, State::LastAck),
                2 => self.kill_state(app, State::Closing),
                _ => self.kill_prio(app, prio),
            }
            has_room = self.core.memory.tcp_pcb.take();
        }
        if !has_room {
            return None;
        }
        // Attempts in between do not count as errors.
        self.core.memory.tcp_pcb.usage.err = err_before;
        let id = PcbId(self.next_id);
        self.next_id += 1;
        self.pcbs.push(Pcb::new(id, prio, self.timer_ctr, &self.core));
        Some(id)
    }

    /// Forgets a connection that is in no list any more. `tcp.c:tcp_free`.
    pub(super) fn free(&mut self, id: PcbId) {
        let place = self.pcbs.iter().position(|pcb| pcb.id == id);
        self.pcbs.swap_remove(place.expect("a connection is freed once"));
        self.core.memory.tcp_pcb.give();
    }

    /// Puts a connection into use and starts the timer. `tcp_priv.h:TCP_REG_ACTIVE`.
    pub(super) fn register(&mut self, id: PcbId) {
        self.active.insert(0, id);
        self.need_timer();
    }

    /// Takes a connection out of the lists.
    pub(super) fn unlist(&mut self, id: PcbId) {
        self.active.retain(|other| *other != id);
        self.time_wait.retain(|other| *other != id);
    }

    /// Ends a connection: frees what it holds, and sends an acknowledgement that it still owes.
    /// `tcp.c:tcp_pcb_remove`.
    pub(super) fn remove(&mut self, id: PcbId) {
        self.unlist(id);
        let Some((pcb, core)) = self.pcb_mut(id) else { return };
        pcb.purge(core);
        if pcb.state != State::TimeWait && pcb.flags.any(super::Tf::ACK_DELAY) {
            pcb.set(super::Tf::ACK_NOW);
            // The connection is over: nobody tries again.
            let _ = pcb.output(core);
        }
        pcb.state = State::Closed;
    }

    /// Tells an application that its connection is gone. Before a connection is accepted no
    /// application has it: nobody is told.
    pub(super) fn tell_err(
        &mut self,
        app: &mut dyn App,
        id: PcbId,
        addr: Addr,
        state: State,
        fail: super::Fail,
    ) {
        if state != State::SynRcvd {
            app.on(self, id, addr, Event::Err(fail));
        }
    }

    /// A port for a connection that we open. `tcp.c:tcp_new_port`.
    pub(super) fn new_port(&mut self) -> Option<u16> {
        for _ in FIRST_LOCAL_PORT..u16::MAX {
            self.next_port += 1;
            if self.next_port == u16::MAX {
                self.next_port = FIRST_LOCAL_PORT;
            }
            let port = self.next_port;
            let in_use = self.pcbs.iter().any(|pcb| pcb.addr.port == port)
                || self.listeners.iter().any(|listener| listener.port == port);
            if !in_use {
                return Some(port);
            }
        }
        None
    }

    /// Closing that failed for want of memory. `tcp.c:tcp_handle_closepend`.
    fn handle_closepend(&mut self) {
        for id in self.active.clone() {
            self.retry_close(id);
        }
    }

    fn kill_time_wait(&mut self, app: &mut dyn App) {
        if let Some(id) = self.longest_silent(&self.time_wait, |_| true) {
            self.abandon(app, id, true);
        }
    }

    fn kill_state(&mut self, app: &mut dyn App, state: State) {
        if let Some(id) = self.longest_silent(&self.active, |pcb| pcb.state == state) {
            self.abandon(app, id, false);
        }
    }

    /// `tcp.c:tcp_kill_prio`: of the lowest priority below ours the one longest silent.
    fn kill_prio(&mut self, app: &mut dyn App, prio: u8) {
        let prios = self.active.iter().filter_map(|id| self.pcb(*id)).map(|pcb| pcb.prio);
        let Some(lowest) = prios.min().filter(|lowest| *lowest < prio.min(127)) else { return };
        if let Some(id) = self.longest_silent(&self.active, |pcb| pcb.prio == lowest) {
            self.abandon(app, id, true);
        }
    }

    /// The one that was heard longest ago; of equals the last in the list.
    fn longest_silent(&self, list: &[PcbId], which: impl Fn(&Pcb) -> bool) -> Option<PcbId> {
        let pcbs = list.iter().filter_map(|id| self.pcb(*id)).filter(|pcb| which(pcb));
        pcbs.max_by_key(|pcb| self.core.ticks - pcb.tmr).map(|pcb| pcb.id)
    }
}
