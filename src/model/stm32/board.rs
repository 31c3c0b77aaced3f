//! The board: MAC, driver, main loop or threads, and lwIP, with one processor for all of it.
//!
//! Whoever carries frames calls [`Board::arrive`] when a frame's last bit is at the PHY,
//! [`Board::pass`] at [`Board::next_pass`], and takes away what left and what was lost. A pass
//! runs from its begin to `busy_until`; frames leave inside it when the processor gets there.

use super::cost::{Costs, Cpu};
use super::driver::{Driver, Path};
use super::mac::{Loss, Pace, Rx, RxFrame, Tx};
use super::part::{NoEthernet, Part, Silicon};
use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::lwip::main_loop::Duty;
use crate::model::tcp::lwip::memory::Pool;
use crate::model::tcp::lwip::{App, Frame, MainLoop, Options, Stack};
use crate::model::tcp::segment::{IP_HEADER, TCP_HEADER};

mod charge;

use charge::Step;

/// Most losses and departures that wait for somebody to take them away.
const REPORTS_LIMIT: usize = 1_000_000;
/// Descriptors of a ring that never fills.
pub const RING_LIMIT: u32 = 4_096;
/// Bits of a character on a serial line: start, eight, stop.
const BITS_PER_CHARACTER: u64 = 10;

/// A program on the board.
pub trait Program: App {
    /// When it next does something by itself.
    fn next_due(&self) -> Option<SimTime>;

    /// A pass begins.
    fn begin(&mut self, _now: SimTime) {}

    /// Does what is due.
    fn work(&mut self, now: SimTime, stack: &mut Stack);

    /// Takes what was handed to the device since the last time.
    fn take_frames(&mut self, stack: &mut Stack) -> Vec<Frame> {
        stack.take_frames()
    }
}

/// Who calls the stack.
#[derive(Clone, PartialEq, Debug)]
pub enum Rhythm {
    /// A super-loop, which looks when it comes round.
    SuperLoop {
        /// When it comes round, if nothing else in it takes time.
        main_loop: MainLoop,
        /// What else a round takes: `HAL_Delay`, a `printf` that waits for its line.
        rest: SimSpan,
    },
    /// Threads: the interrupt wakes the driver's, and that lwIP's.
    Rtos,
}

impl Rhythm {
    /// A loop that does nothing but serve, a round of `period`.
    pub fn tight(period: SimSpan) -> Rhythm {
        let main_loop = MainLoop { period, ..MainLoop::default() };
        Rhythm::SuperLoop { main_loop, rest: SimSpan::ZERO }
    }

    /// A loop with `HAL_Delay(delay)` and a `printf` of so many characters at `baud` bit/s.
    pub fn slow(delay: SimSpan, characters: u64, baud: u64) -> Rhythm {
        let printf = characters * BITS_PER_CHARACTER * 1_000_000_000 / baud.max(1);
        let rest = delay + SimSpan::ns(printf);
        Rhythm::SuperLoop { main_loop: MainLoop::default(), rest }
    }
}

/// What a board is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// lwIP's options.
    pub options: Options,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// The part.
    pub silicon: Silicon,
    /// The processor.
    pub cpu: Cpu,
    /// The driver.
    pub driver: Driver,
    /// Who calls the stack.
    pub rhythm: Rhythm,
    /// MAC and PHY.
    pub pace: Pace,
    /// Frames without a descriptor are thrown away at once (`DFRF` = 0, HAL's default).
    pub flush: bool,
}

impl Config {
    /// A part at 100 Mbit/s with ST's new driver and a loop of 1 us that does nothing else.
    pub fn typical(part: Part, options: Options) -> Result<Config, NoEthernet> {
        let silicon = part.silicon()?;
        Ok(Config {
            options,
            mtu: 1_500,
            silicon,
            cpu: Cpu::new(&silicon),
            driver: Driver::ZERO_COPY,
            rhythm: Rhythm::tight(SimSpan::us(1)),
            pace: Pace::TYPICAL,
            flush: true,
        })
    }

