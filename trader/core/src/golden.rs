//! Golden values of the probability model, computed at 40 digits with an independent library.
//!
//! Data, so that the preflight check runs the very same table. The "95,000 against 94,500 at 300 s
//! gives 0.78" of older documents is wrong: row 1 is what it really gives.

use crate::model::{Estimate, ModelInput, ModelRefusal, Settlement, p_up, phi};
use crate::units::{UnitError, Volatility};

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GoldenRow {
    /// S, decimal text.
    pub oracle: &'static str,
    /// K, decimal text.
    pub reference: &'static str,
    /// σ, annualised.
    pub volatility: f64,
    /// τ, seconds.
    pub remaining_secs: u32,
    /// L, seconds; `None` for the spot rule.
    pub lookback_secs: Option<u32>,
    /// A, decimal text, where τ < L.
    pub average_so_far: Option<&'static str>,
    /// d, ten significant digits.
    pub d: f64,
    /// `p_up`, twelve significant digits.
    pub p_up: f64,
}

/// Relative tolerance on d: half a unit of the table's last digit.
pub const D_TOLERANCE: f64 = 5e-9;
/// Absolute tolerance on p.
pub const P_TOLERANCE: f64 = 1e-12;

#[expect(clippy::too_many_arguments, reason = "the columns of one table")]
const fn row(
    oracle: &'static str,
    reference: &'static str,
    volatility: f64,
    remaining_secs: u32,
    lookback_secs: Option<u32>,
    average_so_far: Option<&'static str>,
    d: f64,
    p_up: f64,
) -> GoldenRow {
    GoldenRow {
        oracle,
        reference,
        volatility,
        remaining_secs,
        lookback_secs,
        average_so_far,
        d,
        p_up,
    }
}

/// The table.
#[rustfmt::skip]
#[expect(clippy::unreadable_literal, reason = "as printed in the table, digit by digit")]
pub const GOLDEN: [GoldenRow; 10] = [
    row("95000",  "94500", 0.45, 300, None,     None,           3.801392205,     0.999928057333),
    row("95000",  "94899", 0.45, 300, None,     None,           0.7657120294,    0.778076166110),
    row("94500",  "95000", 0.45, 300, None,     None,          -3.802780142,     7.15406632811e-5),
    row("78950",  "78950", 0.60, 900, None,     None,          -0.001602651912,  0.499360634665),
    row("79000",  "78950", 0.60,  30, None,     None,           1.081569256,     0.860278014201),
    row("3250.5", "3250",  0.80, 120, None,     None,           0.09779680163,   0.538953176429),
    row("95000",  "94950", 0.45, 300, Some(60), None,           0.4073338619,    0.658118602159),
    row("95000",  "94990", 0.45,  60, Some(60), None,           0.2937326251,    0.615518888882),
    row("95000",  "94990", 0.45,  30, Some(60), Some("94985"),  0.207700331,     0.582268520411),
    row("95000",  "94990", 0.45,  10, Some(60), Some("94985"), -1.079242578,     0.140239801647),
];

/// A row that does not hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GoldenError {
    /// The row's own text is no price.
    #[error("golden row: {0}")]
    Row(#[from] UnitError),
    /// The model refused it.
    #[error("the model refused a golden row: {0}")]
    Refused(#[from] ModelRefusal),
    /// Another value.
    #[error("S {} K {} tau {} s: d {} p {}, wanted d {} p {}", row.oracle, row.reference, row.remaining_secs, seen.d, seen.up.get(), row.d, row.p_up)]
    Differs {
        /// The row.
        row: GoldenRow,
        /// What the model says.
        seen: Estimate,
    },
}

/// Runs one row through the model.
///
/// # Errors
/// What was seen and what was wanted.
pub fn check(row: &GoldenRow) -> Result<Estimate, GoldenError> {
    let settlement = match row.lookback_secs {
        None => Settlement::Spot,
        Some(lookback_secs) => Settlement::Twap {
            lookback_secs,
            average_so_far: row.average_so_far.map(str::parse).transpose()?,
        },
    };
    let seen = p_up(&ModelInput {
        oracle: row.oracle.parse()?,
        reference: row.reference.parse()?,
        volatility: Volatility::try_new(row.volatility)?,
        remaining_ms: i64::from(row.remaining_secs) * 1_000,
        settlement,
    })?;
    // The table's d has ten digits, so Φ of it is known less exactly than p itself.
    let d_holds = (seen.d - row.d).abs() <= D_TOLERANCE * row.d.abs();
    let p_holds = (seen.up.get() - row.p_up).abs() <= P_TOLERANCE;
    let phi_holds = (phi(seen.d) - seen.up.get()).abs() <= P_TOLERANCE;
    if d_holds && p_holds && phi_holds {
        Ok(seen)
    } else {
        Err(GoldenError::Differs { row: *row, seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_row_is_found() {
        for row in &GOLDEN {
            assert!(
                check(&GoldenRow {
                    p_up: row.p_up + 2e-12,
                    ..*row
                })
                .is_err()
            );
            assert!(
                check(&GoldenRow {
                    d: row.d * (1.0 + 1e-7),
                    ..*row
                })
                .is_err()
            );
            assert!(
                check(&GoldenRow {
                    volatility: row.volatility * 1.001,
                    ..*row
                })
                .is_err()
            );
        }
    }

    #[test]
    fn the_old_documents_number_is_refused() {
        assert!(
            check(&GoldenRow {
                p_up: 0.78,
                ..GOLDEN[0]
            })
            .is_err()
        );
    }
}
