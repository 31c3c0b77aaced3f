//! What names in `lwipopts.h` mean: options of lwIP, options of others, and inventions.

use crate::param::Text;

/// What a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// An option that the model follows.
    Followed,
    /// An option that the build check and the count of memory follow, and nothing else.
    Counted,
    /// An option of lwIP without an effect on what is modelled.
    Exists,
    /// No option of lwIP, but ST's port reads it.
    Port,
    /// No option of lwIP in any release from 1.4.1 to 2.2.1; why it does nothing.
    Invented(Text),
    /// Nobody here knows it.
    Unknown,
}

/// Options that the model follows, with the value that lwIP gives them when a file does not
/// (2.1.3 `opt.h`, `priv/tcp_priv.h`), and a comment for files that are written.
pub const FOLLOWED: [(&str, &str, &str); 17] = [
    ("TCP_MSS", "536", "largest segment, bytes of payload"),
    ("TCP_WND", "(4 * TCP_MSS)", "receive window of a connection, bytes"),
    ("TCP_SND_BUF", "(2 * TCP_MSS)", "bytes that a connection may queue for sending"),
    (
        "TCP_SND_QUEUELEN",
        "((4 * (TCP_SND_BUF) + (TCP_MSS - 1)) / (TCP_MSS))",
        "packet buffers that a connection may queue for sending",
    ),
    ("TCP_TMR_INTERVAL", "250", "period of the fast timer, ms"),
    (
        "TCP_WND_UPDATE_THRESHOLD",
        "LWIP_MIN((TCP_WND / 4), (TCP_MSS * 4))",
        "growth of the window that is announced at once, bytes",
    ),
    ("TCP_QUEUE_OOSEQ", "1", "keep data that arrive out of order"),
    ("TCP_OVERSIZE", "TCP_MSS", "spare bytes behind a short write"),
    ("TCP_MAXRTX", "12", "retransmissions before a connection is given up"),
    ("TCP_SYNMAXRTX", "6", "repeated SYNs before connecting is given up"),
    ("MEM_SIZE", "1600", "heap for all that is sent, bytes"),
    ("MEMP_NUM_TCP_PCB", "5", "connections at a time"),
    ("MEMP_NUM_TCP_PCB_LISTEN", "8", "listening ports at a time"),
    ("MEMP_NUM_TCP_SEG", "16", "queued segments of all connections"),
    ("MEMP_NUM_PBUF", "16", "descriptors of data that are not copied"),
    ("PBUF_POOL_SIZE", "16", "receive buffers"),
    (
        "PBUF_POOL_BUFSIZE",
        "LWIP_MEM_ALIGN_SIZE(TCP_MSS + 40 + PBUF_LINK_ENCAPSULATION_HLEN + PBUF_LINK_HLEN)",
        "bytes of one receive buffer",
    ),
];

/// Options of which only the build check and the count of memory make use.
pub const COUNTED: [(&str, &str); 33] = [
    ("NO_SYS", "0"),
    ("LWIP_TCP", "1"),
    ("LWIP_UDP", "1"),
    ("LWIP_RAW", "0"),
    ("LWIP_ARP", "1"),
    ("LWIP_DHCP", "0"),
    ("LWIP_DNS", "0"),
    ("LWIP_AUTOIP", "0"),
    ("LWIP_IGMP", "0"),
    ("LWIP_NETCONN", "1"),
    ("LWIP_SOCKET", "1"),
    ("LWIP_NETIF_API", "0"),
    ("LWIP_NETIF_TX_SINGLE_PBUF", "0"),
    ("LWIP_SUPPORT_CUSTOM_PBUF", "0"),
    ("LWIP_DISABLE_TCP_SANITY_CHECKS", "0"),
    ("LWIP_WND_SCALE", "0"),
    ("LWIP_TCP_SACK_OUT", "0"),
    ("MEM_ALIGNMENT", "1"),
    ("MEM_USE_POOLS", "0"),
    ("MEM_LIBC_MALLOC", "0"),
    ("MEMP_MEM_MALLOC", "0"),
    ("MEMP_USE_CUSTOM_POOLS", "0"),
    ("MEMP_NUM_UDP_PCB", "4"),
    ("MEMP_NUM_RAW_PCB", "4"),
    ("MEMP_NUM_REASSDATA", "5"),
    ("MEMP_NUM_FRAG_PBUF", "15"),
    ("IP_REASSEMBLY", "1"),
    ("IP_FRAG", "1"),
    ("IP_REASS_MAX_PBUFS", "10"),
    ("ARP_TABLE_SIZE", "10"),
    (
        "MEMP_NUM_SYS_TIMEOUT",
        "(LWIP_TCP + IP_REASSEMBLY + LWIP_ARP + (2 * LWIP_DHCP) + LWIP_AUTOIP + LWIP_IGMP \
         + LWIP_DNS)",
    ),
    (
        "TCP_SNDLOWAT",
        "LWIP_MIN(LWIP_MAX(((TCP_SND_BUF) / 2), (2 * TCP_MSS) + 1), (TCP_SND_BUF) - 1)",
    ),
    ("TCP_SNDQUEUELOWAT", "LWIP_MAX(((TCP_SND_QUEUELEN) / 2), 5)"),
];

