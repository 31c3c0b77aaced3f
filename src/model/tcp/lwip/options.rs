//! The options of `lwipopts.h` under their own names.
//!
//! [`LwipParams`] is what people set; [`Options`] are the same as plain numbers for the machine.

use crate::kernel::SimSpan;
use crate::param::{Amount, Bytes};

choices! {
    /// Which release's rules are followed where they differ.
    pub enum Version {
        /// 2.1.2 and 2.1.3: any segment that is no duplicate acknowledgement resets their count.
        V2_1 = "2.1" ("2.1.3", "2.1.3"),
        /// 2.2.0 and 2.2.1: only new data acknowledged reset it.
        V2_2 = "2.2" ("2.2.1", "2.2.1"),
    }
}

params! {
    /// An lwIP stack, with the values that STM32CubeMX generates as defaults.
    pub struct LwipParams for "lwip" {
        /// Largest segment in bytes.
        tcp_mss: Bytes = Bytes(536), range Bytes(64) => Bytes(1_460), step Bytes(4),
            applies restart, name ("TCP_MSS", "TCP_MSS"),
            help ("Largest TCP segment, in bytes of payload.", "最大 TCP 段的有效载荷字节数。"),
            source "lwIP opt.h:TCP_MSS";
        /// Receive window in bytes.
        tcp_wnd: Bytes = Bytes(2_144), range Bytes(64) => Bytes(65_535), scale log,
            applies restart, name ("TCP_WND", "TCP_WND"),
            help ("Receive window of each connection.", "每个连接的接收窗口。"),
            source "lwIP opt.h:TCP_WND";
        /// Bytes that a connection's application may queue.
        tcp_snd_buf: Bytes = Bytes(1_072), range Bytes(64) => Bytes(65_535), scale log,
            applies restart, name ("TCP_SND_BUF", "TCP_SND_BUF"),
            help ("Bytes the application may queue for sending.", "应用可排队发送的字节数。"),
            source "lwIP opt.h:TCP_SND_BUF";
        /// Packet buffers that a connection may queue.
        tcp_snd_queuelen: Amount = Amount(9), range Amount(2) => Amount(1_000), scale log,
            applies restart, name ("TCP_SND_QUEUELEN", "TCP_SND_QUEUELEN"),
            help ("Packet buffers that may be queued for sending: the limit that many small \
                writes meet first.", "可排队发送的 pbuf 数量：大量小写入最先碰到的限制。"),
            source "lwIP opt.h:TCP_SND_QUEUELEN";
        /// Period of TCP's timer.
        tcp_tmr_interval: SimSpan = SimSpan::ms(250), range SimSpan::ms(1) => SimSpan::s(1),
            scale log, applies restart, name ("TCP_TMR_INTERVAL", "TCP_TMR_INTERVAL"),
            help ("Period of the fast timer; the slow one runs at half the pace. It scales delayed \
                acknowledgements, retransmission and persist probes.",
                "快速定时器的周期；慢速定时器为其两倍。它同时影响延迟确认、重传和坚持探测。"),
            source "lwIP priv/tcp_priv.h:TCP_TMR_INTERVAL";
        /// Gain of window from which an update is sent.
        tcp_wnd_update_threshold: Bytes = Bytes(536), range Bytes(1) => Bytes(65_535), scale log,
            applies restart, name ("TCP_WND_UPDATE_THRESHOLD", "TCP_WND_UPDATE_THRESHOLD"),
            help ("A window that opens by this much is announced at once.",
                "窗口增大达到此值时立即通告。"),
            source "lwIP opt.h:TCP_WND_UPDATE_THRESHOLD";
        /// Whether data out of order are kept.
        tcp_queue_ooseq: bool = true, switch, applies restart,
            name ("TCP_QUEUE_OOSEQ", "TCP_QUEUE_OOSEQ"),
            help ("Off: data that arrive out of order are thrown away.",
                "关闭时，乱序到达的数据被丢弃。"),
            source "lwIP opt.h:TCP_QUEUE_OOSEQ";
        /// Spare bytes allocated behind a write, for later ones.
        tcp_oversize: Bytes = Bytes(536), range Bytes(0) => Bytes(1_460), step Bytes(4),
            applies restart, name ("TCP_OVERSIZE", "TCP_OVERSIZE"),
            help ("Spare bytes behind a short write, so that the next one needs no buffer of its \
                own; 0 = none.", "短写入后预留的字节，使下一次写入无需新缓冲；0 表示不预留。"),
            source "lwIP opt.h:TCP_OVERSIZE";
        /// Retransmissions before a connection is given up.
        tcp_maxrtx: Amount = Amount(12), range Amount(1) => Amount(12), step Amount(1),
            applies restart, name ("TCP_MAXRTX", "TCP_MAXRTX"),
            help ("A connection is given up after this many retransmissions.",
                "重传达到此次数后放弃连接。"),
            source "lwIP opt.h:TCP_MAXRTX";
        /// Retransmissions of a SYN before a connection is given up.
        tcp_synmaxrtx: Amount = Amount(6), range Amount(1) => Amount(12), step Amount(1),
            applies restart, name ("TCP_SYNMAXRTX", "TCP_SYNMAXRTX"),
            help ("Connecting is given up after this many repeated SYNs.",
                "SYN 重发达到此次数后放弃连接。"),
            source "lwIP opt.h:TCP_SYNMAXRTX";
        /// Bytes of the heap.
        mem_size: Bytes = Bytes(1_600), range Bytes(128) => Bytes(524_288), scale log,
            applies restart, name ("MEM_SIZE", "MEM_SIZE"),
            help ("Heap for everything that is sent. Too small a heap refuses writes; it does not \
                delay them.", "所有发送数据所用的堆。堆太小会拒绝写入，而不是延迟。"),
            source "lwIP opt.h:MEM_SIZE";
        /// Connections at a time.
        memp_num_tcp_pcb: Amount = Amount(5), range Amount(1) => Amount(64), step Amount(1),
            applies restart, name ("MEMP_NUM_TCP_PCB", "MEMP_NUM_TCP_PCB"),
            help ("Connections at a time.", "同时存在的连接数。"),
            source "lwIP opt.h:MEMP_NUM_TCP_PCB";
        /// Listeners at a time.
        memp_num_tcp_pcb_listen: Amount = Amount(8), range Amount(1) => Amount(64),
            step Amount(1), applies restart,
            name ("MEMP_NUM_TCP_PCB_LISTEN", "MEMP_NUM_TCP_PCB_LISTEN"),
            help ("Listening ports at a time.", "同时监听的端口数。"),
            source "lwIP opt.h:MEMP_NUM_TCP_PCB_LISTEN";
        /// Queued segments of all connections.
        memp_num_tcp_seg: Amount = Amount(16), range Amount(1) => Amount(1_000), scale log,
            applies restart, name ("MEMP_NUM_TCP_SEG", "MEMP_NUM_TCP_SEG"),
            help ("Segments in queues of all connections, those out of order too.",
                "所有连接队列中的段数，包括乱序段。"),
            source "lwIP opt.h:MEMP_NUM_TCP_SEG";
        /// Descriptors of data that are not copied.
        memp_num_pbuf: Amount = Amount(16), range Amount(0) => Amount(1_000), scale log,
            slider Amount(1) => Amount(256), applies restart,
            name ("MEMP_NUM_PBUF", "MEMP_NUM_PBUF"),
            help ("Descriptors of data sent without a copy (PBUF_ROM); of no use otherwise.",
                "不复制发送的数据（PBUF_ROM）所用的描述符；别无他用。"),
            source "lwIP opt.h:MEMP_NUM_PBUF";
        /// Receive buffers.
        pbuf_pool_size: Amount = Amount(16), range Amount(1) => Amount(1_000), scale log,
            applies restart, name ("PBUF_POOL_SIZE", "PBUF_POOL_SIZE"),
            help ("Receive buffers of all connections; when none is left, frames are lost.",
                "所有连接共用的接收缓冲数；用尽时丢帧。"),
            source "lwIP opt.h:PBUF_POOL_SIZE";
        /// Bytes of one receive buffer.
        pbuf_pool_bufsize: Bytes = Bytes(592), range Bytes(128) => Bytes(4_096), step Bytes(4),
            applies restart, name ("PBUF_POOL_BUFSIZE", "PBUF_POOL_BUFSIZE"),
            help ("Bytes of one receive buffer; a longer frame takes several.",
                "每个接收缓冲的字节数；更长的帧占用多个。"),
            source "lwIP opt.h:PBUF_POOL_BUFSIZE";
        /// Whether connections begin with `tcp_nagle_disable`.
        nodelay: bool = false, switch, applies live, name ("tcp_nagle_disable", "tcp_nagle_disable"),
            help ("Connections send short segments at once. No option of lwipopts.h does this: \
                the program calls it.", "连接立即发送短段。lwipopts.h 没有此选项：由程序调用。"),
            source "lwIP tcp.h:tcp_nagle_disable";
        /// The release.
        version: Version = Version::V2_1, choice, applies restart, name ("lwIP", "lwIP"),
            help ("The releases differ in one rule: when duplicate acknowledgements start over.",
                "各版本只有一条规则不同：重复确认何时重新计数。"),
            source "lwIP tcp_in.c:tcp_receive";
    }
}

