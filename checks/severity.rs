//! How much a check counts in an environment. By class, never by name.
//!
//! | class | warns | not applicable |
//! |---|---|---|
//! | local | 102 105 205 307 | 104 106 502 6xx |
//! | ci | 307 | 502 6xx |
//! | staging | 307, on platform local also 105 | 502 605 606 608 |
//! | production | | |
//!
//! Everything else fails. Classes local and ci may name further codes in `advisory`, which then warn.
//! A row that is not built yet is not applicable in local, ci and local staging, and `unknown` for
//! every other target, so that production stays refused until every row exists.

use crate::code::Code;
use crate::facts::EnvFacts;
use crate::targets::{Class, NEVER_ADVISORY, Platform};

/// What a failing check does to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A failure fails the run.
    Fail,
    /// A failure is reported as a warning. Unknown stays unknown.
    Warn,
    /// The check says nothing about this environment.
    NotApplicable,
}

/// How much `code` counts in `env`.
pub fn severity(code: Code, env: &EnvFacts) -> Severity {
    let by_class = by_class(code.number(), env);
    let may_advise = matches!(env.class, Class::Local | Class::Ci);
    let name = code.to_string();
    if by_class == Severity::Fail
        && may_advise
        && env.advisory.contains(&name)
        && !NEVER_ADVISORY.contains(&name.as_str())
    {
        return Severity::Warn;
    }
    by_class
}

fn by_class(number: u16, env: &EnvFacts) -> Severity {
    match (env.class, number) {
        (Class::Local, 102 | 105 | 205 | 307) | (Class::Ci | Class::Staging, 307) => Severity::Warn,
        (Class::Staging, 105) if env.platform == Platform::Local => Severity::Warn,
        (Class::Local, 104 | 106 | 502 | 600..=699)
        | (Class::Ci, 502 | 600..=699)
        | (Class::Staging, 502 | 605 | 606 | 608) => Severity::NotApplicable,
        (Class::Local | Class::Ci | Class::Staging | Class::Production, _) => Severity::Fail,
    }
}

/// Whether a row that is not built yet may be left out in `env`. If not, it is unknown there.
pub fn unbuilt_is_left_out(env: &EnvFacts) -> bool {
    env.platform == Platform::Local && env.class != Class::Production
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use crate::targets::Pushed;

    fn env(class: Class, platform: Platform) -> EnvFacts {
        EnvFacts {
            name: "x".to_owned(),
            class,
            platform,
            pushed: Pushed::Tip,
            advisory: Vec::new(),
        }
    }

    fn listed(env: &EnvFacts, wanted: Severity) -> Vec<u16> {
        table::catalogue()
            .map(|(code, _)| code)
            .filter(|code| severity(*code, env) == wanted)
            .map(Code::number)
            .collect()
    }

    #[test]
    fn the_documented_table() {
        use Severity::{NotApplicable, Warn};
        let target = [601, 602, 603, 604, 605, 606, 607, 608];
        let local = env(Class::Local, Platform::Local);
        assert_eq!(listed(&local, Warn), [102, 105, 205, 307]);
        assert_eq!(
            listed(&local, NotApplicable),
            [&[104, 106, 502][..], &target].concat()
        );
        let ci = env(Class::Ci, Platform::Local);
        assert_eq!(listed(&ci, Warn), [307]);
        assert_eq!(listed(&ci, NotApplicable), [&[502][..], &target].concat());
        let staging = env(Class::Staging, Platform::Local);
        assert_eq!(listed(&staging, Warn), [105, 307]);
        assert_eq!(listed(&staging, NotApplicable), [502, 605, 606, 608]);
        let railway = env(Class::Staging, Platform::Railway);
        assert_eq!(listed(&railway, Warn), [307]);
        assert_eq!(listed(&railway, NotApplicable), [502, 605, 606, 608]);
        for platform in [Platform::Local, Platform::Railway] {
            let production = env(Class::Production, platform);
            assert!(listed(&production, Warn).is_empty());
            assert!(listed(&production, NotApplicable).is_empty());
        }
    }

    #[test]
    fn unbuilt_rows_never_let_production_or_railway_through() {
        assert!(unbuilt_is_left_out(&env(Class::Local, Platform::Local)));
        assert!(unbuilt_is_left_out(&env(Class::Ci, Platform::Local)));
        assert!(unbuilt_is_left_out(&env(Class::Staging, Platform::Local)));
        assert!(!unbuilt_is_left_out(&env(Class::Local, Platform::Railway)));
        assert!(!unbuilt_is_left_out(&env(
            Class::Staging,
            Platform::Railway
        )));
        assert!(!unbuilt_is_left_out(&env(
            Class::Production,
            Platform::Local
        )));
        assert!(!unbuilt_is_left_out(&env(
            Class::Production,
            Platform::Railway
        )));
    }

    #[test]
    fn advisory_loosens_only_what_it_may_where_it_may() {
        let mut ci = env(Class::Ci, Platform::Local);
        ci.advisory = vec!["LC-501".to_owned(), "LC-101".to_owned()];
        assert_eq!(severity(Code::new(501), &ci), Severity::Warn);
        assert_eq!(severity(Code::new(101), &ci), Severity::Fail);
        let mut staging = env(Class::Staging, Platform::Local);
        staging.advisory = vec!["LC-501".to_owned()];
        assert_eq!(severity(Code::new(501), &staging), Severity::Fail);
    }
}
