//! What was understood of an `lwipopts.h`, in words: one row for every definition.

use crate::model::stm32::lwipopts::{Entry, Meaning};
use crate::param::{Bytes, Lang, Text, Value};
use crate::world::lwipopts::{Import, Understood};

use super::numbers::count;
use super::words::fill;

/// An option that becomes a parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its name.
    pub option: &'static str,
    /// Where its value comes from: a line of the file, or lwIP.
    pub place: String,
    /// Its new value, as the page writes it.
    pub value: String,
    /// The value that the scenario has now, if it is another.
    pub before: Option<String>,
}

/// A definition that becomes no parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Other {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: String,
    /// What is written there.
    pub written: String,
    /// What becomes of it.
    pub why: &'static str,
}

const LINE: Text = Text::new("line {0}", "第 {0} 行");
const BY_LWIP: Text = Text::new("not in the file: lwIP's own value", "文件未定义：lwIP 默认值");
const COUNTED: Text = Text::new("used by the build check only", "仅用于构建检查");
const EXISTS: Text = Text::new("without effect on this model", "对本模型没有影响");
const PORT: Text = Text::new("read by ST's port, not by lwIP", "由 ST 移植层读取，与 lwIP 无关");
const UNKNOWN: Text = Text::new("nobody here knows it", "未知名称");
const INCLUDE: Text = Text::new("not followed", "不会展开");
/// Longest value of a definition that is repeated, in characters.
const SHOWN: usize = 60;

/// The rows of what was understood: changes first, in the order of the import.
pub fn understood(import: &Import, lang: Lang) -> Vec<Row> {
    let row = |option: &Understood| Row {
        option: option.option,
        place: match option.line {
            Some(line) => fill(LINE, lang, &[&line.to_string()]),
            None => BY_LWIP.get(lang).to_owned(),
        },
        value: label(option, &option.value, lang),
        before: option.is_change().then(|| label(option, &option.setting.value, lang)),
    };
    let (changed, same): (Vec<_>, Vec<_>) =
        import.understood.iter().partition(|option| option.is_change());
    changed.into_iter().chain(same).map(row).collect()
}

/// A value as the page writes it; sizes in whole bytes, as the file has them.
fn label(option: &Understood, value: &Value, lang: Lang) -> String {
    match value {
        Value::Bytes(Bytes(n)) => format!("{}\u{a0}B", count(*n)),
        _ => option.setting.spec.label(value, lang),
    }
}

/// Names that do not exist in lwIP, each with the reason why it does nothing.
pub fn invented(import: &Import, lang: Lang) -> Vec<Other> {
    import.invented.iter().map(|entry| other(entry, lang)).collect()
}

/// Everything else that the file defines or includes.
pub fn listed(import: &Import, lang: Lang) -> Vec<Other> {
    let includes = import.includes.iter().map(|line| Other {
        name: "#include".to_owned(),
        line: fill(LINE, lang, &[&line.to_string()]),
        written: String::new(),
        why: INCLUDE.get(lang),
    });
    import.listed.iter().map(|entry| other(entry, lang)).chain(includes).collect()
}

fn other(entry: &Entry, lang: Lang) -> Other {
    let why = match entry.meaning {
        Meaning::Followed | Meaning::Counted => COUNTED,
        Meaning::Exists => EXISTS,
        Meaning::Port => PORT,
        Meaning::Invented(why) => why,
        Meaning::Unknown => UNKNOWN,
    };
    Other {
        name: crate::param::shorten(&entry.name, SHOWN),
        line: fill(LINE, lang, &[&entry.line.to_string()]),
        written: crate::param::shorten(&entry.written, SHOWN),
        why: why.get(lang),
    }
}
