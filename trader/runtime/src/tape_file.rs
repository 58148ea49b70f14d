//! Opens a tape's file: JSON lines as they are, or packed with zstd.
//!
//! Unpacking is bounded in memory (one window) and in sum: a small file must not become an endless one.
//! Must not judge lines: that is the parser's. A packed file that is cut off or damaged is an error.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Largest tape that is read, bytes, packed and unpacked.
pub const TAPE_MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Largest window of a packed tape, bytes: what `zstd -19` and every lower level need.
pub const ZSTD_WINDOW_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// First bytes of a zstd file.
pub const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Opens a tape, packed or not.
///
/// # Errors
/// It is no regular file, larger than [`TAPE_MAX_BYTES`], or cannot be read.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    unpacked(plain(path)?)
}

/// Opens a tape's file without unpacking it.
///
/// # Errors
/// See [`open`].
pub fn plain(path: &Path) -> io::Result<BufReader<File>> {
    // Looked at before it is opened: opening a pipe that nobody writes to never ends.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = File::open(path)?;
    if file.metadata()?.len() > TAPE_MAX_BYTES {
        return Err(io::Error::other(format!(
            "larger than {TAPE_MAX_BYTES} bytes; cut it"
        )));
    }
    Ok(BufReader::new(file))
}

/// Unpacks what is packed, by its first bytes; anything else passes as it is.
///
/// # Errors
/// The source cannot be read.
pub fn unpacked(mut source: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    if source.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        return Ok(Box::new(BufReader::new(Unpacked::new(
            source,
            TAPE_MAX_BYTES,
        ))));
    }
    Ok(Box::new(source))
}

/// The frames of a packed file, one after the other, as one stream.
struct Unpacked<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
    /// Bytes that may still come out.
    left: u64,
}

impl<R: BufRead> Unpacked<R> {
    fn new(source: R, max_bytes: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_MAX_BYTES);
        Self {
            source,
            decoder,
            in_frame: false,
            left: max_bytes,
        }
    }

    /// Begins the next frame; `false` at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        // Every round takes at least the eight bytes of a header from a bounded file.
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(broken("its file is cut off"));
                    }
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                    return Err(broken(&format!(
                        "it needs a window of {requested} bytes, at most {ZSTD_WINDOW_MAX_BYTES} are kept; \
                         pack it again with level 19 or lower and without --long"
                    )));
                }
                Err(error) => return Err(explained(&error)),
            }
        }
        Ok(false)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.in_frame = false;
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            return Err(broken("its checksum does not fit its content"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Every round unpacks a block, ends a frame or begins one; the file is bounded.
        while self.in_frame || self.next_frame()? {
            if self.decoder.can_collect() == 0 {
                if self.decoder.is_finished() {
                    self.end_frame()?;
                    continue;
                }
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder
                    .decode_blocks(&mut self.source, one)
                    .map_err(|error| explained(&error))?;
                continue;
            }
            let taken = self.decoder.read(into)?;
            let bytes = u64::try_from(taken).unwrap_or(u64::MAX);
            let Some(left) = self.left.checked_sub(bytes) else {
                return Err(broken(&format!(
                    "unpacked it is larger than {TAPE_MAX_BYTES} bytes; cut it"
                )));
            };
            self.left = left;
            return Ok(taken);
        }
        Ok(0)
    }
}

fn broken(problem: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("packed with zstd, and {problem}"),
    )
}

fn explained(error: &FrameDecoderError) -> io::Error {
    let cut_off = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    // The library's own chain: an error has at most a handful of causes.
    while let Some(cause) = source {
        if cause.downcast_ref::<io::Error>().is_some_and(cut_off) {
            return broken("its file is cut off");
        }
        source = cause.source();
    }
    broken("its content is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn packed(text: &str) -> Vec<u8> {
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    fn read(bytes: &[u8]) -> Result<String, String> {
        let mut text = String::new();
        let source = io::Cursor::new(bytes.to_vec());
        let mut reader = unpacked(source).map_err(|error| error.to_string())?;
        match reader.read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(error.to_string()),
        }
    }

    fn lines() -> String {
        (0..5_000).fold(String::new(), |text, n| {
            text + &format!("{{\"line\":{n}}}\n")
        })
    }

    #[test]
    fn packed_and_plain_read_the_same() {
        let text = lines();
        assert_eq!(read(text.as_bytes()).unwrap(), text);
        assert_eq!(read(&packed(&text)).unwrap(), text);
        assert_eq!(read(b"").unwrap(), "");
    }

    #[test]
    fn frames_follow_each_other_and_notes_between_them_are_skipped() {
        let mut bytes = packed("one\n");
        // A skippable frame of three bytes.
        bytes.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        bytes.extend(packed("two\n"));
        assert_eq!(read(&bytes).unwrap(), "one\ntwo\n");
        bytes.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1]);
        assert_eq!(
            read(&bytes).unwrap_err(),
            "packed with zstd, and its file is cut off"
        );
    }

    #[test]
    fn a_file_that_is_cut_off_is_never_taken_for_whole() {
        let bytes = packed(&lines());
        for end in 4..bytes.len() {
            let error = read(&bytes[..end]).unwrap_err();
            assert!(
                error.starts_with("packed with zstd, and "),
                "{end}: {error}"
            );
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_pass_for_whole() {
        let text = lines();
        let bytes = packed(&text);
        for place in 0..bytes.len() {
            let mut spoiled = bytes.clone();
            spoiled[place] ^= 0x41;
            if let Ok(read) = read(&spoiled) {
                // Only a header that says less about the same content.
                assert!(place < 8 || read == text, "byte {place} was changed unseen");
            }
        }
    }

    #[test]
    fn what_unpacks_without_end_is_refused() {
        let mut unpacked = Unpacked::new(io::Cursor::new(packed(&lines())), 1_000);
        let error = io::copy(&mut unpacked, &mut io::sink()).unwrap_err();
        assert!(
            error.to_string().contains("unpacked it is larger than"),
            "{error}"
        );
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused_with_the_remedy() {
        // Magic, descriptor without a size, window descriptor of 2^27 bytes.
        let bytes = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 1, 0, 0];
        let error = read(&bytes).unwrap_err();
        assert!(
            error.contains("134217728 bytes") && error.contains("level 19"),
            "{error}"
        );
    }
}
