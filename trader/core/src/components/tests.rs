//! Each component on real-shaped views: what it says, and what it refuses.

use super::options::Options;
use super::registry::{self, Component as Built};
use super::{
    Divergence, Lag, ProbabilityModel, Readings, Ready, Role, Signal, Staleness, UpdateForecast,
    WarmUp,
};
use crate::fixtures;
use crate::refusal::Refusal;
use crate::twap::SecondPrices;
use crate::units::{Outcome, Probability, Volatility};
use crate::view::{AssetHistory, Book, Freshness, MarketView, OracleQuote};
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
    surprise: Option<f64>,
    /// Price in the settlement average so far, and how many seconds of ten were seen.
    average: Option<(&'static str, i64)>,
    readings: Readings,
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
    surprise: None,
    average: None,
    readings: Readings::NONE,
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
        let mut seconds = SecondPrices::default();
        if let Some((price, seen)) = self.average {
            let start = window.id.close().plus_ms(-i64::from(self.lookback) * 1_000);
            for sec in (0..=(now - start) / 1_000).filter(|sec| *sec == 0 || *sec % 10 < seen) {
                seconds.observe(start.plus_ms(sec * 1_000), price.parse().unwrap());
            }
        }
        let history = AssetHistory {
            asset,
            volatility: self
                .volatility
                .map(|sigma| Volatility::try_new(sigma).unwrap()),
            surprise: self.surprise,
            seconds: Some(&seconds),
        };
        let view = MarketView::try_new(
            open,
            Some(&oracle),
            Some(&up),
            Some(&down),
            Some(history),
            FRESH,
        )?
        .with_readings(&self.readings);
        Ok(look(&view))
    }
}

fn build(id: &str) -> Built {
    let row = registry::find(id).unwrap();
    // The fixture's manifest wants 75 s to remain.
    let given = if id == "oracle-edge" {
        BTreeMap::from([("max_remaining_secs".to_owned(), 120.into())])
    } else {
        BTreeMap::new()
    };
    let options = Options::read(row.options, &given).unwrap();
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
    // Inside the averaging, and its beginning was not seen.
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
    signal_of("edge", scene)
}

fn signal_of(id: &str, scene: &Scene) -> Result<Signal, Refusal> {
    let Built::Signal(source) = build(id) else {
        panic!("role")
    };
    let source = source.warm_up(&WARM).unwrap();
    scene
        .with(|view| source.evaluate(view, &model().evaluate(view)?))
        .and_then(|signal| signal)
}

/// The side of a signal, or the refusal's code.
fn side(id: &str, scene: &Scene) -> Result<Outcome, &'static str> {
    signal_of(id, scene)
        .map(|signal| signal.outcome)
        .map_err(|refusal| refusal.code)
}

#[test]
fn inside_the_average_its_known_part_counts() {
    let inside = Scene {
        reference: "94990",
        average: Some(("94985", 10)),
        elapsed_ms: 870_000,
        ..SCENE
    };
    for (elapsed_ms, golden) in [(870_000, 0.582_268_520_411), (890_000, 0.140_239_801_647)] {
        let seen = p_up(&Scene {
            elapsed_ms,
            ..inside.clone()
        })
        .unwrap();
        assert!((seen - golden).abs() < 1e-9, "{seen} {golden}");
    }
    // Continuous where the averaging begins.
    let at = |elapsed_ms| {
        p_up(&Scene {
            elapsed_ms,
            ..inside.clone()
        })
        .unwrap()
    };
    assert!((at(840_000) - at(840_001)).abs() < 1e-4);
}

#[test]
fn too_little_of_the_average_is_a_refusal_with_numbers() {
    let scene = |seen| Scene {
        reference: "94990",
        average: Some(("94985", seen)),
        elapsed_ms: 880_000,
        ..SCENE
    };
    // 8 of 10 seconds are enough for 75 %, 7 are not.
    assert!(p_up(&scene(8)).is_ok());
    let refusal = scene(7)
        .with(|view| model().evaluate(view))
        .unwrap()
        .unwrap_err();
    assert_eq!(refusal.to_string(), "twap_coverage (seen 28, limit 30)");
}

