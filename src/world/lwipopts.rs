//! `lwipopts.h` and the parameters of a host: what a file sets, and a file with what is set.
//!
//! An option and the parameter that follows it have the same name, written `TCP_MSS` there and
//! `tcp-mss` here. What a file leaves out has lwIP's own value, which is not CubeMX's: a file
//! therefore says something about every option that is followed.

use crate::model::stm32::BoardParams;
use crate::model::stm32::lwipopts::expr::FUEL;
use crate::model::stm32::lwipopts::{Entry, File, Meaning, ReadError, names};
use crate::param::{Kind, Reason, Said, Spec, Value};
use crate::world::problem::Problem;
use crate::world::scenario::Scenario;
use crate::world::setting::Setting;

/// Names of ST's port that a board has as parameters: in the file, and here.
const PORT: [(&str, &str); 7] = [
    ("ETH_RX_DESC_CNT", "rx-descriptors"),
    ("ETH_RXBUFNB", "rx-descriptors"),
    ("ETH_TX_DESC_CNT", "tx-descriptors"),
    ("ETH_TXBUFNB", "tx-descriptors"),
    ("ETH_RX_BUFFER_CNT", "rx-buffers"),
    ("CHECKSUM_BY_HARDWARE", "checksum-by-hardware"),
    (NO_SYS, "scheduling"),
];
/// Whether there is no operating system.
const NO_SYS: &str = "NO_SYS";
const NS_PER_MS: u64 = 1_000_000;

/// An option that becomes a parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Understood {
    /// Its name in the file.
    pub option: &'static str,
    /// Its line, from 1; `None`: the file leaves it out, and lwIP's own value counts.
    pub line: Option<u32>,
    /// What stands in the file, without comments, or lwIP's own definition.
    pub written: String,
    /// The parameter: its path, declaration and value now.
    pub setting: Setting,
    /// The value that the file gives it.
    pub value: Value,
}

impl Understood {
    /// Whether the scenario has another value now.
    pub fn is_change(&self) -> bool {
        self.value != self.setting.value
    }

    /// The value as documents and links write it.
    pub fn text(&self) -> String {
        self.setting.spec.show(&self.value)
    }
}

/// What a file says about a host.
#[derive(Clone, PartialEq, Debug)]
pub struct Import {
    /// Options that become parameters, in the order of lwIP's documentation.
    pub understood: Vec<Understood>,
    /// Values that a parameter does not allow: line, option, value, what is allowed.
    pub problems: Vec<Problem>,
    /// Definitions that no release of lwIP knows, by line: their meaning says why they do nothing.
    pub invented: Vec<Entry>,
    /// Every other definition, by line.
    pub listed: Vec<Entry>,
    /// Lines with `#include`: what stands there was not read.
    pub includes: Vec<u32>,
}

impl Import {
    /// What differs from the scenario, as paths and texts.
    pub fn changes(&self) -> Vec<(String, String)> {
        let changed = self.understood.iter().filter(|option| option.is_change());
        changed.map(|option| (option.setting.path.clone(), option.text())).collect()
    }
}

/// Whether a host has the parameters that such a file sets.
pub fn is_lwip(scenario: &Scenario, host: &str) -> bool {
    scenario.setting(&format!("{host}.tcp-mss")).is_ok()
        && scenario.setting(&format!("{host}.mem-size")).is_ok()
}

/// The hosts of a scenario for which there is such a file, by id.
pub fn hosts(scenario: &Scenario) -> impl Iterator<Item = &str> {
    let ids = scenario.hosts.iter().map(|host| host.id.as_str());
    ids.filter(|id| is_lwip(scenario, id))
}

fn no_such_host(scenario: &Scenario, host: &str) -> Problem {
    match scenario.hosts.iter().any(|other| other.id == host) {
        true => {
            let allowed = Said::new("a host that runs lwIP", "运行 lwIP 的主机");
            Problem::refused(None, "host", Reason::new(host, allowed))
        }
        false => Problem::unknown(None, "host", host, hosts(scenario)),
    }
}

/// What `file` says about the host of that id. Nothing is changed.
pub fn import(scenario: &Scenario, host: &str, file: &File) -> Result<Import, Problem> {
    if !is_lwip(scenario, host) {
        return Err(no_such_host(scenario, host));
    }
    let (mut understood, mut problems) = (Vec::new(), Vec::new());
    let mut fuel = FUEL;
    for (option, key) in options(file) {
        let Ok(setting) = scenario.setting(&format!("{host}.{key}")) else { continue };
        let found = file.written(option);
        let line = found.map(|(line, _)| line);
        let default = || names::default_of(option).unwrap_or_default();
        let written = found.map_or_else(default, |(_, body)| body).to_owned();
        let value = match file.value_within(option, &mut fuel) {
            Ok(number) => value_of(option, setting.spec, number),
            Err(why) => {
                let (range, why) = (allowed_of(option, setting.spec), why.text());
                let (en, zh) = (format!("{} ({})", range.en, why.en), range.zh);
                Err(Said::new(en, format!("{zh}（{}）", why.zh)))
            }
        };
        match value {
            Ok(value) => understood.push(Understood { option, line, written, setting, value }),
            Err(allowed) => {
                problems.push(Problem::refused(line, option, Reason::new(&written, allowed)));
            }
        }
    }
    let is_one = |entry: &Entry| understood.iter().any(|option| option.option == entry.name);
    let entries = file.entries().into_iter().filter(|entry| !is_one(entry));
    let (invented, listed) =
        entries.partition(|entry| matches!(entry.meaning, Meaning::Invented(_)));
    let includes = file.includes().to_vec();
    Ok(Import { understood, problems, invented, listed, includes })
}

