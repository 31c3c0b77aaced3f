//! What the processor's work costs: instructions, times cycles each, by the clock.
//!
//! Counts are those of lwIP 2.1.3 built with GCC 12 -O2 for a Cortex-M4 with check sums in
//! hardware; numbers marked "estimated" were not counted.

use super::part::Silicon;
use crate::kernel::SimSpan;

/// Bytes of a full segment, by which costs per byte were counted.
const FULL_SEGMENT: u64 = 1_460;
const NS_PER_S: u128 = 1_000_000_000;

/// Instructions of each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Costs {
    /// `tcp_input` of a segment without data, beside what it frees.
    pub input: u64,
    /// `tcp_input` of a segment with data, beside what it frees and sends.
    pub input_data: u64,
    /// Each segment that an acknowledgement frees.
    pub free_segment: u64,
    /// `tcp_write`, without its bytes.
    pub write: u64,
    /// The bytes of a write of 1460 B.
    pub write_full: u64,
    /// `tcp_output` of a segment.
    pub output: u64,
    /// An acknowledgement of its own.
    pub output_ack: u64,
    /// A run of TCP's timer: fast one and every second slow one, on average.
    pub timer: u64,
    /// Each block that a search in the heap passes over.
    pub heap_block: u64,
    /// The driver, for a frame in either direction. Estimated.
    pub driver: u64,
    /// `memcpy` of 1460 B.
    pub copy_full: u64,
    /// Check sum in software over 1460 B.
    pub checksum_full: u64,
    /// HAL's interrupt handler. Estimated.
    pub interrupt: u64,
    /// Cycles of entry into an interrupt and exit from it. ARM KB 103489845.
    pub interrupt_cycles: u64,
    /// A switch between two threads, in ns. Estimated.
    pub switch_ns: u64,
    /// Cycles for 10 bytes whose cache lines are invalidated. Estimated.
    pub cache_cycles_per_10: u64,
}

impl Costs {
    /// As counted.
    pub const COUNTED: Costs = Costs {
        input: 551,
        input_data: 687,
        free_segment: 223,
        write: 400,
        write_full: 776,
        output: 540,
        output_ack: 647,
        timer: 80,
        heap_block: 10,
        driver: 350,
        copy_full: 800,
        checksum_full: 2_953,
        interrupt: 150,
        interrupt_cycles: 22,
        switch_ns: 3_000,
        cache_cycles_per_10: 2,
    };
    /// Nothing costs anything.
    pub const ZERO: Costs = Costs {
        input: 0,
        input_data: 0,
        free_segment: 0,
        write: 0,
        write_full: 0,
        output: 0,
        output_ack: 0,
        timer: 0,
        heap_block: 0,
        driver: 0,
        copy_full: 0,
        checksum_full: 0,
        interrupt: 0,
        interrupt_cycles: 0,
        switch_ns: 0,
        cache_cycles_per_10: 0,
    };
}

choices! {
    /// How the compiler optimises.
    pub enum Optimisation {
        /// Without: 2.5 times the instructions.
        O0 = "O0" ("-O0", "-O0"),
        /// As counted.
        O2 = "O2" ("-O2", "-O2"),
    }
}

/// A processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu {
    /// Core clock in Hz.
    pub clock_hz: u64,
    /// Cycles for 100 instructions.
    pub cycles_per_100: u32,
    /// How the compiler optimises.
    pub optimisation: Optimisation,
    /// The MAC computes and checks check sums.
    pub checksum_by_hardware: bool,
    /// Received bytes are taken out of a data cache first.
    pub has_cache: bool,
    /// Instructions of the steps.
    pub costs: Costs,
}

impl Cpu {
    /// The processor of a part, with the counted costs.
    pub fn new(silicon: &Silicon) -> Cpu {
        Cpu {
            clock_hz: silicon.clock_hz,
            cycles_per_100: silicon.cycles_per_100,
            optimisation: Optimisation::O2,
            checksum_by_hardware: true,
            has_cache: silicon.has_cache,
            costs: Costs::COUNTED,
        }
    }

    /// How long so many instructions take.
    pub fn time(&self, instructions: u64) -> SimSpan {
        let factor = match self.optimisation {
            Optimisation::O0 => 25,
            Optimisation::O2 => 10,
        };
        let cycles_1000 = u128::from(instructions) * u128::from(self.cycles_per_100) * factor;
        self.cycles_1000(cycles_1000)
    }

    /// How long it takes to copy so many bytes.
    pub fn copy(&self, bytes: u64) -> SimSpan {
        self.time(bytes * self.costs.copy_full / FULL_SEGMENT)
    }

    /// How long a write takes, bytes included.
    pub fn write(&self, n_writes: u64, bytes: u64) -> SimSpan {
        let costs = &self.costs;
        self.time(n_writes * costs.write + bytes * costs.write_full / FULL_SEGMENT)
    }

    /// Check sums in software.
    pub fn checksum(&self, bytes: u64) -> SimSpan {
        if self.checksum_by_hardware {
            return SimSpan::ZERO;
        }
        self.time(bytes * self.costs.checksum_full / FULL_SEGMENT)
    }

    /// Cache lines of received bytes.
    pub fn invalidate(&self, bytes: u64) -> SimSpan {
        if !self.has_cache {
            return SimSpan::ZERO;
        }
        self.cycles_1000(u128::from(bytes * self.costs.cache_cycles_per_10) * 100)
    }

    /// From the end of a frame to the thread that handles it.
    pub fn interrupt(&self) -> SimSpan {
        let entry = self.cycles_1000(u128::from(self.costs.interrupt_cycles) * 1_000);
        entry + self.time(self.costs.interrupt)
    }

    /// Thousandths of cycles.
    fn cycles_1000(&self, cycles_1000: u128) -> SimSpan {
        let ns = cycles_1000 * NS_PER_S / (1_000 * u128::from(self.clock_hz.max(1)));
        SimSpan::ns(ns as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stm32::Part;

    fn cpu(part: Part) -> Cpu {
        Cpu::new(&part.silicon().expect("it has Ethernet"))
    }

    #[test]
    fn steps_on_an_f407_take_what_the_table_says() {
        let cpu = cpu(Part::F407);
        let costs = Costs::COUNTED;
        for (span, us_10) in [
            (cpu.write(1, 1), 38),
            (cpu.write(1, 1_460), 112),
            (cpu.time(costs.output), 51),
            (cpu.time(costs.input_data), 65),
            (cpu.time(costs.input_data + costs.free_segment), 87),
            (cpu.time(costs.input + costs.free_segment), 74),
            (cpu.time(costs.input_data + costs.output_ack), 127),
            (cpu.time(costs.driver), 33),
            (cpu.interrupt(), 16),
            (cpu.copy(1_460), 76),
        ] {
            let ns = span.as_ns();
            assert!(ns.abs_diff(us_10 * 100) <= 60, "{ns} ns, expected {us_10}00");
        }
        assert_eq!(Cpu { costs: Costs::ZERO, ..cpu }.write(1, 1_460), SimSpan::ZERO);
        let slow = Cpu { optimisation: Optimisation::O0, ..cpu };
        assert_eq!(slow.time(1_000).as_ns(), 23_809);
    }
}
