//! What the schema refuses, said as place, seen, wanted and help.
//!
//! The validator finds; this module only words. Every kind of refusal that our schemas can cause has
//! its own words; any other falls back to the validator's, without values.

use super::diagnostic::{Code, Diagnostic};
use super::document::{Document, child};
use super::schema::{KnownStrategy, Schema};
use super::words::{
    dotted, first_line, full_range_words, listed, meaning_of, range_words, shape_words, tick,
    type_words,
};
use super::{DIAGNOSTICS_MAX, STRATEGIES_DIR};
use jsonschema::error::{ValidationError, ValidationErrorKind as Kind};
use serde_json::Value;
use std::collections::BTreeSet;
use trader_core::near_miss::near_miss;
use trader_core::units::StrategyId;

/// All that the schema refuses, in the file's order, cut at [`DIAGNOSTICS_MAX`].
pub(super) fn judge(document: &Document, schema: &Schema) -> Vec<Diagnostic> {
    let judge = Judge { document, schema };
    let errors: Vec<ValidationError<'_>> =
        schema.validator().iter_errors(document.value()).collect();
    let mut findings = judge.findings(&errors);
    findings.sort_by_key(|finding| finding.start);
    let mut problems: Vec<Diagnostic> = findings
        .iter()
        .take(DIAGNOSTICS_MAX)
        .map(|finding| judge.words(finding))
        .collect();
    let more = findings.len().saturating_sub(DIAGNOSTICS_MAX);
    if more > 0 {
        let message = format!("{more} more problems are not shown");
        problems.push(Diagnostic::error(Code::More, document.file(), message));
    }
    problems
}

/// One refusal before it is worded; wording thousands would take longer than reading them.
struct Finding<'a> {
    error: &'a ValidationError<'a>,
    /// The key that is missing or unknown, for refusals about keys.
    key: Option<&'a str>,
    start: usize,
}

struct Judge<'a> {
    document: &'a Document,
    schema: &'a Schema,
}

