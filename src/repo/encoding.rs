//! Files that HEAD keeps in UTF-8 and the disk in another encoding (`working-tree-encoding`).
//!
//! Knows the encodings that are used for it, UTF-16 and UTF-8; of any other one it says that it cannot
//! see, never that the content is the same.

use super::content::Verdict;
use super::head::Entry;
use super::{Repo, RepoError};
use std::path::Path;

/// Judges one file whose raw bytes are not its blob's. `line_ends`: a committed rule normalises them.
pub(super) fn judge(
    repo: &Repo,
    entry: &Entry,
    on_disk: &Path,
    encoding: &str,
    line_ends: bool,
) -> Result<Verdict, RepoError> {
    let blob = repo
        .git
        .find_blob(entry.id)
        .map_err(RepoError::git("read HEAD"))?;
    let unseen = |why: &str| Ok(Verdict::Unseen(format!("{}: {why}", entry.shown())));
    let bytes = match std::fs::read(on_disk) {
        Ok(bytes) => bytes,
        Err(error) => return unseen(&error.to_string()),
    };
    let Some(text) = decoded(&bytes, encoding) else {
        return unseen(&format!(
            "its working-tree-encoding {encoding:?} cannot be read here"
        ));
    };
    let same = text.as_bytes() == blob.content()
        || line_ends && text.replace("\r\n", "\n").as_bytes() == blob.content();
    Ok(if same {
        Verdict::SameAfterNormalising
    } else {
        Verdict::Differs
    })
}

/// The text that git would commit; `None` where the encoding is not known or the bytes do not fit it.
fn decoded(bytes: &[u8], encoding: &str) -> Option<String> {
    const LITTLE: &[u8] = b"\xff\xfe";
    const BIG: &[u8] = b"\xfe\xff";
    let little = |bytes: &[u8]| utf16(bytes, u16::from_le_bytes);
    let big = |bytes: &[u8]| utf16(bytes, u16::from_be_bytes);
    match encoding.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" => std::str::from_utf8(bytes).ok().map(str::to_owned),
        // A mark is part of the text here, and git refuses to add such a file.
        "UTF-16LE" => little(bytes).filter(|_| !bytes.starts_with(LITTLE)),
        "UTF-16BE" => big(bytes).filter(|_| !bytes.starts_with(BIG)),
        "UTF-16LE-BOM" => little(bytes.strip_prefix(LITTLE)?),
        "UTF-16BE-BOM" => big(bytes.strip_prefix(BIG)?),
        "UTF-16" => match bytes.strip_prefix(LITTLE) {
            Some(rest) => little(rest),
            None => big(bytes.strip_prefix(BIG)?),
        },
        _ => None,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().copied().map(unit))
        .collect::<Result<String, _>>()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_encodings_are_read_and_no_other() {
        assert_eq!(decoded(b"\xff\xfea\0", "utf-16").as_deref(), Some("a"));
        assert_eq!(decoded(b"\xfe\xff\0a", "UTF-16").as_deref(), Some("a"));
        assert_eq!(decoded(b"a\0", "UTF-16LE").as_deref(), Some("a"));
        assert_eq!(decoded(b"\0a", "UTF-16BE").as_deref(), Some("a"));
        for (bytes, encoding) in [
            (&b"a\0"[..], "UTF-16"),
            (b"a\0b", "UTF-16LE"),
            (b"\0\xd8", "UTF-16LE"),
            (b"\xff\xfea\0", "UTF-16LE"),
            (b"a", "SHIFT-JIS"),
            (b"\xff", "UTF-8"),
        ] {
            assert_eq!(decoded(bytes, encoding), None, "{encoding}");
        }
    }
}
