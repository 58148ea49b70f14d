//! LC-206 limits coherent: the limits of the manifest do not contradict each other.
//!
//! Size × positions ≤ exposure ≤ capital; the worst cost of one entry after rounding stays within its
//! budget; a day's loss limit is not above the capital; the edge band and the tradable part of every
//! window are not empty. That each limit is present, finite and above zero is the types' doing.
//! Never waivable.

use crate::facts::{Facts, Loaded, known};
use crate::outcome::{Finding, Outcome};
use rust_decimal::Decimal;
use trader_core::manifest::Manifest;

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
    let faults = faults(manifest);
    if !faults.is_empty() {
        return Finding::new(format!(
            "the limits of {} contradict each other in {} {}",
            document.path,
            faults.len(),
            if faults.len() == 1 { "place" } else { "places" }
        ))
        .seen(faults)
        .help(format!(
            "lower the first or raise the second in {}, and commit",
            document.path
        ))
        .fail();
    }
    Finding::new(format!(
        "{} × {} ≤ {} exposure ≤ {} capital",
        manifest.position_size_usd,
        manifest.safeguards.max_open_positions,
        manifest.max_exposure_usd,
        manifest.max_capital_usd
    ))
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
    hold(
        safeguards.max_order_shares.get() > Decimal::ZERO,
        "safeguards.max_order_shares is 0: no order could ever be sent".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, check_among_all, facts, manifest_mut, refuse_manifest};
    use crate::report::Status;

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
        check("LC-206", &none, Status::Fail, "1 place");
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
