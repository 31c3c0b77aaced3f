//! What tells one stack from another: rules and figures, as data for one machine.
//!
//! `linux` is a stock kernel 6.x as it was measured; `rfc` is what the standards say, with the
//! choices they leave open as parameters.

use crate::kernel::SimSpan;
use crate::model::tcp::stack::timers::Clock;
use crate::param::{Amount, Bytes};

choices! {
    /// Which short segments wait. Read `docs/models/tcp.md`.
    pub enum NagleRule {
        /// Any unacknowledged data holds a short segment back.
        Classic = "classic" ("classic", "经典"),
        /// Only an unacknowledged short segment does.
        Minshall = "minshall" ("Minshall", "Minshall 变体"),
        /// None.
        Off = "off" ("off", "关闭"),
    }
}

choices! {
    /// When data is acknowledged that nothing can carry an acknowledgement for.
    pub enum AckRule {
        /// A fixed time later, or with the second full segment.
        Fixed = "fixed" ("after a fixed time", "固定延迟"),
        /// At the next beat of a clock that runs by itself, or with the second full segment.
        Heartbeat = "heartbeat" ("at a heartbeat", "固定节拍"),
        /// At once.
        Immediate = "immediate" ("at once", "立即"),
    }
}

choices! {
    /// How the congestion window grows.
    pub enum Congestion {
        /// RFC 5681.
        Reno = "reno" ("Reno", "Reno"),
        /// RFC 9438.
        Cubic = "cubic" ("CUBIC", "CUBIC"),
    }
}

choices! {
    /// Ticks a second of a Linux kernel.
    pub enum Hz {
        /// 4 ms.
        Hz250 = "250" ("250", "250"),
        /// 10 ms.
        Hz100 = "100" ("100", "100"),
        /// 3.33 ms.
        Hz300 = "300" ("300", "300"),
        /// 1 ms.
        Hz1000 = "1000" ("1000", "1000"),
    }
}

impl Hz {
    /// Length of a tick.
    pub fn tick(self) -> SimSpan {
        match self {
            Hz::Hz100 => SimSpan::ms(10),
            Hz::Hz250 => SimSpan::ms(4),
            Hz::Hz300 => SimSpan::ns(3_333_333),
            Hz::Hz1000 => SimSpan::ms(1),
        }
    }
}

