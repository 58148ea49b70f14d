//! `manifests/waivers.toml`: failures that a named person answers for, for a few days.
//!
//! A waiver names one check of one environment, why, who, and until when: at most 14 days ahead. It turns a
//! failure into a warning that says so; it never touches what is unknown. An expired one fails its check, so
//! that none is forgotten. Some checks can never be waived.

use super::RuleFault;
use serde::{Deserialize, Serialize};

/// Where the file stands in a project.
pub const WAIVERS_PATH: &str = "manifests/waivers.toml";

/// How far ahead a waiver may end, days.
pub const WAIVER_MAX_DAYS: i64 = 14;

/// Codes that no waiver covers: what is running, what it may lose, and whether it stops.
pub const NEVER_WAIVABLE: [&str; 12] = [
    "LC-101", "LC-102", "LC-204", "LC-206", "LC-401", "LC-402", "LC-403", "LC-404", "LC-502",
    "LC-603", "LC-605", "LC-607",
];

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waivers {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// The waivers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub waiver: Vec<Waiver>,
}

/// One waiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check, like "LC-307".
    #[schemars(regex(pattern = r"^LC-[0-9]{3}$"), extend("x-wanted" = "a check's code, like \"LC-307\""))]
    pub code: String,
    /// The environment of launch.toml.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,31}$"), extend("x-wanted" = "the name of an environment in launch.toml"))]
    pub env: String,
    /// Why the failure may stand.
    #[schemars(length(min = 1, max = 400))]
    pub reason: String,
    /// Who answers for it: a person's name.
    #[schemars(length(min = 1, max = 400))]
    pub owner: String,
    /// Its last day, UTC, at most 14 days ahead, like "2026-12-10"; or a moment in RFC 3339 UTC.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z)?$"), extend("x-wanted" = "a day like \"2026-12-10\", or a time like \"2026-12-10T12:00:00Z\""))]
    pub expires: String,
}

/// Where a waiver stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Active,
    /// Its time is over.
    Expired,
    /// It ends further ahead than any waiver may.
    TooLong,
}

impl Waivers {
    /// The waiver of a check in an environment.
    pub fn of(&self, code: &str, env: &str) -> Option<&Waiver> {
        self.waiver
            .iter()
            .find(|waiver| waiver.code == code && waiver.env == env)
    }

    /// Rules between keys: codes that exist and can be waived, each once for an environment, days that
    /// exist. Empty: all hold.
    pub fn faults(&self) -> Vec<RuleFault> {
        let mut faults = Vec::new();
        for (index, waiver) in self.waiver.iter().enumerate() {
            let mut fault = |key: &str, seen: &str, wanted: String, help: &str| {
                faults.push(RuleFault {
                    pointer: format!("/waiver/{index}/{key}"),
                    seen: format!("{seen:?}"),
                    wanted,
                    help: help.to_owned(),
                });
            };
            let known = crate::table::catalogue().any(|(code, _)| code.to_string() == waiver.code);
            if !known {
                fault(
                    "code",
                    &waiver.code,
                    "a check of the catalogue".to_owned(),
                    "launch explain lists them",
                );
            } else if NEVER_WAIVABLE.contains(&waiver.code.as_str()) {
                fault(
                    "code",
                    &waiver.code,
                    format!("a code other than {}", NEVER_WAIVABLE.join(", ")),
                    "remove it: nobody can answer for this one",
                );
            }
            let twin = self
                .waiver
                .iter()
                .position(|other| other.code == waiver.code && other.env == waiver.env);
            if twin != Some(index) {
                fault(
                    "code",
                    &waiver.code,
                    "each check once for an environment".to_owned(),
                    "remove one of the two",
                );
            }
            if waiver.span_ms().is_none() {
                fault(
                    "expires",
                    &waiver.expires,
                    "a day that exists".to_owned(),
                    "write a day like \"2026-12-10\"",
                );
            }
            for (key, text) in [("reason", &waiver.reason), ("owner", &waiver.owner)] {
                if text.trim().is_empty() {
                    fault(key, text, "a text".to_owned(), "say it");
                }
            }
        }
        faults
    }
}