#[test]
fn a_volatility_that_has_just_changed_is_not_believed() {
    let scene = |surprise| Scene {
        surprise: Some(surprise),
        ..SCENE
    };
    for (surprise, wanted) in [(2.99, true), (0.34, true), (3.01, false), (0.33, false)] {
        let seen = p_up(&scene(surprise));
        assert_eq!(seen.is_ok(), wanted, "{surprise}: {seen:?}");
        assert!(wanted || seen == Err("volatility_surprise"));
    }
}

const LAG: Lag = Lag {
    tau_ms: 2_000,
    correlation: 0.8,
    p_value: 0.001,
    stability: 0.9,
    pending_return: 0.0005,
};

#[test]
fn the_lag_signal_follows_the_move_and_nothing_else() {
    let scene = |lag: Lag| Scene {
        readings: Readings {
            lag: Some(Ok(lag)),
            ..Readings::default()
        },
        ..SCENE
    };
    assert_eq!(side("lag-based", &scene(LAG)), Ok(Outcome::Up));
    let down = Lag {
        pending_return: -0.0005,
        ..LAG
    };
    assert_eq!(side("lag-based", &scene(down)), Ok(Outcome::Down));
    // 5 basis points against a standard deviation of 0.45 · √(260/year) = 13 move 0.5 to about 0.65.
    let moved = signal_of("lag-based", &scene(LAG))
        .unwrap()
        .probability
        .get();
    assert!((0.6..0.7).contains(&moved), "{moved}");
    let code = |lag| side("lag-based", &scene(lag)).unwrap_err();
    assert_eq!(
        code(Lag {
            pending_return: 0.000_099,
            ..LAG
        }),
        "lag_move_small"
    );
    assert_eq!(
        code(Lag {
            stability: 0.59,
            ..LAG
        }),
        "lag_unstable"
    );
    assert_eq!(
        code(Lag {
            pending_return: f64::INFINITY,
            ..LAG
        }),
        "lag_move_not_finite"
    );
    assert_eq!(side("lag-based", &SCENE), Err("missing_reading"));
    let none = Scene {
        up_ask: None,
        ..scene(LAG)
    };
    assert_eq!(side("lag-based", &none), Err("missing_ask"));
}

/// The crowd has seen the UI above the reference; the oracle stands below it.
fn fade() -> Scene {
    Scene {
        rule: SettlementRule::Spot,
        lookback: 0,
        elapsed_ms: 880_000,
        oracle: "94990",
        reference: "95000",
        up_ask: Some("0.80"),
        down_ask: Some("0.22"),
        readings: Readings {
            staleness: Some(Ok(Staleness {
                age_ms: 15_000,
                stale_ms: 15_000,
            })),
            divergence: Some(Ok(Divergence {
                from_oracle_bps: 4.0,
                from_reference_bps: 3.0,
            })),
            updates: Some(Ok(UpdateForecast {
                probability: 0.1,
                confidence: 0.8,
            })),
            lag: None,
        },
        ..SCENE
    }
}