params! {
    /// A Linux end.
    pub struct LinuxParams for "linux" {
        /// Whether `TCP_NODELAY` is set on new sockets.
        nodelay: bool = false, switch, applies restart,
            name ("No delay", "关闭 Nagle"),
            help ("Sets TCP_NODELAY: short segments never wait.", "设置 TCP_NODELAY：小报文段不再等待。"),
            source "tcp(7)";
        /// Congestion control.
        congestion: Congestion = Congestion::Cubic, choice, applies restart,
            name ("Congestion control", "拥塞控制"),
            help ("How the congestion window grows.", "拥塞窗口如何增长。"),
            source "Linux net.ipv4.tcp_congestion_control";
        /// `SO_SNDBUF`, before doubling; 0 = chosen by the kernel.
        send_buffer: Bytes = Bytes(0), range Bytes(0) => Bytes(1 << 30), scale log,
            slider Bytes(0) => Bytes(4 << 20), applies restart,
            name ("Send buffer", "发送缓冲区"),
            help ("SO_SNDBUF; 0 lets the kernel choose.", "SO_SNDBUF；0 表示由内核决定。"),
            source "socket(7)";
        /// `SO_RCVBUF`, before doubling; 0 = chosen by the kernel.
        receive_buffer: Bytes = Bytes(0), range Bytes(0) => Bytes(1 << 30), scale log,
            slider Bytes(0) => Bytes(4 << 20), applies restart,
            name ("Receive buffer", "接收缓冲区"),
            help ("SO_RCVBUF; 0 lets the kernel choose.", "SO_RCVBUF；0 表示由内核决定。"),
            source "socket(7)";
        /// Segments sent before the first acknowledgement.
        initial_window: Amount = Amount(10), range Amount(1) => Amount(1_000), scale log,
            applies restart, name ("Initial window", "初始窗口"),
            help ("Segments sent before the first acknowledgement.", "收到第一个确认前可发送的报文段数。"),
            source "RFC 6928, Linux TCP_INIT_CWND";
        /// Largest segment payload to offer and use; 0 = what the MTU gives.
        mss: Bytes = Bytes(0), range Bytes(0) => Bytes(65_495), scale log, applies restart,
            name ("Largest segment", "最大报文段"),
            help ("TCP_MAXSEG; 0 takes what the MTU gives.", "TCP_MAXSEG；0 表示由 MTU 决定。"),
            source "tcp(7)";
        /// Timestamps option.
        timestamps: bool = true, switch, applies restart,
            name ("Timestamps", "时间戳"),
            help ("12 bytes in every segment.", "每个报文段占 12 字节。"),
            source "RFC 7323, net.ipv4.tcp_timestamps";
        /// Selective acknowledgement.
        sack: bool = true, switch, applies restart,
            name ("Selective acks", "选择性确认"),
            help ("Tells which later segments arrived.", "告知哪些后续报文段已到达。"),
            source "RFC 2018, net.ipv4.tcp_sack";
        /// Window scaling.
        window_scaling: bool = true, switch, applies restart,
            name ("Window scaling", "窗口扩大"),
            help ("Allows windows above 64 kB.", "允许超过 64 kB 的窗口。"),
            source "RFC 7323, net.ipv4.tcp_window_scaling";
        /// Whether the congestion window shrinks while nothing is sent.
        slow_start_after_idle: bool = true, switch, applies restart,
            name ("Slow start after idle", "空闲后慢启动"),
            help ("Idle longer than the RTO halves the window.", "空闲超过 RTO 时窗口减半。"),
            source "RFC 5681 section 4.1, net.ipv4.tcp_slow_start_after_idle";
        /// Tail loss probes.
        loss_probe: bool = true, switch, applies restart,
            name ("Tail loss probe", "尾部丢失探测"),
            help ("Probes after two round trips of silence.", "沉默两个往返时间后发探测段。"),
            source "RFC 8985 section 7, net.ipv4.tcp_early_retrans";
        /// Ticks a second.
        hz: Hz = Hz::Hz250, choice, applies restart,
            name ("Ticks a second (HZ)", "时钟频率 (HZ)"),
            help ("Timers fire on ticks.", "定时器只在节拍上触发。"),
            source "Linux CONFIG_HZ";
        /// How long before the start of the run the last tick was.
        tick_phase: SimSpan = SimSpan::ZERO, range SimSpan::ZERO => SimSpan::ms(10),
            step SimSpan::us(100), applies restart,
            name ("Phase of the tick", "节拍相位"),
            help ("Time from the last tick to the start.", "上一个节拍到开始时刻的时间。"),
            source "our own";
        /// Smallest variance term of the retransmission timeout.
        rto_min: SimSpan = SimSpan::ms(200), range SimSpan::ms(5) => SimSpan::s(10), scale log,
            applies restart, name ("RTO floor", "RTO 下限"),
            help ("Least time added to the smoothed RTT.", "在平滑 RTT 之上至少增加的时间。"),
            source "Linux TCP_RTO_MIN";
    }
}

choices! {
    /// Which second segment is acknowledged at once.
    pub enum AckEvery {
        /// One that completes two full segments.
        Full = "full" ("full ones", "满段"),
        /// Any with data.
        Any = "any" ("any", "任意段"),
    }
}

choices! {
    /// What is sent again after a timeout.
    pub enum Resends {
        /// All that is not acknowledged, as the congestion window allows. RFC 5681, RFC 6675.
        All = "all" ("all", "全部"),
        /// The oldest segment only; the others have timeouts of their own. RFC 6298 section 5.4.
        Oldest = "oldest" ("the oldest", "最旧一段"),
    }
}

