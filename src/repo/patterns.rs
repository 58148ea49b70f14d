//! Patterns as git reads them from `.gitignore` and `info/sparse-checkout`, and how git matches them.
//!
//! Follows git's own rules to the letter (trailing spaces, `\`, `**`, `[:class:]`, last match wins), because
//! a pattern that ignores more here than in git would let an uncommitted file pass. Pure: reads no file.

/// Longest pattern and longest path that are matched, bytes; git's own bound on a path is 4096. Keeps
/// the table of one match small.
const MATCH_BYTES_MAX: usize = 64 * 1024;

/// One line of a pattern file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    glob: Vec<u8>,
    negated: bool,
    only_dirs: bool,
    /// Holds a slash, so it is matched against the whole path below its file's directory.
    whole_path: bool,
}

/// The patterns of one file, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patterns(Vec<Pattern>);

impl Patterns {
    pub(super) fn parse(text: &[u8]) -> Self {
        /// Skipped at the start of the file, as git does.
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        Self(
            text.split(|byte| *byte == b'\n')
                .filter_map(Pattern::parse)
                .collect(),
        )
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the last pattern that matches says about a path below the file's directory: `Some(true)`
    /// it is taken, `Some(false)` it is taken back (`!`), `None` no pattern matches.
    pub(super) fn last_match(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        self.0
            .iter()
            .rev()
            .find(|pattern| pattern.matches(path, is_dir))
            .map(|pattern| !pattern.negated)
    }
}

impl Pattern {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.first() == Some(&b'#') {
            return None;
        }
        // git's lines are C strings.
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let line = without_trailing_spaces(line);
        let (negated, glob) = match line.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (only_dirs, glob) = match glob.strip_suffix(b"/") {
            Some(rest) => (true, rest),
            None => (false, glob),
        };
        let whole_path = glob.contains(&b'/');
        let glob = glob
            .strip_prefix(b"/")
            .filter(|_| whole_path)
            .unwrap_or(glob);
        Some(Self {
            glob: glob.to_vec(),
            negated,
            only_dirs,
            whole_path,
        })
    }

    fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if self.only_dirs && !is_dir {
            return false;
        }
        if self.whole_path {
            return wildmatch(&self.glob, path);
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        wildmatch(&self.glob, name)
    }
}

/// Spaces at the end do not count unless the last one is escaped.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let mut keep = 0;
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        at += 1;
        if *byte == b'\\' {
            if at >= line.len() {
                return line;
            }
            at += 1;
            keep = at;
        } else if *byte != b' ' {
            keep = at;
        }
    }
    line.get(..keep).unwrap_or(line)
}

/// Whether git's `wildmatch` with path names matches: `*` and `?` stop at a slash, `**` between slashes
/// does not.
fn wildmatch(glob: &[u8], text: &[u8]) -> bool {
    let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
    if !glob.iter().any(is_special) {
        return glob == text;
    }
    if glob.len().max(text.len()) > MATCH_BYTES_MAX {
        // Nothing of that length is ignored: it is then told as untracked.
        return false;
    }
    Match { glob, text }.run()
}

struct Match<'a> {
    glob: &'a [u8],
    text: &'a [u8],
}

/// What one element of a pattern wants.
enum Element {
    /// Any number of bytes; across slashes or not. The pattern goes on at `.0`.
    Star { next: usize, slashes: bool },
    /// One byte that satisfies it, or none.
    One { next: usize, fits: bool },
    /// The pattern cannot match anything.
    Malformed,
}

