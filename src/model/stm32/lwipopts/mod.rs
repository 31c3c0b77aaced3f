//! Reads and writes `lwipopts.h`: comments, conditions, expressions; nothing is executed.
//!
//! A [`File`] keeps the text as it came. Options that it leaves out have the values of lwIP's
//! `opt.h`, not CubeMX's. Everything is bounded: size, nesting, expansion. Left out: files that
//! are included, macros with parameters, `__has_include`.

pub mod expr;
pub mod names;
pub mod samples;
mod scan;

pub use names::Meaning;
pub use scan::{Define, FILE_LIMIT, Problem, ReadError};

use crate::model::tcp::lwip::{Options, Version};
use expr::{FUEL, Names, NoValue};
use scan::Defines;

/// Largest value of an option: what a 32-bit machine holds.
const VALUE_LIMIT: i64 = i32::MAX as i64;

/// A file that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct File {
    text: String,
    defines: Defines,
}

/// A definition of a file, for the list that people see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its line, from 1.
    pub line: u32,
    /// What is written there, without comments.
    pub written: String,
    /// Its value, if it is a number.
    pub value: Option<i64>,
    /// What lwIP makes of it.
    pub meaning: Meaning,
}

/// The definitions of a file, and what lwIP puts in for those that are missing.
struct WithDefaults<'a>(&'a Defines);

impl Names for WithDefaults<'_> {
    fn body(&self, name: &str) -> Option<&str> {
        self.0.body(name).or_else(|| names::default_of(name))
    }
}

impl File {
    /// Reads a file. Text in conditions that do not hold does not count.
    pub fn read(text: &str) -> Result<File, ReadError> {
        let defines = scan::scan(text, &mut { FUEL })?;
        Ok(File { text: text.to_owned(), defines })
    }

    /// A new value for an option; see [`File::set_all`].
    pub fn set(&mut self, name: &str, value: i64) -> Result<(), ReadError> {
        self.set_all(&[(name, value)])
    }

    /// New values for options; the rest stays as it is, comments too. Options that the file does
    /// not have are added at its end, in front of the guard's `#endif`.
    ///
    /// The file stays as it was if it could not be read any more: a condition in it may stop at
    /// a new value, or it grows too large.
    ///
    /// # Panics
    /// If a name could not stand in a file.
    pub fn set_all(&mut self, values: &[(&str, i64)]) -> Result<(), ReadError> {
        let mut edits: Vec<_> =
            values.iter().map(|(name, value)| self.edit(name, *value)).collect();
        // From the end to the front, so that earlier places stay; what is added keeps its order.
        edits.reverse();
        edits.sort_by_key(|(from, ..)| std::cmp::Reverse(*from));
        let mut text = self.text.clone();
        for (from, to, new) in edits {
            text.replace_range(from as usize..to as usize, &new);
        }
        *self = File::read(&text)?;
        Ok(())
    }