impl Judge<'_> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the validator's kinds grow; all but three are about a value"
    )]
    fn findings<'e>(&self, errors: &'e [ValidationError<'e>]) -> Vec<Finding<'e>> {
        let mut found = Vec::new();
        let mut judged = BTreeSet::new();
        let misspelt = self.misspelt(errors);
        for error in errors {
            let pointer = error.instance_path().as_str();
            let finding = |key: Option<&'e str>, start| Finding { error, key, start };
            match error.kind() {
                Kind::Required { property } => {
                    let key = property.as_str().unwrap_or_default();
                    if !misspelt.contains(&child(pointer, key)) {
                        let start = self.document.start_of(pointer, true);
                        found.push(finding(Some(key), start));
                    }
                }
                Kind::AdditionalProperties { unexpected } => {
                    found.extend(unexpected.iter().map(|key| {
                        let start = self.document.start_of(&child(pointer, key), true);
                        finding(Some(key), start)
                    }));
                }
                Kind::PropertyNames { error: inner } => {
                    let key = inner.instance().as_str().unwrap_or_default();
                    let start = self.document.start_of(&child(pointer, key), true);
                    found.push(finding(Some(key), start));
                }
                // A value that breaks two keywords is one problem.
                _ => {
                    if judged.insert(pointer) {
                        let start = self.document.start_of(pointer, false);
                        found.push(finding(None, start));
                    }
                }
            }
        }
        found
    }

    fn words(&self, finding: &Finding<'_>) -> Diagnostic {
        let error = finding.error;
        let pointer = error.instance_path().as_str();
        match (error.kind(), finding.key) {
            (Kind::Required { .. }, Some(key)) => self.missing(error, pointer, key),
            (Kind::AdditionalProperties { .. }, Some(key)) => self.unknown_key(error, pointer, key),
            (Kind::PropertyNames { .. }, Some(key)) => self
                .document
                .problem_at_key(
                    Code::WrongForm,
                    &child(pointer, key),
                    format!("{} is not a name that can be used here", tick(key)),
                )
                .seen(tick(key))
                .wanted("lower-case letters, digits and dashes, a letter first, at most 32"),
            _ => self.value(error, pointer),
        }
    }

    /// A value that is refused.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "kinds that our schemas cannot cause fall back to the validator's words"
    )]
    fn value(&self, error: &ValidationError<'_>, pointer: &str) -> Diagnostic {
        let node = self.rule_node(error);
        let meaning = node.and_then(meaning_of);
        let name = dotted(pointer);
        let is_null = error.instance().is_null();
        let problem = |code, what: &str| {
            self.document
                .problem(code, pointer, format!("{name} {what}"))
                .seen(self.seen(pointer, error.instance()))
        };
        match error.kind() {
            Kind::Type { kind } => {
                let wanted = type_words(kind, node.unwrap_or(&Value::Null));
                let found = problem(Code::WrongType, "has the wrong type").wanted(wanted);
                if is_null {
                    found.help(
                        "null is not a value here: nothing is unlimited, nothing has a default",
                    )
                } else {
                    found
                }
            }
            Kind::Enum { options } => match self.schema.known() {
                Some(known) if pointer.starts_with("/strategies/") => {
                    self.unknown_strategy(pointer, error.instance(), known)
                }
                _ => one_of(
                    problem(Code::NotAllowed, "is none of the allowed values"),
                    error,
                    options,
                ),
            },
            Kind::Constant { expected_value } => {
                problem(Code::NotAllowed, "is not the allowed value")
                    .wanted(expected_value.to_string())
            }
            Kind::Pattern { pattern } => {
                let found = problem(Code::WrongForm, "does not have the form it needs")
                    .wanted(meaning.unwrap_or_else(|| format!("a text that matches {pattern}")));
                with_zero_help(found, error.instance())
            }
            Kind::Minimum { .. }
            | Kind::Maximum { .. }
            | Kind::ExclusiveMinimum { .. }
            | Kind::ExclusiveMaximum { .. } => {
                let too_high = matches!(
                    error.kind(),
                    Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. }
                );
                let range = if too_high {
                    full_range_words
                } else {
                    range_words
                };
                let found = problem(Code::OutOfRange, "is out of range")
                    .wanted(node.map_or_else(String::new, range));
                with_zero_help(found, error.instance())
            }
            Kind::MinLength { limit } => problem(Code::OutOfRange, "is too short")
                .wanted(format!("at least {limit} characters")),
            Kind::MaxLength { limit } => problem(Code::OutOfRange, "is too long")
                .wanted(format!("at most {limit} characters")),
            Kind::MinItems { limit } => {
                problem(Code::OutOfRange, "lists too little").wanted(format!("at least {limit}"))
            }
            Kind::MaxItems { limit } => {
                problem(Code::OutOfRange, "lists too much").wanted(format!("at most {limit}"))
            }
            Kind::MinProperties { limit } => {
                problem(Code::OutOfRange, "holds too little").wanted(format!("at least {limit}"))
            }
            Kind::MaxProperties { limit } => {
                problem(Code::OutOfRange, "holds too much").wanted(format!("at most {limit}"))
            }
            Kind::UniqueItems => self.duplicate_item(pointer, error.instance()),
            _ => problem(Code::NotAllowed, &format!("is refused: {}", error.masked())),
        }
    }

    fn missing(&self, error: &ValidationError<'_>, pointer: &str, key: &str) -> Diagnostic {
        let rule = self
            .rule_node(error)
            .and_then(|node| node.get("properties"))
            .and_then(|properties| properties.get(key));
        let meaning = rule
            .and_then(|rule| rule.get("description"))
            .and_then(Value::as_str)
            .map(first_line);
        let shape = rule.map(|rule| shape_words(self.schema.resolved(rule)));
        let wanted = match (shape, meaning) {
            (Some(shape), Some(meaning)) => format!("{shape}: {meaning}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "the key".to_owned(),
        };
        let owner = if pointer.is_empty() {
            "at the top level".to_owned()
        } else {
            format!("in {}", tick(&dotted(pointer)))
        };
        self.document
            .problem(
                Code::MissingKey,
                pointer,
                format!("key {} is missing {owner}", tick(key)),
            )
            .pointer(child(pointer, key))
            .wanted(wanted)
            .help("this key is required: it has no silent default")
    }

    fn unknown_key(&self, error: &ValidationError<'_>, pointer: &str, key: &str) -> Diagnostic {
        let known = self.known_keys(error);
        let all = self.all_keys(error);
        let at = child(pointer, key);
        let problem = self
            .document
            .problem_at_key(
                Code::UnknownKey,
                &at,
                format!("unknown key {}", tick(&dotted(&at))),
            )
            .wanted(if all.is_empty() {
                "no key here".to_owned()
            } else if known.is_empty() {
                format!("only {}", listed(all.iter().map(String::as_str)))
            } else {
                format!("one of {}", listed(known.iter().map(String::as_str)))
            });
        match near_miss(key, known.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean {}?", tick(near))),
            None => problem.help("nothing reads this key: remove it"),
        }
    }

    /// Required keys that are missing only because an unknown key beside them is their misspelling.
    fn misspelt(&self, errors: &[ValidationError<'_>]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for error in errors {
            if let Kind::AdditionalProperties { unexpected } = error.kind() {
                let known = self.known_keys(error);
                for key in unexpected {
                    if let Some(near) = near_miss(key, known.iter().map(String::as_str)) {
                        found.insert(child(error.instance_path().as_str(), near));
                    }
                }
            }
        }
        found
    }

    /// The keys that the table may have.
    fn all_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        self.rule_node(error)
            .and_then(|node| node.get("properties"))
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(serde_json::Map::keys)
            .cloned()
            .collect()
    }

    /// The keys that the table may have and has not.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        let taken = error.instance().as_object();
        let mut keys = self.all_keys(error);
        keys.retain(|key| !taken.is_some_and(|taken| taken.contains_key(key)));
        keys
    }

    fn unknown_strategy(&self, pointer: &str, seen: &Value, known: &[KnownStrategy]) -> Diagnostic {
        let seen = seen.as_str().unwrap_or_default();
        let usable: Vec<&str> = known
            .iter()
            .map(|strategy| strategy.id.as_str())
            .filter(|id| id.parse::<StrategyId>().is_ok())
            .collect();
        let problem = self
            .document
            .problem(
                Code::NotAllowed,
                pointer,
                format!("no strategy has the id {}", tick(seen)),
            )
            .seen(format!("{seen:?}"))
            .wanted(if usable.is_empty() {
                let none = if known.is_empty() {
                    "none"
                } else {
                    "none with a usable name"
                };
                format!("the stem of a file in {STRATEGIES_DIR}; there is {none}")
            } else {
                format!("one of {} (the files in {STRATEGIES_DIR})", listed(usable))
            });
        match strategy_help(seen, known) {
            Some(help) => problem.help(help),
            None => problem.help(format!(
                "`launch strategies` lists them; a new one is a file {STRATEGIES_DIR}/<id>.json"
            )),
        }
    }

    fn duplicate_item(&self, pointer: &str, list: &Value) -> Diagnostic {
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut earlier = BTreeSet::new();
        let second = items
            .iter()
            .enumerate()
            .find(|(_, item)| !earlier.insert(item.to_string()));
        let (at, item) = match second {
            Some((index, item)) => (child(pointer, &index.to_string()), item),
            None => (pointer.to_owned(), list),
        };
        self.document
            .problem(
                Code::DuplicateItem,
                &at,
                format!("{} stands twice in {}", item, dotted(pointer)),
            )
            .seen(self.seen(&at, item))
            .wanted("each item once")
            .help("remove one of the two")
    }

    /// The schema node whose keyword refused.
    fn rule_node(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        let (node, _keyword) = path.rsplit_once('/')?;
        self.schema.node(node)
    }

    /// A value as the file writes it.
    fn seen(&self, pointer: &str, value: &Value) -> String {
        match value {
            Value::Object(_) => "a table".to_owned(),
            Value::Array(items) => format!("a list of {}", items.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self
                .document
                .places(pointer)
                .and_then(|places| self.document.shown(places.value.clone()))
                .unwrap_or_else(|| value.to_string()),
        }
    }
}