/// Names that are neither, but stand in the values of options.
pub const CONSTANTS: [(&str, &str); 4] = [
    ("PBUF_LINK_ENCAPSULATION_HLEN", "0"),
    ("PBUF_LINK_HLEN", "14"),
    ("PBUF_IP_HLEN", "20"),
    ("PBUF_TRANSPORT_HLEN", "20"),
];

/// Names that ST's port and CubeMX write into the file.
const PORT: [&str; 8] = [
    "WITH_RTOS",
    "WITH_MEMP_POOLS",
    "CHECKSUM_BY_HARDWARE",
    "RTOS_USE_NEWLIB_REENTRANT",
    "ETH_RX_BUFFER_SIZE",
    "ETH_RX_BUFFER_CNT",
    "LWIP_RAM_HEAP_POINTER",
    "LWIP_TIMEVAL_PRIVATE",
];

/// Names that no release of lwIP knows.
const INVENTED: [(&str, Text); 7] = [
    (
        "LWIP_TCP_NODELAY",
        Text::new(
            "lwIP has no such option: Nagle is switched off for each connection by the call \
             tcp_nagle_disable(pcb)",
            "lwIP 没有此选项：Nagle 须对每个连接调用 tcp_nagle_disable(pcb) 关闭",
        ),
    ),
    (
        "TCP_DELAYED_ACK_MAX",
        Text::new(
            "lwIP has no such option: it delays acknowledgements until the next run of its fast \
             timer (TCP_TMR_INTERVAL), and the other end has settings of its own",
            "lwIP 没有此选项：确认推迟到快速定时器下次运行（TCP_TMR_INTERVAL），对端另有自己的设置",
        ),
    ),
    (
        "TCP_DELAYED_ACK_MIN",
        Text::new(
            "lwIP has no such option: it delays acknowledgements until the next run of its fast \
             timer (TCP_TMR_INTERVAL)",
            "lwIP 没有此选项：确认推迟到快速定时器下次运行（TCP_TMR_INTERVAL）",
        ),
    ),
    (
        "MEM_USE_POOLS_TCP",
        Text::new(
            "lwIP has no such option: MEM_USE_POOLS replaces the whole heap, for everybody",
            "lwIP 没有此选项：MEM_USE_POOLS 为所有人取代整个堆",
        ),
    ),
    (
        "PBUF_CHAIN_MAX",
        Text::new(
            "lwIP has no such option: chains have no limit in lwIP, only the driver has one \
             (ETH_TX_DESC_CNT)",
            "lwIP 没有此选项：lwIP 不限制链长，只有驱动有上限（ETH_TX_DESC_CNT）",
        ),
    ),
    (
        "PBUF_DMA_ALIGNMENT",
        Text::new(
            "lwIP has no such option: MEM_ALIGNMENT aligns all memory, and the DMA takes buffers \
             at any address",
            "lwIP 没有此选项：MEM_ALIGNMENT 对齐所有内存，DMA 接受任意地址的缓冲",
        ),
    ),
    (
        "PBUF_POOL_BUFSIZE_ALIGNED",
        Text::new(
            "a name inside of pbuf.c: it follows from PBUF_POOL_BUFSIZE and MEM_ALIGNMENT",
            "pbuf.c 内部的名称：由 PBUF_POOL_BUFSIZE 和 MEM_ALIGNMENT 得出",
        ),
    ),
];

/// How the names of other options of lwIP begin; `opt.h` has more than 300.
const FAMILIES: [&str; 25] = [
    "LWIP_HOOK_",
    "LWIP_IPV4",
    "LWIP_IPV6",
    "LWIP_ND6_",
    "LWIP_DHCP",
    "LWIP_DNS",
    "LWIP_NETIF_",
    "LWIP_SO_",
    "LWIP_TCPIP_",
    "LWIP_ICMP",
    "LWIP_ALTCP",
    "LWIP_STATS",
    "LWIP_CHECKSUM_",
    "CHECKSUM_GEN_",
    "CHECKSUM_CHECK_",
    "DEFAULT_",
    "TCPIP_",
    "SLIPIF_",
    "DNS_",
    "ETHARP_",
    "TCP_OOSEQ_",
    "MEMP_NUM_",
    "IP_",
    "ARP_",
    "SNMP_",
];