params! {
    /// An end by the standards.
    pub struct RfcParams for "rfc" {
        /// Which short segments wait.
        nagle: NagleRule = NagleRule::Classic, choice, applies restart,
            name ("Nagle's rule", "Nagle 规则"),
            help ("Which short segments wait.", "哪些小报文段需要等待。"),
            source "RFC 9293 section 3.7.4";
        /// When data is acknowledged.
        ack: AckRule = AckRule::Fixed, choice, applies restart,
            name ("Acknowledgement", "确认方式"),
            help ("When received data is acknowledged.", "何时确认收到的数据。"),
            source "RFC 9293 section 3.8.6.3";
        /// The fixed time, or the period of the heartbeat.
        ack_delay: SimSpan = SimSpan::ms(200), range SimSpan::ms(1) => SimSpan::ms(500),
            step SimSpan::ms(10), applies restart,
            name ("Ack delay", "确认延迟"),
            help ("How long an acknowledgement waits at most.", "确认最多等待多久。"),
            source "RFC 9293 section 3.8.6.3: below 0.5 s";
        /// Which second segment is acknowledged at once.
        ack_every: AckEvery = AckEvery::Full, choice, applies restart,
            name ("Every second segment", "每两段确认"),
            help ("Which second segment is acknowledged at once.", "哪种第二个报文段立即确认。"),
            source "RFC 9293 section 3.8.6.3; BSD, Windows, lwIP: any";
        /// Congestion control.
        congestion: Congestion = Congestion::Reno, choice, applies restart,
            name ("Congestion control", "拥塞控制"),
            help ("How the congestion window grows.", "拥塞窗口如何增长。"),
            source "RFC 5681, RFC 9438";
        /// Bytes that a writer may be ahead of the acknowledgements.
        send_buffer: Bytes = Bytes(65_536), range Bytes(1) => Bytes(1 << 30), scale log,
            slider Bytes(1_024) => Bytes(4 << 20), applies restart,
            name ("Send buffer", "发送缓冲区"),
            help ("Bytes written and not acknowledged at most.", "已写入未确认的最大字节数。"),
            source "RFC 9293 section 3.9.1";
        /// Bytes that may be received and not read.
        receive_buffer: Bytes = Bytes(65_535), range Bytes(1) => Bytes(1 << 30), scale log,
            slider Bytes(1_024) => Bytes(4 << 20), applies restart,
            name ("Receive buffer", "接收缓冲区"),
            help ("Bytes received and not read at most.", "已接收未读取的最大字节数。"),
            source "RFC 9293 section 3.8.6";
        /// Segments sent before the first acknowledgement.
        initial_window: Amount = Amount(10), range Amount(1) => Amount(1_000), scale log,
            applies restart, name ("Initial window", "初始窗口"),
            help ("Segments sent before the first acknowledgement.", "收到第一个确认前可发送的报文段数。"),
            source "RFC 6928";
        /// Largest segment payload to offer and use; 0 = what the MTU gives.
        mss: Bytes = Bytes(0), range Bytes(0) => Bytes(65_495), scale log, applies restart,
            name ("Largest segment", "最大报文段"),
            help ("0 takes what the MTU gives.", "0 表示由 MTU 决定。"),
            source "RFC 9293 section 3.7.1";
        /// Timestamps option.
        timestamps: bool = false, switch, applies restart,
            name ("Timestamps", "时间戳"),
            help ("12 bytes in every segment.", "每个报文段占 12 字节。"), source "RFC 7323";
        /// Selective acknowledgement.
        sack: bool = false, switch, applies restart,
            name ("Selective acks", "选择性确认"),
            help ("Tells which later segments arrived.", "告知哪些后续报文段已到达。"),
            source "RFC 2018, RFC 6675";
        /// Window scaling.
        window_scaling: bool = false, switch, applies restart,
            name ("Window scaling", "窗口扩大"),
            help ("Allows windows above 64 kB.", "允许超过 64 kB 的窗口。"), source "RFC 7323";
        /// Whether the congestion window shrinks while nothing is sent.
        slow_start_after_idle: bool = true, switch, applies restart,
            name ("Slow start after idle", "空闲后慢启动"),
            help ("Idle longer than the RTO restarts.", "空闲超过 RTO 后重新慢启动。"),
            source "RFC 5681 section 4.1";
        /// Least retransmission timeout.
        rto_min: SimSpan = SimSpan::s(1), range SimSpan::ms(1) => SimSpan::s(10), scale log,
            applies restart, name ("RTO floor", "RTO 下限"),
            help ("Least retransmission timeout.", "最小重传超时。"),
            source "RFC 6298 section 2.4";
        /// Whether a doubled timeout lasts until a round trip was measured.
        rto_holds: bool = true, switch, applies restart,
            name ("Doubled RTO holds", "RTO 加倍后保持"),
            help ("Until a round trip is measured; off: until anything new is acknowledged, as in \
                lwIP.", "直到测得一次往返；关闭则任何新确认即恢复（如 lwIP）。"),
            source "RFC 6298 section 5, Karn";
        /// What is sent again after a timeout.
        rto_resends: Resends = Resends::All, choice, applies restart,
            name ("A timeout resends", "超时后重传"),
            help ("What is sent again after a timeout.", "超时后重传哪些报文段。"),
            source "RFC 5681, RFC 6298 section 5.4";
    }
}

/// The parameters of an end, by stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StackParams {
    /// Linux.
    Linux(LinuxParams),
    /// The standards.
    Rfc(RfcParams),
}

/// How received data is acknowledged, with its figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AckPolicy {
    /// Quick acknowledgements, ping-pong, an adaptive timeout. Linux.
    Adaptive,
    /// A fixed time. RFC 9293 section 3.8.6.3.
    Fixed(SimSpan),
    /// The next multiple of a period. BSD's `tcp_fasttimo`.
    Heartbeat(SimSpan),
    /// At once.
    Immediate,
}

