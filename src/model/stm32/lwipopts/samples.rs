//! Files to start from: what CubeMX generates, and the option sets of a widely read article.

/// What STM32CubeMX generates for an F4 without an operating system.
pub const CUBEMX: &str = "\
/* lwipopts.h as STM32CubeMX generates it, shortened. */
#ifndef __LWIPOPTS__H__
#define __LWIPOPTS__H__

/*----- WITH_RTOS disabled -----*/
#define WITH_RTOS 0
/*----- CHECKSUM_BY_HARDWARE enabled -----*/
#define CHECKSUM_BY_HARDWARE 1
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define MEM_ALIGNMENT 4
/*----- Default Value for MEM_SIZE: 1600 -----*/
#define MEM_SIZE 1600
#define TCP_MSS 536
#define TCP_WND (4 * TCP_MSS) /* 2144 */
#define TCP_SND_BUF (2 * TCP_MSS) /* 1072 */
#define TCP_SND_QUEUELEN 9
#define TCP_WND_UPDATE_THRESHOLD 536
#define MEMP_NUM_TCP_SEG 16
#define PBUF_POOL_SIZE 16
#define PBUF_POOL_BUFSIZE 592
#define LWIP_ETHERNET 1
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define CHECKSUM_GEN_IP 0
#define CHECKSUM_GEN_TCP 0
#define CHECKSUM_CHECK_IP 0
#define CHECKSUM_CHECK_TCP 0

#endif /*__LWIPOPTS__H__ */
";

/// The article's \"default\" set: not CubeMX's.
pub const ARTICLE_DEFAULT: &str = "\
/* The article's \"default\" set. STM32CubeMX generates other values. */
#define NO_SYS 1
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define MEM_ALIGNMENT 4
#define MEM_SIZE (16 * 1024)
#define MEMP_NUM_TCP_PCB 5
#define MEMP_NUM_TCP_PCB_LISTEN 3
#define MEMP_NUM_PBUF 16
#define MEMP_NUM_TCP_SEG 16
#define PBUF_POOL_SIZE 16
#define PBUF_POOL_BUFSIZE 1528
#define TCP_TMR_INTERVAL 200
#define TCP_MSS 1460
#define TCP_SND_BUF 4096
#define TCP_WND 4096
#define LWIP_TCP_NODELAY 0 /* no option of lwIP */
#define TCP_DELAYED_ACK_MAX 200 /* no option of lwIP */
";

/// The article's \"optimised\" set, for an F407. It does not compile.
pub const ARTICLE_OPTIMISED: &str = "\
/* The article's \"optimised\" set (F407). It does not compile: MEM_USE_POOLS. */
#define NO_SYS 1
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define MEM_ALIGNMENT 4
#define MEM_SIZE (64 * 1024)
#define MEMP_NUM_TCP_PCB 10
#define MEMP_NUM_TCP_PCB_LISTEN 5
#define MEMP_NUM_PBUF 32
#define MEMP_NUM_TCP_SEG 32
#define PBUF_POOL_SIZE 32
#define PBUF_POOL_BUFSIZE 2048
#define TCP_TMR_INTERVAL 10
#define TCP_MSS 1460
#define TCP_SND_BUF (8 * 1024)
#define TCP_WND (8 * 1024)
#define MEM_USE_POOLS 1
#define MEM_USE_POOLS_TCP 1 /* no option of lwIP */
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_CHAIN_MAX 4 /* no option of lwIP */
#define PBUF_DMA_ALIGNMENT 4 /* no option of lwIP */
#define LWIP_TCP_NODELAY 1 /* no option of lwIP */
#define TCP_DELAYED_ACK_MAX 0 /* no option of lwIP */
#define TCP_DELAYED_ACK_MIN 0 /* no option of lwIP */
";

/// The article's row for a part: what it changes in the optimised set, without `MEM_USE_POOLS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The part, as the article names it.
    pub part: &'static str,
    /// `MEM_SIZE` in bytes.
    pub mem_size: u32,
    /// `MEMP_NUM_TCP_PCB`.
    pub memp_num_tcp_pcb: u32,
    /// `PBUF_POOL_SIZE`.
    pub pbuf_pool_size: u32,
    /// `PBUF_POOL_BUFSIZE` in bytes.
    pub pbuf_pool_bufsize: u32,
    /// `TCP_TMR_INTERVAL` in ms.
    pub tcp_tmr_interval_ms: u32,
    /// `TCP_SND_BUF` in bytes.
    pub tcp_snd_buf: u32,
}

/// The article's rows.
pub const ROWS: [Row; 4] = [
    row("F407", 65_536, 10, 32, 2_048, 10, 8_192),
    row("F767", 131_072, 15, 48, 2_048, 10, 16_384),
    row("H743", 262_144, 20, 64, 4_096, 5, 32_768),
    row("L476", 32_768, 5, 16, 1_528, 20, 4_096),
];

const fn row(
    part: &'static str,
    mem_size: u32,
    memp_num_tcp_pcb: u32,
    pbuf_pool_size: u32,
    pbuf_pool_bufsize: u32,
    tcp_tmr_interval_ms: u32,
    tcp_snd_buf: u32,
) -> Row {
    Row {
        part,
        mem_size,
        memp_num_tcp_pcb,
        pbuf_pool_size,
        pbuf_pool_bufsize,
        tcp_tmr_interval_ms,
        tcp_snd_buf,
    }
}

impl Row {
    /// A file with the row's values; what the row does not name is as in the optimised set, and
    /// what that does not name is lwIP's.
    pub fn text(&self) -> String {
        let Row { part, mem_size, memp_num_tcp_pcb, pbuf_pool_size, .. } = self;
        format!(
            "/* The article's row for {part}. */\n\
             #define NO_SYS 1\n#define LWIP_NETCONN 0\n#define LWIP_SOCKET 0\n\
             #define MEM_ALIGNMENT 4\n#define TCP_MSS 1460\n#define MEM_SIZE {mem_size}\n\
             #define MEMP_NUM_TCP_PCB {memp_num_tcp_pcb}\n#define MEMP_NUM_PBUF 32\n\
             #define MEMP_NUM_TCP_SEG 32\n#define PBUF_POOL_SIZE {pbuf_pool_size}\n\
             #define PBUF_POOL_BUFSIZE {}\n#define TCP_TMR_INTERVAL {}\n\
             #define TCP_SND_BUF {}\n#define TCP_WND 8192\n",
            self.pbuf_pool_bufsize, self.tcp_tmr_interval_ms, self.tcp_snd_buf
        )
    }
}
