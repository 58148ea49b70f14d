//! Bytes → text: size, encoding, emptiness. Which of TOML and JSON it is, the name says.

use super::diagnostic::{Code, Diagnostic};

/// Largest manifest, strategy or targets file, bytes: what the trader reads, no more and no less.
pub use trader_runtime::manifest_files::FILE_MAX_BYTES;

/// The two notations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// TOML 1.1.
    Toml,
    /// JSON (RFC 8259): no comments, no trailing commas.
    Json,
}

/// Which notation a file name says.
pub(super) fn notation_of(file: &str) -> Result<Notation, Diagnostic> {
    let extension = file.rsplit(['/', '\\']).next().and_then(|name| {
        name.rsplit_once('.')
            .map(|(_, extension)| extension.to_ascii_lowercase())
    });
    match extension.as_deref() {
        Some("toml") => Ok(Notation::Toml),
        Some("json") => Ok(Notation::Json),
        other => Err(Diagnostic::error(
            Code::Syntax,
            file,
            "cannot tell the notation from the file's name",
        )
        .seen(other.map_or_else(|| "no extension".to_owned(), |e| format!(".{e}")))
        .wanted(".toml or .json")
        .help("rename the file")),
    }
}

/// The text of a file. A byte order mark is blanked, so that positions stay those of the file.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<String, Diagnostic> {
    if bytes.len() > FILE_MAX_BYTES {
        return Err(Diagnostic::error(Code::TooLarge, file, "is too large")
            .seen(format!("{} bytes", bytes.len()))
            .wanted(format!("at most {FILE_MAX_BYTES} bytes"))
            .help("name the file that was meant"));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Diagnostic::error(Code::NotUtf8, file, "is UTF-16")
            .wanted("UTF-8")
            .help("save it as UTF-8"));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) => return Err(not_utf8(file, bytes, error.valid_up_to())),
    };
    // Neither parser takes the mark; one blank and two dropped bytes would move every place.
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => format!("   {rest}"),
        None => text,
    };
    if text.trim().is_empty() {
        return Err(empty(file));
    }
    Ok(text)
}

/// The problem of a file with nothing in it.
pub(super) fn empty(file: &str) -> Diagnostic {
    Diagnostic::error(Code::Empty, file, "is empty").help(format!(
        "was it written to the end? `git show HEAD:{file}` prints the committed one"
    ))
}

/// What to do about a syntax problem at `at`: when the file ends there, it is probably half a file.
pub(super) fn syntax_help(text: &str, end: usize, otherwise: &str) -> String {
    if end >= text.trim_end().len() {
        "the file ends here: was it written to the end?".to_owned()
    } else {
        otherwise.to_owned()
    }
}

fn not_utf8(file: &str, bytes: &[u8], at: usize) -> Diagnostic {
    let lossy = String::from_utf8_lossy(bytes.get(..at).unwrap_or_default());
    let seen = bytes
        .get(at)
        .map_or_else(String::new, |byte| format!("the byte 0x{byte:02x}"));
    // The caret stands on a copy that ends before the byte: the rest cannot be shown.
    let text = format!("{lossy}\u{fffd}");
    Diagnostic::error(Code::NotUtf8, file, "is not UTF-8")
        .at(&text, at..text.len())
        .seen(seen)
        .wanted("UTF-8")
        .help("save it as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_byte_has_a_place() {
        let problem = read("m.toml", b"a = 1\nb = \"\xff\"\n").unwrap_err();
        assert_eq!(problem.location(), "m.toml:2:6");
        assert_eq!(problem.code, Code::NotUtf8);
    }

    #[test]
    fn size_encoding_and_emptiness_are_told_apart() {
        let code = |bytes: &[u8]| read("m.toml", bytes).unwrap_err().code;
        assert_eq!(code(&vec![b'#'; FILE_MAX_BYTES + 1]), Code::TooLarge);
        assert_eq!(code(b"\xff\xfea\0"), Code::NotUtf8);
        assert_eq!(code(b""), Code::Empty);
        assert_eq!(code(b" \r\n\t"), Code::Empty);
        assert_eq!(code(b"\xef\xbb\xbf"), Code::Empty);
        assert_eq!(read("m", b"\xef\xbb\xbfa = 1").unwrap(), "   a = 1");
        assert!(read("m", &vec![b'#'; FILE_MAX_BYTES]).is_ok());
    }

    #[test]
    fn the_name_says_the_notation() {
        assert_eq!(notation_of("a/b.TOML"), Ok(Notation::Toml));
        assert_eq!(notation_of("b.json"), Ok(Notation::Json));
        for name in ["", "toml", "a.toml/b", "x.yaml"] {
            assert!(notation_of(name).is_err(), "{name}");
        }
    }
}
