//! What a tape accepts, what it refuses and with which words.

use super::{TapeProblem, TapeReader, event_line};
use crate::event::Event;

const HEADER: &str =
    r#"{"tape":1,"source":"test","created_at":"2026-11-23T00:00:00Z","assets":["btc","eth"]}"#;

const LINES: [&str; 12] = [
    r#"{"t_ms":1000,"src_ms":900,"kind":"oracle","asset":"btc","price":"95000.10"}"#,
    r#"{"t_ms":1000,"src_ms":900,"kind":"oracle","asset":"btc","price":"95001","twap_secs":60}"#,
    r#"{"t_ms":1001,"kind":"spot","asset":"eth","price":"3250.5"}"#,
    r#"{"t_ms":1002,"kind":"window","asset":"btc","id":"btc-5m-1769949000","open_ms":1769949000000,"close_ms":1769949300000,"up":"11","down":"22","rule":"twap","twap_lookback_secs":60,"reference":"95000","outcome":"up"}"#,
    r#"{"t_ms":1003,"kind":"book","asset":"btc","token":"11","bid":"0.54","ask":"0.56","bid_size":"10","ask_size":"20.5"}"#,
    r#"{"t_ms":1003,"kind":"book","asset":"btc","token":"11","ask":"0.99","bid_size":"0","ask_size":"20.5"}"#,
    r#"{"t_ms":1004,"kind":"trade","asset":"btc","token":"11","price":"0.55","size":"5","side":"buy"}"#,
    r#"{"t_ms":1005,"kind":"order","asset":"btc","id":"btc-5m-1769949000/m/1","status":"accepted","detail":"0xabc"}"#,
    r#"{"t_ms":1006,"kind":"fill","asset":"btc","id":"btc-5m-1769949000/m/1","price":"0.55","size":"5","fill_id":"f1","fee":"0.08663"}"#,
    r#"{"t_ms":1007,"kind":"lease","holder":"watchdog","expires_ms":9000}"#,
    r#"{"t_ms":1008,"kind":"clock","offset_ms":-3}"#,
    r#"{"t_ms":1009,"kind":"control","action":"reenable","by":"ann","reason":"looked","freeze_id":"f-1"}"#,
];

fn read(lines: &[&str]) -> Result<Vec<Event>, super::TapeError> {
    TapeReader::new(std::iter::once(HEADER).chain(lines.iter().copied()))?.collect()
}

#[track_caller]
fn refused(line: &str) -> String {
    read(&[line]).unwrap_err().to_string()
}

#[test]
fn every_kind_survives_a_round_trip() {
    let events = read(&LINES).unwrap();
    assert_eq!(events.len(), LINES.len());
    let written: Vec<String> = events
        .iter()
        .map(|event| event_line(event).unwrap())
        .collect();
    let again = read(&written.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!(events, again);
}

/// The short way for quotes refuses what the long way refuses.
#[test]
fn no_time_outside_1970_to_2100_is_a_time() {
    for ms in ["-1", "4102444800000", "9223372036854775807"] {
        for line in [LINES[0], LINES[4]] {
            let (_, rest) = line.split_once(',').unwrap();
            for wrong in [
                format!("{{\"t_ms\":{ms},{rest}"),
                format!(
                    "{{\"t_ms\":1,\"src_ms\":{ms},{}",
                    rest.trim_start_matches("\"src_ms\":900,")
                ),
            ] {
                assert!(refused(&wrong).contains(ms), "{wrong}");
            }
        }
    }
}

#[test]
fn numbers_are_read_by_their_text() {
    let line = r#"{"t_ms":1,"kind":"oracle","asset":"BTC/USD","price":95000.1}"#;
    assert_eq!(
        read(&[line]).unwrap(),
        read(&[r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":"95000.1"}"#]).unwrap()
    );
}

#[test]
fn a_bad_line_is_refused_with_its_number() {
    let cases = [
        (
            r#"{"t_ms":1,"kind":"orcale","asset":"btc","price":"1"}"#,
            "line 2: unknown kind \"orcale\"; known: oracle",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"doge","price":"1"}"#,
            "line 2: asset: \"doge\" is not an asset",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"sol","price":"1"}"#,
            "line 2: asset sol is not in the header's list",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"btc"}"#,
            "line 2: oracle needs \"price\"",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":"0"}"#,
            "line 2: price: \"0\" is not an oracle price",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":"NaN"}"#,
            "line 2: price: \"NaN\" is not",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":1e30}"#,
            "line 2: price: ",
        ),
        (
            r#"{"t_ms":1,"kind":"book","asset":"btc","token":"11","bid":"1","ask":"0.5"}"#,
            "line 2: bid: \"1\" is not a token price",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":"1","token":"11"}"#,
            "line 2: oracle has no field \"token\"",
        ),
        (
            r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":"1","prise":"2"}"#,
            "line 2: unknown field `prise`",
        ),
        (
            r#"{"t_ms":1,"kind":"clock","asset":"btc"}"#,
            "line 2: clock has no field \"asset\"",
        ),
        (
            r#"{"t_ms":1,"kind":"control","action":"stop","by":"a","reason":"b"}"#,
            "line 2: action: \"stop\" is not halt",
        ),
        ("{\"t_ms\":1,", "line 2: EOF"),
        ("[]", "line 2: "),
    ];
    for (line, wanted) in cases {
        let seen = refused(line);
        assert!(
            seen.starts_with(wanted),
            "{line}\nseen:   {seen}\nwanted: {wanted}"
        );
    }
}

