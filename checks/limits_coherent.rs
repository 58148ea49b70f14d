//! LC-206 limits coherent: the limits of the manifest do not contradict each other.
//!
//! Size × positions ≤ exposure ≤ capital; a day's loss limit is not above the capital; the edge band and
//! the tradable part of every window are not empty. The declared sizing is asked at every price: the
//! worst cost of its rounded order, fee included, stays within the budget, and at some price there is
//! an order at all. That each limit is present, finite and above zero is the types' doing.
//! Never waivable.

use crate::facts::{Facts, Loaded, ManifestDocument, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use rust_decimal::Decimal;
use trader_core::components::Size;
use trader_core::engine::Engine;
use trader_core::fees::taker_fee;
use trader_core::ledger::LedgerState;
use trader_core::manifest::Manifest;
use trader_core::refusal::Refusal;
use trader_core::units::{TokenPrice, Usd};

/// Prices at which a sizing rule is asked, in thousandths: every price on the venue's finest tick
/// (`orderPriceMinTickSize` 0.001 near the extremes, 0.01 elsewhere, read 2026-11).
const PRICES_PER_USD: u32 = 1_000;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let Loaded::Valid(manifest) = &document.loaded else {
        return Finding::new(format!(
            "{} is not valid, so its limits cannot be judged",
            document.path
        ))
        .help("LC-201 shows the place")
        .unknown();
    };
    let mut faults = faults(manifest);
    match built_sizes(facts, document, manifest) {
        Ok(costs) => faults.extend(costs),
        // What is wrong already is told first; it may be why no trader can be built.
        Err(finding) if faults.is_empty() => return finding.unknown(),
        Err(_) => {}
    }
    if !faults.is_empty() {
        return Finding::new(format!(
            "the limits of {} contradict each other in {} {}",
            document.path,
            faults.len(),
            if faults.len() == 1 { "place" } else { "places" }
        ))
        .at(faults.iter().map(|fault| {
            // Each begins with the key that it is about.
            let key = fault.split(' ').next().unwrap_or_default();
            document.place(&format!("/{}", key.replace('.', "/")), fault)
        }))
        .seen(faults)
        .help(format!(
            "lower the first or raise the second in {}, and commit",
            document.path
        ))
        .fail();
    }
    Finding::new(format!(
        "{} × {} ≤ {} exposure ≤ {} capital; no rounded order costs more than its {}",
        manifest.position_size_usd,
        manifest.safeguards.max_open_positions,
        manifest.max_exposure_usd,
        manifest.max_capital_usd,
        manifest.position_size_usd
    ))
    .evidence("prices_tried", PRICES_PER_USD - 1)
    .pass()
}

fn faults(manifest: &Manifest) -> Vec<String> {
    let safeguards = &manifest.safeguards;
    let size = manifest.position_size_usd.get();
    let positions = safeguards.max_open_positions.get();
    let exposure = manifest.max_exposure_usd.get();
    let capital = manifest.max_capital_usd.get();
    let mut faults = Vec::new();
    let mut hold = |holds: bool, text: String| {
        if !holds {
            faults.push(text);
        }
    };
    let stake = size.checked_mul(Decimal::from(positions));
    hold(
        stake.is_some_and(|stake| stake <= exposure),
        format!(
            "position_size_usd {size} × safeguards.max_open_positions {positions} is {}, above max_exposure_usd {exposure}",
            stake.map_or_else(|| "past every number".to_owned(), |stake| stake.to_string())
        ),
    );
    hold(
        exposure <= capital,
        format!("max_exposure_usd {exposure} is above max_capital_usd {capital}"),
    );
    let loss = safeguards.max_daily_loss_usd.get();
    hold(
        loss <= capital,
        format!("safeguards.max_daily_loss_usd {loss} is above max_capital_usd {capital}"),
    );
    let (least, most) = (manifest.edge.min.get(), manifest.edge.max.get());
    hold(
        least <= most,
        format!("edge.min {least} is above edge.max {most}"),
    );
    let (elapsed, remaining) = (
        manifest.window.min_elapsed_secs,
        manifest.window.min_remaining_secs.get(),
    );
    for mins in &manifest.window.durations_mins {
        let length = mins.saturating_mul(60);
        hold(
            elapsed.saturating_add(remaining) < length,
            format!(
                "window.min_elapsed_secs {elapsed} + window.min_remaining_secs {remaining} leave nothing of a {mins}-minute window"
            ),
        );
    }
    faults
}

