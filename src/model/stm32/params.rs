//! What people set of a board: silicon, driver and loop, and the options of lwIP on it.

use super::article::ArticleMode;
use super::board::{Config, Rhythm};
use super::cost::{Costs, Cpu, Optimisation};
use super::driver::Driver;
use super::mac::{Pace, Rate};
use super::part::{NoEthernet, Part};
use crate::kernel::SimSpan;
use crate::model::tcp::lwip::{LwipParams, MainLoop, Options};
use crate::param::{Amount, Bytes, Param, Params, Reason, Spec, Value};

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
    /// A board with an STM32, without what is lwIP's.
    pub struct BoardParams for "stm32" {
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
        loop_period: SimSpan = SimSpan::us(1), range SimSpan::ZERO => SimSpan::s(2), scale log,
            slider SimSpan::us(1) => SimSpan::s(2), applies restart,
            name ("Loop period", "循环周期"),
            help ("The loop looks at multiples of this; 0: whenever there is something to do.",
                "主循环在其整数倍时刻查看；0 表示有事即办。"),
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
            help ("Characters that each round prints on a serial line, and waits for.",
                "每轮在串口上打印并等待的字符数。"),
            source "a program";
        /// Speed of the serial line, in bit/s.
        printf_baud: Amount = Amount(115_200), range Amount(1_200) => Amount(4_000_000), scale log,
            applies restart, name ("printf baud", "printf 波特率"),
            help ("Speed of that serial line: ten bits a character.",
                "该串口的速率：每字符十位。"),
            source "a program";
        /// Programs go on in `tcp_sent`.
        sent_callback: bool = false, switch, applies restart,
            name ("tcp_sent", "tcp_sent"),
            help ("A program whose write was refused goes on inside its tcp_sent callback; off: \
                when its turn comes.",
                "写入被拒绝的程序在 tcp_sent 回调中继续写；关闭时等轮到它。"),
            source "lwIP tcp.h:tcp_sent";
        /// How fast the MAC puts bits on its wire.
        mac_rate: Rate = Rate::M100, choice, applies restart, name ("MAC speed", "MAC 速率"),
            help ("How fast the MAC puts bits on its wire; the wire beyond has a rate of its own.",
                "MAC 向线路发送比特的速率；其后的链路另有自己的速率。"),
            source "IEEE 802.3";
        /// Bytes after which a FIFO passes a frame on.
        fifo_threshold: Bytes = Bytes(0), range Bytes(0) => Bytes(256), step Bytes(32),
            applies restart, name ("FIFO threshold", "FIFO 阈值"),
            help ("Bytes after which a FIFO passes a frame on; 0: store and forward.",
                "FIFO 收到这么多字节后即转发；0 为存储转发。"),
            source "RM0090 ETH_DMAOMR";
        /// Frames without a descriptor are thrown away.
        flush: bool = true, switch, applies restart, name ("Flush received frames", "清空接收帧"),
            help ("On (DFRF = 0, HAL's default): a frame without a descriptor is lost at once. Off: \
                it waits in the FIFO.",
                "开（DFRF = 0，HAL 默认）：没有描述符的帧立即丢弃。关：在 FIFO 中等待。"),
            source "RM0090 ETH_DMAOMR";
        /// Who computes check sums.
        checksum_by_hardware: bool = true, switch, applies restart,
            name ("CHECKSUM_BY_HARDWARE", "CHECKSUM_BY_HARDWARE"),
            help ("The MAC computes and checks check sums; off: the processor does.",
                "由 MAC 计算并检查校验和；关闭则由处理器承担。"),
            source "STM32Cube lwipopts.h";
        /// How the compiler optimises.
        optimisation: Optimisation = Optimisation::O2, choice, applies restart,
            name ("Optimisation", "优化级别"),
            help ("Without optimisation every step takes 2.5 times the instructions.",
                "不优化时每一步需要 2.5 倍指令。"),
            source "counted, lwIP 2.1.3, GCC 12";
        /// Cycles for 100 instructions.
        cycles_per_100: Amount = Amount(0), range Amount(0) => Amount(1_000), step Amount(10),
            slider Amount(0) => Amount(300), applies restart,
            name ("Cycles, 100 instructions", "百指令周期数"),
            help ("Estimated; 0: 160 on an F4, 100 on an F7 or H7.",
                "估计值；0 表示 F4 取 160，F7 与 H7 取 100。"),
            source "estimated";
        /// What an article claims instead.
        article: ArticleMode = ArticleMode::Off, choice, applies restart,
            name ("Article's claim", "文章声称"),
            help ("Shows a widely read article's numbers instead of the stack's: claims, looked up, \
                not simulated.", "显示某文章的数字，而非协议栈的：是查表得到的声称值，不是仿真。"),
            source "docs/models/stm32.md";
        /// Nothing takes time.
        free_of_cost: bool = false, switch, applies restart, name ("No costs", "零开销"),
            help ("Processor, DMA and PHY take no time: what lwIP alone would do.",
                "处理器、DMA 和 PHY 都不耗时：只看 lwIP 本身。"),
            source "a choice";
    }
}

