//! The charts of the page, as SVG text: reliability, equity, decisions over time.
//!
//! Draws what the document holds and computes nothing. Axis texts are sized without a font, so margins
//! are set by hand.

use super::play::{Decision, Finished, What};
use plotters::prelude::*;
use rust_decimal::prelude::ToPrimitive as _;
use trader_core::sim::scores::Bucket;
use trader_core::units::EpochMs;

/// Pixels of a chart.
const SIZE: (u32, u32) = (720, 320);
/// Pixels of the square one.
const SQUARE: (u32, u32) = (420, 400);
/// Points drawn at most; more are thinned evenly.
const POINTS_MAX: usize = 4_000;

/// One colour per kind of decision; readable without colour by its own line.
const KINDS: [(What, &str, RGBColor); 6] = [
    (What::Refused, "refused", RGBColor(150, 150, 150)),
    (What::Entry, "entry", RGBColor(0, 90, 181)),
    (What::Fill, "fill", RGBColor(0, 140, 140)),
    (What::Exit, "exit", RGBColor(200, 120, 0)),
    (What::Won, "gained", RGBColor(0, 128, 60)),
    (What::Lost, "lost", RGBColor(190, 30, 45)),
];

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Predicted against observed, with 90 % intervals.
pub(super) fn reliability(buckets: &[Bucket]) -> String {
    svg(SQUARE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart
            .configure_mesh()
            .max_light_lines(1)
            .x_desc("predicted probability of Up")
            .y_desc("part that came Up")
            .x_labels(11)
            .y_labels(11)
            .draw()?;
        let grey = RGBColor(120, 120, 120);
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], grey))?;
        let seen = buckets.iter().filter_map(|bucket| {
            Some((
                bucket.predicted?,
                bucket.low?,
                bucket.observed?,
                bucket.high?,
            ))
        });
        let blue = RGBColor(0, 90, 181);
        chart.draw_series(seen.clone().map(|(predicted, low, observed, high)| {
            ErrorBar::new_vertical(predicted, low, observed, high, blue.filled(), 8)
        }))?;
        chart.draw_series(LineSeries::new(seen.map(|(x, _, y, _)| (x, y)), blue))?;
        Ok(())
    })
}

/// Hours since `start`.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a position on a chart"
)]
fn hours(at: EpochMs, start: EpochMs) -> f64 {
    (at - start) as f64 / 3_600_000.0
}

fn thinned<T: Copy>(items: &[T]) -> Vec<T> {
    let step = items.len().div_ceil(POINTS_MAX).max(1);
    let last = items.len().saturating_sub(1);
    items
        .iter()
        .enumerate()
        .filter(|(index, _)| index % step == 0 || *index == last)
        .map(|(_, item)| *item)
        .collect()
}

/// Realised result over time.
pub(super) fn equity(run: &Finished, from: EpochMs, to: EpochMs) -> String {
    let points: Vec<(f64, f64)> = thinned(&run.equity)
        .into_iter()
        .filter_map(|(at, usd)| Some((hours(at, from), usd.get().to_f64()?)))
        .collect();
    let (low, high) = points
        .iter()
        .fold((-1.0_f64, 1.0_f64), |(low, high), (_, usd)| {
            (low.min(*usd), high.max(*usd))
        });
    let end = hours(to, from).max(0.01);
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end, low * 1.05..high * 1.05)?;
        chart
            .configure_mesh()
            .max_light_lines(1)
            .x_desc("hours since the tape's start")
            .y_desc("realised USD, fees paid")
            .draw()?;
        let grey = RGBColor(120, 120, 120);
        chart.draw_series(LineSeries::new([(0.0, 0.0), (end, 0.0)], grey))?;
        // Steps: a result stays until the next.
        let mut steps = vec![(0.0, 0.0)];
        for (x, y) in &points {
            let before = steps.last().map_or(0.0, |(_, y)| *y);
            steps.push((*x, before));
            steps.push((*x, *y));
        }
        let last = steps.last().map_or(0.0, |(_, y)| *y);
        steps.push((end, last));
        chart.draw_series(LineSeries::new(steps, RGBColor(0, 90, 181).stroke_width(2)))?;
        Ok(())
    })
}

/// What was done when, one line of points per kind.
pub(super) fn timeline(decisions: &[Decision], from: EpochMs, to: EpochMs) -> String {
    let end = hours(to, from).max(0.01);
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end, 0.0..6.0)?;
        chart
            .configure_mesh()
            .max_light_lines(1)
            .x_desc("hours since the tape's start")
            .y_labels(0)
            .disable_y_mesh()
            .draw()?;
        for ((kind, _, colour), line) in KINDS.iter().zip(0_u32..) {
            let of_kind: Vec<Decision> = decisions
                .iter()
                .filter(|decision| decision.what == *kind)
                .copied()
                .collect();
            let y = f64::from(line) + 0.5;
            chart.draw_series(
                thinned(&of_kind)
                    .into_iter()
                    .map(|decision| Circle::new((hours(decision.at, from), y), 3, colour.filled())),
            )?;
        }
        // The labels beside the plot: plotters has no axis of words.
        let (height, top) = (268_i32, 12_i32);
        for ((_, name, colour), line) in KINDS.iter().zip(0_i32..) {
            let y = top + height - (height * (2 * line + 1)) / 12;
            let style = ("sans-serif", 13).into_font().color(colour);
            area.draw(&Text::new(*name, (8, y - 7), style))?;
        }
        Ok(())
    })
}

/// Draws into a text; a chart that cannot be drawn says so in its place.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn,
) -> String {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)
            .map_err(Into::into)
            .and_then(|()| draw(&area))
            .and_then(|()| area.present().map_err(Into::into))
    };
    match drawn {
        Ok(()) => text,
        Err(error) => format!(
            "<p>this chart cannot be drawn: {}</p>",
            super::page::escaped(&error.to_string())
        ),
    }
}
