//! What the compiler and the linker say to a set of options: lwIP's checks, and the memory.
//!
//! Conditions and messages are those of lwIP 2.1.3, `src/core/init.c`; the linker's are those of
//! GNU ld. Sizes are those of a 32-bit machine with short enumerations, as Cortex-M is built.

use super::lwipopts::File;
use super::lwipopts::expr::{FUEL, NoValue};
use super::part::{NoEthernet, Part};

/// A condition that must not hold, and what the compiler prints if it does.
const CHECKS: [(&str, &str); 20] = [
    (
        "LWIP_UDP && MEMP_NUM_UDP_PCB <= 0",
        "If you want to use UDP, you have to define MEMP_NUM_UDP_PCB>=1 in your lwipopts.h",
    ),
    (
        "LWIP_TCP && MEMP_NUM_TCP_PCB <= 0",
        "If you want to use TCP, you have to define MEMP_NUM_TCP_PCB>=1 in your lwipopts.h",
    ),
    (
        "IP_REASSEMBLY && MEMP_NUM_REASSDATA > IP_REASS_MAX_PBUFS",
        "MEMP_NUM_REASSDATA > IP_REASS_MAX_PBUFS doesn't make sense since each struct ip_reassdata must hold 2 pbufs at least!",
    ),
    (
        "LWIP_TCP && !LWIP_WND_SCALE && TCP_WND > 0xffff",
        "If you want to use TCP, TCP_WND must fit in an u16_t, so, you have to reduce it in your lwipopts.h (or enable window scaling)",
    ),
    (
        "LWIP_TCP && TCP_SND_QUEUELEN > 0xffff",
        "If you want to use TCP, TCP_SND_QUEUELEN must fit in an u16_t, so, you have to reduce it in your lwipopts.h",
    ),
    (
        "LWIP_TCP && TCP_SND_QUEUELEN < 2",
        "TCP_SND_QUEUELEN must be at least 2 for no-copy TCP writes to work",
    ),
    (
        "LWIP_TCP && (TCP_MAXRTX > 12 || TCP_SYNMAXRTX > 12)",
        "If you want to use TCP, TCP_MAXRTX and TCP_SYNMAXRTX must less or equal to 12 (due to tcp_backoff table), so, you have to reduce them in your lwipopts.h",
    ),
    (
        "LWIP_TCP && LWIP_TCP_SACK_OUT && !TCP_QUEUE_OOSEQ",
        "To use LWIP_TCP_SACK_OUT, TCP_QUEUE_OOSEQ needs to be enabled",
    ),
    (
        "(LWIP_SOCKET || LWIP_NETCONN) && NO_SYS == 1",
        "If you want to use Sequential API, you have to define NO_SYS=0 in your lwipopts.h",
    ),
    (
        "MEM_LIBC_MALLOC && MEM_USE_POOLS",
        "MEM_LIBC_MALLOC and MEM_USE_POOLS may not both be simultaneously enabled in your lwipopts.h",
    ),
    (
        "MEM_USE_POOLS && !MEMP_USE_CUSTOM_POOLS",
        "MEM_USE_POOLS requires custom pools (MEMP_USE_CUSTOM_POOLS) to be enabled in your lwipopts.h",
    ),
    (
        "PBUF_POOL_BUFSIZE <= MEM_ALIGNMENT",
        "PBUF_POOL_BUFSIZE must be greater than MEM_ALIGNMENT or the offset may take the full first pbuf",
    ),
    (
        "LWIP_TCP && LWIP_NETIF_TX_SINGLE_PBUF && !TCP_OVERSIZE",
        "LWIP_NETIF_TX_SINGLE_PBUF needs TCP_OVERSIZE enabled to create single-pbuf TCP packets",
    ),
    (
        "SANITY && !MEMP_MEM_MALLOC && MEMP_NUM_TCP_SEG < TCP_SND_QUEUELEN",
        "MEMP_NUM_TCP_SEG should be at least as big as TCP_SND_QUEUELEN.",
    ),
    (
        "SANITY && TCP_SND_BUF < 2 * (TCP_MSS)",
        "TCP_SND_BUF must be at least as much as (2 * TCP_MSS) for things to work smoothly.",
    ),
    (
        "SANITY && TCP_SND_QUEUELEN < 2 * ((TCP_SND_BUF) / (TCP_MSS))",
        "TCP_SND_QUEUELEN must be at least as much as (2 * TCP_SND_BUF/TCP_MSS) for things to work.",
    ),
    ("SANITY && TCP_SNDLOWAT >= TCP_SND_BUF", "TCP_SNDLOWAT must be less than TCP_SND_BUF."),
    (
        "SANITY && TCP_SNDQUEUELOWAT >= TCP_SND_QUEUELEN",
        "TCP_SNDQUEUELOWAT must be less than TCP_SND_QUEUELEN.",
    ),
    (
        "SANITY && !MEMP_MEM_MALLOC && PBUF_POOL_SIZE && TCP_WND > PBUF_POOL_SIZE * (PBUF_POOL_BUFSIZE - HEADERS)",
        "TCP_WND is larger than space provided by PBUF_POOL_SIZE * (PBUF_POOL_BUFSIZE - protocol headers).",
    ),
    ("SANITY && TCP_WND < TCP_MSS", "TCP_WND is smaller than MSS."),
];
/// What `SANITY` stands for in a condition.
const SANITY: &str = "LWIP_TCP && !LWIP_DISABLE_TCP_SANITY_CHECKS";
/// What `HEADERS` stands for.
const HEADERS: &str =
    "(PBUF_LINK_ENCAPSULATION_HLEN + PBUF_LINK_HLEN + PBUF_IP_HLEN + PBUF_TRANSPORT_HLEN)";