/// Writes the host's values into `file` where they differ; everything else stays as it is.
pub fn export(scenario: &Scenario, host: &str, file: &mut File) -> Result<(), ReadError> {
    let mut fuel = FUEL;
    let mut changed: Vec<(&str, i64)> = Vec::new();
    for (option, key) in options(file) {
        let Ok(setting) = scenario.setting(&format!("{host}.{key}")) else { continue };
        let number = number_of(option, &setting.value);
        if file.value_within(option, &mut fuel) != Ok(number) {
            changed.push((option, number));
        }
    }
    if changed.is_empty() { Ok(()) } else { file.set_all(&changed) }
}

/// The board that a host is, if it is one: part, driver and what else people set of it.
pub fn board_of(scenario: &Scenario, host: &str) -> Option<BoardParams> {
    let mut board = BoardParams::default();
    scenario.setting(&format!("{host}.part")).ok()?;
    for (index, spec) in BoardParams::SPECS.iter().enumerate() {
        if let Ok(setting) = scenario.setting(&format!("{host}.{}", spec.key)) {
            // A value of the same declaration; another one's keeps the default.
            let _ = board.set(index as u8, &setting.value);
        }
    }
    Some(board)
}

/// The options that are followed, with the keys of their parameters; those of ST's port only where
/// the file defines them.
fn options(file: &File) -> impl Iterator<Item = (&'static str, String)> {
    let key = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let followed = names::FOLLOWED.iter().map(move |(name, ..)| (*name, key(name)));
    let port = PORT.iter().filter(|(name, _)| file.has(name));
    followed.chain(port.map(|(name, key)| (*name, (*key).to_owned())))
}

/// The parameter's value for an option's number, or what is allowed.
fn value_of(option: &str, spec: &'static Spec, number: i64) -> Result<Value, Said> {
    let refuse = || allowed_of(option, spec);
    let n = u32::try_from(number).map_err(|_| refuse())?;
    let value = match spec.kind {
        Kind::Bool => Some(Value::Bool(n != 0)),
        Kind::Span => Value::at(Kind::Span, u64::from(n) * NS_PER_MS),
        // The first choice is the super-loop: no operating system.
        Kind::Choice => Some(Value::Choice(u8::from(n == 0))),
        // The greatest number would mean "unlimited".
        _ if n == u32::MAX => None,
        kind => Value::at(kind, u64::from(n)),
    };
    let value = value.ok_or_else(refuse)?;
    spec.check(&value).map_err(|_| refuse())?;
    Ok(value)
}

/// An option's number for the parameter's value.
fn number_of(option: &str, value: &Value) -> i64 {
    let ordinal = match value {
        Value::Span(span) => span.as_ns() / NS_PER_MS,
        _ if option == NO_SYS => u64::from(value.ordinal() == 0),
        _ => value.ordinal(),
    };
    i64::try_from(ordinal).unwrap_or(i64::MAX)
}

