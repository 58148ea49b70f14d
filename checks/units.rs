//! LC-304 units: a number of the wrong kind, coin or size is refused at the trader's door, and an honest one
//! is answered.
//!
//! Asks the declared probability models, through the view that the engine uses, for every declared asset: token
//! prices as dollars, another coin's price, scaled integers, moves that no volatility makes, and the
//! incident's own call (S = 0.55, K = 0.50). Incident 5: one field held dollars, then a token's price, then
//! another coin's dollars.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use trader_core::components::options::Options;
use trader_core::components::registry::{self, Component};
use trader_core::components::{ProbabilityModel, Ready, WarmUp};
use trader_core::manifest::Manifest;
use trader_core::model::{Estimate, YEAR_SECS};
use trader_core::strategy_file::ComponentUse;
use trader_core::units::{
    Asset, EpochMs, OraclePrice, ReferencePrice, TokenId, TokenPrice, UnitError, Volatility,
};
use trader_core::view::{AssetHistory, Book, Freshness, MarketView, OracleQuote, plausible_usd};
use trader_core::window::{SettlementRule, Window, WindowId, WindowLength, WindowPhase};

/// A fifteen-minute open, 2026-09-01T00:00:00Z, and how far into the window the models are asked.
const OPEN_SECS: i64 = 1_788_220_800;
const ELAPSED_SECS: u32 = 300;
/// The venue's look-back in autumn 2026, seconds.
const LOOKBACK_SECS: u32 = 60;
/// Longer than any warm-up, ms.
const HISTORY_MS: i64 = 86_400_000;
/// Standard deviations of a move that happens, and of one that never did. The declarable guard ends at 12.
const HONEST_SIGMAS: f64 = 1.0;
const IMPOSSIBLE_SIGMAS: f64 = 25.0;

/// What is offered at the door.
#[derive(Debug, Clone, Copy)]
struct Offer {
    window: Asset,
    quoted: Asset,
    oracle: OraclePrice,
    reference: ReferencePrice,
}

/// The door that is judged: an offer in, a probability or a refusal code out.
type Door<'a> = Box<dyn Fn(&Offer) -> Result<Estimate, &'static str> + 'a>;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    let (manifest, strategies) = match parts::declared(document, files) {
        Ok(declared) => declared,
        Err(outcome) => return outcome,
    };
    let mut doors = Vec::new();
    for (id, file) in &strategies {
        match declared_door(&file.probability, manifest) {
            Ok(door) => doors.push((format!("strategy `{id}`"), door)),
            Err(why) => {
                return Finding::new(format!("strategy `{id}` has no model to ask"))
                    .seen([why])
                    .help("LC-203 shows why")
                    .unknown();
            }
        }
    }
    judge(&manifest.assets, &doors, &|text| {
        text.parse::<TokenPrice>().is_ok()
    })
}