    /// A board on which nothing takes time, with a driver that copies: what lwIP alone would do.
    ///
    /// # Panics
    /// If the loop's `rx_ring` is above [`RING_LIMIT`].
    pub fn without_costs(options: Options, mtu: u32, main_loop: MainLoop) -> Config {
        assert!(main_loop.rx_ring <= RING_LIMIT, "a ring has a limit");
        let silicon = Silicon::F407;
        let n = if main_loop.rx_ring == 0 { RING_LIMIT } else { main_loop.rx_ring };
        Config {
            options,
            mtu,
            silicon,
            cpu: Cpu { costs: Costs::ZERO, ..Cpu::new(&silicon) },
            driver: Driver { rx_descriptors: n, tx_descriptors: RING_LIMIT, ..Driver::COPYING },
            rhythm: Rhythm::SuperLoop { main_loop, rest: SimSpan::ZERO },
            pace: Pace::ZERO,
            flush: true,
        }
    }
}

/// A frame that left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Departure {
    /// The frame.
    pub frame: Frame,
    /// When the step of the stack that made it began.
    pub begun: SimTime,
    /// When the driver handed it to the DMA.
    pub handed_at: SimTime,
    /// Time in which the driver copied it; between `begun` and `handed_at`.
    pub copied: SimSpan,
    /// Time of the DMA, after `handed_at`.
    pub dma: SimSpan,
    /// When its first bit left the PHY.
    pub first_bit: SimTime,
    /// When its last bit left the PHY.
    pub last_bit: SimTime,
}

/// What became of a frame that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The stack took it.
    Taken,
    /// No receive buffer was free: `no pbuf`.
    NoPbuf,
    /// The MAC lost it: `RX ring full`.
    Lost(Loss),
}

/// A frame that came, and what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handled {
    /// What its carrier knows it by.
    pub tag: u64,
    /// When: lost, or handed to the stack.
    pub at: SimTime,
    /// What became of it.
    pub fate: Fate,
    /// When it was complete in memory; of a lost one, when it was lost.
    pub ready: SimTime,
    /// When the pass began that took it.
    pub pass: SimTime,
    /// Time in which the driver copied it.
    pub copied: SimSpan,
    /// When the stack was done with it.
    pub until: SimTime,
}

/// Where the processor's time went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// lwIP.
    pub stack: SimSpan,
    /// The driver, interrupts and thread switches.
    pub driver: SimSpan,
    /// Copying by the driver.
    pub copy: SimSpan,
    /// Waiting for a frame to be sent, without doing anything.
    pub tx_wait: SimSpan,
}

impl Load {
    /// All of it.
    pub fn total(&self) -> SimSpan {
        self.stack + self.driver + self.copy + self.tx_wait
    }
}

/// A board.
#[derive(Clone, PartialEq, Debug)]
pub struct Board {
    /// What it is made of.
    pub config: Config,
    /// lwIP.
    pub stack: Stack,
    /// Receiving.
    pub rx: Rx,
    /// Sending.
    pub tx: Tx,
    /// The processor, or the loop, is occupied until then.
    pub busy_until: SimTime,
    /// Where time went.
    pub load: Load,
    /// Frames that the driver refused: `ERR_IF`, `ERR_USE`.
    pub tx_refused: u32,
    /// The pool of receive buffers was empty: nothing is read until one is freed.
    /// `ethernetif.c:RxAllocStatus`.
    pub is_reading_stopped: bool,
    /// What left, until somebody takes it away.
    pub departures: Vec<Departure>,
    /// What came and what became of it, until somebody takes it away.
    pub handled: Vec<Handled>,
    /// What the driver refused to send, until somebody takes it away.
    pub refused: Vec<Frame>,
    /// When the last pass began.
    pub last_pass: SimTime,
    /// Frames that a pass left behind wait for the next one.
    has_left: bool,
}

impl Board {
    /// A board that has just been switched on.
    pub fn new(config: Config) -> Board {
        let mut stack = Stack::new(config.options, config.mtu);
        let driver = &config.driver;
        if driver.rx == Path::ZeroCopy {
            let custom = &mut stack.core.memory.custom;
            *custom = Pool::new(driver.rx_buffers);
            let n_attached = (0..driver.rx_descriptors).filter(|_| custom.take()).count();
            let all = n_attached as u32 == driver.rx_descriptors;
            assert!(all, "the pool has a buffer for every descriptor");
        }
        stack.core.netif.has_driver = true;
        if driver.tx == Path::ZeroCopy {
            stack.core.netif.tx_max_pbufs = driver.tx_descriptors;
        }
        let silicon = &config.silicon;
        let (fifo, resume) = (silicon.rx_fifo_bytes, silicon.resume);
        Board {
            rx: Rx::new(driver.rx_descriptors, fifo, resume, config.flush),
            tx: Tx::new(driver.tx_descriptors),
            stack,
            config,
            busy_until: SimTime::ZERO,
            load: Load::default(),
            tx_refused: 0,
            is_reading_stopped: false,
            departures: Vec::new(),
            handled: Vec::new(),
            refused: Vec::new(),
            last_pass: SimTime::ZERO,
            has_left: false,
        }
    }

