//! Each component on real-shaped views: what it says, and what it refuses.

use super::options::Options;
use super::registry::{self, Component as Built};
use super::{ProbabilityModel, Ready, Role, Signal, WarmUp};
use crate::fixtures;
use crate::refusal::Refusal;
use crate::units::{Outcome, Probability, Volatility};
use crate::view::{AssetVolatility, Book, Freshness, MarketView, OracleQuote};
use crate::window::{SettlementRule, Window, WindowPhase};
use std::collections::BTreeMap;

const FRESH: Freshness = Freshness {
    max_oracle_age_ms: 5_000,
    max_book_age_ms: 10_000,
};
const WARM: WarmUp = WarmUp {
    history_ms: 60_000,
    volatility: None,
};

#[derive(Clone)]
struct Scene {
    window: &'static str,
    rule: SettlementRule,
    lookback: u32,
    reference: &'static str,
    oracle: &'static str,
    volatility: Option<f64>,
    elapsed_ms: i64,
    up_ask: Option<&'static str>,
    down_ask: Option<&'static str>,
}

const SCENE: Scene = Scene {
    window: "btc-15m-1769949000",
    rule: SettlementRule::Twap,
    lookback: 60,
    reference: "95000",
    oracle: "95000",
    volatility: Some(0.45),
    elapsed_ms: 600_000,
    up_ask: Some("0.51"),
    down_ask: Some("0.51"),
};

impl Scene {
    fn with<T>(&self, look: impl FnOnce(&MarketView<'_>) -> T) -> Result<T, Refusal> {
        let window = Window {
            id: self.window.parse().unwrap(),
            up: "11".parse().unwrap(),
            down: "22".parse().unwrap(),
            rule: self.rule,
            twap_lookback_secs: self.lookback,
            reference: Some(self.reference.parse().unwrap()),
        };
        let asset = window.id.asset();
        let now = window.id.open().plus_ms(self.elapsed_ms);
        let WindowPhase::Open(open) = window.at(now) else {
            panic!("not open")
        };
        let book = |token: &str, ask: Option<&str>| Book {
            asset,
            token: token.parse().unwrap(),
            bid: Some("0.02".parse().unwrap()),
            ask: ask.map(|price| price.parse().unwrap()),
            bid_size: "10".parse().unwrap(),
            ask_size: "10".parse().unwrap(),
            at: now,
        };
        let (up, down) = (book("11", self.up_ask), book("22", self.down_ask));
        let oracle = OracleQuote {
            asset,
            price: self.oracle.parse().unwrap(),
            at: now,
        };
        let volatility = self.volatility.map(|sigma| AssetVolatility {
            asset,
            value: Volatility::try_new(sigma).unwrap(),
        });
        let view = MarketView::try_new(
            open,
            Some(&oracle),
            Some(&up),
            Some(&down),
            volatility,
            FRESH,
        )?;
        Ok(look(&view))
    }
}

fn build(id: &str) -> Built {
    let row = registry::find(id).unwrap();
    let options = Options::read(row.options, &BTreeMap::new()).unwrap();
    row.build(&fixtures::manifest(), &options).unwrap()
}

fn model() -> Ready<dyn ProbabilityModel> {
    let Built::Probability(model) = build("window-timing") else {
        panic!("role")
    };
    let volatility = Some(Volatility::try_new(0.5).unwrap());
    model.warm_up(&WarmUp { volatility, ..WARM }).unwrap()
}

/// The probability of Up, or the refusal's code.
fn p_up(scene: &Scene) -> Result<f64, &'static str> {
    scene
        .with(|view| model().evaluate(view))
        .and_then(|estimate| estimate)
        .map(|estimate| estimate.up.get())
        .map_err(|refusal| refusal.code)
}

#[test]
fn the_model_answers_by_the_markets_rule() {
    let near = |seen: f64, wanted: f64| assert!((seen - wanted).abs() < 1e-9, "{seen} {wanted}");
    near(
        p_up(&Scene {
            oracle: "95000",
            reference: "94950",
            ..SCENE
        })
        .unwrap(),
        0.658_118_602_159,
    );
    let spot = Scene {
        rule: SettlementRule::Spot,
        lookback: 0,
        oracle: "95000",
        reference: "94899",
        ..SCENE
    };
    near(p_up(&spot).unwrap(), 0.778_076_166_110);
    near(
        p_up(&Scene {
            elapsed_ms: 840_000,
            reference: "94990",
            ..SCENE
        })
        .unwrap(),
        0.615_518_888_882,
    );
}

#[test]
fn the_model_refuses_instead_of_guessing() {
    assert_eq!(
        p_up(&Scene {
            volatility: None,
            ..SCENE
        }),
        Err("missing_volatility")
    );
    assert_eq!(
        p_up(&Scene {
            elapsed_ms: 840_001,
            ..SCENE
        }),
        Err("twap_averaging")
    );
    assert_eq!(
        p_up(&Scene {
            oracle: "99000",
            ..SCENE
        }),
        Err("implausible_move")
    );
    // Just inside and just outside the bound: 6 · 0.45 · √(625/31,536,000) = 1.2020 %.
    assert!(
        p_up(&Scene {
            oracle: "96148",
            ..SCENE
        })
        .is_ok()
    );
    assert_eq!(
        p_up(&Scene {
            oracle: "96149",
            ..SCENE
        }),
        Err("implausible_move")
    );
}