fn judge(
    assets: &[Asset],
    doors: &[(String, Door<'_>)],
    is_token_price: &dyn Fn(&str) -> bool,
) -> Outcome {
    let offers: Result<Vec<Offers>, UnitError> = assets.iter().map(|a| offers(*a)).collect();
    let Ok(offers) = offers else {
        return Finding::new("the fixture's own prices are none: a bug of this check").unknown();
    };
    if doors.is_empty() || offers.is_empty() {
        return Finding::new("there is no model or no asset to ask").unknown();
    }
    let mut faults = Vec::new();
    let mut refusals: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut answered = 0_u32;
    for (name, door) in doors {
        for offered in &offers {
            for (what, offer) in &offered.honest {
                match door(offer) {
                    Ok(_) => answered += 1,
                    Err(code) => faults.push(format!(
                        "{name}, {}: {what} (S {}, K {}) is refused: {code}",
                        offer.window, offer.oracle, offer.reference
                    )),
                }
            }
            for (what, offer) in &offered.impossible {
                match door(offer) {
                    Err(code) => *refusals.entry(code).or_default() += 1,
                    Ok(estimate) => faults.push(format!(
                        "{name}, {}: {what} (S {}, K {}) is believed: p_up {}",
                        offer.window,
                        offer.oracle,
                        offer.reference,
                        estimate.up.get()
                    )),
                }
            }
        }
    }
    for text in NO_TOKEN_PRICES {
        if is_token_price(text) {
            faults.push(format!("{text:?} is read as a token's price"));
        }
    }
    let refused: u32 = refusals.values().sum();
    if faults.is_empty() {
        let assets: Vec<&str> = assets.iter().map(|asset| asset.as_str()).collect();
        return Finding::new(format!(
            "{}: {answered} honest prices answered, {refused} of a wrong kind, coin or size refused",
            assets.join(", ")
        ))
        .evidence("answered", answered)
        .evidence(
            "refusals",
            refusals
                .iter()
                .map(|(code, n)| ((*code).to_owned(), (*n).into()))
                .collect::<serde_json::Map<_, _>>(),
        )
        .pass();
    }
    Finding::new(format!(
        "{} prices are taken for what they are not",
        faults.len()
    ))
    .seen(faults)
    .help("a fault of the program or a guard that is too wide: do not trade with it")
    .fail()
}

/// Dollars, certainties and rubbish: no token costs that.
const NO_TOKEN_PRICES: [&str; 7] = ["95000", "1", "0", "1.5", "-0.1", "0.55 USD", "NaN"];

struct Offers {
    honest: Vec<(String, Offer)>,
    impossible: Vec<(String, Offer)>,
}

/// Price and yearly volatility by order of magnitude, 2025 to 2026; BTC as the venue's oracle stream showed
/// it on 2026-09-05.
const fn typical(asset: Asset) -> (Decimal, f64) {
    let (cents, sigma) = match asset {
        Asset::Btc => (7_969_695, 0.45),
        Asset::Eth => (325_050, 0.65),
        Asset::Sol => (15_000, 0.80),
        Asset::Xrp => (220, 0.80),
    };
    (Decimal::from_parts(cents, 0, 0, false, 2), sigma)
}

fn offers(asset: Asset) -> Result<Offers, UnitError> {
    let (price, sigma) = typical(asset);
    let offer = |s: Decimal, k: Decimal| -> Result<Offer, UnitError> {
        Ok(Offer {
            window: asset,
            quoted: asset,
            oracle: OraclePrice::try_new(s)?,
            reference: ReferencePrice::try_new(k)?,
        })
    };
    let moved = |sigmas: f64| {
        let part = sigmas * sigma * (f64::from(ELAPSED_SECS) / YEAR_SECS).sqrt();
        let factor = Decimal::try_from(1.0 + part).unwrap_or(Decimal::ONE);
        price * factor
    };
    let token = Decimal::new(55, 2);
    let half = Decimal::new(50, 2);
    let mut honest = vec![("no move".to_owned(), offer(price, price)?)];
    for sigmas in [HONEST_SIGMAS, -HONEST_SIGMAS] {
        let what = format!("a move of {sigmas} standard deviations");
        honest.push((what, offer(moved(sigmas), price)?));
    }
    let mut impossible = vec![
        ("the incident's call".to_owned(), offer(token, half)?),
        ("a token's price as S".to_owned(), offer(token, price)?),
        ("a token's price as K".to_owned(), offer(price, half)?),
        (
            "dollars against a coin flip".to_owned(),
            offer(price, half)?,
        ),
    ];
    for sigmas in [IMPOSSIBLE_SIGMAS, -IMPOSSIBLE_SIGMAS] {
        let what = format!("a move of {sigmas} standard deviations");
        impossible.push((what, offer(moved(sigmas), price)?));
    }
    // Cents, and the integers of eight and eighteen decimals in which oracles publish.
    for digits in [2_u32, 8, 18] {
        let scaled = price * Decimal::from(10_u64.pow(digits));
        impossible.push((format!("S times 10^{digits}"), offer(scaled, price)?));
        impossible.push((format!("K times 10^{digits}"), offer(price, scaled)?));
    }
    let (low, high) = plausible_usd(asset);
    for (what, edge) in [
        ("S and K below the coin's range", low / Decimal::TWO),
        ("S and K above the coin's range", high * Decimal::TWO),
    ] {
        impossible.push((what.to_owned(), offer(edge, edge)?));
    }
    for other in Asset::ALL.into_iter().filter(|other| *other != asset) {
        let (theirs, _) = typical(other);
        impossible.push((format!("the price of {other} as S"), offer(theirs, price)?));
        impossible.push((format!("the price of {other} as K"), offer(price, theirs)?));
        let quote = Offer {
            quoted: other,
            ..offer(price, price)?
        };
        impossible.push((format!("a quote of {other}"), quote));
    }
    Ok(Offers { honest, impossible })
}

/// The declared model behind the view that the engine makes.
fn declared_door(part: &ComponentUse, manifest: &Manifest) -> Result<Door<'static>, String> {
    let row = registry::find(&part.component)
        .ok_or_else(|| format!("there is no component `{}`", part.component))?;
    let options = Options::read(row.options, &part.options).map_err(|error| error.to_string())?;
    let built = row
        .build(manifest, &options)
        .map_err(|error| error.to_string())?;
    let Component::Probability(model) = built else {
        return Err(format!("`{}` is no probability model", part.component));
    };
    let facts = WarmUp {
        history_ms: HISTORY_MS,
        volatility: Some(Volatility::try_new(0.5).map_err(|error| error.to_string())?),
    };
    let model = model
        .warm_up(&facts)
        .map_err(|(_, refusal)| format!("`{}` stays unready: {refusal}", part.component))?;
    Ok(Box::new(move |offer| through_the_view(&model, offer)))
}

fn through_the_view(
    model: &Ready<dyn ProbabilityModel>,
    offer: &Offer,
) -> Result<Estimate, &'static str> {
    let (window, volatility) = scene(offer).map_err(|_| "fixture")?;
    let now = window.id.open().plus_ms(i64::from(ELAPSED_SECS) * 1_000);
    let WindowPhase::Open(open) = window.at(now) else {
        return Err("fixture");
    };
    let quote = OracleQuote {
        asset: offer.quoted,
        price: offer.oracle,
        at: now,
    };
    let book = book(&window, now).map_err(|_| "fixture")?;
    let history = AssetHistory {
        asset: offer.window,
        volatility: Some(volatility),
        surprise: Some(1.0),
        seconds: None,
    };
    let freshness = Freshness {
        max_oracle_age_ms: 1_000,
        max_book_age_ms: 1_000,
    };
    let view = MarketView::try_new(
        open,
        Some(&quote),
        Some(&book),
        None,
        Some(history),
        freshness,
    );
    view.and_then(|view| model.evaluate(&view))
        .map_err(|refusal| refusal.code)
}