    /// The last bit of a frame is at the PHY.
    pub fn arrive(&mut self, now: SimTime, frame: RxFrame) {
        let pace = self.config.pace;
        self.rx.arrive(now + pace.phy_rx, frame, &pace);
        self.note_losses(now);
    }

    /// When the next pass begins that has something to do.
    pub fn next_pass(&self, program: &dyn Program) -> Option<SimTime> {
        let wake = match self.config.rhythm {
            Rhythm::SuperLoop { .. } => SimSpan::ZERO,
            Rhythm::Rtos => self.config.cpu.interrupt() + self.switches(),
        };
        let can_read = !self.is_reading_stopped || self.has_free_buffer();
        let frame = self.rx.ready_at().filter(|_| can_read).map(|ready| ready + wake);
        let others = [self.stack.next_wake(), program.next_due()].into_iter().flatten();
        let others = others.map(|due| self.pass_at(due.max(self.last_pass)));
        let frame = frame.map(|ready| match &self.config.rhythm {
            Rhythm::SuperLoop { main_loop, .. } if self.has_left => {
                main_loop.pass_after(self.last_pass).max(self.pass_at(ready))
            }
            _ => self.pass_at(ready.max(self.last_pass)),
        });
        others.chain(frame).min()
    }

    /// One pass: frames, timers and the program, in the loop's order.
    pub fn pass(&mut self, now: SimTime, program: &mut dyn Program) {
        self.last_pass = now;
        let mut cursor = now;
        program.begin(now);
        let order = match &self.config.rhythm {
            Rhythm::SuperLoop { main_loop, .. } => main_loop.order,
            Rhythm::Rtos => MainLoop::default().order,
        };
        for duty in order {
            match duty {
                Duty::Frames => self.serve_frames(&mut cursor, program),
                Duty::Timers => {
                    if self.stack.next_wake().is_some_and(|due| due <= cursor) {
                        let before = self.before(cursor);
                        self.stack.check_timeouts(cursor, program);
                        self.after(&mut cursor, program, Step::Timer, before);
                    }
                }
                Duty::App => {
                    let before = self.before(cursor);
                    program.work(cursor, &mut self.stack);
                    self.after(&mut cursor, program, Step::Work, before);
                }
            }
        }
        // Buffers that were freed meanwhile go back into the ring.
        if self.is_reading_stopped && self.has_free_buffer() {
            self.rebuild(cursor);
        }
        self.has_left = 0 < self.rx.n_ready(now);
        self.busy_until = cursor;
    }

    /// Whether a program may call the stack at `now`: the processor is free, and the loop comes
    /// round at this instant.
    pub fn is_open_at(&self, now: SimTime) -> bool {
        self.busy_until <= now && self.pass_at(now) == now
    }

    /// A program calls the stack as part of a pass: at `now`, or when the processor has done what
    /// it does already. The call gets the time at which it runs.
    pub fn call<R>(
        &mut self,
        now: SimTime,
        program: &mut dyn Program,
        call: impl FnOnce(SimTime, &mut Stack) -> R,
    ) -> R {
        let mut cursor = now.max(self.busy_until);
        let before = self.before(cursor);
        let result = call(cursor, &mut self.stack);
        self.after(&mut cursor, program, Step::Work, before);
        self.busy_until = cursor;
        result
    }

    /// How many of the pool's buffers are in the ring, with a frame or without.
    pub fn n_attached(&self) -> u32 {
        use super::mac::Slot;
        self.rx.slots.iter().filter(|slot| **slot != Slot::Bare).count() as u32
    }

    fn pass_at(&self, t: SimTime) -> SimTime {
        let Rhythm::SuperLoop { main_loop, rest } = &self.config.rhythm else {
            return t.max(self.busy_until);
        };
        let t = t.max(self.busy_until);
        if rest.is_zero() {
            return main_loop.pass_at(t);
        }
        // Rounds without anything to do take the rest only.
        let since = (t - self.busy_until).as_ns();
        let rounds = since.div_ceil(rest.as_ns()).max(u64::from(SimTime::ZERO < self.busy_until));
        main_loop.pass_at(self.busy_until + SimSpan::ns(rounds * rest.as_ns()))
    }

