//! A board as a machine of the world: what is inside it, and whose turn it is.
//!
//! Programs call the stack when the loop comes round: a call at another time is booked and made
//! then. A pass serves frames and timers; the programs' turn follows at its end, so that whatever
//! they do then belongs to the same pass. What moves here is in `channel/tcp/board.rs`.

use std::collections::VecDeque;

use super::article::Claim;
use super::board::{Board, Departure, Handled, Program, Rhythm};
use super::params::Stm32Params;
use crate::kernel::SimTime;
use crate::model::ground::Lane;
use crate::model::message::ChannelId;
use crate::model::tcp::lwip::{Addr, Answer, App, Event, From, PcbId, Post, Stack};
use crate::model::wire::Frame;

/// Largest IP packet of an Ethernet device in bytes. `ethernetif.c`.
pub const ETHERNET_MTU: u32 = 1_500;
/// Most calls that wait for a turn; each end of a channel books each kind once.
const BOOKINGS_LIMIT: usize = 100_000;

/// A program that was refused and goes on in its `tcp_sent` and `tcp_poll` callbacks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GoingOn {
    /// Its connection.
    pub addr: Addr,
    /// Bytes of its next writes, and whether more follows (no `PSH`).
    pub writes: VecDeque<(u32, bool)>,
    /// Bytes that were taken meanwhile.
    pub taken: u64,
    /// Whether it was called.
    pub was_called: bool,
    /// Writes that were refused: `ERR_MEM`.
    pub n_err_mem: u32,
}

/// The programs of a board, as its main loop sees them: they want a turn, hear by mail, and may go
/// on in callbacks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Desk {
    /// Since when somebody wants a turn.
    pub due: Option<SimTime>,
    /// Who goes on in callbacks.
    pub going_on: Vec<GoingOn>,
}

impl App for Desk {
    fn on(&mut self, stack: &mut Stack, pcb: PcbId, addr: Addr, event: Event) -> Answer {
        let writer = self.going_on.iter_mut().find(|writer| writer.addr == addr);
        if let (Event::Sent(_) | Event::Poll, Some(writer)) = (event, writer) {
            writer.go_on(stack, pcb, event);
        }
        Post.on(stack, pcb, addr, event)
    }
}

impl GoingOn {
    /// Writes what the stack takes; its segments leave when the callback is over.
    fn go_on(&mut self, stack: &mut Stack, pcb: PcbId, event: Event) {
        self.was_called = true;
        let Some((pcb, core)) = stack.pcb_mut(pcb) else { return };
        if event == Event::Poll && !pcb.unacked.is_empty() {
            // It waits for `tcp_sent`.
            return;
        }
        while let Some((bytes, more)) = self.writes.front_mut() {
            let n = (*bytes).min(pcb.snd_buf);
            if n == 0 {
                break;
            }
            if pcb.write(core, n, From::Copy, *more).is_err() {
                self.n_err_mem += 1;
                break;
            }
            self.taken += u64::from(n);
            *bytes -= n;
            if *bytes == 0 {
                self.writes.pop_front();
            }
        }
        // Inside a callback of its connection this does nothing; in `tcp_poll` it sends.
        let _ = pcb.output(core);
    }
}

impl Program for Desk {
    fn next_due(&self) -> Option<SimTime> {
        self.due
    }

    fn work(&mut self, _: SimTime, _: &mut Stack) {}
}

/// A call that waits for a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Booking {
    /// Opens the connection.
    Connect,
    /// Writes what is outside the send buffer.
    Write,
    /// Reads what is there.
    Read,
    /// Closes the sending direction.
    Shutdown,
    /// Closes the socket.
    Close,
}

/// A frame that came and that no pass has served.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inside {
    /// What the board knows it by.
    pub tag: u64,
    /// The frame.
    pub frame: Frame,
    /// When its last bit was at the PHY.
    pub arrived: SimTime,
}

/// A frame that the driver has taken and that is not on the wire yet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Leaving {
    /// When it goes onto the wire.
    pub at: SimTime,
    /// The frame.
    pub departure: Departure,
}

/// A frame that came and is kept back, so that its answer takes as long as is claimed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct KeptBack {
    /// Until when.
    pub until: SimTime,
    /// The frame.
    pub frame: Frame,
}