#[test]
fn the_incidents_call_is_refused_twice() {
    // The token's price as oracle price: impossible for BTC, implausible where it is possible.
    let call = Scene {
        oracle: "0.55",
        reference: "0.50",
        rule: SettlementRule::Spot,
        lookback: 0,
        volatility: Some(0.5),
        elapsed_ms: 1,
        ..SCENE
    };
    assert_eq!(p_up(&call), Err("oracle_out_of_range"));
    assert_eq!(
        p_up(&Scene {
            window: "xrp-15m-1769949000",
            ..call
        }),
        Err("implausible_move")
    );
}

#[test]
fn a_model_without_history_is_not_ready() {
    let volatility = Some(Volatility::try_new(0.5).unwrap());
    for (facts, code) in [
        (
            WarmUp {
                history_ms: 59_999,
                volatility,
            },
            "warming_up",
        ),
        (WARM, "missing_volatility"),
    ] {
        let Built::Probability(model) = build("window-timing") else {
            panic!("role")
        };
        let (model, refusal) = model.warm_up(&facts).unwrap_err();
        assert_eq!(refusal.code, code);
        assert!(
            model.warm_up(&WarmUp { volatility, ..WARM }).is_ok(),
            "it can still become ready"
        );
    }
}

fn signal(scene: &Scene) -> Result<Signal, Refusal> {
    let Built::Signal(edge) = build("edge") else {
        panic!("role")
    };
    let edge = edge.warm_up(&WARM).unwrap();
    scene
        .with(|view| edge.evaluate(view, &model().evaluate(view)?))
        .and_then(|signal| signal)
}

#[test]
fn the_signal_is_the_better_side_after_the_fee() {
    // p_up = 0.5 exactly under the TWAP rule at S = K.
    let seen = signal(&Scene {
        up_ask: Some("0.40"),
        down_ask: Some("0.45"),
        ..SCENE
    })
    .unwrap();
    assert_eq!(
        (seen.outcome, seen.price.to_string().as_str()),
        (Outcome::Up, "0.40")
    );
    assert!(
        (seen.edge - (0.5 - 0.40 - 0.07 * 0.40 * 0.60)).abs() < 1e-12,
        "{}",
        seen.edge
    );
    let seen = signal(&Scene {
        up_ask: Some("0.45"),
        down_ask: Some("0.40"),
        ..SCENE
    })
    .unwrap();
    assert_eq!(seen.outcome, Outcome::Down);
    let seen = signal(&Scene {
        up_ask: None,
        down_ask: Some("0.90"),
        ..SCENE
    })
    .unwrap();
    assert_eq!(seen.outcome, Outcome::Down);
    assert!(seen.edge < 0.0);
    let none = signal(&Scene {
        up_ask: None,
        down_ask: None,
        ..SCENE
    })
    .unwrap_err();
    assert_eq!(none.code, "missing_ask");
}

#[test]
fn the_band_has_four_sides() {
    let Built::Entry(band) = build("band") else {
        panic!("role")
    };
    let band = band.warm_up(&WARM).unwrap();
    let judge = |elapsed_ms: i64, edge: f64| {
        let scene = Scene {
            elapsed_ms,
            ..SCENE
        };
        let signal = Signal {
            outcome: Outcome::Up,
            probability: Probability::try_new(0.6).unwrap(),
            price: "0.5".parse().unwrap(),
            edge,
        };
        let judged = scene.with(|view| band.evaluate(view, &signal)).unwrap();
        judged.map_or_else(|refusal| refusal.code, |()| "ok")
    };
    for (elapsed_ms, edge, wanted) in [
        (9_999, 0.1, "too_early"),
        (10_000, 0.1, "ok"),
        (825_000, 0.1, "ok"),
        (825_001, 0.1, "too_late"),
        (600_000, 0.0299, "edge_below_min"),
        (600_000, 0.03, "ok"),
        (600_000, 0.30, "ok"),
        (600_000, 0.3001, "edge_above_max"),
        (600_000, f64::NAN, "edge_below_min"),
    ] {
        assert_eq!(judge(elapsed_ms, edge), wanted, "{elapsed_ms} {edge}");
    }
}

#[test]
fn every_row_holds_what_it_names_and_builds_in_its_role() {
    let declared = fixtures::manifest().flattened();
    for row in registry::TABLE {
        let (role, held) = match build(row.id) {
            Built::Probability(component) => (Role::Probability, component.held()),
            Built::Signal(component) => (Role::Signal, component.held()),
            Built::Entry(component) => (Role::Entry, component.held()),
            Built::Sizing(component) => (Role::Sizing, component.held()),
            Built::Exit(component) => (Role::Exit, component.held()),
        };
        assert_eq!(role, row.role(), "{}", row.id);
        assert_eq!(
            held.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
            row.holds,
            "{}",
            row.id
        );
        for (key, value) in held {
            assert_eq!(declared.get(key), Some(&value), "{key}");
        }
        assert!(!row.doc.is_empty() && row.options_schema()["type"] == "object");
    }
}
