//! The build check in words: what compiler and linker print, and whose the memory is.
//!
//! Messages of the tools stay as the tools print them, in English; everything around them is in
//! the reader's language.

use crate::model::stm32::build::{Beside, Complaint, DESCRIPTOR_BYTES, NoReport, Report, Tool};
use crate::model::stm32::lwipopts::{File, names};
use crate::model::stm32::{BoardParams, Part};
use crate::model::tcp::lwip::Options;
use crate::param::{Lang, Param, Text};

use super::draw::Pattern;
use super::numbers::count;
use super::tokens::Token;
use super::words::fill;

/// Whose a piece of memory is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owner {
    /// lwIP's heap.
    Heap,
    /// Pools of buffers, segments and small things.
    Pools,
    /// Connections, listeners, the ARP table.
    Blocks,
    /// Descriptors of the DMA.
    Descriptors,
    /// The driver's buffers.
    Buffers,
    /// Other variables of lwIP.
    Other,
}

impl Owner {
    /// All of them, in the order of the bar.
    pub const ALL: [Owner; 6] = [
        Owner::Heap,
        Owner::Pools,
        Owner::Blocks,
        Owner::Descriptors,
        Owner::Buffers,
        Owner::Other,
    ];

    /// Its name.
    pub const fn text(self) -> Text {
        match self {
            Owner::Heap => Text::new("heap (MEM_SIZE)", "堆（MEM_SIZE）"),
            Owner::Pools => Text::new("pools", "内存池"),
            Owner::Blocks => Text::new("control blocks", "控制块"),
            Owner::Descriptors => Text::new("DMA descriptors", "DMA 描述符"),
            Owner::Buffers => Text::new("driver buffers", "驱动缓冲"),
            Owner::Other => Text::new("other variables, estimated", "其他变量（估计）"),
        }
    }

    /// Its colour and pattern in the bar: memory of lwIP, of the driver, and the rest.
    pub const fn look(self) -> (Token, Pattern) {
        match self {
            Owner::Heap => (Token::StateFlight, Pattern::Solid),
            Owner::Pools => (Token::StateFlight, Pattern::Hatch),
            Owner::Blocks => (Token::StateFlight, Pattern::Dots),
            Owner::Descriptors => (Token::CauseBrokerQueue, Pattern::Solid),
            Owner::Buffers => (Token::CauseBrokerQueue, Pattern::Hatch),
            Owner::Other => (Token::CauseProcessing, Pattern::Solid),
        }
    }

    /// Whose a share of the report is; the driver's is split by its descriptors.
    fn of(share: &str) -> Owner {
        match share {
            "heap" => Owner::Heap,
            "PBUF_POOL" | "TCP_SEG" | "PBUF_REF/ROM" | "IP fragments" | "SYS_TIMEOUT" => {
                Owner::Pools
            }
            "TCP_PCB" | "TCP_PCB_LISTEN" | "UDP_PCB" | "ARP table" => Owner::Blocks,
            "driver" => Owner::Buffers,
            _ => Owner::Other,
        }
    }
}

/// A message of a tool, and the options that it names.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Who says it.
    pub tool: Tool,
    /// What it prints, to the letter.
    pub text: String,
    /// The options that it names: value, and where it comes from.
    pub about: Vec<String>,
}

/// What a build gives, in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Checked {
    /// Whether a program comes out.
    pub builds: bool,
    /// One sentence.
    pub verdict: String,
    /// What compiler and linker print.
    pub messages: Vec<Message>,
    /// Memory by owner, in bytes; owners of nothing are left out.
    pub ram: Vec<(Owner, u64)>,
    /// All of it, and of it lwIP's own.
    pub ram_bytes: u64,
    /// What of it is lwIP's.
    pub lwip_bytes: u64,
    /// What the DMA reaches; 0 for a part without Ethernet.
    pub reach_bytes: u64,
    /// The part's name.
    pub part: &'static str,
}

const BUILDS: Text = Text::new("It builds for the {0}.", "可以为 {0} 构建。");
const COMPILER_SAYS: Text = Text::new("The compiler stops. Errors: {0}.", "编译器报错：{0} 个。");
const LINKER_SAYS: Text = Text::new(
    "The linker stops: {0} B asked, {1} B within reach of the DMA.",
    "链接器报错：需要 {0} B，DMA 可达 {1} B。",
);
const NO_MAC: Text = Text::new(
    "No program: the {0} has no Ethernet MAC. Its series was built without one.",
    "无法构建：{0} 没有以太网 MAC，该系列本就不带。",
);
const NO_VALUE: Text = Text::new(
    "The file cannot be checked: an option has no value ({0}).",
    "无法检查此文件：有选项没有值（{0}）。",
);
const ON_LINE: Text = Text::new("{0} = {1}, line {2}", "{0} = {1}，第 {2} 行");
const BY_LWIP: Text = Text::new("{0} = {1}, lwIP's own value", "{0} = {1}，lwIP 默认值");