/// What is allowed, as the file writes it: plain numbers, times in milliseconds.
fn allowed_of(option: &str, spec: &Spec) -> Said {
    if spec.kind == Kind::Bool || spec.kind == Kind::Choice {
        return Said::new("0 or 1", "0 或 1");
    }
    let [least, most] = [spec.min(), spec.max()].map(|value| number_of(option, &value));
    let unit = if spec.kind == Kind::Span { (" (ms)", "（毫秒）") } else { ("", "") };
    Said::new(format!("{least} to {most}{}", unit.0), format!("{least} 至 {most}{}", unit.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stm32::lwipopts::samples;
    use crate::param::Lang;
    use crate::world::preset;

    const HOST: &str = "slow-a";

    fn scenario() -> Scenario {
        preset::find("tmr-interval").expect("the preset is there").open()
    }

    fn read(text: &str) -> File {
        File::read(text).expect("it can be read")
    }

    fn imported(text: &str) -> Import {
        import(&scenario(), HOST, &read(text)).expect("the host runs lwIP")
    }

    #[test]
    fn options_become_parameters_and_what_is_left_out_has_lwips_own_value() {
        let import = imported("#define TCP_MSS 1460\n#define TCP_TMR_INTERVAL (5 * 2)\n");
        assert_eq!(import.problems, []);
        let changes = import.changes();
        let of = |key: &str| {
            let path = format!("{HOST}.{key}");
            changes.iter().find(|(other, _)| *other == path).map(|(_, text)| text.as_str())
        };
        assert_eq!(of("tcp-mss"), Some("1460B"));
        assert_eq!(of("tcp-tmr-interval"), Some("10ms"));
        assert_eq!(of("tcp-wnd"), Some("5840B"));
        assert_eq!(of("tcp-snd-queuelen"), Some("8"));
        assert_eq!(of("mem-size"), None, "1600 bytes are what the host has");
        let mut scenario = scenario();
        for (path, text) in &changes {
            scenario.set(path, text).expect("what was understood can be set");
        }
        let again = super::import(&scenario, HOST, &read("#define TCP_MSS 1460\n"));
        let left: Vec<_> = again.expect("it runs lwIP").changes();
        assert_eq!(left, [(format!("{HOST}.tcp-tmr-interval"), "250ms".to_owned())]);
    }

    #[test]
    fn a_value_out_of_range_names_line_option_value_and_range_and_the_rest_counts() {
        let import = imported(
            "#define MEM_SIZE 8000\n#define TCP_MSS 9000\n#define TCP_WND 5000\n\
             #define TCP_SND_BUF 4000\n#define TCP_TMR_INTERVAL 0\n#define TCP_SND_QUEUELEN eight\n\
             #define TCP_OVERSIZE 0\n#define PBUF_POOL_BUFSIZE 600\n",
        );
        let said: Vec<String> = import.problems.iter().map(|p| p.say(Lang::En)).collect();
        assert_eq!(
            said,
            [
                "line 2: TCP_MSS: `9000` is not allowed; allowed: 64 to 1460",
                "line 6: TCP_SND_QUEUELEN: `eight` is not allowed; allowed: 2 to 1000 (it \
                 uses a name that nothing defines)",
                "line 5: TCP_TMR_INTERVAL: `0` is not allowed; allowed: 1 to 1000 (ms)",
            ]
        );
        assert!(import.problems[0].say(Lang::Zh).starts_with("第 2 行：TCP_MSS：不允许“9000”"));
        assert!(import.changes().contains(&(format!("{HOST}.mem-size"), "8kB".to_owned())));
        assert_eq!(import.understood.len(), 14);
    }

    #[test]
    fn every_definition_is_understood_listed_or_explained() {
        for sample in [samples::CUBEMX, samples::ARTICLE_DEFAULT, samples::ARTICLE_OPTIMISED] {
            let import = imported(sample);
            let own = import.understood.iter().filter(|option| option.line.is_some()).count();
            let n = own + import.listed.len() + import.invented.len() + import.problems.len();
            assert_eq!(n, read(sample).entries().len());
        }
        let invented = imported(samples::ARTICLE_OPTIMISED).invented;
        let names: Vec<&str> = invented.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names[..2], ["MEM_USE_POOLS_TCP", "PBUF_CHAIN_MAX"]);
        assert_eq!(names.len(), 6);
    }

    #[test]
    fn what_was_changed_is_written_back_and_comments_stay() {
        let mut file = read(samples::CUBEMX);
        let mut scenario = scenario();
        export(&scenario, HOST, &mut file).expect("it can be written");
        assert_eq!(file.text(), samples::CUBEMX, "the host has CubeMX's values");
        scenario.set("slow-a.tcp-wnd", "4288B").expect("it can be set");
        scenario.set("slow-a.tcp-tmr-interval", "10ms").expect("it can be set");
        export(&scenario, HOST, &mut file).expect("it can be written");
        assert!(file.text().contains("#define TCP_WND 4288 /* 2144 */\n"));
        let added = "#define TCP_TMR_INTERVAL 10 /* period of the fast timer, ms */\n#endif";
        assert!(file.text().contains(added), "{}", file.text());
        let again = import(&scenario, HOST, &file).expect("it runs lwIP");
        assert_eq!(again.changes(), []);
    }

    #[test]
    fn a_host_without_lwip_is_refused() {
        let file = read(samples::CUBEMX);
        let refused = import(&scenario(), "nobody", &file).expect_err("it is not there");
        assert!(refused.say(Lang::En).contains("slow-a, slow-b, fast-a, fast-b"), "{refused}");
        let linux = preset::find("nagle-stall").expect("the preset is there").open();
        let host = &linux.hosts[0].id;
        let refused = import(&linux, host, &file).expect_err("it runs Linux");
        assert!(refused.say(Lang::En).contains("a host that runs lwIP"), "{refused}");
    }

    /// Names that stand for two others each, and those for nothing: the tokens are limited.
    #[test]
    fn a_file_that_explodes_is_refused_in_bounded_time() {
        let mut text = String::from("#define E0\n");
        for n in 1..40 {
            text += &format!("#define E{n} E{} E{}\n", n - 1, n - 1);
        }
        for (option, ..) in names::FOLLOWED {
            text += &format!("#define {option} E39\n");
        }
        let import = imported(&text);
        assert_eq!(import.understood.len(), 0);
        assert_eq!(import.problems.len(), names::FOLLOWED.len());
    }
}
