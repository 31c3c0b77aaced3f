//! Where words go: standard output, notices beside it, and files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes to standard output; who closes the pipe has seen enough, which is no error.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), String> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // What is left in the buffer has no reader; writing it again would only fail again.
            let _ = out.into_parts();
            Ok(())
        }
        Err(error) => Err(format!("cannot write to standard output: {error}")),
    }
}

/// Says something beside the output; a closed standard error is no reason to stop.
pub fn notice(text: &str) {
    let mut err = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(err, "inflight: {}", plain(line));
    }
}

/// Shows where a long task is, on one line that the next call writes over; nothing clears it.
pub fn status(text: &str) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "\r\x1b[K{}", plain(text));
    let _ = err.flush();
}

/// A text of somebody else's without what could steer a terminal.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A folder for results, made if it is not there.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder of `--csv` or `--svg`.
    pub fn make(path: &Path) -> Result<Folder, String> {
        fs::create_dir_all(path)
            .map_err(|error| format!("{}: cannot make this folder: {error}", path.display()))?;
        Ok(Folder { path: path.to_owned() })
    }

    /// Writes one file of the folder, in place of an older one of that name.
    ///
    /// It is written beside and then takes its name, so that nobody reads half of it, and what a
    /// symbolic link of that name points to stays as it is.
    pub fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), String> {
        let whole = self.path.join(name);
        let part = self.path.join(format!(".{name}.part"));
        let result = Folder::fill(&part, fill).and_then(|()| fs::rename(&part, &whole));
        result.map_err(|error| {
            let _ = fs::remove_file(&part);
            format!("{}: cannot write this file: {error}", whole.display())
        })
    }

    fn fill(
        part: &Path,
        fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<()> {
        match fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = BufWriter::new(File::create_new(part)?);
        fill(&mut file)?;
        file.flush()
    }
}

/// Columns that a text takes in a terminal: Chinese characters take two.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| if ('\u{2e80}'..'\u{ffe7}').contains(&c) { 2 } else { 1 }).sum()
}

/// A text filled up on its right to so many columns.
pub fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// A text filled up on its left to so many columns.
pub fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))))
}

/// A table with two spaces between columns: the first column to the left, the others to the right.
pub fn table(rows: &[Vec<String>], indent: usize) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|c| columns(c)).max();
    let widths: Vec<usize> = (0..n_columns).map(|i| width_of(i).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(i, (cell, width))| match i {
            0 => left(cell, *width),
            _ => right(cell, *width),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text += &format!("{}{}\n", " ".repeat(indent), line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_words_take_two_columns_each() {
        let rows =
            vec![vec!["发送".to_owned(), "1".to_owned()], vec!["sent".to_owned(), "12".to_owned()]];
        assert_eq!(table(&rows, 2), "  发送   1\n  sent  12\n");
    }

    #[test]
    fn a_title_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{7}"), "a[2Jb");
    }
}
