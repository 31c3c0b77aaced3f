//! The parts: clocks, memories, and what their Ethernet DMA can reach.

use crate::param::Said;

choices! {
    /// A microcontroller.
    pub enum Part {
        /// STM32F407: Cortex-M4, 168 MHz.
        F407 = "f407" ("STM32F407", "STM32F407"),
        /// STM32F767: Cortex-M7, 216 MHz.
        F767 = "f767" ("STM32F767", "STM32F767"),
        /// STM32H743: Cortex-M7, 480 MHz.
        H743 = "h743" ("STM32H743", "STM32H743"),
        /// STM32L476: no Ethernet.
        L476 = "l476" ("STM32L476", "STM32L476"),
    }
}

/// How the receive process wakes up again after it found no descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resume {
    /// By itself when the next frame arrives, or by a poll demand (`DMARPDR`). F4, F7.
    SelfOrPoll,
    /// Only when the tail pointer is written (`DMACRDTPR`). H7.
    TailPointer,
}

/// What a part has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Silicon {
    /// Core clock in Hz.
    pub clock_hz: u64,
    /// Cycles for 100 instructions, code in flash with its accelerator on. Estimated.
    pub cycles_per_100: u32,
    /// Largest memory that the Ethernet DMA reaches, and that a linker script calls `region`.
    pub reach_bytes: u32,
    /// Name of that memory in ST's linker scripts.
    pub region: &'static str,
    /// Memory that the DMA does not reach (CCM, DTCM), in bytes.
    pub unreachable_bytes: u32,
    /// Receive FIFO in bytes.
    pub rx_fifo_bytes: u32,
    /// Transmit FIFO in bytes.
    pub tx_fifo_bytes: u32,
    /// How receiving goes on.
    pub resume: Resume,
    /// Data cache: received bytes are invalidated before they are read.
    pub has_cache: bool,
}

impl Silicon {
    /// An F407's, by which everything was counted.
    pub const F407: Silicon = Silicon {
        clock_hz: 168_000_000,
        cycles_per_100: 160,
        // SRAM1 112 KB and SRAM2 16 KB; the CCM is on the core's own bus.
        reach_bytes: 128 * 1024,
        region: "RAM",
        unreachable_bytes: 64 * 1024,
        rx_fifo_bytes: FIFO_BYTES,
        tx_fifo_bytes: FIFO_BYTES,
        resume: Resume::SelfOrPoll,
        has_cache: false,
    };
}

/// Bytes of each FIFO, as the reference manuals (RM0090, RM0410, RM0433) give them.
const FIFO_BYTES: u32 = 2 * 1024;

/// Why a part cannot be this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoEthernet {
    /// The part.
    pub part: Part,
}

impl NoEthernet {
    /// What is allowed instead, and why.
    pub fn said(self) -> Said {
        Said::new(
            "f407, f767, h743; the STM32L476 has no Ethernet MAC",
            "f407、f767、h743；STM32L476 没有以太网 MAC",
        )
    }
}

impl Part {
    /// What it has. F4: RM0090, F7: RM0410, H7: RM0433.
    pub fn silicon(self) -> Result<Silicon, NoEthernet> {
        Ok(match self {
            Part::F407 => Silicon::F407,
            Part::F767 => Silicon {
                clock_hz: 216_000_000,
                cycles_per_100: 100,
                // DTCM 128 KB is reached through the core's slave port; SRAM1 368, SRAM2 16 KB.
                reach_bytes: 512 * 1024,
                region: "RAM",
                unreachable_bytes: 0,
                rx_fifo_bytes: FIFO_BYTES,
                tx_fifo_bytes: FIFO_BYTES,
                resume: Resume::SelfOrPoll,
                has_cache: true,
            },
            Part::H743 => Silicon {
                clock_hz: 480_000_000,
                cycles_per_100: 100,
                // AXI SRAM; the SRAMs of domain D2 (288 KB) would be regions of their own.
                reach_bytes: 512 * 1024,
                region: "RAM_D1",
                unreachable_bytes: 128 * 1024,
                rx_fifo_bytes: FIFO_BYTES,
                tx_fifo_bytes: FIFO_BYTES,
                resume: Resume::TailPointer,
                has_cache: true,
            },
            Part::L476 => return Err(NoEthernet { part: self }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_without_ethernet_is_refused_with_the_reason() {
        let refused = Part::L476.silicon().expect_err("it has no MAC");
        assert!(refused.said().en.contains("no Ethernet MAC"));
        assert_eq!(Part::F407.silicon().map(|silicon| silicon.reach_bytes), Ok(131_072));
    }
}
