//! The short way for quotes, which are nearly all lines of a tape: only a book's own fields, as the
//! texts that [`super::event_line`] writes.
//!
//! Takes nothing that the long way refuses and reads nothing differently; what it does not take, for
//! whatever reason (another order of keys, a space, an escape, a number for a text), goes the long way,
//! which knows how to say what is wrong.

use super::line::instant;
use crate::event::{BookTick, Event, EventKind};
use crate::units::{EpochMs, Shares};
use std::str::FromStr;

/// The event, if the line is a quote without fault, written as we write it.
pub(super) fn parse(line: &str) -> Option<Event> {
    let mut rest = Rest(line);
    rest.skip("{\"t_ms\":")?;
    let t = rest.time("t_ms")?;
    let src = match rest.skip(",\"src_ms\":") {
        Some(()) => Some(rest.time("src_ms")?),
        None => None,
    };
    rest.skip(",\"kind\":\"book\",\"asset\":\"")?;
    let asset = rest.text()?.parse().ok()?;
    rest.skip(",\"token\":\"")?;
    let token = rest.text()?.parse().ok()?;
    let tick = BookTick {
        asset,
        token,
        bid: rest.maybe(",\"bid\":\"").ok()?,
        ask: rest.maybe(",\"ask\":\"").ok()?,
        bid_size: rest.maybe(",\"bid_size\":\"").ok()?.unwrap_or(Shares::ZERO),
        ask_size: rest.maybe(",\"ask_size\":\"").ok()?.unwrap_or(Shares::ZERO),
    };
    (rest.0 == "}").then_some(Event {
        t,
        src,
        kind: EventKind::Book(tick),
    })
}

/// Most digits of a time: fewer than any number that would not fit.
const TIME_DIGITS_MAX: usize = 18;

/// A field for the long way.
struct Unreadable;

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Passes over exactly this.
    fn skip(&mut self, wanted: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    /// A time in whole milliseconds, without a sign and without a zero before it.
    fn time(&mut self, field: &'static str) -> Option<EpochMs> {
        let digits = self.0.bytes().take(TIME_DIGITS_MAX + 1);
        let (mut ms, mut count) = (0_i64, 0);
        for byte in digits.take_while(u8::is_ascii_digit) {
            ms = ms.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
            count += 1;
        }
        let has_zero_before = count > 1 && self.0.starts_with('0');
        if count == 0 || count > TIME_DIGITS_MAX || has_zero_before {
            return None;
        }
        self.0 = self.0.get(count..)?;
        // A fraction or an exponent would follow: no key of ours begins with either.
        instant(field, ms).ok()
    }

    /// The text up to the next quotation mark, which is passed over. None of ours needs an escape.
    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| byte == b'"')?;
        let text = self.0.get(..end)?;
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\\';
        if !text.bytes().all(is_plain) {
            return None;
        }
        self.0 = self.0.get(end + 1..)?;
        Some(text)
    }

    /// A field that may be absent, but not unreadable.
    fn maybe<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, Unreadable> {
        match self.skip(key) {
            Some(()) => {
                let text = self.text().ok_or(Unreadable)?;
                text.parse().map(Some).map_err(|_| Unreadable)
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line;
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    const QUOTE: &str = r#"{"t_ms":1795426989400,"src_ms":1795426989350,"kind":"book","asset":"btc","token":"10517954268002","bid":"0.97","ask":"0.99","bid_size":"35","ask_size":"205.25"}"#;

    fn same(text: &str) -> Result<bool, TestCaseError> {
        let short = parse(text);
        if short.is_some() {
            let long = line::parse_long(text).ok();
            prop_assert_eq!(&short, &long, "{}", text);
            // Equal decimals may be written differently; these are not.
            prop_assert_eq!(format!("{short:?}"), format!("{long:?}"));
        }
        Ok(short.is_some())
    }

    #[test]
    fn what_we_write_goes_the_short_way() {
        for text in [
            QUOTE.to_owned(),
            QUOTE.replace("\"src_ms\":1795426989350,", ""),
            QUOTE.replace("\"bid\":\"0.97\",", ""),
            QUOTE.replace("\"ask\":\"0.99\",", ""),
            QUOTE.replace("1795426989400", "0"),
        ] {
            assert!(same(&text).unwrap(), "{text}");
        }
    }

    #[test]
    fn all_else_goes_the_long_way() {
        for (from, to) in [
            ("1795426989400", "01795426989400"),
            ("1795426989400", "+1"),
            ("1795426989400", "-1"),
            ("1795426989400", "1.5"),
            ("1795426989400", "1e3"),
            ("1795426989400", "4102444800000"),
            ("1795426989400", "99999999999999999999"),
            ("\"0.97\"", "0.97"),
            ("\"0.97\"", "null"),
            ("\"0.97\"", "\"0\\u002e97\""),
            ("\"0.97\"", "\"1.97\""),
            ("\"0.97\"", "\"0.97\u{1}\""),
            ("\"btc\"", "\"doge\""),
            ("\"kind\"", " \"kind\""),
            ("205.25\"}", "205.25\"} "),
            ("205.25\"}", "205.25\""),
            ("205.25\"}", "205.25\",\"ask_size\":\"1\"}"),
            ("\"bid\":\"0.97\",", "\"bid\":\"0.97\",\"bid\":\"0.97\","),
            ("\"book\"", "\"trade\""),
        ] {
            let text = QUOTE.replace(from, to);
            assert_ne!(text, QUOTE);
            assert!(parse(&text).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_reads_what_the_long_one_reads(
            t in prop_oneof![0_i64..5_000_000_000_000, any::<i64>()], src in proptest::option::of(any::<u32>()),
            asset in "(btc|ETH|sol/usd|doge| btc)", token in "[0-9]{1,80}|[a-z0-9]{1,4}",
            prices in proptest::array::uniform2(proptest::option::of("-?0?\\.?[0-9]{1,6}|[0-9.e]{0,4}")),
            sizes in proptest::array::uniform2(proptest::option::of("[0-9]{1,30}(\\.[0-9]{1,8})?|[ -~]{0,3}")),
        ) {
            let mut text = format!("{{\"t_ms\":{t}");
            if let Some(src) = src {
                write!(text, ",\"src_ms\":{src}").unwrap();
            }
            write!(text, ",\"kind\":\"book\",\"asset\":\"{asset}\",\"token\":\"{token}\"").unwrap();
            let fields = ["bid", "ask", "bid_size", "ask_size"];
            for (field, value) in fields.into_iter().zip(prices.into_iter().chain(sizes)) {
                if let Some(value) = value {
                    write!(text, ",\"{field}\":\"{value}\"").unwrap();
                }
            }
            same(&(text + "}"))?;
        }

        #[test]
        fn a_spoiled_line_is_never_read_differently(at in 0_usize..160, with in any::<char>(), cut in 0_usize..3) {
            let mut chars: Vec<char> = QUOTE.chars().collect();
            let at = at % chars.len();
            let upto = (at + cut).min(chars.len());
            chars.splice(at..upto, [with]);
            same(&chars.into_iter().collect::<String>())?;
        }

        #[test]
        fn digits_for_digits(digit in 0_u32..10, at in 0_usize..160) {
            let mut chars: Vec<char> = QUOTE.chars().collect();
            let at = at % chars.len();
            if let (true, Some(digit)) = (chars[at].is_ascii_digit(), char::from_digit(digit, 10)) {
                chars[at] = digit;
            }
            same(&chars.into_iter().collect::<String>())?;
        }
    }
}