/// The options as plain numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// `TCP_MSS` in bytes.
    pub tcp_mss: u32,
    /// `TCP_WND` in bytes.
    pub tcp_wnd: u32,
    /// `TCP_SND_BUF` in bytes.
    pub tcp_snd_buf: u32,
    /// `TCP_SND_QUEUELEN`.
    pub tcp_snd_queuelen: u32,
    /// `TCP_TMR_INTERVAL` in ms.
    pub tcp_tmr_interval_ms: u32,
    /// `TCP_WND_UPDATE_THRESHOLD` in bytes.
    pub tcp_wnd_update_threshold: u32,
    /// `TCP_QUEUE_OOSEQ`.
    pub tcp_queue_ooseq: bool,
    /// `TCP_OVERSIZE` in bytes.
    pub tcp_oversize: u32,
    /// `TCP_MAXRTX`.
    pub tcp_maxrtx: u8,
    /// `TCP_SYNMAXRTX`.
    pub tcp_synmaxrtx: u8,
    /// `MEM_SIZE` in bytes.
    pub mem_size: u32,
    /// `MEMP_NUM_TCP_PCB`.
    pub memp_num_tcp_pcb: u32,
    /// `MEMP_NUM_TCP_PCB_LISTEN`.
    pub memp_num_tcp_pcb_listen: u32,
    /// `MEMP_NUM_TCP_SEG`.
    pub memp_num_tcp_seg: u32,
    /// `MEMP_NUM_PBUF`.
    pub memp_num_pbuf: u32,
    /// `PBUF_POOL_SIZE`.
    pub pbuf_pool_size: u32,
    /// `PBUF_POOL_BUFSIZE` in bytes.
    pub pbuf_pool_bufsize: u32,
    /// Whether new connections get `tcp_nagle_disable`.
    pub nodelay: bool,
    /// Whose rules apply.
    pub version: Version,
}