/// A board with its programs' calls.
#[derive(Clone, PartialEq, Debug)]
pub struct BoardNode {
    /// The board.
    pub board: Board,
    /// Frames in FIFO and ring, in the order in which they came.
    pub inside: Vec<Inside>,
    /// Frames between driver and wire, by time.
    pub leaving: VecDeque<Leaving>,
    /// What a pass served, until the programs' turn.
    pub served: Vec<Handled>,
    /// Calls that wait for a turn.
    pub bookings: Vec<(ChannelId, Lane, Booking)>,
    /// Since when the first of them waits.
    pub booked_at: Option<SimTime>,
    /// When the turn after the last pass begins.
    pub turn_due: Option<SimTime>,
    /// When the last turn was: calls at this instant are made at once.
    pub turn_at: Option<SimTime>,
    /// An article's claim, which takes the place of the simulated latency.
    pub claim: Option<Claim>,
    /// Requests whose answers are claimed to take until then, by end.
    pub asked: Vec<(ChannelId, Lane, SimTime)>,
    /// Frames that are kept back, in the order in which they came.
    pub kept_back: VecDeque<KeptBack>,
    /// Claims drawn so far.
    pub n_claims: u64,
    /// Programs that were refused go on in callbacks.
    pub goes_on_in_callbacks: bool,
    /// What they did in the last pass.
    pub went_on: Vec<GoingOn>,
    /// Writes that lwIP refused for want of memory or queue: `ERR_MEM`.
    pub n_err_mem: u32,
    /// Frames that found no receive buffer.
    pub n_no_pbuf: u32,
    n_tags: u64,
}

impl BoardNode {
    /// A board that has just been switched on; `None` for a part that no document can have.
    pub fn new(params: &Stm32Params) -> Option<BoardNode> {
        let config = params.config(ETHERNET_MTU).ok()?;
        Some(BoardNode {
            board: Board::new(config),
            inside: Vec::new(),
            leaving: VecDeque::new(),
            served: Vec::new(),
            bookings: Vec::new(),
            booked_at: None,
            turn_due: None,
            turn_at: None,
            claim: params.board.article.claim(),
            asked: Vec::new(),
            kept_back: VecDeque::new(),
            n_claims: 0,
            goes_on_in_callbacks: params.board.sent_callback,
            went_on: Vec::new(),
            n_err_mem: 0,
            n_no_pbuf: 0,
            n_tags: 0,
        })
    }

    /// Whether a program may call the stack at once; if so, this is its turn.
    pub fn takes_turn(&mut self, now: SimTime) -> bool {
        if self.turn_at == Some(now) {
            return true;
        }
        if self.turn_due.is_some() || !self.board.is_open_at(now) {
            return false;
        }
        self.turn_at = Some(now);
        self.board.last_pass = now;
        true
    }

    /// Books a call for the next turn.
    pub fn book(&mut self, now: SimTime, channel: ChannelId, side: Lane, what: Booking) {
        self.booked_at.get_or_insert(now);
        if !self.bookings.contains(&(channel, side, what)) {
            assert!(self.bookings.len() < BOOKINGS_LIMIT, "every end books each kind once");
            self.bookings.push((channel, side, what));
        }
    }

    /// When something happens here by itself.
    pub fn next_wake(&self) -> Option<SimTime> {
        let leaves = self.leaving.front().map(|leaving| leaving.at);
        let pass = self.board.next_pass(&Desk { due: self.booked_at, going_on: Vec::new() });
        let claimed = self.kept_back.front().map(|kept| kept.until);
        [leaves, self.turn_due, pass, claimed].into_iter().flatten().min()
    }

    /// A program wrote: from now on its answer is claimed to take so long.
    pub fn ask(&mut self, channel: ChannelId, side: Lane, until: SimTime) {
        if !self.asked.iter().any(|(c, s, _)| (*c, *s) == (channel, side)) {
            self.asked.push((channel, side, until));
        }
    }

    /// Until when what came for an end is to be kept back, if it is.
    pub fn take_claim(&mut self, channel: ChannelId, side: Lane) -> Option<SimTime> {
        let place = self.asked.iter().position(|(c, s, _)| (*c, *s) == (channel, side))?;
        Some(self.asked.remove(place).2)
    }

    /// Puts a frame between driver and wire.
    pub fn leave(&mut self, leaving: Leaving) {
        let place = self.leaving.partition_point(|other| other.at <= leaving.at);
        self.leaving.insert(place, leaving);
    }

    /// A frame comes in; answers with what the board knows it by.
    pub fn enter(&mut self, frame: Frame, arrived: SimTime) -> u64 {
        self.n_tags += 1;
        let tag = self.n_tags;
        self.inside.push(Inside { tag, frame, arrived });
        tag
    }

    /// Takes the frame that the board reports on.
    pub fn take_inside(&mut self, tag: u64) -> Option<Inside> {
        let place = self.inside.iter().position(|inside| inside.tag == tag)?;
        Some(self.inside.remove(place))
    }

    /// Whether its loop is one that comes round, and no threads.
    pub fn is_loop(&self) -> bool {
        matches!(self.board.config.rhythm, Rhythm::SuperLoop { .. })
    }
}