/// Other options of lwIP, by their whole names. `opt.h`, `debug.h`.
const EXISTING: [&str; 52] = [
    "LWIP_AUTOIP",
    "LWIP_BROADCAST_PING",
    "LWIP_CALLBACK_API",
    "LWIP_COMPAT_SOCKETS",
    "LWIP_DEBUG",
    "LWIP_ETHERNET",
    "LWIP_EVENT_API",
    "LWIP_FIONREAD_LINUXMODE",
    "LWIP_HAVE_LOOPIF",
    "LWIP_LOOPBACK_MAX_PBUFS",
    "LWIP_MIB2_CALLBACKS",
    "LWIP_MPU_COMPATIBLE",
    "LWIP_MULTICAST_PING",
    "LWIP_MULTICAST_TX_OPTIONS",
    "LWIP_NETBUF_RECVINFO",
    "LWIP_NETCONN_FULLDUPLEX",
    "LWIP_NETCONN_SEM_PER_THREAD",
    "LWIP_NUM_NETIF_CLIENT_DATA",
    "LWIP_PBUF_REF_T",
    "LWIP_PERF",
    "LWIP_POSIX_SOCKETS_IO_NAMES",
    "LWIP_PROVIDE_ERRNO",
    "LWIP_SINGLE_NETIF",
    "LWIP_SNMP",
    "LWIP_SOCKET_OFFSET",
    "LWIP_SOCKET_POLL",
    "LWIP_SOCKET_SELECT",
    "LWIP_TCP_CLOSE_TIMEOUT_MS_DEFAULT",
    "LWIP_TCP_KEEPALIVE",
    "LWIP_TCP_MAX_SACK_NUM",
    "LWIP_TCP_PCB_NUM_EXT_ARGS",
    "LWIP_TCP_RTO_TIME",
    "LWIP_TCP_TIMESTAMPS",
    "LWIP_TIMERS",
    "LWIP_TIMERS_CUSTOM",
    "LWIP_UDPLITE",
    "LWIP_ALLOW_MEM_FREE_FROM_OTHER_CONTEXT",
    "LWIP_ASSERT_CORE_LOCKED",
    "LWIP_DISABLE_MEMP_SANITY_CHECKS",
    "MEMP_OVERFLOW_CHECK",
    "MEMP_SANITY_CHECK",
    "MEM_OVERFLOW_CHECK",
    "MEM_SANITY_CHECK",
    "MEM_USE_POOLS_TRY_BIGGER_POOL",
    "RECV_BUFSIZE_DEFAULT",
    "SO_REUSE",
    "SO_REUSE_RXTOALL",
    "SYS_LIGHTWEIGHT_PROT",
    "TCP_CALCULATE_EFF_SEND_MSS",
    "TCP_DEFAULT_LISTEN_BACKLOG",
    "TCP_LISTEN_BACKLOG",
    "TCP_RCV_SCALE",
];
/// How the names of many others end: one for every module.
const ENDINGS: [&str; 3] = ["_DEBUG", "_STATS", "_TTL"];

/// What `name` is.
pub fn meaning(name: &str) -> Meaning {
    if FOLLOWED.iter().any(|(other, ..)| *other == name) {
        return Meaning::Followed;
    }
    if COUNTED.iter().chain(&CONSTANTS).any(|(other, _)| *other == name) {
        return Meaning::Counted;
    }
    if let Some((_, why)) = INVENTED.iter().find(|(other, _)| *other == name) {
        return Meaning::Invented(*why);
    }
    if PORT.contains(&name) {
        return Meaning::Port;
    }
    let is_known = EXISTING.contains(&name)
        || FAMILIES.iter().any(|family| name.starts_with(family))
        || ENDINGS.iter().any(|ending| name.ends_with(ending));
    if is_known { Meaning::Exists } else { Meaning::Unknown }
}

/// The value that lwIP gives to an option that a file leaves out.
pub fn default_of(name: &str) -> Option<&'static str> {
    let followed = FOLLOWED.iter().map(|(name, value, _)| (*name, *value));
    let others = COUNTED.iter().chain(&CONSTANTS).copied();
    followed.chain(others).find(|(other, _)| *other == name).map(|(_, value)| value)
}

/// The comment of an option that is followed.
pub fn comment_of(name: &str) -> Option<&'static str> {
    FOLLOWED.iter().find(|(other, ..)| *other == name).map(|(_, _, comment)| *comment)
}