    /// What takes the place of which bytes when an option gets a value.
    fn edit(&self, name: &str, value: i64) -> (u32, u32, String) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(!name.is_empty() && name.chars().all(is_word), "an option has a plain name");
        let place = self.defines.by_name.get(name).filter(|define| !define.has_parameters);
        match place {
            Some(define) => {
                let has_gap = self.text[..define.from as usize].ends_with([' ', '\t']);
                let gap = if has_gap { "" } else { " " };
                (define.from, define.to, format!("{gap}{value}"))
            }
            None => {
                let at = self.defines.guard_end.unwrap_or(self.text.len() as u32);
                let gap = match self.text[..at as usize].trim_end_matches(['\r', '\n']) {
                    // A joined line goes on: an empty one ends it.
                    front if front.ends_with('\\') => "\n\n",
                    front if front.len() < at as usize || at == 0 => "",
                    _ => "\n",
                };
                let comment = names::comment_of(name).unwrap_or("set by Inflight");
                (at, at, format!("{gap}#define {name} {value} /* {comment} */\n"))
            }
        }
    }

    /// Writes the values of `options` that differ from the file's.
    pub fn set_options(&mut self, options: &Options) -> Result<(), ReadError> {
        let mut fuel = FUEL;
        let differs =
            |(name, value): &(&'static str, i64)| self.value_within(name, &mut fuel) != Ok(*value);
        let changed: Vec<_> = values_of(options).into_iter().filter(differs).collect();
        if changed.is_empty() { Ok(()) } else { self.set_all(&changed) }
    }

    /// The text, with all changes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is defined, by line.
    pub fn entries(&self) -> Vec<Entry> {
        let mut fuel = FUEL;
        let entry = |(name, define): (&String, &Define)| Entry {
            name: name.clone(),
            line: define.line,
            written: define.body.clone(),
            value: match define.has_parameters {
                true => None,
                false => {
                    expr::value(&define.body, &WithDefaults(&self.defines), false, &mut fuel).ok()
                }
            },
            meaning: names::meaning(name),
        };
        let mut entries: Vec<Entry> = self.defines.by_name.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.line);
        entries
    }

    /// Whether the file itself defines it.
    pub fn has(&self, name: &str) -> bool {
        self.defines.by_name.contains_key(name)
    }

    /// Lines with `#include`: what stands there is not read.
    pub fn includes(&self) -> &[u32] {
        &self.defines.includes
    }

    /// The value of an option, or of any expression of options.
    pub fn value(&self, expression: &str) -> Result<i64, NoValue> {
        self.value_within(expression, &mut { FUEL })
    }

    /// The same, with what is left of the tokens that a whole question may cost.
    pub fn value_within(&self, expression: &str, fuel: &mut u32) -> Result<i64, NoValue> {
        expr::value(expression, &WithDefaults(&self.defines), false, fuel)
    }

    /// The line on which the file defines a name, and what is written there.
    pub fn written(&self, name: &str) -> Option<(u32, &str)> {
        let define = self.defines.by_name.get(name)?;
        Some((define.line, &define.body))
    }

    /// The options for a stack of this release. The program's own Nagle switch is not among them.
    pub fn options(&self, version: Version) -> Result<Options, ReadError> {
        let get = |name: &str| {
            let line = self.defines.by_name.get(name).map_or(0, |define| define.line);
            let bad = ReadError { line, problem: Problem::BadValue };
            let value = self.value(name).map_err(|_| bad)?;
            if (0..=VALUE_LIMIT).contains(&value) { Ok(value as u32) } else { Err(bad) }
        };
        let positive = |name: &str| {
            let line = self.defines.by_name.get(name).map_or(0, |define| define.line);
            let bad = ReadError { line, problem: Problem::BadValue };
            get(name).and_then(|value| if value == 0 { Err(bad) } else { Ok(value) })
        };
        let small = |name: &str| get(name).map(|value| value.min(u32::from(u8::MAX)) as u8);
        Ok(Options {
            tcp_mss: positive("TCP_MSS")?,
            tcp_wnd: positive("TCP_WND")?,
            tcp_snd_buf: positive("TCP_SND_BUF")?,
            tcp_snd_queuelen: positive("TCP_SND_QUEUELEN")?,
            tcp_tmr_interval_ms: positive("TCP_TMR_INTERVAL")?,
            tcp_wnd_update_threshold: get("TCP_WND_UPDATE_THRESHOLD")?,
            tcp_queue_ooseq: get("TCP_QUEUE_OOSEQ")? != 0,
            tcp_oversize: get("TCP_OVERSIZE")?,
            tcp_maxrtx: small("TCP_MAXRTX")?,
            tcp_synmaxrtx: small("TCP_SYNMAXRTX")?,
            mem_size: positive("MEM_SIZE")?,
            memp_num_tcp_pcb: positive("MEMP_NUM_TCP_PCB")?,
            memp_num_tcp_pcb_listen: get("MEMP_NUM_TCP_PCB_LISTEN")?,
            memp_num_tcp_seg: positive("MEMP_NUM_TCP_SEG")?,
            memp_num_pbuf: get("MEMP_NUM_PBUF")?,
            pbuf_pool_size: get("PBUF_POOL_SIZE")?,
            pbuf_pool_bufsize: positive("PBUF_POOL_BUFSIZE")?,
            nodelay: false,
            version,
        })
    }
}

/// The options that a file can hold, by name.
fn values_of(options: &Options) -> [(&'static str, i64); 17] {
    [
        ("TCP_MSS", i64::from(options.tcp_mss)),
        ("TCP_WND", i64::from(options.tcp_wnd)),
        ("TCP_SND_BUF", i64::from(options.tcp_snd_buf)),
        ("TCP_SND_QUEUELEN", i64::from(options.tcp_snd_queuelen)),
        ("TCP_TMR_INTERVAL", i64::from(options.tcp_tmr_interval_ms)),
        ("TCP_WND_UPDATE_THRESHOLD", i64::from(options.tcp_wnd_update_threshold)),
        ("TCP_QUEUE_OOSEQ", i64::from(options.tcp_queue_ooseq)),
        ("TCP_OVERSIZE", i64::from(options.tcp_oversize)),
        ("TCP_MAXRTX", i64::from(options.tcp_maxrtx)),
        ("TCP_SYNMAXRTX", i64::from(options.tcp_synmaxrtx)),
        ("MEM_SIZE", i64::from(options.mem_size)),
        ("MEMP_NUM_TCP_PCB", i64::from(options.memp_num_tcp_pcb)),
        ("MEMP_NUM_TCP_PCB_LISTEN", i64::from(options.memp_num_tcp_pcb_listen)),
        ("MEMP_NUM_TCP_SEG", i64::from(options.memp_num_tcp_seg)),
        ("MEMP_NUM_PBUF", i64::from(options.memp_num_pbuf)),
        ("PBUF_POOL_SIZE", i64::from(options.pbuf_pool_size)),
        ("PBUF_POOL_BUFSIZE", i64::from(options.pbuf_pool_bufsize)),
    ]
}

#[cfg(test)]
mod tests;