    fn switches(&self) -> SimSpan {
        SimSpan::ns(2 * self.config.cpu.costs.switch_ns)
    }

    fn has_free_buffer(&self) -> bool {
        let usage = self.stack.core.memory.custom.usage;
        usage.used < usage.avail
    }

    fn serve_frames(&mut self, cursor: &mut SimTime, program: &mut dyn Program) {
        let pace = self.config.pace;
        self.rx.settle(*cursor, &pace);
        let n_ready = self.rx.n_ready(*cursor);
        let n = match &self.config.rhythm {
            Rhythm::SuperLoop { main_loop, .. } => main_loop.frames_in_pass(n_ready),
            Rhythm::Rtos => n_ready,
        };
        for _ in 0..n {
            if self.is_reading_stopped {
                if !self.has_free_buffer() {
                    break;
                }
                self.rebuild(*cursor);
            }
            let Some((ready, frame)) = self.rx.take(*cursor) else { break };
            self.serve_frame(cursor, (ready, frame), program);
        }
        self.note_losses(*cursor);
    }

    fn serve_frame(
        &mut self,
        cursor: &mut SimTime,
        (ready, frame): (SimTime, RxFrame),
        program: &mut dyn Program,
    ) {
        let cpu = self.config.cpu;
        let segment = frame.segment;
        let bytes = u64::from(segment.ip_bytes());
        let mut driver = cpu.time(cpu.costs.driver) + cpu.invalidate(bytes);
        if self.config.rhythm == Rhythm::Rtos {
            driver += cpu.interrupt() + self.switches();
        }
        self.load.driver += driver;
        // The interrupt and the switches were waited for before the pass began.
        *cursor += cpu.time(cpu.costs.driver) + cpu.invalidate(bytes);
        let at = *cursor;
        let mut copied = SimSpan::ZERO;
        let is_taken = match self.config.driver.rx {
            Path::Copying => {
                copied = cpu.copy(bytes);
                self.load.copy += copied;
                *cursor += copied;
                self.rebuild(*cursor);
                let before = self.before(*cursor);
                let is_taken = self.stack.frame(*cursor, frame.addr, &segment, program);
                let has_data = 0 < segment.len;
                if is_taken {
                    self.after(cursor, program, Step::Input { has_data, bytes }, before);
                }
                is_taken
            }
            Path::ZeroCopy => {
                self.rebuild(*cursor);
                let before = self.before(*cursor);
                let memory = &mut self.stack.core.memory;
                let chain = memory.adopt_custom(segment.ip_bytes());
                let headers = IP_HEADER + TCP_HEADER + segment.option_bytes();
                memory.trim_front(chain, headers);
                self.stack.input(*cursor, frame.addr, &segment, chain, program);
                let has_data = 0 < segment.len;
                self.after(cursor, program, Step::Input { has_data, bytes }, before);
                true
            }
        };
        let fate = if is_taken { Fate::Taken } else { Fate::NoPbuf };
        let (tag, pass, until) = (frame.tag, self.last_pass, *cursor);
        self.report(Handled { tag, at, fate, ready, pass, copied, until });
    }

    /// Gives bare descriptors back to the DMA, each with a buffer.
    fn rebuild(&mut self, now: SimTime) {
        let pace = self.config.pace;
        self.rx.settle(now, &pace);
        self.is_reading_stopped = false;
        loop {
            let has_bare = self.n_attached() < self.config.driver.rx_descriptors;
            if !has_bare {
                break;
            }
            if self.config.driver.rx == Path::ZeroCopy && !self.stack.core.memory.custom.take() {
                self.is_reading_stopped = true;
                break;
            }
            self.rx.give_back();
        }
        if !self.config.driver.forgets_resume {
            self.rx.demand(now, &pace);
        }
        self.note_losses(now);
    }

    fn note_losses(&mut self, at: SimTime) {
        for (frame, loss) in std::mem::take(&mut self.rx.lost) {
            let (tag, fate, copied) = (frame.tag, Fate::Lost(loss), SimSpan::ZERO);
            self.report(Handled { tag, at, fate, ready: at, pass: at, copied, until: at });
        }
    }

    fn report(&mut self, handled: Handled) {
        assert!(self.handled.len() < REPORTS_LIMIT, "somebody takes reports away");
        self.handled.push(handled);
    }
}

#[cfg(test)]
mod tests;
