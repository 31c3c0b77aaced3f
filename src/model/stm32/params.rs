//! What people set of a board, beside the options of lwIP.

use super::board::{Config, Rhythm};
use super::cost::{Costs, Cpu, Optimisation};
use super::driver::Driver;
use super::mac::{Pace, Rate};
use super::part::{NoEthernet, Part};
use crate::kernel::SimSpan;
use crate::model::tcp::lwip::{MainLoop, Options};
use crate::param::Amount;

choices! {
    /// ST's driver.
    pub enum DriverKind {
        /// The old one: copies into and out of buffers of its own.
        Copying = "copying" ("copying (old)", "复制（旧版）"),
        /// The new one: hands buffers over.
        ZeroCopy = "zero-copy" ("zero-copy (new)", "零拷贝（新版）"),
    }
}

choices! {
    /// Who calls the stack.
    pub enum Scheduling {
        /// A super-loop.
        SuperLoop = "super-loop" ("super-loop", "裸机主循环"),
        /// Threads of an operating system.
        Rtos = "rtos" ("RTOS", "RTOS"),
    }
}

params! {
    /// A board with an STM32.
    pub struct Stm32Params for "stm32" {
        /// The part.
        part: Part = Part::F407, choice, applies restart, name ("Part", "型号"),
            help ("Clock, memory and MAC. Parts without Ethernet are refused.",
                "决定时钟、内存和 MAC。没有以太网的型号会被拒绝。"),
            source "RM0090, RM0410, RM0433";
        /// ST's driver.
        driver: DriverKind = DriverKind::ZeroCopy, choice, applies restart,
            name ("Ethernet driver", "以太网驱动"),
            help ("The old driver copies every frame; the new one hands buffers over, refuses long \
                chains and waits for each frame to be sent.",
                "旧驱动复制每一帧；新驱动直接移交缓冲，拒绝过长的链，并等待每帧发送完成。"),
            source "STM32CubeF4 ethernetif.c";
        /// Receive descriptors.
        rx_descriptors: Amount = Amount(4), range Amount(1) => Amount(64), step Amount(1),
            applies restart, name ("ETH_RX_DESC_CNT", "ETH_RX_DESC_CNT"),
            help ("Receive descriptors of the DMA.", "DMA 的接收描述符数。"),
            source "stm32f4xx_hal_conf.h";
        /// Transmit descriptors.
        tx_descriptors: Amount = Amount(4), range Amount(1) => Amount(64), step Amount(1),
            applies restart, name ("ETH_TX_DESC_CNT", "ETH_TX_DESC_CNT"),
            help ("Transmit descriptors; the new driver refuses longer chains.",
                "发送描述符数；新驱动拒绝更长的链。"),
            source "stm32f4xx_hal_conf.h";
        /// Receive buffers of the zero-copy driver.
        rx_buffers: Amount = Amount(12), range Amount(1) => Amount(256), scale log,
            applies restart, name ("ETH_RX_BUFFER_CNT", "ETH_RX_BUFFER_CNT"),
            help ("Receive buffers of the new driver; when none is left, reading stops.",
                "新驱动的接收缓冲数；用尽时停止读取。"),
            source "STM32CubeF4 ethernetif.c";
        /// The driver forgets to wake the receive process.
        forgets_resume: bool = false, switch, applies restart,
            name ("Driver forgets to resume", "驱动忘记恢复接收"),
            help ("After a frame found no descriptor, nothing wakes the receiver: an H7 stays \
                silent.", "某帧找不到描述符后无人唤醒接收：H7 将一直沉默。"),
            source "STM32CubeH7 #222";
        /// Who calls the stack.
        scheduling: Scheduling = Scheduling::SuperLoop, choice, applies restart,
            name ("Scheduling", "调度方式"),
            help ("A loop that looks when it comes round, or threads that an interrupt wakes.",
                "轮到才查看的主循环，或由中断唤醒的线程。"),
            source "MX_LWIP_Process";
        /// A round of the loop.
        loop_period: SimSpan = SimSpan::us(1), range SimSpan::us(1) => SimSpan::s(2), scale log,
            applies restart, name ("Loop period", "循环周期"),
            help ("The loop looks at multiples of this.", "主循环在其整数倍时刻查看。"),
            source "a program";
        /// `HAL_Delay` in the loop.
        hal_delay: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::s(2),
            step SimSpan::ms(1), applies restart, name ("HAL_Delay", "HAL_Delay"),
            help ("Each round waits this long and serves nothing meanwhile.",
                "每轮等待这么久，其间不处理任何事。"),
            source "a program";
        /// Characters that each round prints.
        printf_characters: Amount = Amount(0), range Amount(0) => Amount(1_000), step Amount(1),
            applies restart, name ("printf characters", "printf 字符数"),
            help ("Characters that each round prints at 115200 bit/s, and waits for.",
                "每轮以 115200 bit/s 打印并等待的字符数。"),
            source "a program";
        /// How fast the wire is.
        rate: Rate = Rate::M100, choice, applies restart, name ("Wire", "线速"),
            help ("Speed of the Ethernet link.", "以太网链路速率。"),
            source "IEEE 802.3";
        /// How the compiler optimises.
        optimisation: Optimisation = Optimisation::O2, choice, applies restart,
            name ("Optimisation", "优化级别"),
            help ("Without optimisation every step takes 2.5 times the instructions.",
                "不优化时每一步需要 2.5 倍指令。"),
            source "counted, lwIP 2.1.3, GCC 12";
        /// Nothing takes time.
        free_of_cost: bool = false, switch, applies restart, name ("No costs", "零开销"),
            help ("Processor, DMA and PHY take no time: what lwIP alone would do.",
                "处理器、DMA 和 PHY 都不耗时：只看 lwIP 本身。"),
            source "a choice";
    }
}