/// Around the messages of the sanity checks.
const SANITY_PREFIX: &str = "lwip_sanity_check: WARNING: ";
/// Behind them.
const SANITY_SUFFIX: &str = " If you know what you are doing, define \
    LWIP_DISABLE_TCP_SANITY_CHECKS to 1 to disable this error.";

/// A part of lwIP's memory: name, and bytes as an expression.
const RAM: [(&str, &str); 11] = [
    // A header at both ends; headers are larger when offsets need 32 bits.
    (
        "heap",
        "MEM_USE_POOLS || MEM_LIBC_MALLOC ? 0 \
         : LWIP_MEM_ALIGN_SIZE(MEM_SIZE) + 2 * (MEM_SIZE > 64000 ? 12 : 8)",
    ),
    ("PBUF_POOL", "PBUF_POOL_SIZE * (16 + LWIP_MEM_ALIGN_SIZE(PBUF_POOL_BUFSIZE))"),
    ("TCP_PCB", "LWIP_TCP ? MEMP_NUM_TCP_PCB * 156 : 0"),
    ("TCP_PCB_LISTEN", "LWIP_TCP ? MEMP_NUM_TCP_PCB_LISTEN * 28 : 0"),
    ("TCP_SEG", "LWIP_TCP ? MEMP_NUM_TCP_SEG * 16 : 0"),
    ("PBUF_REF/ROM", "MEMP_NUM_PBUF * 16"),
    ("UDP_PCB", "LWIP_UDP ? MEMP_NUM_UDP_PCB * 32 : 0"),
    (
        "IP fragments",
        "(IP_REASSEMBLY ? MEMP_NUM_REASSDATA * 32 : 0) \
         + (IP_FRAG && !LWIP_NETIF_TX_SINGLE_PBUF ? MEMP_NUM_FRAG_PBUF * 24 : 0)",
    ),
    ("SYS_TIMEOUT", "MEMP_NUM_SYS_TIMEOUT * 16"),
    ("ARP table", "LWIP_ARP ? ARP_TABLE_SIZE * 24 : 0"),
    // Statistics, lists of connections, counters: what a build of 2.1.3 has beside the above.
    ("other variables", "748"),
];

/// Memory of one descriptor of the MAC: eight words where time stamps may be kept.
pub const DESCRIPTOR_BYTES: u32 = 32;

/// Who complains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    /// The compiler: `#error`.
    Compiler,
    /// The linker.
    Linker,
}

/// A message of a tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// Who says it.
    pub tool: Tool,
    /// What it prints.
    pub text: String,
}

/// A piece of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// What it is for.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: u64,
}

/// What a build gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Why it fails; empty: it builds.
    pub complaints: Vec<Complaint>,
    /// Memory of lwIP, the driver and the program, piece by piece.
    pub shares: Vec<Share>,
    /// What the DMA of the part reaches, in bytes.
    pub reach_bytes: u64,
}

/// Memory beside lwIP's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Beside {
    /// Descriptors and buffers of the driver, in bytes.
    pub driver_bytes: u32,
    /// Variables and stack of the program, in bytes.
    pub program_bytes: u32,
}

/// Why there is no report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoReport {
    /// The part has no Ethernet.
    NoEthernet(NoEthernet),
    /// An option of this expression has no value.
    NoValue(&'static str, NoValue),
}

impl Report {
    /// Builds `file` for `part`.
    pub fn new(file: &File, part: Part, beside: Beside) -> Result<Report, NoReport> {
        let silicon = part.silicon().map_err(NoReport::NoEthernet)?;
        let mut complaints = Vec::new();
        let mut fuel = FUEL;
        for (condition, text) in CHECKS {
            if holds(file, condition, &mut fuel)? {
                let is_sanity = condition.starts_with("SANITY");
                let (prefix, suffix) =
                    if is_sanity { (SANITY_PREFIX, SANITY_SUFFIX) } else { ("", "") };
                let text = format!("#error \"{prefix}{text}{suffix}\"");
                complaints.push(Complaint { tool: Tool::Compiler, text });
            }
        }
        let mut shares = Vec::new();
        for (name, bytes) in RAM {
            let bytes = file.value_within(bytes, &mut fuel);
            let bytes = bytes.map_err(|why| NoReport::NoValue(name, why))?;
            shares.push(Share { name, bytes: bytes.max(0) as u64 });
        }
        shares.push(Share { name: "driver", bytes: u64::from(beside.driver_bytes) });
        shares.push(Share { name: "program", bytes: u64::from(beside.program_bytes) });
        let reach_bytes = u64::from(silicon.reach_bytes);
        let mut report = Report { complaints, shares, reach_bytes };
        // A linker has work only when the compiler had none to complain about.
        if let (true, Some(over)) = (report.complaints.is_empty(), report.overflow_bytes()) {
            let region = silicon.region;
            for text in [
                format!("section `.bss' will not fit in region `{region}'"),
                format!("region `{region}' overflowed by {over} bytes"),
            ] {
                report.complaints.push(Complaint { tool: Tool::Linker, text });
            }
        }
        Ok(report)
    }

