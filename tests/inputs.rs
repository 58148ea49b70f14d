//! What a person, a disk or another program hands over outside manifests: tapes, kill files, freezes,
//! receipts, and the texts of ids, amounts and addresses. Each broken one of `tests/*/invalid` is refused
//! with exactly the words beside it (`UPDATE_EXPECT=1` rewrites them), each good one is read.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its fixtures has to stop"
)]

#[path = "support/corpus.rs"]
mod corpus;
#[path = "support/readers.rs"]
mod readers;

use corpus::{accepted, refused};

#[test]
fn tapes_are_read_or_refused_with_their_line() {
    let read = accepted("tapes/valid", |case| readers::tape(&case.bytes));
    let first = &read.first().expect("there are some").1;
    for (name, events) in &read {
        assert_eq!(events, first, "{name}");
    }
    refused("tapes/invalid", |case| {
        readers::tape(&case.bytes).map(|events| format!("{events:?}"))
    });
}

#[test]
fn a_number_on_a_tape_is_the_text_that_was_written() {
    let exact = |price: &str| {
        let text = format!(
            "{{\"tape\":1,\"source\":\"t\",\"created_at\":\"\",\"assets\":[\"btc\"]}}\n\
             {{\"t_ms\":1,\"kind\":\"oracle\",\"asset\":\"btc\",\"price\":{price}}}\n"
        );
        readers::tape(text.as_bytes())
    };
    // A double holds 17 digits of them at most.
    for price in ["95000.123456789012345678901", "0.3000000000000000000001"] {
        assert_eq!(exact(price), exact(&format!("\"{price}\"")), "{price}");
    }
}

#[test]
fn kill_files_are_read_or_refused_with_their_place() {
    accepted("kill_files/valid", |case| readers::kill_file(&case.bytes));
    refused("kill_files/invalid", |case| readers::kill_file(&case.bytes));
}

#[test]
fn a_freeze_that_cannot_be_read_is_one_and_says_why() {
    accepted("freezes/valid", |case| readers::freeze(&case.bytes));
    refused("freezes/invalid", |case| readers::freeze(&case.bytes));
}

#[test]
fn receipts_are_read_or_refused_with_their_line() {
    let read = accepted("receipts/valid", |case| readers::receipts(&case.bytes));
    let counts: Vec<&str> = read.iter().map(|(_, count)| count.as_str()).collect();
    assert_eq!(counts, ["0", "3"], "empty and three");
    refused("receipts/invalid", |case| readers::receipts(&case.bytes));
}

/// Each list of texts is one parser's, named by its file.
#[test]
fn texts_are_read_in_one_spelling_or_refused_with_what_was_seen_and_wanted() {
    for (name, parse) in readers::TEXTS {
        corpus::refused_list("texts/invalid", name, parse);
        corpus::accepted_list("texts/valid", name, parse);
    }
    for folder in ["texts/invalid", "texts/valid"] {
        let lists = corpus::corpus(folder).len();
        assert_eq!(
            lists,
            readers::TEXTS.len(),
            "{folder}: every list has its parser"
        );
    }
}
