//! "Did you mean": the known name nearest to a misspelt one.

/// Most single-character edits that still count as a misspelling.
const EDITS_MAX: usize = 2;

/// The nearest known name, if one is near: same letters in another case or with other separators, or
/// at most two edits away.
pub fn near_miss<'a>(seen: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain_form(seen);
    known
        .into_iter()
        .map(|name| (edits(&plain, &plain_form(name)), name))
        .filter(|(distance, _)| *distance <= EDITS_MAX)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Lower case, dashes for blanks and underscores.
fn plain_form(name: &str) -> Vec<char> {
    name.trim()
        .chars()
        .map(|c| {
            if c == ' ' || c == '_' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Levenshtein distance.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let change = diagonal + usize::from(from != to);
            let cell = change.min(above.saturating_add(1)).min(left + 1);
            if let Some(slot) = row.get_mut(j) {
                *slot = left;
            }
            (diagonal, left) = (above, cell);
        }
        if let Some(slot) = row.last_mut() {
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["window-timing", "edge", "band", "window-close"];
        for (seen, wanted) in [
            ("window_timing", Some("window-timing")),
            ("Window Timing", Some("window-timing")),
            ("windw-timing", Some("window-timing")),
            ("edgee", Some("edge")),
            ("bnad", Some("band")),
            ("window-closes", Some("window-close")),
            ("probability", None),
            ("", None),
        ] {
            assert_eq!(near_miss(seen, known), wanted, "{seen}");
        }
    }

    #[test]
    fn distance_is_levenshtein() {
        let d = |a: &str, b: &str| edits(&plain_form(a), &plain_form(b));
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("abc", ""), 3);
        assert_eq!(d("abc", "abc"), 0);
    }
}
