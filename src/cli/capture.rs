//! `inflight run --pcap`: a capture as a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::param::Lang;
use crate::world::session::Session;

/// Writes what a host saw.
pub fn write(session: &Session, host: Option<&str>, path: &Path, lang: Lang) -> Result<(), String> {
    let shown = path.display();
    let refuse = |error: &std::io::Error| format!("{shown}: {error}");
    let mut file = BufWriter::new(File::create(path).map_err(|error| refuse(&error))?);
    let mut failed = None;
    let captured = session.capture(host, &mut |bytes| match file.write_all(bytes) {
        Ok(()) => true,
        Err(error) => {
            failed = Some(refuse(&error));
            false
        }
    });
    captured.map_err(|problem| problem.say(lang))?;
    match failed {
        Some(error) => Err(error),
        None => file.flush().map_err(|error| refuse(&error)),
    }
}
