//! When a recorded window becomes known: listed before its open, its reference price after the open,
//! its outcome after the close, as the venue tells them.

use trader_core::event::{Event, EventKind, WindowTick};
use trader_core::units::{Asset, EpochMs, Outcome, TokenId};
use trader_core::window::{SettlementRule, Window, WindowId};

/// A window is listed this long before its open, ms: the venue lists the next while one is open.
pub(super) const LISTED_BEFORE_MS: i64 = 300_000;
/// The price to beat is told this long after the open, ms (it takes 2 to 3 s at the venue).
const REFERENCE_AFTER_MS: i64 = 2_000;
/// The outcome is told this long after the close, ms (a recorded market: 16 s).
pub(super) const OUTCOME_AFTER_MS: i64 = 16_000;

/// The events that tell a window, none before `first`.
pub(super) fn tell(tick: &WindowTick, first: EpochMs, out: &mut Vec<Event>) {
    let id = tick.window.id;
    let listed = Window {
        reference: None,
        ..tick.window.clone()
    };
    let at = id.open().plus_ms(-LISTED_BEFORE_MS).max(first);
    out.push(event(at, listed, None));
    if tick.window.reference.is_some() {
        let at = id.open().plus_ms(REFERENCE_AFTER_MS).max(first);
        out.push(event(at, tick.window.clone(), None));
    }
    if tick.outcome.is_some() {
        let at = id.close().plus_ms(OUTCOME_AFTER_MS).max(first);
        out.push(event(at, tick.window.clone(), tick.outcome));
    }
}

/// A window of the time when they settled on the instantaneous price, without reference price.
pub(super) fn spot_window(id: WindowId, up: TokenId, down: TokenId) -> Window {
    Window {
        id,
        up,
        down,
        rule: SettlementRule::Spot,
        twap_lookback_secs: 0,
        reference: None,
    }
}

/// A token for an outcome whose own id was not recorded: distinct for every window and outcome.
pub(super) fn stand_in_token(id: WindowId, outcome: Outcome) -> Option<TokenId> {
    let asset = match id.asset() {
        Asset::Btc => 1,
        Asset::Eth => 2,
        Asset::Sol => 3,
        Asset::Xrp => 4,
    };
    let side = match outcome {
        Outcome::Up => 1,
        Outcome::Down => 2,
    };
    let open = id.open().0 / 1_000;
    format!("9{asset}{:02}{open}{side}", id.length().mins())
        .parse()
        .ok()
}

fn event(t: EpochMs, window: Window, outcome: Option<Outcome>) -> Event {
    Event {
        t,
        src: None,
        kind: EventKind::Window(WindowTick { window, outcome }),
    }
}