impl From<&LwipParams> for Options {
    fn from(params: &LwipParams) -> Options {
        // Ranges keep all of these inside 32 bits.
        let bytes = |Bytes(n): Bytes| n as u32;
        Options {
            tcp_mss: bytes(params.tcp_mss),
            tcp_wnd: bytes(params.tcp_wnd),
            tcp_snd_buf: bytes(params.tcp_snd_buf),
            tcp_snd_queuelen: params.tcp_snd_queuelen.0,
            tcp_tmr_interval_ms: (params.tcp_tmr_interval.as_ns() / 1_000_000) as u32,
            tcp_wnd_update_threshold: bytes(params.tcp_wnd_update_threshold),
            tcp_queue_ooseq: params.tcp_queue_ooseq,
            tcp_oversize: bytes(params.tcp_oversize),
            tcp_maxrtx: params.tcp_maxrtx.0 as u8,
            tcp_synmaxrtx: params.tcp_synmaxrtx.0 as u8,
            mem_size: bytes(params.mem_size),
            memp_num_tcp_pcb: params.memp_num_tcp_pcb.0,
            memp_num_tcp_pcb_listen: params.memp_num_tcp_pcb_listen.0,
            memp_num_tcp_seg: params.memp_num_tcp_seg.0,
            memp_num_pbuf: params.memp_num_pbuf.0,
            pbuf_pool_size: params.pbuf_pool_size.0,
            pbuf_pool_bufsize: bytes(params.pbuf_pool_bufsize),
            nodelay: params.nodelay,
            version: params.version,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::from(&LwipParams::default())
    }
}

impl Options {
    /// `TCP_SLOW_INTERVAL` in ms.
    pub fn slow_interval_ms(&self) -> u32 {
        2 * self.tcp_tmr_interval_ms
    }

    /// Ticks of the slow timer that last `ms`, rounded down.
    pub fn slow_ticks(&self, ms: u32) -> u32 {
        ms / self.slow_interval_ms()
    }
}
