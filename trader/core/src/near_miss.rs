//! "Did you mean": the nearest of the known names, or none. The one answer of trader and `launch`.

/// Least Jaro-Winkler likeness (0 to 1) of a suggestion; below it a suggestion misleads.
const LIKENESS_MIN: f64 = 0.82;

/// The known name that is nearest to `seen`: equal but for case, blanks and dashes, one the start of
/// the other, or alike enough.
pub fn near_miss<'a>(seen: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near_miss_of(seen, known.into_iter().map(|name| (name, name)))
}

/// The same for things that go by a name, or by several.
pub fn near_miss_of<'a, T>(seen: &str, known: impl IntoIterator<Item = (&'a str, T)>) -> Option<T> {
    let folded_seen = folded(seen);
    if folded_seen.is_empty() {
        return None;
    }
    known
        .into_iter()
        .map(|(name, thing)| (likeness(&folded_seen, &folded(name)), thing))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        // The first of equals wins, so that the order of the known names decides.
        .fold(None, |best: Option<(f64, T)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, thing)| thing)
}

fn likeness(seen: &str, name: &str) -> f64 {
    if name.is_empty() {
        0.0
    } else if seen == name {
        1.0
    } else if seen.len() >= 4
        && name.len() >= 4
        && (seen.starts_with(name) || name.starts_with(seen))
    {
        0.99
    } else {
        strsim::jaro_winkler(seen, name)
    }
}

/// Lower case letters and digits only: `Probability Model` and `probability-model` fold alike.
fn folded(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_strangers_are_not() {
        let known = ["probability-model", "lag-based", "hybrid"];
        for (seen, want) in [
            ("Probability Model Only", Some("probability-model")),
            ("probabilty-model", Some("probability-model")),
            ("Lag Based", Some("lag-based")),
            ("HYBRID", Some("hybrid")),
            ("vwap", None),
            ("", None),
            ("--", None),
        ] {
            assert_eq!(near_miss(seen, known), want, "{seen}");
        }
        assert_eq!(near_miss("x", []), None);
        let components = ["window-timing", "edge", "band", "window-close"];
        for (seen, want) in [
            ("window_timing", Some("window-timing")),
            ("windw-timing", Some("window-timing")),
            ("edgee", Some("edge")),
            ("bnad", Some("band")),
            ("window-closes", Some("window-close")),
            ("probability", None),
        ] {
            assert_eq!(near_miss(seen, components), want, "{seen}");
        }
    }
}