/// Builds `file` for a board, without variables of the program.
pub fn check(file: &File, board: &BoardParams, lang: Lang) -> Checked {
    let part = name_of(board.part);
    let mut checked = Checked {
        builds: false,
        verdict: String::new(),
        messages: Vec::new(),
        ram: Vec::new(),
        ram_bytes: 0,
        lwip_bytes: 0,
        reach_bytes: 0,
        part,
    };
    // The driver of a part without Ethernet takes no memory.
    let config = board.config(Options::default(), 1_500);
    let (driver_bytes, n_descriptors) = config.map_or((0, 0), |config| {
        let driver = config.driver;
        (driver.ram_bytes(), driver.rx_descriptors + driver.tx_descriptors)
    });
    let report = match Report::new(file, board.part, Beside { driver_bytes, program_bytes: 0 }) {
        Ok(report) => report,
        Err(NoReport::NoEthernet(_)) => {
            checked.verdict = fill(NO_MAC, lang, &[part]);
            return checked;
        }
        Err(NoReport::NoValue(_, why)) => {
            checked.verdict = fill(NO_VALUE, lang, &[why.text().get(lang)]);
            return checked;
        }
    };
    checked.builds = report.builds();
    checked.ram_bytes = report.ram_bytes();
    checked.lwip_bytes = checked.ram_bytes - u64::from(driver_bytes);
    checked.reach_bytes = report.reach_bytes;
    checked.ram = by_owner(&report, u64::from(n_descriptors * DESCRIPTOR_BYTES));
    let told = report.complaints.iter();
    checked.messages = told.map(|complaint| message(file, complaint, lang)).collect();
    checked.verdict = match report.complaints.first().map(|complaint| complaint.tool) {
        None => fill(BUILDS, lang, &[part]),
        Some(Tool::Compiler) => {
            fill(COMPILER_SAYS, lang, &[&count(report.complaints.len() as u64)])
        }
        Some(Tool::Linker) => {
            fill(LINKER_SAYS, lang, &[&count(checked.ram_bytes), &count(checked.reach_bytes)])
        }
    };
    checked
}

/// What a part is called.
fn name_of(part: Part) -> &'static str {
    Part::CHOICES[usize::from(part as u8)].name.en
}

fn by_owner(report: &Report, descriptors: u64) -> Vec<(Owner, u64)> {
    let bytes_of = |owner: Owner| {
        let own = report.shares.iter().filter(|share| Owner::of(share.name) == owner);
        let sum: u64 = own.map(|share| share.bytes).sum();
        match owner {
            Owner::Descriptors => descriptors,
            Owner::Buffers => sum - descriptors,
            _ => sum,
        }
    };
    let all = Owner::ALL.map(|owner| (owner, bytes_of(owner)));
    all.into_iter().filter(|(_, bytes)| 0 < *bytes).collect()
}

fn message(file: &File, complaint: &Complaint, lang: Lang) -> Message {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut about: Vec<String> = Vec::new();
    for name in complaint.text.split(|c| !is_letter(c)) {
        // What the message calls upon the reader to define is no cause of it.
        let is_option = names::default_of(name).is_some() && !name.starts_with("LWIP_DISABLE");
        let Ok(value) = file.value(name) else { continue };
        let value = value.to_string();
        let line = match file.written(name) {
            _ if !is_option => continue,
            Some((line, _)) => fill(ON_LINE, lang, &[name, &value, &line.to_string()]),
            None => fill(BY_LWIP, lang, &[name, &value]),
        };
        if !about.contains(&line) {
            about.push(line);
        }
    }
    Message { tool: complaint.tool, text: complaint.text.clone(), about }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stm32::lwipopts::samples;

    fn checked(text: &str, board: &BoardParams, lang: Lang) -> Checked {
        check(&File::read(text).expect("a sample can be read"), board, lang)
    }

    #[test]
    fn the_bar_sums_to_the_whole_and_names_the_drivers_parts() {
        let found = checked(samples::CUBEMX, &BoardParams::default(), Lang::En);
        assert!(found.builds && found.messages.is_empty());
        let sum: u64 = found.ram.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, found.ram_bytes);
        let of = |owner| found.ram.iter().find(|(other, _)| *other == owner).map(|(_, n)| *n);
        assert_eq!(of(Owner::Descriptors), Some(8 * 32));
        assert_eq!(of(Owner::Buffers), Some(12 * 1_536));
        assert_eq!(found.reach_bytes, 131_072);
    }

    #[test]
    fn messages_stay_as_the_tools_print_them_and_name_lines_and_values() {
        let row = samples::ROWS[1].text();
        let board = BoardParams { part: Part::F767, ..BoardParams::default() };
        let found = checked(&row, &board, Lang::En);
        let first = &found.messages[0];
        assert!(first.text.starts_with("#error \"lwip_sanity_check: WARNING: MEMP_NUM_TCP_SEG"));
        assert_eq!(
            first.about,
            ["MEMP_NUM_TCP_SEG = 32, line 10", "TCP_SND_QUEUELEN = 45, lwIP's own value"]
        );
        assert!(found.verdict.contains("Errors: "), "{}", found.verdict);
        let zh = checked(&row, &board, Lang::Zh);
        assert_eq!(zh.messages[0].text, first.text);
        assert_eq!(zh.messages[0].about[0], "MEMP_NUM_TCP_SEG = 32，第 10 行");
    }

    #[test]
    fn a_part_without_ethernet_builds_nothing() {
        let board = BoardParams { part: Part::L476, ..BoardParams::default() };
        let found = checked(samples::CUBEMX, &board, Lang::En);
        assert!(!found.builds && found.verdict.contains("STM32L476 has no Ethernet MAC"));
    }

    #[test]
    fn the_linker_counts_lwip_alone_as_the_build_check_does() {
        let mut file = File::read(samples::ARTICLE_OPTIMISED).expect("it can be read");
        file.set("MEM_USE_POOLS", 0).expect("it can be written");
        let found = check(&file, &BoardParams::default(), Lang::En);
        assert_eq!(found.lwip_bytes, 136_016);
        assert_eq!(found.messages[1].text, "region `RAM' overflowed by 23632 bytes");
    }
}