const DAY_MS: i64 = 86_400_000;

impl Waiver {
    /// Where it stands at a moment, ms since the Unix epoch. A day that does not exist has expired.
    pub fn standing(&self, now_ms: i64) -> Standing {
        let Some((from, end)) = self.span_ms() else {
            return Standing::Expired;
        };
        if end <= now_ms {
            Standing::Expired
        } else if from.saturating_sub(now_ms) > WAIVER_MAX_DAYS.saturating_mul(DAY_MS) {
            Standing::TooLong
        } else {
            Standing::Active
        }
    }

    /// The first and the last moment that `expires` names: a day is in force to its end.
    fn span_ms(&self) -> Option<(i64, i64)> {
        let text = self.expires.as_str();
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let day = days_from_epoch(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
        let start = day.checked_mul(DAY_MS)?;
        if text.len() == 10 {
            return Some((start, start.checked_add(DAY_MS)?));
        }
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let at = start.checked_add(((hour * 60 + minute) * 60 + second) * 1_000)?;
        Some((at, at))
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `None` for one that does not exist.
/// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days_from_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + days - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(expires: &str) -> Waiver {
        Waiver {
            code: "LC-307".to_owned(),
            env: "staging".to_owned(),
            reason: "r".to_owned(),
            owner: "o".to_owned(),
            expires: expires.to_owned(),
        }
    }

    /// 2026-11-30T12:00:00Z.
    const NOW: i64 = 1_796_040_000_000;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_from_epoch(1970, 1, 1), Some(0));
        assert_eq!(days_from_epoch(2000, 2, 29), Some(11_016));
        assert_eq!(days_from_epoch(2026, 11, 30), Some(20_787));
        for (year, month, day) in [
            (2026, 2, 29),
            (2100, 2, 29),
            (2026, 13, 1),
            (2026, 4, 31),
            (2026, 1, 0),
        ] {
            assert_eq!(days_from_epoch(year, month, day), None);
        }
    }

    #[test]
    fn a_waiver_lives_at_most_fourteen_days_and_to_the_end_of_its_day() {
        for (expires, wanted) in [
            ("2026-11-29", Standing::Expired),
            ("2026-11-30", Standing::Active),
            ("2026-12-14", Standing::Active),
            ("2026-12-15", Standing::TooLong),
            ("2026-11-30T12:00:00Z", Standing::Expired),
            ("2026-11-30T12:00:01Z", Standing::Active),
            ("2026-12-14T12:00:00Z", Standing::Active),
            ("2026-12-14T12:00:01.5Z", Standing::TooLong),
            ("9999-12-31", Standing::TooLong),
            ("2026-02-30", Standing::Expired),
        ] {
            assert_eq!(until(expires).standing(NOW), wanted, "{expires}");
        }
    }

    #[test]
    fn what_can_never_be_waived_is_a_fault_of_the_file() {
        let pointers = |waiver: Vec<Waiver>| -> Vec<String> {
            let file = Waivers {
                schema_version: 1,
                waiver,
            };
            file.faults()
                .into_iter()
                .map(|fault| fault.pointer)
                .collect()
        };
        assert!(pointers(vec![until("2026-12-01")]).is_empty());
        for code in NEVER_WAIVABLE.iter().copied().chain(["LC-999"]) {
            let mut one = until("2026-12-01");
            one.code = code.to_owned();
            assert_eq!(pointers(vec![one]), ["/waiver/0/code"], "{code}");
        }
        let twice = vec![until("2026-12-01"), until("2026-12-02")];
        assert_eq!(pointers(twice), ["/waiver/1/code"]);
        assert_eq!(pointers(vec![until("2026-02-30")]), ["/waiver/0/expires"]);
        let mut nobody = until("2026-12-01");
        nobody.owner = " ".to_owned();
        assert_eq!(pointers(vec![nobody]), ["/waiver/0/owner"]);
    }
}