#[test]
fn a_window_must_agree_with_itself() {
    let good = LINES[3];
    for (from, to, wanted) in [
        ("1769949000000", "1769949000001", "open_ms"),
        ("1769949300000", "1769949900000", "close_ms"),
        (
            r#""asset":"btc""#,
            r#""asset":"eth""#,
            "asset: \"eth\" is not the asset that the id names",
        ),
        (
            r#""down":"22""#,
            r#""down":"11""#,
            "a token other than up's",
        ),
        (r#""rule":"twap""#, r#""rule":"spot""#, "twap_lookback_secs"),
        (
            r#""twap_lookback_secs":60"#,
            r#""twap_lookback_secs":301"#,
            "twap_lookback_secs",
        ),
        (r#""rule":"twap","#, "", "window needs \"rule\""),
    ] {
        let line = good.replace(from, to);
        assert_ne!(line, good);
        let seen = refused(&line);
        assert!(seen.contains(wanted), "{seen}");
    }
}

#[test]
fn time_never_runs_backwards() {
    let error = read(&[LINES[3], LINES[0]]).unwrap_err();
    assert_eq!(error.line, 3);
    assert!(matches!(error.problem, TapeProblem::Backwards { .. }));
    assert!(read(&[LINES[0], LINES[1]]).is_ok(), "a tie is in order");
}

#[test]
fn a_tape_needs_its_header() {
    for (first, wanted) in [
        ("", "the tape is empty"),
        (LINES[0], "not a tape header"),
        (
            r#"{"tape":2,"source":"","created_at":"","assets":[]}"#,
            "tape version 2",
        ),
    ] {
        let seen = TapeReader::new([first]).unwrap_err().to_string();
        assert!(
            seen.starts_with("line 1: ") && seen.contains(wanted),
            "{seen}"
        );
    }
    assert!(TapeReader::new(Vec::<String>::new()).is_err());
}

#[test]
fn no_text_makes_the_reader_panic() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let line = proptest::prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80)
            .prop_map(|b| String::from_utf8_lossy(&b).into_owned()),
        (0..LINES.len(), 0usize..200, any::<char>()).prop_map(|(i, at, c)| {
            let mut chars: Vec<char> = LINES[i].chars().collect();
            let at = at % chars.len();
            chars[at] = c;
            chars.into_iter().collect()
        }),
    ];
    runner
        .run(&line, |text| {
            if let Err(error) = read(&[&text]) {
                prop_assert_eq!(error.line, 2);
            }
            Ok(())
        })
        .unwrap();
}