    /// All memory in bytes: the sum of its parts.
    pub fn ram_bytes(&self) -> u64 {
        self.shares.iter().map(|share| share.bytes).sum()
    }

    /// By how much it is more than the DMA reaches.
    pub fn overflow_bytes(&self) -> Option<u64> {
        self.ram_bytes().checked_sub(self.reach_bytes).filter(|over| 0 < *over)
    }

    /// Whether a program comes out.
    pub fn builds(&self) -> bool {
        self.complaints.is_empty()
    }
}

fn holds(file: &File, condition: &'static str, fuel: &mut u32) -> Result<bool, NoReport> {
    let text = condition.replace("SANITY", SANITY).replace("HEADERS", HEADERS);
    let value = file.value_within(&text, fuel);
    let value = value.map_err(|why| NoReport::NoValue(condition, why))?;
    Ok(value != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stm32::lwipopts::samples;

    fn report(text: &str, part: Part) -> Report {
        let file = File::read(text).expect("a sample can be read");
        Report::new(&file, part, Beside::default()).expect("a sample has values")
    }

    fn texts(report: &Report) -> Vec<&str> {
        report.complaints.iter().map(|complaint| complaint.text.as_str()).collect()
    }

    #[test]
    fn cubemx_builds_on_every_part_with_ethernet() {
        for part in [Part::F407, Part::F767, Part::H743] {
            let report = report(samples::CUBEMX, part);
            assert!(report.builds(), "{:?}", report.complaints);
        }
        let file = File::read(samples::CUBEMX).expect("it can be read");
        let refused = Report::new(&file, Part::L476, Beside::default());
        assert!(matches!(refused, Err(NoReport::NoEthernet(_))));
    }

    #[test]
    fn the_optimised_set_stops_the_compiler_and_then_the_linker() {
        let optimised = report(samples::ARTICLE_OPTIMISED, Part::F407);
        assert_eq!(
            texts(&optimised),
            ["#error \"MEM_USE_POOLS requires custom pools (MEMP_USE_CUSTOM_POOLS) to be enabled \
              in your lwipopts.h\""]
        );
        let mut file = File::read(samples::ARTICLE_OPTIMISED).expect("it can be read");
        file.set("MEM_USE_POOLS", 0).expect("it can be written");
        let linked = report(file.text(), Part::F407);
        assert_eq!(linked.ram_bytes(), 136_016);
        assert_eq!(
            texts(&linked),
            [
                "section `.bss' will not fit in region `RAM'",
                "region `RAM' overflowed by 4944 bytes",
            ]
        );
        file.set("TCP_SND_QUEUELEN", 9).expect("it can be written");
        let short = report(file.text(), Part::F407);
        assert_eq!(
            texts(&short),
            ["#error \"lwip_sanity_check: WARNING: TCP_SND_QUEUELEN must be at least as much as \
              (2 * TCP_SND_BUF/TCP_MSS) for things to work. If you know what you are doing, \
              define LWIP_DISABLE_TCP_SANITY_CHECKS to 1 to disable this error.\""]
        );
        file.set("LWIP_DISABLE_TCP_SANITY_CHECKS", 1).expect("it can be written");
        assert_eq!(report(file.text(), Part::F407).complaints[0].tool, Tool::Linker);
    }

    #[test]
    fn the_rows_by_part_fail_as_they_do_in_reality() {
        for row in &samples::ROWS[1..3] {
            let part = if row.part == "F767" { Part::F767 } else { Part::H743 };
            let found = report(&row.text(), part);
            let segs = "MEMP_NUM_TCP_SEG should be at least as big as TCP_SND_QUEUELEN";
            assert!(texts(&found)[0].contains(segs), "{:?}", found.complaints);
        }
        let h743 = report(&samples::ROWS[2].text(), Part::H743);
        assert_eq!(h743.ram_bytes(), 531_388);
        assert_eq!(h743.overflow_bytes(), Some(7_100));
    }

    #[test]
    fn memory_is_the_sum_of_its_parts() {
        let file = File::read(samples::CUBEMX).expect("it can be read");
        let beside = Beside { driver_bytes: 12_000, program_bytes: 3_000 };
        let with = Report::new(&file, Part::F407, beside).expect("it has values");
        let without = report(samples::CUBEMX, Part::F407);
        assert_eq!(with.ram_bytes(), without.ram_bytes() + 15_000);
        let sum: u64 = with.shares.iter().map(|share| share.bytes).sum();
        assert_eq!(sum, with.ram_bytes());
    }
}
