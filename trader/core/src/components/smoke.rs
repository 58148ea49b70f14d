//! A smoke fixture for every component of the registry: on real-shaped input it answers, finite and in
//! range; on missing input it refuses with a code. What LC-302 asks, as a pure function.
//!
//! Must not know any component by name: a new row is covered the moment it stands in the table.

use super::options::{OptionError, Options};
use super::registry::{Component, Row};
use super::{
    Analysis, Configured, Divergence, Lag, Observation, Readings, Signal, Staleness,
    UpdateForecast, WarmUp,
};
use crate::event::EventKind;
use crate::ledger::Position;
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::Refusal;
use crate::sim::generator::Generator;
use crate::twap::SecondPrices;
use crate::units::{
    Asset, EpochMs, Outcome, Probability, Shares, UiPrice, UnitError, Usd, Volatility,
};
use crate::view::{AssetHistory, Book, ExitView, Freshness, MarketView, OracleQuote};
use crate::window::{SettlementRule, Window, WindowLength, WindowPhase};

/// Seed and start (a five-minute open, 2026-01-01T00:00:00Z) of the market that is shown.
const SEED: u64 = 302;
const START: EpochMs = EpochMs(1_767_225_600_000);
/// Time left in the window when components are asked, ms: some want to be late, some must not be.
const LATE_MS: i64 = 20_000;
const EARLY_MS: i64 = 100_000;