/// What to do about an id that is none: it is a label, or near a label, an id or a file name.
fn strategy_help(seen: &str, known: &[KnownStrategy]) -> Option<String> {
    let names = known
        .iter()
        .flat_map(|strategy| [Some(strategy.id.as_str()), strategy.label.as_deref()])
        .flatten();
    let near = near_miss(seen, names)?;
    let strategy = known
        .iter()
        .find(|strategy| strategy.id == near || strategy.label.as_deref() == Some(near))?;
    let KnownStrategy { id, path, .. } = strategy;
    Some(if id.parse::<StrategyId>().is_err() {
        format!(
            "did you mean the file {path:?}? its name is no id: rename it, lower case with dashes, \
             and list that"
        )
    } else if near == id {
        format!("did you mean {id:?}?")
    } else {
        format!("{near:?} is only the label inside {path}; its id is the file's stem: write {id:?}")
    })
}

fn one_of(problem: Diagnostic, error: &ValidationError<'_>, options: &Value) -> Diagnostic {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<String> = options.iter().map(Value::to_string).collect();
    let problem = problem.wanted(format!(
        "one of {}",
        listed(words.iter().map(String::as_str))
    ));
    let near = error
        .instance()
        .as_str()
        .and_then(|seen| near_miss(seen, options.iter().filter_map(Value::as_str)));
    match near {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None => problem,
    }
}

/// Someone who writes 0 for a limit means "none"; nothing here means that.
fn with_zero_help(problem: Diagnostic, value: &Value) -> Diagnostic {
    let is_zero = match value {
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            text.contains('0') && text.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if is_zero {
        problem.help("0 never means unlimited or off: write the limit that is meant")
    } else {
        problem
    }
}