/// A board with an STM32: what is its own, and the options of its lwIP.
///
/// Its parameters are those of both, the board's first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stm32Params {
    /// Silicon, driver and loop.
    pub board: BoardParams,
    /// The options of `lwipopts.h`.
    pub lwip: LwipParams,
}

const N_BOARD: usize = BoardParams::SPECS.len();
const N_SPECS: usize = N_BOARD + LwipParams::SPECS.len();

const fn specs() -> [Spec; N_SPECS] {
    let mut all = [BoardParams::SPECS[0]; N_SPECS];
    let mut n = 0;
    while n < N_SPECS {
        all[n] = if n < N_BOARD { BoardParams::SPECS[n] } else { LwipParams::SPECS[n - N_BOARD] };
        n += 1;
    }
    all
}

impl Params for Stm32Params {
    fn kind(&self) -> &'static str {
        Stm32Params::KIND
    }

    fn specs(&self) -> &'static [Spec] {
        Stm32Params::SPECS
    }

    fn get(&self, index: u8) -> Value {
        match usize::from(index).checked_sub(N_BOARD) {
            None => self.board.get(index),
            // There are fewer than 256 of both.
            Some(of_lwip) => self.lwip.get(of_lwip as u8),
        }
    }

    fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason> {
        if let Some(of_lwip) = usize::from(index).checked_sub(N_BOARD) {
            return self.lwip.set(of_lwip as u8, value);
        }
        let part = Stm32Params::SPECS[usize::from(index)].key == "part";
        if let Some(Err(refused)) = Part::from_value(value).filter(|_| part).map(Part::silicon) {
            return Err(Reason::new(refused.part.show(), refused.said()));
        }
        self.board.set(index, value)
    }
}

impl Stm32Params {
    /// The name of the profile.
    pub const KIND: &'static str = BoardParams::KIND;
    /// The declarations, the board's first.
    pub const SPECS: &'static [Spec] = &specs();

    /// The board with these parameters, behind a device with this MTU in bytes.
    pub fn config(&self, mtu: u32) -> Result<Config, NoEthernet> {
        self.board.config(Options::from(&self.lwip), mtu)
    }
}

impl BoardParams {
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
        config.flush = self.flush;
        let characters = u64::from(self.printf_characters.0);
        config.rhythm = match self.scheduling {
            Scheduling::Rtos => Rhythm::Rtos,
            Scheduling::SuperLoop if self.hal_delay.is_zero() && characters == 0 => {
                let main_loop = MainLoop { period: self.loop_period, ..MainLoop::default() };
                Rhythm::SuperLoop { main_loop, rest: SimSpan::ZERO }
            }
            Scheduling::SuperLoop => {
                Rhythm::slow(self.hal_delay, characters, u64::from(self.printf_baud.0))
            }
        };
        config.pace.rate = self.mac_rate;
        // Its range keeps it inside 32 bits.
        config.pace.threshold_bytes = self.fifo_threshold.0 as u32;
        config.cpu.optimisation = self.optimisation;
        config.cpu.checksum_by_hardware = self.checksum_by_hardware;
        if self.cycles_per_100.0 != 0 {
            config.cpu.cycles_per_100 = self.cycles_per_100.0;
        }
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
        assert_eq!(params.config(1_500), plain);
        let slow = BoardParams { printf_characters: Amount(15), ..BoardParams::default() };
        let config = slow.config(Options::default(), 1_500).expect("it has Ethernet");
        assert_eq!(config.rhythm, Rhythm::slow(SimSpan::ZERO, 15, 115_200));
        let none = BoardParams { part: Part::L476, ..BoardParams::default() };
        assert!(none.config(Options::default(), 1_500).is_err());
    }

    #[test]
    fn its_parameters_are_the_boards_and_then_those_of_lwip() {
        let mut params = Stm32Params::default();
        for (index, spec) in Stm32Params::SPECS.iter().enumerate() {
            assert_eq!(params.get(index as u8), spec.default(), "{}", spec.key);
            assert_eq!(params.set(index as u8, &spec.default()), Ok(()), "{}", spec.key);
        }
        let place = |key: &str| crate::param::index_of(Stm32Params::SPECS, key).expect("a key");
        params.set(place("tcp-mss"), &Value::Bytes(Bytes(1_460))).expect("a segment size");
        assert_eq!(params.lwip.tcp_mss, Bytes(1_460));
        let refused = params.set(place("part"), &Part::L476.value()).expect_err("no MAC");
        assert!(refused.to_string().contains("no Ethernet MAC"), "{refused}");
        assert_eq!(params.board.part, Part::F407);
    }
}