/// Rules and figures of a stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Its clock.
    pub clock: Clock,
    /// Which short segments wait.
    pub nagle: NagleRule,
    /// Whether sockets begin with `TCP_NODELAY`.
    pub nodelay: bool,
    /// How data is acknowledged.
    pub ack: AckPolicy,
    /// Which second segment is acknowledged at once; not with [`AckPolicy::Adaptive`].
    pub ack_every: AckEvery,
    /// Whether buffers count the memory of packets (Linux `truesize`) and adapt, or bytes.
    pub truesize: bool,
    /// Congestion control.
    pub congestion: Congestion,
    /// Initial congestion window in segments.
    pub initial_window: u32,
    /// Largest payload to offer and use; 0 = what the MTU gives.
    pub mss: u32,
    /// Whether timestamps are offered.
    pub timestamps: bool,
    /// Whether SACK is offered.
    pub sack: bool,
    /// Whether window scaling is offered.
    pub window_scaling: bool,
    /// Whether the congestion window shrinks while idle.
    pub idle_restart: bool,
    /// Losses are found by time (RACK, RFC 8985), else by three later segments (RFC 6675).
    pub rack: bool,
    /// Tail loss probes. RFC 8985 section 7.
    pub loss_probe: bool,
    /// Spurious timeouts are found. RFC 5682.
    pub frto: bool,
    /// Acknowledgements of out-of-order data are compressed. Linux `tcp_comp_sack_*`.
    pub compress_acks: bool,
    /// The floor of the RTO: of its variance term (Linux), or of the whole.
    pub rto_min: SimSpan,
    /// Whether `rto_min` is the floor of the variance term only.
    pub rto_floor_is_variance: bool,
    /// A doubled timeout lasts until a round trip was measured, else until a new acknowledgement.
    pub rto_holds: bool,
    /// What is sent again after a timeout.
    pub rto_resends: Resends,
    /// Timeouts of a SYN before they double. Linux `tcp_syn_linear_timeouts`.
    pub linear_syns: u32,
    /// Send buffer as set; 0 = automatic.
    pub send_buffer: u64,
    /// Receive buffer as set; 0 = automatic.
    pub receive_buffer: u64,
}

impl StackParams {
    /// The rules and figures.
    pub fn profile(&self) -> Profile {
        match self {
            StackParams::Linux(params) => params.profile(),
            StackParams::Rfc(params) => params.profile(),
        }
    }
}

impl LinuxParams {
    /// The rules and figures.
    pub fn profile(&self) -> Profile {
        let tick_ns = self.hz.tick().as_ns();
        Profile {
            clock: Clock { tick_ns, phase_ns: self.tick_phase.as_ns() % tick_ns, wheel: true },
            nagle: NagleRule::Minshall,
            nodelay: self.nodelay,
            ack: AckPolicy::Adaptive,
            ack_every: AckEvery::Full,
            truesize: true,
            congestion: self.congestion,
            initial_window: self.initial_window.0,
            mss: self.mss.0 as u32,
            timestamps: self.timestamps,
            sack: self.sack,
            window_scaling: self.window_scaling,
            idle_restart: self.slow_start_after_idle,
            rack: true,
            loss_probe: self.loss_probe,
            frto: true,
            compress_acks: true,
            rto_min: self.rto_min,
            rto_floor_is_variance: true,
            rto_holds: true,
            rto_resends: Resends::All,
            linear_syns: 4,
            send_buffer: self.send_buffer.0,
            receive_buffer: self.receive_buffer.0,
        }
    }
}

/// The tick of a stack without ticks: fine enough to be exact in us.
const FINE_TICK_NS: u64 = 1_000;

impl RfcParams {
    /// The rules and figures.
    pub fn profile(&self) -> Profile {
        Profile {
            clock: Clock { tick_ns: FINE_TICK_NS, phase_ns: 0, wheel: false },
            nagle: self.nagle,
            nodelay: self.nagle == NagleRule::Off,
            ack: match self.ack {
                AckRule::Fixed => AckPolicy::Fixed(self.ack_delay),
                AckRule::Heartbeat => AckPolicy::Heartbeat(self.ack_delay),
                AckRule::Immediate => AckPolicy::Immediate,
            },
            ack_every: self.ack_every,
            truesize: false,
            congestion: self.congestion,
            initial_window: self.initial_window.0,
            mss: self.mss.0 as u32,
            timestamps: self.timestamps,
            sack: self.sack,
            window_scaling: self.window_scaling,
            idle_restart: self.slow_start_after_idle,
            rack: false,
            loss_probe: false,
            frto: false,
            compress_acks: false,
            rto_min: self.rto_min,
            rto_floor_is_variance: false,
            rto_holds: self.rto_holds,
            rto_resends: self.rto_resends,
            linear_syns: 0,
            send_buffer: self.send_buffer.0,
            receive_buffer: self.receive_buffer.0,
        }
    }
}