impl Match<'_> {
    /// Goes through the pattern's elements with the set of text positions that are still possible: the
    /// time is pattern × text whatever the pattern, where backtracking could take for ever.
    fn run(&self) -> bool {
        let ends = self.text.len();
        let mut possible = vec![false; ends + 1];
        if let Some(first) = possible.first_mut() {
            *first = true;
        }
        // Position in the pattern → text positions; patterns only go forward, so a queue by position
        // is enough. `**/` adds a second place to go on from.
        let mut states: std::collections::BTreeMap<usize, Vec<bool>> =
            std::iter::once((0, possible)).collect();
        while let Some((at, possible)) = states.pop_first() {
            if at >= self.glob.len() {
                return possible.last().copied().unwrap_or(false);
            }
            for (here, _) in possible.iter().enumerate().filter(|(_, is)| **is) {
                match self.element(at, self.text.get(here).copied()) {
                    Element::Malformed => {}
                    Element::One { next, fits } => {
                        if fits {
                            reach(&mut states, next, here + 1, ends);
                        }
                    }
                    Element::Star { next, slashes } => {
                        // "**/" may also stand for nothing at all.
                        if slashes && self.glob.get(next) == Some(&b'/') {
                            reach(&mut states, next + 1, here, ends);
                        }
                        for to in here..=ends {
                            reach(&mut states, next, to, ends);
                            if self.text.get(to) == Some(&b'/') && !slashes {
                                break;
                            }
                        }
                    }
                }
            }
        }
        false
    }

    /// The element at `at`, asked about one byte of text (`None` at its end).
    fn element(&self, at: usize, seen: Option<u8>) -> Element {
        match self.glob.get(at) {
            None => Element::Malformed,
            Some(b'*') => {
                let stars = self
                    .glob
                    .iter()
                    .skip(at)
                    .take_while(|byte| **byte == b'*')
                    .count();
                let next = at + stars;
                let opens = at == 0 || self.glob.get(at - 1) == Some(&b'/');
                let rest = self.glob.get(next..).unwrap_or_default();
                let closes = rest.is_empty() || rest.starts_with(b"/") || rest.starts_with(b"\\/");
                Element::Star {
                    next,
                    slashes: stars > 1 && opens && closes,
                }
            }
            Some(b'?') => Element::One {
                next: at + 1,
                fits: seen.is_some_and(|byte| byte != b'/'),
            },
            Some(b'[') => self.class(at, seen),
            Some(b'\\') => match self.glob.get(at + 1) {
                Some(wanted) => Element::One {
                    next: at + 2,
                    fits: seen == Some(*wanted),
                },
                None => Element::Malformed,
            },
            Some(wanted) => Element::One {
                next: at + 1,
                fits: seen == Some(*wanted),
            },
        }
    }

    /// `[…]`: single bytes, ranges, `[:names:]`, `!` or `^` for "none of these".
    fn class(&self, open: usize, seen: Option<u8>) -> Element {
        let byte = |at: usize| self.glob.get(at).copied();
        let mut at = open + 1;
        let negated = matches!(byte(at), Some(b'!' | b'^'));
        if negated {
            at += 1;
        }
        let mut fits = false;
        let mut previous: Option<u8> = None;
        let first = at;
        loop {
            let Some(mut here) = byte(at) else {
                return Element::Malformed;
            };
            if here == b']' && at > first {
                break;
            }
            let may_be_range = previous.is_some() && byte(at + 1).is_some_and(|next| next != b']');
            if here == b'-' && may_be_range {
                at += 1;
                let Some(mut end) = byte(at) else {
                    return Element::Malformed;
                };
                if end == b'\\' {
                    at += 1;
                    let Some(escaped) = byte(at) else {
                        return Element::Malformed;
                    };
                    end = escaped;
                }
                fits |= seen.is_some_and(|seen| seen <= end && Some(seen) >= previous);
                previous = None;
            } else if here == b'[' && byte(at + 1) == Some(b':') {
                let name = self.glob.get(at + 2..).unwrap_or_default();
                let Some(length) = name.iter().position(|byte| *byte == b']') else {
                    return Element::Malformed;
                };
                let name = name.get(..length).unwrap_or_default();
                if let Some(name) = name.strip_suffix(b":") {
                    let Some(is_of) = named_class(name) else {
                        return Element::Malformed;
                    };
                    fits |= seen.is_some_and(is_of);
                    at += 2 + length;
                    previous = None;
                } else {
                    // No ":]": an ordinary set that holds a bracket.
                    fits |= seen == Some(b'[');
                    previous = Some(b'[');
                }
            } else {
                if here == b'\\' {
                    at += 1;
                    let Some(escaped) = byte(at) else {
                        return Element::Malformed;
                    };
                    here = escaped;
                }
                fits |= seen == Some(here);
                previous = Some(here);
            }
            at += 1;
        }
        Element::One {
            next: at + 1,
            fits: seen.is_some_and(|seen| fits != negated && seen != b'/'),
        }
    }
}

/// Marks one text position as possible at one place of the pattern.
fn reach(
    states: &mut std::collections::BTreeMap<usize, Vec<bool>>,
    at: usize,
    here: usize,
    ends: usize,
) {
    let possible = states.entry(at).or_insert_with(|| vec![false; ends + 1]);
    if let Some(place) = possible.get_mut(here) {
        *place = true;
    }
}

fn named_class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(patterns: &str, path: &str) -> Option<bool> {
        let is_dir = path.ends_with('/');
        Patterns::parse(patterns.as_bytes())
            .last_match(path.trim_end_matches('/').as_bytes(), is_dir)
    }

    #[test]
    fn the_last_pattern_that_matches_wins() {
        assert_eq!(taken("*.log\n!keep.log\n", "a/keep.log"), Some(false));
        assert_eq!(taken("!keep.log\n*.log\n", "a/keep.log"), Some(true));
        assert_eq!(taken("*\n!*/\n!*.rs\n", "a/b.rs"), Some(false));
        assert_eq!(taken("*\n!*/\n!*.rs\n", "a/"), Some(false));
        assert_eq!(taken("*.log", "a"), None);
    }

    #[test]
    fn lines_are_read_as_git_reads_them() {
        assert_eq!(taken("\u{feff}a\r\n#b\n\\#c\nd \ne\\ \n", "a"), Some(true));
        let text = "#b\n\\#c\nd \ne\\ \n\\!f\n";
        for (path, wanted) in [
            ("b", None),
            ("#c", Some(true)),
            ("d", Some(true)),
            ("e ", Some(true)),
            ("e", None),
            ("!f", Some(true)),
        ] {
            assert_eq!(taken(text, path), wanted, "{path}");
        }
    }

    #[test]
    fn stars_slashes_and_classes() {
        for (pattern, path, wanted) in [
            ("/top", "top", true),
            ("/top", "a/top", false),
            ("a/b", "a/b", true),
            ("a/b", "x/a/b", false),
            ("**/b", "x/a/b", true),
            ("**/b", "b", true),
            ("a/**", "a/x/y", true),
            ("a/**", "a", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/*/b", "a/x/y/b", false),
            ("a**b/c", "axxb/c", true),
            ("a**b/c", "ax/xb/c", false),
            ("dir/", "dir", false),
            ("dir/", "dir/", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]-]x", "]x", true),
            ("[[:digit:]]x", "7x", true),
            ("[[:nope:]]x", "7x", false),
            ("[a", "[a", false),
            ("a\\", "a\\", false),
            ("?", "a", true),
            ("a?b/c", "a/b/c", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
        ] {
            assert_eq!(
                taken(pattern, path) == Some(true),
                wanted,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = "*a".repeat(400) + "b";
        assert_eq!(taken(&pattern, &"a".repeat(1000)), None);
        let pattern = "**/".repeat(200) + "x";
        assert_eq!(
            taken(&pattern, "a/".repeat(500).trim_end_matches('/')),
            None
        );
    }
}
