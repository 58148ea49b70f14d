//! Time against the number of events: it must stay a straight line.

use crate::clock::timed;
use crate::market::{Recording, engine, generated};
use crate::plot;
use crate::table::{Limit, Table};
use trader_core::engine::Commands;

/// Events of one piece; only one piece is in memory at a time.
const PIECE: u32 = 250_000;
const MOST: u32 = 16_000_000;

pub(crate) fn measure(table: &mut Table, file: Option<&str>) {
    let mut recording = Recording::new(5, 5, generated(5));
    let mut engine = engine(5, 5);
    let (mut events, mut commands) = (Vec::new(), Commands::default());
    let (mut stepped, mut nanos) = (0_u32, 0.0);
    let mut points = vec![(0.0, 0.0)];
    let mut at_one = 0.0;
    while stepped < MOST {
        recording.next_events(usize::try_from(PIECE).unwrap(), &mut events);
        let (took, ()) = timed(|| {
            for event in &events {
                commands.clear();
                engine.step(event, &mut commands);
            }
        });
        stepped += u32::try_from(events.len()).unwrap();
        nanos += took;
        let millions = f64::from(stepped) / 1e6;
        points.push((millions, nanos / 1e9));
        let before = millions - f64::from(PIECE) / 1e6;
        if before.log2().floor() < millions.log2().floor() && millions >= 1.0 {
            let per_event = nanos / f64::from(stepped);
            if at_one <= 0.0 {
                at_one = per_event;
            }
            let what = format!("{millions:.0} M events, 5 strategies");
            let beside = format!("{:.2}x the first million's", per_event / at_one);
            table.line(&what, per_event, "ns", Limit::None, &beside);
        }
    }
    if let Some(file) = file {
        plot::draw(file, &points);
        println!("{file} written");
    }
}
