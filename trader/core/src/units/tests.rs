//! The units refuse what cost money once: dollars as a token price, another spelling, no limit.

use super::decimal::SCHEMA_DECIMAL_MAX_CHARS;
use super::*;

#[test]
fn a_dollar_price_is_no_token_price() {
    assert!("78950".parse::<TokenPrice>().is_err());
    assert!("0.72".parse::<TokenPrice>().is_ok());
    for edge in ["0", "1", "-0.1", "NaN", "1e-1", "", ".", "0.5 "] {
        assert!(edge.parse::<TokenPrice>().is_err(), "{edge}");
    }
}

#[test]
fn every_spelling_of_an_asset_is_one_asset() {
    for asset in Asset::ALL {
        let name = asset.as_str();
        for text in [
            name.to_owned(),
            name.to_uppercase(),
            format!("{name}/usd"),
            format!("{name}usdt"),
        ] {
            assert_eq!(text.parse::<Asset>().unwrap(), asset);
        }
        assert_eq!(asset.to_string().parse::<Asset>().unwrap(), asset);
    }
    assert!("doge".parse::<Asset>().is_err());
    assert!("usd".parse::<Asset>().is_err());
}

#[test]
fn zero_is_no_limit() {
    assert!("0".parse::<UsdLimit>().is_err());
    assert!(serde_json::from_str::<UsdLimit>("null").is_err());
    assert_eq!(
        serde_json::from_str::<UsdLimit>("2.5").unwrap().to_string(),
        "2.5"
    );
    assert_eq!(
        serde_json::to_string(&"2.50".parse::<UsdLimit>().unwrap()).unwrap(),
        "\"2.50\""
    );
}

#[test]
fn a_schema_takes_no_decimal_that_its_type_refuses() {
    // (text, positive, unit, inside the unit)
    for (text, positive, unit, inside) in [
        ("0", false, true, false),
        ("0.000", false, true, false),
        ("00.10", true, true, true),
        ("1", true, true, false),
        ("1.00", true, true, false),
        ("1.01", true, false, false),
        ("9999999999999999999999999999", true, false, false),
        ("0.00000000000000000000000001", true, true, true),
    ] {
        assert!(text.len() <= SCHEMA_DECIMAL_MAX_CHARS);
        assert_eq!(text.parse::<UsdLimit>().is_ok(), positive, "{text}");
        assert_eq!(text.parse::<PriceGap>().is_ok(), unit, "{text}");
        assert_eq!(text.parse::<TokenPrice>().is_ok(), inside, "{text}");
    }
}

#[test]
fn cost_is_shares_times_token_price() {
    let cost = "4".parse::<Shares>().unwrap() * "0.55".parse::<TokenPrice>().unwrap();
    assert_eq!(cost.to_string(), "2.20");
}
