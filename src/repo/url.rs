//! Remote addresses as they may be shown: without user, password or query.
//!
//! Also cleans git's own words, which can quote the address.

/// The text with the credentials of every address in it removed: what stands between `://` and `@`,
/// and everything after a `?`.
pub fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>'))
            .unwrap_or(after.len());
        let (address, behind) = after.split_at(end);
        let authority_end = address.find('/').unwrap_or(address.len());
        let (authority, path) = address.split_at(authority_end);
        // The last `@`: a password may hold one too.
        out.push_str(authority.rsplit('@').next().unwrap_or_default());
        out.push_str(path.split('?').next().unwrap_or_default());
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_gone_and_the_rest_stays() {
        for (seen, shown) in [
            ("https://user:p@ss@host/o/r.git", "https://host/o/r.git"),
            ("https://TOKEN@host/o/r", "https://host/o/r"),
            ("https://host/o/r?access_token=TOKEN", "https://host/o/r"),
            ("git@host:o/r.git", "git@host:o/r.git"),
            ("/a/b", "/a/b"),
            (
                "fatal: unable to access 'https://TOKEN@host/r/': no; see http://x@y",
                "fatal: unable to access 'https://host/r/': no; see http://y",
            ),
            ("://", "://"),
        ] {
            assert_eq!(without_credentials(seen), shown);
        }
    }
}