/// What is wrong with the sizes that the built strategies give.
fn built_sizes(
    facts: &Facts,
    document: &ManifestDocument,
    manifest: &Manifest,
) -> Result<Vec<String>, Finding> {
    let cannot = |why: String, help: &str| {
        Finding::new("the worst cost of an order cannot be judged")
            .seen([why])
            .help(help)
    };
    let see_202 = "LC-202 shows which strategies there are";
    let files = facts.strategies.value.as_ref();
    let files = files.map_err(|missing| cannot(missing.why.clone(), see_202))?;
    let Ok((_, strategies)) = parts::declared(document, files) else {
        let why = "the listed strategies cannot be read".to_owned();
        return Err(cannot(why, see_202));
    };
    let engine = Engine::new(manifest, &strategies, LedgerState::default())
        .map_err(|error| cannot(error.to_string(), "LC-204 shows what does not fit"))?;
    let mut faults = Vec::new();
    for instance in engine.instances() {
        let Some(sizes) = prices()
            .map(|price| Some((price, instance.size_at(price)?)))
            .collect::<Option<Vec<_>>>()
        else {
            let why = format!(
                "the sizing of {} is not ready without a market",
                instance.id()
            );
            return Err(cannot(why, "judge it with a longer warm-up"));
        };
        faults.extend(size_faults(&instance.id().to_string(), manifest, &sizes));
    }
    // Every asset has the same sizing.
    faults.sort_unstable();
    faults.dedup();
    Ok(faults)
}

fn prices() -> impl Iterator<Item = TokenPrice> {
    (1..PRICES_PER_USD)
        .filter_map(|n| TokenPrice::try_new(Decimal::from(n) / Decimal::from(PRICES_PER_USD)).ok())
}

