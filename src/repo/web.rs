//! The repository's page on the web, from its remote's address: for the phone line of the kill's card.
//!
//! Best effort and never an error: a card without it has a line to fill in by hand.

use super::without_credentials;
use git2::Repository;
use std::path::Path;

/// The page of the repository at or above `directory`, by its remote `origin`.
pub fn page_of(directory: &Path) -> Option<String> {
    let repository = Repository::discover(directory).ok()?;
    let remote = repository.find_remote("origin").ok()?;
    page(remote.url().ok()?)
}

/// `https://HOST/OWNER/NAME` of a remote on a host; nothing of a path on this machine.
fn page(remote: &str) -> Option<String> {
    let shown = without_credentials(remote);
    let (host, path) = match shown.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => shown.rsplit_once('@')?.1.split_once(':')?,
    };
    let host = host.split(':').next()?;
    let path = path.trim_matches('/').trim_end_matches(".git");
    let is_plain = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        !text.is_empty() && text.chars().all(fits)
    };
    (host.contains('.') && is_plain(host) && is_plain(path) && path.contains('/'))
        .then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_remote() {
        for (remote, wanted) in [
            (
                "git@github.com:me/trader.git",
                Some("https://github.com/me/trader"),
            ),
            (
                "https://me:tok@github.com/me/trader.git",
                Some("https://github.com/me/trader"),
            ),
            (
                "ssh://git@github.com:22/me/trader",
                Some("https://github.com/me/trader"),
            ),
            ("/srv/git/trader.git", None),
            ("../remote.git", None),
            ("file:///srv/git/trader.git", None),
            ("https://github.com/me/$(reboot)", None),
            ("", None),
        ] {
            assert_eq!(page(remote).as_deref(), wanted, "{remote}");
        }
    }
}