#[test]
fn the_oracle_edge_needs_every_condition() {
    assert_eq!(side("oracle-edge", &fade()), Ok(Outcome::Down), "fade_up");
    let mirrored = Scene {
        oracle: "95010",
        up_ask: Some("0.22"),
        down_ask: Some("0.80"),
        readings: Readings {
            divergence: Some(Ok(Divergence {
                from_oracle_bps: -4.0,
                from_reference_bps: -3.0,
            })),
            ..fade().readings
        },
        ..fade()
    };
    assert_eq!(side("oracle-edge", &mirrored), Ok(Outcome::Up), "fade_down");
    let with = |readings: Readings| Scene { readings, ..fade() };
    let is = fade().readings;
    let cases = [
        (
            "fade_too_early",
            Scene {
                elapsed_ms: 780_000,
                ..fade()
            },
        ),
        (
            "oracle_not_stale",
            with(Readings {
                staleness: Some(Ok(Staleness {
                    age_ms: 14_999,
                    stale_ms: 15_000,
                })),
                ..is
            }),
        ),
        (
            "ui_near_reference",
            with(Readings {
                divergence: Some(Ok(Divergence {
                    from_oracle_bps: 4.0,
                    from_reference_bps: 1.0,
                })),
                ..is
            }),
        ),
        (
            "ui_far_from_oracle",
            with(Readings {
                divergence: Some(Ok(Divergence {
                    from_oracle_bps: 10.0,
                    from_reference_bps: 3.0,
                })),
                ..is
            }),
        ),
        (
            "token_not_dear",
            Scene {
                down_ask: Some("0.35"),
                ..fade()
            },
        ),
        (
            "update_expected",
            with(Readings {
                updates: Some(Ok(UpdateForecast {
                    probability: 0.41,
                    confidence: 0.8,
                })),
                ..is
            }),
        ),
        (
            "update_unpredictable",
            with(Readings {
                updates: Some(Ok(UpdateForecast {
                    probability: 0.1,
                    confidence: 0.39,
                })),
                ..is
            }),
        ),
        (
            "missing_reading",
            with(Readings {
                staleness: None,
                ..is
            }),
        ),
    ];
    for (code, scene) in cases {
        assert_eq!(side("oracle-edge", &scene), Err(code));
    }
}

#[test]
fn an_oracle_edge_that_could_never_act_is_not_built() {
    let row = registry::find("oracle-edge").unwrap();
    let options = Options::read(row.options, &BTreeMap::new()).unwrap();
    let error = row.build(&fixtures::manifest(), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "option `max_remaining_secs` is 30, and the manifest's `window.min_remaining_secs` is 75: it could never act"
    );
}

#[test]
fn the_threshold_buys_what_is_dear_and_nothing_else() {
    let scene = |up, down| Scene {
        up_ask: Some(up),
        down_ask: Some(down),
        ..SCENE
    };
    assert_eq!(side("threshold", &scene("0.71", "0.31")), Ok(Outcome::Up));
    assert_eq!(side("threshold", &scene("0.31", "0.71")), Ok(Outcome::Down));
    assert_eq!(
        side("threshold", &scene("0.70", "0.31")),
        Err("below_threshold")
    );
    let late = Scene {
        elapsed_ms: 840_001,
        average: Some(("95000", 10)),
        ..scene("0.71", "0.31")
    };
    assert_eq!(side("threshold", &late), Err("threshold_too_late"));
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
            Built::Analysis(component) => (Role::Analysis, component.held()),
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

#[test]
fn a_row_says_whether_its_component_must_warm_up() {
    let unready = |id| {
        let nothing = &WarmUp::NOTHING;
        match build(id) {
            Built::Analysis(component) => component.warm_up(nothing).is_err(),
            Built::Probability(component) => component.warm_up(nothing).is_err(),
            Built::Signal(component) => component.warm_up(nothing).is_err(),
            Built::Entry(component) => component.warm_up(nothing).is_err(),
            Built::Sizing(component) => component.warm_up(nothing).is_err(),
            Built::Exit(component) => component.warm_up(nothing).is_err(),
        }
    };
    for row in registry::TABLE {
        assert_eq!(unready(row.id), row.warm_up().is_some(), "{}", row.id);
    }
}

#[test]
fn trailing_leaves_when_part_of_the_gain_is_gone() {
    let Built::Exit(trailing) = build("trailing") else {
        panic!("role")
    };
    let trailing = trailing.warm_up(&WARM).unwrap();
    // Bought at 0.50; activated at 0.55, 30 % may be given back.
    for (peak, bid, wanted) in [
        ("0.54", "0.50", None),
        ("0.55", "0.54", None),
        ("0.60", "0.571", None),
        ("0.60", "0.57", Some("trailing")),
        ("0.60", "0.40", Some("trailing")),
        // The peak never lies below the bid.
        ("0.40", "0.60", None),
    ] {
        let exit = fixtures::exit_view("0.50", bid, |view| {
            trailing.evaluate(&view.with_peak(peak.parse().unwrap()))
        });
        assert_eq!(exit, wanted, "{peak} {bid}");
    }
}