/// The worst cost is counted again from shares and price: a rule's own figure may be what is wrong.
fn size_faults(
    strategy: &str,
    manifest: &Manifest,
    sizes: &[(TokenPrice, Result<Size, Refusal>)],
) -> Vec<String> {
    let budget = Usd::from(manifest.position_size_usd);
    let given = || {
        sizes
            .iter()
            .filter_map(|(price, size)| Some((*price, size.ok()?)))
    };
    let mut faults = Vec::new();
    let over = given()
        .map(|(price, size)| {
            (
                price,
                size,
                size.shares * price + taker_fee(size.shares, price),
            )
        })
        .find(|(_, size, cost)| *cost > budget || *cost > size.worst_cost);
    if let Some((price, size, cost)) = over {
        faults.push(format!(
            "strategy {strategy} at {price} buys {} shares, which cost {cost} with the fee: it reserves {}, position_size_usd is {budget}",
            size.shares, size.worst_cost
        ));
    }
    let most = manifest.safeguards.max_order_shares;
    if !given().any(|(_, size)| size.shares <= most) {
        let why = sizes.iter().find_map(|(_, size)| size.err());
        faults.push(format!(
            "strategy {strategy} could never send an order: position_size_usd {budget} with safeguards.max_order_shares {most} buys nothing at any price{}",
            why.map_or_else(String::new, |refusal| format!(" ({refusal})"))
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, check_among_all, facts, manifest_mut, refuse_manifest};
    use crate::report::Status;
    use trader_core::units::Shares;

    fn with(change: impl FnOnce(&mut Manifest)) -> Facts {
        let mut facts = facts();
        change(manifest_mut(&mut facts));
        facts
    }

    #[test]
    fn passing() {
        check(
            "LC-206",
            &facts(),
            Status::Pass,
            "5 × 2 ≤ 20 exposure ≤ 50 capital",
        );
    }

    #[test]
    fn failing() {
        let raised = with(|m| m.max_exposure_usd = "50.01".parse().unwrap());
        let result = check("LC-206", &raised, Status::Fail, "1 place");
        assert_eq!(
            result.seen().next(),
            Some("max_exposure_usd 50.01 is above max_capital_usd 50")
        );
        let stacked = with(|m| m.safeguards.max_open_positions = 5.try_into().unwrap());
        check("LC-206", &stacked, Status::Fail, "1 place");
        let loss = with(|m| m.safeguards.max_daily_loss_usd = "51".parse().unwrap());
        check("LC-206", &loss, Status::Fail, "1 place");
        let edge = with(|m| m.edge.min = "0.6".parse().unwrap());
        check("LC-206", &edge, Status::Fail, "1 place");
        let window = with(|m| m.window.min_elapsed_secs = 900);
        check("LC-206", &window, Status::Fail, "1 place");
        let none = with(|m| m.safeguards.max_order_shares = "0".parse().unwrap());
        check("LC-206", &none, Status::Fail, "could never send an order");
        let small = with(|m| m.position_size_usd = "0.9".parse().unwrap());
        check("LC-206", &small, Status::Fail, "could never send an order");
    }

    /// Sizes as the rule gives them that lost money: shares rounded up.
    fn rounded_up(budget: &str, reserves: impl Fn(Usd) -> Usd) -> Vec<String> {
        let facts = with(|m| m.position_size_usd = budget.parse().unwrap());
        let Ok(ManifestDocument {
            loaded: Loaded::Valid(manifest),
            ..
        }) = &facts.manifest.value
        else {
            panic!("the fixture's manifest is valid")
        };
        let size = |price: TokenPrice| {
            let shares =
                Shares::try_new((manifest.position_size_usd.get() / price.get()).ceil()).unwrap();
            let worst_cost = reserves(shares * price + taker_fee(shares, price));
            (price, Ok(Size { shares, worst_cost }))
        };
        size_faults("x", manifest, &prices().map(size).collect::<Vec<_>>())
    }

    #[test]
    fn an_order_rounded_past_its_budget_fails() {
        let honest = rounded_up("2", |cost| cost);
        assert_eq!(honest.len(), 1, "{honest:?}");
        assert!(honest[0].contains("position_size_usd is 2"), "{honest:?}");
        // A rule that reserves the budget and spends more is no better.
        assert_eq!(rounded_up("2", |_| "2".parse().unwrap()).len(), 1);
        // The real rule, at every price, stays inside.
        check(
            "LC-206",
            &facts(),
            Status::Pass,
            "no rounded order costs more than its 5",
        );
    }

    #[test]
    fn without_a_trader_the_cost_is_unknown() {
        let mut unlisted = facts();
        unlisted.strategies.value.as_mut().unwrap().clear();
        check("LC-206", &unlisted, Status::Unknown, "cannot be judged");
        let mut missing = facts();
        missing.strategies = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-206", &missing, Status::Unknown, "HEAD cannot be read");
        // A contradiction between the limits is told all the same.
        manifest_mut(&mut unlisted).max_exposure_usd = "51".parse().unwrap();
        check("LC-206", &unlisted, Status::Fail, "1 place");
    }

    #[test]
    fn just_inside() {
        let edge = with(|m| {
            m.position_size_usd = "10".parse().unwrap();
            m.max_capital_usd = "20".parse().unwrap();
            m.edge.min = m.edge.max;
        });
        check(
            "LC-206",
            &edge,
            Status::Pass,
            "10 × 2 ≤ 20 exposure ≤ 20 capital",
        );
        let past = with(|m| m.position_size_usd = "10.01".parse().unwrap());
        check("LC-206", &past, Status::Fail, "1 place");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-206", &facts, Status::Unknown, "HEAD cannot be read");
    }

    #[test]
    fn a_number_past_every_number_is_a_fault_and_no_panic() {
        let facts = with(|m| {
            m.position_size_usd = "79228162514264337593543950335".parse().unwrap();
        });
        check("LC-206", &facts, Status::Fail, "place");
    }

    #[test]
    fn an_invalid_manifest_skips_it() {
        let mut facts = facts();
        refuse_manifest(&mut facts, "planted");
        check_among_all("LC-206", &facts, Status::Skipped, "blocked by LC-201");
    }
}
