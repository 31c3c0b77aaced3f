//! The charts of a run as SVG files, one for each, as the page draws them.

use std::io::Write;

use plotters::prelude::{IntoDrawingArea, RGBColor, SVGBackend};

use crate::cli::out::Folder;
use crate::cli::run::Outcome;
use crate::kernel::SimTime;
use crate::param::Lang;
use crate::view::Theme;
use crate::view::charts::{self, Chart, Frame, px};
use crate::view::tokens::Token;
use crate::view::tracks::{Track, chart, time_ticks};

/// Width of a picture in CSS pixels.
const WIDTH: f32 = 880.0;
/// Paper around the chart.
const MARGIN: f32 = 12.0;
/// Width of the label column; the longest names of causes stand beside their values.
const LABELS: f32 = 200.0;
/// How much higher than on the page a chart is: on paper nothing stands below it.
const HIGHER: f32 = 1.6;

/// Writes one file for each chart of the page.
pub fn write(outcome: &Outcome, folder: &Folder, lang: Lang) -> Result<(), String> {
    // The charts end where the run does: a run to 2 s has no empty 10 s beside it.
    let end = outcome.reached().max(SimTime::from_ns(1));
    let tcp = outcome.session.seen().readings.ends().next().is_some();
    let log = !outcome.session.seen().lags.names.is_empty();
    for &track in Track::list(tcp, log) {
        let mut chart = chart(track, outcome.session.seen(), end, end, lang);
        if track != Track::Distribution {
            let ticks = time_ticks(end, WIDTH - 2.0 * MARGIN - LABELS).into_iter();
            chart.x_ticks = ticks.map(|(share, label)| (share * chart.x.1, label)).collect();
        }
        let height = (track.height() * HIGHER + 2.0 * MARGIN).round();
        let text = draw(&chart, height, lang)?;
        folder.write(&format!("{}.svg", track.key()), |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

/// Draws a chart in the light colours.
fn draw(chart: &Chart, height: f32, lang: Lang) -> Result<String, String> {
    let (paper, theme) = (Token::Paper, Theme::Light);
    let size = (px(WIDTH) as u32, px(height) as u32);
    let mut text = String::new();
    let least = if lang == Lang::Zh { 12.0 } else { 11.0 };
    let (inner, margin) = ((WIDTH - 2.0 * MARGIN, height - 2.0 * MARGIN), px(MARGIN));
    let frame = Frame { width: inner.0, height: inner.1, labels: LABELS, least };
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let (r, g, b) = paper.rgb(theme);
        let drawn = area
            .fill(&RGBColor(r, g, b))
            .and_then(|()| {
                let chart_area = area.margin(margin, margin, margin, margin);
                charts::draw(&chart_area, chart, frame, theme)
            })
            .and_then(|()| area.present());
        drawn.map_err(|error| format!("cannot draw `{}`: {error}", chart.title))?;
    }
    // Plotters knows whole pixels only, so the chart is drawn larger; it is shown in CSS pixels.
    let drawn = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    Ok(text.replacen(&drawn, &format!("width=\"{WIDTH}\" height=\"{height}\""), 1))
}
