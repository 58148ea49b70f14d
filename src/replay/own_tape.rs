//! Reads a tape of ours, plain or packed with zstd or gzip, with the place of every mistake.
//!
//! A line is never held beyond its bound, however long the file says it is.

use super::ReplayError;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use trader_core::event::Event;
use trader_core::tape::{Header, TAPE_LINE_MAX_BYTES, TapeParser};
use trader_runtime::tape_file;

/// Most events of one tape: above it, it is cut into pieces first.
const EVENTS_MAX: usize = 20_000_000;

/// First bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a whole tape.
pub(super) fn read(path: &Path) -> Result<(Header, Vec<Event>), ReplayError> {
    let failed = |at: String, problem: String| ReplayError::Tape {
        path: path.display().to_string(),
        at,
        problem,
    };
    let unreadable = |error: std::io::Error| failed(String::new(), format!("cannot read: {error}"));
    let mut file = tape_file::plain(path).map_err(unreadable)?;
    let is_gzip = file
        .fill_buf()
        .map_err(unreadable)?
        .starts_with(&GZIP_MAGIC);
    let mut lines: Box<dyn BufRead> = if is_gzip {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file)))
    } else {
        tape_file::unpacked(file).map_err(unreadable)?
    };
    let mut number = 0_u64;
    let mut parser: Option<TapeParser> = None;
    let mut events = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        number += 1;
        let place = format!(":{number}");
        // One byte more than allowed shows that a line is too long.
        let bound = u64::try_from(TAPE_LINE_MAX_BYTES).unwrap_or(u64::MAX) + 2;
        let mut bounded = (&mut lines).take(bound);
        let taken = bounded
            .read_until(b'\n', &mut line)
            .map_err(|error| failed(place.clone(), format!("cannot read on: {error}")))?;
        if taken == 0 {
            break;
        }
        if line.len() > TAPE_LINE_MAX_BYTES && line.last() != Some(&b'\n') {
            let problem =
                format!("longer than {TAPE_LINE_MAX_BYTES} bytes; an event is never that long");
            return Err(failed(place, problem));
        }
        let text = std::str::from_utf8(&line).map_err(|error| {
            failed(
                place.clone(),
                format!("not UTF-8 after {} bytes", error.valid_up_to()),
            )
        })?;
        let wrong =
            |error: trader_core::tape::TapeError| failed(place.clone(), error.problem.to_string());
        match &mut parser {
            None => {
                let text = text.trim_start_matches('\u{feff}');
                parser = Some(TapeParser::new(text).map_err(wrong)?);
            }
            Some(parser) => events.extend(parser.line(text).map_err(wrong)?),
        }
        if events.len() > EVENTS_MAX {
            let problem = format!("more than {EVENTS_MAX} events; cut the tape");
            return Err(failed(place, problem));
        }
    }
    match parser {
        Some(parser) => Ok((parser.header().clone(), events)),
        None => match TapeParser::new("") {
            Err(error) => Err(failed(":1".to_owned(), error.problem.to_string())),
            Ok(parser) => Ok((parser.header().clone(), events)),
        },
    }
}
