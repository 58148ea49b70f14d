//! The plot of time against events, as SVG.

use plotters::prelude::*;

/// Draws (million events, CPU seconds) with the line through the last point.
pub(crate) fn draw(file: &str, points: &[(f64, f64)]) {
    let last = *points.last().unwrap();
    let area = SVGBackend::new(file, (760, 420)).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Engine, five strategies, every safeguard",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last.0, 0.0..last.1 * 1.05)
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("million events")
        .y_desc("CPU seconds")
        .draw()
        .unwrap();
    let even = LineSeries::new([(0.0, 0.0), last], BLACK.mix(0.35));
    chart
        .draw_series(even)
        .unwrap()
        .label("a straight line")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.35)));
    let seen = LineSeries::new(points.iter().copied(), BLUE.stroke_width(2));
    chart
        .draw_series(seen)
        .unwrap()
        .label("measured")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLUE.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .draw()
        .unwrap();
    area.present().unwrap();
}