/// Speed of the serial line of `printf`, in bit/s.
const BAUD: u64 = 115_200;

impl Stm32Params {
    /// The board with these parameters and lwIP's options.
    pub fn config(&self, options: Options, mtu: u32) -> Result<Config, NoEthernet> {
        let mut config = Config::typical(self.part, options)?;
        config.mtu = mtu;
        let driver = match self.driver {
            DriverKind::Copying => Driver::COPYING,
            DriverKind::ZeroCopy => Driver::ZERO_COPY,
        };
        config.driver = Driver {
            rx_descriptors: self.rx_descriptors.0,
            tx_descriptors: self.tx_descriptors.0,
            // Every descriptor begins with a buffer.
            rx_buffers: self.rx_buffers.0.max(self.rx_descriptors.0),
            forgets_resume: self.forgets_resume,
            ..driver
        };
        let characters = u64::from(self.printf_characters.0);
        config.rhythm = match self.scheduling {
            Scheduling::Rtos => Rhythm::Rtos,
            Scheduling::SuperLoop if self.hal_delay.is_zero() && characters == 0 => {
                let main_loop = MainLoop { period: self.loop_period, ..MainLoop::default() };
                Rhythm::SuperLoop { main_loop, rest: SimSpan::ZERO }
            }
            Scheduling::SuperLoop => Rhythm::slow(self.hal_delay, characters, BAUD),
        };
        config.pace.rate = self.rate;
        config.cpu.optimisation = self.optimisation;
        if self.free_of_cost {
            config.cpu = Cpu { costs: Costs::ZERO, ..config.cpu };
            config.pace = Pace::ZERO;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_make_the_board_that_they_name() {
        let params = Stm32Params::default();
        let plain = Config::typical(Part::F407, Options::default());
        assert_eq!(params.config(Options::default(), 1_500), plain);
        let slow = Stm32Params { printf_characters: Amount(15), ..Stm32Params::default() };
        let config = slow.config(Options::default(), 1_500).expect("it has Ethernet");
        assert_eq!(config.rhythm, Rhythm::slow(SimSpan::ZERO, 15, BAUD));
        let none = Stm32Params { part: Part::L476, ..Stm32Params::default() };
        assert!(none.config(Options::default(), 1_500).is_err());
    }
}
