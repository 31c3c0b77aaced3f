//! What a step of the stack costs the processor, and how its frames leave.

use super::super::driver::Path;
use super::{Board, Departure, Program, REPORTS_LIMIT, Rhythm};
use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::Flags;
use crate::model::tcp::lwip::Frame;

/// Counts of the stack before a step.
#[derive(Clone, Copy)]
pub(super) struct Before {
    at: SimTime,
    writes: u32,
    written: u64,
    freed: u32,
    passed: u64,
}

/// What a step of the stack is.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Input { has_data: bool, bytes: u64 },
    Timer,
    Work,
}

impl Board {
    pub(super) fn before(&mut self, now: SimTime) -> Before {
        let is_instant = self.config.pace.wire(0).is_zero();
        self.stack.core.netif.tx_room = match self.config.driver.tx {
            // An instant wire has always sent all; a driver that waits has, too.
            _ if is_instant => u32::MAX,
            Path::ZeroCopy => u32::MAX,
            Path::Copying => self.tx.n_free(now),
        };
        let core = &self.stack.core;
        Before {
            at: now,
            writes: core.stats.writes,
            written: core.stats.written,
            freed: core.stats.freed,
            passed: core.memory.heap.passed,
        }
    }

    /// Charges a step of the stack and sends what it handed over.
    pub(super) fn after(
        &mut self,
        cursor: &mut SimTime,
        program: &mut dyn Program,
        step: Step,
        before: Before,
    ) {
        let cpu = self.config.cpu;
        let costs = &cpu.costs;
        let core = &self.stack.core;
        let base = match step {
            Step::Input { has_data: true, .. } => costs.input_data,
            Step::Input { has_data: false, .. } => costs.input,
            Step::Timer => costs.timer,
            Step::Work => 0,
        };
        let checked = match step {
            Step::Input { bytes, .. } => cpu.checksum(bytes),
            Step::Timer | Step::Work => SimSpan::ZERO,
        };
        let n_writes = u64::from(core.stats.writes - before.writes);
        let freed = u64::from(core.stats.freed - before.freed) * costs.free_segment;
        let searched = (core.memory.heap.passed - before.passed) * costs.heap_block;
        let work = checked
            + cpu.time(base + freed + searched)
            + cpu.write(n_writes, core.stats.written - before.written);
        self.load.stack += work;
        *cursor += work;
        for frame in program.take_frames(&mut self.stack) {
            self.send(cursor, frame, before.at);
        }
    }

    fn send(&mut self, cursor: &mut SimTime, frame: Frame, begun: SimTime) {
        let cpu = self.config.cpu;
        let segment = &frame.segment;
        let bytes = u64::from(segment.ip_bytes());
        let is_ack = segment.len == 0 && !segment.flags.has(Flags::SYN);
        let output = if is_ack { cpu.costs.output_ack } else { cpu.costs.output };
        let stack = cpu.time(output) + cpu.checksum(bytes);
        let driver = cpu.time(cpu.costs.driver);
        self.load.stack += stack;
        self.load.driver += driver;
        *cursor += stack + driver;
        if !frame.is_sent {
            self.tx_refused += 1;
            assert!(self.refused.len() < REPORTS_LIMIT, "somebody takes refusals away");
            self.refused.push(frame);
            return;
        }
        let (n_descriptors, copied) = match self.config.driver.tx {
            Path::ZeroCopy => (frame.n_pbufs, SimSpan::ZERO),
            Path::Copying => (1, cpu.copy(bytes)),
        };
        self.load.copy += copied;
        *cursor += copied;
        let pace = self.config.pace;
        let handed_at = *cursor;
        let ip_bytes = segment.ip_bytes();
        let (first_bit, last_bit, done) = self.tx.send(handed_at, n_descriptors, ip_bytes, &pace);
        if self.config.driver.tx == Path::ZeroCopy {
            // HAL_ETH_Transmit: spins in a super-loop, sleeps with threads.
            if self.config.rhythm != Rhythm::Rtos {
                self.load.tx_wait += done - handed_at;
            }
            *cursor = done;
        }
        assert!(self.departures.len() < REPORTS_LIMIT, "somebody takes departures away");
        let dma = pace.dma(ip_bytes);
        self.departures.push(Departure {
            frame,
            begun,
            handed_at,
            copied,
            dma,
            first_bit,
            last_bit,
        });
    }
}