/// What is wrong with a component.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SmokeFault {
    /// It cannot be built.
    #[error("it cannot be built: {0}")]
    NotBuilt(#[from] OptionError),
    /// The fixture itself is no market: a bug of this file.
    #[error("the fixture is wrong: {0}")]
    Fixture(String),
    /// It claims to be ready before it has seen anything, or answers without what it needs.
    #[error("it answers without {0}")]
    AnswersWithout(&'static str),
    /// It refuses a market that has all it needs.
    #[error("it refuses a market that has all it needs: {0}")]
    Refuses(String),
    /// A number that is not finite or not in its range.
    #[error("its {0} is not finite or out of range")]
    OutOfRange(&'static str),
}

impl From<UnitError> for SmokeFault {
    fn from(error: UnitError) -> Self {
        Self::Fixture(error.to_string())
    }
}

impl From<Refusal> for SmokeFault {
    fn from(refusal: Refusal) -> Self {
        Self::Refuses(refusal.to_string())
    }
}

/// Asks one component of the table on the fixtures of its role.
///
/// # Errors
/// What is wrong with it.
pub fn smoke(row: &Row, options: &Options, manifest: &Manifest) -> Result<(), SmokeFault> {
    let scene = Scene::new(LATE_MS)?;
    match row.build(manifest, options)? {
        Component::Analysis(analysis) => scene.analysis(analysis),
        Component::Probability(model) => {
            let Err((model, _)) = model.warm_up(&WarmUp::NOTHING) else {
                return Err(SmokeFault::AnswersWithout("history"));
            };
            let model = ready(model, manifest)?;
            let ask = |has_volatility| {
                scene.look((has_volatility, true), &Readings::NONE, |view| {
                    model.evaluate(view)
                })
            };
            let estimate = ask(true)??;
            if !estimate.d.is_finite() || !estimate.slope.is_finite() {
                return Err(SmokeFault::OutOfRange("estimate"));
            }
            refused("volatility", &ask(false)?)
        }
        Component::Signal(source) => {
            let source = ready(source, manifest)?;
            let estimate = Scene::estimate()?;
            let early = Scene::new(EARLY_MS)?;
            let ask = |scene: &Scene, has_asks| {
                scene.look((true, has_asks), &Scene::readings(), |view| {
                    source.evaluate(view, &estimate)
                })
            };
            let late_word = ask(&scene, true)?;
            let early_word = ask(&early, true)?;
            let signal = late_word.or(early_word)?;
            if !signal.edge.is_finite() {
                return Err(SmokeFault::OutOfRange("edge"));
            }
            refused("an ask", &ask(&scene, false)?)?;
            refused("an ask", &ask(&early, false)?)
        }
        Component::Entry(rule) => {
            let rule = ready(rule, manifest)?;
            let nothing = Scene::signal(f64::NAN)?;
            let word = scene.look((true, true), &Readings::NONE, |view| {
                rule.evaluate(view, &nothing)
            })?;
            refused("an edge", &word)
        }
        Component::Sizing(rule) => {
            let size = ready(rule, manifest)?.evaluate(&Scene::signal(0.1)?)?;
            let budget = Usd::from(manifest.position_size_usd);
            if size.shares <= Shares::ZERO || size.worst_cost > budget {
                return Err(SmokeFault::OutOfRange("worst cost"));
            }
            Ok(())
        }
        Component::Exit(rule) => {
            let rule = ready(rule, manifest)?;
            // At its own entry price nothing has happened: there is no reason to leave.
            match scene.exit(|view| rule.evaluate(view))? {
                Some(_) => Err(SmokeFault::AnswersWithout("a move")),
                None => Ok(()),
            }
        }
    }
}

fn ready<C: super::Component + ?Sized>(
    component: Configured<C>,
    manifest: &Manifest,
) -> Result<super::Ready<C>, SmokeFault> {
    let facts = WarmUp {
        history_ms: i64::from(manifest.window.warm_up_secs.get()) * 1_000,
        volatility: Some(Volatility::try_new(0.5)?),
    };
    component
        .warm_up(&facts)
        .map_err(|(_, refusal)| refusal.into())
}

fn refused<T>(needs: &'static str, answer: &Result<T, Refusal>) -> Result<(), SmokeFault> {
    match answer {
        Ok(_) => Err(SmokeFault::AnswersWithout(needs)),
        Err(_) => Ok(()),
    }
}

/// A market near its close: the UI a little above the reference, the oracle below it, Up dear.
struct Scene {
    window: Window,
    now: EpochMs,
    seconds: SecondPrices,
    up: Book,
    down: Book,
}

const FRESHNESS: Freshness = Freshness {
    max_oracle_age_ms: 5_000,
    max_book_age_ms: 5_000,
};

impl Scene {
    fn new(left_ms: i64) -> Result<Self, SmokeFault> {
        let window = Window {
            id: format!("btc-5m-{}", START.0 / 1_000).parse()?,
            up: "11".parse()?,
            down: "22".parse()?,
            rule: SettlementRule::Twap,
            twap_lookback_secs: 60,
            reference: Some("95000".parse()?),
        };
        let now = window.id.close().plus_ms(-left_ms);
        let mut seconds = SecondPrices::default();
        for sec in 0..=(now - START) / 1_000 {
            seconds.observe(START.plus_ms(sec * 1_000), "94990".parse()?);
        }
        let book = |token: &str, bid: &str, ask: &str| -> Result<Book, UnitError> {
            Ok(Book {
                asset: Asset::Btc,
                token: token.parse()?,
                bid: Some(bid.parse()?),
                ask: Some(ask.parse()?),
                bid_size: "50".parse()?,
                ask_size: "50".parse()?,
                at: now,
            })
        };
        let (up, down) = (book("11", "0.78", "0.80")?, book("22", "0.20", "0.22")?);
        Ok(Self {
            window,
            now,
            seconds,
            up,
            down,
        })
    }

    fn readings() -> Readings {
        Readings {
            staleness: Some(Ok(Staleness {
                age_ms: 400_000,
                stale_ms: 15_000,
            })),
            divergence: Some(Ok(Divergence {
                from_oracle_bps: 4.0,
                from_reference_bps: 3.0,
            })),
            lag: Some(Ok(Lag {
                tau_ms: 2_000,
                correlation: 0.8,
                p_value: 0.001,
                stability: 1.0,
                pending_return: 0.006,
            })),
            updates: Some(Ok(UpdateForecast {
                probability: 0.0,
                confidence: 1.0,
            })),
        }
    }

    /// Shows the view to `look`: with or without volatility and asks.
    fn look<T>(
        &self,
        (has_volatility, has_asks): (bool, bool),
        readings: &Readings,
        look: impl FnOnce(&MarketView<'_>) -> T,
    ) -> Result<T, SmokeFault> {
        let WindowPhase::Open(open) = self.window.at(self.now) else {
            return Err(SmokeFault::Fixture("the window is not open".to_owned()));
        };
        let oracle = OracleQuote {
            asset: Asset::Btc,
            price: "94990".parse()?,
            at: self.now,
        };
        let sigma = Volatility::try_new(0.5)?;
        let history = AssetHistory {
            asset: Asset::Btc,
            volatility: has_volatility.then_some(sigma),
            surprise: Some(1.0),
            seconds: Some(&self.seconds),
        };
        let (mut up, mut down) = (self.up.clone(), self.down.clone());
        if !has_asks {
            (up.ask, down.ask) = (None, None);
        }
        let view = MarketView::try_new(
            open,
            Some(&oracle),
            Some(&up),
            Some(&down),
            Some(history),
            FRESHNESS,
        )?;
        Ok(look(&view.with_readings(readings)))
    }

    fn estimate() -> Result<Estimate, SmokeFault> {
        Ok(Estimate {
            d: -0.5,
            up: Probability::try_new(0.3)?,
            slope: 100.0,
        })
    }

    fn signal(edge: f64) -> Result<Signal, SmokeFault> {
        Ok(Signal {
            outcome: Outcome::Up,
            probability: Probability::try_new(0.6)?,
            price: "0.50".parse()?,
            edge,
        })
    }

    /// Shows the generated market to an analysis, then asks it for the reading of its row.
    fn analysis(&self, mut analysis: Configured<dyn Analysis>) -> Result<(), SmokeFault> {
        analysis = match analysis.warm_up(&WarmUp::NOTHING) {
            Ok(_) => return Err(SmokeFault::AnswersWithout("history")),
            Err((analysis, _)) => analysis,
        };
        for event in Generator::new(SEED, START, &[Asset::Btc], &[WindowLength::Min5]) {
            if event.t > self.now {
                break;
            }
            let (at, seen_at) = (event.src.unwrap_or(event.t), event.t);
            if let EventKind::Oracle(tick) = &event.kind
                && tick.twap_secs.is_none()
            {
                let price = tick.price;
                analysis.observe(&Observation::Oracle { price, at, seen_at });
            }
            if let EventKind::Spot(tick) = &event.kind {
                let price = UiPrice::try_new(tick.price.get())?;
                analysis.observe(&Observation::Ui { price, at, seen_at });
            }
        }
        let analysis = analysis
            .warm_up(&WarmUp::NOTHING)
            .map_err(|(_, refusal)| refusal)?;
        let mut seen = Readings::NONE;
        self.look((true, true), &Readings::NONE, |view| {
            analysis.read(view, &mut seen);
        })?;
        let finite = [
            seen.staleness.map(|reading| reading.map(|_| true)),
            seen.divergence.map(|reading| {
                reading.map(|ui| (ui.from_oracle_bps + ui.from_reference_bps).is_finite())
            }),
            seen.lag.map(|reading| {
                reading.map(|lag| {
                    lag.pending_return.is_finite()
                        && (-1.0..=1.0).contains(&lag.correlation)
                        && (0.0..=1.0).contains(&lag.p_value)
                })
            }),
            seen.updates
                .map(|reading| reading.map(|next| (0.0..=1.0).contains(&next.probability))),
        ];
        let mut readings = finite.into_iter().flatten();
        match readings.next() {
            None => Err(SmokeFault::Refuses("it reads nothing".to_owned())),
            Some(Err(refusal)) => Err(refusal.into()),
            Some(Ok(false)) => Err(SmokeFault::OutOfRange("reading")),
            Some(Ok(true)) => Ok(()),
        }
    }

    /// A position that was bought at the present bid.
    fn exit<T>(&self, look: impl FnOnce(&ExitView<'_>) -> T) -> Result<T, SmokeFault> {
        let WindowPhase::Open(open) = self.window.at(self.now) else {
            return Err(SmokeFault::Fixture("the window is not open".to_owned()));
        };
        let position = Position::bought("10".parse()?, "0.78".parse()?);
        let view = ExitView::try_new(open, Outcome::Up, &position, Some(&self.up), FRESHNESS)?;
        Ok(look(&view))
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::{Build, TABLE, find};
    use super::super::{Component as Part, SignalSource};
    use super::*;
    use crate::fixtures;
    use serde_json::Value;
    use std::collections::BTreeMap;

    fn manifest() -> Manifest {
        let mut manifest = fixtures::manifest();
        manifest.window.min_remaining_secs = 5.try_into().unwrap();
        manifest
    }

    fn seen(row: &Row) -> Result<(), SmokeFault> {
        let options = Options::read(row.options, &BTreeMap::new()).unwrap();
        smoke(row, &options, &manifest())
    }

    #[test]
    fn every_component_of_the_table_passes() {
        for row in TABLE {
            assert_eq!(seen(row), Ok(()), "{}", row.id);
        }
    }

    /// Says the same whatever it is shown.
    #[derive(Debug)]
    struct Parrot(f64);

    impl Part for Parrot {
        fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
            Ok(())
        }
        fn held(&self) -> Vec<(&'static str, Value)> {
            Vec::new()
        }
    }

    impl SignalSource for Parrot {
        fn signal(&self, _: &MarketView<'_>, _: &Estimate) -> Result<Signal, Refusal> {
            Ok(Scene::signal(self.0).unwrap())
        }
    }

    impl Analysis for Parrot {
        fn observe(&mut self, _: &Observation) {}
        fn read(&self, _: &MarketView<'_>, _: &mut Readings) {}
    }

    #[test]
    fn a_faulty_component_is_found() {
        let planted = |build: Build| {
            let edge = find("edge").unwrap();
            seen(&Row {
                build,
                id: "parrot",
                doc: "",
                needs: edge.needs,
                gives: edge.gives,
                holds: &[],
                options: &[],
            })
        };
        let blind = Build::Signal(|_, _| Ok(Box::new(Parrot(0.1))));
        assert_eq!(planted(blind), Err(SmokeFault::AnswersWithout("an ask")));
        let nan = Build::Signal(|_, _| Ok(Box::new(Parrot(f64::NAN))));
        assert_eq!(planted(nan), Err(SmokeFault::OutOfRange("edge")));
        let eager = Build::Analysis(|_, _| Ok(Box::new(Parrot(0.0))));
        assert_eq!(planted(eager), Err(SmokeFault::AnswersWithout("history")));
    }
}
