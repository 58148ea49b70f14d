//! LC-305 model golden: the model in this program gives the golden values, which an independent library
//! computed at 40 digits.
//!
//! Fails when any row differs beyond the table's own precision. Reads no fact: table and model are
//! compiled in. Incident 8: the model said 1.0 where nothing could know it, and the number that a
//! document called golden was wrong too.

use crate::facts::Facts;
use crate::outcome::{Finding, Outcome};
use trader_core::golden::{GOLDEN, GoldenRow, check};

pub(crate) fn run(_: &Facts) -> Outcome {
    judge(&GOLDEN)
}

fn judge(rows: &[GoldenRow]) -> Outcome {
    if rows.is_empty() {
        return Finding::new("there is no golden row to compare with").unknown();
    }
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| check(row).err())
        .map(|error| error.to_string())
        .collect();
    if wrong.is_empty() {
        return Finding::new(format!("{} golden rows hold", rows.len()))
            .evidence("rows", rows.len())
            .pass();
    }
    Finding::new(format!("{} of {} golden rows do not hold", wrong.len(), rows.len()))
        .evidence("rows", rows.len())
        .seen(wrong)
        .help("the model was changed: do not trade with it; compare trader/core/src/model.rs with its history")
        .fail()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{check as check_code, facts};
    use crate::report::Status;
    use trader_core::golden::P_TOLERANCE;

    fn first_row_off_by(p: f64) -> [GoldenRow; 1] {
        [GoldenRow {
            p_up: GOLDEN[0].p_up + p,
            ..GOLDEN[0]
        }]
    }

    #[test]
    fn passing() {
        check_code("LC-305", &facts(), Status::Pass, "10 golden rows hold");
    }

    #[test]
    fn failing() {
        // The number that the old documents called golden.
        let old = [GoldenRow {
            p_up: 0.78,
            ..GOLDEN[0]
        }];
        let Outcome::Fail(finding) = judge(&old) else {
            panic!("0.78 is wrong")
        };
        assert!(finding.seen[0].contains("wanted d"), "{finding:?}");
    }

    #[test]
    fn just_inside() {
        assert!(matches!(
            judge(&first_row_off_by(P_TOLERANCE * 0.4)),
            Outcome::Pass(_)
        ));
        assert!(matches!(
            judge(&first_row_off_by(P_TOLERANCE * 2.0)),
            Outcome::Fail(_)
        ));
    }

    #[test]
    fn fact_missing() {
        assert!(matches!(judge(&[]), Outcome::Unknown(_)));
    }
}