fn scene(offer: &Offer) -> Result<(Window, Volatility), UnitError> {
    let window = Window {
        id: WindowId::try_new(offer.window, WindowLength::Min15, OPEN_SECS)?,
        up: "11".parse::<TokenId>()?,
        down: "22".parse()?,
        rule: SettlementRule::Twap,
        twap_lookback_secs: LOOKBACK_SECS,
        reference: Some(offer.reference),
    };
    Ok((window, Volatility::try_new(typical(offer.window).1)?))
}

fn book(window: &Window, at: EpochMs) -> Result<Book, UnitError> {
    Ok(Book {
        asset: window.id.asset(),
        token: window.up.clone(),
        bid: Some("0.49".parse()?),
        ask: Some("0.51".parse()?),
        bid_size: "100".parse()?,
        ask_size: "100".parse()?,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, manifest_mut, strategy_mut};
    use crate::report::Status;
    use trader_core::model::{ModelInput, Settlement, p_up, plausibility};

    fn read(text: &str) -> bool {
        text.parse::<TokenPrice>().is_ok()
    }

    #[test]
    fn passing() {
        let mut facts = facts();
        manifest_mut(&mut facts).assets = Asset::ALL.into();
        let said = "btc, eth, sol, xrp: 12 honest prices answered, 92 of a wrong kind";
        let result = check("LC-304", &facts, Status::Pass, said);
        let refusals = &result.evidence["refusals"];
        for code in [
            "implausible_move",
            "oracle_out_of_range",
            "reference_out_of_range",
            "mixed_assets",
        ] {
            assert!(refusals[code].as_u64().unwrap() > 0, "{code}: {refusals}");
        }
    }

    /// A door without guards: the formula alone, as on the evening of the incident.
    fn formula(offer: &Offer) -> Result<Estimate, &'static str> {
        p_up(&ModelInput {
            oracle: offer.oracle,
            reference: offer.reference,
            volatility: Volatility::try_new(0.5).unwrap(),
            remaining_ms: 900_000,
            settlement: Settlement::Spot,
        })
        .map_err(|_| "model")
    }

    #[test]
    fn failing() {
        let doors: Vec<(String, Door<'_>)> = vec![("planted".to_owned(), Box::new(formula))];
        let Outcome::Fail(finding) = judge(&[Asset::Btc], &doors, &read) else {
            panic!("the bare formula passed")
        };
        let incident = "planted, btc: the incident's call (S 0.55, K 0.50) is believed: p_up 1";
        assert!(
            finding.seen.iter().any(|line| line == incident),
            "{:#?}",
            finding.seen
        );
        let other = "the price of eth as S";
        assert!(
            finding.seen.iter().any(|line| line.contains(other)),
            "{:#?}",
            finding.seen
        );
        // A door that believes nothing is no door either.
        let shut: Vec<(String, Door<'_>)> = vec![("shut".to_owned(), Box::new(|_| Err("never")))];
        assert!(matches!(
            judge(&[Asset::Btc], &shut, &read),
            Outcome::Fail(_)
        ));
        // Dollars that are read as a token's price.
        let (manifest, strategies) = declared(&facts());
        let part = &strategies.values().next().unwrap().probability;
        let honest = vec![(
            "declared".to_owned(),
            declared_door(part, &manifest).unwrap(),
        )];
        let Outcome::Fail(finding) = judge(&[Asset::Btc], &honest, &|text| {
            text == "95000" || read(text)
        }) else {
            panic!("dollars are a token's price")
        };
        assert_eq!(finding.seen, ["\"95000\" is read as a token's price"]);
    }

    #[test]
    fn just_inside() {
        // The widest guard that can be declared still refuses what must be refused.
        let mut facts = facts();
        let widest = [("plausible_sigmas".to_owned(), 12.0.into())];
        strategy_mut(&mut facts).probability.options = widest.into();
        check("LC-304", &facts, Status::Pass, "3 honest prices answered");
        // A move just within the guard is answered, one just beyond it is not.
        let (manifest, strategies) = declared(&facts);
        let part = &strategies.values().next().unwrap().probability;
        let door = declared_door(part, &manifest).unwrap();
        let (price, sigma) = typical(Asset::Btc);
        let k = ReferencePrice::try_new(price).unwrap();
        let sigma = Volatility::try_new(sigma).unwrap();
        let elapsed_ms = i64::from(ELAPSED_SECS) * 1_000;
        let s = OraclePrice::try_new(price).unwrap();
        let (_, bound) = plausibility(s, k, sigma, elapsed_ms, LOOKBACK_SECS, 12.0);
        let at = |part: f64| {
            let factor = Decimal::try_from((bound * part).exp()).unwrap();
            door(&Offer {
                window: Asset::Btc,
                quoted: Asset::Btc,
                oracle: OraclePrice::try_new(price * factor).unwrap(),
                reference: k,
            })
        };
        assert!(at(0.999).is_ok());
        assert_eq!(at(1.001).unwrap_err(), "implausible_move");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-304", &facts, Status::Unknown, "HEAD cannot be read");
        assert!(matches!(judge(&[], &[], &read), Outcome::Unknown(_)));
    }

    #[test]
    fn every_coin_has_its_own_range() {
        for asset in Asset::ALL {
            let (price, _) = typical(asset);
            let (low, high) = plausible_usd(asset);
            assert!(low < price && price < high, "{asset}");
        }
    }
}
